"""What moved since an earlier report among hand-overs and stage entries: record by record, with the cause."""

import numpy as np
import pandas as pd

from attribution.agreement import Agreement
from attribution.language import marked
from attribution.promises import find_promise
from attribution.restated import Previous, as_published, find_known, follow_people
from attribution.sla import ratio
from attribution.tables import CRM, is_in, look_up

#: Why a hand-over reads otherwise, in order: code → in a reader's words. The last three are the course of things.
HAND_OVER_CAUSES = {
    "hand-over appeared": marked("hand-over appeared (entered late)"),
    "record gone": marked("record deleted or merged"),
    "hand-over gone": marked("hand-over gone (history or owner changed)"),
    "limit changed": marked("limit changed"), "contact logged late": marked("contact logged late"),
    "contact gone": marked("contact gone or moved"), "history changed": marked("stage history changed"),
    "attempts changed": marked("attempts changed or deleted"), "hours changed": marked("hours counted otherwise"),
    "owner changed": marked("owner changed"), "team changed": marked("team changed"),
    "handed over since": marked("handed over since"),
    "judged since": marked("limit passed, or contact made, since"),
    "attempts judged since": marked("days for the attempts over since")}
EXPECTED = ("handed over since", "judged since", "attempts judged since", "entered since")
SAME_HOURS = 1e-3                                    # published moments are in whole seconds
#: Why a stage was entered by another number of records: code → in a reader's words.
ENTRY_CAUSES = {
    "entered since": marked("entered since"), "entered late": marked("written down late"),
    "record gone": marked("record deleted or merged"),
    "entry gone": marked("entry gone (reopened, or history changed)"),
    "month moved": marked("entry moved to another month")}
HAND_OVERS = ["person_id", "owner_id", "team", "handed_over_at", "due_at", "first_attempt_at", "response_hours",
              "raw_hours", "outcome", "is_counted", "kept_attempts", "left_at"]
HAND_OVER_CHANGES = ["person_id", "cause", "month", "handed_over_at", "outcome_then", "outcome_now",
                     "first_attempt_then_at", "first_attempt_now_at", "due_then_at", "due_now_at", "owner_then",
                     "owner_now", "team_then", "team_now"]
ENTRIES = ["record_id", "stage", "entered_at"]


def list_hand_overs(responses: pd.DataFrame) -> pd.DataFrame:
    """List every hand-over with what became of it: what the response figures are counted from.

    Returns one row per hand-over, latest first: HAND_OVERS, as build_responses gives them.
    """
    rows = responses.sort_values(["handed_over_at", "person_id"], ascending=[False, True], ignore_index=True)
    return rows[HAND_OVERS]


def compare_hand_overs(then: Previous, responses: pd.DataFrame, crm: CRM, agreement: Agreement) -> pd.DataFrame:
    """Say of each hand-over of an earlier report's 12 months how it reads otherwise today, and why.

    `responses` are all of build_responses.
    Returns one row per hand-over that differs: HAND_OVER_CHANGES, cause one of HAND_OVER_CAUSES: the first that holds.
    Those of EXPECTED are no restatements: the limit or the days for the attempts passed, or contact was made, after the
    earlier report.
    """
    end = then.local_end(agreement.time_zone)
    before, now = _closed_months(then, responses, agreement)
    before = before.assign(person_id=follow_people(before["person_id"], crm))
    both = _pair(before, now, ["person_id", "handed_over_at"])
    both = both.assign(is_running=_end_of_attempts(both["handed_over_at"], agreement) > then.known_until)
    both = both.assign(cause=_hand_over_causes(both, end, find_known(both["person_id"], crm)),
                       month=both["handed_over_at"].dt.strftime("%Y-%m").astype("str"))
    names = {f"{column}_{when}": f"{name}_{when}{ending}" for when in ("then", "now") for column, name, ending in (
        ("first_attempt_at", "first_attempt", "_at"), ("due_at", "due", "_at"), ("owner_id", "owner", ""))}
    rows = both[both["cause"] != ""].rename(columns=names)
    return rows.sort_values(["handed_over_at", "person_id"], ascending=[False, True], ignore_index=True)[
        HAND_OVER_CHANGES]


def _closed_months(then: Previous, responses: pd.DataFrame,
                   agreement: Agreement) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the hand-overs of an earlier report's months, as they were published and as they are today."""
    now = as_published(responses[HAND_OVERS], agreement.time_zone)
    months = now["handed_over_at"].dt.strftime("%Y-%m")
    return then.sheet("hand_overs", now), now[months.between(_first_month(then), then.month) & then.is_given]


