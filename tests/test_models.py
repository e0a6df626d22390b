from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest

from attribution.journeys import JourneyArrays
from attribution.models import DIALECTS, MODELS, give_reasons, pick_model
from attribution.tables import TableError

# Five touches: the second created the lead, the third and the fourth are of one campaign, the fourth made the deal.
FIVE = JourneyArrays(
    conversion=np.zeros(5, np.int64), position=np.arange(1, 6), n_touches=np.full(5, 5),
    campaign=np.array([0, 1, 2, 2, 3]),
    age_days=np.array([60.0, 30.0, 14.0, 7.0, 0.0]), days_before=np.array([61.0, 31.0, 15.0, 8.0, 1.0]),
    is_lead_touch=np.array([0, 1, 0, 0, 0], bool), is_opportunity_touch=np.array([0, 0, 0, 1, 0], bool),
    is_before_opportunity=np.array([1, 1, 1, 1, 0], bool), joined_at=np.array([5, 2, 3, 2, 9]),
    modified_at=np.array([4, 9, 1, 9, 7]))
ONE = JourneyArrays(np.array([0]), np.array([1]), np.array([1]), np.array([0]), np.zeros(1), np.zeros(1),
                    np.zeros(1, bool), np.zeros(1, bool), np.zeros(1, bool), np.zeros(1), np.zeros(1))

# The glossary, "Rule models", and each vendor's own definition, in percent of the journey of five touches above.
PERCENT = {
    "first_touch": {"ours hubspot marketo_measure dreamdata": [100, 0, 0, 0, 0], "salesforce": [0, 100, 0, 0, 0]},
    "last_touch": {"ours hubspot dreamdata": [0, 0, 0, 0, 100], "marketo_measure": [0, 100, 0, 0, 0],
                   "salesforce": [0, 100, 0, 0, 0]},
    "linear": {"ours hubspot dreamdata": [20, 20, 20, 20, 20], "salesforce": [25, 25, 12.5, 12.5, 25]},
    "u_shaped": {"ours hubspot": [40, 40, 20 / 3, 20 / 3, 20 / 3], "marketo_measure": [50, 50, 0, 0, 0],
                 "dreamdata": [40, 20 / 3, 20 / 3, 20 / 3, 40]},
    "w_shaped": {"ours hubspot marketo_measure": [30, 30, 5, 30, 5], "dreamdata": [30, 30, 5, 5, 30]},
    "full_path": {"ours hubspot marketo_measure": [22.5, 22.5, 10, 22.5, 22.5]},
    "j_shaped": {"ours hubspot": [20, 20 / 3, 20 / 3, 20 / 3, 60]},
    "inverse_j": {"ours hubspot": [60, 20 / 3, 20 / 3, 20 / 3, 20]},
    "shapley": {"ours": [25, 25, 12.5, 12.5, 25]},
}
CASES = [(model, dialect, percent) for model, dialects in PERCENT.items()
         for named, percent in dialects.items() for dialect in named.split()]
ABSENT = [(model, dialect) for model in PERCENT for dialect in DIALECTS
          if dialect not in " ".join(PERCENT[model]).split()] + [
    ("time_decay", "marketo_measure"), ("time_decay", "dreamdata"), ("time_decay", "salesforce"),
    ("position_based", "hubspot"), ("position_based", "dreamdata"), ("position_based", "salesforce")]


def percent(raw):
    return (100 * raw / raw.sum()).tolist()


@pytest.mark.parametrize(("model", "dialect", "expected"), CASES)
def test_models_weigh_five_touches_as_the_vendor_says(model, dialect, expected):
    assert percent(MODELS[model](FIVE, dialect=dialect)) == pytest.approx(expected)


@pytest.mark.parametrize(("model", "dialect"), ABSENT)
def test_models_refuse_a_dialect_that_has_no_such_model(model, dialect):
    with pytest.raises(ValueError, match=f"dialect: {dialect} has no {model}"):
        MODELS[model](FIVE, dialect=dialect)


