"""Column definitions of the trip tables, and the columns that several datasets share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Type = Literal["INT64", "STRING", "NUMERIC", "TIMESTAMP"]


@dataclass(frozen=True)
class Column:
    """A column of a production table.

    Attributes:
        name: As the TLC spells it. Case does not count, neither in files nor in SQL.
        type: Logical type, in GoogleSQL. Each warehouse maps it to its own.
        description: Becomes the column comment in every warehouse.
        identity: Whether the column helps to tell one trip from another. All other columns say
            what happened on the trip, and a later file may correct them.
        fee: Whether only newer files have the column. A file without it loads without a warning.
        flag: Whether the column holds Y or N; yes, true and 1 are then read as Y.
        miles: Whether an amount is in miles; other amounts are in dollars, and may say so ($8).
        optional: Whether a file loads without the column although it is part of the identity,
            because files of older years lack it.
        spellings: Its names in files of other years.
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
    def names(self) -> tuple[str, ...]:
        """Its name and spellings; of several in one file the first has the values.

        That is `name`, unless it stands among the spellings, whose order then counts.
        """
        return self.spellings if self.name in self.spellings else (self.name, *self.spellings)

    @property
    def is_code(self) -> bool:
        """Whether the column holds short codes, such as base license numbers."""
        return self.type == "STRING" and not self.flag


def time_column(
    name: str, moment: str, *, optional: bool = False, spellings: tuple[str, ...] = ()
) -> Column:
    """Return a TIMESTAMP column that is part of the row identity.

    Args:
        moment: When the time was recorded, such as `When the trip began`; for the description.
    """
    text = f"{moment}, New York wall-clock time as published"
    return Column(name, "TIMESTAMP", text, identity=True, optional=optional, spellings=spellings)


VENDOR = Column("VendorID", "INT64", "Code of the provider that sent the record", identity=True)
PICKUP_ZONE = Column("PULocationID", "INT64", "TLC taxi zone of the pickup", identity=True)
DROPOFF_ZONE = Column("DOLocationID", "INT64", "TLC taxi zone of the dropoff", identity=True)
PASSENGERS = Column("passenger_count", "INT64", "Passengers, as entered by the driver")
DISTANCE = Column("trip_distance", "NUMERIC", "Distance by the taximeter, in miles", miles=True)
RATE = Column("RatecodeID", "INT64", "Final rate code: 1 standard, 2 JFK, 3 Newark, ...")
FLAG = Column(
    "store_and_fwd_flag", "STRING", "Y when held in the vehicle before it was sent", flag=True
)
PAYMENT = Column("payment_type", "INT64", "How it was paid: 1 credit card, 2 cash, ...")
FARE = Column("fare_amount", "NUMERIC", "Fare by time and distance, in dollars")
EXTRA = Column("extra", "NUMERIC", "Extras and surcharges, in dollars")
TAX = Column("mta_tax", "NUMERIC", "MTA tax, in dollars")
TIP = Column("tip_amount", "NUMERIC", "Card tips (cash tips are not recorded), in dollars")
TOLLS = Column("tolls_amount", "NUMERIC", "Tolls paid on the trip, in dollars")
IMPROVEMENT = Column("improvement_surcharge", "NUMERIC", "Improvement surcharge, in dollars")
TOTAL = Column("total_amount", "NUMERIC", "Total charged, without cash tips, in dollars")
CONGESTION = Column("congestion_surcharge", "NUMERIC", "State congestion surcharge, in dollars")
EHAIL = Column("ehail_fee", "NUMERIC", "E-hail fee, in dollars; never filled in so far")
TRIP_TYPE = Column("trip_type", "INT64", "1 street hail, 2 dispatch")
AIRPORT = Column("airport_fee", "NUMERIC", "LaGuardia and JFK pickup fee, in dollars", fee=True)
CBD = Column(
    "cbd_congestion_fee", "NUMERIC", "MTA congestion zone fee from 2025, in dollars", fee=True
)
