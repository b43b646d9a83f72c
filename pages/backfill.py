"""The Backfill page: choose what to load, see its plan, load it, watch it, see what is loaded."""

from __future__ import annotations

import streamlit as st

from pages.components.backfill.buttons import show_load_button
from pages.components.backfill.choice_form import confirm_choice, pick_choice
from pages.components.backfill.lower_tabs import show_lower_tabs
from pages.components.backfill.months import show_months
from pages.components.backfill.outcome import show_outcome
from pages.components.backfill.progress import show_run
from pages.components.backfill.request import make_plan, to_request
from pages.components.backfill.welcome import show_welcome
from pages.components.common.backfills import read_ledger
from pages.components.common.frame import live_page
from pages.components.common.messages import reported
from pages.components.common.navigation import require_app
from pages.components.common.plan_table import show_plan_summary
from pages.components.common.runs import Activity
from pages.components.common.tour import follow_tour
from pipeline.runs.plan import Plan, Request

require_app()


def show_page(activity: Activity) -> None:
    """Draw everything below the title."""
    records, request, plan = None, None, None
    if activity.run is None:
        follow_tour(activity.ended)
    with reported():
        records = read_ledger(activity)
    if records == {} and activity.run is None and activity.ended is None:
        show_welcome(activity)
    choice = pick_choice(activity, records or {})
    with reported():
        request = to_request(choice, activity)
    if activity.run:
        show_run(activity)
    else:
        with reported():
            if request and records is not None:
                plan = make_plan(request, activity)
        any_loaded = any(record.loaded for record in (records or {}).values())
        show_plan(request, plan, activity, any_loaded=any_loaded)
    show_months(activity, records, request, plan)
    show_lower_tabs(activity, request, plan)


def show_plan(
    request: Request | None, plan: Plan | None, activity: Activity, *, any_loaded: bool
) -> None:
    """Draw the plan, the button that loads it, links to what is loaded, and the newest run."""
    if plan:
        show_plan_summary(plan)
    row = st.container(horizontal=True, vertical_alignment="center")
    if plan is None or not plan.is_loaded:
        show_load_button(row, activity, request, plan)
    if any_loaded:
        row.page_link("pages/explore.py", label="Open the charts", icon=":material/monitoring:")
    if activity.ended:
        show_outcome(row, activity.ended, request)


live_page("Backfill", show_page, heartbeat=confirm_choice)
