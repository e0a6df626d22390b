"""Cohorts: each entry has one end, and rates and curves are the textbooks'."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.agreement import Agreement
from attribution.cohorts import (
    ENDS,
    build_passages,
    cohort_conversion,
    cohort_triangle,
    cumulative_incidence,
    funnel_flows,
    list_cohort,
    period_conversion,
    ripening_days,
    stage_velocity,
    waiting_curve,
)
from attribution.tables import UTC

STAGES = ["lead", "mql", "sql", "opportunity", "customer"]
START = pd.Timestamp("2026-01-01", tz="UTC")
AS_OF = START + pd.Timedelta(days=1000)
FREIREICH = [6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]    # relapsed, censored
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def at(day):
    return START + pd.Timedelta(days=day)


def entries_of(*rows):
    """Make entries from (record, stage, day, day of leaving, left to), then, where given, lifecycle, deal, imputed.

    A record whose name begins with D is a deal.
    """
    table = pd.DataFrame([(*row, *(1, None, False)[len(row) - 5:]) for row in rows],
                         columns=["record_id", "stage", "day", "left", "left_to", "lifecycle", "deal", "is_imputed"])
    is_deal = table["record_id"].str.startswith("D").astype(bool)
    days = {"entered_at": "day", "left_at": "left"}
    texts = {"record_id": table["record_id"], "person_id": table["record_id"].mask(is_deal), "account_id": "acme",
             "left_to": table["left_to"], "opportunity_id": table["deal"].mask(is_deal, table["record_id"]),
             "owner_id": "sam"}
    texts = {name: pd.Series(text, table.index, dtype="str") for name, text in texts.items()}
    moments = {name: (START + pd.to_timedelta(table[day].astype(float), unit="D")).astype(UTC)
               for name, day in days.items()}
    return pd.DataFrame(texts | moments | {
        "stage": pd.Categorical(table["stage"], STAGES, ordered=True), "lifecycle": table["lifecycle"].astype(int),
        "n_entry": table.groupby(["record_id", "stage"]).cumcount() + 1,
        "is_imputed": table["is_imputed"].astype(bool)})


def passages_of(*rows):
    """Make passages from (record, day of entry, end, days); what waits does so until as_of."""
    table = pd.DataFrame(rows, columns=["record_id", "day", "end", "days"]).astype({"days": float, "day": float})
    entered_at = START + pd.to_timedelta(table["day"], unit="D")
    return table.drop(columns="day").assign(
        entered_at=entered_at.astype(UTC), ended_at=(entered_at + pd.to_timedelta(table["days"], unit="D")).astype(UTC),
        n_entry=table.groupby("record_id").cumcount() + 1,
        share=np.where(table["end"] == "reached", 1.0, np.nan)).astype({"record_id": "str", "end": "str"})


def lasting(end, *days):
    """Make passages of one day's entries that last so many days each."""
    return passages_of(*[(f"{end}{i}", 0, end, each) for i, each in enumerate(days)])


def freireich():
    """6-mercaptopurine arm of Freireich et al. (1963), Blood 21:699; weeks of remission, as in Kleinbaum & Klein."""
    return pd.concat([lasting("out", *FREIREICH[0]), lasting("waiting", *FREIREICH[1])], ignore_index=True)


def convert(passages, groups=None, within_days=30, last=500):
    return cohort_conversion(passages, groups, first=at(0), last=at(last), within_days=within_days)


def ends_of(passages):
    return {row.record_id: (row.end, row.days) for row in passages.itertuples()}


def values_at(table, column, days):
    return table.set_index("days")[column].loc[days].round(3).tolist()


# --- passages

FIVE_ENDS = entries_of(
    ("ann", "lead", 0, 4, "mql"), ("ann", "mql", 4, 9, "sql"), ("ann", "sql", 9, None, None),
    ("bo", "lead", 1, None, None),
    ("cy", "lead", 2, 3, "mql"), ("cy", "mql", 3, 5, "lead"), ("cy", "lead", 5, None, None, 2),
    ("di", "lead", 2, 12, "out"),
    ("ed", "lead", 7, 6, "out"))


def test_passages_say_how_each_entry_ended():
    assert ends_of(build_passages(FIVE_ENDS, "lead", "sql", as_of=AS_OF).query("n_entry == 1")) == {
        "ann": ("reached", 9.0), "bo": ("waiting", 999.0), "cy": ("returned", 3.0), "di": ("out", 10.0),
        "ed": ("contradictory", pytest.approx(np.nan, nan_ok=True))}
    again = build_passages(FIVE_ENDS, "lead", "sql", as_of=AS_OF).query("n_entry == 2")
    assert again[["record_id", "lifecycle", "end", "days"]].to_numpy().tolist() == [["cy", 2, "waiting", 995.0]]


