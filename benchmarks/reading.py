"""Time the reading of an export, first and again: python benchmarks/reading.py [folder | copies]

Without a folder, a company of a million memberships at the sample's proportions is first simulated into a temporary
one; with copies, its memberships are then written that many times, each time under other ids and in other campaigns.
Fresh processes read the export: with nothing kept of it, and from what the one before kept. Their seconds, imports left
out (wall and processor time: the first is the longer on a busy machine), and their peak memory are printed.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

from attribution.sources.cached import FOLDER

N_ACCOUNTS, N_PEOPLE = 40_000, 267_000
ID, CAMPAIGN = slice(1, 4), slice(26, 44)            # where a membership's line has its id's start and its campaign


def multiply(folder: Path, n_copies: int) -> None:
    """Write the memberships again, so that there are n_copies of each."""
    campaigns = [line[1:19] for line in (folder / "Campaign.csv").read_bytes().splitlines()[1:]]
    rows = (folder / "CampaignMember.csv").read_bytes().splitlines(keepends=True)[1:]
    with open(folder / "CampaignMember.csv", "ab") as file:
        for copy in range(1, n_copies):
            other = dict(zip(campaigns, campaigns[copy:] + campaigns[:copy], strict=True))
            file.writelines(b'"%03d%b%b%b' % (copy, row[ID.stop:CAMPAIGN.start], other[row[CAMPAIGN]],
                                              row[CAMPAIGN.stop:]) for row in rows)


def run(reader: str, folder: str) -> None:
    """Read the export by a function of the package, and print seconds and peak memory."""
    from attribution import sources
    start, start_cpu = perf_counter(), process_time()
    getattr(sources, reader)(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{perf_counter() - start:.2f} | {process_time() - start_cpu:.2f} | {peak:,.0f} |", flush=True)


def main(folder: str) -> None:
    """Print the table of benchmarks/README.md."""
    print("| | s | processor s | peak MiB |\n|---|---|---|---|", flush=True)
    for reader in ("read_export", "read_crm"):
        shutil.rmtree(Path(folder) / FOLDER, ignore_errors=True)
        for what in ("parsed and kept", "from what was kept"):
            print(f"| `{reader}`, {what} |", end=" ", flush=True)
            subprocess.run([sys.executable, __file__, "--run", reader, folder], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(*sys.argv[2:])
    elif len(sys.argv) > 1 and not sys.argv[1].isdigit():
        main(sys.argv[1])
    else:
        from attribution.simulate import write_company
        with tempfile.TemporaryDirectory() as temporary:
            export = write_company(Path(temporary) / "export", n_accounts=N_ACCOUNTS, n_people=N_PEOPLE, truth=False)
            multiply(export, int(sys.argv[1]) if len(sys.argv) > 1 else 1)
            main(str(export))
