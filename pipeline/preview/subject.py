"""Find the file to preview: staged, local, generated, or the first rows of a remote file.

Files are written only to a temporary folder, which is deleted with its Subject. `fetch_subject`,
which stages a file, is the exception.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pipeline.core.cancel import Cancel
from pipeline.core.errors import (
    NotPublished,
    SourceUnreachable,
    StorageError,
    TripFileError,
    UsageError,
)
from pipeline.core.scratch import ScratchFolder
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import TripFile
from pipeline.files.download import stage
from pipeline.files.header import InvalidFile
from pipeline.files.offers import (
    SAMPLE_SCHEME,
    Format,
    Missing,
    Offer,
    Unknown,
    local_version,
)
from pipeline.files.prepare import prepare, tell_content
from pipeline.files.reverify import reverify
from pipeline.files.sources import open_source
from pipeline.files.staging import Progress, StagedFile, find_staged, find_staged_from
from pipeline.preview.columns import read_columns
from pipeline.preview.peek import fetch_head
from pipeline.preview.schema import TEXT
from pipeline.runs.locks import backfill_lock
from pipeline.warehouse.registry import target_names

SubjectPlace = Literal["staged", "own", "sample", "source"]


@dataclass(frozen=True)
class Subject:
    """The file that a preview reads, or the first rows of it.

    Attributes:
        place: Where the rows come from: staging, a local file (`own`), the built-in sample, or
            the head of the file at its source.
        address: The URL, path or sample: address of the file, without user name and password.
        columns: Name and type of each column of the file; types of a csv are `text`.
        staged: The verified file for the loader's extraction. None when the file is damaged
            (`problem` says how), or when the first rows of a parquet file are too large to fetch.
        whole: Whether `staged` holds all rows of the file.
        rows: Rows of the whole file; None when unknown.
        bytes: Size of the whole file as published; None when the source does not say.
        fetched: Bytes downloaded for this preview.
        problem: Why the file cannot be loaded; empty when no reason is known.
        note: Which version of the file this is, where it may not be the source's newest.
        folder: The temporary folder of the file, if it needs one; it is deleted with this object.
    """

    file: TripFile
    place: SubjectPlace
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
    folder: ScratchFolder | None = field(default=None, repr=False, compare=False)


def find_subject(file: TripFile, source: str, settings: Settings, cancel: Cancel) -> Subject:
    """Return the best available preview input for a source's trip file without a full download.

    A staged file of the source's version, or a file in a folder, is read in place. For a remote
    file the head is downloaded. When the source is unreachable, a staged file of that month from
    any source is read, and the note says which.

    Args:
        source: A name (github, tlc, sample), the path of a folder, or a URL.

    Raises:
        UsageError: The source's name or URL is not valid.
        NotPublished: The source has no such month.
        SourceUnreachable: The source is down, slow, or refuses, and no file is staged.
        TripFileError: The file's bytes are not those of this trip file.
        StorageError: The temporary folder has no room.
        Cancelled: `cancel` was set.
    """
    trip_source = open_source(source, settings)
    probe = trip_source.probe([file], cancel)[file]
    if isinstance(probe, Missing):
        raise _not_published(file, trip_source.label, probe)
    offers = probe.offers if isinstance(probe, Unknown) else (probe,)
    candidates = (find_staged_from(offer.address, file, settings) for offer in offers)
    staged = next(filter(None, candidates), None)
    staged = staged and reverify(staged, settings, cancel)
    if isinstance(probe, Unknown):
        if staged is not None:
            return _whole_subject(staged, "staged", f"This is the staged file; {probe.reason}.")
        other = find_staged(file, settings)
        other = other and reverify(other, settings, cancel)
        if other is None:
            raise SourceUnreachable(
                f"Cannot preview {file}: {probe.reason}.",
                cure="Try again later, or choose the built-in sample, which needs no network.",
            )
        note = f"This is the staged file, which came from {other.address}; {probe.reason}."
        return _whole_subject(other, "staged", note)
    if staged is not None and (probe.etag is None or probe.etag == staged.etag):
        return _whole_subject(staged, "staged")
    if probe.address.startswith(SAMPLE_SCHEME):
        return _make_sample(probe, settings, cancel)
    if not probe.address.startswith(("http://", "https://")):
        return read_local_file(Path(probe.address), file, settings, cancel)
    subject = _fetch_head_subject(probe, settings, cancel)
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
    """Download a source's trip file into staging, as a backfill does, and return it.

    Raises the errors of `download.stage`, and WarehouseBusy while a backfill runs on any target:
    both would write to the same temporary file.
    """
    trip_source = open_source(source, settings)
    probe = trip_source.probe([file], cancel)[file]
    if isinstance(probe, Missing):
        raise _not_published(file, trip_source.label, probe)
    with ExitStack() as locks:
        for target in target_names():
            locks.enter_context(backfill_lock(target, settings))
        staged = stage(probe, settings, cancel, on_progress).delete_unpacked()
    return _whole_subject(staged, "staged")


def read_local_file(
    path: Path, file: TripFile, settings: Settings, cancel: Cancel, address: str = ""
) -> Subject:
    """Return a local file as a preview input; it is read in place, or rewritten beside it.

    Args:
        path: A file of any name; its content says what it is.
        file: The dataset and month to read the file as.
        address: The name that pages show for the file; empty for its path.

    Raises:
        UsageError: The file does not exist.
        StorageError: The file cannot be read.
        TripFileError: The file is damaged, and its header cannot be read either.
        Cancelled: `cancel` was set.
    """
    try:
        if local_version(path) is None:
            raise UsageError(f"There is no file {path}.", cure="Check its name and folder.")
        return _verify_subject(
            path, file, address or str(path), "own", settings, cancel, ScratchFolder()
        )
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror}.", cure="Make the file readable."
        ) from None


def _not_published(file: TripFile, label: str, probe: Missing) -> NotPublished:
    return NotPublished(
        f"{file} is not published by {label}: {probe.reason}.",
        cure="Choose another month or source.",
    )


def _make_sample(offer: Offer, settings: Settings, cancel: Cancel) -> Subject:
    from pipeline.files.sample.sample import write_sample

    folder = ScratchFolder()
    path = Path(folder.name) / f"{offer.file.stem}.csv.gz"
    write_sample(offer.file, path, cancel)
    return _verify_subject(path, offer.file, offer.address, "sample", settings, cancel, folder)


def _fetch_head_subject(offer: Offer, settings: Settings, cancel: Cancel) -> Subject:
    folder = ScratchFolder()
    try:
        head = fetch_head(offer, Path(folder.name), settings, cancel)
    except OSError as error:
        raise StorageError(
            f"The first rows of {offer.file} cannot be stored: {error.strerror}.",
            cure="Set TMPDIR to a folder on a disk with room.",
        ) from None
    file, address = offer.file, offer.address
    if head.path is None:
        subject = Subject(
            file, "source", address, head.format, head.columns, None, False, None, None,
            folder=folder,
        )  # fmt: skip
    else:
        subject = _verify_subject(head.path, file, address, "source", settings, cancel, folder)
    rows = head.rows if head.rows is not None else subject.rows if head.whole else None
    return replace(
        subject,
        format=subject.format if head.whole else head.format,
        whole=head.whole,
        rows=rows,
        bytes=head.total if head.total is not None else offer.bytes,
        fetched=head.fetched,
    )


def _verify_subject(
    path: Path,
    file: TripFile,
    address: str,
    place: SubjectPlace,
    settings: Settings,
    cancel: Cancel,
    folder: ScratchFolder,
) -> Subject:
    """Verify a file in place; a damaged file with a readable header becomes a Subject without rows.

    Raises TripFileError when a damaged file has fewer than two columns.
    """
    limit = int(settings.max_unpacked_gib * 2**30)
    try:
        prepared = prepare(path, file, address, Path(folder.name) / "rewritten", limit, cancel)
    except TripFileError as error:
        format, columns = _read_damaged(path, file, cancel)
        if len(columns) < 2:  # plain text that is not csv reads as one column
            raise
        return Subject(
            file,
            place,
            address,
            format,
            columns,
            None,
            False,
            None,
            path.stat().st_size,
            problem=str(error),
            folder=folder,
        )
    content = prepared.content
    staged = StagedFile(
        file,
        prepared.path,
        prepared.format,
        address,
        None,
        content.bytes,
        content.sha256,
        content.header,
        content.data_lines,
        content.carriage_returns,
        content.surplus_commas,
        original=prepared.original,
        remark=prepared.remark,
        unpacked_bytes=content.unpacked_bytes,
    )
    note = f"This file is {prepared.remark}." if prepared.remark else ""
    if content.warning:
        note = f"{note} {content.warning}.".strip()
    return _whole_subject(staged, place, note, folder=folder)


def _read_damaged(
    path: Path, file: TripFile, cancel: Cancel
) -> tuple[Format, tuple[tuple[str, str], ...]]:
    """Return the format and columns of a file that cannot be loaded, as far as they are known."""
    try:
        content = tell_content(path, file.dataset, cancel)
    except InvalidFile:
        return "csv", ()
    if content.format is None or not content.form.is_plain:
        return "csv", ()
    return content.format, read_columns(path, content.format)


def _whole_subject(
    staged: StagedFile,
    place: SubjectPlace,
    note: str = "",
    folder: ScratchFolder | None = None,
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
        staged.source_bytes,
        note=note,
        folder=folder,
    )
