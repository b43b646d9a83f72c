"""What is in each tab of the Explore page."""

from __future__ import annotations

from typing import Protocol

from pages.components.explore.cards import make_cards
from pages.components.explore.compare import make_comparison
from pages.components.explore.data_tab import make_data_tab
from pages.components.explore.loaded import Loaded
from pages.components.explore.page_filters import SECTIONS, PageFilters
from pages.components.explore.query_runner import Outcomes
from pipeline.charts import ChartQuery
from pipeline.charts.zones import Zones


class Part(Protocol):
    """What is in a tab: the queries that it needs, and how it is drawn from their outcomes."""

    @property
    def queries(self) -> tuple[ChartQuery, ...]: ...

    def show(self, outcomes: Outcomes) -> None: ...


def make_part(tab: str, page_filters: PageFilters, zones: Zones, loaded: Loaded) -> Part:
    """Return what is in a tab, by its title."""
    if tab == "Compare":
        return make_comparison(page_filters)
    if tab == "Data":
        return make_data_tab(page_filters, loaded)
    return make_cards(SECTIONS[tab], page_filters, zones)
