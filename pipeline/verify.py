"""Whether a file's bytes are the trip file they claim to be, in one pass over them.

Reads the whole file once: checksum, gzip with its CRC, column names, lines. For parquet the footer
stands for the rest; its pages are read when it is loaded.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cancel import Cancel
from pipeline.errors import TripFileError
from pipeline.lines import EndlessLine, LineCounter
from pipeline.sources import Format
from pipeline.trips import COLUMNS, Color, TripFile, match_columns

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK = 256 * 1024

_DAMAGED = "Run it again later, or take the month from another source."
_OTHER = "Check that the address leads to the trip file itself."
_LIMIT = "If that is right, raise FAREGROUND_MAX_UNPACKED_GIB."


@dataclass(frozen=True)
class Facts:
    """What one pass over a file found; see StagedFile for the fields."""

    bytes: int
    sha256: str
    header: tuple[str, ...]
    data_lines: int
    carriage_returns: bool


class _Unfit(Exception):
    """Why the bytes are no such trip file (to follow the file's name), and the cure."""

    def __init__(self, problem: str, cure: str = _DAMAGED) -> None:
        super().__init__(problem)
        self.problem = problem
        self.cure = cure


def verify(
    path: Path,
    file: TripFile,
    format: Format,
    address: str,
    limit: int,
    cancel: Cancel,
    keep: Callable[[bytes], object] = len,
) -> Facts:
    """Read the file at `path` once and return what was found.

    Args:
        file: What it must be; its color says which columns it must have.
        address: Where it came from, for the messages.
        limit: Largest size when unpacked, in bytes.
        keep: Called with the unpacked bytes of a csv.gz, piece by piece.

    Raises TripFileError, Cancelled, or OSError when it cannot be read.
    """
    try:
        with path.open("rb", buffering=0) as raw:
            hashed = _Hashed(raw)
            if format == "parquet":
                found = _check_parquet(hashed, path, file.color, limit, cancel)
            else:
                chunks = hashed.chunks() if format == "csv" else _unpack(hashed, path, keep)
                found = _check_text(chunks, file.color, limit, cancel)
            header, lines, returns = found
            return Facts(hashed.size, hashed.sha256.hexdigest(), header, lines, returns)
    except _Unfit as error:
        problem = f"{file} from {address} {error.problem}."
        raise TripFileError(problem, cure=error.cure) from None


class _Hashed(io.RawIOBase):
    """A file that remembers the checksum and number of the bytes read from it."""

    def __init__(self, raw: io.FileIO) -> None:
        self.raw = raw
        self.sha256 = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        count = self.raw.readinto(buffer) or 0
        self.sha256.update(memoryview(buffer)[:count])
        self.size += count
        return count

    def chunks(self) -> Iterator[bytes]:
        while chunk := self.read(CHUNK):
            yield chunk


Found = tuple[tuple[str, ...], int, bool]


def _unpack(raw: _Hashed, path: Path, keep: Callable[[bytes], object]) -> Iterator[bytes]:
    from isal import igzip, isal_zlib

    with path.open("rb") as file:
        head = file.read(1024)
    if not head:
        raise _Unfit("is empty")
    if not head.startswith(b"\x1f\x8b"):
        _refuse_other_kinds(head)
        raise _Unfit("is not gzip", _OTHER)
    done = 0
    try:
        with igzip.open(raw) as unpacked:
            while chunk := unpacked.read(CHUNK):
                done += len(chunk)
                keep(chunk)
                yield chunk
    except EOFError:
        raise _Unfit(f"is truncated: its gzip stream breaks off after {done} bytes") from None
    except (gzip.BadGzipFile, isal_zlib.IsalError) as error:  # type: ignore[misc]
        raise _Unfit(f"is damaged after {done} unpacked bytes ({error})") from None


def _check_text(chunks: Iterator[bytes], color: Color, limit: int, cancel: Cancel) -> Found:
    lines = LineCounter()
    header: tuple[str, ...] | None = None
    size = 0
    for chunk in chunks:
        cancel.check()
        if size == 0:
            _refuse_other_kinds(chunk)
        size += len(chunk)
        if size > limit:
            raise _Unfit(f"is larger than {limit / 2**30:g} GiB when unpacked", _LIMIT)
        try:
            lines.feed(chunk)
        except EndlessLine as error:
            raise _Unfit(str(error), _OTHER) from None
        # A wrong header is refused before all the rest is unpacked.
        if header is None and lines.header is not None:
            header = parse_header(lines.header, color)
    if size == 0:
        raise _Unfit("is empty")
    return header or parse_header(lines.finish(), color), lines.count, lines.carriage_returns


def parse_header(line: bytes, color: Color) -> tuple[str, ...]:
    """Return the column names in a csv's first line, after checking them."""
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if any(ord(letter) < 32 and letter != "\t" for letter in text):
        raise _Unfit("has a first line that is not text (UTF-8)", _OTHER)
    header = tuple(next(csv.reader([text]), []))
    check_header(header, color)
    return header


def check_header(header: tuple[str, ...], color: Color) -> None:
    """Refuse column names that lack a row's identity, or of which one occurs twice."""
    if missing := _lacking(header, color):
        others = [other for other in Color if other != color and not _lacking(header, other)]
        found = f"looks like a {others[0]} file" if others else f"has {_shortened(header)}"
        problem = f"lacks {', '.join(missing)}, without which trips cannot be told apart"
        raise _Unfit(f"{problem}; it {found}", _OTHER)
    names = [name.strip().lower() for name in header]
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise _Unfit(f"has the column {', '.join(twice)} twice", "Take it from another source.")


def _lacking(header: tuple[str, ...], color: Color) -> list[str]:
    """Return the columns of the row identity that a header has not."""
    matched = match_columns(color, header)
    return [c.name for c in COLUMNS[color] if c.identity and c.name not in matched]


def _shortened(header: tuple[str, ...]) -> str:
    text = ", ".join(header)
    text = text if len(text) <= 200 else f"{text[:200]}…"
    return f"these columns: {text}" if text.strip() else "a blank first line"


def _refuse_other_kinds(head: bytes) -> None:
    """Say plainly when a file begins like something well known that is no trip file."""
    start = head[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(b"<"):
        kind = "a web page" if b"html" in start else "an XML document"
        raise _Unfit(f"is {kind}, not a trip file", _OTHER)
    for magic, kind in ((b"par1", "parquet"), (b"pk\3\4", "a zip archive"), (b"\x1f\x8b", "gzip")):
        if start.startswith(magic):
            raise _Unfit(f"is {kind} under the name of a csv", "Name it by what it is.")


def _check_parquet(raw: _Hashed, path: Path, color: Color, limit: int, cancel: Cancel) -> Found:
    import duckdb

    last = b""
    for chunk in raw.chunks():
        cancel.check()
        if not last and not chunk.startswith(b"PAR1"):
            if not chunk.startswith(b"\x1f\x8b"):
                _refuse_other_kinds(chunk)
            raise _Unfit("is not parquet", _OTHER)
        last = (last + chunk)[-4:]
    if not last:
        raise _Unfit("is empty")
    if last != b"PAR1" or raw.size < 12:
        raise _Unfit("is truncated: a parquet file ends with PAR1")
    try:
        with duckdb.connect() as connection:
            columns = connection.execute(
                "SELECT name FROM parquet_schema(?) WHERE coalesce(num_children, 0) = 0",
                [str(path)],
            ).fetchall()
            rows, size, lies = connection.execute(
                "SELECT any_value(file.num_rows), coalesce(sum(total_uncompressed_size), 0),"
                " coalesce(bool_or(total_uncompressed_size < 0"
                "  OR total_compressed_size NOT BETWEEN 0 AND $bytes"
                "  OR data_page_offset NOT BETWEEN 0 AND $bytes"
                "  OR num_values < 0), false) OR any_value(file.num_rows) < 0"
                " FROM parquet_file_metadata($path) file LEFT JOIN parquet_metadata($path) ON true",
                {"path": str(path), "bytes": raw.size},
            ).fetchall()[0]
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise _Unfit(f"is damaged: its parquet footer cannot be read ({reason})") from None
    # DuckDB takes some such sizes for faults of its own, and then closes the whole warehouse.
    if lies:
        raise _Unfit("is damaged: by its parquet footer it has columns that lie outside the file")
    # As text each value takes a byte at least, however small it is encoded.
    if max(size, rows * len(columns)) > limit:
        raise _Unfit(f"is larger than {limit / 2**30:g} GiB when unpacked", _LIMIT)
    header = tuple(str(name) for (name,) in columns)
    check_header(header, color)
    return header, rows, False
