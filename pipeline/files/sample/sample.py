"""Generates the trip files of the built-in sample source, deterministic per color and month.

All trips are synthetic: no row is copied from a published file or fitted to one. The generator uses
these facts:
- Fares follow the TLC's tariff of 2019 to 2022 in every month: $2.50 base, $0.50 per 0.2 miles
  or slow minute, $52 flat between JFK and Manhattan, $0.50 overnight, $1.00 in the weekday evening
  rush, $2.50 (yellow) or $2.75 (green) for trips that touch Manhattan below 96th Street.
- Zone centers come from the TLC's public taxi zone map.
- Shares (payment types, passengers, popular zones, voids, missing vendors, stray trips, trips
  without a distance) are rounded from the published files of 2020 and apply to every month.
- Monthly volumes follow the real trend, the drop in spring 2020 included, with less amplitude.

The same file has the same bytes on every machine: amounts are whole cents and distances whole
hundredths of a mile until they are written, and DuckDB's own gzip compresses them. Times are local
New York time without a zone, and every day has 24 hours, also when the clocks change.
"""

from __future__ import annotations

import hashlib
from calendar import monthrange
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import Column, Dataset
from pipeline.core.errors import Cancelled, StorageError, UsageError
from pipeline.core.sample_shapes import SampleShape
from pipeline.core.trips import Month, TripFile
from pipeline.files.sample.world import (
    BELOW_96TH,
    BY_MONTH,
    BY_WEEKDAY,
    CENTERS,
    JFK,
    NEWARK,
    UNKNOWN_ZONE,
    UPPER_MANHATTAN,
    WEEKEND,
    WORKDAY,
    ZONES,
)

if TYPE_CHECKING:  # NumPy is imported inside the functions: its import takes 0.2 seconds
    from numpy.random import Generator
    from numpy.typing import NDArray

    Ints = NDArray[Any]  # int64, one value per trip
    Trips = dict[str, Ints]  # by column; cents, hundredths of a mile, seconds since 1970

SAMPLE_VERSION = "1"
"""Part of a sample file's ETag. Raise it whenever the generator's output changes."""


_AMOUNTS = (
    "fare_amount",
    "extra",
    "mta_tax",
    "tip_amount",
    "tolls_amount",
    "improvement_surcharge",
    "congestion_surcharge",
    "total_amount",
)
# Columns that are empty in trips without a vendor.
_VENDOR_ONLY = ("passenger_count", "RatecodeID", "payment_type", "trip_type")


def write_sample(file: TripFile, path: Path, cancel: Cancel) -> None:
    """Generate a csv.gz with the columns of the published file and write it to `path`.

    Args:
        file: Color and month. Any month from 2009-01 on, also one without a published file.
        path: Temporary file. The caller renames it, and deletes it after an error.
        cancel: Stops the work within a fraction of a second.

    Raises:
        Cancelled: `cancel` was set.
        StorageError: `path` cannot be written.
        UsageError: The sample has no trips of this color.
    """
    cancel.check()
    from numpy.random import PCG64, Generator

    seed = int.from_bytes(hashlib.sha256(file.stem.encode()).digest()[:8], "big")
    trips = _draw(file, Generator(PCG64(seed)), cancel)
    cancel.check()
    _write(file, trips, path, cancel)


