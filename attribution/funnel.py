"""The funnel: who entered which stage when, and the conversions that attribution shares out."""

from concurrent.futures import ThreadPoolExecutor

import pandas as pd

from attribution.agreement import Agreement, Stage
from attribution.tables import CRM, UTC, check_table, is_in, look_up, sort_rows

DEAL_RULES = ("opportunity_created", "opportunity_won")
LAPSED_AFTER_DAYS = 30
LINKINGS = ("role", "account", "hybrid")


def build_entries(crm: CRM, agreement: Agreement) -> pd.DataFrame:
    """Date every entry of a person or a deal into a stage of the agreement.

    Returns one row per record and entry: record_id (the person, or the deal from the opportunity stage on), person_id
    (null for deals), account_id, stage (a category, in the agreement's order), n_entry (1 for the first), entered_at,
    is_imputed, owner_id. People may enter a stage again. A stage that a person skipped is dated from the next one and
    flagged is_imputed. A deal is won on its close date, at the end of the day.
    """
    with ThreadPoolExecutor(2) as pool:
        dated = pd.concat(pool.map(lambda stage: _date(crm, agreement, stage), agreement.stages), ignore_index=True)
    people_stages = [stage.name for stage in agreement.stages if stage.rule not in DEAL_RULES]
    entries = _impute(dated.assign(is_imputed=False), people_stages)
    order = {stage.name: n for n, stage in enumerate(agreement.stages)}
    entries = sort_rows(entries.assign(order=entries["stage"].map(order)), ["entered_at", "order", "record_id"])
    stage = pd.Categorical.from_codes(entries["order"], list(order), ordered=True)
    n_entry = entries.groupby(["order", "record_id"]).cumcount() + 1
    return entries.assign(stage=stage, n_entry=n_entry).reset_index(drop=True)[
        ["record_id", "person_id", "account_id", "stage", "n_entry", "entered_at", "is_imputed", "owner_id"]]


def _date(crm: CRM, agreement: Agreement, stage: Stage) -> pd.DataFrame:
    return _DATES[stage.rule](crm, agreement, stage).assign(stage=stage.name)


def _lead_created(crm: CRM, agreement: Agreement, stage: Stage) -> pd.DataFrame:
    leads = crm.people[crm.people["lead_created_at"].notna()]
    return _people_rows(leads, leads["lead_created_at"])


def _lead_status(crm: CRM, agreement: Agreement, stage: Stage) -> pd.DataFrame:
    changes = sort_rows(crm.stage_changes[crm.stage_changes["record_type"] == "lead"], ["changed_at", "change_id"])
    before = changes["from_stage"].fillna(changes.groupby("record_id")["stage"].shift())
    is_so, was_so = is_in(changes["stage"], stage.values), is_in(before, stage.values)
    entered, born_so = changes[is_so & ~was_so], changes[was_so & ~changes.duplicated("record_id")]
    people = crm.people.set_index("person_id")
    at = pd.concat([entered[["person_id", "changed_at"]], born_so[["person_id"]].assign(
        changed_at=look_up(born_so["person_id"], people["lead_created_at"]))])
    at = at[is_in(at["person_id"], people.index) & at["changed_at"].notna()]
    return _people_rows(people.loc[at["person_id"]].reset_index(), at["changed_at"].reset_index(drop=True))


def _people_rows(people: pd.DataFrame, entered_at: pd.Series) -> pd.DataFrame:
    return people[["person_id", "account_id", "owner_id"]].assign(record_id=people["person_id"], entered_at=entered_at)


def _opportunity_created(crm: CRM, agreement: Agreement, stage: Stage) -> pd.DataFrame:
    return _deal_rows(crm.opportunities, crm.opportunities["created_at"])


def _opportunity_won(crm: CRM, agreement: Agreement, stage: Stage) -> pd.DataFrame:
    won = crm.opportunities[crm.opportunities["is_won"]]
    return _deal_rows(won, agreement.end_of(won["close_on"]))


