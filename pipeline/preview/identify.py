"""Find out what a file of a user's own is: the color by its columns, the month by name and pickups.

A file whose columns are not those of any dataset is no trip file; `table.py` shows it all the same.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb

from pipeline.core.cancel import Cancel
from pipeline.core.cells import find_conventions, read_cell
from pipeline.core.column_names import match_columns
from pipeline.core.datasets import DATASETS, Dataset
from pipeline.core.errors import UsageError
from pipeline.core.scratch import ScratchFolder
from pipeline.core.sql import literal_path
from pipeline.core.trips import Month, TripFile
from pipeline.files.content import Kind, Packing, tell_kind, tell_text
from pipeline.files.header import InvalidFile, lacking_columns
from pipeline.files.nearby import trip_file_named
from pipeline.files.prepare import MOST_PACKINGS, PACKED_TOO_OFTEN
from pipeline.files.unpack import copy_limited, open_packed, read_head

_PICKUPS = 2000  # pickups that are looked at


@dataclass(frozen=True)
class Identity:
    """What a file is.

    Attributes:
        dataset: The dataset whose columns it has; None if it is no trip file.
        month: The month that its name says, or else that of most pickups; None if neither tells.
        named: The trip file that its name stands for.
        columns: The names of its columns, as far as they could be read.
    """

    dataset: Dataset | None
    month: Month | None
    named: TripFile | None = None
    columns: tuple[str, ...] = ()

    @property
    def file(self) -> TripFile | None:
        """The trip file that it is, if color and month are both known."""
        return TripFile(self.dataset, self.month) if self.dataset and self.month else None

    def sentence(self) -> str:
        """Say for people how color and month were found, and what is left to choose."""
        if self.month is None:
            return f"It has the columns of {self.dataset} trips. Choose the month that it is of."
        by = "its name" if self.named else "its pickups"
        return f"Color found by its columns, month by {by}. Change them if they are wrong."


def identify(path: Path, name: str, limit: int, cancel: Cancel) -> Identity:
    """Return what a file is, by its name and as much of its content as that takes.

    Args:
        name: The name that the user gave to it.
        limit: Largest size when unpacked, in bytes.

    Raises:
        InvalidFile: The file is damaged or of a kind that cannot be read.
        Cancelled: `cancel` was set.
        OSError: The file cannot be read, or the temporary folder not be written.
    """
    named = trip_file_named(name)
    with ScratchFolder() as folder:
        opened = open_layers(path, Path(folder), limit, cancel, peek=True)
        named = named or trip_file_named(opened.member.replace("\\", "/").rpartition("/")[2])
        if opened.kind == "parquet":
            identity, pickups = _read_parquet(opened.path)
        else:
            identity, pickups = _read_text(opened.head)
    if identity.dataset is None:
        return replace(identity, named=named)
    month = named.month if named else _month_of(identity.dataset, list(pickups))
    return replace(identity, month=month, named=named)


@dataclass(frozen=True)
class OpenedFile:
    """A file without its packings.

    Attributes:
        path: The text or parquet file. After a `peek` it may hold the packed text.
        kind: What it is: text or parquet.
        head: Its first bytes.
        packings: What it was packed in, the outermost first.
        member: The name of the file in an archive; "" if it is in none.
    """

    path: Path
    kind: Kind
    head: bytes
    packings: tuple[str, ...] = ()
    member: str = ""


def open_layers(
    path: Path, folder: Path, limit: int, cancel: Cancel, *, peek: bool = False
) -> OpenedFile:
    """Unpack all layers of compression of a file into a folder; the file does not change.

    Args:
        limit: Largest size when unpacked, in bytes.
        peek: Whether the first bytes of a text are enough.

    Raises what `identify` raises.
    """
    opened = OpenedFile(path, "text", read_head(path, cancel))
    while True:
        kind = tell_kind(opened.head)
        if kind == "parquet" or kind == "text":
            return replace(opened, kind=kind)
        if len(opened.packings) == MOST_PACKINGS:
            raise InvalidFile(*PACKED_TOO_OFTEN)
        opened = _open_layer(opened, kind, folder, limit, cancel, peek=peek)


def _open_layer(
    opened: OpenedFile, kind: Packing, folder: Path, limit: int, cancel: Cancel, *, peek: bool
) -> OpenedFile:
    target = folder / f"layer-{len(opened.packings)}"
    packings = (*opened.packings, kind)
    with open_packed(opened.path, kind, None, cancel) as (chunks, member):
        first = next(chunks, b"")
        member = member or opened.member
        if peek and first and tell_kind(first) == "text":
            return OpenedFile(opened.path, "text", first, packings, member)
        copy_limited(_chain(first, chunks), target, limit)
    return OpenedFile(target, "text", read_head(target, cancel), packings, member)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _read_text(head: bytes) -> tuple[Identity, Iterable[str]]:
    """Return what a text is by its first bytes, and some of its pickups."""
    for dataset in DATASETS.values():
        with suppress(InvalidFile):
            form = tell_text(head, dataset)
            text = (
                head[form.skip :].decode("utf-8-sig", errors="replace")
                if form.encoding == "utf-8"
                else head.decode(form.encoding, errors="replace")[form.skip :]
            )
            lines = csv.reader(whole_lines(text), delimiter=form.separator)
            with suppress(csv.Error):
                header = tuple(next(lines, []))
                if not lacking_columns(header, dataset):
                    place = header.index(match_columns(dataset, header)[dataset.pickup])
                    cells = [cells[place] for cells in lines if len(cells) > place]
                    return Identity(dataset, None, columns=header), cells
    return Identity(None, None), ()


def whole_lines(head: str) -> list[str]:
    """Return the lines of the first letters of a text, without a last one that is cut."""
    lines = head.splitlines()
    return lines if len(lines) < 2 or head.endswith(("\r", "\n")) else lines[:-1]


def _read_parquet(path: Path) -> tuple[Identity, Iterable[str]]:
    """Return what a parquet file is by its columns, and some of its pickups."""
    with suppress(duckdb.Error), duckdb.connect() as connection:
        rows = connection.read_parquet(literal_path(path))
        header = tuple(rows.columns)
        for dataset in DATASETS.values():
            if not lacking_columns(header, dataset):
                pickup = duckdb.ColumnExpression(match_columns(dataset, header)[dataset.pickup])
                cells = rows.select(pickup.cast("VARCHAR")).limit(_PICKUPS).fetchall()
                return Identity(dataset, None, columns=header), [str(cell) for (cell,) in cells]
        return Identity(None, None, columns=header), ()
    return Identity(None, None), ()


def _month_of(dataset: Dataset, cells: list[str]) -> Month | None:
    """Return the month of most pickups, or None if no month has the most of them."""
    column = next(column for column in dataset.columns if column.name == dataset.pickup)
    conventions = find_conventions((column, cell) for cell in cells)
    months: Counter[Month] = Counter()
    for cell in cells:
        moment = read_cell(column, cell, conventions).value
        with suppress(UsageError):  # a time before all trip files
            if isinstance(moment, datetime):
                months[Month.parse(f"{moment:%Y-%m}")] += 1
    if not months:
        return None
    month, count = months.most_common(1)[0]
    return month if count > months.total() / 2 else None
