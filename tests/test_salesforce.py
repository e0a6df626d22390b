"""The Salesforce reader on a hand-sized company, written in either dialect of Salesforce's exports."""

import csv
import hashlib
import io
import zipfile
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.agreement import Agreement, Stage
from attribution.sources import find_folder, read_crm
from attribution.sources.salesforce_files import lengthen_ids
from attribution.tables import TableError

SAMPLE = Path(__file__).parents[2] / "shared" / "samples" / "salesforce_data_cloud_workshop"
HELSINKI = Agreement(time_zone="Europe/Helsinki", currency="EUR")
TABLES = ("campaigns", "people", "accounts", "touches", "opportunities", "contact_roles", "stage_changes", "activities",
          "owners", "left_out", "missing")


def an_id(prefix: str, n: int) -> str:
    return f"{prefix}{n:012}{'EAA' if prefix[2].isupper() else 'AAA'}"    # E: the third of five is a capital, 4


PROGRAMME, AD, GUIDE, GONE_CAMPAIGN = (an_id("701", n) for n in range(1, 5))
ANNA, BEN, BEN_TWIN, GONE_LEAD = (an_id("00Q", n) for n in range(1, 5))
ANNA_C, CARL_C, CARL_TWIN, PRIVATE_C = (an_id("003", n) for n in range(1, 5))
ACME, ACME_TWIN, BETA = (an_id("001", n) for n in range(1, 4))
WON, OPEN, GONE_DEAL = (an_id("006", n) for n in range(1, 4))
REP, ROBOT = an_id("005", 1), an_id("005", 2)


def at(day: str, time: str = "12:00:00") -> datetime:
    return datetime.fromisoformat(f"2026-{day}T{time}")


def on(day: str) -> date:
    return date.fromisoformat(f"2026-{day}")


def utc(day: str, time: str = "12:00:00") -> pd.Timestamp:
    return pd.Timestamp(at(day, time), tz="UTC")


def company() -> dict[str, list[dict]]:
    """Make a company of three campaigns, six people and two deals, with what real exports have besides."""
    made = {"CreatedDate": at("01-02"), "LastModifiedDate": at("01-03"), "SystemModstamp": at("01-03")}
    alive, gone = made | {"IsDeleted": False}, made | {"IsDeleted": True}
    cost = {"BudgetedCost": 45000.0, "ActualCost": None, "ExpectedRevenue": 225000.0, "NumberSent": 18575.0}
    campaign = {"Type": "Webinar", "Status": "Completed", "StartDate": on("01-01"), "EndDate": None, "IsActive": True,
                "NumberOfLeads": 2.0, "AmountWonOpportunities": 900.5, "HierarchyActualCost": 20000.0} | alive
    lead = {"MasterRecordId": None, "Status": "Open", "IsConverted": False, "ConvertedDate": None,
            "ConvertedContactId": None, "ConvertedAccountId": None, "OwnerId": REP, "LeadSource": "Web", "Title": "CTO",
            "Country": "FI", "Industry": "Mining", "HasOptedOutOfEmail": False, "DoNotCall": True} | alive
    contact = {"MasterRecordId": None, "AccountId": ACME, "OwnerId": ROBOT, "Title": "Chief", "LeadSource": None,
               "MailingCountry": "SE", "HasOptedOutOfEmail": True, "DoNotCall": False} | alive
    account = {"MasterRecordId": None, "Name": "Äkkijyrkkä & Sons, \"Ltd\"", "ParentId": None, "Type": "Prospect",
               "Industry": "Energy", "BillingCountry": "FI", "NumberOfEmployees": 12.0, "AnnualRevenue": 1e6,
               "OwnerId": REP} | alive
    member = {"LeadId": None, "ContactId": None, "Status": "Sent", "HasResponded": False,
              "FirstRespondedDate": None} | alive
    deal = {"AccountId": ACME, "Name": "Pump\nline 2", "Type": "New Business", "LeadSource": "Web", "CampaignId": AD,
            "OwnerId": REP, "LastModifiedDate": at("10-20"), "SystemModstamp": at("10-20"), "IsDeleted": False,
            "CreatedDate": at("03-01")}
    change = {"IsDeleted": False, "ForecastCategory": "Pipeline"}
    task = {"WhoId": ANNA, "WhatId": None, "AccountId": None, "OwnerId": REP, "TaskSubtype": None, "Type": None,
            "Subject": None, "CallType": None, "ActivityDate": on("04-01"), "IsClosed": True,
            "CompletedDateTime": at("04-01", "08:00:00")} | alive
    return {
        "Campaign": [
            {"Id": PROGRAMME, "Name": "Programme", "ParentId": None, **campaign, **cost},
            {"Id": AD, "Name": "Ad", "ParentId": PROGRAMME, **campaign, **cost, "ActualCost": 20000.0},
            {"Id": GUIDE, "Name": "Guide", "ParentId": PROGRAMME, **campaign, **cost},
            {"Id": GONE_CAMPAIGN, "Name": "Gone", "ParentId": None, **campaign, **cost, **gone}],
        "Lead": [
            {"Id": ANNA, **lead, "Status": "Converted", "IsConverted": True, "ConvertedDate": on("03-10"),
             "ConvertedContactId": ANNA_C, "ConvertedAccountId": ACME},
            {"Id": BEN, **lead}, {"Id": BEN_TWIN, **lead, **gone, "MasterRecordId": BEN},
            {"Id": GONE_LEAD, **lead, **gone}],
        "Contact": [
            {"Id": ANNA_C, **contact, "CreatedDate": at("03-10")}, {"Id": CARL_C, **contact, "AccountId": ACME_TWIN},
            {"Id": CARL_TWIN, **contact, **gone, "MasterRecordId": CARL_C},
            {"Id": PRIVATE_C, **contact, "AccountId": None}],
        "Account": [
            {"Id": ACME, **account}, {"Id": ACME_TWIN, **account, **gone, "MasterRecordId": ACME},
            {"Id": BETA, **account}],
        "CampaignMember": [
            {"Id": an_id("00v", 1), "CampaignId": AD, **member, "LeadId": ANNA, "ContactId": ANNA_C,
             "HasResponded": True, "FirstRespondedDate": on("02-01"), "Status": "Clicked"},
            {"Id": an_id("00v", 2), "CampaignId": GUIDE, **member, "LeadId": BEN_TWIN, "HasResponded": True,
             "FirstRespondedDate": on("02-02")},
            {"Id": an_id("00v", 3), "CampaignId": GUIDE, **member, "LeadId": BEN, "HasResponded": True,
             "FirstRespondedDate": on("01-20")},
            {"Id": an_id("00v", 4), "CampaignId": GUIDE, **member, "ContactId": CARL_TWIN, "HasResponded": True},
            {"Id": an_id("00v", 5), "CampaignId": AD, **member, "ContactId": CARL_C},
            {"Id": an_id("00v", 6), "CampaignId": AD, **member, "LeadId": GONE_LEAD, "FirstRespondedDate": on("02-01")},
            {"Id": an_id("00v", 7), "CampaignId": AD, **member, **gone, "LeadId": BEN,
             "FirstRespondedDate": on("02-01")},
            {"Id": an_id("00v", 8), "CampaignId": GONE_CAMPAIGN, **member, "LeadId": BEN,
             "FirstRespondedDate": on("02-01")},
            {"Id": an_id("00v", 9), "CampaignId": AD, **member, "FirstRespondedDate": on("02-01")}],
        "Opportunity": [
            {"Id": WON, **deal, "StageName": "Signed", "Amount": 1000.01, "Probability": 100.0,
             "CloseDate": on("10-20"), "IsClosed": True, "IsWon": True},
            {"Id": OPEN, **deal, "AccountId": ACME_TWIN, "StageName": "Talks", "Amount": None, "Probability": 50.0,
             "CloseDate": on("12-01"), "IsClosed": False, "IsWon": False},
            {"Id": GONE_DEAL, **deal, **gone, "StageName": "Lost", "Amount": 77.7, "Probability": 0.0,
             "CloseDate": on("05-01"), "IsClosed": True, "IsWon": False}],
        "OpportunityHistory": [
            {"Id": an_id("008", 1), "OpportunityId": WON, **change, "CreatedDate": at("03-01"), "StageName": "Talks",
             "Amount": 500.0, "Probability": 50.0, "CloseDate": on("09-30")},
            {"Id": an_id("008", 2), "OpportunityId": WON, **change, "CreatedDate": at("06-01"), "StageName": "Talks",
             "Amount": 800.0, "Probability": 60.0, "CloseDate": on("09-30")},
            {"Id": an_id("008", 3), "OpportunityId": WON, **change, "CreatedDate": at("10-20"), "StageName": "Signed",
             "Amount": 1000.01, "Probability": 100.0, "CloseDate": on("10-20"), "ForecastCategory": "Closed"}],
        "OpportunityContactRole": [
            {"Id": an_id("00K", 1), "OpportunityId": WON, "ContactId": ANNA_C, "Role": "Decision Maker",
             **alive, "CreatedDate": at("03-10")},
            {"Id": an_id("00K", 2), "OpportunityId": WON, "ContactId": ANNA_C, "Role": None, **alive,
             "CreatedDate": at("03-11")},
            {"Id": an_id("00K", 3), "OpportunityId": GONE_DEAL, "ContactId": CARL_C, "Role": None, **alive},
            {"Id": an_id("00K", 4), "OpportunityId": WON, "ContactId": an_id("003", 99), "Role": None, **alive}],
        "LeadHistory": [
            {"Id": an_id("017", 1), "LeadId": ANNA, "Field": "created", "OldValue": None, "NewValue": None,
             "CreatedDate": at("01-02"), "IsDeleted": False},
            {"Id": an_id("017", 2), "LeadId": ANNA, "Field": "Status", "OldValue": "Open", "NewValue": "MQL",
             "CreatedDate": at("02-05"), "IsDeleted": False},
            {"Id": an_id("017", 3), "LeadId": ANNA, "Field": "leadConverted", "OldValue": None, "NewValue": None,
             "CreatedDate": at("03-10"), "IsDeleted": False},
            {"Id": an_id("017", 4), "LeadId": BEN, "Field": "created", "OldValue": None, "NewValue": None,
             "CreatedDate": at("01-02"), "IsDeleted": False},
            {"Id": an_id("017", 5), "LeadId": BEN, "Field": "Owner", "OldValue": "a", "NewValue": "b",
             "CreatedDate": at("01-05"), "IsDeleted": False}],
        "Task": [
            {"Id": an_id("00T", 1), **task, "TaskSubtype": "Call", "Type": "Email", "CallType": "Inbound"},
            {"Id": an_id("00T", 2), **task, "Type": "Email", "Subject": "About a call", "CompletedDateTime": None,
             "WhatId": WON, "WhoId": None},
            {"Id": an_id("00T", 3), **task, "Subject": "List Email: spring", "Type": "Email", "OwnerId": ROBOT},
            {"Id": an_id("00T", 4), **task, "Subject": "Prepare", "IsClosed": False, "CompletedDateTime": None},
            {"Id": an_id("00T", 5), **task, "Subject": "Prepare", "CompletedDateTime": None, "WhatId": ACME_TWIN,
             "AccountId": ACME_TWIN},
            {"Id": an_id("00T", 6), **task, **gone}],
        "Event": [
            {"Id": an_id("00U", 1), "WhoId": BEN, "WhatId": None, "AccountId": None, "OwnerId": REP, "IsChild": False,
             "ActivityDateTime": at("04-02", "07:00:00"), "ActivityDate": on("04-02"), **alive},
            {"Id": an_id("00U", 2), "WhoId": BEN, "WhatId": None, "AccountId": None, "OwnerId": REP, "IsChild": True,
             "ActivityDateTime": at("04-02", "07:00:00"), "ActivityDate": on("04-02"), **alive},
            {"Id": an_id("00U", 3), "WhoId": BEN, "WhatId": None, "AccountId": None, "OwnerId": REP, "IsChild": False,
             "ActivityDateTime": at("12-24", "07:00:00"), "ActivityDate": on("12-24"), **alive}],
        "User": [
            {"Id": REP, "Department": "Sales", "IsActive": True, "IsSystemControlled": False, "UserType": "Standard"},
            {"Id": ROBOT, "Department": None, "IsActive": True, "IsSystemControlled": False,
             "UserType": "AutomatedProcess"}],
    }


