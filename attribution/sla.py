"""What marketing and sales promised each other, and what came of it: the response clock, limbo, returned leads."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from attribution.agreement import PERIODS, Agreement, Promise
from attribution.clock import add_business_hours, business_hours, count_business_days
from attribution.cohorts import NOT_KNOWN, Z
from attribution.journeys import microseconds
from attribution.roi import between
from attribution.tables import CRM, DAY, UTC, find_rows, first_keys, is_in, look_up, sort_rows

#: What somebody in sales does to reach a person; list e-mails and mere tasks are not among them.
ATTEMPTS = ("call", "email", "meeting", "linkedin")
#: What became of a hand-over at as_of.
OUTCOMES = ("in time", "late", "never", "not yet due", "before hand-over", "left before due")
RESPONSES = [
    "person_id", "account_id", "owner_id", "team", "stage", "n_entry", "month", "handed_over_at", "left_at", "left_to",
    "due_at", "first_attempt_at", "response_hours", "waited_hours", "raw_hours", "raw_waited_hours", "n_attempts",
    "kept_attempts", "outcome", "is_due", "is_counted", "is_in_limbo", "overdue_days", "promised_share"]
SUMMARIES = [
    "n", "n_counted", "n_in_time", "compliance_rate", "compliance_low", "compliance_high", "median_hours", "p90_hours",
    "raw_median_hours", "raw_p90_hours", "n_never", "never_share", "n_before", "n_left", "n_open", "attempts_rate",
    "promised_share", "is_kept"]
SUMMARY_KEYS = ("owner_id", "team", "month")
AGE_BANDS = ("0-30", "31-90", "91-180", "181-365", "over 365", "never")
OPTED_OUT, DO_NOT_CALL = "opted out of e-mail", "not to be called"
OTHERS = "others"
TRAILING_WEEKS = 26
EARLY = pd.Timedelta(days=30)                        # what was tried longer before a hand-over is no answer to it
WEEK, TICK = pd.Timedelta(days=7), pd.Timedelta(microseconds=1)


def find_promise(agreement: Agreement, by: str) -> Promise:
    """Find the first promise of one side, "marketing" or "sales".

    Raises ValueError, saying what to write, when the agreement has none.

    >>> find_promise(Agreement(promises=(Promise("sales", "mql", "month", within_hours=16),)), "sales").within_hours
    16
    """
    promise = next((each for each in agreement.promises if each.by == by), None)
    if promise is None:
        what = "n" if by == "marketing" else "within_hours"
        raise ValueError(f"agreement.toml: there is no promise by {by}. Add [[promises]] with "
                         f'by = "{by}", stage, per = "month" and {what}')
    return promise


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
    done = _human_signs(activities, owners)
    rows = done[done["is_outbound"] & is_in(done["kind"], ATTEMPTS) & done["person_id"].notna()]
    rows = rows.rename(columns={"done_at": "attempted_at"})[["person_id", "owner_id", "kind", "attempted_at"]]
    return sort_rows(rows, ["person_id", "attempted_at", "kind", "owner_id"]).reset_index(drop=True)


def _human_signs(activities: pd.DataFrame, owners: pd.DataFrame) -> pd.DataFrame:
    machines = owners.loc[~owners["is_human"], "owner_id"]
    is_done = activities["is_done"] & activities["done_at"].notna()
    return activities[is_done & (activities["kind"] != "list_email") & ~is_in(activities["owner_id"], machines)]


def build_responses(entries: pd.DataFrame, attempts: pd.DataFrame, owners: pd.DataFrame, agreement: Agreement,
                    promise: Promise, *, as_of: pd.Timestamp) -> pd.DataFrame:
    """Hold every hand-over to sales against the promise, as known at as_of.

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
    return rows.assign(team=look_up(rows["owner_id"], owners.set_index("owner_id")["team"]).astype("str"))[RESPONSES]


def _share_of(promise: Promise) -> float:
    return 1.0 if promise.share is None else float(promise.share)


def _list_hand_overs(entries: pd.DataFrame, agreement: Agreement, promise: Promise,
                     as_of: pd.Timestamp) -> pd.DataFrame:
    """List the entries into the promised stage, with the person's next one and since when attempts are early ones."""
    ranks = _ranks(entries)
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


def _ranks(entries: pd.DataFrame) -> pd.Series:
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


