"""What can go wrong does so here, for real: the last good report stays whole, and one line says what happened."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from notebook_cases import write_notebook
from processes import is_running, wait_for

from attribution.report import run_report, run_reports
from attribution.running import ReportError

posix = pytest.mark.skipif(os.name != "posix", reason="processes, signals and mounts are POSIX's here")
CAN_MOUNT = shutil.which("unshare") and not subprocess.run(
    ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode
mounted = pytest.mark.skipif(not CAN_MOUNT, reason="no file system can be mounted here to fill or to lock")


def everything(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def month(tmp_path):
    return run_report(write_notebook(tmp_path / "roi.ipynb"), {"month": "2026-09"}, tmp_path / "reports")


def run_in_process(notebook, out, script="", **environment):
    """Run a report in a process of its own, as the command line does, below a script that may mount."""
    code = ("import sys; from attribution import cli, report\n"
            "cli._report = lambda _: print(report.run_reports({sys.argv[1]: {'month': '2026-09'}}, sys.argv[2]))\n"
            "sys.exit(cli.main(['report', 'all', '--month', '2026-09']))")
    shell = ["unshare", "-Urm", "bash", "-c", script, "bash"] if script else []
    return subprocess.Popen([*shell, sys.executable, "-c", code, str(notebook), str(out)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=os.environ | environment)


@posix
@pytest.mark.parametrize(("fault", "words"), [
    ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "^roi.ipynb: the kernel died, as it does when memory"),
    ("import resource; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)); bytearray(2**33)",
     r"^roi.ipynb: cell 4 \(The rest\) failed: MemoryError"),
    ("raise KeyboardInterrupt", r"^roi.ipynb: cell 4 \(The rest\) failed: KeyboardInterrupt"),
])
def test_a_kernel_that_dies_or_is_out_of_memory(month, fault, words):
    before = everything(month.parent)
    with pytest.raises(ReportError, match=words):
        run_report(write_notebook(month.parents[1] / "roi.ipynb", fault), {"month": "2026-09"}, month.parent)
    assert everything(month.parent) == before and [path.name for path in month.parent.iterdir()] == ["2026-09"]


@posix
def test_a_kernel_that_hangs_is_stopped(month, tmp_path):
    before, pid = everything(month.parent), tmp_path / "pid"
    hang = f"import os, pathlib, time\npathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\ntime.sleep(600)"
    notebook = write_notebook(tmp_path / "roi.ipynb", hang)
    words = r"^roi.ipynb: cell 4 \(The rest\) took longer than 10 seconds and was stopped. Give it more time with --t"
    with pytest.raises(ReportError, match=words):
        run_reports({notebook: {"month": "2026-09"}}, month.parent, timeout_seconds=10)
    wait_for(lambda: not is_running(int(pid.read_text())))
    assert everything(month.parent) == before


FILL = """\
cp -r {out} {out}.kept
mount -t tmpfs -o size={size}k none {out}
cp -r {out}.kept/. {out}
"$@"
echo "status $?"
diff -r {out}.kept {out} && ls -A {out}
"""


@posix
@mounted
def test_a_full_disk(month):
    size = sum(path.stat().st_size for path in month.rglob("*") if path.is_file()) // 1000 + 400
    run = run_in_process(month.parents[1] / "roi.ipynb", month.parent, FILL.format(out=month.parent, size=size))
    said, complaint = run.communicate(timeout=120)
    words = r"attribution: .*reports/2026-09: cannot be written: No space left on device. Nothing was published\n"
    assert re.fullmatch(words, complaint) and said == "status 1\n2026-09\n"


@posix
@mounted
def test_a_read_only_folder(month):
    out = month.parent
    before = everything(out)
    lock = f'mount --bind {out} {out} && mount -o remount,bind,ro {out} && exec "$@"'
    run = run_in_process(out.parent / "roi.ipynb", out, lock)
    said, complaint = run.communicate(timeout=120)
    words = r"attribution: .*reports/2026-09: cannot be written: Read-only file system. Nothing was published\n"
    assert re.fullmatch(words, complaint)
    assert (said, run.returncode) == ("", 1) and everything(out) == before


@posix
def test_two_runs_at_once_for_one_month(month, tmp_path):
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    wait = (f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\n"
            f"while not pathlib.Path({str(go_on)!r}).exists():\n    time.sleep(0.05)\nprint('slow')")
    first = run_in_process(write_notebook(tmp_path / "slow.ipynb", wait), month.parent)
    wait_for(begun.exists)
    before = everything(month)
    with pytest.raises(ReportError, match=r"2026-09: another run is making it. Wait for its end, or stop it$"):
        run_report(tmp_path / "roi.ipynb", {"month": "2026-09"}, month.parent)
    assert everything(month) == before
    other = run_report(tmp_path / "roi.ipynb", {"month": "2026-10"}, month.parent)
    go_on.touch()
    assert first.wait(timeout=60) == 0
    assert (month / "slow.html").is_file() and (month / "roi.html").read_bytes() == before[Path("roi.html")]
    assert sorted(month.parent.iterdir()) == [month, other]


@posix
def test_a_run_that_was_killed_leaves_no_kernel_and_the_next_one_clears_up(month, tmp_path):
    before, pid = everything(month), tmp_path / "pid"
    hang = f"import os, pathlib, time\npathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\ntime.sleep(600)"
    killed = run_in_process(write_notebook(tmp_path / "slow.ipynb", hang), month.parent, TMPDIR=str(tmp_path))
    wait_for(lambda: pid.exists() and pid.read_text())
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=60)
    wait_for(lambda: not is_running(int(pid.read_text())))
    assert everything(month) == before and (month.parent / ".2026-09-new").is_dir()
    run_report(tmp_path / "roi.ipynb", {"month": "2026-09"}, month.parent)
    assert [path.name for path in month.parent.iterdir()] == ["2026-09"]


@posix
def test_a_month_that_was_being_replaced_when_the_run_was_killed_comes_back(month):
    before = everything(month)
    workshop = month.parent / ".2026-09-new"
    workshop.mkdir()
    month.rename(workshop / "old")
    with pytest.raises(ValueError, match="month: deals"):
        run_report(write_notebook(month.parents[1] / "roi.ipynb", "raise ValueError('month: deals')"),
                   {"month": "2026-09"}, month.parent)
    assert everything(month) == before and [path.name for path in month.parent.iterdir()] == ["2026-09"]


@posix
def test_a_run_is_the_same_in_another_folder_time_zone_and_locale(month, tmp_path):
    elsewhere = tmp_path / "työ pöytä"
    elsewhere.mkdir()
    shutil.copy(month.parents[1] / "roi.ipynb", elsewhere)
    run = run_in_process(elsewhere / "roi.ipynb", elsewhere / "out", TZ="Pacific/Kiritimati", LC_ALL="fi_FI.UTF-8",
                         LANG="fi_FI.UTF-8", PYTHONHASHSEED="7")
    assert run.wait(timeout=60) == 0
    files = ("roi.html", "roi.ipynb", "roi.xlsx")
    assert [(elsewhere / "out" / "2026-09" / name).read_bytes() for name in files] == [
        (month / name).read_bytes() for name in files]
