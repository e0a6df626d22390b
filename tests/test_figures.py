"""Figures draw the table's own numbers, and a name from the CRM is never markup."""

import json

import numpy as np
import pandas as pd
import pytest

from attribution.canvas import NONE
from attribution.figures import (
    plot_bookings,
    plot_budget,
    plot_ranges,
    plot_roi,
    plot_spend,
    plot_split,
    plot_tree,
)
from attribution.funnel import WON, Outcome

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
        budgeted_cost_with_children=table["cost_with_children"] * 2, unplanned_with_children=7.0)


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
    assert [text.replace("\u00a0", " ") for text in traces["cost"]["text"]] == [
        "ROI –", "ROI +250 %", "ROI −50 %", "ROI +50 %"]
    assert [name for name, trace in traces.items() if trace.get("text")] == ["cost"]
    assert [name for name, trace in traces.items() if trace.get("legendrank")] == ["pipeline still open, expected"]


def test_plot_roi_without_pipeline(returns):
    bare = returns.drop(columns=["pipeline", "pipeline_with_children"])
    traces = traces_of(plot_roi(bare, "t", "EUR"))
    assert list(traces) == ["cost", "credit: won"] and len(traces["cost"]["text"]) == 4


def by_model_of(returns):
    """Make what returns_by_model returns: linear as given, and under first touch Ads earns 200 and Fairs 250.5."""
    first = {"p": 450.5, "a": 200.0, "b": 250.5, "c": 20.0}
    each = returns.assign(credit_with_children=returns["campaign_id"].map(first))
    each = each.assign(roi=each["credit_with_children"] / each["cost_with_children"] - 1)
    rows = pd.concat([returns.assign(model="linear"), each.assign(model="first_touch")])
    return rows.assign(is_leaf=rows["campaign_id"] != "p", depth=rows["parent_id"].notna().astype(int),
                       longest=360.5)


def menus_of(figure):
    """Give a figure's menus as the file holds them: name → (the label pressed, label → arguments)."""
    return {menu["name"]: (menu["buttons"][menu["active"]]["label"],
                           {button["label"]: button["args"] for button in menu["buttons"]})
            for menu in json.loads(figure.to_json())["layout"].get("updatemenus", ())}


def test_plot_roi_switches_the_model_and_its_title(returns):
    figure = plot_roi(returns.iloc[[0, 3]], "t", "EUR", by_model=by_model_of(returns), model="linear")
    pressed, models = menus_of(figure)["Model"]
    assert (pressed, list(models)) == ("linear", ["linear", "first touch"])
    traces, layout = models["first touch"]                       # from the bottom: Ads, Fairs; Mail, EMEA
    assert traces["x"] == [[200.0, 100.0, None, 300.0], [10.0] * 4, [200.0, 250.5, 20.0, 450.5]]
    assert traces["base"] == [None, traces["x"][2], None]
    assert [text.replace("\u00a0", " ") for text in traces["text"][0]] == [
        "ROI 0 %", "ROI +150 %", "ROI –", "ROI +50 %"]
    assert layout == {"title.text": "EMEA returned +50\u00a0%"} and models["linear"][1] == {"title.text": "t"}
    drawn = json.loads(figure.to_json())["data"]
    assert [trace["x"] for trace in drawn] == models["linear"][0]["x"]


def with_intervals(rows):
    """Let every row's credit reach from 10 below to 30 above; Mail has none."""
    credit = rows["credit_with_children"].mask(rows["campaign_id"] == "c")
    return rows.assign(credit_low=credit - 10, credit_high=credit + 30, is_thin=False)


