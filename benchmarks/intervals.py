"""Time the intervals: python benchmarks/intervals.py [folder with an export]; try them: ... intervals.py coverage

Without a folder the sample company. Every model's credit and ROI at every node of the campaign tree, drawn 1,000 times.
With "coverage": how often the intervals of simulated companies hold the truth.
"""

import sys
from time import perf_counter

import numpy as np

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


def try_coverage(n_companies: int = 1000) -> None:
    """Simulate companies whose truth is known, and print how often a campaign's interval and that of all hold it."""
    print("| accounts that buy | of a campaign's | a campaign holds | all money holds |\n|---|---|---|---|")
    for n_mean, met in ((120, 0.6), (40, 0.6), (120, 0.1), (120, 0.03)):
        for is_given, said in ((True, "as given"), (False, "by chance, too")):
            held = np.mean([_holds(n_mean, met, is_given, seed) for seed in range(n_companies)], axis=0)
            touched = n_mean * (1 - (1 - met) * np.exp(-met / 2))
            print(f"| {n_mean}, {said} | {touched:.0f} | {held[0]:.0%} | {held[1]:.0%} |", flush=True)


def _holds(n_mean: int, met: float, is_given: bool, seed: int) -> list[bool]:
    """Let each account buy 1 + Poisson(0.5) times for Gamma(2, 50); a campaign met gets Beta(2, 2) of a deal."""
    from attribution.intervals import BOUNDS, draw_weights
    rng = np.random.default_rng(seed)
    n_accounts = n_mean if is_given else rng.poisson(n_mean)
    n_deals = 1 + rng.poisson(0.5, n_accounts)
    account, value = np.repeat(np.arange(n_accounts), n_deals), rng.gamma(2, 50, n_deals.sum())
    credit = np.where(rng.random(len(value)) < met, value * rng.beta(2, 2, len(value)), 0.0)
    weights, truth = draw_weights(n_accounts, n_resamples=N_RESAMPLES, seed=seed), n_mean * 1.5 * 100
    bounds = [np.percentile(np.bincount(account, money, n_accounts) @ weights, BOUNDS) for money in (credit, value)]
    return [low <= true <= high for (low, high), true in zip(bounds, (truth * met / 2, truth), strict=True)]


if __name__ == "__main__" and sys.argv[1:] == ["coverage"]:
    try_coverage()
elif __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "data/sample")
