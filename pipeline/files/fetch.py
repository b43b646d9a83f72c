"""Download a trip file by HTTP: with retries, resumed where it broke off, and only if it changed.

A download is resumed only if the server confirms, by a strong ETag, that the file is the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx2

from pipeline.core.cancel import Cancel
from pipeline.core.errors import NotPublished, SourceUnreachable, TripFileError
from pipeline.core.retry import AsyncRetryingCaller, RetryDetails, on_retry
from pipeline.core.settings.settings import Settings
from pipeline.files.offers import Offer, absent_statuses
from pipeline.files.staging import (
    Fetched,
    PartialFile,
    Progress,
    require_space,
    size_in_words,
)
from pipeline.files.web import (
    RequestRefused,
    TransientFailure,
    check_status,
    etag_of,
    make_client,
    run,
    send_request,
    size_of,
)

# Seconds. The waits between attempts double from the first to the longest.
FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0
JITTER = 1.0

# A download that is slower than this over a whole read timeout counts as stalled.
SLOWEST_BYTES_PER_SECOND = 100

REDIRECTS = 10


def _backoff(error: Exception) -> bool | float:
    """Return whether to try again, or the seconds after which the server wants that."""
    if not isinstance(error, TransientFailure):
        return False
    return True if error.wait is None else error.wait


def fetch(
    offer: Offer,
    partial: PartialFile,
    conditions: dict[str, str],
    settings: Settings,
    cancel: Cancel,
    on_progress: Callable[[Progress], None],
    on_note: Callable[[str], None],
) -> Fetched | None:
    """Download an offer into a partial file, after the bytes of the same version that are there.

    Args:
        partial: Receives the bytes. It stays for a later attempt, unless the file is too large.
        conditions: Headers that ask for the file only if it changed.

    Returns None if the server says that the file is unchanged.

    Raises:
        NotPublished: The server has no such file.
        SourceUnreachable: The attempts are used up, or the server refuses.
        TripFileError: The file is too large.
        StorageError: The disk is full or cannot be written.
        Cancelled: `cancel` was set.
    """
    download = _Download(offer, partial, conditions, settings, cancel, on_progress, on_note)
    try:
        return run(download.run, cancel)
    except TripFileError:
        partial.discard()
        raise
    except TransientFailure as error:
        attempts = settings.download_attempts
        reason = f"{error}, in {attempts} attempts" if attempts > 1 else str(error)
        cure = "Try again later; the download resumes where it stopped."
    except RequestRefused as error:
        reason = str(error)
        cure = "Check the source's address; if it requires a login, write user:password@ into it."
    raise SourceUnreachable(
        f"Cannot download {offer.file} from {offer.address}: {reason}.", cure=cure
    )


@dataclass
class _Download:
    offer: Offer
    partial: PartialFile
    conditions: dict[str, str]
    settings: Settings
    cancel: Cancel
    on_progress: Callable[[Progress], None]
    on_note: Callable[[str], None]

    async def run(self) -> Fetched | None:
        """Download the file, with as many attempts as the settings allow."""
        on_retry.set(self._note_retry)
        retrying = AsyncRetryingCaller(
            attempts=self.settings.download_attempts,
            timeout=None,
            wait_initial=FIRST_WAIT,
            wait_max=LONGEST_WAIT,
            wait_jitter=JITTER,
        )
        async with make_client(self.settings, self.offer.login, REDIRECTS) as http:
            return await retrying(_backoff, self._attempt, http)

    def _note_retry(self, details: RetryDetails) -> None:
        self.on_note(
            f"retry {details.retry_num + 1} of {self.settings.download_attempts} after "
            f"{details.caused_by}, waiting {details.wait_for:.1f} s"
        )

    async def _attempt(self, http: httpx2.AsyncClient) -> Fetched | None:
        offset, etag = self.partial.resumable(self.offer.address)
        headers = dict(self.conditions)
        if offset:
            headers |= {"Range": f"bytes={offset}-", "If-Range": etag}
        async with send_request(http, "GET", self.offer.address, headers) as response:
            if response.status_code == 304 and self.conditions:
                return None
            if response.status_code in absent_statuses(self.offer.address, self.settings):
                raise NotPublished(
                    f"{self.offer.file} is not published: there is nothing at "
                    f"{self.offer.address} (HTTP {response.status_code}).",
                    cure="Choose another month or source.",
                )
            if response.status_code == 416 and offset:
                self._require_whole(response, offset)
                return Fetched(etag, {"If-None-Match": etag}, resumed=True)
            check_status(response)
            if response.status_code == 200:
                if offset:
                    self.on_note("the file changed or cannot be resumed; starting over")
                offset = 0
            else:
                self._require_rest(response, offset, etag)
            await self._receive(response, offset)
            version = self._version(response)
            return Fetched(version, _conditions(response), resumed=offset > 0)

    def _version(self, response: httpx2.Response) -> str | None:
        """Return the version of the file as the next probe will see it, if it stays the same.

        Without an ETag, the version has the size; a server that unpacks the file on its way may
        tell another size to the HEAD of a probe than to a GET.
        """
        version, planned = etag_of(response), self.offer.etag
        if "ETag" in response.headers or version is None or planned is None:
            return version
        same_time = version.rpartition("-")[0] == planned.rpartition("-")[0]
        return planned if same_time else version

    def _require_whole(self, response: httpx2.Response, offset: int) -> None:
        """Accept a 416 only if the server says that the file ends where the partial file does."""
        if response.headers.get("Content-Range") != f"bytes */{offset}":
            self.partial.discard()
            raise TransientFailure("HTTP 416 on resume", wait=0.0)

    def _require_rest(self, response: httpx2.Response, offset: int, etag: str) -> None:
        """Accept a partial response only if it continues the bytes of the partial file."""
        starts = response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
        same = offset and response.headers.get("ETag") == etag
        if not (starts and same and size_of(response) is not None):
            self.partial.discard()
            raise TransientFailure("a response that does not continue the download", wait=0.0)
        self.on_note(f"resumed at {size_in_words(offset)}")

    async def _receive(self, response: httpx2.Response, offset: int) -> None:
        total = size_of(response)
        self._require_fitting(total or 0)
        require_space(self.offer.file, self.partial.path.parent, total)
        etag = response.headers.get("ETag", "")
        strong = etag if etag.startswith('"') else ""
        done, checked_at, done_then = offset, time.monotonic(), offset
        with self.partial.writing(offset, self.offer.address, strong) as write:
            self.on_progress(Progress(done, total))
            async for chunk in response.aiter_raw():
                self.cancel.check()
                write(chunk)
                done += len(chunk)
                self._require_fitting(done)
                self.on_progress(Progress(done, total))
                elapsed = time.monotonic() - checked_at
                if elapsed > self.settings.read_timeout_seconds:
                    if done - done_then < SLOWEST_BYTES_PER_SECOND * elapsed:
                        raise TransientFailure(f"only {done - done_then} bytes in {elapsed:.1f} s")
                    checked_at, done_then = time.monotonic(), done
        if total is not None and done != total:
            raise TransientFailure(f"only {done:,} of {total:,} bytes")

    def _require_fitting(self, size: int) -> None:
        limit = self.settings.max_unpacked_gib
        if size > limit * 2**30:
            raise TripFileError(
                f"{self.offer.file} at {self.offer.address} is larger than {limit:g} GiB.",
                cure="If that is right, raise FAREGROUND_MAX_UNPACKED_GIB.",
            )


def _conditions(response: httpx2.Response) -> dict[str, str]:
    """Return the headers with which to ask for the file only if it changed."""
    if etag := response.headers.get("ETag"):
        return {"If-None-Match": etag}
    if modified := response.headers.get("Last-Modified"):
        return {"If-Modified-Since": modified}
    return {}
