"""Credit over parts of the touches equals credit in memory, to the cent, and leaves nothing behind."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from companies import companies, make_company, tables
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution import append_touches, credit, frames, outofcore, read_touches
from attribution.funnel import LINKINGS
from attribution.models import first_touch, last_touch, position_based
from attribution.tables import TableError

HELSINKI = "Europe/Helsinki"


@pytest.fixture(autouse=True)
def three_parts_in_two_readings(monkeypatch):
    monkeypatch.setattr(outofcore, "_plan", lambda n_touches, n_conversions, memory_gb: [range(2), range(2, 3)])
    monkeypatch.setattr(outofcore, "BATCH_ROWS", 2048)


@pytest.fixture(autouse=True)
def workshop(monkeypatch, tmp_path):
    """Give temporary folders a place of their own, so that one sees what is left of them."""
    place = tmp_path / "workshop"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def on_disk(touches, folder):
    path = Path(folder) / "touches.parquet"
    touches.to_parquet(path)
    return path


def both(touches, conversions, roles=None, models=None, **options):
    """Share out of memory and in memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = on_disk(touches, folder)
        return (outofcore.credit_by_campaign(path, conversions, models, roles, **options),
                credit.credit_by_campaign(touches, conversions, models, roles, **options))


def assert_same(*arguments, **options):
    ours, expected = both(*arguments, **options)
    pd.testing.assert_frame_equal(ours, expected)
    return ours


def with_integers(table):
    """Turn the ids into integers, in another order than their text's."""
    ids = {"Ann": 9, "Bea": 10, "Cem": 100, "Dag": 11, "Acme": 7, "Bolt": 70, "701 > Web": 2, "702": 10, "703": 9,
           "704": 1}
    turned = table.copy()
    for column in (name for name in table if name.endswith("_id")):
        turned[column] = table[column].map(lambda id: ids[id] if id in ids else int(id[1:]), "ignore").astype("Int64")
    return turned


def deal(conversion_id="deal", **columns):
    return pd.DataFrame({"conversion_id": [conversion_id], "account_id": "Acme", "person_id": None, "value": 100.0,
                         "converted_at": pd.Timestamp("2026-03-09", tz="UTC"), **columns})


def touches_of(*rows):
    named = pd.DataFrame(rows, columns=["touch_id", "person_id", "account_id", "campaign_id", "touched_at"])
    return named.assign(touched_at=pd.to_datetime(named["touched_at"], utc=True, format="ISO8601"))


TWO = touches_of(("a", "Ann", "Acme", "Web", "2026-03-01"), ("b", "Bea", "Bolt", "Fair", "2026-03-02"))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(companies(), st.sampled_from(LINKINGS), st.sampled_from([0, 2, 211, 365, None]), st.booleans())
def test_parts_add_up_to_what_one_kernel_says(company, linking, lookback_days, are_integers):
    touches, conversions, roles = map(with_integers if are_integers else pd.DataFrame.copy, tables(company))
    assert_same(touches, conversions, roles, linking=linking, lookback_days=lookback_days, time_zone=HELSINKI)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(companies(), st.sampled_from(["account", "hybrid"]))
def test_parts_add_up_without_contact_roles_and_for_models_of_ones_own(company, linking):
    touches, conversions, _ = tables(company)
    models = {"joined": partial(first_touch, dialect="salesforce"), "edited": partial(last_touch, dialect="salesforce"),
              "places": partial(position_based, first=1, lead=2, opportunity=3, rest=4),
              "ours": lambda journeys: journeys.position * 1.0}
    assert_same(touches, conversions, None, models, linking=linking, time_zone=HELSINKI)


@pytest.mark.parametrize("linking", LINKINGS)
def test_parts_add_up_for_a_larger_company(linking):
    touches, conversions, roles = tables(make_company(7, 3000, 400, 300))
    ours = assert_same(touches, conversions, roles, linking=linking)
    assert (ours["campaign_id"].notna() & (ours["n_conversions"] > 50)).any()


