"""What was clicked in the charts of Explore: taken, shown, let go of, and made a filter."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import streamlit as st

from pages.shared.drawing import WEEKDAYS
from pipeline.charts import Filters, payment_name
from pipeline.charts.zones import Zones

# What a click on a chart can pick: name in the address, and what its value looks like.
PICKS = {
    "day": r"\d{4}-\d\d-\d\d/\d{4}-\d\d-\d\d",
    "slot": r"([0-6]|\*)/([01]?\d|2[0-3])",
    "paid": r"-?\d{1,2}",
    "zone": r"\d{1,4}",
    "way": r"\d{1,4}/\d{1,4}|\d{1,4}/\*|\*/\d{1,4}",
}


def fits(name: str, pick: str) -> bool:
    """Return whether a text is what a click of this dimension picks."""
    if not re.fullmatch(PICKS[name], pick):
        return False
    try:
        narrow(Filters(), name, pick)
    except ValueError:  # such as the 31st of June
        return False
    return True


def narrow(filters: Filters, name: str, pick: str) -> Filters:
    """Return the filters with a pick of this dimension; raises ValueError for what is no pick."""
    if name == "day":
        first, last = map(date.fromisoformat, pick.split("/"))
        return replace(
            filters,
            first=max(first, filters.first or first),
            last=min(last, filters.last or last),
        )
    if name == "slot":
        weekday, hour = pick.split("/")
        return replace(
            filters, weekdays=() if weekday == "*" else (int(weekday),), hours=(int(hour),)
        )
    if name == "paid":
        return replace(filters, payments=(int(pick),))
    if name == "way":  # * is anywhere
        start, end = pick.split("/")
        zones = filters.zones if start == "*" else (int(start),)
        return replace(filters, zones=zones, dropoffs=() if end == "*" else (int(end),))
    return replace(filters, zones=(int(pick),))


def take_pick(dimension: str, key: str) -> None:
    """Take what was clicked in the chart of this key, or let go of it after a second click."""
    points = st.session_state[key].selection.points
    pick = str(_custom(points[0]) if points else "")
    if fits(dimension, pick):
        st.session_state.picks[dimension] = pick
    else:
        st.session_state.picks.pop(dimension, None)


def _custom(point: dict[str, object]) -> object:
    found = point.get("customdata", "")
    return found[0] if isinstance(found, list) and found else found


def show_picks(picks: dict[str, str], zones: Zones) -> None:
    """Draw what was clicked, each with a button that lets go of it."""
    if not picks:
        st.caption("Click a bar, a square or a zone, and all other charts follow.")
        return
    row = st.container(horizontal=True, vertical_alignment="center")
    row.caption("Clicked:")
    for name, pick in picks.items():
        row.button(
            _pick_words(name, pick, zones),
            icon=":material/close:",
            key=f"drop-{name}",
            on_click=_drop,
            args=(name,),
            help="Let go of it",
        )


def _drop(name: str) -> None:
    st.session_state.picks.pop(name, None)
    # A chart of a new name has no bar selected.
    st.session_state.dropped = st.session_state.get("dropped", 0) + 1


def _pick_words(name: str, pick: str, zones: Zones) -> str:
    if name == "day":
        first, last = pick.split("/")
        return first if first == last else f"{first} to {last}"
    if name == "slot":
        weekday, hour = pick.split("/")
        days = "" if weekday == "*" else f"{WEEKDAYS[int(weekday)]}, "
        return f"{days}{int(hour):02}:00 to {int(hour):02}:59"
    if name == "paid":
        return payment_name(int(pick))
    if name == "way":
        return " → ".join(
            "anywhere" if end == "*" else zones.name(int(end)) for end in pick.split("/")
        )
    return zones.name(int(pick))
