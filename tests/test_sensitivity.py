"""What the report's settings do to credit, by hand on the small CRM: each turned alone, every option summing to all."""

from functools import partial

import pandas as pd
import pytest
from conftest import make, path_of

from attribution.credit import compare_models
from attribution.journeys import build_journeys
from attribution.models import WEIGHTS, time_decay
from attribution.sensitivity import (
    HALF_LIVES,
    LOOK_BACKS,
    credit_sensitivity,
    find_most_credited,
    pick_movers,
    sensitivity_ranges,
)


@pytest.fixture
def deal():
    """Ann met Slush 230 and Ads 30 days before Acme's deal of 600; Bo, who has no role in it, Nordic on its day."""
    touches = make("touches", touch_id=["t1", "t2", "t3"], person_id=["ann", "ann", "bo"], account_id="acme",
                   campaign_id=["slush", "ads", "nordic"], kind="response",
                   touched_at=["2026-02-27T08:00:00Z", "2026-09-15T08:00:00Z", "2026-10-15T08:00:00Z"])
    conversions = make("conversions", conversion_id=["d", "cold"], account_id=["acme", "beta"], value=[600.0, 50.0],
                       converted_at="2026-10-15T12:00:00Z")
    roles = make("contact_roles", contact_role_id=["r"], opportunity_id=["d"], person_id=["ann"])
    return touches, conversions, roles


@pytest.fixture
def moves(deal, tree):
    touches, conversions, roles = deal
    return credit_sensitivity(touches, conversions, tree, roles)


def options_of(moves, setting, campaign):
    rows = moves[(moves["setting"] == setting) & (moves["campaign_id"] == campaign)]
    assert len(rows)
    return dict(zip(rows["option"], rows["credit"], strict=True))


def test_look_back_lets_older_touches_in(moves):
    """Slush is out of reach within 90 and 180 days: Ads has all; else each has half."""
    assert options_of(moves, "look_back", "slush") == {"90": 0, "180": 0, "365": 300, "730": 300, "none": 300}
    assert options_of(moves, "look_back", "ads") == {"90": 600, "180": 600, "365": 300, "730": 300, "none": 300}


def test_linking_by_account_lets_the_others_of_the_company_in(moves):
    assert options_of(moves, "linking", "nordic") == {"role": 0, "account": 200, "hybrid": 0}
    assert options_of(moves, "linking", "ads") == {"role": 300, "account": 200, "hybrid": 300}


def test_half_life_is_of_time_decay_whatever_the_model(moves):
    """Slush lies 200 days before Ads: of 600 it gets 600 / (1 + 2^(200 / half-life))."""
    assert options_of(moves, "half_life", "slush") == {
        f"{days}": round(600 / (1 + 2 ** (200 / days)), 2) for days in (7, 14, 30, 60, 90)}
    assert set(moves.loc[moves["setting"] == "half_life", "model"]) == {"time_decay"}


def test_salesforce_shares_by_campaign(deal, tree):
    """Ann met Ads twice more: by touch Ads has 3 of 4, by campaign 1 of 2."""
    touches, conversions, roles = deal
    more = touches.iloc[[1, 1]].assign(touch_id=["t4", "t5"])
    moves = credit_sensitivity(pd.concat([touches, more]), conversions, tree, roles)
    assert options_of(moves, "dialect", "ads") == {"ours": 450, "salesforce": 300}
    assert set(moves.loc[moves["setting"] == "dialect", "model"]) == {"linear"}


@pytest.mark.parametrize("model", ["j_shaped", "inverse_j", "full_path"])
def test_a_model_that_all_vendors_read_alike_shows_what_they_make_of_u_shaped(deal, tree, model):
    touches, conversions, roles = deal
    moves = credit_sensitivity(touches, conversions, tree, roles, model=model)
    rows = moves[moves["setting"] == "dialect"]
    assert list(rows["option"].drop_duplicates()) == ["ours", "marketo_measure", "dreamdata"]
    assert set(rows["model"]) == {"u_shaped"} and not rows["is_chosen"].any()


def test_every_reading_that_differs_from_ours_is_among_the_options(deal, tree):
    touches, conversions, roles = deal
    for model, readings in WEIGHTS.items():
        if model != "position_based":
            moves = credit_sensitivity(touches, conversions, tree, roles, model=model)
            options = set(moves.loc[(moves["setting"] == "dialect") & (moves["model"] == model), "option"])
            assert not options or {each for each in readings if readings[each] != readings["ours"]} <= options
    assert options_of(credit_sensitivity(touches, conversions, tree, roles, model="last_touch"), "dialect", "ads")


