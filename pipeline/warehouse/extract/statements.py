"""The statements that read one trip file into the temporary table `incoming`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import duckdb

from pipeline.core.sql import literal_path, statement
from pipeline.files.staging import StagedFile
from pipeline.warehouse.extract.cells import (
    WIDE_TYPES,
    csv_identifiers,
    file_names,
    row_identifiers,
    stored_columns,
    time_limits,
)
from pipeline.warehouse.extract.parquet import (
    COUNT_INT96,
    DESCRIBE_PARQUET,
    ParquetColumn,
    half_cents,
    parquet_identifiers,
    usual_columns,
)
from pipeline.warehouse.statements import Statement


class ExtractStatements:
    """The statements that read one staged file, each built when it is asked for."""

    def __init__(
        self, staged: StagedFile, parquet: Mapping[str, ParquetColumn] | None = None
    ) -> None:
        """Take the columns of a parquet file; without them, those of most years are assumed."""
        self._staged = staged
        self._dataset = staged.file.dataset
        self._columns = parquet or usual_columns(self._dataset, staged.header)

    def without_rejects(self) -> list[Statement]:
        """Return the statements, in order, for a file that DuckDB's own reader reads."""
        is_parquet = self._staged.format == "parquet"
        return [
            *([self.describe_parquet(), self.count_int96()] if is_parquet else []),
            self.extract(),
            self.check_rows(),
            self.number_ordinals(),
        ]

    def describe_parquet(self) -> Statement:
        """Find the columns of a parquet file and their types."""
        values = {"path": literal_path(self._staged.path)}
        return Statement("extract", "describe_parquet", DESCRIBE_PARQUET, values)

    def count_int96(self) -> Statement:
        """Count the parquet columns of an old type, whose zone is noted elsewhere if anywhere."""
        return Statement(
            "extract", "count_int96", COUNT_INT96, {"path": literal_path(self._staged.path)}
        )

    def extract(self) -> Statement:
        """Read the file into `incoming` by the types of its columns."""
        staged = self._staged
        path = literal_path(staged.unpacked or staged.path)
        if staged.format == "parquet":
            names = parquet_identifiers(self._dataset, self._columns)
            return self._named("extract_parquet", names, {"path": path})
        names = csv_identifiers(self._dataset, staged.header)
        is_packed = staged.format == "csv.gz" and staged.unpacked is None
        # DuckDB would go by the name, which may be anything.
        compression = "gzip" if is_packed else "none"
        return self._named("extract_csv", names, {"path": path, "compression": compression})

    def count_superseded(self, read: str, other: str) -> Statement:
        """Count the rows in which a column is empty that is read in place of another one.

        Args:
            read: The column that is read, as the header of a csv spells it.
            other: The one that is not.
        """
        staged = self._staged
        places = {name: f"column_{place}" for place, name in enumerate(staged.header)}
        columns = ", ".join(f"'{place}': 'VARCHAR'" for place in places.values())
        identifiers = {
            "file_columns": f"{{{columns}}}",
            "read": places[read],
            "other": places[other],
        }
        is_packed = staged.format == "csv.gz" and staged.unpacked is None
        values = {
            "path": literal_path(staged.unpacked or staged.path),
            "compression": "gzip" if is_packed else "none",
        }
        return self._named("count_superseded", identifiers, values)

    def check_rows(self) -> Statement:
        """Find out whether every row of `incoming` fits its columns."""
        return self._named("check_rows", time_limits(self._dataset))

    def find_half_cents(self) -> Statement:
        """Find a binary number in a parquet file that is near half a cent."""
        near = half_cents(self._dataset, self._columns)
        sql = f"SELECT 1 FROM read_parquet($path) WHERE {near} LIMIT 1"
        return Statement(
            "extract", "find_half_cents", sql, {"path": literal_path(self._staged.path)}
        )

    def number_ordinals(self) -> Statement:
        """Number the rows that have the same identity."""
        return self._named("number_ordinals", row_identifiers(self._dataset))

    def read_csv_cells(self, rows: Path) -> Statement:
        """Read a csv of rows alone into `cells`, as texts."""
        names = file_names(self._dataset, self._staged.header)
        ours = {column.name for column in self._dataset.columns}
        texts = [_cell(name, name) for name in names if name in ours]
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
        identifiers = {"file_columns": f"{{{columns}}}", "texts": ", ".join(texts)}
        return self._named("read_csv_cells", identifiers, {"path": literal_path(rows)})

    def read_parquet_cells(self) -> Statement:
        """Read a parquet file into `cells`, as texts."""
        texts = ", ".join(_cell(column.text(), name) for name, column in self._columns.items())
        path = literal_path(self._staged.path)
        return self._named("read_parquet_cells", {"texts": texts}, {"path": path})

    def extract_cells(self, spelled: Collection[int]) -> Statement:
        """Turn `cells` into `incoming`.

        Args:
            spelled: Places of the columns that have texts in `spellings`.
        """
        wide, joins, reasons, rounded = [], [], [], []
        for place, column in enumerate(self._dataset.columns):
            name, other = column.name, f"spelling_{place}"
            if name not in self._columns:
                continue
            value = f"cells.{name}"
            if place in spelled:
                value = f"CASE WHEN {other}.text IS NULL THEN {value} ELSE {other}.value END"
                joins.append(
                    f"\n    LEFT JOIN spellings AS {other}"
                    f"\n        ON {other}.place = {place} AND {other}.text = cells.{name}"
                )
                reasons.append(f"{other}.reason")
                rounded.append(f"coalesce({other}.rounded, false)")
            wide.append(f"CAST({value} AS {WIDE_TYPES[column.type]}) AS {name}")
        return self._named(
            "extract_cells",
            {
                "wide_columns": ",\n        ".join(wide),
                "joins": "".join(joins),
                "reason": f"coalesce({', '.join([*reasons, 'NULL::VARCHAR'])})",
                "rounded_spelling": " OR ".join(rounded) or "false",
                **stored_columns(self._dataset, self._columns),
            },
        )

    def _named(
        self,
        name: str,
        identifiers: Mapping[str, str],
        values: Mapping[str, str] | None = None,
    ) -> Statement:
        return Statement("extract", name, statement(f"duckdb/{name}", **identifiers), values or {})


def _cell(text: str, name: str) -> str:
    # The grammar strips blanks: trimming every cell would take as long as all the rest.
    return f"nullif({text}, '') AS {name}"


def execute(cursor: duckdb.DuckDBPyConnection, sent: Statement) -> duckdb.DuckDBPyConnection:
    """Run a statement on a cursor and return the cursor, to fetch from."""
    return cursor.execute(sent.sql, dict(sent.values))
