"""A damaged warehouse made anew from the staged trip files, without a network.

The damaged file is moved aside, never deleted. A staged file whose bytes are no longer those that
were verified is left out and named: its source has it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import FaregroundError
from pipeline.locks import backfill_lock
from pipeline.settings import Settings
from pipeline.sources import FORMATS, SAMPLE_SCHEME
from pipeline.staging import StagedFile, recall, storing
from pipeline.trips import Color
from pipeline.warehouse import LoadJob, Watch
from pipeline.warehouse.local import LocalWarehouse


@dataclass(frozen=True)
class Rebuilt:
    """What became of one staged file: its rows in the new warehouse, or why it has none."""

    path: Path
    rows: int | None
    problem: str = ""


def rebuild(settings: Settings) -> Iterator[Path | Rebuilt]:
    """Make the local warehouse anew from staging; yield how each file went, as it happens.

    First comes where the old warehouse file was moved to, if there was one. Raises WarehouseBusy
    while a backfill runs, StorageError when the disk is full.
    """
    run_id = f"rebuild-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
    with backfill_lock("local", settings):
        aside = _move_aside(settings.warehouse_path)
        if aside is not None:
            yield aside
        with LocalWarehouse(settings) as warehouse:
            for path, staged in _staged_files(settings):
                if staged is None:
                    yield Rebuilt(path, None, "its bytes are not those that were verified")
                    continue
                try:
                    job = LoadJob(run_id, source_of(staged, settings))
                    yield Rebuilt(path, warehouse.load(staged, job, Watch()).rows)
                except FaregroundError as error:
                    yield Rebuilt(path, None, str(error))


def source_of(staged: StagedFile, settings: Settings) -> str:
    """Return the source a staged file came from, as it was asked for: that of its address."""
    address = staged.address
    if address.startswith(SAMPLE_SCHEME):
        return "sample"
    for name, url in (("github", settings.github_url), ("tlc", settings.tlc_url)):
        if address.startswith(url.rstrip("/") + "/"):
            return name
    folder = address.rpartition("/")[0]
    return folder.removesuffix(f"/{staged.file.color}")


def _move_aside(path: Path) -> Path | None:
    if not path.exists():
        return None
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    with storing(path):
        log = path.with_name(path.name + ".wal")
        if log.exists():
            log.replace(aside.with_name(aside.name + ".wal"))
        path.replace(aside)
    return aside


def _staged_files(settings: Settings) -> Iterator[tuple[Path, StagedFile | None]]:
    for color in Color:
        folder = settings.staging / color.value
        for path in sorted(folder.glob(f"{color.table}_*")) if folder.is_dir() else ():
            format = next((f for f in FORMATS if path.name.endswith(f".{f}")), None)
            if format is not None:
                found = recall(path, format)
                whole = found is not None and _sha256(path) == found[0].sha256
                yield path, found[0] if found is not None and whole else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
