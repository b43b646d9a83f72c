"""Rebuild a damaged warehouse from the staged trip files, without a network.

The new warehouse is complete before it takes the place of the old one, which is kept beside it. A
staged file whose bytes have changed since they were verified is reported and left out; its source
has it.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS
from pipeline.core.errors import FaregroundError, StorageError, WarehouseBusy, WarehouseError
from pipeline.core.home import make_folder
from pipeline.core.regular_file import describe_irregular
from pipeline.core.scratch import ScratchFolder
from pipeline.core.settings.settings import Settings
from pipeline.core.storage_errors import reading_errors, storage_errors
from pipeline.core.trips import TripFile
from pipeline.files.offers import FORMATS, SAMPLE, SAMPLE_SCHEME, UPLOAD
from pipeline.files.reverify import reverify
from pipeline.files.staging import StagedFile, read_staged, sync_folder
from pipeline.runs.locks import backfill_lock
from pipeline.warehouse import LoadJob, LoadMonitor, Warehouse
from pipeline.warehouse.damage import log_path
from pipeline.warehouse.duckdb_file import require_regular
from pipeline.warehouse.registry import DEFAULT_TARGET, find_backend, open_warehouse

_NAMED = 6  # missing files that a message names


@dataclass(frozen=True)
class RebuiltFile:
    """How one staged file went.

    Attributes:
        path: The staged file.
        rows: Its rows in the new warehouse; None when it could not be loaded.
        problem: Why it could not be loaded; "" when it was.
    """

    path: Path
    rows: int | None
    problem: str = ""


def rebuild(settings: Settings, *, without_missing: bool = False) -> Iterator[Path | RebuiltFile]:
    """Load the staged files into a new warehouse of the default target, then replace the old one.

    Where the old one can be read, only files that are loaded in it are loaded into the new one.
    Until the end the old warehouse stays as it is.

    Args:
        without_missing: Whether to go on where files would be missing from the new warehouse, or
            change, because they are not staged as they are loaded now.

    Yields each file as it is done, then the path that the old warehouse file was moved to, if there
    was one.

    Raises:
        WarehouseError: Files that are loaded now are not staged or could not be loaded, or nothing
            is staged.
        WarehouseBusy: A backfill runs.
        StorageError: The disk is full, or the staging folder cannot be read.
    """
    run_id = f"rebuild-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
    with backfill_lock(DEFAULT_TARGET, settings):
        database = find_backend(DEFAULT_TARGET).database(settings)
        assert database is not None  # the default target keeps its tables in a file
        require_regular(database.path)
        loaded = _loaded_files(settings) if database.path.exists() else None
        staged_files = _chosen(list(_staged_files(settings)), loaded)
        if database.path.exists():
            _refuse_loss(database.path, staged_files, loaded or {}, settings, without_missing)
        make_folder(settings.home)
        stored = database.path.resolve()  # a link stays, and leads to the new file
        with ScratchFolder(stored.parent) as scratch:
            new = settings.model_copy(update={"home": Path(scratch), "mirror": ""})
            failed = []
            with open_warehouse(DEFAULT_TARGET, new) as warehouse:
                for path, staged in staged_files:
                    result = _load(path, staged, warehouse, run_id, settings)
                    if result.rows is None and staged is not None and staged.file in (loaded or {}):
                        failed.append(staged.file)
                    yield result
            if failed and not without_missing:
                raise _would_be_lost(failed, "could not be loaded", database.path)
            new_database = find_backend(DEFAULT_TARGET).database(new)
            assert new_database is not None
            aside = _put_in_place(new_database.path, stored)
        if aside is not None:
            yield aside
        with open_warehouse(DEFAULT_TARGET, settings) as warehouse:
            warehouse.sync_mirror(lambda _note: None)  # the next backfill says what is wrong


def _load(
    path: Path, staged: StagedFile | None, warehouse: Warehouse, run_id: str, settings: Settings
) -> RebuiltFile:
    if staged is None:
        return RebuiltFile(path, None, "its checksum differs")
    job = LoadJob(run_id, source_of(staged, settings))
    try:
        return RebuiltFile(path, warehouse.load(staged, job, LoadMonitor()).rows)
    except StorageError:
        raise  # the other files would fail, too
    except FaregroundError as error:
        return RebuiltFile(path, None, str(error))


def source_of(staged: StagedFile, settings: Settings) -> str:
    """Return the source of a staged file, as a request names it, by the file's address."""
    address = staged.address
    if address.startswith(SAMPLE_SCHEME):
        return SAMPLE
    if Path(address).parent == settings.uploads:
        return UPLOAD
    for name, url in (("github", settings.github_url), ("tlc", settings.tlc_url)):
        if address.startswith(url.rstrip("/") + "/"):
            return name
    folder = address.rpartition("/")[0]
    return folder.removesuffix(f"/{staged.file.dataset}")