def _draw(file: TripFile, rng: Generator, cancel: Cancel) -> Trips:
    """Return all rows of the file, in file order; 0 stands for an empty vendor."""
    shape = _shape_of(file.dataset)
    rows = _count_rows(file.month, shape, rng)
    vendor = 1 + (rng.random(rows) < shape.second_vendor).astype("int64")
    vendor[round(rows * (1 - shape.without_vendor)) :] = 0  # at the end, as in published files
    pickup = _draw_pickups(file.month, vendor > 0, rng)
    cancel.check()
    origin, destination, miles = _draw_journeys(shape, rows, rng)
    cancel.check()
    aborted = _some(0.01, miles, rng)
    destination[aborted], miles[aborted] = origin[aborted], 0
    seconds = _draw_durations(pickup, miles, rng)
    whole_minutes = vendor == 0
    pickup[whole_minutes] -= pickup[whole_minutes] % 60
    seconds[whole_minutes] -= seconds[whole_minutes] % 60 - 60
    miles[vendor == 1] -= miles[vendor == 1] % 10  # meters of vendor 1 record tenths of a mile
    trips = {
        "VendorID": vendor,
        "pickup": pickup,
        "PULocationID": origin,
        "DOLocationID": destination,
        "trip_distance": miles,
        "passenger_count": rng.choice(7, rows, p=[0.02, 0.76, 0.12, 0.04, 0.015, 0.025, 0.02]),
        "store_and_fwd_flag": _some(0.008, vendor, rng).astype("int64"),
    }
    _charge(trips, file.dataset, seconds, rng)
    _spoil_some(trips, shape, seconds, file.month, rng)
    trips["dropoff"] = trips["pickup"] + seconds
    return _repeat_some(trips, shape, rng)


def _shape_of(dataset: Dataset) -> SampleShape:
    """Return the sample's parameters for a color; raise UsageError if it has none."""
    if dataset.sample is None:
        raise UsageError(
            f"The built-in sample has no {dataset} trips.", cure="Choose another source."
        )
    return dataset.sample


def _count_rows(month: Month, shape: SampleShape, rng: Generator) -> int:
    """Return the number of trips: lower from March 2020 on, with a slow recovery from April."""
    since_april_2020 = (month.year - 2020) * 12 + month.month - 4
    level = 1.0 if since_april_2020 < -1 else 0.7
    if since_april_2020 >= 0:
        level = min(0.7, 0.2 + 0.035 * since_april_2020)
    return round(shape.rows * level * BY_MONTH[month.month - 1] * rng.uniform(0.98, 1.02))


def _draw_pickups(month: Month, known: Ints, rng: Generator) -> Ints:
    """Return pickups in seconds since 1970, sorted by hour and unsorted within each hour.

    Args:
        month: Month of all pickups.
        known: Whether each trip has a vendor. Trips with and without one are sorted separately.
        rng: Random generator.
    """
    import numpy as np

    first, days = date(month.year, month.month, 1), monthrange(month.year, month.month)[1]
    weight = np.array(
        [
            BY_WEEKDAY[weekday % 7] * share
            for weekday in range(first.weekday(), first.weekday() + days)
            for share in _numbers(WEEKEND if weekday % 7 >= 5 else WORKDAY)
        ]
    )
    hour = rng.choice(weight.size, known.size, p=weight / weight.sum())
    hour[known] = np.sort(hour[known])
    hour[~known] = np.sort(hour[~known])
    return _first_second(month) + hour * 3600 + rng.integers(0, 3600, known.size)


def _draw_journeys(shape: SampleShape, rows: int, rng: Generator) -> tuple[Ints, Ints, Ints]:
    """Return the pickup zone, dropoff zone and distance in hundredths of a mile of each trip.

    The probability of a dropoff zone grows with its popularity and falls with its distance.
    """
    import numpy as np

    centers = np.array([pair.split(",") for pair in CENTERS.split()], dtype="float64") / 10
    remote = 1 + (centers**2).sum(axis=1) / 36
    is_central = np.isin(np.arange(1, ZONES + 1), _numbers(BELOW_96TH))
    pickups = np.where(is_central, *shape.base) / remote
    for zone, popularity in (pair.split(":") for pair in shape.popular.split()):
        pickups[int(zone) - 1] = float(popularity)
    dropoffs = pickups + 5 / remote
    miles = ((centers[:, None] - centers) ** 2).sum(axis=2) ** 0.5
    chance = dropoffs / (3 + miles**2)
    chance *= (pickups / chance.sum(axis=1))[:, None]
    pair = rng.choice(chance.size, rows, p=(chance / chance.sum()).ravel())
    origin, destination = np.divmod(pair, ZONES)
    # Streets are 1.3 times the straight line. The noise moves both ends away from the zone centers.
    offset = centers[destination] - centers[origin] + rng.normal(0, 0.35, (rows, 2))
    hundredths = (130 * (offset**2).sum(axis=1) ** 0.5).astype("int64")
    return origin + 1, destination + 1, hundredths


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split()]


