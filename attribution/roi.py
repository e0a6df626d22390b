"""Credit and cost together, at every level of the campaign tree, on both clocks."""

from collections.abc import Collection
from functools import partial

import numpy as np
import pandas as pd

from attribution.agreement import Agreement
from attribution.campaigns import build_ancestors, count_blanks, describe_tree, roll_up
from attribution.credit import share_credit
from attribution.entries import BIRTHS
from attribution.funnel import build_conversions
from attribution.journeys import build_journeys
from attribution.language import marked
from attribution.models import MODELS, Model, pick_model
from attribution.tables import CRM, check_refs, is_in, look_up

ADDITIVE = ("cost", "credit", "sourced", "accelerated", "credit_new", "credit_existing", "pipeline", "n_responses")
LEFT_OUT, UNATTRIBUTED = marked("(left out of the tree)"), marked("(unattributed)")


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
    the same model's credit of open deals, `counts` what credited_counts returns, `touches` those of the period. Where
    `conversions` are of a stage before the sale, credit is expected money: the open deals are in it already, and it all
    came before the deal, so there is no pipeline, sourced or accelerated.
    Returns one row per campaign in the tree's reading order, and after them, without a campaign_id, "(left out of the
    tree)" where any money or person belongs there, and always "(unattributed)".
    Own figures and `<figure>_with_children`: cost, credit (money), sourced and accelerated (credit to touches before,
    and from, the opportunity's creation), credit_new and credit_existing (by customer), pipeline (expected money),
    n_responses and the counts per stage (credited, fractions of a person). Ratios are of the figures with children:
    roi = (credit - cost) / cost, romi = (credit x margin - cost) / cost, roas = credit / cost, cost_per_<stage>; blank
    where cost is blank or 0, and for a stage where fewer than one was credited. Distinct at each node and never to be
    added up: influenced_value, n_deals, n_people. The credit of the roots and of the rows without a campaign_id sums to
    the value of the conversions, to the cent.
    Raises TableError when credit went to a campaign that is not among the campaigns, or to a conversion that is not
    among the conversions; ValueError when some of these are expected and others booked.

    >>> credit = pd.DataFrame({"conversion_id": ["d"], "campaign_id": ["ad"], "credit": [50_000.0]})
    >>> costs = pd.DataFrame({"campaign_id": ["ad"], "cost": [10_000.0]})
    >>> tree = pd.DataFrame({"campaign_id": ["ad"], "parent_id": [None], "campaign_name": ["Ad"]}, dtype="str")
    >>> campaign_roi(credit, costs, tree, contribution_margin=0.6).loc[0, ["roas", "roi", "romi"]].tolist()
    [5.0, 4.0, 2.0]
    """
    check_refs(credit, "credit", "campaign_id", campaigns["campaign_id"], "campaigns",
               "Export Campaign.csv again, with every campaign")
    if _are_expected(conversions):
        credit, pipeline = credit.drop(columns="is_before_opportunity", errors="ignore"), None
    tree, ancestors = with_rest(describe_tree(campaigns, on_orphan), build_ancestors(campaigns, on_orphan))
    credit, costs, pipeline, counts, touches = (
        place_rest(rows, tree["campaign_id"]) for rows in (credit, costs, pipeline, counts, touches))
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


def _are_expected(conversions: pd.DataFrame | None) -> bool:
    if conversions is None or not conversions["is_expected"].any():
        return False
    if not conversions["is_expected"].all():
        raise ValueError(f"conversions: {conversions['is_expected'].sum():,} of {len(conversions):,} are worth expected"
                         " money, the others booked money, which are never added. Give those of one stage")
    return True


def with_rest(tree: pd.DataFrame, ancestors: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Let what has no place in the tree stand beside it, as two more roots."""
    rest = pd.Series([LEFT_OUT, UNATTRIBUTED], dtype="str")
    roots = pd.DataFrame({"campaign_id": rest, "campaign_name": rest, "depth": 0, "path": rest, "is_leaf": True})
    lines = pd.DataFrame({"campaign_id": rest, "ancestor_id": rest, "distance": 0})
    return pd.concat([tree, roots], ignore_index=True), pd.concat([ancestors, lines], ignore_index=True)


def place_rest(rows: pd.DataFrame | None, ids: pd.Series) -> pd.DataFrame | None:
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
        new = _sums(credit[_is_new(credit, conversions)], ids, "credit")
        own = own.assign(credit_new=new, credit_existing=(sums - new).round(2))
    if pipeline is not None:
        own = own.assign(pipeline=_sums(pipeline, ids, "credit"))
    if touches is not None:
        responses = touches.loc[touches["kind"] == "response", "campaign_id"].value_counts()
        own = own.assign(n_responses=look_up(ids, responses).fillna(0))
    names = () if counts is None else counts["count"].drop_duplicates()
    return own.assign(**{name: _sums(counts[counts["count"] == name], ids, "n", 9) for name in names})


def _is_new(credit: pd.DataFrame, conversions: pd.DataFrame) -> pd.Series:
    check_refs(credit, "credit", "conversion_id", conversions["conversion_id"], "conversions",
               "Give the credit of these conversions")
    return look_up(credit["conversion_id"], conversions.set_index("conversion_id")["is_new_customer"]).astype(bool)


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
    per = {f"cost_per_{name.removeprefix('n_')}": cost / returns[f"{name}_with_children"].where(lambda n: n >= 1)
           for name in returns if name.startswith("n_") and f"{name}_with_children" in returns}
    per.pop("cost_per_responses", None)
    return returns.assign(roi=(credit - cost) / cost, romi=(credit * share - cost) / cost, roas=credit / cost, **per)


def at_depth(returns: pd.DataFrame, depth: int) -> pd.DataFrame:
    """Keep the campaigns at one level of the tree (0: the roots), without "(unattributed)"."""
    return returns[(returns["depth"] == depth) & returns["campaign_id"].notna()]


def channels(returns: pd.DataFrame) -> pd.DataFrame:
    """Keep the campaigns right below a root, such as channels, or the roots of a tree that has nothing below them."""
    return at_depth(returns, int(min(returns["depth"].max(), 1)))


def leaves(returns: pd.DataFrame) -> pd.DataFrame:
    """Keep the campaigns with none below them, without "(unattributed)"."""
    return returns[returns["is_leaf"] & returns["campaign_id"].notna()]


def between(rows: pd.DataFrame, moments: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Keep the rows whose moment lies from the first to the last, both included."""
    return rows[rows[moments].between(first, last)]


def credit_of(credit: pd.DataFrame, conversions: pd.DataFrame) -> pd.DataFrame:
    """Keep the credit of some conversions."""
    return credit[is_in(credit["conversion_id"], conversions["conversion_id"])]


def report_models(half_life_days: float) -> dict[str, Model]:
    """Give the models that a report holds against each other, by name, time decay with the report's half-life."""
    return {name: choose_model(name, half_life_days) for name in MODELS if name != "position_based"}


def choose_model(model: str, half_life_days: float) -> Model:
    """Give a report's model, time decay with the report's half-life.

    Raises ValueError when there is no such model, it needs more than a report can say, or shares no single deal.
    """
    if model == "markov":
        raise ValueError("model: markov shares a period's money by removal effects, and no single deal's; every report "
                         "sets it beside the others. Choose another for the report")
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
                  lookback_days: float | None, stages: Collection[str] | None = None) -> pd.DataFrame:
    """Share each first entry into each stage before the sale among the campaigns met until then, as one to share.

    `stages` names some of them; None takes all. A new lead's campaigns are those met up to the day after its creation.
    Returns one row per entry and touch: stage, conversion_id, campaign_id (null where none was met), weight (0-1, sums
    to 1 per entry), converted_at. A stage that nobody entered has no rows.
    """
    entered = set(entries["stage"]).intersection(agreement.stage_names if stages is None else stages)
    shares = [_credit_stage(crm, entries, agreement, stage.name, model, linking, lookback_days)
              for stage in agreement.stages if stage.rule != "opportunity_won" and stage.name in entered]
    nothing = pd.DataFrame(columns=["conversion_id", "campaign_id", "weight", "stage", "converted_at"])
    return pd.concat(shares, ignore_index=True) if shares else nothing


def _credit_stage(crm: CRM, entries: pd.DataFrame, agreement: Agreement, stage: str, model: Model, linking: str,
                  lookback_days: float | None) -> pd.DataFrame:
    reached = build_conversions(entries, crm.opportunities, crm.contact_roles, stage=stage, linking=linking)
    journeys = build_journeys(crm.touches, extend_births(reached, agreement, stage), crm.contact_roles, linking=linking,
                              lookback_days=lookback_days, time_zone=agreement.time_zone)
    shared = share_credit(journeys, model)
    at = look_up(shared["conversion_id"], reached.set_index("conversion_id")["converted_at"])
    return shared[["conversion_id", "campaign_id", "weight"]].assign(stage=stage, converted_at=at)


def extend_births(conversions: pd.DataFrame, agreement: Agreement, stage: str) -> pd.DataFrame:
    """Let the day after a record's creation count: a membership can only be written once the record is there.

    Returns the conversions, for build_journeys, with converted_at at the end of the next local day where the stage is
    entered by being created as a person or lead; else as they are.
    """
    if agreement.find_stage(stage).rule not in BIRTHS:
        return conversions
    next_day = agreement.day_of(conversions["converted_at"]) + pd.Timedelta(days=1)
    return conversions.assign(converted_at=agreement.end_of(next_day))


def cycle_days(journeys: pd.DataFrame) -> float:
    """Measure the median days from a conversion's first touch to the conversion (blank without a touched one)."""
    return float(journeys.loc[journeys["position"] == 1, "days_before"].median())


def flag_too_early(returns: pd.DataFrame, campaigns: pd.DataFrame, today: pd.Timestamp, days: float) -> pd.DataFrame:
    """Flag the campaigns that began less than the median cycle before today: what they will earn cannot be seen yet.

    Returns the rows with is_too_early. A campaign above others is judged by the earliest start below it, one without a
    start by the making of its record.
    """
    made_on = campaigns["created_at"].dt.tz_localize(None)
    starts = campaigns["starts_on"].fillna(made_on).set_axis(campaigns["campaign_id"])
    ancestors = build_ancestors(campaigns, "leave_out")
    earliest = ancestors.assign(start=look_up(ancestors["campaign_id"], starts)).groupby("ancestor_id")["start"].min()
    age = (today - look_up(returns["campaign_id"], earliest)).dt.days
    return returns.assign(is_too_early=age < days)
