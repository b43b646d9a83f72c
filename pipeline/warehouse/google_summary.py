"""The statements about the sums from which charts are drawn, in BigQuery; see `summaries`."""

from __future__ import annotations

from pipeline.sql import statement
from pipeline.trips import Color
from pipeline.warehouse.google_columns import trip_expressions
from pipeline.warehouse.summaries import KEYS, SUMMARIES, SUMS, Field

GOOGLE_SUMMARIES = {name: summary for name, summary in SUMMARIES.items() if not summary.local}


def create_summaries() -> list[str]:
    """Return the statements that make the tables of the sums, where they are not there yet."""
    return [
        statement(
            "bigquery/create_summary",
            summary=summary.name,
            words=summary.words,
            key_definitions=",\n    ".join(_define(KEYS[name]) for name in summary.keys),
            sum_definitions=",\n    ".join(_define(SUMS[name]) for name in summary.sums),
        )
        for summary in GOOGLE_SUMMARIES.values()
    ]


def _define(field: Field) -> str:
    return f"{field.name} {field.type} OPTIONS (description = '{field.description}')"


def delete_summaries() -> list[str]:
    """Return the statements that forget the sums of the file @filename."""
    return [statement("bigquery/delete_summary", summary=name) for name in GOOGLE_SUMMARIES]


def fill_summaries(color: Color, rows: str) -> list[str]:
    """Return the statements that write the sums of this color's files that are in `rows`."""
    expressions = trip_expressions(color)
    return [
        statement(
            "bigquery/fill_summary",
            color=color.value,
            rows=rows,
            **summary.identifiers(expressions, first=2),
        )
        for summary in GOOGLE_SUMMARIES.values()
    ]
