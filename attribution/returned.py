"""The people who went back to an earlier stage after the hand-over: how many, who came again, what they share."""

import numpy as np
import pandas as pd

from attribution.agreement import Agreement
from attribution.cohorts import NOT_KNOWN
from attribution.language import marked
from attribution.roi import between
from attribution.sla import rank_stages, ratio, wilson
from attribution.tables import CRM, UTC, is_in, look_up, sort_rows

OTHERS = marked("others")


def list_returned(entries: pd.DataFrame, agreement: Agreement, *, first: pd.Timestamp,
                  last: pd.Timestamp) -> pd.DataFrame:
    """List the people who went back, from the hand-over stage or one after it, to an earlier stage.

    `first` and `last` are moments, both included. The hand-over stage is the one of sales' first promise, else the
    first that sales owns.
    Returns one row per return: record_id, person_id, stage, left_to, returned_at, days_in_stage, came_back_at (into the
    same or a later stage; null so far), is_back, is_reconverted (a later lifecycle became a deal).
    """
    ranks = rank_stages(entries)
    people = entries[entries["person_id"].notna() & ~entries["is_contradictory"]]
    people = people.assign(rank=people["stage"].cat.codes, stage=people["stage"].astype("str"),
                           to=look_up(people["left_to"], ranks))
    gone = people[(people["rank"] >= ranks[_hand_over_stage(agreement)]) & (people["to"] < people["rank"])]
    gone = sort_rows(between(gone, "left_at", first, last), ["left_at", "record_id"]).reset_index(drop=True)
    later = _list_later(gone, people)
    back_at = later[later["rank_later"] >= later["rank"]].groupby("row")["entered_at"].min()
    back_at = back_at.reindex(gone.index).astype(UTC)
    is_reconverted = gone.index.isin(later.loc[later["opportunity_id"].notna(), "row"])
    days = (gone["left_at"] - gone["entered_at"]) / pd.Timedelta(days=1)
    return gone.assign(days_in_stage=days, came_back_at=back_at, is_back=back_at.notna(), is_reconverted=is_reconverted
                       ).rename(columns={"left_at": "returned_at"})[
        ["record_id", "person_id", "stage", "left_to", "returned_at", "days_in_stage", "came_back_at", "is_back",
         "is_reconverted"]]


