"""What a report is made from: every file, its digest, and a private copy by which a later run can say what changed."""

import csv
import difflib
import gzip
import hashlib
import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from attribution.agreement_file import find_beside
from attribution.sources import describe_columns, find_folder, list_files
from attribution.tables import STUDY_FILES, TableError

ROOT = Path(__file__).parents[1]
csv.field_size_limit(2**31 - 1)                      # a template or a note in a cell may be longer than the default
SPEND, SPEND_COLUMNS = "spend.csv", ("campaign_id", "spent_on", "cost")
UNREADABLE = (csv.Error, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError)
#: What may be shown of an export: an id, a number, a day or a moment, true or false, nothing.
PLAIN = re.compile(r"(?=\S*\d)[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?|[-+]?\d{1,12}(?:\.\d+)?|true|false|"
                   r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[-+]\d\d:?\d\d)?)?|", re.IGNORECASE)
CHANGES = ["file", "row", "column", "before", "after"]


def find_inputs(notebook: str | Path, parameters: dict, report: str = "") -> dict[str, Path]:
    """Find everything a report is made from: the export's files, agreement, spend ledger, or a study; notebook, lock.

    Returns name → path; the name is the same wherever the files lie. A month to compare with counts by its manifest and
    the executed notebook of the same report.
    """
    data = _data_files(parameters["data_dir"]) if "data_dir" in parameters else {}
    before = _previous_files(parameters["previous"], report) if parameters.get("previous") else {}
    files = data | before | {path.name: path for path in (Path(notebook), ROOT / "requirements.lock")}
    return {name: path for name, path in files.items() if path.is_file()}


def hash_inputs(files: Mapping[str, Path]) -> dict[str, str]:
    """Give the sha256 of each file's bytes, by name."""
    return {name: hash_file(path) for name, path in files.items()}


def hash_file(path: str | Path) -> str:
    """Give the sha256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_settings(data_dir: str) -> list[Path]:
    """Give the paths of the company's own files, agreement and spend ledger, whether they are there or not."""
    return [find_beside(find_folder(data_dir), name) for name in ("agreement.toml", SPEND)]


def _data_files(data_dir: str) -> dict[str, Path]:
    study = {name: find_folder(data_dir) / name for name in STUDY_FILES}
    return list_files(data_dir) | {path.name: path for path in find_settings(data_dir)} | study


def _previous_files(previous: str, report: str) -> dict[str, Path]:
    return {f"previous/{name}": find_folder(previous) / name for name in ("manifest.json", f"{report}.ipynb")}


def keep_inputs(files: Sequence[Mapping[str, Path]], digests: Sequence[Mapping[str, str]], folder: Path, *,
                is_copied: bool = True) -> None:
    """Keep each report's inputs, each file once under its sha256, packed, readable by the user alone.

    Kept is a copy, or where is_copied is False a digest of each row, then in the place of any copy. Raises TableError
    when a file has changed since it was hashed.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = {made_from[name]: (name, path) for each, made_from in zip(files, digests, strict=True)
             for name, path in each.items()}
    for digest, (name, path) in found.items():
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise TableError(f"{path}: changed while the report was made. Make it again")
        kind, other, kept = (".gz", ".rows.gz", data) if is_copied else (".rows.gz", ".gz", _digest_rows(name, data))
        _write_privately(folder / (digest + kind), gzip.compress(kept, compresslevel=1, mtime=0))
        (folder / (digest + other)).unlink(missing_ok=True)


def _write_privately(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _digest_rows(name: str, data: bytes) -> bytes:
    try:
        digests = [f"{file}\t{key}\t{digest}\n" for file, text in _tables(name, data)
                   for key, digest in _rows(file, text, _digest).items()]
    except UNREADABLE:                               # the reader has its own word on such a file, or does not read it
        digests = []
    return "".join(digests).encode()


def _digest(row: Mapping[str, str]) -> str:
    return hashlib.blake2b(repr(sorted(row.items())).encode(), digest_size=16).hexdigest()


def _tables(name: str, data: bytes) -> Iterator[tuple[str, str]]:
    """Give the texts in a file: its own, or those of the files in a ZIP."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        yield name, data.decode("utf-8-sig", errors="replace")
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for each in archive.namelist():
            yield f"{name}/{each}", archive.read(each).decode("utf-8-sig", errors="replace")


def _rows(file: str, text: str, make: Callable = dict) -> dict:
    """Give what is made of each row, by the row's id where rows have one of their own, else by number.

    Of a text that is no CSV the lines are its rows.
    """
    if not file.lower().endswith(".csv"):
        return {f"line {number}": make({"text": line}) for number, line in enumerate(text.splitlines(), 1)}
    lines = io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8", newline="")      # StringIO would be 4 times as large
    records = csv.reader(lines)
    header, key = next(records, []), describe_columns(file)[0]
    at = header.index(key) if key in header else len(header)
    made = [(*record[at:at + 1], make(dict(zip(header, record, strict=False)))) for record in records]
    ids = [pair[0] for pair in made if len(pair) == 2]
    is_key = len(ids) == len(made) == len(set(ids)) and all(ids)
    return {pair[0] if is_key else f"row {number}": pair[-1] for number, pair in enumerate(made, 1)}


