"""Touches on disk by month: appended whole months at a time, whatever happens to the job, and read by months."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import glob
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from attribution.frames import check_filled, check_time_zone, check_unique, read_columns
from attribution.tables import TableError, empty_table, list_files, open_parquet, read_files

NEEDED = ["touch_id", "person_id", "account_id", "campaign_id", "touched_at"]
WELCOME = ["kind", "joined_at", "modified_at"]
_MONTH, _FILE = "touched_month=", "touches.parquet"


def append_touches(touches, folder: str | Path, *, on_repeat: str = "refuse", time_zone: str = "UTC") -> pd.DataFrame:
    """Write touches into a dataset of Parquet files, a file for each month of touched_at.

    Months are those of the time zone. Where exports are of local months, name theirs, and the same for all of a
    dataset: in UTC the first or last hours of such a month are of another one. Every file has the columns needed and
    kind, null where the touches do not have it: times in UTC, ids of text or of 64-bit integers, as they are given.
    A month is written whole: with on_repeat="refuse" months that are there already are refused, with "replace" each
    month that the touches name takes the place of the one there, so that a month's export may be made again. Months get
    their names, one by one, when all of them are on the disk: a job that is killed before that leaves the dataset as it
    was, and what it leaves behind is cleared away by the next; one that is killed while they get them leaves some of
    them, each whole: call again with on_repeat="replace". A second job at the same time is refused (on Windows, which
    has no such lock, see to it yourself).
    Returns one row per month: touched_month (such as "2026-10"), n_touches, and n_replaced, the touches there before,
    0 where they could not be read.
    Raises TableError for touches that could not be attributed, ValueError for an argument or a repeated month.

    >>> touches = pd.DataFrame({"touch_id": ["ad", "guide"], "person_id": "Ann", "account_id": "Acme",
    ...     "campaign_id": ["LinkedIn", "Guide"], "touched_at": pd.to_datetime(["2026-02-27", "2026-03-08"])})
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     append_touches(touches, folder)
      touched_month  n_touches  n_replaced
    0       2026-02          1           0
    1       2026-03          1           0
    """
    if on_repeat not in ("refuse", "replace"):
        raise ValueError(f"on_repeat: {on_repeat!r} is not one of refuse, replace")
    touches, folder = _check_touches(touches), Path(folder)
    month_of = _find_months(touches["touched_at"], time_zone)
    months = {str(month): touches[month_of == month] for month in np.unique(month_of)}
    with _draft(folder) as draft:
        there = {month: _count(folder / (_MONTH + month), on_repeat) for month in months}
        if on_repeat == "refuse":
            _refuse_repeated(folder, there, months)
        for month, rows in months.items():
            _write(rows, draft / f"{month}.part")
        for month in months:
            _publish(draft / f"{month}.part", folder / (_MONTH + month))
    said = {"touched_month": list(months), "n_touches": list(map(len, months.values())),
            "n_replaced": [n or 0 for n in there.values()]}
    return pd.DataFrame(said).astype({"touched_month": "str", "n_touches": "int64", "n_replaced": "int64"})


def read_touches(folder: str | Path, since=None, until=None) -> pd.DataFrame:
    """Read the touches of a dataset from one moment up to another (both included; None: no limit).

    Returns the rows as append_touches was given them, months in order, of the columns that touches have, but for those
    not needed that have no value; others were not kept. Only the months that the moments reach, whatever their time
    zone, are opened. A moment without a zone is UTC.
    Raises TableError when there is no such dataset, or a month of it cannot be read or has ids of another type, and
    ValueError for a limit that is no moment.

    >>> touches = pd.DataFrame({"touch_id": ["ad", "guide"], "person_id": "Ann", "account_id": "Acme",
    ...     "campaign_id": ["LinkedIn", "Guide"], "touched_at": pd.to_datetime(["2026-02-27", "2026-03-08"])})
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = append_touches(touches, folder)
    ...     read_touches(folder, since="2026-03-01")["touch_id"].tolist()
    ['guide']
    """
    since, until = _utc("since", since), _utc("until", until)
    files = find_files(folder, "touches", since, until)
    if isinstance(files, pd.DataFrame):
        return files
    stored = read_files([Path(path) for path in files], NEEDED + WELCOME)
    rows = read_columns(stored, "touches", NEEDED, WELCOME, as_stored=True)
    rows = rows if since is None else rows[rows["touched_at"] >= since]
    rows = rows if until is None else rows[rows["touched_at"] <= until]
    empty = [column for column in WELCOME if column in rows and rows[column].isna().all()]
    return rows.drop(columns=empty).reset_index(drop=True)


def _utc(limit: str, moment) -> pd.Timestamp | None:
    if moment is None:
        return None
    try:
        read = pd.Timestamp(moment)
    except (TypeError, ValueError):
        read = pd.NaT
    if read is pd.NaT:
        raise ValueError(f"{limit}: {str(moment)[:80]!r} is not a moment like '2026-03-01', or None for no limit")
    return read.tz_localize("UTC") if read.tz is None else read.tz_convert("UTC")


def find_files(given, name: str, since: pd.Timestamp | np.datetime64 | None = None,
               until: pd.Timestamp | np.datetime64 | None = None) -> list[str] | pd.DataFrame:
    """List the files of a path; of a dataset by months those that two moments (UTC) and the time between may reach.

    A table passes through; where no month is reached, the table has no rows. Raises TableError where there is no file.
    """
    if not isinstance(given, str | Path):
        return given
    if Path(given).is_file():
        files = [Path(given)]
    elif Path(given).is_dir():
        files = list_files(given)
    else:
        files = [Path(path) for path in sorted(glob(str(given), recursive=True))]
    if not files:
        raise TableError(f"{name}: there is no Parquet file at {given}. Give a file, a folder or a pattern.")
    chosen = [path for path in files if _is_reached(path, since, until)]
    return [str(path) for path in chosen] if chosen else empty_table(name)


def _is_reached(path: Path, since, until) -> bool:
    """Tell whether a file may hold touches of the window: its folder's name may name its month, of any zone."""
    months = [part.removeprefix(_MONTH) for part in path.parts if re.fullmatch(_MONTH + r"\d{4}-\d{2}", part)]
    return not months or ((since is None or _month(since, -1) <= months[-1]) and
                          (until is None or months[-1] <= _month(until, 1)))