@pytest.mark.parametrize("model", MODELS)
def test_models_refuse_a_dialect_they_do_not_know(model):
    with pytest.raises(ValueError, match="dialect: 'adobe' is not one of ours, hubspot, marketo_measure, dreamdata"):
        MODELS[model](FIVE, dialect="adobe")


@pytest.mark.parametrize(("model", "dialect", "_"), CASES)
def test_models_give_a_single_touch_everything(model, dialect, _):
    assert percent(MODELS[model](ONE, dialect=dialect)) == [100]


@pytest.mark.parametrize(("options", "halvings"), [
    ({}, [2, 1, 14 / 30, 7 / 30, 0]), ({"half_life_days": 7}, [60 / 7, 30 / 7, 2, 1, 0]),
    ({"dialect": "hubspot"}, [60 / 7, 30 / 7, 2, 1, 0]),
    ({"dialect": "hubspot", "half_life_days": 60}, [1, 1 / 2, 14 / 60, 7 / 60, 0]),
])
def test_time_decay_halves_with_every_half_life(options, halvings):
    assert MODELS["time_decay"](FIVE, **options).tolist() == pytest.approx([0.5**halving for halving in halvings])


def test_time_decay_gives_old_journeys_their_shares():
    old = JourneyArrays(np.zeros(2), np.array([1, 2]), np.array([2, 2]), age_days=np.array([7.0, 0.0]),
                        days_before=np.array([40007.0, 40000.0]))
    assert percent(MODELS["time_decay"](old, dialect="hubspot")) == pytest.approx([100 / 3, 200 / 3])


@pytest.mark.parametrize("half_life_days", [0, -7, float("nan"), float("inf"), "7", True])
def test_time_decay_refuses_a_half_life_that_is_none(half_life_days):
    with pytest.raises(ValueError, match="half_life_days: .* is not a number of days above 0"):
        MODELS["time_decay"](FIVE, half_life_days=half_life_days)


def test_position_based_weighs_the_places_as_the_caller_says():
    weigh = MODELS["position_based"]
    assert percent(weigh(FIVE, first=1, lead=2, opportunity=3, last=4)) == [10, 20, 0, 30, 40]
    assert percent(weigh(FIVE, first=50, rest=50)) == [50, 12.5, 12.5, 12.5, 12.5]
    assert percent(weigh(FIVE, rest=0.1)) == pytest.approx([20] * 5)
    assert percent(weigh(FIVE, lead=1, dialect="marketo_measure")) == [0, 100, 0, 0, 0]


def test_position_based_shares_equally_where_no_weighted_place_is_held():
    assert percent(MODELS["position_based"](ONE, lead=1)) == [100]


