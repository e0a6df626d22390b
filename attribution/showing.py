"""Titles, sentences, tiles and tables as a notebook shows them: HTML, text, and cells for the workbook."""

import html
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from attribution.canvas import LINE, SOFT
from attribution.language import _, day, moment, month, number, percent, times
from attribution.sentences import NAMES, name_campaigns

TABLE_MIME = "application/vnd.attribution-kit.table.v1+json"


def read_notebook(path: str | Path) -> dict:
    """Read an executed notebook.

    Raises ValueError when the file is none, or none any more.
    """
    import nbformat
    try:
        notebook = nbformat.read(path, as_version=4)
        list_outputs(notebook)
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError, nbformat.ValidationError):
        raise ValueError(f"{path}: is no notebook that can be read. Make the month's reports again") from None
    return notebook


def list_outputs(notebook: dict) -> list[dict]:
    """List what an executed notebook's cells put out, in order."""
    return [output for cell in notebook["cells"] for output in cell.get("outputs", ())]


def find_shown(notebook: dict, mime: str) -> list:
    """Find everything of one kind that an executed notebook shows, in order.

    >>> shown = {"cell_type": "code", "outputs": [{"data": {"text/plain": "1"}}, {"text": "printed"}]}
    >>> find_shown({"cells": [{"cell_type": "markdown"}, shown]}, "text/plain")
    ['1']
    """
    return [output["data"][mime] for output in list_outputs(notebook) if mime in output.get("data", {})]


class Shown:
    """Something a notebook shows: HTML for the reader, text for a terminal, and a table's cells for the workbook."""

    def __init__(self, markup: str, text: str, cells: dict | None = None):
        self._bundle = {"text/html": markup, "text/plain": text} | ({TABLE_MIME: cells} if cells else {})

    def _repr_mimebundle_(self, **options):
        return self._bundle


def show_title(text: str) -> Shown:
    """Show the report's title."""
    text = _(text)
    return Shown(f"<h1>{html.escape(text)}</h1>", text)


def show_text(text: str) -> Shown:
    """Show a sentence, as a paragraph in which nothing is markup."""
    text = _(text)
    return Shown(f'<p class="finding">{html.escape(text)}</p>', text)


def show_if(is_wanted: bool, shown: object) -> object:
    """Show something where it is wanted; a cell shows nothing otherwise."""
    return shown if is_wanted else None


def show_tiles(tiles: pd.DataFrame) -> Shown:
    """Show figures as tiles: columns label, value, note, all of them text already."""
    boxes = "".join(
        f'<div style="padding:14px 14px;border:1px solid var(--line,{LINE});border-radius:10px">'
        f'<div style="color:var(--soft,{SOFT});font-size:.85rem">{html.escape(label)}</div>'
        f'<div style="font-size:clamp(1.1rem,5.2vw,1.6rem);font-weight:650;line-height:1.35">{html.escape(value)}</div>'
        f'<div style="color:var(--soft,{SOFT});font-size:.8rem;white-space:pre-line">{html.escape(note)}</div></div>'
        for label, value, note in zip(tiles["label"], tiles["value"], tiles["note"], strict=True))
    lines = "\n".join(tiles["label"] + ": " + tiles["value"] + " (" + tiles["note"].str.replace("\n", "; ") + ")")
    grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(250px,46%),1fr));gap:12px"
    return Shown(f'<div class="tiles" style="{grid}">{boxes}</div>', lines)


#: How a column of numbers or moments reads, by its name or else its ending; any other one is money.
_FORMATS = {
    "share": ("share", "share_reached", "weight", "pooling_weight", "rate", "rate_low", "rate_high", "compliance_low",
              "compliance_high", "returned_low", "returned_high", "back_low", "back_high", "history_low",
              "history_high", "incidence", "incidence_low", "incidence_high", "waiting_low", "waiting_high"),
    "ratio": ("roi", "romi", "pooled_roi", "roi_low", "roi_high", "crm_roi", "from_roi_low", "from_roi_high",
              "to_roi_low", "to_roi_high"),
    "count": ("depth", "position", "lookback_days", "within_days", "lifecycle", "days", "age_months"),
    "number": ("days_before", "days_in_stage",
               "roas", "median_low", "median_high", "lift", "needed", "needed_low", "needed_high",
               "needed_per_month", "per_month_low", "per_month_high", "pace_per_month", "year_per_month", "year_low",
               "year_high", "months_left", "hours"),
    "day": ("converted_at", "first_touched_at"),
}
_FORMAT = {column: name for name, columns in _FORMATS.items() for column in columns}
_ENDINGS = {"_share": "share", "_rate": "share", "_days": "number", "_hours": "number"}
#: The columns whose cells are words of ours; what stands in any other column is data, and stays as it is.
OUR_WORDS = ("age_band", "basis", "by", "check", "consequence", "cost_basis", "figure", "item", "kind", "lever",
             "linking", "model_high", "model_low", "part", "per", "reason", "source", "table", "unit")
#: The columns of campaigns' names, in which our own words stand for what is no campaign.
CAMPAIGN_NAMES = ("campaign", "campaign_name", "line", "path")


