"""How a value of each DuckDB type leaves a query: unchanged where Python or Arrow has its like.

Neither has one for all values: Python's dates end in the year 9999 and know no infinity, and an
INTERVAL of a month has no length. Those are text. A time with a zone is shown in UTC; DuckDB's own
conversion to Python would need pytz.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    import pyarrow

_NESTED = frozenset({"list", "array", "struct", "map", "union", "tuple", "variant"})
_TIMES = frozenset({"timestamp", "timestamp_s", "timestamp_ms"})
_ZONED = "timestamp with time zone"
_TEXT_IN_BOTH = frozenset(
    {"interval", "bit", "bignum", "geometry", "time_ns", "time with time zone", "timestamp_ns"}
    | {"timestamptz_ns", "uuid", "enum", "type"}
)
# Arrow has 24:00:00 as midnight, and no integer that wide.
_TEXT_IN_ARROW = _TEXT_IN_BOTH | {"time", "uhugeint"}
_LARGEST_DECIMAL = 10**38 - 1


def fetch_rows(relation: duckdb.DuckDBPyRelation, limit: int) -> list[tuple[Any, ...]]:
    """Return the first rows of a query as values of Python.

    Nested values are lists and dicts, times with a zone are in UTC, and dates that Python does not
    have are text, such as "infinity".
    """
    kinds = [kind.id for kind in relation.types]
    if not kinds:
        return []
    columns = [_for_python(f"#{place}", kind) for place, kind in enumerate(kinds, start=1)]
    rows = relation.project(", ".join(columns)).limit(limit).fetchall()
    readers = {place: _READERS[kind] for place, kind in enumerate(kinds) if kind in _READERS}
    if not readers:
        return rows
    return [
        tuple(
            readers[place](value) if place in readers and value is not None else value
            for place, value in enumerate(row)
        )
        for row in rows
    ]


def for_arrow(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Return a query with each column as a type that Arrow, tables, csv and parquet have."""
    columns = [
        _for_arrow(f"#{place}", kind.id) for place, kind in enumerate(relation.types, start=1)
    ]
    return relation.project(", ".join(columns)) if columns else relation


def without_extremes(table: pyarrow.Table, connection: duckdb.DuckDBPyConnection) -> pyarrow.Table:
    """Return a table with those columns as text whose values Python has not, such as infinity.

    Args:
        connection: Where DuckDB writes them; it needs to reach no file.
    """
    import pyarrow

    extreme = [place for place, column in enumerate(table.columns) if _is_extreme(column)]
    if not extreme:
        return table
    columns = list(table.columns)
    for place in extreme:
        if pyarrow.types.is_decimal(columns[place].type):  # DuckDB fails at the smallest HUGEINT
            cells = [None if cell is None else f"{cell:f}" for cell in columns[place].to_pylist()]
            columns[place] = pyarrow.chunked_array([pyarrow.array(cells, pyarrow.string())])
            continue
        # By itself, because names may occur twice.
        alone = pyarrow.table({"x": columns[place]})
        text = connection.from_arrow(alone).project("#1::VARCHAR").to_arrow_reader().read_all()
        columns[place] = text.column(0)
    return pyarrow.Table.from_arrays(columns, names=table.schema.names)


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of columns of which none occurs twice: `a`, `a` become `a`, `a_2`."""
    unique: list[str] = []
    taken = set(names)
    for name in names:
        candidate, number = name, 1
        while candidate in unique or (number > 1 and candidate in taken):
            number += 1
            candidate = f"{name}_{number}"
        unique.append(candidate)
    return tuple(unique)


def _for_python(column: str, kind: str) -> str:
    if kind in _NESTED:
        return f"to_json({column})::VARCHAR"
    if kind in _TEXT_IN_BOTH:
        return f"{column}::VARCHAR"
    if kind in _TIMES or kind == _ZONED:
        return _unless_extreme(column, f"make_timestamp(epoch_us({column}))", "TIMESTAMP")
    if kind == "float":  # as a double of the same digits, 0.1 and not 0.10000000149011612
        return f"({column}::VARCHAR)::DOUBLE"
    if kind == "date":
        return _unless_extreme(column, column, "DATE")
    return column


def _unless_extreme(column: str, value: str, kind: str) -> str:
    """Return SQL for the value, or for its text where it is infinite or outside of years 1-9999."""
    both = f"UNION(value {kind}, text VARCHAR)"
    return (
        f"CASE WHEN isfinite({column}) AND year({column}) BETWEEN 1 AND 9999"
        f" THEN {value}::{both} ELSE ({column}::VARCHAR)::{both} END"
    )


def _for_arrow(column: str, kind: str) -> str:
    if kind in _NESTED:
        return f"to_json({column})::VARCHAR"
    if kind in _TEXT_IN_ARROW:
        return f"{column}::VARCHAR"
    if kind in _TIMES:
        return f"{column}::TIMESTAMP"
    if kind == "blob":
        return f"lower(hex({column}))"
    return column


def _is_extreme(column: pyarrow.ChunkedArray) -> bool:
    import pyarrow
    import pyarrow.compute

    types = pyarrow.types
    kind = column.type
    if not (types.is_date(kind) or types.is_timestamp(kind) or types.is_decimal(kind)):
        return False
    if types.is_decimal(kind) and kind.precision < 38:
        return False
    bounds = pyarrow.compute.min_max(column)
    try:
        values = [bound for bound in bounds.as_py().values() if bound is not None]
    except OverflowError:  # outside of Python's years
        return True
    return types.is_decimal(kind) and any(
        abs(int(value.scaleb(kind.scale))) > _LARGEST_DECIMAL for value in values
    )


def _read_zoned(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _read_nested(value: str) -> Any:
    try:
        return json.loads(value, parse_float=Decimal)  # a DECIMAL has more digits than a double
    except RecursionError:
        return value


_READERS: dict[str, Callable[[Any], Any]] = {
    _ZONED: _read_zoned,
    **dict.fromkeys(_NESTED, _read_nested),
}
