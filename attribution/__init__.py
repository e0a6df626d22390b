"""Marketing attribution, campaign-ROI and SLA reports from CRM exports; a name is imported when it is first used."""

from importlib import import_module
from importlib.metadata import version

_HOMES = {
    "language": ["LANGUAGES", "use_language"],
    "tables": ["CRM", "SCHEMAS", "TableError"],
    "agreement": ["Agreement", "Hours", "Promise", "Stage", "month_days"],
    "agreement_file": ["read_agreement"],
    "drafting": ["check_agreement", "draft_agreement"],
    "clock": ["add_business_hours", "business_hours", "count_business_days"],
    "sources": ["find_folder", "read_crm"],
    "simulate": ["simulate_company"],
    "campaigns": ["build_ancestors", "climb_tree", "describe_tree", "reconcile_hierarchy", "roll_up"],
    "costs": ["costs_between", "phase_costs", "read_ledger"],
    "entries": ["build_entries", "find_contradictions"],
    "funnel": ["build_conversions", "build_pipeline", "choose_outcome"],
    "journeys": ["build_journeys", "linking_coverage"],
    "models": ["MODELS"],
    "paths": ["build_paths"],
    "path_models": ["explain_effects", "markov", "markov_tree", "sample_shapley_rates", "shapley_rates",
                    "share_by_effect"],
    "credit": ["compare_models", "credit_by_campaign", "credit_by_position", "explain", "share_credit"],
    "roi": ["at_depth", "between", "campaign_roi", "channels", "choose_model", "credit_of", "credit_stages",
            "credited_counts", "cycle_days", "extend_births", "flag_too_early", "leaves", "report_models"],
    "intervals": ["add_intervals", "add_model", "bootstrap_credit", "compare_pairs", "credit_intervals", "draw_markov",
                  "draw_weights",
                  "pool_returns", "pooled_most", "rank_campaigns", "share_models", "total_intervals"],
    "months": ["check_month", "day_start", "headline", "known_until", "month_before", "month_bounds", "month_figures",
               "monthly_bookings", "months_back"],
    "segments": ["check_segments", "credit_segments", "find_segments"],
    "cohorts": ["build_passages", "cohort_conversion", "cohort_triangle", "cumulative_incidence", "funnel_flows",
                "list_cohort", "ripening_days", "stage_velocity", "waiting_curve"],
    "draws": ["list_steps"],
    "worth": ["funnel_table", "pipeline_velocity", "stage_values", "weighted_pipeline", "win_rate"],
    "steps": ["complete_funnel", "conversion_steps", "period_steps"],
    "promises": ["burn_up", "find_promise", "promise_progress"],
    "sla": ["build_responses", "call_list", "count_dropped", "curve_hours", "filter_owner", "judge_promises",
            "knows_activities", "limbo_summary", "list_attempts", "list_limbo", "response_curve", "response_summary"],
    "returned": ["leading_causes", "list_contacted", "list_facts", "list_returned", "returned_after", "returned_causes",
                 "returned_share"],
    "silence": ["stale_by_age"],
    "planning": ["draw_funnel", "plan_backwards", "revenue_forecast", "stage_standing", "transition_rates",
                 "what_would_it_take", "year_so_far"],
    "comparisons": ["budget_against_actual", "caused_beside_credit", "check_reconciled", "compare_with_crm", "crm_roi",
                    "list_deals", "list_lost", "lookback_sensitivity", "model_ranges", "models_side_by_side",
                    "pick_lost", "reconcile", "returns_by_model", "shifts_to_test", "sum_due", "top_campaigns"],
    "hazard": ["build_exposure", "counterfactual_credit", "estimate_caused", "fit_hazard"],
    "sensitivity": ["credit_sensitivity", "find_most_credited", "pick_movers", "sensitivity_ranges"],
    "restated": ["bridge_columns", "build_bridge", "compare_credit", "compare_definitions", "list_restated",
                 "list_touches", "moved_by_campaign", "restated_costs", "restated_headline", "restated_months"],
    "rejudged": ["compare_entries", "compare_hand_overs", "list_entries", "list_hand_overs", "list_rejudged",
                 "rejudged_months", "restated_funnel"],
    "study": ["advise", "check_repeated", "choose_kinds", "choose_models", "choose_overall", "judge_models",
              "read_study", "repeat_study", "study_companies", "sum_totals", "summarise_study"],
    "sentences": ["BUDGET_COLUMNS", "CLOCK_COLUMNS", "DEAL_COLUMNS", "RANGE_COLUMNS", "SHIFT_COLUMNS", "SOURCE_COLUMNS",
                  "STAGE_COLUMNS", "glossary", "headline_tiles", "indent", "list_tables", "name_columns",
                  "name_figures", "name_stage", "say_came_in", "say_clocks", "say_costs", "say_crm", "say_hierarchy",
                  "say_lift", "say_month", "say_pipeline", "say_ranges", "say_reach", "say_reconciled", "say_returns",
                  "say_shifts", "title_bookings", "title_budget", "title_ranges", "title_report", "title_roi",
                  "title_spend", "title_split", "title_table", "title_tree"],
    "interval_sentences": ["INTERVAL_COLUMNS", "RANK_COLUMNS", "label_intervals", "name_intervals", "say_intervals",
                           "say_pooled", "say_ranks", "title_pooled"],
    "model_sentences": ["CAUSED_COLUMNS", "LOST_COLUMNS", "MODEL_NAMES", "OPTION_COLUMNS", "SENSITIVITY_COLUMNS",
                        "TOP_COLUMNS", "label_settings", "label_tops", "say_caused", "say_hazard", "say_hazard_limits",
                        "say_lost", "say_sensitivity", "title_caused", "title_lost", "title_sensitivity"],
    "sla_sentences": ["FUNNEL_COLUMNS", "LEVER_COLUMNS", "LEVER_NAMES", "LIMBO_COLUMNS", "PIPELINE_COLUMNS",
                      "PLAN_COLUMNS", "PLAN_NAMES", "RATE_COLUMNS", "RESPONSE_NAMES", "RETURNED_COLUMNS",
                      "STEP_COLUMNS", "STEP_NAMES", "SUMMARY_COLUMNS", "label_stages", "label_values", "name_causes",
                      "name_levers", "name_period", "name_progress", "say_cohorts", "say_forecast", "say_limbo",
                      "say_marketing", "say_pipeline_weight", "say_plan", "say_returned", "say_sales", "say_scope",
                      "say_value_promise", "say_values", "sla_tiles", "title_burn_up", "title_causes",
                      "title_compliance", "title_conversion", "title_flows", "title_funnel", "title_incidence",
                      "title_levers", "title_plan", "title_rates", "title_response", "title_sla", "title_stale",
                      "title_triangle"],
    "change_sentences": ["CHANGE_COLUMNS", "HAND_OVER_COLUMNS", "MONTH_COLUMNS", "REJUDGED_COLUMNS", "TOUCH_COLUMNS",
                         "label_causes", "label_outcomes", "name_changes", "name_since", "say_entries", "say_headline",
                         "say_moved", "say_previous", "say_rejudged", "say_restated", "title_changes", "title_since"],
    "study_sentences": ["STUDY_COLUMNS", "STUDY_NAMES", "label_study", "say_advice", "say_best", "say_case",
                        "say_coverage", "say_idle", "say_made_up", "say_noise", "say_orders", "say_regression",
                        "say_regret", "say_repeated", "say_silent", "say_study", "say_totals", "title_case",
                        "title_coverage", "title_idle", "title_misplaced", "title_study", "title_totals",
                        "title_truth_order"],
    "showing": ["show_if", "show_table", "show_text", "show_tiles", "show_title"],
    "figures": ["plot_bookings", "plot_budget", "plot_ranges", "plot_roi", "plot_spend", "plot_split", "plot_tree"],
    "interval_figures": ["plot_pooled"],
    "model_figures": ["plot_caused", "plot_lost", "plot_sensitivity"],
    "sla_figures": ["plot_burn_up", "plot_causes", "plot_compliance", "plot_conversion", "plot_flows", "plot_funnel",
                    "plot_incidence", "plot_levers", "plot_plan", "plot_response", "plot_stale", "plot_triangle"],
    "change_figures": ["plot_changes"],
    "study_figures": ["plot_by_kind", "plot_coverage", "plot_totals", "plot_truth"],
    "rendering": ["RenderError", "draw_figures", "print_page", "render_reports"],
    "running": ["ReportError"],
    "report": ["provenance", "run_report", "run_reports"],
    "verify": ["verify_month"],
    "published": ["read_definitions", "read_previous"],
    "call_lists": ["find_limbo", "write_call_lists"],
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
