"""One run: its figures and button, then its files, timeline and log in tabs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from pages.components.common.glossary import explain
from pages.components.common.layout import table_height
from pages.components.common.messages import show_synthetic
from pages.components.common.run_log import show_log
from pages.components.common.runs import Activity, history
from pages.components.common.target import target_label
from pages.components.common.themed import show_figure
from pages.components.common.words import (
    count,
    duration,
    files_in_words,
    interruption,
    outcomes,
    plain,
    size,
    state_words,
    when,
)
from pages.components.runs.run_actions import show_actions
from pages.components.runs.run_charts import show_run_charts
from pages.components.runs.run_tables import outcome_table, timeline, total_cost, total_unpacked
from pipeline.core.settings.settings import load_settings
from pipeline.runs.run_records import Run, RunFile
from pipeline.warehouse.cost import scan_price

_NUMBERS = (  # columns of the table of files
    "rows", "inserted", "updated", "deleted", "unchanged", "rejected", "size", "billed",
    "slot time", "took",
)  # fmt: skip


def show_run(run: Run, files: Sequence[RunFile], activity: Activity) -> None:
    """Show a run, which may still be running.

    Args:
        run: The run.
        files: The files of the run.
        activity: What runs now; while anything does, the run cannot be repeated or resumed.
    """
    _show_heading(run, files)
    _show_figures(run, files)
    show_actions(run, files, activity)
    contents: dict[str, Callable[[], None]] = {
        "Files": lambda: _show_files(run, files),
        "Timeline": lambda: _show_timeline(run),
        "Log": lambda: show_log(run, files, key="log"),
    }
    labels = [f":yellow[{name}]" for name in contents]
    for tab, show in zip(
        st.tabs(labels, on_change="rerun", key="run tab"), contents.values(), strict=True
    ):
        if tab.open:
            with tab:
                show()


def _show_timeline(run: Run) -> None:
    if steps := history().steps(run.run_id):
        show_figure(timeline(run, steps), key="timeline", config={"displaylogo": False})
    show_run_charts(run)


def _show_heading(run: Run, files: Sequence[RunFile]) -> None:
    row = st.container(horizontal=True, vertical_alignment="center")
    row.subheader(f"{state_words(run.state)} · run {plain(run.run_id)}")
    if run.request.source == "sample":
        show_synthetic(row)
    end = f", ended {when(run.finished_at)}" if run.finished_at else ""
    st.text(
        f"{files_in_words(len(files))} from {run.source_label} to "
        f"{target_label(run.request.target)}: {outcomes(files)}.\n"
        f"Started {when(run.started_at)} by the {run.origin} (pid {run.pid}){end}."
    )
    if run.state == "interrupted":
        st.warning(interruption(files), icon=":material/warning:")


def _show_figures(run: Run, files: Sequence[RunFile]) -> None:
    figures = {
        "Took": duration(run.seconds),
        "Rows in the warehouse": count(sum(file.rows or 0 for file in files)),
        "Inserted": count(sum(file.inserted or 0 for file in files)),
        "Updated": count(sum(file.updated or 0 for file in files)),
        "Deleted": count(sum(file.deleted or 0 for file in files)),
        "Rejected": count(sum(file.rejected or 0 for file in files)),
        "Size of the files": size(sum(file.bytes or 0 for file in files) or None) or "–",
        "Unpacked": size(total_unpacked(files)) or "–",
    }
    if cost := total_cost(files):
        figures |= _cost_figures(*cost)
    grid = st.grid("auto", min_column_width=150)
    for name, figure in figures.items():
        grid.metric(name, figure, help=explain("reject") if name == "Rejected" else None)


def _cost_figures(bytes_billed: int, slot_seconds: float) -> dict[str, str]:
    """Return what BigQuery charged for a run, by name, at the price in the settings."""
    settings = load_settings()
    rate = f"${settings.gcp_price_per_tib:g} per TiB ({settings.gcp_price_date})"
    dollars = scan_price(bytes_billed, settings.gcp_price_per_tib)
    return {
        "Bytes billed": size(bytes_billed),
        "Slot time": duration(slot_seconds),
        f"At {plain(rate)}": f"${dollars:,.4f}",
    }


def _show_files(run: Run, files: Sequence[RunFile]) -> None:
    for file in files:
        if file.state == "failed":
            st.error(plain(file.reason), icon=":material/error:")
    table = outcome_table(run, files)
    st.dataframe(
        table,
        hide_index=True,
        key="files",
        height=table_height(len(table)),
        column_config={
            "file": st.column_config.TextColumn(width=190),
            "state": st.column_config.TextColumn(width=120),
            **{name: st.column_config.TextColumn(alignment="right") for name in _NUMBERS},
            "why": st.column_config.TextColumn(width="large"),
        },
        alt="The files of the run",
    )
