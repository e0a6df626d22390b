"""The named tables that data flows through: what a row is, its key, its columns and its checks.

Text is pandas ``str``, a moment (`_at`) is ``datetime64[us, UTC]``, a calendar day (`_on`) is ``datetime64[us]`` at
midnight without a zone, money is euros and cents as float in the agreement's one currency, missing is null.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd

# Where PySpark is installed, pandera imports all of it, which takes seconds and warns, and binds Spark to 127.0.0.1.
_LOCAL_IP = os.environ.get("SPARK_LOCAL_IP")
sys.modules.setdefault("pyspark.pandas", None)
import pandera.pandas as pa  # noqa: E402

if sys.modules["pyspark.pandas"] is None:
    del sys.modules["pyspark.pandas"]
if _LOCAL_IP is None:
    os.environ.pop("SPARK_LOCAL_IP", None)

UTC = pd.DatetimeTZDtype("us", "UTC")
DAY = "datetime64[us]"
#: The files of the study of the models: a row per kind, seed and model; what each campaign caused.
STUDY_FILES = ("which_model.csv", "which_model_truth.csv")


class TableError(ValueError):
    """Data that cannot be used, said in one line: table, column, how many rows, which first, what to do."""


def first_keys(keys: pd.Series, n: int = 3) -> str:
    """Name the first keys as an error does.

    >>> first_keys(pd.Series(["701A", "701B", "701C", "701D"]))
    'first: 701A, 701B, 701C'
    """
    return "first: " + ", ".join(str(key)[:80] for key in keys.drop_duplicates().head(n))


def _text(about: str, **options) -> pa.Column:
    return pa.Column(str, description=about, **{"nullable": True} | options)


def _key(about: str) -> pa.Column:
    return _text(about, nullable=False, unique=True)


def _moment(about: str, **options) -> pa.Column:
    return pa.Column(UTC, description=about, **{"nullable": True} | options)


def _day(about: str, **options) -> pa.Column:
    return pa.Column(DAY, description=about, **{"nullable": True} | options)


def _money(about: str, *checks: pa.Check, **options) -> pa.Column:
    return pa.Column(float, [pa.Check(np.isfinite, error="not a number"), *checks],
                     description=about, **{"nullable": True} | options)


def _number(about: str, *checks: pa.Check, **options) -> pa.Column:
    return pa.Column(float, list(checks), description=about, **{"nullable": True} | options)


def _count(about: str) -> pa.Column:
    return pa.Column("Int64", pa.Check.ge(0, error="negative"), description=about, nullable=True)


def _flag(about: str) -> pa.Column:
    return pa.Column(bool, description=about)


_NOT_NEGATIVE = pa.Check.ge(0, error="negative")
_REPORTED = {
    "n_leads": "leads", "n_contacts": "contacts", "n_responses": "responses", "n_opportunities": "opportunities",
    "n_won": "won opportunities", "value_all": "value of all opportunities", "value_won": "value of won opportunities",
}
_REPORTED_ROLLED_UP = {
    "budgeted_cost": "budget", "actual_cost": "cost", "expected_revenue": "expected revenue",
    "n_sent": "people sent to",
} | _REPORTED

#: Every table that a CRM export becomes. The description of a schema is what one row is.
SCHEMAS: dict[str, pa.DataFrameSchema] = {
    "campaigns": pa.DataFrameSchema({
        "campaign_id": _key("the campaign"),
        "parent_id": _text("the campaign above it in the tree; null at a root"),
        "campaign_name": _text("as the CRM shows it"),
        "channel": _text("the CRM's type of campaign"),
        "status": _text("the CRM's status"),
        "starts_on": _day("first day"),
        "ends_on": _day("last day; null while open-ended"),
        "budgeted_cost": _money("budget, own, money", _NOT_NEGATIVE),
        "actual_cost": _money("cost, own, money; null where nobody wrote it down", _NOT_NEGATIVE),
        "expected_revenue": _money("expected revenue, own, money"),
        "n_sent": _count("people targeted, own"),
        "is_active": _flag("the CRM's active flag"),
        "created_at": _moment("when the record was made"),
        **{f"reported_{name}": _number(f"the CRM's own figure: {about}, own") for name, about in _REPORTED.items()},
        **{f"reported_{name}_with_children": _number(f"the CRM's own figure: {about}, self and all below")
           for name, about in _REPORTED_ROLLED_UP.items()},
    }, description="a campaign", name="campaigns"),
    "people": pa.DataFrameSchema({
        "person_id": _key("the person: the contact's id where there is one, else the lead's"),
        "account_id": _text("the company; null for a lead not yet converted"),
        "lead_id": _text("the (earliest) lead record"),
        "contact_id": _text("the contact record"),
        "created_at": _moment("when the first record of the person was made"),
        "lead_created_at": _moment("when the earliest lead record was made; null for a contact that never was a lead"),
        "converted_on": _day("day on which the lead became a contact"),
        "converted_opportunity_id": _text("the deal that the lead became, where it became one"),
        "status": _text("the lead's status"),
        "lead_source": _text("the CRM's lead source"),
        "title": _text("job title"),
        "country": _text("country"),
        "industry": _text("the lead's industry; the account's stands in accounts"),
        "owner_id": _text("who owns the person"),
        "is_opted_out": _flag("has opted out of e-mail"),
        "do_not_call": _flag("must not be called"),
    }, description="a person, once, whether lead or contact or both", name="people"),
    "accounts": pa.DataFrameSchema({
        "account_id": _key("the company"),
        "account_name": _text("the company's name"),
        "parent_account_id": _text("the company above it"),
        "account_type": _text("the CRM's type"),
        "industry": _text("industry"),
        "country": _text("billing country"),
        "n_employees": _count("employees"),
        "annual_revenue": _money("the company's revenue a year, money"),
        "owner_id": _text("who owns the account"),
        "created_at": _moment("when the record was made"),
    }, description="a customer or prospect company", name="accounts"),
    "touches": pa.DataFrameSchema({
        "touch_id": _key("the campaign membership"),
        "person_id": _text("who was touched", nullable=False),
        "account_id": _text("the person's company; null for a lead not yet converted"),
        "campaign_id": _text("the campaign met", nullable=False),
        "touched_at": _moment("when; a day without a time is its local midnight", nullable=False),
        "kind": _text("response, or membership where the agreement says that membership alone counts", nullable=False),
        "joined_at": _moment("when the membership was made", nullable=False),
        "modified_at": _moment("when the membership was last edited"),
        "status": _text("the membership's status, as exported"),
    }, description="a person met a campaign (eligible touches only)", name="touches"),
    "opportunities": pa.DataFrameSchema({
        "opportunity_id": _key("the deal"),
        "account_id": _text("the buying company"),
        "opportunity_name": _text("the deal's name"),
        "opportunity_type": _text("the CRM's type, such as new or existing business"),
        "stage": _text("the stage at as_of", nullable=False),
        "value": _money("amount at as_of, money"),
        "probability": _number("0-1, at as_of", pa.Check.in_range(0, 1, error="outside 0-1")),
        "expected_value": _money("value x probability, money"),
        "close_on": _day("day of closing; while open the expected day", nullable=False),
        "created_at": _moment("when the deal was made", nullable=False),
        "is_closed": _flag("closed at as_of"),
        "is_won": _flag("won at as_of"),
        "primary_campaign_id": _text("the CRM's primary campaign source, as exported"),
        "lead_source": _text("the CRM's lead source"),
        "owner_id": _text("who owns the deal"),
    }, description="an opportunity (deal)", name="opportunities"),
    "contact_roles": pa.DataFrameSchema({
        "contact_role_id": _key("the role"),
        "opportunity_id": _text("the deal", nullable=False),
        "person_id": _text("the person in it", nullable=False),
        "role": _text("decision maker, influencer, ..."),
        "created_at": _moment("when the role was written down"),
    }, description="a person has a role in a deal", name="contact_roles"),
    "stage_changes": pa.DataFrameSchema({
        "change_id": _key("the history row"),
        "record_type": _text("lead or opportunity", checks=pa.Check.isin(["lead", "opportunity"],
                             error="neither lead nor opportunity")),
        "record_id": _text("the lead or the deal", nullable=False),
        "person_id": _text("the lead's person"),
        "from_stage": _text("the stage before; null at creation or unknown"),
        "stage": _text("the stage after", nullable=False),
        "changed_at": _moment("when", nullable=False),
        "value": _money("the deal's amount after, money"),
        "probability": _number("0-1, after"),
        "close_on": _day("the deal's close date after"),
    }, description="a lead's status or a deal's stage, amount or close date changed", name="stage_changes"),
    "field_changes": pa.DataFrameSchema({
        "field": _text("the CRM's field that a stage of the agreement is dated by", nullable=False),
        "person_id": _text("whose", nullable=False),
        "number": _number("the field's value from then on, where it is a number"),
        "number_before": _number("its value until then; null at the beginning or where it is a date"),
        "changed_at": _moment("when it took the value; where it is a date, that date", nullable=False),
    }, description="a person's field that dates a stage took a value", name="field_changes"),
    "activities": pa.DataFrameSchema({
        "activity_id": _key("the task or event"),
        "person_id": _text("with whom"),
        "account_id": _text("the person's or the deal's company"),
        "opportunity_id": _text("about which deal"),
        "kind": _text("call, email, meeting, list_email, linkedin or task"),
        "is_outbound": _flag("not known to be inbound or internal"),
        "is_done": _flag("completed (a meeting: begun) at as_of"),
        "done_at": _moment("when it was done; null while open"),
        "due_on": _day("due day"),
        "owner_id": _text("who did it or is to do it"),
        "created_at": _moment("when the record was made"),
    }, description="a call, e-mail, meeting or task of sales", name="activities"),
    "owners": pa.DataFrameSchema({
        "owner_id": _key("the user"),
        "team": _text("department"),
        "is_active": _flag("may log in"),
        "is_human": _flag("a person, not an automated user"),
    }, description="a user of the CRM who owns records", name="owners"),
    "left_out": pa.DataFrameSchema({
        "table": _text("the table the rows would have gone to", nullable=False),
        "reason": _text("why they did not", nullable=False),
        "n_rows": _count("rows"),
        "value": _money("money in those rows, 0 where rows carry none"),
    }, description="rows that were read and left out, with the reason", name="left_out"),
    "missing": pa.DataFrameSchema({
        "source": _text("the file, or file and column, that the export lacks", nullable=False),
        "consequence": _text("what cannot be computed, or what stands in for it", nullable=False),
    }, description="something the export does not have", name="missing"),
}

#: Tables further down the line, checked where they enter a function.
SCHEMAS |= {
    "conversions": pa.DataFrameSchema({
        "conversion_id": _key("the record that converted"),
        "account_id": _text("its company"),
        "person_id": _text("the person, where the stage is a person's; null for deals"),
        "converted_at": _moment("when; a day without a time is its last microsecond", nullable=False),
        "value": _money("booked money, or expected money where is_expected", nullable=False),
        "is_expected": _flag("of a stage before the sale: the value is expected, and never added to booked money"),
        "lead_created_at": _moment("earliest lead creation among the linked people, up to the conversion"),
        "lead_person_id": _text("whose lead that was"),
        "opportunity_created_at": _moment("when the deal was made"),
        "is_new_customer": _flag("the account had won no deal before"),
    }, description="a record reached the stage asked for", name="conversions"),
}


def check_table(table: pd.DataFrame, name: str, advice: str = "Export it again") -> pd.DataFrame:
    """Check a table against its schema, and return it.

    Raises TableError in one line: the first fault found, how many rows have it, the first keys, and the
    advice given. More columns than the schema's are welcome.

    >>> table = pd.DataFrame({"source": ["Task.csv", None], "consequence": ["no", "none"]}, dtype="str")
    >>> check_table(table, "missing")
    Traceback (most recent call last):
    attribution.tables.TableError: missing: source is empty in 1 of 2 rows (first: row 2). Export it again.
    """
    try:
        SCHEMAS[name].validate(table.reset_index(drop=True), lazy=True)
    except pa.errors.SchemaErrors as errors:
        raise TableError(_in_words(errors.schema_errors[0], table, name, advice)) from None
    return table


_WORDS = {"SERIES_CONTAINS_NULLS": "is empty", "SERIES_CONTAINS_DUPLICATES": "is not unique"}


def _in_words(error: pa.errors.SchemaError, table: pd.DataFrame, name: str, advice: str) -> str:
    reason = error.reason_code.name
    if reason == "COLUMN_NOT_IN_DATAFRAME":
        return f"{name}: there is no column {error.failure_cases}. {advice}."
    column = error.schema.name
    if reason == "WRONG_DATATYPE":
        return f"{name}: {column} is {table[column].dtype}, not {error.schema.dtype}. {advice}."
    rows = error.failure_cases["index"].drop_duplicates()
    key = _key_of(name)
    keys = "row " + (rows + 1).astype(str) if key in (None, column) and reason != "SERIES_CONTAINS_DUPLICATES" \
        else table[key or column].iloc[rows]
    words = _WORDS.get(reason, f"is {error.check.error}" if getattr(error.check, "error", None) else "is not valid")
    return f"{name}: {column} {words} in {len(rows):,} of {len(table):,} rows ({first_keys(keys)}). {advice}."


@cache
def _key_of(name: str) -> str | None:
    return next((column for column, about in SCHEMAS[name].columns.items() if about.unique), None)


def check_refs(table: pd.DataFrame, name: str, column: str, targets: pd.Series, where: str,
               advice: str) -> pd.DataFrame:
    """Check that every id in a column is found in another table, and return the table.

    Raises TableError that counts the rows whose id is not found.

    >>> roles = pd.DataFrame({"person_id": ["003A", "003B"]})
    >>> check_refs(roles, "contact_roles", "person_id", pd.Series(["003A"]), "people", "Export Contact.csv again")
    Traceback (most recent call last):
    attribution.tables.TableError: contact_roles: person_id not found in people in 1 of 2 rows (first: 003B). \
