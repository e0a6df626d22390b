"""The tables behind a report's figures, one sheet each, in a workbook that is equal to the byte when they are."""

import io
import math
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from attribution.language import _, month, spoken
from attribution.showing import TABLE_MIME, find_shown

#: How a spreadsheet shows each format; the others are text.
NUMBERS = {"money": "#,##0.00", "share": "0.0%", "ratio": "0.00", "count": "#,##0", "number": "#,##0.##"}
TIMES = {"en": {"day": "yyyy-mm-dd", "moment": "yyyy-mm-dd hh:mm"},
         "fi": {"day": "d.m.yyyy", "moment": "d.m.yyyy h:mm"}}
LOOKS_LIKE_A_FORMULA = ("=", "+", "-", "@", "\t")


def find_tables(notebook: dict) -> list[dict]:
    """Find the tables that an executed notebook shows, in order: sheet, title, columns (name, label, format), rows.

    >>> shown = {"cell_type": "code", "outputs": [{"data": {TABLE_MIME: {"sheet": "roi"}}}, {"text": "printed"}]}
    >>> find_tables({"cells": [{"cell_type": "markdown"}, shown]})
    [{'sheet': 'roi'}]
    """
    return find_shown(notebook, TABLE_MIME)


def write_workbook(tables: list[dict], path: str | Path) -> Path:
    """Write the tables as a workbook: a sheet of contents, then a sheet per table.

    Returns the path. Text stays text, also where it looks like a formula or an address.
    Raises ValueError when a cell cannot be written: not finite, too long, or beyond the last row of a sheet.
    """
    import xlsxwriter
    packed = io.BytesIO()
    with xlsxwriter.Workbook(packed, {"in_memory": True}) as workbook:
        workbook.set_properties({"created": datetime(2000, 1, 1)})
        styles = _styles(workbook)
        _write_contents(workbook.add_worksheet(_("contents")), tables, styles)
        for table in tables:
            _write_table(workbook.add_worksheet(_(table["sheet"])), table, styles)
    Path(path).write_bytes(_unpacked(packed))
    return Path(path)


def _unpacked(packed: io.BytesIO) -> bytes:
    """Store what is in a ZIP as it is: how it is compressed differs between machines."""
    stored = io.BytesIO()
    with zipfile.ZipFile(packed) as before, zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as after:
        for each in before.namelist():
            after.writestr(zipfile.ZipInfo(each), before.read(each))
    return stored.getvalue()


def _styles(workbook) -> dict:
    said = {"title": {"bold": True, "font_size": 14}, "header": {"bold": True, "bottom": 1, "text_wrap": True},
            "link": {"font_color": "#1f5f8b", "underline": True}, "text": {}, "quoted": {"quote_prefix": True},
            **{name: {"num_format": shown} for name, shown in (NUMBERS | TIMES[spoken()]).items()}}
    return {name: workbook.add_format(how) for name, how in said.items()}


def _write_contents(sheet, tables: list[dict], styles: dict) -> None:
    sheet.set_column(0, 0, 32)
    sheet.set_column(1, 1, 80)
    sheet.write_row(0, 0, [_("Sheet"), _("What it holds"), _("Rows")], styles["header"])
    for row, table in enumerate(tables, 1):
        name = _(table["sheet"])
        sheet.write_url(row, 0, f"internal:'{name}'!A1", styles["link"], name)
        sheet.write_string(row, 1, table["title"])
        sheet.write_number(row, 2, len(table["rows"]), styles["count"])


def _write_table(sheet, table: dict, styles: dict) -> None:
    columns, rows = table["columns"], table["rows"]
    sheet.write_string(0, 0, table["title"], styles["title"])
    for at, column in enumerate(columns):
        cells = [row[at] for row in rows]
        sheet.set_column(at, at, _width(column, cells))
        sheet.write_string(1, at, column["label"], styles["header"])
        for row, cell in enumerate(cells, 2):
            if cell is not None and _write_cell(sheet, row, at, cell, column["format"], styles) < 0:
                raise ValueError(f"workbook: sheet {table['sheet']}, column {column['name']}: row {row - 1} does not "
                                 "fit. Show fewer rows or shorter text")
    sheet.freeze_panes(2, 1)
    sheet.autofilter(1, 0, len(rows) + 1, len(columns) - 1)


def _write_cell(sheet, row: int, at: int, cell, shown: str, styles: dict) -> int:
    if shown in NUMBERS:
        return sheet.write_number(row, at, cell, styles[shown]) if math.isfinite(cell) else -1
    if shown in TIMES["en"]:
        return sheet.write_datetime(row, at, _moment(cell), styles[shown])
    if isinstance(cell, bool):
        return sheet.write_boolean(row, at, cell)
    text = month(cell) if shown == "month" else str(cell)
    return sheet.write_string(row, at, text, styles["quoted" if text.startswith(LOOKS_LIKE_A_FORMULA) else "text"])


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _width(column: dict, cells: list) -> int:
    usual = {"money": 14, "share": 9, "ratio": 9, "count": 9, "number": 12, "day": 12, "moment": 17}
    longest = max((len(str(cell)) for cell in cells if cell is not None), default=0)
    wanted = usual[column["format"]] if column["format"] in usual else min(longest, 60)
    return max(wanted, min(len(column["label"]), 18)) + 2
