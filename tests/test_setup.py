"""Project file, lock, conda's environment and what is installed agree; run.py does what it says."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import attribution

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
SPARK_LOCK = (ROOT / "requirements-spark.lock").read_text(encoding="utf-8")


def pins_of(lock):
    return [Requirement(line.rstrip(" \\")) for line in lock.splitlines() if line and not line.startswith(" ")]


LOCKED = pins_of(LOCK)


@pytest.fixture
def run():
    spec = importlib.util.spec_from_file_location("run", ROOT / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wanted():
    extras = [needs for extra, needs in PROJECT["optional-dependencies"].items() if extra != "spark"]
    return [Requirement(text) for text in [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]]


def not_held(needs, lock):
    pins = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins_of(lock)}
    return [str(need) for need in needs if pins.get(canonicalize_name(need.name), "0") not in need.specifier]


def test_lock_holds_everything_wanted_within_its_range():
    assert len(wanted()) > 20
    assert not_held(wanted(), LOCK) == []


def test_spark_has_a_lock_of_its_own_and_is_not_in_the_newcomers():
    spark = [Requirement(text) for text in PROJECT["optional-dependencies"]["spark"]]
    assert [need.name for need in spark] == ["pyspark"]
    assert not_held(spark, SPARK_LOCK) == []
    assert {"pyspark", "py4j"} == {pin.name for pin in pins_of(SPARK_LOCK)}
    assert not {"pyspark", "py4j"} & {pin.name for pin in LOCKED}


@pytest.mark.parametrize(("lock", "at_least"), [(LOCK, 100), (SPARK_LOCK, 2)], ids=["lock", "spark"])
def test_lock_has_a_hash_for_every_package_and_names_no_host(lock, at_least):
    packages = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)[1:]
    assert len(packages) == len(pins_of(lock)) >= at_least
    assert [package for package in packages if not re.search(r"--hash=sha256:[0-9a-f]{64}", package)] == []
    assert not re.search(r"://|--(extra-)?index|--find-links|@ ", lock)


def test_installed_packages_are_those_of_the_lock():
    here = [pin for pin in LOCKED if pin.marker is None or pin.marker.evaluate()]
    installed = {pin.name: version(pin.name) for pin in here}
    assert [str(pin) for pin in here if installed[pin.name] not in pin.specifier] == []


def test_conda_environment_is_that_of_the_project_file():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, packages = environment["dependencies"]
    assert (python, pip) == ("python " + PROJECT["requires-python"], "pip")
    assert packages == {"pip": [*PROJECT["dependencies"], "-e ."]}


def test_package_says_its_version_and_every_public_name_is_there():
    assert attribution.__version__ == PROJECT["version"]
    assert [name for name in attribution.__all__ if not hasattr(attribution, name)] == []
    names = [name for names in attribution._HOMES.values() for name in names]
    assert sorted(names) == sorted(set(names))           # of two homes the last would win in silence


def test_package_is_light_to_import():
    code = "import attribution, sys; print(sorted({'numpy', 'pandas', 'plotly', 'papermill'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_run_needs_nothing_but_the_standard_library():
    tree = ast.parse((ROOT / "run.py").read_text(encoding="utf-8"), feature_version=(3, 7))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    names = {alias.name.split(".")[0] for node in imports for alias in node.names}
    names |= {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "subprocess" in names and names <= sys.stdlib_module_names


@pytest.mark.parametrize("python", [(3, 10, 13), (3, 14, 0)])
def test_run_says_which_python_it_needs(run, monkeypatch, python):
    monkeypatch.setattr(sys, "version_info", python)
    with pytest.raises(SystemExit, match=r"^run.py: Python 3.11, 3.12 or 3.13 is needed, this is 3\.1[04]$"):
        run.main(["test"])


@pytest.mark.parametrize("arguments", [[], ["tset"]])
def test_run_says_what_it_can_do(run, arguments):
    with pytest.raises(SystemExit, match="python3 run.py report"):
        run.main(arguments)


def test_run_says_what_to_install_where_python_cannot_make_an_environment(run, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "VENV", tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else name)
    with pytest.raises(SystemExit, match=r"sudo apt install python3\.\d+-venv"):
        run.set_up()


def test_run_sets_up_once_and_again_when_the_lock_changes(run, monkeypatch, tmp_path):
    steps = []
    monkeypatch.setattr(run, "VENV", tmp_path)
    monkeypatch.setattr(run, "call", lambda *command: steps.append(command))
    run.set_up()
    assert len(steps) == 4 and "--clear" in steps[0]
    assert all("--require-hashes" in step for step in steps[1:3])
    run.set_up()
    assert len(steps) == 4
    monkeypatch.setattr(run, "LOCK", tmp_path / "other.lock")
    run.LOCK.write_text(LOCK + "\n")
    run.set_up()
    assert len(steps) == 8


def test_run_begins_again_after_a_set_up_that_failed(run, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "VENV", tmp_path)
    monkeypatch.setattr(run.subprocess, "call", lambda *command, **options: 1)
    with pytest.raises(SystemExit, match="^run.py: the set-up failed, see above"):
        run.set_up()
    assert not (tmp_path / "made-from.txt").exists()


def test_run_cuts_a_package_out_of_the_lock_with_its_hashes(run):
    lines = run.locked("uv").splitlines()
    assert re.fullmatch(r"uv==\S+ \\", lines[0])
    assert len(lines) > 1 and all(line.startswith("    --hash=sha256:") for line in lines[1:])


def test_run_passes_further_arguments_on(run, monkeypatch):
    ran = []
    monkeypatch.setattr(run, "set_up", lambda: None)
    monkeypatch.setattr(run, "run", ran.append)
    run.main(["report", "--month", "2026-09"])
    run.main(["test", "-k", "cents"])
    assert ran == [["-m", "attribution", "report", "all", "--month", "2026-10", "--month", "2026-09"],
                   ["-m", "pytest", "-k", "cents"]]


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
def test_ci_runs_the_commands_that_the_readme_gives():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    lines = script.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("python3 ")] == ["python3 run.py report", "python3 run.py test"]
    assert lines[-1] == "python3 run.py test"
