"""The same journeys from any frame: pandas, polars, DuckDB, pyarrow and Parquet say the same, to the cent."""

from functools import partial
from threading import current_thread
from uuid import UUID

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from companies import companies, make_company, tables, with_integers
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution import frames
from attribution.campaigns import build_ancestors, roll_up
from attribution.credit import compare_models, credit_by_campaign, explain, share_credit
from attribution.journeys import LINKINGS, build_journeys, linking_coverage
from attribution.models import time_decay
from attribution.paths import build_paths
from attribution.tables import TableError

HELSINKI = "Europe/Helsinki"
SIZES = [(n_touches, n_conversions) for n_touches in (0, 1, 2) for n_conversions in (0, 1, 2)]


def as_arrow(table):
    """Moments in Helsinki's zone and in nanoseconds, to see that neither matters; text in a dictionary."""
    local = table.assign(**{column: table[column].dt.tz_convert(HELSINKI).dt.as_unit("ns")
                            for column in table if column.endswith("_at")})
    arrow = pa.Table.from_pandas(local, preserve_index=False)
    return arrow if "campaign_id" not in table else arrow.set_column(
        arrow.column_names.index("campaign_id"), "campaign_id", arrow["campaign_id"].dictionary_encode())


def as_duckdb(table):
    connection = duckdb.connect()
    connection.sql("set TimeZone = 'America/New_York'")
    return connection.from_arrow(pa.Table.from_pandas(table, preserve_index=False))


ENGINES = {"polars": pl.from_pandas, "lazy polars": lambda table: pl.from_pandas(table).lazy(), "pyarrow": as_arrow,
           "DuckDB": as_duckdb}


@pytest.fixture(scope="module", params=[*ENGINES, "Parquet", "a folder of Parquet"])
def to_frame(request, tmp_path_factory):
    """Turn a table into a frame of each engine, or into files."""
    if request.param in ENGINES:
        return ENGINES[request.param]

    def write(table):
        folder = tmp_path_factory.mktemp("tables")
        half = len(table) // 2
        if request.param == "Parquet":
            pq.write_table(pa.Table.from_pandas(table, preserve_index=False), folder / "all.parquet", row_group_size=3)
            return str(folder / "all.parquet")
        for name, part in {"a": table.iloc[:half], "b": table.iloc[half:]}.items():
            pq.write_table(pa.Table.from_pandas(part, preserve_index=False), folder / f"{name}.parquet")
        return folder
    return write


def assert_same_from(to_frame, company, **options):
    touches, conversions, roles = tables(company)
    journeys = build_journeys(touches, conversions, roles, **options)
    credit = credit_by_campaign(touches, conversions, None, roles, **options)
    touches, conversions, roles = map(to_frame, (touches, conversions, roles))
    pd.testing.assert_frame_equal(build_journeys(touches, conversions, roles, **options), journeys)
    pd.testing.assert_frame_equal(credit_by_campaign(touches, conversions, None, roles, **options), credit)
    pd.testing.assert_frame_equal(share_credit(to_frame(journeys), "w_shaped"), share_credit(journeys, "w_shaped"))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(company=companies(), linking=st.sampled_from(LINKINGS), lookback_days=st.sampled_from([1, 211, None]))
def test_any_frame_gives_the_same_journeys_and_credit(to_frame, company, linking, lookback_days):
    assert_same_from(to_frame, company, linking=linking, lookback_days=lookback_days, time_zone=HELSINKI)


def test_any_frame_gives_the_same_of_a_larger_company(to_frame):
    assert_same_from(to_frame, make_company(5, 3_000, 300, 100), lookback_days=211, time_zone=HELSINKI)


@pytest.mark.parametrize(("n_touches", "n_conversions"), SIZES)
def test_any_frame_may_have_hardly_any_rows(to_frame, n_touches, n_conversions):
    assert_same_from(to_frame, make_company(3, n_touches, n_conversions, min(n_conversions, 1)))


def test_roll_up_takes_any_frame(to_frame):
    tree = pd.DataFrame({"campaign_id": ["prog", "ad"], "parent_id": [None, "prog"]}, dtype="str")
    own = pd.DataFrame({"campaign_id": ["prog", "ad"], "cost": [1.5, 2.0]})
    rolled = roll_up(to_frame(own), to_frame(build_ancestors(tree)), ["cost"])
    assert rolled["cost_with_children"].tolist() == [3.5, 2.0]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(company=companies(), linking=st.sampled_from(LINKINGS))