def data_export_cell(column: str, value) -> str:
    if value is None:
        return "000000000000000AAA" if column.endswith("Id") else "000" if column == "CurrencyIsoCode" else ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, date):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)


def bulk_cell(column: str, value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        zone = {"CreatedDate": ".000Z", "LastModifiedDate": ".000+0000"}.get(column, "Z")
        return f"{value:%Y-%m-%dT%H:%M:%S}{zone}"
    return "" if value is None else str(value)


def write_csv(path: Path, rows: list[dict], dialect: str = "data_export", **options) -> None:
    cell, quoting, encoding = {
        "data_export": (data_export_cell, csv.QUOTE_ALL, "latin-1"),
        "bulk": (bulk_cell, csv.QUOTE_MINIMAL, "utf-8-sig")}[dialect]
    lines = csv.writer(text := io.StringIO(newline=""), quoting=quoting,
                       lineterminator="\n" if dialect == "data_export" else "\r\n")
    lines.writerow(rows[0])
    lines.writerows([[cell(column, value) for column, value in row.items()] for row in rows])
    path.write_bytes(text.getvalue().encode(options.get("encoding", encoding)))


def write_export(folder: Path, tables: dict[str, list[dict]], dialect: str = "data_export") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        write_csv(folder / f"{name}.csv", rows, dialect)
    return folder


def with_rows(tables: dict, name: str, change) -> dict:
    return tables | {name: [change(row) for row in tables[name]]}


@pytest.fixture
def export(tmp_path) -> Path:
    return write_export(tmp_path / "export", company())


@pytest.fixture(scope="module")
def crm(tmp_path_factory):
    return read_crm(write_export(tmp_path_factory.mktemp("company"), company()), HELSINKI)


def records(table: pd.DataFrame, *columns: str) -> list[tuple]:
    rows = table[list(columns)].astype(object)
    return list(rows.where(rows.notna(), None).itertuples(index=False, name=None))


def counts(crm, table: str) -> dict[str, int]:
    rows = crm.left_out[crm.left_out["table"] == table]
    return dict(zip(rows["reason"], rows["n_rows"].astype(int), strict=True))


# --- what comes out


def test_read_crm_takes_the_campaigns(crm):
    assert records(crm.campaigns, "campaign_id", "parent_id", "campaign_name", "actual_cost") == [
        (PROGRAMME, None, "Programme", None), (AD, PROGRAMME, "Ad", 20000.0), (GUIDE, PROGRAMME, "Guide", None)]
    ad = crm.campaigns.iloc[1]
    assert ad[["n_sent", "reported_n_leads", "reported_value_won", "reported_actual_cost_with_children"]].tolist() == [
        18575, 2, 900.5, 20000.0]
    assert ad["starts_on"] == pd.Timestamp("2026-01-01") and pd.isna(ad["ends_on"]) and ad["is_active"]
    assert pd.isna(ad["reported_n_won"])
    assert counts(crm, "campaigns") == {"deleted": 1}


def test_read_crm_makes_one_person_of_a_lead_and_its_contact(crm):
    assert records(crm.people, "person_id", "lead_id", "contact_id", "account_id") == [
        (ANNA_C, ANNA, ANNA_C, ACME), (CARL_C, None, CARL_C, ACME), (PRIVATE_C, None, PRIVATE_C, None),
        (BEN, BEN, None, None)]
    anna = crm.people.iloc[0]
    assert (anna["created_at"], anna["lead_created_at"], anna["converted_on"]) == (
        utc("01-02"), utc("01-02"), pd.Timestamp("2026-03-10"))
    assert anna[["title", "lead_source", "country", "industry", "owner_id", "status"]].tolist() == [
        "Chief", "Web", "SE", "Mining", ROBOT, "Converted"]
    assert anna["is_opted_out"] and anna["do_not_call"]
    assert counts(crm, "people") == {"merged into another record": 2, "deleted": 1}


def test_read_crm_joins_several_leads_of_one_contact(tmp_path):
    tables = company()
    later = tables["Lead"][0] | {"Id": an_id("00Q", 9), "CreatedDate": at("02-20"), "Country": "NO"}
    read = read_crm(write_export(tmp_path, tables | {"Lead": [later, *tables["Lead"]]}), HELSINKI)
    assert records(read.people.query("person_id == @ANNA_C"), "lead_id", "lead_created_at") == [(ANNA, utc("01-02"))]


def test_read_crm_follows_chains_of_merges(tmp_path):
    tables = company()
    third = tables["Lead"][2] | {"Id": an_id("00Q", 9), "MasterRecordId": BEN_TWIN}
    member = tables["CampaignMember"][0] | {"Id": an_id("00v", 20), "LeadId": an_id("00Q", 9), "ContactId": None}
    read = read_crm(write_export(tmp_path, tables | {
        "Lead": [third, *tables["Lead"]], "CampaignMember": [*tables["CampaignMember"], member]}), HELSINKI)
    assert records(read.touches.query("touch_id == @member['Id']"), "person_id") == [(BEN,)]


def test_read_crm_takes_the_responses_of_each_person_once(crm):
    assert records(crm.touches, "touch_id", "person_id", "account_id", "campaign_id", "touched_at", "kind") == [
        (an_id("00v", 1), ANNA_C, ACME, AD, utc("01-31", "22:00:00"), "response"),
        (an_id("00v", 3), BEN, None, GUIDE, utc("01-19", "22:00:00"), "response"),
        (an_id("00v", 4), CARL_C, ACME, GUIDE, utc("01-02"), "response")]
    assert records(crm.touches.head(1), "joined_at", "modified_at", "status") == [
        (utc("01-02"), utc("01-03"), "Clicked")]
    assert counts(crm, "touches") == {
        "deleted": 1, "did not respond": 1, "campaign deleted": 1, "no person (an account's membership)": 1,
        "person deleted or not in the export": 1, "same person and campaign twice": 1}
    assert "1 responses have no day" in crm.missing.set_index("source").loc[
        "CampaignMember.csv: FirstRespondedDate", "consequence"]


def test_read_crm_counts_memberships_where_the_agreement_says_so(export):
    read = read_crm(export, Agreement(time_zone="Europe/Helsinki", touches="memberships"))
    assert records(read.touches, "touch_id", "touched_at", "kind")[2:] == [
        (an_id("00v", 4), utc("01-02"), "response"), (an_id("00v", 5), utc("01-02"), "membership")]
    assert "did not respond" not in counts(read, "touches")


def without_responses(tables: dict) -> dict:
    return with_rows(tables, "CampaignMember", lambda row: row | {"HasResponded": False, "FirstRespondedDate": None})


def test_read_crm_tells_responses_by_the_status_where_it_must(tmp_path):
    statuses = [{"CampaignId": AD, "Label": "Clicked", "HasResponded": True},
                {"CampaignId": AD, "Label": "Sent", "HasResponded": False}]
    tables = without_responses(company()) | {"CampaignMemberStatus": statuses}
    read = read_crm(write_export(tmp_path, tables), HELSINKI)
    assert records(read.touches, "touch_id", "touched_at") == [(an_id("00v", 1), utc("01-02"))]
    assert "CampaignMemberStatus.csv" in read.missing.set_index("source").loc[
        "CampaignMember.csv: HasResponded, FirstRespondedDate", "consequence"]


def test_read_crm_says_how_to_go_on_without_responses(tmp_path):
    read = read_crm(write_export(tmp_path, without_responses(company())), HELSINKI)
    assert not len(read.touches)
    assert 'count = "memberships"' in read.missing.set_index("source").loc[
        "CampaignMember.csv: HasResponded, FirstRespondedDate", "consequence"]


def test_read_crm_takes_the_deals(crm):
    assert records(crm.opportunities, "opportunity_id", "account_id", "stage", "value", "probability", "expected_value",
                   "close_on", "is_closed", "is_won", "primary_campaign_id") == [
        (WON, ACME, "Signed", 1000.01, 1.0, 1000.01, pd.Timestamp("2026-10-20"), True, True, AD),
        (OPEN, ACME, "Talks", None, 0.5, None, pd.Timestamp("2026-12-01"), False, False, AD)]
    assert crm.opportunities["opportunity_name"][0] == "Pump\nline 2"
    lost = crm.left_out[crm.left_out["table"] == "opportunities"]
    assert records(lost, "reason", "n_rows", "value") == [("deleted", 1, 77.7)]


def test_read_crm_takes_each_contact_role_once(crm):
    assert records(crm.contact_roles, "contact_role_id", "opportunity_id", "person_id", "role", "created_at") == [
        (an_id("00K", 1), WON, ANNA_C, "Decision Maker", utc("03-10"))]
    assert counts(crm, "contact_roles") == {
        "deal deleted or not in the export": 1, "person deleted or not in the export": 1,
        "same person and deal twice": 1}


def test_read_crm_takes_the_stage_changes(crm):
    leads = crm.stage_changes.query("record_type == 'lead'")
    assert records(leads, "change_id", "record_id", "person_id", "from_stage", "stage", "changed_at") == [
        (an_id("017", 1), ANNA, ANNA_C, None, "Open", utc("01-02")),
        (an_id("017", 4), BEN, BEN, None, "Open", utc("01-02")),
        (an_id("017", 2), ANNA, ANNA_C, "Open", "MQL", utc("02-05")),
        (an_id("017", 3), ANNA, ANNA_C, "MQL", "Converted", utc("03-10"))]
    deals = crm.stage_changes.query("record_type == 'opportunity'")
    assert records(deals, "record_id", "from_stage", "stage", "changed_at", "value", "probability", "close_on") == [
        (WON, None, "Talks", utc("03-01"), 500.0, 0.5, pd.Timestamp("2026-09-30")),
        (WON, "Talks", "Talks", utc("06-01"), 800.0, 0.6, pd.Timestamp("2026-09-30")),
        (WON, "Talks", "Signed", utc("10-20"), 1000.01, 1.0, pd.Timestamp("2026-10-20"))]


def test_read_crm_tells_a_conversion_once(tmp_path):
    tables = company()
    told = tables["LeadHistory"][1] | {"Id": an_id("017", 9), "OldValue": "MQL", "NewValue": "Converted",
                                       "CreatedDate": at("03-10")}
    read = read_crm(write_export(tmp_path, tables | {"LeadHistory": [*tables["LeadHistory"], told]}), HELSINKI)
    assert records(read.stage_changes.query("stage == 'Converted'"), "change_id") == [(an_id("017", 9),)]
    assert counts(read, "stage_changes") == {"conversion told by the status too": 1}


def test_read_crm_does_not_guess_the_first_status_of_a_converted_lead(tmp_path):
    tables = company()
    history = [row for row in tables["LeadHistory"] if row["Field"] != "Status"]
    read = read_crm(write_export(tmp_path, tables | {"LeadHistory": history}), HELSINKI)
    assert records(read.stage_changes.query("record_id == @ANNA"), "from_stage", "stage") == [(None, "Converted")]
    assert counts(read, "stage_changes") == {"status not known": 1}


def test_read_crm_takes_the_activities(crm):
    assert records(crm.activities, "activity_id", "person_id", "account_id", "opportunity_id", "kind", "is_outbound",
                   "is_done", "done_at") == [
        (an_id("00T", 1), ANNA_C, ACME, None, "call", False, True, utc("04-01", "08:00:00")),
        (an_id("00T", 2), None, ACME, WON, "email", True, True, utc("01-02")),
        (an_id("00T", 3), ANNA_C, ACME, None, "list_email", True, True, utc("04-01", "08:00:00")),
        (an_id("00T", 4), ANNA_C, ACME, None, "task", True, False, None),
        (an_id("00T", 5), ANNA_C, ACME, None, "task", True, True, utc("01-03")),
        (an_id("00U", 1), BEN, None, None, "meeting", True, True, utc("04-02", "07:00:00")),
        (an_id("00U", 3), BEN, None, None, "meeting", True, False, None)]
    assert counts(crm, "activities") == {"deleted": 1, "attendee's copy": 1}


@pytest.mark.parametrize(("said", "kind"), [
    ({"Type": "Call"}, "call"), ({"Subject": "Phone: intro"}, "call"), ({"Subject": "E-mail: call me"}, "email"),
    ({"Type": "Meeting", "Subject": "Email the agenda"}, "meeting"), ({"TaskSubtype": "ListEmail"}, "list_email"),
    ({"TaskSubtype": "Task", "Type": "Call"}, "task"), ({"Subject": None}, "task"),
    ({"TaskSubtype": "LinkedIn"}, "linkedin")])
def test_read_crm_tells_the_kind_of_a_task(tmp_path, said, kind):
    tables = company()
    read = read_crm(write_export(tmp_path, tables | {"Task": [tables["Task"][3] | said]}), HELSINKI)
    assert read.activities["kind"][0] == kind


def test_read_crm_tells_people_from_automated_users(crm):
    assert records(crm.owners, "owner_id", "team", "is_active", "is_human") == [
        (REP, "Sales", True, True), (ROBOT, None, True, False)]


def test_read_crm_hashes_what_it_read(export):
    crm = read_crm(export, HELSINKI)
    assert crm.sources["Lead.csv"] == hashlib.sha256((export / "Lead.csv").read_bytes()).hexdigest()
    assert set(crm.sources) == {file.name for file in export.iterdir()}


def test_read_crm_dates_the_export_by_its_latest_edit(crm):
    assert crm.exported_at == crm.as_of == utc("10-20")
    assert crm.currency == "EUR"


def test_read_crm_never_reads_names_and_addresses(tmp_path):
    tables = with_rows(company(), "Lead", lambda row: row | {"LastName": "Sukunimi", "Email": "x@example.com"})
    read = read_crm(write_export(tmp_path, tables), HELSINKI)
    everything = " ".join(getattr(read, table).to_csv() for table in TABLES)
    assert "Sukunimi" not in everything and "example.com" not in everything


# --- dialects, folders, ids


def assert_same_tables(one, other, tables=TABLES):
    for table in tables:
        pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table), obj=table)


