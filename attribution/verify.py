"""A published month held against a run of today: equal to the byte, or what differs, and why."""

import html
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from attribution.inputs import ROOT, changed_inputs, find_inputs, hash_file, hash_inputs, restore_inputs
from attribution.page import PLOTLY
from attribution.report import PLACES, PRIVATE, check_entry, list_packages, read_manifest, write_report
from attribution.running import TIMEOUT_SECONDS, ReportError, check_parameters, execute_notebooks, read_parameters
from attribution.showing import TABLE_MIME, find_shown, list_outputs, read_notebook
from attribution.sources import find_folder
from attribution.workbook import find_tables

#: The kinds of a difference, in the order in which a reviewer wants to know of them.
KINDS = ("published", "input", "package", "run", "table", "figure", "text", "output")
DIFFERENCES = ["report", "kind", "name", "place", "before", "after"]


def verify_month(month: str | Path, notebooks: str | Path = ROOT / "notebooks", *, from_copy: bool = False,
                 progress: bool = False, timeout_seconds: float = TIMEOUT_SECONDS) -> pd.DataFrame:
    """Run a month's reports again and compare: every published file, input, table, figure and sentence.

    The notebooks are those of the folder `notebooks`, this project's, never ones beside the reports; the inputs are
    those where the reports found them, or their kept copies where they are gone, or from_copy asks for them. The
    month's folder is only read.
    Returns one row per difference: report, kind (one of KINDS), name (of the file, table, figure), place in it, before
    (as published), after (as of now). No rows: all is identical to the byte.
    Raises ValueError when the folder holds no reports, or a copy is needed that was not kept.
    """
    month = find_folder(month)
    manifest = {name: check_entry(month, name, said) for name, said in read_manifest(month).items()}
    if not manifest:
        raise ValueError(f"{month}: holds no manifest.json that names a report. Name a month's folder, such as "
                         "reports/2026-10")
    with TemporaryDirectory(prefix="kit-") as place:
        runs = [(Path(notebooks) / said["notebook"], _parameters(month, name, said, Path(place), from_copy))
                for name, said in manifest.items()]
        again = _run(runs, manifest, Path(place), progress=progress, timeout_seconds=timeout_seconds)
        found = [row for (name, said), run in zip(manifest.items(), runs, strict=True)
                 for row in _compare_report(month, name, said, run, again)]
    return pd.DataFrame(found, columns=DIFFERENCES, dtype="str")


def _parameters(month: Path, name: str, said: Mapping, place: Path, from_copy: bool) -> dict:
    """Give a report's parameters, with the kept copies in the place of inputs that are gone."""
    parameters = said["parameters"]
    places = {key: find_folder(parameters[key]) for key in PLACES if parameters.get(key)}
    is_gone = {key: not path.exists() or path.resolve() == month.resolve() for key, path in places.items()}
    wanted = [key for key in places if from_copy or is_gone[key]]
    if not wanted:
        return parameters
    folder = place / "inputs" / name
    restore_inputs(said["inputs"], month / PRIVATE, folder)
    is_file = "data_dir" in places and places["data_dir"].name in said["inputs"]
    copies = {"data_dir": folder / places["data_dir"].name if is_file else folder, "previous": folder / "previous"}
    return parameters | {key: str(copies[key]) for key in wanted}


def _run(runs: list[tuple[Path, dict]], manifest: Mapping[str, dict], place: Path, **how) -> Path | str:
    """Make the reports again in a folder of their own; give the folder, or what kept them from being made."""
    folder = place / "again"
    folder.mkdir()
    try:
        runs = [(notebook, read_parameters(notebook) | check_parameters(notebook, parameters))
                for notebook, parameters in runs]
        executed = execute_notebooks(runs, **how)
        for (notebook, parameters), cells, (name, said) in zip(runs, executed, manifest.items(), strict=True):
            inputs, given = hash_inputs(find_inputs(notebook, parameters, name)), parameters | said["parameters"]
            write_report(folder, notebook, _as_given(cells, given), given, inputs)
    except (ReportError, ValueError) as error:
        return str(error)
    return folder


def _as_given(executed: dict, given: dict) -> dict:
    """Write the parameters as the report had them, where copies lay elsewhere."""
    from papermill.translators import PythonTranslator
    for cell in executed["cells"]:
        if "injected-parameters" in cell["metadata"].get("tags", ()):
            cell["source"] = PythonTranslator.codify(given, "Parameters")
    return executed


def _compare_report(month: Path, name: str, said: Mapping, run: tuple[Path, dict], again: Path | str) -> list[tuple]:
    """Compare one report; what explains a difference is only said where there is one."""
    found = [("published", file, "", digest[:12], _short_digest(month / file))
             for file, digest in said["outputs"].items() if _short_digest(month / file) != digest[:12]]
    if isinstance(again, str):
        found.append(("run", "the reports", "", "made", again))
    elif found or {file: hash_file(again / file) for file in said["outputs"]} != said["outputs"]:
        found += _compare_outputs(month, name, said, again)
    if found:
        found += _causes(month, said, find_inputs(*run, name))
    return sorted(((name, *row) for row in found), key=lambda row: KINDS.index(row[1]))


