"""What a peer makes of cases with a known answer, under its own Python: python cases.py PACKAGE

Prints a line of JSON: what it says of three campaigns that share 100.00, of A met three times and B once, and of a
conversion that nothing touched; and which of its options, by their names, ask for what the others' table lists.
"""

import contextlib
import importlib
import inspect
import io
import json
import pkgutil
import re
import sys

THREE, REPEATED, UNTOUCHED = ["A > B > C"], ["A > A > A > B"], ["A > B", ""]
WANTED = {"look-back": r"look_?back|window", "milestones": r"lead|opportunity|milestone",
          "decay by time": r"half_?life", "campaign tree": r"parent|tree|hierarch|roll_?up"}


def channelattribution(paths: list[str], values: list[float]) -> dict:
    """Linear, by channel."""
    import ChannelAttribution
    import pandas as pd
    table = ChannelAttribution.heuristic_models(pd.DataFrame({"path": paths, "n": 1, "value": values}), "path", "n",
                                                var_value="value", flg_pro=False)
    return dict(zip(table["channel_name"], table["linear_touch_value"], strict=True))


def mta(paths: list[str], values: list[float]) -> dict:
    """Linear, by channel, as shares of the whole."""
    import pandas as pd
    from mta.mta import MTA
    table = pd.DataFrame({"path": paths, "total_conversions": values, "total_null": 0})
    return MTA(table, allow_loops=True, add_timepoints=False).linear().attribution["linear"]


def marketing_attribution_models(paths: list[str], values: list[float]) -> dict:
    """Linear, by channel."""
    import polars as pl
    from mam import MAM
    table = pl.DataFrame({"path": paths, "n": 1, "is_won": True, "value": values})
    model = MAM(table, "grouped_journey", "path", "is_won", occurrences_colname="n", conversion_value_colname="value")
    return dict(model.run_linear().to_polars().iter_rows())


def pychattr(paths: list[str], values: list[float]) -> dict:
    """Linear, by channel."""
    import pandas as pd
    from pychattr.channel_attribution import HeuristicModel
    table = pd.DataFrame({"path": paths, "n": 1, "value": values}).astype({"path": object})
    model = HeuristicModel("path", "n", revenue_feature="value", separator=" > ", ensemble_results=False).fit(table)
    return dict(model.attribution_model_[["channel", "linear_touch_revenue"]].itertuples(index=False))


def do_attribution(paths: list[str], values: list[float]) -> dict:
    """Markov, by channel, as shares of the whole: it has no linear model and takes no money."""
    from do_attribution import MarkovAttribution
    return MarkovAttribution(order=1).fit(paths, [1] * len(paths))["attribution"]


def shapley_attribution(paths: list[str], values: list[float]) -> dict:
    """Linear, by channel, of conversions counted: it takes no money."""
    from shapley_attribution.baselines import LinearAttribution
    return LinearAttribution(normalize=False).fit([path.split(" > ") for path in paths]).get_attribution()


MODULES = {"channelattribution": "ChannelAttribution", "marketing_attribution_models": "mam"}


def _ask(package: str, paths: list[str], values: list[float]) -> str:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            said = globals()[package](paths, values)
    except Exception as error:                       # whatever a peer raises is its answer
        return f"{type(error).__name__}: {error}".splitlines()[0][:100]
    return ", ".join(f"{name or '(none)'} {float(part):.6g}" for name, part in sorted(said.items()))


def _options(package: str) -> set[str]:
    """Name every parameter of the package's public functions, classes and methods."""
    module = importlib.import_module(MODULES.get(package, package))
    for about in pkgutil.walk_packages(module.__path__, module.__name__ + "."):
        with contextlib.suppress(Exception):         # parts that need what is not installed
            importlib.import_module(about.name)
    parts = [part for name, part in sys.modules.items() if name.split(".")[0] == module.__name__]
    public = [thing for part in parts for name, thing in vars(part).items() if callable(thing) and name[0] != "_"]
    public += [method for thing in public if inspect.isclass(thing)
               for name, method in inspect.getmembers(thing, callable) if name[0] != "_" or name == "__init__"]
    ours = [thing for thing in public if str(getattr(thing, "__module__", "")).split(".")[0] == module.__name__]
    return {parameter for thing in ours if (signature := _signature(thing)) for parameter in signature.parameters}


def _signature(thing) -> inspect.Signature | None:
    with contextlib.suppress(TypeError, ValueError):
        return inspect.signature(thing)
    return None


if __name__ == "__main__":
    package = sys.argv[1].replace("-", "_")
    options = _options(package)
    print(json.dumps({
        "100.00 over A, B, C": _ask(package, THREE, [100.0]), "A, A, A, B": _ask(package, REPEATED, [1.0]),
        "A, B for 1, then none for 5": _ask(package, UNTOUCHED, [1.0, 5.0]), "n_options": len(options)} | {
        want: sorted(option for option in options if re.search(pattern, option)) for want, pattern in WANTED.items()}))
