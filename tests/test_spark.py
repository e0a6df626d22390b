"""Spark's groups against the kernel on one machine, to the cent, and what a group's faults look like."""

import contextlib
import io
import re
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import oracle
import pandas as pd
import pytest
from companies import make_company, tables, with_integers
from pandas.testing import assert_frame_equal
from sparks import start_spark, to_spark

from attribution import credit, path_models
from attribution.journeys import LINKINGS
from attribution.models import time_decay
from attribution.paths import build_paths
from attribution.tables import TableError

ROOT = Path(__file__).parents[1]
HELSINKI, NEW_YORK = "Europe/Helsinki", "America/New_York"
ORDER = ["model", "campaign_id"]


@pytest.fixture(scope="module")
def spark():
    session = start_spark()
    yield session
    session.stop()


@pytest.fixture(scope="module")
def cluster(spark):
    from attribution import spark as module
    return module


@pytest.fixture(autouse=True)
def session_zone(request, spark):
    spark.conf.set("spark.sql.session.timeZone", getattr(request, "param", NEW_YORK))


def frames(spark, *several):
    return [to_spark(spark, table) for table in several]


def collect(result):
    table = result.toArrow().to_pandas().astype({"model": "str", "campaign_id": "str"})
    return table.sort_values(ORDER, ignore_index=True)


def on_one_machine(*arguments, **options):
    return credit.credit_by_campaign(*arguments, **options).sort_values(ORDER, ignore_index=True)


def clocks_change(seed=5):
    """A company whose moments lie in, and around, the hours that Helsinki's and New York's clocks skip or repeat."""
    touches, conversions, roles = tables(make_company(seed, 300, 40, 4))
    random = np.random.default_rng(seed)
    nights = pd.to_datetime(["2026-03-29 01:00", "2026-10-25 01:00", "2026-03-08 07:00", "2026-11-01 06:00"])
    for table, column in ((touches, "touched_at"), (conversions, "converted_at")):
        around = nights.take(random.integers(0, 4, len(table))) + pd.to_timedelta(
            random.integers(-8, 8, len(table)) * 15, "min")
        table[column] = pd.Series(around).astype("datetime64[us]").dt.tz_localize("UTC")
    return touches, conversions, roles


@pytest.mark.parametrize(("session_zone", "linking"), [
    ("UTC", "hybrid"), (HELSINKI, "hybrid"), (NEW_YORK, "role"), (HELSINKI, "account")], indirect=["session_zone"])
def test_credit_is_that_of_one_machine(spark, cluster, session_zone, linking):
    touches, conversions, roles = clocks_change()
    how = {"linking": linking, "time_zone": HELSINKI, "lookback_days": 30}
    expected = on_one_machine(touches, conversions, None, roles, **how)
    met, converted, in_role = frames(spark, touches, conversions, roles)
    found = collect(cluster.credit_by_campaign(met, converted, None, in_role, **how, n_groups=7))
    assert len(expected) > 40
    assert_frame_equal(found, expected)


@pytest.mark.parametrize("linking", LINKINGS)
def test_integer_ids_are_credited_as_on_one_machine(spark, cluster, linking):
    given = [with_integers(table) for table in tables(make_company(8, 90, 9, 6))]
    given[0]["touch_id"] = given[0]["touch_id"] * 7 - 60        # from below zero to three digits
    met, converted, roles = frames(spark, *given)
    found = collect(cluster.credit_by_campaign(met, converted, None, roles, linking=linking, n_groups=3))
    assert_frame_equal(found, on_one_machine(given[0], given[1], None, given[2], linking=linking))


def test_ids_that_are_integers_in_one_table_and_text_in_another_are_refused(spark, cluster):
    touches, conversions, _ = tables(make_company(8, 9, 2, 0))
    met, converted = frames(spark, with_integers(touches), conversions)
    with pytest.raises(TableError, match="touches: account_id is bigint, not text as in conversions: account_id"):
        cluster.credit_by_campaign(met, converted)


@pytest.mark.parametrize("empty", ["touches", "conversions"])
def test_a_column_without_a_value_may_be_of_another_type(spark, cluster, empty):
    given = dict(zip(("touches", "conversions"), tables(make_company(8, 60, 9, 0)), strict=False))
    given[empty]["person_id"] = pd.Series(None, given[empty].index, "str")
    on_cluster = {name: to_spark(spark, table) for name, table in given.items()}
    on_cluster[empty] = on_cluster[empty].withColumn("person_id", on_cluster[empty]["person_id"].cast("int"))
    found = collect(cluster.credit_by_campaign(**on_cluster, models=["linear"], n_groups=2))
    assert_frame_equal(found, on_one_machine(**given, models=["linear"]))


