"""The SLA report's sentences, titles and tiles: finished table in, a reader's words out."""

import pandas as pd

from attribution.agreement import Agreement, Promise
from attribution.cohorts import ALL, NOT_KNOWN
from attribution.language import (
    _,
    count,
    day,
    in_number,
    marked,
    money,
    month_name,
    number,
    percent,
    plain,
)
from attribution.returned import OTHERS
from attribution.roi import UNATTRIBUTED
from attribution.sentences import name_stage, name_stages
from attribution.sla import OUTCOMES

#: What columns are called in tables of conversion, of responses and of levers, where other tables mean something else.
STEP_NAMES = {"n_reached": marked("came further")}
RESPONSE_NAMES = {"n_counted": marked("limit passed"), "n_in_time": marked("in time"),
                  "n_before": marked("contacted before"), "n_left": marked("left before due"),
                  "n_open": marked("still in time"), "n_judged": marked("attempts due")}
PLAN_NAMES = {"year_low": marked("takes from"), "year_high": marked("takes to")}
LEVER_NAMES = {"name": marked("what changes"), "difference": marked("adds this year")}
#: What a kind of record is called where many are counted, and by what records are parted, or compared.
KINDS = {"lead": marked("leads"), "contact": marked("contacts"), "account": marked("accounts")}
FIELDS = {"country": marked("country"), "industry": marked("industry"), "lead_source": marked("lead source"),
          "account_type": marked("account type"), "channel": marked("channel"), "campaign": marked("campaign"),
          "owner": marked("owner"), "team": marked("team"), "title": marked("title"),
          "contact": marked("first contact"), "owner_team": marked("owner's team"),
          "first_touch": marked("campaign met first"), "linear_credit": marked("campaign, by linear credit")}
#: Words of ours that stand among names from the CRM.
OURS = {ALL, NOT_KNOWN, OTHERS, UNATTRIBUTED, *OUTCOMES}
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
    named = {column: [_(name_stage(str(stage))) for stage in table[column]] for column in columns}
    return table.assign(**{column: pd.Series(labels, table.index, dtype="str") for column, labels in named.items()})


