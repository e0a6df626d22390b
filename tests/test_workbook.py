"""A workbook's cells are what the tables hold: typed, whole, and never a formula."""

import re
import zipfile
from datetime import datetime
from xml.etree import ElementTree

import pytest

from attribution.workbook import write_workbook

SPACE = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def table(rows, *formats, sheet="roi"):
    columns = [{"name": f"column_{at}", "label": f"Column {at}", "format": form} for at, form in enumerate(formats)]
    return {"sheet": sheet, "title": "Return on investment", "columns": columns, "rows": rows}


def part(workbook, name):
    with zipfile.ZipFile(workbook) as parts:
        return parts.read(f"xl/{name}.xml")


def cells_of(workbook, sheet):
    """Read a sheet without any library of spreadsheets: cell → text or number, as the file says."""
    texts = ["".join(item.itertext()) for item in ElementTree.fromstring(part(workbook, "sharedStrings"))]
    cells = ElementTree.fromstring(part(workbook, f"worksheets/sheet{sheet}")).iterfind(".//x:c[x:v]", SPACE)
    values = {cell.get("r"): (cell.get("t"), cell.find("x:v", SPACE).text) for cell in cells}
    return {at: texts[int(value)] if kind == "s" else value == "1" if kind == "b" else float(value)
            for at, (kind, value) in values.items()}


def test_workbook_begins_with_its_contents(tmp_path):
    tables = [table([["fair"], ["mail"]], "text"), table([], "money", sheet="empty")]
    path = write_workbook(tables, tmp_path / "book.xlsx")
    assert cells_of(path, 1) == {"A1": "Sheet", "B1": "What it holds", "C1": "Rows",
                                 "A2": "roi", "B2": "Return on investment", "C2": 2.0,
                                 "A3": "empty", "B3": "Return on investment", "C3": 0.0}


def test_workbook_holds_typed_cells(tmp_path):
    rows = [["fair", 1234.5, 0.25, 3, "2026-10-31", "2026-10-31T23:30:00+02:00", True], [None] * 7]
    book = table(rows, "text", "money", "share", "count", "day", "moment", "text")
    path = write_workbook([book], tmp_path / "book.xlsx")
    epoch = datetime(1899, 12, 30)
    day, moment = datetime(2026, 10, 31) - epoch, datetime(2026, 10, 31, 21, 30) - epoch
    cells = {at: value for at, value in cells_of(path, 2).items() if at[1:] not in ("1", "2")}
    assert cells == {"A3": "fair", "B3": 1234.5, "C3": 0.25, "D3": 3.0, "E3": day.days,
                     "F3": pytest.approx(moment.total_seconds() / 86400), "G3": True}
    sheet = part(path, "worksheets/sheet2").decode()
    assert 'state="frozen"' in sheet and '<autoFilter ref="A2:G4"/>' in sheet


@pytest.mark.parametrize("text", ["=1+1", "+358", "-5", "@SUM(A1)", "\tcmd", "https://example.com", "0012", "{=1}"])
def test_workbook_keeps_text_as_text(tmp_path, text):
    path = write_workbook([table([[text]], "text")], tmp_path / "book.xlsx")
    assert cells_of(path, 2)["A3"] == text
    assert not re.search(rb"<f>|<hyperlink", part(path, "worksheets/sheet2"))


def test_workbook_marks_text_that_would_become_a_formula_when_edited(tmp_path):
    path = write_workbook([table([["=1+1"]], "text")], tmp_path / "book.xlsx")
    assert b'quotePrefix="1"' in part(path, "styles")


@pytest.mark.parametrize("cell", [float("inf"), float("nan")])
def test_workbook_refuses_a_number_that_is_none(tmp_path, cell):
    with pytest.raises(ValueError, match="^workbook: sheet roi, column column_0: row 2 does not fit"):
        write_workbook([table([[1.0], [cell]], "money")], tmp_path / "book.xlsx")


def test_workbook_refuses_text_that_a_cell_would_cut(tmp_path):
    with pytest.raises(ValueError, match="^workbook: sheet roi, column column_0: row 1 does not fit"):
        write_workbook([table([["x" * 32768]], "text")], tmp_path / "book.xlsx")


def test_workbook_in_finnish_names_its_sheets_and_writes_days_as_finnish_does(finnish, tmp_path):
    path = write_workbook([table([["2026-10-31"]], "day", sheet="booked_clock")], tmp_path / "book.xlsx")
    assert cells_of(path, 1) == {"A1": "Taulukkosivu", "B1": "Mitä siinä on", "C1": "Rivejä",
                                 "A2": "kirjauskello", "B2": "Return on investment", "C2": 1.0}
    assert re.findall('<sheet name="(.+?)"', part(path, "workbook").decode()) == ["sisällys", "kirjauskello"]
    assert "'kirjauskello'!A1" in part(path, "worksheets/sheet1").decode()
    assert 'formatCode="d.m.yyyy"' in part(path, "styles").decode()
