"""Made-up touches and conversions as Parquet, the same bytes for the same size, written a million rows at a time.

20 touches and 3 conversions an account, 5,000 campaigns, two years: touches fall on days (a fifth of them bare
memberships), conversions at moments. A lead is made 60 days, an opportunity 30 days before its conversion; whose lead
it was is not known. Ids are whole numbers, as in a warehouse, or text of 18 characters, as in a CRM.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

IDS = ("int", "text")
PREFIXES = {"touch_id": "00v", "person_id": "003", "account_id": "001", "campaign_id": "701", "conversion_id": "006"}
N_CAMPAIGNS, TOUCHES_EACH, CONVERSIONS_EACH = 5_000, 20, 3
ROWS = 1_000_000                                     # in a row group
START, DAY, DAYS = 1_700_006_400_000_000, 86_400_000_000, 730          # 2023-11-15 in microseconds UTC
SHUFFLE = 736_878_713                                # a prime: touch ids in no order, each once

JOURNEYS = """
copy (
    with journeys as (
        select c.conversion_id, t.campaign_id, t.touched_at, c.value,
               row_number() over (partition by c.conversion_id
                                  order by t.touched_at desc, t.kind <> 'response' desc, t.touch_id desc) as place
        from '{folder}/touches.parquet' t join '{folder}/conversions.parquet' c on t.account_id = c.account_id
         and t.touched_at <= c.converted_at
         and epoch_us(t.touched_at) // 86400000000 >= epoch_us(c.converted_at) // 86400000000 - 90)
    select conversion_id, campaign_id::varchar as channel, touched_at, place = 1 as is_last,
           case when place = 1 then value else 0 end as value
    from journeys order by conversion_id, place desc
) to '{to}' (format parquet)
"""


def make_data(folder: Path, n_touches: int, ids: str = "int") -> Path:
    """Write touches.parquet and conversions.parquet into a folder of its own, unless they are there; return it."""
    folder = folder / f"{ids}-{n_touches}"
    folder.mkdir(parents=True, exist_ok=True)
    n_accounts = max(n_touches // TOUCHES_EACH, 1)
    _write(folder / "touches.parquet", n_touches, ids, _touches(n_touches, n_accounts))
    _write(folder / "conversions.parquet", n_accounts * CONVERSIONS_EACH, ids, _conversions(n_accounts))
    return folder


def make_journeys(folder: Path) -> None:
    """Write journeys.parquet, a row per touch of a journey, in order: the join and the look-back that peers lack."""
    import duckdb
    part = folder / "journeys.part"
    with duckdb.connect(config={"temp_directory": str(folder / "spill")}) as connection:
        connection.execute(JOURNEYS.format(folder=folder, to=part))
    part.rename(folder / "journeys.parquet")


def _write(path: Path, n_rows: int, ids: str, make: Callable[[np.random.Generator, np.ndarray], dict]) -> None:
    """Write the chunks under another name first, so that a file that is there is whole."""
    if path.exists():
        return
    part = path.with_suffix(".part")
    chunks = (pa.table({name: _column(name, values, ids) for name, values in make(random, rows).items()})
              for random, rows in _chunks(n_rows))
    first = next(chunks)
    with pq.ParquetWriter(part, first.schema) as writer:
        writer.write_table(first)
        for chunk in chunks:
            writer.write_table(chunk)
    part.rename(path)


def _chunks(n_rows: int) -> Iterator[tuple[np.random.Generator, np.ndarray]]:
    for first in range(0, n_rows, ROWS):
        yield np.random.default_rng([n_rows, first]), np.arange(first, min(first + ROWS, n_rows))


def _touches(n_touches: int, n_accounts: int) -> Callable[[np.random.Generator, np.ndarray], dict]:
    def make(random: np.random.Generator, rows: np.ndarray) -> dict:
        account = random.integers(0, n_accounts, len(rows))
        return {"touch_id": rows * SHUFFLE % n_touches, "person_id": account * 3 + random.integers(0, 3, len(rows)),
                "account_id": account, "campaign_id": random.integers(0, N_CAMPAIGNS, len(rows)),
                "touched_at": START + random.integers(0, DAYS, len(rows)) * DAY,
                "kind": np.where(random.random(len(rows)) < 0.2, "membership", "response")}
    return make


def _conversions(n_accounts: int) -> Callable[[np.random.Generator, np.ndarray], dict]:
    def make(random: np.random.Generator, rows: np.ndarray) -> dict:
        converted_at, nobody = START + random.integers(0, DAYS * DAY, len(rows)), np.full(len(rows), None)
        return {"conversion_id": rows, "account_id": random.integers(0, n_accounts, len(rows)), "person_id": nobody,
                "converted_at": converted_at, "value": random.integers(1, 10**8, len(rows)) / 100,
                "lead_created_at": converted_at - 60 * DAY, "lead_person_id": nobody,
                "opportunity_created_at": converted_at - 30 * DAY}
    return make


def _column(name: str, values: np.ndarray, ids: str) -> pa.Array:
    if name.endswith("_at"):
        return pa.array(values).cast(pa.timestamp("us", "UTC"))
    if values.dtype == object:
        return pa.array(values, pa.int64() if ids == "int" else pa.string())
    if name not in PREFIXES or ids == "int":
        return pa.array(values)
    digits = pc.utf8_lpad(pa.array(values).cast(pa.string()), 18 - len(PREFIXES[name]), "0")
    return pc.binary_join_element_wise(PREFIXES[name], digits, "")


def read_rows(folder: Path) -> dict[str, list[dict]]:
    """Read small data as the rows that the tests' plain loops take."""
    rows = {name: pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("touches", "conversions")}
    return rows | {"conversions": [row | {"cents": round(row["value"] * 100)} for row in rows["conversions"]]}
