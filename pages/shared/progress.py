"""The run that is on, as it goes."""

from __future__ import annotations

import streamlit as st

from pages.shared.frame import Now, show_synthetic
from pages.shared.views import overall_share, progress_table, table_height
from pages.shared.words import count, duration, files_in_words, size, when
from pipeline.run_records import Run


def show_run_summary(now: Now) -> None:
    """Say what is running since when, and whose it is."""
    run = now.run
    assert run is not None
    row = st.container(horizontal=True, vertical_alignment="center")
    row.text(f"From {run.source_label}, begun {when(run.started_at)} by the {run.origin}")
    if run.request.source == "sample":
        show_synthetic(row)
    if now.backfill is None:
        _show_foreign_run(run)


def show_progress(now: Now) -> None:
    """Show how far the run that is on has come, overall and file by file."""
    total = len(now.files)
    snapshot = now.backfill.snapshot() if now.backfill else None
    share = overall_share(snapshot, now.files) if snapshot else now.finished / max(1, total)
    st.progress(share, text=f"{now.finished:,} of {files_in_words(total)} done")
    if snapshot:
        left = snapshot.seconds_left
        figures = {
            "Rows": count(snapshot.rows),
            "Rows per second": f"{snapshot.rows_per_second:,.0f}",
            "Downloaded": size(snapshot.bytes_done),
            "Per second": size(snapshot.bytes_per_second),
            "Time left": "–" if left is None else f"about {duration(left)}",
        }
        grid = st.grid(len(figures), min_column_width=130)
        for name, figure in figures.items():
            grid.metric(name, figure)
    progress = {file.file: file for file in snapshot.files} if snapshot else {}
    st.dataframe(
        progress_table(now.files, progress),
        hide_index=True,
        key="progress",
        height=table_height(len(now.files)),
        column_config={
            "file": st.column_config.TextColumn(width=170),
            "state": st.column_config.TextColumn(width=100),
            "step": st.column_config.TextColumn(width=160),
            "done": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
            "size": st.column_config.TextColumn(width=170, alignment="right"),
            "rows": st.column_config.TextColumn(width=100, alignment="right"),
        },
        alt="The files of the run and how far each has come",
    )


def _show_foreign_run(run: Run) -> None:
    where = "terminal" if run.origin == "command line" else "server"
    st.info(
        f"This run belongs to another process, the {run.origin} with pid {run.pid}. To cancel it, "
        f"press Ctrl-C in its {where}, or send the process an interrupt:"
    )
    st.code(f"kill -INT {run.pid}", language="shell")
