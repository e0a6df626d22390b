"""The funnel's conversions, that attribution shares out: a record that reached a stage, and what it is worth."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from attribution.agreement import Agreement
from attribution.entries import find_lapsed
from attribution.tables import UTC, check_table, is_in, look_up, sort_rows

LINKINGS = ("role", "account", "hybrid")


@dataclass(frozen=True)
class Outcome:
    """What a report shares out: won deals at their booked amounts, or entries into an earlier stage at their worth."""

    stage: str = "customer"
    worth: float | None = None                       # expected money of one entry; None: deals, booked
    worth_low: float | None = None
    worth_high: float | None = None

    @property
    def is_expected(self) -> bool:
        """Tell expected money from booked money; the two are never added."""
        return self.worth is not None


WON = Outcome()


def choose_outcome(values: pd.DataFrame, agreement: Agreement, stage: str | None = None) -> Outcome:
    """Choose what a report shares out: won deals (None), or an earlier stage at what stage_values says it is worth.

    Raises ValueError when there is no such stage, or when nothing is known of what an entry into it is worth.

    >>> values = pd.DataFrame({"stage": ["mql"], "segment": "all", "value": 250.0, "value_low": 200.0,
    ...                        "value_high": 310.0, "n": 40})
    >>> choose_outcome(values, Agreement(), "mql")
    Outcome(stage='mql', worth=250.0, worth_low=200.0, worth_high=310.0)
    """
    stage = agreement.won_stage if stage is None else agreement.find_stage(stage).name
    if stage == agreement.won_stage:
        return Outcome(stage)
    row = values[(values["stage"] == stage) & (values["segment"] == "all")].iloc[0]
    if not row["value"] > 0:
        why = "led to a won deal" if row["n"] else "was made"
        raise ValueError(f"stage: what an entry into {stage!r} is worth is not known, as none {why} in the months that "
                         "are looked at. Choose another stage, or none for the won deals")
    return Outcome(stage, *(float(row[column]) for column in ("value", "value_low", "value_high")))


def build_conversions(entries: pd.DataFrame, opportunities: pd.DataFrame, contact_roles: pd.DataFrame | None = None, *,
                      stage: str = "customer", linking: str = "hybrid", worth: float | None = None) -> pd.DataFrame:
    """List the records that reached a stage, with what each was worth and its milestones.

    Returns one row per record's first entry into the stage: conversion_id, account_id, person_id (null for deals),
    converted_at, value (money), is_expected (of a stage before the sale: value is expected, not booked; the two are
    never added), lead_created_at and lead_person_id (the earliest lead among the people that the linking reaches, up to
    the conversion), opportunity_created_at, is_new_customer (the account had won nothing before).
    The value is the deal's booked amount. Before the sale it is `worth`, what one entry into the stage is worth
    (stage_values), in whole cents; without `worth` a deal's amount, or while it is not won its expected value, and 0
    for a person.
    Raises ValueError when the stage or the linking is unknown, or worth is no money or given for won deals.
    """
    check_linking(linking)
    stages = entries["stage"].cat.categories
    _check_worth(worth, stage, stages)
    reached = entries[(entries["stage"] == stage) & (entries["n_entry"] == 1)]
    deals, ids = opportunities.set_index("opportunity_id"), reached["record_id"]
    rows = pd.DataFrame({
        "conversion_id": ids, "account_id": reached["account_id"], "person_id": reached["person_id"],
        "converted_at": reached["entered_at"], "value": _money_of(ids, deals) if worth is None else round(worth, 2),
        "is_expected": stage != stages[-1],
        "opportunity_created_at": look_up(ids, deals["created_at"]).astype(UTC)}).reset_index(drop=True)
    rows = rows.astype({"value": float, "is_expected": bool})
    return check_table(_with_lead(rows, entries, contact_roles, linking).assign(
        is_new_customer=_is_new_customer(rows, entries, opportunities)), "conversions")


def _check_worth(worth: float | None, stage: str, stages: pd.Index) -> None:
    if stage not in stages:
        raise ValueError(f"stage: {stage!r} is not one of {', '.join(stages)}")
    if worth is not None and stage == stages[-1]:
        raise ValueError(f"worth: {stage!r} is the sale itself, which counts at what was booked. Leave worth out")
    if worth is not None and not 0 <= worth < np.inf:
        raise ValueError(f"worth: {worth} is not money of 0 or more")


def _money_of(ids: pd.Series, deals: pd.DataFrame) -> pd.Series:
    money = deals["value"].where(deals["is_won"], deals["expected_value"]).fillna(0.0)
    return look_up(ids, money).astype(float).fillna(0.0)


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
        "converted_at": as_of, "value": still_open["expected_value"].fillna(0.0), "is_expected": True,
        "opportunity_created_at": still_open["created_at"]}).reset_index(drop=True)
    rows = rows.assign(person_id=None).astype({"person_id": "str", "converted_at": UTC, "is_expected": bool})
    return check_table(_with_lead(rows, entries, contact_roles, linking).assign(
        is_new_customer=_is_new_customer(rows, entries, opportunities)), "conversions")


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
