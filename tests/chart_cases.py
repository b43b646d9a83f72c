"""Filters that between them use every condition and both kinds of sums."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pipeline.charts import NOT_RECORDED, Filters
from pipeline.trips import Color

FILTERS = {
    "all": Filters(),
    "strays": Filters(strays=True),
    "one color": Filters(colors=(Color.GREEN,)),
    "some days": Filters(first=date(2020, 4, 3), last=date(2020, 5, 20)),
    "a month": Filters(first=date(2020, 4, 1), last=date(2020, 4, 30), payments=(2,)),
    "payments": Filters(payments=(1, 4, NOT_RECORDED)),
    "not recorded": Filters(payments=(NOT_RECORDED,)),
    "hours": Filters(weekdays=(0, 4, 6), hours=(0, 8)),
    "zones": Filters(zones=(1, 132)),
    "ways": Filters(zones=(1, 132), dropoffs=(1, 41)),
    "miles": Filters(minimum_miles=Decimal("1.5")),
    "miles of a month": Filters(
        first=date(2020, 4, 1), last=date(2020, 4, 30), minimum_miles=Decimal(30)
    ),
    "miles of zones": Filters(zones=(1, 132), minimum_miles=Decimal(0)),
    "miles between": Filters(minimum_miles=Decimal("1.25")),
    "too many miles": Filters(minimum_miles=Decimal("30.5")),
    "everything": Filters(
        (Color.YELLOW,),
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
