"""Ask an address that came by a link only after a click by somebody who may change things.

A link to a page may name any source. To show the plan or the preview of a web address, the server
sends requests to it: whoever made the link would choose whom our server asks, and a viewer would
look into its network. Addresses that an editor typed or confirmed are asked in that session.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.access import READ_ONLY, can_edit, change_button
from pages.components.common.choice import SOURCES
from pages.components.common.words import plain

_CONFIRMED = "addresses that may be asked"


def is_address(source: str) -> bool:
    """Return whether a source may be on another machine: a URL, or a network folder of Windows."""
    return re.match(r"(?i)https?:|file:/{4}|[\\/]{2}", source) is not None


def may_be_asked(source: str) -> bool:
    """Return whether this session may send requests to a source."""
    return not is_address(source) or (source in _confirmed() and can_edit())


def pick_source(
    place: DeltaGenerator, key: str, width: int, on_change: Callable[[], object] = lambda: None
) -> str:
    """Draw the choice of a source: a listed one, or a folder or URL that is typed.

    What is typed at the end of the text in the box replaces it, as in any of Streamlit's choices.
    Returns the source, "" while there is none. What is typed may be asked, as only people type.

    Args:
        on_change: Called after a person has chosen another source, before the page is drawn.
    """

    def confirm() -> None:
        confirm_address(str(st.session_state.get(key) or "").strip())
        on_change()

    source = place.selectbox(
        "Source, or type a folder or URL",
        source_options(key),
        format_func=lambda source: SOURCES.get(source, source),
        key=key,
        width=width,
        placeholder="/data/trips or https://host/trips",
        accept_new_options=True,
        filter_mode="contains",  # a folder that is nearly the name of a source is still a folder
        on_change=confirm,
        persist_state="session",
    )
    return str(source or "").strip()


def source_options(key: str) -> list[str]:
    """Return the options of a choice of a source: the listed ones, and what was typed there."""
    return list(dict.fromkeys([*SOURCES, str(st.session_state.get(key, "github"))]))


def confirm_address(source: str) -> None:
    """Let an address be asked in this session, if an editor is at it."""
    if can_edit():
        _confirmed().add(source)


def offer_to_ask(source: str) -> None:
    """Say that the server has not contacted the address of a link; draw the button that does."""
    st.info(
        f"The link to this page names the address {plain(source)}. This server has sent it nothing "
        "so far." + ("" if can_edit() else f" {READ_ONLY}"),
        icon=":material/link:",
    )
    change_button(
        st,
        "Ask this address",
        icon=":material/travel_explore:",
        key="ask address",
        on_click=lambda: confirm_address(source),
    )


def _confirmed() -> set[str]:
    addresses: set[str] = st.session_state.setdefault(_CONFIRMED, set())
    return addresses
