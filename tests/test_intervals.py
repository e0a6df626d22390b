"""Intervals: the product is resampled tables, holds the truth about as often as it says, and conserves the money."""

import numpy as np
import pandas as pd
import pytest
from conftest import conversions_of, costs_of, make, make_credit
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.campaigns import build_ancestors
from attribution.intervals import (
    _is_top,
    add_intervals,
    add_model,
    bootstrap_credit,
    code_accounts,
    compare_pairs,
    credit_intervals,
    draw_markov,
    draw_weights,
    pool_returns,
    share_models,
    total_intervals,
    weigh_siblings,
)
from attribution.journeys import build_journeys
from attribution.models import MODELS
from attribution.path_models import markov
from attribution.roi import UNATTRIBUTED, at_depth, campaign_roi
from attribution.tables import TableError


def credits_of(**models):
    """Make several models' credit from rows of make_credit."""
    return pd.concat([make_credit(*rows).assign(model=model) for model, rows in models.items()], ignore_index=True)


def deals_of(**accounts):
    return conversions_of(conversion_id=list(accounts), account_id=list(accounts.values()), value=1.0)


def returns_of(credits, costs, tree, model="linear"):
    return campaign_roi(credits[credits["model"] == model], costs, tree)


def node(draws, name):
    return draws.nodes["campaign_id"].tolist().index(name)


@pytest.fixture
def shared():
    """Acme's two deals and Beta's one: linear to Slush and Ads, the last touch to Ads alone; Di's deal is untouched."""
    return credits_of(linear=[("d1", "slush", 60.0), ("d1", "ads", 40.0), ("d2", "slush", 10.0), ("d3", "ads", 5.0),
                              ("d4", None, 7.0)],
                      last_touch=[("d1", "slush", 0.0), ("d1", "ads", 100.0), ("d2", "slush", 10.0), ("d3", "ads", 5.0),
                                  ("d4", None, 7.0)])


@pytest.fixture
def deals():
    return deals_of(d1="acme", d2="acme", d3="beta", d4="di")


def random_month(seed, n_deals=40, n_accounts=15):
    """Make deals of accounts at random, and credit of two models to the tree's campaigns and to none."""
    rng = np.random.default_rng(seed)
    ids = [f"d{i:02}" for i in range(n_deals)]
    deals = deals_of(**{each: f"a{rng.integers(n_accounts):02}" for each in ids})
    met = [(each, name) for each in ids for name in rng.choice(
        ["slush", "nordic", "ads", "fairs", None], rng.integers(1, 4), replace=False)]
    rows = {model: [(*one, float(rng.integers(0, 10**6)) / 100) for one in met] for model in ("linear", "last_touch")}
    return credits_of(**rows), deals


def test_code_accounts_takes_the_person_where_no_account_is_known_and_else_the_deal():
    deals = conversions_of(conversion_id=["x", "y", "z", "v", "w"], account_id=["a", None, None, "a", None],
                           person_id=["p", "a", None, None, "a"], value=1.0)
    codes, n = code_accounts(deals)
    assert codes.tolist() == [0, 2, 1, 0, 2] and n == 3


def test_bootstrap_credit_draws_an_accounts_deals_together(shared, deals, tree):
    draws = bootstrap_credit(shared, deals, tree, n_resamples=200)
    weights = draw_weights(3, n_resamples=200)                       # acme, beta, di
    acme, beta, di = weights
    for model, name, money in ((0, "slush", 70 * acme), (0, "ads", 40 * acme + 5 * beta),
                               (0, "emea", 110 * acme + 5 * beta), (1, "fairs", 10 * acme),
                               (1, "ads", 100 * acme + 5 * beta), (1, UNATTRIBUTED, 7 * di)):
        assert draws.money[model, node(draws, name)].tolist() == money.tolist()
    assert draws.models == ["linear", "last_touch"] and len(set(weights.sum(axis=0))) > 3      # not always 3 accounts
    assert draws.credit[:, node(draws, "emea")].tolist() == [115.0, 115.0]


def test_bootstrap_credit_counts_deals_and_accounts_once_at_each_node(shared, deals, tree):
    draws = bootstrap_credit(shared, deals, tree, n_resamples=5)
    counts = {name: (draws.nodes["n_conversions"][node(draws, name)], *draws.n_accounts[:, node(draws, name)])
              for name in ("emea", "fairs", "slush", "ads", "nordic", UNATTRIBUTED)}
    assert counts == {"emea": (3, 2, 2), "fairs": (2, 1, 1), "slush": (2, 1, 1), "ads": (2, 2, 2), "nordic": (0, 0, 0),
                      UNATTRIBUTED: (1, 1, 1)}
    assert draws.squares[0, node(draws, "emea")] == 110**2 + 5**2


