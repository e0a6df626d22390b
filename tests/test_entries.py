"""Each entry is dated as the agreement says, and its end is what happened next."""

import dataclasses

import pandas as pd
import pytest
from conftest import AS_OF, lead_crm, make
from hand_overs import HELSINKI, entries_of, moments
from hypothesis import given
from hypothesis import strategies as st

from attribution.agreement import Agreement, Stage
from attribution.entries import build_entries, find_contradictions, link_deals
from attribution.tables import CRM, UTC


def moment(text):
    return pd.Timestamp(text).tz_convert("UTC")


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
        ("lead", "2026-03-01", 1, False), ("mql", "2026-03-02", 1, False), ("lead", "2026-03-03", 2, False),
        ("mql", "2026-03-09", 2, False)]


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
        ("lead", "2026-03-10", 2, False), ("sql", "2026-03-20", 2, False)]


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




def fates(entries, *records):
    """Say of each entry: stage, n_entry, lifecycle, day of entry, day left, where to."""
    rows = entries[entries["record_id"].isin(records)]
    return [(row.stage, row.n_entry, row.lifecycle, f"{row.entered_at:%m-%d}",
             None if pd.isna(row.left_at) else f"{row.left_at:%m-%d}", None if pd.isna(row.left_to) else row.left_to)
            for row in rows.itertuples()]


def with_deals(crm, *deals, roles=(), history=()):
    """Replace the CRM's deals: (id, made, closes, closed, won), roles (deal, person), history (deal, stage, when)."""
    columns = ("opportunity_id", "created_at", "close_on", "is_closed", "is_won")
    opportunities = make("opportunities", account_id="acme", stage="S", owner_id="sam",
                         **{name: [deal[i] for deal in deals] for i, name in enumerate(columns)})
    changes = make("stage_changes", change_id=[f"o{i}" for i in range(len(history))], record_type="opportunity",
                   record_id=[row[0] for row in history], stage=[row[1] for row in history],
                   changed_at=[row[2] for row in history])
    contact_roles = make("contact_roles", contact_role_id=[f"r{i}" for i in range(len(roles))],
                         opportunity_id=[row[0] for row in roles], person_id=[row[1] for row in roles])
    return dataclasses.replace(crm, opportunities=opportunities, contact_roles=contact_roles,
                               stage_changes=pd.concat([crm.stage_changes, changes], ignore_index=True))


def test_entries_end_where_the_next_begins_and_tell_the_way_back(crm):
    returned = lead_crm(crm, ("Open", "MQL", "2026-03-02"), ("MQL", "SQL", "2026-03-05"),
                        ("SQL", "Recycled", "2026-03-09"), ("Recycled", "MQL", "2026-04-01"),
                        ("MQL", "Disqualified", "2026-04-03"))
    assert fates(build_entries(returned, Agreement()), "ann") == [
        ("lead", 1, 1, "03-01", "03-02", "mql"), ("mql", 1, 1, "03-02", "03-05", "sql"),
        ("sql", 1, 1, "03-05", "03-09", "lead"), ("lead", 2, 2, "03-09", "04-01", "mql"),
        ("mql", 2, 2, "04-01", "04-03", "out")]


def test_entries_of_one_second_stand_in_the_order_of_the_history(crm):
    at = "2026-03-02T10:00:00Z"
    there_and_back = lead_crm(crm, ("Open", "MQL", at), ("MQL", "Recycled", at))
    assert fates(build_entries(there_and_back, Agreement()), "ann") == [
        ("lead", 1, 1, "03-01", "03-02", "mql"), ("lead", 2, 2, "03-02", None, None),
        ("mql", 1, 1, "03-02", "03-02", "lead")]
    onwards = lead_crm(crm, ("Open", "Recycled", at), ("Recycled", "SQL", at), ("SQL", "Disqualified", at))
    assert fates(build_entries(onwards, Agreement()), "ann")[-1] == ("sql", 1, 1, "03-02", "03-02", "out")
    skipped = lead_crm(crm, ("Open", "SQL", at), ("SQL", "Recycled", at))
    assert [fate[:2] for fate in fates(build_entries(skipped, Agreement()), "ann")] == [
        ("lead", 1), ("lead", 2), ("mql", 1), ("sql", 1)]


