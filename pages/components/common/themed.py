"""Draw figures in the colors of the visitor's theme, light or dark."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import streamlit as st

from pages.components.common.drawing import FigureSpec, tinted, unchecked

_DRAWN_IN = "drawn in"  # the theme in which the charts of this session's page were drawn


def read_theme() -> str:
    """Return the theme of the visitor's browser, `light` or `dark`."""
    return st.context.theme.type or "light"


def is_phone() -> bool:
    """Return whether the visitor's browser says that it is that of a phone or a tablet.

    https://developer.mozilla.org/docs/Web/HTTP/Browser_detection_using_the_user_agent
    """
    agent = str(st.context.headers.get("User-Agent") or "")
    return "Mobi" in agent or "Android" in agent


def show_figure(
    figure: FigureSpec | go.Figure, drag: str | None = None, **options: Any
) -> FigureSpec:
    """Draw a figure of `make_figure` or `styled` in the theme's colors, and return it in these.

    Streamlit's own template would write on the axes in a gray of too little contrast.

    Args:
        figure: The figure.
        drag: What a drag over the figure does, as in Plotly's `dragmode`; None for nothing.
        options: The options of `st.plotly_chart`.
    """
    theme = st.session_state[_DRAWN_IN] = read_theme()
    colors = (st.get_option(f"theme.{theme}.{of}Color") for of in ("text", "background"))
    spec = figure.to_dict() if isinstance(figure, go.Figure) else figure
    drawn = tinted(spec, *colors)
    if drag:
        drawn["layout"]["dragmode"] = drag
    st.plotly_chart(unchecked(drawn), theme=None, **options)
    return drawn


def follow_theme() -> None:
    """Draw the page again if the visitor has changed the theme; to be called every few seconds."""
    theme = read_theme()
    if st.session_state.get(_DRAWN_IN, theme) != theme:
        st.empty()  # serves a click that came meanwhile, which `rerun` would lose
        st.session_state[_DRAWN_IN] = theme  # in case no chart is left to note it
        st.rerun()
