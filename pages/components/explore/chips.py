"""Say how many trips are shown, and draw a chip for each filter and selection that removes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from pages.components.common.themed import is_phone
from pages.components.common.words import counted
from pages.components.explore.page_filters import ALL, PageFilters
from pages.components.explore.selections import clear_selection, describe_selection
from pipeline.charts import payment_name
from pipeline.charts.zones import Zones
from pipeline.core.datasets import DATASETS

_MAX_CHIPS = 5  # of one filter; more values share a chip


@dataclass(frozen=True)
class Chip:
    """A filter or selection as it is shown.

    Attributes:
        key: Identifies it among the chips.
        label: The filter in words.
        remove: Removes it, before the page is drawn again.
    """

    key: str
    label: str
    remove: Callable[[], None]


def show_chips(page_filters: PageFilters, zones: Zones, shown: int | None, loaded: int) -> None:
    """Draw the number of filtered trips, and a removable chip for each filter.

    Args:
        page_filters: The filters and selections.
        zones: The names of the zones.
        shown: The number of trips that they leave, or None if it was not counted.
        loaded: The number of all loaded trips.
    """
    row = st.container(horizontal=True, vertical_alignment="center", gap="small", key="chips")
    text = counted(loaded, "trip")
    if shown is not None:
        text = f"**{shown:,}** of {text}"
    place = row.container(width="content", height=40, border=False, vertical_alignment="center")
    place.markdown(text)
    chips = [*_filter_chips(page_filters, zones), *_selection_chips(page_filters, zones)]
    for chip in chips:
        row.button(
            chip.label,
            icon=":material/close:",
            key=f"clear-{chip.key}",
            on_click=chip.remove,
            help="Remove this filter",
        )
    if not page_filters.selections and not is_phone():
        row.caption("Click a bar, cell or zone, or drag over time, to filter the other charts.")


def _selection_chips(page_filters: PageFilters, zones: Zones) -> Iterator[Chip]:
    for cross_filter, selection in page_filters.selections.items():
        label = describe_selection(cross_filter, selection, zones)
        yield Chip(str(cross_filter), label, partial(clear_selection, cross_filter))


def _filter_chips(page_filters: PageFilters, zones: Zones) -> Iterator[Chip]:
    state, filters = st.session_state, page_filters.filters
    if len(state.taxi) not in (0, len(DATASETS)):
        label = " and ".join(DATASETS[name].word for name in state.taxi)
        yield Chip("taxi", label, partial(_set, "taxi", list(DATASETS)))
    if state.period != ALL:
        label = f"{filters.first} to {filters.last}"
        yield Chip("period", label, partial(_set, "period", ALL))
    if filters.payments:
        yield from _value_chips("payment", payment_name, "payments")
    yield from _value_chips("borough", str, "boroughs")
    yield from _value_chips("pickup", zones.name, "pickup zones")
    if filters.minimum_miles is not None:
        label = f"at least {float(filters.minimum_miles):g} miles"
        yield Chip("miles", label, partial(_set, "miles", None))
    if filters.strays:
        yield Chip("strays", "with strays", partial(_set, "strays", False))


def _value_chips(key: str, name: Callable[[Any], str], plural: str) -> Iterator[Chip]:
    values = st.session_state[key]
    if len(values) > _MAX_CHIPS:
        yield Chip(key, f"{len(values)} {plural}", partial(_set, key, []))
        return
    for value in values:
        rest = [other for other in values if other != value]
        yield Chip(f"{key}-{value}", name(value), partial(_set, key, rest))


def _set(key: str, value: Any) -> None:
    st.session_state[key] = value
