"""Past runs as tables, and one run as a Gantt chart. Pure: no Streamlit, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from pages.components.common.drawing import styled
from pages.components.common.words import (
    count,
    duration,
    files_in_words,
    outcomes,
    size,
    state_words,
)
from pipeline.runs.run_records import Run, RunFile, Step, split_unpublished

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


def runs_table(runs: Sequence[Run], files: Mapping[str, Sequence[RunFile]]) -> pd.DataFrame:
    """Return runs as a table with a row for each.

    Args:
        runs: The runs, in the order of the rows.
        files: The files of each run, by its id.
    """
    return pd.DataFrame(
        {
            "started (UTC)": [f"{run.started_at:%Y-%m-%d %H:%M:%S}" for run in runs],
            "state": [state_words(run.state) for run in runs],
            "taxis": [" ".join(map(str, run.request.selection.datasets)) for run in runs],
            "months": [_months(run) for run in runs],
            "source": [run.source_label for run in runs],
            "policy": [
                f"{run.request.policy.label}{' (force)' if run.request.force else ''}"
                for run in runs
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


def outcome_table(run: Run, run_files: Sequence[RunFile]) -> pd.DataFrame:
    """Return the files of a run as a table: a row for each, and one for many not published."""
    counts = ("rows", "inserted", "updated", "deleted", "unchanged", "rejected")
    files, absent = split_unpublished(run_files, run.request.source, run.source_label)
    table = pd.DataFrame(
        {
            "file": [file.file.stem for file in files],
            "state": [state_words(file.state) for file in files],
            **{name: [count(getattr(file, name)) for file in files] for name in counts},
            "size": [size(file.bytes) for file in files],
            "unpacked": [size(file.unpacked_bytes) for file in files],
            **(_cost_columns(files) if total_cost(files) else {}),
            "took": [duration(file.seconds) if file.seconds else "" for file in files],
            "why": [file.reason for file in files],
        }
    )
    if absent:
        number = files_in_words(len(run_files) - len(files))
        row = {"file": number, "state": state_words("unavailable"), "why": absent}
        table.loc[len(table)] = pd.Series(row).reindex(table.columns, fill_value="")
    return table


def _cost_columns(run_files: Sequence[RunFile]) -> dict[str, list[str]]:
    slots = [None if file.slot_ms is None else file.slot_ms / 1000 for file in run_files]
    return {
        "billed": [size(file.bytes_billed) for file in run_files],
        "slot time": ["" if seconds is None else duration(seconds) for seconds in slots],
    }


def total_unpacked(run_files: Iterable[RunFile]) -> int | None:
    """Return the bytes of a run's files without compression, None if one of them is unknown."""
    sizes = [file.unpacked_bytes for file in run_files if file.bytes is not None]
    return None if None in sizes or not sizes else sum(filter(None, sizes))


def total_cost(run_files: Iterable[RunFile]) -> tuple[int, float] | None:
    """Return the bytes billed and the slot seconds of a run, or None where reading is free."""
    billed = [file for file in run_files if file.bytes_billed is not None]
    if not billed:
        return None
    slot_ms = sum(file.slot_ms or 0 for file in billed)
    return sum(file.bytes_billed or 0 for file in billed), slot_ms / 1000


def timeline(run: Run, steps: Sequence[Step]) -> go.Figure:
    """Return the steps of a run as a Gantt chart: a row for each file, seconds since the start."""
    figure = go.Figure()
    files = list(dict.fromkeys(step.file.stem for step in steps))
    for name, color in STEP_COLORS.items():
        bars = [step for step in steps if step.step == name]
        if not bars:
            continue
        figure.add_bar(
            name=name,
            orientation="h",
            y=[step.file.stem for step in bars],
            base=[(step.started_at - run.started_at).total_seconds() for step in bars],
            x=[(step.finished_at - step.started_at).total_seconds() for step in bars],
            marker_color=color,
            hovertemplate=f"%{{y}}<br>{name}: %{{x:.3f}} s, from %{{base:.3f}} s<extra></extra>",
        )
    styled(figure, 130 + 26 * max(2, len(files)))
    # Plotly draws no legend for a single trace unless it is told to.
    figure.update_layout(barmode="overlay", showlegend=True, bargap=0.25)
    # The name of a file ends in its month, which Plotly would read as a date.
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=files[::-1], title="file"
    )
    figure.update_xaxes(type="linear", rangemode="tozero", title="seconds since the start")
    return figure
