"""Planning backwards, each figure worked out by hand or by a loop over the draws."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from conftest import make
from hypothesis import given
from hypothesis import strategies as st

from attribution.agreement import STAGES, Agreement
from attribution.draws import list_steps
from attribution.planning import (
    _list_fresh,
    draw_funnel,
    plan_backwards,
    revenue_forecast,
    stage_standing,
    transition_rates,
    what_would_it_take,
    year_so_far,
)
from attribution.worth import stage_values

NAMES = [stage.name for stage in STAGES]
RATES = [0.5, 0.2, 0.25, 0.4, np.nan]
AGREEMENT = Agreement(time_zone="Europe/Helsinki", targets={"2026": 100_000.0})
AS_OF = AGREEMENT.month_end("2026-10")


def in_stages(table):
    return table.assign(stage=pd.Categorical(table["stage"], NAMES, ordered=True))


def draws_of(*rates, average=10_000.0, under_way=(0, 0, 0, 0, 0), to_come=(0, 0, 0, 0, 0)):
    """Make draws of one list of rates each; the money is the same in all."""
    rows = [{"draw": n, "stage": stage, "rate": each[k], "value": np.prod([*each[k:-1], average]),
             "under_way_value": float(under_way[k]), "to_come_value": float(to_come[k])}
            for n, each in enumerate(rates) for k, stage in enumerate(NAMES)]
    return in_stages(pd.DataFrame(rows))


def standing_of(*pace):
    pace = pace or (0, 0, 0, 0, 0)
    return in_stages(pd.DataFrame({"stage": NAMES, "n_under_way": 0, "pace_per_month": np.array(pace, float),
                                   "latest_entry_on": pd.Timestamp("2026-12-31"), "is_too_late": False,
                                   "carried_share": [np.nan, 1.0, 1.0, 0.5, 1.0]}))


def so_far_of(target=100_000.0, booked=0.0, months_left=2.0):
    return pd.DataFrame({"target": [target], "booked": booked, "months_left": months_left,
                         "as_of_on": pd.Timestamp("2026-10-31")})


def numbers(table, column):
    return table[column].tolist()


def test_plan_divides_the_target_by_what_each_entry_is_worth():
    plan = plan_backwards(draws_of(RATES), standing_of(600, 240, 50, 12.5, 4), so_far_of())
    assert plan["stage"].tolist() == NAMES
    assert numbers(plan, "needed") == pytest.approx([1000, 500, 100, 25, 10])
    assert numbers(plan, "needed_per_month") == pytest.approx([500, 250, 50, 12.5, 5])
    assert numbers(plan, "gap") == [100_000.0] * 5
    assert plan["is_enough"].tolist() == [True, False, True, True, False]


def test_plan_of_a_year_goes_back_from_the_won_deals():
    # 1,200,000 a year are 10 deals of 10,000 a month: 10 / .4 = 25 opportunities, half of them from SQLs: 12.5 / .25 =
    # 50 SQLs, 50 / .2 = 250 MQLs, 250 / .5 = 500 leads
    plan = plan_backwards(draws_of(RATES), standing_of(499, 250, 60, 24, 10), so_far_of(target=1_200_000.0))
    assert numbers(plan, "year_per_month") == pytest.approx([500, 250, 50, 25, 10])
    assert plan["is_enough_a_year"].tolist() == [False, True, True, False, True]


def test_plan_of_a_year_carries_the_interval_of_the_draws():
    rng = np.random.default_rng(5)
    rates = [RATES, *([0.5, 0.2, 0.25, rate, np.nan] for rate in rng.uniform(0.3, 0.6, 200))]
    plan = plan_backwards(draws_of(*rates), standing_of(), so_far_of(target=1_200_000.0)).set_index("stage")
    low, high = np.percentile([10 / each[3] for each in rates[1:]], [2.5, 97.5])
    assert plan.loc["opportunity", ["year_per_month", "year_low", "year_high"]].tolist() == pytest.approx(
        [25, low, high])
    assert plan.loc["mql", ["year_low", "year_high"]].tolist() == pytest.approx([low * 10, high * 10])
    assert plan.loc["customer", ["year_low", "year_high"]].tolist() == [10.0, 10.0]


def test_plan_of_a_year_is_blank_beyond_a_stage_that_nobody_passes():
    plan = plan_backwards(draws_of([0.5, 0.0, 0.25, 0.4, np.nan]), standing_of(), so_far_of(target=1_200_000.0))
    assert numbers(plan, "year_per_month") == pytest.approx([np.nan, np.nan, 50, 25, 10], nan_ok=True)
    assert plan["is_enough_a_year"].isna().tolist() == [True, True, False, False, False]


def test_plan_takes_off_what_is_booked_and_under_way_in_the_stage_or_further():
    draws = draws_of(RATES, under_way=(1_000, 2_000, 3_000, 20_000, 0))
    plan = plan_backwards(draws, standing_of(), so_far_of(booked=50_000.0))
    assert numbers(plan, "gap") == [24_000.0, 25_000.0, 27_000.0, 30_000.0, 50_000.0]
    assert numbers(plan, "needed") == pytest.approx([240, 125, 27, 7.5, 5])
    assert numbers(plan, "under_way_value") == [1_000.0, 2_000.0, 3_000.0, 20_000.0, 0.0]


def test_plan_needs_nothing_once_the_target_is_met():
    plan = plan_backwards(draws_of(RATES, RATES, under_way=(0, 0, 0, 70_000, 0)), standing_of(),
                          so_far_of(booked=40_000.0))
    assert numbers(plan, "gap") == [-10_000.0] * 4 + [60_000.0]
    assert numbers(plan, "needed") == numbers(plan, "needed_high") == pytest.approx([0, 0, 0, 0, 6])
    assert plan["is_enough"].tolist() == [True] * 4 + [False]


def test_plan_needs_nothing_of_an_unknown_rate_once_the_target_is_met():
    unknown = [0.5, np.nan, 0.25, 0.4, np.nan]
    met = plan_backwards(draws_of(unknown), standing_of(), so_far_of(booked=100_000.0))
    assert numbers(met, "needed") == numbers(met, "needed_per_month") == [0.0] * 5
    plan = plan_backwards(draws_of(unknown), standing_of(), so_far_of())
    assert numbers(plan, "needed") == pytest.approx([np.nan, np.nan, 100, 25, 10], nan_ok=True)


def test_plan_leaves_blank_what_a_rate_of_zero_would_need():
    plan = plan_backwards(draws_of([0.5, 0.0, 0.25, 0.4, np.nan]), standing_of(), so_far_of())
    assert numbers(plan, "needed") == pytest.approx([np.nan, np.nan, 100, 25, 10], nan_ok=True)
    assert plan["is_enough"].isna().tolist() == [True, True, False, False, False]


def test_plan_leaves_blank_a_bound_that_some_draws_do_not_have():
    draws = draws_of(RATES, *[RATES] * 9, [0.5, 0.2, 0.25, 0.0, np.nan])
    plan = plan_backwards(draws, standing_of(), so_far_of())
    assert numbers(plan, "needed_low") == pytest.approx([1000, 500, 100, 25, 10])
    assert numbers(plan, "needed_high") == pytest.approx([np.nan] * 4 + [10], nan_ok=True)


def test_plan_has_no_rows_without_a_target():
    whole = plan_backwards(draws_of(RATES), standing_of(), so_far_of())
    none = plan_backwards(draws_of(RATES), standing_of(), so_far_of(target=np.nan))
    assert len(none) == 0 and none.dtypes.to_dict() == whole.dtypes.to_dict()


def test_plan_of_the_last_day_has_no_month_left():
    plan = plan_backwards(draws_of(RATES), standing_of(), so_far_of(months_left=0.0))
    assert numbers(plan, "needed") == pytest.approx([1000, 500, 100, 25, 10])
    assert plan["needed_per_month"].isna().all() and plan["is_enough"].isna().all()


def test_plan_intervals_are_those_of_a_loop_over_the_draws():
    rng = np.random.default_rng(1)
    rates = [RATES, *np.column_stack([rng.uniform(0.1, 0.9, (200, 4)), np.full(200, np.nan)])]
    draws = draws_of(*rates, under_way=(1_000, 2_000, 3_000, 4_000, 0))
    plan = plan_backwards(draws.sample(frac=1, random_state=2), standing_of(), so_far_of(booked=20_000.0))
    for k, row in plan.iterrows():
        open_money = 80_000 - sum((1_000, 2_000, 3_000, 4_000, 0)[k:])
        needed = [open_money / np.prod([*each[k:4], 10_000]) for each in rates[1:]]
        assert [row["needed_low"], row["needed_high"]] == pytest.approx(np.percentile(needed, [2.5, 97.5]))
        assert row["per_month_high"] == pytest.approx(row["needed_high"] / 2)


# the year so far

def deals_of(**columns):
    return make("opportunities", created_at="2026-01-05T10:00:00Z", stage="any", **columns)


def test_year_so_far_sums_the_won_from_the_first_day_to_as_of():
    deals = deals_of(opportunity_id=list("abcdef"), value=[1.0, 20.0, 300.0, 4_000.0, None, 50_000.0],
                     close_on=["2025-12-31", "2026-01-01", "2026-10-31", "2026-06-01", "2026-07-01", "2026-11-01"],
                     is_won=[True, True, True, False, True, True])
    row = year_so_far(deals, AGREEMENT, as_of=AS_OF).iloc[0]
    assert [row["fiscal_year"], row["target"], row["booked"], row["n_won"], row["days_left"], row["months_left"]] == [
        "2026", 100_000.0, 320.0, 3, 61, 2.0]
    assert [str(row[day].date()) for day in ("as_of_on", "starts_on", "ends_on")] == [
        "2026-10-31", "2026-01-01", "2026-12-31"]


def test_year_so_far_follows_the_fiscal_year_and_counts_parts_of_a_month():
    agreement = dataclasses.replace(AGREEMENT, fiscal_year_starts=7)
    row = year_so_far(make("opportunities"), agreement, as_of=pd.Timestamp("2026-11-15T10:00:00Z")).iloc[0]
    assert [row["fiscal_year"], row["booked"], row["n_won"], row["days_left"], row["months_left"]] == [
        "2027", 0.0, 0, 227, 7.5]
    assert np.isnan(row["target"])


# the draws

def entries_of(*rows, stages=("mql", "opportunity", "customer")):
    """Make entries from (record_id, stage, entered, left, left_to, opportunity_id), the times in days before as_of."""
    table = pd.DataFrame(rows, columns=["record_id", "stage", "entered_at", "left_at", "left_to", "opportunity_id"])
    table = table.astype({"record_id": "str", "left_to": "str", "opportunity_id": "str"})
    is_deal = table["record_id"].str.startswith("deal")
    for column in ("entered_at", "left_at"):
        days = pd.to_timedelta(table[column].astype(float), unit="D")
        table[column] = (AS_OF - days).astype("datetime64[us, UTC]")
    n_entry = table.sort_values("entered_at").groupby(["record_id", "stage"]).cumcount() + 1
    return table.assign(
        stage=pd.Categorical(table["stage"], list(stages), ordered=True), n_entry=n_entry, lifecycle=n_entry,
        person_id=table["record_id"].mask(is_deal), account_id=None, owner_id=None, is_imputed=False,
        is_contradictory=False, opportunity_id=table["opportunity_id"].mask(is_deal, table["record_id"])).astype(
            {"person_id": "str", "account_id": "str", "owner_id": "str"})


def won_after(days, ago, name):
    return [(f"deal-{name}", "opportunity", ago, ago - days, "customer", None),
            (f"deal-{name}", "customer", ago - days, None, None, None)]


def lost_after(days, ago, name):
    return [(f"deal-{name}", "opportunity", ago, ago - days, "out", None)]


def open_since(ago, name):
    return [(f"deal-{name}", "opportunity", ago, None, None, None)]


def won_deals(*values, **open_deals):
    """Make won deals of some values, and open ones by name."""
    n = len(values)
    return deals_of(opportunity_id=[f"v{k}" for k in range(n)] + [f"deal-{name}" for name in open_deals],
                    value=[*values, *open_deals.values()], is_won=[True] * n + [False] * len(open_deals),
                    close_on=["2026-10-01"] * n + ["2026-12-31"] * len(open_deals))


def drawn(entries, deals, *, as_of=AS_OF, agreement=AGREEMENT, n_resamples=50, seed=0):
    steps = list_steps(entries, agreement=agreement, as_of=as_of)
    return draw_funnel(steps, entries, deals, agreement=agreement, as_of=as_of, n_resamples=n_resamples, seed=seed)


def estimate(draws):
    return draws[draws["draw"] == 0].set_index("stage")


#: Of four deals two were won after 10.5 days, one after 40.5, one was lost after 20.5; all long ago.
FOUR = [*won_after(10.5, 300, "a"), *won_after(10.5, 300, "b"), *won_after(40.5, 300, "c"), *lost_after(20.5, 300, "d")]


def test_draws_give_an_open_deal_the_chance_that_is_left_to_it():
    # two of six won on day 10; one of the three followed further was lost on day 20; one of the last two won on day 40
    entries = entries_of(*FOUR, *open_since(15.2, "young"), *open_since(45.2, "old"))
    table = estimate(drawn(entries, won_deals(1_000.0, 3_000.0, young=600.0, old=70_000.0)))
    assert table.loc["customer", "value"] == 2_000.0
    assert table.loc["opportunity", "rate"] == pytest.approx(2 / 6 + 4 / 6 * 2 / 3 * 1 / 2)
    assert table.loc["opportunity", "value"] == pytest.approx((1 / 3 + 2 / 9) * 2_000)
    assert table.loc["opportunity", "under_way_value"] == 600 * 2 / 3 * 1 / 2


def test_draws_count_only_what_the_days_left_allow():
    entries = entries_of(*FOUR, *open_since(15.2, "young"))
    years = [dataclasses.replace(AGREEMENT, fiscal_year_starts=month) for month in (11, 12, 1)]
    money = [estimate(drawn(entries, won_deals(1_000.0, young=600.0), agreement=year)) for year in years]
    # the chance of day 40 is 25 days away: none, 30 and 61 days are left of these years
    assert [table.loc["opportunity", "under_way_value"] for table in money] == [0.0, 300.0, 300.0]
    assert [table.loc["opportunity", "rate"] for table in money] == [money[0].loc["opportunity", "rate"]] * 3


def test_draws_take_the_deals_won_in_the_last_months():
    entries, deals = entries_of(*FOUR), won_deals(1_000.0, 3_000.0)
    deals = deals.assign(close_on=pd.to_datetime(["2026-10-01", "2026-08-31"]).as_unit("us"))
    steps = list_steps(entries, agreement=AGREEMENT, as_of=AS_OF)
    averages = [estimate(draw_funnel(steps, entries, deals, agreement=AGREEMENT, as_of=AS_OF, n_resamples=1,
                                     n_months=n)).loc["customer", "value"] for n in (2, 3)]
    assert averages == [1_000.0, 2_000.0]


def test_draws_take_an_open_deal_without_an_amount_at_the_average():
    entries = entries_of(*FOUR, *open_since(15.2, "young"))
    table = estimate(drawn(entries, won_deals(1_000.0, 3_000.0, young=None)))
    assert table.loc["opportunity", "under_way_value"] == 2_000 / 2


def test_draws_convolve_the_waits_of_people_and_deals():
    # an mql becomes a deal on day 20, which is won on day 10 or 40 (or lost); the waiting one is 5 days old
    people = [("ann", "mql", 320, 299.5, "opportunity", "deal-a"), ("bo", "mql", 320, 299.5, "opportunity", "deal-a"),
              ("cy", "mql", 320, 310, "out", None), ("di", "mql", 5, None, None, None)]
    table = estimate(drawn(entries_of(*people, *FOUR), won_deals(1_000.0)))
    # two of three became half a deal each, after 20 days; then half of the deals are won on day 10, a quarter on day 40
    assert table.loc["mql", "rate"] == pytest.approx(2 / 3 * 1 / 2)
    assert table.loc["mql", "value"] == pytest.approx(1 / 3 * 3 / 4 * 1_000)
    assert table.loc["mql", "under_way_value"] == pytest.approx(1 / 3 * 3 / 4 * 1_000, abs=0.01)
    late = dataclasses.replace(AGREEMENT, fiscal_year_starts=12)
    assert estimate(drawn(entries_of(*people, *FOUR), won_deals(1_000.0), agreement=late)).loc[
        "mql", "under_way_value"] == pytest.approx(1 / 3 * 1 / 2 * 1_000, abs=0.01)


def test_draws_expect_newcomers_at_the_pace_of_the_last_three_months():
    # of 92 days' three new deals, one carried on a person; a deal is won on day 10 for sure
    entries = entries_of(*won_after(10.5, 300, "a"), *won_after(10.5, 80, "b"), *won_after(10.5, 40, "c"),
                         *won_after(10.5, 20, "d"), ("ann", "mql", 41, 40, "opportunity", "deal-c"),
                         ("bo", "mql", 200, 199, "out", None))
    draws = drawn(entries, won_deals(1_000.0), n_resamples=2_000)
    table = estimate(draws)
    # an entry on day i from now has 61 - i days left: 51 of the 61 days leave it ten
    assert table.loc["opportunity", "to_come_value"] == pytest.approx(2 / 92 * 51 * 1_000, abs=0.01)
    # a person becomes a deal after a day, that is won after ten: 50 days, half of the people do
    assert table.loc["mql", "to_come_value"] == pytest.approx(1 / 92 * 50 * 1_000 / 2, abs=0.01)
    # the deals are won for sure: all that scatters is how many come, as Poisson's law has it
    scattered = draws.loc[(draws["stage"] == "opportunity") & (draws["draw"] > 0), "to_come_value"]
    assert scattered.var() == pytest.approx(2 * (51 * 1_000 / 92) ** 2, rel=0.1)


def test_draws_count_a_newcomer_once_a_lifecycle_where_it_came_in():
    entries = entries_of(("ann", "mql", 50, 49, "sql", None), ("ann", "sql", 49, 48, "mql", None),
                         ("ann", "mql", 48, 47, "out", None), ("ann", "mql", 30, 29, "out", None),
                         ("bo", "mql", 40, 40, "sql", None), ("bo", "sql", 40, None, None, None),
                         *won_after(10.5, 80, "a"), ("deal-a", "opportunity", 60, None, None, None),
                         ("cy", "sql", 90, 80, "opportunity", "deal-a"), stages=NAMES[1:])
    lifecycle = entries["n_entry"].mask(entries["record_id"] == "ann", pd.Series([1, 1, 2, 3]))
    entries = entries.assign(lifecycle=lifecycle.astype(int), is_imputed=entries.index == 4)
    fresh = _list_fresh(entries.sample(frac=1, random_state=5), AGREEMENT, AGREEMENT.local_day(AS_OF))
    assert sorted(zip(fresh["record_id"], fresh["stage"], fresh["lifecycle"], strict=True)) == [
        ("ann", "mql", 1), ("ann", "mql", 2), ("ann", "mql", 3), ("bo", "sql", 1), ("cy", "sql", 1),
        ("deal-a", "opportunity", 2)]


def test_draws_do_not_follow_what_is_imputed_or_contradicts_itself():
    entries = entries_of(*FOUR, ("deal-x", "opportunity", 300, 301, "out", None),
                         ("ann", "mql", 300, 300, "opportunity", "deal-a"))
    entries = entries.assign(is_imputed=entries["record_id"] == "ann")
    table = estimate(drawn(entries, won_deals(1_000.0)))
    assert table.loc["opportunity", "rate"] == 3 / 4 and np.isnan(table.loc["mql", "rate"])
    assert np.isnan(table.loc["mql", "value"]) and table.loc["mql", "under_way_value"] == 0.0


@given(st.lists(st.tuples(st.sampled_from(["won", "lost", "open"]), st.integers(0, 15) | st.integers(0, 200),
                          st.integers(0, 15) | st.integers(0, 100)), min_size=1, max_size=12), st.integers(1, 12))
def test_draws_are_those_of_a_loop_over_days(deals, fiscal_year_starts):
    agreement = dataclasses.replace(AGREEMENT, fiscal_year_starts=fiscal_year_starts)
    rows = [_deal(kind, days, wait, str(n)) for n, (kind, days, wait) in enumerate(deals)]
    amounts = {str(n): float(n + 1) for n, deal in enumerate(deals) if deal[0] == "open"}
    table = drawn(entries_of(*[row for deal in rows for row in deal]), won_deals(50.0, **amounts), agreement=agreement,
                  n_resamples=3)
    assert len(table) == 4 * 3 and (table["under_way_value"] >= 0).all()
    days_left = year_so_far(won_deals(), agreement, as_of=AS_OF)["days_left"].iloc[0]
    spans = [(kind, days if kind == "open" else wait) for kind, days, wait in deals]
    expected = sum(amounts[str(n)] * _chance(spans, days, days + days_left)
                   for n, (kind, days, _) in enumerate(deals) if kind == "open")
    assert estimate(table).loc["opportunity", "under_way_value"] == pytest.approx(expected, abs=0.01)
    assert estimate(table).loc["opportunity", "rate"] == pytest.approx(_chance(spans, -1, 300))


def _deal(kind, days, wait, name):
    if kind == "open":
        return open_since(days + 0.25, name)
    return (won_after if kind == "won" else lost_after)(wait + 0.25, wait + days + 1, name)


def _chance(spans, age, until):
    """Follow somebody of some whole days day by day: the chance to be won by the day `until`."""
    here, won = 1.0, 0.0
    for day in range(age + 1, until + 1):
        at_risk = [kind for kind, span in spans if span >= day]
        ended = [kind for kind, span in spans if span == day and kind != "open"]
        if at_risk:
            won += here * ended.count("won") / len(at_risk)
            here *= 1 - len(ended) / len(at_risk)
    return won


def many(n=400):
    """Make a funnel of people and deals, some of whom wait; every fourth deal is two people's."""
    rng = np.random.default_rng(7)
    rows = []
    for k in range(n):
        age, wait, cycle = rng.uniform(1, 600), rng.exponential(40), rng.exponential(60)
        kind = rng.choice(["deal", "out"])
        if wait > age:
            rows += [(f"p{k}", "mql", age, None, None, None)]
        elif kind == "out":
            rows += [(f"p{k}", "mql", age, age - wait, "out", None)]
        else:
            rows += [(f"p{k}", "mql", age, age - wait, "opportunity", f"deal-{k}")]
            rows += [(f"q{k}", "mql", age + 1, age - wait, "opportunity", f"deal-{k}")] * (k % 4 == 0)
            rows += won_after(cycle, age - wait, k) if cycle < age - wait and k % 3 else open_since(age - wait, k)
    return entries_of(*rows)


