"""Parquet files whose metadata is false: each is refused, and nothing is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.cancel import Cancel
from pipeline.core.errors import TripFileError
from pipeline.core.settings.settings import Settings
from pipeline.preview import make_preview
from pipeline.preview.subject import find_subject
from tests.support.files import GREEN, load, put_parquet, put_trips, rows, trip

ROWS = 1200
COLUMN = 19  # the last one, so that a longer page header moves only the footer

# Paths to integers in parquet's Thrift structures: field numbers and list indices.
# https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
Where = tuple[int, ...]
ROWS_OF_FILE: Where = (3,)
ROWS_OF_GROUP: Where = (4, 0, 3)
CHUNK: Where = (4, 0, 1, COLUMN, 3)
CODEC, VALUES, UNPACKED, PACKED, PAGE = (
    (*CHUNK, 4),
    (*CHUNK, 5),
    (*CHUNK, 6),
    (*CHUNK, 7),
    (*CHUNK, 9),
)
PAGE_KIND, PAGE_UNPACKED, PAGE_PACKED = (1,), (2,), (3,)

HUGE, LARGE = 2**62, 2**31 - 1
FOOTERS = [
    *((ROWS_OF_FILE, lie) for lie in (-1, 0, ROWS - 1, 2 * ROWS, HUGE)),
    *((ROWS_OF_GROUP, lie) for lie in (-1, 0, ROWS + 1, LARGE)),
    *((VALUES, lie) for lie in (-1, 0, 2 * ROWS, HUGE)),
    *((UNPACKED, lie) for lie in (-1, HUGE)),
    *((PACKED, lie) for lie in (-1, HUGE)),
    *((PAGE, lie) for lie in (-1, 0, 77, LARGE, HUGE)),
    *((CODEC, lie) for lie in (0, 2, 99)),
]
PAGES = [
    *((PAGE_KIND, lie) for lie in (-1, 2, LARGE)),
    *((PAGE_UNPACKED, lie) for lie in (-1, 0, 100, LARGE, HUGE)),
    *((PAGE_PACKED, lie) for lie in (-1, 0, 10, LARGE, HUGE)),
]


@pytest.fixture
def valid_parquet(folder: Path) -> bytes:
    """Return a valid parquet file with one row group and one page for each column."""
    packed = put_trips(folder, GREEN, [trip(GREEN, PULocationID=str(n % 250)) for n in range(ROWS)])
    select = f"SELECT * REPLACE (row_number() OVER () AS congestion_surcharge) FROM '{packed}'"
    content = put_parquet(folder, GREEN, select).read_bytes()
    packed.unlink()
    return content


def test_parquet_with_false_sizes_counts_or_offsets_is_refused(
    valid_parquet: bytes, folder: Path, settings: Settings
) -> None:
    path = folder / f"{GREEN.stem}.parquet"
    assert load(folder, GREEN, settings).rows == ROWS
    files = [(where, lie, lying_footer(valid_parquet, where, lie)) for where, lie in FOOTERS]
    files += [(where, lie, lying_page(valid_parquet, where, lie)) for where, lie in PAGES]
    unsaid = []
    for where, lie, content in files:
        path.write_bytes(content)
        for look in (load_it, look_at_it):
            try:
                look(folder, settings)
            except TripFileError:
                continue
            except Exception as error:
                unsaid.append((look.__name__, where, lie, repr(error)[:200]))
            else:
                unsaid.append((look.__name__, where, lie, "nothing"))
    assert not unsaid, "\n".join(map(str, unsaid))
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(ROWS,)]


def load_it(folder: Path, settings: Settings) -> None:
    load(folder, GREEN, settings)


def look_at_it(folder: Path, settings: Settings) -> None:
    """Preview the file; raise the problem that the preview names, if any."""
    subject = find_subject(GREEN, str(folder), settings, Cancel())
    preview = make_preview(subject, settings, Cancel())
    if preview.problem:
        raise TripFileError(preview.problem, cure="")
    if preview.rows != subject.rows:
        raise TripFileError(f"{GREEN}: {preview.rows} rows of {subject.rows}", cure="")


def lying_footer(content: bytes, where: Where, lie: int) -> bytes:
    """Return the file with another integer in its footer."""
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    first, last, _ = dict(integers(content, start))[where]
    footer = content[start:first] + encode(lie) + content[last:-8]
    return content[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def lying_page(content: bytes, where: Where, lie: int) -> bytes:
    """Return the file with another integer in the page header of its last column."""
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    page = dict(integers(content, start))[PAGE][2]
    first, last, _ = dict(integers(content, page))[where]
    return content[:first] + encode(lie) + content[last:]


def integers(content: bytes, at: int) -> list[tuple[Where, tuple[int, int, int]]]:
    """Return start, end and value of each integer in a Thrift compact structure."""
    integers_found: list[tuple[Where, tuple[int, int, int]]] = []
    _read_struct(content, at, (), integers_found)
    return integers_found


def _read_struct(content: bytes, at: int, path: Where, integers_found: list[Any]) -> int:
    field = 0
    while head := content[at]:
        field += head >> 4  # no such file has the long form, for gaps of 16 and more fields
        at = _read_value(content, at + 1, head & 15, (*path, field), integers_found)
    return at + 1


def _read_value(content: bytes, at: int, kind: int, path: Where, integers_found: list[Any]) -> int:
    """Read one value and return the position after it."""
    match kind:
        case 1 | 2:  # a Boolean is stored in the field's header
            return at
        case 3:
            return at + 1
        case 4 | 5 | 6:
            number, end = _read_varint(content, at)
            integers_found.append((path, (at, end, number >> 1 ^ -(number & 1))))
            return end
        case 7:
            return at + 8
        case 8:
            length, at = _read_varint(content, at)
            return at + length
        case 9:
            head = content[at]
            length, at = _read_varint(content, at + 1) if head >= 0xF0 else (head >> 4, at + 1)
            for place in range(length):
                at = _read_value(content, at, head & 15, (*path, place), integers_found)
            return at
        case _:
            return _read_struct(content, at, path, integers_found)


def _read_varint(content: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (content[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if content[at - 1] < 128:
            return number, at


def encode(number: int) -> bytes:
    """Encode an integer as Thrift compact does."""
    left = number << 1 if number >= 0 else ~(number << 1)
    encoded = bytearray()
    while left > 127:
        encoded.append(left & 127 | 128)
        left >>= 7
    return bytes((*encoded, left))
