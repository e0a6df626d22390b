"""The campaign report's figures: finished table in, figure out; nothing is computed here, and no gap is filled."""

from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from attribution.canvas import (
    ACCELERATED,
    COST,
    CREDIT,
    EVEN,
    EXISTING,
    GAIN,
    INK,
    LOSS,
    NEW,
    NONE,
    PIPELINE,
    PLAN,
    SOFT,
    SOURCED,
    UNPLANNED,
    draw,
    labels,
    listed,
    wrap,
)
from attribution.funnel import WON, Outcome
from attribution.language import _, money, month, number, times
from attribution.sentences import name_campaigns, title_roi, title_tree
from attribution.showing import column_name

LAST = 2000                                          # in a legend, where plotly's own rank is 1000
#: The line of an interval; how far it reaches is the table's.
WHISKER = {"type": "data", "symmetric": False, "thickness": 1.2, "width": 4, "color": INK}


def _ids(rows: pd.DataFrame) -> list[str]:
    return rows["campaign_id"].fillna(rows["campaign_name"]).tolist()


def _names(rows: pd.DataFrame, width: int = 44) -> list[str]:
    return labels(name_campaigns(rows["campaign_name"]), width)


def _campaign_axis(rows: pd.DataFrame) -> dict:
    """Give each campaign a place of its own, also two of the same name."""
    return {"type": "category", "tickmode": "array", "tickvals": _ids(rows), "ticktext": _names(rows)}


def plot_bookings(bookings: pd.DataFrame, title: str, currency: str, outcome: Outcome = WON) -> go.Figure:
    """Draw the value of each month, won or expected, attributed below unattributed, and the plan as a mark."""
    months = [month(each) for each in bookings["month"]]
    bars = [go.Bar(name=name, x=months, y=listed(bookings[column]), marker_color=colour,
                   hovertemplate="%{x}: %{y:,.0f} " + currency)
            for name, column, colour in ((_("attributed to campaigns"), "attributed", CREDIT),
                                         (_("no campaign touched"), "unattributed", NONE))]
    plan = go.Scatter(name=_("plan"), x=months, y=listed(bookings["planned"]), mode="markers",
                      marker={"symbol": "line-ew", "size": 26, "line": {"width": 3, "color": PLAN}},
                      hovertemplate=_("plan") + " %{x}: %{y:,.0f} " + currency)
    by = _("month of entry") if outcome.is_expected else _("month of closing")
    value = _("expected, {currency}") if outcome.is_expected else _("won, {currency}")
    return draw([*bars, *([plan] if bookings["planned"].notna().any() else [])], title, 400, barmode="stack",
                xaxis={"title": by, "type": "category"}, yaxis={"title": value.format(currency=currency)})


def plot_roi(returns: pd.DataFrame, title: str, currency: str, outcome: Outcome = WON,
             by_model: pd.DataFrame | None = None, model: str | None = None) -> go.Figure:
    """Draw cost, with the ROI at its end, beside credit, and pipeline still open on top of it, for each row given.

    With `by_model`, as returns_by_model gives it, and the report's `model`, menus switch the model and show what is
    right below a row. Where the rows have intervals (add_intervals), a thin line shows that of the credit.
    """
    models = _models(by_model)
    groups = [returns, *_below(returns, models.get(model))]
    rows = pd.concat(groups).iloc[::-1]
    bars = _earnings(rows, outcome)
    traces = [go.Bar(name=name, y=_ids(rows), marker_color=colour, offsetgroup=group, orientation="h",
                     hovertemplate=name + " %{x:,.0f} " + currency, legendrank=LAST if under else None)
              for name, _column, colour, group, under in bars]
    traces[0].update(textposition="outside", cliponaxis=False)
    if "credit_low" in rows:
        traces[-1].update(error_x=WHISKER, hovertemplate=traces[-1].hovertemplate + "<br>%{customdata}")
    switch = _switch(models, model, title, lambda each: _lengths(each.set_index("campaign_id").loc[
        rows["campaign_id"]], bars), lambda each: title_roi(each[each["campaign_id"].isin(returns["campaign_id"])]))
    return draw(traces, title, _height(returns), xaxis={"title": _money_axis(rows, currency, outcome),
                                                        "rangemode": "tozero"},
                yaxis=_campaign_axis(rows) | _range(groups, 0), bargap=0.35,
                margin={"l": 10, "r": 110, "t": 90, "b": 10}, **_menus(switch, _opening(groups, title))
                ).update(data=_each(_lengths(rows, bars)))


