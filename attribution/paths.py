"""Paths: journeys that ended in a conversion, and those of accounts and people that were touched and did not convert.

A path is lost only when it has had time to convert: one with a touch younger than a minimum age is open, and what
follows that touch is left out, a conversion too. Successes are known sooner than failures: counting the one without the
other would make every fresh campaign look good. A path is open, too, while a deal of its account is: many deals close
long after their last touch.
"""

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from attribution.journeys import build_journeys
from attribution.tables import UTC, is_in, look_up

OUTCOMES = ("converted", "lost", "open")


def build_paths(touches: pd.DataFrame, conversions: pd.DataFrame, contact_roles: pd.DataFrame | None = None, *,
                as_of: pd.Timestamp, linking: str = "hybrid", lookback_days: float | None = 365, time_zone: str = "UTC",
                min_age_days: float = 90, fit_days: float = 730,
                pipeline: pd.DataFrame | None = None) -> pd.DataFrame:
    """List the paths of the last fit_days up to as_of, those that converted and those that did not.

    Returns the rows of build_journeys for the conversions that any touch reaches, with outcome "converted", and below
    them the same for each account (each person, where conversions are of people or a touch has no account) with
    touches after its last conversion that count for none, "lost". Such a path holds the touches of the look-back before
    its last one; its conversion_id is "account:<id>" or "person:<id>", its value 0. A person's touches up to a
    conversion that met the person, or that the person has a role in, are no failure of any account.
    `pipeline` are conversions to come (build_pipeline): the paths of their accounts, and of people with a role in
    them, are "open", not "lost". Of every kind, a path with touches younger than min_age_days ends at the first of them
    and is "open". What lies after as_of changes nothing.
    Raises what build_journeys raises, and ValueError for a negative number of days.

    >>> touches = pd.DataFrame({"touch_id": ["1", "2"], "person_id": ["Ann", "Bo"], "account_id": ["Acme", "Bolt"],
    ...     "campaign_id": "Ads", "touched_at": pd.to_datetime(["2026-03-01", "2026-03-08"], utc=True)})
    >>> deal = pd.DataFrame({"conversion_id": ["deal"], "account_id": "Acme", "person_id": None,
    ...     "converted_at": pd.to_datetime(["2026-03-09"], utc=True), "value": 100.0})
    >>> paths = build_paths(touches, deal, as_of=pd.Timestamp("2026-12-31", tz="UTC"))
    >>> paths[["conversion_id", "outcome"]].to_numpy().tolist()
    [['deal', 'converted'], ['account:Bolt', 'lost']]
    """
    check_days(min_age_days=min_age_days, fit_days=fit_days)
    how = {"linking": linking, "lookback_days": lookback_days, "time_zone": time_zone}
    touches, conversions, contact_roles, pipeline = map(_with_text_ids, (touches, conversions, contact_roles, pipeline))
    touches, conversions = touches[touches["touched_at"] <= as_of], conversions[conversions["converted_at"] <= as_of]
    won = build_journeys(touches, conversions, contact_roles, **how)
    units = _find_units(touches, conversions, _meet_people(conversions, contact_roles, won))
    to_come = _find_open(units, conversions, contact_roles, pipeline)
    fit = {"as_of": as_of, "min_age_days": min_age_days, "fit_days": fit_days}
    return pd.concat([end_won(won, **fit), end_units(units, to_come, **fit, **how | {"linking": "account"})],
                     ignore_index=True)


def _with_text_ids(table: pd.DataFrame | None) -> pd.DataFrame | None:
    if table is None:
        return None
    ids = [column for column in table if column.endswith("_id") and is_integer_dtype(table[column])]
    return table.astype({column: "str" for column in ids if column != "touch_id"})           # whose order is of numbers


def end_won(won: pd.DataFrame, *, as_of: pd.Timestamp, min_age_days: float, fit_days: float) -> pd.DataFrame:
    """Make paths of the journeys of conversions: those of the last fit_days that any touch reaches."""
    at = won["converted_at"] > as_of - pd.Timedelta(days=fit_days)
    converted = won[at & (won["n_touches"] > 0)].assign(outcome=pd.Series("converted", won.index, "str"))
    return _leave_fresh_ends(converted, as_of - pd.Timedelta(days=min_age_days))


