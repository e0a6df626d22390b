"""The sample month's pages in a real browser: drawn, switched, sorted, searched, copied, saved, printed, read out."""

import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest

from attribution.page import PLOTLY
from attribution.rendering import draw_figures, print_page
from attribution.showing import TABLE_MIME

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
WHITE, NIGHT = "rgb(255, 255, 255)", "rgb(20, 25, 31)"

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium here")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=["campaign_roi", "sla_conversion"])
def report(request, sample_report):
    return sample_report / f"{request.param}.html"


@pytest.fixture(scope="module")
def roi(sample_report):
    return sample_report / "campaign_roi.html"


def open_page(browser, path, size="desktop", **options):
    """Open a page of its own context, wait until every figure is drawn, and note all that it asks for and says."""
    width, height = SIZES[size]
    page = browser.new_context(viewport={"width": width, "height": height}, **options).new_page()
    seen = {"requests": [], "messages": [], "dialogs": []}
    page.on("request", lambda request: seen["requests"].append(request.url))
    page.on("console", lambda message: seen["messages"].append(message.text))
    page.on("pageerror", lambda error: seen["messages"].append(str(error)))
    page.on("dialog", lambda dialog: (seen["dialogs"].append(dialog.message), dialog.dismiss()))
    page.goto(path.as_uri())
    settle(page)
    return page, seen


def settle(page):
    from playwright.sync_api import expect
    expect(page.locator(".figure:not(:has(.main-svg))")).to_have_count(0, timeout=60_000)
    expect(page.locator(".table-card")).not_to_have_count(0, timeout=60_000)


def close(page):
    page.context.close()


@pytest.fixture(scope="module", params=SIZES)
def opened(request, browser, report):
    page, seen = open_page(browser, report, request.param)
    yield page, seen
    close(page)


@pytest.fixture
def campaign_page(browser, roi):
    page, seen = open_page(browser, roi)
    yield page
    assert seen["messages"] == [] and outside(seen) == [roi.as_uri()]
    close(page)


def outside(seen):
    return [url for url in seen["requests"] if not url.startswith(("data:", "blob:"))]


def outputs_of(path, kind):
    cells = nbformat.read(path.with_suffix(".ipynb"), 4).cells
    return [output.data[kind] for cell in cells for output in cell.get("outputs", ()) if kind in output.get("data", {})]


def table_of(path, sheet):
    """Give a table's rows as the notebook holds them, by column."""
    (table,) = [each for each in outputs_of(path, TABLE_MIME) if each["sheet"] == sheet]
    names = [column["name"] for column in table["columns"]]
    return table["title"], [dict(zip(names, row, strict=True)) for row in table["rows"]]


def card_of(page, title):
    return page.locator(".table-card", has=page.get_by_role("region", name=title, exact=True))


def sort_values(card, label):
    """Give the values of a column in the order shown, and a way to press its head."""
    heads = [head.inner_text().strip() for head in card.locator("thead th").all()]
    place = heads.index(label)
    cells = card.locator(f"tbody td:nth-child({place + 1})")
    values = cells.evaluate_all("cells => cells.map(cell => cell.dataset.order ?? cell.innerText)")
    return values, card.locator("thead th").nth(place)


def test_page_draws_every_figure(opened, report):
    page, _ = opened
    drawn = page.locator(".figure .main-svg:first-child").count()
    assert drawn == len(outputs_of(report, PLOTLY)) > 0


def test_page_asks_for_nothing_and_reports_no_error(opened, report):
    _, seen = opened
    assert seen == {"requests": [report.as_uri()], "messages": [], "dialogs": []}


def test_page_is_small_and_soon_readable(opened, report):
    page, _ = opened
    assert report.stat().st_size < 6_000_000
    paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    assert page.evaluate(paint) < 2000


def test_page_does_not_overflow(opened):
    page, _ = opened
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    inside = "nodes => nodes.every(node => node.scrollWidth <= node.clientWidth + 1)"
    assert page.eval_on_selector_all(".figure", inside)


