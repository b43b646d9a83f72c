"""Generates the trip files of the built-in sample source, deterministic per dataset and month.

All trips are synthetic: no row is copied from a published file or fitted to one. The generator uses
these facts:
- Fares follow the TLC's tariff of 2019 to 2022 in every month: $2.50 base, $0.50 per 0.2 miles
  or slow minute, $52 flat between JFK and Manhattan, $0.50 overnight, $1.00 in the weekday evening
  rush, $2.50 (yellow) or $2.75 (green) for trips that touch Manhattan below 96th Street.
- Zone centers come from the TLC's public taxi zone map.
- Shares (payment types, passengers, popular zones, voids, missing vendors, stray trips, trips
  without a distance) are rounded from the published files of 2020 and apply to every month.
- Of trips that bases dispatched, the shares are made up; only the number of rows without a base is
  that of published files, those of 2019.
- Monthly volumes follow the real trend, the drop in spring 2020 included, with less amplitude.

The same file has the same bytes on every machine: amounts are whole cents and distances whole
hundredths of a mile until they are written, and DuckDB's own gzip compresses them. Times are local
New York time without a zone, and every day has 24 hours, also when the clocks change.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.cancel import Cancel
from pipeline.core.columns import Column
from pipeline.core.datasets import Dataset
from pipeline.core.errors import Cancelled, StorageError, UsageError
from pipeline.core.sample_shapes import DispatchedShape, TaxiShape
from pipeline.core.trips import TripFile
from pipeline.files.sample.dispatched import draw_dispatched_trips
from pipeline.files.sample.taxis import draw_taxi_trips

if TYPE_CHECKING:  # NumPy is imported inside the functions: its import takes 0.2 seconds
    from numpy.random import Generator
    from numpy.typing import NDArray

    Ints = NDArray[Any]  # int64, one value per trip
    Trips = dict[str, Ints]  # by column; cents, hundredths of a mile, seconds since 1970

SAMPLE_VERSION = "1"
"""Part of a sample file's ETag. Raise it whenever the generator's output changes."""


# Columns that are empty in trips without a vendor.
_VENDOR_ONLY = ("passenger_count", "RatecodeID", "payment_type", "trip_type")


def write_sample(file: TripFile, path: Path, cancel: Cancel) -> None:
    """Generate a csv.gz with the columns of the published file and write it to `path`.

    Args:
        file: Dataset and month. Any month from 2009-01 on, also one without a published file.
        path: Temporary file. The caller renames it, and deletes it after an error.
        cancel: Stops the work within a fraction of a second.

    Raises:
        Cancelled: `cancel` was set.
        StorageError: `path` cannot be written.
        UsageError: The sample has no trips of this dataset.
    """
    cancel.check()
    from numpy.random import PCG64, Generator

    seed = int.from_bytes(hashlib.sha256(file.stem.encode()).digest()[:8], "big")
    trips = _draw(file, Generator(PCG64(seed)), cancel)
    cancel.check()
    _write(file, trips, path, cancel)


def _draw(file: TripFile, rng: Generator, cancel: Cancel) -> Trips:
    """Return all rows of the file, in file order; raise UsageError if there is no sample of it."""
    match file.dataset.sample:
        case TaxiShape() as shape:
            return draw_taxi_trips(file, shape, rng, cancel)
        case DispatchedShape() as shape:
            return draw_dispatched_trips(file, shape, rng, cancel)
    raise UsageError(
        f"The built-in sample has no {file.dataset} trips.", cure="Choose another source."
    )


def _write(file: TripFile, trips: Trips, path: Path, cancel: Cancel) -> None:
    """Write the trips as csv.gz; raise Cancelled or StorageError."""
    import duckdb

    columns = [column for column in file.dataset.columns if not column.fee]
    select = ", ".join(
        f'{_expression(column, file.dataset)} AS "{column.name}"' for column in columns
    )
    # One thread makes the order of rows and compressed blocks the same on every machine.
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("trips", trips)
        try:
            with cancel.calling(connection.interrupt):
                connection.execute(
                    f"COPY (SELECT {select} FROM trips) TO $path "
                    "(FORMAT csv, HEADER, COMPRESSION gzip, USE_TMP_FILE false)",
                    {"path": str(path)},
                )
        except duckdb.InterruptException:
            raise Cancelled from None
        except duckdb.IOException as error:
            raise StorageError(
                f"{file} of the built-in sample could not be written to {path}: {error}.",
                cure="Free some disk space, or check that the folder can be written.",
            ) from error
    cancel.check()


def _expression(column: Column, dataset: Dataset) -> str:
    """Return the SQL of a column as published: in dollars or miles, NULL where it is unknown."""
    if column.type == "TIMESTAMP":
        time = "pickup" if column.name == dataset.pickup else "dropoff"
        return f"make_timestamp(1000000 * {time})"
    if column.is_code:
        return f"CASE WHEN {column.name} > 0 THEN format('B{{:05d}}', {column.name}) END"
    if column.name == "VendorID":
        return "nullif(VendorID, 0)"
    if isinstance(dataset.sample, DispatchedShape):
        return f"nullif({column.name}, 0)"
    if column.name == "ehail_fee":
        return "NULL"
    if column.name == "store_and_fwd_flag":
        return "CASE WHEN VendorID > 0 THEN if(store_and_fwd_flag = 1, 'Y', 'N') END"
    if column.name in _VENDOR_ONLY:
        return f"CASE WHEN VendorID > 0 THEN {column.name} END"
    return f"{column.name} / 100" if column.type == "NUMERIC" else column.name
