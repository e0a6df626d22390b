"""Data-driven models of whole paths: Markov removal effects, and Shapley values of the conversion rate."""

from dataclasses import dataclass
from math import factorial

import numpy as np
import pandas as pd
from scipy import linalg, sparse

from attribution.campaigns import build_ancestors, describe_tree
from attribution.frames import check_values, read_columns
from attribution.paths import OUTCOMES
from attribution.tables import TableError, find_rows, first_keys, look_up, to_cents

ORDERS = (1, 2, 3)
MAX_CAMPAIGNS = 12_000                               # a dense inverse of 1.2 GB
MAX_WORK, BATCH = 200_000_000, 8_000_000             # numbers per step of an iteration, and of them at a time
TOLERANCE = 1e-14
DIGITS = 12                                          # of an effect: the last ones differ between processors
BLOCK = 250                                          # rows at a time
DRAWS = 100                                          # of the chain at a time
MAX_PLAYERS = 20                                     # 2^20 coalitions
_COLUMNS = ("conversion_id", "campaign_id", "position", "n_touches", "value")
_NO_PATHS = pd.DataFrame({"conversion_id": pd.Series(dtype="str"), "campaign_id": pd.Series(dtype="str"),
                          "position": pd.Series(dtype=int), "n_touches": pd.Series(dtype=int),
                          "value": pd.Series(dtype=float), "outcome": pd.Series(dtype="str")})


def markov(paths, order: int = 1, on_too_many: str = "raise") -> pd.DataFrame:
    """Measure each campaign's removal effect: the share of conversions lost if every step to it led nowhere.

    `paths` are those of build_paths; journeys without an outcome all count as converted. Returns one row per campaign
    met, by id: n_paths that met it, n_converted of them, removal_effect (0-1, by count) and removal_effect_value (by
    money; both blank where nothing converted, and of a campaign that is too fresh; by money also where any path's value
    is below zero). Effects overlap and are never added
    up. No rows where the campaigns are too many to be solved, with on_too_many="leave_out".
    A path is a Markov chain of its last `order` campaigns, repeats kept; an open path counts its steps and has no end.
    A state from which no path has come to an end, there or further on, is too fresh: steps into it are left out.
    Removal in closed form, exact and without simulation: with N = (I - Q)^-1, a = s'N and b = N r for the start s and
    the conversions r, removing the states S of a campaign leaves p - a_S (N_SS)^-1 b_S of p = s'b. By money, r is the
    money with which the paths in a state convert. Of orders 2 and 3, whose states are many and whose steps are few, p
    and what remains of it are solved by Jacobi's iteration, to 1e-14.
    Raises ValueError for another order or too many states, TableError for paths that cannot be read.
    Anderl, Becker, von Wangenheim & Schumann 2016 (removal effect); Kemeny & Snell 1960 (fundamental matrix).

    >>> paths = pd.DataFrame({"conversion_id": [*"1112", *"33"], "campaign_id": [*"ABCA", *"BC"], "value": 1.0,
    ...     "position": [1, 2, 3, 1, 1, 2], "n_touches": [3, 3, 3, 1, 2, 2],
    ...     "outcome": ["converted"] * 3 + ["lost"] * 3})
    >>> markov(paths)["removal_effect"].round(9).tolist()
    [0.5, 1.0, 1.0]
    """
    walks = _leave_too_many(_read_walks(paths), on_too_many)
    chain = _build_chain(walks, order)
    own = [np.flatnonzero(chain.campaign == code) for code in range(len(walks.campaigns))]
    met = np.arange(len(walks.campaigns))
    return pd.DataFrame({"campaign_id": pd.Series(walks.campaigns, dtype="str"), **_count_met(walks, met, met),
                         **_name_effects(_removal_effects(chain, own))})


