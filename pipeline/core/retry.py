"""Retries with growing waits; importing this module keeps them from writing to a log of their own.

All users of stamina import from here: its own hook would print a line of JSON on stderr for each
retry, and no run's log reads that.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from stamina import AsyncRetryingCaller, retry_context
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

__all__ = ["AsyncRetryingCaller", "RetryDetails", "on_retry", "retry_context"]

# The function that the running task wants called before the wait of each retry.
on_retry: ContextVar[Callable[[RetryDetails], None] | None] = ContextVar("on_retry", default=None)


def _call_on_retry(details: RetryDetails) -> None:
    if callback := on_retry.get():
        callback(details)


set_on_retry_hooks([_call_on_retry])
