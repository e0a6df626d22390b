"""Promises are held against what was done: by hand-counted hours, published figures and brute force."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from conftest import make
from hypothesis import given
from hypothesis import strategies as st

from attribution.agreement import Agreement, Hours, Promise
from attribution.sla import (
    AGE_BANDS,
    OUTCOMES,
    build_responses,
    burn_up,
    call_list,
    count_dropped,
    filter_owner,
    find_contradictions,
    find_promise,
    forecast_rest,
    limbo_summary,
    list_attempts,
    list_facts,
    list_limbo,
    list_returned,
    promise_progress,
    response_curve,
    response_summary,
    returned_causes,
    returned_share,
    stale_by_age,
)
from attribution.tables import UTC

# Helsinki is two hours ahead of UTC in November 2026; Monday is the 2nd; sales is open 08-16, that is 06-14 UTC.
SALES = Promise("sales", "mql", "month", within_hours=16, attempts=2, within_days=14, share=0.8)
MARKETING = Promise("marketing", "mql", "month", n=40, value=4000.0)
HOURS = Hours(country="")
HELSINKI = Agreement(time_zone="Europe/Helsinki", promises=(MARKETING, SALES), hours=HOURS)
AS_OF = pd.Timestamp("2026-11-30 21:59:59.999999", tz="UTC")
VALUES = pd.DataFrame({"stage": ["mql", "mql"], "segment": ["Finland", "all"], "value": [9.0, 100.5]})
OWNERS = make("owners", owner_id=["aino", "eero", "robot"], team=["North", None, None], is_human=[True, True, False])


def utc(text):
    return pd.Timestamp(text, tz="UTC")


def moments(texts):
    return pd.to_datetime(pd.Series(texts, dtype="str"), utc=True, format="ISO8601").astype(UTC)


def entries_of(*rows, owner_id="aino"):
    """Make entries from (person, stage, entered, left, left_to, flags...), each person's in order."""
    table = pd.DataFrame([(*row, None, None)[:5] for row in rows],
                         columns=["record_id", "stage", "entered_at", "left_at", "left_to"])
    flags = [row[5] if len(row) > 5 else {} for row in rows]
    get = lambda name, default: pd.Series([flag.get(name, default) for flag in flags])      # noqa: E731
    ids = table["record_id"].astype("str")
    stage = pd.Categorical(table["stage"], ["lead", "mql", "sql", "opportunity", "customer"], ordered=True)
    return pd.DataFrame({
        "record_id": ids, "person_id": ids.where(~ids.str.startswith("d-").astype(bool)), "account_id": get(
            "account_id", None).astype("str"), "stage": stage, "n_entry": table.groupby(
            ["record_id", "stage"]).cumcount() + 1, "lifecycle": get("lifecycle", 1).astype(int),
        "entered_at": moments(table["entered_at"]), "left_at": moments(table["left_at"]),
        "left_to": table["left_to"].astype("str"), "opportunity_id": get("opportunity_id", None).astype("str"),
        "is_imputed": get("is_imputed", False).astype(bool), "is_contradictory": get(
            "is_contradictory", False).astype(bool), "owner_id": get("owner_id", owner_id).astype("str")})


def attempts_of(*rows):
    table = pd.DataFrame(rows, columns=["person_id", "attempted_at"])
    return pd.DataFrame({"person_id": table["person_id"].astype("str"), "owner_id": pd.Series(
        ["aino"] * len(table), dtype="str"), "kind": pd.Series(["call"] * len(table), dtype="str"),
        "attempted_at": moments(table["attempted_at"])})


def responses_of(entries, attempts, *, promise=SALES, as_of=AS_OF, agreement=HELSINKI):
    return build_responses(entries, attempts, OWNERS, agreement, promise, as_of=as_of)


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
    assert set(november["outcome"]) == set(OUTCOMES)
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


def test_promise_is_the_first_of_its_side():
    assert find_promise(HELSINKI, "sales") is SALES
    assert find_promise(HELSINKI, "marketing") is MARKETING


