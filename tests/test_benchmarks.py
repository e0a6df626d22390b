"""Tiny runs of the benchmarks: that each still runs, and that its check against brute force can be trusted."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sparks import need_spark

from attribution.sources import read_export

FOLDER = Path(__file__).parents[1] / "benchmarks"
SAMPLE = FOLDER.parent / "data" / "sample"


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
