"""What the history keeps of a run: its files, its steps, its log, and the states they can be in.

All times are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pipeline.plan import Request
from pipeline.trips import TripFile

RunState = Literal["running", "succeeded", "failed", "cancelled", "interrupted", "nothing-to-do"]
RunFileState = Literal[
    "queued", "running", "loaded", "skipped", "failed", "unavailable", "cancelled"
]

# A glyph for each state of a file, a run or a schedule: with its word it stands wherever it shows.
GLYPHS: dict[str, str] = {
    "missing": "·",
    "queued": "○",
    "running": "◐",
    "loaded": "●",
    "skipped": "◌",
    "failed": "✕",
    "unavailable": "–",
    "stale": "↻",
    "cancelled": "◼",
    "succeeded": "●",
    "interrupted": "‖",
    "nothing-to-do": "◌",
    "enabled": "●",
    "paused": "‖",
    "up-to-date": "●",
    "waiting": "○",
    "busy": "◐",
}


@dataclass(frozen=True)
class RunFile:
    """One file of a run. Counts are rows; `rows` is how many are in the table afterwards.

    `bytes` and `sha256` are of the file as published; `seconds` is download plus load.
    `bytes_billed` and `slot_ms` (milliseconds) are what BigQuery charged, None elsewhere.
    """

    file: TripFile
    state: RunFileState
    reason: str = ""
    rows: int | None = None
    inserted: int | None = None
    updated: int | None = None
    deleted: int | None = None
    unchanged: int | None = None
    rejected: int | None = None
    bytes: int | None = None
    sha256: str | None = None
    seconds: float | None = None
    bytes_billed: int | None = None
    slot_ms: int | None = None


@dataclass(frozen=True)
class Run:
    """One run as it was asked for and as it went. `origin` is app or command line."""

    run_id: str
    state: RunState
    request: Request
    source_label: str
    started_at: datetime
    finished_at: datetime | None
    pid: int
    origin: str
    label: str

    @property
    def seconds(self) -> float:
        """How long the run took, or has taken so far."""
        end = self.finished_at or datetime.now(UTC)
        return (end - self.started_at).total_seconds()


@dataclass(frozen=True)
class Step:
    """One step of one file of a run, from and to when (UTC)."""

    file: TripFile
    step: str
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True)
class Timing:
    """How long each step of one file of a run took, by the step's name, in seconds."""

    run_id: str
    run_file: RunFile
    steps: dict[str, float]


@dataclass(frozen=True)
class LogLine:
    """One line of a run's log; `file` is None for the run as a whole."""

    line: int
    at: datetime
    file: TripFile | None
    level: Literal["info", "warning", "error"]
    message: str

    def __str__(self) -> str:
        name = f" {self.file.stem}" if self.file else ""
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.level.upper()}{name} {self.message}"
