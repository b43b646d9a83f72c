"""Say how much of a month the loaded rows are: all of it, a part, or the synthetic sample.

The exact answer to a question about a month is that of its loaded rows. If these are a part of the
month, an answer that is true of the whole month differs from it and is not wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from pipeline.core.trips import TripFile
from pipeline.warehouse.ledger import LedgerEntry

# Rows of each month of 2020, of the files at https://github.com/DataTalksClub/nyc-tlc-data. The sum
# of a year is the count that the project's course publishes (`Dataset.known_counts`).
_ROWS_OF_2020 = {
    "yellow": (
        6_405_008, 6_299_354, 3_007_292, 237_993, 348_371, 549_760,
        800_412, 1_007_284, 1_341_012, 1_681_131, 1_508_985, 1_461_897,
    ),
    "green": (
        447_770, 398_632, 223_406, 35_612, 57_360, 63_109,
        72_257, 81_063, 87_987, 95_120, 88_605, 83_130,
    ),
}  # fmt: skip
_LEAST_SHARE = 0.9  # the csv and parquet of a month differ by less; a file cut off by more


class Coverage(StrEnum):
    """How much of their months some loaded rows are."""

    WHOLE = "whole"
    PARTIAL = "partial"
    SAMPLE = "sample"
    UNKNOWN = "unknown"

    @property
    def is_of_month(self) -> bool:
        """Whether the exact answer may be taken for that of the month itself."""
        return self in (Coverage.WHOLE, Coverage.UNKNOWN)


def published_rows(file: TripFile) -> int | None:
    """Return how many rows a file has as it was published, or None if that is not known."""
    counts = _ROWS_OF_2020.get(file.dataset.name)
    if counts and file.month.year == 2020:
        return counts[file.month.month - 1]
    return next(
        (
            rows
            for first, last, rows in file.dataset.known_counts
            if (first, last) == (file.month, file.month)
        ),
        None,
    )


def coverage_of(entries: Sequence[LedgerEntry]) -> Coverage:
    """Return how much of its month the least complete of some loaded files is."""
    kinds = {_coverage(entry) for entry in entries}
    order = (Coverage.SAMPLE, Coverage.PARTIAL, Coverage.UNKNOWN)
    return next((kind for kind in order if kind in kinds), Coverage.WHOLE)


def describe_parts(entries: Sequence[LedgerEntry]) -> str:
    """Return a sentence for each file that has far fewer rows than were published."""
    return " ".join(
        f"{entry.file.stem} has {entry.rows or 0:,} of the {published_rows(entry.file):,} trips "
        "that were published."
        for entry in entries
        if _coverage(entry) == Coverage.PARTIAL
    )


def _coverage(entry: LedgerEntry) -> Coverage:
    if entry.is_synthetic:
        return Coverage.SAMPLE
    published = published_rows(entry.file)
    if published is None:
        return Coverage.UNKNOWN
    is_part = (entry.rows or 0) < published * _LEAST_SHARE
    return Coverage.PARTIAL if is_part else Coverage.WHOLE
