"""Small random companies for the property tests: lists of rows, and the same as tables."""

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pandas as pd
from hypothesis import strategies as st

ZONE = ZoneInfo("Europe/Helsinki")
PEOPLE = ("Ann", "Bea", "Cem", "Dag")
ACCOUNTS = ("Acme", "Acme", "Bolt", None)
CAMPAIGNS = ("701 > Web", "702", "703", "704")
KINDS = ("response", "membership", "visit", "click", None)
CENTS = (0, 1, -1, 2, 100, 1_000_000, -1_234_567)

# Days around the nights on which Helsinki's clocks change, and hours near midnight, so that ties and edges are common.
DAYS = [datetime(2026, 3, 27) + timedelta(days=i) for i in range(5)] + [
    datetime(2026, 10, 23) + timedelta(days=i) for i in range(4)] + [datetime(2025, 10, 25)]
CLOCK = [timedelta(0), timedelta(0), timedelta(hours=1), timedelta(hours=2, minutes=30, microseconds=1),
         timedelta(hours=12), timedelta(hours=23, minutes=59, seconds=59), timedelta(days=1, microseconds=-1)]


def _moment(random):
    local = random.choice(DAYS) + random.choice(CLOCK)
    return local.replace(tzinfo=ZONE).astimezone(UTC)


def _perhaps(random):
    return random.choice([None, _moment(random), _moment(random)])


def _touch(random, i):
    return {"touch_id": f"t{i}", "person_id": random.choice(PEOPLE), "account_id": random.choice(ACCOUNTS),
            "campaign_id": random.choice(CAMPAIGNS), "touched_at": _moment(random), "kind": random.choice(KINDS),
            "joined_at": _perhaps(random), "modified_at": _perhaps(random)}


def _conversion(random, i):
    return {"conversion_id": f"c{i}", "account_id": random.choice(ACCOUNTS),
            "person_id": random.choice([None, None, None, *PEOPLE]), "converted_at": _moment(random),
            "cents": random.choice([*CENTS, random.randint(-10**9, 10**9), random.randint(0, 10**7)]),
            "lead_created_at": _perhaps(random), "lead_person_id": random.choice([None, *PEOPLE]),
            "opportunity_created_at": _perhaps(random)}


def make_company(seed, n_touches, n_conversions, n_roles):
    random = Random(seed)
    return {"touches": [_touch(random, i) for i in range(n_touches)],
            "conversions": [_conversion(random, i) for i in range(n_conversions)],
            "contact_roles": [{"opportunity_id": f"c{random.randrange(9)}", "person_id": random.choice(PEOPLE)}
                              for _ in range(n_roles)]}


def companies():
    """Draw companies of up to 40 touches and 9 conversions; their rows follow from the seed."""
    n_touches, n_conversions = st.sampled_from((0, 1, 8, 20, 40)), st.sampled_from((1, 4, 9))
    return st.builds(make_company, st.integers(0, 2**32), n_touches, n_conversions, st.integers(0, 6))


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


KEYS = {"Ann": 40, "Bea": 7, "Cem": 2**40, "Dag": 0, "Acme": -5, "Bolt": 10**15, "701 > Web": 10, "702": 9, "703": 100,
        "704": -1} | {f"{kind}{i}": i for kind in "tc" for i in range(100)}


def with_integers(table):
    """Put an integer in the place of each id, in an order of its own."""
    ids = [column for column in table if column.endswith("_id")]
    return table.assign(**{column: table[column].map(KEYS).astype("Int64") for column in ids})
