"""A month's reports: notebooks run by papermill, published as notebook, page, workbook and manifest, or not at all."""

import ast
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import requires, version
from pathlib import Path
from platform import platform, python_version

import pandas as pd

from attribution.agreement import month_days
from attribution.agreement_file import find_beside
from attribution.months import known_until
from attribution.page import render_page
from attribution.tables import CRM, TableError
from attribution.workbook import find_tables, write_workbook

ROOT = Path(__file__).parents[1]
logging.getLogger("papermill").addHandler(logging.NullHandler())    # what it would print is raised as well

#: What a notebook's kernel runs under, so that the same inputs give the same bytes.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8",
               "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class ReportError(RuntimeError):
    """A report that could not be made, said in one line: notebook, cell, why."""


def run_report(notebook: str | Path, parameters: dict, out: str | Path = "reports", *, progress: bool = False) -> Path:
    """Run a notebook for a month and publish what comes out: run_reports of one notebook."""
    return run_reports({notebook: parameters}, out, progress=progress)


def run_reports(runs: Mapping[str | Path, dict], out: str | Path = "reports", *, progress: bool = False) -> Path:
    """Run notebooks, each with its parameters, for one month and publish what comes out, all of it or nothing.

    Returns the month's folder, `out`/2026-10: the executed notebooks, their pages and workbooks, and the manifest of
    every report of that month. Whatever another report has published there stays.
    Raises ValueError (TableError for data) when a parameter or an input is bad, ReportError when a cell fails.
    """
    runs = {Path(notebook): read_parameters(notebook) | check_parameters(notebook, parameters)
            for notebook, parameters in runs.items()}
    month = _month_folder(runs, out)
    inputs = [hash_inputs(notebook, parameters) for notebook, parameters in runs.items()]
    read_manifest(month)
    executed = execute_notebooks(runs, progress=progress)
    with replacing(month) as draft:
        _copy_others(month, draft, [name_report(notebook, parameters) for notebook, parameters in runs.items()])
        for (notebook, parameters), cells, made_from in zip(runs.items(), executed, inputs, strict=True):
            _write_report(draft, notebook, cells, parameters, made_from)
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


def read_parameters(notebook: str | Path) -> dict:
    """Read the parameters that a notebook declares, and their defaults, from its cell tagged `parameters`.

    Raises ValueError when there is no such cell, or when it holds more than plain values.
    """
    cells = [cell for cell in _read_cells(notebook) if "parameters" in cell["metadata"].get("tags", ())]
    if len(cells) != 1:
        raise ValueError(f"{notebook}: {len(cells)} cells are tagged 'parameters'. Tag the first code cell alone")
    try:
        said = [line for line in ast.parse(cells[0]["source"]).body if isinstance(line, ast.Assign | ast.AnnAssign)]
        return {_target(line): ast.literal_eval(line.value) for line in said}
    except (SyntaxError, ValueError, AttributeError):
        raise ValueError(f"{notebook}: the cell tagged 'parameters' holds more than names and plain values") from None


def _target(line: ast.Assign | ast.AnnAssign) -> str:
    return (line.target if isinstance(line, ast.AnnAssign) else line.targets[0]).id


def _read_cells(notebook: str | Path) -> list[dict]:
    import nbformat
    if not Path(notebook).is_file():
        raise ValueError(f"{notebook}: there is no such notebook")
    return nbformat.read(notebook, as_version=4)["cells"]


def check_parameters(notebook: str | Path, parameters: dict) -> dict:
    """Check that a notebook declares every parameter given, and return them; papermill would only warn.

    Raises ValueError that lists the known ones.
    """
    known = read_parameters(notebook)
    for name, value in parameters.items():
        if name not in known:
            raise ValueError(f"parameter: {name!r} is not one of {', '.join(known)}")
        if not isinstance(value, str | int | float | None):
            raise ValueError(f"parameter {name}: {type(value).__name__} cannot be passed to a notebook, text can")
    return parameters


def execute_notebook(notebook: str | Path, parameters: dict, *, progress: bool = False) -> dict:
    """Execute a notebook in a kernel of its own: execute_notebooks of one."""
    return execute_notebooks({notebook: parameters}, progress=progress)[0]


def execute_notebooks(runs: Mapping[str | Path, dict], *, progress: bool = False) -> list[dict]:
    """Execute notebooks, every cell of each, in kernels of their own: side by side, as many as there are cores.

    Returns the executed notebooks, in the order given, equal to the byte when their inputs are.
    Raises, as soon as one fails, TableError or ValueError with a cell's own words when the cell raised one (led by the
    notebook's name where there are several), else ReportError; the others are stopped then.
    """
    kernels: list = []
    with (_surroundings() as place, _progress_bar(runs, progress) as bar,
          ThreadPoolExecutor(min(len(runs), os.cpu_count() or 1)) as pool):
        run_cells = _papermill(kernels, bar)
        futures = [pool.submit(_execute, partial(run_cells, **_kernel_place(place, n)), *run, is_alone=len(runs) == 1)
                   for n, run in enumerate(runs.items())]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            _stop(kernels, futures)
            raise
    return [future.result() for future in futures]


