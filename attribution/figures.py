"""Finished tables in, figures and formatted tables out: nothing is computed here, and no gap is filled."""

import html
import math
import textwrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from attribution.sentences import NAMES, money, percent, times

TABLE_MIME = "application/vnd.attribution-kit.table.v1+json"

#: Okabe and Ito's palette (2008), safe for colour-blind readers; a colour stays with the thing it means.
CREDIT, COST, NONE, PIPELINE, PLAN = "#0072B2", "#D55E00", "#B8C0C8", "#56B4E9", "#000000"
SOURCED, ACCELERATED, NEW, EXISTING = "#0072B2", "#56B4E9", "#009E73", "#CC79A7"
INK, SOFT, LINE = "#1c2733", "#5b6875", "#dfe4ea"
LOSS, EVEN, GAIN = "#D55E00", "#f2f2f2", "#0072B2"

TEMPLATE = go.layout.Template(layout=go.Layout(
    font={"family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif", "size": 13, "color": INK},
    title={"x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 17}, "pad": {"b": 12}, "automargin": True,
           "yref": "container", "y": 0.97},
    paper_bgcolor="white", plot_bgcolor="white", margin={"l": 10, "r": 20, "t": 70, "b": 10},
    xaxis={"gridcolor": LINE, "zerolinecolor": SOFT, "automargin": True, "title": {"standoff": 10}},
    yaxis={"gridcolor": LINE, "zerolinecolor": SOFT, "automargin": True, "title": {"standoff": 10}},
    legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"},
    hoverlabel={"align": "left"}, colorway=[CREDIT, COST, NEW, EXISTING, PIPELINE, "#E69F00", "#F0E442"]))


def _figure(traces: list, title: str, height: int, **layout) -> go.Figure:
    figure = go.Figure(traces, layout={"template": TEMPLATE, "height": height} | layout)
    return figure.update_layout(title_text="<br>".join(map(_safe, textwrap.wrap(title, 100))))


def _safe(text: str) -> str:
    """Keep a name from the CRM from being read as markup: plotly obeys tags and entities in labels."""
    return html.escape(str(text), quote=False)


def _labels(texts: pd.Series, width: int = 44) -> list[str]:
    return [_safe(text if len(text) <= width else text[:width - 1] + "…") for text in texts.astype(str)]


def _listed(values: pd.Series, digits: int = 2) -> list:
    """Give rounded plain numbers, null as None: what a reviewer can compare, unlike plotly's packed arrays."""
    return [None if pd.isna(value) else round(float(value), digits) for value in values]


def _ids(rows: pd.DataFrame) -> list[str]:
    return rows["campaign_id"].fillna(rows["campaign_name"]).tolist()


def _campaign_axis(rows: pd.DataFrame) -> dict:
    """Give each campaign a place of its own, also two of the same name."""
    return {"type": "category", "tickmode": "array", "tickvals": _ids(rows), "ticktext": _labels(rows["campaign_name"])}


def plot_bookings(bookings: pd.DataFrame, title: str, currency: str) -> go.Figure:
    """Draw the won value of each month, attributed below unattributed, and the plan as a mark."""
    months = bookings["month"].tolist()
    bars = [go.Bar(name=name, x=months, y=_listed(bookings[column]), marker_color=colour,
                   hovertemplate="%{x}: %{y:,.0f} " + currency)
            for name, column, colour in (("attributed to campaigns", "attributed", CREDIT),
                                         ("no campaign touched", "unattributed", NONE))]
    plan = go.Scatter(name="plan", x=months, y=_listed(bookings["planned"]), mode="markers",
                      marker={"symbol": "line-ew", "size": 26, "line": {"width": 3, "color": PLAN}},
                      hovertemplate="plan %{x}: %{y:,.0f} " + currency)
    return _figure([*bars, *([plan] if bookings["planned"].notna().any() else [])], title, 400, barmode="stack",
                   xaxis={"title": "month of closing", "type": "category"}, yaxis={"title": f"won, {currency}"})


