"""Finished table in, a reader's sentence out; the words of the columns and of the glossary."""

import re
from importlib.resources import files

import pandas as pd

from attribution.agreement import Agreement
from attribution.entries import LAPSED_AFTER_DAYS, find_lapsed
from attribution.funnel import WON, Outcome
from attribution.language import (
    _,
    count,
    day,
    in_month,
    in_number,
    marked,
    money,
    month,
    month_name,
    number,
    percent,
    spoken,
    times,
)
from attribution.roi import LEFT_OUT, UNATTRIBUTED, count_name
from attribution.tables import CRM, first_keys, is_in

#: What a column is called before a reader; a name not listed reads as it is written, without underscores.
NAMES = {
    "roi": "ROI", "romi": "ROMI", "roas": "ROAS", "path": "campaign", "campaign_name": "campaign",
    "campaign_id": "campaign id",
    "credit": "credit", "credit_new": "credit, new customers", "credit_existing": "credit, existing customers",
    "pipeline": "open pipeline, expected", "is_cost_incomplete": "cost incomplete", "is_too_early": "too early",
    "n_deals": "deals touched", "n_people": "people touched", "n_responses": "responses", "n_leads": "leads, credited",
    "n_mqls": "MQLs, credited", "n_sqls": "SQLs, credited", "n_opportunities": "opportunities, credited",
    "cost_per_leads": "cost per lead", "cost_per_mqls": "cost per MQL", "cost_per_sqls": "cost per SQL",
    "cost_per_opportunities": "cost per opportunity", "influenced_value": "influenced value (overlaps)",
    "conversion_id": "deal", "converted_at": "closed", "first_touched_at": "first touch", "weight": "share",
    "n_rows": "rows", "cost_basis": "cost basis", "unplanned": "spent where nothing was budgeted",
    "credit_low": "lowest credit", "credit_high": "highest credit", "model_low": "lowest model",
    "model_high": "highest model", "roi_low": "lowest ROI", "roi_high": "highest ROI",
    "crm_value": "won by primary source",
    "crm_roi": "ROI by primary source", "credit_to_primary": "our credit to the primary source",
    "primary_campaign_id": "primary source", "n_reached": "deals reached", "reached_share": "share of deals reached",
    "value_reached_share": "share of value reached", "value_reached": "value reached",
    "share_reached": "share reached", "lookback_days": "look-back, days (blank: none)", "plan_share": "of plan",
    "from_name": "from campaign", "to_name": "to campaign", "difference_low": "difference, lowest",
    "difference_high": "difference, highest",
    "from_roi_low": "from: lowest ROI", "from_roi_high": "from: highest ROI", "to_roi_low": "to: lowest ROI",
    "to_roi_high": "to: highest ROI", "spent_share": "spent of budget", "n_conversions": "deals", "rolled_up": "ours",
    "reported": "the CRM's", "n_entry": "entry no.", "n_entered": "entered, first time", "n_again": "came again",
    "n_imputed": "of these imputed", "value_low": "value from", "value_high": "value to", "worth": "worth in all",
    "n": "number", "to": "went to", "is_back": "back", "conversion_rate": "rate", "rate_low": "rate from",
    "rate_high": "rate to", "n_contradictory": "in doubt", "compliance_rate": "share in time",
    "compliance_low": "share from", "compliance_high": "share to", "median_hours": "median, business hours",
    "p90_hours": "90 %, business hours", "raw_median_hours": "median, hours", "raw_p90_hours": "90 %, hours",
    "never_share": "never contacted", "attempts_rate": "attempts kept", "is_kept": "promise kept",
    "person_id": "person", "owner_id": "owner", "record_id": "record", "account_id": "account",
    "overdue_days": "days overdue", "median_low": "median from", "median_high": "median to",
    "n_from": "entries into the first", "n_to": "entries into the second", "period_rate": "second per first",
    "by_history_low": "by history, from", "by_history_high": "by history, to", "n_history": "earlier deals",
    "history_rate": "of these won", "history_low": "won from", "history_high": "won to",
    "n_unpriced": "without amount", "returned_rate": "share returned", "rest_rate": "of the rest",
    "is_clear": "beyond chance", "is_pooled": "of all segments", "is_reconverted": "became a deal",
    "left_to": "went back to", "came_back_at": "came again", "pace_per_month": "comes a month, also again",
    "year_per_month": "a year at the target takes, a month", "year_low": "from", "year_high": "to",
    "is_enough_a_year": "pace suffices", "n_under_way": "under way", "under_way_value": "expected of these this year",
    "latest_entry_on": "in time this year until", "is_too_late": "too late", "lag_days": "median days to the next",
    "mean_days": "mean days, cut at the longest seen",
    "year_difference": "adds a year", "gap_share": "of this year's gap", "needed": "this year's gap takes",
    "carried_share": "from the stage before",
}
#: What a column is called where it speaks of an outcome before the sale; {one} and {many} are the stage's.
_EXPECTED_NAMES = {
    "conversion_id": "{one}", "converted_at": "entered", "n_deals": "{many} touched", "n_conversions": "{many}",
    "n_reached": "{many} reached", "reached_share": "share of {many} reached", "value": "value, expected",
    "value_reached": "expected value reached", "credit": "credit, expected", "roi": "ROI, expected",
    "romi": "ROMI, expected", "roas": "ROAS, expected",
    "influenced_value": "influenced value, expected (overlaps)",
}
#: The tables whose titles depend on the outcome: of won deals, of an earlier stage.
_TABLE_TITLES = {
    "linking": ("How many deals and how much won value each way of linking people to deals reaches",
                "How many {many} and how much expected value each way of linking reaches"),
    "look_back": ("How much won value a look-back reaches", "How much expected value a look-back reaches"),
    "bookings": ("Won value by month of closing", "Expected value of the {many} by month of entry"),
    "deals": ("Every deal won in the month, and who earned it", "Every {one} of the month, and who earned it"),
    "booked_clock": ("Booked clock: the month's credit against the month's cost",
                     "The month's {many}: their expected credit against the month's cost"),
    "campaign_clock": ("Campaign clock: all credit to date against all cost to date",
                       "Campaign clock: all expected credit to date against all cost to date"),
    "reconciliation": ("Roots and unattributed against closed-won in the CRM",
                       "Roots and unattributed against the {many} of the funnel, each at its expected worth"),
    "credit_to_date": ("Every deal won to date, and who earned it", "Every {one} to date, and who earned it"),
}
_FIGURES = {
    "expected_value": "Expected value", "roi_expected": "ROI, expected", "romi_expected": "ROMI, expected",
    "won_value": "Won", "n_won": "Deals won", "attributed_value": "Attributed to campaigns",
    "unattributed_value": "Unattributed", "attributed_share": "Share attributed", "cost": "Campaign cost",
    "roi": "ROI, booked clock", "romi": "ROMI, booked clock", "n_new_customers": "New customers",
    "campaign_cac": "Campaign-only CAC", "n_leads": "Leads", "n_mqls": "MQLs", "n_sqls": "SQLs",
    "n_opportunities": "Opportunities", "cost_per_leads": "Cost per lead", "cost_per_mqls": "Cost per MQL",
    "cost_per_sqls": "Cost per SQL", "cost_per_opportunities": "Cost per opportunity",
}
#: What a reader sees of a clock's many columns; the workbook has them all.
CLOCK_COLUMNS = ("campaign", "cost_with_children", "credit_with_children", "roi", "romi", "roas",
                 "pipeline_with_children", "n_deals", "influenced_value", "is_cost_incomplete", "is_too_early",
                 "campaign_id")
