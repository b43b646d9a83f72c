"""Copies of the tables for other programs: what keeps one in step with the ledger, and Parquet.

`sync` compares a copy with the ledger, and writes and removes what differs. `ParquetFolder` is the
copy that other programs read at any time, one file for each loaded trip file:

    yellow_tripdata/filename=yellow_tripdata_2020-04.csv/data.parquet

The layout is Hive's, so that DuckDB, pyarrow, Spark and Polars read `filename` from the path. A
file is written beside the others and renamed when it is on disk: a reader sees the old one or the
new one, never half of one. A hidden note beside it names the load that it was written from, and its
checksum; comparing both with the ledger shows what to write or remove after any interruption.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS
from pipeline.core.errors import UsageError
from pipeline.core.storage_errors import storage_errors
from pipeline.core.trips import TripFile
from pipeline.warehouse import Warehouse
from pipeline.warehouse.ledger import LedgerEntry

OTHER_FOLDER = "choose another folder"
"""What to do instead where an export or mirror cannot be written."""

_LONGEST_OWNER = 4200  # characters, for a path of any length
_UNFINISHED = ".unfinished"  # files that readers do not see: they leave out names with a dot

Progress = Callable[[int, int, TripFile], object]
"""Is told how many files are done, of how many, and which comes next."""


def load_key(entry: LedgerEntry) -> str:
    """Return a text that two loads of a file share only if their rows and columns are the same."""
    columns = ",".join(column.name for column in entry.file.dataset.columns)
    content = f"{entry.sha256}|{entry.loader_version}|{entry.rows}|{columns}"
    return hashlib.sha256(content.encode()).hexdigest()


class ExportTarget(Protocol):
    """A copy of loaded trips, file by file; one process at a time writes to it."""

    def files(self) -> Collection[TripFile]:
        """Return the files whose rows it has."""
        ...

    def is_current(self, entry: LedgerEntry) -> bool:
        """Return whether it has the rows of this load."""
        ...

    def write(self, warehouse: Warehouse, entry: LedgerEntry, cancel: Cancel) -> None:
        """Replace the rows of a file, all or nothing; raises StorageError and Cancelled."""
        ...

    def remove(self, file: TripFile) -> None:
        """Remove the rows of a file; raises StorageError."""
        ...


@dataclass(frozen=True)
class ExportResult:
    """What an export did: the files it wrote and removed, and how many files and rows it has."""

    written: tuple[TripFile, ...]
    removed: tuple[TripFile, ...]
    files: int
    rows: int


def sync(
    target: ExportTarget,
    warehouse: Warehouse,
    wanted: Callable[[TripFile], bool] = lambda _file: True,
    cancel: Cancel | None = None,
    progress: Progress = lambda _done, _total, _file: None,
) -> ExportResult:
    """Make a copy hold what is loaded: write what differs, and remove what is no longer loaded.

    Args:
        wanted: Whether a file is looked at; others stay as they are.
        progress: Is called before each file.

    Raises:
        StorageError: The copy cannot be written, or its disk is full.
        Cancelled: `cancel` was set; each file is wholly the old or the new one.
    """
    # Read before the rows: if a load comes between, the next time writes the file again.
    records = warehouse.records()
    loaded = {
        file: record.loaded
        for file, record in sorted(records.items())
        if record.loaded and wanted(file)
    }
    gone = [file for file in sorted(target.files()) if file not in loaded and wanted(file)]
    for file in gone:
        target.remove(file)
    stale = [entry for entry in loaded.values() if not target.is_current(entry)]
    cancel = cancel or Cancel()
    for number, entry in enumerate(stale):
        cancel.check()
        progress(number, len(stale), entry.file)
        target.write(warehouse, entry, cancel)
    return ExportResult(
        written=tuple(entry.file for entry in stale),
        removed=tuple(gone),
        files=len(loaded),
        rows=sum(entry.rows or 0 for entry in loaded.values()),
    )


@dataclass(frozen=True)
class Owner:
    """The warehouse whose trips an export has: the name of the target, and its home."""

    warehouse: str
    home: Path

    def __str__(self) -> str:
        return f"{self.warehouse} of {self.home.resolve()}"

    def require(self, noted: str, target: Path, cure: str) -> None:
        """Raise UsageError if another warehouse owns an export.

        Args:
            noted: The text that its owner noted, `str` of an Owner.
            target: Where it is. One below the home belongs to the home wherever that is moved.
            cure: What to do, for the error.
        """
        is_moved = target.resolve().is_relative_to(self.home.resolve()) and noted.startswith(
            f"{self.warehouse} of "
        )
        if noted != str(self) and not is_moved:
            raise UsageError(f"{target} has the trips of another warehouse: {noted}.", cure=cure)


def claim(folder: Path, owner: Owner) -> None:
    """Record the owner of a folder; fail if another warehouse owns it and could lose files.

    Raises:
        UsageError: The folder has the files of another warehouse, or trips that no export wrote.
        StorageError: It cannot be written.
    """
    note = folder / ".fareground"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # An empty note is what a full disk left of an earlier version's.
        if not note.exists() or (note.is_file() and not note.stat().st_size):
            _require_no_foreign_trips(folder)
            unfinished = folder / f".fareground.{secrets.token_hex(4)}"
            try:
                unfinished.write_text(str(owner))
                unfinished.replace(note)
            finally:
                unfinished.unlink(missing_ok=True)
        present = note.read_text(errors="replace") if note.is_file() else "something else"
    cure = f"Choose another folder, or delete {note} to use this one."
    owner.require(present[:_LONGEST_OWNER], folder, cure)


def _require_no_foreign_trips(folder: Path) -> None:
    """Raise UsageError if an unclaimed folder has table folders that no export wrote.

    An export leaves the note `.load` beside each file.
    """
    for dataset in DATASETS.values():
        table = folder / dataset.table
        for path in sorted(table.iterdir()) if table.is_dir() else ():
            if path.is_dir() and ((path / ".load").exists() or not any(path.iterdir())):
                continue
            raise UsageError(
                f"{path} is there already, and no export wrote it.",
                cure="Export to another folder, or move that file or folder away.",
            )


def checksum(path: Path) -> str | None:
    """Return the sha256 of a regular file, None if it is missing or something else."""
    if not path.is_file():
        return None
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def read_note(path: Path) -> str | None:
    """Return what a note beside an exported file says, None without one."""
    try:
        return path.read_text(errors="replace")[:1000] if path.is_file() else None
    except OSError:
        return None


def write_note(path: Path, entry: LedgerEntry, content: Path) -> None:
    """Write which load the exported file `content` has the rows of, and its checksum."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.write_text(f"{load_key(entry)} {checksum(content)}")
    unfinished.replace(path)


