"""What moved since an earlier report: every cause by hand, and sums that hold whatever moved."""

import dataclasses
from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import make, path_of
from hypothesis import given, settings
from hypothesis import strategies as st
from previous_cases import END, HELSINKI, as_read, deal, previous, touches_of

from attribution.agreement import Agreement
from attribution.restated import (
    CAUSES,
    Previous,
    as_published,
    bridge_columns,
    build_bridge,
    compare_credit,
    compare_definitions,
    follow_people,
    list_restated,
    list_touches,
    moved_by_campaign,
    restated_costs,
    restated_headline,
    restated_months,
    sum_causes,
)

HERE = Agreement(time_zone=HELSINKI)
FAIR, AD, MAIL = ("f1", "slush", "2026-08-01"), ("a1", "ads", "2026-08-02"), ("n1", "nordic", "2026-08-03")


def changes_of(crm, before, now, definitions=None, lookback_days=365):
    then = previous(touches_to_date=touches_of(*before), definitions={"model": ("parameter", "linear")})
    return compare_credit(then, touches_of(*now), crm, agreement=HERE, lookback_days=lookback_days,
                          definitions=definitions)


def said(changes):
    """Give campaign, cause and difference of each change, in order of the campaigns."""
    rows = changes.fillna({"campaign_id": "-"})[["campaign_id", "cause", "difference"]]
    return sorted(rows.itertuples(index=False, name=None))


CASES = {
    "late touches": (deal("d1", 100.0, "2026-09-01", AD, (*FAIR, "2026-10-05")),
                     [("ads", "late touches", -50.0), ("slush", "late touches", 50.0)]),
    "linked since": (deal("d1", 100.0, "2026-09-01", AD, FAIR),
                     [("ads", "linked since", -50.0), ("slush", "linked since", 50.0)]),
    "amount changed": (deal("d1", 130.0, "2026-09-01", AD), [("ads", "amount changed", 30.0)]),
    "touches gone": (deal("d1", 100.0, "2026-09-01"), [("-", "touches gone", 100.0), ("ads", "touches gone", -100.0)]),
    "account merged": (deal("d1", 100.0, "2026-09-01", AD, FAIR, account="beta"),
                       [("ads", "account merged", -50.0), ("slush", "account merged", 50.0)]),
    "closing date moved": (deal("d1", 100.0, "2026-09-04", AD), [("ads", "closing date moved", 0.0)]),
    "touch let in": (deal("d1", 100.0, "2026-09-04", AD, ("f2", "slush", "2026-09-03")),
                     [("ads", "closing date moved", -50.0), ("slush", "closing date moved", 50.0)]),
    "late and dearer": (deal("d1", 130.0, "2026-09-01", AD, (*FAIR, "2026-10-05")),
                        [("ads", "amount changed", 30.0), ("ads", "late touches", -65.0),
                         ("slush", "late touches", 65.0)]),
}


@pytest.mark.parametrize("case", CASES)
def test_compare_credit_finds_the_cause_and_the_cents(crm, case):
    now, expected = CASES[case]
    assert said(changes_of(crm, [deal("d1", 100.0, "2026-09-01", AD)], [now])) == expected


def test_compare_credit_tells_a_deal_closed_since_from_one_booked_late(crm):
    now = [deal("d1", 100.0, "2026-09-01", AD), deal("d2", 60.0, "2026-10-01", AD), deal("d3", 30.0, "2026-09-30", AD)]
    changes = changes_of(crm, [deal("d1", 100.0, "2026-09-01", AD)], now)
    assert said(changes) == [("ads", "booked late", 30.0), ("ads", "closed since", 60.0)]
    assert list_restated(changes)["conversion_id"].tolist() == ["d3"]


def test_compare_credit_tells_a_deal_no_longer_won_from_a_deleted_one(crm):
    assert "d3" in set(crm.opportunities["opportunity_id"])
    before = [deal("d3", 100.0, "2026-09-01", AD), deal("d9", 40.0, "2026-09-01", AD)]
    assert said(changes_of(crm, before, [])) == [("ads", "deleted", -40.0), ("ads", "no longer won", -100.0)]


