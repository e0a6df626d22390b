"""The SLA report's figures draw the table's own numbers, leave gaps, and never take a name for markup."""

import json

import numpy as np
import pandas as pd
import pytest

from attribution.canvas import LEFT, MARKETING, REACHED, RETURNED, WAITING
from attribution.sla_figures import (
    plot_burn_up,
    plot_causes,
    plot_compliance,
    plot_conversion,
    plot_flows,
    plot_funnel,
    plot_incidence,
    plot_levers,
    plot_plan,
    plot_response,
    plot_stale,
    plot_triangle,
)

EVIL = "<img src=x> & b"
SAFE = "&lt;img src=x&gt; &amp; b"
NAN = np.nan


def table_of(columns, *rows):
    """Make a table of named columns; text columns are text also where there are no rows."""
    return pd.DataFrame(rows, columns=columns.split())


STAGES = table_of("stage n_entered value worth conversion_rate rate_low rate_high",
                  ("lead", 40, 10.25, 410.0, 0.5, 0.4, 0.6), ("mql", 20, NAN, NAN, 0.25, 0.1, 0.45),
                  ("customer", 5, 41.0, 205.0, NAN, NAN, NAN))
FLOWS = table_of("from_stage to is_back n", ("lead", "mql", False, 20), ("lead", "waiting", False, 30),
                 ("mql", "lead", True, 7), ("mql", "out", False, 5))
TRIANGLE = table_of("month n age_months n_reached conversion_rate", ("2026-09", 8, 0, 1, 0.125),
                    ("2026-09", 8, 1, 2, 0.25), ("2026-10", 0, 0, 0, NAN))
CURVE = table_of("clock hours waiting_share low high", ("business", 0.0, 1.0, NAN, NAN),
                 ("business", 8.0, 0.6, 0.5, 0.7), ("business", 16.0, 0.4, 0.3, 0.5),
                 ("raw", 0.0, 1.0, NAN, NAN), ("raw", 8.0, 0.9, 0.8, 0.95))
SUMMARY = table_of("team n n_counted n_in_time compliance_rate compliance_low compliance_high",
                   ("North", 12, 10, 8, 0.8, 0.5, 0.95), (None, 3, 0, 0, NAN, NAN, NAN))
BURN_UP = table_of("day_on delivered promised forecast forecast_low forecast_high",
                   ("2026-10-30", 4.0, 5.0, NAN, NAN, NAN), ("2026-10-31", 6.0, 5.5, 6.0, 6.0, 6.0),
                   ("2026-11-01", NAN, 6.0, 7.5, 6.0, 10.0)).astype({"day_on": "datetime64[us]"})
RATES = table_of("segment n conversion_rate rate_low rate_high basis", ("Finland", 40.0, 0.25, 0.14, 0.4, "ripe"),
                 ("Sweden", 10.5, 0.4, 0.2, 0.6, "estimated"), ("Estonia", 3.0, NAN, NAN, NAN, "too young"))
INCIDENCE = table_of("days event incidence incidence_low incidence_high", (0, "reached", 0.0, NAN, NAN),
                     (1, "reached", 0.2, 0.1, 0.3), (0, "returned", 0.0, NAN, NAN), (1, "returned", 0.1, 0.05, 0.2),
                     (0, "out", 0.0, NAN, NAN), (1, "out", NAN, NAN, NAN))
STILL = table_of("days waiting_share", (0, 1.0), (1, 0.7))
PLAN = table_of("stage year_per_month year_low year_high pace_per_month latest_entry_on is_too_late",
                ("lead", 30.5, 20.0, 45.0, 25.0, "2026-08-15", True), ("mql", NAN, NAN, NAN, 4.25, None, False)
                ).astype({"latest_entry_on": "datetime64[us]"})
LEVERS = table_of("name lever stage now then year_value year_difference difference",
                  ("MQL rate", "rate", "mql", "20 %", "25 %", 1000.0, 250.0, 40.0),
                  ("larger deals", "average deal", "customer", "€10", "€11", 1000.0, 50.5, NAN))
STALE = table_of("kind age_band n share", ("lead", "0-30", 3, 0.75), ("lead", "never", 1, 0.25),
                 ("contact", "0-30", 1200, 1.0), ("contact", "never", 0, NAN))
