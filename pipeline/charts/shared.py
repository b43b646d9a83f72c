"""Answers charts from trips, or sums of them, that are fetched once for all and held in memory."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache

import duckdb

from pipeline.charts.questions import PICKED, Asked, Question, Shared
from pipeline.sql import translate
from pipeline.warehouse import Answer, Warehouse
from pipeline.warehouse.results import collect

_MOST = 1_000_000  # trips that are fetched, 95 bytes each; of more, sums are
_BATCH = 100_000  # rows that are fetched at once


def gather(shared: Shared, warehouse: Warehouse) -> Answer:
    """Fetch the picked trips, or their sums where there are too many of them to be held.

    The answer has the seconds of all that was asked; it is their number where sums are no use.
    Raises what `Warehouse.read` raises.
    """
    count = _read(warehouse, shared.count)
    few = count.table["trips"][0].as_py() <= _MOST
    asked = shared.trips if few else shared.sums
    if asked is None:
        return count
    found = _read(warehouse, asked)
    return replace(found, seconds=count.seconds + found.seconds)


def ask_shared(question: Question, gathered: Answer, warehouse: Warehouse) -> Answer:
    """Return the answer to a question that has a `shared`, from what `gather` gave for it.

    The answer has the statement that asks the trips for the same, and the seconds of both steps.
    What sums cannot answer is asked of the trips in the warehouse.
    """
    assert question.shared
    sums = "trips" in gathered.table.column_names
    asked = question.shared.of_sums if sums else question.shared.of_trips
    if asked is None:
        return _read(warehouse, Asked(question.sql, question.parameters))
    started = time.perf_counter()
    with _memory().cursor() as cursor:
        cursor.register(PICKED, gathered.table)  # for this cursor only
        found = cursor.sql(translate(asked.sql), params=dict(asked.parameters)).to_arrow_reader(
            _BATCH
        )
        table = collect(found, found.schema)
    seconds = gathered.seconds + time.perf_counter() - started
    return Answer(table, translate(question.sql), seconds)


def _read(warehouse: Warehouse, asked: Asked) -> Answer:
    return warehouse.read(asked.sql, asked.parameters)


@cache
def _memory() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        ":memory:", config={"enable_external_access": False, "autoinstall_known_extensions": False}
    )
