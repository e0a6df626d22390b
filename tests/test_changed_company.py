"""The sample a month later, after its users had put the past in order: every edit is found, and nothing else."""

from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from edited_export import (
    AMOUNT_DEAL,
    CALLED,
    DEARER,
    HANDBOOK,
    LATE_DEAL,
    LATE_TOUCH,
    MERGED_DEAL,
    MOVED_DEAL,
    REOPENED_DEAL,
    SAMPLE,
    edited_sample,
    merge_accounts,
    write_cost_down,
)
from previous_cases import as_read

import attribution as kit
from attribution.cli import main
from attribution.published import read_table
from attribution.restated import Previous, as_published, sum_causes
from attribution.workbook import find_tables

WEBINAR, SCADA = "7015g000AAMMzC5AYL", "7015g000AAMLzPJAY1"          # the late deal's one touch; the survivor's
BANNER, CALCULATOR = "7015g000AAMNT6yAYH", "7015g000AAML9hwAYD"      # the merged deal's two


def work(folder, month):
    """Walk from an export to the tables that reports compare."""
    agreement = kit.read_agreement(folder)
    crm = kit.read_crm(folder, agreement, as_of=agreement.month_end(month))
    entries = kit.build_entries(crm, agreement)
    conversions = kit.build_conversions(entries, crm.opportunities, crm.contact_roles)
    journeys = kit.build_journeys(crm.touches, conversions, crm.contact_roles, time_zone=agreement.time_zone)
    credit, costs = kit.share_credit(journeys), kit.phase_costs(crm.campaigns, agreement.local_day(crm.exported_at))
    responses = kit.build_responses(entries, kit.list_attempts(crm.activities, crm.owners), crm.owners, agreement,
                                    kit.find_promise(agreement, "sales"), as_of=crm.as_of)
    return SimpleNamespace(
        agreement=agreement, crm=crm, conversions=conversions, credit=credit, costs=costs, responses=responses,
        all_entries=entries, touches=kit.list_touches(conversions, journeys, credit, crm.campaigns),
        entries=kit.list_entries(entries))


def publish(made, month):
    """Publish what a month's report keeps for the next one."""
    year_ago = kit.months_back(made.agreement, month, 12)
    spent = kit.costs_between(made.costs, made.crm.campaigns, *kit.month_days(month))
    figures = kit.month_figures(month, made.agreement, made.all_entries, made.conversions, made.credit, made.costs,
                                made.crm.campaigns)
    tables = {"touches_to_date": made.touches, "booked_clock": spent, "entries": kit.list_entries(
        made.all_entries, year_ago), "hand_overs": kit.list_hand_overs(
        kit.between(made.responses, "handed_over_at", year_ago, made.crm.as_of)),
        "headline": figures.rename(columns={"figure": "measure", "value": "exact"})}
    return Previous(month, made.crm.as_of, {sheet: as_read(table) for sheet, table in tables.items()})


@pytest.fixture(scope="module")
def then():
    return publish(work(SAMPLE, "2026-09"), "2026-09")


@pytest.fixture(scope="module")
def now(tmp_path_factory):
    return work(edited_sample(tmp_path_factory.mktemp("edited") / "data"), "2026-10")


def changes_of(then, now):
    return kit.list_restated(kit.compare_credit(then, now.touches, now.crm, agreement=now.agreement))


@pytest.fixture(scope="module")
def changes(then, now):
    return changes_of(then, now)


def of(changes, deal):
    rows = changes[changes["conversion_id"] == deal]
    return {(row.cause, row.campaign_id): row.difference for row in rows.itertuples()}


def test_a_late_touch_halves_the_deal(changes, now):
    """40,859.90 had one touch, the webinar; the handbook's of August came in October: 20,429.95 each."""
    assert LATE_TOUCH in set(now.touches["touch_id"])
    assert of(changes, LATE_DEAL) == {("late touches", HANDBOOK): 20429.95, ("late touches", WEBINAR): -20429.95}


def test_an_amount_changed_moves_its_two_campaigns_alike(changes):
    """24,339.90 became 26,339.90: 2,000 more for two touches."""
    assert list(of(changes, AMOUNT_DEAL).values()) == [1000.0, 1000.0]
    assert {cause for cause, _ in of(changes, AMOUNT_DEAL)} == {"amount changed"}