def _money_axis(rows: pd.DataFrame, currency: str, outcome: Outcome) -> str:
    if "credit_low" not in rows:
        return currency
    return (_("{currency}; thin line: 95\u00a0% interval of the expected credit") if outcome.is_expected else
            _("{currency}; thin line: 95\u00a0% interval of the won credit")).format(currency=currency)


def _earnings(rows: pd.DataFrame, outcome: Outcome) -> list[tuple]:
    """List the bars: name, column, colour, group, what it stands on. The credit is last, so that its line is on top."""
    credit = _("credit: expected") if outcome.is_expected else _("credit: won")
    pipeline = (_("pipeline still open, expected"), "pipeline", PIPELINE, "earned", "credit")
    return [(_("cost"), "cost", COST, "cost", None), *([pipeline] if "pipeline_with_children" in rows else []),
            (credit, "credit", CREDIT, "earned", None)]


def _height(rows: pd.DataFrame) -> int:
    return 170 + 64 * len(rows)


def _lengths(rows: pd.DataFrame, bars: list[tuple]) -> dict[str, list]:
    """List, bar by bar, where each begins and how long it is, and the ROI that is written at the end of the cost."""
    return _whiskers(rows, bars) | {
            "x": [listed(rows[f"{column}_with_children"]) for _name, column, *_look in bars],
            "base": [listed(rows[f"{under}_with_children"]) if under else None for *_look, under in bars],
            "text": [[f"ROI {times(value)}" for value in rows["roi"]]] + [None] * (len(bars) - 1)}


def _whiskers(rows: pd.DataFrame, bars: list[tuple]) -> dict[str, list]:
    """List how far the credit's interval reaches beyond the end of its bar and short of it, and where it ends."""
    if "credit_low" not in rows:
        return {}
    credit, low, high = (rows[column] for column in ("credit_with_children", "credit_low", "credit_high"))
    said = [_("95\u00a0% interval {low} to {high}").format(low=number(a), high=number(b)) if pd.notna(a) else ""
            for a, b in zip(low, high, strict=True)]
    lists = {"error_x.array": listed(high - credit), "error_x.arrayminus": listed(credit - low), "customdata": said}
    return {name: [None] * (len(bars) - 1) + [values] for name, values in lists.items()}


def _each(lists: dict[str, list]) -> list[dict]:
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]


