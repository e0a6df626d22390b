"""The SLA report's figures: finished table in, figure out; nothing is computed here, and no gap is filled."""

import pandas as pd
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb

from attribution.canvas import (
    LEFT,
    MARKETING,
    PIPELINE,
    PLAN,
    REACHED,
    RETURNED,
    SALES,
    SOFT,
    WAITING,
    draw,
    labels,
    listed,
    safe,
)
from attribution.cohorts import NOT_KNOWN
from attribution.entries import OUT
from attribution.language import _, day, marked, money, month, number, percent, plain
from attribution.sla_sentences import KINDS, label_stages, name_field, name_value, span

#: From alive to forgotten: one hue that darkens, and a grey for those of whom nothing was ever heard.
_AGES = ("#9BD3C3", "#56B4A0", "#2A8C8C", "#1F6480", "#173B5E", "#B8C0C8")
_SHARE_AXIS = {"tickformat": ".0%", "rangemode": "tozero"}
_INTERVAL = marked("95 % interval")
_NO_BOX = "<extra></extra>"


def _draw_rows(traces: list, captions: list[dict], title: str, n: int, height: int, **layout) -> go.Figure:
    """Draw rows from the top down, each below its caption: a narrow screen leaves no room for names beside them."""
    rows = {"range": [n - 0.4, -0.7], "tickvals": list(range(n)), "showticklabels": False, "zeroline": False}
    return draw(traces, title, 130 + height * n, yaxis=rows, annotations=captions,
                margin={"l": 16, "r": 20, "t": 90, "b": 10}, **layout)


def _captions(texts: list[str], notes: list[str] | None = None, *, above: int = 6, axis: str = "x") -> list[dict]:
    """Write a line over each row, and a small one under that; the texts are safe already."""
    small = [f"<br><span style='font-size:11px;color:{SOFT}'>{note}</span>" if note else "" for note in notes or texts]
    lines = [text + more for text, more in zip(texts, small, strict=True)] if notes else texts
    return [{"text": line, "x": 0, "y": place, "xref": f"{axis} domain", "yref": "y", "xanchor": "left",
             "yanchor": "bottom", "yshift": above, "align": "left", "showarrow": False, "font": {"size": 12},
             "bgcolor": "rgba(255, 255, 255, 0.8)", "borderpad": 0}
            for place, line in enumerate(lines)]


def _whiskers(low: pd.Series, high: pd.Series, places: list[int], colour: str) -> go.Scatter:
    """Draw each row's interval as a line from its low to its high end."""
    ends, line = zip(listed(low, 4), listed(high, 4), strict=True), {"color": colour, "width": 2}
    return go.Scatter(name=_(_INTERVAL), x=[x for pair in ends for x in (*pair, None)], mode="lines+markers",
                      y=[y for place in places for y in (place, place, None)], line=line, hoverinfo="skip",
                      marker={"symbol": "line-ns", "size": 8, "line": line})


def _dots(values: pd.Series, places: list[int], colour: str, name: str, *, is_filled: bool = True) -> go.Scatter:
    marker = {"size": 11, "color": colour if is_filled else "white", "line": {"color": colour, "width": 2}}
    return go.Scatter(name=name, x=listed(values, 4), y=places, mode="markers", marker=marker,
                      cliponaxis=False, hovertemplate="%{x:.1%}<extra></extra>")


def _rule(at: float | None, n: int, name: str, colour: str = PLAN) -> list[go.Scatter]:
    """Draw a line through all rows, named in the legend; none where there is nothing to draw."""
    if at is None or pd.isna(at):
        return []
    return [go.Scatter(name=name, x=listed(pd.Series([at, at]), 4), y=[-0.7, n - 0.4], mode="lines", hoverinfo="skip",
                       line={"color": colour, "width": 2, "dash": "dash"})]


def _band(x: list, low: pd.Series, high: pd.Series, colour: str, name: str, shape: str = "linear") -> list[go.Scatter]:
    """Draw the area between two curves, where both are known."""
    known = (low.notna() & high.notna()).tolist()
    at = [each for each, is_known in zip(x, known, strict=True) if is_known]
    line = {"width": 0, "shape": shape}
    return [go.Scatter(x=at, y=listed(high[known], 4), mode="lines", line=line, hoverinfo="skip", showlegend=False),
            go.Scatter(x=at, y=listed(low[known], 4), mode="lines", line=line, hoverinfo="skip", name=name,
                       fill="tonexty", fillcolor=_tint(colour, 0.22))]


