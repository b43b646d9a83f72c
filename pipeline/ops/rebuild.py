"""Rebuild a damaged warehouse from the staged trip files, without a network.

The damaged file is moved aside, never deleted. A staged file whose bytes have changed since they
were verified is reported and left out; its source has it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS
from pipeline.core.errors import FaregroundError, StorageError, WarehouseBusy, WarehouseError
from pipeline.core.regular_file import describe_irregular
from pipeline.core.settings.settings import Settings
from pipeline.core.storage_errors import reading_errors, storage_errors
from pipeline.core.trips import TripFile
from pipeline.files.offers import FORMATS, SAMPLE, SAMPLE_SCHEME, UPLOAD
from pipeline.files.reverify import reverify
from pipeline.files.staging import StagedFile, read_staged
from pipeline.runs.locks import backfill_lock
from pipeline.warehouse import LoadJob, LoadMonitor
from pipeline.warehouse.duckdb_file import open_file
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
    """Load every staged file into a new warehouse of the default target.

    Args:
        without_missing: Whether to go on where files that are loaded now are not staged. The new
            warehouse then lacks them until a backfill fetches them again.

    Yields the path that the old warehouse file was moved to, if there was one, then each file as it
    is done.

    Raises:
        WarehouseError: Files that are loaded now are not staged, or nothing is.
        WarehouseBusy: A backfill runs.
        StorageError: The disk is full, or the staging folder cannot be read.
    """
    run_id = f"rebuild-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
    with backfill_lock(DEFAULT_TARGET, settings):
        database = find_backend(DEFAULT_TARGET).database(settings)
        assert database is not None  # the default target keeps its tables in a file
        staged_files = list(_staged_files(settings))
        if database.path.exists():
            _refuse_loss(database.path, staged_files, settings, without_missing)
        aside = _move_aside(database.path, settings)
        if aside is not None:
            yield aside
        with open_warehouse(DEFAULT_TARGET, settings) as warehouse:
            for path, staged in staged_files:
                if staged is None:
                    yield RebuiltFile(path, None, "its checksum differs")
                    continue
                try:
                    job = LoadJob(run_id, source_of(staged, settings))
                    yield RebuiltFile(path, warehouse.load(staged, job, LoadMonitor()).rows)
                except FaregroundError as error:
                    yield RebuiltFile(path, None, str(error))
            warehouse.sync_mirror(lambda _note: None)  # the next backfill says what is wrong


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


def _refuse_loss(
    database: Path,
    staged_files: list[tuple[Path, StagedFile | None]],
    settings: Settings,
    without_missing: bool,
) -> None:
    """Raise WarehouseError if the new warehouse would lack files that the old one has."""
    intact = {staged.file for _, staged in staged_files if staged is not None}
    if not intact:
        raise WarehouseError(
            f"No intact trip file is staged in {settings.staging}, so the new warehouse would be "
            f"empty; {database} is unchanged.",
            cure="Restore a backup; or move the warehouse file away and run the backfill again, "
            "which fetches the files from their source.",
        )
    if without_missing:
        return
    missing = sorted(file.stem for file in _loaded_files(settings) - intact)
    if missing:
        names = ", ".join(missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
        raise WarehouseError(
            f"{len(missing):,} loaded files are not staged and would be missing from the new "
            f"warehouse: {names}. {database} is unchanged.",
            cure="Run `rebuild --without-missing`, then a backfill of those months.",
        )


def _loaded_files(settings: Settings) -> set[TripFile]:
    """Return the files that the old warehouse says are loaded; none where it cannot be read."""
    try:
        with open_warehouse(DEFAULT_TARGET, settings, read_only=True) as warehouse:
            records = warehouse.records()
    except WarehouseBusy:
        raise
    except WarehouseError:
        return set()
    return {file for file, record in records.items() if record.loaded is not None}


def _move_aside(link: Path, settings: Settings) -> Path | None:
    """Move the warehouse's file and its log aside; a link stays, and leads to an empty database."""
    if not link.exists():
        return None
    path = link.resolve()
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    with storage_errors(path):
        log = path.with_name(path.name + ".wal")
        if log.exists():
            log.replace(aside.with_name(aside.name + ".wal"))
        path.replace(aside)
    if link.is_symlink():
        open_file(path, settings, wait_seconds=1).close()
    return aside


def _staged_files(settings: Settings) -> Iterator[tuple[Path, StagedFile | None]]:
    """Yield the path of each staged trip file, and the file if its bytes are as verified."""
    for dataset in DATASETS.values():
        for path in _paths_within(settings.staging / dataset.name, f"{dataset.table}_"):
            format = next((f for f in FORMATS if path.name.endswith(f".{f}")), None)
            if format is not None:
                staged = read_staged(path, format)
                yield path, staged and reverify(staged, settings, Cancel())


def _paths_within(folder: Path, prefix: str) -> list[Path]:
    """Return the paths in a folder whose names begin with a prefix; none for a missing folder.

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
