import duckdb
import oracle
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from companies import companies, tables
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.journeys import LINKINGS, build_journeys, linking_coverage
from attribution.tables import TableError

TOUCH = {"touch_id": "t", "person_id": "Ann", "account_id": "Acme", "campaign_id": "Web", "touched_at": "2026-03-01"}
DEAL = {"conversion_id": "d", "account_id": "Acme", "person_id": None, "converted_at": "2026-03-31", "value": 100.0}
HELSINKI = "Europe/Helsinki"


def make(row, *changes):
    table = pd.DataFrame([row | change for change in changes or ({},)])
    times = {column: pd.to_datetime(table[column], utc=True, format="ISO8601")
             for column in table if column.endswith("_at")}
    return table.assign(**times)


def touches_at(*moments):
    return make(TOUCH, *({"touch_id": f"t{i}", "touched_at": moment} for i, moment in enumerate(moments, 1)))


def touch_ids(journeys):
    return journeys["touch_id"].dropna().tolist()


def test_build_journeys_numbers_the_touches_of_a_deal_and_dates_them_before_it():
    journeys = build_journeys(touches_at("2026-03-30T12:00", "2026-03-01"), make(DEAL))
    assert journeys[["conversion_id", "touch_id", "campaign_id", "person_id", "value"]].values.tolist() == [
        ["d", "t2", "Web", "Ann", 100.0], ["d", "t1", "Web", "Ann", 100.0]]
    assert journeys[["position", "n_touches", "days_before"]].values.tolist() == [[1, 2, 30.0], [2, 2, 0.5]]
    assert journeys["converted_at"].eq(pd.Timestamp("2026-03-31", tz="UTC")).all()


def test_build_journeys_keeps_an_untouched_conversion_as_one_empty_row():
    journeys = build_journeys(make(TOUCH, {"account_id": "Bolt"}), make(DEAL))
    row = journeys.iloc[0]
    assert len(journeys) == 1
    assert row[["touch_id", "campaign_id", "person_id", "touched_at", "days_before"]].isna().all()
    assert (row["n_touches"], row["position"], row["value"]) == (0, 0, 100.0)
    assert not row[["is_lead_touch", "is_opportunity_touch", "is_before_opportunity"]].any()


def test_build_journeys_orders_conversions_by_time_then_id():
    deals = make(DEAL, {"conversion_id": "b"}, {"conversion_id": "a"},
                 {"conversion_id": "c", "converted_at": "2026-03-02"})
    assert build_journeys(make(TOUCH), deals)["conversion_id"].tolist() == ["c", "a", "b"]


def test_build_journeys_takes_touches_from_the_lookbacks_first_moment_to_the_conversions_own():
    touches = touches_at("2026-03-20T23:59:59.999999", "2026-03-21", "2026-03-31", "2026-03-31T00:00:00.000001")
    assert touch_ids(build_journeys(touches, make(DEAL), lookback_days=10)) == ["t2", "t3"]
    assert touch_ids(build_journeys(touches, make(DEAL), lookback_days=0)) == ["t3"]
    assert touch_ids(build_journeys(touches, make(DEAL), lookback_days=None)) == ["t1", "t2", "t3"]


def test_build_journeys_looks_back_a_year_unless_told_otherwise():
    touches = touches_at("2025-03-30T23:59:59", "2025-03-31")
    assert touch_ids(build_journeys(touches, make(DEAL))) == ["t2"]
    assert touch_ids(build_journeys(touches, make(DEAL), lookback_days=10**9)) == ["t1", "t2"]


def test_build_journeys_counts_a_touch_on_the_day_of_a_conversion_that_is_dated_by_its_day():
    end_of_day = make(DEAL, {"converted_at": "2026-03-31T20:59:59.999999"})
    assert touch_ids(build_journeys(touches_at("2026-03-30T21:00", "2026-03-31T21:00"), end_of_day)) == ["t1"]


