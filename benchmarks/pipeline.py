"""Time the whole path from an export's files to every model's credit: python benchmarks/pipeline.py [folder]

Without a folder, a company of a million memberships at the sample's proportions is first simulated into a temporary
one. A fresh process then reads and attributes it; its wall time, imports included, and its peak memory are printed.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

N_ACCOUNTS, N_PEOPLE = 40_000, 267_000


def run(folder: str) -> None:
    """Read the export and credit every model, and print the seconds of each step."""
    start = perf_counter()
    from attribution.agreement_file import read_agreement
    from attribution.credit import compare_models
    from attribution.entries import build_entries
    from attribution.funnel import build_conversions
    from attribution.journeys import build_journeys
    from attribution.sources import read_crm
    start = _print("import", start)
    agreement = read_agreement(folder)
    crm = read_crm(folder, agreement)
    start = _print(f"read_crm ({len(crm.touches):,} touches)", start)
    conversions = build_conversions(build_entries(crm, agreement), crm.opportunities, crm.contact_roles)
    start = _print(f"build_entries, build_conversions ({len(conversions):,} deals)", start)
    journeys = build_journeys(crm.touches, conversions, crm.contact_roles, time_zone=agreement.time_zone)
    start = _print(f"build_journeys ({len(journeys):,} rows)", start)
    table = compare_models(journeys)
    _print(f"compare_models ({len(table):,} rows)", start)


def _print(step: str, start: float) -> float:
    print(f"| {step} | {perf_counter() - start:.2f} |", flush=True)
    return perf_counter()


def main(folder: str) -> None:
    """Run the path in a fresh process, and print its wall time and peak memory."""
    print("| step | s |\n|---|---|", flush=True)
    start = perf_counter()
    subprocess.run([sys.executable, __file__, "--run", folder], check=True)
    seconds, peak = perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"| whole process: {seconds:.1f} s of wall time, {peak:.2f} GiB at its peak | {seconds:.2f} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(sys.argv[2])
    elif len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        from attribution.simulate import write_company
        with tempfile.TemporaryDirectory() as temporary:
            main(str(write_company(Path(temporary) / "export", n_accounts=N_ACCOUNTS, n_people=N_PEOPLE, truth=False)))
