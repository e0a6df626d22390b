"""An agreement drafted from an export, and held against one."""

import re

import pandas as pd

from attribution.agreement import DISQUALIFIED, SIDES, STAGES, Agreement, Stage, list_places
from attribution.tables import CRM, is_in

#: How a status is told from its name; the first that fits.
_GUESSES = {"disqualified": r"disqualif|unqualif|not.?(converted|qualified)",
            "mql": r"\bmql\b|marketing.?(qualified|accepted)",
            "sql": r"\bsql\b|sales.?(qualified|accepted)|^qualified$",
            "lead": r"\b(open|new|recycled|nurtur(e|ing)|not contacted)\b"}


def draft_agreement(crm: CRM, currencies: list[str]) -> str:
    """Draft the text of `agreement.toml` from what an export says: its currencies and its lead statuses.

    Returns TOML with every guess marked for a person to check.
    """
    statuses = sorted(set(_had(crm, "lead")))
    guesses = [next((guess for guess, words in _GUESSES.items() if re.search(words, status, re.IGNORECASE)), "")
               for status in statuses]
    values = {guess: [status for status, guessed in zip(statuses, guesses, strict=True) if guessed == guess]
              for guess in _GUESSES}
    stages = "\n".join(_draft_stage(stage, values.get(stage.name, [])) for stage in STAGES
                       if stage.rule != "lead_status" or values[stage.name])
    rates = [f"# {code} = 1.0           # units of {code} for one {currencies[0]}" for code in currencies[1:]]
    rates = ["", "[rates]                        # set each, or export CurrencyType.csv", *rates, ""] if rates else []
    return _DRAFT.format(currency=currencies[0] if currencies else "EUR", mark="" if currencies else "# ",
                         rates="\n".join(rates), stages=stages, statuses=_quote_all(statuses) or "none",
                         out="" if values["disqualified"] else "# ",
                         disqualified=_quote_all(values["disqualified"] or DISQUALIFIED))


def _draft_stage(stage: Stage, values: list[str]) -> str:
    lines = ["[[stages]]", f"name = {_quote(stage.name)}", f"owner = {_quote(stage.owner)}",
             f"rule = {_quote(stage.rule)}"]
    return "\n".join(lines + [f"values = [{_quote_all(values)}]"] * bool(values)) + "\n"


def _quote_all(texts) -> str:
    return ", ".join(map(_quote, texts))


def _quote(text: str) -> str:
    escaped = re.sub(r'["\\]', r"\\\g<0>", text)
    return '"' + re.sub(r"[\x00-\x1f\x7f]", " ", escaped) + '"'


_DRAFT = """\
# Drafted from the export. Check every line with marketing and sales, then delete this one.

[company]
name = ""
time_zone = "UTC"              # where a day begins and ends, such as "Europe/Helsinki"
{mark}currency = "{currency}"               # every figure is in this currency
# contribution_margin = 0.6    # share of revenue that remains after variable costs; ROMI needs it
# instance_url = "https://example.my.salesforce.com"    # ids in reports link to it
# fiscal_year_starts = 1       # the month, 1 to 12

{rates}
[touches]
count = "responses"            # or "memberships": being on the list is enough

# Lead statuses seen: {statuses}
{stages}
# By these a lead is out.
{out}[disqualified]
{out}values = [{disqualified}]

# [hours]                      # when sales answers
# days = ["Mon", "Tue", "Wed", "Thu", "Fri"]
# opens = "08:00"
# closes = "16:00"
# holidays = "FI"              # a country, or one of its regions as in "DE-BY", or "none"

# [[promises]]                 # marketing: so many people in a stage per month, quarter or year
# by = "marketing"
# stage = "mql"
# per = "month"
# n = 100

# [[promises]]                 # sales: an answer in time
# by = "sales"
# stage = "mql"
# per = "month"
# within_hours = 16            # business hours to the first contact
# attempts = 2
# within_days = 14             # calendar days for that many attempts
# share = 0.8                  # of the people

# [targets]                    # revenue by fiscal year
# "2026" = 4000000

# [bands]                      # the score from which a person is warm, hot
# warm = 40
# hot = 70

# [plan."2026-10"]
# won_value = 250000
# n_mqls = 120
"""