def test_compare_credit_lays_a_touch_out_of_the_look_back_to_the_date(crm):
    """A touch of 1 August 2025 lies 365 days before 1 August 2026, and 366 before the 2nd."""
    old = ("o1", "slush", "2025-08-01")
    before, now = deal("d1", 100.0, "2026-08-01", old, AD[:2] + ("2026-07-30",)), deal(
        "d1", 100.0, "2026-08-02", AD[:2] + ("2026-07-30",))
    assert said(changes_of(crm, [before], [now])) == [
        ("ads", "closing date moved", 50.0), ("slush", "closing date moved", -50.0)]


def test_compare_credit_does_not_blame_the_date_for_what_lies_inside_both_windows(crm):
    before, now = deal("d1", 100.0, "2026-09-01", FAIR, AD), deal("d1", 100.0, "2026-09-02", AD)
    assert said(changes_of(crm, [before], [now])) == [
        ("ads", "closing date moved", 0.0), ("ads", "touches gone", 50.0), ("slush", "closing date moved", 0.0),
        ("slush", "touches gone", -50.0)]


def test_compare_credit_lets_the_365th_day_lie_inside_the_window(crm):
    old, met = ("o1", "slush", "2025-08-02"), ("a1", "ads", "2026-07-30")
    before, now = deal("d1", 100.0, "2026-08-01", old, met), deal("d1", 100.0, "2026-08-02", met)
    assert {cause for _, cause, difference in said(changes_of(crm, [before], [now])) if difference} == {"touches gone"}


def test_compare_credit_names_another_split_of_the_same_touches(crm):
    now = touches_of(deal("d1", 100.0, "2026-09-01", AD, FAIR))
    now = now.assign(weight=[0.9, 0.1], credit=[90.0, 10.0])
    then = previous(touches_to_date=touches_of(deal("d1", 100.0, "2026-09-01", AD, FAIR)))
    changes = compare_credit(then, now, crm, agreement=HERE)
    assert said(changes) == [("ads", "another split", 40.0), ("slush", "another split", -40.0)]
    other = pd.DataFrame({"kind": ["agreement"]})
    changes = compare_credit(then, now, crm, agreement=HERE, definitions=other)
    assert set(changes["cause"]) == {"definitions changed"}


def test_compare_credit_blames_the_definitions_where_a_parameter_differs(crm):
    before, now = deal("d1", 100.0, "2026-09-01", AD, FAIR), deal("d1", 100.0, "2026-09-01", AD)
    differs = pd.DataFrame({"kind": ["parameter"]})
    assert {row[1] for row in said(changes_of(crm, [before], [now], differs))} == {"definitions changed"}
    assert {row[1] for row in said(changes_of(crm, [before], [now], differs.assign(kind="kit")))} == {"touches gone"}


def test_compare_credit_gives_the_rows_behind_a_change(crm):
    now = [deal("d1", 100.0, "2026-09-01", AD, (*FAIR, "2026-10-05"))]
    row = changes_of(crm, [deal("d1", 100.0, "2026-09-01", AD)], now).set_index("campaign_id").loc["slush"]
    assert row[["conversion_id", "account_id", "path", "campaign_name", "value_then", "credit_then",
                "credit_now"]].tolist() == ["d1", "acme", "EMEA > Fairs > Slush", "Slush", 100.0, 0.0, 50.0]
    assert row[["n_touches_new", "n_touches_gone"]].tolist() == [1, 0]
    assert row["closed_then_on"] == row["closed_now_on"] == pd.Timestamp("2026-09-01")


def test_compare_credit_shares_an_odd_cent_as_it_was_shared(crm):
    """100.00 in thirds is 33.34, 33.33, 33.33; 100.01 is 33.34, 33.34, 33.33: the one cent goes to the second."""
    before, now = (deal("d1", value, "2026-09-01", FAIR, AD, MAIL) for value in (100.0, 100.01))
    assert said(changes_of(crm, [before], [now])) == [("ads", "amount changed", 0.01)]


def test_compare_credit_shares_an_amount_by_the_shares_of_then(crm):
    """Two of three cents go by the old halves, rounded to the larger remainder; the rest is the late touch's."""
    before, now = deal("d1", 0.02, "2026-09-01", FAIR, AD), deal(
        "d1", 0.05, "2026-09-01", FAIR, AD, (*MAIL, "2026-10-03"))
    changes = changes_of(crm, [before], [now])
    sums = changes.groupby("cause")["difference"].sum().round(2).to_dict()
    assert sums == {"amount changed": 0.03, "late touches": 0.0}


