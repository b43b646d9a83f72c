"""`query`: one read-only statement on the warehouse."""

from __future__ import annotations

import csv
import sys
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from pipeline.commands.console import (
    TargetOption,
    err,
    escape,
    make_table,
    out,
    plain,
    print_json,
    reported,
)
from pipeline.settings import load_settings


class Format(StrEnum):
    """How `query` prints rows."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT statement.")],
    output: Annotated[Format, typer.Option("--format", help="How to print rows.")] = Format.TABLE,
    limit: Annotated[int, typer.Option(min=1, help="Most rows to print.")] = 1000,
    target: TargetOption = "local",
) -> None:
    """Run one read-only SQL statement on the warehouse.

    Tables: yellow_tripdata, green_tripdata, rejects, load_ledger, and the sums that
    charts are drawn from (trip_summary, day_summary, zone_summary, ...).
    Files and the network are out of reach.

    Example: python -m pipeline query "SELECT count(*) FROM green_tripdata" --format json
    """
    from pipeline.warehouse import open_warehouse

    with reported():
        settings = load_settings()
        with open_warehouse(target, settings, read_only=True) as warehouse:
            result = warehouse.query(sql, limit=limit)
        if result.truncated:
            err.print(f"Only the first {limit:,} rows are shown; --limit raises that.")
        if output == Format.JSON:
            print_json([dict(zip(result.columns, row, strict=True)) for row in result.rows])
        elif output == Format.CSV:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(result.columns)
            writer.writerows([_csv_value(value) for value in row] for row in result.rows)
        else:
            table = make_table(*map(escape, result.columns))
            for row in result.rows:
                table.add_row(*(escape(str(plain(value))) for value in row))
            out.print(table)


def _csv_value(value: Any) -> Any:
    return value if isinstance(value, (int, float, str, type(None), Decimal)) else plain(value)
