"""A made-up company's two years of CRM records, with the causal truth of every campaign.

`world.py` says what happened; here it is written down as a CRM would, with what real records have: people entered
twice, deals that nobody closed, statuses overwritten, leads that nobody called.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from attribution.sources.salesforce_export import campaign_ids, write_export
from attribution.world import (
    CONTACT,
    LEAD,
    MONDAY,
    MQL,
    N_WEEKS,
    OUT,
    PLAN,
    SAMPLE,
    SQL,
    UNKNOWN,
    Factors,
    History,
    World,
    make_world,
    normal,
    pick,
    run_weeks,
    uniform,
)

#: A lead's statuses, as this company calls them.
STATUSES = {LEAD: "Recycled", MQL: "Marketing Qualified", SQL: "Sales Qualified", CONTACT: "Closed - Converted",
            OUT: "Disqualified"}
#: A deal's stages, each with its probability and the share of the deal's life after which it is reached.
DEAL_STAGES = ["Prospecting", "Qualification", "Needs Analysis", "Needs Analysis", "Proposal", "Negotiation"]
PROBABILITIES = np.array([0.10, 0.20, 0.35, 0.35, 0.60, 0.80])
REACHED_AFTER = np.array([0.0, 0.18, 0.36, 0.45, 0.58, 0.78, 1.0])
AMOUNT_EDIT, PROPOSAL = 3, 4
#: A membership's status by channel: before a response, at it, later on.
MEMBER_STATUSES = {
    "Advertisement": ("Reached", "Responded", "Form Submitted"),
    "Banner Ads": ("Reached", "Responded", "Form Submitted"),
    "Other": ("Reached", "Downloaded", "Shared"), "Email": ("Sent", "Clicked", "Replied"),
    "Direct Mail": ("Sent", "Responded", "Trial Booked"), "Webinar": ("Invited", "Registered", "Attended"),
    "Trade Show": ("Invited", "Visited", "Meeting Held"), "Conference": ("Invited", "Registered", "Attended"),
}
IS_LISTED = {"Email", "Direct Mail", "Webinar", "Trade Show", "Conference"}    # channels that also list who stayed away
FIRST_NAMES = ("Aino Antti Elina Eero Emma Erik Hanna Heikki Ida Ilkka Jaana Jussi Kaisa Kalle Katri Lauri Liisa "
               "Mikko Minna Niko Noora Oskari Outi Paavo Pia Riikka Risto Sanna Sami Sofia Tapio Tiina Timo Tuula "
               "Ville Väinö Anders Astrid Björn Ingrid Kristiina Märta Søren Jürgen Göran Päivi").split()
LAST_NAMES = ("Aalto Ahonen Anttila Eskola Forsman Hakala Harju Heikkilä Hiltunen Hämäläinen Jokinen Järvinen Kallio "
              "Karhu Kinnunen Koivisto Korhonen Koskela Kujala Laine Lehtonen Leppänen Lindqvist Lundberg Mattila "
              "Mäkinen Niemi Nurmi Ojala Peltola Pitkänen Rantala Ruusu Salmi Savolainen Seppälä Sjöberg Tammi "
              "Toivonen Törmä Vainio Virta Väisänen Åkerlund Ölander Peltonen Suominen").split()
TITLES = [["Maintenance engineer", "Automation engineer", "Buyer", "Planner"],
          ["Maintenance manager", "Production manager", "Project manager", "Automation manager"],
          ["Plant director", "Technical director", "Head of maintenance", "Purchasing director"],
          ["Chief operating officer", "Chief executive officer", "Chief technology officer", "Chief digital officer"]]
ACCOUNT_ROOTS = ("Aurinko Hiisi Honka Ilves Jänis Kaarna Kanerva Karpalo Kataja Kivi Kuura Lahna Lieska Lokki Louhi "
                 "Lumme Mänty Naava Otso Pihka Pihlaja Poro Pyry Rauta Routa Räystäs Sammal Siika Sula Taimi Tuisku "
                 "Tuohi Tyrsky Utu Vaara Vasama Vuono Ahjo Ääni Öljy").split()
ACCOUNT_KINDS = ("Konepaja Teräs Paperi Saha Meijeri Valimo Pumput Energia Telakka Pakkaus Kemia Levy Hydrauliikka "
                 "Muovi Panimo Logistics Foods Mining Water Robotics").split()
ACCOUNT_FORMS = ["Oy", "Oy", "Oy", "Oyj", "Ab", "AB", "GmbH", "OÜ"]
ODD_ACCOUNT_NAMES = {3: "Mäkelä & Pojat Oy", 11: '"Pikku" Sorvaamo Oy', 19: "Salo, Virta ja Kumppanit Oy",
                     27: "Böle & Åby Ab", 35: 'Konepaja "Rautanyrkki", Tampere'}
INDUSTRIES = ["Machinery", "Manufacturing", "Food & Beverage", "Chemicals", "Energy", "Utilities", "Shipping"]
COUNTRIES = ["Finland", "Finland", "Finland", "Finland", "Sweden", "Sweden", "Estonia", "Germany"]
ROLES = ["Decision Maker", "Economic Buyer", "Evaluator", "Technical Buyer", "Influencer", "Business User", None]
FIRST_REP, N_REPS, AUTOMATION, QUEUE = 4, 8, 12, 14    # users: before the first, marketing
NEVER = np.datetime64("NaT", "us")
EXPORTED_AT = pd.Timestamp("2026-11-15 06:00", tz="UTC")
TIDY_UNTIL = np.datetime64("2026-09-20")             # merges and deletions happen before this day


def _moment(seed: int, stream: str, week: np.ndarray, *keys, n_days: int = 5) -> np.ndarray:
    day = np.asarray(week) * 7 + (uniform(seed, stream + " day", week, *keys) * n_days).astype(int)
    return _in_office_hours(seed, stream, MONDAY + day.astype("timedelta64[D]"), *keys)


def _in_office_hours(seed: int, stream: str, day: np.ndarray, *keys) -> np.ndarray:
    second = 6 * 3600 + (uniform(seed, stream + " second", *keys) * 9 * 3600).astype(int)
    return day.astype("datetime64[us]") + second.astype("timedelta64[s]")


def _on_weekday(moment: np.ndarray) -> np.ndarray:
    weekend = np.maximum((moment.astype("datetime64[D]").astype(int) + 3) % 7 - 4, 0)
    return moment - weekend.astype("timedelta64[D]")


def _between(seed: int, stream: str, first: np.ndarray, last: np.ndarray, share, *keys) -> np.ndarray:
    moment = first + ((last - first).astype(np.int64) * share).astype("timedelta64[us]")
    moment = _in_office_hours(seed, stream, _on_weekday(moment).astype("datetime64[D]"), *keys)
    return np.clip(moment, first + np.timedelta64(60, "m"), last - np.timedelta64(60, "s"))


def _days_after(moment: np.ndarray, days: np.ndarray) -> np.ndarray:
    return moment + np.asarray(days).astype(int).astype("timedelta64[D]")


def record_company(world: World, history: History) -> dict[str, pd.DataFrame]:
    """Write down what a CRM would hold of a history, each record with the moments at which it changed.

    Returns the tables by name; moments are UTC without a zone, and the id of nobody is -1.
    """
    deals = _record_deals(world, history)
    people = _record_people(world, history, deals)
    statuses = _record_statuses(world, history, people)
    memberships = _record_memberships(world, history, people)
    duplicates = _find_duplicates(world, people, memberships)
    leads = _record_leads(world, people, duplicates)
    return {
        "users": _record_users(), "campaigns": _record_campaigns(world), "accounts": _record_accounts(world, people),
        "people": people, "leads": leads, "statuses": statuses, "member_statuses": _record_member_statuses(),
        "memberships": _add_junk(world, _move_to_duplicates(memberships, duplicates), leads),
        "deals": _add_source(_add_twins(world, deals), people, memberships),
        "deal_changes": _record_deal_changes(world, deals), "roles": _record_roles(world, deals, people),
        "activities": _record_activities(world, deals, people, statuses, memberships),
    }


def _record_users() -> pd.DataFrame:
    user = np.arange(QUEUE + 1)
    return pd.DataFrame({
        "user_id": user, "kind": np.select([user == QUEUE, user >= AUTOMATION], ["queue", "automated"], "human"),
        "team": np.select([user < FIRST_REP, user < FIRST_REP + N_REPS], ["Marketing", "Sales"], "Systems"),
        "is_active": user != FIRST_REP, "first_name": np.asarray(FIRST_NAMES)[3 * user % 40],
        "last_name": np.asarray(LAST_NAMES)[(5 * user + 2) % 40],
        "created_at": np.datetime64("2022-03-01T07:00:00", "us"),
    })


def _record_member_statuses() -> pd.DataFrame:
    rows = [(channel, order, status, order > 1) for channel, names in MEMBER_STATUSES.items()
            for order, status in enumerate(names, 1)]
    return pd.DataFrame(rows, columns=["channel", "sort_order", "status", "has_responded"])


def _record_campaigns(world: World) -> pd.DataFrame:
    """Returns one row per campaign; a cost stands on the assets or on the campaign that books it for them."""
    campaigns, number = world.campaigns, world.campaigns["campaign_id"].to_numpy()
    is_leaf, books = campaigns["rule"].ne(""), campaigns["books_cost"]
    is_booked_above = pd.Series(books.to_numpy()[campaigns["parent_id"]]) & is_leaf
    total = up_the_tree(campaigns, campaigns["cost"].fillna(0), np.add)
    first = up_the_tree(campaigns, campaigns["starts_on"], _first)
    last = up_the_tree(campaigns, campaigns["ends_on"], _last)
    made_on = pd.Series(first) - pd.to_timedelta(40 - campaigns["depth"], unit="D")
    return campaigns[["campaign_id", "parent_id", "depth", "campaign_name", "channel"]].assign(
        starts_on=first, ends_on=last, owner_id=number % 4,
        actual_cost=np.where(books, total, campaigns["cost"].mask(is_booked_above)),
        budgeted_cost=_plan_budgets(world.seed, campaigns, np.asarray(total), is_leaf & ~is_booked_above),
        expected_revenue=np.where(is_leaf & (number % 3 > 0), np.round(np.multiply(total, 4), -3), np.nan),
        created_at=_in_office_hours(world.seed, "campaign", made_on.to_numpy("datetime64[D]"), number))


def _plan_budgets(seed: int, campaigns: pd.DataFrame, total: np.ndarray, may_be_leaf: pd.Series) -> np.ndarray:
    """Returns a budget for some assets and for the campaigns above the others, blank for one in ten."""
    number = campaigns["campaign_id"]
    is_above = (campaigns["books_cost"] | (number % 2 == 1)).to_numpy()
    has_budget = np.where(may_be_leaf, ~is_above[campaigns["parent_id"]], (campaigns["depth"] == 2) & is_above)
    has_budget &= (total > 0) & (uniform(seed, "budget known", number) < 0.9)
    return np.where(has_budget, np.round(total * (0.85 + 0.35 * uniform(seed, "budget", number)) / 500) * 500, np.nan)


def up_the_tree(campaigns: pd.DataFrame, values: Iterable, combine: Callable) -> list:
    """Combine each campaign's value with those of all campaigns below it.

    Returns one value per row of campaigns, whose parents stand before them.

    >>> up_the_tree(pd.DataFrame({"campaign_id": [0, 1], "parent_id": [-1, 0]}), [5, 2], max)
    [5, 2]
    """
    values = list(values)
    for number, parent in zip(campaigns["campaign_id"][::-1], campaigns["parent_id"][::-1], strict=True):
        if parent >= 0:
            values[parent] = combine(values[parent], values[number])
    return values


def _first(day: pd.Timestamp, other: pd.Timestamp) -> pd.Timestamp:
    return other if pd.isna(day) else min(day, other)


def _last(day: pd.Timestamp, other: pd.Timestamp) -> pd.Timestamp:
    return other if pd.isna(day) else max(day, other)


def _record_deals(world: World, history: History) -> pd.DataFrame:
    """Returns one row per deal: when it was opened, and when its life ends if it is closed, lapses, or is yet to."""
    keys = ["account_id", "n_deal"]
    closed = history.closed.rename(columns={"week": "last_week"})
    deals = history.opened.merge(closed, on=keys, how="left", validate="1:1")
    deals = pd.concat([_old_deals(world), deals], ignore_index=True)
    account, n_deal, week = (deals[column].to_numpy() for column in (*keys, "week"))
    cycle, life = world.factors.cycle, uniform(world.seed, "life", account, n_deal)
    yet_to = np.maximum(week + 9 * cycle + 24 * cycle * life, N_WEEKS + 2)
    last_week, is_lapsed = deals["last_week"].fillna(pd.Series(yet_to)).astype(int), deals["is_lapsed"].eq(True)
    return deals.assign(
        deal_id=np.arange(len(deals)), is_closed=deals["last_week"].notna() & ~is_lapsed, is_lapsed=is_lapsed,
        is_won=deals["is_won"].eq(True), amount=deal_amounts(world, account, n_deal, deals["is_existing"]),
        created_at=_moment(world.seed, "deal", week, account, n_deal),
        ends_at=_moment(world.seed, "deal end", last_week, account, n_deal), deleted_at=NEVER)


def _old_deals(world: World) -> pd.DataFrame:
    account = world.accounts.loc[world.accounts["was_customer"], "account_id"].to_numpy()
    week = -30 - (20 * uniform(world.seed, "old deal", account)).astype(int)
    buyer = np.searchsorted(world.people["account_id"].to_numpy(), account)
    return pd.DataFrame({"week": week, "account_id": account, "n_deal": -1, "person_id": buyer, "is_from_lead": False,
                         "is_existing": False, "last_week": week + 10.0 + account % 17, "is_won": True,
                         "is_lapsed": False})


def deal_amounts(world: World, account: np.ndarray, n_deal: np.ndarray, is_existing: np.ndarray) -> np.ndarray:
    """Give the amount at which each deal closes: fixed by the company and the number of its deal."""
    size = world.accounts["deal_size"].to_numpy()[account] * np.where(is_existing, 0.7, 1.0)
    amount = np.round(size * np.exp(0.4 * normal(world.seed, "amount", account, n_deal)), -1)
    cents = pick([0.0, 0.0, 0.0, 5.5, 9.9, 3.33], uniform(world.seed, "cents", account, n_deal))
    return np.round(np.maximum(amount, 2_000) + cents, 2)


def _record_people(world: World, history: History, deals: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per person: who, since when known, since when a contact, and the deal they became one for."""
    seed, people = world.seed, world.people
    account, was_contact = people["account_id"].to_numpy(), people["was_contact"].to_numpy()
    old, new = _old_moments(world), _lead_moments(world, history)
    converted = _conversion_moments(world, history, deals).set_index("person_id").reindex(people["person_id"])
    contact_at, known_at = np.where(was_contact, old, converted["at"]), np.fmax(old, new)
    opted_out_at = _moment(seed, "opts out at", people["opts_out_week"].to_numpy(), people["person_id"])
    return _name_people(world).assign(
        account_id=account, known_at=np.where(np.isnat(known_at), contact_at, known_at), contact_at=contact_at,
        is_lead=people["was_lead"] | ~np.isnat(new), deal_id=converted["deal_id"].fillna(-1).to_numpy(int),
        opted_out_at=np.where(people["opts_out_week"] < N_WEEKS, opted_out_at, NEVER),
        owner_id=FIRST_REP + account % N_REPS, do_not_call=uniform(seed, "do not call", people["person_id"]) < 0.02)