@pytest.mark.parametrize("seed", range(3))
def test_bootstrap_credit_equals_returns_of_resampled_tables(tree, seed):
    credits, deals = random_month(seed)
    draws = bootstrap_credit(credits, deals, tree, n_resamples=6, seed=seed)
    codes, n = code_accounts(deals)
    weights = draw_weights(n, n_resamples=6, seed=seed)[codes]
    for resample in range(6):
        times = deals["conversion_id"].repeat(weights[:, resample].astype(int))
        again = pd.DataFrame({"conversion_id": times, "copy": range(len(times))}).merge(
            credits, on="conversion_id", validate="many_to_many")
        for k, model in enumerate(draws.models):
            one = again[again["model"] == model].drop(columns="is_before_opportunity")
            rows = campaign_roi(one.assign(conversion_id=one["copy"].astype("str")), costs_of(), tree)
            ids = rows["campaign_id"].fillna(rows["campaign_name"])
            found = pd.Series(draws.money[k, :, resample], draws.nodes["campaign_id"])[ids]
            np.testing.assert_allclose(found, rows["credit_with_children"], atol=0.005)


def test_draw_weights_are_poisson_and_of_each_account_by_itself():
    weights = draw_weights(400, n_resamples=2000)
    shares = [(weights == n).mean() for n in range(4)]               # e^-1 / n!, within 4 standard errors
    assert shares == pytest.approx([0.3679, 0.3679, 0.1839, 0.0613], abs=0.0022)
    assert weights.sum(axis=0).mean() == pytest.approx(400, abs=2)
    assert weights.sum(axis=0).var() == pytest.approx(400, rel=0.13)     # as many accounts each time would give 0
    assert np.array_equal(draw_weights(399, n_resamples=2000), weights[:399])
    assert not np.array_equal(draw_weights(400, n_resamples=2000, seed=1), weights)
    assert draw_weights(0, n_resamples=3).shape == (0, 3)


@settings(max_examples=15)
@given(st.randoms(use_true_random=False), st.integers(0, 99))
def test_bootstrap_credit_of_shuffled_rows_has_the_same_bits(random, seed):
    tree = make("campaigns", campaign_id=["emea", "fairs", "slush", "nordic", "ads"],
                parent_id=[None, "emea", "fairs", "fairs", "emea"])
    credits, deals = random_month(seed)
    first_of_each = credits.drop_duplicates("model").index.tolist()          # the models' order is the caller's
    rest = [each for each in credits.index if each not in first_of_each]
    others = [deals.index.tolist(), tree.index.tolist()]
    for order in (rest, *others):
        random.shuffle(order)
    one, two = (bootstrap_credit(*tables, n_resamples=30) for tables in (
        (credits, deals, tree), (credits.loc[first_of_each + rest], deals.loc[others[0]], tree.loc[others[1]])))
    for values in ("credit", "money", "n_accounts", "squares"):
        assert np.array_equal(getattr(one, values), getattr(two, values))
    assert one.nodes.equals(two.nodes) and one.models == two.models


def test_bootstrap_credit_conserves_the_money_in_every_resample(orphaned):
    credits, deals = random_month(5)
    draws = bootstrap_credit(credits, deals, orphaned, n_resamples=50)
    codes, n = code_accounts(deals)
    weights = draw_weights(n, n_resamples=50)
    for k, model in enumerate(draws.models):
        mine = credits[credits["model"] == model]
        by_account = np.bincount(codes[deals["conversion_id"].searchsorted(mine["conversion_id"])], mine["credit"], n)
        roots = draws.money[k][(draws.nodes["depth"] == 0).to_numpy()]
        assert len(roots) == 3                                       # EMEA, left out of the tree, unattributed
        np.testing.assert_allclose(roots.sum(axis=0), by_account @ weights, rtol=1e-12)


def test_bootstrap_credit_refuses_credit_of_an_unknown_deal(shared, deals, tree):
    with pytest.raises(TableError, match=r"conversion_id not found in conversions in 2 of 10 rows \(first: d3\)"):
        bootstrap_credit(shared, deals[deals["conversion_id"] != "d3"], tree)


def test_bootstrap_of_no_deals_has_every_column(shared, deals, tree):
    full = credit_intervals(bootstrap_credit(shared, deals, tree, n_resamples=9), returns_of(shared, costs_of(), tree))
    none = bootstrap_credit(shared.head(0), deals.head(0), tree, n_resamples=9)
    returns = returns_of(shared.head(0), costs_of(ads=5.0), tree)
    rows = credit_intervals(none, returns)
    assert rows.columns.tolist() == full.columns.tolist() and len(rows) == 0
    assert pool_returns(none, returns, "linear")["pooled_roi"].dropna().tolist() == [-1.0, -1.0]
    assert len(compare_pairs(none, returns, "linear")) == 0
    assert add_intervals(returns, rows, "linear")["roi_low"].isna().all()


