"""Ctrl-C and SIGTERM end every command within two seconds, with 128 plus the signal's number."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.core.settings.settings import Settings
from tests.support.command import started
from tests.support.files import GREEN, load, put_trips, trip
from tests.support.servers import Server

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals of POSIX")

ENDLESS = (
    "SELECT count(*) FROM range(100000000000)",
    "SELECT count(*) FROM range(1000000) a, range(1000000) b",
    "SELECT a.range FROM range(1000000) a, range(1000000) b ORDER BY 1",
    "SELECT count(*) FROM green_tripdata a, range(100000000) b, range(100000000) c WHERE b = c",
)


def seconds_until_end(process: subprocess.Popen[str], number: int) -> float:
    """Send a signal; return how long the process then takes. It must say nothing of a traceback."""
    sent = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert "Traceback" not in errors
    assert process.returncode == 128 + number, errors
    return time.monotonic() - sent


@pytest.mark.parametrize("sql", ENDLESS)
def test_interrupted_query_ends_within_two_seconds(
    settings: Settings, folder: Path, sql: str
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    with started(settings, "query", sql) as process:
        time.sleep(1.5)
        assert seconds_until_end(process, signal.SIGINT) < 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seconds", [0.08, 0.2, 0.4, 0.8])
def test_command_interrupted_while_it_starts_ends_without_traceback(
    settings: Settings, number: int, seconds: float
) -> None:
    with started(settings, "query", ENDLESS[0]) as process:
        time.sleep(seconds)
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    # Python itself may not have run a line of ours yet: the operating system then ends it.
    assert process.returncode in (128 + number, -number), errors
    if process.returncode != -signal.SIGINT:
        assert "Traceback" not in errors


@pytest.mark.parametrize(
    "command",
    [
        ("backfill", "--color", "green", "--from", "2020-04"),
        ("backfill", "--color", "green", "--from", "2020-04", "--dry-run"),
        ("preview", "--color", "green", "--month", "2020-04"),
        ("diff", "--color", "green", "--month", "2020-04"),
        ("explain", "--color", "green", "--month", "2020-04"),
    ],
)
def test_command_that_waits_for_a_server_is_interrupted(
    settings: Settings, command: tuple[str, ...]
) -> None:
    with Server() as server, started(settings, *command, "--source", server.url) as process:
        server.behave(silent=True)
        assert server.holding.wait(20)
        assert seconds_until_end(process, signal.SIGINT) < 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_scheduler_ends_at_a_signal_with_code_0(settings: Settings, number: int) -> None:
    with started(settings, "scheduler") as process:
        assert process.stderr is not None
        assert "Ctrl-C ends it" in process.stderr.readline()
        sent = time.monotonic()
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert time.monotonic() - sent < 2


def test_command_that_reads_stdin_is_interrupted(settings: Settings) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "answers", "check", "--text", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"FAREGROUND_HOME": str(settings.home)},
    ) as process:
        time.sleep(1.5)
        assert seconds_until_end(process, signal.SIGINT) < 2
