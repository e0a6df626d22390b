"""Hand-sized tables: a tree of five campaigns, and a CRM of three deals that one can work out on paper."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import settings

from attribution.agreement import Agreement
from attribution.cli import main
from attribution.costs import phase_costs
from attribution.credit import share_credit
from attribution.entries import build_entries
from attribution.funnel import build_conversions, build_pipeline
from attribution.journeys import build_journeys
from attribution.language import use_language
from attribution.months import month_figures
from attribution.roi import campaign_roi, credit_stages, credited_counts
from attribution.tables import CRM, DAY, SCHEMAS, UTC

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("repeatable")

AS_OF = pd.Timestamp("2026-10-31 21:59:59.999999", tz="UTC")     # the end of October in Helsinki


def make(name, **columns):
    """Make a table of a schema: the columns given (a single value stands for every row), null or False elsewhere."""
    wanted = {column: about.dtype.type for column, about in SCHEMAS[name].columns.items()}
    given = pd.DataFrame(columns)
    return pd.DataFrame({column: _typed(given, column, dtype) for column, dtype in wanted.items()})


def _typed(given, column, dtype):
    if column not in given:
        return pd.Series([False if dtype is bool else None] * len(given)).astype(dtype)
    if dtype == UTC:
        return pd.to_datetime(given[column], utc=True, format="ISO8601").astype(UTC)
    return pd.to_datetime(given[column]).astype(DAY) if dtype == DAY else given[column].astype(dtype)


def make_credit(*rows):
    """Make credit from (conversion_id, campaign_id, credit) or (..., is_before_opportunity)."""
    table = pd.DataFrame([(*row, False)[:4] for row in rows],
                         columns=["conversion_id", "campaign_id", "credit", "is_before_opportunity"])
    return table.astype({"conversion_id": "str", "campaign_id": "str", "credit": float, "is_before_opportunity": bool})


@pytest.fixture
def finnish():
    """Speak Finnish during a test."""
    yield use_language("fi")
    use_language("en")


@pytest.fixture
def tree():
    """EMEA stands over Fairs (Slush and Nordic) and Ads; the budgets of Slush and Nordic are the roll-up fixture's."""
    return make("campaigns", campaign_id=["emea", "fairs", "slush", "nordic", "ads"],
                parent_id=[None, "emea", "fairs", "fairs", "emea"],
                campaign_name=["EMEA", "Fairs", "Slush", "Nordic", "Ads"],
                starts_on=["2026-01-01", "2026-01-01", "2026-03-01", "2026-10-20", "2026-06-01"],
                ends_on=["2026-12-31", "2026-12-31", "2026-03-10", "2026-10-29", None],
                budgeted_cost=[None, None, 1000.0, 500.0, None], actual_cost=[None, None, 900.0, 100.0, None],
                created_at="2026-01-01T08:00:00Z")


@pytest.fixture
def crm(tree):
    """Ann and Bo are at Acme, Cy at Beta, Di nowhere yet; Acme bought in May and again in October, Beta is deciding."""
    people = make("people", person_id=["ann", "bo", "cy", "di"], account_id=["acme", "acme", "beta", None],
                  lead_id=["L1", None, "L3", "L4"], created_at="2026-02-01T08:00:00Z",
                  lead_created_at=["2026-03-01T10:00:00Z", None, "2026-06-10T10:00:00Z", "2026-10-05T10:00:00Z"],
                  owner_id="sam")
    touches = make("touches", touch_id=["t1", "t2", "t3", "t4", "t5", "t6"],
                   person_id=["ann", "ann", "bo", "cy", "cy", "di"],
                   account_id=["acme", "acme", "acme", "beta", "beta", None],
                   campaign_id=["slush", "ads", "slush", "ads", "nordic", "ads"],
                   touched_at=["2026-02-28T22:00:00Z", "2026-07-01T21:00:00Z", "2026-07-31T21:00:00Z",
                               "2026-06-09T21:00:00Z", "2026-10-20T21:00:00Z", "2026-10-04T21:00:00Z"],
                   kind="response", joined_at="2026-10-01T00:00:00Z")
    opportunities = make("opportunities", opportunity_id=["d1", "d2", "d3"], account_id=["acme", "acme", "beta"],
                         stage=["Closed Won", "Closed Won", "Proposal"], value=[1000.0, 600.0, 800.0],
                         probability=[1.0, 1.0, 0.5], expected_value=[1000.0, 600.0, 400.0],
                         close_on=["2026-05-04", "2026-10-15", "2026-12-31"],
                         created_at=["2026-04-01T09:00:00Z", "2026-07-15T09:00:00Z", "2026-09-01T09:00:00Z"],
                         is_closed=[True, True, False], is_won=[True, True, False],
                         primary_campaign_id=["slush", "ads", None], owner_id="sam")
    changes = make("stage_changes", change_id=["h1", "h2", "h3"], record_type="lead", record_id=["L1", "L1", "L3"],
                   person_id=["ann", "ann", "cy"], from_stage=["Open", "MQL", "Open"], stage=["MQL", "SQL", "SQL"],
                   changed_at=["2026-03-05T10:00:00Z", "2026-03-20T10:00:00Z", "2026-08-20T10:00:00Z"])
    rest = {name: make(name) for name in ("activities", "left_out", "missing")}
    return CRM(tree, people, make("accounts", account_id=["acme", "beta"]), touches, opportunities,
               make("contact_roles", contact_role_id=["r1", "r2"], opportunity_id=["d1", "d2"],
                    person_id=["ann", "ann"]),
               changes, rest["activities"], make("owners", owner_id=["sam"]), rest["left_out"], rest["missing"],
               exported_at=pd.Timestamp("2026-11-02T06:00:00Z"), as_of=AS_OF, currency="EUR")