def test_passages_carry_the_entry_and_the_moment_of_its_end():
    row = build_passages(FIVE_ENDS, "lead", "mql", as_of=AS_OF).iloc[0]
    assert row.to_dict() == {
        "record_id": "ann", "person_id": "ann", "account_id": "acme", "opportunity_id": row["opportunity_id"],
        "owner_id": "sam", "n_entry": 1, "lifecycle": 1, "entered_at": at(0), "end": "reached", "ended_at": at(4),
        "days": 4.0, "share": 1.0}
    ended = build_passages(FIVE_ENDS, "lead", "sql", as_of=AS_OF).set_index("record_id")["ended_at"]
    assert ended["bo"] == AS_OF and ended["di"] == at(12) and ended["ed"] == at(6)


def test_passages_reach_only_in_their_own_lifecycle():
    back = entries_of(("cy", "mql", 3, 5, "lead"), ("cy", "lead", 5, 6, "mql", 2), ("cy", "mql", 6, 8, "sql", 2),
                      ("cy", "sql", 8, None, None, 2))
    assert build_passages(back, "mql", "sql", as_of=AS_OF)[["end", "days"]].to_numpy().tolist() == [
        ["returned", 2.0], ["reached", 2.0]]


def test_passages_of_people_go_on_with_the_deal_that_the_lifecycle_became():
    rows = entries_of(
        ("won", "sql", 0, 5, "opportunity", 1, "D1"), ("D1", "opportunity", 5, 30, "customer"),
        ("D1", "customer", 30, None, None),
        ("lost", "sql", 0, 6, "opportunity", 1, "D2"), ("D2", "opportunity", 6, 20, "out"),
        ("open", "sql", 0, 7, "opportunity", 1, "D3"), ("D3", "opportunity", 7, None, None),
        ("late", "sql", 9, None, None, 1, "D3"),
        ("back", "sql", 0, 4, "lead", 1), ("back", "lead", 4, None, None, 2))
    assert ends_of(build_passages(rows, "sql", "customer", as_of=AS_OF)) == {
        "won": ("reached", 30.0), "lost": ("out", 20.0), "open": ("waiting", 1000.0), "late": ("waiting", 991.0),
        "back": ("returned", 4.0)}
    made = build_passages(rows, "sql", "opportunity", as_of=AS_OF).set_index("record_id")
    assert made["end"].to_dict() == {"won": "reached", "lost": "reached", "open": "reached", "late": "contradictory",
                                     "back": "returned"}
    assert np.isnan(made.loc["late", "days"]) and np.isnan(made.loc["late", "share"])
    assert made.loc["open", "share"] == 1.0                   # the contradictory one is used for nothing else
    assert ends_of(build_passages(rows, "opportunity", "customer", as_of=AS_OF)) == {
        "D1": ("reached", 25.0), "D2": ("out", 14.0), "D3": ("waiting", 993.0)}


def test_passages_of_five_people_who_became_one_deal_share_it():
    rows = entries_of(*[(f"p{i}", "sql", i, 9, "opportunity", 1, "D1") for i in range(5)],
                      ("alone", "sql", 0, 9, "opportunity", 1, "D2"), ("D1", "opportunity", 9, None, None),
                      ("D2", "opportunity", 9, None, None))
    shares = build_passages(rows, "sql", "opportunity", as_of=AS_OF).set_index("record_id")["share"]
    assert shares.to_dict() == {f"p{i}": 0.2 for i in range(5)} | {"alone": 1.0}


def test_passages_follow_a_deal_that_went_back_through_all_its_lifecycles():
    rows = entries_of(("p", "sql", 0, 1, "opportunity", 1, "D1"), ("D1", "opportunity", 1, 3, "out"),
                      ("D1", "opportunity", 8, 20, "customer", 2), ("D1", "customer", 20, None, None, 2))
    assert ends_of(build_passages(rows, "sql", "customer", as_of=AS_OF)) == {"p": ("reached", 20.0)}
    assert build_passages(rows, "opportunity", "customer", as_of=AS_OF)[["end", "days"]].to_numpy().tolist() == [
        ["out", 2.0], ["reached", 12.0]]


def test_passages_count_an_imputed_target_but_no_imputed_start():
    rows = entries_of(("a", "lead", 0, 5, "mql"), ("a", "mql", 5, 5, "sql", 1, None, True), ("a", "sql", 5, None, None))
    assert ends_of(build_passages(rows, "lead", "mql", as_of=AS_OF)) == {"a": ("reached", 5.0)}
    assert len(build_passages(rows, "mql", "sql", as_of=AS_OF)) == 0


