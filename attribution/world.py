"""A made-up world of companies, people and campaigns, and the weeks that pass in it.

People meet campaigns; those who respond carry an interest that decays; interest adds to the pace at which people
become leads, qualified, buyers, and to the chance that a deal is won. Some deals come without any campaign. Every
random number is a hash of (seed, stream, entity, ...), so switching a campaign off changes no other draw.
"""

import zlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from attribution.tables import DAY

MONDAY = np.datetime64("2024-11-04")                 # the first day of the first week
N_WEEKS = 113                                        # to the end of 2026
WEEK = pd.Timedelta(weeks=1)

#: programme > channel : type > campaign > asset | first and last month | who, reach, response rate
#: | effect on becoming a lead, MQL, SQL, opportunity, won | cost (- where nobody wrote it down)
PLAN = """
Demand Generation
  LinkedIn Ads : Advertisement
    Predictive Maintenance 2025
      Video: The pump that phoned home | 2024-11 2025-08 | anyone .19 .30 | .55 .08 .10 .007 .00 | 64500
      Carousel: Five signs of wear | 2024-12 2025-09 | anyone .16 .28 | .50 .04 .05 .003 .00 | 53000
      Lead form: Maintenance maturity test | 2025-01 2025-10 | anyone .17 .32 | .85 .11 .10 .009 .02 | 73000
    Energy Saver 2026
      Video: Compressed air, compressed bills | 2025-11 2026-09 | anyone .19 .30 | .55 .08 .12 .011 .02 | 67000
      Image: Save 12 per cent | 2025-11 2026-08 | anyone .16 .26 | .45 .01 .00 .000 .00 | 57500
      Lead form: Energy audit | 2026-01 2026-12 | anyone .20 .34 | .85 .12 .20 .017 .05 | 87000
  Google Ads : Advertisement
    Brand Search
      Search ad: Harmaja | 2024-11 2026-12 | anyone .14 .42 | .60 .09 .10 .005 .00 | 50500
      Search ad: Harmaja pricing | 2025-03 2026-12 | deals .72 .50 | .60 .00 .00 .000 .00 | 38000
    Condition Monitoring Search
      Search ad: condition monitoring | 2024-12 2026-12 | anyone .19 .36 | .65 .12 .14 .012 .04 | 95000
      Search ad: vibration sensor | 2025-01 2026-06 | anyone .15 .34 | .60 .08 .05 .002 .00 | 61500
      Search ad: free scada | 2025-02 2026-05 | anyone .14 .34 | .60 .01 .00 .000 -.10 | 46000
  Content : Other
    Maintenance Handbook
      Guide: Maintenance handbook | 2024-11 2026-12 | anyone .25 .42 | .90 .12 .16 .017 .06 | 33500
      Checklist: Spare parts | 2025-02 2026-10 | anyone .15 .38 | .80 .04 .05 .003 .00 | 8500
      Calculator: Cost of downtime | 2025-06 2026-12 | anyone .19 .40 | .85 .15 .22 .022 .08 | 25000
    Industry Reports
      Report: State of Nordic maintenance 2025 | 2025-02 2025-12 | anyone .19 .36 | .85 .06 .06 .005 .00 | 43500
      Report: State of Nordic maintenance 2026 | 2026-02 2026-12 | anyone .20 .36 | .85 .08 .08 .007 .02 | 46000
      Blog: Ask the engineer | 2024-11 2026-12 | anyone .19 .34 | .25 .04 .04 .003 .00 | -
  E-mail Nurture : Email
    Nurture 2025
      E-mail: Welcome series | 2024-11 2025-12 | known .39 .40 | .00 .06 .08 .006 .01 | 12000
      E-mail: Downtime stories | 2025-02 2025-11 | known .38 .28 | .00 .08 .05 .005 .00 | 10500
      E-mail: Summer service offer | 2025-05 2025-07 | known .39 .24 | .00 .01 .00 .000 -.05 | 9000
    Nurture 2026
      E-mail: Welcome series 2026 | 2026-01 2026-12 | known .39 .40 | .00 .08 .10 .009 .02 | 15000
      E-mail: Energy stories | 2026-02 2026-10 | known .36 .30 | .00 .08 .08 .007 .02 | 10500
      E-mail: Weekly digest | 2026-03 2026-11 | known .42 .22 | .00 .00 .00 .000 -.03 | 21000
  Direct Mail : Direct Mail
    Sensor In A Box
      Box: Try a sensor 2025 | 2025-03 2025-06 | known .12 .30 | .00 .01 .02 .002 .00 | 81000
      Box: Try a sensor 2026 | 2026-03 2026-06 | known .12 .34 | .00 .04 .08 .007 .03 | 66000
Events
  Webinars : Webinar
    Webinar Series 2025
      Webinar: Vibration basics | 2025-01 2025-02 | anyone .12 .40 | .95 .08 .08 .005 .01 | 19000
      Webinar: Spare parts by data | 2025-04 2025-05 | anyone .11 .40 | .95 .06 .06 .003 .00 | 19000
      Webinar: Lessons from a paper mill | 2025-09 2025-10 | anyone .14 .42 | .95 .11 .17 .011 .06 | 23500
    Webinar Series 2026
      Webinar: Energy audit live | 2026-02 2026-03 | anyone .15 .44 | .95 .12 .18 .013 .07 | 23500
      Webinar: Cyber security on the line | 2026-05 2026-06 | anyone .14 .40 | .95 .07 .10 .005 .01 | 22500
      Webinar: Maintenance in 2030 | 2026-09 2026-10 | anyone .14 .42 | .95 .08 .10 .005 .02 | 25500
  Trade Shows : Trade Show
    Northern Automation Fair *
      Stand: Tampere 2025 | 2025-09 2025-09 | anyone .10 .55 | .90 .12 .20 .018 .06 | 123000
      Stand: Tampere 2026 | 2026-09 2026-09 | anyone .10 .55 | .90 .12 .20 .018 .06 | 130000
      Talk: Main stage 2026 | 2026-09 2026-09 | anyone .07 .40 | .40 .03 .04 .003 .00 | 29500
    Baltic Industry Days
      Stand: Riga 2025 | 2025-05 2025-05 | anyone .06 .45 | .85 .01 .00 .000 .00 | 89500
      Stand: Riga 2026 | 2026-05 2026-05 | anyone .06 .45 | .85 .04 .04 .003 .00 | 82500
Sales Acceleration
  Retargeting : Banner Ads
    Display Retargeting
      Banner: Ready to talk? | 2025-01 2026-12 | deals .76 .62 | .40 .00 .00 .000 .00 | 75500
      Banner: Customer quotes | 2025-06 2026-12 | deals .72 .55 | .40 .00 .00 .000 .01 | 68500
  Executive Programme : Conference
    Archipelago Dinners *
      Dinner: Helsinki 2025 | 2025-04 2025-10 | deals .56 .45 | .00 .00 .00 .000 .26 | 50500
      Dinner: Helsinki 2026 | 2026-03 2026-10 | deals .56 .45 | .00 .00 .00 .000 .29 | 54500
      Dinner: Stockholm 2026 | 2026-04 2026-09 | deals .40 .40 | .00 .00 .00 .000 .07 | 65500
  Case Studies : Email
    Reference Mailings
      E-mail: Sawmill case | 2025-02 2026-03 | deals .64 .40 | .00 .00 .00 .000 .07 | 22000
      E-mail: Dairy case | 2025-10 2026-12 | deals .64 .42 | .00 .00 .00 .000 .10 | 26000
Customer Growth
  User Community : Conference
    User Day
      User day: Espoo 2025 | 2025-11 2025-11 | customers .31 .50 | .00 .00 .00 .113 .15 | 45000
      User day: Espoo 2026 | 2026-10 2026-11 | customers .31 .50 | .00 .00 .00 .113 .15 | 49000
  Customer E-mail : Email
    Newsletter
      Newsletter: H1 2025 | 2025-01 2025-06 | customers .37 .36 | .00 .00 .00 .003 .00 | 3500
      Newsletter: H2 2025 | 2025-07 2025-12 | customers .37 .36 | .00 .00 .00 .003 .00 | 3500
      Newsletter: 2026 | 2026-01 2026-12 | customers .43 .36 | .00 .00 .00 .005 .00 | 7000
    Upgrade Offers
      Offer: Gateway trade-in | 2025-08 2026-04 | customers .37 .30 | .00 .00 .00 .135 .12 | 17000
      Offer: Second site | 2026-02 2026-12 | customers .37 .32 | .00 .00 .00 .180 .15 | 19500
"""
STEPS = ("lead", "mql", "sql", "opportunity", "won")
HALF_LIFE_WEEKS = np.array([6.0, 6.0, 8.0, 8.0, 16.0])    # of the interest in each step

