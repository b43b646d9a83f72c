"""Back up everything under FAREGROUND_HOME that cannot be downloaded again.

A backup is a folder: `warehouse.duckdb`, every SQLite file (runs, schedules, documents), and
`manifest.json` with the size and sha256 of each. All of it is data: nothing in a backup is run,
wherever it comes from. Staged trip files are left out: their sources have them, and the warehouse
has their rows.

The backfill lock and a checkpoint make the copy of the warehouse consistent; SQLite's backup API
copies the other files while they are written.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.core.errors import StorageError, UsageError
from pipeline.core.home import make_folder
from pipeline.core.regular_file import read_regular_file
from pipeline.core.scratch import ScratchFolder, find_abandoned
from pipeline.core.settings.settings import Settings
from pipeline.core.sqlite_file import refuse_irregular
from pipeline.core.storage_errors import storage_errors
from pipeline.ops.backup_contents import refuse_foreign_definitions, refuse_foreign_store
from pipeline.ops.lost_warehouse import refuse_lost_warehouse
from pipeline.runs.locks import backfill_lock
from pipeline.warehouse import DatabaseFile
from pipeline.warehouse.registry import all_backends

_MANIFEST = "manifest.json"
_FORMAT = 1  # of the manifest
_OTHER_FOLDER = "choose another folder for the backup"
_MOST_MANIFEST_BYTES = 100_000  # one of ten files has 2,000
_STORE_NAME = re.compile(r"\w[\w .-]*\.sqlite", re.ASCII)


@dataclass(frozen=True)
class BackupFile:
    """One file of a backup: its name, size in bytes, and sha256 (hex)."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Backup:
    """A backup: its folder, when it was made (UTC), and its files."""

    folder: Path
    made_at: datetime
    files: tuple[BackupFile, ...]

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(file.bytes for file in self.files)


def back_up(settings: Settings, into: Path) -> Backup:
    """Make a backup in a new folder within `into`.

    Raises WarehouseBusy while a backfill runs or another process works on the warehouse,
    WarehouseError when it is missing although runs loaded files, StorageError when the disk is
    full, and UsageError when the warehouse has views of others, which a restore refuses; each
    leaves nothing behind. What killed backups left in `into` is removed.
    """
    made_at = datetime.now(UTC)
    make_folder(settings.home)
    with storage_errors(into, _OTHER_FOLDER):
        into.mkdir(parents=True, exist_ok=True)
        for killed in find_abandoned(into):
            shutil.rmtree(killed, ignore_errors=True)
        with ScratchFolder(into, _OTHER_FOLDER, hidden=True) as scratch:
            unfinished = Path(scratch) / "backup"
            unfinished.mkdir()
            _copy_files(settings, unfinished)
            files = tuple(_describe(path) for path in sorted(unfinished.iterdir()))
            _write_manifest(unfinished, made_at, files)
            folder = _move_to_new(into / f"fareground-{made_at:%Y%m%d-%H%M%S}", unfinished)
    return Backup(folder, made_at, files)


def _copy_files(settings: Settings, folder: Path) -> None:
    """Copy the DuckDB and SQLite files of the home to a folder."""
    databases = local_databases(settings)
    with ExitStack() as locks:
        for target in databases:
            locks.enter_context(backfill_lock(target, settings))
        for target, database in databases.items():
            refuse_lost_warehouse(target, settings)
            if not os.path.lexists(database.path):
                continue  # nothing was loaded yet
            copy = folder / database.path.name
            database.copy_to(copy)
            refuse_foreign_definitions(  # a restore does, too late to do anything
                copy,
                database,
                shown=database.path,
                cure="Drop them, or move them to a DuckDB file that attaches this one.",
            )
        for path in sorted(settings.home.glob("*.sqlite")):
            if _STORE_NAME.fullmatch(path.name):
                _copy_sqlite(path, folder / path.name)


