"""An executed notebook as one self-contained page, without its code, that opens offline."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from itertools import count

PLOTLY = "application/vnd.plotly.v1+json"

#: What every figure is drawn with; the first two keep Plotly's button that uploads a figure away.
CONFIG = {"showSendToCloud": False, "plotlyServerURL": "", "displaylogo": False, "typesetMath": False,
          "responsive": True}

_DRAW = """
for (const node of document.querySelectorAll("div.figure"))
  Plotly.newPlot(node, {...JSON.parse(node.nextElementSibling.textContent), config: %s});
addEventListener("beforeprint", () => document.querySelectorAll("div.figure").forEach(Plotly.Plots.resize));
"""


def render_page(notebook: dict, footer: list[str]) -> str:
    """Render an executed notebook as a page that needs no network and runs no script but its own.

    Returns HTML: Markdown and outputs in their order, contents from the second-level headings, the footer's lines.
    Text is escaped here; an output that is HTML already has to be escaped where it was made.
    """
    import jinja2
    from plotly.offline import get_plotlyjs
    body = "\n".join(_blocks(notebook))
    scripts = [get_plotlyjs(), _DRAW % json.dumps(CONFIG)] if 'class="figure"' in body else []
    template = jinja2.Template((files("attribution") / "report.html.j2").read_text(encoding="utf-8"))
    intro, heading, sections = body.partition("<h2>")
    return template.render(title=html.escape(_title(body)), intro=intro, contents=_headings(body),
                           body=_with_anchors(heading + sections), footer=[html.escape(line) for line in footer],
                           scripts=scripts, policy=" ".join(map(_allow, scripts)) or "'none'")


def _blocks(notebook: dict) -> Iterator[str]:
    n_figures = count(1)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            yield render_markdown(cell["source"])
        for output in cell.get("outputs", ()):
            yield _render_output(output, n_figures)


def _render_output(output: dict, n_figures: Iterator[int]) -> str:
    if output["output_type"] == "stream":
        return f"<pre>{html.escape(output['text'])}</pre>" if output["name"] == "stdout" else ""
    data = output.get("data", {})
    if PLOTLY in data:
        return _render_figure(data[PLOTLY], next(n_figures))
    if "text/html" in data:
        return f'<div class="output">{data["text/html"]}</div>'
    if "text/markdown" in data:
        return render_markdown(data["text/markdown"])
    if "image/png" in data:
        return f'<img alt="" src="data:image/png;base64,{data["image/png"].strip()}">'
    return f"<pre>{html.escape(data['text/plain'])}</pre>" if "text/plain" in data else ""


def _render_figure(figure: dict, number: int) -> str:
    """Draw the title as text of the page, where it wraps and can be read out, and the rest below it."""
    layout = {key: value for key, value in figure["layout"].items() if key not in ("width", "title")}
    title = html.escape(_text(figure["layout"].get("title", {}).get("text", "").replace("<br>", " ")))
    margin = layout.get("margin", {})
    layout |= {"autosize": True, "margin": margin | {"t": max(margin.get("t", 80) - 40, 20)}}
    drawn = json.dumps({"data": figure["data"], "layout": layout}, sort_keys=True).replace("<", "\\u003c")
    height = int(layout.setdefault("height", 450))
    return (f'<p class="figure-title" id="figure-{number}-title">{title}</p>'
            f'<div class="figure" id="figure-{number}" role="img" aria-labelledby="figure-{number}-title" '
            f'style="height:{height}px"></div>'
            f'<script type="application/json">{drawn}</script>')


def render_markdown(text: str) -> str:
    """Render Markdown as HTML; HTML inside it is shown, not obeyed.

    >>> render_markdown("**Won** <b>&").strip()
    '<p><strong>Won</strong> &lt;b&gt;&amp;</p>'
    """
    import mistune
    return mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])(text)


def _allow(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _text(markup: str) -> str:
    return html.unescape(re.sub("<[^>]+>", "", markup)).strip()


def _title(body: str) -> str:
    found = re.search("<h1.*?>(.*?)</h1>", body, re.DOTALL)
    return _text(found[1]) if found else "Report"


def _headings(body: str) -> list[str]:
    return [html.escape(_text(found)) for found in re.findall("<h2>(.*?)</h2>", body, re.DOTALL)]


def _with_anchors(body: str) -> str:
    numbers = count(1)
    return re.sub("<h2>", lambda _: f'<h2 id="section-{next(numbers)}">', body)
