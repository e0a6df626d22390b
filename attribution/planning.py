"""Planning backwards: from a revenue target to what each stage still needs, and what the year will bring.

The model is a chain of waits (a semi-Markov process): who enters a stage reaches the next one after a wait whose
distribution is the cumulative incidence of the last months, whatever came before. Everything is drawn `n_resamples`
times from what was seen; draw 0 is the estimate itself, the others carry the intervals.
"""

from itertools import pairwise

import numpy as np
import pandas as pd

from attribution.agreement import Agreement
from attribution.cohorts import ALL, build_passages
from attribution.draws import Waits, draw_averages, draw_waits, fill_days, first_day, list_won
from attribution.language import marked
from attribution.months import day_start
from attribution.tables import is_in, look_up, sort_rows

LEVELS = (0.025, 0.975)
PACE_MONTHS = 3
LEVERS = ["lever", "stage", "now", "then", "year_value", "year_difference", "forecast", "forecast_then", "difference",
          "gap_share"]
PARTS = {marked("under way"): "under_way_value", marked("to come"): "to_come_value"}
BOOKED, IN_ALL = marked("booked"), marked("in all")


def year_so_far(opportunities: pd.DataFrame, agreement: Agreement, *, as_of: pd.Timestamp) -> pd.DataFrame:
    """Say how far the fiscal year that holds as_of has come.

    Returns one row: fiscal_year, as_of_on, starts_on, ends_on, target (money; blank where the agreement has none),
    booked (money won from its first day to as_of), n_won, days_left, months_left (the months to come, and the share of
    the present one that is left).
    """
    today = agreement.local_day(as_of)
    month = today.strftime("%Y-%m")
    (first, last), year = agreement.period_days("year", month), agreement.fiscal_year(month)
    won = opportunities[opportunities["is_won"] & opportunities["close_on"].between(first, today)]
    months_left = (last.to_period("M") - today.to_period("M")).n + 1 - today.day / today.days_in_month
    return pd.DataFrame({"fiscal_year": [year], "as_of_on": today, "starts_on": first, "ends_on": last,
                         "target": float(agreement.targets.get(year, np.nan)), "booked": round(won["value"].sum(), 2),
                         "n_won": len(won), "days_left": (last - today).days, "months_left": months_left})


