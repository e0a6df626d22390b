"""The example of a monthly job makes, verifies and archives a month: its own steps are run."""

import json
import os
import re
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from attribution.cli import main

ROOT = Path(__file__).parents[1]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "monthly-reports.yml").read_text(encoding="utf-8"))
STEPS = WORKFLOW["jobs"]["reports"]["steps"]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


def run_steps(folder, **settings):
    """Run what the workflow runs, with the environment that it gives; what it asks GitHub for is empty."""
    done = []
    for step in [step for step in STEPS if "run" in step]:
        given = {name: re.sub(r"\$\{\{.*?\}\}", "", str(value)) for name, value in step.get("env", {}).items()}
        done.append(subprocess.run(["bash", "-e", "-c", step["run"]], cwd=ROOT, capture_output=True, text=True,
                                   check=False, env=os.environ | given | {
                                       "OUT": str(folder / "reports"), "ARCHIVE": str(folder / "archive")} | settings))
    assert done
    return done[-1]


def test_the_job_makes_verifies_and_archives_the_month(tmp_path):
    assert main(["report", "all", "--month", "2026-09", "--out", str(tmp_path / "reports")]) == 0
    done = run_steps(tmp_path, MONTH="2026-10")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "reports" / "2026-10" / "manifest.json").read_text(encoding="utf-8"))
    assert {said["parameters"]["previous"] for said in manifest.values()} == {str(tmp_path / "reports" / "2026-09")}
    said = done.stdout.splitlines()
    assert said[-3:] == ["campaign_roi: identical to the byte", "sla_conversion: identical to the byte",
                         str(tmp_path / "archive" / "2026-10.tar.gz")]
    archive = tmp_path / "archive" / "2026-10.tar.gz"
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600 and list(archive.parent.iterdir()) == [archive]
    with tarfile.open(archive) as packed:
        names = packed.getnames()
    assert {f"2026-10/{name}" for name in ("campaign_roi.html", "sla_conversion.html", "manifest.json")} < set(names)


def test_the_job_stops_where_a_report_cannot_be_made(tmp_path):
    done = run_steps(tmp_path, MONTH="2019-01")
    assert done.returncode == 2 and "attribution: " in done.stderr
    assert not (tmp_path / "archive").exists()


def test_the_readme_gives_the_cron_line_of_the_same_time():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ *(\S+ \S+ \S+ \S+ \S+) +cd \S+ && (?:\w+=\S+ )*\./monthly\.sh$", readme, re.MULTILINE)
    assert line == WORKFLOW[True]["schedule"][0]["cron"]        # YAML reads the key `on` as true


def test_the_job_keeps_the_inputs_to_itself():
    (upload,) = [step for step in STEPS if step.get("uses", "").startswith("actions/upload-artifact")]
    assert upload["with"]["path"].split() == ["reports", "!reports/*/private"]
    assert os.access(ROOT / "monthly.sh", os.X_OK) and WORKFLOW["permissions"] == {"contents": "read"}
