"""A file's rows in a warehouse, in a few figures and one by one (sql/parity)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from pipeline.core.columns import Column
from pipeline.core.datasets import Dataset
from pipeline.core.sql import statement
from pipeline.core.trips import TripFile
from pipeline.warehouse import Parameters, Warehouse
from pipeline.warehouse.measures import amount_of, has_amount


@dataclass(frozen=True)
class FileFingerprint:
    """A file's rows in one warehouse, in a few figures.

    Attributes:
        rows: The number of rows.
        total_amount: The sum of the column of that name, in dollars; None without that column.
        ids: A digest of all values of unique_row_id, whatever the order of the rows.
        contents: A digest of all cells, whatever the order of the rows.
        buckets: The figures by the first byte of unique_row_id, in hex.
    """

    rows: int
    total_amount: Decimal | None
    ids: str
    contents: str
    buckets: Mapping[str, tuple[int, ...]]


class WarehouseFile:
    """One file in one warehouse, to be read with the statements in sql/parity."""

    def __init__(self, warehouse: Warehouse, file: TripFile, note: Callable[[str], None]) -> None:
        self._warehouse = warehouse
        self._file = file
        self._note = note

    def fingerprint(self) -> FileFingerprint:
        """Return the file's rows in a few figures."""
        rows = self._read("summarize_file").to_pylist()
        buckets = {
            row.pop("bucket"): (row.pop("trips"), round(row.pop("dollars") * 100), *row.values())
            for row in rows
        }
        count = sum(figures[0] for figures in buckets.values())
        cents = sum(figures[1] for figures in buckets.values())
        ids, contents = (
            hashlib.sha256(repr([(name, *figures[part]) for name, figures in buckets.items()])
                           .encode()).hexdigest()[:32]
            for part in (slice(2, 5), slice(5, 8))
        )  # fmt: skip
        amount = Decimal(cents) / 100 if has_amount(self._file.dataset) else None
        return FileFingerprint(count, amount, ids, contents, buckets)

    def rows(self, buckets: list[str]) -> Any:
        """Return ids and digests of the rows in these buckets, as an Arrow table."""
        return self._read("select_rows", buckets=buckets)

    def cells(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        """Return the cells of rows by id, each row by column name."""
        rows = self._read("select_columns", ids=ids).to_pylist() if ids else []
        return {row.pop("id"): row for row in rows}

    def _read(self, name: str, **parameters: Any) -> Any:
        sql = statement(f"parity/{name}", **table_identifiers(self._file.dataset))
        bound: Parameters = {"filename": self._file.filename, **parameters}
        result = self._warehouse.read(sql, bound)
        if result.note:
            self._note(result.note)
        return result.table


@cache
def table_identifiers(dataset: Dataset) -> dict[str, str]:
    """Return the placeholders of the statements in sql/parity."""
    columns = dataset.columns
    # Engines print NUMERIC differently, so amounts are hashed as cents, and times as microseconds.
    cells = [f"COALESCE({_text(column)}, '')" for column in columns]
    return {
        "table": dataset.table,
        "amount": amount_of(dataset),
        "columns": ", ".join(column.name for column in columns),
        "content": "CONCAT({})".format(", '|', ".join(cells)),
    }


def _text(column: Column) -> str:
    name = column.name
    if column.type == "STRING":
        return name
    if column.type == "NUMERIC":
        name = f"CAST(ROUND({name} * 100) AS INT64)"
    elif column.type == "TIMESTAMP":
        name = f"UNIX_MICROS({name})"
    return f"CAST({name} AS STRING)"