def test_plot_roi_draws_the_interval_over_the_end_of_the_credit_under_each_model(returns):
    by_model, few = with_intervals(by_model_of(returns)), with_intervals(returns.iloc[[0, 3]])
    figure = plot_roi(few, "t", "EUR", by_model=by_model, model="linear")
    credit = list(traces_of(figure).values())[-1]                    # drawn last, so that the pipeline hides nothing
    assert credit["name"] == "credit: won" and "%{customdata}" in credit["hovertemplate"]
    assert credit["error_x"]["array"] == [30.0, 30.0, None, 30.0]
    assert credit["error_x"]["arrayminus"] == [10.0, 10.0, None, 10.0] and not credit["error_x"]["symmetric"]
    traces = menus_of(figure)["Model"][1]["first touch"][0]
    assert traces["error_x.array"] == [None, None, [30.0, 30.0, None, 30.0]]
    assert [text.replace("\u00a0", " ") for text in traces["customdata"][2]] == [
        "95 % interval 190 to 230", "95 % interval 240 to 280", "", "95 % interval 440 to 480"]
    assert "error_x" not in traces_of(plot_roi(returns, "t", "EUR"))["credit: won"]


def test_plot_roi_says_what_its_thin_lines_are(returns):
    mqls = Outcome("mql", 250.0)
    drawn = with_intervals(returns)
    for rows, outcome, title in ((drawn, WON, "EUR; thin line: 95 % interval of the won credit"),
                                 (drawn, mqls, "EUR; thin line: 95 % interval of the expected credit"),
                                 (returns, WON, "EUR"), (returns, mqls, "EUR")):
        assert plot_roi(rows, "t", "EUR", outcome).layout.xaxis.title.text.replace("\u00a0", " ") == title


def test_plot_roi_says_what_its_thin_lines_are_in_finnish(finnish, returns):
    for outcome, credit in ((WON, "voitetun"), (Outcome("mql", 250.0), "odotetun")):
        said = plot_roi(with_intervals(returns), "t", "EUR", outcome).layout.xaxis.title.text
        assert said.replace("\u00a0", " ") == f"EUR; ohut viiva: {credit} hyvityksen 95 %:n luottamusväli"


def test_plot_roi_opens_a_row(returns):
    figure = plot_roi(returns.iloc[[0, 3]], "t", "EUR", by_model=by_model_of(returns), model="linear")
    pressed, shown = menus_of(figure)["Show"]
    assert (pressed, list(shown)) == ("Programmes", ["Programmes", "EMEA"])
    assert shown["EMEA"] == [{"xaxis.range": [0, 360.5], "height": 298, "yaxis.range": [-0.5, 1.5],   # Fairs, with 10
                              "title.text": "EMEA: what its parts cost and earned"}]
    assert shown["Programmes"] == [{"xaxis.autorange": True, "height": 298, "yaxis.range": [1.5, 3.5],
                                    "title.text": "t"}]
    assert json.loads(figure.to_json())["layout"]["yaxis"]["range"] == [1.5, 3.5]
    assert [trace.y for trace in figure.data] == [("a", "b", "c", "p")] * 3


def test_plot_tree_switches_the_model_and_opens_a_branch(returns):
    figure = plot_tree(by_model_of(returns).iloc[:4], "t", "EUR", by_model_of(returns), "first_touch")
    pressed, models = menus_of(figure)["Model"]
    assert pressed == "first touch" and models["first touch"][1] == {"title.text": "t"}
    traces, layout = models["linear"]
    assert [text.replace("\u00a0", " ") for text in traces["text"][0]] == [
        "€450 credit<br>ROI +50 %", "€100 credit<br>ROI −50 %", "€350 credit<br>ROI +250 %"]
    assert traces["marker.colors"][0][2] == "rgb(0, 114, 178)"
    assert layout["title.text"].startswith("67\u00a0% of what single campaigns cost")      # Ads: 200.01 of 300.01
    assert menus_of(figure)["Show"] == ("Whole tree", {
        "Whole tree": [{"level": [""]}, {"title.text": "t"}],
        "EMEA": [{"level": ["p"]}, {"title.text": "EMEA: what its parts cost and earned"}]})


def test_figures_without_models_or_below_have_no_menus(returns):
    alone = by_model_of(returns).query("model == 'linear' and campaign_id == 'c'")
    for figure in (plot_roi(returns, "t", "EUR"), plot_tree(returns, "t", "EUR"),
                   plot_roi(alone, "t", "EUR", by_model=alone, model="linear"),
                   plot_roi(alone, "t", "EUR", by_model=alone.head(0), model="linear")):
        assert not menus_of(figure)


