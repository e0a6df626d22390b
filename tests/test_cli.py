"""Commands read, call and write; bad input is one line on stderr, exit status 2, and nothing written."""

import csv
import os
import re
from pathlib import Path

import pytest

import attribution
from attribution.cli import main

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data" / "sample"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def export(tmp_path):
    """The sample's files, linked: replace one (`write`), never change one."""
    folder = tmp_path / "export"
    folder.mkdir()
    for path in SAMPLE.iterdir():
        os.symlink(path, folder / path.name)
    return folder


def write(folder, name, text):
    (folder / name).unlink()
    (folder / name).write_text(text, encoding="latin-1", newline="")


def read(folder, name):
    return (folder / name).read_text(encoding="latin-1")


def rows_of(name):
    with open(SAMPLE / name, encoding="latin-1", newline="") as file:
        return list(csv.DictReader(file))


def refused(capsys, *arguments):
    """Run a command that has to be refused, and return what it said: one line."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        status = stop.code
    said = capsys.readouterr()
    assert (status, said.out) == (2, "")
    assert re.fullmatch(r"attribution: [^\n]+\n", said.err)
    return said.err


def won_in_october():
    won = [row for row in rows_of("Opportunity.csv") if row["IsWon"] == "1" and row["CloseDate"].startswith("2026-10")
           and row["IsDeleted"] == "0" and row["Amount"]]
    return sorted(won, key=lambda row: row["Id"])


def test_report_prints_where_the_page_is(sample_report):
    assert sorted(path.name for path in sample_report.iterdir()) == [
        "campaign_roi.html", "campaign_roi.ipynb", "campaign_roi.xlsx", "manifest.json"]


def test_explain_shares_out_what_the_export_says_the_deal_was_worth(capsys):
    deals = won_in_october()
    assert len(deals) > 3
    for deal in deals[:3]:
        assert main(["explain", deal["Id"], "--month", "2026-11", "--model", "u_shaped"]) == 0
        header, *rows = capsys.readouterr().out.splitlines()
        ends = header.index(" credit ") + len(" credit")
        assert round(sum(float(row[:ends].split()[-1]) for row in rows), 2) == float(deal["Amount"])


def test_explain_knows_a_deal_by_its_short_id(capsys):
    deal = won_in_october()[0]["Id"]
    assert main(["explain", deal, "--month", "2026-10"]) == main(["explain", deal[:15], "--month", "2026-10"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines and lines[:len(lines) // 2] == lines[len(lines) // 2:]


def test_explain_says_which_deals_it_knows(capsys):
    deal = won_in_october()[0]["Id"]
    assert f"{deal}: is no deal won by 2026-09-30" in refused(capsys, "explain", deal, "--month", "2026-09")


def test_agreement_init_drafts_what_can_be_read_again(tmp_path, capsys):
    path = tmp_path / "agreement.toml"
    assert main(["agreement", "init", "--data", str(SAMPLE), "--out", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert [stage.name for stage in attribution.read_agreement(path).stages] == [
        "lead", "mql", "sql", "opportunity", "customer"]


def test_agreement_init_overwrites_nothing(export, capsys):
    before = read(export, "agreement.toml")
    assert "agreement.toml: there is one already" in refused(capsys, "agreement", "init", "--data", export)
    assert read(export, "agreement.toml") == before


def test_simulate_makes_an_export_that_can_be_read(tmp_path):
    folder = tmp_path / "small"
    assert main(["simulate", "--out", str(folder), "--seed", "3", "--accounts", "20", "--people", "60"]) == 0
    assert len(attribution.read_crm(folder).accounts) > 0


def test_version_is_the_package_s(capsys):
    with pytest.raises(SystemExit, match="^0$"):
        main(["--version"])
    assert capsys.readouterr().out == f"attribution {attribution.__version__}\n"


@pytest.mark.parametrize(("arguments", "words"), [
    ([], "the following arguments are required: COMMAND"),
    (["repor"], "invalid choice: 'repor'"),
    (["report", "campaign-roi"], "the following arguments are required: --month"),
    (["report", "campaign-roi", "--month", "2026-1"], "month: '2026-1' is not a month like '2026-10'"),
    (["report", "campaign-roi", "--month", "2026-10", "--modle", "linear"], "unrecognized arguments: --modle linear"),
    (["report", "campaign-roi", "--month", "2026-10", "--model", "lineer"],
     "model: 'lineer' is not one of first_touch, last_touch, linear, time_decay"),
    (["report", "campaign-roi", "--month", "2026-10", "--linking", "roles"],
     "linking: 'roles' is not one of role, account, hybrid"),
    (["report", "campaign-roi", "--month", "2026-10", "--half-life-days", "0"],
     "half_life_days: 0 is not a positive number"),
    (["report", "campaign-roi", "--month", "2026-10", "--half-life-days", "nan"],
     "half_life_days: nan is not a positive number"),
    (["report", "campaign-roi", "--month", "2026-10", "--lookback-days", "-3"],
     "lookback_days: -3 is not a positive number"),
    (["report", "campaign-roi", "--month", "2026-10", "--lookback-days", "year"], "--lookback-days: invalid int value"),
])
def test_arguments_are_refused_in_one_line_before_anything_runs(tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.setattr("attribution.report.execute_notebook", lambda *_, **__: pytest.fail("it ran"))
    out = ["--out", tmp_path / "reports"] if "campaign-roi" in arguments else []
    assert words in refused(capsys, *arguments, *out)
    assert not (tmp_path / "reports").exists()


def without_accounts(folder):
    (folder / "Account.csv").unlink()


def without_column(folder):
    write(folder, "Opportunity.csv", read(folder, "Opportunity.csv").replace('"CloseDate"', '"Closed"', 1))


def amount_of_words(folder):
    amount = won_in_october()[0]["Amount"]
    write(folder, "Opportunity.csv", read(folder, "Opportunity.csv").replace(f'"{amount}"', '"a lot"', 1))


def negative_cost(folder):
    cost = next(row["ActualCost"] for row in rows_of("Campaign.csv") if row["ActualCost"])
    write(folder, "Campaign.csv", read(folder, "Campaign.csv").replace(f'"{cost}"', f'"-{cost}"', 1))


def two_currencies(folder):
    write(folder, "Opportunity.csv", read(folder, "Opportunity.csv").replace('"EUR"', '"SEK"', 1))


def cut_in_half(folder):
    text = read(folder, "CampaignMember.csv")
    write(folder, "CampaignMember.csv", text[:len(text) // 2])


def emptied(folder):
    for path in folder.glob("*.csv"):
        path.unlink()


BROKEN = [(without_accounts, r"Account\.csv"), (without_column, r"Opportunity.*CloseDate"),
          (amount_of_words, r"Opportunity.*Amount.* 1 of [\d,]+ rows"), (two_currencies, "SEK"),
          (negative_cost, r"negative in 1 of [\d,]+ rows"), (cut_in_half, r"CampaignMember\.csv.*cut"),
          (emptied, "no Salesforce export")]


@pytest.mark.parametrize(("broken", "words"), BROKEN, ids=lambda case: getattr(case, "__name__", ""))
def test_bad_data_is_refused_in_one_line(export, capsys, broken, words):
    broken(export)
    deal = won_in_october()[0]["Id"]
    assert re.search(words, refused(capsys, "explain", deal, "--month", "2026-10", "--data", export))


@pytest.mark.parametrize(("month", "broken", "words"), [
    ("2026-10", cut_in_half, r"CampaignMember\.csv.*cut"), ("2026-10", emptied, "no Salesforce export"),
    ("2019-01", lambda _: None, "2019-01"),
], ids=["cut_in_half", "emptied", "month_without_data"])
def test_report_refuses_bad_data_in_one_line_and_writes_nothing(tmp_path, export, capsys, month, broken, words):
    broken(export)
    out = tmp_path / "reports"
    said = refused(capsys, "report", "campaign-roi", "--month", month, "--data", export, "--out", out)
    assert re.search(words, said)
    assert not out.exists()
