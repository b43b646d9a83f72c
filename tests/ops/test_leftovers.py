"""What killed processes leave behind is counted by the doctor and removed; what is in use stays."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.core.scratch import ScratchFolder, find_abandoned, remove_own
from pipeline.core.settings.settings import Settings
from pipeline.ops.leftovers import find_leftovers
from pipeline.runs.locks import backfill_lock
from tests.support.command import pipeline, started
from tests.support.files import GREEN, backfill, put_trips, request, trip
from tests.support.servers import Server

ROOT = Path(__file__).parents[2]
KILLED = """
import os, signal
from pathlib import Path
from pipeline.core.scratch import ScratchFolder
folder = ScratchFolder()
(folder.path / "rows").write_bytes(bytes(3_000_000))
print(folder.name, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of this test's alone, for this process and those that it starts."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


def kill_with_folder() -> Path:
    done = subprocess.run(
        [sys.executable, "-c", KILLED], capture_output=True, text=True, check=False
    )
    return Path(done.stdout.strip())


def test_folder_of_killed_process_is_abandoned_and_that_of_a_living_one_is_not(
    temporary: Path,
) -> None:
    with ScratchFolder():
        left = kill_with_folder()
        assert left.parent == temporary
        assert list(find_abandoned()) == [left]


def test_own_folders_are_removed_at_once(temporary: Path) -> None:
    folder = ScratchFolder()
    remove_own()
    assert list(temporary.iterdir()) == []
    folder.cleanup()  # a second time does nothing


SERVER = """
import sys
from pipeline.core.scratch import ScratchFolder
from streamlit.web.cli import main
folder = ScratchFolder()  # as the preview of a visitor does
main(["run", "app.py", "--server.port", sys.argv[1]])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_server_that_stops_removes_its_folders(
    tmp_path: Path, temporary: Path, number: int
) -> None:
    left = kill_with_folder()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    command = [sys.executable, "-c", SERVER, str(port)]
    environment = os.environ | {"FAREGROUND_HOME": str(tmp_path / "home")}
    with subprocess.Popen(command, cwd=ROOT, env=environment) as server:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with (
                suppress(OSError),
                direct.open(f"http://127.0.0.1:{port}/_stcore/health", timeout=5),
            ):
                break
            time.sleep(0.05)
        (own,) = temporary.glob("fareground-*")
        assert own != left  # which the server has removed when it started
        server.send_signal(number)
        server.wait(20)
    assert list(temporary.glob("fareground-*")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_preview_leaves_nothing(
    settings: Settings, temporary: Path, number: int
) -> None:
    with Server({f"/{GREEN.stem}.csv": b"VendorID,lpep_pickup_datetime\n" * 100}) as server:
        server.behave(stall_after=100)
        source = ("--color", "green", "--month", "2020-04", "--source", server.url)
        with started(settings, "preview", *source) as process:
            assert server.holding.wait(20)
            process.send_signal(number)
            process.communicate(timeout=20)
    assert list(temporary.iterdir()) == []


def test_doctor_counts_leftovers_and_removes_them_when_told(
    settings: Settings, folder: Path, temporary: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    kill_with_folder()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    spilled = settings.home / f"warehouse.duckdb.tmp-{ended.pid}"
    spilled.mkdir()
    (spilled / "block").write_bytes(bytes(1_000_000))
    in_use = settings.home / f"warehouse.duckdb.tmp-{os.getpid()}"
    in_use.mkdir()
    unpacked = settings.staging / "green" / f"{GREEN.stem}.csv.gz.unpacked"
    unpacked.write_bytes(bytes(1_000_000))

    checks = json.loads(pipeline(settings, "doctor", "--json").stdout)["checks"]
    (check,) = [check for check in checks if check["name"] == "leftovers"]
    assert (check["state"], "4.8 MiB" in check["message"]) == ("warning", True), check
    assert "doctor --clean" in check["cure"]
    with backfill_lock("local", settings):
        assert unpacked not in find_leftovers(settings)
    pipeline(settings, "doctor", "--clean")
    assert not spilled.exists()
    assert not unpacked.exists()
    assert in_use.exists()
    assert list(temporary.iterdir()) == []
