"""Sentences on settings, removal effects and regressions: by hand, for one and for many, and for nothing at all."""

import numpy as np
import pandas as pd
import pytest

from attribution.comparisons import caused_beside_credit, list_lost, pick_lost, top_campaigns
from attribution.model_sentences import (
    label_settings,
    label_tops,
    name_option,
    name_setting,
    say_caused,
    say_hazard,
    say_hazard_limits,
    say_lost,
    say_sensitivity,
    title_caused,
    title_lost,
    title_sensitivity,
)
from attribution.models import DIALECTS

EVIL = "<b>R&D</b>"
NBSP = "\u00a0"


def plain(text):
    return text.replace("\u00a0", " ")


def ranges_of(*rows, model="linear", read="linear"):
    """Make ranges from (campaign, setting, credit, low, option_low, high, option_high), the widest first."""
    table = pd.DataFrame(rows, columns=["campaign_name", "setting", "credit", "credit_low", "option_low", "credit_high",
                                        "option_high"])
    models = {"half_life": "time_decay", "dialect": read}
    spread = (table["credit_high"] - table["credit_low"]) / table["credit"]
    return table.assign(campaign_id=table["campaign_name"], model=table["setting"].map(models).fillna(model),
                        spread_share=spread).sort_values("spread_share", ascending=False, ignore_index=True)


@pytest.fixture
def ranges():
    """Over three campaigns the look-back moves 0.2, 1 and 3 of the credit, the others less."""
    return ranges_of(
        ("Ads", "look_back", 100, 0, "90", 300, "none"), ("Slush", "look_back", 200, 100, "90", 300, "365"),
        ("Fair", "look_back", 50, 50, "90", 60, "365"), ("Ads", "half_life", 100, 60, "7", 80, "90"),
        ("Slush", "half_life", 200, 100, "7", 200, "90"), ("Fair", "half_life", 50, 50, "7", 55, "90"),
        *[(name, setting, 100, 100, option, 100, option) for name in ("Ads", "Slush", "Fair")
          for setting, option in (("linking", "role"), ("dialect", "ours"))])


@pytest.mark.parametrize(("setting", "option", "english"), [
    ("half_life", "7.5", "7.5 days"), ("half_life", "1", "1 day"), ("look_back", "1095", "1,095 days"),
    ("look_back", "none", "no limit"), ("linking", "role", "role"), ("dialect", "ours", "our reading"),
    ("dialect", "marketo_measure", "Marketo")])
def test_options_are_named_for_a_reader(setting, option, english):
    assert name_option(setting, option) == english


def test_every_vendor_has_a_name_of_its_own():
    assert len({name_option("dialect", each) for each in DIALECTS}) == len(DIALECTS)


def test_options_are_named_in_finnish(finnish):
    said = [name_option(*each) for each in (("half_life", "7.5"), ("look_back", "none"), ("linking", "account"),
                                            ("dialect", "ours"), ("dialect", "hubspot"))]
    assert said == ["7,5 pv", "ei rajaa", "yritys", "meidän tulkinta", "HubSpot"]
    assert name_setting("dialect") == "toimittaja"


def test_tables_of_settings_are_put_into_words(ranges, finnish):
    said = label_settings(ranges.head(1))
    assert said[["setting", "model", "option_low", "option_high", "campaign_name"]].values.tolist() == [
        ["aikaikkuna", "tasajako", "90 pv", "ei rajaa", "Ads"]]
    assert ranges.loc[0, "setting"] == "look_back"
    moves = label_settings(pd.DataFrame({"setting": ["linking"], "option": ["role"], "model": ["u_shaped"]}))
    assert moves.values.tolist() == [["yhdistämistapa", "rooli", "U-malli"]]


def test_sensitivity_names_the_campaign_the_setting_and_the_middle_of_each(ranges):
    """Of 0.2, 1 and 3 the middle is 1; of the half-life's 0.1, 0.2 and 0.5 it is 0.2."""
    assert plain(title_sensitivity(ranges)) == "The look-back moves credit most: for the middle campaign by 100 % of it"
    assert plain(say_sensitivity(ranges, "EUR")) == (
        "Changed alone, the look-back moves Ads most: from €0 (90 days) to €300 (no limit), where this report says "
        "€100. The middle one of the 3 campaigns with the most credit moves, from lowest to highest, by this share of "
        "its credit: look-back 100 %, half-life 20 %, linking 0 %, vendor 0 %. The half-life is that of time decay; "
        "this report uses linear.")


