"""Returns held against models, the CRM, windows and budgets: every reason given, every sum kept."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from conftest import conversions_of, costs_of, make, make_credit, path_of, whole_returns

from attribution import sentences
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
    returns_by_model,
    shifts_to_test,
    sum_due,
)
from attribution.credit import compare_models, share_credit
from attribution.entries import build_entries
from attribution.funnel import Outcome, build_conversions, build_pipeline
from attribution.journeys import build_journeys
from attribution.months import month_bounds
from attribution.roi import (
    between,
    campaign_roi,
    flag_too_early,
    report_models,
)
from attribution.sentences import indent
from attribution.tables import TableError


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


def test_model_ranges_hold_the_reports_own_time_decay(crm, agreement):
    *_, conversions, journeys, _ = path_of(crm, agreement)
    models = report_models(1.5)
    credit = share_credit(journeys, models["time_decay"])
    returns = campaign_roi(credit, costs_of(), crm.campaigns, conversions=conversions)
    ranges = model_ranges(compare_models(journeys, models), returns, crm.campaigns)
    assert len(ranges) and ranges["credit"].between(ranges["credit_low"], ranges["credit_high"]).all()
    usual = share_credit(journeys, "time_decay")
    assert not usual["credit"].equals(credit["credit"])                  # so that the half-life is seen to matter


def test_model_ranges_of_nothing_are_empty(tree, crm, agreement):
    *_, journeys, _ = path_of(crm, agreement)
    returns = campaign_roi(make_credit(), costs_of(), tree)
    assert len(model_ranges(compare_models(journeys.head(0)), returns, tree)) == 0


def test_a_model_that_says_nothing_of_a_campaign_is_blank_for_it_and_not_zero(tree, compared):
    # Markov knows Ads alone: of Slush and so of Fairs it says nothing, EMEA above has what Ads has.
    fresh = pd.concat([compared, pd.DataFrame([("markov", "ads", 120.0, 1), ("markov", None, 5.0, 1)],
                                              columns=["model", "campaign_id", "credit", "n_conversions"])])
    returns = campaign_roi(make_credit(("d", "slush", 100.0), ("d", "ads", 20.0)), costs_of(slush=80.0), tree)
    ranges = model_ranges(fresh, returns, tree).set_index("campaign_id")
    assert ranges[["credit_low", "credit_high"]].T.to_dict("list") == {
        "emea": [120.0, 120.0], "ads": [20.0, 120.0], "fairs": [60.0, 100.0], "slush": [60.0, 100.0]}
    rows = returns_by_model(fresh, returns, tree, fresh).set_index(["model", "campaign_id"])
    known = rows.loc["markov", "credit_with_children"]
    assert known.loc[["emea", "ads"]].tolist() == [120.0, 120.0] and known.loc[["fairs", "slush"]].isna().all()
    side = models_side_by_side(fresh, tree).set_index("campaign_id")["markov"]
    assert side.fillna(-1).loc[["slush", "ads"]].tolist() == [-1, 120.0] and side.sum() == 125.0


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


def test_returns_by_model_by_hand(tree, compared):
    returns = campaign_roi(make_credit(("d", "slush", 100.0), ("d", "ads", 20.0), ("e", None, 5.0)),
                           costs_of(slush=80.0, nordic=10.0), tree)
    rows = returns_by_model(compared, returns, tree).set_index(["model", "path"])
    assert rows["credit_with_children"].to_dict() == {
        ("first", "EMEA"): 120.0, ("first", "EMEA > Ads"): 20.0, ("first", "EMEA > Fairs"): 100.0,
        ("first", "EMEA > Fairs > Nordic"): 0.0, ("first", "EMEA > Fairs > Slush"): 100.0,
        ("first", "(unattributed)"): 5.0,
        ("last", "EMEA"): 120.0, ("last", "EMEA > Ads"): 60.0, ("last", "EMEA > Fairs"): 60.0,
        ("last", "EMEA > Fairs > Nordic"): 0.0, ("last", "EMEA > Fairs > Slush"): 60.0,
        ("last", "(unattributed)"): 5.0}
    assert rows.loc["last", "roi"].round(6).fillna(9).to_dict() == {
        "EMEA": 0.333333, "EMEA > Ads": 9, "EMEA > Fairs": -0.333333, "EMEA > Fairs > Nordic": -1.0,
        "EMEA > Fairs > Slush": -0.25, "(unattributed)": 9}                  # 30/90, -30/90, -10/10, -20/80
    assert rows.loc[[("last", "EMEA"), ("last", "EMEA > Fairs")], "cost_with_children"].tolist() == [90.0, 90.0]
    assert list(rows)[-4:] == ["cost_with_children", "credit_with_children", "roi", "longest"]


@pytest.mark.parametrize(("spent", "longest"), [(80.0, 100.0), (800.0, 800.0)])
def test_returns_by_model_leave_room_for_the_longest_beside_each_under_any_model(tree, compared, spent, longest):
    returns = campaign_roi(make_credit(("d", "slush", 100.0), ("d", "ads", 20.0)), costs_of(slush=spent, nordic=10.0),
                           tree)
    rows = returns_by_model(compared, returns, tree).set_index(["model", "path"])["longest"]
    assert rows["last", "EMEA > Fairs > Nordic"] == rows["first", "EMEA > Fairs > Slush"] == longest
    assert rows["last", "EMEA > Ads"] == max(100.0, spent + 10.0)        # Fairs: 100 under first, or what both cost
    assert rows["last", "EMEA"] == max(120.0, spent + 10.0)


def test_returns_by_model_conserve_the_money_also_beside_the_tree(orphaned, compared):
    returns = campaign_roi(make_credit(("d", "slush", 100.0), ("d", "ads", 20.0), ("e", None, 5.0)), costs_of(),
                           orphaned, on_orphan="leave_out")
    rows = returns_by_model(compared, returns, orphaned)
    assert rows[rows["depth"] == 0].groupby("model")["credit_with_children"].sum().to_dict() == {
        "first": 125.0, "last": 125.0}
    left = rows[rows["campaign_name"] == "(left out of the tree)"].set_index("model")["credit_with_children"]
    assert left.to_dict() == {"first": 100.0, "last": 60.0}


def test_returns_by_model_say_of_the_reports_model_what_the_report_says(crm, agreement):
    entries, _, journeys, _ = path_of(crm, agreement)
    pipeline = build_pipeline(entries, crm.opportunities, crm.contact_roles, as_of=crm.as_of)
    waiting = build_journeys(crm.touches, pipeline, crm.contact_roles, time_zone=agreement.time_zone)
    returns = whole_returns(crm, agreement)
    rows = returns_by_model(compare_models(journeys), returns, crm.campaigns, compare_models(waiting))
    ours = rows[rows["model"] == "linear"].reset_index(drop=True)
    columns = ["path", "cost_with_children", "credit_with_children", "pipeline_with_children", "roi"]
    pd.testing.assert_frame_equal(ours[columns], returns[columns])
    assert ours["pipeline_with_children"].sum() > 0
    assert rows[rows["depth"] == 0].groupby("model")["pipeline_with_children"].sum().unique().tolist() == [400.0]


def test_returns_by_model_have_a_pipeline_only_where_the_returns_have_one(tree, compared):
    returns = campaign_roi(make_credit(("d", "slush", 100.0)), costs_of(), tree)
    assert "pipeline_with_children" not in returns_by_model(compared, returns, tree, compared)
    assert len(returns_by_model(compared.head(0), returns, tree, compared)) == 0


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
    lines = reconcile(returns, sum_due(build_entries(crm, agreement), crm.opportunities, agreement, "2026-10"))
    assert lines.to_numpy().tolist() == [["EMEA", 600.0], ["(unattributed)", 0.0], ["Sum of the above", 600.0],
                                         ["Closed-won in the CRM", 600.0], ["Difference", 0.0]]


def test_reconcile_shows_a_difference_and_what_was_left_out_of_the_tree(crm, agreement, orphaned):
    returns = campaign_roi(make_credit(("d2", "slush", 599.99)), costs_of(), orphaned, on_orphan="leave_out")
    lines = reconcile(returns, sum_due(build_entries(crm, agreement), crm.opportunities, agreement, "2026-10"))
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
    lines = pd.DataFrame({"line": ["EMEA", "Sum", "Closed-won in the CRM", "Difference"],
                          "value": [5.0, 5.0, 5.01, -0.01]})
    with pytest.raises(TableError, match=r"sum to 5\.00, Closed-won in the CRM to 5\.01: -0\.01 apart"):
        check_reconciled(lines)
    check_reconciled(lines.assign(value=[5.0, 5.0, 5.0, 0.0]))


def test_columns_for_readers_exist_in_their_tables(crm, agreement, compared):
    _, conversions, journeys, credit = path_of(crm, agreement)
    returns = flag_too_early(whole_returns(crm, agreement), crm.campaigns, pd.Timestamp("2026-10-31"), 30.0)
    ranges = model_ranges(compared, returns, crm.campaigns)
    by_source = compare_with_crm(conversions, journeys, credit, crm.opportunities, crm.touches)
    for columns, table in ((sentences.CLOCK_COLUMNS, indent(returns)), (sentences.STAGE_COLUMNS, indent(returns)),
                           (sentences.RANGE_COLUMNS, indent(ranges)),
                           (sentences.SHIFT_COLUMNS, shifts_to_test(ranges, returns)),
                           (sentences.DEAL_COLUMNS, list_deals(conversions, journeys, credit, crm.campaigns)),
                           (sentences.BUDGET_COLUMNS, indent(budget_against_actual(crm.campaigns))),
                           (sentences.SOURCE_COLUMNS, indent(crm_roi(by_source, returns, crm.campaigns)))):
        assert [column for column in columns if column not in table] == []


def test_sum_due_counts_the_first_entries_of_the_local_month_at_their_worth(crm, agreement):
    again = make("stage_changes", change_id=["h1", "h2", "h3", "h4", "h5"], record_type="lead",
                 record_id=["L1", "L1", "L1", "L3", "L4"], person_id=["ann", "ann", "ann", "cy", "di"],
                 from_stage=["Open", "MQL", "Open", "Open", "Open"], stage=["MQL", "Open", "MQL", "MQL", "MQL"],
                 changed_at=["2026-09-30T20:59Z", "2026-10-02", "2026-10-03", "2026-09-30T21:00Z", "2026-10-31T21:59Z"])
    entries = build_entries(dataclasses.replace(crm, stage_changes=again), agreement)
    due = sum_due(entries, crm.opportunities, agreement, "2026-10", Outcome("mql", 1250.1))
    assert due.to_numpy().tolist() == [["Entries into mql: 2 at 1,250.10, expected", 2500.2]]        # Cy and Di


def test_reconcile_of_mqls_closes_to_the_cent(crm, agreement):
    entries = build_entries(crm, agreement)
    mqls = build_conversions(entries, crm.opportunities, crm.contact_roles, stage="mql", worth=250.01)
    march = between(mqls, "converted_at", *month_bounds("2026-03", agreement))
    credit = share_credit(build_journeys(crm.touches, march, crm.contact_roles, time_zone=agreement.time_zone))
    returns = campaign_roi(credit, costs_of(), crm.campaigns, conversions=march)
    lines = reconcile(returns, sum_due(entries, crm.opportunities, agreement, "2026-03", Outcome("mql", 250.01)))
    assert lines.to_numpy().tolist() == [
        ["EMEA", 250.01], ["(unattributed)", 0.0], ["Sum of the above", 250.01],
        ["Entries into mql: 1 at 250.01, expected", 250.01], ["Difference", 0.0]]


def test_compare_with_crm_and_its_roi_speak_of_booked_deals_alone(crm, agreement):
    entries = build_entries(crm, agreement)
    opened = build_conversions(entries, crm.opportunities, crm.contact_roles, stage="opportunity", worth=100.0)
    journeys = build_journeys(crm.touches, opened, crm.contact_roles, time_zone=agreement.time_zone)
    credit = share_credit(journeys)
    compared = compare_with_crm(opened, journeys, credit, crm.opportunities, crm.touches)
    returns = campaign_roi(credit, costs_of(), crm.campaigns, conversions=opened)
    assert returns["credit_with_children"].max() == 300.0
    assert len(compared) == 0 and len(crm_roi(compared, returns, crm.campaigns)) == 0


def test_reconcile_names_its_sums_in_finnish_and_its_roots_as_they_are(finnish):
    returns = pd.DataFrame({"path": ["Difference"], "depth": 0, "credit_with_children": [5.0]})
    due = pd.DataFrame({"line": ["due"], "value": [5.0]})
    assert reconcile(returns, due)["line"].tolist() == ["Difference", "Edellisten summa", "due", "Erotus"]
