"""Draws: the steps of the last months, and resamples that scatter as the textbooks say around what was seen."""

import numpy as np
import pandas as pd
import pytest
from conftest import make
from hypothesis import given
from hypothesis import strategies as st
from test_cohorts import STAGES, entries_of

from attribution.agreement import Agreement
from attribution.cohorts import build_passages
from attribution.draws import count_cells, draw_averages, draw_waits, fill_days, first_day, list_steps, list_won

HELSINKI = Agreement(time_zone="Europe/Helsinki")
AS_OF = HELSINKI.month_end("2026-10")                # 669 days and 22 hours into the days of entries_of, less a moment
ENDS = st.sampled_from([("reached", 1.0), ("reached", 0.25), ("out", np.nan), ("returned", np.nan),
                        ("waiting", np.nan)])


def step_of(*rows):
    """Make passages from (days, end, share)."""
    return pd.DataFrame(rows, columns=["days", "end", "share"]).astype({"days": float, "end": "str", "share": float})


def draw(step, n_resamples=50, seed=0):
    return draw_waits(step, n_resamples=n_resamples, rng=np.random.default_rng(seed))


# --- the last months

def test_first_day_makes_whole_months():
    days = [first_day(pd.Timestamp(day), n_months=n) for day, n in (
        ("2026-10-31", 1), ("2026-02-28", 12), ("2026-10-15", 2), ("2024-02-28", 1))]
    assert [f"{day:%Y-%m-%d}" for day in days] == ["2026-10-01", "2025-03-01", "2026-08-16", "2024-01-29"]


def steps_from(moment, n_months=2):
    rows = entries_of(("a", "lead", 0, 1, "mql"))
    shifted = rows.assign(entered_at=pd.Series([pd.Timestamp(moment)]).astype(rows["entered_at"].dtype), left_at=AS_OF)
    return list_steps(shifted, agreement=HELSINKI, as_of=AS_OF, n_months=n_months)


def test_steps_begin_with_the_local_day_on_which_the_months_do():
    assert len(steps_from("2026-08-31T21:00:00Z")) == 1
    assert len(steps_from("2026-08-31T20:59:59Z")) == 0
    assert len(steps_from("2026-08-31T20:59:59Z", n_months=3)) == 1


def test_steps_are_the_sound_passages_of_each_pair():
    rows = entries_of(("a", "lead", 0, 4, "mql"), ("a", "mql", 4, 9, "sql"), ("a", "sql", 9, None, None),
                      ("odd", "lead", 7, 6, "out"), ("b", "lead", 1, None, None))
    steps = list_steps(rows, agreement=Agreement(), as_of=rows["entered_at"].max() + pd.Timedelta(days=1))
    assert steps[["from_stage", "to_stage", "record_id", "end"]].to_numpy().tolist() == [
        ["lead", "mql", "a", "reached"], ["lead", "mql", "b", "waiting"], ["mql", "sql", "a", "reached"],
        ["sql", "opportunity", "a", "waiting"]]
    assert steps.index.tolist() == [0, 1, 2, 3]
    alone = build_passages(rows, "mql", "sql", as_of=AS_OF)
    pd.testing.assert_frame_equal(steps.iloc[2:3][list(alone)].reset_index(drop=True), alone)


def test_steps_of_one_stage_alone_are_none():
    rows = entries_of(("D1", "customer", 0, None, None))
    alone = rows.assign(stage=pd.Categorical(["customer"], ["customer"], ordered=True))
    steps, others = (list_steps(each, agreement=Agreement(), as_of=AS_OF) for each in (alone, rows[:0]))
    assert len(steps) == 0 and len(rows["stage"].cat.categories) == len(STAGES)
    pd.testing.assert_frame_equal(steps, others)
    assert list_steps(rows, agreement=Agreement(), as_of=AS_OF).dtypes.to_dict() == steps.dtypes.to_dict()


def test_won_deals_are_those_of_the_last_months_with_an_amount():
    deals = make("opportunities", opportunity_id=list("abcdef"), value=[1.0, 2.0, 3.0, 4.0, None, 6.0],
                 close_on=["2026-08-31", "2026-09-01", "2026-10-31", "2026-10-01", "2026-10-01", "2026-11-01"],
                 is_won=[True, True, True, False, True, True], created_at="2026-01-05T10:00:00Z", stage="any")
    won = list_won(deals, pd.Timestamp("2026-10-31"), n_months=2)
    assert won["opportunity_id"].tolist() == ["b", "c"] and won.columns.tolist() == deals.columns.tolist()


# --- cells

def test_cells_are_whole_days_and_whether_they_reached():
    step = step_of((2.9, "out", np.nan), (2.0, "returned", np.nan), (2.5, "waiting", np.nan), (2.4, "reached", 1.0),
                   (2.0, "reached", 0.5), (0.2, "waiting", np.nan))
    assert count_cells(step).to_numpy().tolist() == [
        [0, 1, False, 0.0], [2, 1, False, 0.0], [2, 2, True, 0.75], [2, 2, True, 0.0]]
    assert count_cells(step[:0]).empty


@given(st.lists(st.tuples(st.floats(0, 50), ENDS), max_size=20), st.randoms())
def test_cells_lose_nobody_and_ignore_the_order(rows, random):
    step = step_of(*[(days, *end) for days, end in rows])
    cells = count_cells(step)
    assert cells["n"].sum() == len(step)
    assert (cells["n"] * cells["has_left"]).sum() == (step["end"] != "waiting").sum()
    assert (cells["n"] * cells["share"]).sum() == pytest.approx(step["share"].sum())
    shuffled = step.sample(frac=1, random_state=random.randrange(99))
    pd.testing.assert_frame_equal(count_cells(shuffled), cells, check_exact=True)


