"""The reports in Finnish: nothing that a reader sees in them is still English."""

import html
import re
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.pofile import read_po

from attribution.page import PLOTLY
from attribution.running import execute_notebook
from attribution.workbook import find_tables

ROOT = Path(__file__).parents[1]
FIGURE_TEXTS = ("hovertemplate", "name", "text", "texttemplate")


@pytest.fixture(scope="module", params=["campaign_roi", "sla_conversion", "which_model"])
def notebook(request):
    return ROOT / "notebooks" / f"{request.param}.ipynb"


@pytest.fixture(scope="module")
def finnish_report(notebook):
    return execute_notebook(notebook, {"language": "fi"})


def outputs_of(report):
    return [output["data"] for cell in report["cells"] for output in cell.get("outputs", ())]


def figure_texts(part):
    """List the texts of a figure, however deep; what a campaign is called is among them, too."""
    if isinstance(part, dict):
        own = [part[key] for key in FIGURE_TEXTS if isinstance(part.get(key), str)]
        return own + [text for key, each in part.items() if key != "template" for text in figure_texts(each)]
    return [text for each in part for text in figure_texts(each)] if isinstance(part, list) else []


def shown_texts(report):
    """List what the report shows, with plain spaces: its pages' text, and its figures'."""
    pages = [re.sub("<[^>]+>", "\n", data["text/html"]) for data in outputs_of(report) if "text/html" in data]
    figures = [text for data in outputs_of(report) if PLOTLY in data for text in figure_texts(data[PLOTLY])]
    assert len(pages) > 15 and len(figures) > 15
    return [html.unescape(text).replace("\u00a0", " ") for text in [*pages, *figures]]


def english_phrases():
    """List the English texts, without the places of values, that are long enough to be no name by chance."""
    read = [message for path in sorted((ROOT / "attribution/locale/fi").glob("*.po"))
            for message in read_po(path.read_bytes().splitlines(keepends=True), locale="fi") if message.id]
    texts = [text for message in read for text in ([message.id] if isinstance(message.id, str) else message.id)]
    parts = [part.strip() for text in texts for part, *_ in Formatter().parse(text.replace("\u00a0", " "))]
    return {part for part in parts if len(part.split()) > 2}


def test_nothing_shown_is_english(finnish_report):
    shown, phrases = "\n".join(shown_texts(finnish_report)), english_phrases()
    assert len(phrases) > 200
    assert sorted(phrase for phrase in phrases if phrase in shown) == []


def test_columns_and_titles_of_every_table_are_finnish(finnish_report, notebook):
    """Each differs from the English one that is kept in the notebook, but for what is the same in both languages."""
    import nbformat
    english = {table["sheet"]: table for table in find_tables(nbformat.read(notebook, 4))}
    ours = find_tables(finnish_report)
    assert [table["sheet"] for table in ours] == list(english)
    same = {finnish["label"] for table in ours
            for finnish, kept in zip(table["columns"], english[table["sheet"]]["columns"], strict=True)
            if finnish["label"] == kept["label"]}
    assert same <= {"ROI", "ROMI", "ROAS"}
    assert [table["sheet"] for table in ours if table["title"] == english[table["sheet"]]["title"]] == []


def test_numbers_and_days_are_written_as_finnish_does(finnish_report):
    shown = shown_texts(finnish_report)
    assert [text for text in shown if re.search(r"[€$]\d|\d,\d{3}(?!\d)|\b20\d\d-\d\d-\d\d\b", text)] == []
    assert sum(len(re.findall(r"^\d{1,3}( \d{3})+,\d\d$", text, re.MULTILINE)) for text in shown) > 100
    marks = {data[PLOTLY]["layout"]["separators"] for data in outputs_of(finnish_report) if PLOTLY in data}
    assert marks == {",\u00a0"}


def test_data_stays_as_it_is(finnish_report, notebook):
    tables = {table["sheet"]: table["rows"] for table in find_tables(finnish_report)}
    names = {"campaign_roi": "reconciliation", "sla_conversion": "by_segment", "which_model": "one_company"}[
        notebook.stem]
    expected = {"campaign_roi": {"Customer Growth", "Events", "(kohdistamaton)", "Edellisten summa", "Erotus"},
                "sla_conversion": {"Food & Beverage", "Shipping", "Utilities"},
                "which_model": {"Stand: Riga", "Blog: ask the engineer"}}[notebook.stem]
    assert expected <= {cell for row in tables[names] for cell in row}
