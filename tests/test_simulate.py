import csv
import re

import numpy as np
import pandas as pd
import pytest
from conftest import AS_OF, path_of
from pandas.testing import assert_frame_equal

from attribution.agreement_file import read_agreement
from attribution.comparisons import list_deals
from attribution.credit import share_credit
from attribution.models import MODELS
from attribution.simulate import causal_values, deal_amounts, simulate_company, up_the_tree, won_without, write_company
from attribution.sources import read_crm

UNTIL = pd.Timestamp("2026-11-15 06:00", tz="UTC")
PLAN = """
Everything
  Growth
    Ads : Advertisement
      Search *
        Search ad | 2025-01 2025-12 | anyone .90 .60 | .40 .30 .30 .100 .10 | 5000
        Unseen ad | 2025-01 2025-12 | anyone .00 .60 | .90 .30 .30 .100 .10 | 4000
    Mail : Email
      Letters
        Letter | 2025-01 2026-06 | known .80 .50 | .00 .20 .20 .050 .10 | 3000
  Events
    Fairs : Trade Show
      Fair
        Stand | 2025-05 2025-05 | anyone .40 .60 | .90 .20 .20 .050 .10 | -
"""
EVERYTHING, GROWTH, ADS, SEARCH, SEARCH_AD, UNSEEN_AD, MAIL, LETTERS, LETTER, EVENTS, FAIRS, FAIR, STAND = range(13)
BELOW = {EVERYTHING: ["Search ad", "Letter", "Stand"], GROWTH: ["Search ad", "Letter"], ADS: ["Search ad"],
         EVENTS: ["Stand"], LETTER: ["Letter"]}


@pytest.fixture(scope="module")
def company():
    return simulate_company(11, 60, 400, PLAN)


@pytest.fixture(scope="module")
def tables(company):
    return company.tables


@pytest.fixture(scope="module")
def truth(company):
    return causal_values(company, UNTIL).set_index("campaign_id")


def won_in(tables, until=UNTIL):
    """Count and add up the deals that the records call won by a moment."""
    won = tables["deal_changes"].query("stage == 'Closed Won' and changed_at <= @until.tz_convert(None)")
    return len(won), won["amount"].sum()


def test_simulate_company_is_the_same_for_a_seed_and_another_for_another(tables):
    again, other = simulate_company(11, 60, 400, PLAN).tables, simulate_company(12, 60, 400, PLAN).tables
    for name, table in tables.items():
        assert_frame_equal(table, again[name])
    assert not tables["memberships"].equals(other["memberships"])
    assert not tables["deals"].equals(other["deals"])


@pytest.mark.parametrize("campaign", BELOW)
def test_causal_value_is_what_a_company_that_reaches_nobody_lacks(tables, truth, campaign):
    silent = PLAN
    for name in BELOW[campaign]:
        silent, n_found = re.subn(rf"({name} \| \S+ \S+ \| \w+) \.\d+", r"\1 .00", silent)
        assert n_found == 1
    n_lost, lost = np.subtract(won_in(tables), won_in(simulate_company(11, 60, 400, silent).tables))
    assert n_lost > 0
    assert truth.loc[campaign, "n_won_lost"] == n_lost
    assert truth.loc[campaign, "causal_value"] == pytest.approx(lost, abs=0.005)


def test_causal_value_of_a_campaign_nobody_met_is_nothing(truth):
    assert truth.loc[UNSEEN_AD, ["n_won_lost", "causal_value"]].tolist() == [0, 0.0]
    assert truth.loc[SEARCH, "causal_value"] == truth.loc[SEARCH_AD, "causal_value"] > 0


@pytest.mark.parametrize("until", ["2024-11-04", "2025-10-31", "2026-11-15"])
def test_won_without_counts_the_deals_won_up_to_a_moment(company, tables, until):
    until = pd.Timestamp(until, tz="UTC")
    assert won_without(company.world, frozenset(), until) == won_in(tables, until)
    assert won_in(tables, until)[0] > 0


def test_up_the_tree_combines_every_campaign_with_all_below_it(company):
    campaigns = company.world.campaigns
    assert up_the_tree(campaigns, [1] * 13, np.add) == [13, 8, 4, 3, 1, 1, 3, 2, 1, 4, 3, 2, 1]
    assert up_the_tree(campaigns, range(13), max) == [12, 8, 5, 5, 4, 5, 8, 8, 8, 12, 12, 12, 12]


