import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from attribution.world import (
    CONTACT,
    LEAD,
    N_WEEKS,
    UNKNOWN,
    Factors,
    make_world,
    pick,
    read_plan,
    run_weeks,
    uniform,
)

PLAN = """
Growth
  Ads : Advertisement
    Search *
      Search ad | 2025-01 2025-12 | anyone .90 .60 | .90 .30 .30 .100 .10 | 5000
      Unseen ad | 2025-01 2025-12 | anyone .00 .60 | .90 .30 .30 .100 .10 | 4000
      Idle e-mail | 2025-01 2026-06 | known .80 .50 | .00 .00 .00 .000 .00 | 3000
      Late ad | 2026-03 2026-06 | anyone .80 .60 | .90 .30 .30 .100 .10 | -
  Care : Email
    Deals
      Banner | 2025-01 2026-12 | deals .90 .50 | .00 .00 .00 .000 .00 | 2000
      Offer | 2025-01 2026-12 | customers .90 .50 | .00 .00 .00 .050 .20 | 1000
"""
SEARCH, UNSEEN, IDLE, LATE, BANNER, OFFER = 3, 4, 5, 6, 9, 10
TABLES = ("met", "entered", "opened", "closed")


@pytest.fixture(scope="module")
def world():
    return make_world(5, 60, 400, PLAN)


@pytest.fixture(scope="module")
def history(world):
    return run_weeks(world)


def in_plain_integers(seed, stream_code, *keys):
    size, state = 2**64, (seed + stream_code * 0x9E3779B97F4A7C15) % 2**64
    for key in keys:
        state = ((state ^ key % size) * 0xD1342543DE82EF95 + 0x9E3779B97F4A7C15) % size
        state = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) % size
        state = ((state ^ state >> 27) * 0x94D049BB133111EB) % size
        state ^= state >> 31
    return ((state >> 11) + 0.5) / 2**53


def test_uniform_is_the_hash_in_plain_integers():
    expected = [in_plain_integers(7, 0xCBF43926, key, -3) for key in (0, 1, 10**12)]    # the CRC-32 of "123456789"
    assert uniform(7, "123456789", np.array([0, 1, 10**12]), np.full(3, -3)).tolist() == expected


def test_uniform_spreads_evenly_and_streams_are_unrelated():
    keys = np.arange(100_000)
    draws, others = uniform(1, "one", keys), uniform(1, "other", keys)
    assert np.abs(np.bincount((draws * 10).astype(int)) - 10_000).max() < 5 * 95      # 5 standard deviations
    assert abs(np.corrcoef(draws, others)[0, 1]) < 5 / np.sqrt(100_000)
    assert abs(np.corrcoef(draws, uniform(2, "one", keys))[0, 1]) < 5 / np.sqrt(100_000)


def test_pick_takes_each_option_as_often():
    assert pick(["a", "b", "c"], np.array([0.0, 0.32, 0.34, 0.65, 0.67, 0.999])).tolist() == list("aabbcc")


def test_read_plan_reads_the_outline():
    plan = read_plan(PLAN)
    assert plan["campaign_name"].tolist() == ["Growth", "Ads", "Search", "Search ad", "Unseen ad", "Idle e-mail",
                                              "Late ad", "Care", "Deals", "Banner", "Offer"]
    assert plan["parent_id"].tolist() == [-1, 0, 1, 2, 2, 2, 2, 0, 7, 8, 8]
    assert plan["depth"].tolist() == [0, 1, 2, 3, 3, 3, 3, 1, 2, 3, 3]
    assert plan.loc[plan["books_cost"], "campaign_name"].tolist() == ["Search"]
    assert plan["channel"].tolist() == ["Other"] + ["Advertisement"] * 6 + ["Email"] * 4
    assert plan.loc[SEARCH, ["first_month", "last_month", "rule", "reach", "response_rate"]].tolist() == [
        "2025-01", "2025-12", "anyone", 0.9, 0.6]
    assert plan.loc[SEARCH, ["lead", "mql", "sql", "opportunity", "won", "cost"]].tolist() == [.9, .3, .3, .1, .1, 5000]
    assert np.isnan(plan.loc[LATE, "cost"])


