"""Tables are what their schemas say, and faults in them are said in one line."""

import dataclasses

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import make

from attribution.tables import (
    SCHEMAS,
    TableError,
    as_pandas,
    check_refs,
    check_table,
    empty_table,
    first_keys,
    look_up,
    to_cents,
)


@pytest.mark.parametrize("name", SCHEMAS)
def test_empty_table_meets_its_schema(name):
    table = check_table(empty_table(name), name)
    assert len(table) == 0
    assert table.columns.tolist() == list(SCHEMAS[name].columns)


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_describe_every_column(name):
    assert all(column.description for column in SCHEMAS[name].columns.values())
    assert SCHEMAS[name].description


@pytest.mark.parametrize(("columns", "words"), [
    ({"campaign_id": ["a", "a", "b"]}, "campaigns: campaign_id is not unique in 2 of 3 rows (first: a). Look."),
    ({"campaign_id": ["a", None]}, "campaigns: campaign_id is empty in 1 of 2 rows (first: row 2). Look."),
    ({"campaign_id": ["a", "b"], "actual_cost": [1.0, -5.0]},
     "campaigns: actual_cost is negative in 1 of 2 rows (first: b). Look."),
    ({"campaign_id": ["a", "b"], "budgeted_cost": [np.inf, 1.0]},
     "campaigns: budgeted_cost is not a number in 1 of 2 rows (first: a). Look."),
    ({"campaign_id": ["a"], "n_sent": [-1]}, "campaigns: n_sent is negative in 1 of 1 rows (first: a). Look."),
])
def test_check_table_says_what_is_wrong_where_and_what_to_do(columns, words):
    with pytest.raises(TableError) as error:
        check_table(make("campaigns", **columns), "campaigns", "Look")
    assert str(error.value) == words


def test_check_table_names_a_column_that_is_missing_or_of_another_type():
    deals = make("opportunities", opportunity_id=["d"], stage="Open", close_on="2026-01-01", created_at="2026-01-01")
    with pytest.raises(TableError, match=r"^opportunities: there is no column value\. Export it again\.$"):
        check_table(deals.drop(columns="value"), "opportunities")
    with pytest.raises(TableError, match=r"^opportunities: value is str, not float64\. Export it again\.$"):
        check_table(deals.assign(value="much"), "opportunities")


def test_check_table_refuses_probability_beyond_one_and_unknown_record_types():
    deals = make("opportunities", opportunity_id=["d"], stage="Open", close_on="2026-01-01", created_at="2026-01-01",
                 probability=[50.0])
    with pytest.raises(TableError, match=r"probability is outside 0-1 in 1 of 1 rows \(first: d\)"):
        check_table(deals, "opportunities")
    change = make("stage_changes", change_id=["h"], record_type="case", record_id="x", stage="New",
                  changed_at="2026-01-01")
    with pytest.raises(TableError, match=r"record_type is neither lead nor opportunity in 1 of 1 rows \(first: h\)"):
        check_table(change, "stage_changes")


def test_check_table_counts_rows_and_names_three_keys():
    table = make("campaigns", campaign_id=list("abcde"), actual_cost=-1.0)
    with pytest.raises(TableError, match=r"in 5 of 5 rows \(first: a, b, c\)"):
        check_table(table, "campaigns")


def test_check_table_reports_the_row_by_its_place_when_the_index_is_not_plain():
    table = make("campaigns", campaign_id=["a", None]).set_axis([7, 9])
    with pytest.raises(TableError, match=r"first: row 2\)"):
        check_table(table, "campaigns")


def test_check_table_lets_further_columns_pass_and_changes_nothing():
    table = make("campaigns", campaign_id=["a"]).assign(colour="red")
    pd.testing.assert_frame_equal(check_table(table, "campaigns"), table)


def test_check_refs_ignores_blanks_and_returns_the_table():
    table = pd.DataFrame({"campaign_id": ["a", None]}, dtype="str")
    assert check_refs(table, "touches", "campaign_id", pd.Series(["a"]), "campaigns", "Look") is table


def test_first_keys_names_each_once_and_cuts_long_ones():
    assert first_keys(pd.Series(["a", "a", "x" * 200])) == "first: a, " + "x" * 80


def test_look_up_keeps_moments_where_there_are_no_ids_and_the_index_of_the_ids():
    moments = pd.Series(pd.to_datetime(["2026-10-01"], utc=True).as_unit("us"), index=["a"])
    assert look_up(pd.Series([], dtype="str"), moments).dtype == moments.dtype
    found = look_up(pd.Series(["b", "a", None], index=[7, 8, 9]), moments)
    assert found.index.tolist() == [7, 8, 9] and found.isna().tolist() == [True, False, True]


FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "lazy polars": pl.LazyFrame, "pyarrow": pa.table}


@pytest.mark.parametrize("kind", FRAMES)
def test_as_pandas_takes_any_frame(kind):
    assert as_pandas(FRAMES[kind]({"n": [1, 2], "name": ["a", None]}))["n"].tolist() == [1, 2]


def test_as_pandas_takes_a_duckdb_relation():
    assert as_pandas(duckdb.sql("select 1 as n union all select 2 order by n"))["n"].tolist() == [1, 2]


def test_as_pandas_refuses_what_is_no_frame():
    with pytest.raises(TypeError, match=r"table \(pandas, polars, DuckDB, pyarrow\) or a path to Parquet, got list"):
        as_pandas([1, 2])


def test_to_cents_rounds_binary_noise_and_takes_nullable_numbers():
    # 1.005 is 1.00499... in binary, 0.29 * 100 is 28.999999999999996
    assert to_cents(pd.Series([0.29, 1.1, -2.675, 8_765_432.1])).tolist() == [29, 110, -268, 876543210]
    assert to_cents(pd.Series([1, pd.NA], dtype="Int64")).tolist() == [100, 0]


def test_crm_checks_every_table(crm):
    with pytest.raises(TableError, match=r"^touches: there is no column kind"):
        dataclasses.replace(crm, touches=crm.touches.drop(columns="kind"))
