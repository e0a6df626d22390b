"""Finished table in, a reader's sentence out; the words of the columns and of the glossary."""

import re
from importlib.resources import files

import pandas as pd

from attribution.agreement import Agreement
from attribution.entries import LAPSED_AFTER_DAYS, find_lapsed
from attribution.funnel import WON, Outcome
from attribution.language import _, in_number, spoken
from attribution.roi import count_name
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
    "from_name": "from", "to_name": "to", "difference_low": "difference, lowest",
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


def money(value: float, currency: str) -> str:
    """Write money in whole units of the currency, for a sentence.

    >>> money(1234567.89, "EUR")
    '€1,234,568'
    """
    sign = {"EUR": "€", "USD": "$", "GBP": "£"}.get(currency, f"{currency} ")
    return "–" if pd.isna(value) else f"{'−' if round(value) < 0 else ''}{sign}{abs(value):,.0f}"


def percent(share: float) -> str:
    """Write a share of 0-1 in percent.

    >>> percent(0.123)
    '12\xa0%'
    """
    return "–" if pd.isna(share) else f"{share:.0%}".replace("%", "\u00a0%")


def times(ratio: float) -> str:
    """Write a return such as ROI in percent, with its sign.

    >>> times(4.0), times(-0.25)
    ('+400\xa0%', '−25\xa0%')
    """
    return "–" if pd.isna(ratio) else f"{ratio:+,.0%}".replace("%", "\u00a0%").replace("-", "−")


def count(n: float, noun: str, plural: str = "") -> str:
    """Write a number of things.

    >>> count(1, "deal"), count(1200, "person", "people")
    ('1 deal', '1,200 people')
    """
    return f"{n:,.0f} {noun if n == 1 else plural or noun + 's'}"


def figure_name(figure: str) -> str:
    """Name a headline figure for a reader.

    >>> figure_name("cost_per_mqls")
    'Cost per MQL'
    """
    return _FIGURES.get(figure, figure.removeprefix("n_").replace("_", " ").capitalize())