def test_share_models_gives_every_model_its_rows(crm, agreement):
    deals = conversions_of(conversion_id=["d"], account_id=["acme"], value=90.0)
    journeys = build_journeys(crm.touches, deals, linking="account")
    shares = share_models(journeys, {"mine": MODELS["linear"], "first_touch": MODELS["first_touch"]})
    assert shares.groupby(["model", "campaign_id"])["credit"].sum().to_dict() == {
        ("mine", "slush"): 60.0, ("mine", "ads"): 30.0, ("first_touch", "slush"): 90.0, ("first_touch", "ads"): 0.0}
    assert len(share_models(journeys, {})) == 0


def test_intervals_hold_the_truth_about_as_often_as_they_say(tree):
    # Poisson(120) accounts buy, 1 + Poisson(0.5) times; a deal is worth Gamma(2, 50), mean 100; Slush meets 60 % of the
    # deals and gets a share of Beta(2, 2), mean 0.5: expected 120 x 1.5 x 100 x 0.6 x 0.5 = 5,400 of 18,000 in all
    rng, held = np.random.default_rng(7), {"slush": 0, "all": 0}
    for _ in range(300):
        n = 1 + rng.poisson(0.5, rng.poisson(120))
        account, value = np.repeat(np.arange(len(n)), n), rng.gamma(2, 50, n.sum()).round(2)
        ours = np.where(rng.random(n.sum()) < 0.6, (value * rng.beta(2, 2, n.sum())).round(2), 0.0)
        ids = pd.Series(np.arange(n.sum()).astype(str))
        deals = pd.DataFrame({"conversion_id": ids, "account_id": account.astype(str), "person_id": None})
        credits = pd.concat([pd.DataFrame({"conversion_id": ids, "campaign_id": each, "credit": money})
                             for each, money in (("slush", ours), ("ads", value - ours))]).assign(model="linear")
        draws = bootstrap_credit(credits, deals, tree, n_resamples=300)
        for name, row, truth in (("slush", "slush", 5400), ("all", "emea", 18000)):
            low, high = np.percentile(draws.money[0, node(draws, row)], [2.5, 97.5])
            held[name] += low <= truth <= high
    assert all(0.91 <= n / 300 <= 0.98 for n in held.values())       # 95 %, within 3 standard errors of 300


def test_credit_intervals_by_hand(shared, deals, tree):
    # Acme comes Poisson(1) times: 0 in 37 %, at most 2 in 92.0 %, at most 3 in 98.1 %; EMEA has 110 of each time and 5
    # of each of Beta's: 3 x 110 and at most 2 x 5 in 92.0 % + 6.1 % x 92.0 % = 97.6 %
    draws = bootstrap_credit(shared, deals, tree, n_resamples=4000)
    returns = returns_of(shared, costs_of(slush=100.0, nordic=50.0), tree)
    rows = credit_intervals(draws, returns).set_index(["model", "campaign_id"])
    slush = rows.loc[("linear", "slush")]
    assert slush[["credit", "credit_low", "credit_high"]].tolist() == [70.0, 0.0, 210.0]
    assert slush[["roi", "roi_low", "roi_high"]].tolist() == pytest.approx([-0.3, -1.0, 1.1])
    assert rows.loc[("linear", "emea"), "credit_high"] == pytest.approx(340.0, abs=5)
    assert rows.loc[("linear", "emea"), "cost"] == 150.0
    assert rows["n_conversions"].loc["linear"].equals(rows["n_conversions"].loc["last_touch"])


def test_credit_intervals_are_blank_where_there_is_nothing_to_draw_from(shared, deals, tree):
    draws = bootstrap_credit(shared, deals, tree, n_resamples=9)
    rows = credit_intervals(draws, returns_of(shared, costs_of(nordic=50.0, ads=0.0), tree))
    rows = rows.set_index(["model", "campaign_id"])
    bounds = ["credit_low", "credit_high", "roi_low", "roi_high"]
    assert rows.loc[("linear", "nordic"), bounds].isna().all() and rows.loc[("linear", "nordic"), "roi"] == -1.0
    assert not rows.loc[("linear", "nordic"), "is_thin"]
    assert rows.loc[("linear", "ads"), bounds].isna().tolist() == [False, False, True, True]


def test_credit_intervals_flag_few_accounts(tree):
    few = credits_of(linear=[(f"d{i}", "slush" if i < 12 else "ads", 10.0) for i in range(23)])
    rows = credit_intervals(bootstrap_credit(few, deals_of(**{f"d{i}": f"a{i}" for i in range(23)}), tree),
                            returns_of(few, costs_of(), tree)).set_index("campaign_name")
    assert rows.loc[["Slush", "Ads", "EMEA", "Nordic"], "is_thin"].tolist() == [False, True, False, False]
    assert rows.loc[["Slush", "Ads", "EMEA", "Nordic"], "n_accounts"].tolist() == [12, 11, 23, 0]


