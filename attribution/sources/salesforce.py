"""A Salesforce export as the package's tables: one person once, one currency, as things stood at `as_of`."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from attribution.agreement import Agreement, Stage
from attribution.agreement_file import find_beside, read_agreement
from attribution.language import _, day, marked, number
from attribution.sources.salesforce_files import PEOPLE, Export, find_folder, read_export
from attribution.sources.salesforce_money import in_one_currency
from attribution.tables import (
    CRM,
    SCHEMAS,
    UTC,
    TableError,
    check_table,
    empty_table,
    find_rows,
    first_keys,
    is_in,
    look_up,
    sort_rows,
)


@dataclass(frozen=True)
class Question:
    """What is asked of the export: the moment to speak of, and the definitions to use."""

    agreement: Agreement
    as_of: pd.Timestamp
    today: pd.Timestamp                              # the local day of as_of
    is_past: bool                                    # as_of is before the export: what was overwritten is restored


def read_crm(folder: str | Path, agreement: Agreement | None = None, as_of: pd.Timestamp | None = None) -> CRM:
    """Read a Salesforce export, from a folder of CSV files or a ZIP, as it stood at as_of.

    Returns typed, checked tables. The agreement is the folder's agreement.toml unless one is given; as_of is the
    export's own date unless one is given. Rows after as_of are left out; amounts, stages, close dates and lead statuses
    of then are restored from the histories. What was left out is counted in left_out, what the export lacks is in
    missing.
    Raises TableError that names the file, the column, how many rows, the first of them and what to do; ValueError when
    as_of has no time zone.
    """
    agreement = agreement or _agreement(folder)
    export = read_export(folder, _stage_fields(agreement))
    export, currency = in_one_currency(export, agreement)
    exported_at = _exported_at(export)
    asked = _question(agreement, exported_at if as_of is None else pd.Timestamp(as_of), exported_at)
    campaigns, no_campaigns = _campaigns(export, asked)
    accounts, account_of, no_accounts = _accounts(export, asked)
    people, person_of, no_people = _people(export, asked, account_of)
    with ThreadPoolExecutor(1) as pool:              # touches, the largest table, on the second core
        reading = pool.submit(_touches, export, asked, campaigns, people, person_of)
        deals, no_deals = _opportunities(export, asked, account_of)
        roles, no_roles = _contact_roles(export, asked, deals, person_of)
        doing = pool.submit(_activities, export, asked, deals, people, person_of, account_of)
        changes, no_changes = _stage_changes(export, asked, deals, person_of)
        (touches, no_touches), (activities, no_activities) = reading.result(), doing.result()
    fields, no_fields = _field_changes(export, asked, person_of)
    left_out = _left_out(
        [no_campaigns, no_accounts, no_people, no_touches, no_deals, no_roles, no_changes, no_fields, no_activities])
    return CRM(campaigns, _with_status(people, changes, asked), accounts, touches, deals, roles, changes, activities,
               _owners(export), left_out, _missing(export, asked, deals, exported_at), exported_at, asked.as_of,
               currency, export.sources, fields)


def _left_out(parts: list[pd.DataFrame]) -> pd.DataFrame:
    counts = pd.concat(parts).groupby(["table", "reason"], sort=False, as_index=False)[["n_rows", "value"]].sum()
    return _table("left_out", counts.round({"value": 2}))


def _agreement(folder: str | Path) -> Agreement:
    path = find_beside(find_folder(folder), "agreement.toml")
    return read_agreement(path) if path.is_file() else Agreement()


def _stage_fields(agreement: Agreement) -> dict[str, str]:
    """Name the fields that the agreement dates stages by, each with its type."""
    types = {"date_field": "moment", "score": "number"}
    return {stage.field: types[stage.rule] for stage in agreement.stages if stage.rule in types}


def _exported_at(export: Export) -> pd.Timestamp:
    stamps = [table[column].max() for table in export.tables.values() for column in table
              if column in ("SystemModstamp", "LastModifiedDate", "CreatedDate")]
    latest = pd.Series(stamps, dtype=UTC).max()
    if pd.isna(latest):
        raise TableError(f"{export.folder}: the export has no rows. Export it again, with the data.")
    return latest


def _question(agreement: Agreement, as_of: pd.Timestamp, exported_at: pd.Timestamp) -> Question:
    if as_of.tzinfo is None:
        raise ValueError(f"as_of: {as_of} has no time zone; write it as 2026-10-31 21:59:59+00:00")
    as_of = as_of.tz_convert("UTC").as_unit("us")
    return Question(agreement, as_of, agreement.day_of(pd.Series([as_of]))[0], as_of < exported_at)


def _table(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Give a table the schema's columns, order and types."""
    types = {column: "str" if about.dtype.type is str else about.dtype.type
             for column, about in SCHEMAS[name].columns.items()}
    return rows[list(types)].astype(types).reset_index(drop=True)