def test_passages_that_skipped_a_stage_reached_it_with_the_next():
    rows = entries_of(("a", "lead", 0, 5, "sql"), ("a", "sql", 5, None, None),
                      ("b", "lead", 0, 7, "opportunity", 1, "D1"), ("c", "lead", 1, 7, "opportunity", 1, "D1"),
                      ("D1", "opportunity", 7, None, None))
    passages = build_passages(rows, "lead", "mql", as_of=AS_OF)
    assert ends_of(passages) == {"a": ("reached", 5.0), "b": ("reached", 7.0), "c": ("reached", 6.0)}
    assert passages["share"].tolist() == [1.0, 1.0, 1.0]          # each is an MQL of its own
    assert build_passages(rows, "lead", "opportunity", as_of=AS_OF)["share"].tolist()[1:] == [0.5, 0.5]


def test_passages_of_a_deal_closed_before_it_was_made_are_contradictory():
    rows = entries_of(("D1", "opportunity", 9, 5, "customer"), ("D1", "customer", 5, None, None),
                      ("p", "sql", 7, 9, "opportunity", 1, "D1"))
    assert build_passages(rows, "opportunity", "customer", as_of=AS_OF)["end"].tolist() == ["contradictory"]
    assert ends_of(build_passages(rows, "sql", "opportunity", as_of=AS_OF)) == {"p": ("reached", 2.0)}


def test_passages_refuse_stages_unknown_or_out_of_order():
    with pytest.raises(ValueError, match="to_stage: 'won' is not one of lead, mql, sql, opportunity, customer"):
        build_passages(FIVE_ENDS, "lead", "won", as_of=AS_OF)
    with pytest.raises(ValueError, match="from_stage: 'won' is not one of lead, mql"):
        period_conversion(FIVE_ENDS, "won", "lead", first=at(0), last=at(1))
    for to_stage in ("sql", "mql"):
        with pytest.raises(ValueError, match=f"to_stage: '{to_stage}' does not stand after 'sql' in lead, mql, sql"):
            build_passages(FIVE_ENDS, "sql", to_stage, as_of=AS_OF)


def test_passages_end_as_the_furthest_stage_did_where_a_lead_was_made_late():
    rows = entries_of(("a", "mql", 1, 9, "out"), ("a", "lead", 5, 5, "mql"))
    assert ends_of(build_passages(rows, "mql", "sql", as_of=AS_OF)) == {"a": ("out", 8.0)}
    assert build_passages(rows, "lead", "mql", as_of=AS_OF)["end"].tolist() == ["contradictory"]


@st.composite
def histories(draw):
    """Draw each person's moves, a list of (day, to); who goes to a deal goes on as the deal."""
    people = []
    for _ in range(draw(st.integers(0, 5))):
        line = [draw(st.sampled_from(STAGES[:3]))] + draw(st.lists(st.sampled_from([*STAGES[:3], "out"]), max_size=4))
        deal = ["opportunity"]
        line += draw(st.sampled_from([[], ["out"], deal, [*deal, "out"], [*deal, "customer"]]))
        line = [to for to, before in zip(line, [None, *line], strict=False) if to != before]
        days = np.cumsum([draw(st.integers(0, 9)) for _ in line])
        people.append(list(zip(days.tolist(), line, strict=True)))
    return people


def rows_of(people):
    """Turn the moves into rows of entries: a lifecycle ends where somebody goes back, is out, or becomes a deal."""
    for who, moves in enumerate(people):
        of_deal = next((i for i, (_, to) in enumerate(moves) if to == "opportunity"), None)
        lifecycle, n_lifecycles = 1, sum(map(is_new, moves, moves[1:])) + 1
        for i, ((day, stage), after) in enumerate(zip(moves, [*moves[1:], (None, None)], strict=True)):
            lifecycle += i > 0 and is_new(moves[i - 1], moves[i])
            is_deal = of_deal is not None and i >= of_deal
            theirs = f"D{who}" if of_deal is not None and lifecycle == n_lifecycles else None
            if stage != "out":
                yield (f"D{who}" if is_deal else f"p{who}", stage, day, *after, 1 if is_deal else lifecycle, theirs)


def is_new(before, after):
    return after[1] != "out" and (before[1] == "out" or STAGES.index(after[1]) < STAGES.index(before[1]))


def follow(moves, i, to_stage):
    """Follow one entry move by move to its end."""
    for (_, stage), (day, to) in zip(moves[i:], moves[i + 1:], strict=False):
        if to == "out":
            return "out", day - moves[i][0]
        if STAGES.index(to) >= STAGES.index(to_stage):
            return "reached", day - moves[i][0]
        if STAGES.index(to) < STAGES.index(stage):
            return "returned", day - moves[i][0]
    return "waiting", 1000 - moves[i][0]