UNKNOWN, LEAD, MQL, SQL, CONTACT, OUT = range(6)


@dataclass(frozen=True)
class Factors:
    """What sets a company apart from the sample one, by how many times; 1 everywhere is the sample one."""

    cycle: float = 1.0                               # how long a deal lasts
    reach: float = 1.0                               # how many people each campaign may meet
    baseline: float = 1.0                            # how readily companies turn up and buy without any campaign


SAMPLE = Factors()


@dataclass(frozen=True)
class World:
    """Everything fixed before the first week: who there is, the campaign tree, and who may meet what when."""

    seed: int
    factors: Factors
    accounts: pd.DataFrame
    people: pd.DataFrame
    campaigns: pd.DataFrame
    meetings: pd.DataFrame                           # a person may meet a campaign in a week, sorted by week


@dataclass(frozen=True)
class History:
    """What happened, week by week: campaigns met, stages entered, deals opened and closed."""

    met: pd.DataFrame
    entered: pd.DataFrame
    opened: pd.DataFrame
    closed: pd.DataFrame


def uniform(seed: int, stream: str, *keys: ArrayLike) -> np.ndarray:
    """Draw numbers between 0 and 1 that depend on nothing but the seed, the stream's name and the keys.

    Returns one number per row of the keys, by the finaliser of splitmix64 (Steele, Lea & Flood 2014).

    >>> bool(uniform(7, "fit", [1, 2])[1] == uniform(7, "fit", [2])[0])
    True
    """
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.uint64(zlib.crc32(stream.encode())) * np.uint64(0x9E3779B97F4A7C15)
        for key in keys:
            state = (state ^ np.asarray(key).astype(np.uint64)) * np.uint64(0xD1342543DE82EF95)
            state = state + np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return ((state >> np.uint64(11)).astype(float) + 0.5) * 2.0**-53


