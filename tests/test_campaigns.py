"""The tree: ancestors of any depth, roll-ups that count each campaign once, and errors that name the campaigns."""

import numpy as np
import pandas as pd
import pytest
from conftest import make
from hypothesis import given
from hypothesis import strategies as st

from attribution.campaigns import (
    build_ancestors,
    climb_tree,
    count_blanks,
    describe_tree,
    reconcile_hierarchy,
    roll_up,
)
from attribution.tables import TableError


def tree_of(parents, **columns):
    return make("campaigns", campaign_id=list(parents), parent_id=list(parents.values()),
                campaign_name=[f"Campaign {id}" for id in parents], **columns)


@st.composite
def random_parents(draw, max_size=25):
    """A forest in any row order: each campaign hangs on an earlier one or on none."""
    parents = {f"c{i}": draw(st.sampled_from([None, *(f"c{j}" for j in range(i))]))
               for i in range(draw(st.integers(1, max_size)))}
    return {id: parents[id] for id in draw(st.permutations(list(parents)))}


def climb(parents, id):
    line = [id]
    while parents[line[-1]] is not None:
        line.append(parents[line[-1]])
    return line


# The roll-up fixture: an event with an e-mail below it.
EVENT = dict(campaign_id=["event", "email"], parent_id=[None, "event"], campaign_name=["Event", "E-mail"],
             budgeted_cost=[45000.0, 15500.0], actual_cost=[None, 20000.0], expected_revenue=[225000.0, 100000.0],
             n_sent=[18575, 18575])


def test_roll_up_of_the_event_with_an_email_below_it():
    campaigns = make("campaigns", **EVENT)
    columns = ["budgeted_cost", "actual_cost", "expected_revenue", "n_sent"]
    rolled = roll_up(campaigns.astype({"n_sent": float}), build_ancestors(campaigns), columns)
    assert rolled[[f"{column}_with_children" for column in columns]].to_numpy().tolist() == [
        [60500, 20000, 325000, 37150], [15500, 20000, 100000, 18575]]
    assert rolled["actual_cost"].isna().tolist() == [True, False]


def test_reconcile_hierarchy_agrees_with_the_event_and_shows_what_differs():
    reported = {"reported_budgeted_cost_with_children": [60500.0, 15500.0],
                "reported_actual_cost_with_children": [20000.0, 20000.0],
                "reported_n_sent_with_children": [37150.0, 18000.0],
                "reported_n_leads": [3.0, 4.0], "reported_n_leads_with_children": [7.0, None]}
    campaigns = make("campaigns", **EVENT, **reported)
    rows = reconcile_hierarchy(campaigns, build_ancestors(campaigns))
    assert rows["figure"].value_counts().to_dict() == {"budgeted_cost": 2, "actual_cost": 2, "n_sent": 2, "n_leads": 1}
    off = rows[rows["difference"] != 0]
    assert off[["campaign_id", "figure", "rolled_up", "reported", "difference"]].to_numpy().tolist() == [
        ["email", "n_sent", 18575.0, 18000.0, 575.0]]


def test_reconcile_hierarchy_without_reported_figures_is_empty():
    campaigns = make("campaigns", **EVENT)
    assert len(reconcile_hierarchy(campaigns, build_ancestors(campaigns))) == 0


def test_ancestors_reach_the_root_of_a_tree_of_seven_levels():
    parents = {"g": "f", "f": "e", "e": "d", "d": "c", "c": "b", "b": "a", "a": None}
    lines = build_ancestors(tree_of(parents)).query("campaign_id == 'g'")
    assert lines["ancestor_id"].tolist() == list("gfedcba")
    assert lines["distance"].tolist() == list(range(7))
    assert describe_tree(tree_of(parents))["depth"].tolist() == list(range(7))


@given(random_parents())
def test_ancestors_are_those_found_by_climbing(parents):
    lines = build_ancestors(tree_of(parents)).groupby("campaign_id")["ancestor_id"].agg(list).to_dict()
    assert lines == {id: climb(parents, id) for id in parents}


@given(random_parents())
def test_describe_tree_gives_parents_before_children_and_each_subtree_in_one_piece(parents):
    tree = describe_tree(tree_of(parents))
    open_line = []
    for row in tree.itertuples():
        open_line = [*open_line[:row.depth], row.campaign_id]
        assert open_line == climb(parents, row.campaign_id)[::-1]
        assert row.root_id == open_line[0]
        assert row.is_leaf == (row.campaign_id not in parents.values())


@given(random_parents(), st.data())
def test_roll_up_of_the_roots_is_the_total(parents, data):
    cents = data.draw(st.lists(st.none() | st.integers(0, 10**9), min_size=len(parents), max_size=len(parents)))
    figures = pd.DataFrame({"campaign_id": list(parents), "cost": [np.nan if c is None else c / 100 for c in cents]})
    rolled = roll_up(figures, build_ancestors(tree_of(parents)),
                     ["cost"]).set_index("campaign_id")["cost_with_children"]
    roots = [id for id, parent in parents.items() if parent is None]
    assert round(rolled[roots].sum() * 100) == sum(c or 0 for c in cents)


