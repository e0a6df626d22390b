"""The files of a Salesforce export: found in a folder or a ZIP, read in either dialect, typed and checked.

Data Export Service writes quoted cells, `2026-10-31 13:45:00` in UTC, 0/1 and `000000000000000AAA`; Bulk API 2.0 and
Data Loader write `2026-10-31T13:45:00.000Z` or `+0000`, true/false and empty cells. Both may stand in one export.
"""

import csv
import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from attribution.sources.cached import FOLDER, drop_table, has_table, load_table, save_table
from attribution.tables import TableError, first_keys

#: The columns read of each file, by type. `!` must be there in every row, `*` must be there, others may be absent.
FILES: dict[str, dict[str, str]] = {
    "Campaign": {
        "id!": "Id", "text!": "Name", "flag": "IsDeleted IsActive", "id": "ParentId",
        "text": "Type Status CurrencyIsoCode", "day": "StartDate EndDate",
        "number": "BudgetedCost ActualCost ExpectedRevenue NumberSent NumberOfLeads NumberOfContacts NumberOfResponses "
                  "NumberOfOpportunities NumberOfWonOpportunities AmountAllOpportunities AmountWonOpportunities "
                  "HierarchyBudgetedCost HierarchyActualCost HierarchyExpectedRevenue HierarchyNumberSent "
                  "HierarchyNumberOfLeads HierarchyNumberOfContacts HierarchyNumberOfResponses "
                  "HierarchyNumberOfOpportunities HierarchyNumberOfWonOpportunities "
                  "HierarchyAmountAllOpportunities HierarchyAmountWonOpportunities",
        "moment": "CreatedDate LastModifiedDate SystemModstamp"},
    "CampaignMember": {
        "id!": "Id CampaignId", "moment!": "CreatedDate", "id": "LeadId ContactId", "flag": "IsDeleted HasResponded",
        "text": "Status", "day": "FirstRespondedDate", "moment": "LastModifiedDate SystemModstamp"},
    "Opportunity": {
        "id!": "Id", "text!": "StageName", "day!": "CloseDate", "moment!": "CreatedDate",
        "id*": "AccountId", "number*": "Amount", "flag*": "IsClosed IsWon", "number": "Probability",
        "flag": "IsDeleted", "id": "CampaignId OwnerId", "text": "Name Type LeadSource CurrencyIsoCode",
        "moment": "LastModifiedDate SystemModstamp"},
    "Account": {
        "id!": "Id", "text*": "Name", "flag": "IsDeleted", "id": "MasterRecordId ParentId OwnerId",
        "text": "Type Industry BillingCountry CurrencyIsoCode", "number": "NumberOfEmployees AnnualRevenue",
        "moment": "CreatedDate LastModifiedDate SystemModstamp"},
    "Lead": {
        "id!": "Id", "moment!": "CreatedDate", "text*": "Status", "day": "ConvertedDate",
        "flag": "IsDeleted IsConverted HasOptedOutOfEmail DoNotCall",
        "id*": "ConvertedContactId", "id": "MasterRecordId ConvertedAccountId ConvertedOpportunityId OwnerId",
        "text": "LeadSource Title Country Industry", "moment": "LastModifiedDate SystemModstamp"},
    "Contact": {
        "id!": "Id", "id*": "AccountId", "id": "MasterRecordId OwnerId",
        "flag": "IsDeleted HasOptedOutOfEmail DoNotCall", "text": "LeadSource Title MailingCountry",
        "moment": "CreatedDate LastModifiedDate SystemModstamp"},
    "CampaignMemberStatus": {"id!": "CampaignId", "text!": "Label", "flag*": "HasResponded", "flag": "IsDeleted"},
    "LeadHistory": {
        "id!": "Id LeadId", "moment!": "CreatedDate", "text!": "Field", "text*": "OldValue NewValue",
        "flag": "IsDeleted"},
    "OpportunityHistory": {
        "id!": "Id OpportunityId", "moment!": "CreatedDate", "text!": "StageName", "day!": "CloseDate",
        "number*": "Amount", "number": "Probability", "text": "ForecastCategory CurrencyIsoCode", "flag": "IsDeleted"},
    "OpportunityContactRole": {
        "id!": "Id OpportunityId ContactId", "flag": "IsDeleted", "text": "Role",
        "moment": "CreatedDate LastModifiedDate SystemModstamp"},
    "Task": {
        "id!": "Id", "moment!": "CreatedDate", "flag*": "IsClosed", "id": "WhoId WhatId AccountId OwnerId",
        "text": "TaskSubtype Type Subject CallType", "day": "ActivityDate", "flag": "IsDeleted",
        "moment": "CompletedDateTime LastModifiedDate SystemModstamp"},
    "Event": {
        "id!": "Id", "moment!": "CreatedDate", "id": "WhoId WhatId AccountId OwnerId", "day": "ActivityDate",
        "flag": "IsDeleted IsChild", "moment": "StartDateTime ActivityDateTime LastModifiedDate SystemModstamp"},
    "User": {
        "id!": "Id", "flag*": "IsActive", "flag": "IsSystemControlled", "text": "Department UserType"},
    "CurrencyType": {"text!": "IsoCode", "number!": "ConversionRate", "flag*": "IsCorporate"},
    "DatedConversionRate": {
        "text!": "IsoCode", "number!": "ConversionRate", "day!": "StartDate", "day": "NextStartDate"},
}
REQUIRED = ("Campaign", "CampaignMember", "Opportunity", "Account")
PEOPLE = ("Lead", "Contact")
KEPT_FROM = 8 << 20                                  # bytes of an object's files; fewer are parsed within 0.2 s


