"""A drafted agreement reads back, and what an export does not bear out is named."""

import dataclasses
import re
import tomllib

import pandas as pd
import pytest
from conftest import make

from attribution.agreement import DISQUALIFIED, STAGES, Agreement, Hours, Promise, Stage
from attribution.agreement_file import parse_agreement
from attribution.drafting import check_agreement, draft_agreement


def days(*texts):
    return pd.Series(pd.to_datetime(list(texts)).astype("datetime64[us]"))


def test_draft_agreement_reads_back_with_the_statuses_seen(crm):
    drafted = parse_agreement(tomllib.loads(draft_agreement(crm, ["EUR"])))
    assert drafted.currency == "EUR"
    assert {stage.name: stage.values for stage in drafted.stages} == {
        "lead": ("Open",), "mql": ("MQL",), "sql": ("SQL",), "opportunity": (), "customer": ()}


def test_draft_agreement_takes_each_status_once(crm):
    statuses = ["Unqualified MQL", "Closed - Not Converted", "Disqualified", "New MQL", "Qualified", "Not Qualified",
                "Open - Not Contacted", "New", "Recycled", "Nurture", "Renewed", "Working", "Not Contacted"]
    changes = make("stage_changes", change_id=list("abcdefghijklm"), record_type="lead", record_id="L1",
                   stage=statuses, changed_at="2026-01-01")
    text = draft_agreement(dataclasses.replace(crm, stage_changes=changes), ["EUR"])
    drafted = parse_agreement(tomllib.loads(text))
    assert {stage.name: stage.values for stage in drafted.stages if stage.values} == {
        "lead": ("New", "Not Contacted", "Nurture", "Open - Not Contacted", "Recycled"), "mql": ("New MQL",),
        "sql": ("Qualified",)}
    assert drafted.disqualified == ("Closed - Not Converted", "Disqualified", "Not Qualified", "Unqualified MQL")


def test_draft_agreement_reads_back_with_every_example_taken(crm):
    text = re.sub(r'^# (?=(\[.*]|"?\w+"? = ))', "", draft_agreement(crm, ["EUR"]), flags=re.MULTILINE)
    drafted = parse_agreement(tomllib.loads(text))
    assert [promise.by for promise in drafted.promises] == ["marketing", "sales"]
    assert (drafted.hours, drafted.disqualified) == (Hours(), DISQUALIFIED)
    assert (drafted.targets, drafted.bands) == ({"2026": 4e6}, {"warm": 40.0, "hot": 70.0})
    assert drafted.plan == {"2026-10": {"won_value": 250000.0, "n_mqls": 120.0}}


def test_draft_agreement_escapes_statuses_and_leaves_out_stages_without_one(crm):
    changes = make("stage_changes", change_id=["h"], record_type="lead", record_id="L1", stage='MQL "hot"\\\n[x]',
                   changed_at="2026-01-01")
    text = draft_agreement(dataclasses.replace(crm, stage_changes=changes), ["EUR"])
    stages = parse_agreement(tomllib.loads(text)).stages
    assert [(stage.name, stage.values) for stage in stages if stage.values] == [("mql", ('MQL "hot"\\ [x]',))]
    assert "sql" not in [stage.name for stage in stages]


def test_draft_agreement_of_an_export_without_currency_reads_back(crm):
    text = draft_agreement(dataclasses.replace(crm, currency="XXX"), [])
    assert parse_agreement(tomllib.loads(text)).currency is None


def test_draft_agreement_asks_for_the_rates_of_several_currencies(crm):
    drafted = parse_agreement(tomllib.loads(draft_agreement(crm, ["EUR", "SEK", "USD"]).replace("# SEK", "SEK")))
    assert (drafted.currency, drafted.rates) == ("EUR", {"SEK": 1.0})


@pytest.fixture
def agreed():
    return Agreement(promises=(Promise("marketing", "mql", "month", n=9), Promise("sales", "mql", "month", 9)),
                     targets={"2026": 1.0})


def findings_of(crm, agreement):
    table = check_agreement(crm, agreement)
    assert [str(dtype) for dtype in table.dtypes] == ["str", "str"]
    return list(table.itertuples(index=False, name=None))


def test_check_agreement_says_nothing_where_there_is_nothing_to_say(crm, agreed):
    assert findings_of(crm, agreed) == []