def test_read_crm_reads_both_dialects_alike(tmp_path):
    one = read_crm(write_export(tmp_path / "one", company()), HELSINKI)
    other = read_crm(write_export(tmp_path / "other", company(), "bulk"), HELSINKI)
    assert_same_tables(one, other)
    assert one.accounts["account_name"][0] == 'Äkkijyrkkä & Sons, "Ltd"'


def test_read_crm_reads_mixed_dialects(tmp_path, crm):
    folder = write_export(tmp_path / "mixed", company())
    for name in ("Lead", "Opportunity", "CampaignMember"):
        write_csv(folder / f"{name}.csv", company()[name], "bulk")
    assert_same_tables(crm, read_crm(folder, HELSINKI))


@pytest.mark.parametrize(("text", "moment"), [
    ("2026-01-02 12:00:00", utc("01-02")), ("2026-01-02T12:00:00.000Z", utc("01-02")),
    ("2026-01-02T14:00:00.000+0200", utc("01-02")), ("2026-01-02T12:00:00+00:00", utc("01-02")),
    ("2026-01-02", utc("01-02", "00:00:00"))])
def test_read_crm_reads_every_way_to_write_a_moment(tmp_path, text, moment):
    tables = company()
    created = [{"Id": row["Id"], "Name": row["Name"], "CreatedDate": text} for row in tables["Account"]]
    read = read_crm(write_export(tmp_path, tables | {"Account": created}), HELSINKI)
    assert read.accounts["created_at"][0] == moment


