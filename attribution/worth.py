"""Worth: what the deals and the funnel come to in money: win rate, pipeline, and what an entry into a stage is worth.

Intervals are 95 %: Wilson's (1927) for a share that is fully known, and percentiles of resamples for money.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from attribution.agreement import Agreement
from attribution.cohorts import ALL, share_of
from attribution.draws import draw_averages, draw_waits, first_day, list_steps, list_won
from attribution.entries import find_lapsed
from attribution.tables import first_keys, is_in, look_up, sort_rows

LEAST_ENTRIES, LEAST_REACHED = 30, 5                # for a segment to stand for itself


def win_rate(opportunities: pd.DataFrame, agreement: Agreement, *, first: pd.Timestamp,
             last: pd.Timestamp) -> pd.DataFrame:
    """Measure the share of won deals among those closed in a period (local days of two moments).

    Returns one row: n_won, n_lost, value_won, value_lost (money, known amounts), average_won (of the known amounts),
    win_rate = n_won / (n_won + n_lost), rate_low, rate_high (Wilson); blank where nothing closed.
    """
    closed = _closed_between(opportunities, agreement.local_day(first), agreement.local_day(last))
    won, lost = closed[closed["is_won"]], closed[~closed["is_won"]]
    rate, low, high = share_of(len(won), len(closed))
    return pd.DataFrame([{"n_won": len(won), "n_lost": len(lost), "value_won": round(won["value"].sum(), 2),
                          "value_lost": round(lost["value"].sum(), 2), "average_won": won["value"].mean(),
                          "win_rate": rate, "rate_low": low, "rate_high": high}])


def _closed_between(opportunities: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    return opportunities[opportunities["is_closed"] & opportunities["close_on"].between(first, last)]


def pipeline_velocity(opportunities: pd.DataFrame, agreement: Agreement, *, as_of: pd.Timestamp,
                      n_months: int = 12) -> pd.DataFrame:
    """Measure the money that the open deals bring a day at the pace of the last months.

    velocity = n_open x win_rate x average_won / cycle_days: a rate of flow, so the cycle is the mean (Little 1961).
    Returns one row: n_open (open, not lapsed), n_won, n_lost (closed in the n_months up to as_of), win_rate,
    average_won (money), cycle_days (mean, from creation to the end of the closing day, of the won; those closed before
    they were made left out), velocity (money a day); blank where a factor is.
    """
    today = agreement.local_day(as_of)
    is_open = ~opportunities["is_closed"] & ~find_lapsed(opportunities, today)
    closed = _closed_between(opportunities, first_day(today, n_months=n_months), today)
    won = closed[closed["is_won"]]
    cycle = (agreement.end_of(won["close_on"]) - won["created_at"]) / pd.Timedelta(days=1)
    cycle_days, average = cycle[cycle > 0].mean(), won["value"].mean()
    rate = len(won) / len(closed) if len(closed) else np.nan
    return pd.DataFrame([{"n_open": int(is_open.sum()), "n_won": len(won), "n_lost": len(closed) - len(won),
                          "win_rate": rate, "average_won": np.round(average, 2), "cycle_days": cycle_days,
                          "velocity": np.round(is_open.sum() * rate * average / cycle_days, 2)}])


def weighted_pipeline(opportunities: pd.DataFrame, stage_changes: pd.DataFrame, *, as_of: pd.Timestamp,
                      agreement: Agreement) -> pd.DataFrame:
    """Weigh the open deals by the CRM's probability, and by what became of earlier deals in the same stage.

    Returns one row per CRM stage of the open deals that have not lapsed, the least probable first: stage, n, n_unpriced
    (no amount), value (money, known amounts), by_probability (sum of value x probability), n_history (closed deals that
    were ever in the stage), history_rate (their won share), history_low, history_high (Wilson), by_history = value x
    history_rate, by_history_low, by_history_high; blank without a history.
    """
    is_open = ~opportunities["is_closed"] & ~find_lapsed(opportunities, agreement.local_day(as_of))
    table = _sum_by_stage(opportunities[is_open])
    history = _list_history(opportunities, stage_changes[stage_changes["changed_at"] <= as_of])
    rates = [_history_of(history[history["stage"] == stage]) for stage in table["stage"]]
    columns = ["n_history", "history_rate", "history_low", "history_high"]
    table = table.join(pd.DataFrame(rates, columns=columns, dtype=float).astype({"n_history": int}))
    return table.assign(**{f"by_history{bound}": (table["value"] * table[f"history{bound or '_rate'}"]).round(2)
                           for bound in ("", "_low", "_high")})


def _sum_by_stage(deals: pd.DataFrame) -> pd.DataFrame:
    by_stage = deals.assign(weighted=deals["value"] * deals["probability"], is_unpriced=deals["value"].isna()).groupby(
        "stage")
    money = by_stage[["value", "weighted"]].sum(min_count=1).round(2)
    table = pd.DataFrame({"n": by_stage.size(), "n_unpriced": by_stage["is_unpriced"].sum(), "value": money["value"],
                          "by_probability": money["weighted"], "likely": by_stage["probability"].mean()})
    return sort_rows(table.reset_index(), ["likely", "stage"]).drop(columns="likely").reset_index(drop=True)


def _list_history(opportunities: pd.DataFrame, stage_changes: pd.DataFrame) -> pd.DataFrame:
    """List the stages that each closed deal ever was in."""
    changes = stage_changes[stage_changes["record_type"] == "opportunity"]
    seen = pd.concat([changes[["record_id", "stage"]], changes[["record_id", "from_stage"]].set_axis(
        ["record_id", "stage"], axis=1).dropna()]).drop_duplicates()
    closed = opportunities[opportunities["is_closed"]].set_index("opportunity_id")
    seen = seen[is_in(seen["record_id"], closed.index)]
    return seen.assign(is_won=look_up(seen["record_id"], closed["is_won"]))


def _history_of(deals: pd.DataFrame) -> tuple:
    return len(deals), *share_of(int(deals["is_won"].sum()), len(deals))


def stage_values(entries: pd.DataFrame, opportunities: pd.DataFrame, *, agreement: Agreement, as_of: pd.Timestamp,
                 n_months: int = 24, steps: pd.DataFrame | None = None, segments: pd.DataFrame | None = None,
                 n_resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Estimate the money that one entry into each stage is worth, on the whole and by segment.

    value = product of the rates from the stage on x average amount of the deals won, both of the last n_months. A rate
    is the cumulative incidence of the next stage by the longest stay seen, people who came to be one deal counting a
    share of it each. `steps`, where list_steps of these months has been made already, spares the time to make it.
    Returns one row per segment ("all" first) and stage: stage, segment, value (money), value_low,
    value_high (percentiles of resamples, Efron 1981; blank where the value is 0), n (entries; of the won stage deals
    with an amount), is_pooled. A segment stands for itself where each pair has 30 entries and 5 that reached; else it
    has the whole's value and is_pooled. Values of two stages are never added: the one is in the other. Blank where
    nobody entered a stage on the way, or nothing was won.
    Raises ValueError when `segments` (record_id, segment, weight) shares a record between several.
    """
    _check_whole(segments)
    if steps is None:
        steps = list_steps(entries, agreement=agreement, as_of=as_of, n_months=n_months)
    names = entries["stage"].cat.categories
    won = list_won(opportunities, agreement.local_day(as_of), n_months=n_months).rename(
        columns={"opportunity_id": "record_id"})[["record_id", "value"]]
    parts = [*(steps[steps["from_stage"] == name] for name in names[:-1]), won]
    whole = _value_stages(parts, n_resamples, seed).assign(
        stage=pd.Categorical(names, names, ordered=True), segment=ALL, is_pooled=False)
    tables = [whole] + [_value_segment(own, whole, n_resamples, seed).assign(segment=segment)
                        for segment, own in _split_parts(parts, segments)]
    return pd.concat(tables, ignore_index=True).astype({"segment": "str"})[
        ["stage", "segment", "value", "value_low", "value_high", "n", "is_pooled"]]


