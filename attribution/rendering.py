"""A published report for print and for slides: its page as PDF, its figures as PNG, drawn by headless Chromium."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from attribution.page import PLOTLY
from attribution.showing import find_shown, read_notebook

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")

#: Where nothing answers: a figure that asked for anything would not get it.
_NOWHERE = "http://127.0.0.1:9"

#: Nothing of the browser's own may run beside the page or ask the network for anything.
_QUIET = ("--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
          "--disable-component-update", "--disable-sync", "--disable-extensions", "--no-pdf-header-footer",
          f"--proxy-server={_NOWHERE}", "--proxy-bypass-list=<-loopback>")


class RenderError(RuntimeError):
    """A page or a figure could not be drawn; in one line, with what to do."""


def find_browser() -> str:
    """Find a Chromium, by name on the path.

    Raises RenderError, with what to install, when there is none.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise RenderError("there is no Chromium to draw with. Install chromium (Debian: apt-get install chromium) or "
                          "Google Chrome, or print the page to PDF from any browser")
    return found


def render_reports(folder: str | Path, *, pdf: bool = True, png: bool = True) -> list[Path]:
    """Render every report of a month's folder, beside its page: <report>.pdf, and <report>-<n>.png for each figure.

    Returns the files written; none is in the manifest, for they are only another look at what is.
    Raises ValueError when the folder holds no report, RenderError when one could not be drawn.
    """
    pages = sorted(page for page in Path(folder).glob("*.html") if page.with_suffix(".ipynb").is_file())
    if not pages:
        raise ValueError(f"{folder}: holds no report, a page with its notebook. Name a month's folder, such as "
                         "reports/2026-10")
    return [path for page in pages for path in [
        *([print_page(page)] if pdf else []), *(draw_figures(page.with_suffix(".ipynb")) if png else [])]]


def print_page(page: str | Path, *, timeout_seconds: float = 120) -> Path:
    """Print a page as PDF, beside it, by its own print style.

    Returns the file's path. Raises RenderError when the browser is missing, fails or does not end in time.
    """
    page = Path(page).resolve()
    with tempfile.TemporaryDirectory(prefix=f".{page.stem}-", dir=page.parent) as place:
        drawn, target = Path(place, "page.pdf"), page.with_suffix(".pdf")
        _run([find_browser(), *_QUIET, *_unsandboxed(), f"--user-data-dir={place}/profile", f"--print-to-pdf={drawn}",
              page.as_uri()], page.name, timeout_seconds)
        if not drawn.is_file():
            raise RenderError(f"{page.name}: the browser printed nothing")
        os.replace(drawn, target)
    return target


def _unsandboxed() -> list[str]:
    """Root, as in a container, may not use Chromium's sandbox."""
    return ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []


def _run(command: list[str], name: str, timeout_seconds: float) -> None:
    try:
        ended = subprocess.run(command, capture_output=True, timeout=timeout_seconds, check=False)
    except subprocess.TimeoutExpired:
        raise RenderError(f"{name}: not printed within {timeout_seconds:g} seconds") from None
    except OSError as error:
        raise RenderError(f"{name}: {command[0]} does not start: {error.strerror}") from None
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no word why"]
        raise RenderError(f"{name}: the browser failed ({ended.returncode}): {said[0]}")


def draw_figures(notebook: str | Path) -> list[Path]:
    """Draw each figure of an executed notebook as a slide, a PNG of 1920 x 1080 with its title, beside it.

    Returns the files' paths, none where there is no figure. Raises RenderError when the browser is missing or fails.
    """
    notebook = Path(notebook).resolve()
    figures = find_shown(read_notebook(notebook), PLOTLY)
    targets = [notebook.with_name(f"{notebook.stem}-{number}.png") for number in range(1, len(figures) + 1)]
    if figures:
        with tempfile.TemporaryDirectory(prefix=f".{notebook.stem}-", dir=notebook.parent) as place:
            drawn = [Path(place, target.name) for target in targets]
            _draw([_slide(figure, path) for figure, path in zip(figures, drawn, strict=True)], notebook.name)
            for path, target in zip(drawn, targets, strict=True):
                os.replace(path, target)
    return targets


def _slide(figure: dict, path: Path) -> dict:
    given = figure.get("layout", {})
    layout = {key: value for key, value in given.items() if key not in ("width", "height", "updatemenus")}
    ninth = min(max(int(given.get("height", 720)), 603), 900) // 9             # rows and captions keep their distance
    size = {"width": 16 * ninth, "height": 9 * ninth, "scale": 120 / ninth, "format": "png"}
    return {"fig": {"data": figure.get("data", []), "layout": layout}, "path": path, "opts": size}


def _draw(slides: list[dict], name: str) -> None:
    from kaleido import write_fig_from_object_sync
    browser = {"path": find_browser(), "mathjax": False, "proxy_server": _NOWHERE}
    try:
        write_fig_from_object_sync(slides, kopts=browser, cancel_on_error=True)
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise RenderError(f"{name}: a figure could not be drawn: {said}") from None
