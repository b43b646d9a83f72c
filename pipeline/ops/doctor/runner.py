"""Run the doctor's checks: in parallel where they do not need each other, each within its time."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pipeline.core.checks import CheckSkipped, CheckWarning, DoctorCheck
from pipeline.core.errors import FaregroundError
from pipeline.core.tasks import Task, run_in_background

CheckState = Literal["ok", "warning", "failed", "skipped"]

GLYPHS: dict[CheckState, str] = {"ok": "✓", "warning": "!", "failed": "✕", "skipped": "–"}


@dataclass(frozen=True)
class CheckResult:
    """How one check ended.

    Attributes:
        name: The name of the check.
        message: What was found, as a sentence.
        cure: What to do about it; "" when there is nothing to do.
        seconds: How long the check took.
    """

    name: str
    state: CheckState
    message: str
    cure: str = ""
    seconds: float = 0.0


def _ignore(_result: CheckResult) -> None: ...


def run_checks(
    checks: Sequence[DoctorCheck], on_result: Callable[[CheckResult], object] = _ignore
) -> list[CheckResult]:
    """Run checks and return their results in the order of the checks.

    A check starts as soon as those that it needs have passed, and is skipped when one of them has
    not. One that takes too long counts as failed and is left behind.

    Args:
        on_result: Called with each result as it comes, in the calling thread.
    """
    results: dict[str, CheckResult] = {}
    running: dict[Task[CheckResult, None], tuple[DoctorCheck, float]] = {}
    ended: queue.SimpleQueue[None] = queue.SimpleQueue()
    waiting = list(checks)
    while waiting or running:
        for check in list(waiting):
            unmet = [name for name in check.needs if name in results and not _passed(results[name])]
            if not unmet and not results.keys() >= set(check.needs):
                continue
            waiting.remove(check)
            if unmet:
                results[check.name] = CheckResult(check.name, "skipped", f"Needs {unmet[0]}.")
                on_result(results[check.name])
            else:
                task = run_in_background(partial(_run, check), f"doctor {check.name}")
                task.add_done_callback(lambda: ended.put(None))
                running[task] = check, time.monotonic() + check.seconds
        if not running:
            continue  # a check that was skipped just now lets others be skipped
        next_deadline = min(deadline for _, deadline in running.values())
        with suppress(queue.Empty):
            ended.get(timeout=max(0.0, next_deadline - time.monotonic()))
        for task, (check, deadline) in list(running.items()):
            if task.done():
                results[check.name] = task.result()
            elif time.monotonic() >= deadline:
                results[check.name] = _timed_out(check)  # its thread is left behind
            else:
                continue
            del running[task]
            on_result(results[check.name])
    return [results[check.name] for check in checks]


def _passed(result: CheckResult) -> bool:
    return result.state in ("ok", "warning")


def _run(check: DoctorCheck) -> CheckResult:
    started = time.monotonic()

    def result(state: CheckState, message: str, cure: str = "") -> CheckResult:
        return CheckResult(check.name, state, message, cure, round(time.monotonic() - started, 3))

    try:
        return result("ok", check.run())
    except CheckWarning as warning:
        return result("warning", warning.problem, warning.cure)
    except CheckSkipped as skipped:
        return result("skipped", skipped.problem, skipped.cure)
    except FaregroundError as error:
        return result("failed", error.problem, error.cure)
    except Exception as error:  # its text may quote anything, even a secret
        return result("failed", f"The check failed unexpectedly ({type(error).__name__}).")


def _timed_out(check: DoctorCheck) -> CheckResult:
    return CheckResult(
        check.name,
        "failed",
        f"There was no answer within {check.seconds:g} seconds.",
        "Check the network, proxies and firewalls between this machine and the service.",
        check.seconds,
    )