def _deal_rows(deals: pd.DataFrame, entered_at: pd.Series) -> pd.DataFrame:
    rows = deals[["account_id", "owner_id"]].assign(
        record_id=deals["opportunity_id"], person_id=None, entered_at=entered_at)
    return rows.astype({"person_id": "str"})


#: How each rule of the agreement dates its entries.
_DATES = {"lead_created": _lead_created, "lead_status": _lead_status,
          "opportunity_created": _opportunity_created, "opportunity_won": _opportunity_won}


def _impute(entries: pd.DataFrame, stages: list[str]) -> pd.DataFrame:
    for stage, later in reversed(list(zip(stages, stages[1:], strict=False))):
        there = entries.loc[entries["stage"] == stage, "record_id"]
        skipped = entries[(entries["stage"] == later) & ~is_in(entries["record_id"], there)]
        first = skipped.sort_values("entered_at").drop_duplicates("record_id")
        entries = pd.concat([entries, first.assign(stage=stage, is_imputed=True)], ignore_index=True)
    return entries


def build_conversions(entries: pd.DataFrame, opportunities: pd.DataFrame, contact_roles: pd.DataFrame | None = None, *,
                      stage: str = "customer", linking: str = "hybrid") -> pd.DataFrame:
    """List the records that reached a stage, with what each was worth and its milestones.

    Returns one row per record's first entry into the stage: conversion_id, account_id, person_id (null for deals),
    converted_at, value (the deal's booked amount; before it is won its expected value; 0 for a person, whose worth is
    not booked), lead_created_at and lead_person_id (the earliest lead among the people that the linking reaches, up to
    the conversion), opportunity_created_at, is_new_customer (the account had won nothing before).
    Raises ValueError when the stage or the linking is unknown.
    """
    check_linking(linking)
    stages = entries["stage"].astype("category").cat.categories
    if stage not in stages:
        raise ValueError(f"stage: {stage!r} is not one of {', '.join(stages)}")
    reached = entries[(entries["stage"] == stage) & (entries["n_entry"] == 1)]
    deals = opportunities.set_index("opportunity_id")
    ids = reached["record_id"]
    worth = deals["value"].where(deals["is_won"], deals["expected_value"]).fillna(0.0)
    rows = pd.DataFrame({
        "conversion_id": ids, "account_id": reached["account_id"], "person_id": reached["person_id"],
        "converted_at": reached["entered_at"], "value": look_up(ids, worth).astype(float).fillna(0.0),
        "opportunity_created_at": look_up(ids, deals["created_at"]).astype(UTC)}).reset_index(drop=True)
    return check_table(_with_lead(rows, entries, contact_roles, linking).assign(
        is_new_customer=_is_new_customer(rows, entries, opportunities)), "conversions")


def build_pipeline(entries: pd.DataFrame, opportunities: pd.DataFrame, contact_roles: pd.DataFrame | None = None, *,
                   as_of: pd.Timestamp, time_zone: str = "UTC", linking: str = "hybrid") -> pd.DataFrame:
    """List the deals still open at as_of, as conversions to come at their expected value.

    Returns one row per open deal that has not lapsed, with the columns of build_conversions; converted_at is as_of, so
    that every touch so far counts.
    """
    check_linking(linking)
    today = Agreement(time_zone=time_zone).local_day(as_of)
    still_open = opportunities[~opportunities["is_closed"] & ~find_lapsed(opportunities, today)]
    rows = pd.DataFrame({
        "conversion_id": still_open["opportunity_id"], "account_id": still_open["account_id"],
        "converted_at": as_of, "value": still_open["expected_value"].fillna(0.0),
        "opportunity_created_at": still_open["created_at"]}).reset_index(drop=True)
    rows = rows.assign(person_id=None).astype({"person_id": "str", "converted_at": UTC})
    return check_table(_with_lead(rows, entries, contact_roles, linking).assign(
        is_new_customer=_is_new_customer(rows, entries, opportunities)), "conversions")


