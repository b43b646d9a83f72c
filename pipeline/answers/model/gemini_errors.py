"""Explain the errors of the Gemini API: what they mean, whether waiting helps, and how long.

The client's exceptions hold the whole response, and Google's messages sometimes quote the key, such
as a suspended one. So none of them is passed on: the messages for people are made here, without
secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.answers.model.retry import (
    LONGEST_WAIT,
    FailedTry,
    describe_wait,
    doubling_wait,
    quote,
)
from pipeline.core.errors import KeyRefused, ModelError, ModelGone, QuotaSpent

_KEY_CURE = "Check the key on the Setup page, or create one at https://aistudio.google.com/apikey."
_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "API_KEY_EXPIRED"})
_NO_QUOTA = re.compile(r"\blimit: 0\b(?!\.\d)")
_COUNT = re.compile(r"[0-9]{1,15}")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


def explain_status(
    code: int, status: str, message: str, details: Any, *, model: str, tries: int
) -> FailedTry:
    """Explain an error of the API.

    Args:
        code: HTTP status, or the code of an error within a stream.
        status: Google's name for it, such as RESOURCE_EXHAUSTED.
        message: Google's sentence, which may hold a secret.
        details: The JSON of the error as the client holds it.
        model: The model that was asked.
        tries: How many tries have failed, this one included.
    """
    entries = list(_entries(details))
    quoted = quote(message)
    reasons = {str(entry.get("reason")) for entry in entries}
    if reasons & _REASONS or code == 401:
        return FailedTry(KeyRefused("The API does not accept the key.", cure=_KEY_CURE))
    if code == 403:
        return FailedTry(KeyRefused(f"The key may not do this: {quoted}", cure=_KEY_CURE))
    if code == 404:
        return FailedTry(
            ModelGone(
                f"The API has no model {model}: it is retired, or its name is wrong.",
                cure="Choose another model.",
            )
        )
    if code == 429:
        return _explain_quota(entries, quoted, model, tries)
    if code in (500, 502, 503, 504):
        error = ModelError(
            f"The API is overloaded or failing ({code} {quote(status)}).",
            cure="Try again in a minute, or choose another model.",
        )
        return FailedTry(error, doubling_wait(tries))
    cure = "Shorten the question or the sources." if "token" in quoted else "Check the settings."
    return FailedTry(ModelError(f"The API refuses the request ({code}): {quoted}", cure=cure))


def _explain_quota(
    entries: list[Mapping[str, Any]], quoted: str, model: str, tries: int
) -> FailedTry:
    violations = [
        violation for entry in entries for violation in _mappings(entry.get("violations"))
    ]
    # The day's quota comes with a RetryInfo too, of some seconds that are not enough.
    daily = next((v for v in violations if "PerDay" in str(v.get("quotaId"))), None)
    if _NO_QUOTA.search(quoted) or any(str(v.get("quotaValue")) == "0" for v in violations):
        return FailedTry(
            QuotaSpent(
                f"The key has no quota for {model}: its limit is 0, as for models that the free "
                "tier does not include.",
                cure="Choose another model, or turn on billing for the key's project.",
            )
        )
    if daily:
        most = str(daily.get("quotaValue") or "")
        limit = f" ({int(most):,} requests or tokens a day)" if _COUNT.fullmatch(most) else ""
        return FailedTry(
            QuotaSpent(
                f"Today's quota for {model} is used up{limit}.",
                cure="Wait until midnight Pacific time, or choose another model.",
            )
        )
    wait = next(filter(None, (_seconds(entry.get("retryDelay")) for entry in entries)), None)
    if wait is not None and wait > LONGEST_WAIT:
        return FailedTry(
            QuotaSpent(
                f"The quota for {model} is used up for {describe_wait(wait)}.",
                cure="Try again after that, or choose another model.",
            )
        )
    error = ModelError(
        f"The quota for {model} is used up for the moment: {quoted}",
        cure="Wait a minute, or choose another model.",
    )
    # RetryInfo is sometimes rounded down; without one, the quota is most likely a minute's.
    return FailedTry(error, wait + 0.5 if wait is not None else doubling_wait(tries + 1))


def _seconds(duration: object) -> float | None:
    """Return a protobuf duration such as `33.5s` in seconds, or None for anything else."""
    match = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    return float(match[1]) if match else None


def _entries(details: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of error.details, at either place where the client puts them."""
    if isinstance(details, list) and len(details) == 1:
        details = details[0]
    if isinstance(details, Mapping):
        inner = details.get("error", details)
        if isinstance(inner, Mapping):
            yield from _mappings(inner.get("details"))


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, Mapping))
