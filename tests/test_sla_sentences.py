"""The SLA report's words say what the tables say, also where there is little to say."""

import pandas as pd
import pytest

from attribution.agreement import Agreement, Promise
from attribution.language import money, number, percent, plain
from attribution.sla_sentences import (
    between,
    hours,
    label_stages,
    label_values,
    name_causes,
    name_levers,
    name_period,
    name_progress,
    say_forecast,
    say_limbo,
    say_marketing,
    say_pipeline_weight,
    say_plan,
    say_returned,
    say_sales,
    say_scope,
    say_value_promise,
    say_values,
    sla_tiles,
    span,
    title_burn_up,
    title_causes,
    title_compliance,
    title_conversion,
    title_flows,
    title_funnel,
    title_incidence,
    title_levers,
    title_plan,
    title_response,
    title_sla,
    title_stale,
    title_triangle,
)

PC = "\u00a0%"
TODAY = pd.Timestamp("2026-10-31")
MARKETING = Promise("marketing", "mql", "month", n=95, value=120000.0)
SALES = Promise("sales", "mql", "month", within_hours=16.0, attempts=2, within_days=14.0, share=0.8)


def rows(*each, columns):
    return pd.DataFrame(list(each), columns=list(columns))


def progress_of(delivered=81.0, due=98.0, share=0.826, forecast=231.4, low=196.0, high=270.0, value=120000.0):
    return pd.DataFrame({
        "measure": ["count", "value"], "delivered": [delivered, 165661.2], "promised": [285.0, value * 3],
        "promised_to_date": [due, value * 1.03], "delivered_share": [share, 1.34], "forecast": [forecast, 473441.33],
        "forecast_low": [low, 400859.2], "forecast_high": [high, 552204.0], "n_again": [22, 22]})


def summary_of(**changes):
    row = {"n": 102, "n_counted": 90, "n_in_time": 40, "compliance_rate": 40 / 90, "compliance_low": 0.346,
           "compliance_high": 0.547, "median_hours": 18.4, "raw_median_hours": 66.4, "never_share": 0.267,
           "attempts_rate": 0.18, "n_judged": 44, "n_unknown": 0, "promised_share": 0.8, "is_kept": False}
    return pd.DataFrame([row | changes])


def limbo_of(*owners, value=2000.0):
    return pd.DataFrame({"owner_id": pd.Series(owners, dtype="str"), "value": [value] * len(owners),
                         "overdue_days": range(0, 40 * len(owners), 40)}).astype({"value": float})


HUMAN = pd.DataFrame({"owner_id": ["sam", "bot", "gone"], "is_human": [True, False, True],
                      "is_active": [True, True, False]})
YEAR = pd.DataFrame({"fiscal_year": ["2026"], "booked": [2989832.78], "target": [4200000.0], "months_left": [2.0]})
BLANK_TILES = (rows((0, 0, None, 0), columns=("n", "n_returned", "returned_share", "n_back")),
               rows((0, 0, None, None, None), columns=("n_won", "n_lost", "win_rate", "rate_low", "rate_high")),
               rows((0, None, None), columns=("n_open", "cycle_days", "velocity")))
FORECAST = rows(("booked", 2989832.78, 2989832.78, 2989832.78), ("in all", 3642946.87, 3327045.42, 4021180.74),
                columns=("part", "value", "value_low", "value_high"))


def test_span_writes_an_interval_once_with_its_unit_and_nothing_where_unknown():
    assert span(1.0, 2.0, str) == " (1.0 to 2.0)"
    assert span(float("nan"), 2.0, str) == ""


@pytest.mark.parametrize(("value", "words"), [(16, "16 hours"), (5.25, "5.2 hours"), (1.0, "1 hour"),
                                              (float("nan"), "–")])
def test_hours_are_written_to_a_tenth(value, words):
    assert hours(value) == words


@pytest.mark.parametrize(("period", "starts", "name"), [
    ("month", 1, "October 2026"), ("quarter", 1, "Q4 2026"), ("year", 1, "the year 2026"),
    ("quarter", 4, "Q3 2027"), ("year", 4, "the year 2027")])
def test_name_period_follows_the_fiscal_year(period, starts, name):
    assert name_period(Agreement(fiscal_year_starts=starts), period, "2026-10") == name


