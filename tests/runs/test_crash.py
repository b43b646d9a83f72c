"""Killed loads leave each file wholly old or wholly new, and a resumed run repairs the rest."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.datasets import DATASETS, Dataset
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.runs.backfill import Backfill, prepare_plan, resume_request, run_backfill
from pipeline.runs.history import History
from pipeline.runs.locks import find_running_run, mark_interrupted
from tests.support.files import (
    assert_rollups_agree,
    backfill,
    put_trips,
    rows,
    trip,
    warehouse,
)
from tests.support.files import request as request_of

LONG = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]

# A script that runs a backfill and sends itself SIGKILL when the given file begins a step.
DIES = """
import os, signal, sys
from pipeline.runs import file_run as load
from pipeline.runs.backfill import Backfill, prepare_plan, run_backfill
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import TripFile
from tests.support.files import request

source, first, last, victim, step = sys.argv[1:]
begin = load.FileRun._begin_step

def begin_or_die(file_run, begun, fraction=lambda: None):
    if (file_run.file.filename, begun) == (victim, step):
        os.kill(os.getpid(), signal.SIGKILL)
    begin(file_run, begun, fraction)

load.FileRun._begin_step = begin_or_die
backfill_request = request(source, TripFile.parse(first), TripFile.parse(last))
settings = Settings()
run_backfill(Backfill(prepare_plan(backfill_request, settings), settings, "command line"), settings)
"""


def amended(dataset: Dataset) -> str:
    """Return a column that a corrected file may change without making another trip of a row."""
    return "total_amount" if dataset.has("total_amount") else "SR_Flag"


def old_version(file: TripFile) -> list[dict[str, Any]]:
    """Return the rows of a file as first published."""
    return [trip(file, PULocationID=n % 250, **{amended(file.dataset): f"{n}"}) for n in range(400)]


def new_version(file: TripFile) -> list[dict[str, Any]]:
    """Return a new version of a file: updates, deletions and inserts, some of the same identity."""
    column = amended(file.dataset)
    changed = old_version(file)[50:]
    for row in changed[::10]:
        row[column] = "1055"
    return [*changed, *(trip(file, PULocationID=251, **{column: "7"}) for _ in range(20))]


def table(settings: Settings, dataset: Dataset) -> list[tuple[Any, ...]]:
    """Return every row of the dataset's table with its id, in a fixed order."""
    return rows(settings, f"SELECT * FROM {dataset.table} ORDER BY unique_row_id")


@dataclass(frozen=True)
class Unbroken:
    """A run from old to new versions of two months that nothing disturbed."""

    april: TripFile
    may: TripFile
    home: Path
    """A home with the old versions, to be copied."""
    source: Path
    """A source with the new versions."""
    before: list[tuple[Any, ...]]
    """The rows of the table before that run."""
    after: list[tuple[Any, ...]]
    """The rows of the table after it."""

    def copied_home(self, tmp_path: Path) -> Settings:
        """Return settings whose home is a copy of the one before that run."""
        return Settings(home=shutil.copytree(self.home, tmp_path / "home"))


@pytest.fixture(scope="module", params=DATASETS.values(), ids=str)
def unbroken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    """Load the old versions once for all tests here, and the new ones in a copy."""
    dataset: Dataset = request.param
    april, may = (TripFile(dataset, Month(2020, month)) for month in (4, 5))
    root = tmp_path_factory.mktemp("unbroken")
    old, new, source = Settings(home=root / "old"), Settings(home=root / "new"), root / "source"
    source.mkdir()
    for version in (old_version, new_version):
        for file in (april, may):
            put_trips(source, file, version(file))
        if version is old_version:
            assert backfill(old, request_of(source, april, may))[0] == "succeeded"
    before = table(old, dataset)
    shutil.copytree(old.home, new.home)
    backfill(new, request_of(source, april, may))
    after = table(new, dataset)
    assert before != after
    return Unbroken(april, may, old.home, source, before, after)


