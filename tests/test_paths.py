import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from attribution.paths import build_paths

AS_OF = pd.Timestamp("2026-10-31 21:59", tz="UTC")


def touches_of(*rows):
    """List touches as (day, person, account, campaign)."""
    return pd.DataFrame([(f"t{i:02}", *row) for i, row in enumerate(rows)], columns=[
        "touch_id", "touched_at", "person_id", "account_id", "campaign_id"]).assign(
        touched_at=lambda rows: pd.to_datetime(rows["touched_at"], utc=True)).astype(
        {"person_id": "str", "account_id": "str"})


def deals_of(*rows):
    """List deals as (id, day, account)."""
    return pd.DataFrame(rows, columns=["conversion_id", "converted_at", "account_id"]).assign(
        converted_at=lambda rows: pd.to_datetime(rows["converted_at"], utc=True),
        person_id=pd.Series(None, range(len(rows)), "str"), value=100.0)


def outcomes(paths):
    firsts = paths[paths["position"] == 1]
    return dict(zip(firsts["conversion_id"], firsts["outcome"], strict=True))


def steps(paths, path):
    return paths.loc[paths["conversion_id"] == path, "campaign_id"].tolist()


def test_build_paths_tells_the_converted_the_lost_and_the_open():
    touches = touches_of(("2026-05-01", "Ann", "Acme", "A"), ("2026-05-02", "Bo", "Bolt", "B"),
                         ("2026-08-02", "Cy", "Cog", "A"), ("2026-08-04", "Di", "Dyn", "A"),
                         ("2026-06-01", "Ed", None, "B"))
    paths = build_paths(touches, deals_of(("d", "2026-05-20", "Acme"), ("untouched", "2026-05-20", "Far")), as_of=AS_OF)
    assert outcomes(paths) == {"d": "converted", "account:Bolt": "lost", "account:Cog": "lost", "account:Dyn": "open",
                               "person:Ed": "lost"}                  # 90 days before 31 October is 2 August
    assert paths.loc[paths["outcome"] != "converted", "value"].eq(0).all()


def test_build_paths_does_not_count_fresh_successes_while_fresh_failures_are_not_known():
    touches = touches_of(("2026-07-01", "Ann", "Acme", "A"), ("2026-10-01", "Ann", "Acme", "B"),
                         ("2026-10-05", "Ann", "Acme", "C"), ("2026-10-01", "Bo", "Bolt", "B"),
                         ("2026-07-01", "Cy", "Cog", "A"))
    deals = deals_of(("d", "2026-10-20", "Acme"), ("ripe", "2026-10-20", "Cog"))
    paths = build_paths(touches, deals, as_of=AS_OF)
    assert outcomes(paths) == {"d": "open", "ripe": "converted", "account:Bolt": "open"}
    assert steps(paths, "d") == ["A", "B"]                           # A to B has had time to happen, B to C has not
    assert paths.loc[paths["conversion_id"] == "d", "n_touches"].tolist() == [2, 2]


@pytest.mark.parametrize(("min_age_days", "outcome"), [(29, "lost"), (31, "open")])
def test_build_paths_calls_a_path_lost_only_at_the_minimum_age(min_age_days, outcome):
    touches = touches_of(("2026-10-01 22:00", "Ann", "Acme", "A"))
    assert outcomes(build_paths(touches, deals_of(), as_of=AS_OF, min_age_days=min_age_days)) == {
        "account:Acme": outcome}


def test_build_paths_begins_anew_after_the_last_conversion():
    touches = touches_of(("2024-12-01", "Ann", "Acme", "Old"), ("2026-03-01", "Ann", "Acme", "A"),
                         ("2026-05-01", "Bo", "Acme", "B"), ("2026-06-01", "Ann", "Acme", "C"))
    paths = build_paths(touches, deals_of(("d", "2026-04-01", "Acme")), as_of=AS_OF)
    assert steps(paths, "d") == ["A"]                                # the old touch is too old, but no failure
    assert steps(paths, "account:Acme") == ["B", "C"]


def test_build_paths_does_not_count_a_touch_of_a_deal_as_a_failure_elsewhere():
    touches = touches_of(("2026-05-01", "Ann", "Holding", "A"), ("2026-05-02", "Bo", "Holding", "B"))
    roles = pd.DataFrame({"opportunity_id": ["d"], "person_id": ["Ann"]})
    paths = build_paths(touches, deals_of(("d", "2026-06-01", "Acme")), roles, as_of=AS_OF)
    assert (steps(paths, "d"), steps(paths, "account:Holding")) == (["A"], ["B"])


ANN = pd.DataFrame({"opportunity_id": ["d"], "person_id": ["Ann"]})


@pytest.mark.parametrize(("account", "unit"), [("Agency", "account:Agency"), (None, "person:Ann")])
def test_build_paths_counts_no_failure_of_a_person_before_a_conversion_elsewhere(account, unit):
    touches = touches_of(("2025-01-01", "Ann", account, "Old"), ("2026-05-01", "Ann", account, "A"))
    paths = build_paths(touches, deals_of(("d", "2026-06-01", "Acme")), ANN, as_of=AS_OF)
    assert paths[["conversion_id", "campaign_id", "outcome"]].to_numpy().tolist() == [["d", "A", "converted"]]
    later = touches_of(("2025-01-01", "Ann", account, "Old"), ("2026-06-02", "Ann", account, "A"))
    assert steps(build_paths(later, deals_of(("d", "2026-06-01", "Acme")), ANN, as_of=AS_OF), unit) == ["A"]


