"""Whoever reads a path that somebody named refuses devices and pipes, and stops at its limit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.core.errors import StorageError
from pipeline.core.events import log_path
from pipeline.core.regular_file import read_regular_file
from pipeline.core.settings.settings import Settings
from pipeline.files.staging import find_staged
from pipeline.runs.history import History
from tests.support.command import pipeline, pipeline_process
from tests.support.files import GREEN, backfill, load, put_trips, request, trip

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


@pytest.fixture(params=["pipe", "device", "link to a device", "folder"])
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A path that is no regular file; to read it would never end, or fail."""
    path = tmp_path / "named.md"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "device":
        path = Path("/dev/zero")
    else:
        path.symlink_to("/dev/zero")
    return path


def test_no_file_is_refused_at_once(no_file: Path) -> None:
    with pytest.raises(OSError, match=r"not a regular file|[Dd]irectory"):
        read_regular_file(no_file, 10)


def test_reading_stops_one_byte_behind_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert read_regular_file(path, 10) == b"0123456789"
    assert read_regular_file(path, 9) == b"0123456789"
    assert read_regular_file(path, 4) == b"01234"


@pytest.mark.parametrize(
    "command",
    [
        ("answers", "add", "{path}"),
        ("answers", "check", "--text", "{path}"),
        ("answers", "eval", "{path}", "--dry-run"),
        ("preview", "{path}", "--color", "green", "--month", "2020-04"),
        ("restore", "{path}"),
    ],
)
@pytest.mark.parametrize("no_file", ["pipe", "link to a device"], indirect=True)
def test_command_refuses_what_is_no_file(
    settings: Settings, no_file: Path, command: tuple[str, ...]
) -> None:
    result = pipeline_process(settings, *(word.format(path=no_file) for word in command))
    assert result.returncode in (1, 2), result.stdout
    assert str(no_file) in result.stderr.replace("\n", "")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("place", ["settings.json", ".streamlit/secrets.toml"])
def test_settings_file_that_is_a_pipe_is_refused(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    path = (settings.home if place == "settings.json" else tmp_path) / place
    path.parent.mkdir()
    os.mkfifo(path)
    result = pipeline_process(settings, "status")
    assert (result.returncode, path.name in result.stderr.replace("\n", "")) == (2, True)


@pytest.mark.parametrize("place", ["warehouse.duckdb", "warehouse.duckdb.wal"])
@pytest.mark.parametrize("command", [("status",), ("query", "FROM green_tripdata")])
def test_warehouse_that_is_a_pipe_is_refused(
    settings: Settings, folder: Path, place: str, command: tuple[str, ...]
) -> None:
    load(put_trips(folder, GREEN, [trip(GREEN)]).parent, GREEN, settings)
    path = settings.home / place
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    result = pipeline_process(settings, *command)
    assert result.returncode in (1, 2)
    assert f"{path} is a device or pipe" in result.stderr.replace("\n", "")


@pytest.mark.parametrize("suffix", ["", "-journal", "-wal", "-shm"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_history_in_whose_place_a_pipe_or_folder_is_is_named_with_it(
    make: Callable[[Path], None], settings: Settings, suffix: str
) -> None:
    settings.home.mkdir()
    path = settings.home / f"{settings.history_path.name}{suffix}"
    make(path)
    with pytest.raises(StorageError, match=f"{path} is a .*Move it away"):
        History(settings.history_path).runs()


@pytest.mark.parametrize(
    ("store", "command"),
    [
        ("documents.sqlite", ("answers", "list")),
        ("documents.sqlite", ("answers", "search", "trips")),
        ("schedules.sqlite", ("schedule", "list")),
        ("schedules.sqlite", ("schedule", "run-now", "green-local")),
        ("suites.sqlite", ("answers", "evals")),
        ("history.sqlite", ("runs",)),
        ("history.sqlite", ("health",)),
    ],
)
def test_store_that_is_a_link_without_its_target_is_named_and_not_taken_for_empty(
    settings: Settings, tmp_path: Path, store: str, command: tuple[str, ...]
) -> None:
    settings.home.mkdir()
    link, target = settings.home / store, tmp_path / "disk" / store
    link.symlink_to(target)
    result = pipeline(settings, *command)
    said = "".join((result.stdout + result.stderr).split())  # lines break within the path
    assert result.returncode == 1
    assert f"{link}isalinkto{target},whichdoesnotexist" in said
    assert "Mountthediskofthetarget" in said


@pytest.mark.skipif(sys.platform != "linux", reason="drops the rights of root with setpriv")
def test_companion_of_the_history_that_stays_read_only_is_named_and_its_cure_works(
    settings: Settings, folder: Path
) -> None:
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere")
    # The owner's rights count for a root without capabilities.
    prefix = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = (*prefix, sys.executable, "-m", "pipeline", *arguments)
        environment = os.environ | {"FAREGROUND_HOME": str(settings.home)}
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)

    load = ("backfill", "--dataset", "green", "--from", "2020-04", "--force", "--source")
    source = str(put_trips(folder, GREEN, [trip(GREEN)]).parent)
    assert run(*load, source).returncode == 0
    path = settings.history_path
    path.chmod(0o400)
    assert run("runs").returncode == 0
    said = "".join(run(*load, source).stderr.split())
    assert f"{path}and{path}-" in said  # the file itself, and what SQLite put beside it
    path.chmod(0o600)
    refused = run(*load, source)
    locked = [
        file for file in settings.home.glob(f"{path.name}-*") if not file.stat().st_mode & 128
    ]
    assert locked
    said = "".join(refused.stderr.split())
    assert refused.returncode == 1
    assert f"{path}cannotbewritten:{'and'.join(map(str, locked))}mayonlyberead." in said
    for file in locked:
        file.chmod(0o600)
    assert run(*load, source).returncode == 0


def test_log_that_is_a_pipe_is_reported_and_work_goes_on(settings: Settings) -> None:
    path = log_path(settings.home)
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    result = pipeline_process(settings, "status")
    assert result.returncode == 0
    assert f"The log {path} cannot be written (it is a device or pipe" in result.stderr


@pytest.mark.parametrize("place", ["logs", "logs/fareground.lock"])
def test_what_keeps_the_log_from_being_written_is_said_in_words(
    settings: Settings, tmp_path: Path, place: str
) -> None:
    path = settings.home / place
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "missing")
    result = pipeline_process(settings, "status")
    assert result.returncode == 0
    assert f"({path} is a link to {tmp_path / 'missing'}, which does not exist" in result.stderr
    assert "Errno" not in result.stderr


def test_staged_file_whose_note_is_a_pipe_is_staged_again(settings: Settings, folder: Path) -> None:
    backfill(settings, request(put_trips(folder, GREEN, [trip(GREEN)]).parent, GREEN))
    (note,) = settings.staging.rglob("*.json")
    note.unlink()
    os.mkfifo(note)
    assert find_staged(GREEN, settings) is None
    state, _ = backfill(settings, request(folder, GREEN, force=True))
    assert (state, note.is_file()) == ("succeeded", True)


def test_stdin_is_read_up_to_a_limit(settings: Settings) -> None:
    with open("/dev/zero", "rb") as endless:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "answers", "check", "--text", "-"],
            stdin=endless,
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, b"larger than 1 MB" in done.stderr) == (2, True)
    assert settings.home
