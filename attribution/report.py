"""A month's reports: run, and published as notebook, page, workbook and manifest, all of them whole or not at all."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import requires, version
from pathlib import Path
from platform import machine, python_version, system

import pandas as pd

from attribution.agreement import month_days
from attribution.inputs import ROOT, find_inputs, find_settings, hash_file, hash_inputs, keep_inputs
from attribution.language import _, marked, speaking
from attribution.months import known_until
from attribution.page import render_page
from attribution.running import TIMEOUT_SECONDS, ReportError, check_parameters, execute_notebooks, read_parameters
from attribution.tables import CRM, TableError
from attribution.workbook import find_tables, write_workbook

#: The folder in a month's folder that holds the inputs of its reports, for the user's eyes alone.
PRIVATE = "private"
#: The parameters that say where inputs lie, which is not what they are.
PLACES = ("data_dir", "previous")


def run_report(notebook: str | Path, parameters: dict, out: str | Path = "reports", *, progress: bool = False) -> Path:
    """Run a notebook for a month and publish what comes out: run_reports of one notebook."""
    return run_reports({notebook: parameters}, out, progress=progress)


def run_reports(runs: Mapping[str | Path, dict], out: str | Path = "reports", *, progress: bool = False,
                is_copied: bool = True, timeout_seconds: float = TIMEOUT_SECONDS) -> Path:
    """Run notebooks, each with its parameters, for one month and publish what comes out, all of it or nothing.

    Returns the month's folder, `out`/2026-10: the executed notebooks, their pages and workbooks, the manifest of every
    report of that month, and in `private` a copy of what they were made from (unless is_copied is False: digests of its
    rows). Whatever another report has published there stays.
    Raises ValueError (TableError for data) when a parameter or an input is bad, ReportError when a cell fails or takes
    longer than timeout_seconds, or when another run is at the same month.
    """
    runs = {Path(notebook): read_parameters(notebook) | check_parameters(notebook, parameters)
            for notebook, parameters in runs.items()}
    month = _month_folder(runs, out)
    reports = [(notebook, parameters, name_report(notebook, parameters)) for notebook, parameters in runs.items()]
    files = [find_inputs(*report) for report in reports]
    inputs = [hash_inputs(found) for found in files]
    read_manifest(month)
    with replacing(month) as draft, ThreadPoolExecutor(1) as beside:
        _copy_others(month, draft, [name for *_run, name in reports])
        kept = beside.submit(keep_inputs, files, inputs, draft / PRIVATE, is_copied=is_copied)
        executed = execute_notebooks(list(runs.items()), progress=progress, timeout_seconds=timeout_seconds)
        kept.result()
        if [hash_inputs(find_inputs(*report)) for report in reports] != inputs:
            raise TableError(f"{month}: the inputs changed while its reports were made. Make them again")
        for (notebook, parameters, _name), cells, made_from in zip(reports, executed, inputs, strict=True):
            write_report(draft, notebook, cells, parameters, made_from)
        _drop_unnamed(draft)
    return month


def name_report(notebook: Path, parameters: dict) -> str:
    """Name a report's files: as its notebook, and as the stage where it speaks of another than the won one.

    A stage with other characters than A-Z, a-z, 0-9 and -, or more than 40, gets a digest: no two share a name.

    >>> name_report(Path("notebooks/campaign_roi.ipynb"), {"month": "2026-10", "stage": "mql"})
    'campaign_roi_mql'
    """
    stage = parameters.get("stage") or ""
    is_plain = re.fullmatch("[A-Za-z0-9-]{,40}", stage)
    return notebook.stem + f"_{stage if is_plain else add_digest(stage)}" * bool(stage)


def add_digest(text: str) -> str:
    """Name a file for a text that is no safe name: the letters, digits, _ and - in it, and a digest of it all.

    >>> add_digest("../etc")
    'etc-f7f9121f'
    """
    return re.sub("[^A-Za-z0-9_-]", "", text)[:40] + f"-{_digest(text)[:8]}"


def _month_folder(runs: Mapping[Path, dict], out: str | Path) -> Path:
    months = {parameters.get("month"): month_days(parameters.get("month")) for parameters in runs.values()}
    if len(months) != 1:
        raise ValueError(f"month: {' and '.join(sorted(months))} cannot be published together. Run them one by one")
    return _refuse_file(Path(out, *months))


def _refuse_file(folder: Path) -> Path:
    if folder.is_file():
        raise ValueError(f"{folder}: is a file, not a folder. Move it away")
    return folder


def _copy_others(month: Path, draft: Path, names: list[str]) -> None:
    if month.is_dir():
        shutil.copytree(month, draft, ignore=shutil.ignore_patterns(*[f"{name}{end}" for name in names
                                                                      for end in (".*", "-[0-9]*.png")]),
                        dirs_exist_ok=True)


def _drop_unnamed(draft: Path) -> None:
    """Drop the kept inputs that no report of the month was made from any longer."""
    named = {digest for said in read_manifest(draft).values() for digest in said.get("inputs", {}).values()}
    for path in (draft / PRIVATE).iterdir():
        if path.is_file() and path.name.partition(".")[0] not in named:
            path.unlink()


def read_manifest(month: Path) -> dict:
    """Read the manifest of a month's folder: report → what it was made from and what came out.

    Returns nothing where there is none yet. Raises ValueError when it cannot be read.
    """
    manifest = month / "manifest.json"
    try:
        said = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not all(map(_names_inputs, said.values())):
        raise ValueError(f"{manifest}: is no manifest that can be read. Move it away, and make the month's reports "
                         "again")
    return said


def _names_inputs(entry) -> bool:
    inputs = entry.get("inputs", {}) if isinstance(entry, dict) else None
    return isinstance(inputs, dict) and all(isinstance(digest, str) for digest in inputs.values())


def check_entry(month: Path, name: str, said: dict) -> dict:
    """Give a manifest's entry, if it is as this version writes one and its names lead nowhere else.

    It may have come from anywhere. Raises ValueError otherwise.
    """
    try:
        is_ours = (all(isinstance(value, str | int | float | None) for value in said["parameters"].values())
                   and all(isinstance(said["parameters"].get(key), str | None) for key in (*PLACES, "month"))
                   and isinstance(said["packages"], dict)
                   and all(re.fullmatch("[0-9a-f]{64}", digest)
                           for digest in [*said["inputs"].values(), *said["outputs"].values()])
                   and Path(said["notebook"]).name == said["notebook"] and not re.search(r"[/\\:]", name)
                   and name_report(Path(said["notebook"]), said["parameters"]) == name
                   and set(said["outputs"]) == {f"{name}.{kind}" for kind in ("ipynb", "html", "xlsx")})
    except (KeyError, TypeError, AttributeError):
        is_ours = False
    if not is_ours:
        raise ValueError(f"{month / 'manifest.json'}: {name} is not said as this version of the kit says it. Make the "
                         "month's reports again")
    return said


def write_report(folder: Path, notebook: Path, executed: dict, parameters: dict, inputs: dict[str, str]) -> None:
    """Write an executed notebook's files into a folder, in its language, and its entry into the manifest there."""
    name = name_report(notebook, parameters)
    outputs = [folder / f"{name}.{kind}" for kind in ("ipynb", "html", "xlsx")]
    with speaking(parameters.get("language", "en")):
        _write_outputs(outputs, executed, _footer(notebook.name, parameters, inputs))
    manifest = folder / "manifest.json"
    others = read_manifest(folder)
    ours = {"made_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "notebook": notebook.name, "parameters": parameters,
            "inputs": inputs, "outputs": {path.name: hash_file(path) for path in outputs},
            "packages": list_packages(), "platform": f"{system()} {machine()}"}
    text = json.dumps(others | {name: ours}, indent=2, sort_keys=True)
    manifest.write_text(text + "\n", encoding="utf-8", newline="\n")


