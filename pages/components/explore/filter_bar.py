"""Draw the row of filters of the Explore page: taxis, period, more filters, reset and a link."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.glossary import explain
from pages.components.common.words import dataset_label
from pages.components.explore.metrics import METRICS
from pages.components.explore.origin import choose_origin
from pages.components.explore.page_filters import (
    ALL,
    CUSTOM,
    LAST_MONTH,
    MAX_MILES,
    PAGE_ADDRESS,
    PAYMENT_CODES,
    PageFilters,
    adopt,
    chosen_days,
    complete_state,
    loaded_days,
    periods,
    reset_filters,
    write_address,
    zone_numbers,
)
from pipeline.charts import GRAINS, Filters, payment_name
from pipeline.charts.zones import Zones
from pipeline.core.datasets import DATASETS, Dataset, find_dataset
from pipeline.core.trips import TripFile
from pipeline.warehouse.ledger import LedgerEntry


def show_filter_bar(loaded: Mapping[TripFile, LedgerEntry], zones: Zones) -> PageFilters:
    """Draw the filters, keep them the same as the page's address, and return them.

    Args:
        loaded: The ledger entries of the files that are loaded; at least one.
        zones: The zones to choose from.
    """
    PAGE_ADDRESS.load(partial(adopt, files=loaded, zones=zones))
    complete_state()
    left_out = choose_origin(loaded)
    files = [file for file in loaded if file not in left_out]
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    chosen = tuple(map(find_dataset, _draw_datasets(row) or DATASETS))
    chosen_files = [file for file in files if file.dataset in chosen] or list(files)
    # Only those that are loaded: charts of what these lack are left out.
    datasets = tuple(d for d in chosen if any(file.dataset == d for file in chosen_files)) or chosen
    days = _draw_period(row, chosen_files)
    start, end = loaded_days(chosen_files)
    first, last = (max(days[0], start), min(days[1], end)) if days else (start, end)
    if first > last and days:  # days without anything loaded
        first, last = days
    more = _slot(row, 148, 42).popover(
        "More filters", icon=":material/tune:", key="more-filters", width="stretch"
    )
    filters, grain = _draw_more(more, datasets, zones, days, (start, end))
    _slot(row, 100, 42).button(
        "Reset",
        icon=":material/restart_alt:",
        key="reset",
        on_click=reset_filters,
        width="stretch",
        help="Clear all filters and selections",
    )
    share = _slot(row, 112, 42).popover(
        "Share", icon=":material/link:", key="share", on_change="rerun", width="stretch"
    )
    PAGE_ADDRESS.show_problems()
    params = write_address(files)
    PAGE_ADDRESS.save(params)
    if share.open:
        share.caption("This link opens the page with the same filters.")
        base = str(st.context.url or "").split("?")[0]
        share.code(f"{base}?{urlencode(params, doseq=True)}", language=None, wrap_lines=True)
    if not METRICS[st.session_state.metric].suits(datasets):
        st.session_state.metric = "trips"
    return PageFilters(
        replace(filters, left_out=left_out),
        dict(st.session_state.selections),
        grain,
        st.session_state.metric,
        first,
        last,
        frozenset(chosen_files),
    )


def confirm_filters() -> None:
    """Write the filters into the page's address again if the browser lost them."""
    PAGE_ADDRESS.confirm()


def _slot(row: DeltaGenerator, width: int, height: int = 72) -> DeltaGenerator:
    """Return a slot of a fixed size, in pixels, so that nothing moves when a widget is drawn."""
    return row.container(width=width, height=height, border=False, vertical_alignment="bottom")


def _draw_datasets(row: DeltaGenerator) -> list[str]:
    return _slot(row, 212).pills(
        "Taxis",
        list(DATASETS),
        selection_mode="multi",
        format_func=dataset_label,
        key="taxi",
        help="Without a choice all are shown.",
        persist_state="session",
    )


