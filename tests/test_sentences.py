"""Sentences that a reader gets: by hand, for one thing and for many, and for nothing at all."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from conftest import make

from attribution.agreement import Agreement
from attribution.funnel import Outcome
from attribution.months import headline
from attribution.sentences import (
    count,
    figure_name,
    glossary,
    headline_tiles,
    indent,
    list_tables,
    money,
    name_campaigns,
    name_columns,
    name_figures,
    name_stage,
    name_stages,
    percent,
    say_came_in,
    say_clocks,
    say_costs,
    say_crm,
    say_hierarchy,
    say_lift,
    say_month,
    say_pipeline,
    say_ranges,
    say_reach,
    say_reconciled,
    say_returns,
    say_shifts,
    times,
    title_bookings,
    title_budget,
    title_ranges,
    title_report,
    title_roi,
    title_spend,
    title_split,
    title_table,
    title_tree,
)

NBSP = "\u00a0"


def plain(text):
    return text.replace(NBSP, " ")


def figures_of(**figures):
    units = {"won_value": "money", "attributed_share": "share", "cost": "money", "roi": "ratio", "n_won": "count"}
    return pd.DataFrame({"figure": list(units), "value": [figures.get(name, np.nan) for name in units],
                         "unit": list(units.values())}).astype({"value": float})


def month_of(plan=None, before=None, **figures):
    return headline(figures_of(**figures), figures_of(**(before or {})), plan)


def returns_of(*rows):
    """Make returns from (name, cost, credit), every one a leaf and a root."""
    table = pd.DataFrame(rows, columns=["campaign_name", "cost_with_children", "credit_with_children"])
    table = table.astype({"campaign_name": "str", "cost_with_children": float, "credit_with_children": float})
    cost = table["cost_with_children"].where(table["cost_with_children"] > 0)
    return table.assign(roi=table["credit_with_children"] / cost - 1, is_leaf=True, depth=0)


@pytest.mark.parametrize(("value", "text"), [
    (0.4, "€0"), (-0.4, "€0"), (999.5, "€1,000"), (-1234.5, "−€1,234"), (1e9, "€1,000,000,000"), (np.nan, "–"),
    (None, "–")])
def test_money_is_written_in_whole_units(value, text):
    assert money(value, "EUR") == text


def test_money_of_a_currency_without_a_sign_carries_its_code():
    assert [money(5, code) for code in ("USD", "GBP", "SEK")] == ["$5", "£5", f"SEK{NBSP}5"]


@pytest.mark.parametrize(("ratio", "share", "change"), [
    (0.0, "0 %", "0 %"), (0.005, "0 %", "0 %"), (-0.001, "0 %", "0 %"),
    (12.5, "1,250 %", "+1,250 %"), (np.nan, "–", "–"),
    (-1.0, "−100 %", "−100 %")])
def test_percent_and_times(ratio, share, change):
    assert (plain(percent(ratio)), plain(times(ratio))) == (share, change)


def test_figure_names_read_as_words_also_for_stages_of_the_companys_own():
    assert [figure_name(name) for name in ("campaign_cac", "n_hot_leads")] == ["Campaign-only CAC", "Hot leads"]


def test_count_is_singular_for_one_only():
    assert [count(n, "deal") for n in (0, 1, 2)] == ["0 deals", "1 deal", "2 deals"]


@pytest.mark.parametrize(("figures", "plan", "text"), [
    ({"won_value": 1500.0, "n_won": 3, "attributed_share": 0.8, "cost": 400.0, "roi": 2.0}, {"won_value": 3000.0},
     "3 deals worth €1,500 were won in 2026-10, 50 % of the plan; campaigns had touched 80 % of that money. "
     "Against the month's campaign cost of €400 that is a booked ROI of +200 %."),
    ({"won_value": 1500.0, "n_won": 1, "attributed_share": 0.0}, None,
     "1 deal worth €1,500 was won in 2026-10; campaigns had touched 0 % of that money. "
     "The month's campaign cost is not known."),
    ({"won_value": 1500.0, "n_won": 1, "attributed_share": 1.0, "cost": 0.0}, None,
     "1 deal worth €1,500 was won in 2026-10; campaigns had touched 100 % of that money. Campaigns cost €0."),
    ({"won_value": 0.0, "n_won": 2, "cost": 10.0, "roi": -1.0}, None,
     "2 deals worth €0 were won in 2026-10. Against the month's campaign cost of €10 that is a booked ROI of −100 %."),
    ({"won_value": 0.0, "n_won": 0, "cost": 10.0}, {"won_value": 5.0},
     "No deal was won in 2026-10; campaigns cost €10."),
    ({"won_value": 0.0, "n_won": 0}, None, "No deal was won in 2026-10; the month's campaign cost is not known."),
])
def test_say_month(figures, plan, text):
    assert plain(say_month(month_of(plan, **figures), "2026-10", "EUR")) == text


def test_headline_tiles_tell_the_change_and_the_plan():
    tiles = headline_tiles(month_of({"won_value": 300.0}, {"won_value": 100.0, "roi": 0.1, "n_won": 2, "cost": 0.0},
                                    won_value=150.0, roi=0.5, n_won=0), "EUR")
    assert [plain(text) for text in tiles["label"] + ": " + tiles["value"] + " | " + tiles["note"]] == [
        "Won: €150 | €100 the month before (+50 %)\n50 % of plan",
        "ROI, booked clock: +50 % | +10 % the month before (+40 points)",
        "Campaign cost: – | €0 the month before", "Deals won: 0 | 2 the month before (−100 %)"]


def test_headline_tiles_say_that_the_month_before_is_not_known():
    tiles = headline_tiles(month_of(cost=5.0), "EUR").set_index("label")
    assert tiles.loc["Campaign cost", "note"] == "not known for the month before"


def test_name_figures_are_text_and_blank_where_nothing_is_known():
    rows = name_figures(month_of({"won_value": 300.0}, {"attributed_share": 0.5}, won_value=150.0,
                                 attributed_share=0.25), "EUR")
    assert [[plain(text) for text in row] for row in rows.to_numpy().tolist()] == [
        ["Won", "€150", "", "", "€300", "50 %"], ["Share attributed", "25 %", "50 %", "−25 points", "", ""],
        ["Campaign cost", "", "", "", "", ""], ["ROI, booked clock", "", "", "", "", ""],
        ["Deals won", "", "", "", "", ""]]


def test_title_report_names_the_company_where_there_is_one():
    assert title_report(Agreement(company="Example"), "2026-10") == "Example: campaign ROI, October 2026"
    assert title_report(Agreement(), "2026-10") == "campaign ROI, October 2026"


def test_say_came_in_counts_everything(crm, agreement):
    out = make("left_out", table=["touches", "people"], reason="deleted", n_rows=[1, 2], value=0.0)
    assert say_came_in(dataclasses.replace(crm, left_out=out), agreement) == (
        "The tables speak of the end of 2026-10-31: 6 touches of 4 people, 5 campaigns, 3 deals. 3 rows were left out, "
        "for "
        "the reasons below. All money is in EUR.")


def test_say_came_in_of_one_of_each_and_of_a_month_that_is_not_over(crm, agreement):
    one = {name: getattr(crm, name).head(1) for name in ("touches", "people", "campaigns", "opportunities")}
    early = dataclasses.replace(crm, **one, exported_at=pd.Timestamp("2026-10-20T22:00:00Z"))
    assert say_came_in(early, agreement) == (
        "The tables speak of the end of 2026-10-31: 1 touch of 1 person, 1 campaign, 1 deal. No row was left out. All "
        "money is in EUR. The latest change that the export has seen is of 2026-10-21: the month may not be complete.")


def test_list_tables_counts_rows(crm):
    assert list_tables(crm).set_index("table")["n_rows"].to_dict() == {
        "campaigns": 5, "people": 4, "accounts": 2, "touches": 6, "opportunities": 3, "contact roles": 2,
        "stage changes": 3,
        "activities": 0, "owners": 1}


def test_indent_puts_the_name_first_by_its_depth_whatever_is_in_it():
    returns = pd.DataFrame({"campaign_name": ["EMEA", "A > B"], "path": ["EMEA", "EMEA > A > B"], "depth": [0, 1]},
                           index=[4, 2])
    rows = indent(returns)
    assert rows.columns[0] == "campaign" and rows["campaign"].to_dict() == {4: "EMEA", 2: "\u2003A > B"}
    assert len(indent(returns.head(0))) == 0


def test_title_bookings():
    rows = pd.DataFrame({"month": ["2026-08", "2026-09", "2026-10"], "attributed": [10.0, 0.0, 50.0],
                         "unattributed": [20.0, 0.0, 1.0]})
    assert title_bookings(rows, "EUR") == "€51 won in 2026-10; the 2 months before averaged €15"
    assert title_bookings(rows.tail(2), "EUR") == "€51 won in 2026-10; the 1 month before averaged €0"
    assert title_bookings(rows.tail(1), "EUR") == "€51 won in 2026-10"


def test_title_roi():
    rows = returns_of(("A", 100, 150), ("B", 100, 300), ("C", 100, 50), ("D", np.nan, 9999))
    assert plain(title_roi(rows)) == "B returned most (+200 %), C least (−50 %)"
    assert plain(title_roi(rows.head(1))) == "A returned +50 %"
    assert title_roi(rows.tail(1)) == title_roi(rows.head(0)) == "No cost is known, so no ROI can be computed"


def test_title_tree():
    rows = returns_of(("A", 100, 150), ("B", 300, 299), ("C", np.nan, 1))
    assert plain(title_tree(rows)) == (
        "75 % of what single campaigns cost went to those that have not yet earned it back")
    assert title_tree(rows.tail(1)) == title_tree(rows.head(0)) == "No cost is known, so there is no area to draw"


def test_title_spend():
    rows = returns_of(("A", 100, 100), ("B", 300, 299), ("C", np.nan, 1), ("D", 1, 2))
    assert title_spend(rows) == "2 of 3 campaigns with a cost have earned it back so far"
    assert title_spend(rows.head(1)) == "1 of 1 campaign with a cost has earned it back so far"
    assert title_spend(rows.head(0)) == "No cost is known, so no campaign can be held against it"


def test_title_split():
    rows = returns_of(("A", 1, 100), ("B", 1, 300)).assign(sourced_with_children=[100.0, 0.0],
                                                           credit_new_with_children=[50.0, 250.0])
    assert plain(title_split(rows)) == (
        "25 % of the credit came before the opportunity existed; 75 % is from new customers")
    assert title_split(rows.head(0)) == "No credit yet, so there is nothing to split"


def test_title_budget():
    rows = pd.DataFrame({"actual_cost_with_children": [30.0, np.nan], "budgeted_cost_with_children": [40.0, 20.0],
                         "unplanned_with_children": 0.0})
    assert plain(title_budget(rows, "EUR")) == "€30 spent of €60 budgeted (50 %)"
    assert plain(title_budget(rows.assign(unplanned_with_children=[9.0, 0.0]), "EUR")) == (
        "€21 spent of €60 budgeted (35 %), and €9 where nothing was budgeted")
    assert title_budget(rows.assign(budgeted_cost_with_children=np.nan), "EUR") == "€30 spent; no budget is known"
    assert title_budget(rows.head(0), "EUR") == "€0 spent; no budget is known"


@pytest.fixture
def ranges():
    return pd.DataFrame({"campaign_name": ["A", "B", "C"], "credit_low": [10.0, 0.0, 5.0],
                         "credit_high": [20.0, 90.0, 5.0],
                         "model_low": ["linear", "last_touch", "linear"],
                         "model_high": ["last_touch", "first_touch", "linear"],
                         "roi_low": [-0.5, -1.0, np.nan], "roi_high": [0.0, -0.1, np.nan]})


def test_title_ranges(ranges):
    assert title_ranges(ranges) == ("The model decides for 1 of 2 campaigns with a known cost: earned back under one "
                                    "and not "
                                    "under another")
    assert title_ranges(ranges.tail(1)) == title_ranges(ranges.head(0)) == (
        "No campaign has both a cost and credit, so no model can say which earn it back")


def test_say_ranges(ranges):
    assert say_ranges(ranges, "linear", "EUR") == (
        "No model is the truth. The models disagree most on B: from €0 (last_touch) to €90 (first_touch). This "
        "report's "
        "figures use linear.")
    assert say_ranges(ranges.tail(1), "linear", "EUR") == (
        "All models give every campaign the same credit. This report's figures use linear.")
    assert say_ranges(ranges.head(0), "linear", "EUR") == (
        "No campaign has any credit, so the models have nothing to disagree on.")


def test_say_shifts():
    shifts = pd.DataFrame({"from_name": ["A"], "to_name": ["B"], "amount": [100.0], "from_roi_low": [-1.0],
                           "from_roi_high": [-0.5],
                           "to_roi_low": [1.0], "to_roi_high": [2.0], "difference_low": [150.0],
                           "difference_high": [300.0]})
    assert plain(say_shifts(shifts, "EUR")) == (
        "Worth testing first: move €100 from A (ROI −100 % to −50 %, whatever the model) to B (+100 % to +200 %). Were "
        "the "
        "averages to hold, that would bring €150 to €300 more; money added seldom earns what the average did, so hold "
        "a "
        "control group.")
    assert say_shifts(shifts.head(0), "EUR") == (
        "No campaign loses under every model while another gains under every model: no shift stands out.")


def test_say_reconciled():
    def rows(total, booked):
        return pd.DataFrame({"line": ["EMEA", "Sum", "Closed-won", "Difference"],
                             "value": [1.0, total, booked, total - booked]})
    assert say_reconciled(rows(1600.5, 1600.5), "EUR") == (
        "The campaigns and the unattributed sum to the CRM's closed-won to the cent: 1,600.50 EUR.")
    assert say_reconciled(rows(1600.0, 1700.0), "EUR") == (
        "The sum of the campaigns and the unattributed, 1,600.00, differs from the CRM's 1,700.00 by −100.00 EUR.")


def test_say_hierarchy():
    rows = pd.DataFrame({"campaign_id": ["a", "a", "b"], "difference": [0.0, 5.0, -5.0]})
    assert say_hierarchy(rows) == "Compared with 3 rolled-up figures of the CRM, 2 of ours differ, on 2 campaigns."
    assert say_hierarchy(rows.head(2)) == (
        "Compared with 2 rolled-up figures of the CRM, 1 of ours differs, on 1 campaign.")
    assert say_hierarchy(rows.head(1)) == "Compared with 1 rolled-up figure of the CRM, ours agree."
    assert say_hierarchy(rows.head(0)).startswith("The export carries no rolled-up figures of its own")


def test_say_crm():
    rows = pd.DataFrame({"value": [100.0, 300.0], "difference": [100.0, 0.0], "reason": ["no source", "agrees"]})
    assert plain(say_crm(rows, "EUR")) == (
        "The CRM gives each deal whole to its primary campaign source. For 25 % of the value ours differs; deals of "
        "€100 have "
        "no primary source at all.")
    assert say_crm(rows.head(0), "EUR") == (
        "No deal of any value was won, so there is nothing to compare with the CRM's own attribution.")


def test_say_reach():
    coverage = pd.DataFrame({"linking": ["role", "hybrid"], "n_conversions": [4, 4], "n_reached": [1, 3],
                             "value_reached_share": [0.2, 0.9]})
    assert plain(say_reach(coverage, "hybrid")) == (
        "Linking by hybrid finds a touch for 90 % of the won value (3 of 4 deals).")
    assert say_reach(coverage.assign(n_conversions=0, value_reached_share=np.nan), "role") == (
        "No deal was won, so there is nothing to link to.")


def test_fixed_sentences_say_what_credit_and_clocks_are():
    assert "not a causal effect" in say_lift()
    assert "Campaign clock" in say_clocks() and "Booked clock" in say_clocks()


def test_glossary_puts_the_sections_asked_for_first():
    terms = glossary()["term"].tolist()
    funnel = glossary("Funnel", "The agreement")["term"].tolist()
    assert sorted(funnel) == sorted(terms) and terms[0] == "Touch"
    assert funnel[0] == "Stages" and funnel[funnel.index("Touch") - 1] == "Backward plan"


def test_glossary_has_each_term_once_with_a_meaning_and_no_markup():
    words = glossary()
    assert len(words) > 15 and not words["term"].duplicated().any()
    assert (words["meaning"].str.len() > 20).all() and words["meaning"].str.endswith(".").all()
    assert not words["meaning"].str.contains(r"[*`#]|\s\s").any()
    assert {"Touch", "Conversion", "Conservation", "Two clocks", "ROI", "As of"} <= set(words["term"])


def test_say_costs_counts_where_they_come_from_and_names_what_the_export_does_not_have(tree):
    costs = pd.DataFrame({"campaign_id": ["slush", "slush", "ads", "gone"],
                          "basis": ["phased", "phased", "ledger", "ledger"]}, dtype="str")
    assert say_costs(costs, tree) == (
        "Costs: 1 campaign spread by day from the actual cost (phased), 1 campaign from the spend ledger, 3 without a "
        "cost; a blank cost is not a zero. The spend ledger names 1 campaign that the export does not have (first: "
        "gone): what they cost stands apart from the tree.")
    assert say_costs(costs.head(0), tree).endswith("5 without a cost; a blank cost is not a zero.")


def test_say_pipeline_tells_the_open_from_the_lapsed():
    deals = make("opportunities", opportunity_id=["a", "b"], stage="Proposal", value=100.0, expected_value=[50.0, 20.0],
                 close_on=["2026-11-30", "2026-09-30"], created_at="2026-01-01")
    assert plain(say_pipeline(deals, pd.Timestamp("2026-10-31"), "EUR")) == (
        "Open pipeline: 1 deal with an expected value of €50. 1 more deal worth €20 lapsed, the close date more than "
        "30 days ago, and is not in it.")


MQLS = Outcome("mql", 250.0, 200.0, 310.0)


@pytest.mark.parametrize(("figures", "text"), [
    ({"expected_value": 500.0, "n_mqls": 2, "attributed_share": 0.5, "cost": 100.0, "roi_expected": 1.5},
     "2 new MQLs in 2026-10 are worth an expected €500; campaigns had touched 50 % of that. Against the month's "
     "campaign cost of €100 the expected ROI is +150 %."),
    ({"expected_value": 250.0, "n_mqls": 1, "attributed_share": 1.0, "cost": np.nan, "roi_expected": np.nan},
     "1 new MQL in 2026-10 is worth an expected €250; campaigns had touched 100 % of that. The month's campaign cost "
     "is not known."),
    ({"expected_value": 0.0, "n_mqls": 0, "attributed_share": np.nan, "cost": 0.0, "roi_expected": np.nan},
     "0 new MQLs in 2026-10 are worth an expected €0. Campaigns cost €0."),
])
def test_say_month_of_mqls_says_that_their_worth_is_expected(figures, text):
    headline = pd.DataFrame({"figure": list(figures), "value": list(figures.values())})
    assert plain(say_month(headline, "2026-10", "EUR", MQLS)) == (
        text + " Each MQL counts €250 (95 % interval €200 to €310), what one brings on average: expected money, not "
        "booked, and never added to it.")


def test_headline_tiles_of_mqls_show_expected_money_and_their_number():
    names = ["expected_value", "attributed_value", "cost", "roi_expected", "n_mqls", "n_sqls", "cost_per_mqls"]
    units = ["money", "money", "money", "ratio", "count", "count", "money"]
    headline = pd.DataFrame({"figure": names, "value": 2.0, "before": 1.0, "change": 1.0, "plan_share": np.nan,
                             "planned": np.nan, "unit": units})
    assert headline_tiles(headline, "EUR", MQLS)["label"].tolist() == [
        "Expected value", "Attributed to campaigns", "ROI, expected", "Campaign cost", "MQLs", "Cost per MQL"]
    assert name_figures(headline, "EUR")["figure"].tolist()[0] == "Expected value"


def test_titles_and_columns_name_the_stage_where_it_comes_before_the_sale():
    assert title_report(Agreement(), "2026-10", MQLS) == "campaign ROI on MQLs, October 2026"
    bookings = pd.DataFrame({"month": ["2026-09", "2026-10"], "attributed": [100.0, 500.0], "unattributed": 0.0})
    assert title_bookings(bookings, "EUR", MQLS) == (
        "€500 expected of the MQLs of 2026-10; the 1 month before averaged €100")
    assert title_table("credit_to_date", MQLS) == "Every MQL to date, and who earned it"
    assert title_table("bookings", Outcome("opportunity", 1.0)) == (
        "Expected value of the opportunities by month of entry")
    assert name_columns(MQLS)["n_deals"] == "MQLs touched" and name_columns(MQLS)["conversion_id"] == "MQL"
    assert name_columns(Outcome("signed")) == {}


def test_title_split_of_expected_money_speaks_of_customers_alone():
    rows = pd.DataFrame({"credit_with_children": [100.0, 300.0], "credit_new_with_children": [100.0, 200.0]})
    assert plain(title_split(rows)) == (
        "75 % of the expected value lies with those whose company had bought nothing before")


def test_sentences_on_mqls_never_speak_of_won_deals_as_theirs():
    rows = pd.DataFrame({"campaign_name": ["A"], "roi": [0.5]})
    assert plain(say_returns(rows, MQLS)) == (
        "A returned +50 %, each whole cost to date against the expected value of its MQLs to date.")
    assert "no MQL is booked money" in say_clocks(MQLS) and "Booked" not in say_clocks(MQLS)
    assert say_lift(MQLS) == (
        "Credit is not lift: it is a convention for sharing an expected sum, not a causal effect.")
    assert say_pipeline(make("opportunities"), pd.Timestamp("2026-10-31"), "EUR", MQLS) == (
        "The open pipeline does not stand beside the MQLs: what it may bring is in their expected value already.")
    assert say_crm(pd.DataFrame({"value": [], "difference": [], "reason": []}), "EUR", MQLS) == (
        "The CRM's own attribution speaks of won deals alone: it has nothing to set beside MQLs, and the tables below "
        "are empty.")
    coverage = pd.DataFrame({"linking": ["hybrid"], "n_conversions": [4], "n_reached": [3],
                             "value_reached_share": [0.75]})
    assert plain(say_reach(coverage, "hybrid", MQLS)) == (
        "Linking by hybrid finds a touch for 75 % of the expected value (3 of 4 MQLs).")


def test_say_reconciled_of_mqls_names_the_funnel():
    rows = pd.DataFrame({"line": ["EMEA", "Sum", "Entries", "Difference"], "value": [1.0, 500.0, 500.0, 0.0]})
    assert say_reconciled(rows, "EUR", MQLS) == (
        "The campaigns and the unattributed sum to the funnel's MQLs to the cent: 500.00 EUR.")
    assert say_reconciled(rows.assign(value=[1.0, 500.0, 750.0, -250.0]), "EUR", MQLS) == (
        "The sum of the campaigns and the unattributed, 500.00, differs from the funnel's 750.00 by −250.00 EUR.")


def test_stages_are_named_after_their_number_and_without(finnish):
    assert [name_stage("lead"), name_stage("lead", 2), name_stages("lead")] == ["liidi", "liidiä", "liidit"]
    assert [name_stage("mql", 3), name_stages("mql"), name_stages("opportunity")] == [
        "MQL:ää", "MQL:t", "myyntimahdollisuudet"]


def test_stages_of_the_companys_own_keep_their_name_in_finnish(finnish):
    assert [name_stage("hot_lead", 2), name_stages("hot_lead")] == ["hot lead", "hot lead"]


def test_campaigns_keep_their_names_and_what_is_no_campaign_is_told(finnish):
    names = pd.Series(["deal", "(unattributed)", "(left out of the tree)", "EMEA (unattributed)"])
    assert name_campaigns(names).tolist() == ["deal", "(kohdistamaton)", "(puun ulkopuolella)", "EMEA (unattributed)"]


@pytest.mark.parametrize(("figures", "text"), [
    ({"won_value": 1500.0, "n_won": 3, "attributed_share": 0.8, "cost": 400.0, "roi": 2.0},
     "Lokakuussa 2026 voitettiin 3 kauppaa, yhteensä 1 500 € eli 50 % suunnitelmasta; kampanjat olivat koskettaneet "
     "kauppoja, joiden osuus arvosta on 80 %. Kuukauden kampanjakustannukseen (400 €) verrattuna kirjattu ROI on "
     "+200 %."),
    ({"won_value": 1500.0, "n_won": 1},
     "Lokakuussa 2026 voitettiin 1 kauppa, arvoltaan 1 500 € eli 50 % suunnitelmasta. Kuukauden kampanjakustannus ei "
     "ole tiedossa."),
    ({"won_value": 0.0, "n_won": 0, "cost": 10.0}, "Yhtään kauppaa ei voitettu lokakuussa 2026; kampanjat maksoivat "
     "10 €."),
])
def test_say_month_in_finnish(finnish, figures, text):
    assert plain(say_month(month_of({"won_value": 3000.0}, **figures), "2026-10", "EUR")) == text


def test_say_month_of_mqls_in_finnish(finnish):
    headline = pd.DataFrame({"figure": ["expected_value", "n_mqls", "attributed_share", "cost", "roi_expected"],
                             "value": [500.0, 2, 0.5, 100.0, 1.5]})
    assert plain(say_month(headline, "2026-10", "EUR", MQLS)).startswith(
        "Lokakuussa 2026 tuli 2 uutta MQL:ää, odotettu arvo yhteensä 500 €; kampanjoiden koskettama osuus siitä on "
        "50 %. Kuukauden kampanjakustannukseen (100 €) verrattuna odotettu ROI on +150 %. Yhden arvo (MQL) on 250 € ")


def test_titles_in_finnish(finnish):
    rows = returns_of(("A", 100, 150), ("B", 100, 300))
    assert plain(title_roi(rows)) == "Parhaiten tuotti B (+200 %), heikoimmin A (+50 %)"
    assert title_report(Agreement(company="Esimerkki"), "2026-10") == "Esimerkki: kampanjoiden ROI, lokakuu 2026"
    bookings = pd.DataFrame({"month": ["2026-09", "2026-10"], "attributed": [1000.0, 5000.0], "unattributed": 0.0})
    assert plain(title_bookings(bookings, "EUR")) == (
        "Lokakuussa 2026 voitettiin 5 000 €; edeltävän 1 kuukauden keskiarvo on 1 000 €")
    assert title_table("deals", MQLS) == "Kuukauden jokainen MQL ja mikä kampanja sen ansaitsi"
    assert plain(title_spend(rows)) == (
        "2 kampanjaa on tähän mennessä ansainnut kustannuksensa takaisin (kustannus tunnetaan: 2 kampanjaa)")


def test_say_ranges_names_the_models_in_finnish(finnish, ranges):
    assert plain(say_ranges(ranges, "linear", "EUR")) == (
        "Mikään malli ei ole totuus. Eniten mallit eroavat kampanjassa B, jossa pienin hyvitys on 0 € (viimeinen "
        "kosketus) "
        "ja suurin 90 € (ensikosketus). Tämän raportin lukujen malli on tasajako.")


def test_say_came_in_in_finnish(finnish, crm, agreement):
    out = make("left_out", table=["touches", "people"], reason="deleted", n_rows=[1, 2], value=0.0)
    assert say_came_in(dataclasses.replace(crm, left_out=out), agreement) == (
        "Taulukot kuvaavat tilannetta päivän 31.10.2026 lopussa: 6 kosketusta (4 henkilöä), 5 kampanjaa, 3 kauppaa. 3 "
        "riviä jätettiin pois; syyt ovat alla. Kaikki rahamäärät ovat valuutassa EUR.")


def test_tiles_in_finnish_tell_the_change_and_the_plan(finnish):
    tiles = headline_tiles(month_of({"won_value": 300.0}, {"won_value": 100.0, "roi": 0.1, "n_won": 2, "cost": 0.0},
                                    won_value=150.0, roi=0.5, n_won=0), "EUR")
    assert [plain(text) for text in tiles["label"] + ": " + tiles["value"] + " | " + tiles["note"]][:2] == [
        "Voitettu: 150 € | 100 € edellisenä kuukautena (+50 %)\n50 % suunnitelmasta",
        "ROI, kirjauskello: +50 % | +10 % edellisenä kuukautena (+40 %-yks.)"]


def test_glossary_is_in_finnish(finnish):
    meanings = glossary().set_index("term")["meaning"]
    assert meanings["J-malli"].replace(NBSP, " ") == (
        "20 % ensimmäiselle kosketukselle, 60 % viimeiselle, 20 % muille (parametri j_shaped).")
