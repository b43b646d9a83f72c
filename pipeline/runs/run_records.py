"""Records of the run history: runs, their files, steps and log lines, and their states.

All times are UTC and aware.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pipeline.core.trips import TripFile
from pipeline.runs.plan import Request
from pipeline.runs.unpublished import MOST_LISTED, describe_unpublished

RunState = Literal["running", "succeeded", "failed", "cancelled", "interrupted", "nothing-to-do"]
RunFileState = Literal[
    "queued", "running", "loaded", "skipped", "failed", "unavailable", "cancelled"
]

# One glyph for each state of a file, a run or a schedule. It always stands beside the state's
# word, because a screen reader or a reader who is new to it cannot tell a state by its glyph.
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
    "checking": "◐",
    "busy": "◐",
}


SAMPLE_REMOVAL = "removal of sample data"
"""The label of the source of a run that loads nothing: it removes the sample."""


@dataclass(frozen=True)
class RunFile:
    """The state and counts of one file of a run; None where a value is unknown.

    Attributes:
        rows: Rows of the file in the table after the run.
        inserted, updated, deleted, unchanged: Rows of the table by what the load did to them.
        rejected: Rows of the file that could not be read.
        bytes: Size of the file as published.
        unpacked_bytes: Its size without compression.
        sha256: Checksum of the file as published, in hexadecimal.
        seconds: Time for download, upload and load; None for a file that was not begun.
        bytes_billed, slot_ms: BigQuery's charge for the load, slot time in milliseconds.
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
    unpacked_bytes: int | None = None

    @property
    def is_left_out(self) -> bool:
        """Whether the plan of the run left the file out: it is loaded, or not published."""
        return self.state in ("skipped", "unavailable") and self.seconds is None


@dataclass(frozen=True)
class Run:
    """One run: its request and its outcome.

    Attributes:
        source_label: The source's name as pages show it.
        finished_at: None while the run runs.
        pid: The process that runs or ran it.
        origin: What started it: app, command line, or a schedule.
        label: The text that people gave it; may be empty.
    """

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
    def is_removal(self) -> bool:
        """Whether the run removed the sample; running its request again would load it."""
        return self.source_label == SAMPLE_REMOVAL

    @property
    def seconds(self) -> float:
        """The duration of the run; for a run without an end, the time since it started."""
        end = self.finished_at or datetime.now(UTC)
        return (end - self.started_at).total_seconds()


@dataclass(frozen=True)
class Step:
    """One finished step of one file of a run."""

    file: TripFile
    step: str
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True)
class Timing:
    """The seconds that one file of a run spent in each step, by the step's name."""

    run_id: str
    run_file: RunFile
    steps: dict[str, float]


@dataclass(frozen=True)
class LoadRate:
    """How fast past runs loaded files, from their start to their end."""

    files_per_second: float
    bytes_per_second: float

    def seconds(self, files: int, bytes: int | None) -> float:
        """Return how long a run will take: by its bytes if they are known, else by its files."""
        if bytes and self.bytes_per_second:
            return bytes / self.bytes_per_second
        return files / self.files_per_second


@dataclass(frozen=True)
class LogLine:
    """One line of a run's log; `file` is None when the line is about the whole run."""

    line: int
    at: datetime
    file: TripFile | None
    level: Literal["info", "warning", "error"]
    message: str

    def __str__(self) -> str:
        name = f" {self.file.stem}" if self.file else ""
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.level.upper()}{name} {self.message}"


def split_unpublished(
    files: Sequence[RunFile], source: str, source_label: str
) -> tuple[list[RunFile], str]:
    """Return the files to list one by one, and a sentence about the others.

    The others are those that the source does not have, if they are many; "" if they are few.

    Args:
        source: The name of the run's source.
        source_label: Its name for people.
    """
    absent = [file.file for file in files if file.state == "unavailable"]
    if len(absent) <= MOST_LISTED:
        return list(files), ""
    others = [file for file in files if file.state != "unavailable"]
    offered = (file.file for file in others)
    return others, describe_unpublished(absent, offered, source, source_label)
