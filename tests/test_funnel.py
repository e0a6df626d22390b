"""Entries are dated as the agreement says, and conversions carry their milestones."""

import dataclasses

import pandas as pd
import pytest
from conftest import AS_OF, make

from attribution.agreement import Agreement, Stage
from attribution.funnel import build_conversions, build_entries, build_pipeline, find_lapsed
from attribution.tables import UTC, TableError


def moment(text):
    return pd.Timestamp(text).tz_convert("UTC")


def lead_crm(crm, *changes, **person):
    """A CRM of one person, born on 1 March as lead L1, whose statuses are given as (from, to, when)."""
    rows = make("stage_changes", change_id=[f"h{i}" for i in range(len(changes))], record_type="lead", record_id="L1",
                person_id="ann", from_stage=[a for a, _, _ in changes], stage=[b for _, b, _ in changes],
                changed_at=[at for *_, at in changes])
    people = crm.people.head(1).assign(**person)
    return dataclasses.replace(crm, people=people, stage_changes=rows, opportunities=make("opportunities"))


def list_entries(entries):
    return [(row.stage, row.entered_at.isoformat()[:10], row.n_entry, row.is_imputed) for row in entries.itertuples()]


def test_entries_date_each_stage_of_the_small_crm(crm, agreement):
    entries = build_entries(crm, agreement)
    assert [(row.record_id, *rest) for row, rest in zip(entries.itertuples(), list_entries(entries), strict=True)] == [
        ("ann", "lead", "2026-03-01", 1, False), ("ann", "mql", "2026-03-05", 1, False),
        ("ann", "sql", "2026-03-20", 1, False), ("d1", "opportunity", "2026-04-01", 1, False),
        ("d1", "customer", "2026-05-04", 1, False), ("cy", "lead", "2026-06-10", 1, False),
        ("d2", "opportunity", "2026-07-15", 1, False), ("cy", "mql", "2026-08-20", 1, True),
        ("cy", "sql", "2026-08-20", 1, False), ("d3", "opportunity", "2026-09-01", 1, False),
        ("di", "lead", "2026-10-05", 1, False), ("d2", "customer", "2026-10-15", 1, False)]
    deals = entries["record_id"].str.startswith("d") & (entries["record_id"] != "di")
    assert entries.loc[deals, "person_id"].isna().all()
    assert entries.loc[~deals, "person_id"].tolist() == entries.loc[~deals, "record_id"].tolist()
    assert set(entries["owner_id"]) == {"sam"}


def test_entries_of_a_person_who_comes_again_are_counted(crm):
    again = lead_crm(crm, ("Open", "MQL", "2026-03-02"), ("MQL", "Open", "2026-03-03"), ("Open", "MQL", "2026-03-09"))
    assert list_entries(build_entries(again, Agreement())) == [
        ("lead", "2026-03-01", 1, False), ("mql", "2026-03-02", 1, False), ("mql", "2026-03-09", 2, False)]


def test_entries_do_not_count_a_change_between_two_statuses_of_one_stage(crm):
    renamed = lead_crm(crm, ("Open", "MQL", "2026-03-02"), ("MQL", "Marketing Qualified", "2026-03-09"))
    assert list_entries(build_entries(renamed, Agreement())) == [
        ("lead", "2026-03-01", 1, False), ("mql", "2026-03-02", 1, False)]


def test_entries_know_a_lead_that_was_born_in_the_status(crm):
    by_first_change = lead_crm(crm, ("MQL", "SQL", "2026-03-09"))
    by_creation_row = lead_crm(crm, (None, "MQL", "2026-03-01T10:00:00Z"), ("MQL", "SQL", "2026-03-09"))
    for born in (by_first_change, by_creation_row):
        assert list_entries(build_entries(born, Agreement())) == [
            ("lead", "2026-03-01", 1, False), ("mql", "2026-03-01", 1, False), ("sql", "2026-03-09", 1, False)]


def test_entries_do_not_count_a_status_said_again_without_the_one_before(crm):
    # a conversion repeats the status that the lead has, and does not say what it was before
    converted = lead_crm(crm, ("Open", "SQL", "2026-03-09"), (None, "SQL", "2026-03-12"))
    assert [entry[:3] for entry in list_entries(build_entries(converted, Agreement())) if entry[0] == "sql"] == [
        ("sql", "2026-03-09", 1)]


def test_entries_impute_skipped_stages_from_the_next_one_once(crm):
    skipping = lead_crm(crm, ("Open", "SQL", "2026-03-09"), ("SQL", "Open", "2026-03-10"),
                        ("Open", "SQL", "2026-03-20"),
                        lead_created_at=pd.Series([None], dtype=UTC))
    assert list_entries(build_entries(skipping, Agreement())) == [
        ("lead", "2026-03-09", 1, True), ("mql", "2026-03-09", 1, True), ("sql", "2026-03-09", 1, False),
        ("sql", "2026-03-20", 2, False)]


def test_entries_ignore_changes_of_unknown_people(crm):
    changes = make("stage_changes", change_id=["h1", "h2"], record_type="lead", record_id=["L8", "L9"],
                   person_id=["gone", None], from_stage="Open", stage="MQL", changed_at="2026-03-05")
    assert "mql" not in set(build_entries(dataclasses.replace(crm, stage_changes=changes), Agreement())["stage"])


def test_entries_date_a_win_at_the_end_of_the_local_day_on_either_side_of_the_clock_change(crm, agreement):
    deals = make("opportunities", opportunity_id=["a", "b", "c"], stage="Won", is_won=True, is_closed=True,
                 close_on=["2026-10-24", "2026-10-25", "2026-03-29"], created_at="2026-01-01")
    won = build_entries(dataclasses.replace(crm, opportunities=deals), agreement).query("stage == 'customer'")
    assert dict(zip(won["record_id"], won["entered_at"], strict=True)) == {
        "a": moment("2026-10-24T23:59:59.999999+03:00"), "b": moment("2026-10-25T23:59:59.999999+02:00"),
        "c": moment("2026-03-29T23:59:59.999999+03:00")}


def test_entries_follow_stages_of_the_companys_own(crm):
    own = Agreement(stages=(Stage("hot", "sales", "lead_status", ("SQL",)),
                            Stage("deal", "sales", "opportunity_created")))
    entries = build_entries(crm, own)
    assert entries["stage"].value_counts().to_dict() == {"deal": 3, "hot": 2}


def test_entries_do_not_hang_on_the_order_of_rows(crm, agreement):
    turned = dataclasses.replace(crm, **{name: getattr(crm, name).iloc[::-1] for name in (
        "people", "opportunities", "stage_changes")})
    pd.testing.assert_frame_equal(build_entries(turned, agreement), build_entries(crm, agreement))


def test_entries_of_an_empty_crm_are_none(crm, agreement):
    empty = dataclasses.replace(crm, **{name: make(name) for name in ("people", "opportunities", "stage_changes")})
    assert len(build_entries(empty, agreement)) == 0


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
