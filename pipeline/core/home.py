"""FAREGROUND_HOME and the folders below it: whether they can be used, and who may read them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pipeline.core.errors import UsageError
from pipeline.core.storage_errors import storage_error

_LONGEST_NAME = 200  # characters; more than the names of the files below the folder have
_OURS = ("*.duckdb*", "*.sqlite*", "settings.json", "*.lock", "staging", "logs", "exports")


def require_usable(home: Path) -> None:
    """Check that files can have paths below a folder; the folder need not exist.

    Raises:
        UsageError: The path is too long or not UTF-8, or a folder above cannot be entered.
    """
    try:
        str(home).encode()  # the databases take paths as UTF-8
        (home / ("x" * _LONGEST_NAME)).stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name is not valid UTF-8"
        raise UsageError(
            f"FAREGROUND_HOME cannot be used: {reason}.", cure="Set it to another folder."
        ) from None


def keep_private(home: Path) -> None:
    """Let only the owner read what this process creates, and what is in the home already.

    Earlier versions created files that every user of the machine could read. Only files and folders
    with names of ours are changed: the folder itself may be shared with something else.

    Args:
        home: FAREGROUND_HOME; it need not exist.
    """
    os.umask(0o077)
    for pattern in _OURS:
        for path in home.glob(pattern):
            with suppress(OSError):  # it belongs to somebody else, or has just been removed
                mode = path.stat().st_mode
                if mode & 0o077 and not path.is_symlink():
                    path.chmod(mode & 0o7700)


def restored_folder(home: Path) -> Path:
    """Return the folder of a complete copy of a backup, whose files a restore moves to the home."""
    return home / ".restored"


def has_unfinished_restore(home: Path) -> bool:
    """Return whether a restore has begun to replace the files of the home and has not ended."""
    return restored_folder(home).is_dir()


def make_folder(folder: Path) -> None:
    """Create a folder under FAREGROUND_HOME, parents included, unless it exists.

    Only its owner can read it: the trips, questions and logs below it may be private.

    Raises:
        StorageError: The folder cannot be created.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder) from None
