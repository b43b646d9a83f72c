"""HTTP requests that time out early and stop on Cancel; and probing which trip files a server has.

Only code that is about to send a request imports this module: the HTTP client takes long to import.
"""

from __future__ import annotations

import asyncio
import email.utils
import math
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import httpx2
from pydantic import SecretStr

from pipeline.core.cancel import Cancel
from pipeline.core.errors import Cancelled, UsageError
from pipeline.core.retry import AsyncRetryingCaller
from pipeline.core.settings.settings import Settings
from pipeline.core.tasks import run_in_background
from pipeline.core.trips import TripFile
from pipeline.files.offers import Missing, Offer, Probe, Unknown, absent_statuses
from pipeline.files.public import NAMED_ORIGIN, NotPublic, PublicTransport, origin_of

RETRY_AFTER_CAP = 60.0  # seconds; a server may ask for longer waits
PROBE_TIMEOUT = 5.0  # seconds for one request of a probe
PROBE_RETRY_WAIT = 0.2  # seconds
PROBES_TIMEOUT = 20.0  # seconds for the probes of all files together
PROBES_AT_ONCE = 8
PROBE_REDIRECTS = 5
_CLOSING_TIMEOUT = 1.0  # seconds for closing what a request left open

Result = TypeVar("Result")


class TransientFailure(Exception):
    """A request failed, and may succeed when it is sent again.

    Attributes:
        wait: Seconds after which the server wants it again, or None if it did not say.
        connected: Whether a connection was made.
    """

    def __init__(self, reason: str, wait: float | None = None, *, connected: bool = True) -> None:
        super().__init__(reason)
        self.wait = wait
        self.connected = connected


class RequestRefused(Exception):
    """The server's response is final, and is not the file."""


def run(work: Callable[[], Coroutine[Any, Any, Result]], cancel: Cancel) -> Result:
    """Run a coroutine function in an event loop and a thread of its own and return its result.

    Ctrl-C in the main thread would otherwise break off the loop in the midst of its tasks.

    Raises Cancelled soon after `cancel` is set.
    """
    task = run_in_background(lambda: _run_loop(work, cancel), "web")
    try:
        return task.result()
    except KeyboardInterrupt:
        cancel.set()
        task.wait()
        raise


