"""Parsed once, read again from Parquet: the same to the last value, and never from what is not surely the same."""

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from edited_export import DEARER, edit_table, write_cost_down

from attribution.agreement_file import read_agreement
from attribution.simulate import write_company
from attribution.sources import list_files, read_crm, read_export, salesforce_files
from attribution.sources.cached import FOLDER, has_table, load_table, save_table
from attribution.tables import SCHEMAS, TableError

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
ROWS = pa.table({"campaign_id": pa.array(["701A", None, "Äkkiä"]), "is_active": [True, False, True],
                 "cost": [0.1, None, -1e12], "at": pa.array([0, 1, None], pa.timestamp("us", "UTC")),
                 "on": pa.array([None, -1, 2], pa.timestamp("us")), "nothing": pa.nulls(3, pa.string()),
                 }).replace_schema_metadata({"columns": '["b", "a"]'})
posix = pytest.mark.skipif(os.name != "posix", reason="modes, signals and mounts are POSIX's")
CAN_MOUNT = shutil.which("unshare") and not subprocess.run(
    ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode
mounted = pytest.mark.skipif(not CAN_MOUNT, reason="no file system can be mounted here to fill or to lock")


@pytest.fixture
def place(tmp_path):
    """A folder in which ROWS are kept as `touches`, made from "digest 1"."""
    save_table(tmp_path / FOLDER, "touches", "digest 1", ROWS)
    return tmp_path / FOLDER


def only(folder):
    (path,) = folder.iterdir()
    return path


def test_load_table_gives_the_very_table(place):
    assert load_table(place, "touches", "digest 1").equals(ROWS, check_metadata=True)
    assert has_table(place, "touches") and not has_table(place, "touche")


@pytest.mark.parametrize(("name", "made_from"), [("touches", "digest 2"), ("touches", ""), ("accounts", "digest 1")])
def test_load_table_gives_nothing_that_was_made_from_something_else(place, name, made_from):
    assert load_table(place, name, made_from) is None


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


def take_the_name_of_others_bytes(path, table):
    """Put another file there whose name is right for its bytes."""
    if isinstance(table, pa.Table):
        pq.write_table(table, path)
    else:
        path.write_bytes(table)
    path.rename(path.with_name(f"touches-{hashlib.sha256(path.read_bytes()).hexdigest()}.parquet"))


@pytest.mark.parametrize("harm", [
    flip_a_bit,
    lambda path: os.truncate(path, path.stat().st_size - 1),
    lambda path: os.truncate(path, 0),
    lambda path: pq.write_table(ROWS.replace_schema_metadata({"made_from": "digest 1"}), path),
    lambda path: path.unlink(),
])
def test_load_table_gives_nothing_of_a_damaged_file(place, harm):
    harm(only(place))
    assert load_table(place, "touches", "digest 1") is None


@posix
@pytest.mark.parametrize("foreign", [ROWS.replace_schema_metadata(), ROWS, b"", b"PAR1", b"no Parquet"])
def test_load_table_gives_nothing_of_a_foreign_file(place, foreign):
    take_the_name_of_others_bytes(only(place), foreign)
    assert has_table(place, "touches") and load_table(place, "touches", "digest 1") is None


@posix
@pytest.mark.parametrize(("mode", "is_read"), [(0o600, True), (0o644, True), (0o620, False), (0o602, False)])
def test_load_table_gives_nothing_that_others_could_have_written(place, mode, is_read):
    only(place).chmod(mode)
    assert (load_table(place, "touches", "digest 1") is not None) == is_read


@posix
def test_load_table_gives_nothing_of_another_user(place, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: only(place).stat().st_uid + 1)
    assert load_table(place, "touches", "digest 1") is None


@posix
@pytest.mark.parametrize(("mode", "is_used"), [(0o700, True), (0o755, True), (0o770, False), (0o702, False)])
def test_a_folder_that_others_can_write_to_is_not_used(place, mode, is_used):
    place.chmod(mode)
    assert has_table(place, "touches") == is_used
    assert (load_table(place, "touches", "digest 1") is not None) == is_used
    save_table(place, "accounts", "digest 1", ROWS)
    assert len([*place.glob("accounts-*")]) == is_used


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_not_used(place):
    os.chown(place, 65_534, -1)
    assert not has_table(place, "touches") and load_table(place, "touches", "digest 1") is None
    save_table(place, "accounts", "digest 1", ROWS)
    assert not [*place.glob("accounts-*")]


@posix
def test_load_table_reads_the_bytes_that_it_hashed_though_the_name_is_taken_meanwhile(place, monkeypatch):
    path, digest = only(place), hashlib.file_digest

    def hash_and_replace(file, name):
        found = digest(file, name)
        draft = place / "draft"
        pq.write_table(ROWS[:1].replace_schema_metadata({"made_from": "digest 1"}), draft)
        draft.replace(path)
        return found

    monkeypatch.setattr(hashlib, "file_digest", hash_and_replace)
    assert load_table(place, "touches", "digest 1").equals(ROWS)
    monkeypatch.undo()
    assert load_table(place, "touches", "digest 1") is None


@posix
def test_kept_tables_are_for_their_owner_alone(tmp_path):
    mask = os.umask(0)
    try:
        save_table(tmp_path / FOLDER, "touches", "digest 1", ROWS)
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / FOLDER).stat().st_mode) == 0o700
    assert stat.S_IMODE(only(tmp_path / FOLDER).stat().st_mode) == 0o600