@pytest.fixture(scope="module")
def company():
    entries = many()
    won = entries.loc[entries["stage"] == "customer", "record_id"]
    deals = entries.loc[entries["stage"] == "opportunity", "record_id"]
    return entries, deals_of(opportunity_id=deals.tolist(), value=np.linspace(500, 9_000, len(deals)).round(2),
                             is_won=deals.isin(won).tolist(), is_closed=deals.isin(won).tolist(),
                             close_on="2026-09-01")


def test_draws_are_worth_what_stage_values_says(company):
    entries, deals = company
    draws = drawn(entries, deals, n_resamples=200)
    values = stage_values(entries, deals, agreement=AGREEMENT, as_of=AS_OF, n_resamples=200)
    by_stage = draws.pivot(index="draw", columns="stage", values="value")
    assert by_stage.iloc[0].tolist() == pytest.approx(values["value"].tolist(), abs=0.01)
    assert by_stage[1:].quantile(0.975).tolist() == pytest.approx(values["value_high"].tolist(), abs=0.01)
    assert by_stage[1:].quantile(0.025).tolist() == pytest.approx(values["value_low"].tolist(), abs=0.01)


def test_draws_do_not_depend_on_the_order_of_rows_nor_on_a_deal_made_later(company):
    entries, deals = company
    table = drawn(entries, deals)
    pd.testing.assert_frame_equal(table, drawn(entries.sample(frac=1, random_state=3), deals.sample(frac=1)))
    assert not table.equals(drawn(entries, deals, seed=1))
    later = dataclasses.replace(AGREEMENT, targets={})
    pd.testing.assert_frame_equal(table, drawn(entries, deals, agreement=later))


