"""Rows of widgets, some with a label above and some without, that stand in line."""

from __future__ import annotations

from streamlit.delta_generator import DeltaGenerator

_BOX_WITH_LABEL = 68  # pixels, as Streamlit draws a selectbox
_LABEL = 28  # of those, with what is between it and the box


def keep_room(row: DeltaGenerator) -> DeltaGenerator:
    """Return a row as high from the start as a box with its label, so that nothing below moves."""
    outer = row.container(horizontal=True, width="content", gap=None)
    inner = outer.container(horizontal=True, width="content")
    outer.container(width=1, height=_BOX_WITH_LABEL, border=False)
    return inner


def below_label(row: DeltaGenerator) -> DeltaGenerator:
    """Return a place in a row for what has no label, as far down as the boxes that have one."""
    outer = row.container(width="content", gap=None)
    outer.container(width=1, height=_LABEL, border=False)
    return outer
