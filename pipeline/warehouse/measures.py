"""The measures that rollups and charts read from trips, for datasets that lack some of them.

The rollups and charts of all datasets have the same columns. A dataset that is published without
money, distances or payments has NULL in them.
"""

from __future__ import annotations

from decimal import Decimal

from pipeline.core.datasets import Dataset

MEASURES = {
    "payment_type": "INT64",
    "total_amount": "NUMERIC",
    "fare_amount": "NUMERIC",
    "tip_amount": "NUMERIC",
    "trip_distance": "NUMERIC",
}
"""Types by column, by names that GoogleSQL and DuckDB share; BigQuery casts to no NUMERIC(9, 2)."""


def with_measures(dataset: Dataset, rows: str) -> str:
    """Return rows of a dataset as a table, in SQL, that has every measure.

    Args:
        rows: A table or subquery that has the columns of the dataset.
    """
    nulls = [
        f"CAST(NULL AS {type_}) AS {name}"
        for name, type_ in MEASURES.items()
        if not dataset.has(name)
    ]
    return f"(SELECT *, {', '.join(nulls)} FROM {rows})" if nulls else rows


def amount_of(dataset: Dataset) -> str:
    """Return the SQL for the dollars of a trip, NULL in a dataset without money."""
    return "total_amount" if dataset.has("total_amount") else "CAST(NULL AS NUMERIC)"


def has_amount(dataset: Dataset) -> bool:
    """Whether trips have dollars, whose sum a load reconciles.

    Without them it reconciles a checksum of the columns of the row identity instead.
    """
    return dataset.has("total_amount")


def describe_sum(dataset: Dataset, value: Decimal | int) -> str:
    """Return in words what a load reconciles beside the number of rows."""
    return f"${value:,}" if has_amount(dataset) else f"checksum {value}"
