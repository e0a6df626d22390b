"""Which model to believe: each model's credit against the known truth, on simulated companies of several kinds.

A company is simulated, written as its CRM's export and read through the front door; every model then says what each
campaign earned. The truth is what the campaign caused: the won money that is missing when it is switched off and every
random number stays the same. In one company that is noisy, since a few large deals decide; what a campaign is worth on
average is the mean over the other companies of its kind.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from attribution.agreement import Agreement
from attribution.agreement_file import read_agreement
from attribution.entries import build_entries
from attribution.funnel import build_conversions, build_pipeline
from attribution.hazard import build_exposure, counterfactual_credit, fit_hazard
from attribution.intervals import BOUNDS, Draws, bootstrap_credit, draw_markov, share_models
from attribution.journeys import build_journeys
from attribution.models import HALF_LIFE_DAYS
from attribution.path_models import markov
from attribution.paths import build_paths
from attribution.roi import report_models
from attribution.simulate import AGREEMENT, EXPORTED_AT, Company, simulate_company, won_without
from attribution.sources import read_crm
from attribution.sources.salesforce_export import campaign_ids, write_export
from attribution.tables import CRM, STUDY_FILES, TableError
from attribution.world import SAMPLE, Factors

N_ACCOUNTS, N_PEOPLE = 500, 3000
N_RESAMPLES, N_TOP = 500, 5
LOOKBACK_DAYS = 365
CHANNELS, LEAVES = 1, 2                              # depths of the study's tree
IDLE_SHARE = 0.01                                    # who caused less than this of all caused nothing worth seeing

#: Strong, weak, idle and harmful campaigns, and some that seek out companies already buying; read as world.PLAN is.
PLAN = """
Search : Advertisement
  Search Ads
    Search: condition monitoring | 2024-11 2026-12 | anyone .30 .40 | .70 .20 .20 .026 .06 | 95000
    Search: own name | 2024-11 2026-12 | anyone .25 .40 | .60 .05 .04 .003 .00 | 50000
    Search: free tools | 2025-01 2026-10 | anyone .25 .40 | .60 .02 .00 -.010 -.12 | 46000
Content : Other
  Guides
    Guide: maintenance handbook | 2024-11 2026-12 | anyone .32 .42 | .90 .18 .18 .024 .08 | 33000
    Calculator: cost of downtime | 2025-03 2026-12 | anyone .28 .40 | .85 .20 .24 .034 .10 | 25000
    Report: state of maintenance | 2025-02 2026-06 | anyone .28 .40 | .85 .06 .05 .004 .00 | 43000
    Blog: ask the engineer | 2024-11 2026-12 | anyone .30 .36 | .25 .00 .00 .000 .00 | 12000
Mail : Email
  Nurture
    E-mail: downtime stories | 2025-01 2026-09 | known .45 .36 | .00 .14 .14 .020 .02 | 15000
    E-mail: weekly digest | 2025-01 2026-11 | known .50 .30 | .00 .00 .00 .000 .00 | 21000
    E-mail: sawmill case | 2025-01 2026-11 | deals .60 .42 | .00 .00 .00 .000 .12 | 22000
Events : Trade Show
  Fairs And Dinners
    Stand: Tampere | 2025-09 2025-09 | anyone .18 .55 | .90 .22 .24 .034 .10 | 123000
    Stand: Riga | 2025-05 2025-05 | anyone .16 .50 | .85 .04 .03 .002 .00 | 89000
    Dinner: Helsinki | 2025-03 2026-10 | deals .55 .45 | .00 .00 .00 .000 .32 | 54000
Retargeting : Banner Ads
  Display
    Banner: ready to talk | 2025-01 2026-12 | deals .70 .60 | .40 .00 .00 .000 .00 | 75000
    Banner: customer quotes | 2025-03 2026-12 | deals .60 .50 | .40 .00 .00 .000 .01 | 68000
"""
RETARGETING = PLAN + """\
    Banner: still comparing | 2024-12 2026-12 | deals .80 .60 | .40 .00 .00 .000 .00 | 71000
    Banner: book a demo | 2025-01 2026-12 | deals .75 .60 | .40 .00 .00 .000 .00 | 66000
    Video: a day at the plant | 2025-01 2026-11 | deals .70 .55 | .40 .00 .00 .000 .00 | 52000
    Banner: last chance | 2025-04 2026-12 | deals .70 .60 | .40 .00 .00 .000 .00 | 49000