def test_compare_credit_takes_equal_shares_for_equal_though_six_decimals_are_kept(crm):
    """0.1234567 of a million is 123,456.70; by the 0.123457 that was published it would be 123,457.00."""
    before, now = (touches_of(deal("d1", value, "2026-09-01", FAIR, AD)).assign(
        weight=[0.1234567, 0.8765433], credit=credit) for value, credit in (
            (1000.0, [123.46, 876.54]), (1_000_000.0, [123456.7, 876543.3])))
    changes = compare_credit(previous(touches_to_date=before), now, crm, agreement=HERE)
    assert said(changes) == [("ads", "amount changed", 875666.76), ("slush", "amount changed", 123333.24)]


@pytest.mark.parametrize(("value", "credit", "expected"), [
    (100_000.0, [8230.45, 58436.22, 33333.33], [
        ("ads", "late touches", -29218.11), ("nordic", "late touches", 33333.33), ("slush", "late touches", -4115.22)]),
    (100_100.0, [8238.68, 58494.65, 33366.67], [
        ("ads", "amount changed", 87.65), ("ads", "late touches", -29247.33), ("nordic", "late touches", 33366.67),
        ("slush", "amount changed", 12.35), ("slush", "late touches", -4119.34)]),
    (99_900.0, [8222.22, 58377.78, 33300.0], [
        ("ads", "amount changed", -87.65), ("ads", "late touches", -29188.9), ("nordic", "late touches", 33300.0),
        ("slush", "amount changed", -12.35), ("slush", "late touches", -4111.1)]),
])
def test_compare_credit_shares_what_the_amount_changed_and_no_rounding_of_weights(crm, value, credit, expected):
    """Of 100.00 more, 0.1234567 is 12.35 and 0.8765433 is 87.65; a late touch takes a third of it all."""
    before = touches_of(deal("d1", 100_000.0, "2026-09-01", FAIR, AD)).assign(
        weight=[0.1234567, 0.8765433], credit=[12345.67, 87654.33])
    now = touches_of(deal("d1", value, "2026-09-01", FAIR, AD, (*MAIL, "2026-10-03"))).assign(
        weight=[0.1234567 * 2 / 3, 0.8765433 * 2 / 3, 1 / 3], credit=credit)
    assert said(compare_credit(previous(touches_to_date=before), now, crm, agreement=HERE)) == expected


@pytest.mark.parametrize(("before", "now", "cause", "difference"), [
    ([], [deal("d3", 0.0, "2026-09-10", AD)], "booked late", 1),
    ([deal("d3", 0.0, "2026-09-10", AD)], [], "no longer won", -1),
    ([deal("d9", 0.0, "2026-09-10")], [], "deleted", -1),
])
def test_compare_credit_tells_of_deals_worth_nothing(crm, before, now, cause, difference):
    d1 = deal("d1", 100.0, "2026-09-01", AD)
    then, touches = previous(headline=pd.DataFrame({"measure": ["n_won"], "exact": [1.0 + len(before)]}),
                             touches_to_date=touches_of(d1, *before)), touches_of(d1, *now)
    changes = compare_credit(then, touches, crm, agreement=HERE)
    assert changes[["cause", "difference"]].values.tolist() == [[cause, 0.0]]
    months = restated_months(then, touches, changes, HERE)
    assert (months["n_now"] - months["n_then"]).tolist() == [difference] and months["causes"].tolist() == [cause]
    figures = pd.DataFrame({"figure": ["n_won"], "value": [1.0 + len(now)], "unit": ["count"]})
    headline = restated_headline(then, figures, changes, pd.DataFrame())
    assert headline[["difference", "causes"]].values.tolist() == [[difference, cause]]


def test_compare_credit_does_not_call_a_first_account_a_merge(crm):
    before, now = deal("d1", 100.0, "2026-09-01", AD, account=None), deal(
        "d1", 100.0, "2026-09-01", AD, (*FAIR, "2026-10-05"))
    assert said(changes_of(crm, [before], [now])) == [("ads", "late touches", -50.0), ("slush", "late touches", 50.0)]


def test_compare_credit_follows_a_lead_that_became_a_contact(crm):
    """L1 is Ann's lead: who was L1 then is Ann today, and nothing has moved."""
    assert follow_people(pd.Series(["L1", "d1"]), crm).tolist() == ["ann", "d1"]
    assert follow_people(pd.Series(["L1", "ann"]), crm).tolist() == ["L1", "ann"]
    before, now = ([deal(who, 10.0, "2026-09-01", AD)] for who in ("L1", "ann"))
    assert changes_of(crm, before, now).empty