def _draw_period(row: DeltaGenerator, files: Collection[TripFile]) -> tuple[date, date] | None:
    """Draw the choice of a period and return its days, or None for all days."""
    state, options = st.session_state, periods(files)
    if state.period not in options:
        state.period = ALL
    start, end = loaded_days(files)
    labels = {ALL: "All", LAST_MONTH: f"Last month, {end:%Y-%m}", CUSTOM: "Custom"}
    _slot(row, 184).selectbox(
        "Period",
        list(options),
        format_func=lambda name: labels.get(name, name),
        key="period",
        persist_state="session",
        filter_mode=None,
    )
    if state.period == CUSTOM:
        days = state.days or (start, end)
        # Without a key, because a link and "Reset" set the days without drawing the widget.
        picked = _slot(row, 232).date_input(
            "Days",
            value=days,
            # A link may ask for other days.
            min_value=min(start, days[0]),
            max_value=max(end, days[-1]),
            format="YYYY-MM-DD",
            help=f"Loaded: {start} to {end}.",
        )
        if isinstance(picked, tuple) and len(picked) == 2:  # both ends of the range are picked
            state.days = picked
    return chosen_days(files)


def _draw_more(
    place: DeltaGenerator,
    datasets: Sequence[Dataset],
    zones: Zones,
    days: tuple[date, date] | None,
    loaded: tuple[date, date],
) -> tuple[Filters, str]:
    """Draw the filters of the popover; return all filters, and the length of the periods."""
    state = st.session_state
    has_payments = any(dataset.has("payment_type") for dataset in datasets)
    has_miles = any(dataset.has("trip_distance") for dataset in datasets)
    if has_payments:
        _draw_several(place, "Payment", PAYMENT_CODES, "payment", payment_name)
    _draw_several(place, "Boroughs", zones.boroughs, "borough")
    _draw_several(place, "Pickup zones", zone_numbers(zones), "pickup", zones.name)
    if has_miles:
        place.number_input(
            "Miles, at least",
            min_value=0.0,
            max_value=MAX_MILES,
            step=0.5,
            value=None,
            placeholder="any",
            key="miles",
            persist_state="session",
        )
    lacking = {"payment types": has_payments, "distances": has_miles}
    if missing := [name for name, is_there in lacking.items() if not is_there]:
        place.caption(f"These trips have no {' and no '.join(missing)}.")
    place.toggle(
        "Strays",
        key="strays",
        persist_state="session",
        help=f"Count strays, too. {explain('stray')}",
    )
    first, last = days or loaded
    grain = _draw_grain(place, first, last)
    # Strays of other decades would stretch the charts over time.
    bounds = days or (loaded if state.strays else (None, None))
    miles = state.miles if has_miles else None
    return Filters(
        datasets=tuple(datasets),
        first=bounds[0],
        last=bounds[1],
        payments=tuple(state.payment) if has_payments else (),
        zones=tuple(sorted({*state.pickup, *zones.of_boroughs(tuple(state.borough))})),
        minimum_miles=Decimal(str(miles)) if miles else None,
        strays=state.strays,
    ), grain


def _draw_several(
    place: DeltaGenerator,
    label: str,
    options: Sequence[Any],
    key: str,
    format_func: Callable[[Any], str] = str,
) -> None:
    place.multiselect(
        label,
        options,
        format_func=format_func,
        key=key,
        placeholder="all",
        persist_state="session",
    )


def _draw_grain(place: DeltaGenerator, first: date, last: date) -> str:
    days = (last - first).days + 1
    automatic = "day" if days <= 124 else "week" if days <= 800 else "month"
    grain = place.segmented_control(
        "Charts over time by",
        ["auto", *GRAINS],
        format_func=lambda word: f":yellow[{f'auto ({automatic})' if word == 'auto' else word}]",
        key="by",
        required=True,
        persist_state="session",
    )
    return automatic if grain in (None, "auto") else str(grain)
