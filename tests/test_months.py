"""What a month brought, worked out by hand."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from conftest import AS_OF, conversions_of, figures_of, make, make_credit, path_of

from attribution.agreement import Agreement, Stage
from attribution.costs import phase_costs
from attribution.entries import build_entries
from attribution.funnel import Outcome
from attribution.months import check_month, headline, month_before, month_bounds, month_figures, monthly_bookings


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


def test_stages_of_the_companys_own_are_counted_by_their_name(crm):
    own = Agreement(stages=(Stage("hot", "sales", "lead_status", ("SQL",)), Stage("sale", "sales", "opportunity_won")))
    entries, conversions = build_entries(crm, own), make("conversions")
    figures = figures_of(month_figures("2026-08", own, entries, conversions, make_credit(),
                                       phase_costs(crm.campaigns, AS_OF.tz_localize(None)), crm.campaigns))
    assert figures["n_hots"] == 1 and "n_sales" not in figures


def test_month_figures_leave_a_stage_blank_that_nobody_ever_entered(crm, agreement):
    silent = dataclasses.replace(crm, stage_changes=make("stage_changes"))     # no history: MQL and SQL are not known
    entries, conversions, _, credit = path_of(silent, agreement)
    costs = phase_costs(crm.campaigns, pd.Timestamp("2026-11-02"))
    figures = figures_of(month_figures("2026-08", agreement, entries, conversions, credit, costs, crm.campaigns))
    assert np.isnan(figures["n_mqls"]) and np.isnan(figures["n_sqls"]) and figures["n_leads"] == 0


def test_month_figures_of_mqls_are_expected_and_leave_out_what_a_sale_tells(crm, agreement):
    entries = build_entries(crm, agreement)
    mqls = conversions_of(conversion_id=["ann", "cy"], value=250.0, is_expected=True)     # both in October
    credit, none = make_credit(("ann", "slush", 250.0), ("cy", None, 250.0)), crm.campaigns.assign(actual_cost=100.0)
    costs = phase_costs(none[none["campaign_id"] == "nordic"], pd.Timestamp("2026-11-02"))
    figures = figures_of(month_figures("2026-10", agreement, entries, mqls, credit, costs, crm.campaigns,
                                       outcome=Outcome("mql", 250.0)))
    assert {name: figures[name] for name in list(figures)[:7]} == {
        "expected_value": 500.0, "attributed_value": 250.0, "unattributed_value": 250.0, "attributed_share": 0.5,
        "cost": 100.0, "roi_expected": 1.5, "romi_expected": 0.5}
    assert set(figures) & {"won_value", "n_won", "roi", "romi", "n_new_customers", "campaign_cac"} == set()
    assert "n_mqls" in figures


def test_monthly_bookings_of_mqls_have_no_plan_of_won_value(agreement):
    mqls = conversions_of(conversion_id=["ann", "cy"], value=250.0, is_expected=True)
    rows = monthly_bookings(mqls, make_credit(("ann", "slush", 250.0), ("cy", None, 250.0)), agreement, "2026-10", 1,
                            outcome=Outcome("mql", 250.0))
    assert rows.columns.tolist() == ["month", "attributed", "unattributed", "n_entered", "planned"]
    assert rows.iloc[0, :4].tolist() == ["2026-10", 250.0, 250.0, 2] and rows["planned"].isna().all()
