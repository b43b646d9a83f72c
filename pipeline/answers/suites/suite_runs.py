"""Store runs of question sets and their scored answers in SQLite, each answer as it arrives.

A run that was stopped, or whose process died, resumes where it was: what is answered is paid for.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pipeline.answers.model.prompts import Side
from pipeline.answers.suites.suites import Suite
from pipeline.core.errors import UsageError
from pipeline.core.sqlite_file import SqliteFile

SuiteRunState = Literal["running", "succeeded", "stopped", "failed"]

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
class ScoredAnswer:
    """A model's answer to one question of a run, with its score.

    Attributes:
        repeat: Counts how often the question was asked, from 1.
        outcome: One of `scoring.Outcome`.
        why: Which check a wrong answer fails, in words.
        model_version: The model that answered, as the provider names it.
        dollars: What the answer cost. Like tokens and seconds, None if it is unknown.
        claims: How many claims the answer makes, abstentions apart.
        claims_found: How many of them are in the passages of the question.
        answered_at: ISO 8601, in UTC.
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
        """What tells the answer from all others of its run."""
        return self.question_id, self.side, self.model, self.repeat


@dataclass(frozen=True)
class SuiteRun:
    """A run of a question set.

    Attributes:
        suite: The question set as it was when the run started.
        folder: That of the question set's file.
        repeats: How often each question is asked.
        top: Most passages for a question.
        most_dollars: The price that was shown before, at which the run stops; None if a price is
            unknown.
        reason: Why the run is in its state, in words.
        started_at: UTC, like `finished_at`.
        pid: The process that ran it last.
    """

    run_id: str
    suite: Suite
    folder: Path
    models: tuple[str, ...]
    sides: tuple[Side, ...]
    repeats: int
    top: int
    most_dollars: float | None
    state: SuiteRunState
    reason: str
    started_at: datetime
    finished_at: datetime | None
    pid: int

    @property
    def calls(self) -> int:
        """How many answers the run has when it is complete."""
        return len(self.suite.questions) * len(self.sides) * len(self.models) * self.repeats


_ANSWER_COLUMNS = tuple(field.name for field in fields(ScoredAnswer))


class SuiteRunStore:
    """The runs of one SQLite file; every method may be called from any thread."""

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
        """Store a run that starts now, and return it."""
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

    def set_state(self, run_id: str, state: SuiteRunState, reason: str = "") -> None:
        """Set the state of a run; in any state but running it has ended, until it is resumed."""
        finished = None if state == "running" else datetime.now(UTC).isoformat()
        with self._file.connect() as connection:
            connection.execute(
                "UPDATE suite_runs SET state = ?, reason = ?, finished_at = ?, pid = ? "
                "WHERE run_id = ?",
                (state, reason, finished, os.getpid(), run_id),
            )

    def save(self, run_id: str, answer: ScoredAnswer) -> None:
        """Store an answer, in place of one with the same question, side, model and repeat."""
        marks = ", ".join("?" for _ in _ANSWER_COLUMNS)
        values = asdict(answer)
        with self._file.connect() as connection:
            connection.execute(
                f"INSERT OR REPLACE INTO answers (run_id, {', '.join(_ANSWER_COLUMNS)}) "
                f"VALUES (?, {marks})",
                (run_id, *(_storable(values[name]) for name in _ANSWER_COLUMNS)),
            )

    def runs(self, limit: int = 50) -> list[SuiteRun]:
        """List the newest runs, newest first."""
        if not self._file.exists:
            return []
        sql = "SELECT * FROM suite_runs ORDER BY started_at DESC LIMIT ?"
        return self._file.read(_run, sql, (limit,))

    def run(self, run_id: str) -> SuiteRun:
        """Return one run; raises UsageError if there is none with this id."""
        if self._file.exists:
            sql = "SELECT * FROM suite_runs WHERE run_id = ?"
            for run in self._file.read(_run, sql, (run_id,)):
                return run
        raise UsageError(
            f"There is no suite run {run_id!r}.",
            cure="List them: python -m pipeline answers evals.",
        )

    def answers(self, run_id: str) -> list[ScoredAnswer]:
        """List the answers of a run so far, in the order of their arrival."""
        return self._file.read(
            lambda row: ScoredAnswer(**dict(row) | {"side": Side(row["side"])}),
            f"SELECT {', '.join(_ANSWER_COLUMNS)} FROM answers WHERE run_id = ? "
            "ORDER BY answered_at, rowid",
            (run_id,),
        )


def _storable(value: object) -> object:
    """Return text without lone surrogates, which a model may send and SQLite cannot hold."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _run(row: sqlite3.Row) -> SuiteRun:
    finished = row["finished_at"]
    return SuiteRun(
        run_id=row["run_id"],
        suite=Suite.model_validate_json(row["suite_json"]),
        folder=Path(row["folder"]),
        models=tuple(row["models"].split("\n")),
        sides=tuple(side for side in Side if side in row["sides"].split(",")),
        repeats=row["repeats"],
        top=row["top"],
        most_dollars=row["most_dollars"],
        state=row["state"],
        reason=row["reason"],
        started_at=datetime.fromisoformat(row["started_at"]),
        finished_at=datetime.fromisoformat(finished) if finished else None,
        pid=row["pid"],
    )