def _draw_durations(pickup: Ints, miles: Ints, rng: Generator) -> Ints:
    """Return durations in seconds; long and night trips are faster, workday trips slower.

    Args:
        pickup: Seconds since 1970.
        miles: Hundredths of a mile.
        rng: Random generator.
    """
    hour, workday = _hour_and_workday(pickup)
    speed = 10 + 0.005 * miles.clip(0, 2000)
    speed[(hour < 6) | (hour >= 22)] *= 1.35
    speed[workday & (hour >= 8) & (hour < 19)] *= 0.85
    speed *= rng.uniform(0.7, 1.35, miles.size)
    return (36 * miles / speed).astype("int64") + rng.integers(20, 140, miles.size)


def _hour_and_workday(pickup: Ints) -> tuple[Ints, Ints]:
    """Return the hour of day, 0 to 23, and whether the day is Monday to Friday."""
    return pickup // 3600 % 24, (pickup // 86_400 + 3) % 7 < 5  # 1970 began on a Thursday


def _charge(trips: Trips, dataset: Dataset, seconds: Ints, rng: Generator) -> None:
    """Add the amounts in cents, the rate code, the payment type and the trip type to the trips."""
    import numpy as np

    shape = _shape_of(dataset)
    known, miles = trips["VendorID"] > 0, trips["trip_distance"]
    origin, destination = trips["PULocationID"], trips["DOLocationID"]
    center, manhattan = _numbers(BELOW_96TH), _numbers(f"{BELOW_96TH} {UPPER_MANHATTAN}")
    from_jfk = (origin == JFK) & np.isin(destination, manhattan)
    to_jfk = (destination == JFK) & np.isin(origin, manhattan)

    rate = np.where(from_jfk | to_jfk, 2, np.where(destination == NEWARK, 3, 1))
    rate[_some(shape.negotiated, rate, rng)] = 5
    slow_minutes = (seconds / 60 - 0.03 * miles).clip(0)  # time beyond that at 20 mph
    fare = 250 + 50 * (miles / 20 + slow_minutes).astype("int64")
    fare[rate == 2] = 5200
    fare[rate == 3] += 1750
    fare = np.where(rate == 5, 100 * rng.integers(10, 90, fare.size), fare)
    fare = np.where(known, fare, fare * rng.integers(85, 150, fare.size) // 100)

    hour, workday = _hour_and_workday(trips["pickup"])
    metered = known & (rate < 3)
    overnight, rush = (hour < 6) | (hour >= 20), workday & (hour >= 16) & (hour < 20)
    touches_center = np.isin(origin, center) | np.isin(destination, center)
    has_congestion = touches_center & (known | shape.congestion_without_vendor)
    payment = np.where(_some(shape.card, fare, rng), 1, 2)
    payment[_some(0.007, payment, rng)] = 3
    payment[_some(0.003, payment, rng)] = 4
    parts = {
        "fare_amount": fare,
        "extra": metered * (50 * overnight + 100 * rush),
        "mta_tax": 50 * metered,
        "tolls_amount": 612 * ((miles > 700) & _some(0.45, miles, rng)),
        "improvement_surcharge": np.full(fare.size, 30),
        "congestion_surcharge": shape.congestion * has_congestion,
    }
    tipped = known & (payment == 1) & ~_some(shape.without_tip, payment, rng)
    percent = rng.choice([10, 15, 20, 20, 20, 25, 30], fare.size)
    parts["tip_amount"] = tipped * percent * sum(parts.values()) // 100
    trips |= parts
    trips["total_amount"] = sum(parts.values())
    trips |= {"RatecodeID": rate, "payment_type": payment, "trip_type": 1 + (rate == 5)}


def _some(share: float, trips: Ints, rng: Generator) -> Ints:
    """Return a mask as long as `trips` that selects each trip with probability `share`."""
    return rng.random(trips.size) < share


def _spoil_some(
    trips: Trips, shape: SampleShape, seconds: Ints, month: Month, rng: Generator
) -> None:
    """Give some trips the faults of published files: no distance, no zone, a day long, or stray."""
    vendor = trips["VendorID"]
    trips["trip_distance"][_some(shape.without_distance, vendor, rng)] = 0
    day_long = _some(0.002, vendor, rng) & (vendor == 2)
    seconds[day_long] = 86_400 - rng.integers(1, 3600, day_long.sum())
    zoneless = _some(0.004, vendor, rng)
    trips["PULocationID"][zoneless] = trips["DOLocationID"][zoneless] = UNKNOWN_ZONE
    pickups = _stray_pickups(month, rng)
    trips["pickup"][rng.choice(vendor.nonzero()[0], pickups.size, replace=False)] = pickups


def _stray_pickups(month: Month, rng: Generator) -> Ints:
    """Return pickups outside the month, in seconds since 1970.

    As in published files: two by meters reset to 2009, three within six days of the month, one
    21 years ahead.
    """
    reset, start, end = (_first_second(start) for start in (Month(2009, 1), month, month.plus(1)))
    strays = (reset - 3480, reset + 960, start - 500_000, start - 700, end + 900, end + 662_000_000)
    return rng.integers(0, 600, len(strays)) + strays


def _first_second(month: Month) -> int:
    """Return the first second of a month in seconds since 1970, without a time zone."""
    return (date(month.year, month.month, 1) - date(1970, 1, 1)).days * 86_400


def _repeat_some(trips: Trips, shape: SampleShape, rng: Generator) -> Trips:
    """Insert a void with negated amounts before some trips, and repeat four rows."""
    import numpy as np

    cash = ((trips["VendorID"] == 2) & (trips["payment_type"] == 2)).nonzero()[0]
    voided = rng.choice(cash, round(shape.voided * trips["VendorID"].size), replace=False)
    rows = np.arange(trips["VendorID"].size)
    source_rows = np.sort(np.concatenate([rows, voided, rng.choice(rows, 4, replace=False)]))
    repeated = {name: values[source_rows] for name, values in trips.items()}
    voids = np.searchsorted(source_rows, voided)
    for name in _AMOUNTS:
        repeated[name][voids] *= -1
    repeated["payment_type"][voids] = np.where(_some(0.3, voids, rng), 4, 3)
    return repeated


def _write(file: TripFile, trips: Trips, path: Path, cancel: Cancel) -> None:
    """Write the trips as csv.gz; raise Cancelled or StorageError."""
    import duckdb

    columns = [column for column in file.dataset.columns if not column.fee]
    select = ", ".join(f'{_expression(column)} AS "{column.name}"' for column in columns)
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


def _expression(column: Column) -> str:
    """Return the SQL of a column as published: in dollars or miles, NULL where it is unknown."""
    if column.type == "TIMESTAMP":
        return f"make_timestamp(1000000 * {column.name[len('tpep_') :].removesuffix('_datetime')})"
    if column.name == "VendorID":
        return "nullif(VendorID, 0)"
    if column.name == "ehail_fee":
        return "NULL"
    if column.name == "store_and_fwd_flag":
        return "CASE WHEN VendorID > 0 THEN if(store_and_fwd_flag = 1, 'Y', 'N') END"
    if column.name in _VENDOR_ONLY:
        return f"CASE WHEN VendorID > 0 THEN {column.name} END"
    return f"{column.name} / 100" if column.type == "NUMERIC" else column.name