def _tint(colour: str, opacity: float) -> str:
    return f"rgba({', '.join(map(str, hex_to_rgb(colour)))}, {opacity})"


def _few(n: float) -> str:
    """Write a number that may be a small fraction.

    >>> _few(1234.4), _few(3.25), _few(3.0), _few(float("nan"))
    ('1,234', '3.2', '3', '–')
    """
    return number(n, 1 if n < 10 and n % 1 else 0)


def plot_funnel(stages: pd.DataFrame, title: str, currency: str) -> go.Figure:
    """Draw how many entered each stage and which share goes on, and beside it what they are worth."""
    places = list(range(len(stages)))
    bars = [go.Bar(x=listed(stages[column]), y=places, xaxis=axis, marker_color=colour, orientation="h", width=0.3,
                   showlegend=False, name=name, hovertemplate="%{x:,.0f} " + name + _NO_BOX)
            for column, axis, colour, name in (("n_entered", "x", MARKETING, _("entered")),
                                               ("worth", "x2", PIPELINE, currency))]
    texts = [f"<b>{stage}</b> {number(n)}" for stage, n in zip(labels(stages["stage"], 20), stages["n_entered"],
                                                            strict=True)]
    each = [_("{value} each").format(value=money(value, currency)) if pd.notna(value) else ""
            for value in stages["value"]]
    captions = _captions(texts, _go_on(stages), above=12) + _captions(
        [money(worth, currency) for worth in stages["worth"]], each, above=12, axis="x2")
    axis = {"rangemode": "tozero", "nticks": 3, "tickangle": 0, "tickformat": "~s"}
    return _draw_rows(bars, captions, title, len(stages), 74,
                      xaxis=axis | {"title": _("entered"), "domain": [0, 0.52]},
                      xaxis2=axis | {"title": _("worth, {currency}").format(currency=currency), "domain": [0.58, 1]})


def _go_on(stages: pd.DataFrame) -> list[str]:
    if "conversion_rate" not in stages:
        return [""] * len(stages)
    rates = zip(stages["conversion_rate"], stages["rate_low"], stages["rate_high"], strict=True)
    text = _("{rate} go on in the end")
    return [text.format(rate=percent(rate)) + span(low, high, percent) if pd.notna(rate) else ""
            for rate, low, high in rates]


def plot_flows(flows: pd.DataFrame, title: str) -> go.Figure:
    """Draw where the entries of each stage went next: on, back, out, or nowhere yet."""
    named = label_stages(flows, "from_stage", "to")
    source, stages = pd.factorize(named["from_stage"])
    ways = [_way(to, name, is_back) for to, name, is_back in zip(flows["to"].astype("str"), named["to"],
                                                                 flows["is_back"], strict=True)]
    ends = [f"{way} {number(n)}" for (way, colour), n in zip(ways, flows["n"], strict=True)]
    colours = [colour for way, colour in ways]
    sankey = go.Sankey(
        node={"label": [*labels(pd.Series(stages), 20), *ends], "color": [MARKETING] * len(stages) + colours,
              "pad": 18, "thickness": 14, "line": {"width": 0}, "hovertemplate": "%{label}" + _NO_BOX},
        link={"source": source.tolist(), "target": list(range(len(stages), len(stages) + len(flows))),
              "value": listed(flows["n"]), "color": [_tint(colour, 0.4) for colour in colours],
              "hovertemplate": "%{source.label}: %{target.label}" + _NO_BOX})
    return draw([sankey], title, 160 + 34 * len(flows), margin={"l": 10, "r": 10, "t": 60, "b": 20})


def _way(to: str, name: str, is_back: bool) -> tuple[str, str]:
    if is_back:
        return _("back to {stage}").format(stage=safe(name)), RETURNED
    on = _("on to {stage}").format(stage=safe(name)), REACHED
    return {OUT: (_("out"), LEFT), "waiting": (_("still there"), WAITING)}.get(to, on)


