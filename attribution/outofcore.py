"""Larger than memory: the same kernel over parts of the touches that DuckDB cuts, and a dataset of touches by month.

A conversion's credit depends on the touches that link to it alone. So the conversions are dealt out into parts by what
links them, each part gets every touch that one of its conversions asks for, and the parts' sums, in whole cents, add up.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from glob import glob
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from attribution import credit
from attribution.journeys import DAY_MICROSECONDS, read_columns
from attribution.models import Model
from attribution.tables import TableError, as_pandas, empty_table, first_keys

BYTES_A_TOUCH = 250                                  # of a part at the kernel's peak
N_AT_ONCE = 2                                        # parts under way
_EARLIEST = -62_135_596_800_000_000                  # microseconds: the year 1
_MONTH = "touched_month="
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT")
_NEEDED = {"touches": ["touch_id", "person_id", "account_id", "campaign_id", "touched_at"],
           "conversions": ["conversion_id", "account_id", "person_id", "converted_at", "value"],
           "contact_roles": ["opportunity_id", "person_id"]}
_MEMBERSHIP = ["joined_at", "modified_at"]
_WELCOME = {"touches": ["kind", *_MEMBERSHIP],
            "conversions": ["lead_created_at", "lead_person_id", "opportunity_created_at"], "contact_roles": []}

#: The columns of ids that are compared with each other: all text, or all integers.
_ALIKE = [[("touches", "account_id"), ("conversions", "account_id")],
          [("touches", "person_id"), ("conversions", "person_id"), ("conversions", "lead_person_id"),
           ("contact_roles", "person_id")],
          [("conversions", "conversion_id"), ("contact_roles", "opportunity_id")]]

#: How each conversion is linked and the part it goes to; the accounts and people asked for, with their parts; campaigns.
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

#: What each part is given; ids that link become codes, null where nobody asks for them.
_PARTS = {
    "touches": """
SELECT touch_id, accounts.code AS account_id, {person} AS person_id, campaigns.code AS campaign_id, touched_at{more},
       {part} AS part
FROM touches {joined} LEFT JOIN campaigns USING (campaign_id)""",
    "conversions": """
SELECT links.* EXCLUDE (by_person, by_role) REPLACE (
       accounts.code AS account_id, people.code AS person_id, leads.code AS lead_person_id)
FROM links LEFT JOIN accounts USING (account_id, part) LEFT JOIN people USING (person_id)
           LEFT JOIN people AS leads ON lead_person_id = leads.person_id""",
    "contact_roles": """
