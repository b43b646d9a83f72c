"""Rejects of a file that BigQuery read: found again in the staged file, where the lines are.

An external table says neither which lines it skipped nor on which line a row was. So when rows are
missing or do not fit (few files have such rows), the staged file is read once more by the local
warehouse's own code; both must then agree on every count.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from decimal import Decimal

from pipeline.download import StagedFile
from pipeline.settings import Settings
from pipeline.warehouse import Watch
from pipeline.warehouse.local_rejects import Reject


@dataclass(frozen=True)
class Reading:
    """What the local reader makes of a file: its rejects, and the rows and dollars it takes."""

    rejects: list[Reject]
    rows: int
    total_amount: Decimal


def read_again(staged: StagedFile, settings: Settings, watch: Watch) -> Reading:
    """Read a staged file with DuckDB; raises TripFileError when too much of it is rejected."""
    import duckdb

    from pipeline.errors import Cancelled
    from pipeline.warehouse.local_load import extract

    with tempfile.TemporaryDirectory(prefix="fareground-") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": settings.memory_limit,
            "temp_directory": spill,
            "TimeZone": "UTC",
            "autoinstall_known_extensions": False,
        }
        with duckdb.connect(":memory:", config=config) as connection:
            try:
                with watch.cancel.calling(connection.interrupt):
                    rejects = extract(connection, staged, watch, settings.max_rejected_share)
                    row = connection.execute(
                        "SELECT count(*), coalesce(sum(total_amount), 0) FROM incoming"
                    ).fetchone()
            except duckdb.InterruptException:
                raise Cancelled from None
    assert row is not None  # an aggregate always gives a row
    return Reading(rejects, int(row[0]), Decimal(row[1]))