def plot_triangle(triangle: pd.DataFrame, title: str) -> go.Figure:
    """Draw the share of each month's cohort that had come further, as it ages; months to come stay empty."""
    triangle = triangle.assign(month=triangle["month"].map(month))
    months = triangle.drop_duplicates("month")
    ages = triangle["age_months"].drop_duplicates().sort_values().tolist()
    cells = go.Heatmap(x=triangle["age_months"].tolist(), y=triangle["month"].tolist(), zmin=0, showscale=False,
                       z=listed(triangle["conversion_rate"], 4), colorscale=[[0, "#F5F7F9"], [1, REACHED]],
                       text=[_percents(rate) for rate in triangle["conversion_rate"]], texttemplate="%{text}",
                       textfont={"size": 11}, xgap=2, ygap=2, hoverongaps=False,
                       hovertemplate=_("%{y}, after %{x} months: %{z:.1%}") + _NO_BOX)
    names = [f"{name}<br>" + _("n {n}").format(n=number(n))
             for name, n in zip(labels(months["month"]), months["n"], strict=True)]
    return draw([cells], title, 130 + 34 * len(months), margin={"l": 10, "r": 10, "t": 60, "b": 10},
                xaxis={"title": _("%, by months since the entry"), "tickvals": ages, "tickangle": 0,
                       "tickfont": {"size": 11}, "showgrid": False, "zeroline": False},
                yaxis={"type": "category", "autorange": "reversed", "tickvals": months["month"].tolist(),
                       "ticktext": names, "tickfont": {"size": 11}, "showgrid": False})


def _percents(share: float) -> str:
    return "" if pd.isna(share) else number(share * 100)


def plot_response(curve: pd.DataFrame, title: str, within_hours: float | None = None) -> go.Figure:
    """Draw the share of leads without a first contact against the hours since the hand-over, on both clocks."""
    business, raw = (curve[curve["clock"] == clock] for clock in ("business", "raw"))
    lines = [go.Scatter(name=name, x=listed(rows["hours"]), y=listed(rows["waiting_share"], 4), mode="lines", line=line,
                        hovertemplate=_("after %{x:.1f} hours %{y:.0%} wait") + _NO_BOX)
             for name, rows, line in ((_("every hour counts"), raw, {"color": LEFT, "width": 2, "dash": "dot"}),
                                      (_("business hours"), business, {"color": SALES, "width": 3}))]
    band = _band(listed(business["hours"]), business["low"], business["high"], SALES, _(_INTERVAL), "hv")
    limit = [] if within_hours is None else [
        go.Scatter(name=_("promised: {hours} business hours").format(hours=plain(within_hours)), x=[within_hours] * 2,
                   y=[0, 1], mode="lines", line={"color": PLAN, "width": 2, "dash": "dash"}, hoverinfo="skip")]
    figure = draw([*band, *lines, *limit], title, 440, xaxis={"title": _("hours since the hand-over")},
                  yaxis=_SHARE_AXIS | {"title": _("still without contact"), "range": [0, 1.02]})
    return figure.update_traces(line_shape="hv")


def plot_compliance(summary: pd.DataFrame, title: str, promised: float | None = None) -> go.Figure:
    """Draw each owner's or team's share contacted in time, with its interval, and the share that was promised."""
    places = list(range(len(summary)))
    names = zip(_names(summary), summary["n_in_time"], summary["n_counted"], strict=True)
    text = _("{name}: {part} of {n}")
    texts = [text.format(name=name, part=number(n), n=number(n_counted)) for name, n, n_counted in names]
    traces = [*_rule(promised, len(summary), _("promised: {share}").format(share=percent(promised))),
              _whiskers(summary["compliance_low"], summary["compliance_high"], places, SALES),
              _dots(summary["compliance_rate"], places, SALES, _("contacted in time"))]
    return _draw_rows(traces, _captions(texts), title, len(summary), 44,
                      xaxis=_SHARE_AXIS | {"title": _("contacted in time"), "range": [0, 1]})


def _names(rows: pd.DataFrame) -> list[str]:
    """Name rows by the first column; who has no name there is not known."""
    return labels(rows.iloc[:, 0].astype("str").fillna(NOT_KNOWN).map(name_value), 30)


