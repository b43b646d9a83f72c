"""Notice a trip file that holds another month's trips, such as two months in one file.

A few trips of other months are in every published file. Many of one other month count twice when
that month is loaded from its own file, so the log says that they are there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pipeline.core.datasets import match_columns
from pipeline.core.sql import literal_path
from pipeline.core.trips import TripFile

# A share of the trips looked at, and their number, from which another month is no stray.
LEAST_SHARE = 0.1
LEAST_TRIPS = 10

_SAMPLE = 2048  # bytes of a chunk that are looked at, some twenty lines
_MONTH = re.compile(rb'\s*"?([0-9]{4}-[0-9]{2})-[0-9]{2}')


class PickupMonths:
    """Counts the months of pickups in a csv that arrives in chunks, by a sample of its lines."""

    def __init__(self, file: TripFile) -> None:
        self._file = file
        self._place = -1
        self._chunks = 0
        self._months: Counter[str] = Counter()
        self._first = b""  # the first chunk, which may be all there is

    def feed(self, chunk: bytes, header: tuple[str, ...]) -> None:
        """Look at some lines of the next chunk."""
        self._chunks += 1
        if self._chunks == 1:
            spelled = match_columns(self._file.dataset, header)[self._file.dataset.pickup]
            self._place = header.index(spelled)
            self._first = chunk
        # The first line of a chunk is a header or half a line.
        self._count(chunk[:_SAMPLE].split(b"\n")[1:-1])

    def _count(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            cells = line.split(b",", self._place + 1)
            month = _MONTH.match(cells[self._place]) if len(cells) > self._place else None
            if month:
                self._months[month[1].decode()] += 1

    def warn(self) -> str:
        """Return a sentence about trips of another month, or ""."""
        if self._chunks == 1:
            self._months.clear()
            self._count(self._first.split(b"\n")[1:])
        return _warn(self._file, self._months.items())


def warn_of_parquet(path: Path, file: TripFile, header: tuple[str, ...]) -> str:
    """Return a sentence about trips of another month in a parquet file, or ""."""
    import duckdb

    name = match_columns(file.dataset, header)[file.dataset.pickup].replace('"', '""')
    sql = f"""
        SELECT strftime(TRY_CAST("{name}" AS TIMESTAMP), '%Y-%m') AS month, count(*)
        FROM read_parquet($path) WHERE month IS NOT NULL GROUP BY month"""
    with duckdb.connect(config={"threads": 1}) as connection:
        try:
            months = connection.execute(sql, {"path": literal_path(path)}).fetchall()
        except duckdb.Error:  # pages that cannot be read, which the load reports
            return ""
    return _warn(file, months)


def _warn(file: TripFile, months: Iterable[tuple[str, int]]) -> str:
    trips = dict(months)
    others = {month: count for month, count in trips.items() if month != str(file.month)}
    if not others:
        return ""
    month = max(others, key=lambda name: (others[name], name))
    count, total = others[month], sum(trips.values())
    if count < LEAST_TRIPS or count < LEAST_SHARE * total:
        return ""
    return (
        f"{count:,} of {total:,} sampled trips were picked up in {month}: they count twice if "
        "that month is loaded from its own file; split the file by month"
    )
