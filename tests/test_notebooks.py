"""Notebooks are kept in the form that makes nbval a real check of them."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from notebook_cases import write_notebook

from attribution.page import PLOTLY
from attribution.running import execute_notebook, read_parameters, tidy_notebook
from attribution.workbook import find_tables

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path):
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


@every_notebook
def test_notebook_was_run_from_top_to_bottom(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.get("name", output.output_type) for cell in cells for output in cell.outputs}
    assert kinds and not {"error", "stderr"} & kinds


@every_notebook
def test_notebook_excuses_no_cell_from_the_check(path):
    cells = code_cells(path)
    assert {tag for cell in cells for tag in cell.metadata.get("tags", ())} == {"parameters"}
    assert not re.search("nbval", "".join(cell.source for cell in cells), re.IGNORECASE)


@every_notebook
def test_notebook_declares_its_parameters_first(path):
    assert code_cells(path)[0].metadata.tags == ["parameters"]
    assert {"data_dir", "month"} <= set(read_parameters(path))


@every_notebook
def test_notebook_keeps_its_charts_as_readable_numbers(path):
    outputs = [output.get("data", {}) for cell in code_cells(path) for output in cell.outputs]
    charts = [data[PLOTLY] for data in outputs if PLOTLY in data]
    assert charts and "bdata" not in str(charts)


@every_notebook
def test_notebook_says_nothing_of_the_machine_that_ran_it(path):
    notebook = nbformat.read(path, 4)
    assert notebook.metadata == tidy_notebook(notebook).metadata
    assert not re.search(r"site-packages|/home/|/tmp/|[A-Z]:\\\\Users|0x[0-9a-f]{8}", nbformat.writes(notebook))


def check(path):
    """Run nbval over a notebook with the project's own settings."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml",
               "--rootdir", path.parent, path]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=path.parent)


def test_project_settings_see_a_changed_figure(tmp_path):
    path = write_notebook(tmp_path / "tiny.ipynb")
    nbformat.write(execute_notebook(path, {}), path)
    good = check(path)
    path.write_text(path.read_text(encoding="utf-8").replace("1.5,\n", "1.51,\n", 1), encoding="utf-8")
    bad = check(path)
    assert good.returncode == 0 and "3 passed" in good.stdout
    assert bad.returncode == 1 and "1 failed, 2 passed" in bad.stdout


def test_campaign_roi_on_mqls_adds_up_and_says_that_its_money_is_expected():
    executed = execute_notebook(ROOT / "notebooks" / "campaign_roi.ipynb", {"stage": "mql"})
    tables = {table["sheet"]: table for table in find_tables(executed)}
    *_, due, difference = tables["reconciliation"]["rows"]
    assert re.fullmatch(r"Entries into mql: \d+ at [\d,.]+, expected", due[0]) and due[1] > 0 and difference[1] == 0
    assert not tables["against_crm"]["rows"] and not tables["crm_roi"]["rows"]
    assert not {"pipeline", "sourced"} & {column["name"] for column in tables["campaign_clock"]["columns"]}
    first = [output["data"].get("text/plain") for cell in executed["cells"] for output in cell.get("outputs", ())][:2]
    assert first[0].endswith("campaign ROI on MQLs, October 2026") and "expected money, not booked" in first[1]


@every_notebook
def test_notebook_speaks_the_readers_language_before_it_says_anything(path):
    names = read_parameters(path)
    assert names["language"] == "en" and list(names)[-1] == "language"
    assert code_cells(path)[1].source.split("\n")[:3] == ["import attribution as kit", "", "kit.use_language(language)"]
