"""The grid of months on the Backfill page, with the details of the cell that was clicked."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.backfill.details import show_details
from pages.components.backfill.grid import (
    COLUMN_WIDTH,
    Cell,
    file_at,
    find_cells,
    grid_columns,
    grid_table,
    legend,
)
from pages.components.common.glossary import explain
from pages.components.common.runs import Activity
from pages.components.common.sample_dialogs import show_sample_badge
from pipeline.core.trips import TripFile
from pipeline.runs.plan import FileState, Plan, Request
from pipeline.warehouse.ledger import FileRecord

_MOST_COLUMNS = 3  # of a grid that leaves room for details beside it


def show_months(
    activity: Activity,
    records: Mapping[TripFile, FileRecord] | None,
    request: Request | None,
    plan: Plan | None,
) -> None:
    """Draw the state of each trip file that is chosen or loaded.

    Args:
        activity: What runs now.
        records: What the ledger has; None if it cannot be read, for a reason shown above.
        request: What is chosen; None if the choice is invalid.
        plan: The plan of `request`, if there is one.
    """
    run = activity.run
    if records is None and run is None:
        return
    files = request.files() if request else ()
    source = run.request.source if run else ""
    cells = find_cells(files, records or {}, plan, activity.files if run else (), source)
    if not cells:
        return
    st.subheader("Months", help=explain("trip file", "unavailable", "stale"))
    if records is None and run:
        st.info(
            f"Cannot read the ledger while process {run.pid} holds the warehouse. The states are "
            "those of its run."
        )
    left, right = _places(cells)
    with left:
        file = _show_grid(cells) or _first_failed(cells)
    with right:
        if file is None:
            st.caption("Click a month for its counts, errors and actions.")
            return
        planned = next((p for p in plan.files if p.file == file), None) if plan else None
        show_details(file, cells[file], (records or {}).get(file), planned, request, activity)


def _first_failed(cells: Mapping[TripFile, Cell]) -> TripFile | None:
    """Return the first failed file, which is shown while none is clicked."""
    return min((f for f, cell in cells.items() if cell.state == FileState.FAILED), default=None)


def _show_grid(cells: Mapping[TripFile, Cell]) -> TripFile | None:
    """Draw the grid and its legend, and return the file of the clicked cell."""
    event = st.dataframe(
        grid_table(cells),
        key="grid",
        on_select="rerun",
        selection_mode="single-cell",
        width="content",
        height="content",
        column_config={
            name: st.column_config.TextColumn(width=COLUMN_WIDTH) for name in grid_columns(cells)
        },
        alt="States of trip files, a row for each month, a column for the taxis of each year",
    )
    if any(cell.synthetic for cell in cells.values()):
        row = st.container(horizontal=True, vertical_alignment="center")
        show_sample_badge(row, key="remove-sample")
    st.caption(legend(cells))
    if not event.selection.cells:
        return None
    position, name = event.selection.cells[0]
    return file_at(cells, position, name)


def _places(cells: Mapping[TripFile, Cell]) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Return places for the grid and the details: side by side if there is room."""
    if len(grid_columns(cells)) > _MOST_COLUMNS:
        return st.container(), st.container()
    left, right = st.columns([2, 3], gap="medium")
    return left, right