def test_build_paths_counts_no_failure_of_a_person_met_on_the_way_who_has_no_role():
    # By the account: Ann of Acme was met; her old touch is of the time when she was of no account.
    touches = touches_of(("2025-01-01", "Ann", None, "Old"), ("2026-05-01", "Ann", "Acme", "A"))
    assert outcomes(build_paths(touches, deals_of(("d", "2026-06-01", "Acme")), as_of=AS_OF)) == {"d": "converted"}


def test_build_paths_keeps_open_what_has_a_deal_to_come():
    touches = touches_of(("2026-03-01", "Ann", "Agency", "A"), ("2026-03-02", "Bo", "Bolt", "B"),
                         ("2026-03-03", "Cy", "Cog", "A"), ("2026-04-01", "Di", "Bolt", "C"),
                         ("2026-03-04", "Ed", None, "C"))
    roles = pd.DataFrame({"opportunity_id": ["e", "e"], "person_id": ["Ann", "Ed"]})
    pipeline = deals_of(("e", "2026-10-31", "Bolt"))
    paths = build_paths(touches, deals_of(), roles, as_of=AS_OF, pipeline=pipeline)
    assert outcomes(paths) == {"account:Agency": "open", "account:Bolt": "open", "account:Cog": "lost",
                               "person:Ed": "open"}
    assert steps(paths, "account:Bolt") == ["B", "C"]
    assert set(outcomes(build_paths(touches, deals_of(), roles, as_of=AS_OF)).values()) == {"lost"}


def test_build_paths_takes_no_open_deal_for_a_conversion_to_come_that_has_come_or_is_of_people():
    touches = touches_of(("2026-03-01", "Ann", "Acme", "A"), ("2026-06-01", "Bo", "Acme", "B"))
    pipeline, opened = deals_of(("d", "2026-10-31", "Acme")), deals_of(("d", "2026-04-01", "Acme"))
    paths = build_paths(touches, opened, as_of=AS_OF, pipeline=pipeline)
    assert outcomes(paths) == {"d": "converted", "account:Acme": "lost"}
    leads = deals_of(("Ann", "2026-04-01", "Acme")).assign(person_id=pd.Series(["Ann"], dtype="str"))
    roles = pd.DataFrame({"opportunity_id": ["d"], "person_id": ["Bo"]})
    assert outcomes(build_paths(touches, leads, roles, as_of=AS_OF, pipeline=pipeline)) == {
        "Ann": "converted", "person:Bo": "lost"}


def test_build_paths_follows_people_where_people_convert():
    touches = touches_of(("2026-05-01", "Ann", "Acme", "A"), ("2026-05-02", "Bo", "Acme", "B"))
    leads = deals_of(("Ann", "2026-06-01", "Acme")).assign(person_id=pd.Series(["Ann"], dtype="str"))
    assert outcomes(build_paths(touches, leads, as_of=AS_OF)) == {"Ann": "converted", "person:Bo": "lost"}


def test_build_paths_looks_back_from_the_last_touch_and_over_the_fitted_days():
    touches = touches_of(("2024-10-01", "Ann", "Acme", "A"), ("2025-05-01", "Bo", "Bolt", "A"),
                         ("2026-02-01", "Bo", "Bolt", "B"), ("2026-06-01", "Bo", "Bolt", "C"))
    paths = build_paths(touches, deals_of(("old", "2024-10-09", "Acme")), as_of=AS_OF, lookback_days=365, fit_days=730)
    assert outcomes(paths) == {"account:Bolt": "lost"}               # the deal was more than 730 days ago
    assert steps(paths, "account:Bolt") == ["B", "C"]
    longer = build_paths(touches, deals_of(("old", "2024-10-09", "Acme")), as_of=AS_OF, fit_days=760)
    assert steps(longer, "old") == ["A"]


def test_build_paths_is_deaf_to_what_comes_after_as_of_and_to_the_order_of_rows():
    touches = touches_of(("2026-05-01", "Ann", "Acme", "A"), ("2026-05-02", "Bo", "Bolt", "B"),
                         ("2026-05-02", "Cy", "Bolt", "C"), ("2026-11-02", "Bo", "Bolt", "C"))
    deals = deals_of(("d", "2026-05-20", "Acme"), ("late", "2026-11-20", "Bolt"))
    paths = build_paths(touches, deals, as_of=AS_OF)
    assert outcomes(paths) == {"d": "converted", "account:Bolt": "lost"}
    assert_frame_equal(paths, build_paths(touches[:3], deals[:1], as_of=AS_OF))
    assert_frame_equal(paths, build_paths(touches[::-1], deals[::-1], as_of=AS_OF))


@pytest.mark.parametrize("days", [{"min_age_days": -1}, {"fit_days": -0.5}, {"fit_days": float("nan")}])
def test_build_paths_refuses_days_below_zero(days):
    with pytest.raises(ValueError, match=f"{next(iter(days))}: .* is not a number of days from 0"):
        build_paths(touches_of(("2026-05-01", "Ann", "Acme", "A")), deals_of(), as_of=AS_OF, **days)


def test_build_paths_of_nothing_is_empty():
    assert build_paths(touches_of(), deals_of(), as_of=AS_OF)["outcome"].tolist() == []
