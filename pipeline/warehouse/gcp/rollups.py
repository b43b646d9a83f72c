"""The statements that create and fill the rollups in BigQuery."""

from __future__ import annotations

from pipeline.core.datasets import Dataset
from pipeline.core.sql import statement
from pipeline.warehouse.dialect import trip_expressions
from pipeline.warehouse.measures import with_measures
from pipeline.warehouse.rollups import KEYS, ROLLUPS, SUMS, RollupColumn

GOOGLE_ROLLUPS = {name: rollup for name, rollup in ROLLUPS.items() if not rollup.local}


def create_rollups() -> list[str]:
    """Return the statements that create the rollups that do not exist yet."""
    return [
        statement(
            "bigquery/create_rollup",
            rollup=rollup.name,
            words=rollup.label,
            key_definitions=",\n    ".join(_define(KEYS[name]) for name in rollup.keys),
            sum_definitions=",\n    ".join(_define(SUMS[name]) for name in rollup.sums),
        )
        for rollup in GOOGLE_ROLLUPS.values()
    ]


def _define(field: RollupColumn) -> str:
    return f"{field.name} {field.type} OPTIONS (description = '{field.description}')"


def delete_rollups() -> list[str]:
    """Return the statements that delete the rows of the file @filename from the rollups."""
    return [statement("bigquery/delete_rollup", rollup=name) for name in GOOGLE_ROLLUPS]


def fill_rollups(dataset: Dataset, rows: str) -> list[str]:
    """Return the statements that write the sums of this color's files that are in `rows`."""
    expressions = trip_expressions(dataset)
    return [
        statement(
            "bigquery/fill_rollup",
            color=dataset.name,
            rows=with_measures(dataset, rows),
            **rollup.identifiers(expressions, first=2),
        )
        for rollup in GOOGLE_ROLLUPS.values()
    ]