@pytest.mark.parametrize("by, what", [("sales", "within_hours"), ("marketing", "n")])
def test_promise_that_is_not_there_says_what_to_write(by, what):
    with pytest.raises(ValueError, match=f"^agreement.toml: there is no promise by {by}. Add .* and {what}$"):
        find_promise(Agreement(), by)


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
    row = response_summary(responses_of(entries, attempts)).iloc[0]
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


def test_limbo_lists_the_oldest_first_with_what_they_are_worth(limbo):
    assert limbo["person_id"].tolist() == ["ann", "bo", "cy", "di", "ed"]
    assert limbo["value"].tolist() == [100.5] * 5
    assert limbo["is_opted_out"].tolist() == [False, True, False, True, False]
    assert limbo["do_not_call"].tolist() == [False, False, True, True, False]
    assert limbo["overdue_days"].round(6).tolist() == [27.333333] + [26.333333] * 4
    assert limbo.loc[0, ["owner_id", "team", "n_entry", "handed_over_at", "due_at"]].tolist() == [
        "aino", "North", 1, utc("2026-11-02 06:00"), utc("2026-11-03 14:00")]


def test_limbo_without_a_value_is_blank():
    responses = responses_of(entries_of(("ann", "mql", "2026-11-02T06:00Z")), attempts_of())
    rows = list_limbo(responses, make("people", person_id=["ann"]), VALUES.head(1))
    assert rows["value"].isna().tolist() == [True]
    assert limbo_summary(rows)["value"].isna().tolist() == [True]


def test_call_list_drops_who_may_not_be_contacted_and_counts_them_once(limbo):
    rows = call_list(limbo)
    assert list(rows) == ["owner_id", "person_id", "account_id", "handed_over_at", "due_at", "overdue_days", "value"]
    assert rows[["owner_id", "person_id"]].to_numpy().tolist() == [["aino", "ann"], ["eero", "ed"]]
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


def band_of(table, kind):
    rows = table[(table["kind"] == kind) & (table["n"] > 0)]
    return dict(zip(rows["age_band"], rows["n"], strict=True))


def stale_crm(crm, **tables):
    """Ann (a contact at Acme) and Di (a lead) without any sign of life, and two accounts."""
    people = make("people", person_id=["ann", "di"], contact_id=["c1", None], account_id=["acme", None])
    empty = {name: make(name) for name in ("touches", "activities", "stage_changes", "opportunities")}
    return dataclasses.replace(crm, people=people, owners=OWNERS, **empty | tables)


@pytest.mark.parametrize("day, band", [
    ("2026-11-30", "0-30"), ("2026-10-31", "0-30"), ("2026-10-30", "31-90"), ("2026-09-01", "31-90"),
    ("2026-08-31", "91-180"), ("2026-06-03", "91-180"), ("2026-06-02", "181-365"), ("2025-11-30", "181-365"),
    ("2025-11-29", "over 365"), ("2026-12-01", "never")])
def test_stale_bands_count_local_days(crm, day, band):
    touches = make("touches", touch_id=["t"], person_id="di", campaign_id="ads", kind="response",
                   touched_at=f"{day}T00:00:00+02:00", joined_at="2026-01-01T00:00:00Z")
    assert band_of(stale_by_age(stale_crm(crm, touches=touches), HELSINKI, as_of=AS_OF), "lead") == {band: 1}


def test_stale_take_the_last_sign_up_to_as_of(crm):
    touches = make("touches", touch_id=["t1", "t2", "t3"], person_id="di", campaign_id="ads", kind="response",
                   touched_at=["2026-11-20", "2026-10-01", "2026-12-02"], joined_at="2026-01-01T00:00:00Z")
    assert band_of(stale_by_age(stale_crm(crm, touches=touches), HELSINKI, as_of=AS_OF), "lead") == {"0-30": 1}


