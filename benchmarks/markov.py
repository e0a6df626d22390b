"""Time the Markov model alone, on made-up paths: python benchmarks/markov.py [n_touches [n_campaigns]]

Paths of 1 to 15 touches over 5,000 campaigns met by chance, the worst there is: hardly a pair of them is never met.
Twenty removal effects are then held against brute force: the chain solved again without the campaign.
"""

import resource
import sys
from time import perf_counter

import numpy as np
import pandas as pd
from kernel import text_ids
from scipy.linalg import solve

from attribution.path_models import markov

LONGEST = 15


def make_paths(n_touches: int, n_campaigns: int) -> pd.DataFrame:
    """Make paths of about so many touches in all: a tenth converted, three tenths open, the others lost."""
    random = np.random.default_rng(0)
    sizes = random.integers(1, LONGEST + 1, 2 * n_touches // (LONGEST + 1))
    path = np.repeat(np.arange(len(sizes)), sizes)
    outcome = random.choice(["converted", "lost", "open"], len(sizes), p=[0.1, 0.6, 0.3])
    value, campaign = random.integers(1, 10**6, len(sizes)) / 100, random.integers(0, n_campaigns, len(path))
    return pd.DataFrame({
        "conversion_id": text_ids("006", path), "campaign_id": text_ids("701", campaign),
        "position": np.arange(len(path)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + 1,
        "n_touches": np.repeat(sizes, sizes), "value": np.where(outcome == "converted", value, 0.0)[path],
        "outcome": pd.Series(outcome[path]).astype("str")})


def brute_force(paths: pd.DataFrame, some: list[str]) -> list[float]:
    """Solve the whole chain, and again without each of some campaigns, by pandas and a dense solver."""
    names = sorted(paths["campaign_id"].unique())
    code = pd.Categorical(paths["campaign_id"], names).codes.astype(int)
    counts, wins, out = np.zeros((len(names), len(names))), np.zeros(len(names)), np.zeros(len(names))
    inside = (paths["position"] > 1).to_numpy()
    np.add.at(counts, (code[np.flatnonzero(inside) - 1], code[inside]), 1)
    last = (paths["position"] == paths["n_touches"]).to_numpy()
    np.add.at(wins, code[last], paths["outcome"].to_numpy()[last] == "converted")
    np.add.at(out, code[last], paths["outcome"].to_numpy()[last] != "open")
    share = 1 / (counts.sum(axis=1) + out)
    start = np.bincount(code[(paths["position"] == 1).to_numpy()], minlength=len(names))

    def total(left: np.ndarray) -> float:
        chain = np.eye(len(left)) - (counts * share[:, None])[np.ix_(left, left)]
        return start[left] @ solve(chain, (wins * share)[left])

    whole = total(np.arange(len(names)))
    return [1 - total(np.delete(np.arange(len(names)), names.index(each))) / whole for each in some]


def main(n_touches: int, n_campaigns: int) -> None:
    """Print the table of benchmarks/README.md."""
    paths = make_paths(n_touches, n_campaigns)
    start = perf_counter()
    effects = markov(paths)
    seconds, peak = perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    some = effects["campaign_id"].iloc[:: max(len(effects) // 20, 1)].tolist()
    found = effects.set_index("campaign_id")["removal_effect"].loc[some]
    gap = np.abs(found.to_numpy() - brute_force(paths, some)).max()
    print("| touches | campaigns | s | peak GiB | largest gap to brute force |\n|---|---|---|---|---|")
    print(f"| {len(paths):,} | {len(effects):,} | {seconds:.2f} | {peak:.2f} | {gap:.0e} |")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *[1_000_000, 5_000][len(given):])
