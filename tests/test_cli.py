"""Commands read, call and write; bad input is one line on stderr, exit status 2, and nothing written."""

import csv
import io
import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

import attribution
from attribution import cli
from attribution.call_lists import find_limbo
from attribution.cli import main
from attribution.drafting import check_agreement
from attribution.simulate import write_company

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
        "campaign_roi.html", "campaign_roi.ipynb", "campaign_roi.xlsx", "manifest.json", "private",
        "sla_conversion.html", "sla_conversion.ipynb", "sla_conversion.xlsx"]


@pytest.fixture
def runs(monkeypatch, tmp_path):
    """What the command line asks run_reports for: notebook → parameters; nothing runs."""
    asked = {}
    monkeypatch.setattr("attribution.report.run_reports", lambda runs, out, **_: (asked.update(runs), Path(out))[1])
    return asked


ROI_OPTIONS = ["--model", "time_decay", "--half-life-days", "7", "--lookback-days", "none", "--linking", "role",
               "--on-orphan", "leave_out", "--stage", "mql"]
ROI = {"model": "time_decay", "half_life_days": 7, "lookback_days": None, "linking": "role", "on_orphan": "leave_out",
       "stage": "mql"}
SLA_OPTIONS = ["--period", "quarter", "--segment-by", "country", "--owner", "Sales South"]
SLA = {"period": "quarter", "segment_by": "country", "owner": "Sales South"}


@pytest.mark.parametrize(("report", "options", "parameters"), [
    ("campaign-roi", [], {"campaign_roi": {}}),
    ("campaign-roi", ROI_OPTIONS, {"campaign_roi": ROI}),
    ("sla-conversion", SLA_OPTIONS, {"sla_conversion": SLA}),
    ("all", ["--owner", "none", "--lookback-days", "90"],
     {"campaign_roi": {"lookback_days": 90}, "sla_conversion": {"owner": "none"}}),
    ("all", [*ROI_OPTIONS, *SLA_OPTIONS], {"campaign_roi": ROI, "sla_conversion": SLA}),
])
def test_report_gives_each_notebook_its_own_options(runs, capsys, report, options, parameters):
    assert main(["report", report, "--month", "2026-10", "--out", "there", *options]) == 0
    both = {"data_dir": "data/sample", "month": "2026-10"}
    assert {notebook.stem: said for notebook, said in runs.items()} == {
        name: both | own for name, own in parameters.items()}
    assert {notebook.parent for notebook in runs} == {Path("notebooks")}
    assert capsys.readouterr().out.splitlines() == [
        str(Path("there", f"{name}{'_mql' * ('stage' in own)}.html")) for name, own in parameters.items()]


def test_report_gives_every_notebook_the_month_to_compare_with(runs, tmp_path):
    said = {name: {"parameters": {"month": "2026-09"}, "packages": {}, "inputs": {}, "notebook": f"{name}.ipynb",
                   "outputs": {f"{name}.{kind}": "0" * 64 for kind in ("ipynb", "html", "xlsx")}}
            for name in ("campaign_roi", "sla_conversion")}
    (tmp_path / "manifest.json").write_text(json.dumps(said))
    assert main(["report", "all", "--month", "2026-10", "--out", "there", "--previous", str(tmp_path)]) == 0
    assert [said["previous"] for said in runs.values()] == [str(tmp_path)] * 2


def test_report_refuses_a_month_that_lacks_the_report_on_the_stage(runs, tmp_path, capsys):
    (tmp_path / "manifest.json").write_text('{"campaign_roi": {}}')
    words = refused(capsys, "report", "campaign-roi", "--month", "2026-10", "--stage", "mql", "--previous", tmp_path)
    assert "has no report campaign_roi_mql, only campaign_roi." in words and not runs


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small company's export."""
    return write_company(tmp_path_factory.mktemp("small"), 3, 40, 300, truth=False)


