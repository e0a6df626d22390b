"""Marketing attribution and campaign-ROI reports from CRM exports; a name is imported when it is first used."""

from importlib import import_module
from importlib.metadata import version

_HOMES = {
    "tables": ["CRM", "SCHEMAS", "TableError"],
    "agreement": ["Agreement", "Stage", "draft_agreement", "month_days", "read_agreement"],
    "sources": ["find_folder", "read_crm"],
    "simulate": ["simulate_company"],
    "campaigns": ["build_ancestors", "describe_tree", "reconcile_hierarchy", "roll_up"],
    "costs": ["costs_between", "phase_costs", "read_ledger"],
    "funnel": ["build_conversions", "build_entries", "build_pipeline"],
    "journeys": ["build_journeys", "linking_coverage"],
    "models": ["MODELS"],
    "credit": ["compare_models", "credit_by_campaign", "explain", "share_credit"],
    "roi": ["at_depth", "between", "campaign_roi", "choose_model", "credit_of", "credit_stages", "credited_counts",
            "cycle_days", "flag_too_early", "leaves", "report_models"],
    "months": ["check_month", "headline", "month_before", "month_bounds", "month_figures", "monthly_bookings"],
    "comparisons": ["budget_against_actual", "check_reconciled", "compare_with_crm", "crm_roi", "list_deals",
                    "lookback_sensitivity", "model_ranges", "models_side_by_side", "reconcile", "shifts_to_test"],
    "sentences": ["BUDGET_COLUMNS", "CLOCK_COLUMNS", "DEAL_COLUMNS", "RANGE_COLUMNS", "SHIFT_COLUMNS",
                  "SOURCE_COLUMNS", "STAGE_COLUMNS", "glossary", "headline_tiles", "indent", "list_tables",
                  "name_figures", "say_came_in", "say_clocks", "say_costs", "say_crm", "say_hierarchy", "say_lift",
                  "say_month", "say_pipeline", "say_ranges", "say_reach", "say_reconciled", "say_returns", "say_shifts",
                  "title_bookings", "title_budget", "title_ranges", "title_report", "title_roi", "title_spend",
                  "title_split", "title_tree"],
    "figures": ["plot_bookings", "plot_budget", "plot_ranges", "plot_roi", "plot_spend", "plot_split", "plot_tree",
                "show_table", "show_text", "show_tiles", "show_title"],
    "report": ["ReportError", "provenance", "run_report"],
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name == "__version__":
        return version("attribution-kit")
    if name not in _HOME:
        raise AttributeError(f"module 'attribution' has no attribute {name!r}")
    return globals().setdefault(name, getattr(import_module(f"attribution.{_HOME[name]}"), name))


def __dir__() -> list[str]:
    return [*globals(), *__all__]