def test_draws_scatter_around_the_estimate(company):
    draws = drawn(*company, n_resamples=400)
    means, now = draws[draws["draw"] > 0].groupby("stage", observed=True).mean(), estimate(draws)
    for column in ("value", "under_way_value", "to_come_value"):
        assert means[column].tolist() == pytest.approx(now[column].tolist(), rel=0.05)


def test_draws_of_nobody_are_blank():
    entries = entries_of()
    draws = drawn(entries, won_deals(), n_resamples=2)
    assert draws["draw"].tolist() == [0, 1, 2] * 3 and draws[["rate", "value"]].isna().all(axis=None)
    assert (draws[["under_way_value", "to_come_value"]] == 0).all(axis=None)
    steps = list_steps(entries, agreement=AGREEMENT, as_of=AS_OF)
    rates = transition_rates(draws, steps)
    assert rates["n"].tolist() == [0, 0] and rates["lag_days"].isna().all() and rates["rate"].isna().all()
    standing = stage_standing(entries, rates, agreement=AGREEMENT, as_of=AS_OF)
    assert standing["latest_entry_on"].isna().tolist() == [True, True, False]
    so_far = year_so_far(won_deals(), AGREEMENT, as_of=AS_OF)
    assert plan_backwards(draws, standing, so_far)["needed"].isna().all()
    assert revenue_forecast(draws, so_far, won_deals())["value"].tolist() == [0.0] * 6
    assert what_would_it_take(draws, rates, standing, so_far)["difference"].tolist() == pytest.approx(
        [np.nan, np.nan, 0, 0, 0], nan_ok=True)


