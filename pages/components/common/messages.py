"""Messages that all pages show in the same way: errors, and the badge of made-up trips."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.words import plain
from pipeline.core.errors import FaregroundError


def show_error(error: FaregroundError) -> None:
    """Show what happened and what to do about it."""
    st.error(f"{plain(error.problem)}  \n{plain(error.cure)}", icon=":material/error:")


@contextmanager
def reported() -> Iterator[None]:
    """Show a FaregroundError of the block as a message; the page goes on after the block."""
    try:
        yield
    except FaregroundError as error:
        show_error(error)


def show_synthetic(place: DeltaGenerator) -> None:
    """Say that the trips shown are made up. It stands wherever trips of the sample show."""
    place.badge("synthetic trips", icon=":material/science:", color="violet")
