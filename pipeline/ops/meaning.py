"""Read a sample of a staged file's rows by the grammar alone, without the engine of a load.

A cast that is wrong in the same way on both sides of a comparison shows only against this.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.core.cancel import Cancel
from pipeline.core.cells import BLANKS, Conventions, find_conventions, read_cell
from pipeline.core.cells.reading import Value
from pipeline.core.column_names import match_columns
from pipeline.core.columns import Column
from pipeline.core.datasets import Dataset
from pipeline.core.trips import TripFile
from pipeline.files.staging import StagedFile
from pipeline.warehouse.extract.lines import grouped_lines, numbered_lines, split_row
from pipeline.warehouse.extract.parquet import read_zones

if TYPE_CHECKING:
    import pyarrow

SAMPLE = 500  # rows of a file
_ORDINALS = 8  # rows of one identity among which a sampled row is looked for
_EPOCH = datetime(1970, 1, 1)
_MICROSECONDS = {"us": 1, "ms": 1_000, "s": 1_000_000}  # of a unit of Arrow
_BEYOND_CALENDAR = "beyond the calendar"  # the text of a time that Python has not

_EITHER_MARK = re.compile(r",|[.][0-9]{3}$")  # for thousands or decimals

Texts = Mapping[str, str]  # the text of each cell, by our names of the columns


@dataclass(frozen=True)
class ExpectedRow:
    """A row of a file as the grammar reads it, by our names of the columns."""

    file: TripFile
    cells: Mapping[str, Value]

    def ids(self) -> list[str]:
        """Return the values that unique_row_id may have, in hex, by ordinal."""
        parts = [self.file.filename]
        for column in self.file.dataset.columns:
            if column.identity:
                value = self.cells[column.name]
                if isinstance(value, datetime):
                    value = (value - _EPOCH) // (datetime.resolution)
                parts.append("" if value is None else str(value))
        return [
            hashlib.md5("|".join([*parts, str(ordinal)]).encode()).hexdigest()
            for ordinal in range(1, _ORDINALS + 1)
        ]


def sample_rows(staged: StagedFile, cancel: Cancel) -> list[ExpectedRow]:
    """Return about SAMPLE rows of a staged file, evenly spread, without those that are rejects.

    The sample is always the same for the same bytes. There is none of a damaged file, which
    `verify` finds. Raises Cancelled.
    """
    import pyarrow

    try:
        return _sample_rows(staged, cancel)
    except (OSError, EOFError, zlib.error, pyarrow.ArrowException):
        return []


def _sample_rows(staged: StagedFile, cancel: Cancel) -> list[ExpectedRow]:
    step = max(1, staged.data_lines // SAMPLE)
    first = int(staged.sha256[:8], 16) % step
    wanted = range(first, staged.data_lines, step)
    sample = list(_read_texts(staged, wanted, cancel))
    dataset = staged.file.dataset
    numbers = _number_columns(staged)
    conventions = Conventions()
    if any(_needs_conventions(dataset, texts) for texts in sample):
        conventions = _find_conventions(dataset, numbers, _read_texts(staged, None, cancel))
    rows = (_read_row(staged.file, texts, numbers, conventions) for texts in sample)
    return [row for row in rows if row]


def _number_columns(staged: StagedFile) -> frozenset[str]:
    """Return the columns whose cells are numbers, not texts, in the file."""
    if staged.format != "parquet":
        return frozenset()
    import pyarrow.parquet
    from pyarrow.types import is_decimal, is_floating, is_integer

    schema = pyarrow.parquet.read_schema(staged.path)
    return frozenset(
        name
        for name, spelled in match_columns(staged.file.dataset, tuple(schema.names)).items()
        if any(check(schema.field(spelled).type) for check in (is_integer, is_floating, is_decimal))
    )


def _read_row(
    file: TripFile, texts: Texts, numbers: Collection[str], conventions: Conventions
) -> ExpectedRow | None:
    cells: dict[str, Value] = {}
    for column in file.dataset.columns:
        own = Conventions() if column.name in numbers else conventions
        reading = read_cell(column, texts.get(column.name, ""), own)
        if reading.reason:
            return None
        cells[column.name] = reading.value
    return None if set(cells.values()) == {None} else ExpectedRow(file, cells)


def _needs_conventions(dataset: Dataset, texts: Texts) -> bool:
    """Whether a row may have a cell that only the file's other cells make certain."""
    return any(
        read_cell(column, texts[column.name], Conventions()).reason
        or (column.type in ("INT64", "NUMERIC") and _EITHER_MARK.search(texts[column.name]))
        for column in dataset.columns
        if column.name in texts
    )


