"""Run the queries of many charts at once: what they share, what is cached, and how they fail."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pages.components.explore.query_runner import QueryRunner
from pipeline.charts import CHARTS, ChartQuery, Filters, build_query
from pipeline.core.errors import WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.warehouse import Parameters
from pipeline.warehouse.local.warehouse import LocalWarehouse
from pipeline.warehouse.results import QueryResult
from tests.support.files import GREEN, YELLOW, load, put_trips, warehouse
from tests.warehouse.test_rollups import varied

SOME_ZONES = Filters(zones=(7, 74, 132))


@pytest.fixture
def loaded(settings: Settings, folder: Path) -> Settings:
    for file, number in ((GREEN, 120), (YELLOW, 150)):
        put_trips(folder, file, varied(file, number))
        load(folder, file, settings)
    return settings


@pytest.fixture
def trip_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that read the trips of the warehouse."""
    statements: list[str] = []
    read = LocalWarehouse.read

    def note(self: LocalWarehouse, sql: str, parameters: Parameters | None = None) -> QueryResult:
        if "storage." in sql:
            statements.append(sql)
        return read(self, sql, parameters)

    monkeypatch.setattr(LocalWarehouse, "read", note)
    return statements


def make_queries(filters: Filters) -> dict[str, ChartQuery]:
    """Return the query of every chart that trips can answer, by its name."""
    charts = [chart for chart in CHARTS.values() if not chart.by_file]
    return {chart.name: build_query(chart, filters, "local") for chart in charts}


def run_all(
    runner: QueryRunner,
    settings: Settings,
    queries: Mapping[str, ChartQuery],
    version: str = "first version",
) -> dict[str, QueryResult]:
    """Run queries and return their results, by name."""
    outcomes = runner.run("local", settings, version, list(queries.values()))
    results = {name: outcomes.wait(query) for name, query in queries.items()}
    return {name: result for name, result in results.items() if isinstance(result, QueryResult)}


def test_each_query_reads_the_trips_once_until_something_is_loaded(
    loaded: Settings, trip_reads: list[str]
) -> None:
    queries, runner = make_queries(SOME_ZONES), QueryRunner()
    results = run_all(runner, loaded, {**queries, "figures again": queries["figures"]})
    over_trips = [query.sql for query in queries.values() if query.rollup is None]
    assert over_trips
    assert sorted(trip_reads) == sorted(over_trips)
    with warehouse(loaded) as opened:
        for name, query in queries.items():
            assert results[name].table == opened.read(query.sql, query.parameters).table, name
            assert results[name].table.num_rows, name
    trip_reads.clear()
    assert run_all(runner, loaded, queries)["figures"] is results["figures"]
    assert trip_reads == []
    run_all(runner, loaded, queries, version="second version")
    assert sorted(trip_reads) == sorted(over_trips)


def test_warehouse_is_closed_when_the_last_query_has_ended(
    loaded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    enter, leave = LocalWarehouse.__enter__, LocalWarehouse.__exit__

    def note_enter(self: LocalWarehouse) -> LocalWarehouse:
        events.append("open")
        return enter(self)

    def note_exit(self: LocalWarehouse, *error: object) -> None:
        events.append("close")
        leave(self, *error)

    monkeypatch.setattr(LocalWarehouse, "__enter__", note_enter)
    monkeypatch.setattr(LocalWarehouse, "__exit__", note_exit)
    runner, queries = QueryRunner(), make_queries(SOME_ZONES)
    run_all(runner, loaded, queries)
    assert events == ["open", "close"]
    run_all(runner, loaded, queries)
    assert events == ["open", "close"], "cached results need no warehouse"


def test_error_of_the_warehouse_reaches_every_chart(
    loaded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> QueryResult:
        raise WarehouseError("The disk is gone.", cure="Bring it back.")

    monkeypatch.setattr(LocalWarehouse, "read", fail)
    queries = make_queries(SOME_ZONES)
    outcomes = QueryRunner().run("local", loaded, "first version", list(queries.values()))
    for query in queries.values():
        with pytest.raises(WarehouseError, match="The disk is gone"):
            outcomes.wait(query)
