"""Time the intervals: python benchmarks/intervals.py [folder with an export]

Without a folder the sample company. Every model's credit and ROI at every node of the campaign tree, drawn 1,000 times.
"""

import sys
from time import perf_counter

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


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "data/sample")