def test_check_agreement_counts_the_leads_of_statuses_that_no_stage_names(crm, agreed):
    # Ann went from Working to MQL and back, Cy from Working to SQL; Di is parked; Bo's lead was converted
    people = crm.people.assign(status=["MQL", "Done", "SQL", "Parked"], lead_id=["L1", "L2", "L3", "L4"],
                               converted_on=days(None, "2026-09-01", None, None)).astype({"status": "str"})
    changes = make("stage_changes", change_id=list("abcd"), record_type=["lead", "lead", "lead", "opportunity"],
                   record_id=["L1", "L1", "L3", "d3"], from_stage=["Working", "MQL", "Working", None],
                   stage=["MQL", "Working", "SQL", "Proposal"], changed_at="2026-01-01")
    muddled = dataclasses.replace(crm, people=people, stage_changes=changes)
    assert findings_of(muddled, agreed) == [
        ("stages", "the lead status 'Working' is in no stage and not disqualified (leads that had it: 2)"),
        ("stages", "the lead status 'Parked' is in no stage and not disqualified (leads that had it: 1)")]
    assert findings_of(muddled, dataclasses.replace(agreed, disqualified=("Parked", "Working"))) == []
    also_open = people.assign(status=["Done", "Done", None, None]).astype({"status": "str"})
    assert findings_of(dataclasses.replace(crm, people=also_open), agreed) == [
        ("stages", "the lead status 'Done' is in no stage and not disqualified (leads that had it: 2)")]


def test_check_agreement_counts_deal_stages_only_where_some_are_named(crm, agreed):
    changes = make("stage_changes", change_id=list("abc"), record_type="opportunity", record_id=["d1", "d3", "d3"],
                   from_stage=[None, "Meeting", None], stage=["Closed Won", "Proposal", "Meeting"],
                   changed_at="2026-01-01")
    crm = dataclasses.replace(crm, stage_changes=changes)
    bid = Stage("bid", "sales", "opportunity_stage", ("Proposal", "Bid"))
    named = dataclasses.replace(agreed, stages=(*STAGES[:4], bid, STAGES[4]))
    assert findings_of(crm, agreed) == []
    assert findings_of(crm, named) == [("stages", "the deal stage 'Meeting' is in no stage (deals that had it: 1)"),
                                       ("stages[5].values", "no deal ever had the stage 'Bid'")]


def test_check_agreement_names_values_that_nothing_ever_had(crm, agreed):
    stages = (Stage("mql", "sales", "lead_status", ("MQL", "Marketing qualified")), STAGES[2],
              Stage("call", "sales", "activity", ("linkedin",)), Stage("won", "sales", "opportunity_won"))
    said = dataclasses.replace(agreed, stages=stages, disqualified=("Dead", "Open"))
    assert findings_of(crm, said) == [
        ("stages[1].values", "no lead ever had the status 'Marketing qualified'"),
        ("disqualified.values", "no lead ever had the status 'Dead'"),
        ("stages[3].values", "no activity ever had the kind 'linkedin'")]


def test_check_agreement_names_what_is_not_set(crm):
    unset = Agreement(promises=(Promise("sales", "mql", "month", within_hours=2),), fiscal_year_starts=11,
                      targets={"2027": 1.0}, time_zone="Europe/Helsinki")
    assert findings_of(dataclasses.replace(crm, currency="XXX"), unset) == [
        ("promises", "there is none by marketing"), ("targets", "there is none for the fiscal year 2026"),
        ("company.currency", "neither it nor the export says which currency money is in")]
    november = dataclasses.replace(crm, as_of=crm.as_of + pd.Timedelta(microseconds=1))
    assert findings_of(november, unset) == [("promises", "there is none by marketing")]


def test_check_agreement_does_not_depend_on_the_order_of_rows(crm, agreed):
    changes = make("stage_changes", change_id=list("abcd"), record_type="lead", record_id=["L1", "L3", "L4", "L4"],
                   stage=["B", "A", "C", "C"], changed_at="2026-01-01")
    turned = dataclasses.replace(crm, stage_changes=changes.iloc[::-1], people=crm.people.iloc[::-1])
    said = findings_of(turned, agreed)
    assert said == findings_of(dataclasses.replace(crm, stage_changes=changes), agreed) and len(said) == 3


def test_check_agreement_of_an_empty_export_asks_for_the_values_only(crm, agreed):
    empty = {name: make(name) for name in ("people", "opportunities", "stage_changes", "activities")}
    assert findings_of(dataclasses.replace(crm, **empty), agreed) == []