def _write_outputs(outputs: list[Path], executed: dict, footer: list[str]) -> None:
    import nbformat
    for cell in executed["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = _(cell["source"])
    outputs[0].write_text(nbformat.writes(executed) + "\n", encoding="utf-8", newline="\n")
    outputs[1].write_text(render_page(executed, footer), encoding="utf-8", newline="\n")
    write_workbook(find_tables(executed), outputs[2])


def _footer(notebook: str, parameters: dict, inputs: dict[str, str]) -> list[str]:
    made_from = f"{notebook}, sha256 {inputs[notebook][:12]}"
    said = ", ".join(f"{key} = {value}" for key, value in parameters.items())
    made = _("Made by attribution-kit {version} from {notebook}.")
    return [made.format(version=version("attribution-kit"), notebook=made_from),
            _("Parameters: {parameters}.").format(parameters=said),
            _("The tables are in the workbook beside this page, the hashes of all inputs and outputs in "
              "manifest.json.")]


def list_packages() -> dict[str, str]:
    """Give the versions of Python and of every package that the kit asks for."""
    wanted = [re.match("[A-Za-z0-9._-]+", line)[0] for line in requires("attribution-kit") if "extra ==" not in line]
    return {"python": python_version()} | {name: version(name) for name in ["attribution-kit", *wanted]}


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give an empty folder to fill, hidden until it is whole; it takes the other's place when nothing failed.

    What a run that was killed has left behind is swept away. Raises ValueError when a file stands in that place,
    ReportError when another run is filling such a folder.
    """
    _refuse_file(folder)
    made = [parent for parent in folder.parents if not parent.exists()]
    workshop = folder.with_name(f".{folder.name}-new")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(workshop, folder):
            draft = workshop / "new"
            draft.mkdir()
            yield draft
            publish(draft, folder)
    except BaseException as error:
        with suppress(OSError):
            for parent in made:
                parent.rmdir()
        if isinstance(error, OSError) and _is_of_writing(error, workshop):
            raise ReportError(f"{folder}: cannot be written: {_why(error)}. Nothing was published") from None
        raise


def _is_of_writing(error: OSError, workshop: Path) -> bool:
    return isinstance(error, shutil.Error) or error.filename is None or Path(error.filename).is_relative_to(workshop)


def _why(error: OSError) -> str:
    """Say why; of what could not be copied, shutil gives (path, copy, reason) for each."""
    if isinstance(error, shutil.Error):
        path, _copy, reason = error.args[0][0]
        return f"{path} in it cannot be copied ({reason}), move it away"
    return str(error.strerror)


@contextmanager
def _locked(workshop: Path, folder: Path) -> Iterator[None]:
    """Make a folder that is ours alone for as long as this process lives, and remove it in the end."""
    lock = _lock(workshop, folder)
    try:
        _sweep(workshop, folder)
        yield
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _lock(workshop: Path, folder: Path) -> int | None:
    """Take the folder for this process, if no other has it; the system lets go of it when the process ends."""
    busy = ReportError(f"{folder}: another run is making it. Wait for its end, or stop it")
    if os.name != "posix":                           # no such lock there: the folder itself is one
        if workshop.exists():
            raise ReportError(f"{folder}: another run is making it, or was killed. If none is going on, move "
                              f"{workshop / 'old'} back to {folder}, if it is there, and remove {workshop}")
        return workshop.mkdir()
    import fcntl
    while True:
        workshop.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(workshop, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise busy from None
        if workshop.exists() and os.path.samestat(os.fstat(lock), workshop.stat()):
            return lock
        os.close(lock)                               # the run before has removed it meanwhile


def _sweep(workshop: Path, folder: Path) -> None:
    """Clear away what a run that was killed has left, and put back what it had moved."""
    if (workshop / "old").exists() and not folder.exists():
        os.replace(workshop / "old", folder)
    for left in workshop.iterdir():
        shutil.rmtree(left)


def publish(draft: Path, month: Path) -> None:
    """Put a finished folder in the place of the month's, by renames; the old one comes back if that fails."""
    old = draft.with_name("old")
    try:
        if month.exists():
            os.replace(month, old)
        os.replace(draft, month)
    finally:
        if old.exists() and not month.exists():
            os.replace(old, month)


def provenance(crm: CRM, parameters: dict, previous: dict[str, str] | None = None) -> pd.DataFrame:
    """List what a report was made from, the same on every machine.

    Returns one row per item and its sha256: data (one digest over all of the export's files, then each file's),
    parameters (all but those that say where files lie), agreement, spend ledger, lock, the files of the `previous`
    report that it is compared with; and known until, the moment (UTC) up to which the data tell of the month.
    """
    said = json.dumps({name: value for name, value in parameters.items() if name not in PLACES}, sort_keys=True)
    files = dict(sorted(crm.sources.items()))
    ours = find_settings(parameters["data_dir"]) if "data_dir" in parameters else []
    items = {marked("data"): _digest(json.dumps(files)), **files, marked("parameters"): _digest(said)}
    items |= {path.name: hash_file(path) for path in [*ours, ROOT / "requirements.lock"] if path.is_file()}
    items |= {**(previous or {}), "known until": f"{known_until(crm):%Y-%m-%dT%H:%M:%S.%fZ}"}
    return pd.DataFrame({"item": list(items), "value": list(items.values())}).astype("str")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