def test_draws_of_a_funnel_of_the_won_stage_alone_are_the_average_deal():
    entries = entries_of(("deal-a", "customer", 9, None, None, None), stages=("customer",))
    draws, deals = drawn(entries, won_deals(1_000.0, 3_000.0), n_resamples=9), won_deals(1_000.0, 3_000.0)
    rates = transition_rates(draws, list_steps(entries, agreement=AGREEMENT, as_of=AS_OF))
    standing = stage_standing(entries, rates, agreement=AGREEMENT, as_of=AS_OF)
    so_far = year_so_far(deals, AGREEMENT, as_of=AS_OF)
    assert estimate(draws)["value"].tolist() == [2_000.0] and len(rates) == 0 and len(standing) == 1
    assert plan_backwards(draws, standing, so_far)["needed"].tolist() == [96_000 / 2_000]
    assert revenue_forecast(draws, so_far, deals)["value"].tolist() == [4_000.0, 4_000.0]
    assert what_would_it_take(draws, rates, standing, so_far)["lever"].tolist() == ["average deal"]


# rates, standing

def test_transition_rates_sum_up_the_draws_and_the_steps():
    entries = entries_of(*FOUR, *open_since(15.2, "young"), *open_since(800, "ancient"))
    steps = list_steps(entries, agreement=AGREEMENT, as_of=AS_OF)
    draws = drawn(entries, won_deals(1_000.0), n_resamples=200)
    rates = transition_rates(draws, steps)
    assert rates[["from_stage", "to_stage", "n"]].to_numpy().tolist() == [
        ["mql", "opportunity", 0], ["opportunity", "customer", 5]]
    assert rates["lag_days"].tolist() == pytest.approx([np.nan, 10.5], nan_ok=True)
    resampled = draws.loc[(draws["stage"] == "opportunity") & (draws["draw"] > 0), "rate"]
    assert rates.loc[1, ["rate_low", "rate_high"]].tolist() == pytest.approx(np.percentile(resampled, [2.5, 97.5]))
    assert rates.loc[1, "rate"] == estimate(draws).loc["opportunity", "rate"]