@pytest.mark.parametrize("seed", range(6))
def test_credit_of_small_companies_is_the_oracles(spark, cluster, seed):
    random = Random(seed)
    company = make_company(seed, random.choice([8, 20, 40]), random.choice([4, 9]), random.randint(0, 6))
    linking, lookback_days = random.choice(LINKINGS), random.choice([0, 3, 365, None])
    met, converted, roles = frames(spark, *tables(company))
    found = collect(cluster.credit_by_campaign(met, converted, ["w_shaped"], roles, linking=linking,
                                               lookback_days=lookback_days, time_zone=HELSINKI, n_groups=2))
    said = oracle.credit(company, "w_shaped", "ours", linking, lookback_days, HELSINKI)
    cents = {campaign: sum(row[3] for row in said if row[2] == campaign) for campaign in {row[2] for row in said}}
    assert {row.campaign_id if pd.notna(row.campaign_id) else None: round(row.credit * 100)
            for row in found.itertuples()} == cents


@pytest.mark.parametrize(("n_touches", "n_conversions"), [(0, 0), (0, 2), (1, 0), (1, 1), (2, 2)])
def test_credit_of_next_to_nothing(spark, cluster, n_touches, n_conversions):
    touches, conversions, _ = tables(make_company(3, n_touches, n_conversions, 0))
    found = collect(cluster.credit_by_campaign(*frames(spark, touches, conversions), ["linear"], n_groups=2))
    assert_frame_equal(found, on_one_machine(touches, conversions, ["linear"]), check_dtype=False)
    assert round(found["credit"].sum() * 100) == round(conversions["value"].sum() * 100)


def many_touches():
    """One account with nearly all the touches and deals, and a hundred with few."""
    random = np.random.default_rng(1)
    account = pd.Series(np.where(random.random(50_000) < 0.97, 0, random.integers(1, 100, 50_000))).astype("str")
    start = pd.Timestamp("2026-01-01", tz="UTC")
    touches = pd.DataFrame({
        "touch_id": pd.Series(range(50_000)).astype("str"), "person_id": "Ann", "account_id": account,
        "campaign_id": pd.Series(random.integers(0, 50, 50_000)).astype("str"),
        "touched_at": start + pd.to_timedelta(random.integers(0, 200 * 24, 50_000), "h")})
    conversions = pd.DataFrame({
        "conversion_id": pd.Series(range(300)).astype("str"), "account_id": account[:300], "person_id": None,
        "converted_at": start + pd.to_timedelta(random.integers(0, 200, 300), "D"),
        "value": random.integers(-10**6, 10**8, 300) / 100})
    return touches, conversions


def test_credit_of_one_large_account_by_models_of_ones_own(spark, cluster):
    touches, conversions = many_touches()
    models = {"own": lambda journeys: (journeys.position % 2).astype(float), "plain": "linear",
              "week": partial(time_decay, half_life_days=7)}
    found = collect(cluster.credit_by_campaign(*frames(spark, touches, conversions), models))
    assert set(found["model"]) == set(models)
    assert_frame_equal(found, on_one_machine(touches, conversions, models))


def test_credit_by_memberships_reads_when_they_were_joined(spark, cluster):
    touches, conversions, _ = clocks_change(6)
    models = {"joined": partial(credit.MODELS["first_touch"], dialect="salesforce")}
    found = collect(cluster.credit_by_campaign(*frames(spark, touches, conversions), models, n_groups=3))
    assert_frame_equal(found, on_one_machine(touches, conversions, models))


@pytest.mark.parametrize("session_zone", [HELSINKI, NEW_YORK], indirect=True)
def test_times_without_a_zone_are_utc_in_any_session(spark, cluster, session_zone):
    touches, conversions, _ = clocks_change(7)
    naive = [table.assign(**{column: table[column].dt.tz_localize(None) for column in table if column.endswith("_at")})
             for table in (touches, conversions)]
    met, converted = frames(spark, *naive)
    assert met.schema["touched_at"].dataType.simpleString() == "timestamp_ntz"
    found = collect(cluster.credit_by_campaign(met, converted, time_zone=NEW_YORK, n_groups=3))
    assert_frame_equal(found, on_one_machine(touches, conversions, time_zone=NEW_YORK))