@pytest.mark.parametrize(("options", "message"), [
    ({}, "position_based: give weight to one at least of first, lead, opportunity, last, rest"),
    ({"first": 0, "rest": 0.0}, "position_based: give weight to one at least"),
    ({"first": -1, "last": 2}, "first: -1 is not a weight from 0"),
    ({"rest": float("inf")}, "rest: inf is not a weight from 0"),
    ({"lead": "40"}, "lead: '40' is not a weight from 0"),
])
def test_position_based_refuses_weights_that_are_none(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS["position_based"](FIVE, **options)


def test_last_touch_of_marketo_measure_is_the_last_where_no_touch_created_the_lead():
    two = JourneyArrays(np.zeros(2), np.array([1, 2]), np.array([2, 2]), is_lead_touch=np.zeros(2, bool))
    assert percent(MODELS["last_touch"](two, dialect="marketo_measure")) == [0, 100]


@pytest.mark.parametrize(("model", "column"), [("first_touch", "joined_at"), ("last_touch", "modified_at")])
def test_models_of_salesforce_name_the_column_they_lack(model, column):
    bare = JourneyArrays(np.zeros(2), np.array([1, 2]), np.array([2, 2]))
    with pytest.raises(TableError, match=f"there is no column {column}, by which dialect salesforce orders touches"):
        MODELS[model](bare, dialect="salesforce")


def test_models_keep_journeys_apart():
    names = [about.name for about in fields(JourneyArrays)]
    both = JourneyArrays(*(np.concatenate([getattr(FIVE, name), getattr(ONE, name)]) for name in names))
    both = replace(both, conversion=np.array([0, 0, 0, 0, 0, 1]))
    for model, dialect, expected in CASES:
        raw = MODELS[model](both, dialect=dialect)
        assert percent(raw[:5]) == pytest.approx(expected) and percent(raw[5:]) == [100]


def test_pick_model_takes_a_name_a_partial_or_a_function_of_the_callers_own():
    def newest(journeys):
        return journeys.position.astype(float)

    assert pick_model("linear")[0] == "linear"
    name, weigh = pick_model(partial(MODELS["time_decay"], half_life_days=7), dialect="hubspot")
    assert (name, weigh(FIVE)[3]) == ("time_decay", 0.5)
    name, weigh = pick_model(newest)
    assert (name, weigh(FIVE).tolist()) == ("newest", [1, 2, 3, 4, 5])


def test_pick_model_refuses_an_option_that_the_model_does_not_have():
    with pytest.raises(ValueError, match="half_life: is not an option of time_decay, which has half_life_days"):
        pick_model("time_decay", half_life=7)
    with pytest.raises(ValueError, match="half_life_days: is not an option of linear, which has dialect"):
        pick_model(partial(MODELS["linear"], half_life_days=7))
    with pytest.raises(ValueError, match="model: 'lineer' is not one of first_touch, last_touch, linear, time_decay"):
        pick_model("lineer")


def reasons(model, **options):
    return give_reasons(FIVE, MODELS[model](FIVE, **options), model, **options)


def test_give_reasons_names_the_places_and_their_weights():
    assert reasons("w_shaped") == [
        "first touch 30, of 100 present", "lead creation 30, of 100 present",
        "1 of 2 others that share 10, of 100 present", "opportunity creation 30, of 100 present",
        "1 of 2 others that share 10, of 100 present"]
    assert reasons("first_touch")[:2] == ["first touch 100, of 100 present", "weight 0, of 100 present"]
    assert reasons("position_based", last=2, rest=1)[3:] == [
        "1 of 4 others that share 1, of 3 present", "last touch 2, of 3 present"]


def test_give_reasons_names_ages_and_half_life():
    assert reasons("time_decay", half_life_days=7)[:2] == ["60 days before the last touch, half-life 7 days",
                                                           "30 days before the last touch, half-life 7 days"]
    partially = partial(MODELS["time_decay"], dialect="hubspot")
    assert give_reasons(FIVE, partially(FIVE), partially)[4] == "0 days before the last touch, half-life 7 days"


def test_give_reasons_counts_touches_or_salesforces_campaigns():
    assert reasons("linear") == ["1 of 5 touches"] * 5
    assert reasons("linear", dialect="salesforce")[1:3] == [
        "1 of 1 touches of the campaign, which is 1 of 4", "1 of 2 touches of the campaign, which is 1 of 4"]
    assert reasons("shapley") == reasons("linear", dialect="salesforce")
    assert reasons("first_touch", dialect="salesforce")[:2] == ["not the earliest joined membership",
                                                                "the earliest joined membership"]
    assert reasons("last_touch", dialect="salesforce")[1] == "the latest edited membership"


def test_give_reasons_gives_the_weight_where_the_model_is_the_callers_own():
    raw = np.array([1, 0, 0, 0, 0.5])
    assert give_reasons(FIVE, raw, lambda journeys: raw)[4] == "weight 0.5, of 1.5 present"