def plot_burn_up(burn_up: pd.DataFrame, title: str, unit: str) -> go.Figure:
    """Draw what was delivered day by day against what was promised, and the forecast to the period's end."""
    days = burn_up["day_on"].dt.strftime("%Y-%m-%d").tolist()
    lines = [go.Scatter(name=name, x=days, y=listed(burn_up[column]), mode="lines", line=line,
                        hovertemplate="%{x}: %{y:,.0f} " + name + _NO_BOX)
             for name, column, line in ((_("promised"), "promised", {"color": PLAN, "width": 2, "dash": "dash"}),
                                        (_("forecast"), "forecast", {"color": MARKETING, "width": 2, "dash": "dot"}),
                                        (_("delivered"), "delivered", {"color": MARKETING, "width": 3}))]
    cone = _band(days, burn_up["forecast_low"], burn_up["forecast_high"], MARKETING, _("95 % of what may come"))
    return draw([*cone, *lines], title, 420, yaxis={"title": safe(unit), "rangemode": "tozero"},
                xaxis={"type": "date", "nticks": 4, "tickangle": 0, "tickformat": _("%-d %b\n%Y"),
                       "hoverformat": _("%Y-%m-%d")})


def plot_conversion(rates: pd.DataFrame, title: str, overall: float | None = None) -> go.Figure:
    """Draw each segment's conversion with its interval: filled where it is known, hollow where it is estimated."""
    rows = rates.assign(place=range(len(rates)))
    entered, young = _("{name}: {n} entered"), _("{name}: {n} entered, too young to tell")
    texts = [(entered if pd.notna(rate) else young).format(name=name, n=_few(n))
             for name, n, rate in zip(_names(rates), rates["n"], rates["conversion_rate"], strict=True)]
    dots = [_dots(part["conversion_rate"], part["place"].tolist(), REACHED, name, is_filled=basis == "ripe")
            for basis, name in (("ripe", _("all have had the time")), ("estimated", _("estimated: some still wait")))
            for part in [rows[rows["basis"] == basis]]]
    traces = [*_rule(overall, len(rows), _("all: {share}").format(share=percent(overall))),
              _whiskers(rows["rate_low"], rows["rate_high"], rows["place"].tolist(), REACHED), *dots]
    return _draw_rows(traces, _captions(texts), title, len(rows), 44, xaxis=_SHARE_AXIS | {"title": _("came further")})


def plot_incidence(incidence: pd.DataFrame, waiting: pd.DataFrame, title: str) -> go.Figure:
    """Draw, day by day since the entry, the share that has come further, has gone back, has left, or still waits."""
    parts = {event: incidence[incidence["event"] == event] for event in ("reached", "returned", OUT)}
    reached = parts["reached"]
    band = _band(reached["days"].tolist(), reached["incidence_low"], reached["incidence_high"], REACHED,
                 _(_INTERVAL), "hv")
    lines = [go.Scatter(name=name, x=parts[event]["days"].tolist(), y=listed(parts[event]["incidence"], 4),
                        mode="lines", line={"shape": "hv"} | line,
                        hovertemplate=_("%{y:.1%} %{fullData.name} by day %{x}") + _NO_BOX)
             for event, name, line in (("reached", _("came further"), {"color": REACHED, "width": 3}),
                                       ("returned", _("went back"), {"color": RETURNED, "width": 2, "dash": "dash"}),
                                       (OUT, _("out"), {"color": LEFT, "width": 2, "dash": "dot"}))]
    still = go.Scatter(name=_("still waiting"), x=waiting["days"].tolist(), y=listed(waiting["waiting_share"], 4),
                       mode="lines", line={"shape": "hv", "color": WAITING, "width": 2},
                       hovertemplate=_("%{y:.1%} still waiting on day %{x}") + _NO_BOX)
    return draw([*band, *lines, still], title, 420, xaxis={"title": _("days since the entry")},
                yaxis=_SHARE_AXIS | {"title": _("of those who entered")})


def plot_plan(plan: pd.DataFrame, title: str) -> go.Figure:
    """Draw what a year at the target takes of each stage a month, with its interval, against what comes at present."""
    places = list(range(len(plan)))
    pace = go.Bar(name=_("comes at present"), x=listed(plan["pace_per_month"]), y=places, orientation="h", width=0.3,
                  marker_color=PIPELINE, hovertemplate=_("%{x:,.1f} come a month") + _NO_BOX)
    needed = _dots(plan["year_per_month"], places, PLAN, _("a year at the target takes")).update(
        hovertemplate=_("%{x:,.1f} needed a month") + _NO_BOX)
    needs = _whiskers(plan["year_low"], plan["year_high"], places, PLAN)
    text = "<b>{stage}</b> " + _("takes {need}, {comes} come")
    texts = [text.format(stage=stage, need=_few(need), comes=_few(comes)) for stage, need, comes in zip(
        labels(plan["stage"], 20), plan["year_per_month"], plan["pace_per_month"], strict=True)]
    late = _("entered after {day}, most are won next year")
    notes = [late.format(day=day(entry_on)) if is_too_late else ""
             for entry_on, is_too_late in zip(plan["latest_entry_on"], plan["is_too_late"], strict=True)]
    return _draw_rows([pace, needs, needed], _captions(texts, notes, above=12), title, len(plan), 70,
                      xaxis={"title": _("entries a month"), "rangemode": "tozero"})