def read_backup(folder: Path, settings: Settings) -> Backup:
    """Return the backup in a folder, and verify the name and the checksum of each file.

    Raises UsageError when the folder is not a backup, holds anything but the files of one, a file
    is missing or damaged, or a database in it defines what none of Fareground's does.
    """
    backup = _read_manifest(folder)
    allowed = {database.path.name for database in local_databases(settings).values()}
    names: set[str] = set()
    for file in backup.files:
        if not (file.name in allowed or _STORE_NAME.fullmatch(file.name)):
            problem = f"{folder} lists a file that no backup has: {file.name[:80]!r}."
        elif file.name.lower() in names:
            problem = f"{folder} lists {file.name} twice."
        else:
            names.add(file.name.lower())
            path = folder / file.name
            if path.is_file() and _describe(path) == file:
                continue
            problem = f"{file.name} of the backup {folder} is missing or damaged."
        raise UsageError(problem, cure="Use another backup, or rebuild the warehouse from staging.")
    for database in local_databases(settings).values():
        if database.path.name in names:
            refuse_foreign_definitions(
                folder / database.path.name,
                database,
                shown=folder / database.path.name,
                cure="Use another backup, or rebuild the warehouse from the staged files.",
            )
    for file in backup.files:
        if file.name not in allowed:
            refuse_foreign_store(folder, file.name)
    return backup


def _read_manifest(folder: Path) -> Backup:
    """Return what the manifest says; raises UsageError unless it has the shape of one."""
    try:
        content = read_regular_file(folder / _MANIFEST, _MOST_MANIFEST_BYTES)
        manifest: Any = json.loads(content)
        if type(manifest["format"]) is int and manifest["format"] > _FORMAT:
            raise UsageError(
                f"{folder} was created by a newer version of Fareground.", cure="Update Fareground."
            )
        files = tuple(BackupFile(**entry) for entry in manifest["files"])
        made_at = datetime.fromisoformat(manifest["made_at"])
        if manifest["format"] == _FORMAT and files and all(map(_is_well_formed, files)):
            return Backup(folder, made_at, files)
    # RecursionError: of JSON that is nested too deeply
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise UsageError(
        f"{folder} is not a backup: it has no readable {_MANIFEST} that lists files.",
        cure="Name the folder that the backup command printed.",
    )


def _is_well_formed(file: BackupFile) -> bool:
    types = (type(file.name), type(file.bytes), type(file.sha256))
    return types == (str, int, str)


def _move_to_new(folder: Path, unfinished: Path) -> Path:
    """Rename a finished backup; one of the same second gets a number. Return its folder."""
    for number in count(1):
        numbered = folder.with_name(f"{folder.name}-{number}") if number > 1 else folder
        try:
            if not os.path.lexists(numbered):
                return unfinished.rename(numbered)
        except OSError:
            if not os.path.lexists(numbered):
                raise
    raise AssertionError  # the loop returns or raises


def local_databases(settings: Settings) -> dict[str, DatabaseFile]:
    """Return the files of the warehouses on this machine, by target."""
    return {
        backend.name: database
        for backend in all_backends()
        if (database := backend.database(settings)) is not None
    }


def _copy_sqlite(path: Path, target: Path) -> None:
    refuse_irregular(path, f"{path} cannot be copied")
    try:
        source, copy = sqlite3.connect(path, timeout=10), sqlite3.connect(target)
        try:
            source.backup(copy)
        finally:
            source.close()
            copy.close()
    except sqlite3.Error as error:
        raise StorageError(
            f"{path} could not be copied: {error}.",
            cure="Check that the disk has room; if the file is damaged, move it away.",
        ) from None


def _describe(path: Path) -> BackupFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return BackupFile(path.name, path.stat().st_size, digest)


def _write_manifest(folder: Path, made_at: datetime, files: tuple[BackupFile, ...]) -> None:
    manifest = {
        "format": _FORMAT,
        "made_at": made_at.isoformat(),
        "files": [asdict(file) for file in files],
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