def _execute(run_cells: Callable, notebook: str | Path, parameters: dict, *, is_alone: bool) -> dict:
    from papermill import PapermillExecutionError
    try:
        executed = run_cells(notebook, None, parameters)
    except PapermillExecutionError as error:
        raise _in_one_line(error, notebook, is_alone) from None
    except RuntimeError as error:                    # nbclient's, also of a kernel that did not start
        raise ReportError(f"{Path(notebook).name}: the kernel died, as it does when memory runs out: {error}") from None
    _check_completed(executed, notebook)
    return tidy_notebook(executed)


def _papermill(kernels: list, bar) -> Callable:
    """Give papermill's runner, imported here once: threads that import it at the same time may clash."""
    from jupyter_client import AsyncKernelManager
    from papermill import execute_notebook as run_cells

    class Kernel(AsyncKernelManager):
        def __init__(self, **options):
            super().__init__(**options)
            kernels.append(self)                     # so that it can be stopped

    return partial(run_cells, kernel_name="python3", kernel_manager_class=Kernel, shutdown_kernel="immediate",
                   coalesce_streams=True, request_save_on_cell_execute=False, progress_bar=False,
                   on_cell_executed=lambda **_: bar.update())


def _kernel_place(place: str, number: int) -> dict:
    """Give a kernel files of its own: kernels that start at once would take one another's."""
    from traitlets.config import Config
    profile = Path(place, f"ipython{number}")
    profile.mkdir()
    arguments = ["--IPKernelApp.log_level=50", "--IPKernelApp.exec_PYTHONSTARTUP=False",
                 f"--IPKernelApp.ipython_dir={profile}"]
    sockets = {"config": Config({"KernelManager": {"transport": "ipc", "ip": f"{place}/k{number}"}})}
    return {"extra_arguments": arguments} | (sockets if os.name == "posix" else {})


def _stop(kernels: list, futures: list[Future]) -> None:
    """Kill what runs, and what is still to start, until nothing does; each thread then tidies up after its kernel."""
    for future in futures:
        future.cancel()
    while wait(futures, timeout=0.1).not_done:
        for process in [getattr(kernel.provisioner, "process", None) for kernel in kernels]:
            if process:
                process.kill()


@contextmanager
def _surroundings() -> Iterator[str]:
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="kit-") as place:
        os.environ |= ENVIRONMENT | {"IPYTHONDIR": place, "JUPYTER_RUNTIME_DIR": place}
        try:
            yield place
        finally:
            os.environ.clear()
            os.environ.update(before)


def _progress_bar(runs: Mapping[str | Path, dict], progress: bool):
    from tqdm import tqdm
    n_cells = [sum(cell["cell_type"] == "code" for cell in _read_cells(notebook)) + bool(parameters)
               for notebook, parameters in runs.items()]
    return tqdm(total=sum(n_cells), unit="cell", desc="Executing", disable=None if progress else True)


def _in_one_line(error, notebook: str | Path, is_alone: bool) -> Exception:
    words, name = " ".join(error.evalue.split()), Path(notebook).name
    if error.ename in ("TableError", "ValueError") and _is_ours(error.traceback):
        said = words if is_alone else f"{name}: {words}"
        return TableError(said) if error.ename == "TableError" else ValueError(said)
    return ReportError(f"{name}: {_place(notebook, error.source)} failed: {error.ename}: {words}")


def _is_ours(traceback: list[str]) -> bool:
    """Tell whether a cell or this package raised, rather than a library it calls: bad input from a fault of ours."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(traceback))
    last = re.findall(r"^(?:File (.+?):\d+|Cell In\[\d+\])", text, re.MULTILINE)[-1:]
    return last in ([], [""]) or Path(last[0]).expanduser().is_relative_to(Path(__file__).parent)


def _place(notebook: str | Path, source: str) -> str:
    number, heading = 0, ""
    for cell in _read_cells(notebook):
        number += cell["cell_type"] == "code"
        headings = re.findall("^#+ +(.+)", cell["source"], re.MULTILINE) if cell["cell_type"] == "markdown" else []
        heading = headings[-1] if headings else heading
        if cell["source"] == source:
            return f"cell {number} ({heading or source.splitlines()[0]})"
    return "the cell of parameters"


def _check_completed(executed: dict, notebook: str | Path) -> None:
    for cell in executed["cells"]:
        if cell["cell_type"] == "code" and (
                cell["metadata"]["papermill"]["status"] != "completed" or
                any(output["output_type"] == "error" for output in cell["outputs"])):
            raise ReportError(f"{Path(notebook).name}: {_place(notebook, cell['source'])} did not complete")


def tidy_notebook(executed: dict) -> dict:
    """Leave out of an executed notebook what differs between two equal runs: times, versions, made-up ids.

    Returns a notebook of the same cells, outputs and tags.
    """
    import nbformat
    return nbformat.from_dict({
        "cells": [_tidy_cell(cell) for cell in executed["cells"]], "nbformat": 4, "nbformat_minor": 5,
        "metadata": {"kernelspec": executed["metadata"]["kernelspec"], "language_info": {"name": "python"}}})


def _tidy_cell(cell: dict) -> dict:
    tags = list(cell["metadata"].get("tags", ()))
    made_up = {"id": "injected-parameters"} if "injected-parameters" in tags else {}
    return dict(cell) | {"metadata": {"tags": tags} if tags else {}} | made_up


def hash_file(path: str | Path) -> str:
    """Give the sha256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_inputs(notebook: Path, parameters: dict) -> dict[str, str]:
    """Give the sha256 of everything a report is made from: the data folder's files, the notebook, the lock."""
    data = _data_files(parameters["data_dir"]) if "data_dir" in parameters else {}
    files = data | {path.name: path for path in (notebook, ROOT / "requirements.lock")}
    return {name: hash_file(path) for name, path in files.items() if path.is_file()}