SELECT opportunity_id, people.code AS person_id, part
FROM contact_roles JOIN links ON opportunity_id = conversion_id JOIN people ON contact_roles.person_id = people.person_id
WHERE by_role""",
}
_BY_ACCOUNT = {"person": "NULL::INTEGER", "part": "accounts.part", "joined": "JOIN accounts USING (account_id)"}
_BY_PERSON = {"person": "people.code", "part": "unnest(list_distinct(list_append(people.parts, accounts.part)))",
              "joined": "LEFT JOIN accounts USING (account_id) LEFT JOIN people USING (person_id)"}


def credit_by_campaign(touches: str | Path, conversions, models: Sequence[str] | Mapping[str, Model] | None = None,
                       contact_roles=None, *, linking: str = "hybrid", lookback_days: float | None = 365,
                       time_zone: str = "UTC", memory_gb: float = 4) -> pd.DataFrame:
    """Set models side by side, by campaign, from touches in Parquet files that need not fit in memory.

    touches: a file, a folder (also one of append_touches, of which only the months that the look-back reaches are
    opened), or a pattern such as "touches/*.parquet"; conversions and contact_roles: tables, or such paths.
    Returns the rows of credit.credit_by_campaign with the same options, to the cent. Touches are read, and checked, only
    where they lie within the look-back of some conversion and have an account or person that one asks for. They are cut
    into parts in a temporary folder (TMPDIR sets its place), which takes about their own room; an account with all its
    touches, or a deal with its people's, has to fit into memory.
    Raises what credit.credit_by_campaign raises, TableError also for files that cannot be read, and ImportError without
    DuckDB, which attribution-kit[large] brings along.
    """
    options = {"linking": linking, "lookback_days": lookback_days, "time_zone": time_zone}
    roles = None if contact_roles is None else empty_table("contact_roles")
    nothing = credit.credit_by_campaign(empty_table("touches"), empty_table("conversions"), models, roles, **options)
    with TemporaryDirectory(prefix="attribution-") as name:
        folder = Path(name)
        with _database(folder, memory_gb) as database:
            _open(database, touches, conversions, contact_roles, lookback_days)
            campaigns = _cut(database, folder, linking, memory_gb, with_membership=isinstance(models, Mapping))
        work = partial(_credit_part, folder, campaigns=campaigns, models=models, is_role=roles is not None, **options)
        parts = sorted(path.name for path in (folder / "conversions").glob("part=*"))
        with ThreadPoolExecutor(N_AT_ONCE) as pool:
            return _add_up([nothing, *pool.map(work, parts)])


@contextmanager
def _database(folder: Path, memory_gb: float) -> Iterator:
    """Open a DuckDB of its own, within half of the memory: its limit does not bind all that it takes."""
    try:
        import duckdb
    except ImportError:
        raise ImportError("attribution.outofcore: needs DuckDB. Install it: pip install 'attribution-kit[large]'"
                          ) from None
    config = {"memory_limit": f"{memory_gb / 2}GB", "temp_directory": str(folder / "spilled"),
              "preserve_insertion_order": False}
    with duckdb.connect(config=config) as database:
        try:
            yield database
        except duckdb.Error as error:
            raise TableError(" ".join(str(error).split())) from None


def _open(database, touches, conversions, contact_roles, lookback_days: float | None) -> None:
    """Make views of the three tables: touches within the look-back, ids that are compared of one type."""
    roles = empty_table("contact_roles") if contact_roles is None else contact_roles
    _give(database, "conversions", _find_files(conversions, "conversions"))
    _give(database, "contact_roles", _find_files(roles, "contact_roles"))
    window = _window(database, lookback_days)
    _give(database, "touches", _find_files(touches, "touches", *window))
    types = {column: kind for alike in _ALIKE for kind in [_type_of(database, alike)] for column in alike}
    for name in _NEEDED:
        database.execute(f"CREATE VIEW {name} AS SELECT {_select(database, name, types)} FROM given_{name}"
                         + (f" WHERE {_within(database, *window)}" if name == "touches" else ""))


def _give(database, name: str, given) -> None:
    """Make a view of a list of Parquet files or of a table, checked for the columns and their types."""
    if isinstance(given, list):
        database.read_parquet(given, union_by_name=True).create_view(f"given_{name}")
    else:
        import pyarrow
        database.register(f"given_{name}", pyarrow.table(as_pandas(given)))
    read_columns(database.view(f"given_{name}").limit(1).df(), name, _NEEDED[name], _WELCOME[name])


def _find_files(given, name: str, since: int | None = None, until: int | None = None):
    """List the Parquet files of a path, in a dataset by months those of the window; a table passes through."""
    if not isinstance(given, str | Path):
        return given
    if Path(given).is_dir():
        files = [path for path in sorted(Path(given).rglob("*.parquet"))
                 if not any(part.startswith((".", "_")) for part in path.relative_to(given).parts)]
    else:
        files = [Path(path) for path in sorted(glob(str(given), recursive=True))]
    if not files:
        raise TableError(f"{name}: there is no Parquet file at {given}. Give a file, a folder or a pattern.")
    chosen = [path for path in files if _is_reached(path, since, until)]
    return [str(path) for path in chosen] if chosen else empty_table(name)


def _is_reached(path: Path, since: int | None, until: int | None) -> bool:
    """Tell whether a file may hold touches of the window: the name of its folder says which month it is of."""
    months = [part.removeprefix(_MONTH) for part in path.parts if part.startswith(_MONTH)]
    return not months or ((since is None or _month_of(since) <= months[-1])
                          and (until is None or months[-1] <= _month_of(until)))


def _month_of(moment: int) -> str:
    return str(np.datetime64(moment, "us").astype("datetime64[M]"))


def _window(database, lookback_days: float | None) -> tuple[int, int]:
    """Give the first and the last moment that may count; a local day begins up to 25 hours before a moment in it."""
    [(first, last)] = database.execute("SELECT min(epoch_us(converted_at)), max(epoch_us(converted_at)) "
                                       "FROM given_conversions").fetchall()
    if first is None:
        return _EARLIEST, _EARLIEST
    longest = (first - _EARLIEST) if lookback_days is None else int(lookback_days + 2) * DAY_MICROSECONDS
    return max(first - longest, _EARLIEST), last


def _within(database, since: int, until: int) -> str:
    """Say in SQL, so that DuckDB can skip what lies outside, that a touch is of the window or has no time."""
    kind = _types(database, "given_touches")["touched_at"]
    since, until = (f"'{np.datetime64(moment, 'us')}{'+00' if 'ZONE' in kind else ''}'::{kind}"
                    for moment in (since, until))
    return f"touched_at BETWEEN {since} AND {until} OR touched_at IS NULL"


def _types(database, view: str) -> dict[str, str]:
    relation = database.view(view)
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def _type_of(database, alike: list[tuple[str, str]]) -> str:
    """Find the type in which to compare ids: integers, or text where no column has integers."""
    found = {}
    for name, column in alike:
        kind = _types(database, f"given_{name}").get(column)
        if kind and database.execute(f"SELECT 1 FROM given_{name} WHERE {column} IS NOT NULL LIMIT 1").fetchall():
            found.setdefault("BIGINT" if kind in _INTEGERS else "VARCHAR", f"{name}: {column}")
    if len(found) == 2:
        raise TableError(f"{found['BIGINT']} is an integer, but text in {found['VARCHAR'].replace(': ', '.')}. Read ids "
                         "alike in all tables, as text where some look like no numbers.")
    return next(iter(found), "VARCHAR")


def _select(database, name: str, types: dict[tuple[str, str], str]) -> str:
    given = _types(database, f"given_{name}")
    own = {column: kind for (table, column), kind in types.items() if table == name}
    chosen = [column for column in _NEEDED[name] + _WELCOME[name] if column in given or column in own]
    return ", ".join(f"{column if column in given else 'NULL'}::{own[column]} AS {column}" if column in own else column
                     for column in chosen)


def _cut(database, folder: Path, linking: str, memory_gb: float, with_membership: bool) -> pd.Index:
    """Write the rows of each part into files of its own, and return what the campaigns' codes mean."""
    _check(database)
    columns = _types(database, "touches")
    n_kinds = "count(DISTINCT kind)" if "kind" in columns else "0"
    [(n_touches, n_kinds)] = database.execute(f"SELECT count(*), {n_kinds} FROM touches").fetchall()
    n_parts = max(1, ceil(n_touches * BYTES_A_TOUCH * N_AT_ONCE / (max(memory_gb - 0.5, 0.1) * 1e9)))
    database.execute(_LINKS.format(n_parts=n_parts, by_role=_BY_ROLE[linking]))
    more = (["kind"] if n_kinds > 1 else []) + [name for name in _MEMBERSHIP if with_membership and name in columns]
    names = {"more": "".join(f", {name}" for name in more),
             **(_BY_PERSON if database.execute("SELECT 1 FROM people LIMIT 1").fetchall() else _BY_ACCOUNT)}
    for name, rows in _PARTS.items():
        database.execute(f"COPY ({rows.format(**names)}) TO '{folder / name}' "
                         "(FORMAT parquet, COMPRESSION lz4, PARTITION_BY part)")
    names = database.execute("SELECT name FROM campaigns ORDER BY code").df()["name"]
    return pd.Index(names, dtype="str")


