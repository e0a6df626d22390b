"""What moved since an earlier report: its tables beside today's, every difference with its cause, to the cent."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from attribution.agreement import Agreement
from attribution.campaigns import build_ancestors, describe_tree, roll_up
from attribution.comparisons import find_paths
from attribution.language import marked
from attribution.roi import place_rest, with_rest
from attribution.tables import CRM, is_in, look_up, to_cents

#: Why money moved: code → in a reader's words. The first that holds for a deal is the one given for what touches moved.
CAUSES = {
    "closed since": marked("closed since"), "booked late": marked("booked late"),
    "deleted": marked("record deleted or merged"), "no longer won": marked("no longer won"),
    "amount changed": marked("amount changed"), "definitions changed": marked("definitions changed"),
    "account merged": marked("account merged or changed"), "closing date moved": marked("closing date moved"),
    "late touches": marked("late touches"), "linked since": marked("people linked since"),
    "touches gone": marked("touches gone"), "another split": marked("same touches, another split")}
PARTED = list(CAUSES)[5:]                            # what moved money between the campaigns of one deal
TOUCHES = ["conversion_id", "account_id", "value", "converted_at", "touch_id", "campaign_id", "path", "touched_at",
           "joined_at", "modified_at", "weight", "credit"]
CHANGES = ["conversion_id", "account_id", "campaign_id", "campaign_name", "path", "cause", "closed_then_on",
           "closed_now_on", "value_then", "value_now", "credit_then", "credit_now", "difference", "n_touches_new",
           "n_touches_gone"]
DEFINITIONS = {"item": "str", "kind": "str", "value_then": "str", "value_now": "str"}


@dataclass(frozen=True)
class Previous:
    """A report published before: its month, until when it knew the CRM, and its tables by sheet; none is given yet."""

    month: str
    known_until: pd.Timestamp
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    definitions: dict[str, tuple[str, str]] = field(default_factory=dict)    # item → kind, value
    sources: dict[str, str] = field(default_factory=dict)                    # file → sha256

    @property
    def is_given(self) -> bool:
        """Tell whether there is a report to compare with."""
        return bool(self.tables)

    def sheet(self, name: str, like: pd.DataFrame) -> pd.DataFrame:
        """Give a table as it was published; of no rows, like another, where there is no report."""
        return self.tables.get(name, like.head(0))

    def local_end(self, time_zone: str) -> pd.Timestamp:
        """Give the moment until which the report knew the CRM, by the local clock."""
        return self.known_until.tz_convert(time_zone).tz_localize(None)


def list_touches(conversions: pd.DataFrame, journeys: pd.DataFrame, credit: pd.DataFrame,
                 campaigns: pd.DataFrame) -> pd.DataFrame:
    """List every touch that earned credit of each conversion: what a later report compares itself with.

    Returns one row per conversion and touch (one with null touch_id for a conversion without any): conversion_id,
    account_id, value, converted_at, touch_id, campaign_id, path, touched_at, joined_at, modified_at, weight (0-1),
    credit (money); credit sums to value.
    """
    rows = credit[["conversion_id", "touch_id", "campaign_id", "weight", "credit"]].merge(
        journeys[["conversion_id", "touch_id", "touched_at", "joined_at", "modified_at"]],
        on=["conversion_id", "touch_id"], validate="one_to_one").merge(
        conversions[["conversion_id", "account_id", "value", "converted_at"]], on="conversion_id",
        validate="many_to_one")
    rows = rows.assign(path=find_paths(rows["campaign_id"].fillna(""), campaigns))
    return rows.sort_values(["value", "conversion_id", "touched_at", "touch_id"], ascending=[False, True, True, True],
                            ignore_index=True)[TOUCHES]


def find_known(ids: pd.Series, crm: CRM) -> np.ndarray:
    """Tell which people and deals the CRM still has; the others were deleted, or merged into another."""
    return is_in(ids, pd.concat([crm.people["person_id"], crm.opportunities["opportunity_id"]]))


def follow_people(ids: pd.Series, crm: CRM) -> pd.Series:
    """Give the ids of then as they are today: a lead that has become a contact since goes by the contact's.

    Returns a series; of two that are one today the one keeps its old id: they were merged.
    """
    leads = crm.people.dropna(subset="lead_id").drop_duplicates("lead_id").set_index("lead_id")["person_id"]
    today = look_up(ids, leads)
    return today.mask(is_in(today, ids)).fillna(ids)


def as_published(table: pd.DataFrame, time_zone: str) -> pd.DataFrame:
    """Give a table as it reads in a published report: moments by the local clock, in whole seconds.

    >>> made = pd.DataFrame({"made_at": pd.to_datetime(["2026-10-31T21:59:59.999999Z"])})
    >>> as_published(made, "Europe/Helsinki")["made_at"][0]
    Timestamp('2026-10-31 23:59:59')
    """
    moments = [column for column in table if isinstance(table[column].dtype, pd.DatetimeTZDtype)]
    return table.assign(**{column: table[column].dt.tz_convert(time_zone).dt.tz_localize(None).dt.floor("s").astype(
        "datetime64[us]") for column in moments})


def compare_credit(then: Previous, touches: pd.DataFrame, crm: CRM, *, agreement: Agreement,
                   lookback_days: int | None = 365, definitions: pd.DataFrame | None = None) -> pd.DataFrame:
    """Say of each deal and campaign how its credit differs from an earlier report's, and why.

    `touches` is what list_touches returns today, `definitions` what compare_definitions returns.
    Returns one row per deal, campaign and cause, largest difference first: conversion_id, account_id, campaign_id,
    campaign_name, path, cause (one of CAUSES), closed_then_on, closed_now_on (local days), value_then, value_now,
    credit_then, credit_now (of the deal and campaign, whatever the cause), difference (money, of this cause),
    n_touches_new and n_touches_gone (of a deal that is in both). The differences of a campaign sum to its credit now -
    its credit then, to the cent; a deal that only changed its day, and one worth nothing that is in one report alone,
    has rows with a difference of 0.
    A deal that was there then and is there now moves by its amount (the amount's difference, shared as the credit was
    then) and, between its campaigns, by the first of PARTED that holds: definitions (a parameter differs), account, a
    closing date that lets other touches in, touches written or edited since, touches that were in the CRM but not
    linked, touches gone, or the same touches and another split.
    """
    now = as_published(touches, agreement.time_zone)
    before, end = then.sheet("touches_to_date", now), then.local_end(agreement.time_zone)
    before = before.assign(conversion_id=follow_people(before["conversion_id"], crm))
    deals = _pair_deals(before, now)
    rows = _pair_touches(before, now, deals)
    deals = _with_cause(deals, find_known(deals["conversion_id"], crm), end)
    deals = _with_parted(deals, rows, end, lookback_days, _kinds(definitions))
    changes = _sum_changes(rows, deals)
    changes = _with_names(changes, crm.campaigns).assign(size=changes["difference"].abs())
    return changes.sort_values(["size", "conversion_id", "path", "cause"], ascending=[False, True, True, True],
                               ignore_index=True)[CHANGES]


def _with_names(changes: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    ids, names = changes["campaign_id"], campaigns.set_index("campaign_id")["campaign_name"]
    paths = find_paths(ids, campaigns)
    return changes.assign(path=paths, campaign_name=look_up(ids, names).fillna(paths),
                          campaign_id=ids.replace("", None))


def _kinds(definitions: pd.DataFrame | None) -> set[str]:
    return set() if definitions is None else set(definitions["kind"])


def _pair_deals(before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Put each deal's facts of then and of now side by side."""
    facts = ["conversion_id", "account_id", "value", "converted_at"]
    both = before[facts].drop_duplicates("conversion_id").merge(
        now[facts].drop_duplicates("conversion_id"), on="conversion_id", how="outer", suffixes=("_then", "_now"),
        validate="one_to_one")
    days = {f"closed_{when}_on": both[f"converted_at_{when}"].dt.normalize() for when in ("then", "now")}
    return both.assign(in_both=both["value_then"].notna() & both["value_now"].notna(), **days)


