"""What marketing and sales agreed on: stages, promises, hours, currency, margin, plan; and the local calendar."""

import re
from dataclasses import dataclass, field

import pandas as pd

from attribution.language import marked

#: What dates the entries into a stage, and its place in the order of stages.
RULES = {"person_created": 0, "lead_created": 1, "lead_status": 2, "date_field": 2, "score": 2, "activity": 2,
         "opportunity_created": 3, "opportunity_stage": 4, "opportunity_won": 5}
DEAL_RULES = ("opportunity_created", "opportunity_stage", "opportunity_won")
SINGLE_RULES = ("person_created", "lead_created", "opportunity_created")
KINDS = ("call", "email", "meeting", "linkedin", "task")
#: What the reports count, or name, themselves.
RESERVED = ("", "deal", "people", "person", "response", "conversion", "touch", "campaign", "new_customer", "out",
            "waiting", "all")
TOUCHES = ("responses", "memberships")
PLANNED = ("won_value", "cost", "n_leads", "n_mqls", "n_sqls", "n_opportunities")
SIDES = (marked("marketing"), marked("sales"))
PERIODS = {marked("month"): 1, marked("quarter"): 3, marked("year"): 12}     # months in each
WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Stage:
    """A stage of the funnel: its name, who owns it, and the rule that dates its entries."""

    name: str
    owner: str
    rule: str
    values: tuple[str, ...] = ()                     # the lead statuses, kinds of activity or deal stages that count
    field: str = ""                                  # the CRM's field, for the rules date_field and score
    at_least: float | None = None                    # the score from which a person is in the stage


@dataclass(frozen=True)
class Hours:
    """When sales is open: days of the week (0 = Monday), local times, and whose public holidays are kept."""

    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    opens: str = "08:00"
    closes: str = "16:00"
    country: str = "FI"                              # "": no public holidays
    region: str = ""


@dataclass(frozen=True)
class Promise:
    """What one side promised the other about a stage: so many people in a period, or an answer in time."""

    by: str
    stage: str
    per: str
    n: int | None = None                             # people entering the stage, promised by marketing
    value: float | None = None                       # what they are worth, money
    within_hours: float | None = None                # business hours to the first contact, promised by sales
    attempts: int | None = None
    within_days: float | None = None                 # calendar days for those attempts
    share: float | None = None                       # of the people, 0-1


STAGES = (
    Stage("lead", "marketing", "lead_created", ("Open", "New", "Open - Not Contacted", "Recycled", "Nurture")),
    Stage("mql", "marketing", "lead_status", ("Marketing Qualified", "MQL")),
    Stage("sql", "sales", "lead_status", ("Sales Qualified", "SQL")),
    Stage("opportunity", "sales", "opportunity_created"),
    Stage("customer", "sales", "opportunity_won"),
)
DISQUALIFIED = ("Disqualified", "Unqualified", "Closed - Not Converted")
BANDS = {"warm": 40.0, "hot": 70.0}


