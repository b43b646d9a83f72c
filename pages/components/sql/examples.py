"""Queries that the SQL page offers to start with."""

from __future__ import annotations

from pipeline.core.datasets import Dataset

MEANING = (
    "Trips of each color, `rejects`, `load_ledger`, and the rollups behind the charts. The page "
    "only reads."
)
"""The caption of the list of tables beside the SQL box."""


def example_queries(dataset: Dataset) -> tuple[str, ...]:
    """Return queries of the warehouse, the first two of one dataset."""
    trips, pickup = dataset.table, dataset.pickup
    return (
        f"SELECT date_trunc('day', {pickup}) AS day, count(*) AS trips\n"
        f"FROM {trips} GROUP BY day ORDER BY day",
        f"SELECT PULocationID AS zone, count(*) AS trips\n"
        f"FROM {trips} GROUP BY zone ORDER BY trips DESC LIMIT 20",
        "FROM load_ledger ORDER BY finished_at DESC LIMIT 20",
        "SHOW TABLES",
    )