def _data_files(data_dir: str) -> dict[str, Path]:
    """Name the export's files, of the folder and of those right below it, as the reader looks for them."""
    from attribution.sources import find_folder
    data = find_folder(data_dir)
    exported = sorted([*data.glob("*.csv"), *data.glob("*/*.csv")]) if data.is_dir() else []
    named = {path.relative_to(data).as_posix(): path for path in exported} or {data.name: data}
    return named | {path.name: path for path in _ours(data_dir)}


def _ours(data_dir: str) -> list[Path]:
    from attribution.sources import find_folder
    return [find_beside(find_folder(data_dir), name) for name in ("agreement.toml", "spend.csv")]


def _copy_others(month: Path, draft: Path, names: list[str]) -> None:
    if month.is_dir():
        shutil.copytree(month, draft, ignore=shutil.ignore_patterns(*[f"{name}.*" for name in names]),
                        dirs_exist_ok=True)


def read_manifest(month: Path) -> dict:
    """Read the manifest of a month's folder: report → what it was made from and what came out.

    Returns nothing where there is none yet. Raises ValueError when it cannot be read.
    """
    manifest = month / "manifest.json"
    try:
        said = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise ValueError(f"{manifest}: is no manifest that can be read. Move it away, and make the month's reports "
                         "again")
    return said


def _write_report(folder: Path, notebook: Path, executed: dict, parameters: dict, inputs: dict[str, str]) -> None:
    import nbformat
    name = name_report(notebook, parameters)
    outputs = [folder / f"{name}.{kind}" for kind in ("ipynb", "html", "xlsx")]
    outputs[0].write_text(nbformat.writes(executed) + "\n", encoding="utf-8", newline="\n")
    footer = _footer(notebook.name, parameters, inputs)
    outputs[1].write_text(render_page(executed, footer), encoding="utf-8", newline="\n")
    write_workbook(find_tables(executed), outputs[2])
    manifest = folder / "manifest.json"
    others = read_manifest(folder)
    ours = {"made_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "parameters": parameters, "inputs": inputs,
            "outputs": {path.name: hash_file(path) for path in outputs}, "packages": _versions(),
            "python": python_version(), "platform": platform()}
    text = json.dumps(others | {name: ours}, indent=2, sort_keys=True)
    manifest.write_text(text + "\n", encoding="utf-8", newline="\n")


def _footer(notebook: str, parameters: dict, inputs: dict[str, str]) -> list[str]:
    made_from = f"{notebook}, sha256 {inputs[notebook][:12]}"
    return [f"Made by attribution-kit {version('attribution-kit')} from {made_from}.",
            "Parameters: " + ", ".join(f"{key} = {value}" for key, value in parameters.items()) + ".",
            "The tables are in the workbook beside this page, the hashes of all inputs and outputs in manifest.json."]


def _versions() -> dict[str, str]:
    wanted = [re.match("[A-Za-z0-9._-]+", line)[0] for line in requires("attribution-kit") if "extra ==" not in line]
    return {name: version(name) for name in ["attribution-kit", *wanted]}


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give an empty folder to fill, hidden until it is whole; it takes the other's place when nothing failed.

    Raises ValueError when a file stands in that place.
    """
    _refuse_file(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as workshop:
        draft = Path(workshop, "new")
        draft.mkdir()
        yield draft
        publish(draft, folder)


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
    parameters, agreement, spend ledger, lock, the files of the `previous` report that it is compared with; and known
    until, the moment (UTC) up to which the data tell of the month.
    """
    said = json.dumps(parameters, sort_keys=True)
    files = dict(sorted(crm.sources.items()))
    ours = _ours(parameters["data_dir"]) if "data_dir" in parameters else []
    items = {"data": _digest(json.dumps(files)), **files, "parameters": _digest(said)}
    items |= {path.name: hash_file(path) for path in [*ours, ROOT / "requirements.lock"] if path.is_file()}
    items |= {**(previous or {}), "known until": f"{known_until(crm):%Y-%m-%dT%H:%M:%S.%fZ}"}
    return pd.DataFrame({"item": list(items), "value": list(items.values())}).astype("str")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
