"""The commands `schedule` and `scheduler`, and the section of the Runs page."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
from pathlib import Path

import pytest

from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month
from pipeline.runs.schedule import Schedule
from pipeline.runs.schedule.store import Schedules
from tests.pages.test_pages import (
    check,
    fresh_server,  # noqa: F401  the fixture
    open_app,
    open_tab,
    texts,
    type_source,
)
from tests.runs.schedule.test_scheduler import publish, wait_for
from tests.runs.schedule.test_store import attack, put_earlier_stores
from tests.support.command import pipeline, started
from tests.support.files import rows
from tests.support.servers import Server


def test_a_schedule_is_added_listed_paused_resumed_and_removed(settings: Settings) -> None:
    added = pipeline(settings, "schedule", "add", "--color", "green", "--source", "sample")
    assert added.returncode == 0, added.stderr
    assert "day 1 of each month, 09:00 America/New_York" in added.stdout
    listed = json.loads(pipeline(settings, "schedule", "list", "--json").stdout)
    assert not listed["scheduler_running"]
    (green,) = listed["schedules"]
    assert (green["name"], green["target"], green["enabled"]) == ("green-local", "local", True)
    assert len(green["next_times"]) == 5
    assert pipeline(settings, "schedule", "pause", "green-local").returncode == 0
    (green,) = json.loads(pipeline(settings, "schedule", "list", "--json").stdout)["schedules"]
    assert (green["enabled"], green["next_times"]) == (False, [])
    assert pipeline(settings, "schedule", "resume", "green-local").returncode == 0
    assert pipeline(settings, "schedule", "remove", "green-local").returncode == 0
    again = pipeline(settings, "schedule", "remove", "green-local")
    assert again.returncode == 2
    assert "Traceback" not in again.stderr


def test_list_names_a_schedule_that_an_earlier_version_left_damaged_and_exits_with_1(
    settings: Settings,
) -> None:
    put_earlier_stores(settings.home)
    with sqlite3.connect(settings.home / "schedules.sqlite") as connection:
        connection.execute(
            "UPDATE apscheduler_jobs SET job_state = x'8005632e' WHERE id = 'lord-howe'"
        )
    connection.close()
    for _ in range(2):
        listed = pipeline(settings, "schedule", "list")
        assert listed.returncode == 1
        assert "green-local" in listed.stdout
        assert "The schedule 'lord-howe' is damaged and does not fire" in listed.stderr
        assert "Traceback" not in listed.stderr
    as_json = pipeline(settings, "schedule", "list", "--json")
    assert as_json.returncode == 1
    listed_names = [schedule["name"] for schedule in json.loads(as_json.stdout)["schedules"]]
    assert len(listed_names) == 6
    (damaged,) = json.loads(as_json.stdout)["damaged"]
    assert damaged["name"] == "lord-howe"
    assert pipeline(settings, "schedule", "pause", "lord-howe").returncode == 1
    assert pipeline(settings, "schedule", "remove", "lord-howe").returncode == 0
    assert pipeline(settings, "schedule", "list").returncode == 0


def test_backup_with_a_hostile_pickle_runs_nothing_when_it_is_restored(
    settings: Settings, tmp_path: Path
) -> None:
    put_earlier_stores(settings.home)
    trace = tmp_path / "trace"
    with sqlite3.connect(settings.home / "schedules.sqlite") as connection:
        connection.execute("UPDATE apscheduler_jobs SET job_state = ?", (attack(trace),))
    connection.close()
    made = json.loads(pipeline(settings, "backup", str(tmp_path), "--json").stdout)
    elsewhere = settings.model_copy(update={"home": tmp_path / "elsewhere"})
    assert pipeline(elsewhere, "restore", made["folder"]).returncode == 0
    listed = pipeline(elsewhere, "schedule", "list")
    assert listed.returncode == 1
    assert listed.stderr.count("'posix.system'") == 9
    assert not trace.exists()


def test_run_now_does_what_a_firing_does_and_says_how_it_went(
    settings: Settings, folder: Path
) -> None:
    newest = Month.current().plus(-3)
    publish(folder, newest)
    add = ["schedule", "add", "--color", "green", "--since", str(newest), "--source", str(folder)]
    assert pipeline(settings, *add).returncode == 0
    fired = pipeline(settings, "schedule", "run-now", "green-local")
    assert fired.returncode == 0, fired.stderr
    assert fired.stdout.startswith(f"loaded: loaded green {newest}")
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(1,)]


def test_the_scheduler_sees_a_schedule_that_is_added_beside_it_and_ends_on_sigterm(
    settings: Settings, folder: Path
) -> None:
    newest = Month.current().plus(-2)
    publish(folder, newest)
    with started(settings, "scheduler") as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Firing 0 schedules")
        listed = json.loads(pipeline(settings, "schedule", "list", "--json").stdout)
        assert listed["scheduler_running"]
        schedules = Schedules(settings)
        add = ["schedule", "add", "--color", "green", "--source", str(folder)]
        assert pipeline(settings, *add, "--since", str(newest)).returncode == 0
        stored = schedules.get("green-local")
        schedules.set_retry("green-local", stored.added_at)  # a retry that is due
        wait_for(lambda: (firing := schedules.get("green-local").latest) and firing.ended_at, 20)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(10) == 0
    firing = schedules.get("green-local").latest
    assert firing is not None
    assert firing.state == "loaded", firing.message


def test_the_runs_page_adds_pauses_and_removes_a_schedule(settings: Settings) -> None:
    app = open_tab(open_app("pages/runs.py"), "runs tab", "Schedules")
    app.selectbox(key="s-source").set_value("sample")
    app.number_input(key="s-day").set_value(5)
    add = next(button for button in app.button if button.label == "Add schedule")
    check(add.click().run())
    (stored,) = Schedules(settings).all()
    assert (stored.schedule.name, stored.schedule.day, stored.schedule.source) == (
        "green-local", 5, "sample",
    )  # fmt: skip
    assert "Next times: " in texts(app)
    check(app.button(key="schedule-pause").click().run())
    assert not Schedules(settings).get("green-local").enabled
    assert "none while it is paused" in texts(app)
    check(app.button(key="schedule-resume").click().run())
    check(app.button(key="schedule-remove").click().run())
    assert Schedules(settings).all() == []


def test_the_runs_page_names_a_damaged_schedule_and_removes_it(settings: Settings) -> None:
    put_earlier_stores(settings.home)
    with sqlite3.connect(settings.home / "schedules.sqlite") as connection:
        connection.execute("UPDATE apscheduler_jobs SET job_state = x'00' WHERE id = 'lord-howe'")
    connection.close()
    app = open_tab(open_app("pages/runs.py"), "runs tab", "Schedules")
    assert [re.sub(r"\\", "", error.value)[:44] for error in app.error] == [
        "The schedule 'lord-howe' is damaged and does"
    ]
    check(app.button(key="schedule-remove-lord-howe").click().run())
    assert list(app.error) == []
    assert len(Schedules(settings).read()[0]) == 6


def test_the_runs_page_fires_a_schedule_and_refuses_one_that_cannot_be(
    settings: Settings, folder: Path
) -> None:
    newest = Month.current().plus(-2)
    publish(folder, newest)
    app = open_tab(open_app("pages/runs.py"), "runs tab", "Schedules")
    type_source(app, "s-source", str(folder / "nowhere"))
    add = next(button for button in app.button if button.label == "Add schedule")
    check(add.click().run())
    assert "There is no source or folder" in texts(app)
    type_source(app, "s-source", str(folder))
    app.text_input(key="s-since").set_value(str(newest))
    add = next(button for button in app.button if button.label == "Add schedule")
    check(add.click().run())
    check(app.button(key="schedule-run").click().run())
    schedules = Schedules(settings)
    wait_for(lambda: (firing := schedules.get("green-local").latest) and firing.ended_at, 20)
    check(app.run())
    assert f"loaded green {newest}" in texts(app)


@pytest.mark.parametrize("by", ["command", "page"])
def test_schedule_of_a_folder_without_first_month_loads_its_missing_months(
    settings: Settings, folder: Path, by: str
) -> None:
    publish(folder, Month(2020, 4), Month(2020, 5))
    schedules = Schedules(settings)
    if by == "command":
        added = pipeline(settings, "schedule", "add", "--color", "green", "--source", str(folder))
        assert added.returncode == 0, added.stderr
        assert "green from 2020-04 on" in added.stdout
        for message in ("loaded green 2020-04, 2020-05", "nothing is new: green 2020-05"):
            result = pipeline(settings, "schedule", "run-now", "green-local")
            assert message in result.stdout.replace("\n", " "), result.stdout + result.stderr
        return
    app = open_tab(open_app("pages/runs.py"), "runs tab", "Schedules")
    type_source(app, "s-source", str(folder))
    check(next(button for button in app.button if button.label == "Add schedule").click().run())
    check(app.button(key="schedule-run").click().run())
    wait_for(lambda: (firing := schedules.get("green-local").latest) and firing.ended_at, 20)
    assert "loaded green 2020-04, 2020-05" in texts(check(app.run()))


def test_schedule_that_begins_after_the_months_of_its_folder_names_them(
    settings: Settings, folder: Path
) -> None:
    publish(folder, Month(2020, 4), Month(2020, 5))
    add = ("schedule", "add", "--color", "green", "--source", str(folder), "--since", "2024-01")
    assert pipeline(settings, *add).returncode == 0
    result = pipeline(settings, "schedule", "run-now", "green-local")
    assert "waiting" in result.stdout
    assert "it has 2020-04 to 2020-05" in result.stdout.replace("\n", " ")


def test_schedule_that_is_run_now_shows_that_it_checks_its_source_and_that_it_failed(
    settings: Settings,
) -> None:
    schedules = Schedules(settings)
    with Server() as server:
        server.behave(silent=True)
        schedules.add(
            Schedule("green-local", GREEN_TAXIS, Month.current().plus(-1), source=server.url)
        )
        app = open_tab(open_app("pages/runs.py"), "runs tab", "Schedules")
        assert "It has not fired yet." in texts(app)
        check(app.button(key="schedule-run").click().run())
        assert server.holding.wait(20)
        check(app.run())
        assert "**◐ checking**" in texts(app)
        assert app.button(key="schedule-run").disabled
    wait_for(lambda: (firing := schedules.get("green-local").latest) and firing.ended_at, 60)
    check(app.run())
    assert "**✕ failed**" in texts(app)


def test_the_commands_of_the_schedules_page_run_in_order(settings: Settings) -> None:
    text = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text()
    commands = re.findall(r"^python -m pipeline (.+)$", text, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        if command == "schedule add --dataset green":
            command += " --source sample"  # the real source needs a network
        result = pipeline(settings, *command.split())
        assert result.returncode == 0, (command, result.stderr)
