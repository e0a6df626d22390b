"""The kernel on a cluster: PySpark tables in, a PySpark table out, the same models and cents as on one machine.

What links a touch to a conversion (the person, the account or, by contact role, the deal) is hashed into groups, many
accounts in each; the two tables meet by group, and the kernel works in each as it does on one machine. Touches are
shuffled once, and only sums leave a group. Times are integers before Python sees them, so that the session's time zone
changes nothing.
"""

import sys
import warnings
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import or_

import pandas as pd
import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException, PythonException
from pyspark.sql import Column, DataFrame, GroupedData, PandasCogroupedOps, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, IntegralType, NullType, NumericType, StringType, TimestampNTZType, TimestampType

from attribution import credit
from attribution.frames import ALIKE, check_alike, microseconds
from attribution.journeys import build_journeys, find_slices
from attribution.models import Model
from attribution.path_models import COUNTS, count_transitions, solve_transitions
from attribution.paths import check_days, end_units, end_won
from attribution.tables import TableError, first_keys, to_cents

GROUPS_PER_PARTITION = 4                             # so that partitions come out about even
_TOUCH = ("touch_id", "campaign_id", "touched_at")
_TOUCHES = (*_TOUCH, "person_id", "account_id", "kind")
_MEMBERSHIP = ("joined_at", "modified_at")
_CONVERSIONS = ("conversion_id", "account_id", "person_id", "converted_at", "value")
_MILESTONES = ("lead_created_at", "lead_person_id", "opportunity_created_at")
_ROLES = ("opportunity_id", "person_id")
_PERSON, _ACCOUNT, _DEAL = "p", "a", "d"             # the first letter of a link
_TABLE_ERROR = "attribution.tables.TableError: "
_UTC = pa.timestamp("us", "UTC")
_SUMS = "model string, campaign_id string, cents long, n_conversions long"
_MET = "person_id string, converted_at long"
_EVENT = ("event", "campaign_id", "next_campaign_id")
_COUNTS = ", ".join([f"{name} string" for name in _EVENT] + [f"{name} long" for name in COUNTS])


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
    do. A touch_id that stands twice is found where both its rows fall into one group, as the copies of a row do.
    """
    how = {"models": models, "lookback_days": lookback_days, "time_zone": time_zone}
    credit.credit_by_campaign(_no_rows(touches), _no_rows(conversions), contact_roles=_no_rows(contact_roles),
                              linking=linking, **how)
    _check_alike(touches=touches, conversions=conversions, contact_roles=contact_roles)
    reads_memberships = not all(isinstance(model, str) for model in _list_models(models))
    met = _pick(touches, "touches", _TOUCHES + _MEMBERSHIP * reads_memberships)
    converted = _pick(conversions, "conversions", _CONVERSIONS + _MILESTONES)
    met, converted = _link(met, converted, _read_roles(contact_roles), linking)
    met = met if {"lead_created_at", "lead_person_id"} <= {*converted.columns} else met.drop("person_id")
    sums = _apply(lambda left, right: _sum_group(left, right, how), met, converted, n_groups, _SUMS)
    return sums.groupBy("model", "campaign_id").agg(
        (F.sum("cents") / 100).alias("credit"), F.sum("n_conversions").alias("n_conversions"))


def markov(touches: DataFrame, conversions: DataFrame, contact_roles: DataFrame | None = None, *, as_of: pd.Timestamp,
           linking: str = "hybrid", lookback_days: float | None = 365, time_zone: str = "UTC", min_age_days: float = 90,
           fit_days: float = 730, pipeline: DataFrame | None = None, on_too_many: str = "raise",
           n_groups: int | None = None) -> pd.DataFrame:
    """Measure removal effects, by the chain of order 1, of paths that are built and counted on a cluster.

    Returns, as a pandas table, what attribution.markov returns for the paths of attribution.build_paths with the same
    options. Only counts of transitions leave a group, and the chain is solved on the driver. The touches are shuffled
    up to four times: after a deal that met a person, of whatever account, no earlier touch of theirs is a failure.
    Raises what credit_by_campaign, attribution.build_paths and attribution.markov raise.
    """
    how = {"lookback_days": lookback_days, "time_zone": time_zone}
    fit = {"as_of": as_of, "min_age_days": min_age_days, "fit_days": fit_days}
    find_slices(_no_rows(touches), _no_rows(conversions), _no_rows(contact_roles), linking=linking, **how)
    check_days(min_age_days=min_age_days, fit_days=fit_days)
    _check_alike(touches=touches, conversions=conversions, contact_roles=contact_roles)
    until = int(microseconds(pd.Series([as_of]))[0])
    met = _pick(touches, "touches", _TOUCHES).where(F.col("touched_at") <= until)
    converted = _pick(conversions, "conversions", _CONVERSIONS).where(F.col("converted_at") <= until)
    to_come = converted.limit(0) if pipeline is None else _pick(pipeline, "pipeline", _CONVERSIONS)
    roles = _read_roles(contact_roles)
    linked = _link(met, converted, roles, linking)
    won = _apply(lambda left, right: _count_won(left, right, fit, how), *linked, n_groups, _COUNTS)
    people = _apply(lambda left, right: _find_met(left, right, how), *linked, n_groups, _MET)
    units = _group(_find_units(met, converted, roles, people, to_come), "touch_id", _count_groups(met, n_groups))
    counts = won.unionByName(_in_arrow(units, lambda rows: _count_units(rows, fit, how), _COUNTS))
    total = counts.groupBy(*_EVENT).agg(*[F.sum(name).alias(name) for name in COUNTS])
    return solve_transitions(total.toArrow().to_pandas(), on_too_many)


def main(arguments: Sequence[str] | None = None) -> None:
    """Credit campaigns from Parquet to Parquet: what spark-submit is given to run."""
    parser = ArgumentParser(prog="attribution.spark", description="Set models side by side, by campaign, on Spark.")
    for name in ("touches", "conversions", "out"):
        parser.add_argument(name, help="Parquet: a path or an address that Spark knows")
    parser.add_argument("--contact-roles", help="Parquet too")
    parser.add_argument("--models", nargs="+", metavar="MODEL", help="all but position_based where left out")
    parser.add_argument("--linking", default="hybrid")
    parser.add_argument("--lookback-days", type=lambda text: None if text == "none" else int(text), default=365)
    parser.add_argument("--time-zone", default="UTC")
    parser.add_argument("--n-groups", type=int)
    given = vars(parser.parse_args(arguments))
    spark, out = SparkSession.builder.appName("attribution").getOrCreate(), given.pop("out")
    read = spark.read.option("mergeSchema", True).parquet            # months may have columns that others lack
    paths = {name: given.pop(name) for name in ("touches", "conversions", "contact_roles")}
    try:
        tables = {name: path and read(path) for name, path in paths.items()}
        credit_by_campaign(**tables, **given).write.parquet(out)
    except (ValueError, PySparkException, Py4JJavaError) as error:
        print("attribution.spark: " + _say(error), file=sys.stderr)
        sys.exit(2)


def _say(error: Exception) -> str:
    """Give the line of an error that says most: a worker's last, of Java's the last cause, else the first."""
    lines = str(error).strip().splitlines()
    causes = [line for line in lines if line.startswith("Caused by: ")]
    said = lines[-1] if isinstance(error, PythonException) else [lines[0], *causes][-1]
    return said.removeprefix("Caused by: ").removeprefix(_TABLE_ERROR)


def _sum_group(met: pa.Table, converted: pa.Table, how: dict) -> pa.Table:
    sums = credit.credit_by_campaign(_read(met), _read(converted), linking="account", **how)
    return _to_arrow(pd.DataFrame({"model": sums["model"], "campaign_id": sums["campaign_id"],
                                   "cents": to_cents(sums["credit"]), "n_conversions": sums["n_conversions"]}))


def _count_won(met: pa.Table, converted: pa.Table, fit: dict, how: dict) -> pa.Table:
    won = build_journeys(_read(met), _read(converted), linking="account", **how)
    return _to_arrow(count_transitions(end_won(won, **fit)))


def _find_met(met: pa.Table, converted: pa.Table, how: dict) -> pa.Table:
    """Find when each person was last met on the way to a conversion."""
    won = build_journeys(_read(met), _read(converted), linking="account", **how)
    last = won.groupby("person_id", as_index=False)["converted_at"].max()
    return _to_arrow(last.assign(converted_at=microseconds(last["converted_at"])))


def _count_units(met: pa.Table, fit: dict, how: dict) -> pa.Table:
    units = _read(met.drop_columns("person_id")).to_pandas().rename(columns={"link": "unit"})
    rest = end_units(units, units.loc[units["is_open"], "unit"], linking="account", **fit, **how)
    return _to_arrow(count_transitions(rest))


def _find_units(touches: DataFrame, conversions: DataFrame, roles: DataFrame | None, met: DataFrame,
                to_come: DataFrame) -> DataFrame:
    """Keep the touches after the last conversion of their account or person, and say whose each is: paths.py in SQL."""
    are_people = not conversions.where(F.isnotnull("person_id")).isEmpty()
    to_come = to_come.join(conversions, "conversion_id", "left_anti")
    to_come = to_come.where(F.isnotnull("person_id")) if are_people else to_come
    people = _summarise("person", _list_people(conversions, roles).unionByName(met), _list_people(to_come, roles))
    accounts = _summarise("account", conversions, to_come)
    own = touches.join(people, "person_id", "left").join(accounts, "account_id", "left")
    by_person = F.isnull("account_id") | F.lit(are_people)
    link = F.when(by_person, _name_link("person:", "person_id")).otherwise(_name_link("account:", "account_id"))
    return own.where(_is_later("person") & (by_person | _is_later("account"))).select(
        *touches.columns, link.alias("link"), (_is_open("person") | ~by_person & _is_open("account")).alias("is_open")
    ).drop("account_id").where(F.isnotnull("link"))


def _is_later(whose: str) -> Column:
    return F.coalesce(F.col("touched_at") > F.col(f"{whose}_until"), F.lit(True))


def _is_open(whose: str) -> Column:
    return F.coalesce(F.col(f"{whose}_open"), F.lit(False))


def _list_people(conversions: DataFrame, roles: DataFrame | None) -> DataFrame:
    """List who converted, or had a role in what did: person_id, converted_at."""
    rows = conversions.select("person_id", "converted_at")
    if roles is not None:
        deals = conversions.select(F.col("conversion_id").alias("opportunity_id"), "converted_at")
        rows = rows.unionByName(roles.join(deals, "opportunity_id").select("person_id", "converted_at"))
    return rows.dropna()


def _summarise(whose: str, past: DataFrame, to_come: DataFrame) -> DataFrame:
    """Say of each person, or account, until when they last converted, and whether more is to come."""
    key = f"{whose}_id"
    rows = past.select(key, "converted_at", F.lit(False).alias("is_open")).unionByName(
        to_come.select(key, F.lit(None).cast("long").alias("converted_at"), F.lit(True).alias("is_open")))
    return rows.groupBy(key).agg(F.max("converted_at").alias(f"{whose}_until"), F.max("is_open").alias(f"{whose}_open"))


def _list_models(models: Sequence[str] | Mapping[str, Model] | None) -> list:
    return list(models.values() if isinstance(models, Mapping) else models or ())


def _no_rows(frame: DataFrame | None) -> pd.DataFrame | None:
    """Make the frame's columns without rows, on which the kernel checks its arguments."""
    return None if frame is None else pd.DataFrame({column: pd.Series(dtype=object) for column in frame.columns})


