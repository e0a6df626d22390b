"""The promises of the agreement, and how far marketing's is kept: day by day, and forecast to the period's end."""

import numpy as np
import pandas as pd

from attribution.agreement import PERIODS, Agreement, Promise
from attribution.clock import count_business_days
from attribution.months import day_start
from attribution.roi import between
from attribution.tables import DAY, look_up

TRAILING_WEEKS = 26
WEEK = pd.Timedelta(days=7)


def find_promise(agreement: Agreement, by: str) -> Promise:
    """Find the first promise of one side, "marketing" or "sales".

    Raises ValueError, saying what to write, when the agreement has none.

    >>> find_promise(Agreement(promises=(Promise("sales", "mql", "month", within_hours=16),)), "sales").within_hours
    16
    """
    promise = next((each for each in agreement.promises if each.by == by), None)
    if promise is None:
        what = "n" if by == "marketing" else "within_hours"
        raise ValueError(f"agreement.toml: there is no promise by {by}. Add [[promises]] with "
                         f'by = "{by}", stage, per = "month" and {what}')
    return promise


def promise_progress(entries: pd.DataFrame, agreement: Agreement, promise: Promise, values: pd.DataFrame, *,
                     first_day: pd.Timestamp, last_day: pd.Timestamp, as_of: pd.Timestamp) -> pd.DataFrame:
    """Hold what marketing delivered in a period against what it promised, and forecast the period's end.

    `first_day` and `last_day` are local days, of whole months. Returns two rows, measure "count" (people) and "value"
    (money, by the stage's value): delivered (people whose first entry into the stage falls in the period), promised
    (for so many months), promised_to_date (by the business days gone), delivered_share (of promised_to_date), forecast,
    forecast_low, forecast_high (at the period's end), n_again (entries of people who had been there before). Blank
    where not known.
    Forecast: delivered + the mean of the last 26 weeks x weeks left; 95 % predictive interval of a Poisson count whose
    mean is gamma distributed, the negative binomial (Greenwood & Yule 1920), its variance from the weeks' own scatter
    (at least Poisson's) and from how uncertain their mean is. With no time left it is what was delivered.
    """
    inside = _list_delivered(entries, agreement, promise, first_day, last_day, as_of)
    delivered = int((inside["n_entry"] == 1).sum())
    left = _weeks_left(agreement, first_day, pd.Series([last_day]), as_of)
    rest, low, high = forecast_rest(_weekly_counts(entries, promise, as_of), left)[:, 0]
    worth = look_up(pd.Series([promise.stage]), values[values["segment"] == "all"].set_index("stage")["value"])
    unit, months = np.array([1.0, worth[0]]), _count_months(first_day, last_day)
    promised = np.array([promise.n, promise.value], dtype=float) * months / PERIODS[promise.per]
    to_date = promised * _elapsed(agreement, first_day, last_day, [agreement.local_day(as_of)])
    return pd.DataFrame({
        "measure": ["count", "value"], "delivered": (delivered * unit).round(2), "promised": promised,
        "promised_to_date": to_date, "delivered_share": delivered * unit / np.where(to_date > 0, to_date, np.nan),
        "forecast": ((delivered + rest) * unit).round(2), "forecast_low": ((delivered + low) * unit).round(2),
        "forecast_high": ((delivered + high) * unit).round(2), "n_again": int((inside["n_entry"] > 1).sum())})


