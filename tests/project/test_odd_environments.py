"""Every command runs in environments that are odd: encodings, folders, time zones, streams."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import app
from pipeline.core.settings.settings import Settings
from tests.support.command import unprivileged
from tests.support.files import rows

ROOT = Path(__file__).parents[2]

# Runs all commands in one process: to import them once for each would take most of the time. The
# scheduler, which runs until a signal, gets one after a second.
DRIVER = """
import glob, json, os, signal, sys, threading, traceback
from pathlib import Path
from pipeline.__main__ import app
from pipeline.cli.streams import exit_on_full_stream, prepare_streams
from pipeline.core.redact import guard_output
prepare_streams()
guard_output()
outcomes = []
for arguments in json.loads(Path(sys.argv[1]).read_text("utf-8")):
    if arguments == ["scheduler"]:
        threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    arguments = [next(iter(glob.glob(a)), a) if a.endswith("/*") else a for a in arguments]
    code, trace = 0, ""
    try:
        with exit_on_full_stream():
            app(arguments, prog_name="python -m pipeline")
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        trace = traceback.format_exc()
    outcomes.append([code, trace])
Path(sys.argv[2]).write_text(json.dumps(outcomes), "utf-8")
"""

MONTH = ("--color", "green", "--month", "2021-01")
SAMPLE = ("--source", "sample")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("setup",),
    ("remove-sample",),
    ("backfill", "--color", "green", "--from", "2021-01", *SAMPLE),
    ("backfill", "--color", "green", "--from", "2021-01", *SAMPLE, "--dry-run", "--json"),
    ("status",),
    ("runs",),
    ("runs", "--json"),
    ("query", "SELECT count(*) AS n, '●' AS mark FROM green_tripdata"),
    ("query", "SELECT '● ü' AS mark", "--format", "csv"),
    ("query", "SELECT '● ü' AS mark", "--format", "json"),
    ("verify", "--target", "local"),
    ("doctor",),
    ("health",),
    ("preview", *MONTH, *SAMPLE),
    ("diff", *MONTH, *SAMPLE),
    ("explain", *MONTH, *SAMPLE),
    ("schedule", "add", "--color", "green", *SAMPLE, "--since", "2021-02", "--name", "mine"),
    ("schedule", "list"),
    ("schedule", "pause", "mine"),
    ("schedule", "resume", "mine"),
    ("schedule", "remove", "mine"),
    ("scheduler",),
    ("answers", "add", "{notes}"),
    ("answers", "list"),
    ("answers", "search", "heron flows"),
    ("answers", "ask", "heron flows", "--prompts"),
    ("answers", "check", "--text", "{notes}"),
    ("answers", "truths", *MONTH),
    ("answers", "eval", "releases", "--dry-run"),
    ("answers", "evals"),
    ("answers", "remove", "{notes}"),
    ("export", "parquet", "--to", "{backup}-parquet"),
    ("export", "csv", "--to", "{backup}-csv"),
    ("export", "duckdb", "--to", "{backup}.duckdb"),
    ("backup", "{backup}"),
    ("rebuild",),
    ("restore", "{backup}/*"),
)
# Only fires when the clock says so, and would load every month since.
NOT_RUN = {("schedule", "run-now")}


@dataclass(frozen=True)
class Environment:
    """What is odd; a variable whose value is None is unset."""

    variables: dict[str, str | None] = field(default_factory=dict)
    python: tuple[str, ...] = ()
    redirection: str = ""
    folder: str = ""  # below the test's folder, where the commands run
    prefix: tuple[str, ...] = ()  # a command that runs the rest of its line


C = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NO_HOME = {"HOME": None, "USERPROFILE": None, "XDG_CONFIG_HOME": None, "USER": None}
ENVIRONMENTS = {
    "usual": Environment(),
    "LANG=C": Environment(C),
    "cp1252": Environment({"PYTHONIOENCODING": "cp1252"}),
    "HOME unset": Environment(NO_HOME),
    "python -O": Environment(python=("-O",)),
    "python -OO": Environment(python=("-OO",)),
    "Kathmandu": Environment({"TZ": "Asia/Kathmandu"}),
    "New York": Environment({"TZ": "America/New_York"}),
    "another folder": Environment(folder="a földer's [name] *"),
    "stdout closed": Environment(redirection=">&-"),
    "all streams closed": Environment(redirection="<&- >&- 2>&-"),
    "stdout and stderr one file": Environment(redirection=">output 2>&1"),
    "a narrow terminal": Environment({"COLUMNS": "20", "TERM": "dumb", "NO_COLOR": "1"}),
    "all at once": Environment(
        {**C, **NO_HOME, "TZ": "Asia/Kathmandu"}, ("-O",), "<&- >&-", "a földer's [name] *"
    ),
}


def run_commands(
    tmp_path: Path, environment: Environment, commands: tuple[tuple[str, ...], ...] = COMMANDS
) -> list[tuple[tuple[str, ...], int, str]]:
    """Run commands in an environment; return each with its exit code and traceback."""
    folder = tmp_path / environment.folder
    folder.mkdir(exist_ok=True)
    notes = tmp_path / "notes.md"
    notes.write_text("# Heron\\n\\nThe heron keeps 2,048 flows. ●\\n", "utf-8")
    paths = {"notes": str(notes), "backup": str(tmp_path / "backup")}
    listed = tmp_path / "commands.json"
    listed.write_text(
        json.dumps([[word.format(**paths) for word in command] for command in commands]), "utf-8"
    )
    (tmp_path / "driver.py").write_text(DRIVER, "utf-8")
    nobody = "http://127.0.0.1:9"
    variables: dict[str, str | None] = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FAREGROUND_HOME": str(tmp_path / "home"),
        "FAREGROUND_GITHUB_URL": nobody,
        "FAREGROUND_TLC_URL": nobody,
        **environment.variables,
    }
    driver = (sys.executable, *environment.python, str(tmp_path / "driver.py"))
    line = (*environment.prefix, *driver, str(listed), str(tmp_path / "out"))
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {environment.redirection}', "sh", *line],
        cwd=folder,
        env={name: value for name, value in variables.items() if value is not None},
        capture_output=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes: list[list[Any]] = json.loads((tmp_path / "out").read_text("utf-8"))
    return [(command, *outcome) for command, outcome in zip(commands, outcomes, strict=True)]


@pytest.mark.skipif(sys.platform == "win32", reason="redirects with a POSIX shell")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "all at once" else pytest.mark.slow)
        for name in ENVIRONMENTS
    ],
)
def test_every_command_runs_in_an_odd_environment(tmp_path: Path, name: str) -> None:
    outcomes = run_commands(tmp_path, ENVIRONMENTS[name])
    assert [outcome for outcome in outcomes if outcome[1:] != (0, "")] == []
    # The times are those of New York's clocks as published, wherever the command ran.
    first = "SELECT count(*), min(lpep_pickup_datetime)::VARCHAR, sum(total_amount) FROM {table}"
    ((count, pickup, amount),) = rows(
        Settings(home=tmp_path / "home"), first.format(table="green_tripdata")
    )
    assert (count, pickup, str(amount)) == (12_881, FIRST_PICKUP, TOTAL)


# Of the sample's green 2021-01.
FIRST_PICKUP, TOTAL = "2008-12-31 23:10:21", "275157.45"


def test_every_command_is_among_them() -> None:
    import typer

    group = typer.main.get_command(app)
    names = set()
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        names |= {(name, below) for below in inner} if inner else {(name,)}
    groups = ("schedule", "answers")
    run = {command[: 2 if command[0] in groups else 1] for command in COMMANDS}
    assert run | NOT_RUN == names


@pytest.mark.slow
@pytest.mark.parametrize("place", ["home", "current folder"])
def test_every_command_in_a_read_only_folder_ends_without_traceback(
    tmp_path: Path, place: str
) -> None:
    prefix = unprivileged()
    read_only = tmp_path / ("home" if place == "home" else "here")
    if place == "home":
        run_commands(tmp_path, Environment(), COMMANDS[:25])
        environment = Environment(prefix=prefix)
    else:
        read_only.mkdir()
        environment = Environment({"FAREGROUND_HOME": None}, folder="here", prefix=prefix)
    paths = [read_only, *read_only.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~stat.S_IWUSR)
    try:
        outcomes = run_commands(tmp_path, environment)
    finally:
        for path in paths:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
    assert [outcome for outcome in outcomes if outcome[2] or outcome[1] not in (0, 1, 2)] == []
    codes = {command: code for command, code, _ in outcomes}
    assert codes[COMMANDS[1]] == 1  # the backfill
    assert codes[("query", "SELECT '● ü' AS mark", "--format", "csv")] == 0
