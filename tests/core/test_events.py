"""The log for machines: one schema, whoever writes, and nobody's output is disturbed by it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pipeline.cli.console import log_command
from pipeline.core import events, redact
from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.events import log_path, tell
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.runs.history import History
from pipeline.runs.schedule import Schedule
from pipeline.runs.schedule.scheduler import Scheduler
from pipeline.runs.schedule.store import Schedules
from tests.cli.test_cli import green
from tests.support.command import document, pipeline
from tests.support.files import GREEN, backfill, put, put_trips, request, trip

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "events.schema.json").read_text())


def lines(home: Path) -> list[dict[str, Any]]:
    """Every line of the log, each held to the schema."""
    found = [json.loads(line) for line in log_path(home).read_text().splitlines()]
    check = jsonschema.Draft202012Validator(SCHEMA)
    for line in found:
        check.validate(line)
    return found


def test_every_log_line_of_a_run_matches_the_schema_and_names_the_run(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    put(folder, TripFile(GREEN_TAXIS, Month(2020, 5)), b"no,trip,file\n1,2,3\n")
    result = pipeline(settings, *green(folder, "--to", "2020-06", "--json"))
    run = document(result)  # stdout is the document and nothing else
    assert result.returncode == 1
    found = lines(settings.home)
    assert found[-1]["event"] == "command-ended"
    assert (found[-1]["command"], found[-1]["exit_code"]) == ("backfill", 1)
    mine = found[:-1]
    assert {line["run_id"] for line in mine} == {run["run_id"]}
    assert (mine[0]["event"], mine[-1]["event"]) == ("run-begun", "run-ended")
    assert (mine[0]["files"], mine[0]["files_to_run"]) == (3, 2)
    assert mine[-1]["state"] == "failed"
    ended = {line["file"][-11:-4]: line for line in mine if line["event"] == "file-ended"}
    assert {month: line["state"] for month, line in ended.items()} == {
        "2020-04": "loaded",
        "2020-05": "failed",
        "2020-06": "unavailable",
    }
    assert (ended["2020-04"]["rows"], ended["2020-04"]["severity"]) == (2, "INFO")
    assert ended["2020-05"]["severity"] == "ERROR"
    (loaded,) = [file for file in run["files"] if file["state"] == "loaded"]
    assert {name: ended["2020-04"][name] for name in ("sha256", "bytes", "inserted")} == {
        name: loaded[name] for name in ("sha256", "bytes", "inserted")
    }
    said = [line["message"] for line in mine if line["event"] == "run-log"]
    assert said == [
        line.message for line in History(settings.history_path).log_lines(run["run_id"])
    ]
    steps = {line["step"]: line["seconds"] for line in mine if line["event"] == "step-ended"}
    assert {"download", "extract", "merge", "commit"} <= steps.keys()


def test_scheduler_and_schedules_write_to_the_same_log(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    Schedules(settings).add(Schedule("g", GREEN_TAXIS, Month(2020, 4), source=str(folder)))
    scheduler = Scheduler(settings)
    scheduler.start()
    try:
        firing = scheduler.fire("g")
    finally:
        scheduler.stop()
    found = lines(settings.home)
    assert [line["event"] for line in (found[0], found[-1])] == [
        "scheduler-begun",
        "scheduler-ended",
    ]
    ended = next(line for line in found if line["event"] == "schedule-ended")
    assert (ended["schedule"], ended["state"], ended["run_id"]) == (
        "g",
        firing.state,
        firing.run_id,
    )


def test_concurrent_processes_lose_and_split_no_line_during_rotation(
    settings: Settings,
) -> None:
    settings.home.mkdir()
    work = (
        "import sys; from pathlib import Path; from pipeline.core import events\n"
        "events._MOST_BYTES, events._BACKUP_FILES = 5_000, 99\n"
        "for number in range(100):\n"
        "    events.tell(Path(sys.argv[1]), 'run-log', f'{sys.argv[2]} {number}', run_id='r')"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", work, settings.home, name], cwd=ROOT)
        for name in "abc"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    files = [path for path in (settings.home / "logs").iterdir() if ".jsonl" in path.name]
    assert len(files) > 5
    assert all(path.stat().st_size <= 5_000 for path in files)
    said = [json.loads(line)["message"] for path in files for line in path.open()]
    assert sorted(said) == sorted(f"{name} {number}" for name in "abc" for number in range(100))


def test_traceback_of_unexpected_error_is_in_the_log_only(
    settings: Settings,
) -> None:
    settings.home.mkdir()
    try:
        raise ZeroDivisionError("a bug\u2028with a line of its own")
    except ZeroDivisionError as error:
        tell(settings.home, "run-log", "it failed", level="error", run_id="r", error=error)
    (line,) = lines(settings.home)
    assert (line["severity"], line["message"]) == ("ERROR", "it failed")
    assert line["trace"].startswith("Traceback")
    assert line["trace"].endswith("ZeroDivisionError: a bug\u2028with a line of its own")


def test_log_holds_no_secret_in_any_field(settings: Settings) -> None:
    settings.home.mkdir()
    redact.remember("hunter-22")
    try:
        raise ValueError("the key hunter-22 was refused")
    except ValueError as error:
        told_of = {"file": "hunter-22", "reason": "key=hunter-22, and AIza" + "x" * 35}
        tell(settings.home, "run-log", "hunter-22", run_id="hunter-22", error=error, **told_of)
    text = log_path(settings.home).read_text()
    assert "refused" in text
    assert "hunter" not in text
    assert "AIza" not in text


def test_log_to_stderr_writes_the_lines_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.home.mkdir()
    monkeypatch.setenv("FAREGROUND_LOG_TO", "stderr")
    tell(settings.home, "run-log", "heard", run_id="r")
    out, err = capsys.readouterr()
    assert (out, json.loads(err)["message"]) == ("", "heard")
    assert not log_path(settings.home).exists()


def test_unwritable_log_is_reported_once_and_the_run_continues(
    settings: Settings, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    settings.home.mkdir()
    (settings.home / "logs").write_text("a file where the folder should be")
    state, _ = backfill(settings, request(folder, GREEN))
    assert state == "succeeded"
    out, err = capsys.readouterr()
    assert (out, err.count("The log "), err.count("\n")) == ("", 1, 1)


def test_reading_a_missing_home_does_not_create_it(settings: Settings) -> None:
    assert pipeline(settings, "status").returncode == 0
    assert not settings.home.exists()


def test_command_is_logged_without_its_arguments(settings: Settings) -> None:
    settings.home.mkdir()
    for arguments in (["query", "hidden"], ["answers", "search", "hidden"], ["hidden=1"]):
        with pytest.raises(SystemExit), log_command(arguments):
            raise SystemExit(2)
    assert [line["command"] for line in lines(settings.home)] == ["query", "answers search", ""]
    assert "hidden" not in log_path(settings.home).read_text()


def test_log_documentation_names_every_event_and_field() -> None:
    said = (ROOT / "docs" / "observability.md").read_text()
    kinds = SCHEMA["properties"]["event"]["enum"]
    assert sorted(kinds) == sorted(events.Event.__args__)
    for name in (*kinds, *SCHEMA["required"]):
        assert f"`{name}`" in said, name
