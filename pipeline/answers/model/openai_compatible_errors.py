"""Explain the errors of servers that speak the OpenAI API: what they mean, whether waiting helps.

The servers agree on the form of a request, not on the form of an error: Ollama, llama.cpp, vLLM and
LiteLLM each word it in their own way. So an error is told by its HTTP status, then by words in its
message. The exceptions of the client hold the request and with it the key, so none is passed on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pipeline.answers.model.response_limits import ResponseRefused
from pipeline.answers.model.retry import (
    LONGEST_WAIT,
    Explain,
    FailedTry,
    describe_wait,
    doubling_wait,
    explain_transport,
    quote,
)
from pipeline.core.errors import KeyRefused, ModelError, ModelGone, QuotaSpent
from pipeline.core.settings.settings import Settings

_KEY_CURE = "Set OPENAI_API_KEY to a key that the server accepts."
_ADDRESS_CURE = "Check OPENAI_BASE_URL: it usually ends in /v1."
_NO_MODEL = re.compile(r"\bmodel\b.*(not found|not exist|no such|unknown|not loaded)|invalid model")
_TOO_LONG = re.compile(r"context (length|size|window)|too (long|large)|maximum.*tokens")


def explainer(settings: Settings, model: str) -> Explain:
    """Return a function that explains what a request to a model raised, for `retry`.

    Args:
        settings: Say which server is asked.
        model: The model that is asked; empty if there is none.
    """

    def explain(error: Exception, tries: int) -> FailedTry | None:
        import httpx2
        import openai

        if isinstance(error, openai.APIStatusError):
            return _explain_status(
                error.status_code, error.body, error.response.headers, model, settings, tries
            )
        if isinstance(error, openai.APIConnectionError) and isinstance(error.__cause__, Exception):
            error = error.__cause__
        if isinstance(error, TimeoutError):
            error = httpx2.ReadTimeout("")
        if isinstance(
            error,
            (openai.APIConnectionError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError),
        ):
            return explain_transport(error, settings.openai_base_url, "OPENAI_BASE_URL")
        if isinstance(error, ResponseRefused):
            return FailedTry(
                ModelError(
                    f"Cannot read the server's response: {error}.",
                    cure=f"Choose another model. {_ADDRESS_CURE}",
                )
            )
        if isinstance(error, openai.APIResponseValidationError | ValueError | RecursionError):
            return FailedTry(unreadable())
        if isinstance(error, openai.APIError):  # an error within a stream
            return FailedTry(
                ModelError(
                    f"The server stopped the answer: {quote(_message(error.body, error.message))}",
                    cure="Try again; the server's log may say more.",
                )
            )
        return None

    return explain


def unreadable() -> ModelError:
    """Return the error for a response that is not one of the OpenAI API."""
    return ModelError(
        "Cannot read the server's response: it is not from the OpenAI API, or cut off.",
        cure=_ADDRESS_CURE,
    )


def _explain_status(
    code: int,
    body: object,
    headers: Mapping[str, str],
    model: str,
    settings: Settings,
    tries: int,
) -> FailedTry:
    message = quote(_message(body, ""))
    words = message.lower()
    says = f": {message}" if message else "."
    if code in (401, 403):
        if not settings.openai_api_key.get_secret_value():
            return FailedTry(KeyRefused("The server asks for a key.", cure=_KEY_CURE))
        return FailedTry(
            KeyRefused(f"The server does not accept the key ({code}).", cure=_KEY_CURE)
        )
    if code in (400, 404) and _NO_MODEL.search(words):
        return FailedTry(
            ModelGone(
                f"The server has no model {model}: {message}",
                cure="Choose one that it lists, or load it there first, as with `ollama pull`.",
            )
        )
    if code == 404:
        return FailedTry(ModelError("The server has no such address (404).", cure=_ADDRESS_CURE))
    if code == 429:
        return _explain_quota(body, message, headers.get("retry-after", ""), model, tries)
    if code >= 500:
        error = ModelError(
            f"The server is overloaded or failing ({code}){says}",
            cure="Try again in a minute; the server's log may say more.",
        )
        return FailedTry(error, doubling_wait(tries))
    if 300 <= code < 400:
        return FailedTry(
            ModelError(
                f"The server redirects ({code}), which is not followed: the key would go along.",
                cure="Set OPENAI_BASE_URL to the address that it redirects to.",
            )
        )
    cure = (
        "Shorten the question or the sources, or give the model a longer context."
        if _TOO_LONG.search(words)
        else "Check the model and the settings of the server."
    )
    return FailedTry(ModelError(f"The server refuses the request ({code}){says}", cure=cure))


def _explain_quota(
    body: object, message: str, retry_after: str, model: str, tries: int
) -> FailedTry:
    if isinstance(body, Mapping) and "insufficient_quota" in (body.get("code"), body.get("type")):
        return FailedTry(
            QuotaSpent(
                f"The key has no quota for {model}: {message}",
                cure="Check the plan and billing of the key, or choose another model.",
            )
        )
    wait = float(retry_after) if re.fullmatch(r"\d+(\.\d+)?", retry_after) else None
    if wait is not None and wait > LONGEST_WAIT:
        return FailedTry(
            QuotaSpent(
                f"The quota for {model} is used up for {describe_wait(wait)}.",
                cure="Try again after that, or choose another model.",
            )
        )
    error = ModelError(
        f"The server takes no more requests for the moment: {message or 'HTTP 429'}",
        cure="Wait a minute, or choose another model.",
    )
    return FailedTry(error, wait if wait is not None else doubling_wait(tries))


def _message(body: object, default: str) -> str:
    """Return the message in an error response; servers use different fields for it."""
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        if isinstance(inner, str):
            return inner
        if isinstance(inner, Mapping):
            for name in ("message", "detail"):
                if isinstance(inner.get(name), str):
                    return str(inner[name])
    return default