def plot_roi(returns: pd.DataFrame, title: str, currency: str) -> go.Figure:
    """Draw cost beside credit, and pipeline still open on top of it, for each row given, with its ROI at the end."""
    rows = returns.iloc[::-1]
    bars = [("cost", "cost", COST, "cost", None), ("credit: won", "credit", CREDIT, "earned", None),
            ("pipeline still open, expected", "pipeline", PIPELINE, "earned", "credit")]
    traces = [go.Bar(name=name, y=_ids(rows), x=_listed(rows[f"{column}_with_children"]), marker_color=colour,
                     base=_listed(rows[f"{below}_with_children"]) if below else None, offsetgroup=group,
                     orientation="h", hovertemplate=name + " %{x:,.0f} " + currency)
              for name, column, colour, group, below in bars if f"{column}_with_children" in rows]
    traces[-1].update(text=[f"ROI {times(value)}" for value in rows["roi"]], textposition="outside", cliponaxis=False)
    return _figure(traces, title, 170 + 64 * len(rows), xaxis={"title": currency, "rangemode": "tozero"},
                   yaxis=_campaign_axis(rows), margin={"l": 10, "r": 110, "t": 90, "b": 10}, bargap=0.35)


def plot_tree(returns: pd.DataFrame, title: str, currency: str) -> go.Figure:
    """Draw the tree as areas of cost that open on a click, coloured by ROI."""
    rows = returns[returns["cost_with_children"] > 0]
    steps = ((rows["roi"].clip(-1, 1) + 1) / 2).tolist()
    text = [f"{money(credit, currency)} credit<br>ROI {times(value)}"
            for credit, value in zip(rows["credit_with_children"], rows["roi"], strict=True)]
    tree = go.Treemap(
        ids=_ids(rows), parents=[p if isinstance(p, str) else "" for p in rows["parent_id"]],
        labels=_labels(rows["campaign_name"], 60), values=_listed(rows["cost_with_children"]), branchvalues="total",
        text=text, texttemplate="%{label}<br>%{text}", hovertemplate="%{label}<br>cost %{value:,.0f} " + currency
        + "<br>%{text}<extra></extra>", maxdepth=3, tiling={"pad": 2}, root={"color": "white"},
        marker={"colors": sample_colorscale([[0, LOSS], [0.5, EVEN], [1, GAIN]], steps) if steps else []})
    key = {"text": "area: cost to date; colour: ROI<br>orange −100 %, white 0 %, blue 100 % or more", "align": "left",
           "x": 0, "y": 0, "xref": "paper", "yref": "paper", "yanchor": "top", "xanchor": "left", "showarrow": False,
           "font": {"color": SOFT}}
    return _figure([tree], title, 620, margin={"l": 10, "r": 10, "t": 60, "b": 56}, annotations=[key],
                   uniformtext={"minsize": 10, "mode": "hide"})


def plot_ranges(ranges: pd.DataFrame, title: str, currency: str, n: int = 20) -> go.Figure:
    """Draw each campaign's credit as a range over all models, the chosen model's as a dot, its cost as a mark."""
    rows = ranges.head(n).iloc[::-1]
    names = _ids(rows)
    spans = [go.Scatter(y=[name, name], x=_listed(pd.Series([low, high])), mode="lines", hoverinfo="skip",
                        line={"color": PIPELINE, "width": 9}, showlegend=i == 0, name="lowest to highest model")
             for i, (name, low, high) in enumerate(zip(names, rows["credit_low"], rows["credit_high"], strict=True))]
    ends = [f"{low}: {money(a, currency)}<br>{high}: {money(b, currency)}" for low, a, high, b in zip(
        rows["model_low"], rows["credit_low"], rows["model_high"], rows["credit_high"], strict=True)]
    dots = [go.Scatter(name="the chosen model", y=names, x=_listed(rows["credit"]), mode="markers", customdata=ends,
                       marker={"color": CREDIT, "size": 10},
                       hovertemplate="%{x:,.0f} " + currency + "<br>%{customdata}"),
            go.Scatter(name="cost", y=names, x=_listed(rows["cost"]), mode="markers",
                       hovertemplate="cost %{x:,.0f} " + currency,
                       marker={"symbol": "line-ns", "size": 14, "line": {"width": 3, "color": COST}})]
    return _figure(spans + dots, title, 150 + 30 * len(rows),
                   xaxis={"title": f"credit, {currency}", "rangemode": "tozero"},
                   yaxis=_campaign_axis(rows), margin={"l": 10, "r": 20, "t": 90, "b": 10})


