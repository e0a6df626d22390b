"""Time the kernel on Spark against Spark's own SQL: python benchmarks/spark.py [n_touches [n_runs]]

The touches of kernel.py as Parquet, two cores of one machine (local[2]), five models. The SQL is one window over the
join and sums by campaign, without cents. Needs PySpark and Java 17 or later.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import pyarrow as pa
import pyarrow.parquet
from kernel import make_tables

from attribution.spark import credit_by_campaign

MODELS = ["first_touch", "last_touch", "linear", "time_decay", "j_shaped"]
N_FILES, LOOKBACK_DAYS = 8, 90
SQL = f"""
with met as (
    select conversion_id, value, campaign_id, position, n,
           pow(2, (touched - last) / (30 * 86400e6)) as decay
    from (
        select c.conversion_id, c.value, t.campaign_id, t.touched,
               row_number() over (partition by c.conversion_id order by t.touched, t.touch_id) as position,
               count(*) over (partition by c.conversion_id) as n,
               max(t.touched) over (partition by c.conversion_id) as last
        from (select *, unix_micros(converted_at) as high, unix_micros(date_trunc('day', converted_at))
                        - {LOOKBACK_DAYS} * 86400000000 as low from conversions) c
        join (select *, unix_micros(touched_at) as touched from touches) t
          on t.account_id = c.account_id and t.touched between c.low and c.high)),
shares as (
    select campaign_id, value, double(position = 1) as first_touch, double(position = n) as last_touch,
           1 / n as linear, decay / sum(decay) over (partition by conversion_id) as time_decay,
           case when n = 1 then 1d when n = 2 then if(position = 1, 0.25d, 0.75d)
                when position = 1 then 0.2d when position = n then 0.6d else 0.2d / (n - 2) end as j_shaped
    from met)
select campaign_id, {", ".join(f"sum(value * {model}) as {model}" for model in MODELS)} from shares group by campaign_id
"""


def start_spark():
    """Start Spark on two cores of this machine."""
    from pyspark.sql import SparkSession
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    options = {"spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
               "spark.sql.shuffle.partitions": "4", "spark.sql.session.timeZone": "UTC", "spark.driver.memory": "4g",
               "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
    return SparkSession.builder.master("local[2]").config(map=options).getOrCreate()


def write_parquet(table, folder: Path) -> str:
    """Write a table as several files, as a cluster would have it."""
    folder.mkdir()
    rows = pa.Table.from_pandas(table.astype({"person_id": "str"}), preserve_index=False)
    size = -(-len(rows) // N_FILES)
    for i in range(N_FILES):
        pa.parquet.write_table(rows.slice(i * size, size), folder / f"{i}.parquet")
    return str(folder)


def time_runs(function, n_runs: int) -> tuple[list[float], pa.Table]:
    """Run a function some times: the seconds of each, and what came out."""
    seconds = []
    for _ in range(n_runs):
        start = perf_counter()
        table = function().toArrow()
        seconds.append(perf_counter() - start)
    return seconds, table


def check_equal(ours: pa.Table, theirs: pa.Table) -> None:
    """Hold every campaign's credit under each model against the SQL's, which lacks only the rounding to cents."""
    credit = ours.to_pandas().dropna().pivot(index="campaign_id", columns="model", values="credit")
    gap = (credit - theirs.to_pandas().set_index("campaign_id")).abs().to_numpy().max()
    assert gap < 1, f"the two differ by {gap}"


def main(n_touches: int, n_runs: int) -> None:
    """Print the table of benchmarks/README.md."""
    with TemporaryDirectory() as folder:
        tables = make_tables(n_touches, n_touches // 20, n_touches * 3 // 20)
        paths = [write_parquet(table, Path(folder, name))
                 for table, name in zip(tables, ("touches", "conversions"), strict=True)]
        spark = start_spark()
        touches, conversions = (spark.read.parquet(path) for path in paths)
        touches.createOrReplaceTempView("touches")
        conversions.createOrReplaceTempView("conversions")
        theirs, table = time_runs(lambda: spark.sql(SQL), n_runs)
        ours, credit = time_runs(
            lambda: credit_by_campaign(touches, conversions, MODELS, lookback_days=LOOKBACK_DAYS), n_runs)
        check_equal(credit, table)
    print(f"| {n_touches:,} touches, 5 models | s, run by run | best, to Spark's SQL |\n|---|---|---|")
    for what, seconds in (("Spark's SQL", theirs), ("attribution.spark", ours)):
        print(f"| {what} | {', '.join(f'{each:.1f}' for each in seconds)} | {min(seconds) / min(theirs):.2f} |")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *[1_000_000, 3][len(given):])
