"""What became of each firing of a schedule, in one SQLite file beside APScheduler's own store.

A look that was begun and not ended is one whose process died: the next scheduler looks again.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pipeline.sqlite_file import SqliteFile

LookState = Literal["running", "loaded", "up-to-date", "waiting", "busy", "failed", "cancelled"]

_TABLE = """
CREATE TABLE IF NOT EXISTS looks (
    look INTEGER PRIMARY KEY AUTOINCREMENT, schedule TEXT NOT NULL, state TEXT NOT NULL,
    begun_at TEXT NOT NULL, ended_at TEXT, message TEXT NOT NULL DEFAULT '', run_id TEXT
);
CREATE INDEX IF NOT EXISTS looks_by_schedule ON looks (schedule, look);
"""


@dataclass(frozen=True)
class Look:
    """One look of a schedule at its source. Times are UTC.

    `state` is loaded, up-to-date (nothing new was expected), waiting (what is expected is not
    published yet), busy (another backfill was on), failed or cancelled; `run_id` is the backfill
    it started, if any.
    """

    schedule: str
    state: LookState
    begun_at: datetime
    ended_at: datetime | None
    message: str
    run_id: str | None


class Looks:
    """The looks of all schedules under FAREGROUND_HOME; may be used from any thread or process."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, "The schedules in", _TABLE)

    def begin(self, schedule: str, now: datetime) -> int:
        """Write down that a look begins; return its number."""
        with self._file.connect() as connection:
            cursor = connection.execute(
                "INSERT INTO looks (schedule, state, begun_at) VALUES (?, 'running', ?)",
                (schedule, now.astimezone(UTC).isoformat()),
            )
            assert cursor.lastrowid is not None
            return cursor.lastrowid

    def end(
        self, number: int, state: LookState, message: str, run_id: str | None, now: datetime
    ) -> None:
        """Write down how a look ended."""
        with self._file.connect() as connection:
            connection.execute(
                "UPDATE looks SET state = ?, message = ?, run_id = ?, ended_at = ? WHERE look = ?",
                (state, message, run_id, now.astimezone(UTC).isoformat(), number),
            )

    def latest(self, schedule: str, limit: int = 1) -> list[Look]:
        """Return the newest looks of a schedule first."""
        with self._file.connect() as connection:
            rows = connection.execute(
                "SELECT * FROM looks WHERE schedule = ? ORDER BY look DESC LIMIT ?",
                (schedule, limit),
            ).fetchall()
        return [_look(row) for row in rows]

    def forget(self, schedule: str) -> None:
        """Remove the looks of a schedule that is no more."""
        with self._file.connect() as connection:
            connection.execute("DELETE FROM looks WHERE schedule = ?", (schedule,))


def _look(row: sqlite3.Row) -> Look:
    ended = row["ended_at"]
    return Look(
        schedule=row["schedule"],
        state=row["state"],
        begun_at=datetime.fromisoformat(row["begun_at"]),
        ended_at=datetime.fromisoformat(ended) if ended else None,
        message=row["message"],
        run_id=row["run_id"],
    )
