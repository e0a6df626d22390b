"""Inputs are hashed, kept for the user's eyes alone, and compared row by row without telling what is private."""

import hashlib
import stat
import zipfile
from pathlib import Path

import pytest

from attribution.inputs import changed_inputs, find_inputs, hash_inputs, keep_inputs, restore_inputs
from attribution.tables import TableError

DEAL_A, DEAL_B, DEAL_C = (f"0065g000AAMYkT{n}AYL" for n in (1, 2, 3))
DEALS = (f'Id,Name,Amount,CloseDate\n{DEAL_A},"Acme, renewal",100.00,2026-10-01\n'
         f"{DEAL_B},Beta,250.50,2026-10-02\n")


@pytest.fixture
def files(tmp_path):
    """An export of two deals, its agreement, and a spend ledger."""
    data = tmp_path / "export"
    data.mkdir()
    (data / "Opportunity.csv").write_text(DEALS)
    (data / "agreement.toml").write_text('[company]\nname = "Example"\nmargin = 0.6\n')
    (data / "spend.csv").write_text("campaign_id,spent_on,cost\n701A,2026-10-01,12.00\n")
    return {name: data / name for name in ("Opportunity.csv", "agreement.toml", "spend.csv")}


def kept(files, folder, **how):
    digests = hash_inputs(files)
    keep_inputs([files], [digests], folder, **how)
    return digests


def rows_of(changes):
    return [tuple(row) for row in changes.itertuples(index=False)]


def test_kept_inputs_are_readable_by_the_user_alone_and_restored_to_the_byte(files, tmp_path):
    digests = kept(files, tmp_path / "private")
    assert digests["Opportunity.csv"] == hashlib.sha256(DEALS.encode()).hexdigest()
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "private").iterdir()}
    assert modes == {0o600} and len(list((tmp_path / "private").iterdir())) == 3
    restore_inputs(digests, tmp_path / "private", tmp_path / "again")
    assert {name: (tmp_path / "again" / name).read_bytes() for name in files} == {
        name: path.read_bytes() for name, path in files.items()}


def test_nothing_has_changed_where_nothing_has(files, tmp_path):
    digests = kept(files, tmp_path / "private")
    assert changed_inputs(digests, files, tmp_path / "private").empty


def test_changes_name_the_row_the_column_and_both_values(files, tmp_path):
    digests = kept(files, tmp_path / "private")
    files["Opportunity.csv"].write_text(DEALS.replace("250.50", "250.51") + f"{DEAL_C},New,1.00,2026-10-03\n")
    files["spend.csv"].write_text("campaign_id,spent_on,cost\n701A,2026-10-01,13.00\n")
    files["agreement.toml"].write_text('[company]\nname = "Example"\nmargin = 0.7\n')
    assert rows_of(changed_inputs(digests, files, tmp_path / "private")) == [
        ("Opportunity.csv", DEAL_B, "Amount", "250.50", "250.51"),
        ("Opportunity.csv", DEAL_C, "", "not there", "there"),
        ("agreement.toml", "line 3", "", "margin = 0.6", "margin = 0.7"),
        ("spend.csv", "row 1", "cost", "12.00", "13.00")]


def test_changes_do_not_tell_names(files, tmp_path):
    digests = kept(files, tmp_path / "private")
    files["Opportunity.csv"].write_text(DEALS.replace("Beta", "Ann Smith"))
    changes = changed_inputs(digests, files, tmp_path / "private")
    assert rows_of(changes) == [("Opportunity.csv", DEAL_B, "Name", "(not shown)", "(another)")]


