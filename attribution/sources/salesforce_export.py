"""Write a company's records as a Salesforce export: Data Export Service or Bulk API 2.0 files, as of a moment.

The tables come with every moment at which a record changed; a record made after the export is not written, and a later
edit of an earlier record is not seen.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike
from pyarrow import csv

ALPHABET = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", np.uint8)
CHECKSUM = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", np.uint8)
PREFIXES = {"Account": "001", "Contact": "003", "Lead": "00Q", "Opportunity": "006", "Campaign": "701",
            "CampaignMember": "00v", "CampaignMemberStatus": "01Y", "OpportunityContactRole": "00K",
            "OpportunityHistory": "008", "LeadHistory": "017", "Task": "00T", "Event": "00U", "User": "005",
            "Queue": "00G"}
Cells = dict[str, pa.Array]


@dataclass(frozen=True)
class Dialect:
    """How a kind of export writes its cells."""

    null_reference: str
    flags: tuple[str, str]
    day_end: str                                     # what follows the ISO day in a cell that holds a day
    moment: tuple[str, str]                          # between day and time, and after the time
    encoding: str
    has_subtype: bool                                # the Data Export Service leaves Task.TaskSubtype out


DIALECTS = {
    "data_export": Dialect("000000000000000AAA", ("0", "1"), " 00:00:00", (" ", ""), "iso-8859-1", False),
    "bulk": Dialect("", ("false", "true"), "", ("T", ".000Z"), "utf-8-sig", True),
}


def record_ids(kind: str, numbers: ArrayLike) -> pa.Array:
    """Make 18-character ids of a kind of record from its numbers; -1 gives null.

    Each of the last three characters says which of five others are capitals, so that ids differ without their case.

    >>> record_ids("Account", [0, -1]).to_pylist()
    ['0015g000AAMLQNyAYP', None]
    """
    numbers = np.asarray(numbers, np.int64)
    letters = np.empty((len(numbers), 18), np.uint8)
    letters[:, :8] = np.frombuffer((PREFIXES[kind] + "5g000").encode(), np.uint8)
    rest = np.maximum(numbers, 0) * 7919 + 180_000_000
    for place in range(14, 7, -1):
        rest, digit = np.divmod(rest, 62)
        letters[:, place] = ALPHABET[digit]
    is_capital = (letters[:, :15] >= ord("A")) & (letters[:, :15] <= ord("Z"))
    letters[:, 15:] = CHECKSUM[is_capital.reshape(-1, 3, 5) @ (1 << np.arange(5))]
    offsets = np.arange(len(letters) + 1, dtype=np.int32) * 18
    text = pa.Array.from_buffers(pa.string(), len(letters), [None, pa.py_buffer(offsets), pa.py_buffer(letters)])
    return pc.if_else(pa.array(numbers < 0), pa.scalar(None, pa.string()), text)


def campaign_ids(numbers: ArrayLike) -> pd.Series:
    """Give the ids that campaigns have in the export.

    >>> campaign_ids([0])[0][:3]
    '701'
    """
    return record_ids("Campaign", numbers).to_pandas().astype("str")


@dataclass(frozen=True)
class _Snapshot:
    """The company at the export: its tables cut at that moment, and how to write a cell of each kind."""

    tables: Mapping[str, pd.DataFrame]
    now: np.datetime64
    dialect: Dialect

    def ref(self, kind: str, numbers: ArrayLike) -> pa.Array:
        return pc.fill_null(record_ids(kind, numbers), self.dialect.null_reference)

    def moment(self, values: ArrayLike) -> pa.Array:
        text = pc.cast(pa.array(np.asarray(values, "datetime64[s]")), pa.string())
        between, end = self.dialect.moment
        return _with_end(text if between == " " else pc.replace_substring(text, " ", between), end)

    def day(self, values: ArrayLike) -> pa.Array:
        days = np.asarray(values, "datetime64[us]").astype("datetime64[D]")
        return _with_end(pc.cast(pa.array(days), pa.string()), self.dialect.day_end)

    def flag(self, values: ArrayLike) -> pa.Array:
        no, yes = self.dialect.flags
        return pc.if_else(pa.array(np.asarray(values, bool)), yes, no)

    def seen(self, moments: ArrayLike) -> np.ndarray:
        """Keep the moments up to the export."""
        moments = np.asarray(moments, "datetime64[us]")
        return np.where(moments <= self.now, moments, np.datetime64("NaT", "us"))

    def stamps(self, created_at: ArrayLike, *edits: ArrayLike, author: int = 12) -> Cells:
        last = np.asarray(created_at, "datetime64[us]")
        for edit in edits:
            last = np.fmax(last, self.seen(edit))
        who = record_ids("User", np.full(len(last), author))
        return {"CreatedDate": self.moment(created_at), "CreatedById": who, "LastModifiedDate": self.moment(last),
                "LastModifiedById": who, "SystemModstamp": self.moment(last)}


def _with_end(text: pa.Array, end: str) -> pa.Array:
    return pc.binary_join_element_wise(text, end, "") if end else text


def _text(values: ArrayLike) -> pa.Array:
    return pa.array(values, pa.string(), from_pandas=True)


def _constant(value: str, table: pd.DataFrame) -> pa.Array:
    return pa.DictionaryArray.from_arrays(np.zeros(len(table), np.int8), [value]).cast(pa.string())


def _whole(values: ArrayLike) -> pa.Array:
    return pa.array(np.asarray(values, float), from_pandas=True).cast(pa.int64()).cast(pa.string())


def _money(values: ArrayLike) -> pa.Array:
    cents = pa.array(np.round(np.asarray(values, float) * 100), from_pandas=True).cast(pa.int64())
    euros = pc.divide(cents, 100)
    rest = pc.utf8_lpad(pc.subtract(cents, pc.multiply(euros, 100)).cast(pa.string()), 2, "0")
    return pc.binary_join_element_wise(euros.cast(pa.string()), rest, ".")


def _email(people: pd.DataFrame, number: str) -> pa.Array:
    fold = str.maketrans("äöåøüÄÖÅØÜ", "aoaouaoaou")
    first, last = (people[name].astype("category") for name in ("first_name", "last_name"))
    folded = (_text(part.cat.categories.str.translate(fold).str.lower()) for part in (first, last))
    parts = [names.take(pa.array(part.cat.codes)) for names, part in zip(folded, (first, last), strict=True)]
    return _with_end(pc.binary_join_element_wise(*parts, _whole(people[number]), "."), "@example.com")


def _cut(tables: Mapping[str, pd.DataFrame], now: np.datetime64) -> dict[str, pd.DataFrame]:
    cut = {name: _until(tables[name], "created_at", now)
           for name in ("users", "campaigns", "accounts", "leads", "roles", "deals", "activities")}
    cut |= {name: _until(tables[name], column, now) for name, column in
            (("statuses", "at"), ("memberships", "joined_at"), ("deal_changes", "changed_at"))}
    cut |= {"people": tables["people"], "member_statuses": tables["member_statuses"], "companies": tables["accounts"]}
    return cut | {"memberships": _members_now(cut, now), "leads": _leads_now(cut, now), "deals": _deals_now(cut, now),
                  "contacts": _until(tables["people"], "contact_at", now)}


def _until(table: pd.DataFrame, column: str, now: np.datetime64) -> pd.DataFrame:
    return table[table[column].to_numpy() <= now]


def _members_now(cut: dict[str, pd.DataFrame], now: np.datetime64) -> pd.DataFrame:
    members, people = cut["memberships"], cut["people"]
    person, lead = members["person_id"].to_numpy(), members["lead_id"].to_numpy()
    leads = cut["leads"].set_index("lead_id")
    contact_at = people["contact_at"].to_numpy()[person]
    converted_at = np.where(lead == person, contact_at, leads["converted_at"].reindex(lead).to_numpy())
    joined_at, responded_at = members["joined_at"].to_numpy(), members["responded_at"].to_numpy()
    has_lead = leads.index.get_indexer(lead) >= 0
    has_lead &= ~(converted_at <= joined_at)
    is_reset = members["is_reset"] & (members["edited_at"].to_numpy() <= now)
    status = np.where(members["edited_at"].to_numpy() <= now, members["status_edited"],
                      np.where(responded_at <= now, members["status_at_response"], members["status"]))
    return members.assign(has_lead=has_lead, has_contact=converted_at <= now, converted_at=converted_at, status=status,
                          is_deleted=members["deleted_at"].to_numpy() <= now,
                          has_responded=(responded_at <= now) & ~is_reset)


def _leads_now(cut: dict[str, pd.DataFrame], now: np.datetime64) -> pd.DataFrame:
    leads = cut["leads"]
    last = cut["statuses"].drop_duplicates("person_id", keep="last").set_index("person_id")
    is_own = (leads["lead_id"] == leads["person_id"]).to_numpy()
    is_converted = leads["converted_at"].to_numpy() <= now
    second = np.where(is_converted, "Closed - Converted", "Open")
    status = np.where(is_own, last["status"].reindex(leads["person_id"]), second)
    edited_at = np.where(is_own, last["at"].reindex(leads["person_id"]), leads["created_at"])
    called = cut["statuses"].query("status == 'Working'").drop_duplicates("person_id").set_index("person_id")["at"]
    is_called = called.reindex(leads["person_id"]).notna().to_numpy() & is_own
    return leads.assign(status=status, edited_at=edited_at, is_converted=is_converted,
                        is_queued=leads["is_queued"].to_numpy() & ~is_called & ~is_converted,
                        is_deleted=leads["deleted_at"].to_numpy() <= now)


def _deals_now(cut: dict[str, pd.DataFrame], now: np.datetime64) -> pd.DataFrame:
    last = cut["deal_changes"].drop_duplicates("deal_id", keep="last")
    deals = cut["deals"][["deal_id", "account_id", "n_deal", "person_id", "is_existing", "is_from_lead", "source_id",
                          "created_at", "deleted_at"]]
    deals = deals.merge(last, on="deal_id", how="left", validate="1:1")
    return deals.assign(is_won=deals["stage"].eq("Closed Won"), is_deleted=deals["deleted_at"].to_numpy() <= now,
                        is_closed=deals["stage"].str.startswith("Closed").astype(bool))


def _users(at: _Snapshot) -> Cells:
    users = at.tables["users"].query("kind != 'queue'")
    is_human = users["kind"].eq("human")
    email = _email(users, "user_id")
    return {
        "Id": record_ids("User", users["user_id"]), "Username": email,
        "FirstName": _text(users["first_name"].where(is_human, "Marketing")),
        "LastName": _text(users["last_name"].where(is_human, "Automation")), "Department": _text(users["team"]),
        "Email": email,
        "Alias": _text("u" + users["user_id"].astype(str)), "IsActive": at.flag(users["is_active"]),
        "IsSystemControlled": at.flag(~is_human), "TimeZoneSidKey": _constant("Europe/Helsinki", users),
        "UserType": _text(pd.Series("Standard", users.index).where(is_human, "AutomatedProcess")),
    } | at.stamps(users["created_at"], author=0)


def _campaigns(at: _Snapshot) -> Cells:
    campaigns, today = at.tables["campaigns"], at.now.astype("datetime64[D]")
    first, last = (campaigns[day].to_numpy("datetime64[D]") for day in ("starts_on", "ends_on"))
    status = np.select([first > today, last < today], ["Planned", "Completed"], "In Progress")
    money = {"ExpectedRevenue": campaigns["expected_revenue"], "BudgetedCost": campaigns["budgeted_cost"],
             "ActualCost": _cost_to_date(campaigns, first, last, today)}
    money |= _deal_amounts(at, campaigns)
    counts = _member_counts(at, campaigns) | _deal_counts(at, campaigns)
    own = {name: _money(values) for name, values in money.items()}
    own |= {name: _whole(values) for name, values in counts.items()}
    below = {f"Hierarchy{name}": _money(_roll_up(campaigns, values)) for name, values in money.items()}
    below |= {f"Hierarchy{name}": _whole(_roll_up(campaigns, values)) for name, values in counts.items()}
    return {
        "Id": record_ids("Campaign", campaigns["campaign_id"]), "IsDeleted": at.flag(np.zeros(len(campaigns))),
        "Name": _text(campaigns["campaign_name"]), "ParentId": at.ref("Campaign", campaigns["parent_id"]),
        "Type": _text(campaigns["channel"]), "Status": _text(status), "StartDate": at.day(first),
        "EndDate": at.day(last),
        "CurrencyIsoCode": _constant("EUR", campaigns),
        "IsActive": at.flag((first <= today) & (last > today - np.timedelta64(180, "D"))), **own, **below,
        "OwnerId": record_ids("User", campaigns["owner_id"]),
    } | at.stamps(campaigns["created_at"], author=0)


def _cost_to_date(campaigns: pd.DataFrame, first: np.ndarray, last: np.ndarray, today: np.datetime64) -> np.ndarray:
    day = np.timedelta64(1, "D")
    share = np.clip((np.minimum(today, last) - first + day) / (last - first + day), 0, 1)
    return np.where(share > 0, (campaigns["actual_cost"] * share).round(2), np.nan)


def _member_counts(at: _Snapshot, campaigns: pd.DataFrame) -> dict[str, np.ndarray]:
    members = at.tables["memberships"].query("not is_deleted")
    has_lead, has_contact = members["has_lead"], members["has_contact"]
    is_sent = members["channel"].isin(["Email", "Direct Mail"])
    counted = {"NumberSent": is_sent, "NumberOfLeads": has_lead, "NumberOfConvertedLeads": has_lead & has_contact,
               "NumberOfContacts": has_contact, "NumberOfResponses": members["has_responded"]}
    return {name: _sums(campaigns, members["campaign_id"], rows) for name, rows in counted.items()}


def _deal_counts(at: _Snapshot, campaigns: pd.DataFrame) -> dict[str, np.ndarray]:
    deals = at.tables["deals"].query("not is_deleted and source_id >= 0")
    counted = {"NumberOfOpportunities": ~deals["is_deleted"], "NumberOfWonOpportunities": deals["is_won"]}
    return {name: _sums(campaigns, deals["source_id"], rows) for name, rows in counted.items()}


def _deal_amounts(at: _Snapshot, campaigns: pd.DataFrame) -> dict[str, np.ndarray]:
    deals = at.tables["deals"].query("not is_deleted and source_id >= 0")
    amount = deals["amount"].fillna(0)
    summed = {"AmountAllOpportunities": amount, "AmountWonOpportunities": amount * deals["is_won"]}
    return {name: _sums(campaigns, deals["source_id"], values) for name, values in summed.items()}


def _sums(campaigns: pd.DataFrame, campaign: pd.Series, values: pd.Series) -> np.ndarray:
    size = campaigns["campaign_id"].max() + 1
    return np.bincount(campaign, values.to_numpy(float), minlength=size)[campaigns["campaign_id"]]


def _roll_up(campaigns: pd.DataFrame, values: ArrayLike) -> np.ndarray:
    total = dict(zip(campaigns["campaign_id"], np.nan_to_num(np.asarray(values, float)), strict=True))
    for number, parent in zip(campaigns["campaign_id"][::-1], campaigns["parent_id"][::-1], strict=True):
        if parent >= 0:
            total[parent] += total[number]
    return np.array([total[number] for number in campaigns["campaign_id"]])


def _members(at: _Snapshot) -> Cells:
    members = at.tables["memberships"]
    lead = np.where(members["has_lead"], members["lead_id"], -1)
    contact = np.where(members["has_contact"], members["person_id"], -1)
    return {
        "Id": record_ids("CampaignMember", members.index), "IsDeleted": at.flag(members["is_deleted"]),
        "CampaignId": record_ids("Campaign", members["campaign_id"]), "LeadId": at.ref("Lead", lead),
        "ContactId": at.ref("Contact", contact), "Status": _text(members["status"]),
        "HasResponded": at.flag(members["has_responded"]),
    } | at.stamps(members["joined_at"], members["responded_at"], members["edited_at"], members["converted_at"],
                  members["deleted_at"]) | {
        "FirstRespondedDate": at.day(at.seen(members["responded_at"])), "CurrencyIsoCode": _constant("EUR", members)}


def _member_statuses(at: _Snapshot) -> Cells:
    campaigns = at.tables["campaigns"][["campaign_id", "channel", "created_at"]]
    statuses = campaigns.merge(at.tables["member_statuses"], on="channel", validate="m:m")
    order = statuses["sort_order"]
    return {
        "Id": record_ids("CampaignMemberStatus", statuses["campaign_id"] * 10 + order), "IsDeleted": at.flag(order < 0),
        "CampaignId": record_ids("Campaign", statuses["campaign_id"]), "Label": _text(statuses["status"]),
        "SortOrder": _whole(order), "IsDefault": at.flag(order == 1),
        "HasResponded": at.flag(statuses["has_responded"]),
    } | at.stamps(statuses["created_at"], author=0)


def _leads(at: _Snapshot) -> Cells:
    leads = at.tables["leads"]
    people = at.tables["people"].iloc[leads["person_id"]].reset_index(drop=True)
    accounts = at.tables["companies"].iloc[people["account_id"]]
    owner = pc.if_else(pa.array(leads["is_queued"].to_numpy()), record_ids("Queue", np.full(len(leads), 14)),
                       record_ids("User", people["owner_id"]))
    is_merged = leads["merged_at"].to_numpy() <= at.now
    return {
        "Id": record_ids("Lead", leads["lead_id"]), "IsDeleted": at.flag(leads["is_deleted"]),
        "MasterRecordId": at.ref("Lead", np.where(is_merged, leads["person_id"], -1)),
        **_lead_person(people, accounts, leads["is_junk"].to_numpy()), "LeadSource": _text(leads["lead_source"]),
        "Status": _text(leads["status"]), "Industry": _text(accounts["industry"]),
        "CurrencyIsoCode": _constant("EUR", leads), "OwnerId": owner,
        "HasOptedOutOfEmail": at.flag(people["opted_out_at"].to_numpy() <= at.now),
        **_lead_conversion(at, leads, people),
        "IsUnreadByOwner": at.flag(leads["status"] == "Open"), "DoNotCall": at.flag(people["do_not_call"]),
    } | at.stamps(leads["created_at"], leads["edited_at"], leads["converted_at"], leads["deleted_at"])


def _lead_person(people: pd.DataFrame, accounts: pd.DataFrame, is_junk: np.ndarray) -> Cells:
    names = {"FirstName": "first_name", "LastName": "last_name", "Title": "title"}
    return {
        **{name: _text(np.where(is_junk, "Test", people[column])) for name, column in names.items()},
        "Company": _text(np.where(is_junk, "Test", accounts["account_name"])), "Country": _text(accounts["country"]),
        "Email": _email(people, "person_id")}


def _lead_conversion(at: _Snapshot, leads: pd.DataFrame, people: pd.DataFrame) -> Cells:
    is_converted = leads["is_converted"].to_numpy()
    contact, account = (np.where(is_converted, people[key], -1) for key in ("person_id", "account_id"))
    return {
        "IsConverted": at.flag(is_converted), "ConvertedDate": at.day(at.seen(leads["converted_at"])),
        "ConvertedAccountId": at.ref("Account", account), "ConvertedContactId": at.ref("Contact", contact),
        "ConvertedOpportunityId": at.ref("Opportunity", np.where(is_converted, leads["deal_id"], -1))}


def _lead_history(at: _Snapshot) -> Cells:
    statuses = at.tables["statuses"]
    first = statuses["from_status"].isna()
    converted = statuses[statuses["status"] == "Closed - Converted"].assign(status=None, from_status=None)
    number = np.concatenate([statuses.index * 2, converted.index * 2 + 1])
    field = np.concatenate([np.where(first, "created", "Status"), np.full(len(converted), "leadConverted")])
    rows = pd.concat([statuses.assign(status=statuses["status"].mask(first)), converted])
    owner = at.tables["people"]["owner_id"].iloc[rows["person_id"]]
    return {
        "Id": record_ids("LeadHistory", number), "IsDeleted": at.flag(number < 0),
        "LeadId": record_ids("Lead", rows["person_id"]), "CreatedById": record_ids("User", owner),
        "CreatedDate": at.moment(rows["at"]), "Field": _text(field), "OldValue": _text(rows["from_status"]),
        "NewValue": _text(rows["status"]), "DataType": _constant("Text", rows),
    }


def _contacts(at: _Snapshot) -> Cells:
    contacts = at.tables["contacts"]
    return {
        "Id": record_ids("Contact", contacts["person_id"]), "IsDeleted": at.flag(np.zeros(len(contacts))),
        "MasterRecordId": at.ref("Contact", np.full(len(contacts), -1)),
        "AccountId": record_ids("Account", contacts["account_id"]),
        "FirstName": _text(contacts["first_name"]), "LastName": _text(contacts["last_name"]),
        "Title": _text(contacts["title"]),
        "Email": _email(contacts, "person_id"), "CurrencyIsoCode": _constant("EUR", contacts),
        "OwnerId": record_ids("User", contacts["owner_id"]),
        "HasOptedOutOfEmail": at.flag(contacts["opted_out_at"].to_numpy() <= at.now),
        "DoNotCall": at.flag(contacts["do_not_call"]),
    } | at.stamps(contacts["contact_at"], contacts["opted_out_at"])


def _accounts(at: _Snapshot) -> Cells:
    accounts, deals = at.tables["accounts"], at.tables["deals"]
    is_customer = accounts["account_id"].isin(deals.loc[deals["is_won"], "account_id"])
    return {
        "Id": record_ids("Account", accounts["account_id"]), "IsDeleted": at.flag(np.zeros(len(accounts))),
        "Name": _text(accounts["account_name"]), "ParentId": at.ref("Account", np.full(len(accounts), -1)),
        "Type": _text(np.where(is_customer, "Customer - Direct", "Prospect")),
        "BillingCountry": _text(accounts["country"]),
        "Industry": _text(accounts["industry"]), "AnnualRevenue": _money(accounts["annual_revenue"]),
        "NumberOfEmployees": _whole(accounts["n_employees"]), "CurrencyIsoCode": _constant("EUR", accounts),
        "OwnerId": record_ids("User", accounts["owner_id"]),
    } | at.stamps(accounts["created_at"])


def _forecast(probability: pd.Series) -> np.ndarray:
    return np.select([probability == 0, probability == 1, probability >= 0.8, probability >= 0.6],
                     ["Omitted", "Closed", "Forecast", "BestCase"], "Pipeline")


def _opportunities(at: _Snapshot) -> Cells:
    deals = at.tables["deals"]
    accounts = at.tables["companies"].iloc[deals["account_id"]]
    number = (deals["n_deal"] + 2).astype(str).to_numpy()
    day = deals["close_on"]
    return {
        "Id": record_ids("Opportunity", deals["deal_id"]), "IsDeleted": at.flag(deals["is_deleted"]),
        "AccountId": record_ids("Account", deals["account_id"]),
        "Name": _text(accounts["account_name"] + " - deal " + number),
        "StageName": _text(deals["stage"]), "Amount": _money(deals["amount"]),
        "Probability": _whole(deals["probability"] * 100),
        "ExpectedRevenue": _money(deals["amount"] * deals["probability"]), "CloseDate": at.day(day),
        "Type": _text(np.where(deals["is_existing"], "Existing Business", "New Business")),
        "LeadSource": _text(pd.Series("Web", deals.index).where(deals["is_from_lead"].astype(bool))),
        "IsClosed": at.flag(deals["is_closed"]), "IsWon": at.flag(deals["is_won"]),
        "ForecastCategory": _text(_forecast(deals["probability"])), "CurrencyIsoCode": _constant("EUR", deals),
        "CampaignId": at.ref("Campaign", deals["source_id"]),
        "OwnerId": record_ids("User", accounts["owner_id"]),
        "FiscalYear": _whole(day.dt.year), "FiscalQuarter": _whole(day.dt.quarter),
        "ContactId": at.ref("Contact", _primary_contacts(at, deals)),
    } | at.stamps(deals["created_at"], deals["changed_at"], deals["deleted_at"])


def _primary_contacts(at: _Snapshot, deals: pd.DataFrame) -> np.ndarray:
    primary = at.tables["roles"].query("is_primary").set_index("deal_id")["person_id"]
    return primary.reindex(deals["deal_id"]).fillna(-1).to_numpy(int)


def _opportunity_history(at: _Snapshot) -> Cells:
    changes = at.tables["deal_changes"]
    before = changes.groupby("deal_id")[["stage", "amount", "close_on", "probability"]].shift()
    is_deleted = at.tables["deals"].set_index("deal_id")["is_deleted"].reindex(changes["deal_id"])
    return {
        "Id": record_ids("OpportunityHistory", changes.index),
        "OpportunityId": record_ids("Opportunity", changes["deal_id"]),
        "CreatedById": record_ids("User", np.full(len(changes), 4)), "CreatedDate": at.moment(changes["changed_at"]),
        "StageName": _text(changes["stage"]), "Amount": _money(changes["amount"]),
        "ExpectedRevenue": _money(changes["amount"] * changes["probability"]), "CloseDate": at.day(changes["close_on"]),
        "Probability": _whole(changes["probability"] * 100),
        "ForecastCategory": _text(_forecast(changes["probability"])),
        "FromOpportunityStageName": _text(before["stage"]), "CurrencyIsoCode": _constant("EUR", changes),
        "SystemModstamp": at.moment(changes["changed_at"]), "IsDeleted": at.flag(is_deleted),
        "PrevAmount": _money(before["amount"]), "PrevCloseDate": at.day(before["close_on"]),
    }


def _roles(at: _Snapshot) -> Cells:
    roles = at.tables["roles"]
    short = (pc.utf8_slice_codeunits(record_ids(kind, roles[key]), 0, 15)
             for kind, key in (("Opportunity", "deal_id"), ("Contact", "person_id")))
    deal, person = short
    return {"Id": record_ids("OpportunityContactRole", roles.index), "OpportunityId": deal, "ContactId": person,
            "Role": _text(roles["role"])} | at.stamps(roles["created_at"]) | {
        "IsDeleted": at.flag(np.zeros(len(roles))), "CurrencyIsoCode": _constant("EUR", roles)}


def _who(at: _Snapshot, activities: pd.DataFrame) -> pa.Array:
    contact_at = at.tables["people"]["contact_at"].to_numpy()[activities["person_id"]]
    return pc.if_else(pa.array(contact_at <= at.now), record_ids("Contact", activities["person_id"]),
                      record_ids("Lead", activities["person_id"]))


def _tasks(at: _Snapshot) -> Cells:
    tasks = at.tables["activities"].query("kind != 'meeting'")
    kind, is_done = tasks["kind"], tasks["done_at"].to_numpy() <= at.now
    call_type = np.where(kind != "call", None, np.where(tasks["is_inbound"], "Inbound", "Outbound"))
    subject = kind.map({"call": "Call", "email": "E-mail", "list_email": "List e-mail", "task": "Follow up"})
    subtype = kind.map({"call": "Call", "email": "Email", "list_email": "List Email", "task": "Task"})
    types = kind.map({"call": "Call", "email": "Email", "list_email": "Email", "task": "Other"})
    return {
        "Id": record_ids("Task", tasks.index), "WhoId": _who(at, tasks),
        "WhatId": at.ref("Opportunity", tasks["deal_id"]),
        "Subject": _text(subject), "ActivityDate": at.day(tasks["due_at"]),
        "Status": _text(np.where(is_done, "Completed", "Not Started")), "Priority": _constant("Normal", tasks),
        "OwnerId": record_ids("User", tasks["owner_id"]),
        "IsDeleted": at.flag(tasks["deleted_at"].to_numpy() <= at.now),
        "AccountId": at.ref("Account", np.where(tasks["deal_id"] >= 0, tasks["account_id"], -1)),
        "IsClosed": at.flag(is_done),
        "Type": _text(types), **({"TaskSubtype": _text(subtype)} if at.dialect.has_subtype else {}),
        "CallType": _text(call_type), "CompletedDateTime": at.moment(at.seen(tasks["done_at"])),
    } | at.stamps(tasks["created_at"], tasks["done_at"], tasks["deleted_at"])


def _events(at: _Snapshot) -> Cells:
    events = at.tables["activities"].query("kind == 'meeting'")
    return {
        "Id": record_ids("Event", events.index), "WhoId": _who(at, events),
        "WhatId": at.ref("Opportunity", events["deal_id"]),
        "Subject": _constant("Meeting", events), "IsAllDayEvent": at.flag(np.zeros(len(events))),
        "ActivityDateTime": at.moment(events["due_at"]), "ActivityDate": at.day(events["due_at"]),
        "DurationInMinutes": _constant("60", events), "AccountId": record_ids("Account", events["account_id"]),
        "OwnerId": record_ids("User", events["owner_id"]),
        "IsDeleted": at.flag(events["deleted_at"].to_numpy() <= at.now),
        "IsChild": at.flag(np.zeros(len(events))),
    } | at.stamps(events["created_at"], events["deleted_at"])


OBJECTS = {
    "Campaign": _campaigns, "CampaignMember": _members, "CampaignMemberStatus": _member_statuses, "Lead": _leads,
    "LeadHistory": _lead_history, "Contact": _contacts, "Account": _accounts, "Opportunity": _opportunities,
    "OpportunityContactRole": _roles, "OpportunityHistory": _opportunity_history, "Task": _tasks, "Event": _events,
    "User": _users,
}


def write_export(tables: Mapping[str, pd.DataFrame], folder: str | Path, exported_at: pd.Timestamp,
                 dialect: str = "data_export", encoding: str | None = None) -> list[Path]:
    """Write the export of a company's records at a moment, one CSV file per object.

    Returns the files. Raises ValueError when the dialect is unknown.
    """
    if dialect not in DIALECTS:
        raise ValueError(f"dialect: {dialect!r} is not one of {', '.join(DIALECTS)}")
    folder, spoken = Path(folder), DIALECTS[dialect]
    folder.mkdir(parents=True, exist_ok=True)
    now = np.datetime64(exported_at.tz_convert(None), "us")
    at = _Snapshot(_cut(tables, now), now, spoken)
    encoding = encoding or spoken.encoding
    return [_write_cells(build(at), folder / f"{name}.csv", encoding) for name, build in OBJECTS.items()]


def _write_cells(cells: Cells, path: Path, encoding: str) -> Path:
    table = pa.table({name: pc.fill_null(cell, "") for name, cell in cells.items()})
    text = io.BytesIO()
    csv.write_csv(table, text, csv.WriteOptions(quoting_style="all_valid"))
    path.write_bytes(text.getvalue().decode().encode(encoding))
    return path