def test_build_journeys_looks_back_by_calendar_days_across_the_change_of_clocks():
    noon = make(DEAL, {"converted_at": "2026-03-29T09:00"})              # 12:00 in Helsinki, an hour lost that night
    touches = touches_at("2026-03-27T21:59", "2026-03-27T22:00", "2026-03-28T10:00")
    journeys = build_journeys(touches, noon, lookback_days=1, time_zone=HELSINKI)
    assert touch_ids(journeys) == ["t2", "t3"]
    assert journeys["days_before"].tolist() == [35 / 24, 23 / 24]


def test_build_journeys_finds_a_day_dated_touch_exactly_the_lookback_before_a_day_dated_conversion():
    closed = make(DEAL, {"converted_at": "2026-05-05T20:59:59.999999"})  # 5 May, 90 days after 4 February
    touches = touches_at("2026-02-02T22:00", "2026-02-03T22:00")         # 3 and 4 February in Helsinki
    assert touch_ids(build_journeys(touches, closed, lookback_days=90, time_zone=HELSINKI)) == ["t2"]


def test_build_journeys_orders_touches_of_one_moment_by_kind_then_id():
    kinds = ["visit", None, "membership", "click", "response", "response"]
    touches = make(TOUCH, *({"touch_id": f"t{i}", "kind": kind} for i, kind in enumerate(kinds, 1)))
    assert touch_ids(build_journeys(touches.iloc[::-1], make(DEAL))) == ["t5", "t6", "t3", "t4", "t1", "t2"]


def linked(linking, roles, touches=None, deals=None):
    met = make(TOUCH, {"touch_id": "a"}, {"touch_id": "b", "person_id": "Bea"},
               {"touch_id": "c", "person_id": "Cem", "account_id": "Bolt"})
    roles = pd.DataFrame(roles, columns=["opportunity_id", "person_id"], dtype="str")
    return build_journeys(met if touches is None else touches, make(DEAL) if deals is None else deals, roles,
                          linking=linking)


@pytest.mark.parametrize(("linking", "roles", "expected"), [
    ("role", [("d", "Bea"), ("d", "Cem")], ["b", "c"]), ("role", [], []),
    ("account", [("d", "Bea"), ("d", "Cem")], ["a", "b"]), ("account", [], ["a", "b"]),
    ("hybrid", [("d", "Bea"), ("d", "Cem")], ["b", "c"]), ("hybrid", [], ["a", "b"]),
    ("hybrid", [("other", "Cem")], ["a", "b"]), ("hybrid", [("d", "Dag")], []),
])
def test_build_journeys_links_a_deal_by_its_roles_or_its_account(linking, roles, expected):
    assert touch_ids(linked(linking, roles)) == expected


def test_build_journeys_links_by_account_where_there_are_no_roles_at_all():
    assert touch_ids(build_journeys(make(TOUCH), make(DEAL))) == ["t"]


def test_build_journeys_counts_a_person_with_two_roles_in_a_deal_once():
    assert touch_ids(linked("role", [("d", "Bea"), ("d", "Bea")])) == ["b"]


def test_build_journeys_uses_a_touch_for_every_deal_that_its_person_has_a_role_in():
    deals = make(DEAL, {"conversion_id": "d"}, {"conversion_id": "e", "account_id": None})
    journeys = linked("hybrid", [("d", "Cem"), ("e", "Cem"), ("e", "Ann")], deals=deals)
    assert journeys[["conversion_id", "touch_id"]].values.tolist() == [["d", "c"], ["e", "a"], ["e", "c"]]


@pytest.mark.parametrize("linking", LINKINGS)
def test_build_journeys_links_a_persons_conversion_by_that_person_alone(linking):
    lead = make(DEAL, {"person_id": "Bea"})
    assert touch_ids(linked(linking, [("d", "Cem")], deals=lead)) == ["b"]


def test_build_journeys_never_links_by_an_id_that_is_missing():
    nobody = make(TOUCH, {"touch_id": "t1", "account_id": None}, {"touch_id": "t2", "person_id": None})
    deals = make(DEAL, {"conversion_id": "d", "account_id": None}, {"conversion_id": "e"})
    journeys = build_journeys(nobody, deals)
    assert journeys.set_index("conversion_id")["touch_id"].fillna("-").to_dict() == {"d": "-", "e": "t2"}