def test_integer_ids_give_what_their_text_gives(company, linking):
    as_integers = [with_integers(table) for table in tables(company)]
    as_text = [table.astype({column: "str" for column in table if column.endswith("_id")}) for table in as_integers]
    as_text[0] = as_text[0].assign(touch_id=as_integers[0]["touch_id"])  # text has ties in another order: 10 before 9
    for one, other in ((as_integers, as_text), ([pl.from_pandas(table) for table in as_integers], as_text)):
        pd.testing.assert_frame_equal(build_journeys(*one, linking=linking), build_journeys(*other, linking=linking))
        pd.testing.assert_frame_equal(credit_by_campaign(one[0], one[1], None, one[2], linking=linking),
                                      credit_by_campaign(other[0], other[1], None, other[2], linking=linking))


@pytest.mark.parametrize(("table", "column", "message"), [
    (0, "account_id", "touches: account_id is Int64, not text as in conversions: account_id. Read ids as text"),
    (0, "person_id", "touches: person_id is Int64, not text as in conversions: person_id"),
    (1, "conversion_id", "conversions: conversion_id is Int64, not text as in contact_roles: opportunity_id"),
    (2, "person_id", "contact_roles: person_id is Int64, not text as in touches: person_id"),
])
def test_ids_that_are_integers_in_one_table_and_text_in_another_are_refused(table, column, message):
    given_tables = tables(make_company(1, 20, 9, 6))
    given_tables[table] = given_tables[table].assign(**{column: with_integers(given_tables[table])[column]})
    with pytest.raises(TableError, match=message):
        build_journeys(*given_tables)


def one_deal(touches, **deal):
    """Credit of one deal of 100.00 under first touch, as campaign to money."""
    table = pd.DataFrame({"conversion_id": ["d"], "account_id": None, "person_id": None, "value": 100.0,
                          "converted_at": pd.to_datetime(["2026-03-09"], utc=True)}).assign(**deal)
    credit = credit_by_campaign(touches, table, ["first_touch", "u_shaped"])
    return {model: rows.set_index("campaign_id")["credit"].to_dict() for model, rows in credit.groupby("model")}


def three_touches(**columns):
    return pd.DataFrame({"touch_id": ["1", "2", "3"], "person_id": None, "account_id": "Acme", "campaign_id": [*"ABC"],
                         "touched_at": pd.to_datetime(["2026-03-01", "2026-03-02", "2026-03-02"], utc=True)} | columns)


def test_integers_that_a_float_cannot_hold_stay_apart():
    people = pd.Series([2**60 + 1, 2**60, None], dtype="Int64")
    credit = one_deal(three_touches(person_id=people), account_id="Acme", lead_person_id=2**60,
                      lead_created_at=pd.Timestamp("2026-02-28 23:00", tz="UTC"))
    assert credit["u_shaped"] == {"A": 66.67, "B": 16.67, "C": 16.66}         # A's is another's: no lead, 40 : 10 : 10
    late = pd.to_datetime(["2026-03-02", "2026-03-02", "2026-03-02"], utc=True)
    credit = one_deal(three_touches(person_id=people, touched_at=late), account_id="Acme", lead_person_id=2**60,
                      lead_created_at=pd.Timestamp("2026-03-01 23:00", tz="UTC"))
    assert credit["u_shaped"] == {"A": 40.0, "B": 40.0, "C": 20.0}            # B's is the lead's own


def test_touches_without_any_account_meet_no_deal_of_integers():
    credit = one_deal(three_touches(account_id=None), account_id=7)
    assert list(credit["first_touch"].values()) == [100.0] and pd.isna(list(credit["first_touch"]))[0]


def test_categories_are_ordered_by_their_text():
    ids = pd.Series(pd.Categorical(["z", "b", "a"], categories=["z", "b", "a"], ordered=True))
    touches = three_touches(touch_id=ids, touched_at=pd.to_datetime(["2026-03-02"] * 3, utc=True))
    assert one_deal(touches, account_id="Acme")["first_touch"] == {"A": 0.0, "B": 0.0, "C": 100.0}


@pytest.mark.parametrize("ids", [np.array([2**64 - 1, 1, 2], np.uint64), np.array([-(2**63), 1, 2])])
def test_integers_beyond_what_can_be_packed_are_refused(ids):
    with pytest.raises(TableError, match="touches: account_id has integers beyond 2\\^62. Read ids as text"):
        one_deal(three_touches(account_id=ids), account_id=7)


