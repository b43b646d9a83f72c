"""Every chart's numbers are those worked out from the trips without its SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline.charts import CHARTS, NOT_RECORDED, Filters, ask_shared, gather, pose, shared, steps
from pipeline.charts.questions import Question
from pipeline.settings import Settings
from pipeline.trips import Color, Month, TripFile
from pipeline.warehouse import Warehouse
from tests.chart_cases import FILTERS
from tests.files import GREEN, YELLOW, backfill, load, put_trips, request, rows, warehouse
from tests.test_real_files import RELEASES
from tests.test_summaries import varied

MAY = TripFile(Color.GREEN, Month(2020, 5))
AIRPORTS = (1, 132, 138)

Trip = dict[str, Any]


def ask(opened: Warehouse, question: Question) -> list[Trip]:
    """The rows of the answer, which are the same whatever they are asked of."""
    answer = opened.read(question.sql, question.parameters)
    if question.shared:
        for most in (0, 1_000_000):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(shared, "_MOST", most)
                gathered = gather(question.shared, opened)
            told = ask_shared(question, gathered, opened)
            assert (told.table, told.sql) == (answer.table, answer.sql)
            if most or question.shared.of_sums:
                assert told.seconds > gathered.seconds
    found: list[Trip] = answer.table.to_pylist()
    return found


def all_trips(settings: Settings) -> list[Trip]:
    """Every trip of both tables, with what the charts need of it."""
    names = ("filename", "pickup", "dropoff", "payment", "zone")
    names += ("to", "total", "fare", "tip", "miles")
    found = []
    for color in Color:
        told = rows(
            settings,
            f"SELECT filename, {color.pickup}, {color.dropoff}, payment_type, PULocationID,"
            " DOLocationID, total_amount, fare_amount, tip_amount, trip_distance"
            f" FROM {color.table}",
        )
        found += [{"color": color.value, **dict(zip(names, row, strict=True))} for row in told]
    return found


def kept(trips: list[Trip], filters: Filters) -> Iterator[Trip]:
    """The trips that these filters leave, one by one."""
    for trip in trips:
        pickup = trip["pickup"]
        stray = pickup is None or f"{pickup:%Y-%m}" not in trip["filename"]
        day = pickup.date() if pickup else None
        paid = NOT_RECORDED if trip["payment"] is None else trip["payment"]
        if (
            trip["color"] in filters.colors
            and (filters.strays or not stray)
            and (filters.first is None or (day is not None and day >= filters.first))
            and (filters.last is None or (day is not None and day <= filters.last))
            and (not filters.payments or paid in filters.payments)
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


# What a chart groups by, which trips it takes, and what it adds up beside counting them.
GROUPS: dict[str, tuple[Callable[[Trip], Any], Callable[[Trip], bool], dict[str, str]]] = {
    "over_time": (lambda t: (t["color"], week(t["day"])), lambda _: True, {"dollars": "total"}),
    "week_hours": (
        lambda t: (t["day"].weekday(), t["hour"]),
        lambda t: t["day"] is not None,
        {"dollars": "total"},
    ),
    "payments": (lambda t: (week(t["day"]), t["payment"]), lambda _: True, {}),
    "tips": (
        lambda t: (t["color"], t["hour"]),
        lambda t: t["payment"] == 1 and t["hour"] is not None,
        {"tips": "tip", "fares": "fare"},
    ),
    "fares": (lambda t: (t["color"], bucket(t["fare"], 100, 1)), lambda _: True, {}),
    "distances": (lambda t: (t["color"], bucket(t["miles"], 60, 2)), lambda _: True, {}),
    "zones": (lambda t: (t["zone"],), lambda _: True, {"dollars": "total"}),
    "pairs": (lambda t: (t["zone"], t["to"]), lambda _: True, {"dollars": "total"}),
    "airports": (
        airport,
        lambda t: t["zone"] in AIRPORTS or t["to"] in AIRPORTS,
        {"dollars": "total"},
    ),
    "coverage": (lambda t: (t["filename"],), lambda _: True, {"dollars": "total"}),
    "strays": (
        lambda t: (t["filename"], t["day"].replace(day=1) if t["day"] else None),
        lambda t: t["stray"],
        {"dollars": "total"},
    ),
}


def assert_chart(opened: Warehouse, trips: list[Trip], name: str, filters: Filters) -> None:
    """The rows of a chart are its groups of the trips, worked out in Python."""
    group_of, takes, sums = GROUPS[name]
    groups: dict[Any, list[Trip]] = {}
    for trip in kept(trips, filters):
        if takes(trip):
            groups.setdefault(group_of(trip), []).append(trip)
    expected = {
        key: (len(group), *(total(group, column) for column in sums.values()))
        for key, group in groups.items()
    }
    told = ask(opened, pose(name, filters, opened.name, "week"))
    keys = [column for column in (told[0] if told else {}) if column not in ("trips", *sums)]
    keys = [column for column in keys if column != "strays"]
    found = {
        tuple(row[key] for key in keys): (int(row["trips"]), *(row[column] for column in sums))
        for row in told
    }
    assert len(found) == len(told)
    if name == "pairs":
        assert len(found) == min(20, len(expected))
        assert Counter(found.values()).items() <= Counter(expected.values()).items()
        expected = {key: expected[key] for key in found}
    assert found == expected


@pytest.fixture
def loaded(either_settings: Settings, folder: Path) -> Settings:
    """Trips of all sorts in three files."""
    for file, number in ((GREEN, 120), (YELLOW, 150), (MAY, 80)):
        put_trips(folder, file, varied(file, number))
        load(folder, file, either_settings)
    return either_settings


def some_filters(opened: Warehouse) -> list[Filters]:
    """All, or those that between them use every condition where each question takes a job."""
    few = ("all", "some days", "payments", "miles", "everything")
    return [filters for name, filters in FILTERS.items() if opened.name == "local" or name in few]


def fits(name: str, filters: Filters) -> bool:
    """What is about files is asked of sums only, so never by zone or distance."""
    sums = not filters.zones and not filters.dropoffs and filters.minimum_miles is None
    return sums or name not in ("coverage", "strays")


def test_every_chart_under_every_filter_has_the_numbers_of_the_trips(loaded: Settings) -> None:
    trips = all_trips(loaded)
    assert len(trips) == 350
    with warehouse(loaded) as opened:
        for filters in some_filters(opened):
            for name in GROUPS:
                if fits(name, filters):
                    assert_chart(opened, trips, name, filters)


def test_the_figures_are_the_sums_of_each_day(loaded: Settings) -> None:
    trips = all_trips(loaded)
    sums = {"trips": "trips", "dollars": "total_amount"}
    with warehouse(loaded) as opened:
        for filters in some_filters(opened):
            told = ask(opened, pose("figures", filters, opened.name))
            mine = list(kept(trips, filters))
            cards = [trip for trip in mine if trip["payment"] == 1]
            assert len({row["day"] for row in told}) == len(told)
            assert {name: added(told, name) for name in ("trips", "fares", "distances")} == {
                "trips": len(mine),
                "fares": sum(trip["fare"] is not None for trip in mine),
                "distances": sum(trip["miles"] is not None for trip in mine),
            }
            absurd = [t for t in mine if t["miles"] is not None and not 0 <= t["miles"] <= 100]
            assert added(told, "absurd_distances") == len(absurd)
            for name, of, column in (
                ("absurd_miles", absurd, "miles"),
                ("total_amount", mine, "total"),
                ("fare_amount", mine, "fare"),
                ("trip_distance", mine, "miles"),
                ("card_tips", cards, "tip"),
                ("card_fares", cards, "fare"),
            ):
                assert added(told, name) == (total(of, column) or 0)
            by_color = ask(opened, pose("colors", filters, opened.name))
            assert [added(by_color, n) for n in sums] == [added(told, n) for n in sums.values()]


def added(table: list[Trip], name: str) -> Any:
    return sum(row[name] for row in table if row[name] is not None)


def test_sums_answer_where_they_can_and_the_trips_where_they_cannot() -> None:
    origins = {
        name: {chart: pose(chart, filters, "local").origin for chart in CHARTS}
        for name, filters in FILTERS.items()
    }
    assert origins["all"]["over_time"] == "day_summary"
    assert origins["all"]["tips"] == "slot_summary"
    assert origins["all"]["fares"] == origins["a month"]["fares"] == "fare_summary"
    assert origins["some days"]["distances"] == "trips"
    assert origins["some days"]["airports"] == "airport_summary"
    assert origins["some days"]["week_hours"] == "trip_summary"
    assert origins["hours"]["over_time"] == "trip_summary"
    assert origins["hours"]["week_hours"] == "slot_summary"
    assert pose("over_time", Filters(), "gcp").origin == "trip_summary"
    assert origins["a month"]["zones"] == "zone_summary"
    assert origins["zones"]["zones"] == "zone_summary"
    assert origins["some days"]["zones"] == "trips"
    assert origins["hours"]["zones"] == "trips"
    assert origins["zones"]["over_time"] == "trips"
    assert set(origins["ways"].values()) == {"trips"}
    assert origins["miles"] | {"coverage": "", "strays": ""} == {
        "count": "day_mile_summary",
        "figures": "day_mile_summary",
        "over_time": "day_mile_summary",
        "week_hours": "slot_mile_summary",
        "payments": "day_mile_summary",
        "tips": "slot_mile_summary",
        "colors": "slot_mile_summary",
        "fares": "fare_mile_summary",
        "distances": "distance_summary",
        "zones": "zone_mile_summary",
        "pairs": "trips",
        "airports": "airport_mile_summary",
        "coverage": "",
        "strays": "",
    }
    assert origins["miles of a month"]["fares"] == "fare_mile_summary"
    assert origins["miles of zones"]["zones"] == "zone_mile_summary"
    assert set(origins["miles between"].values()) == {"trips"}
    assert set(origins["too many miles"].values()) == {"trips"}
    assert pose("over_time", FILTERS["miles"], "gcp").origin == "trips"


def test_charts_of_picked_trips_share_these() -> None:
    filters = Filters(zones=(7,), payments=(1,), hours=(8,))
    picked = pose("figures", Filters(zones=(7,)), "local").shared
    assert picked
    found = {name: pose(name, filters, "local").shared for name in CHARTS}
    sharing = {name: one for name, one in found.items() if one and one.trips == picked.trips}
    assert set(CHARTS) - set(sharing) == {"count", "coverage", "strays"}
    of_sums = {name for name, one in sharing.items() if one.sums == picked.sums and one.of_sums}
    assert of_sums == {"figures", "over_time", "week_hours", "payments", "tips", "colors"}
    for filters in (FILTERS["miles between"], FILTERS["ways"], FILTERS["too many miles"]):
        assert pose("figures", filters, "local").shared
    assert not pose("figures", Filters(), "local").shared, "kept sums tell it"
    assert not pose("figures", Filters(zones=(7,)), "gcp").shared, "it would bill all columns"


def test_each_filter_says_how_many_trips_it_leaves(loaded: Settings) -> None:
    trips = all_trips(loaded)
    with warehouse(loaded) as opened:
        for filters in some_filters(opened):
            counts = []
            for _, step in steps(filters):
                (row,) = ask(opened, pose("count", step, opened.name))
                counts.append(int(row["trips"]))
                assert counts[-1] == sum(1 for _ in kept(trips, step))
            assert list(steps(filters))[-1][1] == filters
            assert counts == sorted(counts, reverse=True)


@pytest.mark.skipif(not RELEASES.exists(), reason="no real trip files here")
def test_a_real_month_has_the_numbers_of_its_trips(settings: Settings) -> None:
    backfill(settings, request(RELEASES, YELLOW))
    trips = all_trips(settings)
    assert len(trips) == 10_000
    with warehouse(settings) as opened:
        for name in GROUPS:
            assert_chart(opened, trips, name, Filters(strays=name == "strays"))
        for name in ("over_time", "fares", "zones"):
            assert_chart(opened, trips, name, Filters(zones=(74, 75), minimum_miles=Decimal(2)))