def find_lapsed(opportunities: pd.DataFrame, today: pd.Timestamp) -> pd.Series:
    """Tell which deals are still open although their close date passed more than 30 days before today.

    >>> deals = pd.DataFrame({"is_closed": False, "close_on": pd.to_datetime(["2026-09-30", "2026-10-01"])})
    >>> find_lapsed(deals, pd.Timestamp("2026-10-31")).tolist()
    [True, False]
    """
    return ~opportunities["is_closed"] & (today - opportunities["close_on"] > pd.Timedelta(days=LAPSED_AFTER_DAYS))


def check_linking(linking: str) -> None:
    """Refuse an unknown way of linking people to deals.

    >>> check_linking("rule")
    Traceback (most recent call last):
    ValueError: linking: 'rule' is not one of role, account, hybrid
    """
    if linking not in LINKINGS:
        raise ValueError(f"linking: {linking!r} is not one of {', '.join(LINKINGS)}")


def _is_new_customer(rows: pd.DataFrame, entries: pd.DataFrame, opportunities: pd.DataFrame) -> pd.Series:
    """Tell whose account had won nothing before: deals of one day are ordered by their creation, then their id.

    A deal without an account is nobody's first.
    """
    won = opportunities[opportunities["is_won"]].sort_values(["close_on", "created_at", "opportunity_id"])
    first = won.dropna(subset="account_id").drop_duplicates("account_id").set_index("account_id")["opportunity_id"]
    theirs = look_up(rows["account_id"], first)
    won_at = look_up(theirs, rows.set_index("conversion_id")["converted_at"]).fillna(
        look_up(theirs, entries.groupby("record_id")["entered_at"].max()))
    is_first = theirs.isna() | (theirs == rows["conversion_id"]) | (won_at > rows["converted_at"])
    return is_first & (rows["account_id"].notna() | rows["person_id"].notna())


def _with_lead(rows: pd.DataFrame, entries: pd.DataFrame, contact_roles: pd.DataFrame | None,
               linking: str) -> pd.DataFrame:
    """Add the earliest lead creation, a person's first entry, among the people linked to each conversion."""
    first = sort_rows(entries[entries["person_id"].notna()], ["entered_at", "person_id"]).drop_duplicates("person_id")
    leads = first[["person_id", "account_id", "entered_at"]]
    linked = pd.concat([_by_person(rows, leads), _by_deal(rows, leads, contact_roles, linking)])
    at = look_up(linked["conversion_id"], rows.set_index("conversion_id")["converted_at"])
    earliest = linked[linked["entered_at"] <= at].sort_values(["entered_at", "person_id"]).drop_duplicates(
        "conversion_id").set_index("conversion_id")
    return rows.assign(lead_created_at=look_up(rows["conversion_id"], earliest["entered_at"]).astype(UTC),
                       lead_person_id=look_up(rows["conversion_id"], earliest["person_id"]).astype("str"))


def _by_person(rows: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    people = rows.loc[rows["person_id"].notna(), ["conversion_id", "person_id"]]
    return people.merge(leads, on="person_id", validate="many_to_one")


def _by_deal(rows: pd.DataFrame, leads: pd.DataFrame, contact_roles: pd.DataFrame | None, linking: str) -> pd.DataFrame:
    deals = rows.loc[rows["person_id"].isna(), ["conversion_id", "account_id"]]
    if contact_roles is None:
        return _by_account(deals, leads)
    roles = contact_roles[["opportunity_id", "person_id"]].rename(columns={"opportunity_id": "conversion_id"})
    by_role = roles[is_in(roles["conversion_id"], deals["conversion_id"])].drop_duplicates().merge(
        leads, on="person_id", validate="many_to_one")
    without = deals[~is_in(deals["conversion_id"], roles["conversion_id"])]
    return {"role": lambda: by_role, "account": lambda: _by_account(deals, leads),
            "hybrid": lambda: pd.concat([by_role, _by_account(without, leads)])}[linking]()


def _by_account(deals: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    known = deals[deals["account_id"].notna()]
    return known.merge(leads[leads["account_id"].notna()], on="account_id", validate="many_to_many")
