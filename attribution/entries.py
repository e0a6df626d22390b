"""Who entered which stage of the agreement when, how often, what became of it, and which dates contradict others."""

import numpy as np
import pandas as pd

from attribution.agreement import Agreement, Stage
from attribution.language import _, marked
from attribution.tables import CRM, UTC, is_in, look_up, sort_rows

LAPSED_AFTER_DAYS = 30
OUT = marked("out")                                  # of the funnel: disqualified, lost or lapsed
BIRTHS = ("person_created", "lead_created")
AFTER_ALL = 2**62                                    # the turn of a deal among what happened at its moment
COLUMNS = ["record_id", "person_id", "account_id", "stage", "n_entry", "lifecycle", "entered_at", "left_at", "left_to",
           "opportunity_id", "is_imputed", "is_contradictory", "owner_id"]


def build_entries(crm: CRM, agreement: Agreement) -> pd.DataFrame:
    """Date every entry of a person or a deal into a stage of the agreement, and its end.

    Returns one row per record and entry: record_id (the person, or the deal from the first deal stage on), person_id
    (null for deals), account_id, stage (a category, in the agreement's order), n_entry (1 for the first), lifecycle
    (one more each time the record goes back or comes again), entered_at, left_at (null while it is there), left_to
    (the stage it went to, "out" where it was disqualified, lost or lapsed, null while it is there), opportunity_id
    (the deal; for a person the one that this lifecycle became), is_imputed, is_contradictory (made after it had gone
    further, or left before it entered), owner_id.
    A stage that was skipped is dated from the next one and flagged is_imputed. A person moves on to a deal when one is
    made that they have a role in, that their lead became, or, for a deal with neither, that their account has. A status
    that the agreement does not name changes nothing. A deal is won on its close date, at the end of the day.
    """
    moves = pd.concat([_follow_people(crm, agreement), _follow_deals(crm, agreement)], ignore_index=True)
    order = {stage.name: n for n, stage in enumerate(agreement.stages)}
    entries = moves[is_in(moves["to"], pd.Index(order))].rename(columns={"to": "stage", "at": "entered_at"})
    entries = sort_rows(entries.assign(order=look_up(entries["stage"], pd.Series(order))),
                        ["entered_at", "order", "record_id"])
    stage = pd.Categorical.from_codes(entries["order"], list(order), ordered=True)
    n_entry = entries.groupby(["order", "record_id"]).cumcount() + 1
    return entries.assign(stage=stage, n_entry=n_entry).reset_index(drop=True)[COLUMNS]


def find_lapsed(opportunities: pd.DataFrame, today: pd.Timestamp) -> pd.Series:
    """Tell which deals are still open although their close date passed more than 30 days before today.

    >>> deals = pd.DataFrame({"is_closed": False, "close_on": pd.to_datetime(["2026-09-30", "2026-10-01"])})
    >>> find_lapsed(deals, pd.Timestamp("2026-10-31")).tolist()
    [True, False]
    """
    return ~opportunities["is_closed"] & (today - opportunities["close_on"] > pd.Timedelta(days=LAPSED_AFTER_DAYS))


def link_deals(crm: CRM) -> pd.DataFrame:
    """Say whose deals they are: those in a role, those whose lead it became, else everybody at the account.

    Returns one row per person and deal: opportunity_id, person_id.
    """
    roles = crm.contact_roles[["opportunity_id", "person_id"]]
    leads = crm.people[["converted_opportunity_id", "person_id"]].set_axis(["opportunity_id", "person_id"], axis=1)
    named = pd.concat([roles, leads[is_in(leads["opportunity_id"], crm.opportunities["opportunity_id"])]])
    deals = crm.opportunities.loc[~is_in(crm.opportunities["opportunity_id"], named["opportunity_id"]),
                                  ["opportunity_id", "account_id"]].dropna()
    people = crm.people.loc[crm.people["account_id"].notna(), ["account_id", "person_id"]]
    of_account = deals.merge(people, on="account_id", validate="many_to_many")
    return pd.concat([named, of_account[["opportunity_id", "person_id"]]]).drop_duplicates(ignore_index=True)