def test_credit_intervals_show_what_stands_beside_the_tree(shared, deals, orphaned):
    draws = bootstrap_credit(shared, deals, orphaned, n_resamples=9)
    returns = campaign_roi(shared[shared["model"] == "linear"], costs_of(), orphaned, on_orphan="leave_out")
    rows = credit_intervals(draws, returns)
    assert rows.loc[rows["model"] == "linear", "path"].tolist() == returns["path"].tolist()
    assert rows.loc[rows["campaign_id"].isna(), "credit"].tolist() == [70.0, 7.0, 10.0, 7.0]


def test_is_top_by_hand():
    figures = np.array([[9, 5, 0], [8, 5, 0], [7, 5, 3], [6, 5, 0], [5, 5, 0], [4, 5, 0]])
    assert _is_top(figures).T.astype(int).tolist() == [[1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 0], [0, 0, 1, 0, 0, 0]]
    assert _is_top(figures[:2]).sum() == 4


def test_top_five_share_by_hand():
    # one deal each of two accounts: six campaigns share Acme's evenly, only f has Beta's, and its cost is the highest
    names = list("abcdef")
    tree = make("campaigns", campaign_id=names, parent_id=None, campaign_name=names[::-1])       # read from f to a
    credits = credits_of(linear=[*[("d", name, 10.0) for name in names], ("e", "f", 15.0)])
    draws = bootstrap_credit(credits, deals_of(d="acme", e="beta"), tree, n_resamples=1000)
    returns = returns_of(credits, costs_of(**dict.fromkeys("abcde", 1.0), f=10.0), tree)
    rows = credit_intervals(draws, returns).set_index("campaign_id")
    acme, beta = draw_weights(2, n_resamples=1000)
    any_acme, only_acme, any_beta = ((acme > 0).mean(), ((acme > 0) & (beta == 0)).mean(), (beta > 0).mean())
    assert rows.loc[names, "top_five_share"].tolist() == pytest.approx(
        [any_acme] * 4 + [only_acme, any_beta])                      # of five equal ones e is last, of six f
    f_first = (10 * acme + 15 * beta) / 10 > 10 * acme               # else the last of six, also where they are equal
    assert rows.loc[names, "top_five_roi_share"].tolist() == pytest.approx(
        [any_acme] * 4 + [((acme > 0) & ~f_first).mean(), f_first.mean()])


def test_top_five_shares_are_of_campaigns_with_none_below_and_of_those_with_a_cost(shared, deals, tree):
    rows = credit_intervals(bootstrap_credit(shared, deals, tree, n_resamples=9),
                            returns_of(shared, costs_of(ads=9.0), tree)).set_index(["model", "campaign_name"])
    known = rows.loc["linear", ["top_five_share", "top_five_roi_share"]].notna()
    assert known["top_five_share"].to_dict() == {
        "EMEA": False, "Ads": True, "Fairs": False, "Nordic": True, "Slush": True, UNATTRIBUTED: False}
    assert known.index[known["top_five_roi_share"]].tolist() == ["Ads"]


def test_add_intervals_takes_each_rows_model(shared, deals, tree):
    returns = returns_of(shared, costs_of(ads=9.0), tree)
    intervals = credit_intervals(bootstrap_credit(shared, deals, tree), returns)
    by_model = pd.concat([returns.assign(model="linear"), returns.assign(model="last_touch")])
    highs = add_intervals(by_model, intervals)
    for model in ("linear", "last_touch"):
        mine, named = highs[highs["model"] == model], add_intervals(returns, intervals, model)
        wanted = intervals[intervals["model"] == model]
        for column in ("credit_low", "credit_high", "roi_low", "roi_high", "is_thin"):
            assert mine[column].tolist() == pytest.approx(wanted[column].tolist(), nan_ok=True)
            assert named[column].tolist() == pytest.approx(wanted[column].tolist(), nan_ok=True)
    assert add_intervals(returns, intervals, "mine")["credit_low"].isna().all()


def test_add_intervals_leave_room_for_the_longest(shared, deals, tree):
    returns = returns_of(shared, costs_of(ads=9.0), tree)
    intervals = credit_intervals(bootstrap_credit(shared, deals, tree), returns).set_index("campaign_name")
    highs = intervals.loc[intervals["model"] == "linear", "credit_high"]
    rows = add_intervals(returns.assign(longest=50.0), intervals.reset_index(), "linear").set_index("campaign_name")
    assert highs["Slush"] == 210.0 and highs["Ads"] > 50.0 and np.isnan(highs["Nordic"])
    assert rows.loc[["Slush", "Nordic"], "longest"].tolist() == [210.0, 210.0]           # beside each other
    assert add_intervals(returns.assign(longest=500.0), intervals.reset_index(), "linear")["longest"].eq(500.0).all()


