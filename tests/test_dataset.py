"""Touches by month: whole months, whatever happens to the job that writes them."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution import append_touches, credit_by_campaign, dataset, outofcore, read_touches
from attribution.models import first_touch
from attribution.tables import TableError


def touches_at(*moments, first=0):
    return pd.DataFrame({"touch_id": [f"t{first + i}" for i in range(len(moments))], "person_id": "Ann",
                         "account_id": "Acme", "campaign_id": "Web",
                         "touched_at": pd.to_datetime(list(moments), utc=True, format="ISO8601").as_unit("us")})


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


def test_append_writes_a_file_for_each_month_of_utc(tmp_path):
    rows = touches_at("2026-02-28T23:59:59.999999", "2026-03-01", "2026-03-31T23:00:00-02:00")
    assert append_touches(rows, tmp_path).values.tolist() == [["2026-02", 1, 0], ["2026-03", 1, 0], ["2026-04", 1, 0]]
    assert sorted(files_of(tmp_path)) == [f"touched_month=2026-{month}/touches.parquet" for month in ("02", "03", "04")]
    assert append_touches(rows.head(0), tmp_path).empty


def test_months_are_those_of_the_time_zone(tmp_path):
    september, october = (touches_at(f"2026-{month}-01T00:00+03:00", f"2026-{month}-30T23:00+03:00", first=int(month))
                          for month in ("09", "10"))
    for rows, month in ((september, "2026-09"), (october, "2026-10")):
        said = append_touches(rows, tmp_path, time_zone="Europe/Helsinki")
        assert said.values.tolist() == [[month, 2, 0]]
    assert len(read_touches(tmp_path)) == 4
    night = read_touches(tmp_path, "2026-09-30T21:00", "2026-09-30T21:00")                 # October in Helsinki alone
    assert night["touch_id"].tolist() == ["t10"]
    with pytest.raises(ValueError, match="^time_zone: 'Helsinki' is not a time zone like 'Europe/Helsinki'$"):
        append_touches(october, tmp_path, time_zone="Helsinki")


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(st.datetimes(pd.Timestamp("2025-12-30"), pd.Timestamp("2026-02-02")), max_size=12),
       st.datetimes(pd.Timestamp("2025-12-30"), pd.Timestamp("2026-02-02")),
       st.sampled_from(["Pacific/Kiritimati", "Etc/GMT+12", "America/New_York"]))
def test_read_finds_local_months_by_moments_of_utc(tmp_path_factory, moments, since, time_zone):
    folder, rows = tmp_path_factory.mktemp("touches"), touches_at(*moments)
    append_touches(rows, folder, time_zone=time_zone)
    if len(moments):
        said = read_touches(folder, since, since + pd.Timedelta(hours=20))
        lies_in = [since <= moment <= since + pd.Timedelta(hours=20) for moment in moments]
        assert sorted(said["touch_id"]) == sorted(rows.loc[lies_in, "touch_id"])


def test_a_refused_month_says_what_replacing_it_would_do(tmp_path):
    append_touches(touches_at("2026-09-01", "2026-09-02"), tmp_path)
    local = touches_at("2026-09-30T22:00", "2026-10-01", "2026-10-02", first=9)
    with pytest.raises(ValueError, match=r"first: 2026-09 \(2 touches, 1 new\)\)\. .*time_zone.*on_repeat=") as error:
        append_touches(local, tmp_path)
    assert "\n" not in str(error.value) and "Leave them out" not in str(error.value)


def test_every_month_is_stored_with_the_same_columns_and_types(tmp_path):
    small = touches_at("2026-02-01", "2026-02-02").assign(
        touch_id=np.array([1, 2], "int32"), account_id=pd.array([7, None], "Int16"), person_id=None)
    given = small.assign(kind="response", joined_at=small["touched_at"].dt.tz_localize(None).dt.as_unit("ns"))
    append_touches(small, tmp_path)
    append_touches(given.assign(touched_at=given["touched_at"] + pd.Timedelta(days=28), touch_id=[3, 4]), tmp_path)
    one, other = map(pq.read_schema, sorted(tmp_path.glob("*/touches.parquet")))
    expected = {"touch_id": "int64", "person_id": "int64", "account_id": "int64", "campaign_id": "large_string",
                "touched_at": "timestamp[us, tz=UTC]", "kind": "large_string"}
    assert {name: str(kind) for name, kind in zip(one.names, one.types, strict=True)} == expected
    assert {name: str(kind) for name, kind in zip(other.names, other.types, strict=True)} == expected | {
        "joined_at": "timestamp[us, tz=UTC]"}
    assert read_touches(tmp_path, until="2026-02-20").columns.tolist() == dataset.NEEDED
    assert read_touches(tmp_path)["kind"].tolist()[2:] == ["response", "response"]


@pytest.mark.parametrize("share", [credit_by_campaign, outofcore.credit_by_campaign])
def test_what_touches_never_had_is_missed_by_a_model_that_asks_for_it(tmp_path, share):
    append_touches(touches_at("2026-02-01"), tmp_path)
    deal = pd.DataFrame({"conversion_id": ["d"], "account_id": "Acme", "person_id": None, "value": 100.0,
                         "converted_at": pd.to_datetime(["2026-03-09"], utc=True)})
    with pytest.raises(ValueError, match="joined_at"):
        share(tmp_path, deal, {"joined": partial(first_touch, dialect="salesforce")})


@pytest.mark.parametrize("moment", ["", pd.NaT, "soon", True])
@pytest.mark.parametrize("limit", ["since", "until"])
def test_a_limit_that_is_no_moment_is_refused_in_one_line(tmp_path, moment, limit):
    append_touches(touches_at("2026-02-01"), tmp_path)
    with pytest.raises(ValueError, match=f"^{limit}: .* is not a moment like '2026-03-01'") as error:
        read_touches(tmp_path, **{limit: moment})
    assert "\n" not in str(error.value)


def test_the_earliest_and_the_latest_moment_are_no_limits(tmp_path):
    append_touches(touches_at("2026-02-01"), tmp_path)
    assert len(read_touches(tmp_path, pd.Timestamp.min, pd.Timestamp.max)) == 1


def test_a_month_that_is_a_link_or_has_no_suffix_is_read(tmp_path):
    folder, rows = tmp_path / "data", touches_at("2026-02-01", "2026-03-01", "2026-04-01")
    append_touches(rows.head(2), folder)
    (folder / "touched_month=2026-02").rename(tmp_path / "elsewhere")
    (folder / "touched_month=2026-02").symlink_to(tmp_path / "elsewhere")
    (folder / "touched_month=2026-03" / "loop").symlink_to(folder)
    rows.tail(1).to_parquet(folder / "part-0002")
    for hidden in ("_SUCCESS", ".crc"):
        (folder / hidden).write_bytes(b"")
    assert sorted(read_touches(folder)["touch_id"]) == ["t0", "t1", "t2"]
    (folder / "notes.txt").write_text("none", encoding="utf-8")
    with pytest.raises(TableError, match="notes.txt: cannot be read as Parquet") as error:
        read_touches(folder)
    assert "\n" not in str(error.value)


def test_a_months_other_files_are_never_replaced_unseen(tmp_path):
    append_touches(touches_at("2026-02-01"), tmp_path)
    for name in ("part-0002", "more/touches.parquet"):
        other = tmp_path / "touched_month=2026-02" / name
        other.parent.mkdir(exist_ok=True)
        touches_at("2026-02-02", first=5).to_parquet(other)
        with pytest.raises(ValueError, match=rf"holds files of another's making \(first: {other.name}\)"):
            append_touches(touches_at("2026-02-01"), tmp_path, on_repeat="replace")
        other.unlink()


def test_a_repeated_month_is_refused_or_replaced_whole(tmp_path):
    append_touches(touches_at("2026-02-01", "2026-03-01", "2026-03-02"), tmp_path)
    before, again = files_of(tmp_path), touches_at("2026-03-05", "2026-04-01", first=9)
    with pytest.raises(ValueError, match=r"^touches: 1 of 2 months are in .* already \(first: 2026-03 \(2"):
        append_touches(again, tmp_path)
    assert files_of(tmp_path) == before
    said = append_touches(again, tmp_path, on_repeat="replace")
    assert said.values.tolist() == [["2026-03", 1, 2], ["2026-04", 1, 0]]
    assert read_touches(tmp_path)["touch_id"].tolist() == ["t0", "t9", "t10"]


def test_the_same_month_again_gives_the_same_bytes(tmp_path):
    rows = touches_at("2026-02-01", "2026-03-01")
    append_touches(rows, tmp_path)
    before = files_of(tmp_path)
    append_touches(rows, tmp_path, on_repeat="replace")
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("name", ["pandas", "categories", "polars", "pyarrow"])
@pytest.mark.parametrize("is_integer", [False, True])
def test_touches_come_back_as_they_were_given(tmp_path, name, is_integer):
    rows = touches_at("2026-02-01", "2026-02-02T10:00:00.000001", "2026-02-03").assign(
        kind=["response", None, "membership"], account_id=["Acme", None, "Bolt"])
    if is_integer:
        rows = rows.assign(touch_id=[3, 1, 2], account_id=pd.Series([7, None, 2**40], dtype="Int64"))
    if name == "polars":
        given = pytest.importorskip("polars").from_pandas(rows)
    elif name == "categories":
        given = rows.astype({"kind": "category", "campaign_id": "category"})
    else:
        given = rows if name == "pandas" else pytest.importorskip("pyarrow").Table.from_pandas(rows)
    append_touches(given, tmp_path)
    pd.testing.assert_frame_equal(read_touches(tmp_path), rows, check_like=True)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(st.datetimes(pd.Timestamp("2025-11-01"), pd.Timestamp("2026-03-01")), max_size=12),
       st.datetimes(pd.Timestamp("2025-11-01"), pd.Timestamp("2026-03-01")), st.integers(0, 60))
def test_read_gives_what_lies_between_two_moments(tmp_path_factory, moments, since, days):
    folder, until = tmp_path_factory.mktemp("touches"), since + pd.Timedelta(days=days)
    append_touches(touches_at("2025-10-31", *moments), folder)
    expected = sorted(f"t{i}" for i, moment in enumerate(moments, 1) if since <= moment <= until)
    assert sorted(read_touches(folder, since, until)["touch_id"]) == expected
    assert len(read_touches(folder)) == len(moments) + 1


def test_read_opens_the_months_that_the_window_may_reach_alone(tmp_path):
    append_touches(touches_at("2026-01-31", "2026-02-02", "2026-02-27T23:59", "2026-03-01"), tmp_path)
    for month in ("2026-01", "2026-03"):
        (tmp_path / f"touched_month={month}" / "touches.parquet").write_bytes(b"no Parquet at all")
    assert len(read_touches(tmp_path, "2026-02-02", "2026-02-27T23:59:59")) == 2
    assert len(read_touches(tmp_path, "2026-02-03", pd.Timestamp("2026-02-28T01:59", tz="Europe/Helsinki"))) == 1
    for since, until, month in (("2026-02-02", "2026-02-28", "2026-03"), ("2026-02-01T23:59", "2026-02-03", "2026-01")):
        with pytest.raises(TableError, match=month):                         # of a zone that no reader knows
            read_touches(tmp_path, since, until)
    with pytest.raises(TableError, match="there is no Parquet file at"):
        read_touches(tmp_path / "nowhere")


@pytest.mark.parametrize(("change", "message"), [
    ({"campaign_id": None}, "touches: campaign_id is empty in 2 of 2 rows"),
    ({"touched_at": pd.NaT}, "touches: touched_at is empty in 2 of 2 rows"),
    ({"touch_id": "t"}, "touches: touch_id is not unique in 2 of 2 rows"),
    ({"touched_at": "2026-02-01"}, "touches: touched_at is str, not a time"),
])
def test_touches_that_could_not_be_attributed_are_refused(tmp_path, change, message):
    with pytest.raises(TableError, match=message):
        append_touches(touches_at("2026-02-01", "2026-03-01").assign(**change), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_append_refuses_an_unknown_option_and_a_month_of_anothers_making(tmp_path):
    with pytest.raises(ValueError, match="on_repeat: 'append' is not one of refuse, replace"):
        append_touches(touches_at("2026-02-01"), tmp_path, on_repeat="append")
    (tmp_path / "touched_month=2026-02").mkdir()
    (tmp_path / "touched_month=2026-02" / "part-0.parquet").write_bytes(b"")
    with pytest.raises(ValueError, match=r"holds files of another's making \(first: part-0.parquet\)"):
        append_touches(touches_at("2026-02-01"), tmp_path, on_repeat="replace")


KILLED = """
import os, signal, sys
import pandas as pd
from attribution import append_touches, dataset
write, publish = dataset._write, dataset._publish
def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
def write_half(rows, path):
    write(rows, path)
    if rows["touched_at"].dt.month.iloc[0] == 3:
        os.truncate(path, 100)
        die()
