"""`health`: quick, and its exit code says whether all can go on."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from pipeline.__main__ import app
from pipeline.locks import backfill_lock
from pipeline.schedule import Schedule
from pipeline.schedule.scheduler import Scheduler
from pipeline.schedule.store import Schedules
from pipeline.settings import Settings
from pipeline.trips import Color, Month
from tests.files import GREEN, load, put_trips, trip, warehouse
from tests.servers import Server, closed_port
from tests.test_cli import pipeline


def health(*options: str) -> Result:
    return CliRunner().invoke(app, ["health", *options])


def states(result: Result) -> dict[str, str]:
    return {c["name"]: c["state"] for c in json.loads(result.stdout)["checks"]}


def test_a_new_home_and_one_with_a_warehouse_are_well(settings: Settings, folder: Path) -> None:
    assert health().exit_code == 0
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    result = pipeline(settings, "health", "--json")
    assert result.returncode == 0
    found = json.loads(result.stdout)
    assert found["ok"]
    assert {c["state"] for c in found["checks"]} == {"ok"}
    assert [c["name"] for c in found["checks"]] == [
        "folder", "disk", "runs", "scheduler", "warehouse",
    ]  # fmt: skip


def test_a_damaged_warehouse_and_a_damaged_history_are_not_well(settings: Settings) -> None:
    settings.home.mkdir()
    settings.warehouse_path.write_bytes(b"no database" * 999)
    settings.history_path.write_bytes(b"nor this one" * 999)
    result = health("--json")
    assert result.exit_code == 1
    found = states(result)
    assert (found["warehouse"], found["runs"], found["folder"]) == ("failed", "failed", "ok")


def test_a_home_that_cannot_be_a_folder_is_not_well(settings: Settings) -> None:
    settings.home.write_text("a file")
    result = health("--json")
    assert result.exit_code == 1
    assert states(result)["folder"] == "failed"
    assert states(result)["warehouse"] == "skipped"


def test_a_warehouse_that_a_backfill_holds_is_well(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    with backfill_lock("local", settings), warehouse(settings):
        result = pipeline(settings, "health", "--json")
    assert result.returncode == 0
    warned = {c["name"]: c["state"] for c in json.loads(result.stdout)["checks"]}
    assert warned["warehouse"] == "warning"


def test_a_scheduler_that_is_not_there_is_said_and_fails_where_it_must_be(
    settings: Settings, folder: Path
) -> None:
    assert health("--scheduler").exit_code == 1
    Schedules(settings).add(Schedule("g", Color.GREEN, Month(2020, 4), source=str(folder)))
    seen = health("--json")
    assert (seen.exit_code, states(seen)["scheduler"]) == (0, "warning")
    scheduler = Scheduler(settings)
    assert scheduler.start()
    try:
        assert health("--scheduler").exit_code == 0
    finally:
        scheduler.stop()


def test_an_app_that_does_not_answer_is_not_well(settings: Settings) -> None:
    settings.home.mkdir()
    assert health("--app", closed_port()).exit_code == 1
    assert health("--app", "nonsense").exit_code == 1
    with Server({"/_stcore/health": b"ok"}) as server:
        assert health("--app", server.url).exit_code == 0