def markov_tree(paths, campaigns: pd.DataFrame, order: int = 1, on_orphan: str = "raise",
                on_too_many: str = "raise") -> pd.DataFrame:
    """Measure the removal effect of each campaign and of each subtree of the campaign tree.

    Returns one row per campaign that any path met, itself or below it, in the tree's reading order: its place in the
    tree (campaign_id, parent_id, campaign_name, depth, root_id, path, is_leaf), n_paths and n_converted of all with
    children, removal_effect and removal_effect_value of the campaign alone (0 where it was not met itself), and both
    `_with_children`: those of the whole subtree, which are not the sum of its children's. Blank where markov's are.
    Raises what markov and build_ancestors raise, and TableError when paths met a campaign that is not in the tree.
    """
    walks, ancestors = _leave_too_many(_read_walks(paths), on_too_many), build_ancestors(campaigns, on_orphan)
    chain = _build_chain(walks, order)
    tree = describe_tree(campaigns, on_orphan)
    code, node = _place_in_tree(walks, ancestors, tree, on_orphan)
    own = [np.flatnonzero(chain.campaign == each) for each in find_rows(tree["campaign_id"], walks.campaigns)]
    below = [np.flatnonzero(np.isin(chain.campaign, code[node == row])) for row in range(len(tree))]
    effects = _removal_effects(chain, own + below)
    rows = tree.assign(**_count_met(walks, code, node, len(tree)), **_name_effects(effects[:len(tree)]),
                       **_name_effects(effects[len(tree):], "_with_children"))
    return rows[rows["n_paths"] > 0].reset_index(drop=True)


def redraw_markov(paths, weights: pd.DataFrame) -> tuple[pd.Series, np.ndarray]:
    """Fit the chain of order 1 again and again, with some paths drawn more often and others less.

    `weights` has a row per path that is drawn, by conversion_id, and a column per draw; other paths count once in each.
    Returns the campaigns' ids, and their removal effect by money in each draw (blank where markov's would be).
    """
    walks = _read_walks(paths)
    n, n_draws = len(walks.campaigns), weights.shape[1]
    row = find_rows(walks.ids, weights.index)
    effects = np.empty((n, n_draws))
    for first in range(0, n_draws, DRAWS):
        some = weights.iloc[:, first:first + DRAWS].to_numpy(float)
        drawn = np.where(row[:, None] < 0, 1.0, some[row] if len(some) else 1.0)
        effects[:, first:first + DRAWS] = _effects_of_draws(walks, drawn)
    return pd.Series(walks.campaigns, dtype="str"), effects


def share_by_effect(journeys, effects: pd.DataFrame, by: str = "value") -> pd.DataFrame:
    """Share a period's attributed money among the campaigns that its journeys met, in proportion to removal effects.

    `effects` are what markov or markov_tree returns, of paths that may reach further back. Returns the columns of
    compare_models under model "markov": per campaign credit (whole cents, largest remainder, ties to the earlier id)
    and n_conversions, and with null campaign_id what no touch can claim. The sum is the conversions' value: it is
    conserved per period, not per conversion. A campaign whose effect is not known, too fresh or met before the paths
    begin, has no row: the others share the money. No rows where no campaign that was met has an effect.
    Raises ValueError when by is neither "value" nor "count", TableError for journeys that cannot be read.

    >>> journeys = pd.DataFrame({"conversion_id": "deal", "campaign_id": ["A", "B"], "position": [1, 2],
    ...     "n_touches": 2, "value": 100.0})
    >>> effects = pd.DataFrame({"campaign_id": ["A", "B"], "removal_effect": [0.2, 0.6], "removal_effect_value": 0.5})
    >>> share_by_effect(journeys, effects, by="count")["credit"].tolist()
    [25.0, 75.0]
    """
    if by not in ("value", "count"):
        raise ValueError(f"by: {by!r} is not one of value, count")
    column = {"value": "removal_effect_value", "count": "removal_effect"}[by]
    walks = _read_walks(journeys)
    effect = effects.set_index("campaign_id")[column].reindex(walks.campaigns).clip(lower=0).to_numpy(float)
    known = np.flatnonzero(~np.isnan(effect))
    if not effect[known].sum():
        return pd.DataFrame({"model": pd.Series(dtype="str"), "campaign_id": pd.Series(dtype="str"),
                             "credit": pd.Series(dtype=float), "n_conversions": pd.Series(dtype=np.int64)})
    cents = _split_cents(effect[known] / effect[known].sum(), int(walks.cents.sum()))
    rows = pd.DataFrame({"campaign_id": pd.Series(walks.campaigns[known], dtype="str"), "credit": cents / 100,
                         "n_conversions": _count_met(walks, known, np.arange(len(known)), len(known))["n_paths"]})
    if walks.n_untouched:
        rest = pd.DataFrame({"campaign_id": pd.Series([None], dtype="str"), "credit": walks.untouched_cents / 100,
                             "n_conversions": walks.n_untouched})
        rows = pd.concat([rows, rest], ignore_index=True)
    rows.insert(0, "model", pd.Series("markov", rows.index, "str"))
    return rows


