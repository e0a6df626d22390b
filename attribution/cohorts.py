"""Cohorts: how many of those who entered a stage came further, how fast, and where the others went.

Intervals are 95 %: Wilson's (1927) for a share that is fully known, the log-log one (Kalbfleisch & Prentice 1980) for
a curve with some still waiting (for a cumulative incidence Pintilie 2006).
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from attribution.agreement import Agreement
from attribution.entries import OUT
from attribution.language import marked
from attribution.tables import UTC, find_rows, sort_rows

EVENTS = ("reached", "returned", "out")
ENDS = (*EVENTS, "waiting", "contradictory")
PASSAGES = (dict.fromkeys(("record_id", "person_id", "account_id", "opportunity_id", "owner_id"), "str")
            | dict.fromkeys(("n_entry", "lifecycle"), "int64")
            | {"entered_at": UTC, "end": "str", "ended_at": UTC, "days": float, "share": float})
RATES = ("conversion_rate", "rate_low", "rate_high")
COUNTS = ("n", "n_reached", "n_returned", "n_out", "n_waiting", "n_again", "n_contradictory")
MEASURES = {"segment": "str"} | dict.fromkeys((*COUNTS, *RATES), float) | {"basis": "str"}
PERIOD = {"from_stage": "str", "to_stage": "str", "n_from": "int64", "n_to": "int64", "period_rate": float}
ALL, NOT_KNOWN, WAITING = marked("all"), marked("not known"), marked("waiting")
RIPE, ESTIMATED, TOO_YOUNG = marked("ripe"), marked("estimated"), marked("too young")
Z = 1.959963984540054                                # of the normal distribution, at 97.5 %
RIPE_SHARE = 0.9


def build_passages(entries: pd.DataFrame, from_stage: str, to_stage: str, *, as_of: pd.Timestamp) -> pd.DataFrame:
    """Follow every entry into a stage until it reached a later stage, went back, left, or still waits.

    Returns one row per entry into from_stage that is not imputed: record_id, person_id, account_id, opportunity_id,
    owner_id, n_entry, lifecycle, entered_at, end (one of ENDS), ended_at (as_of while waiting), days, share (1 / the
    passages that reached the same deal; 1 where the record itself reached the stage; blank unless reached). Reached is
    to_stage in the same lifecycle, imputed or not, or a later stage where it skipped that one; a person reaches a
    deal's stage with the deal that the lifecycle became, and leaves with it. What ended before it began is
    "contradictory", its days are blank.
    Raises ValueError when to_stage does not stand after from_stage.
    """
    _check_pair(entries["stage"].cat.categories, from_stage, to_stage)
    coded = _with_codes(entries)
    subjects = coded[(coded["stage"] == from_stage) & ~coded["is_imputed"]]
    targets = coded[coded["stage"] >= to_stage]
    own = _when_reached(subjects, targets, "line", "line")
    by_deal = _when_reached(subjects, targets, "deal", "record")
    rows = _with_end(subjects, own.fillna(by_deal), coded, as_of)
    is_deals = coded.loc[coded["person_id"].isna(), "order"].min() <= targets["stage"].cat.categories.get_loc(to_stage)
    is_shared = (rows["end"] == "reached") & own.isna() & is_deals
    n_sharing = is_shared.groupby(rows["deal"]).transform("sum").where(is_shared, 1)
    rows = rows.assign(share=(1 / n_sharing).where(rows["end"] == "reached"))
    return sort_rows(rows, ["entered_at", "record_id", "n_entry"]).reset_index(drop=True)[list(PASSAGES)]


def _check_pair(stages: pd.Index, from_stage: str, to_stage: str) -> None:
    for name, stage in (("from_stage", from_stage), ("to_stage", to_stage)):
        if stage not in stages:
            raise ValueError(f"{name}: {stage!r} is not one of {', '.join(stages)}")
    if stages.get_loc(to_stage) <= stages.get_loc(from_stage):
        raise ValueError(f"to_stage: {to_stage!r} does not stand after {from_stage!r} in {', '.join(stages)}")


def _with_codes(entries: pd.DataFrame) -> pd.DataFrame:
    """Number the records, their lifecycles (line) and people's deals, in the order in which they went on."""
    codes, _ = pd.factorize(pd.concat([entries["record_id"], entries["opportunity_id"]], ignore_index=True))
    record, deal = codes[:len(entries)], codes[len(entries):]
    lifecycle = entries["lifecycle"].to_numpy(np.int64)
    coded = entries.assign(record=record, line=record * (lifecycle.max(initial=0) + 1) + lifecycle,
                           deal=np.where(entries["person_id"].notna(), deal, -1), order=entries["stage"].cat.codes,
                           left_order=find_rows(entries["left_to"], entries["stage"].cat.categories))
    return coded.sort_values(["line", "order", "entered_at"], ignore_index=True)


