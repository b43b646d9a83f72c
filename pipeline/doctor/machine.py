"""Checks of this machine: settings, folder, disk, the local warehouse, and what runs on it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from pipeline.doctor import Check, Concern
from pipeline.errors import SourceUnreachable, StorageError, UsageError, WarehouseBusy
from pipeline.settings import Settings, make_folder

_LITTLE, _TOO_LITTLE = 5e9, 0.5e9  # bytes free: fewer are worth a word, or stop a backfill


def machine_checks(target: str, settings: Settings | None) -> list[Check]:
    """Return the checks; `settings` is None where they cannot be, and then those are the story."""
    checks = [Check("settings", lambda: _check_settings(target), seconds=10)]
    if settings is None:
        return checks
    home = settings.home
    checks += [
        Check("folder", lambda: _check_folder(home), seconds=10),
        Check("disk", lambda: _check_disk(home), seconds=10),
    ]
    if target == "local":
        checks.append(Check("warehouse", lambda: _check_warehouse(settings), needs=("folder",)))
    return checks


def health_checks(settings: Settings, target: str, *, fires: bool, app: str) -> list[Check]:
    """Return the few quick checks that say whether a process under this home can go on working.

    `fires` makes a scheduler that is not there a failure, and not only a warning; `app` is the
    address at which the app should answer, or "".
    """
    home = settings.home
    checks = [
        Check("folder", lambda: _check_folder(home), seconds=3),
        Check("disk", lambda: _check_disk(home), seconds=3),
        Check("runs", lambda: _check_runs(settings), needs=("folder",), seconds=3),
        Check("scheduler", lambda: _check_scheduler(settings, fires), needs=("folder",), seconds=3),
    ]
    if target == "local":
        checks.append(
            Check("warehouse", lambda: _check_warehouse(settings), needs=("folder",), seconds=5)
        )
    if app:
        checks.append(Check("app", lambda: _check_app(app), seconds=3))
    return checks


def _check_settings(target: str) -> str:
    from pipeline.setting_values import PLACE, read_values

    values = read_values()
    faults = [f"{value.variable} {value.fault}" for value in values.values() if value.fault]
    if target == "gcp":
        faults += [f"{values[f].variable} is not set" for f in PLACE if not values[f].is_set]
    if faults:
        raise UsageError(
            "; ".join(fault.rstrip(".") for fault in faults) + ".",
            cure="Set them on the Setup page, in the environment, or in .streamlit/secrets.toml.",
        )
    return f"All {len(values)} settings can be used."


def _check_folder(home: Path) -> str:
    make_folder(home)
    try:
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(b"x")
    except OSError as error:
        raise StorageError(
            f"The folder {home} cannot be written: {error.strerror}.",
            cure="Set FAREGROUND_HOME to a folder you may write to.",
        ) from None
    return f"{home.resolve()} can be written."


def _check_disk(home: Path) -> str:
    folder = next(p for p in (home.resolve(), *home.resolve().parents) if p.exists())
    free = shutil.disk_usage(folder).free
    said = f"{free / 1e9:,.1f} GB are free on the disk of {home}"
    cure = "Free some space, or set FAREGROUND_HOME to a folder on a larger disk."
    if free < _TOO_LITTLE:
        raise StorageError(f"Only {said}.", cure=cure)
    if free < _LITTLE:
        raise Concern(f"Only {said}.", cure=cure)
    return f"{said}."


def _check_warehouse(settings: Settings) -> str:
    from pipeline.warehouse import open_warehouse
    from pipeline.warehouse.local_schema import SCHEMA_VERSION

    path = settings.warehouse_path
    if not path.exists():
        return f"There is no {path} yet; the first backfill makes it."
    hurried = settings.model_copy(update={"busy_wait_seconds": 0.5})
    try:
        with open_warehouse("local", hurried, read_only=True) as warehouse:
            files = sum(record.loaded is not None for record in warehouse.records().values())
    except WarehouseBusy as error:
        raise Concern(error.problem, cure=error.cure) from None
    return f"{path} opens, has schema version {SCHEMA_VERSION} and {files:,} loaded files."


def _check_runs(settings: Settings) -> str:
    from pipeline.history import History

    if not settings.history_path.exists():
        return "There was no run yet."
    newest = History(settings.history_path).runs(1)
    return f"The newest run {newest[0].state}." if newest else "There was no run yet."


def _check_scheduler(settings: Settings, fires: bool) -> str:
    from pipeline.schedule.scheduler import is_running
    from pipeline.schedule.store import Schedules

    enabled = sum(kept.enabled for kept in Schedules(settings).all())
    if is_running(settings):
        return f"A process fires the {enabled:,} enabled schedules."
    if not enabled and not fires:
        return "No schedule is enabled."
    problem = f"No process fires the {enabled:,} enabled schedules."
    cure = "Open the app in a browser, or run python -m pipeline scheduler."
    if fires:
        raise StorageError(problem, cure=cure)
    raise Concern(problem, cure=cure)


def _check_app(address: str) -> str:
    import urllib.request

    url = f"{address.rstrip('/')}/_stcore/health"  # Streamlit's own
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=2):
            return f"The app answers at {address}."
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SourceUnreachable(
            f"The app does not answer at {url}: {reason}.", cure="Start it, or read its output."
        ) from None
