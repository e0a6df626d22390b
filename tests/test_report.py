"""Reports are published whole or not at all, and are equal to the byte when their inputs are."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from notebook_cases import DECLARE, write_notebook
from processes import is_running, wait_for
from test_workbook import cells_of

from attribution import running
from attribution.inputs import ROOT, find_inputs, hash_inputs
from attribution.report import (
    name_report,
    provenance,
    publish,
    read_manifest,
    replacing,
    run_report,
    run_reports,
)
from attribution.running import ReportError, execute_notebook, execute_notebooks, read_parameters
from attribution.tables import TableError


def read_all(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    notebook = write_notebook(folder / "campaign_roi.ipynb", "print('made for', month)")
    return run_report(notebook, {"month": "2026-09"}, folder / "reports")


def test_run_report_publishes_four_files(month):
    assert month.name == "2026-09"
    assert sorted(read_all(month)) == ["campaign_roi.html", "campaign_roi.ipynb", "campaign_roi.xlsx", "manifest.json"]
    assert [path.name for path in month.parent.iterdir()] == ["2026-09"]


def test_run_report_passes_the_parameters_and_keeps_the_other_defaults(month):
    executed = nbformat.read(month / "campaign_roi.ipynb", 4)
    injected = [cell for cell in executed.cells if "injected-parameters" in cell.metadata.get("tags", ())]
    assert [cell.source for cell in injected] == ['# Parameters\nmonth = "2026-09"\nn_rows = 2\n']
    assert executed.cells[-1].outputs[0].text == "made for 2026-09\n"


def test_run_report_gives_the_same_bytes_twice(month):
    before = read_all(month)
    again = read_all(run_report(month.parents[1] / "campaign_roi.ipynb", {"month": "2026-09"}, month.parent))
    made_at = b'"made_at": "[^"]*"'
    assert {name for name in before if before[name] != again[name]} <= {"manifest.json"}
    assert re.sub(made_at, b"", before["manifest.json"]) == re.sub(made_at, b"", again["manifest.json"])


def test_manifest_gives_the_hash_of_every_input_and_output(month):
    said = json.loads((month / "manifest.json").read_text())["campaign_roi"]
    files = {name: month / name for name in ("campaign_roi.ipynb", "campaign_roi.html", "campaign_roi.xlsx")}
    assert said["outputs"] == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    notebook = month.parents[1] / "campaign_roi.ipynb"
    assert said["inputs"]["campaign_roi.ipynb"] == hashlib.sha256(notebook.read_bytes()).hexdigest()
    assert said["parameters"] == {"month": "2026-09", "n_rows": 2}
    assert {"pandas", "papermill", "plotly", "attribution-kit"} <= set(said["packages"])


def test_inputs_are_the_export_in_the_data_folder_and_its_agreement(tmp_path):
    data = tmp_path / "export"
    data.mkdir()
    (data / "Campaign.csv").write_bytes(b"Id\n")
    (data / "agreement.toml").write_bytes(b"[company]\n")
    (data / "below").mkdir()
    (data / "below" / "Campaign.csv").write_bytes(b"Name\n")
    inputs = hash_inputs(find_inputs(tmp_path / "campaign_roi.ipynb", {"data_dir": str(data)}))
    assert inputs["Campaign.csv"] == hashlib.sha256(b"Id\n").hexdigest()
    assert "below/Campaign.csv" not in inputs
    assert inputs["agreement.toml"] == hashlib.sha256(b"[company]\n").hexdigest()


def test_inputs_of_a_zip_are_the_zip_and_what_stands_beside_it(tmp_path):
    for name in ("export.zip", "agreement.toml", "spend.csv", "other.toml"):
        (tmp_path / name).write_bytes(name.encode())
    inputs = hash_inputs(find_inputs(tmp_path / "campaign_roi.ipynb", {"data_dir": str(tmp_path / "export.zip")}))
    assert inputs.keys() - {"requirements.lock"} == {"export.zip", "agreement.toml", "spend.csv"}


def test_executed_notebook_says_nothing_of_time_or_machine(month):
    text = (month / "campaign_roi.ipynb").read_text()
    assert not re.search(r"\d{4}-\d\d-\d\dT|/tmp|site-packages|\.venv", text)
    nbformat.validate(json.loads(text))


class Page(HTMLParser):
    """What a browser would see: scripts, ids, headings."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_page_loads_nothing_and_runs_only_its_own_scripts(month):
    text = (month / "campaign_roi.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not [attrs for tag, attrs in page.tags if tag in ("script", "img", "iframe") and "src" in attrs]
    assert [attrs["href"] for tag, attrs in page.tags if tag == "link"] == ["data:,"]
    assert text.index("Content-Security-Policy") < text.index("<script")
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe-eval" not in policy
    assert sum(tag == "script" and attrs.get("type") != "application/json" for tag, attrs in page.tags) == 2
    assert '"plotlyServerURL":""' in text and '"showSendToCloud":false' in text
    assert len(text.encode()) < 6_000_000


def test_page_shows_outputs_without_code_and_markdown_without_its_html(month):
    text = (month / "campaign_roi.html").read_text(encoding="utf-8")
    body = text[text.index("<body>"):text.index("</footer>")]
    assert "go.Figure" not in body and "month: str" not in body
    assert "<h1>Campaign ROI &amp; &lt;b&gt;more&lt;/b&gt;</h1>" in body
    assert "<title>Campaign ROI &amp; &lt;b&gt;more&lt;/b&gt;</title>" in text
    assert '<li><a href="#section-2">Return &lt;script&gt;alert(1)&lt;/script&gt;</a></li>' in body
    assert '<h2 id="section-2">Return &lt;script&gt;' in body
    assert "<td class='money'>1,234.50</td>" in body and "made for 2026-09" in body
    assert body.count('class="figure"') == 1 and '"width": 3000' not in body


def test_workbook_holds_the_tables_that_the_notebook_shows(month):
    cells = cells_of(month / "campaign_roi.xlsx", 2)
    assert {at: cells[at] for at in ("A1", "B2", "A3", "B3")} == {
        "A1": "Return on investment", "B2": "Cost", "A3": "=1+1", "B3": 1234.5}


@pytest.mark.parametrize(("cell", "kind", "words"), [
    ("1 / 0", ReportError, r"campaign_roi.ipynb: cell 4 \(The rest\) failed: ZeroDivisionError: division by zero$"),
    ("raise ValueError('month: no deals\\n in it')", ValueError, "^month: no deals in it$"),
    ("from attribution.tables import TableError; raise TableError('campaigns: no rows')", TableError,
     "^campaigns: no rows$"),
    ("from attribution.agreement import month_days; month_days('soon')", ValueError, "^month: 'soon' is not a month"),
    ("import pandas; pandas.Series([1, 2]).set_axis([1])", ReportError,
     r"cell 4 \(The rest\) failed: ValueError: Length mismatch"),
    ("raise SystemExit(0)", ReportError, r"campaign_roi.ipynb: cell 4 \(The rest\) did not complete$"),
    ("import os; os._exit(1)", ReportError, "the kernel died"),
])
def test_run_report_keeps_the_last_good_month_when_a_cell_fails(month, tmp_path, cell, kind, words):
    before = read_all(month)
    notebook = write_notebook(tmp_path / "campaign_roi.ipynb", cell, "print('later')")
    with pytest.raises(kind, match=words):
        run_report(notebook, {"month": "2026-09"}, month.parent)
    assert read_all(month) == before and [path.name for path in month.parent.iterdir()] == ["2026-09"]


def test_run_report_keeps_the_other_reports_of_the_month(tmp_path):
    folder = tmp_path / "2026-10"
    folder.mkdir()
    (folder / "sla_conversion.html").write_text("sla")
    (folder / "campaign_roi.old.csv").write_text("of an earlier version")
    (folder / "manifest.json").write_text('{"sla_conversion": {"outputs": {}}}')
    run_report(write_notebook(tmp_path / "campaign_roi.ipynb"), {}, tmp_path)
    assert (folder / "sla_conversion.html").read_text() == "sla"
    assert not (folder / "campaign_roi.old.csv").exists()
    assert sorted(json.loads((folder / "manifest.json").read_text())) == ["campaign_roi", "sla_conversion"]


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.fixture
def one_core(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)


def write_two(folder, *cells):
    return [write_notebook(folder / f"{name}.ipynb", cell)
            for name, cell in zip(("campaign_roi", "sla_conversion"), cells, strict=True)]


def test_run_reports_gives_the_bytes_of_each_report_alone(month, tmp_path, two_cores):
    roi, sla = write_two(tmp_path, "print('made for', month)", "print('promised', n_rows)")
    together = read_all(run_reports({roi: {"month": "2026-09"}, sla: {"month": "2026-09", "n_rows": 3}}, tmp_path))
    alone = read_all(month) | read_all(run_report(sla, {"month": "2026-09", "n_rows": 3}, tmp_path / "alone"))
    assert len(together) == 7 and together.keys() == alone.keys()
    assert {name for name in alone if together[name] != alone[name]} == {"manifest.json"}
    said = json.loads(together["manifest.json"])
    assert {name: report["parameters"] for name, report in said.items()} == {
        "campaign_roi": {"month": "2026-09", "n_rows": 2}, "sla_conversion": {"month": "2026-09", "n_rows": 3}}
    assert said["sla_conversion"]["outputs"] == {
        f"sla_conversion.{kind}": hashlib.sha256(together[f"sla_conversion.{kind}"]).hexdigest()
        for kind in ("ipynb", "html", "xlsx")}


def test_run_reports_refuses_reports_of_two_months(tmp_path):
    roi, sla = write_two(tmp_path, "1", "2")
    with pytest.raises(ValueError, match="^month: 2026-09 and 2026-10 cannot be published together. Run them one by"):
        run_reports({roi: {"month": "2026-10"}, sla: {"month": "2026-09"}}, tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


MEET = """\
import pathlib, time
here = pathlib.Path({place!r})
(here / {mine!r}).touch()
end = time.monotonic() + 30
while not (here / {other!r}).exists() and time.monotonic() < end:
    time.sleep(0.05)
print((here / {other!r}).exists())"""


def test_notebooks_run_side_by_side(tmp_path, two_cores):
    cells = [MEET.format(place=str(tmp_path), mine=mine, other=other) for mine, other in (("a", "b"), ("b", "a"))]
    executed = execute_notebooks([(path, {}) for path in write_two(tmp_path, *cells)])
    assert [notebook.cells[-1].outputs[0].text for notebook in executed] == ["True\n", "True\n"]


def test_notebooks_take_turns_on_one_core_and_come_back_in_order(tmp_path, one_core):
    alone = (f"import os, time\nbusy = {str(tmp_path / 'busy')!r}\nos.mkdir(busy)\ntime.sleep(1)\nos.rmdir(busy)\n"
             "print({!r})")
    executed = execute_notebooks(
        [(path, {}) for path in write_two(tmp_path, alone.format("first"), alone.format("second"))])
    assert [notebook.cells[-1].outputs[0].text for notebook in executed] == ["first\n", "second\n"]


def say_pid(path, then):
    return f"import os, pathlib, time\npathlib.Path({str(path)!r}).write_text(str(os.getpid()))\n{then}"


@pytest.mark.parametrize(("fault", "kind", "words"), [
    ("1 / 0", ReportError, r"^sla_conversion.ipynb: cell 4 \(The rest\) failed: ZeroDivisionError: division by zero$"),
    ("raise ValueError('promise: there is none')", ValueError, "^sla_conversion.ipynb: promise: there is none$"),
])
def test_run_reports_stops_all_and_keeps_the_last_good_month_when_one_fails(month, tmp_path, two_cores, fault, kind,
                                                                            words):
    pid, before = tmp_path / "pid", read_all(month)
    late = f"import os, time\nwhile not os.path.exists({str(pid)!r}):\n    time.sleep(0.05)\n{fault}"
    notebooks = write_two(tmp_path, say_pid(pid, "time.sleep(600)"), late)
    began = time.monotonic()
    with pytest.raises(kind, match=words):
        run_reports(dict.fromkeys(notebooks, {"month": "2026-09"}), month.parent)
    assert time.monotonic() - began < 60 and not is_running(int(pid.read_text()))
    assert read_all(month) == before and [path.name for path in month.parent.iterdir()] == ["2026-09"]


def test_run_reports_begins_no_other_when_one_failed(tmp_path, monkeypatch, one_core):
    began, execute, ran = [], running._execute, tmp_path / "ran"
    monkeypatch.setattr(running, "_execute", lambda *run, **how: (began.append(run[1].stem), execute(*run, **how))[1])
    first, second = write_two(tmp_path, "1 / 0", f"open({str(ran)!r}, 'w')")
    with pytest.raises(ReportError, match="campaign_roi.ipynb.*division by zero"):
        run_reports(dict.fromkeys([first, second, write_notebook(tmp_path / "third.ipynb")], {}), tmp_path / "reports")
    assert "third" not in began and not ran.exists()     # the second may be on its way, and is stopped


def test_execute_notebook_says_that_a_kernel_did_not_start(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(1)")
    monkeypatch.setattr(running, "ENVIRONMENT", running.ENVIRONMENT | {"PYTHONPATH": str(tmp_path)})
    with pytest.raises(ReportError, match="^tiny.ipynb: the kernel died, as it does when memory runs out: Kernel died"):
        execute_notebook(write_notebook(tmp_path / "tiny.ipynb"), {})


class Bar:
    """A progress bar that keeps what it is told."""

    made: list = []

    def __init__(self, total, disable, **_):
        self.total, self.disable, self.n = total, disable, 0
        Bar.made.append(self)

    def update(self):
        self.n += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize(("progress", "disable"), [(True, None), (False, True)])
def test_one_progress_bar_runs_over_the_cells_of_all_notebooks(tmp_path, monkeypatch, two_cores, progress, disable):
    monkeypatch.setattr(Bar, "made", [])
    monkeypatch.setattr("tqdm.tqdm", Bar)
    roi, sla = write_two(tmp_path, "1", "2")
    execute_notebooks([(roi, {}), (sla, {"n_rows": 3})], progress=progress)
    assert [(bar.total, bar.n, bar.disable) for bar in Bar.made] == [(4 + 5, 4 + 5, disable)]


def test_replacing_leaves_the_folder_as_it_was_when_filling_fails(tmp_path):
    folder = tmp_path / "lists" / "2026-10-31"
    with replacing(folder) as draft:
        (draft / "a.csv").write_text("good")
    with pytest.raises(ZeroDivisionError, match="division"), replacing(folder) as draft:
        (draft / "a.csv").write_text("half")
        raise ZeroDivisionError("division")
    assert read_all(folder) == {"a.csv": b"good"} and list(folder.parent.iterdir()) == [folder]


def test_publish_brings_the_old_month_back_when_the_new_one_cannot_move(tmp_path):
    month = tmp_path / "2026-10"
    month.mkdir()
    (month / "campaign_roi.html").write_text("good")
    with pytest.raises(FileNotFoundError, match="new"):
        publish(tmp_path / "new", month)
    assert read_all(month) == {"campaign_roi.html": b"good"}


@pytest.mark.parametrize(("parameters", "words"), [
    ({"mnth": "2026-10"}, "^parameter: 'mnth' is not one of month, n_rows$"),
    ({"month": "2026-13"}, "^month: '2026-13' is not a month like '2026-10'$"),
    ({"month": "../../etc"}, "is not a month"),
    ({"n_rows": datetime(2026, 10, 1, tzinfo=UTC)}, "^parameter n_rows: datetime cannot be passed to a notebook, text"),
])
def test_run_report_refuses_parameters_before_it_runs(tmp_path, parameters, words):
    with pytest.raises(ValueError, match=words):
        run_report(write_notebook(tmp_path / "tiny.ipynb"), parameters, tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(("case", "words"), [
    ({"tags": ()}, "0 cells are tagged 'parameters'"),
    ({"declare": "month = str(2026)"}, "holds more than names and plain values"),
    ({"declare": "%matplotlib inline"}, "holds more than names and plain values"),
])
def test_read_parameters_refuses_a_notebook_that_would_run_with_the_wrong_ones(tmp_path, case, words):
    with pytest.raises(ValueError, match=words):
        read_parameters(write_notebook(tmp_path / "tiny.ipynb", **case))


def test_read_parameters_understands_what_papermill_does_not(tmp_path):
    lines = ["from typing import Literal", 'month: Literal["2026-10"] = "2026-10"', "lookback_days: int | None = None",
             "low = -1"]
    notebook = write_notebook(tmp_path / "tiny.ipynb", declare="\n".join(lines))
    assert read_parameters(notebook) == {"month": "2026-10", "lookback_days": None, "low": -1}


def test_read_parameters_names_a_notebook_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere.ipynb: there is no such notebook"):
        read_parameters(tmp_path / "nowhere.ipynb")


def test_execute_notebook_runs_in_the_same_surroundings_anywhere(tmp_path, monkeypatch):
    start = tmp_path / "profile" / "profile_default" / "startup"
    start.mkdir(parents=True)
    (start / "mine.py").write_text("raise_the_roof = 1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "profile"))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    before = dict(os.environ)
    asked = "import os; print([os.environ[k] for k in ('PYTHONHASHSEED', 'TZ', 'LC_ALL', 'OMP_NUM_THREADS')])"
    executed = execute_notebook(write_notebook(tmp_path / "tiny.ipynb", asked, "'raise_the_roof' in globals()"), {})
    assert executed.cells[-2].outputs[0].text == "['0', 'UTC', 'C.UTF-8', '1']\n"
    assert executed.cells[-1].outputs[0].data["text/plain"] == "False"
    assert dict(os.environ) == before


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX does")
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_leaves_no_kernel_and_no_file(tmp_path, sent, status):
    pids, scratch = [tmp_path / "pid1", tmp_path / "pid2"], tmp_path / "scratch"
    notebooks = write_two(tmp_path, *[say_pid(pid, "time.sleep(600)") for pid in pids])
    scratch.mkdir()
    code = ("import os, sys; from attribution import cli, report\n"
            "os.cpu_count = lambda: 2\n"
            "cli._report = lambda _: report.run_reports(dict.fromkeys(sys.argv[2:], {}), sys.argv[1])\n"
            "sys.exit(cli.main(['report', 'all', '--month', '2026-10']))")
    run = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "reports"), *map(str, notebooks)],
                           env=os.environ | {"TMPDIR": str(scratch)}, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: all(pid.exists() and pid.read_text() for pid in pids))
    run.send_signal(sent)
    said = "attribution: stopped; what was published before is as it was\n"
    assert (run.communicate(timeout=30)[1], run.returncode) == (said, status)
    wait_for(lambda: not any(is_running(int(pid.read_text())) for pid in pids))
    assert not list(scratch.iterdir()) and not (tmp_path / "reports").exists()


def test_provenance_is_of_data_parameters_agreement_and_lock_alone(tmp_path):
    (tmp_path / "agreement.toml").write_bytes(b"[company]\n")
    crm = SimpleNamespace(sources={"B.csv": "22", "A.csv": "11"}, as_of=pd.Timestamp("2026-10-31T21:59:59.999999Z"),
                          exported_at=pd.Timestamp("2026-11-02T06:00:00Z"))
    table = provenance(crm, {"data_dir": str(tmp_path), "model": "linear", "previous": None})
    sha256 = {item: value for item, value in zip(table["item"], table["value"], strict=True)}
    assert sha256["data"] == hashlib.sha256(b'{"A.csv": "11", "B.csv": "22"}').hexdigest()
    assert sha256["parameters"] == hashlib.sha256(b'{"model": "linear"}').hexdigest()
    assert sha256["agreement.toml"] == hashlib.sha256(b"[company]\n").hexdigest()
    assert sha256["requirements.lock"] == hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest()
    assert sha256["known until"] == "2026-10-31T21:59:59.999999Z"
    assert list(sha256) == ["data", "A.csv", "B.csv", "parameters", "agreement.toml", "requirements.lock",
                            "known until"]


def test_provenance_names_the_files_of_the_report_compared_with():
    crm = SimpleNamespace(sources={}, as_of=pd.Timestamp("2026-10-31", tz="UTC"),
                          exported_at=pd.Timestamp("2026-10-20T06:00:00Z"))
    table = provenance(crm, {}, {"previous/manifest.json": "33"}).set_index("item")["value"]
    assert table.loc[["previous/manifest.json", "known until"]].tolist() == ["33", "2026-10-20T06:00:00.000000Z"]


def test_run_report_keeps_the_report_on_another_stage_beside_the_one_on_the_won(tmp_path):
    notebook = write_notebook(tmp_path / "campaign_roi.ipynb", declare=DECLARE + "\nstage: str | None = None")
    for stage in ({}, {"stage": "mql"}, {"stage": "../odd stage"}):
        month = run_report(notebook, stage, tmp_path / "reports")
    assert sorted(path.name for path in month.glob("*.html")) == [
        "campaign_roi.html", "campaign_roi_mql.html", "campaign_roi_oddstage-36b98fd4.html"]
    assert set(read_manifest(month)) == {"campaign_roi", "campaign_roi_mql", "campaign_roi_oddstage-36b98fd4"}


def test_reports_on_different_stages_never_share_a_name():
    stages = ["mql", "日本", "中国", "sales ready", "sales-ready", "sales_ready", "x" * 40, "x" * 41, "x" * 300, None]
    names = [name_report(Path("roi.ipynb"), {"stage": stage}) for stage in stages]
    assert len(set(names)) == len(stages)
    assert all(re.fullmatch("roi(_[A-Za-z0-9_-]{1,49})?", name) for name in names)
    assert (names[0], names[4], names[6], names[9]) == ("roi_mql", "roi_sales-ready", f"roi_{'x' * 40}", "roi")


def test_run_report_refuses_inputs_that_change_while_it_runs(tmp_path):
    data = tmp_path / "export"
    data.mkdir()
    (data / "Account.csv").write_text("Id\n")
    declare = f"{DECLARE}\ndata_dir: str = {str(data)!r}"
    add = f"open({str(data / 'Account_2.csv')!r}, 'w').write('Id')"
    with pytest.raises(TableError, match="2026-10: the inputs changed while its reports were made. Make them again$"):
        run_report(write_notebook(tmp_path / "roi.ipynb", add, declare=declare), {}, tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("text", ["[" * 100_000, '{"other": {"inputs": null}}', '{"other": {"inputs": {"a": []}}}'])
def test_a_manifest_that_cannot_be_read_is_refused_before_anything_runs(tmp_path, text):
    (tmp_path / "2026-10").mkdir()
    (tmp_path / "2026-10" / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r"manifest.json: is no manifest that can be read. Move it away, and make the"):
        run_report(write_notebook(tmp_path / "roi.ipynb", "raise SystemError"), {}, tmp_path)
    assert [path.name for path in (tmp_path / "2026-10").iterdir()] == ["manifest.json"]


def test_a_failed_run_leaves_no_new_folder(tmp_path):
    with pytest.raises(ReportError, match="ZeroDivisionError"):
        run_report(write_notebook(tmp_path / "roi.ipynb", "1 / 0"), {}, tmp_path / "x" / "y" / "z")
    assert [path.name for path in tmp_path.iterdir()] == ["roi.ipynb"]


@pytest.mark.skipif(os.name != "posix", reason="needs links as POSIX has them")
def test_what_cannot_be_copied_is_named_as_the_user_knows_it(tmp_path):
    month = run_report(write_notebook(tmp_path / "roi.ipynb"), {}, tmp_path / "reports")
    (month / "mine").symlink_to("/no/such/place")
    with pytest.raises(ReportError, match="2026-10: cannot be written: .*2026-10/mine in it cannot be copied .*away"):
        run_report(write_notebook(tmp_path / "roi.ipynb"), {}, tmp_path / "reports")
    assert (month / "roi.html").is_file()


def test_a_parameter_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^parameter month: '\\udcff' is no text in Unicode. Give it another name$"):
        run_report(write_notebook(tmp_path / "roi.ipynb"), {"month": "\udcff"}, tmp_path)


def test_no_copy_leaves_digests_alone_also_where_a_run_before_kept_copies(tmp_path):
    notebook = write_notebook(tmp_path / "roi.ipynb")
    month = run_reports({notebook: {}}, tmp_path / "reports")
    assert {path.name.partition(".")[2] for path in (month / "private").iterdir()} == {"gz"}
    run_reports({notebook: {}}, tmp_path / "reports", is_copied=False)
    assert {path.name.partition(".")[2] for path in (month / "private").iterdir()} == {"rows.gz"}
