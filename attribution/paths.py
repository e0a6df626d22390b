"""Paths: journeys that ended in a conversion, and those of accounts and people that were touched and did not convert.

A path is lost only when it has had time to convert: one whose last touch is younger than a minimum age is open, and
open it is censored: the steps seen count, its end is not known.
"""

import pandas as pd

from attribution.journeys import build_journeys
from attribution.tables import UTC, is_in, look_up

OUTCOMES = ("converted", "lost", "open")


def build_paths(touches: pd.DataFrame, conversions: pd.DataFrame, contact_roles: pd.DataFrame | None = None, *,
                as_of: pd.Timestamp, linking: str = "hybrid", lookback_days: float | None = 365, time_zone: str = "UTC",
                min_age_days: float = 90, fit_days: float = 730) -> pd.DataFrame:
    """List the paths of the last fit_days up to as_of, those that converted and those that did not.

    Returns the rows of build_journeys for the conversions that any touch reaches, with outcome "converted", and below
    them the same for each account (each person, where conversions are of people or a touch has no account) with touches
    after its last conversion that count for none: "lost" where the last of them is min_age_days old or older, else
    "open". Such a path holds the touches of the look-back before its last one; its conversion_id is "account:<id>" or
    "person:<id>", its value 0. What lies after as_of changes nothing.
    Raises what build_journeys raises, and ValueError for a negative number of days.

    >>> touches = pd.DataFrame({"touch_id": ["1", "2"], "person_id": ["Ann", "Bo"], "account_id": ["Acme", "Bolt"],
    ...     "campaign_id": "Ads", "touched_at": pd.to_datetime(["2026-03-01", "2026-03-08"], utc=True)})
    >>> deal = pd.DataFrame({"conversion_id": ["deal"], "account_id": "Acme", "person_id": None,
    ...     "converted_at": pd.to_datetime(["2026-03-09"], utc=True), "value": 100.0})
    >>> paths = build_paths(touches, deal, as_of=pd.Timestamp("2026-12-31", tz="UTC"))
    >>> paths[["conversion_id", "outcome"]].to_numpy().tolist()
    [['deal', 'converted'], ['account:Bolt', 'lost']]
    """
    _check_days(min_age_days=min_age_days, fit_days=fit_days)
    how = {"linking": linking, "lookback_days": lookback_days, "time_zone": time_zone}
    touches, conversions = touches[touches["touched_at"] <= as_of], conversions[conversions["converted_at"] <= as_of]
    first = as_of - pd.Timedelta(days=fit_days)
    won = build_journeys(touches, conversions, contact_roles, **how)
    at = won["converted_at"] > first
    converted = won[at & (won["n_touches"] > 0)].assign(outcome="converted")
    units = _find_units(touches, conversions, won)
    ends = units.groupby("unit", as_index=False).agg({"touched_at": "max", "account_id": "first", "person_id": "first"})
    ends = ends[ends["touched_at"] > first].rename(columns={"unit": "conversion_id", "touched_at": "converted_at"})
    rest = build_journeys(units, ends.assign(value=0.0), **how | {"linking": "account"})
    is_ripe = rest["converted_at"] <= as_of - pd.Timedelta(days=min_age_days)
    rest = rest.assign(outcome=is_ripe.map({True: "lost", False: "open"}).astype("str"))
    return pd.concat([converted, rest], ignore_index=True).astype({"outcome": "str"})


def _check_days(**days: float) -> None:
    for name, value in days.items():
        if not value >= 0:
            raise ValueError(f"{name}: {value!r} is not a number of days from 0")


def _find_units(touches: pd.DataFrame, conversions: pd.DataFrame, won: pd.DataFrame) -> pd.DataFrame:
    """Keep the touches after the last conversion of their account or person, and say whose each is."""
    are_people = conversions["person_id"].notna().any()
    by_person = touches["account_id"].isna() | are_people
    unit = ("account:" + touches["account_id"]).mask(by_person, "person:" + touches["person_id"])
    last = pd.concat([_last_of(conversions, column) for column in ("account", "person")])
    before = touches["touched_at"] <= look_up(unit, last).astype(UTC)
    rows = touches.assign(unit=unit, account_id=touches["account_id"].mask(by_person),
                          person_id=touches["person_id"].where(by_person))
    return rows[~before & unit.notna() & ~is_in(touches["touch_id"], won["touch_id"].dropna())]


def _last_of(conversions: pd.DataFrame, column: str) -> pd.Series:
    last = conversions.groupby(f"{column}_id")["converted_at"].max()
    return last.set_axis(f"{column}:" + last.index.astype("str"))
