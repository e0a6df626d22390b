"""The agreement says where a day begins, and refuses what it does not understand."""

import dataclasses
import re
import tomllib

import pandas as pd
import pytest
from conftest import make

from attribution.agreement import (
    DISQUALIFIED,
    STAGES,
    Agreement,
    Hours,
    Promise,
    Stage,
    check_agreement,
    draft_agreement,
    month_days,
    parse_agreement,
    read_agreement,
)

FULL = """
[company]
name = "Example"
time_zone = "Europe/Helsinki"
currency = "EUR"
contribution_margin = 0.6
instance_url = "https://example.my.salesforce.com/"
fiscal_year_starts = 4
[touches]
count = "memberships"
[rates]
USD = 1.25
[[stages]]
name = "lead"
owner = "marketing"
rule = "lead_created"
values = ["Open"]
[[stages]]
name = "mql"
owner = "marketing"
rule = "lead_status"
values = ["MQL"]
[[stages]]
name = "won"
owner = "sales"
rule = "opportunity_won"
[disqualified]
values = ["Dead"]
[hours]
days = ["Fri", "Mon"]
opens = "09:30"
closes = "24:00"
holidays = "DE-BY"
[[promises]]
by = "marketing"
stage = "mql"
per = "quarter"
n = 95
value = 120000
[[promises]]
by = "sales"
stage = "mql"
per = "month"
within_hours = 16
attempts = 2
within_days = 14
share = 0.8
[targets]
"2026" = 4200000
[bands]
warm = 30
hot = 80
[plan."2026-10"]
won_value = 250000
"""


def stages_of(*rules, **more):
    """Write stages named a, b, ... with these rules."""
    said = [{"name": name, "owner": "sales", "rule": rule, **TAKES.get(rule, {})}
            for name, rule in zip("abcdefghij", rules, strict=False)]
    return {"stages": said, **more}


TAKES = {"lead_status": {"values": ["MQL"]}, "date_field": {"field": "MQL_Date__c"}, "activity": {"values": ["call"]},
         "score": {"field": "Score__c", "at_least": 60}, "opportunity_stage": {"values": ["Proposal"]}}


def days(*texts):
    return pd.Series(pd.to_datetime(list(texts)).astype("datetime64[us]"))


def test_read_agreement_reads_every_key(tmp_path):
    (tmp_path / "agreement.toml").write_text(FULL)
    assert read_agreement(tmp_path) == read_agreement(tmp_path / "agreement.toml") == Agreement(
        "Example", "Europe/Helsinki", "EUR", {"USD": 1.25}, 0.6, "https://example.my.salesforce.com", "memberships",
        (Stage("lead", "marketing", "lead_created", ("Open",)), Stage("mql", "marketing", "lead_status", ("MQL",)),
         Stage("won", "sales", "opportunity_won")),
        {"2026-10": {"won_value": 250000.0}}, ("Dead",), Hours((0, 4), "09:30", "24:00", "DE", "BY"),
        (Promise("marketing", "mql", "quarter", n=95, value=120000.0),
         Promise("sales", "mql", "month", within_hours=16.0, attempts=2, within_days=14.0, share=0.8)),
        4, {"2026": 4200000.0}, {"warm": 30.0, "hot": 80.0})


def test_read_agreement_takes_defaults_for_what_is_not_said(tmp_path):
    (tmp_path / "agreement.toml").write_text("")
    assert read_agreement(tmp_path) == Agreement()
    assert [stage.name for stage in Agreement().stages] == ["lead", "mql", "sql", "opportunity", "customer"]


def test_read_agreement_reads_a_file_that_begins_with_a_byte_order_mark(tmp_path):
    (tmp_path / "agreement.toml").write_text('[company]\nname = "Example"', encoding="utf-8-sig")
    assert read_agreement(tmp_path).company == "Example"