"""
#: Each kind of company: what sets it apart, and its campaigns.
KINDS: dict[str, tuple[Factors, str]] = {
    "reference": (SAMPLE, PLAN), "short_cycle": (Factors(cycle=0.4), PLAN), "long_cycle": (Factors(cycle=2.0), PLAN),
    "few_touches": (Factors(reach=0.35), PLAN), "many_touches": (Factors(reach=2.2), PLAN),
    "weak_baseline": (Factors(baseline=0.25), PLAN), "strong_baseline": (Factors(baseline=3.0), PLAN),
    "retargeting": (SAMPLE, RETARGETING)}


@dataclass(frozen=True)
class Case:
    """A simulated company as its CRM's export tells of it."""

    crm: CRM
    agreement: Agreement
    entries: pd.DataFrame
    conversions: pd.DataFrame
    journeys: pd.DataFrame
    draws: Draws                                     # what the kit's models share out, and that drawn anew


#: A model takes a case and gives campaign_id and credit, and credit_low and credit_high if it knows how sure it is.
Estimate = Callable[[Case], pd.DataFrame]


def make_company(kind: str, seed: int, n_accounts: int = N_ACCOUNTS, n_people: int = N_PEOPLE) -> Company:
    """Simulate a company of a kind.

    Raises ValueError when there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: {kind!r} is not one of {', '.join(KINDS)}")
    factors, plan = KINDS[kind]
    return simulate_company(seed, n_accounts, n_people, plan, factors)


def read_case(company: Company) -> Case:
    """Write a company's export and read it through the front door, as of the day of the export."""
    with tempfile.TemporaryDirectory() as folder:
        write_export(company.tables, folder, EXPORTED_AT, "data_export")
        Path(folder, "agreement.toml").write_text(AGREEMENT, encoding="utf-8")
        agreement = read_agreement(folder)
        crm = read_crm(folder, agreement)
    entries = build_entries(crm, agreement)
    conversions = build_conversions(entries, crm.opportunities, crm.contact_roles, stage=agreement.won_stage)
    journeys = build_journeys(crm.touches, conversions, crm.contact_roles, lookback_days=LOOKBACK_DAYS,
                              time_zone=agreement.time_zone)
    pipeline = build_pipeline(entries, crm.opportunities, crm.contact_roles, as_of=crm.as_of,
                              time_zone=agreement.time_zone)
    paths = build_paths(crm.touches, conversions, crm.contact_roles, as_of=crm.as_of, lookback_days=LOOKBACK_DAYS,
                        time_zone=agreement.time_zone, pipeline=pipeline)
    return Case(crm, agreement, entries, conversions, journeys, _draw(crm, conversions, journeys, paths))


def _draw(crm: CRM, conversions: pd.DataFrame, journeys: pd.DataFrame, paths: pd.DataFrame) -> Draws:
    """Let the kit's own models share the deals, each drawn anew by account, as a report does."""
    draws = bootstrap_credit(share_models(journeys, report_models(HALF_LIFE_DAYS["ours"])), conversions, crm.campaigns,
                             n_resamples=N_RESAMPLES)
    return draw_markov(draws, paths, journeys, markov(paths), conversions, n_resamples=N_RESAMPLES)


def _drawn(case: Case, model: str) -> pd.DataFrame:
    number = case.draws.models.index(model)
    bounds = np.percentile(case.draws.money[number], BOUNDS, axis=1)
    low, high = np.where(case.draws.n_accounts[number] > 0, bounds, np.nan)
    return pd.DataFrame({"campaign_id": case.draws.nodes["campaign_id"], "credit": case.draws.credit[number],
                         "credit_low": low, "credit_high": high})


def _by_hazard(case: Case, depth: int) -> pd.DataFrame:
    """Take what the regression says would be lost without a campaign; nothing where it has too little to go by."""
    try:
        hazard = fit_hazard(build_exposure(case.crm, case.agreement), case.crm.campaigns, depth=depth)
    except TableError:
        return pd.DataFrame(columns=["campaign_id", "credit", "credit_low", "credit_high"])
    return counterfactual_credit(hazard).rename(columns={
        "caused_value": "credit", "caused_low": "credit_low", "caused_high": "credit_high"})


