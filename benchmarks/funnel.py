"""Time every call of the SLA report on a large company: python benchmarks/funnel.py [folder]

Without a folder, a company of 200,000 leads at the sample's proportions is first simulated into a temporary one. A
fresh process then runs the notebook's statements one by one; the seconds of each slow one (wall and processor time: the
first is the longer on a busy machine), those of the whole, imports included, and the peak memory are printed. Execution
by papermill and the writing of HTML come on top.
"""

import ast
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

N_ACCOUNTS, N_PEOPLE = 40_000, 267_000
SLOW_SECONDS = 0.5
NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "sla_conversion.ipynb"


def run(folder: str) -> None:
    """Run the notebook's statements on the export, and print the seconds of the slow ones."""
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    names, rest, rest_cpu = {}, 0.0, 0.0
    for statement in ast.parse("\n".join("".join(cell["source"]) for cell in cells)).body:
        start, start_cpu, said = perf_counter(), process_time(), ast.unparse(statement)
        exec(compile(ast.Module([statement], []), NOTEBOOK.name, "exec"), names)
        if said.startswith("data_dir"):
            names["data_dir"] = folder
        seconds, cpu = perf_counter() - start, process_time() - start_cpu
        if cpu < SLOW_SECONDS:
            rest, rest_cpu = rest + seconds, rest_cpu + cpu
        else:
            print(f"| `{said[:90]}` | {seconds:.2f} | {cpu:.2f} |", flush=True)
    print(f"| everything else | {rest:.2f} | {rest_cpu:.2f} |")
    print(f"| ({len(names['crm'].people):,} people, {len(names['everybodys']):,} entries) | | |", flush=True)


def main(folder: str) -> None:
    """Run the calls in a fresh process, and print its wall time and peak memory."""
    print("| call | s | processor s |\n|---|---|---|", flush=True)
    start = perf_counter()
    subprocess.run([sys.executable, __file__, "--run", folder], check=True)
    seconds, used = perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    peak, cpu = used.ru_maxrss / 2**20, used.ru_utime + used.ru_stime
    print(f"| whole process: {seconds:.1f} s of wall time, {peak:.2f} GiB at its peak | {seconds:.2f} | {cpu:.2f} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(sys.argv[2])
    elif len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        from attribution.simulate import write_company
        with tempfile.TemporaryDirectory() as temporary:
            main(str(write_company(Path(temporary) / "export", n_accounts=N_ACCOUNTS, n_people=N_PEOPLE, truth=False)))