CAUSES = table_of("field value n n_returned returned_rate rate_low rate_high is_clear",
                  ("lead_source", "Web", 40, 30, 0.75, 0.6, 0.86, True),
                  ("country", "others", 20, 9, 0.45, 0.26, 0.66, False))

#: Each figure, a table for it, and the columns that hold names from outside.
PLOTS = {
    "funnel": (lambda table, title: plot_funnel(table, title, "EUR"), STAGES, ["stage"]),
    "flows": (plot_flows, FLOWS, ["from_stage", "to"]), "triangle": (plot_triangle, TRIANGLE, []),
    "response": (lambda table, title: plot_response(table, title, 16.0), CURVE, []),
    "compliance": (lambda table, title: plot_compliance(table, title, 0.8), SUMMARY, ["team"]),
    "burn_up": (lambda table, title: plot_burn_up(table, title, "MQLs"), BURN_UP, []),
    "conversion": (lambda table, title: plot_conversion(table, title, 0.3), RATES, ["segment"]),
    "incidence": (lambda table, title: plot_incidence(table, STILL[:len(table)], title), INCIDENCE, []),
    "plan": (plot_plan, PLAN, ["stage"]),
    "levers": (lambda table, title: plot_levers(table, title, "EUR", 1500.0), LEVERS, ["name", "now", "then"]),
    "stale": (plot_stale, STALE, ["kind", "age_band"]), "causes": (plot_causes, CAUSES, ["field", "value"]),
}


def parts_of(figure):
    """Give a figure's traces as the file holds them, by name, after a trip through JSON; and its layout."""
    figure = json.loads(figure.to_json())
    return {trace.get("name"): trace for trace in figure["data"]}, figure["layout"]


def captions_of(layout):
    """Give the lines written over the rows, as a reader reads them."""
    return [(note["y"], note["text"].replace("\u00a0", " ")) for note in layout["annotations"]]


def xy(trace):
    return trace["x"], trace["y"]


def test_plot_funnel_draws_people_and_worth_side_by_side():
    traces, layout = parts_of(plot_funnel(STAGES, "t", "EUR"))
    assert xy(traces["entered"]) == ([40.0, 20.0, 5.0], [0, 1, 2])
    assert xy(traces["EUR"]) == ([410.0, None, 205.0], [0, 1, 2])
    assert (traces["entered"]["xaxis"], traces["EUR"]["xaxis"]) == ("x", "x2")
    assert layout["xaxis"]["domain"][1] < layout["xaxis2"]["domain"][0]
    assert layout["xaxis2"]["title"]["text"] == "worth, EUR"


def test_plot_funnel_writes_counts_rates_and_worth():
    _, layout = parts_of(plot_funnel(STAGES, "t", "EUR"))
    assert [(place, text.split("<br>")[0]) for place, text in captions_of(layout)] == [
        (0, "<b>lead</b> 40"), (1, "<b>mql</b> 20"), (2, "<b>customer</b> 5"), (0, "€410"), (1, "–"), (2, "€205")]
    assert "50 % go on in the end (40 to 60 %)" in captions_of(layout)[0][1]
    assert "€10 each" in captions_of(layout)[3][1]
    assert "go on" not in captions_of(layout)[2][1] and "each" not in captions_of(layout)[4][1]
    assert [note["xref"] for note in layout["annotations"]] == ["x domain"] * 3 + ["x2 domain"] * 3


def test_plot_funnel_without_rates_writes_none():
    bare = STAGES.drop(columns=["conversion_rate", "rate_low", "rate_high"])
    _, layout = parts_of(plot_funnel(bare, "t", "EUR"))
    assert captions_of(layout)[:3] == [(0, "<b>lead</b> 40"), (1, "<b>mql</b> 20"), (2, "<b>customer</b> 5")]


def test_plot_flows_gives_every_flow_an_end_of_its_own():
    ((_, sankey),) = parts_of(plot_flows(FLOWS, "t"))[0].items()
    assert sankey["node"]["label"] == ["lead", "MQL", "on to MQL 20", "still there 30", "back to lead 7", "out 5"]
    assert sankey["link"]["source"] == [0, 0, 1, 1] and sankey["link"]["target"] == [2, 3, 4, 5]
    assert sankey["link"]["value"] == [20.0, 30.0, 7.0, 5.0]
    assert sankey["node"]["color"] == [MARKETING, MARKETING, REACHED, WAITING, RETURNED, LEFT]
    assert sankey["link"]["color"][2] == "rgba(204, 121, 167, 0.4)"


