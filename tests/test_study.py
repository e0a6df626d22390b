"""The study of the models: judged by hand on made-up numbers, and whole on companies of a few people."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy.stats import spearmanr

from attribution.credit import compare_models, share_credit
from attribution.models import MODELS
from attribution.simulate import EXPORTED_AT, won_without
from attribution.sources.salesforce_export import campaign_ids
from attribution.study import (
    ESTIMATES,
    KINDS,
    YARDSTICK,
    advise,
    check_repeated,
    choose_kinds,
    choose_models,
    choose_overall,
    estimate_credit,
    expect_truth,
    idle_share,
    judge_models,
    make_company,
    measure_truth,
    misplaced_share,
    rank_correlation,
    read_case,
    read_study,
    repeat_study,
    study_companies,
    sum_totals,
    summarise_study,
    write_study,
)
from attribution.tables import TableError

STUDY = Path(__file__).parents[1] / "benchmarks"
SMALL = {"n_accounts": 60, "n_people": 400}


@pytest.fixture(scope="module")
def company():
    return make_company("retargeting", 3, **SMALL)


@pytest.fixture(scope="module")
def case(company):
    return read_case(company)


@pytest.fixture
def truth():
    """Two campaigns in three companies of a kind: what each caused."""
    return pd.DataFrame({"kind": "few", "seed": [1, 1, 2, 2, 3, 3], "campaign_id": ["ad", "fair"] * 3,
                         "campaign_name": ["Ad", "Fair"] * 3, "caused": [50.0, 10.0, 70.0, 0.0, 80.0, 40.0],
                         "caused_together": [60.0, 60.0, 65.0, 65.0, 100.0, 100.0]})


@pytest.fixture
def credit():
    """One model that gives both the same in company 1, with an interval for each."""
    return pd.DataFrame({"kind": "few", "seed": 1, "n_deals": 9, "model": "linear", "campaign_id": ["ad", "fair"],
                         "credit": [60.0, 40.0], "credit_low": [50.0, 25.0], "credit_high": [70.0, 55.0]})


def test_expected_truth_is_the_mean_of_the_other_companies(truth):
    assert expect_truth(truth)["expected"].tolist() == [75.0, 20.0, 65.0, 25.0, 60.0, 5.0]
    assert expect_truth(truth[truth["seed"] == 1])["expected"].isna().all()


def test_judge_models_by_hand(credit, truth):
    row, = judge_models(credit, truth).to_dict("records")
    assert (row["kind"], row["seed"], row["model"], row["n_deals"]) == ("few", 1, "linear", 9)
    assert (row["credit"], row["caused"], row["caused_together"]) == (100.0, 60.0, 60.0)
    assert row["error"] == (15 + 20) / 2                     # 60 beside 75, 40 beside 20
    assert row["error_realised"] == (10 + 30) / 2            # 60 beside 50, 40 beside 10
    assert row["misplaced_share"] == round(75 / 95 - 0.6, 4)
    assert row["realised_share"] == round(50 / 60 - 75 / 95, 4)
    assert row["held_share"] == 0.0                          # 75 is above 70, 20 below 25
    assert (row["rank_correlation"], row["rank_correlation_realised"], row["regret_share"]) == (1.0, 1.0, 0.0)
    assert row["idle_share"] == 0.0


@pytest.mark.parametrize(("low", "high", "held"), [
    ([75.0, 25.0], [80.0, 55.0], 0.5), ([np.nan, 20.0], [np.nan, 30.0], 1.0), ([70.0, 10.0], [75.0, 20.0], 1.0)])
def test_coverage_counts_the_intervals_that_hold_the_truth(credit, truth, low, high, held):
    judged = judge_models(credit.assign(credit_low=low, credit_high=high), truth)
    assert judged["held_share"].tolist() == [held]


def test_coverage_counts_a_campaign_without_credit_as_nothing_to_nothing(credit, truth):
    """`fair` is worth 20, so that 0 to 0 does not hold it; where it is worth 0, it does."""
    unmet = credit.assign(credit=[60.0, 0.0], credit_low=[70.0, np.nan], credit_high=[80.0, np.nan])
    assert judge_models(unmet, truth)["held_share"].tolist() == [0.5]
    idle = truth.assign(caused=truth["caused"].mask(truth["campaign_id"] == "fair", 0.0))
    assert judge_models(unmet, idle)["held_share"].tolist() == [1.0]


def test_coverage_is_blank_without_an_interval(credit, truth):
    judged = judge_models(credit.assign(credit_low=np.nan, credit_high=np.nan), truth)
    assert judged["held_share"].isna().all()


def test_idle_share_is_what_campaigns_without_effect_get(credit, truth):
    idle = truth.assign(caused=truth["caused"].mask(truth["campaign_id"] == "fair", 0.5))    # 0.5 of 75.5: under 1 %
    assert judge_models(credit, idle)["idle_share"].tolist() == [0.4]


def test_regret_is_what_the_five_chosen_lack_of_the_five_best():
    names = list("abcdefg")
    truth = pd.DataFrame({"kind": "few", "seed": np.repeat([1, 2], 7), "campaign_id": names * 2, "campaign_name": "-",
                          "caused": [50.0, 40.0, 30.0, 20.0, 10.0, 0.0, -5.0] * 2, "caused_together": 100.0})
    credit = pd.DataFrame({"kind": "few", "seed": 1, "n_deals": 9, "model": "linear", "campaign_id": names,
                           "credit": [9.0, 1.0, 8.0, 7.0, 6.0, 5.0, 0.0], "credit_low": np.nan, "credit_high": np.nan})
    assert judge_models(credit, truth)["regret_share"].tolist() == [round(1 - 110 / 150, 4)]     # f in the place of b


def test_regret_of_the_same_to_each_is_that_of_choosing_blindly():
    """Of seven worth 145 together any five are worth 5/7 of that on average; where two stand out, 3/5 of the rest."""
    names = list("abcdefg")
    truth = pd.DataFrame({"kind": "few", "seed": np.repeat([1, 2], 7), "campaign_id": names * 2, "campaign_name": "-",
                          "caused": [50.0, 40.0, 30.0, 20.0, 10.0, 0.0, -5.0] * 2, "caused_together": 100.0})
    credit = pd.DataFrame({"kind": "few", "seed": 1, "n_deals": 9, "model": "linear", "campaign_id": names,
                           "credit": 3.0, "credit_low": np.nan, "credit_high": np.nan})
    row, = judge_models(credit, truth).to_dict("records")
    assert (row["regret_share"], row["rank_correlation"]) == (round(1 - 145 * 5 / 7 / 150, 4), 0.0)
    two = credit.assign(credit=[9.0, 3.0, 3.0, 3.0, 3.0, 3.0, 9.0])
    assert judge_models(two, truth)["regret_share"].tolist() == [round(1 - (50 - 5 + 100 * 3 / 5) / 150, 4)]


def test_shares_take_credit_below_zero_for_none():
    assert misplaced_share(pd.Series([1000.0, -990.0, 0.0]), pd.Series([1.0, 1.0, 1.0])) == round(2 / 3, 4)
    assert misplaced_share(pd.Series([6.0, 4.0]), pd.Series([6.0, -4.0])) == 0.4
    assert idle_share(pd.Series([5.0, -1.0]), pd.Series([9.0, 0.0])) == 0.0


def test_misplaced_share_is_blank_where_nothing_was_caused():
    assert np.isnan(misplaced_share(pd.Series([1.0, 1.0]), pd.Series([0.0, -2.0])))
    assert misplaced_share(pd.Series([1.0, 3.0]), pd.Series([3.0, 1.0])) == 0.5
    assert misplaced_share(pd.Series([2.0, 6.0]), pd.Series([1.0, 3.0])) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_rank_correlation_is_scipys(seed):
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 6, 15), rng.normal(size=15)
    assert rank_correlation(pd.Series(one), pd.Series(other)) == round(spearmanr(one, other).statistic, 4)


def test_rank_correlation_is_blank_where_all_are_equal():
    assert np.isnan(rank_correlation(pd.Series([2.0, 2.0]), pd.Series([1.0, 5.0])))


def made_study(**models):
    """A study of two kinds and four seeds each, in which a model has the same values in both."""
    rows = [(kind, seed, model, value) for kind in ("few", "many") for model, values in models.items()
            for seed, value in enumerate(values, 1)]
    return pd.DataFrame(rows, columns=["kind", "seed", "model", "misplaced_share"])


def test_choose_models_names_ties_within_noise():
    study = made_study(linear=[.2, .3, .4, .5], u_shaped=[.3, .2, .5, .44], last_touch=[.3, .42, .5, .6])
    chosen = choose_models(study)
    few = chosen[chosen["kind"] == "few"].set_index("model")
    assert few["is_best"].to_dict() == {"linear": True, "u_shaped": False, "last_touch": False}
    assert few["is_tie"].to_dict() == {"linear": True, "u_shaped": True, "last_touch": False}
    steps = np.array([.1, .12, .1, .1])                      # last_touch is so much worse, seed by seed
    error = 1.96 * steps.std(ddof=1) / 2
    assert few.loc["last_touch", ["value", "difference"]].tolist() == [0.455, 0.105]
    assert few.loc["last_touch", "difference_low"] == round(0.105 - error, 4) > 0
    assert few.loc["last_touch", "difference_high"] == round(0.105 + error, 4)


def test_one_company_alone_tells_no_model_from_another():
    assert choose_models(made_study(linear=[.2], last_touch=[.5]))["is_tie"].all()


def test_choose_overall_takes_every_kind_and_seed_alike():
    chosen = choose_overall(made_study(linear=[.2, .4], last_touch=[.5, .5]))
    assert chosen[["model", "value"]].values.tolist() == [["linear", 0.3], ["last_touch", 0.5]]


def test_advise_says_best_ties_worst_and_the_yardstick():
    study = made_study(linear=[.2, .3, .4, .5], u_shaped=[.3, .2, .5, .44], last_touch=[.3, .42, .5, .6],
                       equal_parts=[.4, .5, .6, .7])
    row = advise(study).set_index("kind").loc["many"]
    assert row[["best", "ties", "worst"]].tolist() == ["linear", "u_shaped", "last_touch"]
    assert row[["best_share", "worst_share", "equal_share"]].tolist() == [0.35, 0.455, 0.55]
    assert row["is_better"]


def test_advise_says_where_no_model_beats_the_yardstick():
    study = made_study(linear=[.2, .3, .4, .5], equal_parts=[.3, .2, .5, .44])
    assert not advise(study)["is_better"].any()


def test_a_model_that_says_nothing_counts_as_equal_parts():
    """Where it speaks alone, the regression would be best with .1; with .5 in the other company it is not."""
    study = made_study(linear=[.2, .3], hazard=[.1, np.nan], equal_parts=[.4, .5])
    chosen = choose_models(study)
    assert chosen[chosen["kind"] == "few"][["model", "value"]].values.tolist() == [
        ["linear", 0.25], ["hazard", 0.3], [YARDSTICK, 0.45]]
    assert choose_overall(study)["model"].tolist() == ["linear", "hazard", YARDSTICK]
    assert advise(study)[["best", "worst", "worst_share"]].values.tolist() == [["linear", "hazard", 0.3]] * 2
    summary = summarise_study(study.assign(error=study["misplaced_share"] * 10)).set_index(["kind", "model"])
    row = summary.loc[("few", "hazard")]
    assert row[["n_seeds", "n_judged", "misplaced_share", "error"]].tolist() == pytest.approx([2, 1, 0.3, 3.0])


def test_sum_totals_takes_the_regression_where_it_says_anything():
    study = pd.DataFrame({"kind": "few", "seed": [1, 2] * 2, "model": np.repeat(["hazard", YARDSTICK], 2),
                          "credit": [20.0, np.nan, 30.0, 50.0], "caused_together": [10.0, 30.0] * 2})
    assert sum_totals(study)[["times", "regression", "regression_times"]].values.tolist() == [[2.0, 20.0, 2.0]]


def test_sum_totals_sets_credit_beside_what_was_caused():
    study = pd.DataFrame({"kind": "few", "seed": [1, 2] * 3, "model": np.repeat(["linear", "hazard", YARDSTICK], 2),
                          "credit": [9.0, 9.0, 10.0, 40.0, 30.0, 50.0], "caused_together": [10.0, 30.0] * 3})
    assert sum_totals(study).to_dict("records") == [{
        "kind": "few", "credit": 40.0, "regression": 25.0, "caused_together": 20.0, "times": 2.0,
        "regression_times": 1.25}]


def test_summarise_study_averages_over_the_seeds():
    study = made_study(linear=[.2, .4], last_touch=[.5, .7])
    summary = summarise_study(study.assign(error=1.0))
    assert summary[["kind", "model", "n_seeds", "misplaced_share"]].round(9).values.tolist() == [
        ["few", "linear", 2, 0.3], ["few", "last_touch", 2, 0.6], ["many", "linear", 2, 0.3],
        ["many", "last_touch", 2, 0.6]]


def test_choose_kinds_keeps_those_named():
    study = made_study(linear=[.2])
    assert choose_kinds(study, "many")["kind"].tolist() == ["many"]
    assert choose_kinds(study, " many, few")["kind"].tolist() == ["few", "many"]
    assert_frame_equal(choose_kinds(study, "all"), study)
    with pytest.raises(ValueError, match="kinds: 'none' is not one of all, few, many"):
        choose_kinds(study, "none")


def test_every_model_and_no_other_is_asked():
    assert set(ESTIMATES) - {YARDSTICK} >= set(MODELS) - {"position_based"}


def test_truth_is_what_is_lost_by_switching_off(company):
    truth = measure_truth(company).set_index("campaign_id")
    leaves = company.world.campaigns[company.world.campaigns["rule"].ne("")]
    assert truth["campaign_name"].tolist() == leaves["campaign_name"].tolist() and len(truth) == 19
    worth = won_without(company.world, frozenset(), EXPORTED_AT)[1]
    for number in leaves["campaign_id"]:
        left = won_without(company.world, frozenset([number]), EXPORTED_AT)[1]
        assert truth.loc[campaign_ids([number])[0], "caused"] == pytest.approx(worth - left, abs=0.01)
    nobody = won_without(company.world, frozenset(leaves["campaign_id"]), EXPORTED_AT)[1]
    assert truth["caused_together"].unique().tolist() == pytest.approx([worth - nobody], abs=0.01)
    assert truth["caused_together"].iloc[0] > 0


def test_credit_is_the_kits_own_at_the_day_of_the_export(company, case):
    ids = measure_truth(company)["campaign_id"]
    credit = estimate_credit(case, ids)
    compared = compare_models(case.journeys)
    for model in set(MODELS) - {"position_based"}:
        ours = credit[credit["model"] == model].set_index("campaign_id")["credit"]
        theirs = compared[compared["model"] == model].set_index("campaign_id")["credit"].dropna()
        theirs = theirs[theirs.index.notna() & (theirs > 0)]
        assert ours.index.tolist() == ids.tolist() and len(theirs) > 0
        assert ours[ours > 0].to_dict() == pytest.approx(theirs.to_dict(), abs=0.01)
    equal = credit.loc[credit["model"] == YARDSTICK, "credit"]
    met = case.journeys["campaign_id"].dropna().nunique()
    linear = credit.loc[credit["model"] == "linear", "credit"].sum()
    assert equal.nunique() <= 2 and equal.max() == pytest.approx(linear / met)


def test_case_knows_every_deal_that_was_won(company, case):
    n_won, value = won_without(company.world, frozenset(), EXPORTED_AT)
    assert len(case.conversions) == n_won > 5 and case.conversions["value"].sum() == pytest.approx(value)


def test_intervals_are_those_of_accounts_drawn_anew(company, case):
    """The bounds of one campaign's credit, by a plain loop over the accounts drawn, each a Poisson(1) times."""
    campaign = case.journeys["campaign_id"].value_counts().index[0]
    shared = share_credit(case.journeys, "linear")
    account = case.conversions.set_index("conversion_id")["account_id"].sort_values()
    earned = shared[shared["campaign_id"] == campaign].groupby("conversion_id")["credit"].sum()
    by_account = earned.reindex(account.index, fill_value=0.0).groupby(account).sum()
    drawn = np.random.default_rng(0).poisson(1.0, (len(by_account), 500))
    sums = [sum(n * money for n, money in zip(times, by_account, strict=True)) for times in drawn.T]
    row = estimate_credit(case, [campaign], {"linear": ESTIMATES["linear"]}).iloc[0]
    assert row["credit"] == pytest.approx(by_account.sum())
    assert [row["credit_low"], row["credit_high"]] == pytest.approx(list(np.percentile(sums, [2.5, 97.5])))
    assert row["credit_low"] < row["credit"] < row["credit_high"]


