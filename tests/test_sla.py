"""Hand-overs are held against the promise: by hand-counted hours, published figures and brute force."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from conftest import make
from hand_overs import AS_OF, HELSINKI, OWNERS, SALES, VALUES, attempts_of, entries_of, moments, responses_of, utc
from hypothesis import given
from hypothesis import strategies as st

from attribution.agreement import Agreement, Hours, Promise
from attribution.sla import (
    OUTCOMES,
    build_responses,
    call_list,
    count_dropped,
    filter_owner,
    judge_promises,
    knows_activities,
    limbo_summary,
    list_attempts,
    list_limbo,
    response_curve,
    response_summary,
)


@pytest.fixture
def november():
    """Leads handed over on Monday 2 November at 08:00 local time: due on Tuesday at 16:00, the days on the 16th."""
    at = "2026-11-02T06:00Z"
    entries = entries_of(
        ("ann", "lead", "2026-10-01T06:00Z", at, "mql"), ("ann", "mql", at),
        ("bo", "mql", at), ("cy", "mql", at, None, None, {"owner_id": "eero"}),
        ("di", "lead", "2026-10-20T06:00Z", at, "mql"), ("di", "mql", at),
        ("ed", "mql", at, "2026-11-03T13:59Z", "out"), ("flo", "mql", "2026-11-30T06:00Z"),
        ("gus", "mql", at, "2026-11-04T06:00Z", "out"))
    attempts = attempts_of(
        ("ann", "2026-11-02T09:00Z"), ("ann", "2026-11-16T21:59:59.999999Z"), ("ann", "2026-11-17T08:00Z"),
        ("bo", "2026-11-03T14:00:00.000001Z"), ("di", "2026-10-20T06:00Z"))
    return responses_of(entries, attempts).set_index("person_id")


def test_responses_have_one_of_each_outcome(november):
    assert november["outcome"].to_dict() == {
        "ann": "in time", "bo": "late", "cy": "never", "di": "before hand-over", "ed": "left before due",
        "flo": "not yet due", "gus": "never"}
    assert set(november["outcome"]) == set(OUTCOMES) - {"not known"}
    assert november.index[november["is_due"]].tolist() == ["ann", "bo", "cy", "di", "ed", "gus"]
    assert november.index[november["is_counted"]].tolist() == ["ann", "bo", "cy", "gus"]
    assert november.index[november["is_in_limbo"]].tolist() == ["cy"]


def test_responses_measure_both_clocks(november):
    assert november.loc["ann", ["response_hours", "raw_hours"]].tolist() == [3.0, 3.0]
    assert november.loc["bo", ["response_hours", "raw_hours"]].tolist() == pytest.approx([16.0, 32.0])
    assert november.loc["cy", ["response_hours", "raw_hours"]].isna().all()
    assert november.loc["cy", ["waited_hours", "raw_waited_hours"]].tolist() == pytest.approx([21 * 8, 28 * 24 + 16])
    assert november.loc["gus", ["waited_hours", "raw_waited_hours"]].tolist() == pytest.approx([16, 48])
    assert november["due_at"].to_dict() == dict.fromkeys(november.index, utc("2026-11-03 14:00")) | {
        "flo": utc("2026-12-01 14:00")}
    assert november["overdue_days"].dropna().to_dict() == pytest.approx(dict.fromkeys(["cy", "gus"], 27 + 8 / 24))


def test_responses_count_the_attempts_until_the_end_of_the_last_local_day(november):
    assert november["n_attempts"].to_dict() == {"ann": 2, "bo": 1, "cy": 0, "di": 0, "ed": 0, "flo": 0, "gus": 0}
    assert november["kept_attempts"].dropna().to_dict() == {"ann": True, "bo": False, "cy": False, "di": False,
                                                            "ed": False, "gus": False}
    assert pd.isna(november.loc["flo", "kept_attempts"])


def test_responses_carry_who_and_when(november):
    assert november.loc["ann", ["owner_id", "team", "stage", "n_entry", "month", "promised_share"]].tolist() == [
        "aino", "North", "mql", 1, "2026-11", 0.8]
    assert november["team"].isna().to_dict() == {**dict.fromkeys(november.index, False), "cy": True}
    assert november.loc["ed", ["left_at", "left_to"]].tolist() == [utc("2026-11-03 13:59"), "out"]


def test_responses_take_the_month_of_the_local_day():
    rows = responses_of(entries_of(("ann", "mql", "2026-10-31T22:30Z")), attempts_of())
    assert rows["month"].tolist() == ["2026-11"]


def test_responses_belong_to_the_hand_over_before_them():
    entries = entries_of(("ann", "mql", "2026-11-02T06:00Z", "2026-11-05T06:00Z", "lead"),
                         ("ann", "lead", "2026-11-05T06:00Z", "2026-11-09T06:00Z", "mql"),
                         ("ann", "mql", "2026-11-09T06:00Z"))
    rows = responses_of(entries, attempts_of(("ann", "2026-11-09T06:00Z"), ("ann", "2026-11-09T07:00Z")))
    assert rows[["n_entry", "outcome", "n_attempts"]].to_numpy().tolist() == [[1, "never", 0], [2, "in time", 2]]
    assert rows["is_in_limbo"].tolist() == [False, False]


def test_responses_of_a_lead_that_comes_again_before_it_was_due_are_the_second_ones():
    entries = entries_of(("ann", "mql", "2026-11-02T06:00Z", "2026-11-02T07:00Z", "out"),
                         ("ann", "mql", "2026-11-02T08:00Z"))
    rows = responses_of(entries, attempts_of(("ann", "2026-11-02T08:30Z"), ("ann", "2026-11-02T09:00Z")))
    assert rows[["outcome", "n_attempts"]].to_numpy().tolist() == [["left before due", 0], ["in time", 2]]


def test_responses_of_a_second_hand_over_do_not_take_the_firsts_attempts_for_early_ones():
    entries = entries_of(("ann", "mql", "2026-11-02T06:00Z", "2026-11-05T06:00Z", "out"),
                         ("ann", "mql", "2026-11-09T06:00Z"))
    called = responses_of(entries, attempts_of(("ann", "2026-11-02T08:00Z")))
    assert called["outcome"].tolist() == ["in time", "never"]
    out = responses_of(entries, attempts_of(("ann", "2026-11-02T08:00Z"), ("ann", "2026-11-06T08:00Z")))
    assert out["outcome"].tolist() == ["in time", "before hand-over"]


@pytest.mark.parametrize(("tried_at", "outcome"), [
    ("2026-10-03T06:00Z", "before hand-over"), ("2026-10-03T05:59Z", "never"), ("2026-01-02T08:00Z", "never")])
def test_responses_take_an_attempt_of_the_30_days_before_for_an_early_one(tried_at, outcome):
    before = "ann", "lead", "2026-01-01T06:00Z", "2026-11-02T06:00Z", "mql"
    handed_over = "ann", "mql", "2026-11-02T06:00Z"
    for rows in [handed_over], [before, handed_over]:
        table = responses_of(entries_of(*rows), attempts_of(("ann", tried_at)))
        assert table["outcome"].tolist() == [outcome]
        assert table["is_in_limbo"].tolist() == table["is_counted"].tolist() == [outcome == "never"]


def test_responses_of_a_lead_that_left_before_due_end_when_it_would_have_been_due():
    entries = entries_of(("ann", "mql", "2026-11-02T06:00Z", "2026-11-02T07:00Z", "out"),
                         ("bo", "mql", "2026-11-02T06:00Z", "2026-11-02T07:00Z", "out"))
    rows = responses_of(entries, attempts_of(("ann", "2026-11-03T14:00Z"), ("bo", "2026-11-03T14:00:00.000001Z")))
    assert rows["outcome"].tolist() == ["in time", "left before due"]
    assert rows["waited_hours"].tolist() == [16.0, 1.0]
    assert rows["first_attempt_at"].isna().tolist() == [False, True]


def test_responses_know_nothing_after_as_of():
    entries = entries_of(("ann", "mql", "2026-11-02T06:00Z", "2026-11-02T07:00Z", "out"))
    attempts = attempts_of(("ann", "2026-11-02T09:00Z"))
    rows = responses_of(entries, attempts, as_of=utc("2026-11-02 08:00"))
    assert rows[["outcome", "n_attempts"]].to_numpy().tolist() == [["left before due", 0]]
    rows = responses_of(entries, attempts, as_of=utc("2026-11-02 06:30"))
    assert rows["outcome"].tolist() == ["not yet due"] and rows["left_to"].isna().all()


def test_responses_are_due_on_the_very_moment():
    due = "2026-11-03T14:00Z"
    entries = entries_of(("ann", "mql", "2026-11-02T06:00Z", due, "out"), ("bo", "mql", "2026-11-02T06:00Z"))
    assert responses_of(entries, attempts_of(), as_of=utc(due[:-1]))["outcome"].tolist() == ["never", "never"]
    assert responses_of(entries, attempts_of(), as_of=utc(due[:-1]))["is_counted"].tolist() == [True, True]
    just_before = responses_of(entries, attempts_of(("bo", "2026-11-02T07:00Z")), as_of=utc("2026-11-03T13:59"))
    assert just_before["outcome"].tolist() == ["not yet due", "in time"]
    assert just_before["is_due"].tolist() == [False, True] and not just_before["is_counted"].any()


def test_responses_leave_the_attempts_of_a_lead_that_moved_on_unjudged():
    left = "2026-11-04T06:00Z"
    rows = responses_of(entries_of(
        ("ann", "mql", "2026-11-02T06:00Z", left, "sql"), ("bo", "mql", "2026-11-02T06:00Z", left, "lead"),
        ("cy", "mql", "2026-11-02T06:00Z", "2026-11-20T06:00Z", "opportunity")), attempts_of())
    assert rows["kept_attempts"].isna().tolist() == [True, False, False]
    without = dataclasses.replace(SALES, attempts=None, within_days=None)
    assert responses_of(entries_of(("ann", "mql", "2026-11-02T06:00Z")), attempts_of(),
                        promise=without)["kept_attempts"].isna().all()


def test_responses_are_due_at_the_end_of_the_days_where_no_hours_are_promised():
    promise = Promise("sales", "mql", "month", attempts=1, within_days=2)
    rows = responses_of(entries_of(("ann", "mql", "2026-11-02T06:00Z")), attempts_of(("ann", "2026-11-04T20:00Z")),
                        promise=promise)
    assert rows[["due_at", "outcome", "promised_share"]].to_numpy().tolist() == [
        [utc("2026-11-04 21:59:59.999999"), "in time", 1.0]]
    assert rows["kept_attempts"].tolist() == [True]


def test_responses_leave_out_deals_and_imputed_and_contradictory_entries():
    at = "2026-11-02T06:00Z"
    rows = responses_of(entries_of(("ann", "mql", at, None, None, {"is_imputed": True}), ("d-1", "mql", at),
                                   ("bo", "mql", at, None, None, {"is_contradictory": True}), ("cy", "mql", at),
                                   ("di", "sql", at), ("ed", "mql", "2026-12-01T06:00Z")), attempts_of())
    assert rows["person_id"].tolist() == ["cy"]


def test_responses_are_not_known_where_nothing_is_known_of_sales():
    at = "2026-11-02T06:00Z"
    entries = entries_of(("ann", "mql", at), ("bo", "mql", at, "2026-11-03T06:00Z", "out"))
    table = build_responses(entries, attempts_of(), OWNERS, HELSINKI, SALES, as_of=AS_OF, is_known=False)
    assert table["outcome"].tolist() == ["not known"] * 2
    assert not table["is_counted"].any() and not table["is_in_limbo"].any()
    row = response_summary(table).iloc[0]
    assert row[["n", "n_counted", "n_unknown", "n_never", "n_judged"]].tolist() == [2, 0, 2, 0, 0]
    assert row[["compliance_rate", "median_hours", "never_share", "attempts_rate"]].isna().all()
    assert response_curve(table, 80.0).empty


def test_knows_activities_tells_an_export_without_them(crm):
    some = make("activities", activity_id=["a"], kind="task")
    assert [knows_activities(dataclasses.replace(crm, activities=rows)) for rows in (some, some[:0])] == [True, False]


def test_judge_promises_names_every_promise_of_the_agreement(crm):
    promises = (Promise("marketing", "mql", "month", n=4), Promise("marketing", "sql", "quarter", n=3),
                Promise("sales", "mql", "month", within_hours=16.0, share=0.5),
                Promise("sales", "mql", "quarter", attempts=2, within_days=3.0))
    agreement = dataclasses.replace(HELSINKI, promises=promises)
    entries = entries_of(("ann", "mql", "2026-11-02T06:00Z"), ("bo", "mql", "2026-11-03T06:00Z"),
                         ("cy", "mql", "2026-10-30T06:00Z"))
    known = dataclasses.replace(crm, owners=OWNERS, activities=make("activities", activity_id=["a"], kind="call"))
    table = judge_promises(entries, entries, attempts_of(("ann", "2026-11-02T07:00Z")), known, agreement,
                           first_day=pd.Timestamp("2026-11-01"), last_day=pd.Timestamp("2026-11-30"), as_of=AS_OF)
    assert table[["by", "stage", "promised", "n", "n_kept", "kept_share", "is_kept"]].to_numpy().tolist() == [
        ["marketing", "mql", "4 people", 4.0, 2.0, 0.5, False], ["marketing", "sql", "3 people", 1.0, 0.0, 0.0, False],
        ["sales", "mql", "contact within 16 business hours", 2.0, 1.0, 0.5, True],
        ["sales", "mql", "2 attempts within 3 days", 2.0, 0.0, 0.0, False]]
    nobodys = judge_promises(entries, entries[:0], attempts_of(), known, agreement, as_of=AS_OF,
                             first_day=pd.Timestamp("2026-11-01"), last_day=pd.Timestamp("2026-11-30"))
    assert nobodys["n_kept"].tolist() == [2, 0, 0, 0]
    assert nobodys["is_kept"].isna().tolist() == [False, False, True, True]


def test_judge_promises_judges_both_parts_of_a_promise_of_sales(crm):
    promise = Promise("sales", "mql", "month", within_hours=16.0, attempts=2, within_days=3.0, share=0.5)
    known = dataclasses.replace(crm, owners=OWNERS, activities=make("activities", activity_id=["a"], kind="call"))
    table = judge_promises(entries_of(), entries_of(("ann", "mql", "2026-11-02T06:00Z")),
                           attempts_of(("ann", "2026-11-02T07:00Z")), known,
                           dataclasses.replace(HELSINKI, promises=(promise,)), first_day=pd.Timestamp("2026-11-01"),
                           last_day=pd.Timestamp("2026-11-30"), as_of=AS_OF)
    assert table[["promised", "n", "n_kept", "is_kept"]].to_numpy().tolist() == [
        ["contact within 16 business hours", 1.0, 1.0, True], ["2 attempts within 3 days", 1.0, 0.0, False]]


def test_summary_keeps_a_promise_only_with_all_that_was_promised():
    entries = entries_of(("ann", "mql", "2026-11-02T06:00Z"), ("bo", "mql", "2026-11-02T06:00Z"))
    both = dataclasses.replace(SALES, attempts=2, within_days=3.0, share=1.0)
    once = [("ann", "2026-11-02T07:00Z"), ("bo", "2026-11-02T07:00Z")]
    for more, is_kept in (([], False), ([("ann", "2026-11-02T08:00Z"), ("bo", "2026-11-02T08:00Z")], True)):
        responses = build_responses(entries, attempts_of(*once, *more), OWNERS, HELSINKI, both, as_of=AS_OF)
        row = response_summary(responses).iloc[0]
        assert row["compliance_rate"] == 1.0 and row["is_kept"] == is_kept


def test_responses_of_nobody_are_none():
    some = responses_of(entries_of(("ann", "mql", "2026-11-02T06:00Z")), attempts_of(("ann", "2026-11-02T07:00Z")))
    none = responses_of(entries_of(), attempts_of())
    assert len(none) == 0
    pd.testing.assert_series_equal(none.dtypes, some.dtypes)


HOUR = st.integers(0, 100).map(lambda n: utc("2026-11-02") + pd.Timedelta(hours=n))


@st.composite
def worked(draw):
    """Leads with one to three visits to the stage, and attempts at any time."""
    rows, tried = [], []
    for person in "abc"[:draw(st.integers(1, 3))]:
        times = sorted(draw(st.sets(HOUR, min_size=1, max_size=5)))
        for at, left in zip(times[::2], [*times[1::2], None], strict=False):
            to = draw(st.sampled_from(["lead", "sql", "out"])) if left else None
            rows.append((person, "mql", str(at), str(left) if left else None, to))
        tried += [(person, str(at)) for at in draw(st.lists(HOUR, max_size=4))]
    return rows, tried, draw(HOUR)


def judge(rows, tried, as_of):
    """Judge each hand-over with plain loops."""
    found = []
    for i, (person, _, at, left, _to) in enumerate(rows):
        at, left = pd.Timestamp(at), pd.Timestamp(left) if left else None
        if at > as_of:
            continue
        left = left if left is not None and left <= as_of else None
        due = at + pd.Timedelta(hours=20)
        until = min([pd.Timestamp(row[2]) for row in rows[i + 1:] if row[0] == person], default=None)
        times = sorted(pd.Timestamp(when) for who, when in tried if who == person and pd.Timestamp(when) <= as_of)
        mine = [when for when in times if at <= when and (until is None or when < until)]
        gone = left is not None and left < due
        mine = [when for when in mine if not gone or when <= due]
        before = i > 0 and rows[i - 1][0] == person
        early = [when for when in times if when < at and (not before or pd.Timestamp(rows[i - 1][3]) <= when)]
        outcome = ("in time" if mine[0] <= due else "late") if mine else (
            "before hand-over" if early else "left before due" if gone else "never" if due <= as_of else "not yet due")
        found.append((person, at, outcome, len(mine)))
    return sorted(found)


@given(worked())
def test_responses_equal_a_plain_loop_over_each_lead(case):
    rows, tried, as_of = case
    always = Agreement(hours=Hours(days=tuple(range(7)), opens="00:00", closes="24:00", country=""))
    promise = Promise("sales", "mql", "month", within_hours=20)
    entries, attempts = entries_of(*rows), attempts_of(*tried)
    table = responses_of(entries, attempts, promise=promise, as_of=as_of, agreement=always)
    assert list(table[["person_id", "handed_over_at", "outcome", "n_attempts"]].itertuples(index=False, name=None)
                ) == judge(rows, tried, as_of)
    whole = response_summary(table)
    assert (whole["n"] == whole[["n_counted", "n_before", "n_left", "n_open"]].sum(axis=1)).all()
    turned = responses_of(entries.iloc[::-1], attempts.iloc[::-1], promise=promise, as_of=as_of, agreement=always)
    pd.testing.assert_frame_equal(turned, table)


def test_attempts_are_done_outbound_human_and_with_somebody():
    activities = make(
        "activities", activity_id=list("abcdefghijkl"), person_id=["ann"] * 10 + [None, "ann"],
        kind=["call", "email", "meeting", "linkedin", "task", "list_email", *["call"] * 6],
        is_outbound=[True] * 6 + [False] + [True] * 5, is_done=[True] * 7 + [False] + [True] * 4,
        done_at=["2026-11-02T06:00Z"] * 11 + [None], owner_id=["aino"] * 8 + ["robot", "stranger", "aino", "aino"])
    rows = list_attempts(activities, OWNERS)
    assert rows[["kind", "owner_id"]].to_numpy().tolist() == [
        ["call", "aino"], ["call", "stranger"], ["email", "aino"], ["linkedin", "aino"], ["meeting", "aino"]]
    assert set(rows["attempted_at"]) == {utc("2026-11-02T06:00")}
    assert list_attempts(activities.head(0), OWNERS).dtypes.equals(rows.dtypes)


def test_owner_filter_takes_an_owner_a_team_or_all():
    entries = entries_of(("ann", "mql", "2026-11-02"), ("bo", "mql", "2026-11-02", None, None, {"owner_id": "eero"}),
                         ("cy", "mql", "2026-11-02", None, None, {"owner_id": "queue"}))
    for owner, kept in ((None, ["ann", "bo", "cy"]), ("eero", ["bo"]), ("North", ["ann"]), ("queue", ["cy"]),
                        ("robot", [])):
        assert filter_owner(entries, OWNERS, owner)["person_id"].tolist() == kept
    without_queue = entries.head(2)
    assert len(filter_owner(without_queue, OWNERS, "queue", among=entries)) == 0
    with pytest.raises(ValueError, match="^owner: 'queue' is no owner's id"):
        filter_owner(without_queue, OWNERS, "queue")
    with pytest.raises(ValueError, match=r"^owner: 'me' is no owner's id and no team "
                                         r"\(first: North, aino, eero, queue, robot\)$"):
        filter_owner(entries, OWNERS, "me")


def test_summary_of_november(november):
    row = response_summary(november.reset_index()).iloc[0].to_dict()
    # in time: ann; counted: ann, bo, cy, gus. Wilson's interval of 1 of 4, from (p + z2/2n -+ ...) / (1 + z2/n)
    assert {key: row[key] for key in ("n", "n_counted", "n_in_time", "n_never", "n_before", "n_left", "n_open")} == {
        "n": 7, "n_counted": 4, "n_in_time": 1, "n_never": 2, "n_before": 1, "n_left": 1, "n_open": 1}
    rates = ("compliance_rate", "compliance_low", "compliance_high", "never_share")
    assert [row[key] for key in rates] == pytest.approx([0.25, 0.045587, 0.699358, 0.5], abs=1e-6)
    # contacted after 3 and 16 hours; waiting: ed 15:59, flo 8, gus 16, cy 168: S(3) = 5/6, S(16) = 5/6 x 2/3
    assert [row[key] for key in ("median_hours", "p90_hours")] == pytest.approx([np.nan, np.nan], nan_ok=True)
    assert row["attempts_rate"] == pytest.approx(1 / 6)
    assert row["promised_share"] == 0.8 and row["is_kept"] is False


def test_summary_by_owner_team_and_month(november):
    rows = november.reset_index()
    by_owner = response_summary(rows, "owner_id")
    assert by_owner[["owner_id", "n", "n_counted", "n_never"]].to_numpy().tolist() == [
        ["aino", 6, 3, 1], ["eero", 1, 1, 1]]
    by_team = response_summary(rows, "team")
    assert by_team["team"].fillna("?").tolist() == ["North", "?"]
    assert by_team["n"].tolist() == [6, 1]
    assert response_summary(rows, "month")[["month", "n"]].to_numpy().tolist() == [["2026-11", 7]]
    with pytest.raises(ValueError, match="^by: 'stage' is not one of owner_id, team, month$"):
        response_summary(rows, "stage")


def test_summary_of_nobody_is_blank():
    none = responses_of(entries_of(), attempts_of())
    row = response_summary(none).iloc[0]
    assert row[["n", "n_counted", "n_never", "n_open"]].tolist() == [0, 0, 0, 0]
    assert row[["compliance_rate", "compliance_low", "median_hours", "attempts_rate", "is_kept"]].isna().all()
    by_owner = response_summary(none, "owner_id")
    assert len(by_owner) == 0
    assert list(by_owner) == ["owner_id", *response_summary(none)]
    assert by_owner["n"].dtype == int


def test_summary_is_kept_where_exactly_the_promised_share_was_in_time():
    entries = entries_of(*((f"p{i}", "mql", "2026-11-02T06:00Z") for i in range(10)))
    attempts = attempts_of(*((f"p{i}", "2026-11-02T07:00Z") for i in range(8)))
    contact = dataclasses.replace(SALES, attempts=None, within_days=None)
    responses = build_responses(entries, attempts, OWNERS, HELSINKI, contact, as_of=AS_OF)
    row = response_summary(responses).iloc[0]
    assert [row["compliance_rate"], row["is_kept"]] == [0.8, True]
    assert [row["median_hours"], row["p90_hours"]] == pytest.approx([1.0, np.nan], nan_ok=True)


def test_summary_does_not_count_the_early_bird_before_the_limit_has_passed():
    rows = responses_of(entries_of(("ann", "mql", "2026-11-30T06:00Z")), attempts_of(("ann", "2026-11-30T07:00Z")))
    row = response_summary(rows).iloc[0]
    assert rows["outcome"].tolist() == ["in time"]
    assert row[["n", "n_counted", "n_in_time", "n_open"]].tolist() == [1, 0, 0, 1]
    assert row["median_hours"] == 1.0


# Weeks of remission under 6-MP (Freireich et al. 1963; Kleinbaum & Klein 2012, table 2.1); + is still in remission
REMISSION = "6 6 6 7 10 13 16 22 23 6+ 9+ 10+ 11+ 17+ 19+ 20+ 25+ 32+ 32+ 34+ 35+".split()


def waits_of(times):
    hours = [float(each.rstrip("+")) for each in times]
    met = moments([None if each.endswith("+") else "2026-11-02T06:00Z" for each in times])
    return pd.DataFrame({"waited_hours": hours, "raw_waited_hours": np.array(hours) * 2, "first_attempt_at": met,
                         "outcome": pd.Series(["late"] * len(hours), dtype="str")})


def test_curve_equals_the_published_kaplan_meier_table():
    curve = response_curve(waits_of(REMISSION), 200.0)
    business = curve[curve["clock"] == "business"].set_index("hours")["waiting_share"]
    assert {week: round(business[week], 3) for week in (0, 5, 6, 7, 10, 13, 16, 22, 23, 35)} == {
        0: 1.0, 5: 1.0, 6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448, 35: 0.448}
    assert business.index.max() == 35
    raw = curve[curve["clock"] == "raw"].set_index("hours")["waiting_share"]
    assert (raw[44], raw.index.max()) == (business[22], 70)


def test_curve_has_the_published_interval():
    # R's survfit(conf.type = "log-log") on the same data: S(6) .857 (.620, .952), S(23) .448 (.188, .680)
    curve = response_curve(waits_of(REMISSION), 200.0).query("clock == 'business'").set_index("hours")
    assert curve.loc[6, ["low", "high"]].tolist() == pytest.approx([0.620, 0.952], abs=5e-4)
    assert curve.loc[23, ["low", "high"]].tolist() == pytest.approx([0.188, 0.680], abs=5e-4)
    assert curve.loc[5, ["low", "high"]].isna().all()


def test_curve_has_at_most_201_points_and_ends_with_the_longest_wait():
    curve = response_curve(waits_of(["1", "3", "7"]), 4.0)
    assert curve.groupby("clock").size().to_dict() == {"business": 201, "raw": 201}
    last = curve[(curve["clock"] == "raw") & (curve["hours"] == 4)]
    assert last["waiting_share"].round(9).tolist() == [0.666666667]
    done = response_curve(waits_of(["1", "3"]), 4.0).query("clock == 'business'").iloc[-1]
    assert done[["hours", "waiting_share"]].tolist() == [3.0, 0.0] and done[["low", "high"]].isna().all()


def test_curve_leaves_out_those_contacted_before_and_stays_up_where_nobody_was():
    waits = waits_of(["2", "4", "4+"])
    waits = waits.assign(outcome=waits["outcome"].mask([True, False, False], "before hand-over"))
    assert response_curve(waits, 4.0).query("clock == 'business' and hours == 2")["waiting_share"].tolist() == [1.0]
    nobody = response_curve(waits_of(["4+", "4+"]), 4.0)
    assert len(nobody) == 402 and set(nobody["waiting_share"]) == {1.0}
    assert len(response_curve(waits_of([]), 4.0)) == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=12))
def test_curve_equals_the_product_limit_worked_out_by_hand(waits):
    curve = response_curve(waits_of([f"{n}{'' if met else '+'}" for n, met in waits]), 200.0)
    business = curve[curve["clock"] == "business"].set_index("hours")["waiting_share"]
    share = 1.0
    for hour in range(max(n for n, _ in waits) + 1):
        at_risk = sum(n >= hour for n, _ in waits)
        share *= 1 - sum(n == hour and met for n, met in waits) / at_risk
        assert business[hour] == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize("times, median, p90", [
    (["1", "2", "3", "4"], 2, 4), ([str(n) for n in range(1, 11)], 5, 9), (REMISSION, 23, np.nan),
    (["5", "5+"], 5, np.nan), (["4+"], np.nan, np.nan)])
def test_summary_gives_the_shortest_time_by_which_so_many_were_contacted(november, times, median, p90):
    rows = pd.concat([november.reset_index().head(1)] * len(times), ignore_index=True).assign(**waits_of(times))
    row = response_summary(rows).iloc[0]
    assert row[["median_hours", "p90_hours", "raw_median_hours", "raw_p90_hours"]].tolist() == pytest.approx(
        [median, p90, 2 * median, 2 * p90], nan_ok=True)


@pytest.mark.parametrize("n_of, n, low, high", [
    (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)])
def test_summary_has_newcombes_wilson_intervals(november, n_of, n, low, high):
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3
    rows = pd.concat([november.reset_index().head(1)] * n, ignore_index=True)
    rows = rows.assign(outcome=pd.Series(["in time"] * n_of + ["never"] * (n - n_of), dtype="str"), is_counted=True)
    row = response_summary(rows).iloc[0]
    assert row[["compliance_low", "compliance_high"]].tolist() == pytest.approx([low, high], abs=5e-5)


@pytest.fixture
def limbo():
    """Ann has waited longest; Bo and Di opted out of e-mail, Cy and Di are not to be called; Ed is free too."""
    at = "2026-11-03T06:00Z"
    entries = entries_of(("ann", "mql", "2026-11-02T06:00Z"), ("bo", "mql", at), ("cy", "mql", at), ("di", "mql", at),
                         ("ed", "mql", at, None, None, {"owner_id": "eero"}), ("flo", "mql", "2026-11-30T06:00Z"))
    people = make("people", person_id=["ann", "bo", "cy", "di", "ed", "flo"],
                  is_opted_out=[False, True, False, True, False, True],
                  do_not_call=[False, False, True, True, False, True])
    return list_limbo(responses_of(entries, attempts_of()), people, VALUES)


def test_limbo_lists_the_freshest_first_with_what_they_are_worth(limbo):
    assert limbo["person_id"].tolist() == ["bo", "cy", "di", "ed", "ann"]
    assert limbo["value"].tolist() == [100.5] * 5
    assert limbo["is_opted_out"].tolist() == [True, False, True, False, False]
    assert limbo["do_not_call"].tolist() == [False, True, True, False, False]
    assert limbo["overdue_days"].round(6).tolist() == [26.333333] * 4 + [27.333333]
    assert limbo.loc[4, ["owner_id", "team", "n_entry", "handed_over_at", "due_at"]].tolist() == [
        "aino", "North", 1, utc("2026-11-02 06:00"), utc("2026-11-03 14:00")]


def test_limbo_without_a_value_is_blank():
    responses = responses_of(entries_of(("ann", "mql", "2026-11-02T06:00Z")), attempts_of())
    rows = list_limbo(responses, make("people", person_id=["ann"]), VALUES.head(1))
    assert rows["value"].isna().tolist() == [True]
    assert limbo_summary(rows)["value"].isna().tolist() == [True]


def test_call_list_drops_who_may_not_be_contacted_and_counts_them_once(limbo):
    rows = call_list(limbo)
    assert list(rows) == ["owner_id", "person_id", "account_id", "handed_over_at", "due_at", "overdue_days", "value"]
    assert rows[["owner_id", "person_id"]].to_numpy().tolist() == [["eero", "ed"], ["aino", "ann"]]
    assert count_dropped(limbo).to_numpy().tolist() == [["opted out of e-mail", 1], ["not to be called", 2]]
    assert len(rows) + count_dropped(limbo)["n"].sum() == len(limbo)


def test_limbo_summary_by_owner_and_team(limbo):
    rows = limbo_summary(limbo)
    assert rows[["owner_id", "n", "value"]].to_numpy().tolist() == [["aino", 4, 402.0], ["eero", 1, 100.5]]
    assert rows["oldest_days"].round(6).tolist() == [27.333333, 26.333333]
    assert rows["median_days"].round(6).tolist() == [26.333333, 26.333333]
    assert limbo_summary(limbo, "team")["n"].tolist() == [4, 1]


def test_limbo_of_nobody_is_empty(limbo):
    none = list_limbo(responses_of(entries_of(), attempts_of()), make("people"), VALUES.head(0))
    assert len(none) == len(call_list(none)) == len(limbo_summary(none)) == 0
    assert none.dtypes.equals(limbo.dtypes)
    assert count_dropped(none)["n"].tolist() == [0, 0]
    assert limbo_summary(none).dtypes.equals(limbo_summary(limbo).dtypes)