def plot_spend(returns: pd.DataFrame, title: str, currency: str) -> go.Figure:
    """Draw cost against credit, a dot per row, with the line on which a campaign earns what it cost."""
    rows = returns[returns["cost_with_children"] > 0]
    top = float(max(rows["cost_with_children"].max(), 1.0)) if len(rows) else 1.0
    late = rows["is_too_early"] if "is_too_early" in rows else pd.Series(False, index=rows.index)
    dots = [go.Scatter(name=name, x=_listed(part["cost_with_children"]), y=_listed(part["credit_with_children"]),
                       mode="markers", customdata=_labels(part["path"], 120), marker=marker,
                       hovertemplate="%{customdata}<br>cost %{x:,.0f}, credit %{y:,.0f} " + currency
                       + "<extra></extra>")
            for name, part, marker in (
                ("campaign", rows[~late], {"color": CREDIT, "size": 10, "opacity": 0.8}),
                ("too early to judge", rows[late], {"color": "white", "size": 10, "line": {"color": SOFT, "width": 2}}))
            if len(part)]
    line = go.Scatter(name="earns what it cost", x=[0, round(top, 2)], y=[0, round(top, 2)], mode="lines",
                      line={"color": SOFT, "dash": "dot"}, hoverinfo="skip")
    return _figure([line, *dots], title, 480, xaxis={"title": f"cost to date, {currency}", "rangemode": "tozero"},
                   yaxis={"title": f"credit to date, {currency}", "rangemode": "tozero"},
                   margin={"l": 10, "r": 20, "t": 90, "b": 10})


def plot_split(returns: pd.DataFrame, title: str, currency: str) -> go.Figure:
    """Draw each row's credit split into sourced and accelerated, and again into new and existing customers."""
    rows = returns.iloc[::-1]
    names = _ids(rows)
    splits = (("sourced", None, SOURCED), ("accelerated", "sourced", ACCELERATED),
              ("credit_new", None, NEW), ("credit_existing", "credit_new", EXISTING))
    traces = [go.Bar(name=_name(column), y=names, x=_listed(rows[f"{column}_with_children"]), marker_color=colour,
                     base=_listed(rows[f"{below}_with_children"]) if below else None, offsetgroup=below or column,
                     orientation="h", hovertemplate=_name(column) + " %{x:,.0f} " + currency)
              for column, below, colour in splits]
    return _figure(traces, title, 170 + 64 * len(rows), xaxis={"title": f"credit, {currency}"}, bargap=0.35,
                   yaxis=_campaign_axis(rows), margin={"l": 10, "r": 20, "t": 90, "b": 10})


def plot_budget(returns: pd.DataFrame, title: str, currency: str) -> go.Figure:
    """Draw what was budgeted beside what was spent, for each row given."""
    rows = returns.iloc[::-1]
    names = _ids(rows)
    bars = [go.Bar(name=name, y=names, x=_listed(rows[column]), marker_color=colour, orientation="h",
                   hovertemplate=name + " %{x:,.0f} " + currency)
            for name, column, colour in (("spent", "actual_cost_with_children", COST),
                                         ("budget", "budgeted_cost_with_children", NONE))]
    return _figure(bars, title, 170 + 56 * len(rows), xaxis={"title": currency}, yaxis=_campaign_axis(rows),
                   margin={"l": 10, "r": 20, "t": 90, "b": 10}, bargap=0.35, legend={"traceorder": "reversed"})


class Shown:
    """Something a notebook shows: HTML for the reader, text for a terminal, and a table's cells for the workbook."""

    def __init__(self, markup: str, text: str, cells: dict | None = None):
        self._bundle = {"text/html": markup, "text/plain": text} | ({TABLE_MIME: cells} if cells else {})

    def _repr_mimebundle_(self, **_):
        return self._bundle


def show_title(text: str) -> Shown:
    """Show the report's title."""
    return Shown(f"<h1>{html.escape(text)}</h1>", text)


def show_text(text: str) -> Shown:
    """Show a sentence, as a paragraph in which nothing is markup."""
    return Shown(f'<p class="finding">{html.escape(text)}</p>', text)


def show_tiles(tiles: pd.DataFrame) -> Shown:
    """Show figures as tiles: columns label, value, note, all of them text already."""
    boxes = "".join(
        f'<div style="padding:14px 16px;border:1px solid {LINE};border-radius:8px">'
        f'<div style="color:{SOFT};font-size:.85rem">{html.escape(label)}</div>'
        f'<div style="font-size:1.6rem;font-weight:650;line-height:1.35">{html.escape(value)}</div>'
        f'<div style="color:{SOFT};font-size:.8rem;white-space:pre-line">{html.escape(note)}</div></div>'
        for label, value, note in zip(tiles["label"], tiles["value"], tiles["note"], strict=True))
    lines = "\n".join(tiles["label"] + ": " + tiles["value"] + " (" + tiles["note"].str.replace("\n", "; ") + ")")
    grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(250px,1fr));gap:12px"
    return Shown(f'<div class="tiles" style="{grid}">{boxes}</div>', lines)


