"""List the charts: for each its query, the rollups that can answer it, and its place on a page.

A row of CHARTS is all that has to be said of a chart, apart from its query in sql/charts and the
function that draws it (see `pages.components.explore.renderers`). Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pipeline.charts.cross_filters import CrossFilter
from pipeline.charts.filters import FILTER_KEYS
from pipeline.core.datasets import Dataset
from pipeline.warehouse.measures import MEASURES
from pipeline.warehouse.rollups import AT_AIRPORTS, ROLLUPS, SUMS, Rollup

Section = Literal["top", "when", "where", "money"]


@dataclass(frozen=True)
class Chart:
    """A chart: its query, what the query needs, and where the Explore page shows it.

    The query reads one table with a row for each combination of `keys`, which is a rollup where one
    has all that the chart and its filters need, and is made from the trips otherwise.

    Attributes:
        name: Identifies the chart.
        title: The heading of the chart.
        keys: The columns by which trips are grouped before the query reads them. The query writes
            `weekday` as `{weekday}`.
        sums: The columns that are added up for the query, of `rollups.SUMS`; trips are always
            counted.
        needs: The columns of trips, beside the keys, without which there is nothing to draw.
        optional: The keys without whose values there is still something to draw.
        only: A condition on trips, in SQL: the chart is about those that meet it.
        sql: The name of the query in sql/charts, if it is not that of the chart.
        selection: The cross-filter that a click on the chart sets.
        section: The tab of the Explore page that shows the chart, or "top" for the chart above the
            tabs; None for a query behind figures or a table.
        tall: Whether the chart is as high as two others beside it.
    """

    name: str
    title: str
    keys: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    only: str = ""
    sql: str = ""
    selection: CrossFilter | None = None
    section: Section | None = None
    tall: bool = False

    def suits(self, datasets: Iterable[Dataset]) -> bool:
        """Whether any of the datasets has the measures that the chart cannot do without."""
        measures = [key for key in self.keys if key in MEASURES and key not in self.optional]
        return any(dataset.has(*measures, *self.needs) for dataset in datasets)

    @property
    def by_file(self) -> bool:
        """Whether the chart groups trips by file, so that only a rollup can answer it."""
        return "filename" in self.keys

    @cached_property
    def rollups(self) -> tuple[Rollup, ...]:
        """The rollups that can answer the chart under some filters, the smallest first.

        They are about the same trips, have the keys and sums of the chart, and no key that neither
        the chart nor a filter needs: such a key only adds rows.
        """
        needed = {*self.keys, *FILTER_KEYS}
        suitable = (
            rollup
            for rollup in ROLLUPS.values()
            if rollup.only == self.only
            and all(rollup.has(key) for key in self.keys)
            and set(self.sums) <= set(rollup.sums)
            and set(rollup.keys) <= needed
        )
        return tuple(sorted(suitable, key=lambda rollup: rollup.rows_per_month))


COUNT = Chart("count", "Trips left")
FIGURES = Chart("figures", "Figures", keys=("pickup_day", "payment_type"), sums=tuple(SUMS)[1:])
STRAYS = Chart("strays", "Strays by file", keys=("filename", "pickup_day"), sums=("total_amount",))

# The Explore page shows the charts in this order.
CHARTS = {
    chart.name: chart
    for chart in (
        COUNT,
        FIGURES,
        Chart(
            "over_time",
            "Over time",
            keys=("pickup_day", "payment_type"),
            sums=tuple(SUMS)[1:],
            optional=("payment_type",),
            selection=CrossFilter.DAYS,
            section="top",
        ),
        Chart(
            "week_hours",
            "Trips by weekday and hour",
            keys=("weekday", "pickup_hour"),
            sums=("total_amount",),
            selection=CrossFilter.HOUR,
            section="when",
        ),
        Chart(
            "colors",
            "Hours of pickup",
            keys=("pickup_hour",),
            sums=("total_amount",),
            selection=CrossFilter.HOUR,
            section="when",
        ),
        Chart(
            "airports",
            "Airport trips",
            keys=("airport", "began_there", "pickup_day"),
            sums=("total_amount",),
            only=AT_AIRPORTS,
            selection=CrossFilter.ROUTE,
            section="when",
        ),
        Chart("fares", "Fares", keys=("fare_amount",), section="money"),
        Chart("distances", "Distances", keys=("trip_distance",), section="money"),
        Chart(
            "payments",
            "How trips were paid",
            keys=("pickup_day", "payment_type"),
            selection=CrossFilter.PAYMENT,
            section="money",
        ),
        Chart(
            "tips",
            "Card tips by hour",
            keys=("pickup_hour", "payment_type"),
            sums=("tip_amount", "fare_amount"),
            needs=("tip_amount", "fare_amount"),
            selection=CrossFilter.HOUR,
            section="money",
        ),
        Chart(
            "map",
            "Pickups by zone",
            keys=("PULocationID",),
            sums=("total_amount",),
            sql="zones",
            selection=CrossFilter.ZONE,
            section="where",
            tall=True,
        ),
        Chart(
            "zones",
            "Busiest pickup zones",
            keys=("PULocationID",),
            sums=("total_amount",),
            selection=CrossFilter.ZONE,
            section="where",
        ),
        Chart(
            "routes",
            "Busiest routes",
            keys=("PULocationID", "DOLocationID"),
            sums=("total_amount",),
            selection=CrossFilter.ROUTE,
            section="where",
        ),
        Chart(
            "coverage",
            "What is loaded",
            keys=("filename",),
            sums=("total_amount",),
        ),
        STRAYS,
    )
}
