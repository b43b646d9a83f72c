"""Read a file of a user's own: what it is, and a preview of it as a trip file.

Errors name the file as its user does, and say nothing of sources or addresses: it has neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.cancel import Cancel
from pipeline.core.errors import StorageError, TripFileError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import TripFile
from pipeline.files.content import CURE_LOGIN
from pipeline.files.header import CURE_ADDRESS, CURE_DAMAGE, InvalidFile
from pipeline.preview.identify import Identity, identify
from pipeline.preview.subject import Subject, read_local_file

# What to do about a file of one's own, in place of what to do about one from a source.
_CURES = {
    CURE_DAMAGE: "Get a whole copy of the file, and try that.",
    CURE_ADDRESS: "Check that this is the file that you meant.",
    CURE_LOGIN: "A server may have sent a page in place of the file. Download the file again.",
}


def identify_own_file(path: Path, name: str, settings: Settings, cancel: Cancel) -> Identity:
    """Return what a file is.

    Args:
        path: The file, under any name.
        name: The name that its user knows.

    Raises:
        TripFileError: The file is damaged, or of a kind that cannot be read.
        StorageError: The file cannot be read, or the temporary folder not be written.
        Cancelled: `cancel` was set.
    """
    with own_file_errors(name):
        return identify(path, name, max_bytes(settings), cancel)


def read_own_file(
    path: Path, name: str, file: TripFile, settings: Settings, cancel: Cancel
) -> Subject:
    """Return a file as a preview input, taken for a trip file of this color and month.

    Raises the errors of `identify_own_file`, and UsageError for a file that does not exist.
    """
    try:
        return read_local_file(path, file, settings, cancel, address=name)
    except TripFileError as error:
        problem = error.problem.replace(f"{file} from {name}", name)
        raise TripFileError(problem, cure=_CURES.get(error.cure, error.cure)) from None


@contextmanager
def own_file_errors(name: str) -> Iterator[None]:
    """Raise an InvalidFile of the block, or an OSError, as an error about the file of this name."""
    try:
        yield
    except InvalidFile as error:
        cure = _CURES.get(error.cure, error.cure)
        raise TripFileError(f"{name} {error.problem}.", cure=cure) from None
    except OSError as error:
        raise StorageError(
            f"{name} cannot be read: {error.strerror or error}.",
            cure="Check that it is there and readable, and that the temporary folder has room.",
        ) from None


def max_bytes(settings: Settings) -> int:
    """Return the largest size of an unpacked file, in bytes."""
    return int(settings.max_unpacked_gib * 2**30)