def label_values(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Write our own words that stand among names from the CRM in the reader's language; the names stay.

    >>> label_values(pd.DataFrame({"segment": ["not known", "Fair"]}), "segment")["segment"].tolist()
    ['not known', 'Fair']
    """
    return table.assign(**{column: table[column].map(name_value) for column in columns})


def name_value(value: str) -> str:
    """Give a value in the reader's language where it is a word of ours; a name from the CRM stays.

    >>> name_value("not known"), name_value("Fair")
    ('not known', 'Fair')
    """
    return _(value) if value in OURS else value


def name_field(field: str) -> str:
    """Name a field by which records are parted or compared.

    >>> name_field("lead_source")
    'lead source'
    """
    return _(FIELDS.get(field, field))


def name_causes(causes: pd.DataFrame) -> pd.DataFrame:
    """Name the fields of a table of what the returned share, and its values that are words of ours."""
    return label_values(causes, "value").assign(field=causes["field"].map(name_field))


def between(low: float, high: float, write) -> str:
    """Write from where to where an interval goes; nothing where it is not known.

    >>> between(0.1, 0.25, percent)
    '10 to 25\xa0%'
    """
    if pd.isna(low) or pd.isna(high):
        return ""
    first, last = write(low), write(high)
    unit = "\xa0" + last.rpartition("\xa0")[2]
    same = unit if not unit[-1].isdigit() else ""
    return _("{low} to {high}").format(low=first.removesuffix(same), high=last)


def span(low: float, high: float, write) -> str:
    """Write an interval behind its estimate; nothing where it is not known.

    >>> span(0.1, 0.25, percent)
    ' (10 to 25\xa0%)'
    """
    return f" ({text})" if (text := between(low, high, write)) else ""


def hours(value: float) -> str:
    """Write a time on the business clock.

    >>> hours(5.5), hours(1)
    ('5.5 hours', '1 hour')
    """
    return "–" if pd.isna(value) else f"{plain(round(value, 1))} {in_number('hour', 'hours', value)}"


def name_period(agreement: Agreement, period: str, month: str) -> str:
    """Name the month, quarter or year that holds a month.

    >>> name_period(Agreement(), "quarter", "2026-10")
    'Q4 2026'
    """
    first, last = agreement.period_days(period, month)
    quarter, year = (first.month - agreement.fiscal_year_starts) % 12 // 3 + 1, agreement.fiscal_year(month)
    return {"month": month_name(f"{first:%Y-%m}"), "year": _("the year {year}").format(year=year),
            "quarter": _("Q{quarter} {year}").format(quarter=quarter, year=year)}[period]


def title_sla(agreement: Agreement, month: str) -> str:
    """Title the report with the company and the month."""
    title = _("SLA and conversion, {month}").format(month=month_name(month))
    return f"{agreement.company}: {title}" if agreement.company else title


def say_scope(owner: str | None, period: str, today: pd.Timestamp) -> str:
    """Say whom and what time the report speaks of."""
    when = _("The period is {period}, as known at the end of {day}.").format(period=period, day=day(today))
    if owner is None:
        return when + " " + _("Sales' figures are those of everybody.")
    return when + " " + _("Sales' figures are those of {owner} alone; marketing's promise, values, rates of the plan "
                          "and silent records are everybody's.").format(owner=owner)


def say_marketing(progress: pd.DataFrame, promise: Promise, period: str) -> str:
    """Say how marketing stands to its promise, and where it is heading."""
    row = progress.set_index("measure").loc["count"]
    delivered = {"n": number(row["delivered"]), "many": name_stage(promise.stage, row["delivered"]), "period": period}
    if pd.isna(row["delivered_share"]):
        return in_number("Nothing is due of marketing's promise yet; {n} {many} has come in {period} so far.",
                         "Nothing is due of marketing's promise yet; {n} {many} have come in {period} so far.",
                         row["delivered"]).format(**delivered)
    if _is_over(row):
        kept = (_("Marketing kept its promise: {n} {many} in {period}, {share} of the {due} promised.")
                if row["delivered_share"] >= 1 else
                _("Marketing did not keep its promise: {n} {many} in {period}, {share} of the {due} promised."))
        return kept.format(**delivered, share=percent(row["delivered_share"]), due=number(row["promised"]))
    text = (_("Marketing is on its promise: {n} {many} in {period} so far, {share} of the {due} due by now.")
            if row["delivered_share"] >= 1 else
            _("Marketing is behind its promise: {n} {many} in {period} so far, {share} of the {due} due by now."))
    text = text.format(**delivered, share=percent(row["delivered_share"]), due=number(row["promised_to_date"]))
    ends = _("At the pace of the last 26 weeks the period ends with {forecast} of {promised}.").format(
        forecast=number(row["forecast"]) + span(row["forecast_low"], row["forecast_high"], number),
        promised=number(row["promised"]))
    return f"{text} {ends}"


def _is_over(row: pd.Series) -> bool:
    """Tell whether the period has ended: all that was promised of it is due."""
    return row["promised_to_date"] >= row["promised"]


def name_progress(progress: pd.DataFrame, promise: Promise, currency: str) -> pd.DataFrame:
    """Write marketing's promise as a reader's table, all of it text: a row in number, a row in money."""
    write = {"count": number, "value": lambda value: money(value, currency)}
    def column(name: str) -> list[str]:
        return ["–" if pd.isna(value) else write[measure](value)
                for measure, value in zip(progress["measure"], progress[name], strict=True)]
    measured = progress["measure"].map({"count": name_stages(promise.stage), "value": _("worth")})
    return pd.DataFrame({
        marked("measure"): measured, marked("delivered"): column("delivered"),
        marked("due by now"): column("promised_to_date"),
        marked("share of what is due"): progress["delivered_share"].map(percent),
        marked("promised in all"): column("promised"), marked("forecast"): column("forecast"),
        marked("forecast from"): column("forecast_low"), marked("forecast to"): column("forecast_high"),
        marked("came again"): progress["n_again"].map(number)}).replace("–", "")


def say_value_promise(progress: pd.DataFrame, promise: Promise, currency: str) -> str:
    """Say the same of the promised value, where there is one."""
    row = progress.set_index("measure").loc["value"]
    if pd.isna(row["promised"]):
        return _("No value was promised, only a number.")
    return _("In money: {many} worth {delivered} against {due} due by now, each at what its stage is worth.").format(
        many=name_stages(promise.stage), delivered=money(row["delivered"], currency),
        due=money(row["promised_to_date"], currency))


def say_sales(summary: pd.DataFrame, promise: Promise) -> str:
    """Say how sales stands to its promise."""
    row = summary.iloc[0]
    if row["n_unknown"]:
        return _("Sales' promise cannot be judged: the export has no calls, e-mails or meetings of sales.")
    if not row["n_counted"]:
        return _("No lead was handed over whose limit has passed, so sales' promise cannot be judged yet.")
    verdict = (_("Sales keeps its promise: {contacted}; {promised} was promised.") if row["is_kept"] else
               _("Sales does not keep its promise: {contacted}; {promised} was promised."))
    text = verdict.format(contacted=_say_contacted(row, promise), promised=percent(row["promised_share"]))
    return f"{text} {_say_tries(row, promise)}" if promise.attempts and row["n_judged"] else text


def _say_contacted(row: pd.Series, promise: Promise) -> str:
    text = (in_number("{share} of {n} lead were contacted within {limit} business hours",
                      "{share} of {n} leads were contacted within {limit} business hours", row["n_counted"])
            if promise.within_hours else
            in_number("{share} of {n} lead were contacted within {limit} days",
                      "{share} of {n} leads were contacted within {limit} days", row["n_counted"]))
    share = percent(row["compliance_rate"]) + span(row["compliance_low"], row["compliance_high"], percent)
    return text.format(share=share, n=number(row["n_counted"]),
                       limit=plain(promise.within_hours or promise.within_days))


def _say_tries(row: pd.Series, promise: Promise) -> str:
    text = _("{attempts} attempts within {limit} days were made for {share} of the {n} whose days are over.")
    return text.format(attempts=number(promise.attempts), limit=plain(promise.within_days),
                       share=percent(row["attempts_rate"]), n=number(row["n_judged"]))


def say_limbo(limbo: pd.DataFrame, summary: pd.DataFrame, owners: pd.DataFrame, currency: str) -> str:
    """Say how many leads nobody has tried to reach, what they are worth, and how many no person owns."""
    if summary["n_unknown"].iloc[0]:
        return _("Who is in limbo cannot be told: the export has no calls, e-mails or meetings of sales.")
    if not len(limbo):
        return _("No lead is in limbo: of those still in the stage nobody waits beyond the limit.")
    worth, fresh = limbo["value"].sum(min_count=1), (limbo["overdue_days"] <= 30).sum()
    said = [in_number("{n} lead is in limbo: handed over, the limit passed, nobody tried; {fresh} of them for less "
                      "than a month.", "{n} leads are in limbo: handed over, the limit passed, nobody tried; {fresh} "
                      "of them for less than a month.", len(limbo)).format(n=number(len(limbo)), fresh=number(fresh))]
    if pd.notna(worth):
        said.append(_("They were worth {worth} when they were handed over, and are worth less by the day.").format(
            worth=money(worth, currency)))
    if len(owners):
        nobody = (~limbo["owner_id"].isin(owners.loc[owners["is_human"] & owners["is_active"], "owner_id"])).sum()
        said.append(in_number(
            "{n} belongs to nobody who could call (a queue, an unknown or an inactive owner).",
            "{n} belong to nobody who could call (a queue, an unknown or an inactive owner).", nobody).format(
            n=number(nobody)))
    return " ".join(said)


def say_forecast(forecast: pd.DataFrame, year: pd.DataFrame, currency: str) -> str:
    """Say where the year's revenue is heading, against the target."""
    row, now = forecast.set_index("part").loc["in all"], year.iloc[0]
    said = {"year": now["fiscal_year"], "booked": money(now["booked"], currency),
            "value": money(row["value"], currency)
            + span(row["value_low"], row["value_high"], lambda value: money(value, currency))}
    if pd.isna(now["target"]):
        return _("Year {year}: {booked} booked; with what is under way, and what still comes in time, it is expected "
                 "to end with {value}. No target is set for the year: write one under [targets] in agreement.toml."
                 ).format(**said)
    return _("Year {year}: {booked} booked; with what is under way, and what still comes in time, it is expected to "
             "end with {value} against a target of {target}.").format(**said, target=money(now["target"], currency))


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
        (_("{many} delivered").format(many=name_stages(promise.stage)), number(delivered["delivered"]),
         _("{share} of {due} due by now\n{again} more came again").format(
             share=percent(delivered["delivered_share"]), due=number(delivered["promised_to_date"]),
             again=number(delivered["n_again"]))),
        (_("Contacted in time"), percent(response["compliance_rate"]),
         _("of {n}; {promised} promised").format(n=number(response["n_counted"]),
                                                 promised=percent(response["promised_share"]))
         + "\n" + between(response["compliance_low"], response["compliance_high"], percent)),
        (_("Median time to contact"), hours(response["median_hours"]),
         _("of business; {hours} on the wall clock").format(hours=hours(response["raw_median_hours"]))),
        (_("Leads in limbo"), "–" if response["n_unknown"] else number(len(limbo)),
         _("{worth} when handed over").format(worth=worth)),
        (_("Returned to marketing"), percent(back["returned_share"]),
         _("{n_returned} of {n} handed over in 12 months\n{n_back} came again").format(
             n_returned=number(back["n_returned"]), n=number(back["n"]), n_back=number(back["n_back"])))]


