"""What the study's sentences and figures say, of small tables whose answers can be read off."""

import json

import pandas as pd
import pytest

from attribution.language import speaking
from attribution.study import KINDS
from attribution.study_figures import plot_by_kind, plot_coverage, plot_totals, plot_truth
from attribution.study_sentences import (
    KIND_NAMES,
    label_study,
    say_advice,
    say_best,
    say_case,
    say_coverage,
    say_idle,
    say_made_up,
    say_noise,
    say_orders,
    say_regression,
    say_regret,
    say_repeated,
    say_silent,
    say_study,
    say_totals,
    title_case,
    title_coverage,
    title_idle,
    title_misplaced,
    title_study,
    title_totals,
    title_truth_order,
)


@pytest.fixture
def overall():
    return pd.DataFrame({"model": ["w_shaped", "first_touch", "equal_parts", "last_touch"],
                         "value": [0.33, 0.34, 0.5, 0.52], "is_tie": [True, True, False, False]})


@pytest.fixture
def summary():
    """Two kinds and models: the means of each model over the kinds can be added up in the head."""
    return pd.DataFrame({
        "kind": ["reference", "reference", "reference", "retargeting", "retargeting"],
        "model": ["linear", "last_touch", "equal_parts", "linear", "last_touch"],
        "misplaced_share": [0.2, 0.4, 0.9, 0.4, 0.5], "idle_share": [0.1, 0.2, 0.9, 0.3, 0.44],
        "rank_correlation": [0.7, 0.3, None, 0.5, 0.1], "held_share": [0.6, 0.7, None, 0.4, 0.9],
        "regret_share": [0.1, 0.4, None, 0.1, 0.5], "error": [100.0, 200.0, 900.0, 300.0, 400.0],
        "error_realised": [150.0, 250.0, 900.0, 350.0, 450.0], "realised_share": [0.2, 0.2, 0.2, 0.4, 0.4]})


@pytest.fixture
def credit():
    return pd.DataFrame({
        "kind": "retargeting", "seed": [2, 1, 1, 1], "model": ["linear", "linear", "linear", "last_touch"],
        "campaign_name": ["Ad", "Ad <b>", "Fair", "Ad"], "credit": [9.0, 50.0, 40.0, 10.0],
        "credit_low": [8.0, 40.0, 15.0, None], "credit_high": [9.0, 70.0, 55.0, None],
        "expected": [0.0, 60.0, 5.0, 60.0]})


TOTALS = pd.DataFrame({"kind": ["weak_baseline", "strong_baseline", "reference"], "credit": [9.0, 40.0, 15.0],
                       "regression": [8.0, 24.0, 10.0], "caused_together": [10.0, 20.0, 10.0],
                       "times": [0.9, 2.0, 1.5], "regression_times": [0.8, 1.2, 1.0]})


def test_say_study_counts_companies_kinds_models_and_campaigns():
    study = pd.DataFrame({"kind": ["few"] * 4 + ["many"] * 2, "seed": [1, 1, 2, 2, 1, 1],
                          "model": ["linear", "equal_parts", "linear", "last_touch", "linear", "shapley"]})
    truth = pd.DataFrame({"kind": ["few"] * 4 + ["many"] * 3, "seed": [1, 1, 2, 2, 1, 1, 1]})
    assert say_study(study, truth) == (
        "3 companies (2 kinds of company) were simulated, each with 2 to 3 campaigns. 3 models shared the won deals "
        "by what the CRM's export tells. None saw the truth: what is lost when a campaign is switched off.")
    assert title_study(study) == "Which model to believe: 3 companies whose truth is known"


def test_say_best_names_the_nearest_its_ties_the_farthest_and_what_is_worse_than_no_model(overall):
    assert say_best(overall) == (
        "Over all kinds w_shaped is nearest to the truth: it puts 33\u00a0% of its credit at the wrong campaign. "
        "last_touch is farthest, with 52\u00a0%. Not to be told from the nearest: first_touch. To give every campaign "
        "the same would misplace 50\u00a0%. Worse than that, so worse than no model: last_touch.")
    better = say_best(overall.assign(value=[0.33, 0.34, 0.6, 0.52], is_tie=[True, False, False, False]))
    assert "Not to be told" not in better and better.endswith("the same would misplace 60\u00a0%.")
    assert title_misplaced(overall) == "Of the credit, 33\u00a0% to 52\u00a0% stands at the wrong campaign"


