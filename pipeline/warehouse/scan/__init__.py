"""How many bytes BigQuery would bill for a query, worked out without BigQuery. Pure: no I/O.

    sizes = measure_tables(...)                     # `scan.table_sizes`
    estimate(sql, sizes).processed                  # bytes, as BigQuery's console says
    compare_layouts(sql, sizes)                     # the same for other layouts of the table

The rules are those of BigQuery's documentation, "Estimate and control costs" and "Query partitioned
tables", and its list of prices, as of 2026-11:

- A query is billed for the logical size of the columns that it references, in every row of the
  partitions that it cannot skip. LIMIT and filters on other columns save nothing.
- A value of INT64, FLOAT64, TIMESTAMP, DATETIME, DATE or TIME has 8 bytes, of NUMERIC 16, of
  BIGNUMERIC 32, of BOOL 1, of STRING and BYTES 2 plus its bytes in UTF-8; NULL has 0.
- count(*) and other queries that reference no column process 0 bytes.
- Each referenced table, and so each query, is billed at least 10 MB, and whole MB; MB are MiB.
- Bytes of an external Parquet table are counted by the same types, without partitions.

Two things the documentation does not say. A column that a query references more than once, by a
join of a table with itself or by a CTE that is used twice, is counted once in each partition;
published dry runs agree (https://boonepeter.github.io/posts/unnecessary_bigquery_optimization/).
And a subquery or CTE is counted without the columns that nothing uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from pipeline.warehouse import Parameters
from pipeline.warehouse.cost import scan_price
from pipeline.warehouse.scan.pruning import Constants, Partition, may_match, unclear_filters
from pipeline.warehouse.scan.references import (
    Dialect,
    References,
    TableReference,
    find_references,
)

MEBIBYTE = 2**20
LEAST_BILLED = 10 * MEBIBYTE  # of each referenced table
VALUE_BYTES = {
    **dict.fromkeys(("INT64", "FLOAT64", "TIMESTAMP", "DATETIME", "DATE", "TIME"), 8),
    "NUMERIC": 16,
    "BIGNUMERIC": 32,
    "BOOL": 1,
    "STRING": 2,  # and its bytes in UTF-8
    "BYTES": 2,  # and its bytes
}


@dataclass(frozen=True)
class Layout:
    """How BigQuery keeps a table.

    Attributes:
        partitions: The part of time that one partition holds; "" where there are none.
        clustering: The columns that rows are sorted by, the first one first.
        external: Whether the rows are in Parquet files, which BigQuery reads in place.
    """

    partitions: Literal["", "DAY", "MONTH"] = ""
    clustering: tuple[str, ...] = ()
    external: bool = False


@dataclass(frozen=True)
class TableSizes:
    """What a table holds, as far as it counts for the bytes of a query.

    Attributes:
        name: Without project and dataset.
        rows: How many rows it has.
        columns: The bytes of all values, by column.
        layout: How our statements create the table in BigQuery.
        time: The column that partitions are, or could be, made by; "" for none.
        days: The number of rows by day of `time`; None stands for NULL.
    """

    name: str
    rows: int
    columns: Mapping[str, int]
    layout: Layout = Layout()
    time: str = ""
    days: Mapping[date | None, int] = field(default_factory=dict)

    def partitions(self, layout: Layout) -> dict[Partition | None, int]:
        """Return the rows of each partition; None stands for the rows whose time is NULL."""
        if not self.time or not layout.partitions:
            return {Partition(date.min, date.max): self.rows}
        partitions: dict[Partition | None, int] = {}
        for day, rows in self.days.items():
            key = None if day is None else Partition.around(day, layout.partitions)
            partitions[key] = partitions.get(key, 0) + rows
        return partitions


LAYOUTS: Mapping[str, Layout | None] = {
    "As loaded": None,
    "External table (Parquet)": Layout(external=True),
    "No partitions": Layout(),
    "Daily partitions": Layout("DAY"),
    "Monthly partitions": Layout("MONTH"),
    "Daily, clustered by zone": Layout("DAY", ("PULocationID",)),
}
"""The layouts to compare, by their labels; None is each table's own."""


