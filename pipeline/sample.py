"""The built-in sample source: made-up trip files, the same bytes for one color and month each time.

No row is a real trip, and none was copied or fitted row by row. What was taken from the world:
- the fares are the TLC's published tariff of 2019 to 2022 (2.50 to start, 0.50 per fifth of a mile
  or slow minute, 52 flat between JFK and Manhattan, 0.50 overnight, 1.00 in the weekday evening
  rush, 2.50 or 2.75 for touching Manhattan below 96th Street), for every month;
- the zone centers are those of the TLC's public taxi zone map;
- the shares (payment, passengers, popular zones, voids, missing vendors, stray dates, trips without
  a distance) are rounded from the published files of 2020, for every month;
- the months follow the real ups and downs, the spring of 2020 included, but damped.

Amounts are whole cents and distances hundredths of a mile until they are written, and DuckDB's own
compressor packs them, so that every machine writes the same file. Every day has 24 hours, also
where the clocks change.
"""

from __future__ import annotations

import hashlib
from calendar import monthrange
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cancel import Cancel
from pipeline.errors import Cancelled, StorageError
from pipeline.sample_world import (
    BELOW_96TH,
    BY_MONTH,
    BY_WEEKDAY,
    CENTERS,
    JFK,
    NEWARK,
    SHAPES,
    UNKNOWN_ZONE,
    UPPER_MANHATTAN,
    WEEKEND,
    WORKDAY,
    ZONES,
    Shape,
)
from pipeline.trips import COLUMNS, Color, Column, Month, TripFile

if TYPE_CHECKING:  # imported where they are used: together they take 0.2 seconds
    from numpy.random import Generator
    from numpy.typing import NDArray

    Ints = NDArray[Any]  # int64, one value a trip
    Trips = dict[str, Ints]  # by column name; cents, hundredths of a mile, seconds since 1970

SAMPLE_VERSION = "1"
"""Part of the ETag of a sample file: raise it whenever the generator's output changes."""


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
_VENDOR_ONLY = ("passenger_count", "RatecodeID", "payment_type", "trip_type")


def write_sample(file: TripFile, path: Path, cancel: Cancel) -> None:
    """Write the made-up csv.gz of this color and month, with the published header, to `path`.

    Args:
        file: The color and month; any month from 2009-01 on, also one the color did not drive in.
        path: A temporary name; renaming it is the caller's, and removing it after an error.
        cancel: Stops the work within a fraction of a second.

    Raises:
        Cancelled: `cancel` was set.
        StorageError: `path` cannot be written.
    """
    cancel.check()
    from numpy.random import PCG64, Generator

    seed = int.from_bytes(hashlib.sha256(file.stem.encode()).digest()[:8], "big")
    trips = _draw(file, Generator(PCG64(seed)), cancel)
    cancel.check()
    _write(file, trips, path, cancel)


def _draw(file: TripFile, rng: Generator, cancel: Cancel) -> Trips:
    """Return every row of the file, in order, with 0 for what is empty."""
    shape = SHAPES[file.color]
    rows = _count_rows(file.month, shape, rng)
    vendor = 1 + (rng.random(rows) < shape.second_vendor).astype("int64")
    vendor[round(rows * (1 - shape.without_vendor)) :] = 0  # published files have them at the end
    pickup = _draw_pickups(file.month, vendor > 0, rng)
    cancel.check()
    origin, destination, miles = _draw_journeys(shape, rows, rng)
    cancel.check()
    aborted = _some(0.01, miles, rng)
    destination[aborted], miles[aborted] = origin[aborted], 0
    seconds = _draw_durations(pickup, miles, rng)
    by_minute = vendor == 0
    pickup[by_minute] -= pickup[by_minute] % 60
    seconds[by_minute] -= seconds[by_minute] % 60 - 60
    miles[vendor == 1] -= miles[vendor == 1] % 10  # this vendor's meters show tenths
    trips = {
        "VendorID": vendor,
        "pickup": pickup,
        "PULocationID": origin,
        "DOLocationID": destination,
        "trip_distance": miles,
        "passenger_count": rng.choice(7, rows, p=[0.02, 0.76, 0.12, 0.04, 0.015, 0.025, 0.02]),
        "store_and_fwd_flag": _some(0.008, vendor, rng).astype("int64"),
    }
    _charge(trips, file.color, seconds, rng)
    _spoil_some(trips, shape, seconds, file.month, rng)
    trips["dropoff"] = trips["pickup"] + seconds
    return _repeat_some(trips, shape, rng)