def test_read_crm_reads_a_blank_boolean_as_false(tmp_path):
    tables = with_rows(company(), "Opportunity", lambda row: row | {
        "IsWon": "1" if row["IsWon"] else "", "IsDeleted": "TRUE" if row["IsDeleted"] else ""})
    assert records(read_crm(write_export(tmp_path, tables), HELSINKI).opportunities, "is_won") == [(True,), (False,)]


@pytest.mark.parametrize("inside", ["", "export/"])
def test_read_crm_reads_a_zip(tmp_path, export, crm, inside):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for file in export.iterdir():
            archive.write(file, inside + file.name)
    read = read_crm(tmp_path / "export.zip", HELSINKI)
    assert_same_tables(crm, read)
    assert read.sources == crm.sources


def test_read_crm_does_not_mind_the_order_of_rows(tmp_path, crm):
    read = read_crm(write_export(tmp_path, {name: rows[::-1] for name, rows in company().items()}), HELSINKI)
    for table in TABLES[:9]:
        key = getattr(crm, table).columns[0]
        one, other = (getattr(each, table).sort_values(key, ignore_index=True) for each in (crm, read))
        pd.testing.assert_frame_equal(one, other, obj=table)


def test_read_crm_finds_the_one_folder_below(tmp_path, crm):
    write_export(tmp_path / "outer" / "data", company())
    assert_same_tables(crm, read_crm(tmp_path / "outer", HELSINKI))