def find_contradictions(crm: CRM, entries: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """Count the rows whose dates contradict each other, and say what is done with them.

    Returns one row per check, also where all is well: check, n_rows, first_ids (up to three, as text), consequence.
    """
    made_at = crm.people.set_index("person_id")["lead_created_at"]
    changes, deals, people = crm.stage_changes, crm.opportunities, crm.people
    late = entries[entries["is_contradictory"]]
    found = [
        (_("status changed before the lead was made"), changes.loc[
            changes["changed_at"] < look_up(changes["person_id"], made_at).astype(UTC), "record_id"],
         _("the stage counts from the change on; the lead's own stage is in no rate")),
        (_("lead converted before it was made"), people.loc[
            people["converted_on"] < agreement.day_of(people["lead_created_at"]), "person_id"],
         _("the lead counts from the day it was made")),
        (_("deal closed on a day yet to come"), deals.loc[
            deals["is_closed"] & (deals["close_on"] > agreement.local_day(crm.as_of)), "opportunity_id"],
         _("the deal counts as open until that day")),
        (_("deal closed before it was made"), deals.loc[
            deals["is_closed"] & (deals["close_on"] < agreement.day_of(deals["created_at"])), "opportunity_id"],
         _("the close date stands for the win or loss; its days are in no speed")),
        (_("record made after it had reached a later stage"), late["record_id"],
         _("the late entry is in no rate, no speed and no response time"))]
    return pd.DataFrame([(check, len(ids), ", ".join(ids.drop_duplicates().sort_values().head(3)), consequence)
                         for check, ids, consequence in found],
                        columns=["check", "n_rows", "first_ids", "consequence"])


def _follow_people(crm: CRM, agreement: Agreement) -> pd.DataFrame:
    """Put what happened to each person in order: stages, disqualifications, deals."""
    stages = [stage for stage in agreement.stages if stage.name in agreement.person_stages]
    dated = [_PEOPLE_DATES[stage.rule](crm, agreement, stage) for stage in stages if stage.rule in _PEOPLE_DATES]
    moves = pd.concat([*dated, _follow_statuses(crm, agreement)], ignore_index=True)
    moves = _impute(moves[is_in(moves["record_id"], crm.people["person_id"])], agreement.person_stages)
    moves = pd.concat([moves, _deals_of_people(crm, agreement)], ignore_index=True)
    rows = _in_order(moves, agreement.person_stages, agreement.deal_stages[0])
    people = crm.people.set_index("person_id")
    return rows.assign(person_id=rows["record_id"], **{column: look_up(rows["record_id"], people[column])
                                                       for column in ("account_id", "owner_id")})


def _in_order(moves: pd.DataFrame, stages: tuple[str, ...], beyond: str = OUT) -> pd.DataFrame:
    """Tell, in each record's line of moves, when each stage ended, where it led, and in which lifecycle it lies."""
    rank = pd.Series({name: n for n, name in enumerate(stages)} | {beyond: len(stages), OUT: len(stages)})
    moves = sort_rows(moves.assign(rank=look_up(moves["to"], rank)),
                      ["record_id", "phase", "at", "turn", "rank", "opportunity_id"])
    before = moves["rank"].shift().mask(_differs(moves, "record_id"))
    is_late = moves["is_birth"] & (before >= moves["rank"]) & (before < len(stages))
    line = moves[~is_late]
    line = line[_differs(line, "record_id") | _differs(line, "to")].reset_index(drop=True)
    line = line.assign(lifecycle=_count_lifecycles(line, len(stages)), is_contradictory=False)
    after = line.groupby("record_id")[["at", "to"]].shift(-1)
    line = line.assign(left_at=after["at"].astype(UTC), left_to=after["to"].astype("str"),
                       opportunity_id=_deals_ahead(line))
    rows = pd.concat([line, _place_late(moves[is_late], line)], ignore_index=True)
    is_contradictory = rows["is_contradictory"] | (rows["left_at"] < rows["at"])
    return rows.assign(is_contradictory=is_contradictory)[rows["rank"] < len(stages)]


def _differs(rows: pd.DataFrame, column: str) -> pd.Series:
    return rows[column] != rows[column].shift()


def _count_lifecycles(line: pd.DataFrame, end: int) -> pd.Series:
    """Number the lifecycles of each record from 1; those in which it entered no stage do not count."""
    starts = _differs(line, "record_id")
    before = line["rank"].shift().mask(starts)
    is_new = (starts | (line["rank"] < before) | (before == end)) & (line["rank"] < end)
    return is_new.groupby(line["record_id"]).cumsum()


def _deals_ahead(line: pd.DataFrame) -> pd.Series:
    """Give each move the deal that its lifecycle ended in."""
    key = pd.MultiIndex.from_frame(line[["record_id", "lifecycle"]])
    ended = line["opportunity_id"].set_axis(key).dropna()
    return ended[~ended.index.duplicated()].reindex(key).set_axis(line.index)


def _place_late(late: pd.DataFrame, line: pd.DataFrame) -> pd.DataFrame:
    """Let a record that was made after it had gone further be where it already was."""
    there = line[["at", "record_id", "to", "lifecycle", "opportunity_id"]].sort_values("at", kind="stable")
    now = pd.merge_asof(late.drop(columns="opportunity_id").sort_values("at", kind="stable"), there, on="at",
                        by="record_id", suffixes=("", "_there"))
    return now.assign(left_at=now["at"], left_to=now["to_there"], is_contradictory=True).drop(columns="to_there")


def _person_created(crm: CRM, agreement: Agreement, stage: Stage) -> pd.DataFrame:
    return _dated(crm.people["person_id"], crm.people["created_at"], stage.name, is_birth=True)


def _lead_created(crm: CRM, agreement: Agreement, stage: Stage) -> pd.DataFrame:
    return _dated(crm.people["person_id"], crm.people["lead_created_at"], stage.name, is_birth=True)


def _date_field(crm: CRM, agreement: Agreement, stage: Stage) -> pd.DataFrame:
    """A day without a time is its beginning, or, on the day on which the lead was made, that moment."""
    rows = crm.field_changes[crm.field_changes["field"] == stage.field]
    made_at = look_up(rows["person_id"], crm.people.set_index("person_id")["lead_created_at"]).astype(UTC)
    is_same_day = agreement.day_of(made_at) == agreement.day_of(rows["changed_at"])
    at = rows["changed_at"].where(~is_same_day | (rows["changed_at"] > made_at), made_at)
    return _dated(rows["person_id"], at, stage.name)


def _score(crm: CRM, agreement: Agreement, stage: Stage) -> pd.DataFrame:
    rows = crm.field_changes[crm.field_changes["field"] == stage.field]
    rises = rows[(rows["number"] >= stage.at_least) & ~(rows["number_before"] >= stage.at_least)]
    return _dated(rises["person_id"], rises["changed_at"], stage.name)


def _activity(crm: CRM, agreement: Agreement, stage: Stage) -> pd.DataFrame:
    done = crm.activities[crm.activities["is_done"] & is_in(crm.activities["kind"], pd.Index(stage.values))]
    first = sort_rows(done, ["done_at", "activity_id"]).drop_duplicates("person_id")
    return _dated(first["person_id"], first["done_at"], stage.name)


def _dated(record_id: pd.Series, at: pd.Series, to: str | pd.Series, *, is_birth: bool = False, phase: int = 0,
           turn: int | pd.Series = 0, opportunity_id: pd.Series | None = None) -> pd.DataFrame:
    """Date moves; of one moment they stand in the order of their phase, their turn, and their stages."""
    rows = pd.DataFrame({"record_id": record_id, "at": at, "to": to, "is_birth": is_birth, "is_imputed": False,
                         "phase": phase, "turn": turn, "opportunity_id": opportunity_id})
    return rows.dropna(subset=["record_id", "at", "to"]).astype({"to": "str", "opportunity_id": "str"})


#: How each rule of a person's stage dates its entries; lead_status is dated by _follow_statuses.
_PEOPLE_DATES = {"person_created": _person_created, "lead_created": _lead_created, "date_field": _date_field,
                 "score": _score, "activity": _activity}


def _follow_statuses(crm: CRM, agreement: Agreement) -> pd.DataFrame:
    """List the changes of the leads' statuses that the agreement names; a lead is born with its first old status."""
    changes = sort_rows(crm.stage_changes[crm.stage_changes["record_type"] == "lead"], ["changed_at", "change_id"])
    changes = changes.assign(turn=range(1, len(changes) + 1))
    is_first = ~changes.duplicated("record_id")
    made_at = look_up(changes["person_id"], crm.people.set_index("person_id")["lead_created_at"]).astype(UTC)
    born = _mean(changes[is_first], agreement, changes["from_stage"].fillna(changes["stage"])[is_first],
                 made_at.where(changes["from_stage"].notna(), changes["changed_at"])[is_first])
    births = pd.Index([stage.name for stage in agreement.stages if stage.rule in BIRTHS])
    rows = changes[~is_first | changes["from_stage"].notna()]
    return pd.concat([born[~is_in(born["to"], births)], _mean(rows, agreement, rows["stage"], rows["changed_at"])],
                     ignore_index=True)


def _mean(changes: pd.DataFrame, agreement: Agreement, status: pd.Series, at: pd.Series) -> pd.DataFrame:
    """Say what a status means: the stage that names it, or out; one that none names means nothing."""
    means = _meanings(agreement, "lead_status", *BIRTHS) | dict.fromkeys(agreement.disqualified, OUT)
    return _dated(changes["person_id"], at, _say(status, means), turn=changes["turn"])


def _meanings(agreement: Agreement, *rules: str) -> dict[str, str]:
    return {value: stage.name for stage in agreement.stages if stage.rule in rules for value in stage.values}


def _say(values: pd.Series, means: dict[str, str]) -> pd.Series:
    return look_up(values, pd.Series(list(means.values()), pd.Index(list(means), dtype="str"), dtype="str"))


def _impute(moves: pd.DataFrame, stages: tuple[str, ...]) -> pd.DataFrame:
    """Add the stages that a record had not been in when it first entered the next one."""
    for stage, later in reversed(list(zip(stages, stages[1:], strict=False))):
        ordered = moves.sort_values(["phase", "at", "turn"], kind="stable")
        first, there = (ordered[ordered["to"] == name].drop_duplicates("record_id") for name in (later, stage))
        was_there = look_up(first["record_id"], there.set_index("record_id")["at"]) <= first["at"]
        was_there |= is_in(first["record_id"], there.loc[there["is_birth"], "record_id"])
        moves = pd.concat([moves, first[~was_there].assign(to=stage, is_imputed=True, is_birth=False)],
                          ignore_index=True)
    return moves


def _deals_of_people(crm: CRM, agreement: Agreement) -> pd.DataFrame:
    links = link_deals(crm)
    at = look_up(links["opportunity_id"], crm.opportunities.set_index("opportunity_id")["created_at"]).astype(UTC)
    return _dated(links["person_id"], at, agreement.deal_stages[0], turn=AFTER_ALL,
                  opportunity_id=links["opportunity_id"])


def _follow_deals(crm: CRM, agreement: Agreement) -> pd.DataFrame:
    """Put what happened to each deal in order: it is made, goes through stages, ends."""
    deals, ends = crm.opportunities.set_index("opportunity_id", drop=False), _deal_ends(crm, agreement)
    made = [_dated(crm.opportunities["opportunity_id"], crm.opportunities["created_at"], stage.name)
            for stage in agreement.stages if stage.rule == "opportunity_created"]
    moves = pd.concat([*made, _follow_deal_stages(crm, agreement, ends), ends], ignore_index=True)
    moves = _impute(moves, agreement.deal_stages)
    rows = _in_order(moves.assign(opportunity_id=moves["record_id"]), agreement.deal_stages)
    return rows.assign(person_id=pd.Series(None, rows.index, dtype="str"), **{
        column: look_up(rows["record_id"], deals[column]) for column in ("account_id", "owner_id")})


def _deal_ends(crm: CRM, agreement: Agreement) -> pd.DataFrame:
    """Date each win, loss and lapse by the deal's close date, at the end of the day; until then it is open."""
    deals, today = crm.opportunities, agreement.local_day(crm.as_of)
    is_lapsed = find_lapsed(deals, today)
    close_on = deals["close_on"] + pd.to_timedelta(np.where(is_lapsed, LAPSED_AFTER_DAYS, 0), unit="D")
    won = next((stage.name for stage in agreement.stages if stage.rule == "opportunity_won"), OUT)
    is_over = (deals["is_closed"] | deals["is_won"] | is_lapsed) & (close_on <= today)
    to = pd.Series(np.where(deals["is_won"], won, OUT), deals.index)
    return _dated(deals["opportunity_id"], agreement.end_of(close_on), to.where(is_over), phase=2)


def _follow_deal_stages(crm: CRM, agreement: Agreement, ends: pd.DataFrame) -> pd.DataFrame:
    """List the stages that the agreement names; what the history dates after the deal's end is at its end."""
    changes = crm.stage_changes[crm.stage_changes["record_type"] == "opportunity"]
    changes = sort_rows(changes, ["changed_at", "change_id"])
    end, at = look_up(changes["record_id"], ends.set_index("record_id")["at"]), changes["changed_at"]
    to = _say(changes["stage"], _meanings(agreement, "opportunity_stage"))
    turn = pd.Series(range(1, len(changes) + 1), changes.index)
    return _dated(changes["record_id"], at.mask(at > end, end), to, phase=1, turn=turn)
