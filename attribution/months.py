"""What a month brought: its figures beside the month before and the plan."""

import numpy as np
import pandas as pd

from attribution.agreement import Agreement, month_days
from attribution.costs import costs_between
from attribution.funnel import WON, Outcome
from attribution.roi import between, count_name, credit_of
from attribution.tables import CRM, look_up


def month_figures(month: str, agreement: Agreement, entries: pd.DataFrame, conversions: pd.DataFrame,
                  credit: pd.DataFrame, costs: pd.DataFrame, campaigns: pd.DataFrame, *,
                  outcome: Outcome = WON) -> pd.DataFrame:
    """Measure a month on the booked clock: deals closed in it, against the cost of the same month.

    Returns one row per figure: figure, value, unit (money, count, share or ratio). Of an outcome before the sale the
    money and the returns on it are expected, and named so: expected_value, roi_expected, romi_expected.
    """
    first, last = month_bounds(month, agreement)
    cost = costs_between(costs, campaigns, *month_days(month))["cost"].sum(min_count=1)
    figures = _earned(between(conversions, "converted_at", first, last), credit, cost, agreement.contribution_margin)
    figures = _as_expected(figures) if outcome.is_expected else figures
    figures += _entered(entries, first, last, agreement, cost)
    table = pd.DataFrame(figures, columns=["figure", "value", "unit"]).astype({"value": float})
    return table.assign(value=table["value"].where(table["unit"] != "money", table["value"].round(2)))


def _earned(won: pd.DataFrame, credit: pd.DataFrame, cost: float, margin: float | None) -> list[tuple]:
    mine = credit_of(credit, won)
    value, attributed = won["value"].sum(), mine.loc[mine["campaign_id"].notna(), "credit"].sum()
    n_new, divisor = int(won["is_new_customer"].sum()), cost if cost > 0 else np.nan
    share = np.nan if margin is None else margin
    return [("won_value", value, "money"), ("n_won", len(won), "count"), ("attributed_value", attributed, "money"),
            ("unattributed_value", value - attributed, "money"),
            ("attributed_share", attributed / value if value else np.nan, "share"), ("cost", cost, "money"),
            ("roi", (attributed - cost) / divisor, "ratio"), ("romi", (attributed * share - cost) / divisor, "ratio"),
            ("n_new_customers", n_new, "count"), ("campaign_cac", cost / n_new if n_new else np.nan, "money")]


def _as_expected(figures: list[tuple]) -> list[tuple]:
    """Name expected money so, and leave out what only a sale can tell; the entries are counted by stage."""
    names = {"won_value": "expected_value", "roi": "roi_expected", "romi": "romi_expected"}
    return [(names.get(name, name), value, unit) for name, value, unit in figures
            if name not in ("n_won", "n_new_customers", "campaign_cac")]


def _entered(entries: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp, agreement: Agreement,
             cost: float) -> list[tuple]:
    """Count the first entries into each stage before the sale; a stage that nobody ever entered is unknown, not 0."""
    known = set(entries["stage"])
    reached = between(entries[entries["n_entry"] == 1], "entered_at", first, last)["stage"].value_counts()
    n = {count_name(stage.name): reached.get(stage.name, 0) if stage.name in known else np.nan
         for stage in agreement.stages if stage.rule != "opportunity_won"}
    per = [(f"cost_per_{name.removeprefix('n_')}", cost / count if count else np.nan, "money")
           for name, count in n.items()]
    return [(name, count, "count") for name, count in n.items()] + per


def month_bounds(month: str, agreement: Agreement) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Give the first and the last moment (UTC) of a month in the agreement's time zone."""
    return day_start(agreement, month_days(month)[0]), agreement.month_end(month)


def day_start(agreement: Agreement, day: pd.Timestamp) -> pd.Timestamp:
    """Give the first moment (UTC) of one local day.

    >>> day_start(Agreement(time_zone="Europe/Helsinki"), pd.Timestamp("2026-10-01"))
    Timestamp('2026-09-30 21:00:00+0000', tz='UTC')
    """
    return agreement.start_of(pd.Series([day]))[0]


