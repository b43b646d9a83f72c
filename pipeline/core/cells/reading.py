"""What the readers of times, numbers and words share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

Value = int | Decimal | datetime | str | None

DateOrder = Literal["month first", "day first", "both"]
DecimalMark = Literal["point", "comma", "both"]

Note = Literal[
    "nothing",
    "zone",
    "12-hour clock",
    "month first",
    "day first",
    "decimal comma",
    "thousands separators",
    "flag",
]
"""What people should know about how a cell was read."""

BLANKS = " \t\v\f\r\n\u00a0\u2007\u2009\u202f\u3000\ufeff"
"""Characters that count as blank around a cell: spaces, and the byte order mark."""


@dataclass(frozen=True)
class Conventions:
    """How a file writes what can be written in two ways.

    None where no cell tells, `both` where cells tell different things.

    Attributes:
        date_order: Which number comes first in dates such as 4/1/2020. A date such as 4/13/2020
            tells, because there is no month 13.
        decimal_mark: What separates the decimals. A number such as 4,50 tells; 1,234 does not.
        telling_date: A date that tells the order; "" if none does, or the dates disagree.
        telling_number: A number that tells the mark; "" if none does, or the numbers disagree.
    """

    date_order: DateOrder | None = None
    decimal_mark: DecimalMark | None = None
    telling_date: str = ""
    telling_number: str = ""


class Rejected(Exception):
    """A cell cannot be read: why, as the rest of a sentence that begins with its text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