if sys.argv[2] == "writing":
    dataset._write = write_half
def publish_one(draft, month):
    publish(draft, month)
    die()
if sys.argv[2] == "between":
    dataset._publish = publish_one
if sys.argv[2] == "publishing":
    dataset._publish = die
append_touches(pd.read_parquet(sys.argv[3]), sys.argv[1], on_repeat="replace")
"""


@pytest.mark.parametrize("moment", ["writing", "publishing"])
def test_a_killed_append_leaves_the_dataset_as_it_was_and_the_next_one_clears_up(tmp_path, moment):
    folder, rows = tmp_path / "data", touches_at("2026-02-05", "2026-03-05", "2026-04-05", first=9)
    append_touches(touches_at("2026-02-01", "2026-03-01"), folder)
    before = files_of(folder)
    rows.to_parquet(tmp_path / "rows.parquet")
    run = subprocess.run([sys.executable, "-c", KILLED, folder, moment, tmp_path / "rows.parquet"], check=False)
    assert run.returncode == -signal.SIGKILL
    assert files_of(folder) == before and read_touches(folder)["touch_id"].tolist() == ["t0", "t1"]
    assert list((folder / ".draft").glob("*.part"))
    append_touches(rows, folder, on_repeat="replace")
    assert not list((folder / ".draft").glob("*.part"))
    assert read_touches(folder)["touch_id"].tolist() == ["t9", "t10", "t11"]


def test_an_append_killed_at_any_moment_leaves_whole_months(tmp_path):
    folder, rows = tmp_path / "data", pd.concat([
        touches_at(*[f"2026-{month:02}-05"] * 20_000, first=month * 100_000) for month in range(1, 7)])
    old = rows.assign(campaign_id="old")
    append_touches(old, folder)
    rows.to_parquet(tmp_path / "rows.parquet")
    for milliseconds in (0, 30, 60, 120):
        job = subprocess.Popen([sys.executable, "-c", KILLED, folder, "never", tmp_path / "rows.parquet"])
        while job.poll() is None and not list((folder / ".draft").glob("*.part")):
            time.sleep(0.001)
        time.sleep(milliseconds / 1000)
        job.kill()
        job.wait()
        found = read_touches(folder)
        assert found.groupby(found["touched_at"].dt.month)["campaign_id"].agg(["size", "nunique"]).values.tolist() == [
            [20_000, 1]] * 6
        append_touches(old, folder, on_repeat="replace")


def test_a_second_append_at_the_same_time_is_refused(tmp_path):
    with dataset._draft(tmp_path) as draft:
        (draft / "2026-02.part").write_bytes(b"half")
        with pytest.raises(ValueError, match="another job is appending to it"):
            append_touches(touches_at("2026-02-01"), tmp_path)
        assert (draft / "2026-02.part").exists()
    assert os.listdir(tmp_path) == [".draft"] and not list(tmp_path.rglob("*.part"))


def test_a_full_disk_leaves_the_dataset_as_it_was(tmp_path, monkeypatch):
    append_touches(touches_at("2026-02-01"), tmp_path)
    before, write = files_of(tmp_path), dataset._write

    def fail(rows, path):
        write(rows, path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dataset, "_write", fail)
    with pytest.raises(OSError, match="No space left"):
        append_touches(touches_at("2026-02-05", "2026-03-05"), tmp_path, on_repeat="replace")
    assert files_of(tmp_path) == before and not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("first", [7, "Ann"])
@pytest.mark.parametrize("empty", [0, 1])
def test_a_month_without_a_person_leaves_the_ids_their_type(tmp_path, first, empty):
    rows = touches_at("2026-02-10", "2026-03-10").assign(person_id=first)
    rows["person_id"] = rows["person_id"].astype("str" if first == "Ann" else "Int64")
    rows.loc[empty, "person_id"] = None
    for month in (rows.head(1), rows.tail(1)):
        append_touches(month, tmp_path)
    pd.testing.assert_frame_equal(read_touches(tmp_path), rows)
    nobody = read_touches(tmp_path, *rows.loc[[empty, empty], "touched_at"])
    assert nobody["person_id"].isna().all() and nobody["person_id"].dtype == "str"


def test_months_of_text_beside_months_of_integers_are_refused_in_one_line(tmp_path):
    append_touches(touches_at("2026-02-01").assign(account_id=7), tmp_path)
    append_touches(touches_at("2026-03-01", first=1), tmp_path)
    with pytest.raises(TableError, match=r"^.*: account_id is not of one type in all files \(.*int64.*string") as error:
        read_touches(tmp_path)
    assert "\n" not in str(error.value)


def test_a_folder_that_names_no_month_of_ours_is_read(tmp_path):
    rows = touches_at("2026-03-05")
    (tmp_path / "touched_month=202603").mkdir()
    rows.to_parquet(tmp_path / "touched_month=202603" / "part-0.parquet")
    pd.testing.assert_frame_equal(read_touches(tmp_path, "2026-03-01", "2026-03-31"), rows)


def test_a_file_with_brackets_in_its_name_is_taken_as_it_is(tmp_path):
    touches_at("2026-03-05").to_parquet(tmp_path / "touches[1].parquet")
    touches_at("2026-03-06", "2026-03-07").to_parquet(tmp_path / "touches1.parquet")
    assert len(read_touches(tmp_path / "touches[1].parquet")) == 1
    assert len(read_touches(str(tmp_path / "touches[1]*"))) == 2
    assert len(read_touches(tmp_path)) == 3


def test_a_damaged_month_is_named_and_may_be_replaced(tmp_path):
    rows = touches_at("2026-02-01", "2026-03-01")
    append_touches(rows, tmp_path)
    month = tmp_path / "touched_month=2026-03" / "touches.parquet"
    os.truncate(month, 100)
    with pytest.raises(TableError, match=r"2026-03/touches\.parquet: cannot be read as Parquet.* on_repeat=.replace"):
        append_touches(rows, tmp_path)
    assert append_touches(rows, tmp_path, on_repeat="replace")["n_replaced"].tolist() == [1, 0]
    pd.testing.assert_frame_equal(read_touches(tmp_path), rows)


def test_months_that_a_killed_append_left_are_repeated_as_the_error_says(tmp_path):
    folder, rows = tmp_path / "data", touches_at("2026-02-05", "2026-03-05")
    rows.to_parquet(tmp_path / "rows.parquet")
    run = subprocess.run([sys.executable, "-c", KILLED, folder, "between", tmp_path / "rows.parquet"], check=False)
    assert run.returncode == -signal.SIGKILL and read_touches(folder)["touch_id"].tolist() == ["t0"]
    with pytest.raises(ValueError, match="as after a job that was killed, on_repeat=.replace"):
        append_touches(rows, folder)
    append_touches(rows, folder, on_repeat="replace")
    pd.testing.assert_frame_equal(read_touches(folder), rows)
