"""The staging folder: where downloaded trip files rest, and what is remembered about each.

Beside a trip file NAME lie NAME.json (what was verified about it); while it is being fetched,
NAME.part and NAME.part.json (what is needed to resume); until it is loaded, NAME.unpacked.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import StorageError, UsageError
from pipeline.settings import Settings
from pipeline.sources import FORMATS, Format
from pipeline.trips import TripFile

# Loading needs room too: the file unpacked, the table's rows, and what DuckDB spills.
SPACE_FACTOR = 8
SPACE_MARGIN = 200_000_000

_CURES = {
    errno.ENOSPC: "Free some space, or set FAREGROUND_HOME to a folder on a larger disk.",
    errno.EDQUOT: "Your disk quota is used up: free some space, or set FAREGROUND_HOME elsewhere.",
    errno.EFBIG: "The system limits the size of a file here: lift the limit (ulimit -f), "
    "or set FAREGROUND_HOME to a folder on another disk.",
}
_CURE = "Make the folder writable, or set FAREGROUND_HOME to one that is."


@dataclass(frozen=True)
class StagedFile:
    """A verified trip file on disk.

    Attributes:
        address: Where it came from, without a user name or password.
        etag: Version of what was fetched; equals the probe's while the source is unchanged.
        bytes: Size on disk, the same as published.
        sha256: Of those bytes, hex.
        header: Column names as spelled (csv: unquoted, without a byte order mark).
        data_lines: Non-blank lines after the header, counted without DuckDB (a quoted line break
            counts as one too); for parquet, rows as its footer says.
        carriage_returns: Whether a csv has any \\r.
        unpacked: The same csv.gz unpacked, where there was room for it: reading that is faster.
            Whoever loads the file calls `forget_unpacked` afterwards.
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
    unpacked: Path | None = field(default=None, compare=False)

    def forget_unpacked(self) -> None:
        """Remove the unpacked copy, if there is one."""
        if self.unpacked is not None:
            self.unpacked.unlink(missing_ok=True)


@dataclass(frozen=True)
class Progress:
    """How far a download is, in bytes; `total` is None where the source does not say."""

    done: int
    total: int | None


@dataclass(frozen=True)
class Received:
    """What came with a file's bytes: its version, how to ask again only if it changed, and
    whether a part fetched earlier was continued."""

    etag: str | None
    conditions: dict[str, str] = field(default_factory=dict)
    resumed: bool = False


def staged_path(file: TripFile, format: Format, settings: Settings) -> Path:
    """Return where a trip file of this format rests in staging."""
    return settings.staging / file.color.value / f"{file.stem}.{format}"


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Within the block, raise StorageError about `path` for an operating system's error."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}.",
            cure=_CURES.get(error.errno or 0, _CURE),
        ) from error


def require_space(file: TripFile, folder: Path, size: int | None) -> None:
    """Raise StorageError unless the disk of `folder` has room for the file's `size` bytes
    (None: unknown) and for loading it."""
    needed = (size or 0) * SPACE_FACTOR + SPACE_MARGIN
    with storing(folder):
        free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"{file} needs {size_in_words(needed)} to be downloaded and loaded, and the disk of "
            f"{folder} has {size_in_words(free)} free.",
            cure=_CURES[errno.ENOSPC],
        )


def size_in_words(size: float) -> str:
    """Write a number of bytes for people: `12.3 MB` (10^6 bytes), or `1,234 bytes` for a few."""
    return f"{size / 1e6:,.1f} MB" if size >= 50_000 or size == 0 else f"{size:,.0f} bytes"


class Unpacked:
    """A csv.gz unpacked beside itself. A help only: where there is no room, there is none."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".unpacked")
        self._out: io.FileIO | None = None
        with suppress(OSError):  # left by a process that was killed before it loaded the file
            self.path.unlink()

    def open(self) -> None:
        """Begin the copy, if the file can be made."""
        with suppress(OSError):
            self._out = io.FileIO(self.path, "w")

    def write(self, chunk: bytes) -> None:
        """Add the next bytes, or give up on the whole copy."""
        if self._out is not None:
            try:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[self._out.write(rest) :]
            except OSError:
                self.discard()

    def finish(self, worth: bool) -> Path | None:
        """Close the copy and return its path; None, and no copy, if it is not `worth` keeping."""
        if self._out is None or not worth:
            self.discard()
            return None
        self._out.close()
        return self.path

    def discard(self) -> None:
        """Close and remove what is there."""
        if self._out is not None:
            self._out.close()
            self._out = None
        self.path.unlink(missing_ok=True)


class Part:
    """A trip file on its way: NAME.part, and in NAME.part.json where from and which version."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self._note = target.with_name(target.name + ".part.json")

    def resumable(self, address: str) -> tuple[int, str]:
        """Return how many bytes are here of which version (a strong ETag) of that address;
        0 and "" when it must be fetched from its beginning."""
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
        """Open the part, anew or at its end (`offset`), and yield what writes the next bytes.

        With `etag` it can be resumed, by a later process too; for that it is not buffered, so that
        a kill loses nothing. Raises StorageError.
        """
        with storing(self.path):
            if offset == 0:
                self._note.unlink(missing_ok=True)
            out = self.path.open("ab" if offset else "wb", buffering=0)

        def write(chunk: bytes) -> None:
            rest = memoryview(chunk)
            with storing(self.path):
                while rest:
                    rest = rest[out.write(rest) :]

        with out:
            if etag and offset == 0:
                with storing(self.path):
                    _write_json(self._note, {"address": address, "etag": etag})
            yield write

    def discard(self) -> None:
        """Remove what is there of it."""
        with storing(self.path):
            self._note.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)

    def settle(self, staged: StagedFile, conditions: dict[str, str]) -> None:
        """Put the verified part in its place, write down what is known about it, and remove the
        same trip file in other formats."""
        with storing(staged.path):
            # Without its note, a file replaced just before a crash is merely fetched again; with
            # the old note it could be taken for the old one.
            _note_path(staged.path).unlink(missing_ok=True)
            with self.path.open("r+b") as part:
                os.fsync(part.fileno())
            self.path.replace(staged.path)
            _sync_folder(staged.path.parent)
            facts = asdict(staged) | {"file": staged.file.filename, "path": staged.path.name}
            del facts["unpacked"]
            _write_json(_note_path(staged.path), facts | {"conditions": conditions})
            self._note.unlink(missing_ok=True)
            for other in FORMATS:
                if other != staged.format:
                    _remove(staged.path.with_name(f"{staged.file.stem}.{other}"))


def recall(path: Path, format: Format) -> tuple[StagedFile, dict[str, str]] | None:
    """Return what is remembered about a staged file, and the headers that ask for it only if it
    changed; None when it is not there whole."""
    note = _read_json(_note_path(path))
    try:
        staged = StagedFile(
            TripFile.parse(note["file"]),
            path,
            format,
            note["address"],
            note["etag"],
            note["bytes"],
            note["sha256"],
            tuple(note["header"]),
            note["data_lines"],
            note["carriage_returns"],
        )
        return (staged, note["conditions"]) if path.stat().st_size == staged.bytes else None
    except (KeyError, TypeError, UsageError, OSError):
        return None


def _note_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _remove(path: Path) -> None:
    _note_path(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".unpacked").unlink(missing_ok=True)
    Part(path).discard()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
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
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make renames in the folder outlast a power cut; Windows has no such call."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