STAGE_COLUMNS = ("campaign", "cost_with_children", "n_people", "n_responses_with_children", "n_leads_with_children",
                 "cost_per_leads", "n_mqls_with_children", "cost_per_mqls", "n_sqls_with_children", "cost_per_sqls",
                 "n_opportunities_with_children", "cost_per_opportunities", "is_cost_incomplete")
DEAL_COLUMNS = ("conversion_id", "value", "converted_at", "path", "n_touches", "first_touched_at", "weight", "credit")
RANGE_COLUMNS = ("campaign", "cost", "credit", "credit_low", "model_low", "credit_high", "model_high", "roi_low",
                 "roi_high")
SHIFT_COLUMNS = ("from_name", "to_name", "amount", "from_roi_low", "from_roi_high", "to_roi_low", "to_roi_high",
                 "difference_low", "difference_high")
BUDGET_COLUMNS = ("campaign", "budgeted_cost_with_children", "actual_cost_with_children", "remaining", "spent_share",
                  "unplanned_with_children")
SOURCE_COLUMNS = ("campaign", "cost", "credit", "roi", "crm_value", "crm_roi", "difference")
TILES = ("won_value", "attributed_value", "roi", "cost", "n_won", "n_new_customers", "n_mqls", "cost_per_mqls")


def figure_name(figure: str) -> str:
    """Name a headline figure for a reader.

    >>> figure_name("cost_per_mqls")
    'Cost per MQL'
    """
    return _(_FIGURES.get(figure, figure.removeprefix("n_").replace("_", " ").capitalize()))


