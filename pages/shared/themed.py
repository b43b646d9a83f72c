"""Charts in the colors of the page around them, whichever theme it is in."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import streamlit as st

from pages.shared.drawing import tinted

_DRAWN_IN = "drawn in"  # the theme that the charts of this session's page were drawn in


def read_theme() -> str:
    """Return the theme of the visitor's browser, `light` or `dark`."""
    return st.context.theme.type or "light"


def show_figure(figure: go.Figure, **options: Any) -> go.Figure:
    """Draw a figure of `drawing` in the theme's colors, and return it in these.

    Streamlit's own template would write on the axes in a gray of too little contrast.

    Args:
        options: Those of a Plotly chart.
    """
    theme = st.session_state[_DRAWN_IN] = read_theme()
    colors = (st.get_option(f"theme.{theme}.{of}Color") for of in ("text", "background"))
    drawn = tinted(figure, *colors)
    st.plotly_chart(drawn, theme=None, **options)
    return drawn


def follow_theme() -> None:
    """Draw the page anew in a theme just picked; to be called every few seconds."""
    theme = read_theme()
    if st.session_state.get(_DRAWN_IN, theme) != theme:
        st.empty()  # a click that came meanwhile goes first: `rerun` would lose it
        st.session_state[_DRAWN_IN] = theme  # there may be no chart on the page any more
        st.rerun()
