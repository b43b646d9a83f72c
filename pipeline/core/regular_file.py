"""Read a file that somebody named: only if it is one, and only up to a limit.

A path may lead to a device that never ends, or to a pipe that nobody writes to. The size of a file
says little: it may grow while it is read, and those of /proc have none.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_IRREGULAR = "a device or pipe, not a regular file"

BROKEN_LINK_CURE = "Mount the disk of the target, or remove the link and start anew."
"""What to do about a link whose target is missing, in the place of a file of the home."""


def describe_irregular(path: Path) -> str:
    """Return what a path is if a program that opens it would wait for ever or find nothing.

    Returns:
        Words to follow "is": a device, pipe or socket, or a link whose target is missing. "" for a
        regular file, a folder, and a path at which nothing is.
    """
    try:
        mode = path.stat().st_mode  # asked once: the file may be removed at any moment
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        return f"a link to {path.readlink()}, which does not exist" if path.is_symlink() else ""
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else _IRREGULAR


def read_regular_file(path: Path, most_bytes: int) -> bytes:
    """Return the content of a file, of a larger one its first `most_bytes` + 1 bytes.

    Raises:
        OSError: The file cannot be read, or it is a device, pipe, socket or folder.
    """
    # Without O_NONBLOCK, to open a pipe would wait for somebody who writes to it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, f"it is {_IRREGULAR}", str(path))
        return file.read(most_bytes + 1)
