"""Spark on two cores of this machine, for the tests that need it; visibly skipped where it cannot be had."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pandas.api.types import is_integer_dtype

JAVAS = ("/usr/lib/jvm/*", "/opt/java/*", "/Library/Java/JavaVirtualMachines/*/Contents/Home")
OPTIONS = {"spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
           "spark.sql.shuffle.partitions": "4", "spark.ui.showConsoleProgress": "false", "spark.log.level": "OFF"}


def find_java():
    """Find a Java that Spark 4 runs on (17 to 25): JAVA_HOME, the one on the path, or one installed beside it."""
    homes = [os.environ.get("JAVA_HOME"), *_homes()]
    return next((home for home in homes if home and 17 <= _version(Path(home, "bin", "java")) <= 25), None)


def _homes():
    path = subprocess.run(["sh", "-c", "readlink -f $(command -v java)"], capture_output=True, text=True, check=False)
    yield str(Path(path.stdout.strip()).parents[1]) if path.stdout.strip() else None
    for pattern in JAVAS:
        yield from sorted(map(str, Path("/").glob(pattern[1:])))


def _version(java):
    if not java.is_file():
        return 0
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


def start_spark():
    """Start Spark, or skip and say what is missing."""
    need_spark()
    from pyspark.sql import SparkSession
    return SparkSession.builder.master("local[2]").config(map=OPTIONS).getOrCreate()


def need_spark():
    """Let Spark find Java and this Python, or skip and say what is missing."""
    pytest.importorskip("pyspark", reason="PySpark is not installed: requirements-spark.lock has it")
    home = find_java()
    if home is None:
        pytest.skip("Spark needs Java 17 to 25: on Debian or Ubuntu, sudo apt install openjdk-17-jre-headless")
    os.environ |= {"JAVA_HOME": home, "PYSPARK_PYTHON": sys.executable}


def to_spark(spark, table):
    """Bring a pandas table to Spark, also where a column is all null; naive times as TIMESTAMP_NTZ."""
    types = {name: _type(name, kind) for name, kind in table.dtypes.items()}
    rows = pa.Table.from_pandas(table, pa.schema([(name, kind[0]) for name, kind in types.items()]),
                                preserve_index=False)
    return spark.createDataFrame(rows, ", ".join(f"{name} {kind[1]}" for name, kind in types.items()))


def _type(name, kind):
    if name.endswith("_at"):
        zone = getattr(kind, "tz", None)
        return pa.timestamp("us", zone and str(zone)), "timestamp" if zone else "timestamp_ntz"
    if name == "value":
        return pa.float64(), "double"
    return (pa.int64(), "bigint") if is_integer_dtype(kind) else (pa.string(), "string")