@dataclass(frozen=True)
class TableScan:
    """What a query reads of one table.

    Attributes:
        columns: The referenced columns, in table order.
        processed: Bytes, before the minimum that is billed.
        read: How many partitions are read, of `partitions`; 1 of 1 where there are none.
    """

    table: str
    columns: tuple[str, ...]
    processed: int
    read: int
    partitions: int

    def __str__(self) -> str:
        columns = ", ".join(self.columns) or "no column"
        partitions = f", {self.read} of {self.partitions} partitions" if self.partitions > 1 else ""
        return f"{self.table}: {columns}{partitions}: {mebibytes(self.processed)}"

    @property
    def billed(self) -> int:
        """Bytes that are billed: whole MiB, at least 10, and none for none."""
        whole = -(-self.processed // MEBIBYTE) * MEBIBYTE
        return max(whole, LEAST_BILLED) if self.processed else 0


@dataclass(frozen=True)
class BytesEstimate:
    """What BigQuery would bill for a query.

    Attributes:
        scans: What it reads of each table.
        limits: Why it may be less, in sentences; empty for an exact figure.
        uncounted: What is left out because its size is not known, in sentences.
    """

    scans: tuple[TableScan, ...]
    limits: tuple[str, ...] = ()
    uncounted: tuple[str, ...] = ()

    @property
    def processed(self) -> int:
        """Bytes that BigQuery's console says the query will process."""
        return sum(scan.processed for scan in self.scans)

    @property
    def billed(self) -> int:
        """Bytes that are billed."""
        return sum(scan.billed for scan in self.scans)

    @property
    def bound(self) -> str:
        """The word before the figure: at most, at least, about, or nothing for an exact one."""
        if self.limits:
            return "about" if self.uncounted else "at most"
        return "at least" if self.uncounted else ""

    def dollars(self, price_per_tib: float) -> float:
        """Return the price, without what is free each month."""
        return scan_price(self.billed, price_per_tib)

    @property
    def figure(self) -> str:
        """The bytes that are processed, for people: `310.24 MiB`, `at most 310.24 MiB`."""
        return f"{self.bound} {mebibytes(self.processed)}".strip()

    def sentence(self, price_per_tib: float) -> str:
        """Return the estimate in words: `BigQuery would scan 310.24 MiB ($0.0018)`."""
        return f"BigQuery would scan {self.figure} (${self.dollars(price_per_tib):,.4f})"

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what the figure does not tell."""
        return (*self.limits, *self.uncounted)


def mebibytes(size: int) -> str:
    """Return a size in MiB, which BigQuery's console calls MB, or in bytes below 0.01 MiB."""
    return f"{size:,} bytes" if size < MEBIBYTE / 100 else f"{size / MEBIBYTE:,.2f} MiB"


def estimate(
    sql: str,
    tables: Mapping[str, TableSizes],
    layout: Layout | None = None,
    *,
    dialect: Dialect = "bigquery",
    parameters: Parameters | None = None,
    now: datetime | None = None,
) -> BytesEstimate:
    """Return what BigQuery would bill for a query, or the most where that cannot be known.

    Args:
        sql: One SELECT.
        tables: What may be read, by name.
        layout: How tables are kept that have a column of time; None for each as it is.
        dialect: What the query is written in; where it cannot be that, the other one is tried.
        parameters: Values of @parameters.
        now: What CURRENT_TIMESTAMP stands for, in UTC; None leaves it unknown.

    Raises UsageError for SQL that cannot be read or is no SELECT.
    """
    constants = Constants(parameters or {}, now)
    references = _find(sql, tables, dialect, constants)
    return _estimate(references, tables, layout, constants)


def compare_layouts(
    sql: str,
    tables: Mapping[str, TableSizes],
    *,
    dialect: Dialect = "bigquery",
    parameters: Parameters | None = None,
    now: datetime | None = None,
) -> dict[str, BytesEstimate]:
    """Return the estimate for each of LAYOUTS, by its label; the first is the table as it is.

    The arguments and errors are those of `estimate`.
    """
    constants = Constants(parameters or {}, now)
    references = _find(sql, tables, dialect, constants)
    return {
        label: _estimate(references, tables, layout, constants) for label, layout in LAYOUTS.items()
    }


def _find(
    sql: str, tables: Mapping[str, TableSizes], dialect: Dialect, constants: Constants
) -> References:
    """Return what a SELECT references, in the dialect in which its filters are constants.

    DATE_SUB(DATE '2020-06-01', INTERVAL 1 MONTH) is a function of BigQuery's alone.
    """

    def is_clear(references: References) -> bool:
        return not any(
            True
            for reference in references.tables
            if (time := tables[reference.table].time)
            for _ in unclear_filters(reference, time, constants)
        )

    return find_references(sql, _columns(tables), dialect, is_clear)


def _columns(tables: Mapping[str, TableSizes]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(table.columns) for name, table in tables.items()}


def _estimate(
    references: References,
    tables: Mapping[str, TableSizes],
    layout: Layout | None,
    constants: Constants,
) -> BytesEstimate:
    scans, limits = [], [*references.limits]
    for name in dict.fromkeys(reference.table for reference in references.tables):
        own_references = [reference for reference in references.tables if reference.table == name]
        table = tables[name]
        own = table.layout if layout is None or not table.time else layout
        scans.append(_scan(table, own, own_references, constants))
        limits += _limits(table, own, own_references, constants)
    return BytesEstimate(tuple(scans), tuple(dict.fromkeys(limits)), references.uncounted)


def _scan(
    table: TableSizes, layout: Layout, references: list[TableReference], constants: Constants
) -> TableScan:
    partitions = table.partitions(layout)
    cells: dict[str, set[Partition | None]] = {}
    read: set[Partition | None] = set()
    for reference in references:
        unpruned = {
            partition
            for partition in partitions
            if not layout.partitions or may_match(reference, table.time, partition, constants)
        }
        read |= unpruned
        for column in reference.columns:
            cells.setdefault(column, set()).update(unpruned)
    processed = 0
    for column, unpruned in cells.items():
        rows = sum(partitions[partition] for partition in unpruned)
        processed += round(table.columns[column] * rows / table.rows) if table.rows else 0
    columns = tuple(column for column in table.columns if column in cells)
    return TableScan(table.name, columns, processed, len(read), len(partitions))


def _limits(
    table: TableSizes, layout: Layout, references: list[TableReference], constants: Constants
) -> Iterator[str]:
    """Yield why BigQuery may read less of a table than is counted."""
    for reference in references:
        if layout.partitions and table.time:
            for text in unclear_filters(reference, table.time, constants):
                yield (
                    f"{text} does not compare {table.time} with a constant, so it is counted as "
                    "if it skipped no partition."
                )
        if layout.clustering and reference.filters(layout.clustering[0]):
            yield (
                f"The query filters by {layout.clustering[0]}, by which {table.name} is clustered: "
                "BigQuery reads fewer blocks, and knows how many only when it runs."
            )