def test_an_id_that_comes_twice_in_a_part_of_a_table_is_found():
    touches, deals = many_touches(250_010, 20_000)
    touches["touch_id"] = touches["touch_id"].where(touches.index >= 10, "v" + touches["touch_id"].str[10:])
    touches.loc[250_009, "touch_id"] = touches.loc[100, "touch_id"]
    with pytest.raises(TableError, match="touches: touch_id is not unique in 2 of 250,000 rows"):
        credit_by_campaign(touches.iloc[10:], deals)


@pytest.mark.parametrize("name", ["none.parquet", "text.parquet"])
def test_a_path_without_parquet_is_refused_in_one_line(tmp_path, name):
    (tmp_path / "text.parquet").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(TableError, match=f"{name}: cannot be read as Parquet. Name a Parquet file") as error:
        credit_by_campaign(tmp_path / name, tables(make_company(1, 1, 1, 0))[1])
    assert "\n" not in str(error.value)


TWO_TOUCHES = {"touch_id": ["a", "b"], "person_id": ["Ann", "Bob"], "account_id": "Acme", "campaign_id": ["A", "B"],
               "touched_at": pd.to_datetime(["2026-03-01", "2026-03-02"], utc=True)}


def in_a_folder(folder, table, *changes):
    """Write each row of a table into a file of its own, with a change of its columns; None takes a column away."""
    for i, change in enumerate(changes):
        row = table.iloc[[i]].assign(**change)
        row.drop(columns=[name for name in change if change[name] is None]).to_parquet(folder / f"{i}.parquet")
    return folder


@pytest.mark.parametrize("change", [
    {"kind": "response"}, {"campaign_id": "B"}, {"person_id": "Bob"}, {"touched_at": pd.Timestamp("2026-03-02")},
    {"touched_at": pd.Timestamp("2026-03-02 02:00", tz=HELSINKI).as_unit("ns")}, {"status": 7},
    {"campaign_id": pd.Categorical(["B"])}, {"account_id": pd.Categorical(["Acme"])}, {"account_id": b"Acme"},
    {"touched_at": pd.array(["2026-03-02"], "date32[pyarrow]")},
])
@pytest.mark.parametrize("is_first", [True, False])
def test_files_of_a_folder_may_store_the_same_in_other_ways(tmp_path, change, is_first):
    touches = pd.DataFrame(TWO_TOUCHES).assign(person_id=None).iloc[::-1 if is_first else 1]
    changes = [change, {}] if is_first else [{}, change]
    credit = one_deal(in_a_folder(tmp_path, touches, *changes), account_id="Acme")
    assert credit["first_touch"] == {"A": 100.0, "B": 0.0}
    assert credit["u_shaped"] == {"A": 66.67, "B": 33.33}                     # no lead: 40 : 20


def test_a_folder_may_have_files_of_several_writers(tmp_path):
    touches = pd.DataFrame(TWO_TOUCHES).loc[[0, 1, 0, 1]].assign(touch_id=[*"abcd"], campaign_id=[*"ABCD"])
    touches.iloc[:1].to_parquet(tmp_path / "0.parquet")
    pl.from_pandas(touches.iloc[1:2]).write_parquet(tmp_path / "1.parquet")
    as_duckdb(touches.iloc[2:3]).write_parquet(str(tmp_path / "2.parquet"))
    views = as_arrow(touches.iloc[3:])
    views = views.set_column(views.column_names.index("account_id"), "account_id",
                             views["account_id"].cast(pa.string_view()))
    pq.write_table(views, tmp_path / "3.parquet")
    assert one_deal(tmp_path, account_id="Acme") == one_deal(touches, account_id="Acme")


def test_a_column_that_the_first_file_lacks_is_read(tmp_path):
    late = pd.Timestamp("2026-03-02", tz="UTC")
    touches = pd.DataFrame(TWO_TOUCHES).assign(touched_at=late, kind=["membership", "response"])
    path = in_a_folder(tmp_path, touches, {"kind": None}, {})
    assert one_deal(path, account_id="Acme")["first_touch"] == {"A": 0.0, "B": 100.0}       # a response comes first


