"""Check which rollup answers a chart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.charts import CHARTS, CrossFilter, Filters, build_query
from pipeline.core.sql import SQL_FOLDER
from pipeline.warehouse.rollups import ROLLUPS
from tests.support.chart_cases import FILTERS

BY_DAY = ("day_summary", "trip_summary")
BY_HOUR = ("slot_summary", "trip_summary")
BY_ZONE = ("zone_summary",)
ANY_TRIPS = (
    "day_summary",
    "slot_summary",
    "zone_summary",
    "trip_summary",
)
# The rollups of each chart, as they were once listed by hand.
ROLLUPS_OF = {
    "count": ("day_summary", "distance_summary", *ANY_TRIPS[1:]),
    "figures": BY_DAY,
    "over_time": BY_DAY,
    "week_hours": BY_HOUR,
    "payments": BY_DAY,
    "tips": BY_HOUR,
    "colors": BY_HOUR,
    "fares": ("fare_summary",),
    "distances": ("distance_summary",),
    "map": BY_ZONE,
    "zones": BY_ZONE,
    "routes": (),
    "airports": ("airport_summary",),
    "coverage": ANY_TRIPS,
    "strays": BY_DAY,
}
BY_FILE = ("coverage", "strays")


def tables(filters: Filters, target: str = "local") -> dict[str, str]:
    """Return the name of the rollup that answers each chart, or "trips"."""
    queries = {
        name: build_query(chart, filters, target)
        for name, chart in CHARTS.items()
        if name not in BY_FILE
    }
    return {name: query.rollup.name if query.rollup else "trips" for name, query in queries.items()}


def test_rollups_of_every_chart_are_listed() -> None:
    assert ROLLUPS_OF.keys() == CHARTS.keys()


@pytest.mark.parametrize("name", ROLLUPS_OF)
def test_rollups_of_a_chart_are_those_once_listed_by_hand(name: str) -> None:
    assert tuple(rollup.name for rollup in CHARTS[name].rollups) == ROLLUPS_OF[name]


def test_rollup_made_from_a_finer_one_is_the_smaller_of_the_two() -> None:
    made = [rollup for rollup in ROLLUPS.values() if rollup.parent]
    assert len(made) == 2
    for rollup in made:
        assert rollup.rows_per_month < ROLLUPS[rollup.parent].rows_per_month


def test_every_chart_has_a_title_a_query_and_keys_that_charts_over_trips_can_use() -> None:
    files = {path.stem for path in (SQL_FOLDER / "charts").glob("*.sql")}
    assert {chart.sql or chart.name for chart in CHARTS.values()} == files
    for chart in CHARTS.values():
        assert chart.title
        assert "SELECT" in build_query(chart, Filters(), "local").sql


def test_unknown_key_of_a_chart_is_refused_with_the_place_to_add_it() -> None:
    chart = replace(CHARTS["payments"], keys=("no_such_column",))
    with pytest.raises(ValueError, match=r"'no_such_column': add the column to MEASURES"):
        build_query(chart, Filters(), "local")


def test_every_cross_filter_is_set_by_a_chart_of_the_page() -> None:
    charts = [chart for chart in CHARTS.values() if chart.selection]
    assert {chart.selection for chart in charts} == set(CrossFilter)
    assert all(chart.section for chart in charts)


def test_chart_reads_the_smallest_rollup_that_has_its_filters() -> None:
    everything, month, days = (tables(FILTERS[name]) for name in ("all", "a month", "some days"))
    assert everything["over_time"] == "day_summary"
    assert everything["tips"] == "slot_summary"
    assert everything["fares"] == month["fares"] == "fare_summary"
    assert month["zones"] == "zone_summary"
    assert days["distances"] == days["zones"] == "trips"
    assert days["airports"] == "airport_summary"
    assert days["week_hours"] == "trip_summary"
    hours, zones = tables(FILTERS["hours"]), tables(FILTERS["zones"])
    assert hours["over_time"] == "trip_summary"
    assert hours["week_hours"] == "slot_summary"
    assert hours["zones"] == zones["over_time"] == "trips"
    assert zones["zones"] == "zone_summary"
    assert set(tables(FILTERS["routes"]).values()) == {"trips"}


def test_filter_by_distance_is_answered_by_trips_except_for_distances_and_the_count() -> None:
    for name in ("miles", "miles of a month"):
        rollup_of = tables(FILTERS[name])
        assert rollup_of.pop("distances") == rollup_of.pop("count") == "distance_summary"
        assert set(rollup_of.values()) == {"trips"}
    for name in ("miles of zones", "miles between", "too many miles"):
        assert set(tables(FILTERS[name]).values()) == {"trips"}


def test_bigquery_has_no_rollups_that_are_local_only() -> None:
    assert tables(Filters(), "gcp")["over_time"] == "trip_summary"
    assert tables(FILTERS["miles"], "gcp")["over_time"] == "trips"


@pytest.mark.parametrize("name", BY_FILE)
def test_chart_by_file_is_refused_where_only_trips_could_answer(name: str) -> None:
    assert build_query(CHARTS[name], Filters(strays=True), "local").rollup
    with pytest.raises(ValueError, match=name):
        build_query(CHARTS[name], FILTERS["routes"], "local")
