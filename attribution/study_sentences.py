"""What the study of the models found, in the reader's language: titles, findings, and names of models and kinds."""

from collections.abc import Iterable

import pandas as pd

from attribution.language import _, count, marked, money, number, percent
from attribution.study import YARDSTICK

#: What a reader sees of a kind of company and of a model; a model that is not listed is called by its own name.
KIND_NAMES = {
    "reference": marked("reference"), "short_cycle": marked("short sales cycle"),
    "long_cycle": marked("long sales cycle"), "few_touches": marked("few touches"),
    "many_touches": marked("many touches"), "weak_baseline": marked("few buy unprompted"),
    "strong_baseline": marked("many buy unprompted"), "retargeting": marked("much retargeting")}
MODEL_NAMES = {YARDSTICK: marked("the same to each"), "hazard": marked("regression by channel"),
               "hazard_each": marked("regression by campaign")}
#: What a column is called in the study's tables.
STUDY_NAMES = {
    "kind": "kind of company", "model": "model", "n_seeds": "companies",
    "n_judged": "of which it says anything", "n_deals": "deals won, mean",
    "credit": "credit", "caused": "caused, one by one", "caused_together": "caused together",
    "error": "error per campaign", "error_realised": "error, that company's truth",
    "misplaced_share": "at the wrong campaign", "realised_share": "at the wrong campaign, that company's truth",
    "idle_share": "to campaigns without effect",
    "rank_correlation": "rank correlation", "rank_correlation_realised": "rank correlation, that company's truth",
    "held_share": "intervals that hold the truth", "regret_share": "lost by following its top five",
    "best": "best model", "best_share": "best: at the wrong campaign", "ties": "not to be told from it",
    "worst": "worst model", "worst_share": "worst: at the wrong campaign",
    "equal_share": "the same to each: at the wrong campaign", "is_better": "best beats the same to each",
    "expected": "truth, expected", "seed": "company", "campaign_name": "campaign", "credit_low": "credit from",
    "credit_high": "credit to", "n_equal": "figures the same", "n_measures": "figures compared"}
#: What does not share out what was touched, but asks what was caused.
REGRESSIONS = ("hazard", "hazard_each")
STUDY_COLUMNS = ("kind", "model", "n_seeds", "n_judged", "error", "misplaced_share", "idle_share", "rank_correlation",
                   "held_share", "regret_share")


def name_model(model: str) -> str:
    """Name a model for the reader."""
    return _(MODEL_NAMES.get(model, model))


def name_kind(kind: str) -> str:
    """Name a kind of company for the reader."""
    return _(KIND_NAMES.get(kind, kind))


def label_study(table: pd.DataFrame) -> pd.DataFrame:
    """Give kinds and models in a study's table the names that a reader sees."""
    names = {"kind": name_kind, "model": name_model, "best": name_model, "worst": name_model, "ties": _name_ties,
             "seed": str}
    return table.assign(**{column: table[column].map(name) for column, name in names.items() if column in table})


def _name_ties(models: str) -> str:
    return _name_models(filter(None, models.split(",")))


def _name_models(models: Iterable[str]) -> str:
    return ", ".join(map(name_model, models))


def title_study(study: pd.DataFrame) -> str:
    """Title the study with how much it rests on."""
    n = len(study[["kind", "seed"]].drop_duplicates())
    return _("Which model to believe: {companies} whose truth is known").format(
        companies=count(n, "company", "companies"))


def say_study(study: pd.DataFrame, truth: pd.DataFrame) -> str:
    """Say what was done: how many companies, kinds, models and campaigns."""
    n_campaigns = truth.groupby(["kind", "seed"]).size()
    said = _("{companies} ({kinds}) were simulated, each with {low} to {high} campaigns. {n} models shared the won "
             "deals by what the CRM's export tells. None saw the truth: what is lost when a campaign is switched off.")
    return said.format(companies=count(len(n_campaigns), "company", "companies"),
                       kinds=count(study["kind"].nunique(), "kind of company", "kinds of company"),
                       low=number(n_campaigns.min()), high=number(n_campaigns.max()),
                       n=number(len(set(study["model"]) - {YARDSTICK})))


def say_best(overall: pd.DataFrame) -> str:
    """Say which model is best over all kinds, which cannot be told from it, which is worst."""
    models = overall[overall["model"] != YARDSTICK]
    best, worst = models.iloc[0], models.iloc[-1]
    said = [_("Over all kinds {model} is nearest to the truth: it puts {share} of its credit at the wrong campaign. "
              "{worst} is farthest, with {worst_share}.").format(
        model=name_model(best["model"]), share=percent(best["value"]), worst=name_model(worst["model"]),
        worst_share=percent(worst["value"]))]
    ties = models[models["is_tie"]]["model"].iloc[1:]
    if len(ties):
        said.append(_("Not to be told from the nearest: {models}.").format(models=_name_models(ties)))
    return " ".join([*said, *_say_yardstick(overall)])


