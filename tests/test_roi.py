"""Returns at every node: each deal counted once, each euro in one row, and nothing infinite."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from conftest import AS_OF, make, make_credit
from hypothesis import given
from hypothesis import strategies as st
from test_campaigns import climb, random_parents

from attribution import sentences
from attribution.agreement import Agreement, Stage
from attribution.comparisons import (
    budget_against_actual,
    check_reconciled,
    compare_with_crm,
    crm_roi,
    list_deals,
    lookback_sensitivity,
    model_ranges,
    models_side_by_side,
    reconcile,
    shifts_to_test,
)
from attribution.costs import phase_costs
from attribution.credit import compare_models, share_credit
from attribution.funnel import build_conversions, build_entries, build_pipeline
from attribution.journeys import build_journeys
from attribution.months import check_month, headline, month_before, month_bounds, month_figures, monthly_bookings
from attribution.roi import (
    at_depth,
    between,
    campaign_roi,
    choose_model,
    count_name,
    credit_stages,
    credited_counts,
    cycle_days,
    flag_too_early,
    leaves,
)
from attribution.sentences import indent
from attribution.tables import UTC, TableError


def costs_of(**costs):
    return pd.DataFrame({"campaign_id": pd.Series(list(costs), dtype="str"),
                         "cost": pd.Series(list(costs.values()), dtype=float)})


def conversions_of(**columns):
    return make("conversions", converted_at="2026-10-15T12:00:00Z", **columns)


def row_of(returns, name):
    rows = returns[(returns["campaign_id"] == name) | (returns["path"] == name)]
    assert len(rows) == 1
    return rows.iloc[0]


def path_of(crm, agreement, model="linear"):
    """Walk the whole path of the small CRM: entries, conversions, journeys, credit."""
    entries = build_entries(crm, agreement)
    conversions = build_conversions(entries, crm.opportunities, crm.contact_roles)
    journeys = build_journeys(crm.touches, conversions, crm.contact_roles, time_zone=agreement.time_zone)
    return entries, conversions, journeys, share_credit(journeys, model)


def whole_returns(crm, agreement, on_orphan="raise"):
    entries, conversions, _, credit = path_of(crm, agreement)
    pipeline = build_pipeline(entries, crm.opportunities, crm.contact_roles, as_of=crm.as_of)
    open_credit = share_credit(build_journeys(crm.touches, pipeline, crm.contact_roles, time_zone=agreement.time_zone))
    stages = credit_stages(crm, entries, agreement, "linear", linking="hybrid", lookback_days=365)
    return campaign_roi(credit, costs_of(slush=900.0, nordic=100.0), crm.campaigns, conversions=conversions,
                        pipeline=open_credit, counts=credited_counts(stages), touches=crm.touches,
                        contribution_margin=0.6, on_orphan=on_orphan)


# campaign_roi ---------------------------------------------------------------------------------------------------------

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


@pytest.fixture
def orphaned(tree):
    """Fairs hangs on a campaign that was not exported; Slush and Nordic go with it."""
    return tree.assign(parent_id=tree["parent_id"].mask(tree["campaign_id"] == "fairs", "gone"))


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


# the whole path on the small CRM ----------------------------------------------------------------------------------

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


# one month --------------------------------------------------------------------------------------------------------

def figures_of(table):
    return table.set_index("figure")["value"].to_dict()


@pytest.fixture
def october(crm, agreement):
    entries, conversions, _, credit = path_of(crm, agreement)
    costs = phase_costs(crm.campaigns, pd.Timestamp("2026-11-02"))
    return figures_of(month_figures("2026-10", agreement, entries, conversions, credit, costs, crm.campaigns))


def test_month_figures_of_october(october):
    # won: d2, 600, of an existing customer; cost: Nordic's 100 lie in 20-29 October, Slush's 900 in March; entries: Di
    assert {name: october[name] for name in ("won_value", "n_won", "attributed_value", "unattributed_value", "cost",
                                             "n_new_customers", "n_leads", "n_mqls", "n_sqls", "n_opportunities")} == {
        "won_value": 600.0, "n_won": 1, "attributed_value": 600.0, "unattributed_value": 0.0, "cost": 100.0,
        "n_new_customers": 0, "n_leads": 1, "n_mqls": 0, "n_sqls": 0, "n_opportunities": 0}
    assert october["roi"] == 5.0 and october["romi"] == pytest.approx(2.6) and october["attributed_share"] == 1.0
    assert october["cost_per_leads"] == 100.0
    assert np.isnan(october["campaign_cac"]) and np.isnan(october["cost_per_mqls"])


def test_month_figures_of_a_month_of_nothing_and_of_unknown_costs(crm, agreement):
    entries, conversions, _, credit = path_of(crm, agreement)
    blank = phase_costs(crm.campaigns.assign(actual_cost=np.nan), pd.Timestamp("2026-11-02"))
    table = month_figures("2025-01", dataclasses.replace(agreement, contribution_margin=None), entries, conversions,
                          credit,
                          blank, crm.campaigns)
    figures = figures_of(table)
    assert figures["won_value"] == figures["n_won"] == figures["unattributed_value"] == 0
    assert [name for name in figures if np.isnan(figures[name])] == [
        "attributed_share", "cost", "roi", "romi", "campaign_cac", "cost_per_leads", "cost_per_mqls", "cost_per_sqls",
        "cost_per_opportunities"]


def test_month_figures_count_a_deal_closed_on_the_last_day_and_what_no_campaign_touched(crm, agreement):
    deals = crm.opportunities.assign(close_on=pd.Timestamp("2026-10-31"), is_won=True, is_closed=True)
    alone = dataclasses.replace(crm, opportunities=deals, touches=crm.touches[crm.touches["person_id"] == "cy"])
    entries, conversions, _, credit = path_of(alone, agreement)
    figures = figures_of(month_figures("2026-10", agreement, entries, conversions, credit,
                                       phase_costs(crm.campaigns, AS_OF.tz_localize(None).normalize()), crm.campaigns))
    assert [figures[name] for name in ("won_value", "attributed_value", "unattributed_value", "n_won",
                                       "n_new_customers")] == [
        2400.0, 800.0, 1600.0, 3, 2]
    assert figures["attributed_share"] == pytest.approx(1 / 3)
    assert figures["campaign_cac"] == 50.0


def test_month_figures_count_a_person_who_comes_again_in_the_first_month_only(crm, agreement):
    again = make("stage_changes", change_id=["h1", "h2", "h3"], record_type="lead", record_id="L1", person_id="ann",
                 from_stage=["Open", "MQL", "Open"], stage=["MQL", "Open", "MQL"],
                 changed_at=["2026-03-05", "2026-03-06", "2026-10-05"])
    entries = build_entries(dataclasses.replace(crm, stage_changes=again), agreement)
    assert entries.query("stage == 'mql'")["n_entry"].tolist() == [1, 2]
    none = make("conversions"), make_credit(), phase_costs(crm.campaigns, pd.Timestamp("2026-11-02")), crm.campaigns
    counted = [month_figures(month, agreement, entries, *none) for month in ("2026-03", "2026-10")]
    assert [figures_of(table)["n_mqls"] for table in counted] == [1, 0]


def table_of(**figures):
    return pd.DataFrame([(name, *about) for name, about in figures.items()], columns=["figure", "value", "unit"])


def test_headline_measures_change_and_plan():
    now = table_of(won_value=(150.0, "money"), roi=(0.5, "ratio"), attributed_share=(0.75, "share"),
                   n_won=(3.0, "count"),
                   cost=(10.0, "money"))
    before = table_of(won_value=(100.0, "money"), roi=(0.2, "ratio"), attributed_share=(0.5, "share"),
                      n_won=(0.0, "count"),
                      cost=(np.nan, "money"))
    rows = headline(now, before, {"won_value": 200.0}).set_index("figure")
    assert rows["change"].tolist() == pytest.approx([0.5, 0.3, 0.25, np.nan, np.nan], nan_ok=True)
    assert rows["plan_share"].tolist() == pytest.approx([0.75, *[np.nan] * 4], nan_ok=True)
    assert headline(now, before)["planned"].isna().all()


def test_monthly_bookings_show_months_without_deals_as_zero(crm, agreement):
    _, conversions, _, credit = path_of(crm, agreement)
    rows = monthly_bookings(conversions, credit, agreement, "2026-10", 7)
    assert rows["month"].tolist() == ["2026-04", "2026-05", "2026-06", "2026-07", "2026-08", "2026-09", "2026-10"]
    assert rows["attributed"].tolist() == [0, 1000.0, 0, 0, 0, 0, 600.0]
    assert rows["n_won"].tolist() == [0, 1, 0, 0, 0, 0, 1]
    assert rows["planned"].tolist() == pytest.approx([np.nan] * 6 + [1200.0], nan_ok=True)


def test_monthly_bookings_keep_the_unattributed_and_the_local_month(agreement):
    conversions = conversions_of(conversion_id=["d", "e"], value=[10.1, 20.2]).assign(
        converted_at=pd.to_datetime(["2026-09-30T21:30Z", "2026-09-30T20:59Z"]).as_unit("us"))
    rows = monthly_bookings(conversions, make_credit(("d", "ads", 4.1), ("d", None, 6.0), ("e", None, 20.2)), agreement,
                            "2026-10", 2)
    assert rows[["month", "attributed", "unattributed", "n_won"]].to_numpy().tolist() == [
        ["2026-09", 0.0, 20.2, 1], ["2026-10", 4.1, 6.0, 1]]


def test_monthly_bookings_of_nothing_are_zero_rows():
    rows = monthly_bookings(make("conversions"), make_credit(), Agreement(), "2026-01", 2)
    assert rows["month"].tolist() == ["2025-12", "2026-01"]
    assert rows[["attributed", "unattributed", "n_won"]].to_numpy().tolist() == [[0, 0, 0], [0, 0, 0]]
    assert rows["planned"].isna().all()


def test_month_bounds_and_the_month_before(agreement):
    assert month_bounds("2026-10", agreement) == (pd.Timestamp("2026-09-30T21:00Z"), AS_OF)
    assert month_before("2026-03") == "2026-02"


def test_between_includes_both_ends():
    moments = pd.Series(pd.to_datetime(["2026-10-01", "2026-10-02", "2026-10-03", "2026-10-04"]))
    kept = between(pd.DataFrame({"at": moments}), "at", moments[1], moments[2])
    assert kept["at"].tolist() == moments[1:3].tolist()


@pytest.mark.parametrize(("stage", "name"),
                         [("lead", "n_leads"), ("opportunity", "n_opportunities"), ("mql", "n_mqls")])
def test_count_name(stage, name):
    assert count_name(stage) == name


@pytest.mark.parametrize("month", ["2026-01", "2027-01", "2020-01"])
def test_check_month_names_the_months_there_are(crm, agreement, month):
    with pytest.raises(ValueError, match=rf"^month: {month} has no data; the export covers 2026-03 to 2026-11$"):
        check_month(crm, agreement, month)


def test_check_month_lets_every_month_of_the_export_pass(crm, agreement):
    assert [check_month(crm, agreement, month) for month in ("2026-03", "2026-10", "2026-11")] == [None] * 3


def test_check_month_of_an_export_without_rows_and_of_no_month(crm, agreement):
    empty = dataclasses.replace(crm, touches=make("touches"), opportunities=make("opportunities"))
    with pytest.raises(ValueError, match="2026-10 has no data; up to its end the export has no touch and no deal$"):
        check_month(empty, agreement, "2026-10")
    with pytest.raises(ValueError, match="month: 'October' is not a month like '2026-10'"):
        check_month(crm, agreement, "October")


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


# maturity, models, shifts -----------------------------------------------------------------------------------------

def test_cycle_days_is_the_median_from_first_touch_to_close(crm, agreement):
    *_, journeys, _ = path_of(crm, agreement)
    d1 = pd.Timestamp("2026-05-04T20:59:59.999999") - pd.Timestamp("2026-02-28T22:00")
    d2 = pd.Timestamp("2026-10-15T20:59:59.999999") - pd.Timestamp("2026-02-28T22:00")
    assert cycle_days(journeys) == pytest.approx((d1 + d2).total_seconds() / 2 / 86400)
    assert np.isnan(cycle_days(journeys.head(0)))


def test_flag_too_early_flags_what_began_less_than_a_cycle_ago(tree):
    returns = campaign_roi(make_credit(), costs_of(), tree)
    flags = flag_too_early(returns, tree, AS_OF, 160.0).set_index("path")["is_too_early"]
    # Ads began 152 days before the end of October, Nordic 11; the parents are as old as their oldest part
    assert flags.to_dict() == {"EMEA": False, "EMEA > Ads": True, "EMEA > Fairs": False, "EMEA > Fairs > Nordic": True,
                               "EMEA > Fairs > Slush": False, "(unattributed)": False}
    assert not flag_too_early(returns, tree, AS_OF, np.nan)["is_too_early"].any()
    undated = tree.assign(starts_on=pd.NaT, created_at=pd.Timestamp("2026-10-01", tz="UTC")).astype(
        {"starts_on": "datetime64[us]", "created_at": UTC})
    flags = [flag_too_early(returns, undated, AS_OF, days).set_index("path")["is_too_early"] for days in (30.0, 31.0)]
    assert [flag["EMEA > Ads"] for flag in flags] == [False, True]       # the record is 30.9 days old


@pytest.fixture
def compared():
    """Under first touch Slush gets 100 and Ads 20, under last touch Slush 60 and Ads 60; Nordic never gets anything."""
    return pd.DataFrame([("first", "slush", 100.0), ("first", "ads", 20.0), ("first", "nordic", 0.0),
                         ("first", None, 5.0),
                         ("last", "slush", 60.0), ("last", "ads", 60.0), ("last", "nordic", 0.0), ("last", None, 5.0)],
                        columns=["model", "campaign_id", "credit"]).assign(n_conversions=1)


def test_model_ranges_by_hand(tree, compared):
    returns = campaign_roi(make_credit(("d", "slush", 100.0), ("d", "ads", 20.0)), costs_of(slush=80.0, nordic=10.0),
                           tree)
    ranges = model_ranges(compared, returns, tree).set_index("campaign_id")
    assert ranges[["cost", "credit", "credit_low", "credit_high", "model_low",
                   "model_high"]].fillna(-1).T.to_dict("list") == {
        "emea": [90.0, 120.0, 120.0, 120.0, "first", "first"], "ads": [-1, 20.0, 20.0, 60.0, "first", "last"],
        "fairs": [90.0, 100.0, 60.0, 100.0, "last", "first"], "slush": [80.0, 100.0, 60.0, 100.0, "last", "first"]}
    assert ranges.loc["slush", ["roi_low", "roi_high"]].tolist() == [-0.25, 0.25]
    assert ranges.loc["ads", ["roi_low", "roi_high"]].isna().all()


def test_model_ranges_pass_over_what_was_left_out_of_the_tree(orphaned, compared):
    returns = campaign_roi(make_credit(("d", "slush", 100.0), ("d", "ads", 20.0)), costs_of(), orphaned,
                           on_orphan="leave_out")
    ranges = model_ranges(compared, returns, orphaned).set_index("campaign_id")
    assert ranges[["credit_low", "credit_high"]].T.to_dict("list") == {"emea": [20.0, 60.0], "ads": [20.0, 60.0]}


def test_model_ranges_of_nothing_are_empty(tree, crm, agreement):
    *_, journeys, _ = path_of(crm, agreement)
    returns = campaign_roi(make_credit(), costs_of(), tree)
    assert len(model_ranges(compare_models(journeys.head(0)), returns, tree)) == 0


def test_models_side_by_side_sum_to_the_same_total(tree, compared):
    rows = models_side_by_side(compared, tree)
    assert rows[["path", "first", "last"]].to_numpy().tolist() == [
        ["EMEA > Fairs > Slush", 100.0, 60.0], ["EMEA > Ads", 20.0, 60.0], ["(unattributed)", 5.0, 5.0],
        ["EMEA > Fairs > Nordic", 0.0, 0.0]]
    assert rows["campaign_id"].isna().tolist() == [False, False, True, False]
    assert rows["first"].sum() == rows["last"].sum() == 125.0


def test_models_side_by_side_names_what_was_left_out_of_the_tree(orphaned, compared):
    rows = models_side_by_side(compared, orphaned)
    assert rows.set_index("campaign_id").loc[["slush", "ads"], "path"].tolist() == ["(left out of the tree)",
                                                                                    "EMEA > Ads"]


def shift_tables(rows):
    """Make returns and ranges from (id, cost, credit_low, credit_high, too early, incomplete)."""
    table = pd.DataFrame(rows, columns=["campaign_id", "cost", "credit_low", "credit_high", "is_too_early",
                                        "is_cost_incomplete"])
    table = table.assign(campaign_name=table["campaign_id"].str.upper(), is_leaf=True, cost_with_children=table["cost"])
    returns = table.drop(columns=["credit_low", "credit_high", "cost"])
    ranges = table[table["credit_high"] > 0].assign(roi_low=table["credit_low"] / table["cost"] - 1,
                                                    roi_high=table["credit_high"] / table["cost"] - 1)
    return ranges.drop(columns=["is_too_early", "is_cost_incomplete", "cost_with_children"]), returns


def test_shifts_to_test_pair_the_largest_loser_with_the_largest_gainer():
    ranges, returns = shift_tables([
        ("loser", 1000.0, 200.0, 500.0, False, False),      # -80 % to -50 %
        ("silent", 2000.0, 0.0, 0.0, False, False),         # no credit under any model: -100 %
        ("small", 100.0, 10.0, 50.0, False, False),
        ("gainer", 400.0, 800.0, 1200.0, False, False),     # +100 % to +200 %, at least 400 more than its cost
        ("better", 50.0, 250.0, 300.0, False, False),       # +400 % to +500 %, at least 200 more than its cost
        ("early", 9000.0, 0.0, 10.0, True, False), ("unknown", 9000.0, 0.0, 10.0, False, True),
        ("unsure", 9000.0, 100.0, 20000.0, False, False)])
    shifts = shifts_to_test(ranges, returns, share=0.25)
    assert shifts[["from_id", "to_id", "amount", "from_name", "to_name"]].to_numpy().tolist() == [
        ["silent", "gainer", 100.0, "SILENT", "GAINER"], ["loser", "better", 12.5, "LOSER", "BETTER"]]
    assert shifts[["difference_low", "difference_high"]].to_numpy().tolist() == [
        [100 * (1.0 + 1.0), 100 * (2.0 + 1.0)], [12.5 * (4.0 + 0.5), 12.5 * (5.0 + 0.8)]]


def test_shifts_to_test_are_none_where_nobody_gains_or_nobody_loses():
    for rows in ([("loser", 100.0, 1.0, 5.0, False, False)], [("gainer", 100.0, 200.0, 300.0, False, False)], []):
        assert len(shifts_to_test(*shift_tables(rows))) == 0


# beside the CRM's own ---------------------------------------------------------------------------------------------

@pytest.fixture
def reasons():
    """Seven deals at seven companies, each with another reason to differ from its primary campaign source."""
    touches = make("touches", touch_id=["a1", "b1", "b2", "c1", "c2", "d1", "d2", "e1", "f1"],
                   person_id=["a", "b", "b", "c", "c2", "d", "d", "e", "f"],
                   account_id=["A", "B", "B", "C", "C", "D", "D", "E", "F"],
                   campaign_id=["slush", "slush", "ads", "slush", "ads", "slush", "ads", "ads", "slush"],
                   kind="response",
                   joined_at="2026-01-01",
                   touched_at=["2026-09-01"] * 5 + ["2020-01-01", "2026-09-01", "2026-09-01", "2026-09-01"])
    conversions = conversions_of(conversion_id=list("abcdefg"), account_id=list("ABCDEFG"), value=100.0)
    opportunities = make("opportunities", opportunity_id=list("abcdefg"), stage="Won", close_on="2026-10-15",
                         value=100.0,
                         is_won=True, is_closed=True, created_at="2026-09-15",
                         primary_campaign_id=["slush", "slush", "slush", "slush", "slush", None, "slush"])
    journeys = build_journeys(touches, conversions, linking="account")
    return compare_with_crm(conversions, journeys, share_credit(journeys), opportunities, touches)


def test_compare_with_crm_gives_every_reason(reasons):
    assert reasons.set_index("conversion_id")[["credit_to_primary", "difference", "reason"]].T.to_dict("list") == {
        "a": [100.0, 0.0, "agrees"], "b": [50.0, 50.0, "several campaigns"], "c": [50.0, 50.0, "several people"],
        "d": [0.0, 100.0, "outside the window"], "e": [0.0, 100.0, "another campaign's"],
        "f": [0.0, 100.0, "no source"],
        "g": [0.0, 100.0, "not touched"]}


def test_compare_with_crm_counts_touches_campaigns_and_people(reasons):
    counts = reasons.set_index("conversion_id")[["n_touches", "n_campaigns", "n_people"]]
    assert counts.loc[["a", "b", "c", "g"]].to_numpy().tolist() == [[1, 1, 1], [2, 2, 1], [2, 2, 2], [0, 0, 0]]


def test_compare_with_crm_knows_a_person_whom_the_linking_does_not_reach():
    touches = make("touches", touch_id=["t1", "t2"], person_id=["ann", "bo"], account_id="acme", kind="response",
                   campaign_id=["slush", "ads"], touched_at=["2026-09-01", "2026-09-02"], joined_at="2026-09-01")
    deal = conversions_of(conversion_id=["d"], account_id=["acme"], value=[10.0])
    deals = make("opportunities", opportunity_id=["d"], stage="Won", close_on="2026-10-15", created_at="2026-09-01",
                 primary_campaign_id=["ads"])
    roles = make("contact_roles", contact_role_id=["r"], opportunity_id=["d"], person_id=["ann"])
    journeys = build_journeys(touches, deal, roles)
    by_account = build_journeys(touches, deal, linking="account")
    assert compare_with_crm(deal, journeys, share_credit(journeys), deals, touches,
                            by_account)["reason"].tolist() == ["not linked"]


def test_compare_with_crm_does_not_say_of_a_worthless_deal_that_we_agree():
    touches = make("touches", touch_id=["t1"], person_id=["ann"], account_id="acme", kind="response",
                   campaign_id=["slush"], touched_at=["2026-09-01"], joined_at="2026-09-01")
    deal = conversions_of(conversion_id=["d"], account_id=["acme"], value=[0.0])
    deals = make("opportunities", opportunity_id=["d"], stage="Won", close_on="2026-10-15", created_at="2026-09-01",
                 primary_campaign_id=["ads"])
    journeys = build_journeys(touches, deal)
    assert compare_with_crm(deal, journeys, share_credit(journeys), deals, touches)["reason"].tolist() == [
        "another campaign's"]


def test_compare_with_crm_of_no_deals_is_empty(crm):
    journeys = build_journeys(crm.touches, make("conversions"), crm.contact_roles)
    assert len(compare_with_crm(make("conversions"), journeys, share_credit(journeys), crm.opportunities,
                                crm.touches)) == 0


def test_crm_roi_sets_won_by_primary_source_beside_ours(crm, agreement):
    _, conversions, journeys, credit = path_of(crm, agreement)
    compared = compare_with_crm(conversions, journeys, credit, crm.opportunities, crm.touches)
    rows = crm_roi(compared, whole_returns(crm, agreement), crm.campaigns).set_index("campaign_id")
    # the CRM gives all of d1 (1,000) to Slush and all of d2 (600) to Ads; ours gives Slush 1,300 and Ads 300
    assert rows[["crm_value", "credit", "difference"]].T.to_dict("list") == {
        "emea": [1600.0, 1600.0, 0.0], "ads": [600.0, 300.0, -300.0], "fairs": [1000.0, 1300.0, 300.0],
        "slush": [1000.0, 1300.0, 300.0]}
    assert rows.loc["slush", "crm_roi"] == pytest.approx((1000 - 900) / 900) and np.isnan(rows.loc["ads", "crm_roi"])


def test_reconcile_closes_to_the_cent(crm, agreement):
    lost = make("opportunities", opportunity_id=["d9"], stage="Lost", close_on="2026-10-20", created_at="2026-09-01",
                is_closed=True, value=77.0)
    crm = dataclasses.replace(crm, opportunities=pd.concat([crm.opportunities, lost], ignore_index=True))
    _, conversions, _, credit = path_of(crm, agreement)
    won = between(conversions, "converted_at", *month_bounds("2026-10", agreement))
    returns = campaign_roi(credit[credit["conversion_id"].isin(won["conversion_id"])], costs_of(), crm.campaigns)
    lines = reconcile(returns, crm.opportunities, pd.Timestamp("2026-10-01"), pd.Timestamp("2026-10-31"))
    assert lines.to_numpy().tolist() == [["EMEA", 600.0], ["(unattributed)", 0.0], ["Sum of the above", 600.0],
                                         ["Closed-won in the CRM", 600.0], ["Difference", 0.0]]


def test_reconcile_shows_a_difference_and_what_was_left_out_of_the_tree(crm, orphaned):
    returns = campaign_roi(make_credit(("d2", "slush", 599.99)), costs_of(), orphaned, on_orphan="leave_out")
    lines = reconcile(returns, crm.opportunities, pd.Timestamp("2026-10-01"), pd.Timestamp("2026-10-31"))
    assert lines.set_index("line")["value"].to_dict() == {
        "EMEA": 0.0, "(left out of the tree)": 599.99, "(unattributed)": 0.0, "Sum of the above": 599.99,
        "Closed-won in the CRM": 600.0, "Difference": -0.01}


def test_lookback_sensitivity_by_hand(crm, agreement):
    _, conversions, _, _ = path_of(crm, agreement)
    # d1 closed 65 days after Slush; d2 229 days after Slush and 106 after Ads
    rows = lookback_sensitivity(crm, conversions, linking="hybrid", time_zone="Europe/Helsinki",
                                windows=(30, 90, 180, None))
    assert rows["value_reached"].tolist() == [0.0, 1000.0, 1600.0, 1600.0]
    assert rows["n_touches"].tolist() == [0, 1, 2, 3]
    assert rows["share_reached"].tolist() == [0.0, 0.625, 1.0, 1.0]
    assert rows["n_reached"].tolist() == [0, 1, 2, 2]


def test_list_deals_sums_to_each_deal_and_names_its_campaigns(crm, agreement):
    alone = dataclasses.replace(crm, touches=crm.touches[crm.touches["touched_at"] > pd.Timestamp("2026-05-05T00:00Z")])
    _, conversions, journeys, credit = path_of(alone, agreement)
    rows = list_deals(conversions, journeys, credit, crm.campaigns)
    assert rows[["conversion_id", "value", "path", "n_touches", "weight", "credit"]].to_numpy().tolist() == [
        ["d1", 1000.0, "(unattributed)", 0, 1.0, 1000.0], ["d2", 600.0, "EMEA > Ads", 1, 1.0, 600.0]]
    assert rows["campaign_id"].isna().tolist() == [True, False]
    assert rows.loc[1, "first_touched_at"] == pd.Timestamp("2026-07-01T21:00Z")


def test_list_deals_adds_a_campaigns_touches_and_sets_the_largest_first(crm, agreement, orphaned):
    _, conversions, journeys, credit = path_of(crm, agreement)
    rows = list_deals(conversions, journeys, credit, orphaned)
    assert rows[["conversion_id", "path", "credit"]].to_numpy().tolist() == [
        ["d1", "(left out of the tree)", 1000.0], ["d2", "(left out of the tree)", 300.0], ["d2", "EMEA > Ads", 300.0]]
    assert (rows.groupby("conversion_id")["credit"].sum() == conversions.set_index("conversion_id")["value"]).all()


def test_budget_against_actual_by_hand(tree):
    rows = budget_against_actual(tree).set_index("campaign_id")
    assert rows.loc["fairs", ["budgeted_cost_with_children", "actual_cost_with_children",
                              "remaining"]].tolist() == [1500.0, 1000.0, 500.0]
    assert rows.loc["emea", "spent_share"] == pytest.approx(2 / 3) and rows.loc["slush", "spent_share"] == 0.9
    assert rows.loc["ads", ["budgeted_cost_with_children", "actual_cost_with_children", "remaining",
                            "spent_share"]].isna().all()


def test_budget_against_actual_tells_what_was_spent_where_nothing_was_budgeted(tree):
    spent = tree.assign(actual_cost=tree["campaign_id"].map({"ads": 70.0, "slush": 900.0, "nordic": 100.0}),
                        budgeted_cost=tree["campaign_id"].map({"slush": 1000.0}))
    rows = budget_against_actual(spent).set_index("campaign_id")["unplanned_with_children"]
    assert rows[["emea", "ads", "fairs", "slush", "nordic"]].tolist() == [170.0, 70.0, 100.0, 0.0, 100.0]
    whole = budget_against_actual(spent.assign(budgeted_cost=tree["campaign_id"].map({"emea": 1000.0})))
    assert (whole["unplanned_with_children"] == 0).all()                 # the programme's budget covers what is below


def test_check_reconciled_refuses_a_report_whose_money_does_not_add_up():
    lines = pd.DataFrame({"line": ["EMEA", "Sum", "CRM", "Difference"], "value": [5.0, 5.0, 5.01, -0.01]})
    with pytest.raises(TableError, match=r"sum to 5\.00, the CRM's closed-won to 5\.01: -0\.01 apart"):
        check_reconciled(lines)
    check_reconciled(lines.assign(value=[5.0, 5.0, 5.0, 0.0]))


def test_stages_of_the_companys_own_are_counted_by_their_name(crm):
    own = Agreement(stages=(Stage("hot", "sales", "lead_status", ("SQL",)), Stage("sale", "sales", "opportunity_won")))
    entries, conversions = build_entries(crm, own), make("conversions")
    figures = figures_of(month_figures("2026-08", own, entries, conversions, make_credit(),
                                       phase_costs(crm.campaigns, AS_OF.tz_localize(None)), crm.campaigns))
    assert figures["n_hots"] == 1 and "n_sales" not in figures


def test_columns_for_readers_exist_in_their_tables(crm, agreement, compared):
    _, conversions, journeys, credit = path_of(crm, agreement)
    returns = flag_too_early(whole_returns(crm, agreement), crm.campaigns, AS_OF, 30.0)
    ranges = model_ranges(compared, returns, crm.campaigns)
    by_source = compare_with_crm(conversions, journeys, credit, crm.opportunities, crm.touches)
    for columns, table in ((sentences.CLOCK_COLUMNS, indent(returns)), (sentences.STAGE_COLUMNS, indent(returns)),
                           (sentences.RANGE_COLUMNS, indent(ranges)),
                           (sentences.SHIFT_COLUMNS, shifts_to_test(ranges, returns)),
                           (sentences.DEAL_COLUMNS, list_deals(conversions, journeys, credit, crm.campaigns)),
                           (sentences.BUDGET_COLUMNS, indent(budget_against_actual(crm.campaigns))),
                           (sentences.SOURCE_COLUMNS, indent(crm_roi(by_source, returns, crm.campaigns)))):
        assert [column for column in columns if column not in table] == []
