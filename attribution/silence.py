"""Leads, contacts and accounts by how long they have given no sign of life."""

import numpy as np
import pandas as pd

from attribution.agreement import Agreement
from attribution.language import marked
from attribution.sla import filter_human
from attribution.tables import CRM, UTC, look_up

AGE_BANDS = (marked("0-30"), marked("31-90"), marked("91-180"), marked("181-365"), marked("over 365"), marked("never"))


def stale_by_age(crm: CRM, agreement: Agreement, *, as_of: pd.Timestamp) -> pd.DataFrame:
    """Count leads, contacts and accounts by the days since their last sign of life.

    A sign is a touch, an activity that a human did (not a list e-mail), a change of a lead's status; for an account
    also a deal made or moved, and any sign of its people; and the making of the record itself. The CRM's own last
    activity may lie in the future, and is not used.
    Returns one row per kind ("lead", "contact", "account") and age_band (local days): kind, age_band, n, share (of the
    kind). Records made after as_of are not counted.
    """
    signs = _list_signs(crm, as_of)
    is_contact = crm.people["contact_id"].notna()
    kinds = {marked("lead"): (crm.people[~is_contact], "person_id"),
             marked("contact"): (crm.people[is_contact], "person_id"),
             marked("account"): (crm.accounts, "account_id")}
    return pd.concat([_count_ages(kind, records[~(records["created_at"] > as_of)], key, signs, agreement, as_of)
                      for kind, (records, key) in kinds.items()], ignore_index=True)


def _list_signs(crm: CRM, as_of: pd.Timestamp) -> pd.DataFrame:
    """List the signs of life: person_id, account_id, at."""
    done = filter_human(crm.activities, crm.owners)
    moved = crm.stage_changes[crm.stage_changes["from_stage"].notna()]
    accounts = crm.opportunities.set_index("opportunity_id")["account_id"]
    moved = moved.assign(account_id=look_up(moved["record_id"], accounts).astype("str"))
    made = crm.opportunities.assign(person_id=pd.Series(None, crm.opportunities.index, dtype="str"))
    signs = pd.concat([_signs(crm.touches, "touched_at"), _signs(done, "done_at"), _signs(moved, "changed_at"),
                       _signs(made, "created_at")], ignore_index=True)
    account = look_up(signs["person_id"], crm.people.set_index("person_id")["account_id"])
    return signs.assign(account_id=signs["account_id"].fillna(account))[signs["at"] <= as_of]


def _signs(rows: pd.DataFrame, moments: str) -> pd.DataFrame:
    return rows[["person_id", "account_id", moments]].rename(columns={moments: "at"})


def _count_ages(kind: str, records: pd.DataFrame, key: str, signs: pd.DataFrame, agreement: Agreement,
                as_of: pd.Timestamp) -> pd.DataFrame:
    last = look_up(records[key], signs.groupby(key)["at"].max()).astype(UTC).fillna(records["created_at"])
    days = (agreement.local_day(as_of) - agreement.day_of(last)).dt.days
    band = pd.cut(days, [-1, 30, 90, 180, 365, np.inf], labels=AGE_BANDS[:-1]).astype("str").fillna("never")
    n = band.value_counts().reindex(AGE_BANDS, fill_value=0)
    return pd.DataFrame({"kind": kind, "age_band": AGE_BANDS, "n": n.to_numpy(int),
                         "share": n.to_numpy() / (len(records) or np.nan)})
