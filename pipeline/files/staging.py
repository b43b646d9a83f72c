"""The staging folder: the downloaded trip files and the facts that were verified about each.

A staged file NAME has up to four companions. NAME.json holds the verified facts. NAME.part and
NAME.part.json hold an unfinished download and how to resume it. NAME.unpacked is an unpacked copy,
which exists until the file is loaded.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import StorageError, UsageError
from pipeline.core.regular_file import read_regular_file
from pipeline.core.storage_errors import OTHER_HOME, storage_errors, writing_cure
from pipeline.core.trips import TripFile
from pipeline.files.offers import FORMATS, Format

if TYPE_CHECKING:
    from pipeline.core.settings.settings import Settings

# A load needs room for the unpacked file, the rows in the table and what DuckDB spills to disk.
SPACE_FACTOR, SPACE_MARGIN = 8, 200_000_000

_MOST_NOTE_BYTES = 50_000_000  # a note of 20 columns has 2,000


@dataclass(frozen=True)
class Original:
    """The bytes of a source whose staged file is a rewritten one."""

    bytes: int
    sha256: str
    lines_before: int = 0  # of a csv: those before its header, which the staged file has not


@dataclass(frozen=True)
class StagedFile:
    """A verified trip file on disk.

    Attributes:
        address: Where the file came from, without a user name or password.
        etag: Version of the file; equal to `Offer.etag` while the source is unchanged.
        bytes: Size of the file on disk.
        sha256: Hexadecimal checksum of these bytes.
        header: Column names as the file spells them; of a csv without quotes and byte order mark.
        data_lines: Non-blank lines after the header, counted without DuckDB; a line break within
            quotes counts, too. For parquet, the number of rows in its footer.
        carriage_returns: Whether a csv has any \r.
        surplus_commas: Whether a csv has more commas than there are between its columns: within
            quotes, or because a line has too many cells.
        conditions: HTTP headers that ask for the file again only if it changed.
        unpacked: The csv.gz unpacked, which DuckDB reads faster; None where there was no room.
            The caller that loads the file deletes it with `delete_unpacked`.
        original: The bytes as published; None where the file on disk has the same.
        remark: What the published bytes were and what was done with them, where that is not what
            their name says; "" otherwise.
        unpacked_bytes: Its size without compression; None where an earlier version staged it.
    """

    file: TripFile
    path: Path
    format: Format
    address: str
    etag: str | None
    bytes: int
    sha256: str
    header: tuple[str, ...]
    data_lines: int
    carriage_returns: bool
    surplus_commas: bool = False
    conditions: dict[str, str] = field(default_factory=dict, compare=False)
    unpacked: Path | None = field(default=None, compare=False)
    original: Original | None = None
    remark: str = ""
    unpacked_bytes: int | None = field(default=None, compare=False)

    @property
    def source_bytes(self) -> int:
        """Size of the file as published."""
        return self.original.bytes if self.original else self.bytes

    @property
    def source_sha256(self) -> str:
        """Hexadecimal checksum of the file as published."""
        return self.original.sha256 if self.original else self.sha256

    def delete_unpacked(self) -> StagedFile:
        """Delete the unpacked copy, if any; return the staged file with `unpacked` set to None."""
        if self.unpacked is not None:
            self.unpacked.unlink(missing_ok=True)
        return replace(self, unpacked=None)


@dataclass(frozen=True)
class Progress:
    """Bytes of a download so far, and in all; `total` is None where the source does not say."""

    done: int
    total: int | None


@dataclass(frozen=True)
class Fetched:
    """What the source said of a file whose bytes were fetched.

    Attributes:
        etag: Version of the file, as in `Offer`.
        conditions: HTTP headers that ask for the file again only if it changed.
        resumed: Whether an unfinished download of an earlier process was continued.
    """

    etag: str | None
    conditions: dict[str, str] = field(default_factory=dict)
    resumed: bool = False


def staged_path(file: TripFile, format: Format, settings: Settings) -> Path:
    """Return the path of a trip file of this format in the staging folder."""
    return settings.staging / file.dataset.name / f"{file.stem}.{format}"


def require_space(file: TripFile, folder: Path, size: int | None) -> None:
    """Raise StorageError unless a disk has room for a trip file and for loading it.

    Args:
        folder: A folder on that disk.
        size: Bytes of the file, or None if unknown.
    """
    needed = (size or 0) * SPACE_FACTOR + SPACE_MARGIN
    with storage_errors(folder):
        free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"{file} needs {size_in_words(needed)} to be downloaded and loaded, and the disk of "
            f"{folder} has {size_in_words(free)} free.",
            cure=f"{writing_cure(errno.ENOSPC)}, or {OTHER_HOME}.",
        )


def size_in_words(size: float) -> str:
    """Return a number of bytes for people: `12.3 MiB` (2^20 bytes), or `1,234 bytes`.

    MiB everywhere: a size in MB beside one in MiB is taken for another size.
    """
    return f"{size / 2**20:,.1f} MiB" if size >= 52_429 or size == 0 else f"{size:,.0f} bytes"


class PartialFile:
    """An unfinished download: its bytes in NAME.part, its address and version in NAME.part.json."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self._note = target.with_name(target.name + ".part.json")

    def resumable(self, address: str) -> tuple[int, str]:
        """Return how many bytes can be continued, and their version as a strong ETag.

        Returns 0 and "" if the download from this address has to start at the beginning.
        """
        note = _read_json(self._note)
        try:
            if note["address"] == address and note["etag"]:
                return self.path.stat().st_size, str(note["etag"])
        except (KeyError, OSError):
            pass
        return 0, ""

    @contextmanager
    def writing(
        self, offset: int = 0, address: str = "", etag: str = ""
    ) -> Iterator[Callable[[bytes], None]]:
        """Open the file and yield the function that writes the next bytes.

        Args:
            offset: Bytes that are there and stay; 0 starts again.
            address: Where the bytes come from.
            etag: Strong ETag of the file, with which a later process can resume the download.

        Raises StorageError.
        """
        with storage_errors(self.path):
            if offset == 0:
                self._note.unlink(missing_ok=True)
            # Unbuffered, so that a killed process loses no byte that it received.
            out = self.path.open("ab" if offset else "wb", buffering=0)

        def write(chunk: bytes) -> None:
            rest = memoryview(chunk)
            with storage_errors(self.path):
                while rest:
                    rest = rest[out.write(rest) :]

        with out:
            if etag and offset == 0:
                with storage_errors(self.path):
                    _write_json(self._note, {"address": address, "etag": etag})
            yield write

    def discard(self) -> None:
        """Delete the unfinished download, if there is one."""
        with storage_errors(self.path):
            self._note.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)

    def move_into_place(self, staged: StagedFile, verified: Path) -> None:
        """Turn the verified download into the staged file, and save the facts about it.

        Deletes the same trip file in other formats, and the download itself if it was rewritten.

        Args:
            verified: The download, or the file to which it was rewritten.
        """
        with storage_errors(staged.path):
            # If the process dies before the new facts are saved, the file is fetched again. With
            # the old facts, its bytes would be taken for those of the earlier version.
            _note_path(staged.path).unlink(missing_ok=True)
            with verified.open("r+b") as partial:
                os.fsync(partial.fileno())
            verified.replace(staged.path)
            sync_folder(staged.path.parent)
            facts = asdict(replace(staged, unpacked=None))
            del facts["unpacked"]
            names = {"file": staged.file.filename, "path": staged.path.name}
            note = facts | names
            _write_json(_note_path(staged.path), note | {"checksum": _checksum(note)})
            self.discard()
            for other in FORMATS:
                if other != staged.format:
                    delete_staged(staged.path.with_name(f"{staged.file.stem}.{other}"))