def _pick(frame: DataFrame, name: str, columns: Sequence[str]) -> DataFrame:
    """Take the columns that are there: ids as text, moments in microseconds UTC, money as a double."""
    return frame.select(*[_typed(F.col(column), frame.schema[column].dataType, name, column).alias(column)
                          for column in columns if column in frame.columns])


def _typed(column: Column, kind: DataType, table: str, name: str) -> Column:
    if name.endswith("_at"):
        wanted, words = (TimestampType, TimestampNTZType), "a time. Read it as a time first"
    elif name == "value":
        wanted, words = (NumericType,), "a number. Read it as a number first"
    else:
        wanted, words = (StringType, IntegralType), "text. Read ids as text, also such as look like numbers"
    if not isinstance(kind, (*wanted, NullType)):
        raise TableError(f"{table}: {name} is {kind.simpleString()}, not {words}.")
    if name.endswith("_at"):
        has_zone = isinstance(kind, TimestampType | NullType)
        return F.unix_micros(column.cast("timestamp")) if has_zone else _count_micros(column)
    if name == "touch_id" and isinstance(kind, IntegralType):
        return _pad(column)
    return column.cast("double" if name == "value" else "string")


def _pad(number: Column) -> Column:
    """Write integers as text that sorts as they do: ties go by touch_id."""
    without_sign = number.cast("long").bitwiseAND(F.lit(2**63 - 1))             # below zero, number + 2**63
    return F.concat(F.when(number < 0, "-").otherwise(""), F.lpad(without_sign.cast("string"), 19, "0"))