def test_stage_standing_counts_who_is_there_and_who_came_of_late():
    entries = entries_of(("ann", "mql", 100, 95, "opportunity", "deal-a"), ("bo", "mql", 91.9, None, None, None),
                         ("cy", "mql", 92.1, None, None, None), ("di", "mql", 90, 85, "out", None),
                         ("di", "mql", 5, None, None, None), *won_after(30, 80, "a"))
    rates = pd.DataFrame({"lag_days": [20.5, 41.0]})
    table = stage_standing(entries, rates, agreement=AGREEMENT, as_of=AS_OF)
    assert table["stage"].tolist() == ["mql", "opportunity", "customer"]
    assert table["n_under_way"].tolist() == [3, 0, 0]
    # August to October have 92 days; di came twice
    assert table["pace_per_month"].tolist() == pytest.approx([1, 1 / 3, 1 / 3])
    assert [str(on.date()) for on in table["latest_entry_on"]] == ["2026-10-30", "2026-11-20", "2026-12-31"]
    assert table["is_too_late"].tolist() == [True, False, False]
    assert table["carried_share"].tolist() == pytest.approx([np.nan, 1.0, 1.0], nan_ok=True)


def test_stage_standing_tells_what_came_from_the_stage_before():
    # two people became one deal, another deal came by itself; both were won, one of them long ago
    entries = entries_of(("ann", "mql", 100, 95, "opportunity", "deal-a"),
                         ("bo", "mql", 100, 95, "opportunity", "deal-a"), ("cy", "mql", 50, None, None, None),
                         *won_after(30, 95, "a"), *open_since(60, "b"), *won_after(30, 900, "c"))
    table = stage_standing(entries, pd.DataFrame({"lag_days": [1.0, 1.0]}), agreement=AGREEMENT, as_of=AS_OF)
    assert table["carried_share"].tolist() == pytest.approx([np.nan, 0.5, 1.0], nan_ok=True)


