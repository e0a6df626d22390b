"""Entries are dated as the agreement says, and conversions carry their milestones."""

import dataclasses

import pandas as pd
import pytest
from conftest import AS_OF, lead_crm, make

from attribution.agreement import Agreement
from attribution.entries import build_entries, find_lapsed
from attribution.funnel import WON, Outcome, build_conversions, build_pipeline, choose_outcome
from attribution.tables import TableError


def moment(text):
    return pd.Timestamp(text).tz_convert("UTC")


def conversions_of(crm, agreement, **options):
    return build_conversions(build_entries(crm, agreement), crm.opportunities, crm.contact_roles, **options)


def test_conversions_of_won_deals(crm, agreement):
    rows = conversions_of(crm, agreement).set_index("conversion_id")
    assert rows["value"].to_dict() == {"d1": 1000.0, "d2": 600.0}
    assert rows["converted_at"].to_dict() == {"d1": moment("2026-05-04T23:59:59.999999+03:00"),
                                              "d2": moment("2026-10-15T23:59:59.999999+03:00")}
    assert rows["opportunity_created_at"].to_dict() == {"d1": moment("2026-04-01T09:00Z"),
                                                        "d2": moment("2026-07-15T09:00Z")}
    assert rows["is_new_customer"].to_dict() == {"d1": True, "d2": False}
    assert rows["person_id"].isna().all()


def test_conversions_of_people_carry_the_person_and_no_money(crm, agreement):
    rows = conversions_of(crm, agreement, stage="mql")
    assert rows[["conversion_id", "person_id", "account_id", "value", "lead_person_id"]].to_numpy().tolist() == [
        ["ann", "ann", "acme", 0.0, "ann"], ["cy", "cy", "beta", 0.0, "cy"]]
    assert rows["lead_created_at"].tolist() == [moment("2026-03-01T10:00Z"), moment("2026-06-10T10:00Z")]


def test_conversions_count_a_record_once_however_often_it_entered(crm):
    again = lead_crm(crm, ("Open", "MQL", "2026-03-02"), ("MQL", "Open", "2026-03-03"), ("Open", "MQL", "2026-03-09"))
    rows = build_conversions(build_entries(again, Agreement()), again.opportunities, stage="mql")
    assert rows["converted_at"].tolist() == [moment("2026-03-02T00:00Z")]


def test_conversions_of_opportunities_are_worth_what_is_expected_until_won(crm, agreement):
    assert conversions_of(crm, agreement, stage="opportunity").set_index("conversion_id")["value"].to_dict() == {
        "d1": 1000.0, "d2": 600.0, "d3": 400.0}


@pytest.fixture
def two_leads(crm):
    """Ann (lead on 1 March) and Bo (now a lead of 10 March) are at Acme; the deal's only role is Bo's."""
    people = crm.people.assign(lead_created_at=pd.to_datetime(
        ["2026-03-01T10:00Z", "2026-03-10T10:00Z", "2026-06-10T10:00Z", None], format="ISO8601",
        utc=True).as_unit("us"))
    roles = make("contact_roles", contact_role_id=["r1"], opportunity_id=["d1"], person_id=["bo"])
    return dataclasses.replace(crm, people=people, contact_roles=roles)


@pytest.mark.parametrize(("linking", "d1", "d2"), [
    ("role", "bo", None), ("account", "ann", "ann"), ("hybrid", "bo", "ann")])
def test_lead_milestone_is_the_earliest_lead_that_the_linking_reaches(two_leads, agreement, linking, d1, d2):
    rows = conversions_of(two_leads, agreement, linking=linking).set_index("conversion_id")
    people = {"ann": moment("2026-03-01T10:00Z"), "bo": moment("2026-03-10T10:00Z")}
    assert rows["lead_person_id"].astype(object).where(rows["lead_person_id"].notna(),
                                                       None).to_dict() == {"d1": d1, "d2": d2}
    assert rows.loc["d1", "lead_created_at"] == people[d1]
    assert rows.loc["d2", "lead_created_at"] == people[d2] if d2 else pd.isna(rows.loc["d2", "lead_created_at"])


def test_lead_milestone_goes_by_account_where_there_are_no_roles_at_all(two_leads, agreement):
    entries = build_entries(two_leads, agreement)
    rows = build_conversions(entries, two_leads.opportunities)
    assert rows["lead_person_id"].tolist() == ["ann", "ann"]


def test_lead_created_after_the_close_is_no_milestone(crm, agreement):
    late = crm.people.assign(lead_created_at=pd.Timestamp("2026-05-05T10:00Z"))
    changes = make("stage_changes")
    rows = conversions_of(dataclasses.replace(crm, people=late, stage_changes=changes),
                          agreement).set_index("conversion_id")
    assert pd.isna(rows.loc["d1", "lead_created_at"]) and pd.isna(rows.loc["d1", "lead_person_id"])
    assert rows.loc["d2", "lead_person_id"] == "ann"


