"""What commands print: no control character of others, on any stream, and never a traceback."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.redact import describe_exception
from pipeline.core.settings.settings import Settings
from pipeline.core.sqlite_file import SqliteFile
from pipeline.core.terminal import printable
from tests.support.command import pipeline, pipeline_process
from tests.support.files import GREEN, csv_bytes, load, put, put_trips, trip

# One of each kind: CSI and OSC sequences, their C1 forms, bell, backspace, carriage return, DEL,
# next line, and the controls that change the direction of text or end a line of it.
CONTROLS = (
    "\x1b[2J", "\x1b]0;title\x07", "\x9b2J", "\x9d0;title\x9c", "\x90q", "\x08", "\r", "\x0c",
    "\x7f", "\x85", "\u202e", "\u2067", "\u2069", "\u200f", "\u061c",
)  # fmt: skip
COMMANDING = {character for text in CONTROLS for character in text if not character.isalnum()} - {
    *"[];"
}


def assert_obeys_nobody(*texts: str) -> None:
    for text in texts:
        assert not COMMANDING & set(text), COMMANDING & set(text)


@pytest.mark.parametrize("control", CONTROLS)
def test_control_character_of_a_document_is_never_printed(
    settings: Settings, folder: Path, control: str
) -> None:
    title = f"Heron{control}Notes"
    (folder / "notes.md").write_text(f"# {title}\n\nThe heron{control} keeps 2,048 flows.\n")
    (folder / "page.html").write_text(f"<title>{title}</title><h1>H{control}</h1><p>heron</p>")
    commands = (
        ("add", str(folder / "notes.md"), str(folder / "page.html")),
        ("list",),
        ("search", "heron"),
        ("ask", "heron flows", "--prompts"),
        ("check", "--text", str(folder / "notes.md")),
        ("remove", str(folder / "notes.md")),
    )
    for arguments in commands:
        result = pipeline(settings, "answers", *arguments)
        assert (result.returncode, "Heron" in result.stdout or "heron" in result.stdout) == (
            0,
            True,
        )
        assert_obeys_nobody(result.stdout, result.stderr)


def test_control_characters_of_a_trip_file_are_never_printed(
    settings: Settings, folder: Path
) -> None:
    cell = "".join(control for control in CONTROLS if control != "\r")
    name = f"tip{cell}"
    rows = [trip(GREEN, PULocationID=n, **{name: 1}) for n in range(200)]
    # The row with the damaged flag is a reject, whose reason and content show it.
    path = put_trips(folder, GREEN, [*rows, trip(GREEN, store_and_fwd_flag=f"N{cell}")])
    assert load(folder, GREEN, settings).rejected == 1
    query = "SELECT reason, content FROM rejects"
    month = ("--color", "green", "--month", "2020-04", "--source", str(folder))
    for arguments in (
        ("query", query),
        ("preview", str(path)),
        ("diff", *month),
        ("explain", *month),
    ):
        result = pipeline(settings, *arguments)
        assert result.returncode == 0, result.stderr
        assert_obeys_nobody(result.stdout, result.stderr)


def test_control_characters_of_names_and_errors_are_never_printed(
    settings: Settings, folder: Path
) -> None:
    hostile = "green\x1b[2J\x9b\u202e_tripdata.csv"
    put(folder, GREEN, b"<!DOCTYPE html><html>\x1b[2J</html>")
    for arguments in (
        ("answers", "add", str(folder / hostile)),
        ("preview", str(folder / hostile)),
        ("backfill", "--from", "2020-04", "--source", str(folder / hostile)),
        ("backfill", "--from", "2020-04", "--color", "green", "--source", str(folder)),
        ("query", f"SELECT '{hostile}' FROM nothing"),
        ("runs", hostile),
    ):
        result = pipeline(settings, *arguments)
        assert result.returncode != 0
        assert_obeys_nobody(result.stdout, result.stderr)


def test_csv_of_a_query_is_unchanged_in_a_file(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    sql = "SELECT store_and_fwd_flag || chr(27) || '[2J●' AS flag FROM green_tripdata"
    query = ("query", sql, "--format", "csv")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *query],
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == "flag\nN\x1b[2J●\n"


def test_traceback_of_hostile_text_has_no_control_character() -> None:
    text = describe_exception(ValueError("x\x1b]0;title\x07.exe"))
    assert_obeys_nobody(text)
    assert "title" in text


def test_letters_of_all_scripts_stay_as_they_are() -> None:
    text = "Zürich, Αθήνα, 東京, القاهرة, हिन्दी, 👩‍💻, tab\tand\nline"
    assert printable(text) == text


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_stream_that_is_not_utf8_gets_plain_letters(
    settings: Settings, folder: Path, encoding: str
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    month = ("--color", "green", "--month", "2020-04", "--source", str(folder))
    for arguments in (("status",), ("explain", *month)):
        plain, full = (
            subprocess.run(
                [sys.executable, "-m", "pipeline", *arguments],
                env=os.environ | {"PYTHONIOENCODING": name},
                capture_output=True,
                check=True,
            ).stdout.decode(name)
            for name in (encoding, "utf-8")
        )
        assert plain.count("?") == full.count("?")  # nothing was left without a stand-in


def shell(settings: Settings, command: str) -> subprocess.CompletedProcess[bytes]:
    """Run `python -m pipeline` with arguments and redirections of a shell."""
    return subprocess.run(
        ["sh", "-c", f"{shlex.quote(sys.executable)} -m pipeline {command}"],
        env=os.environ | {"FAREGROUND_HOME": str(settings.home)},
        capture_output=True,
        check=False,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["status", "runs --json", "query 'SELECT 1' --format csv"])
def test_full_stream_is_reported_and_fails(settings: Settings, command: str) -> None:
    result = shell(settings, f"{command} >/dev/full")
    assert result.returncode == 1
    assert b"Cannot write the output: No space left" in result.stderr
    assert b"Traceback" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that closes streams")
def test_closed_streams_change_neither_outcome_nor_files(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill = f"backfill --dataset green --from 2020-04 --source {shlex.quote(str(folder))}"
    assert shell(settings, f"{backfill} <&- >&- 2>&-").returncode == 0
    for command in ("runs --json", "status", "query 'SELECT 1' --format csv"):
        result = shell(settings, f"{command} >&-")
        assert (result.returncode, result.stderr) == (0, b"")
    counted = pipeline_process(settings, "query", "SELECT count(*) AS n FROM green_tripdata")
    assert counted.stdout.split()[-1] == "1"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="needs file names that are bytes")
def test_argument_that_is_not_utf8_is_refused(settings: Settings, folder: Path) -> None:
    name = os.fsencode(folder) + b"/\xff.csv"
    Path(os.fsdecode(name)).write_bytes(csv_bytes(GREEN, [trip(GREEN)]))
    for command, argument in (("query", b"SELECT \xff"), ("runs", b"\xff"), ("preview", name)):
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", command, argument], capture_output=True, check=False
        )
        assert done.returncode == 2
        assert b"not valid UTF-8" in done.stderr
        assert b"Traceback" not in done.stderr
    assert settings.home


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999"])
def test_limit_beyond_all_bounds_is_wrong_usage(settings: Settings, number: str) -> None:
    for arguments in (("query", "SELECT 1"), ("runs",), ("verify",)):
        result = pipeline(settings, *arguments, "--limit", number)
        assert result.returncode == 2 or (arguments, number) == (("verify",), "0")


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("runs", "policy = 'missing-and-fiiled'"),
        ("runs", "state = 'succeedee'"),
        ("runs", "started_at = '2026-1!-01'"),
        ("runs", "colors = 'greem'"),
        ("run_files", "state = 'loadee'"),
        ("run_files", "file = 'green_tripdata_2020-99.csv'"),
        ("run_log", "at = 'never'"),
    ],
)
def test_damaged_row_of_the_history_is_reported(
    settings: Settings, folder: Path, table: str, change: str
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill = ("backfill", "--color", "green", "--from", "2020-04", "--source", str(folder))
    assert pipeline(settings, *backfill).returncode == 0
    with SqliteFile(settings.history_path, "The history", "").connect() as connection:
        (run_id,) = connection.execute("SELECT run_id FROM runs").fetchone()
        connection.execute(f"UPDATE {table} SET {change}")
    result = pipeline(settings, "runs", run_id)
    assert result.returncode == 1
    assert f"{settings.history_path} is damaged" in result.stderr.replace("\n", "")
    assert "Move it away" in result.stderr


def test_waiting_for_the_warehouse_prints_no_line_of_a_library(
    settings: Settings, folder: Path
) -> None:
    import duckdb

    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    with duckdb.connect(str(settings.warehouse_path)):
        result = pipeline_process(settings, "status", FAREGROUND_BUSY_WAIT_SECONDS="1")
    assert result.returncode == 1
    assert "retry" not in result.stderr


@pytest.mark.parametrize(
    ("home", "reason"),
    [
        ("d" * 260, "too long"),
        ("/".join(["d" * 200] * 21), "too long"),
        ("\udcff", "not valid UTF-8"),
    ],
)
def test_home_that_no_file_can_be_in_is_named(
    settings: Settings, tmp_path: Path, home: str, reason: str
) -> None:
    for command in ("status", "health", "runs"):
        result = pipeline(settings, command, FAREGROUND_HOME=str(tmp_path / home))
        assert (result.returncode, reason in result.stderr) == (2, True), result.stderr


def test_what_lies_under_the_home_is_readable_by_its_owner_alone(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    (folder / "notes.md").write_text("# Notes\n\nSome words.\n")
    settings.home.mkdir(mode=0o755)
    (settings.home / "history.sqlite").touch(0o644)  # as an earlier version left it
    backfill = ("backfill", "--color", "green", "--from", "2020-04", "--source", str(folder))
    for arguments in (backfill, ("answers", "add", str(folder / "notes.md"))):
        done = pipeline_process(settings, *arguments)
        assert done.returncode == 0, done.stderr
    loose = [path for path in settings.home.rglob("*") if path.stat().st_mode & 0o077]
    assert not loose


def test_text_between_colons_is_printed_as_it_is(settings: Settings, folder: Path) -> None:
    place = folder / "a:x:b"
    place.mkdir()
    cells = place / "cells.csv"
    cells.write_text("a,:fire:\n1,root:x:0\n")
    result = pipeline(settings, "preview", str(cells), COLUMNS="400")
    assert {str(cells), ":fire:", "root:x:0"} <= set(result.stdout.replace(": 1", " ").split())
    load(put_trips(folder, GREEN, [trip(GREEN)]).parent, GREEN, settings)
    result = pipeline(settings, "query", "SELECT '1:100:2' AS \":smile:\"")
    assert result.stdout.split()[0] == ":smile:"
    assert "1:100:2" in result.stdout
    document = folder / "users.md"
    document.write_text("# Users :x:\n\nThe line root:x:0 is first.\n")
    assert "Users :x:" in pipeline(settings, "answers", "add", str(document)).stdout
    assert "root:x:0" in pipeline(settings, "answers", "search", "line").stdout
    missing = pipeline(settings, "preview", str(place / ":bug:.csv"), COLUMNS="400")
    assert ":bug:.csv" in missing.stderr