def test_add_model_rolls_up_what_was_fitted_outside(shared, deals, tree):
    draws = bootstrap_credit(shared, deals, tree, n_resamples=2)
    money = np.array([[1.0, 2.0], [30.0, 0.0], [5.0, 6.0]])
    more = add_model(draws, "markov", pd.Series(["slush", "ads", None]), money.sum(axis=1) / 2, money)
    assert more.models == ["linear", "last_touch", "markov"] and more.money.shape == (3, 7, 2)
    for name, drawn in (("emea", [31.0, 2.0]), ("fairs", [1.0, 2.0]), ("nordic", [0.0, 0.0]),
                        (UNATTRIBUTED, [5.0, 6.0])):
        assert more.money[2, node(more, name)].tolist() == drawn
    rows = credit_intervals(more, returns_of(shared, costs_of(ads=10.0), tree)).set_index(["model", "campaign_name"])
    assert rows.loc[("markov", "Ads"), ["credit", "roi", "n_accounts"]].tolist() == [15.0, 0.5, 2]
    assert rows.loc[("markov", "EMEA"), ["credit_low", "credit_high"]].tolist() == pytest.approx(
        [2 + 29 * 0.025, 31 - 29 * 0.025], abs=0.01)
    unknown = pool_returns(more, returns_of(shared, costs_of(ads=1.0, slush=1.0), tree), "markov")
    assert unknown.set_index("campaign_id").loc[["ads", "fairs"], "pooled_roi"].isna().all()


def path_rows(*paths):
    """List journeys or paths as (conversion, campaigns, value, outcome); without campaigns one row without a touch."""
    rows = [(deal, name, at, len(met), value, outcome) for deal, met, value, outcome in paths
            for at, name in (list(enumerate(met, 1)) or [(None, None)])]
    return pd.DataFrame(rows, columns=["conversion_id", "campaign_id", "position", "n_touches", "value", "outcome"]
                        ).astype({"campaign_id": "str", "conversion_id": "str"})


def test_draw_markov_conserves_the_money_in_every_resample_also_of_deals_too_old_to_fit(tree):
    # d1 met Ads, then Slush; d2 Slush alone, before the paths begin; d3 nobody; an account that met Ads was lost.
    # Without Ads d1 is lost, and without Slush, too: both have an effect of 1, and halve what d1 and d2 bring.
    seen = [("d1", ["ads", "slush"], 60.0, "converted"), ("d2", ["slush"], 10.0, "converted"), ("d3", [], 7.0, None)]
    journeys, paths = path_rows(*seen), path_rows(seen[0], ("account:x", ["ads"], 0.0, "lost"))
    deals = deals_of(d1="acme", d2="beta", d3="di").assign(value=[60.0, 10.0, 7.0])
    none = bootstrap_credit(credits_of(linear=[]), deals, tree, n_resamples=200)
    draws = draw_markov(none, paths, journeys.drop(columns="outcome"), markov(paths), deals, n_resamples=200)
    acme, beta, di = draw_weights(3, n_resamples=200)
    for name, money in (("slush", 30 * acme + 5 * beta), ("ads", 30 * acme + 5 * beta), ("emea", 60 * acme + 10 * beta),
                        (UNATTRIBUTED, 7 * di)):
        assert draws.money[-1, node(draws, name)].tolist() == pytest.approx(money.tolist())
    assert ((acme == 0) & (beta > 0)).any() and draws.credit[-1, node(draws, "slush")] == 35.0


def test_draw_markov_fits_the_chain_to_all_accounts_as_often_as_drawn(tree):
    # Acme bought and was lost later: one weight for both. Cy, who is of no account, and Xo Ltd never bought; Beta's one
    # path is lost: it bought before the paths begin.
    seen = [("d1", ["ads", "slush"], 60.0, "converted"), ("d3", ["fairs"], 30.0, "converted")]
    others = [("account:acme", ["ads"], 0.0, "lost"), ("account:xo", ["slush", "ads"], 0.0, "lost"),
              ("person:cy", ["slush", "fairs"], 0.0, "lost"), ("account:beta", ["fairs", "slush"], 0.0, "open")]
    deals = deals_of(d1="acme", d2="beta", d3="di").assign(value=[60.0, 10.0, 30.0])
    paths, journeys = path_rows(*seen, *others), path_rows(*seen, ("d2", ["slush"], 10.0, "converted"))
    none = bootstrap_credit(credits_of(linear=[]), deals, tree, n_resamples=60)
    draws = draw_markov(none, paths, journeys, markov(paths), deals, n_resamples=60)
    acme, beta, di, xo, cy = draw_weights(5, n_resamples=60).astype(int)
    owners, n_fitted = [acme, di, acme, xo, cy, beta], 0
    for draw in range(60):
        drawn = [(f"{each[0]}-{i}", *each[1:]) for each, owner in zip([*seen, *others], owners, strict=True)
                 for i in range(owner[draw])]
        effects = markov(path_rows(*drawn)).set_index("campaign_id")["removal_effect_value"].fillna(0.0)
        if effects.sum() > 0:
            money = 60 * acme[draw] + 10 * beta[draw] + 30 * di[draw]
            expected, n_fitted = effects / effects.sum() * money, n_fitted + 1
            assert [draws.money[-1, node(draws, each), draw] for each in ("ads", "slush")] == pytest.approx(
                [expected.get("ads", 0.0), expected.get("slush", 0.0)])
    assert n_fitted > 30


