"""Call lists: a file per owner, nothing lost between owners, nothing that a spreadsheet would run, nobody's eyes."""

import csv
import hashlib
import os
import stat
from dataclasses import replace

import pandas as pd
import pytest
from conftest import make
from hypothesis import given
from hypothesis import strategies as st
from test_workbook import cells_of

from attribution.agreement import Promise
from attribution.call_lists import find_limbo, name_files, say_calls, write_call_lists
from attribution.tables import UTC

DAY = pd.Timestamp("2026-10-31")
HEADER = "owner_id,person_id,account_id,handed_over_at,due_at,overdue_days,value"


def make_calls(*rows):
    """Make calls from (owner_id, person_id): handed over at the change to winter time, due on Monday."""
    table = pd.DataFrame(rows, columns=["owner_id", "person_id"], dtype="str")
    return table.assign(
        account_id=pd.Series([None] * len(table), dtype="str"),
        handed_over_at=pd.Series(pd.Timestamp("2026-10-24T20:30:15.25Z"), table.index, dtype=UTC),
        due_at=pd.Series(pd.Timestamp("2026-10-26T08:30:00Z"), table.index, dtype=UTC), overdue_days=5.56249,
        value=pd.Series(1500.5, table.index, dtype=float).where(table["person_id"] != "cy"))


def write(calls, out):
    return write_call_lists(calls, out, day=DAY, time_zone="Europe/Helsinki")


def test_call_lists_are_two_files_per_owner_with_local_times(tmp_path):
    folder = write(make_calls(("005B", "cy"), ("005A", "bo"), ("005B", "ann")), tmp_path / "limbo")
    assert folder == tmp_path / "limbo" / "2026-10-31"
    assert sorted(file.name for file in folder.iterdir()) == ["005A.csv", "005A.xlsx", "005B.csv", "005B.xlsx"]
    times = "2026-10-24 23:30:15+03:00,2026-10-26 10:30:00+02:00"
    assert (folder / "005A.csv").read_text() == f"{HEADER}\n005A,bo,,{times},5.56,1500.5\n"
    assert (folder / "005B.csv").read_text() == f"{HEADER}\n005B,cy,,{times},5.56,\n005B,ann,,{times},5.56,1500.5\n"
    cells = cells_of(folder / "005B.xlsx", 2)
    assert [cells[f"{column}2"] for column in "ABCDEFG"] == [
        "Owner", "Person", "Account", "Handed over", "Contact was due", "Days overdue", "Value of the stage"]
    assert cells["A1"] == "To contact on 2026-10-31: 005B"
    assert {at: cell for at, cell in cells.items() if at[1:] in ("3", "4")} == {
        "A3": "005B", "B3": "cy", "D3": pytest.approx(46319 + (23 * 3600 + 30 * 60 + 15) / 86400),
        "E3": pytest.approx(46321 + 10.5 / 24), "F3": 5.56,
        "A4": "005B", "B4": "ann", "D4": cells["D3"], "E4": cells["E3"], "F4": 5.56, "G4": 1500.5}