def explain_effects(journeys: pd.DataFrame, conversion_id: str, effects: pd.DataFrame) -> pd.DataFrame:
    """Show the removal effect of each campaign that a conversion met: the chain gives no conversion's money to anybody.

    `effects` are what markov returns. Returns one row per touch of the conversion, in order: position, touch_id,
    campaign_id, person_id, touched_at, days_before, n_paths and n_converted of the campaign, removal_effect and
    removal_effect_value.
    Raises ValueError when there is no such conversion.
    """
    one = journeys[journeys["conversion_id"] == conversion_id].sort_values("position", ignore_index=True)
    if one.empty:
        raise ValueError(f"conversion_id: {conversion_id!r} is not in journeys")
    about = one[["position", "touch_id", "campaign_id", "person_id", "touched_at", "days_before"]]
    measures = ("n_paths", "n_converted", "removal_effect", "removal_effect_value")
    return about.assign(**{name: look_up(about["campaign_id"], effects.set_index("campaign_id")[name])
                           for name in measures})


def _split_cents(weight: np.ndarray, cents: int) -> np.ndarray:
    ideal = weight * abs(cents)
    whole = np.floor(ideal).astype(np.int64)
    order = np.lexsort((np.arange(len(weight)), -np.round(ideal - whole, 6)))
    whole[order[:abs(cents) - whole.sum()]] += 1
    return np.sign(cents) * whole


def shapley_rates(paths) -> pd.DataFrame:
    """Give each campaign its Shapley value in the conversion rate, by all coalitions.

    The worth of a coalition is the share that converted of the ended paths whose campaigns all lie within it, 0 where
    there are none; open paths have no part. Returns one row per campaign, by id: shapley (0-1, may be negative; they
    sum to the rate of all paths), standard_error (0: nothing is sampled).
    Raises ValueError for more than 20 campaigns: climb to a higher level of the tree, or take sample_shapley_rates.
    Shapley 1953; as an attribution model Dalessandro et al. 2012.

    >>> paths = pd.DataFrame({"conversion_id": ["1", "1", "2", "3"], "campaign_id": [*"ABAB"], "value": 1.0,
    ...     "position": [1, 2, 1, 1], "n_touches": [2, 2, 1, 1], "outcome": [*["converted"] * 2, "lost", "lost"]})
    >>> shapley_rates(paths)["shapley"].round(9).tolist()
    [0.166666667, 0.166666667]
    """
    walks = _read_walks(paths)
    n = len(walks.campaigns)
    if n > MAX_PLAYERS:
        raise ValueError(f"paths: {n:,} campaigns make 2^{n} coalitions, more than can be counted exactly (at most "
                         f"{MAX_PLAYERS} campaigns). Climb to a higher level of the tree with climb_tree, or sample "
                         "orders with sample_shapley_rates")
    owner, code, is_converted = _players(walks)
    sets = np.bincount(owner, 2.0**code, len(is_converted)).astype(np.int64)
    worth = _divide(*(_sum_over_subsets(np.bincount(sets, weights, 2**n), n) for weights in (
        is_converted.astype(float), np.ones(len(sets)))))
    size = np.bitwise_count(np.arange(2**n)).astype(int)
    chance = np.array([factorial(k) * factorial(n - k - 1) / factorial(n) for k in range(n)])
    values = []
    for player in range(n):
        without = np.flatnonzero(~np.arange(2**n) >> player & 1)
        values.append((chance[size[without]] * (worth[without | 1 << player] - worth[without])).sum())
    return pd.DataFrame({"campaign_id": pd.Series(walks.campaigns, dtype="str"), "shapley": np.array(values),
                         "standard_error": 0.0})


def _sum_over_subsets(counts: np.ndarray, n: int) -> np.ndarray:
    """Sum, for each set of players, the counts of all sets that lie within it."""
    cube = counts.reshape((2,) * n)
    for axis in range(n):
        cube = np.cumsum(cube, axis=axis)
    return cube.ravel()


