"""Register the functions that draw the charts of the catalog.

    @renders("payments")
    def draw_payments(table: pa.Table, view: ChartView) -> Drawn: ...

`pages.components.explore.cards` imports the modules with these functions. Pure: no Streamlit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

import pyarrow as pa

from pages.components.common.drawing import Drawn
from pages.components.explore.metrics import METRICS, Metric
from pipeline.charts import CHARTS
from pipeline.charts.zones import Zones
from pipeline.core.datasets import Dataset
from pipeline.core.trips import Month, TripFile, months_between
from pipeline.files.sources import FIRST_MONTH


@dataclass(frozen=True)
class ChartView:
    """What a chart shows apart from its rows.

    Attributes:
        grain: The length of the periods of charts over time, one of GRAINS.
        selected: The selection that a click on the chart has set, or an empty text.
        zones: The names and shapes of the zones.
        metric: What the chart over time shows.
        first: The first day that is charted, or None if it is not known.
        last: The last day that is charted.
        files: The loaded files of the datasets that are charted.
    """

    grain: str = "day"
    selected: str = ""
    zones: Zones = field(default_factory=Zones)
    metric: Metric = METRICS["trips"]
    first: date | None = None
    last: date | None = None
    files: frozenset[TripFile] = frozenset()

    def is_partial(self, period: date) -> bool:
        """Return whether some days of a period are not charted, or not loaded for some dataset.

        A month before the first one that any source has of a dataset is not missed.
        """
        if self.first is None:
            return False
        end = period_end(period, self.grain)
        months = list(months_between(Month(period.year, period.month), Month(end.year, end.month)))
        return self.is_cut(period) or any(
            TripFile(dataset, month) not in self.files
            for dataset in {file.dataset for file in self.files}
            for month in months
            if month >= _first_published(dataset)
        )

    def is_cut(self, period: date) -> bool:
        """Return whether some days of a period are before or after those that are charted."""
        if self.first is None or self.last is None:
            return False
        return period < self.first or period_end(period, self.grain) > self.last


def _first_published(dataset: Dataset) -> Month:
    return min((first for first, _ in dataset.published.values()), default=FIRST_MONTH)


def period_end(period: date, grain: str) -> date:
    """Return the last day of the day, week or month that begins on a day."""
    if grain == "month":
        return (period.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return period + timedelta(days={"day": 0, "week": 6}[grain])


# Returns a figure, or None if there is nothing to draw, and a note: why there is nothing, or what
# is counted but not drawn. Points have as `customdata` the selection that a click on them sets.
Renderer = Callable[[pa.Table, ChartView], Drawn]

RENDERERS: dict[str, Renderer] = {}


def renders(name: str) -> Callable[[Renderer], Renderer]:
    """Register the decorated function for the chart of this name; raise KeyError without one."""
    chart = CHARTS[name]

    def register(renderer: Renderer) -> Renderer:
        RENDERERS[chart.name] = renderer
        return renderer

    return register
