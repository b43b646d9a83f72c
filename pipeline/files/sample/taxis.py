"""Draw the trips of taxis: with meters, fares, payments and voids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.core.cancel import Cancel
from pipeline.core.sample_shapes import TaxiShape
from pipeline.core.trips import Month, TripFile
from pipeline.files.sample.draws import (
    count_rows,
    draw_durations,
    draw_journeys,
    draw_mask,
    draw_pickups,
    hour_and_workday,
    numbers,
    stray_pickups,
)
from pipeline.files.sample.world import (
    BELOW_96TH,
    JFK,
    NEWARK,
    UNKNOWN_ZONE,
    UPPER_MANHATTAN,
)

if TYPE_CHECKING:  # NumPy is imported inside the functions: its import takes 0.2 seconds
    from numpy.random import Generator
    from numpy.typing import NDArray

    Ints = NDArray[Any]  # int64, one value per trip
    Trips = dict[str, Ints]  # by column; cents, hundredths of a mile, seconds since 1970

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


def draw_taxi_trips(file: TripFile, shape: TaxiShape, rng: Generator, cancel: Cancel) -> Trips:
    """Return all rows of the file, in file order; 0 stands for an empty vendor."""
    rows = count_rows(file.month, shape, rng)
    vendor = 1 + (rng.random(rows) < shape.second_vendor).astype("int64")
    vendor[round(rows * (1 - shape.without_vendor)) :] = 0  # at the end, as in published files
    pickup = draw_pickups(file.month, vendor > 0, rng)
    cancel.check()
    origin, destination, miles = draw_journeys(shape, rows, rng)
    cancel.check()
    aborted = draw_mask(0.01, miles, rng)
    destination[aborted], miles[aborted] = origin[aborted], 0
    seconds = draw_durations(pickup, miles, rng)
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
        "store_and_fwd_flag": draw_mask(0.008, vendor, rng).astype("int64"),
    }
    _charge(trips, shape, seconds, rng)
    _spoil_some(trips, shape, seconds, file.month, rng)
    trips["dropoff"] = trips["pickup"] + seconds
    return _repeat_some(trips, shape, rng)


def _charge(trips: Trips, shape: TaxiShape, seconds: Ints, rng: Generator) -> None:
    """Add the amounts in cents, the rate code, the payment type and the trip type to the trips."""
    import numpy as np

    known, miles = trips["VendorID"] > 0, trips["trip_distance"]
    origin, destination = trips["PULocationID"], trips["DOLocationID"]
    center, manhattan = numbers(BELOW_96TH), numbers(f"{BELOW_96TH} {UPPER_MANHATTAN}")
    from_jfk = (origin == JFK) & np.isin(destination, manhattan)
    to_jfk = (destination == JFK) & np.isin(origin, manhattan)

    rate = np.where(from_jfk | to_jfk, 2, np.where(destination == NEWARK, 3, 1))
    rate[draw_mask(shape.negotiated, rate, rng)] = 5
    slow_minutes = (seconds / 60 - 0.03 * miles).clip(0)  # time beyond that at 20 mph
    fare = 250 + 50 * (miles / 20 + slow_minutes).astype("int64")
    fare[rate == 2] = 5200
    fare[rate == 3] += 1750
    fare = np.where(rate == 5, 100 * rng.integers(10, 90, fare.size), fare)
    fare = np.where(known, fare, fare * rng.integers(85, 150, fare.size) // 100)

    hour, workday = hour_and_workday(trips["pickup"])
    metered = known & (rate < 3)
    overnight, rush = (hour < 6) | (hour >= 20), workday & (hour >= 16) & (hour < 20)
    touches_center = np.isin(origin, center) | np.isin(destination, center)
    has_congestion = touches_center & (known | shape.congestion_without_vendor)
    payment = np.where(draw_mask(shape.card, fare, rng), 1, 2)
    payment[draw_mask(0.007, payment, rng)] = 3
    payment[draw_mask(0.003, payment, rng)] = 4
    parts = {
        "fare_amount": fare,
        "extra": metered * (50 * overnight + 100 * rush),
        "mta_tax": 50 * metered,
        "tolls_amount": 612 * ((miles > 700) & draw_mask(0.45, miles, rng)),
        "improvement_surcharge": np.full(fare.size, 30),
        "congestion_surcharge": shape.congestion * has_congestion,
    }
    tipped = known & (payment == 1) & ~draw_mask(shape.without_tip, payment, rng)
    percent = rng.choice([10, 15, 20, 20, 20, 25, 30], fare.size)
    parts["tip_amount"] = tipped * percent * sum(parts.values()) // 100
    trips |= parts
    trips["total_amount"] = sum(parts.values())
    trips |= {"RatecodeID": rate, "payment_type": payment, "trip_type": 1 + (rate == 5)}


def _spoil_some(
    trips: Trips, shape: TaxiShape, seconds: Ints, month: Month, rng: Generator
) -> None:
    """Give some trips the faults of published files: no distance, no zone, a day long, or stray."""
    vendor = trips["VendorID"]
    trips["trip_distance"][draw_mask(shape.without_distance, vendor, rng)] = 0
    day_long = draw_mask(0.002, vendor, rng) & (vendor == 2)
    seconds[day_long] = 86_400 - rng.integers(1, 3600, day_long.sum())
    zoneless = draw_mask(0.004, vendor, rng)
    trips["PULocationID"][zoneless] = trips["DOLocationID"][zoneless] = UNKNOWN_ZONE
    pickups = stray_pickups(month, rng)
    trips["pickup"][rng.choice(vendor.nonzero()[0], pickups.size, replace=False)] = pickups


def _repeat_some(trips: Trips, shape: TaxiShape, rng: Generator) -> Trips:
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
    repeated["payment_type"][voids] = np.where(draw_mask(0.3, voids, rng), 4, 3)
    return repeated