class ParquetFolder:
    """The Parquet files below one folder; one process at a time writes to it.

    Beside each is a hidden note with the load that its rows are from, and its checksum.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, file: TripFile) -> Path:
        """Return where a trip file's rows are."""
        return self.folder / file.dataset.table / f"filename={file.filename}" / "data.parquet"

    def files(self) -> Collection[TripFile]:
        """Return the trip files whose rows are in the folder; what is not ours is left out."""
        files = []
        for path in self.folder.glob("*/filename=*/data.parquet"):
            with suppress(UsageError):
                file = TripFile.parse(path.parent.name.removeprefix("filename="))
                if self.path(file) == path:
                    files.append(file)
        return files

    def noted_version(self, file: TripFile) -> str | None:
        """Return the `load_key` in the note beside a file, without reading the file itself."""
        return (read_note(self._note(file)) or "").partition(" ")[0] or None

    def _note(self, file: TripFile) -> Path:
        return self.path(file).with_name(".load")

    def is_current(self, entry: LedgerEntry) -> bool:
        """Return whether the folder has the rows of this load."""
        # All bytes are read, because the pages of a Parquet file have no checksums.
        digest = checksum(self.path(entry.file))
        return read_note(self._note(entry.file)) == f"{load_key(entry)} {digest}"

    def write(self, warehouse: Warehouse, entry: LedgerEntry, cancel: Cancel) -> None:
        """Write the rows of a loaded file, in place of those that are there.

        Raises:
            StorageError: The folder cannot be written, or its disk is full.
            Cancelled: `cancel` was set; the folder is as it was.
        """
        path = self.path(entry.file)
        unfinished = self.folder / _UNFINISHED / f"{entry.file.stem}-{secrets.token_hex(4)}"
        try:
            with writing(self.folder):
                unfinished.parent.mkdir(parents=True, exist_ok=True)
                path.parent.mkdir(parents=True, exist_ok=True)
                warehouse.write_parquet(entry.file, unfinished, cancel)
                flush(unfinished)
                # Before the file: killed in between, the checksum shows that it is the old one.
                write_note(self._note(entry.file), entry, unfinished)
                unfinished.replace(path)
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)

    def remove(self, file: TripFile) -> None:
        """Remove a file's rows; raises StorageError."""
        with writing(self.folder):
            self.path(file).unlink(missing_ok=True)
            self._note(file).unlink(missing_ok=True)
            with suppress(OSError):
                self.path(file).parent.rmdir()

    def remove_unfinished(self) -> None:
        """Remove what a killed process left; nobody may be writing to the folder."""
        unfinished = self.folder / _UNFINISHED
        if unfinished.is_dir():  # a pipe in its place would be waited for
            shutil.rmtree(unfinished, ignore_errors=True)


def writing(target: Path) -> AbstractContextManager[None]:
    """Return a context manager that converts an OSError into a StorageError about an export."""
    return storage_errors(target, OTHER_FOLDER)


def flush(path: Path) -> None:
    """Write a file that was written by somebody else through to its disk."""
    with path.open("r+b") as written:
        os.fsync(written.fileno())