def _deal_tiles(wins: pd.DataFrame, velocity: pd.DataFrame, forecast: pd.DataFrame, year: pd.DataFrame,
                currency: str) -> list[tuple[str, str, str]]:
    win, pace, now, ends = wins.iloc[0], velocity.iloc[0], year.iloc[0], forecast.set_index("part").loc["in all"]
    n_closed, cash = win["n_won"] + win["n_lost"], lambda value: money(value, currency)
    speed = _("{money} a day").format(money=cash(pace["velocity"])) if pd.notna(pace["velocity"]) else "–"
    took = _("won ones took {days} days").format(days=number(pace["cycle_days"]))
    return [
        (_("Win rate"), percent(win["win_rate"]),
         _("{n_won} of {n} closed in the period").format(n_won=number(win["n_won"]), n=number(n_closed))
         + "\n" + between(win["rate_low"], win["rate_high"], percent)),
        (_("Pipeline velocity"), speed,
         "; ".join([count(pace["n_open"], "open deal")] + [took] * pd.notna(pace["cycle_days"]))),
        (_("Year {year} heads for").format(year=now["fiscal_year"]), cash(ends["value"]),
         _("target {target}").format(target=cash(now["target"]))
         + "\n" + between(ends["value_low"], ends["value_high"], cash))]


