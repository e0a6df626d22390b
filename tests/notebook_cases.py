"""Tiny notebooks for the tests of the runner, made in code."""

from pathlib import Path

import nbformat
from nbformat import v4

DECLARE = 'month: str = "2026-10"  # the month\nn_rows: int = 2'
DRAW = """\
import plotly.graph_objects as go
go.Figure(go.Bar(x=["mail", "fair"], y=[1.5, 2.0]), {"title": {"text": "Won"}, "width": 3000})"""
SHOW = """\
from IPython.display import display
table = {"sheet": "roi", "title": "Return on investment",
         "columns": [{"name": "name", "label": "Name", "format": "text"},
                     {"name": "cost", "label": "Cost", "format": "money"},
                     {"name": "on", "label": "Day", "format": "day"}],
         "rows": [["=1+1", 1234.5, "2026-10-31"], ["fair", None, None]]}
markup = "<table><caption>Return</caption><tr><td>mail</td><td class='money'>1,234.50</td></tr></table>"
display({"application/vnd.attribution-kit.table.v1+json": table, "text/html": markup}, raw=True)"""


def write_notebook(path: Path, *more: str, declare: str = DECLARE, tags: tuple[str, ...] = ("parameters",)) -> Path:
    """Write a notebook: a title, parameters, a figure, a table, then more code cells under a heading of their own."""
    cells = [v4.new_markdown_cell("# Campaign ROI & <b>more</b>"),
             v4.new_code_cell(declare, metadata={"tags": list(tags)}),
             v4.new_markdown_cell("## What the month brought"), v4.new_code_cell(DRAW),
             v4.new_markdown_cell("## Return <script>alert(1)</script>"), v4.new_code_cell(SHOW),
             v4.new_markdown_cell("## The rest"), *map(v4.new_code_cell, more)]
    numbered = [cell | {"id": f"cell-{number}"} for number, cell in enumerate(cells)]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    nbformat.write(nbformat.from_dict(v4.new_notebook(cells=numbered, metadata={"kernelspec": kernel})), path)
    return path
