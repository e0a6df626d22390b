"""The intervals' figure: finished table in, figure out; nothing is computed here, and no gap is filled."""

import pandas as pd
import plotly.graph_objects as go

from attribution.canvas import CREDIT, NONE, PIPELINE, draw, labels, listed
from attribution.language import _, times


def plot_pooled(pooled: pd.DataFrame, title: str) -> go.Figure:
    """Draw each campaign's ROI by itself and pooled, as two dots with a line between them, the first on top."""
    rows = pooled.iloc[::-1]
    ids, raw, drawn = rows["campaign_id"].tolist(), listed(rows["roi"], 4), listed(rows["pooled_roi"], 4)
    ends = [each for pair in zip(raw, drawn, strict=True) for each in (*pair, None)]
    line = go.Scatter(x=ends, y=[each for id in ids for each in (id, id, None)], mode="lines", hoverinfo="skip",
                      showlegend=False, line={"color": NONE, "width": 3}, name=_("from one to the other"))
    dots = [go.Scatter(name=name, x=values, y=ids, mode="markers", marker={"color": colour, "size": 10},
                       customdata=[times(value) for value in values], hovertemplate=name + " %{customdata}")
            for name, values, colour in ((_("ROI by itself"), raw, PIPELINE), (_("ROI, pooled"), drawn, CREDIT))]
    return draw([line, *dots], title, 150 + 28 * len(rows),
                xaxis={"title": _("ROI to date"), "tickformat": ".0%", "zeroline": True},
                yaxis={"type": "category", "tickmode": "array", "tickvals": ids,
                       "ticktext": labels(rows["campaign_name"])}, margin={"l": 10, "r": 20, "t": 90, "b": 10})