def _chosen(
    staged_files: list[tuple[Path, StagedFile | None]], loaded: dict[TripFile, str | None] | None
) -> list[tuple[Path, StagedFile | None]]:
    """Filter the staged files to the loaded ones; of two versions, keep the one that is loaded."""
    if loaded is None:
        return staged_files
    as_loaded = {
        staged.file
        for _, staged in staged_files
        if staged is not None and staged.source_sha256 == loaded.get(staged.file)
    }
    return [
        (path, staged)
        for path, staged in staged_files
        if staged is None
        or (
            staged.file in loaded
            and (staged.file not in as_loaded or staged.source_sha256 == loaded[staged.file])
        )
    ]


def _refuse_loss(
    database: Path,
    staged_files: list[tuple[Path, StagedFile | None]],
    loaded: dict[TripFile, str | None],
    settings: Settings,
    without_missing: bool,
) -> None:
    """Raise WarehouseError if the new warehouse would lack or change files of the old one."""
    intact = {staged.file: staged.source_sha256 for _, staged in staged_files if staged is not None}
    if not intact:
        raise WarehouseError(
            f"No intact trip file is staged in {settings.staging}, so the new warehouse would be "
            f"empty; {database} is unchanged.",
            cure="Restore a backup; or move the warehouse file away and run the backfill again, "
            "which fetches the files from their source.",
        )
    missing = [file for file, sha256 in loaded.items() if intact.get(file) != sha256]
    if missing and not without_missing:
        raise _would_be_lost(missing, "staging does not have as they are loaded", database)


def _would_be_lost(files: Collection[TripFile], why: str, database: Path) -> WarehouseError:
    names = ", ".join(sorted(file.stem for file in files)[:_NAMED])
    return WarehouseError(
        f"The new warehouse would lack or change {len(files):,} of the loaded files, which {why}: "
        f"{names}{', …' if len(files) > _NAMED else ''}. {database} is unchanged.",
        cure="Run `rebuild --without-missing`, then a backfill of those months.",
    )


def _loaded_files(settings: Settings) -> dict[TripFile, str | None] | None:
    """Return the files in the old warehouse with their checksums; None where it cannot be read."""
    try:
        with open_warehouse(DEFAULT_TARGET, settings, read_only=True) as warehouse:
            records = warehouse.records()
    except WarehouseBusy:
        raise
    except WarehouseError:
        return None
    return {file: record.loaded.sha256 for file, record in records.items() if record.loaded}


def _put_in_place(new: Path, path: Path) -> Path | None:
    """Replace the old warehouse by the new one; return where the old one is kept, if any."""
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    log = log_path(path)
    with storage_errors(path):
        existed = path.exists()
        if existed:
            try:
                os.link(path, aside)
            except OSError:  # a file system without links
                shutil.copyfile(path, aside)
        if log.exists():  # it belongs to the old file
            log.replace(log_path(aside))
        new.replace(path)
        sync_folder(path.parent)
    return aside if existed else None


def _staged_files(settings: Settings) -> Iterator[tuple[Path, StagedFile | None]]:
    """Yield the path of each staged trip file, and the file if its bytes are as verified."""
    for dataset in DATASETS.values():
        for path in _paths_within(settings.staging / dataset.name, f"{dataset.table}_"):
            format = next((f for f in FORMATS if path.name.endswith(f".{f}")), None)
            if format is not None:
                staged = read_staged(path, format)
                yield path, staged and reverify(staged, settings, Cancel())


def _paths_within(folder: Path, prefix: str) -> list[Path]:
    """List the paths in a folder whose names start with a prefix; empty for a missing folder.

    Raises StorageError for a folder that cannot be read, or a link to a missing one.
    """
    for place in (folder.parent, folder):
        if place.is_symlink() and (missing := describe_irregular(place)):
            raise StorageError(
                f"{place} is {missing}.", cure="Mount the disk of the target, or remove the link."
            )
        with reading_errors(place):
            if not place.exists():
                return []
            paths = sorted(place.iterdir())
    return [path for path in paths if path.name.startswith(prefix)]