def test_say_advice_counts_where_one_model_stands_out():
    advice = pd.DataFrame({"kind": ["reference", "few_touches"], "ties": ["", "linear,u_shaped"],
                           "is_better": [True, False]})
    assert say_advice(advice) == (
        "One model alone is best in 1 of 2 kinds of company; in the others chance could explain who is first. No model "
        "beats giving each campaign the same beyond chance here: few touches.")
    assert "No model beats" not in say_advice(advice.head(1))


def test_sentences_of_measures_name_the_ends(summary):
    assert say_orders(summary) == (
        "In putting campaigns in order linear is best, with a rank correlation of 0.60 on average (1: the true order, "
        "0: chance); last_touch is worst, with 0.20.")
    assert say_coverage(summary) == (
        "The intervals of 95 % that rules, Shapley's and the Markov model have hold what a campaign is truly worth in "
        "50\u00a0% (linear) to 80\u00a0% (last_touch) of cases: they say how far the credit would move with other "
        "deals, not how far it is from the truth.")
    assert say_idle(summary) == (
        "By rules, Shapley's and the Markov model campaigns that cause nothing, or do harm, get 20\u00a0% (linear) to "
        "32\u00a0% (last_touch) of the credit on average, and up to 44\u00a0% (much retargeting, last_touch): being "
        "met by buyers is enough.")
    assert say_regret(summary) == (
        "To back a model's top five campaigns instead of the truly best five loses 10\u00a0% of what those cause with "
        "linear, 45\u00a0% with last_touch.")
    assert "err by €250 per campaign, against what it caused in that very company by €300." in say_noise(summary)
    assert "own truth, taken for the average, would misplace 30\u00a0%: it turns" in say_noise(summary)
    assert title_truth_order(summary) == "No model finds the true order; linear comes nearest"
    assert title_coverage(summary) == "Intervals of 95 % hold the truth in 65\u00a0% of cases on average"
    assert title_idle(summary) == "Campaigns that cause nothing, or do harm, get 26\u00a0% of the credit on average"


def test_the_regression_is_said_apart(summary):
    """It neither shares out what was touched, nor do its intervals say how the deals vary."""
    asked = summary[summary["model"] == "linear"].assign(model="hazard_each", held_share=0.84, idle_share=[0.6, 0.7])
    both = pd.concat([summary, asked])
    assert say_coverage(both).startswith(say_coverage(summary)) and say_idle(both).startswith(say_idle(summary))
    assert say_coverage(both).endswith(
        " Those of the regression ask for the truth itself, and hold it in this share of cases: regression by campaign "
        "84\u00a0%.")
    assert say_idle(both).endswith(" still gives them: regression by campaign 65\u00a0%.")


def test_say_silent_counts_the_companies_of_which_a_model_speaks():
    summary = pd.DataFrame({"kind": ["few", "many"] * 2, "model": ["linear"] * 2 + ["hazard"] * 2, "n_seeds": 50,
                            "n_judged": [50, 50, 43, 33]})
    assert say_silent(summary) == (
        "A model that has too little to go by and says nothing of a company counts there as giving every campaign the "
        "same: regression by channel, which speaks in 76 of 100.")
    assert say_silent(summary.head(2)) == "Every model says something of every company."


def test_say_totals_names_the_nearest_and_the_farthest():
    said = say_totals(TOTALS)
    assert "is 0.9 times what they caused together where it is nearest (few buy unprompted), and 2.0 times " in said
    assert say_regression(TOTALS).endswith(
        "sums to 0.8 (few buy unprompted) to 1.2 (many buy unprompted) times what all campaigns caused together.")
    assert title_totals(TOTALS) == "More is shared out than was caused in 2 of 3 kinds of company"