def test_menus_hold_names_that_are_not_markup(returns):
    evil = returns.assign(campaign_name=returns["campaign_name"].replace("EMEA", EVIL))
    figure = plot_roi(evil.iloc[[0, 3]], "t", "EUR", by_model=by_model_of(evil), model="linear")
    assert list(menus_of(figure)["Show"][1])[1] == SAFE


def test_plot_tree_draws_the_costs_that_are_known(returns):
    (tree,) = traces_of(plot_tree(returns, "t", "EUR")).values()
    assert tree["ids"] == ["p", "a", "b"] and tree["parents"] == ["", "p", "p"]
    assert tree["labels"] == ["EMEA", "Ads", "Fairs"] and tree["values"] == [300.0, 200.0, 100.0]


def test_plot_tree_colours_loss_and_gain_apart():
    (tree,) = plot_tree(returns_of(("a", None, "A", 10, 0), ("b", None, "B", 10, 10), ("c", None, "C", 10, 99)), "t",
                        "EUR").data
    assert list(tree.marker.colors) == ["rgb(213, 94, 0)", "rgb(242, 242, 242)", "rgb(0, 114, 178)"]


def test_plot_tree_leaves_uncoloured_what_a_model_says_nothing_of(returns):
    silent = by_model_of(returns)
    is_ads = (silent["model"] == "first_touch") & (silent["campaign_id"] == "a")
    silent[["credit_with_children", "roi"]] = silent[["credit_with_children", "roi"]].mask(is_ads)
    traces, _layout = menus_of(plot_tree(returns, "t", "EUR", silent, "linear"))["Model"][1]["first touch"]
    assert traces["marker.colors"][0][1] == NONE and traces["text"][0][1] == "– credit<br>ROI –"
    bars, _layout = menus_of(plot_roi(returns.iloc[[0, 3]], "t", "EUR", by_model=silent, model="linear"))["Model"][1][
        "first touch"]
    assert bars["x"][-1] == [None, 250.5, 20.0, 450.5]


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
    assert traces["spent in all"]["x"] == [None, 100.0, 200.0, 300.0]
    assert traces["budget"]["x"] == [None, 200.0, 400.01, 600.0]
    assert traces["spent where nothing was budgeted"]["x"] == [7.0] * 4


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


def test_plots_of_an_earlier_stage_call_its_money_expected(bookings, returns):
    mqls = Outcome("mql", 250.0)
    months = plot_bookings(bookings, "t", "EUR", mqls).layout
    assert (months.xaxis.title.text, months.yaxis.title.text) == ("month of entry", "expected, EUR")
    bare = returns.drop(columns=["pipeline_with_children", "sourced_with_children", "accelerated_with_children"])
    assert list(traces_of(plot_roi(bare, "t", "EUR", mqls))) == ["cost", "credit: expected"]
    assert list(traces_of(plot_split(bare, "t", "EUR"))) == ["credit, new customers", "credit, existing customers"]


def test_figures_in_finnish_name_everything_and_mark_numbers_as_finnish_does(finnish, bookings, returns):
    figure = plot_bookings(bookings, "t", "EUR")
    assert figure.layout.separators == ",\u00a0"
    assert [trace.name for trace in figure.data] == [
        "kohdistettu kampanjoille", "ei kampanjan kosketusta", "suunnitelma"]
    assert list(figure.data[0].x) == ["9/2026", "10/2026"]
    assert figure.data[2].hovertemplate == "suunnitelma %{x}: %{y:,.0f} EUR"
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("päättymiskuukausi", "voitettu, EUR")
    ends = plot_ranges(ranges_of(returns), "t", "EUR").data[-2].customdata[-1]
    assert ends.replace("\u00a0", " ") == "tasajako: 446 €<br>viimeinen kosketus: 456 €"


def test_figures_name_what_is_no_campaign_in_finnish(finnish):
    rows = returns_of(("a", None, "deal", 10, 0), (None, None, "(unattributed)", 5, 1))
    assert list(plot_roi(rows, "t", "EUR").layout.yaxis.ticktext) == ["(kohdistamaton)", "deal"]
    assert list(plot_tree(rows, "t", "EUR").data[0].labels) == ["deal", "(kohdistamaton)"]