@pytest.mark.parametrize(("text", "words"), [
    ('[company]\nnaem = "x"', "company: 'naem' is not one of name, time_zone, currency, contribution_margin,"),
    ("[sla]\nhours = 2", "agreement: 'sla' is not one of company, touches, rates, stages, plan"),
    ('[company]\ntime_zone = "Mars/Olympus"', "company.time_zone: 'Mars/Olympus' is not a time zone like"),
    ("[company]\ntime_zone = 2", "company.time_zone: 2 is not a time zone like"),
    ('[company]\ncurrency = "euro"', "company.currency: 'euro' is not a currency code like 'EUR'"),
    ("[company]\ncontribution_margin = 60", "company.contribution_margin: 60 is not a share between 0 and 1"),
    ("[company]\ncontribution_margin = true", "company.contribution_margin: True is not a share between 0 and 1"),
    ("[company]\nname = 7", "company.name: 7 is not text"),
    ('[company]\ninstance_url = "http://x.com"', "company.instance_url: 'http://x.com' is not an address like"),
    ('[company]\ninstance_url = "https://x.com\\" onclick=1"', "company.instance_url: .* is not an address like"),
    ("[company]\ninstance_url = 7", "company.instance_url: 7 is not an address like"),
    ('[touches]\ncount = "clicks"', "touches.count: 'clicks' is not one of responses, memberships"),
    ("touches = 3", "touches: 3 is not a table"),
    ("[rates]\nUSD = 0", "rates.USD: 0 is not a positive number"),
    ("[rates]\nUSD = nan", "rates.USD: nan is not a positive number"),
    ("[rates]\ndollar = 1.1", "rates: 'dollar' is not a currency code like 'EUR'"),
    ('[[stages]]\nname = "lead"\nowner = "marketing"', r"stages\[1\].rule: is missing"),
    ('[[stages]]\nname = "lead"\nowner = "finance"\nrule = "lead_created"',
     r"stages\[1\].owner: 'finance' is not one of marketing, sales"),
    ('[[stages]]\nname = "lead"\nowner = "sales"\nrule = "magic"',
     r"stages\[1\].rule: 'magic' is not one of person_created, lead_created, lead_status, date_field, score, activity, "
     "opportunity_created, opportunity_stage, opportunity_won"),
    ('[[stages]]\nname = "won"\nowner = "sales"\nrule = "opportunity_won"\n'
     '[[stages]]\nname = "lead"\nowner = "sales"\nrule = "lead_created"', "stages: their rules must come in the order "
     "person_created, lead_created, .*; 'won' stands before 'lead'"),
    ('[[stages]]\nname = "deal"\nowner = "sales"\nrule = "opportunity_won"',
     r"stages\[1\].name: 'deal' already means something else"),
    ('[[stages]]\nname = "Deals "\nowner = "sales"\nrule = "opportunity_won"',
     r"stages\[1\].name: 'Deals ' already means something else"),
    ('[[stages]]\nname = "lead"\nowner = "sales"\nrule = "lead_created"',
     "stages: one stage needs the rule opportunity_won, 0 have it"),
    ('[[stages]]\nname = "mql"\nowner = "sales"\nrule = "lead_status"',
     r"stages\[1\].values: name the lead statuses that count as 'mql'"),
    ('[[stages]]\nname = "mql"\nowner = "sales"\nrule = "lead_status"\nvalues = "MQL"',
     r"stages\[1\].values: name the lead statuses that count as 'mql'"),
    (2 * '[[stages]]\nname = "lead"\nowner = "sales"\nrule = "lead_created"\n', "stages: 'lead' stands more than once"),
    ("stages = []", r"stages: \[\] is not a list of stages, each under \[\[stages\]\]"),
    ("stages = 4", "stages: 4 is not a list of stages"),
    ('[plan."2026-13"]\ncost = 1', "month: '2026-13' is not a month like '2026-10'"),
    ('[plan."2026-10"]\nwon = 1', "plan.2026-10: 'won' is not one of won_value, cost, n_leads"),
    ('[plan."2026-10"]\ncost = "much"', "plan.2026-10.cost: 'much' is not a positive number"),
    ("[company", "agreement.toml: "),
])
def test_read_agreement_names_the_file_and_the_key(tmp_path, text, words):
    (tmp_path / "agreement.toml").write_text(text)
    with pytest.raises(ValueError, match=rf"agreement\.toml: (.*{words})?") as error:
        read_agreement(tmp_path)
    assert pd.Series([str(error.value)]).str.contains(words, regex=True)[0], str(error.value)
    assert "\n" not in str(error.value)


