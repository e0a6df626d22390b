"""The page: what was measured as tables, a figure, and the goals held against the figures."""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

LIMIT_SECONDS = 600
LABELS = {
    "ours": "ours, 9 models", "ours_to_the_cent": "ours, 9 models to the cent", "sql": "SQL by hand, 9 models",
    "ours_in_4_gb": "ours, 9 models, within 4 GB", "sql_in_4_gb": "SQL by hand, 9 models, within 4 GB",
    "floor_numpy": "floor: read, sort, count (numpy)", "floor_polars": "floor: read, sort, count (polars)",
    "journeys": "journeys ready-made for the peers (SQL)",
    "channelattribution": "channelattribution, its 3 models",
    "mam_last": "marketing-attribution-models, last", "mam_rules": "marketing-attribution-models, its 5 models",
    "mta_last": "mta, last", "mta_rules": "mta, its 5 models",
    "shapley_attribution_first": "shapley-attribution, first",
    "shapley_attribution_rules": "shapley-attribution, its 5 models",
    "pychattr_first": "pychattr, first", "pychattr_rules": "pychattr, its 3 models"}
DRAWN = {"ours": ("ours", "#D55E00", 3.5), "sql": ("SQL by hand (DuckDB)", "#0072B2", 2.5),
         "floor_numpy": ("floor: read, sort, count", "#767676", 1.5),
         "channelattribution": ("channelattribution", "#009E73", 1.5), "mta_last": ("mta", "#56B4E9", 1.5),
         "mam_last": ("marketing-attribution-models", "#CC79A7", 1.5),
         "shapley_attribution_first": ("shapley-attribution", "#E69F00", 1.5),
         "pychattr_first": ("pychattr", "#000000", 1.5)}
FLOORS = ("floor_numpy", "floor_polars")
#: Why a goal is missed, where it is.
WHY = {
    ("int", 100_000): "so little work is mostly what every call costs: checks, tables, threads",
    ("int", 100_000_000): "columns of gigabytes are looked up by row, which waits for memory",
    ("text", 10_000_000): "half the time goes into reading and finding texts, as it does in DuckDB",
    "floor": "it joins no conversions and knows no models, and sorts with the processor's widest instructions",
    "peers": "it is handed what took the most time, the joined and ordered journeys, and reads off the end of each",
    "large": "the touches are read twice, half of the accounts at a time, and copied to their part",
    "growth": "columns of gigabytes are looked up by row, which waits for memory"}
PEERS = ("channelattribution", "mam_", "mta_", "shapley_", "pychattr_")
PACKAGES = ("numpy", "pandas", "pyarrow", "duckdb", "polars")
HEADER = ("| | wall s (range) | to SQL (range) | processor s | peak MiB | growth | import s | call alone, s |\n"
          "|---|---|---|---|---|---|---|---|")
ABOUT = """\
# Nine rule models beside SQL and the peers

`python benchmarks/peers.py` makes this page. {machine}

{finding}
{figure}
**What is done.** Touches (20 an account, 5,000 campaigns, two years, in no order) and conversions (3 an account) lie in
two Parquet files. For every conversion the touches of its account within 90 days before it are ordered, the ones that
hold a milestone found, and nine models share its money; what comes out is a sum by model and campaign. *Ours* is one
call of `credit_by_campaign` with the files' paths and `to_the_cent=False`; below it the same to the cent, which nobody
else does. *SQL by hand* is [engine.sql](side_by_side/engine.sql) in DuckDB; it does not count a campaign's conversions,
as ours does. *Floor* reads three columns, sorts touches by account and time, and counts by campaign: no journey and no
model.
Before the race all three are held against [plain loops](../tests/oracle.py) and exact fractions, and at every size
against each other; the command stops where they differ.

**What the peers are spared.** None joins conversions, and none has a look-back: they are given the journeys
ready-made, a row per touch that counts (a third of the touches), in order, with the money on it, in Parquet; how long
that took stands above them. Their wall time is the reading of it, their own form of it (texts such as "a > b", joined
by Arrow; rows for marketing-attribution-models), and the models; *call alone* is the model's call on an input already
in its hands. The first line of each is the fastest single model it has, the second all its rules.

**How it is timed.** A process each, one after another, in rounds; medians of {rounds} rounds, of one where a run took
over 100 s, and for peers at 100 million. Wall and processor time are of the whole work, imports apart. *To SQL* is the
ratio to the query of the same round, and how far it ranged. *Growth* is the exponent from the size before: 1 is twice
the touches, twice the time. Peak is of the whole process, Python and packages (60 to 240 MiB) included. What takes over
ten minutes is stopped; what, going by the size before, would take over 150 s or more memory than there is, is not
tried. numpy is told not to ask for huge pages (`NUMPY_MADVISE_HUGEPAGE=0`): a virtual machine may have to wait for them
as long as the work itself takes; for the same reason 2.4 GB are written and given back before each run.
"""
CASES_HEAD = """\
## What the peers cannot do
Asked of each in its own environment ([cases.py](side_by_side/cases.py)); options are all parameters of its public
functions, searched by name. Ours: 33.34, 33.33, 33.33; A 0.75, B 0.25; A 0.5, B 0.5, and the 5 in a row of its own; and
it has all four.

| | 100.00 over A, B, C | A, A, A, B | A, B for 1, then no touch for 5 | options | look-back | milestones \
| decay by time | campaign tree |
|---|---|---|---|---|---|---|---|---|
"""


