"""Hand-overs and stage entries that read otherwise than they were reported, each with its cause."""

import dataclasses
from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import make
from hand_overs import HELSINKI, SALES, attempts_of, entries_of, responses_of, utc
from hypothesis import given, settings
from hypothesis import strategies as st
from previous_cases import as_read, previous

from attribution.rejudged import (
    compare_entries,
    compare_hand_overs,
    list_entries,
    list_hand_overs,
    list_rejudged,
    rejudged_months,
    restated_funnel,
)
from attribution.restated import Previous

# Hand-overs of Monday 2 November 2026, 10:00 in Helsinki: 16 business hours later is Wednesday 4, 10:00.
AT, DUE = "2026-11-02 08:00", pd.Timestamp("2026-11-04 10:00")
END, LATER = utc("2026-11-30 21:59:59.999999"), utc("2026-12-31 21:59:59.999999")
CRM = SimpleNamespace(people=make("people", person_id=["ann", "bo"], lead_id=["L1", None]),
                      opportunities=make("opportunities", opportunity_id=["d-1"]))


def reported(responses, month="2026-11"):
    return previous(month, END, hand_overs=list_hand_overs(responses))


def compared(before, now, crm=CRM, agreement=HELSINKI):
    """Compare responses of November, reported at its end, with those of December."""
    return compare_hand_overs(reported(before), now, crm, agreement)


def lead(person="ann", at=AT, owner="aino", **flags):
    return entries_of((person, "mql", at, None, None, flags), owner_id=owner)


def later(entries, attempts, **options):
    return responses_of(entries, attempts, as_of=LATER, **options)


NONE = attempts_of()
FRESH = attempts_of(("ann", "2026-11-30 09:00"))      # in time before the limit has passed: not counted yet
SOON, LATE = attempts_of(("ann", "2026-11-02 09:00")), attempts_of(("ann", "2026-11-05 09:00"))
# The 14 days for two attempts: of the 2nd to the end of the 16th, of the 16th to that of the 30th, of the 17th longer.
TWICE = attempts_of(("ann", "2026-11-02 09:00"), ("ann", "2026-11-16 21:59"))
LEFT = entries_of(("ann", "mql", AT, "2026-11-10 08:00", "sql"))
ON_16, ON_17 = "2026-11-16 08:00", "2026-11-17 08:00"
MET_16, MET_17 = attempts_of(("ann", "2026-11-16 09:00")), attempts_of(("ann", "2026-11-17 09:00"))
LEFT_16 = entries_of(("ann", "mql", ON_16, "2026-11-20 08:00", "sql"))
DAYS_ALONE = dataclasses.replace(SALES, within_hours=None)
LATER_OPEN = dataclasses.replace(HELSINKI, hours=dataclasses.replace(HELSINKI.hours, opens="10:30"))


@pytest.mark.parametrize(("before", "now", "cause"), [
    (responses_of(lead(), NONE), later(lead(), SOON), "contact logged late"),
    (responses_of(lead(), LATE), later(lead(), SOON), "contact logged late"),
    (responses_of(lead(), SOON), later(lead(), NONE), "contact gone"),
    (responses_of(lead(), SOON), later(lead(), LATE), "contact gone"),
    (responses_of(lead("zoe"), NONE), later(lead().head(0), NONE), "record gone"),
    (responses_of(lead("bo"), NONE), later(lead().head(0), NONE), "hand-over gone"),
    (responses_of(lead().head(0), NONE), later(lead(), NONE), "hand-over appeared"),
    (responses_of(lead(), SOON), later(lead(owner="eero"), SOON), "owner changed"),
    (responses_of(lead(), SOON), later(lead(), SOON, promise=dataclasses.replace(SALES, within_hours=8)),
     "limit changed"),
    (responses_of(lead(), NONE), later(entries_of(("ann", "mql", AT, "2026-11-03 08:00", "lead")), NONE),
     "history changed"),
    (responses_of(lead(), NONE), later(lead(), attempts_of(("ann", "2026-12-03 09:00"))), "judged since"),
    (responses_of(lead(), TWICE), later(lead(), SOON), "attempts changed"),
    (responses_of(lead(), SOON), later(lead(), TWICE), "attempts changed"),
    (responses_of(lead(), TWICE), later(lead(owner="eero"), SOON), "attempts changed"),
    (responses_of(lead(), SOON), later(LEFT, SOON), "history changed"),
    (responses_of(LEFT, SOON), later(lead(), SOON), "history changed"),
    (responses_of(LEFT_16, MET_16), later(lead(at=ON_16), MET_16), "history changed"),
    (responses_of(lead(at=ON_17), MET_17), later(lead(at=ON_17), MET_17), "attempts judged since"),
    (responses_of(lead(at=ON_17), MET_17), later(lead(at=ON_17, owner="eero"), MET_17), "owner changed"),
    (responses_of(lead(), SOON, promise=DAYS_ALONE), later(lead(), SOON, promise=DAYS_ALONE, agreement=LATER_OPEN),
     "hours changed"),
    (responses_of(lead(at="2026-11-30 08:00"), NONE), later(lead(at="2026-11-30 08:00"), NONE), "judged since"),
    (responses_of(lead(at="2026-11-30 08:00"), FRESH), later(lead(at="2026-11-30 08:00"), FRESH), "judged since"),
])
def test_compare_hand_overs_finds_the_cause(before, now, cause):
    assert compared(before, now)["cause"].tolist() == [cause]


