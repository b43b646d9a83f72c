"""Filter charts by what a visitor selected with a click on one of them. Pure: no I/O.

A selection is a text: the `customdata` of the point that was clicked, and the value of a parameter
in the page's address. `*` in it stands for any value.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from enum import StrEnum

from pipeline.charts.filters import Filters


class CrossFilter(StrEnum):
    """What a click on a chart can select; the values are parameters in the page's address."""

    DAYS = "day"
    HOUR = "slot"
    PAYMENT = "paid"
    ZONE = "zone"
    ROUTE = "way"


_PATTERNS = {
    CrossFilter.DAYS: r"\d{4}-\d\d-\d\d/\d{4}-\d\d-\d\d",  # first and last day
    CrossFilter.HOUR: r"([0-6]|\*)/([01]?\d|2[0-3])",  # weekday, 0 for Monday, and hour
    CrossFilter.PAYMENT: r"-?\d{1,2}",  # a payment_type, or NOT_RECORDED
    CrossFilter.ZONE: r"\d{1,4}",
    CrossFilter.ROUTE: r"\d{1,4}/\d{1,4}|\d{1,4}/\*|\*/\d{1,4}",  # pickup and dropoff zone
}


def is_selection(cross_filter: CrossFilter, text: str) -> bool:
    """Return whether a text is a selection of this kind."""
    if not re.fullmatch(_PATTERNS[cross_filter], text):
        return False
    try:
        apply_selection(Filters(), cross_filter, text)
    except ValueError:  # such as the 31st of June
        return False
    return True


def apply_selection(filters: Filters, cross_filter: CrossFilter, selection: str) -> Filters:
    """Return the filters narrowed to a selection.

    Days are narrowed to those that the filters already include; other selections replace the filter
    of their column.

    Raises ValueError for a text that is no selection of this kind.
    """
    match cross_filter:
        case CrossFilter.DAYS:
            first, last = map(date.fromisoformat, selection.split("/"))
            return replace(
                filters,
                first=max(first, filters.first or first),
                last=min(last, filters.last or last),
            )
        case CrossFilter.HOUR:
            weekday, hour = selection.split("/")
            weekdays = () if weekday == "*" else (int(weekday),)
            return replace(filters, weekdays=weekdays, hours=(int(hour),))
        case CrossFilter.PAYMENT:
            return replace(filters, payments=(int(selection),))
        case CrossFilter.ZONE:
            return replace(filters, zones=(int(selection),))
        case CrossFilter.ROUTE:
            pickup, dropoff = selection.split("/")
            return replace(
                filters,
                zones=filters.zones if pickup == "*" else (int(pickup),),
                dropoffs=() if dropoff == "*" else (int(dropoff),),
            )
