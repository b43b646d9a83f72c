"""The choice of what the chart over time shows."""

from __future__ import annotations

from streamlit.delta_generator import DeltaGenerator

from pages.components.explore.metrics import METRICS, offered_metrics
from pages.components.explore.page_filters import PageFilters


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