def test_is_new_customer_goes_to_the_first_deal_won_in_order_of_close_creation_and_id(crm, agreement):
    deals = make("opportunities", opportunity_id=["e", "d", "c", "b", "a"], account_id=["x", "x", "x", "y", None],
                 stage="Won",
                 is_won=True, is_closed=True, value=1.0,
                 created_at=["2026-01-05", "2026-01-05", "2026-02-01", "2026-01-01", "2026-01-01"],
                 close_on=["2026-03-01", "2026-03-01", "2026-03-01", "2026-03-01", "2026-03-01"])
    rows = conversions_of(dataclasses.replace(crm, opportunities=deals), agreement)
    assert rows.set_index("conversion_id")["is_new_customer"].to_dict() == {
        "e": False, "d": True, "c": False, "b": True, "a": False}


def test_is_new_customer_counts_an_account_once_where_a_deal_is_written_down_after_its_close(crm, agreement):
    deals = make("opportunities", opportunity_id=["d1", "d2"], account_id="x", stage="Won", is_won=True, is_closed=True,
                 value=1.0, created_at=["2026-10-05", "2026-09-01"], close_on=["2026-10-01", "2026-10-03"])
    rows = conversions_of(dataclasses.replace(crm, opportunities=deals), agreement)
    assert rows.set_index("conversion_id")["is_new_customer"].to_dict() == {"d1": True, "d2": False}


def test_build_pipeline_leaves_lapsed_deals_out(crm, agreement):
    deals = make("opportunities", opportunity_id=["fresh", "edge", "lapsed"], account_id="x", stage="Proposal",
                 value=1.0, expected_value=1.0, created_at="2026-01-05",
                 close_on=["2026-12-01", "2026-10-01", "2026-09-30"])
    entries = build_entries(dataclasses.replace(crm, opportunities=deals), agreement)
    assert build_pipeline(entries, deals, as_of=AS_OF)["conversion_id"].tolist() == ["fresh", "edge"]
    assert find_lapsed(deals, pd.Timestamp("2026-10-31")).tolist() == [False, False, True]


def test_build_pipeline_counts_the_days_since_the_close_date_in_the_local_calendar(crm, agreement):
    deals = make("opportunities", opportunity_id=["d"], account_id="x", stage="Proposal", expected_value=1.0,
                 created_at="2026-01-05", close_on=["2026-10-01"])
    end = pd.Timestamp("2026-11-01 03:59:59.999999", tz="UTC")           # the end of October in New York: 30 days
    entries = build_entries(dataclasses.replace(crm, opportunities=deals), agreement)
    assert len(build_pipeline(entries, deals, as_of=end, time_zone="America/New_York")) == 1
    assert len(build_pipeline(entries, deals, as_of=end, time_zone="UTC")) == 0


def test_is_new_customer_asks_what_was_won_before_the_record_reached_its_stage(crm, agreement):
    opened = conversions_of(crm, agreement, stage="opportunity").set_index("conversion_id")["is_new_customer"]
    assert opened.to_dict() == {"d1": True, "d2": False, "d3": True}
    assert conversions_of(crm, agreement, stage="lead").set_index("conversion_id")["is_new_customer"].to_dict() == {
        "ann": True, "cy": True, "di": True}
    late = dataclasses.replace(crm, people=crm.people.assign(lead_created_at=pd.Timestamp("2026-05-05T10:00Z")),
                               stage_changes=make("stage_changes"))
    assert not conversions_of(late, agreement, stage="lead").set_index("conversion_id").loc["ann", "is_new_customer"]


def test_conversions_refuse_unknown_stages_and_linkings(crm, agreement):
    with pytest.raises(ValueError, match="stage: 'mqls' is not one of lead, mql, sql, opportunity, customer"):
        conversions_of(crm, agreement, stage="mqls")
    with pytest.raises(ValueError, match="linking: 'roles' is not one of role, account, hybrid"):
        conversions_of(crm, agreement, linking="roles")
    with pytest.raises(ValueError, match="linking: 'roles' is not one of role, account, hybrid"):
        build_pipeline(build_entries(crm, agreement), crm.opportunities, as_of=AS_OF, linking="roles")


def test_conversions_without_a_won_deal_are_an_empty_table(crm, agreement):
    lost = dataclasses.replace(crm, opportunities=crm.opportunities.assign(is_won=False))
    assert len(conversions_of(lost, agreement)) == 0


def test_conversions_refuse_a_deal_that_is_worth_no_number(crm, agreement):
    deals = crm.opportunities.assign(value=float("inf"))
    with pytest.raises(TableError, match="conversions: value is not a number in 2 of 2 rows"):
        build_conversions(build_entries(crm, agreement), deals)


