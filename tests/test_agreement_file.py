"""`agreement.toml` is read whole, and what is not understood is refused by its key."""

import re
import tomllib
from datetime import date, time

import pandas as pd
import pytest

from attribution.agreement import Agreement, Hours, Promise, Stage
from attribution.agreement_file import parse_agreement, read_agreement

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


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_read_agreement_refuses_another_encoding(tmp_path, encoding):
    (tmp_path / "agreement.toml").write_bytes('[company]\nname = "Mäkelä"'.encode(encoding))
    with pytest.raises(ValueError, match=r"agreement\.toml: is not in UTF-8: save it as UTF-8$"):
        read_agreement(tmp_path)


def find_leaves(said, *path):
    """List the path of every value in tables and lists, and of the tables and lists themselves."""
    inner = said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list) else ()
    return [path, *(leaf for key, value in inner for leaf in find_leaves(value, *path, key))]


def put(said, path, value):
    if not path:
        return value
    changed = said.copy()
    changed[path[0]] = put(said[path[0]], path[1:], value)
    return changed


WRONG = [["month"], {"a": 1}, [{"a": 1}], [[]], 0, -1, 7, 1e300, 10**400, -10**400, float("nan"), float("inf"), True,
         False, "", "none", date(2026, 10, 31), time(8)]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong)[:20])
def test_parse_agreement_refuses_wrong_values_of_any_key_in_one_line(wrong):
    said = []
    for path in find_leaves(tomllib.loads(FULL))[1:]:
        try:
            parse_agreement(put(tomllib.loads(FULL), path, wrong))
        except ValueError as error:
            said.append(str(error))
    assert len(said) > 30 and all(re.fullmatch(r"[a-z]+[^\n:]*: [^\n]+", each) for each in said)


def test_read_agreement_of_a_zip_stands_beside_it(tmp_path):
    (tmp_path / "export.zip").write_bytes(b"PK")
    (tmp_path / "agreement.toml").write_text('[company]\nname = "Example"')
    assert read_agreement(tmp_path / "export.zip").company == "Example"
    with pytest.raises(ValueError, match=r"none: there is no such folder or ZIP"):
        read_agreement(tmp_path / "none")


MARKETING = {"by": "marketing", "stage": "mql", "per": "month", "n": 95}
SALES = {"by": "sales", "stage": "mql", "per": "month", "within_hours": 16}