def test_a_campaign_that_no_deal_met_has_no_credit_and_no_interval(company, case):
    ids = measure_truth(company)["campaign_id"]
    unmet = ids[~ids.isin(case.journeys["campaign_id"])]
    assert len(unmet) > 0
    rows = estimate_credit(case, ids).query("campaign_id in @unmet and not model.str.startswith('hazard')")
    assert (rows["credit"] == 0).all() and rows[["credit_low", "credit_high"]].isna().all(axis=None)


def test_the_regression_says_nothing_where_it_has_too_little_to_go_by():
    case = read_case(make_company("few_touches", 2, 20, 60))
    credit = estimate_credit(case, case.crm.campaigns["campaign_id"], {"hazard": ESTIMATES["hazard"]})
    assert len(credit) == 25 and credit[["credit", "credit_low", "credit_high"]].isna().all(axis=None)


def test_judge_models_leaves_blank_what_a_model_does_not_say(credit, truth):
    silent = credit.assign(credit=np.nan, credit_low=np.nan, credit_high=np.nan)
    row, = judge_models(silent, truth).to_dict("records")
    said = {"credit", "error", "error_realised", "misplaced_share", "idle_share", "rank_correlation",
            "rank_correlation_realised", "held_share", "regret_share"}
    assert {name for name, value in row.items() if value != value} == said


