"""Check that a first line names the columns of a trip file, and say what it is if it does not."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import NoReturn

from pipeline.core.column_names import match_columns, normalize_name
from pipeline.core.datasets import DATASETS, Dataset

CURE_DAMAGE = "Run it again later, or take the month from another source."
CURE_DAMAGED_FILE = "Replace it with a whole copy, or take the month from another source."
CURE_DAMAGED_UPLOAD = (
    "Upload a whole copy on the Preview page, or take the month from another source."
)
CURE_ADDRESS = "Check that the address leads to the trip file itself."

_NUMBER_OR_TIME = re.compile(r"[+-]?[0-9][0-9.,:/ TZ+-]*")

# The ends of the names that the TLC gave to coordinates in its three old layouts.
_COORDINATES = ("_longitude", "_latitude", "start_lon", "start_lat", "end_lon", "end_lat")

# The column that only files of high-volume services have.
_HIGH_VOLUME = "hvfhs_license_num"

MOST_COLUMNS = 1000  # so that reading and showing a header stays quick


class InvalidFile(Exception):
    """The bytes are not the trip file: why, as the rest of a sentence that begins with its name."""

    def __init__(self, problem: str, cure: str = CURE_DAMAGE) -> None:
        super().__init__(problem)
        self.problem = problem
        self.cure = cure


def parse_header(line: bytes, dataset: Dataset) -> tuple[str, ...]:
    """Return the column names in the first line of a csv; raise InvalidFile if they are wrong."""
    # Names of columns that are not loaded may be in another encoding.
    text = line.decode("utf-8-sig", errors="replace")
    if any(ord(letter) < 32 and letter != "\t" for letter in text):
        raise InvalidFile("has a first line that is not text (UTF-8)", CURE_ADDRESS)
    header = split_line(text)
    check_header(header, dataset)
    return header


def check_header(header: tuple[str, ...], dataset: Dataset) -> None:
    """Raise InvalidFile if columns of the row identity are missing, or a column occurs twice.

    A header of more than MOST_COLUMNS is refused, too.
    """
    if len(header) > MOST_COLUMNS:
        raise InvalidFile(
            f"has {len(header):,} columns, and a trip file has about 20", CURE_ADDRESS
        )
    if missing := lacking_columns(header, dataset):
        _refuse_header(header, missing, dataset)
    names = [normalize_name(name) for name in header]
    ours = match_columns(dataset, header).values()
    if twice := sorted(
        name.strip().lower() for name in ours if names.count(normalize_name(name)) > 1
    ):
        raise InvalidFile(
            f"has the column {excerpt(', '.join(twice))} twice", "Take it from another source."
        )


def split_line(line: str, separator: str = ",") -> tuple[str, ...]:
    """Return the cells of one line of a csv."""
    try:
        return tuple(next(csv.reader([line], delimiter=separator), []))
    except csv.Error:  # a cell longer than the module reads
        return ()


def first_line(text: str) -> str:
    """Return a text's first line without its end."""
    return re.split(r"[\r\n]", text, maxsplit=1)[0]


def lacking_columns(header: tuple[str, ...], dataset: Dataset) -> list[str]:
    """Return the columns that a file of the dataset must have and this header lacks.

    They are those of the row identity, except columns that older files lack. A file of high-volume
    services is not a file of another dataset, whatever columns it shares with one.
    """
    matched = {} if _is_of_other_service(dataset, header) else match_columns(dataset, header)
    return [
        column.name
        for column in dataset.columns
        if column.identity and not column.optional and column.name not in matched
    ]


def _is_of_other_service(dataset: Dataset, header: Iterable[str]) -> bool:
    """Return whether the header is of a high-volume service and the dataset is not."""
    return not dataset.has(_HIGH_VOLUME) and normalize_name(_HIGH_VOLUME) in map(
        normalize_name, header
    )


def excerpt(text: str, most: int = 80) -> str:
    """Return text of a file for a message: short, and without control characters."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:most])
    return shown if len(text) <= most else f"{shown}…"


def is_data(cells: tuple[str, ...]) -> bool:
    """Return whether the cells of a first line are those of a trip, not the names of columns."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    values = [cell for cell in filled if _NUMBER_OR_TIME.fullmatch(cell)]
    return len(cells) > 1 and 2 * len(values) > len(filled)


def _refuse_header(header: tuple[str, ...], missing: list[str], dataset: Dataset) -> NoReturn:
    """Raise the InvalidFile that says best why a header lacks columns."""
    if is_data(header):
        columns = ",".join(column.name for column in dataset.columns if not column.fee)
        raise InvalidFile(
            f"has no header: its first line is data ({excerpt(', '.join(header))})",
            "Put the line of column names back, in the order of its cells; the published one is "
            f"{columns}.",
        )
    if len(header) == 1 and not lacking_columns(split_line(header[0]), dataset):
        raise InvalidFile(
            "has each line in quotes, so that a line is one cell",
            "Export it again with quotes around single cells, not around lines.",
        )
    others = [
        other
        for other in DATASETS.values()
        if other != dataset and not lacking_columns(header, other)
    ]
    if not others and _is_of_other_service(dataset, header):
        raise InvalidFile(
            "is a file of high-volume services, such as Uber and Lyft, for which there is no table",
            f"Give the file of the {dataset.vehicle}s.",
        )
    lowered = [name.strip().lower() for name in header]
    if any(name.endswith(_COORDINATES) for name in lowered):
        raise InvalidFile(
            "has coordinates instead of zones, like the TLC's csv files before July 2016",
            "Take the month with --source tlc, whose parquet files have zones from 2011 on; no "
            "source has them for earlier months.",
        )
    instead = f"looks like a {others[0]} file" if others else f"has {_shorten(header)}"
    problem = f"lacks {', '.join(missing)}, which the row identity needs"
    has_ours = not others and len(match_columns(dataset, header)) > 1
    cure = "Add what is missing, or take the month from another source."
    raise InvalidFile(f"{problem}; it {instead}", cure if has_ours else CURE_ADDRESS)


def _shorten(header: tuple[str, ...]) -> str:
    text = excerpt(", ".join(header), 200)
    return f"these columns: {text}" if text.strip() else "a blank first line"