#: How a column of numbers or moments reads; any other one is money.
_FORMATS = {
    "share": ("share_reached", "reached_share", "value_reached_share", "weight", "plan_share", "spent_share"),
    "ratio": ("roi", "romi", "roi_low", "roi_high", "crm_roi", "from_roi_low", "from_roi_high", "to_roi_low",
              "to_roi_high"),
    "count": ("depth", "position", "lookback_days"),
    "number": ("days_before", "roas"),
    "day": ("converted_at", "first_touched_at"),
}
_FORMAT = {column: name for name, columns in _FORMATS.items() for column in columns}


def _format(column: str, values: pd.Series) -> str:
    name = column.removesuffix("_with_children")
    if name == "campaign":
        return "name"
    if values.dtype.kind not in "iufM":
        return "id" if name.endswith("_id") else "text"
    if values.dtype.kind == "M":
        return _FORMAT.get(name, "day" if name.endswith("_on") else "moment")
    if name.startswith("n_"):
        return "count" if (values.dropna() % 1 == 0).all() else "number"
    return _FORMAT.get(name, "money")


def show_table(table: pd.DataFrame, sheet: str, title: str, *, columns: tuple[str, ...] | None = None,
               n_rows: int = 100, instance_url: str = "", time_zone: str = "UTC") -> Shown:
    """Show a table: the first n_rows and the columns named for the reader, all rows and columns for the workbook.

    Ids link to the CRM where instance_url is set; moments are given in the time zone. Names are escaped.
    """
    local = table.assign(**{column: table[column].dt.tz_convert(time_zone).dt.tz_localize(None)
                            for column in table if isinstance(table[column].dtype, pd.DatetimeTZDtype)})
    formats = {column: _format(column, table[column]) for column in table}
    shown = [column for column in columns or table if column in table]
    return Shown(_table_html(local.head(n_rows), len(local), shown, formats, title, instance_url),
                 _table_text(local.head(n_rows), shown, formats, title), _cells(local, formats, sheet, title))


def _table_html(rows: pd.DataFrame, n: int, shown: list[str], formats: dict[str, str], title: str, url: str) -> str:
    head = "".join(f'<th scope="col" class="{formats[c]}">{html.escape(_name(c))}</th>' for c in shown)
    cells = [[_cell(value, formats[c], url) for value in rows[c]] for c in shown]
    body = "".join("<tr>" + "".join(f'<td class="{formats[c]}">{cell}</td>' for c, cell in zip(shown, row, strict=True))
                   + "</tr>" for row in zip(*cells, strict=True))
    more = f"<p>The first {len(rows):,} of {n:,} rows; all of them are in the workbook.</p>" if n > len(rows) else ""
    empty = "<p>No rows.</p>" if not n else ""
    caption = f"<caption><span>{html.escape(title)}</span></caption>"
    table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="table" tabindex="0" role="region" aria-label="{html.escape(title)}">{table}</div>{more}{empty}'


def _table_text(rows: pd.DataFrame, shown: list[str], formats: dict[str, str], title: str) -> str:
    texts = pd.DataFrame({c: [_words(value, formats[c]) for value in rows[c]] for c in shown})
    texts = texts.set_axis(map(_name, shown), axis=1)
    return f"{title}\n" + (texts.to_string(index=False) if len(texts) else "No rows.")


def _cell(value, form: str, url: str) -> str:
    text = html.escape(_words(value, form))
    if form == "id" and url and text:
        return f'<a href="{html.escape(url)}/{text}" rel="noreferrer">{text}</a>'
    return text


def _words(value, form: str) -> str:
    """Write one value as a reader reads it; a blank is blank."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else ""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    return _WORDS.get(form, str)(value)


_WORDS = {"money": lambda v: f"{v:,.2f}", "share": percent, "ratio": times, "count": lambda v: f"{v:,.0f}",
          "number": lambda v: f"{v:,.1f}", "day": lambda v: f"{v:%Y-%m-%d}", "moment": lambda v: f"{v:%Y-%m-%d %H:%M}"}


def _name(column: str) -> str:
    plain = column.removesuffix("_with_children")
    return NAMES.get(plain, plain.removeprefix("n_").replace("_", " "))


def _cells(table: pd.DataFrame, formats: dict[str, str], sheet: str, title: str) -> dict:
    columns = [{"name": column, "label": _name(column), "format": formats[column]} for column in table]
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