def _find_conventions(
    dataset: Dataset, not_texts: Collection[str], rows: Iterator[Texts]
) -> Conventions:
    columns = [
        column
        for column in dataset.columns
        if column.type != "STRING" and column.name not in not_texts
    ]
    numbers: set[tuple[str, str]] = set()  # a file has few different ones, but many times

    def cells() -> Iterator[tuple[Column, str]]:
        for texts in rows:
            for column in columns:
                text = texts.get(column.name, "")
                if column.type != "TIMESTAMP":
                    if (column.name, text) in numbers:
                        continue
                    numbers.add((column.name, text))
                yield column, text

    return find_conventions(cells())


def _read_texts(
    staged: StagedFile, wanted: Collection[int] | None, cancel: Cancel
) -> Iterator[Texts]:
    """Yield the cells of the data lines with these numbers, from 0, or of all."""
    if staged.format == "parquet":
        return _read_parquet(staged, wanted, cancel)
    return _read_csv(staged, wanted, cancel)


def _read_csv(
    staged: StagedFile, wanted: Collection[int] | None, cancel: Cancel
) -> Iterator[Texts]:
    matched = match_columns(staged.file.dataset, staged.header)
    places = {name: staged.header.index(spelled) for name, spelled in matched.items()}
    width = len(staged.header)
    number = -1
    for group in grouped_lines(numbered_lines(staged), width):
        number += len(group)
        if len(group) > 1 or (wanted is not None and number not in wanted):
            continue
        cancel.check()
        try:
            cells = split_row(group[0].text)
        except ValueError:
            continue
        if len(cells) == width:
            yield {name: cells[place] for name, place in places.items()}


def _read_parquet(
    staged: StagedFile, wanted: Collection[int] | None, cancel: Cancel
) -> Iterator[Texts]:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(staged.path) as file:
        matched = match_columns(staged.file.dataset, tuple(file.schema_arrow.names))
        zones = read_zones(staged.path)
        first = 0
        for batch in file.iter_batches(columns=list(matched.values())):
            cancel.check()
            rows = range(batch.num_rows)
            chosen = [n for n in rows if wanted is None or first + n in wanted]
            first += batch.num_rows
            taken = batch.take(pyarrow.array(chosen, pyarrow.int64()))
            columns = {
                name: _texts_of(taken.column(spelled), zones.get(spelled, ""))
                for name, spelled in matched.items()
            }
            for values in zip(*columns.values(), strict=True):
                yield dict(zip(columns, values, strict=True))


def _texts_of(values: pyarrow.Array, zone: str) -> list[str]:
    """Return a column's values as text, in the form that `pipeline.core.cells` reads.

    Args:
        zone: The zone whose wall clock instants show, or "" for values that are no instants.
    """
    from pyarrow import int64
    from pyarrow.types import is_timestamp

    if is_timestamp(values.type):
        unit = values.type.unit
        return [_time_text(value, unit, zone) for value in values.cast(int64()).to_pylist()]
    return [_text_of(value) for value in _to_python(values)]


def _time_text(since_epoch: int | None, unit: str, zone: str) -> str:
    if since_epoch is None:
        return ""
    microseconds = since_epoch * _MICROSECONDS[unit] if unit != "ns" else since_epoch // 1000
    try:
        moment = _EPOCH + timedelta(microseconds=microseconds)
        if zone:
            moment = moment.replace(tzinfo=UTC).astimezone(_zone_of(zone)).replace(tzinfo=None)
    except (OverflowError, ZoneInfoNotFoundError):
        return _BEYOND_CALENDAR
    return moment.isoformat(" ")


def _zone_of(name: str) -> tzinfo:
    offset = re.fullmatch(r"([+-])([0-9]{2}):?([0-9]{2})", name)
    if not offset:
        return ZoneInfo(name)
    minutes = int(f"{offset[1]}{int(offset[2]) * 60 + int(offset[3])}")
    return timezone(timedelta(minutes=minutes))


def _to_python(values: pyarrow.Array) -> Iterator[Any]:
    for value in values:
        try:
            yield value.as_py()
        except (OverflowError, ValueError):  # a date after the year 9999
            yield _BEYOND_CALENDAR


def _text_of(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value).strip(BLANKS)
