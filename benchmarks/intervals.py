"""Time the intervals: python benchmarks/intervals.py [folder with an export]; try them: ... intervals.py coverage

Without a folder the sample company. Every model's credit and ROI at every node of the campaign tree, drawn 1,000 times.
With "coverage": how often the intervals of simulated companies hold the truth.
"""

import sys
from time import perf_counter

import numpy as np
from scipy.optimize import brentq

N_RESAMPLES = 1000


def main(folder: str) -> None:
    """Read the export, share the credit of all models, and print the seconds of each step of the intervals."""
    import attribution as kit
    agreement = kit.read_agreement(folder)
    crm = kit.read_crm(folder, agreement)
    conversions = kit.build_conversions(kit.build_entries(crm, agreement), crm.opportunities, crm.contact_roles)
    journeys = kit.build_journeys(crm.touches, conversions, crm.contact_roles, time_zone=agreement.time_zone)
    costs = kit.phase_costs(crm.campaigns, agreement.local_day(crm.exported_at))
    returns = kit.campaign_roi(kit.share_credit(journeys), costs, crm.campaigns)
    print(f"{conversions['account_id'].nunique():,} accounts, {len(conversions):,} deals, {len(journeys):,} touches, "
          f"{len(crm.campaigns):,} campaigns\n\n| step | s |\n|---|---|", flush=True)
    begun = start = perf_counter()
    credits = kit.share_models(journeys, kit.report_models(30))
    start = _print(f"share_models, {credits['model'].nunique()} models", start)
    draws = kit.bootstrap_credit(credits, conversions, crm.campaigns, n_resamples=N_RESAMPLES)
    start = _print(f"bootstrap_credit, {N_RESAMPLES:,} resamples of {draws.money[:, :, 0].size:,} figures", start)
    start = _print(f"credit_intervals ({len(kit.credit_intervals(draws, returns)):,} rows)", start)
    start = _print(f"pool_returns ({len(kit.pool_returns(draws, returns, 'linear')):,} rows)", start)
    print(f"| in all | {start - begun:.2f} |")


def _print(step: str, start: float) -> float:
    print(f"| {step} | {perf_counter() - start:.2f} |", flush=True)
    return perf_counter()


def try_coverage(n_companies: int = 4000) -> None:
    """Simulate companies whose truth is known, and print how often the interval of a campaign and of all money hold it.

    The campaign is met by so many of 120 accounts that buy; all money is of so many.
    """
    print("| accounts behind it | a campaign's holds | all money's holds | as many buy each time: a campaign's | "
          "all money's |\n|---|---|---|---|---|")
    for n_behind in (5, 8, 10, 12, 15, 20, 30, 80):
        held = [np.mean([_holds(*company, is_given, seed) for seed in range(n_companies)])
                for is_given in (False, True) for company in ((120, _met_by(n_behind / 120)), (n_behind, None))]
        print(f"| {n_behind} | {' | '.join(f'{share:.1%}' for share in held)} |", flush=True)


def _met_by(share: float) -> float:
    """Give the share of deals to meet, so that this share of the accounts, of 1 + Poisson(0.5) deals each, is met."""
    return brentq(lambda met: 1 - (1 - met) * np.exp(-met / 2) - share, 0, 1)


def _holds(n_mean: int, met: float | None, is_given: bool, seed: int) -> bool:
    """Let each account buy 1 + Poisson(0.5) times for Gamma(2, 50); a campaign met gets Beta(2, 2) of a deal."""
    from attribution.intervals import BOUNDS, draw_weights
    rng = np.random.default_rng(seed)
    n_accounts = n_mean if is_given else rng.poisson(n_mean)
    n_deals = 1 + rng.poisson(0.5, n_accounts)
    account, money = np.repeat(np.arange(n_accounts), n_deals), rng.gamma(2, 50, n_deals.sum())
    if met is not None:
        money = np.where(rng.random(len(money)) < met, money * rng.beta(2, 2, len(money)), 0.0)
    drawn = np.bincount(account, money, n_accounts) @ draw_weights(n_accounts, n_resamples=N_RESAMPLES, seed=seed)
    low, high = np.percentile(drawn, BOUNDS)
    return low <= n_mean * 1.5 * 100 * (1 if met is None else met / 2) <= high


if __name__ == "__main__" and sys.argv[1:] == ["coverage"]:
    try_coverage()
elif __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "data/sample")