def _first_month(then: Previous) -> str:
    return str(pd.Period(then.month, "M") - 11)


def _pair(before: pd.DataFrame, now: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Put rows of then and of now side by side by their keys; rows of equal keys in their order."""
    turned = [table.assign(turn=table.groupby(keys).cumcount(), is_there=True) for table in (before, now)]
    both = turned[0].merge(turned[1], on=[*keys, "turn"], how="outer", suffixes=("_then", "_now"),
                           validate="one_to_one")
    return both.assign(is_new=both["is_there_then"].isna(), is_gone=both["is_there_now"].isna())


def _differs(both: pd.DataFrame, column: str) -> pd.Series:
    then, now = both[f"{column}_then"], both[f"{column}_now"]
    return (then != now) & ~(then.isna() & now.isna())


def _end_of_attempts(handed_over_at: pd.Series, agreement: Agreement) -> pd.Series:
    """Give the end of the last day promised for the attempts, by today's agreement."""
    n_days = find_promise(agreement, "sales").within_days or 0       # where none are promised none are judged
    return agreement.end_of(handed_over_at.dt.normalize() + pd.Timedelta(days=n_days))


def _hand_over_causes(both: pd.DataFrame, end: pd.Timestamp, is_known: np.ndarray) -> np.ndarray:
    met_then, met_now = both["first_attempt_at_then"], both["first_attempt_at_now"]
    is_since = (met_now > end) & met_then.isna()
    other_met = _differs(both, "first_attempt_at") & ~is_since
    other = _differs(both, "outcome") | _differs(both, "is_counted")
    attempts = _attempt_causes(both)
    found = {
        "handed over since": both["is_new"] & (both["handed_over_at"] > end), "hand-over appeared": both["is_new"],
        "record gone": both["is_gone"] & ~is_known, "hand-over gone": both["is_gone"],
        "limit changed": _differs(both, "due_at"),
        "contact logged late": other_met & (met_then.isna() | (met_now < met_then)), "contact gone": other_met,
        "judged since": other & (is_since | (both["due_at_then"] > end)),
        "history changed": other | attempts["history changed"], "attempts changed": attempts["attempts changed"],
        "hours changed": (both["response_hours_then"] - both["response_hours_now"]).abs() > SAME_HOURS,
        "owner changed": _differs(both, "owner_id"), "team changed": _differs(both, "team"),
        "attempts judged since": attempts["attempts judged since"]}
    return np.select(list(found.values()), list(found), "")


def _attempt_causes(both: pd.DataFrame) -> dict[str, pd.Series]:
    """Tell by cause whose promised attempts are judged otherwise."""
    was, now = (both[f"kept_attempts_{when}"].astype("boolean") for when in ("then", "now"))
    other = (was != now).fillna(True).astype(bool) & ~(was.isna() & now.isna())
    is_first = other & was.isna() & both["is_running"]
    is_left = other & ~is_first & (was.isna() | now.isna()) & _differs(both, "left_at")
    return {"attempts judged since": is_first, "history changed": is_left,
            "attempts changed": other & ~is_first & ~is_left}


def list_rejudged(changes: pd.DataFrame) -> pd.DataFrame:
    """Keep what had been reported and reads otherwise: all but what took its course after the earlier report."""
    return changes[~is_in(changes["cause"], pd.Index(EXPECTED))].reset_index(drop=True)


def rejudged_months(then: Previous, responses: pd.DataFrame, changes: pd.DataFrame,
                    agreement: Agreement) -> pd.DataFrame:
    """Set each closed month's response figures, as an earlier report had them, beside what they are today.

    Returns one row per month of the hand-over: month, n_then, n_now (hand-overs), n_counted_then, n_counted_now (whose
    limit had passed), n_in_time_then, n_in_time_now (of those), in_time_then_share, in_time_now_share, causes (as text;
    also those of EXPECTED).
    """
    before, now = (_count_months(table) for table in _closed_months(then, responses, agreement))
    both = before.add_suffix("_then").join(now.add_suffix("_now"), how="outer").fillna(0).astype(int)
    both = both.rename_axis("month").reset_index().astype({"month": "str"})
    shares = {f"in_time_{when}_share": ratio(both[f"n_in_time_{when}"], both[f"n_counted_{when}"])
              for when in ("then", "now")}
    return both.assign(**shares, causes=look_up(both["month"], _causes_of(changes, ["month"])).fillna(""))


def _count_months(hand_overs: pd.DataFrame) -> pd.DataFrame:
    counted = hand_overs["is_counted"].fillna(False).astype(bool)
    rows = hand_overs.assign(month=hand_overs["handed_over_at"].dt.strftime("%Y-%m"), n_counted=counted,
                             n_in_time=counted & (hand_overs["outcome"] == "in time"))
    return rows.groupby("month").agg(n=("person_id", "size"), n_counted=("n_counted", "sum"),
                                     n_in_time=("n_in_time", "sum"))


def _causes_of(changes: pd.DataFrame, by: list[str]) -> pd.Series:
    pairs = changes[[*by, "cause"]].drop_duplicates().sort_values([*by, "cause"])
    return pairs.groupby(by)["cause"].agg(", ".join).astype("str")


def list_entries(entries: pd.DataFrame, first: pd.Timestamp | None = None) -> pd.DataFrame:
    """List who first entered which stage, since a moment (None: ever): what the funnel's figures are counted from.

    Returns one row per record and stage, latest first: record_id, stage, entered_at.
    """
    rows = entries[(entries["n_entry"] == 1) & (entries["entered_at"] >= (first or pd.Timestamp(0, tz="UTC")))]
    rows = rows.assign(stage=rows["stage"].astype("str"))
    return rows.sort_values(["entered_at", "record_id", "stage"], ascending=[False, True, True],
                            ignore_index=True)[ENTRIES]


def compare_entries(then: Previous, entries: pd.DataFrame, crm: CRM, agreement: Agreement) -> pd.DataFrame:
    """Say of each first entry into a stage, in an earlier report's 12 months, how it is another one today, and why.

    `entries` are all first entries (list_entries).
    Returns one row per record and stage that differs: record_id, stage, cause (one of ENTRY_CAUSES), entered_then_at,
    entered_now_at.
    """
    now, before = _by_month(then, entries, agreement)
    before = before.assign(record_id=follow_people(before["record_id"], crm))
    both = _pair(before, now, ["record_id", "stage"])
    was, after, end = both["entered_at_then"], both["entered_at_now"], then.local_end(agreement.time_zone)
    is_reported = both["month_now"].between(_first_month(then), then.month) & then.is_given
    found = {"": both["is_new"] & ~is_reported, "entered since": both["is_new"] & (after > end),
             "entered late": both["is_new"], "record gone": both["is_gone"] & ~find_known(both["record_id"], crm),
             "entry gone": both["is_gone"], "month moved": _differs(both, "month")}
    both = both.assign(cause=np.select(list(found.values()), list(found), ""), at=was.fillna(after))
    rows = both[both["cause"] != ""]
    rows = rows.sort_values(["at", "record_id", "stage"], ascending=[False, True, True], ignore_index=True)
    return rows.rename(columns={"entered_at_then": "entered_then_at", "entered_at_now": "entered_now_at"})[
        ["record_id", "stage", "cause", "entered_then_at", "entered_now_at"]]


def _by_month(then: Previous, entries: pd.DataFrame, agreement: Agreement) -> list[pd.DataFrame]:
    """Give today's entries and those published before, each with its local month."""
    now = as_published(entries, agreement.time_zone)
    return [table.assign(month=table["entered_at"].dt.strftime("%Y-%m").astype("str"))
            for table in (now, then.sheet("entries", now))]


def restated_funnel(then: Previous, entries: pd.DataFrame, changes: pd.DataFrame,
                    agreement: Agreement) -> pd.DataFrame:
    """Set how many entered each stage in each closed month, as an earlier report had it, beside today's number.

    Returns one row per stage and month whose number, or whose records, differ: stage, month, n_then, n_now, difference
    (n_difference), causes (as text).
    """
    now, before = _by_month(then, entries, agreement)
    counts = {when: table.groupby(["stage", "month"]).size().rename(f"n_{when}") for when, table in (
        ("then", before), ("now", now))}
    moved = pd.concat([changes.assign(month=changes[f"entered_{when}_at"].dt.strftime("%Y-%m")).dropna(subset="month")
                       for when in ("then", "now")])
    causes = _causes_of(moved, ["stage", "month"])
    rows = pd.concat([causes.rename("causes"), counts["then"], counts["now"]], axis=1).dropna(subset="causes")
    rows = rows.fillna({"n_then": 0, "n_now": 0}).reset_index().astype({"n_then": int, "n_now": int})
    rows = rows[rows["month"].between(_first_month(then), then.month)]
    return rows.assign(n_difference=rows["n_now"] - rows["n_then"]).sort_values(
        ["stage", "month"], ignore_index=True)[["stage", "month", "n_then", "n_now", "n_difference", "causes"]]
