"""Pick colors, months and a source; see the plan; run it; watch it; see what is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from pages.shared.choice import (
    FIRST_MONTH,
    NEWCOMERS_CHOICE,
    SOURCES,
    Choice,
    Params,
    command_line,
    is_news,
    read_params,
    write_params,
)
from pages.shared.details import show_details
from pages.shared.frame import (
    Now,
    await_plan,
    files_of,
    ledger,
    live,
    reported,
    require_app,
    start,
)
from pages.shared.log import show_log
from pages.shared.plan import show_plan_files, show_plan_summary
from pages.shared.progress import show_progress, show_run_summary
from pages.shared.views import MONTH_NAMES, file_at, find_cells, grid_table
from pages.shared.words import GLYPHS, duration, files_in_words, outcomes, plain, state_words, when
from pipeline.errors import FaregroundError
from pipeline.history import Run
from pipeline.jobs import resume_request
from pipeline.plan import FileState, Plan, Policy, Request
from pipeline.settings import load_settings
from pipeline.trips import Color, Month, TripFile, months_between
from pipeline.warehouse import FileRecord

require_app()

PLACE = "place"  # the source is the folder or URL typed in beside it


def show_page(now: Now) -> None:
    """Draw everything below the title."""
    records = None
    with reported():
        records = ledger(now)
    if records == {} and now.run is None and now.ended is None:
        greet()
    choice = pick_choice()
    st.subheader("Run" if now.run else "Plan")
    request, plan = None, None
    with reported():
        request = choice.request()
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
    if request:
        st.caption("The same on the command line")
        st.code(command_line(request), language="shell", wrap_lines=True)
    show_grid(now, records, request, plan)
    run = now.run or now.ended
    if run:
        st.subheader("Log of the run" if now.run else "Log of the newest run")
        show_log(run, files_of(run), key="log")


def greet() -> None:
    """Say to somebody whose warehouse is empty what to do."""
    with st.container(border=True):
        st.markdown(
            "**Nothing is loaded yet.** Pick colors, months and a source below, look at the plan, "
            "and press **Run**: every taxi trip of those months lands exactly once in a DuckDB "
            "file on this machine. No network? The built-in sample makes up its trips."
        )
        st.button(
            "Try it with the built-in sample",
            on_click=adopt,
            args=(NEWCOMERS_CHOICE,),
            icon=":material/science:",
        )


def adopt(choice: Choice) -> None:
    """Put a choice into the widgets."""
    state = st.session_state
    state.colors = [color.value for color in choice.colors]
    state.first, state.last = str(choice.first), str(choice.last)
    state.source = choice.source if choice.source in SOURCES else PLACE
    state.place = "" if choice.source in SOURCES else choice.source
    state.policy, state.force = choice.policy.value, choice.force


def pick_choice() -> Choice:
    """Draw the choice, keep it the same as the page's address, and return it."""
    state = st.session_state
    address = read_address()
    known = state.setdefault("addresses", [])
    if "link" not in state or is_news(address, known):
        linked, problems = read_params(address)
        adopt(linked)
        # Last, because a click may stop this run of the page at any line and start another.
        known[:] = [address]
        state.link = (linked, problems)
    choice = draw_choice()
    linked, problems = state.link
    if problems and choice == linked:
        st.warning("  \n".join(map(plain, problems)), icon=":material/link_off:")
    params = write_params(choice)
    if params != known[-1] or not address:
        st.query_params.from_dict(params)
    if params != known[-1]:
        known.append(params)
    return choice


