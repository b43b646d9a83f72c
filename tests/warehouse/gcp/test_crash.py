"""Killed at any instant, a file in BigQuery is wholly old or wholly new; resuming repairs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.settings.settings import Settings
from pipeline.runs.backfill import Backfill, prepare_plan, resume_request, run_backfill
from pipeline.runs.history import History
from pipeline.runs.locks import mark_interrupted
from tests.support.files import GREEN, TARGETS, backfill, put_trips, request, rows, trip

# Runs a backfill and kills itself, as kill -9 would, before or after a job of the given step.
DIES = """
import os, signal, sys
from dataclasses import replace
from pipeline.runs.backfill import Backfill, prepare_plan, run_backfill
from pipeline.core.settings.settings import Settings
from pipeline.warehouse.gcp import jobs as google_jobs
from tests.support.files import GREEN, request

source, step, moment = sys.argv[1:]
submit = google_jobs.JobRunner._submit

def submit_and_die(runner, job_id, begun, sql, parameters):
    if (begun, moment) == (step, "before"):
        os.kill(os.getpid(), signal.SIGKILL)
    job = submit(runner, job_id, begun, sql, parameters)
    if begun == step:
        os.kill(os.getpid(), signal.SIGKILL)
    return job

google_jobs.JobRunner._submit = submit_and_die
asked = replace(request(source, GREEN), target="gcp")
settings = Settings()
run_backfill(Backfill(prepare_plan(asked, settings), settings, "command line"), settings)
"""


def versions() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    old = [trip(GREEN, PULocationID=n % 250, total_amount=f"{n}.00") for n in range(300)]
    new = [dict(row) for row in old[20:]]
    for row in new[::10]:
        row["total_amount"] = "0.55"
    return old, [*new, *(trip(GREEN, PULocationID=251) for _ in range(3))]


def table(settings: Settings) -> list[tuple[Any, ...]]:
    return rows(settings, "SELECT * FROM green_tripdata ORDER BY unique_row_id")


@pytest.mark.parametrize(
    ("step", "moment"),
    [
        ("external", "after"),
        ("extract", "after"),
        ("compare", "before"),
        ("merge", "before"),
        ("merge", "after"),
    ],
)
def test_killed_around_a_job_then_resumed_equals_an_unbroken_run(
    gcp_settings: Settings, folder: Path, step: str, moment: str
) -> None:
    settings = gcp_settings
    TARGETS[settings.home] = "gcp"
    old, new = versions()
    put_trips(folder, GREEN, old)
    assert backfill(settings, request(folder, GREEN))[0] == "succeeded"
    before = table(settings)
    put_trips(folder, GREEN, new)
    killed = subprocess.run(
        [sys.executable, "-c", DIES, str(folder), step, moment],
        env=os.environ | {"PYTHONPATH": "."},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    now = table(settings)
    if (step, moment) != ("merge", "after"):
        assert now == before
    else:  # the job was accepted, and goes on without us
        assert len(now) in (len(before), len(new))

    mark_interrupted("gcp", settings)
    interrupted = History(settings.history_path).runs()[0]
    assert (interrupted.state, interrupted.request.target) == ("interrupted", "gcp")
    plan = prepare_plan(resume_request(interrupted.run_id, settings), settings)
    run_backfill(Backfill(plan, settings, "command line"), settings)
    after = table(settings)
    assert len(after) == len(new)
    amounts = "SELECT SUM(total_amount), COUNT(DISTINCT unique_row_id) FROM green_tripdata"
    ((total, ids),) = rows(settings, amounts)
    assert ids == len(new)
    assert float(total) == pytest.approx(sum(float(row["total_amount"]) for row in new))
    ((count, amount),) = rows(
        settings, "SELECT `rows`, total_amount FROM load_ledger ORDER BY entry DESC LIMIT 1"
    )
    assert (count, amount) == (len(new), total)
