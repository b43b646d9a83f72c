"""The table of past runs, from which one is selected by a click or by the page's address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.components.common.layout import table_height
from pages.components.common.params import describe_invalid
from pages.components.common.runs import history
from pages.components.common.words import plain
from pages.components.runs.run_tables import runs_table
from pipeline.core.errors import UsageError
from pipeline.runs.run_records import Run, RunFile

_PARAM = "run"  # of the page's address: the id of the selected run
_FIRST = "started (UTC)"  # the column of the selected cell of a linked run


def select_run(runs: Sequence[Run], files: Mapping[str, Sequence[RunFile]]) -> Run | None:
    """Draw the table and return the selected run, which may be older than those in the table.

    Args:
        runs: The runs of the table, the newest first; at least one.
        files: The files of each run, by its id.
    """
    ids = [run.run_id for run in runs]
    linked = st.query_params.get(_PARAM)
    event = st.dataframe(
        runs_table(runs, files),
        hide_index=True,
        # Cells are selected by position, so a table with a new run on top is another table.
        key=f"runs since {ids[0]}",
        on_select="rerun",
        selection_mode="single-cell",  # a row could be selected only by a box at its start
        height=table_height(len(runs)),
        selection_default={
            "selection": {"cells": [(ids.index(linked), _FIRST)] if linked in ids else []}
        },
        column_config={
            _FIRST: st.column_config.TextColumn(width=150),
            "state": st.column_config.TextColumn(width=120),
            "rows": st.column_config.TextColumn(alignment="right"),
            "took": st.column_config.TextColumn(alignment="right"),
        },
        alt="Runs, the newest first",
    )
    if event.selection.cells:
        run = runs[event.selection.cells[0][0]]
        if linked != run.run_id:
            st.query_params[_PARAM] = run.run_id
        return run
    if linked in ids:  # it was selected, and has been deselected
        del st.query_params[_PARAM]
        return None
    return read_linked_run()


def read_linked_run() -> Run | None:
    """Return the run of the page's address, or None; say so if that run does not exist."""
    linked = st.query_params.get(_PARAM)
    if not linked:
        return None
    try:
        return history().run(linked)
    except UsageError:
        problem = describe_invalid(_PARAM, linked, "there is no such run", "No run is selected.")
        st.warning(plain(problem), icon=":material/link_off:")
        return None
