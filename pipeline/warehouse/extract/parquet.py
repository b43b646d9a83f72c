"""The columns of a parquet file: their types, zones, and how their values become cells."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline.core.column_names import match_columns
from pipeline.core.columns import Column, Type
from pipeline.core.datasets import Dataset
from pipeline.core.errors import TripFileError
from pipeline.core.sql import literal_path
from pipeline.files.staging import StagedFile
from pipeline.warehouse.extract.cells import WIDE_TYPES, stored_columns

_NUMBERS = [
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
]
DESCRIBE_PARQUET = "DESCRIBE SELECT * FROM read_parquet($path)"

COUNT_INT96 = "SELECT count(*) FROM parquet_schema($path) WHERE type = 'INT96'"

# How the TLC stores each logical type in most years.
_USUAL: dict[Type, str] = {
    "INT64": "BIGINT",
    "NUMERIC": "DOUBLE",
    "TIMESTAMP": "TIMESTAMP",
    "STRING": "VARCHAR",
}
_FLOATS = ("FLOAT", "DOUBLE")
_TIMES = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
_ZONED, _ZONED_NANOS = "TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"
_REPLACEMENT = 0xFFFD  # the character that stands for bytes that are no text
_NULL = '"NULL"'  # the type of a column without values
_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")


@dataclass(frozen=True)
class ParquetColumn:
    """A column of a parquet file.

    Attributes:
        spelled: Its name in the file.
        type: DuckDB's name for its type.
        zone: The time zone that the file names for it, such as America/New_York; "" for none.
    """

    spelled: str
    type: str
    zone: str = ""

    @property
    def name(self) -> str:
        """The name as an identifier in SQL."""
        return '"{}"'.format(self.spelled.replace('"', '""'))

    @property
    def kind(self) -> str:
        """The type without its size: DECIMAL of DECIMAL(9,2)."""
        return self.type.partition("(")[0]

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers, whose decimal mark is a point whatever texts have."""
        return self.kind in _NUMBERS

    def text(self) -> str:
        """Return the expression for a value's text, as `pipeline.core.cells` takes it."""
        name = self.name
        if self.kind in _FLOATS:
            name = f"CAST({name} AS DOUBLE)"
        elif self.zone:
            name = self._wall_clock()
        elif self.type == "BLOB":  # texts of old writers, who do not say that they are texts
            damaged = f"chr({_REPLACEMENT}) || CAST({name} AS VARCHAR)"
            return f"coalesce(TRY(decode({name})), {damaged})"
        return f"CAST({name} AS VARCHAR)"

    def _wall_clock(self) -> str:
        # INT96 holds instants in UTC, too, which parquet does not say of it.
        instant = self.name if self.type == _ZONED else f"timezone('UTC', {self._utc_clock()})"
        offset = _OFFSET.fullmatch(self.zone)
        if offset:
            minutes = int(f"{offset[1]}{int(offset[2]) * 60 + int(offset[3])}")
            return f"timezone('UTC', {instant}) + to_minutes({minutes})"
        return "timezone('{}', {})".format(self.zone.replace("'", "''"), instant)

    def _utc_clock(self) -> str:
        if self.type != _ZONED_NANOS:
            return self.name
        nanos = f"epoch_ns({self.name})"  # what is beyond microseconds is cut, before 1970 too
        return f"make_timestamp(({nanos} - ({nanos} % 1000 + 1000) % 1000) // 1000)"


def read_parquet_columns(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile
) -> dict[str, ParquetColumn]:
    """Return the file's columns that are ours, by our names.

    Raises TripFileError when one of them has a type without single values, or an unknown zone.
    """
    path = staged.path
    described = cursor.execute(DESCRIBE_PARQUET, {"path": literal_path(path)}).fetchall()
    types = {str(row[0]): str(row[1]) for row in described}
    matched = match_columns(staged.file.dataset, tuple(types))
    zoned = (_ZONED, _ZONED_NANOS)
    ((int96,),) = cursor.execute(COUNT_INT96, {"path": literal_path(path)}).fetchall()
    names_zones = int96 or any(types[spelled] in zoned for spelled in matched.values())
    zones = read_zones(path) if names_zones else {}
    columns = {}
    for name, spelled in matched.items():
        zone = zones.get(spelled, "UTC" if types[spelled] in zoned else "")
        column = ParquetColumn(spelled, types[spelled], zone)
        _require_single_values(cursor, staged, name, column)
        _require_zone(cursor, staged, name, column)
        columns[name] = column
    return columns


def usual_columns(dataset: Dataset, header: tuple[str, ...]) -> dict[str, ParquetColumn]:
    """Return the columns that a parquet file with this header has in most years."""
    matched = match_columns(dataset, header)
    return {
        column.name: ParquetColumn(matched[column.name], _USUAL[column.type])
        for column in dataset.columns
        if column.name in matched
    }


def is_fast(dataset: Dataset, columns: Mapping[str, ParquetColumn]) -> bool:
    """Whether the types of all columns are such that a cast reads them as the grammar does."""
    ours = {column.name: column for column in dataset.columns}
    return all(_is_fast(ours[name], column) for name, column in columns.items())


