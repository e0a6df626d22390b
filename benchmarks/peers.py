"""Time nine rule models beside hand-written SQL, the hardware's floor and every peer: python benchmarks/peers.py

Makes the data, runs every contender in a process of its own, in turn, round by round, stops when figures differ, and
writes peers.md and peers.png. Every run is kept in runs.jsonl in the data folder: a second call goes on where the first
one was stopped, and --report only writes the page again. Peers are installed by uv, each in an environment of its own.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from side_by_side.check import check_by_hand, check_figures
from side_by_side.data import IDS, make_data
from side_by_side.page import LIMIT_SECONDS, write_page

PARTS = Path(__file__).parent / "side_by_side"
SIZES, TEXT_SIZES = (100_000, 1_000_000, 10_000_000, 100_000_000), (1_000_000, 10_000_000)
CHECKED, FRAMES, FRAME_RUNS = 2_000, 1_000, 5        # touches, touches, runs
LARGE, LARGE_RUNS = 100_000_000, 2
LONG_SECONDS = 100                                   # what takes longer is run once, and peers from LARGE on
EXPECTED_SECONDS = 150                               # what is expected to take longer is not tried


@dataclass(frozen=True)
class Contender:
    """A function of contenders.py: the packages that it needs, none for our own environment, and where it starts."""

    name: str
    needs: tuple[str, ...] = ()
    ids: tuple[str, ...] = ("int",)
    smallest: int = 0


CA = ("channelattribution==2.2.5", "pyarrow", "matplotlib")              # it imports it without asking for it
MTA, MAM = ("mta==0.0.9", "pyarrow"), ("marketing-attribution-models==2.1.1",)
PYCHATTR, DO = ("pychattr==0.2.1", "pyarrow"), ("do-attribution==0.0.2", "pyarrow")
SHAPLEY = ("shapley-attribution==2.1.0", "pyarrow", "pandas", "matplotlib")
CHECK = [Contender("ours", ids=IDS), Contender("ours_to_the_cent", ids=IDS), Contender("sql", ids=IDS)]
LARGER = [Contender("ours_in_4_gb", smallest=LARGE), Contender("sql_in_4_gb", smallest=LARGE)]
PEERS = [Contender("channelattribution", CA), Contender("mam_last", MAM), Contender("mam_rules", MAM),
         Contender("mta_last", MTA), Contender("mta_rules", MTA), Contender("shapley_attribution_first", SHAPLEY),
         Contender("shapley_attribution_rules", SHAPLEY),
         Contender("pychattr_first", PYCHATTR), Contender("pychattr_rules", PYCHATTR)]
ASKED = (CA, MAM, MTA, SHAPLEY, PYCHATTR, DO)        # the last has no rule models to race
RACE = [*CHECK, *LARGER, Contender("floor_numpy"), Contender("floor_polars"), Contender("journeys"), *PEERS]


class Bench:
    """A folder with the data, the environments and the record of runs."""

    def __init__(self, folder: Path):
        self.folder, self.log, self.cases = folder, folder / "runs.jsonl", folder / "cases.json"
        folder.mkdir(parents=True, exist_ok=True)

    def runs(self) -> pd.DataFrame:
        """Read what was run: a row per contender, ids, size (touches) and round."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return pd.DataFrame([json.loads(line) for line in lines],
                            columns=["name", "ids", "size", "round", "import_s", "wall_s", "calls_s", "cpu_s",
                                     "before_mib", "peak_mib", "error"])

    def check(self) -> None:
        """Hold the query and the package against plain loops, on little data."""
        for ids in IDS:
            folder = make_data(self.folder, CHECKED, ids)
            for one in CHECK:
                said = self._start(one, folder)
                if "error" in said:
                    raise SystemExit(f"{one.name} at {CHECKED:,} touches, ids {ids}: {said['error']}")
            check_by_hand(folder)

    def race(self, contenders: list[Contender], ids: str, size: int, n_rounds: int) -> None:
        """Let every contender run once a round, unless that run is on record or cannot end well."""
        wanted = [one for one in contenders if ids in one.ids and size >= one.smallest]
        folder = make_data(self.folder, size, ids)
        for n_round in range(n_rounds):
            for one in wanted:
                self._turn(one, ids, size, n_round, folder)
            check_figures(folder)

    def _turn(self, one: Contender, ids: str, size: int, n_round: int, folder: Path) -> None:
        runs = self.runs()
        before = runs[(runs["name"] == one.name) & (runs["ids"] == ids)]
        here = before[before["size"] == size]
        is_long = (here["wall_s"] > LONG_SECONDS).any() or (one.needs and size >= LARGE and len(here))
        is_over = is_long or here["error"].notna().any()
        if n_round in here["round"].to_list() or is_over:
            return
        reason = _why_not(before[before["size"] < size], size)
        said = {"error": reason} if reason else self._start(one, folder)
        line = json.dumps({"name": one.name, "ids": ids, "size": size, "round": n_round} | said)
        with self.log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        print(line, file=sys.stderr, flush=True)

    def _start(self, one: Contender, folder: Path) -> dict:
        _take_memory()
        is_checked = one.name.startswith(("ours", "sql")) and one.name != "ours_from_frames"
        to = [folder / f"{one.name}.credit"] if is_checked else []
        return _run([self._python(one.needs), PARTS / "contenders.py", one.name, folder, *to])

    def _python(self, needs: tuple[str, ...]) -> Path:
        """Give the Python that has these packages; make its environment where there is none yet."""
        if not needs:
            return Path(sys.executable)
        python = self.folder / "environments" / needs[0] / "bin" / "python"
        if not python.exists():
            uv = [sys.executable, "-m", "uv", "--quiet"]
            subprocess.run([*uv, "venv", "--python", sys.executable, python.parents[1]], check=True)
            subprocess.run([*uv, "pip", "install", "--python", python, *needs], check=True)
        return python

    def try_cases(self) -> None:
        """Ask each peer what it makes of cases with a known answer."""
        if not self.cases.exists():
            said = {needs[0]: _run([self._python(needs), PARTS / "cases.py", needs[0].split("==")[0]])
                    for needs in ASKED}
            self.cases.write_text(json.dumps(said, indent=1), encoding="utf-8")


