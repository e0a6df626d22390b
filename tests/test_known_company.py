"""A company whose true rates and response times are known: the whole way from its records finds them again."""

import numpy as np
import pandas as pd
import pytest
from conftest import make

from attribution.agreement import Agreement, Hours, Promise
from attribution.cohorts import build_passages, cohort_conversion
from attribution.entries import build_entries
from attribution.sla import build_responses, list_attempts, response_curve, response_summary
from attribution.tables import CRM

N, AS_OF = 2400, pd.Timestamp("2026-10-31 23:59:59", tz="UTC")
QUALIFIES, RETURNS, OUT = 0.30, 0.45, 0.25           # what becomes of a qualified lead, sooner or later
MEAN_DAYS, MEAN_HOURS, NEVER = 20.0, 12.0, 0.2       # exponential: to that end; to the first call in business hours
AGREEMENT = Agreement(hours=Hours(country=""), stages=Agreement().stages)
PROMISE = Promise("sales", "mql", "month", within_hours=16.0, share=0.8)


def moments(days, hours):
    """Give the moment so many business hours (8 to 16) after a working day's opening, by numpy's own calendar."""
    day = np.busday_offset(days, (hours // 8).astype(int))
    at = day.astype("datetime64[us]") + ((8 + hours % 8) * 3.6e9).astype("timedelta64[us]")
    return pd.Series(at).dt.tz_localize("UTC")


def text(values):
    return pd.Series(values).dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.fixture(scope="module")
def known():
    """The CRM of 2,400 people, each qualified at the opening of a working day of the last ten months."""
    rng = np.random.default_rng(11)
    ids = [f"p{i:04}" for i in range(N)]
    day = np.busday_offset("2026-01-01", rng.integers(0, 216, N), roll="forward")
    qualified = pd.Series(day.astype("datetime64[us]")).dt.tz_localize("UTC") + pd.Timedelta(hours=8)
    ends = qualified + pd.to_timedelta(rng.exponential(MEAN_DAYS, N), unit="D")
    status = rng.choice(["SQL", "Recycled", "Disqualified"], N, p=[QUALIFIES, RETURNS, OUT])
    called, is_called = moments(day, rng.exponential(MEAN_HOURS, N)), rng.random(N) > NEVER
    changes = pd.DataFrame({"record_id": [*ids, *ids], "from_stage": ["Open"] * N + ["MQL"] * N,
                            "stage": ["MQL"] * N + list(status), "changed_at": pd.concat([qualified, ends])})
    changes = changes[changes["changed_at"] <= AS_OF].reset_index(drop=True)
    calls = pd.DataFrame({"person_id": ids, "done_at": called})[is_called & (called <= AS_OF)].reset_index(drop=True)
    empty = {name: make(name) for name in ("campaigns", "accounts", "touches", "opportunities", "contact_roles",
                                           "owners", "left_out", "missing")}
    return CRM(
        people=make("people", person_id=ids, lead_id=ids, created_at="2025-12-01T08:00:00Z",
                    lead_created_at="2025-12-01T08:00:00Z", owner_id="sam"),
        stage_changes=make("stage_changes", change_id=[f"h{i}" for i in range(len(changes))], record_type="lead",
                           person_id=changes["record_id"], **changes.assign(changed_at=text(changes["changed_at"]))),
        activities=make("activities", activity_id=[f"a{i}" for i in range(len(calls))], kind="call", is_outbound=True,
                        is_done=True, owner_id="sam", person_id=calls["person_id"], done_at=text(calls["done_at"])),
        exported_at=AS_OF, as_of=AS_OF, **empty)


@pytest.fixture(scope="module")
def entries(known):
    return build_entries(known, AGREEMENT)


@pytest.fixture(scope="module")
def responses(known, entries):
    attempts = list_attempts(known.activities, known.owners)
    return build_responses(entries, attempts, known.owners, AGREEMENT, PROMISE, as_of=AS_OF)


@pytest.mark.parametrize(("first", "last", "basis"), [
    ("2026-01-01", "2026-06-30", "ripe"), ("2026-08-01", "2026-10-31", "estimated")])
@pytest.mark.parametrize("within_days", [15, 60])
def test_known_conversion_is_recovered(entries, first, last, basis, within_days):
    passages = build_passages(entries, "mql", "sql", as_of=AS_OF)
    row = cohort_conversion(passages, first=pd.Timestamp(first, tz="UTC"), last=pd.Timestamp(last, tz="UTC"),
                            within_days=within_days).iloc[0]
    truth = QUALIFIES * (1 - np.exp(-within_days / MEAN_DAYS))
    assert row["basis"] == basis and row["n"] > 500
    assert row["rate_low"] <= truth <= row["rate_high"]
    assert row["rate_high"] - row["rate_low"] < 0.1    # an interval that would hold anything shows nothing


def test_known_ends_are_recovered_and_nobody_is_lost(entries):
    ends = build_passages(entries, "mql", "sql", as_of=AS_OF)["end"].value_counts()
    assert ends.sum() == N
    gone = ends.drop("waiting")
    for end, share in (("reached", QUALIFIES), ("returned", RETURNS), ("out", OUT)):
        error = 1.96 * np.sqrt(share * (1 - share) / gone.sum())
        assert gone[end] / gone.sum() == pytest.approx(share, abs=error)


def test_known_response_times_are_recovered(responses):
    summary, curve = response_summary(responses).iloc[0], response_curve(responses, 60).query("clock == 'business'")
    never_or_later = NEVER + (1 - NEVER) * np.exp(-curve["hours"] / MEAN_HOURS)
    known = curve["low"].notna()
    assert known.sum() > 100
    assert ((curve["low"] <= never_or_later) & (never_or_later <= curve["high"]))[known].mean() > 0.9
    median = -MEAN_HOURS * np.log((0.5 - NEVER) / (1 - NEVER))
    assert summary["median_hours"] == pytest.approx(median, rel=0.1)
    in_time = (1 - NEVER) * (1 - np.exp(-PROMISE.within_hours / MEAN_HOURS))
    assert summary["compliance_low"] <= in_time <= summary["compliance_high"]
    assert summary["n_counted"] > 2000 and not summary["is_kept"]
