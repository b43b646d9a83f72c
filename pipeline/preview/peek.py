"""The beginning of a trip file at an address, without the rest: the first rows of a csv.gz or csv,
the footer and first rows of a parquet file.

A server that answers Range requests sends only what is asked for. From one that does not, the
stream is cut off after as many bytes; of parquet there is then nothing to see.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import stamina

from pipeline.cancel import Cancel
from pipeline.errors import NotPublished, SourceUnreachable, TripFileError
from pipeline.settings import Settings
from pipeline.sources import Offer, absent_statuses

if TYPE_CHECKING:
    import httpx2
    from _typeshed import WriteableBuffer

# A few thousand rows of a csv.gz; one request.
HEAD_BYTES = 256 * 1024
# Most that these bytes may unpack to: the published files grow four- to eightfold.
UNPACKED_BYTES = 8 * 1024 * 1024

# A footer of the TLC's takes some 20 kB, the first page of a column up to a few hundred. Rows are
# only looked at while all of it stays within these bytes.
TAIL_BYTES = 64 * 1024
PARQUET_BYTES = 2 * 1024 * 1024
PARQUET_ROWS = 1_000

_REDIRECTS = 10
_FETCH = "Fetch the whole file to look inside it."


@dataclass(frozen=True)
class Part:
    """Some bytes of a file at an address, and how many the whole has (None: unknown)."""

    content: bytes
    total: int | None


@dataclass(frozen=True)
class Head:
    """What was written of the beginning of a file.

    Attributes:
        path: The rows that were had, as a csv or parquet file of their own, or the file itself
            where it came whole. None when only the columns of a parquet file could be had.
        whole: Whether that is all of the file.
        fetched: Bytes that were asked for and came.
        columns: Names and types, of parquet only.
        rows: Of the whole file, as its footer says; None for csv.
    """

    path: Path | None
    whole: bool
    fetched: int
    total: int | None
    columns: tuple[tuple[str, str], ...] = ()
    rows: int | None = None


def read_part(
    offer: Offer, settings: Settings, cancel: Cancel, start: int, most: int, *, strict: bool = False
) -> Part:
    """Return at most `most` bytes of an offer's file from `start` on, in one request.

    `strict` refuses a server that would send the file from its beginning instead.

    Raises:
        NotPublished: There is no such file.
        SourceUnreachable: The source is down, slow, or refuses, or does not serve parts.
        Cancelled: `cancel` was set.
    """
    from pipeline import web

    async def ask() -> Part:
        async with web.client(settings, offer.login, _REDIRECTS) as http:
            return await retrying(_ask, http)

    async def _ask(http: httpx2.AsyncClient) -> Part:
        headers = {"Range": f"bytes={start}-{start + most - 1}"}
        async with web.answer(http, "GET", offer.address, headers) as response:
            if response.status_code in absent_statuses(offer.address, settings):
                raise NotPublished(
                    f"{offer.file} is not published: there is nothing at {offer.address} "
                    f"(HTTP {response.status_code}).",
                    cure="Pick another month, or another source.",
                )
            if response.status_code == 416:
                return Part(b"", 0 if start == 0 else None)
            web.judge(response)
            found = response.headers.get("Content-Range", "")
            asked = response.status_code == 206 and found.startswith(f"bytes {start}-")
            if not asked and (strict or start or response.status_code == 206):
                raise web.Refused("it does not serve parts of a file")
            content = bytearray()
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) >= most:
                    break
            return Part(bytes(content[:most]), web.size_of(response))

    retrying = stamina.AsyncRetryingCaller(
        attempts=2, timeout=None, wait_initial=web.PROBE_RETRY_WAIT
    ).on(web.Transient)
    try:
        return web.run(ask, cancel)
    except (web.Transient, web.Refused) as error:
        raise SourceUnreachable(
            f"{offer.file} cannot be had from {offer.address}: {error}.", cure="Try again later."
        ) from None


def peek(offer: Offer, folder: Path, settings: Settings, cancel: Cancel) -> Head:
    """Bring the beginning of an offer's file into `folder`.

    Raises what `read_part` raises, and TripFileError for bytes that are no such file.
    """
    if offer.format == "parquet":
        return _peek_parquet(offer, folder, settings, cancel)
    part = read_part(offer, settings, cancel, 0, HEAD_BYTES)
    whole = part.total == len(part.content) or (
        part.total is None and len(part.content) < HEAD_BYTES
    )
    packed = offer.format == "csv.gz" and part.content.startswith(b"\x1f\x8b")
    if whole or (offer.format == "csv.gz" and not packed):  # in full, or to be refused by verify
        path = folder / f"{offer.file.stem}.{offer.format}"
        path.write_bytes(part.content)
        return Head(path, True, len(part.content), part.total)
    text = _unpack(offer, part.content) if packed else part.content
    path = folder / f"{offer.file.stem}.csv"
    path.write_bytes(text[: text.rfind(b"\n") + 1] or text)
    return Head(path, False, len(part.content), part.total)


def _unpack(offer: Offer, packed: bytes) -> bytes:
    """Return what the beginning of a gzip file unpacks to, as far as it goes."""
    text = bytearray()
    rest = packed
    try:
        while rest and len(text) < UNPACKED_BYTES:  # a file may be several gzip streams in a row
            stream = zlib.decompressobj(wbits=31)
            text += stream.decompress(rest, UNPACKED_BYTES - len(text))
            rest = stream.unused_data
    except zlib.error as error:
        raise TripFileError(
            f"{offer.file} from {offer.address} is damaged after {len(text)} unpacked bytes "
            f"({error}).",
            cure="Take the month from another source.",
        ) from None
    return bytes(text)


def _peek_parquet(offer: Offer, folder: Path, settings: Settings, cancel: Cancel) -> Head:
    import pyarrow
    import pyarrow.parquet

    remote = _RangeFile(offer, settings, cancel)
    if remote.size <= PARQUET_BYTES:
        path = folder / f"{offer.file.stem}.parquet"
        path.write_bytes(remote.read())
        return Head(path, True, remote.fetched, remote.size)
    try:
        with pyarrow.parquet.ParquetFile(remote, pre_buffer=False, buffer_size=TAIL_BYTES) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            try:
                batches = file.iter_batches(batch_size=PARQUET_ROWS, use_threads=False)
                table = pyarrow.Table.from_batches([next(batches)], schema)
            except StopIteration:
                table = schema.empty_table()
            except _TooMuch:
                table = None
    except (pyarrow.ArrowException, _TooMuch) as error:
        raise TripFileError(
            f"{offer.file} from {offer.address} is no parquet file that can be read in part "
            f"({str(error).splitlines()[0]}).",
            cure=_FETCH,
        ) from None
    columns = tuple((field.name, str(field.type)) for field in schema)
    if table is None:
        return Head(None, False, remote.fetched, remote.size, columns, rows)
    path = folder / f"{offer.file.stem}.parquet"
    pyarrow.parquet.write_table(table, path)
    return Head(path, False, remote.fetched, remote.size, columns, rows)


class _TooMuch(OSError):
    """Looking further would fetch more than a look is worth."""


class _RangeFile(io.RawIOBase):
    """A file at an address, read by Range requests: its end at once, the rest as it is asked for,
    PARQUET_BYTES in all."""

    def __init__(self, offer: Offer, settings: Settings, cancel: Cancel) -> None:
        self._offer, self._settings, self._cancel = offer, settings, cancel
        if offer.bytes is None:
            first = read_part(offer, settings, cancel, 0, 1, strict=True)
            size = first.total
        else:
            size = offer.bytes
        if size is None:
            raise SourceUnreachable(
                f"The size of {offer.file} at {offer.address} is not known.", cure=_FETCH
            )
        self.size = size
        self.fetched = 0
        self._at = 0
        tail = PARQUET_BYTES if size <= PARQUET_BYTES else TAIL_BYTES
        self._tail_start = max(0, size - tail)
        self._tail = self._fetch(self._tail_start, size - self._tail_start) if size else b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        stop = self.size if size < 0 else min(self.size, self._at + size)
        start, self._at = self._at, max(self._at, stop)
        if start >= stop:
            return b""
        if start >= self._tail_start:
            return self._tail[start - self._tail_start : stop - self._tail_start]
        return self._fetch(start, stop - start)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)

    def _fetch(self, start: int, length: int) -> bytes:
        if self.fetched + length > PARQUET_BYTES:
            raise _TooMuch("its first rows are too large for a look")
        part = read_part(self._offer, self._settings, self._cancel, start, length, strict=True)
        self.fetched += len(part.content)
        if len(part.content) < length:
            raise TripFileError(
                f"{self._offer.file} from {self._offer.address} is truncated.", cure=_FETCH
            )
        return part.content