@given(histories(), st.sampled_from([(0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4)]))
def test_passages_give_every_entry_one_end_as_following_it_move_by_move_does(people, pair):
    entries, (from_stage, to_stage) = made_of(people), (STAGES[i] for i in pair)
    passages = build_passages(entries, from_stage, to_stage, as_of=AS_OF)
    assert len(passages) == (entries["stage"] == from_stage).sum()
    assert set(passages["end"]) <= set(ENDS)
    assert sorted(zip(passages["end"], passages["days"], strict=True)) == sorted(
        follow(moves, i, to_stage) for moves in people for i, (_, stage) in enumerate(moves) if stage == from_stage)
    assert passages["share"].notna().tolist() == (passages["end"] == "reached").tolist()
    shuffled = entries.sample(frac=1, random_state=len(people)).reset_index(drop=True)
    pd.testing.assert_frame_equal(build_passages(shuffled, from_stage, to_stage, as_of=AS_OF), passages)


def made_of(people):
    rows = list(rows_of(people))
    return entries_of(*rows) if rows else FIVE_ENDS.head(0)


# --- cohorts, ripe and not

SIX = passages_of(("a", 0, "reached", 5), ("b", 1, "reached", 40), ("c", 2, "out", 3), ("d", 3, "returned", 8),
                  ("e", 4, "waiting", 996), ("a", 9, "reached", 1), ("f", 5, "contradictory", None),
                  ("g", 600, "reached", 1))


def test_list_cohort_takes_each_record_once_and_no_contradictory_one():
    assert list_cohort(SIX, first=at(0), last=at(500))["record_id"].tolist() == ["a", "b", "c", "d", "e"]
    again = passages_of(("f", 0, "contradictory", None), ("f", 1, "reached", 2), ("f", 2, "out", 1))
    assert list_cohort(again, first=at(0), last=at(9))[["record_id", "end"]].to_numpy().tolist() == [["f", "reached"]]
    assert "part" not in list_cohort(SIX, first=at(0), last=at(1))


def test_cohort_conversion_counts_a_ripe_cohort_where_it_stood_after_the_days():
    row = convert(SIX).iloc[0].to_dict()
    low, high = row.pop("rate_low"), row.pop("rate_high")
    assert row == {"segment": "all", "n": 5, "n_reached": 1, "n_returned": 1, "n_out": 1, "n_waiting": 2, "n_again": 1,
                   "n_contradictory": 1, "conversion_rate": 0.2, "basis": "ripe"}
    assert (round(low, 4), round(high, 4)) == (0.0362, 0.6245)             # Wilson by hand, z = 1.96
    assert convert(SIX, within_days=40).loc[0, "n_reached"] == 2           # the last day counts


@pytest.mark.parametrize("n_reached, n, low, high", [
    (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)])
def test_a_ripe_cohort_has_the_interval_of_newcombe_1998(n_reached, n, low, high):
    """Statistics in Medicine 17:857, table I, method 3 (Wilson's score without continuity correction)."""
    row = convert(pd.concat([lasting("reached", *[1] * n_reached), lasting("out", *[2] * (n - n_reached))])).iloc[0]
    assert row["basis"] == "ripe" and row["conversion_rate"] == n_reached / n
    assert (round(row["rate_low"], 4), round(row["rate_high"], 4)) == (low, high)


def test_cohort_conversion_estimates_where_some_have_not_had_the_time():
    cohort = passages_of(("a", 0, "reached", 1), ("b", 0, "out", 2), ("c", 0, "waiting", 3), ("d", 0, "reached", 4))
    row = convert(cohort).iloc[0]
    assert row["basis"] == "estimated"
    assert row["conversion_rate"] == pytest.approx(1 / 4 + 2 / 4)          # the one left after day 3 stands for two
    assert row["n_reached"] == 2 and row["n_waiting"] == 1
    assert 0 < row["rate_low"] < 0.75 < row["rate_high"] < 1
    assert convert(cohort, within_days=3).loc[0, ["conversion_rate", "basis"]].tolist() == [0.25, "ripe"]