def test_entries_go_on_through_statuses_that_the_agreement_does_not_name(crm):
    working = lead_crm(crm, ("Open", "MQL", "2026-03-02"), ("MQL", "Working", "2026-03-03"),
                       ("Working", "MQL", "2026-03-04"))
    assert fates(build_entries(working, Agreement()), "ann") == [
        ("lead", 1, 1, "03-01", "03-02", "mql"), ("mql", 1, 1, "03-02", None, None)]


def test_entries_of_one_who_was_out_and_comes_again_are_a_new_lifecycle(crm):
    again = lead_crm(crm, ("Open", "Disqualified", "2026-03-02"), ("Disqualified", "SQL", "2026-03-09"))
    assert fates(build_entries(again, Agreement()), "ann") == [
        ("lead", 1, 1, "03-01", "03-02", "out"), ("mql", 1, 2, "03-09", "03-09", "sql"),
        ("sql", 1, 2, "03-09", None, None)]


def test_entries_of_a_person_lead_on_to_the_deal_of_their_role(crm):
    crm = lead_crm(crm, ("Open", "MQL", "2026-03-02"))
    deals = with_deals(crm, ("d", "2026-03-20T09:00Z", "2026-12-31", False, False),
                       ("later", "2026-06-01T09:00Z", "2026-12-31", False, False),
                       roles=[("d", "ann"), ("later", "ann")])
    entries = build_entries(deals, Agreement())
    assert fates(entries, "ann") == [("lead", 1, 1, "03-01", "03-02", "mql"),
                                     ("mql", 1, 1, "03-02", "03-20", "opportunity")]
    assert entries.loc[entries["record_id"] == "ann", "opportunity_id"].tolist() == ["d", "d"]
    assert entries.loc[entries["record_id"] == "d", "opportunity_id"].tolist() == ["d"]


def test_link_deals_takes_roles_and_converted_leads_before_the_whole_account(crm):
    people = crm.people.assign(converted_opportunity_id=pd.Series(["d2", None, None, None], dtype="str"))
    deals = with_deals(dataclasses.replace(crm, people=people), *(
        (deal, "2026-03-20", "2026-12-31", False, False) for deal in ("d1", "d2", "d3")), roles=[("d1", "bo")])
    links = link_deals(deals)
    assert sorted(links.itertuples(index=False, name=None)) == [
        ("d1", "bo"), ("d2", "ann"), ("d3", "ann"), ("d3", "bo")]


def test_entries_of_deals_end_with_a_win_a_loss_or_a_lapse(crm, agreement):
    deals = with_deals(crm, ("won", "2026-03-01", "2026-05-04", True, True),
                       ("lost", "2026-03-01", "2026-05-04", True, False),
                       ("lapsed", "2026-03-01", "2026-09-30", False, False),
                       ("open", "2026-03-01", "2026-10-01", False, False))
    entries = build_entries(deals, agreement)
    assert fates(entries, "won") == [("opportunity", 1, 1, "03-01", "05-04", "customer"),
                                     ("customer", 1, 1, "05-04", None, None)]
    assert fates(entries, "lost") == [("opportunity", 1, 1, "03-01", "05-04", "out")]
    assert fates(entries, "lapsed") == [("opportunity", 1, 1, "03-01", "10-30", "out")]
    assert fates(entries, "open") == [("opportunity", 1, 1, "03-01", None, None)]