@dataclass(frozen=True)
class Agreement:
    """What marketing and sales agreed on; the defaults stand where a company has agreed on nothing."""

    company: str = ""
    time_zone: str = "UTC"
    currency: str | None = None                      # the one currency of every table; None: the export's only one
    rates: dict[str, float] = field(default_factory=dict)    # units of a currency for one of ours
    contribution_margin: float | None = None         # 0-1
    instance_url: str = ""                           # of the CRM, for links
    touches: str = "responses"
    stages: tuple[Stage, ...] = STAGES
    plan: dict[str, dict[str, float]] = field(default_factory=dict)    # month → planned figure → amount
    disqualified: tuple[str, ...] = DISQUALIFIED     # the lead statuses by which a person is out
    hours: Hours = Hours()
    promises: tuple[Promise, ...] = ()
    fiscal_year_starts: int = 1                      # the month, 1-12
    targets: dict[str, float] = field(default_factory=dict)            # fiscal year → revenue
    bands: dict[str, float] = field(default_factory=BANDS.copy)        # the score from which a person is warm, hot

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Name the stages, in order."""
        return tuple(stage.name for stage in self.stages)

    @property
    def person_stages(self) -> tuple[str, ...]:
        """Name the stages that people enter."""
        return tuple(stage.name for stage in self.stages if stage.rule not in DEAL_RULES)

    @property
    def deal_stages(self) -> tuple[str, ...]:
        """Name the stages that deals enter."""
        return tuple(stage.name for stage in self.stages if stage.rule in DEAL_RULES)

    @property
    def won_stage(self) -> str:
        """Name the stage that a won deal reaches."""
        return next(stage.name for stage in self.stages if stage.rule == "opportunity_won")

    def find_stage(self, name: str) -> Stage:
        """Find a stage by its name.

        Raises ValueError, naming the stages there are, when there is none of that name.

        >>> Agreement().find_stage("sql").owner
        'sales'
        """
        check_choice("stage", name, self.stage_names)
        return self.stages[self.stage_names.index(name)]

    def stage_after(self, name: str) -> str:
        """Name the stage after another; after the last one there is none but itself.

        >>> Agreement().stage_after("mql")
        'sql'
        """
        return self.stage_names[min(self.stage_names.index(name) + 1, len(self.stages) - 1)]

    def period_days(self, period: str, month: str) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Give the first and last day of the month, or of the fiscal quarter or year, that holds a month.

        Raises ValueError when it is no such period, or no such month.

        >>> [str(day.date()) for day in Agreement(fiscal_year_starts=2).period_days("quarter", "2026-01")]
        ['2025-11-01', '2026-01-31']
        """
        n_months = PERIODS[check_choice("period", period, tuple(PERIODS))]
        asked = pd.Period(month_days(month)[0], "M")
        first = asked - (asked.month - self.fiscal_year_starts) % n_months
        return _period_days(first)[0], _period_days(first + n_months - 1)[1]

    def fiscal_year(self, month: str) -> str:
        """Name the fiscal year of a month for the calendar year in which it ends.

        Raises ValueError when it is no such month.

        >>> Agreement(fiscal_year_starts=4).fiscal_year("2026-10")
        '2027'
        """
        return str(self.period_days("year", month)[1].year)

    def start_of(self, days: pd.Series) -> pd.Series:
        """Give the first moment (UTC) of each local day.

        >>> Agreement(time_zone="Europe/Helsinki").start_of(pd.Series(pd.to_datetime(["2026-10-31"])))[0]
        Timestamp('2026-10-30 22:00:00+0000', tz='UTC')
        """
        local = days.dt.tz_localize(self.time_zone, ambiguous=True, nonexistent="shift_forward")
        return local.dt.tz_convert("UTC").astype("datetime64[us, UTC]")

    def end_of(self, days: pd.Series) -> pd.Series:
        """Give the last microsecond (UTC) of each local day.

        >>> Agreement(time_zone="Europe/Helsinki").end_of(pd.Series(pd.to_datetime(["2026-10-31"])))[0]
        Timestamp('2026-10-31 21:59:59.999999+0000', tz='UTC')
        """
        return self.start_of(days + pd.Timedelta(days=1)) - pd.Timedelta(microseconds=1)

    def day_of(self, moments: pd.Series) -> pd.Series:
        """Give the local calendar day of each moment.

        >>> Agreement(time_zone="Europe/Helsinki").day_of(pd.Series(pd.to_datetime(["2026-10-31 22:30+00:00"])))[0]
        Timestamp('2026-11-01 00:00:00')
        """
        return moments.dt.tz_convert(self.time_zone).dt.tz_localize(None).dt.normalize().astype("datetime64[us]")

    def local_day(self, moment: pd.Timestamp) -> pd.Timestamp:
        """Give the local calendar day of one moment."""
        return self.day_of(pd.Series([moment]))[0]

    def month_end(self, month: str) -> pd.Timestamp:
        """Give the last microsecond (UTC) of a month written "2026-10".

        Raises ValueError when it is not such a month.

        >>> Agreement(time_zone="Europe/Helsinki").month_end("2026-10")
        Timestamp('2026-10-31 21:59:59.999999+0000', tz='UTC')
        """
        return self.end_of(pd.Series([month_days(month)[1]]))[0]


def month_days(month: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Give the first and last day of a month written "2026-10".

    Raises ValueError when it is not such a month.

    >>> month_days("2026-02")[1]
    Timestamp('2026-02-28 00:00:00')
    """
    if not (isinstance(month, str) and re.fullmatch("(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])", month)):
        raise ValueError(f"month: {month!r} is not a month like '2026-10'")
    return _period_days(pd.Period(month, "M"))


def _period_days(period: pd.Period) -> tuple[pd.Timestamp, pd.Timestamp]:
    return period.start_time.as_unit("us"), period.end_time.normalize().as_unit("us")


def check_choice(key: str, value: str, choices: tuple[str, ...]) -> str:
    """Give back a value that is one of the choices.

    Raises ValueError, naming the key and the choices, when it is none of them.

    >>> check_choice("touches.count", "clicks", ("responses", "memberships"))
    Traceback (most recent call last):
    ValueError: touches.count: 'clicks' is not one of responses, memberships
    """
    if value not in tuple(choices):                  # what TOML holds may be a list, which no dict can look up
        raise ValueError(f"{key}: {value!r} is not one of {', '.join(choices)}")
    return value


def list_places(stages: tuple[Stage, ...], rule: str) -> list[tuple[str, str]]:
    """List the values of the stages whose rule's name begins so, each with its place in `agreement.toml`.

    >>> list_places((Stage("mql", "marketing", "lead_status", ("MQL",)),), "lead")
    [('MQL', 'stages[1].values')]
    """
    return [(value, f"stages[{i}].values") for i, stage in enumerate(stages, 1) if stage.rule.startswith(rule)
            for value in stage.values]