def _in_equal_parts(case: Case) -> pd.DataFrame:
    """Give every campaign that has any touch the same: what a model has to beat."""
    met = case.journeys["campaign_id"].dropna().unique()
    touched = case.conversions.loc[case.conversions["conversion_id"].isin(
        case.journeys.loc[case.journeys["n_touches"] > 0, "conversion_id"]), "value"].sum()
    return pd.DataFrame({"campaign_id": met, "credit": touched / max(len(met), 1)})


YARDSTICK = "equal_parts"
#: The measures by which a model that says nothing is judged as the yardstick is.
FILLED = ("error", "error_realised", "misplaced_share", "idle_share", "rank_correlation", "rank_correlation_realised",
          "regret_share")
#: Every model of the study; equal_parts is none, but what they all have to beat.
ESTIMATES: dict[str, Estimate] = {
    **{name: partial(_drawn, model=name) for name in (*report_models(HALF_LIFE_DAYS["ours"]), "markov")},
    "hazard": partial(_by_hazard, depth=CHANNELS), "hazard_each": partial(_by_hazard, depth=LEAVES),
    YARDSTICK: _in_equal_parts}


def estimate_credit(case: Case, campaign_id: Iterable[str],
                    estimates: dict[str, Estimate] = ESTIMATES) -> pd.DataFrame:
    """Ask every model what each campaign earned, up to the day of the export.

    Returns one row per model and campaign asked about: model, campaign_id, credit (0 where the model has none for it,
    blank where it has none for any), credit_low and credit_high (blank where it does not say).
    """
    asked, columns = list(campaign_id), ["credit", "credit_low", "credit_high"]
    said = [estimate(case).set_index("campaign_id").reindex(index=asked, columns=columns).rename_axis("campaign_id")
            .reset_index().assign(model=name) for name, estimate in estimates.items()]
    table = pd.concat([rows.fillna({"credit": 0.0}) if rows["credit"].notna().any() else rows for rows in said],
                      ignore_index=True)
    return table[["model", "campaign_id", *columns]].astype(dict.fromkeys(columns, float))


def measure_truth(company: Company) -> pd.DataFrame:
    """Measure what each campaign caused in a company, and what they all caused together.

    Returns one row per campaign without others below it: campaign_id, campaign_name, caused (money; negative where it
    did harm) and caused_together, the same in each row: what one campaign no longer brings another may, so that the
    campaigns' own do not add up to it.
    """
    leaves = company.world.campaigns[company.world.campaigns["rule"].ne("")].reset_index(drop=True)
    won = [won_without(company.world, frozenset(off), EXPORTED_AT)[1]
           for off in ([], leaves["campaign_id"], *leaves["campaign_id"].to_frame().to_numpy())]
    return pd.DataFrame({"campaign_id": campaign_ids(leaves["campaign_id"]), "campaign_name": leaves["campaign_name"],
                         "caused": np.round(won[0] - np.array(won[2:]), 2),
                         "caused_together": round(won[0] - won[1], 2)})


