"""Reading BigQuery: bounded, streamed where that is allowed, and never the same twice."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from datetime import UTC, date, datetime
from datetime import time as dt_time
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest

from pipeline.core.errors import WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.warehouse import results
from pipeline.warehouse.gcp import read as google_read
from pipeline.warehouse.gcp.warehouse import GoogleWarehouse
from pipeline.warehouse.registry import open_warehouse
from tests.support.files import GREEN, TARGETS, load, put_trips, trip
from tests.support.gcp.proxy import Proxy

COUNT = "SELECT COUNT(*) AS trips FROM green_tripdata WHERE filename = @filename"
NAME = {"filename": GREEN.filename}
MANY = """
SELECT n, CAST(n AS NUMERIC) / 4 AS quarter, TIMESTAMP_MICROS(n) AS moment,
    MD5(CAST(n AS STRING)) AS id, IF(MOD(n, 7) = 0, NULL, 'x') AS letter
FROM UNNEST(GENERATE_ARRAY(1, 150000)) AS n
ORDER BY n
"""


@pytest.fixture
def settings(gcp_settings: Settings) -> Settings:
    TARGETS[gcp_settings.home] = "gcp"
    return gcp_settings


@contextmanager
def refusing(code: grpc.StatusCode) -> Iterator[tuple[str, list[str]]]:
    """A Storage Read API that refuses every call; yields its address and the calls it saw."""
    calls: list[str] = []

    class Refuse(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            calls.append(details.method)
            return grpc.unary_unary_rpc_method_handler(
                lambda _request, context: context.abort(code, "it has not been used before")
            )

    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Refuse(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}", calls
    finally:
        server.stop(None).wait()


def test_the_same_question_is_asked_once_until_the_ledger_changes(
    settings: Settings, folder: Path, tables: Proxy
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    with open_warehouse("gcp", settings) as warehouse:
        first = warehouse.read(COUNT, NAME)
        asked = len(tables.jobs())
        again = warehouse.read(COUNT, NAME)
        records = warehouse.records()
    assert (again.table, again.bytes_billed) == (first.table, 0)
    with open_warehouse("gcp", settings) as warehouse:  # kept by the process, not the block
        warehouse.read(COUNT, NAME)
        assert warehouse.records() == records
        assert len(tables.jobs()) == asked + 1  # the ledger, read once
        warehouse.read(COUNT, {"filename": "another"})
        assert len(tables.jobs()) == asked + 2
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    load(folder, GREEN, settings)
    with open_warehouse("gcp", settings) as warehouse:
        assert warehouse.read(COUNT, NAME).table.to_pylist() == [{"trips": 2}]
        assert warehouse.records()[GREEN].loaded.rows == 2


def test_bigquerys_own_cache_is_used_and_people_are_asked_anew(
    settings: Settings, tables: Proxy
) -> None:
    with open_warehouse("gcp", settings) as warehouse:
        for _ in range(2):
            assert warehouse.query("SELECT 1 AS one", limit=5).rows == [(1,)]
    jobs = [job["configuration"] for job in tables.jobs()]
    assert [job.get("dryRun", False) for job in jobs] == [True, False] * 2
    assert all(job["query"]["useQueryCache"] is True for job in jobs if not job.get("dryRun"))


def test_a_large_result_is_streamed_and_is_the_same_as_by_the_ordinary_way(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    streamed: list[str] = []
    connect = google_read._connect
    monkeypatch.setattr(google_read, "_connect", lambda at: streamed.append("") or connect(at))
    with open_warehouse("gcp", settings) as warehouse:
        fast = warehouse.read(MANY)
    assert (len(streamed), fast.note) == (1, "")
    monkeypatch.delenv("BIGQUERY_STORAGE_EMULATOR_HOST")
    with open_warehouse("gcp", settings) as warehouse:
        slow = warehouse.read(MANY + "-- asked anew")
    assert fast.table.num_rows == slow.table.num_rows == 150_000
    assert fast.table.equals(slow.table)
    assert fast.table.slice(2, 1).to_pylist()[0] | {"id": b""} == {
        "n": 3,
        "quarter": Decimal("0.75"),
        "moment": datetime(1970, 1, 1, 0, 0, 0, 3, tzinfo=UTC),
        "id": b"",
        "letter": "x",
    }


@pytest.mark.parametrize("code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED])
def test_without_the_storage_api_rows_come_the_slower_way_and_that_is_said_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, code: grpc.StatusCode
) -> None:
    monkeypatch.setattr(google_read, "_refused", set())
    with refusing(code) as (address, calls):
        monkeypatch.setenv("BIGQUERY_STORAGE_EMULATOR_HOST", address)
        with open_warehouse("gcp", settings) as warehouse:
            first = warehouse.read(MANY)
            second = warehouse.read(MANY + "-- and another")
    assert first.table.num_rows == second.table.num_rows == 150_000
    assert "Read Session User" in first.note
    assert second.note == ""
    assert len(calls) == 1


def test_a_result_that_does_not_fit_is_refused_with_a_cure(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "MOST_BYTES", 100_000)
    with open_warehouse("gcp", settings) as warehouse:
        with pytest.raises(WarehouseError, match="too much to hold"):
            warehouse.read(MANY)
        with pytest.raises(WarehouseError, match=r"WHERE or a LIMIT"):
            warehouse.query("SELECT REPEAT('x', 200000) AS x", limit=1)
        assert len(warehouse.query(MANY, limit=10).rows) == 10


def test_an_empty_result_has_its_columns(settings: Settings) -> None:
    nothing = "SELECT 1 AS one FROM UNNEST([1]) WHERE FALSE"
    with open_warehouse("gcp", settings) as warehouse:
        assert warehouse.read(nothing).table.schema.names == ["one"]
        assert warehouse.query(nothing, limit=3).columns == ("one",)


def test_numbers_and_times_of_a_query_are_those_of_the_local_warehouse(
    settings: Settings,
) -> None:
    select = "SELECT NUMERIC '90' AS a, NUMERIC '9.30' AS b, TIMESTAMP '2020-04-01' AS c"
    with GoogleWarehouse(settings) as warehouse:
        ((a, b, c),) = warehouse.query(select, limit=1).rows
    assert [str(a), str(b), c] == ["90", "9.3", datetime(2020, 4, 1)]


def test_threads_that_read_at_once_share_one_warehouse(settings: Settings) -> None:
    found: list[int] = []
    with open_warehouse("gcp", settings) as warehouse:

        def read(number: int) -> None:
            select = f"SELECT n + {number} AS n FROM UNNEST(GENERATE_ARRAY(1, 20000)) AS n"
            found.append(sum(warehouse.read(select).table["n"].to_pylist()) - 20_000 * number)

        threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [20_000 * 20_001 // 2] * 4


def test_values_of_every_type_leave_a_query_as_plain_ones(settings: Settings) -> None:
    select = (
        "SELECT CAST('nan' AS FLOAT64) AS a, [1.5, CAST('inf' AS FLOAT64)] AS b,"
        " STRUCT(1 AS x, 'y' AS y) AS c, B'x' AS d,"
        " DATE '2020-04-01' AS e, TIME '08:00:00' AS f,"
        " [STRUCT(TIMESTAMP '2020-04-01' AS t)] AS g, CAST(NULL AS STRING) AS h"
    )
    with GoogleWarehouse(settings) as warehouse:
        ((a, *others),) = warehouse.query(select, limit=1).rows
    assert math.isnan(a)
    assert others == [
        [1.5, math.inf], {"x": 1, "y": "y"}, b"x", date(2020, 4, 1), dt_time(8),
        [{"t": datetime(2020, 4, 1)}], None,
    ]  # fmt: skip
