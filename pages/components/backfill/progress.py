"""The running backfill on the Backfill page: whose it is, and how far it has come."""

from __future__ import annotations

import streamlit as st

from pages.components.backfill.progress_table import overall_share, progress_table
from pages.components.common.backfills import show_cancel
from pages.components.common.layout import table_height
from pages.components.common.messages import show_synthetic
from pages.components.common.runs import Activity
from pages.components.common.words import count, files_in_words, size, time_left, when
from pipeline.runs.run_records import Run


def show_run(activity: Activity) -> None:
    """Show the running backfill: how far it is, how fast, how long it will take, and Cancel.

    Of a run of another process only the states of its files are known.
    """
    run = activity.run
    assert run is not None
    with st.container(border=True):
        row = st.container(horizontal=True, vertical_alignment="center")
        row.text(f"From {run.source_label}, started {when(run.started_at)} by the {run.origin}")
        if run.request.source == "sample":
            show_synthetic(row)
        show_cancel(row, activity)
        _show_progress(activity)
        if activity.backfill is None:
            _show_foreign_run(run)


def _show_foreign_run(run: Run) -> None:
    where = "terminal" if run.origin == "command line" else "server"
    st.info(
        f"Another process runs this: the {run.origin} with pid {run.pid}. To cancel it, press "
        f"Ctrl-C in its {where}, or send it an interrupt:"
    )
    st.code(f"kill -INT {run.pid}", language="shell")


def _show_progress(activity: Activity) -> None:
    total = activity.to_load
    snapshot = activity.backfill.snapshot() if activity.backfill else None
    share = (
        overall_share(snapshot, activity.files) if snapshot else activity.finished / max(1, total)
    )
    st.progress(share, text=f"{activity.finished:,} of {files_in_words(total)} done")
    if snapshot is None:
        return
    left = snapshot.seconds_left
    figures = {
        "Time left": "–" if left is None else time_left(left),
        "Rows": count(snapshot.rows),
        "Rows per second": f"{snapshot.rows_per_second:,.0f}",
        "Downloaded": size(snapshot.bytes_done),
        "Download per second": size(snapshot.bytes_per_second),
    }
    grid = st.grid(len(figures), min_column_width=120)
    for name, figure in figures.items():
        grid.metric(name, figure)


def show_progress_table(activity: Activity) -> None:
    """Show how far each file of the running backfill is."""
    snapshot = activity.backfill.snapshot() if activity.backfill else None
    progress = {file.file: file for file in snapshot.files} if snapshot else {}
    st.dataframe(
        progress_table(activity.files, progress),
        hide_index=True,
        key="progress",
        height=table_height(len(activity.files)),
        column_config={
            "file": st.column_config.TextColumn(width=170),
            "state": st.column_config.TextColumn(width=100),
            "step": st.column_config.TextColumn(width=160),
            "done": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
            "size": st.column_config.TextColumn(width=170, alignment="right"),
            "rows": st.column_config.TextColumn(width=100, alignment="right"),
        },
        alt="The files of the run and how far each is",
    )
