"""Download only the first rows of a remote trip file, and of parquet also the footer.

The module sends HTTP Range requests. When a server ignores them, it stops reading a CSV file after
the first bytes; a parquet file cannot be previewed then, because its footer is at the end.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.cancel import Cancel
from pipeline.core.errors import NotPublished, SourceUnreachable, TripFileError
from pipeline.core.retry import AsyncRetryingCaller
from pipeline.core.settings.settings import Settings
from pipeline.files.content import tell_kind, tell_text
from pipeline.files.header import CURE_DAMAGE, InvalidFile
from pipeline.files.offers import Format, Offer, absent_statuses
from pipeline.files.prepare import as_trip_file_errors
from pipeline.files.unpack import UnpackedStream

if TYPE_CHECKING:
    import httpx2
    from typing_extensions import Buffer

# 256 KiB of a csv.gz hold a few thousand rows, and take one request.
HEAD_BYTES = 256 * 1024
# Limit for the unpacked head: published files unpack to four to eight times their size, so more
# than this is not trip data.
UNPACKED_BYTES = 8 * 1024 * 1024

# A footer of the TLC's parquet files takes about 20 kB, the first page of a column up to a few
# hundred. The first rows are read only when footer and pages fit in PARQUET_BYTES.
TAIL_BYTES = 64 * 1024
PARQUET_BYTES = 2 * 1024 * 1024
PARQUET_ROWS = 1_000

_REDIRECTS = 10
_FETCH_CURE = "Fetch the whole file to look inside it."


@dataclass(frozen=True)
class ByteRange:
    """A range of bytes of a remote file; `total` is the whole file's size, None if unknown."""

    content: bytes
    total: int | None


@dataclass(frozen=True)
class Head:
    """The downloaded head of a remote file.

    Attributes:
        path: A local csv or parquet file with the first rows, or the file itself when it is
            small. None when only the columns of a parquet file fit in PARQUET_BYTES.
        format: What the whole file is by its content.
        whole: Whether `path` is the whole file.
        fetched: Bytes downloaded.
        total: Bytes of the whole file; None when the server does not say.
        columns: Names and types of a parquet file's columns; empty for csv.
        rows: Rows of the whole file from the parquet footer; None for csv.
    """

    path: Path | None
    format: Format
    whole: bool
    fetched: int
    total: int | None
    columns: tuple[tuple[str, str], ...] = ()
    rows: int | None = None


def read_range(
    offer: Offer, settings: Settings, cancel: Cancel, start: int, most: int, *, strict: bool = False
) -> ByteRange:
    """Download at most `most` bytes of an offer's file, beginning at byte `start`.

    Args:
        strict: Raise SourceUnreachable when the server ignores the range and sends the file from
            its first byte. Without it, that is accepted for `start` 0.

    Raises:
        NotPublished: The source has no such file.
        SourceUnreachable: The source is down, slow, refuses, or ignores the range.
        Cancelled: `cancel` was set.
    """
    from pipeline.files import web

    async def connect_and_send() -> ByteRange:
        async with web.make_client(settings, offer.login, _REDIRECTS) as http:
            return await retrying(send, http)

    async def send(http: httpx2.AsyncClient) -> ByteRange:
        headers = {"Range": f"bytes={start}-{start + most - 1}"}
        async with web.send_request(http, "GET", offer.address, headers) as response:
            if response.status_code in absent_statuses(offer.address, settings):
                raise NotPublished(
                    f"{offer.file} is not published: there is nothing at {offer.address} "
                    f"(HTTP {response.status_code}).",
                    cure="Choose another month or source.",
                )
            if response.status_code == 416:
                return ByteRange(b"", 0 if start == 0 else None)
            web.check_status(response)
            content_range = response.headers.get("Content-Range", "")
            is_range = response.status_code == 206 and content_range.startswith(f"bytes {start}-")
            if not is_range and (strict or start or response.status_code == 206):
                raise web.RequestRefused("it does not serve parts of a file")
            content = bytearray()
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) >= most:
                    break
            return ByteRange(bytes(content[:most]), web.size_of(response))

    retrying = AsyncRetryingCaller(attempts=2, timeout=None, wait_initial=web.PROBE_RETRY_WAIT).on(
        web.TransientFailure
    )
    try:
        return web.run(connect_and_send, cancel)
    except (web.TransientFailure, web.RequestRefused) as error:
        raise SourceUnreachable(
            f"Cannot download {offer.file} from {offer.address}: {error}.", cure="Try again later."
        ) from None


