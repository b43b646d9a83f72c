"""The command `query`: run one read-only statement on the warehouse and print its rows."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.measure import Measurement
from rich.table import Table

from pipeline.cli.console import (
    SafeConsole,
    TargetOption,
    err,
    escape,
    exit_on_error,
    load_settings,
    make_table,
    out,
    print_json,
    to_plain,
)
from pipeline.core.terminal import printable
from pipeline.warehouse.registry import DEFAULT_TARGET

_WIDEST = 100_000  # characters of a line


class OutputFormat(StrEnum):
    """The formats in which `query` prints rows."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT statement.")],
    output: Annotated[
        OutputFormat, typer.Option("--format", help="How to print rows.")
    ] = OutputFormat.TABLE,
    limit: Annotated[int, typer.Option(min=1, max=10**9, help="Most rows to print.")] = 1000,
    target: TargetOption = DEFAULT_TARGET,
    cost: Annotated[
        bool, typer.Option("--cost", help="Print what BigQuery would bill instead of running it.")
    ] = False,
) -> None:
    """Run one read-only SQL statement on the warehouse.

    Tables: the trips of each dataset, such as green_tripdata; rejects, load_ledger, and the
    rollups behind the charts (trip_summary, day_summary, zone_summary, ...).
    Files and the network are out of reach. SHOW TABLES and DESCRIBE work, too.

    With --cost nothing runs: the bytes that BigQuery would bill are worked out from the tables, for
    other layouts of the table, too; with --target gcp a dry run stands beside them.

    Example: python -m pipeline query "SELECT count(*) FROM green_tripdata" --format json
    """
    from pipeline.ops.lost_warehouse import refuse_lost_warehouse
    from pipeline.warehouse.registry import open_warehouse

    with exit_on_error():
        settings = load_settings()
        if cost:
            from pipeline.cli.query_cost import print_cost

            print_cost(sql, target, settings, as_json=output == OutputFormat.JSON)
            return
        refuse_lost_warehouse(target, settings)
        with open_warehouse(target, settings, read_only=True) as warehouse:
            result = warehouse.query(sql, limit=limit)
        if result.truncated:
            err.print(f"Only the first {limit:,} rows are shown; --limit raises that.")
        if output == OutputFormat.JSON:
            rows = [[_json_value(value) for value in row] for row in result.rows]
            print_json([dict(zip(result.columns, row, strict=True)) for row in rows])
        elif output == OutputFormat.CSV:
            _print_csv(result.columns, result.rows)
        else:
            table = make_table(*map(escape, result.columns))
            for row in result.rows:
                table.add_row(*(escape(_text(value, null="NULL")) for value in row))
            _print_table(table)


def _print_csv(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print rows as CSV: unchanged and in UTF-8 to a file or pipe, without controls to a terminal.

    A redirected stream of Windows cannot encode every letter that a cell may hold.
    """
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_text(value, null="") for value in row] for row in rows)
    if sys.stdout.isatty():
        sys.stdout.write(printable(lines.getvalue()))
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.write(lines.getvalue())


def _print_table(table: Table) -> None:
    """Print a table; for a file or another program as wide as it is, for a terminal to fit it."""
    if out.is_terminal:
        out.print(table)
        return
    width = Measurement.get(out, out.options.update(max_width=_WIDEST), table).maximum
    SafeConsole(soft_wrap=True, width=width).print(table)


def _text(value: Any, null: str) -> str:
    """Return a value as csv and tables show it; nested ones as JSON."""
    if value is None:
        return null
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, dict)):
        return json.dumps(_json_value(value), ensure_ascii=False, default=to_plain)
    if isinstance(value, (int, float, str)):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(to_plain(value))


def _json_value(value: Any) -> Any:
    """Return a value for JSON, which has no NaN or infinity, and whose readers use doubles."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal) and value.as_tuple().exponent == 0:
        value = int(value)
    if isinstance(value, int):
        return value if int(float(value)) == value else str(value)
    if isinstance(value, Decimal):
        return float(value) if Decimal(repr(float(value))) == value else f"{value:f}"
    if isinstance(value, (list, tuple)):
        return [_json_value(member) for member in value]
    if isinstance(value, dict):
        return {str(name): _json_value(member) for name, member in value.items()}
    return value
