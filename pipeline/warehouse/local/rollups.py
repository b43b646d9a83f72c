"""The rollup tables in DuckDB: create them, and fill them for one file.

A load fills them from the rows it has just read, within its transaction. These are the file's rows
in the table once it commits.
"""

from __future__ import annotations

import duckdb

from pipeline.core.sql import statement
from pipeline.core.trips import TripFile
from pipeline.warehouse.local.columns import trip_expressions
from pipeline.warehouse.measures import with_measures
from pipeline.warehouse.rollups import KEYS, ROLLUPS, SUMS, Type
from pipeline.warehouse.statements import Statement

_LOADED_ROWS = "(SELECT * FROM storage.{table} WHERE file_month = $file_month)"
_FINER_ROWS = "(SELECT * FROM {table} WHERE filename = $filename)"
_TYPES: dict[Type, tuple[str, str]] = {  # of keys, and of sums
    "DATE": ("DATE", "DATE"),
    "INT64": ("SMALLINT", "BIGINT"),
    "NUMERIC": ("DECIMAL(9, 2)", "DECIMAL(18, 2)"),
    "BOOL": ("BOOLEAN", "BOOLEAN"),
}


def make_rollups(cursor: duckdb.DuckDBPyConnection) -> None:
    """Create the rollup tables, empty."""
    for rollup in ROLLUPS.values():
        keys = [KEYS[name] for name in rollup.keys]
        sums = [SUMS[name] for name in rollup.sums]
        cursor.execute(
            statement(
                "duckdb/create_rollup",
                rollup=rollup.name,
                words=rollup.label,
                key_definitions=",\n    ".join(f"{key.name} {_TYPES[key.type][0]}" for key in keys),
                sum_definitions=",\n    ".join(
                    f"{sum_.name} {_TYPES[sum_.type][1]}" for sum_ in sums
                ),
            )
        )
        for column in (*keys, *sums):
            text = column.description.replace("'", "''")
            cursor.execute(f"COMMENT ON COLUMN {rollup.name}.{column.name} IS '{text}'")


def roll_up_incoming(cursor: duckdb.DuckDBPyConnection, file: TripFile) -> None:
    """Replace the file's rows in all rollups, computed from the temporary table `incoming`."""
    _execute(cursor, incoming_statements(file))


def incoming_statements(file: TripFile) -> list[Statement]:
    """Return the statements of `roll_up_incoming`, in order."""
    return _statements(file, "incoming")


def roll_up_loaded(cursor: duckdb.DuckDBPyConnection, file: TripFile) -> None:
    """Replace the file's rows in all rollups, computed from its rows in the production table."""
    _execute(cursor, _statements(file, _LOADED_ROWS.format(table=file.dataset.table)))


def _execute(cursor: duckdb.DuckDBPyConnection, statements: list[Statement]) -> None:
    for built in statements:
        cursor.execute(built.sql, dict(built.values))


def _statements(file: TripFile, rows: str) -> list[Statement]:
    values: dict[str, object] = {
        "filename": file.filename,
        "first_day": file.month.first_day,
        "next_month": file.month.plus(1).first_day,
    }
    trips = with_measures(file.dataset, rows)
    statements: list[Statement] = []
    for rollup in ROLLUPS.values():
        delete = f"DELETE FROM {rollup.name} WHERE filename = $filename"
        filename = {"filename": file.filename}
        statements.append(Statement("reconcile", f"delete_{rollup.name}", delete, filename))
        fill_values = dict(values)
        if not rollup.parent and rows != "incoming":
            fill_values["file_month"] = file.month.number
        # A parent has days instead of pickups.
        pickup = "pickup_day" if rollup.parent else file.dataset.pickup
        expressions = trip_expressions(file.dataset, pickup)
        identifiers = rollup.identifiers(expressions, parent=rollup.parent)
        identifiers["rows"] = _FINER_ROWS.format(table=rollup.parent) if rollup.parent else trips
        sql = statement("duckdb/fill_rollup", color=file.dataset.name, **identifiers)
        statements.append(Statement("reconcile", f"fill_{rollup.name}", sql, fill_values))
    return statements