def test_campaigns_cost_stands_on_the_asset_or_on_the_campaign_that_books_it(tables):
    cost = tables["campaigns"].set_index("campaign_id")["actual_cost"]
    assert cost.dropna().to_dict() == {SEARCH: 900.0, LETTER: 300.0}          # 400 people bear a tenth of the plan
    starts = tables["campaigns"].set_index("campaign_id")["starts_on"].dt.strftime("%Y-%m-%d")
    assert starts.loc[[EVERYTHING, GROWTH, EVENTS, STAND]].tolist() == ["2025-01-01", "2025-01-01"] + ["2025-05-01"] * 2
    made = tables["campaigns"].set_index("campaign_id")["created_at"]
    assert made[EVERYTHING] < made[GROWTH] < made[ADS] < made[SEARCH] < made[SEARCH_AD]


def test_deal_amount_is_fixed_by_the_company_and_the_number_of_its_deal(company):
    accounts, numbers = np.array([3, 3, 4]), np.array([0, 1, 0])
    amounts = deal_amounts(company.world, accounts, numbers, np.array([False, True, False]))
    assert amounts[0] == deal_amounts(company.world, accounts[:1], numbers[:1], np.array([False]))[0]
    assert len(set(amounts)) == 3
    assert (np.round(amounts * 100) == amounts * 100).all() and (amounts >= 2_000).all()


def test_deals_end_with_the_amount_and_the_close_day_of_their_last_change(tables):
    last = tables["deal_changes"].drop_duplicates("deal_id", keep="last").set_index("deal_id")
    closed = tables["deals"][tables["deals"]["is_closed"]].set_index("deal_id")
    assert len(closed) > 20
    assert_frame_equal(last.loc[closed.index, ["amount"]], closed[["amount"]])
    assert (last.loc[closed.index, "changed_at"] == closed["ends_at"]).all()
    assert (last.loc[closed.index, "close_on"] == closed["ends_at"].dt.normalize()).all()
    assert last.loc[closed.index, "stage"].eq("Closed Won").tolist() == closed["is_won"].tolist()
    assert not last.drop(closed.index)["stage"].str.startswith("Closed").any()


def test_deal_changes_go_forward(tables):
    changes = tables["deal_changes"]
    order = ["Prospecting", "Qualification", "Needs Analysis", "Proposal", "Negotiation", "Closed Lost", "Closed Won"]
    ranked = changes.assign(stage=changes["stage"].map(order.index))
    step = ranked.groupby("deal_id")[["changed_at", "stage"]].diff().dropna()
    assert len(step) > 100
    assert (step["changed_at"] > pd.Timedelta(0)).all()
    assert (step["stage"] >= 0).all() and (step["stage"] == 0).any()
    assert changes.drop_duplicates("deal_id")["stage"].eq("Prospecting").all()


def test_statuses_follow_each_other(tables):
    statuses = tables["statuses"]
    before = statuses.groupby("person_id")[["status", "at"]].shift()
    assert (before["status"].dropna() == statuses.loc[before["status"].notna(), "from_status"]).all()
    assert (statuses["at"] - before["at"]).dropna().min() > pd.Timedelta(0)
    assert statuses.loc[before["status"].isna(), "status"].unique().tolist() == ["Open"]
    assert (statuses["status"] != statuses["from_status"]).all()


def test_memberships_begin_when_the_lead_or_contact_is_known(tables):
    memberships, leads, people = (tables[name] for name in ("memberships", "leads", "people"))
    made = leads.set_index("lead_id")["created_at"].reindex(memberships["lead_id"]).to_numpy()
    known = np.fmin(made, people["contact_at"].to_numpy()[memberships["person_id"]])
    assert (memberships["joined_at"] > known).all()
    assert not memberships.duplicated(["person_id", "campaign_id"]).iloc[:-3].any()      # the last 3 are junk
    early = memberships[memberships["responded_at"] < memberships["joined_at"].dt.normalize()]
    assert len(early) > 0 and early["channel"].eq("Advertisement").all()
    assert (early["joined_at"] - early["responded_at"]).max() < pd.Timedelta(days=91)


