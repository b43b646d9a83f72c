"""The doctor's checks of this machine: settings, folder, disk, and the processes that use them."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from pipeline.core.checks import CheckWarning, DoctorCheck
from pipeline.core.errors import SourceUnreachable, StorageError, UsageError
from pipeline.core.home import make_folder
from pipeline.core.settings.settings import Settings
from pipeline.core.storage_errors import storage_errors
from pipeline.files.staging import size_in_words
from pipeline.warehouse import Backend

_LOW_BYTES, _TOO_LOW_BYTES = 5e9, 0.5e9  # free on the disk: a warning below, a failure below


def folder_checks(settings: Settings, *, seconds: float) -> list[DoctorCheck]:
    """Return the checks of FAREGROUND_HOME: that it can be written and its disk has room."""
    home = settings.home
    return [
        DoctorCheck("folder", lambda: _check_folder(home), seconds=seconds),
        DoctorCheck("disk", lambda: _check_disk(home), seconds=seconds),
    ]


def process_checks(
    settings: Settings, *, require_scheduler: bool, app_address: str
) -> list[DoctorCheck]:
    """Return the checks of what runs under FAREGROUND_HOME: runs, the scheduler, the app.

    Args:
        require_scheduler: Whether it is a failure, not a warning, when no process fires schedules.
        app_address: Where the app should answer; "" to leave that check out.
    """
    checks = [
        DoctorCheck("runs", lambda: _check_runs(settings), needs=("folder",), seconds=3),
        DoctorCheck(
            "scheduler",
            lambda: _check_scheduler(settings, require_scheduler),
            needs=("folder",),
            seconds=3,
        ),
    ]
    if app_address:
        checks.append(DoctorCheck("app", lambda: _check_app(app_address), seconds=3))
    return checks


def check_settings(backend: Backend) -> str:
    """Check every setting, and those that this backend requires; return a sentence.

    Raises UsageError that names each setting at fault.
    """
    from pipeline.ops.setting_values import find_ignored, read_values

    values = read_values()
    faults = {field: value.fault for field, value in values.items() if value.fault}
    texts = {field: value.text for field, value in values.items()}
    faults = backend.find_faults(texts) | faults
    if faults:
        listed = (
            f"{values[field].variable} {fault.rstrip('.')}" for field, fault in faults.items()
        )
        raise UsageError(
            "; ".join(listed) + ".",
            cure="Set them on the Setup page, in the environment, or in .streamlit/secrets.toml.",
        )
    if ignored := find_ignored():
        raise CheckWarning(
            f"settings.json has {', '.join(ignored)}, which the app no longer reads there: whoever "
            "may save settings could choose where a password is sent.",
            cure="Set them in the environment or in .streamlit/secrets.toml.",
        )
    return f"All {len(values)} settings can be used."


def check_sign_in() -> str:
    """Say who may open the app; raise UsageError where its settings let nobody in."""
    from pipeline.core.access import is_required, read_lists

    lists = read_lists()
    if not is_required(lists):
        return "Sign-in is off: whoever can open the app can change everything."
    return f"Sign-in is on, with {len(lists.editors)} editors and {len(lists.viewers)} viewers."


def check_nli_model(settings: Settings) -> str:
    """Load the NLI model of the settings, and return a sentence."""
    from pipeline.answers.check.nli_model import open_nli

    return f"{open_nli(settings).path} can judge claims."


def _check_folder(home: Path) -> str:
    make_folder(home)
    with storage_errors(home), tempfile.TemporaryFile(dir=home) as file:
        file.write(b"x")
    return f"{home.resolve()} can be written."


def _check_disk(home: Path) -> str:
    folder = next(p for p in (home.resolve(), *home.resolve().parents) if p.exists())
    free = shutil.disk_usage(folder).free
    sentence = f"{free / 1e9:,.1f} GB are free on the disk of {home}"
    cure = "Free some space, or set FAREGROUND_HOME to a folder on a larger disk."
    if free < _TOO_LOW_BYTES:
        raise StorageError(f"Only {sentence}.", cure=cure)
    if free < _LOW_BYTES:
        raise CheckWarning(f"Only {sentence}.", cure=cure)
    return f"{sentence}."


def check_leftovers(settings: Settings) -> str:
    """Warn of files that killed processes left behind."""
    from pipeline.ops.leftovers import find_leftovers, total_size

    leftovers = find_leftovers(settings)
    if not leftovers:
        return "There are no temporary files of killed processes."
    raise CheckWarning(
        f"Killed processes left {size_in_words(total_size(leftovers))} of temporary files.",
        cure="Remove them: python -m pipeline doctor --clean, or the button on the Setup page.",
    )


def _check_runs(settings: Settings) -> str:
    from pipeline.runs.history import History

    if not os.path.lexists(settings.history_path):
        return "There was no run yet."
    newest = History(settings.history_path).runs(1)
    return f"The newest run {newest[0].state}." if newest else "There was no run yet."


def _check_scheduler(settings: Settings, required: bool) -> str:
    from pipeline.runs.schedule.scheduler import is_running
    from pipeline.runs.schedule.store import Schedules

    schedules, damaged = Schedules(settings).read()
    enabled = sum(stored.enabled for stored in schedules)
    runs = is_running(settings)
    if not runs and (enabled or required):
        problem = f"No process fires the {enabled:,} enabled schedules."
        cure = "Open the app in a browser, or run python -m pipeline scheduler."
        if required:
            raise StorageError(problem, cure=cure)
        raise CheckWarning(problem, cure=cure)
    if damaged:
        raise CheckWarning(damaged[0].problem, cure=damaged[0].cure)
    return (
        f"A process fires the {enabled:,} enabled schedules." if runs else "No schedule is enabled."
    )


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