def _count_rows(month: Month, shape: Shape, rng: Generator) -> int:
    since_april_2020 = (month.year - 2020) * 12 + month.month - 4
    level = 1.0 if since_april_2020 < -1 else 0.7
    if since_april_2020 >= 0:
        level = min(0.7, 0.2 + 0.035 * since_april_2020)
    return round(shape.rows * level * BY_MONTH[month.month - 1] * rng.uniform(0.98, 1.02))


def _draw_pickups(month: Month, known: Ints, rng: Generator) -> Ints:
    """Return pickups in seconds since 1970: hour after hour, in any order within each hour."""
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


def _draw_journeys(shape: Shape, rows: int, rng: Generator) -> tuple[Ints, Ints, Ints]:
    """Return pickup zone, dropoff zone and hundredths of a mile of each trip.

    A dropoff zone is the likelier the more popular and the nearer it is.
    """
    import numpy as np

    centers = np.array([pair.split(",") for pair in CENTERS.split()], dtype="float64") / 10
    remote = 1 + (centers**2).sum(axis=1) / 36
    core = np.isin(np.arange(1, ZONES + 1), _numbers(BELOW_96TH))
    pickups = np.where(core, *shape.base) / remote
    for zone, popularity in (pair.split(":") for pair in shape.popular.split()):
        pickups[int(zone) - 1] = float(popularity)
    dropoffs = pickups + 5 / remote
    miles = ((centers[:, None] - centers) ** 2).sum(axis=2) ** 0.5
    chance = dropoffs / (3 + miles**2)
    chance *= (pickups / chance.sum(axis=1))[:, None]
    pair = rng.choice(chance.size, rows, p=(chance / chance.sum()).ravel())
    origin, destination = np.divmod(pair, ZONES)
    # Streets are longer than the crow flies, and no trip begins and ends at a center.
    way = centers[destination] - centers[origin] + rng.normal(0, 0.35, (rows, 2))
    hundredths = (130 * (way**2).sum(axis=1) ** 0.5).astype("int64")
    return origin + 1, destination + 1, hundredths


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split()]


def _draw_durations(pickup: Ints, miles: Ints, rng: Generator) -> Ints:
    """Return seconds under way: faster on long trips and at night, slower on workdays."""
    hour, workday = _hour_and_workday(pickup)
    speed = 10 + 0.005 * miles.clip(0, 2000)
    speed[(hour < 6) | (hour >= 22)] *= 1.35
    speed[workday & (hour >= 8) & (hour < 19)] *= 0.85
    speed *= rng.uniform(0.7, 1.35, miles.size)
    return (36 * miles / speed).astype("int64") + rng.integers(20, 140, miles.size)


def _hour_and_workday(pickup: Ints) -> tuple[Ints, Ints]:
    return pickup // 3600 % 24, (pickup // 86_400 + 3) % 7 < 5  # 1970 began on a Thursday