def test_an_estimated_rate_has_the_error_of_stata_and_the_interval_of_pintilie():
    """Data, incidence (cmprsk) and error (stcompet) as in statsmodels' own test; 0.17037 has the error 0.08976."""
    days = [1, 1, 2, 4, 4, 4, 6, 6, 7, 8, 9, 9, 9, 1, 2, 2, 4, 4]
    ends = ["reached"] * 3 + ["returned"] * 3 + ["out"] * 3 + ["waiting"] * 9
    cohort = passages_of(*[(f"p{i}", 0, end, day) for i, (end, day) in enumerate(zip(ends, days, strict=True))])
    row = convert(cohort, within_days=9).iloc[0]
    width = np.exp(1.96 * 0.08976251 / (0.17037037 * -np.log(0.17037037)))
    assert row["conversion_rate"] == pytest.approx(0.17037037)
    assert row[["rate_low", "rate_high"]].tolist() == pytest.approx(
        [0.17037037 ** width, 0.17037037 ** (1 / width)], rel=1e-4)
    curves = cumulative_incidence(cohort, 9).set_index(["event", "days"])["incidence"]
    for event, curve in {"reached": [0.11111111, 0.17037037, 0.17037037], "returned": [0, 0, 0.20740741],
                         "out": [0, 0, 0]}.items():
        assert [curves[event, day] for day in (1, 2, 4)] == pytest.approx(curve)
    assert [curves["out", day] for day in (5, 6, 7, 9)] == pytest.approx([0, 0.17777778, 0.26666667, 0.26666667])


def test_cumulative_incidence_is_that_of_satagopan_2004():
    """British Journal of Cancer 91:1229, table 2: deaths of breast cancer, others competing, among 305 patients."""
    ends = [("waiting", 7), ("reached", 10), ("waiting", 14), ("reached", 16), ("out", 18), ("reached", 23),
            ("waiting", 24), ("out", 26), ("reached", 27)] + [("waiting", 60)] * 296
    curve = cumulative_incidence(passages_of(*[(f"p{i}", 0, *end) for i, end in enumerate(ends)]), 30)
    assert (values_at(curve[curve["event"] == "reached"], "incidence", [9, 10, 16, 23, 27])) == [
        0, 0.003, 0.007, 0.010, 0.013]


def test_a_cohort_that_nobody_followed_so_long_is_too_young():
    young = passages_of(("a", 0, "reached", 2), ("b", 0, "waiting", 10), ("c", 0, "waiting", 20))
    row = convert(young).iloc[0]
    assert row["basis"] == "too young" and row["n"] == 3 and row["n_reached"] == 1
    assert row[["conversion_rate", "rate_low", "rate_high"]].isna().all()
    assert convert(young, within_days=20).loc[0, "basis"] == "estimated"


def test_an_estimate_of_nobody_reaching_has_no_interval():
    row = convert(passages_of(("a", 0, "waiting", 10), ("b", 0, "waiting", 40), ("c", 0, "out", 5))).iloc[0]
    assert row["conversion_rate"] == 0 and row["basis"] == "estimated" and np.isnan(row["rate_high"])


def test_an_empty_cohort_has_no_rate():
    row = convert(SIX.head(0)).iloc[0]
    assert row["n"] == 0 and np.isnan(row["conversion_rate"]) and pd.isna(row["basis"])
    groups = pd.DataFrame({"record_id": ["a"], "segment": ["x"], "weight": [1.0]})
    assert convert(SIX.head(0), groups).empty
    assert convert(SIX.head(0), groups).dtypes.to_dict() == convert(SIX).dtypes.to_dict()


def test_cohort_conversion_by_segment_shares_records_by_weight_and_keeps_the_unknown():
    groups = pd.DataFrame({"record_id": ["a", "b", "b", "c", "d", "f"], "segment": ["x", "x", "y", "y", "y", "x"],
                           "weight": [1, 0.25, 0.75, 1, 1, 1]}).astype({"record_id": "str", "segment": "str"})
    table = convert(SIX, groups, within_days=40).set_index("segment")
    assert table.index.tolist() == ["y", "x", "not known"]
    assert table["n"].tolist() == [2.75, 1.25, 1.0] and table["n_reached"].tolist() == [0.75, 1.25, 0.0]
    assert table["n_again"].to_dict() == {"y": 0, "x": 1, "not known": 0}
    assert table["n_contradictory"].to_dict() == {"y": 0, "x": 1, "not known": 0}
    assert table.loc["y", "conversion_rate"] == pytest.approx(0.75 / 2.75)


def test_shares_of_records_make_a_rate_no_surer_than_the_records():
    split = pd.DataFrame([(f"{end}{i}", segment, 0.5) for end in ("reached", "out", "waiting") for i in range(20)
                          for segment in "xy"], columns=["record_id", "segment", "weight"])
    ripe = pd.concat([lasting("reached", *range(1, 9)), lasting("out", *range(1, 13))])
    unripe = pd.concat([ripe, lasting("waiting", *range(1, 40, 3))])
    for passages in (ripe, unripe):
        whole, halves = convert(passages).iloc[0], convert(passages, split)
        assert halves["n"].tolist() == [whole["n"] / 2] * 2
        for column in ("conversion_rate", "rate_low", "rate_high"):
            assert halves[column].tolist() == pytest.approx([whole[column]] * 2)