def known_until(crm: CRM) -> pd.Timestamp:
    """Give the moment up to which the tables are known: as_of, or the export's last edit where that is earlier."""
    return min(crm.as_of, crm.exported_at)


def months_back(agreement: Agreement, month: str, n_months: int) -> pd.Timestamp:
    """Give the first moment (UTC) of the n_months that end with a month.

    >>> months_back(Agreement(), "2026-10", 12)
    Timestamp('2025-11-01 00:00:00+0000', tz='UTC')
    """
    return day_start(agreement, month_days(str(pd.Period(month, "M") - n_months + 1))[0])


def month_before(month: str) -> str:
    """Name the month before.

    >>> month_before("2026-01")
    '2025-12'
    """
    return str(pd.Period(month, "M") - 1)


def headline(now: pd.DataFrame, before: pd.DataFrame, plan: dict[str, float] | None = None) -> pd.DataFrame:
    """Put a month's figures beside those of the month before and the plan.

    Returns one row per figure: figure, unit, value, before, change (share of before, a difference for shares and
    ratios), planned, plan_share (value / planned).
    """
    both = now.merge(before[["figure", "value"]].rename(columns={"value": "before"}), on="figure", how="left",
                     validate="one_to_one")
    planned = both["figure"].map(plan or {}).astype(float)
    difference = both["value"] - both["before"]
    change = difference.where(both["unit"].isin(["share", "ratio"]), difference / both["before"].replace(0, np.nan))
    return both.assign(change=change, planned=planned, plan_share=both["value"] / planned)[
        ["figure", "unit", "value", "before", "change", "planned", "plan_share"]]


def monthly_bookings(conversions: pd.DataFrame, credit: pd.DataFrame, agreement: Agreement, month: str,
                     n_months: int = 13, *, outcome: Outcome = WON) -> pd.DataFrame:
    """Sum the won value of the months up to one, attributed and not.

    Returns one row per month: month, attributed, unattributed (money), n_won, planned (money, blank without a plan). Of
    an outcome before the sale the money is expected, the count is n_entered, and planned, a plan of won value, is
    blank.
    """
    months = [str(pd.Period(month, "M") - back) for back in range(n_months - 1, -1, -1)]
    at = agreement.day_of(conversions["converted_at"]).dt.strftime("%Y-%m")
    attributed = credit[credit["campaign_id"].notna()].groupby("conversion_id")["credit"].sum()
    deals = conversions.assign(month=at, attributed=look_up(conversions["conversion_id"], attributed).fillna(0.0))
    sums = deals.groupby("month").agg(value=("value", "sum"), attributed=("attributed", "sum"), n_won=("value", "size"))
    rows = sums.reindex(months).fillna(0).rename_axis("month").reset_index()
    planned = rows["month"].map({m: said.get("won_value") for m, said in agreement.plan.items()}).astype(float)
    n = "n_entered" if outcome.is_expected else "n_won"
    return rows.assign(attributed=rows["attributed"].round(2), planned=np.nan if outcome.is_expected else planned,
                       unattributed=(rows["value"] - rows["attributed"]).round(2), **{n: rows["n_won"].astype(int)})[
        ["month", "attributed", "unattributed", n, "planned"]]


def check_month(crm: CRM, agreement: Agreement, month: str) -> None:
    """Refuse a month that the export knows nothing of.

    Raises ValueError that says which months there are.
    """
    first, last = month_bounds(month, agreement)
    seen = pd.concat([crm.touches["touched_at"], crm.opportunities["created_at"]])
    if not len(seen):
        raise ValueError(f"month: {month} has no data; up to its end the export has no touch and no deal")
    if first > crm.exported_at or last < seen.min():
        day = agreement.day_of(pd.Series([seen.min(), crm.exported_at])).dt.strftime("%Y-%m")
        raise ValueError(f"month: {month} has no data; the export covers {day[0]} to {day[1]}")
