"""What can be done with a run: label it, and cancel, retry, continue or repeat it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.components.common.access import READ_ONLY, can_edit, change_button
from pages.components.common.backfills import await_plan, show_cancel, start_backfill
from pages.components.common.choice import choice_of, write_params
from pages.components.common.messages import reported
from pages.components.common.plan_table import load_label, show_plan_files, show_plan_summary
from pages.components.common.runs import Activity, history, read_activity
from pages.components.common.words import files_in_words
from pipeline.core.settings.settings import load_settings
from pipeline.runs.backfill import find_unfinished
from pipeline.runs.plan import Request
from pipeline.runs.run_records import Run, RunFile


def show_actions(run: Run, files: Sequence[RunFile], activity: Activity) -> None:
    """Draw the label of a run, and the button that cancels, retries, continues or repeats it."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    key = f"label of {run.run_id}"
    row.text_input(
        "Label",
        value=run.label,
        key=key,
        max_chars=100,
        width=340,
        placeholder="What was this run for?",
        disabled=not can_edit(),
        help=None if can_edit() else READ_ONLY,
        on_change=lambda: _set_label(run.run_id, st.session_state[key] or ""),
    )
    if activity.run is not None and activity.run.run_id == run.run_id:
        show_cancel(row, activity)
        return
    if run.is_removal:
        return
    unfinished = find_unfinished(run, load_settings())
    request = unfinished or run.request
    label = _label(unfinished, files)
    if change_button(
        row,
        label,
        icon=":material/replay:",
        disabled=activity.run is not None,
        key="again",
        help="Shows the plan first.",
    ):
        _propose(label, request)


def _label(unfinished: Request | None, files: Sequence[RunFile]) -> str:
    if unfinished is None:
        return "Run again"
    left = unfinished.files()
    failed = {file.file for file in files if file.state == "failed"}
    if failed.issuperset(left):
        return f"Retry {len(left):,} failed"
    return f"Continue: {files_in_words(len(left))} left"


def _set_label(run_id: str, label: str) -> None:
    if can_edit():
        history().set_label(run_id, label)


def _propose(title: str, request: Request) -> None:
    """Show the plan of a request in a dialog, with a button that runs it."""

    @st.dialog(title, width="large")
    def show() -> None:
        with reported():
            plan = await_plan(request, read_activity())
            show_plan_summary(plan)
            show_plan_files(plan, key="proposed plan")
            if not plan.to_run:
                st.page_link(
                    "pages/explore.py", label="Open the charts", icon=":material/monitoring:"
                )
            elif change_button(
                st,
                f":orange[:material/play_arrow: **{load_label(plan)}**]",
                type="primary",
                key="run",
            ):
                # The summary above says what is replaced.
                start_backfill(plan, replace_real=True)
                st.switch_page("pages/backfill.py", query_params=write_params(choice_of(request)))

    show()
