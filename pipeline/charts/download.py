"""Write the trips that filters leave to one file, as CSV or Parquet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import duckdb

from pipeline.charts.filters import Filters, trip_conditions
from pipeline.core.cancel import Cancel
from pipeline.core.errors import WarehouseError
from pipeline.core.scratch import ScratchFolder
from pipeline.core.settings.settings import Settings
from pipeline.core.sql import translate
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse import Scalar, Warehouse
from pipeline.warehouse.dialect import TripTable

MOST_ROWS = 2_000_000  # of one download: as CSV some 250 MB, which the server holds once
FORMATS = {"CSV": "(FORMAT csv, HEADER true)", "Parquet": "(FORMAT parquet, COMPRESSION zstd)"}

# The Parquet file of a month has the published columns only.
_STORED = TripTable("trips", {})


def files_of(filters: Filters, files: Iterable[TripFile]) -> list[TripFile]:
    """Return the loaded files that can hold trips of these filters, the oldest first."""
    first = Month(filters.first.year, filters.first.month) if filters.first else None
    last = Month(filters.last.year, filters.last.month) if filters.last else None
    wanted = [
        file
        for file in files
        if file.dataset in filters.datasets
        and file not in filters.left_out
        and (filters.strays or first is None or file.month >= first)
        and (filters.strays or last is None or file.month <= last)
    ]
    return sorted(wanted, key=lambda file: (file.month, file.dataset.name))


def write_trips(
    warehouse: Warehouse,
    filters: Filters,
    files: Iterable[TripFile],
    path: Path,
    format: str,
    settings: Settings,
) -> None:
    """Write the trips that filters leave to a new file, at most MOST_ROWS of them.

    Each file of the warehouse is written to a temporary folder in turn, so that memory does not
    grow with the trips.

    Args:
        warehouse: The open warehouse; reading one that bills is billed.
        filters: Which trips.
        files: The loaded files; at least one.
        path: The new file.
        format: One of FORMATS.
        settings: Say how much memory may be used.

    Raises WarehouseError if the trips cannot be written.
    """
    with ScratchFolder() as scratch:
        selects: list[str] = []
        values: dict[str, Scalar] = {"path": str(path)}
        for number, file in enumerate(files_of(filters, files)):
            parquet = Path(scratch) / f"{number}.parquet"
            warehouse.write_parquet(file, parquet, Cancel())
            conditions = trip_conditions(replace(filters, left_out=()), file.dataset, _STORED)
            values |= {f"parquet_{number}": str(parquet)} | conditions.parameters
            name = file.filename  # made of a dataset and a month, so that it needs no quoting
            selects.append(
                translate(f"SELECT * FROM trips_{number}{conditions.where()}").replace(
                    f"FROM trips_{number}",
                    "FROM (SELECT lower(hex(unique_row_id)) AS unique_row_id, "
                    f"'{name}' AS filename, * EXCLUDE (unique_row_id) "
                    f"FROM read_parquet($parquet_{number}))",
                )
            )
        rows = "\nUNION ALL BY NAME\n".join(selects)
        copy = f"COPY (SELECT * FROM (\n{rows}\n) LIMIT {MOST_ROWS}) TO $path {FORMATS[format]}"
        try:
            with duckdb.connect(config={"memory_limit": settings.memory_limit}) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute(copy, values)
        except duckdb.Error as error:
            raise WarehouseError(
                f"The trips could not be written: {str(error).splitlines()[0]}",
                cure="Choose fewer months, or use `python -m pipeline export`.",
            ) from error