def test_unequal_weights_make_a_rate_less_sure():
    """Twins of weight 1 and 0.2: the same rate as unweighted, from (sum w)^2 / sum w^2 = 0.36 / 0.52 of the records."""
    ends = [("reached", 3), ("out", 5), ("waiting", 7), ("reached", 9), ("waiting", 12), ("waiting", 40)]
    twins = passages_of(*[(f"{twin}{i}", 0, *ends[i % 6]) for i in range(30) for twin in "ab"])
    weights = pd.DataFrame({"record_id": twins["record_id"], "segment": "x", "weight": [1.0, 0.2] * 30})
    plain, weighted = convert(twins).iloc[0], convert(twins, weights).iloc[0]
    assert weighted["conversion_rate"] == pytest.approx(plain["conversion_rate"])
    widths = [np.log(np.log(row["rate_low"]) / np.log(row["conversion_rate"])) for row in (plain, weighted)]
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(0.52 / 0.36))


def test_weights_count_in_an_estimate():
    cohort = passages_of(("a", 0, "reached", 1), ("b", 0, "out", 2), ("c", 0, "waiting", 3), ("d", 0, "waiting", 40))
    groups = pd.DataFrame({"record_id": list("abcd"), "segment": "x", "weight": [0.2, 1.0, 1.0, 1.0]})
    assert convert(cohort, groups).loc[0, "conversion_rate"] == pytest.approx(0.2 / 3.2)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 30), st.sampled_from(ENDS), st.integers(0, 50)),
                max_size=12), st.randoms())
def test_cohort_conversion_loses_nobody_and_ignores_the_order(rows, random):
    passages = passages_of(*[(who, day, end, None if end == "contradictory" else days) for who, day, end, days in rows])
    table = convert(passages, within_days=20, last=15)
    row = table.iloc[0]
    assert row["n"] == row[["n_reached", "n_returned", "n_out", "n_waiting"]].sum()
    inside = passages["entered_at"] <= at(15)
    assert row[["n", "n_again", "n_contradictory"]].sum() == inside.sum()
    rate, low, high = row[["conversion_rate", "rate_low", "rate_high"]].astype(float)
    assert not (rate < 0 or rate > 1 or low > rate + 1e-9 or high < rate - 1e-9)
    shuffled = passages.assign(n_entry=np.arange(len(passages))).sample(frac=1, random_state=random.randrange(1000))
    ordered = passages.assign(n_entry=np.arange(len(passages)))
    pd.testing.assert_frame_equal(convert(shuffled, last=15), convert(ordered, last=15))


# --- a made-up funnel whose truth is known

def simulate(rng, n, share, mean_days, spread_days, out_days=60.0):
    """Let n enter evenly over spread_days; share of them would reach, all leave or reach after exponential times."""
    entered = rng.uniform(0, spread_days, n)
    will = rng.random(n) < share
    days = rng.exponential(np.where(will, mean_days, out_days))
    left = spread_days - entered
    end = np.where(days > left, "waiting", np.where(will, "reached", "out"))
    return passages_of(*zip([f"p{i}" for i in range(n)], entered, end, np.minimum(days, left), strict=True))


@pytest.mark.parametrize("last, basis", [(240, "ripe"), (330, "estimated")])
def test_a_known_conversion_is_found_in_ripe_and_in_unripe_cohorts(last, basis):
    """95 % intervals of 100 made-up cohorts hold the truth in about 95; in fewer than 88 once in 700 times."""
    truth, rng, held = 0.3 * (1 - np.exp(-90 / 40)), np.random.default_rng(7), 0
    for _ in range(100):
        row = convert(simulate(rng, 300, 0.3, 40, 330), within_days=90, last=last).iloc[0]
        held += row["rate_low"] <= truth <= row["rate_high"]
        assert row["basis"] == basis
    assert held >= 88


def test_censoring_those_who_left_would_inflate_the_rate():
    rng = np.random.default_rng(7)
    cohort = simulate(rng, 20_000, 0.3, 40, 330)
    truth = 0.3 * (1 - np.exp(-90 / 40))
    rate = convert(cohort, within_days=90).loc[0, "conversion_rate"]
    censored = cohort.assign(end=cohort["end"].mask(cohort["end"] == "out", "waiting"))
    naive = 1 - waiting_curve(censored, 90)["waiting_share"].iloc[-1]
    assert rate == pytest.approx(truth, abs=0.01)
    assert naive > truth + 0.1


# --- curves

def test_waiting_curve_is_kaplan_and_meiers_of_freireich_1963():
    curve = waiting_curve(freireich(), 40)
    assert values_at(curve, "waiting_share", [0, 5, 6, 7, 10, 13, 16, 22, 23, 35]) == [
        1, 1, 0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448, 0.448]
    assert curve["waiting_share"].iloc[36:].isna().all()                  # nobody was followed beyond 35
    assert values_at(curve, "waiting_low", [6, 23]) == [0.620, 0.188]      # log-log, SAS 9 and R's conf.type="log-log"
    assert values_at(curve, "waiting_high", [6, 23]) == [0.952, 0.680]