def test_list_touches_gives_what_a_later_report_needs(crm, agreement):
    _, conversions, journeys, credit = path_of(crm, agreement)
    table = list_touches(conversions, journeys, credit, crm.campaigns)
    assert table[["conversion_id", "touch_id", "path", "credit"]].values.tolist() == [
        ["d1", "t1", "EMEA > Fairs > Slush", 1000.0], ["d2", "t1", "EMEA > Fairs > Slush", 300.0],
        ["d2", "t2", "EMEA > Ads", 300.0]]
    assert table["account_id"].tolist() == ["acme"] * 3
    read = as_read(table)
    assert read.equals(as_published(table, HELSINKI).assign(weight=table["weight"].round(6)))


def test_sum_causes_counts_what_changed_hands_once(crm):
    before = [deal("d1", 100.0, "2026-09-01", AD), deal("d2", 40.0, "2026-09-01", AD)]
    now = [deal("d1", 100.0, "2026-09-01", AD, (*FAIR, "2026-10-05")), deal("d2", 70.0, "2026-09-01", AD)]
    sums = sum_causes(changes_of(crm, before, now))
    assert sums.values.tolist() == [["late touches", 1, 0.0, 50.0], ["amount changed", 1, 30.0, 30.0]]


def test_moved_by_campaign_adds_up_campaigns_and_leaves_out_moved_dates(crm):
    before = [deal("d1", 100.0, "2026-09-01", AD), deal("d2", 40.0, "2026-09-01", AD)]
    now = [deal("d1", 110.0, "2026-09-01", AD), deal("d2", 45.0, "2026-09-02", AD)]
    moved = moved_by_campaign(list_restated(changes_of(crm, before, now)))
    assert moved.values.tolist() == [["ads", "Ads", "amount changed", 15.0]]
    assert moved_by_campaign(list_restated(changes_of(crm, before, before))).empty


def test_build_bridge_leads_from_then_to_now_at_every_level(crm):
    before = [deal("d1", 100.0, "2026-09-01", AD), deal("d2", 40.0, "2026-09-01")]
    now = [deal("d1", 110.0, "2026-09-01", AD), deal("d2", 40.0, "2026-09-01", (*FAIR, "2026-10-05")),
           deal("d3", 7.0, "2026-10-04", MAIL)]
    then = previous(touches_to_date=touches_of(*before))
    changes = compare_credit(then, touches_of(*now), crm, agreement=HERE)
    bridge = build_bridge(then, changes, crm.campaigns)
    columns = ["campaign_name", *[f"{name}_with_children" for name in (
        "then", "closed_since", "amount_changed", "late_touches", "now")]]
    assert bridge[columns].values.tolist() == [
        ["EMEA", 100.0, 7.0, 10.0, 40.0, 157.0], ["Ads", 100.0, 0.0, 10.0, 0.0, 110.0],
        ["Fairs", 0.0, 7.0, 0.0, 40.0, 47.0], ["Nordic", 0.0, 7.0, 0.0, 0.0, 7.0],
        ["Slush", 0.0, 0.0, 0.0, 40.0, 40.0], ["(unattributed)", 40.0, 0.0, 0.0, -40.0, 0.0]]
    assert bridge["campaign_id"].isna().tolist() == [False] * 5 + [True]
    assert bridge_columns(bridge) == ("campaign", "then_with_children", "closed_since_with_children",
                                      "amount_changed_with_children", "late_touches_with_children",
                                      "now_with_children")


def test_restated_months_moves_a_deal_from_its_month_to_the_other(crm):
    before = [deal("d1", 100.0, "2026-08-31", AD), deal("d2", 40.0, "2026-09-01")]
    now = [deal("d1", 100.0, "2026-09-01", AD), deal("d2", 40.0, "2026-09-01"), deal("d3", 9.0, "2026-10-01", AD)]
    then = previous(touches_to_date=touches_of(*before))
    touches = touches_of(*now)
    changes = compare_credit(then, touches, crm, agreement=HERE)
    months = restated_months(then, touches, changes, HERE).set_index("month")
    assert months[["value_then", "value_now", "attributed_now", "unattributed_now", "n_then", "n_now", "difference",
                   "causes"]].values.tolist() == [
        [100.0, 0.0, 0.0, 0.0, 1, 0, -100.0, "closing date moved"],
        [40.0, 140.0, 100.0, 40.0, 1, 2, 100.0, "closing date moved"]]
    assert months.index.tolist() == ["2026-08", "2026-09"]