def edit_agreement(folder, edited, old, new):
    text = (folder / "agreement.toml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    shutil.copytree(folder, edited)
    (edited / "agreement.toml").write_text(text.replace(old, new), encoding="utf-8")
    return edited


def test_agreement_check_prints_every_finding_and_counts_them(small, tmp_path, capsys):
    folder = edit_agreement(small, tmp_path / "edited", 'values = ["Disqualified"]', 'values = ["Nowhere"]')
    assert main(["agreement", "check", "--data", str(folder)]) == 0
    crm, agreement = attribution.read_crm(folder), attribution.read_agreement(folder)
    findings = check_agreement(crm, agreement)
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines[:len(findings)] == (findings["key"] + ": " + findings["finding"]).tolist()
    assert any("Nowhere" in line for line in lines) and any("'Disqualified'" in line for line in lines)
    assert last == f"agreement.toml: 5 stages, 2 promises; {len(lines)} things to look at"


def test_agreement_check_says_what_the_export_lacks_after_the_findings(small, tmp_path, capsys):
    folder = edit_agreement(small, tmp_path / "edited", '"Marketing Qualified"', '"Nowhere"')
    (folder / "LeadHistory.csv").unlink()
    assert main(["agreement", "check", "--data", str(folder)]) == 0
    crm = attribution.read_crm(folder)
    findings = check_agreement(crm, attribution.read_agreement(folder))
    *lines, last = capsys.readouterr().out.splitlines()
    lacking = (crm.missing["source"] + ": " + crm.missing["consequence"]).tolist()
    told_by_a_finding = [line for line in lacking if line.startswith("agreement.toml: ")]
    assert told_by_a_finding and sum("Nowhere" in line for line in lines) == 1
    assert lines[len(findings):] == [line for line in lacking if line not in told_by_a_finding]
    assert "LeadHistory.csv: MQL and SQL cannot be dated" in lines
    assert last.endswith(f"; {len(lines)} things to look at")


def test_agreement_check_names_the_key_at_fault(small, tmp_path, capsys):
    folder = edit_agreement(small, tmp_path / "edited", 'closes = "16:00"', 'closes = "07:00"')
    assert "agreement.toml: hours.closes: '07:00'" in refused(capsys, "agreement", "check", "--data", folder)


def test_limbo_writes_whom_each_owner_is_to_call(small, tmp_path, capsys):
    crm, agreement, out = attribution.read_crm(small), attribution.read_agreement(small), tmp_path / "limbo"
    day = str(agreement.local_day(find_limbo(crm, agreement)["due_at"].max()).date())     # some limit passes within it
    assert main(["limbo", "--as-of", day, "--data", str(small), "--out", str(out)]) == 0
    folder, said = capsys.readouterr().out.splitlines()
    assert folder == str(out / day)
    files = sorted((out / day).glob("*.csv"))
    rows = [row for file in files for row in csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")))]
    assert re.fullmatch(rf"{len(rows)} leads of {len(files)} owners; (\d+) may not be contacted and were left out "
                        r"\((\d+) opted out of e-mail, (\d+) not to be called\)", said)
    called = crm.people.set_index("person_id").loc[[row["person_id"] for row in rows]]
    assert len(rows) > 10 and not called["is_opted_out"].any() and not called["do_not_call"].any()
    assert max(row["due_at"] for row in rows).startswith(day)


@pytest.mark.parametrize(("day", "words"), [
    ("31.10.2026", "argument --as-of: '31.10.2026' is not a day like 2026-10-31"),
    ("2026-02-30", "argument --as-of: '2026-02-30' is not a day like 2026-10-31"),
    ("9999-12-31", "argument --as-of: '9999-12-31' is not between 1900 and 2200"),
    ("2201-01-01", "argument --as-of: '2201-01-01' is not between 1900 and 2200"),
    ("1899-12-31", "argument --as-of: '1899-12-31' is not between 1900 and 2200"),
    ("0001-01-01", "argument --as-of: '0001-01-01' is not between 1900 and 2200"),
    ("2200-12-31", "as_of: 2200-12-31 has no data; the export's last edit is of 2026-11-13"),
    ("1900-01-01", "as_of: 1900-01-01 has no data; nobody was in the CRM yet"),
    ("2027-01-01", "as_of: 2027-01-01 has no data; the export's last edit is of 2026-11-13"),
])
def test_limbo_refuses_a_day_that_it_cannot_know(small, tmp_path, capsys, day, words):
    assert words in refused(capsys, "limbo", "--as-of", day, "--data", small, "--out", tmp_path / "limbo")
    assert not (tmp_path / "limbo").exists()


def test_limbo_leaves_a_day_s_folder_that_is_there(small, tmp_path, capsys):
    (tmp_path / "2026-10-31").mkdir()
    (tmp_path / "2026-10-31" / "notes.txt").write_text("called")
    words = refused(capsys, "limbo", "--as-of", "2026-10-31", "--data", small, "--out", tmp_path)
    assert "2026-10-31: there is one already, perhaps with notes in it. Move it away, or name another folder" in words
    assert contents(tmp_path) == {Path("2026-10-31"): False, Path("2026-10-31", "notes.txt"): b"called"}


def test_explain_shares_out_what_the_export_says_the_deal_was_worth(capsys):
    deals = won_in_october()
    assert len(deals) > 3
    for deal in deals[:3]:
        assert main(["explain", deal["Id"], "--month", "2026-11", "--model", "u_shaped"]) == 0
        header, *rows = capsys.readouterr().out.splitlines()
        ends = header.index(" credit ") + len(" credit")
        assert round(sum(float(row[:ends].split()[-1]) for row in rows), 2) == float(deal["Amount"])


def test_explain_shows_removal_effects_of_markov_and_no_money(capsys):
    deal = "0065g000AAMZuaQAYT"
    assert main(["explain", deal, "--month", "2026-10", "--model", "markov"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert "removal_effect" in header and "credit" not in header and len(rows) == 2
    assert main(["explain", deal, "--month", "2026-10"]) == 0
    assert [row.split()[:3] for row in capsys.readouterr().out.splitlines()[1:]] == [row.split()[:3] for row in rows]


def test_report_refuses_markov_which_shares_no_single_deal(capsys):
    message = refused(capsys, "report", "campaign-roi", "--month", "2026-10", "--model", "markov")
    assert "markov shares a period's money by removal effects" in message


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
    (["report", "everything", "--month", "2026-10"], "invalid choice: 'everything' (choose from "),
    (["report", "sla-conversion", "--month", "2026-10", "--model", "linear"], "unrecognized arguments: --model linear"),
    (["report", "campaign-roi", "--month", "2026-10", "--period", "month"], "unrecognized arguments: --period month"),
    (["report", "sla-conversion", "--month", "2026-1"], "month: '2026-1' is not a month like '2026-10'"),
    (["report", "sla-conversion", "--month", "2026-10", "--period", "week"],
     "period: 'week' is not one of month, quarter, year"),
    (["report", "all", "--month", "2026-10", "--segment-by", "size"],
     "segment_by: 'size' is not one of country, industry, lead_source"),
    (["report", "all", "--month", "2026-10", "--previous", "reports/no-such-month"],
     "previous: reports/no-such-month has no manifest.json. Name a month's folder made before, such as reports/"),
    (["report", "all", "--month", "2026-10", "--stage", "buyer"],
     "stage: 'buyer' is not one of lead, mql, sql, opportunity, customer"),
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
    (["report", "campaign-roi", "--month", "2026-10", "--lookback-days", "year"],
     "'year' is neither a whole number of days nor none"),
])
def test_arguments_are_refused_in_one_line_before_anything_runs(tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.setattr("attribution.report.execute_notebooks", lambda *_, **__: pytest.fail("it ran"))
    out = ["--out", tmp_path / "reports"] if "--month" in arguments else []
    assert words in refused(capsys, *arguments, *out)
    assert not (tmp_path / "reports").exists()


def no_file(folder):
    (folder / "Account.csv").unlink()


def no_column(folder):
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


def id_twice(folder):
    text = read(folder, "Campaign.csv")
    write(folder, "Campaign.csv", text + text.splitlines(keepends=True)[1])


def put_root_below(folder, parent_id):
    root = rows_of("Campaign.csv")[0]
    text, named = read(folder, "Campaign.csv"), f'"{root["Name"]}",'
    assert text.count(f'{named}"{root["ParentId"]}"') == 1
    write(folder, "Campaign.csv", text.replace(f'{named}"{root["ParentId"]}"', f'{named}"{parent_id}"'))


def circle(folder):
    root = rows_of("Campaign.csv")[0]["Id"]
    put_root_below(folder, next(row["Id"] for row in rows_of("Campaign.csv") if row["ParentId"] == root))


def no_parent(folder):
    put_root_below(folder, "7015g0000000000AAA")


def no_tables(folder):
    for path in folder.glob("*.csv"):
        path.unlink()


def no_folder(folder):
    folder.rename(folder.with_name("elsewhere"))


def no_such_month(folder):
    assert not re.search(r"2019-01-\d\d", read(folder, "CampaignMember.csv"))


ROOT_ID = rows_of("Campaign.csv")[0]["Id"]
BAD_DATA = {
    no_file: r"Account\.csv", no_column: r"Opportunity\.csv.*CloseDate",
    amount_of_words: r"Opportunity.*Amount.* 1 of [\d,]+ rows", negative_cost: r"negative in 1 of [\d,]+ rows",
    two_currencies: "SEK", cut_in_half: r"CampaignMember\.csv.*cut",
    id_twice: rf"Campaign\.csv: Id stands more than once in 2 of [\d,]+ rows \(first: {ROOT_ID}\)",
    circle: rf"2 of [\d,]+ campaigns stand above themselves in a circle \(first: {ROOT_ID}, ",
    no_parent: rf"parent_id not found in 1 of [\d,]+ rows \(first: {ROOT_ID}\)",
    no_tables: "no Salesforce export", no_folder: "export: there is no such", no_such_month: "2019-01 has no data"}


def contents(folder):
    return {path.relative_to(folder): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.mark.parametrize("broken", BAD_DATA, ids=lambda broken: broken.__name__)
def test_report_refuses_bad_data_in_one_line_and_leaves_the_last_good_month(tmp_path, export, capsys, broken):
    broken(export)
    out = tmp_path / "reports"
    (out / "2026-10").mkdir(parents=True)
    (out / "2026-10" / "campaign_roi.html").write_text("the last good month")
    before, month = contents(out), "2019-01" if broken is no_such_month else "2026-10"
    said = refused(capsys, "report", "campaign-roi", "--month", month, "--data", export, "--out", out)
    assert re.search(BAD_DATA[broken], said)
    assert contents(out) == before


def test_report_of_a_zip_takes_the_agreement_beside_it(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for file in sorted(SAMPLE.glob("*.csv")):
            archive.write(file, file.name)
    shutil.copy(SAMPLE / "agreement.toml", tmp_path)
    out = tmp_path / "reports"
    assert main(["report", "campaign-roi", "--month", "2026-10", "--data", str(tmp_path / "export.zip"),
                 "--out", str(out)]) == 0
    assert "Harmaja Controls Oy" in (out / "2026-10" / "campaign_roi.html").read_text(encoding="utf-8")
    said = json.loads((out / "2026-10" / "manifest.json").read_text())["campaign_roi"]["inputs"]
    assert {"export.zip", "agreement.toml"} <= said.keys()


def test_report_refuses_a_manifest_that_it_cannot_add_to(tmp_path, capsys):
    (tmp_path / "2026-10").mkdir()
    (tmp_path / "2026-10" / "manifest.json").write_text("[]")
    words = refused(capsys, "report", "campaign-roi", "--month", "2026-10", "--out", tmp_path)
    assert "manifest.json: is no manifest that can be read" in words
    assert (tmp_path / "2026-10" / "manifest.json").read_text() == "[]"


def test_report_refuses_a_file_in_the_month_s_place_before_anything_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("attribution.report.execute_notebooks", lambda *_, **__: pytest.fail("it ran"))
    (tmp_path / "2026-10").write_text("mine")
    assert "2026-10: is a file, not a folder" in refused(
        capsys, "report", "campaign-roi", "--month", "2026-10", "--out", tmp_path)
    assert (tmp_path / "2026-10").read_text() == "mine"


def test_report_of_a_month_before_the_first_campaign_leaves_its_deals_unattributed(tmp_path):
    assert main(["report", "campaign-roi", "--month", "2024-06", "--out", str(tmp_path)]) == 0
    page = (tmp_path / "2024-06" / "campaign_roi.html").read_text(encoding="utf-8")
    won = [float(row["Amount"]) for row in csv.DictReader(io.StringIO(read(SAMPLE, "Opportunity.csv")))
           if row["IsWon"] == "1" and row["CloseDate"].startswith("2024-06") and row["IsDeleted"] == "0"]
    cell = f'<td class="money" data-order="{round(sum(won), 2)}">{sum(won):,.2f}'
    assert won and f"(unattributed)</td>{cell}" in page


def test_names_from_the_crm_cannot_steer_the_terminal(capsys, monkeypatch):
    def shout(_):
        raise ValueError("campaigns: \x1b[31m\x1b]0;evil\x07 \u202egnp.exe is there\r\ntwice")
    monkeypatch.setattr(cli, "_explain", shout)
    assert main(["explain", "006", "--month", "2026-10"]) == 2
    said = capsys.readouterr().err
    assert said == "attribution: campaigns: \ufffd[31m\ufffd]0;evil\ufffd \ufffdgnp.exe is there twice\n"


@pytest.mark.parametrize("given", ["0", "soon", "nan", "1e9"])
def test_a_timeout_is_a_number_of_seconds(capsys, given):
    with pytest.raises(SystemExit) as stopped:
        main(["verify", "reports/2026-10", "--timeout", given])
    assert stopped.value.code == 2
    assert f"argument --timeout: '{given}' is no number of seconds from 1 to a million" in capsys.readouterr().err