def test_a_merged_account_brings_its_touch(changes):
    """14,270.00 in halves is 7,135.00; in thirds 4,756.67, 4,756.67 and 4,756.66, the earliest first."""
    assert of(changes, MERGED_DEAL) == {
        ("account merged", SCADA): 4756.67, ("account merged", CALCULATOR): -2378.33,
        ("account merged", BANNER): -2378.34}


def test_a_reopened_deal_takes_its_five_fifths_back(changes):
    assert list(of(changes, REOPENED_DEAL).values()) == [-2662.0] * 5
    assert {cause for cause, _ in of(changes, REOPENED_DEAL)} == {"no longer won"}


def test_a_moved_close_date_moves_no_credit(changes):
    assert list(of(changes, MOVED_DEAL).values()) == [0.0, 0.0]
    days = changes[changes["conversion_id"] == MOVED_DEAL][["closed_then_on", "closed_now_on"]]
    assert days.drop_duplicates().values.tolist() == [[pd.Timestamp("2026-08-28"), pd.Timestamp("2026-09-03")]]


def test_nothing_else_is_listed(changes):
    assert set(changes["conversion_id"]) == {LATE_DEAL, AMOUNT_DEAL, MERGED_DEAL, REOPENED_DEAL, MOVED_DEAL}
    assert sum_causes(changes)[["cause", "moved"]].values.tolist() == [
        ["late touches", 20429.95], ["no longer won", 13310.0], ["account merged", 4756.67],
        ["amount changed", 2000.0], ["closing date moved", 0.0]]


def test_months_move_by_what_the_edits_moved(then, now, changes):
    """August lost a deal of 13,533.33 to September and gained 2,000; September lost 13,310.00."""
    months = kit.restated_months(then, now.touches, changes, now.agreement).set_index("month")
    assert months.loc[months["causes"] != "", ["difference", "causes"]].to_dict("index") == {
        "2026-07": {"difference": 0.0, "causes": "account merged"},
        "2026-08": {"difference": -11533.33, "causes": "amount changed, closing date moved"},
        "2026-09": {"difference": 223.33, "causes": "closing date moved, late touches, no longer won"}}
    assert months.loc["2026-08", ["n_then", "n_now"]].tolist() == [9, 8]


def test_a_cost_written_down_late_is_found_in_its_month(then, now, changes):
    spent = kit.costs_between(now.costs, now.crm.campaigns, *kit.month_days("2026-09"))
    costs = kit.restated_costs(then, spent, now.crm.campaigns)
    assert costs[["campaign_id", "cost_now", "difference"]].values.tolist() == [[DEARER, 3000.0, 3000.0]]
    figures = kit.month_figures("2026-09", now.agreement, now.all_entries, now.conversions, now.credit, now.costs,
                                now.crm.campaigns)
    table = kit.restated_headline(then, figures, changes, costs).set_index("figure")
    assert table.loc[["won_value", "cost", "n_mqls"], "difference"].tolist() == [223.33, 3000.0, 0.0]
    assert table.loc[["cost", "n_mqls", "cost_per_mqls"], "causes"].tolist() == ["cost changed", "", "cost changed"]


def test_a_call_logged_late_makes_its_hand_over_one_in_time(then, now):
    changes = kit.compare_hand_overs(then, now.responses, now.crm, now.agreement)
    rows = kit.list_rejudged(changes)[["person_id", "cause", "outcome_then", "outcome_now", "first_attempt_now_at"]]
    assert rows.values.tolist() == [
        [CALLED, "contact logged late", "never", "in time", pd.Timestamp("2026-08-17 10:00")]]
    months = kit.rejudged_months(then, now.responses, changes, now.agreement).set_index("month")
    august = months.loc["2026-08"]
    assert august["n_in_time_now"] - august["n_in_time_then"] == 1
    assert (august["n_then"], august["n_counted_then"]) == (august["n_now"], august["n_counted_now"])


def test_entries_follow_the_deals_that_moved(then, now):
    changes = kit.compare_entries(then, now.entries, now.crm, now.agreement)
    assert changes[["record_id", "stage", "cause"]].values.tolist() == [
        [REOPENED_DEAL, "customer", "entry gone"], [MOVED_DEAL, "customer", "month moved"]]
    funnel = kit.restated_funnel(then, now.entries, changes, now.agreement)
    assert funnel[["stage", "month", "n_difference"]].values.tolist() == [
        ["customer", "2026-08", -1], ["customer", "2026-09", 0]]