def test_save_table_takes_the_place_of_the_older_one_and_of_drafts_only(place):
    (place / "touches-killed.draft").write_bytes(b"half")
    save_table(place, "touches_of_others", "digest 1", ROWS)
    save_table(place, "touches", "digest 2", ROWS[:1])
    assert sorted(path.name.rpartition("-")[0] for path in place.iterdir()) == ["touches", "touches_of_others"]
    assert load_table(place, "touches", "digest 2").num_rows == 1
    assert load_table(place, "touches_of_others", "digest 1").num_rows == 3


@posix
def test_a_killed_job_leaves_the_older_table_and_the_next_one_clears_up(place):
    killed = ("import os, signal, sys; from pathlib import Path; import pyarrow as pa\n"
              "from attribution.sources.cached import save_table\n"
              "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
              "save_table(Path(sys.argv[1]), 'touches', 'digest 2', pa.table({'cost': [1.0]}))\n")
    run = subprocess.run([sys.executable, "-c", killed, place], check=False)
    assert run.returncode == -signal.SIGKILL and len([*place.glob("*.draft")]) == 1
    assert load_table(place, "touches", "digest 1").equals(ROWS) and load_table(place, "touches", "digest 2") is None
    save_table(place, "touches", "digest 3", ROWS)
    assert only(place).suffix == ".parquet"


def test_save_table_leaves_nothing_behind_when_interrupted(tmp_path, monkeypatch):
    def interrupt(*_arguments, **_options):
        raise KeyboardInterrupt
    monkeypatch.setattr(pq, "write_table", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_table(tmp_path / FOLDER, "touches", "digest 1", ROWS)
    assert [*(tmp_path / FOLDER).iterdir()] == []


def test_save_table_does_without_where_the_folder_cannot_be_made(tmp_path):
    (tmp_path / FOLDER).write_text("a file in its place")
    save_table(tmp_path / FOLDER, "touches", "digest 1", ROWS)
    assert not has_table(tmp_path / FOLDER, "touches") and only(tmp_path).is_file()


# ---- the export


@pytest.fixture
def kept_always(monkeypatch):
    """Keep every file, however small."""
    monkeypatch.setattr(salesforce_files, "KEPT_FROM", 1)


@pytest.fixture
def export(tmp_path, kept_always):
    return shutil.copytree(SAMPLE, tmp_path / "export")


@pytest.fixture
def parsed(monkeypatch):
    """The names of the objects that were parsed, and not read from what was kept."""
    names, parse = [], salesforce_files._parse_object
    monkeypatch.setattr(salesforce_files, "_parse_object", lambda name, *rest: names.append(name) or parse(name, *rest))
    return names


def objects(folder):
    return sorted(path.name.partition("-")[0] for path in (folder / FOLDER).iterdir())


def assert_same_crm(one, other):
    for name in (*[name for name in SCHEMAS if hasattr(one, name)], "field_changes"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), obj=name)
    assert (one.sources, one.currency, one.exported_at) == (other.sources, other.currency, other.exported_at)


def assert_same_export(one, other):
    assert (one.columns, one.sources, one.folder) == (other.columns, other.sources, other.folder)
    assert list(one.tables) == list(other.tables)
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, other[name], obj=name)


def test_read_crm_of_the_sample_is_the_same_from_what_was_kept(export, parsed, monkeypatch):
    agreement = read_agreement(export)
    as_of = agreement.month_end("2026-10")
    first, second = read_crm(export, agreement, as_of), read_crm(export, agreement, as_of)
    assert len(objects(export)) == len(list_files(SAMPLE)) == 13
    assert len(parsed) == 13 + 2 * 2                 # two objects are not there, and parsed each time
    monkeypatch.undo()
    without = read_crm(SAMPLE, agreement, as_of)
    assert_same_crm(first, without)
    assert_same_crm(second, without)


