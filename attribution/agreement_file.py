"""`agreement.toml` read into an agreement, every key of it checked."""

import re
import reprlib
import tomllib
from collections import Counter
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from attribution.agreement import (
    BANDS,
    DEAL_RULES,
    DISQUALIFIED,
    KINDS,
    PERIODS,
    PLANNED,
    RESERVED,
    RULES,
    SIDES,
    SINGLE_RULES,
    STAGES,
    TOUCHES,
    WEEK,
    Agreement,
    Hours,
    Promise,
    Stage,
    check_choice,
    list_places,
    month_days,
)


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
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not in UTF-8: save it as UTF-8") from None
    except RecursionError:
        raise ValueError(f"{path}: is nested too deep to be read") from None
    except ValueError as error:
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
    return {"touches": check_choice("touches.count", said.get("count", "responses"), TOUCHES)}


def _known(said: dict, where: str, keys: tuple[str, ...]) -> None:
    for key in _table(where.rstrip("."), said):
        check_choice(where.rstrip(".") or "agreement", key, keys)


def _table(key: str, value) -> dict:
    if not isinstance(value, dict):
        raise ValueError(f"{key}: {value!r} is not a table")
    return value


def _text(key: str, value) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{key}: {value!r} is not text")
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


def _positive(key: str, value, at_most: float = 1e12) -> float:
    if not (_is_number(value) and 0 < value < float("inf")):
        raise ValueError(f"{key}: {value!r} is not a positive number")
    return float(_bounded(key, value, at_most))


def _whole(key: str, value, at_most: float) -> int:
    if not (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        raise ValueError(f"{key}: {value!r} is not a whole number above 0")
    return _bounded(key, value, at_most)


def _bounded(key: str, value, at_most: float):
    if value > at_most:
        raise ValueError(f"{key}: {reprlib.repr(value)} is more than {at_most:,.0f}")
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
    if value != "" and not re.fullmatch(r"https://[A-Za-z0-9.-]+/?", str(value)):
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
    _check_names([stage.name for stage in stages])
    _check_order(stages)
    _check_once(list_places(stages, "lead"), "lead status")
    _check_once(list_places(stages, "opportunity_stage"), "deal stage")
    return stages


def _check_names(names: list[str]) -> None:
    first = {}
    for name in names:
        earlier = first.get(name.casefold())
        if earlier is not None:
            raise ValueError(f"stages: {name!r} stands more than once" if name == earlier else
                             f"stages: {earlier!r} and {name!r} differ only in capitals")
        first[name.casefold()] = name


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
    rule = check_choice(f"{where}rule", said["rule"], tuple(RULES))
    takes = _TAKES.get(rule, ())
    _takes(said, where, ("name", "owner", "rule", *takes), f"the rule {rule}")
    _needs(said, where, [key for key in takes if key != "values"])
    return Stage(said["name"], check_choice(f"{where}owner", said["owner"], SIDES), rule,
                 _values(where, said, rule) if "values" in takes else (), _text(f"{where}field", said.get("field", "")),
                 _positive(f"{where}at_least", said["at_least"]) if "at_least" in takes else None)


def _values(where: str, said: dict, rule: str) -> tuple[str, ...]:
    what, example = _VALUES[rule]
    advice = f'name the {what} that count as {said["name"]!r}, as in ["{example}"]'
    values = _texts(f"{where}values", said.get("values", []), advice)
    if rule != "lead_created" and not values:
        raise ValueError(f"{where}values: {advice}")
    return tuple(check_choice(f"{where}values", value, KINDS) for value in values) if rule == "activity" else values


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
    places = list_places(stages, "lead")
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
    numbers = {WEEK.index(check_choice("hours.days", day, WEEK)) for day in days}
    country, region = _holidays(said["holidays"]) if "holidays" in said else (usual.country, usual.region)
    return Hours(tuple(sorted(numbers)), opens, closes, country, region)


def _time(key: str, value) -> str:
    if not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]|24:00", str(value)):
        raise ValueError(f"{key}: {value!r} is not a time like '08:00'")
    return value


def _holidays(said) -> tuple[str, str]:
    if said == "none":
        return "", ""
    from holidays import list_supported_countries
    country, dash, region = _text("hours.holidays", said).partition("-")
    if country not in list_supported_countries():
        raise ValueError(f"hours.holidays: {said!r} is not a country that the holidays package knows")
    regions = list_supported_countries()[country]
    if dash and not regions:
        raise ValueError(f"hours.holidays: {said!r}: the holidays package knows no regions of {country}")
    if dash:
        check_choice(f"hours.holidays: {said!r}: region", region, regions)
    return country, region


#: What each side promises beside the stage and the period.
_PROMISED = {"marketing": ("n", "value"), "sales": ("within_hours", "attempts", "within_days", "share")}
_AT_MOST = {"n": 1e9, "value": 1e12, "within_hours": 10_000, "attempts": 1_000, "within_days": 3_650}


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
    by = check_choice(f"{where}by", said["by"], SIDES)
    _takes(said, where, ("by", "stage", "per", *_PROMISED[by]), f"a promise by {by}")
    names = [stage.name for stage in stages if by == "marketing" or stage.rule not in DEAL_RULES]
    if not names:
        raise ValueError(f"{where}stage: a promise by sales takes a person's stage, and stages has none")
    stage = check_choice(f"{where}stage", said["stage"], names)
    return Promise(by, stage, check_choice(f"{where}per", said["per"], PERIODS), **_CHECKS[by](said, where))


def _by_marketing(said: dict, where: str) -> dict:
    _needs(said, where, ("n",))
    return {"n": _if_said(said, where, "n", _whole), "value": _if_said(said, where, "value", _positive)}


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
    return check(f"{where}{key}", said[key], _AT_MOST[key]) if key in said else None


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