def test_label_stages_leaves_what_is_no_stage():
    table = pd.DataFrame({"from_stage": pd.Categorical(["mql", "lead"]), "to": ["opportunity", "out"]})
    assert label_stages(table, "from_stage", "to").values.tolist() == [["MQL", "opportunity"], ["lead", "out"]]


def test_title_sla_names_company_and_month():
    assert title_sla(Agreement(company="Acme"), "2026-10") == "Acme: SLA and conversion, October 2026"
    assert title_sla(Agreement(), "2026-01") == "SLA and conversion, January 2026"


def test_say_scope_says_whose_figures_they_are():
    assert say_scope(None, "Q4 2026", TODAY) == (
        "The period is Q4 2026, as known at the end of 2026-10-31. Sales' figures are those of everybody.")
    assert say_scope("sam", "Q4 2026", TODAY).endswith(
        "those of sam alone; marketing's promise, values, rates of the plan and silent records are everybody's.")


def test_say_marketing_says_behind_or_on_the_promise():
    assert say_marketing(progress_of(), MARKETING, "Q4 2026") == (
        f"Marketing is behind its promise: 81 MQLs in Q4 2026 so far, 83{PC} of the 98 due by now. At the pace of the "
        "last 26 weeks the period ends with 231 (196 to 270) of 285.")
    assert say_marketing(progress_of(delivered=98.0, share=1.0), MARKETING, "Q4 2026").startswith(
        "Marketing is on its promise: 98 MQLs")


def test_a_period_that_is_over_is_judged_and_not_forecast():
    over = progress_of(delivered=202.0, share=202 / 285).assign(promised_to_date=[285.0, 1.0])
    assert say_marketing(over, MARKETING, "Q3 2026") == (
        f"Marketing did not keep its promise: 202 MQLs in Q3 2026, 71{PC} of the 285 promised.")
    assert title_burn_up(over, MARKETING, "Q3 2026") == "MQLs in Q3 2026: 202 of 285 promised"
    kept = progress_of(delivered=285.0, share=1.0).assign(promised_to_date=[285.0, 1.0])
    assert say_marketing(kept, MARKETING, "Q3 2026") == (
        f"Marketing kept its promise: 285 MQLs in Q3 2026, 100{PC} of the 285 promised.")


def test_say_marketing_does_not_judge_before_anything_is_due():
    assert say_marketing(progress_of(share=float("nan"), delivered=3.0), MARKETING, "Q4 2026") == (
        "Nothing is due of marketing's promise yet; 3 MQLs have come in Q4 2026 so far.")


def test_say_value_promise_says_so_where_no_value_was_promised():
    assert say_value_promise(progress_of(), MARKETING, "EUR") == (
        "In money: MQLs worth €165,661 against €123,600 due by now, each at what its stage is worth.")
    assert say_value_promise(progress_of(value=float("nan")), MARKETING, "EUR") == (
        "No value was promised, only a number.")


def test_name_progress_writes_numbers_and_money_apart():
    assert name_progress(progress_of(), MARKETING, "EUR").values.tolist() == [
        ["MQLs", "81", "98", f"83{PC}", "285", "231", "196", "270", "22"],
        ["worth", "€165,661", "€123,600", f"134{PC}", "€360,000", "€473,441", "€400,859", "€552,204", "22"]]


def test_say_sales_gives_the_verdict_first():
    assert say_sales(summary_of(), SALES) == (
        f"Sales does not keep its promise: 44{PC} (35 to 55{PC}) of 90 leads were contacted within 16 business hours; "
        f"80{PC} was promised. 2 attempts within 14 days were made for 18{PC} of the 44 whose days are over.")
    assert say_sales(summary_of(is_kept=True), SALES).startswith("Sales keeps its promise: ")


def test_say_sales_leaves_the_attempts_out_while_no_days_are_over():
    assert say_sales(summary_of(n_judged=0), SALES).endswith("was promised.")


def test_say_sales_speaks_of_days_where_only_attempts_are_promised():
    attempts = Promise("sales", "mql", "month", attempts=3, within_days=10.0, share=0.8)
    assert f"of 90 leads were contacted within 10 days; 80{PC} was promised." in say_sales(summary_of(), attempts)


