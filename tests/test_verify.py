"""A month is identical to the byte when it is made again, or what differs is said: where, before, after, and why."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from notebook_cases import write_notebook

from attribution.cli import main
from attribution.report import run_report
from attribution.verify import compare_notebooks, say_differences, verify_month

ROOT = Path(__file__).parents[1]
DECLARE = 'data_dir: str = "export"\nmonth: str = "2026-09"'
SHOW_DEALS = """\
import pandas as pd
from IPython.display import display
deals = pd.read_csv(f"{data_dir}/Opportunity.csv")
table = {"sheet": "deals", "title": "Deals", "columns": [{"name": "deal", "label": "Deal", "format": "id"},
         {"name": "value", "label": "Value", "format": "money"}],
         "rows": [[deal, value] for deal, value in zip(deals["Id"], deals["Amount"])]}
display({"application/vnd.attribution-kit.table.v1+json": table, "text/html": "<table></table>"}, raw=True)"""
DRAW_DEALS = """\
import plotly.graph_objects as go
go.Figure(go.Bar(name="won", x=deals["Id"].tolist(), y=deals["Amount"].tolist()), {"title": {"text": "Won"}})"""
SAY_DEALS = 'print(f"{deals.Amount.sum():.2f} won in {month}")'
DEALS = "Id,Name,Amount\n0065g000AAMYkT1AYL,Acme,100.00\n0065g000AAMYkT2AYL,Beta,250.50\n"


@pytest.fixture
def made(tmp_path):
    """A month's report of two deals: the folder of the project, and the month's."""
    write_notebook(tmp_path / "roi.ipynb", SHOW_DEALS, DRAW_DEALS, SAY_DEALS, declare=DECLARE)
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "Opportunity.csv").write_text(DEALS)
    month = run_report(tmp_path / "roi.ipynb", {"data_dir": str(tmp_path / "export")}, tmp_path / "reports")
    return tmp_path, month


def rows_of(found, *kinds):
    rows = [tuple(row)[1:] for row in found.itertuples(index=False) if row.kind in kinds]
    assert {row.report for row in found.itertuples()} <= {"roi"}
    return rows


def test_a_month_made_again_is_identical(made):
    project, month = made
    before = {path: path.read_bytes() for path in month.rglob("*") if path.is_file()}
    found = verify_month(month, project)
    assert found.empty and say_differences(found, ["roi"]) == ["roi: identical to the byte"]
    assert {path: path.read_bytes() for path in month.rglob("*") if path.is_file()} == before


def test_one_cent_is_found_in_the_input_the_table_the_figure_and_the_sentence(made):
    project, month = made
    (project / "export" / "Opportunity.csv").write_text(DEALS.replace("250.50", "250.51"))
    found = verify_month(month, project)
    assert rows_of(found, "input", "table", "figure", "text") == [
        ("input", "Opportunity.csv", "0065g000AAMYkT2AYL Amount", "250.50", "250.51"),
        ("table", "deals", "0065g000AAMYkT2AYL, value", "250.50", "250.51"),
        ("figure", "figure 2 (Won)", "bar won, 0065g000AAMYkT2AYL: y", "250.5", "250.51"),
        ("text", "text 1", "", "350.50 won in 2026-09\n", "350.51 won in 2026-09\n")]
    assert [row[1] for row in rows_of(found, "output")] == ["roi.html", "roi.ipynb", "roi.xlsx"]
    assert say_differences(found, ["roi"])[:5] == [
        "roi: differs: 1 input, 1 table, 1 figure, 1 text, 3 files", "  input Opportunity.csv changed",
        "    0065g000AAMYkT2AYL Amount: 250.50 → 250.51", "  table deals",
        "    0065g000AAMYkT2AYL, value: 250.50 → 250.51"]


def test_inputs_that_changed_or_are_gone_are_taken_from_their_copies(made):
    project, month = made
    (project / "export" / "Opportunity.csv").write_text(DEALS.replace("250.50", "250.51"))
    assert verify_month(month, project, from_copy=True).empty
    shutil.rmtree(project / "export")
    assert verify_month(month, project).empty


def test_inputs_that_are_gone_without_a_copy_are_asked_for(made):
    project, month = made
    shutil.rmtree(project / "export")
    shutil.rmtree(month / "private")
    with pytest.raises(ValueError, match=r"private: holds no whole copy of Opportunity.csv. Put the file back where"):
        verify_month(month, project)


@pytest.mark.parametrize("name", ["roi.html", "roi.xlsx", "roi.ipynb"])
def test_a_published_file_that_was_touched_or_lost_is_named(made, name):
    project, month = made
    (month / name).write_bytes((month / name).read_bytes() + b" ")
    (kind, file, _, before, after), *_ = rows_of(verify_month(month, project), "published")
    assert (kind, file) == ("published", name) and before != after
    (month / name).unlink()
    assert rows_of(verify_month(month, project), "published")[0][3:] == (before, "not there")


def test_what_was_touched_in_the_published_notebook_is_found(made):
    project, month = made
    notebook = nbformat.read(month / "roi.ipynb", 4)
    (shown,) = [output["data"] for cell in notebook.cells for output in cell.get("outputs", ())
                if "Deals" in str(output.get("data"))]
    shown["application/vnd.attribution-kit.table.v1+json"]["rows"][1][1] = 999.5
    nbformat.write(notebook, month / "roi.ipynb")
    found = verify_month(month, project)
    assert [row[1] for row in rows_of(found, "published")] == ["roi.ipynb"]
    assert rows_of(found, "table") == [("table", "deals", "0065g000AAMYkT2AYL, value", "999.50", "250.50")]


def test_a_published_file_that_is_no_notebook_any_more_is_only_said_to_differ(made):
    project, month = made
    for broken in ("{}", "[1]", '{"cells": [{"cell_type": "code", "outputs": [{"data": 5}]}], "nbformat": 4}'):
        (month / "roi.ipynb").write_text(broken)
        found = rows_of(verify_month(month, project), "published", "table", "figure")
        assert [row[:2] for row in found] == [("published", "roi.ipynb")]


def test_a_notebook_and_a_package_that_changed_are_named_as_causes(made):
    project, month = made
    manifest = json.loads((month / "manifest.json").read_text())
    manifest["roi"]["packages"]["pandas"] = "1.0"
    (month / "manifest.json").write_text(json.dumps(manifest))
    write_notebook(project / "roi.ipynb", SHOW_DEALS, DRAW_DEALS, "print('other words')", declare=DECLARE)
    found = verify_month(month, project)
    assert [row[1] for row in rows_of(found, "input")] == ["roi.ipynb"]
    assert [row[1:4] for row in rows_of(found, "package")] == [("pandas", "", "1.0")]
    assert rows_of(found, "text") == [("text", "text 1", "", "350.50 won in 2026-09\n", "other words\n")]


def test_a_run_that_fails_is_said_and_not_raised(made):
    project, month = made
    (project / "export" / "Opportunity.csv").write_text("Id,Name,Sum\n0065g000AAMYkT1AYL,Acme,100.00\n")
    found = rows_of(verify_month(month, project), "run", "input")
    assert [row[1:4] for row in found[:3]] == [("Opportunity.csv", "0065g000AAMYkT1AYL Amount", "100.00"), (
        "Opportunity.csv", "0065g000AAMYkT1AYL Sum", "(not shown)"), ("Opportunity.csv", "0065g000AAMYkT2AYL", "there")]
    assert [row[0] for row in found[3:]] == ["run"] and "KeyError: 'Amount'" in found[3][-1]


def test_a_folder_with_other_letters_is_verified_from_its_copy(tmp_path):
    data = tmp_path / 'Työ "2026"'
    data.mkdir()
    (data / "Opportunity.csv").write_text(DEALS)
    (data / "Account.csv").write_text("Id\n")
    write_notebook(tmp_path / "roi.ipynb", SHOW_DEALS, declare=DECLARE)
    month = run_report(tmp_path / "roi.ipynb", {"data_dir": str(data)}, tmp_path / "reports")
    assert verify_month(month, tmp_path, from_copy=True).empty


def test_a_notebook_beside_the_reports_is_not_run(made, monkeypatch):
    _, month = made
    evil = month / "notebooks"
    evil.mkdir()
    write_notebook(evil / "roi.ipynb", f"open({str(month / 'ran')!r}, 'w')", declare=DECLARE)
    monkeypatch.chdir(month)
    assert rows_of(verify_month("."), "run")[0][-1].endswith("roi.ipynb: there is no such notebook")
    assert not (month / "ran").exists()


def swap(manifest, **said):
    manifest["roi"] |= said
    return manifest


@pytest.mark.parametrize("change", [
    lambda said: swap(said, notebook="../evil.ipynb"), lambda said: swap(said, notebook="other.ipynb"),
    lambda said: swap(said, outputs={"../x": "0" * 64}), lambda said: swap(said, inputs={"a": "../../x"}),
    lambda said: swap(said, parameters={"data_dir": 5}), lambda said: swap(said, parameters={"month": [1]}),
    lambda said: swap(said, inputs=None), lambda said: swap(said, packages=[]), lambda said: {"../roi": said["roi"]}])
def test_a_manifest_that_leads_elsewhere_is_refused(made, change):
    project, month = made
    manifest = json.loads((month / "manifest.json").read_text())
    (month / "manifest.json").write_text(json.dumps(change(manifest)))
    with pytest.raises(ValueError, match=r"manifest.json: (.*roi is not said as this v|is no manifest that can be)"):
        verify_month(month, project)


def test_a_notebook_kept_beside_the_report_is_never_run(made):
    project, month = made
    (project / "roi.ipynb").unlink()
    (run,) = rows_of(verify_month(month, project, from_copy=True), "run")
    assert run[-1].endswith("roi.ipynb: there is no such notebook")


def test_a_folder_without_reports_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no manifest.json that names a report. Name a month's folder, such as"):
        verify_month(tmp_path)


def notebook_of(*outputs):
    cells = [nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("display_data", data)]) for data in outputs]
    return nbformat.v4.new_notebook(cells=cells)


def table_of(*rows, title="Deals", columns=(("deal", "id"), ("value", "money"))):
    return {"application/vnd.attribution-kit.table.v1+json": {
        "sheet": "deals", "title": title, "rows": [list(row) for row in rows],
        "columns": [{"name": name, "label": name, "format": form} for name, form in columns]}}


@pytest.mark.parametrize(("then", "now", "expected"), [
    (table_of(("a", 1.0), ("b", 2.0)), table_of(("b", 2.0), ("a", 1.5)),
     [("a, value", "1.00", "1.50"), ("place 1", "a", "b"), ("place 2", "b", "a")]),
    (table_of((" a", 1.0), ("a", 2.0)), table_of((" a", 1.0), ("a", 3.0)), [("a, value", "2.00", "3.00")]),
    (table_of(("a", 1.0)), table_of(("a", 1.0), ("b", None)), [("b", "not there", "there")]),
    (table_of(("a", None)), table_of(("a", 0.0)), [("a, value", "blank", "0.00")]),
    (table_of(("a", 1.0), ("a", 2.0)), table_of(("a", 1.0), ("a", 3.0)), [("row 2, value", "2.00", "3.00")]),
    (table_of(title="Old"), table_of(title="New"), [("title", "Old", "New")]),
    (table_of(), table_of(columns=(("deal", "id"),)), [("columns", "deal (deal), value (value)", "deal (deal)")])])
def test_tables_are_compared_by_what_names_a_row(then, now, expected):
    assert compare_notebooks(notebook_of(then), notebook_of(now)) == [("table", "deals", *row) for row in expected]


def figure_of(*traces):
    return {"application/vnd.plotly.v1+json": {"data": list(traces), "layout": {"title": {"text": "Won"}}}}


@pytest.mark.parametrize(("then", "now", "place"), [
    ({"x": ["a", "b", "a"], "y": [1, 2, 3]}, {"x": ["a", "b", "a"], "y": [9, 2, 3]}, "bar won, a: y"),
    ({"x": ["a", "b", "a"], "y": [1, 2, 3]}, {"x": ["a", "b", "a"], "y": [1, 2, 9]}, "bar won, a (2): y"),
    ({"x": [1, 2], "y": [1, 2]}, {"x": [1, 2], "y": [9, 2]}, "bar won, 1: y")])
def test_every_point_of_a_figure_is_compared(then, now, place):
    bar = {"type": "bar", "name": "won"}
    rows = compare_notebooks(notebook_of(figure_of(bar | then, bar)), notebook_of(figure_of(bar | now, bar)))
    assert [row[2] for row in rows] == [place] and rows[0][4] == "9"
    rows = compare_notebooks(notebook_of(figure_of(bar, bar | then)), notebook_of(figure_of(bar, bar | now)))
    assert [row[2] for row in rows] == [place.replace("bar won", "bar won (2)")]


def test_tables_that_came_or_went_are_named():
    one, none = notebook_of(table_of()), notebook_of()
    assert compare_notebooks(one, none) == [("table", "deals", "", "there", "not there")]
    assert compare_notebooks(none, one) == [("table", "deals", "", "not there", "there")]


def test_many_places_are_counted_and_long_ones_cut(made):
    rows = [(f"d{number}", 1.0) for number in range(9)]
    then, now = notebook_of(table_of(*rows)), notebook_of(table_of(*[(name, 2.0) for name, _ in rows]))
    import pandas as pd
    found = pd.DataFrame([("roi", *row) for row in compare_notebooks(then, now)],
                         columns=["report", "kind", "name", "place", "before", "after"])
    assert say_differences(found, ["roi"], 2) == [
        "roi: differs: 1 table", "  table deals", "    d0, value: 1.00 → 2.00", "    d1, value: 1.00 → 2.00",
        "    and 7 more"]


def test_the_command_line_gives_the_status(made, capsys, monkeypatch):
    project, month = made
    monkeypatch.setattr(verify_month, "__defaults__", (project,))
    monkeypatch.chdir(project)
    assert main(["verify", str(month)]) == 0
    assert capsys.readouterr().out == "roi: identical to the byte\n"
    (month / "roi.html").write_text("<p>mine</p>")
    assert main(["verify", "reports/2026-09"]) == 1
    assert capsys.readouterr().out.startswith("roi: differs\n  roi.html is not the file that was published\n    ")
    assert main(["verify", "reports"]) == 2
    assert "reports: holds no manifest.json" in capsys.readouterr().err