def sample_shapley_rates(paths, *, n_orders: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Estimate each campaign's Shapley value in the conversion rate from random orders of arrival.

    Returns the rows of shapley_rates, of any number of campaigns: shapley is the mean over the orders (they sum to the
    rate of all paths in every order), standard_error the standard error of that mean.
    Raises ValueError for fewer than 2 orders. Castro, Gómez & Tejada 2009.
    """
    if isinstance(n_orders, bool) or not isinstance(n_orders, int) or n_orders < 2:
        raise ValueError(f"n_orders: {n_orders!r} is not a whole number of orders from 2")
    walks = _read_walks(paths)
    owner, code, is_converted = _players(walks)
    n, rng, starts = len(walks.campaigns), np.random.default_rng(seed), np.flatnonzero(np.diff(owner, prepend=-1))
    sums, squares = np.zeros((2, n))
    for _ in range(n_orders):
        place = rng.permutation(n)
        last = np.maximum.reduceat(place[code], starts) if len(starts) else np.zeros(0, int)
        n_ended, n_won = (np.bincount(last, weights, n).cumsum() for weights in (None, is_converted.astype(float)))
        gain = np.diff(_divide(n_won, n_ended), prepend=0.0)[place]
        sums, squares = sums + gain, squares + gain**2
    mean = sums / n_orders
    spread = np.sqrt(np.maximum(squares / n_orders - mean**2, 0) / (n_orders - 1))
    return pd.DataFrame({"campaign_id": pd.Series(walks.campaigns, dtype="str"), "shapley": mean,
                         "standard_error": spread})


def _divide(part: np.ndarray | float, whole: np.ndarray, otherwise: float = 0.0) -> np.ndarray:
    shape = np.broadcast_shapes(np.shape(part), whole.shape)
    return np.divide(part, whole, out=np.full(shape, otherwise), where=whole > 0)


@dataclass(frozen=True)
class _Walks:
    """Touched paths as flat arrays, an element per touch, in order of path and position."""

    ids: pd.Series                                   # of the paths, by their number
    path: np.ndarray                                 # number of the path, rising
    code: np.ndarray                                 # of the campaign
    is_first: np.ndarray
    is_last: np.ndarray
    is_converted: np.ndarray                         # by path
    is_ended: np.ndarray                             # by path: converted or lost
    cents: np.ndarray                                # by path
    campaigns: pd.Index                              # what the codes mean, by id
    n_untouched: int
    untouched_cents: int

    @property
    def money(self) -> np.ndarray:
        """Give the cents, or nothing at all where any are below zero: a share of a sum with both signs is no share."""
        return self.cents * bool((self.cents >= 0).all())

    @property
    def numbers(self) -> np.ndarray:
        return np.arange(len(self.cents))


def _read_walks(frame) -> _Walks:
    rows = check_values(read_columns(frame, "paths", list(_COLUMNS), ["outcome"]), "paths")
    rows = rows if "outcome" in rows else rows.assign(outcome=OUTCOMES[0])
    rows = rows.assign(number=pd.factorize(rows["conversion_id"])[0])
    order = np.lexsort((rows["position"], rows["number"]))
    rows = rows.take(order)
    untouched, rows = rows[rows["n_touches"] == 0], rows[rows["n_touches"] > 0]
    _check_whole(rows)
    other = rows.loc[~rows["outcome"].isin(OUTCOMES), "outcome"]
    if len(other):
        raise TableError(f"paths: outcome is not one of {', '.join(OUTCOMES)} in {len(other):,} of {len(rows):,} rows "
                         f"({first_keys(other)}). Take build_paths.")
    is_first = (rows["position"] == 1).to_numpy()
    code, campaigns = pd.factorize(rows["campaign_id"], sort=True)
    is_last, outcome = (rows["position"] == rows["n_touches"]).to_numpy(), rows.loc[is_first, "outcome"]
    return _Walks(rows.loc[is_first, "conversion_id"], np.cumsum(is_first) - 1, code, is_first, is_last,
                  (outcome == "converted").to_numpy(), (outcome != "open").to_numpy(),
                  to_cents(rows["value"])[is_first], campaigns, len(untouched), int(to_cents(untouched["value"]).sum()))


def _check_whole(rows: pd.DataFrame) -> None:
    number, position = rows["number"].to_numpy(), rows["position"].to_numpy()
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    sizes = np.diff(starts, append=len(rows))
    is_whole = (position == np.arange(len(rows)) - np.repeat(starts, sizes) + 1) & (
        rows["n_touches"].to_numpy() == np.repeat(sizes, sizes)) & rows["campaign_id"].notna().to_numpy()
    broken = rows.loc[~is_whole, "conversion_id"]
    if len(broken):
        raise TableError(f"paths: rows are missing, repeated or without a campaign in {broken.nunique():,} paths "
                         f"({first_keys(broken)}). Take them from build_paths or build_journeys as they are.")


def _players(walks: _Walks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the distinct campaigns of each ended path (path, campaign), and say by path whether it converted."""
    is_ended = walks.is_ended[walks.path]
    number = np.cumsum(walks.is_ended) - 1
    pairs = np.unique(number[walks.path[is_ended]] * len(walks.campaigns) + walks.code[is_ended])
    owner, code = np.divmod(pairs, max(len(walks.campaigns), 1))
    return owner, code, walks.is_converted[walks.is_ended]


def _count_met(walks: _Walks, code: np.ndarray, node: np.ndarray, n_nodes: int | None = None) -> dict[str, np.ndarray]:
    """Count the paths, and the converted ones, that met any campaign of a node; `code` and `node` list who is where."""
    n_nodes, n_campaigns = len(walks.campaigns) if n_nodes is None else n_nodes, max(len(walks.campaigns), 1)
    pairs = np.unique(walks.path * n_campaigns + walks.code)
    place = sparse.csr_array((np.ones(len(code), np.int32), (code, node)), (n_campaigns, n_nodes))
    path, own = np.divmod(pairs, n_campaigns)
    met = sparse.csr_array((np.ones(len(own), np.int32), (path, own)), (len(walks.cents), n_campaigns)) @ place
    met.data[:] = 1
    return {"n_paths": met.sum(axis=0).astype(np.int64),
            "n_converted": (walks.is_converted.astype(np.int32) @ met).astype(np.int64)}


def _place_in_tree(walks: _Walks, ancestors: pd.DataFrame, tree: pd.DataFrame,
                   on_orphan: str) -> tuple[np.ndarray, np.ndarray]:
    """List under which nodes each campaign that was met stands: codes and rows of the tree."""
    met = walks.campaigns.to_series()
    lost = met[find_rows(met, tree["campaign_id"]) < 0]
    if len(lost) and on_orphan == "raise":
        raise TableError(f"paths: campaign_id not found in campaigns in {len(lost):,} of {len(met):,} campaigns "
                         f"({first_keys(lost)}). Export Campaign.csv again, with every campaign.")
    code = find_rows(ancestors["campaign_id"], walks.campaigns)
    return code[code >= 0], find_rows(ancestors["ancestor_id"], tree["campaign_id"])[code >= 0]


def _leave_too_many(walks: _Walks, on_too_many: str) -> _Walks:
    if on_too_many not in ("raise", "leave_out"):
        raise ValueError(f"on_too_many: {on_too_many!r} is not one of raise, leave_out")
    return _read_walks(_NO_PATHS) if on_too_many == "leave_out" and len(walks.campaigns) > MAX_CAMPAIGNS else walks


@dataclass(frozen=True)
class _Chain:
    """A Markov chain of the last campaigns met, fitted to paths."""

    steps: sparse.csr_array                          # Q: the chance of each next state
    ends: np.ndarray                                 # r: the chance of converting, and the money with it, by state
    start: np.ndarray                                # s: the chance of each first state
    campaign: np.ndarray                             # of each state: the last one met
    can_end: np.ndarray                              # by state: a path has come to an end, there or further on


def _build_chain(walks: _Walks, order: int) -> _Chain:
    if isinstance(order, bool | float) or order not in ORDERS:
        raise ValueError(f"order: {order!r} is not one of {', '.join(map(str, ORDERS))}")
    states, at = np.unique(_state_codes(walks, order), return_inverse=True)
    n = len(states)
    last, won = at[walks.is_last], walks.is_converted
    to = np.flatnonzero(~walks.is_first)
    steps = sparse.coo_array((np.ones(len(to)), (at[to - 1], at[to])), (n, n)).tocsr()
    ended = np.bincount(last, walks.is_ended, n)
    can_end = _can_end(steps, ended > 0)
    steps = steps @ sparse.diags_array(can_end.astype(float))
    share = 1 / np.maximum(steps.sum(axis=1) + ended, 1)
    ends = np.stack([np.bincount(last, weights, n) for weights in (won, won * walks.money)], axis=1)
    first = np.bincount(at[walks.is_first], minlength=n)
    return _Chain(sparse.diags_array(share) @ steps, ends * share[:, None], first / max(first.sum(), 1),
                  (states % (len(walks.campaigns) + 1) - 1).astype(np.int64), can_end)


def _effects_of_draws(walks: _Walks, drawn: np.ndarray) -> np.ndarray:
    """Solve the chains of several draws (path x draw) at once."""
    n, to, last, path = len(walks.campaigns), np.flatnonzero(~walks.is_first), walks.code[walks.is_last], walks.numbers
    ended, won = walks.is_ended, walks.is_converted
    steps = _add_up(walks.code[to - 1] * n + walks.code[to], walks.path[to], drawn, n * n).reshape(-1, n, n)
    ends = _add_up(last[ended], path[ended], drawn, n)
    money = _add_up(last[won], path[won], drawn * walks.money[:, None], n)
    start = _add_up(walks.code[walks.is_first], path, drawn, n)
    can_end = _can_end(steps, ends[:, :, None] > 0)[:, :, 0]
    steps = steps * can_end[:, None, :]
    share = _divide(1.0, steps.sum(axis=2) + ends)
    inverse = np.linalg.inv(np.eye(n) - steps * share[:, :, None])
    a, b = np.einsum("di,dij->dj", start, inverse), np.einsum("dij,dj->di", inverse, money * share)
    total = np.einsum("di,di->d", start, b)[:, None]
    return np.where(can_end, _divide(a * b / np.einsum("dii->di", inverse), total, np.nan), np.nan).T


def _add_up(cell: np.ndarray, path: np.ndarray, drawn: np.ndarray, size: int) -> np.ndarray:
    """Add up, by draw and cell, the weights of the paths that stand in it."""
    return (sparse.csr_array((np.ones(len(cell)), (cell, path)), (size, len(drawn))) @ drawn).T


def _state_codes(walks: _Walks, order: int) -> np.ndarray:
    """Number the last `order` campaigns of a path at each touch, the latest in the lowest digit."""
    base, codes, met = len(walks.campaigns) + 1, walks.code + 1, walks.code.astype(np.int64) + 1
    starts = np.maximum.accumulate(np.where(walks.is_first, np.arange(len(codes)), 0))
    for lag in range(1, order):
        row = np.arange(len(codes)) - lag
        met = met + np.where(row >= starts, codes[row], 0).astype(np.int64) * base**lag
    return met


def _can_end(steps: sparse.csr_array | np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Tell the states from which a path can come to an end: of open paths alone, some are all that is known."""
    reached = ends
    while True:
        more = reached | (steps @ reached.astype(float) > 0)
        if (more == reached).all():
            return reached
        reached = more


def _removal_effects(chain: _Chain, groups: list[np.ndarray]) -> np.ndarray:
    """Give the share of conversions, and of their money, that is lost without each group of states.

    Blank where the states of a group are all too fresh.
    """
    if not len(chain.start):                             # LAPACK complains of no rows at all, on the screen
        return np.full((len(groups), 2), np.nan)
    is_by_campaign = len(chain.start) == len(np.unique(chain.campaign))
    lost, total = (_lose_in_closed_form if is_by_campaign else _lose_by_iteration)(chain, groups)
    is_fresh = np.array([len(group) > 0 and not chain.can_end[group].any() for group in groups])
    return np.where(is_fresh[:, None], np.nan, _divide(lost, total, np.nan))


def _lose_in_closed_form(chain: _Chain, groups: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Factorise I - Q once, dense: with thousands of campaigns hardly a pair is never met."""
    if len(chain.start) > MAX_CAMPAIGNS:
        raise ValueError(f"paths: they met {len(chain.start):,} campaigns, more than the {MAX_CAMPAIGNS:,} that can be "
                         "solved. Climb to a higher level of the tree with climb_tree")
    factors = _factorise(chain)
    b, a = linalg.lu_solve(factors, chain.ends, trans=1), linalg.lu_solve(factors, chain.start)
    total, lost = chain.start @ b, np.zeros((len(groups), 2))
    alone = [row for row, group in enumerate(groups) if len(group) == 1]
    states = np.array([groups[row][0] for row in alone], int)
    several = [row for row, group in enumerate(groups) if len(group) > 1]
    inverse = _invert(factors) if several else None
    diagonal = inverse.diagonal() if several else _invert_diagonal(factors)
    lost[alone] = (a[states] / diagonal[states])[:, None] * b[states]
    for row in several:
        group = groups[row]
        lost[row] = a[group] @ np.linalg.solve(inverse[np.ix_(group, group)], b[group])
    return lost, total


def _factorise(chain: _Chain) -> tuple[np.ndarray, np.ndarray]:
    """Factorise (I - Q)' : its columns are dominated by their diagonal, so that hardly ever two rows are swapped."""
    dense = chain.steps.T.toarray(order="F")
    np.negative(dense, out=dense)
    np.einsum("ii->i", dense)[:] += 1
    return linalg.lu_factor(dense, overwrite_a=True)


def _invert(factors: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return linalg.lapack.dgetri(*factors, lwork=64 * max(len(factors[1]), 1))[0].T


def _invert_diagonal(factors: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Multiply only what the diagonal needs of U^-1 and L^-1, in the factors' own place: a third less work."""
    lu, swaps = factors
    n = len(lu)
    if (swaps != np.arange(n)).any():
        return _invert(factors).diagonal()
    for is_lower in (0, 1):
        lu = linalg.lapack.dtrtri(lu, lower=is_lower, unitdiag=is_lower, overwrite_c=True)[0]
    diagonal = lu.diagonal().copy()
    for first in range(0, n, BLOCK):
        last = min(first + BLOCK, n)
        upper, lower = lu[first:last, first:].copy(), lu[first:, first:last]
        upper[np.tril_indices(last - first)] = 0     # L^-1 has ones there, which the diagonal of U^-1 stands for
        diagonal[first:last] += np.einsum("ij,ji->i", upper, lower)
    return diagonal


def _lose_by_iteration(chain: _Chain, groups: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Solve b = r + Q b without each group: of many states with few steps each, a factorisation fills up."""
    if len(chain.start) * len(groups) > MAX_WORK:
        raise ValueError(f"order: it makes {len(chain.start):,} states of {len(groups):,} campaigns, more than can be "
                         "solved. Take a lower order, or climb to a higher level of the tree with climb_tree")
    width = max(BATCH // max(len(chain.start), 1), 1)
    total = _convert(chain, [np.zeros(0, int)])[0]
    left = [_convert(chain, groups[first:first + width]) for first in range(0, len(groups), width)]
    return total - np.concatenate([np.zeros((0, 2)), *left]), total


def _convert(chain: _Chain, groups: list[np.ndarray]) -> np.ndarray:
    """Give the chance of converting, and the money, that remains without each group, by Jacobi's iteration."""
    n, stays = len(chain.start), 1 / (1 - chain.steps.diagonal())
    steps = sparse.diags_array(stays) @ (chain.steps - sparse.diags_array(chain.steps.diagonal()))
    keep = np.ones((n, len(groups)))
    for column, group in enumerate(groups):
        keep[group, column] = 0
    results = []
    for ends in (chain.ends * stays[:, None]).T:
        source, scale, before = keep * ends[:, None], max(np.abs(ends).max(initial=0), 1e-300), np.inf
        b = source
        while True:
            after = source + keep * (steps @ b)
            change, b = np.abs(after - b).max(initial=0) / scale, after
            if change <= TOLERANCE * max(1 - change / before, TOLERANCE):
                break
            before = change
        results.append(chain.start @ b)
    return np.stack(results, axis=1)


def _name_effects(effects: np.ndarray, ending: str = "") -> dict[str, np.ndarray]:
    rounded = effects.round(DIGITS)
    return {f"removal_effect{ending}": rounded[:, 0], f"removal_effect_value{ending}": rounded[:, 1]}