def test_say_sales_does_not_judge_before_a_limit_has_passed():
    assert say_sales(summary_of(n_counted=0), SALES) == (
        "No lead was handed over whose limit has passed, so sales' promise cannot be judged yet.")


def test_say_limbo_counts_the_fresh_and_what_belongs_to_nobody_who_could_call():
    assert say_limbo(limbo_of("sam", "bot", None, "gone"), summary_of(), HUMAN, "EUR") == (
        "4 leads are in limbo: handed over, the limit passed, nobody tried; 1 of them for less than a month. They were "
        "worth €8,000 when they were handed over, and are worth less by the day. 3 belong to nobody who could call (a "
        "queue, an unknown or an inactive owner).")
    assert say_limbo(limbo_of("sam", value=None), summary_of(), HUMAN, "EUR") == (
        "1 lead is in limbo: handed over, the limit passed, nobody tried; 1 of them for less than a month. 0 belong to "
        "nobody who could call (a queue, an unknown or an inactive owner).")
    assert say_limbo(limbo_of(), summary_of(), HUMAN, "EUR").startswith("No lead is in limbo: ")
    assert say_limbo(limbo_of("sam"), summary_of(), HUMAN[:0], "EUR").endswith("worth less by the day.")


def test_nothing_is_said_of_answers_where_the_export_knows_none():
    unknown = summary_of(n_unknown=102, n_counted=0)
    assert say_sales(unknown, SALES) == (
        "Sales' promise cannot be judged: the export has no calls, e-mails or meetings of sales.")
    assert say_limbo(limbo_of(), unknown, HUMAN, "EUR").startswith("Who is in limbo cannot be told: ")
    tiles = sla_tiles(progress_of(), MARKETING, unknown, limbo_of(), *BLANK_TILES, FORECAST, YEAR, "EUR")
    assert tiles.set_index("label").loc["Leads in limbo", ["value", "note"]].tolist() == ["–", "– when handed over"]
    assert title_response(unknown) == "When leads are contacted is not known"


def test_say_forecast_names_the_target_or_asks_for_one():
    assert say_forecast(FORECAST, YEAR, "EUR") == (
        "Year 2026: €2,989,833 booked; with what is under way, and what still comes in time, it is expected to end "
        "with €3,642,947 (€3,327,045 to €4,021,181) against a target of €4,200,000.")
    assert say_forecast(FORECAST, YEAR.assign(target=float("nan")), "EUR").endswith(
        "€4,021,181). No target is set for the year: write one under [targets] in agreement.toml.")


def test_sla_tiles_are_eight_and_all_text():
    returned = rows((1029, 358, 358 / 1029, 91), columns=("n", "n_returned", "returned_share", "n_back"))
    wins = rows((11, 8, 11 / 19, 0.363, 0.769), columns=("n_won", "n_lost", "win_rate", "rate_low", "rate_high"))
    velocity = rows((119, 129.19, 12430.57), columns=("n_open", "cycle_days", "velocity"))
    tiles = sla_tiles(progress_of(), MARKETING, summary_of(), limbo_of("sam", "sam"), returned, wins, velocity,
                      FORECAST, YEAR, "EUR")
    assert tiles.values.tolist() == [
        ["MQLs delivered", "81", f"83{PC} of 98 due by now\n22 more came again"],
        ["Contacted in time", f"44{PC}", f"of 90; 80{PC} promised\n35 to 55{PC}"],
        ["Median time to contact", "18.4 hours", "of business; 66.4 hours on the wall clock"],
        ["Leads in limbo", "2", "€4,000 when handed over"],
        ["Returned to marketing", f"35{PC}", "358 of 1,029 handed over in 12 months\n91 came again"],
        ["Win rate", f"58{PC}", f"11 of 19 closed in the period\n36 to 77{PC}"],
        ["Pipeline velocity", "€12,431 a day", "119 open deals; won ones took 129 days"],
        ["Year 2026 heads for", "€3,642,947", "target €4,200,000\n€3,327,045 to €4,021,181"]]