def test_stale_accounts_live_by_their_people_and_deals(crm):
    at = "2026-11-20T10:00:00Z"
    call = make("activities", activity_id=["a"], person_id="ann", kind="task", is_done=True, done_at=at,
                owner_id="aino")
    deal = make("opportunities", opportunity_id=["d"], account_id="beta", stage="Open", close_on="2026-12-31",
                created_at="2026-06-02T21:00:00Z")
    moved = make("stage_changes", change_id=["h"], record_type="opportunity", record_id="d", from_stage="Open",
                 stage="Proposal", changed_at="2026-09-01T00:00:00Z")
    living = stale_by_age(stale_crm(crm, activities=call, opportunities=deal, stage_changes=moved), HELSINKI,
                          as_of=AS_OF)
    assert band_of(living, "account") == {"0-30": 1, "31-90": 1}
    assert band_of(living, "contact") == {"0-30": 1} and band_of(living, "lead") == {"never": 1}
    only_made = stale_by_age(stale_crm(crm, opportunities=deal), HELSINKI, as_of=AS_OF)
    assert band_of(only_made, "account") == {"91-180": 1, "never": 1}
    named = make("activities", activity_id=["a"], account_id="beta", kind="call", is_done=True, done_at=at)
    assert band_of(stale_by_age(stale_crm(crm, activities=named), HELSINKI, as_of=AS_OF), "account") == {
        "0-30": 1, "never": 1}


@pytest.mark.parametrize("fault", [{"kind": "list_email"}, {"owner_id": "robot"}, {"is_done": False}])
def test_stale_do_not_live_by_mass_mail_machines_or_plans(crm, fault):
    call = make("activities", **{"activity_id": ["a"], "person_id": "di", "kind": "email", "is_done": True,
                                 "done_at": "2026-11-20T10:00:00Z", "owner_id": "aino"} | fault)
    assert band_of(stale_by_age(stale_crm(crm, activities=call), HELSINKI, as_of=AS_OF), "lead") == {"never": 1}


def test_stale_leads_live_by_a_change_of_status_but_not_by_their_birth(crm):
    moved = make("stage_changes", change_id=["h1", "h2"], record_type="lead", record_id=["L1", "L2"],
                 person_id=["di", "ann"], from_stage=["Open", None], stage="MQL", changed_at="2026-11-20T10:00:00Z")
    table = stale_by_age(stale_crm(crm, stage_changes=moved), HELSINKI, as_of=AS_OF)
    assert band_of(table, "lead") == {"0-30": 1} and band_of(table, "contact") == {"never": 1}


def test_stale_shares_sum_to_one_per_kind(crm):
    table = stale_by_age(stale_crm(crm), HELSINKI, as_of=AS_OF)
    assert table["age_band"].tolist() == [*AGE_BANDS] * 3
    assert table.groupby("kind")["share"].sum().to_dict() == {"lead": 1.0, "contact": 1.0, "account": 1.0}
    born_later = dataclasses.replace(stale_crm(crm), people=crm.people.assign(created_at=AS_OF + pd.Timedelta("1us")))
    none = stale_by_age(born_later, HELSINKI, as_of=AS_OF).query("kind != 'account'")
    assert none["n"].sum() == 0 and none["share"].isna().all()


NOVEMBER = {"first_day": pd.Timestamp("2026-11-01"), "last_day": pd.Timestamp("2026-11-30")}
MID = utc("2026-11-13 21:59:59.999999")          # Friday the 13th, ten of November's 21 business days


def steady(*days):
    """One person's first entry into mql on each day given, at noon."""
    return entries_of(*((f"p{i}", "mql", f"{day}T12:00Z") for i, day in enumerate(days)))


def progress_of(entries, as_of=MID, values=VALUES, promise=MARKETING, agreement=HELSINKI, **days):
    table = promise_progress(entries, agreement, promise, values, as_of=as_of, **NOVEMBER | days)
    return table.set_index("measure")


def test_progress_counts_first_entries_in_the_local_period():
    entries = pd.concat([entries_of(
        ("a", "mql", "2026-10-31T21:59:59Z"), ("b", "mql", "2026-10-31T22:00Z"), ("c", "mql", "2026-11-13T21:59Z"),
        ("e", "mql", "2026-11-13T22:00Z"), ("a", "mql", "2026-11-05"), ("f", "sql", "2026-11-05"),
        ("g", "mql", "2026-11-05", None, None, {"is_imputed": True}))])
    count = progress_of(entries).loc["count"]
    assert count[["delivered", "n_again", "promised"]].tolist() == [3, 1, 40]
    assert count["promised_to_date"] == pytest.approx(40 * 10 / 21)
    assert count["delivered_share"] == pytest.approx(3 / (40 * 10 / 21))
    assert progress_of(entries).loc["value", ["delivered", "promised", "n_again"]].tolist() == [301.5, 4000.0, 1]