def test_money_may_be_whole_in_one_file(tmp_path):
    deals = pd.DataFrame({"conversion_id": ["d1", "d2"], "account_id": "Acme", "person_id": None, "value": 0.0,
                          "converted_at": pd.Timestamp("2026-03-09", tz="UTC")})
    path = in_a_folder(tmp_path, deals, {"value": 100}, {"value": 99.5, "person_id": "Ann"})
    credit = credit_by_campaign(pd.DataFrame(TWO_TOUCHES), path, ["last_touch"])
    assert credit[["campaign_id", "credit"]].values.tolist() == [["A", 99.5], ["B", 100.0]]


@pytest.mark.parametrize(("column", "one", "other"), [
    ("account_id", 7, "007"), ("account_id", 7.5, "007"), ("account_id", 2**60 + 1, 7.5),
    ("account_id", b"\xff", "Acme"), ("touched_at", "2026-03-01", pd.Timestamp("2026-03-01")), ("campaign_id", 1, "A")])
def test_files_that_differ_in_what_a_column_is_are_refused_in_one_line(tmp_path, column, one, other):
    in_a_folder(tmp_path, pd.DataFrame(TWO_TOUCHES), {column: one}, {column: other})
    with pytest.raises(TableError, match=f"{tmp_path}: {column} is not of one type in all files") as error:
        one_deal(tmp_path, account_id="Acme")
    assert "\n" not in str(error.value)


def test_a_folder_is_all_its_visible_files_and_what_links_lead_to(tmp_path):
    folder, elsewhere = tmp_path / "touches", tmp_path / "elsewhere"
    folder.mkdir(), elsewhere.mkdir()
    touches = pd.DataFrame(TWO_TOUCHES)
    touches.head(1).to_parquet(folder / "part-0001")
    touches.tail(1).to_parquet(elsewhere / "x.PARQUET")
    (folder / "moved").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    for hidden in ("_metadata", ".x.parquet", "_old/x.parquet", ".draft/x.parquet"):
        (folder / hidden).parent.mkdir(exist_ok=True)
        (folder / hidden).write_bytes(b"no Parquet")
    assert one_deal(folder, account_id="Acme")["first_touch"] == {"A": 100.0, "B": 0.0}
    (folder / "notes.txt").write_bytes(b"none")
    with pytest.raises(TableError, match="notes.txt: cannot be read as Parquet") as error:
        one_deal(folder)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_file_is_refused(tmp_path):
    with pytest.raises(TableError, match="there is no file in it. Name a Parquet file"):
        one_deal(tmp_path)


def test_names_of_folders_give_columns_of_text(tmp_path):
    touches = pd.DataFrame(TWO_TOUCHES)
    for name, rows in {"account_id=007": touches.head(1), "account_id=a%2Fb": touches.tail(1),
                       "account_id=__HIVE_DEFAULT_PARTITION__": touches.tail(1).assign(touch_id="c")}.items():
        (tmp_path / name).mkdir()
        rows.drop(columns="account_id").to_parquet(tmp_path / name / "x.parquet")
    assert one_deal(tmp_path, account_id="007")["first_touch"] == {"A": 100.0}
    assert one_deal(tmp_path, account_id="a/b")["first_touch"] == {"B": 100.0}
    assert pd.isna(list(one_deal(tmp_path, account_id="__HIVE_DEFAULT_PARTITION__")["first_touch"])).all()
    assert one_deal(tmp_path / "account_id=007", account_id="007")["first_touch"] == {"A": 100.0}
    assert one_deal(tmp_path, person_id="Bob")["first_touch"] == {"B": 100.0}


def test_a_column_of_the_file_is_not_taken_from_the_folders_name(tmp_path):
    (tmp_path / "campaign_id=0701" / "account_id=other").mkdir(parents=True)
    touches = pd.DataFrame(TWO_TOUCHES).drop(columns="campaign_id")
    touches.to_parquet(tmp_path / "campaign_id=0701" / "account_id=other" / "x.parquet")
    assert one_deal(tmp_path, account_id="Acme")["first_touch"] == {"0701": 100.0}


