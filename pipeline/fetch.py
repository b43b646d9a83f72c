"""A trip file's bytes by HTTP: resumed, retried, and only when they changed.

A part is continued only when the server proves, with a strong ETag, that it is of the same version.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx2
import stamina
from stamina.instrumentation import RetryDetails

from pipeline.cancel import Cancel
from pipeline.errors import NotPublished, SourceUnreachable, TripFileError
from pipeline.settings import Settings
from pipeline.sources import Offer, absent_statuses
from pipeline.staging import Part, Progress, Received, require_space, size_in_words
from pipeline.web import Refused, Transient, answer, client, judge, on_retry, run, size_of, version

# Seconds; the waits between tries double from the first to the longest.
FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0
JITTER = 1.0

# A download that brings less over a whole read timeout counts as stalled, however it drips.
SLOWEST_BYTES_PER_SECOND = 100

REDIRECTS = 10


def _backoff(error: Exception) -> bool | float:
    """Tell stamina whether to try again, or after how many seconds the server wants it."""
    if not isinstance(error, Transient):
        return False
    return True if error.wait is None else error.wait


def fetch(
    offer: Offer,
    part: Part,
    conditions: dict[str, str],
    settings: Settings,
    cancel: Cancel,
    on_progress: Callable[[Progress], None],
    on_note: Callable[[str], None],
) -> Received | None:
    """Bring an offer's bytes into `part`, continuing what is there of the same version.

    Returns None when the server says that, by `conditions`, the file is unchanged. Raises
    NotPublished, SourceUnreachable, TripFileError (too large), StorageError or Cancelled; but for
    the third, the part stays for a later try.
    """
    download = _Download(offer, part, conditions, settings, cancel, on_progress, on_note)
    try:
        return run(download.run, cancel)
    except TripFileError:
        part.discard()
        raise
    except Transient as error:
        tries = settings.download_attempts
        reason = f"{error}, {tries} times over" if tries > 1 else str(error)
        cure = "Run it again later; what came is kept and continued."
    except Refused as error:
        reason = str(error)
        cure = "Check the source's address; if it wants a login, write user:password@ into it."
    raise SourceUnreachable(
        f"{offer.file} cannot be had from {offer.address}: {reason}.", cure=cure
    )


@dataclass
class _Download:
    offer: Offer
    part: Part
    conditions: dict[str, str]
    settings: Settings
    cancel: Cancel
    on_progress: Callable[[Progress], None]
    on_note: Callable[[str], None]

    async def run(self) -> Received | None:
        """Try until it is here, or until the tries are used up."""
        on_retry.set(self._tell)
        retrying = stamina.AsyncRetryingCaller(
            attempts=self.settings.download_attempts,
            timeout=None,
            wait_initial=FIRST_WAIT,
            wait_max=LONGEST_WAIT,
            wait_jitter=JITTER,
        )
        async with client(self.settings, self.offer.login, REDIRECTS) as http:
            return await retrying(_backoff, self._try, http)

    def _tell(self, details: RetryDetails) -> None:
        self.on_note(
            f"retry {details.retry_num + 1} of {self.settings.download_attempts} after "
            f"{details.caused_by}, waiting {details.wait_for:.1f} s"
        )

    async def _try(self, http: httpx2.AsyncClient) -> Received | None:
        offset, etag = self.part.resumable(self.offer.address)
        headers = dict(self.conditions)
        if offset:
            headers |= {"Range": f"bytes={offset}-", "If-Range": etag}
        async with answer(http, "GET", self.offer.address, headers) as response:
            if response.status_code == 304 and self.conditions:
                return None
            if response.status_code in absent_statuses(self.offer.address, self.settings):
                raise NotPublished(
                    f"{self.offer.file} is not published: there is nothing at "
                    f"{self.offer.address} (HTTP {response.status_code}).",
                    cure="Pick another month, or another source.",
                )
            if response.status_code == 416 and offset:
                self._require_whole(response, offset)
                return Received(etag, {"If-None-Match": etag}, resumed=True)
            judge(response)
            if response.status_code == 200:
                if offset:
                    self.on_note("it changed, or cannot be resumed: starting over")
                offset = 0
            else:
                self._require_rest(response, offset, etag)
            await self._receive(response, offset)
            return Received(version(response), _conditions(response), resumed=offset > 0)

    def _require_whole(self, response: httpx2.Response, offset: int) -> None:
        """Accept "there are no bytes behind your last" only when that is the file's last, too."""
        if response.headers.get("Content-Range") != f"bytes */{offset}":
            self.part.discard()
            raise Transient("HTTP 416 for what was to be resumed", wait=0.0)

    def _require_rest(self, response: httpx2.Response, offset: int, etag: str) -> None:
        """Accept a partial answer only when it continues, byte by byte, what is here."""
        starts = response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
        same = offset and response.headers.get("ETag") == etag
        if not (starts and same and size_of(response) is not None):
            self.part.discard()
            raise Transient("an answer that does not continue what is here", wait=0.0)
        self.on_note(f"resumed at {size_in_words(offset)}")

    async def _receive(self, response: httpx2.Response, offset: int) -> None:
        total = size_of(response)
        self._require_fitting(total or 0)
        require_space(self.offer.file, self.part.path.parent, total)
        etag = response.headers.get("ETag", "")
        strong = etag if etag.startswith('"') else ""
        done, mark, marked = offset, time.monotonic(), offset
        with self.part.writing(offset, self.offer.address, strong) as write:
            self.on_progress(Progress(done, total))
            async for chunk in response.aiter_raw():
                self.cancel.check()
                write(chunk)
                done += len(chunk)
                self._require_fitting(done)
                self.on_progress(Progress(done, total))
                elapsed = time.monotonic() - mark
                if elapsed > self.settings.read_timeout_seconds:
                    if done - marked < SLOWEST_BYTES_PER_SECOND * elapsed:
                        raise Transient(f"only {done - marked} bytes in {elapsed:.1f} s")
                    mark, marked = time.monotonic(), done
        if total is not None and done != total:
            raise Transient(f"only {done} of {total} bytes")

    def _require_fitting(self, size: int) -> None:
        limit = self.settings.max_unpacked_gib
        if size > limit * 2**30:
            raise TripFileError(
                f"{self.offer.file} at {self.offer.address} is larger than {limit:g} GiB.",
                cure="If that is right, raise FAREGROUND_MAX_UNPACKED_GIB.",
            )


def _conditions(response: httpx2.Response) -> dict[str, str]:
    """Return the headers that ask for the file again only if it changed."""
    if etag := response.headers.get("ETag"):
        return {"If-None-Match": etag}
    if modified := response.headers.get("Last-Modified"):
        return {"If-Modified-Since": modified}
    return {}