def title_funnel(stages: pd.DataFrame, wins: pd.DataFrame, period: str, currency: str) -> str:
    """Title the funnel with what came in at the top and out at the bottom."""
    n, last = stages["n_entered"].iloc[0], stages["n_entered"].iloc[-1]
    text = in_number("{period}: {n} new {new} came in at the top; {deals} came out, {won} won",
                     "{period}: {n} new {new} came in at the top; {deals} came out, {won} won", n)
    return text.format(period=period, n=number(n), new=name_stage(str(stages["stage"].iloc[0]), n),
                       deals=count(last, "deal"), won=money(wins["value_won"].iloc[0], currency))


def title_flows(flows: pd.DataFrame) -> str:
    """Title the flows with how many of the moves led back."""
    moves = flows[~flows["to"].isin(["waiting"])]
    back, n = moves.loc[moves["is_back"], "n"].sum(), moves["n"].sum()
    if not n:
        return _("Nobody who entered a stage in the last 12 months has left it yet")
    return _("{share} of the moves in the last 12 months led back to an earlier stage ({back} of {n})").format(
        share=percent(back / n), back=number(back), n=number(n))


def title_burn_up(progress: pd.DataFrame, promise: Promise, period: str) -> str:
    """Title the burn-up with where the period ends."""
    row = progress.set_index("measure").loc["count"]
    said = {"many": name_stages(promise.stage), "period": period, "promised": number(row["promised"])}
    if _is_over(row):
        return _("{many} in {period}: {n} of {promised} promised").format(**said, n=number(row["delivered"]))
    forecast = number(row["forecast"]) + span(row["forecast_low"], row["forecast_high"], number)
    return _("{many} in {period}: heading for {forecast} of {promised} promised").format(**said, forecast=forecast)


