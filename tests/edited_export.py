"""The sample's export as it would be a month later, after its users had put the past in order."""

import csv
import shutil
from pathlib import Path

SAMPLE = Path(__file__).parents[1] / "data" / "sample"

LATE_DEAL, LATE_PERSON = "0065g000AAMYFZ8AYP", "0035g000AAMiYC8AYN"          # 40,859.90, one touch
HANDBOOK, LATE_TOUCH = "7015g000AAML5aUAYT", "00v5g000ZZZZZZZAYP"
AMOUNT_DEAL = "0065g000AAMVSXAAY5"                                           # 24,339.90, two touches
MERGED_DEAL, LOSER, SURVIVOR = "0065g000AAMXDidAYH", "0015g000AAMNT6yAYH", "0015g000AAMTW24AYH"    # 14,270.00
REOPENED_DEAL = "0065g000AAMZPgXAYX"                                         # 13,310.00, five touches
MOVED_DEAL = "0065g000AAMVB3MAYX"                                            # 13,533.33, closed on 28 August
CALLED = "00Q5g000AAM50dYEYR"                                                # handed over on 14 August, never contacted
DEARER = "7015g000AAMNDdAAYX"


def edit_table(folder, name, edit):
    """Rewrite one of the export's tables; the edit gets its rows, as dicts, and returns them."""
    path = folder / f"{name}.csv"
    with open(path, encoding="iso-8859-1", newline="") as file:
        rows = edit(list(csv.DictReader(file)))
    with open(path, "w", encoding="iso-8859-1", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)


def _set(rows, by, **values):
    assert any(row["Id"] in by for row in rows)
    return [row | values if row["Id"] in by else row for row in rows]


def _like_last(rows, deal, number, at, **values):
    """Add a line to a deal's history, as its last one but for some values."""
    last = max((row for row in rows if row["OpportunityId"] == deal), key=lambda row: row["CreatedDate"])
    return [*rows, last | {"Id": f"0085g000ZZZZZ{number:02}AYP", "CreatedDate": at, "SystemModstamp": at} | values]


def add_late_touch(folder):
    """A guide of August turns up in October, for somebody in the role of a deal won on 1 September."""
    at = "2026-10-12 09:00:00"
    edit_table(folder, "CampaignMember", lambda rows: [*rows, rows[0] | {
        "Id": LATE_TOUCH, "IsDeleted": "0", "CampaignId": HANDBOOK, "LeadId": "000000000000000AAA",
        "ContactId": LATE_PERSON, "HasResponded": "1", "FirstRespondedDate": "2026-08-20 00:00:00", "CreatedDate": at,
        "LastModifiedDate": at, "SystemModstamp": at}])


def change_amount(folder):
    edit_table(folder, "OpportunityHistory", lambda rows: _like_last(
        rows, AMOUNT_DEAL, 1, "2026-10-06 08:00:00", Amount="26339.90", PrevAmount="24339.90"))
    edit_table(folder, "Opportunity", lambda rows: _set(rows, [AMOUNT_DEAL], Amount="26339.90"))


def merge_accounts(folder):
    edit_table(folder, "Account", lambda rows: [
        row | {"MasterRecordId": SURVIVOR if row["Id"] == LOSER else "000000000000000AAA",
               "IsDeleted": "1" if row["Id"] == LOSER else row["IsDeleted"]} for row in rows])
    for name in ("Contact", "Opportunity"):
        edit_table(folder, name, lambda rows: [
            row | {"AccountId": SURVIVOR} if row["AccountId"] == LOSER else row for row in rows])


def reopen(folder):
    edit_table(folder, "OpportunityHistory", lambda rows: _like_last(
        rows, REOPENED_DEAL, 2, "2026-10-08 08:00:00", StageName="Negotiation", CloseDate="2026-12-15 00:00:00",
        Probability="80", ForecastCategory="Forecast", FromOpportunityStageName="Closed Won"))
    edit_table(folder, "Opportunity", lambda rows: _set(
        rows, [REOPENED_DEAL], StageName="Negotiation", IsWon="0", IsClosed="0", CloseDate="2026-12-15 00:00:00",
        Probability="80", ForecastCategory="Forecast"))


def move_close_date(folder):
    edit_table(folder, "OpportunityHistory", lambda rows: _like_last(
        rows, MOVED_DEAL, 3, "2026-10-09 08:00:00", CloseDate="2026-09-03 00:00:00"))
    edit_table(folder, "Opportunity", lambda rows: _set(rows, [MOVED_DEAL], CloseDate="2026-09-03 00:00:00"))


def log_call_late(folder):
    """A call of Monday 17 August, 10:00 in Helsinki, is written down on 5 October."""
    at = "2026-10-05 06:00:00"
    edit_table(folder, "Task", lambda rows: [*rows, rows[0] | {
        "Id": "00T5g000ZZZZZZZEYP", "WhoId": CALLED, "CompletedDateTime": "2026-08-17 07:00:00", "CreatedDate": at,
        "LastModifiedDate": at, "SystemModstamp": at}])


def write_cost_down(folder):
    """A talk's invoice arrives: it ran from 1 to 30 September, and cost nothing that anybody knew."""
    edit_table(folder, "Campaign", lambda rows: _set(rows, [DEARER], ActualCost="3000.00"))


EDITS = (add_late_touch, change_amount, merge_accounts, reopen, move_close_date, log_call_late, write_cost_down)


def edited_sample(folder, edits=EDITS):
    """Copy the sample's export into a folder, and edit it as its users would."""
    shutil.copytree(SAMPLE, folder)
    for edit in edits:
        edit(folder)
    return folder
