"""The Explore page: filter what is loaded, chart it, compare it, and download rows and SQL."""

from __future__ import annotations

import streamlit as st

from pages.components.common.frame import live_page
from pages.components.common.messages import reported
from pages.components.common.navigation import require_app
from pages.components.common.runs import Activity
from pages.components.common.themed import follow_theme
from pages.components.common.tour import show_arrival
from pages.components.explore.cards import APPROVED, draw_nothing, make_cards, show_card
from pages.components.explore.chips import show_chips
from pages.components.explore.figures import make_figure_row
from pages.components.explore.filter_bar import confirm_filters, show_filter_bar
from pages.components.explore.loaded import Loaded, read_loaded, show_nothing_loaded, version
from pages.components.explore.metric_choice import pick_metric
from pages.components.explore.page_filters import TABS
from pages.components.explore.query_runner import run_queries
from pages.components.explore.tabs import make_part
from pipeline.charts.zones import read_zones
from pipeline.core.settings.settings import load_settings

require_app()


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
    part = make_part(TABS[tab], page_filters, zones, loaded)
    queries = [*figures.queries, *top.queries, *part.queries]
    outcomes = run_queries(version(loaded), queries, st.session_state.get(APPROVED, ()))

    charted = {file: loaded[file] for file in loaded if file not in page_filters.filters.left_out}
    rows = sum(entry.rows or 0 for entry in charted.values())
    show_chips(page_filters, zones, figures.count_trips(outcomes), rows)
    figures.show(outcomes)
    for card in top.cards:
        show_card(card, outcomes, lambda place: pick_metric(place, page_filters))
    places = dict(zip(TABS, st.tabs(list(TABS), key="tab", on_change="rerun"), strict=True))
    with places[tab]:
        part.show(outcomes)


def keep_up() -> None:
    """Keep the page's address, and draw the charts again when the theme changes."""
    confirm_filters()
    follow_theme()


page = st.container()
# Nothing to see, below everything: the browser reads the 4.7 MB that draw charts meanwhile.
draw_nothing()
with page:
    live_page("Explore", show_page, heartbeat=keep_up, per_file=True)
