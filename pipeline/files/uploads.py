"""Trip files that people uploaded to be loaded: a source of its own, in a folder of the home.

An upload is kept as it came, under the name of its trip file, because nobody publishes it: a later
run, a resumed one and a rebuild find it there. A new upload of a month replaces the earlier one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import Dataset
from pipeline.core.home import make_folder
from pipeline.core.settings.settings import Settings
from pipeline.core.storage_errors import storage_errors
from pipeline.core.trips import Month, TripFile
from pipeline.files.nearby import find_nearby, format_named, known_ending
from pipeline.files.offers import UPLOAD, Missing, Offer, Probe, Unknown, local_version
from pipeline.files.staging import require_space

_UNFINISHED = ".new"  # the end of the name of an upload that is not all here


def save_upload(path: Path, name: str, file: TripFile, settings: Settings) -> Path:
    """Keep a copy of an uploaded file as the upload of a trip file, and return its path.

    Args:
        path: The uploaded file, which stays where it is.
        name: The name it was uploaded under; only a known ending of it is used.
        file: The color and month that it holds.

    Raises StorageError when there is no room, or the folder cannot be written.
    """
    folder = settings.uploads
    make_folder(folder)
    target = folder / f"{file.stem}.{known_ending(name) or 'csv'}"
    unfinished = target.with_name(target.name + _UNFINISHED)
    with storage_errors(target):
        require_space(file, folder, path.stat().st_size)
        try:
            shutil.copyfile(path, unfinished)
            with unfinished.open("r+b") as copy:
                os.fsync(copy.fileno())
            # Before the new one is there: a crash in between leaves no upload, never an old one.
            for earlier in _uploads_of(file, folder):
                earlier.unlink()
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
    return target


def _uploads_of(file: TripFile, folder: Path) -> list[Path]:
    """Return the uploads of a trip file; raises OSError for a folder that cannot be read."""
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    return [
        path
        for path in paths
        if path.name.startswith(f"{file.stem}.") and not path.name.endswith(_UNFINISHED)
    ]


@dataclass(frozen=True)
class UploadSource:
    """What people uploaded on the Preview page and loaded."""

    settings: Settings
    name: str = UPLOAD
    label: str = "uploads"

    def probe(
        self, files: Iterable[TripFile], cancel: Cancel | None = None
    ) -> dict[TripFile, Probe]:
        """Offer the months that were uploaded."""
        if cancel:
            cancel.check()
        return {file: self._find(file) for file in files}

    def months(self, datasets: Iterable[Dataset]) -> tuple[Month, Month] | None:
        """Return the first and the last month that was uploaded."""
        wanted = set(datasets)
        paths = find_nearby(self.settings.uploads, None).paths
        months = [file.month for file in paths if file.dataset in wanted]
        return (min(months), max(months)) if months else None

    def _find(self, file: TripFile) -> Probe:
        folder = self.settings.uploads
        try:
            for path in _uploads_of(file, folder):
                if version := local_version(path):
                    return Offer(file, str(path), format_named(path.name), *version)
        except NotADirectoryError:
            return Missing(file, f"{folder} is a file, not a folder: move it away")
        except OSError as error:
            return Unknown(file, f"{folder} cannot be read: {error.strerror}", ())
        return Missing(file, "this month was not uploaded: open your file on the Preview page")
