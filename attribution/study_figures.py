"""The figures of the study of the models: finished table in, figure out; nothing is computed here."""

import textwrap
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from attribution.canvas import CREDIT, EXISTING, LINE, NEW, NONE, PIPELINE, SOFT, UNPLANNED, draw, listed, safe
from attribution.language import _
from attribution.study_sentences import name_kind, name_model

#: One company's models take these colours in turn.
COLOURS = (CREDIT, UNPLANNED, NEW, EXISTING, PIPELINE)


def plot_by_kind(summary: pd.DataFrame, measure: str, title: str, models: Sequence[str]) -> go.Figure:
    """Draw a measure as a heat map: the models, as given, from the top, the kinds of company side by side."""
    wide = summary.pivot(index="model", columns="kind", values=measure).reindex(
        index=list(models)[::-1], columns=summary["kind"].unique())
    form = "%{z:.0%}" if measure.endswith("_share") else "%{z:.2f}"
    heat = go.Heatmap(z=[listed(wide.loc[model], 3) for model in wide.index], y=list(map(name_model, wide.index)),
                      x=list(map(name_kind, wide.columns)), texttemplate=form, textfont={"size": 11},
                      showscale=False, xgap=2, ygap=2, colorscale=[[0, "#F5F7F9"], [1, CREDIT]],
                      hovertemplate="%{y}, %{x}: " + form + "<extra></extra>")
    return draw([heat], title, 220 + 34 * len(wide), xaxis={"title": _("kind of company"), "showgrid": False},
                yaxis=_named(wide.index) | {"showgrid": False})


def _named(models: Sequence[str]) -> dict:
    """Break the models' names between words: a narrow screen needs its width for what is drawn."""
    names = list(map(name_model, models))
    broken = ["<br>".join(textwrap.wrap(name, 12, break_long_words=False)) for name in names]
    return {"type": "category", "tickvals": names, "ticktext": broken}


def plot_coverage(summary: pd.DataFrame, title: str, models: Sequence[str]) -> go.Figure:
    """Draw how often each model's intervals hold the truth, a dot per kind of company, against the promised 95 %."""
    dots = [go.Scatter(name=name_kind(kind), x=listed(rows["held_share"], 3), y=list(map(name_model, rows["model"])),
                       mode="markers", marker={"size": 11, "symbol": number}, hovertemplate="%{y}: %{x:.0%}")
            for number, (kind, rows) in enumerate(summary.dropna(subset="held_share").groupby("kind", sort=False))]
    held = list(models)[::-1]
    promised = {"type": "line", "x0": 0.95, "x1": 0.95, "y0": 0, "y1": 1, "yref": "paper",
                "line": {"color": SOFT, "dash": "dot"}}
    note = {"x": 0.95, "y": 0, "yref": "paper", "yanchor": "bottom", "xanchor": "right", "showarrow": False,
            "text": _("promised: 95 %"), "font": {"color": SOFT}}
    return draw(dots, title, 230 + 34 * len(held), shapes=[promised], annotations=[note], showlegend=True,
                xaxis={"title": _("share of intervals that hold the truth"), "range": [0, 1], "tickformat": ".0%"},
                yaxis=_named(held) | {"categoryorder": "array", "categoryarray": list(map(name_model, held))})


def plot_totals(totals: pd.DataFrame, title: str, currency: str) -> go.Figure:
    """Draw what rules and the regression hand out beside what all campaigns together caused, by kind of company."""
    rows = totals.iloc[::-1]
    bars = [go.Bar(name=name, y=list(map(name_kind, rows["kind"])), x=listed(rows[column], 0), orientation="h",
                   marker_color=colour, hovertemplate=name + " %{x:,.0f} " + currency)
            for name, column, colour in ((_("credit shared out"), "credit", CREDIT),
                                         (_("regression by channel"), "regression", PIPELINE),
                                         (_("caused by all together"), "caused_together", NEW))]
    return draw(bars, title, 190 + 46 * len(rows), barmode="group", legend={"traceorder": "reversed"},
                xaxis={"title": _("mean per company, {currency}").format(currency=currency)})


def plot_truth(credit: pd.DataFrame, title: str, currency: str, models: Sequence[str]) -> go.Figure:
    """Draw one company's credit, with its interval, against the expected truth; on the line they are the same."""
    ends = [float(credit["expected"].min()), float(credit["expected"].max())]
    line = go.Scatter(name=_("credit is the truth"), x=ends, y=ends, mode="lines", hoverinfo="skip",
                      line={"color": NONE, "dash": "dot"})
    dots = [_dots(credit[credit["model"] == model], model, colour, currency, is_first=not number)
            for number, (model, colour) in enumerate(zip(models, COLOURS, strict=False))]
    return draw([line, *dots], title, 520, showlegend=True, hovermode="closest",
                xaxis={"title": _("truth, expected: {currency} caused").format(currency=currency), "gridcolor": LINE},
                yaxis={"title": _("credit, {currency}").format(currency=currency)})


def _dots(rows: pd.DataFrame, model: str, colour: str, currency: str, *, is_first: bool) -> go.Scatter:
    bars = {"type": "data", "symmetric": False, "thickness": 1, "width": 0,
            "array": listed(rows["credit_high"] - rows["credit"], 0),
            "arrayminus": listed(rows["credit"] - rows["credit_low"], 0)}
    return go.Scatter(name=name_model(model), x=listed(rows["expected"], 0), y=listed(rows["credit"], 0),
                      mode="markers", marker={"color": colour, "size": 9}, error_y=bars,
                      visible=True if is_first else "legendonly", text=list(map(safe, rows["campaign_name"])),
                      hovertemplate="%{text}: %{y:,.0f} / %{x:,.0f} " + currency)