def test_sensitivity_says_whose_readings_are_shown_and_when_the_half_life_is_the_reports(ranges):
    same = say_sensitivity(ranges.assign(model="time_decay"), "EUR")
    assert same.endswith("vendor 0\u00a0%.")
    other = ranges.assign(model=ranges["model"].mask(ranges["setting"] == "dialect", "u_shaped"))
    assert say_sensitivity(other, "EUR").endswith("Vendors read linear alike; what they read otherwise is u_shaped.")


def test_sensitivity_without_any_movement_or_campaign():
    still = ranges_of(("Ads", "linking", 100, 100, "role", 100, "role"))
    for ranges in (still, still.head(0)):
        assert say_sensitivity(ranges, "EUR") == "No setting, turned alone, moves any campaign's credit."
        assert title_sensitivity(ranges) == "No setting, turned alone, moves the credit of most campaigns"


def test_sensitivity_in_finnish(ranges, finnish):
    assert plain(say_sensitivity(ranges, "EUR")) == (
        "Yksin muutettuna asetus ”aikaikkuna” siirtää eniten kampanjaa Ads: pienimmillään 0 € (90 pv), suurimmillaan "
        "300 € (ei rajaa), tässä raportissa 100 €. Eniten hyvitetyistä (3 kampanjaa) keskimmäinen muuttuu pienimmästä "
        "suurimpaan näin paljon hyvitykseensä nähden: aikaikkuna 100 %, puoliintuminen 20 %, yhdistämistapa 0 %, "
        "toimittaja 0 %. Puoliintumisaika on aikavaimennuksen; tämän raportin malli on tasajako.")


def test_tops_list_the_first_of_each_model_in_the_models_order(tree):
    compared = pd.DataFrame([
        ("last", "slush", 5.0), ("last", "ads", 7.5), ("last", None, 90.0), ("last", "nordic", 5.0),
        ("last", "fairs", 1.0), ("first", "slush", 10.0), ("first", "ads", 0.0)],
        columns=["model", "campaign_id", "credit"])
    tops = top_campaigns(compared, tree.assign(campaign_name=tree["campaign_name"].replace("Ads", EVIL)))
    assert tops.values.tolist() == [["last", 1, "ads", EVIL, 7.5], ["last", 2, "nordic", "Nordic", 5.0],
                                    ["last", 3, "slush", "Slush", 5.0], ["first", 1, "slush", "Slush", 10.0]]
    assert label_tops(tops, "EUR").values.tolist() == [
        ["last", f"{EVIL} (€8)", "Nordic (€5)", "Slush (€5)"], ["first", "Slush (€10)", "", ""]]
    assert list(label_tops(tops.head(0), "EUR")) == ["model", "first", "second", "third"]


def effects_of(*rows):
    """Make effects as markov_tree gives them from (id, parent, name, depth, lost, lost value)."""
    table = pd.DataFrame(rows, columns=["campaign_id", "parent_id", "campaign_name", "depth",
                                        "removal_effect_with_children", "removal_effect_value_with_children"])
    return table.astype({"campaign_id": "str", "parent_id": "str", "campaign_name": "str"}).assign(
        path=table["campaign_name"], is_leaf=~table["campaign_id"].isin(table["parent_id"]), n_paths=40, n_converted=10,
        removal_effect=0.01, removal_effect_value=0.02)


@pytest.fixture
def lost():
    return list_lost(effects_of(
        ("p", None, "EMEA", 0, 0.7, 0.6), ("a", "p", "Ads", 1, 0.4, 0.3), ("b", "p", EVIL, 1, 0.45, 0.5),
        ("q", None, "APAC", 0, 0.2, 0.25), ("c", "q", "Fair", 1, 0.2, 0.25)))


