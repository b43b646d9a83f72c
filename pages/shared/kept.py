"""What is in the widgets of a page, kept while a session is on another page.

Streamlit keeps it too (`persist_state`), but forgets some of it when a click to another page cuts
the run of a page short.
"""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

_PAGE = "page of this session"
_ENTERED = "this page was gone to, and its widgets are not all drawn yet"
_KEPT = "what is in the widgets"


def enter(page: str) -> None:
    """Take note of the page that is about to be drawn."""
    if st.session_state.get(_PAGE) != page:
        st.session_state[_PAGE] = page
        st.session_state[_ENTERED] = True


def restore(names: Collection[str], *, emptied: bool = False) -> None:
    """Put back what `keep` kept, if the page was just gone to, or its widgets were emptied.

    To be called before the widgets of these keys are drawn.
    """
    if emptied or st.session_state.get(_ENTERED):
        kept = st.session_state.get(_KEPT, {})
        for name in names:
            if name in kept:
                st.session_state[name] = kept[name]


def keep(names: Collection[str]) -> None:
    """Keep what is in the widgets of these keys, which are drawn now."""
    state = st.session_state
    state.setdefault(_KEPT, {}).update({name: state[name] for name in names if name in state})
    state[_ENTERED] = False