def _take_memory() -> None:
    """Write 2.4 GB and give them back: after a pause, a virtual machine waits for its memory, and the run would too."""
    subprocess.run([sys.executable, "-c", "import numpy; numpy.ones(300_000_000)"], check=True)


def _why_not(before: pd.DataFrame, size: int) -> str | None:
    """Say why a larger size is not tried, by the largest that was: it failed, or it would take too much."""
    last = before[before["size"] == before["size"].max()]
    if last.empty:
        return None
    if last["error"].notna().any():
        return "not tried"
    times, gib = size / last["size"].iloc[0], os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    seconds, memory = last["wall_s"].median() * times, last["peak_mib"].median() * times / 2**10
    if seconds > EXPECTED_SECONDS:
        return f"not tried: about {seconds:,.0f} s expected"
    return f"not tried: about {memory:,.0f} GiB expected" if memory > gib else None


def _run(command: list) -> dict:
    """Run a process to its end, and give the JSON of its last line; else the last line of its complaint."""
    is_ours = command[0] == Path(sys.executable)
    quiet = {key: value for key, value in os.environ.items() if is_ours or key != "PYTHONPATH"}
    quiet["NUMPY_MADVISE_HUGEPAGE"] = "0"            # else a virtual machine may wait for them as long as it works
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, env=quiet, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"longer than {LIMIT_SECONDS} s"}
    if done.returncode < 0:
        return {"error": f"ended by signal {-done.returncode}{', out of memory' * (done.returncode == -9)}"}
    if done.returncode:
        return {"error": (done.stderr.strip() or "no word").splitlines()[-1][:200]}
    return json.loads(done.stdout.splitlines()[-1])


def main(given: argparse.Namespace) -> None:
    """Check, race, and write the page."""
    bench = Bench(given.data)
    race = [one for one in RACE if not given.only or one.name in given.only]
    if not given.report:
        bench.check()
        bench.race([Contender("ours_from_frames")], "int", FRAMES, FRAME_RUNS)
        for ids, sizes in (("int", given.sizes), ("text", [size for size in given.sizes if size in TEXT_SIZES])):
            for size in sorted(sizes):
                bench.race(race, ids, size, min(given.runs, LARGE_RUNS) if size >= LARGE else given.runs)
        if any(one.needs for one in race):
            bench.try_cases()
    cases = json.loads(bench.cases.read_text(encoding="utf-8")) if bench.cases.exists() else {}
    print(write_page(bench.runs(), cases, given.out))


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="touches")
    parser.add_argument("--runs", type=int, default=3, help=f"rounds; {LARGE_RUNS} at most from {LARGE:,} touches")
    parser.add_argument("--only", nargs="+", choices=[one.name for one in RACE],
                        help="some of the contenders; peers need journeys once")
    parser.add_argument("--data", type=Path, default=Path.home() / ".cache" / "attribution-peers",
                        help="its own folder for data, environments and runs; take a new one when code has changed")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"), help="the page")
    parser.add_argument("--report", action="store_true", help="run nothing, write the page of the runs on record")
    return parser.parse_args()


if __name__ == "__main__":
    main(_read_arguments())