def test_lost_sets_the_sum_of_the_parts_beside_the_whole(lost):
    rows = lost.set_index("campaign_id")
    assert rows.loc["p", ["lost_share", "lost_value_share", "n_parts"]].tolist() == [0.7, 0.6, 2]
    assert rows["parts_share"].round(9).fillna(-1).tolist() == [0.8, -1, -1, 0.25, -1]
    assert rows.loc["a", ["own_lost_share", "own_lost_value_share", "n_parts"]].tolist() == [0.01, 0.02, 0]
    assert list(pick_lost(lost, n=1)["campaign_id"]) == ["p", "b", "q"]
    assert list(pick_lost(lost)["campaign_id"]) == list(lost["campaign_id"])


def test_lost_names_the_programme_the_single_campaign_and_what_is_no_sum(lost):
    title = "In the Markov model 60 % of the value passes through EMEA and all below it, the most of all programmes"
    assert plain(title_lost(lost)) == title
    assert plain(say_lost(lost)) == (
        "A removal effect measures how much passes through a campaign: the share of the conversions, or of their "
        "value, that a chain fitted to all paths, also those that led nowhere, reaches through it. "
        f"{title}. Of single campaigns most passes through {EVIL}: 50 % of the value and 45 % of the conversions. "
        "The parts right below EMEA sum to 80 %, the whole of it is 60 %. A conversion that met two campaigns counts "
        "for both: removal effects are shown, never added up. It is not what would be lost: a campaign that only meets "
        "those who would buy anyway has a large one, too.")


def test_lost_counts_who_is_too_fresh_and_draws_them_not(lost):
    fresh = list_lost(effects_of(("p", None, "EMEA", 0, 0.7, 0.6), ("a", "p", "Ads", 1, 0.7, 0.6),
                                 ("b", "p", "New", 1, np.nan, np.nan), ("q", None, "APAC", 0, np.nan, np.nan),
                                 ("c", "q", "Fair", 1, np.nan, np.nan)))
    assert "2 campaigns are too fresh for an effect" in say_lost(fresh) and "too fresh" not in say_lost(lost)
    assert "1 campaign is too fresh" in say_lost(fresh.head(4)[lambda rows: rows["campaign_id"] != "q"])
    assert fresh["parts_share"].fillna(-1).tolist() == [0.6, -1, -1, -1, -1]
    assert pick_lost(fresh)["campaign_id"].tolist() == ["p", "a"]


def test_lost_of_too_many_campaigns_says_why_there_is_nothing(lost):
    assert say_lost(lost.head(0), 12_001) == (
        "The paths met 12,001 campaigns, more than the 12,000 of which removal effects can be computed: the Markov "
        "model is left out of this report.")
    assert say_lost(lost, 12_000) == say_lost(lost)


def test_lost_of_programmes_with_a_single_part_says_nothing_of_a_sum(lost):
    assert "sum to" not in say_lost(lost[lost["campaign_id"].isin(["q", "c"])])


@pytest.mark.parametrize("effect", [0.0, np.nan])
def test_nothing_is_lost_where_nothing_converted(effect):
    none = "The Markov model has nothing to go by: no path old enough ended in value, or some value is below zero"
    rows = list_lost(effects_of(("p", None, "EMEA", 0, effect, effect)))
    for each in (rows, rows.head(0)):
        assert title_lost(each) == none and say_lost(each) == f"{none}."


def test_lost_in_finnish(lost, finnish):
    assert plain(title_lost(lost)) == (
        "Markov-mallissa eniten arvoa, 60 %, kulkee ohjelman EMEA ja sen alakampanjoiden kautta")
    assert "poistovaikutukset näytetään, niitä ei lasketa yhteen." in say_lost(lost)


def caused_of(*rows):
    """Make what was caused from (id, credit, caused, low, high), set beside the credit."""
    table = pd.DataFrame(rows, columns=["campaign_id", "credit_with_children", "caused_value", "caused_low",
                                        "caused_high"]).astype({"campaign_id": "str"})
    returns = table.drop(columns=["caused_value", "caused_low", "caused_high"]).assign(
        campaign_name=table["campaign_id"].str.title(), path="p", depth=1, is_leaf=False)
    return caused_beside_credit(table.drop(columns="credit_with_children"), returns)