def _models(by_model: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
    return {} if by_model is None else dict(list(by_model.groupby("model", sort=False)))


def _below(rows: pd.DataFrame, returns: pd.DataFrame | None) -> list[pd.DataFrame]:
    """Give the campaigns right below each row, the largest credit first."""
    if returns is None:
        return []
    below = returns.sort_values("credit_with_children", ascending=False, kind="stable").groupby("parent_id")
    return [below.get_group(each) for each in rows["campaign_id"] if each in below.groups]


def _range(groups: list[pd.DataFrame], n: int) -> dict:
    """Show one of several groups; the axis counts from below, the first group stands at the top."""
    under = sum(map(len, groups[n + 1:]))
    return {"range": [under - 0.5, under + len(groups[n]) - 0.5]} if len(groups) > 1 else {}


def _switch(models: dict[str, pd.DataFrame], model: str | None, title: str, restyle: Callable,
            say: Callable) -> tuple[str, list[dict], int]:
    """Offer each model: what the traces become, and the title that is true of it."""
    said = {name: title if name == model else say(rows) for name, rows in models.items()}
    buttons = [{"label": column_name(name), "method": "update",
                "args": [restyle(rows), {"title.text": wrap(said[name])}]} for name, rows in models.items()]
    return _("Model"), buttons, list(models).index(model) if model in models else 0


def _opening(groups: list[pd.DataFrame], title: str) -> tuple[str, list[dict], int]:
    """Offer the rows themselves, and what is right below each that has something below."""
    above = groups[0].set_index("campaign_id")["campaign_name"]
    opened = pd.Series([above[group["parent_id"].iloc[0]] for group in groups[1:]], dtype="str")
    names, titles = [_("Programmes"), *labels(opened)], _opened_titles(title, opened)
    axes = [{"xaxis.autorange": True}, *[{"xaxis.range": [0, float(group["longest"].iloc[0])]} for group in groups[1:]]]
    buttons = [{"label": name, "method": "relayout", "args": [
        axis | {"height": _height(group), "title.text": said}
        | {f"yaxis.{key}": value for key, value in _range(groups, n).items()}]}
        for n, (name, axis, group, said) in enumerate(zip(names, axes, groups, titles, strict=True))]
    return _("Show"), buttons, 0


def _opened_titles(title: str, opened: pd.Series) -> list[str]:
    """Title the whole as it is, and a part by what it is: what is true of the whole need not be true of it."""
    return [wrap(title), *[wrap(_("{campaign}: what its parts cost and earned").format(campaign=name))
                           for name in opened]]


def _menus(*menus: tuple[str, list[dict], int]) -> dict:
    """Put the menus that have a choice above a figure, from its right."""
    return {"updatemenus": [
        {"name": name, "buttons": buttons, "active": active, "x": 1 - 0.26 * place, "xanchor": "right", "y": 1,
         "yanchor": "bottom", "pad": {"b": 30}}
        for place, (name, buttons, active) in enumerate(menu for menu in menus if len(menu[1]) > 1)]}


def plot_tree(returns: pd.DataFrame, title: str, currency: str, by_model: pd.DataFrame | None = None,
              model: str | None = None) -> go.Figure:
    """Draw the tree as areas of cost that open on a click, coloured by ROI.

    With `by_model`, as returns_by_model gives it, and the report's `model`, menus switch the model and open a branch.
    """
    rows = returns[returns["cost_with_children"] > 0]
    tree = go.Treemap(
        ids=_ids(rows), parents=[p if isinstance(p, str) else "" for p in rows["parent_id"]],
        labels=_names(rows, 60), values=listed(rows["cost_with_children"]), branchvalues="total",
        texttemplate="%{label}<br>%{text}", hovertemplate="%{label}<br>" + _("cost") + " %{value:,.0f} "
        + currency + "<br>%{text}<extra></extra>", maxdepth=3, tiling={"pad": 2}, root={"color": "white"})
    key = {"text": _("area: cost to date; colour: ROI<br>orange −100 %, white 0 %, blue 100 % or more"),
           "align": "left", "x": 0, "y": 0, "xref": "paper", "yref": "paper", "yanchor": "top", "xanchor": "left",
           "showarrow": False, "font": {"color": SOFT}}
    switch = _switch(_models(by_model), model, title, lambda each: _areas(
        each[each["cost_with_children"] > 0], currency), title_tree)
    return draw([tree], title, 620, margin={"l": 10, "r": 10, "t": 60, "b": 56}, annotations=[key],
                uniformtext={"minsize": 10, "mode": "hide"}, **_menus(switch, _branches(rows, by_model, title))
                ).update_traces(_each(_areas(rows, currency))[0])


def _areas(rows: pd.DataFrame, currency: str) -> dict[str, list]:
    """List, for the one trace, what is written in each area and how it is coloured."""
    text = [_("{credit} credit<br>ROI {roi}").format(credit=money(credit, currency), roi=times(value))
            for credit, value in zip(rows["credit_with_children"], rows["roi"], strict=True)]
    steps = ((rows["roi"].fillna(0.0).clip(-1, 1) + 1) / 2).tolist()
    colours = sample_colorscale([[0, LOSS], [0.5, EVEN], [1, GAIN]], steps) if steps else []
    known = [NONE if unknown else colour for unknown, colour in zip(rows["roi"].isna(), colours, strict=True)]
    return {"text": [text], "marker.colors": [known]}


def _branches(rows: pd.DataFrame, by_model: pd.DataFrame | None, title: str) -> tuple[str, list[dict], int]:
    """Offer the whole tree, and each root that has something below it."""
    roots = rows[~rows["is_leaf"] & (rows["depth"] == 0) & (by_model is not None)]
    names, levels = [_("Whole tree"), *labels(roots["campaign_name"])], ["", *_ids(roots)]
    titles = _opened_titles(title, roots["campaign_name"])
    buttons = [{"label": name, "method": "update", "args": [{"level": [level]}, {"title.text": said}]}
               for name, level, said in zip(names, levels, titles, strict=True)]
    return _("Show"), buttons, 0


def plot_ranges(ranges: pd.DataFrame, title: str, currency: str, n: int = 20) -> go.Figure:
    """Draw each campaign's credit as a range over all models, the chosen model's as a dot, its cost as a mark."""
    rows = ranges.head(n).iloc[::-1]
    names = _ids(rows)
    spans = [go.Scatter(y=[name, name], x=listed(pd.Series([low, high])), mode="lines", hoverinfo="skip",
                        line={"color": PIPELINE, "width": 9}, showlegend=i == 0, name=_("lowest to highest model"))
             for i, (name, low, high) in enumerate(zip(names, rows["credit_low"], rows["credit_high"], strict=True))]
    ends = [f"{_(low)}: {money(a, currency)}<br>{_(high)}: {money(b, currency)}" for low, a, high, b in zip(
        rows["model_low"], rows["credit_low"], rows["model_high"], rows["credit_high"], strict=True)]
    dots = [go.Scatter(name=_("the chosen model"), y=names, x=listed(rows["credit"]), mode="markers", customdata=ends,
                       marker={"color": CREDIT, "size": 10},
                       hovertemplate="%{x:,.0f} " + currency + "<br>%{customdata}"),
            go.Scatter(name=_("cost"), y=names, x=listed(rows["cost"]), mode="markers",
                       hovertemplate=_("cost") + " %{x:,.0f} " + currency,
                       marker={"symbol": "line-ns", "size": 14, "line": {"width": 3, "color": COST}})]
    drawn = (_("credit, {currency}: the {n} campaigns with the most") if len(ranges) > n
             else _("credit, {currency}")).format(currency=currency, n=n)
    return draw(spans + dots, title, 150 + 30 * len(rows), xaxis={"title": drawn, "rangemode": "tozero"},
                yaxis=_campaign_axis(rows), margin={"l": 10, "r": 20, "t": 90, "b": 10})


def plot_spend(returns: pd.DataFrame, title: str, currency: str) -> go.Figure:
    """Draw cost against credit, a dot per row, with the line on which a campaign earns what it cost."""
    rows = returns[returns["cost_with_children"] > 0]
    top = float(max(rows["cost_with_children"].max(), 1.0)) if len(rows) else 1.0
    late = rows["is_too_early"] if "is_too_early" in rows else pd.Series(False, index=rows.index)
    dots = [go.Scatter(name=name, x=listed(part["cost_with_children"]), y=listed(part["credit_with_children"]),
                       mode="markers", customdata=labels(name_campaigns(part["path"]), 120), marker=marker,
                       hovertemplate="%{customdata}<br>" + _("cost") + " %{x:,.0f}, " + _("credit") + " %{y:,.0f} "
                       + currency + "<extra></extra>")
            for name, part, marker in (
                (_("campaign"), rows[~late], {"color": CREDIT, "size": 10, "opacity": 0.8}),
                (_("too early to judge"), rows[late],
                 {"color": "white", "size": 10, "line": {"color": SOFT, "width": 2}}))
            if len(part)]
    line = go.Scatter(name=_("earns what it cost"), x=[0, round(top, 2)], y=[0, round(top, 2)], mode="lines",
                      line={"color": SOFT, "dash": "dot"}, hoverinfo="skip")
    across, up = _("cost to date, {currency}"), _("credit to date, {currency}")
    return draw([line, *dots], title, 480, xaxis={"title": across.format(currency=currency), "rangemode": "tozero"},
                yaxis={"title": up.format(currency=currency), "rangemode": "tozero"},
                margin={"l": 10, "r": 20, "t": 90, "b": 10})


def plot_split(returns: pd.DataFrame, title: str, currency: str) -> go.Figure:
    """Draw each row's credit split into sourced and accelerated, and again into new and existing customers."""
    rows = returns.iloc[::-1]
    names = _ids(rows)
    splits = (("sourced", None, SOURCED), ("accelerated", "sourced", ACCELERATED),
              ("credit_new", None, NEW), ("credit_existing", "credit_new", EXISTING))
    traces = [go.Bar(name=column_name(column), y=names, x=listed(rows[f"{column}_with_children"]), marker_color=colour,
                     base=listed(rows[f"{below}_with_children"]) if below else None, offsetgroup=below or column,
                     orientation="h", hovertemplate=column_name(column) + " %{x:,.0f} " + currency)
              for column, below, colour in splits if f"{column}_with_children" in rows]
    return draw(traces, title, _height(rows), xaxis={"title": _("credit, {currency}").format(currency=currency)},
                bargap=0.35, yaxis=_campaign_axis(rows), margin={"l": 10, "r": 20, "t": 90, "b": 10})


def plot_budget(returns: pd.DataFrame, title: str, currency: str) -> go.Figure:
    """Draw what was budgeted beside what was spent, and what of it where nothing was budgeted, for each row given."""
    rows = returns.iloc[::-1]
    names = _ids(rows)
    bars = [go.Bar(name=name, y=names, x=listed(rows[column]), marker_color=colour, orientation="h",
                   hovertemplate=name + " %{x:,.0f} " + currency)
            for name, column, colour in (
                (_("spent where nothing was budgeted"), "unplanned_with_children", UNPLANNED),
                (_("spent in all"), "actual_cost_with_children", COST),
                (_("budget"), "budgeted_cost_with_children", NONE))]
    return draw(bars, title, 170 + 70 * len(rows), xaxis={"title": currency}, yaxis=_campaign_axis(rows),
                margin={"l": 10, "r": 20, "t": 90, "b": 10}, bargap=0.35, legend={"traceorder": "reversed"})