def check_agreement(crm: CRM, agreement: Agreement) -> pd.DataFrame:
    """List what to look at in an agreement, held against an export.

    Returns one row per thing: key (the place in the file), finding: lead statuses and deal stages that it does not
    name, values that nobody ever had (the defaults apart), and what is not set. No rows: there is nothing to say.
    """
    findings = [*_list_unnamed(crm, agreement), *_list_unseen(crm, agreement), *_list_unset(crm, agreement)]
    return pd.DataFrame(findings, columns=["key", "finding"], dtype="str")


def _had(crm: CRM, record_type: str) -> pd.Series:
    """List the statuses of leads, or the stages of deals: one for each record that has, or had, it."""
    now = {"lead": crm.people[["lead_id", "status"]], "opportunity": crm.opportunities[["opportunity_id", "stage"]]}
    changes = crm.stage_changes[crm.stage_changes["record_type"] == record_type]
    parts = [now[record_type], changes[["record_id", "stage"]], changes[["record_id", "from_stage"]]]
    return pd.concat([part.set_axis(["id", "stage"], axis=1) for part in parts]).dropna().drop_duplicates()["stage"]


def _list_unnamed(crm: CRM, agreement: Agreement) -> list[tuple[str, str]]:
    """Count who had a status, or a stage, that no rule names and that is not the end: conversion, or a closed deal."""
    is_converted, is_closed = crm.people["converted_on"].notna(), crm.opportunities["is_closed"]
    ends = set(crm.people.loc[is_converted, "status"]) - set(crm.people.loc[~is_converted, "status"])
    statuses = _count_others(_had(crm, "lead"), [*dict(list_places(agreement.stages, "lead")), *agreement.disqualified,
                                                 *ends])
    named = [*dict(list_places(agreement.stages, "opportunity_stage"))]
    stages = _count_others(_had(crm, "opportunity"), [*named, *crm.opportunities.loc[is_closed, "stage"]])
    return [("stages", f"the lead status {status!r} is in no stage and not disqualified (leads that had it: {n:,})")
            for status, n in statuses.items()] + [
        ("stages", f"the deal stage {stage!r} is in no stage (deals that had it: {n:,})")
        for stage, n in stages.items()] * bool(named)


def _count_others(had: pd.Series, named: list[str]) -> pd.Series:
    others = had[~is_in(had, pd.Series(named, dtype="str"))]
    return others.value_counts().sort_index().sort_values(ascending=False, kind="stable")


def _list_unseen(crm: CRM, agreement: Agreement) -> list[tuple[str, str]]:
    """Name the values that nothing in the export ever had: a slip, or a lost history. Defaults are no slip."""
    stages = tuple(Stage("", "", "") if stage in STAGES else stage for stage in agreement.stages)
    out = [] if agreement.disqualified == DISQUALIFIED else [
        (value, "disqualified.values") for value in agreement.disqualified]
    named = {"status": ("lead", list_places(stages, "lead") + out, _had(crm, "lead")),
             "stage": ("deal", list_places(stages, "opportunity_stage"), _had(crm, "opportunity")),
             "kind": ("activity", list_places(stages, "activity"), crm.activities["kind"])}
    return [(place, f"no {who} ever had the {what} {value!r}") for what, (who, places, had) in named.items()
            for value, place in places if value not in set(had)]


def _list_unset(crm: CRM, agreement: Agreement) -> list[tuple[str, str]]:
    year = agreement.fiscal_year(f"{agreement.local_day(crm.as_of):%Y-%m}")
    unset = [("promises", f"there is none by {side}") for side in SIDES
             if side not in [promise.by for promise in agreement.promises]]
    unset += [("targets", f"there is none for the fiscal year {year}")] * (year not in agreement.targets)
    return unset + [("company.currency", "neither it nor the export says which currency money is in")] * (
        crm.currency == "XXX")
