"""Query what is loaded for charts: the catalog of charts, their filters and their SQL.

    filters = Filters(datasets=(GREEN_TAXIS,), first=date(2020, 4, 1), last=date(2020, 4, 30))
    query = build_query(CHARTS["over_time"], filters, "local", grain="week")
    result = warehouse.read(query.sql, query.parameters)

The queries are in sql/charts, written in GoogleSQL for every warehouse. Each reads the smallest
rollup that has what the chart and the filters need, or the trips if there is none.
"""

from pipeline.charts.catalog import CHARTS, COUNT, FIGURES, STRAYS, Chart, Section
from pipeline.charts.cross_filters import CrossFilter, apply_selection, is_selection
from pipeline.charts.filters import NOT_RECORDED, PAYMENTS, Filters, payment_name
from pipeline.charts.queries import GRAINS, ChartQuery, Query, build_query, filter_steps
from pipeline.charts.sample import files_left_out

__all__ = [
    "CHARTS",
    "COUNT",
    "FIGURES",
    "GRAINS",
    "NOT_RECORDED",
    "PAYMENTS",
    "STRAYS",
    "Chart",
    "ChartQuery",
    "CrossFilter",
    "Filters",
    "Query",
    "Section",
    "apply_selection",
    "build_query",
    "files_left_out",
    "filter_steps",
    "is_selection",
    "payment_name",
]
