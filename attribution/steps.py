"""All steps of the funnel at once: each pair of neighbouring stages, by cohort and by period."""

import pandas as pd

from attribution.agreement import Agreement
from attribution.cohorts import build_passages, cohort_conversion, period_conversion, ripening_days
from attribution.tables import sort_rows

LONGEST_DAYS = 270                                   # to wait for a step, so that a year's cohort can show it


def conversion_steps(entries: pd.DataFrame, agreement: Agreement, *, first: pd.Timestamp, last: pd.Timestamp,
                     as_of: pd.Timestamp) -> pd.DataFrame:
    """Measure how many come from each stage to the next, of two cohorts: the latest, and one old enough to be ripe.

    The latest entered between two moments; the ripe one entered within_days (ripening_days, at most 270) earlier.
    Returns one row per pair of neighbouring stages, unit and cohort: from_stage, to_stage, unit (people, "people to
    deals", deals, or the accounts of those), entered_from_on and entered_to_on (local days), within_days, and the
    columns of cohort_conversion. An account counts once, from its first deal in the cohort.
    """
    stages = entries["stage"].cat.categories
    rows = [_measure_step(entries, agreement, one, other, unit, first, last, as_of)
            for one, other in zip(stages, stages[1:], strict=False) for unit in _units(agreement, one, other)]
    return pd.concat(rows, ignore_index=True).drop(columns="segment")


def _units(agreement: Agreement, one: str, other: str) -> tuple[str, ...]:
    if one in agreement.deal_stages:
        return "deals", "accounts"
    return ("people to deals",) if other in agreement.deal_stages else ("people",)


def _measure_step(entries: pd.DataFrame, agreement: Agreement, one: str, other: str, unit: str, first: pd.Timestamp,
                  last: pd.Timestamp, as_of: pd.Timestamp) -> pd.DataFrame:
    passages = build_passages(entries, one, other, as_of=as_of)
    within_days = min(ripening_days(passages), LONGEST_DAYS)
    rows = passages if unit != "accounts" else join_accounts(passages)
    waits = [pd.Timedelta(0), pd.Timedelta(days=within_days)]
    table = pd.concat([cohort_conversion(rows, first=first - wait, last=last - wait, within_days=within_days)
                       for wait in waits], ignore_index=True)
    since, until = (agreement.day_of(pd.Series([moment - wait for wait in waits])) for moment in (first, last))
    return table.assign(from_stage=one, to_stage=other, unit=unit, within_days=within_days, entered_from_on=since,
                        entered_to_on=until)


def join_accounts(passages: pd.DataFrame) -> pd.DataFrame:
    """Make one passage of the deals that an account had under way together; those without an account are left out.

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
    stages = entries["stage"].cat.categories
    return pd.concat([period_conversion(entries, one, other, first=first, last=last)
                      for one, other in zip(stages, stages[1:], strict=False)], ignore_index=True)


def complete_funnel(stages: pd.DataFrame, rates: pd.DataFrame, wins: pd.DataFrame) -> pd.DataFrame:
    """Put the rate to the next stage beside each stage of a funnel, and what was booked beside the last.

    `stages` is what funnel_table returns, `rates` transition_rates, `wins` win_rate of the same period.
    Returns the rows with conversion_rate, rate_low and rate_high (blank at the last stage); the last one's worth is the
    value won.
    """
    next_rate = rates.set_index(rates["from_stage"].astype(str))[["rate", "rate_low", "rate_high"]].rename(
        columns={"rate": "conversion_rate"})
    table = stages.join(next_rate.reindex(stages["stage"].astype(str)).set_axis(stages.index))
    return table.assign(worth=table["worth"].where(table.index < len(table) - 1, wins["value_won"].iloc[0]))