def test_curves_go_on_where_nobody_is_left_waiting():
    everybody = lasting("out", *PLACEBO)
    assert values_at(waiting_curve(everybody, 30), "waiting_share", [8, 12, 23, 30]) == [0.381, 0.190, 0, 0]
    out = cumulative_incidence(everybody, 30).query("event == 'out'")
    assert values_at(out, "incidence", [8, 23, 30]) == [0.619, 1, 1]
    assert out["incidence_low"].iloc[8:23].notna().all() and out["incidence_low"].iloc[[0, 30]].isna().all()


def test_curves_of_people_who_all_wait_are_flat():
    waiting = lasting("waiting", 3, 9)
    assert values_at(waiting_curve(waiting, 9), "waiting_share", [0, 3, 9]) == [1, 1, 1]
    assert set(cumulative_incidence(waiting, 9)["incidence"]) == {0.0}
    assert waiting_curve(waiting, 10)["waiting_share"].isna().tolist() == [False] * 10 + [True]


@given(st.lists(st.tuples(st.sampled_from(ENDS[:4]), st.integers(0, 20)), min_size=1, max_size=15))
def test_the_curves_are_parts_of_one_whole(rows):
    passages = passages_of(*[(f"p{i}", 0, *row) for i, row in enumerate(rows)])
    incidence = cumulative_incidence(passages, 20).groupby("days")["incidence"].sum(min_count=3)
    assert (incidence + waiting_curve(passages, 20)["waiting_share"]).dropna().to_numpy() == pytest.approx(1)
    assert incidence.isna().tolist() == waiting_curve(passages, 20)["waiting_share"].isna().tolist()


def test_curves_leave_the_contradictory_out():
    odd = pd.concat([lasting("out", 1, 2), lasting("contradictory", None)])
    assert values_at(waiting_curve(odd, 2), "waiting_share", [1, 2]) == [0.5, 0]
    assert values_at(cumulative_incidence(odd, 2).query("event == 'out'"), "incidence", [1, 2]) == [0.5, 1]


def test_curves_of_nobody_are_blank():
    assert waiting_curve(SIX.head(0), 2)["waiting_share"].isna().tolist() == [True] * 3
    empty = cumulative_incidence(SIX.head(0), 2)
    assert empty["incidence"].isna().all()
    assert empty["event"].tolist() == ["reached"] * 3 + ["returned"] * 3 + ["out"] * 3


def test_ripening_days_are_when_nine_in_ten_had_reached():
    assert ripening_days(lasting("reached", *range(10, 110, 10))) == 90
    assert ripening_days(lasting("reached", 90.5)) == 120
    assert ripening_days(lasting("reached", 0)) == 30
    assert ripening_days(lasting("out", 400)) == 90


# --- triangle, period, velocity

def test_triangle_follows_each_month_by_the_local_calendar():
    def passage(who, entered, end, ended):
        entered, ended = pd.Timestamp(entered, tz="UTC"), pd.Timestamp(ended, tz="UTC")
        days = None if end == "contradictory" else (ended - entered) / pd.Timedelta(days=1)
        return who, (entered - START) / pd.Timedelta(days=1), end, days
    rows = passages_of(
        passage("a", "2026-07-31 21:30", "reached", "2026-08-31 20:59"),     # August in Helsinki, on both sides
        passage("b", "2026-08-05", "reached", "2026-08-31 21:00"),           # reached in September
        passage("c", "2026-08-06", "waiting", "2026-10-31 21:59"),
        passage("a", "2026-08-20", "reached", "2026-08-21"),                 # again in the same month
        passage("d", "2026-08-07", "contradictory", "2026-08-01"),
        passage("a", "2026-09-02", "reached", "2026-10-02"),
        passage("e", "2026-07-31 20:00", "reached", "2026-08-01"))           # July
    agreement = Agreement(time_zone="Europe/Helsinki")
    table = cohort_triangle(rows, agreement, as_of=agreement.month_end("2026-10"), n_months=3)
    assert table.to_numpy().tolist()[:5] == [["2026-08", 3, 0, 1, 1 / 3], ["2026-08", 3, 1, 2, 2 / 3],
                                             ["2026-08", 3, 2, 2, 2 / 3], ["2026-09", 1, 0, 0, 0.0],
                                             ["2026-09", 1, 1, 1, 1.0]]
    assert table.iloc[5][["month", "n", "age_months", "n_reached"]].tolist() == ["2026-10", 0, 0, 0]
    assert np.isnan(table["conversion_rate"].iloc[5])
    early = cohort_triangle(rows, agreement, as_of=agreement.month_end("2026-10") - pd.Timedelta(days=1), n_months=3)
    assert early[["month", "age_months"]].to_numpy().tolist() == [["2026-08", 0], ["2026-08", 1], ["2026-09", 0]]


