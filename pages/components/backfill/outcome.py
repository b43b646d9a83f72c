"""How the newest run ended, as the Backfill page shows it."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.choice import choice_of, write_params
from pages.components.common.runs import files_of
from pages.components.common.words import (
    duration,
    interruption,
    outcomes,
    state_words,
    when,
)
from pipeline.runs.plan import Request
from pipeline.runs.run_records import Run


def show_outcome(row: DeltaGenerator, run: Run, request: Request | None) -> None:
    """Link to a run, and say below how it ended.

    Args:
        row: The place of the links.
        run: The newest run that has ended.
        request: What is chosen, which may be something else.
    """
    files = files_of(run)
    row.page_link(
        "pages/runs.py",
        label="Open the run",
        icon=":material/history:",
        query_params={"run": run.run_id},
    )
    if run.state in ("interrupted", "cancelled") and request and not _is_of(request, run):
        row.page_link(
            "pages/backfill.py",
            label="Choose its files again",
            icon=":material/undo:",
            query_params=write_params(choice_of(run.request)),
        )
    st.markdown(
        f"Newest run: **{state_words(run.state)}** after {duration(run.seconds)}, "
        f"{outcomes(files) or 'no files'}, {when(run.started_at)}"
    )
    if run.state == "interrupted":
        st.warning(interruption(files), icon=":material/warning:")


def _is_of(request: Request, run: Run) -> bool:
    """Return whether a request is that of a run, or of what the run left."""
    return choice_of(request) == choice_of(run.request) and request.target == run.request.target
