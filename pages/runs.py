"""Past and present runs: how each went, step by step, with its log; run one again or resume it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.shared.choice import choice_of, write_params
from pages.shared.frame import (
    Now,
    await_plan,
    live,
    look,
    reported,
    require_app,
    show_synthetic,
    start,
)
from pages.shared.glossary import explain
from pages.shared.log import show_log
from pages.shared.people import ONLY_LOOKING, change_button, may_change
from pages.shared.plan import show_plan_files, show_plan_summary
from pages.shared.run_charts import show_run_charts
from pages.shared.runs import files_of, history
from pages.shared.schedules import show_schedules
from pages.shared.target import TARGET_NAMES, target
from pages.shared.themed import follow_theme, show_figure
from pages.shared.tour import offer_sample
from pages.shared.views import outcome_table, runs_table, table_height, timeline, total_cost
from pages.shared.words import (
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
from pipeline.backfill import resume_request
from pipeline.errors import FaregroundError
from pipeline.plan import Request
from pipeline.run_records import Run, RunFile
from pipeline.settings import load_settings
from pipeline.warehouse.google_cost import price

require_app()

LISTED = 100


def show_page(now: Now) -> None:
    """Draw everything below the title."""
    runs = history().runs(LISTED, target())
    if not runs:
        with st.container(border=True):
            st.markdown(
                f"**There has been no run yet in the warehouse {TARGET_NAMES[target()]}.** Every "
                "backfill leaves one here, with its files, its timeline and its log."
            )
            offer_sample(now)
        show_schedules(now)
        return
    show_schedules(now)
    st.subheader("History")
    files = {run.run_id: files_of(run) for run in runs}
    with reported():
        run = pick_run(runs, files)
        if run is None:
            st.caption("Pick a run for its files, timeline and log.")
            show_run_charts(None)
        else:
            show_run(run, files_of(run), now)


def pick_run(runs: Sequence[Run], files: Mapping[str, Sequence[RunFile]]) -> Run | None:
    """Draw the history and return the run picked in it or named in the page's address."""
    ids = [run.run_id for run in runs]
    named = st.query_params.get("run")
    event = st.dataframe(
        runs_table(runs, files),
        hide_index=True,
        # Rows are picked by position, so a table with one more run on top is another table.
        key=f"runs since {ids[0]}",
        on_select="rerun",
        selection_mode="single-row",
        height=table_height(len(runs)),
        selection_default={"selection": {"rows": [ids.index(named)] if named in ids else []}},
        column_config={
            "started (UTC)": st.column_config.TextColumn(width=150),
            "state": st.column_config.TextColumn(width=120),
            "rows": st.column_config.TextColumn(alignment="right"),
            "took": st.column_config.TextColumn(alignment="right"),
        },
        alt="Runs, the newest first",
    )
    if event.selection.rows:
        run = runs[event.selection.rows[0]]
        if named != run.run_id:
            st.query_params["run"] = run.run_id
        return run
    if named in ids:  # it was picked, and now no more
        del st.query_params["run"]
        return None
    return history().run(named) if named else None


