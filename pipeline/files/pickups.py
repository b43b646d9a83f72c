"""Notice a trip file that holds another month's trips, such as two months in one file.

A few trips of other months are in every published file. Many of one other month count twice when
that month is loaded from its own file, so the log says that they are there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from pipeline.core.cells import find_conventions, read_cell
from pipeline.core.column_names import match_columns
from pipeline.core.sql import literal_path
from pipeline.core.trips import TripFile

# A share of the trips looked at, and their number, from which another month is no stray.
LEAST_SHARE = 0.1
LEAST_TRIPS = 10

_SAMPLE = 2048  # bytes of a chunk that are looked at, some twenty lines
_MOST_OTHERS = 10_000  # different times in other spellings that are looked at
_MONTH = re.compile(rb'\s*"?([0-9]{4}-[0-9]{2})-[0-9]{2}')


class PickupMonths:
    """Counts the months of pickups in a csv that arrives in chunks, by a sample of its lines."""

    def __init__(self, file: TripFile) -> None:
        self._file = file
        self._place = -1
        self._chunks = 0
        self._months: Counter[str] = Counter()
        self._others: Counter[str] = Counter()  # times that do not begin with year and month
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
            if len(cells) <= self._place:
                continue
            cell = cells[self._place]
            if month := _MONTH.match(cell):
                self._months[month[1].decode()] += 1
            elif len(self._others) < _MOST_OTHERS:
                self._others[cell.decode(errors="replace").strip('" \r')] += 1

    def warn(self) -> str:
        """Return a sentence about trips of another month, or ""."""
        if self._chunks == 1:
            self._months.clear()
            self._others.clear()
            self._count(self._first.split(b"\n")[1:])
        return _warn(self._file, self._months + _read_months(self._file, self._others))


def warn_of_parquet(path: Path, file: TripFile, header: tuple[str, ...]) -> str:
    """Return a sentence about trips of another month in a parquet file, or ""."""
    import duckdb

    name = match_columns(file.dataset, header)[file.dataset.pickup].replace('"', '""')
    sql = f"""
        SELECT strftime(TRY_CAST("{name}" AS TIMESTAMP), '%Y-%m') AS month, count(*)
        FROM read_parquet($path) GROUP BY month"""
    others = f"""
        SELECT CAST("{name}" AS VARCHAR) AS text, count(*) FROM read_parquet($path)
        WHERE text IS NOT NULL AND TRY_CAST("{name}" AS TIMESTAMP) IS NULL
        GROUP BY text LIMIT {_MOST_OTHERS}"""
    values = {"path": literal_path(path)}
    with duckdb.connect(config={"threads": 1}) as connection:
        try:
            months = Counter(dict(connection.execute(sql, values).fetchall()))
            has_others = months.pop(None, 0) > 0
            texts = Counter(
                dict(connection.execute(others, values).fetchall()) if has_others else {}
            )
        except duckdb.Error:  # pages that cannot be read, which the load reports
            return ""
    return _warn(file, months + _read_months(file, texts))


def _read_months(file: TripFile, texts: Counter[str]) -> Counter[str]:
    """Count pickup times by month, reading each by the grammar of cells."""
    dataset, months = file.dataset, Counter[str]()
    column = next(column for column in dataset.columns if column.name == dataset.pickup)
    conventions = find_conventions((column, text) for text in texts)
    for text, times in texts.items():
        moment = read_cell(column, text, conventions).value
        if isinstance(moment, datetime):
            months[f"{moment:%Y-%m}"] += times
    return months


def _warn(file: TripFile, trips: Counter[str]) -> str:
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