def test_read_crm_joins_the_parts_of_an_object(tmp_path, crm):
    tables = company()
    folder = write_export(tmp_path / "parts", tables)
    (folder / "CampaignMember.csv").unlink()
    write_csv(folder / "CampaignMember_1.csv", tables["CampaignMember"][:4])
    write_csv(folder / "CampaignMember_2.csv", tables["CampaignMember"][4:], "bulk")
    assert_same_tables(crm, read_crm(folder, HELSINKI))


def test_read_crm_takes_the_agreement_of_the_folder(export):
    (export / "agreement.toml").write_text('[company]\ncurrency = "SEK"\n')
    assert read_crm(export).currency == "SEK"
    assert read_crm(export, Agreement()).currency == "XXX"


def test_find_folder_looks_beside_the_notebooks(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "deep").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks" / "deep")
    assert find_folder("data") == tmp_path / "data"
    (tmp_path / "notebooks" / "deep" / "data").mkdir()
    assert find_folder("data") == Path("data")


def test_lengthen_ids_adds_the_checksum():
    known = ["001Ec00000FzlUdIAJ", "701Ec00000GJDlAIAX", "00vEc000000jeIqIAI"]    # Salesforce itself made these
    assert lengthen_ids(pa.chunked_array([[each[:15] for each in known]])).to_pylist() == known


def test_read_crm_joins_ids_of_fifteen_and_eighteen_characters(tmp_path, crm):
    short = with_rows(company(), "CampaignMember", lambda row: {
        column: value[:15] if column.endswith("Id") and value else value for column, value in row.items()})
    assert_same_tables(crm, read_crm(write_export(tmp_path / "short", short), HELSINKI))


# --- as of


AS_OF = utc("08-31", "20:59:59.999999")


def test_read_crm_restores_the_deals_of_then(export):
    read = read_crm(export, HELSINKI, AS_OF)
    assert records(read.opportunities, "opportunity_id", "stage", "value", "probability", "close_on", "is_closed",
                   "is_won") == [
        (WON, "Talks", 800.0, 0.6, pd.Timestamp("2026-09-30"), False, False),
        (OPEN, "Talks", None, 0.5, pd.Timestamp("2026-12-01"), False, False)]
    said = read.missing.set_index("source")["consequence"]
    assert said["OpportunityHistory.csv"].startswith("1 of 2 deals have no history")
    assert "exported on 2026-10-20" in said["history of anything but deals and lead statuses"]


@pytest.mark.parametrize(("forecast", "probability", "is_closed", "is_won"), [
    ("Closed", 100.0, True, True), ("Omitted", 0.0, True, False), ("Omitted", 100.0, False, False),
    ("Closed", 50.0, False, False), ("Pipeline", 0.0, False, False)])
def test_read_crm_learns_which_stages_end_a_deal_from_the_history(tmp_path, forecast, probability, is_closed, is_won):
    first, second, last = company()["OpportunityHistory"]
    ended = second | {"StageName": "Old name", "ForecastCategory": forecast, "Probability": probability}
    read = read_crm(write_export(tmp_path, company() | {"OpportunityHistory": [first, ended, last]}), HELSINKI, AS_OF)
    assert records(read.opportunities.head(1), "stage", "is_closed", "is_won") == [("Old name", is_closed, is_won)]


def test_read_crm_as_of_before_the_conversion_still_sees_the_lead(export):
    read = read_crm(export, HELSINKI, utc("03-09"))
    assert records(read.people, "person_id", "contact_id", "account_id", "converted_on", "status") == [
        (CARL_C, CARL_C, ACME, None, None), (PRIVATE_C, PRIVATE_C, None, None, None),
        (ANNA, None, None, None, "MQL"), (BEN, None, None, None, "Open")]
    assert records(read.touches.head(1), "person_id", "account_id") == [(ANNA, None)]
    assert not len(read.contact_roles)
    assert counts(read, "contact_roles")["after as_of"] == 2


def test_read_crm_as_of_finds_the_lead_of_a_membership_that_moved(tmp_path):
    tables = with_rows(company(), "CampaignMember",
                       lambda row: row | {"LeadId": None if row["LeadId"] == ANNA else row["LeadId"]})
    read = read_crm(write_export(tmp_path, tables), HELSINKI, utc("03-09"))
    assert records(read.touches.head(1), "person_id") == [(ANNA,)]


def test_read_crm_as_of_keeps_a_lead_apart_from_the_contact_it_will_join(tmp_path):
    tables = company()
    anna = tables["Lead"][0] | {"ConvertedContactId": CARL_C}
    member = tables["CampaignMember"][0] | {"ContactId": CARL_C}
    folder = write_export(tmp_path, tables | {
        "Lead": [anna, *tables["Lead"][1:]], "CampaignMember": [member, *tables["CampaignMember"][1:]]})
    assert records(read_crm(folder, HELSINKI, utc("03-09")).touches.head(1), "person_id") == [(ANNA,)]
    assert records(read_crm(folder, HELSINKI).touches.head(1), "person_id") == [(CARL_C,)]


def test_read_crm_as_of_the_first_response_not_yet_given(export):
    read = read_crm(export, HELSINKI, utc("01-25"))
    assert records(read.touches, "touch_id") == [(an_id("00v", 3),), (an_id("00v", 4),)]
    assert counts(read, "touches")["did not respond"] == 6


def test_read_crm_as_of_leaves_out_later_rows_and_counts_them(export):
    read = read_crm(export, HELSINKI, utc("02-01"))
    assert not len(read.opportunities)
    later = read.left_out.query("table == 'opportunities' and reason == 'after as_of'")
    assert records(later, "n_rows", "value") == [(2, 1000.01)]


def test_read_crm_as_of_hangs_no_campaign_below_a_later_one(tmp_path):
    tables = with_rows(company(), "Campaign", lambda row: row | {
        "CreatedDate": at("09-15") if row["Id"] == PROGRAMME else row["CreatedDate"]})
    read = read_crm(write_export(tmp_path, tables), HELSINKI, AS_OF)
    assert records(read.campaigns, "campaign_id", "parent_id") == [(AD, None), (GUIDE, None)]


def test_read_crm_as_of_needs_a_time_zone(export):
    with pytest.raises(ValueError, match="as_of: 2026-10-31 00:00:00 has no time zone"):
        read_crm(export, HELSINKI, pd.Timestamp("2026-10-31"))


THEN = {"touches": ["touch_id", "person_id", "account_id", "campaign_id", "touched_at", "kind", "joined_at"],
        "opportunities": ["opportunity_id", "account_id", "stage", "value", "probability", "expected_value", "close_on",
                          "created_at", "is_closed", "is_won"],
        "contact_roles": ["contact_role_id", "opportunity_id", "person_id", "role", "created_at"],
        "stage_changes": ["change_id", "record_type", "record_id", "person_id", "from_stage", "stage", "changed_at",
                          "value", "probability", "close_on"],
        "people": ["person_id", "account_id", "lead_id", "contact_id", "created_at", "lead_created_at", "converted_on",
                   "status"]}


