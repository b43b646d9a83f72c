"""Restore a backup, in place of what is under FAREGROUND_HOME.

A restore survives being killed. It copies the backup to `.restoring`, which changes nothing, and
renames that to `.restored` when it is complete. From then on the restore is finished by renames
only, if need be by the next process (`finish_restore`). `.restored/before` collects the replaced
files; it is renamed to `before-restore-TIME` when they are all there.

A link in the home, such as to a larger disk, stays: the copy is made beside its target, and
`.restored` has a link to it. The replaced target is renamed in its folder, and
`before-restore-TIME` has a link to it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

from filelock import Timeout

from pipeline.core.errors import StorageError, WarehouseBusy
from pipeline.core.home import has_unfinished_restore, make_folder, restored_folder
from pipeline.core.regular_file import BROKEN_LINK_CURE, describe_irregular
from pipeline.core.settings.settings import Settings
from pipeline.core.storage_errors import storage_errors
from pipeline.files.staging import sync_folder
from pipeline.ops.backup import Backup, local_databases, read_backup
from pipeline.runs.locks import backfill_lock, scheduler_lock
from pipeline.warehouse.registry import target_names

_BEFORE = "before"  # folder of the replaced files within that of the restored ones
_BESIDE = ("-wal", "-shm", "-journal", ".wal", "")  # what a database has beside it, and itself


def restore(settings: Settings, folder: Path) -> tuple[Backup, Path | None]:
    """Replace what is under FAREGROUND_HOME by a backup.

    Returns the backup, and the folder that the replaced files were moved to (None when there were
    none). Raises UsageError when the backup is incomplete, and WarehouseBusy while a run or a
    scheduler uses the home, and StorageError when a file of the home is a link without its target;
    each changes nothing.
    """
    backup = read_backup(folder, settings)
    make_folder(settings.home)
    alone = _alone(settings, "The app or a scheduler", "Stop it, and restore again.")
    with alone, storage_errors(settings.home):
        if has_unfinished_restore(settings.home):
            _move_into_place(settings)
        _refuse_broken_links(settings)
        fresh = settings.home / ".restoring"
        shutil.rmtree(fresh, ignore_errors=True)
        (fresh / _BEFORE).mkdir(parents=True)
        for file in backup.files:
            if (settings.home / file.name).is_symlink():
                target = (settings.home / file.name).resolve()
                (fresh / file.name).symlink_to(target.with_name(f".{target.name}.restored"))
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


def _copy_and_sync(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("r+b") as copy:
        os.fsync(copy.fileno())


def _move_into_place(settings: Settings) -> Path | None:
    """Move the files of a complete `.restored` into the home, and what was there out of it.

    Can be repeated after a kill at any point. Returns the folder of the replaced files, if any.
    """
    home, restored = settings.home, restored_folder(settings.home)
    before, aside = restored / _BEFORE, None
    if before.is_dir():  # so that nothing of the backup is in the home yet
        for path in _files_to_replace(settings):
            _set_aside(path, before, is_replaced=os.path.lexists(restored / path.name))
        if any(before.iterdir()):
            aside = _new_path(home / f"before-restore-{_now()}")
            sync_folder(before)
            before.replace(aside)
        else:
            before.rmdir()
        sync_folder(home)
    for path in sorted(restored.iterdir()):
        if path.is_symlink():
            copy, target = path.readlink(), (home / path.name).resolve()
            if copy.exists():  # else it was renamed before a kill
                copy.replace(target)
            sync_folder(target.parent)
            path.unlink()
        else:
            path.replace(home / path.name)
    sync_folder(home)
    restored.rmdir()
    return aside


def _set_aside(path: Path, before: Path, *, is_replaced: bool) -> None:
    """Move a file of the home to `before`. Idempotent, so that a killed restore can be resumed.

    A link stays if the backup has a file for it: its target is renamed, and `before` has a link to
    that. Other links are moved.
    """
    if not path.is_symlink():
        path.replace(before / path.name)
        return
    target, moved = path.resolve(), before / path.name
    if not moved.is_symlink():
        name = f"{target.name}.before-restore-{_now()}"
        moved.symlink_to(_new_path(target.with_name(name)) if is_replaced else target)
    if not is_replaced:
        path.unlink()
        return
    aside = moved.readlink()
    for suffix in _BESIDE:
        file = target.with_name(target.name + suffix)
        if file.exists():
            file.replace(aside.with_name(aside.name + suffix))
    sync_folder(target.parent)


def _refuse_broken_links(settings: Settings) -> None:
    for path in _files_to_replace(settings):
        if path.is_symlink() and not path.exists():
            raise StorageError(f"{path} is {describe_irregular(path)}.", cure=BROKEN_LINK_CURE)


def _files_to_replace(settings: Settings) -> list[Path]:
    databases = [database.path for database in local_databases(settings).values()]
    databases += [path.with_name(f"{path.name}.wal") for path in databases]
    stores = sorted(settings.home.glob("*.sqlite*"))
    return [path for path in databases if os.path.lexists(path)] + stores


def _now() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}"


def _new_path(path: Path) -> Path:
    """Return a path that does not exist: this one, or with a number after it."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(path for path in chain([path], numbered) if not os.path.lexists(path))


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
