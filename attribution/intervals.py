"""Intervals: how much of what a campaign returned is chance, which ranks last, and what small campaigns borrow.

What varies is which accounts came to buy, and how many: each comes Poisson(1) times in a resample, with all that it
bought and every campaign that it met (the bootstrap of Efron 1979 with the Poisson frequencies of Hanley & MacGibbon
2006; by unit Chamandy, Muralidharan, Najmi & Naidu 2012). The interval says between what the same campaigns would have
been credited with, had another set of similar accounts bought, more or fewer. It is no causal interval: whether an
account would have bought anyway is not in it, nor is the choice of the model. Intervals are 95 % percentiles; how often
simulated ones hold the truth stands in benchmarks/README.md.
"""

from collections.abc import Mapping
from itertools import combinations
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from attribution.campaigns import build_ancestors, describe_tree
from attribution.credit import share_credit
from attribution.models import Model
from attribution.path_models import redraw_markov, share_by_effect
from attribution.roi import LEFT_OUT, UNATTRIBUTED, place_rest, with_rest
from attribution.tables import check_refs, find_rows, is_in, look_up, stack_rows, to_cents

LEAST_ACCOUNTS = 12                      # with fewer a campaign's interval holds the truth less than 90 % of the time
LEAST_IN_ALL = 10                        # the same for the sum of all campaigns, of which nobody's share varies
TOP = 5
BLOCK = 10_000                           # accounts drawn at a time
MOST_CAMPAIGNS = 300                     # chains of so many are solved a thousand times in a minute
BOUNDS = [2.5, 97.5]
_PAIRS = {"campaign_id": "str", "campaign_name": "str", "roi": float, "other_id": "str", "other_name": "str",
          "other_roi": float, "difference_low": float, "difference_high": float, "is_apart": bool}


class Draws(NamedTuple):
    """What every node of the tree was credited with under every model, as seen and again in every resample."""

    models: list[str]
    nodes: pd.DataFrame                  # by node: its place in the tree, and n_conversions that it touched
    above: csr_array                     # node x node: 1 where the second is the first or above it
    credit: np.ndarray                   # model x node: money with children, as seen
    money: np.ndarray                    # model x node x resample: the same, drawn again
    n_accounts: np.ndarray               # model x node: accounts that any of the money is from
    squares: np.ndarray                  # model x node: the sum of the squares of each account's money


def share_models(journeys: pd.DataFrame, models: Mapping[str, Model]) -> pd.DataFrame:
    """Share each conversion's value among its touches by several models.

    Returns the rows of share_credit once per model: model, conversion_id, campaign_id, credit.
    """
    parts = [share_credit(journeys, model)[["conversion_id", "campaign_id", "credit"]].assign(model=name)
             for name, model in models.items()]
    return stack_rows(parts, {"conversion_id": "str", "campaign_id": "str", "credit": float, "model": "str"}).astype(
        {"model": "str"})


def code_accounts(conversions: pd.DataFrame) -> tuple[np.ndarray, int]:
    """Number the accounts of conversions, those of one account alike: what chance draws together.

    Without an account the person stands for it, without both the conversion. Numbers follow the ids, so that the rows'
    order changes nothing. Returns each row's number, and how many accounts there are.

    >>> deals = pd.DataFrame({"conversion_id": ["d", "e", "f"], "account_id": ["b", "a", "b"], "person_id": None})
    >>> code_accounts(deals)[0].tolist()
    [1, 0, 1]
    """
    ids = ("account " + conversions["account_id"]).fillna("person " + conversions["person_id"]).fillna(
        "conversion " + conversions["conversion_id"])
    codes, accounts = pd.factorize(ids, sort=True)
    return codes, len(accounts)


