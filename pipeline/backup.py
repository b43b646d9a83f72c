"""A copy of everything under FAREGROUND_HOME that cannot be fetched again, and the way back.

A backup is a folder: `warehouse.duckdb`, every SQLite file (runs, schedules, documents), and
`manifest.json` with the size and sha256 of each. Staged trip files are not in it: their sources
have them, and the warehouse has their rows.

No backfill can begin while the warehouse is copied, and a checkpoint before that has emptied its
log, so the copy is one moment of it. SQLite copies its files itself, whoever writes them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import Timeout

from pipeline.errors import StorageError, UsageError, WarehouseBusy
from pipeline.locks import backfill_lock, scheduler_lock
from pipeline.settings import Settings, make_folder
from pipeline.staging import storing
from pipeline.warehouse import TARGETS
from pipeline.warehouse.local import LocalWarehouse
from pipeline.warehouse.local_schema import copy_closed

_MANIFEST = "manifest.json"
_FORMAT = 1  # of the manifest


@dataclass(frozen=True)
class Kept:
    """One file of a backup: its name, size in bytes, and sha256 (hex)."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Backup:
    """A backup: its folder, when it was made (UTC), and its files."""

    folder: Path
    made_at: datetime
    files: tuple[Kept, ...]

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(kept.bytes for kept in self.files)


def back_up(settings: Settings, into: Path) -> Backup:
    """Make a backup in a new folder within `into`, and return it.

    Raises WarehouseBusy while a backfill runs or another process works on the warehouse, and
    StorageError when there is no room; nothing is then left behind.
    """
    made_at = datetime.now(UTC)
    folder = into / f"fareground-{made_at:%Y%m%d-%H%M%S}"
    unfinished = into / f".{folder.name}.unfinished"
    make_folder(settings.home)
    try:
        with storing(folder):
            unfinished.mkdir(parents=True)
            with backfill_lock("local", settings):
                if settings.warehouse_path.exists():
                    _copy_warehouse(settings, unfinished / settings.warehouse_path.name)
                for path in sorted(settings.home.glob("*.sqlite")):
                    _copy_sqlite(path, unfinished / path.name)
            files = tuple(_describe(path) for path in sorted(unfinished.iterdir()))
            _write_manifest(unfinished, made_at, files)
            unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Backup(folder, made_at, files)


def read_backup(folder: Path) -> Backup:
    """Return the backup in a folder, after checking each of its files.

    Raises UsageError when it is no backup, or one of its files is missing or damaged.
    """
    try:
        manifest: Any = json.loads((folder / _MANIFEST).read_text("utf-8"))
        if manifest["format"] != _FORMAT:
            raise UsageError(f"{folder} was made by a newer Fareground.", cure="Update Fareground.")
        files = tuple(Kept(**kept) for kept in manifest["files"])
        made_at = datetime.fromisoformat(manifest["made_at"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"{folder} is not a backup: it has no {_MANIFEST} that can be read.",
            cure="Name the folder that the backup command printed.",
        ) from None
    for kept in files:
        path = folder / kept.name
        if Path(kept.name).name != kept.name or not path.is_file() or _describe(path) != kept:
            raise UsageError(
                f"{kept.name} of the backup {folder} is missing or damaged.",
                cure="Use another backup, or rebuild the warehouse from staging.",
            )
    return Backup(folder, made_at, files)


def restore(settings: Settings, folder: Path) -> tuple[Backup, Path | None]:
    """Put a backup in place of what is under FAREGROUND_HOME now.

    What was there is kept: it is moved to a folder beside, which is returned with the backup (None
    when nothing was there). Raises UsageError when it is no whole backup, WarehouseBusy while
    anything works under FAREGROUND_HOME; nothing has changed then.
    """
    backup = read_backup(folder)
    make_folder(settings.home)
    with _alone(settings), storing(settings.home):
        fresh = settings.home / ".restoring"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        for kept in backup.files:
            _copy_whole(folder / kept.name, fresh / kept.name)
        before = _move_aside(settings)
        for kept in backup.files:
            (fresh / kept.name).replace(settings.home / kept.name)
        fresh.rmdir()
    return backup, before


def _copy_warehouse(settings: Settings, target: Path) -> None:
    with LocalWarehouse(settings) as warehouse:
        warehouse.checkpoint()
    # Closed first: closing the copied file would drop the lock that keeps other processes out.
    copy_closed(settings.warehouse_path, target)


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


def _copy_whole(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("r+b") as copy:
        os.fsync(copy.fileno())


def _describe(path: Path) -> Kept:
    with path.open("rb") as file:
        return Kept(path.name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _write_manifest(folder: Path, made_at: datetime, files: tuple[Kept, ...]) -> None:
    manifest = {
        "format": _FORMAT,
        "made_at": made_at.isoformat(),
        "files": [asdict(kept) for kept in files],
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _move_aside(settings: Settings) -> Path | None:
    home = settings.home
    names = (settings.warehouse_path.name, f"{settings.warehouse_path.name}.wal")
    there = [path for name in names if (path := home / name).exists()]
    there += [path for path in home.glob("*.sqlite*") if path.is_file()]
    if not there:
        return None
    aside = home / f"before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    aside.mkdir()
    for path in there:
        path.replace(aside / path.name)
    return aside


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold every lock there is under FAREGROUND_HOME; raise WarehouseBusy where that fails."""
    with ExitStack() as locks:
        for target in TARGETS:
            locks.enter_context(backfill_lock(target, settings))
        try:
            locks.enter_context(scheduler_lock(settings).acquire(timeout=0))
        except Timeout:
            raise WarehouseBusy(
                "The app or a scheduler is running.", cure="Stop it, and restore again."
            ) from None
        yield
