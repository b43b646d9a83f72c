"""Back up everything under FAREGROUND_HOME that cannot be downloaded again, and restore it.

A backup is a folder: `warehouse.duckdb`, every SQLite file (runs, schedules, documents), and
`manifest.json` with the size and sha256 of each. All of it is data: nothing in a backup is run,
wherever it comes from. Staged trip files are left out: their sources have them, and the warehouse
has their rows.

The backfill lock and a checkpoint make the copy of the warehouse consistent; SQLite's backup API
copies the other files while they are written.

A restore survives being killed. It copies the backup to `.restoring`, which changes nothing, and
renames that to `.restored` when it is complete. From then on the restore is finished by renames
only, if need be by the next process (`finish_restore`). `.restored/before` collects the replaced
files; it is renamed to `before-restore-TIME` when they are all there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

from filelock import Timeout

from pipeline.core.errors import StorageError, UsageError, WarehouseBusy
from pipeline.core.home import has_unfinished_restore, make_folder, restored_folder
from pipeline.core.regular_file import read_regular_file
from pipeline.core.settings.settings import Settings
from pipeline.core.storage_errors import storage_errors
from pipeline.files.staging import sync_folder
from pipeline.ops.backup_contents import refuse_foreign_definitions, refuse_foreign_store
from pipeline.runs.locks import backfill_lock, scheduler_lock
from pipeline.warehouse import DatabaseFile
from pipeline.warehouse.registry import all_backends, target_names

_MANIFEST = "manifest.json"
_FORMAT = 1  # of the manifest
_MOST_MANIFEST_BYTES = 100_000  # one of ten files has 2,000
_BEFORE = "before"  # folder of the replaced files within that of the restored ones
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
    StorageError when the disk is full, and UsageError when the warehouse has views of others, which
    a restore refuses; each leaves nothing behind.
    """
    made_at = datetime.now(UTC)
    make_folder(settings.home)
    with storage_errors(into):
        into.mkdir(parents=True, exist_ok=True)
        folder, unfinished = _claim_folder(into, f"fareground-{made_at:%Y%m%d-%H%M%S}")
    try:
        with storage_errors(folder):
            databases = _databases(settings)
            with ExitStack() as locks:
                for target in databases:
                    locks.enter_context(backfill_lock(target, settings))
                for database in databases.values():
                    if database.path.exists():
                        database.copy_to(unfinished / database.path.name)
                        refuse_foreign_definitions(  # a restore does, too late to do anything
                            unfinished / database.path.name,
                            database,
                            shown=database.path,
                            cure="Drop them, or move them to a DuckDB file that attaches this one.",
                        )
                for path in sorted(settings.home.glob("*.sqlite")):
                    if _STORE_NAME.fullmatch(path.name):
                        _copy_sqlite(path, unfinished / path.name)
            files = tuple(_describe(path) for path in sorted(unfinished.iterdir()))
            _write_manifest(unfinished, made_at, files)
            unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Backup(folder, made_at, files)


def read_backup(folder: Path, settings: Settings) -> Backup:
    """Return the backup in a folder, and verify the name and the checksum of each file.

    Raises UsageError when the folder is not a backup, holds anything but the files of one, a file
    is missing or damaged, or a database in it defines what none of Fareground's does.
    """
    backup = _read_manifest(folder)
    allowed = {database.path.name for database in _databases(settings).values()}
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
    for database in _databases(settings).values():
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


