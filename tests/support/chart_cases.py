"""Filters that between them use every condition, every rollup and the trips."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pipeline.charts import NOT_RECORDED, Filters
from pipeline.core.datasets import GREEN_TAXIS, YELLOW_TAXIS
from pipeline.core.trips import Month, TripFile

APRIL = TripFile(GREEN_TAXIS, Month(2020, 4)), TripFile(YELLOW_TAXIS, Month(2020, 4))
MAY = TripFile(GREEN_TAXIS, Month(2020, 5))

FILTERS = {
    "all": Filters(),
    "strays": Filters(strays=True),
    "one color": Filters(datasets=(GREEN_TAXIS,)),
    "some days": Filters(first=date(2020, 4, 3), last=date(2020, 5, 20)),
    "a month": Filters(first=date(2020, 4, 1), last=date(2020, 4, 30), payments=(2,)),
    "payments": Filters(payments=(1, 4, NOT_RECORDED)),
    "not recorded": Filters(payments=(NOT_RECORDED,)),
    "hours": Filters(weekdays=(0, 4, 6), hours=(0, 8)),
    "zones": Filters(zones=(1, 132)),
    "routes": Filters(zones=(1, 132), dropoffs=(1, 41)),
    "miles": Filters(minimum_miles=Decimal("1.5")),
    "miles of a month": Filters(
        first=date(2020, 4, 1), last=date(2020, 4, 30), minimum_miles=Decimal(30)
    ),
    "miles of zones": Filters(zones=(1, 132), minimum_miles=Decimal(0)),
    "miles between": Filters(minimum_miles=Decimal("1.25")),
    "too many miles": Filters(minimum_miles=Decimal("30.5")),
    "without two files": Filters(left_out=(MAY, APRIL[1])),
    "routes without two files": Filters(dropoffs=(1, 41), left_out=(MAY, APRIL[1])),
    "strays of one file": Filters(strays=True, left_out=APRIL),
    "everything": Filters(
        (YELLOW_TAXIS,),
        date(2020, 4, 1),
        date(2020, 4, 30),
        (1, NOT_RECORDED),
        (1, 132, 265),
        (1, 41, 138),
        Decimal("0.5"),
        (0, 1, 2, 3, 4),
        (7, 8, 23),
        True,
    ),
}
