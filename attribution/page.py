"""An executed notebook as one self-contained page, without its code, that opens offline."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import count

from attribution.canvas import INK, LINE, PLAN, SOFT
from attribution.language import _, spoken

PLOTLY = "application/vnd.plotly.v1+json"

#: What every figure is drawn with; the first two keep Plotly's button that uploads a figure away.
CONFIG = {"showSendToCloud": False, "plotlyServerURL": "", "displayModeBar": False, "displaylogo": False,
          "typesetMath": False, "responsive": True}

#: What a figure's paper and ink become in the dark, each another, so that it can be turned back; data keep theirs.
DARK = {INK: "#e6ebf0", SOFT: "#a3b0bd", LINE: "#323c46", PLAN: "#fefefe", "white": "#14191f", "#F5F7F9": "#1c242c",
        "rgba(255, 255, 255, 0.8)": "rgba(20, 25, 31, 0.8)"}


def render_page(notebook: dict, footer: list[str]) -> str:
    """Render an executed notebook as a page that needs no network and runs no script but its own.

    Returns HTML in the language that is spoken: Markdown and outputs in their order, contents from the second-level
    headings, the footer's lines. Text is escaped here; an output that is HTML already has to be escaped where it was
    made.
    """
    import jinja2
    body = "\n".join(_blocks(notebook))
    scripts = _scripts('class="figure"' in body, 'class="table"' in body)
    intro, heading, sections = body.partition("<h2>")
    return jinja2.Template(_part("report.html.j2")).render(
        title=html.escape(_title(body)), language=spoken(), style=_part("page.css"), intro=intro,
        contents=_headings(body), body=_with_anchors(heading + sections), footer=[html.escape(line) for line in footer],
        house=_data(_house()), scripts=scripts, policy=" ".join(_allow(script) for _kind, script in scripts),
        words={"contents": _("Contents"), "skip": _("Skip to the content")})


def _part(name: str) -> str:
    return (files("attribution") / name).read_text(encoding="utf-8")


def _scripts(has_figures: bool, has_tables: bool) -> list[tuple[str, str]]:
    """Give the page's scripts, each after the attributes of its element."""
    from plotly.offline import get_plotlyjs
    plotly = [("", get_plotlyjs())] if has_figures else []
    tables = [(' type="module"', _tables_script())] if has_tables else []
    return [*plotly, ("", _part("page.js")), *tables]


@cache
def _tables_script() -> str:
    """Give DataTables as itables bundles it, one module, which then furnishes the page's tables."""
    bundle = (files("itables") / "html" / "dt_bundle.js").read_text(encoding="utf-8")
    data_table = re.search(r"export *{[^}]*?(\w+) as default", bundle)[1]
    return f"{bundle}\nfurnishTables({data_table});\n"


def _house() -> dict:
    """Give the page's script its words, its colours and what every figure is drawn with."""
    words = {"dark": _("Dark"), "light": _("Light"), "search": _("Search"), "copy": _("Copy"), "copied": _("Copied"),
             "nothing": _("Nothing found"), "found": _("{n} of {total} rows"), "sort": _("sort"),
             "reverse": _("sort the other way"), "unsort": _("back to the first order"), "numbers": _("Numbers"),
             "series": _("Series"), "item": _("Item"), "value": _("Value"), "note": _("Note")}
    is_english = spoken() == "en"
    return {"words": words, "colours": list(DARK.items()), "locale": None if is_english else _plotly_locale(),
            "config": CONFIG if is_english else CONFIG | {"locale": spoken()}}


def _plotly_locale() -> dict:
    """Say how figures write numbers and dates in the language that is spoken, and the hint they show after a zoom."""
    from babel import Locale
    said = Locale.parse(spoken())
    days, months = (said.days["stand-alone"], said.months["stand-alone"])
    symbols = said.number_symbols["latn"]
    zoom = "Double-click to zoom back out"
    return {"moduleType": "locale", "name": spoken(), "dictionary": {zoom: _("Double-click to zoom back out")},
            "format": {"days": [days["wide"][day] for day in (6, 0, 1, 2, 3, 4, 5)],
                       "shortDays": [days["abbreviated"][day] for day in (6, 0, 1, 2, 3, 4, 5)],
                       "months": [months["wide"][month] for month in range(1, 13)],
                       "shortMonths": [months["abbreviated"][month] for month in range(1, 13)],
                       "decimal": symbols["decimal"], "thousands": symbols["group"], "date": "%d.%m.%Y"}}


