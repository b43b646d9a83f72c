"""Answers a chart from sums in memory that other charts are answered from, too."""

from __future__ import annotations

import time
from functools import cache

import duckdb

from pipeline.charts.questions import Question
from pipeline.sql import translate
from pipeline.warehouse import Answer
from pipeline.warehouse.results import collect

_BATCH = 100_000  # rows that are fetched at once


def ask_shared(question: Question, sums: Answer) -> Answer:
    """Return the answer to a question that has a `shared`, of which these are the `sums`.

    The answer has the statement that asks the trips for the same, and the seconds of both steps.
    """
    assert question.shared
    started = time.perf_counter()
    with _memory().cursor() as cursor:
        cursor.register(question.shared.table, sums.table)  # for this cursor only
        found = cursor.sql(
            translate(question.shared.sql), params=dict(question.shared.parameters)
        ).to_arrow_reader(_BATCH)
        table = collect(found, found.schema)
    seconds = sums.seconds + time.perf_counter() - started
    return Answer(table, translate(question.sql), seconds)


@cache
def _memory() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        ":memory:", config={"enable_external_access": False, "autoinstall_known_extensions": False}
    )
