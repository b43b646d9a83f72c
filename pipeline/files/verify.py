"""Verify that a file is the trip file that it should be, in one pass over its bytes.

The pass computes the checksum, unpacks gzip (whose CRC proves that nothing is damaged), and checks
the column names and the number of lines. Of parquet it checks the footer; a load reads the pages.
"""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import Dataset
from pipeline.core.errors import TripFileError
from pipeline.core.lines import EndlessLine, LineCounter
from pipeline.core.sql import literal_path
from pipeline.core.trips import TripFile
from pipeline.files.content import ENCRYPTED
from pipeline.files.header import CURE_ADDRESS, InvalidFile, check_header, parse_header
from pipeline.files.offers import Format
from pipeline.files.pickups import PickupMonths, warn_of_parquet
from pipeline.files.unpack import CHUNK, UnpackedStream, require_limit

if TYPE_CHECKING:
    from typing_extensions import Buffer


@dataclass(frozen=True)
class VerifiedContent:
    """Facts about the content of a verified file; `StagedFile` describes most of them.

    Attributes:
        utf8: Whether a csv is UTF-8 throughout.
        surplus_commas: Whether a csv has more commas than there are between its columns.
        padding: Zero bytes behind the last gzip stream.
        warning: What is odd about the trips; "" for nothing.
        unpacked_bytes: Its size without compression.
    """

    bytes: int
    sha256: str
    header: tuple[str, ...]
    data_lines: int
    carriage_returns: bool
    utf8: bool = True
    surplus_commas: bool = False
    padding: int = 0
    warning: str = field(default="", compare=False)
    unpacked_bytes: int | None = field(default=None, compare=False)


def verify(
    path: Path,
    file: TripFile,
    format: Format,
    address: str,
    limit: int,
    cancel: Cancel,
    on_unpacked: Callable[[bytes], object] = len,
) -> VerifiedContent:
    """Read a file once and return the facts about its content.

    Args:
        file: The trip file that it should be; its dataset says which columns it must have.
        address: Where the file came from, for error messages.
        limit: Largest size when unpacked, in bytes.
        on_unpacked: Called with the unpacked bytes of a csv.gz, chunk by chunk.

    Raises:
        TripFileError: The file is damaged, too large, or not that trip file.
        Cancelled: `cancel` was set.
        OSError: The file cannot be read.
    """
    try:
        with path.open("rb", buffering=0) as raw:
            hashed = _HashedFile(raw)
            if format == "parquet":
                header, rows, size = _check_parquet(hashed, path, file.dataset, limit, cancel)
                return VerifiedContent(
                    hashed.size,
                    hashed.sha256.hexdigest(),
                    header,
                    rows,
                    False,
                    warning=warn_of_parquet(path, file, header),
                    unpacked_bytes=size,
                )
            unpacked = UnpackedStream(hashed, "gzip", cancel) if format == "csv.gz" else None
            chunks = _unpack(unpacked, path, on_unpacked) if unpacked else hashed.chunks()
            text = _check_text(chunks, file, limit, cancel)
            return VerifiedContent(
                hashed.size,
                hashed.sha256.hexdigest(),
                text.header,
                text.lines.count,
                text.lines.carriage_returns,
                text.utf8.valid,
                text.lines.commas > text.lines.count * (len(text.header) - 1),
                unpacked.padding if unpacked else 0,
                text.pickups.warn(),
                text.size,
            )
    except InvalidFile as error:
        problem = f"{file} from {address} {error.problem}."
        raise TripFileError(problem, cure=error.cure) from None


class _HashedFile(io.RawIOBase):
    """A file that computes the checksum and number of the bytes that are read from it."""

    def __init__(self, raw: io.FileIO) -> None:
        self.raw = raw
        self.sha256 = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        count = self.raw.readinto(buffer) or 0
        self.sha256.update(memoryview(buffer)[:count])
        self.size += count
        return count

    def chunks(self) -> Iterator[bytes]:
        while chunk := self.read(CHUNK):
            yield chunk


def _unpack(
    unpacked: UnpackedStream, path: Path, on_unpacked: Callable[[bytes], object]
) -> Iterator[bytes]:
    with path.open("rb") as file:
        head = file.read(2)
    if not head:
        raise InvalidFile("is empty")
    if not b"\x1f\x8b".startswith(head):
        raise InvalidFile("is not gzip", CURE_ADDRESS)
    for chunk in unpacked:
        on_unpacked(chunk)
        yield chunk