@dataclass(frozen=True)
class _File:
    """A CSV file of the export, wherever it lies."""

    name: str
    n_bytes: int
    open: Callable[[], AbstractContextManager[BinaryIO]]

    def read(self) -> bytes:
        with self.open() as file:
            return file.read()

    def hash(self) -> str:
        with self.open() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class _Passing(io.RawIOBase):
    """A file's bytes on their way to the parser; their digest, their quotes and the last of them are noted."""

    def __init__(self, file: BinaryIO):
        self.file, self.digest, self.n_quotes, self.last = file, hashlib.sha256(), 0, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.digest.update(data)
        self.n_quotes += data.count(b'"')
        self.last = data[-1:] or self.last
        return data


@dataclass(frozen=True)
class Export:
    """A Salesforce export as typed tables, under Salesforce's own names."""

    tables: dict[str, pd.DataFrame]                  # every object of FILES; one that was not exported has no rows
    columns: dict[str, tuple[str, ...]]              # object → the columns that its file has
    sources: dict[str, str]                          # file name → sha256 of its bytes
    folder: Path                                     # where agreement.toml would lie

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables[name]

    def lacks(self, name: str, column: str = "") -> bool:
        """Tell whether the file (or the column in it) is absent or says nothing."""
        table = self.tables[name]
        if not len(table) or not column:
            return not len(table)
        return column not in self.columns[name] or table[column].isna().all()


def find_folder(path: str | Path) -> Path:
    """Find a data folder; one not found from here is looked for beside the nearest `notebooks/` above, then our own.

    Returns the path as given where none is there.

    >>> str(find_folder("no/such/folder").parts[-1])
    'folder'
    """
    path = Path(path)
    above = (Path.cwd(), *Path.cwd().parents, Path(__file__).parents[2])
    homes = [home for home in above if (home / "notebooks").is_dir()]
    return path if path.exists() else next((home / path for home in homes if (home / path).exists()), path)


def read_export(path: str | Path, fields: dict[str, str] | None = None) -> Export:
    """Read the CSV files of a folder or a ZIP; the parts of one object (CampaignMember_1.csv, ...) become one table.

    `fields` names more columns of leads and contacts to read, each with its type: moment or number.
    Returns the export, typed and checked file by file.
    Raises TableError when there is no export, or when a file is missing, cut short or holds what cannot be read.
    """
    path = find_folder(path)
    parts, home = _find_parts(path), path if path.is_dir() else path.parent
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(
            lambda name: _read_object(name, parts.get(name, []), _types(name, fields), home / FOLDER), FILES))
    tables, columns, sources = (dict(zip(FILES, each, strict=True)) for each in zip(*objects, strict=True))
    return Export(tables, columns, {file: digest for part in sources.values() for file, digest in part.items()}, home)


