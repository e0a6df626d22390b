"""Tables that took long to parse: kept as Parquet in a hidden folder, and read from there while nothing has changed.

A kept table is one file, `<name>-<sha256 of its bytes>.parquet`, which holds besides the rows what they were made from.
It is for its owner alone. One that is damaged, was made from something else or could be written by others is not read,
nor is any in a folder that is another's or that others can write to; where none can be written, things go on without.
"""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

FOLDER = ".attribution-cache"
_MADE_FROM = b"made_from"


def has_table(folder: Path, name: str) -> bool:
    """Tell whether a table of that name is kept in a folder, whatever it was made from."""
    return any(_find_kept(folder, name))


def load_table(folder: Path, name: str, made_from: str) -> pa.Table | None:
    """Read the table of that name kept in a folder, if it is whole and was made from just this.

    Returns the table as it was given to save_table, or nothing.
    """
    from pyarrow.parquet import ParquetFile
    for path in _find_kept(folder, name):
        with suppress(OSError, pa.ArrowException), open(path, "rb") as file:
            if _is_ours(os.fstat(file.fileno())) and path.stem.endswith(f"-{_hash(file)}"):
                kept = ParquetFile(file)             # the very bytes that were hashed, whatever has the name by now
                about = dict(kept.schema_arrow.metadata or {})
                if about.pop(_MADE_FROM, None) == made_from.encode():
                    return kept.read().replace_schema_metadata(about or None)
    return None


def save_table(folder: Path, name: str, made_from: str, table: pa.Table) -> None:
    """Keep a table in a folder, in the place of any other of that name; where nothing can be written, do nothing.

    `made_from` says what the rows follow from: who loads the table says it again.

    >>> table = pa.table({"campaign_id": ["701A"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_table(Path(folder), "touches", "digest 1", table)
    ...     load_table(Path(folder), "touches", "digest 1").num_rows, load_table(Path(folder), "touches", "digest 2")
    (1, None)
    """
    about = {**(table.schema.metadata or {}), _MADE_FROM: made_from}
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        if not _is_ours(folder.lstat()):
            return
        kept = _write(folder, name, table.replace_schema_metadata(about))
        for path in folder.glob(f"{name}-*"):        # what older sources and killed jobs left
            if path != kept:
                path.unlink(missing_ok=True)


def drop_table(folder: Path, name: str) -> None:
    """Remove what is kept in a folder under that name."""
    for path in _find_kept(folder, name):
        with suppress(OSError):
            path.unlink()


def _write(folder: Path, name: str, table: pa.Table) -> Path:
    """Write a table under a name of its own, then rename it: no reader ever sees half of it."""
    from pyarrow.parquet import write_table
    handle, draft = tempfile.mkstemp(".draft", f"{name}-", folder)
    os.close(handle)
    try:
        write_table(table, draft, compression="zstd")
        with open(draft, "rb") as file:
            digest = _hash(file)
        return Path(draft).replace(folder / f"{name}-{digest}.parquet")
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _find_kept(folder: Path, name: str) -> list[Path]:
    with suppress(OSError):
        if _is_ours(folder.lstat()):
            return sorted(folder.glob(f"{name}-*.parquet"))
    return []


def _is_ours(about: os.stat_result) -> bool:
    """Tell whether nobody else could have written a file, or put one into a folder."""
    return not hasattr(os, "geteuid") or (about.st_uid == os.geteuid() and not about.st_mode & 0o022)


def _hash(file: BinaryIO) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()
