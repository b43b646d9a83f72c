"""Trip files, and the selection of them that a backfill asks for. Pure: no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.core.datasets import DATASETS, Dataset, either_of
from pipeline.core.errors import UsageError
from pipeline.core.months import Month as Month
from pipeline.core.months import months_between as months_between

# Which trips count for the speed, in seconds and miles: meters also report trips of a second, of
# days, and of thousands of miles.
SHORTEST_TIMED = 60
LONGEST_TIMED = 6 * 60 * 60
FARTHEST_TIMED = 200

# A longer distance, in miles, counts as absurd: the longest trip within the city is some 40.
MOST_MILES = 100


@dataclass(frozen=True, order=True)
class TripFile:
    """One month of one dataset: the unit of work."""

    dataset: Dataset
    month: Month

    @property
    def stem(self) -> str:
        """The published name without its extension: `green_tripdata_2020-04`."""
        return f"{self.dataset.table}_{self.month}"

    @property
    def filename(self) -> str:
        """Value of the `filename` column, the same for every source and format.

        That is why a month loaded again from another source replaces its rows.
        """
        return f"{self.stem}.csv"

    @classmethod
    def parse(cls, filename: str) -> TripFile:
        """Return the trip file of a file name with any extension; the inverse of `filename`.

        Raises UsageError for a name that is not a trip file's.
        """
        tables = {dataset.table: dataset for dataset in DATASETS.values()}
        match = re.fullmatch(r"(.+)_([0-9]{4}-[0-9]{2})\..+", filename)
        if not match or match[1] not in tables:
            raise UsageError(
                f"{filename!r} is not a trip file's name.",
                cure="Trip files are named like green_tripdata_2020-04.csv.gz.",
            )
        return cls(tables[match[1]], Month.parse(match[2]))

    def __str__(self) -> str:
        return self.filename


@dataclass(frozen=True)
class Selection:
    """What one backfill asks for: each dataset in each month from `first` to `last`, inclusive."""

    datasets: tuple[Dataset, ...]
    first: Month
    last: Month

    def __post_init__(self) -> None:
        if not self.datasets:
            raise UsageError("No dataset is selected.", cure=f"Choose {either_of(DATASETS)}.")
        if self.first > self.last:
            raise UsageError(
                f"The range runs backwards: from {self.first} to {self.last}.",
                cure=f"Swap them: from {self.last} to {self.first}.",
            )
        if self.last > Month.current():
            raise UsageError(
                f"{self.last} has not begun yet, so no source can have it.",
                cure="End the range at a published month; the TLC publishes about two months late.",
            )

    def files(self) -> tuple[TripFile, ...]:
        """Return the trip files of the selection by month and then dataset, each once."""
        return tuple(
            TripFile(dataset, month)
            for month in months_between(self.first, self.last)
            for dataset in dict.fromkeys(self.datasets)
        )
