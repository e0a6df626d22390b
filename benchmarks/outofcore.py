"""Time credit from touches larger than memory against SQL: python benchmarks/outofcore.py [n_touches] [--ids text]

20 touches and 3 conversions an account, 5,000 campaigns, a look-back of 90 days, nine rule models. Both read the same
Parquet files within 4 GB, each in a process of its own; the SQL is DuckDB's, by hand, one window pass, without cents.
"""

import argparse
import multiprocessing
import resource
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

START, DAY, CHUNK = 1_700_000_000_000_000, 86_400_000_000, 1_000_000
MODELS = ["first_touch", "last_touch", "linear", "time_decay", "u_shaped", "w_shaped", "full_path", "j_shaped",
          "inverse_j"]

SQL = """
WITH deals AS (
    SELECT row_number() OVER () AS deal, account_id, value, epoch_us(converted_at) AS until,
           (epoch_us(converted_at) // 86400000000 - 90) * 86400000000 AS since,
           (epoch_us(lead_created_at) // 86400000000 + 1) * 86400000000 AS lead_end,
           (epoch_us(opportunity_created_at) // 86400000000 + 1) * 86400000000 AS opportunity_end
    FROM '{folder}/conversions.parquet'),
met AS (
    SELECT deal, value, campaign_id, epoch_us(touched_at) AS moment, kind, touch_id, lead_end, opportunity_end,
           pow(2.0::DOUBLE, -(until - epoch_us(touched_at)) / (30 * 86400000000.0::DOUBLE)) AS decay
    FROM '{folder}/touches.parquet' JOIN deals USING (account_id)
    WHERE epoch_us(touched_at) BETWEEN since AND until),
placed AS (
    SELECT value, campaign_id, row_number() OVER (PARTITION BY deal ORDER BY moment, kind, touch_id) AS place,
           count(*) OVER journey AS n, decay / sum(decay) OVER journey AS decay,
           count(*) FILTER (moment < lead_end) OVER journey AS lead,
           count(*) FILTER (moment < opportunity_end) OVER journey AS opportunity
    FROM met WINDOW journey AS (PARTITION BY deal)),
held AS (
    SELECT value, campaign_id, n, decay,
           (place = 1)::INT AS f, (place = lead)::INT AS l, (place = opportunity)::INT AS o,
           (place = n)::INT AS z, (lead > 0)::INT AS any_l, (opportunity > 0)::INT AS any_o,
           n - 1 - (n > 1)::INT AS rest_j,
           n - 1 - (lead > 1)::INT AS rest_u, rest_u - (opportunity > 1 AND opportunity <> lead)::INT AS rest_w,
           rest_w - (n > 1 AND n <> lead AND n <> opportunity)::INT AS rest_f
    FROM placed)
SELECT campaign_id, sum(value * f) AS first_touch, sum(value * z) AS last_touch, sum(value / n) AS linear,
    sum(value * decay) AS time_decay,
    sum(value * (40 * f + 40 * l + if(f + l = 0, 20.0::DOUBLE / rest_u, 0)) / (40 + 40 * any_l + if(rest_u > 0, 20, 0))
        ) AS u_shaped,
    sum(value * (30 * (f + l + o) + if(f + l + o = 0, 10.0::DOUBLE / rest_w, 0))
        / (30 + 30 * (any_l + any_o) + if(rest_w > 0, 10, 0))) AS w_shaped,
    sum(value * (22.5::DOUBLE * (f + l + o + z) + if(f + l + o + z = 0, 10.0::DOUBLE / rest_f, 0))
        / (45 + 22.5::DOUBLE * (any_l + any_o) + if(rest_f > 0, 10, 0))) AS full_path,
    sum(value * (20 * f + 60 * z + if(f + z = 0, 20.0::DOUBLE / rest_j, 0)) / (80 + if(rest_j > 0, 20, 0))) AS j_shaped,
    sum(value * (60 * f + 20 * z + if(f + z = 0, 20.0::DOUBLE / rest_j, 0)) / (80 + if(rest_j > 0, 20, 0))) AS inverse_j
FROM held GROUP BY campaign_id
"""


def ids(prefix: str, numbers: np.ndarray, kind: str) -> pa.Array:
    """Make ids: integers, as a warehouse has them, or text of 18 characters, as a CRM has."""
    if kind == "int":
        return pa.array(numbers)
    digits = np.char.zfill(numbers.astype("S15"), 15)
    return pa.array(np.char.add(prefix.encode(), digits)).cast(pa.string())


