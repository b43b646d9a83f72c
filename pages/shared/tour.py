"""The first-run tour: the built-in sample, loaded by one click, from every page that is empty."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from pages.shared.choice import NEWCOMERS_CHOICE, write_params
from pages.shared.frame import Now, await_plan, reported, start
from pages.shared.people import change_button
from pages.shared.target import target
from pages.shared.words import files_in_words
from pipeline.run_records import Run

_TOUR = "the tour"


@dataclass
class Tour:
    """The tour of one session: the run that loads the sample, and whether it led to Explore."""

    run_id: str
    arrived: bool = False


def offer_sample(now: Now) -> None:
    """Draw the button that loads the sample and then leads to its charts.

    In Google Cloud, where a load costs money, it leads to the plan and its price instead.
    """
    choice = NEWCOMERS_CHOICE
    paid = target() == "gcp"
    files = len(choice.request().files())
    if not change_button(
        st,
        ":orange[:material/science: **Try it with the sample**]",
        type="primary",
        key="sample",
        disabled=now.run is not None,
        help=f"Shows the plan of {files_in_words(files)} and what it will cost."
        if paid
        else f"Loads {files_in_words(files)} of trips made up on this machine, {choice.first} to "
        f"{choice.last} of both colors, in a few seconds. Then their charts open.",
    ):
        return
    with reported():
        if not paid:
            request = replace(choice.request(), target=target())
            started = start(await_plan(request, now))
            st.session_state[_TOUR] = Tour(started.run_id)
        st.switch_page("pages/backfill.py", query_params=write_params(choice))


def keep_tour(page: str) -> None:
    """Let go of the tour when somebody opens a page, by its title, that is not on its way."""
    tour: Tour | None = st.session_state.get(_TOUR)
    if tour is not None and page != ("Explore" if tour.arrived else "Backfill"):
        del st.session_state[_TOUR]


def land(ended: Run | None) -> None:
    """Go on to Explore where the newest run that ended is the tour's and went well."""
    tour: Tour | None = st.session_state.get(_TOUR)
    if tour is None or ended is None or ended.run_id != tour.run_id:
        return
    if ended.state == "succeeded":
        tour.arrived = True
        st.switch_page("pages/explore.py")
    del st.session_state[_TOUR]


def show_arrival() -> None:
    """Say to somebody whom the tour led to Explore what happened, and what to look at next."""
    if _TOUR not in st.session_state:
        return
    with st.container(border=True):
        st.markdown(
            "**The sample is loaded, every trip once.** Its trips are made up; the charts below "
            "are drawn from them as they would be from real ones. Where to go from here:"
        )
        row = st.container(horizontal=True)
        row.page_link("pages/runs.py", label="How the load went", icon=":material/history:")
        row.page_link("pages/preview.py", label="Inside a file", icon=":material/search:")
        row.page_link("pages/answers.py", label="Ask about the trips", icon=":material/forum:")
        row.page_link("pages/backfill.py", label="Load real trips", icon=":material/download:")
