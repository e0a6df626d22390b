"""A month's report as it was published: read back from its folder, checked to be the one of its manifest."""

from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from attribution.agreement import month_days
from attribution.agreement_file import find_beside
from attribution.inputs import ROOT, hash_file
from attribution.report import check_entry, name_report, read_manifest
from attribution.restated import Previous
from attribution.showing import read_notebook
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
    executed = _read_notebook(path, said)
    tables = _read_tables(path, executed)
    return Previous(said["parameters"]["month"], _known_until(path, tables), tables, _definitions(said, executed),
                    {f"previous/{file.name}": hash_file(file) for file in (folder / "manifest.json", path)})


def _read_tables(path: Path, executed: dict) -> dict[str, pd.DataFrame]:
    try:
        return {table["sheet"]: read_table(table) for table in find_tables(executed)}
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"previous: {path} holds a table that cannot be read. Make that month again") from None


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
    return check_entry(folder, name, manifest[name])


def _check_month(folder: Path, then: str, month: str) -> None:
    if month_days(then)[0] > month_days(month)[0]:
        raise ValueError(f"previous: {folder} is of {then}, later than {month}. {ADVICE}")


def _read_notebook(path: Path, said: dict) -> dict:
    if not path.is_file():
        raise ValueError(f"previous: {path} is not there, although the manifest names it. {ADVICE}")
    if hash_file(path) != said["outputs"].get(path.name):
        raise ValueError(f"previous: {path} is not the file that was published (its sha256 is not the one in "
                         "manifest.json). Put the published one back, or make that month again")
    return read_notebook(path)


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
    if form in TIMES["en"]:
        return pd.to_datetime(pd.Series(values, dtype="str"), format="ISO8601").astype("datetime64[us]")
    is_flag = any(isinstance(value, bool) for value in values)
    return pd.Series(values, dtype="boolean" if is_flag else "str")


def _known_until(path: Path, tables: dict[str, pd.DataFrame]) -> pd.Timestamp:
    items = tables["provenance"].set_index("item")["value"] if "provenance" in tables else pd.Series(dtype="str")
    if "known until" not in items:
        raise ValueError(f"previous: {path} was made by a version that kept too little to compare with. Make that "
                         "month again, from the export of then")
    return pd.Timestamp(items["known until"])


def _definitions(said: dict, executed: dict) -> dict[str, tuple[str, str]]:
    files = {name: ("agreement", said["inputs"][name][:12]) for name in ("agreement.toml",) if name in said["inputs"]}
    return _describe(said["parameters"], said["packages"]["attribution-kit"], executed) | files


def read_definitions(notebook: str, parameters: dict, data_dir: str) -> dict[str, tuple[str, str]]:
    """Say by which definitions today's report is made: the parameters, the agreement, the kit, the notebook's code.

    Returns a dict, item → kind (parameter, agreement, kit or notebook) and value: of files the start of a sha256.
    """
    import nbformat
    agreement = find_beside(find_folder(data_dir), "agreement.toml")
    files = {agreement.name: ("agreement", hash_file(agreement)[:12])} if agreement.is_file() else {}
    ours = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4)
    return _describe(parameters, version("attribution-kit"), ours) | files


def _describe(parameters: dict, kit: str, notebook: dict) -> dict[str, tuple[str, str]]:
    said = {name: ("parameter", _plain(parameters[name])) for name in DEFINING if name in parameters}
    return said | {"attribution-kit": ("kit", kit), "notebook": ("notebook", _digest_code(notebook))}


def _plain(value) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _digest_code(notebook: dict) -> str:
    """Digest what a notebook runs, whatever its parameters and its outputs are."""
    code = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"
            and not {"parameters", "injected-parameters"} & set(cell["metadata"].get("tags", ()))]
    return sha256("\n\n".join(code).encode()).hexdigest()[:12]