def test_credit_moves_only_the_columns_that_a_group_reads_and_the_touches_once(spark, cluster, tmp_path):
    touches, conversions, _ = clocks_change()
    conversions = conversions.assign(person_id=pd.Series(None, conversions.index, "str")).drop(columns="lead_person_id")
    for name, table in (("touches", touches.assign(notes="long")), ("conversions", conversions)):
        to_spark(spark, table).write.parquet(str(tmp_path / name))
    read = [spark.read.parquet(str(tmp_path / name)) for name in ("touches", "conversions")]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        cluster.credit_by_campaign(*read, ["linear"]).explain()
    plan = said.getvalue()
    exchanges = [line for line in plan.splitlines() if "Exchange" in line]
    assert len(exchanges) == 3, plan                                 # the touches, the conversions, and the sums
    schemas = [line for line in plan.splitlines() if "ReadSchema" in line and "touch_id" in line]
    assert len(schemas) == 1
    assert all(column not in schemas[0] for column in ("notes", "person_id", "joined_at", "modified_at"))


@pytest.mark.parametrize(("seed", "linking"), [(0, "hybrid"), (1, "role"), (2, "account"), (3, "hybrid")])
def test_markov_is_that_of_one_machine(spark, cluster, seed, linking):
    company = make_company(seed, 200, 30, 5)
    touches, conversions, roles = tables(company)
    if seed % 2:                                     # money has a share only where none of it is below zero
        conversions["value"] = conversions["value"].abs()
    if seed > 1:                                     # deals alone: paths are of accounts
        conversions["person_id"] = pd.Series(None, conversions.index, "str")
    pipeline = conversions[::5].assign(conversion_id="open" + conversions["conversion_id"])
    how = {"as_of": pd.Timestamp("2026-10-26 12:00", tz="UTC"), "linking": linking, "time_zone": HELSINKI,
           "lookback_days": 100, "min_age_days": 2}
    expected = path_models.markov(build_paths(touches, conversions, roles, pipeline=pipeline, **how))
    met, converted, in_role, to_come = frames(spark, touches, conversions, roles, pipeline)
    found = cluster.markov(met, converted, in_role, pipeline=to_come, n_groups=3, **how)
    assert len(expected) == 4 and expected["removal_effect"].notna().any()
    assert_frame_equal(found, expected)


def touch(**other):
    row = {"touch_id": "t", "person_id": "Ann", "account_id": "Acme", "campaign_id": "Ads",
           "touched_at": pd.Timestamp("2026-03-01", tz="UTC")}
    return pd.DataFrame([row | other]).astype({column: "str" for column in row if column.endswith("_id")})


def deal(**other):
    row = {"conversion_id": "d", "account_id": "Acme", "person_id": None, "value": 100.0,
           "converted_at": pd.Timestamp("2026-03-09", tz="UTC")}
    return pd.DataFrame([row | other]).astype({column: "str" for column in row if column.endswith("_id")})


@pytest.mark.parametrize(("touches", "conversions", "words"), [
    (pd.concat([touch(), touch()]), deal(), "touches: touch_id is not unique in 2 of 2 rows (first: t). "),
    (touch(campaign_id=None), deal(), "touches: campaign_id is empty in 1 of 1 rows (first: t). "),
    (touch(campaign_id=None, account_id=None), deal(), "touches: campaign_id is empty in 1 of 1 rows (first: t). "),
    (touch(), deal(value=np.nan), "conversions: value is empty in 1 of 1 rows (first: d). "),
])
def test_a_fault_in_the_rows_is_said_in_the_last_line(spark, cluster, touches, conversions, words):
    from pyspark.errors import PythonException
    with pytest.raises(PythonException) as caught:
        collect(cluster.credit_by_campaign(*frames(spark, touches, conversions), ["linear"], n_groups=1))
    last = str(caught.value).strip().splitlines()[-1]
    assert last == f"attribution.tables.TableError: {words}Correct those rows or leave them out."