def draw_funnel(steps: pd.DataFrame, entries: pd.DataFrame, opportunities: pd.DataFrame, *, agreement: Agreement,
                as_of: pd.Timestamp, n_months: int = 24, n_resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Draw each stage's rate, and the money that lies in it, again and again from what was seen.

    Returns one row per draw and stage: draw (0 is the estimate, the rest are resamples), stage, rate (records of the
    next stage per record of this one), value (money that one entry is worth once all have had their time, stage_values'
    own; at the won stage the average won), under_way_value and to_come_value (money expected by the fiscal year's end
    from those now in the stage, and from those who will come into the funnel there at the pace of the last 3 months).
    Rate and value are blank where nobody entered in the last months; the money expected of such a stage is 0.
    Who has waited t days gets to the next stage within s more with the chance (F(t + s) - F(t)) / S(t), F being its
    cumulative incidence and S the share that still waits (Kalbfleisch & Prentice 2002, ch. 8); the waits of successive
    stages are convolved. An open deal counts at its own amount, everything else at the average won. Who has waited
    longer than anybody who got there counts nothing.
    """
    today, stages = agreement.local_day(as_of), list(entries["stage"].cat.categories)
    days_left = (agreement.period_days("year", today.strftime("%Y-%m"))[1] - today).days
    won = list_won(opportunities, today, n_months=n_months)["value"]
    average = draw_averages(won, n_resamples=n_resamples, seed=seed)
    waiting, fresh = _list_waiting(entries, opportunities, as_of), _list_fresh(entries, agreement, today)
    value, ahead, rows = average, np.ones((len(average), days_left + 1)), []
    for n, stage in reversed(list(enumerate(stages[:-1]))):
        rng, worth = np.random.default_rng([seed, n]), np.nan_to_num(average)
        waits = draw_waits(steps[steps["from_stage"] == stage], n_resamples=n_resamples, rng=rng)
        waits = fill_days(waits, until_day=days_left)
        under_way = _expect(waiting[waiting["stage"] == stage], worth, waits, ahead)
        value, ahead = waits.rate * value, _convolve(waits.density, ahead)[:, :days_left + 1]
        per_day = _draw_pace(int((fresh["stage"] == stage).sum()), today, n_resamples, rng)
        rows.append(_drawn(stage, waits.rate, value, under_way, per_day * ahead[:, :-1].sum(axis=1) * worth))
    rows = [*rows[::-1], _drawn(stages[-1], np.nan, average, 0.0, 0.0)]
    return pd.concat(rows, ignore_index=True).astype({"stage": entries["stage"].dtype})


def _drawn(stage: str, rate: np.ndarray | float, value: np.ndarray, under_way: np.ndarray | float,
           to_come: np.ndarray | float) -> pd.DataFrame:
    return pd.DataFrame({"draw": np.arange(len(value)), "stage": stage, "rate": rate, "value": value,
                         "under_way_value": np.round(under_way, 2) + 0.0, "to_come_value": np.round(to_come, 2) + 0.0})


def _convolve(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    from scipy.signal import fftconvolve
    return fftconvolve(first, second, axes=1)


def _list_waiting(entries: pd.DataFrame, opportunities: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """List who is in a stage now: stage, days (whole ones so far), value (of a deal whose amount is known)."""
    now = entries[entries["left_at"].isna()]
    value = look_up(now["record_id"], opportunities.set_index("opportunity_id")["value"]).astype(float)
    return pd.DataFrame({"stage": now["stage"], "days": (as_of - now["entered_at"]).dt.days, "value": value})


def _expect(waiting: pd.DataFrame, average: np.ndarray, waits: Waits, ahead: np.ndarray) -> np.ndarray:
    """Expect the money, by draw, that those waiting bring while `ahead` has days left."""
    still, days, days_left = waits.still, waits.days[-1], ahead.shape[1] - 1
    waiting = waiting[waiting["days"] <= days]
    is_known = waiting["value"].notna()
    n = np.bincount(waiting.loc[~is_known, "days"], minlength=days + 1)
    money = np.bincount(waiting.loc[is_known, "days"], waiting.loc[is_known, "value"], minlength=days + 1)
    each = np.divide(n * average[:, None] + money, still, out=np.zeros_like(still), where=still > 0)
    soon = _convolve(waits.density, each[:, ::-1])[:, days + 1:days + 1 + days_left]
    return (soon * ahead[:, -2::-1]).sum(axis=1) if days_left else np.zeros(len(average))


def _list_fresh(entries: pd.DataFrame, agreement: Agreement, today: pd.Timestamp) -> pd.DataFrame:
    """List the entries of the last whole months that began a lifecycle; a person's deal carries on the person's."""
    real = entries[~entries["is_imputed"]]
    real = sort_rows(real.assign(order=real["stage"].cat.codes), ["entered_at", "order", "n_entry"])
    carried = real.loc[real["person_id"].notna(), "opportunity_id"]
    is_first = ~real.duplicated(["record_id", "lifecycle"])
    fresh = real[is_first & ~(real["person_id"].isna() & is_in(real["record_id"], carried) & (real["lifecycle"] == 1))]
    return _in_pace(fresh, agreement, today)


def _pace_days(today: pd.Timestamp) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Give the first and the last day of the last whole months."""
    end = (today + pd.Timedelta(days=1)).to_period("M").start_time
    return end - pd.DateOffset(months=PACE_MONTHS), end - pd.Timedelta(days=1)


def _in_pace(entries: pd.DataFrame, agreement: Agreement, today: pd.Timestamp) -> pd.DataFrame:
    return entries[agreement.day_of(entries["entered_at"]).between(*_pace_days(today))]


def _draw_pace(n: int, today: pd.Timestamp, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the entries a day; a count scatters as Poisson's law says."""
    first, last = _pace_days(today)
    return np.append(n, rng.poisson(n, n_resamples)) / ((last - first).days + 1)


def transition_rates(draws: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """Sum up the rates between neighbouring stages.

    Returns one row per pair: from_stage, to_stage, rate (records of the next stage per record of this one), rate_low,
    rate_high (95 %), n (entries that it was seen on), lag_days (median of those who got there).
    """
    rates = _summarise(_by_stage(draws, "rate")).iloc[:-1]
    stages, from_stage = pd.Series(draws["stage"].cat.categories), steps["from_stage"]
    lags = steps.loc[steps["end"] == "reached", "days"].groupby(from_stage).median()
    n = from_stage.value_counts().reindex(rates.index, fill_value=0)
    table = pd.DataFrame({"from_stage": stages[:-1], "to_stage": stages[1:].to_numpy()})
    return table.assign(rate=rates["value"].to_numpy(), rate_low=rates["low"].to_numpy(),
                        rate_high=rates["high"].to_numpy(), n=n.to_numpy(), lag_days=lags.reindex(n.index).to_numpy())


def _by_stage(draws: pd.DataFrame, column: str) -> pd.DataFrame:
    return draws.pivot(index="draw", columns="stage", values=column)


def _summarise(drawn: pd.DataFrame) -> pd.DataFrame:
    """Give each column's estimate and 95 % interval; blank where it is unknown or without bound."""
    with np.errstate(invalid="ignore"):
        low, high = (drawn.iloc[1:].quantile(level) for level in LEVELS)
    return pd.DataFrame({"value": drawn.iloc[0], "low": low, "high": high}).replace([np.inf, -np.inf], np.nan)


def stage_standing(entries: pd.DataFrame, rates: pd.DataFrame, *, agreement: Agreement, as_of: pd.Timestamp,
                   n_months: int = 24) -> pd.DataFrame:
    """Say how each stage stands: who is in it, what came of late, and until when an entry can still be won this year.

    Returns one row per stage: stage, n_under_way (records now in it; 0 at the won stage), pace_per_month (entries,
    of those who come again too, mean of the last 3 whole months), latest_entry_on (the fiscal year's end less the
    median lags still ahead; blank where one is unknown), is_too_late (that day has passed), carried_share (of the
    entries of the last n_months, those that came from the stage before; blank at the first stage).
    """
    today, stages = agreement.local_day(as_of), entries["stage"].cat.categories
    ends_on = agreement.period_days("year", today.strftime("%Y-%m"))[1]
    now = entries[entries["left_at"].isna() & (entries["stage"] != stages[-1])]
    came = _in_pace(entries[~entries["is_imputed"]], agreement, today)
    lags = np.append(rates["lag_days"].to_numpy()[::-1].cumsum()[::-1], 0.0)
    latest = (ends_on - pd.to_timedelta(lags, unit="D")).floor("D")
    n_under_way, n_came = (rows["stage"].value_counts().reindex(stages).to_numpy() for rows in (now, came))
    return pd.DataFrame({"stage": pd.Categorical(stages, stages, ordered=True), "n_under_way": n_under_way,
                         "pace_per_month": n_came / PACE_MONTHS, "latest_entry_on": latest.as_unit("us"),
                         "is_too_late": latest < today,
                         "carried_share": _carried(entries, agreement, as_of, n_months)})


def _carried(entries: pd.DataFrame, agreement: Agreement, as_of: pd.Timestamp, n_months: int) -> list[float]:
    """Give the share of each stage's entries that came from the stage before; five people of one deal are one."""
    first = day_start(agreement, first_day(agreement.local_day(as_of), n_months=n_months))
    stages, recent = entries["stage"].cat.categories, entries[(entries["entered_at"] >= first) & ~entries["is_imputed"]]
    n, shares = recent["stage"].value_counts(), [np.nan]
    for one, other in pairwise(stages):
        steps = build_passages(entries, one, other, as_of=as_of)
        came = steps.loc[(steps["end"] == "reached") & (steps["ended_at"] >= first), "share"].sum()
        shares.append(min(came / n[other], 1.0) if n[other] else np.nan)
    return shares


def plan_backwards(draws: pd.DataFrame, standing: pd.DataFrame, so_far: pd.DataFrame) -> pd.DataFrame:
    """Plan backwards from the year's target: what each stage still needs, and whether the pace suffices.

    Returns one row per stage, none without a target: stage, gap (money that entries into the stage from now on must
    bring: target - booked - what is expected of those already there or further), needed (entries: gap / value of one),
    needed_low, needed_high (95 %; blank where without bound), needed_per_month, per_month_low, per_month_high,
    under_way_value (money expected by the year's end of those now in it), and the columns of stage_standing, with
    is_enough (the pace is not below needed_per_month; null where unknown). Those who are under way in an earlier stage
    count among the needed of the later ones, as they do in its pace. Nothing is needed where the gap is closed.
    year_per_month, year_low, year_high: the entries a month that a full year at the target takes, from the won deals
    back: entries of the next stage x its carried_share / rate; is_enough_a_year: the pace is not below that.
    """
    so_far = so_far.iloc[0]
    under_way, value = _by_stage(draws, "under_way_value"), _by_stage(draws, "value")
    gap = so_far["target"] - so_far["booked"] - under_way.iloc[:, ::-1].cumsum(axis=1).iloc[:, ::-1]
    needed = _summarise((gap / value).mask(gap <= 0, 0.0))
    a_month = needed / so_far["months_left"] if so_far["months_left"] else needed.where(needed == 0)
    plan = pd.DataFrame({
        "gap": gap.iloc[0].round(2), "needed": needed["value"], "needed_low": needed["low"],
        "needed_high": needed["high"], "needed_per_month": a_month["value"], "per_month_low": a_month["low"],
        "per_month_high": a_month["high"], "under_way_value": under_way.iloc[0].round(2)}).reset_index()
    plan = plan.merge(standing, on="stage", validate="one_to_one")
    is_enough = (plan["pace_per_month"] >= plan["needed_per_month"]).astype("boolean")
    plan = plan.assign(is_enough=is_enough.mask(plan["needed_per_month"].isna()), **_plan_year(draws, plan, so_far))
    return plan[:0] if np.isnan(so_far["target"]) else plan


def _plan_year(draws: pd.DataFrame, plan: pd.DataFrame, so_far: pd.Series) -> dict[str, pd.Series]:
    rate, carried, needed = _by_stage(draws, "rate"), plan["carried_share"].to_numpy(), {}
    entries = so_far["target"] / 12 / _by_stage(draws, "value").iloc[:, -1]
    for n, stage in reversed(list(enumerate(rate.columns))):
        if n < len(carried) - 1:
            entries = entries * carried[n + 1] / rate[stage]
        needed[stage] = entries
    table = _summarise(pd.DataFrame(needed)).reindex(plan["stage"].astype(str)).set_axis(plan.index)
    is_enough = (plan["pace_per_month"] >= table["value"]).astype("boolean").mask(table["value"].isna())
    return {"year_per_month": table["value"], "year_low": table["low"], "year_high": table["high"],
            "is_enough_a_year": is_enough}


def revenue_forecast(draws: pd.DataFrame, so_far: pd.DataFrame, opportunities: pd.DataFrame, *, n_months: int = 24,
                     seed: int = 0) -> pd.DataFrame:
    """Forecast the fiscal year's revenue: booked, expected from what is under way, and to come at the present pace.

    Returns one row per part and stage: part ("booked", "under way", "to come", "in all"), stage ("all" for booked and
    in all), value (money), value_low, value_high (95 %; blank where there are no deals to go by). The expected money is
    draw_funnel's; the interval adds luck to its draws: as many deals as Poisson's law gives, each of the size of a deal
    won in the last months. It knows no seasons and no plans: it says where the present pace leads.
    """
    today, booked = so_far["as_of_on"].iloc[0], so_far["booked"].iloc[0]
    rng, values = np.random.default_rng(seed), np.sort(list_won(opportunities, today, n_months=n_months)["value"])
    money = pd.concat({part: _by_stage(draws, column).iloc[:, :-1] for part, column in PARTS.items()}, axis=1)
    drawn = {column: _with_luck(money[column], values, rng) for column in money}
    lucky = pd.DataFrame({(BOOKED, ALL): booked} | drawn, index=money.index)
    lucky[(IN_ALL, ALL)] = lucky.sum(axis=1, skipna=False)
    table = _summarise(lucky).set_axis(["value", "value_low", "value_high"], axis=1).round(2)
    return table.rename_axis(["part", "stage"]).reset_index().astype({"part": "str", "stage": "str"})


def _with_luck(money: pd.Series, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the money won where so much is expected: a compound Poisson sum; the first stays as it is."""
    if not len(values):
        return np.append(money.iloc[0], money.where(money == 0)[1:])
    n = rng.poisson(money.clip(lower=0) / values.mean())
    won = np.bincount(np.repeat(np.arange(len(n)), n), rng.choice(values, n.sum()), minlength=len(n))
    return np.append(money.iloc[0], won[1:])


def what_would_it_take(draws: pd.DataFrame, rates: pd.DataFrame, standing: pd.DataFrame, so_far: pd.DataFrame, *,
                       more: float = 0.1) -> pd.DataFrame:
    """Ask what one change alone would bring: a better rate, a faster pace, larger deals.

    Returns one row per lever: lever ("rate", "pace" or "average deal"), stage, now, then (the rate's upper bound; of
    the others `more` more), year_value (money of a full year at the present pace of won deals), year_difference (what
    the lever adds to a year, once all have had their time: of what passes the stage, pace x 12 x value), forecast
    (money by this fiscal year's end at the present pace), forecast_then, difference, gap_share (of target - forecast;
    blank where no target is set or none is left). A better rate brings more of all that has yet to pass it, a faster
    pace more of all that has yet to enter the stage; what is booked stays.
    """
    now, so_far = draws[draws["draw"] == 0].sort_values("stage").reset_index(drop=True), so_far.iloc[0]
    passing = (now["under_way_value"] + now["to_come_value"]).cumsum()
    year = standing["pace_per_month"] * 12 * now["value"]
    levers = _pull(now, rates, standing, passing, passing - now["under_way_value"], more)
    levers = levers.assign(year_difference=_pull(now, rates, standing, year, year, more)["difference"])
    forecast = round(so_far["booked"] + passing.iloc[-1], 2)
    gap = so_far["target"] - forecast
    return levers.assign(year_value=round(year.iloc[-1], 2), forecast=forecast,
                         forecast_then=forecast + levers["difference"],
                         gap_share=levers["difference"] / gap if gap > 0 else np.nan)[LEVERS]


def _pull(now: pd.DataFrame, rates: pd.DataFrame, standing: pd.DataFrame, passing: pd.Series, entering: pd.Series,
          more: float) -> pd.DataFrame:
    """Pull each lever, given the money that passes each stage, and that enters it."""
    rises = rates["rate_high"] / rates["rate"].where(rates["rate"] > 0) - 1
    pace = standing["pace_per_month"]
    return pd.concat([
        _lever("rate", rates["from_stage"], rates["rate"], rates["rate_high"], passing.iloc[:-1] * rises),
        _lever(marked("pace"), standing["stage"], pace, pace * (1 + more), entering * more).iloc[:-1],
        _lever(marked("average deal"), now["stage"], now["value"], now["value"] * (1 + more), passing * more).iloc[-1:],
    ], ignore_index=True)


def _lever(lever: str, stage: pd.Series, now: pd.Series, then: pd.Series, difference: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"lever": lever, "stage": stage.astype("str"), "now": now, "then": then,
                         "difference": difference.round(2)})
