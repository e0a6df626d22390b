"""Notebooks run by papermill in kernels of their own, side by side: the same cells and inputs, the same bytes."""

import ast
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from attribution.tables import TableError

logging.getLogger("papermill").addHandler(logging.NullHandler())    # what it would print is raised as well

TIMEOUT_SECONDS = 1800.0

#: What a notebook's kernel runs under, so that the same inputs give the same bytes.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8",
               "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class ReportError(RuntimeError):
    """A report that could not be made, said in one line: notebook, cell, why."""


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
        if isinstance(value, str) and value != value.encode(errors="ignore").decode():
            raise ValueError(f"parameter {name}: {ascii(value)} is no text in Unicode. Give it another name")
    return parameters


def execute_notebook(notebook: str | Path, parameters: dict, *, progress: bool = False,
                     timeout_seconds: float = TIMEOUT_SECONDS) -> dict:
    """Execute a notebook in a kernel of its own: execute_notebooks of one."""
    return execute_notebooks([(notebook, parameters)], progress=progress, timeout_seconds=timeout_seconds)[0]


def execute_notebooks(runs: Sequence[tuple[str | Path, dict]], *, progress: bool = False,
                      timeout_seconds: float = TIMEOUT_SECONDS) -> list[dict]:
    """Execute notebooks, every cell of each, in kernels of their own: side by side, as many as there are cores.

    Returns the executed notebooks, in the order given, equal to the byte when their inputs are.
    Raises, as soon as one fails, TableError or ValueError with a cell's own words when the cell raised one (led by the
    notebook's name where there are several), else ReportError, also when a cell takes longer than timeout_seconds; the
    others are stopped then.
    """
    kernels: list = []
    with (_surroundings() as place, _progress_bar(runs, progress) as bar,
          ThreadPoolExecutor(min(len(runs), os.cpu_count() or 1)) as pool):
        run_cells = _papermill(kernels, bar, timeout_seconds)
        futures = [pool.submit(_execute, partial(run_cells, **_kernel_place(place, n)), *run, is_alone=len(runs) == 1)
                   for n, run in enumerate(runs)]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            _stop(kernels, futures)
            raise
    return [future.result() for future in futures]


def _execute(run_cells: Callable, notebook: str | Path, parameters: dict, *, is_alone: bool) -> dict:
    from nbclient.exceptions import CellTimeoutError
    from papermill import PapermillExecutionError
    begun: list[str] = []
    try:
        executed = run_cells(notebook, None, parameters, on_cell_start=lambda cell, **_: begun.append(cell["source"]))
    except PapermillExecutionError as error:
        raise _in_one_line(error, notebook, is_alone) from None
    except CellTimeoutError:
        seconds = run_cells.keywords["execution_timeout"]
        raise ReportError(f"{Path(notebook).name}: {_place(notebook, begun[-1])} took longer than {seconds:,g} seconds "
                          "and was stopped. Give it more time with --timeout") from None
    except RuntimeError as error:                    # nbclient's, also of a kernel that did not start
        raise ReportError(f"{Path(notebook).name}: the kernel died, as it does when memory runs out: {error}") from None
    _check_completed(executed, notebook)
    return tidy_notebook(executed)


def _papermill(kernels: list, bar, timeout_seconds: float) -> Callable:
    """Give papermill's runner, imported here once: threads that import it at the same time may clash."""
    from jupyter_client import AsyncKernelManager
    from papermill import execute_notebook as run_cells

    class Kernel(AsyncKernelManager):
        def __init__(self, **options):
            super().__init__(**options)
            kernels.append(self)                     # so that it can be stopped

    return partial(run_cells, kernel_name="python3", kernel_manager_class=Kernel, shutdown_kernel="immediate",
                   coalesce_streams=True, request_save_on_cell_execute=False, progress_bar=False,
                   execution_timeout=timeout_seconds, iopub_timeout=60, on_cell_executed=lambda **_: bar.update())


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


def _progress_bar(runs: Sequence[tuple[str | Path, dict]], progress: bool):
    from tqdm import tqdm
    n_cells = [sum(cell["cell_type"] == "code" for cell in _read_cells(notebook)) + bool(parameters)
               for notebook, parameters in runs]
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
