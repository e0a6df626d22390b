"""What the documents say can be done can be done."""

import doctest
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import attribution
from attribution.cli import build_parser, main
from attribution.running import read_parameters

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FOLDERS = [ROOT / folder for folder in (".", "data", "benchmarks", "attribution")]
DOCUMENTS = sorted(path for folder in FOLDERS for path in folder.glob("*.md"))


def blocks(language):
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", README, re.MULTILINE | re.DOTALL)


def commands(program):
    """Split the README's command lines that begin with a program, without prompts and remarks."""
    lines = [line.strip().removeprefix("$ ") for block in blocks(r"\w*") for line in block.splitlines()]
    return [shlex.split(line, comments=True)[len(program.split()):] for line in lines if line.startswith(program + " ")]


def test_readme_gives_the_two_commands():
    assert {"report", "test"} <= {command[0] for command in commands("python3 run.py")}


def test_readme_commands_of_run_are_understood():
    said = commands("python3 run.py")
    assert {command[0] for command in said} <= {"report", "test"}
    for command in said:
        if command[0] == "report":
            build_parser().parse_args(["report", "all", "--month", "2026-10", *command[1:]])


def test_readme_commands_of_attribution_are_understood():
    said = commands("attribution")
    assert said
    for command in said:
        assert build_parser().parse_args(command).command


def test_readme_runs_the_notebook_by_plain_papermill(tmp_path):
    source, _, *options = commands("papermill")[0]
    command = [sys.executable, "-m", "papermill", source, tmp_path / "out.ipynb", "--no-progress-bar", *options]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    cells = [cell for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells if cell.cell_type == "code"]
    assert set(options[1::3]) <= set(read_parameters(ROOT / source))
    assert len(cells) > 10 and {cell.metadata.papermill.status for cell in cells} == {"completed"}


def test_readme_python_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    names = {}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for block in blocks("python"):
        if ">>>" in block:
            test = doctest.DocTestParser().get_doctest(block, names, "README", "README.md", 0)
            runner.run(test, clear_globs=False)
            names = test.globs
        else:
            exec(compile(block, "README.md", "exec"), names)
    assert blocks("python")
    assert runner.summarize().failed == 0


def test_changelog_tells_of_this_version():
    said = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[?{re.escape(attribution.__version__)}\b", said, re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_document_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []


def test_readme_explains_the_euros_that_it_asks_about(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    command = re.search(r"^attribution (explain .*)$", text, re.MULTILINE)[1]
    euros = re.search(r"get €([\d,.]+\d) of that deal", text)[1].replace(",", "")
    assert main(command.split()) == 0
    assert euros in capsys.readouterr().out