def test_read_agreement_says_how_to_draft_one_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"there is no such file\. Draft one .* attribution agreement init --data"):
        read_agreement(tmp_path / "agreement.toml")


def test_read_agreement_refuses_another_encoding(tmp_path):
    (tmp_path / "agreement.toml").write_bytes('[company]\nname = "Mäkelä"'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"agreement\.toml: .*utf-8"):
        read_agreement(tmp_path)


def test_start_and_end_of_day_follow_the_clock_change():
    helsinki = Agreement(time_zone="Europe/Helsinki")
    # clocks go forward on 29 March 2026 (a day of 23 hours) and back on 25 October 2026 (a day of 25)
    both = days("2026-03-29", "2026-10-25")
    lengths = helsinki.end_of(both) - helsinki.start_of(both) + pd.Timedelta(microseconds=1)
    assert lengths.tolist() == [pd.Timedelta(hours=23), pd.Timedelta(hours=25)]
    assert helsinki.start_of(both).tolist() == [pd.Timestamp("2026-03-28T22:00Z"), pd.Timestamp("2026-10-24T21:00Z")]


def test_start_of_takes_the_first_moment_where_midnight_does_not_exist_or_comes_twice():
    # Cuba's clocks went forward at midnight of 8 March 2026, to 01:00, and go back from 01:00 to midnight on 1 November
    cuba = Agreement(time_zone="America/Havana").start_of(days("2026-03-08", "2026-11-01"))
    assert cuba.tolist() == [pd.Timestamp("2026-03-08T05:00Z"), pd.Timestamp("2026-11-01T04:00Z")]


def test_day_of_gives_back_every_day_and_keeps_blanks():
    helsinki, asked = Agreement(time_zone="Europe/Helsinki"), days("2026-01-01", "2026-10-25", None)
    pd.testing.assert_series_equal(helsinki.day_of(helsinki.start_of(asked)), asked)
    pd.testing.assert_series_equal(helsinki.day_of(helsinki.end_of(asked)), asked)
    assert helsinki.local_day(pd.Timestamp("2026-10-31T22:00Z")) == pd.Timestamp("2026-11-01")


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "October", "2026-10-01", "", None, 202610, "2026-10\n"])
def test_month_days_refuses_what_is_no_month(month):
    with pytest.raises(ValueError, match="month: .* is not a month like '2026-10'"):
        month_days(month)


def test_month_end_is_the_last_moment_of_a_leap_february():
    assert Agreement().month_end("2028-02") == pd.Timestamp("2028-02-29T23:59:59.999999Z")


def test_read_agreement_of_a_zip_stands_beside_it(tmp_path):
    (tmp_path / "export.zip").write_bytes(b"PK")
    (tmp_path / "agreement.toml").write_text('[company]\nname = "Example"')
    assert read_agreement(tmp_path / "export.zip").company == "Example"
    with pytest.raises(ValueError, match=r"none: there is no such folder or ZIP"):
        read_agreement(tmp_path / "none")


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


MARKETING = {"by": "marketing", "stage": "mql", "per": "month", "n": 95}
SALES = {"by": "sales", "stage": "mql", "per": "month", "within_hours": 16}


