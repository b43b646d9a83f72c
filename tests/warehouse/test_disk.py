"""Disks that are full at any step of a load, read-only or slow, as the system makes them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.runs.history import History
from tests.support.command import pipeline
from tests.support.files import (
    GREEN,
    assert_rollups_agree,
    backfill,
    put_trips,
    request,
    rows,
    trip,
)

MAY = TripFile(GREEN_TAXIS, Month(2020, 5))

# A script that runs a backfill and fills the disk when the given file reaches a point: with another
# file on a small mounted disk, or else by a limit on file sizes, which makes the system refuse
# writes in the same way and needs no privileges.
FILLS = """
import errno, os, resource, runpy, sys

from pipeline.files import download, prepare
from pipeline.runs import backfill, file_run as load

point, victim, ballast, *arguments = sys.argv[1:]
full = False

def fill():
    global full
    if full:
        return
    full = True
    print("the disk is full now", file=sys.stderr)
    if ballast == "-":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        return
    size = 2**20
    out = os.open(ballast, os.O_CREAT | os.O_WRONLY)
    while size:
        try:
            os.write(out, bytes(size))
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
            size //= 2
    os.close(out)

def before(owner, name, applies=lambda *arguments: True):
    original = getattr(owner, name)

    def filled(*arguments, **options):
        if applies(*arguments):
            fill()
        return original(*arguments, **options)

    setattr(owner, name, filled)