def test_triangle_of_nobody_has_its_months():
    table = cohort_triangle(SIX.head(0), Agreement(), as_of=Agreement().month_end("2026-10"), n_months=2)
    assert table[["month", "age_months", "n"]].to_numpy().tolist() == [["2026-09", 0, 0], ["2026-09", 1, 0],
                                                                      ["2026-10", 0, 0]]


def test_period_conversion_sets_entries_beside_entries():
    row = period_conversion(FIVE_ENDS, "lead", "mql", first=at(2), last=at(5)).iloc[0]
    assert row.to_dict() == {"from_stage": "lead", "to_stage": "mql", "n_from": 3, "n_to": 2, "period_rate": 2 / 3}
    late = period_conversion(FIVE_ENDS, "lead", "mql", first=at(3), last=at(4)).iloc[0]
    assert late["n_to"] == 2 and late["n_from"] == 0 and np.isnan(late["period_rate"])


def test_velocity_has_the_median_and_mean_of_freireich_1963():
    """Kleinbaum & Klein: medians 23 and 8 weeks; R prints the restricted mean 23.29; the placebo mean is 182 / 21."""
    stays = [("lead", day, True) for day in FREIREICH[0]] + [("lead", day, False) for day in FREIREICH[1]]
    stays += [("mql", day, True) for day in PLACEBO]
    rows = entries_of(*[(f"p{i}", stage, 1000 - day if not gone else 0, day if gone else None, "out" if gone else None)
                        for i, (stage, day, gone) in enumerate(stays)])
    table = stage_velocity(rows, as_of=AS_OF).set_index("stage")
    assert table.loc["lead", ["n", "n_left", "n_waiting"]].tolist() == [21, 9, 12]
    assert table.loc["lead", "median_days"] == 23 and table.loc["mql", "median_days"] == 8
    assert table.loc["lead", "median_low"] == 13 and np.isnan(table.loc["lead", "median_high"])
    assert table.loc["mql", ["median_low", "median_high"]].tolist() == [4, 11]
    assert round(table.loc["lead", "mean_days"], 2) == 23.29
    assert table.loc["mql", "mean_days"] == pytest.approx(182 / 21)


def test_velocity_takes_the_period_and_leaves_imputed_and_contradictory_entries_out():
    rows = entries_of(("a", "lead", 0, 10, "mql"), ("b", "lead", 5, 9, "out"), ("c", "lead", 6, 4, "out"),
                      ("d", "lead", 7, 8, "mql", 1, None, True), ("e", "lead", 90, 91, "mql"))
    table = stage_velocity(rows, as_of=AS_OF, first=at(0), last=at(50))
    assert table["stage"].tolist() == STAGES and table["stage"].dtype == rows["stage"].dtype
    assert table.iloc[0][["n", "n_left", "n_waiting", "n_contradictory", "mean_days"]].tolist() == [2, 2, 0, 1, 7]
    assert stage_velocity(rows, as_of=AS_OF, first=at(1))["n"].tolist() == [2, 0, 0, 0, 0]
    assert table.iloc[1:]["median_days"].isna().all() and table.iloc[1:]["mean_days"].isna().all()


# --- flows

def test_funnel_flows_say_where_the_entries_of_a_period_went():
    more = entries_of(("gus", "mql", 6, 7, "out"), ("hal", "mql", 7, 8, "out"))
    table = funnel_flows(pd.concat([FIVE_ENDS, more], ignore_index=True), first=at(0), last=at(6))
    assert table.to_numpy().tolist() == [
        ["lead", "mql", False, 2], ["lead", "out", False, 1], ["lead", "waiting", False, 2],
        ["mql", "lead", True, 1], ["mql", "sql", False, 1], ["mql", "out", False, 1]]
    assert funnel_flows(FIVE_ENDS, first=at(900), last=at(901)).empty


@given(histories())
def test_funnel_flows_lose_no_entry(people):
    entries = made_of(people)
    flows = funnel_flows(entries, first=at(3), last=at(15))
    inside = entries[entries["entered_at"].between(at(3), at(15))]
    assert flows.groupby("from_stage", observed=False)["n"].sum().to_dict() == inside["stage"].value_counts().to_dict()
    back = sum(3 <= day <= 15 and to != "out" and STAGES.index(to) < STAGES.index(stage) for moves in people
               for (day, stage), (_, to) in zip(moves, moves[1:], strict=False) if stage != "out")
    assert flows.loc[flows["is_back"], "n"].sum() == back
