"""A page shows what a notebook shows, and obeys nothing that is in it."""

import re

import pytest

from attribution.page import PLOTLY, render_page


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


def test_page_without_figures_runs_no_script():
    text = page(shown(text_plain="12"))
    assert "script-src 'none'" in text and "<script" not in text


def test_figure_cannot_end_its_own_script():
    body = body_of(page(figure("won", note="</script><script>alert(1)</script>")))
    assert body.count("</script>") == 1
    assert "\\u003c/script>\\u003cscript>alert(1)" in body


def test_figures_are_numbered_and_their_titles_are_text():
    body = body_of(page(figure("first &lt;A&gt;"), figure("<b>second</b>", width=900)))
    assert re.findall(r'<div class="figure" id="(figure-\d)"', body) == ["figure-1", "figure-2"]
    assert re.findall(r'<p class="figure-title"[^>]*>(.*?)</p>', body) == ["first &lt;A&gt;", "second"]
    assert '"width": 900' not in body


def test_contents_lead_to_second_level_headings():
    body = body_of(page(markdown="# Report\n\n## Cost & credit\n\n### Detail\n\n## Words"))
    assert re.findall(r'<a href="#(section-\d)">(.*?)</a>', body) == [
        ("section-1", "Cost &amp; credit"), ("section-2", "Words")]
    assert re.findall(r'<h2 id="(section-\d)">(.*?)</h2>', body) == [
        ("section-1", "Cost &amp; credit"), ("section-2", "Words")]