def read_staged(path: Path, format: Format) -> StagedFile | None:
    """Return the staged file at a path, or None unless it is there in full with its facts.

    The facts are those of the time when it was staged; `reverify` says whether the bytes still are.
    """
    note = _read_json(_note_path(path))
    # Earlier versions wrote no checksum.
    if note.pop("checksum", None) not in (None, _checksum(note)):
        return None
    try:
        if note["file"] != path.name.removesuffix(format) + "csv":
            return None
        staged = StagedFile(
            file=TripFile.parse(note["file"]),
            path=path,
            format=format,
            address=note["address"],
            etag=note["etag"],
            bytes=note["bytes"],
            sha256=note["sha256"],
            header=tuple(note["header"]),
            data_lines=note["data_lines"],
            carriage_returns=note["carriage_returns"],
            surplus_commas=note.get("surplus_commas", False),
            conditions=note["conditions"],
            # Earlier versions staged every file as it was published.
            original=Original(**note["original"]) if note.get("original") else None,
            remark=note.get("remark", ""),
            unpacked_bytes=note.get("unpacked_bytes"),
        )
        return staged if path.stat().st_size == staged.bytes else None
    except (KeyError, TypeError, UsageError, OSError):
        return None


def find_staged(file: TripFile, settings: Settings) -> StagedFile | None:
    """Return the staged file of a trip file in whatever format, or None if there is none."""
    candidates = (read_staged(staged_path(file, format, settings), format) for format in FORMATS)
    return next((staged for staged in candidates if staged), None)


def find_staged_from(address: str, file: TripFile, settings: Settings) -> StagedFile | None:
    """Return the staged file of a trip file if it came from this address, in whatever format."""
    candidates = (read_staged(staged_path(file, format, settings), format) for format in FORMATS)
    return next((staged for staged in candidates if staged and staged.address == address), None)


def _checksum(note: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(note, sort_keys=True).encode()).hexdigest()


def _note_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def delete_staged(path: Path) -> None:
    """Delete a staged file with all that stands beside it, such as its note."""
    _note_path(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".unpacked").unlink(missing_ok=True)
    PartialFile(path).discard()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_regular_file(path, _MOST_NOTE_BYTES))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as out:
        json.dump(content, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut. Windows has no such call."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