def test_sla_tiles_of_nothing_are_dashes():
    blank = float("nan")
    returned = rows((0, 0, blank, 0), columns=("n", "n_returned", "returned_share", "n_back"))
    wins = rows((0, 0, blank, blank, blank), columns=("n_won", "n_lost", "win_rate", "rate_low", "rate_high"))
    velocity = rows((0, blank, blank), columns=("n_open", "cycle_days", "velocity"))
    none = summary_of(n_counted=0, compliance_rate=blank, compliance_low=blank, compliance_high=blank,
                      median_hours=blank, raw_median_hours=blank)
    tiles = sla_tiles(progress_of(share=blank), MARKETING, none, limbo_of(), returned, wins, velocity,
                      FORECAST.assign(value_low=blank, value_high=blank), YEAR.assign(target=blank), "EUR")
    assert "nan" not in tiles.to_string()
    assert tiles.set_index("label").loc["Pipeline velocity", "value"] == "–"


def test_title_funnel_says_what_came_in_and_what_was_booked():
    stages = rows(("lead", 33), ("customer", 11), columns=("stage", "n_entered"))
    wins = pd.DataFrame({"value_won": [374990.79]})
    assert title_funnel(stages, wins, "Q4 2026", "EUR") == (
        "Q4 2026: 33 new leads came in at the top; 11 deals came out, €374,991 won")


def test_title_flows_counts_the_moves_back_without_the_waiting():
    flows = rows(("mql", "lead", True, 30), ("mql", "sql", False, 70), ("mql", "waiting", False, 500),
                 columns=("from_stage", "to", "is_back", "n"))
    assert title_flows(flows) == f"30{PC} of the moves in the last 12 months led back to an earlier stage (30 of 100)"
    assert title_flows(flows[2:]) == "Nobody who entered a stage in the last 12 months has left it yet"


def test_title_burn_up_says_where_the_period_ends():
    assert title_burn_up(progress_of(), MARKETING, "Q4 2026") == (
        "MQLs in Q4 2026: heading for 231 (196 to 270) of 285 promised")


def test_title_response_says_the_median_or_that_there_is_none():
    assert title_response(summary_of()) == (
        f"Half of the leads are contacted within 18.4 hours of business; 27{PC} of those due, not so far")
    assert title_response(summary_of(n=0, median_hours=float("nan"))) == "Nobody was handed over in the period"
    assert title_response(summary_of(median_hours=float("nan"))).startswith("Fewer than half of the leads")


def test_title_compliance_counts_those_who_keep_the_promise():
    owners = rows((5, True), (8, False), (0, None), columns=("n_counted", "is_kept"))
    assert title_compliance(owners) == "1 of 2 owners keeps the whole promise; the bars are 95 % intervals"


def test_title_triangle_spans_the_months_that_are_old_enough():
    triangle = rows(("2026-06", 10, 0, 0.0), ("2026-06", 10, 4, 0.2), ("2026-07", 10, 3, 0.4), ("2026-10", 10, 0, 0.9),
                    columns=("month", "n", "age_months", "conversion_rate"))
    assert title_triangle(triangle, "mql", "sql") == (
        f"MQL to SQL: the months' cohorts came to between 20{PC} and 40{PC} so far")
    assert title_triangle(triangle[-1:], "mql", "sql") == "MQL to SQL: no month's cohort is old enough yet"


def test_title_incidence_says_what_became_of_the_cohort():
    curve = rows((0, "reached", 0.0), (90, "reached", 0.21), (90, "returned", 0.36), (90, "out", 0.2),
                 (180, "reached", None), columns=("days", "event", "incidence"))
    assert title_incidence(curve, "mql", "sql") == (
        f"After 90 days 21{PC} of the MQLs are SQLs or further, 36{PC} went back, 20{PC} left")
    assert title_incidence(curve[4:], "mql", "sql") == "Nobody entered MQL in the period"


def test_title_conversion_names_a_segment_only_beyond_chance():
    apart = rows(("Web", 0.5, 0.4, 0.6), ("Fair", 0.2, 0.1, 0.3), columns=("segment", "conversion_rate", "rate_low",
                                                                          "rate_high"))
    assert title_conversion(apart, "mql", "sql", "lead_source") == (
        f"MQL to SQL by lead source: Web is ahead (50{PC}), Fair behind (20{PC}); their intervals do not overlap, of 2 "
        "looked at")
    assert title_conversion(apart.assign(rate_high=0.9), "mql", "sql", "lead_source") == (
        "MQL to SQL by lead source: the intervals overlap, so the differences may be chance")
    assert title_conversion(apart[:0], "mql", "sql", "country") == "MQL to SQL by country: no rate is known yet"


