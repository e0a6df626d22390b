"""Larger than memory: the same kernel over parts of the touches that DuckDB reads.

A conversion's credit depends on the touches that link to it alone. So the conversions are dealt out by what links them,
each part gets every touch that one of its conversions asks for, and the parts' sums, in whole cents, add up. As many
parts are in memory at a time as have room there, and for the next ones the files are read again.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from glob import escape
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from attribution import credit, frames
from attribution.dataset import NEEDED, WELCOME, find_files
from attribution.frames import ALIKE, check_alike, in_threads, read_columns
from attribution.journeys import DAY_MICROSECONDS
from attribution.models import Model
from attribution.tables import TableError, empty_table, first_keys, partition_of

BYTES_A_TOUCH, BYTES_A_CONVERSION = 40, 64           # in memory, until the kernel takes their part
PART_TOUCHES = 1_000_000
BATCH_ROWS = 500_000
_SPARED_GB, _SPARED_GB_A_CORE = 0.5, 0.2             # for DuckDB and the libraries, and for the part under way
_EARLIEST = -8_520_336_000_000_000                   # microseconds: the year 1700, which nanoseconds reach
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT")
_NEEDED = {"touches": NEEDED,
           "conversions": ["conversion_id", "account_id", "person_id", "converted_at", "value"],
           "contact_roles": ["opportunity_id", "person_id"]}
_KEYS = [("conversions", "conversion_id"), *(("contact_roles", column) for column in _NEEDED["contact_roles"])]
_MEMBERSHIP = ["joined_at", "modified_at"]
_WELCOME = {"touches": WELCOME,
            "conversions": ["lead_created_at", "lead_person_id", "opportunity_created_at"], "contact_roles": []}

#: Each conversion with its part and how it is linked; the accounts and people asked for, with their parts; campaigns.
_LINKS = """
CREATE VIEW links AS
SELECT *, (CASE WHEN by_person THEN hash(person_id) WHEN by_role OR account_id IS NULL THEN hash(conversion_id)
           ELSE hash(account_id) END % {n_parts})::INTEGER AS part
FROM (SELECT *, person_id IS NOT NULL AS by_person, person_id IS NULL AND {by_role} AS by_role FROM conversions);

CREATE TABLE accounts AS
SELECT account_id, part, (row_number() OVER ())::INTEGER AS code
FROM (SELECT DISTINCT account_id, part FROM links WHERE NOT by_person AND NOT by_role AND account_id IS NOT NULL);

CREATE TABLE people AS
SELECT person_id, list(DISTINCT part) FILTER (part IS NOT NULL) AS parts, (row_number() OVER ())::INTEGER AS code
FROM (SELECT person_id, part FROM links WHERE by_person
      UNION ALL SELECT lead_person_id, NULL FROM links WHERE lead_person_id IS NOT NULL
      UNION ALL SELECT contact_roles.person_id, part FROM contact_roles JOIN links ON opportunity_id = conversion_id
                WHERE by_role)
GROUP BY person_id;

CREATE TABLE campaigns AS
SELECT campaign_id, campaign_id::VARCHAR AS name, (row_number() OVER ())::INTEGER - 1 AS code
FROM (SELECT DISTINCT campaign_id FROM touches WHERE campaign_id IS NOT NULL);
"""
_BY_ROLE = {"account": "false", "role": "true",
            "hybrid": "conversion_id IN (SELECT opportunity_id FROM contact_roles)"}

#: What the parts are given; ids that link become codes, null where nobody asks for them.
_PARTS = {
    "touches": """
SELECT touch_id, accounts.code AS account_id, {person}campaigns.code AS campaign_id, touched_at{more}, {part} AS part
FROM touches {joined} LEFT JOIN campaigns USING (campaign_id)""",
    "conversions": """
SELECT links.* EXCLUDE (by_person, by_role) REPLACE (
       accounts.code AS account_id, people.code AS person_id, leads.code AS lead_person_id)
FROM links LEFT JOIN accounts USING (account_id, part) LEFT JOIN people USING (person_id)
           LEFT JOIN people AS leads ON lead_person_id = leads.person_id""",
    "contact_roles": """
SELECT opportunity_id, people.code AS person_id, part
FROM contact_roles JOIN links ON opportunity_id = conversion_id
                   JOIN people ON contact_roles.person_id = people.person_id