def test_a_month_later_without_edits_restates_nothing(then):
    """Though leads became contacts in October, and so go by another id."""
    later = work(SAMPLE, "2026-10")
    assert len(later.crm.people[later.crm.people["converted_on"] >= "2026-10-01"]) > 10
    assert changes_of(then, later).empty
    assert kit.list_rejudged(kit.compare_hand_overs(then, later.responses, later.crm, later.agreement)).empty
    assert kit.compare_entries(then, later.entries, later.crm, later.agreement).empty


def test_the_same_month_again_restates_only_what_has_no_history(then, now, tmp_path):
    """Amounts, stages, dates and late rows are restored or left out as of the month's end; merges and costs are not."""
    again = work(edited_sample(tmp_path / "data"), "2026-09")
    assert set(changes_of(then, again)["cause"]) == {"account merged"}
    assert kit.list_rejudged(kit.compare_hand_overs(then, again.responses, again.crm, again.agreement)).empty
    spent = kit.costs_between(again.costs, again.crm.campaigns, *kit.month_days("2026-09"))
    assert kit.restated_costs(then, spent, again.crm.campaigns)["campaign_id"].tolist() == [DEARER]


def test_edits_alone_are_found_alone(then, tmp_path):
    one = work(edited_sample(tmp_path / "data", [merge_accounts, write_cost_down]), "2026-10")
    assert set(changes_of(then, one)["conversion_id"]) == {MERGED_DEAL}


def test_what_is_published_is_read_back_as_it_was(then, now):
    published = as_read(now.touches)
    own = as_published(now.touches, now.agreement.time_zone)
    assert published.drop(columns="weight").equals(own.drop(columns="weight"))


def sheets_of(path):
    return {table["sheet"]: table for table in find_tables(nbformat.read(path, 4))}


def test_report_says_what_moved_since_the_one_it_is_given(sample_report, tmp_path):
    """October again, from an export in which two accounts are one since: the deal's three campaigns, and no more."""
    data, out = edited_sample(tmp_path / "data", [merge_accounts]), tmp_path / "reports"
    assert main(["report", "all", "--month", "2026-10", "--data", str(data), "--out", str(out), "--previous",
                 str(sample_report)]) == 0
    roi, sla = (sheets_of(out / "2026-10" / f"{name}.ipynb") for name in ("campaign_roi", "sla_conversion"))
    deals = roi["since_deals"]
    names = [column["name"] for column in deals["columns"]]
    assert {tuple(row[names.index(name)] for name in ("conversion_id", "cause", "difference")) for row in deals[
        "rows"]} == {(MERGED_DEAL, "account merged or changed", difference) for difference in (
            4756.67, -2378.33, -2378.34)}
    assert not {"since_definitions", "since_costs"} & set(roi)
    assert sla["since_hand_overs"]["rows"] == sla["since_entries"]["rows"] == []
    page = (out / "2026-10" / "campaign_roi.html").read_text(encoding="utf-8")
    assert page.count("Account merged or changed: 1 deal, €4,757.") == 2             # on the first screen, and below
    inputs = {row[0] for row in roi["provenance"]["rows"]}
    assert {"previous/manifest.json", "previous/campaign_roi.ipynb"} <= inputs


def test_report_without_an_earlier_one_says_so_and_shows_no_comparison(sample_report):
    for name in ("campaign_roi", "sla_conversion"):
        sheets = sheets_of(sample_report / f"{name}.ipynb")
        assert [sheet for sheet in sheets if sheet.startswith("since")] == []
        page = (sample_report / f"{name}.html").read_text(encoding="utf-8")
        assert page.count("No earlier report was given to compare with.") == 1


def test_report_keeps_every_touch_to_the_cent(sample_report):
    sheets = sheets_of(sample_report / "campaign_roi.ipynb")
    touches, deals = (read_table(sheets[name]) for name in ("touches_to_date", "credit_to_date"))
    assert len(touches) > len(deals)
    credit = [table.groupby("conversion_id")["credit"].sum().mul(100).round() for table in (touches, deals)]
    assert credit[0].equals(credit[1])