def study_company(kind: str, seed: int, n_accounts: int = N_ACCOUNTS, n_people: int = N_PEOPLE,
                  truth: pd.DataFrame | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Study one company of a kind.

    Returns what the models say of each campaign (estimate_credit) and what is true (measure_truth, unless `truth` of an
    earlier study has it), each with kind and seed, what they say also with n_deals, the deals won.
    """
    company = make_company(kind, seed, n_accounts, n_people)
    case = read_case(company)
    known = None if truth is None else truth[(truth["kind"] == kind) & (truth["seed"] == seed)].reset_index(drop=True)
    true = _number(measure_truth(company), kind, seed) if known is None or known.empty else known
    credit = estimate_credit(case, true["campaign_id"])
    credit.insert(0, "n_deals", len(case.conversions))
    return _number(credit, kind, seed), true


def _number(table: pd.DataFrame, kind: str, seed: int) -> pd.DataFrame:
    return pd.concat([pd.DataFrame({"kind": kind, "seed": seed}, table.index), table], axis=1)


def study_companies(kinds: Sequence[str], seeds: Sequence[int], *, map_with: Callable = map,
                    n_accounts: int = N_ACCOUNTS, n_people: int = N_PEOPLE,
                    truth: pd.DataFrame | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Study companies of several kinds, a seed each; a pool's map in map_with takes them on in parallel.

    Returns the table of judge_models, and what each campaign caused in each company.
    """
    work = pd.MultiIndex.from_product([kinds, seeds])
    study = partial(study_company, n_accounts=n_accounts, n_people=n_people, truth=truth)
    credit, truth = (pd.concat(tables, ignore_index=True) for tables in zip(
        *map_with(study, work.get_level_values(0), work.get_level_values(1)), strict=True))
    return judge_models(credit, truth), truth


def expect_truth(truth: pd.DataFrame) -> pd.DataFrame:
    """Add what each campaign is worth on average: the mean of what it caused in the other companies of its kind.

    Returns the rows with `expected`, blank where there is no other company of the kind.

    >>> truth = pd.DataFrame({"kind": "few", "seed": [1, 2, 3], "campaign_id": "ad", "caused": [9.0, 1.0, 3.0]})
    >>> expect_truth(truth)["expected"].tolist()
    [2.0, 6.0, 5.0]
    """
    caused = truth.groupby(["kind", "campaign_id"])["caused"]
    others = caused.transform("size") - 1
    return truth.assign(expected=((caused.transform("sum") - truth["caused"]) / others.where(others > 0)).round(2))


def judge_models(credit: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Hold what models say against what is true, company by company.

    Returns one row per kind, seed and model: n_deals; credit, all that the model gives to campaigns; caused, the sum of
    what they caused one by one, and caused_together; error, the mean over campaigns of |credit - expected truth|, and
    error_realised, of |credit - truth in that very company| (money); misplaced_share, the share of credit that would
    have to move to other campaigns for the shares to be those of the expected truth, and realised_share, the same of
    that very company's truth; idle_share, the share that went to campaigns which caused nothing worth seeing;
    rank_correlation (Spearman 1904) with the expected truth and rank_correlation_realised, 0 for a model that gives all
    the same; held_share, the share of the model's intervals that hold the expected truth, that of a campaign without
    credit being 0 to 0 (blank without any interval); regret_share, the share of what the truly best five campaigns
    cause that the model's best five do not, chosen blindly among those to which it gives the same. In shares credit
    below zero counts as zero. All of these are blank where a model says nothing.
    """
    judged = credit.merge(expect_truth(truth), on=["kind", "seed", "campaign_id"], validate="many_to_one")
    rows = [dict(zip(("kind", "seed", "model"), key, strict=True)) | _judge(rows)
            for key, rows in judged.groupby(["kind", "seed", "model"], sort=False)]
    return pd.DataFrame(rows)


def _judge(rows: pd.DataFrame) -> dict[str, float]:
    credit, expected = rows["credit"], rows["expected"]
    return {
        "n_deals": int(rows["n_deals"].iloc[0]), "credit": round(credit.sum(min_count=1), 2),
        "caused": round(rows["caused"].sum(), 2), "caused_together": rows["caused_together"].iloc[0],
        "error": round((credit - expected).abs().mean(), 2),
        "error_realised": round((credit - rows["caused"]).abs().mean(), 2),
        "misplaced_share": misplaced_share(credit, expected),
        "realised_share": misplaced_share(rows["caused"], expected), "idle_share": idle_share(credit, expected),
        "rank_correlation": _rank(credit, expected), "rank_correlation_realised": _rank(credit, rows["caused"]),
        "held_share": _held_share(rows), "regret_share": _regret(rows)}


def _held_share(rows: pd.DataFrame) -> float:
    is_without = rows["credit"].eq(0) & rows["credit_low"].notna().any()
    bounds = [rows[bound].mask(is_without & rows[bound].isna(), 0.0) for bound in ("credit_low", "credit_high")]
    is_known = bounds[0].notna() & rows["expected"].notna()
    return round(rows["expected"].between(*bounds)[is_known].mean(), 4)


def misplaced_share(credit: pd.Series, truth: pd.Series) -> float:
    """Measure the share of credit that stands at the wrong campaign: half the sum of the shares' differences.

    Credit below zero counts as zero, as does harm in the truth, so that the share is 0 to 1. Blank where nothing is
    above zero.

    >>> misplaced_share(pd.Series([50.0, 50.0, -10.0]), pd.Series([4.0, 1.0, -1.0]))
    0.3
    """
    credit, truth = credit.clip(lower=0), truth.clip(lower=0)
    if not (credit.sum() > 0 and truth.sum() > 0):
        return np.nan
    return round(float((credit / credit.sum() - truth / truth.sum()).abs().sum() / 2), 4)


def idle_share(credit: pd.Series, truth: pd.Series) -> float:
    """Measure the share of credit at campaigns that caused nothing worth seeing, or did harm.

    Credit below zero counts as zero. Blank where none is above zero.

    >>> idle_share(pd.Series([60.0, 20.0, -30.0]), pd.Series([100.0, 0.0, -5.0]))
    0.25
    """
    is_idle, credit = truth < IDLE_SHARE * truth.sum(), credit.clip(lower=0)
    if not (credit.sum() > 0 and truth.notna().all()):
        return np.nan
    return round(float(credit[is_idle].sum() / credit.sum()), 4)


def rank_correlation(one: pd.Series, other: pd.Series) -> float:
    """Correlate the ranks of two columns, equal values sharing theirs; blank where all of one are equal.

    >>> rank_correlation(pd.Series([1.0, 5.0, 9.0]), pd.Series([2.0, 8.0, 4.0]))
    0.5
    """
    return round(float(one.rank().corr(other.rank())), 4)


def _rank(credit: pd.Series, truth: pd.Series) -> float:
    return 0.0 if credit.nunique() == 1 and truth.notna().all() else rank_correlation(credit, truth)


def _regret(rows: pd.DataFrame) -> float:
    best, chosen = rows["expected"].nlargest(N_TOP).sum(), rows["credit"].nlargest(N_TOP)
    if not (best > 0 and len(chosen)):
        return np.nan
    surely, maybe = (rows.loc[is_in, "expected"] for is_in in (
        rows["credit"] > chosen.iloc[-1], rows["credit"] == chosen.iloc[-1]))
    return round(1 - (surely.sum() + (len(chosen) - len(surely)) * maybe.mean()) / best, 4)


def fill_silent(study: pd.DataFrame) -> pd.DataFrame:
    """Judge a model that says nothing of a company as if it gave every campaign the same there.

    That is what one would do without it; else a model that is silent where it is hard to say would be compared by the
    easier companies. Returns the study with those errors of equal_parts; credit and held_share stay blank.

    >>> study = pd.DataFrame({"kind": "few", "seed": 1, "model": ["hazard", "equal_parts"], "error": [np.nan, 7.0]})
    >>> fill_silent(study)["error"].tolist()
    [7.0, 7.0]
    """
    measures = [column for column in study if column in FILLED]
    equal = study[study["model"] == YARDSTICK].set_index(["kind", "seed"])[measures]
    instead = equal.reindex(pd.MultiIndex.from_frame(study[["kind", "seed"]])).set_axis(study.index)
    return study.assign(**study[measures].fillna(instead))


def summarise_study(study: pd.DataFrame) -> pd.DataFrame:
    """Average a study over its seeds; a model that says nothing of one counts as equal parts (fill_silent).

    Returns one row per kind and model, in the study's order: n_seeds, n_judged (those of which the model says
    anything) and the mean of every measure; of credit and held_share over those it says something of.
    """
    by = fill_silent(study).drop(columns="seed").groupby(["kind", "model"], sort=False)
    judged = study["error"].notna().groupby([study["kind"], study["model"]]).sum().rename("n_judged")
    return by.size().rename("n_seeds").to_frame().join(judged).join(by.mean()).reset_index()


def choose_models(study: pd.DataFrame, measure: str = "misplaced_share") -> pd.DataFrame:
    """Choose the best model for each kind of company, by the mean of a measure of error over the seeds.

    A model that says nothing of a company counts as equal parts there (fill_silent). The companies of a kind share
    nearly one expected truth, which is itself a mean over them: what it is off by is in no standard error here, so that
    a difference that is_tie denies is one against this truth, and surely less certain than 95 %.
    Returns one row per kind and model, the best first: value (the mean), difference (from the best, of the same seeds),
    difference_low and difference_high (95 %: 1.96 standard errors of the paired differences), is_best, is_tie (it
    cannot be told from the best: the interval holds 0).

    >>> study = pd.DataFrame({"kind": "few", "seed": [1, 2, 3] * 2, "model": ["linear"] * 3 + ["last_touch"] * 3,
    ...     "misplaced_share": [0.2, 0.3, 0.4, 0.4, 0.3, 0.8]})
    >>> choose_models(study)[["model", "value", "is_best", "is_tie"]].values.tolist()
    [['linear', 0.3, True, True], ['last_touch', 0.5, False, True]]
    """
    chosen = [_choose(kind, rows.pivot(index="seed", columns="model", values=measure))
              for kind, rows in fill_silent(study).groupby("kind", sort=False)]
    return pd.concat(chosen, ignore_index=True)


def choose_overall(study: pd.DataFrame, measure: str = "misplaced_share") -> pd.DataFrame:
    """Choose the best model over all kinds of companies, each kind and seed counting alike: choose_models as of one.

    Returns one row per model, the best first.
    """
    return _choose("", fill_silent(study).pivot(index=["kind", "seed"], columns="model", values=measure))


def _choose(kind: str, by_seed: pd.DataFrame) -> pd.DataFrame:
    means = by_seed.mean().dropna().sort_index().sort_values(kind="stable")
    by_seed = by_seed[means.index]
    differences = by_seed.sub(by_seed.iloc[:, 0], axis=0)
    mean, error = differences.mean(), 1.96 * differences.sem().fillna(np.inf)
    return pd.DataFrame({"kind": kind, "model": means.index, "value": means.round(4).to_numpy(),
                         "difference": mean.round(4).to_numpy(), "difference_low": (mean - error).round(4).to_numpy(),
                         "difference_high": (mean + error).round(4).to_numpy(), "is_best": np.arange(len(means)) == 0,
                         "is_tie": (mean - error <= 0).to_numpy()})


def advise(study: pd.DataFrame) -> pd.DataFrame:
    """Say which model to use when: for each kind of company, by the share of credit at the wrong campaign.

    Returns one row per kind: best and worst (models), best_share and worst_share, ties (the models, with commas, that
    cannot be told from the best), equal_share (of the same to each campaign), is_better (the best beats that beyond
    chance).
    """
    study = fill_silent(study)
    is_yardstick = study["model"] == YARDSTICK
    chosen = choose_models(study[~is_yardstick])
    ties = chosen[chosen["is_tie"] & ~chosen["is_best"]].groupby("kind")["model"].agg(",".join)
    best, worst = (chosen.drop_duplicates("kind", keep=end).set_index("kind") for end in ("first", "last"))
    equal = study[is_yardstick].groupby("kind")["misplaced_share"].mean().round(4)
    against = pd.concat([_choose(kind, _pairs(study, kind, best.loc[kind, "model"])) for kind in best.index])
    against = against[against["model"] == YARDSTICK].set_index("kind")
    return pd.DataFrame({
        "best": best["model"], "best_share": best["value"], "ties": ties.reindex(best.index, fill_value=""),
        "worst": worst["model"], "worst_share": worst["value"], "equal_share": equal.reindex(best.index),
        "is_better": ~against["is_tie"].reindex(best.index)}).reset_index()


def _pairs(study: pd.DataFrame, kind: str, model: str) -> pd.DataFrame:
    rows = study[(study["kind"] == kind) & study["model"].isin([model, YARDSTICK])]
    return rows.pivot(index="seed", columns="model", values="misplaced_share")


def sum_totals(study: pd.DataFrame) -> pd.DataFrame:
    """Set what the models hand out in all beside what the campaigns caused together.

    Returns one row per kind: credit (of every rule and the Markov model), regression (of the regression by channel) and
    caused_together (means over the seeds), times and regression_times, how many times the last each of the two is,
    over the companies of which it says anything.
    """
    sums = {"credit": _mean_sums(study, YARDSTICK), "regression": _mean_sums(study, "hazard")}
    means = pd.DataFrame({name: each["credit"] for name, each in sums.items()})
    times = {name: sums[of]["credit"] / sums[of]["caused_together"] for name, of in (
        ("times", "credit"), ("regression_times", "regression"))}
    return means.assign(caused_together=sums["credit"]["caused_together"]).round(2).assign(**times).reset_index()


def _mean_sums(study: pd.DataFrame, model: str) -> pd.DataFrame:
    said = study[(study["model"] == model) & study["credit"].notna()]
    means = said.groupby("kind")[["credit", "caused_together"]].mean()
    return means.reindex(pd.Index(study["kind"].unique(), name="kind"))


def choose_kinds(table: pd.DataFrame, kinds: str) -> pd.DataFrame:
    """Keep the rows of some kinds of company, named with commas between them, or of all.

    Raises ValueError for a kind that is not in the table.
    """
    wanted = list(table["kind"].unique()) if kinds == "all" else [kind.strip() for kind in kinds.split(",")]
    unknown = [kind for kind in wanted if kind not in set(table["kind"])]
    if unknown:
        raise ValueError(f"kinds: {unknown[0]!r} is not one of all, {', '.join(table['kind'].unique())}")
    return table[table["kind"].isin(wanted)].reset_index(drop=True)


def repeat_study(kind: str, seeds: str, truth: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make some companies of a kind again, seeds with commas between them, and judge the models on them.

    `truth` is the study's, of which the expected truth is taken.
    Returns the table of judge_models, and what the models say of each campaign beside its `expected` truth.
    Raises ValueError for seeds that are not in the study, or whose truth is another now.
    """
    numbers = _read_seeds(seeds, truth.loc[truth["kind"] == kind, "seed"])
    credit, now = (pd.concat(tables, ignore_index=True) for tables in zip(
        *[study_company(kind, seed) for seed in numbers], strict=True))
    then = now.merge(truth, on=["kind", "seed", "campaign_id"], how="left", suffixes=("", "_then"), validate="1:1")
    if not np.allclose(then["caused"], then["caused_then"], atol=0.01):
        raise ValueError(f"seeds: what campaigns caused in {kind} {seeds} is not what the study's table says. Make the "
                         "study again with python benchmarks/which_model.py")
    expected = expect_truth(truth)[["kind", "seed", "campaign_id", "campaign_name", "expected"]]
    return judge_models(credit, truth), credit.merge(expected, on=["kind", "seed", "campaign_id"], validate="m:1")


def _read_seeds(seeds: str, known: pd.Series) -> list[int]:
    wanted = [seed.strip() for seed in str(seeds).split(",")]
    unknown = [seed for seed in wanted if seed not in set(known.astype(str))]
    if unknown:
        raise ValueError(f"seeds: {unknown[0]!r} is none of the {known.nunique():,} seeds of this kind in the study")
    return [int(seed) for seed in dict.fromkeys(wanted)]


def check_repeated(again: pd.DataFrame, study: pd.DataFrame) -> pd.DataFrame:
    """Hold companies made again against the study's table.

    Returns one row per kind, seed and model made again: n_equal, the measures that are the same, of n_measures.
    Raises ValueError when any is not.
    """
    both = again.merge(study, on=["kind", "seed", "model"], how="left", suffixes=("", "_then"), validate="1:1")
    measures = [column for column in again if column not in ("kind", "seed", "model")]
    now, then = (both[[f"{column}{end}" for column in measures]].to_numpy(float) for end in ("", "_then"))
    is_equal = np.isclose(now, then, rtol=1e-6, atol=2e-4, equal_nan=True)
    if not is_equal.all():
        row, column = np.argwhere(~is_equal)[0]
        company = " ".join(map(str, both.loc[row, ["kind", "seed", "model"]]))
        raise ValueError(f"study: {measures[column]} of {company} is {now[row, column]:g} now and "
                         f"{then[row, column]:g} in the table. Make the study anew by benchmarks/which_model.py")
    return both[["kind", "seed", "model"]].assign(n_equal=is_equal.sum(axis=1), n_measures=len(measures))


def write_study(study: pd.DataFrame, truth: pd.DataFrame, folder: str | Path) -> list[Path]:
    """Write a study's two tables into a folder, rows in order.

    Returns the files.
    """
    order = {"kind": list(KINDS), "model": list(ESTIMATES)}
    paths = [Path(folder, name) for name in STUDY_FILES]
    for table, path in zip((study, truth), paths, strict=True):
        by = [column for column in ("kind", "seed", "model", "campaign_id") if column in table]
        rows = table.sort_values(by, key=lambda column: column.map(order[column.name].index)
                                 if column.name in order else column)
        rows.to_csv(path, index=False, lineterminator="\n")
    return paths


def read_study(folder: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a study's two tables from a folder.

    Returns the table of judge_models, and what each campaign caused. Raises TableError when there is no study.
    """
    paths = [Path(folder, name) for name in STUDY_FILES]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise TableError(f"{missing[0]}: there is no such file. Make the study with python benchmarks/which_model.py")
    return tuple(pd.read_csv(path) for path in paths)