WHERE by_role""",
}
_BY_ACCOUNT = {"person": "", "part": "accounts.part", "joined": "JOIN accounts USING (account_id)"}
_BY_PERSON = {"person": "people.code AS person_id, ",
              "part": "unnest(list_distinct(list_append(people.parts, accounts.part)))",
              "joined": "LEFT JOIN accounts USING (account_id) LEFT JOIN people USING (person_id)"}


def credit_by_campaign(touches: str | Path, conversions, models: Sequence[str] | Mapping[str, Model] | None = None,
                       contact_roles=None, *, linking: str = "hybrid", lookback_days: float | None = 365,
                       time_zone: str = "UTC", to_the_cent: bool = True, memory_gb: float = 4) -> pd.DataFrame:
    """Set models side by side, by campaign, from touches in Parquet files that need not fit into memory.

    touches: a file, a folder (also one of append_touches, of which only the months that the look-back reaches are
    opened), or a pattern such as "touches/*.parquet"; conversions and contact_roles: tables, or such paths. Of a folder
    every visible file is read, as credit.credit_by_campaign reads it.
    Returns the rows of credit.credit_by_campaign with the same options, to the cent. Touches are read, and checked,
    only where they lie within the look-back of some conversion and have an account or person that one asks for; the
    files are read again for what has no room in memory (memory_gb) the first time. Conversions' and people's ids, and
    an account with all its touches, or a deal with its people's, have to fit into it. A touch_id that stands twice is
    found where both its rows fall into one part, as the copies of a row do.
    Raises what credit.credit_by_campaign raises, TableError also for files that cannot be read, and ImportError without
    DuckDB, which attribution-kit[large] brings along.
    """
    if not memory_gb > 0:
        raise ValueError(f"memory_gb: {memory_gb!r} is not a number of gigabytes above 0")
    options = {"linking": linking, "lookback_days": lookback_days, "time_zone": time_zone,
               "to_the_cent": to_the_cent}
    roles = None if contact_roles is None else empty_table("contact_roles")
    nothing = credit.credit_by_campaign(empty_table("touches"), empty_table("conversions"), models, roles, **options)
    work = partial(_credit_part, models=models, is_role=roles is not None, **options)
    with _database(memory_gb) as database:
        _open(database, touches, conversions, contact_roles, lookback_days)
        campaigns, queries, readings = _link(database, linking, memory_gb, with_membership=isinstance(models, Mapping))
        sums = [part for parts in readings for part in in_threads(work, _deal(database, queries, parts))]
    return _add_up([nothing, *sums], campaigns)


@contextmanager
def _database(memory_gb: float) -> Iterator:
    """Open a DuckDB of its own, within half of the memory: its limit does not bind all that it takes."""
    try:
        import duckdb
    except ImportError:
        raise ImportError("attribution.outofcore: needs DuckDB. Install it: pip install 'attribution-kit[large]'"
                          ) from None
    config = {"memory_limit": f"{memory_gb / 2}GB", "preserve_insertion_order": False}
    with TemporaryDirectory(prefix="attribution-") as spill, duckdb.connect(config=config) as database:
        database.execute("SET temp_directory = ?", [spill])
        database.execute("SET TimeZone = 'UTC'")     # of days and moments without a zone, beside others that have one
        try:
            yield database
        except duckdb.Error as error:
            raise _fault(error) from None


def _open(database, touches, conversions, contact_roles, lookback_days: float | None) -> None:
    """Make views of the three tables: touches within the look-back, ids that are compared of one type."""
    roles = empty_table("contact_roles") if contact_roles is None else contact_roles
    kinds = _give(database, "conversions", find_files(conversions, "conversions"))
    kinds |= _give(database, "contact_roles", find_files(roles, "contact_roles"))
    window = _window(database, lookback_days)
    kinds |= _give(database, "touches", find_files(touches, "touches", *window))
    types = _find_types(kinds)
    for name in _NEEDED:
        database.execute(f"CREATE VIEW {name} AS SELECT {_select(database, name, types)} FROM given_{name}"
                         + (f" WHERE {_within(database, *window)}" if name == "touches" else ""))


def _give(database, name: str, given) -> dict[tuple[str, str], str]:
    """Make a view of a list of Parquet files or of a table, checked for the columns and their types.

    Returns the kinds of those ids that have a value: a type of integers, or empty for text.
    """
    needed, welcome, whole = _NEEDED[name], _WELCOME[name], set()
    if isinstance(given, list):
        _read_files(database, given, {*needed, *welcome}).create_view(f"given_{name}")
        whole = _list_integers(database, given, name)
    else:
        import pyarrow
        rows = read_columns(given, name, needed, welcome, as_stored=True)
        database.register(f"given_{name}", pyarrow.Table.from_pandas(rows, preserve_index=False))
    kinds = _types(database, f"given_{name}")
    values = read_columns(_pick_values(database, name, kinds), name, needed, welcome, as_stored=True)
    integers = dict.fromkeys(whole, "bigint") | {column: kind.lower() for column, kind in kinds.items()
                                                 if kind in _INTEGERS}
    return {(name, column): integers.get(column, "")
            for column in values if column.endswith("_id") and values[column].notna().all()}


def _read_files(database, paths: list[str], columns: set[str]):
    """Read Parquet files; a folder's name such as account_id=007 gives a column, of text, that no file has."""
    files, named = [escape(path) for path in paths], {name for path in paths for name in partition_of(Path(path))}
    rows = database.read_parquet(files, union_by_name=True, hive_partitioning=False)
    if not named & columns - set(rows.columns):
        return rows
    return database.sql("SELECT * FROM read_parquet(?, union_by_name = true, hive_partitioning = true, "
                        "hive_types_autocast = false)", params=[files])