def _old_moments(world: World) -> np.ndarray:
    person = world.people["person_id"].to_numpy()
    week = -1 - (56 * uniform(world.seed, "known early", person)).astype(int)
    return np.where(world.people["was_contact"] | world.people["was_lead"],
                    _moment(world.seed, "known early", week, person), NEVER)


def _lead_moments(world: World, history: History) -> np.ndarray:
    new = history.entered.loc[(history.entered["from_stage"] == UNKNOWN) & (history.entered["stage"] == LEAD),
                              ["week", "person_id"]]
    met = history.met[history.met["has_responded"]]
    met = met.assign(at=_meeting_moments(world, met) + _response_delay(world, met))
    first = met.groupby(["week", "person_id"], as_index=False)["at"].min()
    new = new.merge(first, on=["week", "person_id"], how="left", validate="1:1")
    by_chance = _moment(world.seed, "known", new["week"].to_numpy(), new["person_id"].to_numpy())
    at = pd.Series(np.where(new["at"].isna(), by_chance, new["at"]), new["person_id"])
    return at.reindex(world.people["person_id"]).to_numpy()


def _meeting_moments(world: World, met: pd.DataFrame) -> np.ndarray:
    keys = (met[key].to_numpy() for key in ("week", "person_id", "campaign_id"))
    return _moment(world.seed, "meeting", *keys, n_days=3)