def _check_whole(segments: pd.DataFrame | None) -> None:
    if segments is not None and (segments["weight"] != 1).any():
        shared = segments.loc[segments["weight"] != 1, "record_id"]
        raise ValueError(f"segments: {len(shared):,} of {len(segments):,} rows have a weight other than 1 "
                         f"({first_keys(shared)}). Put each record into one segment, as by country or first touch.")


def _split_parts(parts: list[pd.DataFrame],
                 segments: pd.DataFrame | None) -> Iterator[tuple[str, list[pd.DataFrame]]]:
    if segments is not None:
        of_record = segments.set_index("record_id")["segment"]
        where = [look_up(rows["record_id"], of_record) for rows in parts]
        for segment in of_record.drop_duplicates().sort_values():
            yield segment, [rows[its == segment] for rows, its in zip(parts, where, strict=True)]


def _value_segment(parts: list[pd.DataFrame], whole: pd.DataFrame, n_resamples: int, seed: int) -> pd.DataFrame:
    is_enough = all(len(rows) >= LEAST_ENTRIES and (rows["end"] == "reached").sum() >= LEAST_REACHED
                    for rows in parts[:-1]) and len(parts[-1]) > 0
    if not is_enough:
        return whole.assign(n=[len(rows) for rows in parts], is_pooled=True)
    return _value_stages(parts, n_resamples, seed).assign(stage=whole["stage"], is_pooled=False)


