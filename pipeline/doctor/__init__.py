"""The doctor: looks at everything a backfill needs, and says of each what is wrong and the cure.

    for finding in examine("gcp"):
        ...  # in the order of the checks

Every check has a time limit, and those that do not wait for each other run at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Literal

from pipeline.errors import FaregroundError

State = Literal["ok", "warning", "failed", "skipped"]

GLYPHS: dict[State, str] = {"ok": "✓", "warning": "!", "failed": "✕", "skipped": "–"}


@dataclass(frozen=True)
class Finding:
    """What one check came to: one sentence, and the cure where there is something to mend."""

    name: str
    state: State
    message: str
    cure: str = ""
    seconds: float = 0.0


class Concern(FaregroundError):
    """Something that does not stop a backfill, but should be known."""


class Skip(FaregroundError):
    """There was nothing to check."""


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    Attributes:
        look: Returns a sentence when all is well; raises a Concern, a Skip, or any of our errors.
        needs: The names of checks before this one without which it makes no sense.
        seconds: Most time it may take.
    """

    name: str
    look: Callable[[], str]
    needs: tuple[str, ...] = ()
    seconds: float = 30.0


def _ignore(_finding: Finding) -> None: ...


def examine(target: str, on_finding: Callable[[Finding], object] = _ignore) -> list[Finding]:
    """Check everything about a target and return the findings, in the order of the checks.

    `on_finding` is called with each as it comes, from this thread.
    """
    return run_checks(list_checks(target), on_finding)


def list_checks(target: str) -> list[Check]:
    """Return the checks of a target, in order; raises UsageError unless it is local or gcp."""
    from pipeline.doctor.machine import machine_checks
    from pipeline.doctor.outside import outside_checks
    from pipeline.settings import load_settings
    from pipeline.warehouse import require_target

    require_target(target)
    try:
        settings = load_settings()
    except FaregroundError:
        return machine_checks(target, None)
    checks = machine_checks(target, settings)
    if target == "gcp":
        from pipeline.doctor.cloud import cloud_checks

        checks += cloud_checks(settings)
    return checks + outside_checks(settings)


def run_checks(
    checks: Sequence[Check], on_finding: Callable[[Finding], object] = _ignore
) -> list[Finding]:
    """Run checks, each as soon as the one it needs is done, and return their findings in order."""
    found: dict[str, Finding] = {}
    running: dict[Future[Finding], tuple[Check, float]] = {}
    waiting = list(checks)
    while waiting or running:
        for check in list(waiting):
            lacking = [name for name in check.needs if name in found and not _holds(found[name])]
            if not lacking and not found.keys() >= set(check.needs):
                continue
            waiting.remove(check)
            if lacking:
                found[check.name] = Finding(check.name, "skipped", f"Needs {lacking[0]}.")
                on_finding(found[check.name])
            else:
                running[_start(check)] = check, time.monotonic() + check.seconds
        if not running:
            continue  # what was skipped just now lets others be skipped
        next_end = min(end for _, end in running.values())
        done, _ = wait(running, max(0.0, next_end - time.monotonic()), FIRST_COMPLETED)
        for answer in list(running):
            check, end = running[answer]
            if answer in done:
                found[check.name] = answer.result()
            elif time.monotonic() >= end:
                found[check.name] = _late(check)
            else:
                continue
            del running[answer]
            on_finding(found[check.name])
    return [found[check.name] for check in checks]


def _holds(finding: Finding) -> bool:
    return finding.state in ("ok", "warning")


def _start(check: Check) -> Future[Finding]:
    answer: Future[Finding] = Future()
    # A daemon thread: one that hangs is left behind, and ends with the process.
    threading.Thread(
        target=lambda: answer.set_result(_look(check)), name=f"doctor {check.name}", daemon=True
    ).start()
    return answer


def _look(check: Check) -> Finding:
    started = time.monotonic()

    def finding(state: State, message: str, cure: str = "") -> Finding:
        return Finding(check.name, state, message, cure, round(time.monotonic() - started, 3))

    try:
        return finding("ok", check.look())
    except Concern as concern:
        return finding("warning", concern.problem, concern.cure)
    except Skip as skip:
        return finding("skipped", skip.problem, skip.cure)
    except FaregroundError as error:
        return finding("failed", error.problem, error.cure)
    except Exception as error:  # its text may quote anything, a secret too
        return finding("failed", f"The check failed unexpectedly ({type(error).__name__}).")


def _late(check: Check) -> Finding:
    return Finding(
        check.name,
        "failed",
        f"There was no answer within {check.seconds:g} seconds.",
        "Check the network, proxies and firewalls between this machine and the service.",
        check.seconds,
    )