def _with_cause(deals: pd.DataFrame, is_known: np.ndarray, end: pd.Timestamp) -> pd.DataFrame:
    """Say why a deal is in one report alone."""
    is_new, is_gone = deals["value_then"].isna(), deals["value_now"].isna()
    return deals.assign(cause=np.select(
        [is_new & (deals["converted_at_now"] > end), is_new, is_gone & ~is_known, is_gone],
        ["closed since", "booked late", "deleted", "no longer won"], ""))


def _pair_touches(before: pd.DataFrame, now: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """Put each touch's credit of then and of now side by side, in cents, and part what its deal's amount moved."""
    columns = ["conversion_id", "touch_id", "campaign_id", "touched_at", "joined_at", "modified_at", "weight", "credit"]
    keyed = [table[columns].fillna({"touch_id": "", "campaign_id": ""}) for table in (before, now)]
    rows = keyed[0].merge(keyed[1], on=["conversion_id", "touch_id", "campaign_id"], how="outer",
                          suffixes=("_then", "_now"), validate="one_to_one")
    rows = rows.assign(is_new=rows["weight_then"].isna(), is_gone=rows["weight_now"].isna(),
                       **{f"cents_{when}": to_cents(rows[f"credit_{when}"]) for when in ("then", "now")})
    in_both = look_up(rows["conversion_id"], deals.set_index("conversion_id")["in_both"]).astype(bool)
    return rows.assign(in_both=in_both, by_amount=np.where(in_both, _by_amount(rows, deals), 0))


def _by_amount(rows: pd.DataFrame, deals: pd.DataFrame) -> np.ndarray:
    """Share the difference of a deal's amount as its credit was shared then: all of it where the shares are equal."""
    moved = pd.Series(to_cents(deals["value_now"]) - to_cents(deals["value_then"]), deals["conversion_id"])
    cents = look_up(rows["conversion_id"], moved).to_numpy(np.int64)
    weights = rows[["weight_then", "weight_now"]].fillna(0.0).to_numpy()
    differs = pd.Series(np.abs(weights[:, 0] - weights[:, 1]) > 1.5e-6, rows.index)    # tables keep six decimals
    is_other_split = differs.groupby(rows["conversion_id"]).transform("any").to_numpy()
    shared = np.sign(cents) * _share_cents(np.abs(cents), weights[:, 0], rows)
    return np.where(is_other_split | (cents == 0), shared, rows["cents_now"] - rows["cents_then"])


def _share_cents(cents: np.ndarray, weights: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
    """Share whole cents by weight within each deal; what is left over goes to the largest remainders (Hamilton)."""
    deal, total = rows["conversion_id"], pd.Series(weights, rows.index).groupby(rows["conversion_id"]).transform("sum")
    exact = np.divide(cents * weights, total, out=np.zeros(len(rows)), where=total.to_numpy() > 0)
    whole = np.floor(exact + 1e-6)
    left = cents - pd.Series(whole, rows.index).groupby(deal).transform("sum").to_numpy()
    order = pd.DataFrame({"deal": deal, "remainder": (whole - exact).round(6), "touch_id": rows["touch_id"]})
    nth = order.sort_values(["deal", "remainder", "touch_id"]).groupby("deal").cumcount().reindex(rows.index)
    return (whole + (nth.to_numpy() < left)).astype(np.int64)


def _with_parted(deals: pd.DataFrame, rows: pd.DataFrame, end: pd.Timestamp, lookback_days: int | None,
                 kinds: set[str]) -> pd.DataFrame:
    """Say for each deal why its credit is parted otherwise, and how many touches came and went."""
    deal = rows["conversion_id"].to_frame().merge(deals, on="conversion_id", how="left", validate="many_to_one")
    is_edited = rows[["joined_at_now", "modified_at_now"]].max(axis=1) > end
    is_touch = rows["touch_id"] != ""
    signs = pd.DataFrame({
        "conversion_id": rows["conversion_id"], "n_touches_new": rows["is_new"] & is_touch,
        "n_touches_gone": rows["is_gone"] & is_touch, "n_late": rows["is_new"] & is_touch & is_edited,
        "n_by_day": _is_by_day(rows, deal, lookback_days) & is_touch})
    n = signs.groupby("conversion_id").sum()
    deals = deals.merge(n, on="conversion_id", how="left", validate="one_to_one")
    is_same = (deals["n_touches_new"] == 0) & (deals["n_touches_gone"] == 0)
    moved = deals["closed_then_on"] != deals["closed_now_on"]
    other = deals["account_id_then"].notna() & (deals["account_id_then"] != deals["account_id_now"])
    is_redefined = pd.Series("parameter" in kinds, deals.index)
    return deals.assign(moved=moved & deals["in_both"], parted=np.select(
        [is_redefined, other, moved & (is_same | (deals["n_by_day"] > 0)), deals["n_late"] > 0,
         deals["n_touches_new"] > 0, deals["n_touches_gone"] > 0, pd.Series(bool(kinds), deals.index)],
        [*PARTED[:-1], "definitions changed"], "another split"))


def _is_by_day(rows: pd.DataFrame, deal: pd.DataFrame, lookback_days: int | None) -> pd.Series:
    """Tell which touches came or went because the closing date moved: outside the window of the other date."""
    window = pd.Timedelta(days=lookback_days or 10**5)
    other = deal["closed_then_on"].where(rows["is_new"].to_numpy(), deal["closed_now_on"]).set_axis(rows.index)
    at = rows["touched_at_now"].fillna(rows["touched_at_then"]).dt.normalize()
    return (rows["is_new"] | rows["is_gone"]) & ((at > other) | (at < other - window))


def _sum_changes(rows: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """Sum the touches by deal, campaign and cause, in money."""
    cents = rows.assign(rest=rows["cents_now"] - rows["cents_then"] - rows["by_amount"])
    own = cents.groupby(["conversion_id", "campaign_id"], as_index=False)[
        ["cents_then", "cents_now", "by_amount", "rest"]].sum()
    own = own.merge(deals, on="conversion_id", validate="many_to_one")
    by_amount = own.assign(cause="amount changed", cents=own["by_amount"]).query("cents != 0")
    parted = own.assign(cause=own["parted"].where(own["in_both"], own["cause"]), cents=own["rest"])
    parted = parted.query("cents != 0 or not in_both")
    told = parted.loc[parted["cause"] == "closing date moved", "conversion_id"]
    moved = own[own["moved"] & ~is_in(own["conversion_id"], told)].assign(cause="closing date moved", cents=0)
    every = pd.concat([by_amount, parted, moved], ignore_index=True)
    money = {f"credit_{when}": every[f"cents_{when}"] / 100 for when in ("then", "now")}
    return every.assign(**money, difference=every["cents"] / 100, account_id=every["account_id_now"].fillna(
        every["account_id_then"]), **{name: every[name].where(every["in_both"], 0).astype(
            int) for name in ("n_touches_new", "n_touches_gone")})


def list_restated(changes: pd.DataFrame) -> pd.DataFrame:
    """Keep the changes of what had been reported: all but the deals closed since."""
    return changes[changes["cause"] != "closed since"].reset_index(drop=True)


def sum_causes(changes: pd.DataFrame) -> pd.DataFrame:
    """Sum up what moved by cause, the most money first.

    Returns one row per cause: cause, n_deals, difference (money: what all credit gained), moved (money: what campaigns
    gained or lost by it, whichever is more, deal by deal).
    """
    sides = changes.assign(gain=changes["difference"].clip(lower=0), loss=-changes["difference"].clip(upper=0))
    deals = sides.groupby(["cause", "conversion_id"], as_index=False)[["gain", "loss", "difference"]].sum()
    deals = deals.assign(moved=deals[["gain", "loss"]].max(axis=1))
    sums = deals.groupby("cause", as_index=False).agg(
        n_deals=("conversion_id", "size"), difference=("difference", "sum"), moved=("moved", "sum"))
    return sums.round({"difference": 2, "moved": 2}).sort_values(
        ["moved", "cause"], ascending=[False, True], ignore_index=True)


def moved_by_campaign(restated: pd.DataFrame, n: int = 12) -> pd.DataFrame:
    """Sum what moved by campaign and cause, for the n campaigns that moved most.

    Returns one row per campaign and cause: campaign_id, campaign_name, cause, difference (money); most moved first.
    """
    rows = restated.assign(campaign_id=restated["campaign_id"].fillna("")).query("difference != 0")
    sums = rows.groupby(["campaign_id", "campaign_name", "cause"], as_index=False)["difference"].sum().round(2)
    size = sums["difference"].abs().groupby(sums["campaign_id"]).sum().sort_values(ascending=False, kind="stable")
    sums = sums[is_in(sums["campaign_id"], size.index[:n])]
    return sums.assign(size=look_up(sums["campaign_id"], size)).sort_values(
        ["size", "campaign_id", "cause"], ascending=[False, True, True], ignore_index=True).drop(columns="size")


def build_bridge(then: Previous, changes: pd.DataFrame, campaigns: pd.DataFrame,
                 on_orphan: str = "raise") -> pd.DataFrame:
    """Lead from the credit that an earlier report showed to today's, campaign by campaign, cause by cause.

    Returns one row per campaign of today's tree, "(left out of the tree)" where something is, and "(unattributed)",
    each with its place in the tree and, with children: then, a column per cause (its name with _), now (money).
    then + all causes = now, to the cent.
    """
    tree, ancestors = with_rest(describe_tree(campaigns, on_orphan), build_ancestors(campaigns, on_orphan))
    before = then.tables.get("touches_to_date", pd.DataFrame({"campaign_id": pd.Series(dtype="str"), "credit": []}))
    own = pd.concat([before[["campaign_id"]].assign(column="then", money=before["credit"]), changes[
        ["campaign_id"]].assign(column=changes["cause"].str.replace(" ", "_"), money=changes["difference"])])
    columns = ["then", *[cause.replace(" ", "_") for cause in CAUSES]]
    wide = place_rest(own, tree["campaign_id"]).pivot_table(
        index="campaign_id", columns="column", values="money", aggfunc="sum").reindex(columns=columns)
    figures = pd.DataFrame({"campaign_id": tree["campaign_id"], **{
        column: look_up(tree["campaign_id"], wide[column]).astype(float).fillna(0.0) for column in columns}})
    sums = roll_up(figures, ancestors, columns).drop(columns=columns).round(2)
    rows = tree.merge(sums, on="campaign_id", validate="one_to_one")
    total = rows[[f"{column}_with_children" for column in columns]].sum(axis=1).round(2)
    return _without_made_up_ids(rows.assign(now_with_children=total), campaigns["campaign_id"])


def _without_made_up_ids(rows: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    """Leave out the campaigns that had and have no credit, and the ids of the two lines beside the tree."""
    rows = rows[rows.filter(like="_with_children").ne(0).any(axis=1)].reset_index(drop=True)
    return rows.assign(campaign_id=rows["campaign_id"].where(is_in(rows["campaign_id"], ids)))


def bridge_columns(bridge: pd.DataFrame) -> tuple[str, ...]:
    """Choose the columns that a reader sees of a bridge: then, the causes that moved anything, now."""
    causes = [f"{cause.replace(' ', '_')}_with_children" for cause in CAUSES]
    return ("campaign", "then_with_children", *[c for c in causes if bridge[c].ne(0).any()], "now_with_children")


def restated_months(then: Previous, touches: pd.DataFrame, changes: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
    """Set the closed months' figures, as an earlier report had them, beside what they are today.

    Returns one row per month up to that report's, of the 13 that it showed and of any before that moved: month,
    value_then, value_now, attributed_then, attributed_now, unattributed_then, unattributed_now (money), n_then, n_now,
    difference (of value), causes (of CAUSES, as text).
    """
    now = as_published(touches, agreement.time_zone)
    before = _sum_months(then.sheet("touches_to_date", now))
    both = before.add_suffix("_then").join(_sum_months(now).add_suffix("_now"), how="outer").fillna(0.0)
    both = both[both.index <= then.month].rename_axis("month").reset_index().round(2)
    both = both.astype({"month": "str", "n_then": int, "n_now": int})
    both = both.assign(difference=(both["value_now"] - both["value_then"]).round(2),
                       causes=look_up(both["month"], _causes_by_month(changes)).fillna(""))
    is_late = both["month"] >= str(pd.Period(then.month, "M") - 12)
    return both[is_late | (both["causes"] != "")].reset_index(drop=True)


def _sum_months(touches: pd.DataFrame) -> pd.DataFrame:
    rows = touches.assign(month=touches["converted_at"].dt.strftime("%Y-%m"),
                          attributed=touches["credit"].where(touches["campaign_id"].notna(), 0.0))
    sums = rows.groupby("month").agg(value=("credit", "sum"), attributed=("attributed", "sum"),
                                     n=("conversion_id", "nunique"))
    return sums.assign(unattributed=sums["value"] - sums["attributed"])[["value", "attributed", "unattributed", "n"]]


def _causes_by_month(changes: pd.DataFrame) -> pd.Series:
    rows = list_restated(changes)
    both = pd.concat([rows.assign(month=rows[f"closed_{when}_on"].dt.strftime("%Y-%m")) for when in ("then", "now")])
    pairs = both[["month", "cause"]].dropna().drop_duplicates().sort_values(["month", "cause"])
    return pairs.groupby("month")["cause"].agg(", ".join).astype("str")


def restated_costs(then: Previous, spent: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """List the campaigns whose cost of an earlier report's month is another one today.

    `spent` is what costs_between returns for that month today.
    Returns one row per campaign, the largest difference first: campaign_id, path, cost_then, cost_now, difference
    (money). An actual cost that grows, or is spread over more days, moves the closed months too.
    """
    in_tree = build_ancestors(campaigns, "leave_out")["campaign_id"]
    now = spent.loc[is_in(spent["campaign_id"], in_tree), ["campaign_id", "cost"]]
    both = then.sheet("booked_clock", now)[["campaign_id", "cost"]].dropna(subset="campaign_id").merge(
        now, on="campaign_id", how="outer", suffixes=("_then", "_now"), validate="one_to_one")
    filled = both[["cost_then", "cost_now"]].fillna(0.0)
    both = both.assign(difference=(filled["cost_now"] - filled["cost_then"]).round(2),
                       path=find_paths(both["campaign_id"], campaigns))
    is_other = both["difference"].ne(0) & then.is_given
    return both.assign(size=both["difference"].abs())[is_other].sort_values(
        ["size", "campaign_id"], ascending=[False, True], ignore_index=True)[
        ["campaign_id", "path", "cost_then", "cost_now", "difference"]]


#: Which figures of a month speak of deals, of costs, of people: what can have moved them.
_DEALS = ("won_value", "expected_value", "n_won", "attributed_value", "unattributed_value", "attributed_share", "roi",
          "romi", "roi_expected", "romi_expected", "n_new_customers", "campaign_cac")
_COSTS = ("cost", "roi", "romi", "roi_expected", "romi_expected", "campaign_cac")


def restated_headline(then: Previous, figures: pd.DataFrame, changes: pd.DataFrame,
                      costs: pd.DataFrame) -> pd.DataFrame:
    """Set the headline figures that an earlier report published beside the same month's figures as they are today.

    `figures` is what month_figures returns today for that month, `costs` what restated_costs returns.
    Returns one row per figure: figure, unit, then, now, difference (in the figure's unit), causes (of CAUSES, "cost
    changed", or "other records changed", as text; blank where the figure stands).
    """
    published = then.sheet("headline", pd.DataFrame({"measure": pd.Series(dtype="str"), "exact": []}))
    rows = figures.assign(then=look_up(figures["figure"], published.set_index("measure")["exact"]).astype(float),
                          now=figures["value"].astype(float).round(6))
    difference = (rows["now"] - rows["then"]).round(6)
    is_other = (difference.abs() > 5e-6) | (rows["now"].isna() != rows["then"].isna())
    others = set(rows.loc[is_other & then.is_given, "figure"])
    deals = _causes_by_month(changes).get(then.month, "")
    causes = [_causes_of_figure(figure, others, deals, len(costs) > 0) for figure in rows["figure"]]
    return rows.assign(difference=difference, causes=pd.Series(causes, rows.index, dtype="str"))[
        ["figure", "unit", "then", "now", "difference", "causes"]]


def _causes_of_figure(figure: str, others: set[str], deals: str, has_costs: bool) -> str:
    if figure not in others:
        return ""
    per = f"n_{figure.removeprefix('cost_per_')}" if figure.startswith("cost_per_") else ""
    causes = [deals] * (figure in _DEALS and deals != "")
    causes += ["cost changed"] * (has_costs and (figure in _COSTS or per != ""))
    return ", ".join([*causes, *["other records changed"] * (not causes or per in others)])


def compare_definitions(then: Previous, definitions: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """List the definitions by which an earlier report was made and that differ from today's.

    Returns one row per difference: item, kind (parameter, agreement, kit or notebook), value_then, value_now.

    >>> then = Previous("2026-09", pd.Timestamp("2026-10-01", tz="UTC"), {"deals": pd.DataFrame()},
    ...                 {"model": ("parameter", "linear"), "attribution-kit": ("kit", "0.1.0")})
    >>> compare_definitions(then, {"model": ("parameter", "first_touch"), "attribution-kit": ("kit", "0.1.0")})
        item       kind value_then    value_now
    0  model  parameter     linear  first_touch
    """
    rows = [(item, kind, then.definitions[item][1], value) for item, (kind, value) in definitions.items()
            if item in then.definitions and then.definitions[item][1] != value]
    return pd.DataFrame(rows, columns=list(DEFINITIONS)).astype(DEFINITIONS)
