"""Open the trip file in a zip or tar archive.

An archive is refused if it can be taken for the trip file in two ways, or if some of its bytes
belong to no member: the libraries would leave them out without a word.
"""

from __future__ import annotations

import errno
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from os import SEEK_END
from pathlib import Path
from typing import IO

from pipeline.core.cancel import Cancel
from pipeline.core.trips import TripFile
from pipeline.files.content import HEAD, Packing
from pipeline.files.header import CURE_DAMAGE, InvalidFile, excerpt
from pipeline.files.nearby import trip_file_named
from pipeline.files.trailing import count_trailing, more_bytes

_CURE_MEMBER = "Unpack it, and give the one csv or parquet file of that month."
_CURE_TRAILING = f"Download it again; if they are still there, u{_CURE_MEMBER[1:]}"
_ZIP_END, _ZIP_END_SIZE = b"PK\5\6", 22  # what ends a zip archive, before its comment
_ZIP_TAIL = _ZIP_END_SIZE + 2**16  # bytes at the end of a file in which that is looked for
_MOST_NAMES = 3  # members of an archive that a message names

_DAMAGED_ARCHIVE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    ArithmeticError,
    LookupError,
    RecursionError,
)


@contextmanager
def archive_errors(packing: Packing) -> Iterator[None]:
    """Convert the errors that zipfile and tarfile raise for damaged bytes into an InvalidFile.

    An OSError passes if the system raised it: then reading the file failed, not unpacking it.
    """
    try:
        yield
    except NotImplementedError:
        raise InvalidFile(
            f"is a {packing} with an unsupported compression method", _CURE_MEMBER
        ) from None
    except (*_DAMAGED_ARCHIVE, OSError) as error:
        # bz2 gives no number; a false offset is an invalid argument of a seek.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise InvalidFile(
            f"is a {packing} that is truncated or damaged ({excerpt(str(error))})"
        ) from None


def open_zip(path: Path, file: TripFile | None, opened: ExitStack) -> tuple[IO[bytes], str]:
    """Open the member that is the trip file; return it and its name."""
    archive = opened.enter_context(zipfile.ZipFile(path))
    infos = archive.infolist()
    members = [info for info in infos if not info.is_dir()]
    _refuse_documents([info.filename for info in members])
    others = ["folders"] if len(members) < len(infos) else []
    info = members[_choose([info.filename for info in members], file, "zip archive", others)]
    if info.flag_bits & 1:
        raise InvalidFile(
            f"is a zip archive whose member {excerpt(info.filename)} is encrypted",
            "Unpack it with its password, and give the csv or parquet file inside.",
        )
    member = opened.enter_context(archive.open(info))
    _refuse_bytes_around(path, archive)  # now that the directory is known to be of this archive
    return member, excerpt(info.filename)


def _refuse_bytes_around(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise InvalidFile for bytes before the first member of a zip archive or after its end.

    They are what is left of other archives, or of members that the directory does not list.
    """
    before = min((info.header_offset for info in archive.infolist()), default=0)
    if before > 0:
        raise InvalidFile(
            f"has {more_bytes(before)} before the first member of its zip archive", _CURE_TRAILING
        )
    with path.open("rb") as raw:
        size = raw.seek(0, SEEK_END)
        raw.seek(max(0, size - _ZIP_TAIL))
        tail = raw.read()
    end = tail.rindex(_ZIP_END) + _ZIP_END_SIZE + len(archive.comment)
    if tail[end:].strip(b"\0"):
        raise InvalidFile(
            f"has {more_bytes(len(tail) - end)} after the end of its zip archive", _CURE_TRAILING
        )


def open_tar(
    path: Path, file: TripFile | None, cancel: Cancel, opened: ExitStack
) -> tuple[IO[bytes], str]:
    """Open the member that is the trip file; return it and its name."""
    archive = opened.enter_context(tarfile.TarFile(path))
    infos = list(archive)
    for info in infos:
        if info.issparse() or info.size < 0:
            false = "is a sparse file" if info.issparse() else f"has a size of {info.size:,} bytes"
            raise InvalidFile(
                f"is a tar archive whose member {excerpt(info.name)} {false}", _CURE_MEMBER
            )
    _refuse_bytes_after(path, archive.offset, infos[-1].name if infos else "", cancel)
    members = [info for info in infos if info.isreg()]
    others = ["folders"] if any(info.isdir() for info in infos) else []
    others += ["links"] if any(info.issym() or info.islnk() for info in infos) else []
    others += ["devices"] if any(info.isdev() for info in infos) else []
    info = members[_choose([info.name for info in members], file, "tar archive", others)]
    member = archive.extractfile(info)
    assert member is not None  # because it is a regular file
    return opened.enter_context(member), excerpt(info.name)


def _refuse_bytes_after(path: Path, end: int, last: str, cancel: Cancel) -> None:
    """Raise unless a tar archive ends in zeros: the library stops at a header that it cannot read.

    Args:
        end: Where the last member ends of those that it read.
        last: The name of this member.
    """
    with path.open("rb") as raw:
        raw.seek(end)
        count, zeros = count_trailing(raw.read(HEAD), lambda: raw.read(HEAD), cancel)
    if not zeros:
        raise InvalidFile(
            f"has {more_bytes(count)} after {excerpt(last)}, the last member of its tar archive "
            "that can be read",
            _CURE_TRAILING,
        )
    if count == 0:
        raise InvalidFile("is a tar archive that is truncated: it does not end in zeros")


def _refuse_documents(names: Sequence[str]) -> None:
    """Raise InvalidFile for office documents, which are zip archives."""
    if any(name.startswith("xl/") for name in names):
        raise InvalidFile("is an Excel workbook", "Save the sheet as csv (UTF-8), and give that.")
    if any(name.startswith("word/") for name in names):
        raise InvalidFile("is a Word document", "Find the csv or parquet file of the month.")
    if "content.xml" in names and "mimetype" in names:
        raise InvalidFile(
            "is an OpenDocument file", "Save the sheet as csv (UTF-8), and give that."
        )


def _choose(
    names: Sequence[str], file: TripFile | None, kind: Packing, others: Sequence[str]
) -> int:
    """Return the index of the trip file in `names`; raise InvalidFile unless there is exactly one.

    Args:
        others: What else there is in the archive, in the plural.
    """
    places = [place for place, name in enumerate(names) if not _is_hidden(name)]
    if not places:
        others = [*others, *(["hidden files"] if names else [])]
        if not others:
            raise InvalidFile(f"is a {kind} without files", CURE_DAMAGE)
        raise InvalidFile(
            f"is a {kind} without a trip file: it has only {' and '.join(others)}",
            "Give the csv or parquet file of that month itself.",
        )
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
    """Return whether a member is what an operating system adds, such as __MACOSX/._x.csv.

    The folders "." and ".." hide nothing, and no file is written by the name of a member.
    """
    parts = (part for part in name.replace("\\", "/").split("/") if part not in (".", ".."))
    return any(part.startswith((".", "__MACOSX")) for part in parts)


def _trip_file_of(name: str) -> TripFile | None:
    return trip_file_named(name.replace("\\", "/").rpartition("/")[2])
