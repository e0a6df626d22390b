"""The kernel's door: the columns of any frame in the kernel's types, checked, and ids found by number.

Ids are text; the integer keys of a warehouse stay integers, if every table has them so.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import current_thread
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_integer_dtype

from attribution.tables import UTC, TableError, as_pandas, find_rows, first_keys

MAX_CENTS = 2**43                                    # so that 2^-20 cents fit a 64-bit integer
FEW_ROWS = 200_000                                   # a second thread costs more than it saves
BLOCK = 65_536                                       # rows
N_CORES = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
              8)                                     # more of them only wait for memory
#: The columns of ids that are compared with each other: table and column.
ALIKE = (
    (("touches", "account_id"), ("conversions", "account_id")),
    (("touches", "person_id"), ("conversions", "person_id"), ("conversions", "lead_person_id"),
     ("contact_roles", "person_id")),
    (("conversions", "conversion_id"), ("contact_roles", "opportunity_id")))
_FEW_VALUES = ("campaign_id", "kind")
_TEXT = ("str", "string", "integer", "mixed")        # mixed are objects of other kinds, such as UUIDs
_MAX_ID = 2**62
_OURS = "attribution"                                # the threads' name
_SPARSE = 8                                          # places in a list of integers for each one that is there


def in_threads(function: Callable, parts: Iterable) -> Iterator:
    """Give what a function returns for each part, in order: on all cores, for numpy and Arrow release Python's lock.

    >>> list(in_threads(abs, [-1, 2]))
    [1, 2]
    """
    parts = list(parts)
    if len(parts) < 2 or N_CORES < 2 or _is_in_thread():
        yield from map(function, parts)
        return
    with ThreadPoolExecutor(N_CORES, _OURS) as pool:
        yield from pool.map(function, parts)


def _is_in_thread() -> bool:
    """Tell whether this is work on a part, beside that on others: it is not cut further."""
    return current_thread().name.startswith(_OURS)


def count_parts(n_rows: int) -> int:
    """Say into how many parts work on so many rows is cut: one for each core, few rows into one."""
    return N_CORES if n_rows > FEW_ROWS and not _is_in_thread() else 1


def fill(n_rows: int, kind: type, function: Callable[[slice], np.ndarray], block: int | None = BLOCK) -> np.ndarray:
    """Make an array of what a function gives for each block of rows (None: a block for each core), on all cores.

    Blocks fit the processor's cache: a whole column at a time, most of the time would go into fresh memory.

    >>> fill(3, int, lambda rows: np.arange(3)[rows] * 2).tolist()
    [0, 2, 4]
    """
    filled, n_parts = np.empty(n_rows, kind), count_parts(n_rows)
    block = min(block or n_rows, max(1, -(-n_rows // n_parts)))
    blocks = [slice(first, first + block) for first in range(0, n_rows, block)]

    def work(part: int) -> None:
        for rows in blocks[part::n_parts]:
            filled[rows] = function(rows)
    list(in_threads(work, range(n_parts)))
    return filled


def smallest(highest: int) -> type:
    """Give the type of integers, of 32 or 64 bits, that holds so high a number."""
    return np.int32 if highest < 2**31 else np.int64


def read_columns(frame, name: str, needed: list[str], optional: list[str], as_stored: bool = False) -> pd.DataFrame:
    """Take the columns named from any frame, in the kernel's types; times without a zone are UTC.

    Ids become text, unless integers and categories may stay as they are stored.
    Raises TableError when a column is missing, or is no text, time or number.
    """
    table = as_pandas(frame, needed + optional, _FEW_VALUES if as_stored else ())
    missing = [column for column in needed if column not in table]
    if missing:
        raise TableError(f"{name}: there is no column {missing[0]}. The columns needed are {', '.join(needed)}.")
    wanted = [column for column in needed + optional if column in table]
    typed = {column: _typed(table[column], name, as_stored) for column in wanted}
    return pd.DataFrame(typed, copy=False).reset_index(drop=True)


def check_values(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Check that every value is an amount that can be split to the cent, and return the table.

    Raises TableError that counts the rows whose value is missing or too large.

    >>> check_values(pd.DataFrame({"conversion_id": ["deal"], "value": [1e12]}), "conversions")
    Traceback (most recent call last):
    attribution.tables.TableError: conversions: value is too large to split to the cent in 1 of 1 rows (first: deal). \
Correct those rows or leave them out.
    """
    check_filled(table, name, ["value"])
    is_wrong = ~(table["value"].abs() * 100 < MAX_CENTS)
    if is_wrong.any():
        raise _fault(table, name, "value", "is too large to split to the cent", is_wrong)
    return table