def _format(column: str, values: pd.Series) -> str:
    name = column.removesuffix("_with_children")
    if name == "campaign":
        return "name"
    if values.dtype.kind not in "iufM":
        return "id" if name.endswith("_id") else "month" if name == "month" else "text"
    if values.dtype.kind == "M":
        return _FORMAT.get(name, "day" if name.endswith("_on") else "moment")
    if name.startswith("n_") or name == "n":
        return "count" if (values.dropna() % 1 == 0).all() else "number"
    ending = next((form for ending, form in _ENDINGS.items() if name.endswith(ending)), "money")
    return _FORMAT.get(name, ending)


def show_table(table: pd.DataFrame, sheet: str, title: str, *, columns: tuple[str, ...] | None = None,
               names: Mapping[str, str] | None = None, n_rows: int = 100, instance_url: str = "",
               time_zone: str = "UTC") -> Shown:
    """Show a table: the first n_rows and the columns named for the reader, all rows and columns for the workbook.

    Ids link to the CRM where instance_url is set; moments are given in the time zone. Names are escaped. `names` are
    those of columns that are called otherwise here than in other tables. Title, columns and cells that are words of
    ours are given in the language that is spoken.
    """
    title = _(title)
    local = table.assign(**{column: table[column].dt.tz_convert(time_zone).dt.tz_localize(None)
                            for column in table if isinstance(table[column].dtype, pd.DatetimeTZDtype)})
    local = _in_our_words(local)
    formats = {column: _format(column, table[column]) for column in table}
    labels = {column: column_name(column, names) for column in table}
    shown = {column: labels[column] for column in columns or table if column in table}
    return Shown(_table_html(local.head(n_rows), len(local), shown, formats, title, instance_url),
                 _table_text(local.head(n_rows), shown, formats, title), _cells(local, labels, formats, sheet, title))


def _in_our_words(table: pd.DataFrame) -> pd.DataFrame:
    texts = [column for column in table if table[column].dtype.kind not in "biufMm"]
    said = {column: [_(cell) if isinstance(cell, str) else cell for cell in table[column]]
            for column in texts if column in OUR_WORDS}
    names = {column: name_campaigns(table[column]) for column in texts if column in CAMPAIGN_NAMES}
    return table.assign(**said, **names)


def _table_html(rows: pd.DataFrame, n: int, shown: dict[str, str], formats: dict[str, str], title: str,
                url: str) -> str:
    head = "".join(f'<th scope="col" class="{formats[c]}">{html.escape(shown[c])}</th>' for c in shown)
    cells = [[_cell(value, formats[c], url) for value in rows[c]] for c in shown]
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True))
    said = _("The first {n} of {total} rows; all of them are in the workbook.").format(
        n=number(len(rows)), total=number(n))
    more = f'<p class="note">{html.escape(said)}</p>' if n > len(rows) else ""
    empty = f'<p class="note">{html.escape(_("No rows."))}</p>' if not n else ""
    caption = f"<caption><span>{html.escape(title)}</span></caption>"
    table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="table" tabindex="0" role="region" aria-label="{html.escape(title)}">{table}</div>{more}{empty}'


def _table_text(rows: pd.DataFrame, shown: dict[str, str], formats: dict[str, str], title: str) -> str:
    texts = pd.DataFrame({c: [_words(value, formats[c]) for value in rows[c]] for c in shown})
    texts = texts.set_axis(shown.values(), axis=1)
    return f"{title}\n" + (texts.to_string(index=False) if len(texts) else _("No rows."))


def _cell(value, form: str, url: str) -> str:
    """Write a cell; a number or a moment carries its value too, so that it sorts right however it is written."""
    text = html.escape(_words(value, form))
    plain = round(value, 4) if isinstance(value, float) and math.isfinite(value) else _primitive(value)
    order = f' data-order="{"" if plain is None else plain}"' if form in _WORDS else ""
    if form == "id" and url and text:
        text = f'<a href="{html.escape(url)}/{text}" rel="noreferrer">{text}</a>'
    return f'<td class="{form}"{order}>{text}</td>'


def _words(value, form: str) -> str:
    """Write one value as a reader reads it; a blank is blank."""
    if isinstance(value, bool | np.bool_):
        return _("yes") if value else _("no")
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    return _WORDS.get(form, str)(value)


_WORDS = {"money": lambda v: number(v, 2), "share": percent, "ratio": times, "count": number,
          "number": lambda v: number(v, 1), "day": day, "moment": moment, "month": month}


def column_name(column: str, names: Mapping[str, str] | None = None) -> str:
    """Name a column for a reader, by names of its own first.

    >>> column_name("cost_with_children"), column_name("n_deals_won")
    ('cost', 'deals won')
    """
    plain = column.removesuffix("_with_children")
    return _({**NAMES, **(names or {})}.get(plain, plain.removeprefix("n_").replace("_", " ")))


def _cells(table: pd.DataFrame, labels: dict[str, str], formats: dict[str, str], sheet: str, title: str) -> dict:
    columns = [{"name": column, "label": labels[column], "format": formats[column]} for column in table]
    values = [[_primitive(value) for value in table[column]] for column in table]
    return {"sheet": sheet, "title": title, "columns": columns,
            "rows": [list(row) for row in zip(*values, strict=True)]}


def _primitive(value):
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat(timespec="seconds")
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, float):
        return round(float(value), 6)
    return int(value) if isinstance(value, int | np.integer) else str(value)