def live(history: list[tuple], until: int) -> dict[str, list[dict]]:
    """Export, on a day, a company in which each lead responds, converts, and its deal moves, on days of its own."""
    def day(n):
        return at("01-01", "09:00:00") + timedelta(days=n)
    base = company()
    stages = {0: ("Talks", 10.0, "Pipeline"), 1: ("Offer", 60.0, "Pipeline"), 2: ("Signed", 100.0, "Closed"),
              3: ("Lost", 0.0, "Omitted")}
    tables = {name: [] for name in ("Lead", "Contact", "CampaignMember", "Opportunity", "OpportunityHistory",
                                    "OpportunityContactRole", "LeadHistory")}
    for n, (born, answers, wait, keeps_lead, moves) in enumerate(history, 10):
        converts = answers + wait
        if born > until:
            continue
        lead, contact, deal = an_id("00Q", n), an_id("003", n), an_id("006", n)
        is_converted, seen = born + converts <= until, max(step for step in (born, born + answers, born + converts)
                                                           if step <= until)
        tables["Lead"].append(base["Lead"][1] | {
            "Id": lead, "CreatedDate": day(born), "SystemModstamp": day(seen), "IsConverted": is_converted,
            "Status": "Converted" if is_converted else "MQL" if born + answers <= until else "Open",
            "ConvertedDate": day(born + converts).date() if is_converted else None,
            "ConvertedContactId": contact if is_converted else None,
            "ConvertedAccountId": BETA if is_converted else None})
        steps = [("created", None, None, born), ("Status", "Open", "MQL", born + answers),
                 ("Status", "MQL", "Converted", born + converts)]
        tables["LeadHistory"] += [
            {"Id": an_id("017", 10 * n + k), "LeadId": lead, "Field": field, "OldValue": old, "NewValue": new,
             "CreatedDate": day(when), "IsDeleted": False}
            for k, (field, old, new, when) in enumerate(steps) if when <= until]
        answered = born + answers <= until
        tables["CampaignMember"].append(base["CampaignMember"][4] | {
            "Id": an_id("00v", n), "CampaignId": AD, "CreatedDate": day(born), "HasResponded": answered,
            "FirstRespondedDate": day(born + answers).date() if answered else None,
            "LeadId": lead if keeps_lead or not is_converted else None, "ContactId": contact if is_converted else None,
            "SystemModstamp": day(until)})
        if not is_converted:
            continue
        tables["Contact"].append(base["Contact"][0] | {
            "Id": contact, "AccountId": BETA, "CreatedDate": day(born + converts)})
        tables["OpportunityContactRole"].append(base["OpportunityContactRole"][0] | {
            "Id": an_id("00K", n), "OpportunityId": deal, "ContactId": contact, "CreatedDate": day(born + converts)})
        rows = [{"Id": an_id("008", 10 * n + k), "OpportunityId": deal, "CreatedDate": day(born + converts + 5 * k),
                 "IsDeleted": False, "StageName": stages[move][0], "Probability": stages[move][1],
                 "ForecastCategory": stages[move][2], "Amount": 100.25 * (k + 1), "CloseDate": day(90 + k).date()}
                for k, move in enumerate([0, *moves]) if born + converts + 5 * k <= until]
        tables["OpportunityHistory"] += rows
        tables["Opportunity"].append(base["Opportunity"][1] | {
            "Id": deal, "AccountId": BETA, "CreatedDate": day(born + converts),
            "IsWon": rows[-1]["StageName"] == "Signed", "IsClosed": rows[-1]["StageName"] in ("Signed", "Lost"),
            **{column: rows[-1][column] for column in ("StageName", "Probability", "Amount", "CloseDate")}})
    return base | {name: rows or [base[name][0] | {"IsDeleted": True}] for name, rows in tables.items()}


days = st.integers(0, 25)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(days, days, days, st.booleans(), st.lists(st.integers(0, 3), max_size=4)),
                min_size=1, max_size=4), st.integers(20, 40))
def test_read_crm_says_the_same_of_a_day_whenever_exported(tmp_path_factory, history, until):
    folder = tmp_path_factory.mktemp("live")
    as_of = pd.Timestamp("2026-01-01 21:00", tz="UTC") + pd.Timedelta(days=until)
    then = read_crm(write_export(folder / "then", live(history, until)), HELSINKI, as_of)
    later = read_crm(write_export(folder / "later", live(history, 120)), HELSINKI, as_of)
    for table, columns in THEN.items():
        pd.testing.assert_frame_equal(getattr(then, table)[columns], getattr(later, table)[columns], obj=table)


# --- currency


def in_currency(tables: dict, name: str, *codes: str | None) -> dict:
    return tables | {name: [row | {"CurrencyIsoCode": code} for row, code in zip(tables[name], codes, strict=True)]}


CURRENCIES = [{"IsoCode": "EUR", "ConversionRate": 1.0, "IsCorporate": True},
              {"IsoCode": "SEK", "ConversionRate": 10.0, "IsCorporate": False}]


def test_read_crm_brings_money_to_the_corporate_currency(tmp_path):
    tables = in_currency(company(), "Opportunity", "SEK", None, "SEK") | {"CurrencyType": CURRENCIES}
    tables = in_currency(tables, "Campaign", None, "SEK", "EUR", None)
    read = read_crm(write_export(tmp_path, tables), Agreement())
    assert read.currency == "EUR"
    assert read.opportunities["value"][0] == 100.0                     # 1,000.01 / 10 = 100.001
    assert read.campaigns["actual_cost"][1] == 2000.0
    assert read.campaigns["reported_value_won"].tolist() == [900.5, 90.05, 900.5]


def test_read_crm_takes_dated_rates_for_deals_only(tmp_path):
    dated = [{"IsoCode": "SEK", "ConversionRate": 20.0, "StartDate": on("01-01"), "NextStartDate": on("09-30")},
             {"IsoCode": "SEK", "ConversionRate": 8.0, "StartDate": on("10-20"), "NextStartDate": None}]
    tables = in_currency(company(), "Opportunity", "SEK", None, "SEK") | {
        "CurrencyType": CURRENCIES, "DatedConversionRate": dated}
    tables = in_currency(tables, "Campaign", None, "SEK", None, None)
    tables = in_currency(tables, "OpportunityHistory", "SEK", "SEK", "SEK")
    read = read_crm(write_export(tmp_path, tables), HELSINKI)
    assert read.opportunities["value"][0] == 125.0                     # closes on the day the rate of 8 begins
    assert read.stage_changes["value"].dropna().tolist() == [50.0, 80.0, 125.0]    # 20 no longer holds on 30 September
    assert read.campaigns["actual_cost"][1] == 2000.0


def test_read_crm_takes_the_agreements_rates(tmp_path):
    tables = in_currency(company(), "Opportunity", "SEK", "EUR", "SEK")
    read = read_crm(write_export(tmp_path, tables), Agreement(currency="EUR", rates={"SEK": 11.0}))
    assert read.opportunities["value"][0] == 90.91                     # 1,000.01 / 11 = 90.91
    assert read.left_out.query("table == 'opportunities'")["value"].tolist() == [7.06]    # 77.7 / 11


def test_read_crm_keeps_the_exports_only_currency(tmp_path):
    read = read_crm(write_export(tmp_path, in_currency(company(), "Opportunity", "SEK", "SEK", "SEK")), Agreement())
    assert (read.currency, read.opportunities["value"][0]) == ("SEK", 1000.01)


