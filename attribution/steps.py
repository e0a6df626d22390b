"""All steps of the funnel at once: each pair of neighbouring stages, by cohort and by period."""

from itertools import pairwise

import pandas as pd

from attribution.agreement import Agreement
from attribution.cohorts import MEASURES, PERIOD, build_passages, cohort_conversion, period_conversion, ripening_days
from attribution.language import marked
from attribution.tables import DAY, sort_rows, stack_rows

PEOPLE, PEOPLE_TO_DEALS, DEALS = marked("people"), marked("people to deals"), marked("deals")
ACCOUNTS = marked("accounts")
LONGEST_DAYS = 270                                   # to wait for a step, so that a year's cohort can show it
CONVERSIONS = {name: kind for name, kind in MEASURES.items() if name != "segment"} | {
    "from_stage": "str", "to_stage": "str", "unit": "str", "within_days": "int64", "entered_from_on": DAY,
    "entered_to_on": DAY}


def conversion_steps(entries: pd.DataFrame, agreement: Agreement, *, first: pd.Timestamp, last: pd.Timestamp,
                     as_of: pd.Timestamp) -> pd.DataFrame:
    """Measure how many come from each stage to the next, of two cohorts: the latest, and one old enough to be ripe.

    The latest entered between two moments; the ripe one entered within_days (ripening_days, at most 270) earlier.
    Returns one row per pair of neighbouring stages, unit and cohort: from_stage, to_stage, unit (people, "people to
    deals", deals, or the accounts of those), entered_from_on and entered_to_on (local days), within_days, and the
    columns of cohort_conversion. An account counts once, from its first deal in the cohort.
    """
    steps = []
    for one, other in pairwise(entries["stage"].cat.categories):
        passages, units = build_passages(entries, one, other, as_of=as_of), _units(agreement, one, other)
        step = pd.concat([_measure_unit(passages, agreement, unit, first, last) for unit in units])
        steps.append(step.assign(from_stage=one, to_stage=other))
    return stack_rows(steps, CONVERSIONS)[list(CONVERSIONS)]


def _units(agreement: Agreement, one: str, other: str) -> tuple[str, ...]:
    if one in agreement.deal_stages:
        return DEALS, ACCOUNTS
    return (PEOPLE_TO_DEALS,) if other in agreement.deal_stages else (PEOPLE,)


def _measure_unit(passages: pd.DataFrame, agreement: Agreement, unit: str, first: pd.Timestamp,
                  last: pd.Timestamp) -> pd.DataFrame:
    within_days = min(ripening_days(passages), LONGEST_DAYS)
    waits = [pd.Timedelta(0), pd.Timedelta(days=within_days)]
    cohorts = [passages[passages["entered_at"].between(first - wait, last - wait)] for wait in waits]
    rows = cohorts if unit != ACCOUNTS else map(join_accounts, cohorts)
    table = pd.concat([cohort_conversion(each, first=first - wait, last=last - wait, within_days=within_days)
                       for each, wait in zip(rows, waits, strict=True)], ignore_index=True)
    since, until = (agreement.day_of(pd.Series([moment - wait for wait in waits])) for moment in (first, last))
    return table.assign(unit=unit, within_days=within_days, entered_from_on=since, entered_to_on=until)


def join_accounts(passages: pd.DataFrame) -> pd.DataFrame:
    """Make one passage of each account's deals, so that each account counts once; deals without one are left out.

    Returns one row per account and first deal of it still to be followed: record_id is the account; it reached the
    stage when the first of its deals did, else it waits while one waits, else it ended as the last did.
    """
    rows = passages[passages["account_id"].notna() & (passages["end"] != "contradictory")]
    rows = rows.assign(rank=rows["end"].map({"reached": 0, "waiting": 1}).fillna(2))
    rows = sort_rows(rows, ["account_id", "entered_at", "record_id"])
    first = rows.drop_duplicates("account_id").set_index("account_id")
    end = rows.sort_values(["rank", "ended_at"], kind="stable").drop_duplicates("account_id").set_index("account_id")
    last = rows.sort_values("ended_at", kind="stable").drop_duplicates("account_id", keep="last")
    last = last.set_index("account_id")
    end = end.where(end["rank"] < 2, last.reindex(end.index)).reindex(first.index)
    joined = first.assign(record_id=first.index, end=end["end"], ended_at=end["ended_at"])
    days = (joined["ended_at"] - joined["entered_at"]) / pd.Timedelta(days=1)
    return joined.assign(days=days).reset_index()[passages.columns]


def period_steps(entries: pd.DataFrame, *, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Set each stage's entries beside the next one's in the same period: period_conversion of every pair.

    Returns one row per pair of neighbouring stages, with the columns of period_conversion.
    """
    return stack_rows([period_conversion(entries, one, other, first=first, last=last)
                       for one, other in pairwise(entries["stage"].cat.categories)], PERIOD)


def complete_funnel(stages: pd.DataFrame, rates: pd.DataFrame, wins: pd.DataFrame) -> pd.DataFrame:
    """Put the rate to the next stage beside each stage of a funnel, and what was booked beside the last.

    `stages` is what funnel_table returns, `rates` transition_rates, `wins` win_rate of the same period.
    Returns the rows with conversion_rate, rate_low and rate_high (blank at the last stage); the last one's worth is the
    value won, its value the average of that.
    """
    next_rate = rates.set_index(rates["from_stage"].astype(str))[["rate", "rate_low", "rate_high"]].rename(
        columns={"rate": "conversion_rate"})
    table = stages.join(next_rate.reindex(stages["stage"].astype(str)).set_axis(stages.index))
    won, is_last = wins.iloc[0], pd.Series(table.index == len(table) - 1, table.index)
    spans = {column: table[column].mask(is_last) for column in ("value_low", "value_high")}
    return table.assign(worth=table["worth"].mask(is_last, won["value_won"]),
                        value=table["value"].mask(is_last, round(won["average_won"], 2)), **spans)
