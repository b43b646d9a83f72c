"""How far the running backfill has come, as a table and as shares. Pure: no Streamlit, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from pages.components.common.words import count, size, state_words
from pipeline.core.trips import TripFile
from pipeline.runs.backfill import Snapshot
from pipeline.runs.file_run import FileProgress
from pipeline.runs.run_records import RunFile

STEPS = (
    "waiting", "download", "upload", "ready", "extract", "compare", "merge", "reconcile", "commit"
)  # fmt: skip
_FINISHED = ("loaded", "skipped", "unavailable", "failed", "cancelled")
_ORDER = ("running", "failed", "queued", "cancelled", "unavailable", "loaded", "skipped")


def progress_table(
    run_files: Sequence[RunFile], progress: Mapping[TripFile, FileProgress]
) -> pd.DataFrame:
    """Return the files of the running backfill, running ones first and finished ones last.

    Args:
        run_files: The files as the history has them.
        progress: The progress of each file. It is empty for a run of another process, whose steps
            and bytes are unknown.
    """
    files = sorted(run_files, key=lambda file: _ORDER.index(file.state))
    pairs = [(file, progress.get(file.file)) for file in files]
    return pd.DataFrame(
        {
            "file": [file.file.stem for file in files],
            "state": [state_words(file.state) for file in files],
            "done": [_done_share(file, now) for file, now in pairs],
            "step": [
                file.reason if file.state != "running" or not now else now.step
                for file, now in pairs
            ],
            "size": [_downloaded(file, now) for file, now in pairs],
            "rows": [count(file.rows) for file in files],
        }
    )


def _done_share(file: RunFile, now: FileProgress | None) -> float:
    if file.state in _FINISHED:
        return 1.0
    return round(file_share(now), 2) if now else 0.0


def _downloaded(file: RunFile, now: FileProgress | None) -> str:
    if now is None or file.bytes is not None:
        return size(file.bytes)
    moved = now.bytes_transferred()
    if file.state == "running" and moved is not None and now.bytes_total:
        return f"{size(moved)} of {size(now.bytes_total)}"
    return size(now.bytes_total or now.bytes_done or None)


def file_share(now: FileProgress) -> float:
    """Return how much of one file's work is done, from 0 to 1.

    The download counts for 0.4, the upload for 0.1, and the steps of the load for 0.1 each.
    """
    step = STEPS.index(now.step)
    share = min(1.0, max(0.0, now.fraction_done() or 0.0))
    if step <= STEPS.index("ready"):
        return (0.0, 0.4 * share, 0.4 + 0.1 * share, 0.5)[step]
    first = STEPS.index("extract")
    return 0.5 + 0.5 * (step - first + share) / (len(STEPS) - first)


def overall_share(snapshot: Snapshot, run_files: Iterable[RunFile]) -> float:
    """Return how much of a run is done, from 0 to 1; each of its files counts alike."""
    finished = {file.file for file in run_files if file.state in _FINISHED}
    shares = [1.0 if now.file in finished else file_share(now) for now in snapshot.files]
    return sum(shares) / len(shares) if shares else 1.0
