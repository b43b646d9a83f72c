"""From a source's offer to a verified trip file on disk.

`stage` fetches an offer's bytes to a temporary name, verifies them, and only then puts them in
staging; a file that has not changed since is not fetched again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.cancel import Cancel
from pipeline.errors import NotPublished, SourceUnreachable, TripFileError
from pipeline.settings import Settings, make_folder
from pipeline.sources import SAMPLE_SCHEME, Offer, Unknown, local_version
from pipeline.staging import (
    Part,
    Progress,
    Received,
    StagedFile,
    Unpacked,
    recall,
    require_space,
    staged_path,
    storing,
)
from pipeline.verify import verify

__all__ = ["Progress", "StagedFile", "stage"]

COPY_CHUNK = 1024 * 1024
COPY_ATTEMPTS = 3


def _ignore(_: object) -> None:
    pass


def stage(
    offer: Offer | Unknown,
    settings: Settings,
    cancel: Cancel,
    on_progress: Callable[[Progress], None] = _ignore,
    on_note: Callable[[str], None] = _ignore,
) -> StagedFile:
    """Bring the offered trip file into staging and return what is known about it.

    Args:
        offer: What to fetch; of an Unknown, its offers are tried in order.
        on_progress: Called with the bytes so far, in the calling thread.
        on_note: Called with sentences for the run's log.

    Raises:
        NotPublished: There is no such file.
        SourceUnreachable: The source is down, slow, or refuses.
        TripFileError: What came is not that trip file; an earlier staged one stays.
        StorageError: The disk is full or cannot be written.
        Cancelled: Within two seconds of it; a later call resumes.
    """
    if isinstance(offer, Offer):
        return _stage(offer, settings, cancel, on_progress, on_note)
    absent: NotPublished | None = None
    for one in offer.offers:
        try:
            return _stage(one, settings, cancel, on_progress, on_note)
        except NotPublished as error:
            absent = absent or error
    if absent:
        raise absent
    raise SourceUnreachable(f"{offer.file} cannot be had: {offer.reason}.", cure="Try again later.")


def _stage(
    offer: Offer,
    settings: Settings,
    cancel: Cancel,
    on_progress: Callable[[Progress], None],
    on_note: Callable[[str], None],
) -> StagedFile:
    cancel.check()
    target = staged_path(offer.file, offer.format, settings)
    make_folder(target.parent)
    part = Part(target)
    unpacked = Unpacked(target)
    remembered = recall(target, offer.format)
    if remembered and remembered[0].address != offer.address:
        remembered = None
    limit = int(settings.max_unpacked_gib * 2**30)
    while True:
        received = _receive(offer, part, remembered, settings, cancel, on_progress, on_note)
        if received is None:
            assert remembered is not None
            on_note("unchanged since it was staged, not fetched again")
            return remembered[0]
        if offer.format == "csv.gz":
            unpacked.open()
        verified = False
        try:
            with storing(part.path):
                facts = verify(
                    part.path,
                    offer.file,
                    offer.format,
                    offer.address,
                    limit,
                    cancel,
                    unpacked.write,
                )
            verified = True
            break
        except TripFileError as error:
            part.discard()
            if not received.resumed:
                raise
            # What an earlier process left may have been damaged since, say by a power cut.
            on_note(f"starting over, because the resumed file was no good: {error.problem}")
        finally:
            copy = unpacked.finish(worth=verified)
    staged = StagedFile(
        offer.file,
        target,
        offer.format,
        offer.address,
        received.etag,
        facts.bytes,
        facts.sha256,
        facts.header,
        facts.data_lines,
        facts.carriage_returns,
        copy,
    )
    part.settle(staged, received.conditions)
    return staged


def _receive(
    offer: Offer,
    part: Part,
    remembered: tuple[StagedFile, dict[str, str]] | None,
    settings: Settings,
    cancel: Cancel,
    on_progress: Callable[[Progress], None],
    on_note: Callable[[str], None],
) -> Received | None:
    """Bring the bytes into the part; None when the remembered file is still what is offered."""
    if offer.address.startswith(("http://", "https://")):
        from pipeline import fetch

        # A version other than ours was seen: a server that only compares dates might not say so.
        ours = remembered and offer.etag in (None, remembered[0].etag)
        conditions = remembered[1] if remembered and ours else {}
        return fetch.fetch(offer, part, conditions, settings, cancel, on_progress, on_note)
    known = remembered[0].etag if remembered else None
    try:
        if offer.address.startswith(SAMPLE_SCHEME):
            return _generate(offer, part, known, cancel)
        return _copy(offer, part, known, cancel, on_progress, on_note)
    except BaseException:
        part.discard()  # only what came by HTTP can be resumed
        raise


def _generate(offer: Offer, part: Part, known: str | None, cancel: Cancel) -> Received | None:
    from pipeline.sample import SAMPLE_VERSION, write_sample

    if known == SAMPLE_VERSION:
        return None
    require_space(offer.file, part.path.parent, None)
    with storing(part.path):
        write_sample(offer.file, part.path, cancel)
    return Received(SAMPLE_VERSION)


def _copy(
    offer: Offer,
    part: Part,
    known: str | None,
    cancel: Cancel,
    on_progress: Callable[[Progress], None],
    on_note: Callable[[str], None],
) -> Received | None:
    """Copy a local file: what is verified must be what is loaded, whoever writes to it then."""
    source = Path(offer.address)
    try:
        for _ in range(COPY_ATTEMPTS):
            version = local_version(source)
            if version is None:
                raise NotPublished(
                    f"{offer.file} is not there: {source} is gone.",
                    cure="Put it back, or pick another month.",
                )
            size, etag = version
            if etag == known:
                return None
            require_space(offer.file, part.path.parent, size)
            done = 0
            with source.open("rb", buffering=0) as original, part.writing() as write:
                while chunk := original.read(COPY_CHUNK):
                    cancel.check()
                    write(chunk)
                    done += len(chunk)
                    on_progress(Progress(done, size))
            if local_version(source) == (done, etag):
                return Received(etag)
            on_note("it changed while it was copied, copying it again")
    except OSError as error:
        raise SourceUnreachable(
            f"{offer.file} cannot be read from {source}: {error.strerror}.",
            cure="Make the file readable.",
        ) from error
    raise TripFileError(
        f"{offer.file} keeps changing at {source} while it is copied.",
        cure="Let whatever writes it finish first.",
    )