@pytest.mark.parametrize(("codes", "agreement", "message"), [
    (("SEK", None, "EUR"), Agreement(),
     r"2 currencies, and no rate for EUR, SEK \(first: EUR in 1 rows, SEK in 1 rows\)"),
    (("SEK", None, "EUR"), Agreement(currency="EUR"), "2 currencies, and no rate for SEK"),
    (("SEK", "SEK", "SEK"), Agreement(currency="EUR"), 'the export is in SEK, the agreement in EUR.*currency = "SEK"')])
def test_read_crm_refuses_currencies_without_rates(tmp_path, codes, agreement, message):
    folder = write_export(tmp_path, in_currency(company(), "Opportunity", *codes))
    with pytest.raises(TableError, match=message):
        read_crm(folder, agreement)


# --- what is missing


@pytest.mark.parametrize(("file", "consequence"), [
    ("OpportunityContactRole.csv", "by account only"), ("OpportunityHistory.csv", "stand as exported"),
    ("LeadHistory.csv", "MQL and SQL cannot be dated"), ("Event.csv", "meetings are not known"),
    ("User.csv", "automated"), ("Task.csv", "calls"), ("Lead.csv", "no lead"),
    ("Contact.csv", "contacts are not known")])
def test_read_crm_says_what_follows_from_a_missing_file(export, file, consequence):
    (export / file).unlink()
    assert consequence in read_crm(export, HELSINKI).missing.set_index("source").loc[file, "consequence"]


def test_read_crm_keeps_converted_leads_where_contacts_are_not_exported(export):
    (export / "Contact.csv").unlink()
    read = read_crm(export, HELSINKI)
    assert records(read.people, "person_id", "contact_id", "account_id") == [(ANNA, None, ACME), (BEN, None, None)]
    assert records(read.contact_roles, "person_id") == [(ANNA,)]


def test_read_crm_says_what_follows_from_a_missing_column(tmp_path, crm):
    assert not crm.missing["source"].str.contains("ActualCost|TaskSubtype").any()
    tables = with_rows(company(), "Campaign", lambda row: row | {"ActualCost": None})
    tables = with_rows(tables, "Task", lambda row: {
        column: value for column, value in row.items() if column != "TaskSubtype"})
    said = read_crm(write_export(tmp_path, tables), HELSINKI).missing.set_index("source")["consequence"]
    assert said["Campaign.csv: ActualCost"] == "cost, ROI, ROMI and cost per lead cannot be computed"
    assert "Subject" in said["Task.csv: TaskSubtype"]


def test_read_crm_says_how_many_contacts_have_no_account(crm):
    assert crm.missing.set_index("source").loc["Contact.csv: AccountId", "consequence"].startswith("1 of 3 contacts")


# --- bad input


def assert_refused(folder, message: str) -> None:
    with pytest.raises(TableError, match=message) as refused:
        read_crm(folder, HELSINKI)
    assert "\n" not in str(refused.value) and "Arrow" not in str(refused.value)


def test_read_crm_refuses_a_folder_that_is_not_there(tmp_path):
    assert_refused(tmp_path / "nowhere", "nowhere: there is no such folder or ZIP")


def test_read_crm_refuses_a_folder_that_is_no_export(tmp_path):
    (tmp_path / "prices.csv").write_text("a,b\n1,2\n")
    assert_refused(tmp_path, "is no Salesforce export: found none of Campaign.csv, CampaignMember.csv, Opportunity.csv")


def test_read_crm_refuses_a_file_that_is_no_zip(tmp_path):
    (tmp_path / "export.zip").write_bytes(b"PK\x03\x04 half")
    assert_refused(tmp_path / "export.zip", "export.zip: is no ZIP, or one cut short")


def test_read_crm_refuses_a_zip_with_a_broken_file(tmp_path, export):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for file in export.iterdir():
            archive.write(file, file.name)
    data = bytearray((tmp_path / "export.zip").read_bytes())
    place = data.index(b'"Lead') if b'"Lead' in data else data.index(b"Webinar")
    data[place] ^= 0xFF
    (tmp_path / "export.zip").write_bytes(data)
    assert_refused(tmp_path / "export.zip", r"\w+.csv in it cannot be unpacked")


@pytest.mark.parametrize("file", ["Campaign.csv", "CampaignMember.csv", "Opportunity.csv", "Account.csv"])
def test_read_crm_refuses_an_export_without_a_needed_file(export, file):
    (export / file).unlink()
    assert_refused(export, f"there is no {file}. Export it into the same folder")


def test_read_crm_refuses_an_export_without_people(export):
    (export / "Lead.csv").unlink()
    (export / "Contact.csv").unlink()
    assert_refused(export, "there is no Lead.csv or Contact.csv")


@pytest.mark.parametrize(("name", "column"), [
    ("Opportunity", "Amount"), ("CampaignMember", "CreatedDate"), ("Campaign", "Id"),
    ("OpportunityHistory", "StageName")])
def test_read_crm_refuses_a_file_without_a_needed_column(tmp_path, name, column):
    tables = with_rows(company(), name, lambda row: {each: value for each, value in row.items() if each != column})
    assert_refused(write_export(tmp_path, tables), f"{name}.csv: there is no column {column}. Export it with API names")


def test_read_crm_refuses_memberships_of_nobody(tmp_path):
    tables = with_rows(company(), "CampaignMember", lambda row: {
        column: value for column, value in row.items() if column not in ("LeadId", "ContactId")})
    assert_refused(write_export(tmp_path, tables), "CampaignMember.csv: there is no column LeadId, ContactId")


@pytest.mark.parametrize(("name", "column", "text", "message"), [
    ("Opportunity", "Amount", "12,50", r"Opportunity.csv: Amount is no number in 3 of 3 rows \(first: 0060+1AAA, 006"),
    ("Opportunity", "Amount", "NaN", "Amount is no number"),
    ("Campaign", "ActualCost", "-5",
     r"actual_cost is negative in 3 of 3 rows \(first: 7010+1AAA.*Correct the campaign"),
    ("Opportunity", "CloseDate", "31.10.2026", "CloseDate is no day such as 2026-10-31 in 3 of 3 rows"),
    ("Opportunity", "CloseDate", "2026-02-30", "CloseDate is no day"),
    ("Opportunity", "CloseDate", "", "CloseDate is empty in 3 of 3 rows"),
    ("Lead", "CreatedDate", "10/31/2026 1:45 PM",
     "Lead.csv: CreatedDate is no time such as 2026-10-31 13:45:00 in 4 of 4 rows"),
    ("Opportunity", "IsWon", "maybe", "IsWon is neither true nor false in 3 of 3 rows"),
    ("CampaignMember", "LeadId", "x@example.com",
     r"LeadId is no Salesforce id \(15 or 18 letters and digits\) in 9 of 9 rows"),
    ("Lead", "Id", "7", r"Lead.csv: Id is no Salesforce id .* in 4 of 4 rows \(first: row 1, row 2, row 3\)"),
    ("Opportunity", "Probability", "150", "probability is outside 0-1"),
    ("Lead", "Id", an_id("00Q", 1), r"Lead.csv: Id stands more than once in 4 of 4 rows \(first: 00Q"),
    ("Lead", "MasterRecordId", BEN_TWIN, "Lead.csv: MasterRecordId goes round in a circle in"),
    ("CampaignMember", "CampaignId", an_id("701", 99),
     r"CampaignMember.csv: CampaignId not found in Campaign.csv in 8 of 9 rows \(first: 7010+99AAA\). Export Camp")])
