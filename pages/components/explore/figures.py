"""Show the key figures of a period, each with its change against the period before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pyarrow as pa
import streamlit as st

from pages.components.common.drawing import ACCENT, rows_of
from pages.components.common.target import target
from pages.components.explore.metrics import METRICS, Metric, add_up, offered_metrics
from pages.components.explore.page_filters import PageFilters
from pages.components.explore.query_runner import NeedsApproval, Outcomes
from pipeline.charts import FIGURES, ChartQuery, Filters, build_query
from pipeline.core.datasets import Dataset
from pipeline.core.trips import Month, TripFile, months_between
from pipeline.warehouse.results import QueryResult

_MAX_POINTS = 60  # of a sparkline
_CELL_HEIGHT = 152  # pixels
_CELL_HEIGHT_ALONE = 124  # without the change against the period before


@dataclass(frozen=True)
class FigureRow:
    """The queries behind the key figures.

    Attributes:
        metrics: What is shown.
        current: The sums by day of the period that is shown.
        previous: Those of the period before, or None if one of the two is not loaded whole.
        previous_filters: The filters of the period before.
    """

    metrics: Sequence[Metric]
    current: ChartQuery
    previous: ChartQuery | None
    previous_filters: Filters | None

    @property
    def queries(self) -> tuple[ChartQuery, ...]:
        """All queries of the figures."""
        return (self.current, self.previous) if self.previous else (self.current,)

    def count_trips(self, outcomes: Outcomes) -> int | None:
        """Return the number of trips that the filters leave, or None if it was not counted."""
        current = outcomes.wait(self.current)
        if isinstance(current, NeedsApproval):
            return None
        return int(add_up(rows_of(current.table), "trips") or 0)

    def show(self, outcomes: Outcomes) -> None:
        """Draw the figures, or say what it would cost to work them out."""
        current = outcomes.wait(self.current)
        if isinstance(current, NeedsApproval):
            st.info(
                f"The figures under these filters need {current.bytes / 1e9:,.1f} GB to be "
                f"scanned, about \\${current.dollars:,.4f}."
            )
            return
        previous = outcomes.wait(self.previous) if self.previous else None
        previous_table = previous.table if isinstance(previous, QueryResult) else None
        height = _CELL_HEIGHT if self.previous else _CELL_HEIGHT_ALONE
        # As many columns as figures: a grid of its own choice leaves a hole in a wide window.
        grid = st.grid(len(self.metrics), min_column_width=160, row_height=height)
        period = "of the period before"
        if self.previous_filters:
            period = f"{self.previous_filters.first} to {self.previous_filters.last}"
        for figure in make_figures(current.table, previous_table, self.metrics):
            cell = grid.container(border=True, gap="xsmall", height="stretch")
            compared = f" The change is against {period}." if figure.delta else ""
            steady = figure.delta in ("+0.0%", "-0.0%")
            cell.metric(
                figure.name,
                figure.value,
                "0.0%" if steady else figure.delta,
                delta_color="off" if steady else "normal",
                delta_arrow="off" if steady else "auto",
                help=figure.help + compared,
            )
            if figure.course:
                cell.image(
                    sparkline(figure.course), width="stretch", alt=f"Course of: {figure.name}"
                )


def make_figure_row(page_filters: PageFilters) -> FigureRow:
    """Return the queries for the key figures.

    The change is shown only if both periods are loaded whole: a month that is missing from one of
    them would look like a loss.
    """
    filters = page_filters.combine()
    first, last = filters.first or page_filters.first, filters.last or page_filters.last
    first, last = max(first, page_filters.first), min(last, page_filters.last)
    before = previous_period(first, last)
    metrics = offered_metrics(filters.datasets)
    current = build_query(FIGURES, filters, target())
    for period in ((first, last), before):
        if not is_loaded(filters.datasets, *period, page_filters.files):
            return FigureRow(metrics, current, None, None)
    previous = replace(filters, first=before[0], last=before[1])
    return FigureRow(metrics, current, build_query(FIGURES, previous, target()), previous)


def is_loaded(
    datasets: Iterable[Dataset], first: date, last: date, loaded: Collection[TripFile]
) -> bool:
    """Return whether every month of a period is loaded for each of the datasets."""
    if last < first:
        return False
    months = list(months_between(Month(first.year, first.month), Month(last.year, last.month)))
    return {TripFile(dataset, month) for dataset in datasets for month in months} <= set(loaded)


def previous_period(first: date, last: date) -> tuple[date, date]:
    """Return the first and last day of the equally long period before; both days are included.

    Before whole months come as many months, before other periods as many days.
    """
    day_before = first - timedelta(days=1)
    if first.day == 1 and (last + timedelta(days=1)).day == 1:
        months = (last.year - first.year) * 12 + last.month - first.month + 1
        return Month(first.year, first.month).plus(-months).first_day, day_before
    return first - (last - first) - timedelta(days=1), day_before


@dataclass(frozen=True)
class KeyFigure:
    """A figure as it is shown.

    Attributes:
        name: The label.
        value: The value as text; "–" if the trips do not tell it.
        delta: The change against the period before, such as "+4.0%", or None if there is nothing
            to compare with.
        course: The values within the period, for a sparkline; empty if there are fewer than two.
        help: What the figure is made of.
    """

    name: str
    value: str
    delta: str | None
    course: list[float]
    help: str


def make_figures(
    current: pa.Table, previous: pa.Table | None, metrics: Iterable[Metric] = METRICS.values()
) -> list[KeyFigure]:
    """Return the figures of a period.

    Args:
        current: The rows of the query FIGURES, by day.
        previous: Those of the period before, or None if it is not loaded.
        metrics: What to work out.
    """
    rows, previous_rows = rows_of(current), rows_of(previous) if previous is not None else []
    days = [row for row in rows if row["day"] is not None]
    step = -(-len(days) // _MAX_POINTS) or 1
    # Only groups of equally many days: a shorter one at the end would look like a fall.
    groups = [days[start : start + step] for start in range(0, len(days) - step + 1, step)]
    figures = []
    for metric in metrics:
        value, old = metric.measure(rows), metric.measure(previous_rows)
        points = [metric.measure(group) for group in groups]
        course = [point for point in points if point is not None]
        delta = f"{value / old - 1:+.1%}" if value is not None and old and old > 0 else None
        help_text = metric.help
        if value is None:
            help_text += " Not recorded for these trips."
        if metric.name == "distance" and (absurd := add_up(rows, "absurd_distances")):
            help_text += f" Left out as absurd: {absurd:,.0f} trips."
        course = course if len(course) > 1 else []
        text = "–" if value is None else metric.write(value)
        figures.append(KeyFigure(metric.label, text, delta, course, help_text))
    return figures


def sparkline(course: Sequence[float]) -> str:
    """Return a line through these values as an SVG picture that suits both themes.

    Streamlit's own sparkline is drawn by Vega, which a browser needs half a second to start.
    """
    low, high = min(course), max(course)
    points = " ".join(
        f"{200 * number / (len(course) - 1):.1f},{22 - 20 * (value - low) / (high - low or 1):.1f}"
        for number, value in enumerate(course)
    )
    return (
        '<svg viewBox="0 0 200 24" width="200" height="24">'
        f'<polyline points="{points}" fill="none" stroke="{ACCENT}" stroke-width="2" '
        'stroke-linejoin="round"/></svg>'
    )
