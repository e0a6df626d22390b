"""The kernel on a cluster: PySpark tables in, a PySpark table out, the same models and cents as on one machine.

What links a touch to a conversion (the person, the account or, by contact role, the deal) is hashed into groups, many
accounts in each; the two tables meet by group, and the kernel works in each as it does on one machine. Touches are
shuffled once, and only sums leave a group. Times are integers before Python sees them, so that the session's time zone
changes nothing.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import or_

import pandas as pd
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, NullType, NumericType, StringType, TimestampNTZType, TimestampType

from attribution import credit
from attribution.models import Model
from attribution.tables import TableError, to_cents

GROUPS_PER_PARTITION = 4                             # so that partitions come out about even
_TOUCH = ("touch_id", "campaign_id", "touched_at")
_TOUCHES = (*_TOUCH, "person_id", "account_id", "kind", "joined_at", "modified_at")
_MILESTONES = ("lead_created_at", "lead_person_id", "opportunity_created_at")
_CONVERSIONS = ("conversion_id", "account_id", "person_id", "converted_at", "value", *_MILESTONES)
_IDS = ("account_id", "person_id")
_ROLES = ("opportunity_id", "person_id")
_PERSON, _ACCOUNT, _DEAL = "p", "a", "d"             # the first letter of a link
_UTC = pa.timestamp("us", "UTC")
_SUMS = pa.schema({"model": pa.string(), "campaign_id": pa.string(), "cents": pa.int64(), "n_conversions": pa.int64()})


def credit_by_campaign(touches: DataFrame, conversions: DataFrame,
                       models: Sequence[str] | Mapping[str, Model] | None = None,
                       contact_roles: DataFrame | None = None, *, linking: str = "hybrid",
                       lookback_days: float | None = 365, time_zone: str = "UTC",
                       n_groups: int | None = None) -> DataFrame:
    """Set models side by side, by campaign, on a cluster.

    Returns the rows of attribution.credit_by_campaign, to the cent, in no order: model, campaign_id, credit (money),
    n_conversions. Times without a zone (TIMESTAMP_NTZ) are UTC. The work is cut into n_groups, 4 for each shuffle
    partition where left out; a group, and so the largest account, must fit into a Python worker's memory.
    Raises at once what attribution.credit_by_campaign raises for arguments, columns and their types. Rows are checked
    where they are read: a fault fails the job that asks for the result, and the last line of the error says what to
    do. An id that stands twice is found where both its rows fall into one group, as the copies of a row do.
    """
    how = {"models": models, "lookback_days": lookback_days, "time_zone": time_zone}
    nothing = [None if frame is None else _no_rows(frame) for frame in (touches, conversions, contact_roles)]
    credit.credit_by_campaign(*nothing[:2], contact_roles=nothing[2], linking=linking, **how)
    reads_memberships = not all(isinstance(model, str) for model in _list_models(models))
    linked = _link(touches, conversions, contact_roles, linking, reads_memberships)

    def sum_group(met: pa.Table, converted: pa.Table) -> pa.Table:
        sums = credit.credit_by_campaign(_read(met), _read(converted), linking="account", **how)
        return pa.Table.from_pandas(sums.assign(cents=to_cents(sums["credit"])), _SUMS, preserve_index=False)

    sums = _apply(sum_group, *linked, n_groups, "model string, campaign_id string, cents long, n_conversions long")
    return sums.groupBy("model", "campaign_id").agg(
        (F.sum("cents") / 100).alias("credit"), F.sum("n_conversions").alias("n_conversions"))


def _list_models(models: Sequence[str] | Mapping[str, Model] | None) -> list:
    return list(models.values() if isinstance(models, Mapping) else models or ())


def _no_rows(frame: DataFrame) -> pd.DataFrame:
    return pd.DataFrame({column: pd.Series(dtype=object) for column in frame.columns})


def _pick(frame: DataFrame, name: str, columns: Sequence[str]) -> DataFrame:
    """Take the columns that are there: ids as text, moments in microseconds UTC, money as a double."""
    return frame.select(*[_typed(F.col(column), frame.schema[column].dataType, name, column).alias(column)
                          for column in columns if column in frame.columns])


def _typed(column: Column, kind: DataType, table: str, name: str) -> Column:
    if name.endswith("_at"):
        if isinstance(kind, TimestampType):
            return F.unix_micros(column)
        wanted, to, words = TimestampNTZType, "timestamp_ntz", "a time. Read it as a time first"
    elif name == "value":
        wanted, to, words = NumericType, "double", "a number. Read it as a number first"
    else:
        wanted, to, words = StringType, "string", "text. Read ids as text, also such as look like numbers"
    if not isinstance(kind, wanted | NullType):
        raise TableError(f"{table}: {name} is {kind.simpleString()}, not {words}.")
    return column.cast(to)


def _link(touches: DataFrame, conversions: DataFrame, contact_roles: DataFrame | None, linking: str,
          reads_memberships: bool) -> tuple[DataFrame, DataFrame]:
    """Give conversions their link, and touches every link of a kind asked for; keep only what a group reads."""
    touches, conversions = _pick(touches, "touches", _TOUCHES), _pick(conversions, "conversions", _CONVERSIONS)
    roles = None if contact_roles is None or linking == "account" else _read_roles(contact_roles)
    conversions = _link_conversions(conversions, roles, linking)
    unread = ["account_id"] if {"lead_created_at", "lead_person_id"} <= {*conversions.columns} else _IDS
    touches = touches if reads_memberships else touches.drop("joined_at", "modified_at")
    return _link_touches(touches, conversions, roles).drop(*unread), conversions.drop(*_IDS)


def _read_roles(contact_roles: DataFrame) -> DataFrame:
    roles = _pick(contact_roles, "contact_roles", _ROLES)
    n_faulty = roles.where(F.isnull("opportunity_id") | F.isnull("person_id")).count()
    if n_faulty:
        raise TableError(f"contact_roles: opportunity_id or person_id is empty in {n_faulty:,} rows. Correct those rows "
                         "or leave them out.")
    return roles


def _link_conversions(conversions: DataFrame, roles: DataFrame | None, linking: str) -> DataFrame:
    by_role = F.lit(linking == "role")
    if roles is not None and linking == "hybrid":
        deals = roles.select(F.col("opportunity_id").alias("conversion_id"), F.lit(True).alias("has_role")).distinct()
        conversions, by_role = conversions.join(deals, "conversion_id", "left"), F.col("has_role")
    link = F.when(F.isnotnull("person_id"), _name_link(_PERSON, "person_id")).when(
        by_role, _name_link(_DEAL, "conversion_id")).otherwise(_name_link(_ACCOUNT, "account_id"))
    return conversions.withColumn("link", link).drop("has_role")


def _link_touches(touches: DataFrame, conversions: DataFrame, roles: DataFrame | None) -> DataFrame:
    """List each touch under every link of a kind asked for; without one only where a fault in it is to be found."""
    asked = {row[0] for row in conversions.select(F.substring("link", 1, 1)).distinct().collect()} - {None}
    links = [_name_link(kind, column) for kind, column in ((_PERSON, "person_id"), (_ACCOUNT, "account_id"))
             if kind in asked]
    if _DEAL in asked and roles is not None:
        touches = touches.join(_list_deals(conversions, roles), "person_id", "left")
        listed = F.concat(F.array(*links), F.coalesce("deals", F.array().cast("array<string>")))
    else:
        listed = F.array(*links).cast("array<string>")
    linked = touches.withColumn("link", links[0] if asked in ({_PERSON}, {_ACCOUNT}) else F.explode_outer(listed))
    if _DEAL in asked or len(asked) > 1:             # a group may hold the touch more than once
        under = F.coalesce(F.concat("link", F.lit(" ")), F.lit(""))
        linked = linked.withColumn("touch_id", F.concat(under, "touch_id"))
    return linked.where(F.isnotnull("link") | reduce(or_, (F.isnull(column) for column in _TOUCH)))


def _list_deals(conversions: DataFrame, roles: DataFrame) -> DataFrame:
    """List the links of the deals that each person has a role in, once each, of those that link by role."""
    deals = conversions.where(F.col("link").startswith(_DEAL)).select(F.col("conversion_id").alias("opportunity_id"))
    return roles.join(deals, "opportunity_id", "left_semi").groupBy("person_id").agg(
        F.collect_set(_name_link(_DEAL, "opportunity_id")).alias("deals"))


def _name_link(kind: str, column: str) -> Column:
    return F.concat(F.lit(kind), F.col(column))


def _apply(work: Callable, touches: DataFrame, conversions: DataFrame, n_groups: int | None, schema: str) -> DataFrame:
    """Let the touches and conversions of each group meet."""
    n_groups = _count_groups(touches, n_groups)
    sides = [side.withColumn("group", F.pmod(F.xxhash64(F.coalesce("link", key)), F.lit(n_groups))).groupBy("group")
             for side, key in ((touches, "touch_id"), (conversions, "conversion_id"))]
    with warnings.catch_warnings():                  # of pandas 3, which nothing here crosses over in
        warnings.simplefilter("ignore", FutureWarning)
        return sides[0].cogroup(sides[1]).applyInArrow(work, schema)


def _count_groups(frame: DataFrame, n_groups: int | None) -> int:
    if n_groups is None:
        return GROUPS_PER_PARTITION * int(frame.sparkSession.conf.get("spark.sql.shuffle.partitions"))
    if isinstance(n_groups, bool) or not isinstance(n_groups, int) or n_groups < 1:
        raise ValueError(f"n_groups: {n_groups!r} is not a whole number from 1")
    return n_groups


def _read(table: pa.Table) -> pa.Table:
    """Make the kernel's table of one side of a group: the link is the account."""
    columns = {name: table[name].cast(_UTC) if name.endswith("_at") else table[name] for name in table.column_names}
    columns["account_id"] = columns["link"]
    columns.setdefault("person_id", pa.nulls(len(table), pa.string()))
    return pa.table(columns)
