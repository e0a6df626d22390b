"""Rows after the month's end change nothing in the month's tables: the sample beside a copy with more of November."""

import csv
import shutil
from pathlib import Path

import pytest
from conftest import AS_OF, path_of
from pandas.testing import assert_frame_equal

from attribution.agreement import month_days
from attribution.agreement_file import read_agreement
from attribution.comparisons import list_deals
from attribution.costs import costs_between, phase_costs
from attribution.draws import list_steps
from attribution.entries import build_entries
from attribution.months import month_bounds
from attribution.planning import (
    draw_funnel,
    plan_backwards,
    stage_standing,
    transition_rates,
    year_so_far,
)
from attribution.promises import find_promise
from attribution.roi import between, campaign_roi
from attribution.silence import stale_by_age
from attribution.sla import build_responses, list_attempts
from attribution.sources import read_crm
from attribution.sources.salesforce_export import record_ids
from attribution.worth import stage_values, weighted_pipeline

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
NOBODY = "000000000000000AAA"
DAY, NOW = "2026-11-05 00:00:00", "2026-11-05 10:00:00"       # before the sample's own last day, which phases its costs
TABLES = ["touches", "credit", "deals", "returns", "entries", "responses", "stale", "values", "plan", "pipeline"]


def read(name):
    with open(SAMPLE / f"{name}.csv", encoding="iso-8859-1", newline="") as file:
        return [row for row in csv.DictReader(file) if row["IsDeleted"] == "0"]


def rewrite(folder, name, changed, added):
    """Write a file of the sample again, with some rows changed (by id) and some added at its end."""
    with open(SAMPLE / f"{name}.csv", encoding="iso-8859-1", newline="") as file:
        rows = [changed.get(row["Id"], row) for row in csv.DictReader(file)]
    with open(folder / f"{name}.csv", "w", encoding="iso-8859-1", newline="") as file:
        lines = csv.DictWriter(file, list(rows[0]), quoting=csv.QUOTE_ALL, lineterminator="\n")
        lines.writeheader()
        lines.writerows(rows + added)


def change(row, **cells):
    return row | {column: NOW for column in ("LastModifiedDate", "SystemModstamp") if column in row} | cells


def add(name, row, number, **cells):
    """Make another row like one of the sample's, with an id that the sample does not use."""
    return change(row, Id=record_ids(name, [900_000 + number]).to_pylist()[0], CreatedDate=NOW, **cells)


def write_responses(folder, deals):
    """Let three people of the deals' accounts answer what they had joined long ago, and three something new."""
    accounts = {row["AccountId"] for row in deals}
    people = [row["Id"] for row in read("Contact") if row["AccountId"] in accounts]
    members = [row for row in read("CampaignMember") if row["ContactId"] in people]
    answer = {"HasResponded": "1", "FirstRespondedDate": DAY}
    late = {row["Id"]: change(row, **answer) for row in members if row["FirstRespondedDate"] == ""}
    met = {row["CampaignId"] for row in members}
    unmet = next(row["Id"] for row in read("Campaign") if row["Id"] not in met)
    new = [add("CampaignMember", members[0], i, CampaignId=unmet, ContactId=each, LeadId=NOBODY, **answer)
           for i, each in enumerate(people[:3])]
    rewrite(folder, "CampaignMember", dict(list(late.items())[:3]), new)
    return [*list(late)[:3], *(row["Id"] for row in new)]


def write_deals(folder, deals):
    """Correct the first deal's amount, win another deal, and name someone in all of them."""
    corrected = change(deals[0], Amount="98765.00", ExpectedRevenue="98765.00")
    new = add("Opportunity", deals[0], 0, Amount="4321.00", ExpectedRevenue="4321.00", CloseDate=DAY)
    rewrite(folder, "Opportunity", {corrected["Id"]: corrected}, [new])
    last = [row for row in read("OpportunityHistory") if row["OpportunityId"] == corrected["Id"]][-1]
    rewrite(folder, "OpportunityHistory", {}, [
        add("OpportunityHistory", last, i, OpportunityId=deal["Id"], Amount=deal["Amount"], CloseDate=deal["CloseDate"])
        for i, deal in enumerate((corrected, new))])
    role = read("OpportunityContactRole")[0]
    rewrite(folder, "OpportunityContactRole", {}, [
        add("OpportunityContactRole", role, i, OpportunityId=deal["Id"]) for i, deal in enumerate(deals)])
    return [corrected["Id"], new["Id"]]