def _say_yardstick(overall: pd.DataFrame) -> list[str]:
    yardstick = overall[overall["model"] == YARDSTICK]
    if yardstick.empty:
        return []
    worse = overall.loc[(overall["value"] > yardstick["value"].iloc[0]), "model"]
    said = [_("To give every campaign the same would misplace {share}.").format(
        share=percent(yardstick["value"].iloc[0]))]
    if len(worse):
        said.append(_("Worse than that, so worse than no model: {models}.").format(models=_name_models(worse)))
    return said


def say_advice(advice: pd.DataFrame) -> str:
    """Say in how many kinds of company one model stands out, and where none beats giving each the same."""
    alone = advice[advice["ties"] == ""]
    said = [_("One model alone is best in {n} of {kinds}; in the others chance could explain who is first.").format(
        n=number(len(alone)), kinds=count(len(advice), "kind of company", "kinds of company"))]
    useless = advice.loc[~advice["is_better"].astype(bool), "kind"]
    if len(useless):
        said.append(_("No model beats giving each campaign the same beyond chance here: {kinds}.").format(
            kinds=", ".join(map(name_kind, useless))))
    return " ".join(said)


def say_silent(summary: pd.DataFrame) -> str:
    """Say how a model is judged where it says nothing, and how often that is."""
    sums = summary.groupby("model", sort=False)[["n_judged", "n_seeds"]].sum()
    sums = sums[sums["n_judged"] < sums["n_seeds"]]
    if sums.empty:
        return _("Every model says something of every company.")
    models = "; ".join(_("{model}, which speaks in {n} of {total}").format(
        model=name_model(model), n=number(n), total=number(total))
        for model, n, total in zip(sums.index, sums["n_judged"], sums["n_seeds"], strict=True))
    return _("A model that has too little to go by and says nothing of a company counts there as giving every "
             "campaign the same: {models}.").format(models=models)


def say_orders(summary: pd.DataFrame) -> str:
    """Say how well the models put campaigns in order."""
    means = _by_model(summary, "rank_correlation")
    return _("In putting campaigns in order {model} is best, with a rank correlation of {value} on average (1: the "
             "true order, 0: chance); {worst} is worst, with {worst_value}.").format(
        model=name_model(means.index[-1]), value=number(means.iloc[-1], 2), worst=name_model(means.index[0]),
        worst_value=number(means.iloc[0], 2))


def _by_model(summary: pd.DataFrame, measure: str) -> pd.Series:
    return summary[summary["model"] != YARDSTICK].groupby("model")[measure].mean().dropna().sort_values(kind="stable")


def _apart(means: pd.Series) -> tuple[pd.Series, pd.Series]:
    is_regression = means.index.isin(REGRESSIONS)
    return means[~is_regression], means[is_regression]


def _name_shares(means: pd.Series) -> str:
    return ", ".join(f"{name_model(model)} {percent(share)}" for model, share in means.items())


def say_coverage(summary: pd.DataFrame) -> str:
    """Say how often the intervals hold the truth, against the 95 % they promise."""
    rules, regressions = _apart(_by_model(summary, "held_share"))
    said = _("The intervals of 95 % that rules, Shapley's and the Markov model have hold what a campaign is truly "
             "worth in {low} ({lowest}) to {high} ({highest}) of cases: they say how far the credit would move with "
             "other deals, not how far it is from the truth.").format(
        low=percent(rules.iloc[0]), lowest=name_model(rules.index[0]), high=percent(rules.iloc[-1]),
        highest=name_model(rules.index[-1]))
    asked = _("Those of the regression ask for the truth itself, and hold it in this share of cases: {models}.")
    return " ".join([said, *[asked.format(models=_name_shares(regressions))] * bool(len(regressions))])


def say_totals(totals: pd.DataFrame) -> str:
    """Say how much more is shared out than all campaigns together caused."""
    low, high = (totals.loc[totals["times"].sort_values(kind="stable").index[end]] for end in (0, -1))
    said = _("Every rule, Shapley's and the Markov model share out all that campaigns touched. That is {low} times "
             "what they caused together where it is nearest ({low_kind}), and {high} times where it is farthest "
             "({high_kind}): part of the credit belongs to nobody, and no rule can say so.")
    return said.format(
        low=number(low["times"], 1), low_kind=name_kind(low["kind"]), high=number(high["times"], 1),
        high_kind=name_kind(high["kind"]))


def say_regression(totals: pd.DataFrame) -> str:
    """Say how near the regression's total comes to what all campaigns together caused."""
    low, high = (totals.loc[totals["regression_times"].sort_values(kind="stable").index[end]] for end in (0, -1))
    said = _("The regression leaves out what companies would have bought anyway: by channel it sums to {low} "
             "({low_kind}) to {high} ({high_kind}) times what all campaigns caused together.")
    return said.format(low=number(low["regression_times"], 1), low_kind=name_kind(low["kind"]),
                       high=number(high["regression_times"], 1), high_kind=name_kind(high["kind"]))