@pytest.mark.parametrize(("said", "words"), [
    ({"hours": {"holidays": "XX"}}, "hours.holidays: 'XX' is not a country that the holidays package knows"),
    ({"hours": {"holidays": "DE-XX"}}, "hours.holidays: 'DE-XX': region: 'XX' is not one of BB, BE, BW, BY"),
    ({"hours": {"holidays": "finland"}}, "hours.holidays: 'finland' is not a country that the holidays package knows"),
    ({"hours": {"holidays": ""}}, "hours.holidays: '' is not a country that the holidays package knows"),
    ({"hours": {"holidays": 3}}, "hours.holidays: 3 is not text"),
    ({"hours": {"closes": "08:00"}}, "hours.closes: '08:00' is not after hours.opens"),
    ({"hours": {"opens": "8:00"}}, "hours.opens: '8:00' is not a time like '08:00'"),
    ({"hours": {"closes": "24:30"}}, "hours.closes: '24:30' is not a time like"),
    ({"hours": {"closes": 16}}, "hours.closes: 16 is not a time like"),
    ({"hours": {"days": ["Monday"]}}, "hours.days: 'Monday' is not one of Mon, Tue, Wed, Thu, Fri, Sat, Sun"),
    ({"hours": {"days": []}}, "hours.days: on one day at least sales must be open"),
    ({"hours": {"days": "Mon"}}, "hours.days: name the days of the week, as in"),
    ({"hours": {"lunch": "12:00"}}, "hours: 'lunch' is not one of days, opens, closes, holidays"),
    ({"promises": {"by": "sales"}}, "promises: .* is not a list of promises, each under [[promises]]"),
    ({"promises": [MARKETING, SALES | {"stage": "mq"}]}, "promises[2].stage: 'mq' is not one of lead, mql, sql"),
    ({"promises": [MARKETING | {"stage": "mq"}]}, "promises[1].stage: 'mq' is not one of lead, mql, sql, opportunity"),
    ({"promises": [SALES | {"stage": "customer"}]}, "promises[1].stage: 'customer' is not one of lead, mql, sql"),
    ({"promises": [MARKETING | {"per": "week"}]}, "promises[1].per: 'week' is not one of month, quarter, year"),
    ({"promises": [MARKETING | {"by": "finance"}]}, "promises[1].by: 'finance' is not one of marketing, sales"),
    ({"promises": [{"by": "sales", "stage": "mql"}]}, "promises[1].per: is missing"),
    ({"promises": [{"by": "marketing", "stage": "mql", "per": "month"}]}, "promises[1].n: is missing"),
    ({"promises": [MARKETING | {"n": 9.5}]}, "promises[1].n: 9.5 is not a whole number above 0"),
    ({"promises": [MARKETING | {"n": 0}]}, "promises[1].n: 0 is not a whole number above 0"),
    ({"promises": [MARKETING | {"n": True}]}, "promises[1].n: True is not a whole number above 0"),
    ({"promises": [MARKETING | {"value": -1}]}, "promises[1].value: -1 is not a positive number"),
    ({"promises": [MARKETING | {"share": 0.8}]},
     "promises[1].share: a promise by marketing takes none; it takes by, stage, per, n, value"),
    ({"promises": [SALES | {"n": 5}]}, "promises[1].n: a promise by sales takes none; it takes by, stage, per, with"),
    ({"promises": [SALES | {"hours": 5}]}, "promises[1]: 'hours' is not one of by, stage, per, n, value, within_hours"),
    ({"promises": [SALES | {"attempts": 2}]}, "promises[1]: a promise by sales needs within_hours, or attempts"),
    ({"promises": [SALES | {"within_days": 2}]}, "promises[1]: a promise by sales needs within_hours, or attempts"),
    ({"promises": [{"by": "sales", "stage": "mql", "per": "year"}]}, "promises[1]: a promise by sales needs within_ho"),
    ({"promises": [SALES | {"within_hours": 0}]}, "promises[1].within_hours: 0 is not a positive number"),
    ({"promises": [SALES | {"share": 80}]}, "promises[1].share: 80 is not a share between 0 and 1"),
    ({"promises": [SALES | {"share": 0}]}, "promises[1].share: 0 is not a positive number"),
    ({"promises": [SALES, SALES | {"within_hours": 2}]},
     "promises: by sales on 'mql' per month stands more than once"),
    ({"targets": {"26": 1}}, "targets: '26' is not a fiscal year like '2026'"),
    ({"targets": {"2026": "much"}}, "targets.2026: 'much' is not a positive number"),
    ({"bands": {"warm": 70}}, "bands: warm (70) must be below hot (70), and hot at most 100"),
    ({"bands": {"hot": 101}}, "bands: warm (40) must be below hot (101), and hot at most 100"),
    ({"bands": {"warm": 0}}, "bands.warm: 0 is not a positive number"),
    ({"bands": {"cold": 1}}, "bands: 'cold' is not one of warm, hot"),
    ({"company": {"fiscal_year_starts": 13}}, "company.fiscal_year_starts: 13 is not a month from 1 to 12"),
    ({"company": {"fiscal_year_starts": 0}}, "company.fiscal_year_starts: 0 is not a month from 1 to 12"),
    ({"company": {"fiscal_year_starts": True}}, "company.fiscal_year_starts: True is not a month from 1 to 12"),
    ({"disqualified": {"values": "Dead"}}, "disqualified.values: name the lead statuses, as in"),
    ({"disqualified": ["Dead"]}, "disqualified: ['Dead'] is not a table"),
    ({"disqualified": {"values": ["MQL"]}}, "disqualified.values: the lead status 'MQL' stands in stages[2].val"),
    (stages_of("lead_status", "date_field", "lead_status", "opportunity_won"),
     "stages[3].values: the lead status 'MQL' stands in stages[1].values too"),
    (stages_of("opportunity_stage", "opportunity_stage", "opportunity_won"),
     "stages[2].values: the deal stage 'Proposal' stands in stages[1].values too"),
    (stages_of("lead_created", "person_created", "opportunity_won"), "; 'a' stands before 'b'"),
    (stages_of("opportunity_stage", "opportunity_created", "opportunity_won"), "; 'a' stands before 'b'"),
    (stages_of("opportunity_created", "score", "opportunity_won"), "; 'a' stands before 'b'"),
    (stages_of("lead_created", "lead_created", "opportunity_won"),
     "stages: only one stage may have the rule lead_created, 2 have it"),
    (stages_of("person_created", "person_created", "opportunity_won"),
     "stages: only one stage may have the rule person_created, 2 have it"),
    (stages_of("opportunity_created", "opportunity_created", "opportunity_won"),
     "stages: only one stage may have the rule opportunity_created, 2 have it"),
    (stages_of("opportunity_won", "opportunity_won"), "stages: one stage needs the rule opportunity_won, 2 have it"),
    ({"stages": [{"name": "a", "owner": "sales", "rule": "score", "field": "S__c"}]}, "stages[1].at_least: is missing"),
    ({"stages": [{"name": "a", "owner": "sales", "rule": "date_field"}]}, "stages[1].field: is missing"),
    ({"stages": [{"name": "a", "owner": "sales", "rule": "date_field", "field": ""}]}, "stages[1].field: is missing"),
    ({"stages": [{"name": "a", "owner": "sales", "rule": "date_field", "field": 7}]}, "stages[1].field: 7 is not text"),
    ({"stages": [{"name": "a", "owner": "sales", "rule": "activity", "values": ["fax"]}]},
     "stages[1].values: 'fax' is not one of call, email, meeting, linkedin, task"),
    ({"stages": [{"name": "a", "owner": "sales", "rule": "activity"}]},
     "stages[1].values: name the kinds of activity that count as 'a', as in [\"call\"]"),
    ({"stages": [{"name": "a", "owner": "sales", "rule": "opportunity_stage"}]},
     "stages[1].values: name the deal stages that count as 'a', as in [\"Proposal\"]"),
    ({"stages": [{"name": "a", "owner": "sales", "rule": "opportunity_won", "values": ["Won"]}]},
     "stages[1].values: the rule opportunity_won takes none; it takes name, owner, rule"),
    ({"stages": [{"name": "Out", "owner": "sales", "rule": "opportunity_won"}]}, "stages[1].name: 'Out' already means"),
    ({"stages": [{"name": "waiting", "owner": "sales", "rule": "opportunity_won"}]}, "name: 'waiting' already means"),
    ({"stages": [{"name": "all", "owner": "sales", "rule": "opportunity_won"}]}, "stages[1].name: 'all' already means"),
])
def test_parse_agreement_names_the_key(said, words):
    with pytest.raises(ValueError, match=re.escape(words).replace(r"\.\*", ".*")) as error:
        parse_agreement(said)
    assert "\n" not in str(error.value)