def test_what_can_be_refused_before_any_row_is_read_is(spark, cluster):
    met, converted = frames(spark, touch(), deal())
    for options, words in (({"models": ["lineer"]}, "model: 'lineer' is not one of"),
                           ({"linking": "rule"}, "linking: 'rule' is not one of"),
                           ({"linking": "role"}, "linking: 'role' needs contact_roles"),
                           ({"lookback_days": -1}, "lookback_days: -1 is not a whole number"),
                           ({"n_groups": 0}, "n_groups: 0 is not a whole number from 1")):
        with pytest.raises(ValueError, match=words):
            cluster.credit_by_campaign(met, converted, **options)
    with pytest.raises(TableError, match="touches: there is no column campaign_id"):
        cluster.credit_by_campaign(met.drop("campaign_id"), converted)
    with pytest.raises(TableError, match="conversions: value is string, not a number"):
        cluster.credit_by_campaign(met, converted.withColumn("value", converted["account_id"]))
    twice = to_spark(spark, pd.concat([deal(), deal(account_id="Bolt")], ignore_index=True))
    with pytest.raises(TableError, match=r"conversions: conversion_id is not unique \(first: d\)"):
        cluster.credit_by_campaign(met, twice)
    roles = pd.DataFrame({"opportunity_id": ["d"], "person_id": pd.Series([None], dtype="str")})
    with pytest.raises(TableError, match="contact_roles: opportunity_id or person_id is empty in 1 rows"):
        cluster.credit_by_campaign(met, converted, contact_roles=to_spark(spark, roles))


def test_main_reads_columns_that_only_some_files_have(spark, cluster, tmp_path):
    late = touch(touched_at=pd.Timestamp("2026-03-02", tz="UTC"))
    (tmp_path / "touches").mkdir()
    touch().to_parquet(tmp_path / "touches" / "0.parquet")
    tie = pd.concat([late.assign(touch_id="x", campaign_id="Late", kind="membership"),
                     late.assign(touch_id="y", campaign_id="Early", kind="response")])       # a response comes first
    tie.to_parquet(tmp_path / "touches" / "1.parquet")
    to_spark(spark, deal()).write.parquet(str(tmp_path / "deals"))
    cluster.main([*(str(tmp_path / name) for name in ("touches", "deals", "out")), "--models", "last_touch"])
    found = collect(spark.read.parquet(str(tmp_path / "out")))
    assert found[["campaign_id", "credit"]].values.tolist() == [["Ads", 0.0], ["Early", 0.0], ["Late", 100.0]]


def test_main_writes_the_rows_or_says_what_is_wrong_in_one_line(spark, cluster, tmp_path, capsys):
    touches, conversions, _ = tables(make_company(8, 40, 9, 0))
    places = [str(tmp_path / name) for name in ("touches", "conversions", "out", "none")]
    for table, place in zip((touches, conversions), places, strict=False):
        to_spark(spark, table).write.parquet(place)
    cluster.main([*places[:3], "--models", "linear", "--lookback-days", "none", "--n-groups", "2"])
    assert_frame_equal(collect(spark.read.parquet(places[2])),
                       on_one_machine(touches, conversions, ["linear"], lookback_days=None))
    to_spark(spark, touches.assign(campaign_id=pd.Series(None, touches.index, "str"))).write.mode("overwrite").parquet(
        places[0])
    damaged = tmp_path / "damaged"
    to_spark(spark, touches).coalesce(1).write.parquet(str(damaged))
    [part] = damaged.glob("part-*")
    whole = part.read_bytes()
    part.write_bytes(whole[:4] + bytes(byte ^ 255 for byte in whole[4:200]) + whole[200:])
    (damaged / f".{part.name}.crc").unlink()
    for arguments, words in (([str(damaged), *places[1:2], places[3]], r"\S+(Exception|Error): "),
                             ([*places[:2], places[3], "--n-groups", "1"], r"touches: campaign_id is empty in \d+ of "),
                             ([*places[:2], places[3], "--models", "lineer"], "model: 'lineer' is not one of"),
                             ([places[3], *places[1:3]], r"\[PATH_NOT_FOUND\]"),
                             (places[:3], r"touches: campaign_id|\[PATH_ALREADY_EXISTS\]")):
        with pytest.raises(SystemExit) as stopped:
            cluster.main(arguments)
        said = capsys.readouterr().err
        assert stopped.value.code == 2 and said.count("\n") == 1
        assert re.match(f"attribution.spark: ({words})", said)
