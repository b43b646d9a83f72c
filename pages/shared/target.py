"""Which warehouse the pages are about: one control for all of them, kept in their addresses."""

from __future__ import annotations

import streamlit as st

from pages.shared.choice import Params, is_news
from pages.shared.glossary import explain
from pipeline.errors import FaregroundError
from pipeline.settings import load_settings
from pipeline.warehouse import TARGETS
from pipeline.warehouse.google_place import read_place

TARGET_NAMES = {"local": "Local", "gcp": "Google Cloud"}

_KEY = "target"  # of the control, and in the address
_CHOSEN = "the warehouse of the pages"
_ADDRESSES = "addresses of the target"
_HEIGHT, _LINK = 32, 176  # pixels: of the control, and the width of the way to it


def target() -> str:
    """Return the warehouse the pages are about: local or gcp."""
    return str(st.session_state.get(_CHOSEN, "local"))


def is_cloud_ready() -> bool:
    """Whether the settings name a Google Cloud warehouse that could be."""
    try:
        read_place(load_settings())
    except FaregroundError:
        return False
    return True


def pick_target() -> None:
    """Draw the choice of the warehouse, above the page; without Google Cloud, the way to it."""
    state = st.session_state
    ready = is_cloud_ready()
    if not ready and st.query_params.get(_KEY) == "gcp":
        st.markdown(
            ":material/cloud_off: This link is about Google Cloud, which is not set up here. "
            "The local warehouse is shown."
        )
    # Of a fixed size, so that what comes below and beside does not move when it is drawn.
    row = st.container(
        horizontal=True,
        horizontal_alignment="right",
        vertical_alignment="center",
        height=_HEIGHT,
        border=False,
    )
    if not ready:
        state[_CHOSEN] = "local"
        row.page_link(
            "pages/setup.py", label="Set up Google Cloud", icon=":material/cloud:", width=_LINK
        )
        return
    address, known = read_target_address(), state.setdefault(_ADDRESSES, [])
    if is_news(address, known):
        known[:] = [address]
        wanted = address[_KEY][-1]
        state[_KEY] = wanted if wanted in TARGETS else "local"
    row.caption("Warehouse", width="content", help=explain("warehouse"))
    chosen = row.segmented_control(
        "Warehouse",
        list(TARGETS),
        format_func=lambda name: f":yellow[{TARGET_NAMES[name]}]",
        key=_KEY,
        default=None if _KEY in state else "local",
        required=True,
        label_visibility="collapsed",
    )
    # None: hasty clicks from page to page can empty a widget.
    state[_CHOSEN] = str(chosen or target())
    _write_address(target(), known)


def read_target_address() -> Params:
    """Return what the page's address says of the warehouse, as query parameters."""
    values = st.query_params.get_all(_KEY)
    return {_KEY: values} if values else {}


def confirm_target() -> None:
    """Take note of the newest address that the browser has got; write it again if it lost it."""
    address, known = read_target_address(), st.session_state.get(_ADDRESSES, [])
    is_news(address, known)
    if known and not address:
        _write_address(known[-1][_KEY][-1], known)


def _write_address(chosen: str, known: list[Params]) -> None:
    params = {_KEY: [chosen]}
    if read_target_address() != params:
        st.query_params[_KEY] = chosen
    if known[-1:] != [params]:
        known.append(params)