def test_draw_markov_has_no_interval_where_the_model_says_nothing(tree):
    seen = [("d1", ["ads", "slush"], 60.0, "converted")]
    paths, journeys = path_rows(("d1", ["ads", "slush"], 60.0, "open"), ("d2", ["ads"], 5.0, "converted")), path_rows(
        *seen, ("d2", ["ads"], 5.0, "converted"))
    deals, costs = deals_of(d1="acme", d2="beta").assign(value=[60.0, 5.0]), costs_of(ads=10.0)
    credits = credits_of(linear=[("d1", "ads", 30.0), ("d1", "slush", 30.0), ("d2", "ads", 5.0)])
    draws = draw_markov(bootstrap_credit(credits, deals, tree), paths, journeys, markov(paths), deals)
    rows = credit_intervals(draws, returns_of(credits, costs, tree)).set_index(["model", "campaign_id"])
    assert rows.loc[("markov", "ads"), "credit"] == 65.0 and rows.loc[("markov", "ads"), "n_accounts"] == 2
    assert rows.loc[("markov", "slush"), ["credit_low", "credit_high"]].isna().all()
    assert rows.loc[("linear", "slush"), ["credit_low", "credit_high"]].notna().all()


def test_draws_intervals_and_pooling_are_the_same_to_the_bit_in_any_order_of_rows(tree):
    credits, deals = random_month(7, n_deals=60, n_accounts=25)
    rng = np.random.default_rng(8)
    seen = [(each, list(rng.choice(["slush", "nordic", "ads", "fairs"], rng.integers(1, 4))), float(value), "converted")
            for each, value in zip(deals["conversion_id"], rng.integers(1, 99, len(deals)), strict=True)]
    lost = [(f"account:{name}", list(rng.choice(["slush", "ads", "fairs"], 2)), 0.0, ("lost", "open")[i % 2])
            for i, name in enumerate([*deals["account_id"].unique(), *(f"x{j}" for j in range(30))])]
    deals, results = deals.assign(value=[value for *_, value, _ in seen]), []
    for shuffled in (lambda rows: rows, lambda rows: rows.sample(frac=1, random_state=4)):
        parts = [shuffled(each) for each in (credits, deals, tree, path_rows(*seen, *lost), path_rows(*seen))]
        one, other, campaigns, paths, journeys = parts
        one = one.sort_values("model", kind="stable")                 # models stand in the order in which they come
        draws = draw_markov(bootstrap_credit(one, other, campaigns), paths, journeys, markov(paths), other)
        returns = returns_of(one, shuffled(costs_of(slush=9.0, ads=5.0, nordic=7.0)), campaigns)
        results.append((draws, credit_intervals(draws, returns), pool_returns(draws, returns, "linear")))
    (draws, *tables), (again, *more) = results
    assert "markov" in draws.models and tables[1]["pooled_roi"].notna().sum() > 2
    assert draws.money.tobytes() == again.money.tobytes()
    for once, twice in zip(tables, more, strict=True):
        pd.testing.assert_frame_equal(once, twice, check_exact=True)


def test_compare_pairs_draws_both_together():
    # fairs always earns twice what ads does from the same accounts: far apart, though their intervals overlap
    tree = make("campaigns", campaign_id=["ads", "fairs", "mail"], parent_id=None,
                campaign_name=["Ads", "Fairs", "Mail"])
    rows = [(f"d{i}", name, value * times) for i, value in enumerate([5.0, 10.0, 40.0, 5.0, 5.0, 90.0] * 4)
            for name, times in (("ads", 1), ("fairs", 2), ("mail", 2.5 if i % 2 else 0.1))]
    credits, deals = credits_of(linear=rows), deals_of(**{f"d{i}": f"a{i}" for i in range(24)})
    draws, returns = bootstrap_credit(credits, deals, tree), returns_of(
        credits, costs_of(ads=100.0, fairs=100.0, mail=100.0), tree)
    intervals = credit_intervals(draws, returns).set_index("campaign_id")
    assert intervals.loc["ads", "roi_high"] > intervals.loc["fairs", "roi_low"]
    pairs = compare_pairs(draws, at_depth(returns, 0), "linear")
    assert list(zip(pairs["campaign_name"], pairs["other_name"], pairs["is_apart"], strict=True)) == [
        ("Fairs", "Mail", False), ("Fairs", "Ads", True), ("Mail", "Ads", False)]
    assert pairs.loc[1, "difference_low"] > 0
    assert pairs.loc[1, ["roi", "other_roi"]].tolist() == pytest.approx([11.4, 5.2])       # 2 x 620 and 620 for 100


