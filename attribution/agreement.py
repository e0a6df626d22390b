"""The company's own definitions, read from `agreement.toml`: stages, promises, hours, currency, margin, plan."""

import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from attribution.tables import CRM, is_in

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
SIDES = ("marketing", "sales")
PERIODS = {"month": 1, "quarter": 3, "year": 12}     # months in each
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
        _one_of("stage", name, self.stage_names)
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
        n_months = PERIODS[_one_of("period", period, tuple(PERIODS))]
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


def read_agreement(path: str | Path) -> Agreement:
    """Read `agreement.toml`: the file itself, the one in a data folder, or the one beside a ZIP.

    Returns the agreement, with defaults for what the file does not say.
    Raises ValueError that names the file, the key and what it may be.
    """
    data, path = Path(path), find_beside(path, "agreement.toml")
    if data != path and not data.exists():
        raise ValueError(f"{data}: there is no such folder or ZIP. Name the folder with the export's CSV files")
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file. Draft one from the export: "
                         f"attribution agreement init --data {data}")
    try:
        return parse_agreement(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def find_beside(data: str | Path, name: str) -> Path:
    """Name a file of ours among the data: in the folder, or beside the ZIP; a file of that kind is itself.

    >>> find_beside("exports/october.zip", "spend.csv").as_posix()
    'exports/spend.csv'
    """
    data = Path(data)
    if data.suffix == Path(name).suffix:
        return data
    return (data.parent if data.suffix.lower() == ".zip" else data) / name


def parse_agreement(said: dict) -> Agreement:
    """Check what the file says, key by key, and make the agreement.

    Raises ValueError that names the key.

    >>> parse_agreement({"company": {"contribution_margin": 60}})
    Traceback (most recent call last):
    ValueError: company.contribution_margin: 60 is not a share between 0 and 1
    """
    _known(said, "", ("company", "touches", "rates", "stages", "plan", "disqualified", "hours", "promises", "targets",
                      "bands"))
    stages = _stages(said["stages"]) if "stages" in said else STAGES
    return Agreement(
        **_company(said.get("company", {})), **_touches(said.get("touches", {})),
        rates={_currency("rates", code): _positive(f"rates.{code}", rate)
               for code, rate in _table("rates", said.get("rates", {})).items()},
        stages=stages,
        plan={month: _plan(month, planned) for month, planned in _table("plan", said.get("plan", {})).items()},
        disqualified=_disqualified(said.get("disqualified"), stages),
        hours=_hours(said.get("hours", {})),
        promises=_promises(said.get("promises", []), stages),
        targets={_year(year): _positive(f"targets.{year}", target)
                 for year, target in _table("targets", said.get("targets", {})).items()},
        bands=_bands(said.get("bands", {})),
    )


def _company(said: dict) -> dict:
    _known(said, "company.", ("name", "time_zone", "currency", "contribution_margin", "instance_url",
                              "fiscal_year_starts"))
    return {"company": _text("company.name", said.get("name", "")),
            "time_zone": _time_zone(said.get("time_zone", "UTC")),
            "currency": _currency("company.currency", said.get("currency")),
            "contribution_margin": _share("company.contribution_margin", said.get("contribution_margin")),
            "instance_url": _https("company.instance_url", said.get("instance_url", "")),
            "fiscal_year_starts": _month("company.fiscal_year_starts", said.get("fiscal_year_starts", 1))}


def _touches(said: dict) -> dict:
    _known(said, "touches.", ("count",))
    return {"touches": _one_of("touches.count", said.get("count", "responses"), TOUCHES)}


def _known(said: dict, where: str, keys: tuple[str, ...]) -> None:
    for key in _table(where.rstrip("."), said):
        _one_of(where.rstrip(".") or "agreement", key, keys)


def _table(key: str, value) -> dict:
    if not isinstance(value, dict):
        raise ValueError(f"{key}: {value!r} is not a table")
    return value


def _text(key: str, value) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{key}: {value!r} is not text")
    return value


def _one_of(key: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{key}: {value!r} is not one of {', '.join(choices)}")
    return value


def _time_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        raise ValueError(f"company.time_zone: {name!r} is not a time zone like 'Europe/Helsinki'") from None


def _currency(key: str, code: str | None) -> str | None:
    if code is not None and not re.fullmatch("[A-Z]{3}", str(code)):
        raise ValueError(f"{key}: {code!r} is not a currency code like 'EUR'")
    return code


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _positive(key: str, value) -> float:
    if not (_is_number(value) and 0 < value < float("inf")):
        raise ValueError(f"{key}: {value!r} is not a positive number")
    return float(value)


def _whole(key: str, value) -> int:
    if not (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        raise ValueError(f"{key}: {value!r} is not a whole number above 0")
    return value


def _month(key: str, value) -> int:
    if not (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 12):
        raise ValueError(f"{key}: {value!r} is not a month from 1 to 12")
    return value


def _year(year: str) -> str:
    if not re.fullmatch("(19|20|21)[0-9]{2}", year):
        raise ValueError(f"targets: {year!r} is not a fiscal year like '2026'")
    return year


def _texts(key: str, value, advice: str) -> tuple[str, ...]:
    if not (isinstance(value, list) and all(isinstance(text, str) for text in value)):
        raise ValueError(f"{key}: {advice}")
    return tuple(value)


def _share(key: str, value) -> float | None:
    if value is not None and not (_is_number(value) and 0 <= value <= 1):
        raise ValueError(f"{key}: {value!r} is not a share between 0 and 1")
    return value


def _https(key: str, value: str) -> str:
    if value and not re.fullmatch(r"https://[A-Za-z0-9.-]+/?", str(value)):
        raise ValueError(f"{key}: {value!r} is not an address like 'https://example.my.salesforce.com'")
    return value.rstrip("/")


def _listed(key: str, said) -> list:
    if not isinstance(said, list):
        raise ValueError(f"{key}: {said!r} is not a list of {key}, each under [[{key}]]")
    return said


def _stages(said) -> tuple[Stage, ...]:
    if not said:
        raise ValueError(f"stages: {said!r} is not a list of stages, each under [[stages]]")
    stages = tuple(_stage(f"stages[{i}].", stage) for i, stage in enumerate(_listed("stages", said), 1))
    for i, stage in enumerate(stages):
        if stage.name in {earlier.name for earlier in stages[:i]}:
            raise ValueError(f"stages: {stage.name!r} stands more than once")
    _check_order(stages)
    _check_once(_places(stages, "lead"), "lead status")
    _check_once(_places(stages, "opportunity_stage"), "deal stage")
    return stages


def _check_order(stages: tuple[Stage, ...]) -> None:
    for stage, later in pairwise(stages):
        if RULES[stage.rule] > RULES[later.rule]:
            raise ValueError(f"stages: their rules must come in the order {', '.join(RULES)} (lead_status to activity "
                             f"in any order among them); {stage.name!r} stands before {later.name!r}")
    count = Counter(stage.rule for stage in stages)
    if count["opportunity_won"] != 1:
        raise ValueError(f"stages: one stage needs the rule opportunity_won, {count['opportunity_won']} have it")
    for rule in SINGLE_RULES:
        if count[rule] > 1:
            raise ValueError(f"stages: only one stage may have the rule {rule}, {count[rule]} have it")


def _places(stages: tuple[Stage, ...], rule: str) -> list[tuple[str, str]]:
    """List the statuses and where each stands, for the rules whose name begins so."""
    return [(value, f"stages[{i}].values") for i, stage in enumerate(stages, 1) if stage.rule.startswith(rule)
            for value in stage.values]


def _check_once(places: list[tuple[str, str]], what: str) -> None:
    first = {}
    for value, place in places:
        if first.setdefault(value, place) != place:
            raise ValueError(f"{place}: the {what} {value!r} stands in {first[value]} too")


#: The values by which a rule tells a stage, and an example.
_VALUES = {"lead_created": ("lead statuses", "Open"), "lead_status": ("lead statuses", "MQL"),
           "activity": ("kinds of activity", "call"), "opportunity_stage": ("deal stages", "Proposal")}
_TAKES = {rule: ("values",) for rule in _VALUES} | {"date_field": ("field",), "score": ("field", "at_least")}


def _stage(where: str, said: dict) -> Stage:
    _known(said, where, ("name", "owner", "rule", "values", "field", "at_least"))
    _needs(said, where, ("name", "owner", "rule"))
    if _text(f"{where}name", said["name"]).strip().lower().removesuffix("s") in RESERVED:
        raise ValueError(f"{where}name: {said['name']!r} already means something else in the reports; choose another")
    rule = _one_of(f"{where}rule", said["rule"], tuple(RULES))
    takes = _TAKES.get(rule, ())
    _takes(said, where, ("name", "owner", "rule", *takes), f"the rule {rule}")
    _needs(said, where, [key for key in takes if key != "values"])
    return Stage(said["name"], _one_of(f"{where}owner", said["owner"], SIDES), rule,
                 _values(where, said, rule) if "values" in takes else (), _text(f"{where}field", said.get("field", "")),
                 _positive(f"{where}at_least", said["at_least"]) if "at_least" in takes else None)


def _values(where: str, said: dict, rule: str) -> tuple[str, ...]:
    what, example = _VALUES[rule]
    advice = f'name the {what} that count as {said["name"]!r}, as in ["{example}"]'
    values = _texts(f"{where}values", said.get("values", []), advice)
    if rule != "lead_created" and not values:
        raise ValueError(f"{where}values: {advice}")
    return tuple(_one_of(f"{where}values", value, KINDS) for value in values) if rule == "activity" else values


def _needs(said: dict, where: str, keys) -> None:
    for key in keys:
        if said.get(key, "") == "":
            raise ValueError(f"{where}{key}: is missing")


def _takes(said: dict, where: str, keys: tuple[str, ...], who: str) -> None:
    for key in said:
        if key not in keys:
            raise ValueError(f"{where}{key}: {who} takes none; it takes {', '.join(keys)}")


def _disqualified(said, stages: tuple[Stage, ...]) -> tuple[str, ...]:
    """Take the statuses said; by default those that no stage has taken."""
    places = _places(stages, "lead")
    if said is None:
        return tuple(value for value in DISQUALIFIED if value not in dict(places))
    _known(said, "disqualified.", ("values",))
    values = _texts("disqualified.values", said.get("values", []), 'name the lead statuses, as in ["Disqualified"]')
    _check_once([*places, *((value, "disqualified.values") for value in values)], "lead status")
    return values


def _hours(said: dict) -> Hours:
    _known(said, "hours.", ("days", "opens", "closes", "holidays"))
    usual = Hours()
    opens, closes = (_time(f"hours.{key}", said.get(key, getattr(usual, key))) for key in ("opens", "closes"))
    if closes <= opens:
        raise ValueError(f"hours.closes: {closes!r} is not after hours.opens")
    days = _texts("hours.days", said.get("days", list(WEEK[:5])), 'name the days of the week, as in ["Mon", "Tue"]')
    if not days:
        raise ValueError("hours.days: on one day at least sales must be open")
    numbers = {WEEK.index(_one_of("hours.days", day, WEEK)) for day in days}
    country, region = _holidays(said["holidays"]) if "holidays" in said else (usual.country, usual.region)
    return Hours(tuple(sorted(numbers)), opens, closes, country, region)


def _time(key: str, value) -> str:
    if not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]|24:00", str(value)):
        raise ValueError(f"{key}: {value!r} is not a time like '08:00'")
    return value


def _holidays(said) -> tuple[str, str]:
    if said == "none":
        return "", ""
    import holidays
    country, _, region = _text("hours.holidays", said).partition("-")
    try:
        regions = holidays.country_holidays(country).subdivisions
    except NotImplementedError:
        raise ValueError(f"hours.holidays: {said!r} is not a country that the holidays package knows") from None
    if region:
        _one_of(f"hours.holidays: {said!r}: region", region, regions)
    return country, region


#: What each side promises beside the stage and the period.
_PROMISED = {"marketing": ("n", "value"), "sales": ("within_hours", "attempts", "within_days", "share")}


def _promises(said, stages: tuple[Stage, ...]) -> tuple[Promise, ...]:
    promises = tuple(_promise(f"promises[{i}].", promise, stages)
                     for i, promise in enumerate(_listed("promises", said), 1))
    for promise, n in Counter((each.by, each.stage, each.per) for each in promises).items():
        if n > 1:
            raise ValueError("promises: by {} on {!r} per {} stands more than once".format(*promise))
    return promises


def _promise(where: str, said: dict, stages: tuple[Stage, ...]) -> Promise:
    _known(said, where, ("by", "stage", "per", *_PROMISED["marketing"], *_PROMISED["sales"]))
    _needs(said, where, ("by", "stage", "per"))
    by = _one_of(f"{where}by", said["by"], SIDES)
    _takes(said, where, ("by", "stage", "per", *_PROMISED[by]), f"a promise by {by}")
    names = [stage.name for stage in stages if by == "marketing" or stage.rule not in DEAL_RULES]
    return Promise(by, _one_of(f"{where}stage", said["stage"], names), _one_of(f"{where}per", said["per"], PERIODS),
                   **_CHECKS[by](said, where))


def _by_marketing(said: dict, where: str) -> dict:
    _needs(said, where, ("n",))
    return {"n": _whole(f"{where}n", said["n"]), "value": _if_said(said, where, "value", _positive)}


def _by_sales(said: dict, where: str) -> dict:
    if ("attempts" in said) != ("within_days" in said) or not {"within_hours", "attempts"} & said.keys():
        raise ValueError(f"{where.rstrip('.')}: a promise by sales needs within_hours, or attempts and within_days "
                         "together, or all three")
    share = _share(f"{where}share", said.get("share", 1.0))
    return {"within_hours": _if_said(said, where, "within_hours", _positive),
            "attempts": _if_said(said, where, "attempts", _whole),
            "within_days": _if_said(said, where, "within_days", _positive),
            "share": _positive(f"{where}share", share)}


_CHECKS = {"marketing": _by_marketing, "sales": _by_sales}


def _if_said(said: dict, where: str, key: str, check):
    return check(f"{where}{key}", said[key]) if key in said else None


def _bands(said: dict) -> dict[str, float]:
    _known(said, "bands.", tuple(BANDS))
    bands = {name: _positive(f"bands.{name}", said.get(name, usual)) for name, usual in BANDS.items()}
    if not bands["warm"] < bands["hot"] <= 100:
        raise ValueError(f"bands: warm ({bands['warm']:g}) must be below hot ({bands['hot']:g}), and hot at most 100")
    return bands


def _plan(month: str, planned: dict) -> dict[str, float]:
    month_days(month)
    _known(planned, f"plan.{month}.", PLANNED)
    return {figure: _positive(f"plan.{month}.{figure}", amount) for figure, amount in planned.items()}


#: How a status is told from its name; the first that fits.
_GUESSES = {"disqualified": r"disqualif|unqualif|not.?(converted|qualified)",
            "mql": r"\bmql\b|marketing.?(qualified|accepted)",
            "sql": r"\bsql\b|sales.?(qualified|accepted)|^qualified$",
            "lead": r"\b(open|new|recycled|nurtur(e|ing)|not contacted)\b"}


def draft_agreement(crm: CRM, currencies: list[str]) -> str:
    """Draft the text of `agreement.toml` from what an export says: its currencies and its lead statuses.

    Returns TOML with every guess marked for a person to check.
    """
    statuses = sorted(set(_had(crm, "lead")))
    guesses = [next((guess for guess, words in _GUESSES.items() if re.search(words, status, re.IGNORECASE)), "")
               for status in statuses]
    values = {guess: [status for status, guessed in zip(statuses, guesses, strict=True) if guessed == guess]
              for guess in _GUESSES}
    stages = "\n".join(_draft_stage(stage, values.get(stage.name, [])) for stage in STAGES
                       if stage.rule != "lead_status" or values[stage.name])
    rates = [f"# {code} = 1.0           # units of {code} for one {currencies[0]}" for code in currencies[1:]]
    rates = ["", "[rates]                        # set each, or export CurrencyType.csv", *rates, ""] if rates else []
    return _DRAFT.format(currency=currencies[0] if currencies else "EUR", mark="" if currencies else "# ",
                         rates="\n".join(rates), stages=stages, statuses=_quote_all(statuses) or "none",
                         out="" if values["disqualified"] else "# ",
                         disqualified=_quote_all(values["disqualified"] or DISQUALIFIED))


def _draft_stage(stage: Stage, values: list[str]) -> str:
    lines = ["[[stages]]", f"name = {_quote(stage.name)}", f"owner = {_quote(stage.owner)}",
             f"rule = {_quote(stage.rule)}"]
    return "\n".join(lines + [f"values = [{_quote_all(values)}]"] * bool(values)) + "\n"


def _quote_all(texts) -> str:
    return ", ".join(map(_quote, texts))


def _quote(text: str) -> str:
    escaped = re.sub(r'["\\]', r"\\\g<0>", text)
    return '"' + re.sub(r"[\x00-\x1f\x7f]", " ", escaped) + '"'


_DRAFT = """\
# Drafted from the export. Check every line with marketing and sales, then delete this one.

[company]
name = ""
time_zone = "UTC"              # where a day begins and ends, such as "Europe/Helsinki"
{mark}currency = "{currency}"               # every figure is in this currency
# contribution_margin = 0.6    # share of revenue that remains after variable costs; ROMI needs it
# instance_url = "https://example.my.salesforce.com"    # ids in reports link to it
# fiscal_year_starts = 1       # the month, 1 to 12

{rates}
[touches]
count = "responses"            # or "memberships": being on the list is enough

# Lead statuses seen: {statuses}
{stages}
# By these a lead is out.
{out}[disqualified]
{out}values = [{disqualified}]

# [hours]                      # when sales answers
# days = ["Mon", "Tue", "Wed", "Thu", "Fri"]
# opens = "08:00"
# closes = "16:00"
# holidays = "FI"              # a country, or one of its regions as in "DE-BY", or "none"

# [[promises]]                 # marketing: so many people in a stage per month, quarter or year
# by = "marketing"
# stage = "mql"
# per = "month"
# n = 100

# [[promises]]                 # sales: an answer in time
# by = "sales"
# stage = "mql"
# per = "month"
# within_hours = 16            # business hours to the first contact
# attempts = 2
# within_days = 14             # calendar days for that many attempts
# share = 0.8                  # of the people

# [targets]                    # revenue by fiscal year
# "2026" = 4000000

# [bands]                      # the score from which a person is warm, hot
# warm = 40
# hot = 70

# [plan."2026-10"]
# won_value = 250000
# n_mqls = 120
"""


def check_agreement(crm: CRM, agreement: Agreement) -> pd.DataFrame:
    """List what to look at in an agreement, held against an export.

    Returns one row per thing: key (the place in the file), finding: lead statuses and deal stages that it does not
    name, values that nobody ever had (the defaults apart), and what is not set. No rows: there is nothing to say.
    """
    findings = [*_list_unnamed(crm, agreement), *_list_unseen(crm, agreement), *_list_unset(crm, agreement)]
    return pd.DataFrame(findings, columns=["key", "finding"], dtype="str")


def _had(crm: CRM, record_type: str) -> pd.Series:
    """List the statuses of leads, or the stages of deals: one for each record that has, or had, it."""
    now = {"lead": crm.people[["lead_id", "status"]], "opportunity": crm.opportunities[["opportunity_id", "stage"]]}
    changes = crm.stage_changes[crm.stage_changes["record_type"] == record_type]
    parts = [now[record_type], changes[["record_id", "stage"]], changes[["record_id", "from_stage"]]]
    return pd.concat([part.set_axis(["id", "stage"], axis=1) for part in parts]).dropna().drop_duplicates()["stage"]


def _list_unnamed(crm: CRM, agreement: Agreement) -> list[tuple[str, str]]:
    """Count who had a status, or a stage, that no rule names and that is not the end: conversion, or a closed deal."""
    is_converted, is_closed = crm.people["converted_on"].notna(), crm.opportunities["is_closed"]
    ends = set(crm.people.loc[is_converted, "status"]) - set(crm.people.loc[~is_converted, "status"])
    statuses = _count_others(_had(crm, "lead"), [*dict(_places(agreement.stages, "lead")), *agreement.disqualified,
                                                 *ends])
    named = [*dict(_places(agreement.stages, "opportunity_stage"))]
    stages = _count_others(_had(crm, "opportunity"), [*named, *crm.opportunities.loc[is_closed, "stage"]])
    return [("stages", f"the lead status {status!r} is in no stage and not disqualified (leads that had it: {n:,})")
            for status, n in statuses.items()] + [
        ("stages", f"the deal stage {stage!r} is in no stage (deals that had it: {n:,})")
        for stage, n in stages.items()] * bool(named)


def _count_others(had: pd.Series, named: list[str]) -> pd.Series:
    others = had[~is_in(had, pd.Series(named, dtype="str"))]
    return others.value_counts().sort_index().sort_values(ascending=False, kind="stable")


def _list_unseen(crm: CRM, agreement: Agreement) -> list[tuple[str, str]]:
    """Name the values that nothing in the export ever had: a slip, or a lost history. Defaults are no slip."""
    stages = tuple(Stage("", "", "") if stage in STAGES else stage for stage in agreement.stages)
    out = [] if agreement.disqualified == DISQUALIFIED else [
        (value, "disqualified.values") for value in agreement.disqualified]
    named = {"status": ("lead", _places(stages, "lead") + out, _had(crm, "lead")),
             "stage": ("deal", _places(stages, "opportunity_stage"), _had(crm, "opportunity")),
             "kind": ("activity", _places(stages, "activity"), crm.activities["kind"])}
    return [(place, f"no {who} ever had the {what} {value!r}") for what, (who, places, had) in named.items()
            for value, place in places if value not in set(had)]


def _list_unset(crm: CRM, agreement: Agreement) -> list[tuple[str, str]]:
    year = agreement.fiscal_year(f"{agreement.local_day(crm.as_of):%Y-%m}")
    unset = [("promises", f"there is none by {side}") for side in SIDES
             if side not in [promise.by for promise in agreement.promises]]
    unset += [("targets", f"there is none for the fiscal year {year}")] * (year not in agreement.targets)
    return unset + [("company.currency", "neither it nor the export says which currency money is in")] * (
        crm.currency == "XXX")