@pytest.mark.parametrize(("said", "words"), [
    ({"hours": {"holidays": "XX"}}, "hours.holidays: 'XX' is not a country that the holidays package knows"),
    ({"hours": {"holidays": "DE-XX"}}, "hours.holidays: 'DE-XX': region: 'XX' is not one of BB, BE, BW, BY"),
    ({"hours": {"holidays": "finland"}}, "hours.holidays: 'finland' is not a country that the holidays package knows"),
    ({"hours": {"holidays": "Finland"}}, "hours.holidays: 'Finland' is not a country that the holidays package knows"),
    ({"hours": {"holidays": "HolidayBase"}}, "hours.holidays: 'HolidayBase' is not a country that the holidays pack"),
    ({"hours": {"holidays": "NYSE"}}, "hours.holidays: 'NYSE' is not a country that the holidays package knows"),
    ({"hours": {"holidays": "JAN"}}, "hours.holidays: 'JAN' is not a country that the holidays package knows"),
    ({"hours": {"holidays": "DE-"}}, "hours.holidays: 'DE-': region: '' is not one of BB, BE, BW, BY"),
    ({"hours": {"holidays": "EE-"}}, "hours.holidays: 'EE-': the holidays package knows no regions of EE"),
    ({"hours": {"holidays": "none-BY"}}, "hours.holidays: 'none-BY' is not a country that the holidays package knows"),
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
    ({"promises": [MARKETING | {"per": ["month"]}]}, "promises[1].per: ['month'] is not one of month, quarter, year"),
    ({"promises": [MARKETING | {"per": {"a": 1}}]}, "promises[1].per: {'a': 1} is not one of month, quarter, year"),
    ({"promises": [MARKETING | {"per": 3}]}, "promises[1].per: 3 is not one of month, quarter, year"),
    ({"promises": [MARKETING | {"per": True}]}, "promises[1].per: True is not one of month, quarter, year"),
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
    ({"promises": [MARKETING | {"n": 1_000_000_001}]}, "promises[1].n: 1000000001 is more than 1,000,000,000"),
    ({"promises": [MARKETING | {"n": 10**399}]}, "promises[1].n: 1000.*0000 is more than 1,000,000,000"),
    ({"promises": [MARKETING | {"value": 1.1e12}]}, "promises[1].value: 1100000000000.0 is more than 1,"),
    ({"promises": [SALES | {"within_hours": 10_001}]}, "promises[1].within_hours: 10001 is more than 10,000"),
    ({"promises": [SALES | {"attempts": 1_001, "within_days": 9}]}, "promises[1].attempts: 1001 is more than 1,000"),
    ({"promises": [SALES | {"attempts": 2, "within_days": 3_651}]}, "promises[1].within_days: 3651 is more than 3,65"),
    (stages_of("opportunity_won", promises=[{"by": "sales", "stage": "a", "per": "month", "within_hours": 1}]),
     "promises[1].stage: a promise by sales takes a person's stage, and stages has none"),
    ({"targets": {"2026": 10**400}}, "targets.2026: 1000.*0000 is more than 1,000,000,000,000"),
    ({"plan": {"2026-10": {"cost": 10**400}}}, "plan.2026-10.cost: 1000.*0000 is more than 1,000,000,000,000"),
    ({"rates": {"USD": 10**400}}, "rates.USD: 1000.*0000 is more than 1,000,000,000,000"),
    ({"company": {"instance_url": 0}}, "company.instance_url: 0 is not an address like"),
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


def test_parse_agreement_takes_promises_and_targets_up_to_their_bounds():
    most = {"within_hours": 10_000, "attempts": 1_000, "within_days": 3_650, "n": 10**9, "value": 10**12}
    marketing, sales = {"n": most["n"], "value": most["value"]}, dict(list(most.items())[:3])
    said = {"promises": [MARKETING | marketing, SALES | sales], "targets": {"2026": 10**12}}
    agreement = parse_agreement(said)
    assert agreement.promises == (Promise("marketing", "mql", "month", **marketing),
                                  Promise("sales", "mql", "month", **sales, share=1.0))
    assert agreement.targets == {"2026": 1e12}


@pytest.mark.parametrize(("names", "words"), [
    (("MQL", "mql"), "stages: 'MQL' and 'mql' differ only in capitals"),
    (("mql", "mql"), "stages: 'mql' stands more than once")])
def test_parse_agreement_tells_stages_apart_by_more_than_capitals(names, words):
    said = stages_of("person_created", "lead_created", "opportunity_won")
    said["stages"] = [stage | {"name": name} for stage, name in zip(said["stages"], [*names, "won"], strict=True)]
    with pytest.raises(ValueError, match=f"^{words}$"):
        parse_agreement(said)


def test_parse_agreement_takes_every_code_of_a_country_and_its_regions():
    codes = {"FI": ("FI", ""), "FIN": ("FIN", ""), "UK": ("UK", ""), "DE-BY": ("DE", "BY")}
    assert {code: (hours.country, hours.region) for code in codes
            for hours in [parse_agreement({"hours": {"holidays": code}}).hours]} == codes


def test_parse_agreement_takes_no_holidays_where_it_is_said():
    assert parse_agreement({"hours": {"holidays": "none"}}).hours == Hours(country="")
    assert parse_agreement({"hours": {"opens": "07:00"}}).hours == Hours(opens="07:00")


def test_parse_agreement_keeps_the_default_disqualified_out_of_the_stages():
    said = stages_of("lead_status", "opportunity_won")
    said["stages"][0]["values"] = ["Unqualified"]
    assert parse_agreement(said).disqualified == ("Disqualified", "Closed - Not Converted")
    assert parse_agreement({"disqualified": {"values": []}}).disqualified == ()


def test_read_agreement_refuses_what_is_nested_too_deep(tmp_path):
    (tmp_path / "agreement.toml").write_text("a = " + "[" * 50_000)
    with pytest.raises(ValueError, match="agreement.toml: is nested too deep to be read$"):
        read_agreement(tmp_path)