def fetch_head(offer: Offer, folder: Path, settings: Settings, cancel: Cancel) -> Head:
    """Download the head of an offer's file into `folder`.

    The name decides only which bytes are asked for first; their content says what they are.

    Raises the errors of `read_range`, and TripFileError when the bytes are damaged or of a kind
    that can be read only as a whole.
    """
    if offer.format == "parquet":
        remote = _RemoteFile(offer, settings, cancel)
        if remote.is_parquet:
            return _fetch_parquet_head(remote, offer, folder)
    part = read_range(offer, settings, cancel, 0, HEAD_BYTES)
    content = part.content
    whole = part.total == len(content) or (part.total is None and len(content) < HEAD_BYTES)
    if whole:
        path = folder / "whole"
        path.write_bytes(content)
        return Head(path, offer.format, True, len(content), part.total)
    with as_trip_file_errors(offer.file, offer.address):
        format: Format = "csv"
        kind = tell_kind(content)
        if kind == "parquet":
            return _fetch_parquet_head(_RemoteFile(offer, settings, cancel), offer, folder)
        if kind == "gzip":
            format, content = "csv.gz", _unpack(content)
            kind = tell_kind(content)
        if kind != "text":
            raise InvalidFile(f"is a packed file ({kind}) that cannot be read in part", _FETCH_CURE)
        encoding = tell_text(content, offer.file.dataset).encoding
    if encoding != "utf-8":  # letters of two or four bytes, the last perhaps cut
        content = content.decode(encoding, errors="ignore").encode("utf-8", errors="ignore")
    path = folder / "head"
    path.write_bytes(content[: content.rfind(b"\n") + 1] or content)
    return Head(path, format, False, len(part.content), part.total)


def _unpack(packed: bytes) -> bytes:
    """Unpack the first bytes of a gzip file, up to UNPACKED_BYTES of text."""
    text = bytearray()
    try:
        for chunk in UnpackedStream(io.BytesIO(packed), "gzip", Cancel()):
            text += chunk
            if len(text) >= UNPACKED_BYTES:
                break
    except InvalidFile as error:
        if "truncated" not in error.problem:  # as every head of a stream is
            raise InvalidFile(error.problem, CURE_DAMAGE) from None
    return bytes(text[:UNPACKED_BYTES])


def _fetch_parquet_head(remote: _RemoteFile, offer: Offer, folder: Path) -> Head:
    import pyarrow
    import pyarrow.parquet

    if remote.size <= PARQUET_BYTES:
        path = folder / "whole"
        path.write_bytes(remote.read())
        return Head(path, "parquet", True, remote.fetched, remote.size)
    try:
        with pyarrow.parquet.ParquetFile(remote, pre_buffer=False, buffer_size=TAIL_BYTES) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            try:
                batches = file.iter_batches(batch_size=PARQUET_ROWS, use_threads=False)
                table = pyarrow.Table.from_batches([next(batches)], schema)
            except StopIteration:
                table = schema.empty_table()
            except _TooManyBytes:
                table = None
    except (pyarrow.ArrowException, _TooManyBytes) as error:
        raise TripFileError(
            f"{offer.file} from {offer.address} is not a parquet file that can be read in part "
            f"({str(error).splitlines()[0]}).",
            cure=_FETCH_CURE,
        ) from None
    columns = tuple((field.name, str(field.type)) for field in schema)
    if table is None:
        return Head(None, "parquet", False, remote.fetched, remote.size, columns, rows)
    path = folder / "head"
    pyarrow.parquet.write_table(table, path)
    return Head(path, "parquet", False, remote.fetched, remote.size, columns, rows)


class _TooManyBytes(OSError):
    """Reading on would download more than PARQUET_BYTES."""


class _RemoteFile(io.RawIOBase):
    """A remote file that pyarrow reads by Range requests, at most PARQUET_BYTES in all.

    The constructor downloads the last TAIL_BYTES, which hold the footer, or all of a small file.
    """

    def __init__(self, offer: Offer, settings: Settings, cancel: Cancel) -> None:
        self._offer, self._settings, self._cancel = offer, settings, cancel
        if offer.bytes is None:
            first = read_range(offer, settings, cancel, 0, 1, strict=True)
            size = first.total
        else:
            size = offer.bytes
        if size is None:
            raise SourceUnreachable(
                f"The size of {offer.file} at {offer.address} is not known.", cure=_FETCH_CURE
            )
        self.size = size
        self.fetched = 0
        self._position = 0
        tail = PARQUET_BYTES if size <= PARQUET_BYTES else TAIL_BYTES
        self._tail_start = max(0, size - tail)
        self._tail = self._fetch(self._tail_start, size - self._tail_start) if size else b""

    @property
    def is_parquet(self) -> bool:
        """Whether the file ends as parquet does, encrypted or not."""
        return self._tail.endswith((b"PAR1", b"PARE"))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        stop = self.size if size < 0 else min(self.size, self._position + size)
        start, self._position = self._position, max(self._position, stop)
        if start >= stop:
            return b""
        if start >= self._tail_start:
            return self._tail[start - self._tail_start : stop - self._tail_start]
        return self._fetch(start, stop - start)

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)

    def _fetch(self, start: int, length: int) -> bytes:
        if self.fetched + length > PARQUET_BYTES:
            raise _TooManyBytes("its first rows are too large for a preview")
        part = read_range(self._offer, self._settings, self._cancel, start, length, strict=True)
        self.fetched += len(part.content)
        if len(part.content) < length:
            raise TripFileError(
                f"{self._offer.file} from {self._offer.address} is truncated.", cure=_FETCH_CURE
            )
        return part.content