def test_salesforces_own_order_is_left_out_where_the_touches_do_not_have_it(deal, tree):
    touches, conversions, roles = deal
    bare = touches.drop(columns=["joined_at", "modified_at"])
    moves = credit_sensitivity(bare, conversions, tree, roles, model="last_touch")
    assert list(moves.loc[moves["setting"] == "dialect", "option"].drop_duplicates()) == ["ours", "marketo_measure"]


def test_every_option_sums_to_all_there_is(moves):
    roots = moves[moves["depth"] == 0].groupby(["setting", "option"])["credit"].sum()
    assert len(roots) == 5 + 5 + 3 + 2 and set(roots.round(2)) == {650.0}
    untouched = moves[moves["campaign_name"] == "(unattributed)"]
    assert set(untouched["credit"]) == {50.0} and untouched["campaign_id"].isna().all()


def test_campaigns_above_others_have_what_is_below_them(moves):
    rows = moves[(moves["setting"] == "linking") & (moves["option"] == "account")].set_index("campaign_id")["credit"]
    assert rows[["emea", "fairs", "slush", "nordic", "ads"]].tolist() == [600, 400, 200, 200, 200]


def test_only_what_the_report_itself_says_is_marked(deal, tree, moves):
    touches, conversions, roles = deal
    chosen = moves[moves["is_chosen"]].groupby("setting")["option"].unique().map(list).to_dict()
    assert chosen == {"look_back": ["365"], "linking": ["hybrid"], "dialect": ["ours"]}
    decayed = credit_sensitivity(touches, conversions, tree, roles, model="time_decay", half_life_days=7)
    assert decayed.loc[decayed["is_chosen"] & (decayed["campaign_id"] == "ads"), "credit"].nunique() == 1
    assert set(decayed.loc[decayed["is_chosen"], "setting"]) == {"half_life", "look_back", "linking", "dialect"}


def test_the_reports_own_values_stand_in_order_among_the_others(deal, tree):
    touches, conversions, roles = deal
    moves = credit_sensitivity(touches, conversions, tree, roles, half_life_days=7.5, lookback_days=40)
    options = moves.drop_duplicates(["setting", "option"]).groupby("setting")["option"].agg(list)
    assert options["half_life"] == ["7", "7.5", "14", "30", "60", "90"]
    assert options["look_back"] == ["40", "90", "180", "365", "730", "none"]
    assert len(HALF_LIVES) == len(LOOK_BACKS) == 5


def test_own_values_hold_for_the_settings_that_are_not_turned(deal, tree):
    """With 90 days Slush is out, whatever else is turned; linked by role, Bo stays out."""
    touches, conversions, roles = deal
    moves = credit_sensitivity(touches, conversions, tree, roles, lookback_days=90, linking="role")
    assert options_of(moves, "half_life", "ads") == dict.fromkeys(("7", "14", "30", "60", "90"), 600)
    assert options_of(moves, "linking", "ads") == {"role": 600, "account": 300, "hybrid": 600}
    assert options_of(moves, "dialect", "ads") == {"ours": 600, "salesforce": 600}
    assert options_of(moves, "look_back", "slush")["365"] == 300


def test_two_campaigns_of_one_path_are_kept_apart(deal, tree):
    """A second Ads that nobody met earns nothing, and is not shown for its namesake's sake."""
    touches, conversions, roles = deal
    twin = pd.concat([tree, tree.tail(1).assign(campaign_id="twin")])
    assert "twin" not in set(credit_sensitivity(touches, conversions, twin, roles)["campaign_id"])


def test_credit_of_campaigns_off_the_tree_is_kept_beside_it(deal, orphaned):
    touches, conversions, roles = deal
    moves = credit_sensitivity(touches, conversions, orphaned, roles)
    beside = moves[(moves["campaign_name"] == "(left out of the tree)") & (moves["setting"] == "linking")]
    assert beside["credit"].tolist() == [300, 400, 300]
    assert set(moves[moves["depth"] == 0].groupby(["setting", "option"])["credit"].sum().round(2)) == {650.0}


