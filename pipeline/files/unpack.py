"""Unpack gzip, zstd, bzip2, xz, lz4, and the trip file in a zip or tar archive, as streams.

Several streams behind each other are read as one, and zeros behind them are padding. Any other
bytes there are refused, because a reader that stops at the end would drop them without a word.
"""

from __future__ import annotations

import bz2
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from pipeline.core.cancel import Cancel
from pipeline.core.trips import TripFile
from pipeline.files.content import HEAD, Packing
from pipeline.files.header import CURE_DAMAGE, InvalidFile, excerpt
from pipeline.files.nearby import trip_file_named

CHUNK = 256 * 1024

_XZ_MEMORY = 512 * 2**20  # bytes; the highest level of xz takes 65 MiB
_CURE_LIMIT = "If that is right, raise FAREGROUND_MAX_UNPACKED_GIB."
_CURE_MEMBER = "Unpack it, and give the one csv or parquet file of that month."
_MOST_NAMES = 3  # members of an archive that a message names


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
        trailing, zeros = 0, True
        while rest:
            self._cancel.check()
            trailing += len(rest)
            zeros = zeros and not rest.strip(b"\0")
            rest = self._read()
        if not zeros:
            behind = "1 more byte" if trailing == 1 else f"{trailing:,} more bytes"
            raise InvalidFile(
                f"has {behind} after the end of its {self._packing} stream, which unpacks to "
                f"{self._done:,} bytes",
                "Download it again; if they are still there, compress the whole csv again.",
            )
        self.padding = trailing
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
            member, name = opened.enter_context(_open_zip(path, file))
            yield _read(member, cancel), name
        elif packing == "tar archive":
            member, name = opened.enter_context(_open_tar(path, file))
            yield _read(member, cancel), name
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


def _read(member: IO[bytes], cancel: Cancel) -> Iterator[bytes]:
    try:
        while chunk := member.read(CHUNK):
            cancel.check()
            yield chunk
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError) as error:
        raise InvalidFile(f"is damaged ({error})") from None


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


@contextmanager
def _open_zip(path: Path, file: TripFile | None) -> Iterator[tuple[IO[bytes], str]]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            _refuse_documents([info.filename for info in members])
            info = members[_choose([info.filename for info in members], file, "zip archive")]
            if info.flag_bits & 1:
                raise InvalidFile(
                    f"is a zip archive whose member {excerpt(info.filename)} is encrypted",
                    "Unpack it with its password, and give the csv or parquet file inside.",
                )
            with archive.open(info) as member:
                yield member, excerpt(info.filename)
    except NotImplementedError:
        raise InvalidFile(
            "is a zip archive with an unsupported compression method", _CURE_MEMBER
        ) from None
    except zipfile.BadZipFile as error:
        raise InvalidFile(f"is a zip archive that is truncated or damaged ({error})") from None


@contextmanager
def _open_tar(path: Path, file: TripFile | None) -> Iterator[tuple[IO[bytes], str]]:
    try:
        with tarfile.open(path, "r:") as archive:
            members = [info for info in archive if info.isreg()]
            info = members[_choose([info.name for info in members], file, "tar archive")]
            member = archive.extractfile(info)
            assert member is not None  # because it is a regular file
            with member:
                yield member, excerpt(info.name)
    except tarfile.TarError as error:
        raise InvalidFile(f"is a tar archive that is truncated or damaged ({error})") from None


def _refuse_documents(names: Sequence[str]) -> None:
    """Raise for the office documents that are zip archives inside."""
    if any(name.startswith("xl/") for name in names):
        raise InvalidFile("is an Excel workbook", "Save the sheet as csv (UTF-8), and give that.")
    if any(name.startswith("word/") for name in names):
        raise InvalidFile("is a Word document", "Find the csv or parquet file of the month.")
    if "content.xml" in names and "mimetype" in names:
        raise InvalidFile(
            "is an OpenDocument file", "Save the sheet as csv (UTF-8), and give that."
        )


def _choose(names: Sequence[str], file: TripFile | None, kind: str) -> int:
    """Return the place of the one member that is the trip file; raise InvalidFile otherwise."""
    places = [place for place, name in enumerate(names) if not _is_hidden(name)]
    if not places:
        raise InvalidFile(f"is a {kind} without files", CURE_DAMAGE)
    if len(places) > 1:
        wanted = [place for place in places if _trip_file_of(names[place]) == file]
        if file is not None and len(wanted) == 1:
            return wanted[0]
        shown = ", ".join(excerpt(names[place]) for place in places[:_MOST_NAMES])
        more = f" and {len(places) - _MOST_NAMES:,} more" if len(places) > _MOST_NAMES else ""
        raise InvalidFile(f"is a {kind} with {len(places):,} files: {shown}{more}", _CURE_MEMBER)
    other = _trip_file_of(names[places[0]])
    if file is not None and other not in (None, file):
        raise InvalidFile(
            f"is a {kind} with another trip file, {excerpt(names[places[0]])}", _CURE_MEMBER
        )
    return places[0]


def _is_hidden(name: str) -> bool:
    """Return whether a member is what an operating system adds, such as __MACOSX/._x.csv."""
    parts = name.replace("\\", "/").split("/")
    return any(part.startswith((".", "__MACOSX")) for part in parts)


def _trip_file_of(name: str) -> TripFile | None:
    return trip_file_named(name.replace("\\", "/").rpartition("/")[2])
