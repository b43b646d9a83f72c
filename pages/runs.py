"""The Runs page: the history of runs with one run in detail, schedules, and speed."""

from __future__ import annotations

import streamlit as st

from pages.components.common.frame import live_page
from pages.components.common.messages import reported
from pages.components.common.navigation import require_app
from pages.components.common.runs import Activity, files_of, history
from pages.components.common.tab_param import TabParam
from pages.components.common.target import target, target_label
from pages.components.common.themed import follow_theme
from pages.components.common.tour import offer_sample
from pages.components.common.url_state import UrlState
from pages.components.runs.history_table import read_linked_run, select_run
from pages.components.runs.run_charts import show_run_charts
from pages.components.runs.run_details import show_run
from pages.components.runs.schedules import show_schedules

require_app()

MOST_RUNS = 100
_TABS = TabParam("runs tab", {"history": "History", "schedules": "Schedules", "speed": "Speed"})
_URL = UrlState("the runs", params=("run", "tab"), widgets=(_TABS.key,))


def show_page(activity: Activity) -> None:
    """Draw everything below the title; of the tabs only the open one."""
    _URL.load(_TABS.adopt)
    _URL.show_problems()
    _TABS.draw(
        {
            "history": lambda: _show_history(activity),
            "schedules": lambda: show_schedules(activity),
            "speed": _show_speed,
        }
    )
    run = st.query_params.get_all("run")[-1:]
    _URL.save(({"run": run} if run else {}) | _TABS.params())


def _show_history(activity: Activity) -> None:
    runs = history().runs(MOST_RUNS, target())
    if not runs:
        read_linked_run()
        show_empty(activity)
        return
    files = {run.run_id: files_of(run) for run in runs}
    with reported():
        run = select_run(runs, files)
        if run is None:
            st.caption("Click a run to see its files, timeline and log.")
        else:
            show_run(run, files_of(run), activity)


def _show_speed() -> None:
    with reported():
        show_run_charts(None)


def show_empty(activity: Activity) -> None:
    """Say that nothing has run yet, and offer the sample."""
    with st.container(border=True):
        st.markdown(
            f"**No run yet in the warehouse {target_label(target())}.** This page lists each "
            "backfill with its files, timeline and log."
        )
        offer_sample(activity)


def keep_up() -> None:
    """Keep the page's address, and draw the charts again when the theme changes."""
    _URL.confirm()
    follow_theme()


live_page("Runs", show_page, heartbeat=keep_up)