def test_make_world_gives_every_company_somebody(world):
    assert len(world.people) == 400
    assert world.people["account_id"].is_monotonic_increasing
    assert world.people["account_id"].nunique() == 60


def test_make_world_schedules_meetings_while_the_campaign_runs(world):
    days = np.datetime64("2024-11-04") + 7 * world.meetings["week"].to_numpy()
    when = world.meetings.assign(day=days).groupby("campaign_id")["day"].agg(["min", "max"])
    assert when.loc[SEARCH, "min"] >= pd.Timestamp("2025-01-01")
    assert when.loc[SEARCH, "max"] <= pd.Timestamp("2025-12-31")
    assert UNSEEN not in when.index


@pytest.mark.parametrize(("arguments", "words"), [
    ((-1, 5, 10), "seed: -1 is negative"),
    ((1, 11, 10), "n_people: 10 is fewer than n_accounts, 11"),
    ((1, 0, 10), "n_people: 10 is fewer than n_accounts, 0, or that is not above 0"),
])
def test_make_world_refuses_what_cannot_be(arguments, words):
    with pytest.raises(ValueError, match=words):
        make_world(*arguments)


def test_run_weeks_is_the_same_twice(world, history):
    again = run_weeks(world)
    for name in TABLES:
        assert_frame_equal(getattr(history, name), getattr(again, name))


def test_switching_off_a_campaign_nobody_met_changes_nothing(world, history):
    without = run_weeks(world, frozenset([UNSEEN]))
    for name in TABLES:
        assert_frame_equal(getattr(history, name), getattr(without, name))


def test_switching_off_a_campaign_without_effect_changes_only_who_met_it(world, history):
    without = run_weeks(world, frozenset([IDLE]))
    assert history.met["campaign_id"].eq(IDLE).sum() > 50
    assert_frame_equal(without.met, history.met[history.met["campaign_id"] != IDLE].reset_index(drop=True))
    for name in TABLES[1:]:
        assert_frame_equal(getattr(history, name), getattr(without, name))


def test_switching_off_a_campaign_changes_nothing_before_it_began(world, history):
    without, first_week = run_weeks(world, frozenset([LATE])), world.campaigns.loc[LATE, "first_week"]
    assert first_week == 69                                       # 2 March 2026 is 483 days after 4 November 2024
    for name in TABLES:
        ours, theirs = (table[table["week"] < first_week] for table in (getattr(history, name), getattr(without, name)))
        assert len(ours) > 5
        assert_frame_equal(ours, theirs)
    assert len(without.entered) < len(history.entered)


def test_switching_off_what_works_costs_deals(world, history):
    without = run_weeks(world, frozenset([SEARCH, LATE]))
    assert history.closed["is_won"].sum() > 1.2 * without.closed["is_won"].sum() > 0


def test_a_person_is_at_one_stage_at_a_time(world, history):
    stages = np.where(world.people["was_contact"], CONTACT, np.where(world.people["was_lead"], LEAD, UNKNOWN))
    at = dict(enumerate(stages))
    for step in history.entered.itertuples():
        assert at[step.person_id] == step.from_stage
        at[step.person_id] = step.stage
    assert len(history.entered) > 300


def test_a_company_has_one_deal_in_work_at_a_time(history):
    deals = history.opened.merge(history.closed, on=["account_id", "n_deal"], how="left", suffixes=("", "_closed"),
                                 validate="1:1").sort_values(["account_id", "n_deal"])
    before = deals.groupby("account_id")["week_closed"].shift()
    assert (before.dropna() <= deals.loc[before.notna(), "week"]).all()
    assert before.notna().sum() > 10
    assert (deals["week_closed"] - deals["week"]).dropna().min() >= 6