STEPS = {
    "plan": (backfill.Backfill, "begin"),
    "download": (download.PartialFile, "writing"),
    "verify": (prepare, "verify", lambda path, file, *_: file.filename == victim),
    "stage": (download.PartialFile, "move_into_place"),
    "finish": (load.History, "finish_run"),
}
begins = lambda work, step, *_: (work.file.filename, step) == (victim, point)
before(*STEPS.get(point, (load.FileRun, "_begin_step", begins)))
sys.argv = ["pipeline", *arguments]
runpy.run_module("pipeline", run_name="__main__")
"""

POINTS = (
    "plan", "download", "verify", "stage",
    "extract", "compare", "merge", "reconcile", "commit", "finish",
)  # fmt: skip


@contextmanager
def small_disk(path: Path) -> Iterator[bool]:
    """Mount a small in-memory disk at `path`, and yield whether this process may do that."""
    path.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=320m", "fareground-test", str(path)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(path)], check=True)


def old_version(file: TripFile) -> list[dict[str, Any]]:
    return [trip(file, PULocationID=n % 250, total_amount=f"{n}.00") for n in range(3000)]


def new_version(file: TripFile) -> list[dict[str, Any]]:
    return [row | {"total_amount": f"1{row['total_amount']}"} for row in old_version(file)[50:]]


def sums(settings: Settings) -> dict[str, tuple[int, float]]:
    """Return the rows and dollars of each file in the table."""
    table_rows = rows(
        settings,
        "SELECT filename, count(*), sum(total_amount)::DOUBLE FROM green_tripdata GROUP BY ALL",
    )
    return {name: (count, amount) for name, count, amount in table_rows}


def run_and_fill(
    settings: Settings, folder: Path, point: str, ballast: Path | None
) -> subprocess.CompletedProcess[str]:
    arguments = ["backfill", "--color", "green", "--from", "2020-04", "--to", "2020-05"]
    return subprocess.run(
        [
            sys.executable, "-c", FILLS, point, GREEN.filename, str(ballast or "-"),
            *arguments, "--source", str(folder),
        ],
        env=os.environ | {"FAREGROUND_HOME": str(settings.home), "PYTHONPATH": "."},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("kind", ["disk", "limit"])
def test_full_disk_at_any_step_leaves_each_file_wholly_old_or_new(
    kind: str, point: str, settings: Settings, folder: Path
) -> None:
    with small_disk(settings.home) as mounted:
        if kind == "disk" and not mounted:
            pytest.skip("mounting takes more rights than these")
        put_trips(folder, GREEN, old_version(GREEN))
        put_trips(folder, MAY, old_version(MAY))
        backfill(settings, request(folder, GREEN, MAY))
        old = sums(settings)
        put_trips(folder, GREEN, new_version(GREEN))
        ballast = settings.home / "ballast" if kind == "disk" else None

        result = run_and_fill(settings, folder, point, ballast)
        assert "the disk is full now" in result.stderr
        assert "Traceback" not in result.stderr
        assert result.returncode == 1
        output = " ".join((result.stdout + result.stderr).split())
        assert "Free some space" in output or "disk has room" in output
        if ballast:
            ballast.unlink()

        after = sums(settings)
        whole = (2950, float(sum(float(row["total_amount"]) for row in new_version(GREEN))))
        assert after == old | {GREEN.filename: whole if point == "finish" else old[GREEN.filename]}
        assert_rollups_agree(settings)
        state, files = backfill(settings, request(folder, GREEN, MAY))
        assert state == ("nothing-to-do" if point == "finish" else "succeeded")
        assert files[GREEN].state in ("loaded", "skipped")
        assert sums(settings) == old | {GREEN.filename: whole}
        assert_rollups_agree(settings)


@pytest.mark.slow
def test_read_only_disk_allows_queries_and_backfill_reports_it(
    settings: Settings, folder: Path
) -> None:
    with small_disk(settings.home) as mounted:
        if not mounted:
            pytest.skip("mounting takes more rights than these")
        put_trips(folder, GREEN, old_version(GREEN))
        backfill(settings, request(folder, GREEN))
        put_trips(folder, GREEN, new_version(GREEN))
        subprocess.run(["mount", "-o", "remount,ro", str(settings.home)], check=True)
        command = ["backfill", "--color", "green", "--from", "2020-04", "--source", str(folder)]
        result = pipeline(settings, *command)
        assert result.returncode == 1
        assert "Traceback" not in result.stderr
        assert "FAREGROUND_HOME" in result.stderr
        counted = pipeline(settings, "query", "SELECT count(*) FROM green_tripdata", "--format=csv")
        assert (counted.returncode, counted.stdout.split()[-1]) == (0, "3000")


@contextmanager
def on_a_slow_disk(
    settings: Settings, log: Path, *arguments: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a command whose writes each wait 3 ms for the disk, and flushes 200 ms."""
    strace = shutil.which("strace")
    if strace is None:
        reason = "strace, which slows the disk down, is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    slow = [
        strace, "-D", "-f", "-qq", "-o", str(log), "-e", "trace=fsync,fdatasync,pwrite64",
        "-e", "inject=fsync,fdatasync:delay_enter=200000", "-e", "inject=pwrite64:delay_enter=3000",
    ]  # fmt: skip
    with subprocess.Popen(
        [*slow, sys.executable, "-m", "pipeline", *arguments],
        env=os.environ | {"FAREGROUND_HOME": str(settings.home)},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.alone
def test_load_on_slow_disk_succeeds_and_cancels_soon(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    put_trips(folder, GREEN, old_version(GREEN))
    put_trips(folder, MAY, old_version(MAY))
    arguments = ["backfill", "--color", "green", "--from", "2020-04", "--source", str(folder)]
    log = tmp_path / "calls"
    with on_a_slow_disk(settings, log, *arguments) as process:
        _, output = process.communicate(timeout=90)
    assert process.returncode == 0, output
    assert log.read_text().count("(DELAYED)") >= 10
    assert sums(settings)[GREEN.filename][0] == 3000
    assert_rollups_agree(settings)

    with on_a_slow_disk(settings, log, *arguments, "--to", "2020-05") as process:
        begun = time.monotonic()
        while History(settings.history_path).runs()[0].state != "running":
            assert time.monotonic() - begun < 60
            time.sleep(0.05)
        pressed = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, output = process.communicate(timeout=60)
        assert time.monotonic() - pressed < 10  # flushes of 0.2 s each are still pending
    assert process.returncode == 130, output
    state, _ = backfill(settings, request(folder, GREEN, MAY))
    assert state in ("succeeded", "nothing-to-do")
    assert {name: count for name, (count, _) in sums(settings).items()} == {
        GREEN.filename: 3000,
        MAY.filename: 3000,
    }
    assert_rollups_agree(settings)