def test_read_crm_refuses_what_a_cell_cannot_be(tmp_path, name, column, text, message):
    tables = with_rows(company(), name, lambda row: row | {column: text})
    assert_refused(write_export(tmp_path, tables), message)


def test_read_crm_never_prints_what_stands_in_a_cell(tmp_path):
    tables = with_rows(company(), "CampaignMember", lambda row: row | {"LeadId": "matti@example.com"})
    with pytest.raises(TableError) as refused:
        read_crm(write_export(tmp_path, tables), HELSINKI)
    assert "matti" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_read_crm_refuses_an_empty_file(export, content):
    (export / "Lead.csv").write_bytes(content)
    assert_refused(export, "Lead.csv: is empty")


@pytest.mark.parametrize("dialect", ["data_export", "bulk"])
def test_read_crm_refuses_a_file_cut_anywhere_in_a_row(tmp_path, dialect):
    folder = write_export(tmp_path, company(), dialect)
    whole = (folder / "Contact.csv").read_bytes()
    last = whole.rstrip(b"\r\n").rindex(b"\n") + 1
    whole_row = len(whole.rstrip(b"\r\n"))
    assert whole_row - last > 100
    for cut in [*range(last + 1, whole_row, 23), *range(whole_row - 5, whole_row)]:
        (folder / "Contact.csv").write_bytes(whole[:cut])
        assert_refused(folder, "Contact.csv: is cut short")


def test_read_crm_says_where_a_file_is_cut(export):
    whole = (export / "Contact.csv").read_bytes()
    (export / "Contact.csv").write_bytes(whole[:whole.rindex(b"\n", 0, -1) + 30] + b"\n")
    assert_refused(export, r"Contact.csv: is cut short.* after row 3")


def test_read_crm_accepts_a_quoted_file_without_its_last_line_break(export, crm):
    (export / "Contact.csv").write_bytes((export / "Contact.csv").read_bytes().rstrip(b"\n"))
    assert_same_tables(crm, read_crm(export, HELSINKI))


def test_read_crm_refuses_rows_with_other_numbers_of_cells(export):
    lines = (export / "Account.csv").read_bytes().splitlines(keepends=True)
    (export / "Account.csv").write_bytes(lines[0] + b'"x","y"\n' + b"".join(lines[1:]))
    assert_refused(export, r"Account.csv: 1 of 4 rows have not the \d+ cells of the header \(first: row 1\)")


def test_read_crm_reads_an_export_without_rows_in_optional_files(export, crm):
    for name in ("Task", "Event"):
        header = (export / f"{name}.csv").read_bytes().splitlines(keepends=True)[0]
        (export / f"{name}.csv").write_bytes(header)
    read = read_crm(export, HELSINKI)
    assert not len(read.activities)
    assert_same_tables(crm, read, ("people", "touches", "opportunities"))


# --- a public sample, which this project did not write


needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason="the public sample does not lie beside the project")


@needs_sample
def test_read_crm_reads_a_public_sample():
    read = read_crm(SAMPLE)
    assert [len(getattr(read, table)) for table in TABLES[:9]] == [8, 162, 22, 0, 50, 0, 0, 75, 0]
    assert counts(read, "touches") == {"did not respond": 68}
    said = set(read.missing["source"])
    assert {"Campaign.csv: ActualCost", "OpportunityContactRole.csv", "OpportunityHistory.csv", "LeadHistory.csv",
            "CampaignMember.csv: HasResponded, FirstRespondedDate", "User.csv", "Event.csv"} <= said
    with (SAMPLE / "data" / "Opportunity.csv").open(encoding="utf-8-sig", newline="") as file:
        won = [float(row["Amount"]) for row in csv.DictReader(file) if row["IsWon"] == "1"]
    assert len(won) > 0
    assert read.opportunities.query("is_won")["value"].sum() == pytest.approx(np.sum(won))


@needs_sample
def test_read_crm_counts_a_public_samples_memberships():
    touches = read_crm(SAMPLE, Agreement(touches="memberships")).touches
    assert len(touches) == 68
    assert touches["campaign_id"].nunique() == 8


def without_column(path: Path, column: str) -> None:
    with open(path, newline="", encoding="iso-8859-1") as file:
        rows = [{name: cell for name, cell in row.items() if name != column} for row in csv.DictReader(file)]
    with open(path, "w", newline="", encoding="iso-8859-1") as file:
        writer = csv.DictWriter(file, rows[0], quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(("file", "column"), [("Lead.csv", "ConvertedContactId"), ("CampaignMember.csv", "ContactId"),
                                              ("CampaignMember.csv", "LeadId")])
def test_read_crm_refuses_an_export_whose_people_cannot_be_told_to_be_one(export, file, column):
    without_column(export / file, column)
    assert_refused(export, f"{file}: there is no column {column}")


@pytest.mark.parametrize(("data", "message"), [
    (b"Id;Name\n1;2\n", "Account.csv: its cells are parted by semicolons"),
    ("Id,Name\n".encode("utf-16"), "Account.csv: is in UTF-16"),
])
def test_read_crm_says_which_form_of_csv_it_cannot_read(export, data, message):
    (export / "Account.csv").write_bytes(data)
    assert_refused(export, message)


def set_cell(path: Path, column: str, value: str) -> None:
    with open(path, newline="", encoding="iso-8859-1") as file:
        rows = list(csv.DictReader(file))
    rows[0][column] = value
    with open(path, "w", newline="", encoding="iso-8859-1") as file:
        writer = csv.DictWriter(file, rows[0], quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(("file", "column", "value", "message"), [
    ("Opportunity.csv", "CloseDate", "2026-10-31garbage", "CloseDate is no day such as 2026-10-31 in 1 of"),
    ("Opportunity.csv", "CloseDate", "2026-10-31 10:00 garbage", "CloseDate is no day such as 2026-10-31 in 1 of"),
    ("Opportunity.csv", "CloseDate", "9999-12-31", "CloseDate is not between 1900 and 2200 in 1 of"),
    ("Opportunity.csv", "CloseDate", "0001-01-01", "CloseDate is not between 1900 and 2200 in 1 of"),
    ("CampaignMember.csv", "CreatedDate", "2262-01-01 00:00:00", "CreatedDate is not between 1900 and 2200 in 1 of"),
])
def test_read_crm_refuses_a_time_that_is_not_of_our_days(export, file, column, value, message):
    set_cell(export / file, column, value)
    assert_refused(export, f"{file}: {message}")


def test_read_crm_refuses_a_cost_beyond_all_measure(export):
    set_cell(export / "Campaign.csv", "ActualCost", "1e300")
    assert_refused(export, "Campaign.csv: ActualCost is beyond a million million in 1 of")


def test_read_crm_takes_the_year_9999_for_no_end(export):
    set_cell(export / "Campaign.csv", "EndDate", "9999-12-31 00:00:00")
    assert pd.isna(read_crm(export, HELSINKI).campaigns.loc[0, "ends_on"])


def test_read_crm_names_a_status_of_the_agreement_that_no_lead_ever_had(export):
    stages = (Stage("mql", "marketing", "lead_status", ("Marketing qualified by nobody",)), *Agreement().stages[3:])
    said = read_crm(export, replace(HELSINKI, stages=stages)).missing.set_index("source")["consequence"]
    assert "no lead ever had the status 'Marketing qualified by nobody'; statuses seen: " in said[
        "agreement.toml: values of stage 'mql'"]
