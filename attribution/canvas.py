"""What every figure is drawn on: colours, the shared template, and the care that names and numbers need."""

import html
import textwrap

import pandas as pd
import plotly.graph_objects as go

from attribution.language import separators

#: Okabe and Ito's palette (2008), safe for colour-blind readers; a colour stays with the thing it means.
CREDIT, COST, NONE, PIPELINE, PLAN = "#0072B2", "#D55E00", "#B8C0C8", "#56B4E9", "#000000"
SOURCED, ACCELERATED, NEW, EXISTING = "#0072B2", "#56B4E9", "#009E73", "#CC79A7"
UNPLANNED = "#E69F00"
MARKETING, SALES = "#0072B2", "#D55E00"
REACHED, RETURNED, LEFT, WAITING = "#009E73", "#CC79A7", "#7C8894", "#56B4E9"
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


def draw(traces: list, title: str, height: int, **layout) -> go.Figure:
    """Draw traces on the shared template, under a title that wraps between words; numbers as the language has them."""
    fixed = {"template": TEMPLATE, "height": height, "separators": separators()}
    figure = go.Figure(traces, layout=fixed | layout)
    return figure.update_layout(title_text=wrap(title))


def wrap(title: str) -> str:
    """Break a title between words, as a figure shows it.

    >>> wrap("R&D " * 26)[-18:]
    'R&amp;D<br>R&amp;D'
    """
    return "<br>".join(map(safe, textwrap.wrap(title, 100)))


def safe(text: str) -> str:
    """Keep a name from the CRM from being read as markup: plotly obeys tags and entities in labels.

    >>> safe("<b>R&D</b>")
    '&lt;b&gt;R&amp;D&lt;/b&gt;'
    """
    return html.escape(str(text), quote=False)


def labels(texts: pd.Series, width: int = 44) -> list[str]:
    """Make names safe and short enough for an axis.

    >>> labels(pd.Series(["<b>R&D</b>", "A name that goes on"]), width=12)
    ['&lt;b&gt;R&amp;D&lt;/b&gt;', 'A name that…']
    """
    return [safe(text if len(text) <= width else text[:width - 1] + "…") for text in texts.astype(str)]


def listed(values: pd.Series, digits: int = 2) -> list:
    """Give rounded plain numbers, null as None: what a reviewer can compare, unlike plotly's packed arrays.

    >>> listed(pd.Series([1.006, None]))
    [1.01, None]
    """
    return [None if pd.isna(value) else round(float(value), digits) for value in values]