@pytest.mark.parametrize("value", ["ann@example.com", "+358 40 123", "Ann Smith", "Ann"])
def test_words_in_a_column_of_numbers_or_in_an_id_are_not_told_either(files, tmp_path, value):
    digests = kept(files, tmp_path / "private")
    files["Opportunity.csv"].write_text(DEALS.replace("250.50", value))
    assert rows_of(changed_inputs(digests, files, tmp_path / "private")) == [
        ("Opportunity.csv", DEAL_B, "Amount", "(not shown)", "(another)")]
    files["Opportunity.csv"].write_text(DEALS.replace(DEAL_B, value))
    changes = changed_inputs(digests, files, tmp_path / "private")
    assert changes["row"].tolist() == [DEAL_B, "(a row whose id is none)"] and value not in changes.to_string()


def test_comments_and_addresses_in_the_agreement_are_not_told(files, tmp_path):
    digests = kept(files, tmp_path / "private")
    files["agreement.toml"].write_text('[company]\nname = "Example"\nmargin = 0.6  # ask Ann\nby = "ann@example.com"\n')
    (change,) = rows_of(changed_inputs(digests, files, tmp_path / "private"))
    assert change == ("agreement.toml", "line 3", "", "margin = 0.6", "margin = 0.6 / (not shown)")


def test_digests_alone_name_the_row(files, tmp_path):
    digests = kept(files, tmp_path / "private", is_copied=False)
    assert not list((tmp_path / "private").glob("*[0-9a-f].gz"))
    files["Opportunity.csv"].write_text(DEALS.replace("250.50", "250.51"))
    (change,) = rows_of(changed_inputs(digests, files, tmp_path / "private"))
    assert change[:3] == ("Opportunity.csv", DEAL_B, "") and change[3] != change[4]
    assert all(each.startswith("digest ") for each in change[3:])


def test_a_file_of_which_nothing_was_kept_is_said_to_differ(files, tmp_path):
    digests = hash_inputs(files)
    files["Opportunity.csv"].write_text(DEALS + f"{DEAL_C},New,1.00,2026-10-03\n")
    now = hashlib.sha256(files["Opportunity.csv"].read_bytes()).hexdigest()
    assert rows_of(changed_inputs(digests, files, tmp_path / "private")) == [
        ("Opportunity.csv", "", "", digests["Opportunity.csv"][:12], now[:12])]


def test_files_that_came_or_went_are_named(files, tmp_path):
    digests = kept(files, tmp_path / "private")
    files["Lead.csv"] = files.pop("spend.csv")
    assert rows_of(changed_inputs(digests, files, tmp_path / "private")) == [
        ("Lead.csv", "", "", "not there", "there"), ("spend.csv", "", "", "there", "not there")]