def check_filled(table: pd.DataFrame, name: str, columns: list[str]) -> pd.DataFrame:
    """Check that columns have no null, and return the table; raises TableError that counts the rows that have one."""
    for column in columns:
        if table[column].isna().any():
            raise _fault(table, name, column, "is empty", table[column].isna())
    return table


def check_unique(table: pd.DataFrame, name: str, column: str) -> None:
    """Check that no id stands twice; raises TableError that counts the rows where one does."""
    if _may_repeat(table[column]) and table[column].duplicated().any():
        raise _fault(table, name, column, "is not unique", table[column].duplicated(keep=False))


def _may_repeat(ids: pd.Series) -> bool:
    """Tell, faster than by a table of all ids, that none is repeated; where it cannot be told, say that one may be."""
    if is_integer_dtype(ids.dtype):
        return _is_repeated(ids.to_numpy(np.int64))
    if len(ids) > FEW_ROWS and (words := _words(ids)) is not None:
        return _is_repeated(_hash(words))
    return True


def _is_repeated(numbers: np.ndarray) -> bool:
    low, high = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, 0)
    if high - low < _SPARSE * len(numbers):
        is_there = np.zeros(high - low + 1, bool)
        is_there[numbers - low if low else numbers] = True
        return np.count_nonzero(is_there) < len(numbers)
    ordered = np.sort(numbers)
    return bool((ordered[1:] == ordered[:-1]).any())


