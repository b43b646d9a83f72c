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
from typing import Literal

from pipeline.core.errors import UsageError
from pipeline.core.months import Month
from pipeline.core.sample_shapes import (
    FOR_HIRE_SAMPLE,
    GREEN_SAMPLE,
    YELLOW_SAMPLE,
    SampleShape,
)

Type = Literal["INT64", "STRING", "NUMERIC", "TIMESTAMP"]


@dataclass(frozen=True)
class Column:
    """A column of a production table.

    Attributes:
        name: As the TLC spells it. Case does not count, neither in files nor in SQL.
        type: Logical type, in GoogleSQL. Each warehouse maps it to its own.
        description: Becomes the column comment in both warehouses.
        identity: Whether the column helps to tell one trip from another. All other columns say
            what happened on the trip, and a later file may correct them.
        fee: Whether only newer files have the column. A file without it loads without a warning.
        flag: Whether the column holds Y or N; yes, true and 1 are then read as Y.
        miles: Whether an amount is in miles; other amounts are in dollars, and may say so ($8).
        optional: Whether a file loads without the column although it is part of the identity,
            because files of older years lack it.
        spellings: Its names in files of other years. Where a file has several of its names, the
            first of these has the values, and `name` comes last.
    """

    name: str
    type: Type
    description: str
    identity: bool = False
    fee: bool = False
    flag: bool = False
    miles: bool = False
    optional: bool = False
    spellings: tuple[str, ...] = ()

    @property
    def is_code(self) -> bool:
        """Whether the column holds short texts, such as numbers of bases."""
        return self.type == "STRING" and not self.flag


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
        """Whether the dataset has every column, of any dataset, that a statement names."""
        columns = (column for dataset in DATASETS.values() for column in dataset.columns)
        known = {column.name.casefold() for column in columns}
        return self.has(*known.intersection(re.findall(r"\w+", sql.casefold())))

    def __str__(self) -> str:
        return self.name


def _time(
    name: str, moment: str, *, optional: bool = False, spellings: tuple[str, ...] = ()
) -> Column:
    text = f"{moment}, New York wall-clock time as published"
    return Column(name, "TIMESTAMP", text, identity=True, optional=optional, spellings=spellings)


_VENDOR = Column("VendorID", "INT64", "Code of the provider that sent the record", identity=True)
_PICKUP_ZONE = Column("PULocationID", "INT64", "TLC taxi zone of the pickup", identity=True)
_DROPOFF_ZONE = Column("DOLocationID", "INT64", "TLC taxi zone of the dropoff", identity=True)
_PASSENGERS = Column("passenger_count", "INT64", "Passengers, as entered by the driver")
_DISTANCE = Column("trip_distance", "NUMERIC", "Distance by the taximeter, in miles", miles=True)
_RATE = Column("RatecodeID", "INT64", "Final rate code: 1 standard, 2 JFK, 3 Newark, ...")
_FLAG = Column(
    "store_and_fwd_flag", "STRING", "Y when held in the vehicle before it was sent", flag=True
)
_PAYMENT = Column("payment_type", "INT64", "How it was paid: 1 credit card, 2 cash, ...")
_FARE = Column("fare_amount", "NUMERIC", "Fare by time and distance, in dollars")
_EXTRA = Column("extra", "NUMERIC", "Extras and surcharges, in dollars")
_TAX = Column("mta_tax", "NUMERIC", "MTA tax, in dollars")
_TIP = Column("tip_amount", "NUMERIC", "Card tips (cash tips are not recorded), in dollars")
_TOLLS = Column("tolls_amount", "NUMERIC", "Tolls paid on the trip, in dollars")
_IMPROVEMENT = Column("improvement_surcharge", "NUMERIC", "Improvement surcharge, in dollars")
_TOTAL = Column("total_amount", "NUMERIC", "Total charged, without cash tips, in dollars")
_CONGESTION = Column("congestion_surcharge", "NUMERIC", "State congestion surcharge, in dollars")
_EHAIL = Column("ehail_fee", "NUMERIC", "E-hail fee, in dollars; never filled in so far")
_TRIP_TYPE = Column("trip_type", "INT64", "1 street hail, 2 dispatch")
_AIRPORT = Column("airport_fee", "NUMERIC", "LaGuardia and JFK pickup fee, in dollars", fee=True)
_CBD = Column(
    "cbd_congestion_fee", "NUMERIC", "MTA congestion zone fee from 2025, in dollars", fee=True
)

YELLOW_TAXIS = Dataset(
    name="yellow",
    label="Yellow taxis",
    columns=(
        _VENDOR,
        _time("tpep_pickup_datetime", "When the meter was engaged"),
        _time("tpep_dropoff_datetime", "When the meter was disengaged"),
        _PASSENGERS,
        _DISTANCE,
        _RATE,
        _FLAG,
        _PICKUP_ZONE,
        _DROPOFF_ZONE,
        _PAYMENT,
        _FARE,
        _EXTRA,
        _TAX,
        _TIP,
        _TOLLS,
        _IMPROVEMENT,
        _TOTAL,
        _CONGESTION,
        _AIRPORT,
        _CBD,
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
        _VENDOR,
        _time("lpep_pickup_datetime", "When the meter was engaged"),
        _time("lpep_dropoff_datetime", "When the meter was disengaged"),
        _FLAG,
        _RATE,
        _PICKUP_ZONE,
        _DROPOFF_ZONE,
        _PASSENGERS,
        _DISTANCE,
        _FARE,
        _EXTRA,
        _TAX,
        _TIP,
        _TOLLS,
        _EHAIL,
        _IMPROVEMENT,
        _TOTAL,
        _PAYMENT,
        _TRIP_TYPE,
        _CONGESTION,
        _CBD,
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
            spellings=("Dispatching_base_number",),
        ),
        _time("pickup_datetime", "When the trip began", spellings=("Pickup_date",)),
        _time("dropOff_datetime", "When the trip ended", optional=True),
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


def normalize_name(name: str) -> str:
    """Return a column's name in the form in which names are compared.

    Case, blanks, underscores, quotes and the byte order mark do not count.
    """
    return re.sub(r"[\s_\"'`\ufeff]+", "", name).casefold()


def match_columns(dataset: Dataset, header: tuple[str, ...]) -> dict[str, str]:
    """Map each of our column names to the file's own spelling of it.

    Columns that the file lacks are absent from the result. Columns that we do not know are left
    out; `unknown_columns` lists them.
    """
    in_file = {normalize_name(name): name for name in header}
    matched = {}
    for column in dataset.columns:
        for name in map(normalize_name, (*column.spellings, column.name)):
            if name in in_file:
                matched[column.name] = in_file[name]
                break
    return matched


def unknown_columns(dataset: Dataset, header: tuple[str, ...]) -> tuple[str, ...]:
    """Return the file's columns that match no column of the dataset, as the file spells them."""
    known = _known_names(dataset)
    return tuple(name for name in header if normalize_name(name) not in known)


def superseded_columns(dataset: Dataset, header: tuple[str, ...]) -> tuple[str, ...]:
    """Return the file's columns that are ours by name, but another one has the values."""
    known, matched = _known_names(dataset), set(match_columns(dataset, header).values())
    return tuple(name for name in header if normalize_name(name) in known and name not in matched)


def _known_names(dataset: Dataset) -> set[str]:
    names = (name for column in dataset.columns for name in (column.name, *column.spellings))
    return set(map(normalize_name, names))
