"""How sales answered the leads that it was handed: the response clock held against its promise, and limbo."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from attribution.agreement import Agreement, Promise
from attribution.clock import add_business_hours, business_hours
from attribution.cohorts import log_log
from attribution.journeys import microseconds
from attribution.language import count, in_number, marked, number, plain
from attribution.months import day_start
from attribution.promises import promise_progress
from attribution.tables import CRM, UTC, find_rows, first_keys, is_in, look_up, sort_rows

#: What somebody in sales does to reach a person; list e-mails and mere tasks are not among them.
ATTEMPTS = ("call", "email", "meeting", "linkedin")
#: What became of a hand-over at as_of.
OUTCOMES = (marked("in time"), marked("late"), marked("never"), marked("not yet due"), marked("before hand-over"),
            marked("left before due"), marked("not known"))
RESPONSES = [
    "person_id", "account_id", "owner_id", "team", "stage", "n_entry", "month", "handed_over_at", "left_at", "left_to",
    "due_at", "first_attempt_at", "response_hours", "waited_hours", "raw_hours", "raw_waited_hours", "n_attempts",
    "kept_attempts", "outcome", "is_due", "is_counted", "is_in_limbo", "overdue_days", "promised_share"]
SUMMARIES = [
    "n", "n_counted", "n_in_time", "compliance_rate", "compliance_low", "compliance_high", "median_hours", "p90_hours",
    "raw_median_hours", "raw_p90_hours", "n_never", "never_share", "n_before", "n_left", "n_open", "n_unknown",
    "n_judged", "attempts_rate", "promised_share", "is_kept"]
SUMMARY_KEYS = ("owner_id", "team", "month")
OPTED_OUT, DO_NOT_CALL = "opted out of e-mail", "not to be called"
NO_VALUES = pd.DataFrame({"stage": [], "segment": [], "value": []}).astype({"stage": "str", "segment": "str"})
EARLY = pd.Timedelta(days=30)                        # what was tried longer before a hand-over is no answer to it
TICK = pd.Timedelta(microseconds=1)


def filter_owner(entries: pd.DataFrame, owners: pd.DataFrame, owner: str | None, *,
                 among: pd.DataFrame | None = None) -> pd.DataFrame:
    """Keep the entries, or other rows with an owner_id, of one owner, by id, or of one team; None keeps all.

    Raises ValueError, naming some of the choices, when neither owners nor the rows (those of `among`, where given) know
    such an owner or team.
    """
    if owner is None:
        return entries
    known = pd.concat([owners["team"], owners["owner_id"], (entries if among is None else among)["owner_id"]])
    known = known.dropna().drop_duplicates()
    if owner not in set(known):
        raise ValueError(f"owner: {owner!r} is no owner's id and no team ({first_keys(known.sort_values(), 5)})")
    mine = owners.loc[owners["team"] == owner, "owner_id"]
    return entries[is_in(entries["owner_id"], mine) | (entries["owner_id"] == owner)]


def list_attempts(activities: pd.DataFrame, owners: pd.DataFrame) -> pd.DataFrame:
    """List the attempts of people in sales to reach a person: calls, e-mails, meetings, LinkedIn messages.

    Returns one row per activity done, outbound and by a human: person_id, owner_id, kind, attempted_at; by person and
    time. List e-mails, tasks and what automated users do are not attempts; an owner who is not in owners is human.
    """
    done = filter_human(activities, owners)
    rows = done[done["is_outbound"] & is_in(done["kind"], ATTEMPTS) & done["person_id"].notna()]
    rows = rows.rename(columns={"done_at": "attempted_at"})[["person_id", "owner_id", "kind", "attempted_at"]]
    return sort_rows(rows, ["person_id", "attempted_at", "kind", "owner_id"]).reset_index(drop=True)


def filter_human(activities: pd.DataFrame, owners: pd.DataFrame) -> pd.DataFrame:
    """Keep the activities that a human did; a list e-mail is not one, and an owner who is not in owners is human."""
    machines = owners.loc[~owners["is_human"], "owner_id"]
    is_done = activities["is_done"] & activities["done_at"].notna()
    return activities[is_done & (activities["kind"] != "list_email") & ~is_in(activities["owner_id"], machines)]


def knows_activities(crm: CRM) -> bool:
    """Tell whether the export says anything of what sales did; without it nobody can be said to wait."""
    return len(crm.activities) > 0


def build_responses(entries: pd.DataFrame, attempts: pd.DataFrame, owners: pd.DataFrame, agreement: Agreement,
                    promise: Promise, *, as_of: pd.Timestamp, is_known: bool = True) -> pd.DataFrame:
    """Hold every hand-over to sales against the promise, as known at as_of.

    Where activities are not known at all (`is_known` False) every outcome is "not known", and nobody waits.
    Returns one row per person's entry into the promised stage (imputed and contradictory ones left out): person_id,
    account_id, owner_id, team (null where not known), stage, n_entry, month (of the hand-over), handed_over_at,
    left_at, left_to, due_at (within_hours of the business clock later; where only days are promised, the end of the
    last of them), first_attempt_at, response_hours and waited_hours (business clock: to the first attempt, and without
    one to leaving the stage or as_of), raw_hours and raw_waited_hours (every hour counts), n_attempts (within the
    promised days), kept_attempts (whether those were enough; blank until the days are over, and where the person had
    moved on), outcome (one of OUTCOMES), is_due (the limit has passed, or contact was made), is_counted (in time, late
    or never, and the limit has passed), is_in_limbo (never, and still in the stage), overdue_days (since due_at, of
    those never contacted), promised_share.
    Attempts count from the hand-over to the person's next one, or to due_at where the person left the stage before. An
    attempt before the hand-over is one of the 30 days before it, made since the person entered the stage before, or
    left an earlier hand-over.
    """
    rows = _list_hand_overs(entries, agreement, promise, as_of).assign(promised_share=_share_of(promise))
    rows = _with_attempts(rows, attempts, agreement, promise, as_of)
    rows = _with_outcome(_with_hours(rows, agreement, as_of), promise, as_of)
    rows = rows if is_known else _without_outcome(rows)
    return rows.assign(team=look_up(rows["owner_id"], owners.set_index("owner_id")["team"]).astype("str"))[RESPONSES]


def _share_of(promise: Promise) -> float:
    return 1.0 if promise.share is None else float(promise.share)


def _list_hand_overs(entries: pd.DataFrame, agreement: Agreement, promise: Promise,
                     as_of: pd.Timestamp) -> pd.DataFrame:
    """List the entries into the promised stage, with the person's next one and since when attempts are early ones."""
    ranks = rank_stages(entries)
    line, mine = _line_up(entries, as_of), ranks[promise.stage]
    since = line["entered_at"].where(line["rank"] < mine, line["left_at"])
    line = line.assign(since=since.groupby(line["person_id"]).shift().astype(UTC))
    rows = line[line["rank"] == mine].rename(columns={"entered_at": "handed_over_at"}).reset_index(drop=True)
    at = rows["handed_over_at"]
    return rows.assign(
        since=rows["since"].where(rows["since"] > at - EARLY, at - EARLY),
        stage=pd.Series(promise.stage, rows.index, dtype="str"), due_at=_limit(at, agreement, promise),
        next_at=at.groupby(rows["person_id"]).shift(-1).astype(UTC), moved_on=look_up(rows["left_to"], ranks) > mine,
        month=agreement.day_of(at).dt.strftime("%Y-%m").astype("str"))