def _check_alike(**tables: DataFrame | None) -> None:
    compared = {column for columns in ALIKE for column in columns}
    kinds = {(name, field.name): field.dataType.simpleString() if isinstance(field.dataType, IntegralType) else ""
             for name, table in tables.items() if table is not None for field in table.schema
             if (name, field.name) in compared and not isinstance(field.dataType, NullType)}
    try:
        check_alike(kinds)
    except TableError:                               # a column without a value is of no type, whatever it says
        check_alike({(name, column): kind for (name, column), kind in kinds.items()
                     if not tables[name].where(F.isnotnull(column)).isEmpty()})


def _count_micros(column: Column) -> Column:
    """Count the microseconds of a time without a zone by its clock: every cast of it asks for the session's zone."""
    minutes = (F.unix_date(F.to_date(column)).cast("long") * 24 + F.hour(column)) * 60 + F.minute(column)
    return minutes * 60_000_000 + (F.date_part(F.lit("SECOND"), column) * 1_000_000).cast("long")


def _link(touches: DataFrame, conversions: DataFrame, roles: DataFrame | None,
          linking: str) -> tuple[DataFrame, DataFrame]:
    """Give conversions their link, and touches every link of a kind asked for, and take the ids that it was made of."""
    roles = None if linking == "account" else roles
    _check_unique(conversions)
    conversions = _link_conversions(conversions, roles, linking)
    return _link_touches(touches, conversions, roles).drop("account_id"), conversions.drop("account_id", "person_id")


