"""One run of one contender, in a process of its own: python contenders.py NAME FOLDER [file for the result]

Prints a line of JSON: seconds of the import, of the whole work and of the model's calls alone, processor seconds, peak
memory and that before the work (MiB). Runs under a peer's Python too: nothing but that peer is imported there.
"""

import json
import resource
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from time import perf_counter

NINE = ["first_touch", "last_touch", "linear", "time_decay", "u_shaped", "w_shaped", "full_path", "j_shaped",
        "inverse_j"]
DAY_MICROSECONDS = 86_400_000_000
Work = Callable[[Callable[[], None]], object]        # calls what it is given once the model's input is there


def ours(folder: Path) -> Work:
    """Share nine models' credit in doubles, from the two files."""
    from attribution.credit import credit_by_campaign
    return _shared(credit_by_campaign, folder, to_the_cent=False)


def ours_to_the_cent(folder: Path) -> Work:
    """Share nine models' credit, each conversion's to the cent."""
    from attribution.credit import credit_by_campaign
    return _shared(credit_by_campaign, folder)


def _shared(credit_by_campaign: Callable, folder: Path, **options) -> Work:
    import pyarrow.dataset  # noqa: F401, which reads Parquet
    return lambda ready: credit_by_campaign(str(folder / "touches.parquet"), str(folder / "conversions.parquet"), NINE,
                                            linking="account", lookback_days=90, **options)


def ours_from_frames(folder: Path) -> Work:
    """Share nine models' credit from pandas' frames, twice: the first call finds nothing prepared."""
    from attribution.credit import credit_by_campaign

    def work(ready):
        import pandas as pd
        touches, conversions = (pd.read_parquet(folder / f"{name}.parquet") for name in ("touches", "conversions"))
        for _ in range(2):
            ready()
            credit_by_campaign(touches, conversions, NINE, linking="account", lookback_days=90)
    return work


def ours_in_4_gb(folder: Path) -> Work:
    """Share nine models' credit in doubles, in parts within 4 GB."""
    from attribution.outofcore import credit_by_campaign
    return _shared(credit_by_campaign, folder, to_the_cent=False, memory_gb=4)


def sql(folder: Path) -> Work:
    """Run engine.sql in DuckDB."""
    return _sql(folder, {})


def sql_in_4_gb(folder: Path) -> Work:
    """Run engine.sql in DuckDB within 4 GB."""
    return _sql(folder, {"memory_limit": "4GB", "temp_directory": str(folder / "spill")})


def _sql(folder: Path, config: dict) -> Work:
    import duckdb
    import pandas  # noqa: F401, which DuckDB imports when asked for a frame
    query = Path(__file__).with_name("engine.sql").read_text().format(folder=folder)
    return lambda ready: duckdb.connect(config=config).sql(query).df()


def journeys(folder: Path) -> Work:
    """Write the peers' input: the join, the look-back and the order, by DuckDB."""
    from data import make_journeys
    return lambda ready: make_journeys(folder)