OWN = Agreement(stages=(Stage("person", "marketing", "person_created"), Stage("deal", "sales", "opportunity_created"),
                        Stage("offer", "sales", "opportunity_stage", ("Proposal", "Negotiation")),
                        Stage("customer", "sales", "opportunity_won")))


def test_entries_of_a_deal_that_is_won_on_a_day_yet_to_come_are_open_until_then(crm, agreement):
    deals = with_deals(crm, ("today", "2026-03-01", "2026-10-31", True, True),
                       ("later", "2026-03-01", "2026-11-01", True, True))
    entries = build_entries(deals, agreement)
    assert fates(entries, "later") == [("opportunity", 1, 1, "03-01", None, None)]
    assert [fate[0] for fate in fates(entries, "today")] == ["opportunity", "customer"]
    found = find_contradictions(deals, entries, agreement).set_index("check")
    assert found.loc["deal closed on a day yet to come", ["n_rows", "first_ids"]].tolist() == [1, "later"]


def test_entries_follow_the_stages_of_deals_and_ignore_changes_of_the_amount_only(crm):
    deals = with_deals(crm, ("a", "2026-03-01", "2026-12-31", False, False),
                       ("b", "2026-03-01", "2026-05-04", True, True),
                       history=[("a", "Prospecting", "2026-03-01"), ("a", "Proposal", "2026-04-01"),
                                ("a", "Proposal", "2026-04-15"), ("a", "Negotiation", "2026-05-01")])
    entries = build_entries(deals, OWN)
    assert fates(entries, "a") == [("deal", 1, 1, "03-01", "04-01", "offer"), ("offer", 1, 1, "04-01", None, None)]
    assert fates(entries, "b") == [("deal", 1, 1, "03-01", "05-04", "offer"),
                                   ("offer", 1, 1, "05-04", "05-04", "customer"),
                                   ("customer", 1, 1, "05-04", None, None)]
    assert entries.loc[entries["record_id"] == "b", "is_imputed"].tolist() == [False, True, False]


def test_entries_of_a_deal_that_was_closed_before_it_was_made_contradict_each_other(crm):
    deals = with_deals(crm, ("a", "2026-03-01T09:00Z", "2026-02-01", True, True),
                       history=[("a", "Proposal", "2026-03-05")])
    entries = build_entries(deals, OWN)
    mine = entries[entries["record_id"] == "a"].sort_values("stage")
    assert mine["stage"].tolist() == ["deal", "offer", "customer"]
    assert mine["is_contradictory"].tolist() == [True, False, False]


def test_entries_of_a_lead_made_after_its_history_contradict_it(crm):
    early = lead_crm(crm, ("Open", "MQL", "2026-02-02"), ("MQL", "SQL", "2026-03-09"))
    entries = build_entries(early, Agreement())
    assert fates(entries, "ann") == [("mql", 1, 1, "02-02", "03-09", "sql"), ("lead", 1, 1, "03-01", "03-01", "mql"),
                                     ("sql", 1, 1, "03-09", None, None)]
    assert entries["is_contradictory"].tolist() == [False, True, False]


def test_entries_of_a_contact_whose_lead_is_made_later_are_a_new_lifecycle_after_the_deal(crm):
    late = lead_crm(crm, lead_created_at=pd.to_datetime(["2026-06-01T10:00Z"]).astype(UTC))
    people = dataclasses.replace(late, people=late.people.assign(created_at=pd.Timestamp("2026-01-01", tz="UTC")))
    stages = (OWN.stages[0], Stage("lead", "marketing", "lead_created"), *OWN.stages[1:])
    deals = with_deals(people, ("d", "2026-03-20T09:00Z", "2026-12-31", False, False), roles=[("d", "ann")])
    entries = build_entries(deals, Agreement(stages=stages))
    assert fates(entries, "ann") == [("person", 1, 1, "01-01", "03-20", "deal"), ("lead", 1, 2, "06-01", None, None)]
    assert not entries["is_contradictory"].any()