def _response_delay(world: World, met: pd.DataFrame) -> np.ndarray:
    is_listed = world.campaigns["channel"].isin(IS_LISTED).to_numpy()[met["campaign_id"]]
    days = (is_listed * uniform(world.seed, "delay", met["person_id"], met["campaign_id"]) * 3).astype(int)
    return days.astype("timedelta64[D]").astype("timedelta64[us]") + np.timedelta64(90, "s")


def _conversion_moments(world: World, history: History, deals: pd.DataFrame) -> pd.DataFrame:
    became = history.entered.loc[history.entered["stage"] == CONTACT, ["week", "person_id"]]
    buyers = deals[["week", "person_id", "deal_id", "created_at"]]
    became = became.merge(buyers, on=["week", "person_id"], how="left", validate="1:1")
    alone = _moment(world.seed, "conversion", became["week"].to_numpy(), became["person_id"].to_numpy())
    return became.assign(at=np.where(became["created_at"].isna(), alone, became["created_at"]))


def _name_people(world: World) -> pd.DataFrame:
    seed, person = world.seed, world.people["person_id"].to_numpy()
    title = np.asarray(TITLES)[world.people["seniority"], (uniform(seed, "title", person) * 4).astype(int)]
    return pd.DataFrame({"person_id": person, "first_name": pick(FIRST_NAMES, uniform(seed, "first name", person)),
                         "last_name": pick(LAST_NAMES, uniform(seed, "last name", person)), "title": title})


