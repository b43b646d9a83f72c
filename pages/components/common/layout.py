"""Sizes and places of widgets and tables, so that nothing on a page moves while it is drawn."""

from __future__ import annotations

from streamlit.delta_generator import DeltaGenerator

# Pixels, as Streamlit draws them.
_BOX_WITH_LABEL = 68
_LABEL = 28  # with the gap between it and its box
_TABLE_ROW = 35
_TABLE_BORDER = 2

_TABLE_ROWS = 10  # a longer table scrolls


def table_height(rows: int) -> int:
    """Return the height in pixels of a table with so many rows; a longer one scrolls.

    A height that is given beforehand keeps what is below in its place when the table is drawn.
    """
    return _TABLE_ROW * (min(rows, _TABLE_ROWS) + 1) + _TABLE_BORDER


def keep_room(row: DeltaGenerator) -> DeltaGenerator:
    """Return a row that has the height of a box with its label before anything is in it."""
    outer = row.container(horizontal=True, width="content", gap=None)
    inner = outer.container(horizontal=True, width="content")
    outer.container(width=1, height=_BOX_WITH_LABEL, border=False)
    return inner


def below_label(row: DeltaGenerator) -> DeltaGenerator:
    """Return a place in a row for a widget without a label, in line with boxes that have one."""
    outer = row.container(width="content", gap=None)
    outer.container(width=1, height=_LABEL, border=False)
    return outer
