"""Calendar months, the unit in which trip files are published. Pure: no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from pipeline.core.errors import UsageError


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month, written `2020-04`."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """Return the month written as `YYYY-MM`; raise UsageError for anything else."""
        match = re.fullmatch(r"([0-9]{4})-([0-9]{2})", text.strip())
        # Dates end with the year 9999, and a month ends where the next one begins.
        if not match or not 1 <= int(match[2]) <= 12 or not 2009 <= int(match[1]) < 9999:
            raise UsageError(
                f"{text!r} is not a month.",
                cure="Write the year and month as YYYY-MM, for example 2020-04 "
                "(the earliest published month is 2009-01).",
            )
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def current(cls) -> Month:
        """Return the current month in UTC."""
        now = datetime.now(UTC)
        return cls(now.year, now.month)

    @property
    def first_day(self) -> date:
        """First day of the month."""
        return date(self.year, self.month, 1)

    @property
    def number(self) -> int:
        """The month as one number: 202004 for 2020-04."""
        return self.year * 100 + self.month

    def plus(self, months: int) -> Month:
        """Return the month that many months later, or earlier for a negative number."""
        year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(year, month + 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


def months_between(first: Month, last: Month) -> Iterator[Month]:
    """Yield each month from `first` to `last`, both included; none when `last` is earlier."""
    while first <= last:
        yield first
        first = first.plus(1)
