"""The filters of the Explore page, all of them in its address; clicks in charts are `picks`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.choice import Params, is_news
from pages.shared.glossary import explain
from pages.shared.kept import keep, restore
from pages.shared.picker import keep_address, read_address, write_address
from pages.shared.picks import PICKS, fits, narrow
from pages.shared.words import plain
from pipeline.charts import GRAINS, NOT_RECORDED, PAYMENTS, Filters, payment_name
from pipeline.charts.zones import Zones
from pipeline.trips import Color, TripFile

_WIDGETS = ("taxi", "since", "until", "payment", "borough", "pickup", "miles", "strays", "by")
_PARAMS = (*_WIDGETS, "picture", *PICKS)  # of the page's address
_PAYMENT_CODES = [*PAYMENTS, NOT_RECORDED]
_PICTURES = ("png", "svg")
_FIRST, _LAST = date(2000, 1, 1), date(2099, 12, 31)
_MOST_MILES = 200.0


@dataclass(frozen=True)
class Chosen:
    """What the page shows: the filters of the widgets, what was clicked, and the periods' length.

    `picks` are by dimension (day, slot, paid, zone, way), as text; `grain` is one of GRAINS;
    `picture` is png or svg; `first` and `last` are the days that are charted.
    """

    filters: Filters
    picks: dict[str, str]
    grain: str
    picture: str
    first: date
    last: date

    def without(self, dimension: str = "") -> Filters:
        """Return the filters with all that was clicked, but for one dimension's own chart."""
        found = self.filters
        for name, pick in self.picks.items():
            if name != dimension:
                found = narrow(found, name, pick)
        return found


def loaded_days(files: Collection[TripFile]) -> tuple[date, date]:
    """Return the first and the last day of the months of these files."""
    first = min(file.month for file in files)
    last = max(file.month for file in files)
    return first.first_day, last.plus(1).first_day - timedelta(days=1)


def choose(files: Collection[TripFile], zones: Zones) -> Chosen:
    """Draw the filters, keep them the same as the page's address, and return what is chosen."""
    state = st.session_state
    known = state.setdefault("explored", [])
    address = read_address(_PARAMS if known else ())
    restore((*_WIDGETS, "picture"))
    if "taxi" not in state or is_news(address, known):
        state.misread = _adopt(address, zones)
        known[:] = [address]
    chosen = _draw(files, zones)
    if state.misread:
        st.caption(f"Not usable in this address, and left out: {plain(', '.join(state.misread))}.")
    keep((*_WIDGETS, "picture"))
    write_address(_write(), known, address)
    return chosen


def confirm_filters() -> None:
    """Keep the address of what is chosen; to be called every few seconds."""
    keep_address(st.session_state.get("explored", []), _PARAMS)


def _adopt(address: Params, zones: Zones) -> list[str]:
    """Put what an address says into the widgets; return what in it cannot be."""
    misread = []

    def take(name: str, read: Callable[[str], Any], allowed: Callable[[Any], bool]) -> list[Any]:
        found = []
        for text in address.get(name, []):
            try:
                value = read(text)
                if not allowed(value):
                    raise ValueError
                found.append(value)
            except (ValueError, ArithmeticError):
                misread.append(f"{name}={text[:40]}")
        return list(dict.fromkeys(found))

    def last(found: list[Any]) -> Any:
        return found[-1] if found else None

    state = st.session_state
    state.taxi = take("taxi", str, lambda name: name in list(Color)) or list(map(str, Color))
    state.since = last(take("since", date.fromisoformat, _in_range))
    state.until = last(take("until", date.fromisoformat, _in_range))
    state.payment = take("payment", int, lambda code: code in _PAYMENT_CODES)
    state.borough = take("borough", str, lambda name: name in zones.boroughs)
    state.pickup = take("pickup", int, lambda zone: zone in _numbers(zones))
    state.miles = last(take("miles", float, lambda miles: 0 <= miles <= _MOST_MILES))
    state.strays = bool(take("strays", str, lambda word: word == "yes"))
    state.by = last(take("by", str, lambda word: word in GRAINS)) or "auto"
    state.picture = last(take("picture", str, lambda word: word in _PICTURES)) or "png"
    state.picks = {
        name: pick for name in PICKS if (pick := last(take(name, str, partial(fits, name))))
    }
    return misread


def _write() -> Params:
    """Return the query parameters of a link to what is chosen; colors are always in it."""
    state = st.session_state
    params = {
        "taxi": list(state.taxi),
        "since": [str(state.since)] if state.since else [],
        "until": [str(state.until)] if state.until else [],
        "payment": list(map(str, state.payment)),
        "borough": list(state.get("borough", ())),
        "pickup": list(map(str, state.pickup)),
        "miles": [f"{state.miles:g}"] if state.miles else [],
        "strays": ["yes"] if state.strays else [],
        "by": [state.by] if state.by in GRAINS else [],
        "picture": ["svg"] if state.picture == "svg" else [],
        **{name: [pick] for name, pick in state.picks.items()},
    }
    return {name: values for name, values in params.items() if values}