def _short_digest(path: Path) -> str:
    return hash_file(path)[:12] if path.is_file() else "not there"


def _causes(month: Path, said: Mapping, files: Mapping[str, Path]) -> list[tuple]:
    changes = changed_inputs(said["inputs"], files, month / PRIVATE)
    places = changes["row"].str.cat(changes["column"], sep=" ").str.strip()
    now = list_packages()
    rows = zip(changes["file"], places, changes["before"], changes["after"], strict=True)
    return [*(("input", *row) for row in rows),
            *(("package", name, "", version, now.get(name, "not there"))
              for name, version in said["packages"].items() if now.get(name) != version)]


def _compare_outputs(month: Path, name: str, said: Mapping, again: Path) -> list[tuple]:
    now = read_notebook(again / f"{name}.ipynb")
    try:
        shown = compare_notebooks(read_notebook(month / f"{name}.ipynb"), now)
    except (OSError, ValueError, TypeError, AttributeError, LookupError):
        shown = []                                   # it is missing, or not a notebook of ours any more: said above
    return shown + [("output", file, "", digest[:12], _short_digest(again / file))
                    for file, digest in said["outputs"].items() if hash_file(again / file) != digest]


def compare_notebooks(then: dict, now: dict) -> list[tuple]:
    """Compare what two executed notebooks show.

    Returns rows of (kind, name, place, before, after): every cell of a table, point of a figure and sentence that
    differs.
    """
    return [*_compare_tables(find_tables(then), find_tables(now)),
            *_compare_figures(find_shown(then, PLOTLY), find_shown(now, PLOTLY)),
            *_compare_texts(_texts(then), _texts(now))]


def _texts(notebook: dict) -> list[str]:
    """Give the sentences, tiles and printed lines, in order: what is neither a table nor a figure."""
    return [output["text"] if "text" in output else output.get("data", {}).get("text/plain", "")
            for output in list_outputs(notebook)
            if not {PLOTLY, TABLE_MIME} & output.get("data", {}).keys()]


def _compare_texts(then: list[str], now: list[str]) -> list[tuple]:
    return [("text", f"text {number}", "", before, after)
            for number, (before, after) in enumerate(zip_longest(then, now, fillvalue=""), 1) if before != after]


def _compare_tables(then: list[dict], now: list[dict]) -> list[tuple]:
    before, after = ({table["sheet"]: table for table in tables} for tables in (then, now))
    return [("table", sheet, *row) for sheet in [*before, *(sheet for sheet in after if sheet not in before)]
            for row in _compare_table(before.get(sheet), after.get(sheet))]


def _compare_table(then: dict | None, now: dict | None) -> list[tuple]:
    if then is None or now is None:
        return [("", "there" if then else "not there", "there" if now else "not there")]
    if then["columns"] != now["columns"]:
        return [("columns", *(", ".join(f"{column['name']} ({column['label']})" for column in table["columns"])
                              for table in (then, now)))]
    keys = _find_keys(then, now)
    before, after = (dict(zip(_row_names(table, keys), table["rows"], strict=True)) for table in (then, now))
    common = [row for row in before if row in after]
    return [*_titles(then, now), *_cells(before, after, common, then["columns"]),
            *[(row, "there", "not there") for row in before if row not in after],
            *[(row, "not there", "there") for row in after if row not in before],
            *_order(common, [row for row in after if row in before])]


def _titles(then: dict, now: dict) -> list[tuple]:
    return [("title", then["title"], now["title"])] if then["title"] != now["title"] else []


def _cells(before: dict, after: dict, common: list[str], columns: list[dict]) -> list[tuple]:
    return [(f"{row}, {column['name']}", _say(old, column["format"]), _say(new, column["format"])) for row in common
            for column, old, new in zip(columns, before[row], after[row], strict=True) if old != new]


def _order(then: list[str], now: list[str]) -> list[tuple]:
    return [(f"place {n}", before, after) for n, (before, after) in enumerate(zip(then, now, strict=True), 1)
            if before != after]


def _find_keys(*tables: dict) -> list[int]:
    """Find the first columns of words that tell all rows of each table apart; none where there are none."""
    words = [at for at, column in enumerate(tables[0]["columns"])
             if column["format"] in ("id", "text", "name", "month")]
    for n in range(1, len(words) + 1):
        if all(len({tuple(map(str, (row[at] for at in words[:n]))) for row in table["rows"]}) == len(table["rows"])
               for table in tables):
            return words[:n]
    return []