@pytest.mark.parametrize("per, days, promised", [
    ("month", {}, 40), ("quarter", {}, 40 / 3), ("year", {}, 40 / 12),
    ("month", {"first_day": pd.Timestamp("2026-10-01"), "last_day": pd.Timestamp("2026-12-31")}, 120),
    ("quarter", {"first_day": pd.Timestamp("2026-12-01"), "last_day": pd.Timestamp("2027-11-30")}, 160)])
def test_progress_promises_for_as_many_months(per, days, promised):
    row = progress_of(steady(), promise=dataclasses.replace(MARKETING, per=per), **days).loc["count"]
    assert row["promised"] == pytest.approx(promised)


@pytest.mark.parametrize("n_weeks, n_known", [(26, 25), (3, 2), (40, 26)])       # whole weeks
def test_progress_forecasts_the_rest_from_the_weeks_before(n_weeks, n_known):
    # two every week, and five before the last 26: 2 x 17/7 more are to come, variance 2 x 17/7 + 2 x (17/7)^2 / weeks
    days = [MID - pd.Timedelta(days=7 * week + 6.9) for week in range(n_weeks) for _ in range(2 if week < 26 else 5)]
    again = entries_of(("p0", "mql", "2026-11-13T12:00Z")).assign(n_entry=2)
    row = progress_of(pd.concat([entries_of(*((f"p{i}", "mql", str(day)) for i, day in enumerate(days))), again])
                      ).loc["count"]
    from scipy.stats import nbinom
    mean, weeks = 34 / 7, 17 / 7
    variance = mean + 2 * weeks ** 2 / n_known
    size, p = mean ** 2 / (variance - mean), mean / variance
    assert row[["delivered", "n_again"]].tolist() == [2, 1]
    assert row["forecast"] == pytest.approx(2 + mean, abs=0.005)
    assert row[["forecast_low", "forecast_high"]].tolist() == (2 + nbinom.ppf([0.025, 0.975], size, p)).tolist()
    assert (nbinom.mean(size, p), nbinom.var(size, p)) == pytest.approx((mean, variance))


def test_progress_with_no_time_left_is_what_was_delivered():
    for as_of in (AS_OF, AS_OF + pd.Timedelta(days=9)):
        row = progress_of(steady("2026-11-05", "2026-11-06"), as_of=as_of).loc["count"]
        assert row[["delivered", "forecast", "forecast_low", "forecast_high"]].tolist() == [2, 2, 2, 2]
        assert row["promised_to_date"] == 40


def test_progress_before_the_period_owes_nothing_and_forecasts_all_of_it():
    before = utc("2026-10-25 22:00")
    row = progress_of(steady(*["2026-10-20"] * 6, "2026-10-04"), as_of=before).loc["count"]
    assert row[["delivered", "promised_to_date"]].tolist() == [0, 0] and np.isnan(row["delivered_share"])
    assert row["forecast"] == pytest.approx(6 / 3 * 30 / 7, abs=0.005)       # three whole weeks are known


def test_progress_forecasts_nothing_where_nobody_ever_came():
    table = progress_of(steady())
    assert table.loc["count", ["delivered", "forecast", "forecast_low", "forecast_high"]].tolist() == [0, 0, 0, 0]
    assert progress_of(steady(), values=VALUES.head(1)).loc["value", ["delivered", "forecast"]].isna().all()
    without = progress_of(steady(), promise=dataclasses.replace(MARKETING, value=None)).loc["value"]
    assert np.isnan(without["promised"]) and np.isnan(without["delivered_share"])


def test_progress_is_wider_where_weeks_differ():
    def width(weeks):
        days = [MID - pd.Timedelta(days=7 * week + 3) for week in weeks]
        return np.ptp(progress_of(steady(*(str(day.date()) for day in days))).loc[
            "count", ["forecast_low", "forecast_high"]].to_numpy(float))
    even, lumpy = [*range(26), *range(26)], [*[0, 8, 16] * 17, 25]
    assert len(even) == len(lumpy)
    assert width(lumpy) > 1.5 * width(even)


