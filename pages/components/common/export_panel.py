"""Export all loaded trips from a page, to a folder of the home, with progress and Cancel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from pages.components.common.access import change_button
from pages.components.common.messages import reported
from pages.components.common.target import backend, target
from pages.components.common.tasks import current_task, show_running_task, start_task
from pages.components.common.words import count, counted, plain
from pipeline.core.cancel import Cancel
from pipeline.core.errors import Cancelled
from pipeline.core.settings.settings import load_settings
from pipeline.core.trips import TripFile
from pipeline.files.staging import Progress
from pipeline.ops.export import FORMATS, default_target, export
from pipeline.warehouse.exports import ExportResult

_TASK = "export"  # one in a session, on whatever page


def offer_export(key: str) -> None:
    """Draw the button, the progress of a running export, or the result of the last one.

    Nothing is drawn for a warehouse that bills for reading.

    Args:
        key: Begins the keys of the widgets: each page has its own.
    """
    if backend().is_billed:
        return  # the command says what reading costs, and other programs read it directly
    task = current_task(_TASK, target())
    if task is not None and not task.done():
        show_running_task(task, "Exporting files", f"{key}-cancel", count)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Export all loaded trips", icon=":material/drive_file_move:"):
            _show_form(key)
        if task is not None:
            with reported():
                _show_result(task.result)


def _show_form(key: str) -> None:
    format = str(
        st.segmented_control(
            "Format", list(FORMATS), default="parquet", required=True, key=f"{key}-format"
        )
    )
    path = default_target(format, load_settings())
    st.caption(
        f"Goes to {plain(str(path))} on the machine of the app. Only what was loaded since the "
        "last export is written. The command is `python -m pipeline export`."
    )
    if change_button(st, "Export", icon=":material/drive_file_move:", key=f"{key}-start"):
        start_task(_TASK, target(), _make_work(format, path, target()))
        st.rerun()


def _make_work(
    format: str, path: Path, warehouse: str
) -> Callable[[Cancel, Callable[[Progress], None]], ExportResult]:
    def work(cancel: Cancel, report: Callable[[Progress], None]) -> ExportResult:
        def advance(done: int, total: int, _file: TripFile) -> None:
            report(Progress(done, total))

        return export(format, path, warehouse, load_settings(), cancel=cancel, progress=advance)

    return work


def _show_result(result_of: Callable[[], ExportResult]) -> None:
    try:
        result = result_of()
    except Cancelled:
        st.caption("The export was cancelled. Files that were written stay; each is whole.")
        return
    st.caption(
        f"Exported: {counted(result.rows, 'trip')} of {counted(result.files, 'file')}; "
        f"{count(len(result.written))} written, {count(len(result.removed))} removed."
    )