def pick(options: ArrayLike, draws: np.ndarray) -> np.ndarray:
    """Pick one option per draw, all equally likely.

    >>> pick(["a", "b"], np.array([0.2, 0.7])).tolist()
    ['a', 'b']
    """
    return np.asarray(options)[(draws * len(options)).astype(int)]


def normal(seed: int, stream: str, *keys: ArrayLike) -> np.ndarray:
    """Draw standard normal numbers that depend on nothing but the seed, the stream's name and the keys.

    Returns one number per row of the keys, by Box & Muller (1958).

    >>> bool(normal(7, "size", [1, 2])[1] == normal(7, "size", [2])[0])
    True
    """
    radius = np.sqrt(-2 * np.log(uniform(seed, stream, *keys, 1)))
    return radius * np.cos(2 * np.pi * uniform(seed, stream, *keys, 2))


def read_plan(plan: str = PLAN) -> pd.DataFrame:
    """Read the campaign tree from its outline.

    Returns one row per campaign, parents first: campaign_id, parent_id (-1 at a root), depth (0 at a root), whether the
    campaign itself books its assets' costs (marked *), and for assets the months, who it is for and its true effects.

    >>> plan = read_plan("Events\\n  Fairs : Trade Show\\n    Fair *")
    >>> plan[["campaign_name", "parent_id", "channel"]].values.tolist()
    [['Events', -1, 'Other'], ['Fairs', 0, 'Trade Show'], ['Fair', 1, 'Trade Show']]
    """
    rows, path = [], {}
    for number, line in enumerate(plan.strip("\n").splitlines()):
        depth = (len(line) - len(line.lstrip())) // 2
        title, *cells = [cell.strip() for cell in line.split(" | ")]
        name, _, channel = title.partition(" : ")
        channel = channel or path.get(depth - 1, (None, "Other"))[1]
        path[depth] = number, channel
        rows.append((number, path[depth - 1][0] if depth else -1, depth, name.removesuffix(" *"), channel,
                     name.endswith(" *"), *_read_leaf(cells)))
    columns = ["campaign_id", "parent_id", "depth", "campaign_name", "channel", "books_cost", "first_month",
               "last_month", "rule", "reach", "response_rate", *STEPS, "cost"]
    return pd.DataFrame(rows, columns=columns)