def test_changes_are_found_inside_a_zip(tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Opportunity.csv", DEALS)
    digests = kept({"export.zip": path}, tmp_path / "private")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Opportunity.csv", DEALS.replace("100.00", "100.01"))
    assert rows_of(changed_inputs(digests, {"export.zip": path}, tmp_path / "private")) == [
        ("export.zip/Opportunity.csv", DEAL_A, "Amount", "100.00", "100.01")]


def test_rows_without_an_id_of_their_own_are_numbered(tmp_path):
    path = tmp_path / "Opportunity.csv"
    path.write_text("Id,Amount\n006A,1.00\n006A,2.00\n")
    digests = kept({path.name: path}, tmp_path / "private")
    path.write_text("Id,Amount\n006A,1.00\n006A,3.00\n")
    assert rows_of(changed_inputs(digests, {path.name: path}, tmp_path / "private")) == [
        ("Opportunity.csv", "row 2", "Amount", "2.00", "3.00")]


def test_keep_inputs_refuses_a_file_that_changed_meanwhile(files, tmp_path):
    digests = hash_inputs(files)
    files["spend.csv"].write_text("campaign_id,spent_on,cost\n")
    with pytest.raises(TableError, match=r"spend.csv: changed while the report was made. Make it again$"):
        keep_inputs([files], [digests], tmp_path / "private")


def test_restore_refuses_a_copy_that_is_broken_or_was_not_kept(files, tmp_path):
    digests = kept(files, tmp_path / "private")
    kept_copy = tmp_path / "private" / f"{digests['spend.csv']}.gz"
    whole = kept_copy.read_bytes()
    kept_copy.write_bytes(whole[:20] + bytes([whole[20] ^ 255]) + whole[21:])
    with pytest.raises(ValueError, match="private: holds no whole copy of spend.csv. Put the file back where the rep"):
        restore_inputs(digests, tmp_path / "private", tmp_path / "again")


def test_restore_stays_inside_its_folder(files, tmp_path):
    digests = kept(files, tmp_path / "private")
    with pytest.raises(ValueError, match=r"^\.\./Opportunity.csv: leads out of the folder of inputs$"):
        restore_inputs({"../Opportunity.csv": digests["Opportunity.csv"]}, tmp_path / "private", tmp_path / "again")


def test_a_month_to_compare_with_counts_among_the_inputs(tmp_path):
    before = tmp_path / "2026-09"
    before.mkdir()
    for name in ("manifest.json", "campaign_roi.ipynb", "sla_conversion.ipynb"):
        (before / name).write_text(name)
    found = find_inputs(tmp_path / "none.ipynb", {"previous": str(before)}, "campaign_roi")
    assert Path(found.pop("requirements.lock")).is_file()
    assert found == {f"previous/{name}": before / name for name in ("manifest.json", "campaign_roi.ipynb")}


def test_digests_take_the_place_of_copies_and_copies_that_of_digests(files, tmp_path):
    for is_copied in (True, False, True):
        kept(files, tmp_path / "private", is_copied=is_copied)
        found = {path.name.partition(".")[2] for path in (tmp_path / "private").iterdir()}
        assert found == {"gz" if is_copied else "rows.gz"}


def test_words_in_the_spend_ledger_are_not_told(files, tmp_path):
    files["spend.csv"].write_text("campaign_id,spent_on,cost,approved_by\n701A,2026-10-01,12.00,Ann\n")
    digests = kept(files, tmp_path / "private")
    files["spend.csv"].write_text("campaign_id,spent_on,cost,approved_by\n701A,2026-10-01,12.00,Bo\n")
    assert rows_of(changed_inputs(digests, files, tmp_path / "private")) == [
        ("spend.csv", "row 1", "approved_by", "(not shown)", "(another)")]


@pytest.mark.parametrize("is_copied", [True, False])
def test_a_file_that_cannot_be_read_as_rows_is_only_said_to_differ(tmp_path, is_copied):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Opportunity.csv", DEALS)
    whole = path.read_bytes()
    digests = kept({"export.zip": path}, tmp_path / "private", is_copied=is_copied)
    path.write_bytes(whole.replace(b"250.50", b"999.99"))        # its checksum is wrong now
    (change,) = rows_of(changed_inputs(digests, {"export.zip": path}, tmp_path / "private"))
    assert change[:3] == ("export.zip", "", "")


def test_a_cell_may_be_longer_than_a_page(tmp_path):
    path = tmp_path / "Opportunity.csv"
    path.write_text(f"Id,Amount,Name\n{DEAL_A},1.00,{'x' * 200_000}\n")
    digests = kept({path.name: path}, tmp_path / "private", is_copied=False)
    path.write_text(path.read_text().replace("1.00", "2.00"))
    assert [row[:2] for row in rows_of(changed_inputs(digests, {path.name: path}, tmp_path / "private"))] == [
        ("Opportunity.csv", DEAL_A)]


def test_inputs_are_the_files_that_the_reader_reads(tmp_path):
    for name in ("Account.CSV", "Opportunity_2.csv", "notes.csv", "old/Account.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("Id\n")
    found = find_inputs(tmp_path / "none.ipynb", {"data_dir": str(tmp_path)})
    assert set(found) == {"Account.CSV", "Opportunity_2.csv", "requirements.lock"}
    assert set(find_inputs(tmp_path / "none.ipynb", {"data_dir": str(tmp_path / "old")})) == {
        "Account.csv", "requirements.lock"}