def _charge(trips: Trips, color: Color, seconds: Ints, rng: Generator) -> None:
    """Add what the trips cost, in cents, and how they were paid."""
    import numpy as np

    shape = SHAPES[color]
    known, miles = trips["VendorID"] > 0, trips["trip_distance"]
    origin, destination = trips["PULocationID"], trips["DOLocationID"]
    core, manhattan = _numbers(BELOW_96TH), _numbers(f"{BELOW_96TH} {UPPER_MANHATTAN}")
    from_jfk = (origin == JFK) & np.isin(destination, manhattan)
    to_jfk = (destination == JFK) & np.isin(origin, manhattan)

    rate = np.where(from_jfk | to_jfk, 2, np.where(destination == NEWARK, 3, 1))
    rate[_some(shape.negotiated, rate, rng)] = 5
    slow_minutes = (seconds / 60 - 0.03 * miles).clip(0)  # those not driven at 20 miles an hour
    fare = 250 + 50 * (miles / 20 + slow_minutes).astype("int64")
    fare[rate == 2] = 5200
    fare[rate == 3] += 1750
    fare = np.where(rate == 5, 100 * rng.integers(10, 90, fare.size), fare)
    fare = np.where(known, fare, fare * rng.integers(85, 150, fare.size) // 100)

    hour, workday = _hour_and_workday(trips["pickup"])
    metered = known & (rate < 3)
    overnight, rush = (hour < 6) | (hour >= 20), workday & (hour >= 16) & (hour < 20)
    touches_core = np.isin(origin, core) | np.isin(destination, core)
    has_congestion = touches_core & (known | (color is Color.YELLOW))
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
    """Return which of the trips are picked, each with the chance `share`."""
    return rng.random(trips.size) < share


def _spoil_some(trips: Trips, shape: Shape, seconds: Ints, month: Month, rng: Generator) -> None:
    """Give some trips the faults of published ones: no distance or zone, a day long, stray."""
    vendor = trips["VendorID"]
    trips["trip_distance"][_some(shape.without_distance, vendor, rng)] = 0
    day_long = _some(0.002, vendor, rng) & (vendor == 2)
    seconds[day_long] = 86_400 - rng.integers(1, 3600, day_long.sum())
    nowhere = _some(0.004, vendor, rng)
    trips["PULocationID"][nowhere] = trips["DOLocationID"][nowhere] = UNKNOWN_ZONE
    pickups = _stray_pickups(month, rng)
    trips["pickup"][rng.choice(vendor.nonzero()[0], pickups.size, replace=False)] = pickups


def _stray_pickups(month: Month, rng: Generator) -> Ints:
    """Return the few pickups outside the month: clocks set back to 2009, off by days, far ahead."""
    reset, start, end = (_first_second(each) for each in (Month(2009, 1), month, month.plus(1)))
    strays = (reset - 3480, reset + 960, start - 500_000, start - 700, end + 900, end + 662_000_000)
    return rng.integers(0, 600, len(strays)) + strays


def _first_second(month: Month) -> int:
    return (date(month.year, month.month, 1) - date(1970, 1, 1)).days * 86_400


def _repeat_some(trips: Trips, shape: Shape, rng: Generator) -> Trips:
    """Put before some trips their void, all amounts opposite, and write a few rows twice."""
    import numpy as np

    cash = ((trips["VendorID"] == 2) & (trips["payment_type"] == 2)).nonzero()[0]
    voided = rng.choice(cash, round(shape.voided * trips["VendorID"].size), replace=False)
    every = np.arange(trips["VendorID"].size)
    take = np.sort(np.concatenate([every, voided, rng.choice(every, 4, replace=False)]))
    repeated = {name: values[take] for name, values in trips.items()}
    voids = np.searchsorted(take, voided)
    for name in _AMOUNTS:
        repeated[name][voids] *= -1
    repeated["payment_type"][voids] = np.where(_some(0.3, voids, rng), 4, 3)
    return repeated


def _write(file: TripFile, trips: Trips, path: Path, cancel: Cancel) -> None:
    import duckdb

    columns = [column for column in COLUMNS[file.color] if not column.fee]
    select = ", ".join(f'{_expression(column)} AS "{column.name}"' for column in columns)
    # One thread, so that rows and compressed blocks come in one order on every machine.
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
    """Return the SQL of one column as published: in dollars and miles, empty where not known."""
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
