"""Draw what the trips of every sample have: how many, when, from where to where, how long."""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from typing import TYPE_CHECKING, Any

from pipeline.core.months import Month
from pipeline.core.sample_shapes import SampleShape
from pipeline.files.sample.world import (
    BELOW_96TH,
    BY_MONTH,
    BY_WEEKDAY,
    CENTERS,
    WEEKEND,
    WORKDAY,
    ZONES,
)

if TYPE_CHECKING:  # NumPy is imported inside the functions: its import takes 0.2 seconds
    from numpy.random import Generator
    from numpy.typing import NDArray

    Ints = NDArray[Any]  # int64, one value per trip
    Trips = dict[str, Ints]  # by column; cents, hundredths of a mile, seconds since 1970


def count_rows(month: Month, shape: SampleShape, rng: Generator) -> int:
    """Return the number of trips: lower from March 2020 on, with a slow recovery from April."""
    since_april_2020 = (month.year - 2020) * 12 + month.month - 4
    level = 1.0 if since_april_2020 < -1 else 0.7
    if since_april_2020 >= 0:
        level = min(0.7, 0.2 + 0.035 * since_april_2020)
    return round(shape.rows * level * BY_MONTH[month.month - 1] * rng.uniform(0.98, 1.02))


def draw_pickups(month: Month, known: Ints, rng: Generator) -> Ints:
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
            for share in numbers(WEEKEND if weekday % 7 >= 5 else WORKDAY)
        ]
    )
    hour = rng.choice(weight.size, known.size, p=weight / weight.sum())
    hour[known] = np.sort(hour[known])
    hour[~known] = np.sort(hour[~known])
    return _first_second(month) + hour * 3600 + rng.integers(0, 3600, known.size)


def draw_journeys(shape: SampleShape, rows: int, rng: Generator) -> tuple[Ints, Ints, Ints]:
    """Return the pickup zone, dropoff zone and distance in hundredths of a mile of each trip.

    The probability of a dropoff zone grows with its popularity and falls with its distance.
    """
    import numpy as np

    centers = np.array([pair.split(",") for pair in CENTERS.split()], dtype="float64") / 10
    remote = 1 + (centers**2).sum(axis=1) / 36
    is_central = np.isin(np.arange(1, ZONES + 1), numbers(BELOW_96TH))
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


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split()]


def draw_durations(pickup: Ints, miles: Ints, rng: Generator) -> Ints:
    """Return durations in seconds; long and night trips are faster, workday trips slower.

    Args:
        pickup: Seconds since 1970.
        miles: Hundredths of a mile.
        rng: Random generator.
    """
    hour, workday = hour_and_workday(pickup)
    speed = 10 + 0.005 * miles.clip(0, 2000)
    speed[(hour < 6) | (hour >= 22)] *= 1.35
    speed[workday & (hour >= 8) & (hour < 19)] *= 0.85
    speed *= rng.uniform(0.7, 1.35, miles.size)
    return (36 * miles / speed).astype("int64") + rng.integers(20, 140, miles.size)


def hour_and_workday(pickup: Ints) -> tuple[Ints, Ints]:
    """Return the hour of day, 0 to 23, and whether the day is Monday to Friday."""
    return pickup // 3600 % 24, (pickup // 86_400 + 3) % 7 < 5  # 1970 began on a Thursday


def draw_mask(share: float, trips: Ints, rng: Generator) -> Ints:
    """Return a mask as long as `trips` that selects each trip with probability `share`."""
    return rng.random(trips.size) < share


def stray_pickups(month: Month, rng: Generator) -> Ints:
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