def floor_numpy(folder: Path) -> Work:
    """Read three columns, sort by account and day packed into one integer, count by campaign."""
    import numpy as np
    import pyarrow.dataset  # noqa: F401, which reads Parquet
    import pyarrow.parquet as pq

    def work(ready):
        columns = pq.read_table(folder / "touches.parquet", columns=["account_id", "touched_at", "campaign_id"])
        account, moment, campaign = (column.cast("int64").to_numpy() for column in columns.columns)
        packed = np.sort(account << 40 | moment // DAY_MICROSECONDS << 20 | campaign)
        return np.bincount(packed & (1 << 20) - 1)
    return work


def floor_polars(folder: Path) -> Work:
    """Read three columns, sort by account and time, count by campaign."""
    import polars as pl

    def work(ready):
        touches = pl.read_parquet(folder / "touches.parquet", columns=["account_id", "touched_at", "campaign_id"])
        return touches.sort("account_id", "touched_at").group_by("campaign_id").len()
    return work


def channelattribution(folder: Path) -> Work:
    """First, last and linear, which it only gives together."""
    import ChannelAttribution
    return _with_paths(folder, ">", lambda paths: lambda: ChannelAttribution.heuristic_models(
        paths, "path", "n", var_value="value", flg_pro=False))


def mta_last(folder: Path) -> Work:
    """Last touch: the fastest of its models."""
    return _mta(folder, lambda model: model.last_touch())


def mta_rules(folder: Path) -> Work:
    """First, last, linear, position based and time decay by rank."""
    return _mta(folder, lambda model: model.first_touch().last_touch().linear(share="proportional").position_based()
                .time_decay())


def _mta(folder: Path, call: Callable) -> Work:
    from mta.mta import MTA

    def prepare(paths):
        told = paths.rename(columns={"value": "total_conversions"}).assign(total_null=0)
        model = MTA(told, allow_loops=True, add_timepoints=False)
        return lambda: call(model)
    return _with_paths(folder, " > ", prepare)


def pychattr_first(folder: Path) -> Work:
    """First touch alone."""
    return _pychattr(folder, last_touch=False, linear_touch=False)


def pychattr_rules(folder: Path) -> Work:
    """First, last and linear."""
    return _pychattr(folder)


def _pychattr(folder: Path, **options) -> Work:
    from pychattr.channel_attribution import HeuristicModel
    model = HeuristicModel("path", "n", revenue_feature="value", ensemble_results=False, **options)
    return _with_paths(folder, ">>>", lambda paths: lambda: model.fit(paths.astype({"path": object})))


def mam_last(folder: Path) -> Work:
    """Last click: the fastest of its models."""
    return _mam(folder, lambda model: model.run_last_click())


def mam_rules(folder: Path) -> Work:
    """First, last, linear, position based and time decay."""
    return _mam(folder, lambda model: [model.run_first_click(), model.run_last_click(), model.run_linear(),
                                       model.run_position_based(), model.run_time_decay(half_life_hours=720)])


def _mam(folder: Path, call: Callable) -> Work:
    import polars as pl
    from mam import MAM

    def work(ready):
        model = MAM(pl.read_parquet(folder / "journeys.parquet"), "session", "channel", "is_last",
                    datetime_colname="touched_at", user_id_colname="conversion_id", conversion_value_colname="value")
        ready()
        return call(model)
    return work


def shapley_attribution_first(folder: Path) -> Work:
    """First touch of conversions counted, without money: the fastest of its models."""
    return _shapley_attribution(folder, ["FirstTouchAttribution"])


def shapley_attribution_rules(folder: Path) -> Work:
    """First, last, linear, position based and time decay by rank, of conversions counted."""
    return _shapley_attribution(folder, ["FirstTouchAttribution", "LastTouchAttribution", "LinearAttribution",
                                         "PositionBasedAttribution", "TimeDecayAttribution"])


def _shapley_attribution(folder: Path, names: list[str]) -> Work:
    from shapley_attribution import baselines

    def prepare(paths):
        lists = [path.split(">") for path in paths["path"]]
        return lambda: [getattr(baselines, name)(normalize=False).fit(lists) for name in names]
    return _with_paths(folder, ">", prepare)


def _with_paths(folder: Path, separator: str, prepare: Callable) -> Work:
    """Read the journeys, a path per conversion as text, its value and n, one conversion; prepare, and call."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset  # noqa: F401, which reads Parquet
    import pyarrow.parquet as pq

    def work(ready):
        journeys = pq.read_table(folder / "journeys.parquet", columns=["channel", "is_last", "value"]).combine_chunks()
        ends = pc.indices_nonzero(journeys["is_last"]).cast("int64")
        offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.add(ends, 1)])
        channels = pa.LargeListArray.from_arrays(offsets, journeys["channel"].chunk(0))
        call = prepare(pd.DataFrame({"path": pc.binary_join(channels, separator).to_pandas(),
                                     "value": journeys["value"].take(ends).to_pandas(), "n": 1}))
        ready()
        return call()
    return work


def _memory(line: str) -> float:
    """Read a line of /proc/self/status, in MiB: VmRSS, memory now, or VmHWM, the most so far."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split(line + ":")[1].split()[0]) / 2**10


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def run(name: str, folder: Path, to: Path | None) -> dict:
    """Run a contender on a folder of data, and say what it took."""
    start = perf_counter()
    work = globals()[name](folder)
    begun, laps, before, cpu = perf_counter(), [], _memory("VmRSS"), _cpu()
    result = work(lambda: laps.append(perf_counter()))
    ended = perf_counter()
    calls = [end - ready for ready, end in pairwise([*laps, ended])]
    figures = {"import_s": begun - start, "wall_s": ended - begun, "calls_s": calls,
               "cpu_s": _cpu() - cpu, "before_mib": before, "peak_mib": _memory("VmHWM")}
    if to:
        result.to_parquet(to)
    return figures


if __name__ == "__main__":
    name, folder, *to = sys.argv[1:]
    print(json.dumps(run(name, Path(folder), Path(to[0]) if to else None)))