def test_say_values_leaves_the_won_stage_out():
    values = rows(("mql", "all", 2045.2, 1651.0, 2481.8), ("customer", "all", 32156.0, 28810.0, 35366.0),
                  ("mql", "Web", 1.0, 1.0, 1.0), columns=("stage", "segment", "value", "value_low", "value_high"))
    assert say_values(values, "EUR") == (
        "What one entry into a stage is worth, on average: MQL €2,045 (€1,651 to €2,482). By what becomes of the "
        "entries of the last 24 months in the end, however long it takes; never added to booked deals.")
    assert say_values(values[:0], "EUR").startswith("What a stage is worth is not known yet")


def test_say_pipeline_weight_sums_the_stages():
    weighted = rows((2, 1000.0, 100.0, 300.0, 200.0, 400.0), (1, 500.0, 250.0, None, None, None),
                    columns=("n", "value", "by_probability", "by_history", "by_history_low", "by_history_high"))
    assert say_pipeline_weight(weighted, "EUR") == (
        "3 open deals of €1,500 are worth €350 by the CRM's stage probabilities, and €300 by what became of earlier "
        "deals in the same stages; €500 lie in stages without a history.")
    assert say_pipeline_weight(weighted[:0], "EUR") == "No deal is open."


def test_say_returned_counts_those_who_came_again():
    share = rows((100, 40, 0.4, 10, 3), columns=("n", "n_returned", "returned_share", "n_back", "n_reconverted"))
    assert say_returned(share) == (
        f"Of 100 people handed over in the last 12 months 40 (40{PC}) went back to marketing; 10 of them came again, "
        "and 3 became a deal after all.")
    assert say_returned(share.assign(n=0)) == "Nobody was handed over in the last 12 months."


def test_title_causes_says_how_many_chance_would_make_stand_out():
    causes = rows((True, 46), (False, 46), (None, 46), columns=("is_clear", "n_comparisons"))
    assert title_causes(causes) == (
        "1 of 46 values stands out among the returned; of so many, about 2 would by chance alone")
    assert title_causes(causes[:0]) == "Nobody was contacted, so there is nothing to compare"


def test_title_stale_adds_the_bands_beyond_half_a_year():
    stale = rows(("lead", "91-180", 0.5), ("lead", "181-365", 0.2), ("lead", "over 365", 0.1), ("lead", "never", 0.2),
                 ("account", "0-30", 1.0), ("account", "never", 0.0), columns=("kind", "age_band", "share"))
    assert title_stale(stale) == f"Silent for more than half a year: 50{PC} of leads, 0{PC} of accounts"
    assert title_stale(stale.assign(share=float("nan"))) == "There are no records to show"


def plan_of(*each):
    return rows(*each, columns=("stage", "gap", "year_per_month", "pace_per_month", "is_enough_a_year", "is_too_late"))


def test_title_plan_says_what_a_year_at_target_takes():
    plan = plan_of(("mql", 5e5, 170.0, 85.0, False, True), ("customer", 5e5, 10.9, 12.0, True, False))
    assert title_plan(plan, YEAR, "mql", "EUR") == (
        "A year of €4,200,000 takes 170 MQLs a month, those who come again too; 85 come")
    assert title_plan(plan, YEAR, "customer", "EUR") == (
        "The present pace suffices for a year of €4,200,000, which takes 11 customers a month, those who come again "
        "too")
    unknown = plan_of(("mql", 5e5, None, 85.0, pd.NA, pd.NA))
    assert title_plan(unknown, YEAR, "mql", "EUR") == (
        "What a year of €4,200,000 takes is not known: a rate on the way is not")
    assert title_plan(plan[:0], YEAR, "mql", "EUR") == "No target is set, so there is nothing to plan back from"


