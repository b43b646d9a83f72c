"""The first-run tour: one click on an empty page loads the sample and leads to its charts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from pages.components.common.access import change_button
from pages.components.common.backfills import await_plan, start_backfill
from pages.components.common.choice import NEWCOMERS_CHOICE, Choice, write_params
from pages.components.common.messages import reported
from pages.components.common.runs import Activity
from pages.components.common.target import backend, target
from pages.components.common.words import files_in_words
from pipeline.runs.run_records import Run

_TOUR = "the tour"


@dataclass
class Tour:
    """The tour of one session.

    Attributes:
        run_id: The run that loads the sample.
        arrived: Whether the tour has led to the Explore page.
    """

    run_id: str
    arrived: bool = False


def offer_sample(activity: Activity, *, is_main: bool = True) -> None:
    """Draw the button that loads the sample and then leads to its charts.

    Where a load costs money, it leads to the plan and its price instead.

    Args:
        activity: What runs now; while anything does, the button is disabled.
        is_main: Whether it is the main button of its page. A page has one.
    """
    choice = NEWCOMERS_CHOICE
    paid = backend().is_billed
    files = len(choice.request().files())
    if not change_button(
        st,
        ":orange[:material/science: **Try it with the sample**]"
        if is_main
        else ":material/science: Try it with the sample",
        type="primary" if is_main else "secondary",
        key="sample",
        disabled=activity.run is not None,
        help=f"Shows the plan of {files_in_words(files)} and its cost."
        if paid
        else f"Loads {files_in_words(files)} of synthetic trips, {choice.first} to {choice.last}, "
        "in a few seconds. Then opens their charts.",
    ):
        return
    with reported():
        if not paid:
            request = replace(choice.request(), target=target())
            backfill = start_backfill(await_plan(request, activity))
            st.session_state[_TOUR] = Tour(backfill.run_id)
        st.switch_page("pages/backfill.py", query_params=write_params(choice))


def keep_tour(page: str) -> None:
    """End the tour when a page that is not on its way is opened.

    Args:
        page: The title of the page that is opened.
    """
    tour: Tour | None = st.session_state.get(_TOUR)
    if tour is not None and page != ("Explore" if tour.arrived else "Backfill"):
        del st.session_state[_TOUR]


def follow_tour(ended: Run | None) -> None:
    """Go on to Explore if the tour's run has just succeeded; end the tour if it has not.

    Args:
        ended: The newest run that has ended.
    """
    tour: Tour | None = st.session_state.get(_TOUR)
    if tour is None or ended is None or ended.run_id != tour.run_id:
        return
    if ended.state == "succeeded":
        tour.arrived = True
        st.switch_page("pages/explore.py")
    del st.session_state[_TOUR]


def show_arrival() -> None:
    """Say on Explore, after the tour, what was loaded and where to go from here."""
    if _TOUR not in st.session_state:
        return
    with st.container(border=True):
        row = st.container(horizontal=True, vertical_alignment="center")
        row.markdown("**The sample is loaded.** Next:", width="content")
        row.page_link("pages/runs.py", label="Open the run", icon=":material/history:")
        row.page_link("pages/preview.py", label="Preview a file", icon=":material/search:")
        row.page_link("pages/answers.py", label="Ask about the trips", icon=":material/forum:")
        row.page_link(
            "pages/backfill.py",
            label="Load real trips",
            icon=":material/download:",
            query_params=write_params(Choice()),
        )
