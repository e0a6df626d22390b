"""Draws: what the last months show of each step of the funnel, and the same again and again by chance (Efron 1979).

Draw 0 is the estimate from what was seen; each further one is made of as many passages or deals, taken from those seen
with replacement. The same seed gives the same draws, however the rows are ordered.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from attribution.agreement import Agreement
from attribution.cohorts import PASSAGES, build_passages
from attribution.months import day_start
from attribution.tables import stack_rows

STEPS = PASSAGES | {"from_stage": "str", "to_stage": "str"}


class Waits(NamedTuple):
    """How long those who entered a stage waited for the next one: a row per draw, a column per day after the entry."""

    rate: np.ndarray                     # by draw: the share that reaches the next stage; blank where nobody entered
    days: np.ndarray                     # the whole days of the columns
    density: np.ndarray                  # the share that reaches it on the day; a row sums to its rate
    still: np.ndarray                    # the share that waits after the day


def first_day(day: pd.Timestamp, *, n_months: int) -> pd.Timestamp:
    """Give the first of the days that make n_months up to a day, itself included.

    >>> first_day(pd.Timestamp("2026-10-31"), n_months=3).date().isoformat()
    '2026-08-01'
    """
    return day + pd.Timedelta(days=1) - pd.DateOffset(months=n_months)


def list_steps(entries: pd.DataFrame, *, agreement: Agreement, as_of: pd.Timestamp,
               n_months: int = 24) -> pd.DataFrame:
    """List the passages between neighbouring stages that began in the last months.

    Returns the rows of build_passages with from_stage and to_stage; those whose dates contradict each other are left
    out. No rows where there is one stage only.
    """
    steps = stack_rows([build_passages(entries, one, other, as_of=as_of).assign(from_stage=one, to_stage=other)
                        for one, other in pairwise(entries["stage"].cat.categories)], STEPS)
    first = day_start(agreement, first_day(agreement.local_day(as_of), n_months=n_months))
    return steps[(steps["entered_at"] >= first) & (steps["end"] != "contradictory")].reset_index(drop=True)


def list_won(opportunities: pd.DataFrame, day: pd.Timestamp, *, n_months: int = 24) -> pd.DataFrame:
    """List the deals won in the last months up to a day whose amount is known.

    Returns their rows.
    """
    is_recent = opportunities["close_on"].between(first_day(day, n_months=n_months), day)
    return opportunities[opportunities["is_won"] & is_recent & opportunities["value"].notna()]


def count_cells(step: pd.DataFrame) -> pd.DataFrame:
    """Count the passages between two stages by the whole day and the way in which they ended.

    Passages of one day and end are one cell, so that a resample costs a multinomial draw, however many they are.
    Returns one row per cell, by day: day, n, has_left (they no longer wait), share (records of the next stage that one
    of the cell became: the mean share; 0 unless reached).

    >>> step = pd.DataFrame({"days": [3.9, 3.1, 3.5], "end": ["reached", "reached", "out"], "share": [1, 0.5, np.nan]})
    >>> count_cells(step)[["day", "n", "share"]].to_numpy().tolist()
    [[3.0, 2.0, 0.75], [3.0, 1.0, 0.0]]
    """
    status = np.select([step["end"] == "waiting", step["end"] == "reached"], [0, 1], 2)
    share = np.where(status == 1, step["share"], 0.0)
    cell = step["days"].to_numpy().astype(np.int64) * 3 + status
    order = np.lexsort((share, cell))
    cells, starts, n = np.unique(cell[order], return_index=True, return_counts=True)
    return pd.DataFrame({"day": cells // 3, "n": n, "has_left": cells % 3 > 0,
                         "share": np.add.reduceat(share[order], starts) / n})


def draw_waits(step: pd.DataFrame, *, n_resamples: int, rng: np.random.Generator) -> Waits:
    """Draw the waits between two stages from the passages seen (rows of list_steps).

    Returns Waits of n_resamples + 1 draws, on the days on which a passage ended or still waited. The estimator is the
    cumulative incidence (Aalen & Johansen 1978) by whole days, each who reached counting by its share.

    >>> step = pd.DataFrame({"days": [0.5, 2.5], "end": ["out", "reached"], "share": [np.nan, 1.0]})
    >>> waits = draw_waits(step, n_resamples=9, rng=np.random.default_rng(0))
    >>> waits.rate[0].item(), waits.days.tolist(), waits.still[0].tolist()
    (0.5, [0, 2], [0.5, 0.0])
    """
    cells = count_cells(step)
    if not len(cells):
        none = np.zeros((n_resamples + 1, 0))
        return Waits(np.full(n_resamples + 1, np.nan), np.zeros(0, np.int64), none, none)
    drawn = np.vstack([cells["n"], rng.multinomial(len(step), cells["n"] / len(step), n_resamples)])
    days, starts = np.unique(cells["day"], return_index=True)
    here, gone, reached = (np.add.reduceat(drawn * weight.to_numpy(), starts, axis=1) for weight in (
        cells["n"] > 0, cells["has_left"], cells["share"]))
    at_risk = np.maximum(here[:, ::-1].cumsum(axis=1)[:, ::-1], 1)
    still = np.cumprod(1 - gone / at_risk, axis=1)
    density = np.hstack([np.ones((n_resamples + 1, 1)), still[:, :-1]]) * reached / at_risk
    return Waits(density.sum(axis=1), days, density, still)


def fill_days(waits: Waits, *, until_day: int) -> Waits:
    """Give the waits of every day from 0 to the last one seen, or to until_day where that is later.

    >>> step = pd.DataFrame({"days": [0.5, 2.5], "end": ["out", "reached"], "share": [np.nan, 1.0]})
    >>> waits = fill_days(draw_waits(step, n_resamples=9, rng=np.random.default_rng(0)), until_day=3)
    >>> waits.density[0].tolist(), waits.still[0].tolist()
    ([0.0, 0.0, 0.5, 0.0], [0.5, 0.5, 0.0, 0.0])
    """
    days, n_draws = np.arange(max(until_day, waits.days.max(initial=0)) + 1), len(waits.rate)
    density = np.zeros((n_draws, len(days)))
    density[:, waits.days] = waits.density
    still = np.hstack([np.ones((n_draws, 1)), waits.still])[:, np.searchsorted(waits.days, days, side="right")]
    return Waits(waits.rate, days, density, still)


def draw_averages(values: pd.Series, *, n_resamples: int, seed: int) -> np.ndarray:
    """Draw the average of the amounts won; blank where there are none.

    >>> draw_averages(pd.Series([5.0, 5.0]), n_resamples=2, seed=0).tolist()
    [5.0, 5.0, 5.0]
    """
    if not len(values):
        return np.full(n_resamples + 1, np.nan)
    rng, known = np.random.default_rng(seed), np.sort(values.to_numpy())
    return np.array([known.mean(), *(rng.choice(known, len(known)).mean() for _ in range(n_resamples))])