def _is_fast(column: Column, in_file: ParquetColumn) -> bool:
    if in_file.type == _NULL:
        return True
    if in_file.zone:
        return False
    match column.type:
        case "INT64" | "NUMERIC":
            return in_file.kind in _NUMBERS
        case "TIMESTAMP":
            return in_file.type in _TIMES
        case "STRING":
            return in_file.type == "VARCHAR"


def parquet_identifiers(dataset: Dataset, columns: Mapping[str, ParquetColumn]) -> dict[str, str]:
    """Return the placeholders of extract_parquet for a file whose columns are all fast."""
    ours = [column for column in dataset.columns if column.name in columns]
    wide = {
        column.name: f"TRY_CAST({columns[column.name].name} AS {WIDE_TYPES[column.type]})"
        for column in ours
    }
    lost = " ".join(
        f"WHEN {_is_lost(columns[column.name], wide[column.name])} THEN '{column.name}'"
        for column in ours
    )
    return {
        "wide_columns": ", ".join(f"{cast} AS {name}" for name, cast in wide.items()),
        "lost_column": f"CASE {lost} END",
        **stored_columns(dataset, columns),
    }


def _is_lost(column: ParquetColumn, cast: str) -> str:
    """Return the condition that a value cannot be read by its cast."""
    name = column.name
    if column.type == "TIMESTAMP_NS":  # a cast rounds, and the grammar cuts
        return f"{name} IS NOT NULL AND ({cast} IS NULL OR epoch_ns({name}) % 1000 <> 0)"
    if column.kind not in _FLOATS:
        return f"{name} IS NOT NULL AND {cast} IS NULL"
    # NaN is not in the statistics of a parquet file, by which DuckDB takes a cast for safe.
    return f"NOT isfinite({name}) OR {name} IS NOT NULL AND {cast} IS NULL"


def half_cents(dataset: Dataset, columns: Mapping[str, ParquetColumn]) -> str:
    """Return a condition that a binary number is near half a cent.

    Its text, by which the grammar reads it, may then round otherwise than the number itself.
    """
    near = [
        f"abs(TRY_CAST({columns[column.name].name} AS {WIDE_TYPES['NUMERIC']}) % 0.01)"
        " BETWEEN 0.004999990 AND 0.005000010"
        for column in dataset.columns
        if column.type == "NUMERIC"
        and column.name in columns
        and columns[column.name].kind in _FLOATS
    ]
    return " OR ".join(near) or "false"


def read_zones(path: Path) -> dict[str, str]:
    """Return the time zone of each column for which the writer of a parquet file names one.

    Parquet itself knows instants in UTC only. Arrow, pandas and Polars keep the zone beside them.
    """
    import pyarrow
    import pyarrow.parquet

    zones: dict[str, str] = {}
    # Whatever is wrong with these notes of the writer, the file may be read without them.
    with suppress(pyarrow.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError):
        schema = pyarrow.parquet.read_schema(path)
        encoded = pyarrow.parquet.read_metadata(path).metadata.get(b"ARROW:schema")
        # The schema that was written; for INT96, the one that is read has no zone.
        written = (
            pyarrow.ipc.read_schema(pyarrow.py_buffer(b64decode(encoded))) if encoded else schema
        )
        for field in (*schema, *written):
            if pyarrow.types.is_timestamp(field.type) and field.type.tz:
                zones[field.name] = field.type.tz
        for column in (schema.pandas_metadata or {}).get("columns", ()):  # of fastparquet
            zone = (column.get("metadata") or {}).get("timezone")
            if zone and zones.get(column["field_name"], "UTC") == "UTC":
                zones[column["field_name"]] = str(zone)
    return zones


def _require_single_values(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, name: str, column: ParquetColumn
) -> None:
    if not (column.type.endswith("]") or column.kind in ("STRUCT", "MAP", "UNION", "VARIANT")):
        return
    from pipeline.core.cells import show_text

    row = cursor.execute(
        f"SELECT CAST({column.name} AS VARCHAR) FROM read_parquet($path)"
        f" WHERE {column.name} IS NOT NULL LIMIT 1",
        {"path": literal_path(staged.path)},
    ).fetchone()
    example = f", such as {show_text(row[0])}" if row else ""
    raise TripFileError(
        f"{staged.file} from {staged.address} has several values in each cell of {name}: its type "
        f"is {column.type[:100]}{example}.",
        cure=f"Write {name} as a column of single values.",
    )


def _require_zone(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, name: str, column: ParquetColumn
) -> None:
    if not column.zone:
        return
    try:
        cursor.execute(f"SELECT {column._wall_clock()} FROM (SELECT now() AS {column.name})")
    except duckdb.Error:
        from pipeline.core.cells import show_text

        raise TripFileError(
            f"{staged.file} from {staged.address} has {name} in an unknown time zone: "
            f"{show_text(column.zone)}.",
            cure=f"Write {name} as timestamps without a zone, or with a zone of the tz database.",
        ) from None
