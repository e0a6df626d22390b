"""Credit and cost together, at every level of the campaign tree, on both clocks, and reconciled with the CRM."""

from functools import partial

import numpy as np
import pandas as pd

from attribution.agreement import Agreement, Stage, month_days
from attribution.campaigns import build_ancestors, count_blanks, describe_tree, roll_up
from attribution.costs import costs_between
from attribution.credit import share_credit
from attribution.funnel import build_conversions
from attribution.journeys import build_journeys
from attribution.models import MODELS, Model, pick_model
from attribution.tables import CRM, TableError, check_refs, is_in, look_up

ADDITIVE = ("cost", "credit", "sourced", "accelerated", "credit_new", "credit_existing", "pipeline", "n_responses")
LEFT_OUT, UNATTRIBUTED = "(left out of the tree)", "(unattributed)"


def count_name(stage: str) -> str:
    """Name the column that counts a stage's entries.

    >>> count_name("mql"), count_name("opportunity")
    ('n_mqls', 'n_opportunities')
    """
    return f"n_{stage.removesuffix('y')}ies" if stage.endswith("y") else f"n_{stage}s"


def campaign_roi(credit: pd.DataFrame, costs: pd.DataFrame, campaigns: pd.DataFrame, *,
                 conversions: pd.DataFrame | None = None, pipeline: pd.DataFrame | None = None,
                 counts: pd.DataFrame | None = None, touches: pd.DataFrame | None = None,
                 contribution_margin: float | None = None, on_orphan: str = "raise") -> pd.DataFrame:
    """Put what campaigns earned beside what they cost, at every level of the tree.

    `credit` is one model's, `costs` has one cost per campaign, both for the clock and the period wanted; `pipeline` is
    the same model's credit of open deals, `counts` what credited_counts returns, `touches` those of the period.
    Returns one row per campaign in the tree's reading order, and after them, without a campaign_id, "(left out of the
    tree)" where any money or person belongs there, and always "(unattributed)".
    Own figures and `<figure>_with_children`: cost, credit (money), sourced and accelerated (credit to touches before,
    and from, the opportunity's creation), credit_new and credit_existing (by customer), pipeline (expected money),
    n_responses and the counts per stage (credited, fractions of a person). Ratios are of the figures with children:
    roi = (credit - cost) / cost, romi = (credit x margin - cost) / cost, roas = credit / cost, cost_per_<stage>; blank
    where cost is blank or 0. Distinct at each node and never to be added up: influenced_value, n_deals, n_people.
    The credit of the roots and of the rows without a campaign_id sums to the value of the conversions, to the cent.
    Raises TableError when credit went to a campaign that is not among the campaigns, or to a conversion that is not
    among the conversions.

    >>> credit = pd.DataFrame({"conversion_id": ["d"], "campaign_id": ["ad"], "credit": [50_000.0]})
    >>> costs = pd.DataFrame({"campaign_id": ["ad"], "cost": [10_000.0]})
    >>> tree = pd.DataFrame({"campaign_id": ["ad"], "parent_id": [None], "campaign_name": ["Ad"]}, dtype="str")
    >>> campaign_roi(credit, costs, tree, contribution_margin=0.6).loc[0, ["roas", "roi", "romi"]].tolist()
    [5.0, 4.0, 2.0]
    """
    check_refs(credit, "credit", "campaign_id", campaigns["campaign_id"], "campaigns",
               "Export Campaign.csv again, with every campaign")
    tree, ancestors = _with_rest(describe_tree(campaigns, on_orphan), build_ancestors(campaigns, on_orphan))
    credit, costs, pipeline, counts, touches = (
        _place(rows, tree["campaign_id"]) for rows in (credit, costs, pipeline, counts, touches))
    own = _own_figures(tree["campaign_id"], credit, costs, conversions, pipeline, counts, touches)
    added = [column for column in own if column in ADDITIVE or column.startswith("n_")]
    figures = roll_up(own, ancestors, added).merge(
        count_blanks(own, ancestors, "cost"), on="campaign_id", validate="one_to_one")
    figures = figures.merge(_influenced(credit, ancestors), on="campaign_id", how="left", validate="one_to_one")
    if touches is not None:
        figures = figures.merge(_people(touches, ancestors), on="campaign_id", how="left", validate="one_to_one")
    figures = figures.fillna({"influenced_value": 0.0, "n_deals": 0, "n_people": 0})
    rows = tree.merge(_in_cents(_blank_unknown_costs(figures, ancestors)), on="campaign_id", validate="one_to_one")
    return _with_ratios(_name_rest(rows), contribution_margin)


