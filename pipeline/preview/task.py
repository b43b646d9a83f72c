"""Work in a thread of its own, for a page that shows it, cancels it, or has long moved on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from pipeline.cancel import Cancel
from pipeline.staging import Progress

Result = TypeVar("Result")


class Task(Generic[Result]):
    """One piece of work that has begun.

    Attributes:
        cancel: Stops it; `result` then raises Cancelled.
        progress: How far a download is; None until something was said of it.
    """

    def __init__(
        self, work: Callable[[Cancel, Callable[[Progress], None]], Result], name: str
    ) -> None:
        """Begin `work`, which is given what cancels it and where to tell its progress."""
        self.cancel = Cancel()
        self.progress: Progress | None = None
        self._began = time.monotonic()
        self._outcome: Future[Result] = Future()

        def run() -> None:
            try:
                self._outcome.set_result(work(self.cancel, self._advance))
            except BaseException as error:
                self._outcome.set_exception(error)

        # A daemon thread, unlike a pool's: a server that stops must not wait for a slow source.
        threading.Thread(target=run, name=name, daemon=True).start()

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    def done(self, patience: float = 0.0) -> bool:
        """Whether it has ended, after waiting for that at most `patience` seconds."""
        wait([self._outcome], timeout=patience)
        return self._outcome.done()

    def succeeded(self) -> bool:
        """Whether it has ended, and well."""
        return self._outcome.done() and self._outcome.exception() is None

    def result(self) -> Result:
        """Return what came of it, once it has ended, or raise what went wrong."""
        return self._outcome.result()

    def _advance(self, progress: Progress) -> None:
        self.progress = progress