def _read_roles(contact_roles: DataFrame | None) -> DataFrame | None:
    if contact_roles is None:
        return None
    roles = _pick(contact_roles, "contact_roles", _ROLES)
    n_faulty = roles.where(F.isnull("opportunity_id") | F.isnull("person_id")).count()
    if n_faulty:
        raise TableError(f"contact_roles: opportunity_id or person_id is empty in {n_faulty:,} rows. Correct those or "
                         "leave them out.")
    return roles


def _check_unique(conversions: DataFrame) -> None:
    """Refuse a conversion that stands twice: under two accounts, in two groups, both would be paid."""
    twice = conversions.groupBy("conversion_id").count().where("count > 1 and conversion_id is not null")
    ids = pd.Series([row["conversion_id"] for row in twice.orderBy("conversion_id").limit(3).collect()])
    if len(ids):
        raise TableError(f"conversions: conversion_id is not unique ({first_keys(ids)}). Correct those rows or leave "
                         "them out.")


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
    sides = [_group(touches, "touch_id", n_groups), _group(conversions, "conversion_id", n_groups)]
    return _in_arrow(sides[0].cogroup(sides[1]), work, schema)


def _group(side: DataFrame, key: str, n_groups: int) -> GroupedData:
    return side.withColumn("group", F.pmod(F.xxhash64(F.coalesce("link", key)), F.lit(n_groups))).groupBy("group")


def _in_arrow(groups: GroupedData | PandasCogroupedOps, work: Callable, schema: str) -> DataFrame:
    with warnings.catch_warnings():                  # of pandas 3: no pandas table crosses over
        warnings.simplefilter("ignore", FutureWarning)
        return groups.applyInArrow(work, schema)


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


def _to_arrow(table: pd.DataFrame) -> pa.Table:
    kinds = [(name, pa.int64() if kind.kind == "i" else pa.string()) for name, kind in table.dtypes.items()]
    return pa.Table.from_pandas(table, pa.schema(kinds), preserve_index=False)


if __name__ == "__main__":
    main()
