"""Who went back, who came again and what they share: counted by hand."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hand_overs import HELSINKI, attempts_of, entries_of, responses_of, utc

from attribution.returned import list_facts, list_returned, returned_after, returned_causes, returned_share


@pytest.fixture
def went_back():
    """Ann goes back and returns for good, Bo goes back and never returns, Cy is disqualified, Di moves on."""
    return entries_of(
        ("ann", "lead", "2026-10-01", "2026-11-02", "mql"), ("ann", "mql", "2026-11-02", "2026-11-04T12:00Z", "lead"),
        ("ann", "lead", "2026-11-04T12:00Z", "2026-11-20", "mql", {"lifecycle": 2}),
        ("ann", "mql", "2026-11-20", "2026-11-21", "sql", {"lifecycle": 2, "opportunity_id": "d-1"}),
        ("ann", "sql", "2026-11-21", "2026-11-22", "opportunity", {"lifecycle": 2, "opportunity_id": "d-1"}),
        ("bo", "mql", "2026-11-02", "2026-11-05", "sql"), ("bo", "sql", "2026-11-05", "2026-11-06", "mql"),
        ("bo", "mql", "2026-11-06", None, None, {"lifecycle": 2}),
        ("cy", "mql", "2026-11-02", "2026-11-04", "out"), ("di", "mql", "2026-11-02", "2026-11-04", "sql"),
        ("d-1", "customer", "2026-11-02", "2026-11-04", "opportunity"))


def returned_in(entries, first="2026-11-01", last="2026-11-30", agreement=HELSINKI):
    return list_returned(entries, agreement, first=utc(first), last=utc(last))


def test_returned_are_people_who_went_to_an_earlier_stage(went_back):
    rows = returned_in(went_back)
    facts = ["person_id", "stage", "left_to", "days_in_stage", "is_back", "is_reconverted"]
    assert rows[facts].to_numpy().tolist() == [
        ["ann", "mql", "lead", 2.5, True, True], ["bo", "sql", "mql", 1.0, False, False]]
    assert rows["returned_at"].tolist() == [utc("2026-11-04 12:00"), utc("2026-11-06")]
    assert rows["came_back_at"].tolist() == [utc("2026-11-20"), pd.NaT]
    assert rows["record_id"].tolist() == ["ann", "bo"]


def test_returned_lie_in_the_period_with_both_ends(went_back):
    assert returned_in(went_back, "2026-11-04 12:00", "2026-11-06")["person_id"].tolist() == ["ann", "bo"]
    assert returned_in(went_back, "2026-11-04 12:01", "2026-11-05")["person_id"].tolist() == []


def test_returned_start_from_the_hand_over_stage(went_back):
    no_promise = dataclasses.replace(HELSINKI, promises=())                    # then sales' first stage: sql
    assert returned_in(went_back, agreement=no_promise)["person_id"].tolist() == ["bo"]


def test_returned_of_nobody_are_none(went_back):
    none = returned_in(went_back.head(0))
    assert len(none) == 0
    assert none.dtypes.equals(returned_in(went_back).dtypes)
    pd.testing.assert_frame_equal(returned_in(went_back.iloc[::-1]), returned_in(went_back))


def test_returned_share_counts_people_handed_over(went_back):
    responses = responses_of(went_back, attempts_of())
    row = returned_share(returned_in(went_back), responses).iloc[0]
    assert row[["n", "n_returned", "n_back", "n_reconverted"]].tolist() == [4, 2, 1, 1]
    assert row[["returned_share", "back_share"]].tolist() == [0.5, 0.5]
    # Wilson's interval of 2 of 4 and 1 of 2
    assert row[["returned_low", "returned_high", "back_low", "back_high"]].tolist() == pytest.approx(
        [0.150039, 0.849961, 0.094531, 0.905469], abs=1e-6)
    lately = responses[responses["handed_over_at"] > utc("2026-11-06")]
    assert returned_share(returned_in(went_back), lately)[["n", "n_returned"]].to_numpy().tolist() == [[1, 0]]
    assert returned_share(returned_in(went_back.head(0)), responses.head(0))["returned_share"].isna().tolist() == [True]


def test_causes_compare_the_returned_with_everybody_handed_over():
    ids = pd.Series([f"p{i:03}" for i in range(100)])
    facts = pd.DataFrame({"person_id": ids, "country": ["FI"] * 50 + ["SE"] * 45 + ["NO"] * 3 + ["DK", None],
                          "title": "CEO"}).astype("str")
    returned = pd.DataFrame({"person_id": ids.iloc[[*range(20), *range(50, 55)]]})
    twice = pd.DataFrame({"person_id": pd.concat([ids, ids])})
    rows = returned_causes(returned, twice, facts)
    assert rows[["field", "value", "n", "n_returned", "is_clear", "n_comparisons"]].to_numpy().tolist() == [
        ["country", "FI", 50, 20, True, 4], ["country", "SE", 45, 5, True, 4], ["country", "others", 5, 0, False, 4],
        ["title", "CEO", 100, 25, False, 4]]
    assert rows["returned_rate"].tolist() == pytest.approx([0.4, 1 / 9, 0, 0.25])
    assert rows["rest_rate"].tolist() == pytest.approx([0.1, 20 / 55, 25 / 95, np.nan], nan_ok=True)
    assert rows["lift"].tolist() == pytest.approx([1.6, 4 / 9, 0, 1])
    assert rows.loc[0, ["rate_low", "rate_high"]].tolist() == pytest.approx([0.27610, 0.53816], abs=5e-5)
    assert returned_causes(returned, twice, facts, n_least=1).query("field == 'country'")["value"].tolist() == [
        "FI", "SE", "DK", "NO", "not known"]


def test_returned_after_leaves_out_those_who_went_back_before(crm):
    returned = pd.DataFrame({"person_id": ["ann", "ann", "bo", "cy"],
                             "returned_at": pd.to_datetime(["2026-11-01", "2026-11-03", "2026-11-05", "2026-11-05"],
                                                           utc=True)}).astype({"person_id": "str"})
    responses = pd.DataFrame({"person_id": ["ann", "ann", "bo"],
                              "handed_over_at": pd.to_datetime(["2026-11-04", "2026-11-02", "2026-11-06"],
                                                               utc=True)}).astype({"person_id": "str"})
    assert returned_after(returned, responses).index.tolist() == [1]


def test_causes_of_nobody_are_none():
    facts = pd.DataFrame({"person_id": [], "country": []}, dtype="str")
    assert len(returned_causes(facts, facts, facts)) == 0


def test_facts_come_from_the_person_and_the_first_touch(crm):
    responses = responses_of(entries_of(("ann", "mql", "2026-11-02"), ("di", "mql", "2026-11-02")), attempts_of())
    people = crm.people.assign(country=["FI", "SE", "NO", None], title="CEO")
    campaigns = crm.campaigns.assign(channel=["Other", "Other", "Trade show", "Other", "Ads"])
    rows = list_facts(dataclasses.replace(crm, people=people, campaigns=campaigns), responses)
    assert rows.fillna("?").to_numpy().tolist() == [
        ["ann", "FI", "?", "?", "CEO", "Trade show", "never", "North"],
        ["di", "?", "?", "?", "CEO", "Ads", "never", "North"]]
