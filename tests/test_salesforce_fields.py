"""The fields that an agreement dates stages by, read from leads, contacts and the leads' history."""

import pytest
from test_salesforce import (
    ANNA,
    ANNA_C,
    BEN,
    CARL_C,
    GONE_LEAD,
    PRIVATE_C,
    an_id,
    at,
    company,
    records,
    utc,
    write_export,
)

from attribution.agreement import Agreement, Stage
from attribution.sources import read_crm
from attribution.tables import TableError

WON = Stage("customer", "sales", "opportunity_won")
DATED = Agreement(time_zone="Europe/Helsinki", currency="EUR",
                  stages=(Stage("fit", "marketing", "date_field", field="Fit_On__c"), WON))
DATED_BY_STATUS = Agreement(time_zone="Europe/Helsinki", currency="EUR")
SCORED = Agreement(time_zone="Europe/Helsinki", currency="EUR",
                   stages=(Stage("hot", "marketing", "score", field="Score__c", at_least=50.0), WON))


def with_field(name, column, values):
    tables = company()
    return tables | {name: [row | {column: values.get(row["Id"])} for row in tables[name]]}


def score(n, lead, before, after, day):
    return {"Id": an_id("017", n), "LeadId": lead, "Field": "Score__c", "OldValue": before, "NewValue": after,
            "CreatedDate": at(day), "IsDeleted": False}


def changes_of(folder, tables, agreement, **options):
    crm = read_crm(write_export(folder, tables), agreement, **options)
    return crm, records(crm.field_changes, "field", "person_id", "number", "number_before", "changed_at")


@pytest.mark.parametrize(("cell", "moment"), [
    ("2026-02-05 00:00:00", utc("02-04", "22:00:00")), ("2026-02-05", utc("02-04", "22:00:00")),
    ("2026-02-05 13:45:00", utc("02-05", "13:45:00"))])
def test_read_crm_reads_the_dates_of_a_field_by_the_local_calendar(tmp_path, cell, moment):
    _, changes = changes_of(tmp_path, with_field("Lead", "Fit_On__c", {BEN: cell}), DATED)
    assert changes == [("Fit_On__c", BEN, None, None, moment)]


def test_read_crm_takes_a_date_that_lead_and_contact_share_once(tmp_path):
    tables = with_field("Lead", "Fit_On__c", {ANNA: "2026-02-05", GONE_LEAD: "2026-02-06"}) | {
        "Contact": with_field("Contact", "Fit_On__c", {ANNA_C: "2026-02-05", CARL_C: "2026-03-01"})["Contact"]}
    crm, changes = changes_of(tmp_path, tables, DATED)
    assert [(person, f"{moment:%m-%d}") for _, person, *_, moment in changes] == [(ANNA_C, "02-04"), (CARL_C, "02-28")]
    assert records(crm.left_out[crm.left_out["table"] == "field_changes"], "reason", "n_rows") == [
        ("person deleted or not in the export", 1)]


def test_read_crm_leaves_out_a_date_after_as_of_and_counts_it(tmp_path):
    tables = with_field("Lead", "Fit_On__c", {ANNA: "2026-02-05", BEN: "2026-09-01"})
    crm, changes = changes_of(tmp_path, tables, DATED, as_of=utc("06-30"))
    assert len(changes) == 1
    assert records(crm.left_out[crm.left_out["table"] == "field_changes"], "reason", "n_rows") == [("after as_of", 1)]


def test_read_crm_refuses_a_field_that_is_nowhere(tmp_path):
    with pytest.raises(TableError, match="Lead.csv, Contact.csv: there is no column Fit_On__c, by which agreement.toml "
                                         "dates the stage 'fit'"):
        changes_of(tmp_path, company(), DATED)


def test_read_crm_refuses_a_date_that_is_none(tmp_path):
    with pytest.raises(TableError, match="Lead.csv: Fit_On__c is no time .* in 1 of 4 rows"):
        changes_of(tmp_path, with_field("Lead", "Fit_On__c", {BEN: "soon"}), DATED)


@pytest.mark.parametrize(("field", "held"), [
    ("Status", "text"), ("Id", "text"), ("LeadSource", "text"), ("IsConverted", "true or false")])
@pytest.mark.parametrize(("rule", "taken"), [("date_field", "days or times"), ("score", "numbers")])
def test_read_crm_refuses_a_field_of_another_kind(tmp_path, field, held, rule, taken):
    stage = Stage("fit", "marketing", rule, field=field, at_least=50.0)
    with pytest.raises(TableError, match=f"^Lead.csv: {field} holds {held}, not {taken}, by which agreement.toml "
                                         "dates the stage 'fit'. Name another field or rule there.$"):
        changes_of(tmp_path, company(), Agreement(currency="EUR", stages=(stage, WON)))


def test_read_crm_refuses_a_date_as_a_score(tmp_path):
    stage = Stage("fit", "marketing", "score", field="ConvertedDate", at_least=50.0)
    with pytest.raises(TableError, match="^Lead.csv: ConvertedDate holds days or times, not numbers, by which"):
        changes_of(tmp_path, company(), Agreement(currency="EUR", stages=(stage, WON)))


