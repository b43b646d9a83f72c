"""Tables of made-up size, for estimates of the bytes that BigQuery would bill."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pipeline.warehouse import queryable_tables
from pipeline.warehouse.rollups import ROLLUPS
from pipeline.warehouse.scan import VALUE_BYTES, TableSizes
from pipeline.warehouse.scan.table_sizes import read_definition

TEXT_BYTES = 10  # of every STRING and BYTES


def table_of(name: str, days: Mapping[date | None, int]) -> TableSizes:
    """A table of ours without NULLs, with these rows by day."""
    types, layout, time = read_definition(name)
    rows = sum(days.values())
    widths = {
        column: VALUE_BYTES[kind] + (TEXT_BYTES if kind in ("STRING", "BYTES") else 0)
        for column, kind in types.items()
    }
    columns = {column: rows * width for column, width in widths.items()}
    return TableSizes(name, rows, columns, layout, time, days if time else {})


def all_tables(days: Mapping[date | None, int]) -> dict[str, TableSizes]:
    """Every table that people may query, each with these rows."""
    return {name: table_of(name, days) for name in queryable_tables(ROLLUPS)}
