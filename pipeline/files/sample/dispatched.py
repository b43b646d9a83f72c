"""Draw the trips that bases dispatched: without meters, fares and payments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.core.cancel import Cancel
from pipeline.core.sample_shapes import DispatchedShape
from pipeline.core.trips import TripFile
from pipeline.files.sample.draws import (
    count_rows,
    draw_durations,
    draw_journeys,
    draw_mask,
    draw_pickups,
    stray_pickups,
)

if TYPE_CHECKING:  # NumPy is imported inside the functions: its import takes 0.2 seconds
    from numpy.random import Generator
    from numpy.typing import NDArray

    Ints = NDArray[Any]  # int64, one value per trip
    Trips = dict[str, Ints]  # by column; cents, hundredths of a mile, seconds since 1970

_WITHOUT_BASE = 3  # rows, as in all of the files of 2019


def draw_dispatched_trips(
    file: TripFile, shape: DispatchedShape, rng: Generator, cancel: Cancel
) -> Trips:
    """Return all rows of the file, in file order; 0 stands for an empty base, zone or flag."""
    import numpy as np

    rows = count_rows(file.month, shape, rng)
    pickup = draw_pickups(file.month, np.ones(rows, dtype=bool), rng)
    cancel.check()
    origin, destination, miles = draw_journeys(shape, rows, rng)
    cancel.check()
    seconds = draw_durations(pickup, miles, rng)
    bases = np.array(shape.bases)
    base = bases[(bases.size * rng.random(rows) ** 2).astype("int64")]  # the first ones are larger
    affiliated = np.where(draw_mask(0.2, base, rng), rng.permutation(base), base)
    strays = stray_pickups(file.month, rng)
    pickup[rng.choice(rows, strays.size, replace=False)] = strays
    origin[draw_mask(shape.without_pickup_zone, origin, rng)] = 0
    destination[draw_mask(shape.without_dropoff_zone, destination, rng)] = 0
    base[rng.choice(rows, _WITHOUT_BASE, replace=False)] = 0
    trips = {
        "dispatching_base_num": base,
        "pickup": pickup,
        "dropoff": pickup + seconds,
        "PULocationID": origin,
        "DOLocationID": destination,
        "SR_Flag": draw_mask(shape.shared, base, rng).astype("int64"),
        "Affiliated_base_number": affiliated,
    }
    twice = rng.choice(rows, round(shape.repeated * rows), replace=False)
    order = np.sort(np.concatenate([np.arange(rows), twice]))
    return {name: values[order] for name, values in trips.items()}