def _line_up(entries: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Put the entries of each person in order, as they were known at as_of."""
    is_sound = ~entries["is_imputed"] & ~entries["is_contradictory"]
    known = entries[entries["person_id"].notna() & is_sound & (entries["entered_at"] <= as_of)]
    left = known["left_at"] <= as_of
    rows = known.drop(columns="stage").assign(rank=known["stage"].cat.codes, left_at=known["left_at"].where(left),
                                              left_to=known["left_to"].where(left))
    return sort_rows(rows, ["person_id", "entered_at", "rank"]).reset_index(drop=True)


def rank_stages(entries: pd.DataFrame) -> pd.Series:
    """Number the stages of the entries, in the agreement's order, from 0.

    Returns a series by stage, to look a stage's place up by its name.
    """
    stages = entries["stage"].cat.categories
    return pd.Series(np.arange(len(stages)), index=pd.Index(stages, dtype="str"), dtype=float)


def _limit(moments: pd.Series, agreement: Agreement, promise: Promise) -> pd.Series:
    if promise.within_hours is None:
        return _end_of_days(moments, agreement, promise.within_days)
    return add_business_hours(moments, promise.within_hours, agreement)


def _end_of_days(moments: pd.Series, agreement: Agreement, n_days: float | None) -> pd.Series:
    if n_days is None:
        return pd.Series(pd.NaT, moments.index, dtype=UTC)
    return agreement.end_of(agreement.day_of(moments) + pd.Timedelta(days=n_days))


def _with_attempts(rows: pd.DataFrame, attempts: pd.DataFrame, agreement: Agreement, promise: Promise,
                   as_of: pd.Timestamp) -> pd.DataFrame:
    made = sort_rows(attempts[attempts["attempted_at"] <= as_of], ["person_id", "attempted_at"])
    count_before = _count_before(made, rows["person_id"])
    ends_at, limit = rows["next_at"].fillna(as_of + TICK), rows["due_at"] + TICK
    ends_at = ends_at.mask((rows["left_at"] < rows["due_at"]) & (limit < ends_at), limit)
    days_over_at = _end_of_days(rows["handed_over_at"], agreement, promise.within_days)
    first, last = count_before(rows["handed_over_at"]), count_before(ends_at)
    n = count_before(ends_at.mask(days_over_at < ends_at, days_over_at + TICK)) - first
    at = made["attempted_at"].reset_index(drop=True).reindex(np.where(last > first, first, -1))
    is_over = (days_over_at <= as_of) & ~(rows["moved_on"] & (rows["left_at"] <= days_over_at))
    kept = pd.Series(n >= (promise.attempts or 0), rows.index, dtype="boolean")
    return rows.assign(first_attempt_at=at.set_axis(rows.index).astype(UTC), n_attempts=n, kept_attempts=kept.where(
        is_over), n_before=first - count_before(rows["since"]))


def _count_before(attempts: pd.DataFrame, person_ids: pd.Series) -> Callable[[pd.Series], np.ndarray]:
    """Give a function that tells how many attempts, sorted by person and time, stand before each person's moment."""
    known = attempts["person_id"].drop_duplicates()
    rows, asked = (find_rows(ids, known).astype(np.int64) for ids in (attempts["person_id"], person_ids))
    moments = microseconds(attempts["attempted_at"])
    times = np.sort(moments)
    packed = rows * (len(times) + 1) + np.searchsorted(times, moments)
    return lambda at: np.searchsorted(packed, asked * (len(times) + 1) + np.searchsorted(times, microseconds(at)))


def _with_hours(rows: pd.DataFrame, agreement: Agreement, as_of: pd.Timestamp) -> pd.DataFrame:
    until = rows["first_attempt_at"].fillna(rows["left_at"]).fillna(as_of).astype(UTC)
    waited, raw = business_hours(rows["handed_over_at"], until, agreement), _hours(until - rows["handed_over_at"])
    is_met = rows["first_attempt_at"].notna()
    return rows.assign(waited_hours=waited, raw_waited_hours=raw,
                       response_hours=waited.where(is_met), raw_hours=raw.where(is_met))


def _hours(spans: pd.Series) -> pd.Series:
    return spans / pd.Timedelta(hours=1)


def _days(spans: pd.Series) -> pd.Series:
    return spans / pd.Timedelta(days=1)


def _with_outcome(rows: pd.DataFrame, promise: Promise, as_of: pd.Timestamp) -> pd.DataFrame:
    due_at, met_at, passed = rows["due_at"], rows["first_attempt_at"], rows["due_at"] <= as_of
    outcome = pd.Series(np.select(
        [met_at <= due_at, met_at > due_at, rows["n_before"] > 0, rows["left_at"] < due_at, passed],
        ["in time", "late", "before hand-over", "left before due", "never"], "not yet due"), rows.index, dtype="str")
    is_never = outcome == "never"
    return rows.assign(outcome=outcome, is_due=passed | met_at.notna(),
                       is_counted=passed & is_in(outcome, OUTCOMES[:3]), is_in_limbo=is_never & rows["left_at"].isna(),
                       overdue_days=_days(as_of - due_at).where(is_never))


def _without_outcome(rows: pd.DataFrame) -> pd.DataFrame:
    blank = rows[["waited_hours", "raw_waited_hours", "overdue_days", "kept_attempts"]].mask(rows["outcome"].notna())
    return rows.assign(**blank, outcome=pd.Series("not known", rows.index, dtype="str"), is_counted=False,
                       is_in_limbo=False)


def response_summary(responses: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """Measure how the promise to sales' leads was kept, for all hand-overs or by owner_id, team or month of them.

    Returns one row per owner, team or month (one in all where `by` is None): n (hand-overs), n_counted (whose limit has
    passed), n_in_time (of those), compliance_rate = n_in_time / n_counted with its Wilson interval (Wilson 1927)
    compliance_low and compliance_high, median_hours and p90_hours (business clock) and raw_median_hours and
    raw_p90_hours (the shortest time within which half, and 90 %, were contacted: Kaplan & Meier 1958, those still
    without contact censored at leaving or as_of; blank where it is not known yet), n_never, never_share (of n_counted),
    n_before (contacted before the hand-over, in none of the rates), n_left (left before due), n_open (the limit has not
    passed), n_judged (whose days for the attempts are over), attempts_rate (the share of these given the promised
    number), promised_share, is_kept (compliance_rate, and attempts_rate where attempts were promised, are at least
    promised_share; blank while unknown).
    n_unknown (activities are not known at all). n = n_counted + n_before + n_left + n_open + n_unknown.
    Raises ValueError when `by` is none of these.
    """
    if by is not None and by not in SUMMARY_KEYS:
        raise ValueError(f"by: {by!r} is not one of {', '.join(SUMMARY_KEYS)}")
    parts = [(None, responses)] if by is None else list(responses.groupby(by, dropna=False))
    rows = [_summary_row(part) for _, part in parts]
    table = pd.DataFrame([*rows, _summary_row(responses.head(0))]).head(len(rows))       # keeps the types of no rows
    low, high = wilson(table["n_in_time"], table["n_counted"])
    rate = ratio(table["n_in_time"], table["n_counted"])
    is_kept = (rate >= table["promised_share"]) & ~(table["attempts_rate"] < table["promised_share"])
    is_kept = is_kept.astype("boolean").where(rate.notna())
    keys = {} if by is None else {by: pd.Series([key for key, _ in parts], dtype="str")}
    return table.assign(compliance_rate=rate, compliance_low=low, compliance_high=high, is_kept=is_kept,
                        never_share=ratio(table["n_never"], table["n_counted"]), **keys)[[*keys, *SUMMARIES]]


def _summary_row(responses: pd.DataFrame) -> dict:
    n, is_counted = responses["outcome"].value_counts(), responses["is_counted"]
    is_in_time = responses["outcome"] == "in time"
    hours = {name: _contacted_within(responses, clock, share) for name, clock, share in (
        ("median_hours", "waited_hours", 0.5), ("p90_hours", "waited_hours", 0.9),
        ("raw_median_hours", "raw_waited_hours", 0.5), ("raw_p90_hours", "raw_waited_hours", 0.9))}
    kept = pd.Series(responses["kept_attempts"].to_numpy(float, na_value=np.nan))
    return {"n": len(responses), "n_counted": int(is_counted.sum()), "n_in_time": int((is_counted & is_in_time).sum()),
            **hours, "n_never": int(n.get("never", 0)), "n_before": int(n.get("before hand-over", 0)),
            "n_left": int(n.get("left before due", 0)),
            "n_open": int(n.get("not yet due", 0) + (is_in_time & ~is_counted).sum()),
            "n_unknown": int(n.get("not known", 0)), "n_judged": int(kept.notna().sum()), "attempts_rate": kept.mean(),
            "promised_share": responses["promised_share"].max()}


def _contacted_within(responses: pd.DataFrame, clock: str, share: float) -> float:
    times, waiting, _ = _waiting(responses, clock)
    reached = times[waiting <= 1 - share + 1e-9]     # products of shares are seldom exact
    return reached[0] if len(reached) else np.nan


def _waiting(responses: pd.DataFrame, clock: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the times of contact, the share still waiting after each (Kaplan-Meier) and its standard error."""
    from statsmodels.duration.survfunc import SurvfuncRight
    rows = responses[responses["outcome"] != "before hand-over"]
    if not rows["first_attempt_at"].notna().any():
        return np.array([]), np.array([]), np.array([])
    curve = SurvfuncRight(rows[clock].to_numpy(float), rows["first_attempt_at"].notna().to_numpy(int))
    return curve.surv_times, curve.surv_prob, curve.surv_prob_se


def ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    """Divide a part by its whole, blank where the whole is nothing.

    >>> ratio(pd.Series([1, 0]), pd.Series([4, 0])).tolist()
    [0.25, nan]
    """
    return part / whole.where(whole > 0)


def wilson(n_of: pd.Series, n: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Give the ends of the interval of n_of out of n (Wilson 1927), blank where n is 0.

    >>> [bound.round(4).tolist() for bound in wilson(pd.Series([0, 0]), pd.Series([20, 0]))]
    [[0.0, nan], [0.1611, nan]]
    """
    from statsmodels.stats.proportion import proportion_confint
    return proportion_confint(n_of.to_numpy(float), n.where(n > 0).to_numpy(float), method="wilson")


def judge_promises(everybodys: pd.DataFrame, entries: pd.DataFrame, attempts: pd.DataFrame, crm: CRM,
                   agreement: Agreement, *, first_day: pd.Timestamp, last_day: pd.Timestamp,
                   as_of: pd.Timestamp) -> pd.DataFrame:
    """Judge every promise of the agreement in a period so far (local days): marketing's by everybody's entries.

    Returns one row per promise, two where sales promised both a first contact and attempts: by, stage, per, promised
    (what, as text), n (people due by now; hand-overs whose limit has passed; hand-overs whose days are over), n_kept
    (delivered; contacted in time; given the attempts), kept_share = n_kept / n, promised_share (of marketing 1),
    is_kept (blank where nothing is due).
    """
    period = {"first_day": first_day, "last_day": last_day, "as_of": as_of}
    rows = [row for promise in agreement.promises for row in (
        _judge_marketing(everybodys, agreement, promise, **period) if promise.by == "marketing"
        else _judge_sales(entries, attempts, crm, agreement, promise, **period))]
    columns = {"by": "str", "stage": "str", "per": "str", "promised": "str", "n": float, "n_kept": float,
               "kept_share": float, "promised_share": float}
    table = pd.DataFrame(rows, columns=list(columns)).astype(columns)
    is_kept = (table["kept_share"] >= table["promised_share"]).astype("boolean")
    return table.assign(is_kept=is_kept.mask(table["kept_share"].isna()))


def _judge_marketing(entries: pd.DataFrame, agreement: Agreement, promise: Promise, **period) -> list[tuple]:
    row = promise_progress(entries, agreement, promise, NO_VALUES, **period).iloc[0]
    return [("marketing", promise.stage, promise.per, count(promise.n, "person", "people"),
             row["promised_to_date"], row["delivered"], row["delivered_share"], 1.0)]


def _judge_sales(entries: pd.DataFrame, attempts: pd.DataFrame, crm: CRM, agreement: Agreement, promise: Promise, *,
                 first_day: pd.Timestamp, last_day: pd.Timestamp, as_of: pd.Timestamp) -> list[tuple]:
    responses = build_responses(entries, attempts, crm.owners, agreement, promise, as_of=as_of,
                                is_known=knows_activities(crm))
    first = day_start(agreement, first_day)
    mine = responses[responses["handed_over_at"] >= first]
    row, said, share = response_summary(mine).iloc[0], ("sales", promise.stage, promise.per), _share_of(promise)
    contact = (*said, _say_contact(promise), row["n_counted"], row["n_in_time"], row["compliance_rate"], share)
    tries = (*said, _say_attempts(promise), row["n_judged"], int(mine["kept_attempts"].eq(True).sum()),
             row["attempts_rate"], share)
    return [contact] * (promise.within_hours is not None) + [tries] * (promise.attempts is not None)


def _say_contact(promise: Promise) -> str:
    n = promise.within_hours or 0
    return in_number("contact within {n} business hour", "contact within {n} business hours", n).format(n=plain(n))


def _say_attempts(promise: Promise) -> str:
    n, days = promise.attempts or 0, plain(promise.within_days or 0)
    return in_number("{n} attempt within {days} days", "{n} attempts within {days} days", n).format(
        n=number(n), days=days)


def curve_hours(promise: Promise) -> float:
    """Give the hours that a response curve should show: five times the promised limit, 80 where none is promised.

    >>> curve_hours(Promise("sales", "mql", "month", within_hours=2.0))
    10.0
    """
    return 5 * promise.within_hours if promise.within_hours else 80.0


def response_curve(responses: pd.DataFrame, hours_limit: float) -> pd.DataFrame:
    """Draw up how many leads still wait for their first contact, hour by hour, on both clocks.

    Returns one row per clock ("business", "raw") and one of 201 points from 0 to hours_limit, as far as anybody was
    followed: clock, hours, waiting_share, low, high (95 %, log-log; blank while nobody, or everybody, was contacted).
    Kaplan & Meier 1958; Greenwood's variance; interval of Kalbfleisch & Prentice (1980, section 1.3).
    """
    followed = responses[responses["outcome"] != "before hand-over"]
    clocks = {"business": "waited_hours", "raw": "raw_waited_hours"}
    return pd.concat([_curve(followed, column, hours_limit).assign(clock=clock) for clock, column in clocks.items()],
                     ignore_index=True)[["clock", "hours", "waiting_share", "low", "high"]].astype({"clock": "str"})


def _curve(followed: pd.DataFrame, column: str, hours_limit: float) -> pd.DataFrame:
    times, waiting, error = _waiting(followed, column)
    hours = np.linspace(0.0, hours_limit, 201)
    hours = hours[hours <= followed[column].max()]
    step = np.searchsorted(times, hours, "right")
    share, error = np.append(1.0, waiting)[step], np.append(np.nan, error)[step]
    low, high = log_log(share, error)
    return pd.DataFrame({"hours": hours, "waiting_share": share, "low": low, "high": high})


def list_limbo(responses: pd.DataFrame, people: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """List the leads that were handed over and that nobody has tried to reach, although the limit has passed.

    Returns one row per lead, dearest and then freshest first (the longer a lead waits, the less it answers): person_id,
    account_id, owner_id, team, handed_over_at, due_at, overdue_days, n_entry, value (of the stage, from stage_values;
    money, blank where not known), is_opted_out, do_not_call.
    """
    rows = responses[responses["is_in_limbo"]]
    worth = values[values["segment"] == "all"].set_index("stage")["value"]
    rows = rows.assign(value=look_up(rows["stage"], worth).astype(float), **{flag: is_in(
        rows["person_id"], people.loc[people[flag], "person_id"]) for flag in ("is_opted_out", "do_not_call")})
    return rows.sort_values(["value", "overdue_days", "person_id"], ascending=[False, True, True], ignore_index=True)[
        ["person_id", "account_id", "owner_id", "team", "handed_over_at", "due_at", "overdue_days", "n_entry", "value",
         "is_opted_out", "do_not_call"]]


def call_list(limbo: pd.DataFrame) -> pd.DataFrame:
    """Keep the leads in limbo that may be contacted; count_dropped counts the others.

    Returns one row per lead: owner_id, person_id, account_id, handed_over_at, due_at, overdue_days, value.
    """
    rows = limbo[~limbo["is_opted_out"] & ~limbo["do_not_call"]].reset_index(drop=True)
    return rows[["owner_id", "person_id", "account_id", "handed_over_at", "due_at", "overdue_days", "value"]]


def count_dropped(limbo: pd.DataFrame) -> pd.DataFrame:
    """Count the leads in limbo that a call list leaves out, each for one reason.

    Returns one row per reason: reason, n. Who is not to be called and has opted out as well counts as not to be called.
    """
    n_barred = limbo["do_not_call"].sum()
    n_opted_out = (limbo["is_opted_out"] & ~limbo["do_not_call"]).sum()
    return pd.DataFrame({"reason": [OPTED_OUT, DO_NOT_CALL], "n": [int(n_opted_out), int(n_barred)]})


def limbo_summary(limbo: pd.DataFrame, by: str = "owner_id") -> pd.DataFrame:
    """Sum up the leads in limbo by owner_id or team, most first.

    Returns one row per owner or team: that id, n, oldest_days and median_days (overdue), value (at risk, money; blank
    where no lead's is known).
    """
    sums = limbo.groupby(by, dropna=False).agg(
        n=("person_id", "size"), oldest_days=("overdue_days", "max"), median_days=("overdue_days", "median"),
        value=("value", lambda each: each.sum(min_count=1)))
    rows = sums.reset_index().astype({"n": int, "value": float})
    return rows.assign(value=rows["value"].round(2)).sort_values(["n", by], ascending=[False, True], ignore_index=True)