def test_parse_agreement_takes_every_rule_in_order():
    said = stages_of("person_created", "lead_created", "score", "activity", "date_field", "lead_status",
                     "opportunity_created", "opportunity_stage", "opportunity_won")
    agreement = parse_agreement(said)
    assert agreement.stages[2:6] == (
        Stage("c", "sales", "score", field="Score__c", at_least=60.0), Stage("d", "sales", "activity", ("call",)),
        Stage("e", "sales", "date_field", field="MQL_Date__c"), Stage("f", "sales", "lead_status", ("MQL",)))
    assert (agreement.stage_names, agreement.won_stage) == (tuple("abcdefghi"), "i")
    assert (agreement.person_stages, agreement.deal_stages) == (tuple("abcdef"), tuple("ghi"))


def test_parse_agreement_promises_all_where_no_share_is_said():
    assert parse_agreement({"promises": [SALES]}).promises == (
        Promise("sales", "mql", "month", within_hours=16.0, share=1.0),)
    tries = {"by": "sales", "stage": "mql", "per": "year", "attempts": 3, "within_days": 7.5}
    assert parse_agreement({"promises": [tries]}).promises == (
        Promise("sales", "mql", "year", attempts=3, within_days=7.5, share=1.0),)


def test_parse_agreement_takes_no_holidays_where_it_is_said():
    assert parse_agreement({"hours": {"holidays": "none"}}).hours == Hours(country="")
    assert parse_agreement({"hours": {"opens": "07:00"}}).hours == Hours(opens="07:00")


