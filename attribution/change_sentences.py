"""What changed since an earlier report, in a reader's words: causes, sentences, titles and columns."""

import pandas as pd

from attribution.funnel import WON, Outcome
from attribution.language import _, count, in_number, marked, moment, money, month, number, percent, times
from attribution.rejudged import ENTRY_CAUSES, HAND_OVER_CAUSES, list_rejudged
from attribution.restated import CAUSES, Previous, list_restated, sum_causes
from attribution.sentences import figure_name

#: What a cause is called where the outcome comes before the sale.
EXPECTED_CAUSES = {"closed since": marked("entered since"), "booked late": marked("entered late"),
                   "no longer won": marked("no longer in the stage"),
                   "amount changed": marked("estimated worth changed"),
                   "closing date moved": marked("date of entry moved")}
OTHER_CAUSES = {"cost changed": marked("cost changed"), "other records changed": marked("other records changed")}
#: What the columns of these tables are called.
CHANGE_NAMES = {
    "then": marked("reported then"), "now": marked("today"), "difference": marked("difference"),
    "cause": marked("cause"),
    "causes": marked("causes"), "closed_then_on": marked("closed, then"), "closed_now_on": marked("closed, today"),
    "value_then": marked("value, then"), "value_now": marked("value, today"), "credit_then": marked("credit, then"),
    "credit_now": marked("credit, today"), "n_touches_new": marked("touches more"),
    "n_touches_gone": marked("touches less"), "attributed_then": marked("attributed, then"),
    "attributed_now": marked("attributed, today"), "unattributed_then": marked("unattributed, then"),
    "unattributed_now": marked("unattributed, today"), "n_then": marked("number, then"),
    "n_now": marked("number, today"), "n_difference": marked("difference"), "cost_then": marked("cost, then"),
    "cost_now": marked("cost, today"), "n_counted_then": marked("limit passed, then"),
    "n_counted_now": marked("limit passed, today"), "n_in_time_then": marked("in time, then"),
    "n_in_time_now": marked("in time, today"), "in_time_then_share": marked("share in time, then"),
    "in_time_now_share": marked("share in time, today"), "became_then": marked("outcome, then"),
    "became_now": marked("outcome, today"), "outcome_then": marked("outcome then, as a code"),
    "outcome_now": marked("outcome today, as a code"), "first_attempt_then_at": marked("first contact, then"),
    "first_attempt_now_at": marked("first contact, today"), "due_then_at": marked("due, then"),
    "due_now_at": marked("due, today"), "owner_then": marked("owner, then"), "owner_now": marked("owner, today"),
    "team_then": marked("team, then"), "team_now": marked("team, today"),
    "entered_then_at": marked("entered, then"), "entered_now_at": marked("entered, today"),
    "item": marked("what"), "kind": marked("kind"), "touch_id": marked("touch"), "touched_at": marked("touched"),
    "joined_at": marked("membership made"), "modified_at": marked("last edited"),
    "handed_over_at": marked("handed over"), "due_at": marked("due"), "first_attempt_at": marked("first contact"),
    "response_hours": marked("business hours to it"), "raw_hours": marked("hours to it"), "became": marked("outcome"),
    "outcome": marked("outcome, as a code"),
    "is_counted": marked("limit passed"), "kept_attempts": marked("promised attempts made"), "left_at": marked("left")}
#: What a reader sees of each table; the workbook has all columns.
CHANGE_COLUMNS = ("conversion_id", "campaign_name", "cause", "credit_then", "credit_now", "difference", "value_then",
                  "value_now", "closed_then_on", "closed_now_on", "n_touches_new", "n_touches_gone")
MONTH_COLUMNS = ("month", "value_then", "value_now", "difference", "n_then", "n_now", "causes")
TOUCH_COLUMNS = ("conversion_id", "value", "touch_id", "path", "touched_at", "weight", "credit")
HAND_OVER_COLUMNS = ("person_id", "owner_id", "team", "handed_over_at", "first_attempt_at", "response_hours",
                     "raw_hours", "became")
REJUDGED_COLUMNS = ("person_id", "cause", "handed_over_at", "became_then", "became_now", "first_attempt_then_at",
                    "first_attempt_now_at", "due_now_at", "owner_then", "owner_now")