def test_plot_triangle_draws_cells_and_leaves_the_unripe_empty():
    traces, layout = parts_of(plot_triangle(TRIANGLE, "t"))
    (cells,) = traces.values()
    assert (cells["x"], cells["y"], cells["z"]) == ([0, 1, 0], ["2026-09", "2026-09", "2026-10"], [0.125, 0.25, None])
    assert cells["text"] == ["12", "25", ""] and cells["zmin"] == 0
    assert layout["yaxis"]["tickvals"] == ["2026-09", "2026-10"]
    assert layout["yaxis"]["ticktext"] == ["2026-09<br>n 8", "2026-10<br>n 0"]
    assert layout["yaxis"]["autorange"] == "reversed" and layout["xaxis"]["tickvals"] == [0, 1]


def test_plot_response_draws_both_clocks_a_band_and_the_limit():
    traces, _ = parts_of(plot_response(CURVE, "t", 16.0))
    assert xy(traces["business hours"]) == ([0.0, 8.0, 16.0], [1.0, 0.6, 0.4])
    assert xy(traces["every hour counts"]) == ([0.0, 8.0], [1.0, 0.9])
    assert xy(traces[None]) == ([8.0, 16.0], [0.7, 0.5]) and xy(traces["95 % interval"]) == ([8.0, 16.0], [0.5, 0.3])
    assert traces["95 % interval"]["fill"] == "tonexty" and "fill" not in traces[None]
    assert xy(traces["promised: 16 business hours"]) == ([16.0, 16.0], [0, 1])
    assert {trace["line"]["shape"] for trace in traces.values()} == {"hv"}


def test_plot_response_without_a_limit_draws_none():
    assert not [name for name in parts_of(plot_response(CURVE, "t"))[0] if name and name.startswith("promised")]


def test_plot_compliance_draws_dots_intervals_and_the_promise():
    traces, layout = parts_of(plot_compliance(SUMMARY, "t", 0.8))
    assert xy(traces["contacted in time"]) == ([0.8, None], [0, 1])
    assert xy(traces["95 % interval"]) == ([0.5, 0.95, None, None, None, None], [0, 0, None, 1, 1, None])
    assert xy(traces["promised: 80\u00a0%"]) == ([0.8, 0.8], [-0.7, 1.6])
    assert captions_of(layout) == [(0, "North: 8 of 10"), (1, "not known: 0 of 0")]
    assert layout["yaxis"]["range"] == [1.6, -0.7]                   # from the top down


def test_plot_compliance_without_a_promise_draws_no_line():
    assert set(parts_of(plot_compliance(SUMMARY, "t"))[0]) == {"contacted in time", "95 % interval"}


def test_plot_burn_up_ends_lines_where_they_are_not_known():
    traces, layout = parts_of(plot_burn_up(BURN_UP, "t", "MQLs & more"))
    days = ["2026-10-30", "2026-10-31", "2026-11-01"]
    assert xy(traces["delivered"]) == (days, [4.0, 6.0, None])
    assert xy(traces["promised"]) == (days, [5.0, 5.5, 6.0]) and traces["promised"]["line"]["dash"] == "dash"
    assert xy(traces["forecast"]) == (days, [None, 6.0, 7.5])
    assert xy(traces[None]) == (days[1:], [6.0, 10.0]) and xy(traces["95 % of what may come"]) == (days[1:], [6.0, 6.0])
    assert layout["yaxis"]["title"]["text"] == "MQLs &amp; more"


def test_plot_conversion_tells_the_known_from_the_estimated():
    traces, layout = parts_of(plot_conversion(RATES, "t", 0.3))
    known, estimated = traces["all have had the time"], traces["estimated: some still wait"]
    assert (xy(known), xy(estimated)) == (([0.25], [0]), ([0.4], [1]))
    assert (known["marker"]["color"], estimated["marker"]["color"]) == (REACHED, "white")
    assert traces["95 % interval"]["x"] == [0.14, 0.4, None, 0.2, 0.6, None, None, None, None]
    assert traces["all: 30\u00a0%"]["x"] == [0.3, 0.3]
    assert captions_of(layout) == [(0, "Finland: 40 entered"), (1, "Sweden: 10 entered"),
                                   (2, "Estonia: 3 entered, too young to tell")]


