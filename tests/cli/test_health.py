"""The command `health`: its exit code and its checks."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from typer.testing import CliRunner, Result

from pipeline.__main__ import app
from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month
from pipeline.runs.locks import backfill_lock
from pipeline.runs.schedule import Schedule
from pipeline.runs.schedule.scheduler import Scheduler
from pipeline.runs.schedule.store import Schedules
from tests.support.command import pipeline
from tests.support.files import GREEN, load, put_trips, trip, warehouse
from tests.support.servers import Server, closed_port


def health(*options: str) -> Result:
    return CliRunner().invoke(app, ["health", *options])


def states(result: Result) -> dict[str, str]:
    return {c["name"]: c["state"] for c in json.loads(result.stdout)["checks"]}


def test_health_passes_with_and_without_warehouse(settings: Settings, folder: Path) -> None:
    assert health().exit_code == 0
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    result = pipeline(settings, "health", "--json")
    assert result.returncode == 0
    output = json.loads(result.stdout)
    assert output["ok"]
    assert {c["state"] for c in output["checks"]} == {"ok"}
    assert [c["name"] for c in output["checks"]] == [
        "folder", "disk", "runs", "scheduler", "warehouse",
    ]  # fmt: skip


def test_health_fails_with_damaged_warehouse_or_history(settings: Settings) -> None:
    settings.home.mkdir()
    settings.warehouse_path.write_bytes(b"no database" * 999)
    settings.history_path.write_bytes(b"nor this one" * 999)
    result = health("--json")
    assert result.exit_code == 1
    checks = states(result)
    assert (checks["warehouse"], checks["runs"], checks["folder"]) == ("failed", "failed", "ok")


def test_health_fails_when_home_is_no_folder(settings: Settings) -> None:
    settings.home.write_text("a file")
    result = health("--json")
    assert result.exit_code == 1
    assert states(result)["folder"] == "failed"
    assert states(result)["warehouse"] == "skipped"


def test_health_passes_while_backfill_holds_warehouse(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    with backfill_lock("local", settings), warehouse(settings):
        result = pipeline(settings, "health", "--json")
    assert result.returncode == 0
    warned = {c["name"]: c["state"] for c in json.loads(result.stdout)["checks"]}
    assert warned["warehouse"] == "warning"


def test_health_reports_absent_scheduler_and_fails_when_required(
    settings: Settings, folder: Path
) -> None:
    assert health("--scheduler").exit_code == 1
    Schedules(settings).add(Schedule("g", GREEN_TAXIS, Month(2020, 4), source=str(folder)))
    result = health("--json")
    assert (result.exit_code, states(result)["scheduler"]) == (0, "warning")
    scheduler = Scheduler(settings)
    assert scheduler.start()
    try:
        assert health("--scheduler").exit_code == 0
    finally:
        scheduler.stop()


def test_health_warns_of_damaged_schedule(settings: Settings, folder: Path) -> None:
    Schedules(settings).add(Schedule("g", GREEN_TAXIS, Month(2020, 4), source=str(folder)))
    with sqlite3.connect(settings.home / "schedules.sqlite") as connection:
        connection.execute("UPDATE schedules SET day = 99")
    connection.close()
    result = health("--json")
    assert (result.exit_code, states(result)["scheduler"]) == (0, "warning")
    assert "The schedule 'g' is damaged" in result.output


def test_health_fails_when_app_does_not_respond(settings: Settings) -> None:
    settings.home.mkdir()
    assert health("--app", closed_port()).exit_code == 1
    assert health("--app", "nonsense").exit_code == 1
    with Server({"/_stcore/health": b"ok"}) as server:
        assert health("--app", server.url).exit_code == 0