def title_response(summary: pd.DataFrame) -> str:
    """Title the response curve with its median and the share never reached."""
    row = summary.iloc[0]
    if row["n_unknown"]:
        return _("When leads are contacted is not known")
    if not row["n"]:
        return _("Nobody was handed over in the period")
    if pd.isna(row["median_hours"]):
        return _("Fewer than half of the leads have been contacted, so there is no median time to contact")
    return in_number(
        "Half of the leads are contacted within {hours} hour of business; {never} of those due, not so far",
        "Half of the leads are contacted within {hours} hours of business; {never} of those due, not so far",
        row["median_hours"]).format(hours=plain(round(row["median_hours"], 1)), never=percent(row["never_share"]))


def title_compliance(summary: pd.DataFrame) -> str:
    """Title the owners' compliance with how many of them keep the promise."""
    known = summary[summary["n_counted"] > 0]
    kept = known["is_kept"].eq(True).sum()
    return in_number("{kept} of {n} owners keeps the whole promise; the bars are 95 % intervals",
                     "{kept} of {n} owners keep the whole promise; the bars are 95 % intervals", kept).format(
        kept=number(kept), n=number(len(known)))


def title_triangle(triangle: pd.DataFrame, from_stage: str, to_stage: str) -> str:
    """Title the cohort triangle with the span of what the months' cohorts came to."""
    latest = triangle[triangle["n"] > 0].sort_values("age_months").drop_duplicates("month", keep="last")
    old = latest[latest["age_months"] >= 2]
    pair = {"from_stage": name_stage(from_stage), "to_stage": name_stage(to_stage)}
    if not len(old):
        return _("{from_stage} to {to_stage}: no month's cohort is old enough yet").format(**pair)
    return _("{from_stage} to {to_stage}: the months' cohorts came to between {low} and {high} so far").format(
        **pair, low=percent(old["conversion_rate"].min()), high=percent(old["conversion_rate"].max()))


def title_incidence(incidence: pd.DataFrame, from_stage: str, to_stage: str) -> str:
    """Title the curves with what has become of the cohort by their end."""
    known = incidence.dropna(subset="incidence").drop_duplicates("event", keep="last").set_index("event")["incidence"]
    if not len(known):
        return _("Nobody entered {stage} in the period").format(stage=name_stage(from_stage))
    days = incidence.dropna(subset="incidence")["days"].max()
    return _("After {days} days {reached} of the {from_many} are {to_many} or further, {returned} went back, {out} left"
             ).format(days=number(days), from_many=name_stages(from_stage), to_many=name_stages(to_stage),
                      **known.map(percent))


def title_rates(from_stage: str, to_stage: str, within_days: float, by: str) -> str:
    """Title a table of rates with the step, the time given to it, and what parts it.

    >>> title_rates("mql", "sql", 30, "lead_source")
    'From MQL to SQL within 30 days, by lead source'
    """
    return _("From {from_stage} to {to_stage} within {days} days, by {by}").format(
        from_stage=name_stage(from_stage), to_stage=name_stage(to_stage), days=number(within_days),
        by=name_field(by))


