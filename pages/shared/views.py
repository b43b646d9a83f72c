"""What the pages show, as tables and figures. Pure: no Streamlit, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from pages.shared.drawing import styled
from pages.shared.words import count, duration, outcomes, size, state_words
from pipeline.backfill import Snapshot
from pipeline.load import FileProgress
from pipeline.plan import Plan
from pipeline.run_records import Run, RunFile, Step
from pipeline.trips import TripFile

STEPS = (
    "waiting", "download", "upload", "ready", "extract", "compare", "merge", "reconcile", "commit"
)  # fmt: skip
# At least 3:1 against the background of either theme.
STEP_COLORS = {
    "download": "#4C78A8",
    "upload": "#3E9C96",
    "extract": "#B58900",
    "compare": "#9D755D",
    "merge": "#E45756",
    "reconcile": "#54A24B",
    "commit": "#B279A2",
}
_FINISHED = ("loaded", "skipped", "unavailable", "failed", "cancelled")


def table_height(rows: int) -> int:
    """Return the pixels that a table of so many rows takes, ten at most; others scroll.

    Named beforehand, so that what comes below does not move when the table is drawn.
    """
    return 35 * (min(rows, 10) + 1) + 2


def plan_sentence(plan: Plan) -> str:
    """Return the plan in one sentence: how many files will run, how much is fetched, from where."""
    total = f", {size(plan.bytes)}" if plan.bytes is not None else ""
    return (
        f"{len(plan.to_run)} of {len(plan.files)} files will run{total}, from {plan.source_label}."
    )


def plan_table(plan: Plan) -> pd.DataFrame:
    """Return the plan, a row a file."""
    return pd.DataFrame(
        {
            "file": [planned.file.stem for planned in plan.files],
            "state": [state_words(planned.state) for planned in plan.files],
            "runs": ["▶ yes" if planned.runs else "no" for planned in plan.files],
            "size": [size(planned.bytes) for planned in plan.files],
            "why": [planned.reason for planned in plan.files],
        }
    )


def progress_table(
    run_files: Sequence[RunFile], progress: Mapping[TripFile, FileProgress]
) -> pd.DataFrame:
    """Return the files of the run that is on, those at work first and finished ones last.

    Without `progress` (the run of another process) steps and bytes are unknown.
    """
    order = ("running", "failed", "queued", "cancelled", "unavailable", "loaded", "skipped")
    files = sorted(run_files, key=lambda file: order.index(file.state))
    at = [progress.get(file.file) for file in files]
    return pd.DataFrame(
        {
            "file": [file.file.stem for file in files],
            "state": [state_words(file.state) for file in files],
            "done": [_step_share(file, now) for file, now in zip(files, at, strict=True)],
            "step": [
                file.reason if file.state != "running" or not now else now.step
                for file, now in zip(files, at, strict=True)
            ],
            "size": [_downloaded(file, now) for file, now in zip(files, at, strict=True)],
            "rows": [count(file.rows) for file in files],
        }
    )


def _step_share(file: RunFile, now: FileProgress | None) -> float | None:
    if file.state in _FINISHED:
        return 1.0
    return round(file_share(now), 2) if now else 0.0


def _downloaded(file: RunFile, now: FileProgress | None) -> str:
    if now is None or file.bytes is not None:
        return size(file.bytes)
    moved = now.bytes_moved()
    if file.state == "running" and moved is not None and now.bytes_total:
        return f"{size(moved)} of {size(now.bytes_total)}"
    return size(now.bytes_total or now.bytes_done or None)


def file_share(now: FileProgress) -> float:
    """Return how much of one file's work is done, 0 to 1; downloading it counts for four tenths,
    uploading it for one."""
    step = STEPS.index(now.step)
    share = min(1.0, max(0.0, now.done_share() or 0.0))
    if step <= STEPS.index("ready"):
        return (0.0, 0.4 * share, 0.4 + 0.1 * share, 0.5)[step]
    first = STEPS.index("extract")
    return 0.5 + 0.5 * (step - first + share) / (len(STEPS) - first)


def overall_share(snapshot: Snapshot, run_files: Iterable[RunFile]) -> float:
    """Return how much of a run is done, 0 to 1, counting each file it runs alike."""
    finished = {file.file for file in run_files if file.state in _FINISHED}
    shares = [1.0 if now.file in finished else file_share(now) for now in snapshot.files]
    return sum(shares) / len(shares) if shares else 1.0


def outcome_table(run_files: Sequence[RunFile]) -> pd.DataFrame:
    """Return the files of a run that ended, a row a file."""
    counts = ("rows", "inserted", "updated", "deleted", "unchanged", "rejected")
    return pd.DataFrame(
        {
            "file": [file.file.stem for file in run_files],
            "state": [state_words(file.state) for file in run_files],
            **{name: [count(getattr(file, name)) for file in run_files] for name in counts},
            "size": [size(file.bytes) for file in run_files],
            **(_cost_columns(run_files) if total_cost(run_files) else {}),
            "took": [duration(file.seconds) if file.seconds else "" for file in run_files],
            "why": [file.reason for file in run_files],
        }
    )


def _cost_columns(run_files: Sequence[RunFile]) -> dict[str, list[str]]:
    slots = [None if file.slot_ms is None else file.slot_ms / 1000 for file in run_files]
    return {
        "billed": [size(file.bytes_billed) for file in run_files],
        "slot time": ["" if seconds is None else duration(seconds) for seconds in slots],
    }


def total_cost(run_files: Iterable[RunFile]) -> tuple[int, float] | None:
    """Return the bytes billed and slot seconds of a run's files; None where nothing is billed."""
    billed = [file for file in run_files if file.bytes_billed is not None]
    if not billed:
        return None
    slot_ms = sum(file.slot_ms or 0 for file in billed)
    return sum(file.bytes_billed or 0 for file in billed), slot_ms / 1000


