"""The one button of the Backfill page that starts a run."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.access import change_button
from pages.components.common.backfills import await_plan
from pages.components.common.messages import reported
from pages.components.common.plan_table import load_label
from pages.components.common.runs import Activity
from pages.components.common.sample_dialogs import start_or_confirm
from pipeline.runs.plan import Plan, Request

_SHOWN = "request of the plan that is shown"


def show_load_button(
    place: DeltaGenerator, activity: Activity, request: Request | None, plan: Plan | None
) -> None:
    """Draw the button that says what it will do, and start the run that a press asks for.

    Args:
        activity: What runs now: nothing, while the button can be seen.
        request: What is chosen; None if the choice is invalid.
        plan: The plan of `request`; None if there is none.
    """
    label = load_label(plan) if plan else "Load"
    ready = plan is not None and bool(plan.to_run)
    pressed = change_button(
        place,
        f":orange[:material/play_arrow: **{label}**]" if ready else label,
        type="primary",
        disabled=not ready,
        key="run",
        help=None if ready else "The line above says why there is nothing to load.",
    )
    shown = st.session_state.get(_SHOWN)
    if plan:
        st.session_state[_SHOWN] = request
    if not pressed or request is None or activity.run is not None:
        return
    # A click that arrives together with a change of the choice was made on the plan before.
    if shown != request:
        st.info("The choice has changed. Check its plan, then press the button again.")
        return
    with reported():
        start_or_confirm(await_plan(request, activity))
