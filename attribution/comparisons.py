"""Returns held against other models, the CRM's own attribution, other windows, the budget and the deals."""

import numpy as np
import pandas as pd

from attribution.agreement import Agreement, month_days
from attribution.campaigns import build_ancestors, describe_tree, roll_up
from attribution.funnel import WON, Outcome
from attribution.journeys import build_journeys
from attribution.language import _, marked, number
from attribution.months import month_bounds
from attribution.roi import LEFT_OUT, UNATTRIBUTED
from attribution.tables import CRM, TableError, is_in, look_up


def model_ranges(compared: pd.DataFrame, returns: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """Show how far the models disagree on each campaign, at every level of the tree.

    `compared` is what compare_models returns, `returns` the chosen model's rows for the same deals. A model that says
    nothing of a campaign (markov, of one that is too fresh) is none of the models for it.
    Returns one row per campaign with credit under any model: campaign_id, campaign_name, path, depth, is_leaf, cost,
    credit (the chosen model's), credit_low, credit_high, model_low, model_high, roi_low, roi_high; with children.
    """
    sums = roll_up_known(compared, campaigns)
    sums = sums if len(sums.columns) else sums.assign(none=0.0)
    rows = returns.loc[returns["campaign_id"].notna(), ["campaign_id", "campaign_name", "path", "depth", "is_leaf",
                                                        "cost_with_children", "credit_with_children"]]
    rows = rows.set_axis([c.removesuffix("_with_children") for c in rows], axis=1).merge(
        pd.DataFrame({"credit_low": sums.min(axis=1), "credit_high": sums.max(axis=1),
                      "model_low": sums.idxmin(axis=1), "model_high": sums.idxmax(axis=1)}),
        left_on="campaign_id", right_index=True, validate="one_to_one")
    cost = rows["cost"].where(rows["cost"] > 0)
    rows = rows.assign(roi_low=rows["credit_low"] / cost - 1, roi_high=rows["credit_high"] / cost - 1)
    return rows[rows["credit_high"] > 0].reset_index(drop=True)


def roll_up_models(compared: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """Roll the models' credit up, a column each, over the tree.

    Returns the credit with children, indexed by campaign_id; what stands beside the tree is there by its own name.
    """
    ancestors = build_ancestors(campaigns, "leave_out")
    ids, rest = compared["campaign_id"], [LEFT_OUT, UNATTRIBUTED]
    placed = ids.where(ids.isna() | is_in(ids, ancestors["campaign_id"]), LEFT_OUT).fillna(UNATTRIBUTED)
    own = compared.assign(campaign_id=placed).groupby(["campaign_id", "model"])["credit"].sum().unstack()
    own = own.reindex([*ancestors["campaign_id"].drop_duplicates(), *rest]).fillna(0.0).rename_axis("campaign_id")
    models, beside = own.columns.tolist(), pd.DataFrame({"campaign_id": rest, "ancestor_id": rest})
    sums = roll_up(own.reset_index(), pd.concat([ancestors, beside]), models).set_index("campaign_id")
    return sums[[f"{model}_with_children" for model in models]].set_axis(models, axis=1).round(2)


def roll_up_known(compared: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """Roll the models' credit for the same deals up, blank where a model alone has no row for a campaign nor below it.

    Returns what roll_up_models returns.
    """
    rows = compared.assign(credit=1.0)
    said = roll_up_models(rows, campaigns)
    is_met = said.max(axis=1) > 0
    return roll_up_models(compared, campaigns).mask(said.eq(0).mul(is_met, axis=0))


def returns_by_model(compared: pd.DataFrame, returns: pd.DataFrame, campaigns: pd.DataFrame,
                     pipeline: pd.DataFrame | None = None) -> pd.DataFrame:
    """Show what every campaign returned under every model, at every level of the tree.

    `compared` is what compare_models returns for the deals of `returns`, `pipeline` the same for the open ones; that
    counts only where the returns have a pipeline.
    Returns the rows of `returns` once per model: model, the campaign's place in the tree, cost_with_children,
    credit_with_children and pipeline_with_children (money), roi, and longest: the most (money) that any campaign beside
    it cost, or earned under any model, at least 1. Under each model the roots' credit sums to the same; it is blank
    where a model says nothing of a campaign.
    """
    ids = returns["campaign_id"].fillna(returns["campaign_name"])
    shared = {"credit": compared} | ({"pipeline": pipeline} if pipeline is not None and "pipeline" in returns else {})
    sums = {f"{name}_with_children": roll_up_known(table, campaigns) for name, table in shared.items()}
    models = compared["model"].drop_duplicates().tolist()
    parts = [_under_model(returns, model, {column: look_up(ids, wide[model]) if model in wide else 0.0
                                           for column, wide in sums.items()}) for model in models]
    rows = pd.concat(parts or [_under_model(returns.head(0), "", dict.fromkeys(sums, 0.0))], ignore_index=True)
    earned = rows[list(sums)].sum(axis=1)
    most = earned.combine(rows["cost_with_children"].fillna(0.0), max)
    return rows.assign(longest=most.groupby(rows["parent_id"].fillna("")).transform("max").clip(lower=1.0).round(2))


def _under_model(returns: pd.DataFrame, model: str, sums: dict) -> pd.DataFrame:
    place = ["campaign_id", "parent_id", "campaign_name", "path", "depth", "is_leaf", "cost_with_children"]
    cost = returns["cost_with_children"].where(returns["cost_with_children"] > 0)
    rows = returns[place].assign(**sums).assign(roi=lambda each: (each["credit_with_children"] - cost) / cost)
    rows.insert(0, "model", model)
    return rows


def shifts_to_test(ranges: pd.DataFrame, returns: pd.DataFrame, share: float = 0.25, n: int = 3) -> pd.DataFrame:
    """Propose which money to move in an experiment: from campaigns poor under every model to ones good under each.

    Only campaigns with a cost, old enough, and whose costs are complete take part; the largest spender that loses under
    every model is paired with the one that earns most above its cost under its worst model, and so on.
    Returns one row per pair: from_id, from_name, to_id, to_name, amount (a share of the smaller of their costs),
    from_roi_low, from_roi_high, to_roi_low, to_roi_high, difference_low, difference_high (money, were the averages to
    hold).
    """
    fit = returns.loc[~(returns["is_too_early"] | returns["is_cost_incomplete"]) & returns["is_leaf"], "campaign_id"]
    ranges = _with_zero_credit(ranges, returns)
    rows = ranges[ranges["campaign_id"].isin(fit) & (ranges["cost"] > 0)].eval("gain = credit_low - cost")
    poor = rows[rows["roi_high"] < 0].sort_values(["cost", "campaign_id"], ascending=[False, True]).head(n)
    good = rows[rows["roi_low"] > 0].sort_values(["gain", "campaign_id"], ascending=[False, True]).head(n)
    k = min(len(poor), len(good))
    poor, good = poor.head(k).reset_index(drop=True), good.head(k).reset_index(drop=True)
    amount = np.minimum(poor["cost"], good["cost"]).mul(share).round(2)
    return pd.DataFrame({
        "from_id": poor["campaign_id"], "from_name": poor["campaign_name"], "to_id": good["campaign_id"],
        "to_name": good["campaign_name"], "amount": amount, "from_roi_low": poor["roi_low"],
        "from_roi_high": poor["roi_high"], "to_roi_low": good["roi_low"], "to_roi_high": good["roi_high"],
        "difference_low": (amount * (good["roi_low"] - poor["roi_high"])).round(2),
        "difference_high": (amount * (good["roi_high"] - poor["roi_low"])).round(2)})


def _with_zero_credit(ranges: pd.DataFrame, returns: pd.DataFrame) -> pd.DataFrame:
    """Bring back the campaigns that no model credits: they cost, and are the first that a reader should see."""
    none = returns[returns["campaign_id"].notna() & ~returns["campaign_id"].isin(ranges["campaign_id"])
                   & (returns["cost_with_children"] > 0)]
    rows = pd.DataFrame({"campaign_id": none["campaign_id"], "campaign_name": none["campaign_name"],
                         "cost": none["cost_with_children"], "roi_low": -1.0, "roi_high": -1.0})
    return pd.concat([ranges, rows], ignore_index=True)


def compare_with_crm(conversions: pd.DataFrame, journeys: pd.DataFrame, credit: pd.DataFrame,
                     opportunities: pd.DataFrame, touches: pd.DataFrame,
                     by_account: pd.DataFrame | None = None) -> pd.DataFrame:
    """Set the CRM's own attribution, all of a deal to its primary campaign source, beside ours, deal by deal.

    Returns one row per conversion that is booked, for the CRM attributes no others: conversion_id, value,
    primary_campaign_id, credit_to_primary (ours, money), difference (value - credit_to_primary), n_touches,
    n_campaigns, n_people, reason: agrees, no source, several people or several campaigns (share the journey with the
    primary campaign), not linked (it touched somebody of the company in time whom the linking does not reach: in the
    journeys `by_account`, not in these), outside the window (it touched the company too early or after the close), not
    touched (nor did any other campaign), or another campaign's.
    """
    booked, met = conversions[~conversions["is_expected"]], journeys[journeys["touch_id"].notna()]
    facts = met.groupby("conversion_id").agg(n_campaigns=("campaign_id", "nunique"), n_people=("person_id", "nunique"),
                                             n_touches=("touch_id", "size"))
    rows = booked[["conversion_id", "account_id", "value"]].merge(facts, on="conversion_id", how="left",
                                                                  validate="one_to_one")
    rows = rows.fillna({"n_campaigns": 0, "n_people": 0, "n_touches": 0}).astype(
        {"n_campaigns": int, "n_people": int, "n_touches": int})
    primary = opportunities.set_index("opportunity_id")["primary_campaign_id"]
    rows = rows.assign(primary_campaign_id=look_up(rows["conversion_id"], primary).astype("str"))
    sums = credit.groupby(["conversion_id", "campaign_id"])["credit"].sum().round(2)
    ours = pd.MultiIndex.from_frame(rows[["conversion_id", "primary_campaign_id"]])
    to_primary = sums.reindex(ours).fillna(0.0).to_numpy(float)
    rows = rows.assign(credit_to_primary=to_primary, difference=(rows["value"] - to_primary).round(2))
    rows = rows.assign(reason=_reasons(rows, met, touches, met if by_account is None else by_account))
    rows = rows.drop(columns="account_id")
    return rows.sort_values(["value", "conversion_id"], ascending=[False, True], ignore_index=True)


def _reasons(rows: pd.DataFrame, met: pd.DataFrame, touches: pd.DataFrame, by_account: pd.DataFrame) -> np.ndarray:
    deal, company = (pd.MultiIndex.from_frame(rows[[of, "primary_campaign_id"]]) for of in (
        "conversion_id", "account_id"))
    in_journey, in_time = (deal.isin(pd.MultiIndex.from_frame(each[["conversion_id", "campaign_id"]].dropna()))
                           for each in (met, by_account))
    at_company = company.isin(pd.MultiIndex.from_frame(touches[["account_id", "campaign_id"]].dropna()))
    return np.select(
        [rows["primary_campaign_id"].isna(), in_journey & (rows["difference"] == 0),
         in_journey & (rows["n_people"] > 1), in_journey, in_time, at_company, rows["n_touches"] == 0],
        [marked("no source"), marked("agrees"), marked("several people"), marked("several campaigns"),
         marked("not linked"), marked("outside the window"), marked("not touched")], marked("another campaign's"))


def crm_roi(compared: pd.DataFrame, returns: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """Set the CRM's campaign ROI, from won deals by primary campaign source, beside ours, with children.

    Returns one row per campaign that either credits: campaign_id, campaign_name, path, depth, cost, credit, roi (ours),
    crm_value, crm_roi = (crm_value - cost) / cost, difference (credit - crm_value); none where no deal was compared.
    """
    own = campaigns[["campaign_id"]].assign(crm_value=look_up(
        campaigns["campaign_id"], compared.groupby("primary_campaign_id")["value"].sum()).fillna(0.0))
    sums = roll_up(own, build_ancestors(campaigns, "leave_out"), ["crm_value"]).set_index("campaign_id")
    rows = returns[returns["campaign_id"].notna()]
    cost, value = rows["cost_with_children"], look_up(rows["campaign_id"], sums["crm_value_with_children"]).round(2)
    table = pd.DataFrame({
        "campaign_id": rows["campaign_id"], "campaign_name": rows["campaign_name"], "path": rows["path"],
        "depth": rows["depth"], "cost": cost,
        "credit": rows["credit_with_children"], "roi": rows["roi"], "crm_value": value,
        "crm_roi": (value - cost) / cost.where(cost > 0),
        "difference": (rows["credit_with_children"] - value).round(2)})
    is_credited = (table["credit"] != 0) | (table["crm_value"] != 0)
    return table[is_credited & (len(compared) > 0)].reset_index(drop=True)


def sum_due(entries: pd.DataFrame, opportunities: pd.DataFrame, agreement: Agreement, month: str,
            outcome: Outcome = WON) -> pd.DataFrame:
    """Sum what a month has to share out, straight from the CRM's deals or from the funnel's entries.

    Returns one row: line, value (money): the deals won whose close date lies in the month, at their amounts, or the
    records that first entered the stage in it, at the outcome's worth.
    """
    if outcome.is_expected:
        is_first = (entries["stage"] == outcome.stage) & (entries["n_entry"] == 1)
        n, worth = (is_first & entries["entered_at"].between(*month_bounds(month, agreement))).sum(), outcome.worth
        line = _("Entries into {stage}: {n} at {worth}, expected").format(stage=outcome.stage, n=number(n),
                                                                          worth=number(worth, 2))
        return pd.DataFrame({"line": [line], "value": [round(n * worth, 2)]})
    closed = opportunities[opportunities["is_won"] & opportunities["close_on"].between(*month_days(month))]
    return pd.DataFrame({"line": [_("Closed-won in the CRM")], "value": [round(closed["value"].sum(), 2)]})


def reconcile(returns: pd.DataFrame, due: pd.DataFrame) -> pd.DataFrame:
    """Check that roots + unattributed = what was to be shared out (sum_due).

    Returns one row per line of the sum: line, value (money). The last line is the difference, 0.00 when all is well.
    """
    roots = returns[returns["depth"] == 0]
    total, owed = round(roots["credit_with_children"].sum(), 2), due["value"].sum()
    lines = pd.DataFrame({"line": roots["path"], "value": roots["credit_with_children"]})
    sums = pd.DataFrame({"line": [_("Sum of the above"), *due["line"], _("Difference")],
                         "value": [total, *due["value"], round(total - owed, 2)]})
    return pd.concat([lines, sums], ignore_index=True)


def check_reconciled(reconciled: pd.DataFrame) -> None:
    """Refuse a report whose money does not add up.

    Raises TableError that names the two sums and their difference.
    """
    total, due, difference = reconciled["value"].iloc[-3:]
    if difference != 0:
        raise TableError(f"reconciliation: the campaigns and the unattributed sum to {total:,.2f}, "
                         f"{reconciled['line'].iloc[-2]} to {due:,.2f}: {difference:,.2f} apart. "
                         "That is a fault of the kit.")


def lookback_sensitivity(crm: CRM, conversions: pd.DataFrame, *, linking: str, time_zone: str,
                         windows: tuple[int | None, ...] = (90, 180, 365, 730, None)) -> pd.DataFrame:
    """Show how much of the conversions' value has a touch within each look-back.

    Returns one row per window: lookback_days (blank: no limit), n_reached, value_reached, share_reached, n_touches.
    """
    return pd.concat([_reach(crm, conversions, linking, time_zone, window) for window in windows], ignore_index=True)


def _reach(crm: CRM, conversions: pd.DataFrame, linking: str, time_zone: str, window: int | None) -> pd.DataFrame:
    journeys = build_journeys(crm.touches, conversions, crm.contact_roles, linking=linking, lookback_days=window,
                              time_zone=time_zone)
    first = journeys[journeys["position"] == 1]
    total = conversions["value"].sum()
    reached = round(first["value"].sum(), 2)
    return pd.DataFrame({"lookback_days": pd.array([window], dtype="Int64"), "n_reached": len(first),
                         "value_reached": reached, "share_reached": reached / total if total else np.nan,
                         "n_touches": int(journeys["touch_id"].notna().sum())})


def list_deals(conversions: pd.DataFrame, journeys: pd.DataFrame, credit: pd.DataFrame,
               campaigns: pd.DataFrame) -> pd.DataFrame:
    """List who earned what of each conversion.

    Returns one row per conversion and campaign, the largest deals first: conversion_id, value, converted_at,
    campaign_id, path ("(unattributed)" without a touch), n_touches (of this campaign), first_touched_at, weight (0-1),
    credit (money); credit sums to value.
    """
    shares = credit.assign(campaign_id=credit["campaign_id"].fillna("")).groupby(
        ["conversion_id", "campaign_id"], as_index=False).agg(
        weight=("weight", "sum"), credit=("credit", "sum"), n_touches=("touch_id", "count"))
    touched = journeys.groupby(["conversion_id", "campaign_id"], as_index=False).agg(
        first_touched_at=("touched_at", "min"))
    rows = shares.merge(touched, on=["conversion_id", "campaign_id"], how="left", validate="one_to_one").merge(
        conversions[["conversion_id", "value", "converted_at"]], on="conversion_id", validate="many_to_one")
    rows = rows.assign(path=find_paths(rows["campaign_id"], campaigns), credit=rows["credit"].round(2),
                       campaign_id=rows["campaign_id"].replace("", None))
    return rows.sort_values(["value", "conversion_id", "credit", "path"], ascending=[False, True, False, True],
                            ignore_index=True)[["conversion_id", "value", "converted_at", "campaign_id", "path",
                                                "n_touches", "first_touched_at", "weight", "credit"]]


def find_paths(ids: pd.Series, campaigns: pd.DataFrame) -> pd.Series:
    """Give each campaign its names from the root, "" the name of what nobody can claim."""
    known = look_up(ids, describe_tree(campaigns, "leave_out").set_index("campaign_id")["path"])
    return known.fillna(ids.map({"": UNATTRIBUTED})).fillna(LEFT_OUT)


def models_side_by_side(compared: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """Set what each campaign itself earned under every model side by side, the largest first.

    Returns one row per campaign with credit under any model, and one "(unattributed)": path, campaign_id, then one
    column per model (money; blank where it says nothing of the campaign); each column sums to the same total.
    """
    wide = compared.assign(campaign_id=compared["campaign_id"].fillna("")).pivot(
        index="campaign_id", columns="model", values="credit")[list(compared["model"].drop_duplicates())]
    rows = wide.assign(largest=wide.max(axis=1)).reset_index()
    rows = rows.assign(path=find_paths(rows["campaign_id"], campaigns)).sort_values(
        ["largest", "campaign_id"], ascending=[False, True], ignore_index=True)
    return rows.assign(campaign_id=rows["campaign_id"].replace("", None))[["path", "campaign_id", *wide.columns]]


def top_campaigns(compared: pd.DataFrame, campaigns: pd.DataFrame, n: int = 3) -> pd.DataFrame:
    """List the campaigns that each model credits most, of what they earned themselves.

    Returns up to n rows per model, in the models' order: model, place (1..n), campaign_id, campaign_name, credit
    (money, above 0).
    """
    rows = compared[compared["campaign_id"].notna() & (compared["credit"] > 0)]
    order = {model: place for place, model in enumerate(compared["model"].drop_duplicates())}
    rows = rows.sort_values(["credit", "campaign_id"], ascending=[False, True]).sort_values(
        "model", key=lambda models: models.map(order), kind="stable")
    names = campaigns.set_index("campaign_id")["campaign_name"]
    rows = rows.assign(place=rows.groupby("model").cumcount() + 1,
                       campaign_name=look_up(rows["campaign_id"], names).fillna(rows["campaign_id"]))
    return rows.loc[rows["place"] <= n, ["model", "place", "campaign_id", "campaign_name", "credit"]].reset_index(
        drop=True)


def list_lost(effects: pd.DataFrame) -> pd.DataFrame:
    """Set the removal effect of a campaign and all below it beside the sum of the same for its parts.

    `effects` is what markov_tree returns. Returns its rows: the campaign's place in the tree, n_paths, n_converted,
    lost_share and lost_value_share (0-1, of the conversions and of their value, of the whole subtree; blank of one too
    fresh), own_lost_share and own_lost_value_share (of the campaign alone), and of the campaigns right below n_parts
    and parts_share, the sum of their lost_value_share, which is no share of anything (blank where there are none).
    """
    rows = effects.rename(columns={
        "removal_effect_with_children": "lost_share", "removal_effect_value_with_children": "lost_value_share",
        "removal_effect": "own_lost_share", "removal_effect_value": "own_lost_value_share"})
    parts = rows.groupby("parent_id")["lost_value_share"]
    sums = parts.sum(min_count=1)
    return rows[["campaign_id", "campaign_name", "path", "depth", "is_leaf", "n_paths", "n_converted", "lost_share",
                 "lost_value_share", "own_lost_share", "own_lost_value_share"]].assign(
        n_parts=look_up(rows["campaign_id"], parts.size()).fillna(0).astype(int),
        parts_share=look_up(rows["campaign_id"], sums))


def pick_lost(lost: pd.DataFrame, n: int = 20) -> pd.DataFrame:
    """Pick the programmes, and of what stands right below them the n with the largest removal effects; in order."""
    lost = lost[lost["lost_value_share"].notna()]
    below = lost[lost["depth"] == 1].sort_values(["lost_value_share", "campaign_id"], ascending=[False, True]).head(n)
    return lost[(lost["depth"] == 0) | lost["campaign_id"].isin(below["campaign_id"])].reset_index(drop=True)


def caused_beside_credit(caused: pd.DataFrame, returns: pd.DataFrame) -> pd.DataFrame:
    """Set what a regression says a campaign caused beside the credit that a model gives it, with children.

    Returns one row per campaign of `caused` of which it says anything, the largest credit first: the campaign's place
    in the tree, credit, caused_value, caused_low, caused_high (money; the interval's ends), is_outside (the credit lies
    outside the interval), is_clear (the interval lies above 0).
    """
    rows = returns[["campaign_id", "campaign_name", "path", "depth", "is_leaf", "credit_with_children"]].rename(
        columns={"credit_with_children": "credit"}).merge(
        caused[["campaign_id", "caused_value", "caused_low", "caused_high"]].dropna().astype({"campaign_id": "str"}),
        on="campaign_id", validate="one_to_one")
    is_outside = (rows["credit"] < rows["caused_low"]) | (rows["credit"] > rows["caused_high"])
    return rows.assign(is_outside=is_outside, is_clear=rows["caused_low"] > 0).sort_values(
        ["credit", "campaign_id"], ascending=[False, True], ignore_index=True)


def budget_against_actual(campaigns: pd.DataFrame) -> pd.DataFrame:
    """Compare what was budgeted with what was spent, at every level of the tree.

    Returns one row per campaign: its place in the tree, budgeted_cost and actual_cost with children (blank where none
    is known below), remaining (budget - actual, money), spent_share (actual / budget), and unplanned_with_children:
    what was spent where nothing was budgeted, neither there nor above or below.
    """
    tree, ancestors = describe_tree(campaigns, "leave_out"), build_ancestors(campaigns, "leave_out")
    columns = ["budgeted_cost", "actual_cost"]
    own = campaigns[["campaign_id", *columns]].assign(unplanned=_unplanned(campaigns, ancestors))
    sums = roll_up(own, ancestors, [*columns, "unplanned"])
    known = {column: set(ancestors.loc[ancestors["campaign_id"].isin(
        campaigns.loc[campaigns[column].notna(), "campaign_id"]), "ancestor_id"]) for column in columns}
    rows = tree.merge(sums.drop(columns=columns), on="campaign_id", validate="one_to_one")
    budget, actual = (rows[f"{column}_with_children"].where(rows["campaign_id"].isin(known[column])).round(2)
                      for column in columns)
    return rows.assign(budgeted_cost_with_children=budget, actual_cost_with_children=actual,
                       remaining=(budget - actual).round(2), spent_share=actual / budget.where(budget > 0))


def _unplanned(campaigns: pd.DataFrame, ancestors: pd.DataFrame) -> pd.Series:
    """Give the cost of each campaign that has no budget, neither itself nor above or below it."""
    planned = campaigns.loc[campaigns["budgeted_cost"].notna(), "campaign_id"]
    above = ancestors.loc[is_in(ancestors["ancestor_id"], planned), "campaign_id"]
    below = ancestors.loc[is_in(ancestors["campaign_id"], planned), "ancestor_id"]
    return campaigns["actual_cost"].fillna(0.0).mask(is_in(campaigns["campaign_id"], pd.concat([above, below])), 0.0)
