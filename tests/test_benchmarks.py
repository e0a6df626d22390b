"""Tiny runs of the benchmarks: that each still runs, and that its check against brute force can be trusted."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from sparks import need_spark

from attribution.sources import read_export

FOLDER = Path(__file__).parents[1] / "benchmarks"
SAMPLE = FOLDER.parent / "data" / "sample"
CHECK = "import sys, pathlib; from side_by_side.check import check_figures; check_figures(pathlib.Path(sys.argv[1]))"


def table_of(name, *arguments):
    """Run a benchmark, and return the rows of the table that it prints."""
    run = subprocess.run([sys.executable, FOLDER / name, *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in run.stdout.splitlines()]


@pytest.mark.parametrize(("name", "arguments"), [
    ("kernel.py", ["2000"]), ("markov.py", ["3000", "40"]), ("reading.py", [SAMPLE])])
def test_benchmark_prints_its_table(name, arguments):
    header, rule, *rows = table_of(name, *arguments)
    assert set("".join(rule)) == {"-"} and rows and all(len(row) == len(header) for row in rows)


def test_markov_benchmark_agrees_with_brute_force():
    *_, row = table_of("markov.py", "3000", "40")
    assert row[1] == "40" and float(row[-1]) < 1e-12


def test_reading_benchmark_writes_the_memberships_again_as_others(tmp_path):
    export = shutil.copytree(SAMPLE, tmp_path / "export")
    before = read_export(export)["CampaignMember"]
    runpy.run_path(str(FOLDER / "reading.py"))["multiply"](export, 3)
    after = read_export(export)["CampaignMember"]              # which refuses ids that stand twice
    assert len(after) == 3 * len(before) and after[:len(before)].equals(before)
    other = after[len(before):2 * len(before)].reset_index(drop=True)
    assert other["LeadId"].equals(before["LeadId"]) and not (other["CampaignId"] == before["CampaignId"]).any()
    assert set(other["CampaignId"]) <= set(read_export(export)["Campaign"]["Id"])


def test_spark_benchmark_holds_its_credit_against_sql():
    need_spark()
    header, _, sql, ours = table_of("spark.py", "2000", "1")
    assert [row[0] for row in (sql, ours)] == ["Spark's SQL", "attribution.spark"] and len(header) == len(ours) == 3


@pytest.fixture(scope="module")
def raced(tmp_path_factory):
    """Race ourselves and SQL on little data, and give the folder of the data and the page."""
    folder = tmp_path_factory.mktemp("race")
    page_of(folder, "--sizes", "2000")
    return folder


def test_race_agrees_with_plain_loops_and_says_what_it_took(raced):
    lines = page_of(raced, "--report")
    rows = {line.split(" | ")[0][2:]: line.split(" | ") for line in lines if line.startswith("| ")}
    assert {"ours, 9 models", "ours, 9 models to the cent", "SQL by hand, 9 models"} <= rows.keys()
    (wall, ratio), (sql, _) = ([float(cell) for cell in rows[name][1:3]] for name in (
        "ours, 9 models", "SQL by hand, 9 models"))
    assert ratio == pytest.approx(wall / sql, rel=0.1)          # of figures with two or three digits
    assert any(name.startswith("beside SQL by hand, 2,000 touches") for name in rows)


def page_of(folder, *arguments):
    """Run the race among ourselves and SQL, and return the page's lines."""
    given = [sys.executable, FOLDER / "peers.py", *arguments, "--runs", "1", "--data", folder, "--out", folder / "p.md",
             "--only", "ours", "ours_to_the_cent", "sql"]
    run = subprocess.run(given, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert (folder / "p.md").read_text(encoding="utf-8").strip() == run.stdout.strip()
    return run.stdout.splitlines()


def test_race_stops_where_figures_differ(raced):
    path = raced / "int-2000" / "ours.credit"
    said = pd.read_parquet(path)
    said.assign(credit=said["credit"] + 0.02 * (said.index == 7)).to_parquet(path)
    run = subprocess.run([sys.executable, "-c", CHECK, path.parent], capture_output=True, text=True,
                         cwd=FOLDER, check=False)
    assert run.returncode and run.stderr.startswith("ours and sql in int-2000 differ in 1 of "), run.stderr