@pytest.mark.parametrize("dialect", ["data_export", "bulk"])
def test_read_export_of_a_simulated_company_is_the_same_from_what_was_kept(tmp_path, parsed, monkeypatch, dialect):
    folder = write_company(tmp_path, seed=9, n_accounts=60, n_people=400, truth=False, dialect=dialect)
    without = read_export(folder)
    assert not (folder / FOLDER).exists()
    monkeypatch.setattr(salesforce_files, "KEPT_FROM", 1)
    assert_same_export(read_export(folder), without)
    parsed.clear()
    assert_same_export(read_export(folder), without)
    assert set(parsed) == set(salesforce_files.FILES) - set(objects(folder)) and len(objects(folder)) > 10


def test_the_sample_and_its_small_files_are_not_kept(export, monkeypatch):
    monkeypatch.undo()
    read_export(export)
    assert not (export / FOLDER).exists()
    monkeypatch.setattr(salesforce_files, "KEPT_FROM", (export / "Task.csv").stat().st_size)
    read_export(export)
    assert objects(export) == ["CampaignMember", "Task"]          # 3.4 and 1.23 MB; Lead has 1.21


def test_a_good_file_is_never_held_whole(export, monkeypatch):
    def hold(_file):
        raise AssertionError("the whole file was read at once")
    monkeypatch.setattr(salesforce_files._File, "read", hold)
    assert len(read_export(export).sources) == 13


def test_a_changed_file_is_parsed_again_and_its_table_replaced(export, parsed):
    read_export(export)
    kept = {path.name for path in (export / FOLDER).iterdir()}
    write_cost_down(export)
    parsed.clear()
    now = read_export(export)
    assert "Campaign" in parsed and "CampaignMember" not in parsed
    assert now["Campaign"].set_index("Id").loc[DEARER, "ActualCost"] == 3000.0
    assert len(kept ^ {path.name for path in (export / FOLDER).iterdir()}) == 2
    assert now.sources == salesforce_files.read_export(export).sources


@pytest.mark.parametrize("harm", [flip_a_bit, lambda path: os.truncate(path, 100), lambda path: path.chmod(0o666)])
def test_a_harmed_table_is_parsed_again_and_replaced(export, parsed, harm):
    before = read_export(export)
    for path in (export / FOLDER).iterdir():
        harm(path)
    parsed.clear()
    assert_same_export(read_export(export), before)
    assert "CampaignMember" in parsed
    parsed.clear()
    assert_same_export(read_export(export), before)
    assert "CampaignMember" not in parsed


def test_a_table_kept_by_another_parser_is_parsed_again(export, parsed, monkeypatch):
    read_export(export)
    parsed.clear()
    monkeypatch.setattr(salesforce_files, "_parsers", lambda: ["another"])
    read_export(export)
    assert "CampaignMember" in parsed and len(objects(export)) == len(list_files(SAMPLE))


def test_another_field_of_leads_is_read_though_leads_are_kept(export):
    assert "NumberOfEmployees" not in read_export(export)["Lead"]
    edit_table(export, "Lead", lambda rows: [row | {"Score__c": "7"} for row in rows])
    read_export(export)
    assert set(read_export(export, {"Score__c": "number"})["Lead"]["Score__c"]) == {7.0}
    assert "Score__c" not in read_export(export)["Lead"]


def test_a_part_that_comes_or_goes_is_seen(export, parsed):
    whole = read_export(export)
    lines = (export / "CampaignMember.csv").read_bytes().splitlines(keepends=True)
    (export / "CampaignMember.csv").unlink()
    for number, part in enumerate((lines[1:3000], lines[3000:]), 1):
        (export / f"CampaignMember_{number}.csv").write_bytes(b"".join([lines[0], *part]))
    for _ in range(2):
        parsed.clear()
        parts = read_export(export)
        pd.testing.assert_frame_equal(parts["CampaignMember"], whole["CampaignMember"])
        assert len(parts.sources) == len(whole.sources) + 1
    assert "CampaignMember" not in parsed
    (export / "CampaignMember_2.csv").unlink()
    assert len(read_export(export)["CampaignMember"]) == 2999


@pytest.mark.parametrize("change", ["gone", "smaller"])
def test_what_was_kept_of_a_file_goes_with_it(export, monkeypatch, change):
    read_export(export)
    assert "Task" in objects(export)
    if change == "gone":
        (export / "Task.csv").unlink()
    else:
        monkeypatch.setattr(salesforce_files, "KEPT_FROM", (export / "Task.csv").stat().st_size + 1)
    read_export(export)
    assert "Task" not in objects(export) and "CampaignMember" in objects(export)


