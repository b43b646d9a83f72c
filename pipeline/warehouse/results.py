"""The results of statements, as Arrow tables in memory: bounded in size, and cached."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.core.errors import WarehouseError

if TYPE_CHECKING:
    import pyarrow

MOST_BYTES = 512 * 2**20  # of one result; a month of 15 M rows with two columns fits
_CACHED_BYTES = 128 * 2**20  # of all cached results together


@dataclass(frozen=True)
class QueryResult:
    """What one of our own statements returned.

    Attributes:
        table: All its rows.
        sql: The statement in the SQL of the warehouse that ran it.
        seconds: How long it took.
        bytes_billed: 0 for a cached result, None where reading is not billed.
        note: A sentence for people about how it went, mostly "".
    """

    table: pyarrow.Table
    sql: str
    seconds: float
    bytes_billed: int | None = None
    note: str = ""


def collect(
    batches: Iterable[pyarrow.RecordBatch], schema: pyarrow.Schema | None = None
) -> pyarrow.Table:
    """Return the batches of a result as one table.

    Raises WarehouseError as soon as they exceed MOST_BYTES; the rest is not fetched.

    Args:
        schema: Needed where there may be no batch.
    """
    import pyarrow

    collected, size = [], 0
    for batch in batches:
        size += batch.nbytes
        if size > MOST_BYTES:
            raise WarehouseError(
                f"The result is larger than {MOST_BYTES / 2**20:,.0f} MiB, too much to hold in "
                "memory.",
                cure="Select fewer rows or columns: group them, or add a WHERE or a LIMIT.",
            )
        collected.append(batch)
    return pyarrow.Table.from_batches(collected, schema)


class ResultCache:
    """Results of this process, each valid for one version of the data it was read from.

    Its size is bounded by number and bytes; the least recently used result is dropped first. Every
    method may be called from any thread.

    Args:
        most: The largest number of results.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._results: OrderedDict[Hashable, tuple[Hashable, QueryResult]] = OrderedDict()

    def find(self, key: Hashable, version: Hashable) -> QueryResult | None:
        """Return the cached result of this key and version, or None."""
        with self._lock:
            cached_version, result = self._results.get(key, (None, None))
            if result is None or cached_version != version:
                return None
            self._results.move_to_end(key)
            return result

    def keep(self, key: Hashable, version: Hashable, result: QueryResult) -> None:
        """Cache a result, unless it alone would take all the room."""
        with self._lock:
            self._results.pop(key, None)
            if result.table.nbytes > _CACHED_BYTES:
                return
            self._results[key] = version, result
            size = sum(cached.table.nbytes for _, cached in self._results.values())
            while len(self._results) > self._most or size > _CACHED_BYTES:
                _, (_, dropped) = self._results.popitem(last=False)
                size -= dropped.table.nbytes
