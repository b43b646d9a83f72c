"""The command line: one JSON document, honest exit codes, clean cancels, read-only queries."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.settings import Settings
from pipeline.trips import Color, Month, TripFile
from pipeline.warehouse.local import LocalWarehouse
from tests.files import GREEN, YELLOW, amounts, put, put_trips, trip
from tests.servers import Server

FILE_KEYS = {
    "file", "color", "month", "state", "reason", "rows", "inserted", "updated", "deleted",
    "unchanged", "rejected", "bytes", "sha256", "seconds",
    "bytes_billed", "slot_ms",
}  # fmt: skip


def pipeline(
    settings: Settings, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    environment = os.environ | {"FAREGROUND_HOME": str(settings.home)} | variables
    command = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=60, check=False
    )


@contextmanager
def started(
    settings: Settings, *arguments: str, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """Start the command in the background; it is killed when the block ends."""
    environment = os.environ | {"FAREGROUND_HOME": str(settings.home)} | variables
    command = [sys.executable, "-m", "pipeline", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def document(result: subprocess.CompletedProcess[str]) -> Any:
    assert "Traceback" not in result.stderr, result.stderr
    return json.loads(result.stdout)


def green(folder: Path, *options: str) -> list[str]:
    """A backfill of green 2020-04 from a folder."""
    options = ("--from", "2020-04", *options)
    return ["backfill", "--color", "green", "--source", str(folder), *options]


def test_json_is_one_document_with_the_promised_keys(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    result = pipeline(settings, *green(folder, "--to", "2020-05", "--json"))
    assert result.returncode == 0
    found = document(result)
    assert set(found) == {"run_id", "state", "target", "source", "files"}
    assert (found["state"], found["target"], found["source"]) == ("succeeded", "local", str(folder))
    april, may = found["files"]
    assert set(april) == FILE_KEYS
    assert (april["file"], april["state"], april["rows"]) == (GREEN.filename, "loaded", 1)
    assert len(april["sha256"]) == 64
    assert (may["month"], may["state"]) == ("2020-05", "unavailable")
    assert amounts(settings, GREEN) == ["9.30"]


def test_a_second_run_has_nothing_to_do(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    pipeline(settings, *green(folder))
    for policy in ("missing", "missing-and-failed", "all"):
        result = pipeline(settings, *green(folder, "--policy", policy, "--json"))
        found = document(result)
        assert (result.returncode, found["state"]) == (0, "nothing-to-do")
        assert found["files"][0]["state"] == "skipped"


def test_a_file_touched_but_not_changed_is_skipped_by_its_checksum(
    settings: Settings, folder: Path
) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN)])
    pipeline(settings, *green(folder))
    os.utime(path, (1, 1))
    found = document(pipeline(settings, *green(folder, "--json")))
    assert found["state"] == "nothing-to-do"
    assert "the same bytes" in found["files"][0]["reason"]


def test_force_loads_an_unchanged_file_again(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    pipeline(settings, *green(folder))
    (file,) = document(pipeline(settings, *green(folder, "--force", "--json")))["files"]
    assert (file["state"], file["unchanged"], file["inserted"]) == ("loaded", 1, 0)


def test_a_corrected_file_heals_without_being_asked(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    pipeline(settings, *green(folder))
    put_trips(folder, GREEN, [trip(GREEN, total_amount="10.00")])
    (file,) = document(pipeline(settings, *green(folder, "--json")))["files"]
    assert (file["state"], file["updated"]) == ("loaded", 1)
    assert amounts(settings, GREEN) == ["10.00"]


def test_one_bad_file_does_not_stop_the_others_and_exits_1(
    settings: Settings, folder: Path
) -> None:
    put(folder, GREEN, b"<!DOCTYPE html><html></html>")
    may = TripFile(Color.GREEN, Month(2020, 5))
    put_trips(folder, may, [trip(may)])
    result = pipeline(settings, *green(folder, "--to", "2020-05", "--json"))
    found = document(result)
    assert (result.returncode, found["state"]) == (1, "failed")
    assert [f["state"] for f in found["files"]] == ["failed", "loaded"]
    assert GREEN.stem in found["files"][0]["reason"]
    status = document(pipeline(settings, "status", "--json"))
    assert [f["state"] for f in status["files"]] == ["failed", "loaded"]


def test_dry_run_shows_the_plan_and_leaves_no_trace(settings: Settings, folder: Path) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN)])
    result = pipeline(settings, *green(folder, "--to", "2020-05", "--dry-run", "--json"))
    found = document(result)
    assert (result.returncode, found["state"], found["run_id"]) == (0, "planned", None)
    assert [f["state"] for f in found["files"]] == ["queued", "unavailable"]
    assert found["files"][0]["bytes"] == path.stat().st_size
    assert not settings.home.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "2020-13"], "not a month"),
        (["--from", "2020-05", "--to", "2020-04"], "runs backwards"),
        (["--from", "2020-05", "--to", "2999-01"], "has not begun yet"),
        (["--from", "2020-04", "--color", "blue"], "no taxi color 'blue'"),
        (["--from", "2020-04", "--policy", "some"], "no policy 'some'"),
        (["--from", "2020-04", "--target", "moon"], "no target 'moon'"),
        (["--from", "2020-04", "--source", "/no/such/folder"], "/no/such/folder"),
        (["--from", "2020-04", "--source", "ftp://127.0.0.1/"], "ftp"),
        ([], "No month was given"),
        (["--resume", "never"], "no run 'never'"),
        (["--frm", "2020-04"], "No such option"),
    ],
)
def test_wrong_usage_says_what_is_wrong_and_exits_2(
    settings: Settings, arguments: list[str], words: str
) -> None:
    result = pipeline(settings, "backfill", *arguments, "--json", COLUMNS="400")
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_password_in_a_source_url_is_used_and_never_kept_or_shown(
    settings: Settings, folder: Path
) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN)])
    with Server({f"/{path.name}": path.read_bytes()}) as server:
        server.behave(login="somebody:hunter2secret")
        source = server.url.replace("http://", "http://somebody:hunter2secret@")
        options = ["--from", "2020-04", "--source", source]
        result = pipeline(settings, "backfill", "--color", "green", *options, "--json")
        options[-1] = source.replace("hunter2secret", "hunter3secret")
        refused = pipeline(settings, "backfill", "--color", "green", *options, "--json", "--force")
    assert document(result)["files"][0]["state"] == "loaded"
    assert refused.returncode == 1
    shown = pipeline(settings, "runs", document(result)["run_id"], "--json")
    for text in (result, refused, shown, pipeline(settings, "status", "--json")):
        assert "secret" not in text.stdout + text.stderr
    for kept in settings.home.rglob("*"):
        assert kept.is_dir() or b"hunter2secret" not in kept.read_bytes()
        assert kept.is_dir() or b"hunter3secret" not in kept.read_bytes()


def test_a_setting_that_cannot_be_names_its_variable(settings: Settings) -> None:
    result = pipeline(settings, "status", FAREGROUND_MAX_REJECTED_SHARE="lots")
    assert result.returncode == 2
    assert "FAREGROUND_MAX_REJECTED_SHARE" in result.stderr


def test_a_home_that_cannot_be_written_says_so(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    (tmp_path / "file").write_text("not a folder")
    result = pipeline(settings, *green(folder), FAREGROUND_HOME=str(tmp_path / "file" / "home"))
    assert result.returncode == 1
    assert "Set FAREGROUND_HOME to a folder you may write to." in result.stderr


def test_status_runs_and_query_work_before_anything_was_loaded(settings: Settings) -> None:
    assert document(pipeline(settings, "status", "--json")) == {"target": "local", "files": []}
    assert document(pipeline(settings, "runs", "--json")) == {"runs": []}
    count = pipeline(
        settings, "query", "SELECT count(*) AS n FROM yellow_tripdata", "--format", "json"
    )
    assert document(count) == [{"n": 0}]


def test_query_prints_table_csv_and_json(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN, store_and_fwd_flag=None)])
    pipeline(settings, *green(folder))
    sql = "SELECT lpep_pickup_datetime AS at, total_amount, store_and_fwd_flag FROM green_tripdata"
    assert document(pipeline(settings, "query", sql, "--format", "json")) == [
        {"at": "2020-04-01T08:00:00", "total_amount": 9.3, "store_and_fwd_flag": None}
    ]
    csv = pipeline(settings, "query", sql, "--format", "csv").stdout
    assert csv == "at,total_amount,store_and_fwd_flag\n2020-04-01T08:00:00,9.30,\n"
    assert "total_amount" in pipeline(settings, "query", sql).stdout


def test_query_says_when_rows_were_left_out(settings: Settings) -> None:
    result = pipeline(
        settings, "query", "SELECT * FROM range(5)", "--limit", "2", "--format", "csv"
    )
    assert result.stdout == "range\n0\n1\n"
    assert "first 2 rows" in result.stderr


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM green_tripdata",
        "DROP TABLE load_ledger",
        "SELECT 1; SELECT 2",
        "",
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM glob('*')",
        "COPY (SELECT 1) TO '{file}.out'",
        "ATTACH '{file}' AS other",
        "INSTALL httpfs",
        "PRAGMA database_list",
        "SET enable_external_access = true",
        "EXPLAIN ANALYZE DELETE FROM load_ledger",
        "SELECT nonsense FROM green_tripdata",
    ],
)
def test_query_only_reads_the_warehouse(settings: Settings, folder: Path, sql: str) -> None:
    secret = folder / "secret.csv"
    secret.write_text("word\nhidden\n")
    put_trips(folder, GREEN, [trip(GREEN)])
    pipeline(settings, *green(folder))
    result = pipeline(settings, "query", sql.replace("{file}", str(secret)))
    assert result.returncode == 2, result.stdout
    assert "hidden" not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "secret.csv.out").exists()
    assert amounts(settings, GREEN) == ["9.30"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_within_two_seconds_and_resume_finishes(
    settings: Settings, folder: Path, number: signal.Signals
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    path = put_trips(folder, YELLOW, [trip(YELLOW, PULocationID=n % 250) for n in range(5000)])
    files = {f"/{GREEN.stem}.csv.gz": folder / f"{GREEN.stem}.csv.gz", f"/{path.name}": path}
    with Server({name: file.read_bytes() for name, file in files.items()}) as server:
        server.behave(f"/{path.name}", stall_after=1000)
        arguments = ["--from", "2020-04", "--source", server.url, "--color", "green"]
        with started(settings, "backfill", *arguments, "--color", "yellow", "--json") as process:
            assert server.holding.wait(15)
            pressed = time.monotonic()
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=10)
            assert time.monotonic() - pressed < 2.0 + 0.5  # half a second to leave Python
        assert process.returncode == 128 + number, stderr
        found = json.loads(stdout)
        assert found["state"] == "cancelled"
        assert found["files"][1]["state"] == "cancelled"
        server.behave(f"/{path.name}", stall_after=None)
        resumed = document(pipeline(settings, "backfill", "--resume", found["run_id"], "--json"))
    assert {f["state"] for f in resumed["files"]} == {"loaded"}
    assert len(amounts(settings, YELLOW)) == 5000
    assert len(amounts(settings, GREEN)) == 1


def test_a_second_backfill_is_told_which_run_and_process_holds_the_warehouse(
    settings: Settings, folder: Path
) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN)])
    with Server({f"/{path.name}": path.read_bytes()}) as server:
        server.behave(f"/{path.name}", stall_after=10)
        with started(
            settings, *green(Path("x"))[:3], "--from", "2020-04", "--source", server.url
        ) as first:
            assert server.holding.wait(15)
            for arguments in (green(folder), ["status"], ["query", "SELECT 1"]):
                result = pipeline(settings, *arguments, FAREGROUND_BUSY_WAIT_SECONDS="0.3")
                assert result.returncode == 1
                assert f"pid {first.pid}" in result.stderr
                assert "Traceback" not in result.stderr


def test_a_backfill_waits_briefly_for_someone_who_only_looks(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    with started(settings, *green(folder, "--json")) as process:
        with LocalWarehouse(settings):
            time.sleep(1.0)
            assert process.poll() is None
        stdout, _ = process.communicate(timeout=10)
    assert json.loads(stdout)["state"] == "succeeded"


def test_runs_lists_runs_and_shows_one_with_its_log(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    run_id = document(pipeline(settings, *green(folder, "--json")))["run_id"]
    (run,) = document(pipeline(settings, "runs", "--json"))["runs"]
    assert (run["run_id"], run["state"], run["origin"]) == (run_id, "succeeded", "command line")
    one = document(pipeline(settings, "runs", run_id, "--json"))
    assert one["files"][0]["rows"] == 1
    assert any("loaded 1 rows, $9.30: 1 inserted" in line for line in one["log"])
    assert run_id in pipeline(settings, "runs").stdout
    assert "1 inserted" in pipeline(settings, "runs", run_id).stdout
    assert pipeline(settings, "runs", "never").returncode == 2


def test_every_example_in_help_is_a_command_that_parses(settings: Settings) -> None:
    text = pipeline(settings, "backfill", "--help", COLUMNS="200").stdout
    examples = re.findall(r"python -m pipeline (backfill --.+)", text)
    assert len(examples) >= 4
    for example in examples:
        result = pipeline(
            settings, *shlex.split(example.strip()), "--dry-run", "--source", "sample"
        )
        assert result.returncode == 0 or "There is no run" in result.stderr