def test_plot_incidence_draws_three_events_those_waiting_and_a_band_around_the_reached():
    traces, _ = parts_of(plot_incidence(INCIDENCE, STILL, "t"))
    assert {name: xy(trace) for name, trace in traces.items()} == {
        None: ([1], [0.3]), "95 % interval": ([1], [0.1]), "came further": ([0, 1], [0.0, 0.2]),
        "went back": ([0, 1], [0.0, 0.1]), "out": ([0, 1], [0.0, None]), "still waiting": ([0, 1], [1.0, 0.7])}
    assert [traces[name]["line"]["color"] for name in ("came further", "went back", "out")] == [REACHED, RETURNED, LEFT]
    assert {trace["line"]["shape"] for trace in traces.values()} == {"hv"}


def test_plot_plan_sets_the_need_against_the_pace():
    traces, layout = parts_of(plot_plan(PLAN, "t"))
    assert xy(traces["comes at present"]) == ([25.0, 4.25], [0, 1]) and xy(
        traces["a year at the target takes"]) == ([30.5, None], [0, 1])
    assert traces["95 % interval"]["x"] == [20.0, 45.0, None, None, None, None]
    late, on_time = (text for _, text in captions_of(layout))
    assert late.startswith("<b>lead</b> takes 30, 25 come<br>") and on_time == "<b>mql</b> takes –, 4.2 come"
    assert "entered after 2026-08-15, most are won next year" in late


def test_plot_levers_starts_at_a_year_at_the_present_pace_and_shows_the_target():
    traces, layout = parts_of(plot_levers(LEVERS, "t", "EUR", 1500.0))
    assert xy(traces["what it adds"]) == ([250.0, 50.5], [0, 1]) and traces["what it adds"]["base"] == [1000.0, 1000.0]
    assert traces["at the present pace: €1,000"]["x"] == [1000.0, 1000.0]
    assert traces["target: €1,500"]["x"] == [1500.0, 1500.0]
    first, second = (text for _, text in captions_of(layout))
    assert first.startswith("MQL rate<br>") and "20 % → 25 %: +€250 a year, +€40 this year" in first
    assert second.endswith("€10 → €11: +€50 a year, +– this year</span>")


@pytest.mark.parametrize("target", [None, NAN])
def test_plot_levers_without_a_target_draws_no_line_for_it(target):
    traces, _ = parts_of(plot_levers(LEVERS, "t", "EUR", target))
    assert set(traces) == {"what it adds", "at the present pace: €1,000"}


def test_plot_stale_stacks_the_shares_and_writes_the_numbers():
    traces, layout = parts_of(plot_stale(STALE, "t"))
    assert {name: (*xy(trace), trace["text"]) for name, trace in traces.items()} == {
        "0-30": ([0.75, 1.0], [0, 1], ["3", "1,200"]), "never": ([0.25, None], [0, 1], ["1", "0"])}
    assert layout["barmode"] == "stack" and captions_of(layout) == [(0, "leads"), (1, "contacts")]


def test_plot_causes_tells_the_clear_from_what_may_be_chance():
    traces, layout = parts_of(plot_causes(CAUSES, "t", 0.4))
    clear, chance = traces["clearly apart"], traces["may be chance"]
    assert (xy(clear), xy(chance)) == (([0.75], [0]), ([0.45], [1]))
    assert (clear["marker"]["color"], chance["marker"]["color"]) == (RETURNED, "white")
    assert traces["95 % interval"]["x"] == [0.6, 0.86, None, 0.26, 0.66, None]
    assert traces["all: 40\u00a0%"]["x"] == [0.4, 0.4]
    assert captions_of(layout) == [(0, "lead source: Web, 30 of 40"), (1, "country: others, 9 of 20")]


@pytest.mark.parametrize("name", PLOTS)
def test_plots_draw_nothing_of_an_empty_table(name):
    plot, table, _ = PLOTS[name]
    figure = plot(table.head(0), "t")
    rules = ("promised", "all", "target")                            # what is drawn across the rows that there are
    traces = [trace for trace in figure.data if not (trace.name or "").startswith(rules) or name == "burn_up"]
    assert traces or name == "stale"
    assert not [value for trace in traces for value in (trace.link.value if name == "flows" else trace.x) or ()]
    assert not figure.layout.annotations