def test_stage_standing_takes_the_last_whole_months():
    entries = entries_of(("ann", "mql", 0, None, None, None), ("bo", "mql", 20, None, None, None),
                         ("cy", "mql", 109, None, None, None), ("di", "mql", 112, None, None, None))
    middle = AS_OF - pd.Timedelta(days=20)
    table = stage_standing(entries, pd.DataFrame({"lag_days": [1.0, 1.0]}), agreement=AGREEMENT, as_of=middle)
    assert table["pace_per_month"].tolist() == [pytest.approx(2 / 3), 0.0, 0.0]


# the forecast, the levers

def test_forecast_adds_what_is_booked_under_way_and_to_come():
    draws = draws_of(RATES, RATES, under_way=(1, 20, 300, 4_000, 0), to_come=(10_000, 50, 600, 7_000, 0))
    table = revenue_forecast(draws, so_far_of(booked=500_000.0), won_deals(1_000.0))
    assert table[["part", "stage"]].to_numpy().tolist() == [
        ["booked", "all"], *[["under way", stage] for stage in NAMES[:-1]],
        *[["to come", stage] for stage in NAMES[:-1]], ["in all", "all"]]
    assert numbers(table, "value") == [500_000.0, 1.0, 20.0, 300.0, 4_000.0, 10_000.0, 50.0, 600.0, 7_000.0, 521_971.0]
    assert table.loc[0, ["value_low", "value_high"]].tolist() == [500_000.0, 500_000.0]