def deal_in_work(deals, account, week):
    return any(opened < week and not closed < week for opened, closed in deals.get(account, []))


def test_a_campaign_meets_only_those_it_is_for(world, history):
    spans = history.opened.merge(history.closed, on=["account_id", "n_deal"], how="left", suffixes=("", "_closed"),
                                 validate="1:1").fillna({"week_closed": N_WEEKS})
    deals = {account: rows[["week", "week_closed"]].values.tolist() for account, rows in spans.groupby("account_id")}
    account = world.people["account_id"]
    met = history.met[history.met["campaign_id"] == BANNER]
    assert len(met) > 20
    assert all(deal_in_work(deals, account[row.person_id], row.week) for row in met.itertuples())
    won = history.closed[history.closed["is_won"]].groupby("account_id")["week"].min().to_dict()
    won |= dict.fromkeys(world.accounts.loc[world.accounts["was_customer"], "account_id"], -1)
    met = history.met[history.met["campaign_id"] == OFFER]
    assert len(met) > 20
    assert all(won[account[row.person_id]] < row.week for row in met.itertuples())


def test_who_stayed_away_was_known(world, history):
    first = history.entered.groupby("person_id")["week"].min()
    first = first.reindex(world.people["person_id"]).mask(world.people["was_lead"] | world.people["was_contact"], -1)
    away = history.met[~history.met["has_responded"]]
    assert len(away) > 200
    assert (first.loc[away["person_id"]].to_numpy() < away["week"]).all()


def test_nobody_meets_a_campaign_after_opting_out(world, history):
    opts_out = world.people["opts_out_week"]
    assert (opts_out < N_WEEKS).sum() > 5
    assert (history.met["week"] < opts_out.loc[history.met["person_id"]].to_numpy()).all()


def other_company(**factors):
    world = make_world(5, 60, 400, PLAN, Factors(**factors))
    return world, run_weeks(world)


def weeks_to_close(history):
    deals = history.opened.merge(history.closed, on=["account_id", "n_deal"], suffixes=("", "_closed"), validate="1:1")
    assert len(deals) > 20
    return deals["week_closed"] - deals["week"]


def test_factors_of_1_are_the_sample_company(world, history):
    other, theirs = other_company(cycle=1.0, reach=1.0, baseline=1.0)
    assert_frame_equal(other.meetings, world.meetings)
    for name in TABLES:
        assert_frame_equal(getattr(history, name), getattr(theirs, name))


@pytest.mark.parametrize(("cycle", "shortest", "longest"), [(0.4, 3, 14), (1.0, 6, 34)])
def test_cycle_sets_how_long_a_deal_lasts(cycle, shortest, longest):
    """At most cycle x 33 weeks, and at the least cycle x 9 of them, passed at the pace of 1.6 at which warmth ends."""
    weeks = weeks_to_close(other_company(cycle=cycle)[1])
    assert shortest <= weeks.min() and longest * 0.7 < weeks.max() <= longest


def test_reach_sets_how_many_may_meet_a_campaign_and_keeps_those_who_did(world):
    few, many = (other_company(reach=reach)[0].meetings for reach in (0.5, 1.1))
    sizes = [len(few), len(world.meetings), len(many)]
    assert sizes[0] == pytest.approx(0.5 * sizes[1], rel=0.1) and sizes[2] == pytest.approx(1.1 * sizes[1], rel=0.03)
    for fewer, more in ((few, world.meetings), (world.meetings, many)):
        assert len(fewer.merge(more, validate="1:1")) == len(fewer)


def test_baseline_sets_how_many_buy_without_any_campaign():
    none = frozenset([SEARCH, LATE, IDLE, BANNER, OFFER])
    opened = [len(run_weeks(make_world(5, 200, 800, PLAN, Factors(baseline=baseline)), none).opened)
              for baseline in (0.0, 0.5, 1.0, 2.0)]
    assert opened == sorted(opened) and opened[3] > 1.5 * opened[2] > 2 * opened[1] > 2 * opened[0]