def test_compare_pairs_leave_out_who_has_no_cost_or_earned_nothing(shared, deals, tree):
    returns = returns_of(shared, costs_of(ads=10.0, nordic=5.0), tree)
    draws = bootstrap_credit(shared, deals, tree)
    assert len(compare_pairs(draws, returns[returns["is_leaf"]], "linear")) == 0


def test_total_intervals_draw_attributed_money_by_account(tree):
    credit = make_credit(("d0", None, 500.0), *[(f"d{i}", "ads", 10.0 * i) for i in range(1, 14)])
    deals = deals_of(**{f"d{i}": f"a{i:02}" for i in range(14)})
    rows = total_intervals(credit, deals, 100.0).set_index("figure")
    drawn = np.arange(0, 140, 10.0) @ draw_weights(14)
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert rows.loc["attributed_value"].tolist() == pytest.approx([low, high])
    for figure in ("roi", "roi_expected"):
        assert rows.loc[figure].tolist() == pytest.approx([low / 100 - 1, high / 100 - 1])
    assert total_intervals(credit, deals, np.nan)["low"].notna().tolist() == [True, False, False]


def test_total_intervals_are_blank_of_few_accounts(tree):
    credit = make_credit(*[(f"d{i}", "ads", 10.0) for i in range(15)])
    same = deals_of(**{f"d{i}": f"a{min(i, 8)}" for i in range(15)})
    assert total_intervals(credit, same, 100.0)[["low", "high"]].isna().all(axis=None)
    others = deals_of(**{f"d{i}": f"a{i}" for i in range(15)})
    assert total_intervals(credit.head(10), others, 100.0)["low"].notna().all()
    assert total_intervals(credit.head(9), others, 100.0)["low"].isna().all()
    assert total_intervals(credit.head(0), same.head(0), 100.0)["low"].isna().all()


def test_weigh_siblings_of_hachemeister():
    # Hachemeister (1975), five states; Goulet's actuar: s2 139,120,026, tau2 89,639, collective premium 1,684
    claims = np.array([100155.0, 19895.0, 13735.0, 4152.0, 36110.0])
    mean = np.array([2060.921, 1511.224, 1805.843, 1352.976, 1599.829])
    z, between = weigh_siblings(claims, mean, 139120026.0)
    assert between == pytest.approx(89639, abs=1)
    assert z @ mean / z.sum() == pytest.approx(1684, abs=0.5)
    assert z == pytest.approx(claims / (claims + 139120026 / 89639), abs=1e-5)


def test_weigh_siblings_give_no_weight_where_chance_scatters_as_much():
    assert weigh_siblings(np.array([1.0, 3.0]), np.array([2.0, 2.0]), 5.0)[0].tolist() == [0.0, 0.0]
    assert weigh_siblings(np.array([1.0, 3.0]), np.array([0.0, 0.0]), 0.0)[0].tolist() == [0.0, 0.0]


def test_pool_returns_by_hand():
    # a: cost 10, credit 40 of two accounts; b: cost 10, credit 0 and 10 from one. Together 50 / 20 = 2.5 a euro.
    # s2 = 2.5 x (20^2 + 20^2 + 10^2) / 50 = 45; scatter 10 x 1.5^2 x 2 = 45, less 45: nothing between them.
    tree = make("campaigns", campaign_id=["p", "a", "b"], parent_id=[None, "p", "p"])
    deals = deals_of(d="1", e="2", f="3")
    even = credits_of(linear=[("d", "a", 20.0), ("e", "a", 20.0), ("f", "b", 10.0)])
    costs = costs_of(a=10.0, b=10.0)
    rows = pool_returns(bootstrap_credit(even, deals, tree, n_resamples=2), returns_of(even, costs, tree), "linear")
    assert rows.set_index("campaign_id")[["roi", "pooled_roi", "pooling_weight"]].loc[["p", "a", "b"]].to_numpy(
        ).tolist() == [[1.5, 1.5, 1.0], [3.0, 1.5, 0.0], [0.0, 1.5, 0.0]]
    # With 20 more of a third account, a's 60: 70 / 20 = 3.5, s2 = 3.5 x 1300 / 70 = 65; scatter 10 x 2.5^2 x 2 = 125;
    # tau2 = (125 - 65) / (20 - 10) = 6; Z = 60 / (60 + 65) = 0.48; a: 0.48 x 6 + 0.52 x 3.5 = 4.7; b: 0.48 + 1.82 = 2.3
    more = credits_of(linear=[("d", "a", 20.0), ("e", "a", 20.0), ("g", "a", 20.0), ("f", "b", 10.0)])
    draws = bootstrap_credit(more, deals_of(d="1", e="2", f="3", g="4"), tree, n_resamples=2)
    rows = pool_returns(draws, returns_of(more, costs, tree), "linear").set_index("campaign_id")
    assert rows.loc[["a", "b"], "pooled_roi"].tolist() == pytest.approx([3.7, 1.3])
    assert rows.loc[["a", "b"], "pooling_weight"].tolist() == pytest.approx([0.48, 0.48])