def test_say_plan_says_the_gap_and_what_comes_too_late():
    plan = plan_of(("mql", 557053.0, 170.0, 85.0, False, True), ("opportunity", 557053.0, 30.0, 26.0, False, True),
                   ("customer", 557053.0, 10.9, 9.7, False, False))
    assert say_plan(plan, YEAR, "EUR") == (
        "2026 lacks €557,053 beyond what is booked and expected of those under way, with 2.0 months left. Of the usual "
        "MQLs and opportunities that enter from now on, most would be won only after the year's end: more of the deals "
        "that are open would have to be won, or larger ones.")
    assert say_plan(plan.assign(is_too_late=False), YEAR, "EUR").endswith("with 2.0 months left.")
    assert say_plan(plan.assign(gap=-1.0), YEAR, "EUR") == (
        "What is booked and under way is expected to reach 2026's target; nothing more is needed.")
    assert say_plan(plan[:0], YEAR, "EUR") == "No target is set for 2026: write one under [targets] in agreement.toml."


LEVERS = rows(("rate", "mql", 0.22, 0.25, 1.0, 9.0), ("pace", "opportunity", 26.33, 28.97, 2.0, 7.0),
              ("average deal", "customer", 32156.28, 35371.91, 3.0, 8.0),
              columns=("lever", "stage", "now", "then", "difference", "year_difference"))


def test_name_levers_writes_each_in_its_own_unit():
    assert name_levers(LEVERS, "EUR")[["name", "now", "then"]].values.tolist() == [
        ["MQL rate at its upper bound", f"22{PC}", f"25{PC}"], ["10 % more opportunities a month", "26.3", "29.0"],
        ["deals 10 % larger", "€32,156", "€35,372"]]


def test_title_levers_names_what_adds_most_in_a_year():
    assert title_levers(name_levers(LEVERS, "EUR"), "EUR") == (
        "What would add most by itself: MQL rate at its upper bound, €9 in a full year")
    assert title_levers(name_levers(LEVERS[:0], "EUR"), "EUR") == "There is nothing to move yet"


def test_label_values_leaves_names_from_the_crm(finnish):
    table = rows(("not known", "never"), ("Fair", "leads"), columns=("segment", "value"))
    assert label_values(table, "segment", "value").values.tolist() == [["ei tiedossa", "ei koskaan"], ["Fair", "leads"]]
    assert label_stages(pd.DataFrame({"to": ["waiting", "all"]}), "to")["to"].tolist() == ["odottaa", "kaikki"]


def test_name_causes_names_fields_in_words():
    causes = rows(("lead_source", "Web"), ("contact", "late"), ("made_up", "others"), columns=("field", "value"))
    assert name_causes(causes).values.tolist() == [["lead source", "Web"], ["first contact", "late"],
                                                   ["made_up", "others"]]


def test_intervals_in_finnish_name_their_unit_once(finnish):
    assert between(0.1, 0.25, percent) == f"10–25{PC}"
    assert span(1651.0, 12482.0, lambda value: money(value, "EUR")) == " (1\xa0651–12\xa0482\xa0€)"
    assert span(1270.0, 2270.0, number) == " (1\xa0270–2\xa0270)"
    assert [hours(18.4), hours(1), plain(0.25)] == ["18,4 tuntia", "1 tunti", "0,25"]


@pytest.mark.parametrize(("period", "name"), [("month", "lokakuu 2026"), ("quarter", "Q4/2026"),
                                              ("year", "vuosi 2026")])
def test_name_period_in_finnish_is_not_inflected(finnish, period, name):
    assert name_period(Agreement(), period, "2026-10") == name