def test_pipeline_lists_open_deals_at_their_expected_value(crm, agreement):
    rows = build_pipeline(build_entries(crm, agreement), crm.opportunities, crm.contact_roles, as_of=AS_OF)
    assert rows[["conversion_id", "account_id", "value", "converted_at", "lead_person_id",
                 "is_new_customer"]].to_numpy().tolist() == [
        ["d3", "beta", 400.0, AS_OF, "cy", True]]


def test_pipeline_of_no_open_deal_is_empty_and_a_deal_without_amount_is_worth_nothing(crm, agreement):
    entries = build_entries(crm, agreement)
    assert len(build_pipeline(entries, crm.opportunities.assign(is_closed=True), as_of=AS_OF)) == 0
    blank = crm.opportunities.assign(expected_value=float("nan"))
    assert build_pipeline(entries, blank, as_of=AS_OF)["value"].tolist() == [0.0]


def test_conversions_of_an_earlier_stage_carry_its_worth_in_whole_cents(crm, agreement):
    rows = conversions_of(crm, agreement, stage="mql", worth=250.004)
    assert rows[["conversion_id", "value", "is_expected"]].to_numpy().tolist() == [
        ["ann", 250.0, True], ["cy", 250.0, True]]


def test_conversions_of_opportunities_at_a_worth_leave_their_amounts_alone(crm, agreement):
    rows = conversions_of(crm, agreement, stage="opportunity", worth=300)
    assert rows["value"].tolist() == [300.0] * 3 and rows["is_expected"].all()       # also the two that were won


def test_conversions_tell_booked_money_from_expected_money(crm, agreement):
    is_expected = {stage: conversions_of(crm, agreement, stage=stage)["is_expected"].tolist()
                   for stage in ("lead", "opportunity", "customer")}
    assert is_expected == {"lead": [True] * 3, "opportunity": [True] * 3, "customer": [False] * 2}
    pipeline = build_pipeline(build_entries(crm, agreement), crm.opportunities, as_of=AS_OF)
    assert pipeline["is_expected"].tolist() == [True]


def test_conversions_at_a_worth_of_a_stage_that_nobody_entered_are_an_empty_table(crm, agreement):
    quiet = dataclasses.replace(crm, stage_changes=make("stage_changes"))
    rows = conversions_of(quiet, agreement, stage="mql", worth=250.0)
    assert len(rows) == 0 and rows[["value", "is_expected"]].dtypes.astype(str).tolist() == ["float64", "bool"]


@pytest.mark.parametrize("worth", [-0.01, float("nan"), float("inf")])
def test_conversions_refuse_a_worth_that_is_no_money_or_stands_in_for_booked_money(crm, agreement, worth):
    with pytest.raises(ValueError, match=f"worth: {worth} is not money of 0 or more"):
        conversions_of(crm, agreement, stage="mql", worth=worth)
    with pytest.raises(ValueError, match="worth: 'customer' is the sale itself, which counts at what was booked"):
        conversions_of(crm, agreement, worth=250.0)


@pytest.fixture
def values():
    """What stage_values returns: an SQL leads nowhere, an opportunity was never made, Finland's MQLs are worth more."""
    return pd.DataFrame({"stage": ["mql", "mql", "sql", "opportunity", "customer"],
                         "segment": ["Finland", "all", "all", "all", "all"], "n": [40, 90, 7, 0, 5],
                         "value": [400.0, 250.0, 0.0, float("nan"), 9000.0],
                         "value_low": [300.0, 200.0, float("nan"), float("nan"), 8000.0],
                         "value_high": [500.0, 310.0, float("nan"), float("nan"), 9900.0]})


def test_choose_outcome_takes_the_worth_of_the_whole(values, agreement):
    mql = choose_outcome(values, agreement, "mql")
    assert mql == Outcome("mql", 250.0, 200.0, 310.0) and mql.is_expected


def test_choose_outcome_of_won_deals_has_no_worth(values, agreement):
    assert choose_outcome(values, agreement) == choose_outcome(values, agreement, "customer") == WON
    stages = [dataclasses.replace(stage, name="signed") if stage.name == "customer" else stage
              for stage in agreement.stages]
    own = dataclasses.replace(agreement, stages=tuple(stages))
    assert choose_outcome(values, own) == Outcome("signed") and not Outcome("signed").is_expected


@pytest.mark.parametrize(("stage", "text"), [
    ("mqls", "stage: 'mqls' is not one of lead, mql, sql, opportunity, customer"),
    ("sql", "stage: what an entry into 'sql' is worth is not known, as none led to a won deal in the months"),
    ("opportunity", "stage: what an entry into 'opportunity' is worth is not known, as none was made in the months")])
def test_choose_outcome_refuses_a_stage_without_a_worth(values, agreement, stage, text):
    with pytest.raises(ValueError, match=text):
        choose_outcome(values, agreement, stage)