def runs_table(runs: Sequence[Run], files: Mapping[str, Sequence[RunFile]]) -> pd.DataFrame:
    """Return the history, a row a run; `files` are those of each run, by its id."""
    return pd.DataFrame(
        {
            "started (UTC)": [f"{run.started_at:%Y-%m-%d %H:%M:%S}" for run in runs],
            "state": [state_words(run.state) for run in runs],
            "colors": [" ".join(run.request.selection.colors) for run in runs],
            "months": [_months(run) for run in runs],
            "source": [run.source_label for run in runs],
            "policy": [
                f"{run.request.policy}{' (force)' if run.request.force else ''}" for run in runs
            ],
            "files": [outcomes(files[run.run_id]) for run in runs],
            "rows": [count(sum(file.rows or 0 for file in files[run.run_id])) for run in runs],
            "took": [duration(run.seconds) for run in runs],
            "label": [run.label for run in runs],
        }
    )


def _months(run: Run) -> str:
    first, last = run.request.selection.first, run.request.selection.last
    return str(first) if first == last else f"{first} to {last}"


def timeline(run: Run, steps: Sequence[Step]) -> go.Figure:
    """Return the steps of a run as a Gantt chart: a row a file, time in seconds since the start."""
    figure = go.Figure()
    files = list(dict.fromkeys(step.file.stem for step in steps))
    for name, color in STEP_COLORS.items():
        mine = [step for step in steps if step.step == name]
        if not mine:
            continue
        figure.add_bar(
            name=name,
            orientation="h",
            y=[step.file.stem for step in mine],
            base=[(step.started_at - run.started_at).total_seconds() for step in mine],
            x=[(step.finished_at - step.started_at).total_seconds() for step in mine],
            marker_color=color,
            hovertemplate=f"%{{y}}<br>{name}: %{{x:.3f}} s, from %{{base:.3f}} s<extra></extra>",
        )
    styled(figure, 130 + 26 * max(2, len(files)))
    # A single step has a legend too.
    figure.update_layout(barmode="overlay", showlegend=True, bargap=0.25)
    # A file's name ends in its month, which Plotly would read as a date.
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=files[::-1], title="file"
    )
    figure.update_xaxes(type="linear", rangemode="tozero", title="seconds since the start")
    return figure
