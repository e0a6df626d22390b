"""The sample month that is kept with the project is what its manifest says, on every machine."""

import shutil
from pathlib import Path

import pytest

from attribution.cli import main

ROOT = Path(__file__).parents[1]
MONTH = ROOT / "data" / "sample_reports" / "2026-10"
WON = '"0085g000AANU3woAYD","0065g000AAMYkT1AYL"'           # the history's row in which a deal of 40,389.90 is won


def test_the_kept_month_is_made_again_to_the_byte(capsys):
    assert main(["verify", str(MONTH)]) == 0
    assert capsys.readouterr().out == "campaign_roi: identical to the byte\nsla_conversion: identical to the byte\n"


@pytest.fixture
def one_cent_more(tmp_path, monkeypatch):
    """A project of its own in which one row of one CSV says one cent more; the notebooks are those of this one."""
    shutil.copytree(ROOT / "data" / "sample", tmp_path / "data" / "sample")
    path = tmp_path / "data" / "sample" / "OpportunityHistory.csv"
    text = path.read_bytes()
    row = next(line for line in text.splitlines() if line.startswith(WON.encode()))
    path.write_bytes(text.replace(row, row.replace(b'"40389.90"', b'"40389.91"', 1)))
    monkeypatch.chdir(tmp_path)


def test_one_cent_in_one_row_is_found(one_cent_more, capsys):
    assert main(["verify", str(MONTH)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("campaign_roi: differs: 1 input, ")
    assert said[1:3] == ["  input OpportunityHistory.csv changed", "    0085g000AANU3woAYD Amount: 40389.90 → 40389.91"]
    assert "    2026-10, attributed: 374,990.79 → 374,990.80" in said
    assert "    0065g000AAMYkT1AYL / 7015g000AAMM1GoAYL, value: 40,389.90 → 40,389.91" in said
    (sla,) = [n for n, line in enumerate(said) if line.startswith("sla_conversion: differs: 1 input, ")]
    assert said[sla + 2] == "    0085g000AANU3woAYD Amount: 40389.90 → 40389.91"


def test_the_kept_copy_still_gives_the_published_month(one_cent_more, capsys):
    assert main(["verify", str(MONTH), "--from-copy"]) == 0
    assert "differs" not in capsys.readouterr().out