def _in_range(day: date) -> bool:
    return _FIRST <= day <= _LAST


def _numbers(zones: Zones) -> list[int]:
    return sorted(zones.names) or list(range(1, 266))


def _draw(files: Collection[TripFile], zones: Zones) -> Chosen:
    with st.container(border=True):
        row = st.container(horizontal=True, vertical_alignment="bottom")
        colors = _place(row, 136).pills(
            "Colors",
            [color.value for color in Color],
            selection_mode="multi",
            format_func=lambda color: f":yellow[{color}]",
            key="taxi",
            persist_state="session",
        )
        chosen = tuple(Color(name) for name in colors) or tuple(Color)
        mine = [file for file in files if file.color in chosen] or list(files)
        first, last = loaded_days(mine)
        begin = _pick_day(row, "From", "since", f"Empty: {first}, the first day of what is loaded.")
        end = _pick_day(row, "To", "until", f"Empty: {last}, the last day of what is loaded.")
        payments = row.multiselect(
            "Payment",
            _PAYMENT_CODES,
            format_func=payment_name,
            key="payment",
            placeholder="all",
            width=170,
            persist_state="session",
        )
        numbers, boroughs = _pick_zones(row, zones)
        miles = _place(row, 144).number_input(
            "Miles, at least",
            min_value=0.0,
            max_value=_MOST_MILES,
            step=0.5,
            value=None,
            placeholder="any",
            key="miles",
            persist_state="session",
        )
        strays = _place(row, 104, 40).toggle(
            "Strays",
            key="strays",
            persist_state="session",
            help=f"Count strays, too. {explain('stray')}",
        )
    if not colors:
        st.caption("No color is picked, so both are shown.")
    if begin and end and begin > end:
        st.warning("The days run backwards, so all days are shown.", icon=":material/warning:")
        begin = end = None
    places = {*numbers, *zones.of_boroughs(tuple(boroughs))}
    filters = Filters(
        colors=chosen,
        # With strays, days that were not asked for would stretch the charts over decades.
        first=begin or (first if strays else None),
        last=end or (last if strays else None),
        payments=tuple(payments),
        zones=tuple(sorted(places)),
        minimum_miles=Decimal(str(miles)) if miles else None,
        strays=strays,
    )
    first, last = begin or first, end or last
    row = st.container(horizontal=True)
    with _place(row, 310):
        grain = _pick_grain(first, last)
    with _place(row, 130):
        picture = _pick_picture()
    return Chosen(filters, dict(st.session_state.picks), grain, picture, first, last)


def _pick_day(row: DeltaGenerator, label: str, key: str, help: str) -> date | None:
    return _place(row, 156).date_input(
        label,
        value=None,
        min_value=_FIRST,
        max_value=_LAST,
        format="YYYY-MM-DD",
        key=key,
        help=help,
        persist_state="session",
    )


def _place(row: DeltaGenerator, width: int, height: int = 72) -> DeltaGenerator:
    """Return a place of a fixed size, in pixels, for one widget: nothing moves when it is drawn."""
    return row.container(width=width, height=height, border=False, vertical_alignment="bottom")


def _pick_zones(row: DeltaGenerator, zones: Zones) -> tuple[list[int], list[str]]:
    boroughs: list[str] = []
    if zones.names:
        boroughs = row.multiselect(
            "Boroughs",
            zones.boroughs,
            key="borough",
            placeholder="all",
            width=176,
            persist_state="session",
        )
    numbers = row.multiselect(
        "Pickup zones",
        _numbers(zones),
        format_func=zones.name,
        key="pickup",
        placeholder="all",
        width=176,
        persist_state="session",
    )
    return numbers, boroughs


def _pick_grain(first: date, last: date) -> str:
    days = (last - first).days + 1
    usual = "day" if days <= 124 else "week" if days <= 800 else "month"
    found = st.segmented_control(
        "Periods",
        ["auto", *GRAINS],
        format_func=lambda word: f":yellow[{f'auto ({usual})' if word == 'auto' else word}]",
        key="by",
        required=True,
        persist_state="session",
    )
    return usual if found in (None, "auto") else found


def _pick_picture() -> str:
    return str(
        st.segmented_control(
            "Pictures as",
            _PICTURES,
            format_func=lambda kind: f":yellow[{kind.upper()}]",
            key="picture",
            required=True,
            help="What the camera in the corner of each chart saves.",
            persist_state="session",
        )
    )