Export Contact.csv again.
    """
    lost = table.loc[table[column].notna() & ~is_in(table[column], targets), column]
    if len(lost):
        raise TableError(f"{name}: {column} not found in {where} in {len(lost):,} of {len(table):,} rows "
                         f"({first_keys(lost)}). {advice}.")
    return table


def find_rows(ids: pd.Series, among: pd.Series | pd.Index) -> np.ndarray:
    """Find each id's row (from 0) among others; -1 for a null and for one that is not there.

    Arrow's own search: pandas goes through text one by one, which takes seconds where this takes tenths.

    >>> find_rows(pd.Series(["b", None, "z"], dtype="str"), pd.Series(["a", "b"])).tolist()
    [1, -1, -1]
    """
    import pyarrow.compute
    found = pyarrow.compute.index_in(*(pyarrow.array(texts, pyarrow.large_string()) for texts in (ids, among)))
    return np.where(ids.isna(), -1, found.fill_null(-1).to_numpy())


def is_in(ids: pd.Series, among: pd.Series | pd.Index) -> np.ndarray:
    """Tell which ids are among others; a null is not.

    >>> is_in(pd.Series(["a", "b", None], dtype="str"), pd.Series(["b"])).tolist()
    [False, True, False]
    """
    return find_rows(ids, among) >= 0


def look_up(ids: pd.Series, values: pd.Series | pd.DataFrame) -> pd.Series | pd.DataFrame:
    """Give each id its value from a series indexed by id, or its row from a frame; null where there is none.

    Unlike pandas' own map it keeps the type of moments where there are no ids.

    >>> look_up(pd.Series(["b", "c"]), pd.Series([1.5], index=["b"])).tolist()
    [1.5, nan]
    """
    return values.reset_index(drop=True).reindex(find_rows(ids, values.index)).set_axis(ids.index)


def sort_rows(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Sort rows by columns, rising, nulls last; many times faster than pandas where a column is text.

    >>> sort_rows(pd.DataFrame({"day": [2, 1, 1], "id": ["c", "b", "a"]}), ["day", "id"])["id"].tolist()
    ['a', 'b', 'c']
    """
    import pyarrow.compute
    keys = pyarrow.Table.from_pandas(table[columns], preserve_index=False)
    order = pyarrow.compute.sort_indices(keys, sort_keys=[(column, "ascending") for column in columns])
    return table.take(order.to_numpy())