def _sort_out(rows: pd.DataFrame, table: str, reasons: dict[str, pd.Series], value: str | None = None) -> tuple:
    """Part the rows to keep from those left out; the first reason that holds is the one counted."""
    reason = np.select(list(reasons.values()), range(len(reasons)), default=len(reasons))
    money = rows[value].fillna(0.0) if value else np.zeros(len(rows))
    counts = pd.DataFrame({"table": table, "reason": list(reasons),
                           "n_rows": np.bincount(reason, minlength=len(reasons) + 1)[:-1],
                           "value": np.bincount(reason, money, minlength=len(reasons) + 1)[:-1].round(2)})
    return rows[reason == len(reasons)], counts[counts["n_rows"] > 0]


def _gone(rows: pd.DataFrame, asked: Question) -> dict[str, pd.Series]:
    return {marked("deleted"): rows["IsDeleted"], marked("after as_of"): rows["CreatedDate"] > asked.as_of}


def _gone_or_merged(rows: pd.DataFrame, asked: Question) -> dict[str, pd.Series]:
    return {marked("merged into another record"): rows["MasterRecordId"].notna()} | _gone(rows, asked)


def _masters(rows: pd.DataFrame, file: str) -> pd.Series:
    """Give, for each merged record's id, the id of the record that stands for it in the end."""
    merged = rows[rows["MasterRecordId"].notna()]
    masters = merged.set_index("Id")["MasterRecordId"]
    for _pass in range(len(masters).bit_length()):       # each pass doubles the steps taken along a chain of merges
        masters = look_up(masters, masters).fillna(masters)
    circle = masters[is_in(masters, masters.index)]
    if len(circle):
        raise TableError(f"{file}.csv: MasterRecordId goes round in a circle in {len(circle):,} of {len(rows):,} rows "
                         f"({first_keys(circle.index.to_series())}). Export {file}.csv again.")
    return masters


def _follow(ids: pd.Series, masters: pd.Series) -> pd.Series:
    return look_up(ids, masters).fillna(ids)


_REPORTED = {
    "reported_n_leads": "NumberOfLeads", "reported_n_contacts": "NumberOfContacts",
    "reported_n_responses": "NumberOfResponses", "reported_n_opportunities": "NumberOfOpportunities",
    "reported_n_won": "NumberOfWonOpportunities", "reported_value_all": "AmountAllOpportunities",
    "reported_value_won": "AmountWonOpportunities"}
_REPORTED_ROLLED_UP = {
    "reported_budgeted_cost": "BudgetedCost", "reported_actual_cost": "ActualCost",
    "reported_expected_revenue": "ExpectedRevenue", "reported_n_sent": "NumberSent"} | _REPORTED
_CAMPAIGN = {
    "campaign_id": "Id", "campaign_name": "Name", "channel": "Type", "status": "Status", "starts_on": "StartDate",
    "ends_on": "EndDate", "budgeted_cost": "BudgetedCost", "actual_cost": "ActualCost",
    "expected_revenue": "ExpectedRevenue", "n_sent": "NumberSent", "is_active": "IsActive", "created_at": "CreatedDate",
    "parent_id": "ParentId",
} | _REPORTED | {f"{name}_with_children": f"Hierarchy{field}" for name, field in _REPORTED_ROLLED_UP.items()}


def _campaigns(export: Export, asked: Question) -> tuple:
    every = export["Campaign"]
    rows, left_out = _sort_out(every, "campaigns", _gone(every, asked))
    late = every.loc[every["CreatedDate"] > asked.as_of, "Id"]
    named = pd.DataFrame({ours: rows[theirs] for ours, theirs in _CAMPAIGN.items()})
    table = _table("campaigns", named.assign(parent_id=rows["ParentId"].mask(rows["ParentId"].isin(late)),
                                             n_sent=rows["NumberSent"].round()))
    return check_table(table, "campaigns", "Correct the campaign in Salesforce and export Campaign.csv again"), left_out


_ACCOUNT = {
    "account_id": "Id", "account_name": "Name", "parent_account_id": "ParentId", "account_type": "Type",
    "industry": "Industry", "country": "BillingCountry", "n_employees": "NumberOfEmployees",
    "annual_revenue": "AnnualRevenue", "owner_id": "OwnerId", "created_at": "CreatedDate"}


def _accounts(export: Export, asked: Question) -> tuple:
    every = export["Account"]
    rows, left_out = _sort_out(every, "accounts", _gone_or_merged(every, asked))
    named = pd.DataFrame({ours: rows[theirs] for ours, theirs in _ACCOUNT.items()})
    return _table("accounts", named.assign(n_employees=rows["NumberOfEmployees"].round())), \
        _masters(every, "Account"), left_out


def _people(export: Export, asked: Question, account_of: pd.Series) -> tuple:
    """Make one person of a contact and of the leads that had become it by as_of; map every old id to the person."""
    contacts, contacts_out = _sort_out(
        export["Contact"], "people", _gone_or_merged(export["Contact"], asked))
    leads, leads_out = _sort_out(export["Lead"], "people", _gone_or_merged(export["Lead"], asked))
    masters = pd.concat([_masters(export["Lead"], "Lead"), _masters(export["Contact"], "Contact")])
    leads = sort_rows(_converted(leads, contacts, masters, asked), ["CreatedDate", "Id"])
    contacts = contacts.assign(AccountId=_follow(contacts["AccountId"], account_of))
    account = _follow(leads["ConvertedAccountId"], account_of)
    leads = leads.assign(ConvertedAccountId=account.where(leads["is_converted"]))
    return _people_table(contacts, leads), _person_of(contacts, leads, masters), pd.concat([leads_out, contacts_out])


