"""Take selections: what was clicked in the charts of the Explore page.

They are in the session state, by cross-filter, and in the page's address (see `page_filters`).
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pages.components.common.drawing import WEEKDAYS
from pipeline.charts import CrossFilter, is_selection, payment_name
from pipeline.charts.zones import Zones

_CLEARED = "how often a selection was cleared"


def chart_key(name: str) -> str:
    """Return the key of a chart's element; it changes when a selection is cleared.

    Under a new key the browser draws the chart without a selected point.
    """
    return f"{name}-{st.session_state.get(_CLEARED, 0)}"


def take_selection(cross_filter: CrossFilter, key: str) -> None:
    """Set the selection to what was clicked; a second click on it clears the selection.

    Args:
        cross_filter: What a click on the chart selects. Days are selected by a drag over several
            periods, too.
        key: The key of the chart's element.
    """
    points = [str(_customdata(point)) for point in st.session_state[key].selection.points]
    points = [point for point in points if is_selection(cross_filter, point)]
    if not points:
        st.session_state.selections.pop(cross_filter, None)
    elif cross_filter == CrossFilter.DAYS:
        first = min(point.split("/")[0] for point in points)
        last = max(point.split("/")[1] for point in points)
        st.session_state.selections[cross_filter] = f"{first}/{last}"
    else:
        st.session_state.selections[cross_filter] = points[0]


def _customdata(point: Mapping[str, object]) -> object:
    value = point.get("customdata", "")
    return value[0] if isinstance(value, list) and value else value


def clear_selection(cross_filter: CrossFilter) -> None:
    """Clear the selection of a cross-filter, in the charts too."""
    st.session_state.selections.pop(cross_filter, None)
    redraw_charts()


def redraw_charts() -> None:
    """Have the browser draw all charts anew, without a selected point."""
    st.session_state[_CLEARED] = st.session_state.get(_CLEARED, 0) + 1


def describe_selection(cross_filter: CrossFilter, selection: str, zones: Zones) -> str:
    """Return a selection in words."""
    match cross_filter:
        case CrossFilter.DAYS:
            first, last = selection.split("/")
            return first if first == last else f"{first} to {last}"
        case CrossFilter.HOUR:
            weekday, hour = selection.split("/")
            day = "" if weekday == "*" else f"{WEEKDAYS[int(weekday)]}, "
            return f"{day}{int(hour):02}:00 to {int(hour):02}:59"
        case CrossFilter.PAYMENT:
            return payment_name(int(selection))
        case CrossFilter.ZONE:
            return zones.name(int(selection))
        case CrossFilter.ROUTE:
            ends = selection.split("/")
            return " → ".join("anywhere" if end == "*" else zones.name(int(end)) for end in ends)