def list_files(path: str | Path) -> dict[str, Path]:
    """List the CSV files of a folder that are read as an export; a ZIP, or a folder that holds none, is listed itself.

    Returns name (below the folder) → path.
    """
    path = find_folder(path)
    return (_folder_files(path) if path.is_dir() else {}) or {path.name: path}


def describe_columns(file: str) -> tuple[str, frozenset[str]]:
    """Say of an exported file which column is its rows' id, and which columns hold no words a person may have typed.

    >>> key, plain = describe_columns("export/Opportunity_2.csv")
    >>> key, "Amount" in plain, "Name" in plain, describe_columns("other.csv")
    ('Id', True, False, ('', frozenset()))
    """
    kinds = _types(_object_of(file), None) if _object_of(file) else {}
    return "Id" if "Id" in kinds else "", frozenset(c for c, kind in kinds.items() if kind.strip("!*") != "text")


def _read_object(name: str, files: list[_File], kinds: dict[str, str],
                 folder: Path) -> tuple[pd.DataFrame, tuple[str, ...], dict[str, str]]:
    is_kept = sum(file.n_bytes for file in files) >= KEPT_FROM
    if not is_kept:
        drop_table(folder, name)                     # of an export that was larger
    table, digests = _read_kept(name, files, kinds, folder) if is_kept else _parse_object(name, files, kinds)
    return table.to_pandas(), tuple(json.loads(table.schema.metadata[b"columns"])), digests


def _read_kept(name: str, files: list[_File], kinds: dict[str, str], folder: Path) -> tuple[pa.Table, dict[str, str]]:
    """Take an object's rows from where they were kept while its files are the same; else parse and keep them."""
    if has_table(folder, name):
        digests = {file.name: file.hash() for file in files}
        table = load_table(folder, name, _origin(digests, kinds))
        if table is not None:
            return table, digests
    table, digests = _parse_object(name, files, kinds)
    save_table(folder, name, _origin(digests, kinds), table)
    return table, digests


def _origin(digests: dict[str, str], kinds: dict[str, str]) -> str:
    """Say what an object's rows follow from: the bytes of its files, the columns read, and what parses them."""
    return json.dumps([_parsers(), digests, kinds])


@cache
def _parsers() -> list[str]:
    return [pa.__version__, hashlib.sha256(Path(__file__).read_bytes()).hexdigest()]


def _parse_object(name: str, files: list[_File], kinds: dict[str, str]) -> tuple[pa.Table, dict[str, str]]:
    raws, digests = [pa.table({})], {}
    for file in files:
        raw, digests[file.name] = _parse(file, kinds)
        raws.append(raw)
    raw = pa.concat_tables(raws, promote_options="default")
    return _typed(f"{name}.csv", raw, kinds).replace_schema_metadata({"columns": json.dumps(raw.column_names)}), digests


def _find_parts(path: Path) -> dict[str, list]:
    """Find each object's files: at the root, else in the one folder below that holds them."""
    if not path.exists():
        raise TableError(f"{path}: there is no such folder or ZIP. Name the folder with the export's CSV files.")
    files = ({name: _File(file.name, file.stat().st_size, partial(open, file, "rb"))
              for name, file in _folder_files(path).items()} if path.is_dir() else _zip_files(path))
    for folder in _folders(files):
        parts = _by_object({name: file for name, file in files.items() if name.rpartition("/")[0] == folder})
        if parts:
            return _check_objects(path, parts)
    raise TableError(f"{path}: is no Salesforce export: found none of {', '.join(f'{name}.csv' for name in REQUIRED)}, "
                     "Lead.csv, Contact.csv. Name the folder (or the ZIP) that holds them.")


def _folder_files(path: Path) -> dict[str, Path]:
    """Find the files of the first folder, the given one or one right below it, that holds objects of an export."""
    found = {file.relative_to(path).as_posix(): file for file in sorted([*path.glob("*"), *path.glob("*/*")])
             if _object_of(file.name) and file.is_file()}
    for folder in _folders(found):
        here = {name: file for name, file in found.items() if name.rpartition("/")[0] == folder}
        if _by_object(here):
            return here
    return {}


def _folders(names: Iterable[str]) -> list[str]:
    return sorted({name.rpartition("/")[0] for name in names}, key=lambda name: (name.count("/"), name))


