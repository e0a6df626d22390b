"""The SLA report's sentences, titles and tiles: finished table in, a reader's words out."""

import pandas as pd

from attribution.agreement import Agreement, Promise
from attribution.sentences import count, money, name_stage, percent

#: What columns are called in tables of conversion, of responses and of levers, where other tables mean something else.
STEP_NAMES = {"n_reached": "came further"}
RESPONSE_NAMES = {"n_counted": "limit passed", "n_in_time": "in time", "n_before": "contacted before",
                  "n_left": "left before due", "n_open": "still in time", "n_judged": "attempts due"}
LEVER_NAMES = {"name": "what changes", "difference": "adds this year"}
#: What a reader sees of the widest tables; the workbook has all columns.
STEP_COLUMNS = ("from_stage", "to_stage", "unit", "entered_from_on", "entered_to_on", "n", "n_reached", "n_waiting",
                "within_days", "conversion_rate", "rate_low", "rate_high", "basis")
RATE_COLUMNS = ("segment", "n", "n_reached", "n_returned", "n_out", "n_waiting", "conversion_rate", "rate_low",
                "rate_high", "basis")
FUNNEL_COLUMNS = ("stage", "n_entered", "n_imputed", "n_again", "value", "value_low", "value_high", "worth")
SUMMARY_COLUMNS = ("n", "n_counted", "n_in_time", "compliance_rate", "compliance_low", "compliance_high", "is_kept",
                   "median_hours", "p90_hours", "raw_median_hours", "never_share", "n_judged", "attempts_rate")
LIMBO_COLUMNS = ("person_id", "owner_id", "team", "handed_over_at", "due_at", "overdue_days", "n_entry", "value")
PIPELINE_COLUMNS = ("stage", "n", "value", "by_probability", "by_history", "n_history", "history_rate", "history_low",
                    "history_high", "n_unpriced")
RETURNED_COLUMNS = ("person_id", "stage", "left_to", "returned_at", "days_in_stage", "came_back_at", "is_reconverted")
PLAN_COLUMNS = ("stage", "year_per_month", "year_low", "year_high", "pace_per_month", "is_enough_a_year",
                "carried_share", "n_under_way", "under_way_value", "latest_entry_on", "is_too_late")
LEVER_COLUMNS = ("name", "now", "then", "year_difference", "difference", "gap_share")


