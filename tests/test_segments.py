"""Records are parted by what is known of them, each once."""

import dataclasses

import pandas as pd
import pytest
from conftest import make

from attribution.entries import build_entries
from attribution.segments import SEGMENTS, credit_segments, find_segments


def parted(crm, agreement, by):
    table = find_segments(build_entries(crm, agreement), crm, by)
    assert table["record_id"].is_unique and set(table["weight"]) == {1.0}
    return dict(zip(table["record_id"], table["segment"], strict=True))


@pytest.fixture
def known(crm):
    people = crm.people.assign(country=pd.Series(["FI", None, "SE", "EE"], dtype="str"),
                               lead_source=pd.Series(["Web", None, "Fair", None], dtype="str"),
                               industry=pd.Series(["Mining", None, "Energy", "Energy"], dtype="str"))
    accounts = make("accounts", account_id=["acme", "beta"], country=["DE", None], industry=["Steel", None],
                    account_type=["Customer", None])
    owners = make("owners", owner_id=["sam"], team=["Sales North"])
    return dataclasses.replace(crm, people=people, accounts=accounts, owners=owners)


@pytest.mark.parametrize(("by", "segments"), [
    ("country", {"ann": "DE", "cy": "SE", "di": "EE", "d1": "DE", "d2": "DE", "d3": "not known"}),
    ("industry", {"ann": "Steel", "cy": "Energy", "di": "Energy", "d1": "Steel", "d2": "Steel", "d3": "not known"}),
    ("lead_source", {"ann": "Web", "cy": "Fair"} | dict.fromkeys(("di", "d1", "d2", "d3"), "not known")),
    ("account_type", {"ann": "Customer", "cy": "not known", "di": "not known", "d1": "Customer", "d2": "Customer",
                      "d3": "not known"}),
    # ann met slush first; d1 and d2 are hers by role; d3 has no role: cy, of its account, met ads first
    ("campaign", {"ann": "Slush", "cy": "Ads", "di": "Ads", "d1": "Slush", "d2": "Slush", "d3": "Ads"}),
    ("owner", dict.fromkeys(("ann", "cy", "di", "d1", "d2", "d3"), "sam")),
    ("team", dict.fromkeys(("ann", "cy", "di", "d1", "d2", "d3"), "Sales North"))])
def test_find_segments_parts_people_and_deals(known, agreement, by, segments):
    assert parted(known, agreement, by) == segments


def test_find_segments_takes_touches_up_to_the_day_after_the_last_entry(known, agreement):
    at = pd.to_datetime(["2026-03-06T10:00:00Z", "2026-03-06T10:00:01Z"])
    for touched_at, segment in zip(at, ("Slush", "not known"), strict=True):
        touches = known.touches.head(1).assign(touched_at=touched_at)
        entries = build_entries(known, agreement).query("record_id == 'ann'")
        table = find_segments(entries, dataclasses.replace(known, touches=touches), "campaign", stage="mql")
        assert table[["record_id", "segment"]].to_numpy().tolist() == [["ann", segment]]


def test_find_segments_takes_the_channel_of_the_first_touch(known, agreement):
    campaigns = known.campaigns.assign(channel=pd.Series(["-", "-", "Fair", "Fair", "Online"], dtype="str"))
    assert parted(dataclasses.replace(known, campaigns=campaigns), agreement, "channel")["cy"] == "Online"


def test_find_segments_does_not_hang_on_the_order_of_rows(known, agreement):
    turned = dataclasses.replace(known, touches=known.touches.iloc[::-1], people=known.people.iloc[::-1])
    assert parted(turned, agreement, "campaign") == parted(known, agreement, "campaign")


@pytest.mark.parametrize("by", SEGMENTS)
def test_find_segments_of_nobody_are_none(crm, agreement, by):
    assert len(find_segments(build_entries(crm, agreement).head(0), crm, by)) == 0


def test_find_segments_refuses_a_field_that_is_none(crm, agreement):
    with pytest.raises(ValueError, match="segment_by: 'shoe_size' is not one of country, industry"):
        find_segments(build_entries(crm, agreement), crm, "shoe_size")


def test_credit_segments_share_each_record_among_campaigns(tree):
    stage_credit = pd.DataFrame({"stage": ["mql", "mql", "mql", "mql", "lead"],
                                 "conversion_id": ["ann", "ann", "ann", "di", "ann"],
                                 "campaign_id": ["slush", "ads", "slush", None, "ads"],
                                 "weight": [0.25, 0.5, 0.25, 1.0, 1.0]}).astype({"campaign_id": "str"})
    rows = credit_segments(stage_credit, tree, "mql")
    assert sorted(rows.itertuples(index=False, name=None)) == [
        ("ann", "Ads", 0.5), ("ann", "Slush", 0.5), ("di", "(unattributed)", 1.0)]
