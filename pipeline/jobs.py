"""The app's background: backfills in threads that outlive whoever started them."""

from __future__ import annotations

import threading

from pipeline.backfill import Backfill
from pipeline.errors import FaregroundError
from pipeline.locks import backfill_lock, busy, settle_interrupted
from pipeline.plan import Plan
from pipeline.settings import Settings
from pipeline.warehouse import TARGETS


class Jobs:
    """At most one backfill at a time per warehouse, seen by every session.

    An object of this class lives as long as the server process.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._running: dict[str, tuple[Backfill, threading.Thread]] = {}
        for target in TARGETS:
            settle_interrupted(target, settings)

    def start(self, plan: Plan, origin: str = "app", settings: Settings | None = None) -> Backfill:
        """Start a backfill in the background and return it at once.

        `origin` says who asked for it: the app, or a schedule. `settings` are those it runs under,
        where they may have changed since the server's start.

        Raises WarehouseBusy when one is running on this target, here or in another process.
        """
        target = plan.request.target
        settings = settings or self._settings
        with self._lock:
            if self.current(target) is not None:
                raise busy(target, settings)
            backfill = Backfill(plan, settings, origin)
            begun = threading.Event()
            refusal: list[FaregroundError] = []

            def work() -> None:
                try:
                    with backfill_lock(target, settings):
                        backfill.begin()
                        begun.set()
                        backfill.run()
                except FaregroundError as error:
                    backfill.state = "failed"
                    refusal.append(error)
                finally:
                    begun.set()

            # A daemon: stopping the server must not wait; the next start says interrupted.
            thread = threading.Thread(target=work, name=backfill.run_id, daemon=True)
            self._running[target] = backfill, thread
            thread.start()
            begun.wait()
            if refusal:
                del self._running[target]
                raise refusal[0]
            return backfill

    def run(self, plan: Plan, origin: str, settings: Settings | None = None) -> Backfill:
        """Run a backfill as `start` does, and return it when it has ended."""
        backfill = self.start(plan, origin, settings)
        _, thread = self._running[plan.request.target]
        thread.join()
        return backfill

    def current(self, target: str = "local") -> Backfill | None:
        """Return the backfill that is running on this target in this process, or None."""
        backfill, thread = self._running.get(target, (None, None))
        return backfill if thread is not None and thread.is_alive() else None

    def join(self, seconds: float | None = None) -> None:
        """Wait until each running backfill, if any, has ended, at most so long for each."""
        for _, thread in list(self._running.values()):
            thread.join(seconds)
