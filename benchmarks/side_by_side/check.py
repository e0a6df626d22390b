"""Do the figures agree? The query and the package, with each other and with the tests' plain loops."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from .contenders import NINE
from .data import read_rows

HALF_A_CENT = 0.00501                                # to which our sums in doubles are rounded
NOBODY = "nobody"                                    # in the place of a null campaign


def check_figures(folder: Path) -> None:
    """Hold what the package said against the query, where both have run; to the cent, a touch may be a cent off.

    Raises SystemExit that counts the rows in which they differ.
    """
    if not (folder / "sql.credit").exists():
        return
    sql = _read(folder / "sql.credit")["credit"]
    for path in sorted(folder.glob("*.credit")):
        said = _read(path)
        slack = 0.01 * said["n_conversions"] if path.stem == "ours_to_the_cent" else HALF_A_CENT
        _compare(said["credit"], sql, slack, f"{path.stem} and sql in {folder.name}")


def check_by_hand(folder: Path) -> None:
    """Hold the query and the package against plain loops and exact fractions: doubles nearly, cents exactly.

    Raises SystemExit that counts the rows in which they differ.
    """
    exact, cents = _by_hand(read_rows(folder))
    for name in ("ours", "sql"):
        slack = 1e-6 if name == "sql" else HALF_A_CENT
        _compare(_read(folder / f"{name}.credit")["credit"], exact, slack, f"{name} and plain loops")
    _compare(_read(folder / "ours_to_the_cent.credit")["credit"], cents, 1e-6, "ours_to_the_cent and plain loops")


def _by_hand(company: dict[str, list[dict]]) -> tuple[pd.Series, pd.Series]:
    sys.path.append(str(Path(__file__).parents[2] / "tests"))
    import oracle
    said = []
    for deal in company["conversions"]:
        rows = oracle.journey(deal, company["touches"], [], "account", 90, "UTC")
        for model in NINE:
            shares = oracle.weights(rows, model, "ours") if rows else [1]
            cents = oracle.split(deal["cents"], shares)
            campaigns = [str(touch["campaign_id"]) for touch in rows] or [NOBODY]
            said += [(model, campaign, float(deal["cents"] * share) / 100, part / 100)
                     for campaign, share, part in zip(campaigns, shares, cents, strict=True)]
    table = pd.DataFrame(said, columns=["model", "campaign_id", "exact", "credit"])
    summed = table.groupby(["model", "campaign_id"]).sum()
    return summed["exact"], summed["credit"]


def _read(path: Path) -> pd.DataFrame:
    table = pd.read_parquet(path)
    ids = table["campaign_id"]
    known = ids.astype("Int64").astype("str") if ids.dtype.kind in "if" else ids
    return table.assign(campaign_id=known.fillna(NOBODY)).set_index(["model", "campaign_id"])


def _compare(said: pd.Series, told: pd.Series, slack: pd.Series | float, which: str) -> None:
    said, told = said.align(told)
    is_off = ~(np.abs(said - told) <= slack + 1e-9 * np.abs(told))
    if is_off.any() or said.empty:
        first = said.index[is_off][:1].tolist()
        raise SystemExit(f"{which} differ in {is_off.sum():,} of {len(is_off):,} rows (first: {first})")