def _run_loop(work: Callable[[], Coroutine[Any, Any, Result]], cancel: Cancel) -> Result:
    # asyncio.run would wait for its threads at the end, and the lookup of a host name can take
    # minutes.
    loop = asyncio.new_event_loop()

    async def cancellable() -> Result:
        task = asyncio.current_task()
        assert task is not None

        def stop() -> None:
            with suppress(RuntimeError):  # the loop is closed, so the work is over
                loop.call_soon_threadsafe(task.cancel)

        with cancel.calling(stop):
            return await work()

    try:
        return loop.run_until_complete(cancellable())
    except asyncio.CancelledError:
        raise Cancelled from None
    finally:
        # Closing an answer that was left in the middle can fail: its generators are nested, and
        # shutdown_asyncgens closes all of them at once. The client has closed the connection.
        loop.set_exception_handler(_ignore_error)
        loop.run_until_complete(_finish_tasks())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _ignore_error(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """Print no error of a loop that is being closed."""


async def _finish_tasks() -> None:
    """Wait until no other task of the loop is left, at most for a moment."""
    deadline = time.monotonic() + _CLOSING_TIMEOUT
    await asyncio.sleep(0)  # begins what was asked of the loop before
    while (others := asyncio.all_tasks() - {asyncio.current_task()}) and (
        left := deadline - time.monotonic()
    ) > 0:
        await asyncio.wait(others, timeout=left)


@cache
def tls() -> ssl.SSLContext:
    """Return the trusted certificates; reading them takes longer than a whole request."""
    return httpx2.create_ssl_context()


def make_client(
    settings: Settings, login: SecretStr | None, redirects: int, timeout: float = float("inf")
) -> httpx2.AsyncClient:
    """Return an HTTP client with the timeouts of the settings.

    Args:
        login: User name and password as `user:password`.
        redirects: The most redirects to follow.
        timeout: Upper limit for the timeouts, in seconds.

    Raises UsageError if the certificates that the environment names cannot be used.
    """
    connect = min(settings.connect_timeout_seconds, timeout)
    read = min(settings.read_timeout_seconds, timeout)
    user, _, password = login.get_secret_value().partition(":") if login else ("", "", "")
    try:
        return httpx2.AsyncClient(
            timeout=httpx2.Timeout(read, connect=connect),
            follow_redirects=True,
            max_redirects=redirects,
            transport=PublicTransport(tls()),
            auth=httpx2.BasicAuth(user, password) if login else None,
            # Without it, some servers would unpack a .gz on the way.
            headers={"Accept-Encoding": "identity", "User-Agent": "fareground"},
        )
    except (ValueError, OSError) as error:
        raise UsageError(
            f"The certificates of this environment cannot be used: {error}.",
            cure="Correct or unset SSL_CERT_FILE, SSL_CERT_DIR and SSLKEYLOGFILE.",
        ) from None


@asynccontextmanager
async def send_request(
    http: httpx2.AsyncClient,
    method: str,
    address: str,
    headers: Mapping[str, str],
    named: str = "",
) -> AsyncIterator[httpx2.Response]:
    """Send a request and yield the response with its body unread.

    Args:
        named: The address that a person named, if `address` is a redirect from there. Redirects to
            other hosts are followed only if those are public (`pipeline.files.public`).

    Errors of the connection until the end of the block are raised as TransientFailure or
    RequestRefused.
    """
    timeout = (http.timeout.connect or 0) + (http.timeout.read or 0)
    try:
        extensions = {NAMED_ORIGIN: origin_of(httpx2.URL(named or address))}
        request = http.build_request(method, address, headers=dict(headers), extensions=extensions)
        try:
            async with asyncio.timeout(timeout):  # limits slow headers and redirects as a whole
                response = await http.send(request, stream=True)
        except (ImportError, ValueError, ExceptionGroup) as error:
            # The client looks at the proxies of the environment with the first request only; it
            # connects in a group of tasks.
            cause = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
            reason = "it is of the SOCKS kind" if isinstance(error, ImportError) else str(cause)
            raise RequestRefused(
                f"the proxy in HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used ({reason})"
            ) from None
        try:
            yield response
        finally:
            await response.aclose()
    except NotPublic as error:
        raise RequestRefused(str(error)) from None
    except httpx2.TooManyRedirects:
        raise RequestRefused("it redirects in a loop") from None
    except (httpx2.UnsupportedProtocol, httpx2.InvalidURL):
        raise RequestRefused("it redirects to an address that is not http or https") from None
    except (httpx2.ConnectTimeout, httpx2.ConnectError) as error:
        reason = f"no connection ({error or 'no answer'})"
        raise TransientFailure(reason, connected=False) from None
    except (httpx2.TimeoutException, TimeoutError):
        raise TransientFailure(f"no answer within {http.timeout.read:g} s") from None
    except httpx2.TransportError as error:
        raise TransientFailure(
            f"the connection dropped ({error or type(error).__name__})"
        ) from None


def check_status(response: httpx2.Response) -> None:
    """Raise TransientFailure or RequestRefused unless the response is (a part of) the file."""
    status = response.status_code
    if status in (408, 429) or status >= 500:
        raise TransientFailure(
            f"HTTP {status}", _retry_after(response.headers.get("Retry-After", ""))
        )
    if status not in (200, 206):
        raise RequestRefused(f"HTTP {status}")


def _retry_after(text: str) -> float | None:
    """Return the seconds of a Retry-After header, which may be a date; None if it is neither."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return None if math.isnan(seconds) else min(max(seconds, 0.0), RETRY_AFTER_CAP)


def size_of(response: httpx2.Response) -> int | None:
    """Return the bytes of the whole file, from Content-Range or Content-Length, if it says so."""
    if response.status_code == 206:
        total = re.search(r"/([0-9]+)$", response.headers.get("Content-Range", ""))
        return int(total[1]) if total else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def etag_of(response: httpx2.Response) -> str | None:
    """Return the version of the file, as `Offer.etag` defines it."""
    if etag := response.headers.get("ETag"):
        return str(etag)
    modified, size = response.headers.get("Last-Modified"), size_of(response)
    return f"{modified}-{'' if size is None else size}" if modified else None


def probe_files(
    wanted: Mapping[TripFile, tuple[Offer, ...]], base: str, settings: Settings, cancel: Cancel
) -> dict[TripFile, Probe]:
    """Ask a server for each trip file, at its addresses one after the other until it has one.

    Args:
        wanted: The addresses of each file, the likeliest first.
        base: The address that all of them begin with, for messages.

    Returns what the server said of each file. Files without a response within PROBES_TIMEOUT are
    Unknown. Raises Cancelled, and nothing else.
    """
    probes: dict[TripFile, Probe] = {}
    unreachable: list[str] = []  # why no connection can be made, after the first that failed
    slots = asyncio.Semaphore(PROBES_AT_ONCE)

    async def probe(http: httpx2.AsyncClient, file: TripFile, offers: tuple[Offer, ...]) -> None:
        async with slots:
            unanswered: list[Offer] = []
            reason = ""
            for offer in offers:
                try:
                    if unreachable:
                        raise RequestRefused(unreachable[0])
                    complete = await retrying(_probe_address, http, offer, settings)
                except (TransientFailure, RequestRefused) as error:
                    reason = reason or str(error)
                    unanswered.append(offer)
                    if isinstance(error, TransientFailure) and not error.connected:
                        unreachable.append(reason)
                    continue
                if complete:
                    probes[file] = complete
                    return
            if unanswered:
                probes[file] = Unknown(file, f"could not check {base}: {reason}", tuple(unanswered))
            else:
                probes[file] = Missing(file, _describe_absent(offers, base))

    async def probe_all() -> None:
        login = next(iter(wanted.values()))[0].login
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(PROBES_TIMEOUT),
                make_client(settings, login, PROBE_REDIRECTS, PROBE_TIMEOUT) as http,
                asyncio.TaskGroup() as tasks,
            ):
                for file, offers in wanted.items():
                    tasks.create_task(probe(http, file, offers))

    retrying = AsyncRetryingCaller(
        attempts=2, timeout=None, wait_initial=PROBE_RETRY_WAIT, wait_jitter=PROBE_RETRY_WAIT
    ).on(TransientFailure)
    run(probe_all, cancel)
    slow = f"could not check {base}: no answer in time"
    return {file: probes.get(file, Unknown(file, slow, offers)) for file, offers in wanted.items()}


def _describe_absent(offers: tuple[Offer, ...], base: str) -> str:
    """Return which addresses were tried in vain."""
    if len(offers) == 1:
        return f"no file of that name at {offers[0].address} (404)"
    tried = ", ".join(offer.address.removeprefix(f"{base}/") for offer in offers)
    return f"nothing at {base} under any of these names (404): {tried}"


async def _probe_address(
    http: httpx2.AsyncClient, offer: Offer, settings: Settings
) -> Offer | None:
    """Return the offer with its size and version, or None if the server has no such file."""
    absent = absent_statuses(offer.address, settings)
    async with send_request(http, "HEAD", offer.address, {}) as response:
        # A redirect may lead to a link that is signed for GET only, which answers HEAD with 403.
        if response.status_code not in {403, 405, 501} - absent:
            return _complete(offer, response, absent)
    async with send_request(http, "GET", offer.address, {"Range": "bytes=0-0"}) as response:
        if response.status_code == 416:  # the file is empty
            return replace(offer, bytes=0)
        return _complete(offer, response, absent)


def _complete(offer: Offer, response: httpx2.Response, absent: frozenset[int]) -> Offer | None:
    if response.status_code in absent:
        return None
    check_status(response)
    return replace(offer, bytes=size_of(response), etag=etag_of(response))
