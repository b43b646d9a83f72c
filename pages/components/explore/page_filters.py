"""What the Explore page is about: its filters, and how they stand in its address.

The values are in the session state, under the keys of the widgets of `filter_bar`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

import streamlit as st

from pages.components.common.params import describe_invalid
from pages.components.common.url_state import Params, UrlState
from pages.components.explore.metrics import METRICS
from pages.components.explore.origin import SYNTHETIC
from pipeline.charts import (
    GRAINS,
    NOT_RECORDED,
    PAYMENTS,
    CrossFilter,
    Filters,
    apply_selection,
    is_selection,
)
from pipeline.charts.catalog import Section
from pipeline.charts.zones import Zones
from pipeline.core.datasets import DATASETS
from pipeline.core.errors import UsageError
from pipeline.core.months import Month
from pipeline.core.trips import TripFile

ALL, LAST_MONTH, CUSTOM = "all", "last", "custom"  # periods; the others are years, such as "2020"
SECTIONS: dict[str, Section] = {"When": "when", "Where": "where", "Money": "money"}
"""The section of the chart catalog that each tab shows, by the tab's title."""

TABS = {
    # Streamlit's own color of an open tab is too light on white; this one is not.
    f":yellow[{title}]": title
    for title in (*SECTIONS, "Compare", "Data")
}
"""The title of each tab by its label, which is the value of the widget."""

IMAGE_FORMATS = ("png", "svg")
COMPARISONS = {
    "colors": "Taxis",
    "before": "Period before",
    "year": "Year earlier",
}
PAYMENT_CODES = [*PAYMENTS, NOT_RECORDED]
MAX_MILES = 200.0
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)

_DEFAULTS: dict[str, Any] = {
    "period": ALL,
    "days": None,
    "payment": [],
    "borough": [],
    "pickup": [],
    "miles": None,
    "strays": False,
    SYNTHETIC: False,
    "by": "auto",
    "picture": "png",
    "metric": "trips",
    "tab": next(iter(TABS)),
    "versus": "colors",
}
_PARAMS = (
    *("color", "from", "to", "payment", "borough", "pickup", "miles", "strays", SYNTHETIC, "by"),
    *("picture", "metric", "tab", "versus"),
)
PAGE_ADDRESS = UrlState(
    "the filters", (*_PARAMS, *CrossFilter), ("taxi", *_DEFAULTS), required=("taxi",)
)
# What "Reset" leaves as it is: how things are shown, not which trips.
_SHOWN = {SYNTHETIC, "by", "picture", "metric", "tab", "versus"}


@dataclass(frozen=True)
class PageFilters:
    """What the Explore page is about.

    Attributes:
        filters: The filters of the widgets.
        selections: What was clicked, by cross-filter.
        grain: The length of the periods of charts over time, one of GRAINS.
        metric: What the chart over time shows, one of METRICS.
        first: The first day that is charted.
        last: The last day that is charted.
        files: The loaded files of the datasets.
    """

    filters: Filters
    selections: Mapping[CrossFilter, str]
    grain: str
    metric: str
    first: date
    last: date
    files: frozenset[TripFile]

    def combine(self, leave_out: CrossFilter | None = None) -> Filters:
        """Return the filters narrowed to all selections, except that of one cross-filter."""
        filters = self.filters
        for cross_filter, selection in self.selections.items():
            if cross_filter != leave_out:
                filters = apply_selection(filters, cross_filter, selection)
        return filters


def loaded_days(files: Collection[TripFile]) -> tuple[date, date]:
    """Return the first and the last day of the months of these files."""
    first = min(file.month for file in files)
    last = max(file.month for file in files)
    return first.first_day, last.plus(1).first_day - timedelta(days=1)


def periods(files: Collection[TripFile]) -> dict[str, tuple[date, date] | None]:
    """Return the days of each period to choose; None for all days and for days of one's own."""
    first, last = loaded_days(files)
    years = range(last.year, first.year - 1, -1)
    return {
        ALL: None,
        LAST_MONTH: (Month(last.year, last.month).first_day, last),
        **{str(year): (date(year, 1, 1), date(year, 12, 31)) for year in years},
        CUSTOM: None,
    }


def chosen_days(files: Collection[TripFile]) -> tuple[date, date] | None:
    """Return the first and last day of the chosen period, or None for all days."""
    state = st.session_state
    days = state.days if state.period == CUSTOM else periods(files).get(state.period)
    return (days[0], days[1]) if days else None


def zone_numbers(zones: Zones) -> list[int]:
    """Return the zones to choose from."""
    return sorted(zones.names)


def reset_filters() -> None:
    """Set all filters to their defaults and clear all selections."""
    st.session_state.taxi = list(DATASETS)
    for key in _DEFAULTS.keys() - _SHOWN:
        st.session_state[key] = _copy(_DEFAULTS[key])
    st.session_state.selections = {}


def complete_state() -> None:
    """Give the keys that Streamlit dropped, since their widget was not drawn, their default."""
    for key, default in _DEFAULTS.items():
        if key not in st.session_state or (st.session_state[key] is None and default is not None):
            st.session_state[key] = _copy(default)


