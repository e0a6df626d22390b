"""The company's own definitions, read from `agreement.toml`: stages, time zone, currency, margin, plan."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from attribution.tables import CRM

RULES = ("lead_created", "lead_status", "opportunity_created", "opportunity_won")
#: What the reports count themselves.
RESERVED = ("", "deal", "people", "person", "response", "conversion", "touch", "campaign", "new_customer")
TOUCHES = ("responses", "memberships")
PLANNED = ("won_value", "cost", "n_leads", "n_mqls", "n_sqls", "n_opportunities")


@dataclass(frozen=True)
class Stage:
    """A stage of the funnel: its name, who owns it, and the rule that dates its entries."""

    name: str
    owner: str
    rule: str
    values: tuple[str, ...] = ()                     # the lead statuses that count, for rule lead_status


STAGES = (
    Stage("lead", "marketing", "lead_created"),
    Stage("mql", "marketing", "lead_status", ("Marketing Qualified", "MQL")),
    Stage("sql", "sales", "lead_status", ("Sales Qualified", "SQL")),
    Stage("opportunity", "sales", "opportunity_created"),
    Stage("customer", "sales", "opportunity_won"),
)


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

    @property
    def won_stage(self) -> str:
        """Name the stage that a won deal reaches."""
        return next(stage.name for stage in self.stages if stage.rule == "opportunity_won")

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
    period = pd.Period(month, "M")
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
    _known(said, "", ("company", "touches", "rates", "stages", "plan"))
    company = said.get("company", {})
    _known(company, "company.", ("name", "time_zone", "currency", "contribution_margin", "instance_url"))
    touches = said.get("touches", {})
    _known(touches, "touches.", ("count",))
    return Agreement(
        company=_text("company.name", company.get("name", "")),
        time_zone=_time_zone(company.get("time_zone", "UTC")),
        currency=_currency("company.currency", company.get("currency")),
        rates={_currency("rates", code): _positive(f"rates.{code}", rate)
               for code, rate in _table("rates", said.get("rates", {})).items()},
        contribution_margin=_share("company.contribution_margin", company.get("contribution_margin")),
        instance_url=_https("company.instance_url", company.get("instance_url", "")),
        touches=_one_of("touches.count", touches.get("count", "responses"), TOUCHES),
        stages=_stages(said["stages"]) if "stages" in said else STAGES,
        plan={month: _plan(month, planned) for month, planned in _table("plan", said.get("plan", {})).items()},
    )


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


def _share(key: str, value) -> float | None:
    if value is not None and not (_is_number(value) and 0 <= value <= 1):
        raise ValueError(f"{key}: {value!r} is not a share between 0 and 1")
    return value


def _https(key: str, value: str) -> str:
    if value and not re.fullmatch(r"https://[A-Za-z0-9.-]+/?", str(value)):
        raise ValueError(f"{key}: {value!r} is not an address like 'https://example.my.salesforce.com'")
    return value.rstrip("/")


def _stages(said) -> tuple[Stage, ...]:
    if not (isinstance(said, list) and said):
        raise ValueError(f"stages: {said!r} is not a list of stages, each under [[stages]]")
    stages = tuple(_stage(f"stages[{i}].", stage) for i, stage in enumerate(said, 1))
    for i, stage in enumerate(stages):
        if stage.name in {earlier.name for earlier in stages[:i]}:
            raise ValueError(f"stages: {stage.name!r} stands more than once")
    order = [RULES.index(stage.rule) for stage in stages]
    if order != sorted(order):
        raise ValueError(f"stages: their rules must come in the order {', '.join(RULES)}")
    n_won = sum(stage.rule == "opportunity_won" for stage in stages)
    if n_won != 1:
        raise ValueError(f"stages: one stage needs the rule opportunity_won, {n_won} have it")
    return stages


def _stage(where: str, said: dict) -> Stage:
    _known(said, where, ("name", "owner", "rule", "values"))
    for key in ("name", "owner", "rule"):
        if not isinstance(said.get(key), str):
            raise ValueError(f"{where}{key}: is missing")
    if said["name"].strip().lower().removesuffix("s") in RESERVED:
        raise ValueError(f"{where}name: {said['name']!r} already means something else in the reports; choose another")
    rule = _one_of(f"{where}rule", said["rule"], RULES)
    values = said.get("values", [])
    if not (isinstance(values, list) and all(isinstance(value, str) for value in values)) or (
            rule == "lead_status" and not values):
        raise ValueError(f"{where}values: name the lead statuses that count as {said['name']!r}, as in [\"MQL\"]")
    return Stage(said["name"], _one_of(f"{where}owner", said["owner"], ("marketing", "sales")), rule, tuple(values))


def _plan(month: str, planned: dict) -> dict[str, float]:
    month_days(month)
    _known(planned, f"plan.{month}.", PLANNED)
    return {figure: _positive(f"plan.{month}.{figure}", amount) for figure, amount in planned.items()}


_GUESSES = {"mql": r"\bmql\b|marketing.?(qualified|accepted)",
            "sql": r"\bsql\b|sales.?(qualified|accepted)|^qualified$"}


def draft_agreement(crm: CRM, currencies: list[str]) -> str:
    """Draft the text of `agreement.toml` from what an export says: its currencies and its lead statuses.

    Returns TOML with every guess marked for a person to check.
    """
    seen = pd.concat([crm.people["status"], crm.stage_changes.query("record_type == 'lead'")["stage"]])
    statuses = seen.dropna().drop_duplicates().sort_values().tolist()
    values = {stage: [status for status in statuses if re.search(pattern, status, re.IGNORECASE)]
              for stage, pattern in _GUESSES.items()}
    stages = "\n".join(_draft_stage(stage, values.get(stage.name, [])) for stage in STAGES
                       if stage.rule != "lead_status" or values[stage.name])
    rates = [f"# {code} = 1.0           # units of {code} for one {currencies[0]}" for code in currencies[1:]]
    rates = ["", "[rates]                        # set each, or export CurrencyType.csv", *rates, ""] if rates else []
    return _DRAFT.format(currency=currencies[0] if currencies else "EUR", mark="" if currencies else "# ",
                         rates="\n".join(rates), stages=stages, statuses=", ".join(map(_quote, statuses)) or "none")


def _draft_stage(stage: Stage, values: list[str]) -> str:
    lines = ["[[stages]]", f"name = {_quote(stage.name)}", f"owner = {_quote(stage.owner)}",
             f"rule = {_quote(stage.rule)}"]
    return "\n".join(lines + [f"values = [{', '.join(map(_quote, values))}]"] * bool(values)) + "\n"


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

{rates}
[touches]
count = "responses"            # or "memberships": being on the list is enough

# Lead statuses seen: {statuses}
{stages}
# [plan."2026-10"]
# won_value = 250000
# n_mqls = 120
"""