def name_figures(headline: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Write a headline's rows as a reader's table: figure, value, before, change, planned, of plan, all as text."""
    def column(name: str) -> list[str]:
        return [_amount(value, unit, currency) for value, unit in zip(headline[name], headline["unit"], strict=True)]
    return pd.DataFrame({
        "figure": headline["figure"].map(figure_name), "this month": column("value"), "month before": column("before"),
        "change": [_change(change, unit) for change, unit in zip(headline["change"], headline["unit"], strict=True)],
        "plan": column("planned"), "of plan": headline["plan_share"].map(percent)}).replace("–", "")


def _amount(value: float, unit: str, currency: str) -> str:
    return {"money": lambda v: money(v, currency), "share": percent, "ratio": times, "count": number}[unit](value)


def _change(change: float, unit: str) -> str:
    if unit not in ("share", "ratio") or pd.isna(change):
        return times(change)
    sign = "+" if round(change * 100) >= 0 else ""
    return _("{change} points").format(change=sign + number(change * 100))


def name_stage(stage: str, n: float = 1) -> str:
    """Name one record in a stage, or several after their number, for a reader.

    >>> name_stage("mql"), name_stage("mql", 2), name_stage("opportunity", 2)
    ('MQL', 'MQLs', 'opportunities')
    """
    known = {"lead": in_number("lead", "leads", n), "mql": in_number("MQL", "MQLs", n),
             "sql": in_number("SQL", "SQLs", n), "customer": in_number("customer", "customers", n),
             "opportunity": in_number("opportunity", "opportunities", n)}
    return known.get(stage) or _own_stage(stage, n)


def name_stages(stage: str) -> str:
    """Name the records in a stage, however many, for a reader.

    >>> name_stages("mql"), name_stages("hot_lead")
    ('MQLs', 'hot leads')
    """
    known = {"lead": _("leads"), "mql": _("MQLs"), "sql": _("SQLs"), "customer": _("customers"),
             "opportunity": _("opportunities")}
    return known.get(stage) or _own_stage(stage, 2)


def _own_stage(stage: str, n: float) -> str:
    """Name a stage of the company's own; only English can tell many of them by a rule."""
    one = stage.replace("_", " ")
    return one if n == 1 or spoken() != "en" else count_name(one).removeprefix("n_")


def name_campaigns(names: pd.Series) -> pd.Series:
    """Give campaigns' names as they are, and our own words where what they stand for is no campaign."""
    return names.replace({UNATTRIBUTED: _(UNATTRIBUTED), LEFT_OUT: _(LEFT_OUT)})


def _in_words(text: str, outcome: Outcome) -> str:
    return _(text).format(one=name_stage(outcome.stage), many=name_stages(outcome.stage))


def name_columns(outcome: Outcome) -> dict[str, str]:
    """Give the columns' names that differ where the outcome comes before the sale: column → name."""
    names = _EXPECTED_NAMES if outcome.is_expected else {}
    return {column: _in_words(name, outcome) for column, name in names.items()}


def title_table(sheet: str, outcome: Outcome = WON) -> str:
    """Title a table of which the outcome decides what it speaks of.

    >>> title_table("deals"), title_table("deals", Outcome("mql", 250.0))
    ('Every deal won in the month, and who earned it', 'Every MQL of the month, and who earned it')
    """
    return _in_words(_TABLE_TITLES[sheet][outcome.is_expected], outcome)


def headline_tiles(headline: pd.DataFrame, currency: str, outcome: Outcome = WON,
                   intervals: pd.DataFrame | None = None) -> pd.DataFrame:
    """Pick the figures that a leader reads first.

    `intervals` is what total_intervals says of some of them. Returns one row per tile: label, value, note (change on
    the month before, share of the plan, interval), all text.
    """
    n = count_name(outcome.stage)
    expected = ("expected_value", "attributed_value", "roi_expected", "cost", n, f"cost_per_{n.removeprefix('n_')}")
    wanted = expected if outcome.is_expected else TILES
    rows = headline.set_index("figure").reindex([figure for figure in wanted if figure in set(headline["figure"])])
    bounds = {} if intervals is None else intervals.set_index("figure")[["low", "high"]].T.to_dict("list")
    notes = [_note(row.before, row.change, row.unit, row.plan_share, currency)
             + _interval_note(row.value, bounds.get(row.Index), row.unit, currency) for row in rows.itertuples()]
    return pd.DataFrame({"label": [figure_name(figure) for figure in rows.index], "note": notes,
                         "value": [_amount(row.value, row.unit, currency) for row in rows.itertuples()]})


def _interval_note(value: float, bounds: list[float] | None, unit: str, currency: str) -> str:
    if bounds is None or pd.isna(value):
        return ""
    if pd.isna(bounds[0]):
        return "\n" + _("too few accounts for an interval")
    low, high = (_amount(bound, unit, currency) for bound in bounds)
    return "\n" + _("95\u00a0% interval {low} to {high}").format(low=low, high=high)


def _note(before: float, change: float, unit: str, plan_share: float, currency: str) -> str:
    known, moved = _("{before} the month before"), _("{before} the month before ({change})")
    then = (known if pd.isna(change) else moved).format(before=_amount(before, unit, currency),
                                                        change=_change(change, unit))
    then = then if pd.notna(before) else _("not known for the month before")
    return then + (f"\n{_('{share} of plan').format(share=percent(plan_share))}" if pd.notna(plan_share) else "")


def _figure(headline: pd.DataFrame, name: str) -> pd.Series:
    return headline.set_index("figure").loc[name]


def say_month(headline: pd.DataFrame, month: str, currency: str, outcome: Outcome = WON) -> str:
    """Say what the month brought, in two sentences; a third says what an outcome before the sale is worth."""
    if outcome.is_expected:
        return _say_expected(headline, month, currency, outcome)
    won, n, share, cost, roi = (_figure(headline, name)["value"] for name in (
        "won_value", "n_won", "attributed_share", "cost", "roi"))
    plan, when, known = _figure(headline, "won_value")["plan_share"], in_month(month), pd.notna(cost)
    if not n:
        none = (_("No deal was won {in_month}; campaigns cost {cost}.") if known else
                _("No deal was won {in_month}; the month's campaign cost is not known."))
        return none.format(in_month=when, cost=money(cost, currency))
    text = in_number("{deals} worth {value} was won {in_month}", "{deals} worth {value} were won {in_month}", n).format(
        deals=count(n, "deal"), value=money(won, currency), in_month=when)
    text += _(", {share} of the plan").format(share=percent(plan)) if pd.notna(plan) else ""
    text += _("; campaigns had touched {share} of that money").format(share=percent(share)) if pd.notna(share) else ""
    return f"{_begun(text)}. {_say_roi(cost, roi, currency)}"


def _begun(text: str) -> str:
    """Begin a sentence with a capital, also where a language begins it with the month."""
    return text[:1].upper() + text[1:]


def _say_roi(cost: float, roi: float, currency: str) -> str:
    if pd.isna(roi):
        return _say_spent(cost, currency)
    return _("Against the month's campaign cost of {cost} that is a booked ROI of {roi}.").format(
        cost=money(cost, currency), roi=times(roi))


def _say_spent(cost: float, currency: str) -> str:
    known, unknown = _("Campaigns cost {cost}."), _("The month's campaign cost is not known.")
    return known.format(cost=money(cost, currency)) if pd.notna(cost) else unknown


def _say_expected(headline: pd.DataFrame, month: str, currency: str, outcome: Outcome) -> str:
    n, value, share, cost, roi = (_figure(headline, name)["value"] for name in (
        count_name(outcome.stage), "expected_value", "attributed_share", "cost", "roi_expected"))
    text = in_number("{n} new {stage} {in_month} is worth an expected {value}",
                     "{n} new {stage} {in_month} are worth an expected {value}", n).format(
        n=number(n), stage=name_stage(outcome.stage, n), in_month=in_month(month), value=money(value, currency))
    text += _("; campaigns had touched {share} of that").format(share=percent(share)) if pd.notna(share) else ""
    spent = _("Against the month's campaign cost of {cost} the expected ROI is {roi}.").format(
        cost=money(cost, currency), roi=times(roi)) if pd.notna(roi) else _say_spent(cost, currency)
    return f"{_begun(text)}. {spent} {_say_worth(outcome, currency)}"


def _say_worth(outcome: Outcome, currency: str) -> str:
    worth, low, high = (money(each, currency) for each in (outcome.worth, outcome.worth_low, outcome.worth_high))
    return _("Each {stage} counts {worth} (95\u00a0% interval {low} to {high}), what one brings on average: expected "
             "money, not booked, and never added to it.").format(stage=name_stage(outcome.stage), worth=worth, low=low,
                                                                 high=high)


def title_report(agreement: Agreement, month: str, outcome: Outcome = WON) -> str:
    """Title the report with the company, the month and, where it is not about won deals, the stage."""
    company = f"{agreement.company}: " if agreement.company else ""
    text = _("campaign ROI on {stages}, {month}") if outcome.is_expected else _("campaign ROI, {month}")
    return company + text.format(stages=name_stages(outcome.stage), month=month_name(month))


def say_came_in(crm: CRM, agreement: Agreement) -> str:
    """Say what the export brought, up to which moment, and how much of it was left out."""
    until, seen = agreement.day_of(pd.Series([crm.as_of, crm.exported_at]))
    out = crm.left_out["n_rows"].sum()
    text = _("The tables speak of the end of {day}: {touches} of {people}, {campaigns}, {deals}.").format(
        day=day(until), touches=count(len(crm.touches), "touch", "touches"),
        people=count(len(crm.people), "person", "people"), campaigns=count(len(crm.campaigns), "campaign"),
        deals=count(len(crm.opportunities), "deal"))
    left = in_number("{rows} was left out, for the reasons below.", "{rows} were left out, for the reasons below.",
                     out).format(rows=count(out, "row")) if out else _("No row was left out.")
    late = _("The latest change that the export has seen is of {day}: the month may not be complete.").format(
        day=day(seen))
    paid = _("All money is in {currency}.").format(currency=crm.currency)
    return " ".join([text, left, paid, *[late] * bool(seen < until)])


def list_tables(crm: CRM) -> pd.DataFrame:
    """Count the rows of each table: table, n_rows."""
    names = ["campaigns", "people", "accounts", "touches", "opportunities", "contact_roles", "stage_changes",
             "activities", "owners"]
    return pd.DataFrame({"table": [name.replace("_", " ") for name in names],
                         "n_rows": [len(getattr(crm, name)) for name in names]})


def indent(returns: pd.DataFrame) -> pd.DataFrame:
    """Put each campaign's name first, indented by its depth in the tree."""
    names = ["\u2003" * int(depth) + name
             for depth, name in zip(returns["depth"], returns["campaign_name"], strict=True)]
    return pd.DataFrame({"campaign": names}, index=returns.index).join(returns)


def title_bookings(bookings: pd.DataFrame, currency: str, outcome: Outcome = WON) -> str:
    """Title the months' bookings with the last month and how it stands to the average of those before."""
    value = bookings["attributed"] + bookings["unattributed"]
    which, before = bookings["month"].iloc[-1], value.iloc[:-1]
    text = _("{value} expected of the {stages} of {month}") if outcome.is_expected else _("{value} won {in_month}")
    text = _begun(text.format(value=money(value.iloc[-1], currency), stages=name_stages(outcome.stage),
                              month=month(which), in_month=in_month(which)))
    usual = in_number("; the {n} month before averaged {value}", "; the {n} months before averaged {value}",
                      len(before)).format(n=number(len(before)), value=money(before.mean(), currency))
    return text + usual if len(before) else text


def title_roi(returns: pd.DataFrame) -> str:
    """Title a set of returns with the best and the worst of those whose ROI is known."""
    known = returns[returns["roi"].notna()].sort_values("roi")
    if not len(known):
        return _("No cost is known, so no ROI can be computed")
    names, rois = name_campaigns(known["campaign_name"]).tolist(), known["roi"].tolist()
    if len(known) == 1:
        return _("{name} returned {roi}").format(name=names[0], roi=times(rois[0]))
    return _("{best} returned most ({high}), {worst} least ({low})").format(
        best=names[-1], high=times(rois[-1]), worst=names[0], low=times(rois[0]))


def say_returns(programmes: pd.DataFrame, outcome: Outcome = WON, pairs: pd.DataFrame | None = None) -> str:
    """Say which programme returned most and least on the campaign clock, how surely, and which cannot be told apart.

    The intervals are those of the programmes, where they have any (add_intervals); `pairs` is what compare_pairs says.
    """
    text = (_("{finding}, each whole cost to date against the expected value of its {stages} to date.")
            if outcome.is_expected else _("{finding}, each whole cost to date against all it has earned to date."))
    text = text.format(finding=title_roi(programmes), stages=name_stages(outcome.stage))
    return " ".join([text, *_say_ends(programmes), *([] if pairs is None else _say_pairs(pairs))])


def _say_ends(programmes: pd.DataFrame) -> list[str]:
    """Say between what the highest and the lowest ROI would have come out by chance."""
    known = programmes[programmes["roi"].notna()].sort_values("roi", ascending=False).iloc[[0, -1]] if (
        programmes["roi"].notna().any() and "roi_low" in programmes) else programmes.head(0)
    known = known[~known["is_thin"]] if "is_thin" in known else known      # too narrow to stand in a headline
    ends = [_("{name} {low} to {high}").format(name=name, low=times(low), high=times(high)) for name, low, high in zip(
        known["campaign_name"], known.get("roi_low", ()), known.get("roi_high", ()), strict=True) if pd.notna(low)]
    return [_("95\u00a0% intervals: {ends}.").format(ends="; ".join(dict.fromkeys(ends)))] if ends else []


def _say_pairs(pairs: pd.DataFrame, most: int = 3) -> list[str]:
    """Say which programmes' order chance alone could have turned round."""
    if not len(pairs):
        return []
    close = pairs[~pairs["is_apart"]]
    if not len(close):
        return [_("Chance alone would seldom have turned the order of any two programmes with credit round.")]
    named = [_("{one} and {other}").format(one=one, other=other)
             for one, other in zip(close["campaign_name"], close["other_name"], strict=True)]
    more = _("and {pairs}").format(pairs=count(len(named) - most, "more pair"))
    listed = "; ".join(named[:most] + [more] * (len(named) > most))
    return [_("Cannot be told apart, since chance alone could have turned their order round: {pairs}.").format(
        pairs=listed)]


def title_tree(returns: pd.DataFrame) -> str:
    """Title the tree with how much of the cost lies with campaigns that have not earned it back."""
    leaves = returns[(returns["is_leaf"]) & (returns["cost_with_children"] > 0)]
    lost = leaves.loc[leaves["roi"] < 0, "cost_with_children"].sum()
    if not len(leaves):
        return _("No cost is known, so there is no area to draw")
    return _("{share} of what single campaigns cost went to those that have not yet earned it back").format(
        share=percent(lost / leaves["cost_with_children"].sum()))


def title_ranges(ranges: pd.DataFrame) -> str:
    """Title the models' ranges with how many campaigns change sides with the model."""
    known = ranges[ranges["roi_low"].notna()]
    unsure = known[(known["roi_low"] < 0) & (known["roi_high"] >= 0)]
    if not len(known):
        return _("No campaign has both a cost and credit, so no model can say which earn it back")
    return _("The model decides for {n} of {campaigns} with a known cost: earned back under one and not under "
             "another").format(n=number(len(unsure)), campaigns=count(len(known), "campaign"))


def title_spend(returns: pd.DataFrame) -> str:
    """Title the spending with how many campaigns have earned back what they cost."""
    rows = returns[returns["cost_with_children"] > 0]
    earned = (rows["roi"] >= 0).sum()
    if not len(rows):
        return _("No cost is known, so no campaign can be held against it")
    return in_number("{n} of {campaigns} with a cost has earned it back so far",
                     "{n} of {campaigns} with a cost have earned it back so far", earned).format(
        n=number(earned), campaigns=count(len(rows), "campaign"))


def title_split(returns: pd.DataFrame) -> str:
    """Title the split with the share of credit that came before the deal was opened, and from new customers."""
    total = returns["credit_with_children"].sum()
    if not total:
        return _("No credit yet, so there is nothing to split")
    if "sourced_with_children" not in returns:
        return _("{share} of the expected value lies with those whose company had bought nothing before").format(
            share=percent(returns["credit_new_with_children"].sum() / total))
    sourced, new = (percent(returns[f"{name}_with_children"].sum() / total) for name in ("sourced", "credit_new"))
    return _("{sourced} of the credit came before the opportunity existed; {new} is from new customers").format(
        sourced=sourced, new=new)


def title_budget(returns: pd.DataFrame, currency: str) -> str:
    """Title budget against actual with the sums of both."""
    spent, budget = (returns[f"{name}_with_children"].sum() for name in ("actual_cost", "budgeted_cost"))
    if not budget:
        return _("{spent} spent; no budget is known").format(spent=money(spent, currency))
    unplanned = returns["unplanned_with_children"].sum()
    text = _("{spent} spent of {budget} budgeted ({share})").format(
        spent=money(spent - unplanned, currency), budget=money(budget, currency),
        share=percent((spent - unplanned) / budget))
    more = _(", and {money} where nothing was budgeted").format(money=money(unplanned, currency))
    return text + more if round(unplanned) else text


def say_ranges(ranges: pd.DataFrame, model: str, currency: str) -> str:
    """Say which campaign the models disagree on most."""
    if not len(ranges):
        return _("No campaign has any credit, so the models have nothing to disagree on.")
    used = _("This report's figures use {model}.").format(model=_(model))
    widest = ranges.loc[(ranges["credit_high"] - ranges["credit_low"]).idxmax()]
    if widest["credit_high"] == widest["credit_low"]:
        return _("All models give every campaign the same credit.") + " " + used
    low, high = (f"{money(widest[f'credit_{end}'], currency)} ({_(widest[f'model_{end}'])})" for end in ("low", "high"))
    return _("No model is the truth. The models disagree most on {name}: from {low} to {high}.").format(
        name=widest["campaign_name"], low=low, high=high) + " " + used


def say_shifts(shifts: pd.DataFrame, currency: str) -> str:
    """Say which shift of money is worth an experiment, and what credit cannot promise about it."""
    if not len(shifts):
        return _("No campaign loses under every model while another gains under every model: no shift stands out.")
    best = shifts.iloc[0]
    rois = {name: times(best[name]) for name in ("from_roi_low", "from_roi_high", "to_roi_low", "to_roi_high")}
    sums = {name: money(best[name], currency) for name in ("amount", "difference_low", "difference_high")}
    return _("Worth testing first: move {amount} from {from_name} (ROI {from_roi_low} to {from_roi_high}, whatever the "
             "model) to {to_name} ({to_roi_low} to {to_roi_high}). Were the averages to hold, that would bring "
             "{difference_low} to {difference_high} more; money added seldom earns what the average did, so hold a "
             "control group.").format(from_name=best["from_name"], to_name=best["to_name"], **rois, **sums)


def say_costs(costs: pd.DataFrame, campaigns: pd.DataFrame) -> str:
    """Say where the costs come from."""
    ids = costs["campaign_id"]
    strange = ids[~is_in(ids, campaigns["campaign_id"])].drop_duplicates()
    known = costs[is_in(ids, campaigns["campaign_id"])].drop_duplicates("campaign_id")["basis"].value_counts()
    unknown = len(campaigns) - len(set(campaigns["campaign_id"]) & set(costs["campaign_id"]))
    text = _("Costs: {phased} spread by day from the actual cost (phased), {ledger} from the spend ledger, {unknown} "
             "without a cost; a blank cost is not a zero.").format(
        phased=count(known.get("phased", 0), "campaign"), ledger=count(known.get("ledger", 0), "campaign"),
        unknown=number(unknown))
    apart = _("The spend ledger names {campaigns} that the export does not have (first: {keys}): what they cost stands "
              "apart from the tree.").format(campaigns=count(len(strange), "campaign"), keys=_keys(strange))
    return f"{text} {apart}" if len(strange) else text


def _keys(ids: pd.Series) -> str:
    return first_keys(ids).removeprefix("first: ")


def say_pipeline(opportunities: pd.DataFrame, today: pd.Timestamp, currency: str, outcome: Outcome = WON) -> str:
    """Say what is open, and what was left out of it as lapsed."""
    if outcome.is_expected:
        return _("The open pipeline does not stand beside the {stages}: what it may bring is in their expected value "
                 "already.").format(stages=name_stages(outcome.stage))
    lapsed = find_lapsed(opportunities, today)
    still_open = opportunities[~opportunities["is_closed"] & ~lapsed]
    text = _("Open pipeline: {deals} with an expected value of {value}.").format(
        deals=count(len(still_open), "deal"), value=money(still_open["expected_value"].sum(), currency))
    gone = in_number("{deals} worth {value} lapsed, the close date more than {days} days ago, and is not in it.",
                     "{deals} worth {value} lapsed, the close date more than {days} days ago, and are not in it.",
                     lapsed.sum()).format(
        deals=count(lapsed.sum(), "more deal"), days=number(LAPSED_AFTER_DAYS),
        value=money(opportunities.loc[lapsed, "expected_value"].sum(), currency))
    return f"{text} {gone}"


def say_lift(outcome: Outcome = WON) -> str:
    """Say what credit is not."""
    if outcome.is_expected:
        return _("Credit is not lift: it is a convention for sharing an expected sum, not a causal effect.")
    return _("Credit is not lift: it is a convention for sharing a booked sum, not a causal effect.")


def say_clocks(outcome: Outcome = WON) -> str:
    """Say which clock a reader should look at."""
    if outcome.is_expected:
        return _in_words(marked(
            "Campaign clock: a campaign's whole cost to date against the expected value of all the {many} it is "
            "credited with to date. The month's: its {many} against the cost of the same month. To earn means, "
            "throughout, to be expected to earn: no {one} is booked money."), outcome)
    return _("Campaign clock: a campaign's whole cost to date against all it has earned to date, with the pipeline it "
             "still has open beside it. Booked clock: the deals closed in the month against the cost of the same "
             "month. Sales cycles are long, so the campaign clock tells what a campaign is worth; the booked clock is "
             "what finance sees.")


def say_reconciled(reconciled: pd.DataFrame, currency: str, outcome: Outcome = WON) -> str:
    """Say whether roots and unattributed sum to the CRM's closed-won, or to the funnel's entries at their worth."""
    total, due, difference = reconciled["value"].iloc[-3:]
    if difference == 0:
        text = (_("The campaigns and the unattributed sum to the funnel's {stages} to the cent: {total} {currency}.")
                if outcome.is_expected else
                _("The campaigns and the unattributed sum to the CRM's closed-won to the cent: {total} {currency}."))
    else:
        text = (_("The sum of the campaigns and the unattributed, {total}, differs from the funnel's {due} by "
                  "{difference} {currency}.") if outcome.is_expected else
                _("The sum of the campaigns and the unattributed, {total}, differs from the CRM's {due} by "
                  "{difference} {currency}."))
    return text.format(total=number(total, 2), due=number(due, 2), difference=number(difference, 2), currency=currency,
                       stages=name_stages(outcome.stage))


def say_hierarchy(reconciled: pd.DataFrame) -> str:
    """Say whether our roll-up of the tree agrees with the one that the CRM exported."""
    off = reconciled[reconciled["difference"] != 0]
    if not len(reconciled):
        text = _("The export carries no rolled-up figures of its own, so the tree could not be checked against them.")
    elif not len(off):
        text = _("Compared with {figures} of the CRM, ours agree.")
    else:
        text = in_number("Compared with {figures} of the CRM, {n} of ours differs, on {campaigns}.",
                         "Compared with {figures} of the CRM, {n} of ours differ, on {campaigns}.", len(off))
    return text.format(figures=count(len(reconciled), "rolled-up figure"), n=number(len(off)),
                       campaigns=count(off["campaign_id"].nunique(), "campaign"))


def say_crm(compared: pd.DataFrame, currency: str, outcome: Outcome = WON) -> str:
    """Say how much of the won value the CRM's own attribution gives to another campaign than ours, or to none."""
    if outcome.is_expected:
        return _("The CRM's own attribution speaks of won deals alone: it has nothing to set beside {stages}, and the "
                 "tables below are empty.").format(stages=name_stages(outcome.stage))
    total, moved = compared["value"].sum(), compared["difference"].abs().sum()
    none = compared.loc[compared["reason"] == "no source", "value"].sum()
    if not total:
        return _("No deal of any value was won, so there is nothing to compare with the CRM's own attribution.")
    return _("The CRM gives each deal whole to its primary campaign source. For {share} of the value ours differs; "
             "deals of {value} have no primary source at all.").format(share=percent(moved / total),
                                                                      value=money(none, currency))


def say_reach(coverage: pd.DataFrame, linking: str, outcome: Outcome = WON) -> str:
    """Say how much of the won value, or of the expected, the linking in use reaches."""
    row = coverage.set_index("linking").loc[linking]
    if not row["n_conversions"]:
        return _("No deal was won, so there is nothing to link to.")
    text = (_("Linking by {linking} finds a touch for {share} of the expected value ({n} of {total} {stages}).")
            if outcome.is_expected else
            _("Linking by {linking} finds a touch for {share} of the won value ({n} of {total} deals)."))
    return text.format(linking=_(linking), share=percent(row["value_reached_share"]), n=number(row["n_reached"]),
                       total=number(row["n_conversions"]), stages=name_stages(outcome.stage))


def glossary(*first: str) -> pd.DataFrame:
    """Give the words that the reports use and what they mean: term, meaning; some sections' before the others'.

    The sections are named as glossary.md has them, whatever the language.
    """
    said = files("attribution").joinpath("glossary.md").read_text(encoding="utf-8")
    sections = re.split(r"^(?=## )", said, flags=re.MULTILINE)
    text = "".join(sorted(sections, key=lambda section: not section.removeprefix("## ").startswith(first)))
    entries = re.findall(r"^\* \*\*(.+?)\*\*(.*?)(?=^\* |^#|\Z)", text, re.MULTILINE | re.DOTALL)
    return pd.DataFrame([(_(term.rstrip(".")), _(_plain(meaning))) for term, meaning in entries],
                        columns=["term", "meaning"])


def _plain(meaning: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"[`*]", "", meaning)).strip(" .") + "."
