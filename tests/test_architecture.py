"""The project's rules that a machine can hold."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "attribution"

#: A module imports only from those before it.
ORDER = ["language", "tables", "frames", "dataset", "agreement", "agreement_file", "drafting", "clock", "sources",
         "world", "simulate", "campaigns", "costs", "entries", "segments", "funnel", "journeys", "models",
         "paths", "path_models", "credit", "spark", "outofcore", "roi", "intervals", "months", "cohorts",
         "draws", "worth", "steps", "promises", "sla", "returned", "silence", "planning", "comparisons",
         "sensitivity", "hazard", "study", "restated", "rejudged", "sentences", "sla_sentences",
         "change_sentences", "interval_sentences", "model_sentences", "study_sentences", "canvas", "showing",
         "figures", "sla_figures", "change_figures", "interval_figures", "model_figures", "study_figures",
         "workbook", "page", "rendering", "inputs", "running", "report", "published", "verify", "call_lists",
         "cli", "__main__"]
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [path for path in FILES if path != PACKAGE / "__init__.py"]
CLOCK = ("now", "today", "utcnow", "time", "localtime", "gmtime")
MANIFEST_WRITER = ("report", "write_report")    # the one that may look at the clock, for made_at
VENDOR_FIELDS = re.compile(
    r"\b(CampaignId|ParentId|StageName|CloseDate|IsWon|IsClosed|IsDeleted|HasResponded|ActualCost|BudgetedCost|LeadSource|"
    r"FirstRespondedDate|CreatedDate|LastModifiedDate|SystemModstamp|MasterRecordId|ConvertedContactId|TaskSubtype|"
    r"CurrencyIsoCode|ContactId|AccountId|OpportunityId)\b")


def module_of(path):
    return "sources" if path.parent.name == "sources" else path.stem


def imports_of(path):
    """Name the modules of the package that a file imports, wherever in it the import stands."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("attribution.")}


def calls_of(path, name):
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == name]


def keywords_of(call):
    return {keyword.arg for keyword in call.keywords}


def functions_of(path):
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)]


def test_order_names_every_module():
    assert len(MODULES) > 10
    assert {module_of(path) for path in MODULES} <= set(ORDER)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_imports_only_from_modules_above_it(path):
    own = module_of(path)
    allowed = set(ORDER[:ORDER.index(own)]) | ({"sources"} if own == "sources" else set())
    assert imports_of(path) <= allowed


@pytest.mark.parametrize("path", [path for path in MODULES if module_of(path) not in ("sources", "writeback")],
                         ids=lambda path: path.stem)
def test_vendor_field_names_live_in_sources(path):
    assert not VENDOR_FIELDS.findall(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_module_keeps_the_style(path):
    assert path.stem not in [function.name for function in functions_of(path)]
    assert not re.search(r"\.iterrows\(|inplace=True|\bTODO\b|\bFIXME\b", path.read_text(encoding="utf-8"))
    assert [call.lineno for call in calls_of(path, "merge") if "validate" not in keywords_of(call)] == []
    assert [call.lineno for call in calls_of(path, "apply") if "axis" in keywords_of(call)] == []


def test_code_passes_ruff():
    command = [sys.executable, "-m", "ruff", "check", "--quiet", "--no-cache", "--output-format", "concise", ROOT]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_public_function_says_what_it_does_and_takes(path):
    public = [each for each in functions_of(path) if not each.name.startswith("_") and each.col_offset == 0]
    assert [each.name for each in public if not (ast.get_docstring(each) or "").split("\n")[0].endswith(".")] == []
    assert [function.name for function in public if function.returns is None] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_module_does_not_look_at_the_clock(path):
    looks = [call.lineno for name in CLOCK for call in calls_of(path, name)]
    excused = [each for each in functions_of(path) if (path.stem, each.name) == MANIFEST_WRITER]
    assert len(excused) == (path.stem == "report")
    assert [line for line in looks if not any(each.lineno <= line <= each.end_lineno for each in excused)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_defines_and_computes_nothing(path):
    cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    nodes = [node for source in cells for node in ast.walk(ast.parse(source))]
    forbidden = (ast.FunctionDef | ast.ClassDef | ast.Lambda | ast.For | ast.While |
                 ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)
    assert nodes and not [node for node in nodes if isinstance(node, forbidden)]
    assert not [node for node in nodes if getattr(node, "attr", "") in ("groupby", "apply", "merge", "pivot_table")]