def restore_inputs(digests: Mapping[str, str], kept: Path, place: Path) -> None:
    """Lay the kept copies of a report's inputs out in a folder, under their names.

    Raises ValueError when a copy was not kept or is not what it was, or when a name leads out of the folder.
    """
    for name, digest in digests.items():
        data, path = _unpack(kept, digest), Path(place, name)
        if data is None:
            raise ValueError(f"{kept}: holds no whole copy of {name}. Put the file back where the report found it, and "
                             "leave out --from-copy")
        if not path.resolve().is_relative_to(place.resolve()):
            raise ValueError(f"{name}: leads out of the folder of inputs")
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_privately(path, data)


def _unpack(kept: Path, digest: str) -> bytes | None:
    """Give a kept copy, or nothing where there is none that is whole."""
    try:
        data = gzip.decompress((kept / f"{digest}.gz").read_bytes())
    except (OSError, EOFError, zlib.error):
        return None
    return data if hashlib.sha256(data).hexdigest() == digest else None


def changed_inputs(digests: Mapping[str, str], files: Mapping[str, Path], kept: Path) -> pd.DataFrame:
    """Compare a report's inputs with those there now, row by row as far as what was kept allows.

    Returns one row per difference: file, row (its id, or a number), column, before, after. Values are given of columns
    without words only, since names and addresses are nobody's business here; row is "" where only the file is known.
    """
    changes: list[tuple] = []
    for name in sorted({*digests, *files}):
        if name not in files:
            changes.append((name, "", "", "there", "not there"))
        elif name not in digests:
            changes.append((name, "", "", "not there", "there"))
        elif hash_file(files[name]) != digests[name]:
            changes += _changed_rows(name, digests[name], files[name].read_bytes(), kept)
    shown = pd.DataFrame(changes, columns=CHANGES, dtype="str")
    is_shown = shown["row"].map(lambda row: bool(PLAIN.fullmatch(row) or re.fullmatch(r"(row|line) \d+", row)))
    return shown.assign(row=shown["row"].where(is_shown, "(a row whose id is none)"))


def _changed_rows(name: str, digest: str, now: bytes, kept: Path) -> list[tuple]:
    """Compare a file row by row; one that has no rows to read is only said to be another."""
    then = _unpack(kept, digest)
    try:
        found = ([change for file in _both(name, then, now) for change in _compare_texts(*file)] if then is not None
                 else _compare_digests(name, digest, now, kept))
    except UNREADABLE:
        found = []
    return found or [(name, "", "", digest[:12], hashlib.sha256(now).hexdigest()[:12])]


def _both(name: str, then: bytes, now: bytes) -> list[tuple[str, str, str]]:
    before, after = dict(_tables(name, then)), dict(_tables(name, now))
    return [(file, before.get(file, ""), after.get(file, "")) for file in sorted({*before, *after})]


def _compare_texts(file: str, then: str, now: str) -> list[tuple]:
    if not file.lower().endswith(".csv"):
        return _compare_lines(file, then, now)
    before, after = _rows(file, then), _rows(file, now)
    changes = []
    for key in [*before, *(key for key in after if key not in before)]:
        if key not in after or key not in before:
            changes.append((file, key, "", *(("there", "not there") if key in before else ("not there", "there"))))
        elif before[key] != after[key]:
            old, new = before[key], after[key]
            changes += [(file, key, column, *_plain(file, column, old.get(column, ""), new.get(column, "")))
                        for column in [*old, *(column for column in new if column not in old)]
                        if old.get(column, "") != new.get(column, "")]
    return changes


def _plain(file: str, column: str, *values: str) -> tuple[str, ...]:
    """Give the values of columns without words, if they have none; of others say only that they differ."""
    is_plain = column in (SPEND_COLUMNS if file == SPEND else describe_columns(file)[1])
    return values if is_plain and all(map(PLAIN.fullmatch, values)) else ("(not shown)", "(another)")


def _compare_lines(file: str, then: str, now: str) -> list[tuple]:
    """Compare a text that is no export of rows: its lines, unless it is a notebook or a lock, which say too much."""
    if not file.endswith(".toml"):
        return []
    old, new = then.splitlines(), now.splitlines()
    steps = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [(file, f"line {first + 1}", "", _settings(old[first:last]), _settings(new[start:end]))
            for kind, first, last, start, end in steps if kind != "equal"]


def _settings(lines: list[str]) -> str:
    """Write lines of settings without their comments, which may speak of persons."""
    said = [re.sub(r"(^|\s)#.*", "", line).strip() for line in lines]
    return " / ".join("(not shown)" if "@" in line else line for line in said if line) or "(nothing, or a comment)"


def _compare_digests(name: str, digest: str, now: bytes, kept: Path) -> list[tuple]:
    try:
        lines = gzip.decompress((kept / f"{digest}.rows.gz").read_bytes()).decode().splitlines()
    except (OSError, EOFError, zlib.error):
        return []
    before = {tuple(line.split("\t")[:2]): line.split("\t")[2] for line in lines}
    after = {(file, key): digest for file, text in _tables(name, now)
             for key, digest in _rows(file, text, _digest).items()}
    changes = []
    for at in [*before, *(at for at in after if at not in before)]:
        if before.get(at) != after.get(at):
            said = [f"digest {each[at][:12]}" if at in each else "not there" for each in (before, after)]
            changes.append((*at, "", *said))
    return changes
