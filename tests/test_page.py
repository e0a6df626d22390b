"""A page shows what a notebook shows, and obeys nothing that is in it."""

import base64
import hashlib
import json
import re

import pytest

from attribution.language import speaking, spoken
from attribution.page import DARK, PLOTLY, render_page


def page(*outputs, markdown="# Won <i>& lost</i>"):
    cells = [{"cell_type": "markdown", "source": markdown},
             {"cell_type": "code", "source": "secret()", "outputs": list(outputs)}]
    return render_page({"cells": cells}, ["from <here>"])


def shown(**data):
    return {"output_type": "display_data", "data": {key.replace("_", "/"): value for key, value in data.items()}}


def figure(title, **layout):
    return {"output_type": "display_data",
            "data": {PLOTLY: {"data": [{"type": "bar"}], "layout": {"title": {"text": title}} | layout}}}


def body_of(text):
    return text[text.index("<body>"):text.index("</footer>")]


def test_page_escapes_its_title_and_footer():
    text = page()
    assert "<title>Won &lt;i&gt;&amp; lost&lt;/i&gt;</title>" in text
    assert "<p>from &lt;here&gt;</p>" in text
    assert "secret()" not in text


@pytest.mark.parametrize("output", [shown(text_plain="<b>x</b>"), shown(text_markdown="<b>x</b>"),
                                    {"output_type": "stream", "name": "stdout", "text": "<b>x</b>"}])
def test_page_escapes_text(output):
    body = body_of(page(output))
    assert "&lt;b&gt;x&lt;/b&gt;" in body and "<b>x" not in body


def test_page_does_not_follow_a_script_link():
    assert "javascript:" not in body_of(page(markdown="[x](javascript:alert(1))"))


def test_page_leaves_warnings_out():
    assert "careful" not in page({"output_type": "stream", "name": "stderr", "text": "careful"})


def test_page_prefers_html_to_text():
    body = body_of(page(shown(text_html="<em>12</em>", text_plain="twelve")))
    assert '<div class="output"><em>12</em></div>' in body and "twelve" not in body


def test_page_embeds_an_image():
    assert 'src="data:image/png;base64,aGk="' in page(shown(image_png="aGk=\n"))


def test_page_carries_only_the_libraries_that_it_uses():
    table = shown(text_html='<div class="table"><table></table></div>')
    pages = {"text": [shown(text_plain="12")], "figure": [figure("t")], "table": [table], "both": [table, figure("t")]}
    runs = {name: page(*outputs).count("'sha256-") for name, outputs in pages.items()}
    assert runs == {"text": 1, "figure": 2, "table": 2, "both": 3}      # our own, Plotly's, DataTables'
    assert len(page(shown(text_plain="12"))) < 50_000 < 4_000_000 < len(page(figure("t")))


def test_page_allows_nothing_but_its_own_scripts():
    text = page(figure("t"), shown(text_html='<div class="table"><table></table></div>'))
    (policy,) = re.findall('<meta http-equiv="Content-Security-Policy" content="(.*?)">', text)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    scripts = re.findall("<script(?: type=.module.)?>(.*?)</script>", text, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert rules == {"default-src": "'none'", "style-src": "'unsafe-inline'", "img-src": "data: blob:",
                     "base-uri": "'none'", "form-action": "'none'",
                     "script-src": " ".join(f"'sha256-{each}'" for each in hashes)}
    assert len(hashes) == 3
    assert not re.findall(r'(?:src|href)="(?!#|data:)', re.sub("<script.*?</script>", "", text, flags=re.DOTALL))


def test_page_furnishes_tables_with_the_bundle_of_itables():
    text = page(shown(text_html='<div class="table"><table></table></div>'))
    assert re.search(r"\nfurnishTables\(\w+\);\n</script>", text) and "DataTables" in text


def test_page_speaks_the_language_that_is_spoken():
    cells = [{"cell_type": "markdown", "source": "# R\n\n## One"}]
    assert '<html lang="en">' in page() and ">Contents</h2>" in page(markdown="# R\n\n## One")
    with speaking("fi"):
        said = render_page({"cells": cells}, [])
    assert '<html lang="fi">' in said and ">Sisällys</h2>" in said and "Contents" not in body_of(said)
    assert spoken() == "en"


def house_of(text):
    return json.loads(re.search('id="house">(.*?)</script>', text)[1])


def test_page_tells_plotly_how_finnish_writes():
    with speaking("fi"):
        said = house_of(render_page({"cells": []}, []))
    assert said["config"]["locale"] == said["locale"]["name"] == "fi"
    form = said["locale"]["format"]
    assert (form["decimal"], form["thousands"]) == (",", "\u00a0")
    assert (form["days"][0], form["days"][6], form["months"][0]) == ("sunnuntai", "lauantai", "tammikuu")
    assert house_of(page())["locale"] is None and "locale" not in house_of(page())["config"]


def test_colours_of_the_dark_can_be_turned_back():
    assert len(set(DARK.values()) | set(DARK)) == 2 * len(DARK)


def test_figure_cannot_end_its_own_script():
    body = body_of(page(figure("won", note="</script><script>alert(1)</script>")))
    assert body.count("</script>") == 1
    assert "\\u003c/script>\\u003cscript>alert(1)" in body


def test_figure_shows_its_menus_as_native_ones():
    buttons = [{"label": "linear", "method": "update", "args": [{"x": [[1]]}, {"title.text": "a &lt;A&gt;<br>b"}]},
               {"label": "&lt;i&gt;", "method": "relayout", "args": [{"height": 9, "title.text": "u"}]}]
    body = body_of(page(figure("t", updatemenus=[{"name": "Mo<del", "active": 1, "buttons": buttons}])))
    assert ('<label>Mo&lt;del <select autocomplete="off"><option>linear</option>'
            "<option selected>&lt;i&gt;</option></select></label>") in body
    said = json.loads(re.search('<script type="application/json">(.*?)</script>', body)[1])
    assert said["menus"] == [{"buttons": [
        {"method": "update", "args": buttons[0]["args"], "title": "a &lt;A&gt;<br>b", "caption": "a <A> b"},
        {"method": "relayout", "args": buttons[1]["args"], "title": "u", "caption": "u"}]}]
    assert "updatemenus" not in said["layout"] and said["heading"] == {"text": "t"}


def test_figures_are_numbered_and_their_titles_are_text():
    body = body_of(page(figure("first &lt;A&gt;"), figure("<b>second</b>", width=900)))
    assert re.findall(r'<div class="figure" id="(figure-\d)"', body) == ["figure-1", "figure-2"]
    assert re.findall(r'<figcaption[^>]*>(.*?)</figcaption>', body) == ["first &lt;A&gt;", "second"]
    assert '"width":900' not in body and '"height":450' in body


def test_contents_lead_to_second_level_headings():
    body = body_of(page(markdown="# Report\n\n## Cost & credit\n\n### Detail\n\n## Words"))
    assert re.findall(r'<a href="#(section-\d)">(.*?)</a>', body) == [
        ("section-1", "Cost &amp; credit"), ("section-2", "Words")]
    assert re.findall(r'<h2 id="(section-\d)">(.*?)</h2>', body) == [
        ("section-1", "Cost &amp; credit"), ("section-2", "Words")]
