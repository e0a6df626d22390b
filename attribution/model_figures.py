"""The figures of settings, removal effects and regressions: finished table in, figure out; nothing is computed here."""

import pandas as pd
import plotly.graph_objects as go

from attribution.canvas import COST, CREDIT, NEW, PIPELINE, SOFT, draw, labels, listed
from attribution.language import _, money, percent
from attribution.model_sentences import name_option, name_setting

_ROW = 24                                            # pixels
_MARGIN = {"l": 10, "r": 20, "t": 90, "b": 10}


def plot_sensitivity(movers: pd.DataFrame, title: str, currency: str) -> go.Figure:
    """Draw a panel per campaign, as pick_movers gives them: its credit under each option, a row per setting.

    The report's own choices are filled; the lowest and the highest option of a row are named beside it.
    """
    rows = movers.assign(panel=movers.groupby("campaign_id", sort=False).ngroup())
    panels = rows.drop_duplicates("panel")
    ticks = {_place(panel, setting): name_setting(setting)
             for panel, setting in zip(rows["panel"], rows["setting"], strict=True)}
    heads = [_place(panel, "") for panel in panels["panel"]]
    places = [place for head in heads for place in [head, *[tick for tick in ticks if tick.startswith(head)]]]
    names = labels(panels["campaign_name"], 40)
    captions = [_note(f"<b>{name}</b>", y=head, yref="y", yanchor="middle", font={"size": 12})
                for name, head in zip(names, heads, strict=True)]
    line = {"type": "line", "x0": 1, "x1": 1, "y0": 0, "y1": 1, "yref": "paper", "layer": "below",
            "line": {"color": CREDIT, "width": 1, "dash": "dot"}}
    parts = [part for _panel_number, part in rows.groupby("panel")]
    traces = [_panel(part, name, currency) for name, part in zip(names, parts, strict=True)]
    across = {"title": _("credit, of this report's"), "tickformat": ".0%", "zeroline": False, "nticks": 5}
    return draw(traces, title, 150 + _ROW * len(places), showlegend=False, shapes=[line] * bool(len(panels)),
                annotations=[*captions, _note(_("filled: this report's own choice"), y=1, yref="paper",
                                              yanchor="bottom", font={"color": SOFT})],
                xaxis=across | _range(movers), margin=_MARGIN,
                yaxis=_names(list(ticks), list(ticks.values())) | {
                    "categoryarray": places, "range": [len(places) - 0.4, -0.7], "tickfont": {"size": 11}})


def _place(panel: int, setting: str) -> str:
    return f"p{panel}:{setting}"


def _note(text: str, **place) -> dict:
    """Write words from the left edge on, over the rows' own names: a narrow screen has no more room."""
    return {"text": text, "x": 0, "xref": "paper", "xanchor": "left", "xshift": -64, "showarrow": False} | place


def _range(movers: pd.DataFrame) -> dict:
    return {"range": listed(movers.iloc[0][["axis_low", "axis_high"]], 4)} if len(movers) else {}


def _panel(rows: pd.DataFrame, name: str, currency: str) -> go.Scatter:
    rows = rows.sort_values("is_chosen", kind="stable")                 # the last is drawn over the others
    return go.Scatter(
        name=name, x=listed(rows["own_share"], 4), mode="markers+text", cliponaxis=False,
        y=[_place(panel, setting) for panel, setting in zip(rows["panel"], rows["setting"], strict=True)],
        text=[name_option(setting, option) for setting, option in zip(rows["setting"], rows["option"], strict=True)],
        texttemplate=["%{text}" if is_end else " " for is_end in rows["is_lowest"] | rows["is_highest"]],
        textposition=["middle left" if is_lowest and not is_highest else "middle right"
                      for is_lowest, is_highest in zip(rows["is_lowest"], rows["is_highest"], strict=True)],
        textfont={"size": 11, "color": SOFT}, customdata=[money(credit, currency) for credit in rows["credit"]],
        marker={"size": 9, "color": [CREDIT if chosen else "white" for chosen in rows["is_chosen"]],
                "line": {"color": CREDIT, "width": 1.5}},
        hovertemplate=name + "<br>%{text}: %{customdata} (%{x})<extra></extra>")


def plot_lost(lost: pd.DataFrame, title: str) -> go.Figure:
    """Draw the removal effect of each campaign with all below it, and the sum of its parts as a mark."""
    rows = lost.iloc[::-1]
    ids = rows["campaign_id"].tolist()
    shares = [f"{percent(value)}, {percent(deals)}" for value, deals in zip(
        rows["lost_value_share"], rows["lost_share"], strict=True)]
    bar = go.Bar(name=_("removal effect of it and all below it"), y=ids, x=listed(rows["lost_value_share"], 4),
                 marker_color=CREDIT, orientation="h", customdata=shares,
                 hovertemplate=_("of the value, of the conversions:") + " %{customdata}<extra></extra>")
    mark = go.Scatter(name=_("sum of its parts, which overlap"), y=ids, x=listed(rows["parts_share"], 4),
                      mode="markers", marker={"symbol": "line-ns", "size": 16, "line": {"width": 3, "color": COST}},
                      hovertemplate="%{x}")
    return draw([bar, mark], title, 150 + 30 * len(rows), bargap=0.35, margin=_MARGIN,
                xaxis={"title": _("share of the value"), "tickformat": ".0%", "rangemode": "tozero"},
                yaxis=_names(ids, [f"<b>{name}</b>" if depth == 0 else name for name, depth in zip(
                    labels(rows["campaign_name"], 32), rows["depth"], strict=True)]))


def plot_caused(caused: pd.DataFrame, title: str, currency: str) -> go.Figure:
    """Draw each campaign's credit, by convention, beside what a regression says it caused, with the interval."""
    rows = caused.iloc[::-1]
    ids = rows["campaign_id"].tolist()
    ends = [[*listed(pd.Series(pair)), None] for pair in zip(rows["caused_low"], rows["caused_high"], strict=True)]
    span = go.Scatter(name=_("95\u00a0% interval of what it caused"), x=[end for pair in ends for end in pair],
                      y=[each for name in ids for each in (name, name, None)], mode="lines+markers",
                      line={"color": PIPELINE, "width": 7}, marker={"color": PIPELINE, "size": 7, "symbol": "square"},
                      hovertemplate="%{x:,.0f} " + currency)
    dots = [go.Scatter(name=name, y=ids, x=listed(rows[column]), mode="markers",
                       marker={"color": colour, "size": 11, "symbol": symbol},
                       hovertemplate=name + " %{x:,.0f} " + currency + "<extra></extra>")
            for name, column, colour, symbol in (
                (_("caused, by the regression"), "caused_value", NEW, "diamond"),
                (_("credit, by convention"), "credit", CREDIT, "circle"))]
    return draw([span, *dots], title, 150 + 34 * len(rows), margin=_MARGIN, xaxis={"title": currency},
                yaxis=_names(ids, labels(rows["campaign_name"], 32)))


def _names(ids: list[str], names: list[str]) -> dict:
    return {"type": "category", "tickmode": "array", "tickvals": ids, "ticktext": names, "categoryorder": "array",
            "categoryarray": ids}
