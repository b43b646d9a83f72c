"""What a preview is of: a staged file, a file of one's own, or the beginning of one at a source.

Nothing is written but in a temporary folder, which goes with the Subject.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pipeline.cancel import Cancel
from pipeline.download import Progress, stage
from pipeline.errors import NotPublished, SourceUnreachable, StorageError, TripFileError, UsageError
from pipeline.locks import backfill_lock
from pipeline.preview.columns import read_columns
from pipeline.preview.peek import peek
from pipeline.preview.schema import TEXT
from pipeline.settings import Settings
from pipeline.sources import (
    FORMATS,
    SAMPLE_SCHEME,
    Format,
    Missing,
    Offer,
    Unknown,
    format_of,
    local_version,
    open_source,
)
from pipeline.staging import StagedFile, recall, staged_path
from pipeline.trips import TripFile
from pipeline.verify import verify
from pipeline.warehouse import TARGETS

Place = Literal["staged", "own", "sample", "source"]


@dataclass(frozen=True)
class Subject:
    """A trip file, or the beginning of one, ready to be read.

    Attributes:
        place: Where the rows come from: staging, a file of one's own (or a folder's), the built-in
            sample, or the beginning of the file at its source.
        address: Where it came from, without a user name or password.
        columns: Names and types as the file has them; types of a csv are `text`.
        staged: The verified rows, for the loader's own extraction; None when there are none to be
            had (`problem` says why, or the first rows of a parquet file were too large for a look).
        whole: Whether these are all rows of the file.
        rows: Rows of the whole file; None where that is not known yet.
        bytes: Size of the whole file as published; None where the source does not say.
        fetched: Bytes fetched for this look; 0 when nothing was.
        problem: Why the file cannot be loaded as it is; empty when nothing is known against it.
        note: A sentence on the version looked at; empty when there is nothing to say.
    """

    file: TripFile
    place: Place
    address: str
    format: Format
    columns: tuple[tuple[str, str], ...]
    staged: StagedFile | None
    whole: bool
    rows: int | None
    bytes: int | None
    fetched: int = 0
    problem: str = ""
    note: str = ""
    folder: TemporaryDirectory[str] | None = field(default=None, repr=False, compare=False)


def find_subject(file: TripFile, source: str, settings: Settings, cancel: Cancel) -> Subject:
    """Return what can be looked at of a source's trip file without fetching it whole.

    A staged file of the source's version is read in place, and so is one in a folder; of one at
    an address the beginning is fetched. Where the source cannot be asked, the staged file of that
    month is read, whatever source it came from; its note says which.

    Raises:
        UsageError: There can be no such source.
        NotPublished: It has no such month.
        SourceUnreachable: It is down, slow, or refuses, and the file is not staged.
        TripFileError: What is there is not that trip file.
        StorageError: There is no room for the temporary files.
        Cancelled: `cancel` was set.
    """
    opened = open_source(source, settings)
    probe = opened.probe([file], cancel)[file]
    if isinstance(probe, Missing):
        raise _not_published(file, opened.label, probe)
    offers = probe.offers if isinstance(probe, Unknown) else (probe,)
    staged = next(filter(None, (_find_staged(offer, settings) for offer in offers)), None)
    if isinstance(probe, Unknown):
        if staged is not None:
            return _whole(staged, "staged", f"This is the staged file; {probe.reason}.")
        other = _find_any_staged(file, settings)
        if other is None:
            raise SourceUnreachable(
                f"{file} cannot be looked at: {probe.reason}.",
                cure="Try again later, or pick the source Built-in sample, which needs no network.",
            )
        note = f"This is the staged file, which came from {other.address}; {probe.reason}."
        return _whole(other, "staged", note)
    if staged is not None and (probe.etag is None or probe.etag == staged.etag):
        return _whole(staged, "staged")
    if probe.address.startswith(SAMPLE_SCHEME):
        return _make_sample(probe, settings, cancel)
    if not probe.address.startswith(("http://", "https://")):
        return read_own(Path(probe.address), file, settings, cancel)
    subject = _peek(probe, settings, cancel)
    if staged is not None:
        note = "The staged file is of another version; this is what the source has now."
        return replace(subject, note=note)
    return subject


def fetch_subject(
    file: TripFile,
    source: str,
    settings: Settings,
    cancel: Cancel,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Subject:
    """Bring a source's trip file into staging, as a backfill would, and return it.

    Raises what `download.stage` raises, and WarehouseBusy while a backfill runs: both would write
    to the same temporary file.
    """
    opened = open_source(source, settings)
    probe = opened.probe([file], cancel)[file]
    if isinstance(probe, Missing):
        raise _not_published(file, opened.label, probe)
    with ExitStack() as locks:
        for target in TARGETS:
            locks.enter_context(backfill_lock(target, settings))
        staged = stage(probe, settings, cancel, on_progress)
        staged.forget_unpacked()
    return _whole(staged, "staged")


def read_own(
    path: Path, file: TripFile, settings: Settings, cancel: Cancel, address: str = ""
) -> Subject:
    """Return a file on this machine, read where it is.

    Args:
        path: Its name ends in csv, csv.gz or parquet.
        file: Which color and month it is to be taken for.
        address: What people call it; its path, if that is empty.

    Raises UsageError for another ending or where there is no such file, StorageError when it
    cannot be read, TripFileError when not even its columns can.
    """
    format = format_of(path.name)
    try:
        if local_version(path) is None:
            raise UsageError(f"There is no file {path}.", cure="Check its name and folder.")
        return _verified(path, file, format, address or str(path), "own", settings, cancel)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror}.", cure="Make the file readable."
        ) from None


def make_temporary() -> TemporaryDirectory[str]:
    """Return a new temporary folder, which goes with the object; may raise StorageError."""
    try:
        return TemporaryDirectory(prefix="fareground-preview-", ignore_cleanup_errors=True)
    except OSError as error:
        raise StorageError(
            f"No temporary folder can be made in {tempfile.gettempdir()}: {error.strerror}.",
            cure="Set TMPDIR to a folder you may write to.",
        ) from None


def _not_published(file: TripFile, label: str, probe: Missing) -> NotPublished:
    return NotPublished(
        f"{file} is not published by {label}: {probe.reason}.",
        cure="Pick another month, or another source.",
    )


def _find_staged(offer: Offer, settings: Settings) -> StagedFile | None:
    found = recall(staged_path(offer.file, offer.format, settings), offer.format)
    return found[0] if found and found[0].address == offer.address else None


def _find_any_staged(file: TripFile, settings: Settings) -> StagedFile | None:
    """Return the staged file of this month, whatever source it came from."""
    found = (recall(staged_path(file, format, settings), format) for format in FORMATS)
    return next((kept[0] for kept in found if kept), None)


def _make_sample(offer: Offer, settings: Settings, cancel: Cancel) -> Subject:
    from pipeline.sample import write_sample

    folder = make_temporary()
    path = Path(folder.name) / f"{offer.file.stem}.csv.gz"
    write_sample(offer.file, path, cancel)
    return _verified(
        path, offer.file, "csv.gz", offer.address, "sample", settings, cancel, folder=folder
    )


def _peek(offer: Offer, settings: Settings, cancel: Cancel) -> Subject:
    folder = make_temporary()
    try:
        head = peek(offer, Path(folder.name), settings, cancel)
    except OSError as error:
        raise StorageError(
            f"The first rows of {offer.file} cannot be kept: {error.strerror}.",
            cure="Set TMPDIR to a folder on a disk with room.",
        ) from None
    file, address = offer.file, offer.address
    if head.path is None:
        found = Subject(
            file, "source", address, offer.format, head.columns, None, False, None, None,
            folder=folder,
        )  # fmt: skip
    else:
        format = format_of(head.path.name)
        found = _verified(
            head.path, file, format, address, "source", settings, cancel, folder=folder
        )
    known = head.rows if head.rows is not None else found.rows if head.whole else None
    return replace(
        found,
        format=offer.format,
        whole=head.whole,
        rows=known,
        bytes=head.total if head.total is not None else offer.bytes,
        fetched=head.fetched,
    )


def _verified(
    path: Path,
    file: TripFile,
    format: Format,
    address: str,
    place: Place,
    settings: Settings,
    cancel: Cancel,
    folder: TemporaryDirectory[str] | None = None,
) -> Subject:
    """Verify a file where it is; one that is unfit still shows its columns, if it has any."""
    limit = int(settings.max_unpacked_gib * 2**30)
    try:
        facts = verify(path, file, format, address, limit, cancel)
    except TripFileError as error:
        columns = read_columns(path, format)
        if len(columns) < 2:  # a text that is no table has one column at most
            raise
        size = path.stat().st_size
        return Subject(
            file,
            place,
            address,
            format,
            columns,
            None,
            False,
            None,
            size,
            problem=str(error),
            folder=folder,
        )
    staged = StagedFile(
        file,
        path,
        format,
        address,
        None,
        facts.bytes,
        facts.sha256,
        facts.header,
        facts.data_lines,
        facts.carriage_returns,
    )
    return _whole(staged, place, folder=folder)


def _whole(
    staged: StagedFile,
    place: Place,
    note: str = "",
    folder: TemporaryDirectory[str] | None = None,
) -> Subject:
    columns = read_columns(staged.path, staged.format)
    if staged.format != "parquet":
        columns = tuple((name, TEXT) for name in staged.header)
    return Subject(
        staged.file,
        place,
        staged.address,
        staged.format,
        columns,
        staged,
        True,
        staged.data_lines,
        staged.bytes,
        note=note,
        folder=folder,
    )