def stack_rows(tables: list[pd.DataFrame], types: dict) -> pd.DataFrame:
    """Put tables of the same columns below each other; no table at all gives one of no rows, of those types.

    >>> stack_rows([], {"n": "int64"}).dtypes.to_dict()
    {'n': dtype('int64')}
    """
    none = pd.DataFrame(columns=list(types)).astype(types)
    return pd.concat(tables, ignore_index=True) if tables else none


def empty_table(name: str) -> pd.DataFrame:
    """Make a table of no rows with every column and type of its schema.

    >>> empty_table("missing").columns.tolist()
    ['source', 'consequence']
    """
    columns = SCHEMAS[name].columns
    return pd.DataFrame({column: pd.Series(dtype=about.dtype.type) for column, about in columns.items()})


def as_pandas(frame, columns: list[str] | None = None, coded: tuple[str, ...] = ()) -> pd.DataFrame:
    """Bring any frame with Arrow's interface (polars, DuckDB, pyarrow), or a path to Parquet, to pandas.

    A path is of a file, or of a folder of files, as in list_files and read_files. Of the columns named, those that are
    there are read, and no others; text to be coded is read as categories; a pandas frame passes through as it is, but
    for Arrow's types in columns named. Days become midnights, integer ids with nulls pandas' nullable integers.
    Raises TypeError when the frame has no Arrow interface, TableError when there is no Parquet at the path, files of a
    folder do not go together, or a column stands twice.

    >>> import pyarrow
    >>> as_pandas(pyarrow.table({"n_touches": [1, 2]}))["n_touches"].sum()
    np.int64(3)
    """
    if isinstance(frame, pd.DataFrame):
        return frame if columns is None else _without_arrow(frame, _among(frame.columns, columns))
    is_path = isinstance(frame, str | os.PathLike)
    table = _read_parquet(Path(frame), columns, coded) if is_path else _as_arrow(frame, columns)
    return _to_pandas(table, self_destruct=is_path)


