"""Which model to believe: how far each model's credit is from the truth, on simulated companies of every kind."""

import argparse
import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[threads] = "1"                        # every core has a company of its own

import time  # noqa: E402
from multiprocessing import Pool  # noqa: E402
from pathlib import Path  # noqa: E402

from attribution.study import KINDS, read_study, study_companies, summarise_study, write_study  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=50, help="how many companies of each kind")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--keep-truth", action="store_true", help="take what campaigns caused from the files there")
    said = parser.parse_args()
    truth = read_study(said.out)[1] if said.keep_truth else None
    began = time.perf_counter()
    with Pool() as pool:
        study, truth = study_companies(said.kinds, range(1, said.seeds + 1), truth=truth,
                                       map_with=lambda work, *each: pool.starmap(work, zip(*each, strict=True), 1))
    for path in write_study(study, truth, said.out):
        print(path)
    print(summarise_study(study).round(3).to_string())
    print(f"{len(said.kinds) * said.seeds} companies in {time.perf_counter() - began:,.0f} s")


if __name__ == "__main__":
    main()