def test_parts_hold_an_account_with_a_million_touches_beside_small_ones():
    n, day = 1_000_000, pd.Timestamp("2026-01-01", tz="UTC")
    random = np.random.default_rng(5)
    touches = pd.DataFrame({"touch_id": np.arange(n + 500), "person_id": 1,
                            "campaign_id": random.integers(0, 40, n + 500),
                            "account_id": np.append(np.zeros(n, int), np.arange(1, 501)),
                            "touched_at": day + pd.to_timedelta(random.integers(0, 90 * 1440, n + 500), "min")})
    deals = pd.DataFrame({"conversion_id": np.arange(600), "person_id": None, "value": 100.01,
                          "account_id": np.append(np.zeros(100, int), np.arange(1, 501)),
                          "converted_at": day + pd.to_timedelta(random.integers(0, 90 * 1440, 600), "min")})
    ours = assert_same(touches, deals, None, ["linear", "w_shaped"], lookback_days=3)
    assert ours.groupby("model")["credit"].sum().round(2).to_dict() == {"linear": 60006.0, "w_shaped": 60006.0}


@pytest.mark.parametrize("n_touches", [0, 1, 2])
@pytest.mark.parametrize("n_conversions", [0, 1, 2])
def test_parts_add_up_for_next_to_nothing(n_touches, n_conversions):
    conversions = pd.concat([deal("d"), deal("e", account_id="Bolt")]).head(n_conversions)
    ours = assert_same(TWO.head(n_touches), conversions, None, ["linear"])
    assert ours["credit"].sum() == 100 * n_conversions


def test_role_links_a_deal_to_its_people_in_whatever_part_they_are():
    roles = pd.DataFrame({"opportunity_id": ["d", "d", "e"], "person_id": ["Ann", "Bea", "Bea"]})
    deals = pd.concat([deal("d", account_id=None), deal("e"), deal("f"), deal("g", person_id="Bea")])
    ours = assert_same(TWO, deals, roles, ["linear"])
    assert ours.values.tolist() == [["linear", "Fair", 250.0, 3], ["linear", "Web", 150.0, 2]]


def test_lead_of_the_next_day_is_found_by_its_person():
    rows = touches_of(("a", "Ann", "Acme", "Web", "2026-03-02 10:00"), ("b", "Bea", "Acme", "Fair", "2026-03-02 11:00"),
                      ("c", "Ann", "Acme", "Mail", "2026-03-03"))
    conversions = deal(lead_created_at=pd.Timestamp("2026-03-01", tz="UTC"), lead_person_id="Bea")
    ours = assert_same(rows, conversions, None, ["u_shaped"])
    assert ours[["campaign_id", "credit"]].values.tolist() == [["Fair", 40.0], ["Mail", 20.0], ["Web", 40.0]]


def test_lookback_reaches_into_the_long_night_of_the_change_of_clocks():
    # 2026-10-25 has 25 hours in Helsinki: its first moment is 24 h 59 min before its last minute.
    rows = touches_of(("a", "Ann", "Acme", "Web", "2026-10-24 21:00"), ("b", "Ann", "Acme", "Fair", "2026-10-24 20:59"))
    conversions = deal(converted_at=pd.Timestamp("2026-10-25 21:59", tz="UTC"))
    ours = assert_same(rows, conversions, None, ["linear"], lookback_days=0, time_zone=HELSINKI)
    assert ours["campaign_id"].tolist() == ["Web"]


IN_TOKYO = """
import sys
import pandas as pd
from attribution import outofcore
deal = pd.DataFrame({"conversion_id": ["deal"], "account_id": "Acme", "person_id": None, "value": 100.0})
for moment in ("2026-02-28 23:59:59", "2026-03-01 00:00", "2026-03-01 01:00+01:00"):
    ours = outofcore.credit_by_campaign(sys.argv[1], deal.assign(converted_at=pd.Timestamp(moment)), ["linear"])
    print(ours["campaign_id"].tolist())
"""


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Helsinki"])
@pytest.mark.parametrize("unit", ["us", "ns", "ms"])
def test_times_mean_the_same_whatever_their_unit_and_the_machines_zone(zone, unit, tmp_path):
    touched_at = TWO["touched_at"].dt.tz_convert(zone).dt.as_unit(unit)
    path = on_disk(TWO.assign(touched_at=touched_at), tmp_path)
    run = subprocess.run([sys.executable, "-c", IN_TOKYO, path], capture_output=True, text=True, check=True,
                         env={**os.environ, "TZ": "Asia/Tokyo"})
    assert run.stdout.splitlines() == ["[nan]", "['Web']", "['Web']"]
    conversions = deal(converted_at=pd.Series(pd.to_datetime(["2026-03-02"])).dt.tz_localize(zone).dt.as_unit(unit))
    ours = assert_same(TWO.assign(touched_at=touched_at), conversions, None, ["linear"], lookback_days=None)
    assert ours["campaign_id"].tolist() == ["Web"]