def moments(microseconds: np.ndarray) -> pa.Array:
    """Make UTC moments."""
    return pa.array(microseconds).cast(pa.timestamp("us", "UTC"))


def make_touches(random: np.random.Generator, first: int, n: int, n_accounts: int, kind: str) -> pa.Table:
    """Make touches on days of two years, evenly over accounts."""
    account = random.integers(0, n_accounts, n)
    return pa.table({
        "touch_id": ids("00v", first + random.permutation(n), kind), "account_id": ids("001", account, kind),
        "person_id": ids("003", account * 3 + random.integers(0, 3, n), kind),
        "campaign_id": ids("701", random.integers(0, 5_000, n), kind),
        "touched_at": moments(START + random.integers(0, 730, n) * DAY), "kind": pa.array(["response"] * n)})


def make_conversions(random: np.random.Generator, first: int, n: int, n_accounts: int, kind: str) -> pa.Table:
    """Make conversions at moments of two years, evenly over accounts."""
    at = START + random.integers(0, 730 * DAY, n)
    return pa.table({
        "conversion_id": ids("006", first + np.arange(n), kind), "converted_at": moments(at),
        "account_id": ids("001", random.integers(0, n_accounts, n), kind), "person_id": pa.nulls(n, pa.string()),
        "value": random.integers(1, 10**8, n) / 100, "lead_created_at": moments(at - 60 * DAY),
        "opportunity_created_at": moments(at - 30 * DAY)})


def make_files(folder: str, n_touches: int, kind: str) -> None:
    """Write both tables, a chunk in memory at a time; the same rows every time."""
    n_accounts = max(n_touches // 20, 1)
    for name, make, n in (("touches", make_touches, n_touches), ("conversions", make_conversions, n_touches * 3 // 20)):
        random, writer = np.random.default_rng(0), None
        for first in range(0, n, CHUNK):
            table = make(random, first, min(CHUNK, n - first), n_accounts, kind)
            writer = writer or pyarrow.parquet.ParquetWriter(Path(folder, f"{name}.parquet"), table.schema)
            writer.write_table(table)
        writer.close()


def run_ours(folder: str, to_the_cent: bool) -> pd.Series:
    """Share credit, and return each model's sum by campaign."""
    from attribution.outofcore import credit_by_campaign
    paths = (Path(folder, f"{name}.parquet") for name in ("touches", "conversions"))
    table = credit_by_campaign(*paths, MODELS, linking="account", lookback_days=90, to_the_cent=to_the_cent)
    return table.dropna(subset="campaign_id").set_index(["model", "campaign_id"])["credit"]


def run_sql(folder: str, _: bool) -> pd.Series:
    """Do the same in SQL."""
    import duckdb
    with duckdb.connect(config={"memory_limit": "4GB", "temp_directory": str(Path(folder, "spilled"))}) as database:
        table = database.execute(SQL.format(folder=folder)).df()
    table["campaign_id"] = table["campaign_id"].astype("str")
    return table.set_index("campaign_id").unstack().rename_axis(["model", "campaign_id"])


def measure(function, *arguments) -> tuple[float, float, float, pd.Series]:
    """Run in a fresh process: wall seconds, processor seconds, peak MiB, and what came out."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (function, *arguments))


def _measured(function, *arguments) -> tuple[float, float, float, pd.Series]:
    start = perf_counter()
    result = function(*arguments)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**10, result


def main(n_touches: int, kind: str) -> None:
    """Print the table of benchmarks/README.md."""
    runs = {"DuckDB SQL by hand": (run_sql, False), "ours": (run_ours, False), "ours, to the cent": (run_ours, True)}
    print(f"| {n_touches:,} touches, {kind} ids | s | processor s | peak MiB | to SQL |\n|---|---|---|---|---|")
    with TemporaryDirectory() as folder:
        make_files(folder, n_touches, kind)
        for name, (function, to_the_cent) in runs.items():
            seconds, processor, peak, credit = measure(function, folder, to_the_cent)
            if function is run_sql:
                by_sql, expected = seconds, credit
            gap = (credit - expected).abs().max()
            assert gap <= 0.01 * n_touches ** 0.5, f"{name}: {gap:.2f} from SQL"
            print(f"| {name} | {seconds:.2f} | {processor:.1f} | {peak:,.0f} | {seconds / by_sql:.2f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n_touches", type=int, nargs="?", default=10_000_000)
    parser.add_argument("--ids", choices=["int", "text"], default="int")
    given = parser.parse_args()
    main(given.n_touches, given.ids)