def test_what_cannot_be_read_is_refused_each_time_and_never_kept(export):
    edit_table(export, "CampaignMember", lambda rows: [*rows[:-1], rows[-1] | {"CreatedDate": "yesterday"}])
    for _ in range(2):
        with pytest.raises(TableError, match="CampaignMember.csv: CreatedDate is no time .* in 1 of"):
            read_export(export)
    assert "CampaignMember" not in objects(export)


def test_a_file_cut_short_is_refused_though_its_whole_is_kept(export):
    read_export(export)
    os.truncate(export / "CampaignMember.csv", 1_000_001)
    with pytest.raises(TableError, match="CampaignMember.csv: is cut short"):
        read_export(export)


def test_a_file_cut_short_is_called_so_though_an_earlier_row_is_wrong(export):
    data = (export / "CampaignMember.csv").read_bytes().rstrip(b'"\n')
    (export / "CampaignMember.csv").write_bytes(data.replace(b"\n", b'\n"one","too many",', 1))
    with pytest.raises(TableError, match="CampaignMember.csv: is cut short: its last row does not end"):
        read_export(export)


def pack(folder, path, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in folder.glob("*.csv"):
            archive.write(file, file.name)


def test_a_zip_is_kept_beside_it(export, parsed):
    pack(export, export.parent / "export.zip")
    without = read_export(export)
    for _ in range(2):
        parsed.clear()
        zipped = read_export(export.parent / "export.zip")
        assert zipped.sources == without.sources and zipped.columns == without.columns
        for name, table in without.tables.items():
            pd.testing.assert_frame_equal(zipped[name], table, obj=name)
    assert "CampaignMember" not in parsed and objects(export.parent) == objects(export)


def test_a_damaged_zip_is_refused_though_its_files_are_kept(export):
    path = export.parent / "export.zip"
    pack(export, path)
    read_export(path)
    data = bytearray(path.read_bytes())
    data[data.index(b"CampaignMember.csv") + 1000] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(TableError, match="CampaignMember.csv in it cannot be unpacked"):
        read_export(path)


def test_a_zip_with_a_damaged_header_is_called_damaged(export):
    path = export.parent / "export.zip"
    pack(export, path, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.index(b'"CampaignId"', data.index(b"CampaignMember.csv")) + 1] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(TableError, match="CampaignMember.csv in it cannot be unpacked"):
        read_export(path)


def test_what_is_kept_is_no_part_of_the_export(export):
    files = list_files(export)
    read_export(export)
    assert list_files(export) == files and all(path.parent == export for path in files.values())
    assert list_files(export.parent) == {f"export/{name}": path for name, path in files.items()}
    assert read_export(export.parent).sources == read_export(export).sources


def test_no_column_is_kept_that_is_not_read(export):
    read_export(export)
    for path in (export / FOLDER).iterdir():
        name = path.name.partition("-")[0]
        assert set(pq.read_schema(path).names) == set(salesforce_files._types(name, None))
    assert "Email" not in salesforce_files._types("Lead", None)
    assert '"Email"' in (export / "Lead.csv").read_text("latin-1")


READ = ("import sys; from attribution.sources import read_export, salesforce_files; salesforce_files.KEPT_FROM = 1\n"
        "export = read_export(sys.argv[1]); print(len(export['CampaignMember']))")


def read_in_process(folder, mount=""):
    shell = ["unshare", "-Urm", "bash", "-c", f'{mount} && exec "$@"', "bash"] if mount else []
    return subprocess.Popen([*shell, sys.executable, "-c", READ, folder], stdout=subprocess.PIPE, text=True)


@posix
@mounted
@pytest.mark.parametrize("mount", [
    "mount --bind {0} {0} && mount -o remount,bind,ro {0}",
    "mkdir {0}/" + FOLDER + " && mount -t tmpfs -o size=16k none {0}/" + FOLDER], ids=["read-only", "full"])
def test_a_folder_that_cannot_be_written_is_read_all_the_same(export, mount):
    run = read_in_process(export, mount.format(export))
    said, _ = run.communicate(timeout=120)
    assert (int(said), run.returncode) == (len(read_export(export)["CampaignMember"]), 0)


def test_two_processes_at_once_do_no_harm(export):
    runs = [read_in_process(export) for _ in range(2)]
    said = {run.communicate(timeout=120)[0] for run in runs}
    assert said == {f"{len(read_export(export)['CampaignMember'])}\n"} and [run.returncode for run in runs] == [0, 0]
    assert {path.suffix for path in (export / FOLDER).iterdir()} == {".parquet"}
    assert objects(export) == sorted(path.removesuffix(".csv") for path in list_files(export))