class _Utf8:
    """Checks that a text which arrives in chunks is UTF-8; nearly free for ASCII."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._within = False  # a letter that the last chunk cut in two
        self.valid = True

    def feed(self, chunk: bytes, *, final: bool = False) -> None:
        if not self.valid or (chunk.isascii() and not self._within):
            return
        try:
            self._decoder.decode(chunk, final)
            self._within = bool(self._decoder.getstate()[0])
        except UnicodeDecodeError:
            self.valid = False


@dataclass(frozen=True)
class _Text:
    header: tuple[str, ...]
    lines: LineCounter
    utf8: _Utf8
    pickups: PickupMonths
    size: int


def _check_text(chunks: Iterable[bytes], file: TripFile, limit: int, cancel: Cancel) -> _Text:
    """Check the unpacked bytes of a csv, and count its lines."""
    lines, utf8, pickups = LineCounter(), _Utf8(), PickupMonths(file)
    header: tuple[str, ...] | None = None
    size = 0
    for chunk in chunks:
        cancel.check()
        size += len(chunk)
        require_limit(size, limit)
        try:
            lines.feed(chunk)
        except EndlessLine as error:
            raise InvalidFile(str(error), CURE_ADDRESS) from None
        utf8.feed(chunk)
        # Check the header now, so that a wrong file fails before all of it is unpacked.
        if header is None and lines.header is not None:
            header = parse_header(lines.header, file.dataset)
        if header is not None:
            pickups.feed(chunk, header)
    if size == 0:
        raise InvalidFile("is empty")
    utf8.feed(b"", final=True)
    return _Text(header or parse_header(lines.finish(), file.dataset), lines, utf8, pickups, size)


def _check_parquet(
    raw: _HashedFile, path: Path, dataset: Dataset, limit: int, cancel: Cancel
) -> tuple[tuple[str, ...], int, int]:
    """Check a parquet file's footer; return column names, number of rows and unpacked bytes."""
    import duckdb

    last = b""
    for chunk in raw.chunks():
        cancel.check()
        if not last and not chunk.startswith(b"PAR1"):
            raise InvalidFile("is not parquet", CURE_ADDRESS)
        last = (last + chunk)[-4:]
    if not last:
        raise InvalidFile("is empty")
    if last != b"PAR1" or raw.size < 12:
        raise InvalidFile("is truncated: a parquet file ends with PAR1")
    try:
        with duckdb.connect() as connection:
            elements = connection.execute(
                "SELECT name, coalesce(num_children, 0) FROM parquet_schema(?)",
                [literal_path(path)],
            ).fetchall()
            rows, size, impossible = connection.execute(
                "SELECT any_value(file.num_rows), coalesce(sum(total_uncompressed_size), 0),"
                " coalesce(bool_or(total_uncompressed_size < 0"
                "  OR total_compressed_size NOT BETWEEN 0 AND $bytes"
                "  OR data_page_offset NOT BETWEEN 0 AND $bytes"
                "  OR num_values < 0), false) OR any_value(file.num_rows) < 0"
                " FROM parquet_file_metadata($path) file LEFT JOIN parquet_metadata($path) ON true",
                {"path": literal_path(path), "bytes": raw.size},
            ).fetchall()[0]
    except duckdb.ConversionException as error:  # of a value that stands in the statistics
        reason = str(error).splitlines()[0]
        raise InvalidFile(
            f"has a time that is beyond what can be stored ({reason})",
            "Correct it, or write its column in microseconds; then only its row is a reject.",
        ) from None
    except duckdb.Error as error:
        _refuse_encrypted_columns(path)
        reason = str(error).splitlines()[0]
        raise InvalidFile(f"is damaged: its parquet footer cannot be read ({reason})") from None
    # Some impossible sizes make DuckDB raise an internal error, which closes the whole warehouse.
    if impossible:
        raise InvalidFile("is damaged: its parquet footer describes columns outside the file")
    # Unpacked, each value takes at least a byte, however small its encoding is.
    leaves = sum(children == 0 for _, children in elements)
    require_limit(max(size, rows * leaves), limit)
    header = _top_level(elements)
    check_header(header, dataset)
    _refuse_encrypted_columns(path)
    return header, rows, int(size)


def _top_level(elements: list[tuple[str, int]]) -> tuple[str, ...]:
    """Return the names of the columns among the elements of a parquet schema.

    Args:
        elements: Name and number of children of each, the root first, parents before children.
    """
    names: list[str] = []
    inside = 0  # elements of the column before that are still to come
    for name, children in elements[1:]:
        if inside:
            inside -= 1
        else:
            names.append(str(name))
        inside += max(children, 0)
    return tuple(names)


def _refuse_encrypted_columns(path: Path) -> None:
    """Raise for parquet whose columns are encrypted, which a plain footer does not mention."""
    import duckdb

    with duckdb.connect() as connection:
        try:
            connection.execute(
                "SELECT * FROM read_parquet($path) LIMIT 1", {"path": literal_path(path)}
            )
        except duckdb.Error as error:
            if "is encrypted" in str(error):  # any other error is for the load to explain
                raise InvalidFile(*ENCRYPTED) from None