def title_conversion(rates: pd.DataFrame, from_stage: str, to_stage: str, by: str) -> str:
    """Title the segments' rates with whether any stands out from the whole."""
    known = rates.dropna(subset=["rate_low", "rate_high"]).query("segment != 'not known'")
    said = {"from_stage": name_stage(from_stage), "to_stage": name_stage(to_stage), "by": name_field(by)}
    if not len(known):
        return _("{from_stage} to {to_stage} by {by}: no rate is known yet").format(**said)
    best, worst = known.loc[known["conversion_rate"].idxmax()], known.loc[known["conversion_rate"].idxmin()]
    if best["rate_low"] <= worst["rate_high"]:
        return _("{from_stage} to {to_stage} by {by}: the intervals overlap, so the differences may be chance").format(
            **said)
    return _("{from_stage} to {to_stage} by {by}: {best} is ahead ({best_rate}), {worst} behind ({worst_rate}); their "
             "intervals do not overlap, of {n} looked at").format(
        **said, best=best["segment"], best_rate=percent(best["conversion_rate"]), worst=worst["segment"],
        worst_rate=percent(worst["conversion_rate"]), n=number(len(known)))


def say_cohorts() -> str:
    """Say how the rates between stages are to be read."""
    return _("A cohort is those who entered a stage in the 12 months, each once. Where all have had the time the rate "
             "is a plain share (ripe); where some still wait it is estimated, those who went back or left counted as "
             "competing exits. Unit: people up to the deal; from people to deals five people in one deal are five of "
             "five who got there; deals after that, and their accounts beside them.")


def say_values(values: pd.DataFrame, currency: str) -> str:
    """Say what one entry into each stage before the sale is worth."""
    known = values[(values["segment"] == "all") & values["value"].notna()].iloc[:-1]
    if not len(known):
        return _("What a stage is worth is not known yet: nothing was won, or nobody went all the way.")
    parts = [f"{name_stage(str(row.stage))} {money(row.value, currency)}"
             f"{span(row.value_low, row.value_high, lambda value: money(value, currency))}"
             for row in known.itertuples()]
    return _("What one entry into a stage is worth, on average: {stages}. By what becomes of the entries of the last "
             "24 months in the end, however long it takes; never added to booked deals.").format(
        stages="; ".join(parts))


def say_pipeline_weight(weighted: pd.DataFrame, currency: str) -> str:
    """Say what the open pipeline is worth by the CRM's probabilities and by history."""
    sums = weighted[["value", "by_probability", "by_history"]].sum(min_count=1)
    if not weighted["n"].sum():
        return _("No deal is open.")
    text = in_number("{n} open deal of {value} are worth {by_probability} by the CRM's stage probabilities, and "
                     "{by_history} by what became of earlier deals in the same stages",
                     "{n} open deals of {value} are worth {by_probability} by the CRM's stage probabilities, and "
                     "{by_history} by what became of earlier deals in the same stages", weighted["n"].sum()).format(
        n=number(weighted["n"].sum()), **{column: money(value, currency) for column, value in sums.items()})
    new = weighted.loc[weighted["by_history"].isna(), "value"].sum()
    rest = _("{value} lie in stages without a history").format(value=money(new, currency))
    return f"{text}; {rest}." if new else f"{text}."


def say_returned(share: pd.DataFrame) -> str:
    """Say how many leads went back, and how many of them came again."""
    row = share.iloc[0]
    if not row["n"]:
        return _("Nobody was handed over in the last 12 months.")
    return _("Of {people} handed over in the last 12 months {n_returned} ({share}) went back to marketing; {n_back} of "
             "them came again, and {n_reconverted} became a deal after all.").format(
        people=count(row["n"], "person", "people"), n_returned=number(row["n_returned"]),
        share=percent(row["returned_share"]), n_back=number(row["n_back"]),
        n_reconverted=number(row["n_reconverted"]))


def title_causes(causes: pd.DataFrame) -> str:
    """Title what the returned share with how many values stand out, and how many were looked at."""
    clear = causes["is_clear"].eq(True).sum()
    if not len(causes):
        return _("Nobody was contacted, so there is nothing to compare")
    n = causes["n_comparisons"].max()
    return in_number(
        "{clear} of {n} values stands out among the returned; of so many, about {chance} would by chance alone",
        "{clear} of {n} values stand out among the returned; of so many, about {chance} would by chance alone",
        clear).format(clear=number(clear), n=number(n), chance=number(n * 0.05))