def end_units(units: pd.DataFrame, to_come: pd.Series, *, as_of: pd.Timestamp, min_age_days: float, fit_days: float,
              **how) -> pd.DataFrame:
    """Make paths of touches that no conversion followed, one for each unit; those of units to come are open.

    `units` are touches with the column unit, which says whose each is; `how` is what build_journeys takes.
    """
    ends = units.groupby("unit", as_index=False).agg({"touched_at": "max", "account_id": "first", "person_id": "first"})
    ends = ends[ends["touched_at"] > as_of - pd.Timedelta(days=fit_days)].rename(
        columns={"unit": "conversion_id", "touched_at": "converted_at"})
    rest = build_journeys(units, ends.assign(value=0.0), **how)
    outcome = pd.Series(np.where(is_in(rest["conversion_id"], to_come), "open", "lost"), rest.index, "str")
    return _leave_fresh_ends(rest.assign(outcome=outcome), as_of - pd.Timedelta(days=min_age_days))


def _leave_fresh_ends(paths: pd.DataFrame, ripe_until: pd.Timestamp) -> pd.DataFrame:
    """End every path at its first touch after a moment; what followed it has not had time to happen to the others."""
    is_fresh = (paths["touched_at"] > ripe_until).astype(int)
    n_fresh = is_fresh.groupby(paths["conversion_id"]).cumsum()
    has_fresh = is_fresh.groupby(paths["conversion_id"]).transform("max") > 0
    left = paths.assign(outcome=paths["outcome"].mask(has_fresh, "open"))[n_fresh <= is_fresh]
    n_touches = left.groupby("conversion_id")["position"].transform("size")
    return left.assign(n_touches=n_touches).reset_index(drop=True)


def check_days(**days: float) -> None:
    """Refuse a negative number of days."""
    for name, value in days.items():
        if not value >= 0:
            raise ValueError(f"{name}: {value!r} is not a number of days from 0")


def _find_units(touches: pd.DataFrame, conversions: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Keep the touches after the last conversion of their account or person, and say whose each is."""
    by_person = touches["account_id"].isna() | _are_people(conversions)
    unit = ("account:" + touches["account_id"]).mask(by_person, "person:" + touches["person_id"])
    last = pd.concat([_last_of(conversions, "account"), _last_of(people, "person")])
    is_before = [touches["touched_at"] <= look_up(each, last).astype(UTC) for each in (
        unit, "person:" + touches["person_id"])]
    rows = touches.assign(unit=unit, account_id=touches["account_id"].mask(by_person),
                          person_id=touches["person_id"].where(by_person), touched_by=touches["person_id"])
    return rows[~is_before[0] & ~is_before[1] & unit.notna()]


def _are_people(conversions: pd.DataFrame) -> bool:
    return bool(conversions["person_id"].notna().any())


def _meet_people(conversions: pd.DataFrame, contact_roles: pd.DataFrame | None, met: pd.DataFrame) -> pd.DataFrame:
    """List who converted, had a role in what did, or was met on the way: person_id, converted_at."""
    rows = [each[["person_id", "converted_at"]] for each in (conversions, met)]
    if contact_roles is not None:
        at = look_up(contact_roles["opportunity_id"], conversions.set_index("conversion_id")["converted_at"])
        rows.append(contact_roles[["person_id"]].assign(converted_at=at.astype(UTC)))
    return pd.concat(rows).dropna()


def _find_open(units: pd.DataFrame, conversions: pd.DataFrame, contact_roles: pd.DataFrame | None,
               pipeline: pd.DataFrame | None) -> pd.Series:
    """Name the paths whose account, or one of whose people, has a conversion to come: no deal tells of people's."""
    if pipeline is None:
        return units["unit"].head(0)
    to_come = pipeline[~is_in(pipeline["conversion_id"], conversions["conversion_id"])]
    to_come = to_come[to_come["person_id"].notna()] if _are_people(conversions) else to_come
    people = _meet_people(to_come, contact_roles, to_come)["person_id"]
    is_open = is_in(units["unit"], "account:" + to_come["account_id"]) | is_in(units["touched_by"], people)
    return units.loc[is_open, "unit"]


def _last_of(conversions: pd.DataFrame, column: str) -> pd.Series:
    last = conversions.groupby(f"{column}_id")["converted_at"].max()
    return last.set_axis(f"{column}:" + last.index.astype("str"))