def _read_leaf(cells: list[str]) -> tuple:
    if not cells:
        return ("", "", "", 0.0, 0.0, *[0.0] * len(STEPS), np.nan)
    rule, reach, response_rate = cells[1].split()
    cost = np.nan if cells[3] == "-" else float(cells[3])
    return (*cells[0].split(), rule, float(reach), float(response_rate), *map(float, cells[2].split()), cost)


def make_world(seed: int, n_accounts: int, n_people: int, plan: str = PLAN, factors: Factors = SAMPLE) -> World:
    """Make the companies, the people, the campaigns, and who may meet which campaign in which week.

    Raises ValueError for a negative seed, or fewer people than companies.
    """
    if seed < 0:
        raise ValueError(f"seed: {seed} is negative")
    if not 0 < n_accounts <= n_people:
        raise ValueError(f"n_people: {n_people} is fewer than n_accounts, {n_accounts}, or that is not above 0")
    accounts = _make_accounts(seed, n_accounts)
    people = _make_people(seed, accounts, n_people)
    campaigns = _make_campaigns(plan, n_people / 4000)
    eagerness = (0.6 + 0.8 * accounts["fit"].to_numpy())[people["account_id"]]
    campaigns["reach"] *= factors.reach
    return World(seed, factors, accounts, people, campaigns, _schedule_meetings(seed, eagerness, campaigns))


def _make_accounts(seed: int, n_accounts: int) -> pd.DataFrame:
    account = np.arange(n_accounts)
    size = np.exp(4.6 + 1.1 * normal(seed, "size", account))
    fit = np.clip(0.5 + 0.22 * normal(seed, "fit", account), 0.02, 0.98)
    return pd.DataFrame({
        "account_id": account, "fit": fit, "n_employees": np.ceil(size).astype(int) + 4,
        "deal_size": 26_000 * np.exp(0.28 * (np.log(size) - 4.6) + 0.35 * normal(seed, "deal size", account)),
        "was_customer": uniform(seed, "was customer", account) < 0.05,
        "is_target": uniform(seed, "is target", account) < 0.75,
    })


def _make_people(seed: int, accounts: pd.DataFrame, n_people: int) -> pd.DataFrame:
    person, account = np.arange(n_people), _spread_people(accounts, n_people)
    was_customer, is_target = (accounts[column].to_numpy()[account] for column in ("was_customer", "is_target"))
    is_contact = (is_target | was_customer) & (uniform(seed, "is contact", person) < 0.16)
    is_contact |= was_customer & (np.diff(account, prepend=-1) > 0)
    return pd.DataFrame({
        "person_id": person, "account_id": account, "was_contact": is_contact,
        "was_lead": ~is_contact & (uniform(seed, "was lead", person) < 0.32),
        "seniority": (uniform(seed, "seniority", person) ** 1.6 * 4).astype(int),
        "opts_out_week": np.where(uniform(seed, "opts out", person) < 0.05,
                                  (uniform(seed, "opts out week", person) * N_WEEKS).astype(int), N_WEEKS),
    })


def _spread_people(accounts: pd.DataFrame, n_people: int) -> np.ndarray:
    share = np.cumsum(np.sqrt(accounts["n_employees"].to_numpy()))
    extra = np.floor(share / share[-1] * (n_people - len(accounts)) + 0.5).astype(int)
    return np.repeat(accounts["account_id"].to_numpy(), 1 + np.diff(extra, prepend=0))