def _list_integers(database, paths: list[str], name: str) -> set[str]:
    """List the columns that are integers in every file where they have a value: empty months may say they are text."""
    rows = database.execute("""
SELECT path_in_schema, bool_or(is_integer), count(DISTINCT CASE WHEN is_integer THEN 'INTEGER' ELSE type END)
FROM (SELECT *, type IN ('INT32', 'INT64') AS is_integer FROM parquet_metadata(?))
WHERE num_values > coalesce(stats_null_count, 0) GROUP BY ALL""", [[escape(path) for path in paths]]).fetchall()
    for column, _, n_types in rows:
        if n_types > 1 and column.endswith("_id") and column in _NEEDED[name] + _WELCOME[name]:
            raise TableError(f"{name}: {column} is not of one type in all files. Write ids as text in all, or as "
                             "integers.")
    return {column for column, is_integer, _ in rows if is_integer}


def _pick_values(database, name: str, kinds: dict[str, str]):
    """Pick one value of each column, null only where it has none: what tells that the types are right."""
    columns = [column for column in _NEEDED[name] + _WELCOME[name] if column in kinds]
    values = (f"(SELECT {column} FROM given_{name} WHERE {column} IS NOT NULL LIMIT 1) AS {column}"
              for column in columns)
    return database.sql(", ".join(["SELECT 1 AS n", *values]))


def _window(database, lookback_days: float | None) -> tuple[np.datetime64, np.datetime64]:
    """Give the first and the last moment (UTC) that may count; a local day begins up to 25 hours before its end."""
    kind = "TIMESTAMPTZ" if _is_zoned(_types(database, "given_conversions")["converted_at"]) else "TIMESTAMP"
    [(first, last)] = database.execute(f"SELECT epoch_us(min(converted_at)::{kind}), "
                                       f"epoch_us(max(converted_at)::{kind}) FROM given_conversions").fetchall()
    first, last = (_EARLIEST, _EARLIEST) if first is None else (first, last)
    longest = first - _EARLIEST if lookback_days is None else int(lookback_days + 2) * DAY_MICROSECONDS
    return np.datetime64(max(first - longest, _EARLIEST), "us"), np.datetime64(last + 1, "us")


def _within(database, since: np.datetime64, until: np.datetime64) -> str:
    """Say in SQL, so that DuckDB can skip what lies outside, that a touch is of the window or has no time."""
    kind = _types(database, "given_touches")["touched_at"]
    since, until = (f"'{moment}{'+00' if _is_zoned(kind) else ''}'::{kind}" for moment in (since, until))
    return f"touched_at BETWEEN {since} AND {until} OR touched_at IS NULL"


def _is_zoned(kind: str) -> bool:
    return kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")


