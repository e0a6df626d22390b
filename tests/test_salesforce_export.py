import csv
import json
import re
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow
import pytest

from attribution.simulate import EXPORTED_AT, simulate_company, won_without, write_company
from attribution.sources.salesforce_export import OBJECTS, campaign_ids, record_ids, write_export

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
HEADERS = Path(__file__).parents[2] / "shared" / "data_export_headers.json"
NOT_IN_HEADERS = {"CampaignMemberStatus", "LeadHistory"}          # the real export that gave them had none
NOBODY = "000000000000000AAA"
FIGURES = ("NumberOfLeads", "NumberOfConvertedLeads", "NumberOfContacts", "NumberOfResponses", "NumberOfOpportunities",
           "NumberOfWonOpportunities", "AmountAllOpportunities", "AmountWonOpportunities", "NumberSent",
           "ExpectedRevenue", "BudgetedCost", "ActualCost")
EARLY, LATE = pd.Timestamp("2025-09-30 12:00", tz="UTC"), pd.Timestamp("2026-11-15 06:00", tz="UTC")


def read(folder, name, encoding="iso-8859-1"):
    with open(folder / f"{name}.csv", encoding=encoding, newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.fixture(scope="module")
def company():
    return simulate_company(5, 60, 400)


@pytest.fixture(scope="module")
def folders(company, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    write_export(company.tables, folder / "early", EARLY)
    write_export(company.tables, folder / "late", LATE)
    write_export(company.tables, folder / "bulk", LATE, "bulk")
    return folder


@pytest.fixture(scope="module")
def sample_company():
    return simulate_company(4)


@pytest.fixture(scope="module")
def sample_folder(sample_company, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    write_export(sample_company.tables, folder, EXPORTED_AT)
    return folder


@pytest.fixture(scope="module")
def sample(sample_folder):
    return {name: read(sample_folder, name) for name in OBJECTS}


def live(rows):
    return [row for row in rows if row["IsDeleted"] == "0"]


def checksum(id15):
    """Salesforce's rule: of each five characters, the capitals' places are the bits of a letter or digit."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    fives = (id15[:5], id15[5:10], id15[10:])
    return "".join(letters[sum(1 << i for i, each in enumerate(five) if "A" <= each <= "Z")] for five in fives)


def test_record_ids_have_the_prefix_and_the_checksum():
    ids = record_ids("Opportunity", range(500)).to_pylist()
    assert len(set(ids)) == len({each.upper() for each in ids}) == 500
    assert all(re.fullmatch("006[A-Za-z0-9]{15}", each) and each[15:] == checksum(each[:15]) for each in ids)
    assert checksum(NOBODY[:15]) == "AAA"                     # as in the null reference of a real export
    assert len({each[15:] for each in ids}) > 10


def test_campaign_ids_are_those_of_the_export(company, folders):
    ids = campaign_ids(company.tables["campaigns"]["campaign_id"]).tolist()
    assert ids[0].startswith("701")
    assert {row["Id"] for row in read(folders / "late", "Campaign")} <= set(ids)


def test_data_export_quotes_every_cell_and_ends_lines_with_lf(folders):
    for name in OBJECTS:
        text = (folders / "late" / f"{name}.csv").read_bytes()
        assert text.startswith(b'"') and text.endswith(b'"\n') and b"\r" not in text
        lines = text.splitlines()[:50]
        assert len(lines) > 10
        assert all(re.fullmatch(rb'"(?:[^"]|"")*"(?:,"(?:[^"]|"")*")*', line) for line in lines)


def test_data_export_is_latin_1_with_quotes_doubled(sample_folder):
    text = (sample_folder / "Account.csv").read_bytes()
    assert '"Mäkelä & Pojat Oy"'.encode("iso-8859-1") in text
    assert b'"""Pikku"" Sorvaamo Oy"' in text
    assert b'"Salo, Virta ja Kumppanit Oy"' in text
    with pytest.raises(UnicodeDecodeError, match="invalid"):
        text.decode()


def test_data_export_writes_cells_as_the_service_does(folders):
    members, leads = read(folders / "late", "CampaignMember"), read(folders / "late", "Lead")
    assert all(re.fullmatch(r"202\d-\d\d-\d\d \d\d:\d\d:\d\d", row["CreatedDate"]) for row in members)
    days = Counter(bool(row["FirstRespondedDate"]) for row in members)
    assert days[True] > 100 and days[False] > 100
    assert all(re.fullmatch(r"202\d-\d\d-\d\d 00:00:00|", row["FirstRespondedDate"]) for row in members)
    assert {row["HasResponded"] for row in members} == {row["IsConverted"] for row in leads} == {"0", "1"}
    assert all((row["ConvertedContactId"] == NOBODY) == (row["IsConverted"] == "0") for row in leads)
    assert "TaskSubtype" not in read(folders / "late", "Task")[0]


def test_bulk_writes_cells_as_the_interface_does(folders):
    assert (folders / "bulk" / "Lead.csv").read_bytes().startswith(b'\xef\xbb\xbf"Id",')
    members, leads = read(folders / "bulk", "CampaignMember", "utf-8-sig"), read(folders / "bulk", "Lead", "utf-8-sig")
    assert all(re.fullmatch(r"202\d-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", row["CreatedDate"]) for row in members)
    assert all(re.fullmatch(r"202\d-\d\d-\d\d|", row["FirstRespondedDate"]) for row in members)
    assert {row["HasResponded"] for row in members} == {"true", "false"}
    assert all((row["ConvertedContactId"] == "") == (row["IsConverted"] == "false") for row in leads)
    assert "List Email" in {row["TaskSubtype"] for row in read(folders / "bulk", "Task", "utf-8-sig")}


def as_data_export(cell, name):
    if cell in ("true", "false"):
        return str(int(cell == "true"))
    if not cell and name.endswith("Id"):
        return NOBODY
    day = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:T([\d:]{8})\.000Z)?", cell)
    return f"{day[1]} {day[2] or '00:00:00'}" if day else cell


@pytest.mark.parametrize("name", OBJECTS)
def test_dialects_say_the_same(folders, name):
    late, bulk = read(folders / "late", name), read(folders / "bulk", name, "utf-8-sig")
    assert len(late) > 0
    assert late == [{column: as_data_export(cell, column) for column, cell in row.items() if column != "TaskSubtype"}
                    for row in bulk]


def test_encoding_may_be_chosen(company, folders, tmp_path):
    write_export(company.tables, tmp_path, EARLY, encoding="utf-8")
    ours, theirs = ((folder / "Lead.csv").read_bytes() for folder in (tmp_path, folders / "early"))
    assert ours != theirs
    assert ours.decode() == theirs.decode("iso-8859-1")


def test_write_export_refuses_an_unknown_dialect(company, tmp_path):
    with pytest.raises(ValueError, match="dialect: 'excel' is not one of data_export, bulk"):
        write_export(company.tables, tmp_path / "none", EARLY, "excel")
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(not HEADERS.exists(), reason="the headers of a real export are not here")
def test_columns_are_those_of_a_real_export(sample):
    real = json.loads(HEADERS.read_text(encoding="utf-8"))
    assert set(OBJECTS) - set(real) == NOT_IN_HEADERS
    unknown = {name: set(sample[name][0]) - set(real[name]) for name in OBJECTS if name not in NOT_IN_HEADERS}
    assert not any(unknown.values()), unknown


def tree_of(campaigns):
    children = defaultdict(list)
    for row in campaigns:
        children[row["ParentId"]].append(row)
    return children


def with_children(row, children, figure):
    return Decimal(row[figure] or 0) + sum(with_children(each, children, figure) for each in children[row["Id"]])


@pytest.mark.parametrize("figure", FIGURES)
def test_hierarchy_figures_are_self_and_all_below(sample, figure):
    campaigns, children = sample["Campaign"], tree_of(sample["Campaign"])
    assert len(children[NOBODY]) == 4
    assert sum(Decimal(row[figure] or 0) for row in campaigns) > 0
    for row in campaigns:
        assert Decimal(row[f"Hierarchy{figure}"]) == with_children(row, children, figure)


def test_campaign_figures_count_the_rows_of_the_export(sample):
    counted = defaultdict(Counter)
    for row in live(sample["CampaignMember"]):
        of, is_lead, is_contact = counted[row["CampaignId"]], row["LeadId"] != NOBODY, row["ContactId"] != NOBODY
        of["NumberOfLeads"] += is_lead
        of["NumberOfConvertedLeads"] += is_lead and is_contact
        of["NumberOfContacts"] += is_contact
        of["NumberOfResponses"] += row["HasResponded"] == "1"
    for row in live(sample["Opportunity"]):
        of, amount = counted[row["CampaignId"]], Decimal(row["Amount"] or 0)
        of["NumberOfOpportunities"] += 1
        of["NumberOfWonOpportunities"] += row["IsWon"] == "1"
        of["AmountAllOpportunities"] += amount
        of["AmountWonOpportunities"] += amount * (row["IsWon"] == "1")
    for row in sample["Campaign"]:
        for figure in FIGURES[:8]:
            assert Decimal(row[figure]) == counted[row["Id"]][figure]


def test_history_ends_where_the_opportunity_is(sample):
    rows = sorted(sample["OpportunityHistory"], key=lambda row: row["CreatedDate"])
    last = {row["OpportunityId"]: row for row in rows}
    for row in sample["Opportunity"]:
        for field in ("StageName", "Amount", "Probability", "CloseDate", "ExpectedRevenue", "IsDeleted"):
            assert row[field] == last[row["Id"]][field]


def test_lead_history_ends_where_the_lead_is(sample):
    last = {}
    for row in sorted(sample["LeadHistory"], key=lambda row: row["CreatedDate"]):
        if row["Field"] == "Status":
            assert last.get(row["LeadId"], "Open") == row["OldValue"]
            last[row["LeadId"]] = row["NewValue"]
    leads = {row["Id"]: row["Status"] for row in sample["Lead"]}
    assert len(last) > 1000
    assert {lead: leads[lead] for lead in last} == last


@pytest.mark.parametrize(("name", "column", "target"), [
    ("Campaign", "ParentId", "Campaign"), ("CampaignMember", "CampaignId", "Campaign"),
    ("CampaignMember", "LeadId", "Lead"), ("CampaignMember", "ContactId", "Contact"),
    ("CampaignMemberStatus", "CampaignId", "Campaign"), ("LeadHistory", "LeadId", "Lead"),
    ("Lead", "ConvertedAccountId", "Account"), ("Lead", "ConvertedContactId", "Contact"),
    ("Lead", "ConvertedOpportunityId", "Opportunity"), ("Lead", "MasterRecordId", "Lead"),
    ("Contact", "AccountId", "Account"), ("Opportunity", "AccountId", "Account"),
    ("Opportunity", "CampaignId", "Campaign"), ("Opportunity", "OwnerId", "User"),
    ("Opportunity", "ContactId", "Contact"), ("OpportunityHistory", "OpportunityId", "Opportunity"),
    ("OpportunityContactRole", "OpportunityId", "Opportunity"), ("OpportunityContactRole", "ContactId", "Contact"),
    ("Task", "WhatId", "Opportunity"), ("Event", "WhatId", "Opportunity"), ("Task", "OwnerId", "User"),
])
def test_references_are_found(sample, folders, name, column, target):
    for tables in (sample, {each: read(folders / "early", each) for each in (name, target)}):
        ids = {row["Id"][:15] for row in tables[target]}
        used = {row[column][:15] for row in tables[name]} - {NOBODY[:15]}
        assert used and used <= ids


@pytest.mark.parametrize("name", OBJECTS)
def test_an_earlier_export_holds_a_part_of_the_later_one(folders, name):
    early, late = ({row["Id"]: row for row in read(folders / when, name)} for when in ("early", "late"))
    assert early and early.keys() <= late.keys()
    assert name in ("User", "CampaignMemberStatus", "Campaign") or len(early) < len(late)
    stamps = [row[column] for row in early.values() for column in ("CreatedDate", "LastModifiedDate") if column in row]
    assert max(stamps) <= f"{EARLY:%Y-%m-%d %H:%M:%S}"
    assert all(early[key]["CreatedDate"] == late[key]["CreatedDate"] for key in early)


@pytest.mark.parametrize("name", ["LeadHistory", "OpportunityHistory"])
def test_history_is_only_added_to(folders, name):
    early, late = ({row["Id"]: {**row, "IsDeleted": ""} for row in read(folders / when, name)}
                   for when in ("early", "late"))
    assert len(early) > 50
    assert early == {key: late[key] for key in early}


def test_row_is_deleted_from_the_moment_it_was(company, tmp_path):
    deleted = company.tables["memberships"].dropna(subset="deleted_at").iloc[0]
    number = record_ids("CampaignMember", [deleted.name]).to_pylist()[0]
    for moment, said in ((deleted["deleted_at"] - pd.Timedelta(seconds=1), "0"), (deleted["deleted_at"], "1")):
        write_export(company.tables, tmp_path, moment.tz_localize("UTC"))
        assert [row["IsDeleted"] for row in read(tmp_path, "CampaignMember") if row["Id"] == number] == [said]


def test_later_export_overwrites_what_changed(folders):
    early, late = ({row["Id"]: row for row in read(folders / when, "Opportunity")} for when in ("early", "late"))
    for field in ("StageName", "Amount", "CloseDate", "LastModifiedDate"):
        assert any(early[key][field] != late[key][field] for key in early)


def seen(rows, **fields):
    return [row for row in rows if all(row[field] == value for field, value in fields.items())]


def no_role(s):
    named = {row["OpportunityId"] for row in s["OpportunityContactRole"]}
    return [row for row in live(s["Opportunity"]) if row["Id"][:15] not in named]


def changed_in_history(s, field):
    values = defaultdict(set)
    for row in s["OpportunityHistory"]:
        values[row["OpportunityId"]].add(row[field])
    return [key for key, each in values.items() if len(each) > 1]


def after_the_close(s):
    closed = {row["AccountId"]: row["CloseDate"] for row in seen(s["Opportunity"], IsWon="1")}
    account = {row["Id"]: row["AccountId"] for row in s["Contact"]}
    return [row for row in s["CampaignMember"]
            if row["FirstRespondedDate"] > closed.get(account.get(row["ContactId"]), "9")]


def skipped_mql(s):
    qualified = {row["LeadId"] for row in seen(s["LeadHistory"], NewValue="Marketing Qualified")}
    return [row for row in seen(s["LeadHistory"], NewValue="Sales Qualified") if row["LeadId"] not in qualified]


def never_called(s):
    called = {row["WhoId"] for row in s["Task"]}
    return [row for row in seen(s["Lead"], Status="Marketing Qualified", IsDeleted="0")
            if row["Id"] not in called and row["LastModifiedDate"] < "2026-09-01"]


PHENOMENA = {
    "deal without a contact role": no_role,
    "person as lead and contact": lambda s: [row for row in s["CampaignMember"]
                                             if NOBODY not in (row["LeadId"], row["ContactId"])],
    "contact that never was a lead": lambda s: {row["Id"] for row in s["Contact"]} - {row["ConvertedContactId"]
                                                                                      for row in s["Lead"]},
    "two leads converted into one contact": lambda s: [contact for contact, n in Counter(
        row["ConvertedContactId"] for row in s["Lead"]).items() if n > 1 and contact != NOBODY],
    "merged lead": lambda s: [row for row in seen(s["Lead"], IsDeleted="1") if row["MasterRecordId"] != NOBODY],
    "membership of a merged lead": lambda s: {row["LeadId"] for row in live(s["CampaignMember"])} & {
        lead["Id"] for lead in s["Lead"] if lead["MasterRecordId"] != NOBODY},
    "deleted lead": lambda s: seen(s["Lead"], IsDeleted="1", MasterRecordId=NOBODY),
    "deleted membership": lambda s: seen(s["CampaignMember"], IsDeleted="1"),
    "deleted deal": lambda s: seen(s["Opportunity"], IsDeleted="1"),
    "deleted history": lambda s: seen(s["OpportunityHistory"], IsDeleted="1"),
    "deleted task": lambda s: seen(s["Task"], IsDeleted="1"),
    "status set back after a response": lambda s: [row for row in seen(s["CampaignMember"], HasResponded="0")
                                                   if row["FirstRespondedDate"]],
    "response before the lead was made": lambda s: [row for row in s["CampaignMember"]
                                                    if "" < row["FirstRespondedDate"] < row["CreatedDate"][:10]],
    "membership without a response": lambda s: seen(s["CampaignMember"], FirstRespondedDate=""),
    "response after the close": after_the_close,
    "deal lost": lambda s: seen(s["Opportunity"], StageName="Closed Lost"),
    "deal won": lambda s: seen(s["Opportunity"], IsDeleted="0", IsWon="1"),
    "deal open": lambda s: [row for row in seen(s["Opportunity"], IsClosed="0") if row["CloseDate"] > "2026-11-15"],
    "deal lapsed": lambda s: [row for row in seen(s["Opportunity"], IsClosed="0", IsDeleted="0")
                              if row["CloseDate"] < "2026-05-15"],
    "deal without an amount": lambda s: seen(s["Opportunity"], Amount="", IsDeleted="0"),
    "deal with an existing customer": lambda s: seen(s["Opportunity"], Type="Existing Business"),
    "deal without a source": lambda s: seen(s["Opportunity"], CampaignId=NOBODY),
    "amount changed": lambda s: changed_in_history(s, "Amount"),
    "close date changed": lambda s: changed_in_history(s, "CloseDate"),
    "lead gone back": lambda s: seen(s["LeadHistory"], NewValue="Recycled"),
    "lead come again": lambda s: seen(s["LeadHistory"], OldValue="Recycled", NewValue="Marketing Qualified"),
    "lead that skipped a stage": skipped_mql,
    "qualified lead never called": never_called,
    "lead owned by a queue": lambda s: [row for row in s["Lead"] if row["OwnerId"].startswith("00G")],
    "opted out": lambda s: seen(s["Lead"], HasOptedOutOfEmail="1"),
    "list e-mail of an automated user": lambda s: [
        row for row in seen(s["Task"], Subject="List e-mail")
        if row["OwnerId"] in {user["Id"] for user in s["User"] if user["UserType"] != "Standard"}],
    "inbound call": lambda s: seen(s["Task"], CallType="Inbound"),
    "overdue task": lambda s: [row for row in seen(s["Task"], IsClosed="0") if row["ActivityDate"] < "2026-11"],
    "meeting to come": lambda s: [row for row in s["Event"] if row["ActivityDateTime"] > "2026-11-16"],
    "budget without a cost": lambda s: [row for row in seen(s["Campaign"], ActualCost="") if row["BudgetedCost"]],
    "asset without a cost": lambda s: [row for row in seen(s["Campaign"], ActualCost="", BudgetedCost="")
                                       if row["Name"].startswith("Blog")],
    "15-character id": lambda s: [row for row in s["OpportunityContactRole"] if len(row["ContactId"]) == 15],
    "name with an umlaut": lambda s: [row for row in s["Account"] if re.search("[äöå]", row["Name"])],
    "name with an ampersand": lambda s: [row for row in s["Account"] if "&" in row["Name"]],
    "name with quotes": lambda s: [row for row in s["Account"] if '"' in row["Name"]],
    "name with a comma": lambda s: [row for row in s["Account"] if "," in row["Name"]],
}


@pytest.mark.parametrize("phenomenon", PHENOMENA)
def test_sample_has_what_real_exports_have(sample, phenomenon):
    assert len(PHENOMENA[phenomenon](sample)) > 0


def test_sample_is_of_the_size_and_shape_it_is_said_to_be(sample):
    deals = live(sample["Opportunity"])
    closed, won = seen(deals, IsClosed="1"), seen(deals, IsWon="1")
    assert 450 < len(deals) < 600
    assert 14_000 < len(sample["CampaignMember"]) < 16_000
    assert 0.2 < len(no_role(sample)) / len(deals) < 0.3
    assert 0.3 < len(won) / len(closed) < 0.45
    assert 20_000 < sum(float(row["Amount"]) for row in won) / len(won) < 40_000
    months = Counter(row["CloseDate"][:7] for row in won)
    assert 8 <= months["2026-09"] <= 20 and 8 <= months["2026-10"] <= 20
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 9_000_000


def test_sample_names_no_real_address(sample):
    addresses = [row[column] for name in ("Lead", "Contact", "User") for row in sample[name] for column in ("Email",)]
    assert len(addresses) > 3000
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+\.\d+@example\.com", each) for each in addresses)


@pytest.mark.parametrize("name", OBJECTS)
def test_sample_is_made_again_to_the_byte(sample_folder, name):
    assert (sample_folder / f"{name}.csv").read_bytes() == (SAMPLE / f"{name}.csv").read_bytes()


def test_sample_readme_counts_the_rows(sample):
    text = (SAMPLE.parent / "README.md").read_text(encoding="utf-8")
    said = dict(re.findall(r"\| `(\w+)\.csv` \| ([\d,]+) \|", text))
    assert said == {name: f"{len(rows):,}" for name, rows in sample.items()}


def below(campaign_id, children):
    return {campaign_id}.union(*(below(child, children) for child in children[campaign_id]))


def test_sample_truth_is_what_switching_off_costs(sample, sample_company):
    truth = list(csv.DictReader((SAMPLE / "truth.csv").open(encoding="utf-8")))
    names = {row["Id"]: row["Name"] for row in sample["Campaign"]}
    assert [(row["campaign_id"], row["campaign_name"]) for row in truth] == list(names.items())
    children = defaultdict(list)
    for number, row in enumerate(truth):
        children[row["parent_id"]].append(number)
    numbers = {number: children[row["campaign_id"]] for number, row in enumerate(truth)}
    n_won, value = won_without(sample_company.world, frozenset(), EXPORTED_AT)
    won = seen(sample["Opportunity"], IsWon="1", IsDeleted="0")
    assert (n_won, round(value, 2)) == (len(won), float(sum(Decimal(row["Amount"]) for row in won)))
    checked = [number for number, row in enumerate(truth) if row["depth"] == "0" or "Banner" in row["campaign_name"]]
    assert len(checked) == 6
    for number in checked:
        n_left, left = won_without(sample_company.world, frozenset(below(number, numbers)), EXPORTED_AT)
        assert int(truth[number]["n_won_lost"]) == n_won - n_left
        assert float(truth[number]["causal_value"]) == pytest.approx(value - left, abs=0.005)


def test_another_seed_writes_other_bytes(tmp_path):
    one, same, other = (write_company(tmp_path / str(i), seed, 12, 60, truth=False) for i, seed in enumerate((1, 1, 2)))
    for name in ("CampaignMember", "Lead", "Opportunity"):
        ours = (one / f"{name}.csv").read_bytes()
        assert ours == (same / f"{name}.csv").read_bytes() != (other / f"{name}.csv").read_bytes()


def test_cells_are_text(company):
    assert record_ids("Lead", [1]).type == pyarrow.string()
