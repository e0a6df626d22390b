"""Every text that a reader sees is in the Finnish catalogues, whole, once, and nothing else is."""

import ast
import re
from collections import Counter
from pathlib import Path
from string import Formatter

import nbformat
import pytest
from babel.messages.pofile import read_po

from attribution.funnel import LINKINGS
from attribution.interval_sentences import INTERVAL_NAMES
from attribution.model_sentences import MODEL_NAMES
from attribution.models import MODELS
from attribution.sentences import _EXPECTED_NAMES, _FIGURES, _TABLE_TITLES, NAMES, glossary, list_tables
from attribution.showing import column_name
from attribution.sla_sentences import LEVER_NAMES, RESPONSE_NAMES, STEP_NAMES
from attribution.sources.salesforce import _CONSEQUENCES
from attribution.study_sentences import STUDY_NAMES
from attribution.tables import SCHEMAS
from attribution.workbook import find_tables

ROOT = Path(__file__).parents[1]
#: The command line speaks English alone, and language.py only of the texts that it is given.
SOURCES = [path for path in sorted((ROOT / "attribution").rglob("*.py")) if path.stem not in ("cli", "language")]
NOTEBOOKS = [nbformat.read(path, 4) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
CATALOGUES = {path.name: path for path in sorted((ROOT / "attribution" / "locale" / "fi").glob("*.po"))}
every_catalogue = pytest.mark.parametrize("path", CATALOGUES.values(), ids=CATALOGUES)

#: Where a notebook's call holds a title: the call's name → the place of the title among its arguments.
TITLES = {"show_table": 2, "show_text": 0, "show_title": 0}
SHEET = 1


#: What columns are called in some tables alone.
NAMES_OF_TABLES = {*INTERVAL_NAMES.values(), *MODEL_NAMES.values(), *STEP_NAMES.values(), *RESPONSE_NAMES.values(),
                   *LEVER_NAMES.values(), *STUDY_NAMES.values()}


def calls_in(source, *names):
    """List the calls of functions of these names, plain or of a module."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [node for node in nodes if getattr(node.func, "id", getattr(node.func, "attr", "")) in names]


def plain_calls(path, *names):
    return [call for call in calls_in(path.read_text(encoding="utf-8"), *names) if isinstance(call.func, ast.Name)]


def literals(nodes):
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def texts_of_sources():
    return {text for path in SOURCES for call in plain_calls(path, "_", "marked") for text in literals(call.args[:1])}


def numbered_of_sources():
    """Find the texts that come in two forms: one thing, several."""
    pairs = [literals(call.args[:2]) for path in SOURCES for call in plain_calls(path, "in_number")]
    things = [literals(call.args[1:3]) for path in SOURCES for call in plain_calls(path, "count")]
    return {tuple(pair) for pair in pairs} | {(said[0], (said + [said[0] + "s"])[1]) for said in things if said}


def texts_of_notebooks():
    code = [cell.source for notebook in NOTEBOOKS for cell in notebook.cells if cell.cell_type == "code"]
    titles = {text for source in code for call in calls_in(source, *TITLES)
              for text in literals([call.args[TITLES[call.func.attr]]])}
    sheets = {text for source in code for call in calls_in(source, "show_table")
              for text in literals([call.args[SHEET]])}
    assert len(titles) > 10 and len(sheets) > 20
    return titles | sheets | {cell.source for notebook in NOTEBOOKS for cell in notebook.cells
                              if cell.cell_type == "markdown"}


def texts_of_tables(crm):
    """Give the columns' names, the tables' own with which the reports count rows, and the CRM's rolled-up figures."""
    columns = [column for notebook in NOTEBOOKS for table in find_tables(notebook) for column in table["columns"]]
    tables = list_tables(crm)["table"].tolist()
    reported = [column for column in SCHEMAS["campaigns"].columns if column.endswith("_with_children")]
    assert len(columns) > 100 and len(reported) > 5
    names = {column_name(column["name"]) for column in columns if column["label"] not in NAMES_OF_TABLES}
    return names | {*tables, *[name.replace(" ", "_") for name in tables]} | {
        column.removeprefix("reported_").removesuffix("_with_children") for column in reported}


def wanted(crm):
    """Collect every text, and every pair of texts, that is given in the reader's language."""
    words = {*NAMES.values(), *_EXPECTED_NAMES.values(), *_FIGURES.values(), *_CONSEQUENCES.values(),
             *NAMES_OF_TABLES, *MODELS, "markov", *LINKINGS,
             *[title for pair in _TABLE_TITLES.values() for title in pair]}
    meanings = {text for column in glossary() for text in glossary()[column]}
    pairs = numbered_of_sources()
    plain = words | meanings | texts_of_sources() | texts_of_notebooks() | texts_of_tables(crm)
    return pairs | plain - {one for one, _ in pairs}         # gettext knows one thing by its pair, too


def messages():
    """Read all messages of all catalogues: (file, message)."""
    read = {name: read_po(path.read_bytes().splitlines(keepends=True), locale="fi")
            for name, path in CATALOGUES.items()}
    return [(name, message) for name, said in read.items() for message in said if message.id]


def placeholders(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def in_all(texts):
    return [texts] if isinstance(texts, str) else list(texts)


def test_every_text_has_a_translation(crm):
    assert sorted(map(str, wanted(crm) - {message.id for _, message in messages()})) == []


def test_no_translation_is_of_a_text_that_is_gone(crm):
    here = wanted(crm)
    assert [(name, message.id) for name, message in messages() if message.id not in here] == []


def test_every_translation_is_whole_and_keeps_the_places_of_values():
    for _, message in messages():
        said = in_all(message.string)
        assert len(said) == len(in_all(message.id)) and all(said), message.id
        assert not message.fuzzy, message.id
        places = set.union(*map(placeholders, in_all(message.id)))
        assert [placeholders(text) for text in said] == [places] * len(said), message.id


def test_no_text_is_translated_twice():
    twice = Counter(in_all(message.id)[0] for _, message in messages())
    assert [text for text, n in twice.items() if n > 1] == []


@every_catalogue
def test_catalogue_holds_each_message_once_and_none_that_is_obsolete(path):
    said = read_po(path.read_bytes().splitlines(keepends=True), locale="fi")
    text = path.read_text(encoding="utf-8")
    assert len(re.findall("^msgid ", text, re.MULTILINE)) == len([message for message in said if message.id]) + 1
    assert not said.obsolete and not re.search("^#(:|~)|fuzzy", text, re.MULTILINE)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_texts_are_whole_before_they_are_translated(path):
    """A text with its values in it, or put together from parts, would be in no catalogue."""
    calls = plain_calls(path, "_", "marked", "in_number")
    parts = [part for call in calls for part in call.args[:1 + (call.func.id == "in_number")]]
    assert [part.lineno for part in parts if isinstance(part, ast.JoinedStr | ast.BinOp)] == []
    must = [part for call in calls if call.func.id != "_" for part in call.args[:1 + (call.func.id == "in_number")]]
    things = [call.args[1] for call in plain_calls(path, "count") if len(call.args) > 1]
    assert [part.lineno for part in must + things if not isinstance(part, ast.Constant)] == []


def test_sheets_are_named_apart_and_short_enough_for_a_workbook():
    said = {in_all(message.id)[0]: in_all(message.string)[0] for _, message in messages()}
    for notebook in NOTEBOOKS:
        sheets = [said[table["sheet"]] for table in find_tables(notebook)] + [said["contents"]]
        assert len(set(map(str.lower, sheets))) == len(sheets) and not re.search(r"[\[\]:*?/\\]", "".join(sheets))
        assert max(map(len, sheets)) <= 31
