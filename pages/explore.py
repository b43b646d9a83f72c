"""The Explore page: filter what is loaded, chart it, compare it, and download rows and SQL."""

from __future__ import annotations

from typing import Protocol

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.frame import live_page
from pages.components.common.messages import reported
from pages.components.common.navigation import require_app
from pages.components.common.runs import Activity
from pages.components.common.themed import follow_theme
from pages.components.common.tour import show_arrival
from pages.components.explore.cards import APPROVED, draw_nothing, make_cards, show_card
from pages.components.explore.chips import show_chips
from pages.components.explore.compare import make_comparison
from pages.components.explore.data_tab import make_data_tab
from pages.components.explore.figures import make_figure_row
from pages.components.explore.filter_bar import confirm_filters, show_filter_bar
from pages.components.explore.loaded import Loaded, read_loaded, show_nothing_loaded, version
from pages.components.explore.metrics import METRICS, offered_metrics
from pages.components.explore.page_filters import TABS, PageFilters
from pages.components.explore.query_runner import Outcomes, run_queries
from pipeline.charts import ChartQuery, Section
from pipeline.charts.zones import Zones, read_zones
from pipeline.core.settings.settings import load_settings

require_app()


class Part(Protocol):
    """What is in a tab: the queries that it needs, and how it is drawn from their outcomes."""

    @property
    def queries(self) -> tuple[ChartQuery, ...]: ...

    def show(self, outcomes: Outcomes) -> None: ...


def show_page(activity: Activity) -> None:
    """Draw everything below the title."""
    with reported():
        loaded = read_loaded(activity)
        if loaded:
            show_arrival()
            show_charts(loaded)
        elif loaded is not None:
            show_nothing_loaded(activity)


def show_charts(loaded: Loaded) -> None:
    """Start the queries of all that is shown at once, and draw each as soon as its rows are there.

    Only the open tab is queried and drawn.
    """
    zones = read_zones(load_settings())
    page_filters = show_filter_bar(loaded, zones)
    figures = make_figure_row(page_filters)
    top = make_cards("top", page_filters, zones)
    tab = st.session_state.tab
    part = make_part(tab, page_filters, zones, loaded)
    queries = [*figures.queries, *top.queries, *part.queries]
    outcomes = run_queries(version(loaded), queries, st.session_state.get(APPROVED, ()))

    charted = {file: loaded[file] for file in loaded if file not in page_filters.filters.left_out}
    rows = sum(entry.rows or 0 for entry in charted.values())
    show_chips(page_filters, zones, figures.count_trips(outcomes), rows)
    figures.show(outcomes)
    for card in top.cards:
        show_card(card, outcomes, lambda place: pick_metric(place, page_filters))
    places = st.tabs(TABS, key="tab", on_change="rerun")
    with places[TABS.index(tab)]:
        part.show(outcomes)


def make_part(tab: str, page_filters: PageFilters, zones: Zones, loaded: Loaded) -> Part:
    """Return what is in a tab, one of TABS."""
    if tab == "Compare":
        return make_comparison(page_filters)
    if tab == "Data":
        return make_data_tab(page_filters, loaded)
    sections: dict[str, Section] = {"When": "when", "Where": "where", "Money": "money"}
    return make_cards(sections[tab], page_filters, zones)


def pick_metric(place: DeltaGenerator, page_filters: PageFilters) -> None:
    """Draw the choice of what the chart over time shows."""
    place.selectbox(
        "Metric",
        [metric.name for metric in offered_metrics(page_filters.filters.datasets)],
        format_func=lambda name: METRICS[name].label,
        key="metric",
        label_visibility="collapsed",
        persist_state="session",
        filter_mode=None,
        width=160,
    )


def keep_up() -> None:
    """Keep the page's address, and draw the charts again when the theme changes."""
    confirm_filters()
    follow_theme()


page = st.container()
# Nothing to see, below everything: the browser reads the 4.7 MB that draw charts meanwhile.
draw_nothing()
with page:
    live_page("Explore", show_page, heartbeat=keep_up, per_file=True)
