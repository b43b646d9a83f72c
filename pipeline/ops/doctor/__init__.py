"""The doctor: checks everything that a backfill needs, and says what to do about what is wrong.

for result in examine("gcp"):
    print(result.name, result.state, result.message, result.cure)
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial

from pipeline.core.checks import DoctorCheck
from pipeline.core.errors import FaregroundError
from pipeline.core.settings.settings import Settings, load_settings
from pipeline.ops.doctor.machine import (
    check_leftovers,
    check_nli_model,
    check_settings,
    check_sign_in,
    folder_checks,
    process_checks,
)
from pipeline.ops.doctor.runner import CheckResult, run_checks
from pipeline.ops.doctor.services import service_checks
from pipeline.ops.lost_warehouse import refuse_lost_warehouse
from pipeline.warehouse import Backend
from pipeline.warehouse.registry import find_backend

_HEALTH_SECONDS = 5.0  # for a check of the warehouse within `health`


def examine(
    target: str, on_result: Callable[[CheckResult], object] = lambda _: None
) -> list[CheckResult]:
    """Run every check for a target and return the results in the order of the checks.

    Args:
        on_result: Called with each result as it comes, in the calling thread.

    Raises UsageError for an unknown target.
    """
    return run_checks(list_checks(target), on_result)


def list_checks(target: str) -> list[DoctorCheck]:
    """Return every check for a target, in order; raise UsageError for an unknown target.

    Settings that cannot be loaded are all there is to check then.
    """
    backend = find_backend(target)
    settings_check = DoctorCheck("settings", lambda: check_settings(backend), seconds=10)
    try:
        settings = load_settings()
    except FaregroundError:
        return [settings_check]
    nli_checks = []
    if settings.nli_model:
        nli_checks.append(DoctorCheck("nli model", lambda: check_nli_model(settings)))
    return [
        settings_check,
        *folder_checks(settings, seconds=10),
        DoctorCheck("leftovers", lambda: check_leftovers(settings)),
        DoctorCheck("sign-in", check_sign_in),
        *_warehouse_checks(backend, settings),
        *nli_checks,
        *service_checks(settings),
    ]


def pick_checks(target: str, names: Collection[str]) -> list[DoctorCheck]:
    """Return the checks of a target that have these names, and those that they need."""
    checks = {check.name: check for check in list_checks(target)}
    picked = {name for name in names if name in checks}
    while more := {need for name in picked for need in checks[name].needs} - picked:
        picked |= more
    return [check for name, check in checks.items() if name in picked]


def list_health_checks(
    settings: Settings, target: str, *, require_scheduler: bool, app_address: str
) -> list[DoctorCheck]:
    """Return the few quick checks of whether a process under this home can go on working.

    None of them calls another machine.

    Args:
        require_scheduler: Whether it is a failure when no process fires the schedules.
        app_address: Where the app should answer; "" to leave that out.

    Raises UsageError for an unknown target.
    """
    backend = find_backend(target)
    checks = [
        *folder_checks(settings, seconds=3),
        *process_checks(settings, require_scheduler=require_scheduler, app_address=app_address),
    ]
    if backend.database(settings) is None:
        return checks
    warehouse = [
        replace(check, seconds=_HEALTH_SECONDS) for check in _warehouse_checks(backend, settings)
    ]
    return [*checks, *warehouse]


def _warehouse_checks(backend: Backend, settings: Settings) -> list[DoctorCheck]:
    """Return the checks of a backend; they fail if its file is gone since runs loaded files."""

    def run(check: DoctorCheck) -> str:
        refuse_lost_warehouse(backend.name, settings)
        return check.run()

    checks = backend.checks(settings)
    if backend.database(settings) is None:
        return checks
    return [replace(check, run=partial(run, check)) for check in checks]
