"""A third dataset, which tests add to the registry: no money, distances, payments or vendors."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.columns import Column
from pipeline.core.datasets import Dataset
from pipeline.core.trips import Month, TripFile
from tests.support.files import csv_bytes, put

# The zone columns are spelled as in the TLC's files of for-hire vehicles.
CARS = Dataset(
    name="cars",
    label="Hired cars",
    columns=(
        Column("base_number", "STRING", "Base that sent the car", identity=True),
        Column("pickup_datetime", "TIMESTAMP", "When the trip began", identity=True),
        Column("dropoff_datetime", "TIMESTAMP", "When the trip ended", identity=True),
        Column("PUlocationID", "INT64", "TLC taxi zone of the pickup", identity=True),
        Column("DOlocationID", "INT64", "TLC taxi zone of the dropoff", identity=True),
        Column("shared", "INT64", "1 for a shared trip"),
    ),
    pickup="pickup_datetime",
    dropoff="dropoff_datetime",
    published={"tlc": (Month(2020, 2), None)},
    tint="#5577AA",
)
APRIL = TripFile(CARS, Month(2020, 4))


def put_cars(folder: Path) -> None:
    """Place a file of five trips: two of one identity, a stray, and one from an airport."""
    trips = [
        {
            "base_number": base,
            "pickup_datetime": f"{day} 08:{minute:02}:00",
            "dropOff_datetime": f"{day} 08:30:00",
            "PUlocationID": zone,
            "DOlocationID": 41,
            "Shared": shared,
        }
        for base, day, minute, zone, shared in (
            ("B00001", "2020-04-01", 0, 132, None),
            ("B00001", "2020-04-02", 5, 7, 1),
            ("B00001", "2020-04-02", 5, 7, None),
            ("B00002", "2020-04-30", 9, 7, 1),
            ("B00002", "2020-03-31", 9, 7, 1),
        )
    ]
    put(folder, APRIL, csv_bytes(APRIL, trips, list(trips[0])))