def die(settings: Settings, unbroken: Unbroken, source: Path, step: str, victim: TripFile) -> None:
    first, last = unbroken.april.filename, unbroken.may.filename
    arguments = [str(source), first, last, victim.filename, step]
    killed = subprocess.run(
        [sys.executable, "-c", DIES, *arguments],
        env={"FAREGROUND_HOME": str(settings.home), "PATH": "", "PYTHONPATH": "."},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr


def resume(settings: Settings) -> str:
    mark_interrupted("local", settings)
    interrupted = History(settings.history_path).runs()[0]
    assert interrupted.state == "interrupted"
    plan = prepare_plan(resume_request(interrupted.run_id, settings), settings)
    return run_backfill(Backfill(plan, settings, "command line"), settings)


@pytest.mark.parametrize("step", ["download", "extract", "compare", "merge", "reconcile", "commit"])
def test_run_killed_at_any_step_then_resumed_equals_an_unbroken_run(
    unbroken: Unbroken, tmp_path: Path, step: str
) -> None:
    before, after = unbroken.before, unbroken.after
    april, may = unbroken.april, unbroken.may
    settings = unbroken.copied_home(tmp_path)
    die(settings, unbroken, unbroken.source, step, may)
    # April may be committed before the kill; May must be unchanged.
    by_file = {str(row[1]): [r for r in before if r[1] == row[1]] for row in before}
    now = table(settings, april.dataset)
    assert [row for row in now if row[1] == may.filename] == by_file[may.filename]
    april_rows = [row for row in now if row[1] == april.filename]
    new_rows = [row for row in after if row[1] == april.filename]
    assert april_rows in (new_rows, by_file[april.filename])

    assert_rollups_agree(settings)
    assert resume(settings) == "succeeded"
    assert table(settings, april.dataset) == after
    assert_rollups_agree(settings)


@pytest.mark.parametrize("step", ["download", "extract", "merge", "reconcile", "commit"])
def test_first_load_killed_at_any_step_leaves_nothing_of_its_file(
    unbroken: Unbroken, tmp_path: Path, step: str
) -> None:
    settings, source = Settings(home=tmp_path / "home"), tmp_path / "source"
    source.mkdir()
    for file in (unbroken.april, unbroken.may):
        put_trips(source, file, old_version(file))
    die(settings, unbroken, source, step, unbroken.april)
    assert table(settings, unbroken.april.dataset) == []
    assert_rollups_agree(settings)
    assert resume(settings) == "succeeded"
    assert len(table(settings, unbroken.april.dataset)) == 800


@pytest.mark.parametrize("kills", [4, pytest.param(60, marks=LONG)])
def test_ledger_agrees_with_table_after_every_kill_at_a_random_moment(
    unbroken: Unbroken, tmp_path: Path, kills: int
) -> None:
    settings, source = unbroken.copied_home(tmp_path), tmp_path / "source"
    source.mkdir()
    history = History(settings.history_path)
    chance = random.Random(kills)
    dataset, files = unbroken.april.dataset, (unbroken.april, unbroken.may)
    command = [sys.executable, "-m", "pipeline", "backfill", "--dataset", dataset.name, "--force"]
    command += ["--from", "2020-04", "--to", "2020-05", "--source", str(source)]
    environment = {"FAREGROUND_HOME": str(settings.home), "PATH": ""}
    amount = "sum(total_amount)" if dataset.has("total_amount") else "NULL"
    for number in range(kills):
        for file in files:
            put_trips(source, file, (old_version, new_version)[number % 2](file))
        before = len(history.runs(limit=1000))
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # The wait starts when the run starts, because imports take as long as a run.
        while len(history.runs(limit=1000)) == before and process.poll() is None:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.6))
        process.kill()
        process.wait()
        with warehouse(settings) as opened:
            for file in files:
                counted = opened.query(
                    f"SELECT count(*), {amount} FROM {dataset.table}"
                    f" WHERE filename = '{file.filename}'",
                    limit=1,
                )
                recorded = opened.query(
                    "SELECT rows, total_amount FROM load_ledger WHERE state = 'loaded'"
                    f" AND filename = '{file.filename}' ORDER BY entry DESC LIMIT 1",
                    limit=1,
                )
                assert recorded.rows == counted.rows
        assert_rollups_agree(settings)


def test_run_whose_process_is_gone_shows_as_interrupted(unbroken: Unbroken, tmp_path: Path) -> None:
    settings = unbroken.copied_home(tmp_path)
    die(settings, unbroken, unbroken.source, "merge", unbroken.april)
    assert find_running_run("local", settings) is None
    (run, *_) = History(settings.history_path).runs()
    assert run.state == "interrupted"
    assert run.finished_at is not None
    states = {f.state for f in History(settings.history_path).files(run.run_id)}
    assert states == {"cancelled"}
