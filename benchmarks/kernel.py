"""Time the kernel alone, on made-up touches: python benchmarks/kernel.py [n_touches]

20 touches and 3 conversions an account, 5,000 campaigns, a look-back of 90 days; then one account that has them all.
"""

import resource
import sys
from time import perf_counter

import numpy as np
import pandas as pd

from attribution.credit import compare_models, credit_by_campaign, share_credit
from attribution.journeys import build_journeys

START = 1_700_000_000_000_000
DAY = 86_400_000_000


def text_ids(prefix: str, numbers: np.ndarray) -> pd.Series:
    """Make 18-character ids, as a CRM has them."""
    return pd.Series(np.char.add(prefix, np.char.zfill(numbers.astype("U15"), 18 - len(prefix)))).astype("str")


def moments(microseconds: np.ndarray) -> pd.Series:
    """Make UTC moments."""
    return pd.Series(microseconds).astype("datetime64[us]").dt.tz_localize("UTC")


def make_tables(n_touches: int, n_accounts: int, n_conversions: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make touches on days and conversions at moments of two years, evenly over accounts."""
    random = np.random.default_rng(0)
    account = random.integers(0, n_accounts, n_touches)
    touches = pd.DataFrame({
        "touch_id": text_ids("00v", random.permutation(n_touches)), "account_id": text_ids("001", account),
        "person_id": text_ids("003", account * 3 + random.integers(0, 3, n_touches)), "kind": "response",
        "campaign_id": text_ids("701", random.integers(0, 5_000, n_touches)),
        "touched_at": moments(START + random.integers(0, 730, n_touches) * DAY)})
    converted_at = moments(START + random.integers(0, 730 * DAY, n_conversions))
    conversions = pd.DataFrame({
        "conversion_id": text_ids("006", np.arange(n_conversions)), "converted_at": converted_at,
        "account_id": text_ids("001", random.integers(0, n_accounts, n_conversions)), "person_id": None,
        "value": random.integers(1, 10**8, n_conversions) / 100,
        "lead_created_at": converted_at - pd.Timedelta(days=60),
        "opportunity_created_at": converted_at - pd.Timedelta(days=30)})
    return touches, conversions


def report(what: str, function) -> pd.DataFrame:
    """Run a function, and print its seconds, the process's peak memory and the rows that came out."""
    start = perf_counter()
    table = function()
    seconds, peak = perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"| {what} | {seconds:.2f} | {peak:,.0f} | {len(table):,} |")
    return table


def main(n_touches: int) -> None:
    """Print the table of benchmarks/README.md."""
    print(f"| {n_touches:,} touches | s | peak MiB so far | rows out |\n|---|---|---|---|")
    touches, conversions = make_tables(n_touches, n_touches // 20, n_touches * 3 // 20)
    report("credit_by_campaign, 10 models", lambda: credit_by_campaign(touches, conversions, lookback_days=90))
    journeys = report("build_journeys", lambda: build_journeys(touches, conversions, lookback_days=90))
    for model in ("linear", "time_decay", "w_shaped"):
        report(f"share_credit, {model}", lambda model=model: share_credit(journeys, model))
    report("compare_models, 10 models", lambda: compare_models(journeys))
    touches, conversions = make_tables(n_touches // 5, 1, n_touches // 500)
    report(f"one account, {len(touches):,} touches, {len(conversions):,} conversions: credit_by_campaign, linear",
           lambda: credit_by_campaign(touches, conversions, ["linear"], lookback_days=90))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
