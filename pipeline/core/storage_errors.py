"""Say why a file cannot be written or read, and what to do, by the operating system's reason."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.errors import StorageError
from pipeline.core.regular_file import describe_irregular

OTHER_HOME = "set FAREGROUND_HOME to a folder on another disk"
"""What to do instead about a file of the home."""

_CURES = {
    errno.ENOSPC: "Free some space",
    errno.EDQUOT: "Your disk quota is used up: free some space",
    errno.EFBIG: "The system limits the size of a file here: lift the limit (ulimit -f)",
    errno.EACCES: "Make it writable",
    errno.EPERM: "Make it writable",
    errno.EROFS: "Make its disk writable",
    errno.EIO: "Its disk reports errors: check the disk",
    errno.ENAMETOOLONG: "Its path is too long: use a shorter one",
}
_READING_CURES = {errno.EACCES: "Make it readable", errno.EPERM: "Make it readable"}
_IN_THE_WAY = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.ELOOP, errno.ENXIO)


@contextmanager
def storage_errors(path: Path, instead: str = OTHER_HOME) -> Iterator[None]:
    """Convert an OSError raised in the block into a StorageError.

    Args:
        path: What is written, for an error that names no file.
        instead: What to do if its cause cannot be removed; follows "or".
    """
    try:
        yield
    except OSError as error:
        raise storage_error(error, path, instead) from error


@contextmanager
def reading_errors(path: Path) -> Iterator[None]:
    """Convert an OSError raised in the block into a StorageError about a file that is read.

    An OSError itself does not say whether something was read or written, so a block that does both
    needs this one around what it reads.

    Args:
        path: What is read, for an error that names no file.
    """
    try:
        yield
    except OSError as error:
        cure = _READING_CURES.get(error.errno or 0) or writing_cure(error.errno)
        raise StorageError(
            f"{error.filename or path} cannot be read: {error.strerror or error}.", cure=f"{cure}."
        ) from error


def storage_error(error: OSError, path: Path, instead: str = OTHER_HOME) -> StorageError:
    """Return the StorageError for an OSError; for the arguments see `storage_errors`."""
    named = Path(str(error.filename2 or error.filename or path))
    if error.errno in _IN_THE_WAY:
        named = _what_is_in_the_way(named)
        if named.is_symlink() and not named.exists():
            return StorageError(
                f"{named} is {_kind(named)}.",
                cure=f"Mount the disk of the target, remove the link, or {instead}.",
            )
        return StorageError(
            f"{named} is {_kind(named)}: nothing can be written in its place.",
            cure=f"Move it away, or {instead}.",
        )
    return StorageError(
        f"{named} cannot be written: {error.strerror or error}.",
        cure=f"{writing_cure(error.errno)}, or {instead}.",
    )


def writing_cure(code: int | None) -> str:
    """Return the cure for an errno, as a sentence without its full stop."""
    return _CURES.get(code or 0, "Check its folder and disk")


def _what_is_in_the_way(path: Path) -> Path:
    """Return the first parent of the path that is not a folder, or the path itself."""
    for parent in reversed(path.parents):
        if parent.is_symlink() and not parent.exists():
            return parent
        if parent.exists() and not parent.is_dir():
            return parent
    return path


def _kind(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    return describe_irregular(path) or "a file"