def _zip_files(path: Path) -> dict[str, _File]:
    try:
        found = sorted(zipfile.ZipFile(path).infolist(), key=lambda each: each.filename)
    except zipfile.BadZipFile:
        raise TableError(f"{path}: is no ZIP, or one cut short. Download it again.") from None
    return {each.filename: _File(each.filename.rpartition("/")[2], each.file_size, partial(_unzip, path, each.filename))
            for each in found if each.filename.lower().endswith(".csv") and each.filename.count("/") <= 1}


@contextmanager
def _unzip(path: Path, name: str) -> Iterator[BinaryIO]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            yield file
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError):
        raise TableError(f"{path}: {name} in it cannot be unpacked. Download the ZIP again.") from None


def _by_object(files: dict) -> dict[str, list]:
    parts = {}
    for file in files.values():
        if name := _object_of(file.name):
            parts.setdefault(name, []).append(file)
    return parts if parts.keys() & {*REQUIRED, *PEOPLE} else {}


def _object_of(file: str) -> str:
    """Name the object whose rows, or part of them, a file is named for; nothing where it is named for none."""
    names = {name.lower(): name for name in FILES}
    return names.get(re.sub(r"[ _-]?\d*\.csv$", "", file.rpartition("/")[2].lower()), "")


def _check_objects(path: Path, parts: dict) -> dict:
    lost = [f"{name}.csv" for name in REQUIRED if name not in parts]
    if not parts.keys() & set(PEOPLE):
        lost.append("Lead.csv or Contact.csv")
    if lost:
        raise TableError(f"{path}: there is no {', no '.join(lost)}. Export {'it' if len(lost) == 1 else 'them'} into "
                         "the same folder.")
    return parts


def _parse(file: _File, kinds: dict[str, str]) -> tuple[pa.Table, str]:
    """Parse the needed columns of one file as text, empty cells and null ids as null; give the file's digest too."""
    header = _header(file, kinds)
    wanted = [column for column in kinds if column in header]
    for encoding in ("utf8", "latin-1"):
        try:
            with file.open() as opened:
                raw = _parse_text(passing := _Passing(opened), wanted, encoding)
        except pa.ArrowInvalid as error:
            if "UTF8" not in str(error):
                _check_whole(file.name, data := file.read())
                _check_rows(file.name, data)
                raise TableError(f"{file.name}: cannot be read as comma-separated rows. Export it again.") from None
        else:
            if not passing.last.endswith(_ENDS) or passing.n_quotes % 2:
                _check_whole(file.name, file.read())
            return raw, passing.digest.hexdigest()
    raise AssertionError("every byte is a character of ISO-8859-1")


def _parse_text(file: BinaryIO, wanted: list[str], encoding: str) -> pa.Table:
    return pa.csv.read_csv(
        file, pa.csv.ReadOptions(encoding=encoding, block_size=1 << 22), pa.csv.ParseOptions(newlines_in_values=True),
        pa.csv.ConvertOptions(include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()),
                              null_values=["", "000000000000000AAA"], strings_can_be_null=True))


def _header(file: _File, kinds: dict[str, str]) -> list[str]:
    with file.open() as opened:
        start = opened.read(1 << 16)
    try:
        return _check_header(file.name, start, kinds)
    except TableError:
        file.read()                                  # a damaged ZIP says so instead
        raise


def _check_header(file: str, start: bytes, kinds: dict[str, str]) -> list[str]:
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise TableError(f"{file}: is in UTF-16. Export it in UTF-8.")
    first = start.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    if not first.strip():
        raise TableError(f"{file}: is empty, without so much as a header. Export it again.")
    line = first.splitlines()[0]
    if ";" in line and "," not in line:
        raise TableError(f"{file}: its cells are parted by semicolons. Export it with commas, not by way of Excel.")
    header = next(csv.reader([line]))
    lost = [column for column, kind in kinds.items() if kind[-1] in "!*" and column not in header]
    if lost:
        raise TableError(f"{file}: there is no column {', '.join(lost)}. Export it with API names and with "
                         f"{'it' if len(lost) == 1 else 'them'}.")
    twice = sorted({column for column in header if header.count(column) > 1 and column in kinds})
    if twice:
        raise TableError(f"{file}: column {', '.join(twice)} stands twice. Export it again.")
    return header


