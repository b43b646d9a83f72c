"""Repeat requests to models that failed, wherever waiting helps; every provider can use it.

Exceptions of an HTTP client hold the whole response, and a provider's messages sometimes quote the
key. So none of them is passed on: each is explained by an error of ours, without secrets.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pipeline.answers.model import ModelResponse, OnWait
from pipeline.core.cancel import Cancel
from pipeline.core.errors import ModelError
from pipeline.core.redact import redact

TRIES = 4
LONGEST_WAIT = 60.0  # seconds: a minute's quota is full again; people decide about longer waits
_LONGEST_NAMED = 86_400.0  # seconds: what an API says beyond a day helps nobody
FIRST_WAIT = 2.0  # seconds
PATIENCE = 180.0  # seconds for a whole answer
IDLE_PATIENCE = 60.0  # seconds for the next piece of one

Result = TypeVar("Result")


@dataclass(frozen=True)
class FailedTry:
    """A request that failed, and the seconds to wait before the next try; None if none helps."""

    error: ModelError
    wait: float | None = None


Explain = Callable[[Exception, int], FailedTry | None]
"""Says what an exception of the n-th try means; None for one that is nobody's to explain."""


def quote(text: str) -> str:
    """Return a text of the API on one line of at most 300 characters, without secrets."""
    line = " ".join(redact(text).split())
    return line if len(line) <= 300 else f"{line[:300]} …"


async def retry(
    attempt: Callable[[], Awaitable[Result]],
    explain: Explain,
    on_wait: OnWait,
    may_retry: Callable[[], bool] = lambda: True,
    waited: Callable[[], object] = lambda: None,
) -> Result:
    """Return what `attempt` returns; repeat it where waiting helps.

    Args:
        attempt: Makes one request.
        explain: Says what an exception of a request means.
        on_wait: Called while the next try is waited for.
        may_retry: Says whether the request may still be repeated.
        waited: Called after each wait.

    Raises KeyRefused, ModelGone, QuotaSpent or ModelError for the failure of the last try.
    """
    for tries in range(1, TRIES + 1):
        try:
            return await attempt()
        except Exception as error:
            outcome = explain(error, tries)
            if outcome is None:
                raise
        if outcome.wait is None or tries == TRIES or not may_retry():
            # Not raised where it was caught: the client's own exception, which holds the request
            # and with it the key, would be its context.
            raise outcome.error
        until = time.monotonic() + outcome.wait
        while (left := until - time.monotonic()) > 0:
            on_wait(outcome.error.problem, left)
            await asyncio.sleep(min(left, 1.0))
        waited()
    raise AssertionError  # the loop ends in a return or raise


async def retry_answer(
    attempt: Callable[[], Awaitable[None]],
    explain: Explain,
    on_wait: OnWait,
    response: ModelResponse,
) -> None:
    """Repeat `attempt`, which fills `response`, as `retry` does, until the first text arrived.

    The seconds until the last try began are set as `response.waited_seconds`.
    """
    started = time.monotonic()

    def note_wait() -> None:
        response.waited_seconds = time.monotonic() - started

    await retry(attempt, explain, on_wait, lambda: not response.text, note_wait)


def explain_transport(error: Exception, address: str, setting: str) -> FailedTry:
    """Explain a failed connection.

    Args:
        error: What httpx2 raised.
        address: What was asked; errors name it without its path and login.
        setting: The setting that names the address.
    """
    import httpx2

    parts = urlsplit(address)
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout)):
        problem = f"{address} cannot be reached."
    elif isinstance(error, httpx2.TimeoutException):
        problem = f"{address} did not respond in time."
    elif isinstance(error, (httpx2.UnsupportedProtocol, httpx2.InvalidURL)):
        problem = f"{address} is not a valid address."
    else:
        problem = f"{address} closed the connection before the answer ended."
    return FailedTry(ModelError(problem, cure=f"Check the network, and {setting} if it is set."))


def doubling_wait(tries: int) -> float:
    """Return the seconds to wait after this many failed tries, twice as long each time."""
    wait: float = FIRST_WAIT * 2 ** (tries - 1)
    return min(wait, LONGEST_WAIT)


def describe_wait(seconds: float) -> str:
    """Return for how long an API wants no request, in words; it may ask for any time."""
    return f"another {seconds:,.0f} s" if seconds <= _LONGEST_NAMED else "longer than a day"


def run_request(
    work: Callable[[], Coroutine[Any, Any, Result]], cancel: Cancel | None = None
) -> Result:
    """Run a coroutine to its end from a thread without an event loop; Cancelled ends it."""
    from pipeline.files.web import run

    return run(work, cancel or Cancel())