#: The titles of the tables, by sheet: of won deals, and of an earlier stage where that differs.
TITLES = {
    "touches_to_date": (marked("Every touch of every deal won to date, and what it earned"),
                        marked("Every touch of every record in the stage to date, and what it earned")),
    "since_definitions": (marked("Definitions that differ from the earlier report's"),),
    "since_headline": (marked("The headline figures of the earlier report's month, as published and today"),),
    "since_months": (marked("Won value of the closed months, as reported and as it is today"),
                     marked("Expected value of the closed months, as reported and as it is today")),
    "since_costs": (marked("Campaigns whose cost of the earlier report's month is another one today"),),
    "since_bridge": (marked("From the credit to date that was reported to today's, cause by cause, by today's tree"),),
    "since_deals": (marked("Every deal and campaign whose reported credit or day has moved, and why"),
                    marked("Every record and campaign whose reported credit or day has moved, and why")),
    "hand_overs": (marked("Every hand-over of the last 12 months, and what became of it"),),
    "entries": (marked("Who first entered which stage in the last 12 months"),),
    "since_months_sla": (marked("Response by month of the hand-over, as reported and as it is today"),),
    "since_hand_overs": (marked("Every hand-over that reads otherwise than it was reported, and why"),),
    "since_funnel": (marked("Entries by stage and month, where they are not as reported"),),
    "since_entries": (marked("Every stage entry that reads otherwise than it was reported, and why"),)}
_UNITS = {"share": percent, "ratio": times, "count": number}


def _words(causes: str, outcome: Outcome = WON) -> str:
    known = {**HAND_OVER_CAUSES, **ENTRY_CAUSES, **OTHER_CAUSES, **CAUSES,
             **(EXPECTED_CAUSES if outcome.is_expected else {})}
    return ", ".join(_(known[cause]) for cause in causes.split(", ") if cause)


def label_causes(table: pd.DataFrame, outcome: Outcome = WON) -> pd.DataFrame:
    """Write a table's causes in words: of one in the column cause, of several in causes."""
    return table.assign(**{column: table[column].map(lambda causes: _words(causes, outcome)).astype("str")
                           for column in ("cause", "causes") if column in table})


def label_outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """Add what became of hand-overs in words, beside the codes, by which a later report compares itself."""
    return table.assign(**{column.replace("outcome", "became"): table[column].map(_, na_action="ignore").astype("str")
                           for column in ("outcome", "outcome_then", "outcome_now") if column in table})


def title_since(sheet: str, outcome: Outcome = WON) -> str:
    """Title a table of what a later report compares itself with, or of what has moved since an earlier one.

    >>> title_since("hand_overs")
    'Every hand-over of the last 12 months, and what became of it'
    """
    return _(TITLES[sheet][-1 if outcome.is_expected else 0])


def say_previous(then: Previous, definitions: pd.DataFrame, time_zone: str = "UTC") -> str:
    """Say what the report is compared with, and first whether both mean the same; else how to give one."""
    if not then.is_given:
        return _("No earlier report was given to compare with. To see what has moved since, name the folder of a month "
                 "made before, as in previous=\"reports/2026-09\", or --previous reports/2026-09 on the command line.")
    if len(definitions):
        items = "; ".join(f"{row.item}: {row.value_then} → {row.value_now}" for row in definitions.itertuples())
        return _("Compared with the report of {month}, which was made by other definitions ({items}). What differs may "
                 "come from that, and is then no restatement.").format(month=month(then.month), items=items)
    return _("Compared with the report of {month} as it was published, from what the CRM knew until {moment}; both are "
             "made by the same definitions.").format(month=month(then.month), moment=moment(then.local_end(time_zone)))


def say_moved(then: Previous, changes: pd.DataFrame, currency: str, outcome: Outcome = WON) -> str:
    """Say how much of the credit that was reported has moved since, and why."""
    sums = sum_causes(list_restated(changes))
    if sums.empty:
        return _("Nothing reported up to {month} has moved.").format(month=month(then.month))
    causes = "; ".join(_say_cause(row, currency, outcome) for row in sums.itertuples())
    total = then.tables["touches_to_date"]["credit"].sum()
    return _("{moved} of the {total} credited up to {month} has moved since it was reported. {causes}.").format(
        moved=money(sums["moved"].sum(), currency), total=money(total, currency), month=month(then.month),
        causes=causes[:1].upper() + causes[1:])


def _say_cause(row, currency: str, outcome: Outcome) -> str:
    n = number(row.n_deals) if outcome.is_expected else count(row.n_deals, "deal")
    return f"{_words(row.cause, outcome)}: {n}" + f", {money(row.moved, currency)}" * bool(row.moved)


def say_restated(then: Previous, changes: pd.DataFrame, currency: str, outcome: Outcome = WON) -> str:
    """Say how much of the credit that was reported has moved since, and what came on top."""
    return say_moved(then, changes, currency, outcome) + _say_closed_since(changes, currency, outcome)


def _say_closed_since(changes: pd.DataFrame, currency: str, outcome: Outcome) -> str:
    rows = changes[changes["cause"] == "closed since"]
    n, value = rows["conversion_id"].nunique(), money(rows["difference"].sum(), currency)
    if not n or outcome.is_expected:
        return ""
    return " " + in_number("{n} deal closed since, worth {value}, comes on top.",
                           "{n} deals closed since, worth {value}, come on top.", n).format(n=number(n), value=value)


