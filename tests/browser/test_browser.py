"""The sample month's pages in a real browser: every figure drawn, nothing fetched, nothing overflowing."""

import shutil
from pathlib import Path

import nbformat
import pytest

from attribution.page import PLOTLY

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]

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


@pytest.fixture(scope="module", params=[1280, 390], ids=["desktop", "phone"])
def opened(request, browser, report):
    page = browser.new_page(viewport={"width": request.param, "height": 900})
    seen = {"requests": [], "messages": []}
    page.on("request", lambda request: seen["requests"].append(request.url))
    page.on("console", lambda message: seen["messages"].append(message.text))
    page.on("pageerror", lambda error: seen["messages"].append(str(error)))
    page.goto(report.as_uri())
    page.wait_for_function("[...document.querySelectorAll('.figure')].every(node => node.querySelector('.main-svg'))")
    yield page, seen
    page.close()


def figures_in(notebook: Path):
    cells = nbformat.read(notebook, 4).cells
    return [output for cell in cells for output in cell.get("outputs", ()) if PLOTLY in output.get("data", {})]


def test_page_draws_every_figure(opened, report):
    page, _ = opened
    drawn = page.locator(".figure .main-svg:first-child").count()
    assert drawn == len(figures_in(report.with_suffix(".ipynb"))) > 0


def test_page_asks_for_nothing_and_reports_no_error(opened, report):
    _, seen = opened
    assert seen == {"requests": [report.as_uri()], "messages": []}


def test_page_does_not_overflow(opened):
    page, _ = opened
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    inside = "nodes => nodes.every(node => node.scrollWidth <= node.clientWidth + 1)"
    assert page.eval_on_selector_all(".figure", inside)


def test_page_offers_no_upload(opened):
    page, _ = opened
    titles = [button.get_attribute("data-title") for button in page.locator(".modebar-btn").all()]
    assert titles and not [title for title in titles if "share" in title.lower() or "cloud" in title.lower()]


def test_page_contents_lead_to_the_sections(opened):
    page, _ = opened
    links = page.eval_on_selector_all("nav a", "links => links.map(link => link.getAttribute('href'))")
    assert len(links) == page.locator("h2").count() > 3
    assert all(page.locator(link).count() == 1 for link in links)