def milestones(moments, **deal):
    journeys = build_journeys(touches_at(*moments), make(DEAL, deal), time_zone=HELSINKI)
    return {flag: journeys.loc[journeys[flag], "touch_id"].tolist()
            for flag in ("is_lead_touch", "is_opportunity_touch", "is_before_opportunity")}


def test_build_journeys_gives_a_milestone_to_the_last_touch_by_its_local_day():
    moments = ["2026-03-01", "2026-03-10T21:30", "2026-03-10T22:00"]      # the last is the 11th in Helsinki
    flags = milestones(moments, lead_created_at="2026-03-10T05:00", lead_person_id="Ann",
                       opportunity_created_at="2026-03-10T22:30")
    assert flags == {"is_lead_touch": ["t2"], "is_opportunity_touch": ["t3"],
                     "is_before_opportunity": ["t1", "t2", "t3"]}


def test_build_journeys_gives_no_milestone_where_its_moment_is_unknown_or_before_every_touch():
    unknown = milestones(["2026-03-05"], lead_created_at=None, lead_person_id="Ann", opportunity_created_at=None)
    before = milestones(["2026-03-05"], lead_created_at="2026-03-01", lead_person_id="Ann",
                        opportunity_created_at="2026-03-04T12:00")
    none = {"is_lead_touch": [], "is_opportunity_touch": [], "is_before_opportunity": []}
    assert unknown == none and before == none


def test_build_journeys_gives_no_milestone_to_a_touch_outside_the_journey():
    assert milestones(["2025-03-01", "2026-03-05"], lead_created_at="2025-03-01",
                      opportunity_created_at="2025-03-02")["is_lead_touch"] == []
    after = milestones(["2026-03-05", "2026-04-02"], lead_created_at="2026-04-03", opportunity_created_at="2026-04-03")
    assert (after["is_lead_touch"], after["is_opportunity_touch"]) == (["t1"], ["t1"])


@pytest.mark.parametrize(("moment", "person", "expected"), [
    ("2026-03-10T22:00", "Ann", ["t1"]), ("2026-03-11T21:59", "Ann", ["t1"]),
    ("2026-03-11T22:00", "Ann", []), ("2026-03-10T22:00", "Bea", []), ("2026-03-10T22:00", None, []),
])
def test_build_journeys_gives_lead_creation_to_that_persons_first_touch_of_the_next_day(moment, person, expected):
    flags = milestones([moment, "2026-03-12T12:00"], lead_created_at="2026-03-10T12:00", lead_person_id=person)
    assert flags["is_lead_touch"] == expected


def test_build_journeys_gives_no_milestone_to_a_lead_of_nobody():
    deal = make(DEAL, {"lead_created_at": "2026-02-28T12:00", "lead_person_id": None})
    assert not build_journeys(make(TOUCH, {"person_id": None}), deal)["is_lead_touch"].any()


def test_build_journeys_looks_for_the_leads_own_person_among_the_next_days_touches():
    met = make(TOUCH, {"touch_id": "b", "person_id": "Bea"}, {"touch_id": "t1", "touched_at": "2026-03-01T01:00"},
               {"touch_id": "t2", "touched_at": "2026-03-01T02:00"})
    deal = make(DEAL, {"lead_created_at": "2026-02-28T12:00", "lead_person_id": "Ann"})
    journeys = build_journeys(met, deal)
    assert journeys.loc[journeys["is_lead_touch"], "touch_id"].tolist() == ["t1"]


def test_build_journeys_keeps_when_a_membership_was_made_and_edited_where_touches_say():
    met = make(TOUCH, {"joined_at": "2026-02-01", "modified_at": None})
    journeys = build_journeys(met, make(DEAL))
    assert journeys["joined_at"].tolist() == [pd.Timestamp("2026-02-01", tz="UTC")]
    assert journeys["modified_at"].isna().all()
    assert "joined_at" not in build_journeys(make(TOUCH), make(DEAL))