def say_headline(then: Previous, headline: pd.DataFrame, currency: str, n: int = 3) -> str:
    """Say which headline figures of the earlier report's month read otherwise today, as a reader sees them."""
    moved = _shown(headline, currency).query("before != today")
    if moved.empty:
        return _("The headline figures of {month} read as they were published.").format(month=month(then.month))
    said = "; ".join(f"{row.label} {row.before} → {row.today}" for row in moved.head(n).itertuples())
    return in_number("{n} headline figure of {month} reads otherwise today: {said}.",
                     "{n} headline figures of {month} read otherwise today: {said}.", len(moved)).format(
        n=number(len(moved)), month=month(then.month), said=said + "; …" * (len(moved) > n))


def _shown(headline: pd.DataFrame, currency: str) -> pd.DataFrame:
    before, today = ([_amount(value, unit, currency) for value, unit in zip(
        headline[when], headline["unit"], strict=True)] for when in ("then", "now"))
    return pd.DataFrame({"label": headline["figure"].map(figure_name), "before": before, "today": today})


def _amount(value: float, unit: str, currency: str) -> str:
    return money(value, currency) if unit == "money" else _UNITS[unit](value)


def _difference(value: float, unit: str, currency: str) -> str:
    is_points = unit in ("share", "ratio") and pd.notna(value)
    return _("{n} points").format(n=number(value * 100, 1)) if is_points else _amount(value, unit, currency)


def name_changes(headline: pd.DataFrame, currency: str, outcome: Outcome = WON) -> pd.DataFrame:
    """Write restated headline figures as a reader's table: figure, then, now, difference, causes, all as text."""
    shown, stands = _shown(headline, currency), headline["causes"] == ""
    difference = [_difference(value, unit, currency) for value, unit in zip(
        headline["difference"], headline["unit"], strict=True)]
    table = pd.DataFrame({"figure": shown["label"], "then": shown["before"], "now": shown["today"],
                          "difference": pd.Series(difference).mask(stands, ""), "causes": headline["causes"]})
    return label_causes(table.replace("–", "").astype("str"), outcome)


def title_changes(then: Previous, restated: pd.DataFrame, currency: str, outcome: Outcome = WON) -> str:
    """Title the figure of what moved by the cause that moved most."""
    sums = sum_causes(restated[restated["difference"] != 0])
    if sums.empty:
        return _("No credit reported up to {month} has moved").format(month=month(then.month))
    return _("What moved most since {month} was reported: {cause}, {money}").format(
        month=month(then.month), cause=_words(sums["cause"].iloc[0], outcome),
        money=money(sums["moved"].iloc[0], currency))


def say_rejudged(then: Previous, changes: pd.DataFrame) -> str:
    """Say how many of the hand-overs that had been reported read otherwise today, and why."""
    rejudged, n = list_rejudged(changes), len(then.tables.get("hand_overs", ()))
    if rejudged.empty:
        stands = _("Every hand-over reported up to {month} stands as it was.").format(month=month(then.month))
        n_due = int((changes["cause"] == "judged since").sum())
        passed = in_number("The limit of {n} more has passed since, which moves its month's share in time.",
                           "The limit of {n} more has passed since, which moves their months' share in time.", n_due)
        return f"{stands} {passed.format(n=number(n_due))}" if n_due else stands
    return in_number("{n} of the {total} hand-overs reported up to {month} reads otherwise today. {causes}.",
                     "{n} of the {total} hand-overs reported up to {month} read otherwise today. {causes}.",
                     len(rejudged)).format(n=number(len(rejudged)), total=number(n), month=month(then.month),
                                           causes=_count_causes(rejudged))


def say_entries(then: Previous, changes: pd.DataFrame) -> str:
    """Say how many of the first stage entries that had been reported read otherwise today, and why."""
    restated, n = list_rejudged(changes), len(then.tables.get("entries", ()))
    if restated.empty:
        return _("Every stage entry reported for the 12 months up to {month} stands as it was.").format(
            month=month(then.month))
    return in_number("{n} stage entry of the {total} reported for the 12 months up to {month} reads otherwise today. "
                     "{causes}.", "{n} stage entries of the {total} reported for the 12 months up to {month} read "
                     "otherwise today. {causes}.", len(restated)).format(
        n=number(len(restated)), total=number(n), month=month(then.month), causes=_count_causes(restated))


def _count_causes(changes: pd.DataFrame) -> str:
    n = changes["cause"].value_counts(sort=False).sort_values(ascending=False, kind="stable")
    said = "; ".join(f"{_words(cause)}: {number(times)}" for cause, times in n.items())
    return said[:1].upper() + said[1:]


def name_since(outcome: Outcome = WON) -> dict[str, str]:
    """Name the columns of these tables, among them the causes of a bridge, in the reader's language."""
    causes = {cause.replace(" ", "_"): _words(cause, outcome) for cause in CAUSES}
    days = {"closed_then_on": _("entered, then"), "closed_now_on": _("entered, today")} if outcome.is_expected else {}
    return {column: _(name) for column, name in CHANGE_NAMES.items()} | causes | days