def _to_pandas(table, self_destruct: bool = False) -> pd.DataFrame:
    import pyarrow
    sparse = [at.name for at in table.schema
              if at.name.endswith("_id") and pyarrow.types.is_integer(at.type) and table[at.name].null_count]
    keys = {name: table[name].to_pandas(types_mapper=lambda _: pd.Int64Dtype()) for name in sparse}
    table = table.drop_columns(sparse)
    return table.to_pandas(date_as_object=False, split_blocks=True, self_destruct=self_destruct).assign(**keys)


def _without_arrow(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    names = [name for name in columns if isinstance(frame[name].dtype, pd.ArrowDtype)]
    if not names:
        return frame
    import pyarrow
    plain = _to_pandas(pyarrow.table({name: pyarrow.array(frame[name]) for name in names}))
    return frame[columns].assign(**plain.set_axis(frame.index))


def _as_arrow(frame, columns: list[str] | None):
    """Take the columns of a frame, before it is brought here where that is possible."""
    import pyarrow
    if hasattr(frame, "collect_schema"):             # polars, lazy or not
        frame = frame.lazy().select(_among(frame.collect_schema().names(), columns)).collect()
    elif hasattr(frame, "aggregate") and hasattr(frame, "columns"):              # a relation of DuckDB
        names = _among(frame.columns, columns)
        frame = frame.select(*(f'"{name}"' for name in names)) if names else frame.limit(0)
    if not hasattr(frame, "__arrow_c_stream__"):
        raise TypeError("expected a table (pandas, polars, DuckDB, pyarrow) or a path to Parquet, got "
                        f"{type(frame).__name__}")
    table = pyarrow.table(frame)
    return table.select(_among(table.column_names, columns))


def _among(names: Iterable[str], columns: list[str] | None) -> list[str]:
    chosen = [name for name in names if columns is None or name in columns]
    twice = [name for name in dict.fromkeys(chosen) if chosen.count(name) > 1]
    if twice:
        raise TableError(f"{twice[0]} stands {chosen.count(twice[0])} times among a table's columns. Leave out all but "
                         "one of them.")
    return chosen


def list_files(folder: str | os.PathLike, above: tuple[str, ...] = ()) -> list[Path]:
    """List every visible file below a folder, in order, also through links; a link back up is not followed.

    Left out are files and folders whose name begins with "." or "_".
    """
    place, found = os.path.realpath(folder), []
    if place in above:
        return []
    for path in sorted(Path(folder).iterdir()):
        if not path.name.startswith((".", "_")):
            found += list_files(path, (*above, place)) if path.is_dir() else [path]
    return found


@contextmanager
def open_parquet(path: str | os.PathLike, advice: str = "Name a Parquet file, or a folder of nothing but such files",
                 **options) -> Iterator:
    """Open a Parquet file; raises TableError that names it, and gives the advice, where it cannot be read."""
    import pyarrow.parquet
    try:
        with pyarrow.parquet.ParquetFile(path, memory_map=True, **options) as file:
            yield file
    except (OSError, pyarrow.ArrowException) as error:
        raise TableError(f"{path}: cannot be read as Parquet. {advice} ({str(error).splitlines()[0][:100]}).") from None


def read_files(files: list[Path], columns: list[str] | None, coded: tuple[str, ...] = ()) -> Any:
    """Read Parquet files, their rows below each other, as an Arrow table of those of the columns that one of them has.

    A file without a column, or without a value in it, leaves it the others' type; text to be coded may be read as
    dictionaries. A folder's name such as account_id=007 gives a column, of text, that is not in the file.
    Raises TableError where a file cannot be read, or a column has no type that holds what all files have.
    """
    import pyarrow
    tables = [_read_file(path, columns, coded) for path in files]
    if len(tables) == 1:                             # each column in one piece, which pandas takes as it is
        return tables[0]
    names = dict.fromkeys(name for table in tables for name in table.column_names)
    return pyarrow.table({name: _stack(name, [table[name] if name in table.column_names else pyarrow.nulls(len(table))
                                              for table in tables], files) for name in names})


def _read_parquet(path: Path, columns: list[str] | None, coded: tuple[str, ...]):
    files = list_files(path) if path.is_dir() else [path]
    if not files:
        raise TableError(f"{path}: there is no file in it. Name a Parquet file, or a folder of such files.")
    return read_files(files, columns, coded)


def _read_file(path: Path, columns: list[str] | None, coded: tuple[str, ...]):
    import pyarrow
    with open_parquet(path) as file:
        names = _among(file.schema_arrow.names, columns)
    with open_parquet(path, read_dictionary=[name for name in coded if name in names]) as file:
        table, n_rows = file.read(names), file.metadata.num_rows
    for name, value in partition_of(path).items():
        if name not in names and _among([name], columns):
            text = pyarrow.repeat(pyarrow.scalar(value, pyarrow.large_string()), n_rows)
            table = table.append_column(name, text.dictionary_encode() if name in coded else text)
    return table


def partition_of(path: Path) -> dict[str, str | None]:
    """Say what the names of a file's folders, where they are as Hive has them, tell of all of its rows.

    >>> partition_of(Path("touches/account_id=007/kind=__HIVE_DEFAULT_PARTITION__/part-0.parquet"))
    {'account_id': '007', 'kind': None}
    """
    pairs = [part.split("=", 1) for part in path.parts[:-1] if "=" in part]
    return {unquote(name): None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value) for name, value in pairs}