def test_parse_agreement_keeps_the_default_disqualified_out_of_the_stages():
    said = stages_of("lead_status", "opportunity_won")
    said["stages"][0]["values"] = ["Unqualified"]
    assert parse_agreement(said).disqualified == ("Disqualified", "Closed - Not Converted")
    assert parse_agreement({"disqualified": {"values": []}}).disqualified == ()


def test_find_stage_names_the_choices():
    assert Agreement().find_stage("mql") == STAGES[1]
    with pytest.raises(ValueError, match="^stage: 'mq' is not one of lead, mql, sql, opportunity, customer$"):
        Agreement().find_stage("mq")


@pytest.mark.parametrize(("starts", "period", "month", "first", "last"), [
    (1, "month", "2028-02", "2028-02-01", "2028-02-29"), (1, "quarter", "2026-03", "2026-01-01", "2026-03-31"),
    (1, "quarter", "2026-10", "2026-10-01", "2026-12-31"), (1, "year", "2026-12", "2026-01-01", "2026-12-31"),
    (2, "quarter", "2026-01", "2025-11-01", "2026-01-31"), (2, "year", "2026-01", "2025-02-01", "2026-01-31"),
    (2, "year", "2026-02", "2026-02-01", "2027-01-31"), (12, "quarter", "2026-02", "2025-12-01", "2026-02-28"),
    (7, "month", "2026-10", "2026-10-01", "2026-10-31"), (7, "year", "2199-10", "2199-07-01", "2200-06-30")])
def test_period_days_follow_the_fiscal_year(starts, period, month, first, last):
    asked = Agreement(fiscal_year_starts=starts).period_days(period, month)
    assert asked == (pd.Timestamp(first), pd.Timestamp(last))
    assert {day.unit for day in asked} == {"us"}


def test_period_days_refuses_what_is_no_period_or_month():
    with pytest.raises(ValueError, match="^period: 'week' is not one of month, quarter, year$"):
        Agreement().period_days("week", "2026-10")
    with pytest.raises(ValueError, match="^month: 'October' is not a month like '2026-10'"):
        Agreement().period_days("month", "October")


def test_fiscal_year_is_named_for_the_year_in_which_it_ends():
    years = [Agreement(fiscal_year_starts=start).fiscal_year("2026-06") for start in (1, 6, 7)]
    assert years == ["2026", "2027", "2026"]


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
