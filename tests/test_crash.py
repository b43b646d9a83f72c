"""Killed at any instant, a file is wholly old or wholly new, and resuming repairs the rest."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.backfill import Backfill, prepare_plan, resume_request, run_backfill
from pipeline.history import History
from pipeline.locks import running_run, settle_interrupted
from pipeline.settings import Settings
from pipeline.trips import Color, Month, TripFile
from tests.files import (
    GREEN,
    assert_summaries_agree,
    backfill,
    put_trips,
    request,
    rows,
    trip,
)

SLOW = [pytest.mark.slow, pytest.mark.timeout(900)]
MAY = TripFile(Color.GREEN, Month(2020, 5))

# Runs a backfill and kills itself, as kill -9 would, when the file at hand begins the given step.
DIES = """
import os, signal, sys
from pipeline import load
from pipeline.backfill import Backfill, prepare_plan, run_backfill
from pipeline.settings import Settings
from pipeline.trips import TripFile
from tests.files import request

source, first, last, victim, step = sys.argv[1:]
begin = load.FileWork._begin_step

def begin_or_die(work, begun, fraction=lambda: None):
    if (work.file.filename, begun) == (victim, step):
        os.kill(os.getpid(), signal.SIGKILL)
    begin(work, begun, fraction)

load.FileWork._begin_step = begin_or_die
asked = request(source, TripFile.parse(first), TripFile.parse(last))
settings = Settings()
run_backfill(Backfill(prepare_plan(asked, settings), settings, "command line"), settings)
"""


def old_version(file: TripFile) -> list[dict[str, Any]]:
    return [trip(file, PULocationID=n % 250, total_amount=f"{n}.00") for n in range(3000)]


def new_version(file: TripFile) -> list[dict[str, Any]]:
    """Rows updated, deleted and inserted, and a trip that shares its identity with others."""
    changed = old_version(file)[50:]
    for row in changed[::10]:
        row["total_amount"] = "0.55"
    return [*changed, *(trip(file, PULocationID=251, total_amount="7.00") for _ in range(20))]


def table(settings: Settings) -> list[tuple[Any, ...]]:
    """Every row of the green table, ids included, in a fixed order."""
    return rows(settings, "SELECT * FROM green_tripdata ORDER BY unique_row_id")


def prepared(root: Path) -> tuple[Settings, Path]:
    """A home that holds the old version of both months, and a source with the new one."""
    settings = Settings(home=root / "home")
    source = root / "source"
    source.mkdir(parents=True)
    for version in (old_version, new_version):
        for file in (GREEN, MAY):
            put_trips(source, file, version(file))
        if version is old_version:
            assert backfill(settings, request(source, GREEN, MAY))[0] == "succeeded"
    return settings, source


def die(settings: Settings, source: Path, step: str, victim: TripFile) -> None:
    arguments = [str(source), GREEN.filename, MAY.filename, victim.filename, step]
    killed = subprocess.run(
        [sys.executable, "-c", DIES, *arguments],
        env={"FAREGROUND_HOME": str(settings.home), "PATH": "", "PYTHONPATH": "."},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr


def resume(settings: Settings) -> str:
    settle_interrupted("local", settings)
    interrupted = History(settings.history_path).runs()[0]
    assert interrupted.state == "interrupted"
    plan = prepare_plan(resume_request(interrupted.run_id, settings), settings)
    return run_backfill(Backfill(plan, settings, "command line"), settings)


@pytest.mark.parametrize("step", ["download", "extract", "compare", "merge", "reconcile", "commit"])
def test_killed_at_any_step_then_resumed_equals_an_unbroken_run(tmp_path: Path, step: str) -> None:
    unbroken, source = prepared(tmp_path / "unbroken")
    before = table(unbroken)
    backfill(unbroken, request(source, GREEN, MAY))
    after = table(unbroken)
    assert before != after

    settings, source = prepared(tmp_path / "broken")
    die(settings, source, step, MAY)
    # April may have been committed before the kill; May must be wholly as it was.
    by_file = {str(row[1]): [r for r in before if r[1] == row[1]] for row in before}
    now = table(settings)
    assert [row for row in now if row[1] == MAY.filename] == by_file[MAY.filename]
    april = [row for row in now if row[1] == GREEN.filename]
    assert april in ([r for r in after if r[1] == GREEN.filename], by_file[GREEN.filename])

    assert_summaries_agree(settings)
    assert resume(settings) == "succeeded"
    assert table(settings) == after
    assert_summaries_agree(settings)


@pytest.mark.parametrize("step", ["download", "extract", "merge", "reconcile", "commit"])
def test_killed_during_a_first_load_nothing_of_the_file_is_there(tmp_path: Path, step: str) -> None:
    settings, source = Settings(home=tmp_path / "home"), tmp_path / "source"
    source.mkdir()
    for file in (GREEN, MAY):
        put_trips(source, file, old_version(file))
    die(settings, source, step, GREEN)
    assert table(settings) == []
    assert_summaries_agree(settings)
    assert resume(settings) == "succeeded"
    assert len(table(settings)) == 6000


@pytest.mark.parametrize("kills", [6, pytest.param(60, marks=SLOW)])
def test_killed_at_random_moments_the_ledger_always_agrees_with_the_table(
    tmp_path: Path, kills: int
) -> None:
    settings, source = prepared(tmp_path)
    chance = random.Random(kills)
    command = [sys.executable, "-m", "pipeline", "backfill", "--color", "green", "--force"]
    command += ["--from", "2020-04", "--to", "2020-05", "--source", str(source)]
    environment = {"FAREGROUND_HOME": str(settings.home), "PATH": ""}
    for number in range(kills):
        for file in (GREEN, MAY):
            put_trips(source, file, (old_version, new_version)[number % 2](file))
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.3, 1.2))
        process.kill()
        process.wait()
        for file in (GREEN, MAY):
            ((count, amount),) = rows(
                settings,
                "SELECT count(*), sum(total_amount) FROM green_tripdata"
                f" WHERE filename = '{file.filename}'",
            )
            assert rows(
                settings,
                "SELECT rows, total_amount FROM load_ledger WHERE state = 'loaded'"
                f" AND filename = '{file.filename}' ORDER BY entry DESC LIMIT 1",
            ) == [(count, amount)]
        assert_summaries_agree(settings)


def test_a_run_whose_process_is_gone_shows_as_interrupted(tmp_path: Path) -> None:
    settings, source = prepared(tmp_path)
    die(settings, source, "merge", GREEN)
    assert running_run("local", settings) is None
    (run, *_) = History(settings.history_path).runs()
    assert run.state == "interrupted"
    assert run.finished_at is not None
    states = {f.state for f in History(settings.history_path).files(run.run_id)}
    assert states == {"cancelled"}
