"""A month's report as it was published: read back from its folder, checked to be the one of its manifest."""

from importlib.metadata import version
from pathlib import Path

import pandas as pd

from attribution.agreement import month_days
from attribution.agreement_file import find_beside
from attribution.report import ROOT, hash_file, name_report, read_manifest
from attribution.restated import Previous
from attribution.sources import find_folder
from attribution.workbook import NUMBERS, TIMES, find_tables

#: The parameters that decide what a report's figures mean, rather than what it is of or what it shows of it.
DEFINING = ("model", "half_life_days", "lookback_days", "linking", "on_orphan", "owner")
ADVICE = "Name a month's folder made before, such as reports/2026-09"


def read_previous(previous: str | None, notebook: str, month: str, stage: str | None = None) -> Previous:
    """Read a month's report that was published before, from its folder; None gives an empty one of the month asked.

    Returns the report as it was published: its tables by sheet, typed, and what it was made by.
    Raises ValueError when the folder has no such report, when the notebook in it is not the one that its manifest
    names, or is of a later month or of a version that kept too little to compare with.
    """
    if previous is None:
        return Previous(month, pd.Timestamp("1900-01-01", tz="UTC"))
    folder, name = find_folder(previous), name_report(Path(notebook), {"stage": stage})
    said = find_published(previous, name)
    _check_month(folder, said["parameters"].get("month"), month)
    path = folder / f"{name}.ipynb"
    tables = {table["sheet"]: read_table(table) for table in _read_notebook(path, said)}
    return Previous(said["parameters"]["month"], _known_until(path, tables), tables, _definitions(said, notebook),
                    {f"previous/{file.name}": hash_file(file) for file in (folder / "manifest.json", path)})


def find_published(previous: str, name: str) -> dict:
    """Find what the manifest of a month's folder says of a report.

    Raises ValueError when there is no manifest, or no such report in it.
    """
    folder = find_folder(previous)
    manifest = read_manifest(folder)
    if not manifest:
        raise ValueError(f"previous: {folder} has no manifest.json. {ADVICE}")
    if name not in manifest:
        raise ValueError(f"previous: {folder} has no report {name}, only {', '.join(sorted(manifest))}. {ADVICE}")
    return manifest[name]


def _check_month(folder: Path, then: str, month: str) -> None:
    if month_days(then)[0] > month_days(month)[0]:
        raise ValueError(f"previous: {folder} is of {then}, later than {month}. {ADVICE}")


def _read_notebook(path: Path, said: dict) -> list[dict]:
    import nbformat
    if not path.is_file():
        raise ValueError(f"previous: {path} is not there, although the manifest names it. {ADVICE}")
    if hash_file(path) != said["outputs"].get(path.name):
        raise ValueError(f"previous: {path} is not the file that was published (its sha256 is not the one in "
                         "manifest.json). Put the published one back, or make that month again")
    return find_tables(nbformat.read(path, as_version=4))


def read_table(table: dict) -> pd.DataFrame:
    """Give a table of an executed notebook with typed columns; moments are local, as they were published.

    >>> read_table({"columns": [{"name": "closed_on", "format": "day"}, {"name": "credit", "format": "money"}],
    ...             "rows": [["2026-10-31T00:00:00", 12.5]]}).dtypes.astype(str).to_dict()
    {'closed_on': 'datetime64[us]', 'credit': 'float64'}
    """
    cells = list(zip(*table["rows"], strict=True)) or [()] * len(table["columns"])
    return pd.DataFrame({column["name"]: _typed(list(values), column["format"])
                         for column, values in zip(table["columns"], cells, strict=True)})


def _typed(values: list, form: str) -> pd.Series:
    if form in NUMBERS:
        return pd.Series(values, dtype=float)
    if form in TIMES:
        return pd.to_datetime(pd.Series(values, dtype="str"), format="ISO8601").astype("datetime64[us]")
    is_flag = any(isinstance(value, bool) for value in values)
    return pd.Series(values, dtype="boolean" if is_flag else "str")


def _known_until(path: Path, tables: dict[str, pd.DataFrame]) -> pd.Timestamp:
    items = tables["provenance"].set_index("item")["value"] if "provenance" in tables else pd.Series(dtype="str")
    if "known until" not in items:
        raise ValueError(f"previous: {path} was made by a version that kept too little to compare with. Make that "
                         "month again, from the export of then")
    return pd.Timestamp(items["known until"])


def _definitions(said: dict, notebook: str) -> dict[str, tuple[str, str]]:
    inputs, kit = said["inputs"], said["packages"].get("attribution-kit")
    files = {"agreement.toml": "agreement", f"{notebook}.ipynb": "notebook"}
    return _describe(said["parameters"]) | {"attribution-kit": ("kit", str(kit))} | {
        item: (kind, inputs[item][:12]) for item, kind in files.items() if item in inputs}


def _describe(parameters: dict) -> dict[str, tuple[str, str]]:
    return {name: ("parameter", _plain(parameters[name])) for name in DEFINING if name in parameters}


def _plain(value) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def read_definitions(notebook: str, parameters: dict, data_dir: str) -> dict[str, tuple[str, str]]:
    """Say by which definitions today's report is made: item → kind and value, a file's as the start of its sha256."""
    files = {"agreement": find_beside(find_folder(data_dir), "agreement.toml"),
             "notebook": ROOT / "notebooks" / f"{notebook}.ipynb"}
    return _describe(parameters) | {"attribution-kit": ("kit", version("attribution-kit"))} | {
        path.name: (kind, hash_file(path)[:12]) for kind, path in files.items() if path.is_file()}
