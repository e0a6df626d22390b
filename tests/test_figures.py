"""Figures draw the table's own numbers, and a name from the CRM is never markup."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from attribution.figures import (
    TABLE_MIME,
    plot_bookings,
    plot_budget,
    plot_ranges,
    plot_roi,
    plot_spend,
    plot_split,
    plot_tree,
    show_table,
    show_text,
    show_tiles,
    show_title,
)

EVIL = "<img src=x onerror=alert(1)> & =cmd"
SAFE = "&lt;img src=x onerror=alert(1)&gt; &amp; =cmd"


def returns_of(*rows):
    """Make returns from (id, parent, name, cost, credit); pipeline is 10, half the credit is sourced, a quarter new."""
    table = pd.DataFrame(rows, columns=["campaign_id", "parent_id", "campaign_name", "cost_with_children",
                                        "credit_with_children"])
    table = table.astype({"campaign_id": "str", "parent_id": "str", "campaign_name": "str", "cost_with_children": float,
                          "credit_with_children": float})
    credit, cost = table["credit_with_children"], table["cost_with_children"].where(table["cost_with_children"] > 0)
    return table.assign(
        path=table["campaign_name"], depth=0, is_leaf=True, roi=credit / cost - 1, pipeline=10.0,
        pipeline_with_children=10.0,
        sourced_with_children=credit / 2, accelerated_with_children=credit / 2, credit_new_with_children=credit / 4,
        credit_existing_with_children=credit * 3 / 4, actual_cost_with_children=cost, is_too_early=False,
        budgeted_cost_with_children=table["cost_with_children"] * 2)


@pytest.fixture
def returns():
    return returns_of(("p", None, "EMEA", 300.0, 450.5), ("a", "p", "Ads", 200.005, 100.0),
                      ("b", "p", "Fairs", 100.0, 350.5),
                      ("c", None, "Mail", np.nan, 20.0))


def ranges_of(returns):
    return returns.assign(cost=returns["cost_with_children"], credit=returns["credit_with_children"],
                          model_low="linear",
                          credit_low=returns["credit_with_children"] - 5, model_high="last_touch",
                          credit_high=returns["credit_with_children"] + 5)


@pytest.fixture
def bookings():
    return pd.DataFrame({"month": ["2026-09", "2026-10"], "attributed": [10.004, 0.0], "unattributed": [0.0, 5.5],
                         "n_won": [1, 1],
                         "planned": [np.nan, 12.0]})


def traces_of(figure):
    """Give a figure's traces as the file holds them, by name, after a trip through JSON."""
    data = json.loads(figure.to_json())["data"]
    return {trace.get("name"): trace for trace in data}


PLOTS = {"plot_roi": plot_roi, "plot_tree": plot_tree, "plot_spend": plot_spend, "plot_split": plot_split,
         "plot_budget": plot_budget,
         "plot_ranges": lambda returns, *more: plot_ranges(ranges_of(returns), *more)}


def test_plot_bookings_draws_the_months(bookings):
    traces = traces_of(plot_bookings(bookings, "t", "EUR"))
    assert {name: (trace["x"], trace["y"]) for name, trace in traces.items()} == {
        "attributed to campaigns": (["2026-09", "2026-10"], [10.0, 0.0]),
        "no campaign touched": (["2026-09", "2026-10"], [0.0, 5.5]), "plan": (["2026-09", "2026-10"], [None, 12.0])}


def test_plot_bookings_without_a_plan_has_no_mark_for_one(bookings):
    assert "plan" not in traces_of(plot_bookings(bookings.assign(planned=np.nan), "t", "EUR"))
    assert len(plot_bookings(bookings.head(0), "t", "EUR").data) == 2


