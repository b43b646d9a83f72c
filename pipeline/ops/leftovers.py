"""Find and remove what killed processes left behind: temporary folders, copies and spill files."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from pipeline.core.errors import WarehouseBusy
from pipeline.core.scratch import find_abandoned
from pipeline.core.settings.settings import Settings
from pipeline.runs.locks import backfill_lock
from pipeline.warehouse.registry import target_names

_NEW_SECONDS = 60.0  # a warehouse that is made anew is complete long before


def find_leftovers(settings: Settings) -> list[Path]:
    """Return the files and folders that no living process uses.

    While a backfill runs, only those that it cannot be using.
    """
    leftovers = [*find_abandoned(*_places(settings)), *_database_files(settings.home)]
    with ExitStack() as locks, suppress(WarehouseBusy):
        for target in target_names():
            locks.enter_context(backfill_lock(target, settings))
        leftovers += settings.staging.glob("*/*.unpacked")
        leftovers += settings.staging.glob("*/*.rewriting")
    return leftovers


def _places(settings: Settings) -> set[Path]:
    """Return the folders in which temporary folders are made."""
    home, warehouse = settings.home, settings.warehouse_path.resolve()
    return {Path(tempfile.gettempdir()), home, warehouse.parent}


def remove_leftovers(settings: Settings) -> int:
    """Remove what `find_leftovers` returns; return its size in bytes."""
    leftovers = find_leftovers(settings)
    size = total_size(leftovers)
    for path in leftovers:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return size


def total_size(paths: list[Path]) -> int:
    """Return the bytes of files and of all files in folders."""
    files = (file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]))
    size = 0
    for file in files:
        with suppress(OSError):
            size += file.stat().st_size if file.is_file() else 0
    return size


def _database_files(home: Path) -> Iterator[Path]:
    """Yield spill folders of processes that ended, and warehouses that were never complete."""
    for folder in home.glob("*.duckdb.tmp-*"):
        process = folder.name.rpartition("-")[2]
        if process.isdecimal() and not _is_alive(int(process)):
            yield folder
    for path in home.glob("*.duckdb.new-*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _NEW_SECONDS:
                yield path


def _is_alive(process: int) -> bool:
    if os.name == "nt":  # where signal 0 would end the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