def test_describe_tree_orders_siblings_by_name_and_keeps_namesakes_apart():
    campaigns = make("campaigns", campaign_id=["2", "1", "4", "3"], parent_id=[None, None, "2", "1"],
                     campaign_name=["Ads", "Ads", "B", "A"])
    tree = describe_tree(campaigns)
    assert tree["campaign_id"].tolist() == ["1", "3", "2", "4"]
    assert tree["path"].tolist() == ["Ads", "Ads > A", "Ads", "Ads > B"]


def test_describe_tree_names_a_nameless_campaign_by_its_id():
    assert describe_tree(make("campaigns", campaign_id=["701"]))["path"].tolist() == ["701"]


def test_tree_of_no_campaigns_is_empty():
    none = make("campaigns")
    assert len(build_ancestors(none)) == len(describe_tree(none)) == 0


@pytest.mark.parametrize(("parents", "words"), [
    ({"a": "a"}, "1 of 1 campaigns stand above themselves in a circle (first: a)"),
    ({"a": "b", "b": "a"}, "2 of 2 campaigns stand above themselves in a circle (first: a, b)"),
    ({"tail": "mid", "mid": "x", "x": "y", "y": "z", "z": "x", "fine": None},
     "3 of 6 campaigns stand above themselves in a circle (first: x, y, z)"),
    ({"a": "b", "b": "a", "c": "c"}, "3 of 3 campaigns stand above themselves in a circle (first: a, b, c)"),
])
def test_circle_is_an_error_that_names_its_campaigns_only(parents, words):
    for on_orphan in ("raise", "leave_out"):
        with pytest.raises(TableError) as error:
            build_ancestors(tree_of(parents), on_orphan)
        assert words in str(error.value)


@pytest.mark.parametrize("n", [3, 16, 33, 1000])
def test_long_circle_is_found_whole(n):
    parents = {f"c{i:04}": f"c{(i + 1) % n:04}" for i in range(n)} | {"tail": "c0000"}
    with pytest.raises(TableError, match=rf"{n:,} of {n + 1:,} campaigns .*first: c0000, c0001, c0002"):
        build_ancestors(tree_of(parents))


def test_duplicate_id_is_an_error_that_names_the_campaign():
    twice = pd.concat([tree_of({"a": None, "b": None}), tree_of({"a": "b"})], ignore_index=True)
    with pytest.raises(TableError, match=r"campaign_id stands more than once in 2 of 3 rows \(first: a\)"):
        build_ancestors(twice)


ORPHANED = {"root": None, "child": "root", "lost": "gone", "below": "lost", "far": "below"}


def test_missing_parent_is_an_error_that_names_the_campaign_and_the_way_out():
    with pytest.raises(TableError, match=r'parent_id not found in 1 of 5 rows \(first: lost\).*on_orphan="leave_out"'):
        build_ancestors(tree_of(ORPHANED))


def test_leave_out_leaves_out_the_orphan_and_all_below_it():
    assert describe_tree(tree_of(ORPHANED), "leave_out")["campaign_id"].tolist() == ["root", "child"]
    assert set(build_ancestors(tree_of(ORPHANED), "leave_out")["campaign_id"]) == {"root", "child"}
    assert len(build_ancestors(tree_of({"lost": "gone"}), "leave_out")) == 0


def test_on_orphan_refuses_another_word():
    with pytest.raises(ValueError, match="on_orphan: 'drop' is not one of raise, leave_out"):
        build_ancestors(tree_of({"a": None}), "drop")


def test_count_blanks_counts_campaigns_below_of_which_nothing_is_known():
    # below the programme: channel over an ad of 10 and a blank one, event over a talk of 5, mail over a blank issue
    parents = {"prog": None, "chan": "prog", "ad1": "chan", "ad2": "chan", "event": "prog", "talk": "event",
               "mail": "prog", "issue": "mail"}
    costs = {"ad1": 10.0, "talk": 5.0}
    figures = pd.DataFrame({"campaign_id": list(parents), "cost": [costs.get(id) for id in parents]})
    blanks = count_blanks(figures, build_ancestors(tree_of(parents)), "cost").set_index("campaign_id")["n_blank_below"]
    assert blanks.to_dict() == {"prog": 3, "chan": 1, "ad1": 0, "ad2": 0, "event": 0, "talk": 0, "mail": 1, "issue": 0}


@pytest.mark.parametrize("depth", [-1, 1.0, "1", True])
def test_climb_tree_refuses_a_depth_that_is_no_level(depth):
    tree = pd.DataFrame({"campaign_id": ["prog", "ad"], "parent_id": [None, "prog"]}, dtype="str")
    with pytest.raises(ValueError, match="depth: .* is not a level of the tree, a whole number from 0"):
        climb_tree(tree, tree, depth)
