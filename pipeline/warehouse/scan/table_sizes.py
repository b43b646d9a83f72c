"""Measure what the tables of a warehouse hold, for estimates of BigQuery's bytes.

Columns, partitions and clustering are read from the statements that create the tables in BigQuery,
so that an estimate is about the tables that a load makes there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from pipeline.core.datasets import DATASETS, Dataset
from pipeline.core.sql import statement
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse.rollups import KEYS, ROLLUPS, SUMS
from pipeline.warehouse.scan import (
    VALUE_BYTES,
    BytesEstimate,
    Layout,
    TableSizes,
    compare_layouts,
)
from pipeline.warehouse.scan.references import Dialect, find_references

if TYPE_CHECKING:
    from pipeline.core.settings.settings import Settings
    from pipeline.warehouse import Backend, Warehouse

_MOST_DAYS = 1_000_000
_DAYS = "trip_summary"  # the rollup that knows the trips of each day
_ROW_ID_BYTES = 16  # an MD5
_FLAG_BYTES = 1  # Y or N


def estimate_query(
    sql: str, backend: Backend, settings: Settings
) -> tuple[dict[str, BytesEstimate], int | None]:
    """Return what BigQuery would bill for a query that a person wrote, by layout, and the dry run.

    The tables that it names are measured in the warehouse; the query does not run. The dry run's
    bytes are None where reading is free.

    Raises UsageError for SQL that is no SELECT, and WarehouseError.
    """
    dialect = dialect_of(backend, settings)
    names = find_tables(sql, backend.tables, dialect)
    with backend.open(settings, read_only=True) as warehouse:
        sizes = measure_tables(warehouse, names, backend.rollups, is_billed=backend.is_billed)
        dry_run = warehouse.scan_bytes(sql)
    now = datetime.now(UTC).replace(tzinfo=None)
    return compare_layouts(sql, sizes, dialect=dialect, now=now), dry_run


def dialect_of(backend: Backend, settings: Settings) -> Dialect:
    """Return the SQL that people write for a warehouse."""
    return "duckdb" if backend.database(settings) else "bigquery"


def measure_tables(
    warehouse: Warehouse, tables: Iterable[str], rollups: Iterable[str], *, is_billed: bool
) -> dict[str, TableSizes]:
    """Return the sizes of tables of a warehouse, by name.

    Where reading is free, values are counted and texts measured. Where it is billed, only the days
    of the trips and row counts are read, which are free or 10 MB; every value of trips and rollups
    then counts as not NULL, and other tables are left out.

    Args:
        tables: Names, of `queryable_tables`.
        rollups: The rollups that the warehouse keeps.

    Raises what `Warehouse.query` does.
    """
    sizes = {}
    for name in tables:
        dataset = next((each for each in DATASETS.values() if each.table == name), None)
        if is_billed and dataset is None and name not in ROLLUPS:
            continue
        types, layout, time = read_definition(name)
        days = {}
        if dataset is not None:
            days = dict(warehouse.query(_days_sql(dataset, time, rollups), limit=_MOST_DAYS).rows)
        known = _known_lengths(dataset)
        if is_billed:
            rows = sum(days.values()) if dataset else _read_row(warehouse, ["COUNT(*)"], name)[0]
            widths = {column: _width(kind, known.get(column, 0)) for column, kind in types.items()}
            columns = {column: rows * width for column, width in widths.items()}
        else:
            rows, columns = _measure(warehouse, name, types, known)
        sizes[name] = TableSizes(name, rows, columns, layout, time, days)
    return sizes


def find_tables(sql: str, tables: Iterable[str], dialect: Dialect) -> list[str]:
    """Return which of these tables a SELECT names, also where it reads none of them.

    Args:
        tables: Names, of `queryable_tables`.

    Raises UsageError as `estimate` does.
    """
    columns = {name: tuple(read_definition(name)[0]) for name in tables}
    references = find_references(sql, columns, dialect).tables
    named = dict.fromkeys(reference.table for reference in references)
    words = set(re.findall(r"\w+", sql.casefold()))
    return list(named | dict.fromkeys(name for name in columns if name.casefold() in words))


@cache
def read_definition(table: str) -> tuple[Mapping[str, str], Layout, str]:
    """Return the columns with their types, the layout, and the column of partitions of a table.

    Args:
        table: The name of a table of `queryable_tables`.
    """
    tree = sqlglot.parse_one(_creating(table), read="bigquery")
    types = {
        column.name: column.args["kind"].sql("bigquery").partition("(")[0]
        for column in tree.find_all(exp.ColumnDef)
    }
    clustered = tree.find(exp.ClusterProperty)
    clustering = tuple(column.name for column in clustered.expressions) if clustered else ()
    partitioned = tree.find(exp.PartitionedByProperty)
    if partitioned is None:
        return types, Layout(clustering=clustering), ""
    part = partitioned.this.args["unit"].name
    return types, Layout(part, clustering), partitioned.this.this.name


def _creating(table: str) -> str:
    """Return the statement that creates a table in BigQuery."""
    for dataset in DATASETS.values():
        if dataset.table == table:
            columns = ", ".join(f"{column.name} {column.type}" for column in dataset.columns)
            names = {"table": table, "pickup": dataset.pickup, "column_definitions": columns}
            return statement("bigquery/create_table", **names)
    if rollup := ROLLUPS.get(table):
        keys = ", ".join(f"{name} {KEYS[name].type}" for name in rollup.keys)
        sums = ", ".join(f"{name} {SUMS[name].type}" for name in rollup.sums)
        names = {"rollup": table, "words": "", "key_definitions": keys, "sum_definitions": sums}
        return statement("bigquery/create_rollup", **names)
    return statement(f"bigquery/create_{table}")


def _known_lengths(dataset: Dataset | None) -> dict[str, int]:
    """Return the bytes of texts whose length is known without reading them, by column."""
    filename = max(
        len(TripFile(each, Month(2020, 1)).filename)
        for each in ([dataset] if dataset else DATASETS.values())
    )
    lengths = {"filename": filename, "color": max(map(len, DATASETS))}
    if dataset is not None:
        flags = (column.name for column in dataset.columns if column.flag)
        lengths |= {"unique_row_id": _ROW_ID_BYTES, **dict.fromkeys(flags, _FLAG_BYTES)}
    return lengths


def _days_sql(dataset: Dataset, time: str, rollups: Iterable[str]) -> str:
    if _DAYS in rollups:
        where = f"color = '{dataset}'"
        return f"SELECT pickup_day, SUM(trips) FROM {_DAYS} WHERE {where} GROUP BY pickup_day"
    day = f"CAST({time} AS DATE)"
    return f"SELECT {day}, COUNT(*) FROM {dataset.table} GROUP BY {day}"


def _width(kind: str, length: int) -> int:
    return VALUE_BYTES[kind] + (length if kind in ("STRING", "BYTES") else 0)


def _measure(
    warehouse: Warehouse, table: str, types: Mapping[str, str], known: Mapping[str, int]
) -> tuple[int, dict[str, int]]:
    """Return how many rows a table in a DuckDB file has, and the bytes of its columns."""
    # These two are worked out when they are read, which takes long for every row.
    computed = [each for each in ("unique_row_id", "filename") if "unique_row_id" in types]
    present = {column.casefold() for column in warehouse.query(f"FROM {table}", limit=1).columns}
    measured = [
        column for column in types if column not in computed and column.casefold() in present
    ]
    values = [f'COUNT("{column}")' for column in measured]
    texts = [column for column in measured if types[column] == "STRING"]
    lengths = [f'COALESCE(SUM(strlen("{column}")), 0)' for column in texts]
    rows, *numbers = _read_row(warehouse, ["COUNT(*)", *values, *lengths], table)
    counts = dict(zip(measured, numbers, strict=False))
    text_bytes = dict(zip(texts, numbers[len(measured) :], strict=True))
    columns = {
        column: rows * _width(kind, known[column])
        if column in computed
        else counts.get(column, 0) * VALUE_BYTES[kind] + text_bytes.get(column, 0)
        for column, kind in types.items()
    }
    return rows, columns


def _read_row(warehouse: Warehouse, expressions: list[str], table: str) -> list[int]:
    rows = warehouse.query(f"SELECT {', '.join(expressions)} FROM {table}", limit=1).rows
    return [int(value) for value in rows[0]]
