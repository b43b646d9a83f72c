"""Unpack gzip, zstd, bzip2, xz, lz4, and the trip file in a zip or tar archive, as streams.

Several streams behind each other are read as one, and zeros behind them are padding. Any other
bytes there are refused, because a reader that stops at the end would drop them without a word.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from pipeline.core.cancel import Cancel
from pipeline.core.trips import TripFile
from pipeline.files.archives import archive_errors, open_tar, open_zip
from pipeline.files.content import HEAD, Packing
from pipeline.files.header import InvalidFile
from pipeline.files.trailing import count_trailing, more_bytes

CHUNK = 256 * 1024

_XZ_MEMORY = 512 * 2**20  # bytes; the highest level of xz takes 65 MiB
_CURE_LIMIT = "If that is right, raise FAREGROUND_MAX_UNPACKED_GIB."


class _Decompressor(Protocol):
    """The interface that the decompressors of bz2, lzma and isal share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /, max_length: int = -1) -> bytes: ...


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes | None: ...


class UnpackedStream:
    """The unpacked bytes of a gzip, bzip2 or xz file, in chunks.

    Attributes:
        padding: Zero bytes behind the last stream; known at the end.
    """

    def __init__(self, raw: _Readable, packing: Packing, cancel: Cancel) -> None:
        self._raw = raw
        self._packing = packing
        self._cancel = cancel
        self._done = 0
        self.padding = 0

    def __iter__(self) -> Iterator[bytes]:
        from isal import isal_zlib

        data = self._read()
        try:
            while data:
                decompressor = _decompressor(self._packing)
                while not decompressor.eof:
                    self._cancel.check()
                    if not data and decompressor.needs_input:
                        data = self._read()
                        if not data:
                            raise InvalidFile(
                                f"is truncated: its {self._packing} stream ends after "
                                f"{self._done:,} bytes"
                            )
                    chunk = decompressor.decompress(data, CHUNK)
                    data = b""
                    if chunk:
                        self._done += len(chunk)
                        yield chunk
                data = self._next_stream(decompressor.unused_data)
        except (isal_zlib.IsalError, EOFError, OSError, ValueError, lzma.LZMAError) as error:  # type: ignore[misc]
            if isinstance(error, OSError) and error.errno is not None:
                raise  # reading the file failed, not unpacking it
            raise InvalidFile(f"is damaged after {self._done} unpacked bytes ({error})") from None

    def _read(self) -> bytes:
        return self._raw.read(CHUNK) or b""

    def _next_stream(self, rest: bytes) -> bytes:
        """Return the first bytes of the stream that follows, or b"" when there is none."""
        magic = _MAGIC[self._packing]
        while len(rest) < len(magic) and (more := self._read()):
            rest += more
        if rest.startswith(magic):
            return rest
        self.padding, zeros = count_trailing(rest, self._read, self._cancel)
        if not zeros:
            raise InvalidFile(
                f"has {more_bytes(self.padding)} after the end of its {self._packing} stream, "
                f"which unpacks to {self._done:,} bytes",
                "Download it again; if they are still there, compress the whole csv again.",
            )
        return b""


_MAGIC: dict[Packing, bytes] = {
    "gzip": b"\x1f\x8b",
    "zlib": b"x",
    "bzip2": b"BZh",
    "xz": b"\xfd7zXZ\0",
}


def _decompressor(packing: Packing) -> _Decompressor:
    if packing == "bzip2":
        return bz2.BZ2Decompressor()
    if packing == "xz":
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)
    from isal import igzip_lib

    flag = igzip_lib.DECOMP_ZLIB if packing == "zlib" else igzip_lib.DECOMP_GZIP
    decompressor: _Decompressor = igzip_lib.IgzipDecompressor(flag)
    return decompressor


def read_head(path: Path, cancel: Cancel, packing: Packing | None = None) -> bytes:
    """Return the first HEAD bytes of a file, unpacked if the file is gzip.

    Bytes of a damaged gzip are returned as far as they can be unpacked.
    """
    with path.open("rb") as raw:
        if packing is None:
            return raw.read(HEAD)
        return _unpack_head(raw, packing, cancel)


def _unpack_head(raw: IO[bytes], packing: Packing, cancel: Cancel) -> bytes:
    head = bytearray()
    try:
        for chunk in UnpackedStream(raw, packing, cancel):
            head += chunk
            if len(head) >= HEAD:
                break
    except InvalidFile:
        pass
    return bytes(head[:HEAD])


@contextmanager
def open_packed(
    path: Path, packing: Packing, file: TripFile | None, cancel: Cancel
) -> Iterator[tuple[Iterator[bytes], str]]:
    """Open a packed file; yield its unpacked bytes in chunks, and the name of an archive's member.

    Args:
        file: The trip file that an archive should hold; None for whatever single file it holds.

    Raises InvalidFile, also while the chunks are read; Cancelled; OSError.
    """
    with ExitStack() as opened:
        if packing in _MAGIC:
            raw = opened.enter_context(path.open("rb"))
            yield iter(UnpackedStream(raw, packing, cancel)), ""
        elif packing == "zip archive":
            with archive_errors(packing):
                member, name = open_zip(path, file, opened)
            yield _read(member, packing, cancel), name
        elif packing == "tar archive":
            with archive_errors(packing):
                member, name = open_tar(path, file, cancel, opened)
            yield _read(member, packing, cancel), name
        else:
            raw = opened.enter_context(path.open("rb"))
            yield _read_arrow(raw, packing, cancel), ""


def copy_limited(chunks: Iterator[bytes], target: Path, limit: int) -> None:
    """Write chunks to a file; raise InvalidFile if they are more than `limit` bytes."""
    size = 0
    with target.open("wb", buffering=0) as out:
        for chunk in chunks:
            size += len(chunk)
            require_limit(size, limit)
            out.write(chunk)


def require_limit(size: int, limit: int) -> None:
    """Raise InvalidFile if unpacked bytes are more than the limit."""
    if size > limit:
        raise InvalidFile(f"is larger than {limit / 2**30:g} GiB when unpacked", _CURE_LIMIT)


def _read(member: IO[bytes], packing: Packing, cancel: Cancel) -> Iterator[bytes]:
    with archive_errors(packing):
        while chunk := member.read(CHUNK):
            cancel.check()
            yield chunk


def _read_arrow(raw: BinaryIO, packing: Packing, cancel: Cancel) -> Iterator[bytes]:
    """Yield what is packed by zstd or lz4, which Arrow unpacks, several frames as one."""
    import pyarrow

    done = 0
    try:
        with pyarrow.CompressedInputStream(pyarrow.PythonFile(raw, mode="r"), packing) as stream:
            while chunk := stream.read(CHUNK):
                cancel.check()
                done += len(chunk)
                yield chunk
    except (pyarrow.ArrowException, OSError) as error:
        if "Truncated" in str(error):  # nothing but the text says so
            raise InvalidFile(
                f"is truncated: its {packing} stream ends after {done:,} bytes"
            ) from None
        raise InvalidFile(f"is damaged after {done} unpacked bytes ({error})") from None