@pytest.mark.parametrize("name", PLOTS)
def test_plots_hold_plain_values_and_set_no_width(name):
    plot, table, _ = PLOTS[name]
    figure = plot(table, "t")
    assert '"bdata"' not in figure.to_json() and "NaN" not in figure.to_json()
    assert figure.layout.width is None and figure.layout.height > 0


@pytest.mark.parametrize("name", PLOTS)
def test_plots_escape_names_and_titles(name):
    plot, table, columns = PLOTS[name]
    drawn = json.dumps(parts_of(plot(table.assign(**dict.fromkeys(columns, EVIL)), EVIL)))
    assert "<img" not in drawn and drawn.count(SAFE) >= 1 + len(columns)


@pytest.mark.parametrize("name", PLOTS)
def test_plots_leave_the_table_as_it_is(name):
    plot, table, _ = PLOTS[name]
    before = table.copy(deep=True)
    plot(table, "t")
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("name", ["compliance", "conversion", "causes"])
def test_plots_keep_namesakes_apart(name):
    plot, table, columns = PLOTS[name]
    figure = plot(table.assign(**{columns[-1]: "A name that is much longer than any axis can ever show"}), "t")
    rows = {y for trace in figure.data if trace.mode == "markers" for y in trace.y}
    assert len(rows) == len(table) - (name == "conversion")          # the one too young has no dot
    assert len(figure.layout.annotations) == len(table)
    assert all("…" in note.text for note in figure.layout.annotations)


def test_figures_in_finnish_name_everything_and_keep_what_the_colours_mean(finnish):
    ((_, sankey),) = parts_of(plot_flows(FLOWS, "t"))[0].items()
    assert sankey["node"]["label"] == ["liidi", "MQL", "eteenpäin: MQL 20", "yhä vaiheessa 30", "takaisin: liidi 7",
                                       "poistunut suppilosta 5"]
    assert sankey["node"]["color"] == [MARKETING, MARKETING, REACHED, WAITING, RETURNED, LEFT]
    traces, layout = parts_of(plot_conversion(RATES, "t", 0.3))
    assert set(traces) == {"95\u00a0%:n luottamusväli", "kaikilla ollut aikaa edetä", "arvio: osa odottaa vielä",
                           "kaikki: 30\u00a0%"}
    assert captions_of(layout)[1:] == [(1, "Sweden: 10 tullutta"),
                                       (2, "Estonia: 3 tullutta, liian tuore arvioitavaksi")]
    assert captions_of(parts_of(plot_compliance(SUMMARY, "t"))[1]) == [(0, "North: 8/10"), (1, "ei tiedossa: 0/0")]
    assert captions_of(parts_of(plot_causes(CAUSES, "t"))[1]) == [(0, "liidin lähde: Web, 30/40"),
                                                                  (1, "maa: muut, 9/20")]


def test_days_and_numbers_of_figures_are_written_as_finnish_does(finnish):
    layout = parts_of(plot_burn_up(BURN_UP, "t", "MQL:ää"))[1]
    assert (layout["xaxis"]["tickformat"], layout["xaxis"]["hoverformat"]) == ("%-d.%-m.\n%Y", "%-d.%-m.%Y")
    traces, layout = parts_of(plot_triangle(TRIANGLE, "t"))
    assert layout["yaxis"]["ticktext"] == ["9/2026<br>n 8", "10/2026<br>n 0"]
    assert layout["yaxis"]["tickvals"] == ["9/2026", "10/2026"] == sorted(set(traces[None]["y"]), reverse=True)
    late, on_time = (text for _, text in captions_of(parts_of(plot_plan(PLAN, "t"))[1]))
    assert "päivän 15.8.2026 jälkeen tulleista useimmat voitetaan vasta ensi vuonna" in late
    assert on_time == "<b>mql</b> tarvitaan –, tulee 4,2"
    traces, layout = parts_of(plot_stale(STALE, "t"))
    assert (list(traces), captions_of(layout)) == (["0–30", "ei koskaan"], [(0, "liidit"), (1, "kontaktit")])
    assert "1 444 €/kpl" in captions_of(parts_of(plot_funnel(STAGES.assign(value=1444.0), "t", "EUR"))[1])[3][1]