def test_tables_may_be_paths_folders_patterns_and_other_frames(tmp_path):
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    folder = tmp_path / "touches"
    (folder / "more").mkdir(parents=True)
    TWO.head(1).to_parquet(folder / "one.parquet")
    TWO.tail(1)[TWO.columns[::-1]].to_parquet(folder / "more" / "two.parquet")
    conversions = pd.concat([deal("d"), deal("e", account_id="Bolt")], ignore_index=True)
    expected = credit.credit_by_campaign(TWO, conversions, ["linear"])
    conversions.to_parquet(tmp_path / "deals.pq")
    for touches in (folder, str(folder / "**" / "*.parquet")):
        for deals in (tmp_path / "deals.pq", polars.from_pandas(conversions), pyarrow.table(conversions)):
            pd.testing.assert_frame_equal(outofcore.credit_by_campaign(touches, deals, ["linear"]), expected)


@pytest.mark.parametrize("column", ["account_id", "person_id", "campaign_id", "touch_id"])
@pytest.mark.parametrize(("ids", "folders"), [(["007", "a/b"], ["007", "a%2Fb"]), (["7", "8"], ["7", "8"])])
def test_names_of_folders_give_columns_of_text(tmp_path, column, ids, folders):
    rows = TWO.assign(**{column: ids})
    for i, name in enumerate(f"{column}={folder}" for folder in folders):
        (tmp_path / name).mkdir()
        rows.iloc[[i]].drop(columns=column).to_parquet(tmp_path / name / "x.parquet")
    deals = pd.concat([deal("d", account_id=rows["account_id"][0]), deal("e", person_id=rows["person_id"][1])])
    expected = credit.credit_by_campaign(rows, deals, ["linear"])
    assert expected["campaign_id"].notna().all() and len(expected) == 2
    pd.testing.assert_frame_equal(outofcore.credit_by_campaign(tmp_path, deals, ["linear"]), expected)
    pd.testing.assert_frame_equal(credit.credit_by_campaign(tmp_path, deals, ["linear"]), expected)
    pd.testing.assert_frame_equal(read_touches(tmp_path), rows, check_like=True)


def test_a_folder_of_nobody_gives_no_id(tmp_path):
    for name, rows in {"account_id=Acme": TWO.head(1), "account_id=__HIVE_DEFAULT_PARTITION__": TWO.tail(1)}.items():
        (tmp_path / name).mkdir()
        rows.drop(columns="account_id").to_parquet(tmp_path / name / "x.parquet")
    deals = pd.concat([deal("d"), deal("e", account_id="__HIVE_DEFAULT_PARTITION__")])
    ours = outofcore.credit_by_campaign(tmp_path, deals, ["linear"])
    assert ours["campaign_id"].fillna("none").tolist() == ["Web", "none"]


def test_a_column_of_the_file_is_not_taken_from_the_folders_name(tmp_path):
    place = tmp_path / "account_id=other" / "campaign_id=0701"
    place.mkdir(parents=True)
    TWO.to_parquet(place / "x.parquet")
    ours = outofcore.credit_by_campaign(tmp_path, deal(), ["linear"])
    assert ours[["campaign_id", "credit"]].values.tolist() == [["Web", 100.0]]


def test_files_of_one_id_as_text_and_as_integers_are_refused(tmp_path):
    TWO.head(1).assign(account_id=7).to_parquet(tmp_path / "1.parquet")
    TWO.tail(1).assign(account_id="007").to_parquet(tmp_path / "2.parquet")
    with pytest.raises(TableError, match="touches: account_id is not of one type in all files") as error:
        outofcore.credit_by_campaign(tmp_path, deal(account_id="7"), ["linear"])
    assert "\n" not in str(error.value)


