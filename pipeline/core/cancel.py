"""Cancellation token that stops the work of a run from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.core.errors import Cancelled


class Cancel:
    """Thread-safe cancellation token, shared by everything that works on one run.

    Code that runs in short steps calls `check` between them. Code that blocks (in a SQL statement
    or on a socket) registers the function that interrupts it with `calling`.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []

    def set(self) -> None:
        """Request cancellation and call every registered callback in this thread.

        A second call runs the callbacks registered by then again.
        """
        with self._lock:
            self._event.set()
            callbacks = list(self._callbacks)
        # The lock is released first: a thread that a callback unblocks takes it to unregister.
        for callback in callbacks:
            callback()

    def is_set(self) -> bool:
        """Return whether cancellation was requested."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise Cancelled if cancellation was requested."""
        if self._event.is_set():
            raise Cancelled

    @contextmanager
    def calling(self, callback: Callable[[], object]) -> Iterator[None]:
        """Register `callback` for the duration of the block; `set` calls it.

        Args:
            callback: Interrupts the blocking work. Called from the thread that cancels.

        Raises:
            Cancelled: Cancellation was requested before the block was entered.
        """
        with self._lock:
            self.check()
            self._callbacks.append(callback)
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.remove(callback)
