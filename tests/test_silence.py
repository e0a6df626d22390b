"""The silent are counted by the local days since their last sign of life."""

import dataclasses

import pandas as pd
import pytest
from conftest import make
from hand_overs import AS_OF, HELSINKI, OWNERS

from attribution.silence import AGE_BANDS, stale_by_age
from attribution.tables import UTC


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


def test_stale_live_from_the_making_of_their_record(crm):
    made = pd.to_datetime(["2026-11-20T10:00Z", "2025-01-01T10:00Z"]).astype(UTC)
    silent = stale_crm(crm)
    born = dataclasses.replace(silent, people=silent.people.assign(created_at=made))
    table = stale_by_age(born, HELSINKI, as_of=AS_OF)
    assert band_of(table, "contact") == {"0-30": 1} and band_of(table, "lead") == {"over 365": 1}


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
