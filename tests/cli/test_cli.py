"""The command line: JSON documents, exit codes, cancels, read-only queries."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import time
from pathlib import Path

import pytest

from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse.local.warehouse import LocalWarehouse
from tests.support.command import (
    document,
    pipeline,
    pipeline_process,
    started,
    unprivileged,
)
from tests.support.files import GREEN, YELLOW, amounts, load, put, put_trips, trip
from tests.support.servers import Server

FILE_KEYS = {
    "file", "color", "month", "state", "reason", "rows", "inserted", "updated", "deleted",
    "unchanged", "rejected", "bytes", "unpacked_bytes", "sha256", "seconds",
    "bytes_billed", "slot_ms",
}  # fmt: skip


def green(folder: Path, *options: str) -> list[str]:
    """Return the arguments of a backfill of green 2020-04 from a folder."""
    options = ("--from", "2020-04", *options)
    return ["backfill", "--color", "green", "--source", str(folder), *options]


def test_json_output_is_one_document_with_documented_keys(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    result = pipeline_process(settings, *green(folder, "--to", "2020-05", "--json"))
    assert result.returncode == 0
    output = document(result)
    assert set(output) == {"run_id", "state", "target", "source", "files"}
    assert (output["state"], output["target"], output["source"]) == (
        "succeeded",
        "local",
        str(folder),
    )
    april, may = output["files"]
    assert set(april) == FILE_KEYS
    assert (april["file"], april["state"], april["rows"]) == (GREEN.filename, "loaded", 1)
    assert len(april["sha256"]) == 64
    assert (may["month"], may["state"]) == ("2020-05", "unavailable")
    assert amounts(settings, GREEN) == ["9.30"]


def test_second_run_has_nothing_to_do(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    pipeline(settings, *green(folder))
    for policy in ("missing", "missing-and-failed", "all"):
        result = pipeline(settings, *green(folder, "--policy", policy, "--json"))
        output = document(result)
        assert (result.returncode, output["state"]) == (0, "nothing-to-do")
        assert output["files"][0]["state"] == "skipped"


def test_touched_file_with_same_bytes_is_skipped(settings: Settings, folder: Path) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN)])
    pipeline(settings, *green(folder))
    os.utime(path, (1, 1))
    output = document(pipeline(settings, *green(folder, "--json")))
    assert output["state"] == "nothing-to-do"
    assert "the same bytes" in output["files"][0]["reason"]


def test_force_loads_unchanged_file_again(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    pipeline(settings, *green(folder))
    (file,) = document(pipeline(settings, *green(folder, "--force", "--json")))["files"]
    assert (file["state"], file["unchanged"], file["inserted"]) == ("loaded", 1, 0)


def test_corrected_file_is_loaded_by_default_policy(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    pipeline(settings, *green(folder))
    put_trips(folder, GREEN, [trip(GREEN, total_amount="10.00")])
    (file,) = document(pipeline(settings, *green(folder, "--json")))["files"]
    assert (file["state"], file["updated"]) == ("loaded", 1)
    assert amounts(settings, GREEN) == ["10.00"]


def test_bad_file_does_not_stop_other_files_and_exits_1(settings: Settings, folder: Path) -> None:
    put(folder, GREEN, b"<!DOCTYPE html><html></html>")
    may = TripFile(GREEN_TAXIS, Month(2020, 5))
    put_trips(folder, may, [trip(may)])
    result = pipeline(settings, *green(folder, "--to", "2020-05", "--json"))
    output = document(result)
    assert (result.returncode, output["state"]) == (1, "failed")
    assert [f["state"] for f in output["files"]] == ["failed", "loaded"]
    assert GREEN.stem in output["files"][0]["reason"]
    status = document(pipeline(settings, "status", "--json"))
    assert [f["state"] for f in status["files"]] == ["failed", "loaded"]


def test_dry_run_prints_plan_and_writes_nothing(settings: Settings, folder: Path) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN)])
    result = pipeline(settings, *green(folder, "--to", "2020-05", "--dry-run", "--json"))
    output = document(result)
    assert (result.returncode, output["state"], output["run_id"]) == (0, "planned", None)
    assert [f["state"] for f in output["files"]] == ["queued", "unavailable"]
    assert output["files"][0]["bytes"] == path.stat().st_size
    assert not settings.home.exists()


def test_many_months_that_a_source_does_not_have_are_printed_once(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    sentence = f"8 months are not in {folder} (2020-05 to 2020-12)."
    for more in (["--dry-run"], []):
        result = pipeline(settings, *green(folder, "--to", "2020-12", *more))
        printed = " ".join(result.stdout.split())
        assert printed.count(sentence) == 1
        assert "2020-07" not in printed
        assert GREEN.stem in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "2020-13"], "not a month"),
        (["--from", "2020-05", "--to", "2020-04"], "runs backwards"),
        (["--from", "2020-05", "--to", "2999-01"], "has not begun yet"),
        (["--from", "2020-04", "--dataset", "blue"], "no dataset 'blue'"),
        (["--from", "2020-04", "--color", "blue"], "no dataset 'blue'"),  # its earlier name
        (["--from", "2020-04", "--policy", "some"], "no policy 'some'"),
        (["--from", "2020-04", "--target", "moon"], "no target 'moon'"),
        (["--from", "2020-04", "--source", "/no/such/folder"], "/no/such/folder"),
        (["--from", "2020-04", "--source", "ftp://127.0.0.1/"], "ftp"),
        ([], "No month was given"),
        (["--resume", "never"], "no run 'never'"),
        (["--frm", "2020-04"], "No such option"),
    ],
)
def test_wrong_usage_names_problem_and_exits_2(
    settings: Settings, arguments: list[str], words: str
) -> None:
    result = pipeline(settings, "backfill", *arguments, "--json", COLUMNS="400")
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_password_in_source_url_is_used_but_never_stored_or_printed(
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
    run_output = pipeline(settings, "runs", document(result)["run_id"], "--json")
    for text in (result, refused, run_output, pipeline(settings, "status", "--json")):
        assert "secret" not in text.stdout + text.stderr
    for path in settings.home.rglob("*"):
        assert path.is_dir() or b"hunter2secret" not in path.read_bytes()
        assert path.is_dir() or b"hunter3secret" not in path.read_bytes()


def test_invalid_setting_names_its_variable(settings: Settings) -> None:
    result = pipeline_process(settings, "status", FAREGROUND_MAX_REJECTED_SHARE="lots")
    assert result.returncode == 2
    assert "FAREGROUND_MAX_REJECTED_SHARE" in result.stderr


def test_unwritable_home_is_reported(settings: Settings, folder: Path, tmp_path: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    (tmp_path / "file").write_text("not a folder")
    result = pipeline_process(
        settings, *green(folder), FAREGROUND_HOME=str(tmp_path / "file" / "home")
    )
    assert result.returncode == 1
    assert "or set FAREGROUND_HOME to a folder" in result.stderr


def test_status_names_synthetic_months(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    sample = ["backfill", "--color", "green", "--source", "sample", "--from", "2020-05"]
    for arguments in (green(folder), sample):
        assert pipeline(settings, *arguments).returncode == 0
    april, may, *_, total = pipeline(settings, "status").stdout.split("2020-04", 1)[1].splitlines()
    assert "loaded 1 rows" in april
    assert "synthetic" not in april
    assert may.rstrip().endswith("rows, synthetic")
    assert re.fullmatch(
        r"Loaded: [\d,]+ trips of 2 files, [\d.]+ MiB packed, [\d.]+ MiB unpacked\.", total
    )


def test_status_runs_and_query_work_in_empty_warehouse(settings: Settings) -> None:
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


def test_query_cost_prints_bytes_and_layouts_and_runs_nothing(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, store_and_fwd_flag=None, VendorID="2")])
    pipeline(settings, *green(folder))
    sql = "SELECT VendorID, store_and_fwd_flag, filename FROM green_tripdata"
    printed = pipeline(settings, "query", "--cost", sql).stdout
    assert "BigQuery would scan 75 bytes ($0.0001): 75 bytes." in printed
    assert "Daily partitions" in printed
    cost = document(pipeline(settings, "query", "--cost", sql, "--format", "json"))
    assert cost["bytes_processed"] == 2 * 8 + (2 + 1) + 2 * (2 + len(GREEN.filename))
    assert cost["bytes_billed"] == 10 * 2**20
    assert cost["dry_run_bytes"] is None
    assert cost["layouts"][0]["layout"] == "As loaded"
    endless = "SELECT count(*) FROM range(1000000000000), green_tripdata"
    assert "at least 0 bytes" in pipeline(settings, "query", "--cost", endless).stdout
    refused = pipeline(settings, "query", "--cost", "DROP TABLE green_tripdata")
    assert refused.returncode == 2
    assert "Only one SELECT" in refused.stderr


def test_query_reports_truncated_rows(settings: Settings) -> None:
    result = pipeline(
        settings, "query", "SELECT * FROM range(5)", "--limit", "2", "--format", "csv"
    )
    assert result.stdout == "range\n0\n1\n"
    assert "first 2 rows" in result.stderr


@pytest.fixture(scope="module")
def loaded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with one loaded trip, shared by tests that only read it."""
    root = tmp_path_factory.mktemp("loaded")
    (root / "source").mkdir()
    put_trips(root / "source", GREEN, [trip(GREEN)])
    load(root / "source", GREEN, Settings(home=root / "home"))
    return root / "home"


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
def test_query_refuses_to_write(loaded_home: Path, folder: Path, sql: str) -> None:
    settings = Settings(home=loaded_home)
    secret = folder / "secret.csv"
    secret.write_text("word\nhidden\n")
    result = pipeline(settings, "query", sql.replace("{file}", str(secret)))
    assert result.returncode == 2, result.stdout
    assert "hidden" not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "secret.csv.out").exists()
    assert amounts(settings, GREEN) == ["9.30"]


