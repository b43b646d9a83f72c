"""HTTP with short patience: requests that Cancel stops, and which trip files an address has.

Imported only for an http(s) source, because the client takes a while to import.
"""

from __future__ import annotations

import asyncio
import email.utils
import re
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import httpx2
import stamina
from pydantic import SecretStr
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from pipeline.cancel import Cancel
from pipeline.errors import Cancelled
from pipeline.settings import Settings
from pipeline.sources import Missing, Offer, Probe, Unknown, absent_statuses
from pipeline.trips import TripFile

# Seconds.
RETRY_AFTER_CAP = 60.0
PROBE_PATIENCE = 5.0
PROBE_RETRY_WAIT = 0.2
SURVEY_PATIENCE = 20.0

PROBES_AT_ONCE = 8
PROBE_REDIRECTS = 5

Result = TypeVar("Result")


class Transient(Exception):
    """A try failed in a way that another may not; `wait` is when, in seconds, if that is known."""

    def __init__(self, reason: str, wait: float | None = None, *, connected: bool = True) -> None:
        super().__init__(reason)
        self.wait = wait
        self.connected = connected


class Refused(Exception):
    """The server's answer is final, and it is not the file."""


# Who, in the running task, wants to be told of a retry before its wait.
on_retry: ContextVar[Callable[[RetryDetails], None] | None] = ContextVar("on_retry", default=None)


def _tell_retry(details: RetryDetails) -> None:
    if tell := on_retry.get():
        tell(details)


# In place of stamina's own hook, which logs to where no run's log is.
set_on_retry_hooks([_tell_retry])


def run(work: Callable[[], Coroutine[Any, Any, Result]], cancel: Cancel) -> Result:
    """Run `work` in an event loop of its own; raise Cancelled soon after `cancel` is set."""
    # Not asyncio.run, which waits for threads at its end: for one that looks up a host name, long.
    loop = asyncio.new_event_loop()

    async def cancellable() -> Result:
        task = asyncio.current_task()
        assert task is not None

        def stop() -> None:
            with suppress(RuntimeError):  # the loop is closed: there is nothing left to stop
                loop.call_soon_threadsafe(task.cancel)

        with cancel.calling(stop):
            return await work()

    try:
        return loop.run_until_complete(cancellable())
    except asyncio.CancelledError:
        raise Cancelled from None
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@cache
def tls() -> ssl.SSLContext:
    """The certificates to trust, read once: that takes longer than a whole request."""
    return httpx2.create_ssl_context()


def client(
    settings: Settings, login: SecretStr | None, redirects: int, most: float = float("inf")
) -> httpx2.AsyncClient:
    """Return a client whose timeouts are the settings', but at most `most` seconds."""
    connect = min(settings.connect_timeout_seconds, most)
    read = min(settings.read_timeout_seconds, most)
    user, _, password = login.get_secret_value().partition(":") if login else ("", "", "")
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(read, connect=connect),
        follow_redirects=True,
        max_redirects=redirects,
        verify=tls(),
        auth=httpx2.BasicAuth(user, password) if login else None,
        # A .gz must arrive as it is stored, not unpacked on the way.
        headers={"Accept-Encoding": "identity", "User-Agent": "fareground"},
    )


@asynccontextmanager
async def answer(
    http: httpx2.AsyncClient, method: str, address: str, headers: Mapping[str, str]
) -> AsyncIterator[httpx2.Response]:
    """Send a request and yield the answer, its body unread.

    What goes wrong until the block's end is raised as Transient or Refused.
    """
    patience = (http.timeout.connect or 0) + (http.timeout.read or 0)
    try:
        request = http.build_request(method, address, headers=dict(headers))
        async with asyncio.timeout(patience):  # headers may drip in, redirects may be slow
            response = await http.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()
    except httpx2.TooManyRedirects:
        raise Refused("it redirects in a loop") from None
    except (httpx2.UnsupportedProtocol, httpx2.InvalidURL):
        raise Refused("it redirects to what is no http(s) address") from None
    except (httpx2.ConnectTimeout, httpx2.ConnectError) as error:
        reason = f"no connection ({error or 'no answer'})"
        raise Transient(reason, connected=False) from None
    except (httpx2.TimeoutException, TimeoutError):
        raise Transient(f"no answer within {http.timeout.read:g} s") from None
    except httpx2.TransportError as error:
        raise Transient(f"the connection broke off ({error or type(error).__name__})") from None


