"""Names that attack whoever shows them are text on the page, in the figures and in the workbook, and nothing else."""

import re
import zipfile

import nbformat
import pytest
from hostile import ATTACKS, write_hostile_company
from test_browser import SIZES, browser, close, open_page, outside, pytestmark  # noqa: F401

from attribution.cli import main
from attribution.showing import TABLE_MIME


@pytest.fixture(scope="module", params=["en", "fi"])
def hostile_month(request, tmp_path_factory):
    place = tmp_path_factory.mktemp("hostile")
    data, out = write_hostile_company(place / "data"), str(place / "reports")
    command = ["report", "all", "--month", "2026-10", "--data", str(data), "--out", out, "--language", request.param]
    assert main(command) == 0
    return place / "reports" / "2026-10"


@pytest.fixture(scope="module", params=["campaign_roi", "sla_conversion"])
def hostile_report(request, hostile_month):
    return hostile_month / f"{request.param}.html"


@pytest.fixture(scope="module", params=SIZES)
def attacked(request, browser, hostile_report):                                  # noqa: F811
    """Open a hostile page and use all of it: every number, model, branch, column, search and colour."""
    page, seen = open_page(browser, hostile_report, request.param, permissions=["clipboard-read", "clipboard-write"])
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    for select in page.locator("select").all():
        for place in range(select.locator("option").count()):
            select.select_option(index=place)
    for head in page.locator(".dt-column-order").all()[:40]:
        head.evaluate("head => head.click()")
    for search in page.locator("input[type=search]").all():
        for attack in ATTACKS:
            search.fill(attack[:60])
        search.fill("")
    page.evaluate("document.getElementById('theme').click()")
    for figure in page.locator(".figure").all():
        figure.scroll_into_view_if_needed()
        for x in (0.3, 0.6):
            box = figure.bounding_box()
            page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] / 2)
    page.wait_for_timeout(500)
    yield page, seen
    close(page)


def test_nothing_ran_and_nothing_was_asked_for(attacked, hostile_report):
    page, seen = attacked
    assert page.evaluate("window.pwned") is None and page.evaluate("({}).pwned") is None
    assert seen["dialogs"] == [] and seen["messages"] == [] and outside(seen) == [hostile_report.as_uri()]


def test_no_element_was_made_from_a_name(attacked):
    page, _ = attacked
    made = "img, iframe, object, embed, form, base, i, b, [onload], [onerror], [onmouseover], [srcdoc], svg script"
    assert page.locator(f"body :is({made})").count() == 0
    assert page.locator("script").count() == page.locator("figure > script[type='application/json']").count() + 4
    links = page.locator("a").evaluate_all("all => all.map(each => each.getAttribute('href') ?? '')")
    assert [link for link in links if not re.match(r"#|https://example\.my\.salesforce\.com/\w+$", link)] == []
    shapes = page.locator(".main-svg a, .main-svg style, .main-svg foreignObject").count()
    assert shapes == 0


def test_names_can_be_read(attacked, hostile_report):
    page, _ = attacked
    cells = [output.data[TABLE_MIME] for cell in nbformat.read(hostile_report.with_suffix(".ipynb"), 4).cells
             for output in cell.get("outputs", ()) if TABLE_MIME in output.get("data", {})]
    text = page.locator("main").evaluate("node => node.textContent")
    names = {value for table in cells for row in table["rows"][:5] for value in row[:2]
             if isinstance(value, str) and value.strip().startswith(tuple(ATTACKS))}
    assert len(names) > 5
    assert [name for name in names if name.strip() not in text] == []
    assert page.title().startswith("<i>&\u202e{{7*7}}</i>")


def test_figures_show_names_as_they_are(attacked):
    page, _ = attacked
    drawn = " ".join(page.locator(".main-svg").evaluate_all("all => all.map(each => each.textContent)"))
    assert any(attack[:20] in drawn for attack in ATTACKS)
    assert "\u00a07*7" not in drawn and " 49 " not in drawn


def test_copied_names_are_no_formulas(attacked):
    page, _ = attacked
    formulas = 0
    for button in page.get_by_role("button", name=re.compile("^(Copy|Kopioi)")).all():
        button.evaluate("button => button.click()")
        page.wait_for_timeout(20)
        cells = re.split("[\t\n]", page.evaluate("navigator.clipboard.readText()"))
        assert [cell for cell in cells if cell.startswith(("=", "@")) or re.match(r"[+-][^\d]", cell)] == []
        formulas += sum(cell.startswith("'=") for cell in cells)
    assert formulas > 0


def test_workbook_holds_no_formula_and_no_foreign_link(hostile_month):
    books = list(hostile_month.glob("*.xlsx"))
    sheets = [zipfile.ZipFile(book).read(name).decode() for book in books for name in zipfile.ZipFile(book).namelist()
              if name.endswith((".xml", ".rels"))]
    assert len(books) == 2 and "HYPERLINK(" in "".join(sheets)
    assert not [sheet for sheet in sheets if "<f>" in sheet or "example.com/?leak" in sheet and "<hyperlink" in sheet]
