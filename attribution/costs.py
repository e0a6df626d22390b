"""What a campaign cost in a period: the spend ledger where there is one, else its actual cost spread by day."""

from pathlib import Path

import numpy as np
import pandas as pd

from attribution.agreement_file import find_beside
from attribution.language import marked
from attribution.tables import DAY, TableError, first_keys, look_up, to_cents


def read_ledger(folder: str | Path) -> pd.DataFrame | None:
    """Read the spend ledger `spend.csv` (campaign_id, spent_on, cost) of a data folder.

    Returns one row per line of it: campaign_id, spent_on, cost (money); None where the folder has no such file.
    Raises TableError when the file is no table, a column is missing, a day or an amount is none, or a cost is negative.
    """
    path = find_beside(folder, "spend.csv")
    if not path.is_file():
        return None
    lines = _read_lines(path)
    ledger = pd.DataFrame({
        "campaign_id": lines["campaign_id"].str.strip(),
        "spent_on": pd.to_datetime(lines["spent_on"].str.strip(), format="%Y-%m-%d", errors="coerce").astype(DAY),
        "cost": pd.to_numeric(lines["cost"], errors="coerce").round(2)})
    bad = ledger.isna().any(axis=1) | ~ledger["cost"].between(0, 1e12)
    if bad.any():
        rows = pd.Series(np.flatnonzero(bad) + 2).map("line {}".format)
        raise TableError(f"spend.csv: {bad.sum():,} of {len(ledger):,} rows have no campaign, no day like 2026-10-31 "
                         f"or no cost of 0 or more ({first_keys(rows)}). Correct them.")
    return ledger


def _read_lines(path: Path) -> pd.DataFrame:
    try:
        lines = pd.read_csv(path, dtype="str", encoding="utf-8-sig").rename(columns=str.strip)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        why = str(error).strip().splitlines()[0]
        raise TableError(f"spend.csv: is no table that can be read ({why}). Save it again as CSV in UTF-8.") from None
    if not isinstance(lines.index, pd.RangeIndex):   # pandas takes cells beyond the header's for row names
        raise TableError("spend.csv: lines have more cells than the header. No thousands commas, and none at the end.")
    twice = lines.columns[lines.columns.duplicated()].unique()
    if len(twice):
        raise TableError(f"spend.csv: column {', '.join(map(str, twice))} is there twice. Leave one of them out.")
    for column in ("campaign_id", "spent_on", "cost"):
        if column not in lines:
            raise TableError(f"spend.csv: there is no column {column}. Its columns are campaign_id, spent_on, cost.")
    return lines


def phase_costs(campaigns: pd.DataFrame, exported_on: pd.Timestamp, ledger: pd.DataFrame | None = None) -> pd.DataFrame:
    """Spread what each campaign cost over the days on which it ran.

    Returns one row per campaign and day: campaign_id, spent_on, cost (money), basis ("ledger" or "phased"). A campaign
    in the ledger (which may write the first 15 characters of an id) has the ledger's days; any other with a known cost
    has it spread evenly from its start to the earlier of its end and the export's day, cents conserved; a campaign of
    unknown cost has no rows.

    >>> ad = pd.DataFrame({"campaign_id": ["ad"], "actual_cost": [1.0], "starts_on": pd.to_datetime(["2026-10-30"]),
    ...                    "ends_on": pd.to_datetime(["2026-11-01"]),
    ...                    "created_at": pd.to_datetime(["2026-10-01"], utc=True)})
    >>> phase_costs(ad, pd.Timestamp("2026-12-31"))["cost"].tolist()
    [0.34, 0.33, 0.33]
    """
    booked = _no_costs() if ledger is None else _with_whole_ids(ledger, campaigns["campaign_id"]).assign(
        basis=marked("ledger"))
    known = campaigns[campaigns["actual_cost"].notna() & ~campaigns["campaign_id"].isin(booked["campaign_id"])]
    costs = pd.concat([booked, _spread(known, exported_on)], ignore_index=True)
    return costs.sort_values(["campaign_id", "spent_on"], ignore_index=True)


def _no_costs() -> pd.DataFrame:
    return pd.DataFrame({"campaign_id": pd.Series(dtype="str"), "spent_on": pd.Series(dtype=DAY),
                         "cost": pd.Series(dtype=float), "basis": pd.Series(dtype="str")})


def _with_whole_ids(ledger: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    whole = dict(zip(ids.str[:15], ids, strict=True))
    return ledger.assign(campaign_id=ledger["campaign_id"].map(whole).fillna(ledger["campaign_id"]).astype("str"))


def _spread(known: pd.DataFrame, exported_on: pd.Timestamp) -> pd.DataFrame:
    start = known["starts_on"].fillna(known["created_at"].dt.tz_localize(None).dt.normalize().astype(DAY))
    start = start.fillna(exported_on)
    end = known["ends_on"].fillna(exported_on).clip(upper=exported_on)
    days = ((end - start).dt.days + 1).clip(lower=1).to_numpy(int)
    cents, row = to_cents(known["actual_cost"]), np.repeat(np.arange(len(known)), days)
    nth = np.arange(days.sum()) - np.repeat(np.cumsum(days) - days, days)
    spent = (cents // days)[row] + (nth < (cents % days)[row])
    return pd.DataFrame({
        "campaign_id": known["campaign_id"].to_numpy()[row],
        "spent_on": start.to_numpy()[row] + nth.astype("timedelta64[D]"),
        "cost": spent / 100, "basis": marked("phased")}).astype({"campaign_id": "str", "spent_on": DAY, "basis": "str"})


def costs_between(costs: pd.DataFrame, campaigns: pd.DataFrame, first: pd.Timestamp | None,
                  last: pd.Timestamp) -> pd.DataFrame:
    """Sum what each campaign cost from the first day (None: from the beginning) to the last.

    Returns one row per campaign, and one per further campaign that the ledger has spent on in the period: campaign_id,
    cost (money; 0 where it spent nothing in the period, blank where its cost is unknown altogether), basis.
    """
    period = costs[costs["spent_on"].between(first or pd.Timestamp.min, last)]
    spent = period.groupby("campaign_id")["cost"].sum().round(2)
    basis = costs.groupby("campaign_id")["basis"].first()
    further = spent.index.difference(campaigns["campaign_id"]).to_series()
    ids = pd.concat([campaigns["campaign_id"], further], ignore_index=True)
    cost = look_up(ids, spent).astype(float).fillna(0.0).where(ids.isin(basis.index))
    return pd.DataFrame({"campaign_id": ids, "cost": cost, "basis": look_up(ids, basis).astype("str")})