def _types(name: str, fields: dict[str, str] | None) -> dict[str, str]:
    """Give each column's type; of leads and contacts also the fields asked for, unless they are read anyway."""
    kinds = {column: kind for kind, columns in FILES[name].items() for column in columns.split()}
    return (fields or {}) | kinds if name in PEOPLE else kinds


#: The ways in which the last row of a whole file ends.
_ENDS = (b"\n", b"\r", b'"')


def _check_whole(file: str, data: bytes) -> None:
    if not data.endswith(_ENDS):
        raise TableError(f"{file}: is cut short: its last row does not end with a line break. Export it again (or, if "
                         "it is all there, add the line break).")
    if data.count(b'"') % 2:
        _check_rows(file, data)


def _check_rows(file: str, data: bytes) -> None:
    """Find, cell by cell, the rows that are not like the header."""
    rows = csv.reader(io.StringIO(data.decode("latin-1"), newline=""), strict=True)
    width, wrong, n = len(next(rows)), [], 0
    try:
        for n, row in enumerate(rows, 1):
            if row and len(row) != width:
                wrong.append((n, len(row)))
    except csv.Error:
        raise TableError(f"{file}: is cut short, or a quote is not closed, after row {n:,}. Export it again.") from None
    if wrong and wrong[0][0] == n and wrong[0][1] < width:
        raise TableError(f"{file}: is cut short after row {n - 1:,}: the last row has {wrong[0][1]} of {width} cells. "
                         "Export it again.")
    if wrong:
        rows = pd.Series([f"row {number}" for number, _ in wrong])
        raise TableError(f"{file}: {len(wrong):,} of {n:,} rows have not the {width} cells of the header "
                         f"({first_keys(rows)}). Export it again.")


def _typed(file: str, raw: pa.Table, kinds: dict[str, str]) -> pa.Table:
    """Turn text into ids, numbers, days, moments and flags; a column that is not there is all null."""
    nothing = pa.chunked_array([pa.nulls(len(raw), pa.string())])
    filled = {column: raw[column] if column in raw.column_names else nothing for column in kinds}
    keys = filled.get("Id")
    typed = {column: _TYPES[kind.strip("!*")](file, column, filled[column], keys) for column, kind in kinds.items()}
    for column, kind in kinds.items():
        if kind.endswith("!"):
            _refuse(file, column, pc.is_null(typed[column]), keys, "is empty")
    if keys is not None and not (ids := typed["Id"].to_pandas()).is_unique:
        twice = ids[ids.duplicated(keep=False)]
        raise TableError(f"{file}: Id stands more than once in {len(twice):,} of {len(ids):,} rows "
                         f"({first_keys(twice)}). Export it again, each row once.")
    return pa.table(typed)


def _refuse(file: str, column: str, wrong, keys, fault: str) -> None:
    rows = np.flatnonzero(np.asarray(wrong))
    if len(rows):
        by_row = column == "Id" or keys is None
        names = pd.Series([f"row {row + 1}" if by_row else keys[int(row)].as_py() for row in rows[:50]])
        raise TableError(f"{file}: {column} {fault} in {len(rows):,} of {len(wrong):,} rows ({first_keys(names)}). "
                         "Correct it in Salesforce, or export the file again.")


def _text(file: str, column: str, text: pa.ChunkedArray, keys) -> pa.ChunkedArray:
    return text


def _id(file: str, column: str, text: pa.ChunkedArray, keys) -> pa.ChunkedArray:
    length = pc.binary_length(text)
    good = pc.fill_null(pc.and_(pc.ascii_is_alnum(text), pc.or_(pc.equal(length, 18), pc.equal(length, 15))), True)
    _refuse(file, column, pc.invert(good), keys, "is no Salesforce id (15 or 18 letters and digits)")
    short = pc.fill_null(pc.equal(length, 15), False)
    return pc.replace_with_mask(text.combine_chunks(), short.combine_chunks(),
                                lengthen_ids(text.filter(short))) if pc.any(short).as_py() else text


