"""Temporary folders that a killed process leaves behind, and how they are found and removed.

Each folder holds a lock that the operating system releases when its process ends. A folder whose
lock is free belongs to nobody.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock, Timeout

from pipeline.core.errors import StorageError
from pipeline.core.storage_errors import writing_cure

_PREFIX = "fareground-"
_LOCK = "owner.lock"
_OTHER_PLACES = "set TMPDIR and FAREGROUND_HOME to folders that you may write to"

_OWN: weakref.WeakSet[ScratchFolder] = weakref.WeakSet()


class ScratchFolder(TemporaryDirectory[str]):
    """A locked temporary folder, deleted by `cleanup` or when this object is garbage-collected.

    Args:
        place: Where it is made; None for the system's temporary folder.
        instead: What to do if that folder cannot be made writable; follows "or".
        hidden: Whether its name begins with a dot.

    Raises StorageError when that folder cannot be written.
    """

    def __init__(
        self, place: Path | None = None, instead: str = _OTHER_PLACES, *, hidden: bool = False
    ) -> None:
        prefix = f".{_PREFIX}" if hidden else _PREFIX
        try:
            super().__init__(prefix=prefix, dir=place, ignore_cleanup_errors=True)
            self._lock = FileLock(Path(self.name) / _LOCK)
            self._lock.acquire(timeout=0)
        except OSError as error:
            raise StorageError(
                f"Cannot create a temporary folder in {place or tempfile.gettempdir()}: "
                f"{error.strerror}.",
                cure=f"{writing_cure(error.errno)}, or {instead}.",
            ) from None
        _OWN.add(self)

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.name)

    def cleanup(self) -> None:
        """Delete the folder; a second call does nothing."""
        self._lock.release()
        super().cleanup()


def remove_own() -> None:
    """Delete all folders of this process, for a server that stops."""
    for folder in list(_OWN):
        folder.cleanup()


def find_abandoned(*places: Path) -> Iterator[Path]:
    """Yield the folders of ended processes in `places`, by default in the system's."""
    places = places or (Path(tempfile.gettempdir()),)
    for place, prefix in product(places, (_PREFIX, f".{_PREFIX}")):
        for lock in place.glob(f"{prefix}*/{_LOCK}"):
            try:
                FileLock(lock).acquire(timeout=0).lock.release()
            except (Timeout, OSError):  # in use, of another user, or just removed
                continue
            yield lock.parent