def _stack(name: str, pieces: list, files: list[Path]):
    """Put a column's pieces below each other, in a type that holds them all; one without a value is of no type."""
    import pyarrow
    kinds = {piece.type for piece in pieces if piece.null_count < len(piece)} or {pieces[0].type}
    pieces = [piece if piece.type in kinds else pyarrow.nulls(len(piece)) for piece in pieces]
    try:
        pieces = pieces if len(kinds) == 1 else list(map(_loosen, pieces))
        return pyarrow.concat_tables([pyarrow.table({name: piece}) for piece in pieces],
                                     promote_options="permissive")[name]
    except pyarrow.ArrowException as error:
        raise TableError(f"{os.path.commonpath(files)}: {name} is not of one type in all files "
                         f"({str(error).splitlines()[0][:150]}). Write it alike in all, ids all as text or all as "
                         "integers.") from None


def _loosen(piece):
    """Take what keeps types apart that hold the same: codes, zones, days instead of their midnights, bytes of text."""
    from pyarrow import large_string, timestamp, types
    if types.is_dictionary(piece.type):
        return piece.cast(piece.type.value_type)
    if types.is_timestamp(piece.type) or types.is_date(piece.type):
        return piece.cast(timestamp(getattr(piece.type, "unit", "us"), "UTC"))
    is_text = types.is_binary(piece.type) or types.is_large_binary(piece.type) or types.is_string_view(piece.type)
    return piece.cast(large_string()) if is_text else piece