def name_figures(headline: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Write a headline's rows as a reader's table: figure, value, before, change, planned, of plan, all as text."""
    def column(name: str) -> list[str]:
        return [_amount(value, unit, currency) for value, unit in zip(headline[name], headline["unit"], strict=True)]
    return pd.DataFrame({
        "figure": headline["figure"].map(figure_name), "this month": column("value"), "month before": column("before"),
        "change": [_change(change, unit) for change, unit in zip(headline["change"], headline["unit"], strict=True)],
        "plan": column("planned"), "of plan": headline["plan_share"].map(percent)}).replace("–", "")


def _amount(value: float, unit: str, currency: str) -> str:
    if pd.isna(value):
        return "–"
    return {"money": lambda v: money(v, currency), "share": percent, "ratio": times,
            "count": "{:,.0f}".format}[unit](value)


def _change(change: float, unit: str) -> str:
    points = {"share": " points", "ratio": " points"}.get(unit)
    return "–" if pd.isna(change) else f"{change * 100:+,.0f}{points}".replace("-", "−") if points else times(change)


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


def _in_words(text: str, outcome: Outcome) -> str:
    return text.format(one=name_stage(outcome.stage), many=name_stage(outcome.stage, 2))


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


def headline_tiles(headline: pd.DataFrame, currency: str, outcome: Outcome = WON) -> pd.DataFrame:
    """Pick the figures that a leader reads first.

    Returns one row per tile: label, value, note (change on the month before, and share of the plan), all text.
    """
    n = count_name(outcome.stage)
    expected = ("expected_value", "attributed_value", "roi_expected", "cost", n, f"cost_per_{n.removeprefix('n_')}")
    wanted = expected if outcome.is_expected else TILES
    rows = headline.set_index("figure").reindex([figure for figure in wanted if figure in set(headline["figure"])])
    notes = [_note(row.before, row.change, row.unit, row.plan_share, currency) for row in rows.itertuples()]
    return pd.DataFrame({"label": [figure_name(figure) for figure in rows.index], "note": notes,
                         "value": [_amount(row.value, row.unit, currency) for row in rows.itertuples()]})


def _note(before: float, change: float, unit: str, plan_share: float, currency: str) -> str:
    then = f"{_amount(before, unit, currency)} the month before"
    then = then if pd.notna(before) else "not known for the month before"
    moved = f" ({_change(change, unit)})" if pd.notna(change) else ""
    return then + moved + (f"\n{percent(plan_share)} of plan" if pd.notna(plan_share) else "")


def _figure(headline: pd.DataFrame, name: str) -> pd.Series:
    return headline.set_index("figure").loc[name]


def say_month(headline: pd.DataFrame, month: str, currency: str, outcome: Outcome = WON) -> str:
    """Say what the month brought, in two sentences; a third says what an outcome before the sale is worth."""
    if outcome.is_expected:
        return _say_expected(headline, month, currency, outcome)
    won, n, share, cost, roi = (_figure(headline, name)["value"] for name in (
        "won_value", "n_won", "attributed_share", "cost", "roi"))
    plan = _figure(headline, "won_value")["plan_share"]
    against = f", {percent(plan)} of the plan" if pd.notna(plan) else ""
    spent = f"campaigns cost {money(cost, currency)}" if pd.notna(cost) else "the month's campaign cost is not known"
    if not n:
        return f"No deal was won in {month}; {spent}."
    touched = f"; campaigns had touched {percent(share)} of that money" if pd.notna(share) else ""
    text = (f"{count(n, 'deal')} worth {money(won, currency)} {'was' if n == 1 else 'were'} won in {month}{against}"
            f"{touched}.")
    if pd.isna(roi):
        return f"{text} {spent[0].upper()}{spent[1:]}."
    return f"{text} Against the month's campaign cost of {money(cost, currency)} that is a booked ROI of {times(roi)}."


def _say_expected(headline: pd.DataFrame, month: str, currency: str, outcome: Outcome) -> str:
    n, value, share, cost, roi = (_figure(headline, name)["value"] for name in (
        count_name(outcome.stage), "expected_value", "attributed_share", "cost", "roi_expected"))
    touched = f"; campaigns had touched {percent(share)} of that" if pd.notna(share) else ""
    spent = f"Campaigns cost {money(cost, currency)}" if pd.notna(cost) else "The month's campaign cost is not known"
    if pd.notna(roi):
        spent = f"Against the month's campaign cost of {money(cost, currency)} the expected ROI is {times(roi)}"
    return (f"{n:,.0f} new {name_stage(outcome.stage, n)} in {month} {'is' if n == 1 else 'are'} worth an expected "
            f"{money(value, currency)}{touched}. {spent}. {_say_worth(outcome, currency)}")


def _say_worth(outcome: Outcome, currency: str) -> str:
    worth, low, high = (money(each, currency) for each in (outcome.worth, outcome.worth_low, outcome.worth_high))
    return (f"Each {name_stage(outcome.stage)} counts {worth} (95\u00a0% interval {low} to {high}), what one brings on "
            "average: expected money, not booked, and never added to it.")


def title_report(agreement: Agreement, month: str, outcome: Outcome = WON) -> str:
    """Title the report with the company, the month and, where it is not about won deals, the stage."""
    company = f"{agreement.company}: " if agreement.company else ""
    on = f" on {name_stage(outcome.stage, 2)}" if outcome.is_expected else ""
    return f"{company}campaign ROI{on}, {pd.Period(month, 'M').strftime('%B %Y')}"


def say_came_in(crm: CRM, agreement: Agreement) -> str:
    """Say what the export brought, up to which moment, and how much of it was left out."""
    day = agreement.day_of(pd.Series([crm.as_of, crm.exported_at])).dt.strftime("%Y-%m-%d")
    out = crm.left_out["n_rows"].sum()
    left = f"{count(out, 'row')} {'was' if out == 1 else 'were'} left out, for the reasons below"
    text = (f"The tables speak of the end of {day[0]}: {count(len(crm.touches), 'touch', 'touches')} of "
            f"{count(len(crm.people), 'person', 'people')}, {count(len(crm.campaigns), 'campaign')}, "
            f"{count(len(crm.opportunities), 'deal')}. {left if out else 'No row was left out'}. "
            f"All money is in {crm.currency}.")
    return text + (f" The latest change that the export has seen is of {day[1]}: the month may not be complete."
                   if day[1] < day[0] else "")


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
    verb = f"expected of the {name_stage(outcome.stage, 2)} of" if outcome.is_expected else "won in"
    last, before = f"{money(value.iloc[-1], currency)} {verb} {bookings['month'].iloc[-1]}", value.iloc[:-1]
    usual = f"; the {count(len(before), 'month')} before averaged {money(before.mean(), currency)}"
    return last + usual if len(before) else last


def title_roi(returns: pd.DataFrame) -> str:
    """Title a set of returns with the best and the worst of those whose ROI is known."""
    known = returns[returns["roi"].notna()].sort_values("roi")
    if not len(known):
        return "No cost is known, so no ROI can be computed"
    best, worst = known.iloc[-1], known.iloc[0]
    if len(known) == 1:
        return f"{best['campaign_name']} returned {times(best['roi'])}"
    return (f"{best['campaign_name']} returned most ({times(best['roi'])}), "
            f"{worst['campaign_name']} least ({times(worst['roi'])})")


def say_returns(programmes: pd.DataFrame, outcome: Outcome = WON) -> str:
    """Say which programme returned most and least on the campaign clock."""
    expected = f"the expected value of its {name_stage(outcome.stage, 2)} to date"
    earned = expected if outcome.is_expected else "all it has earned to date"
    return f"{title_roi(programmes)}, each whole cost to date against {earned}."


def title_tree(returns: pd.DataFrame) -> str:
    """Title the tree with how much of the cost lies with campaigns that have not earned it back."""
    leaves = returns[(returns["is_leaf"]) & (returns["cost_with_children"] > 0)]
    lost = leaves.loc[leaves["roi"] < 0, "cost_with_children"].sum()
    if not len(leaves):
        return "No cost is known, so there is no area to draw"
    share = percent(lost / leaves["cost_with_children"].sum())
    return f"{share} of the cost lies with campaigns that have not yet earned it back (click to open one)"


def title_ranges(ranges: pd.DataFrame) -> str:
    """Title the models' ranges with how many campaigns change sides with the model."""
    known = ranges[ranges["roi_low"].notna()]
    unsure = known[(known["roi_low"] < 0) & (known["roi_high"] >= 0)]
    if not len(known):
        return "No cost is known, so no model can say which campaigns earn it back"
    return (f"The model decides for {len(unsure):,} of {count(len(known), 'campaign')} with a known cost: earned back "
            "under one and not under another")


def title_spend(returns: pd.DataFrame) -> str:
    """Title the spending with how many campaigns have earned back what they cost."""
    rows = returns[returns["cost_with_children"] > 0]
    earned = (rows["roi"] >= 0).sum()
    if not len(rows):
        return "No cost is known, so no campaign can be held against it"
    have = "has" if earned == 1 else "have"
    return f"{earned:,} of {count(len(rows), 'campaign')} with a cost {have} earned it back so far"


def title_split(returns: pd.DataFrame) -> str:
    """Title the split with the share of credit that came before the deal was opened, and from new customers."""
    total = returns["credit_with_children"].sum()
    if not total:
        return "No credit yet, so there is nothing to split"
    if "sourced_with_children" not in returns:
        share = percent(returns["credit_new_with_children"].sum() / total)
        return f"{share} of the expected value lies with those whose company had bought nothing before"
    share = {name: returns[f"{name}_with_children"].sum() / total for name in ("sourced", "credit_new")}
    return (f"{percent(share['sourced'])} of the credit came before the opportunity existed; "
            f"{percent(share['credit_new'])} is from new customers")


def title_budget(returns: pd.DataFrame, currency: str) -> str:
    """Title budget against actual with the sums of both."""
    spent, budget = (returns[f"{name}_with_children"].sum() for name in ("actual_cost", "budgeted_cost"))
    if not budget:
        return f"{money(spent, currency)} spent; no budget is known"
    unplanned = returns["unplanned_with_children"].sum()
    text = (f"{money(spent - unplanned, currency)} spent of {money(budget, currency)} budgeted "
            f"({percent((spent - unplanned) / budget)})")
    return text + (f", and {money(unplanned, currency)} where nothing was budgeted" if round(unplanned) else "")


def say_ranges(ranges: pd.DataFrame, model: str, currency: str) -> str:
    """Say which campaign the models disagree on most."""
    if not len(ranges):
        return "No campaign has any credit, so the models have nothing to disagree on."
    widest = ranges.loc[(ranges["credit_high"] - ranges["credit_low"]).idxmax()]
    if widest["credit_high"] == widest["credit_low"]:
        return f"All models give every campaign the same credit. This report's figures use {model}."
    return (f"No model is the truth. The models disagree most on {widest['campaign_name']}: from "
            f"{money(widest['credit_low'], currency)} ({widest['model_low']}) to "
            f"{money(widest['credit_high'], currency)} ({widest['model_high']}). This report's figures use {model}.")


def say_shifts(shifts: pd.DataFrame, currency: str) -> str:
    """Say which shift of money is worth an experiment, and what credit cannot promise about it."""
    if not len(shifts):
        return "No campaign loses under every model while another gains under every model: no shift stands out."
    best = shifts.iloc[0]
    return (f"Worth testing first: move {money(best['amount'], currency)} from {best['from_name']} (ROI "
            f"{times(best['from_roi_low'])} to {times(best['from_roi_high'])}, whatever the model) to "
            f"{best['to_name']} ({times(best['to_roi_low'])} to {times(best['to_roi_high'])}). Were the averages to "
            f"hold, that would bring {money(best['difference_low'], currency)} to "
            f"{money(best['difference_high'], currency)} more; money added seldom earns what the average did, so hold "
            "a control group.")


def say_costs(costs: pd.DataFrame, campaigns: pd.DataFrame) -> str:
    """Say where the costs come from."""
    ids = costs["campaign_id"]
    strange = ids[~is_in(ids, campaigns["campaign_id"])].drop_duplicates()
    known = costs[is_in(ids, campaigns["campaign_id"])].drop_duplicates("campaign_id")["basis"].value_counts()
    unknown = len(campaigns) - len(set(campaigns["campaign_id"]) & set(costs["campaign_id"]))
    sources = [f"{count(known.get('phased', 0), 'campaign')} spread by day from the actual cost (phased)",
               f"{count(known.get('ledger', 0), 'campaign')} from the spend ledger", f"{unknown:,} without a cost"]
    text = f"Costs: {sources[0]}, {sources[1]}, {sources[2]}; a blank cost is not a zero."
    return text + (f" The spend ledger names {count(len(strange), 'campaign')} that the export does not have "
                   f"({first_keys(strange)}): what they cost stands apart from the tree." if len(strange) else "")


def say_pipeline(opportunities: pd.DataFrame, today: pd.Timestamp, currency: str, outcome: Outcome = WON) -> str:
    """Say what is open, and what was left out of it as lapsed."""
    if outcome.is_expected:
        return (f"The open pipeline does not stand beside the {name_stage(outcome.stage, 2)}: what it may bring is in "
                "their expected value already.")
    lapsed = find_lapsed(opportunities, today)
    still_open = opportunities[~opportunities["is_closed"] & ~lapsed]
    return (f"Open pipeline: {count(len(still_open), 'deal')} with an expected value of "
            f"{money(still_open['expected_value'].sum(), currency)}. {count(lapsed.sum(), 'more deal')} worth "
            f"{money(opportunities.loc[lapsed, 'expected_value'].sum(), currency)} lapsed, the close date more than "
            f"{LAPSED_AFTER_DAYS} days ago, and {'is' if lapsed.sum() == 1 else 'are'} not in it.")


def say_lift(outcome: Outcome = WON) -> str:
    """Say what credit is not."""
    shared = "an expected" if outcome.is_expected else "a booked"
    return f"Credit is not lift: it is a convention for sharing {shared} sum, not a causal effect."


def say_clocks(outcome: Outcome = WON) -> str:
    """Say which clock a reader should look at."""
    if outcome.is_expected:
        many = name_stage(outcome.stage, 2)
        return (f"Campaign clock: a campaign's whole cost to date against the expected value of all the {many} it is "
                f"credited with to date. The month's: its {many} against the cost of the same month. To earn means, "
                f"throughout, to be expected to earn: no {name_stage(outcome.stage)} is booked money.")
    return ("Campaign clock: a campaign's whole cost to date against all it has earned to date, with the pipeline it "
            "still has open beside it. Booked clock: the deals closed in the month against the cost of the same month. "
            "Sales cycles are long, so the campaign clock tells what a campaign is worth; the booked clock is what "
            "finance sees.")


def say_reconciled(reconciled: pd.DataFrame, currency: str, outcome: Outcome = WON) -> str:
    """Say whether roots and unattributed sum to the CRM's closed-won, or to the funnel's entries at their worth."""
    total, due, difference = reconciled["value"].iloc[-3:]
    owner, what = ("the funnel", name_stage(outcome.stage, 2)) if outcome.is_expected else ("the CRM", "closed-won")
    if difference == 0:
        return f"The campaigns and the unattributed sum to {owner}'s {what} to the cent: {due:,.2f} {currency}."
    return (f"The sum of the campaigns and the unattributed, {total:,.2f}, differs from {owner}'s {due:,.2f} by "
            f"{difference:,.2f} {currency}.")


def say_hierarchy(reconciled: pd.DataFrame) -> str:
    """Say whether our roll-up of the tree agrees with the one that the CRM exported."""
    if not len(reconciled):
        return "The export carries no rolled-up figures of its own, so the tree could not be checked against them."
    off = reconciled[reconciled["difference"] != 0]
    text = f"Compared with {count(len(reconciled), 'rolled-up figure')} of the CRM, "
    if not len(off):
        return text + "ours agree."
    return text + (f"{len(off):,} of ours {'differs' if len(off) == 1 else 'differ'}, on "
                   f"{count(off['campaign_id'].nunique(), 'campaign')}.")


def say_crm(compared: pd.DataFrame, currency: str, outcome: Outcome = WON) -> str:
    """Say how much of the won value the CRM's own attribution gives to another campaign than ours, or to none."""
    if outcome.is_expected:
        return (f"The CRM's own attribution speaks of won deals alone: it has nothing to set beside "
                f"{name_stage(outcome.stage, 2)}, and the tables below are empty.")
    total, moved = compared["value"].sum(), compared["difference"].abs().sum()
    none = compared.loc[compared["reason"] == "no source", "value"].sum()
    if not total:
        return "No deal of any value was won, so there is nothing to compare with the CRM's own attribution."
    return (f"The CRM gives each deal whole to its primary campaign source. For {percent(moved / total)} of the "
            f"value ours differs; deals of {money(none, currency)} have no primary source at all.")


def say_reach(coverage: pd.DataFrame, linking: str, outcome: Outcome = WON) -> str:
    """Say how much of the won value, or of the expected, the linking in use reaches."""
    row = coverage.set_index("linking").loc[linking]
    if not row["n_conversions"]:
        return "No deal was won, so there is nothing to link to."
    many = name_stage(outcome.stage, 2) if outcome.is_expected else "deals"
    return (f"Linking by {linking} finds a touch for {percent(row['value_reached_share'])} of the {outcome.basis} "
            f"value ({row['n_reached']:,.0f} of {row['n_conversions']:,.0f} {many}).")


def glossary(*first: str) -> pd.DataFrame:
    """Give the words that the reports use and what they mean: term, meaning; some sections' before the others'."""
    said = files("attribution").joinpath("glossary.md").read_text(encoding="utf-8")
    sections = re.split(r"^(?=## )", said, flags=re.MULTILINE)
    text = "".join(sorted(sections, key=lambda section: not section.removeprefix("## ").startswith(first)))
    entries = re.findall(r"^\* \*\*(.+?)\*\*(.*?)(?=^\* |^#|\Z)", text, re.MULTILINE | re.DOTALL)
    return pd.DataFrame({"term": [term.rstrip(".") for term, _ in entries],
                         "meaning": [re.sub(r"\s+", " ", re.sub(r"[`*]", "", meaning)).strip(" .") + "."
                                     for _, meaning in entries]})