def test_a_study_runs_from_end_to_end_and_comes_back_from_its_files(tmp_path):
    study, truth = study_companies(["reference", "few_touches"], [1, 2], **SMALL)
    assert len(study) == 4 * len(ESTIMATES) and len(truth) == 4 * 15
    assert study["misplaced_share"].between(0, 2).sum() > 3 * len(ESTIMATES)
    shuffled = study.sample(frac=1, random_state=1), truth.sample(frac=1, random_state=1)
    for name, tables in (("one", (study, truth)), ("two", shuffled)):
        (tmp_path / name).mkdir()
        write_study(*tables, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    again, _truth = read_study(tmp_path / "one")
    assert_frame_equal(again, study, check_dtype=False)


def test_a_study_takes_the_truth_that_is_known(company):
    known = measure_truth(company).assign(kind="retargeting", seed=3, caused=7.0)
    _study, truth = study_companies(["retargeting"], [3, 4], truth=known, **SMALL)
    assert truth["seed"].tolist() == [3] * 19 + [4] * 19
    assert truth["caused"].eq(7.0).tolist() == [True] * 19 + [False] * 19


def test_read_study_says_what_is_missing(tmp_path):
    with pytest.raises(TableError, match=r"which_model\.csv: there is no such file. Make the study with python"):
        read_study(tmp_path)


def test_what_only_names_the_studys_files_does_not_load_it():
    code = "import attribution.inputs, sys; print({'attribution.study', 'scipy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_make_company_refuses_an_unknown_kind():
    with pytest.raises(ValueError, match="kind: 'big' is not one of reference, short_cycle"):
        make_company("big", 1)


@pytest.fixture(scope="module")
def committed():
    return read_study(STUDY)


def test_committed_study_is_whole(committed):
    study, truth = committed
    assert set(study["kind"]) == set(KINDS) and study["seed"].nunique() >= 50
    assert study.groupby("kind")["seed"].nunique().min() >= 50
    assert not study.duplicated(["kind", "seed", "model"]).any() and set(study["model"]) == set(ESTIMATES)
    assert study.groupby(["kind", "seed"]).size().eq(len(ESTIMATES)).all()
    assert study.groupby("kind")["n_deals"].mean().min() >= 60
    assert len(truth) == sum(15 + 4 * (kind == "retargeting") for kind in KINDS) * study["seed"].nunique()


def test_committed_study_is_what_a_fresh_computation_gives(committed):
    study, truth = committed
    again, credit = repeat_study("few_touches", "7, 7", truth)
    assert check_repeated(again, study)["n_equal"].tolist() == [13] * len(ESTIMATES)
    assert set(credit["model"]) == set(ESTIMATES) and credit["expected"].notna().all()
    one = again["model"].eq("linear") * 0.01
    with pytest.raises(ValueError, match=r"study: misplaced_share of few_touches 7 linear is 0\.\d+ now and 0\.\d+ in"):
        check_repeated(again.assign(misplaced_share=again["misplaced_share"] + one), study)


def test_the_command_writes_the_same_truth_again(committed, tmp_path):
    command = [sys.executable, STUDY / "which_model.py", "--seeds", "1", "--kinds", "long_cycle", "--out", tmp_path]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "1 companies in" in said and said.startswith(str(tmp_path / "which_model.csv"))
    study, truth = read_study(tmp_path)
    kept = committed[1].query("kind == 'long_cycle' and seed == 1").reset_index(drop=True)
    assert len(truth) == 15 and len(study) == len(ESTIMATES)
    assert_frame_equal(truth, kept)


def test_repeat_study_takes_one_seed_as_a_number_as_papermill_gives_it(committed):
    again, _credit = repeat_study("reference", 2, committed[1])
    assert again["seed"].unique().tolist() == [2] and len(again) == len(ESTIMATES)


def test_repeat_study_refuses_another_truth_and_unknown_seeds(committed):
    _study, truth = committed
    with pytest.raises(ValueError, match=re.escape("seeds: '0' is none of the 50 seeds of this kind in the study")):
        repeat_study("reference", "1, 0", truth)
    with pytest.raises(ValueError, match="what campaigns caused in reference 1 is not what the study's table says"):
        repeat_study("reference", "1", truth.assign(caused=truth["caused"] + 1))