def read_address() -> Params:
    """Return the query parameters of the page's address, as the browser sent it."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def confirm_address() -> None:
    """Take note of the newest address that the browser has got."""
    is_news(read_address(), st.session_state.get("addresses", []))


def draw_choice() -> Choice:
    """Draw the widgets and return what is picked in them."""
    months = [str(month) for month in months_between(FIRST_MONTH, Month.current())]
    with st.container(border=True):
        row = st.container(horizontal=True, vertical_alignment="bottom")
        colors = row.pills(
            "Colors",
            [color.value for color in Color],
            selection_mode="multi",
            format_func=lambda color: f":yellow[{color}]",
            key="colors",
            persist_state="session",
        )
        span = row.container(horizontal=True, width="content")
        first = span.selectbox("From", months, key="first", width=130, persist_state="session")
        last = span.selectbox("To", months, key="last", width=130, persist_state="session")
        source = row.selectbox(
            "Source",
            [*SOURCES, PLACE],
            format_func=lambda word: SOURCES.get(word, "A folder or URL"),
            key="source",
            width=260,
            persist_state="session",
        )
        if source == PLACE:
            source = row.text_input(
                "Folder or URL",
                key="place",
                placeholder="/data/trips or https://host/trips",
                width=340,
                persist_state="session",
            ).strip()
        policy = row.segmented_control(
            "Policy",
            [policy.value for policy in Policy],
            format_func=lambda policy: f":yellow[{policy}]",
            key="policy",
            required=True,
            persist_state="session",
            help="\n".join(f"- **{policy}**: {policy.meaning}" for policy in Policy),
        )
        with row.popover("More", icon=":material/tune:"):
            force = st.toggle(
                "Load even if unchanged",
                key="force",
                persist_state="session",
                help="The same as --force: files are fetched and loaded again whatever the "
                "ledger says.",
            )
        if force:
            st.caption("Forced: every file that the source has is loaded again.")
    return Choice(
        tuple(Color(name) for name in sorted(colors, key=list(Color).index)),
        Month.parse(first),
        Month.parse(last),
        source,
        Policy(policy),
        force,
    )


def show_buttons(now: Now, request: Request | None, plan: Plan | None) -> None:
    """Draw Run, Cancel, Retry failed and Resume, each enabled when it makes sense."""
    failed = [p.file for p in plan.files if p.state == FileState.FAILED] if plan else []
    unfinished = find_unfinished(now)
    row = st.container(horizontal=True)
    asked: Request | None = None
    ready = plan is not None and bool(plan.to_run)
    if row.button(
        ":orange[:material/play_arrow: **Run**]" if ready else ":material/play_arrow: Run",
        type="primary",
        disabled=not ready,
        key="run",
        help="Nothing is left to run." if plan and not plan.to_run else None,
    ):
        asked = request
    cancelling = now.backfill is not None and now.backfill.cancel.is_set()
    row.button(
        "Cancelling …" if cancelling else "Cancel",
        icon=":material/stop:",
        disabled=now.backfill is None or cancelling,
        on_click=now.backfill.cancel.set if now.backfill else None,
        key="cancel",
    )
    if row.button(
        f"Retry {files_in_words(len(failed))} that failed" if failed else "Retry failed",
        icon=":material/replay:",
        disabled=not failed,
        key="retry",
    ):
        asked = replace(request, policy=Policy.MISSING_AND_FAILED, only=frozenset(failed))
    if row.button(
        f"Resume {files_in_words(len(unfinished.files()))}" if unfinished else "Resume",
        icon=":material/resume:",
        disabled=unfinished is None,
        key="resume",
        help=f"Finish what run {now.ended.run_id} did not." if unfinished else None,
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
        st.warning("The process ended during this run. Resume finishes it.")
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
    files = request.files() if request else ()
    source = now.run.request.source if now.run else ""
    run_files = now.files if now.run else ()
    cells = find_cells(files, records or {}, plan, run_files, source)
    if not cells:
        return
    st.subheader("Months")
    if records is None and now.run:
        st.info(
            f"The process {now.run.pid} holds the warehouse, so the ledger cannot be read; the "
            "states are those of its run."
        )
    event = st.dataframe(
        grid_table(cells),
        key="grid",
        on_select="rerun",
        selection_mode="single-cell",
        column_config={name: st.column_config.TextColumn(width=94) for name in MONTH_NAMES},
        row_height=68,  # Streamlit breaks lines in rows higher than 64
        height="content",
        alt="States of trip files, a row for each color and year, a column for each month",
    )
    legend = " · ".join(f"{GLYPHS[state]} {state}" for state in FileState)
    st.caption(f"{legend} — click a month for its story")
    for row, name in event.selection.cells[:1]:
        file = file_at(cells, row, name)
        if file:
            show_details(file, cells[file], (records or {}).get(file), request, now)


live("Backfill", show_page, beat=confirm_address)