def test_read_crm_refuses_a_field_of_another_kind_that_contacts_alone_have(tmp_path):
    stage = Stage("fit", "marketing", "date_field", field="AccountId")
    with pytest.raises(TableError, match="^Contact.csv: AccountId holds text, not days or times, by which"):
        changes_of(tmp_path, company(), Agreement(currency="EUR", stages=(stage, WON)))


@pytest.mark.parametrize(("field", "dated"), [
    ("ConvertedDate", [(ANNA_C, utc("03-09", "22:00:00"))]),
    ("CreatedDate", [(ANNA_C, utc("01-02")), (BEN, utc("01-02")), (CARL_C, utc("01-02")), (PRIVATE_C, utc("01-02")),
                     (ANNA_C, utc("03-10"))])])
def test_read_crm_reads_the_days_and_moments_that_the_crm_keeps_itself(tmp_path, field, dated):
    stage = Stage("fit", "marketing", "date_field", field=field)
    _, changes = changes_of(tmp_path, company(), Agreement("", "Europe/Helsinki", "EUR", stages=(stage, WON)))
    assert sorted((at, person) for _, person, *_, at in changes) == sorted((at, person) for person, at in dated)


def test_read_crm_reads_a_field_of_days_on_leads_and_of_moments_on_contacts(tmp_path):
    stage = Stage("fit", "marketing", "date_field", field="ConvertedDate")
    tables = with_field("Contact", "ConvertedDate", {CARL_C: "2026-05-01 13:45:00"})
    _, changes = changes_of(tmp_path, tables, Agreement(currency="EUR", stages=(stage, WON)))
    assert [(person, at) for _, person, *_, at in changes] == [
        (ANNA_C, utc("03-10", "00:00:00")), (CARL_C, utc("05-01", "13:45:00"))]


def test_read_crm_reads_a_scores_history_and_the_scores_that_never_changed(tmp_path):
    tables = with_field("Lead", "Score__c", {ANNA: "70", BEN: "60"})
    tables["LeadHistory"] += [score(8, ANNA, "10", "55", "02-01"), score(9, ANNA, "55", "70", "02-02")]
    _, changes = changes_of(tmp_path, tables, SCORED)
    assert changes == [("Score__c", BEN, 60.0, None, utc("01-02")),
                       ("Score__c", ANNA_C, 55.0, 10.0, utc("02-01")), ("Score__c", ANNA_C, 70.0, 55.0, utc("02-02"))]


def test_read_crm_says_that_a_score_without_history_dates_nobody(tmp_path):
    crm, changes = changes_of(tmp_path, with_field("Lead", "Score__c", {BEN: "60"}), SCORED)
    assert changes == []
    assert ("LeadHistory.csv: Score__c", "its changes are not kept: nobody can be dated into 'hot'") in records(
        crm.missing, "source", "consequence")


def test_read_crm_knows_the_deal_that_a_lead_became(tmp_path):
    tables = with_field("Lead", "ConvertedOpportunityId", {ANNA: an_id("006", 1)})
    later = read_crm(write_export(tmp_path, tables), DATED_BY_STATUS)
    assert records(later.people, "person_id", "converted_opportunity_id")[0] == (ANNA_C, an_id("006", 1))
    before = read_crm(tmp_path, DATED_BY_STATUS, as_of=utc("03-01"))
    assert before.people["converted_opportunity_id"].isna().all()


@pytest.mark.parametrize(("amount", "n_worthless"), [(None, 2), (500.0, 1)])
def test_read_crm_counts_the_deals_without_an_amount_as_of_then(tmp_path, amount, n_worthless):
    tables = company()
    assert tables["OpportunityHistory"][1]["CreatedDate"] == at("06-01")
    tables["OpportunityHistory"][0]["Amount"] = amount              # 800 since 1 June, 1,000.01 since October
    crm = read_crm(write_export(tmp_path, tables), DATED_BY_STATUS, as_of=utc("05-31"))
    assert crm.opportunities["value"].isna().sum() == n_worthless
    assert crm.missing.set_index("source").loc["Opportunity.csv: Amount", "consequence"] == (
        f"{n_worthless} of 2 deals have no amount and count as worth nothing")
    later = read_crm(tmp_path, DATED_BY_STATUS, as_of=utc("06-01"))
    assert later.missing.set_index("source").loc["Opportunity.csv: Amount", "consequence"].startswith("1 of 2 deals")


def test_read_crm_says_in_finnish_what_is_missing_and_names_files_and_statuses_as_they_are(finnish, tmp_path):
    said = records(read_crm(write_export(tmp_path, company()), DATED_BY_STATUS, as_of=utc("06-01")).missing,
                   "source", "consequence")
    assert ("Opportunity.csv: Amount", "kauppoja ilman summaa 1/2; niiden arvoksi lasketaan nolla") in said
    assert said[0] == ("Campaign.csv: EndDate", "kustannukset jaetaan vientipäivään asti")
    assert ("agreement.toml: vaiheen 'sql' arvot",
            "millään liidillä ei ole ollut tilaa 'SQL'; esiintyneet tilat: Converted, MQL, Open") in said
    assert [source for source, _ in said][-1] == "muu historia kuin kauppojen ja liidien tilojen"