def _make_campaigns(plan: str, scale: float) -> pd.DataFrame:
    campaigns = read_plan(plan)
    first, last = (pd.to_datetime(campaigns[month], format="%Y-%m") for month in ("first_month", "last_month"))
    last = last + pd.offsets.MonthEnd(0)
    first_week, end_week = (((days - MONDAY).dt.days // 7).clip(0, N_WEEKS) for days in (first + WEEK, last))
    n_weeks = (end_week - first_week).clip(lower=1)
    return campaigns.assign(
        starts_on=first.astype(DAY), ends_on=last.astype(DAY), cost=(campaigns["cost"] * scale).round(-2),
        first_week=first_week.fillna(0).astype(int), n_weeks=n_weeks.fillna(0).astype(int))


def _schedule_meetings(seed: int, eagerness: np.ndarray, campaigns: pd.DataFrame) -> pd.DataFrame:
    leaves = campaigns[campaigns["rule"].ne("")]
    meetings = [_meetings_of(seed, eagerness, leaf) for leaf in leaves.itertuples()]
    return pd.concat(meetings, ignore_index=True).sort_values(
        ["week", "person_id", "campaign_id"], kind="stable", ignore_index=True)


def _meetings_of(seed: int, eagerness: np.ndarray, leaf: NamedTuple) -> pd.DataFrame:
    person, number = np.arange(len(eagerness)), leaf.campaign_id
    met = person[uniform(seed, "reach", person, number) < leaf.reach]
    week = leaf.first_week + (uniform(seed, "week", met, number) * leaf.n_weeks).astype(int)
    return pd.DataFrame({
        "week": week, "person_id": met, "campaign_id": number,
        "has_responded": uniform(seed, "response", met, number) < leaf.response_rate * eagerness[met],
    })


class _Run:
    """One run through the weeks: the state of every person and company, and the log of what happened."""

    def __init__(self, world: World, switched_off: frozenset[int]):
        self.seed, self.world = world.seed, world
        self.cycle, self.baseline = world.factors.cycle, world.factors.baseline
        self.account = world.people["account_id"].to_numpy()
        self.first_person = np.searchsorted(self.account, np.arange(len(world.accounts)))
        self.fit = world.accounts["fit"].to_numpy()
        self.person_fit = self.fit[self.account] * (0.7 + 0.2 * world.people["seniority"].to_numpy())
        self._load_meetings(switched_off)
        self._start_people()
        self._start_accounts()
        self.log = {"met": [], "entered": [], "opened": [], "closed": []}

    def _load_meetings(self, switched_off: frozenset[int]) -> None:
        meetings, campaigns = self.world.meetings, self.world.campaigns
        on = ~campaigns["campaign_id"].isin(switched_off).to_numpy()
        meetings = meetings[on[meetings["campaign_id"]]]
        self.meetings = [meetings[column].to_numpy() for column in ("person_id", "campaign_id", "has_responded")]
        self.week_starts = np.searchsorted(meetings["week"].to_numpy(), np.arange(N_WEEKS + 1))
        self.effects = campaigns[list(STEPS)].to_numpy()
        self.rule = campaigns["rule"].to_numpy()

    def _start_people(self) -> None:
        people = self.world.people
        self.stage = np.where(people["was_contact"], CONTACT, np.where(people["was_lead"], LEAD, UNKNOWN))
        self.interest = np.zeros((len(STEPS), len(people)))
        self.n_entry = np.zeros(len(people), int)
        self.pace = np.zeros(len(people))
        self.patience = self._patience("person", people["person_id"], self.stage, 0)
        self.due_week = np.full(len(people), N_WEEKS)
        self.opts_out_week = people["opts_out_week"].to_numpy()

    def _start_accounts(self) -> None:
        n_accounts = len(self.fit)
        self.is_customer = self.world.accounts["was_customer"].to_numpy().copy()
        self.n_deal = np.zeros(n_accounts, int)
        self.is_open = np.zeros(n_accounts, bool)
        self.deal_pace = np.zeros(n_accounts)
        self.deal_patience = self._patience("account", np.arange(n_accounts), self.n_deal)
        self.progress, self.duration = np.zeros((2, n_accounts))

    def _patience(self, stream: str, *keys: ArrayLike) -> np.ndarray:
        return -np.log(uniform(self.seed, f"patience of a {stream}", *keys))

    def pass_weeks(self) -> History:
        for week in range(N_WEEKS):
            before = self.stage.copy(), self.is_open.copy(), self.is_customer.copy()
            self._close_deals(week)
            self._open_deals(week)
            self._qualify(week)
            self.interest *= (0.5 ** (1 / HALF_LIFE_WEEKS))[:, None]
            self._meet(week, *before)
        return History(**{name: pd.DataFrame(_stack(rows)) for name, rows in self.log.items()})

    def _note(self, table: str, **columns) -> None:
        size = next(len(values) for values in columns.values() if np.ndim(values))
        if size or not self.log[table]:
            self.log[table].append({name: values if np.ndim(values) else np.full(size, values)
                                    for name, values in columns.items()})

    def _by_account(self, step: str, only: np.ndarray) -> np.ndarray:
        return np.add.reduceat(self.interest[STEPS.index(step)] * only, self.first_person)

    def _close_deals(self, week: int) -> None:
        warmth = self._by_account("won", self.stage >= MQL)
        self.progress += self.is_open * (1 + np.clip(0.4 * warmth, -0.3, 0.6))
        account = np.flatnonzero(self.is_open & (self.progress >= self.duration))
        n_deal = self.n_deal[account]
        chance = np.clip(0.13 + 0.24 * self.fit[account] + 0.14 * self.is_customer[account]
                         + 0.5 * (1 - np.exp(-warmth[account])), 0.02, 0.92)
        is_won = uniform(self.seed, "win", account, n_deal) < chance
        is_lapsed = uniform(self.seed, "lapse", account, n_deal) < 0.09
        self._note("closed", week=week, account_id=account, n_deal=n_deal, is_won=is_won & ~is_lapsed,
                   is_lapsed=is_lapsed)
        self.is_customer[account] |= is_won & ~is_lapsed
        self.is_open[account] = False
        self._wait_for_next_deal(account, np.where(is_won, 1.0, 1.6))

    def _wait_for_next_deal(self, account: np.ndarray, factor: np.ndarray) -> None:
        self.n_deal[account] += 1
        self.deal_pace[account] = 0
        self.deal_patience[account] = factor * self._patience("account", account, self.n_deal[account])

    def _open_deals(self, week: int) -> None:
        pull = self._by_account("opportunity", self.stage == CONTACT)
        alone = self.baseline * np.where(self.is_customer, 0.008, 0.0044 * self.fit)
        self.deal_pace += ~self.is_open * (alone + 0.5 * np.maximum(pull, 0))
        called = np.flatnonzero(~self.is_open & (self.deal_pace >= self.deal_patience))
        self._open(week, called, self._likeliest_buyer(called), is_from_lead=False)
        ready = np.flatnonzero((self.stage == SQL) & (self.pace >= self.patience))
        account, first = np.unique(self.account[ready], return_index=True)
        new = ~self.is_open[account]
        self._open(week, account[new], ready[first[new]], is_from_lead=True)
        self._enter(week, ready[self.stage[ready] == SQL], CONTACT)

    def _likeliest_buyer(self, account: np.ndarray) -> np.ndarray:
        if not len(account):
            return account
        known = (self.stage != UNKNOWN) + 2.0 * (self.stage == CONTACT)
        score = known + self.interest[3] + 0.01 * uniform(self.seed, "buyer", np.arange(len(self.stage)))
        best = np.maximum.reduceat(score, self.first_person)
        person = np.flatnonzero((score == best[self.account]) & np.isin(self.account, account))
        return person[np.unique(self.account[person], return_index=True)[1]]

    def _open(self, week: int, account: np.ndarray, buyer: np.ndarray, is_from_lead: bool) -> None:
        n_deal = self.n_deal[account]
        self._note("opened", week=week, account_id=account, n_deal=n_deal, person_id=buyer, is_from_lead=is_from_lead,
                   is_existing=self.is_customer[account])
        self.is_open[account] = True
        self.progress[account] = 0
        self.duration[account] = self.cycle * (9 + 24 * uniform(self.seed, "duration", account, n_deal) ** 1.3)
        self._enter(week, buyer[self.stage[buyer] != CONTACT], CONTACT)

    def _enter(self, week: int, person: np.ndarray, stage: int) -> None:
        self._note("entered", week=week, person_id=person, from_stage=self.stage[person], stage=stage,
                   n_entry=self.n_entry[person])
        self.stage[person] = stage
        self.pace[person] = 0
        self.patience[person] = self._patience("person", person, np.full(len(person), stage), self.n_entry[person])

    def _qualify(self, week: int) -> None:
        before = self.stage.copy()
        self._become_known(week, before)
        self._become_mql(week, before)
        self._answer_the_call(week, before)
        self._cool_off(week, before)
        self.pace += np.where(self.stage == SQL, 0.05 + 0.09 * self.person_fit + self.interest[3], 0)

    def _become_known(self, week: int, before: np.ndarray) -> None:
        unknown = np.flatnonzero(before == UNKNOWN)
        by_chance = uniform(self.seed, "known by chance", unknown, week) < 0.0034 * self.baseline
        self._enter(week, unknown[by_chance], LEAD)

    def _become_mql(self, week: int, before: np.ndarray) -> None:
        pull = 0.0030 * self.baseline + np.maximum(self.interest[1], 0) * (0.3 + self.person_fit)
        self.pace += np.where(before == LEAD, pull, 0)
        person = np.flatnonzero((before == LEAD) & (self.pace >= self.patience))
        self._enter(week, person, MQL)
        is_called = uniform(self.seed, "is called", person, self.n_entry[person]) > 0.2
        wait = 1 + (1.6 * self._patience("caller", person, self.n_entry[person])).astype(int)
        self.due_week[person] = np.where(is_called, week + wait, N_WEEKS)

    def _answer_the_call(self, week: int, before: np.ndarray) -> None:
        person = np.flatnonzero((before == MQL) & (self.stage == MQL) & (self.due_week <= week))
        draw = uniform(self.seed, "answer", person, self.n_entry[person])
        chance = 0.07 + 0.27 * self.person_fit[person] + 0.5 * (1 - np.exp(-2 * self.interest[2][person]))
        is_sql, is_back = draw < chance, uniform(self.seed, "goes back", person, self.n_entry[person]) < 0.65
        self._enter(week, person[is_sql], SQL)
        self.due_week[person] = week + 30
        self._send_back(week, person[~is_sql & is_back])
        self._enter(week, person[~is_sql & ~is_back], OUT)

    def _cool_off(self, week: int, before: np.ndarray) -> None:
        self._send_back(week, np.flatnonzero((before == SQL) & (self.stage == SQL) & (self.due_week <= week)))

    def _send_back(self, week: int, person: np.ndarray) -> None:
        self._enter(week, person, LEAD)
        self.n_entry[person] += 1
        self.patience[person] = 1.5 * self._patience("person", person, np.full(len(person), LEAD), self.n_entry[person])

    def _meet(self, week: int, stage: np.ndarray, is_open: np.ndarray, is_customer: np.ndarray) -> None:
        here = slice(*self.week_starts[week:week + 2])
        person, campaign, has_responded = (column[here] for column in self.meetings)
        account, known = self.account[person], stage[person] != UNKNOWN
        may = {"anyone": stage[person] != OUT, "known": known & (stage[person] != OUT) & ~is_customer[account],
               "deals": is_open[account], "customers": is_customer[account] & (stage[person] == CONTACT)}
        rule = self.rule[campaign]
        met = np.select([rule == name for name in may], list(may.values()), False) & (self.opts_out_week[person] > week)
        met &= known | has_responded
        self._respond(week, person[met & has_responded], campaign[met & has_responded])
        self._note("met", week=week, person_id=person[met], campaign_id=campaign[met], has_responded=has_responded[met])

    def _respond(self, week: int, person: np.ndarray, campaign: np.ndarray) -> None:
        np.add.at(self.interest.T, person, self.effects[campaign])
        is_named = uniform(self.seed, "leaves a name", person, campaign) < self.effects[campaign, 0]
        self._enter(week, np.unique(person[is_named & (self.stage[person] == UNKNOWN)]), LEAD)


def _stack(rows: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def run_weeks(world: World, switched_off: frozenset[int] = frozenset()) -> History:
    """Let the weeks pass in a world, with some campaigns switched off.

    Returns what happened; two runs of one world differ only by what the campaigns caused.
    """
    return _Run(world, switched_off).pass_weeks()