def test_pool_returns_leave_large_campaigns_as_they_are_and_take_an_only_child_for_its_parent(tree):
    deals = deals_of(**{f"d{i}": f"a{i}" for i in range(4000)})
    credits = credits_of(linear=[(f"d{i}", "slush" if i % 4 else "ads", 100.0) for i in range(4000)])
    returns = returns_of(credits, costs_of(slush=1e5, ads=1e5), tree)
    draws = bootstrap_credit(credits, deals, tree, n_resamples=2)
    rows = pool_returns(draws, returns, "linear").set_index("campaign_name")
    assert rows[["pooled_roi", "pooling_weight"]].loc[["Nordic", UNATTRIBUTED]].isna().all(axis=None)     # no cost
    rows = rows.dropna(subset="roi").set_index("campaign_id")
    assert rows.index.tolist() == ["emea", "ads", "fairs", "slush"]
    assert rows["pooled_roi"].tolist() == pytest.approx(rows["roi"].tolist(), abs=0.01)
    assert rows.loc["slush", ["pooled_roi", "pooling_weight"]].tolist() == rows.loc[
        "fairs", ["pooled_roi", "pooling_weight"]].tolist()
    assert rows.loc["ads", "pooling_weight"] > 0.99


def test_pool_returns_borrow_from_those_whose_cost_is_known():
    # c has credit and no cost: p's own ROI is flattered by it, what a and b borrow is not
    tree = make("campaigns", campaign_id=["p", "a", "b", "c"], parent_id=[None, "p", "p", "p"])
    credits = credits_of(linear=[("d", "a", 20.0), ("e", "b", 20.0), ("f", "c", 900.0)])
    draws = bootstrap_credit(credits, deals_of(d="1", e="2", f="3"), tree, n_resamples=2)
    rows = pool_returns(draws, returns_of(credits, costs_of(a=10.0, b=10.0), tree), "linear").set_index("campaign_id")
    assert rows.loc["p", "roi"] == 46.0 and rows.loc[["a", "b"], "pooled_roi"].tolist() == [1.0, 1.0]


def test_ancestors_of_the_draws_are_the_trees(shared, deals, tree):
    above = bootstrap_credit(shared, deals, tree, n_resamples=1).above.toarray()
    assert above.sum() == len(build_ancestors(tree)) + 2


def test_total_intervals_refuse_credit_of_an_unknown_deal():
    credit = make_credit(*[(f"d{i}", "ads", 10.0) for i in range(12)])
    with pytest.raises(TableError, match=r"credit: conversion_id not found in conversions in 1 of 12 rows"):
        total_intervals(credit, deals_of(**{f"d{i}": f"a{i}" for i in range(11)}), 100.0)


def test_compare_pairs_hold_together_and_not_each_alone(tree):
    """Of three campaigns each interval is a normal's at 5 % / 3: 2.394 standard errors to either side."""
    credit = credits_of(linear=[(f"{name}{i}", name, 10.0 + i) for name in ("ads", "mail", "fair") for i in range(4)])
    deals = deals_of(**{f"{name}{i}": f"{name}{i}" for name in ("ads", "mail", "fair") for i in range(4)})
    flat = pd.DataFrame({"campaign_id": ["ads", "mail", "fair"], "parent_id": None,
                         "campaign_name": ["Ads", "Mail", "Fair"]}, dtype="str")
    draws = bootstrap_credit(credit, deals, flat)
    rows = flat.assign(cost_with_children=[10.0, 20.0, 40.0], credit_with_children=46.0, roi=[3.6, 1.3, 0.15])
    pairs = compare_pairs(draws, rows, "linear")
    names = draws.nodes["campaign_id"].tolist()
    gap = draws.money[0, names.index("ads")] / 10 - draws.money[0, names.index("mail")] / 20
    low, high = 3.6 - 1.3 - 2.39398 * gap.std(), 3.6 - 1.3 + 2.39398 * gap.std()
    assert pairs.loc[0, ["difference_low", "difference_high"]].tolist() == pytest.approx([low, high], rel=1e-5)
