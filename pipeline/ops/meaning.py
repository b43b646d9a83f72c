"""Read a sample of a staged file's rows by the grammar alone, without the engine of a load.

A cast that is wrong in the same way on both sides of a comparison shows only against this.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipeline.core.cancel import Cancel
from pipeline.core.cells import BLANKS, Conventions, find_conventions, read_cell
from pipeline.core.cells.reading import Value
from pipeline.core.datasets import Dataset, match_columns
from pipeline.core.trips import TripFile
from pipeline.files.staging import StagedFile
from pipeline.warehouse.extract.lines import grouped_lines, numbered_lines, split_row

if TYPE_CHECKING:
    import pyarrow

SAMPLE = 500  # rows of a file
_ORDINALS = 8  # rows of one identity among which a sampled row is looked for
_EPOCH = datetime(1970, 1, 1)

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
        or (column.type in ("INT64", "NUMERIC") and "," in texts[column.name])
        for column in dataset.columns
        if column.name in texts
    )


def _find_conventions(
    dataset: Dataset, not_texts: Collection[str], rows: Iterator[Texts]
) -> Conventions:
    times: set[str] = set()
    numbers: set[str] = set()
    for texts in rows:
        for column in dataset.columns:
            text = texts.get(column.name, "")
            if column.type == "TIMESTAMP":
                times.add(text.partition(":")[0])
            elif column.type != "STRING" and column.name not in not_texts:
                numbers.add(text)
    return find_conventions(times, numbers)


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
        first = 0
        for batch in file.iter_batches(columns=list(matched.values())):
            cancel.check()
            rows = range(batch.num_rows)
            chosen = [n for n in rows if wanted is None or first + n in wanted]
            first += batch.num_rows
            taken = batch.take(pyarrow.array(chosen, pyarrow.int64()))
            columns = {name: _texts_of(taken.column(spelled)) for name, spelled in matched.items()}
            for values in zip(*columns.values(), strict=True):
                yield dict(zip(columns, values, strict=True))


def _texts_of(values: pyarrow.Array) -> list[str]:
    import pyarrow

    if pyarrow.types.is_timestamp(values.type):
        values = values.cast(pyarrow.timestamp("us", values.type.tz), safe=False)
    return [_text_of(value) for value in values.to_pylist()]


def _text_of(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value).strip(BLANKS)
