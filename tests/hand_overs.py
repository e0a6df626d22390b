"""Hand-sized entries, attempts and promises, in November 2026 in Helsinki."""

import pandas as pd
from conftest import make

from attribution.agreement import Agreement, Hours, Promise
from attribution.sla import build_responses
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
