"""The figures of settings, removal effects and regressions draw the tables' own numbers, and no name as markup."""

import json

import pandas as pd
import pytest
from test_model_sentences import EVIL, caused_of, effects_of

from attribution.canvas import CREDIT
from attribution.comparisons import list_lost
from attribution.model_figures import plot_caused, plot_lost, plot_sensitivity

SAFE = "&lt;b&gt;R&amp;D&lt;/b&gt;"


def movers_of(*rows):
    """Make movers from (campaign, name, setting, option, share, credit, is_chosen, which end of its setting)."""
    table = pd.DataFrame(rows, columns=["campaign_id", "campaign_name", "setting", "option", "own_share", "credit",
                                        "is_chosen", "end"])
    table = table.assign(is_lowest=table["end"].isin(["low", "both"]), is_highest=table["end"].isin(["high", "both"]))
    return table.assign(axis_low=-0.5, axis_high=2.5)


@pytest.fixture
def movers():
    return movers_of(
        ("a", EVIL, "look_back", "90", 0.25, 25.0, False, "low"), ("a", EVIL, "look_back", "365", 1.0, 100.0, True, ""),
        ("a", EVIL, "look_back", "none", 2.0, 200.0, False, "high"),
        ("a", EVIL, "linking", "role", 1.0, 100.0, False, "both"),
        ("a", EVIL, "linking", "hybrid", 1.0, 100.0, True, ""),
        ("b", "Fair", "linking", "role", 0.5, 5.0, False, "low"),
        ("b", "Fair", "linking", "hybrid", 1.0, 10.0, True, "high"))


def drawn(figure):
    return json.loads(figure.to_json())


def test_plot_sensitivity_draws_a_panel_per_campaign_and_a_row_per_setting(movers):
    figure = drawn(plot_sensitivity(movers, "t", "EUR"))
    first, second = figure["data"]
    assert (first["name"], second["name"]) == (SAFE, "Fair")
    points = sorted(zip(first["y"], first["x"], first["text"], first["customdata"], strict=True))
    assert points == [
        ("p0:linking", 1.0, "hybrid", "€100"), ("p0:linking", 1.0, "role", "€100"),
        ("p0:look_back", 0.25, "90 days", "€25"), ("p0:look_back", 1.0, "365 days", "€100"),
        ("p0:look_back", 2.0, "no limit", "€200")]
    axis = figure["layout"]["yaxis"]
    assert axis["categoryarray"] == ["p0:", "p0:look_back", "p0:linking", "p1:", "p1:linking"]
    assert axis["ticktext"] == ["look-back", "linking", "linking"] and axis["range"] == [4.6, -0.7]
    assert figure["layout"]["xaxis"]["range"] == [-0.5, 2.5]
    assert [(note["text"], note["y"]) for note in figure["layout"]["annotations"][:2]] == [
        (f"<b>{SAFE}</b>", "p0:"), ("<b>Fair</b>", "p1:")]


def test_plot_sensitivity_fills_the_reports_own_choice_above_the_others_and_names_the_ends(movers):
    first = drawn(plot_sensitivity(movers, "t", "EUR"))["data"][0]
    look = dict(zip(first["text"], zip(first["texttemplate"], first["textposition"], first["marker"]["color"],
                                       strict=True), strict=True))
    assert look == {"90 days": ("%{text}", "middle left", "white"), "365 days": (" ", "middle right", CREDIT),
                    "no limit": ("%{text}", "middle right", "white"), "role": ("%{text}", "middle right", "white"),
                    "hybrid": (" ", "middle right", CREDIT)}
    assert first["text"][-2:] == ["365 days", "hybrid"]


def test_plot_sensitivity_of_more_than_ten_campaigns_keeps_their_rows_apart():
    rows = [(f"{n}", f"C{n}", "linking", option, share, 1.0, False, "") for n in range(11)
            for option, share in (("role", 0.5), ("hybrid", 1.0))]
    axis = drawn(plot_sensitivity(movers_of(*rows), "t", "EUR"))["layout"]["yaxis"]
    assert len(axis["categoryarray"]) == len(set(axis["categoryarray"])) == 22
    assert axis["categoryarray"][2:4] == ["p1:", "p1:linking"]


def test_plot_sensitivity_of_nothing_is_empty(movers):
    assert len(plot_sensitivity(movers.head(0), "t", "EUR").data) == 0


def test_plot_sensitivity_in_finnish(movers, finnish):
    figure = drawn(plot_sensitivity(movers, "t", "EUR"))
    assert figure["layout"]["yaxis"]["ticktext"][0] == "aikaikkuna" and "90 pv" in figure["data"][0]["text"]


def test_plot_lost_draws_the_whole_and_the_sum_of_its_parts(finnish):
    lost = list_lost(effects_of(("p", None, EVIL, 0, 0.7, 0.6), ("a", "p", "Ads", 1, 0.4, 0.3),
                                ("b", "p", "Fair", 1, 0.45, 0.5)))
    bar, mark = drawn(plot_lost(lost, "t"))["data"]
    assert (bar["y"], bar["x"]) == (["b", "a", "p"], [0.5, 0.3, 0.6]) and mark["x"] == [None, None, 0.8]
    assert [text.replace("\u00a0", " ") for text in bar["customdata"]] == ["50 %, 45 %", "30 %, 40 %", "60 %, 70 %"]
    assert bar["name"] == "poistovaikutus alakampanjoineen"
    assert drawn(plot_lost(lost, "t"))["layout"]["yaxis"]["ticktext"] == ["Fair", "Ads", f"<b>{SAFE}</b>"]


def test_plot_caused_draws_credit_beside_what_was_caused_and_its_interval():
    caused = caused_of(("ads", 100.0, 300.0, 150.0, 400.0), ("fair", 200.004, 50.0, -20.0, 120.0))
    caused.loc[0, "campaign_name"] = EVIL                                            # the largest credit
    span, dots, credit = drawn(plot_caused(caused, "t", "EUR"))["data"]
    assert (span["y"], span["x"]) == (["ads", "ads", None, "fair", "fair", None],
                                      [150.0, 400.0, None, -20.0, 120.0, None])
    assert (dots["y"], dots["x"], credit["x"]) == (["ads", "fair"], [300.0, 50.0], [100.0, 200.0])
    assert drawn(plot_caused(caused, "t", "EUR"))["layout"]["yaxis"]["ticktext"] == ["Ads", SAFE]
    assert len(plot_caused(caused.head(0), "t", "EUR").data) == 3