def _types(database, view: str) -> dict[str, str]:
    relation = database.view(view)
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def _find_types(kinds: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """Find the types in which to compare ids: integers, or text where no column has integers."""
    check_alike(kinds)
    return {column: "BIGINT" if any(kinds.get(each) for each in columns) else "VARCHAR"
            for columns in ALIKE for column in columns}


def _select(database, name: str, types: dict[tuple[str, str], str]) -> str:
    given = _types(database, f"given_{name}")
    own = {column: kind for (table, column), kind in types.items() if table == name}
    chosen = [column for column in _NEEDED[name] + _WELCOME[name] if column in given or column in own]
    return ", ".join(f"{column if column in given else 'NULL'}::{own[column]} AS {column}" if column in own else column
                     for column in chosen)


def _link(database, linking: str, memory_gb: float, with_membership: bool
          ) -> tuple[pd.Series, dict[str, str], list[range]]:
    """Deal the conversions out, and say what links to each part.

    Returns the campaigns by their codes, the query for the parts' rows of each table, and the parts of each reading.
    """
    _check(database)
    columns = _types(database, "touches")
    n_kinds = "count(DISTINCT kind) + (count(kind) < count(*))::INTEGER" if "kind" in columns else "0"
    [(n_touches, n_kinds)] = database.execute(f"SELECT count(*), {n_kinds} FROM touches").fetchall()
    [(n_conversions,)] = database.execute("SELECT count(*) FROM conversions").fetchall()
    readings = _plan(n_touches, n_conversions, memory_gb)
    database.execute(_LINKS.format(n_parts=readings[-1].stop, by_role=_BY_ROLE[linking]))
    more = (["kind"] if n_kinds > 1 else []) + [name for name in _MEMBERSHIP if with_membership and name in columns]
    names = {"more": "".join(f", {name}" for name in more),
             **(_BY_PERSON if database.execute("SELECT 1 FROM people LIMIT 1").fetchall() else _BY_ACCOUNT)}
    campaigns = database.execute("SELECT code::VARCHAR AS code, name FROM campaigns").df().set_index("code")["name"]
    return campaigns, {name: rows.format(**names) for name, rows in _PARTS.items()}, readings


def _plan(n_touches: int, n_conversions: int, memory_gb: float) -> list[range]:
    """Say which parts are read at a time: as many as have room beside the rest."""
    n_parts = max(1, ceil(n_touches / PART_TOUCHES))
    room = max(memory_gb - _SPARED_GB - frames.N_CORES * _SPARED_GB_A_CORE, memory_gb / 4) * 1e9
    n_readings = max(1, ceil((n_touches * BYTES_A_TOUCH + n_conversions * BYTES_A_CONVERSION) / room))
    at_once = ceil(n_parts / n_readings)
    return [range(first, min(first + at_once, n_parts)) for first in range(0, n_parts, at_once)]


def _deal(database, queries: dict[str, str], parts: range) -> list[dict]:
    """Read the rows of these parts: for each a dictionary of Arrow tables."""
    import pyarrow
    dealt = [{} for _ in parts]
    for name, rows in queries.items():
        rows = database.sql(f"SELECT * FROM ({rows}) WHERE part BETWEEN {parts[0]} AND {parts[-1]}")
        try:
            pieces = [_sort_by_part(batch, parts) for batch in rows.to_arrow_reader(BATCH_ROWS)]
        except (OSError, pyarrow.ArrowException) as error:           # what Arrow makes of DuckDB's
            raise _fault(error) from None
        nothing = rows.limit(0).to_arrow_table().drop_columns("part")
        for tables, batches in zip(dealt, zip(*pieces, strict=True) if pieces else [()] * len(parts), strict=True):
            tables[name] = pyarrow.Table.from_batches(batches, nothing.schema)
    return dealt


def _fault(error: Exception) -> TableError:
    return TableError(f"attribution.outofcore: the tables cannot be read: {str(error).splitlines()[0][:300]}")


def _sort_by_part(batch, parts: range) -> list:
    """Give the rows of each part, next to each other in memory."""
    import pyarrow
    part = batch["part"].to_numpy() - parts[0]
    by_part = np.argsort(part.astype(np.int16), kind="stable")           # by counting, in 16 bits
    ends = np.cumsum(np.bincount(part, minlength=len(parts)))
    ordered = batch.drop_columns("part").take(pyarrow.array(by_part))
    return [ordered.slice(first, last - first) for first, last in zip([0, *ends[:-1]], ends, strict=True)]


def _check(database) -> None:
    """Refuse what would be overlooked part by part: a deal that stands twice, a role of nobody or nothing."""
    for name, column in _KEYS:
        [(n, n_filled)] = database.execute(f"SELECT count(*), count({column}) FROM {name}").fetchall()
        if n_filled < n:
            raise TableError(f"{name}: {column} is empty in {n - n_filled:,} of {n:,} rows. Correct those rows or "
                             "leave them out.")
    repeated = "SELECT conversion_id FROM conversions GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 3"
    if len(ids := database.execute(repeated).df()):
        raise TableError(f"conversions: conversion_id is not unique ({first_keys(ids['conversion_id'])}). Correct "
                         "those rows or leave them out.")


def _credit_part(tables: dict, *, models, is_role: bool, **options) -> pd.DataFrame:
    return credit.credit_by_campaign(tables["touches"], tables["conversions"], models,
                                     tables["contact_roles"] if is_role else None, **options)


def _add_up(parts: list[pd.DataFrame], campaigns: pd.Series) -> pd.DataFrame:
    """Add the parts' rows by model and campaign, in cents, models in their order and what is unattributed last."""
    rows = pd.concat(parts, ignore_index=True)
    rows["credit"] = (rows["credit"] * 100).round().astype("int64")
    added = rows.groupby(["model", "campaign_id"], dropna=False, sort=False, as_index=False).sum()
    order = added["model"].map({model: i for i, model in enumerate(rows["model"].unique())})
    added = added.assign(credit=added["credit"] / 100, campaign_id=added["campaign_id"].map(campaigns).astype("str"))
    return added.assign(order=order).sort_values(["order", "campaign_id"], ignore_index=True).drop(columns="order")
