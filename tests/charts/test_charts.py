"""Compare the numbers of every chart with those worked out from the trips in Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline.charts import (
    CHARTS,
    COUNT,
    FIGURES,
    NOT_RECORDED,
    ChartQuery,
    Filters,
    build_query,
    filter_steps,
)
from pipeline.charts.queries import find_rollup
from pipeline.core.datasets import DATASETS, GREEN_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse import Warehouse
from pipeline.warehouse.measures import with_measures
from pipeline.warehouse.registry import find_backend
from tests.support.chart_cases import FILTERS
from tests.support.files import (
    GREEN,
    YELLOW,
    backfill,
    load,
    put_trips,
    request,
    rows,
    target,
    warehouse,
)
from tests.warehouse.test_real_files import RELEASES
from tests.warehouse.test_rollups import varied

MAY = TripFile(GREEN_TAXIS, Month(2020, 5))
AIRPORTS = (1, 132, 138)

Trip = dict[str, Any]


def read_chart(opened: Warehouse, query: ChartQuery) -> list[Trip]:
    """Return the rows of a chart."""
    result = opened.read(query.sql, query.parameters)
    chart_rows: list[Trip] = result.table.to_pylist()
    return chart_rows


COLUMNS_OF_TRIPS = {
    "filename": "filename",
    "zone": "PULocationID",
    "to": "DOLocationID",
    "payment": "payment_type",
    "total": "total_amount",
    "fare": "fare_amount",
    "tip": "tip_amount",
    "miles": "trip_distance",
}
"""The names by which the expectations below call columns."""


def all_trips(settings: Settings) -> list[Trip]:
    """Return every trip of both tables, with the columns that charts need."""
    trips = []
    for dataset in DATASETS.values():
        table = rows(
            settings,
            f"SELECT {dataset.pickup}, {dataset.dropoff}, {', '.join(COLUMNS_OF_TRIPS.values())}"
            f" FROM {with_measures(dataset, dataset.table)}",
        )
        names = ("pickup", "dropoff", *COLUMNS_OF_TRIPS)
        trips += [{"color": dataset.name, **dict(zip(names, row, strict=True))} for row in table]
    return trips


def filter_trips(trips: list[Trip], filters: Filters) -> Iterator[Trip]:
    """Yield the trips that meet the filters, with their day, hour, and whether they are strays."""
    for trip in trips:
        pickup = trip["pickup"]
        stray = pickup is None or f"{pickup:%Y-%m}" not in trip["filename"]
        day = pickup.date() if pickup else None
        payment = NOT_RECORDED if trip["payment"] is None else trip["payment"]
        if (
            trip["color"] in map(str, filters.datasets)
            and trip["filename"] not in {file.filename for file in filters.left_out}
            and (filters.strays or not stray)
            and (filters.first is None or (day is not None and day >= filters.first))
            and (filters.last is None or (day is not None and day <= filters.last))
            and (not filters.payments or payment in filters.payments)
            and (not filters.zones or trip["zone"] in filters.zones)
            and (not filters.dropoffs or trip["to"] in filters.dropoffs)
            and (
                filters.minimum_miles is None
                or (trip["miles"] is not None and trip["miles"] >= filters.minimum_miles)
            )
            and (not filters.weekdays or (day and day.weekday() in filters.weekdays))
            and (not filters.hours or (pickup and pickup.hour in filters.hours))
        ):
            yield trip | {"day": day, "hour": pickup.hour if pickup else None, "stray": stray}


def total(trips: list[Trip], name: str) -> Decimal | None:
    known = [trip[name] for trip in trips if trip[name] is not None]
    return sum(known, Decimal()) if known else None


def week(day: date | None) -> date | None:
    return day - timedelta(days=day.weekday()) if day else None


def bucket(value: Decimal | None, top: int, per_unit: int) -> int | None:
    if value is None:
        return None
    return -1 if value < 0 else min(top, int(value * per_unit))


def airport(trip: Trip) -> tuple[Any, ...]:
    began = trip["zone"] in AIRPORTS
    return trip["zone"] if began else trip["to"], began, week(trip["day"])


@dataclass(frozen=True)
class Expected:
    """How to work out a chart from trips in Python.

    Attributes:
        group: Returns the values of a trip that the chart groups by.
        sums: The column of the trips that each column of the chart adds up.
        takes: Returns whether the chart is about a trip.
    """

    group: Callable[[Trip], tuple[Any, ...]]
    sums: dict[str, str]
    takes: Callable[[Trip], bool] = lambda _: True


DOLLARS = {"dollars": "total"}
EXPECTED = {
    "over_time": Expected(
        lambda t: (t["color"], week(t["day"])),
        {"total_amount": "total", "fare_amount": "fare", "trip_distance": "miles"},
    ),
    "week_hours": Expected(
        lambda t: (t["day"].weekday(), t["hour"]), DOLLARS, lambda t: t["day"] is not None
    ),
    "payments": Expected(lambda t: (week(t["day"]), t["payment"]), {}),
    "tips": Expected(
        lambda t: (t["color"], t["hour"]),
        {"tips": "tip", "fares": "fare"},
        lambda t: t["payment"] == 1 and t["hour"] is not None,
    ),
    "fares": Expected(lambda t: (t["color"], bucket(t["fare"], 100, 1)), {}),
    "distances": Expected(lambda t: (t["color"], bucket(t["miles"], 60, 2)), {}),
    "zones": Expected(lambda t: (t["zone"],), DOLLARS),
    "routes": Expected(lambda t: (t["zone"], t["to"]), DOLLARS),
    "airports": Expected(airport, DOLLARS, lambda t: t["zone"] in AIRPORTS or t["to"] in AIRPORTS),
    "colors": Expected(lambda t: (t["color"], t["hour"]), DOLLARS),
    "coverage": Expected(lambda t: (t["filename"],), DOLLARS),
    "strays": Expected(
        lambda t: (t["filename"], t["day"].replace(day=1) if t["day"] else None),
        DOLLARS,
        lambda t: t["stray"],
    ),
}


def assert_chart(
    opened: Warehouse, target_name: str, trips: list[Trip], name: str, filters: Filters
) -> None:
    """Compare the rows of a chart with the groups of the trips."""
    chart = EXPECTED[name]
    groups: dict[Any, list[Trip]] = {}
    for trip in filter_trips(trips, filters):
        if chart.takes(trip):
            groups.setdefault(chart.group(trip), []).append(trip)
    expected = {
        key: (len(group), *(total(group, column) for column in chart.sums.values()))
        for key, group in groups.items()
    }
    chart_rows = read_chart(opened, build_query(CHARTS[name], filters, target_name, "week"))
    columns = list(chart_rows[0]) if chart_rows else ["trips"]
    keys = columns[: columns.index("trips")]
    actual = {
        tuple(row[key] for key in keys): (int(row["trips"]), *(row[sum_] for sum_ in chart.sums))
        for row in chart_rows
    }
    assert len(actual) == len(chart_rows)
    if name == "routes":
        assert len(actual) == min(10, len(expected))
        assert Counter(actual.values()) <= Counter(expected.values())
        expected = {key: expected[key] for key in actual}
    assert actual == expected


@pytest.fixture
def loaded(warehouse_settings: Settings, folder: Path) -> Settings:
    """A warehouse with trips of all sorts in three files."""
    for file, number in ((GREEN, 120), (YELLOW, 150), (MAY, 80)):
        put_trips(folder, file, varied(file, number))
        load(folder, file, warehouse_settings)
    return warehouse_settings


def some_filters(settings: Settings) -> list[Filters]:
    """Return all filters, or those that use every condition where each query takes a job."""
    few = ("all", "some days", "payments", "miles", "everything", "without two files")
    billed = find_backend(target(settings)).is_billed
    return [filters for name, filters in FILTERS.items() if not billed or name in few]


def can_answer(name: str, filters: Filters, target: str) -> bool:
    """Return whether a chart has an answer: those by file have none where there is no rollup."""
    chart = CHARTS[name]
    return not chart.by_file or find_rollup(chart, filters, target) is not None


def test_every_chart_under_every_filter_has_the_numbers_of_the_trips(loaded: Settings) -> None:
    trips = all_trips(loaded)
    assert len(trips) == 350
    with warehouse(loaded) as opened:
        for filters in some_filters(loaded):
            for name in EXPECTED:
                if can_answer(name, filters, target(loaded)):
                    assert_chart(opened, target(loaded), trips, name, filters)


def test_every_chart_has_its_numbers_worked_out_here() -> None:
    shared = {chart.name: chart.sql for chart in CHARTS.values() if chart.sql}
    assert EXPECTED.keys() | {COUNT.name, FIGURES.name} | shared.keys() == CHARTS.keys()
    for name, sql in shared.items():
        queries = [build_query(CHARTS[each], Filters(), "local") for each in (name, sql)]
        assert queries[0].sql == queries[1].sql


def test_figures_by_day_add_up_to_those_of_the_trips(loaded: Settings) -> None:
    trips = all_trips(loaded)
    with warehouse(loaded) as opened:
        cases = [(c, f) for c in (FIGURES, CHARTS["over_time"]) for f in some_filters(loaded)]
        for chart, filters in cases:
            days = read_chart(opened, build_query(chart, filters, target(loaded)))
            filtered = list(filter_trips(trips, filters))
            by_card = [trip for trip in filtered if trip["payment"] == 1]
            absurd = [t for t in filtered if t["miles"] is not None and not 0 <= t["miles"] <= 100]
            keys = ("day",) if chart is FIGURES else ("color", "period")
            assert len({tuple(row[key] for key in keys) for row in days}) == len(days)
            assert added(days, "trips") == len(filtered)
            assert added(days, "fares") == sum(trip["fare"] is not None for trip in filtered)
            assert added(days, "distances") == sum(trip["miles"] is not None for trip in filtered)
            assert added(days, "absurd_distances") == len(absurd)
            for name, trips_of, column in (
                ("absurd_miles", absurd, "miles"),
                ("total_amount", filtered, "total"),
                ("fare_amount", filtered, "fare"),
                ("trip_distance", filtered, "miles"),
                ("card_tips", by_card, "tip"),
                ("card_fares", by_card, "fare"),
            ):
                assert added(days, name) == (total(trips_of, column) or 0)


def added(table: list[Trip], name: str) -> Any:
    return sum(row[name] for row in table if row[name] is not None)


def test_each_filter_step_counts_the_trips_it_leaves(loaded: Settings) -> None:
    trips = all_trips(loaded)
    with warehouse(loaded) as opened:
        for filters in some_filters(loaded):
            counts = []
            for _, step in filter_steps(filters):
                (row,) = read_chart(opened, build_query(COUNT, step, target(loaded)))
                counts.append(int(row["trips"]))
                assert counts[-1] == sum(1 for _ in filter_trips(trips, step))
            assert list(filter_steps(filters))[-1][1] == filters
            assert counts == sorted(counts, reverse=True)


@pytest.mark.skipif(not RELEASES.exists(), reason="no real trip files here")
def test_charts_of_a_real_month_have_the_numbers_of_its_trips(settings: Settings) -> None:
    backfill(settings, request(RELEASES, YELLOW))
    trips = all_trips(settings)
    assert len(trips) == 10_000
    with warehouse(settings) as opened:
        for name in EXPECTED:
            assert_chart(opened, "local", trips, name, Filters(strays=name == "strays"))
        for name in ("over_time", "fares", "zones"):
            assert_chart(
                opened, "local", trips, name, Filters(zones=(74, 75), minimum_miles=Decimal(2))
            )