def test_plot_roi_draws_cost_credit_and_pipeline_on_top(returns):
    traces = traces_of(plot_roi(returns, "t", "EUR"))
    assert traces["cost"]["x"] == [None, 100.0, 200.0, 300.0]        # from the bottom up
    assert traces["cost"]["y"] == traces["credit: won"]["y"] == ["c", "b", "a", "p"]
    assert traces["credit: won"]["x"] == traces["pipeline still open, expected"]["base"] == [20.0, 350.5, 100.0, 450.5]
    assert traces["pipeline still open, expected"]["x"] == [10.0] * 4
    assert [text.replace("\u00a0", " ") for text in traces["pipeline still open, expected"]["text"]] == [
        "ROI –", "ROI +250 %", "ROI −50 %", "ROI +50 %"]
    assert [name for name, trace in traces.items() if trace.get("text")] == ["pipeline still open, expected"]


def test_plot_roi_without_pipeline(returns):
    bare = returns.drop(columns=["pipeline", "pipeline_with_children"])
    traces = traces_of(plot_roi(bare, "t", "EUR"))
    assert list(traces) == ["cost", "credit: won"] and len(traces["credit: won"]["text"]) == 4


def test_plot_tree_draws_the_costs_that_are_known(returns):
    (tree,) = traces_of(plot_tree(returns, "t", "EUR")).values()
    assert tree["ids"] == ["p", "a", "b"] and tree["parents"] == ["", "p", "p"]
    assert tree["labels"] == ["EMEA", "Ads", "Fairs"] and tree["values"] == [300.0, 200.0, 100.0]


def test_plot_tree_colours_loss_and_gain_apart():
    (tree,) = plot_tree(returns_of(("a", None, "A", 10, 0), ("b", None, "B", 10, 10), ("c", None, "C", 10, 99)), "t",
                        "EUR").data
    assert list(tree.marker.colors) == ["rgb(213, 94, 0)", "rgb(242, 242, 242)", "rgb(0, 114, 178)"]


def test_plot_tree_draws_what_was_left_out_of_the_tree():
    (tree,) = plot_tree(returns_of(("a", None, "A", 10, 0), (None, None, "(left out of the tree)", 5, 1)), "t",
                        "EUR").data
    assert list(tree.ids) == ["a", "(left out of the tree)"] and list(tree.parents) == ["", ""]


def test_plot_ranges_draws_ends_dot_and_cost(returns):
    figure = plot_ranges(ranges_of(returns), "t", "EUR", n=2)
    spans = [(trace.y, trace.x) for trace in figure.data if trace.mode == "lines"]
    assert spans == [(("a", "a"), (95.0, 105.0)), (("p", "p"), (445.5, 455.5))]
    traces = traces_of(figure)
    assert traces["the chosen model"]["x"] == [100.0, 450.5] and traces["cost"]["x"] == [200.0, 300.0]
    assert traces["the chosen model"]["customdata"][0] == "linear: €95<br>last_touch: €105"


def test_plot_spend_sets_the_too_early_apart_and_leaves_unknown_costs_out(returns):
    traces = traces_of(plot_spend(returns.assign(is_too_early=[False, True, False, False]), "t", "EUR"))
    assert (traces["campaign"]["x"], traces["campaign"]["y"]) == ([300.0, 100.0], [450.5, 350.5])
    assert (traces["too early to judge"]["x"], traces["too early to judge"]["customdata"]) == ([200.0], ["Ads"])
    assert traces["earns what it cost"]["x"] == traces["earns what it cost"]["y"] == [0, 300.0]


def test_plot_split_stacks_each_pair(returns):
    traces = list(traces_of(plot_split(returns.head(1), "t", "EUR")).values())
    assert [(trace["x"], trace.get("base")) for trace in traces] == [
        ([225.25], None), ([225.25], [225.25]), ([112.62], None), ([337.88], [112.62])]
    assert len({trace["offsetgroup"] for trace in traces}) == 2


def test_plot_budget_draws_spent_and_budget(returns):
    traces = traces_of(plot_budget(returns, "t", "EUR"))
    assert traces["spent"]["x"] == [None, 100.0, 200.0, 300.0] and traces["budget"]["x"] == [None, 200.0, 400.01, 600.0]


@pytest.mark.parametrize("name", PLOTS)
def test_plots_hold_plain_lists_and_no_packed_arrays(returns, name):
    assert '"bdata"' not in PLOTS[name](returns, "t", "EUR").to_json()


