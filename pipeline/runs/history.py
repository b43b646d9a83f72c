"""Store the history of runs in one SQLite file that several processes read and write.

The ledger belongs to a warehouse and records which files it holds. The history belongs to
FAREGROUND_HOME and records each run's request, its files and when each step happened. All times
are UTC, stored as ISO 8601 text. Each write also emits an event (`pipeline.core.events`).
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.core.errors import UsageError
from pipeline.core.events import Event, tell
from pipeline.core.redact import redact
from pipeline.core.sqlite_file import SqliteFile
from pipeline.core.trips import TripFile
from pipeline.runs.history_tables import (
    TABLES,
    TIMED_FILES,
    VERSION,
    add_columns,
    read_log_line,
    read_run,
    read_run_file,
    read_step,
)
from pipeline.runs.plan import Plan
from pipeline.runs.run_records import (
    LoadRate,
    LogLine,
    Run,
    RunFile,
    RunState,
    Step,
    Timing,
)

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
        """Record a run that begins now in this process, with one row for each planned file.

        Args:
            origin: What started the run: app, command line, or a schedule.
        """
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
                    ",".join(map(str, request.selection.datasets)),
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
        self._emit(
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
                self._emit_file_ended(
                    run_id, RunFile(planned.file, planned.outcome, planned.reason)
                )

    def save_file(self, run_id: str, run_file: RunFile) -> None:
        """Replace the state, reason and counts of one file of a run."""
        values = asdict(run_file) | {"file": run_file.file.filename, "run_id": run_id}
        values["reason"] = redact(run_file.reason)
        columns = ", ".join(f"{name} = :{name}" for name in values if name not in _FILE_KEY)
        with self._file.connect() as connection:
            connection.execute(
                f"UPDATE run_files SET {columns} WHERE run_id = :run_id AND file = :file", values
            )
        if run_file.state not in ("queued", "running"):
            self._emit_file_ended(run_id, run_file)

    def add_step(
        self, run_id: str, file: TripFile, step: str, started: datetime, finished: datetime
    ) -> None:
        """Record a finished step of one file; `started` and `finished` are UTC."""
        with self._file.connect() as connection:
            connection.execute(
                "INSERT INTO run_steps VALUES (?, ?, ?, ?, ?)",
                (run_id, file.filename, step, started.isoformat(), finished.isoformat()),
            )
        seconds = round((finished - started).total_seconds(), 3)
        message = f"{file.stem}: {step} took {seconds:,.3f} s"
        self._emit(run_id, "step-ended", message, file=file.filename, step=step, seconds=seconds)

    def log(
        self,
        run_id: str,
        message: str,
        file: TripFile | None = None,
        level: str = "info",
        error: BaseException | None = None,
    ) -> None:
        """Append a line to the run's log; secrets in the message are redacted.

        Args:
            file: The file that the line is about; None for the run as a whole.
            level: info, warning or error.
            error: An unexpected exception. Its traceback goes to the event log only.
        """
        name = file.filename if file else None
        with self._file.connect() as connection:
            connection.execute(
                "INSERT INTO run_log (run_id, at, file, level, message) VALUES (?, ?, ?, ?, ?)",
                (run_id, _now(), name, level, redact(message)),
            )
        self._emit(run_id, "run-log", message, level=level, file=name, error=error)

    def finish_run(self, run_id: str, state: RunState) -> None:
        """Record that a run ended now, in this final state."""
        with self._file.connect() as connection:
            connection.execute(
                "UPDATE runs SET state = ?, finished_at = ? WHERE run_id = ?",
                (state, _now(), run_id),
            )
        self._emit_run_ended(run_id, state)

    def interrupt_runs(self, target: str) -> None:
        """Mark all runs of a target whose state is `running` as interrupted.

        The caller must hold the target's backfill lock, so that none of these runs is alive.
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
            self._emit_run_ended(row["run_id"], "interrupted")

    def set_label(self, run_id: str, label: str) -> None:
        """Set the label that people gave a run; text beyond 100 characters is cut."""
        with self._file.connect() as connection:
            connection.execute("UPDATE runs SET label = ? WHERE run_id = ?", (label[:100], run_id))

    def runs(self, limit: int = 50, target: str | None = None) -> list[Run]:
        """Return at most `limit` runs of one target, or of all targets, newest first."""
        return self._file.read(
            read_run,
            "SELECT * FROM runs WHERE target = coalesce(?, target) "
            "ORDER BY started_at DESC, run_id DESC LIMIT ?",
            (target, limit),
        )

    def running(self, target: str) -> Run | None:
        """Return the newest run of a target whose state is `running`, or None.

        Its process may have died; `locks.find_running_run` checks that.
        """
        runs = self._file.read(
            read_run,
            "SELECT * FROM runs WHERE target = ? AND state = 'running' "
            "ORDER BY started_at DESC, run_id DESC LIMIT 1",
            (target,),
        )
        return next(iter(runs), None)

    def run(self, run_id: str) -> Run:
        """Return the run with this id; raise UsageError when there is none."""
        for run in self._file.read(read_run, "SELECT * FROM runs WHERE run_id = ?", (run_id,)):
            return run
        raise UsageError(f"There is no run {run_id!r}.", cure="List them: python -m pipeline runs.")

    def files(self, run_id: str) -> list[RunFile]:
        """Return the files of a run in the order in which it loads them."""
        sql = "SELECT * FROM run_files WHERE run_id = ? ORDER BY position"
        return self._file.read(read_run_file, sql, (run_id,))

    def steps(self, run_id: str) -> list[Step]:
        """Return the finished steps of a run, ordered by start time."""
        sql = "SELECT * FROM run_steps WHERE run_id = ? ORDER BY started_at"
        return self._file.read(read_step, sql, (run_id,))

    def timings(self, target: str, run_id: str | None = None) -> list[Timing]:
        """Return the duration of each step of each file, ordered by color and month.

        Args:
            run_id: Return the files of this run. Without it, return the newest load of each file
                into `target`, from any run.
        """
        condition = "state = 'loaded' AND newest = 1" if run_id is None else "run_id = :run_id"
        values = {"target": target, "run_id": run_id}
        with self._file.connect() as connection:
            files = connection.execute(TIMED_FILES.format(condition=condition), values).fetchall()
            steps = connection.execute(
                "SELECT * FROM run_steps WHERE run_id IN (SELECT value FROM json_each(?)) "
                "ORDER BY started_at",
                (json.dumps(sorted({row["run_id"] for row in files})),),
            ).fetchall()
        seconds_by_file: dict[tuple[str, str], dict[str, float]] = {}
        for row, step in zip(steps, self._file.parse(steps, read_step), strict=True):
            seconds = (step.finished_at - step.started_at).total_seconds()
            seconds_by_step = seconds_by_file.setdefault((row["run_id"], row["file"]), {})
            seconds_by_step[step.step] = seconds_by_step.get(step.step, 0.0) + seconds
        return [
            Timing(row["run_id"], run_file, seconds_by_file.get((row["run_id"], row["file"]), {}))
            for row, run_file in zip(files, self._file.parse(files, read_run_file), strict=True)
        ]

    def load_rate(self, target: str, source: str) -> LoadRate | None:
        """Return how fast the newest ten runs loaded files from a source; None before the first.

        Only runs count that succeeded, by the time from their start to their end: while one file
        loads, the next is downloaded.
        """
        with self._file.connect() as connection:
            row = connection.execute(
                "SELECT sum(files), sum(bytes), sum(seconds) FROM ("
                " SELECT count(*) AS files, sum(bytes) AS bytes,"
                " 86400 * (julianday(finished_at) - julianday(started_at)) AS seconds"
                " FROM runs JOIN run_files USING (run_id)"
                " WHERE runs.state = 'succeeded' AND target = ? AND source = ?"
                " AND run_files.state = 'loaded'"
                " GROUP BY run_id ORDER BY started_at DESC LIMIT 10)",
                (target, source),
            ).fetchone()
        files, size, seconds = row
        return LoadRate(files / seconds, (size or 0) / seconds) if files and seconds else None

    def log_lines(self, run_id: str, file: TripFile | None = None) -> list[LogLine]:
        """Return the lines of a run's log, oldest first; with `file`, only those about it."""
        condition = "" if file is None else " AND file = ?"
        values = (run_id,) if file is None else (run_id, file.filename)
        sql = f"SELECT * FROM run_log WHERE run_id = ?{condition} ORDER BY line"
        return self._file.read(read_log_line, sql, values)

    def latest_run(self, file: TripFile, target: str) -> Run | None:
        """Return the newest run of this target whose plan includes the file, or None."""
        runs = self._file.read(
            read_run,
            "SELECT runs.* FROM runs JOIN run_files USING (run_id) "
            "WHERE file = ? AND target = ? ORDER BY started_at DESC LIMIT 1",
            (file.filename, target),
        )
        return next(iter(runs), None)

    def has_loaded(self, target: str) -> bool:
        """Return whether a run ever loaded a file into this target."""
        sql = (
            "SELECT 1 FROM runs JOIN run_files USING (run_id) "
            "WHERE target = ? AND run_files.state = 'loaded' LIMIT 1"
        )
        return bool(self._file.read(tuple, sql, (target,)))

    def _emit(self, run_id: str, event: Event, message: str, **facts: Any) -> None:
        tell(self._file.path.parent, event, message, run_id=run_id, **facts)

    def _emit_file_ended(self, run_id: str, run_file: RunFile) -> None:
        facts = asdict(run_file) | {"file": run_file.file.filename}
        level = "error" if run_file.state == "failed" else "info"
        message = f"{run_file.file.stem} {run_file.state}"
        self._emit(run_id, "file-ended", message, level=level, **facts)

    def _emit_run_ended(self, run_id: str, state: RunState) -> None:
        run = self.run(run_id)
        level = {"failed": "error", "interrupted": "warning"}.get(state, "info")
        seconds = round(run.seconds, 3)
        self._emit(
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