def test_a_folder_may_have_files_of_days_and_of_moments_with_and_without_a_zone(tmp_path):
    rows = pd.concat([TWO, TWO.tail(1).assign(touch_id="c")], ignore_index=True).assign(account_id="Acme")
    rows["touched_at"] = pd.to_datetime(["2026-03-08 23:30", "2026-03-08 00:30", "2026-03-09 00:00"], utc=True)
    rows.iloc[[0]].to_parquet(tmp_path / "0.parquet")
    rows.iloc[[1]].assign(touched_at=pd.Timestamp("2026-03-08 00:30")).to_parquet(tmp_path / "1.parquet")
    rows.iloc[[2]].assign(touched_at=pd.array(["2026-03-09"], "date32[pyarrow]")).to_parquet(tmp_path / "2.parquet")
    expected = credit.credit_by_campaign(rows, deal(), ["last_touch"], lookback_days=1)
    deal().to_parquet(tmp_path / "_deal.pq")
    code = ("import sys; from attribution import outofcore; "
            "print(outofcore.credit_by_campaign(sys.argv[1], sys.argv[2], ['last_touch'], lookback_days=1).values)")
    for zone in ("Asia/Tokyo", "America/New_York"):
        run = subprocess.run([sys.executable, "-c", code, tmp_path, tmp_path / "_deal.pq"], capture_output=True,
                             text=True, check=True, env={**os.environ, "TZ": zone})
        assert run.stdout.strip() == str(expected.values)
    said = credit.credit_by_campaign(tmp_path, deal(), ["last_touch"], lookback_days=1)
    pd.testing.assert_frame_equal(said, expected)


def test_a_folder_with_a_link_and_a_file_without_suffix_is_read_whole(tmp_path):
    append_touches(TWO.assign(touched_at=TWO["touched_at"] - pd.Timedelta(days=28)), tmp_path / "data")
    month = tmp_path / "data" / "touched_month=2026-02"
    month.rename(tmp_path / "elsewhere").joinpath("touches.parquet").rename(tmp_path / "elsewhere" / "part-0002")
    month.symlink_to(tmp_path / "elsewhere")
    assert outofcore.credit_by_campaign(tmp_path / "data", deal(), ["linear"])["campaign_id"].tolist() == ["Web"]


def test_to_the_cent_may_be_given_up():
    ours, expected = both(*tables(make_company(3, 200, 50, 0))[:2], None, ["linear"], to_the_cent=False)
    assert (ours["credit"] - expected["credit"]).abs().max() < 0.03
    assert ours["campaign_id"].equals(expected["campaign_id"])


def test_only_the_months_of_the_lookback_are_opened(tmp_path):
    append_touches(touches_of(*((f"t{i}", "Ann", "Acme", "Web", f"2026-{i:02}-15") for i in range(1, 7))), tmp_path)
    for month in ("2026-01", "2026-05", "2026-06"):
        (tmp_path / f"touched_month={month}" / "touches.parquet").write_bytes(b"no Parquet at all")
    april = deal(converted_at=pd.Timestamp("2026-04-20", tz="UTC"))
    ours = outofcore.credit_by_campaign(tmp_path, april, ["linear"], lookback_days=40)
    assert ours[["credit", "n_conversions"]].values.tolist() == [[100.0, 1]]
    with pytest.raises(TableError, match="2026-01.touches.parquet"):
        outofcore.credit_by_campaign(tmp_path, april, ["linear"], lookback_days=90)


def test_months_without_a_touch_leave_all_unattributed(tmp_path):
    append_touches(TWO, tmp_path)
    late = deal(converted_at=pd.Timestamp("2027-03-09", tz="UTC"))
    ours = outofcore.credit_by_campaign(tmp_path, late, ["linear"], lookback_days=30)
    assert ours["credit"].tolist() == [100.0] and ours["campaign_id"].isna().all()


@pytest.mark.parametrize(("change", "message"), [
    ({"models": ["lineer"]}, "model: 'lineer' is not one of first_touch"),
    ({"linking": "accounts"}, "linking: 'accounts' is not one of"),
    ({"linking": "role"}, "linking: 'role' needs contact_roles"),
    ({"lookback_days": 1.5}, "lookback_days: 1.5 is not a whole number"),
    ({"memory_gb": 0}, "memory_gb: 0 is not a number of gigabytes above 0"),
])
def test_options_are_refused_before_anything_is_read(change, message):
    with pytest.raises(ValueError, match=message):
        outofcore.credit_by_campaign("no such folder", deal(), **change)


