"""Define the SQLite tables of the run history, and parse their rows into records.

All times are UTC, stored as ISO 8601 text.
"""

from __future__ import annotations

import sqlite3
from dataclasses import fields
from datetime import datetime
from typing import Any, get_args

from pipeline.core.datasets import find_dataset
from pipeline.core.trips import Month, Selection, TripFile
from pipeline.runs.plan import Request
from pipeline.runs.policy import Policy
from pipeline.runs.run_records import LogLine, Run, RunFile, RunFileState, RunState, Step

VERSION = 2  # raise it with each change to the tables: an older file is then upgraded

TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, state TEXT NOT NULL, target TEXT NOT NULL, source TEXT NOT NULL,
    source_label TEXT NOT NULL, policy TEXT NOT NULL, force INTEGER NOT NULL,
    colors TEXT NOT NULL, first_month TEXT NOT NULL, last_month TEXT NOT NULL,
    started_at TEXT NOT NULL, finished_at TEXT, pid INTEGER NOT NULL, origin TEXT NOT NULL,
    label TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS run_files (
    run_id TEXT NOT NULL, file TEXT NOT NULL, position INTEGER NOT NULL, state TEXT NOT NULL,
    reason TEXT NOT NULL, rows INTEGER, inserted INTEGER, updated INTEGER, deleted INTEGER,
    unchanged INTEGER, rejected INTEGER, bytes INTEGER, sha256 TEXT, seconds REAL,
    bytes_billed INTEGER, slot_ms INTEGER, unpacked_bytes INTEGER,
    PRIMARY KEY (run_id, file)
);
CREATE TABLE IF NOT EXISTS run_steps (
    run_id TEXT NOT NULL, file TEXT NOT NULL, step TEXT NOT NULL,
    started_at TEXT NOT NULL, finished_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS run_log (
    line INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, at TEXT NOT NULL,
    file TEXT, level TEXT NOT NULL, message TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS run_log_by_run ON run_log (run_id, line);
CREATE INDEX IF NOT EXISTS run_steps_by_run ON run_steps (run_id);
"""

# Files of runs on a target. `newest` is 1 for the newest load of a file, 2 for the one before it.
TIMED_FILES = """
SELECT * FROM (
    SELECT run_files.*, row_number() OVER (
        PARTITION BY file, run_files.state ORDER BY started_at DESC, runs.run_id DESC
    ) AS newest
    FROM run_files JOIN runs USING (run_id) WHERE target = :target
)
WHERE {condition} ORDER BY file
"""


def add_columns(connection: sqlite3.Connection) -> None:
    """Add the columns that a history lacks which an older version created."""
    # The write lock comes before the check, or two processes would both add the same column.
    connection.execute("BEGIN IMMEDIATE")
    columns = {row["name"] for row in connection.execute("PRAGMA table_info(run_files)")}
    for name in ("bytes_billed", "slot_ms", "unpacked_bytes"):
        if name not in columns:
            connection.execute(f"ALTER TABLE run_files ADD COLUMN {name} INTEGER")
    connection.commit()


def read_run(row: sqlite3.Row) -> Run:
    """Return a Run from a row of the table `runs`."""
    selection = Selection(
        tuple(find_dataset(dataset) for dataset in row["colors"].split(",")),
        Month.parse(row["first_month"]),
        Month.parse(row["last_month"]),
    )
    finished = row["finished_at"]
    return Run(
        run_id=row["run_id"],
        state=_one_of(RunState, row["state"]),
        request=Request(
            selection=selection,
            source=row["source"],
            policy=Policy(row["policy"]),
            force=bool(row["force"]),
            target=row["target"],
        ),
        source_label=row["source_label"],
        started_at=datetime.fromisoformat(row["started_at"]),
        finished_at=datetime.fromisoformat(finished) if finished else None,
        pid=row["pid"],
        origin=row["origin"],
        label=row["label"],
    )


def read_run_file(row: sqlite3.Row) -> RunFile:
    """Return a RunFile from a row of the table `run_files`."""
    values: dict[str, Any] = {field.name: row[field.name] for field in fields(RunFile)}
    state = _one_of(RunFileState, values["state"])
    return RunFile(**values | {"file": TripFile.parse(values["file"]), "state": state})


def read_step(row: sqlite3.Row) -> Step:
    """Return a Step from a row of the table `run_steps`."""
    return Step(
        TripFile.parse(row["file"]),
        row["step"],
        datetime.fromisoformat(row["started_at"]),
        datetime.fromisoformat(row["finished_at"]),
    )


def read_log_line(row: sqlite3.Row) -> LogLine:
    """Return a LogLine from a row of the table `run_log`."""
    return LogLine(
        row["line"],
        datetime.fromisoformat(row["at"]),
        TripFile.parse(row["file"]) if row["file"] else None,
        row["level"],
        row["message"],
    )


def _one_of(states: Any, state: str) -> Any:
    """Return a state if it is one of a Literal's; raise ValueError for a damaged one."""
    if state not in get_args(states):
        raise ValueError(f"{state!r} is not a state")
    return state