@pytest.mark.parametrize("name", PLOTS)
def test_plots_draw_an_empty_table_and_unknown_costs(returns, name):
    PLOTS[name](returns.head(0), "t", "EUR").to_json()
    unknown = returns.assign(cost_with_children=np.nan, actual_cost_with_children=np.nan, roi=np.nan)
    assert "NaN" not in PLOTS[name](unknown, "t", "EUR").to_json()


@pytest.mark.parametrize("name", PLOTS)
def test_plots_escape_names_and_titles(name):
    figure = PLOTS[name](returns_of(("a", None, EVIL, 10, 20)), EVIL, "EUR").to_json()
    assert json.loads(figure)["layout"]["title"]["text"] == SAFE
    assert "onerror=alert(1)" in figure and "<img" not in figure and "\\u003cimg" not in figure
    assert figure.count(json.dumps(SAFE)[1:-1]) == 2


@pytest.mark.parametrize("name", [name for name in PLOTS if name not in ("plot_tree", "plot_spend")])
def test_plots_keep_namesakes_apart(name):
    same = "A campaign name that is much longer than any axis can ever show"
    figure = PLOTS[name](returns_of(("a", None, same, 10, 20), ("b", None, same, 30, 40)), "t", "EUR")
    axis = figure.layout.yaxis
    assert list(axis.tickvals) == ["b", "a"] and len(set(axis.ticktext)) == 1
    assert axis.ticktext[0] == "A campaign name that is much longer than an…"
    assert {y for trace in figure.data for y in trace.y} == {"a", "b"}


def test_plots_wrap_a_long_title_between_words_only():
    title = plot_spend(returns_of(), " ".join(["&word"] * 40), "EUR").layout.title.text
    lines = title.split("<br>")
    assert len(lines) == 3 and set(" ".join(lines).split()) == {"&amp;word"}


# tables -----------------------------------------------------------------------------------------------------------

def bundle_of(shown):
    return shown._repr_mimebundle_()


@pytest.fixture
def table():
    return pd.DataFrame({
        "campaign": ["EMEA", "\u2003" + EVIL], "campaign_id": pd.Series(["701A", None], dtype="str"),
        "cost_with_children": [1234.5, np.nan], "roi": [0.5, -0.25], "roas": [1.5, np.nan], "weight": [0.123, 1.0],
        "n_deals": [3, 4], "n_mqls": [1.25, 2.0], "is_too_early": [True, False],
        "touched_at": pd.to_datetime(["2026-10-31T22:30:00Z", None], utc=True).as_unit("us"),
        "close_on": pd.to_datetime(["2026-10-31", None]).as_unit("us"),
        "lookback_days": pd.array([365, None], dtype="Int64")})


def test_show_table_writes_every_kind_as_a_reader_reads_it(table):
    html = bundle_of(show_table(table, "s", "T", time_zone="Europe/Helsinki"))["text/html"]
    cells = re.findall("<td [^>]*>([^<]*)</td>", html.replace("\u00a0", " "))
    assert cells[:12] == ["EMEA", "701A", "1,234.50", "+50 %", "1.5", "12 %", "3", "1.2", "yes", "2026-11-01 00:30",
                          "2026-10-31", "365"]
    assert cells[13:] == ["", "", "−25 %", "", "100 %", "4", "2.0", "", "", "", ""]


def test_show_table_heads_columns_with_readers_names(table):
    html = bundle_of(show_table(table, "s", "The <title>"))["text/html"]
    heads = re.findall("<th [^>]*>([^<]*)</th>", html)
    assert heads[:4] == ["campaign", "campaign id", "cost", "ROI"] and heads[7] == "MQLs, credited"
    assert "<caption><span>The &lt;title&gt;</span></caption>" in html and "<title>" not in html


def test_show_table_escapes_names(table):
    html = bundle_of(show_table(table, "s", EVIL))["text/html"]
    assert SAFE in html and "<img" not in html