def title_stale(stale: pd.DataFrame) -> str:
    """Title the ages with how much has been silent for half a year."""
    old = stale[stale["age_band"].isin(["181-365", "over 365", "never"])]
    old = old.groupby("kind", sort=False)["share"].sum(min_count=1).dropna()
    parts = [_("{share} of {kinds}").format(share=percent(share), kinds=_(KINDS[kind])) for kind, share in old.items()]
    if not parts:
        return _("There are no records to show")
    return _("Silent for more than half a year: {shares}").format(shares=", ".join(parts))


def title_plan(plan: pd.DataFrame, year: pd.DataFrame, stage: str, currency: str) -> str:
    """Title the plan with what a full year at the target takes of one stage, in today's proportions."""
    if not len(plan):
        return _("No target is set, so there is nothing to plan back from")
    target, row = money(year["target"].iloc[0], currency), plan.set_index(plan["stage"].astype(str)).loc[stage]
    if pd.isna(row["year_per_month"]):
        return _("What a year of {target} takes is not known: a rate on the way is not").format(target=target)
    takes = {"target": target, "n": number(row["year_per_month"]),
             "many": name_stage(stage, round(row["year_per_month"]))}
    if row["is_enough_a_year"]:
        return _("The present pace suffices for a year of {target}, which takes {n} {many} a month, those who come "
                 "again too").format(**takes)
    return _("A year of {target} takes {n} {many} a month, those who come again too; {pace} come").format(
        **takes, pace=number(row["pace_per_month"]))


def say_plan(plan: pd.DataFrame, year: pd.DataFrame, currency: str) -> str:
    """Say what this year's target still lacks, and what comes too late for it."""
    name = year["fiscal_year"].iloc[0]
    if not len(plan):
        return _("No target is set for {year}: write one under [targets] in agreement.toml.").format(year=name)
    gap, months = plan["gap"].iloc[0], year["months_left"].iloc[0]
    if gap <= 0:
        return _("What is booked and under way is expected to reach {year}'s target; nothing more is needed.").format(
            year=name)
    text = _("{year} lacks {gap} beyond what is booked and expected of those under way, with {months} months left."
             ).format(year=name, gap=money(gap, currency), months=number(months, 1))
    late = plan.loc[plan["is_too_late"].eq(True), "stage"]
    return f"{text} {_say_late([name_stages(str(stage)) for stage in late])}" if len(late) else text


def _say_late(stages: list[str]) -> str:
    some = ", ".join(stages[:-1])
    names = _("{some} and {last}").format(some=some, last=stages[-1]) if some else stages[-1]
    return _("Of the usual {names} that enter from now on, most would be won only after the year's end: more of the "
             "deals that are open would have to be won, or larger ones.").format(names=names)


def name_levers(levers: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Name each lever for a reader, and write what it stands at now and then as text.

    Returns the rows with name as the first column, now and then as text.
    """
    names = [_name_lever(lever, stage) for lever, stage in zip(levers["lever"], levers["stage"], strict=True)]
    write = {"rate": percent, "pace": lambda value: number(value, 1),
             "average deal": lambda value: money(value, currency)}
    texts = {column: [write[lever](value) for lever, value in zip(levers["lever"], levers[column], strict=True)]
             for column in ("now", "then")}
    return pd.DataFrame({"name": names} | texts, levers.index, dtype="str").join(levers.drop(columns=list(texts)))


def _name_lever(lever: str, stage: str) -> str:
    return {"rate": _("{stage} rate at its upper bound").format(stage=name_stage(stage)),
            "pace": _("10 % more {many} a month").format(many=name_stages(stage)),
            "average deal": _("deals 10 % larger")}[lever]


def title_levers(levers: pd.DataFrame, currency: str) -> str:
    """Title what it would take with the lever that adds most."""
    known = levers.dropna(subset="year_difference")
    if not len(known):
        return _("There is nothing to move yet")
    best = known.loc[known["year_difference"].idxmax()]
    return _("What would add most by itself: {lever}, {adds} in a full year").format(
        lever=best["name"], adds=money(best["year_difference"], currency))
