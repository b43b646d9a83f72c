"""The control above all pages that picks the warehouse they show; its value is in their address."""

from __future__ import annotations

import streamlit as st

from pages.components.common.glossary import explain
from pages.components.common.params import describe_invalid
from pages.components.common.url_state import Params, UrlState
from pages.components.common.words import plain
from pipeline.core.datasets import either_of
from pipeline.core.errors import FaregroundError
from pipeline.core.settings.settings import load_settings
from pipeline.warehouse import Backend
from pipeline.warehouse.registry import DEFAULT_TARGET, all_backends, find_backend

_KEY = "target"  # of the control, and in the address
_CHOSEN = "the warehouse of the pages"
_URL = UrlState("the target", params=(_KEY,))
_HEIGHT, _LINK_WIDTH = 32, 176  # pixels: of the control, and of the link in its place


def target() -> str:
    """Return the name of the target whose warehouse the pages show."""
    return str(st.session_state.get(_CHOSEN, DEFAULT_TARGET))


def backend() -> Backend:
    """Return the backend of the warehouse that the pages show."""
    return find_backend(target())


def target_label(name: str) -> str:
    """Return the name of a target for people."""
    return find_backend(name).label


def pick_target() -> None:
    """Draw the control where there is a choice, and a link to set up a target that is not."""
    state = st.session_state
    configured, missing = _configured_backends()
    wanted = st.query_params.get(_KEY)
    names_of_all = [candidate.name for candidate in (*configured, *missing)]
    if wanted is not None and wanted not in names_of_all:
        st.markdown(
            ":material/link_off: "
            + plain(
                describe_invalid(
                    _KEY,
                    wanted,
                    f"use {either_of(names_of_all)}",
                    f"The {target_label(target())} warehouse is shown.",
                )
            )
        )
    if unavailable := next((candidate for candidate in missing if candidate.name == wanted), None):
        st.markdown(
            f":material/cloud_off: This link is about {unavailable.label}, which is not set up "
            "here. The local warehouse is shown."
        )
    # A fixed size, so that nothing below and beside moves when the control is drawn.
    row = st.container(
        horizontal=True,
        horizontal_alignment="right",
        vertical_alignment="center",
        height=_HEIGHT,
        border=False,
    )
    if missing:
        row.page_link(
            "pages/setup.py",
            label=f"Set up {missing[0].label}",
            icon=":material/cloud:",
            width=_LINK_WIDTH,
        )
    if len(configured) == 1:
        state[_CHOSEN] = DEFAULT_TARGET
        return
    names = [candidate.name for candidate in configured]
    _URL.load(_adopt)
    if state.get(_KEY, DEFAULT_TARGET) not in (None, *names):
        state[_KEY] = DEFAULT_TARGET
    row.caption("Warehouse", width="content", help=explain("warehouse"))
    selected = row.segmented_control(
        "Warehouse",
        names,
        format_func=lambda name: f":yellow[{target_label(name)}]",
        key=_KEY,
        default=None if _KEY in state else DEFAULT_TARGET,
        required=True,
        label_visibility="collapsed",
    )
    # Quick clicks from page to page can empty a widget.
    state[_CHOSEN] = str(selected or target())
    _URL.save({_KEY: [target()]})


def confirm_target() -> None:
    """Keep the target in the page's address; to be called every few seconds."""
    _URL.confirm()


def _adopt(link: Params) -> None:
    """Put the target of a link into the control."""
    st.session_state[_KEY] = link.get(_KEY, [target()])[-1]


def _configured_backends() -> tuple[list[Backend], list[Backend]]:
    """Return the backends that the settings name a warehouse of, and the others."""
    try:
        settings = load_settings()
    except FaregroundError:  # every page says what is wrong with the settings
        settings = None
    configured: list[Backend] = []
    missing: list[Backend] = []
    for candidate in all_backends():
        usable = candidate.name == DEFAULT_TARGET or (
            settings and candidate.is_configured(settings)
        )
        (configured if usable else missing).append(candidate)
    return configured, missing