def _copy(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


@dataclass(frozen=True)
class Link:
    """What a link to the page asks for, without its invalid values.

    Attributes:
        values: The values of widgets, by key; empty or None for what the link does not name.
        since: The first day, if it names one.
        until: The last day, if it names one.
        selections: What it selects, by cross-filter.
        problems: A sentence for each invalid value.
    """

    values: Mapping[str, Any]
    since: date | None
    until: date | None
    selections: Mapping[CrossFilter, str]
    problems: list[str]


def read_link(address: Params, zones: Zones) -> Link:
    """Parse the query parameters of a link; report each invalid value as a sentence."""
    problems: list[str] = []

    def read(name: str, parse: Callable[[str], Any], allows: Callable[[Any], bool]) -> list[Any]:
        values = []
        for text in address.get(name, []):
            try:
                value = parse(text)
                if not allows(value):
                    raise ValueError
                values.append(value)
            except (ValueError, ArithmeticError, UsageError):
                problems.append(describe_invalid(name, text, "", "It is left out."))
        return list(dict.fromkeys(values))

    def last(values: list[Any]) -> Any:
        return values[-1] if values else None

    def among(name: str, words: Collection[str]) -> Any:
        return last(read(name, str, lambda word: word in words))

    values = {
        "payment": read("payment", int, lambda code: code in PAYMENT_CODES),
        "borough": read("borough", str, lambda name: name in zones.boroughs),
        "pickup": read("pickup", int, lambda zone: zone in zone_numbers(zones)),
        "miles": last(read("miles", float, lambda miles: 0 <= miles <= MAX_MILES)),
        "strays": among("strays", ("yes",)) == "yes",
        SYNTHETIC: among(SYNTHETIC, ("yes",)) == "yes",
        "by": among("by", GRAINS),
        "picture": among("picture", IMAGE_FORMATS),
        "metric": among("metric", METRICS),
        "tab": last(read("tab", _tab_label, TABS.__contains__)),
        "versus": among("versus", COMPARISONS),
        "taxi": read("color", str, lambda name: name in DATASETS),
    }
    since = last(read("from", partial(_parse_day, at_end=False), _is_in_range))
    until = last(read("to", partial(_parse_day, at_end=True), _is_in_range))
    if since and until and since > until:
        rule = f"it is before from={since}"
        problems.append(describe_invalid("to", str(until), rule, "All days are shown."))
        since = until = None
    selections = {
        cross_filter: last(read(cross_filter, str, partial(_is_known, cross_filter, zones=zones)))
        for cross_filter in CrossFilter
    }
    chosen = {name: selection for name, selection in selections.items() if selection}
    return Link(values, since, until, chosen, problems)


def adopt(address: Params, files: Collection[TripFile], zones: Zones) -> list[str]:
    """Set widgets and selections from a link; return a sentence for each invalid value."""
    link = read_link(address, zones)
    state = st.session_state
    state.taxi = link.values["taxi"] or list(DATASETS)
    for key, default in _DEFAULTS.items():
        state[key] = link.values.get(key) or _copy(default)
    start, end = loaded_days(files)
    since, until = link.since, link.until
    if since or until:
        days = since or min(start, until or start), until or max(end, since or end)
        names = [name for name, period in periods(files).items() if period == days]
        state.period, state.days = names[0] if names else CUSTOM, days
    state.selections = dict(link.selections)
    return link.problems


def _is_known(cross_filter: CrossFilter, text: str, zones: Zones) -> bool:
    """Return whether a text is a selection, and of payments and zones that exist."""
    if not is_selection(cross_filter, text):
        return False
    selected = apply_selection(Filters(), cross_filter, text)
    return set(selected.payments) <= set(PAYMENT_CODES) and (
        {*selected.zones, *selected.dropoffs} <= zones.names.keys()
    )


def _tab_label(text: str) -> str:
    """Return the label of the tab that a link names."""
    return f":yellow[{text.capitalize()}]"


def _parse_day(text: str, *, at_end: bool) -> date:
    """Return a day of a link; other pages link to months, which begin and end with a day."""
    if len(text) != len("2020-04"):
        return date.fromisoformat(text)
    month = Month.parse(text)
    return month.plus(1).first_day - timedelta(days=1) if at_end else month.first_day


def write_address(files: Collection[TripFile]) -> Params:
    """Return the parameters of a link to the page as it is; the datasets are always among them."""
    state, days = st.session_state, chosen_days(files)
    params = {
        "color": list(state.taxi),
        "from": [str(days[0])] if days else [],
        "to": [str(days[1])] if days else [],
        "payment": list(map(str, state.payment)),
        "borough": list(state.borough),
        "pickup": list(map(str, state.pickup)),
        "miles": [f"{state.miles:g}"] if state.miles else [],
        "strays": ["yes"] if state.strays else [],
        SYNTHETIC: ["yes"] if state[SYNTHETIC] else [],
        **{
            name: [TABS.get(state[name], state[name]).lower()]
            if state[name] not in (None, _DEFAULTS[name])
            else []
            for name in ("by", "picture", "metric", "tab", "versus")
        },
        **{str(name): [selection] for name, selection in state.selections.items()},
    }
    return {name: values for name, values in params.items() if values}


def _is_in_range(day: date) -> bool:
    return _FIRST_DAY <= day <= _LAST_DAY