def _blocks(notebook: dict) -> Iterator[str]:
    n_figures = count(1)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            yield render_markdown(cell["source"])
        for output in cell.get("outputs", ()):
            figure = output.get("data", {}).get(PLOTLY)
            yield _render_figure(figure, next(n_figures)) if figure else _render_output(output)


def _render_output(output: dict) -> str:
    if output["output_type"] == "stream":
        return f"<pre>{html.escape(output['text'])}</pre>" if output["name"] == "stdout" else ""
    data = output.get("data", {})
    if "text/html" in data:
        return f'<div class="output">{data["text/html"]}</div>'
    if "text/markdown" in data:
        return render_markdown(data["text/markdown"])
    if "image/png" in data:
        return f'<img alt="" src="data:image/png;base64,{data["image/png"].strip()}">'
    return f"<pre>{html.escape(data['text/plain'])}</pre>" if "text/plain" in data else ""


def _render_figure(figure: dict, number: int) -> str:
    """Draw the title as text of the page, where it wraps and can be read out, menus as native ones, the rest below."""
    layout = {key: value for key, value in figure["layout"].items() if key not in ("width", "title", "updatemenus")}
    heading, menus = figure["layout"].get("title", {}), figure["layout"].get("updatemenus", ())
    margin = layout.get("margin", {})
    layout |= {"autosize": True, "margin": margin | {"t": max(margin.get("t", 80) - 40, 20)}}
    height = int(layout.setdefault("height", 450))
    drawn = _data({"data": figure["data"], "layout": layout, "heading": heading, "menus": list(map(_menu, menus))})
    title = html.escape(_plain(heading.get("text", "")))
    tools = f'<div class="figure-tools">{"".join(map(_render_menu, menus))}</div>' if menus else ""
    return (f'<figure><figcaption id="figure-{number}-title" aria-live="polite">{title}</figcaption>'
            f'<button type="button" class="save" aria-describedby="figure-{number}-title">{_("Save as PNG")}</button>'
            f'{tools}<div class="figure" id="figure-{number}" role="img" aria-labelledby="figure-{number}-title" '
            f'style="height:{height}px"></div><details><summary>{_("Numbers")}</summary></details>'
            f'<script type="application/json">{drawn}</script></figure>')


def _menu(menu: dict) -> dict:
    """Keep of one of Plotly's menus what its buttons do, and the plain title that goes with each."""
    titles = [button["args"][-1]["title.text"] for button in menu["buttons"]]
    return {"buttons": [{"method": button["method"], "args": button["args"], "title": title, "caption": _plain(title)}
                        for button, title in zip(menu["buttons"], titles, strict=True)]}


def _render_menu(menu: dict) -> str:
    labels = [html.escape(_plain(button["label"])) for button in menu["buttons"]]
    options = "".join(f"<option{' selected' * (n == menu.get('active', 0))}>{label}</option>"
                      for n, label in enumerate(labels))
    return f'<label>{html.escape(menu["name"])} <select autocomplete="off">{options}</select></label>'


def _data(value: object) -> str:
    """Write JSON that cannot end the element of a page in which it stands."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def render_markdown(text: str) -> str:
    """Render Markdown as HTML; HTML inside it is shown, not obeyed.

    >>> render_markdown("**Won** <b>&").strip()
    '<p><strong>Won</strong> &lt;b&gt;&amp;</p>'
    """
    import mistune
    return mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])(text)


def _allow(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _plain(title: str) -> str:
    return _text(title.replace("<br>", " "))


def _text(markup: str) -> str:
    return html.unescape(re.sub("<[^>]+>", "", markup)).strip()


def _title(body: str) -> str:
    found = re.search("<h1.*?>(.*?)</h1>", body, re.DOTALL)
    return _text(found[1]) if found else "Report"


def _headings(body: str) -> list[str]:
    return [html.escape(_text(found)) for found in re.findall("<h2>(.*?)</h2>", body, re.DOTALL)]


def _with_anchors(body: str) -> str:
    numbers = count(1)
    return re.sub("<h2>", lambda _match: f'<h2 id="section-{next(numbers)}">', body)
