"""The tabs below the months: files, how a load works, the log, and the command."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.components.backfill.explain_panel import show_explain_plan
from pages.components.backfill.progress import show_progress_table
from pages.components.common.choice import command_line
from pages.components.common.plan_table import show_plan_files
from pages.components.common.run_log import show_log
from pages.components.common.runs import Activity, files_of
from pages.components.common.tab_param import TabParam
from pipeline.runs.plan import Plan, Request
from pipeline.runs.run_records import Run

LOWER_TABS = TabParam(
    "lower tab", {"files": "Files", "how": "How it loads", "log": "Log", "command": "Command"}
)


def show_lower_tabs(activity: Activity, request: Request | None, plan: Plan | None) -> None:
    """Draw the tabs that have something to show; only the open one is drawn.

    Args:
        activity: What runs now, and what ran last.
        request: What is chosen; None if the choice is invalid.
        plan: The plan of `request`; None while something runs, or if there is none.
    """
    contents: dict[str, Callable[[], object]] = {}
    run = activity.run or activity.ended
    if activity.run:
        contents["files"] = lambda: show_progress_table(activity)
    elif plan:
        contents["files"] = lambda: show_plan_files(plan, key="plan")
    if plan:
        contents["how"] = lambda: show_explain_plan(plan)
    if run:
        contents["log"] = lambda: _show_log(run)
    if request:
        contents["command"] = lambda: _show_command(request)
    if contents:
        LOWER_TABS.draw(contents)


def _show_log(run: Run) -> None:
    st.caption(f"Run {run.run_id}, {'running' if run.state == 'running' else 'the newest'}")
    show_log(run, files_of(run), key="log")


def _show_command(request: Request) -> None:
    st.caption("The same load on the command line")
    st.code(command_line(request), language="shell", wrap_lines=True)