def _with_rest(tree: pd.DataFrame, ancestors: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Let what has no place in the tree stand beside it, as two more roots."""
    rest = pd.Series([LEFT_OUT, UNATTRIBUTED], dtype="str")
    roots = pd.DataFrame({"campaign_id": rest, "campaign_name": rest, "depth": 0, "path": rest, "is_leaf": True})
    lines = pd.DataFrame({"campaign_id": rest, "ancestor_id": rest, "distance": 0})
    return pd.concat([tree, roots], ignore_index=True), pd.concat([ancestors, lines], ignore_index=True)


def _place(rows: pd.DataFrame | None, ids: pd.Series) -> pd.DataFrame | None:
    """Give the rows without a campaign, and those of a campaign that is not in the tree, a root of their own."""
    if rows is None:
        return None
    placed = rows["campaign_id"].where(rows["campaign_id"].isna() | rows["campaign_id"].isin(ids), LEFT_OUT)
    return rows.assign(campaign_id=placed.fillna(UNATTRIBUTED))


def _name_rest(rows: pd.DataFrame) -> pd.DataFrame:
    """Take the made-up ids away again, what untouched deals cannot have, and the left-out where there is nothing."""
    is_rest, is_untouched = rows["campaign_id"].isin([LEFT_OUT, UNATTRIBUTED]), rows["campaign_id"] == UNATTRIBUTED
    blank = [column for column in rows if column.startswith(("sourced", "accelerated", "influenced"))]
    figures = rows.select_dtypes("number").fillna(0).ne(0).any(axis=1)
    rows = rows.assign(campaign_id=rows["campaign_id"].mask(is_rest),
                       **{column: rows[column].mask(is_untouched) for column in blank})
    return rows[~is_rest | is_untouched | figures].reset_index(drop=True)


def _own_figures(ids: pd.Series, credit: pd.DataFrame, costs: pd.DataFrame, conversions: pd.DataFrame | None,
                 pipeline: pd.DataFrame | None, counts: pd.DataFrame | None,
                 touches: pd.DataFrame | None) -> pd.DataFrame:
    cost, sums = costs.groupby("campaign_id")["cost"].sum(min_count=1).round(2), _sums(credit, ids, "credit")
    own = pd.DataFrame({"campaign_id": ids, "cost": look_up(ids, cost).astype(float), "credit": sums})
    if "basis" in costs:
        own = own.assign(cost_basis=look_up(ids, costs.groupby("campaign_id")["basis"].first()))
    if "is_before_opportunity" in credit:
        sourced = _sums(credit[credit["is_before_opportunity"]], ids, "credit")
        own = own.assign(sourced=sourced, accelerated=(sums - sourced).round(2))
    if conversions is not None:
        check_refs(credit, "credit", "conversion_id", conversions["conversion_id"], "conversions",
                   "Give the credit of these conversions")
        is_new = look_up(credit["conversion_id"],
                         conversions.set_index("conversion_id")["is_new_customer"]).astype(bool)
        new = _sums(credit[is_new], ids, "credit")
        own = own.assign(credit_new=new, credit_existing=(sums - new).round(2))
    if pipeline is not None:
        own = own.assign(pipeline=_sums(pipeline, ids, "credit"))
    if touches is not None:
        responses = touches.loc[touches["kind"] == "response", "campaign_id"].value_counts()
        own = own.assign(n_responses=look_up(ids, responses).fillna(0))
    for name in () if counts is None else counts["count"].drop_duplicates():
        own = own.assign(**{name: _sums(counts[counts["count"] == name], ids, "n", 9)})
    return own


def _sums(rows: pd.DataFrame, ids: pd.Series, column: str, digits: int = 2) -> pd.Series:
    return look_up(ids, rows.groupby("campaign_id")[column].sum().round(digits)).astype(float).fillna(0.0)


def _in_cents(figures: pd.DataFrame) -> pd.DataFrame:
    rolled_up = [name for column in ADDITIVE if (name := f"{column}_with_children") in figures]
    return figures.assign(**figures[rolled_up].round(2))


def _influenced(credit: pd.DataFrame, ancestors: pd.DataFrame) -> pd.DataFrame:
    """Value the deals touched at each node, each deal once: a figure that overlaps with the siblings'."""
    worth = credit.groupby("conversion_id")["credit"].sum().round(2)
    met = credit[["campaign_id", "conversion_id"]].drop_duplicates().merge(
        ancestors, on="campaign_id", validate="many_to_many").drop_duplicates(["ancestor_id", "conversion_id"])
    return met.assign(value=look_up(met["conversion_id"], worth)).groupby("ancestor_id").agg(
        influenced_value=("value", "sum"), n_deals=("conversion_id", "size")).round(2).rename_axis(
        "campaign_id").reset_index()


def _people(touches: pd.DataFrame, ancestors: pd.DataFrame) -> pd.DataFrame:
    met = touches[["campaign_id", "person_id"]].drop_duplicates().merge(
        ancestors, on="campaign_id", validate="many_to_many").drop_duplicates(["ancestor_id", "person_id"])
    return met.groupby("ancestor_id").size().rename_axis("campaign_id").rename("n_people").reset_index()


def _blank_unknown_costs(figures: pd.DataFrame, ancestors: pd.DataFrame) -> pd.DataFrame:
    """Leave the rolled-up cost blank where nothing below is known: blank is not zero."""
    known = figures.loc[figures["cost"].notna(), "campaign_id"]
    some = ancestors.loc[ancestors["campaign_id"].isin(known), "ancestor_id"]
    cost = figures["cost_with_children"].where(figures["campaign_id"].isin(some))
    return figures.assign(cost_with_children=cost, is_cost_incomplete=figures["n_blank_below"] > 0)


def _with_ratios(returns: pd.DataFrame, margin: float | None) -> pd.DataFrame:
    cost = returns["cost_with_children"].where(returns["cost_with_children"] > 0)
    credit = returns["credit_with_children"]
    share = np.nan if margin is None else margin
    per = {f"cost_per_{name.removeprefix('n_')}": cost / returns[f"{name}_with_children"].replace(0, np.nan)
           for name in returns if name.startswith("n_") and f"{name}_with_children" in returns}
    per.pop("cost_per_responses", None)
    return returns.assign(roi=(credit - cost) / cost, romi=(credit * share - cost) / cost, roas=credit / cost, **per)


def at_depth(returns: pd.DataFrame, depth: int) -> pd.DataFrame:
    """Keep the campaigns at one level of the tree (0: the roots), without "(unattributed)"."""
    return returns[(returns["depth"] == depth) & returns["campaign_id"].notna()]


def leaves(returns: pd.DataFrame) -> pd.DataFrame:
    """Keep the campaigns with none below them, without "(unattributed)"."""
    return returns[returns["is_leaf"] & returns["campaign_id"].notna()]


def between(rows: pd.DataFrame, moments: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Keep the rows whose moment lies from the first to the last, both included."""
    return rows[rows[moments].between(first, last)]


def choose_model(model: str, half_life_days: float) -> Model:
    """Give a report's model, time decay with the report's half-life.

    Raises ValueError when there is no such model, or it needs more than a report can say.
    """
    pick_model(model)
    if model == "position_based":
        raise ValueError("model: position_based needs weights of its own; choose another for a report")
    return partial(MODELS[model], half_life_days=half_life_days) if model == "time_decay" else MODELS[model]


def credited_counts(stage_credit: pd.DataFrame, first: pd.Timestamp | None = None,
                    last: pd.Timestamp | None = None) -> pd.DataFrame:
    """Count, per campaign and stage, the credited people (or deals) that entered it in a period.

    Returns one row per campaign and stage: campaign_id (null for those who had met none), count (such as n_mqls), n.
    Credited people add up to the distinct people; without a period all are counted.
    """
    weight = stage_credit["weight"]
    n = weight if first is None else weight.where(stage_credit["converted_at"].between(first, last), 0.0)
    sums = stage_credit.assign(n=n).groupby(
        ["campaign_id", "stage"], as_index=False, dropna=False)["n"].sum()
    return pd.DataFrame({"campaign_id": sums["campaign_id"], "count": sums["stage"].map(count_name), "n": sums["n"]})


def credit_stages(crm: CRM, entries: pd.DataFrame, agreement: Agreement, model: Model, *, linking: str,
                  lookback_days: float | None) -> pd.DataFrame:
    """Share each first entry into each stage before the sale among the campaigns met until then, as one to share.

    A new lead's campaigns are those met up to the day after its creation.
    Returns one row per entry and touch: stage, conversion_id, campaign_id (null where none was met), weight (0-1, sums
    to 1 per entry), converted_at. A stage that nobody entered has no rows.
    """
    entered = set(entries["stage"])
    shares = [_credit_stage(crm, entries, agreement, stage, model, linking, lookback_days)
              for stage in agreement.stages if stage.rule != "opportunity_won" and stage.name in entered]
    nothing = pd.DataFrame(columns=["conversion_id", "campaign_id", "weight", "stage", "converted_at"])
    return pd.concat(shares, ignore_index=True) if shares else nothing


def _credit_stage(crm: CRM, entries: pd.DataFrame, agreement: Agreement, stage: Stage, model: Model, linking: str,
                  lookback_days: float | None) -> pd.DataFrame:
    reached = build_conversions(entries, crm.opportunities, crm.contact_roles, stage=stage.name, linking=linking)
    until = reached if stage.rule != "lead_created" else reached.assign(converted_at=_day_after(reached, agreement))
    journeys = build_journeys(crm.touches, until, crm.contact_roles, linking=linking, lookback_days=lookback_days,
                              time_zone=agreement.time_zone)
    shared = share_credit(journeys, model)
    at = look_up(shared["conversion_id"], reached.set_index("conversion_id")["converted_at"])
    return shared[["conversion_id", "campaign_id", "weight"]].assign(stage=stage.name, converted_at=at)


def _day_after(leads: pd.DataFrame, agreement: Agreement) -> pd.Series:
    """Let the day after a lead's creation count: its membership can only be written once the lead is there."""
    return agreement.end_of(agreement.day_of(leads["converted_at"]) + pd.Timedelta(days=1))


def month_figures(month: str, agreement: Agreement, entries: pd.DataFrame, conversions: pd.DataFrame,
                  credit: pd.DataFrame, costs: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """Measure a month on the booked clock: deals closed in it, against the cost of the same month.

    Returns one row per figure: figure, value, unit (money, count, share or ratio).
    """
    first, last = month_bounds(month, agreement)
    won = between(conversions, "converted_at", first, last)
    mine = credit[credit["conversion_id"].isin(won["conversion_id"])]
    cost = costs_between(costs, campaigns, *month_days(month))["cost"].sum(min_count=1)
    value, attributed = won["value"].sum(), mine.loc[mine["campaign_id"].notna(), "credit"].sum()
    n_new, divisor = int(won["is_new_customer"].sum()), cost if cost > 0 else np.nan
    margin = np.nan if agreement.contribution_margin is None else agreement.contribution_margin
    known = set(entries["stage"])                    # a stage that nobody ever entered is unknown rather than 0
    reached = between(entries[entries["n_entry"] == 1], "entered_at", first, last)["stage"].value_counts()
    stages = [stage.name for stage in agreement.stages if stage.rule != "opportunity_won"]
    figures = [("won_value", value, "money"), ("n_won", len(won), "count"), ("attributed_value", attributed, "money"),
               ("unattributed_value", value - attributed, "money"),
               ("attributed_share", attributed / value if value else np.nan, "share"), ("cost", cost, "money"),
               ("roi", (attributed - cost) / divisor, "ratio"),
               ("romi", (attributed * margin - cost) / divisor, "ratio"),
               ("n_new_customers", n_new, "count"), ("campaign_cac", cost / n_new if n_new else np.nan, "money")]
    figures += [(count_name(stage), reached.get(stage, 0) if stage in known else np.nan, "count") for stage in stages]
    figures += [(f"cost_per_{count_name(stage).removeprefix('n_')}",
                 cost / reached[stage] if reached.get(stage, 0) else np.nan, "money") for stage in stages]
    table = pd.DataFrame(figures, columns=["figure", "value", "unit"]).astype({"value": float})
    return table.assign(value=table["value"].where(table["unit"] != "money", table["value"].round(2)))


def month_bounds(month: str, agreement: Agreement) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Give the first and the last moment (UTC) of a month in the agreement's time zone."""
    return agreement.start_of(pd.Series([month_days(month)[0]]))[0], agreement.month_end(month)


def month_before(month: str) -> str:
    """Name the month before.

    >>> month_before("2026-01")
    '2025-12'
    """
    return str(pd.Period(month, "M") - 1)


def headline(now: pd.DataFrame, before: pd.DataFrame, plan: dict[str, float] | None = None) -> pd.DataFrame:
    """Put a month's figures beside those of the month before and the plan.

    Returns one row per figure: figure, unit, value, before, change (share of before, a difference for shares and
    ratios), planned, plan_share (value / planned).
    """
    both = now.merge(before[["figure", "value"]].rename(columns={"value": "before"}), on="figure", how="left",
                     validate="one_to_one")
    planned = both["figure"].map(plan or {}).astype(float)
    difference = both["value"] - both["before"]
    change = difference.where(both["unit"].isin(["share", "ratio"]), difference / both["before"].replace(0, np.nan))
    return both.assign(change=change, planned=planned, plan_share=both["value"] / planned)[
        ["figure", "unit", "value", "before", "change", "planned", "plan_share"]]


def monthly_bookings(conversions: pd.DataFrame, credit: pd.DataFrame, agreement: Agreement, month: str,
                     n_months: int = 13) -> pd.DataFrame:
    """Sum the won value of the months up to one, attributed and not.

    Returns one row per month: month, attributed, unattributed (money), n_won, planned (money, blank without a plan).
    """
    months = [str(pd.Period(month, "M") - back) for back in range(n_months - 1, -1, -1)]
    at = agreement.day_of(conversions["converted_at"]).dt.strftime("%Y-%m")
    attributed = credit[credit["campaign_id"].notna()].groupby("conversion_id")["credit"].sum()
    deals = conversions.assign(month=at, attributed=look_up(conversions["conversion_id"], attributed).fillna(0.0))
    sums = deals.groupby("month").agg(value=("value", "sum"), attributed=("attributed", "sum"), n_won=("value", "size"))
    rows = sums.reindex(months).fillna(0).rename_axis("month").reset_index()
    planned = rows["month"].map({m: said.get("won_value") for m, said in agreement.plan.items()}).astype(float)
    return rows.assign(attributed=rows["attributed"].round(2), n_won=rows["n_won"].astype(int), planned=planned,
                       unattributed=(rows["value"] - rows["attributed"]).round(2))[
        ["month", "attributed", "unattributed", "n_won", "planned"]]


def cycle_days(journeys: pd.DataFrame) -> float:
    """Measure the median days from a conversion's first touch to the conversion (blank without a touched one)."""
    return float(journeys.loc[journeys["position"] == 1, "days_before"].median())


def flag_too_early(returns: pd.DataFrame, campaigns: pd.DataFrame, as_of: pd.Timestamp, days: float) -> pd.DataFrame:
    """Flag the campaigns that began less than the median cycle before as_of: what they will earn cannot be seen yet.

    Returns the rows with is_too_early. A campaign above others is judged by the earliest start below it, one without a
    start by the making of its record.
    """
    made_on = campaigns["created_at"].dt.tz_localize(None)
    starts = campaigns["starts_on"].fillna(made_on).set_axis(campaigns["campaign_id"])
    ancestors = build_ancestors(campaigns, "leave_out")
    earliest = ancestors.assign(start=look_up(ancestors["campaign_id"], starts)).groupby("ancestor_id")["start"].min()
    age = (as_of.tz_localize(None) - look_up(returns["campaign_id"], earliest)).dt.total_seconds() / 86400
    return returns.assign(is_too_early=(age < days).fillna(False).astype(bool))


def model_ranges(compared: pd.DataFrame, returns: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """Show how far the models disagree on each campaign, at every level of the tree.

    `compared` is what compare_models returns, `returns` the chosen model's rows for the same deals.
    Returns one row per campaign with credit under any model: campaign_id, campaign_name, path, depth, is_leaf, cost,
    credit (the chosen model's), credit_low, credit_high, model_low, model_high, roi_low, roi_high; with children.
    """
    ancestors = build_ancestors(campaigns, "leave_out")
    known = compared[compared["campaign_id"].isin(campaigns["campaign_id"])]
    wide = known.pivot(index="campaign_id", columns="model", values="credit")
    wide = wide.reindex(campaigns["campaign_id"]).fillna(0.0)
    wide = wide if len(wide.columns) else wide.assign(none=0.0)
    models = wide.columns.tolist()
    sums = roll_up(wide.reset_index(), ancestors, models).set_index("campaign_id")[
        [f"{model}_with_children" for model in models]].set_axis(models, axis=1).round(2)
    rows = returns.loc[returns["campaign_id"].notna(), ["campaign_id", "campaign_name", "path", "depth", "is_leaf",
                                                        "cost_with_children", "credit_with_children"]]
    rows = rows.set_axis([c.removesuffix("_with_children") for c in rows], axis=1).merge(
        pd.DataFrame({"credit_low": sums.min(axis=1), "credit_high": sums.max(axis=1),
                      "model_low": sums.idxmin(axis=1), "model_high": sums.idxmax(axis=1)}),
        left_on="campaign_id", right_index=True, validate="one_to_one")
    cost = rows["cost"].where(rows["cost"] > 0)
    rows = rows.assign(roi_low=rows["credit_low"] / cost - 1, roi_high=rows["credit_high"] / cost - 1)
    return rows[rows["credit_high"] > 0].reset_index(drop=True)


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

    Returns one row per conversion: conversion_id, value, primary_campaign_id, credit_to_primary (ours, money),
    difference (value - credit_to_primary), n_touches, n_campaigns, n_people, reason: agrees, no source, several people
    or several campaigns (share the journey with the primary campaign), not linked (it touched somebody of the company
    in time whom the linking does not reach: in the journeys `by_account`, not in these), outside the window (it touched
    the company too early or after the close), not touched (nor did any other campaign), or another campaign's.
    """
    met = journeys[journeys["touch_id"].notna()]
    facts = met.groupby("conversion_id").agg(n_campaigns=("campaign_id", "nunique"), n_people=("person_id", "nunique"),
                                             n_touches=("touch_id", "size"))
    rows = conversions[["conversion_id", "account_id", "value"]].merge(facts, on="conversion_id", how="left",
                                                                       validate="one_to_one")
    rows = rows.fillna({"n_campaigns": 0, "n_people": 0, "n_touches": 0}).astype(
        {"n_campaigns": int, "n_people": int, "n_touches": int})
    primary = opportunities.set_index("opportunity_id")["primary_campaign_id"]
    rows = rows.assign(primary_campaign_id=rows["conversion_id"].map(primary).astype("str"))
    sums = credit.groupby(["conversion_id", "campaign_id"])["credit"].sum().round(2)
    ours = pd.MultiIndex.from_frame(rows[["conversion_id", "primary_campaign_id"]])
    to_primary = sums.reindex(ours).fillna(0.0).to_numpy()
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
        ["no source", "agrees", "several people", "several campaigns", "not linked", "outside the window",
         "not touched"], "another campaign's")


def crm_roi(compared: pd.DataFrame, returns: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """Set the CRM's campaign ROI, from won deals by primary campaign source, beside ours, with children.

    Returns one row per campaign that either credits: campaign_id, campaign_name, path, depth, cost, credit, roi (ours),
    crm_value, crm_roi = (crm_value - cost) / cost, difference (credit - crm_value).
    """
    own = campaigns[["campaign_id"]].assign(crm_value=campaigns["campaign_id"].map(
        compared.groupby("primary_campaign_id")["value"].sum()).fillna(0.0))
    sums = roll_up(own, build_ancestors(campaigns, "leave_out"), ["crm_value"]).set_index("campaign_id")
    rows = returns[returns["campaign_id"].notna()]
    cost, value = rows["cost_with_children"], rows["campaign_id"].map(sums["crm_value_with_children"]).round(2)
    table = pd.DataFrame({
        "campaign_id": rows["campaign_id"], "campaign_name": rows["campaign_name"], "path": rows["path"],
        "depth": rows["depth"], "cost": cost,
        "credit": rows["credit_with_children"], "roi": rows["roi"], "crm_value": value,
        "crm_roi": (value - cost) / cost.where(cost > 0),
        "difference": (rows["credit_with_children"] - value).round(2)})
    return table[(table["credit"] != 0) | (table["crm_value"] != 0)].reset_index(drop=True)


def reconcile(returns: pd.DataFrame, opportunities: pd.DataFrame, first: pd.Timestamp,
              last: pd.Timestamp) -> pd.DataFrame:
    """Check that roots + unattributed = closed-won in the CRM for deals closed from the first to the last day.

    Returns one row per line of the sum: line, value (money). The last line is the difference, 0.00 when all is well.
    """
    roots = returns[returns["depth"] == 0]
    closed = opportunities[opportunities["is_won"] & opportunities["close_on"].between(first, last)]
    total, booked = round(roots["credit_with_children"].sum(), 2), round(closed["value"].sum(), 2)
    lines = pd.DataFrame({"line": roots["path"], "value": roots["credit_with_children"]})
    sums = pd.DataFrame({"line": ["Sum of the above", "Closed-won in the CRM", "Difference"],
                         "value": [total, booked, round(total - booked, 2)]})
    return pd.concat([lines, sums], ignore_index=True)


def check_reconciled(reconciled: pd.DataFrame) -> None:
    """Refuse a report whose money does not add up.

    Raises TableError that names the two sums and their difference.
    """
    total, booked, difference = reconciled["value"].iloc[-3:]
    if difference != 0:
        raise TableError(f"reconciliation: the campaigns and the unattributed sum to {total:,.2f}, the CRM's "
                         f"closed-won to {booked:,.2f}: {difference:,.2f} apart. That is a fault of the kit.")


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
    rows = rows.assign(path=_paths(rows["campaign_id"], campaigns), credit=rows["credit"].round(2),
                       campaign_id=rows["campaign_id"].replace("", None))
    return rows.sort_values(["value", "conversion_id", "credit", "path"], ascending=[False, True, False, True],
                            ignore_index=True)[["conversion_id", "value", "converted_at", "campaign_id", "path",
                                                "n_touches", "first_touched_at", "weight", "credit"]]


def _paths(ids: pd.Series, campaigns: pd.DataFrame) -> pd.Series:
    known = look_up(ids, describe_tree(campaigns, "leave_out").set_index("campaign_id")["path"])
    return known.fillna(ids.map({"": UNATTRIBUTED})).fillna(LEFT_OUT)


def check_month(crm: CRM, agreement: Agreement, month: str) -> None:
    """Refuse a month that the export knows nothing of.

    Raises ValueError that says which months there are.
    """
    first, last = month_bounds(month, agreement)
    seen = pd.concat([crm.touches["touched_at"], crm.opportunities["created_at"]])
    if not len(seen):
        raise ValueError(f"month: {month} has no data; up to its end the export has no touch and no deal")
    if first > crm.exported_at or last < seen.min():
        day = agreement.day_of(pd.Series([seen.min(), crm.exported_at])).dt.strftime("%Y-%m")
        raise ValueError(f"month: {month} has no data; the export covers {day[0]} to {day[1]}")


def models_side_by_side(compared: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """Set what each campaign itself earned under every model side by side, the largest first.

    Returns one row per campaign with credit under any model, and one "(unattributed)": path, campaign_id, then one
    column per model (money); each model's column sums to the same total.
    """
    wide = compared.assign(campaign_id=compared["campaign_id"].fillna("")).pivot(
        index="campaign_id", columns="model", values="credit").fillna(0.0)[list(compared["model"].drop_duplicates())]
    rows = wide.assign(largest=wide.max(axis=1)).reset_index()
    rows = rows.assign(path=_paths(rows["campaign_id"], campaigns)).sort_values(
        ["largest", "campaign_id"], ascending=[False, True], ignore_index=True)
    return rows.assign(campaign_id=rows["campaign_id"].replace("", None))[["path", "campaign_id", *wide.columns]]


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