def _converted(leads: pd.DataFrame, contacts: pd.DataFrame, masters: pd.Series, asked: Question) -> pd.DataFrame:
    contact = _follow(leads["ConvertedContactId"], masters)
    is_converted = (leads["IsConverted"] | contact.notna()) & ~(leads["ConvertedDate"] > asked.today)
    is_there = is_in(contact, contacts["Id"])
    return leads.assign(contact_id=contact, is_converted=is_converted,
                        person_id=contact.where(is_converted & is_there, leads["Id"]))


def _person_of(contacts: pd.DataFrame, leads: pd.DataFrame, masters: pd.Series) -> pd.Series:
    """Map each lead's and contact's id, also of merged ones and of contacts not yet there, to the person's."""
    known = pd.concat([contacts.set_index("Id", drop=False)["Id"], leads.set_index("Id")["person_id"]])
    later = leads.dropna(subset="contact_id").drop_duplicates("contact_id")
    later = later[~is_in(later["contact_id"], known.index)]
    known = pd.concat([known, later.set_index("contact_id")["person_id"]])
    return pd.concat([known, look_up(masters, known).dropna()])


def _people_table(contacts: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    first = leads.drop_duplicates("person_id")
    ids = pd.concat([contacts["Id"], first.loc[~is_in(first["person_id"], contacts["Id"]), "person_id"]],
                    ignore_index=True)
    contact = look_up(ids, contacts.set_index("Id")[
        ["AccountId", "CreatedDate", "LeadSource", "Title", "MailingCountry", "OwnerId"]])
    lead = look_up(ids, first.set_index("person_id")[
        ["Id", "ConvertedAccountId", "CreatedDate", "LeadSource", "Title", "Country", "OwnerId", "Status", "Industry"]])
    converted = look_up(ids, leads[leads["is_converted"]].drop_duplicates("person_id").set_index("person_id")[
        ["ConvertedDate", "ConvertedOpportunityId"]])
    return _table("people", pd.DataFrame({
        "person_id": ids, "account_id": contact["AccountId"].fillna(lead["ConvertedAccountId"]), "lead_id": lead["Id"],
        "contact_id": ids.where(is_in(ids, contacts["Id"])),
        "created_at": pd.concat([contact["CreatedDate"], lead["CreatedDate"]], axis=1).min(axis=1),
        "lead_created_at": lead["CreatedDate"], "converted_on": converted["ConvertedDate"],
        "converted_opportunity_id": converted["ConvertedOpportunityId"], "status": lead["Status"],
        "lead_source": contact["LeadSource"].fillna(lead["LeadSource"]),
        "title": contact["Title"].fillna(lead["Title"]),
        "country": contact["MailingCountry"].fillna(lead["Country"]), "industry": lead["Industry"],
        "owner_id": contact["OwnerId"].fillna(lead["OwnerId"]),
        "is_opted_out": _any_record(ids, contacts, leads, "HasOptedOutOfEmail"),
        "do_not_call": _any_record(ids, contacts, leads, "DoNotCall")}))


def _any_record(ids: pd.Series, contacts: pd.DataFrame, leads: pd.DataFrame, flag: str) -> np.ndarray:
    return is_in(ids, pd.concat([contacts.loc[contacts[flag], "Id"], leads.loc[leads[flag], "person_id"]]))


def _with_status(people: pd.DataFrame, changes: pd.DataFrame, asked: Question) -> pd.DataFrame:
    """Restore the status that each lead had at as_of, where its history tells."""
    last = changes[changes["record_type"] == "lead"].drop_duplicates("record_id", keep="last")
    then = look_up(people["lead_id"], last.set_index("record_id")["stage"]).fillna(people["status"])
    return people.assign(status=then if asked.is_past else people["status"])


def _touches(export: Export, asked: Question, campaigns: pd.DataFrame, people: pd.DataFrame,
             person_of: pd.Series) -> tuple:
    """Take the memberships that count: that responded by as_of, or all where the agreement says so."""
    _check_members(export, asked)
    responded_at = _responded_at(export, asked)
    rows = export["CampaignMember"][
        ["Id", "CampaignId", "LeadId", "ContactId", "Status", "IsDeleted", "CreatedDate", "LastModifiedDate"]]
    rows = rows.assign(touched_at=responded_at.fillna(rows["CreatedDate"]), is_response=responded_at.notna())
    rows, left_out = _sort_out(rows, "touches", _gone(rows, asked) | {
        marked("did not respond"): ~rows["is_response"] & (asked.agreement.touches == "responses")})
    rows = rows.assign(person=_find_people(rows, people, person_of))
    rows, lost = _sort_out(rows, "touches", {
        marked("campaign deleted"): ~is_in(rows["CampaignId"], campaigns["campaign_id"]),
        marked("no person (an account's membership)"): rows["LeadId"].isna() & rows["ContactId"].isna(),
        marked("person deleted or not in the export"): rows["person"] < 0})
    rows, twice = _sort_out(rows, "touches", {marked("same person and campaign twice"): _is_repeat(rows, campaigns)})
    who = people[["person_id", "account_id"]].take(rows["person"]).set_axis(rows.index)
    kinds = pd.Series(["membership", "response"], dtype="str")
    return _table("touches", pd.DataFrame({
        "touch_id": rows["Id"], "person_id": who["person_id"], "account_id": who["account_id"],
        "campaign_id": rows["CampaignId"], "touched_at": rows["touched_at"],
        "kind": kinds.take(rows["is_response"].astype(int)).set_axis(rows.index),
        "joined_at": rows["CreatedDate"], "modified_at": rows["LastModifiedDate"], "status": rows["Status"],
    })), pd.concat([left_out, lost, twice])


def _find_people(members: pd.DataFrame, people: pd.DataFrame, person_of: pd.Series) -> np.ndarray:
    """Find each membership's row in people, by its lead, else by its contact; -1 where neither is known."""
    rows = np.append(find_rows(person_of, people["person_id"]), -1)
    lead, contact = (rows[find_rows(members[column], person_of.index)] for column in ("LeadId", "ContactId"))
    return np.where(lead >= 0, lead, contact)


def _check_members(export: Export, asked: Question) -> None:
    rows, campaigns = export["CampaignMember"], export["Campaign"]
    needed = [f"{name}Id" for name in ("Lead", "Contact") if len(export[name])]
    absent = [column for column in needed if column not in export.columns["CampaignMember"]]
    if absent:
        raise TableError(f"CampaignMember.csv: there is no column {', '.join(absent)}. Export it again with LeadId and "
                         "ContactId.")
    lost = rows.loc[~is_in(rows["CampaignId"], campaigns["Id"]) & ~rows["IsDeleted"]
                    & ~(rows["CreatedDate"] > asked.as_of), "CampaignId"]
    if len(lost):
        raise TableError(f"CampaignMember.csv: CampaignId not found in Campaign.csv in {len(lost):,} of {len(rows):,} "
                         f"rows ({first_keys(lost)}). Export Campaign.csv again, with every campaign.")


def _responded_at(export: Export, asked: Question) -> pd.Series:
    """Date each response by as_of: its day's first moment, or its creation where a response has no day."""
    rows = export["CampaignMember"]
    day = rows["FirstRespondedDate"]
    at = asked.agreement.start_of(day.mask(day > asked.today))
    undated = day.isna() & (_status_responded(export) if _knows_no_response(export) else rows["HasResponded"])
    return at.where(~undated, rows["CreatedDate"])


def _knows_no_response(export: Export) -> bool:
    rows = export["CampaignMember"]
    return not rows["HasResponded"].any() and bool(rows["FirstRespondedDate"].isna().all())


def _status_responded(export: Export) -> pd.Series:
    members, statuses = export["CampaignMember"], export["CampaignMemberStatus"].query("HasResponded and not IsDeleted")
    return (members["CampaignId"] + members["Status"]).isin(statuses["CampaignId"] + statuses["Label"])


def _is_repeat(rows: pd.DataFrame, campaigns: pd.DataFrame) -> pd.Series:
    """Tell which rows repeat a person in a campaign: all but the earliest."""
    pair = rows["person"] * len(campaigns) + find_rows(rows["CampaignId"], campaigns["campaign_id"])
    repeated = rows.loc[pair.duplicated(keep=False), ["touched_at", "CreatedDate", "Id"]].assign(pair=pair)
    later = sort_rows(repeated, ["touched_at", "CreatedDate", "Id"]).duplicated("pair")
    return pd.Series(rows.index.isin(later.index[later]), index=rows.index)


def _opportunities(export: Export, asked: Question, account_of: pd.Series) -> tuple:
    every = export["Opportunity"]
    rows, left_out = _sort_out(every, "opportunities", _gone(every, asked), value="Amount")
    if asked.is_past:
        rows = _restored(rows, _history(export, asked), _stage_ends(export))
    probability = rows["Probability"] / 100
    return _table("opportunities", pd.DataFrame({
        "opportunity_id": rows["Id"], "account_id": _follow(rows["AccountId"], account_of),
        "opportunity_name": rows["Name"], "opportunity_type": rows["Type"], "stage": rows["StageName"],
        "value": rows["Amount"], "probability": probability, "expected_value": (rows["Amount"] * probability).round(2),
        "close_on": rows["CloseDate"], "created_at": rows["CreatedDate"], "is_closed": rows["IsClosed"],
        "is_won": rows["IsWon"], "primary_campaign_id": rows["CampaignId"], "lead_source": rows["LeadSource"],
        "owner_id": rows["OwnerId"]})), left_out


def _history(export: Export, asked: Question) -> pd.DataFrame:
    """List the deals' changes up to as_of, in time; rows of one second stand in the order of their ids."""
    rows = export["OpportunityHistory"]
    return sort_rows(rows[~rows["IsDeleted"] & ~(rows["CreatedDate"] > asked.as_of)],
                     ["OpportunityId", "CreatedDate", "Id"])


def _restored(deals: pd.DataFrame, history: pd.DataFrame, stage_ends: pd.DataFrame) -> pd.DataFrame:
    """Put back the stage, amount, close date and probability that the last change up to as_of left."""
    last = history.drop_duplicates("OpportunityId", keep="last").set_index("OpportunityId")
    is_known = pd.Series(is_in(deals["Id"], last.index), index=deals.index)
    columns = [column for column in ("StageName", "Amount", "CloseDate", "Probability")
               if column != "Probability" or last[column].notna().any()]
    then = deals.assign(**{column: look_up(deals["Id"], last[column]).where(is_known, deals[column])
                           for column in columns})
    return then.assign(IsClosed=then["StageName"].isin(stage_ends.index[stage_ends["IsClosed"]]),
                       IsWon=then["StageName"].isin(stage_ends.index[stage_ends["IsWon"]]))


def _stage_ends(export: Export) -> pd.DataFrame:
    """Learn which stages end a deal and which win it: from the deals in them, else from the history's forecast."""
    deals = export["Opportunity"].groupby("StageName")[["IsClosed", "IsWon"]].max()
    history = export["OpportunityHistory"]
    won = (history["ForecastCategory"] == "Closed") & (history["Probability"] == 100)
    lost = (history["ForecastCategory"] == "Omitted") & (history["Probability"] == 0)
    told = history.assign(IsClosed=won | lost, IsWon=won).groupby("StageName")[["IsClosed", "IsWon"]].max()
    return pd.concat([deals, told[~told.index.isin(deals.index)]])


def _contact_roles(export: Export, asked: Question, deals: pd.DataFrame, person_of: pd.Series) -> tuple:
    rows = export["OpportunityContactRole"]
    rows = rows.assign(person_id=look_up(rows["ContactId"], person_of)).sort_values(["CreatedDate", "Id"])
    rows, left_out = _sort_out(rows, "contact_roles", _gone(rows, asked) | {
        marked("deal deleted or not in the export"): ~is_in(rows["OpportunityId"], deals["opportunity_id"]),
        marked("person deleted or not in the export"): rows["person_id"].isna()})
    rows, twice = _sort_out(rows, "contact_roles", {
        marked("same person and deal twice"): rows.duplicated(["OpportunityId", "person_id"])})
    return _table("contact_roles", pd.DataFrame({
        "contact_role_id": rows["Id"], "opportunity_id": rows["OpportunityId"], "person_id": rows["person_id"],
        "role": rows["Role"], "created_at": rows["CreatedDate"]})), pd.concat([left_out, twice])


def _stage_changes(export: Export, asked: Question, deals: pd.DataFrame, person_of: pd.Series) -> tuple:
    leads, left_out = _lead_changes(export, asked, person_of)
    history = _history(export, asked)
    history, more = _sort_out(history, "stage_changes", {
        marked("deal deleted or not in the export"): ~is_in(history["OpportunityId"], deals["opportunity_id"])})
    changes = pd.DataFrame({
        "change_id": history["Id"], "record_type": "opportunity", "record_id": history["OpportunityId"],
        "person_id": None, "from_stage": history.groupby("OpportunityId")["StageName"].shift(),
        "stage": history["StageName"], "changed_at": history["CreatedDate"], "value": history["Amount"],
        "probability": history["Probability"] / 100, "close_on": history["CloseDate"]})
    table = pd.concat([_table("stage_changes", leads), _table("stage_changes", changes)], ignore_index=True)
    return table, pd.concat([left_out, more])


def _lead_changes(export: Export, asked: Question, person_of: pd.Series) -> tuple:
    """List the leads' statuses: at their creation, at each change, and at the conversion."""
    every = export["LeadHistory"]
    every = sort_rows(every[is_in(every["Field"], ["created", "Status", "leadConverted"])], ["CreatedDate", "Id"])
    every = _with_stages(every.assign(person_id=look_up(every["LeadId"], person_of)), export["Lead"])
    rows, left_out = _sort_out(every, "stage_changes", _gone(every, asked) | {
        marked("lead deleted or not in the export"): every["person_id"].isna(),
        marked("status not known"): every["stage"].isna(),
        marked("conversion told by the status too"): every["is_told"]})
    return rows.assign(change_id=rows["Id"], record_type="lead", record_id=rows["LeadId"], value=np.nan,
                       changed_at=rows["CreatedDate"], probability=np.nan, close_on=pd.NaT), left_out


def _with_stages(rows: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    """Say each row's status before and after: a lead is born with its first change's old status, or the only one."""
    is_change, is_birth = rows["Field"] == "Status", rows["Field"] == "created"
    lead, ids = pd.factorize(rows["LeadId"])         # each id is looked up once, however long the lead's history
    status = look_up(ids.to_series(), leads.set_index("Id")["Status"]).reset_index(drop=True)
    first = rows["OldValue"].set_axis(lead)[is_change.to_numpy()]
    first = first[~first.index.duplicated()]
    never_changed = status[is_in(ids, leads.loc[~leads["IsConverted"], "Id"]) & ~status.index.isin(first.index)]
    now, at_birth = (_spread(each, lead, rows) for each in (status, pd.concat([first, never_changed])))
    stage = rows["NewValue"].where(is_change, at_birth.where(is_birth, now))
    told = lead[is_change & (rows["NewValue"] == now)]
    before = stage.groupby(lead).shift()
    return rows.assign(stage=stage, from_stage=rows["OldValue"].where(is_change, before),
                       is_told=np.isin(lead, told) & ~is_change & ~is_birth)


def _spread(values: pd.Series, numbers: np.ndarray, rows: pd.DataFrame) -> pd.Series:
    return values.reindex(numbers).set_axis(rows.index)


def _field_changes(export: Export, asked: Question, person_of: pd.Series) -> tuple:
    """List when the fields that the agreement dates stages by took their values."""
    parts = [_score_changes(export, asked, stage) if stage.rule == "score" else _field_dates(export, asked, stage)
             for stage in asked.agreement.stages if stage.field]
    if not parts:
        return empty_table("field_changes"), empty_table("left_out")
    rows = pd.concat(parts, ignore_index=True)
    rows, left_out = _sort_out(rows.assign(person_id=look_up(rows["Id"], person_of)), "field_changes", {
        marked("after as_of"): rows["changed_at"] > asked.as_of,
        marked("person deleted or not in the export"): ~is_in(rows["Id"], person_of.index)})
    rows = sort_rows(rows, ["changed_at", "person_id", "number"])
    return _table("field_changes", rows.drop_duplicates(["field", "person_id", "changed_at", "number"])), left_out


def _field_dates(export: Export, asked: Question, stage: Stage) -> pd.DataFrame:
    """Read the dates that leads and contacts carry; a column in which every time is midnight holds local days."""
    has = [name for name in PEOPLE if stage.field in export.columns[name]]
    if not has:
        raise TableError(f"Lead.csv, Contact.csv: there is no column {stage.field}, by which agreement.toml dates the "
                         f"stage {stage.name!r}. Export it, or correct the field.")
    columns = [_stage_field(export, name, stage, "M") for name in has]
    at = pd.concat([pd.to_datetime(column, utc=True) for column in columns]).dropna()
    is_day = (at.dt.normalize() == at).all()
    at = asked.agreement.start_of(at.dt.tz_localize(None)) if is_day else at
    return at.rename("changed_at").rename_axis("Id").reset_index().assign(
        field=stage.field, number=np.nan, number_before=np.nan)


#: What a column holds, by the kind of its type.
_HELD = {"M": "days or times", "f": "numbers", "b": "true or false"}


def _stage_field(export: Export, name: str, stage: Stage, kind: str) -> pd.Series:
    """Give the field by which a stage is dated, by the record's id; a field of the CRM's own may be of another kind."""
    values = export[name][stage.field].set_axis(export[name]["Id"])
    if values.dtype.kind != kind:
        raise TableError(f"{name}.csv: {stage.field} holds {_HELD.get(values.dtype.kind, 'text')}, not {_HELD[kind]}, "
                         f"by which agreement.toml dates the stage {stage.name!r}. Name another field or rule there.")
    return values


def _score_changes(export: Export, asked: Question, stage: Stage) -> pd.DataFrame:
    """Read a score's history; a lead without any has had its score since it was made, if the history is kept."""
    history = export["LeadHistory"].query("Field == @stage.field and not IsDeleted")
    numbers = {ours: pd.to_numeric(history[theirs], errors="coerce") for ours, theirs in (
        ("number", "NewValue"), ("number_before", "OldValue"))}
    changes = history[["LeadId", "CreatedDate"]].set_axis(["Id", "changed_at"], axis=1).assign(
        field=stage.field, **numbers)
    scores = _stage_field(export, "Lead", stage, "f").to_numpy()
    leads = export["Lead"][["Id", "CreatedDate"]].set_axis(["Id", "changed_at"], axis=1).assign(
        field=stage.field, number=scores, number_before=np.nan)
    since = leads[~is_in(leads["Id"], changes["Id"]) & bool(len(changes))]
    return pd.concat([changes, since.dropna(subset="number")], ignore_index=True)


def _activities(export: Export, asked: Question, deals: pd.DataFrame, people: pd.DataFrame, person_of: pd.Series,
                account_of: pd.Series) -> tuple:
    tasks, tasks_out = _sort_out(export["Task"], "activities", _gone(export["Task"], asked))
    events = export["Event"]
    events, events_out = _sort_out(events, "activities", _gone(events, asked) | {
        marked("attendee's copy"): events["IsChild"]})
    rows = pd.concat([_tasks(tasks), _events(events, asked)], ignore_index=True)
    person = look_up(rows["WhoId"], person_of)
    deal = rows["WhatId"].where(is_in(rows["WhatId"], deals["opportunity_id"]))
    account = _follow(rows["AccountId"], account_of).fillna(
        look_up(deal, deals.set_index("opportunity_id")["account_id"])).fillna(
        look_up(person, people.set_index("person_id")["account_id"]))
    is_done = rows["done_at"] <= asked.as_of
    return _table("activities", rows.assign(
        activity_id=rows["Id"], person_id=person, account_id=account, opportunity_id=deal, is_done=is_done,
        done_at=rows["done_at"].where(is_done), due_on=rows["ActivityDate"], owner_id=rows["OwnerId"],
        created_at=rows["CreatedDate"])), pd.concat([tasks_out, events_out])


_KINDS = {"call": "call", "email": "email", "list email": "list_email", "listemail": "list_email",
          "linkedin": "linkedin", "task": "task", "cadence": "task"}
_WORDS = {"list_email": r"list e-?mail|mass e-?mail", "linkedin": "linkedin", "email": "e-?mail", "call": "call|phone",
          "meeting": "meeting|visit|demo"}


def _tasks(rows: pd.DataFrame) -> pd.DataFrame:
    kind = look_up(rows["TaskSubtype"].str.lower(), pd.Series(_KINDS)).fillna(_kind_by_words(rows))
    edited = rows["LastModifiedDate"].mask(kind.isin(["call", "email"])).fillna(rows["CreatedDate"])
    return rows.assign(kind=kind, is_outbound=~rows["CallType"].isin(["Inbound", "Internal"]),
                       done_at=rows["CompletedDateTime"].fillna(edited).where(rows["IsClosed"]))


def _kind_by_words(rows: pd.DataFrame) -> pd.Series:
    """Guess what a task was from its type, else from its subject; a list e-mail from either."""
    kind = pd.Series("task", index=rows.index, dtype="str")
    for column in ("Subject", "Type"):
        for word, pattern in reversed(_WORDS.items()):
            kind = kind.mask(rows[column].str.contains(pattern, case=False, na=False), word)
    return kind.mask(rows["Subject"].str.contains(_WORDS["list_email"], case=False, na=False), "list_email")


def _events(rows: pd.DataFrame, asked: Question) -> pd.DataFrame:
    day = asked.agreement.start_of(rows["ActivityDate"])
    start = rows["StartDateTime"].fillna(rows["ActivityDateTime"]).fillna(day)
    return rows.assign(kind="meeting", is_outbound=True, done_at=start)


def _owners(export: Export) -> pd.DataFrame:
    rows = export["User"]
    is_human = ~rows["IsSystemControlled"] & (rows["UserType"].fillna("Standard") == "Standard")
    return _table("owners", pd.DataFrame({"owner_id": rows["Id"], "team": rows["Department"],
                                          "is_active": rows["IsActive"], "is_human": is_human}))


#: What follows when a file, or a column in a file that is there, is absent or says nothing.
_CONSEQUENCES = {
    ("Lead", ""): "leads are not known: no lead, MQL or SQL can be counted, and memberships of leads are left out",
    ("Contact", ""): "contacts are not known: memberships and contact roles of contacts who were no leads are left out",
    ("Account", ""): "accounts are not known by name",
    ("CampaignMember", ""): "no membership is known: without touches no credit can be shared",
    ("Opportunity", ""): "no deal is known: nothing was won as far as this export tells",
    ("Lead", "ConvertedDate"): "conversions are taken as old as the contact, also for an earlier as_of",
    ("Campaign", "StartDate"): "costs are spread from the day on which the campaign's record was made",
    ("Campaign", "EndDate"): "costs are spread up to the day of the export",
    ("Campaign", "ParentId"): "every campaign stands alone: figures do not roll up",
    ("Campaign", "ActualCost"): "cost, ROI, ROMI and cost per lead cannot be computed",
    ("Campaign", "BudgetedCost"): "budget against actual cannot be computed",
    ("Campaign", "HierarchyActualCost"): "the roll-up cannot be reconciled with Salesforce's own",
    ("Campaign", "AmountWonOpportunities"): "Salesforce's own ROI is computed from the deals' primary campaign source",
    ("Opportunity", "CampaignId"): "there is no primary campaign source: Salesforce's own ROI cannot stand beside ours",
    ("Opportunity", "Probability"): "expected values, and with them the open pipeline's worth, cannot be computed",
    ("OpportunityContactRole", ""): "people are linked to deals by account only",
    ("OpportunityHistory", ""): "amounts, stages and close dates stand as exported, also for an earlier as_of",
    ("LeadHistory", ""): "MQL and SQL cannot be dated",
    ("Task", ""): "calls, e-mails and tasks of sales are not known",
    ("Task", "TaskSubtype"): "calls and e-mails are told by Type, else by words in Subject",
    ("Task", "CompletedDateTime"): "calls and e-mails are dated by their creation, other tasks by their last edit",
    ("Event", ""): "meetings are not known",
    ("User", ""): "owners' teams, and which of them are automated, are not known",
}


def _missing(export: Export, asked: Question, deals: pd.DataFrame, exported_at: pd.Timestamp) -> pd.DataFrame:
    lacking = [(f"{name}.csv" + f": {column}" * bool(column), _(consequence))
               for (name, column), consequence in _CONSEQUENCES.items()
               if export.lacks(name, column) and not (column and export.lacks(name))]
    said = [*lacking, *_missing_responses(export, asked), *_missing_cells(export, asked, deals),
            *_missing_statuses(export, asked), *_missing_scores(export, asked),
            *_missing_past(export, asked, exported_at)]
    return _table("missing", pd.DataFrame(said, columns=["source", "consequence"]))


def _missing_responses(export: Export, asked: Question) -> list[tuple[str, str]]:
    rows = export["CampaignMember"]
    undated = rows["HasResponded"] & rows["FirstRespondedDate"].isna()
    if not len(rows):
        return []
    if not _knows_no_response(export):
        text = _("{n} responses have no day and are dated by the membership's creation")
        return [("CampaignMember.csv: FirstRespondedDate", text.format(n=number(undated.sum())))] * bool(undated.any())
    if len(export["CampaignMemberStatus"]):
        return [("CampaignMember.csv: HasResponded, FirstRespondedDate", _(
            "responses are told by CampaignMemberStatus.csv and dated by the membership's creation"))]
    return [("CampaignMember.csv: HasResponded, FirstRespondedDate", _(
        "no membership is known to have responded: without touches no credit can be shared. To count memberships, "
        'write count = "memberships" under [touches] in agreement.toml'))] * (asked.agreement.touches == "responses")


def _missing_cells(export: Export, asked: Question, deals: pd.DataFrame) -> list[tuple[str, str]]:
    contacts = export["Contact"][~export["Contact"]["IsDeleted"] & ~(export["Contact"]["CreatedDate"] > asked.as_of)]
    alone, worthless = contacts["AccountId"].isna().sum(), deals["value"].isna().sum()
    unlinked = _("{n} of {total} contacts have no account: their touches are linked to deals by contact role only")
    unpriced = _("{n} of {total} deals have no amount and count as worth nothing")
    return [("Contact.csv: AccountId", unlinked.format(n=number(alone), total=number(len(contacts))))] * bool(alone) + \
        _missing_spans(export["Campaign"]) + [
        ("Opportunity.csv: Amount", unpriced.format(n=number(worthless), total=number(len(deals))))] * bool(worthless)


def _missing_spans(campaigns: pd.DataFrame) -> list[tuple[str, str]]:
    backwards = campaigns.loc[campaigns["EndDate"] < campaigns["StartDate"], "Id"]
    text = _("{n} of {total} campaigns end before they start (first: {keys}): their whole cost falls on the first day")
    return [("Campaign.csv: EndDate", text.format(
        n=number(len(backwards)), total=number(len(campaigns)),
        keys=first_keys(backwards).removeprefix("first: ")))] * bool(len(backwards))


def _missing_statuses(export: Export, asked: Question) -> list[tuple[str, str]]:
    """Name the statuses that the agreement counts by and that no lead ever had: a slip, or a lost history."""
    history = export["LeadHistory"]
    changes = history.loc[history["Field"] == "Status", ["OldValue", "NewValue"]]
    seen = pd.concat([export["Lead"]["Status"], changes["OldValue"], changes["NewValue"]]).dropna().unique()
    unseen = [(stage.name, value) for stage in asked.agreement.stages if stage.rule == "lead_status"
              for value in stage.values if value not in seen]
    source, text = _("agreement.toml: values of stage {name!r}"), _(
        "no lead ever had the status {value!r}; statuses seen: {seen}")
    return [(source.format(name=name), text.format(value=value, seen=", ".join(sorted(map(str, seen)))))
            for name, value in unseen] * bool(len(export["Lead"]))


def _missing_scores(export: Export, asked: Question) -> list[tuple[str, str]]:
    fields = export["LeadHistory"]["Field"]
    text = _("its changes are not kept: nobody can be dated into {stage!r}")
    return [(f"LeadHistory.csv: {stage.field}", text.format(stage=stage.name))
            for stage in asked.agreement.stages if stage.rule == "score" and not is_in(
                pd.Series([stage.field]), fields)[0]]


def _missing_past(export: Export, asked: Question, exported_at: pd.Timestamp) -> list[tuple[str, str]]:
    if not asked.is_past:
        return []
    deals = export["Opportunity"][~export["Opportunity"]["IsDeleted"]]
    deals = deals[~(deals["CreatedDate"] > asked.as_of)]
    untold = (~is_in(deals["Id"], _history(export, asked)["OpportunityId"])).sum()
    text = _("{n} of {total} deals have no history up to as_of and stand as exported")
    rest = _("merges, deletions, the campaign tree, costs, names, owners, accounts and membership statuses stand as "
             "exported on {day}")
    return [("OpportunityHistory.csv", text.format(n=number(untold), total=number(len(deals))))] * bool(
        untold and len(export["OpportunityHistory"])) + [
        (_("history of anything but deals and lead statuses"), rest.format(day=day(exported_at)))]