def lengthen_ids(ids: pa.ChunkedArray) -> pa.Array:
    """Give 15-character ids their 18-character form.

    Each of the three added characters tells which of five characters are capitals: A-Z, 0-5 for 0 to 31.

    >>> lengthen_ids(pa.chunked_array([["001D000000IRFma"]])).to_pylist()
    ['001D000000IRFmaIAH']
    """
    characters = np.frombuffer("".join(ids.to_pylist()).encode(), np.uint8).reshape(-1, 3, 5)
    is_capital = (characters >= ord("A")) & (characters <= ord("Z"))
    checks = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", np.uint8)[is_capital @ (1 << np.arange(5))]
    ends = pa.array(np.ascontiguousarray(checks).view("S3").ravel().astype("U3"), pa.string())
    return pc.binary_join_element_wise(ids.combine_chunks(), ends, "")


def _flag(file: str, column: str, text: pa.ChunkedArray, keys) -> pa.ChunkedArray:
    text = pc.utf8_lower(text)
    is_true = pc.is_in(text, value_set=pa.array(["1", "true"]))
    known = pc.is_in(text, value_set=pa.array(["1", "true", "0", "false", None]))
    _refuse(file, column, pc.invert(known), keys, "is neither true nor false")
    return is_true


def _cast(file: str, column: str, text: pa.ChunkedArray, keys, to: pa.DataType, fault: str) -> pa.ChunkedArray:
    try:
        return pc.cast(text, to)
    except pa.ArrowInvalid:
        _refuse(file, column, np.array([not _casts(value, to) for value in text.to_pylist()]), keys, fault)
        raise


def _casts(value: str | None, to: pa.DataType) -> bool:
    try:
        return pa.scalar(value, pa.string()).cast(to) is not None
    except pa.ArrowInvalid:
        return False


def _number(file: str, column: str, text: pa.ChunkedArray, keys) -> pa.ChunkedArray:
    numbers = _cast(file, column, text, keys, pa.float64(), "is no number")
    _refuse(file, column, pc.fill_null(pc.invert(pc.is_finite(numbers)), False), keys, "is no number")
    _refuse(file, column, pc.fill_null(pc.greater(pc.abs(numbers), 1e12), False), keys, "is beyond a million million")
    return numbers


def _day(file: str, column: str, text: pa.ChunkedArray, keys) -> pa.ChunkedArray:
    if column in ("EndDate", "NextStartDate"):
        text = pc.if_else(pc.starts_with(text, "9999"), None, text)  # the usual way of writing "no end"
    bare = pc.replace_substring_regex(text, _MIDNIGHT, r"\1")
    days = _cast(file, column, bare, keys, pa.timestamp("us"), "is no day such as 2026-10-31")
    return _in_our_time(file, column, days, keys)


#: A day, and a time behind it which some dialects write and which says nothing.
_MIDNIGHT = r"^(\d{4}-\d\d-\d\d)[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$"


def _moment(file: str, column: str, text: pa.ChunkedArray, keys) -> pa.ChunkedArray:
    lengths = pc.min_max(pc.binary_length(text)).as_py()
    if lengths["min"] == lengths["max"] == len("2026-10-31 13:45:00"):
        naive = _cast(file, column, text, keys, pa.timestamp("us"), "is no time such as 2026-10-31 13:45:00")
        return _in_our_time(file, column, pc.assume_timezone(naive, "UTC"), keys)
    has_zone = pc.match_substring_regex(text, r"(Z|[+-]\d\d:?\d\d)$")
    tail = pc.if_else(pc.equal(pc.binary_length(text), 10), "T00:00:00Z", pc.if_else(has_zone, "", "Z"))
    zoned = pc.binary_join_element_wise(text, tail, "")
    times = _cast(file, column, zoned, keys, pa.timestamp("us", "UTC"), "is no time such as 2026-10-31 13:45:00")
    return _in_our_time(file, column, times, keys)


def _in_our_time(file: str, column: str, times: pa.ChunkedArray, keys) -> pa.ChunkedArray:
    years = pc.year(times)
    wrong = pc.fill_null(pc.or_(pc.less(years, 1900), pc.greater(years, 2200)), False)
    _refuse(file, column, wrong, keys, "is not between 1900 and 2200")
    return times


_TYPES = {"id": _id, "text": _text, "flag": _flag, "number": _number, "day": _day, "moment": _moment}