@pytest.fixture
def caused():
    return caused_of(("ads", 100.0, 300.0, 150.0, 400.0), ("fair", 200.0, 50.0, -20.0, 120.0),
                     ("mail", 90.0, 80.0, 0.0, 90.0))


def test_caused_says_which_intervals_are_above_zero_and_which_credit_lies_outside(caused):
    assert caused[["campaign_id", "is_clear", "is_outside"]].values.tolist() == [
        ["fair", False, True], ["ads", True, True], ["mail", False, False]]        # an end is inside
    assert plain(title_caused(caused)) == (
        "For 1 of 3 channels the regression's 95 % interval lies above zero")
    assert say_caused(caused, "linear", "EUR") == (
        "For 2 of 3 channels the credit by linear lies outside the regression's interval, furthest for Fair: "
        "€200 credited, −€20 to €120 caused.")                                       # 80 above, Ads 50 below


def test_caused_within_every_interval_and_of_nothing(caused):
    inside = ("The credit by linear lies within the regression's interval for every channel shown. That confirms "
              "nothing: a wide interval holds almost any credit.")
    assert say_caused(caused.tail(1), "linear", "EUR") == inside
    assert title_caused(caused.head(0)) == "The regression has nothing to say of these channels"


def test_caused_in_finnish(caused, finnish):
    assert plain(title_caused(caused)) == (
        "Regression mukaan 95 %:n luottamusväli on nollan yläpuolella: 1/3 kanavaa")
    assert plain(say_caused(caused, "linear", "EUR")) == (
        "Mallin tasajako hyvitys on regression luottamusvälin ulkopuolella: 2/3 kanavaa. Kauimpana on Fair: hyvitys "
        "200 €, aiheutettu −20 € – 120 €.")


def regressed(*rows):
    return pd.DataFrame(rows, columns=["campaign_name", "caused_value", "caused_low", "caused_high"])


WEBINARS, FAIRS, MAIL = ("Webinars", 1000.4, 600.0, 1500.0), ("Fairs", 700.0, 1.0, 900.0), ("Mail", 2000.0, -1.0, 9e3)
UNKNOWN = ("Blog", np.nan, np.nan, np.nan)


def test_hazard_names_the_campaign_that_most_would_be_lost_without():
    assert say_hazard(regressed(FAIRS, WEBINARS, MAIL, UNKNOWN), "EUR") == (
        "The regression finds more than chance would usually bring for 2 of 3 channels, most for Webinars: without it "
        f"€1,000 less would have been won (95{NBSP}% interval €600 to €1,500). Where the interval reaches down to "
        "zero, no effect is possible too. 3 channels are tested at once: about one in forty without any effect has an "
        "interval above zero by chance alone.")
    assert say_hazard(regressed(FAIRS, UNKNOWN), "EUR").endswith("no effect is possible too.")


def test_hazard_says_when_nothing_is_clear_and_when_nothing_is_known():
    assert say_hazard(regressed(MAIL), "EUR") == (
        "The regression cannot tell the effect of any channel from none: every interval reaches down to zero.")
    assert say_hazard(regressed(UNKNOWN), "EUR") == say_hazard(regressed(), "EUR") == (
        "Too few deals followed a touch for the regression to say anything of a channel.")


def test_hazard_in_finnish(finnish):
    assert say_hazard(regressed(FAIRS, WEBINARS, MAIL), "EUR").replace(NBSP, " ").startswith(
        "Regression mukaan vaikutus on suurempi kuin sattuma tavallisesti tuottaisi: 2/3 kanavaa. Suurin on Webinars: "
        "ilman sitä olisi jäänyt voittamatta 1 000 € (95 %:n luottamusväli 600 €–1 500 €).")


def test_limits_name_the_half_life():
    text = say_hazard_limits()
    assert text == say_hazard_limits(90.0) and "A deal that was only brought forward counts as caused." in text
    assert "counts half as much for every 90 days of age" in text and "does not experiment" in text
    assert "every 7.5 days" in say_hazard_limits(7.5)


def test_limits_in_finnish(finnish):
    assert "puolittuu aina 90 päivässä" in say_hazard_limits(90.0)