def test_progress_changes_with_nothing_after_as_of():
    entries = steady("2026-11-02", "2026-11-04", "2026-11-20")
    pd.testing.assert_frame_equal(progress_of(entries), progress_of(entries.head(2)))
    pd.testing.assert_frame_equal(progress_of(entries.iloc[::-1]), progress_of(entries))


def test_forecast_covers_what_comes_19_times_in_20():
    rng, ahead = np.random.default_rng(7), 3.0
    drawn = rng.poisson(rng.gamma(3.0, 2.0, (2000, 29)))
    bounds = [forecast_rest(counts[:26], np.array([ahead]))[1:, 0] for counts in drawn]
    came = drawn[:, 26:].sum(axis=1)
    held = [low <= n <= high for (low, high), n in zip(bounds, came, strict=True)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def burn_up_of(entries, as_of=MID, agreement=HELSINKI):
    return burn_up(entries, agreement, MARKETING, as_of=as_of, **NOVEMBER).set_index("day_on")


def test_burn_up_follows_the_days_and_forecasts_the_rest():
    entries = steady("2026-11-02", "2026-11-02", "2026-11-13", "2026-10-20", "2026-11-20")
    rows = burn_up_of(entries)
    assert rows.index.tolist() == list(pd.date_range("2026-11-01", "2026-11-30"))
    assert rows["delivered"].tolist() == pytest.approx([0] + [2] * 11 + [3] + [np.nan] * 17, nan_ok=True)
    assert rows["promised"].tolist()[:6] == pytest.approx([0, *(40 / 21 * n for n in range(1, 6))])
    assert rows["promised"].iloc[-1] == 40
    ahead = ["forecast", "forecast_low", "forecast_high"]
    assert rows[ahead].notna().all(axis=1).tolist() == [False] * 12 + [True] * 18
    assert rows.loc["2026-11-13", ahead].tolist() == [3, 3, 3]
    last = progress_of(entries).loc["count"]
    assert rows.loc["2026-11-30", ahead].tolist() == pytest.approx(last[ahead].tolist(), abs=0.005)
    assert (rows[ahead].diff().dropna() >= 0).all().all()


def test_burn_up_begins_with_the_period_and_ends_with_it():
    entries = steady("2026-10-20")
    before = burn_up_of(entries, utc("2026-10-25 22:00"))
    assert before["delivered"].isna().all() and before["forecast"].notna().all()
    after = burn_up_of(entries, AS_OF + pd.Timedelta(days=1))
    assert after["delivered"].tolist() == [0] * 30 and after["forecast"].isna().all()
    assert burn_up_of(steady())["delivered"].iloc[0] == 0


def test_contradictions_are_counted_with_what_is_done(crm):
    odd = dataclasses.replace(
        crm, people=crm.people.assign(converted_on=pd.to_datetime(
            ["2026-02-28", None, "2026-06-10", None]).as_unit("us")),
        stage_changes=crm.stage_changes.assign(changed_at=moments(
            ["2026-03-01T09:59Z", "2026-03-20T10:00Z", "2026-06-10T10:00Z"])),
        opportunities=crm.opportunities.assign(close_on=pd.to_datetime(
            ["2026-03-31", "2026-07-15", "2026-01-01"]).as_unit("us")))
    entries = entries_of(("bo", "lead", "2026-11-02", None, None, {"is_contradictory": True}),
                         ("ann", "mql", "2026-11-02"))
    table = find_contradictions(odd, entries, HELSINKI)
    assert table[["check", "n_rows", "first_ids"]].to_numpy().tolist() == [
        ["status changed before the lead was made", 1, "L1"], ["lead converted before it was made", 1, "ann"],
        ["deal closed before it was made", 1, "d1"], ["record made after it had reached a later stage", 1, "bo"]]
    assert table["consequence"].str.len().min() > 10


def test_contradictions_of_sound_data_are_none(crm, agreement):
    table = find_contradictions(crm, entries_of(("ann", "mql", "2026-11-02")), agreement)
    assert table["n_rows"].tolist() == [0, 0, 0, 0] and set(table["first_ids"]) == {""}
