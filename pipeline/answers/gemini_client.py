"""The client of google-genai as we want it, and how long a request is tried.

Known of google-genai 3.4 and held here: it takes 0.6 s to import, so it is imported when it is
asked; it follows redirects and would take the key along, so it is told not to; its timeout is also
the one for connecting; it does not retry, and ignores how long the API says to wait; a client that
nobody holds closes itself.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from pipeline.answers.gemini_errors import Failure, explain_status, explain_transport
from pipeline.errors import KeyRefused, ModelError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from google.genai import Client

GOOGLE = "https://generativelanguage.googleapis.com/"

TRIES = 4
# Seconds: for a whole answer, and for the next piece of one.
PATIENCE = 180.0
IDLE_PATIENCE = 60.0

# Called about once a second while a request waits for its next try: why, and seconds left.
OnWait = Callable[[str, float], object]
Result = TypeVar("Result")


def ignore_wait(_why: str, _left: float) -> None:
    """Tell nobody that a request waits."""


def require_key(settings: Settings) -> None:
    """Raise KeyRefused if there is no key to ask with."""
    if not settings.gemini_api_key.get_secret_value():
        raise KeyRefused(
            "There is no Gemini API key.", cure="Add one on the Setup page, or set GEMINI_API_KEY."
        )


@asynccontextmanager
async def connect(settings: Settings, patience: float) -> AsyncIterator[Client]:
    """Hold a client for the block; raises KeyRefused where there is no key.

    `patience` is how many seconds one try of a request may take.
    """
    require_key(settings)
    from google import genai
    from google.genai import types

    from pipeline.web import tls

    async def be_patient(request: Any) -> None:
        request.extensions["timeout"] = {
            "connect": settings.connect_timeout_seconds,
            "read": min(IDLE_PATIENCE, patience),
            "write": IDLE_PATIENCE,
            "pool": IDLE_PATIENCE,
        }

    options = types.HttpOptions(
        base_url=_address(settings),
        api_version=settings.gemini_api_version or None,
        timeout=math.ceil(patience * 1000),
        client_args={"verify": tls()},
        async_client_args={
            "verify": tls(),
            "follow_redirects": False,
            "event_hooks": {"request": [be_patient]},
        },
    )
    client = genai.Client(
        vertexai=False, api_key=settings.gemini_api_key.get_secret_value(), http_options=options
    )
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()


def _address(settings: Settings) -> str:
    return settings.gemini_base_url or GOOGLE


async def persist(
    attempt: Callable[[], Awaitable[Result]],
    settings: Settings,
    model: str,
    on_wait: OnWait,
    may_retry: Callable[[], bool] = lambda: True,
    waited: Callable[[], object] = lambda: None,
) -> Result:
    """Return what `attempt` returns, trying again where the API says that waiting helps.

    Args:
        model: The one that is asked, for the words of an error; empty where it is none.
        may_retry: Whether another try may be made still.
        waited: Called after each pause.

    Raises KeyRefused, ModelGone, QuotaSpent, or ModelError for what the last try met.
    """
    for tries in range(1, TRIES + 1):
        outcome = await _try(attempt, settings, model, tries)
        if not isinstance(outcome, Failure):
            return outcome
        if outcome.wait is None or tries == TRIES or not may_retry():
            # Raised here and not where it was caught: the client's own exception, which holds the
            # request and with it the key, must not hang on ours.
            raise outcome.error
        until = time.monotonic() + outcome.wait
        while (left := until - time.monotonic()) > 0:
            on_wait(outcome.error.problem, left)
            await asyncio.sleep(min(left, 1.0))
        waited()
    raise AssertionError  # the loop returns or raises


async def _try(
    attempt: Callable[[], Awaitable[Result]], settings: Settings, model: str, tries: int
) -> Result | Failure:
    import httpx2
    from google.genai import errors
    from pydantic import ValidationError

    try:
        return await attempt()
    except errors.APIError as error:
        return explain_status(
            error.code or 0,
            str(error.status or ""),
            str(error.message or ""),
            error.details,
            model=model,
            tries=tries,
        )
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
        parts = urlsplit(_address(settings))
        return explain_transport(error, f"{parts.scheme}://{parts.netloc}")
    except (errors.UnknownApiResponseError, ValidationError, ValueError):
        return Failure(
            ModelError(
                "The API's answer cannot be read: it is cut, or is no answer of Gemini's.",
                cure="Try again; check GEMINI_BASE_URL and GEMINI_API_VERSION if they are set.",
            )
        )