def test_show_table_links_ids_only_where_there_is_an_address(table):
    linked = bundle_of(show_table(table, "s", "T", instance_url="https://example.my.salesforce.com"))["text/html"]
    assert linked.count("<a ") == 1
    assert '<a href="https://example.my.salesforce.com/701A" rel="noreferrer">701A</a>' in linked
    assert "<a " not in bundle_of(show_table(table, "s", "T"))["text/html"]


def test_show_table_cannot_be_led_out_of_its_link_by_an_id():
    evil = pd.DataFrame({"campaign_id": ['701"><script>']})
    html = bundle_of(show_table(evil, "s", "T", instance_url="https://example.my.salesforce.com"))["text/html"]
    assert "<script>" not in html and '701"' not in html


def test_show_table_shows_some_columns_and_rows_and_keeps_all_for_the_workbook():
    table = pd.DataFrame({"campaign_name": [f"c{i}" for i in range(1200)], "cost": range(1200)})
    shown = bundle_of(show_table(table, "costs", "Costs", columns=("campaign_name",), n_rows=3))
    assert shown["text/html"].count("<tr>") == 4 and "c2" in shown["text/html"] and "c3<" not in shown["text/html"]
    assert "The first 3 of 1,200 rows; all of them are in the workbook." in shown["text/html"]
    assert ">cost<" not in shown["text/html"]
    cells = shown[TABLE_MIME]
    assert (cells["sheet"], cells["title"], len(cells["rows"])) == ("costs", "Costs", 1200)
    assert cells["columns"] == [{"name": "campaign_name", "label": "campaign", "format": "text"},
                                {"name": "cost", "label": "cost", "format": "money"}]
    assert cells["rows"][1199] == ["c1199", 1199]


def test_show_table_of_no_rows_says_so(table):
    shown = bundle_of(show_table(table.head(0), "s", "T"))
    assert "No rows." in shown["text/html"] and shown["text/plain"] == "T\nNo rows." and shown[TABLE_MIME]["rows"] == []
    assert "No rows." in bundle_of(show_table(pd.DataFrame({"line": [], "value": []}), "s", "T"))["text/html"]


def test_show_table_cells_are_plain_values_that_json_can_hold(table):
    cells = bundle_of(show_table(table.assign(cost_with_children=[np.inf, 1 / 3]), "s", "T"))[TABLE_MIME]
    assert json.loads(json.dumps(cells, allow_nan=False)) == cells
    assert cells["rows"] == [
        ["EMEA", "701A", None, 0.5, 1.5, 0.123, 3, 1.25, True, "2026-10-31T22:30:00", "2026-10-31T00:00:00", 365],
        ["\u2003" + EVIL, None, 0.333333, -0.25, None, 1.0, 4, 2.0, False, None, None, None]]
    assert {type(value) for row in cells["rows"] for value in row} <= {str, int, float, bool, type(None)}


def test_show_table_in_a_terminal_is_text_and_keeps_columns_of_one_name():
    table = pd.DataFrame({"path": ["EMEA > Ads"], "campaign_name": ["Ads"], "cost": [1.0]})
    title, _, row = bundle_of(show_table(table, "s", "T"))["text/plain"].split("\n")
    assert title == "T" and row.split() == ["EMEA", ">", "Ads", "Ads", "1.00"]


def test_show_text_and_title_escape():
    assert bundle_of(show_text(EVIL)) == {"text/html": f'<p class="finding">{SAFE}</p>', "text/plain": EVIL}
    assert bundle_of(show_title(EVIL)) == {"text/html": f"<h1>{SAFE}</h1>", "text/plain": EVIL}


def test_show_tiles_escapes_and_reads_as_text():
    shown = bundle_of(show_tiles(pd.DataFrame({"label": ["Won", EVIL], "value": ["€5", "–"], "note": ["a\nb", EVIL]})))
    assert shown["text/html"].count(SAFE) == 2 and "<img" not in shown["text/html"]
    assert shown["text/plain"] == f"Won: €5 (a; b)\n{EVIL}: – ({EVIL})"
