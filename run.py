"""Set up and run, from nothing but Python 3.11-3.13.

    python3 run.py report    makes the sample month's reports; further arguments go to `attribution report all`
    python3 run.py test      runs every test; further arguments go to pytest

The first run makes `.venv` from requirements.lock, every package checked against its hash; a change of the lock, of
pyproject.toml or of Python makes it anew.
"""

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LOCK = ROOT / "requirements.lock"
COMMANDS = {"report": ["attribution", "report", "all", "--month", "2026-10"], "test": ["pytest"]}


def main(arguments):
    """Set up where needed, then run the command."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit("run.py: Python 3.11, 3.12 or 3.13 is needed, this is {}.{}".format(*sys.version_info))
    if not arguments or arguments[0] not in COMMANDS:
        sys.exit(__doc__)
    set_up()
    run(["-m", *COMMANDS[arguments[0]], *arguments[1:]])


def set_up():
    """Make .venv, unless the one there was made from the same lock, project file and Python."""
    made_from = fingerprint()
    stamp = VENV / "made-from.txt"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == made_from:
        return
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        sys.exit("run.py: this Python cannot make a virtual environment. On Debian or Ubuntu: "
                 "sudo apt install python{}.{}-venv".format(*sys.version_info))
    print("Setting up .venv, which takes a minute or two the first time.", file=sys.stderr, flush=True)
    call(sys._base_executable, "-m", "venv", "--clear", VENV)
    tools = VENV / "set-up.txt"
    tools.write_text("".join(locked(name) for name in ("setuptools", "uv")), encoding="utf-8")
    call(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes",
         "-r", tools)
    install = [PYTHON, "-m", "uv", "pip", "install", "--quiet", "--system-certs", "--compile-bytecode", "--no-deps",
               "--python", PYTHON]
    call(*install, "--require-hashes", "-r", LOCK)
    call(*install, "--no-build-isolation", "--editable", ROOT)
    stamp.write_text(made_from, encoding="utf-8")


def fingerprint():
    """Say what .venv is made from."""
    files = LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()
    return hashlib.sha256(files).hexdigest() + " " + sys.version


def locked(name):
    """Cut one package, with its hashes, out of the lock."""
    return re.search(rf"^{name}==.*\n(?: .*\n)*", LOCK.read_text(encoding="utf-8"), re.MULTILINE)[0]


def call(*command):
    """Run a step of the set-up; stop where it fails."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    if subprocess.call([str(part) for part in command], cwd=str(ROOT), env=environment):
        sys.exit("run.py: the set-up failed, see above. It needs a network; behind a package mirror, name it in "
                 "PIP_INDEX_URL and UV_DEFAULT_INDEX")


def run(arguments):
    """Run .venv's Python in the project's folder, in the place of this process where that is possible."""
    os.chdir(str(ROOT))
    if os.name == "posix":
        os.execv(str(PYTHON), [str(PYTHON), *arguments])
    sys.exit(subprocess.call([str(PYTHON), *arguments]))


if __name__ == "__main__":
    main(sys.argv[1:])