def _month(moment, days: int) -> str:
    day = pd.Timestamp(moment).as_unit("s").to_datetime64().astype("datetime64[D]") + days
    return str(day.astype("datetime64[M]"))


def _find_months(moments: pd.Series, time_zone: str) -> np.ndarray:
    check_time_zone(time_zone)
    return moments.dt.tz_convert(time_zone).dt.tz_localize(None).to_numpy("datetime64[us]").astype("datetime64[M]")


def _check_touches(frame) -> pd.DataFrame:
    touches = read_columns(frame, "touches", NEEDED, WELCOME, as_stored=True)
    touches = touches.astype({column: "str" for column in touches.select_dtypes("category")})
    check_filled(touches, "touches", ["touch_id", "campaign_id", "touched_at"])
    check_unique(touches, "touches", "touch_id")
    return touches


@contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """Give a place for files in the making, where no reader looks, to one job at a time, and clear it."""
    draft = folder / ".draft"
    draft.mkdir(parents=True, exist_ok=True)
    with open(draft / "lock", "ab") as lock:
        _take(lock, folder)
        _sweep(draft)
        try:
            yield draft
        finally:
            _sweep(draft)


def _take(lock, folder: Path) -> None:
    if os.name != "posix":                           # no such lock there; nor can two jobs rename the same file
        return
    import fcntl
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(f"{folder}: another job is appending to it. Wait for its end, or stop it") from None


def _sweep(draft: Path) -> None:
    for left in draft.glob("*.part"):
        left.unlink()


def _count(month: Path, on_repeat: str) -> int | None:
    """Count the touches of a month that is there; None where it is not, 0 where what is to be replaced is damaged."""
    files = list_files(month) if month.is_dir() else []
    others = [path.name for path in files if path != month / _FILE]
    if others:
        raise ValueError(f"{month}: holds files of another's making (first: {others[0]}). Move them away, and append "
                         "their touches")
    if not files:
        return None
    try:
        with open_parquet(files[0], 'Have its month written again with on_repeat="replace"') as file:
            return file.metadata.num_rows
    except TableError:
        if on_repeat == "refuse":
            raise
        return 0


def _refuse_repeated(folder: Path, there: Mapping[str, int | None], months: Mapping[str, pd.DataFrame]) -> None:
    repeated = [f"{month} ({n:,} touches, {len(months[month]):,} new)" for month, n in there.items() if n is not None]
    if repeated:
        raise ValueError(f"touches: {len(repeated):,} of {len(there):,} months are in {folder} already (first: "
                         f"{', '.join(repeated[:3])}). If the export is of local months, name their time_zone; if it "
                         'has these months whole, as after a job that was killed, on_repeat="replace" puts its touches '
                         "in the place of those there, which are deleted")


def _make_table(rows: pd.DataFrame):
    """Make an Arrow table of every column in its one type; ids without a value have the type of touch_id.

    When a membership was joined or edited has a column only if it was given: models that need it ask for the column.
    """
    import pyarrow
    kinds = {name: pyarrow.timestamp("us", "UTC") if name.endswith("_at") else pyarrow.large_string()
             for name in [*NEEDED, "kind", *(name for name in WELCOME if name in rows)]}
    for name in (name for name in NEEDED if name.endswith("_id")):
        ids = rows["touch_id"] if rows[name].isna().all() else rows[name]
        kinds[name] = pyarrow.int64() if is_integer_dtype(ids.dtype) else kinds[name]
    table = pyarrow.Table.from_pandas(rows, preserve_index=False)
    return pyarrow.table({name: table[name].cast(kind) if name in rows else pyarrow.nulls(len(rows), kind)
                          for name, kind in kinds.items()})


def _write(rows: pd.DataFrame, path: Path) -> None:
    import pyarrow.parquet
    with open(path, "wb") as file:
        pyarrow.parquet.write_table(_make_table(rows), file)
        file.flush()
        os.fsync(file.fileno())


def _publish(draft: Path, month: Path) -> None:
    """Put a finished file into its month, by a rename in the place of the one there; to the disk with both folders."""
    month.mkdir(exist_ok=True)
    os.replace(draft, month / _FILE)
    for folder in (month, month.parent) if os.name == "posix" else ():
        held = os.open(folder, os.O_RDONLY)
        os.fsync(held)
        os.close(held)