def test_sentences_on_the_promises_in_finnish(finnish):
    assert say_marketing(progress_of(), MARKETING, "Q4/2026") == (
        f"Markkinointi on jäljessä lupauksestaan: jaksolla Q4/2026 on tähän mennessä tullut 81 MQL:ää eli 83{PC} tähän "
        "asti luvatusta määrästä (98). Viimeisten 26 viikon tahdilla määrä on jakson lopussa 231 (196–270), kun koko "
        "jaksolle on luvattu 285.")
    assert say_sales(summary_of(n_counted=1090), SALES) == (
        f"Myynti ei pidä lupaustaan: 1\xa0090 liidistä 44{PC} (35–55{PC}) sai ensiyhteydenoton 16 työtunnin kuluessa; "
        f"luvattu on 80{PC}. Niistä 44 liidistä, joiden määräpäivät ovat kuluneet, 18{PC} sai luvatut 2 "
        "yhteydenottoyritystä 14 päivän kuluessa.")
    assert say_limbo(limbo_of("sam", "bot", None, "gone"), summary_of(), HUMAN, "EUR") == (
        "4 liidiä on vailla yhteydenottoa: ne on luovutettu ja määräaika on kulunut, mutta kukaan ei ole yrittänyt "
        "tavoittaa niitä; alle kuukauden myöhässä on 1. Luovutushetkellä arvo oli yhteensä 8\xa0000\xa0€, ja se "
        "vähenee päivä päivältä. Ilman soittajaksi kelpaavaa vastuuhenkilöä (vastuussa jono taikka tuntematon tai "
        "käytöstä poistettu käyttäjä): 3.")
    assert say_forecast(FORECAST, YEAR, "EUR") == (
        "Vuosi 2026: voitettu 2\xa0989\xa0833\xa0€; avoimet kaupat ja vielä ajoissa tulevat mukaan lukien vuoden "
        "ennuste on 3\xa0642\xa0947\xa0€ (3\xa0327\xa0045–4\xa0021\xa0181\xa0€), kun tavoite on 4\xa0200\xa0000\xa0€.")


def test_say_scope_in_finnish_writes_the_day_as_finnish_does(finnish):
    assert say_scope(None, "Q4/2026", TODAY) == (
        "Jakso on Q4/2026, tilanne päivän 31.10.2026 lopussa. Myynnin luvut kattavat kaikki vastuuhenkilöt.")


def test_titles_in_finnish_keep_stages_whole(finnish):
    curve = rows((90, "reached", 0.21), (90, "returned", 0.36), (90, "out", 0.2),
                 columns=("days", "event", "incidence"))
    assert title_incidence(curve, "mql", "sql") == (
        f"MQL:t 90 päivän kuluttua: SQL:t tai pidemmällä 21{PC}, palanneet 36{PC}, poistuneet 20{PC}")
    plan = plan_of(("mql", 557053.0, 170.0, 85.0, False, True), ("opportunity", 557053.0, 30.0, 26.0, False, True))
    assert title_plan(plan, YEAR, "mql", "EUR") == (
        "Vuositavoite 4\xa0200\xa0000\xa0€ vaatii 170 MQL:ää kuukaudessa uudelleen tulevat mukaan lukien; nyt tulee 85")
    assert "(tästä lähtien tulevat MQL:t ja myyntimahdollisuudet)" in say_plan(plan, YEAR, "EUR")
    stages = rows(("lead", 33), ("customer", 11), columns=("stage", "n_entered"))
    assert title_funnel(stages, pd.DataFrame({"value_won": [374990.79]}), "Q4/2026", "EUR") == (
        "Suppilon alkuun tuli 33 uutta liidiä; loppuun asti pääsi 11 kauppaa, voitettu arvo 374\xa0991\xa0€ (Q4/2026)")
    assert title_conversion(curve[:0].assign(rate_low=0.0, rate_high=0.0, segment=""), "mql", "sql", "lead_source") == (
        "MQL → SQL (liidin lähde): yhtään konversioastetta ei vielä tiedetä")


def test_levers_and_returned_in_finnish(finnish):
    assert name_levers(LEVERS, "EUR")[["name", "now", "then"]].values.tolist() == [
        ["konversioaste ylärajalleen (MQL)", f"22{PC}", f"25{PC}"],
        [f"10{PC} enemmän kuukaudessa (myyntimahdollisuudet)", "26,3", "29,0"],
        [f"kaupat 10{PC} suurempia", "32\xa0156\xa0€", "35\xa0372\xa0€"]]
    share = rows((1, 1, 1.0, 1, 0), columns=("n", "n_returned", "returned_share", "n_back", "n_reconverted"))
    assert say_returned(share) == (
        f"Viimeisten 12 kuukauden aikana luovutettiin 1 henkilö; heistä palautettiin markkinoinnille 1 (100{PC}). "
        "Palautetuista tuli uudelleen 1, ja kaupaksi päätyi silti 0.")


def test_say_marketing_of_one_speaks_of_one():
    assert say_marketing(progress_of(share=float("nan"), delivered=1.0), MARKETING, "Q4 2026") == (
        "Nothing is due of marketing's promise yet; 1 MQL has come in Q4 2026 so far.")