def judge(response: httpx2.Response) -> None:
    """Raise Transient or Refused for an answer that is neither the file nor its absence."""
    status = response.status_code
    if status in (408, 429) or status >= 500:
        raise Transient(f"HTTP {status}", _retry_after(response.headers.get("Retry-After", "")))
    if status not in (200, 206):
        raise Refused(f"it answers HTTP {status}")


def _retry_after(text: str) -> float | None:
    """Read a Retry-After header, in seconds or as a date; None when it says nothing usable."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            then = email.utils.parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), RETRY_AFTER_CAP) if seconds == seconds else None


def size_of(response: httpx2.Response) -> int | None:
    """Return the size of the whole file, in bytes, from Content-Range or Content-Length."""
    if response.status_code == 206:
        total = re.search(r"/([0-9]+)$", response.headers.get("Content-Range", ""))
        return int(total[1]) if total else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def version(response: httpx2.Response) -> str | None:
    """Return what tells this version of the file from others: see Offer.etag."""
    if etag := response.headers.get("ETag"):
        return str(etag)
    modified, size = response.headers.get("Last-Modified"), size_of(response)
    return f"{modified}-{'' if size is None else size}" if modified else None


def survey(
    wanted: Mapping[TripFile, tuple[Offer, ...]], base: str, settings: Settings, cancel: Cancel
) -> dict[TripFile, Probe]:
    """Ask, for each trip file, for the headers of its addresses until one has it.

    Files that were not reached within SURVEY_PATIENCE seconds are Unknown. Raises only Cancelled.
    """
    found: dict[TripFile, Probe] = {}
    down: list[str] = []  # why the server cannot be reached, once that is known
    gate = asyncio.Semaphore(PROBES_AT_ONCE)

    async def ask(http: httpx2.AsyncClient, file: TripFile, offers: tuple[Offer, ...]) -> None:
        async with gate:
            left: list[Offer] = []
            reason = ""
            for offer in offers:
                try:
                    if down:
                        raise Refused(down[0])
                    present = await retrying(_look, http, offer, settings)
                except (Transient, Refused) as error:
                    reason = reason or str(error)
                    left.append(offer)
                    if isinstance(error, Transient) and not error.connected:
                        down.append(reason)
                    continue
                if present:
                    found[file] = present
                    return
            if left:
                found[file] = Unknown(file, f"{base} could not be asked: {reason}", tuple(left))
            else:
                place = offers[0].address if len(offers) == 1 else base
                found[file] = Missing(file, f"no file of that name at {place} (404)")

    async def ask_all() -> None:
        login = next(iter(wanted.values()))[0].login
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(SURVEY_PATIENCE),
                client(settings, login, PROBE_REDIRECTS, PROBE_PATIENCE) as http,
                asyncio.TaskGroup() as tasks,
            ):
                for file, offers in wanted.items():
                    tasks.create_task(ask(http, file, offers))

    retrying = stamina.AsyncRetryingCaller(
        attempts=2, timeout=None, wait_initial=PROBE_RETRY_WAIT, wait_jitter=PROBE_RETRY_WAIT
    ).on(Transient)
    run(ask_all, cancel)
    slow = f"{base} could not be asked: it answers too slowly"
    return {file: found.get(file, Unknown(file, slow, offers)) for file, offers in wanted.items()}


async def _look(http: httpx2.AsyncClient, offer: Offer, settings: Settings) -> Offer | None:
    """Return the offer with size and version filled in, or None when there is no such file."""
    absent = absent_statuses(offer.address, settings)
    async with answer(http, "HEAD", offer.address, {}) as response:
        # 403: a link signed for GET, behind a redirect, refuses HEAD.
        if response.status_code not in {403, 405, 501} - absent:
            return _filled(offer, response, absent)
    async with answer(http, "GET", offer.address, {"Range": "bytes=0-0"}) as response:
        if response.status_code == 416:  # a file without a first byte
            return replace(offer, bytes=0)
        return _filled(offer, response, absent)


def _filled(offer: Offer, response: httpx2.Response, absent: frozenset[int]) -> Offer | None:
    if response.status_code in absent:
        return None
    judge(response)
    return replace(offer, bytes=size_of(response), etag=version(response))