def _value_stages(parts: list[pd.DataFrame], n_resamples: int, seed: int) -> pd.DataFrame:
    """Multiply the rates from each stage on with the average won amount, draw by draw."""
    rates = [draw_waits(rows, n_resamples=n_resamples, rng=np.random.default_rng([seed, k])).rate
             for k, rows in enumerate(parts[:-1])]
    average = draw_averages(parts[-1]["value"], n_resamples=n_resamples, seed=seed)
    values = np.cumprod(np.vstack([*rates, average])[::-1], axis=0)[::-1]
    value, (low, high) = values[:, 0], np.percentile(values[:, 1:], [2.5, 97.5], axis=1)
    table = pd.DataFrame({"value": value, "value_low": low, "value_high": high}).round(2)
    return table.assign(value_low=table["value_low"].where(value > 0), value_high=table["value_high"].where(value > 0),
                        n=[len(rows) for rows in parts])


def funnel_table(entries: pd.DataFrame, values: pd.DataFrame, *, first: pd.Timestamp,
                 last: pd.Timestamp) -> pd.DataFrame:
    """Count who entered each stage in a period, and what that is worth by the stage's value.

    `values` is what stage_values returns. Returns one row per stage: stage, n_entered (records that entered it for the
    first time ever), n_again (entries of those who had been in it before), n_imputed (of n_entered, those who skipped
    the stage), value, value_low, value_high (money an entry), worth = n_entered x value. Worths are never added up: a
    lead's holds what its deal's holds.
    """
    rows = entries[entries["entered_at"].between(first, last)]
    is_first = rows["n_entry"] == 1
    n = rows.assign(n_entered=is_first, n_again=~is_first, n_imputed=rows["is_imputed"]).groupby(
        "stage", observed=False)[["n_entered", "n_again", "n_imputed"]].sum().astype(int).reset_index()
    worth = values[values["segment"] == "all"].set_index("stage")[["value", "value_low", "value_high"]]
    table = n.join(worth.reindex(n["stage"].astype(str)).reset_index(drop=True))
    return table.assign(worth=(table["n_entered"] * table["value"]).round(2))