def test_entries_date_stages_by_fields_scores_and_activities(crm):
    fields = make("field_changes", field=["Qualified", "Score", "Score", "Score", "Score"],
                  person_id=["ann", "cy", "cy", "cy", "cy"], number=[None, 40.0, 60.0, 70.0, 55.0],
                  number_before=[None, 10.0, 40.0, 60.0, 45.0],
                  changed_at=["2026-04-01", "2026-06-11", "2026-06-12", "2026-06-13", "2026-06-20"])
    done = make("activities", activity_id=["a1", "a2", "a3", "a4"], person_id=["ann", "ann", "cy", "cy"],
                kind=["meeting", "meeting", "call", "meeting"], is_done=[True, True, True, False],
                done_at=["2026-05-02", "2026-05-01", "2026-06-30", "2026-07-01"])
    stages = (Stage("lead", "marketing", "lead_created"), Stage("fit", "marketing", "date_field", field="Qualified"),
              Stage("keen", "marketing", "score", field="Score", at_least=50.0),
              Stage("met", "sales", "activity", ("meeting",)), Stage("customer", "sales", "opportunity_won"))
    own = dataclasses.replace(with_deals(crm), stage_changes=make("stage_changes"), field_changes=fields,
                              activities=done)
    entries = build_entries(own, Agreement(stages=stages))
    # a score that falls below the threshold does not lead back; one that rises over it again is no new entry
    assert fates(entries[~entries["is_imputed"]], "ann", "cy") == [
        ("lead", 1, 1, "03-01", "04-01", "fit"), ("fit", 1, 1, "04-01", "05-01", "keen"),
        ("met", 1, 1, "05-01", None, None), ("lead", 1, 1, "06-10", "06-12", "fit"),
        ("keen", 1, 1, "06-12", None, None)]


def test_entries_put_a_day_of_a_field_after_the_lead_that_was_made_on_it(crm, agreement):
    fields = make("field_changes", field="Qualified", person_id=["ann", "cy"],
                  changed_at=["2026-02-28T22:00:00Z", "2026-06-30T21:00:00Z"])    # 1 March, 1 July in Helsinki
    stages = (Stage("lead", "marketing", "lead_created"), Stage("fit", "marketing", "date_field", field="Qualified"),
              Stage("customer", "sales", "opportunity_won"))
    own = dataclasses.replace(with_deals(crm), field_changes=fields)
    entries = build_entries(own, dataclasses.replace(agreement, stages=stages)).query("stage == 'fit'")
    assert entries["entered_at"].tolist() == [moment("2026-03-01T10:00Z"), moment("2026-06-30T21:00Z")]


def test_entries_of_several_leads_of_one_person_are_the_persons(crm):
    twins = lead_crm(crm, ("Open", "MQL", "2026-03-02"), ("Open", "MQL", "2026-03-20"))
    records = twins.stage_changes.assign(record_id=pd.Series(["L1", "L9"], dtype="str"))
    assert list_entries(build_entries(dataclasses.replace(twins, stage_changes=records), Agreement())) == [
        ("lead", "2026-03-01", 1, False), ("mql", "2026-03-02", 1, False)]


STATUSES = ("Open", "MQL", "Working", "SQL", "Recycled", "Disqualified")


@given(st.lists(st.tuples(st.sampled_from(("ann", "cy")), st.sampled_from(STATUSES), st.integers(0, 60)), max_size=12),
       st.lists(st.tuples(st.sampled_from(("ann", "cy")), st.integers(0, 60), st.booleans()), max_size=3), st.randoms())
