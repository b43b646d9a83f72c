"""The datasets: one record for each kind of trip file that the TLC publishes. Pure: no I/O.

`DATASETS` is the registry. Tables, file names, command-line choices, error texts and charts are
derived from it, so a new dataset is one more record and its test data.

Column names follow the TLC trip record dictionaries and the tables of the data engineering course,
so that the course's later modules keep working.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.core.columns import (
    AIRPORT,
    CBD,
    CONGESTION,
    DISTANCE,
    DROPOFF_ZONE,
    EHAIL,
    EXTRA,
    FARE,
    FLAG,
    IMPROVEMENT,
    PASSENGERS,
    PAYMENT,
    PICKUP_ZONE,
    RATE,
    TAX,
    TIP,
    TOLLS,
    TOTAL,
    TRIP_TYPE,
    VENDOR,
    Column,
    time_column,
)
from pipeline.core.errors import UsageError
from pipeline.core.months import Month
from pipeline.core.sample_shapes import (
    FOR_HIRE_SAMPLE,
    GREEN_SAMPLE,
    YELLOW_SAMPLE,
    SampleShape,
)


@dataclass(frozen=True, order=True)
class Dataset:
    """Everything that is true of one kind of trip file.

    Attributes:
        name: The word for it in file names, tables, the command line and the ledger, where it is
            called `color` for the sake of older warehouses, links and scripts.
        label: The name shown to people: a plural, such as `Yellow taxis`.
        columns: Columns of the production table, in table order, known later fees last.
        pickup: Name of the pickup column.
        dropoff: Name of the dropoff column.
        published: First and last month by source, where the source is known to have limits; None
            stands for no end. A source that is not listed does not have the dataset.
        known_counts: Published row counts to compare a warehouse with: first month, last month,
            rows.
        schedule_hour: Hour at which a new schedule fires by default, 0 to 23.
        tint: Color in charts.
        dash: Line style in charts, so that color is not the only difference.
        sample: What the built-in sample looks like, or None where there is none.
        is_default: Whether a backfill loads it when no dataset is named. Months of for-hire
            vehicles are large (23 M rows in 2019-01), and commands from before they could be
            loaded name none.
    """

    name: str
    label: str = field(hash=False)
    columns: tuple[Column, ...] = field(hash=False, repr=False)
    pickup: str = field(hash=False, repr=False)
    dropoff: str = field(hash=False, repr=False)
    published: Mapping[str, tuple[Month, Month | None]] = field(hash=False, repr=False)
    tint: str = field(hash=False, repr=False)
    dash: str = field(default="solid", hash=False, repr=False)
    schedule_hour: int = field(default=9, hash=False, repr=False)
    known_counts: tuple[tuple[Month, Month, int], ...] = field(default=(), hash=False, repr=False)
    sample: SampleShape | None = field(default=None, hash=False, repr=False)
    is_default: bool = field(default=True, hash=False, repr=False)

    @property
    def word(self) -> str:
        """The word for it on buttons and in charts: the first of its label, such as `yellow`."""
        return self.label.split()[0].lower()

    @property
    def vehicle(self) -> str:
        """The word for one of its cars, such as `yellow taxi`."""
        return f"{self.label[0].lower()}{self.label[1:].removesuffix('s')}"

    @property
    def table(self) -> str:
        """Name of the production table, such as `yellow_tripdata`; trip files begin with it."""
        return f"{self.name}_tripdata"

    def has(self, *names: str) -> bool:
        """Whether the dataset has all of these columns.

        A dataset without money, distances or payments lacks `total_amount`, `trip_distance` or
        `payment_type`.
        """
        own = {column.name.casefold() for column in self.columns}
        return own.issuperset(map(str.casefold, names))

    def supports(self, sql: str) -> bool:
        """Return whether the dataset has all columns that a SQL statement reads.

        Comments and string literals are ignored. Words that are columns of no dataset are, too.
        """
        code = re.sub(r"--.*|'[^']*'", "", sql)
        columns = (column for dataset in DATASETS.values() for column in dataset.columns)
        known = {column.name.casefold() for column in columns}
        return self.has(*known.intersection(re.findall(r"\w+", code.casefold())))

    def __str__(self) -> str:
        return self.name


YELLOW_TAXIS = Dataset(
    name="yellow",
    label="Yellow taxis",
    columns=(
        VENDOR,
        time_column("tpep_pickup_datetime", "When the meter was engaged"),
        time_column("tpep_dropoff_datetime", "When the meter was disengaged"),
        PASSENGERS,
        DISTANCE,
        RATE,
        FLAG,
        PICKUP_ZONE,
        DROPOFF_ZONE,
        PAYMENT,
        FARE,
        EXTRA,
        TAX,
        TIP,
        TOLLS,
        IMPROVEMENT,
        TOTAL,
        CONGESTION,
        AIRPORT,
        CBD,
    ),
    pickup="tpep_pickup_datetime",
    dropoff="tpep_dropoff_datetime",
    published={"github": (Month(2019, 1), Month(2021, 7)), "tlc": (Month(2009, 1), None)},
    tint="#B58900",
    schedule_hour=10,  # as the course's Kestra flow
    known_counts=(
        (Month(2020, 1), Month(2020, 12), 24_648_499),
        (Month(2021, 3), Month(2021, 3), 1_925_152),
    ),
    sample=YELLOW_SAMPLE,
)

GREEN_TAXIS = Dataset(
    name="green",
    label="Green taxis",
    columns=(
        VENDOR,
        time_column("lpep_pickup_datetime", "When the meter was engaged"),
        time_column("lpep_dropoff_datetime", "When the meter was disengaged"),
        FLAG,
        RATE,
        PICKUP_ZONE,
        DROPOFF_ZONE,
        PASSENGERS,
        DISTANCE,
        FARE,
        EXTRA,
        TAX,
        TIP,
        TOLLS,
        EHAIL,
        IMPROVEMENT,
        TOTAL,
        PAYMENT,
        TRIP_TYPE,
        CONGESTION,
        CBD,
    ),
    pickup="lpep_pickup_datetime",
    dropoff="lpep_dropoff_datetime",
    published={"github": (Month(2019, 1), Month(2021, 7)), "tlc": (Month(2013, 8), None)},
    tint="#2B8A57",
    dash="dot",
    schedule_hour=9,  # as the course's Kestra flow
    known_counts=((Month(2020, 1), Month(2020, 12), 1_734_051),),
    sample=GREEN_SAMPLE,
)

# Files of 2015 and 2016 have the base, the pickup and its zone only. Those of 2018 have the base in
# Dispatching_base_number, and a column Dispatching_base_num that is empty.
FOR_HIRE_VEHICLES = Dataset(
    name="fhv",
    label="For-hire vehicles",
    columns=(
        Column(
            "dispatching_base_num",
            "STRING",
            "TLC license number of the base that dispatched the trip",
            identity=True,
            spellings=("Dispatching_base_number", "dispatching_base_num"),
        ),
        time_column("pickup_datetime", "When the trip began", spellings=("Pickup_date",)),
        time_column("dropOff_datetime", "When the trip ended", optional=True),
        Column(
            "PUlocationID",
            "INT64",
            "TLC taxi zone of the pickup",
            identity=True,
            spellings=("locationID",),
        ),
        Column(
            "DOlocationID", "INT64", "TLC taxi zone of the dropoff", identity=True, optional=True
        ),
        Column("SR_Flag", "INT64", "1 for a shared trip of a high-volume service, else empty"),
        Column(
            "Affiliated_base_number",
            "STRING",
            "TLC license number of the base with which the vehicle is affiliated",
        ),
    ),
    pickup="pickup_datetime",
    dropoff="dropOff_datetime",
    published={"github": (Month(2019, 1), Month(2021, 7)), "tlc": (Month(2015, 1), None)},
    tint="#7A5FB0",
    dash="dash",
    schedule_hour=11,
    known_counts=((Month(2019, 1), Month(2019, 12), 43_244_696),),
    sample=FOR_HIRE_SAMPLE,
    is_default=False,
)

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset for dataset in (YELLOW_TAXIS, GREEN_TAXIS, FOR_HIRE_VEHICLES)
}
"""The registry, by name, in the order in which people see the datasets."""

DEFAULT_DATASETS = tuple(dataset for dataset in DATASETS.values() if dataset.is_default)
"""What a backfill loads when no dataset is named."""

DEFAULT_DATASET = GREEN_TAXIS
"""Taken where one dataset is needed and none was named: its files are the smallest."""


def find_dataset(name: str) -> Dataset:
    """Return the dataset of this name, in any case; raise UsageError for any other word."""
    try:
        return DATASETS[name.strip().lower()]
    except KeyError:
        raise UsageError(
            f"There is no dataset {name!r}.", cure=f"Use {either_of(DATASETS)}."
        ) from None


def either_of(words: Iterable[str]) -> str:
    """Return words as a choice: `yellow or green`, `yellow, green or fhv`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