def test_compare_hand_overs_sees_attempts_judged_otherwise_as_no_course_of_things():
    changes = compared(responses_of(lead(), TWICE), later(lead(), SOON))
    assert list_rejudged(changes)["person_id"].tolist() == ["ann"]
    first = compared(responses_of(lead(at=ON_17), MET_17), later(lead(at=ON_17), MET_17))
    assert len(first) == 1 and list_rejudged(first).empty


def test_compare_hand_overs_gives_what_was_and_what_is():
    row = compared(responses_of(lead(), NONE), later(lead(), SOON)).iloc[0]
    assert row[["person_id", "month", "outcome_then", "outcome_now", "owner_then"]].tolist() == [
        "ann", "2026-11", "never", "in time", "aino"]
    assert row[["handed_over_at", "first_attempt_now_at", "due_now_at"]].tolist() == [
        pd.Timestamp("2026-11-02 10:00"), pd.Timestamp("2026-11-02 11:00"), DUE]


def test_compare_hand_overs_leaves_out_what_stands():
    assert compared(responses_of(lead(), SOON), later(lead(), SOON)).empty
    assert compared(responses_of(lead("L1"), NONE), later(lead("ann"), NONE)).empty      # a contact by now


def test_compare_hand_overs_looks_at_the_months_reported_alone():
    now = later(pd.concat([lead(), lead("bo", "2026-12-02 08:00"), lead("bo", "2025-11-02 08:00")]), NONE)
    assert compared(responses_of(lead(), NONE), now).empty


def test_list_rejudged_leaves_out_what_took_its_course():
    before = responses_of(pd.concat([lead(), lead("bo", "2026-11-30 08:00")]), NONE)
    now = later(pd.concat([lead(), lead("bo", "2026-11-30 08:00")]), SOON)
    changes = compared(before, now)
    assert changes["cause"].tolist() == ["judged since", "contact logged late"]
    assert list_rejudged(changes)["person_id"].tolist() == ["ann"]


def test_rejudged_months_counts_both_and_says_why():
    before, now = responses_of(lead(), NONE), later(pd.concat([lead(), lead("bo")]), SOON)
    months = rejudged_months(reported(before), now, compared(before, now), HELSINKI)
    assert months.values.tolist() == [
        ["2026-11", 1, 1, 0, 2, 2, 1, 0.0, 0.5, "contact logged late, hand-over appeared"]]


def test_without_an_earlier_report_there_is_nothing_to_rejudge():
    none, now = Previous("2026-11", END), later(lead(), SOON)
    assert compare_hand_overs(none, now, CRM, HELSINKI).empty
    assert rejudged_months(none, now, compare_hand_overs(none, now, CRM, HELSINKI), HELSINKI).empty
    assert compare_entries(none, list_entries(lead()), CRM, HELSINKI).empty


def test_list_hand_overs_gives_the_latest_first_and_is_read_back_as_it_was():
    responses = later(pd.concat([lead(), lead("bo", "2026-11-03 08:00")]), SOON)
    table = list_hand_overs(responses)
    assert table[["person_id", "outcome", "response_hours"]].fillna(-1).values.tolist() == [
        ["bo", "never", -1], ["ann", "in time", 1.0]]
    assert as_read(table)["is_counted"].tolist() == [True, True]


def entries(*rows):
    return list_entries(entries_of(*rows))


def entry_changes(before, now):
    then = previous("2026-11", END, entries=before)
    changes = compare_entries(then, now, CRM, HELSINKI)
    return then, changes


def test_list_entries_gives_first_entries_since_a_moment():
    rows = entries_of(("ann", "mql", "2026-10-31 22:30", "2026-11-02 08:00", "lead"), ("ann", "mql", AT, None, None))
    assert list_entries(rows).values.tolist() == [["ann", "mql", utc("2026-10-31 22:30")]]
    assert list_entries(rows, utc("2026-10-31 22:30")).equals(list_entries(rows))
    assert list_entries(rows, utc("2026-10-31 22:31")).empty


