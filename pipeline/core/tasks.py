"""Run work in background threads: follow its progress, cancel it, and collect its result.

A `Task` is one piece of work in a thread of its own. A `TaskPool` runs tasks in the order in which
they were added and bounds how many run at the same time.

All threads are daemons, unlike those of `concurrent.futures`: a process that stops must not wait
for a slow source or a long statement.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from pipeline.core.cancel import Cancel

Result = TypeVar("Result")
Report = TypeVar("Report")


class Task(Generic[Result, Report]):
    """One piece of work that runs in a background thread.

    Attributes:
        name: The name of the thread, for logs and debuggers.
        cancel: Cancels the work, which then raises Cancelled at its next check. A task that still
            waits in a pool raises Cancelled without starting.
        progress: The newest report of the work, or None before its first.
    """

    def __init__(
        self,
        work: Callable[[Cancel, Callable[[Report], None]], Result],
        name: str,
        pool: TaskPool | None = None,
    ) -> None:
        """Start `work` at once, or in its turn if a pool is given.

        Args:
            work: Called with the token that cancels it and a function that reports progress.
            name: The name of the thread.
            pool: Where the task waits for its turn.
        """
        self.name = name
        self.cancel = Cancel()
        self.progress: Report | None = None
        self._started_at = time.monotonic()
        self._outcome: Future[Result] = Future()

        def run() -> None:
            try:
                self.cancel.check()
                result = work(self.cancel, self._report)
            except BaseException as error:
                self._outcome.set_exception(error)
            else:
                self._outcome.set_result(result)

        if pool is None:
            _start_thread(run, name)
        else:
            pool.add(run, name)

    @property
    def seconds(self) -> float:
        """The seconds since the task was made, including its wait in a pool."""
        return time.monotonic() - self._started_at

    def done(self) -> bool:
        """Return whether the work has ended, with a result or an error."""
        return self._outcome.done()

    def succeeded(self) -> bool:
        """Return whether the work has ended with a result."""
        return self._outcome.done() and self._outcome.exception() is None

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the work has ended, at most `seconds`; return whether it has."""
        wait([self._outcome], seconds)
        return self._outcome.done()

    def result(self, seconds: float | None = None) -> Result:
        """Wait for the result and return it.

        Raises TimeoutError if the work has not ended within `seconds`, and whatever the work
        raised.
        """
        return self._outcome.result(seconds)

    def add_done_callback(self, callback: Callable[[], object]) -> None:
        """Call `callback` in the task's thread when the work ends, or now if it has ended."""
        self._outcome.add_done_callback(lambda _: callback())

    def _report(self, progress: Report) -> None:
        self.progress = progress


class TaskPool:
    """Runs tasks in the order in which they were added, at most `limit` at the same time."""

    def __init__(self, limit: int) -> None:
        self._idle = limit
        self._waiting: deque[tuple[Callable[[], None], str]] = deque()
        self._lock = threading.Lock()

    def add(self, run: Callable[[], None], name: str) -> None:
        """Call `run`, which must not raise, in a thread of this name as soon as one is free."""
        with self._lock:
            self._waiting.append((run, name))
            if not self._idle:
                return
            self._idle -= 1
        _start_thread(self._work, name)

    def _work(self) -> None:
        """Run waiting tasks until there are none."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._idle += 1
                    return
                run, threading.current_thread().name = self._waiting.popleft()
            run()


def run_in_background(
    work: Callable[[], Result], name: str, pool: TaskPool | None = None
) -> Task[Result, None]:
    """Start a task whose work neither reports progress nor checks for cancellation."""
    return Task[Result, None](lambda _cancel, _report: work(), name, pool)


def _start_thread(run: Callable[[], None], name: str) -> None:
    threading.Thread(target=run, name=name, daemon=True).start()