@pytest.mark.parametrize(("touches", "conversions", "roles", "message"), [
    (TWO.drop(columns="campaign_id"), deal(), None, "touches: there is no column campaign_id"),
    (TWO, deal().drop(columns="value"), None, "conversions: there is no column value"),
    (TWO.assign(touched_at="2026-03-01"), deal(), None, "touches: touched_at is .*, not a time"),
    (TWO.assign(touched_at=[pd.NaT, TWO["touched_at"][1]]), deal(), None, "touches: touched_at is empty in 1 of"),
    (TWO.assign(campaign_id=[None, "Web"]), deal(), None, "touches: campaign_id is empty in 1 of"),
    (pd.concat([TWO, TWO]), deal(), None, r"touches: touch_id is not unique in 2 of .* \(first: a\)"),
    (TWO, pd.concat([deal("d"), deal("d", account_id="Bolt")]), None, r"conversion_id is not unique \(first: d\)"),
    (TWO, pd.concat([deal("d"), deal(None), deal(None)]), None, "conversions: conversion_id is empty in 2 of 3 rows"),
    (TWO, deal(value=np.nan), None, r"conversions: value is empty in 1 of 1 rows \(first: deal\)"),
    (TWO, deal(account_id=7), None, "conversions: account_id is bigint, not text as in touches: account_id"),
    (TWO, deal(), pd.DataFrame({"opportunity_id": ["deal", None], "person_id": "Ann"}),
     "contact_roles: opportunity_id is empty in 1 of 2 rows"),
])
def test_data_that_cannot_be_used_are_refused_in_one_line(touches, conversions, roles, message, workshop, tmp_path):
    with pytest.raises(TableError, match=message) as error:
        outofcore.credit_by_campaign(on_disk(touches, tmp_path), conversions, ["linear"], roles)
    assert "\n" not in str(error.value)
    assert not list(workshop.iterdir())


def test_files_that_cannot_be_read_are_named(tmp_path, workshop):
    with pytest.raises(TableError, match="touches: there is no Parquet file at .*nowhere"):
        outofcore.credit_by_campaign(tmp_path / "nowhere", deal())
    (tmp_path / "broken.parquet").write_bytes(b"no Parquet")
    with pytest.raises(TableError, match="broken.parquet"):
        outofcore.credit_by_campaign(tmp_path / "broken.parquet", deal())
    assert not list(workshop.iterdir())


def test_nothing_is_left_behind_whether_it_succeeds_or_a_model_fails(workshop, tmp_path):
    path = on_disk(TWO, tmp_path)
    outofcore.credit_by_campaign(path, deal())
    assert not list(workshop.iterdir())
    with pytest.raises(ZeroDivisionError):
        outofcore.credit_by_campaign(path, deal(), {"broken": lambda journeys: 1 / 0})
    assert not list(workshop.iterdir())


def test_a_run_that_is_killed_leaves_the_dataset_as_it_was(tmp_path, workshop):
    data = tmp_path / "data"
    append_touches(TWO, data)
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    deal().to_parquet(tmp_path / "deals.pq")
    code = ("import os, signal, sys; from attribution import outofcore\n"
            "def die(journeys): os.kill(os.getpid(), signal.SIGKILL)\n"
            "outofcore.credit_by_campaign(sys.argv[1], sys.argv[2], {'die': die})")
    run = subprocess.run([sys.executable, "-c", code, data, tmp_path / "deals.pq"], check=False,
                         env={**os.environ, "TMPDIR": str(workshop)})
    assert run.returncode == -signal.SIGKILL
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before
    [left] = workshop.iterdir()                      # where no reader looks, and nobody else
    assert left.name.startswith("attribution-") and stat.S_IMODE(left.stat().st_mode) == 0o700


def test_without_duckdb_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ImportError, match=r"pip install 'attribution-kit\[large\]'"):
        outofcore.credit_by_campaign(on_disk(TWO, tmp_path), deal())