def test_settings_agree_with_tables_of_journeys(crm, agreement):
    _, conversions, journeys, _ = path_of(crm, agreement)
    moves = credit_sensitivity(crm.touches, conversions, crm.campaigns, crm.contact_roles,
                               time_zone=agreement.time_zone)
    weekly = compare_models(journeys, {"7 days": partial(time_decay, half_life_days=7)})
    assert options_of(moves, "half_life", "ads")["7"] == weekly.set_index("campaign_id")["credit"]["ads"]
    wide = build_journeys(crm.touches, conversions, crm.contact_roles, lookback_days=90, time_zone=agreement.time_zone)
    slush = compare_models(wide, ["linear"]).set_index("campaign_id")["credit"]["slush"]
    assert options_of(moves, "look_back", "slush")["90"] == slush


def test_shuffled_rows_change_nothing(deal, tree, moves):
    touches, conversions, roles = deal
    shuffled = credit_sensitivity(touches.iloc[::-1], conversions.iloc[::-1], tree.iloc[::-1], roles)
    pd.testing.assert_frame_equal(shuffled, moves)


def test_without_conversions_there_is_nothing_to_move(deal, tree):
    touches, conversions, roles = deal
    for some in (touches, touches.head(0)):
        moves = credit_sensitivity(some, conversions.head(0), tree, roles)
        ranges = find_most_credited(sensitivity_ranges(moves))
        assert len(moves) == len(ranges) == len(pick_movers(moves, ranges)) == 0
    assert not len(sensitivity_ranges(credit_sensitivity(touches.head(0), conversions, tree, roles)))


def test_without_contact_roles_nobody_is_linked_by_one(deal, tree):
    touches, conversions, _ = deal
    assert options_of(credit_sensitivity(touches, conversions, tree), "linking", "ads") == {
        "role": 0, "account": 200, "hybrid": 200}


def test_ranges_give_both_ends_and_their_distance(moves):
    ranges = sensitivity_ranges(moves)
    ads = ranges[ranges["campaign_id"] == "ads"].set_index("setting")
    assert ads.loc["look_back", ["credit", "credit_low", "option_low", "credit_high", "option_high",
                                 "spread_share"]].tolist() == [300, 300, "365", 600, "90", 1.0]
    assert ads.loc["linking", ["credit_low", "option_low", "credit_high", "option_high"]].tolist() == [
        200, "account", 300, "role"]
    assert ads.loc["linking", "spread_share"] == pytest.approx(1 / 3)
    assert ads.loc["dialect", "spread_share"] == 0
    assert ranges["spread_share"].dropna().is_monotonic_decreasing
    assert ranges.loc[ranges["campaign_id"] == "nordic", "spread_share"].isna().all()    # not credited
    assert not ranges["campaign_id"].isna().any()


def test_most_credited_are_single_campaigns_with_credit(moves):
    ranges = sensitivity_ranges(moves)
    assert set(find_most_credited(ranges)["campaign_id"]) == {"ads", "slush"}
    assert set(find_most_credited(ranges, n=1)["campaign_id"]) == {"ads"}                   # of equals the earlier id
    richer = ranges.assign(credit=ranges["credit"].mask(ranges["campaign_id"] == "slush", 301))
    assert set(find_most_credited(richer, n=1)["campaign_id"]) == {"slush"}


def test_movers_are_the_widest_with_their_share_of_the_reports_credit(moves):
    """Slush has 0 to 1 of its 300, Ads 1 to 2 of it, and with the shortest half-life next to all: 0 to 2 in all."""
    ranges = find_most_credited(sensitivity_ranges(moves))
    movers = pick_movers(moves, ranges)
    assert movers["campaign_id"].drop_duplicates().tolist() == ["ads", "slush"]
    rows = movers[(movers["campaign_id"] == "ads") & (movers["setting"] == "look_back")]
    assert rows["own_share"].tolist() == [2, 2, 1, 1, 1]
    assert rows["is_highest"].tolist() == [True, False, False, False, False]      # of equal ones the first
    assert rows["is_lowest"].tolist() == [False, False, True, False, False]
    assert set(movers["axis_low"].round(9)) == {-0.6} and set(movers["axis_high"].round(9)) == {2.6}
    assert pick_movers(moves, ranges, n=1)["campaign_id"].unique().tolist() == ["ads"]
