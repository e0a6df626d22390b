"""A regression's view of campaigns: how often a company opens and wins deals with what it met, and without.

Two equations in discrete time (Allison 1982), by company and month. *Opening*: has a company without an open deal got
one this month? *Winning*: has a company with an open deal won one? Between them lies the open deal, by which most
campaigns work and at which some are aimed: left out of a single equation, those aimed at open deals are paid for what
others opened; put in, those that open deals lose what they did. What is known of the two: in 40 made-up companies of
eight kinds the rank correlation of five channels' estimates with what they truly caused is 0.72 on average, from 0.38
where deals take long to 0.86 where companies are met often. That is no proof for a real company.
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from attribution.agreement import Agreement
from attribution.campaigns import build_ancestors, describe_tree
from attribution.cohorts import Z
from attribution.entries import LAPSED_AFTER_DAYS, find_lapsed
from attribution.journeys import DAY_MICROSECONDS, microseconds
from attribution.language import marked
from attribution.tables import CRM, TableError, find_rows

if TYPE_CHECKING:
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLMResults

HALF_LIFE_DAYS = 90.0                                # of a touch's weight in the exposure
LEAST = 10                                           # events for each coefficient of an exposure: Peduzzi et al. 1996
OTHER = marked("(other campaigns)")
INTERCEPT = "intercept"
OPENING, WINNING = "opening", "winning"
EVENTS = {OPENING: "is_opened", WINNING: "is_won"}
WORDS = {OPENING: "opened", WINNING: "won"}
CONTROLS = ("is_customer", "had_deal", "log_employees", "is_size_unknown", "log_months_known", "years")
OPEN_CONTROLS = ("log_months_open", "log_months_open_squared")       # the pace of winning rises, then falls
TERMS = ["equation", "term", "campaign_id", "coefficient", "hazard_ratio", "hazard_ratio_low", "hazard_ratio_high",
         "n_conversions"]

CAUSED = ["campaign_id", "campaign_name", "path", "depth", "is_leaf", "n_caused", "caused_value", "caused_low",
          "caused_high"]


@dataclass(frozen=True)
class Panel:
    """The months in which each company could have opened or won a deal, and what its people had met by then."""

    months: pd.DataFrame                             # a row per account and month: controls, events, what one is worth
    exposure: sparse.csr_array                       # a row per row of months, a column per campaign met
    campaign_ids: pd.Index                           # of the columns
    half_life_days: float


@dataclass(frozen=True)
class Equation:
    """A fitted equation: its rows of the panel, its terms, their coefficients and how sure these are."""

    rows: np.ndarray
    design: pd.DataFrame                             # a row per row of the panel that is in it, a column per term
    coefficients: np.ndarray
    covariance: np.ndarray                           # robust, clustered by account
    groups: pd.Series                                # campaign met → the term that holds its exposure, null where none


@dataclass(frozen=True)
class Hazard:
    """Both equations of a panel, and the tree whose campaigns they speak of."""

    panel: Panel
    equations: dict[str, Equation]
    terms: pd.DataFrame                              # what fit_hazard says
    campaigns: pd.DataFrame
    on_orphan: str


def build_exposure(crm: CRM, agreement: Agreement, *, half_life_days: float = HALF_LIFE_DAYS) -> Panel:
    """Follow every company month by month: what it had met at the month's start, and whether it opened or won a deal.

    Returns a Panel. `months` has one row per account and local month that is over at as_of, from the one after the
    account's record was made (a record made with its first deal says nothing of the time before) or, where that is
    later, the one of the first touch in the data: what came before is not seen, and not guessed at. Columns:
    account_id, month, has_open_deal (at its start), is_opened, is_won (in it), the controls, value and n_won (money and
    won deals that the row's event is expected to bring: a deal won, its average amount; a deal opened, that times the
    share won of those that ended; apart for customers where there are enough), booked_value and n_booked (money and
    number of the deals that were won in it, also of those opened in the same month). An account stays under
    observation after a win or a loss: buying again is what one waits for. Deals without an account, and touches of
    people without one, have no row: of a lead nobody knows yet where it would buy.
    `exposure` is the number of its people's touches before the month's first moment, each half as much for every
    half_life_days of age; a month's own touches may follow from its deals and are never in it.
    Raises ValueError for a half-life that is no time, TableError where there is nothing to follow.
    """
    if not 0 < half_life_days < np.inf:
        raise ValueError(f"half_life_days: {half_life_days} is not a number of days above 0")
    accounts = crm.accounts.sort_values("account_id", ignore_index=True)
    touches = crm.touches[crm.touches["touched_at"] <= crm.as_of]
    touches = touches.assign(account=find_rows(touches["account_id"], accounts["account_id"]))
    touches = touches[touches["account"] >= 0].sort_values(["account", "campaign_id", "touched_at"])
    months = _list_months(accounts, touches, agreement, crm.as_of)
    deals = _date_deals(crm, accounts, agreement)
    rows = _add_events(_add_history(months, deals), deals)
    exposure, ids = _decay(months, touches, agreement, half_life_days)
    table = _add_worth(_add_controls(rows, accounts, agreement), deals)
    return Panel(table.drop(columns=["account", "number"]), exposure, ids, half_life_days)


def _month_numbers(days: pd.Series) -> np.ndarray:
    """Number the months of local days from January 1970; a day that is not known is before all others."""
    return days.to_numpy("datetime64[M]").astype(np.int64)


def _list_months(accounts: pd.DataFrame, touches: pd.DataFrame, agreement: Agreement,
                 as_of: pd.Timestamp) -> pd.DataFrame:
    if not len(touches):
        raise TableError("touches: none is of a person at an account, so there is no exposure to follow. Export "
                         "Contact.csv and CampaignMember.csv again, or go without the regression.")
    ended = agreement.day_of(pd.Series([as_of + pd.Timedelta(microseconds=1)]))
    first, last = _month_numbers(agreement.day_of(touches["touched_at"])).min(), _month_numbers(ended)[0] - 1
    start = np.maximum(_month_numbers(agreement.day_of(accounts["created_at"])) + 1, first)
    account, number = _spans(start, np.full(len(start), last))
    known, which = np.unique(number, return_inverse=True)
    month = pd.PeriodIndex.from_ordinals(known, freq="M").strftime("%Y-%m").to_numpy(str)
    return pd.DataFrame({"account": account, "number": number,
                         "account_id": accounts["account_id"].to_numpy()[account], "month": month[which]})


def _spans(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write out every number from first to last, for each pair in turn: the pair, the number."""
    n = np.maximum(last - first + 1, 0)
    owner = np.repeat(np.arange(len(n)), n)
    return owner, np.arange(n.sum()) - (np.cumsum(n) - n - first)[owner]