def response_summary(responses: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """Measure how the promise to sales' leads was kept, for all hand-overs or by owner_id, team or month of them.

    Returns one row per owner, team or month (one in all where `by` is None): n (hand-overs), n_counted (whose limit has
    passed), n_in_time (of those), compliance_rate = n_in_time / n_counted with its Wilson interval (Wilson 1927)
    compliance_low and compliance_high, median_hours and p90_hours (business clock) and raw_median_hours and
    raw_p90_hours (the shortest time within which half, and 90 %, were contacted: Kaplan & Meier 1958, those still
    without contact censored at leaving or as_of; blank where it is not known yet), n_never, never_share (of n_counted),
    n_before (contacted before the hand-over, in none of the rates), n_left (left before due), n_open (the limit has not
    passed), attempts_rate (share given the promised number of attempts), promised_share, is_kept (compliance_rate is at
    least promised_share; blank while unknown). n = n_counted + n_before + n_left + n_open.
    Raises ValueError when `by` is none of these.
    """
    if by is not None and by not in SUMMARY_KEYS:
        raise ValueError(f"by: {by!r} is not one of {', '.join(SUMMARY_KEYS)}")
    parts = [(None, responses)] if by is None else list(responses.groupby(by, dropna=False))
    rows = [_summary_row(part) for _, part in parts]
    table = pd.DataFrame([*rows, _summary_row(responses.head(0))]).head(len(rows))       # keeps the types of no rows
    low, high = _wilson(table["n_in_time"], table["n_counted"])
    rate = _ratio(table["n_in_time"], table["n_counted"])
    is_kept = (rate >= table["promised_share"]).astype("boolean").where(rate.notna())
    keys = {} if by is None else {by: pd.Series([key for key, _ in parts], dtype="str")}
    return table.assign(compliance_rate=rate, compliance_low=low, compliance_high=high, is_kept=is_kept,
                        never_share=_ratio(table["n_never"], table["n_counted"]), **keys)[[*keys, *SUMMARIES]]


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
            "n_open": int(n.get("not yet due", 0) + (is_in_time & ~is_counted).sum()), "attempts_rate": kept.mean(),
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


def _ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    return part / whole.where(whole > 0)


def _wilson(n_of: pd.Series, n: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    from statsmodels.stats.proportion import proportion_confint
    return proportion_confint(n_of.to_numpy(float), n.where(n > 0).to_numpy(float), method="wilson")


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
    is_between = (share > 0) & (share < 1) & np.isfinite(error)
    log = np.log(np.where(is_between, share, np.nan))
    bound = np.exp(Z * error / (share * -log)) if len(hours) else hours
    return pd.DataFrame({"hours": hours, "waiting_share": share, "low": np.exp(log * bound),
                         "high": np.exp(log / bound)})


def list_limbo(responses: pd.DataFrame, people: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """List the leads that were handed over and that nobody has tried to reach, although the limit has passed.

    Returns one row per lead, dearest and then oldest first: person_id, account_id, owner_id, team, handed_over_at,
    due_at, overdue_days, n_entry, value (of the stage, from stage_values; money, blank where not known), is_opted_out,
    do_not_call.
    """
    rows = responses[responses["is_in_limbo"]]
    worth = values[values["segment"] == "all"].set_index("stage")["value"]
    rows = rows.assign(value=look_up(rows["stage"], worth).astype(float), **{flag: is_in(
        rows["person_id"], people.loc[people[flag], "person_id"]) for flag in ("is_opted_out", "do_not_call")})
    return rows.sort_values(["value", "overdue_days", "person_id"], ascending=[False, False, True], ignore_index=True)[
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


def list_returned(entries: pd.DataFrame, agreement: Agreement, *, first: pd.Timestamp,
                  last: pd.Timestamp) -> pd.DataFrame:
    """List the people who went back, from the hand-over stage or one after it, to an earlier stage.

    `first` and `last` are moments, both included. The hand-over stage is the one of sales' first promise, else the
    first that sales owns.
    Returns one row per return: record_id, person_id, stage, left_to, returned_at, days_in_stage, came_back_at (into the
    same or a later stage; null so far), is_back, is_reconverted (a later lifecycle became a deal).
    """
    ranks = _ranks(entries)
    people = entries[entries["person_id"].notna() & ~entries["is_contradictory"]]
    people = people.assign(rank=people["stage"].cat.codes, stage=people["stage"].astype("str"),
                           to=look_up(people["left_to"], ranks))
    gone = people[(people["rank"] >= ranks[_hand_over_stage(agreement)]) & (people["to"] < people["rank"])]
    gone = sort_rows(between(gone, "left_at", first, last), ["left_at", "record_id"]).reset_index(drop=True)
    later = _list_later(gone, people)
    back_at = later[later["rank_later"] >= later["rank"]].groupby("row")["entered_at"].min()
    back_at = back_at.reindex(gone.index).astype(UTC)
    is_reconverted = gone.index.isin(later.loc[later["opportunity_id"].notna(), "row"])
    days = _days(gone["left_at"] - gone["entered_at"])
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
    since = responses.groupby("person_id")["handed_over_at"].min()
    mine = returned[returned["returned_at"] >= look_up(returned["person_id"], since).astype(UTC)]
    each = mine.groupby("person_id")[["is_back", "is_reconverted"]].any()
    n = pd.Series([len(since)]), pd.Series([len(each)]), pd.Series([int(each["is_back"].sum())])
    (low, high), (back_low, back_high) = _wilson(n[1], n[0]), _wilson(n[2], n[1])
    return pd.DataFrame({
        "n": n[0], "n_returned": n[1], "returned_share": _ratio(n[1], n[0]), "returned_low": low, "returned_high": high,
        "n_back": n[2], "back_share": _ratio(n[2], n[1]), "back_low": back_low, "back_high": back_high,
        "n_reconverted": int(each["is_reconverted"].sum())})


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
    rate, (low, high) = _ratio(counts["n_returned"], counts["n"]), _wilson(counts["n_returned"], counts["n"])
    overall = n_returned / n if n else np.nan
    rows = counts.assign(
        returned_rate=rate, rate_low=low, rate_high=high, lift=rate / (overall or np.nan),
        rest_rate=_ratio(n_returned - counts["n_returned"], n - counts["n"]),
        is_clear=(low > overall) | (high < overall), n_comparisons=len(counts))
    return rows.sort_values(["field", "lift", "value"], ascending=[True, False, True], ignore_index=True)


def _count_returned(people: pd.DataFrame, field: str, values: pd.Series, n_least: int) -> pd.DataFrame:
    values = values.astype("str").fillna(NOT_KNOWN)
    n_each = values.value_counts()
    value = values.where(is_in(values, n_each.index[n_each >= n_least]), OTHERS)
    sums = people.groupby(value.rename("value"))["is_returned"].agg(n="size", n_returned="sum").reset_index()
    return sums.assign(field=pd.Series(field, sums.index, dtype="str")).astype({"n": int, "n_returned": int})[
        ["field", "value", "n", "n_returned"]]


def stale_by_age(crm: CRM, agreement: Agreement, *, as_of: pd.Timestamp) -> pd.DataFrame:
    """Count leads, contacts and accounts by the days since their last sign of life.

    A sign is a touch, an activity that a human did (not a list e-mail), a change of a lead's status; for an account
    also a deal made or moved, and any sign of its people. The CRM's own last activity may lie in the future, and is not
    used.
    Returns one row per kind ("lead", "contact", "account") and age_band (local days): kind, age_band, n, share (of the
    kind). Records made after as_of are not counted.
    """
    signs = _list_signs(crm, as_of)
    is_contact = crm.people["contact_id"].notna()
    kinds = {"lead": (crm.people[~is_contact], "person_id"), "contact": (crm.people[is_contact], "person_id"),
             "account": (crm.accounts, "account_id")}
    return pd.concat([_count_ages(kind, records[~(records["created_at"] > as_of)], key, signs, agreement, as_of)
                      for kind, (records, key) in kinds.items()], ignore_index=True)


def _list_signs(crm: CRM, as_of: pd.Timestamp) -> pd.DataFrame:
    """List the signs of life: person_id, account_id, at."""
    done = _human_signs(crm.activities, crm.owners)
    moved = crm.stage_changes[crm.stage_changes["from_stage"].notna()]
    accounts = crm.opportunities.set_index("opportunity_id")["account_id"]
    moved = moved.assign(account_id=look_up(moved["record_id"], accounts).astype("str"))
    made = crm.opportunities.assign(person_id=pd.Series(None, crm.opportunities.index, dtype="str"))
    signs = pd.concat([_signs(crm.touches, "touched_at"), _signs(done, "done_at"), _signs(moved, "changed_at"),
                       _signs(made, "created_at")], ignore_index=True)
    account = look_up(signs["person_id"], crm.people.set_index("person_id")["account_id"])
    return signs.assign(account_id=signs["account_id"].fillna(account))[signs["at"] <= as_of]


def _signs(rows: pd.DataFrame, moments: str) -> pd.DataFrame:
    return rows[["person_id", "account_id", moments]].rename(columns={moments: "at"})


def _count_ages(kind: str, records: pd.DataFrame, key: str, signs: pd.DataFrame, agreement: Agreement,
                as_of: pd.Timestamp) -> pd.DataFrame:
    last = look_up(records[key], signs.groupby(key)["at"].max()).astype(UTC)
    days = (agreement.local_day(as_of) - agreement.day_of(last)).dt.days
    band = pd.cut(days, [-1, 30, 90, 180, 365, np.inf], labels=AGE_BANDS[:-1]).astype("str").fillna("never")
    n = band.value_counts().reindex(AGE_BANDS, fill_value=0)
    return pd.DataFrame({"kind": kind, "age_band": AGE_BANDS, "n": n.to_numpy(int),
                         "share": n.to_numpy() / (len(records) or np.nan)})


def promise_progress(entries: pd.DataFrame, agreement: Agreement, promise: Promise, values: pd.DataFrame, *,
                     first_day: pd.Timestamp, last_day: pd.Timestamp, as_of: pd.Timestamp) -> pd.DataFrame:
    """Hold what marketing delivered in a period against what it promised, and forecast the period's end.

    `first_day` and `last_day` are local days, of whole months. Returns two rows, measure "count" (people) and "value"
    (money, by the stage's value): delivered (people whose first entry into the stage falls in the period), promised
    (for so many months), promised_to_date (by the business days gone), delivered_share (of promised_to_date), forecast,
    forecast_low, forecast_high (at the period's end), n_again (entries of people who had been there before). Blank
    where not known.
    Forecast: delivered + the mean of the last 26 weeks x weeks left; 95 % predictive interval of a Poisson count whose
    mean is gamma distributed, the negative binomial (Greenwood & Yule 1920), its variance from the weeks' own scatter
    (at least Poisson's) and from how uncertain their mean is. With no time left it is what was delivered.
    """
    inside = _list_delivered(entries, agreement, promise, first_day, last_day, as_of)
    delivered = int((inside["n_entry"] == 1).sum())
    left = _weeks_left(agreement, first_day, pd.Series([last_day]), as_of)
    rest, low, high = forecast_rest(_weekly_counts(entries, promise, as_of), left)[:, 0]
    worth = look_up(pd.Series([promise.stage]), values[values["segment"] == "all"].set_index("stage")["value"])
    unit, months = np.array([1.0, worth[0]]), _count_months(first_day, last_day)
    promised = np.array([promise.n, promise.value], dtype=float) * months / PERIODS[promise.per]
    to_date = promised * _elapsed(agreement, first_day, last_day, [agreement.local_day(as_of)])
    return pd.DataFrame({
        "measure": ["count", "value"], "delivered": (delivered * unit).round(2), "promised": promised,
        "promised_to_date": to_date, "delivered_share": delivered * unit / np.where(to_date > 0, to_date, np.nan),
        "forecast": ((delivered + rest) * unit).round(2), "forecast_low": ((delivered + low) * unit).round(2),
        "forecast_high": ((delivered + high) * unit).round(2), "n_again": int((inside["n_entry"] > 1).sum())})


def burn_up(entries: pd.DataFrame, agreement: Agreement, promise: Promise, *, first_day: pd.Timestamp,
            last_day: pd.Timestamp, as_of: pd.Timestamp) -> pd.DataFrame:
    """Follow marketing's promise day by day through the period, and on to its end.

    Returns one row per local day: day_on, delivered (people so far; null after as_of), promised (so far, by business
    days), forecast, forecast_low, forecast_high (as in promise_progress; null before as_of).
    """
    days = pd.Series(pd.date_range(first_day, last_day)).astype(DAY)
    inside = _list_delivered(entries, agreement, promise, first_day, last_day, as_of)
    per_day = agreement.day_of(inside.loc[inside["n_entry"] == 1, "entered_at"]).value_counts()
    delivered = per_day.reindex(days, fill_value=0).cumsum().reset_index(drop=True).astype(float)
    today, left = agreement.local_day(as_of), _weeks_left(agreement, first_day, days, as_of)
    rest = pd.DataFrame(forecast_rest(_weekly_counts(entries, promise, as_of), left).T + delivered.iloc[-1],
                        columns=["forecast", "forecast_low", "forecast_high"]).where(days >= today)
    promised = promise.n * _count_months(first_day, last_day) / PERIODS[promise.per]
    return pd.DataFrame({"day_on": days, "delivered": delivered.where(days <= today),
                         "promised": promised * _elapsed(agreement, first_day, last_day, days)}).join(
        rest, validate="one_to_one")


def _list_delivered(entries: pd.DataFrame, agreement: Agreement, promise: Promise, first_day: pd.Timestamp,
                    last_day: pd.Timestamp, as_of: pd.Timestamp) -> pd.DataFrame:
    mine = entries[(entries["stage"] == promise.stage) & (entries["entered_at"] <= as_of)]
    days = pd.Series([first_day, last_day])
    return between(mine, "entered_at", agreement.start_of(days)[0], agreement.end_of(days)[1])


def _count_months(first_day: pd.Timestamp, last_day: pd.Timestamp) -> int:
    return (last_day.year - first_day.year) * 12 + last_day.month - first_day.month + 1


def _elapsed(agreement: Agreement, first_day: pd.Timestamp, last_day: pd.Timestamp, days) -> np.ndarray:
    """Give the share of the period's business days that had come by the end of each day."""
    n_all = count_business_days(first_day, last_day, agreement)
    return np.array([count_business_days(first_day, min(day, last_day), agreement) for day in days]) / (n_all or np.nan)


def _weeks_left(agreement: Agreement, first_day: pd.Timestamp, days: pd.Series, as_of: pd.Timestamp) -> np.ndarray:
    start = agreement.start_of(pd.Series([first_day]))[0]
    return ((agreement.end_of(days) - max(as_of, start)) / WEEK).clip(lower=0).to_numpy(float)


def _weekly_counts(entries: pd.DataFrame, promise: Promise, as_of: pd.Timestamp) -> np.ndarray:
    """Count the first entries in each of the last 26 weeks, latest first, as far back as there are entries at all."""
    known = entries[entries["entered_at"] <= as_of]
    n_weeks = int(np.clip((as_of - known["entered_at"].min()) // WEEK, 1, TRAILING_WEEKS)) if len(known) else 1
    mine = known[(known["stage"] == promise.stage) & (known["n_entry"] == 1)]
    week = ((as_of - mine["entered_at"]) // WEEK).to_numpy(int)
    return np.bincount(week[week < n_weeks], minlength=n_weeks)


def forecast_rest(counts: np.ndarray, weeks: np.ndarray) -> np.ndarray:
    """Forecast the count of so many weeks more from weekly counts (promise_progress says how).

    Returns three rows, a column per number of weeks: its mean, and the ends of its 95 % predictive interval.

    >>> forecast_rest(np.array([4, 4, 4, 4]), np.array([0.0, 2.0])).tolist()[0]
    [0.0, 8.0]
    """
    from scipy.stats import nbinom
    scatter = max(counts.var(ddof=1) if len(counts) > 1 else 0.0, counts.mean())
    mean = counts.mean() * weeks
    is_some = mean > 0
    excess = np.where(is_some, scatter * weeks + scatter * weeks ** 2 / len(counts) - mean, 1.0)
    size, p = np.where(is_some, mean ** 2 / excess, 1.0), np.where(is_some, mean / (mean + excess), 1.0)
    return np.vstack([mean, nbinom.ppf(0.025, size, p), nbinom.ppf(0.975, size, p)])


def find_contradictions(crm: CRM, entries: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """Count the rows whose dates contradict each other, and say what is done with them.

    Returns one row per check, also where all is well: check, n_rows, first_ids (up to three, as text), consequence.
    """
    made_at = crm.people.set_index("person_id")["lead_created_at"]
    changes, deals, people = crm.stage_changes, crm.opportunities, crm.people
    late = entries[entries["is_contradictory"]]
    found = [
        ("status changed before the lead was made", changes.loc[
            changes["changed_at"] < look_up(changes["person_id"], made_at).astype(UTC), "record_id"],
         "the stage counts from the change on; the lead's own stage is in no rate"),
        ("lead converted before it was made", people.loc[
            people["converted_on"] < agreement.day_of(people["lead_created_at"]), "person_id"],
         "the lead counts from the day it was made"),
        ("deal closed before it was made", deals.loc[
            deals["is_closed"] & (deals["close_on"] < agreement.day_of(deals["created_at"])), "opportunity_id"],
         "the close date stands for the win or loss; its days are in no speed"),
        ("record made after it had reached a later stage", late["record_id"],
         "the late entry is in no rate, no speed and no response time")]
    return pd.DataFrame([(check, len(ids), ", ".join(ids.drop_duplicates().sort_values().head(3)), consequence)
                         for check, ids, consequence in found],
                        columns=["check", "n_rows", "first_ids", "consequence"])