def test_entries_of_any_history_are_whole_and_do_not_hang_on_its_order(crm_of_two, changes, deals, random):
    start = pd.Timestamp("2026-03-01T10:00Z")
    history = make("stage_changes", change_id=[f"h{i:02}" for i in range(len(changes))], record_type="lead",
                   record_id=[f"L-{person}" for person, *_ in changes], person_id=[person for person, *_ in changes],
                   from_stage=None, stage=[status for _, status, _ in changes],
                   changed_at=[(start + pd.Timedelta(days=day)).isoformat() for *_, day in changes])
    own = with_deals(dataclasses.replace(crm_of_two, stage_changes=history), *(
        (f"d{i}", (start + pd.Timedelta(days=day)).isoformat(), "2026-12-31", won, won)
        for i, (_, day, won) in enumerate(deals)), roles=[(f"d{i}", person) for i, (person, *_) in enumerate(deals)])
    entries = build_entries(own, Agreement())
    people = entries[entries["person_id"].notna()]
    for _, line in people.groupby("record_id"):
        line = line[~line["is_contradictory"]].sort_values(["lifecycle", "stage"])
        left, entered = line["left_at"].iloc[:-1], line["entered_at"].iloc[1:]
        assert (left.to_numpy() <= entered.to_numpy()).all()                  # one is in one stage at a time
        assert (line["left_at"].isna() == line["left_to"].isna()).all()
        assert line["left_at"].isna().sum() <= 1
        stays = line["left_to"].iloc[:-1].isin(["lead", "mql", "sql"]).to_numpy()
        to, then = line["left_to"].iloc[:-1].to_numpy(), line["stage"].iloc[1:].astype(str).to_numpy()
        assert (to[stays] == then[stays]).all()
        back = line["stage"].cat.codes.diff().lt(0)
        assert line.loc[back, "lifecycle"].gt(line["lifecycle"].shift()[back]).all()
    order = list(range(len(own.stage_changes)))
    random.shuffle(order)
    shuffled = dataclasses.replace(own, stage_changes=own.stage_changes.iloc[order])
    pd.testing.assert_frame_equal(build_entries(shuffled, Agreement()), entries)


@pytest.fixture(scope="module")
def crm_of_two(request):
    empty = {name: make(name) for name in ("campaigns", "accounts", "touches", "opportunities", "contact_roles",
                                           "stage_changes", "activities", "owners", "left_out", "missing")}
    people = make("people", person_id=["ann", "cy"], account_id="acme", created_at="2026-03-01T10:00:00Z",
                  lead_created_at="2026-03-01T10:00:00Z")
    return CRM(people=people, exported_at=moment("2026-11-02T06:00Z"), as_of=AS_OF, **empty)


def test_contradictions_are_counted_with_what_is_done(crm):
    odd = dataclasses.replace(
        crm, people=crm.people.assign(converted_on=pd.to_datetime(
            ["2026-02-28", None, "2026-06-10", None]).as_unit("us")),
        stage_changes=crm.stage_changes.assign(changed_at=moments(
            ["2026-03-01T09:59Z", "2026-03-20T10:00Z", "2026-06-10T10:00Z"])),
        opportunities=crm.opportunities.assign(close_on=pd.to_datetime(
            ["2026-03-31", "2026-07-15", "2026-01-01"]).as_unit("us")))
    entries = entries_of(("bo", "lead", "2026-11-02", None, None, {"is_contradictory": True}),
                         ("ann", "mql", "2026-11-02"))
    table = find_contradictions(odd, entries, HELSINKI)
    assert table[["check", "n_rows", "first_ids"]].to_numpy().tolist() == [
        ["status changed before the lead was made", 1, "L1"], ["lead converted before it was made", 1, "ann"],
        ["deal closed on a day yet to come", 0, ""], ["deal closed before it was made", 1, "d1"],
        ["record made after it had reached a later stage", 1, "bo"]]
    assert table["consequence"].str.len().min() > 10


def test_contradictions_of_sound_data_are_none(crm, agreement):
    table = find_contradictions(crm, entries_of(("ann", "mql", "2026-11-02")), agreement)
    assert table["n_rows"].tolist() == [0] * 5 and set(table["first_ids"]) == {""}
