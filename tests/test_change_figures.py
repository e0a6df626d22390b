"""The figure of what changed draws the table's own numbers, a colour per cause."""

import pandas as pd
import pytest

from attribution.change_figures import COLOURS, plot_changes
from attribution.funnel import Outcome
from attribution.restated import CAUSES

EVIL, SAFE = "<b>R&D</b>", "&lt;b&gt;R&amp;D&lt;/b&gt;"


@pytest.fixture
def moved():
    return pd.DataFrame({"campaign_id": ["a", "b", "a", ""], "campaign_name": [EVIL, "Fair", EVIL, "(unattributed)"],
                         "cause": ["late touches", "late touches", "amount changed", "amount changed"],
                         "difference": [20.5, -20.5, 3.0, 1.0]})


def test_plot_changes_draws_every_difference_under_its_cause(moved):
    figure = plot_changes(moved, "What moved", "EUR")
    drawn = {bar.name: dict(zip(bar.y, bar.x, strict=True)) for bar in figure.data}
    assert drawn == {"amount changed": {"": 1.0, "a": 3.0}, "late touches": {"b": -20.5, "a": 20.5}}
    assert [bar.marker.color for bar in figure.data] == [COLOURS["amount changed"], COLOURS["late touches"]]


def test_plot_changes_names_campaigns_once_and_never_as_markup(moved):
    axis = plot_changes(moved, "What moved", "EUR").layout.yaxis
    assert dict(zip(axis.tickvals, axis.ticktext, strict=True)) == {"a": SAFE, "b": "Fair", "": "(unattributed)"}


def test_plot_changes_calls_causes_as_the_outcome_does(moved):
    figure = plot_changes(moved, "What moved", "EUR", Outcome("mql", 250.0))
    assert [bar.name for bar in figure.data] == ["estimated worth changed", "late touches"]


def test_every_cause_has_a_colour_of_its_own():
    assert len(set(COLOURS.values())) == len(CAUSES)


def test_plot_changes_draws_nothing_where_nothing_moved(moved):
    assert len(plot_changes(moved.head(0), "What moved", "EUR").data) == 0
