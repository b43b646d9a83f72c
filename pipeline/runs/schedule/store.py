"""The schedules of a home, in `schedules.sqlite`: a row of plain columns each.

Any process may change them; the process that fires them reads them every few seconds.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.core.errors import FaregroundError, StorageError, UsageError
from pipeline.core.settings.settings import Settings
from pipeline.core.sqlite_file import SqliteFile
from pipeline.runs.schedule import GRACE, CatchUp, Schedule, read_schedule, write_schedule
from pipeline.runs.schedule.apscheduler_jobs import read_jobs
from pipeline.runs.schedule.firings import Firing, Firings, read_moment

# Moments are ISO 8601 in UTC. `next_at` is NULL while a schedule is paused, `retry_at` when no
# retry is due. `problem` says why a row of an earlier version could not be read; the other columns
# are NULL then. Without a row id there is one tree: a damaged page cannot set two at odds.
_TABLE = """
CREATE TABLE IF NOT EXISTS schedules (
    name TEXT PRIMARY KEY, color TEXT, since TEXT, target TEXT, source TEXT,
    day INTEGER, hour INTEGER, minute INTEGER, timezone TEXT, catch_up TEXT, lag INTEGER,
    added_at TEXT, next_at TEXT, retry_at TEXT, problem TEXT
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class StoredSchedule:
    """A schedule, and when it fires next. Times are UTC.

    Attributes:
        next_time: None while it is paused.
        retry_at: When its last firing is retried, if it is.
        latest: Its latest firing, if there was one.
    """

    schedule: Schedule
    added_at: datetime
    next_time: datetime | None
    retry_at: datetime | None
    latest: Firing | None = None

    @property
    def enabled(self) -> bool:
        """Whether it fires: it is not paused."""
        return self.next_time is not None

    def next_times(self, count: int, now: datetime) -> list[datetime]:
        """Return its next firing times after `now`, in its own time zone; none while paused."""
        times = self.schedule.times(now)
        return [next(times) for _ in range(count)] if self.enabled else []


class DamagedSchedule(StorageError):
    """A row that cannot be read as a schedule: it does not fire, and stays as it is.

    Attributes:
        name: The schedule's name, as far as it can be read.
    """

    def __init__(self, path: Path, name: str, reason: str) -> None:
        super().__init__(
            f"The schedule {name!r} is damaged and does not fire: {reason}.",
            cure=f"Remove it and add it again, restore a backup, or move {path} away.",
        )
        self.name = name


class Schedules:
    """The schedules of a home; usable from any thread and process.

    Attributes:
        firings: The log of their firings.
    """

    def __init__(self, settings: Settings) -> None:
        self._file = SqliteFile(
            settings.home / "schedules.sqlite", "The schedules in", _TABLE, upgrade=_carry_over
        )
        self.firings = Firings(settings.home / "looks.sqlite")

    @property
    def exists(self) -> bool:
        """Whether the file is there: it is not before the first schedule is added."""
        return self._file.exists

    def add(self, schedule: Schedule) -> None:
        """Add a schedule; raises UsageError when its name is taken."""
        now = datetime.now(UTC)
        moments = {"added_at": now.isoformat(), "next_at": _next_at(schedule, now)}
        with self._file.connect() as connection:
            try:
                _insert(connection, {**write_schedule(schedule), **moments})
            except sqlite3.IntegrityError:
                raise UsageError(
                    f"There is a schedule {schedule.name} already.",
                    cure="Remove it first, or give this one another --name.",
                ) from None

    def read(self) -> tuple[list[StoredSchedule], list[DamagedSchedule]]:
        """Return the schedules, and an error for each row that is damaged; both by name."""
        schedules: list[StoredSchedule] = []
        damaged: list[DamagedSchedule] = []
        if not self.exists:
            return schedules, damaged
        with self._file.connect() as connection:
            connection.text_factory = _decode
            rows = connection.execute("SELECT * FROM schedules ORDER BY name").fetchall()
        for values in map(dict, rows):
            try:
                stored = _read_row(values)
            except (FaregroundError, ValueError, TypeError, KeyError) as error:
                missing = f"it has no {error.args[0]}" if isinstance(error, KeyError) else ""
                reason = values.get("problem") or missing or str(error).removesuffix(".")
                name = str(values.get("name"))
                damaged.append(DamagedSchedule(self._file.path, name, reason))
            else:
                latest = self.firings.latest(stored.schedule.name)
                schedules.append(replace(stored, latest=latest[0]) if latest else stored)
        return schedules, damaged

    def all(self) -> list[StoredSchedule]:
        """Return the schedules that can be read, by name."""
        return self.read()[0]

    def get(self, name: str) -> StoredSchedule:
        """Return a schedule; raises UsageError for an unknown name, DamagedSchedule for its row."""
        schedules, damaged = self.read()
        for stored in schedules:
            if stored.schedule.name == name:
                return stored
        for error in damaged:
            if error.name == name:
                raise error
        names = ", ".join(stored.schedule.name for stored in schedules) or "none yet"
        raise UsageError(f"There is no schedule {name!r}.", cure=f"There are: {names}.")

    def pause(self, name: str) -> None:
        """Stop a schedule from firing until it is resumed; a retry that is due is dropped."""
        self.get(name)
        self._update(name, "next_at = NULL, retry_at = NULL")

    def resume(self, name: str) -> None:
        """Let a paused schedule fire again, from its next time after now."""
        stored = self.get(name)
        if not stored.enabled:
            next_at = _next_at(stored.schedule, datetime.now(UTC))
            self._update(name, "next_at = ?, retry_at = NULL", next_at)

    def remove(self, name: str) -> None:
        """Delete a schedule, damaged or not, and its firings; what it loaded stays."""
        with self._file.connect() as connection:
            deleted = connection.execute("DELETE FROM schedules WHERE name = ?", (name,)).rowcount
        if not deleted:
            self.get(name)  # raises: there is none, or not even its name can be read
        self.firings.forget(name)

    def set_retry(self, name: str, moment: datetime | None) -> None:
        """Retry a schedule's last firing at a moment (aware), or not; a paused one never is."""
        retry_at = moment.astimezone(UTC).isoformat() if moment else None
        self._update(name, "retry_at = CASE WHEN next_at IS NOT NULL THEN ? END", retry_at)

    def claim(self, stored: StoredSchedule, now: datetime) -> Firing | None:
        """Begin the firing that is due at `now` (UTC), and move the schedule to its next time.

        Returns None when nothing is due, when the time was missed and the schedule does not catch
        up, and when another thread or process has claimed or changed the schedule since it was
        read. A process that dies in here leaves the firing due.
        """
        schedule, next_time, retry_at = stored.schedule, stored.next_time, stored.retry_at
        if next_time is None:
            return None
        is_due = next_time <= now
        is_retry = retry_at is not None and retry_at <= now
        is_missed = schedule.catch_up == CatchUp.NONE and now - next_time > GRACE
        if not (is_due or is_retry):
            return None
        fires = is_retry or not is_missed
        before = next_time.isoformat(), retry_at and retry_at.isoformat()
        after = _next_at(schedule, now) if is_due else before[0], None if fires else before[1]
        with self._file.connect() as connection:
            claimed = connection.execute(
                "UPDATE schedules SET next_at = ?, retry_at = ?"
                " WHERE name = ? AND next_at = ? AND retry_at IS ?",
                (*after, schedule.name, *before),
            ).rowcount
            # Logged before the claim is committed: a firing is never lost between the two files.
            return self.firings.begin(schedule.name, now) if claimed and fires else None

    def _update(self, name: str, changes: str, *values: str | None) -> None:
        with self._file.connect() as connection:
            connection.execute(f"UPDATE schedules SET {changes} WHERE name = ?", (*values, name))


def _read_row(values: dict[str, Any]) -> StoredSchedule:
    return StoredSchedule(
        read_schedule(values),
        added_at=read_moment(values["added_at"]),
        next_time=read_moment(values["next_at"]) if values["next_at"] else None,
        retry_at=read_moment(values["retry_at"]) if values["retry_at"] else None,
    )


def _next_at(schedule: Schedule, now: datetime) -> str:
    return next(schedule.times(now)).astimezone(UTC).isoformat()


def _insert(connection: sqlite3.Connection, values: dict[str, str | int | None]) -> None:
    columns, marks = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(
        f"INSERT INTO schedules ({columns}) VALUES ({marks})", tuple(values.values())
    )


def _carry_over(connection: sqlite3.Connection) -> None:
    """Copy the schedules of an earlier version, which stay where they are, once."""
    connection.text_factory = _decode
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("PRAGMA user_version").fetchone()[0]:
        return  # another process was faster
    for values in read_jobs(connection):
        if "retry_at" in values:
            connection.execute(
                "UPDATE schedules SET retry_at = :retry_at WHERE name = :name", values
            )
        else:
            _insert(connection, values)


def _decode(text: bytes) -> str:
    """Decode a column whose bytes may be damaged, so that its row is reported, not the file."""
    return text.decode("utf-8", "replace")