def restore(settings: Settings, folder: Path) -> tuple[Backup, Path | None]:
    """Replace what is under FAREGROUND_HOME by a backup.

    Returns the backup, and the folder that the replaced files were moved to (None when there were
    none). Raises UsageError when the backup is incomplete, and WarehouseBusy while a run or a
    scheduler uses the home; either changes nothing.
    """
    backup = read_backup(folder, settings)
    make_folder(settings.home)
    alone = _alone(settings, "The app or a scheduler", "Stop it, and restore again.")
    with alone, storage_errors(settings.home):
        if has_unfinished_restore(settings.home):
            _move_into_place(settings)
        fresh = settings.home / ".restoring"
        shutil.rmtree(fresh, ignore_errors=True)
        (fresh / _BEFORE).mkdir(parents=True)
        for file in backup.files:
            _copy_and_sync(folder / file.name, fresh / file.name)
        sync_folder(fresh)
        fresh.replace(restored_folder(settings.home))
        sync_folder(settings.home)
        before = _move_into_place(settings)
    return backup, before


def finish_restore(settings: Settings) -> None:
    """Finish a restore whose process was killed, if there is one.

    To be called before anything under FAREGROUND_HOME is opened: the files of the home are in two
    hidden folders until then, and would be created anew, empty. Raises WarehouseBusy while the
    restore still runs.
    """
    if has_unfinished_restore(settings.home):
        alone = _alone(settings, "A restore", "Try again when it has ended.")
        with alone, storage_errors(settings.home):
            if has_unfinished_restore(settings.home):
                _move_into_place(settings)


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


def _claim_folder(into: Path, name: str) -> tuple[Path, Path]:
    """Return the path of a new backup, and a new folder in which to make it.

    Whoever makes the second folder has the name; backups of the same second get a number.
    """
    for number in count(1):
        folder = into / (name if number == 1 else f"{name}-{number}")
        unfinished = into / f".{folder.name}.unfinished"
        try:
            unfinished.mkdir()
        except FileExistsError:
            continue
        if not folder.exists():
            break
        unfinished.rmdir()
    return folder, unfinished


def _databases(settings: Settings) -> dict[str, DatabaseFile]:
    """Return the files of the warehouses on this machine, by target."""
    return {
        backend.name: database
        for backend in all_backends()
        if (database := backend.database(settings)) is not None
    }


def _copy_sqlite(path: Path, target: Path) -> None:
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


def _copy_and_sync(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("r+b") as copy:
        os.fsync(copy.fileno())


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


def _move_into_place(settings: Settings) -> Path | None:
    """Move the files of a complete `.restored` into the home, and what was there out of it.

    Can be repeated after a kill at any point. Returns the folder of the replaced files, if any.
    """
    home, restored = settings.home, restored_folder(settings.home)
    before, aside = restored / _BEFORE, None
    if before.is_dir():  # so that nothing of the backup is in the home yet
        for path in _files_to_replace(settings):
            path.replace(before / path.name)
        if any(before.iterdir()):
            aside = _new_folder(home / f"before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S}")
            sync_folder(before)
            before.replace(aside)
        else:
            before.rmdir()
        sync_folder(home)
    for path in sorted(restored.iterdir()):
        path.replace(home / path.name)
    sync_folder(home)
    restored.rmdir()
    return aside


def _files_to_replace(settings: Settings) -> list[Path]:
    databases = [database.path for database in _databases(settings).values()]
    databases += [path.with_name(f"{path.name}.wal") for path in databases]
    return [path for path in databases if path.exists()] + sorted(settings.home.glob("*.sqlite*"))


def _new_folder(folder: Path) -> Path:
    """Return a path that does not exist: this one, or with a number after it."""
    numbered = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    return next(path for path in chain([folder], numbered) if not path.exists())


@contextmanager
def _alone(settings: Settings, user: str, cure: str) -> Iterator[None]:
    """Hold every lock of the home.

    Raises WarehouseBusy when another process holds one: with `user`, who that may be, if it holds
    the scheduler's. That is tried first, because to name a backfill opens the run history.
    """
    with ExitStack() as locks:
        try:
            locks.enter_context(scheduler_lock(settings).acquire(timeout=0))
        except Timeout:
            raise WarehouseBusy(f"{user} is running.", cure=cure) from None
        for target in target_names():
            locks.enter_context(backfill_lock(target, settings))
        yield
