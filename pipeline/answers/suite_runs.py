"""Runs of question sets and every answer of them, kept in SQLite as they come in.

A run that was stopped, or whose process died, goes on where it was: what is answered is paid for.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pipeline.answers.suites import Suite
from pipeline.errors import UsageError
from pipeline.sqlite_file import SqliteFile

Side = Literal["plain", "rag"]
SIDES: tuple[Side, ...] = ("plain", "rag")
State = Literal["running", "succeeded", "stopped", "failed"]


_TABLES = """
CREATE TABLE IF NOT EXISTS suite_runs (
    run_id TEXT PRIMARY KEY, suite TEXT NOT NULL, suite_sha256 TEXT NOT NULL,
    suite_json TEXT NOT NULL, folder TEXT NOT NULL, models TEXT NOT NULL, sides TEXT NOT NULL,
    repeats INTEGER NOT NULL, top INTEGER NOT NULL, most_dollars REAL, state TEXT NOT NULL,
    reason TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT, pid INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS answers (
    run_id TEXT NOT NULL, question_id TEXT NOT NULL, side TEXT NOT NULL, model TEXT NOT NULL,
    repeat INTEGER NOT NULL, outcome TEXT NOT NULL, why TEXT NOT NULL, answer TEXT NOT NULL,
    model_version TEXT NOT NULL, prompt_tokens INTEGER, output_tokens INTEGER,
    thinking_tokens INTEGER, dollars REAL, first_token_seconds REAL, seconds REAL,
    claims INTEGER NOT NULL, claims_found INTEGER NOT NULL, answered_at TEXT NOT NULL,
    PRIMARY KEY (run_id, question_id, side, model, repeat)
);
"""


@dataclass(frozen=True)
class Answer:
    """One answer of a run. `claims_found` of its `claims` stand in the question's passages.

    `why` says which check it failed. Tokens, dollars and seconds are None where nobody said.
    """

    question_id: str
    side: Side
    model: str
    repeat: int
    outcome: str
    why: str
    answer: str
    model_version: str
    prompt_tokens: int | None
    output_tokens: int | None
    thinking_tokens: int | None
    dollars: float | None
    first_token_seconds: float | None
    seconds: float | None
    claims: int
    claims_found: int
    answered_at: str

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What makes it this answer of its run and no other."""
        return self.question_id, self.side, self.model, self.repeat


@dataclass(frozen=True)
class SuiteRun:
    """A run as it was asked for and as it stands. Times are UTC; `top` is passages a question.

    `most_dollars` is the price shown before it began, at which it stops; None without prices.
    """

    run_id: str
    suite: Suite
    folder: Path
    models: tuple[str, ...]
    sides: tuple[Side, ...]
    repeats: int
    top: int
    most_dollars: float | None
    state: State
    reason: str
    started_at: datetime
    finished_at: datetime | None
    pid: int

    @property
    def calls(self) -> int:
        """How many answers it has when it is complete."""
        return len(self.suite.questions) * len(self.sides) * len(self.models) * self.repeats


_ANSWER_COLUMNS = tuple(field.name for field in fields(Answer))


class SuiteRuns:
    """The store of runs under FAREGROUND_HOME; every method may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, "The suite runs", _TABLES)

    def start(
        self,
        suite: Suite,
        folder: Path,
        models: tuple[str, ...],
        sides: tuple[Side, ...],
        repeats: int,
        top: int,
        most_dollars: float | None,
    ) -> SuiteRun:
        """Write down a run that begins now, and return it."""
        now = datetime.now(UTC)
        run_id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
        with self._file.connect() as connection:
            connection.execute(
                "INSERT INTO suite_runs VALUES "
                "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', '', ?, NULL, ?)",
                (
                    run_id,
                    suite.suite,
                    suite.sha256,
                    suite.model_dump_json(),
                    str(folder.resolve()),
                    "\n".join(models),
                    ",".join(sides),
                    repeats,
                    top,
                    most_dollars,
                    now.isoformat(),
                    os.getpid(),
                ),
            )
        return self.run(run_id)

    def set_state(self, run_id: str, state: State, reason: str = "") -> None:
        """Say how a run stands; any state but running is also its end, for now."""
        finished = None if state == "running" else datetime.now(UTC).isoformat()
        with self._file.connect() as connection:
            connection.execute(
                "UPDATE suite_runs SET state = ?, reason = ?, finished_at = ?, pid = ? "
                "WHERE run_id = ?",
                (state, reason, finished, os.getpid(), run_id),
            )

    def save(self, run_id: str, answer: Answer) -> None:
        """Keep an answer, in place of an earlier one to the same question, side, model, repeat."""
        marks = ", ".join("?" for _ in _ANSWER_COLUMNS)
        values = asdict(answer)
        with self._file.connect() as connection:
            connection.execute(
                f"INSERT OR REPLACE INTO answers (run_id, {', '.join(_ANSWER_COLUMNS)}) "
                f"VALUES (?, {marks})",
                (run_id, *(_clean(values[name]) for name in _ANSWER_COLUMNS)),
            )

    def runs(self, limit: int = 50) -> list[SuiteRun]:
        """Return the newest runs, newest first."""
        if not self._file.path.exists():
            return []
        with self._file.connect() as connection:
            rows = connection.execute(
                "SELECT * FROM suite_runs ORDER BY started_at DESC LIMIT ?", (limit,)
            ).fetchall()
        return [_run(row) for row in rows]

    def run(self, run_id: str) -> SuiteRun:
        """Return one run; raise UsageError if there is none of that id."""
        row = None
        if self._file.path.exists():
            with self._file.connect() as connection:
                row = connection.execute(
                    "SELECT * FROM suite_runs WHERE run_id = ?", (run_id,)
                ).fetchone()
        if row is None:
            raise UsageError(
                f"There is no suite run {run_id!r}.",
                cure="List them: python -m pipeline answers evals.",
            )
        return _run(row)

    def answers(self, run_id: str) -> list[Answer]:
        """Return the answers of a run so far, in the order they came."""
        with self._file.connect() as connection:
            rows = connection.execute(
                f"SELECT {', '.join(_ANSWER_COLUMNS)} FROM answers WHERE run_id = ? "
                "ORDER BY answered_at, rowid",
                (run_id,),
            ).fetchall()
        return [Answer(**dict(row)) for row in rows]


def _clean(value: object) -> object:
    """Return text as SQLite can keep it: a model's may have lone surrogates in it."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _run(row: sqlite3.Row) -> SuiteRun:
    finished = row["finished_at"]
    sides: tuple[Side, ...] = tuple(side for side in SIDES if side in row["sides"].split(","))
    return SuiteRun(
        run_id=row["run_id"],
        suite=Suite.model_validate_json(row["suite_json"]),
        folder=Path(row["folder"]),
        models=tuple(row["models"].split("\n")),
        sides=sides,
        repeats=row["repeats"],
        top=row["top"],
        most_dollars=row["most_dollars"],
        state=row["state"],
        reason=row["reason"],
        started_at=datetime.fromisoformat(row["started_at"]),
        finished_at=datetime.fromisoformat(finished) if finished else None,
        pid=row["pid"],
    )