def test_restated_costs_lists_the_campaigns_whose_month_costs_otherwise(crm):
    booked = pd.DataFrame({"campaign_id": ["slush", "ads", "nordic", None], "cost": [900.0, None, 100.0, None]})
    then = previous(booked_clock=booked.astype({"campaign_id": "str"}))
    spent = pd.DataFrame({"campaign_id": ["slush", "ads", "nordic", "unknown"], "cost": [900.0, 50.0, 70.0, 5.0]})
    costs = restated_costs(then, spent, crm.campaigns)
    assert costs[["campaign_id", "path", "difference"]].values.tolist() == [
        ["ads", "EMEA > Ads", 50.0], ["nordic", "EMEA > Fairs > Nordic", -30.0]]
    assert restated_costs(Previous("2026-09", END), spent, crm.campaigns).empty


def test_restated_headline_says_what_moved_each_figure(crm):
    before, now = [deal("d1", 100.0, "2026-09-01", AD)], [deal("d1", 130.0, "2026-09-01", AD)]
    changes = changes_of(crm, before, now)
    names = ["won_value", "n_won", "cost", "roi", "n_mqls", "cost_per_mqls", "n_sqls", "cost_per_sqls"]
    published = pd.DataFrame({"measure": names, "exact": [100.0, 1, 50.0, 1.0, 5, 10.0, 2, 25.0]})
    figures = pd.DataFrame({"figure": names, "value": [130.0, 1, 65.0, 1.0, 13, 5.0, 2, 32.5],
                            "unit": ["money", "count", "money", "ratio", "count", "money", "count", "money"]})
    then = previous(headline=published, touches_to_date=touches_of(*before))
    costs = pd.DataFrame({"campaign_id": ["ads"]})
    table = restated_headline(then, figures, changes, costs)
    assert table[["difference", "causes"]].values.tolist() == [
        [30.0, "amount changed"], [0.0, ""], [15.0, "cost changed"], [0.0, ""], [8.0, "other records changed"],
        [-5.0, "cost changed, other records changed"], [0.0, ""], [7.5, "cost changed"]]


def test_compare_definitions_compares_what_both_know():
    then = Previous("2026-09", END, {"deals": pd.DataFrame()}, {"linking": ("parameter", "role"), "kit": ("kit", "1")})
    table = compare_definitions(then, {"linking": ("parameter", "hybrid"), "kit": ("kit", "1"), "new": ("kit", "2")})
    assert table.values.tolist() == [["linking", "parameter", "role", "hybrid"]]
    assert compare_definitions(Previous("2026-09", END), {"kit": ("kit", "1")}).empty


def test_without_an_earlier_report_everything_is_of_today(crm):
    then, touches = Previous("2026-10", END), touches_of(deal("d1", 100.0, "2026-09-01", AD))
    assert not then.is_given
    early = dataclasses.replace(then, known_until=pd.Timestamp("1900-01-01", tz="UTC"))
    changes = compare_credit(early, touches, crm, agreement=HERE)
    assert list_restated(changes).empty and set(changes["cause"]) == {"closed since"}


TOUCH = st.tuples(st.sampled_from(["t1", "t2", "t3", "t4"]), st.sampled_from(["2026-07-01", "2025-08-15"]),
                  st.sampled_from(["2026-07-02", "2026-10-05"]))
WHERE = {"t1": "slush", "t2": "ads", "t3": "nordic", "t4": "gone"}


@st.composite
def companies(draw):
    """Draw won deals, each with a value in cents, a day, an account and some touches."""
    deals = []
    for name in draw(st.lists(st.sampled_from(["d1", "d2", "d3", "d9"]), unique=True)):
        touches = draw(st.lists(TOUCH, max_size=3, unique_by=lambda touch: touch[0]))
        met = [(name + touch, WHERE[touch], day, edited) for touch, day, edited in touches]
        day = draw(st.sampled_from(["2026-08-10", "2026-09-20", "2026-10-02"]))
        cents = draw(st.sampled_from([0, 10_000_000, 10_000_001]) | st.integers(0, 10**10))
        deals.append(deal(name, cents / 100, day, *met,
                          account=draw(st.sampled_from(["acme", "beta", None]))))
    return deals


