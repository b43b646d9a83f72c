"""The commands `schedule` and `scheduler`, and the section of the Runs page."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

from pipeline.schedule.store import Schedules
from pipeline.settings import Settings
from pipeline.trips import Month
from tests.files import rows
from tests.test_cli import pipeline, started
from tests.test_pages import check, fresh_server, open_app, texts  # noqa: F401  the fixture
from tests.test_scheduler import publish, wait_for


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
        kept = schedules.get("green-local")
        schedules.put_off(kept.schedule, kept.added_at)  # as a look that was put off and is due
        wait_for(lambda: (look := schedules.get("green-local").latest) and look.ended_at, 20)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(10) == 0
    look = schedules.get("green-local").latest
    assert look is not None
    assert look.state == "loaded", look.message


def test_the_runs_page_adds_pauses_and_removes_a_schedule(settings: Settings) -> None:
    app = open_app("pages/runs.py")
    assert "Schedules" in texts(app)
    app.selectbox(key="s-source").set_value("sample")
    app.number_input(key="s-day").set_value(5)
    add = next(button for button in app.button if button.label == "Add schedule")
    check(add.click().run())
    (kept,) = Schedules(settings).all()
    assert (kept.schedule.name, kept.schedule.day, kept.schedule.source) == (
        "green-local", 5, "sample",
    )  # fmt: skip
    assert "Next times: " in texts(app)
    check(app.button(key="schedule-pause").click().run())
    assert not Schedules(settings).get("green-local").enabled
    assert "none while it is paused" in texts(app)
    check(app.button(key="schedule-resume").click().run())
    check(app.button(key="schedule-remove").click().run())
    assert Schedules(settings).all() == []


def test_the_runs_page_fires_a_schedule_and_refuses_one_that_cannot_be(
    settings: Settings, folder: Path
) -> None:
    newest = Month.current().plus(-2)
    publish(folder, newest)
    app = open_app("pages/runs.py")
    app.selectbox(key="s-source").set_value("place")
    add = next(button for button in app.button if button.label == "Add schedule")
    check(add.click().run())
    assert "No folder or URL was given" in texts(app)
    app.text_input(key="s-place").set_value(str(folder))
    app.text_input(key="s-since").set_value(str(newest))
    add = next(button for button in app.button if button.label == "Add schedule")
    check(add.click().run())
    check(app.button(key="schedule-run").click().run())
    schedules = Schedules(settings)
    wait_for(lambda: (look := schedules.get("green-local").latest) and look.ended_at, 20)
    check(app.run())
    assert f"loaded green {newest}" in texts(app)


def test_the_commands_of_the_schedules_page_run_in_order(settings: Settings) -> None:
    text = (Path(__file__).parents[1] / "docs" / "schedules.md").read_text()
    commands = re.findall(r"^python -m pipeline (.+)$", text, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        if command == "schedule add --color green":
            command += " --source sample"  # the real source needs a network
        result = pipeline(settings, *command.split())
        assert result.returncode == 0, (command, result.stderr)