def to_cents(money: pd.Series) -> np.ndarray:
    """Turn money into whole cents (int64), null as 0.

    >>> to_cents(pd.Series([1234.56, None, -0.01])).tolist()
    [123456, 0, -1]
    """
    return np.rint(np.nan_to_num(money.to_numpy(float, na_value=np.nan)) * 100).astype(np.int64)


@dataclass(frozen=True)
class CRM:
    """What a CRM export says, as typed and checked tables; the attributes are described in SCHEMAS."""

    campaigns: pd.DataFrame
    people: pd.DataFrame
    accounts: pd.DataFrame
    touches: pd.DataFrame
    opportunities: pd.DataFrame
    contact_roles: pd.DataFrame
    stage_changes: pd.DataFrame
    activities: pd.DataFrame
    owners: pd.DataFrame
    left_out: pd.DataFrame
    missing: pd.DataFrame
    exported_at: pd.Timestamp                        # the latest edit that the export has seen, UTC
    as_of: pd.Timestamp                              # the moment that the tables speak of, UTC
    currency: str = "XXX"                            # of every money column; XXX where the export does not say
    sources: dict[str, str] = field(default_factory=dict)    # file name → sha256 of its bytes
    field_changes: pd.DataFrame = field(default_factory=lambda: empty_table("field_changes"))

    def __post_init__(self):
        for table in fields(self):
            if table.name in SCHEMAS:
                check_table(getattr(self, table.name), table.name)
