"""Export the trips of a warehouse for other programs: Parquet files, a DuckDB file, or csv.gz.

Doing it again writes only what was loaded since: each format remembers from which load it has the
rows of a file. Files that are no longer loaded are removed from the export.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import either_of
from pipeline.core.errors import UsageError
from pipeline.core.scratch import ScratchFolder
from pipeline.core.settings.settings import Settings
from pipeline.core.sql import statement
from pipeline.core.trips import TripFile
from pipeline.ops.export_duckdb import execute, open_duckdb
from pipeline.ops.lost_warehouse import refuse_lost_warehouse
from pipeline.warehouse import Warehouse
from pipeline.warehouse.exports import (
    ExportResult,
    ExportTarget,
    Owner,
    ParquetFolder,
    Progress,
    checksum,
    claim,
    flush,
    load_key,
    read_note,
    sync,
    write_note,
    writing,
)
from pipeline.warehouse.ledger import LedgerEntry
from pipeline.warehouse.registry import open_warehouse

DEFAULT_SCHEMA = "prod"
"""Where the dbt module of the data engineering course expects its source tables."""


def exports_folder(settings: Settings) -> Path:
    """Return the folder in the home where the app writes exports."""
    return settings.home / "exports"


def default_target(format: str, settings: Settings) -> Path:
    """Return where the app writes an export of this format."""
    name = "taxi_rides_ny.duckdb" if format == "duckdb" else format
    return exports_folder(settings) / name


def export(
    format: str,
    target: Path,
    warehouse_name: str,
    settings: Settings,
    wanted: Callable[[TripFile], bool] = lambda _file: True,
    schema: str = DEFAULT_SCHEMA,
    cancel: Cancel | None = None,
    progress: Progress = lambda _done, _total, _file: None,
) -> ExportResult:
    """Write the trips of a warehouse that are loaded and not yet in the export.

    Args:
        format: One of FORMATS.
        target: A folder for parquet and csv, a file for duckdb.
        warehouse_name: A target of the registry; reading one that bills is billed.
        wanted: Whether a file is part of this export; others are neither written nor removed.
        schema: The schema of the tables, for duckdb.
        cancel: Stops the export; each file is then wholly the old or the new one.
        progress: Is called before each file.

    Raises:
        UsageError: The format or schema is not valid, or the target is not an export.
        WarehouseError: The warehouse is missing although runs loaded files into it.
        WarehouseBusy: Another process writes to the warehouse.
        StorageError: The target cannot be written.
        Cancelled: `cancel` was set.
    """
    if format not in FORMATS:
        raise UsageError(f"There is no format {format!r}.", cure=f"Use {either_of(FORMATS)}.")
    with writing(target):
        if format != "duckdb" and target.exists() and not target.is_dir():
            raise UsageError(
                f"{target} is not a folder.", cure=f"Name a folder to export {format} to."
            )
        own, exports = settings.home.resolve(), exports_folder(settings).resolve()
        if target.resolve().is_relative_to(own) and not target.resolve().is_relative_to(exports):
            raise UsageError(
                f"{target} is among Fareground's own files.",
                cure=f"Export to {exports_folder(settings)}, or to a folder outside of the home.",
            )
        mirror = Path(settings.mirror).resolve() if settings.mirror else None
        if format == "duckdb" and mirror and target.resolve().is_relative_to(mirror):
            raise UsageError(
                f"{target} is in the folder of the mirror, which every load writes anew.",
                cure="Export to another folder.",
            )
    refuse_lost_warehouse(warehouse_name, settings)
    owner = Owner(warehouse_name, settings.home)
    with (
        open_warehouse(warehouse_name, settings) as warehouse,
        FORMATS[format](target, schema, owner, settings) as opened,
    ):
        return sync(opened, warehouse, wanted, cancel, progress)


@contextmanager
def _parquet(target: Path, schema: str, owner: Owner, settings: Settings) -> Iterator[ExportTarget]:
    del schema, settings
    claim(target, owner)
    folder = ParquetFolder(target)
    folder.remove_unfinished()
    yield folder


@contextmanager
def _csv(target: Path, schema: str, owner: Owner, settings: Settings) -> Iterator[ExportTarget]:
    del schema
    claim(target, owner)
    with ScratchFolder() as scratch:
        yield _CsvFolder(target, Path(scratch), settings)


class _CsvFolder:
    """One csv.gz for each file; a hidden file beside it names the load it has the rows of."""

    def __init__(self, folder: Path, scratch: Path, settings: Settings) -> None:
        self._folder = folder
        self._parquet = scratch / "trips.parquet"
        self._settings = settings

    def files(self) -> Collection[TripFile]:
        files = []
        for path in self._folder.glob(".*.load"):
            with suppress(UsageError):
                files.append(TripFile.parse(path.name.removeprefix(".").removesuffix(".load")))
        return files

    def is_current(self, entry: LedgerEntry) -> bool:
        path, note = self._paths(entry.file)
        return read_note(note) == f"{load_key(entry)} {checksum(path)}"

    def write(self, warehouse: Warehouse, entry: LedgerEntry, cancel: Cancel) -> None:
        path, note = self._paths(entry.file)
        if path.exists() and not note.exists():
            raise UsageError(
                f"{path} is there already, and no export wrote it.",
                cure="Export to another folder, or move that file away.",
            )
        unfinished = path.with_name(f".{path.name}.unfinished")
        try:
            with writing(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
                warehouse.write_parquet(entry.file, self._parquet, cancel)
                sql = statement("duckdb/export_csv")
                values = {
                    "filename": entry.file.filename,
                    "parquet": str(self._parquet),
                    "path": str(unfinished),
                }
                with _memory(self._settings) as connection:
                    execute(connection, sql, values, cancel, self._folder)
                flush(unfinished)
                # Before the file: killed in between, the checksum shows that it is the old one.
                write_note(note, entry, unfinished)
                unfinished.replace(path)
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
                self._parquet.unlink(missing_ok=True)

    def remove(self, file: TripFile) -> None:
        with writing(self._folder):
            for path in self._paths(file):
                path.unlink(missing_ok=True)

    def _paths(self, file: TripFile) -> tuple[Path, Path]:
        return self._folder / f"{file.filename}.gz", self._folder / f".{file.filename}.load"


def _memory(settings: Settings) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"memory_limit": settings.memory_limit})


FORMATS = {"parquet": _parquet, "duckdb": open_duckdb, "csv": _csv}
"""What can be exported; each opens its target."""