def _list_later(gone: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Pair each return (row) with the same person's entries in later lifecycles."""
    theirs = people.loc[is_in(people["record_id"], gone["record_id"]), [
        "record_id", "rank", "entered_at", "lifecycle", "opportunity_id"]]
    pairs = gone[["record_id", "rank", "lifecycle"]].reset_index(names="row").merge(
        theirs, on="record_id", suffixes=("", "_later"), validate="many_to_many")
    return pairs[pairs["lifecycle_later"] > pairs["lifecycle"]]


def _hand_over_stage(agreement: Agreement) -> str:
    promised = [promise.stage for promise in agreement.promises if promise.by == "sales"]
    return [*promised, *(stage.name for stage in agreement.stages if stage.owner == "sales")][0]


def returned_share(returned: pd.DataFrame, responses: pd.DataFrame) -> pd.DataFrame:
    """Measure how many of the people handed over have gone back so far, and what became of them.

    Returns one row: n (people handed over), n_returned (of them, after that), returned_share, returned_low,
    returned_high, n_back (of the returned, came back), back_share, back_low, back_high, n_reconverted (became a deal
    after all). Intervals: Wilson 1927. Who was handed over lately has had little time to go back.
    """
    since, mine = responses.groupby("person_id")["handed_over_at"].min(), returned_after(returned, responses)
    each = mine.groupby("person_id")[["is_back", "is_reconverted"]].any()
    n = pd.Series([len(since)]), pd.Series([len(each)]), pd.Series([int(each["is_back"].sum())])
    (low, high), (back_low, back_high) = wilson(n[1], n[0]), wilson(n[2], n[1])
    return pd.DataFrame({
        "n": n[0], "n_returned": n[1], "returned_share": ratio(n[1], n[0]), "returned_low": low, "returned_high": high,
        "n_back": n[2], "back_share": ratio(n[2], n[1]), "back_low": back_low, "back_high": back_high,
        "n_reconverted": int(each["is_reconverted"].sum())})


def returned_after(returned: pd.DataFrame, responses: pd.DataFrame) -> pd.DataFrame:
    """Keep the returns of the people handed over that came after their first hand-over given."""
    since = responses.groupby("person_id")["handed_over_at"].min()
    return returned[returned["returned_at"] >= look_up(returned["person_id"], since).astype(UTC)]


def list_facts(crm: CRM, responses: pd.DataFrame) -> pd.DataFrame:
    """List what is known of the people handed over, to look for what the returned have in common.

    Returns one row per person: person_id, country, industry, lead_source, title, channel (of the first touch), contact
    (the outcome of the first hand-over), owner_team.
    """
    first = sort_rows(responses, ["person_id", "handed_over_at"]).drop_duplicates("person_id").reset_index(drop=True)
    touches = sort_rows(crm.touches, ["person_id", "touched_at", "touch_id"]).drop_duplicates("person_id")
    met = look_up(first["person_id"], touches.set_index("person_id")["campaign_id"])
    people, channels = crm.people.set_index("person_id"), crm.campaigns.set_index("campaign_id")["channel"]
    known = {column: look_up(first["person_id"], people[column])
             for column in ("country", "industry", "lead_source", "title")}
    return pd.DataFrame({"person_id": first["person_id"], **known, "channel": look_up(met, channels),
                         "contact": first["outcome"], "owner_team": first["team"]}).astype("str")


def list_contacted(responses: pd.DataFrame) -> pd.DataFrame:
    """Keep the hand-overs that sales tried to reach: only they can be returned for what sales learned.

    >>> list_contacted(pd.DataFrame({"outcome": ["in time", "never", "late"]}))["outcome"].tolist()
    ['in time', 'late']
    """
    return responses[is_in(responses["outcome"], pd.Index(["in time", "late"]))].reset_index(drop=True)


def leading_causes(causes: pd.DataFrame, n: int = 12) -> pd.DataFrame:
    """Pick the values that stand out most: those beyond chance first, then by how far their rate is from that of all.

    >>> leading_causes(pd.DataFrame({"is_clear": [False, True, False], "lift": [1.1, 0.9, 0.2]}), 2)["lift"].tolist()
    [0.9, 0.2]
    """
    far = (causes["lift"] - 1).abs().fillna(-1.0)
    order = causes.assign(far=far).sort_values(["is_clear", "far"], ascending=[False, False], kind="stable").index
    return causes.loc[order[:n]]


def returned_causes(returned: pd.DataFrame, entered: pd.DataFrame, facts: pd.DataFrame, *,
                    n_least: int = 20) -> pd.DataFrame:
    """Look for what the returned leads have in common: the return rate of each value of each fact.

    `entered` holds the people handed over, `facts` a row per person with text columns.
    Returns one row per field and value, per field sorted by lift: field, value ("others" lumps the values with fewer
    than n_least people), n, n_returned, returned_rate, rate_low, rate_high (Wilson 1927), lift (returned_rate / the
    rate of all), rest_rate (of everybody else), is_clear (the interval does not hold the rate of all), n_comparisons
    (values looked at: of 20 that mean nothing, one is expected to be clear by chance). Per field n sums to the people.
    """
    people = entered[["person_id"]].dropna().drop_duplicates(ignore_index=True)
    people = people.assign(is_returned=is_in(people["person_id"], returned["person_id"]))
    known = facts.set_index("person_id")
    counts = pd.concat([_count_returned(people, field, look_up(people["person_id"], known[field]), n_least)
                        for field in known], ignore_index=True)
    n, n_returned = len(people), people["is_returned"].sum()
    rate, (low, high) = ratio(counts["n_returned"], counts["n"]), wilson(counts["n_returned"], counts["n"])
    overall = n_returned / n if n else np.nan
    rows = counts.assign(
        returned_rate=rate, rate_low=low, rate_high=high, lift=rate / (overall or np.nan),
        rest_rate=ratio(n_returned - counts["n_returned"], n - counts["n"]),
        is_clear=(low > overall) | (high < overall), n_comparisons=len(counts))
    return rows.sort_values(["field", "lift", "value"], ascending=[True, False, True], ignore_index=True)


def _count_returned(people: pd.DataFrame, field: str, values: pd.Series, n_least: int) -> pd.DataFrame:
    values = values.astype("str").fillna(NOT_KNOWN)
    n_each = values.value_counts()
    value = values.where(is_in(values, n_each.index[n_each >= n_least]), OTHERS)
    sums = people.groupby(value.rename("value"))["is_returned"].agg(n="size", n_returned="sum").reset_index()
    return sums.assign(field=pd.Series(field, sums.index, dtype="str")).astype({"n": int, "n_returned": int})[
        ["field", "value", "n", "n_returned"]]
