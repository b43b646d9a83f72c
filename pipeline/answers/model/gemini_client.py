"""Connect to the Gemini API with google-genai, and explain what it raises.

What google-genai 3.4 does is handled here: importing it takes 0.6 s, so that happens when a model
is asked; it follows redirects and would send the key along; it reads a response without end; its
timeout is also the one for connecting; it does not retry, and ignores how long the API says to
wait; and it closes a client that nothing refers to.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pipeline.answers.model.gemini_errors import explain_status
from pipeline.answers.model.response_limits import (
    STREAM_BYTES,
    ResponseRefused,
    limit_response,
)
from pipeline.answers.model.retry import (
    IDLE_PATIENCE,
    Explain,
    FailedTry,
    explain_transport,
)
from pipeline.core.errors import ModelError
from pipeline.core.settings.settings import Settings

if TYPE_CHECKING:
    import httpx2
    from google.genai import Client

_EVENT_BYTES = 4_000_000  # of a stream: a proxy may send a whole answer as one
GOOGLE = "https://generativelanguage.googleapis.com/"


@asynccontextmanager
async def connect(settings: Settings, patience: float) -> AsyncIterator[Client]:
    """Yield a client for the block.

    Args:
        settings: Say what is asked, and with which key.
        patience: Most seconds that one try of a request may take.
    """
    from google import genai
    from google.genai import types

    from pipeline.files.web import tls

    async def prepare(request: Any) -> None:
        # A short compressed response can unpack to any length, which no limit of ours would see.
        request.headers["Accept-Encoding"] = "identity"
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
            "event_hooks": {"request": [prepare], "response": [_bound_response]},
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


async def _bound_response(response: httpx2.Response) -> None:
    is_stream = "streamGenerateContent" in response.request.url.path
    limit_response(response, STREAM_BYTES, _EVENT_BYTES if is_stream else None)


def _address(settings: Settings) -> str:
    return settings.gemini_base_url or GOOGLE


def explainer(settings: Settings, model: str) -> Explain:
    """Return a function that explains what a request to a model raised, for `retry`.

    Args:
        settings: Say which address is asked.
        model: The model that is asked; empty if there is none.
    """

    def explain(error: Exception, tries: int) -> FailedTry | None:
        import httpx2
        from google.genai import errors
        from pydantic import ValidationError

        if isinstance(error, errors.APIError):
            return explain_status(
                error.code or 0,
                str(error.status or ""),
                str(error.message or ""),
                error.details,
                model=model,
                tries=tries,
            )
        if isinstance(error, (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError)):
            return explain_transport(error, _address(settings), "GEMINI_BASE_URL")
        if isinstance(error, ResponseRefused):
            return FailedTry(
                ModelError(
                    f"Cannot read the API's response: {error}.",
                    cure="Try again; check GEMINI_BASE_URL if it is set.",
                )
            )
        # The client hands fields over without a look at their types, and stumbles over odd ones.
        odd = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
        if isinstance(error, (errors.UnknownApiResponseError, ValidationError, *odd)):
            return FailedTry(
                ModelError(
                    "Cannot read the API's response: it is truncated or not from the Gemini API.",
                    cure="Try again; check GEMINI_BASE_URL and GEMINI_API_VERSION if they are set.",
                )
            )
        return None

    return explain