def _words(ids: pd.Series) -> np.ndarray | None:
    """Give ids of one and the same length as rows of 64-bit words, zeroes behind; nothing where lengths differ."""
    import pyarrow
    import pyarrow.compute
    text = pyarrow.array(ids, pyarrow.large_string())
    text = text.combine_chunks() if isinstance(text, pyarrow.ChunkedArray) else text
    lengths = pyarrow.compute.min_max(pyarrow.compute.binary_length(text)).as_py()
    if lengths["min"] != lengths["max"] or not lengths["min"]:
        return None
    width, starts = lengths["min"], np.frombuffer(text.buffers()[1], np.int64)
    letters = np.frombuffer(text.buffers()[2], np.uint8, len(text) * width, starts[text.offset]).reshape(-1, width)
    words = np.zeros((len(text), -(-width // 8) * 8), np.uint8)
    words[:, :width] = letters
    return words.view(np.uint64)


def _hash(words: np.ndarray) -> np.ndarray:
    """Mix each row's words into one (multiply and fold, as in splitmix64: Steele, Lea & Flood 2014)."""
    mixed = np.zeros(len(words), np.uint64)
    for word in words.T:
        mixed ^= word
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(32)
    return mixed


def check_time_zone(time_zone: str) -> None:
    """Refuse what is not the name of a time zone."""
    try:
        ZoneInfo(time_zone)
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        raise ValueError(f"time_zone: {time_zone!r} is not a time zone like 'Europe/Helsinki'") from None


def check_alike(kinds: Mapping[tuple[str, str], str]) -> None:
    """Check that ids that are compared are integers in all tables, or text in all: 7 is not found among "7", nor "007".

    `kinds` names the type of integers of each table and column that has any, and is empty for text.
    Raises TableError where they differ.

    >>> check_alike({("touches", "account_id"): "int64", ("conversions", "account_id"): ""})
    Traceback (most recent call last):
    attribution.tables.TableError: touches: account_id is int64, not text as in conversions: account_id. Read ids as \
text, also such as look like numbers, or as integers in all tables.
    """
    for columns in ALIKE:
        whole = [column for column in columns if kinds.get(column)]
        text = [column for column in columns if kinds.get(column) == ""]
        if whole and text:
            raise TableError(f"{': '.join(whole[0])} is {kinds[whole[0]]}, not text as in {': '.join(text[0])}. Read "
                             "ids as text, also such as look like numbers, or as integers in all tables.")


def find_ids(ids: pd.Series, among: pd.Index | np.ndarray) -> np.ndarray:
    """Find each id's place (from 0) among others, which are distinct; -1 for a null and for one that is not there.

    >>> find_ids(pd.Series([7, 9]), pd.Index([9])).tolist()
    [-1, 0]
    """
    if not len(among) or ids.isna().all():
        return np.full(len(ids), -1)
    kind = smallest(len(among))
    if not is_integer_dtype(ids.dtype):
        among = pd.Series(among)
        return fill(len(ids), kind, lambda rows: find_rows(ids.iloc[rows], among), block=None)
    among = np.asarray(among, np.int64)
    numbers, low, high = ids.to_numpy(np.int64, na_value=among.min() - 1), int(among.min()), int(among.max())
    if high - low >= _SPARSE * (len(ids) + len(among)):
        return pd.Index(among).get_indexer(numbers)
    places = np.full(high - low + 3, -1, kind)       # one below the lowest and one above the highest, for all others
    places[among - low + 1] = np.arange(len(among))
    return fill(len(ids), kind, lambda rows: places[np.clip(numbers[rows], low - 1, high + 1) - (low - 1)])


def rank_ids(ids: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Number ids in the order of their text, and give that text; -1 for a null.

    >>> rank_ids(pd.Series([10, 9, 10]))
    (array([0, 1, 0], dtype=int32), Index(['10', '9'], dtype='str'))
    """
    if isinstance(ids.dtype, pd.CategoricalDtype):
        codes, names = ids.cat.codes.to_numpy(), ids.cat.categories
    else:
        names = pd.Index(ids.dropna().unique())
        codes = find_ids(ids, names)
    names = pd.Index(names).astype("str")
    order = names.argsort()
    ranks = np.empty(len(names) + 1, np.int32)
    ranks[order], ranks[-1] = np.arange(len(names)), -1
    return fill(len(ids), np.int32, lambda rows: ranks[codes[rows]]), names[order]


def microseconds(moments: pd.Series) -> np.ndarray:
    """Turn moments into integer microseconds UTC.

    >>> microseconds(pd.Series(pd.to_datetime(["1970-01-01 00:00:01+00:00"]))).tolist()
    [1000000]
    """
    return moments.to_numpy("datetime64[us]").view(np.int64)


def _typed(column: pd.Series, name: str, as_stored: bool) -> pd.Series:
    if column.name.endswith("_at"):
        return _moments(column, name)
    if column.name == "value":
        return _money(column, name)
    if column.dtype == "str" or not column.name.endswith(("_id", "kind")):
        return column
    if is_integer_dtype(column.dtype) and column.name.endswith("_id"):
        return _check_range(column, name) if as_stored and not column.isna().all() else column.astype("str")
    if as_stored and column.name in _FEW_VALUES and _is_coded(column):
        return column
    kind = _kind(column)
    if kind in _TEXT or column.isna().all():
        return column.astype("str")
    raise TableError(f"{name}: {column.name} is {kind}, not text. Read ids as text, also such as look like numbers.")


def _kind(column: pd.Series) -> str:
    """Name what a column, or the categories that it is made of, holds."""
    values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    return infer_dtype(values) if values.dtype == "object" or is_integer_dtype(values) else str(values.dtype)


def _check_range(ids: pd.Series, name: str) -> pd.Series:
    if ids.min() < -_MAX_ID or ids.max() > _MAX_ID:
        raise TableError(f"{name}: {ids.name} has integers beyond 2^62. Read ids as text.")
    return ids


def _is_coded(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype) and column.cat.categories.dtype == "str"


def _moments(column: pd.Series, name: str) -> pd.Series:
    if column.isna().all():
        return pd.Series(pd.NaT, column.index, UTC)
    if column.dtype.kind != "M":
        raise TableError(f"{name}: {column.name} is {column.dtype}, not a time. Read it as a time first.")
    aware = column.dt.tz_localize("UTC") if column.dt.tz is None else column.dt.tz_convert("UTC")
    return aware.astype(UTC)


def _money(column: pd.Series, name: str) -> pd.Series:
    try:
        if column.dtype == "object" or column.dtype.kind in "iuf":           # object: decimals
            return column.astype(float)
    except (TypeError, ValueError):
        pass
    raise TableError(f"{name}: {column.name} is {column.dtype}, not a number. Read it as a number first.")


def _fault(table: pd.DataFrame, name: str, column: str, fault: str, where: pd.Series) -> TableError:
    numbers = "row " + (pd.Series(table.index, table.index) + 1).astype("str")
    keys = table.iloc[:, 0].astype("str").fillna(numbers)[where]
    return TableError(f"{name}: {column} {fault} in {where.sum():,} of {len(table):,} rows ({first_keys(keys)}). "
                      "Correct those rows or leave them out.")