def test_say_case_names_the_worst_campaign_of_the_first_company(credit):
    assert say_case(credit, "linear") == "In company 1, linear errs most on Fair: €40 of credit, €5 in truth."
    assert title_case(credit.iloc[1:]) == "Credit against truth in one company: much retargeting, company 1"


def test_say_made_up_says_whom_the_made_up_world_favours():
    assert "The regression assumes much the same, which favours it here." in say_made_up()
    with speaking("fi"):
        assert "Regressio olettaa lähes samaa, mikä suosii sitä tässä." in say_made_up()


def test_say_repeated_counts_companies_and_figures():
    checked = pd.DataFrame({"kind": "few", "seed": [1, 1, 2], "model": ["a", "b", "a"], "n_equal": 12})
    assert say_repeated(checked) == "Made again just now: 2 companies. All 36 figures are those of the study's table."


def test_label_study_speaks_the_readers_language():
    advice = pd.DataFrame({"kind": ["long_cycle"], "best": ["linear"], "ties": ["equal_parts,last_touch"], "seed": [3]})
    assert label_study(advice).values.tolist() == [["long sales cycle", "linear", "the same to each, last_touch", "3"]]
    with speaking("fi"):
        assert label_study(advice).values.tolist() == [
            ["pitkä myyntisykli", "tasajako", "sama jokaiselle, viimeinen kosketus", "3"]]


def test_every_kind_has_a_name():
    assert set(KIND_NAMES) == set(KINDS)


def test_plot_by_kind_has_a_row_per_model_the_best_on_top(summary):
    figure = plot_by_kind(summary, "misplaced_share", "Title", ["linear", "last_touch", "equal_parts"])
    heat, = figure.data
    assert list(heat.y) == ["the same to each", "last_touch", "linear"] and list(heat.x) == [
        "reference", "much retargeting"]
    assert [list(row) for row in heat.z] == [[0.9, None], [0.4, 0.5], [0.2, 0.4]]
    assert heat.texttemplate == "%{z:.0%}"
    assert figure.layout.yaxis.tickvals == heat.y
    assert figure.layout.yaxis.ticktext == ("the same to<br>each", "last_touch", "linear")
    ranks = plot_by_kind(summary, "rank_correlation", "Title", ["linear"])
    assert ranks.data[0].texttemplate == "%{z:.2f}"


def test_plot_coverage_has_a_dot_for_each_model_that_has_intervals(summary):
    figure = plot_coverage(summary, "Title", ["linear", "last_touch", "equal_parts"])
    assert [(trace.name, list(trace.y), list(trace.x)) for trace in figure.data] == [
        ("reference", ["linear", "last_touch"], [0.6, 0.7]), ("much retargeting", ["linear", "last_touch"], [0.4, 0.9])]
    assert figure.layout.shapes[0].x0 == 0.95


def test_plot_totals_draws_both_bars_of_each_kind():
    figure = plot_totals(TOTALS, "Title", "EUR")
    assert [(trace.name, list(trace.x)) for trace in figure.data] == [
        ("credit shared out", [15.0, 40.0, 9.0]), ("regression by channel", [10.0, 24.0, 8.0]),
        ("caused by all together", [10.0, 20.0, 10.0])]


def test_plot_truth_draws_models_with_their_intervals_and_escapes_names(credit):
    figure = plot_truth(credit[credit["seed"] == 1], "Title", "EUR", ["linear", "last_touch"])
    line, linear, last = figure.data
    assert list(line.x) == list(line.y) == [5.0, 60.0]
    assert (list(linear.x), list(linear.y)) == ([60.0, 5.0], [50.0, 40.0])
    assert (list(linear.error_y.array), list(linear.error_y.arrayminus)) == ([20.0, 15.0], [10.0, 25.0])
    assert list(linear.text) == ["Ad &lt;b&gt;", "Fair"] and last.visible == "legendonly"
    assert len(json.dumps(figure.to_plotly_json(), default=list)) < 20_000