def test_call_lists_leave_the_day_s_earlier_ones_and_the_notes_in_them(tmp_path):
    write(make_calls(("005A", "bo")), tmp_path)
    (tmp_path / "2026-10-31" / "005A.csv").write_text("called bo twice")
    (tmp_path / "2026-10-31" / "notes.txt").write_text("bo is on leave")
    before = {file.name: file.read_bytes() for file in (tmp_path / "2026-10-31").iterdir()}
    with pytest.raises(ValueError, match="2026-10-31: there is one already, perhaps with notes in it. Move it away, or "
                                         "name another folder with --out$"):
        write(make_calls(("005B", "ann")), tmp_path)
    assert {file.name: file.read_bytes() for file in (tmp_path / "2026-10-31").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["2026-10-31"]
    assert write(make_calls(("005B", "ann")), tmp_path / "other") == tmp_path / "other" / "2026-10-31"


def test_no_call_list_is_left_when_one_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="^workbook: sheet call list, column person_id: row 1 does not fit"):
        write(make_calls(("005A", "ann"), ("005B", "x" * 32768)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_call_lists_refuse_a_file_in_the_folder_s_place(tmp_path):
    (tmp_path / "2026-10-31").write_text("mine")
    with pytest.raises(ValueError, match="2026-10-31: is a file, not a folder. Move it away"):
        write(make_calls(("005A", "bo")), tmp_path)
    assert (tmp_path / "2026-10-31").read_text() == "mine"


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_call_lists_are_for_the_user_s_eyes_alone(tmp_path):
    folder = write(make_calls(("005A", "bo")), tmp_path)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert modes == {"2026-10-31": 0o700, "005A.csv": 0o600, "005A.xlsx": 0o600}


def test_no_calls_make_an_empty_folder(tmp_path):
    assert list(write(make_calls(), tmp_path).iterdir()) == []


@pytest.mark.parametrize("text", ["=1+1", "+358", "-5", "@SUM(A1)", "\tcmd"])
def test_call_lists_quote_what_a_spreadsheet_would_run(tmp_path, text):
    folder = write(make_calls(("005A", text), (text, "bo")), tmp_path)
    rows = {row["owner_id"]: row["person_id"] for file in folder.glob("*.csv")
            for row in csv.DictReader(file.open(encoding="utf-8", newline=""))}
    assert rows == {"005A": "'" + text, "'" + text: "bo"}
    assert cells_of(folder / "005A.xlsx", 2)["B3"] == text


@pytest.fixture
def crm(crm):
    """The small CRM, in which sales has one task and has contacted nobody."""
    return replace(crm, activities=make("activities", activity_id=["a1"], kind="task"))


@pytest.fixture
def promised(agreement):
    """Sales contacts each new lead within two business days."""
    return replace(agreement, promises=(Promise("sales", "lead", "month", within_hours=16),))


def test_find_limbo_holds_the_first_promise_by_sales_against_the_export(crm, promised):
    limbo = find_limbo(crm, promised)
    assert limbo[["person_id", "owner_id"]].to_numpy().tolist() == [["di", "sam"]]     # the others moved on
    assert limbo["due_at"].tolist() == [pd.Timestamp("2026-10-07T10:00Z")]     # Monday 13:00 and 3 + 8 + 5 open hours
    assert limbo["overdue_days"].tolist() == pytest.approx([24.5])


@pytest.mark.parametrize(("exported", "overdue_days"), [("09:59", []), ("11:00", [1 / 24])])
def test_find_limbo_on_the_export_s_own_day_goes_as_far_as_the_export(crm, promised, exported, overdue_days):
    until = replace(crm, as_of=pd.Timestamp("2026-10-07T20:59:59.999999Z"),
                    exported_at=pd.Timestamp(f"2026-10-07T{exported}Z"))
    assert find_limbo(until, promised)["overdue_days"].tolist() == pytest.approx(overdue_days)


def test_find_limbo_refuses_what_it_cannot_know(crm, agreement, promised):
    with pytest.raises(ValueError, match="^as_of: 2026-10-31 has no data; the export's last edit is of 2026-10-30$"):
        find_limbo(replace(crm, exported_at=pd.Timestamp("2026-10-30T21:59:00Z")), promised)
    with pytest.raises(ValueError, match="^as_of: 2026-10-31 has no data; nobody was in the CRM yet$"):
        find_limbo(replace(crm, people=crm.people[:0], activities=crm.activities[:0]), promised)
    with pytest.raises(ValueError, match="^limbo: the export has no calls, e-mails or meetings, so nobody can be said"):
        find_limbo(replace(crm, activities=crm.activities[:0]), promised)
    with pytest.raises(ValueError, match="there is no promise by sales"):
        find_limbo(crm, agreement)


def digest(owner_id):
    return hashlib.sha256(owner_id.encode()).hexdigest()[:8]


def test_files_are_named_for_owners_and_never_lead_elsewhere():
    ids = ["005A", "../../etc/passwd", "...", "Åsa", "no_owner", "005b", "005B", "x" * 200, None, "005A", "y\n",
           "y" * 40, "y" * 41]
    assert name_files(pd.Series(ids, dtype="str")).tolist() == [
        "005A", f"etcpasswd-{digest('../../etc/passwd')}", f"-{digest('...')}", f"sa-{digest('Åsa')}",
        f"no_owner-{digest('no_owner')}", f"005b-{digest('005b')}", f"005B-{digest('005B')}",
        f"{'x' * 40}-{digest('x' * 200)}", "no_owner", "005A", f"y-{digest('y' + chr(10))}", "y" * 40,
        f"{'y' * 40}-{digest('y' * 41)}"]


@given(st.lists(st.text(max_size=5), max_size=8))
def test_owners_never_share_a_file(ids):
    names = name_files(pd.Series(ids, dtype="str"))
    assert names.str.fullmatch("[A-Za-z0-9_-]+").all()
    assert names.str.lower().nunique() == len(set(ids))


def test_say_calls_counts_leads_without_an_owner_too():
    dropped = pd.DataFrame({"reason": ["opted out of e-mail", "not to be called"], "n": [0, 0]})
    assert say_calls(make_calls((None, "bo"), (None, "ann")), dropped) == (
        "2 leads of 1 owner; 0 may not be contacted and were left out (0 opted out of e-mail, 0 not to be called)")
    assert say_calls(make_calls(), dropped).startswith("0 leads of 0 owners;")


def test_find_limbo_refuses_an_export_without_activities(crm, promised):
    with pytest.raises(ValueError, match="^limbo: the export has no calls, e-mails or meetings, so nobody can be said"):
        find_limbo(replace(crm, activities=make("activities")), promised)