def _check(database) -> None:
    """Refuse what would be overlooked part by part: a deal that stands twice, a role of nobody or nothing."""
    [(n, n_ids)] = database.execute("SELECT count(*), count(DISTINCT conversion_id) FROM conversions").fetchall()
    repeated = "SELECT conversion_id FROM conversions GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 3"
    if n_ids < n and len(ids := database.execute(repeated).df()):
        raise TableError(f"conversions: conversion_id is not unique in {n:,} rows ({first_keys(ids['conversion_id'])}). "
                         "Correct those rows or leave them out.")
    for column in _NEEDED["contact_roles"]:
        [(n, n_filled)] = database.execute(f"SELECT count(*), count({column}) FROM contact_roles").fetchall()
        if n_filled < n:
            raise TableError(f"contact_roles: {column} is empty in {n - n_filled:,} of {n:,} rows. Correct those rows "
                             "or leave them out.")


def _credit_part(folder: Path, part: str, *, campaigns: pd.Index, models, is_role: bool, **options) -> pd.DataFrame:
    touches, conversions, roles = (_read_part(folder / name / part, name) for name in _PARTS)
    codes = touches["campaign_id"].astype("Int32").fillna(-1)
    touches["campaign_id"] = pd.Categorical.from_codes(codes, campaigns)
    return credit.credit_by_campaign(touches, conversions, models, roles if is_role else None, **options)


def _read_part(folder: Path, name: str) -> pd.DataFrame:
    """Read a part's rows; codes, which alone have 32 bits, may be null."""
    if not folder.exists():
        return empty_table(name)
    import pyarrow
    import pyarrow.parquet
    table = pyarrow.parquet.ParquetDataset(folder, partitioning=None).read()
    return table.to_pandas(types_mapper={pyarrow.int32(): pd.Int32Dtype()}.get, self_destruct=True)


def _add_up(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Add the parts' rows by model and campaign, in cents, models in their order and what is unattributed last."""
    rows = pd.concat(parts, ignore_index=True)
    rows["credit"] = (rows["credit"] * 100).round().astype("int64")
    order = {model: i for i, model in enumerate(rows["model"].unique())}
    added = rows.groupby(["model", "campaign_id"], dropna=False, as_index=False)[["credit", "n_conversions"]].sum()
    added = added.assign(credit=added["credit"] / 100, order=added["model"].map(order))
    return added.sort_values(["order", "campaign_id"], ignore_index=True).drop(columns="order")
