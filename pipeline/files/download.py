"""Stage trip files: bring what a source offers into the staging folder, verified.

The bytes arrive under a temporary name, and replace an earlier staged file only after they were
verified. A file that did not change since it was staged is not fetched again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.cancel import Cancel
from pipeline.core.errors import NotPublished, SourceUnreachable, TripFileError
from pipeline.core.home import make_folder
from pipeline.core.settings.settings import Settings
from pipeline.core.storage_errors import storage_errors
from pipeline.files.header import CURE_DAMAGE, CURE_DAMAGED_FILE, CURE_DAMAGED_UPLOAD
from pipeline.files.offers import SAMPLE_SCHEME, Offer, Unknown, local_version
from pipeline.files.prepare import PreparedFile, UnpackedCopy, prepare
from pipeline.files.reverify import reverify
from pipeline.files.staging import (
    Fetched,
    PartialFile,
    Progress,
    StagedFile,
    find_staged_from,
    require_space,
    staged_path,
)

COPY_CHUNK = 1024 * 1024  # bytes
COPY_ATTEMPTS = 3


def _ignore(_: object) -> None:
    pass


def stage(
    offer: Offer | Unknown,
    settings: Settings,
    cancel: Cancel,
    on_progress: Callable[[Progress], None] = _ignore,
    on_note: Callable[[str], None] = _ignore,
    is_loaded: Callable[[StagedFile], bool] = lambda _: False,
) -> StagedFile:
    """Bring an offered trip file into the staging folder and return the facts about it.

    Args:
        offer: What to fetch. The offers of an Unknown are tried in order.
        settings: Where the staging folder is, and the limits and patience of downloads.
        cancel: Stops the work within two seconds. A later call resumes the download.
        on_progress: Called with the bytes so far, in the calling thread.
        on_note: Called with sentences for the run's log.
        is_loaded: Whether a file that is staged already needs no load. Otherwise its bytes are
            verified again, and fetched again if they changed.

    Raises:
        NotPublished: The source has no such file.
        SourceUnreachable: The source is down or slow, or refuses.
        TripFileError: The bytes are not that trip file. An earlier staged file stays.
        StorageError: The disk is full or cannot be written.
        Cancelled: `cancel` was set.
    """
    offers = (offer,) if isinstance(offer, Offer) else offer.offers
    absent: NotPublished | None = None
    for candidate in offers:
        try:
            return _Staging(candidate, settings, cancel, on_progress, on_note, is_loaded).run()
        except NotPublished as error:
            absent = absent or error
    if absent:
        raise absent
    reason = offer.reason if isinstance(offer, Unknown) else ""
    raise SourceUnreachable(f"Cannot download {offer.file}: {reason}.", cure="Try again later.")


@dataclass
class _Staging:
    """The staging of one offer."""

    offer: Offer
    settings: Settings
    cancel: Cancel
    on_progress: Callable[[Progress], None]
    on_note: Callable[[str], None]
    is_loaded: Callable[[StagedFile], bool]

    def __post_init__(self) -> None:
        file, settings = self.offer.file, self.settings
        # Where the file will be if it is what its name says.
        self.target = staged_path(file, self.offer.format, settings)
        self.partial = PartialFile(self.target)
        self.staged = find_staged_from(self.offer.address, file, settings)
        self.rewriting = self.target.with_name(f"{file.stem}.rewriting")

    def run(self) -> StagedFile:
        """Fetch the file if it changed, and verify it."""
        self.cancel.check()
        make_folder(self.target.parent)
        packed = staged_path(self.offer.file, "csv.gz", self.settings)
        unpacked = UnpackedCopy(packed)
        while True:
            fetched = self._fetch()
            if fetched is None:
                staged = self._take_staged()
                if staged is not None:
                    self.on_note("unchanged since it was staged; not downloaded again")
                    return staged
                self.on_note(
                    "warning: the staged file is damaged: its checksum differs; downloading it "
                    "again"
                )
                self.staged = None
                continue
            try:
                prepared = self._prepare(unpacked)
                break
            except TripFileError as error:
                self.partial.discard()
                if not fetched.resumed:
                    raise
                # The bytes of an earlier process may have been damaged since, by a power cut.
                self.on_note(f"starting over, because the resumed file is invalid: {error.problem}")
        staged = self._describe(prepared, fetched, unpacked)
        try:
            self.partial.move_into_place(staged, prepared.path)
        finally:
            self._delete_rewriting()
        if staged.remark:
            self.on_note(staged.remark)
        return staged

    def _take_staged(self) -> StagedFile | None:
        """Return the file that is staged already, or None if its bytes have changed since."""
        assert self.staged is not None
        if self.is_loaded(self.staged):
            return self.staged
        return reverify(self.staged, self.settings, self.cancel, unpack=True)

    def _prepare(self, unpacked: UnpackedCopy) -> PreparedFile:
        """Verify the fetched bytes, and rewrite them if they are in no format that is staged."""
        self._delete_rewriting()  # what a process that was killed left there
        try:
            with storage_errors(self.partial.path):
                return prepare(
                    self.partial.path,
                    self.offer.file,
                    self.offer.address,
                    self.rewriting,
                    int(self.settings.max_unpacked_gib * 2**30),
                    self.cancel,
                    unpacked,
                )
        except TripFileError as error:
            self._delete_rewriting()
            raise TripFileError(error.problem, cure=self._cure(error.cure)) from None
        except BaseException:
            self._delete_rewriting()
            raise

    def _cure(self, cure: str) -> str:
        """Return what to do about a file that is not valid: a local one stays as damaged as it is.

        Args:
            cure: What to do about one that is fetched anew by each run.
        """
        fetched = self.offer.address.startswith(("http://", "https://", SAMPLE_SCHEME))
        if cure != CURE_DAMAGE or fetched:
            return cure
        is_upload = Path(self.offer.address).parent == self.settings.uploads
        return CURE_DAMAGED_UPLOAD if is_upload else CURE_DAMAGED_FILE

    def _delete_rewriting(self) -> None:
        shutil.rmtree(self.rewriting, ignore_errors=True)

    def _describe(
        self, prepared: PreparedFile, fetched: Fetched, unpacked: UnpackedCopy
    ) -> StagedFile:
        """Return what the staged file will be."""
        content = prepared.content
        remark = prepared.remark
        if not remark and prepared.format != self.offer.format:
            plain = "plain csv" if prepared.format == "csv" else prepared.format
            remark = (
                f"the name says {self.offer.format}, the content is {plain}; reading it as {plain}"
            )
        if content.warning:
            self.on_note(f"warning: {content.warning}")
        remark = "; ".join(filter(None, (self.offer.note, remark, content.warning)))
        return StagedFile(
            file=self.offer.file,
            path=staged_path(self.offer.file, prepared.format, self.settings),
            format=prepared.format,
            address=self.offer.address,
            etag=fetched.etag,
            bytes=content.bytes,
            sha256=content.sha256,
            header=content.header,
            data_lines=content.data_lines,
            carriage_returns=content.carriage_returns,
            surplus_commas=content.surplus_commas,
            conditions=fetched.conditions,
            unpacked=unpacked.finish(verified=prepared.format == "csv.gz"),
            original=prepared.original,
            remark=remark,
            unpacked_bytes=content.unpacked_bytes,
        )

    def _fetch(self) -> Fetched | None:
        """Bring the bytes into the partial file; return None if the staged file is the same."""
        if self.offer.address.startswith(("http://", "https://")):
            from pipeline.files import fetch

            # A server that compares dates only may call a file unchanged that has another ETag.
            known = self.staged and self.offer.etag in (None, self.staged.etag)
            conditions = self.staged.conditions if self.staged and known else {}
            return fetch.fetch(
                self.offer,
                self.partial,
                conditions,
                self.settings,
                self.cancel,
                self.on_progress,
                self.on_note,
            )
        try:
            if self.offer.address.startswith(SAMPLE_SCHEME):
                return self._generate()
            return self._copy(Path(self.offer.address))
        except BaseException:
            self.partial.discard()  # only downloads by HTTP can be resumed
            raise

    def _generate(self) -> Fetched | None:
        from pipeline.files.sample.sample import SAMPLE_VERSION, write_sample

        if self.staged and self.staged.etag == SAMPLE_VERSION:
            return None
        require_space(self.offer.file, self.target.parent, None)
        with storage_errors(self.partial.path):
            write_sample(self.offer.file, self.partial.path, self.cancel)
        return Fetched(SAMPLE_VERSION)

    def _copy(self, source: Path) -> Fetched | None:
        """Copy a local file, so that later writes to it cannot change what was verified."""
        file = self.offer.file
        try:
            for _ in range(COPY_ATTEMPTS):
                version = local_version(source)
                if version is None:
                    raise NotPublished(
                        f"{file} is not available: {source} was removed.",
                        cure="Put it back, or choose another month.",
                    )
                size, etag = version
                if self.staged and etag == self.staged.etag:
                    return None
                require_space(file, self.target.parent, size)
                done = 0
                with source.open("rb", buffering=0) as original, self.partial.writing() as write:
                    while chunk := original.read(COPY_CHUNK):
                        self.cancel.check()
                        write(chunk)
                        done += len(chunk)
                        self.on_progress(Progress(done, size))
                if local_version(source) == (done, etag):
                    return Fetched(etag)
                self.on_note("the file changed while it was copied; copying it again")
        except OSError as error:
            raise SourceUnreachable(
                f"{file} cannot be read from {source}: {error.strerror}.",
                cure="Make the file readable.",
            ) from error
        raise TripFileError(
            f"{file} keeps changing at {source} while it is copied.",
            cure="Wait until the program that writes it has finished.",
        )
