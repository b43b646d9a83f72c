"""Check the bytes of a staged file again, before they are read again.

A disk may damage a file after it was staged, and a person may edit it. What was verified is then
not what would be loaded.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.core.cancel import Cancel
from pipeline.core.errors import TripFileError
from pipeline.core.settings.settings import Settings
from pipeline.files.prepare import UnpackedCopy
from pipeline.files.staging import StagedFile
from pipeline.files.verify import verify


def reverify(
    staged: StagedFile, settings: Settings, cancel: Cancel, *, unpack: bool = False
) -> StagedFile | None:
    """Return a staged file with the facts that its bytes have now; None if the bytes changed.

    Args:
        unpack: Whether to write the unpacked copy of a csv.gz, for a load.

    Raises Cancelled.
    """
    # Only who holds the lock of a backfill may touch the unpacked copy.
    copy = UnpackedCopy(staged.path) if unpack and staged.format == "csv.gz" else None
    if copy:
        copy.open()
    limit = int(settings.max_unpacked_gib * 2**30)
    same = False
    try:
        write = copy.write if copy else len
        content = verify(
            staged.path, staged.file, staged.format, staged.address, limit, cancel, write
        )
        same = content.sha256 == staged.sha256
    except (TripFileError, OSError):
        pass
    finally:
        unpacked = copy.finish(verified=same) if copy else None
    if not same:
        return None
    return replace(
        staged,
        header=content.header,
        data_lines=content.data_lines,
        carriage_returns=content.carriage_returns,
        surplus_commas=content.surplus_commas,
        unpacked=unpacked,
    )
