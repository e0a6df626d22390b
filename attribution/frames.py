"""The kernel's door: the columns of any frame in the kernel's types, checked, and ids found by number.

Ids are text; the integer keys of a warehouse stay integers, if every table has them so.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_integer_dtype

from attribution.tables import UTC, TableError, as_pandas, find_rows, first_keys

MAX_CENTS = 2**43                                    # so that 2^-20 cents fit a 64-bit integer
FEW_ROWS = 200_000                                   # a second thread costs more than it saves
N_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_SPARSE = 8                                          # places in a list of integers for each one that is there


def in_threads(function: Callable, parts: Iterable) -> Iterator:
    """Give what a function returns for each part, in order: on all cores, for numpy and Arrow release Python's lock.

    >>> list(in_threads(abs, [-1, 2]))
    [1, 2]
    """
    parts = list(parts)
    if len(parts) < 2 or N_CORES < 2:
        yield from map(function, parts)
        return
    with ThreadPoolExecutor(N_CORES) as pool:
        yield from pool.map(function, parts)


def by_core(function: Callable[[slice], np.ndarray], n_rows: int) -> np.ndarray:
    """Join what a function returns for a run of rows each, a run for each core; few rows are one run.

    >>> by_core(lambda rows: np.arange(3)[rows], 3).tolist()
    [0, 1, 2]
    """
    ends = np.linspace(0, n_rows, (N_CORES if n_rows > FEW_ROWS else 1) + 1).astype(int).tolist()
    parts = list(in_threads(function, map(slice, ends[:-1], ends[1:])))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def read_columns(frame, name: str, needed: list[str], optional: list[str], with_integers: bool = False) -> pd.DataFrame:
    """Take the columns named from any frame, in the kernel's types; times without a zone are UTC.

    Integer ids become text, unless they may stay (with_integers).
    Raises TableError when a column is missing, or is no text, time or number.
    """
    table = as_pandas(frame, needed + optional)
    missing = [column for column in needed if column not in table]
    if missing:
        raise TableError(f"{name}: there is no column {missing[0]}. The columns needed are {', '.join(needed)}.")
    wanted = [column for column in needed + optional if column in table]
    typed = {column: _typed(table[column], name, with_integers) for column in wanted}
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
    """Tell, faster than by a table of all ids, that none is repeated; where it cannot be told, say so."""
    if is_integer_dtype(ids.dtype):
        ordered = np.sort(ids.to_numpy(np.int64))
    elif len(ids) > FEW_ROWS and (words := _words(ids)) is not None:
        ordered = np.sort(_hash(words))
    else:
        return True
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
    width = lengths["min"]
    letters = np.frombuffer(text.buffers()[2], np.uint8, len(text) * width, text.offset * width).reshape(-1, width)
    words = np.zeros((len(text), -(-width // 8) * 8), np.uint8)
    words[:, :width] = letters
    return words.view(np.uint64)


def _hash(words: np.ndarray) -> np.ndarray:
    """Mix each row's words into one (multiply and fold, as in splitmix64: Steele, Lea & Flood 2014)."""
    mixed = np.zeros(len(words), np.uint64)
    for word in words.T:
        mixed = (mixed ^ word) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(32)
    return mixed


def check_alike(table: pd.DataFrame, name: str, column: str, others: pd.Series, where: str) -> None:
    """Check that an id is integer in both tables, or text in both: 7 is not found among "7", nor "007".

    Raises TableError where it is not.
    """
    own, other = (is_integer_dtype(ids.dtype) for ids in (table[column], others))
    if own != other and len(table) and len(others) and not others.isna().all() and not table[column].isna().all():
        raise TableError(f"{name}: {column} is {table[column].dtype}, not {'text' if own else 'an integer'} as in "
                         f"{where}. Read ids as text, also such as look like numbers, or as integers in all tables.")


def find_ids(ids: pd.Series, among: pd.Index | np.ndarray) -> np.ndarray:
    """Find each id's place (from 0) among others, which are distinct; -1 for a null and for one that is not there.

    >>> find_ids(pd.Series([7, 9]), pd.Index([9])).tolist()
    [-1, 0]
    """
    if isinstance(ids.dtype, pd.CategoricalDtype):
        return np.append(find_ids(pd.Series(ids.cat.categories), among), -1)[ids.cat.codes]
    if not len(among) or not len(ids):
        return np.full(len(ids), -1)
    if not is_integer_dtype(ids.dtype):
        among = pd.Series(among)
        return by_core(lambda rows: find_rows(ids.iloc[rows], among), len(ids))
    return _find_integers(ids.to_numpy(np.int64, na_value=_no_one(among)), np.asarray(among, np.int64))


def _no_one(among: pd.Index | np.ndarray) -> int:
    return int(np.min(among)) - 1


def _find_integers(ids: np.ndarray, among: np.ndarray) -> np.ndarray:
    low, high = int(among.min()), int(among.max())
    if high - low >= _SPARSE * (len(ids) + len(among)):
        return pd.Index(among).get_indexer(ids)
    places = np.full(high - low + 3, -1)
    places[among - low + 1] = np.arange(len(among))
    return by_core(lambda rows: places[np.clip(ids[rows], low - 1, high + 1) - low + 1], len(ids))


def rank_ids(ids: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Number ids in the order of their text, and give that text; -1 for a null.

    >>> rank_ids(pd.Series([10, 9, 10]))
    (array([0, 1, 0]), Index(['10', '9'], dtype='str'))
    """
    codes, names = pd.factorize(ids)
    names = pd.Index(names).astype("str")
    order = names.argsort()
    ranks = np.empty(len(names) + 1, np.int64)
    ranks[order], ranks[-1] = np.arange(len(names)), -1
    return ranks[codes], names[order]


def microseconds(moments: pd.Series) -> np.ndarray:
    """Turn moments into integer microseconds UTC.

    >>> microseconds(pd.Series(pd.to_datetime(["1970-01-01 00:00:01+00:00"]))).tolist()
    [1000000]
    """
    return moments.to_numpy("datetime64[us]").view(np.int64)


def _typed(column: pd.Series, name: str, with_integers: bool) -> pd.Series:
    if column.name.endswith("_at"):
        return _moments(column, name)
    if column.name == "value":
        return _money(column, name)
    if column.dtype == "str" or not column.name.endswith(("_id", "kind")):
        return column
    if is_integer_dtype(column.dtype) and not is_bool_dtype(column.dtype) and column.name.endswith("_id"):
        return column if with_integers and not column.isna().all() else column.astype("str")
    if isinstance(column.dtype, pd.CategoricalDtype) and with_integers and column.cat.categories.dtype == "str":
        return column
    if column.dtype in ("object", "category", "string") or column.isna().all():
        return column.astype("str")
    raise TableError(f"{name}: {column.name} is {column.dtype}, not text. Read ids as text, also such as look "
                     "like numbers.")


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
