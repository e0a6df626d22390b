"""The figure of what changed since an earlier report: finished table in, figure out; nothing is computed here."""

import pandas as pd
import plotly.graph_objects as go

from attribution.canvas import ACCELERATED, COST, CREDIT, EXISTING, INK, LEFT, NEW, NONE, SOFT, draw, labels, listed
from attribution.change_sentences import label_causes
from attribution.funnel import WON, Outcome
from attribution.language import _
from attribution.restated import CAUSES

COLOURS = dict(zip(CAUSES, (NONE, CREDIT, LEFT, SOFT, "#E69F00", INK, EXISTING, "#F0E442", ACCELERATED, NEW, COST,
                            "#8A6D3B"), strict=True))


def plot_changes(moved: pd.DataFrame, title: str, currency: str, outcome: Outcome = WON) -> go.Figure:
    """Draw what each campaign gained and lost since an earlier report, a colour per cause."""
    rows = moved.iloc[::-1]
    names = rows.drop_duplicates("campaign_id")
    words = dict(zip(CAUSES, label_causes(pd.DataFrame({"cause": list(CAUSES)}), outcome)["cause"], strict=True))
    bars = [go.Bar(name=words[cause], y=part["campaign_id"].tolist(), x=listed(part["difference"]), orientation="h",
                   marker_color=COLOURS[cause], hovertemplate=words[cause] + " %{x:,.0f} " + currency)
            for cause in CAUSES if len(part := rows[rows["cause"] == cause])]
    axis = {"type": "category", "tickmode": "array", "tickvals": names["campaign_id"].tolist(),
            "ticktext": labels(names["campaign_name"], 32), "categoryorder": "array",
            "categoryarray": names["campaign_id"].tolist()}
    return draw(bars, title, 190 + 34 * len(names), barmode="relative", yaxis=axis, showlegend=True,
                xaxis={"title": _("gained or lost, {currency}").format(currency=currency)},
                margin={"l": 10, "r": 20, "t": 90, "b": 10})