def _find_months(months: pd.DataFrame, account: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Find the row of an account's month, -1 where it is not followed in it."""
    keys = months["account"].to_numpy() * 2**20 + months["number"].to_numpy()
    asked = account.astype(np.int64) * 2**20 + number
    at = np.searchsorted(keys, asked)
    return np.where(np.append(keys, -1)[at] == asked, at, -1)


def _date_deals(crm: CRM, accounts: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """Give each account's deals the months in which they were made and ended; one that is still open ends in none."""
    deals, today = crm.opportunities.sort_values("opportunity_id"), agreement.local_day(crm.as_of)
    is_lapsed = find_lapsed(deals, today)
    ends_on = deals["close_on"] + pd.to_timedelta(np.where(is_lapsed, LAPSED_AFTER_DAYS, 0), unit="D")
    is_over = deals["is_closed"] | deals["is_won"] | is_lapsed
    dated = pd.DataFrame({
        "account": find_rows(deals["account_id"], accounts["account_id"]),
        "made": _month_numbers(agreement.day_of(deals["created_at"])),
        "ended": np.where(is_over, _month_numbers(ends_on), 2**19), "is_won": deals["is_won"] & is_over,
        "value": deals["value"]})
    return dated[dated["account"] >= 0].reset_index(drop=True)


def _add_history(months: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """Add what each company's deals were at the month's start: an open one, how long, one ended before, one won."""
    account, number = months["account"].to_numpy(), months["number"].to_numpy()
    deal, at = _spans(deals["made"].to_numpy() + 1, np.minimum(deals["ended"], number.max(initial=0)).to_numpy())
    row = _find_months(months, deals["account"].to_numpy()[deal], at)
    since = np.full(len(months), 2**19)
    np.minimum.at(since, row[row >= 0], deals["made"].to_numpy()[deal[row >= 0]])
    has_open_deal = since < 2**19
    return months.assign(
        has_open_deal=has_open_deal, months_open=np.where(has_open_deal, number - since, 0),
        had_deal=_first_months(deals, account) < number,
        is_customer=_first_months(deals[deals["is_won"]], account) < number)


def _first_months(deals: pd.DataFrame, account: np.ndarray) -> np.ndarray:
    """Give each account the month in which the first of some deals ended."""
    first = deals.groupby("account")["ended"].min()
    return first.reindex(account).fillna(2**19).to_numpy(np.int64)


def _add_events(months: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """Tell in which months a company without an open deal got one, and one with an open deal won one."""
    happened, won = np.zeros((2, len(months)), bool), deals[deals["is_won"]]
    for event, (account, number) in enumerate([(deals["account"], deals["made"]), (won["account"], won["ended"])]):
        row = _find_months(months, account.to_numpy(), number.to_numpy())
        happened[event, row[row >= 0]] = True
    is_open = months["has_open_deal"]
    return months.assign(is_opened=happened[0] & ~is_open, is_won=happened[1] & is_open, **_book(months, won))


def _book(months: pd.DataFrame, won: pd.DataFrame) -> dict[str, np.ndarray]:
    """Add up the deals won in each month followed: their money and their number."""
    row = _find_months(months, won["account"].to_numpy(), won["ended"].to_numpy())
    sums = won.assign(row=row, n=1).query("row >= 0").groupby("row")[["value", "n"]].sum()
    value, n = sums.reindex(range(len(months)), fill_value=0).to_numpy(float).T
    return {"booked_value": value, "n_booked": n}


def _add_controls(months: pd.DataFrame, accounts: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    number, account = months["number"].to_numpy(), months["account"].to_numpy()
    size = np.log(accounts["n_employees"].astype(float).where(lambda n: n > 0))
    made = _month_numbers(agreement.day_of(accounts["created_at"]))[account]
    known = np.where(made > -2**19, np.maximum(number - made, 0), 0)
    open_for = np.log(np.maximum(months["months_open"], 1))
    return months.assign(
        log_employees=(size - size.mean()).fillna(0.0).to_numpy()[account],
        is_size_unknown=size.isna().to_numpy()[account], log_months_known=np.log1p(known),
        years=(number - number.min(initial=2**19)) / 12, log_months_open=open_for,
        log_months_open_squared=open_for ** 2).drop(columns="months_open")


def _add_worth(months: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """Add what the event that a row waits for brings, on average: of customers by customers' deals, where enough."""
    number = months["number"]
    ended = deals[deals["ended"].between(number.min(), number.max())]
    is_customer = _first_months(ended[ended["is_won"]], ended["account"].to_numpy()) < ended["ended"]
    groups = {True: ended[is_customer], False: ended[~is_customer]}
    worth = {which: _average(rows if rows["is_won"].sum() >= LEAST else ended) for which, rows in groups.items()}
    share, amount = (months["is_customer"].map({which: pair[k] for which, pair in worth.items()}) for k in (0, 1))
    n_won = share.where(~months["has_open_deal"], 1.0)
    return months.assign(n_won=n_won, value=n_won * amount)


def _average(ended: pd.DataFrame) -> tuple[float, float]:
    won = ended[ended["is_won"]]
    return len(won) / len(ended) if len(ended) else np.nan, won["value"].sort_values().mean()


def _decay(months: pd.DataFrame, touches: pd.DataFrame, agreement: Agreement,
           half_life_days: float) -> tuple[sparse.csr_array, pd.Index]:
    """Sum each account's touches of each campaign before each month's start, older ones for less."""
    codes, ids = pd.factorize(touches["campaign_id"], sort=True)
    number, account = _month_numbers(agreement.day_of(touches["touched_at"])), touches["account"].to_numpy()
    last = months["number"].max() if len(months) else 0
    first = pd.Series(months["number"].to_numpy(), months["account"]).groupby(level=0).first()
    start = first.reindex(account).fillna(last + 1).to_numpy(np.int64)
    touch, at = _spans(np.maximum(number + 1, start), np.full(len(number), last))
    begins = microseconds(agreement.start_of(pd.Series(np.arange(last + 1).astype("datetime64[M]")).astype(
        "datetime64[us]")))
    days = (begins[at] - microseconds(touches["touched_at"])[touch]) / DAY_MICROSECONDS
    row = _find_months(months, account[touch], at)
    cells = sparse.coo_array((0.5 ** (days / half_life_days), (row, codes[touch])), (len(months), len(ids)))
    return cells.tocsr(), pd.Index(ids)


def fit_hazard(panel: Panel, campaigns: pd.DataFrame, *, depth: int = 1, on_orphan: str = "raise") -> Hazard:
    """Fit how the hazards of opening and of winning a deal go with what a company has met, channel by channel.

    hazard = 1 - exp(-exp(x b)), the complementary log-log link: b is then the coefficient of the continuous-time
    proportional-hazards model behind the months, whatever a month's length (Prentice & Gloeckler 1978). A term per
    campaign of that depth of the tree (0: the roots) holds the exposure to it and all below it, linear: a touch
    multiplies the hazard by exp(b) on its day, by exp(b / 2) a half-life later. Controls: is a customer, had a deal
    before, log employees (the mean where unknown, and a flag), log months since the record was made, a linear trend in
    years, which costs one coefficient where quarters cost eight, and in winning the months that the deal is open. A
    flag is left out where fewer than 10 of either kind had the event, and so is what does not vary.
    Campaigns of that depth with fewer than 10 events in the months exposed to them, and those with the fewest until
    there are 10 events for each term, are put together as "(other campaigns)", without a term where these are too few.
    Errors are robust, clustered by account: its months hang together.
    Returns a Hazard, whose `terms` has one row per equation and term: equation, term, campaign_id, coefficient,
    hazard_ratio, hazard_ratio_low, hazard_ratio_high (95 %), n_conversions (events in exposed months; of a control
    all).
    Raises TableError where there are too few events, or they do not tell two terms apart.
    """
    groups = _group_campaigns(campaigns, panel.campaign_ids, depth, on_orphan)
    equations = {name: _fit_equation(panel, groups, name) for name in EVENTS}
    names = describe_tree(campaigns, on_orphan).set_index("campaign_id")["path"]
    terms = pd.concat([_list_terms(panel, name, each, names) for name, each in equations.items()], ignore_index=True)
    return Hazard(panel, equations, terms, campaigns, on_orphan)


def _group_campaigns(campaigns: pd.DataFrame, ids: pd.Index, depth: int, on_orphan: str) -> pd.Series:
    """Say for each campaign met which campaign's term holds its exposure: the one above it at that depth."""
    tree = describe_tree(campaigns, on_orphan)
    if depth not in range(int(tree["depth"].max()) + 1 if len(tree) else 1):
        raise ValueError(f"depth: {depth!r} is not a level of the tree, from 0 to {tree['depth'].max()}")
    lines = build_ancestors(campaigns, on_orphan)
    level = tree.set_index("campaign_id")["depth"]
    above = lines[lines["ancestor_id"].map(level) == np.minimum(lines["campaign_id"].map(level), depth)]
    return above.set_index("campaign_id")["ancestor_id"].reindex(ids).fillna(OTHER)


def _fit_equation(panel: Panel, groups: pd.Series, name: str) -> Equation:
    rows = np.flatnonzero(panel.months["has_open_deal"] == (name == WINNING))
    events = panel.months[EVENTS[name]].to_numpy()[rows]
    if events.sum() < LEAST:
        raise TableError(f"hazard: a deal was {WORDS[name]} in {events.sum():,} of {len(rows):,} months followed, and "
                         f"one coefficient takes {LEAST}. Export a longer time, or go without the regression.")
    exposure = panel.exposure[rows]
    groups = _merge_small(exposure, groups, events)
    design = _controls(panel.months.iloc[rows], name, events).join(_sum_groups(exposure, groups))
    _check_collinear(design, name)
    account = pd.factorize(panel.months["account_id"].iloc[rows])[0]
    return Equation(rows, design, *estimate(design, events, account, name=name), groups)


def _merge_small(exposure: sparse.csr_array, groups: pd.Series, events: np.ndarray) -> pd.Series:
    """Put the groups together that have too few events for a coefficient; null where even these are too few."""
    n = _count_exposed(_sum_groups(exposure, groups), events)
    named = n.drop(OTHER, errors="ignore").sort_values(kind="stable")
    most = events.sum() // LEAST
    if (named < LEAST).any() or len(n) > min(len(named), most):
        most -= 1                                    # the others take a coefficient too
    few = named.index[(named < LEAST) | (np.arange(len(named), 0, -1) > most)]
    merged = groups.where(~groups.isin(few), OTHER)
    n_other = _count_exposed(_sum_groups(exposure, merged), events).get(OTHER, LEAST)
    return merged.mask((merged == OTHER) & (n_other < LEAST))


def _count_exposed(sums: pd.DataFrame, events: np.ndarray) -> pd.Series:
    return (sums[events] > 0).sum()


def _sum_groups(exposure: sparse.csr_array, groups: pd.Series) -> pd.DataFrame:
    """Sum the exposure by group: a row per month, a column per group."""
    codes, names = pd.factorize(groups, sort=True)
    known = np.flatnonzero(codes >= 0)
    into = sparse.csr_array((np.ones(len(known)), (known, codes[known])), (len(codes), len(names)))
    return pd.DataFrame((exposure @ into).toarray(), columns=names)


def _controls(months: pd.DataFrame, name: str, events: np.ndarray) -> pd.DataFrame:
    wanted = CONTROLS + (OPEN_CONTROLS if name == WINNING else ())
    table = months[list(wanted)].reset_index(drop=True).astype(float)
    varies = [column for column in table if _tells_apart(table[column].to_numpy(), events)]
    table.insert(0, INTERCEPT, 1.0)
    return table[[INTERCEPT, *varies]]


def _tells_apart(values: np.ndarray, events: np.ndarray) -> bool:
    """Tell whether a control varies, and a flag among at least so many events of either kind."""
    kinds, n = np.unique(values[events], return_counts=True)
    is_flag = np.isin(values, (0.0, 1.0)).all()
    return n.min() >= LEAST and len(kinds) == 2 if is_flag else np.ptp(values) > 0


def _check_collinear(design: pd.DataFrame, name: str) -> None:
    """Refuse terms of which one follows from the others."""
    scaled = design.to_numpy() / np.sqrt((design.to_numpy() ** 2).sum(axis=0))
    sizes, mixes = np.linalg.eigh(scaled.T @ scaled)
    if sizes[0] < 1e-10:
        together = ", ".join(design.columns[np.abs(mixes[:, 0]) > 0.05])
        raise TableError(f"hazard: the terms {together} always go together in the months of {name} a deal, so no "
                         "coefficient of one can be told from the others'. Choose depth=0, or go without the "
                         "regression.")


def estimate(design: pd.DataFrame, events: np.ndarray, clusters: np.ndarray, *, link: str = "cloglog",
             name: str = "the events") -> tuple[np.ndarray, np.ndarray]:
    """Fit a binomial model to months in which something happened or not.

    The link is the regression's own, or "logit", by which a discrete-time fit is published that this is held against.
    Returns the coefficients in the order of the columns, and their robust covariance, clustered.
    Raises TableError where the fit does not come to rest, as when a term alone says what happened.
    """
    try:
        fit = _fit_binomial(design.to_numpy(), events.astype(float), clusters, link)
    except np.linalg.LinAlgError:
        raise TableError(f"hazard: the fit of {name} has no covariance, as terms go together in the months with an "
                         "event. Export a longer time, or go without the regression.") from None
    spread = np.sqrt(np.diag(fit.normalized_cov_params)) * design.to_numpy().std(axis=0)
    unsure = design.columns[~(spread < 5)]
    if len(unsure) or not fit.converged or not np.isfinite(fit.params).all():
        raise TableError(f"hazard: the fit of {name} does not come to rest, as what happened does not bound the "
                         f"coefficient of {', '.join(unsure) or 'any term'}: with it, all or none had the event. "
                         "Export a longer time, or go without the regression.")
    return fit.params, fit.cov_params()


def _fit_binomial(design: np.ndarray, events: np.ndarray, clusters: np.ndarray, link: str) -> "GLMResults":
    from statsmodels.genmod import families
    from statsmodels.genmod.generalized_linear_model import GLM
    links = {"cloglog": families.links.CLogLog, "logit": families.links.Logit}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        family = families.Binomial(links[link]())
        return GLM(events, design, family=family).fit(
            start_params=_climb(design, events, family), cov_type="cluster", cov_kwds={"groups": clusters})


def _climb(design: np.ndarray, events: np.ndarray, family: "Binomial") -> np.ndarray:
    """Climb the likelihood by Fisher scoring, each step halved until it leads up: whole steps may run away from it."""
    b = np.linalg.lstsq(design.T @ design, design.T @ np.full(len(events), family.link(events.mean())), rcond=None)[0]
    now = family.deviance(events, family.fitted(design @ b))
    for _step in range(100):
        mu = family.fitted(design @ b)
        weights = family.weights(mu)
        score = design.T @ (weights * family.link.deriv(mu) * (events - mu))
        whole = np.linalg.lstsq((design * weights[:, None]).T @ design, score, rcond=None)[0]
        for step in (whole * 0.5 ** k for k in range(30)):
            then = family.deviance(events, family.fitted(design @ (b + step)))
            if then < now:
                break
        else:
            return b
        b, now, gain = b + step, then, now - then
        if gain < 1e-8:
            break
    return b


def _list_terms(panel: Panel, name: str, equation: Equation, paths: pd.Series) -> pd.DataFrame:
    terms, events = equation.design.columns, panel.months[EVENTS[name]].to_numpy()[equation.rows]
    b, width = equation.coefficients, Z * np.sqrt(np.diag(equation.covariance))
    is_group = terms.isin(equation.groups)
    n = np.where(is_group, _count_exposed(equation.design, events), events.sum())
    ids = pd.Series(terms, dtype="str").where(is_group & (terms != OTHER))
    return pd.DataFrame({
        "equation": name, "term": ids.map(paths).fillna(pd.Series(terms, dtype="str")), "campaign_id": ids,
        "coefficient": b, "hazard_ratio": np.exp(b), "hazard_ratio_low": np.exp(b - width),
        "hazard_ratio_high": np.exp(b + width), "n_conversions": n})[TERMS]


def counterfactual_credit(hazard: Hazard) -> pd.DataFrame:
    """Estimate what would be lost without each campaign and all below it, the others as they were.

    Returns one row per campaign in the tree's reading order: campaign_id, campaign_name, path, depth, is_leaf,
    n_caused (won deals), caused_value (money), caused_low, caused_high (95 %).
    What was won is what was opened times what was won of it; without the campaign both shrink, so that
    caused_value = V x (1 - (1 - o) x (1 - w)). V is the money booked by the deals won in the panel's months; o the
    share of the openings' worth, the sum over their months of worth x hazard, that is lost with the campaign's exposure
    at zero; w the same share of the wins'. n_caused is the same of the numbers. A campaign behind half of the openings
    and half of the wins caused three quarters, and none causes more than V.
    The variance is by the delta method from the robust covariance, V and what an event is worth held fixed:
    V^2 x ((1 - w)^2 var(o) + (1 - o)^2 var(w)). A month is in one equation or in the other, so that the likelihood
    factorises over time and the equations' scores are not correlated: there is no covariance of o and w. Of panels
    drawn from the model itself the interval held the known effect in 92 % of 200 with 80 companies and in 93 % of 120
    with 400.
    A deal that was only brought forward counts as caused: the months do not tell it from one that would never have
    come. What is caused may be negative, is not the sum of what stands below it, and the campaigns' do not add up to
    what was won. Blank where no company that is followed had met the campaign before a month began, or it has no
    coefficient; where one equation alone has none, that one loses nothing.
    """
    tree, lines = describe_tree(hazard.campaigns, hazard.on_orphan), build_ancestors(hazard.campaigns, hazard.on_orphan)
    below = lines.groupby("ancestor_id")["campaign_id"].agg(list)
    columns = [hazard.panel.campaign_ids.get_indexer(below[node]) for node in tree["campaign_id"]]
    parts = np.array([_lose(hazard.panel, each, columns) for each in hazard.equations.values()])
    parts = np.where(np.isnan(parts).all(axis=(0, 2))[:, None], np.nan, np.nan_to_num(parts))
    n, money, width = _join_losses(hazard.panel.months, *parts)
    return tree[["campaign_id", "campaign_name", "path", "depth", "is_leaf"]].assign(
        n_caused=n.round(6), caused_value=money.round(2), caused_low=(money - width).round(2),
        caused_high=(money + width).round(2))


def _join_losses(months: pd.DataFrame, opening: np.ndarray, winning: np.ndarray) -> tuple[np.ndarray, ...]:
    """Put the shares lost of openings and wins together: by node the deals, the money, half its interval's width."""
    (n_o, o, var_o), (n_w, w, var_w) = opening.T, winning.T
    value = months["booked_value"].sum()
    variance = (1 - w) ** 2 * var_o + (1 - o) ** 2 * var_w
    return (months["n_booked"].sum() * (1 - (1 - n_o) * (1 - n_w)), value * (1 - (1 - o) * (1 - w)),
            abs(value) * Z * np.sqrt(variance))


def estimate_caused(crm: CRM, agreement: Agreement, *, on_orphan: str = "raise") -> pd.DataFrame:
    """Estimate what each campaign caused by the usual panel and terms: of channels, or of the roots of a flat tree.

    Returns the rows of counterfactual_credit; none where the deals are too few, or too alike in what they met, to fit,
    or where what was won sums to nothing.
    """
    depth, nothing = min(describe_tree(crm.campaigns, on_orphan)["depth"].max(), 1), pd.DataFrame(columns=CAUSED)
    try:
        panel = build_exposure(crm, agreement)
        if not panel.months["booked_value"].sum() > 0:
            return nothing
        return counterfactual_credit(fit_hazard(panel, crm.campaigns, depth=depth, on_orphan=on_orphan))
    except TableError:
        return nothing


def _lose(panel: Panel, equation: Equation, nodes: list[np.ndarray]) -> np.ndarray:
    """Say what an equation loses without each node: by node the share of deals, of money, and the latter's variance."""
    exposure, term = panel.exposure[equation.rows].tocsc(), equation.design.columns.get_indexer(equation.groups)
    term = np.where(equation.groups.isna(), -1, term)
    worth, design = panel.months[["n_won", "value"]].to_numpy()[equation.rows], equation.design.to_numpy()
    pace, lost = np.exp(design @ equation.coefficients), np.full((len(nodes), 3), np.nan)
    n_all, all_money = worth.T @ -np.expm1(-pace)
    slope_of_all = (pace * np.exp(-pace) * worth[:, 1]) @ design
    for k, node in enumerate(nodes):
        met = node[(node >= 0) & (term[node] >= 0)]
        if exposure[:, met].nnz:
            into = sparse.csr_array((np.ones(len(met)), (np.arange(len(met)), term[met])), (len(met), design.shape[1]))
            n, money, slope = _lose_node(design, pace, (exposure[:, met] @ into).tocsr(), worth, equation.coefficients)
            gradient = (slope - money / all_money * slope_of_all) / all_money
            lost[k] = n / n_all, money / all_money, gradient @ equation.covariance @ gradient
    return lost


def _lose_node(design: np.ndarray, pace: np.ndarray, met: sparse.csr_array, worth: np.ndarray,
               coefficients: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Take the exposure `met` (month x term) away: the deals and the money lost, the money's slope by coefficient."""
    rows = np.flatnonzero(np.diff(met.indptr))
    pace, met, worth = pace[rows], met[rows], worth[rows]
    without = pace * np.exp(-(met @ coefficients))
    n, money = worth.T @ (np.exp(-without) - np.exp(-pace))
    slope = without * np.exp(-without) * worth[:, 1]
    return n, money, (pace * np.exp(-pace) * worth[:, 1] - slope) @ design[rows] + slope @ met