def test_a_pandas_frame_may_have_arrows_types():
    touches = three_touches(account_id=7).convert_dtypes(dtype_backend="pyarrow")
    deal = {"account_id": 7, "value": pd.array(["100.00"], pd.ArrowDtype(pa.decimal128(9, 2)))}
    assert str(touches["account_id"].dtype) == "int64[pyarrow]"
    assert one_deal(touches, **deal)["first_touch"] == {"A": 100.0, "B": 0.0, "C": 0.0}
    day = touches["touched_at"].dt.tz_localize(None).astype("date32[pyarrow]")
    touches = touches.assign(touched_at=day).iloc[[1, 1]]                    # its index has a row twice
    touches = touches.assign(touch_id=["x", "y"], account_id=pd.array([7, None], "int64[pyarrow]"))
    assert one_deal(touches, **deal)["first_touch"] == {"B": 100.0}


@pytest.mark.parametrize("engine", ["pandas", "pyarrow"])
def test_a_column_that_stands_twice_is_refused_where_it_is_needed(engine):
    touches = three_touches()
    to_frame = {"pandas": lambda table: table, "pyarrow": lambda table: pa.table(
        [pa.array(table.iloc[:, i]) for i in range(table.shape[1])], names=list(table.columns))}[engine]
    other = touches[["campaign_id"]].set_axis(["note"], axis=1)
    assert one_deal(to_frame(pd.concat([touches, other, other], axis=1)), account_id="Acme")["first_touch"]["A"] == 100
    with pytest.raises(TableError, match="^account_id stands 2 times among a table's columns. Leave out"):
        one_deal(to_frame(pd.concat([touches, touches[["account_id"]]], axis=1)), account_id="Acme")


@pytest.mark.parametrize("engine", ["DuckDB", "polars", "lazy polars", "pyarrow"])
def test_a_frame_with_none_of_the_columns_is_refused(engine):
    with pytest.raises(TableError, match="touches: there is no column touch_id. The columns needed are touch_id"):
        one_deal(ENGINES[engine](pd.DataFrame({"x": [1]})))


