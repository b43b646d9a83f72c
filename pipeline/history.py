"""Past and present runs, kept in one SQLite file so that several processes can read and write it.

The ledger belongs to a warehouse and says what is in it; the history belongs to FAREGROUND_HOME
and says what was asked, what happened file by file, and when. All times are UTC, ISO 8601. What is
written here goes to the log for machines too (`pipeline.events`).
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.events import Event, tell
from pipeline.history_tables import (
    TABLES,
    TIMED_FILES,
    VERSION,
    add_columns,
    log_line_of,
    run_file_of,
    run_of,
    step_of,
)
from pipeline.plan import Plan
from pipeline.redact import redact
from pipeline.run_records import LogLine, Run, RunFile, RunState, Step, Timing
from pipeline.sqlite_file import SqliteFile
from pipeline.trips import TripFile

_FILE_KEY = ("run_id", "file")


class History:
    """The run history under FAREGROUND_HOME; every method may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(
            path,
            "The run history",
            TABLES,
            version=VERSION,
            upgrade=add_columns,
            synchronous="NORMAL",
        )

    def start_run(self, run_id: str, plan: Plan, origin: str) -> None:
        """Write down a run that begins now, in this process, with a row for each planned file."""
        request = plan.request
        with self._file.connect() as connection:
            connection.execute(
                "INSERT INTO runs VALUES (?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, '')",
                (
                    run_id,
                    request.target,
                    request.source,
                    plan.source_label,
                    request.policy.value,
                    request.force,
                    ",".join(request.selection.colors),
                    str(request.selection.first),
                    str(request.selection.last),
                    _now(),
                    os.getpid(),
                    origin,
                ),
            )
            connection.executemany(
                "INSERT INTO run_files (run_id, file, position, state, reason, bytes) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        run_id,
                        planned.file.filename,
                        position,
                        planned.outcome or "queued",
                        planned.reason,
                        planned.bytes if planned.runs else None,
                    )
                    for position, planned in enumerate(plan.files)
                ],
            )
        self._tell(
            run_id,
            "run-begun",
            f"run {run_id} begins, files: {len(plan.to_run)}",
            target=request.target,
            source=request.source,
            policy=request.policy.value,
            origin=origin,
            files=len(plan.files),
            files_to_run=len(plan.to_run),
        )
        for planned in plan.files:
            if planned.outcome:
                self._tell_file(run_id, RunFile(planned.file, planned.outcome, planned.reason))

    def save_file(self, run_id: str, run_file: RunFile) -> None:
        """Replace what is known of one file of a run."""
        values = asdict(run_file) | {"file": run_file.file.filename, "run_id": run_id}
        values["reason"] = redact(run_file.reason)
        columns = ", ".join(f"{name} = :{name}" for name in values if name not in _FILE_KEY)
        with self._file.connect() as connection:
            connection.execute(
                f"UPDATE run_files SET {columns} WHERE run_id = :run_id AND file = :file", values
            )
        if run_file.state not in ("queued", "running"):
            self._tell_file(run_id, run_file)

    def add_step(
        self, run_id: str, file: TripFile, step: str, started: datetime, finished: datetime
    ) -> None:
        """Write down one finished step of a file."""
        with self._file.connect() as connection:
            connection.execute(
                "INSERT INTO run_steps VALUES (?, ?, ?, ?, ?)",
                (run_id, file.filename, step, started.isoformat(), finished.isoformat()),
            )
        seconds = round((finished - started).total_seconds(), 3)
        said = f"{file.stem}: {step} took {seconds:,.3f} s"
        self._tell(run_id, "step-ended", said, file=file.filename, step=step, seconds=seconds)

    def log(
        self,
        run_id: str,
        message: str,
        file: TripFile | None = None,
        level: str = "info",
        error: BaseException | None = None,
    ) -> None:
        """Append a line to the run's log, without the secrets in it.

        `error` is one that nobody expected: its traceback goes to the log for machines only.
        """
        name = file.filename if file else None
        with self._file.connect() as connection:
            connection.execute(
                "INSERT INTO run_log (run_id, at, file, level, message) VALUES (?, ?, ?, ?, ?)",
                (run_id, _now(), name, level, redact(message)),
            )
        self._tell(run_id, "run-log", message, level=level, file=name, error=error)

    def finish_run(self, run_id: str, state: RunState) -> None:
        """Write down how a run ended, now."""
        with self._file.connect() as connection:
            connection.execute(
                "UPDATE runs SET state = ?, finished_at = ? WHERE run_id = ?",
                (state, _now(), run_id),
            )
        self._tell_end(run_id, state)

    def interrupt_runs(self, target: str) -> None:
        """Mark the runs on this target that still say running as interrupted.

        To be called only while holding the target's backfill lock: then none of them can be alive.
        """
        with self._file.connect() as connection:
            interrupted = connection.execute(
                "UPDATE runs SET state = 'interrupted', finished_at = coalesce("
                "(SELECT max(at) FROM run_log WHERE run_log.run_id = runs.run_id), started_at) "
                "WHERE state = 'running' AND target = ? RETURNING run_id",
                (target,),
            ).fetchall()
            connection.execute(
                "UPDATE run_files SET state = 'cancelled', "
                "reason = 'the process ended during the run' "
                "WHERE state IN ('queued', 'running') AND run_id IN "
                "(SELECT run_id FROM runs WHERE state = 'interrupted')"
            )
        for row in interrupted:
            self._tell_end(row["run_id"], "interrupted")

    def set_label(self, run_id: str, label: str) -> None:
        """Give a run a label of up to 100 characters, for people."""
        with self._file.connect() as connection:
            connection.execute("UPDATE runs SET label = ? WHERE run_id = ?", (label[:100], run_id))

    def runs(self, limit: int = 50, target: str | None = None) -> list[Run]:
        """Return the newest runs first, at most `limit`: all, or those on one target."""
        with self._file.connect() as connection:
            rows = connection.execute(
                "SELECT * FROM runs WHERE target = coalesce(?, target) "
                "ORDER BY started_at DESC, run_id DESC LIMIT ?",
                (target, limit),
            ).fetchall()
        return [run_of(row) for row in rows]

    def running(self, target: str) -> Run | None:
        """Return the newest run on this target that says running, whether it is alive or not."""
        with self._file.connect() as connection:
            row = connection.execute(
                "SELECT * FROM runs WHERE target = ? AND state = 'running' "
                "ORDER BY started_at DESC, run_id DESC LIMIT 1",
                (target,),
            ).fetchone()
        return None if row is None else run_of(row)

    def run(self, run_id: str) -> Run:
        """Return one run; raise UsageError when there is none of this id."""
        with self._file.connect() as connection:
            row = connection.execute("SELECT * FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise UsageError(
                f"There is no run {run_id!r}.", cure="List them: python -m pipeline runs."
            )
        return run_of(row)

    def files(self, run_id: str) -> list[RunFile]:
        """Return the files of a run, in the order they run."""
        with self._file.connect() as connection:
            rows = connection.execute(
                "SELECT * FROM run_files WHERE run_id = ? ORDER BY position", (run_id,)
            ).fetchall()
        return [run_file_of(row) for row in rows]

    def steps(self, run_id: str) -> list[Step]:
        """Return the finished steps of a run, in the order they began."""
        with self._file.connect() as connection:
            rows = connection.execute(
                "SELECT * FROM run_steps WHERE run_id = ? ORDER BY started_at", (run_id,)
            ).fetchall()
        return [step_of(row) for row in rows]

    def timings(self, target: str, run_id: str | None = None) -> list[Timing]:
        """Return how long files took, by color and month.

        Those of one run, or else of the newest load of each file into the target.
        """
        wanted = "state = 'loaded' AND newest = 1" if run_id is None else "run_id = :run_id"
        values = {"target": target, "run_id": run_id}
        with self._file.connect() as connection:
            files = connection.execute(TIMED_FILES.format(wanted=wanted), values).fetchall()
            steps = connection.execute(
                "SELECT * FROM run_steps WHERE run_id IN (SELECT value FROM json_each(?)) "
                "ORDER BY started_at",
                (json.dumps(sorted({row["run_id"] for row in files})),),
            ).fetchall()
        took: dict[tuple[str, str], dict[str, float]] = {}
        for row in steps:
            ended = datetime.fromisoformat(row["finished_at"])
            seconds = (ended - datetime.fromisoformat(row["started_at"])).total_seconds()
            mine = took.setdefault((row["run_id"], row["file"]), {})
            mine[row["step"]] = mine.get(row["step"], 0.0) + seconds
        return [
            Timing(row["run_id"], run_file_of(row), took.get((row["run_id"], row["file"]), {}))
            for row in files
        ]

    def log_lines(self, run_id: str, file: TripFile | None = None) -> list[LogLine]:
        """Return the run's log, or only the lines about one file."""
        wanted = "" if file is None else " AND file = ?"
        values = (run_id,) if file is None else (run_id, file.filename)
        with self._file.connect() as connection:
            rows = connection.execute(
                f"SELECT * FROM run_log WHERE run_id = ?{wanted} ORDER BY line", values
            ).fetchall()
        return [log_line_of(row) for row in rows]

    def latest_run_of(self, file: TripFile, target: str) -> Run | None:
        """Return the newest run on this target that had this file in its plan, if any."""
        with self._file.connect() as connection:
            row = connection.execute(
                "SELECT runs.* FROM runs JOIN run_files USING (run_id) "
                "WHERE file = ? AND target = ? ORDER BY started_at DESC LIMIT 1",
                (file.filename, target),
            ).fetchone()
        return run_of(row) if row else None

    def _tell(self, run_id: str, event: Event, message: str, **facts: Any) -> None:
        tell(self._file.path.parent, event, message, run_id=run_id, **facts)

    def _tell_file(self, run_id: str, run_file: RunFile) -> None:
        facts = asdict(run_file) | {"file": run_file.file.filename}
        level = "error" if run_file.state == "failed" else "info"
        said = f"{run_file.file.stem} {run_file.state}"
        self._tell(run_id, "file-ended", said, level=level, **facts)

    def _tell_end(self, run_id: str, state: RunState) -> None:
        run = self.run(run_id)
        level = {"failed": "error", "interrupted": "warning"}.get(state, "info")
        seconds = round(run.seconds, 3)
        self._tell(
            run_id,
            "run-ended",
            f"run {run_id} {state}",
            level=level,
            state=state,
            target=run.request.target,
            seconds=seconds,
        )


def _now() -> str:
    return datetime.now(UTC).isoformat()
