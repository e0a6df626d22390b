from itertools import permutations
from string import ascii_uppercase

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from attribution import path_models
from attribution.journeys import JourneyArrays
from attribution.models import shapley
from attribution.path_models import (
    count_transitions,
    explain_effects,
    markov,
    markov_tree,
    redraw_markov,
    sample_shapley_rates,
    shapley_rates,
    share_by_effect,
    solve_transitions,
)
from attribution.tables import TableError

START, WON, LOST = "start", "won", "lost"


def paths_of(*walks):
    """List paths as (campaigns, outcome, value)."""
    rows = [(f"p{number:03}", step, position, len(campaigns), value, outcome)
            for number, (campaigns, outcome, value) in enumerate(walks)
            for position, step in enumerate(campaigns, 1)]
    return pd.DataFrame(rows, columns=["conversion_id", "campaign_id", "position", "n_touches", "value", "outcome"]
                        ).astype({"campaign_id": "str", "outcome": "str", "conversion_id": "str"})


def converted(*texts):
    return paths_of(*[(text, "converted", 1.0) for text in texts])


def by_id(rows, column):
    return dict(zip(rows["campaign_id"], rows[column], strict=True))


def states_of(campaigns, order):
    return [START] + [tuple(campaigns[max(i - order + 1, 0):i + 1]) for i in range(len(campaigns))]


# The states from which some walk came to an end, there or after further steps that walks took.
def ending_states(walks, order):
    ways = [(states_of(campaigns, order), outcome) for campaigns, outcome, _ in walks]
    ending = {states[-1] for states, outcome in ways if outcome != "open"}
    while more := {before for states, _ in ways for before, after in zip(states[:-1], states[1:], strict=True)
                   if after in ending} - ending:
        ending |= more
    return ending


# The chance (or money) of the whole chain again, counted in dictionaries, with the steps into `removed` lost, and those
# into states that have seen no end never counted.
def brute_force(walks, removed, order, by_money=False):
    n_out, moves, wins = {}, {}, {}
    ending = ending_states(walks, order)
    for campaigns, outcome, value in walks:
        states = states_of(campaigns, order)
        for before, after in zip(states[:-1], states[1:], strict=True):
            if after not in ending:
                continue
            moves[before, after] = moves.get((before, after), 0) + 1
            n_out[before] = n_out.get(before, 0) + 1
        if outcome != "open":
            n_out[states[-1]] = n_out.get(states[-1], 0) + 1
            if outcome == "converted":
                wins[states[-1]] = wins.get(states[-1], 0) + (value if by_money else 1)
    states = sorted({state for pair in moves for state in pair} - {START})
    number = {state: i for i, state in enumerate([START, *states])}
    reached, steps = np.zeros(len(number)), np.zeros((len(number), len(number)))
    for state, total in wins.items():
        reached[number[state]] = total / n_out[state]
    for (before, after), n in moves.items():
        steps[number[before], number[after]] = (after[-1] not in removed) * n / n_out[before]
    for _ in range(14):                                  # r + Q r + Q^2 r + ..., twice as many steps each time
        reached, steps = reached + steps @ reached, steps @ steps
    return reached[0]


# The share that is lost without some campaigns: blank where they were met, and no state of theirs has seen an end.
def removal_effect(walks, removed, order, by_money=False):
    met = {state for campaigns, *_ in walks for state in states_of(campaigns, order)[1:] if state[-1] in removed}
    if met and not met & ending_states(walks, order):
        return np.nan
    return 1 - brute_force(walks, removed, order, by_money) / brute_force(walks, "", order, by_money)