def test_warehouse_that_cannot_be_read_is_not_said_to_be_unwritable(
    settings: Settings, folder: Path
) -> None:
    load(put_trips(folder, GREEN, [trip(GREEN)]).parent, GREEN, settings)
    settings.warehouse_path.chmod(0)
    for command in (("query", "SELECT 1"), ("status",), green(folder, "--force")):
        result = pipeline_process(settings, *command, prefix=unprivileged(), COLUMNS="400")
        assert result.returncode == 1
        assert f"{settings.warehouse_path} cannot be read." in result.stderr
        assert "Make it readable." in result.stderr


def test_path_with_too_long_a_name_is_named_as_such(settings: Settings, folder: Path) -> None:
    load(put_trips(folder, GREEN, [trip(GREEN)]).parent, GREEN, settings)
    path = str(folder / ("n" * 300))
    exports = [("export", format, "--to", path) for format in ("parquet", "csv", "duckdb")]
    for command in (*exports, ("preview", path), ("backup", path)):
        result = pipeline(settings, *command, COLUMNS="1000")
        assert result.returncode == 1
        assert "File name too long" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_cancels_backfill_within_two_seconds_and_resume_finishes_it(
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
            assert time.monotonic() - pressed < 2.0 + 0.5  # Python needs up to 0.5 s to exit
        assert process.returncode == 128 + number, stderr
        output = json.loads(stdout)
        assert output["state"] == "cancelled"
        assert output["files"][1]["state"] == "cancelled"
        server.behave(f"/{path.name}", stall_after=None)
        resumed = document(pipeline(settings, "backfill", "--resume", output["run_id"], "--json"))
    assert {f["state"] for f in resumed["files"]} == {"loaded"}
    assert len(amounts(settings, YELLOW)) == 5000
    assert len(amounts(settings, GREEN)) == 1


def test_second_backfill_is_refused_with_run_and_process_of_first(
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


def test_backfill_waits_briefly_for_reader(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    with started(settings, *green(folder, "--json")) as process:
        with LocalWarehouse(settings):
            time.sleep(1.0)
            assert process.poll() is None
        stdout, _ = process.communicate(timeout=10)
    assert json.loads(stdout)["state"] == "succeeded"


def test_runs_lists_runs_and_prints_log_of_one(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    run_id = document(pipeline(settings, *green(folder, "--json")))["run_id"]
    (run,) = document(pipeline(settings, "runs", "--json"))["runs"]
    assert (run["run_id"], run["state"], run["origin"]) == (run_id, "succeeded", "command line")
    run_document = document(pipeline(settings, "runs", run_id, "--json"))
    assert run_document["files"][0]["rows"] == 1
    assert any("loaded 1 rows, $9.30: 1 inserted" in line for line in run_document["log"])
    assert run_id in pipeline(settings, "runs").stdout
    assert "1 inserted" in pipeline(settings, "runs", run_id).stdout
    assert pipeline(settings, "runs", "never").returncode == 2


def test_every_example_in_help_parses(settings: Settings) -> None:
    text = pipeline(settings, "backfill", "--help", COLUMNS="200").stdout
    examples = re.findall(r"python -m pipeline (backfill --.+)", text)
    assert len(examples) >= 4
    for example in examples:
        result = pipeline(
            settings, *shlex.split(example.strip()), "--dry-run", "--source", "sample"
        )
        assert result.returncode == 0 or "There is no run" in result.stderr