def as_frame(kind, table):
    arrow = pa.Table.from_pandas(table)
    return {"pyarrow": lambda: arrow, "polars": lambda: pl.from_arrow(arrow),
            "lazy polars": lambda: pl.from_arrow(arrow).lazy(), "DuckDB": lambda: duckdb.from_arrow(arrow)}[kind]()


@pytest.mark.parametrize("kind", ["pyarrow", "polars", "lazy polars", "DuckDB"])
def test_build_journeys_says_the_same_from_any_frame(kind):
    met = make(TOUCH, {"touch_id": "a", "kind": "response"}, {"touch_id": "b", "person_id": "Bea", "kind": None},
               {"touch_id": "c", "person_id": "Cem", "account_id": None, "kind": "membership"})
    deals = make(DEAL, {"lead_created_at": "2026-03-01", "lead_person_id": "Ann"}, {"conversion_id": "e"})
    roles = pd.DataFrame({"opportunity_id": ["e", "e"], "person_id": ["Ann", "Cem"]})
    expected = build_journeys(met, deals, roles)
    assert touch_ids(expected) == ["a", "b", "a", "c"]
    pd.testing.assert_frame_equal(build_journeys(*(as_frame(kind, table) for table in (met, deals, roles))), expected)


def test_build_journeys_reads_times_in_any_zone_and_unit_and_amounts_in_decimals():
    local = pd.Series(pd.to_datetime(["2026-03-31 02:59"])).dt.tz_localize(HELSINKI).dt.as_unit("ns")
    deals = duckdb.sql("select 'd' conversion_id, 'Acme' account_id, null person_id, "
                       "timestamp '2026-03-31' converted_at, 12.50::decimal(9, 2) as value")
    journeys = build_journeys(make(TOUCH).assign(touched_at=local), deals)
    assert (touch_ids(journeys), journeys["value"].tolist()) == (["t"], [12.5])


@pytest.mark.parametrize(("touch", "deal", "message"), [
    ({"touch_id": None}, {}, r"touches: touch_id is empty in 1 of 1 rows \(first: row 1\)"),
    ({"campaign_id": None}, {}, r"touches: campaign_id is empty in 1 of 1 rows \(first: t\)"),
    ({"touched_at": None}, {}, r"touches: touched_at is empty in 1 of 1 rows \(first: t\)"),
    ({"account_id": 7}, {}, "touches: account_id is int64, not text"),
    ({}, {"conversion_id": None}, "conversions: conversion_id is empty in 1 of 1 rows"),
    ({}, {"converted_at": None}, r"conversions: converted_at is empty in 1 of 1 rows \(first: d\)"),
    ({}, {"value": None}, r"conversions: value is empty in 1 of 1 rows \(first: d\)"),
    ({}, {"value": float("nan")}, "conversions: value is empty in 1 of 1 rows"),
    ({}, {"value": float("inf")}, "conversions: value is too large to split to the cent in 1 of 1 rows"),
    ({}, {"value": -1e11}, "conversions: value is too large to split to the cent in 1 of 1 rows"),
    ({}, {"value": "100"}, "conversions: value is str, not a number"),
    ({}, {"value": pd.Timestamp("2026-03-01")}, r"conversions: value is datetime64\[us\], not a number"),
    ({}, {"value": {}}, "conversions: value is object, not a number"),
])
def test_build_journeys_refuses_what_it_cannot_use(touch, deal, message):
    with pytest.raises(TableError, match=message):
        build_journeys(make(TOUCH, touch), make(DEAL, deal))


def test_build_journeys_refuses_times_that_are_text():
    with pytest.raises(TableError, match="touches: touched_at is str, not a time. Read it as a time first"):
        build_journeys(pd.DataFrame([TOUCH]), make(DEAL))


def test_build_journeys_refuses_an_id_that_comes_twice():
    with pytest.raises(TableError, match=r"touches: touch_id is not unique in 2 of 3 rows \(first: t\)"):
        build_journeys(make(TOUCH, {}, {}, {"touch_id": "u"}), make(DEAL))
    with pytest.raises(TableError, match="conversions: conversion_id is not unique in 2 of 2 rows"):
        build_journeys(make(TOUCH), make(DEAL, {}, {}))