def show_run(run: Run, files: Sequence[RunFile], now: Now) -> None:
    """Show one run."""
    request = run.request
    row = st.container(horizontal=True, vertical_alignment="center")
    row.subheader(f"{state_words(run.state)} · run {plain(run.run_id)}")
    if request.source == "sample":
        show_synthetic(row)
    end = f", ended {when(run.finished_at)}" if run.finished_at else ""
    st.text(
        f"{files_in_words(len(files))} from {run.source_label} to "
        f"{TARGET_NAMES[request.target]}: {outcomes(files)}.\n"
        f"Begun {when(run.started_at)} by the {run.origin} (pid {run.pid}){end}."
    )
    if run.state == "interrupted":
        st.warning(interruption(files), icon=":material/warning:")
    figures = {
        "Took": duration(run.seconds),
        "Rows in the warehouse": count(sum(file.rows or 0 for file in files)),
        "Inserted": count(sum(file.inserted or 0 for file in files)),
        "Updated": count(sum(file.updated or 0 for file in files)),
        "Deleted": count(sum(file.deleted or 0 for file in files)),
        "Rejected": count(sum(file.rejected or 0 for file in files)),
        "Size of the files": size(sum(file.bytes or 0 for file in files)),
    }
    cost = total_cost(files)
    if cost:
        figures |= cost_figures(*cost)
    grid = st.grid("auto", min_column_width=150)
    for name, figure in figures.items():
        grid.metric(name, figure, help=explain("reject") if name == "Rejected" else None)
    show_actions(run, now)
    for file in files:
        if file.state == "failed":
            st.error(plain(file.reason), icon=":material/error:")
    steps = history().steps(run.run_id)
    if steps:
        st.subheader("Timeline")
        show_figure(timeline(run, steps), key="timeline", config={"displaylogo": False})
    show_run_charts(run)
    st.subheader("Files")
    st.dataframe(
        outcome_table(files),
        hide_index=True,
        key="files",
        height=table_height(len(files)),
        column_config={
            "file": st.column_config.TextColumn(width=190),
            "state": st.column_config.TextColumn(width=120),
            **{
                name: st.column_config.TextColumn(alignment="right")
                for name in ("rows", "inserted", "updated", "deleted", "unchanged", "rejected",
                             "size", "billed", "slot time", "took")
            },
            "why": st.column_config.TextColumn(width="large"),
        },
        alt="The files of the run",
    )  # fmt: skip
    st.subheader("Log")
    show_log(run, files, key="log")


def cost_figures(bytes_billed: int, slot_seconds: float) -> dict[str, str]:
    """Return what BigQuery charged for a run, by name, at the price in the settings."""
    settings = load_settings()
    rate = f"${settings.gcp_price_per_tib:g} per TiB ({settings.gcp_price_date})"
    dollars = price(bytes_billed, settings.gcp_price_per_tib)
    return {
        "Bytes billed": size(bytes_billed),
        "Slot time": duration(slot_seconds),
        f"At {plain(rate)}": f"${dollars:,.4f}",
    }


def show_actions(run: Run, now: Now) -> None:
    """Draw the label, Run again and Resume."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    key = f"label of {run.run_id}"
    row.text_input(
        "Label",
        value=run.label,
        key=key,
        max_chars=100,
        width=340,
        placeholder="What was this run for?",
        disabled=not may_change(),
        help=None if may_change() else ONLY_LOOKING,
        on_change=lambda: _set_label(run.run_id, st.session_state[key] or ""),
    )
    if change_button(
        row, "Run again", icon=":material/replay:", disabled=now.run is not None, key="again"
    ):
        propose("Run again", run.request)
    unfinished = None
    if run.state in ("interrupted", "cancelled", "failed"):
        with reported():
            unfinished = find_unfinished(run)
    if unfinished and change_button(
        row, "Resume", icon=":material/resume:", disabled=now.run is not None, key="resume"
    ):
        propose("Resume", unfinished)


def _set_label(run_id: str, label: str) -> None:
    if may_change():
        history().set_label(run_id, label)


def find_unfinished(run: Run) -> Request | None:
    """Return a request for the files that a run left, or None when there are none."""
    try:
        return resume_request(run.run_id, load_settings())
    except FaregroundError:
        return None


def propose(title: str, request: Request) -> None:
    """Show in a dialog what would run, and start it there."""

    @st.dialog(title, width="large")
    def show() -> None:
        with reported():
            plan = await_plan(request, look())
            show_plan_summary(plan)
            show_plan_files(plan, key="proposed plan")
            if not plan.to_run:
                st.caption("Nothing is left to run.")
            elif change_button(
                st, ":orange[:material/play_arrow: **Run**]", type="primary", key="run"
            ):
                start(plan)
                st.switch_page("pages/backfill.py", query_params=write_params(choice_of(request)))

    show()


live("Runs", show_page, beat=follow_theme)
