"""Parameters reach a notebook as the values they are, whatever is in them."""

import pytest
from notebook_cases import write_notebook

from attribution.running import execute_notebook

DECLARE = 'owner: str | None = None\nhalf_life_days: float = 30\nlookback_days: int | None = 365'
ATTACKS = ['"; import os; os._exit(3) #', "'''\nraise SystemExit\n'''", "\\", '\\"', "{owner}", "%run evil",
           "!rm -rf x", "a\nb\r\tc\x00\x1b[31m", "\u202eevil", "$(id)", "None", "\ud7ff\U0001f600", "x" * 5000]


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_text_stays_text(tmp_path, attack):
    notebook = write_notebook(tmp_path / "tiny.ipynb", "print(ascii(owner), len(owner))", declare=DECLARE)
    executed = execute_notebook(notebook, {"owner": attack})
    assert executed["cells"][-1]["outputs"][0]["text"] == f"{ascii(attack)} {len(attack)}\n"


def test_numbers_and_blanks_stay_what_they_are(tmp_path):
    notebook = write_notebook(tmp_path / "tiny.ipynb", "print(owner, half_life_days, lookback_days)", declare=DECLARE)
    executed = execute_notebook(notebook, {"owner": None, "half_life_days": 14.5, "lookback_days": None})
    assert executed["cells"][-1]["outputs"][0]["text"] == "None 14.5 None\n"
