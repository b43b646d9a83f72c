"""The frame of every page: its title, the badges of runs, and when the page is drawn again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.messages import reported, show_error
from pages.components.common.runs import Activity, read_activity, scheduler
from pages.components.common.target import confirm_target, target_label
from pages.components.common.url_state import is_left, note_heartbeat
from pages.components.common.words import files_in_words
from pipeline.core.errors import FaregroundError
from pipeline.runs.run_records import GLYPHS

_RUNNING_SECONDS = 1.0
_IDLE_SECONDS = 3.0  # how soon an idle page notices a run that was started elsewhere


def live_page(
    title: str,
    draw: Callable[[Activity], None],
    heartbeat: Callable[[], object] = lambda: None,
    *,
    per_file: bool = False,
) -> None:
    """Draw a page: again every second while a backfill runs, otherwise once.

    The whole page is also drawn again when a run starts or ends, wherever it was started.

    Args:
        title: The title of the page.
        draw: Draws everything below the title.
        heartbeat: Called every few seconds; it draws nothing.
        per_file: Draw the page again only when a file of a run is finished, not every second.
    """
    try:
        scheduler()
        first = read_activity()
    except FaregroundError as error:
        st.title(title)
        show_error(error)
        st.page_link(
            "pages/setup.py", label="To the Setup page", icon=":material/settings:", width="content"
        )
        return
    with reported():
        if first.run is None or per_file:
            _draw(title, draw, first)

        is_heartbeat = False

        def watch() -> None:
            # A browser may ask for it once more after `st.switch_page`; to rerun then would lead
            # back to this page.
            if is_left(title):
                return
            if is_heartbeat:
                note_heartbeat()
            with reported():
                heartbeat()
                confirm_target()
                activity = read_activity()
                changed = (activity.mark, activity.elsewhere) != (first.mark, first.elsewhere)
                if changed or (per_file and activity.finished != first.finished):
                    st.empty()  # serves a click that came meanwhile, which `rerun` would lose
                    st.rerun()
                if activity.run is not None and not per_file:
                    _draw(title, draw, activity)

        st.fragment(run_every=_RUNNING_SECONDS if first.run else _IDLE_SECONDS)(watch)()
        is_heartbeat = True


def page_title(title: str, heartbeat: Callable[[], object] = lambda: None) -> None:
    """Draw the title of a page that is not drawn again by itself, and the badges beside it.

    For pages where people type or watch something of their own. Errors of the badges are not
    shown, because there is no room beside the title; the page itself shows the same ones.

    Args:
        title: The title of the page.
        heartbeat: Called every few seconds; it draws nothing.
    """
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    row.title(title, width="content")

    is_heartbeat = False

    def watch() -> None:
        if is_heartbeat:
            note_heartbeat()
        with suppress(FaregroundError):
            heartbeat()
            confirm_target()
            _show_badges(st.container(), read_activity())

    with row:
        st.fragment(run_every=_IDLE_SECONDS)(watch)()
    is_heartbeat = True


def _draw(title: str, draw: Callable[[Activity], None], activity: Activity) -> None:
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    row.title(title, width="content")
    _show_badges(row, activity)
    draw(activity)


def _show_badges(place: DeltaGenerator, activity: Activity) -> None:
    """Link to the running backfills, of this warehouse and of the other one."""
    if activity.run is not None:
        place.page_link(
            "pages/backfill.py",
            # Short enough to fit beside a title on a phone.
            label=f"{GLYPHS['running']} **Running:** {activity.finished:,} of "
            f"{files_in_words(activity.to_load)}",
            icon="",
            help="A backfill is on: to the Backfill page",
        )
    if activity.elsewhere is not None:
        other = activity.elsewhere.request.target
        place.page_link(
            "pages/backfill.py",
            label=f"{GLYPHS['running']} **Running in {target_label(other)}**",
            icon="",
            query_params={"target": other},
            help="A backfill of the other warehouse is on: to its Backfill page",
        )