def test_build_journeys_names_the_column_that_is_missing():
    with pytest.raises(TableError, match="touches: there is no column person_id"):
        build_journeys(make(TOUCH).drop(columns="person_id"), make(DEAL))
    with pytest.raises(TableError, match="conversions: there is no column value"):
        build_journeys(make(TOUCH), make(DEAL).drop(columns="value"))
    with pytest.raises(TableError, match="contact_roles: person_id is empty in 1 of 1 rows"):
        linked("role", [("d", None)])


@pytest.mark.parametrize(("option", "message"), [
    ({"linking": "domain"}, "linking: 'domain' is not one of role, account, hybrid"),
    ({"linking": "role"}, "linking: 'role' needs contact_roles"),
    ({"lookback_days": -1}, "lookback_days: -1 is not a whole number of days from 0"),
    ({"lookback_days": float("nan")}, "lookback_days: nan is not a whole number of days"),
    ({"lookback_days": 2.5}, "lookback_days: 2.5 is not a whole number of days"),
    ({"lookback_days": "90"}, "lookback_days: '90' is not a whole number of days"),
    ({"time_zone": "Helsinki"}, "time_zone: 'Helsinki' is not a time zone like 'Europe/Helsinki'"),
])
def test_build_journeys_refuses_an_option_it_does_not_know(option, message):
    with pytest.raises(ValueError, match=message):
        build_journeys(make(TOUCH), make(DEAL), **option)


def test_linking_coverage_counts_what_each_linking_reaches():
    met = make(TOUCH, {"touch_id": "a"}, {"touch_id": "b", "account_id": None, "person_id": "Bea"})
    deals = make(DEAL, {"value": 10.0}, {"conversion_id": "e", "account_id": "Bolt", "value": 20.0},
                 {"conversion_id": "f", "account_id": "Coop", "value": 70.0})
    roles = pd.DataFrame({"opportunity_id": ["e"], "person_id": ["Bea"]})
    coverage = linking_coverage(met, deals, roles).set_index("linking")
    assert coverage["n_reached"].to_dict() == {"role": 1, "account": 1, "hybrid": 2}
    assert coverage["value_reached"].to_dict() == {"role": 20.0, "account": 10.0, "hybrid": 30.0}
    assert coverage["reached_share"].tolist() == [1 / 3, 1 / 3, 2 / 3]
    assert coverage["value_reached_share"].tolist() == [0.2, 0.1, 0.3]
    assert (coverage[["n_conversions", "value"]] == [3, 100.0]).all(axis=None)
    assert linking_coverage(met, deals, roles, lookback_days=1)["n_reached"].tolist() == [0, 0, 0]


FLAGS = ["position", "is_lead_touch", "is_opportunity_touch", "is_before_opportunity"]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(companies(), st.sampled_from(LINKINGS), st.sampled_from([0, 1, 2, 3, 211, 365, None]))
def test_build_journeys_agrees_with_plain_loops(company, linking, lookback_days):
    journeys = build_journeys(*tables(company), linking=linking, lookback_days=lookback_days, time_zone=HELSINKI)
    said = journeys[journeys["n_touches"] > 0].set_index("conversion_id")[["touch_id", *FLAGS]]
    for conversion in company["conversions"]:
        rows = oracle.journey(conversion, company["touches"], company["contact_roles"], linking, lookback_days,
                              HELSINKI)
        expected = [[row["touch_id"], *(row[flag] for flag in FLAGS)] for row in rows]
        assert said[said.index == conversion["conversion_id"]].values.tolist() == expected


@settings(max_examples=30, deadline=None, derandomize=True)
@given(companies(), st.sampled_from(LINKINGS), st.randoms(use_true_random=False))
def test_build_journeys_says_the_same_whatever_the_order_of_rows(company, linking, random):
    shuffled = {name: random.sample(rows, len(rows)) for name, rows in company.items()}
    pd.testing.assert_frame_equal(build_journeys(*tables(shuffled), linking=linking),
                                  build_journeys(*tables(company), linking=linking))