CHAINS = st.lists(st.tuples(st.text("ABCD", min_size=1, max_size=5), st.sampled_from(["converted", "lost", "open"]),
                            st.integers(1, 9).map(float)), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(walks=CHAINS, order=st.sampled_from([1, 2, 3]))
def test_markov_equals_brute_force_removal(walks, order):
    assume(any(outcome == "converted" for _, outcome, _ in walks))
    effects = markov(paths_of(*walks), order)
    for by_money, column in ((False, "removal_effect"), (True, "removal_effect_value")):
        expected = {each: removal_effect(walks, each, order, by_money) for each in effects["campaign_id"]}
        assert by_id(effects, column) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(walks=CHAINS, order=st.sampled_from([1, 2]), split=st.integers(1, 3))
def test_markov_tree_equals_brute_force_removal_of_whole_subtrees(walks, order, split):
    assume(any(outcome == "converted" for _, outcome, _ in walks))
    below = {"X": "ABCD"[:split], "Y": "ABCD"[split:], "top": "ABCD"} | {each: each for each in "ABCD"}
    parents = {"X": "top", "Y": "top", "top": None} | {each: "X" if each in below["X"] else "Y" for each in "ABCD"}
    tree = pd.DataFrame({"campaign_id": list(parents), "parent_id": list(parents.values()),
                         "campaign_name": list(parents)}, dtype="str")
    effects = markov_tree(paths_of(*walks), tree, order)
    expected = {each: removal_effect(walks, below[each], order) for each in effects["campaign_id"]}
    assert by_id(effects, "removal_effect_with_children") == pytest.approx(expected, abs=1e-9, nan_ok=True)
    met = {node: [walk for walk in walks if set(walk[0]) & set(below[node])] for node in effects["campaign_id"]}
    assert by_id(effects, "n_paths") == {node: len(walks) for node, walks in met.items()}
    assert by_id(effects, "n_converted") == {
        node: sum(walk[1] == "converted" for walk in walks) for node, walks in met.items()}
    alone = effects[effects["campaign_id"].isin(list("ABCD"))]
    assert_frame_equal(alone[["campaign_id", "removal_effect"]].sort_values("campaign_id", ignore_index=True),
                       markov(paths_of(*walks), order)[["campaign_id", "removal_effect"]])


def test_markov_gives_the_published_removal_effects():
    # S. Bryl, "Marketing Multi-Channel Attribution model with R", analyzecore.com, 2016.
    bryl = paths_of(("123", "converted", 1.0), ("1", "lost", 0.0), ("23", "lost", 0.0))
    assert by_id(markov(bryl), "removal_effect") == pytest.approx({"1": 0.5, "2": 1.0, "3": 1.0})
    one = paths_of(("123", "converted", 1.0))
    assert by_id(share_by_effect(one, markov(bryl)), "credit") == {"1": 0.2, "2": 0.4, "3": 0.4}
    # pychattr's README, whose simulation gives 1.991 and 1.009 of three conversions; exactly it is 2 and 1.
    pychattr = converted("ABABBA", "ABBAA", "AA")
    assert by_id(markov(pychattr), "removal_effect") == pytest.approx({"A": 1.0, "B": 0.5})
    assert by_id(share_by_effect(pychattr, markov(pychattr)), "credit") == {"A": 2.0, "B": 1.0}


def test_markov_fits_the_published_transitions():
    # mta's tests: a to b 2/3, a to c 1/3, b to conversion 3/4, c to conversion 1/2.
    # By hand: p = 2/3 x 3/4 + 1/3 x 1/2 = 2/3; without b 1/6, without c 1/2.
    mta = paths_of(*[("ab", "converted", 1.0)] * 3, ("ab", "lost", 0.0), ("ac", "converted", 1.0), ("ac", "lost", 0.0))
    assert by_id(markov(mta), "removal_effect") == pytest.approx({"a": 1, "b": 3 / 4, "c": 1 / 4})


def test_markov_has_no_effect_by_money_where_a_value_is_below_zero():
    effects = markov(paths_of(("A", "converted", 900.0), ("B", "converted", -100.0)))
    assert by_id(effects, "removal_effect") == {"A": 0.5, "B": 0.5}
    assert effects["removal_effect_value"].isna().all()
    assert share_by_effect(converted("AB"), effects).empty


@pytest.mark.parametrize("n_orders", [1, 0, -1, 2.5, True])
def test_sample_shapley_rates_refuse_orders_that_leave_no_error(n_orders):
    with pytest.raises(ValueError, match="n_orders: .* is not a whole number of orders from 2"):
        sample_shapley_rates(converted("AB"), n_orders=n_orders)


def test_markov_weighs_money_by_the_end_of_the_path():
    effects = markov(paths_of(("A", "converted", 900.0), ("B", "converted", 100.0)))
    assert by_id(effects, "removal_effect") == {"A": 0.5, "B": 0.5}
    assert by_id(effects, "removal_effect_value") == pytest.approx({"A": 0.9, "B": 0.1})


def test_markov_counts_the_steps_of_open_paths_but_no_end():
    closed = [("AB", "converted", 1.0), ("AC", "lost", 0.0)]
    effects = markov(paths_of(*closed, ("AB", "open", 0.0)))
    # from A 2 of 3 go to B, where the one known end is a conversion: p = 2/3, none of it without A or B.
    assert by_id(effects, "removal_effect") == pytest.approx({"A": 1, "B": 1, "C": 0})
    assert by_id(effects, "n_paths") == {"A": 3, "B": 2, "C": 1}


def test_markov_of_paths_that_only_go_round_stays_finite():
    effects = markov(paths_of(("AA", "open", 0.0), ("BCB", "open", 0.0), ("D", "converted", 5.0)))
    blank = dict.fromkeys("ABC", np.nan)
    assert by_id(effects, "removal_effect") == pytest.approx(blank | {"D": 1}, nan_ok=True)


KNOWN = [("A", "converted", 1.0)] * 10 + [("B", "converted", 1.0)] * 10 + [("B", "lost", 0.0)] * 10


@pytest.mark.parametrize("fresh", [[], [("A", "open", 0.0)] * 10, [("AX", "open", 0.0)] * 10, [("X", "open", 0.0)] * 10,
                                   [("AXYX", "open", 0.0)] * 10])
def test_markov_takes_no_step_to_a_campaign_too_fresh_for_a_failure(fresh):
    # A converts always, B every second time: of 10 + 20 (or 20 + 20) starts A brings 10 of 20 (or 20 of 30).
    a = 2 / 3 if fresh and fresh[0][0][0] == "A" else 1 / 2
    met = sorted({each for campaigns, *_ in fresh for each in campaigns} - {"A"})
    tree = pd.DataFrame({"campaign_id": ["P", *"ABXY"], "parent_id": [None, *"PPPP"], "campaign_name": ["P", *"ABXY"]},
                        dtype="str")
    expected = {"A": a, "B": 1 - a} | dict.fromkeys(met, np.nan)
    paths = paths_of(*KNOWN, *fresh)
    below, (ids, drawn) = markov_tree(paths, tree), redraw_markov(paths, pd.DataFrame({0: [1]}, index=["p000"]))
    for effects in (by_id(markov(paths), "removal_effect"), by_id(markov(paths), "removal_effect_value"),
                    by_id(markov(paths, 2), "removal_effect"), dict(zip(ids, drawn[:, 0], strict=True))):
        assert effects == pytest.approx(expected, nan_ok=True)
    assert by_id(below, "removal_effect") == pytest.approx({"P": 0} | expected, nan_ok=True)
    assert by_id(below, "removal_effect_with_children") == pytest.approx({"P": 1} | expected, nan_ok=True)


def test_share_by_effect_leaves_out_who_is_too_fresh_or_too_old_to_have_an_effect():
    effects = markov(paths_of(*KNOWN, ("AX", "open", 0.0)))
    shared = share_by_effect(paths_of(("AX", "converted", 60.0), ("BZ", "converted", 40.0)), effects)
    # of 11 + 20 starts A brings 11 of 21, B 10 of 21
    assert by_id(shared, "credit") == {"A": 52.38, "B": 47.62} and shared["n_conversions"].tolist() == [1, 1]


def test_markov_of_too_many_campaigns_is_no_rows_where_they_are_left_out(monkeypatch):
    tree = pd.DataFrame({"campaign_id": [*"AB"], "parent_id": None, "campaign_name": [*"AB"]}, dtype="str")
    assert_frame_equal(markov(converted("AB"), on_too_many="leave_out"), markov(converted("AB")))
    monkeypatch.setattr(path_models, "MAX_CAMPAIGNS", 1)
    effects = markov(converted("AB"), on_too_many="leave_out")
    assert effects.empty and markov_tree(converted("AB"), tree, on_too_many="leave_out").empty
    assert share_by_effect(converted("AB"), effects).empty
    with pytest.raises(ValueError, match="on_too_many: 'drop' is not one of raise, leave_out"):
        markov(converted("AB"), on_too_many="drop")


@pytest.mark.parametrize("paths", [paths_of(), paths_of(("AB", "lost", 0.0)), paths_of(("AB", "open", 0.0))])
def test_markov_is_blank_where_nothing_converted(paths, capfd):
    effects = markov(paths)
    assert capfd.readouterr().out == ""
    assert effects["removal_effect"].isna().all() and effects["removal_effect_value"].isna().all()
    assert share_by_effect(converted("AB"), effects).empty


@pytest.mark.parametrize("order", [1, 2, 3])
def test_markov_is_the_same_to_the_bit_in_any_order_of_rows(order):
    random = np.random.default_rng(1)
    walks = [("".join(random.choice(list("ABCDEFG"), random.integers(1, 9))), ["converted", "lost", "open"][i % 3],
              i * 1.37) for i in range(120)]
    paths = paths_of(*walks)
    once, again = (markov(each, order) for each in (paths, paths.sample(frac=1, random_state=2)))
    assert_frame_equal(once, again, check_exact=True)


def test_markov_by_iteration_equals_the_closed_form(monkeypatch):
    random = np.random.default_rng(3)
    walks = ["".join(random.choice(list("ABCDEF"), random.integers(1, 9))) for _ in range(90)]
    paths = paths_of(*[(walk, ["converted", "lost"][i % 2], 1.0) for i, walk in enumerate(walks)])
    closed = markov(paths)
    monkeypatch.setattr(path_models, "_lose_in_closed_form", path_models._lose_by_iteration)
    monkeypatch.setattr(path_models, "BATCH", 20)
    assert_frame_equal(markov(paths), closed, check_exact=False, rtol=0, atol=2e-12)


def test_redraw_markov_is_markov_of_paths_repeated_as_often_as_drawn(monkeypatch):
    walks = [("ABC", "converted", 5.0), ("BA", "converted", 2.0), ("AEC", "open", 0.0), ("AB", "lost", 0.0),
             ("E", "lost", 0.0), ("CC", "open", 0.0), ("DD", "open", 0.0), ("C", "lost", 0.0)]
    weights = pd.DataFrame({0: [1, 1, 1, 1, 1], 1: [2, 0, 3, 0, 1], 2: [0, 3, 0, 2, 0], 3: [0, 0, 1, 1, 1],
                            4: [1, 1, 2, 1, 0]}, index=[f"p00{i}" for i in range(5)])       # of 4: E has seen no end
    monkeypatch.setattr(path_models, "DRAWS", 3)
    ids, effects = redraw_markov(paths_of(*walks), weights)
    assert ids.tolist() == ["A", "B", "C", "D", "E"]
    for draw, times in weights.items():
        drawn = [walk for walk, n in zip(walks, times, strict=False) for _ in range(n)]
        expected = by_id(markov(paths_of(*drawn, *walks[5:])), "removal_effect_value")
        assert dict(zip(ids, effects[:, draw], strict=True)) == pytest.approx(
            {each: expected.get(each, np.nan) for each in ids}, abs=1e-9, nan_ok=True)


def test_markov_refuses_what_it_cannot_solve(monkeypatch):
    for order in (4, 1.0, True):
        with pytest.raises(ValueError, match=f"order: {order} is not one of 1, 2, 3"):
            markov(converted("AB"), order)
    monkeypatch.setattr(path_models, "MAX_CAMPAIGNS", 1)
    with pytest.raises(ValueError, match="met 2 campaigns, more than the 1 .* climb_tree"):
        markov(converted("AB"))
    monkeypatch.setattr(path_models, "MAX_WORK", 5)
    with pytest.raises(ValueError, match="makes 3 states of 2 campaigns.* lower order"):
        markov(converted("ABA"), 2)


@pytest.mark.parametrize(("change", "message"), [
    (lambda rows: rows.drop(columns="position"), "paths: there is no column position"),
    (lambda rows: rows[rows["position"] != 2], r"missing, repeated or without a campaign in 1 paths \(first: p000\)"),
    (lambda rows: pd.concat([rows, rows]), "missing, repeated or without a campaign in 2 paths"),
    (lambda rows: rows.assign(campaign_id=None), "without a campaign in 2 paths"),
    (lambda rows: rows.assign(outcome="sold"), "outcome is not one of converted, lost, open in 4 of 4 rows"),
])
def test_markov_refuses_paths_that_are_not_whole(change, message):
    with pytest.raises(TableError, match=message):
        markov(change(converted("ABC", "A")))


def test_markov_tree_refuses_a_campaign_that_is_not_in_the_tree():
    tree = pd.DataFrame({"campaign_id": ["A"], "parent_id": [None], "campaign_name": ["Ads"]}, dtype="str")
    with pytest.raises(TableError, match=r"not found in campaigns in 1 of 2 campaigns \(first: B\)"):
        markov_tree(converted("AB"), tree)
    assert markov_tree(converted("AB"), tree, on_orphan="leave_out")["campaign_id"].tolist() == ["A"]


def test_markov_tree_shows_that_a_subtree_is_not_the_sum_of_its_children():
    tree = pd.DataFrame({"campaign_id": ["P", "A", "B", "C"], "parent_id": [None, "P", "P", None],
                         "campaign_name": ["Programme", "A", "B", "C"]}, dtype="str")
    effects = markov_tree(converted("AB", "C"), tree)
    assert by_id(effects, "removal_effect_with_children") == pytest.approx({"P": 0.5, "A": 0.5, "B": 0.5, "C": 0.5})
    assert by_id(effects, "removal_effect")["P"] == 0


def test_explain_effects_shows_the_effect_of_every_campaign_of_a_deal():
    effects = markov(paths_of(("AB", "converted", 1.0), ("AC", "converted", 3.0)))
    journeys = paths_of(("BAZ", "converted", 7.0)).assign(touch_id="t", person_id="Ann", days_before=1.0, touched_at=0)
    shown = explain_effects(journeys.sample(frac=1, random_state=1), "p000", effects)
    assert shown["campaign_id"].tolist() == ["B", "A", "Z"]
    assert shown["removal_effect"].tolist() == pytest.approx([0.5, 1.0, np.nan], nan_ok=True)
    assert shown["removal_effect_value"].tolist() == pytest.approx([0.25, 1.0, np.nan], nan_ok=True)
    with pytest.raises(ValueError, match="conversion_id: 'p9' is not in journeys"):
        explain_effects(journeys, "p9", effects)


MONEY = st.integers(1, 10**7).map(lambda cents: cents / 100)


@settings(max_examples=100, deadline=None)
@given(walks=st.lists(st.tuples(st.text("ABCDE", min_size=1, max_size=4), st.just("converted"), MONEY), min_size=1,
                      max_size=9), untouched=st.lists(MONEY, max_size=2))
def test_share_by_effect_conserves_money_to_the_cent(walks, untouched):
    journeys = pd.concat([paths_of(*walks), pd.DataFrame({
        "conversion_id": [f"u{i}" for i in range(len(untouched))], "campaign_id": None, "position": 0, "n_touches": 0,
        "value": untouched, "outcome": "converted"})])
    shared = share_by_effect(journeys, markov(paths_of(*walks)))
    cents = [round(100 * value) for *_, value in walks] + [round(100 * value) for value in untouched]
    assert (shared["credit"] * 100).round().sum() == sum(cents)
    assert (shared["credit"] * 100).round(6).mod(1).isin([0, 1]).all()
    assert shared["model"].eq("markov").all() and shared["campaign_id"].isna().sum() == bool(untouched)


def test_share_by_effect_gives_leftover_cents_to_the_largest_remainders_and_earlier_ids():
    effects = pd.DataFrame({"campaign_id": ["A", "B", "C"], "removal_effect": [0.5, 0.5, 0.5],
                            "removal_effect_value": [0.1, 0.2, 0.3]})
    journeys = paths_of(("ABC", "converted", 1.0))
    assert share_by_effect(journeys, effects, by="count")["credit"].tolist() == [0.34, 0.33, 0.33]
    assert share_by_effect(journeys, effects)["credit"].tolist() == [0.17, 0.33, 0.5]    # 16.67, 33.33, 50 cents
    with pytest.raises(ValueError, match="by: 'euros' is not one of value, count"):
        share_by_effect(journeys, effects, by="euros")


def test_share_by_effect_credits_only_campaigns_that_the_period_met():
    effects = pd.DataFrame({"campaign_id": ["A", "B"], "removal_effect_value": [0.5, 0.5]})
    assert by_id(share_by_effect(converted("AA", "A"), effects), "credit") == {"A": 2.0}
    assert by_id(share_by_effect(converted("AA", "A"), effects), "n_conversions") == {"A": 2}


# The Shapley value from its definition: the mean gain over all orders in which the campaigns may arrive.
def by_all_orders(players, worth):
    orders = list(permutations(players))
    gains = {player: 0.0 for player in players}
    for order in orders:
        for i, player in enumerate(order):
            gains[player] += worth(set(order[:i + 1])) - worth(set(order[:i]))
    return {player: gain / len(orders) for player, gain in gains.items()}


def rate_of(walks):
    def worth(players):
        inside = [outcome for campaigns, outcome, _ in walks if set(campaigns) <= players and outcome != "open"]
        return inside.count("converted") / len(inside) if inside else 0.0
    return worth


RATE_WALKS = st.lists(st.tuples(st.text("ABCD", min_size=1, max_size=4), st.sampled_from(["converted", "lost", "open"]),
                                st.just(1.0)), min_size=1, max_size=9)


@settings(max_examples=60, deadline=None)
@given(walks=RATE_WALKS)
def test_shapley_rates_equal_the_definition(walks):
    values = shapley_rates(paths_of(*walks))
    players = sorted({step for campaigns, *_ in walks for step in campaigns})
    assert by_id(values, "shapley") == pytest.approx(by_all_orders(players, rate_of(walks)), abs=1e-12)
    assert values["shapley"].sum() == pytest.approx(rate_of(walks)(set(players)), abs=1e-12)         # efficiency


@settings(max_examples=40, deadline=None)
@given(walks=st.lists(st.tuples(st.text("ABCD", min_size=1, max_size=6), st.just("converted"), MONEY), min_size=1,
                      max_size=6))
def test_shapley_model_equals_the_definition_over_all_orderings(walks):
    def worth(players):
        return sum(value for campaigns, _, value in walks if set(campaigns) <= players)
    players = sorted({step for campaigns, *_ in walks for step in campaigns})
    credit = {player: 0.0 for player in players}
    for campaigns, _, value in walks:
        n = len(campaigns)
        weights = shapley(JourneyArrays(np.zeros(n, int), np.arange(1, n + 1), np.full(n, n),
                                        campaign=np.array([ascii_uppercase.index(each) for each in campaigns])))
        for campaign, weight in zip(campaigns, weights / weights.sum(), strict=True):
            credit[campaign] += weight * value
    assert credit == pytest.approx(by_all_orders(players, worth))
    assert sum(credit.values()) == pytest.approx(worth(set(players)))                                # efficiency


def test_shapley_rates_keep_the_axioms():
    walks = [("AB", "converted", 1.0), ("A", "lost", 0.0), ("B", "lost", 0.0), ("C", "lost", 0.0), ("D", "lost", 0.0)]
    values = by_id(shapley_rates(paths_of(*walks)), "shapley")
    assert values["A"] == pytest.approx(values["B"]) and values["C"] == pytest.approx(values["D"])   # symmetry
    assert values["A"] > 0 > values["C"]
    without = by_id(shapley_rates(paths_of(*walks[:3], ("ABN", "open", 0.0), ("N", "open", 0.0))), "shapley")
    assert without["N"] == 0                                                                         # null player


# N converts as the rest does, wherever it joins: each walk of the others comes again with N, so it changes no rate.
# S is met in A's place as often as A, with the same ends.
@settings(max_examples=40, deadline=None)
@given(walks=st.lists(st.tuples(st.text("AB", min_size=1, max_size=3), st.sampled_from(["converted", "lost"]),
                                st.just(1.0)), min_size=1, max_size=6))
def test_shapley_rates_are_efficient_symmetric_and_give_nothing_to_a_null_player(walks):
    swap = str.maketrans("AS", "SA")
    twins = walks + [(campaigns.translate(swap), outcome, 1.0) for campaigns, outcome, _ in walks]
    both = twins + [(campaigns + "N", outcome, 1.0) for campaigns, outcome, _ in twins]
    rate = sum(outcome == "converted" for _, outcome, _ in walks) / len(walks)
    for values in (shapley_rates(paths_of(*both)), sample_shapley_rates(paths_of(*both), n_orders=200)):
        assert values["shapley"].sum() == pytest.approx(rate)                                        # efficiency
        assert by_id(values, "shapley")["N"] == pytest.approx(0, abs=1e-12)                          # null player
    exact = by_id(shapley_rates(paths_of(*both)), "shapley")
    assert exact.get("A") == pytest.approx(exact.get("S"))                                           # symmetry


def test_shapley_rates_refuse_more_campaigns_than_can_be_counted():
    with pytest.raises(ValueError, match=r"paths: 21 campaigns make 2\^21 coalitions.*at most 20.*climb_tree"):
        shapley_rates(converted(ascii_uppercase[:21]))
    assert len(sample_shapley_rates(converted(ascii_uppercase[:21]), n_orders=3)) == 21


def test_shapley_rates_of_nothing_are_no_rows():
    assert shapley_rates(paths_of()).empty and sample_shapley_rates(paths_of()).empty


def test_sample_shapley_rates_come_within_their_stated_error():
    random = np.random.default_rng(5)
    walks = ["".join(random.choice(list("ABCDEF"), random.integers(1, 6))) for _ in range(80)]
    paths = paths_of(*[(walk, ["converted", "lost", "lost"][i % 3], 1.0) for i, walk in enumerate(walks)])
    exact, sampled = shapley_rates(paths), sample_shapley_rates(paths, n_orders=4000, seed=1)
    gap = (sampled["shapley"] - exact["shapley"]).abs()
    assert (gap <= 4 * sampled["standard_error"]).all() and (sampled["standard_error"] < 0.01).all()
    assert sampled["shapley"].sum() == pytest.approx(exact["shapley"].sum())
    assert_frame_equal(sampled, sample_shapley_rates(paths.sample(frac=1, random_state=3), n_orders=4000, seed=1),
                       check_exact=True)


def test_sample_shapley_rates_state_their_error_neither_too_small_nor_too_large():
    random = np.random.default_rng(6)
    walks = ["".join(random.choice(list("ABCDEF"), random.integers(1, 6))) for _ in range(60)]
    paths = paths_of(*[(walk, ["converted", "lost", "lost"][i % 3], 1.0) for i, walk in enumerate(walks)])
    exact = shapley_rates(paths)["shapley"]
    samples = [sample_shapley_rates(paths, n_orders=200, seed=seed) for seed in range(40)]
    z = np.concatenate([(each["shapley"] - exact) / each["standard_error"] for each in samples])
    assert 0.5 < np.sqrt((z**2).mean()) < 1.5                # 240 of a mean square of 1: 0.9 to 1.1 were it all alike


def test_sample_shapley_rates_halve_their_error_with_four_times_the_orders():
    paths = paths_of(*[(text, outcome, 1.0) for text, outcome in (
        ("AB", "converted"), ("AC", "lost"), ("B", "converted"), ("C", "lost"), ("ABC", "converted"), ("A", "lost"))])
    few, many = (sample_shapley_rates(paths, n_orders=n, seed=2)["standard_error"] for n in (1000, 4000))
    assert (many / few).tolist() == pytest.approx([0.5] * 3, abs=0.05)


def test_counts_of_parts_of_the_paths_add_up_to_those_of_all():
    random = np.random.default_rng(4)
    sizes = random.integers(1, 6, 60)
    path = np.repeat(np.arange(60), sizes)
    paths = pd.DataFrame({
        "conversion_id": path.astype(str), "campaign_id": random.choice([*"ABCDE"], len(path)),
        "n_touches": sizes[path],
        "position": np.concatenate([np.arange(1, size + 1) for size in sizes]),
        "value": random.integers(0, 10**6, 60)[path] / 100,
        "outcome": random.choice(["converted", "lost", "open"], 60)[path]})
    parts = pd.concat([count_transitions(paths[path % 3 == part]) for part in range(3)])
    summed = parts.groupby(["event", "campaign_id", "next_campaign_id"], as_index=False, dropna=False).sum()
    assert len(summed) < len(parts)
    assert_frame_equal(solve_transitions(summed), markov(paths))
    one_below = paths.assign(value=paths["value"].mask(path == 0, -1.0))
    assert solve_transitions(count_transitions(one_below))["removal_effect_value"].isna().all()
