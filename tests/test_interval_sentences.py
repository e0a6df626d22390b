"""What is said of intervals is what the tables hold, in both languages, and nothing where they hold nothing."""

import numpy as np
import pandas as pd
import pytest
from test_sentences import plain, returns_of

from attribution.funnel import Outcome
from attribution.interval_figures import plot_pooled
from attribution.interval_sentences import (
    INTERVAL_COLUMNS,
    label_intervals,
    name_intervals,
    say_intervals,
    say_pooled,
    say_ranks,
    title_pooled,
)
from attribution.sentences import CLOCK_COLUMNS, headline_tiles, say_returns

EVIL = "<img src=x onerror=alert(1)> & =cmd"


def pairs_of(*rows):
    return pd.DataFrame(rows, columns=["campaign_name", "other_name", "is_apart"]).astype({"is_apart": bool})


@pytest.fixture
def programmes():
    rows = returns_of(("Fairs", 100.0, 50.0), ("Ads", 100.0, 300.0), ("Mail", 100.0, 120.0), ("Talks", np.nan, 9.0))
    return rows.assign(roi_low=[-0.9, 1.0, np.nan, np.nan], roi_high=[0.1, 3.0, np.nan, np.nan])


@pytest.fixture
def pooled():
    return pd.DataFrame({"campaign_id": ["a", "b", "p"], "campaign_name": ["Ads", EVIL, "EMEA"],
                         "is_leaf": [True, True, False], "roi": [0.2, -0.5, 9.0], "pooled_roi": [0.25, -0.1, 1.0],
                         "pooling_weight": [0.9, 0.3, 1.0]})


def test_say_returns_names_the_intervals_and_who_cannot_be_told_apart(programmes):
    said = say_returns(programmes, pairs=pairs_of(("Ads", "Mail", False), ("Ads", "Fairs", True)))
    assert plain(said) == (
        "Ads returned most (+200 %), Fairs least (−50 %), each whole cost to date against all it has earned to date. "
        "95 % intervals: Ads +100 % to +300 %; Fairs −90 % to +10 %. Cannot be told apart, since chance alone could "
        "have turned their order round: Ads and Mail.")


def test_say_returns_counts_the_pairs_after_the_third(programmes):
    many = [("Ads", str(n), False) for n in range(5)]
    assert "Ads and 0; Ads and 1; Ads and 2; and 2 more pairs." in plain(say_returns(programmes, pairs=pairs_of(*many)))
    assert plain(say_returns(programmes, pairs=pairs_of(*many[:3]))).endswith("round: Ads and 0; Ads and 1; Ads and 2.")


def test_say_returns_says_so_where_all_can_be_told_apart_and_nothing_of_no_pair(programmes):
    assert say_returns(programmes, pairs=pairs_of(("Ads", "Fairs", True))).endswith(
        "Chance alone would seldom have turned the order of any two programmes with credit round.")
    assert plain(say_returns(programmes, pairs=pairs_of())).endswith("Fairs −90 % to +10 %.")


def test_say_returns_keeps_an_interval_of_few_accounts_to_itself(programmes):
    """Ads is best, but by few accounts: it goes without, and Mail, in the middle, does not take its place."""
    rows = programmes.assign(roi_low=[-0.9, 1.0, 0.1, np.nan], roi_high=[0.1, 3.0, 0.3, np.nan])
    assert plain(say_returns(rows.assign(is_thin=[False, True, False, False]))).endswith(
        "95 % intervals: Fairs −90 % to +10 %.")


def test_say_returns_of_one_programme_names_its_interval_once(programmes):
    assert plain(say_returns(programmes.iloc[[1]])).endswith("95 % intervals: Ads +100 % to +300 %.")
    for unsure in (programmes.iloc[[2, 3]], programmes.tail(1)):
        assert "intervals" not in say_returns(unsure)


def test_headline_tiles_carry_the_intervals_of_the_figures_that_have_one():
    headline = pd.DataFrame({
        "figure": ["won_value", "attributed_value", "roi"], "unit": ["money", "money", "ratio"],
        "value": [500.0, 400.0, 3.0], "before": np.nan, "change": np.nan, "planned": np.nan, "plan_share": np.nan})
    drawn = pd.DataFrame({"figure": ["attributed_value", "roi", "roi_expected"], "low": [100.0, np.nan, np.nan],
                          "high": [700.0, np.nan, np.nan]})
    tiles = headline_tiles(headline, "EUR", intervals=drawn)
    assert [plain(note) for note in tiles["note"]] == [
        "not known for the month before",
        "not known for the month before\n95 % interval €100 to €700",
        "not known for the month before\ntoo few accounts for an interval"]
    unknown = headline.assign(value=[500.0, 400.0, np.nan])
    assert "few" not in headline_tiles(unknown, "EUR", intervals=drawn)["note"].iloc[-1]
    expected = headline.assign(figure=["expected_value", "attributed_value", "roi_expected"])
    assert "€700" in headline_tiles(expected, "EUR", Outcome("mql", 250.0), drawn)["note"].iloc[1]