def test_compare_entries_knows_what_the_report_did_not_list():
    """A report of November 2026 lists entries since December 2025."""
    _, changes = entry_changes(entries(("ann", "mql", AT)), entries(
        ("ann", "mql", AT), ("bo", "mql", "2025-11-30 08:00"), ("bo", "sql", "2025-12-01 08:00")))
    assert changes[["stage", "cause"]].values.tolist() == [["sql", "entered late"]]


def test_compare_entries_follows_a_lead_that_became_a_contact():
    _, changes = entry_changes(entries(("L1", "mql", AT)), entries(("ann", "mql", AT)))
    assert changes.empty


def test_compare_entries_goes_by_the_local_month():
    """22:30 on 31 October in UTC is November in Helsinki."""
    _, changes = entry_changes(entries(("ann", "mql", "2026-10-31 22:30")), entries(("ann", "mql", AT)))
    assert changes.empty


def test_compare_entries_sees_an_entry_slip_past_the_earlier_month():
    now = entries(("ann", "mql", "2026-12-03 08:00"), ("bo", "mql", "2026-12-04 08:00"))
    then, changes = entry_changes(entries(("ann", "mql", AT)), now)
    assert changes.values.tolist() == [
        ["ann", "mql", "month moved", pd.Timestamp("2026-11-02 10:00"), pd.Timestamp("2026-12-03 10:00")]]
    funnel = restated_funnel(then, now, changes, HELSINKI)
    assert funnel.values.tolist() == [["mql", "2026-11", 1, 0, -1, "month moved"]]


@pytest.mark.parametrize(("before", "now", "cause", "n"), [
    ([], [("ann", "mql", AT)], "entered late", 1),
    ([("zoe", "mql", AT)], [], "record gone", -1),
    ([("bo", "mql", AT)], [], "entry gone", -1),
])
def test_compare_entries_finds_the_cause(before, now, cause, n):
    then, changes = entry_changes(entries(*before), entries(*now))
    assert changes[["stage", "cause"]].values.tolist() == [["mql", cause]]
    funnel = restated_funnel(then, entries(*now), changes, HELSINKI)
    assert funnel[["stage", "month", "n_difference", "causes"]].values.tolist() == [["mql", "2026-11", n, cause]]


def test_compare_entries_sees_an_entry_move_to_another_month():
    now = entries(("ann", "mql", "2026-10-05 08:00"))
    then, changes = entry_changes(entries(("ann", "mql", AT)), now)
    assert changes["cause"].tolist() == ["month moved"]
    funnel = restated_funnel(then, now, changes, HELSINKI)
    assert funnel[["month", "n_then", "n_now"]].values.tolist() == [["2026-10", 0, 1], ["2026-11", 1, 0]]


def test_compare_entries_leaves_out_days_within_a_month_and_entries_since():
    _, changes = entry_changes(entries(("ann", "mql", AT)), entries(("ann", "mql", "2026-11-09 08:00"),
                                                                  ("bo", "mql", "2026-12-01 08:00")))
    assert changes.empty


def test_compare_entries_tells_what_was_entered_after_an_early_report():
    """A report of 10 November could not know of the 20th."""
    then = previous("2026-11", utc("2026-11-10 12:00"), entries=entries(("ann", "mql", AT)))
    changes = compare_entries(then, entries(("ann", "mql", AT), ("bo", "mql", "2026-11-20 08:00")), CRM, HELSINKI)
    assert changes["cause"].tolist() == ["entered since"] and list_rejudged(changes).empty


CALLS = st.lists(st.tuples(st.sampled_from(["ann", "bo"]), st.integers(0, 200)), max_size=4)


@settings(max_examples=25)
@given(CALLS, CALLS, st.booleans())
def test_months_of_then_and_now_are_parted_by_the_changes(first, second, has_bo):
    """What a month gained in time is what its records gained, whichever calls came or went."""
    calls = [attempts_of(*[(who, str(utc(AT) + pd.Timedelta(hours=hours))) for who, hours in each])
             for each in (first, second)]
    both = pd.concat([lead(), lead("bo")])
    before, now = responses_of(both, calls[0]), later(both if has_bo else lead(), calls[1])
    changes = compared(before, now)
    gained = (changes["outcome_now"] == "in time").sum() - (changes["outcome_then"] == "in time").sum()
    months = rejudged_months(reported(before), now, changes, HELSINKI)
    assert (months["n_in_time_now"] - months["n_in_time_then"]).sum() == gained
    assert compared(before, later(both, calls[0])).empty