def test_roles_and_activities_come_after_the_people_and_the_deals_that_they_name(tables):
    people, deals = tables["people"].set_index("person_id"), tables["deals"].set_index("deal_id")
    roles, activities = tables["roles"], tables["activities"]
    assert (roles["created_at"] > people.loc[roles["person_id"], "contact_at"].to_numpy()).all()
    assert (roles["created_at"] > deals.loc[roles["deal_id"], "created_at"].to_numpy()).all()
    account_ids = people.loc[roles["person_id"], "account_id"], deals.loc[roles["deal_id"], "account_id"]
    assert account_ids[0].tolist() == account_ids[1].tolist()
    assert not roles[roles["is_primary"]].duplicated("deal_id").any()
    assert (activities["created_at"] >= people.loc[activities["person_id"], "known_at"].to_numpy()).all()
    assert set(activities["kind"]) == {"call", "email", "list_email", "meeting", "task"}


def test_leads_convert_with_their_deal(tables):
    leads, deals = tables["leads"].query("deal_id >= 0"), tables["deals"].set_index("deal_id")
    assert len(leads) > 5
    assert (leads["converted_at"].to_numpy() == deals.loc[leads["deal_id"], "created_at"].to_numpy()).all()
    assert (leads["person_id"].to_numpy() == deals.loc[leads["deal_id"], "person_id"].to_numpy()).all()


def test_write_company_writes_an_export_its_agreement_and_the_truth(tmp_path):
    folder = write_company(tmp_path / "made" / "here", 11, 12, 60, truth=False)
    assert "truth.csv" not in [path.name for path in folder.iterdir()]
    agreement = read_agreement(folder)
    assert (agreement.currency, agreement.time_zone, agreement.contribution_margin) == ("EUR", "Europe/Helsinki", 0.6)
    assert agreement.plan["2026-10"] == {"won_value": 350000, "cost": 85000, "n_mqls": 95, "n_sqls": 22}


def test_write_company_refuses_a_dialect_before_it_writes(tmp_path):
    with pytest.raises(ValueError, match="dialect: 'xml' is not one of data_export, bulk"):
        write_company(tmp_path / "made", 11, 12, 60, dialect="xml")
    assert list(tmp_path.iterdir()) == []


RULES = sorted(set(MODELS) - {"position_based"})              # which needs weights of its own


def tables_of_october(folder):
    """Read an export as of the end of October: the tables from the entries to each model's credit."""
    agreement = read_agreement(folder)
    crm = read_crm(folder, agreement, AS_OF)
    entries, conversions, journeys, credit = path_of(crm, agreement)
    return {"entries": entries, "conversions": conversions, "journeys": journeys,
            "deals": list_deals(conversions, journeys, credit, crm.campaigns)} | {
            model: share_credit(journeys, model) for model in RULES}


@pytest.fixture(scope="module")
def two_exports(tmp_path_factory):
    """The same company, exported as October ends and, in the other dialect, as the year ends."""
    folder = tmp_path_factory.mktemp("exports")
    december = pd.Timestamp("2026-12-31 21:59:59", tz="UTC")
    return (write_company(folder / "october", 1, 60, 400, exported_at=AS_OF, truth=False),
            write_company(folder / "december", 1, 60, 400, exported_at=december, dialect="bulk", truth=False))


@pytest.fixture(scope="module")
def october_twice(two_exports):
    return [tables_of_october(folder) for folder in two_exports]


@pytest.mark.parametrize("name", ["entries", "conversions", "journeys", "deals", *RULES])
def test_october_is_the_same_whenever_it_is_exported(october_twice, name):
    # The entries of people carry today's owner, whose history the export does not have.
    then, later = (tables[name].drop(columns="owner_id", errors="ignore") for tables in october_twice)
    assert len(then) > 20
    assert_frame_equal(then, later)


def test_october_has_deals_to_compare(october_twice):
    closed = october_twice[0]["conversions"]["converted_at"].dt.tz_convert("Europe/Helsinki").dt.strftime("%Y-%m")
    assert (closed == "2026-10").sum() >= 2 and closed.max() == "2026-10"


def rows_of(folder, name, encoding):
    with open(folder / f"{name}.csv", encoding=encoding, newline="") as file:
        return {row["Id"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", ["Lead", "LeadHistory", "CampaignMember", "Opportunity", "OpportunityHistory"])
def test_december_has_more_rows_than_october(two_exports, name):
    october, december = map(rows_of, two_exports, (name, name), ("iso-8859-1", "utf-8-sig"))
    assert 0 < len(october) < len(december)


def test_december_has_won_what_was_open_in_october(two_exports):
    october, december = map(rows_of, two_exports, 2 * ["Opportunity"], ("iso-8859-1", "utf-8-sig"))
    assert any(row["IsClosed"] == "0" and december[key]["IsWon"] == "true" for key, row in october.items())