def _when_reached(subjects: pd.DataFrame, targets: pd.DataFrame, by: str, key: str) -> pd.Series:
    """Give each subject the moment of its lifecycle's, or its deal's, first target; an earlier stage before a later."""
    first = targets.sort_values(["order", "entered_at"]).drop_duplicates(key).set_index(key)["entered_at"]
    return first.reindex(subjects[by]).set_axis(subjects.index)


def _with_end(subjects: pd.DataFrame, reached_at: pd.Series, coded: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    last = coded.drop_duplicates("line", keep="last").set_index("line").reindex(subjects["line"])
    last = last.set_axis(subjects.index)
    deals = coded[coded["person_id"].isna()].drop_duplicates("record", keep="last").set_index("record")
    deal = deals.reindex(subjects["deal"]).set_axis(subjects.index)
    is_back = (last["left_order"] >= 0) & (last["left_order"] < last["order"])
    is_out, is_deal_out = last["left_to"] == OUT, deal["left_to"] == OUT
    end = np.select([reached_at.notna(), is_back, is_out | is_deal_out], EVENTS, "waiting")
    left_at = last["left_at"].where(is_back | is_out, deal["left_at"].where(is_deal_out, as_of))
    ended_at = reached_at.fillna(left_at)
    is_contradictory = ended_at < subjects["entered_at"]
    days = (ended_at - subjects["entered_at"]) / pd.Timedelta(days=1)
    return subjects.assign(end=pd.Series(end, subjects.index, dtype="str").mask(is_contradictory, "contradictory"),
                           ended_at=ended_at, days=days.mask(is_contradictory))


def list_cohort(passages: pd.DataFrame, *, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """List the passages that began between two moments, each record's first, without the contradictory ones.

    Returns the rows of passages that are left, in the order of their entry.
    """
    rows = _in_period(passages, first, last)
    return rows[rows["part"] == "first"].drop(columns="part").reset_index(drop=True)


def _in_period(passages: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Tell each record's first entry in the period from those again, and from the contradictory ones."""
    rows = sort_rows(passages[passages["entered_at"].between(first, last)], ["entered_at", "record_id", "n_entry"])
    is_sound = rows["end"] != "contradictory"
    is_first = is_sound & ~rows.assign(is_sound=is_sound).duplicated(["record_id", "is_sound"])
    return rows.assign(part=np.select([is_first, is_sound], ["first", "again"], "contradictory"))


def cohort_conversion(passages: pd.DataFrame, groups: pd.DataFrame | None = None, *, first: pd.Timestamp,
                      last: pd.Timestamp, within_days: float) -> pd.DataFrame:
    """Measure which share of those who entered in a period came further within some days.

    `groups` (record_id, segment, weight) splits the cohort; records that it lacks are "not known".
    Returns one row per segment, the largest first, "all" without groups: segment, n (records, by weight), n_reached,
    n_returned, n_out, n_waiting (where they were within_days after entering, or at as_of; they sum to n), n_again
    (more entries of the same records), n_contradictory, conversion_rate, rate_low, rate_high, basis. Basis is "ripe"
    when each record's outcome is known: n_reached / n, Wilson's interval. It is "estimated" when some still wait and
    have not had the time: the cumulative incidence, with going back and leaving as competing exits (Marubini &
    Valsecchi 1995, ch. 10; censoring them would inflate it). It is "too young", the rate blank, when nobody was
    followed so long. A record that is shared between segments makes a rate no surer: intervals take (sum of weights)^2
    / sum of squared weights as n (Kish 1965).
    """
    parts = _split(_in_period(passages, first, last), groups)
    table = pd.DataFrame([{"segment": segment} | _measure(rows, within_days) for segment, rows in parts],
                         columns=list(MEASURES)).astype(MEASURES)
    return table.sort_values(["n", "segment"], ascending=[False, True], ignore_index=True)


def _split(rows: pd.DataFrame, groups: pd.DataFrame | None) -> Iterable[tuple[str, pd.DataFrame]]:
    if groups is None:
        return [(ALL, rows.assign(weight=1.0))]
    shared = rows.merge(groups[["record_id", "segment", "weight"]], on="record_id", how="left", validate="many_to_many")
    return shared.fillna({"segment": NOT_KNOWN, "weight": 1.0}).groupby("segment")


def _measure(rows: pd.DataFrame, within_days: float) -> dict:
    cohort = rows[rows["part"] == "first"]
    weight, days, is_waiting = cohort["weight"], cohort["days"], cohort["end"] == "waiting"
    state = cohort["end"].mask(days > within_days, "waiting")
    sums = {f"n_{end}": weight[state == end].sum() for end in (*EVENTS, "waiting")}
    others = {f"n_{part}": rows.loc[rows["part"] == part, "weight"].sum() for part in ("again", "contradictory")}
    n = weight.sum()
    if not (is_waiting & (days < within_days)).any():
        basis, rates = RIPE if n else None, share_of(sums["n_reached"], n, (weight ** 2).sum())
    else:
        basis, rates = ESTIMATED, _estimate(cohort, within_days)
    if np.isnan(rates[0]) and n:
        basis = TOO_YOUNG
    return {"n": n} | sums | others | dict(zip(RATES, rates, strict=True)) | {"basis": basis}


def share_of(n_reached: float, n: float, squares: float | None = None) -> tuple[float, float, float]:
    """Give a share with its Wilson interval, blank where there is nobody.

    >>> [round(float(each), 4) for each in share_of(0, 20)]
    [0.0, 0.0, 0.1611]
    """
    from statsmodels.stats.proportion import proportion_confint
    if not n:
        return np.nan, np.nan, np.nan
    effective = n ** 2 / (n if squares is None else squares)
    return n_reached / n, *proportion_confint(n_reached / n * effective, effective, method="wilson")


def _estimate(cohort: pd.DataFrame, within_days: float) -> tuple[float, float, float]:
    """Estimate the share that reaches within some days, from records of which some still wait."""
    days, status, weight = cohort["days"].to_numpy(), _status(cohort), cohort["weight"].to_numpy()
    rate, error = (curve[0] for curve in _read_incidence(days, status, weight, np.array([within_days])))
    spread = np.sqrt(len(weight) * (weight ** 2).sum()) / weight.sum()
    low, high = log_log(rate, error * spread)
    return rate[0], low[0], high[0]


def _status(passages: pd.DataFrame) -> np.ndarray:
    """Number the ends: 0 waiting, then as in EVENTS."""
    return find_rows(passages["end"], pd.Index(EVENTS, dtype="str")) + 1


def _read_incidence(days: np.ndarray, status: np.ndarray, weight: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, ...]:
    """Give each event's cumulative incidence and its standard error by some days, blank where nobody was followed."""
    from statsmodels.duration.survfunc import CumIncidenceRight
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = CumIncidenceRight(days, status)
    curves = CumIncidenceRight(days, status, freq_weights=weight).cinc if np.ptp(weight) else fit.cinc
    errors, is_over = fit.cinc_se, status[days == days.max()].all()
    if is_over:                           # the error divides by those left after the last day: let one more wait
        longer = CumIncidenceRight(np.append(days, days.max() + 1), np.append(status, 0))
        errors = [error[:-1] for error in longer.cinc_se]
    flat = [np.zeros_like(fit.times)] * (len(EVENTS) - len(curves))
    return tuple(_read_steps(fit.times, np.array([*each, *flat]), at, is_over=is_over) for each in (curves, errors))


def _read_steps(times: np.ndarray, curves: np.ndarray, at: np.ndarray, *, is_over: bool,
                start: float = 0.0) -> np.ndarray:
    """Read step curves on some days; after the last one they are known only where nobody was left waiting."""
    steps = np.hstack([np.full((len(curves), 1), start), curves])[:, np.searchsorted(times, at, side="right")]
    return steps if is_over else np.where(at <= times[-1], steps, np.nan)


def log_log(share: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give an interval that stays within 0-1: share^exp(+-z error / (share log share)); blank at 0 and at 1.

    >>> [bound.round(4).tolist() for bound in log_log(np.array([0.5, 0.0]), np.array([0.1, 0.0]))]
    [[0.2952, nan], [0.6745, nan]]
    """
    inside = np.where((share > 0) & (share < 1), share, np.nan)
    width = Z * error / (inside * -np.log(inside))
    return inside ** np.exp(width), inside ** np.exp(-width)


def ripening_days(passages: pd.DataFrame) -> int:
    """Tell after how many days 90 % of those seen to reach a stage had reached it, rounded up to the next 30.

    90 days where nobody did.

    >>> ripening_days(pd.DataFrame({"end": ["reached"] * 10, "days": [5.0] * 9 + [200.0]}))
    30
    """
    days = passages.loc[passages["end"] == "reached", "days"]
    if not len(days):
        return 90
    return max(30, int(np.ceil(np.quantile(days, RIPE_SHARE, method="inverted_cdf") / 30)) * 30)


def cohort_triangle(passages: pd.DataFrame, agreement: Agreement, *, as_of: pd.Timestamp,
                    n_months: int = 12) -> pd.DataFrame:
    """Follow each month's cohort as it ages: the share that had reached the stage by the end of each later month.

    Returns one row per month of entry and its age: month, n (records, each once a month), age_months (0: the month
    itself; whole calendar months, local), n_reached (up to the end of that month), conversion_rate (blank where nobody
    entered). Months not yet over at as_of have no row.
    """
    ended = _month_of(agreement.day_of(pd.Series([as_of + pd.Timedelta(microseconds=1)])))[0] - 1
    start = _month_of(agreement.day_of(pd.Series([as_of])))[0] - n_months + 1
    rows = sort_rows(passages[passages["end"] != "contradictory"], ["entered_at", "record_id", "n_entry"])
    rows = rows.assign(month=_month_of(agreement.day_of(rows["entered_at"])) - start,
                       ended=_month_of(agreement.day_of(rows["ended_at"])) - start)
    rows = rows[rows["month"].between(0, n_months - 1)].drop_duplicates(["month", "record_id"])
    reached = rows[rows["end"] == "reached"]
    counts = np.zeros((n_months, n_months), dtype=int)
    np.add.at(counts, (reached["month"], reached["ended"]), 1)
    month, at = np.triu_indices(n_months)
    n = np.bincount(rows["month"], minlength=n_months)[month]
    table = pd.DataFrame({"month": [str(pd.Period(ordinal=start + each, freq="M")) for each in month], "n": n,
                          "age_months": at - month, "n_reached": counts.cumsum(axis=1)[month, at]})
    table = table.assign(conversion_rate=table["n_reached"] / table["n"].where(table["n"] > 0))
    return table[at + start <= ended].reset_index(drop=True)


def _month_of(days: pd.Series) -> np.ndarray:
    """Number the months as pandas' periods do, from January 1970."""
    return ((days.dt.year - 1970) * 12 + days.dt.month - 1).to_numpy(np.int64)


def cumulative_incidence(passages: pd.DataFrame, days: int) -> pd.DataFrame:
    """Draw up, day by day, the share that has reached the stage, has gone back, or has left, as competing exits.

    Take one cohort's passages (list_cohort). Returns one row per event (EVENTS) and whole day from 0: days, event,
    incidence, incidence_low, incidence_high (log-log); blank after the last day on which anybody was followed.
    Marubini & Valsecchi 1995, ch. 10.
    """
    at, rows = np.arange(days + 1), passages[passages["end"] != "contradictory"]
    incidence = error = np.full((len(EVENTS), len(at)), np.nan)
    if len(rows):
        incidence, error = _read_incidence(rows["days"].to_numpy(), _status(rows), np.ones(len(rows)), at)
    low, high = log_log(incidence, error)
    return pd.DataFrame({"days": np.tile(at, len(EVENTS)), "event": pd.Series(np.repeat(EVENTS, len(at)), dtype="str"),
                         "incidence": incidence.ravel(), "incidence_low": low.ravel(), "incidence_high": high.ravel()})


def waiting_curve(passages: pd.DataFrame, days: int) -> pd.DataFrame:
    """Draw up, day by day, the share that is still in the stage (Kaplan & Meier 1958), whatever the exit.

    Take one cohort's passages (list_cohort). Returns one row per whole day from 0: days, waiting_share, waiting_low,
    waiting_high (log-log, Greenwood's error); blank after the last day on which anybody was followed.
    """
    at, rows = np.arange(days + 1), passages[passages["end"] != "contradictory"]
    share = error = np.full(len(at), np.nan)
    if len(rows):
        share, error = _read_waiting(rows["days"].to_numpy(), (rows["end"] != "waiting").to_numpy(), at)
    low, high = log_log(share, error)
    return pd.DataFrame({"days": at, "waiting_share": share, "waiting_low": low, "waiting_high": high})


def _read_waiting(days: np.ndarray, has_left: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from statsmodels.duration.survfunc import SurvfuncRight
    fit, is_over = SurvfuncRight(days, has_left.astype(int)), has_left[days == days.max()].all()
    times = np.append(fit.surv_times, days.max())
    share, error = (_read_steps(times, np.append(curve, curve[-1:] if len(curve) else start)[None], at,
                                is_over=is_over, start=start)[0]
                    for curve, start in ((fit.surv_prob, 1.0), (fit.surv_prob_se, 0.0)))
    return share, error


def period_conversion(entries: pd.DataFrame, from_stage: str, to_stage: str, *, first: pd.Timestamp,
                      last: pd.Timestamp) -> pd.DataFrame:
    """Set the entries into one stage beside those into another in the same period, whoever made them.

    Not a cohort: those who enter to_stage may have entered from_stage long before, and the rate may exceed 1.
    Returns one row: from_stage, to_stage, n_from, n_to (entries, re-entries and imputed ones too), period_rate (blank
    where n_from is 0). Raises ValueError when to_stage does not stand after from_stage.
    """
    _check_pair(entries["stage"].cat.categories, from_stage, to_stage)
    n = entries.loc[entries["entered_at"].between(first, last), "stage"].value_counts()
    rate = n[to_stage] / n[from_stage] if n[from_stage] else np.nan
    return pd.DataFrame([[from_stage, to_stage, n[from_stage], n[to_stage], rate]], columns=list(PERIOD)).astype(PERIOD)


def stage_velocity(entries: pd.DataFrame, *, as_of: pd.Timestamp, first: pd.Timestamp | None = None,
                   last: pd.Timestamp | None = None) -> pd.DataFrame:
    """Measure how long records stay in each stage, those still in it counted as waiting.

    Returns one row per stage: stage, n (entries made from first to last, without the imputed), n_left, n_waiting,
    n_contradictory (left before they entered; not in n), median_days (Kaplan-Meier: when less than half are left; blank
    where the curve does not come that far), median_low, median_high, mean_days (restricted: the area under the curve
    up to the longest stay seen, Irwin 1949; blank where nobody left).
    """
    rows = entries[~entries["is_imputed"]]
    rows = rows if first is None else rows[rows["entered_at"] >= first]
    rows = rows if last is None else rows[rows["entered_at"] <= last]
    days = (rows["left_at"].fillna(as_of) - rows["entered_at"]) / pd.Timedelta(days=1)
    rows = rows.assign(days=days, has_left=rows["left_at"].notna())
    measured = [{"stage": stage} | _stay(rows[rows["stage"] == stage]) for stage in entries["stage"].cat.categories]
    return pd.DataFrame(measured).astype({"stage": entries["stage"].dtype})


def _stay(rows: pd.DataFrame) -> dict:
    from statsmodels.duration.survfunc import SurvfuncRight
    sound = rows[rows["days"] >= 0]
    n_left = int(sound["has_left"].sum())
    counts = {"n": len(sound), "n_left": n_left, "n_waiting": len(sound) - n_left,
              "n_contradictory": len(rows) - len(sound)}
    if not n_left:
        return counts | dict.fromkeys(("median_days", "median_low", "median_high", "mean_days"), np.nan)
    days, has_left = sound["days"].to_numpy(), sound["has_left"].to_numpy(int)
    fit = SurvfuncRight(days, has_left)
    with np.errstate(divide="ignore", invalid="ignore"):
        bounds = np.array(fit.quantile_ci(0.5))
    low, high = np.where(np.isfinite(bounds), bounds, np.nan)
    steps = np.diff(np.concatenate([[0.0], fit.surv_times, [days.max()]]))
    return counts | {"median_days": fit.quantile(0.5), "median_low": low, "median_high": high,
                     "mean_days": float((np.append(1.0, fit.surv_prob) * steps).sum())}


def funnel_flows(entries: pd.DataFrame, *, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Say where the entries made in a period went next.

    Returns one row per stage and where to: from_stage, to (a stage, "out", or "waiting" for those still there), is_back
    (to an earlier stage), n. For each stage they sum to its entries, re-entries and imputed ones too.
    """
    rows = entries[entries["entered_at"].between(first, last)]
    n = rows.assign(to=rows["left_to"].fillna(WAITING)).groupby(["stage", "to"], observed=True).size()
    flows = n.rename("n").reset_index().rename(columns={"stage": "from_stage"})
    rank = find_rows(flows["to"], flows["from_stage"].cat.categories)
    flows = flows.assign(is_back=(rank >= 0) & (rank < flows["from_stage"].cat.codes), is_stage=rank >= 0, rank=rank)
    return flows.sort_values(["from_stage", "is_stage", "rank", "to"], ascending=[True, False, True, True],
                             ignore_index=True)[["from_stage", "to", "is_back", "n"]]