def test_forecast_intervals_are_those_of_luck():
    # 25 deals of 1,000 expected: Poisson's 2.5 % and 97.5 % points are 16 and 35; of 500 and 1,500 it scatters more
    draws = draws_of(*[RATES] * 4_001, under_way=(0, 0, 0, 25_000, 0))
    even, uneven = (revenue_forecast(draws, so_far_of(booked=7_000.0), won_deals(*values)).iloc[[4, -1]]
                    for values in ([1_000.0], [500.0, 1_500.0]))
    assert even[["value_low", "value_high"]].to_numpy().tolist() == [[16_000.0, 35_000.0], [23_000.0, 42_000.0]]
    spread = 1.96 * np.sqrt(25 * (500 ** 2 + 1_500 ** 2) / 2)
    assert uneven["value_low"].tolist() == pytest.approx([25_000 - spread, 32_000 - spread], abs=600)
    assert uneven["value_high"].tolist() == pytest.approx([25_000 + spread, 32_000 + spread], abs=600)


def test_forecast_takes_the_deals_of_the_last_months_in_whatever_order():
    draws, deals = draws_of(*[RATES] * 101, under_way=(0, 0, 0, 25_000, 0)), won_deals(500.0, 900.0, 4_000.0)
    table = revenue_forecast(draws, so_far_of(), deals)
    pd.testing.assert_frame_equal(revenue_forecast(draws, so_far_of(), deals[::-1]), table)
    old = won_deals(70_000.0).assign(close_on=pd.Timestamp("2026-07-31").as_unit("us"))
    more = pd.concat([deals, old], ignore_index=True)
    pd.testing.assert_frame_equal(revenue_forecast(draws, so_far_of(), more, n_months=3),
                                  revenue_forecast(draws, so_far_of(), deals, n_months=3))
    assert not revenue_forecast(draws, so_far_of(), more).equals(table)