def draw_weights(n_accounts: int, *, n_resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """Draw how often each account comes in each resample: account x resample, each Poisson(1) by itself.

    So the number of accounts in a resample is chance, too; the accounts are drawn one after the other, so that those
    added at the end change nothing of those before. Hanley & MacGibbon 2006.

    >>> draw_weights(3, n_resamples=4).shape, round(float(draw_weights(100).mean()), 1)
    ((3, 4), 1.0)
    """
    return _draw_counts(n_accounts, n_resamples, seed).astype(float)


def _draw_counts(n_accounts: int, n_resamples: int, seed: int) -> np.ndarray:
    """Draw the weights in a byte each: of those who did not buy there are many."""
    rng, counts = np.random.default_rng(seed), np.empty((n_accounts, n_resamples), np.int8)
    for first in range(0, n_accounts, BLOCK):
        some = counts[first:first + BLOCK]
        some[:] = rng.poisson(1.0, some.shape)
    return counts


def bootstrap_credit(credits: pd.DataFrame, conversions: pd.DataFrame, campaigns: pd.DataFrame, *,
                     n_resamples: int = 1000, seed: int = 0, on_orphan: str = "leave_out") -> Draws:
    """Draw again, by account, what every node of the tree was credited with under every model.

    `credits` is what share_models returns for the conversions. One sparse product does it: what each account gave each
    node under each model, in whole cents, times how often the account is drawn; so the same rows in any order give the
    same bits, and in every resample the roots and what stands beside the tree sum to the accounts drawn.
    Returns Draws of the tree's nodes in reading order, then of "(left out of the tree)" and "(unattributed)".
    Raises TableError when credit is of a conversion that is not among the conversions.

    >>> credits = pd.DataFrame({"model": "linear", "conversion_id": ["d", "e"], "campaign_id": ["ad", None],
    ...                         "credit": [10.0, 5.0]})
    >>> deals = pd.DataFrame({"conversion_id": ["d", "e"], "account_id": ["acme", "beta"], "person_id": None})
    >>> tree = pd.DataFrame({"campaign_id": ["ad"], "parent_id": [None], "campaign_name": ["Ad"]}, dtype="str")
    >>> draws = bootstrap_credit(credits, deals, tree, n_resamples=99)
    >>> acme, beta = draw_weights(2, n_resamples=99)
    >>> np.array_equal(draws.money[0], [10 * acme, 0 * acme, 5 * beta])     # Ad, left out of the tree, unattributed
    True
    """
    check_refs(credits, "credit", "conversion_id", conversions["conversion_id"], "conversions",
               "Give the credit of these conversions")
    tree, ancestors = with_rest(describe_tree(campaigns, on_orphan), build_ancestors(campaigns, on_orphan))
    models, rows = credits["model"].drop_duplicates().tolist(), place_rest(credits, tree["campaign_id"])
    deal = find_rows(rows["conversion_id"], conversions["conversion_id"])
    (codes, n), n_nodes = code_accounts(conversions), len(tree)
    own = find_rows(rows["campaign_id"], tree["campaign_id"])
    model, above = find_rows(rows["model"], pd.Index(models)), _incidence(tree, ancestors)
    cells = _table(codes[deal] * len(models) + model, own, to_cents(rows["credit"]), (n * len(models), n_nodes)) @ above
    cells = cells.reshape(n, len(models) * n_nodes).tocsr()
    met = _table(deal, own, np.ones(len(rows)), (len(conversions), n_nodes)) @ above
    money = cells.T @ draw_weights(n, n_resamples=n_resamples, seed=seed)
    shape = len(models), n_nodes
    return Draws(models, tree.assign(n_conversions=_count(met)), above, _sum(cells).reshape(shape) / 100,
                 money.reshape(*shape, n_resamples) / 100, _count(cells).reshape(shape),
                 _sum(cells.power(2)).reshape(shape) / 100**2)


def _incidence(tree: pd.DataFrame, ancestors: pd.DataFrame) -> csr_array:
    below, above = (find_rows(ancestors[column], tree["campaign_id"]) for column in ("campaign_id", "ancestor_id"))
    return _table(below, above, np.ones(len(below)), (len(tree), len(tree)))


def _table(row: np.ndarray, column: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> csr_array:
    """Sum values by row and column, where there are any."""
    return csr_array((values.astype(float), (row, column)), shape=shape)


def _count(table: csr_array) -> np.ndarray:
    return np.bincount(table.nonzero()[1], minlength=table.shape[1])


def _sum(table: csr_array) -> np.ndarray:
    return np.asarray(table.sum(axis=0)).ravel()


def add_model(draws: Draws, model: str, campaign_ids: pd.Series, credit: np.ndarray, money: np.ndarray) -> Draws:
    """Add a model that shares the money out campaign by campaign, and was fitted anew in each resample.

    `credit` has the own money of each campaign (a null id: of none), `money` the same by resample, drawn with
    draw_weights. Returns the Draws with that model last. All accounts that a node got money from under any model stand
    behind its money, and none where the model says nothing of the node nor of what is below it; what single accounts
    gave is not known, so nothing can be pooled under this model.
    """
    placed = place_rest(pd.DataFrame({"campaign_id": campaign_ids}), draws.nodes["campaign_id"])["campaign_id"]
    row = find_rows(placed, draws.nodes["campaign_id"])
    ours = (_table(row, np.arange(len(row)), np.ones(len(row)), (len(draws.nodes), len(row))).T @ draws.above).T
    behind = np.where(ours.sum(axis=1) > 0, draws.n_accounts.max(axis=0, initial=0), 0)
    unknown = np.full(len(draws.nodes), np.nan)
    return draws._replace(
        models=[*draws.models, model], credit=np.vstack([draws.credit, ours @ credit]),
        money=np.concatenate([draws.money, (ours @ money)[None]]),
        n_accounts=np.vstack([draws.n_accounts, behind]), squares=np.vstack([draws.squares, unknown]))


def draw_markov(draws: Draws, paths: pd.DataFrame, journeys: pd.DataFrame, effects: pd.DataFrame,
                conversions: pd.DataFrame, *, n_resamples: int = 1000, seed: int = 0) -> Draws:
    """Add the Markov model: in each resample the chain is fitted anew, and the money shared by its effects.

    `effects` and `paths` are those of markov, `journeys` those whose money share_by_effect shares. The accounts that
    bought are drawn as for the other models, with their other paths; so are the accounts and people that did not buy,
    one by one, for the chain's failures are chance, too. Where none of the paths drawn converted, the chain is the one
    that was seen.
    Returns the Draws with model "markov" last; unchanged where it shares nothing, or where the campaigns are more than
    can be solved a thousand times.
    """
    shared = share_by_effect(journeys, effects)
    if not len(shared) or paths["campaign_id"].nunique() > MOST_CAMPAIGNS:
        return draws
    codes, n = code_accounts(conversions)
    ids, who = _code_paths(paths, conversions, codes, n)
    drawn = _draw_counts(max(who.max(initial=0) + 1, n), n_resamples, seed)
    effect = _draw_effects(shared["campaign_id"], paths, effects, pd.DataFrame(drawn[who], ids))
    is_touched = is_in(conversions["conversion_id"], journeys.loc[journeys["n_touches"] > 0, "conversion_id"])
    cents, bought = to_cents(conversions["value"]), drawn[codes].astype(float)
    touched, rest = (cents[which] @ bought[which] / 100 for which in (is_touched, ~is_touched))
    money = np.where(shared["campaign_id"].isna().to_numpy()[:, None], rest, effect / effect.sum(axis=0) * touched)
    return add_model(draws, "markov", shared["campaign_id"], shared["credit"].to_numpy(), money)


def _code_paths(paths: pd.DataFrame, conversions: pd.DataFrame, codes: np.ndarray,
                n: int) -> tuple[pd.Series, np.ndarray]:
    """Number whose each path is: as code_accounts numbers those that bought, and after them the others, by id."""
    ids = paths["conversion_id"].drop_duplicates()
    names = pd.concat([conversions["conversion_id"], "account:" + conversions["account_id"],
                       "person:" + conversions["person_id"]])
    who = look_up(ids, pd.Series(np.tile(codes, 3), names)[names.notna().to_numpy()].groupby(level=0).min())
    number = pd.factorize(ids[who.isna()], sort=True)[0]
    who = who.to_numpy(float, copy=True)
    who[np.isnan(who)] = n + number
    return ids, who.astype(np.int64)


def _draw_effects(campaign_ids: pd.Series, paths: pd.DataFrame, effects: pd.DataFrame,
                  weights: pd.DataFrame) -> np.ndarray:
    ids, drawn = redraw_markov(paths, weights)
    row = find_rows(campaign_ids, ids)
    effect = np.where(row[:, None] < 0, 0.0, np.clip(np.nan_to_num(drawn[row]), 0, None))
    seen = look_up(campaign_ids, effects.set_index("campaign_id")["removal_effect_value"]).fillna(0.0).clip(lower=0)
    return np.where(effect.sum(axis=0) > 0, effect, seen.to_numpy()[:, None])


def credit_intervals(draws: Draws, returns: pd.DataFrame) -> pd.DataFrame:
    """Put an interval on what every node was credited with and returned, under every model.

    `returns` gives what each node cost (campaign_roi's rows of the same conversions).
    Returns one row per model and node: model, campaign_id (null beside the tree), campaign_name, path, depth, is_leaf,
    n_conversions (touched, the same under every model), n_accounts (that the money is from), credit, credit_low,
    credit_high (money), cost, roi, roi_low, roi_high, is_thin (fewer than 12 accounts: the interval is too narrow), and
    for campaigns with none below top_five_share and top_five_roi_share: the share of resamples in which it is among
    the five with the most credit, or the highest ROI; of equal ones the lower id. A node without any money under a
    model has no interval there, and a ratio is blank where cost is blank or 0.
    """
    n_models, n_nodes = draws.credit.shape
    nodes = draws.nodes.assign(cost=_costs(draws, returns))
    low, high = np.percentile(draws.money, BOUNDS, axis=2).round(2)
    is_known, cost = draws.n_accounts > 0, nodes["cost"].where(nodes["cost"] > 0).to_numpy()
    money = {"credit": draws.credit.round(2), "credit_low": np.where(is_known, low, np.nan),
             "credit_high": np.where(is_known, high, np.nan)}
    figures = money | {name.replace("credit", "roi"): values / cost - 1 for name, values in money.items()} | {
        "n_accounts": draws.n_accounts, "is_thin": is_known & (draws.n_accounts < LEAST_ACCOUNTS),
        "top_five_share": _top_shares(draws, np.ones(n_nodes)), "top_five_roi_share": _top_shares(draws, cost)}
    rows = nodes.take(np.tile(np.arange(n_nodes), n_models)).reset_index(drop=True)
    rows.insert(0, "model", pd.Series(np.repeat(np.array(draws.models, object), n_nodes), rows.index, "str"))
    rows = rows.assign(**{name: values.ravel() for name, values in figures.items()})
    rows = rows[(rows["campaign_id"] != LEFT_OUT) | (rows["n_conversions"] > 0)].reset_index(drop=True)
    return rows.assign(campaign_id=rows["campaign_id"].mask(rows["campaign_id"].isin([LEFT_OUT, UNATTRIBUTED])))


def _costs(draws: Draws, returns: pd.DataFrame) -> pd.Series:
    ids = returns["campaign_id"].fillna(returns["campaign_name"])
    return look_up(draws.nodes["campaign_id"], returns["cost_with_children"].set_axis(ids)).astype(float)


def _top_shares(draws: Draws, cost: np.ndarray) -> np.ndarray:
    """Count, by model and node, the share of resamples in which a campaign earns among the most for its cost."""
    nodes = draws.nodes
    able = np.flatnonzero(nodes["is_leaf"] & ~nodes["campaign_id"].isin([LEFT_OUT, UNATTRIBUTED]) & ~np.isnan(cost))
    able = able[np.argsort(nodes["campaign_id"].to_numpy()[able])]
    shares = np.full(draws.credit.shape, np.nan)
    for share, money in zip(shares, draws.money, strict=True):
        share[able] = _is_top(money[able] / cost[able, None]).mean(axis=1) if len(able) else np.nan
    return shares


def _is_top(figures: np.ndarray) -> np.ndarray:
    """Find, in each column, the few largest above zero; of equal ones those in earlier rows."""
    last = max(len(figures) - TOP, 0)
    least = np.partition(figures, last, axis=0)[last]
    above, equal = figures > least, figures == least
    room = TOP - above.sum(axis=0)
    return (above | (equal & (equal.cumsum(axis=0) <= room))) & (figures > 0)


def rank_campaigns(intervals: pd.DataFrame, model: str) -> pd.DataFrame:
    """Rank the campaigns with none below by how surely they are among the five with the most credit under a model.

    Returns what credit_intervals says of those that ever are, by credit or by ROI, the surest first.
    """
    is_ever = (intervals[["top_five_share", "top_five_roi_share"]] > 0).any(axis=1)
    rows = intervals[is_ever & (intervals["model"] == model)].drop(columns="model")
    return rows.sort_values(["top_five_share", "top_five_roi_share", "campaign_id"], ascending=[False, False, True],
                            ignore_index=True)


def add_intervals(returns: pd.DataFrame, intervals: pd.DataFrame, model: str | None = None) -> pd.DataFrame:
    """Add to rows of returns their intervals under a model; without one, each under its own (returns_by_model).

    Returns the rows with credit_low, credit_high, roi_low, roi_high, n_accounts and is_thin; where they have longest,
    it leaves room for the intervals.
    """
    added = ["credit_low", "credit_high", "roi_low", "roi_high", "n_accounts", "is_thin"]
    of = intervals["model"] + "\x00" + intervals["campaign_id"].fillna(intervals["campaign_name"])
    models = returns["model"] if model is None else pd.Series(model, returns.index, "str")
    ids = models + "\x00" + returns["campaign_id"].fillna(returns["campaign_name"])
    found = {column: look_up(ids, intervals[column].set_axis(of)) for column in added}
    rows = returns.assign(**found | {"is_thin": found["is_thin"].eq(True)})
    if "longest" not in rows:
        return rows
    most = rows["credit_high"].groupby(rows["parent_id"].fillna("")).transform("max")
    return rows.assign(longest=rows["longest"].combine(most.fillna(0.0), max))


def compare_pairs(draws: Draws, rows: pd.DataFrame, model: str) -> pd.DataFrame:
    """Tell which of some campaigns (rows of returns) can be told apart by their ROI, pair by pair.

    Returns one row per pair with a cost and credit, the better first, the best pairs first: campaign_id, campaign_name,
    roi, other_id, other_name, other_roi, difference_low, difference_high (of the ROIs, drawn together), is_apart (that
    interval does not hold 0). The intervals of all pairs together hold at 95 %: each is that of a normal at 5 % / pairs
    (Bonferroni 1936), for so small a share of the draws says nothing.
    """
    known = rows[(rows["cost_with_children"] > 0) & (rows["credit_with_children"] > 0) & (model in draws.models)]
    known = known.sort_values(["roi", "campaign_id"], ascending=[False, True])
    n_pairs = max(len(known) * (len(known) - 1) // 2, 1)
    pairs, z = [], NormalDist().inv_cdf(1 - BOUNDS[0] / 100 / n_pairs)
    for one, other in combinations(known.to_dict("records"), 2):
        width = z * (_drawn_roi(draws, one, model) - _drawn_roi(draws, other, model)).std()
        low, high = one["roi"] - other["roi"] - width, one["roi"] - other["roi"] + width
        pairs.append([one["campaign_id"], one["campaign_name"], one["roi"], other["campaign_id"],
                      other["campaign_name"], other["roi"], low, high, low > 0])
    return pd.DataFrame(pairs, columns=list(_PAIRS)).astype(_PAIRS)


def _drawn_roi(draws: Draws, row: dict, model: str) -> np.ndarray:
    at = find_rows(pd.Series([row["campaign_id"]]), draws.nodes["campaign_id"])[0]
    return draws.money[draws.models.index(model), at] / row["cost_with_children"] - 1


def total_intervals(credit: pd.DataFrame, conversions: pd.DataFrame, cost: float, *, n_resamples: int = 1000,
                    seed: int = 0) -> pd.DataFrame:
    """Put an interval on what all campaigns together were credited with under one model, and what that returned.

    Returns one row per figure of a month's headline: figure (attributed_value, roi, roi_expected), low, high; blank
    where the money is of fewer than 10 accounts, too few to draw from, and a ratio where the cost is blank or 0.
    Raises TableError when credit is of a conversion that is not among the conversions.

    >>> credit = pd.DataFrame({"conversion_id": list("abcdefghijkl"), "campaign_id": "ad", "credit": 30.0})
    >>> deals = credit.assign(account_id=credit["conversion_id"], person_id=None)
    >>> total_intervals(credit, deals, 100.0)["low"].tolist()       # Poisson(12) is seldom less than six
    [180.0, 0.8, 0.8]
    """
    check_refs(credit, "credit", "conversion_id", conversions["conversion_id"], "conversions",
               "Give the credit of these conversions")
    mine = credit[credit["campaign_id"].notna()]
    codes, n = code_accounts(conversions)
    cents = np.bincount(codes[find_rows(mine["conversion_id"], conversions["conversion_id"])],
                        to_cents(mine["credit"]), minlength=n)
    drawn = cents @ draw_weights(n, n_resamples=n_resamples, seed=seed) / 100
    bounds = np.percentile(drawn, BOUNDS) if np.count_nonzero(cents) >= LEAST_IN_ALL else np.full(2, np.nan)
    ratios = bounds / (cost if cost > 0 else np.nan) - 1
    return pd.DataFrame([bounds.round(2), ratios, ratios], columns=["low", "high"]).assign(
        figure=["attributed_value", "roi", "roi_expected"])[["figure", "low", "high"]]


def pool_returns(draws: Draws, returns: pd.DataFrame, model: str) -> pd.DataFrame:
    """Let small campaigns borrow from those beside them: what each returned, drawn towards its parent by credibility.

    Credit per cost of the campaigns right below one, with Buhlmann & Straub's (1970) weights: Z = cost / (cost + K),
    K = s2 / tau2. s2, the variance of a campaign's own figure times its cost, is that of a compound Poisson sum: the
    family's credit per cost x the sum of squares / the sum of what each account gave each of its campaigns. tau2, the
    variance between the campaigns, is weigh_siblings'. What is borrowed is the parent's own pooled figure, of those of
    its children whose cost is known; at the roots that of all of them.
    Returns the rows of returns with pooled_roi, and pooling_weight (Z, 0-1: the weight on its own figure; an only
    child's is its parent's); blank where the cost is blank or 0.
    """
    squares = pd.Series(draws.squares[draws.models.index(model)] if model in draws.models else np.nan,
                        draws.nodes["campaign_id"])
    rows = returns[returns["campaign_id"].notna() & (returns["cost_with_children"] > 0)]
    rows = rows.assign(cost=rows["cost_with_children"], credit=rows["credit_with_children"],
                       squares=look_up(rows["campaign_id"], squares), family=rows["parent_id"].fillna(""))
    pooled, lent = pd.DataFrame({"pooled_roi": np.nan, "pooling_weight": np.nan}, returns.index), {}
    for (_depth, parent), family in rows.groupby(["depth", "family"]):
        together = family["credit"].sum() / family["cost"].sum()
        z_parent, borrowed = lent.get(parent, (1.0, together))
        z, borrowed = (_weigh_family(family, together), z_parent * together + (1 - z_parent) * borrowed) if (
            len(family) > 1) else (np.array([z_parent]), borrowed)
        pooled.loc[family.index] = np.column_stack([z * family["credit"] / family["cost"] + (1 - z) * borrowed - 1, z])
        lent |= {id: (weight, borrowed) for id, weight in zip(family["campaign_id"], z, strict=True)}
    return returns.assign(**pooled)


def _weigh_family(family: pd.DataFrame, rate: float) -> np.ndarray:
    credit = family["credit"].sum()
    variance = rate * family["squares"].sum(skipna=False) / credit if credit else 0.0
    return weigh_siblings(family["cost"].to_numpy(), (family["credit"] / family["cost"]).to_numpy(), variance)[0]


def pooled_most(pooled: pd.DataFrame, n: int = 15) -> pd.DataFrame:
    """Pick the campaigns with none below that pooling moves furthest, the highest ROI of their own first.

    >>> rows = pd.DataFrame({"campaign_id": list("ab"), "is_leaf": True, "roi": [0.0, 1.0], "pooled_roi": [0.2, 0.9]})
    >>> pooled_most(rows, n=1)["campaign_id"].tolist()
    ['a']
    """
    rows = pooled[pooled["is_leaf"] & pooled["pooled_roi"].notna()]
    moved = (rows["pooled_roi"] - rows["roi"]).abs().sort_values(ascending=False, kind="stable").index[:n]
    return rows.loc[moved].sort_values(["roi", "campaign_id"], ascending=[False, True], ignore_index=True)


def weigh_siblings(exposure: np.ndarray, rate: np.ndarray, variance: float) -> tuple[np.ndarray, float]:
    """Weigh each sibling's own rate against that of all, by how much it was exposed to (Buhlmann & Straub 1970).

    `variance` is s2, the variance of a rate times its exposure. Returns the weights Z, and tau2, the variance between
    the siblings: the unbiased estimate, 0 where chance alone scatters them as much.
    With w the exposures, x the rates and m their weighted mean: tau2 = (sum w (x - m)^2 - (n - 1) s2) / (sum w -
    sum w^2 / sum w), Z = w tau2 / (w tau2 + s2).

    >>> weigh_siblings(np.array([1.0, 1.0]), np.array([0.0, 4.0]), 2.0)
    (array([0.75, 0.75]), 6.0)
    """
    total = exposure.sum()
    scatter = (exposure * (rate - exposure @ rate / total) ** 2).sum() - (len(rate) - 1) * variance
    between = max(scatter / (total - exposure @ exposure / total), 0.0) if not np.isnan(scatter) else np.nan
    known = exposure * between + variance
    return np.divide(exposure * between, known, out=np.zeros(len(rate)), where=known != 0), float(between)