def plot_levers(levers: pd.DataFrame, title: str, currency: str, target: float | None = None) -> go.Figure:
    """Draw where each lever alone, as name_levers names it, would take a full year's revenue, and the target."""
    n, year = len(levers), next(iter(levers["year_value"]), None)
    bars = go.Bar(name=_("what it adds"), x=listed(levers["year_difference"]), y=list(range(n)), orientation="h",
                  width=0.3, base=listed(levers["year_value"]), marker_color=PIPELINE,
                  hovertemplate="%{x:,.0f} " + currency + _NO_BOX)
    lines = [*_rule(year, n, _("at the present pace: {value}").format(value=money(year, currency)), LEFT),
             *_rule(target, n, _("target: {value}").format(value=money(target, currency)))]
    captions = _captions(labels(levers["name"], 50), _gains(levers, currency), above=12)
    return _draw_rows([*lines, bars], captions, title, n, 70,
                      xaxis={"title": _("revenue of a full year, {currency}").format(currency=currency), "nticks": 5,
                             "tickformat": "~s"})


def _gains(levers: pd.DataFrame, currency: str) -> list[str]:
    """Write what each lever moves and adds, in a line."""
    rows = zip(levers["now"], levers["then"], levers["year_difference"], levers["difference"], strict=True)
    text = _("{now} → {then}: +{year} a year, +{soon} this year")
    return [text.format(now=safe(now), then=safe(then), year=money(adds, currency), soon=money(soon, currency))
            for now, then, adds, soon in rows]


def plot_stale(stale: pd.DataFrame, title: str) -> go.Figure:
    """Draw how leads, contacts and accounts divide by the days since their last sign of life."""
    kinds, bands = stale["kind"].drop_duplicates().tolist(), stale["age_band"].drop_duplicates().tolist()
    bars = [go.Bar(name=safe(_(band)), x=listed(rows["share"], 4), orientation="h", width=0.5, marker_color=colour,
                   y=[kinds.index(kind) for kind in rows["kind"]], text=rows["n"].map(number).tolist(),
                   textposition="inside", insidetextanchor="middle", textangle=0,
                   hovertemplate=_("%{fullData.name} days: %{text}, %{x:.0%}") + _NO_BOX)
            for band, colour in zip(bands, _AGES, strict=False) for rows in [stale[stale["age_band"] == band]]]
    names = [safe(_(KINDS.get(kind, kind))) for kind in kinds]
    return _draw_rows(bars, _captions(names, above=18), title, len(kinds), 76, barmode="stack",
                      legend={"traceorder": "normal"}, uniformtext={"minsize": 10, "mode": "hide"},
                      xaxis=_SHARE_AXIS | {"title": _("share, by days since the last sign of life")})


def plot_causes(causes: pd.DataFrame, title: str, overall: float | None = None) -> go.Figure:
    """Draw the share returned of each field's values, filled where it is clearly not that of all."""
    rows = causes.assign(place=range(len(causes)))
    text = _("{field}: {value}, {part} of {n}")
    values = labels(rows["value"].map(name_value), 26)
    texts = [text.format(field=safe(name_field(field)), value=value, part=number(part), n=number(n))
             for field, value, part, n in zip(rows["field"], values, rows["n_returned"], rows["n"], strict=True)]
    dots = [_dots(part["returned_rate"], part["place"].tolist(), RETURNED, name, is_filled=is_clear)
            for is_clear, name in ((True, _("clearly apart")), (False, _("may be chance")))
            for part in [rows[rows["is_clear"] == is_clear]]]
    traces = [*_rule(overall, len(rows), _("all: {share}").format(share=percent(overall))),
              _whiskers(rows["rate_low"], rows["rate_high"], rows["place"].tolist(), RETURNED), *dots]
    return _draw_rows(traces, _captions(texts), title, len(rows), 44, xaxis=_SHARE_AXIS | {"title": _("went back")})