def say_idle(summary: pd.DataFrame) -> str:
    """Say how much credit goes to campaigns that caused nothing."""
    rules, regressions = _apart(_by_model(summary, "idle_share"))
    models = summary[~summary["model"].isin([YARDSTICK, *REGRESSIONS])]
    top = models.loc[models["idle_share"].idxmax()]
    said = _("By rules, Shapley's and the Markov model campaigns that cause nothing, or do harm, get {low} ({lowest}) "
             "to {high} ({highest}) of the credit on average, and up to {top} ({kind}, {model}): being met by buyers "
             "is enough.").format(
        low=percent(rules.iloc[0]), lowest=name_model(rules.index[0]), high=percent(rules.iloc[-1]),
        highest=name_model(rules.index[-1]), top=percent(top["idle_share"]), kind=name_kind(top["kind"]),
        model=name_model(top["model"]))
    asked = _("The regression, which compares those a campaign met with those it did not, still gives them: {models}.")
    return " ".join([said, *[asked.format(models=_name_shares(regressions))] * bool(len(regressions))])


def say_regret(summary: pd.DataFrame) -> str:
    """Say what following a model's top five campaigns loses."""
    means = _by_model(summary, "regret_share")
    return _("To back a model's top five campaigns instead of the truly best five loses {low} of what those cause with "
             "{best}, {high} with {worst}.").format(
        low=percent(means.iloc[0]), best=name_model(means.index[0]), high=percent(means.iloc[-1]),
        worst=name_model(means.index[-1]))


def say_noise(summary: pd.DataFrame) -> str:
    """Say how much of the error is the noise of one company's own truth."""
    means = summary[summary["model"] != YARDSTICK][["error", "error_realised", "realised_share"]].mean()
    return _("Against what a campaign is worth on average the models err by {expected} per campaign, against what it "
             "caused in that very company by {realised}. Even that company's own truth, taken for the average, would "
             "misplace {share}: it turns on a few large deals.").format(
        expected=money(means["error"], "EUR"), realised=money(means["error_realised"], "EUR"),
        share=percent(means["realised_share"]))


def say_case(credit: pd.DataFrame, model: str) -> str:
    """Say where a model errs most in one company."""
    rows = credit[(credit["model"] == model) & (credit["seed"] == credit["seed"].min())]
    most = rows.loc[(rows["credit"] - rows["expected"]).abs().idxmax()]
    return _("In company {seed}, {model} errs most on {name}: {credit} of credit, {truth} in truth.").format(
        seed=most["seed"], model=name_model(model), name=most["campaign_name"], credit=money(most["credit"], "EUR"),
        truth=money(most["expected"], "EUR"))


def say_repeated(checked: pd.DataFrame) -> str:
    """Say that companies made again gave the figures of the study's table."""
    companies = count(len(checked[["kind", "seed"]].drop_duplicates()), "company", "companies")
    return _("Made again just now: {companies}. All {n} figures are those of the study's table.").format(
        companies=companies, n=number(checked["n_equal"].sum()))


def say_made_up() -> str:
    """Say what the study cannot say."""
    return _("The companies are made up, and so is how campaigns work in them: a response leaves interest that decays "
             "and adds to the pace of every later step. The regression assumes much the same, which favours it here. A "
             "company in which campaigns work in another way may rank the models in another way. What holds more "
             "widely is where they fail together.")


def title_misplaced(overall: pd.DataFrame) -> str:
    """Title the figure of misplaced credit with its range."""
    models = overall[overall["model"] != YARDSTICK]["value"]
    return _("Of the credit, {low} to {high} stands at the wrong campaign").format(
        low=percent(models.min()), high=percent(models.max()))


def title_truth_order(summary: pd.DataFrame) -> str:
    """Title the figure of rank correlations with the best."""
    means = _by_model(summary, "rank_correlation")
    return _("No model finds the true order; {model} comes nearest").format(model=name_model(means.index[-1]))


def title_coverage(summary: pd.DataFrame) -> str:
    """Title the figure of coverage with how far it is from what is promised."""
    means = summary[summary["model"] != YARDSTICK]["held_share"].dropna()
    return _("Intervals of 95 % hold the truth in {share} of cases on average").format(share=percent(means.mean()))


def title_totals(totals: pd.DataFrame) -> str:
    """Title the figure of what is shared out and what was caused."""
    return _("More is shared out than was caused in {n} of {kinds}").format(
        n=number((totals["times"] > 1).sum()), kinds=count(len(totals), "kind of company", "kinds of company"))


def title_case(credit: pd.DataFrame) -> str:
    """Title the figure of one company."""
    row = credit.iloc[0]
    return _("Credit against truth in one company: {kind}, company {seed}").format(
        kind=name_kind(row["kind"]), seed=row["seed"])


def title_idle(summary: pd.DataFrame) -> str:
    """Title the figure of what goes to campaigns without effect with its mean over the models."""
    means = _by_model(summary, "idle_share")
    return _("Campaigns that cause nothing, or do harm, get {share} of the credit on average").format(
        share=percent(means.mean()))
