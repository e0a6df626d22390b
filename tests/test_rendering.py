"""Renderings are made beside the page or not at all, and what is in the way is said in a line."""

import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from attribution import rendering
from attribution.cli import main
from attribution.rendering import RenderError, draw_figures, find_browser, print_page, render_reports


@pytest.fixture
def month(tmp_path):
    """A month's folder with one report, and a page that is none."""
    for name in ("roi.html", "roi.ipynb", "notes.html"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    return tmp_path


def pretend(monkeypatch, *, writes=True, code=0, error=None):
    """Let a browser stand in that prints what it is told to, or does not."""
    seen = []

    def run(command, **_):
        seen.append(command)
        if error:
            raise error
        target = next(word for word in command if word.startswith("--print-to-pdf=")).split("=")[1]
        if writes:
            open(target, "w").close()
        return subprocess.CompletedProcess(command, code, b"", b"first\nlast words\n")

    monkeypatch.setattr(rendering, "find_browser", lambda: "/usr/bin/browser")
    monkeypatch.setattr(subprocess, "run", run)
    return seen


def test_print_page_writes_beside_the_page_and_leaves_nothing_else(month, monkeypatch):
    command = pretend(monkeypatch)
    assert print_page(month / "roi.html") == month / "roi.pdf"
    assert sorted(path.name for path in month.iterdir()) == ["notes.html", "roi.html", "roi.ipynb", "roi.pdf"]
    assert command[0][0] == "/usr/bin/browser" and command[0][-1] == (month / "roi.html").as_uri()
    assert any(word.startswith(f"--user-data-dir={month}") for word in command[0])


@pytest.mark.skipif(not any(map(shutil.which, rendering.BROWSERS)), reason="there is no Chromium here")
def test_a_page_that_asks_for_something_gets_no_answer(tmp_path):
    asked = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "roi.html").write_text(f'<img src="http://127.0.0.1:{server.server_port}/pixel">read me')
        assert print_page(tmp_path / "roi.html").read_bytes().startswith(b"%PDF")
        server.shutdown()
    assert asked == []


@pytest.mark.parametrize(("fault", "said"), [
    ({"writes": False}, "roi.html: the browser printed nothing"),
    ({"code": 21}, r"roi.html: the browser failed \(21\): last words"),
    ({"error": subprocess.TimeoutExpired("browser", 5)}, "roi.html: not printed within 5 seconds"),
    ({"error": PermissionError(13, "Permission denied")}, "/usr/bin/browser does not start: Permission denied")])
def test_print_page_says_what_went_wrong_and_keeps_the_last_good_one(month, monkeypatch, fault, said):
    (month / "roi.pdf").write_text("good", encoding="utf-8")
    pretend(monkeypatch, **fault)
    with pytest.raises(RenderError, match=said):
        print_page(month / "roi.html", timeout_seconds=5)
    assert (month / "roi.pdf").read_text(encoding="utf-8") == "good" and len(list(month.iterdir())) == 4


def test_browser_runs_in_its_sandbox_except_for_root(month, monkeypatch):
    commands = pretend(monkeypatch)
    for user in (0, 1000):
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        print_page(month / "roi.html")
    assert ["--no-sandbox" in command for command in commands] == [True, False]


def test_without_a_browser_the_reader_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RenderError, match="no Chromium to draw with. Install chromium"):
        find_browser()


def test_render_reports_takes_the_reports_of_a_folder(month, monkeypatch):
    pretend(monkeypatch)
    monkeypatch.setattr(rendering, "draw_figures", lambda notebook: [notebook.with_name("roi-1.png")])
    assert [path.name for path in render_reports(month)] == ["roi.pdf", "roi-1.png"]
    assert [path.name for path in render_reports(month, png=False)] == ["roi.pdf"]
    assert [path.name for path in render_reports(month, pdf=False)] == ["roi-1.png"]
    with pytest.raises(ValueError, match="holds no report"):
        render_reports(month / "elsewhere")


def test_draw_figures_of_a_notebook_without_any_needs_no_browser(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    empty = tmp_path / "empty.ipynb"
    empty.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', encoding="utf-8")
    assert draw_figures(empty) == []


@pytest.mark.parametrize(("options", "kinds"), [([], (True, True)), (["--pdf"], (True, False)),
                                                (["--png"], (False, True)), (["--pdf", "--png"], (True, True))])
def test_command_renders_both_or_the_one_asked_for(month, monkeypatch, capsys, options, kinds):
    asked = []
    monkeypatch.setattr(rendering, "render_reports",
                        lambda folder, *, pdf, png: asked.append((folder, pdf, png)) or [month / "roi.pdf"])
    assert main(["render", str(month), *options]) == 0
    assert asked == [(str(month), *kinds)] and capsys.readouterr().out == f"{month / 'roi.pdf'}\n"


def test_command_says_in_a_line_what_is_in_the_way(month, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert main(["render", str(month), "--pdf"]) == 1
    assert capsys.readouterr().err.startswith("attribution: there is no Chromium")
    assert main(["render", str(month / "elsewhere")]) == 2


@pytest.mark.parametrize("text", ["{}", "[]", "hello", "", "[" * 100_000])
def test_draw_figures_names_a_notebook_that_is_none(tmp_path, text):
    (tmp_path / "roi.ipynb").write_text(text)
    with pytest.raises(ValueError, match=r"roi.ipynb: is no notebook that can be read. Make the month's reports ag"):
        draw_figures(tmp_path / "roi.ipynb")
