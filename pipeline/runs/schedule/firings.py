"""The log of firings: when each schedule fired and how that ended, in `looks.sqlite`.

A firing without an end was interrupted: its process died, and the next scheduler retries it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar, get_args

from pipeline.core.errors import StorageError
from pipeline.core.events import tell
from pipeline.core.sqlite_file import SqliteFile, read_only_files

FiringState = Literal["running", "loaded", "up-to-date", "waiting", "busy", "failed", "cancelled"]

Result = TypeVar("Result")

# Errors of SQLite that say nothing about the content of a file.
_SURROUNDINGS = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_AUTH,
}

# Earlier versions called a firing a look. Renaming the table would gain nothing.
_TABLE = """
CREATE TABLE IF NOT EXISTS looks (
    look INTEGER PRIMARY KEY AUTOINCREMENT, schedule TEXT NOT NULL, state TEXT NOT NULL,
    begun_at TEXT NOT NULL, ended_at TEXT, message TEXT NOT NULL DEFAULT '', run_id TEXT
);
CREATE INDEX IF NOT EXISTS looks_by_schedule ON looks (schedule, look);
"""


@dataclass(frozen=True)
class Firing:
    """One execution of a schedule. Times are UTC.

    Attributes:
        number: Identifies the firing; later firings have higher numbers.
        state: running, loaded, up-to-date (the source has nothing new), waiting (the expected
            month is not published yet), busy (another backfill holds the warehouse), failed or
            cancelled.
        ended_at: None while it runs, and for good when its process died.
        run_id: The run that it started, if any.
    """

    number: int
    schedule: str
    state: FiringState
    begun_at: datetime
    ended_at: datetime | None = None
    message: str = ""
    run_id: str | None = None


class Firings:
    """The firings of all schedules of a home; usable from any thread and process.

    Schedules must fire even if this log is damaged. A damaged file is renamed to
    `looks.sqlite.damaged-TIME`, the event log says so, and an empty one takes its place. What that
    costs: the times of past firings, and the retry of firings that were interrupted.
    """

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, "The log of firings", _TABLE)

    def begin(self, schedule: str, now: datetime) -> Firing:
        """Record that a schedule begins to fire."""

        def insert(connection: sqlite3.Connection) -> int:
            cursor = connection.execute(
                "INSERT INTO looks (schedule, state, begun_at) VALUES (?, 'running', ?)",
                (schedule, now.astimezone(UTC).isoformat()),
            )
            assert cursor.lastrowid is not None
            return cursor.lastrowid

        return Firing(self._use(insert), schedule, "running", now)

    def end(
        self, firing: Firing, state: FiringState, message: str, run_id: str | None, now: datetime
    ) -> Firing:
        """Record how a firing ended, and return it with its end."""
        begun_at = firing.begun_at.astimezone(UTC).isoformat()  # a new log numbers from 1 again
        values = (state, message, run_id, now.astimezone(UTC).isoformat(), firing.number, begun_at)
        self._use(
            lambda connection: connection.execute(
                "UPDATE looks SET state = ?, message = ?, run_id = ?, ended_at = ?"
                " WHERE look = ? AND begun_at = ?",
                values,
            )
        )
        return replace(firing, state=state, message=message, run_id=run_id, ended_at=now)

    def latest(self, schedule: str, limit: int = 1) -> list[Firing]:
        """Return the latest firings of a schedule, newest first."""

        def select(connection: sqlite3.Connection) -> list[Firing]:
            sql = "SELECT * FROM looks WHERE schedule = ? ORDER BY look DESC LIMIT ?"
            return [_read_firing(row) for row in connection.execute(sql, (schedule, limit))]

        return self._use(select)

    def forget(self, schedule: str) -> None:
        """Delete the firings of a schedule."""
        self._use(
            lambda connection: connection.execute(
                "DELETE FROM looks WHERE schedule = ?", (schedule,)
            )
        )

    def _use(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Return what `work` returns, in a new log if the present one is damaged.

        Raises StorageError when the file cannot be used for another reason, such as a full disk.
        """
        inode = self._inode()
        try:
            with self._file.connect() as connection:
                return work(connection)
        except (StorageError, ValueError, TypeError, LookupError) as error:
            if not self._is_damage(error) or not self._move_aside(inode, error):
                raise
        with self._file.connect() as connection:
            return work(connection)

    def _inode(self) -> int | None:
        try:
            return self._file.path.stat().st_ino
        except OSError:
            return None

    def _is_damage(self, error: Exception) -> bool:
        """Return whether an error comes from the content of the file, not from its surroundings."""
        if not isinstance(error, StorageError):
            return True  # of a row that no version has written
        code = getattr(error.__cause__, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code == sqlite3.SQLITE_READONLY:  # so says a damaged header, too
            return not read_only_files(self._file.path)
        return isinstance(error.__cause__, sqlite3.DatabaseError) and code not in _SURROUNDINGS

    def _move_aside(self, inode: int | None, error: Exception) -> bool:
        """Rename the damaged file, unless another process has; return whether a new one can begin.

        Args:
            inode: Of the file that was damaged; None if there was none.
        """
        path = self._file.path
        aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%d-%H%M%S}")
        try:
            if inode is None or path.stat().st_ino != inode:
                return inode is not None
            for suffix in ("-wal", "-shm", ""):
                part = path.with_name(path.name + suffix)
                if part.exists():
                    part.replace(aside.with_name(aside.name + suffix))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        problem = error.__cause__ if isinstance(error, StorageError) else error
        message = (
            f"The log of firings {path} is damaged: {problem}. It is now {aside.name}, and a new "
            "log begins. Schedules and loaded months stay; delete the renamed file when you like."
        )
        tell(path.parent, "scheduler-log", message, level="warning")
        return True


def _read_firing(row: sqlite3.Row) -> Firing:
    if row["state"] not in get_args(FiringState):
        raise ValueError(f"{row['state']!r} is not a state of a firing")
    return Firing(
        number=row["look"],
        schedule=row["schedule"],
        state=row["state"],
        begun_at=read_moment(row["begun_at"]),
        ended_at=read_moment(row["ended_at"]) if row["ended_at"] else None,
        message=row["message"],
        run_id=row["run_id"],
    )


def read_moment(text: str) -> datetime:
    """Return a moment written with `isoformat()` in UTC; raise ValueError for any other spelling.

    `fromisoformat()` alone accepts damaged text: any character for the T, and no time zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo != UTC or moment.isoformat() != text:
        raise ValueError(f"{text!r} is not a time in UTC")
    return moment