def label_stages(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Write the stages in some columns of a table as a reader knows them; what is no stage's name stays.

    >>> label_stages(pd.DataFrame({"stage": ["mql", "out"]}), "stage")["stage"].tolist()
    ['MQL', 'out']
    """
    named = {column: [name_stage(str(stage)) for stage in table[column]] for column in columns}
    return table.assign(**{column: pd.Series(labels, table.index, dtype="str") for column, labels in named.items()})


def span(low: float, high: float, write) -> str:
    """Write an interval; nothing where it is not known.

    >>> span(0.1, 0.25, percent)
    ' (10 to 25\xa0%)'
    """
    if pd.isna(low) or pd.isna(high):
        return ""
    first, last = write(low), write(high)
    end = "\u00a0%"
    return f" ({first.removesuffix(end) if last.endswith(end) else first} to {last})"


def hours(value: float) -> str:
    """Write a time on the business clock.

    >>> hours(5.5), hours(1)
    ('5.5 hours', '1 hour')
    """
    return "–" if pd.isna(value) else f"{value:.1f}".removesuffix(".0") + (" hour" if value == 1 else " hours")


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def name_period(agreement: Agreement, period: str, month: str) -> str:
    """Name the month, quarter or year that holds a month.

    >>> name_period(Agreement(), "quarter", "2026-10")
    'Q4 2026'
    """
    first, _ = agreement.period_days(period, month)
    return {"month": f"{first:%B %Y}", "year": f"the year {agreement.fiscal_year(month)}",
            "quarter": f"Q{(first.month - agreement.fiscal_year_starts) % 12 // 3 + 1} {agreement.fiscal_year(month)}"
            }[period]


def title_sla(agreement: Agreement, month: str) -> str:
    """Title the report with the company and the month."""
    company = f"{agreement.company}: " if agreement.company else ""
    return f"{company}SLA and conversion, {pd.Period(month, 'M').strftime('%B %Y')}"


def say_scope(owner: str | None, period: str, today: pd.Timestamp) -> str:
    """Say whom and what time the report speaks of."""
    whose = ("everybody" if owner is None else f"{owner} alone; marketing's promise, values, rates of the plan and "
             "silent records are everybody's")
    return f"The period is {period}, as known at the end of {today:%Y-%m-%d}. Sales' figures are those of {whose}."


def say_marketing(progress: pd.DataFrame, promise: Promise, period: str) -> str:
    """Say how marketing stands to its promise, and where it is heading."""
    row = progress.set_index("measure").loc["count"]
    many = name_stage(promise.stage, 2)
    if pd.isna(row["delivered_share"]):
        return (f"Nothing is due of marketing's promise yet; {row['delivered']:,.0f} {many} have come in {period} so "
                "far.")
    verdict = "on its promise" if row["delivered_share"] >= 1 else "behind its promise"
    return (f"Marketing is {verdict}: {row['delivered']:,.0f} {many} in {period} so far, "
            f"{percent(row['delivered_share'])} of the {row['promised_to_date']:,.0f} due by now. At the pace of the "
            f"last 26 weeks the period ends with {row['forecast']:,.0f}"
            f"{span(row['forecast_low'], row['forecast_high'], _whole)} of {row['promised']:,.0f}.")


def name_progress(progress: pd.DataFrame, promise: Promise, currency: str) -> pd.DataFrame:
    """Write marketing's promise as a reader's table, all of it text: a row in number, a row in money."""
    write = {"count": _whole, "value": lambda value: money(value, currency)}
    def column(name: str) -> list[str]:
        return ["–" if pd.isna(value) else write[measure](value)
                for measure, value in zip(progress["measure"], progress[name], strict=True)]
    measured = progress["measure"].map({"count": name_stage(promise.stage, 2), "value": "worth"})
    return pd.DataFrame({
        "measure": measured, "delivered": column("delivered"), "due by now": column("promised_to_date"),
        "share of what is due": progress["delivered_share"].map(percent), "promised in all": column("promised"),
        "forecast": column("forecast"), "forecast from": column("forecast_low"), "forecast to": column("forecast_high"),
        "came again": progress["n_again"].map(_whole)}).replace("–", "")


def say_value_promise(progress: pd.DataFrame, promise: Promise, currency: str) -> str:
    """Say the same of the promised value, where there is one."""
    row = progress.set_index("measure").loc["value"]
    if pd.isna(row["promised"]):
        return "No value was promised, only a number."
    return (f"In money: {name_stage(promise.stage, 2)} worth {money(row['delivered'], currency)} against "
            f"{money(row['promised_to_date'], currency)} due by now, each at what its stage is worth.")


def say_sales(summary: pd.DataFrame, promise: Promise) -> str:
    """Say how sales stands to its promise."""
    row = summary.iloc[0]
    if row["n_unknown"]:
        return "Sales' promise cannot be judged: the export has no calls, e-mails or meetings of sales."
    if not row["n_counted"]:
        return "No lead was handed over whose limit has passed, so sales' promise cannot be judged yet."
    limit = f"{promise.within_hours:g} business hours" if promise.within_hours else f"{promise.within_days:g} days"
    verdict = "keeps its promise" if row["is_kept"] else "does not keep its promise"
    tries = (f" {promise.attempts:,} attempts within {promise.within_days:g} days were made for "
             f"{percent(row['attempts_rate'])} of the {row['n_judged']:,.0f} whose days are over."
             if promise.attempts and row["n_judged"] else "")
    return (f"Sales {verdict}: {percent(row['compliance_rate'])}"
            f"{span(row['compliance_low'], row['compliance_high'], percent)} of {count(row['n_counted'], 'lead')} were "
            f"contacted within {limit}; {percent(row['promised_share'])} was promised.{tries}")


def say_limbo(limbo: pd.DataFrame, summary: pd.DataFrame, owners: pd.DataFrame, currency: str) -> str:
    """Say how many leads nobody has tried to reach, what they are worth, and how many no person owns."""
    if summary["n_unknown"].iloc[0]:
        return "Who is in limbo cannot be told: the export has no calls, e-mails or meetings of sales."
    if not len(limbo):
        return "No lead is in limbo: of those still in the stage nobody waits beyond the limit."
    nobody = (~limbo["owner_id"].isin(owners.loc[owners["is_human"] & owners["is_active"], "owner_id"])).sum()
    worth, fresh = limbo["value"].sum(min_count=1), (limbo["overdue_days"] <= 30).sum()
    at_risk = (f" They were worth {money(worth, currency)} when they were handed over, and are worth less by the day."
               if pd.notna(worth) else "")
    are = "is" if len(limbo) == 1 else "are"
    whose = (f" {nobody:,} belong to nobody who could call (a queue, an unknown or an inactive owner)." if len(owners)
             else "")
    return (f"{count(len(limbo), 'lead')} {are} in limbo: handed over, the limit passed, nobody tried; {fresh:,} of "
            f"them for less than a month.{at_risk}{whose}")


def say_forecast(forecast: pd.DataFrame, year: pd.DataFrame, currency: str) -> str:
    """Say where the year's revenue is heading, against the target."""
    row, now = forecast.set_index("part").loc["in all"], year.iloc[0]
    heading = (f"Year {now['fiscal_year']}: {money(now['booked'], currency)} booked; with what is under way, and what "
               f"still comes in time, it is expected to end with {money(row['value'], currency)}"
               f"{span(row['value_low'], row['value_high'], lambda value: money(value, currency))}")
    if pd.isna(now["target"]):
        return heading + ". No target is set for the year: write one under [targets] in agreement.toml."
    return f"{heading} against a target of {money(now['target'], currency)}."


def sla_tiles(progress: pd.DataFrame, promise: Promise, summary: pd.DataFrame, limbo: pd.DataFrame,
              returned: pd.DataFrame, wins: pd.DataFrame, velocity: pd.DataFrame, forecast: pd.DataFrame,
              year: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Pick the figures that both sides read first.

    Returns one row per tile: label, value, note, all of them text.
    """
    rows = (_lead_tiles(progress, promise, summary, limbo, returned, currency)
            + _deal_tiles(wins, velocity, forecast, year, currency))
    return pd.DataFrame(rows, columns=["label", "value", "note"])


def _lead_tiles(progress: pd.DataFrame, promise: Promise, summary: pd.DataFrame, limbo: pd.DataFrame,
                returned: pd.DataFrame, currency: str) -> list[tuple[str, str, str]]:
    delivered, response = progress.set_index("measure").loc["count"], summary.iloc[0]
    back, worth = returned.iloc[0], money(limbo["value"].sum(min_count=1), currency)
    return [
        (f"{name_stage(promise.stage, 2)} delivered", _whole(delivered["delivered"]),
         f"{percent(delivered['delivered_share'])} of {delivered['promised_to_date']:,.0f} due by now\n"
         f"{delivered['n_again']:,.0f} more came again"),
        ("Contacted in time", percent(response["compliance_rate"]),
         f"of {response['n_counted']:,.0f}; {percent(response['promised_share'])} promised\n"
         f"{span(response['compliance_low'], response['compliance_high'], percent).strip(' ()')}"),
        ("Median time to contact", hours(response["median_hours"]),
         f"of business; {hours(response['raw_median_hours'])} on the wall clock"),
        ("Leads in limbo", "–" if response["n_unknown"] else _whole(len(limbo)), f"{worth} when handed over"),
        ("Returned to marketing", percent(back["returned_share"]),
         f"{back['n_returned']:,.0f} of {back['n']:,.0f} handed over in 12 months\n{back['n_back']:,.0f} came again")]


def _deal_tiles(wins: pd.DataFrame, velocity: pd.DataFrame, forecast: pd.DataFrame, year: pd.DataFrame,
                currency: str) -> list[tuple[str, str, str]]:
    win, pace, now, ends = wins.iloc[0], velocity.iloc[0], year.iloc[0], forecast.set_index("part").loc["in all"]
    n_closed, cash = win["n_won"] + win["n_lost"], lambda value: money(value, currency)
    return [
        ("Win rate", percent(win["win_rate"]), f"{win['n_won']:,.0f} of {n_closed:,.0f} closed in the period\n"
         f"{span(win['rate_low'], win['rate_high'], percent).strip(' ()')}"),
        ("Pipeline velocity", cash(pace["velocity"]) + " a day" * pd.notna(pace["velocity"]),
         count(pace["n_open"], "open deal")
         + (f"; won ones took {pace['cycle_days']:,.0f} days" if pd.notna(pace["cycle_days"]) else "")),
        (f"Year {now['fiscal_year']} heads for", cash(ends["value"]),
         f"target {cash(now['target'])}\n{span(ends['value_low'], ends['value_high'], cash).strip(' ()')}")]


def title_funnel(stages: pd.DataFrame, wins: pd.DataFrame, period: str, currency: str) -> str:
    """Title the funnel with what came in at the top and out at the bottom."""
    first, last = stages.iloc[0], stages.iloc[-1]
    new, won = name_stage(str(first["stage"]), first["n_entered"]), money(wins["value_won"].iloc[0], currency)
    return (f"{period}: {first['n_entered']:,.0f} new {new} came in at the top; "
            f"{count(last['n_entered'], 'deal')} came out, {won} won")


def title_flows(flows: pd.DataFrame) -> str:
    """Title the flows with how many of the moves led back."""
    moves = flows[~flows["to"].isin(["waiting"])]
    back, n = moves.loc[moves["is_back"], "n"].sum(), moves["n"].sum()
    if not n:
        return "Nobody who entered a stage in the last 12 months has left it yet"
    return (f"{percent(back / n)} of the moves in the last 12 months led back to an earlier stage "
            f"({back:,.0f} of {n:,.0f})")


def title_burn_up(progress: pd.DataFrame, promise: Promise, period: str) -> str:
    """Title the burn-up with where the period ends."""
    row = progress.set_index("measure").loc["count"]
    return (f"{name_stage(promise.stage, 2)} in {period}: heading for {row['forecast']:,.0f}"
            f"{span(row['forecast_low'], row['forecast_high'], _whole)} of {row['promised']:,.0f} promised")


def title_response(summary: pd.DataFrame) -> str:
    """Title the response curve with its median and the share never reached."""
    row = summary.iloc[0]
    if row["n_unknown"]:
        return "When leads are contacted is not known"
    if not row["n"]:
        return "Nobody was handed over in the period"
    if pd.isna(row["median_hours"]):
        return "Fewer than half of the leads have been contacted, so there is no median time to contact"
    return (f"Half of the leads are contacted within {hours(row['median_hours'])} of business; "
            f"{percent(row['never_share'])} of those due, not so far")


def title_compliance(summary: pd.DataFrame) -> str:
    """Title the owners' compliance with how many of them keep the promise."""
    known = summary[summary["n_counted"] > 0]
    kept = known["is_kept"].eq(True).sum()
    keep = "keeps" if kept == 1 else "keep"
    return f"{kept:,} of {len(known):,} owners {keep} the whole promise; the bars are 95 % intervals"


def title_triangle(triangle: pd.DataFrame, from_stage: str, to_stage: str) -> str:
    """Title the cohort triangle with the span of what the months' cohorts came to."""
    latest = triangle[triangle["n"] > 0].sort_values("age_months").drop_duplicates("month", keep="last")
    old = latest[latest["age_months"] >= 2]
    pair = f"{name_stage(from_stage)} to {name_stage(to_stage)}"
    if not len(old):
        return f"{pair}: no month's cohort is old enough yet"
    return (f"{pair}: the months' cohorts came to between {percent(old['conversion_rate'].min())} and "
            f"{percent(old['conversion_rate'].max())} so far")


def title_incidence(incidence: pd.DataFrame, from_stage: str, to_stage: str) -> str:
    """Title the curves with what has become of the cohort by their end."""
    known = incidence.dropna(subset="incidence").drop_duplicates("event", keep="last").set_index("event")["incidence"]
    if not len(known):
        return f"Nobody entered {name_stage(from_stage)} in the period"
    days = incidence.dropna(subset="incidence")["days"].max()
    return (f"After {days:,.0f} days {percent(known['reached'])} of the {name_stage(from_stage, 2)} are "
            f"{name_stage(to_stage, 2)} or further, {percent(known['returned'])} went back, {percent(known['out'])} "
            "left")


def title_rates(from_stage: str, to_stage: str, within_days: float, by: str) -> str:
    """Title a table of rates with the step, the time given to it, and what parts it.

    >>> title_rates("mql", "sql", 30, "lead_source")
    'From MQL to SQL within 30 days, by lead source'
    """
    step = f"From {name_stage(from_stage)} to {name_stage(to_stage)}"
    return f"{step} within {within_days:,.0f} days, by {by.replace('_', ' ')}"


def title_conversion(rates: pd.DataFrame, from_stage: str, to_stage: str, by: str) -> str:
    """Title the segments' rates with whether any stands out from the whole."""
    known = rates.dropna(subset=["rate_low", "rate_high"]).query("segment != 'not known'")
    pair = f"{name_stage(from_stage)} to {name_stage(to_stage)} by {by.replace('_', ' ')}"
    if not len(known):
        return f"{pair}: no rate is known yet"
    best, worst = known.loc[known["conversion_rate"].idxmax()], known.loc[known["conversion_rate"].idxmin()]
    if best["rate_low"] <= worst["rate_high"]:
        return f"{pair}: the intervals overlap, so the differences may be chance"
    return (f"{pair}: {best['segment']} is ahead ({percent(best['conversion_rate'])}), {worst['segment']} behind "
            f"({percent(worst['conversion_rate'])}); their intervals do not overlap, of {len(known):,} looked at")


def say_cohorts() -> str:
    """Say how the rates between stages are to be read."""
    return ("A cohort is those who entered a stage in the 12 months, each once. Where all have had the time the rate "
            "is a plain share (ripe); where some still wait it is estimated, those who went back or left counted as "
            "competing exits. Unit: people up to the deal; from people to deals five people in one deal are five of "
            "five who got there; deals after that, and their accounts beside them.")


def say_values(values: pd.DataFrame, currency: str) -> str:
    """Say what one entry into each stage before the sale is worth."""
    known = values[(values["segment"] == "all") & values["value"].notna()].iloc[:-1]
    if not len(known):
        return "What a stage is worth is not known yet: nothing was won, or nobody went all the way."
    parts = [f"{name_stage(str(row.stage))} {money(row.value, currency)}"
             f"{span(row.value_low, row.value_high, lambda value: money(value, currency))}"
             for row in known.itertuples()]
    return (f"What one entry into a stage is worth, on average: {'; '.join(parts)}. By what becomes of the entries of "
            "the last 24 months in the end, however long it takes; never added to booked deals.")


def say_pipeline_weight(weighted: pd.DataFrame, currency: str) -> str:
    """Say what the open pipeline is worth by the CRM's probabilities and by history."""
    sums = weighted[["value", "by_probability", "by_history"]].sum(min_count=1)
    if not weighted["n"].sum():
        return "No deal is open."
    new = weighted.loc[weighted["by_history"].isna(), "value"].sum()
    rest = f"; {money(new, currency)} lie in stages without a history" if new else ""
    return (f"{count(weighted['n'].sum(), 'open deal')} of {money(sums['value'], currency)} are worth "
            f"{money(sums['by_probability'], currency)} by the CRM's stage probabilities, and "
            f"{money(sums['by_history'], currency)} by what became of earlier deals in the same stages{rest}.")


def say_returned(share: pd.DataFrame) -> str:
    """Say how many leads went back, and how many of them came again."""
    row = share.iloc[0]
    if not row["n"]:
        return "Nobody was handed over in the last 12 months."
    return (f"Of {count(row['n'], 'person', 'people')} handed over in the last 12 months {row['n_returned']:,.0f} "
            f"({percent(row['returned_share'])}) went back to marketing; {row['n_back']:,.0f} of them came again, and "
            f"{row['n_reconverted']:,.0f} became a deal after all.")


def title_causes(causes: pd.DataFrame) -> str:
    """Title what the returned share with how many values stand out, and how many were looked at."""
    clear = causes["is_clear"].eq(True).sum()
    if not len(causes):
        return "Nobody was contacted, so there is nothing to compare"
    n = causes["n_comparisons"].max()
    stand = "stands" if clear == 1 else "stand"
    return (f"{clear:,} of {n:,.0f} values {stand} out among the returned; of so many, about {n * 0.05:,.0f} would by "
            "chance alone")


def title_stale(stale: pd.DataFrame) -> str:
    """Title the ages with how much has been silent for half a year."""
    old = stale[stale["age_band"].isin(["181-365", "over 365", "never"])]
    old = old.groupby("kind", sort=False)["share"].sum(min_count=1).dropna()
    parts = [f"{percent(share)} of {kind}s" for kind, share in old.items()]
    return f"Silent for more than half a year: {', '.join(parts)}" if parts else "There are no records to show"


def title_plan(plan: pd.DataFrame, year: pd.DataFrame, stage: str, currency: str) -> str:
    """Title the plan with what a full year at the target takes of one stage, in today's proportions."""
    if not len(plan):
        return "No target is set, so there is nothing to plan back from"
    target, row = money(year["target"].iloc[0], currency), plan.set_index(plan["stage"].astype(str)).loc[stage]
    if pd.isna(row["year_per_month"]):
        return f"What a year of {target} takes is not known: a rate on the way is not"
    takes = f"{row['year_per_month']:,.0f} {name_stage(stage, 2)} a month, those who come again too"
    if row["is_enough_a_year"]:
        return f"The present pace suffices for a year of {target}, which takes {takes}"
    return f"A year of {target} takes {takes}; {row['pace_per_month']:,.0f} come"


def say_plan(plan: pd.DataFrame, year: pd.DataFrame, currency: str) -> str:
    """Say what this year's target still lacks, and what comes too late for it."""
    name = year["fiscal_year"].iloc[0]
    if not len(plan):
        return f"No target is set for {name}: write one under [targets] in agreement.toml."
    gap, months = plan["gap"].iloc[0], year["months_left"].iloc[0]
    if gap <= 0:
        return f"What is booked and under way is expected to reach {name}'s target; nothing more is needed."
    text = (f"{name} lacks {money(gap, currency)} beyond what is booked and expected of those under way, with "
            f"{months:.1f} months left.")
    late = [name_stage(str(stage), 2) for stage in plan.loc[plan["is_too_late"].eq(True), "stage"]]
    if not late:
        return text
    names = " and ".join(filter(None, [", ".join(late[:-1]), late[-1]]))
    return (f"{text} Of the usual {names} that enter from now on, most would be won only after the year's end: more of "
            "the deals that are open would have to be won, or larger ones.")


def name_levers(levers: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Name each lever for a reader, and write what it stands at now and then as text.

    Returns the rows with name as the first column, now and then as text.
    """
    names = [{"rate": f"{name_stage(stage)} rate at its upper bound",
              "pace": f"10 % more {name_stage(stage, 2)} a month", "average deal": "deals 10 % larger"}[lever]
             for lever, stage in zip(levers["lever"], levers["stage"], strict=True)]
    write = {"rate": percent, "pace": "{:,.1f}".format, "average deal": lambda value: money(value, currency)}
    texts = {column: [write[lever](value) for lever, value in zip(levers["lever"], levers[column], strict=True)]
             for column in ("now", "then")}
    return pd.DataFrame({"name": names} | texts, levers.index, dtype="str").join(levers.drop(columns=list(texts)))


def title_levers(levers: pd.DataFrame, currency: str) -> str:
    """Title what it would take with the lever that adds most."""
    known = levers.dropna(subset="year_difference")
    if not len(known):
        return "There is nothing to move yet"
    best = known.loc[known["year_difference"].idxmax()]
    return (f"What would add most by itself: {best['name']}, {money(best['year_difference'], currency)} in a full year")
