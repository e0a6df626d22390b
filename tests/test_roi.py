"""Returns at every node: each deal counted once, each euro in one row, and nothing infinite."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from conftest import conversions_of, costs_of, make, make_credit, path_of, whole_returns
from hypothesis import given
from hypothesis import strategies as st
from test_campaigns import climb, random_parents

from attribution.credit import share_credit
from attribution.entries import build_entries
from attribution.funnel import build_conversions
from attribution.journeys import build_journeys
from attribution.months import month_bounds
from attribution.roi import (
    at_depth,
    between,
    campaign_roi,
    channels,
    choose_model,
    count_name,
    credit_stages,
    credited_counts,
    cycle_days,
    extend_births,
    flag_too_early,
    leaves,
)
from attribution.tables import UTC, TableError


def row_of(returns, name):
    rows = returns[(returns["campaign_id"] == name) | (returns["path"] == name)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_campaign_roi_of_the_glossary_check(tree):
    # cost 10,000, value 50,000, margin 60 %: ROAS 5, ROI 4, ROMI 2
    returns = campaign_roi(make_credit(("d", "ads", 50000.0)), costs_of(ads=10000.0), tree, contribution_margin=0.6)
    for name in ("ads", "emea"):
        assert row_of(returns, name)[["roas", "roi", "romi"]].tolist() == [5.0, 4.0, 2.0]


def test_campaign_roi_without_margin_has_no_romi(tree):
    returns = campaign_roi(make_credit(("d", "ads", 50000.0)), costs_of(ads=10000.0), tree)
    assert returns["romi"].isna().all() and row_of(returns, "ads")["roi"] == 4.0


@pytest.mark.parametrize("cost", [0.0, np.nan])
def test_campaign_roi_of_a_cost_blank_or_zero_is_blank_and_never_infinite(tree, cost):
    counts = pd.DataFrame({"campaign_id": ["ads"], "count": ["n_mqls"], "n": [2.0]})
    returns = campaign_roi(make_credit(("d", "ads", 500.0)), costs_of(ads=cost), tree, counts=counts,
                           contribution_margin=0.6)
    assert returns[["roi", "romi", "roas", "cost_per_mqls"]].isna().all(axis=None)
    assert row_of(returns, "ads")["cost_with_children"] == 0.0 or np.isnan(cost)
    assert not np.isinf(returns.select_dtypes("number")).any(axis=None)


def test_campaign_roi_without_people_has_no_cost_per_stage(tree):
    counts = pd.DataFrame({"campaign_id": ["ads"], "count": ["n_mqls"], "n": [0.0]})
    returns = campaign_roi(make_credit(("d", "ads", 500.0)), costs_of(ads=100.0), tree, counts=counts)
    assert returns["cost_per_mqls"].isna().all()


def test_campaign_roi_adds_the_children_up(tree):
    credit = make_credit(("d", "slush", 100.10), ("d", "nordic", 50.05), ("e", "ads", 7.0), ("e", "emea", 1.0))
    returns = campaign_roi(credit, costs_of(slush=10.0, nordic=20.0, ads=3.0), tree)
    assert returns["path"].tolist() == ["EMEA", "EMEA > Ads", "EMEA > Fairs", "EMEA > Fairs > Nordic",
                                        "EMEA > Fairs > Slush", "(unattributed)"]
    assert returns["credit"].tolist() == [1.0, 7.0, 0.0, 50.05, 100.10, 0.0]
    assert returns["credit_with_children"].tolist() == [158.15, 7.0, 150.15, 50.05, 100.10, 0.0]
    assert returns["cost_with_children"].fillna(-1).tolist() == [33.0, 3.0, 30.0, 20.0, 10.0, -1]
    assert row_of(returns, "fairs")["roi"] == pytest.approx((150.15 - 30) / 30)


def test_campaign_roi_flags_a_cost_that_is_incomplete_and_leaves_an_unknown_one_blank(tree):
    returns = campaign_roi(make_credit(), costs_of(slush=900.0), tree)
    assert returns["is_cost_incomplete"].tolist() == [True, False, True, False, False, False]
    assert returns["cost_with_children"].fillna(-1).tolist() == [900.0, -1, 900.0, -1, 900.0, -1]
    assert returns["n_blank_below"].tolist()[:3] == [2, 0, 1]


def test_campaign_roi_counts_a_deal_touched_by_two_siblings_once_at_the_parent(tree):
    credit = make_credit(("d", "slush", 60.0), ("d", "slush", 20.0), ("d", "nordic", 20.0), ("e", "slush", 30.0),
                         ("e", "ads", 0.0))
    returns = campaign_roi(credit, costs_of(), tree).set_index("campaign_id")
    assert returns["influenced_value"].dropna().to_dict() == {
        "emea": 130.0, "ads": 30.0, "fairs": 130.0, "nordic": 100.0, "slush": 130.0}
    assert returns["n_deals"].to_dict() | {np.nan: 0} == {
        "emea": 2, "ads": 1, "fairs": 2, "nordic": 1, "slush": 2, np.nan: 0}


def test_campaign_roi_counts_people_once_at_each_node_and_every_response(tree):
    touches = pd.DataFrame([("slush", "ann"), ("slush", "ann"), ("nordic", "ann"), ("nordic", "bo"), ("ads", "bo")],
                           columns=["campaign_id", "person_id"], dtype="str").assign(kind="response")
    touches = touches.assign(kind=touches["kind"].where(touches["campaign_id"] != "ads", "membership"))
    returns = campaign_roi(make_credit(), costs_of(), tree, touches=touches).set_index("campaign_id")
    assert returns.loc[["emea", "fairs", "slush", "nordic", "ads"], "n_people"].tolist() == [2, 2, 1, 2, 1]
    assert returns.loc[["emea", "fairs", "slush"], "n_responses_with_children"].tolist() == [4, 4, 2]


def test_campaign_roi_gives_no_cost_per_lead_for_less_than_one(tree):
    counts = pd.DataFrame({"campaign_id": ["ads", "slush", "nordic"], "count": "n_leads", "n": [0.5, 1.0, 0.0]})
    returns = campaign_roi(make_credit(), costs_of(ads=9.0, slush=8.0, nordic=7.0), tree, counts=counts)
    per = returns.set_index("campaign_id")["cost_per_leads"]
    assert per[["emea", "fairs", "slush"]].tolist() == [16.0, 15.0, 8.0] and per[["ads", "nordic"]].isna().all()


def test_campaign_roi_splits_credit_by_the_opportunity_and_by_customer(tree):
    credit = make_credit(("d", "slush", 60.0, True), ("d", "slush", 40.0, False), ("e", "ads", 5.0, True))
    returns = campaign_roi(credit, costs_of(), tree, conversions=conversions_of(
        conversion_id=["d", "e"], value=[100.0, 5.0], is_new_customer=[True, False])).set_index("path")
    parts = ["sourced", "accelerated", "credit_new", "credit_existing"]
    assert returns.loc["EMEA > Fairs > Slush", parts].tolist() == [60.0, 40.0, 100.0, 0.0]
    assert returns.loc["EMEA", [f"{part}_with_children" for part in parts]].tolist() == [65.0, 40.0, 100.0, 5.0]


def test_campaign_roi_shows_the_unattributed_last_and_never_as_influenced(tree):
    credit = make_credit(("d", "slush", 60.0), ("e", None, 40.0), ("f", None, 2.5))
    returns = campaign_roi(credit, costs_of(slush=10.0), tree, conversions=conversions_of(
        conversion_id=["d", "e", "f"], value=[60.0, 40.0, 2.5], is_new_customer=[True, True, False]))
    last = returns.iloc[-1]
    assert last[["path", "campaign_name", "credit", "credit_with_children", "n_deals", "depth"]].tolist() == [
        "(unattributed)", "(unattributed)", 42.5, 42.5, 2, 0]
    assert last[["credit_new", "credit_existing"]].tolist() == [40.0, 2.5]
    assert last[["campaign_id", "cost_with_children", "roi", "influenced_value", "sourced", "accelerated"]].isna().all()
    assert "(unattributed)" not in set(at_depth(returns, 0)["path"]) | set(leaves(returns)["path"])


def test_campaign_roi_refuses_credit_to_an_unknown_campaign_and_of_an_unknown_deal(tree):
    credit = make_credit(("d", "slush", 60.0), ("e", "gone", 40.0))
    for on_orphan in ("raise", "leave_out"):
        with pytest.raises(TableError, match=r"campaign_id not found in campaigns in 1 of 2 rows \(first: gone\)"):
            campaign_roi(credit, costs_of(), tree, on_orphan=on_orphan)
    with pytest.raises(TableError, match=r"conversion_id not found in conversions in 1 of 1 rows \(first: d\)"):
        campaign_roi(credit.head(1), costs_of(), tree, conversions=conversions_of(conversion_id=["e"], value=40.0))


def test_campaign_roi_raises_on_an_orphan_unless_it_is_to_be_left_out(orphaned):
    with pytest.raises(TableError, match=r"parent_id not found in 1 of 5 rows \(first: fairs\)"):
        campaign_roi(make_credit(), costs_of(), orphaned)
    returns = campaign_roi(make_credit(), costs_of(), orphaned, on_orphan="leave_out")
    assert returns["path"].tolist() == ["EMEA", "EMEA > Ads", "(unattributed)"]


def test_campaign_roi_keeps_what_was_left_out_of_the_tree_in_one_row(orphaned):
    credit = make_credit(("d", "slush", 60.0), ("d", "nordic", 20.0), ("e", "ads", 30.0), ("f", None, 5.0))
    touches = pd.DataFrame({"campaign_id": ["slush", "nordic"], "person_id": "ann", "kind": "response"}, dtype="str")
    returns = campaign_roi(credit, costs_of(slush=10.0, fairs=2.0, ads=3.0, late=1.0), orphaned, on_orphan="leave_out",
                           touches=touches, pipeline=make_credit(("g", "slush", 7.0)))
    assert returns["path"].tolist() == ["EMEA", "EMEA > Ads", "(left out of the tree)", "(unattributed)"]
    out = returns.iloc[2]
    assert pd.isna(out["campaign_id"])
    assert out[["cost_with_children", "credit_with_children", "pipeline", "influenced_value", "n_deals", "n_people",
                "n_responses"]].tolist() == [13.0, 80.0, 7.0, 80.0, 1, 1, 2]
    assert returns.loc[returns["depth"] == 0, "credit_with_children"].sum() == 115.0


def test_campaign_roi_shows_the_cost_of_a_campaign_that_is_in_the_ledger_only(tree):
    returns = campaign_roi(make_credit(), costs_of(ads=3.0, late=1.5), tree)
    assert row_of(returns, "(left out of the tree)")["cost_with_children"] == 1.5


def test_campaign_roi_of_no_deals_at_all_has_every_column(tree, crm, agreement):
    full = whole_returns(crm, agreement)
    none = make_credit()
    returns = campaign_roi(none, costs_of(ads=3.0), tree, conversions=make("conversions"), pipeline=none,
                           touches=make("touches"), counts=pd.DataFrame({"campaign_id": [], "count": [], "n": []}))
    counts = {column for column in full if column.startswith(("n_", "cost_per_"))}
    counts -= {"n_deals", "n_people", "n_responses", "n_responses_with_children"}
    assert set(full.columns) - set(returns.columns) <= counts
    assert returns["credit_with_children"].tolist() == [0.0] * 6
    assert row_of(returns, "ads")["roi"] == -1.0


@st.composite
def random_month(draw):
    """A forest, and deals whose cents are shared among campaigns, or among none."""
    parents = draw(random_parents(12))
    deals = draw(st.lists(st.lists(st.tuples(st.sampled_from([None, *parents]), st.integers(0, 10**8), st.booleans()),
                                   min_size=1, max_size=4), max_size=6))
    rows = [(f"d{i}", id, cents / 100, early) for i, deal in enumerate(deals) for id, cents, early in deal]
    costs = draw(st.dictionaries(st.sampled_from(sorted(parents)),
                                 st.none() | st.integers(0, 10**8).map(lambda c: c / 100)))
    return parents, rows, costs


@given(random_month())
def test_roots_and_unattributed_are_the_total_and_every_node_is_the_sum_below_it(month):
    parents, rows, costs = month
    campaigns = make("campaigns", campaign_id=list(parents), parent_id=list(parents.values()))
    ids = sorted({id for id, *_ in rows})
    conversions = conversions_of(conversion_id=ids, value=0.0, is_new_customer=[i % 2 == 0 for i in range(len(ids))])
    returns = campaign_roi(make_credit(*rows), costs_of(**{id: np.nan if c is None else c for id, c in costs.items()}),
                           campaigns, conversions=conversions if ids else make("conversions"))
    def cents(column):
        return [int(c) for c in (returns[column] * 100).round().fillna(0)]
    assert sum(c for c, depth in zip(cents("credit_with_children"), returns["depth"], strict=True) if depth == 0) \
        == sum(round(credit * 100) for _, _, credit, _ in rows)
    named = returns["campaign_id"].notna()
    for a, b in (("sourced", "accelerated"), ("credit_new", "credit_existing")):
        for column in ("{}", "{}_with_children"):
            both = returns[column.format(a)] + returns[column.format(b)]
            assert (both - returns[column.format("credit")])[named].abs().max() < 0.005
    below = {id: {child for child in parents if id in climb(parents, child)} for id in parents}
    worth = {}
    for deal, _, credit, _ in rows:
        worth[deal] = worth.get(deal, 0) + round(credit * 100)
    for row in returns[named].itertuples():
        mine = [r for r in rows if r[1] in below[row.campaign_id]]
        assert round(row.credit_with_children * 100) == sum(round(r[2] * 100) for r in mine)
        assert round(row.influenced_value * 100) == sum(worth[deal] for deal in {r[0] for r in mine})
        known = [costs[id] for id in below[row.campaign_id] if costs.get(id) is not None]
        assert (round(row.cost_with_children, 2) == round(sum(known), 2)) if known else np.isnan(row.cost_with_children)


def test_campaign_roi_of_the_small_crm(crm, agreement):
    # d1 (1,000, role Ann): Ann's Slush of 1 March. d2 (600, role Ann): Slush, then Ads of 2 July, half each; both
    # before 15 July. d3 (expected 400, Beta's account): Ads of 10 June and Nordic of 21 October.
    returns = whole_returns(crm, agreement).set_index("campaign_id")
    assert returns["credit"].dropna().to_dict() | {np.nan: 0.0} == {
        "emea": 0.0, "ads": 300.0, "fairs": 0.0, "nordic": 0.0, "slush": 1300.0, np.nan: 0.0}
    assert returns.loc["emea", ["credit_with_children", "sourced_with_children", "accelerated_with_children",
                                "credit_new_with_children", "credit_existing_with_children"]].tolist() == [
        1600.0, 1600.0, 0.0, 1000.0, 600.0]
    assert returns.loc[["ads", "nordic", "emea"], "pipeline_with_children"].tolist() == [200.0, 200.0, 400.0]
    assert returns.loc["slush", ["roi", "roas"]].tolist() == pytest.approx([(1300 - 900) / 900, 1300 / 900])
    assert returns.loc["emea", "romi"] == pytest.approx((1600 * 0.6 - 1000) / 1000)


def test_credited_counts_add_up_to_the_people_of_each_stage(crm, agreement):
    returns = whole_returns(crm, agreement)
    # leads: Ann, Cy, Di; MQL and SQL: Ann and Cy; opportunities: three
    for name, n in (("n_leads", 3), ("n_mqls", 2), ("n_sqls", 2), ("n_opportunities", 3)):
        assert returns.loc[returns["depth"] == 0, f"{name}_with_children"].sum() == pytest.approx(n)
    assert row_of(returns, "slush")["cost_per_mqls"] == 900.0


def test_credited_counts_keep_every_stage_and_those_who_met_nothing(crm, agreement):
    entries = build_entries(crm, agreement)
    untouched = dataclasses.replace(crm, touches=crm.touches[crm.touches["person_id"] != "di"])
    stages = credit_stages(untouched, entries, agreement, "linear", linking="hybrid", lookback_days=365)
    october = credited_counts(stages, *month_bounds("2026-10", agreement))
    assert october.groupby("count")["n"].sum().to_dict() == {
        "n_leads": 1.0, "n_mqls": 0.0, "n_sqls": 0.0, "n_opportunities": 0.0}
    assert october.loc[october["campaign_id"].isna(), "n"].tolist() == [1.0]


def test_credit_stages_passes_over_a_stage_that_nobody_entered(crm, agreement):
    quiet = dataclasses.replace(crm, stage_changes=make("stage_changes"))
    stages = credit_stages(quiet, build_entries(quiet, agreement), agreement, "linear", linking="hybrid",
                           lookback_days=365)
    assert stages["stage"].drop_duplicates().tolist() == ["lead", "opportunity"]
    assert stages.groupby(["stage", "conversion_id"])["weight"].sum().tolist() == pytest.approx([1.0] * 6)


def test_credit_stages_takes_the_stages_named(crm, agreement):
    entries = build_entries(crm, agreement)
    whole, one = (credit_stages(crm, entries, agreement, "linear", linking="hybrid", lookback_days=365, stages=stages)
                  for stages in (None, ["mql"]))
    assert whole["stage"].nunique() == 4 and len(one) > 0
    pd.testing.assert_frame_equal(one, whole[whole["stage"] == "mql"].reset_index(drop=True))


def test_credit_stages_gives_a_lead_to_the_campaign_whose_membership_was_written_after_it(crm, agreement):
    born = pd.Timestamp("2026-03-01T10:00Z")
    people = crm.people.head(1).assign(lead_created_at=born)
    late = [born + pd.Timedelta(minutes=1), born + pd.Timedelta(days=1), born + pd.Timedelta(days=2)]
    touches = make("touches", touch_id=["t1", "t2", "t3"], person_id="ann", campaign_id=["slush", "ads", "nordic"],
                   touched_at=late, joined_at=late, kind="membership")
    small = dataclasses.replace(crm, people=people, touches=touches, stage_changes=make("stage_changes"),
                                opportunities=make("opportunities"))
    rows = credit_stages(small, build_entries(small, agreement), agreement, "linear", linking="hybrid",
                         lookback_days=365)
    assert rows[["campaign_id", "weight"]].to_numpy().tolist() == [["slush", 0.5], ["ads", 0.5]]
    assert (rows["converted_at"] == born).all()                          # the lead stays in its own month


TODAY = pd.Timestamp("2026-10-31")
CRM_TABLES = ("campaigns", "people", "accounts", "touches", "opportunities", "contact_roles", "stage_changes")


@pytest.mark.parametrize("seed", [1, 2])
def test_row_order_of_the_crm_tables_changes_nothing(crm, agreement, seed):
    shuffled = dataclasses.replace(crm, **{name: getattr(crm, name).sample(frac=1, random_state=seed)
                                           for name in CRM_TABLES})
    assert not shuffled.touches.index.equals(crm.touches.index)
    pd.testing.assert_frame_equal(whole_returns(shuffled, agreement), whole_returns(crm, agreement))


def test_an_orphan_moves_money_to_one_row_and_changes_no_other_campaign(crm, agreement, orphaned):
    before, after = whole_returns(crm, agreement), whole_returns(
        dataclasses.replace(crm, campaigns=orphaned), agreement, on_orphan="leave_out")
    assert row_of(after, "(left out of the tree)")["credit"] == 1300.0
    assert row_of(after, "ads")["credit"] == row_of(before, "ads")["credit"] == 300.0
    for column in ("credit_with_children", "pipeline_with_children", "n_mqls_with_children", "n_leads_with_children"):
        total = before.loc[before["depth"] == 0, column].sum()
        assert after.loc[after["depth"] == 0, column].sum() == pytest.approx(total)


def test_between_includes_both_ends():
    moments = pd.Series(pd.to_datetime(["2026-10-01", "2026-10-02", "2026-10-03", "2026-10-04"]))
    kept = between(pd.DataFrame({"at": moments}), "at", moments[1], moments[2])
    assert kept["at"].tolist() == moments[1:3].tolist()


@pytest.mark.parametrize(("stage", "name"),
                         [("lead", "n_leads"), ("opportunity", "n_opportunities"), ("mql", "n_mqls")])
def test_count_name(stage, name):
    assert count_name(stage) == name


def test_choose_model_gives_time_decay_the_reports_half_life(crm, agreement):
    *_, journeys, _ = path_of(crm, agreement)
    # d2's two touches: Slush of 28 February 22:00, Ads of 1 July 21:00 (UTC)
    days = (pd.Timestamp("2026-07-01T21:00") - pd.Timestamp("2026-02-28T22:00")).total_seconds() / 86400
    credit = share_credit(journeys, choose_model("time_decay", 90.0)).query("conversion_id == 'd2'")
    assert credit["weight"].tolist() == pytest.approx([2 ** (-days / 90) / (1 + 2 ** (-days / 90)),
                                                       1 / (1 + 2 ** (-days / 90))])
    first = share_credit(journeys, choose_model("first_touch", 90.0)).query("conversion_id == 'd2'")
    assert first["weight"].tolist() == [1.0, 0.0]


def test_choose_model_refuses_unknown_models_and_one_with_weights_of_its_own():
    with pytest.raises(ValueError, match="^model: 'lineer' is not one of first_touch, last_touch, linear"):
        choose_model("lineer", 30)
    with pytest.raises(ValueError, match="^model: position_based needs weights of its own"):
        choose_model("position_based", 30)


def test_cycle_days_is_the_median_from_first_touch_to_close(crm, agreement):
    *_, journeys, _ = path_of(crm, agreement)
    d1 = pd.Timestamp("2026-05-04T20:59:59.999999") - pd.Timestamp("2026-02-28T22:00")
    d2 = pd.Timestamp("2026-10-15T20:59:59.999999") - pd.Timestamp("2026-02-28T22:00")
    assert cycle_days(journeys) == pytest.approx((d1 + d2).total_seconds() / 2 / 86400)
    assert np.isnan(cycle_days(journeys.head(0)))


def test_flag_too_early_flags_what_began_less_than_a_cycle_ago(tree):
    returns = campaign_roi(make_credit(), costs_of(), tree)
    flags = flag_too_early(returns, tree, TODAY, 160.0).set_index("path")["is_too_early"]
    # Ads began 152 days before the end of October, Nordic 11; the parents are as old as their oldest part
    assert flags.to_dict() == {"EMEA": False, "EMEA > Ads": True, "EMEA > Fairs": False, "EMEA > Fairs > Nordic": True,
                               "EMEA > Fairs > Slush": False, "(unattributed)": False}
    assert not flag_too_early(returns, tree, TODAY, np.nan)["is_too_early"].any()
    undated = tree.assign(starts_on=pd.NaT, created_at=pd.Timestamp("2026-10-01", tz="UTC")).astype(
        {"starts_on": "datetime64[us]", "created_at": UTC})
    flags = [flag_too_early(returns, undated, TODAY, days).set_index("path")["is_too_early"] for days in (30.0, 31.0)]
    assert [flag["EMEA > Ads"] for flag in flags] == [False, True]       # the record is 30 days old


def expected_path(crm, agreement, stage, worth):
    conversions = build_conversions(build_entries(crm, agreement), crm.opportunities, crm.contact_roles, stage=stage,
                                    worth=worth)
    journeys = build_journeys(crm.touches, conversions, crm.contact_roles, time_zone=agreement.time_zone)
    return conversions, share_credit(journeys)


def test_campaign_roi_on_mqls_shares_their_worth(crm, agreement):
    # Ann had met Slush and Cy Ads when they became MQLs: two at 250.00
    conversions, credit = expected_path(crm, agreement, "mql", 250.0)
    returns = campaign_roi(credit, costs_of(slush=100.0), crm.campaigns, conversions=conversions)
    assert returns.set_index("path")["credit"].to_dict() == {
        "EMEA": 0.0, "EMEA > Ads": 250.0, "EMEA > Fairs": 0.0, "EMEA > Fairs > Nordic": 0.0,
        "EMEA > Fairs > Slush": 250.0, "(unattributed)": 0.0}
    assert row_of(returns, "emea")["credit_with_children"] == 500.0 and row_of(returns, "slush")["roi"] == 1.5


def test_campaign_roi_on_opportunities_shares_their_worth_to_the_cent(crm, agreement):
    # d1: Slush; d2: Slush and Ads; d3: Ads; at 100.01 each, whatever their amounts
    conversions, credit = expected_path(crm, agreement, "opportunity", 100.01)
    returns = campaign_roi(credit, costs_of(), crm.campaigns, conversions=conversions)
    assert {name: row_of(returns, name)["credit_with_children"] for name in ("slush", "ads", "emea")} == {
        "slush": 150.02, "ads": 150.01, "emea": 300.03}


def test_campaign_roi_sets_no_pipeline_and_no_split_by_the_deal_beside_expected_money(crm, agreement):
    conversions, credit = expected_path(crm, agreement, "mql", 250.0)
    returns = campaign_roi(credit, costs_of(), crm.campaigns, conversions=conversions,
                           pipeline=make_credit(("d3", "ads", 400.0)))
    assert {"pipeline", "sourced", "accelerated"} & set(returns) == set() and "credit_new" in returns
    assert row_of(returns, "emea")["credit_with_children"] == 500.0


def test_campaign_roi_never_adds_expected_money_to_booked_money(tree):
    both = conversions_of(conversion_id=["d", "e", "f"], value=1.0, is_expected=[True, False, False])
    with pytest.raises(ValueError, match="conversions: 1 of 3 are worth expected money, the others booked money"):
        campaign_roi(make_credit(), costs_of(), tree, conversions=both)


@pytest.mark.parametrize(("rule", "until"), [
    ("person_created", "2026-10-26T21:59:59.999999Z"), ("lead_created", "2026-10-26T21:59:59.999999Z"),
    ("lead_status", "2026-10-25T10:00:00Z")])
def test_extend_births_adds_the_next_local_day_where_a_record_is_made(agreement, rule, until):
    born = conversions_of(conversion_id=["ann"], value=1.0).assign(        # the clocks go back on that day
        converted_at=pd.to_datetime(["2026-10-25T10:00:00Z"]).as_unit("us"))
    stages = (dataclasses.replace(agreement.stages[0], name="first", rule=rule), *agreement.stages[1:])
    extended = extend_births(born, dataclasses.replace(agreement, stages=stages), "first")
    assert extended["converted_at"].tolist() == [pd.Timestamp(until)]
    assert born["converted_at"].tolist() == [pd.Timestamp("2026-10-25T10:00:00Z")]


def test_channels_are_right_below_the_roots_or_are_the_roots():
    deep = pd.DataFrame({"campaign_id": ["prog", "ads", "search", None], "depth": [0, 1, 2, 0]})
    assert channels(deep)["campaign_id"].tolist() == ["ads"]
    assert channels(deep[deep["depth"] == 0])["campaign_id"].tolist() == ["prog"]