def _record_accounts(world: World, people: pd.DataFrame) -> pd.DataFrame:
    accounts, seed = world.accounts, world.seed
    account = accounts["account_id"].to_numpy()
    early = (accounts["is_target"] | accounts["was_customer"]).to_numpy()
    since = _moment(seed, "account", -60 - (90 * uniform(seed, "account", account)).astype(int), account)
    first = people.groupby("account_id")["contact_at"].min().to_numpy()
    return pd.DataFrame({
        "account_id": account, "account_name": _name_accounts(seed, account),
        "created_at": np.where(early, since, first),
        "industry": pick(INDUSTRIES, uniform(seed, "industry", account)),
        "country": pick(COUNTRIES, uniform(seed, "country", account)), "n_employees": accounts["n_employees"],
        "annual_revenue": np.round(accounts["n_employees"] * 210_000 * (0.6 + uniform(seed, "revenue", account)), -5),
        "owner_id": FIRST_REP + account % N_REPS,
    })


def _name_accounts(seed: int, account: np.ndarray) -> list[str]:
    roots, kinds = len(ACCOUNT_ROOTS), len(ACCOUNT_KINDS)
    root, kind = np.asarray(ACCOUNT_ROOTS)[account % roots], np.asarray(ACCOUNT_KINDS)[account // roots % kinds]
    form, number = pick(ACCOUNT_FORMS, uniform(seed, "form", account)), account // (roots * kinds) + 1
    names = [f"{r} {k} {f}" if n == 1 else f"{r} {k} {n} {f}"
             for r, k, f, n in zip(root, kind, form, number, strict=True)]
    return [ODD_ACCOUNT_NAMES.get(i, name) for i, name in enumerate(names)]


def _record_statuses(world: World, history: History, people: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per change of a lead's status, sorted by lead and time; a creation has no status before."""
    entered = history.entered[history.entered["from_stage"] != UNKNOWN]
    entered = entered[people["is_lead"].to_numpy()[entered["person_id"]]]
    person, week = entered["person_id"].to_numpy(), entered["week"].to_numpy()
    is_converted = entered["stage"].eq(CONTACT)
    changes = entered.assign(status=entered["stage"].map(STATUSES), at=np.where(
        is_converted, people["contact_at"].to_numpy()[person], _moment(world.seed, "status", week, person)))
    is_skipped = entered["stage"].eq(MQL) & (uniform(world.seed, "skips", person, entered["n_entry"]) < 0.04)
    created = people.loc[people["is_lead"], ["person_id", "known_at"]].rename(columns={"known_at": "at"})
    statuses = pd.concat([created.assign(status="Open"), changes[~is_skipped], _first_calls(world, changes)])
    return statuses.sort_values(["person_id", "at"], kind="stable", ignore_index=True).assign(
        from_status=lambda table: table.groupby("person_id")["status"].shift())


def _first_calls(world: World, changes: pd.DataFrame) -> pd.DataFrame:
    mql = changes.loc[changes["stage"] == MQL, ["person_id", "n_entry", "at"]]
    answer = changes.loc[(changes["from_stage"] == MQL), ["person_id", "n_entry", "at"]]
    calls = mql.merge(answer, on=["person_id", "n_entry"], suffixes=("", "_answer"), validate="1:1")
    keys = calls["person_id"].to_numpy(), calls["n_entry"].to_numpy()
    share = 0.9 * uniform(world.seed, "first call", *keys) ** 2
    at = _between(world.seed, "call", calls["at"].to_numpy(), calls["at_answer"].to_numpy(), share, *keys)
    return calls.assign(at=at, status="Working")


def _record_memberships(world: World, history: History, people: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per person and campaign in the CRM: joined, responded, status at each.

    An ad met before the person was known is written down once the person is, if that is within 90 days.
    """
    met, met_at = history.met, _meeting_moments(world, history.met)
    responded_at = met_at + _response_delay(world, met)
    channel = world.campaigns["channel"].to_numpy()[met["campaign_id"]]
    known_at = people["known_at"].to_numpy()[met["person_id"]]
    is_listed = np.isin(channel, list(IS_LISTED))
    is_in_time = np.where(is_listed, known_at <= responded_at, known_at - met_at < np.timedelta64(90, "D"))
    members = met.assign(channel=channel, responded_at=responded_at,
                         joined_at=np.maximum(met_at, known_at + np.timedelta64(60, "s")))
    members = members[is_in_time & (is_listed | met["has_responded"])]
    members = members.sort_values(["joined_at", "person_id", "campaign_id"], ignore_index=True)
    return _edit_memberships(world, members)


def _edit_memberships(world: World, members: pd.DataFrame) -> pd.DataFrame:
    """Returns the memberships with their statuses: at first, at the response, and where somebody edited it later."""
    keys = members["person_id"].to_numpy(), members["campaign_id"].to_numpy()
    first, second, third = (members["channel"].map({channel: names[i] for channel, names in MEMBER_STATUSES.items()})
                            for i in range(3))
    joined_at, responded_at = members["joined_at"].to_numpy(), members["responded_at"].where(members["has_responded"])
    days = 1 + 9 * uniform(world.seed, "edited at", *keys)
    edited_at = _days_after(np.fmax(responded_at.to_numpy(), joined_at), days)
    is_edited = members["has_responded"] & (uniform(world.seed, "edited", *keys) < 0.28)
    is_reset = uniform(world.seed, "reset", *keys) < 0.05
    is_deleted = (uniform(world.seed, "deleted", *keys) < 0.006) & (joined_at < TIDY_UNTIL - np.timedelta64(15, "D"))
    return members.assign(
        lead_id=keys[0], responded_at=responded_at, status=first, status_at_response=second,
        status_edited=third.mask(is_reset, first), is_reset=is_reset, edited_at=np.where(is_edited, edited_at, NEVER),
        deleted_at=np.where(is_deleted, joined_at + np.timedelta64(12, "D"), NEVER))


def _find_duplicates(world: World, people: pd.DataFrame, memberships: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per second lead of a person: made by a response, later merged or converted, or never found."""
    mine = memberships[memberships["has_responded"] & ~memberships["channel"].isin(IS_LISTED)]
    mine = mine.reset_index(names="member")
    mine = mine[uniform(world.seed, "second lead", mine["person_id"]) < 0.03].drop_duplicates("person_id", keep="last")
    person = people.loc[mine["person_id"]].reset_index(drop=True)
    made_at = mine["joined_at"].to_numpy() - np.timedelta64(30, "s")
    found_at = _days_after(made_at, 5 + 20 * uniform(world.seed, "found", person["person_id"]))
    contact_at = person["contact_at"].to_numpy()
    is_merged = ~(contact_at < found_at) & person["is_lead"] & (found_at < TIDY_UNTIL)
    is_converted = (contact_at < made_at) & (uniform(world.seed, "converted again", person["person_id"]) < 0.7)
    duplicates = person[["person_id"]].assign(
        member=mine["member"].to_numpy(), created_at=made_at, merged_at=np.where(is_merged, found_at, NEVER),
        converted_at=np.where(is_converted, found_at, NEVER))[made_at - person["known_at"] > pd.Timedelta(days=7)]
    return duplicates.assign(lead_id=len(people) + np.arange(len(duplicates)))


def _move_to_duplicates(memberships: pd.DataFrame, duplicates: pd.DataFrame) -> pd.DataFrame:
    moved = duplicates.set_index("member")["lead_id"].reindex(memberships.index)
    return memberships.assign(lead_id=moved.fillna(memberships["lead_id"]).astype(int))


def _record_leads(world: World, people: pd.DataFrame, duplicates: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per lead record: the person's own, second ones, and junk soon deleted."""
    own = people.loc[people["is_lead"], ["person_id", "known_at", "contact_at", "deal_id"]].rename(
        columns={"known_at": "created_at", "contact_at": "converted_at"})
    second = duplicates.drop(columns="member").assign(deal_id=-1, deleted_at=duplicates["merged_at"])
    leads = pd.concat([own.assign(lead_id=own["person_id"]), second, _make_junk(world)], ignore_index=True)
    lead = leads["lead_id"].to_numpy()
    return leads.assign(
        lead_source=pick(["Web", "Web", "Event", "Purchased List", "Partner Referral", "Phone Inquiry"],
                         uniform(world.seed, "source", lead)),
        is_queued=uniform(world.seed, "queued", lead) < 0.5, is_junk=lead >= 2 * len(people))


def _make_junk(world: World) -> pd.DataFrame:
    number = np.arange(len(world.people) // 200 + 1)
    made = _moment(world.seed, "junk", (uniform(world.seed, "junk week", number) * 90).astype(int), number)
    n_people = len(world.people)
    return pd.DataFrame({"lead_id": 2 * n_people + number, "person_id": number % n_people, "created_at": made,
                         "deleted_at": _days_after(made, 1 + number % 14), "deal_id": -1})


def _add_junk(world: World, memberships: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    """Returns the memberships and, after them, one per junk lead."""
    junk, leaves = leads[leads["is_junk"]].reset_index(drop=True), world.campaigns[world.campaigns["rule"].ne("")]
    leaf = leaves.iloc[pick(np.arange(len(leaves)), uniform(world.seed, "junk campaign", junk["lead_id"]))]
    made_at = junk["created_at"] + pd.Timedelta(seconds=60)
    extra = junk[["person_id"]].assign(campaign_id=leaf["campaign_id"].to_numpy(), channel=leaf["channel"].to_numpy(),
                                       joined_at=made_at, responded_at=made_at, has_responded=True)
    extra = _edit_memberships(world, extra).assign(lead_id=junk["lead_id"], deleted_at=NEVER)
    return pd.concat([memberships, extra], ignore_index=True)


def _add_twins(world: World, deals: pd.DataFrame) -> pd.DataFrame:
    """Returns the deals and, after them, those that a colleague entered twice, soon deleted."""
    twin = deals[(uniform(world.seed, "twin", deals["deal_id"]) < 0.025) & (deals["week"] >= 0)
                 & (deals["created_at"] < TIDY_UNTIL - np.timedelta64(60, "D"))]
    made_at = twin["created_at"] + pd.Timedelta(hours=2)
    twin = twin.assign(deal_id=len(deals) + np.arange(len(twin)), created_at=made_at, is_closed=False, is_won=False,
                       is_twin=True, deleted_at=_days_after(made_at.to_numpy(), 2 + twin["account_id"].to_numpy() % 12))
    return pd.concat([deals.assign(is_twin=False), twin], ignore_index=True)


def _add_source(deals: pd.DataFrame, people: pd.DataFrame, memberships: pd.DataFrame) -> pd.DataFrame:
    """Returns the deals with the campaign that their buyer had joined last before the deal, -1 where none."""
    joined = memberships[["joined_at", "person_id", "campaign_id"]].sort_values("joined_at", kind="stable")
    ordered = deals[["deal_id", "person_id", "created_at"]].sort_values("created_at", kind="stable")
    last = pd.merge_asof(ordered, joined, left_on="created_at", right_on="joined_at", by="person_id")
    source = last.set_index("deal_id")["campaign_id"].reindex(deals["deal_id"]).to_numpy()
    keeps = deals["is_from_lead"].to_numpy(bool) | (deals["deal_id"].to_numpy() % 5 < 2)
    return deals.assign(source_id=np.where(keeps & ~np.isnan(source), np.nan_to_num(source), -1).astype(int))


def _record_deal_changes(world: World, deals: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per change of a deal's stage, amount or close date, with all of them after it."""
    seed, deals = world.seed, _add_twins(world, deals)
    keys = deals["account_id"].to_numpy(), deals["n_deal"].to_numpy()
    kept = _steps_taken(seed, deals, keys)
    at, step = _step_moments(seed, deals, keys), np.arange(len(REACHED_AFTER))
    stage = np.maximum.accumulate(np.where(kept, step, 0), axis=1)
    is_won = deals["is_won"].to_numpy()[:, None]
    names = np.where(stage < step[-1], np.append(DEAL_STAGES, "")[stage], np.where(is_won, "Closed Won", "Closed Lost"))
    cells = {"deal_id": np.broadcast_to(deals["deal_id"].to_numpy()[:, None], kept.shape),
             "changed_at": at, "stage": names,
             "probability": np.where(stage < step[-1], np.append(PROBABILITIES, 0)[stage], is_won),
             "amount": _step_amounts(seed, deals, keys, kept, stage),
             "close_on": _step_close_days(seed, deals, keys, kept, at)}
    return pd.DataFrame({name: values[kept] for name, values in cells.items()})


def _steps_taken(seed: int, deals: pd.DataFrame, keys: tuple) -> np.ndarray:
    """Returns a row per deal and a column per step: whether it was written down; only closed deals take the last."""
    step = np.arange(len(REACHED_AFTER))
    kept = uniform(seed, "step", *(key[:, None] for key in keys), step) < np.where(step == AMOUNT_EDIT, 0.35, 0.82)
    kept = np.where(step == step[-1], deals["is_closed"].to_numpy()[:, None], kept)
    kept &= ~(deals["is_lapsed"].to_numpy()[:, None] & (step > AMOUNT_EDIT)) & ~deals["is_twin"].to_numpy()[:, None]
    return kept | (step == 0)


def _step_moments(seed: int, deals: pd.DataFrame, keys: tuple) -> np.ndarray:
    first, last = deals["created_at"].to_numpy(), deals["ends_at"].to_numpy()
    moments = [_between(seed, "deal step", first, last, share, *keys, np.full(len(deals), step))
               for step, share in enumerate(REACHED_AFTER[1:-1], 1)]
    return np.stack([first, *moments, last], axis=1)


def _step_amounts(seed: int, deals: pd.DataFrame, keys: tuple, kept: np.ndarray, stage: np.ndarray) -> np.ndarray:
    final = deals["amount"].to_numpy()
    guess = np.round(final * (0.7 + 0.7 * uniform(seed, "guess", *keys)), -2)
    guess = np.where(uniform(seed, "no guess", *keys) < 0.05, np.nan, guess)
    better = np.round(final * (0.9 + 0.25 * uniform(seed, "better guess", *keys)), -2)
    amount = np.where(kept[:, [AMOUNT_EDIT]] & (stage >= AMOUNT_EDIT), better[:, None], guess[:, None])
    return np.where(stage >= PROPOSAL, final[:, None], amount)


def _step_close_days(seed: int, deals: pd.DataFrame, keys: tuple, kept: np.ndarray, at: np.ndarray) -> np.ndarray:
    days = at.astype("datetime64[D]")
    expected = [_days_after(days[:, 0], 70 + 110 * uniform(seed, "expected", *keys))]
    for step in range(1, kept.shape[1] - 1):
        is_pushed = kept[:, step] & (expected[-1] < days[:, step] + np.timedelta64(10, "D"))
        expected.append(np.where(is_pushed, days[:, step] + np.timedelta64(45, "D"), expected[-1]))
    return np.stack([*expected, days[:, -1]], axis=1)


def _record_roles(world: World, deals: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per person in a deal; a quarter of the deals have nobody written down."""
    named = deals[uniform(world.seed, "has roles", deals["account_id"], deals["n_deal"]) > 0.25]
    contacts = people.loc[people["contact_at"].notna(), ["person_id", "account_id", "contact_at"]]
    pairs = named[["deal_id", "account_id", "person_id", "created_at", "ends_at"]].merge(
        contacts, on="account_id", suffixes=("_buyer", ""), validate="m:m")
    keys, is_primary = (pairs["person_id"], pairs["deal_id"]), pairs["person_id"].eq(pairs["person_id_buyer"])
    days = np.where(is_primary, 0, 30 * uniform(world.seed, "joins at", *keys)).astype(int)
    at = pairs[["created_at", "contact_at"]].max(axis=1) + pd.to_timedelta(days, unit="D") + pd.Timedelta(minutes=45)
    joins = (is_primary | (uniform(world.seed, "joins the deal", *keys) < 0.4)) & (at < pairs["ends_at"])
    roles = pairs[["deal_id", "person_id"]].assign(
        role=pick(np.array(ROLES, object), uniform(world.seed, "role", *keys)), is_primary=is_primary, created_at=at)
    return roles[joins].sort_values(["created_at", "deal_id", "person_id"], ignore_index=True)


def _record_activities(world: World, deals: pd.DataFrame, people: pd.DataFrame, statuses: pd.DataFrame,
                       memberships: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per call, e-mail, meeting or task; a list e-mail belongs to the automated user."""
    parts = [_calls(world, statuses), *_deal_work(world, deals), _reviews(deals), _list_emails(world, memberships)]
    activities = pd.concat(parts).sort_values(["created_at", "kind", "person_id"], kind="stable", ignore_index=True)
    account = people["account_id"].to_numpy()[activities["person_id"]]
    is_deleted = uniform(world.seed, "deleted activity", activities.index) < 0.01
    is_deleted &= activities["created_at"] < TIDY_UNTIL - np.timedelta64(10, "D")
    return activities.assign(
        owner_id=np.where(activities["kind"] == "list_email", AUTOMATION, FIRST_REP + account % N_REPS),
        is_inbound=activities["is_inbound"].eq(True), account_id=account,
        deal_id=activities["deal_id"].fillna(-1).astype(int),
        deleted_at=(activities["created_at"] + pd.Timedelta(days=9)).where(is_deleted))


def _calls(world: World, statuses: pd.DataFrame) -> pd.DataFrame:
    first = statuses[statuses["status"] == "Working"]
    again = first[uniform(world.seed, "calls again", first["person_id"], first["n_entry"]) < 0.45]
    second = _between(world.seed, "second call", again["at"].to_numpy(), again["at_answer"].to_numpy(), 0.6,
                      again["person_id"].to_numpy(), again["n_entry"].to_numpy())
    calls = pd.concat([first, again.assign(at=second)], ignore_index=True)
    kind = pick(["call", "call", "email"], uniform(world.seed, "attempt", calls.index))
    is_inbound = (uniform(world.seed, "inbound", calls.index) < 0.08) & (kind == "call")
    return calls[["person_id"]].assign(kind=kind, created_at=calls["at"], done_at=calls["at"], due_at=calls["at"],
                                       is_inbound=is_inbound)


def _deal_work(world: World, deals: pd.DataFrame) -> list[pd.DataFrame]:
    """Returns a table for each kind of work in a deal's life; sales stop working on a lapsed deal in the middle."""
    plan = enumerate([("meeting", 0.12), ("email", 0.3), ("meeting", 0.5), ("task", 0.7), ("call", 0.85)])
    return [_work_on_deals(world, deals[deals["week"] >= 0], number, kind, share) for number, (kind, share) in plan]


def _work_on_deals(world: World, deals: pd.DataFrame, number: int, kind: str, share: float) -> pd.DataFrame:
    keys = deals["account_id"].to_numpy(), deals["n_deal"].to_numpy(), np.full(len(deals), number)
    at = _between(world.seed, "work", deals["created_at"].to_numpy(), deals["ends_at"].to_numpy(), share, *keys)
    days = np.timedelta64(6 if kind in ("meeting", "task") else 0, "D")
    work = deals[["person_id", "deal_id"]].assign(
        kind=kind, created_at=np.maximum(at - days, deals["created_at"]), due_at=at,
        done_at=np.where(deals["is_lapsed"] & (share > 0.5), NEVER, at))
    return work[(uniform(world.seed, "does", *keys) < 0.7) & ~(deals["is_lapsed"] & (share > 0.8))]


def _reviews(deals: pd.DataFrame) -> pd.DataFrame:
    won = deals[deals["is_won"] & (deals["week"] >= 0)]
    review = _on_weekday(won["ends_at"].to_numpy() + np.timedelta64(90, "D"))
    return won[["person_id", "deal_id"]].assign(
        kind="meeting", created_at=won["ends_at"], done_at=review, due_at=review)


def _list_emails(world: World, memberships: pd.DataFrame) -> pd.DataFrame:
    sent = memberships[memberships["channel"] == "Email"]
    sent = sent[uniform(world.seed, "list email", sent["person_id"], sent["campaign_id"]) < 0.12]
    return sent[["person_id"]].assign(kind="list_email", created_at=sent["joined_at"], done_at=sent["joined_at"],
                                      due_at=sent["joined_at"])


@dataclass(frozen=True)
class Company:
    """A simulated company: the world it lives in, and what its CRM holds, each record with the moments it changed."""

    world: World
    tables: dict[str, pd.DataFrame]


def simulate_company(seed: int, n_accounts: int = 600, n_people: int = 4000, plan: str = PLAN,
                     factors: Factors = SAMPLE) -> Company:
    """Simulate a company from November 2024 to the end of 2026.

    Returns the world, from which any campaign can be switched off, and the tables of record_company.
    Raises ValueError for a negative seed, or fewer people than companies.
    """
    world = make_world(seed, n_accounts, n_people, plan, factors)
    return Company(world, record_company(world, run_weeks(world)))


def causal_values(company: Company, until: pd.Timestamp) -> pd.DataFrame:
    """Measure what each campaign with all below it was worth: the won money lost when it is switched off.

    Returns one row per campaign: n_won_lost and causal_value of the deals won up to a moment (both may be negative:
    without it, a company may buy at another time, or more).
    """
    campaigns = company.world.campaigns
    own = [frozenset([number]) for number in campaigns["campaign_id"]]
    below = up_the_tree(campaigns, own, frozenset.union)
    n_won, value = won_without(company.world, frozenset(), until)
    left = np.array([won_without(company.world, switched_off, until) for switched_off in below])
    return campaigns[["campaign_id", "parent_id", "depth", "campaign_name"]].assign(
        n_won_lost=n_won - left[:, 0].astype(int), causal_value=np.round(value - left[:, 1], 2))


def won_without(world: World, switched_off: frozenset[int], until: pd.Timestamp) -> tuple[int, float]:
    """Count the deals won up to a moment, and their money, in a world with some campaigns switched off."""
    deals = _record_deals(world, run_weeks(world, switched_off))
    won = deals[deals["is_won"] & (deals["ends_at"] <= until.tz_convert(None))]
    return len(won), won["amount"].sum()


AGREEMENT = """\
[company]
name = "Harmaja Controls Oy"   # invented, as everything here
time_zone = "Europe/Helsinki"  # where a day begins and ends
currency = "EUR"
contribution_margin = 0.6      # share of revenue that remains after variable costs
instance_url = "https://example.my.salesforce.com"
fiscal_year_starts = 1         # the month, 1 to 12

[touches]
count = "responses"            # or "memberships": being on the list is enough

# Stages in order: who owns each, and the rule that dates its entries.
[[stages]]
name = "lead"
owner = "marketing"
rule = "lead_created"
values = ["Open", "Recycled"]  # by these a lead is back here

[[stages]]
name = "mql"
owner = "marketing"
rule = "lead_status"
values = ["Marketing Qualified"]

[[stages]]
name = "sql"
owner = "sales"
rule = "lead_status"
values = ["Sales Qualified"]

[[stages]]
name = "opportunity"
owner = "sales"
rule = "opportunity_created"

[[stages]]
name = "customer"
owner = "sales"
rule = "opportunity_won"

[disqualified]
values = ["Disqualified"]      # by these a lead is out

[hours]                        # when sales answers
days = ["Mon", "Tue", "Wed", "Thu", "Fri"]
opens = "08:00"
closes = "16:00"
holidays = "FI"                # a country, or one of its regions as in "DE-BY", or "none"

[[promises]]                   # marketing: so many qualified leads, worth so much
by = "marketing"
stage = "mql"
per = "month"                  # or "quarter", "year"
n = 95
value = 190000

[[promises]]                   # sales: an answer in time, for at least this share of them
by = "sales"
stage = "mql"
per = "month"
within_hours = 16              # business hours to the first contact
attempts = 2
within_days = 14               # calendar days for that many attempts
share = 0.8

[targets]                      # revenue by fiscal year
"2025" = 3600000
"2026" = 4200000

[bands]                        # the score from which a person is warm, hot
warm = 40
hot = 70

[plan."2026-09"]
won_value = 300000
cost = 80000
n_mqls = 90
n_sqls = 20

[plan."2026-10"]
won_value = 350000
cost = 85000
n_mqls = 95
n_sqls = 22

[plan."2026-11"]
won_value = 350000
cost = 65000
n_mqls = 95
n_sqls = 22
"""


def write_company(folder: str | Path, seed: int = 4, n_accounts: int = 600, n_people: int = 4000, *,
                  exported_at: pd.Timestamp = EXPORTED_AT, dialect: str = "data_export", truth: bool = True) -> Path:
    """Simulate a company and write its CRM's export, its agreement and, if asked, its campaigns' causal values.

    Returns the folder. Raises ValueError for an unknown dialect or fewer people than companies.
    """
    folder, company = Path(folder), simulate_company(seed, n_accounts, n_people)
    write_export(company.tables, folder, exported_at, dialect)
    (folder / "agreement.toml").write_text(AGREEMENT, encoding="utf-8")
    if truth:
        write_truth(causal_values(company, exported_at), folder / "truth.csv")
    return folder


def write_truth(values: pd.DataFrame, path: Path) -> None:
    """Write causal values with the campaigns' ids of the export."""
    ids = {column: campaign_ids(values[column]) for column in ("campaign_id", "parent_id")}
    values.assign(**ids).to_csv(path, index=False, lineterminator="\n", float_format="%.2f")
