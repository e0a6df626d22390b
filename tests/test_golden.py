"""The sample month's tables against the figures kept in `golden/`; they change only with a line in the changelog."""

import csv
from pathlib import Path

import nbformat
import pytest

from attribution.workbook import find_tables

GOLDEN = Path(__file__).parent / "golden"
SHEETS = ("left_out", "linking", "headline", "bookings", "deals", "booked_clock", "campaign_clock", "models",
          "model_ranges", "shifts", "budget", "reconciliation", "against_crm", "crm_roi", "credit_to_date")


@pytest.fixture(scope="module")
def tables(sample_report):
    return {table["sheet"]: table for table in find_tables(nbformat.read(sample_report / "campaign_roi.ipynb", 4))}


def as_text(table):
    return [[column["name"] for column in table["columns"]],
            *[["" if cell is None else str(cell) for cell in row] for row in table["rows"]]]


@pytest.mark.parametrize("sheet", SHEETS)
def test_sample_month_gives_the_golden_table(tables, sheet):
    with open(GOLDEN / f"{sheet}.csv", encoding="utf-8", newline="") as file:
        golden = list(csv.reader(file))
    assert len(golden) > 1
    assert as_text(tables[sheet]) == golden


def test_golden_deals_are_the_exports_own(tables):
    """The golden credit, added up in cents, is what the export itself says was won."""
    won = {}
    with open(Path(__file__).parents[1] / "data/sample/Opportunity.csv", encoding="iso-8859-1", newline="") as file:
        for row in csv.DictReader(file):
            is_won = row["IsDeleted"] == "0" and row["IsWon"] == "1"
            if is_won and row["CloseDate"] <= "2026-10-31 00:00:00":
                won[row["Id"]] = round(float(row["Amount"] or 0) * 100)
    credited = dict.fromkeys(won, 0)
    names = [column["name"] for column in tables["credit_to_date"]["columns"]]
    deal, credit = names.index("conversion_id"), names.index("credit")
    for row in tables["credit_to_date"]["rows"]:
        credited[row[deal]] += round(row[credit] * 100)
    assert len(won) > 100
    assert credited == won