def test_what_has_no_room_in_memory_is_read_in_turns(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(frames, "N_CORES", 2)
    assert outofcore._plan(0, 0, 4) == outofcore._plan(1_000_000, 150_000, 4) == [range(1)]
    assert outofcore._plan(2_000_001, 0, 4) == [range(3)]                    # a million touches each
    assert outofcore._plan(100_000_000, 0, 4) == [range(50), range(50, 100)]       # 4 GB: 3.1 have room beside the rest
    assert outofcore._plan(100_000_000, 0, 5) == [range(100)]
    assert outofcore._plan(3_000_000, 10_000_000, 1) == [range(1), range(1, 2), range(2, 3)]      # 0.76 GB in 0.25
    monkeypatch.setattr(frames, "N_CORES", 8)                                # 1.9 GB have room beside eight parts
    assert outofcore._plan(100_000_000, 0, 4) == [range(34), range(34, 68), range(68, 100)]


# ---- what no part may overlook


def test_a_kind_beside_none_orders_touches_of_one_moment():
    rows = touches_of(("a", "Ann", "Acme", "Web", "2026-03-01"), ("b", "Ann", "Acme", "Fair", "2026-03-01"))
    ours = assert_same(rows.assign(kind=[None, "response"]), deal(), None, ["first_touch"])
    assert ours[["campaign_id", "credit"]].values.tolist() == [["Fair", 100.0], ["Web", 0.0]]


@pytest.mark.parametrize("column", ["account_id", "person_id"])
def test_types_are_checked_though_the_first_row_is_empty(column, tmp_path):
    path = on_disk(TWO.assign(**{column: [np.nan, 7.0]}), tmp_path)
    with pytest.raises(TableError, match=f"touches: {column} is float64, not text"):
        outofcore.credit_by_campaign(path, deal(account_id="7.0"), ["linear"])
    ours = assert_same(TWO.assign(person_id=np.nan), deal(), None, ["linear"])
    assert ours["campaign_id"].tolist() == ["Web"]


@pytest.mark.parametrize("empty", [1, 2])
@pytest.mark.parametrize("ids", [(7, 8), ("7", "8")])
def test_a_month_without_a_person_leaves_the_ids_their_type(empty, ids, tmp_path):
    rows = touches_of(("a", ids[0], ids[0], "Web", "2026-03-01"), ("b", ids[1], ids[1], "Fair", "2026-04-01"))
    rows.loc[empty - 1, "person_id"] = None
    rows["person_id"] = rows["person_id"].astype("Int64" if ids[0] == 7 else "str")
    for month in (rows.head(1), rows.tail(1)):
        append_touches(month, tmp_path)
    whose = pd.concat([deal("d", account_id=ids[0]), deal("e", account_id=ids[0], person_id=ids[2 - empty])])
    whose["person_id"] = whose["person_id"].astype(rows["person_id"].dtype)
    conversions = whose.assign(converted_at=pd.Timestamp("2026-04-09", tz="UTC"))
    expected = credit.credit_by_campaign(rows, conversions, ["linear"])
    assert expected["credit"].sum() == 200 and expected["campaign_id"].notna().all()
    pd.testing.assert_frame_equal(outofcore.credit_by_campaign(tmp_path, conversions, ["linear"]), expected)
    pd.testing.assert_frame_equal(read_touches(tmp_path), rows, check_like=True)


def test_other_columns_of_a_table_may_hold_anything():
    ours = assert_same(TWO, pd.concat([deal("d"), deal("e")]).assign(notes=[1, "x"]), None, ["linear"])
    assert ours["credit"].tolist() == [200.0]


def test_names_with_quotes_and_brackets_are_read_and_written(tmp_path, monkeypatch):
    odd = tmp_path / "Ann's [1]*"
    odd.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    expected = credit.credit_by_campaign(TWO, deal(), ["linear"])
    path = odd / "touches[1].parquet"
    TWO.to_parquet(path)
    for place in (path, str(path), odd):
        pd.testing.assert_frame_equal(outofcore.credit_by_campaign(place, deal(), ["linear"]), expected)
    assert [each.name for each in odd.iterdir()] == [path.name]


def test_a_file_that_is_damaged_where_it_is_read_last_is_said_in_one_line(tmp_path):
    path = on_disk(TWO, tmp_path)
    ids = pyarrow.parquet.read_metadata(path).row_group(0).column(0)
    assert ids.path_in_schema == "touch_id"
    with open(path, "r+b") as file:
        file.seek(ids.dictionary_page_offset)
        file.write(b"\xff" * ids.total_compressed_size)
    with pytest.raises(TableError, match=r"^attribution.outofcore: the tables cannot be read: [^\n]+$"):
        outofcore.credit_by_campaign(path, deal(), ["linear"])


def test_what_duckdb_says_is_cut_to_one_short_line(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"no Parquet")
    with pytest.raises(TableError) as error:
        outofcore.credit_by_campaign(tmp_path / "broken.parquet", deal())
    start, _, fault = str(error.value).partition(": the tables cannot be read: ")
    assert start == "attribution.outofcore" and "broken.parquet" in fault and "\n" not in fault
    with pytest.raises(TableError, match=r"Out of Memory") as error, outofcore._database(0.01) as database:
        database.execute("SELECT list(range) FROM range(5_000_000)")
    assert "Possible solutions" not in str(error.value)