def test_forecast_has_no_interval_without_deals_to_go_by():
    draws = draws_of(RATES, RATES, under_way=(0, 0, 0, 25_000, 0))
    table = revenue_forecast(draws, so_far_of(booked=7_000.0), won_deals())
    assert table.loc[table["part"] == "in all", "value"].tolist() == [32_000.0]
    assert table["value_low"].isna().tolist() == [False, *[False] * 3, True, *[False] * 4, True]


def test_levers_change_one_thing_at_a_time():
    draws = draws_of(RATES, under_way=(1_000, 2_000, 3_000, 4_000, 0), to_come=(100, 200, 300, 400, 0))
    rates = pd.DataFrame({"from_stage": NAMES[:-1], "rate": RATES[:-1], "rate_high": [0.6, 0.3, 0.25, 0.8]})
    table = what_would_it_take(draws, rates, standing_of(60, 30, 20, 10, 5), so_far_of(target=100_000, booked=80_000.0))
    assert table[["lever", "stage"]].to_numpy().tolist() == [
        *[["rate", stage] for stage in NAMES[:-1]], *[["pace", stage] for stage in NAMES[:-1]],
        ["average deal", "customer"]]
    assert numbers(table, "forecast") == [91_000.0] * 9
    # still to pass: 1,100; 3,300; 6,600; 11,000. still to enter: 100; 1,300; 3,600; 7,000
    assert numbers(table, "difference") == [220.0, 1_650.0, 0.0, 11_000.0, 10.0, 130.0, 360.0, 700.0, 1_100.0]
    assert numbers(table, "forecast_then")[:2] == [91_220.0, 92_650.0]
    assert numbers(table, "gap_share") == pytest.approx(table["difference"] / 9_000)
    # one entry is worth 100, 200, 1,000, 4,000, 10,000; 60, 30, 20, 10, 5 a month are 72,000, 72,000, 240,000, 480,000
    # and 600,000 a year
    assert numbers(table, "year_value") == [600_000.0] * 9
    assert numbers(table, "year_difference") == pytest.approx(
        [14_400, 36_000, 0, 480_000, 7_200, 7_200, 24_000, 48_000, 60_000])
    assert numbers(table, "now") == [*RATES[:-1], 60.0, 30.0, 20.0, 10.0, 10_000.0]
    assert numbers(table, "then") == pytest.approx([0.6, 0.3, 0.25, 0.8, 66, 33, 22, 11, 11_000])


@pytest.mark.parametrize("target", [np.nan, 90_000.0])
def test_levers_close_no_gap_where_there_is_none(target):
    draws = draws_of(RATES, to_come=(0, 10, 0, 10_990, 0)).sample(frac=1, random_state=1)
    rates = pd.DataFrame({"from_stage": NAMES[:-1], "rate": [0.5, 0.0, 0.25, 0.4], "rate_high": [0.6, 0.1, 0.25, 0.8]})
    table = what_would_it_take(draws, rates, standing_of(), so_far_of(target=target, booked=80_000.0), more=0.5)
    assert table["gap_share"].isna().all()
    assert numbers(table, "difference") == pytest.approx([0, np.nan, 0, 11_000, 0, 5, 5, 5_500, 5_500], nan_ok=True)
