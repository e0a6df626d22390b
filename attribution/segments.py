"""Parting records into segments: by what is known of them, by their first touch, or by a model's credit."""

import pandas as pd

from attribution.entries import link_deals
from attribution.language import marked
from attribution.tables import CRM, is_in, look_up, sort_rows

SEGMENTS = ("country", "industry", "lead_source", "account_type", "channel", "campaign", "owner", "team")
UNKNOWN = marked("not known")


def check_segments(by: str) -> None:
    """Refuse a field that records are not parted by.

    >>> check_segments("shoe_size")
    Traceback (most recent call last):
    ValueError: segment_by: 'shoe_size' is not one of country, industry, lead_source, account_type, channel, campaign, \
owner, team
    """
    if by not in SEGMENTS:
        raise ValueError(f"segment_by: {by!r} is not one of {', '.join(SEGMENTS)}")


def find_segments(entries: pd.DataFrame, crm: CRM, by: str, *, stage: str | None = None) -> pd.DataFrame:
    """Part the records that entered a stage (None: any) by one field of SEGMENTS; a campaign is the one met first.

    Returns one row per record: record_id, segment ("not known" where nothing is known), weight (1). A deal has its
    account's country, industry and type, and the first touch of the people whose deal it is. A touch counts up to the
    day after the last of the record's entries into the stage.
    Raises ValueError when there is no such field.
    """
    check_segments(by)
    mine = entries if stage is None else entries[entries["stage"] == stage]
    records = sort_rows(mine, ["entered_at", "record_id"]).drop_duplicates("record_id", keep="last")
    segment = _FIELDS[by](records, crm, by)
    return records[["record_id"]].assign(segment=segment.astype("str").fillna(UNKNOWN), weight=1.0).reset_index(
        drop=True)


def credit_segments(stage_credit: pd.DataFrame, campaigns: pd.DataFrame, stage: str) -> pd.DataFrame:
    """Part the people (or deals) who entered a stage by a model's credit for it.

    Returns one row per record and campaign: record_id, segment (the campaign's name; "(unattributed)" where none was
    met), weight (0-1, sums to 1 per record).
    """
    mine = stage_credit[stage_credit["stage"] == stage]
    names = look_up(mine["campaign_id"], campaigns.set_index("campaign_id")["campaign_name"])
    rows = pd.DataFrame({"record_id": mine["conversion_id"], "segment": names.fillna("(unattributed)"),
                         "weight": mine["weight"]})
    return rows.groupby(["record_id", "segment"], as_index=False)["weight"].sum()


def _of_account(records: pd.DataFrame, crm: CRM, by: str) -> pd.Series:
    """Look at the account first, then at the person."""
    theirs = look_up(records["account_id"], crm.accounts.set_index("account_id")[by])
    people = crm.people.set_index("person_id")
    return theirs.fillna(look_up(records["record_id"], people[by])) if by in people else theirs


def _lead_source(records: pd.DataFrame, crm: CRM, by: str) -> pd.Series:
    deals = crm.opportunities.set_index("opportunity_id")[by]
    return look_up(records["record_id"], crm.people.set_index("person_id")[by]).fillna(
        look_up(records["record_id"], deals))


def _first_touch(records: pd.DataFrame, crm: CRM, by: str) -> pd.Series:
    links = link_deals(crm).rename(columns={"opportunity_id": "record_id"})
    people = pd.concat([links, crm.people[["person_id"]].assign(record_id=crm.people["person_id"])])
    touches = crm.touches[["touch_id", "person_id", "campaign_id", "touched_at"]]
    met = people[is_in(people["record_id"], records["record_id"])].merge(touches, on="person_id",
                                                                         validate="many_to_many")
    until = look_up(met["record_id"], records.set_index("record_id")["entered_at"]) + pd.Timedelta(days=1)
    met = met[met["touched_at"] <= until]
    first = sort_rows(met, ["touched_at", "touch_id"]).drop_duplicates("record_id").set_index("record_id")
    campaign = look_up(records["record_id"], first["campaign_id"])
    column = {"channel": "channel", "campaign": "campaign_name"}[by]
    return look_up(campaign, crm.campaigns.set_index("campaign_id")[column])


def _owner(records: pd.DataFrame, crm: CRM, by: str) -> pd.Series:
    return {"owner": records["owner_id"],
            "team": look_up(records["owner_id"], crm.owners.set_index("owner_id")["team"])}[by]


_FIELDS = {"country": _of_account, "industry": _of_account, "account_type": _of_account, "lead_source": _lead_source,
           "channel": _first_touch, "campaign": _first_touch, "owner": _owner, "team": _owner}