#: Parts of credit that are no fractions 1/n, and that six decimals do not hold.
PARTS = {"t1": 0.1234567, "t2": 0.8765433, "t3": 0.3141592653, "t4": 1 / 7}


def unevenly(touches):
    """Share the deals again, by PARTS: each touch earns what the rounded sum to date grows by."""
    part = touches["touch_id"].str[2:].map(PARTS).fillna(1.0).astype(float)
    deals = touches.assign(weight=part / part.groupby(touches["conversion_id"]).transform("sum"))
    sums = deals.groupby("conversion_id")["weight"].cumsum().mul(deals["value"] * 100).round()
    return deals.assign(credit=sums.groupby(deals["conversion_id"]).diff().fillna(sums) / 100)


def cents_by_campaign(touches):
    return touches.fillna({"campaign_id": "-"}).groupby("campaign_id")["credit"].sum().mul(100).round()


#: A CRM that knows a tree, and the deals d1 to d3.
SMALL = SimpleNamespace(
    campaigns=make("campaigns", campaign_id=["emea", "slush", "nordic", "ads"],
                   parent_id=[None, "emea", "emea", "emea"], campaign_name=["EMEA", "Slush", "Nordic", "Ads"]),
    people=make("people", person_id=["ann"]), opportunities=make("opportunities", opportunity_id=["d1", "d2", "d3"]))


SPLITS = st.sampled_from([touches_of, lambda *deals: unevenly(touches_of(*deals))])


@settings(max_examples=40)
@given(companies(), companies(), SPLITS, SPLITS)
def test_differences_sum_to_what_changed_to_the_cent(before, now, split_then, split_now):
    reported, touches = split_then(*before), split_now(*now)
    then = previous(touches_to_date=reported)
    changes = compare_credit(then, touches, SMALL, agreement=HERE)
    moved = changes.fillna({"campaign_id": "-"}).groupby("campaign_id")["difference"].sum().mul(100).round()
    expected = cents_by_campaign(touches).sub(cents_by_campaign(reported), fill_value=0)
    assert moved[moved != 0].to_dict() == expected[expected != 0].to_dict()
    assert set(changes["cause"]) <= set(CAUSES)
    bridge = build_bridge(then, changes, SMALL.campaigns)
    roots = bridge[bridge["depth"] == 0]
    assert round(roots["then_with_children"].sum(), 2) == round(sum(each["value"] for each in before), 2)
    assert round(roots["now_with_children"].sum(), 2) == round(sum(each["value"] for each in now), 2)


@settings(max_examples=80)
@given(companies(), companies(), SPLITS, SPLITS)
def test_an_amount_moves_by_what_it_changed_and_the_rest_by_nothing(before, now, split_then, split_now):
    """Of a deal in both reports: what the amount gained sums to the amount, what moved for other causes to 0."""
    changes = compare_credit(previous(touches_to_date=split_then(*before)), split_now(*now), SMALL, agreement=HERE)
    was, is_now = ({each["name"]: round(each["value"] * 100) for each in deals} for deals in (before, now))
    both = changes[changes["conversion_id"].isin(set(was) & set(is_now))]
    by_amount = both["cause"] == "amount changed"
    cents = both["difference"].mul(100).round().astype(int)
    gained = cents[by_amount].groupby(both["conversion_id"]).sum().to_dict()
    assert gained == {name: is_now[name] - was[name] for name in was if name in is_now and is_now[name] != was[name]}
    assert not cents[~by_amount].groupby(both["conversion_id"]).sum().any()


@settings(max_examples=15)
@given(companies(), SPLITS)
def test_nothing_changed_is_no_row(before, split):
    then = previous(touches_to_date=split(*before))
    assert compare_credit(then, split(*before), SMALL, agreement=HERE).empty


@settings(max_examples=15)
@given(companies(), companies(), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(before, now, random):
    then, touches = previous(touches_to_date=touches_of(*before)), touches_of(*now)
    order = random.sample(range(len(touches)), len(touches))
    mixed = dataclasses.replace(then, tables={"touches_to_date": then.tables["touches_to_date"].iloc[::-1]})
    changes = compare_credit(then, touches, SMALL, agreement=HERE)
    assert compare_credit(mixed, touches.iloc[order], SMALL, agreement=HERE).equals(changes)
