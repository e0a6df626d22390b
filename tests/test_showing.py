"""Tables, tiles and sentences read as a reader reads them, and a name from the CRM is never markup."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from attribution.showing import TABLE_MIME, show_if, show_table, show_text, show_tiles, show_title

EVIL = "<img src=x onerror=alert(1)> & =cmd"
SAFE = "&lt;img src=x onerror=alert(1)&gt; &amp; =cmd"


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
    assert cells[13:] == ["", "", "−25 %", "", "100 %", "4", "2.0", "no", "", "", ""]


def test_show_table_carries_the_values_that_it_is_sorted_by(table):
    html = bundle_of(show_table(table, "s", "T", time_zone="Europe/Helsinki"))["text/html"]
    cells = re.findall(r'<td class="(\w+)"(?: data-order="([^"]*)")?>', html)
    assert cells[:12] == [
        ("name", ""), ("id", ""), ("money", "1234.5"), ("ratio", "0.5"), ("number", "1.5"), ("share", "0.123"),
        ("count", "3"), ("number", "1.25"), ("text", ""), ("moment", "2026-11-01T00:30:00"),
        ("day", "2026-10-31T00:00:00"), ("count", "365")]
    second = [order for form, order in cells[12:] if form in ("money", "number", "moment", "day")]
    assert second == ["", "", "2.0", "", ""]
    assert html.count("data-order") == 18                    # on blanks too, or they would be sorted by their text


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


@pytest.mark.parametrize(("column", "form"), [
    ("compliance_rate", "share"), ("rate_low", "share"), ("promised_share", "share"), ("share", "share"),
    ("incidence", "share"), ("median_hours", "number"), ("overdue_days", "number"), ("days", "count"), ("n", "number"),
    ("lag_days", "number"), ("lookback_days", "count"), ("needed_per_month", "number"), ("lift", "number"),
    ("value_low", "money"), ("difference", "money"), ("cost_with_children", "money"), ("waiting_share", "share")])
def test_show_table_knows_a_column_by_its_name_or_ending(column, form):
    cells = bundle_of(show_table(pd.DataFrame({column: [1.0, 0.5]}), "s", "T"))[TABLE_MIME]
    assert cells["columns"][0]["format"] == form


def test_show_table_counts_whole_people_only():
    cells = bundle_of(show_table(pd.DataFrame({"n": [3, 4], "n_again": [1.0, 2.0]}), "s", "T"))[TABLE_MIME]
    assert [column["format"] for column in cells["columns"]] == ["count", "count"]


def test_show_table_takes_names_of_its_own_for_the_reader_and_the_workbook(table):
    bundle = bundle_of(show_table(table, "s", "T", columns=("cost_with_children", "roi"), names={"cost": "spend"}))
    assert re.findall("<th [^>]*>([^<]*)</th>", bundle["text/html"]) == ["spend", "ROI"]
    assert "spend" in bundle["text/plain"]
    labels = {column["name"]: column["label"] for column in bundle[TABLE_MIME]["columns"]}
    assert labels["cost_with_children"] == "spend" and labels["roi"] == "ROI"


def test_show_table_in_finnish_translates_our_words_and_no_data(finnish):
    table = pd.DataFrame({
        "campaign": ["deal", "(unattributed)"], "reason": ["no source", "several people"], "stage": ["deal", "yes"],
        "month": ["2026-10", "2026-01"], "cost_with_children": [-1234.5, 0.0], "is_too_early": [True, False],
        "converted_at": pd.to_datetime(["2026-10-31", None])})
    bundle = bundle_of(show_table(table, "s", "Glossary"))
    cells = re.findall("<td [^>]*>([^<]*)</td>", bundle["text/html"])
    assert cells == ["deal", "ei lähdettä", "deal", "10/2026", "−1\u00a0234,50", "kyllä", "31.10.2026",
                     "(kohdistamaton)", "useita henkilöitä", "yes", "1/2026", "0,00", "ei", ""]
    assert re.findall("<th [^>]*>([^<]*)</th>", bundle["text/html"])[:5] == [
        "kampanja", "syy", "vaihe", "kuukausi", "kustannus"]
    assert "<span>Sanasto</span>" in bundle["text/html"] and bundle["text/plain"].startswith("Sanasto\n")
    book = bundle[TABLE_MIME]
    assert book["title"] == "Sanasto" and [column["label"] for column in book["columns"]][1] == "syy"
    assert book["rows"][0] == ["deal", "ei lähdettä", "deal", "2026-10", -1234.5, True, "2026-10-31T00:00:00"]


def test_show_table_of_numbers_in_a_column_that_elsewhere_has_words(finnish):
    cells = bundle_of(show_table(pd.DataFrame({"part": [1.5], "month": [10]}), "s", "T"))[TABLE_MIME]
    assert cells["rows"] == [[1.5, 10]]


def test_show_text_and_title_give_what_is_ours_in_finnish(finnish):
    assert bundle_of(show_text("All to the first touch."))["text/plain"].startswith("Kaikki ensimmäiselle")
    assert "<h1>Sanasto</h1>" in bundle_of(show_title("Glossary"))["text/html"]


def test_show_table_in_finnish_names_the_figures_that_the_crm_rolls_up(finnish):
    hierarchy = pd.DataFrame({"campaign_id": ["701A"], "figure": ["n_won"], "difference": [2.0]})
    assert "<td class=\"text\">voitetut kaupat</td>" in bundle_of(show_table(hierarchy, "s", "T"))["text/html"]


def test_show_if_shows_nothing_where_nothing_is_wanted():
    shown = show_text("one")
    assert show_if(True, shown) is shown
    assert show_if(False, shown) is None