def test_label_intervals_leave_a_blank_blank():
    rows = pd.DataFrame({"credit_low": [1000.4, np.nan], "credit_high": [2500.0, np.nan], "roi_low": [np.nan, -0.5],
                         "roi_high": [np.nan, 0.25]})
    said = label_intervals(rows)
    assert [plain(text) for text in said["credit_interval"]] == ["1,000 to 2,500", ""]
    assert [plain(text) for text in said["roi_interval"]] == ["", "−50 to +25 %"]
    assert not any(" " in text for column in ("credit_interval", "roi_interval") for text in said[column])


def test_interval_columns_stand_beside_their_figures():
    assert [column for column in INTERVAL_COLUMNS if column in CLOCK_COLUMNS] == list(CLOCK_COLUMNS)
    columns = list(INTERVAL_COLUMNS)
    for figure, interval in (("credit_with_children", "credit_interval"), ("roi", "roi_interval")):
        assert columns[columns.index(figure) + 1] == interval
    assert columns[columns.index("roi_interval") + 1] == "is_thin"


def test_name_intervals_keep_other_names():
    assert name_intervals({"credit": "credit, expected"})["credit"] == "credit, expected"
    assert name_intervals()["roi_low"] == "ROI from"


def test_say_intervals_says_what_they_do_not_know():
    said = say_intervals()
    assert "another set of similar accounts, more or fewer, had bought" in said
    assert "nothing of what would have happened without the campaign" in said and "fewer than 12" in said
    assert say_intervals(Outcome("mql", 250.0)).startswith(said)
    assert say_intervals(Outcome("mql", 250.0)).endswith("The worth of one MQL is taken as known.")


def test_say_ranks_counts_who_contends():
    ranks = pd.DataFrame({"campaign_name": ["Ads", "Mail", "Talks"], "top_five_share": [0.74, 0.05, 0.049]})
    assert plain(say_ranks(ranks)) == (
        "2 campaigns can hold a place among the five with the most credit: each does in at least 5 % of the resamples. "
        "Surest of its place is Ads, in 74 %.")
    assert say_ranks(ranks.head(0)) == "No campaign has any credit, so there is nothing to rank."


def test_pooling_is_said_of_the_campaign_that_moves_furthest(pooled):
    assert plain(title_pooled(pooled.head(2))) == (
        f"Pooling moves {EVIL} furthest: −50 % by itself, −10 % beside its siblings")
    assert plain(say_pooled(pooled)).endswith(
        "For half of 2 campaigns with a cost, its own figure counts 60 % or less.")
    none = pooled.assign(pooled_roi=np.nan, pooling_weight=np.nan)
    assert title_pooled(none) == "No cost is known, so no campaign can borrow from those beside it"
    assert say_pooled(none) == "No cost is known, so no campaign can borrow from those beside it."


def test_plot_pooled_joins_what_a_campaign_returned_with_what_is_borrowed(pooled):
    line, raw, drawn = plot_pooled(pooled, "t").to_dict()["data"]
    assert list(line["x"]) == [9.0, 1.0, None, -0.5, -0.1, None, 0.2, 0.25, None]
    assert list(line["y"]) == ["p", "p", None, "b", "b", None, "a", "a", None]
    assert (list(raw["x"]), list(drawn["x"])) == ([9.0, -0.5, 0.2], [1.0, -0.1, 0.25])
    ticks = plot_pooled(pooled, "t").layout.yaxis.ticktext
    assert ticks[1].startswith("&lt;img") and ticks[2] == "Ads"
    assert len(plot_pooled(pooled.head(0), "t").data) == 3


def test_intervals_are_said_in_finnish(finnish, programmes, pooled):
    said = plain(say_returns(programmes, pairs=pairs_of(("Ads", "Mail", False))))
    assert "95 %:n luottamusvälit: Ads +100 % – +300 %" in said and "Ads ja Mail" in said
    assert "enemmän tai vähemmän, olisi ostanut" in say_intervals() and name_intervals()["is_thin"] == "vähän yrityksiä"
    assert plain(title_pooled(pooled.head(1))).startswith("Tasoitus siirtää eniten kampanjaa Ads: yksin +20 %")