def _row_names(table: dict, keys: list[int]) -> list[str]:
    return [" / ".join(str(row[at]) for at in keys) if keys else f"row {number}"
            for number, row in enumerate(table["rows"], 1)]


def _say(value, form: str = "") -> str:
    if value is None:
        return "blank"
    return f"{value:,.2f}" if form == "money" else f"{value:,.10g}" if isinstance(value, float) else str(value)


def _compare_figures(then: list[dict], now: list[dict]) -> list[tuple]:
    rows = []
    for number, (before, after) in enumerate(zip_longest(then, now, fillvalue={}), 1):
        old, new = _leaves(before), _leaves(after)
        title = html.unescape(old.get("title", new.get("title", ""))).replace("<br>", " ")
        rows += [("figure", f"figure {number} ({title})", place, _say(old.get(place)), _say(new.get(place)))
                 for place in [*old, *(place for place in new if place not in old)] if old.get(place) != new.get(place)]
    return rows


def _leaves(figure: dict) -> dict[str, object]:
    """Give everything a figure draws by its place: trace, point, value."""
    title = figure.get("layout", {}).get("title", {}).get("text", "")
    leaves = {"title": title} if title else {}
    names = [f"{trace.get('type', 'trace')} {trace.get('name', number)}"
             for number, trace in enumerate(figure.get("data", ()), 1)]
    for trace, name in zip(figure.get("data", ()), _told_apart(names), strict=True):
        leaves |= _trace_leaves(trace, name)
    layout = {key: value for key, value in figure.get("layout", {}).items() if key not in ("title", "template")}
    return leaves | ({"layout": json.dumps(layout, sort_keys=True)} if layout else {})


def _trace_leaves(trace: dict, name: str) -> dict[str, object]:
    """Name a trace's points by what stands on their axis of words, or else by number."""
    axis = next((trace[key] for key in ("labels", "x", "y") if isinstance(trace.get(key), list)
                 and trace[key] and isinstance(trace[key][0], str)), [])
    points = _told_apart(list(map(str, axis)))
    leaves = {}
    for key, value in trace.items():
        each = value if isinstance(value, list) else [value]
        for number, leaf in enumerate(each):
            point = points[number] if len(points) == len(each) and axis is not value else number + 1
            place = f"{name}, {point}: {key}" if isinstance(value, list) else f"{name}: {key}"
            leaves[place] = leaf if isinstance(leaf, str | int | float | None) else json.dumps(leaf, sort_keys=True)
    return leaves


def _told_apart(names: list[str]) -> list[str]:
    """Number names that stand more than once.

    >>> _told_apart(["a", "b", "a"])
    ['a', 'b', 'a (2)']
    """
    seen: Counter = Counter()
    apart = []
    for name in names:
        seen[name] += 1
        apart.append(f"{name} ({seen[name]})" if seen[name] > 1 else name)
    return apart


def say_differences(differences: pd.DataFrame, reports: Iterable[str], n_each: int = 5) -> list[str]:
    """Say of each report whether it is the same, and if not what differs: the first n_each places of each thing.

    Returns lines for the command line; what stands in them may come from data.
    """
    lines: list[str] = []
    for report in reports:
        rows = differences[differences["report"] == report]
        lines.append(f"{report}: {_summary(rows) if len(rows) else 'identical to the byte'}")
        for (kind, name), each in rows.groupby(["kind", "name"], sort=False):
            lines += [f"  {_HEADINGS[kind].format(name=_shorten(name))}", *_places(each, n_each)]
    return lines


def _summary(rows: pd.DataFrame) -> str:
    n_each = rows.drop_duplicates(["kind", "name"]).groupby("kind", sort=False).size()
    parts = [f"{n:,} {_NOUNS[kind][n > 1]}" for kind, n in n_each.items() if kind in _NOUNS]
    return f"differs{': ' * bool(parts)}{', '.join(parts)}"


def _places(rows: pd.DataFrame, n_each: int) -> list[str]:
    places = [f"{_shorten(place)}: " * bool(place) for place in rows["place"].head(n_each)]
    said = [f"    {place}{_shorten(before)} → {_shorten(after)}"
            for place, before, after in zip(places, rows["before"], rows["after"], strict=False)]
    return said + [f"    and {len(rows) - n_each:,} more"] * (len(rows) > n_each)


def _shorten(text: str) -> str:
    """Keep a line readable."""
    words = " ".join(text.split())
    return words if len(words) <= 160 else f"{words[:159]}…"


_HEADINGS = {"published": "{name} is not the file that was published", "input": "input {name} changed",
             "package": "package {name} changed", "run": "{name} could not be made again", "table": "table {name}",
             "figure": "{name}", "text": "{name}", "output": "file {name}"}
_NOUNS = {"input": ("input", "inputs"), "package": ("package", "packages"), "table": ("table", "tables"),
          "figure": ("figure", "figures"), "text": ("text", "texts"), "output": ("file", "files")}