def write_leads(folder):
    """Qualify, return and call in November some who were leads, and some who were qualified, in October."""
    before = {row["LeadId"]: row for row in read("LeadHistory") if row["CreatedDate"] < "2026-10-31"}
    moved = [row for row in before.values() if row["NewValue"] in ("Recycled", "Marketing Qualified")][:40]
    to = {"Recycled": "Marketing Qualified", "Marketing Qualified": "Recycled"}
    rewrite(folder, "LeadHistory", {}, [
        add("LeadHistory", row, i, Field="Status", OldValue=row["NewValue"], NewValue=to[row["NewValue"]])
        for i, row in enumerate(moved)])
    call = next(row for row in read("Task") if row["CallType"] == "Outbound")
    rewrite(folder, "Task", {}, [add("Task", call, i, WhoId=row["LeadId"], CompletedDateTime=NOW)
                                 for i, row in enumerate(moved)])


@pytest.fixture(scope="module")
def november(tmp_path_factory):
    """The sample with more of November, and the ids of what was added or changed."""
    folder = tmp_path_factory.mktemp("november") / "export"
    shutil.copytree(SAMPLE, folder)
    deals = [row for row in read("Opportunity") if row["IsWon"] == "1" and row["CloseDate"].startswith("2026-10")]
    write_leads(folder)
    return folder, write_responses(folder, deals), write_deals(folder, deals)


def tables_of_october(folder):
    agreement = read_agreement(folder)
    crm = read_crm(folder, agreement, AS_OF)
    _, conversions, journeys, credit = path_of(crm, agreement)
    won = between(conversions, "converted_at", *month_bounds("2026-10", agreement))
    won_credit = credit[credit["conversion_id"].isin(won["conversion_id"])]
    costs = costs_between(phase_costs(crm.campaigns, agreement.local_day(crm.exported_at)), crm.campaigns, None,
                          month_days("2026-10")[1])
    return {"touches": crm.touches, "credit": credit, "deals": list_deals(won, journeys, won_credit, crm.campaigns),
            "returns": campaign_roi(credit, costs, crm.campaigns, conversions=conversions, touches=crm.touches)
            } | sla_tables(crm, agreement)


def sla_tables(crm, agreement):
    entries, options = build_entries(crm, agreement), {"agreement": agreement, "as_of": AS_OF}
    steps = list_steps(entries, **options)
    draws = draw_funnel(steps, entries, crm.opportunities, n_resamples=50, **options)
    standing = stage_standing(entries, transition_rates(draws, steps), **options)
    return {"entries": entries, "values": stage_values(entries, crm.opportunities, n_resamples=50, **options),
            "responses": build_responses(entries, list_attempts(crm.activities, crm.owners), crm.owners, agreement,
                                         find_promise(agreement, "sales"), as_of=AS_OF),
            "stale": stale_by_age(crm, agreement, as_of=AS_OF),
            "plan": plan_backwards(draws, standing, year_so_far(crm.opportunities, agreement, as_of=AS_OF)),
            "pipeline": weighted_pipeline(crm.opportunities, crm.stage_changes, **options)}


@pytest.fixture(scope="module")
def october_twice(november):
    return tables_of_october(SAMPLE), tables_of_october(november[0])


@pytest.mark.parametrize("name", TABLES)
def test_rows_after_the_month_change_nothing_in_it(october_twice, name):
    before, after = (tables[name] for tables in october_twice)
    assert len(before) > 4
    assert_frame_equal(before, after)


def test_rows_after_the_month_count_after_it(november):
    folder, touch_ids, deal_ids = november
    crm = read_crm(folder)
    assert len(touch_ids) == 6 and set(touch_ids) <= set(crm.touches["touch_id"])
    assert crm.opportunities.set_index("opportunity_id").loc[deal_ids, "value"].tolist() == [98765.0, 4321.0]
    assert crm.opportunities.set_index("opportunity_id").loc[deal_ids, "is_won"].all()
    assert (crm.contact_roles["created_at"].dt.strftime("%Y-%m-%d %H:%M:%S") == NOW).sum() > 5
    for moments in (crm.stage_changes["changed_at"], crm.activities["done_at"]):
        assert (moments.dt.strftime("%Y-%m-%d %H:%M:%S") == NOW).sum() >= 40
