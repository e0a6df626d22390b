"""Small random companies for the property tests: lists of rows, and the same as tables."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
from hypothesis import strategies as st

ZONES = ("UTC", "Europe/Helsinki", "America/New_York")
PEOPLE = ("Ann", "Bea", "Cem", "Dag")
ACCOUNTS = ("Acme", "Bolt", None)
CAMPAIGNS = ("701 > Web", "702", "703", "704")

# Nights on which Helsinki's clocks change, and plain days around them, so that ties and edges are common.
DAYS = [datetime(2026, 3, 27) + timedelta(days=i) for i in range(5)] + [
    datetime(2026, 10, 23) + timedelta(days=i) for i in range(4)] + [datetime(2025, 10, 25)]
CLOCK = [timedelta(0), timedelta(hours=1), timedelta(hours=12), timedelta(hours=23, minutes=59, seconds=59),
         timedelta(hours=2, minutes=30, microseconds=1), timedelta(days=1, microseconds=-1)]


def moments(zone):
    local = st.builds(lambda day, clock: day + clock, st.sampled_from(DAYS), st.sampled_from(CLOCK))
    return local.map(lambda moment: moment.replace(tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo("UTC")))


def _touches(zone):
    moment = moments(zone)
    return st.lists(st.fixed_dictionaries({
        "person_id": st.sampled_from(PEOPLE), "account_id": st.sampled_from(ACCOUNTS),
        "campaign_id": st.sampled_from(CAMPAIGNS), "touched_at": moment,
        "kind": st.sampled_from(["response", "membership", "visit", "click", None]),
        "joined_at": st.none() | moment, "modified_at": st.none() | moment}), max_size=24)


def _conversions(zone):
    moment = moments(zone)
    return st.lists(st.fixed_dictionaries({
        "account_id": st.sampled_from(ACCOUNTS), "person_id": st.sampled_from((None, None, None, *PEOPLE)),
        "converted_at": moment, "cents": st.sampled_from([0, 1, -1, 2, 100, 1_000_000, -1234567]) | st.integers(
            -10**9, 10**9),
        "lead_created_at": st.none() | moment, "lead_person_id": st.sampled_from((None, *PEOPLE)),
        "opportunity_created_at": st.none() | moment}), min_size=1, max_size=8)


@st.composite
def companies(draw, zone="Europe/Helsinki"):
    touches = [{"touch_id": f"t{i}", **row} for i, row in enumerate(draw(_touches(zone)))]
    conversions = [{"conversion_id": f"c{i}", **row} for i, row in enumerate(draw(_conversions(zone)))]
    roles = st.fixed_dictionaries({"opportunity_id": st.sampled_from([f"c{i}" for i in range(9)]),
                                   "person_id": st.sampled_from(PEOPLE)})
    return {"touches": touches, "conversions": conversions, "contact_roles": draw(st.lists(roles, max_size=6))}


_COLUMNS = {
    "touches": ("touch_id", "person_id", "account_id", "campaign_id", "touched_at", "kind", "joined_at", "modified_at"),
    "conversions": ("conversion_id", "account_id", "person_id", "converted_at", "value", "lead_created_at",
                    "lead_person_id", "opportunity_created_at"),
    "contact_roles": ("opportunity_id", "person_id"),
}


def tables(company):
    """Turn a company's rows into the tables touches, conversions, contact_roles."""
    rows = company | {"conversions": [row | {"value": row["cents"] / 100} for row in company["conversions"]]}
    return [pd.DataFrame({column: _typed(column, [row[column] for row in rows[name]]) for column in columns})
            for name, columns in _COLUMNS.items()]


def _typed(column, values):
    if column == "value":
        return pd.Series(values, dtype=float)
    return pd.Series(values, dtype="datetime64[us, UTC]" if column.endswith("_at") else "str")
