"""The agreement says where a day begins, and refuses what it does not understand."""

import dataclasses
import tomllib

import pandas as pd
import pytest
from conftest import make

from attribution.agreement import Agreement, Stage, draft_agreement, month_days, parse_agreement, read_agreement

FULL = """
[company]
name = "Example"
time_zone = "Europe/Helsinki"
currency = "EUR"
contribution_margin = 0.6
instance_url = "https://example.my.salesforce.com/"
[touches]
count = "memberships"
[rates]
USD = 1.25
[[stages]]
name = "lead"
owner = "marketing"
rule = "lead_created"
[[stages]]
name = "mql"
owner = "marketing"
rule = "lead_status"
values = ["MQL"]
[[stages]]
name = "won"
owner = "sales"
rule = "opportunity_won"
[plan."2026-10"]
won_value = 250000
"""


def days(*texts):
    return pd.Series(pd.to_datetime(list(texts)).astype("datetime64[us]"))


def test_read_agreement_reads_every_key(tmp_path):
    (tmp_path / "agreement.toml").write_text(FULL)
    assert read_agreement(tmp_path) == read_agreement(tmp_path / "agreement.toml") == Agreement(
        "Example", "Europe/Helsinki", "EUR", {"USD": 1.25}, 0.6, "https://example.my.salesforce.com", "memberships",
        (Stage("lead", "marketing", "lead_created"), Stage("mql", "marketing", "lead_status", ("MQL",)),
         Stage("won", "sales", "opportunity_won")),
        {"2026-10": {"won_value": 250000.0}})


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
     r"stages\[1\].rule: 'magic' is not one of lead_created, lead_status, opportunity_created, opportunity_won"),
    ('[[stages]]\nname = "won"\nowner = "sales"\nrule = "opportunity_won"\n'
     '[[stages]]\nname = "lead"\nowner = "sales"\nrule = "lead_created"', "stages: their rules must come in the order"),
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
        "lead": (), "mql": ("MQL",), "sql": ("SQL",), "opportunity": (), "customer": ()}


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
