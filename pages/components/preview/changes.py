"""The tab that compares the previewed file with the loaded rows."""

from __future__ import annotations

import streamlit as st

from pages.components.common.access import change_button
from pages.components.common.glossary import explain
from pages.components.common.messages import reported
from pages.components.common.target import backend, target
from pages.components.common.tasks import (
    Work,
    current_task,
    drop_task,
    show_running_task,
    start_task,
)
from pages.components.common.words import count, when
from pages.components.preview.tables import cells_table, changes_table, difference_sentence
from pipeline.core.cancel import Cancel
from pipeline.core.errors import Cancelled
from pipeline.core.settings.settings import Settings, load_settings
from pipeline.preview import Preview
from pipeline.preview.difference import FileDiff, diff_file
from pipeline.preview.subject import Subject
from pipeline.warehouse.registry import open_warehouse


def show_changes(preview: Preview) -> None:
    """Compare the file with the warehouse at the press of a button."""
    subject = preview.subject
    if preview.problem or subject.problem:
        st.info("A file that cannot be loaded changes nothing.")
        return
    if not subject.whole:
        st.info("The comparison needs the whole file. Fetch it into staging first.")
        return
    key = (subject, target())
    task = current_task("difference", key)
    if task is not None and not task.done():
        show_running_task(task, "Comparing with the warehouse", key="difference-cancel")
        return
    row = st.container(horizontal=True, vertical_alignment="center")
    if change_button(
        row, "Compare with what is loaded", icon=":material/difference:", key="compare"
    ):
        start_task("difference", key, _comparison(subject, load_settings(), target()))
        st.rerun()
    if task is None:
        storage = backend().storage
        billed = f" {storage} bills for reading the loaded rows." if backend().is_billed else ""
        st.caption(
            "Compares the loaded rows with those of the file, cell by cell. It changes nothing."
            f"{billed}"
        )
        return
    with reported():
        try:
            _show_difference(task.result())
        except Cancelled:
            drop_task("difference")
            st.info("The comparison was cancelled.")


def _comparison(subject: Subject, settings: Settings, target: str) -> Work[FileDiff]:
    def compare(cancel: Cancel, _report: object) -> FileDiff:
        with open_warehouse(target, settings) as warehouse:
            return diff_file(subject, warehouse, settings, cancel)

    return compare


def _show_difference(difference: FileDiff) -> None:
    st.markdown(f"**{difference_sentence(difference)}**")
    loaded = difference.loaded
    if loaded is None:
        st.caption("No row of this month is loaded yet.")
    else:
        st.caption(f"{count(loaded.rows)} rows are loaded, since {when(loaded.finished_at)}.")
    figures = {
        "Inserted": count(difference.inserted),
        "Updated": count(difference.updated),
        "Deleted": count(difference.deleted),
        "Unchanged": count(difference.unchanged),
        "Rejected": count(difference.rejected),
    }
    if difference.amount_before is not None:
        figures["Total now"] = f"${difference.amount_before:,.2f}"
        figures["Total after"] = f"${difference.amount_after:,.2f}"
    grid = st.grid("auto", min_column_width=120)
    for name, figure in figures.items():
        grid.metric(name, figure, help=explain("reject") if name == "Rejected" else None)
    if difference.examples:
        st.dataframe(
            changes_table(difference.examples),
            hide_index=True,
            key="changes",
            column_config={"change": st.column_config.TextColumn(pinned=True)},
            alt="Rows that a load would change, changed cells as old → new",
        )
        st.caption("The first rows of each kind; a changed cell shows the old and the new value.")
    if difference.cells:
        st.dataframe(
            cells_table(difference),
            hide_index=True,
            key="cells",
            width="content",
            alt="In how many updated rows each column would change",
        )