def burn_up(entries: pd.DataFrame, agreement: Agreement, promise: Promise, *, first_day: pd.Timestamp,
            last_day: pd.Timestamp, as_of: pd.Timestamp) -> pd.DataFrame:
    """Follow marketing's promise day by day through the period, and on to its end.

    Returns one row per local day: day_on, delivered (people so far; null after as_of), promised (so far, by business
    days), forecast, forecast_low, forecast_high (as in promise_progress; null before as_of).
    """
    days = pd.Series(pd.date_range(first_day, last_day)).astype(DAY)
    inside = _list_delivered(entries, agreement, promise, first_day, last_day, as_of)
    per_day = agreement.day_of(inside.loc[inside["n_entry"] == 1, "entered_at"]).value_counts()
    delivered = per_day.reindex(days, fill_value=0).cumsum().reset_index(drop=True).astype(float)
    today, left = agreement.local_day(as_of), _weeks_left(agreement, first_day, days, as_of)
    rest = pd.DataFrame(forecast_rest(_weekly_counts(entries, promise, as_of), left).T + delivered.iloc[-1],
                        columns=["forecast", "forecast_low", "forecast_high"]).where(days >= today)
    promised = promise.n * _count_months(first_day, last_day) / PERIODS[promise.per]
    return pd.DataFrame({"day_on": days, "delivered": delivered.where(days <= today),
                         "promised": promised * _elapsed(agreement, first_day, last_day, days)}).join(
        rest, validate="one_to_one")


def _list_delivered(entries: pd.DataFrame, agreement: Agreement, promise: Promise, first_day: pd.Timestamp,
                    last_day: pd.Timestamp, as_of: pd.Timestamp) -> pd.DataFrame:
    mine = entries[(entries["stage"] == promise.stage) & (entries["entered_at"] <= as_of)]
    days = pd.Series([first_day, last_day])
    return between(mine, "entered_at", agreement.start_of(days)[0], agreement.end_of(days)[1])


def _count_months(first_day: pd.Timestamp, last_day: pd.Timestamp) -> int:
    return (last_day.year - first_day.year) * 12 + last_day.month - first_day.month + 1


def _elapsed(agreement: Agreement, first_day: pd.Timestamp, last_day: pd.Timestamp, days) -> np.ndarray:
    """Give the share of the period's business days that had come by the end of each day."""
    n_all = count_business_days(first_day, last_day, agreement)
    return np.array([count_business_days(first_day, min(day, last_day), agreement) for day in days]) / (n_all or np.nan)


def _weeks_left(agreement: Agreement, first_day: pd.Timestamp, days: pd.Series, as_of: pd.Timestamp) -> np.ndarray:
    start = day_start(agreement, first_day)
    return ((agreement.end_of(days) - max(as_of, start)) / WEEK).clip(lower=0).to_numpy(float)


def _weekly_counts(entries: pd.DataFrame, promise: Promise, as_of: pd.Timestamp) -> np.ndarray:
    """Count the first entries in each of the last 26 weeks, latest first, as far back as there are entries at all."""
    known = entries[entries["entered_at"] <= as_of]
    n_weeks = int(np.clip((as_of - known["entered_at"].min()) // WEEK, 1, TRAILING_WEEKS)) if len(known) else 1
    mine = known[(known["stage"] == promise.stage) & (known["n_entry"] == 1)]
    week = ((as_of - mine["entered_at"]) // WEEK).to_numpy(int)
    return np.bincount(week[week < n_weeks], minlength=n_weeks)


def forecast_rest(counts: np.ndarray, weeks: np.ndarray) -> np.ndarray:
    """Forecast the count of so many weeks more from weekly counts (promise_progress says how).

    Returns three rows, a column per number of weeks: its mean, and the ends of its 95 % predictive interval.

    >>> forecast_rest(np.array([4, 4, 4, 4]), np.array([0.0, 2.0])).tolist()[0]
    [0.0, 8.0]
    """
    from scipy.stats import nbinom
    scatter = max(counts.var(ddof=1) if len(counts) > 1 else 0.0, counts.mean())
    mean = counts.mean() * weeks
    is_some = mean > 0
    excess = np.where(is_some, scatter * weeks + scatter * weeks ** 2 / len(counts) - mean, 1.0)
    size, p = np.where(is_some, mean ** 2 / excess, 1.0), np.where(is_some, mean / (mean + excess), 1.0)
    return np.vstack([mean, nbinom.ppf(0.025, size, p), nbinom.ppf(0.975, size, p)])
