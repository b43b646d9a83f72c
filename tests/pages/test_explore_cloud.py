"""Run the queries of the Explore page in Google Cloud: what costs much waits for approval."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from pages.components.explore.query_runner import NeedsApproval, QueryRunner
from pipeline.charts import CHARTS, Filters, build_query
from pipeline.core.settings.settings import Settings
from pipeline.warehouse.results import QueryResult
from tests.support.files import GREEN, TARGETS, load, put_trips, trip

pytestmark = pytest.mark.gcp


@pytest.fixture
def loaded(gcp_settings: Settings, folder: Path) -> Iterator[Settings]:
    TARGETS[gcp_settings.home] = "gcp"
    put_trips(folder, GREEN, [trip(GREEN, fare_amount=str(n)) for n in range(40)])
    load(folder, GREEN, gcp_settings)
    st.cache_resource.clear()
    yield gcp_settings
    st.cache_resource.clear()


def test_query_that_bills_much_runs_only_once_it_is_approved(loaded: Settings) -> None:
    over_time = build_query(CHARTS["over_time"], Filters(), "gcp")
    routes = build_query(CHARTS["routes"], Filters(), "gcp")
    queries, runner = [over_time, routes], QueryRunner()
    # Dry runs of the emulator say 0 bytes, so a limit of -1 makes any query over trips too large.
    careful = loaded.model_copy(update={"gcp_ask_above_bytes": -1})
    outcomes = runner.run("gcp", careful, "first version", queries)
    trips_by_day = outcomes.wait(over_time)
    assert isinstance(trips_by_day, QueryResult)  # rollups are small
    assert isinstance(outcomes.wait(routes), NeedsApproval)
    approved = {routes.sql}
    result = runner.run("gcp", careful, "first version", queries, approved).wait(routes)
    assert isinstance(result, QueryResult)
    assert sum(result.table.column("trips").to_pylist()) == 40
    cached = runner.run("gcp", careful, "first version", queries, approved)
    assert cached.wait(routes) is result
    assert cached.wait(over_time) is trips_by_day
    after_load = runner.run("gcp", careful, "second version", queries, approved)
    assert after_load.wait(routes) is not result