@pytest.fixture
def agreement():
    return Agreement(company="Example", time_zone="Europe/Helsinki", currency="EUR", contribution_margin=0.6,
                     plan={"2026-10": {"won_value": 1200.0}})


@pytest.fixture(scope="session")
def sample_report(tmp_path_factory):
    """The sample month's folder with every report, made once by the command line."""
    out = tmp_path_factory.mktemp("reports")
    data = Path(__file__).parents[1] / "data" / "sample"
    assert main(["report", "all", "--month", "2026-10", "--data", str(data), "--out", str(out)]) == 0
    return out / "2026-10"


def costs_of(**costs):
    return pd.DataFrame({"campaign_id": pd.Series(list(costs), dtype="str"),
                         "cost": pd.Series(list(costs.values()), dtype=float)})


def conversions_of(**columns):
    return make("conversions", converted_at="2026-10-15T12:00:00Z", **columns)


def lead_crm(crm, *changes, **person):
    """A CRM of one person, born on 1 March as lead L1, whose statuses are given as (from, to, when)."""
    rows = make("stage_changes", change_id=[f"h{i}" for i in range(len(changes))], record_type="lead", record_id="L1",
                person_id="ann", from_stage=[a for a, _, _ in changes], stage=[b for _, b, _ in changes],
                changed_at=[at for *_, at in changes])
    people = crm.people.head(1).assign(**person)
    return dataclasses.replace(crm, people=people, stage_changes=rows, opportunities=make("opportunities"))


def path_of(crm, agreement, model="linear"):
    """Walk the whole path of the small CRM: entries, conversions, journeys, credit."""
    entries = build_entries(crm, agreement)
    conversions = build_conversions(entries, crm.opportunities, crm.contact_roles)
    journeys = build_journeys(crm.touches, conversions, crm.contact_roles, time_zone=agreement.time_zone)
    return entries, conversions, journeys, share_credit(journeys, model)


def whole_returns(crm, agreement, on_orphan="raise"):
    entries, conversions, _, credit = path_of(crm, agreement)
    pipeline = build_pipeline(entries, crm.opportunities, crm.contact_roles, as_of=crm.as_of)
    open_credit = share_credit(build_journeys(crm.touches, pipeline, crm.contact_roles, time_zone=agreement.time_zone))
    stages = credit_stages(crm, entries, agreement, "linear", linking="hybrid", lookback_days=365)
    return campaign_roi(credit, costs_of(slush=900.0, nordic=100.0), crm.campaigns, conversions=conversions,
                        pipeline=open_credit, counts=credited_counts(stages), touches=crm.touches,
                        contribution_margin=0.6, on_orphan=on_orphan)


@pytest.fixture
def orphaned(tree):
    """Fairs hangs on a campaign that was not exported; Slush and Nordic go with it."""
    return tree.assign(parent_id=tree["parent_id"].mask(tree["campaign_id"] == "fairs", "gone"))


def figures_of(table):
    return table.set_index("figure")["value"].to_dict()


@pytest.fixture
def october(crm, agreement):
    entries, conversions, _, credit = path_of(crm, agreement)
    costs = phase_costs(crm.campaigns, pd.Timestamp("2026-11-02"))
    return figures_of(month_figures("2026-10", agreement, entries, conversions, credit, costs, crm.campaigns))
