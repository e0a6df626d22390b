"""The business clock: how long sales was open between two moments, and when so many open hours will have passed."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from attribution.agreement import Agreement, Hours
from attribution.tables import DAY, UTC

HOUR = 3_600_000_000                                 # microseconds


class Openings(NamedTuple):
    """The stretches in which sales is open, one after another, in microseconds UTC."""

    opens: np.ndarray
    closes: np.ndarray
    before: np.ndarray                               # open time before each


def business_hours(start: pd.Series, end: pd.Series, agreement: Agreement) -> pd.Series:
    """Measure the open hours between two moments by the agreement's hours, public holidays and time zone.

    Returns one value per pair, by the index: hours, negative where the end lies before the start, blank where either
    does. An office opens, and closes, when the local clock first shows the time; where the clock jumps over it, at the
    jump. So a day on which the clocks change may be an hour longer or shorter.

    >>> start, end = (pd.Series(pd.to_datetime([at], utc=True)) for at in ("2026-10-30 15:00", "2026-11-02 09:00"))
    >>> business_hours(start, end, Agreement())[0]               # Friday 15:00 to Monday 09:00
    np.float64(2.0)
    """
    openings = _openings_of(agreement, start, end)
    return (_open_time(end, openings) - _open_time(start, openings)) / HOUR


def add_business_hours(start: pd.Series, hours: float, agreement: Agreement) -> pd.Series:
    """Find the moment by which so many open hours have passed since the start.

    Returns one moment per start, the earliest such: a last hour that ends with the day ends there, not the next
    morning. Blank where the start is.
    Raises ValueError when hours is negative or no number.

    >>> add_business_hours(pd.Series(pd.to_datetime(["2026-10-30 15:00"], utc=True)), 2, Agreement())[0]
    Timestamp('2026-11-02 09:00:00+0000', tz='UTC')
    """
    if not 0 <= hours < float("inf"):
        raise ValueError(f"hours: {hours!r} is not a number of hours from 0 up")
    openings = _openings_of(agreement, start, n_hours=hours)
    goal = (_open_time(start, openings).fillna(0) + round(hours * HOUR)).to_numpy().astype("int64")
    n = np.searchsorted(openings.before + openings.closes - openings.opens, goal)
    at = np.maximum(openings.opens[n] + goal - openings.before[n], _microseconds(start))
    return pd.Series(at.view("datetime64[us]"), index=start.index).dt.tz_localize("UTC").mask(start.isna()).astype(UTC)


def count_business_days(first: pd.Timestamp, last: pd.Timestamp, agreement: Agreement) -> int:
    """Count the local days on which sales is open, from the first to the last, both included.

    >>> count_business_days(pd.Timestamp("2026-12-21"), pd.Timestamp("2027-01-01"), Agreement())    # 3 off
    7
    """
    if last < first:
        return 0
    days = np.array([first, last + pd.Timedelta(days=1)], dtype="datetime64[D]")
    return int(np.busday_count(*days, busdaycal=_calendar(agreement.hours, first.year, last.year)))


def _open_time(moments: pd.Series, openings: Openings) -> pd.Series:
    """Measure the open time up to each moment: whole microseconds as float, exact below 285 years."""
    at = _microseconds(moments)
    n = np.searchsorted(openings.opens, at, side="right") - 1
    passed = openings.before[n] + np.minimum(at, openings.closes[n]) - openings.opens[n]
    return pd.Series(passed, index=moments.index, dtype=float).mask(moments.isna())


def _microseconds(moments: pd.Series) -> np.ndarray:
    return moments.to_numpy(dtype="datetime64[us]").view("int64")


def _openings_of(agreement: Agreement, *moments: pd.Series, n_hours: float = 0) -> Openings:
    """List the openings of every year that the moments, or so many open hours after the last of them, may touch."""
    known = pd.concat([each.agg(["min", "max"]) for each in moments]).dropna()
    if known.empty:
        return _openings(agreement.hours, agreement.time_zone, 1970, 1970)
    first, last, n_years = known.min().year - 1, known.max().year, 1
    while True:
        openings = _openings(agreement.hours, agreement.time_zone, first, last + n_years)
        left = openings.before[-1] - _open_time(pd.Series([known.max()]), openings)[0]
        if left >= n_hours * HOUR:
            return openings
        n_years *= 2


@lru_cache(maxsize=8)
def _openings(hours: Hours, time_zone: str, first_year: int, last_year: int) -> Openings:
    days = np.arange(f"{first_year}-01-01", f"{last_year + 1}-01-01", dtype="datetime64[D]")
    days = pd.Series(days[np.is_busday(days, busdaycal=_calendar(hours, first_year, last_year))]).astype(DAY)
    opens, closes = (_microseconds(Agreement(time_zone=time_zone).start_of(days + pd.Timedelta(f"{clock}:00")))
                     for clock in (hours.opens, hours.closes))
    return Openings(opens, closes, np.cumsum(closes - opens) - (closes - opens))


@lru_cache(maxsize=8)
def _calendar(hours: Hours, first_year: int, last_year: int) -> np.busdaycalendar:
    years = range(first_year, last_year + 1)
    return np.busdaycalendar([day in hours.days for day in range(7)], _public_holidays(hours, years))


def _public_holidays(hours: Hours, years: range) -> list[str]:
    if not hours.country:
        return []
    import holidays
    return [str(day) for day in holidays.country_holidays(hours.country, subdiv=hours.region or None, years=years)]