def many_touches(n, n_accounts, unit="us"):
    """Touches and deals in such numbers that they are sorted, searched and summed in threads."""
    random = np.random.default_rng(n_accounts)
    step = {"us": 1, "D": 86_400_000_000}[unit]
    at = pd.Series(1_700_000_000_000_000 // step * step + random.integers(0, 2 * 10**13 // step, n) * step)
    touches = pd.DataFrame({
        "touch_id": [f"00v{i:015}" for i in random.permutation(n)], "person_id": None,
        "account_id": [f"001{i:015}" for i in random.integers(0, n_accounts, n)],
        "campaign_id": [f"701{i:015}" for i in random.integers(0, 50, n)],
        "touched_at": at.astype("datetime64[us]").dt.tz_localize("UTC")})
    deals = touches.sample(n // 50, random_state=1).assign(value=random.integers(0, 10**7, n // 50) / 100)
    return touches, deals.rename(columns={"touch_id": "conversion_id", "touched_at": "converted_at"})


@pytest.mark.parametrize(("n_accounts", "unit"), [(20_000, "us"), (20_000, "D"), (200_000, "D")])
def test_threads_say_what_one_thread_says(monkeypatch, n_accounts, unit):
    touches, deals = many_touches(250_000, n_accounts, unit)
    several, unrounded = (credit_by_campaign(touches, deals, lookback_days=30, to_the_cent=so) for so in (True, False))
    monkeypatch.setattr(frames, "N_CORES", {1: 3}.get(frames.N_CORES, 1))
    pd.testing.assert_frame_equal(credit_by_campaign(touches, deals, lookback_days=30), several)
    pd.testing.assert_frame_equal(credit_by_campaign(touches, deals, lookback_days=30, to_the_cent=False), unrounded)
    pd.testing.assert_frame_equal(compare_models(build_journeys(touches, deals, lookback_days=30)), several)
    # Every touch is off by less than a cent: here no journey meets a campaign more than 20 times.
    assert ((unrounded["credit"] - several["credit"]).abs() < 0.01 * 20 * several["n_conversions"]).all()
    assert np.allclose(unrounded.groupby("model")["credit"].sum(), deals["value"].sum(), atol=0.005 * 51)
    assert not unrounded["credit"].equals(several["credit"])


@pytest.mark.parametrize("unit", ["us", "D"])
def test_linear_credit_of_many_touches_agrees_with_duckdb(unit):
    touches, deals = many_touches(250_000, 20_000, unit)
    expected = duckdb.sql("""
        select campaign_id, sum(value / n_touches) as credit, count(distinct conversion_id) as n_conversions
        from (select t.campaign_id, d.conversion_id, d.value, count(*) over (partition by d.conversion_id) as n_touches
              from deals d join touches t on t.account_id = d.account_id and t.touched_at <= d.converted_at
                  and t.touched_at >= date_trunc('day', d.converted_at at time zone 'UTC') at time zone 'UTC'
                      - interval (30 * 24) hour)
        group by campaign_id order by campaign_id""").df()
    said = credit_by_campaign(touches, deals, ["linear"], lookback_days=30, to_the_cent=False)
    assert len(said) == len(expected) == 50
    assert np.allclose(said["credit"], expected["credit"], atol=0.0051)
    assert said["n_conversions"].tolist() == expected["n_conversions"].tolist()


def test_an_id_that_comes_twice_among_many_is_found():
    touches, deals = many_touches(250_000, 20_000)
    touches.loc[249_999, "touch_id"] = touches.loc[3, "touch_id"]
    with pytest.raises(TableError, match=r"touches: touch_id is not unique in 2 of 250,000 rows \(first: 00v"):
        credit_by_campaign(touches, deals)


def test_one_account_with_a_million_touches_is_no_harder_than_many():
    n = 1_000_000
    touches = pd.DataFrame({"touch_id": np.arange(n), "person_id": 1, "account_id": 1,
                            "campaign_id": np.arange(n) % 1_000,
                            "touched_at": pd.to_datetime(np.arange(n) * 60_000_000, unit="us", utc=True)})
    last = touches["touched_at"].iloc[[-1, n // 2 - 1]].to_numpy()
    deals = pd.DataFrame({"conversion_id": [1, 2], "account_id": 1, "person_id": None, "value": [10_000.0, 5_000.0],
                          "converted_at": pd.to_datetime(last, utc=True)})
    credit = credit_by_campaign(touches, deals, ["linear", "first_touch"], lookback_days=None)
    linear = credit[credit["model"] == "linear"]
    # 1,000 campaigns with a thousandth of the touches each, of both deals.
    assert len(linear) == 1_000 and linear["credit"].sum() == 15_000
    assert (linear["credit"] == 15).all() and (linear["n_conversions"] == 2).all()
    first = credit[(credit["model"] == "first_touch") & (credit["credit"] > 0)]
    assert first[["campaign_id", "credit"]].values.tolist() == [["0", 15_000.0]]


def test_work_on_a_part_is_not_cut_further(monkeypatch):
    monkeypatch.setattr(frames, "N_CORES", 2)

    def name_threads(_):
        return {current_thread().name, *frames.in_threads(lambda _: current_thread().name, range(8))}
    assert [len(names) for names in frames.in_threads(name_threads, range(2))] == [1, 1]
    assert list(frames.in_threads(frames.count_parts, [frames.FEW_ROWS + 1] * 2)) == [1, 1]
    assert len(name_threads(0)) > 1 == frames.count_parts(frames.FEW_ROWS) < frames.count_parts(frames.FEW_ROWS + 1)


# ---- what no door lets in, and no model may do


def test_shares_stand_in_the_order_of_the_journeys_of_integers():
    deals = pd.DataFrame({"conversion_id": [10, 9], "account_id": [7, 8], "person_id": None, "value": [100.0, 200.0],
                          "converted_at": pd.Timestamp("2026-03-09", tz="UTC")})
    journeys = build_journeys(three_touches(account_id=[7, 8, 8]), deals)
    assert journeys["conversion_id"].tolist() == ["10", "9", "9"]            # of one moment, by their text
    shared = share_credit(journeys)
    assert list(zip(shared["conversion_id"], shared["credit"], strict=True)) == [("10", 100), ("9", 100), ("9", 100)]
    assert explain(journeys, 10)["credit"].tolist() == [100]


@pytest.mark.parametrize(("ids", "what"), [
    (pd.Series([7.0, 7.0, None], dtype=object), "floating"), (pd.Series([7.0, 7.0, None], dtype="category"), "float64"),
    (pd.Series([b"Acme", b"Acme", b"Bolt"]), "bytes"), (pd.Series([7, "7", "007"]), "mixed-integer")])
def test_objects_that_are_no_text_are_refused(ids, what):
    with pytest.raises(TableError, match=f"touches: account_id is {what}, not text. Read ids as text"):
        one_deal(three_touches(account_id=ids), account_id="7")


def test_objects_with_a_text_of_their_own_are_ids():
    ids = [UUID(int=i) for i in (1, 1, 2)]
    credit = one_deal(three_touches(account_id=ids), account_id=str(ids[0]))
    assert credit["first_touch"] == {"A": 100, "B": 0}


@pytest.mark.parametrize("flags", [["False", "True", "False"], pd.Series([np.nan, True, np.nan], dtype=object)])
def test_flags_that_are_neither_true_nor_false_are_refused(flags):
    deal = pd.DataFrame({"conversion_id": ["d"], "account_id": "Acme", "person_id": None, "value": 100.0,
                         "converted_at": pd.to_datetime(["2026-03-09"], utc=True)})
    journeys = build_journeys(three_touches(), deal)
    with pytest.raises(TableError, match="journeys: is_lead_touch is (str|object), not true or false in every row"):
        share_credit(journeys.assign(is_lead_touch=flags), "u_shaped")
    as_numbers = share_credit(journeys.assign(is_lead_touch=[0, 1, 0]), "u_shaped")
    assert as_numbers["credit"].tolist() == [40, 40, 20]


def test_a_model_cannot_change_what_the_others_are_given():
    def clip(journeys):
        journeys.age_days[journeys.age_days > 30] = 30
        return 1 / (1 + journeys.age_days)
    with pytest.raises(ValueError, match="read-only"):
        one_deal_by({"mine": clip, "time_decay": "time_decay"})
    for name in ("conversion", "position", "n_touches", "campaign", "days_before", "is_lead_touch", "starts", "owner"):
        with pytest.raises(ValueError, match="read-only"):
            one_deal_by({"mine": lambda journeys, name=name: getattr(journeys, name).fill(0)})


def one_deal_by(models):
    deal = pd.DataFrame({"conversion_id": ["d"], "account_id": "Acme", "person_id": None, "value": 100.0,
                         "converted_at": pd.to_datetime(["2026-03-09"], utc=True)})
    return credit_by_campaign(three_touches(), deal, models)


@pytest.mark.parametrize(("models", "message"), [
    ([], "models: none is given"), ({}, "models: none is given"),
    (["linear", "linear"], "models: 'linear' stands twice. Give each a name of its own"),
    ([partial(time_decay, half_life_days=days) for days in (1, 9)], "models: 'time_decay' stands twice")])
def test_models_have_a_name_each(models, message):
    with pytest.raises(ValueError, match=message):
        one_deal_by(models)


def test_roll_up_takes_integer_ids_and_says_what_is_wrong(to_frame):
    own = pd.DataFrame({"campaign_id": [1, 2], "cost": [1.5, 2.0]}, index=[5, 3])
    lines = pd.DataFrame({"campaign_id": [1, 2, 2], "ancestor_id": [1, 2, 1]})
    for ancestors in (lines, lines.astype("str")):                           # as those of build_ancestors are
        assert roll_up(to_frame(own), to_frame(ancestors), ["cost"])["cost_with_children"].tolist() == [3.5, 2.0]
    with pytest.raises(TableError, match=r"figures: campaign_id is not unique in 2 of 2 rows \(first: 1\)"):
        roll_up(to_frame(own.assign(campaign_id=1)), to_frame(lines), ["cost"])
    with pytest.raises(TableError, match="figures: there is no column costs. The columns asked for are costs"):
        roll_up(to_frame(own), to_frame(lines), ["costs"])


def test_coverage_of_what_can_be_read_but_once_is_that_of_a_table():
    deal = pd.DataFrame({"conversion_id": ["d"], "account_id": "Acme", "person_id": None, "value": 100.0,
                         "converted_at": pd.to_datetime(["2026-03-09"], utc=True)})
    reader = pa.Table.from_pandas(three_touches()).to_reader()
    assert linking_coverage(reader, deal)["n_reached"].tolist() == [0, 1, 1]


def test_paths_of_integer_ids_are_those_of_their_text():
    def text(table):
        return table.astype({column: "str" for column in table if column.endswith("_id")})
    given = [with_integers(table) for table in tables(make_company(5, 60, 9, 6))]
    as_text = [text(table).assign(touch_id=table["touch_id"]) if "touch_id" in table else text(table)
               for table in given]
    paths, expected = (build_paths(*several, as_of=pd.Timestamp("2027-06-30", tz="UTC"), pipeline=several[1].head(2))
                       for several in (given, as_text))
    assert set(expected["outcome"]) >= {"converted", "lost"}
    pd.testing.assert_frame_equal(paths, expected)
