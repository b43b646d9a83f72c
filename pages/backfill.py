"""Pick colors, months and a source; see the plan; run it; watch it; see what is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.choice import command_line
from pages.shared.details import show_details
from pages.shared.frame import (
    Now,
    await_plan,
    ledger,
    live,
    reported,
    require_app,
    show_synthetic,
    start,
)
from pages.shared.glossary import explain
from pages.shared.grid import (
    COLUMN_WIDTH,
    Cell,
    file_at,
    find_cells,
    grid_columns,
    grid_table,
    legend,
)
from pages.shared.happens import show_what_happens
from pages.shared.log import show_log
from pages.shared.people import change_button
from pages.shared.picker import confirm_address, pick_choice
from pages.shared.plan import show_plan_files, show_plan_summary
from pages.shared.progress import show_progress, show_run_summary
from pages.shared.runs import files_of
from pages.shared.target import target
from pages.shared.tour import land, offer_sample
from pages.shared.words import (
    duration,
    files_in_words,
    interruption,
    outcomes,
    plain,
    state_words,
    when,
)
from pipeline.backfill import resume_request
from pipeline.errors import FaregroundError
from pipeline.plan import FileState, Plan, Policy, Request
from pipeline.run_records import Run
from pipeline.settings import load_settings
from pipeline.trips import TripFile
from pipeline.warehouse import FileRecord

BESIDE = 3  # columns of the grid at most that leave room for a story beside them

require_app()


def show_page(now: Now) -> None:
    """Draw everything below the title."""
    if now.run is None:
        land(now.ended)
    records = None
    with reported():
        records = ledger(now)
    if records == {} and now.run is None and now.ended is None:
        greet(now)
    choice = pick_choice()
    st.subheader("Run" if now.run else "Plan", help=explain("backfill", "source", "staging"))
    request, plan = None, None
    with reported():
        request = replace(choice.request(), target=target())
        if now.run is None and records is not None:
            plan = await_plan(request, now)
            show_plan_summary(plan)
    if now.run:
        show_run_summary(now)
    show_buttons(now, request, plan)
    if now.run:
        show_progress(now)
    elif now.ended:
        show_outcome(now.ended)
    if plan:
        show_plan_files(plan, key="plan")
        show_what_happens(plan)
        st.session_state.shown_request = request
    if request:
        st.caption("The same on the command line")
        st.code(command_line(request), language="shell", wrap_lines=True)
    show_grid(now, records, request, plan)
    run = now.run or now.ended
    if run:
        st.subheader("Log of the run" if now.run else "Log of the newest run")
        show_log(run, files_of(run), key="log")


def greet(now: Now) -> None:
    """Say to somebody whose warehouse is empty what to do."""
    place = "a DuckDB file on this machine" if target() == "local" else "BigQuery"
    with st.container(border=True):
        st.markdown(
            "**Nothing is loaded yet.** Pick colors, months and a source below, look at the plan, "
            f"and press **Run**: every taxi trip of those months lands exactly once in {place}. "
            "Or look around first: the sample makes up three months of both colors, needs no "
            "network, and ends at its charts."
        )
        offer_sample(now)


def show_buttons(now: Now, request: Request | None, plan: Plan | None) -> None:
    """Draw Run, Cancel, Retry failed and Resume, each enabled when it makes sense."""
    failed = [p.file for p in plan.files if p.state == FileState.FAILED] if plan else []
    unfinished = find_unfinished(now)
    row = st.container(horizontal=True)
    asked: Request | None = None
    ready = plan is not None and bool(plan.to_run)
    if change_button(
        row,
        ":orange[:material/play_arrow: **Run**]" if ready else ":material/play_arrow: Run",
        type="primary",
        disabled=not ready,
        key="run",
        help="Nothing is left to run." if plan and not plan.to_run else None,
    ):
        # A click that comes with a change of the choice was made on another plan than this one.
        if st.session_state.get("shown_request") == request:
            asked = request
        else:
            st.info("The choice has changed. Look at its plan, and press Run again.")
    cancelling = now.backfill is not None and now.backfill.cancel.is_set()
    change_button(
        row,
        "Cancelling …" if cancelling else "Cancel",
        icon=":material/stop:",
        disabled=now.backfill is None or cancelling,
        on_click=now.backfill.cancel.set if now.backfill else None,
        key="cancel",
    )
    if change_button(
        row,
        f"Retry {files_in_words(len(failed))} that failed" if failed else "Retry failed",
        icon=":material/replay:",
        disabled=not failed,
        key="retry",
    ):
        assert request is not None  # there is a plan of it
        asked = replace(request, policy=Policy.MISSING_AND_FAILED, only=frozenset(failed))
    if change_button(
        row,
        f"Resume {files_in_words(len(unfinished.files()))}" if unfinished else "Resume",
        icon=":material/resume:",
        disabled=unfinished is None,
        key="resume",
        help="Finish what the newest run did not." if unfinished else None,
    ):
        asked = unfinished
    if asked and now.run is None:
        with reported():
            start(await_plan(asked, now))
            st.rerun()


def find_unfinished(now: Now) -> Request | None:
    """Return a request for what the newest run left, where it was interrupted or cancelled."""
    if now.run or now.ended is None or now.ended.state not in ("interrupted", "cancelled"):
        return None
    try:
        return resume_request(now.ended.run_id, load_settings())
    except FaregroundError:
        return None


def show_outcome(run: Run) -> None:
    """Show how the newest run ended, and why each file that failed in it did."""
    files = files_of(run)
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown(
        f"Newest run: **{state_words(run.state)}** after {duration(run.seconds)}, "
        f"{outcomes(files) or 'no files'}, begun {when(run.started_at)}"
    )
    row.page_link("pages/runs.py", label="Details", query_params={"run": run.run_id})
    if run.state == "interrupted":
        st.warning(interruption(files), icon=":material/warning:")
    failed = [file for file in files if file.state == "failed"]
    for file in failed[:3]:
        st.error(plain(file.reason), icon=":material/error:")
    if len(failed) > 3:
        st.caption(f"and {files_in_words(len(failed) - 3)} more: click their cells below")


def show_grid(
    now: Now,
    records: Mapping[TripFile, FileRecord] | None,
    request: Request | None,
    plan: Plan | None,
) -> None:
    """Draw the grid of states, and the story of the cell that was clicked."""
    if records is None and now.run is None:
        return  # what is loaded is not known, and has been said above
    files = request.files() if request else ()
    source = now.run.request.source if now.run else ""
    run_files = now.files if now.run else ()
    cells = find_cells(files, records or {}, plan, run_files, source)
    if not cells:
        return
    st.subheader("Months", help=explain("trip file", "unavailable", "stale"))
    if records is None and now.run:
        st.info(
            f"The process {now.run.pid} holds the warehouse, so the ledger cannot be read; the "
            "states are those of its run."
        )
    left, right = places(cells)
    with left:
        event = st.dataframe(
            grid_table(cells),
            key="grid",
            on_select="rerun",
            selection_mode="single-cell",
            width="content",
            height="content",
            column_config={
                name: st.column_config.TextColumn(width=COLUMN_WIDTH)
                for name in grid_columns(cells)
            },
            alt="States of trip files, a row for each month, a column for each color and year",
        )
        if any(cell.synthetic for cell in cells.values()):
            show_synthetic(st.container())
        st.caption(f"{legend(cells)} Click a month for its story.")
    for position, name in event.selection.cells[:1]:
        file = file_at(cells, position, name)
        if file:
            planned = next((p for p in plan.files if p.file == file), None) if plan else None
            with right:
                show_details(file, cells[file], (records or {}).get(file), planned, request, now)


def places(cells: Mapping[TripFile, Cell]) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Return where the grid goes and where a file's story does: beside it where there is room."""
    if len(grid_columns(cells)) > BESIDE:
        return st.container(), st.container()
    left, right = st.columns([2, 3], gap="medium")
    return left, right


live("Backfill", show_page, beat=confirm_address)