def write_page(runs: pd.DataFrame, cases: dict[str, dict], out: Path) -> str:
    """Write the page, and beside it the figure where there are two sizes to draw a line through; return the page."""
    figures = _summarise(runs)
    drawn = _draw(figures, out.with_suffix(".png"))
    parts = [ABOUT.format(machine=_machine(), finding=_finding(figures), rounds=_rounds(runs),
                          figure=f"\n![Seconds by touches]({out.stem}.png)\n" if drawn else "")]
    parts += [_table(figures, ids, size) for ids, size in
              runs.loc[runs["size"] > 1_000, ["ids", "size"]].drop_duplicates().itertuples(index=False)]
    parts += ["## Goals\n| goal | measured | |\n|---|---|---|\n" + "\n".join(_goals(runs, figures))]
    parts += [CASES_HEAD + "\n".join(_case(package, said) for package, said in cases.items())] if cases else []
    page = "\n\n".join(part.strip() for part in parts) + "\n"
    out.write_text(page, encoding="utf-8")
    return page


def _summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Give each contender, ids and size a row: medians, ranges, ratios to SQL by round, growth, or the error."""
    keys = ["ids", "size", "name"]
    sql = runs[runs["name"].eq("sql")].set_index(["ids", "size", "round"])["wall_s"].rename("sql_s")
    within = runs[runs["name"].eq("sql_in_4_gb")].set_index(["ids", "size", "round"])["wall_s"].rename("within_s")
    told = runs.join(sql, on=["ids", "size", "round"]).join(within, on=["ids", "size", "round"])
    told["ratio"] = told["wall_s"] / told["sql_s"].where(~told["name"].str.endswith("4_gb"), told["within_s"])
    told["call_s"] = told["calls_s"].map(lambda calls: calls[-1] if isinstance(calls, list) and calls else np.nan)
    grouped = told.groupby(keys, sort=False)
    figures = grouped[["wall_s", "cpu_s", "peak_mib", "before_mib", "import_s", "call_s", "ratio"]].median()
    for column in ("wall_s", "ratio"):
        figures[f"{column}_low"], figures[f"{column}_high"] = grouped[column].min(), grouped[column].max()
    figures["error"] = grouped["error"].first()
    figures = figures.reset_index().sort_values(["ids", "name", "size"])
    lines = figures[figures["error"].isna()].groupby(["ids", "name"])
    times_touches, times_wall = (figures[column] / lines[column].shift() for column in ("size", "wall_s"))
    figures["growth"] = np.log(times_wall) / np.log(times_touches)
    return figures.set_index(["ids", "name", "size"])


def _table(figures: pd.DataFrame, ids: str, size: int) -> str:
    here = figures.xs((ids, size), level=("ids", "size"))
    kind = "" if ids == "int" else ", ids of 18 characters"
    return "\n".join([f"## {size:,} touches{kind}\n{HEADER}",
                      *(_line(name, here.loc[name]) for name in LABELS if name in here.index)])


def _line(name: str, row: pd.Series) -> str:
    if isinstance(row["error"], str):
        return f"| {LABELS[name]} | {row['error']} | | | | | | |"
    cells = [_ranged(row, "wall_s"), _ranged(row, "ratio"), _short(row["cpu_s"]), f"{row['peak_mib']:,.0f}",
             "" if np.isnan(row["growth"]) else f"{row['growth']:.2f}", _short(row["import_s"]), _short(row["call_s"])]
    return f"| {LABELS[name]} | {' | '.join(cells)} |"


def _ranged(row: pd.Series, column: str) -> str:
    low, high = row[f"{column}_low"], row[f"{column}_high"]
    return _short(row[column]) + (f" ({_short(low)}-{_short(high)})" if low < high else "")


def _short(number: float) -> str:
    if np.isnan(number):
        return ""
    return f"{number:.3f}" if number < 0.1 else f"{number:.2f}" if number < 10 else f"{number:,.1f}"


def _goals(runs: pd.DataFrame, figures: pd.DataFrame) -> Iterator[str]:
    """Hold each goal against the figures that are there."""
    ours, done = figures.xs("ours", level="name"), figures[figures["error"].isna()]
    for (ids, size), row in ours.iterrows():
        if np.isfinite(row["ratio"]):
            kind = "" if ids == "int" else ", text ids"
            yield _goal(f"beside SQL by hand, {size:,} touches{kind}", row["ratio"], 0.8, "times its time",
                        why=WHY.get((ids, size), ""))
        floors = done.loc[done.index.isin([(ids, name, size) for name in FLOORS]), "wall_s"]
        if len(floors):
            yield _goal(f"beside the floor, {size:,} touches", row["wall_s"] / floors.min(), 2, "times its time",
                        why=WHY["floor"])
    yield from _peer_goals(ours, done)
    yield from _smaller_goals(runs, ours, done)


def _peer_goals(ours: pd.DataFrame, done: pd.DataFrame) -> Iterator[str]:
    for size in sorted(ours.loc["int"].index if "int" in ours.index else []):
        here = done.xs(("int", size), level=("ids", "size"))
        peers = here[here.index.str.startswith(PEERS)]
        made = here["wall_s"].get("journeys", np.nan)
        readings = {"from the same files, the join for it by SQL": peers["wall_s"] + made,
                    "from journeys ready-made": peers["wall_s"], "its call alone": peers["call_s"]}
        for what, seconds in readings.items() if np.isfinite(made) and len(peers) else ():
            fastest = seconds.idxmin()
            yield _goal(f"nine models before the fastest peer's one, {what}, {size:,} touches",
                        here.loc["ours", "wall_s"], seconds[fastest], f"s ({LABELS[fastest]})", _short, WHY["peers"])


def _smaller_goals(runs: pd.DataFrame, ours: pd.DataFrame, done: pd.DataFrame) -> Iterator[str]:
    frames = runs[runs["name"].eq("ours_from_frames") & runs["error"].isna()]
    if len(frames):
        calls = pd.DataFrame(frames["calls_s"].to_list()).median() * 1000
        yield _goal("import", frames["import_s"].median(), 0.7, "s")
        yield _goal("1,000 touches from frames, the first call", calls[0], 20, "ms")
        yield _goal("1,000 touches from frames, the next call", calls[1], 20, "ms")
    largest = ("int", 10_000_000)
    if largest in ours.index and np.isfinite(ours.loc[largest, "wall_s"]):
        row = ours.loc[largest]
        bytes_each = (row["peak_mib"] - row["before_mib"]) * 2**20 / largest[1]
        yield _goal("memory at 10,000,000 touches, above that after import", bytes_each, 200, "bytes a touch")
    for (ids, size), growth in ours["growth"].dropna().items():
        if ids == "int" and size >= largest[1]:
            yield _goal(f"growth up to {size:,} touches", growth, 1.1, "exponent", why=WHY["growth"])
    for (_, _, size), row in done[done.index.get_level_values("name") == "ours_in_4_gb"].iterrows():
        yield _goal(f"within 4 GB, {size:,} touches: memory", row["peak_mib"] / 1024, 4 / 1.024**3, "GiB")
        yield _goal(f"within 4 GB, {size:,} touches: beside SQL within 4 GB", row["ratio"], 1.2, "times its time",
                    why=WHY["large"])


def _goal(what: str, measured: float, goal: float, unit: str, show=lambda number: f"{number:,.3g}",
          why: str = "") -> str:
    verdict = "met" if measured <= goal else f"**missed**{why and f': {why}'}"
    return f"| {what}: at most {show(goal)} {unit} | {show(measured)} | {verdict} |"


def _finding(figures: pd.DataFrame) -> str:
    """Say in a sentence what the largest size says at which both ours and SQL have run."""
    done = figures[figures["error"].isna()]
    both = [size for ids, name, size in done.index
            if (ids, name) == ("int", "ours") and (ids, "sql", size) in done.index]
    if not both:
        return ""
    ours, sql = done.loc[("int", "ours", max(both))], done.loc[("int", "sql", max(both))]
    return (f"Nine models on {max(both):,} touches take {_short(ours['wall_s'])} s, {ours['ratio']:.2f} times what the "
            f"best SQL by hand takes ({_short(sql['wall_s'])} s), and {_short(ours['cpu_s'])} processor seconds for "
            f"its {_short(sql['cpu_s'])}.")


def _rounds(runs: pd.DataFrame) -> str:
    n_rounds = runs[runs["name"].eq("ours")].groupby(["ids", "size"])["round"].nunique()
    return " to ".join(str(n) for n in sorted(set(n_rounds)))


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = f"{platform.system()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {python}, {packages}."


def _case(package: str, said: dict) -> str:
    if "error" in said:
        return f"| {package} | {said['error']} | | | | | | | |"
    wants = [", ".join(found) if isinstance(found, list) else f"{found}" for found in said.values()]
    return f"| {package} | {' | '.join(cell or 'none' for cell in wants)} |"


def _draw(figures: pd.DataFrame, to: Path) -> bool:
    """Draw wall time by touches, a line per contender, its name at its end."""
    import plotly.graph_objects as go
    times = figures.loc[figures["error"].isna(), "wall_s"].loc["int"].unstack("size")
    sizes = sorted(size for size in times if size > 1_000)
    times = times.loc[[name for name in DRAWN if name in times.index], sizes]
    if times.shape[1] < 2:
        return False
    figure = go.Figure()
    for name, row in times.iterrows():
        _, colour, width = DRAWN[name]
        figure.add_scatter(x=row.index, y=row, mode="lines+markers", line={"color": colour, "width": width},
                           marker={"size": 7}, connectgaps=True)
    for name, x, y in _label_places(times):
        text, colour, _ = DRAWN[name]
        figure.add_annotation(x=x, y=y, text=text, font={"color": colour, "size": 15}, showarrow=False,
                              xanchor="left", xshift=10, bgcolor="rgba(255, 255, 255, 0.85)")
    _lay_out(figure, times, _title(figures.loc[("int", "ours"), "ratio"].dropna()))
    figure.write_image(to, scale=1.5)
    return True


def _lay_out(figure, times: pd.DataFrame, title: str) -> None:
    figure.update_layout(template="simple_white", showlegend=False, width=1200, height=720, margin={"r": 60, "t": 90},
                         font={"size": 15}, title={"text": title, "font": {"size": 21}})
    first, last = np.log10(times.columns[[0, -1]])
    ends = [first - 0.03 * (last - first), last + 0.4 * (last - first)]
    figure.update_xaxes(type="log", title="touches", range=ends, tickvals=list(times.columns),
                        ticktext=[f"{size:,}" for size in times.columns])
    figure.update_yaxes(type="log", title="seconds, from files to credit (median)", showgrid=True, dtick=1)


def _label_places(times: pd.DataFrame) -> Iterator[tuple[str, float, float]]:
    """Put each name at its line's end, moved up where one below it is too near (log10 seconds)."""
    ends = [(row.last_valid_index(), np.log10(row[row.last_valid_index()]), name) for name, row in times.iterrows()]
    gap, last = 0.04 * np.log10(times.max().max() / times.min().min()), {}
    for size, height, name in sorted(ends):
        last[size] = max(height, last.get(size, -np.inf) + gap)
        yield name, np.log10(size), last[size]


def _title(ratios: pd.Series) -> str:
    told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return (f"Nine models at once take {told} times as long as SQL by hand, size by size<br>"
            "<sup>Thin lines: a single model of each peer, on journeys ready-made, which took the longer part</sup>")