def test_page_contents_lead_to_the_sections(opened):
    page, _ = opened
    links = page.eval_on_selector_all("nav a", "links => links.map(link => link.getAttribute('href'))")
    assert len(links) == page.locator("main > h2").count() > 3
    assert all(page.locator(link).count() == 1 for link in links)


def test_page_has_a_table_for_every_table(opened, report):
    page, _ = opened
    tables = outputs_of(report, TABLE_MIME)
    assert page.locator(".table").count() == len(tables)
    assert page.locator(".table-card").count() == len([table for table in tables if table["rows"]])
    titles = page.locator("table caption").all_inner_texts()
    assert [title.strip() for title in titles] == [table["title"] for table in tables]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_page_has_no_accessibility_violations(browser, report, size, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page, _ = open_page(browser, report, size, color_scheme=scheme)
    found = axe.Axe().run(page).response
    close(page)
    assert len(found["passes"]) > 20
    assert [(each["id"], [node["html"] for node in each["nodes"][:3]]) for each in found["violations"]] == []


def test_table_sorts_numbers_by_their_value_and_blanks_last(campaign_page, roi):
    title, rows = table_of(roi, "campaign_clock")
    expected = sorted(round(row["roi"], 4) for row in rows if row["roi"] is not None)
    n_blank = sum(row["roi"] is None for row in rows)
    card = card_of(campaign_page, title)
    first, head = sort_values(card, "ROI")
    assert n_blank > 0 and any(value < 0 for value in expected) and expected[-1] > 9
    for direction, values in (("ascending", expected), ("descending", expected[::-1])):
        head.click()
        shown, _ = sort_values(card, "ROI")
        assert head.get_attribute("aria-sort") == direction
        assert [float(value) for value in shown[:-n_blank]] == values and shown[-n_blank:] == [""] * n_blank
    head.click()
    assert sort_values(card, "ROI")[0] == first                        # back in the order of the tree


def test_table_sorts_words_as_a_reader_does(campaign_page, roi):
    title, rows = table_of(roi, "campaign_clock")
    card = card_of(campaign_page, title)
    sort_values(card, "campaign")[1].click()
    shown = [name.strip() for name in sort_values(card, "campaign")[0]]
    assert shown == sorted((row["campaign"].strip() for row in rows), key=str.lower) and len(shown) > 20


def test_table_is_sorted_by_the_keyboard(campaign_page, roi):
    card = card_of(campaign_page, table_of(roi, "campaign_clock")[0])
    card.get_by_role("region").focus()
    for _ in range(2):
        campaign_page.keyboard.press("Tab")
    focused = campaign_page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused.startswith("cost")
    campaign_page.keyboard.press("Enter")
    assert sort_values(card, "cost")[1].get_attribute("aria-sort") == "ascending"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert campaign_page.evaluate(outline) == "solid"


def test_table_is_searched(campaign_page, roi):
    title, rows = table_of(roi, "campaign_clock")
    card = card_of(campaign_page, title)
    found = [row for row in rows if "webinar" in row["campaign"].lower()]
    card.get_by_role("searchbox").fill("WEBINAR")
    assert card.locator("tbody tr").count() == len(found) > 1
    assert card.get_by_role("status").inner_text() == f"{len(found)} of {len(rows)} rows"
    card.get_by_role("searchbox").fill("no such campaign")
    assert card.locator("tbody").inner_text().strip() == "Nothing found"


def test_table_shows_that_it_goes_on(campaign_page, roi):
    card = card_of(campaign_page, table_of(roi, "campaign_clock")[0])
    fades = "card => getComputedStyle(card, '::after').content !== 'none'"
    assert card.evaluate(fades)
    card.get_by_role("region").evaluate("box => box.scrollTo(0, box.scrollHeight)")
    campaign_page.wait_for_timeout(500)
    assert not card.evaluate(fades)
    assert not card_of(campaign_page, table_of(roi, "bookings")[0]).evaluate(fades)


@pytest.mark.parametrize("way", ["clipboard", "command"])
def test_table_is_copied(browser, roi, way):
    page, _ = open_page(browser, roi, permissions=["clipboard-read", "clipboard-write"])
    if way == "command":
        page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    title, rows = table_of(roi, "bookings")
    card_of(page, title).get_by_role("button", name="Copy").click()
    card_of(page, title).get_by_text("Copied").first.wait_for()
    other = page.context.new_page()
    other.goto(roi.as_uri())
    other.bring_to_front()
    lines = [line.split("\t") for line in other.evaluate("navigator.clipboard.readText()").split("\n")]
    close(page)
    assert len(lines) == len(rows) + 1 and lines[0][0] == "month"
    assert [line[0] for line in lines[1:]] == [row["month"] for row in rows]
    assert lines[1][1] == f"{rows[0]['attributed']:,.2f}"


def drawn_in(figure, what):
    return figure.locator(".figure").evaluate(f"node => {what}")


def test_figure_switches_the_model(campaign_page, roi):
    _, rows = table_of(roi, "models")
    figure = campaign_page.locator("figure").nth(1)
    credit, names = "node.data[2].x", "node.layout.yaxis.ticktext"
    before, title = drawn_in(figure, credit), figure.locator("figcaption").inner_text()
    figure.get_by_label("Model").select_option("first touch")
    sums = {name: round(sum(row["first_touch"] for row in rows if (row["path"] + " > ").startswith(f"{name} > ")), 2)
            for name in drawn_in(figure, names)[-4:]}
    after = drawn_in(figure, credit)
    assert len(sums) == 4 and after != before
    assert dict(zip(sums, after[-4:], strict=True)) == sums
    costs = dict(zip(sums, drawn_in(figure, "node.data[0].x")[-4:], strict=True))
    best, *_, worst = sorted(sums, key=lambda name: -sums[name] / costs[name])
    said = figure.locator("figcaption").inner_text()
    assert said.startswith(f"{best} returned most") and f"{worst} least" in said
    figure.get_by_label("Model").select_option("linear")
    assert (drawn_in(figure, credit), figure.locator("figcaption").inner_text()) == (before, title)


def test_every_bar_shown_keeps_its_label_whatever_is_pressed(campaign_page):
    figure = campaign_page.locator("figure").nth(1)
    visible = "nodes => nodes.filter(node => node.textContent && node.getBoundingClientRect().width > 0).length"
    for model in ("last touch", "full path", "first touch", "linear"):
        for part, n in (("Events", 2), ("Programmes", 4)):
            figure.get_by_label("Model").select_option(model)
            figure.get_by_label("Show").select_option(part)
            assert figure.locator(".bartext").evaluate_all(visible) >= n, (model, part)


def test_what_is_opened_goes_by_its_own_name(campaign_page):
    figure = campaign_page.locator("figure").nth(1)
    whole = figure.locator("figcaption").inner_text()
    figure.get_by_label("Show").select_option("Events")
    assert figure.locator("figcaption").inner_text() == "Events: what its parts cost and earned"
    figure.get_by_label("Model").select_option("last touch")
    assert figure.locator("figcaption").inner_text() == "Events: what its parts cost and earned"
    figure.get_by_label("Show").select_option("Programmes")
    assert "returned most" in figure.locator("figcaption").inner_text() != whole
    figure.get_by_label("Model").select_option("linear")
    assert figure.locator("figcaption").inner_text() == whole


def test_figure_opens_a_programme(campaign_page, roi):
    _, rows = table_of(roi, "campaign_clock")
    (events,) = [row["campaign_id"] for row in rows if row["campaign"] == "Events"]
    figure = campaign_page.locator("figure").nth(1)
    figure.get_by_label("Show").select_option("Events")
    low, high = drawn_in(figure, "node.layout.yaxis.range")
    shown = drawn_in(figure, "node.data[0].y")[round(low + 0.5):round(high + 0.5)]
    assert set(shown) == {row["campaign_id"] for row in rows if row["parent_id"] == events} and len(shown) > 1
    labels = figure.locator(".ytick text").all_text_contents()
    assert {"Trade Shows", "Webinars"} <= set(labels) and "Demand Generation" not in labels


def test_tree_opens_by_a_menu_and_by_a_click(campaign_page):
    figure = campaign_page.locator("figure").nth(2)
    menu = figure.get_by_label("Show")
    menu.select_option("Events")
    level = drawn_in(figure, "node.data[0].level")
    assert drawn_in(figure, "node.data[0].labels[node.data[0].ids.indexOf(node.data[0].level)]") == "Events"
    menu.select_option("Whole tree")
    campaign_page.wait_for_timeout(800)
    figure.locator("g.slice", has_text="Events").first.click(position={"x": 30, "y": 8})
    campaign_page.wait_for_timeout(800)
    assert drawn_in(figure, "node.data[0].level") == level
    assert menu.evaluate("menu => menu.selectedOptions[0].text") == "Events"


def test_figure_lists_its_numbers_and_they_follow_the_model(campaign_page):
    figure = campaign_page.locator("figure").nth(1)
    figure.locator("summary").click()
    region = figure.get_by_role("region")
    region.wait_for()
    assert region.locator("thead th").all_inner_texts()[:2] == ["Series", "Item"]
    before = region.locator("tbody tr").all_inner_texts()
    figure.get_by_label("Model").select_option("last touch")
    after = figure.get_by_role("region").locator("tbody tr").all_inner_texts()
    assert len(after) == len(before) > 10 and after != before


def test_every_figure_lists_its_numbers(opened):
    page, _ = opened
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    counts = page.locator("figure").evaluate_all("all => all.map(each => each.querySelectorAll('td').length)")
    assert counts and min(counts) > 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figure_is_saved_as_a_png_that_reads_on_white(browser, report, tmp_path, scheme):
    page, _ = open_page(browser, report, color_scheme=scheme)
    button = page.get_by_role("button", name="Save as PNG").first
    button.focus()
    with page.expect_download() as started:
        page.keyboard.press("Enter")
    saved = tmp_path / "saved.png"
    started.value.save_as(saved)
    assert started.value.suggested_filename == f"{report.stem}-1.png"
    assert saved.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    width, corner, darkest = page.evaluate(LOOK, list(saved.read_bytes()))
    close(page)
    assert width == 2360 and corner == [255, 255, 255, 255]
    assert darkest < 60                                           # the title, in ink


LOOK = """async bytes => {
  const image = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
  const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const strip = canvas.getImageData(0, 0, image.width, 100).data;
  const places = [...Array(strip.length / 4).keys()];
  const bright = places.map(n => Math.max(strip[4 * n], strip[4 * n + 1], strip[4 * n + 2]));
  return [image.width, [...strip.slice(0, 4)], bright.reduce((a, b) => Math.min(a, b), 255)];
}"""


def ground_of(page):
    body = page.evaluate("getComputedStyle(document.body).backgroundColor")
    first = page.locator(".figure .main-svg:first-child").first
    return body, first.evaluate("node => getComputedStyle(node).backgroundColor")


def test_page_is_dark_where_the_system_is_and_when_asked(browser, roi):
    page, seen = open_page(browser, roi, color_scheme="dark")
    assert ground_of(page) == (NIGHT, NIGHT)
    page.get_by_role("button", name="Light").click()
    assert ground_of(page) == (WHITE, WHITE)
    page.get_by_role("button", name="Dark").click()
    page.emulate_media(color_scheme="light")
    assert ground_of(page) == (NIGHT, NIGHT)                        # the reader's choice stands
    ink = page.locator("#figure-1 .ytick text").first.evaluate("node => getComputedStyle(node).fill")
    assert ink == "rgb(230, 235, 240)"
    assert seen["messages"] == []
    close(page)


def test_dark_keeps_the_colours_of_the_data(browser, roi):
    page, _ = open_page(browser, roi)
    colours = "figures.map(figure => figure.node.data.flatMap(trace => trace.marker?.color ?? trace.line?.color))"
    light = page.evaluate(colours)
    page.get_by_role("button", name="Dark").click()
    dark = page.evaluate(colours)
    page.get_by_role("button", name="Light").click()
    again = page.evaluate(colours)
    close(page)
    changed = {a for one, other in zip(light, dark, strict=True) for a, b in zip(one, other, strict=True) if a != b}
    assert again == light and "#0072B2" in light[0]
    assert changed <= {"#000000", "#5b6875", "white"}


def test_page_prints_light_without_controls_and_keeps_figures_whole(browser, report):
    page, _ = open_page(browser, report, color_scheme="dark")
    page.set_viewport_size({"width": 1017, "height": 688})                 # A4, lying, within its margins
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert ground_of(page) == (WHITE, WHITE)
    for hidden in ("header", ".save", ".table-tools", "details", ".skip"):
        assert page.locator(f"{hidden}:visible").count() == 0 < page.locator(hidden).count()
    assert page.locator("select:visible").count() == 0
    sizes = page.locator("figure").evaluate_all("all => all.map(each => [each.offsetWidth, each.offsetHeight, "
                                                "each.querySelector('.main-svg').getBoundingClientRect().width])")
    assert sizes and all(700 < drawn <= width <= 1017 and height < 688 for width, height, drawn in sizes)
    assert page.locator(".table").evaluate_all("all => all.every(each => each.scrollHeight <= each.clientHeight + 1)")
    whole = "all => all.every(each => getComputedStyle(each).breakInside === 'avoid')"
    assert page.locator("figure").evaluate_all(whole)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen", color_scheme="dark")
    assert ground_of(page) == (NIGHT, NIGHT)
    close(page)


def test_page_is_printed_as_pdf(report, tmp_path):
    page = Path(shutil.copy(report, tmp_path))
    printed = print_page(page)
    assert printed == tmp_path / f"{report.stem}.pdf" and printed.read_bytes()[:5] == b"%PDF-"
    assert sorted(path.name for path in tmp_path.iterdir()) == [report.name, printed.name]
    if not shutil.which("pdftotext"):
        pytest.skip("there is no pdftotext here to read the PDF with")
    text = subprocess.run(["pdftotext", "-layout", printed, "-"], capture_output=True, text=True, check=True).stdout
    sheets = text.split("\f")
    assert len(sheets) > 10 and "Where this came from" in sheets[-2]
    assert re.search(r"sha256|[0-9a-f]{64}", sheets[-2])
    titles = [" ".join(figure["layout"]["title"]["text"].split())[:20] for figure in outputs_of(report, PLOTLY)]
    assert [title for title in titles if title not in " ".join(text.split())] == []


def test_figures_are_drawn_as_slides(sample_report, tmp_path):
    notebook = Path(shutil.copy(sample_report / "campaign_roi.ipynb", tmp_path))
    slides = draw_figures(notebook)
    assert [path.name for path in slides] == [f"campaign_roi-{n}.png" for n in range(1, 12)]
    heads = [path.read_bytes()[:24] for path in slides]
    assert all(head[:8] == b"\x89PNG\r\n\x1a\n" for head in heads)
    assert {(int.from_bytes(head[16:20]), int.from_bytes(head[20:24])) for head in heads} == {(1920, 1080)}
    assert len(list(tmp_path.iterdir())) == 12


def test_page_is_walked_by_the_keyboard(browser, roi):
    page, _ = open_page(browser, roi)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "theme"
    reached = "[...document.querySelectorAll('select, .save, summary, .table')].every(each => each.tabIndex === 0)"
    assert page.evaluate(reached)
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(each => each.tagName)")
    assert levels[0] == "H1" and levels.count("H1") == 1
    close(page)


def test_page_can_be_read_without_its_scripts(browser, roi):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(roi.as_uri())
    title, rows = table_of(roi, "bookings")
    region = page.get_by_role("region", name=title, exact=True)
    assert region.locator("caption").is_visible() and region.locator("tbody tr").count() == len(rows)
    close(page)
