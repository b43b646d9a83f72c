"""The tables of the run history, and the records that their rows are read into.

All times are UTC, ISO 8601.
"""

from __future__ import annotations

import sqlite3
from dataclasses import fields
from datetime import datetime
from typing import Any

from pipeline.plan import Policy, Request
from pipeline.run_records import LogLine, Run, RunFile, Step
from pipeline.trips import Color, Month, Selection, TripFile

VERSION = 1  # of the tables below; raised with each change to them

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
    bytes_billed INTEGER, slot_ms INTEGER,
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

# `newest` counts the loads of a file into the target, from the newest one back.
TIMED_FILES = """
SELECT * FROM (
    SELECT run_files.*, row_number() OVER (
        PARTITION BY file, run_files.state ORDER BY started_at DESC, runs.run_id DESC
    ) AS newest
    FROM run_files JOIN runs USING (run_id) WHERE target = :target
)
WHERE {wanted} ORDER BY file
"""


def add_columns(connection: sqlite3.Connection) -> None:
    """Bring a history that was written before these columns were thought of up to date."""
    found = {row["name"] for row in connection.execute("PRAGMA table_info(run_files)")}
    for name in ("bytes_billed", "slot_ms"):
        if name not in found:
            try:
                connection.execute(f"ALTER TABLE run_files ADD COLUMN {name} INTEGER")
            except sqlite3.OperationalError as error:  # another process was quicker
                if "duplicate column" not in str(error):
                    raise


def run_of(row: sqlite3.Row) -> Run:
    """Return the record of a row of runs."""
    selection = Selection(
        tuple(Color(color) for color in row["colors"].split(",")),
        Month.parse(row["first_month"]),
        Month.parse(row["last_month"]),
    )
    finished = row["finished_at"]
    return Run(
        run_id=row["run_id"],
        state=row["state"],
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


def run_file_of(row: sqlite3.Row) -> RunFile:
    """Return the record of a row of run_files."""
    values: dict[str, Any] = {field.name: row[field.name] for field in fields(RunFile)}
    return RunFile(**values | {"file": TripFile.parse(values["file"])})


def step_of(row: sqlite3.Row) -> Step:
    """Return the record of a row of run_steps."""
    return Step(
        TripFile.parse(row["file"]),
        row["step"],
        datetime.fromisoformat(row["started_at"]),
        datetime.fromisoformat(row["finished_at"]),
    )


def log_line_of(row: sqlite3.Row) -> LogLine:
    """Return the record of a row of run_log."""
    return LogLine(
        row["line"],
        datetime.fromisoformat(row["at"]),
        TripFile.parse(row["file"]) if row["file"] else None,
        row["level"],
        row["message"],
    )
