"""Declare the app's pages and draw what stands above each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import streamlit as st
from streamlit.navigation.page import Page

from pages.components.common.access import admit, can_view, show_person
from pages.components.common.messages import reported
from pages.components.common.params import unknown_names
from pages.components.common.target import pick_target
from pages.components.common.url_state import note_page
from pages.components.common.words import plain
from pipeline.core.redact import guard_output

_LOGO = Path(__file__).parents[1] / "logo.svg"
_NAVIGATED = "app.py has run in this session"
_UNKNOWN = "parameters of the address that no page knows"

_START = "backfill"
_PAGES = (
    ("backfill", "Backfill", ":material/download:"),
    ("preview", "Preview", ":material/search:"),
    ("explore", "Explore", ":material/monitoring:"),
    ("sql", "SQL", ":material/database:"),
    ("answers", "Answers", ":material/forum:"),
    ("runs", "Runs", ":material/history:"),
    ("setup", "Setup", ":material/settings:"),
)


def navigate_app() -> Page:
    """Draw what stands above the current page, and return the page to run."""
    guard_output()
    st.session_state[_NAVIGATED] = True
    page = _declare_pages("top" if can_view() else "hidden")
    st.set_page_config(page_title=f"{page.title} · Fareground")
    st.logo(_LOGO, size="large")
    note_page(page.title)
    admit()
    show_person()
    with reported():
        pick_target()
    _show_unknown_names(page.title)
    return page


def _show_unknown_names(title: str) -> None:
    """Say which parameters of the followed address no page knows, until another page is opened."""
    state = st.session_state
    noted: tuple[str, list[str]] = state.get(_UNKNOWN, ("", []))
    if noted[0] != title:
        noted = (title, [])
    # A page writes its address anew without them.
    noted = (title, [*dict.fromkeys([*noted[1], *unknown_names(st.query_params)])])
    state[_UNKNOWN] = noted
    if noted[1]:
        names = ", ".join(name[:40] for name in noted[1][:5])
        st.caption(f"The link has parameters that no page uses: {plain(names)}")


def _open_start() -> None:
    """Lead an address with the start page's own name to the start page, with its parameters."""
    st.switch_page(f"pages/{_START}.py", query_params=st.query_params.to_dict())


def require_app() -> None:
    """Start over with app.py if Streamlit has run a page without it; the first call of a page.

    A server whose very first visitor follows a link to a page does that. It would show Streamlit's
    own menu to everyone from then on.
    """
    if _NAVIGATED not in st.session_state:
        _declare_pages("hidden")
        st.rerun()


def _declare_pages(position: Literal["top", "hidden"]) -> Page:
    # Without app.py's page config a page's icon would be the browser tab's icon, and be fetched
    # from another machine.
    with_icons = position == "top"
    pages = [
        st.Page(
            f"pages/{name}.py",
            title=title,
            icon=icon if with_icons else None,
            default=name == _START,
            # The start page's address is /, and Streamlit would reserve /backfill for it as well.
            url_path="start" if name == _START else None,
        )
        for name, title, icon in _PAGES
    ]
    by_name = st.Page(_open_start, title="Backfill", url_path=_START, visibility="hidden")
    return st.navigation([*pages, by_name], position=position)
