"""What the Gemini API's errors mean, whether waiting helps, and how long to wait.

The client's own exceptions hold the whole response, and Google's texts sometimes quote the key (a
suspended one is named in the message), so none of them is passed on: what people see is made here,
with secrets taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import KeyRefused, ModelError, ModelGone, QuotaSpent
from pipeline.redact import redact

# Seconds. A minute's quota is full again after one; a longer wait is for people to decide.
WAIT_CAP = 60.0
FIRST_WAIT = 2.0

_KEY_CURE = "Check the key on the Setup page, or make one at https://aistudio.google.com/apikey."
_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "API_KEY_EXPIRED"})
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


@dataclass(frozen=True)
class Failure:
    """A try that failed: what to say, and how long to wait before another; None: do not try."""

    error: ModelError
    wait: float | None = None


def quote(text: str) -> str:
    """Return a text of the API's without secrets, on one line and not endless."""
    line = " ".join(redact(text).split())
    return line if len(line) <= 300 else f"{line[:300]} …"


def explain_status(
    code: int, status: str, message: str, details: Any, *, model: str, tries: int
) -> Failure:
    """Return what an error of the API means.

    Args:
        code: HTTP status, or the code in an error sent within a stream.
        status: Google's word for it, such as RESOURCE_EXHAUSTED.
        message: Google's sentence, unsafe to show as it is.
        details: The error's JSON as the client keeps it.
        model: The model that was asked.
        tries: How many tries failed so far, this one included.
    """
    entries = list(_entries(details))
    said = quote(message)
    reasons = {str(entry.get("reason")) for entry in entries}
    if reasons & _REASONS or code == 401:
        return Failure(KeyRefused("The API does not accept the key.", cure=_KEY_CURE))
    if code == 403:
        return Failure(KeyRefused(f"The key may not do this: {said}", cure=_KEY_CURE))
    if code == 404:
        return Failure(
            ModelGone(
                f"The API has no model {model}: it is retired, or its name is not right.",
                cure="Choose another model.",
            )
        )
    if code == 429:
        return _explain_quota(entries, said, model, tries)
    if code in (500, 502, 503, 504):
        error = ModelError(
            f"The API is overloaded or out of order ({code} {quote(status)}).",
            cure="Try again in a minute, or choose another model.",
        )
        return Failure(error, _doubling(tries))
    cure = "Shorten the question or the sources." if "token" in said else "Check the settings."
    return Failure(ModelError(f"The API refuses the request ({code}): {said}", cure=cure))


def _explain_quota(entries: list[Mapping[str, Any]], said: str, model: str, tries: int) -> Failure:
    violations = [
        violation for entry in entries for violation in _mappings(entry.get("violations"))
    ]
    # Also the day's quota comes with a RetryInfo, of some seconds that lead nowhere.
    daily = next((v for v in violations if "PerDay" in str(v.get("quotaId"))), None)
    if daily:
        most = str(daily.get("quotaValue") or "")
        return Failure(
            QuotaSpent(
                f"Today's quota for {model} is used up"
                f"{f' ({int(most):,} requests or tokens a day)' if most.isdigit() else ''}.",
                cure="It starts anew at midnight Pacific time; or choose another model.",
            )
        )
    wait = next(filter(None, (_seconds(entry.get("retryDelay")) for entry in entries)), None)
    if wait is not None and wait > WAIT_CAP:
        return Failure(
            QuotaSpent(
                f"The quota for {model} is used up for another {wait:,.0f} s.",
                cure="Try again then, or choose another model.",
            )
        )
    error = ModelError(
        f"The quota for {model} is used up for the moment: {said}",
        cure="Wait a minute, or choose another model.",
    )
    # RetryInfo is rounded down now and then; without one, a minute's quota is the likely one.
    return Failure(error, wait + 0.5 if wait is not None else _doubling(tries + 1))


def explain_transport(error: Exception, address: str) -> Failure:
    """Return what a failed connection means; `address` is the API's, without a path."""
    kind = type(error).__name__
    if "Connect" in kind:
        problem = f"{address} cannot be reached."
    elif "Timeout" in kind:
        problem = f"{address} was silent for too long."
    elif "Unsupported" in kind or "InvalidURL" in kind:
        problem = f"{address} is not an address that can be asked."
    else:
        problem = f"{address} broke the connection off before the answer ended."
    return Failure(ModelError(problem, cure="Check the network, and GEMINI_BASE_URL if it is set."))


def _doubling(tries: int) -> float:
    wait: float = FIRST_WAIT * 2 ** (tries - 1)
    return min(wait, WAIT_CAP)


def _seconds(duration: object) -> float | None:
    """Return a protobuf duration such as `33.5s` in seconds, or None for anything else."""
    found = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    return float(found[1]) if found else None


def _entries(details: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of error.details, wherever the client put them; never fails on nonsense."""
    if isinstance(details, list) and len(details) == 1:
        details = details[0]
    if isinstance(details, Mapping):
        inner = details.get("error", details)
        if isinstance(inner, Mapping):
            yield from _mappings(inner.get("details"))


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, Mapping))