def test_cells_add_up_shares_to_the_last_bit_in_whatever_order():
    thirds = step_of(*[(1.0, "reached", share) for share in (0.1, 0.2, 0.3)])
    assert 0.1 + 0.2 + 0.3 != 0.3 + 0.2 + 0.1
    assert count_cells(thirds)["share"].tolist() == count_cells(thirds[::-1])["share"].tolist()


# --- waits

def test_waits_are_those_of_a_table_worked_by_hand():
    # day 1: of 5 at risk one reached as half a deal; day 3: of 3 one reached, one was lost; day 4: the last one reached
    step = step_of((1.5, "reached", 0.5), (1.9, "waiting", np.nan), (3.0, "reached", 1.0), (3.2, "out", np.nan),
                   (4.0, "reached", 1.0))
    waits = draw(step)
    assert waits.days.tolist() == [1, 3, 4]
    assert waits.still[0].tolist() == pytest.approx([4 / 5, 4 / 5 * 1 / 3, 0])
    assert waits.density[0].tolist() == pytest.approx([0.5 / 5, 4 / 5 * 1 / 3, 4 / 5 * 1 / 3])
    assert waits.rate[0] == pytest.approx(0.1 + 8 / 15)
    assert [len(each) for each in waits[:1] + waits[2:]] == [51, 51, 51]


@given(st.lists(st.tuples(st.integers(0, 20), ENDS), min_size=1, max_size=15))
def test_waits_are_parts_of_one_whole(rows):
    """Who is neither still waiting nor lost has reached: where all reach whole, the shares add up to one."""
    whole = [(days, end, 1.0) for days, (end, _) in rows if end in ("reached", "waiting")]
    for waits in (draw(step_of(*[(days, *end) for days, end in rows])), draw(step_of(*whole or [(1, "reached", 1.0)]))):
        assert waits.density.sum(axis=1) == pytest.approx(waits.rate)
        sums = waits.density.cumsum(axis=1) + waits.still
        assert (waits.density >= 0).all() and (np.diff(waits.still) <= 0).all() and (sums < 1 + 1e-9).all()
    assert sums == pytest.approx(np.ones(sums.shape))


@given(st.lists(st.tuples(st.integers(0, 9), ENDS), min_size=1, max_size=8))
def test_waits_of_a_resample_are_those_of_the_passages_drawn(rows):
    step = step_of(*[(days, *end) for days, end in rows])
    cells, waits = count_cells(step), draw(step, n_resamples=3)
    counts = np.random.default_rng(0).multinomial(len(step), cells["n"] / len(step), 3)
    for n, resampled in zip(counts, waits.rate[1:], strict=True):
        again = cells.loc[cells.index.repeat(n)]
        end = np.select([~again["has_left"], again["share"] > 0], ["waiting", "reached"], "out")
        assert resampled == pytest.approx(draw(step_of(*zip(again["day"], end, again["share"], strict=True))).rate[0])


def test_waits_scatter_as_a_binomial_does():
    step = step_of(*[(3.0, "reached", 1.0)] * 100, *[(5.0, "out", np.nan)] * 300)
    rates = draw(step, n_resamples=4000).rate
    assert rates[0] == 0.25 and rates[1:].std() == pytest.approx(np.sqrt(0.25 * 0.75 / 400), rel=0.05)
    assert (draw(step).rate == rates[:51]).all() and (draw(step, seed=1).rate != rates[:51]).any()


def test_waits_of_nobody_are_unknown():
    waits = draw(step_of(), n_resamples=2)
    assert np.isnan(waits.rate).tolist() == [True] * 3 and waits.density.shape == waits.still.shape == (3, 0)
    filled = fill_days(waits, until_day=4)
    assert filled.density.tolist() == [[0.0] * 5] * 3 and filled.still.tolist() == [[1.0] * 5] * 3
    assert np.isnan(filled.rate).all()


@pytest.mark.parametrize("until_day, n_days", [(0, 5), (4, 5), (6, 7)])
def test_filled_days_hold_the_same_waits(until_day, n_days):
    waits = draw(step_of((1.5, "reached", 1.0), (3.0, "out", np.nan), (4.0, "waiting", np.nan)))
    filled = fill_days(waits, until_day=until_day)
    assert filled.days.tolist() == list(range(n_days)) and filled.density[0].tolist()[:5] == [0, 1 / 3, 0, 0, 0]
    assert filled.still[0].tolist() == pytest.approx([1, 2 / 3, 2 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3][:n_days])
    assert (filled.density.sum(axis=1) == waits.rate).all() and (filled.still[:, -1] == waits.still[:, -1]).all()


# --- averages

def test_averages_scatter_as_the_error_of_a_mean_does():
    values = pd.Series(np.arange(100.0))
    drawn = draw_averages(values, n_resamples=4000, seed=0)
    assert drawn[0] == 49.5 and drawn[1:].std() == pytest.approx(values.std(ddof=0) / 10, rel=0.05)
    assert (draw_averages(values.sample(frac=1, random_state=2), n_resamples=4000, seed=0) == drawn).all()
    assert (draw_averages(values, n_resamples=4000, seed=1)[1:] != drawn[1:]).any()


def test_averages_of_no_deal_are_unknown():
    assert np.isnan(draw_averages(pd.Series([], dtype=float), n_resamples=2, seed=0)).tolist() == [True] * 3
