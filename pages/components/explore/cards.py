"""Show the charts of the catalog, each with a menu of its SQL, its rows and its picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.access import change_button
from pages.components.common.drawing import FigureSpec
from pages.components.common.messages import reported
from pages.components.common.target import backend, target
from pages.components.common.themed import is_phone, show_figure
from pages.components.common.words import plain, size

# Imported for the functions that they register.
from pages.components.explore import (  # noqa: F401
    place_charts,
    time_charts,
    trip_charts,
)
from pages.components.explore.chart_menu import show_menu
from pages.components.explore.metrics import METRICS
from pages.components.explore.page_filters import PageFilters
from pages.components.explore.query_runner import NeedsApproval, Outcomes
from pages.components.explore.renderers import RENDERERS, ChartView
from pages.components.explore.selections import chart_key, take_selection
from pages.components.explore.zone_bubbles import PHONE_HEIGHT
from pages.components.explore.zone_files import offer_shapes
from pipeline.charts import CHARTS, Chart, ChartQuery, CrossFilter, Section, build_query
from pipeline.charts.zones import Zones
from pipeline.core.datasets import Dataset
from pipeline.warehouse.registry import all_backends
from pipeline.warehouse.results import QueryResult

APPROVED = "SQL of queries that may cost more"  # in the session state


@dataclass(frozen=True)
class Card:
    """A chart of the page, with the query for its rows and what else it shows.

    Attributes:
        lacking: The chosen datasets without what the chart is about, which it leaves out.
        in_bigquery: The query for the same rows in BigQuery, whose cost the menu says; None where
            reading is billed, and the menu says what was.
    """

    chart: Chart
    query: ChartQuery
    view: ChartView
    lacking: tuple[Dataset, ...] = ()
    in_bigquery: ChartQuery | None = None


@dataclass(frozen=True)
class CardGrid:
    """The charts of a part of the page, and where they stand."""

    cards: Sequence[Card]
    zones: Zones

    @property
    def queries(self) -> tuple[ChartQuery, ...]:
        """The queries of all cards."""
        return tuple(card.query for card in self.cards)

    def show(self, outcomes: Outcomes) -> None:
        """Draw the cards in rows of two, those whose rows are likely to be there first.

        A tall chart stands beside all others.
        """
        if any(card.chart.section == "where" for card in self.cards):
            offer_shapes(self.zones)
        slots: list[tuple[Card, DeltaGenerator]] = []
        if any(card.chart.tall for card in self.cards):
            left, right = st.columns(2)
            slots += [(card, left if card.chart.tall else right.container()) for card in self.cards]
        else:
            for start in range(0, len(self.cards), 2):
                row = self.cards[start : start + 2]
                slots += zip(row, st.columns(len(row)), strict=True)
        for card, slot in sorted(slots, key=lambda slot: slot[0].query.rollup is None):
            with slot:
                show_card(card, outcomes)
        if not self.cards:
            st.info("The chosen taxis record nothing that charts here could show.")


def make_cards(section: Section, page_filters: PageFilters, zones: Zones) -> CardGrid:
    """Return the cards of a part of the page, in the order of the catalog.

    A chart is not filtered by the selection that a click on it sets: it goes on showing what else
    can be selected. Charts of what none of the chosen datasets has, such as payments, are left out.
    """
    cards = []
    billed = [each.name for each in all_backends() if each.is_billed and not backend().is_billed]
    for chart in CHARTS.values():
        if chart.section != section:
            continue
        filters = page_filters.combine(leave_out=chart.selection)
        suited = tuple(dataset for dataset in filters.datasets if chart.suits((dataset,)))
        if not suited:
            continue
        lacking = tuple(dataset for dataset in filters.datasets if dataset not in suited)
        filters = replace(filters, datasets=suited)
        query = build_query(chart, filters, target(), page_filters.grain)
        selected = page_filters.selections.get(chart.selection, "") if chart.selection else ""
        twin = build_query(chart, filters, billed[0], page_filters.grain) if billed else None
        cards.append(Card(chart, query, make_view(page_filters, zones, selected), lacking, twin))
    return CardGrid(cards, zones)


def make_view(page_filters: PageFilters, zones: Zones, selected: str) -> ChartView:
    """Return what charts of the page show apart from their rows."""
    return ChartView(
        page_filters.grain,
        selected,
        zones,
        METRICS[page_filters.metric],
        page_filters.first,
        page_filters.last,
        page_filters.files,
    )


def draw_nothing() -> None:
    """Draw a chart that cannot be seen."""
    hidden = {"visible": False}
    nothing = {
        "data": [{"type": "scatter"}],
        "layout": {"height": 10, "xaxis": hidden, "yaxis": hidden},
    }
    st.plotly_chart(nothing, key="nothing", config={"staticPlot": True})


def show_card(
    card: Card, outcomes: Outcomes, control: Callable[[DeltaGenerator], object] | None = None
) -> None:
    """Draw a chart as soon as the outcome of its query is there, or the error that it ended in.

    Args:
        card: The chart.
        outcomes: The outcomes of the page's queries.
        control: Draws a widget beside the title.
    """
    with st.container(border=True, key=f"card-{card.chart.name}", gap="xsmall"):
        head = st.container(
            height=40, border=False, horizontal=True, vertical_alignment="center", wrap=False
        )
        head.markdown(f"**{card.chart.title}**", width="stretch")
        if control:
            control(head)
        menu = head.container(width=56)
        with reported():
            outcome = outcomes.wait(card.query)
            if isinstance(outcome, NeedsApproval):
                _ask_for_approval(card, outcome)
            else:
                figure = _show_result(card, outcome)
                with menu:
                    show_menu(card.chart.name, card.query, outcome, figure, card.in_bigquery)


def _show_result(card: Card, result: QueryResult) -> FigureSpec | None:
    figure, note = RENDERERS[card.chart.name](result.table, card.view)
    if figure is None:
        st.info(plain(note))
        return None
    figure = _show_chart(card.chart, figure)
    if card.lacking:
        names = " and ".join(dataset.word for dataset in card.lacking)
        note = f"Without {names}: not recorded. {note}".strip()
    if note:
        st.caption(plain(note))
    return figure


def _show_chart(chart: Chart, figure: FigureSpec) -> FigureSpec:
    """Draw a figure in the colors of the theme, and return it in these."""
    config = chart_config(chart.name)
    key = chart_key(chart.name)
    cross_filter = chart.selection
    if chart.name == "map" and is_phone():
        figure["layout"]["height"] = PHONE_HEIGHT
    # Plotly takes every touch of a chart that reports clicks for itself: a swipe that begins there
    # would not scroll the page of a phone.
    if cross_filter is None or is_phone():
        return show_figure(figure, key=key, config=config, alt=chart.title)
    brush = cross_filter == CrossFilter.DAYS
    return show_figure(
        figure,
        key=key,
        on_select=lambda: take_selection(cross_filter, key),
        selection_mode=("points", "box") if brush else "points",
        drag="select" if brush else None,
        config=config,
        alt=chart.title,
    )


def chart_config(name: str) -> dict[str, Any]:
    """Return the options of a chart's toolbar, which saves a picture of it."""
    image = {"format": st.session_state.picture, "filename": f"fareground-{name}", "scale": 2}
    return {
        "displaylogo": False,
        "toImageButtonOptions": image,
        # What is left is the camera, and Streamlit's own full screen.
        "modeBarButtonsToRemove": [
            *("zoom2d", "pan2d", "select2d", "lasso2d"),
            *("zoomIn2d", "zoomOut2d", "autoScale2d", "resetScale2d"),
        ],
        "scrollZoom": False,
    }


def _ask_for_approval(card: Card, cost: NeedsApproval) -> None:
    st.info(
        f"This chart reads the trips themselves: {size(cost.bytes)} to scan, about "
        f"\\${cost.dollars:,.4f}."
    )
    if change_button(st, "Run it", key=f"run-{card.chart.name}", icon=":material/play_arrow:"):
        st.session_state.setdefault(APPROVED, set()).add(card.query.sql)
        st.rerun()
