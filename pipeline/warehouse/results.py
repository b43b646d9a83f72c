"""What a read brings into memory: bounded, and kept, so as to ask nothing twice."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

from pipeline.errors import WarehouseError

if TYPE_CHECKING:
    import pyarrow

    from pipeline.warehouse import Answer

MOST_BYTES = 512 * 2**20  # of one answer; a month of 15 M rows with two columns fits
_KEPT_BYTES = 128 * 2**20  # of all answers that are kept


def collect(
    batches: Iterable[pyarrow.RecordBatch], schema: pyarrow.Schema | None = None
) -> pyarrow.Table:
    """Put the batches of a result together; `schema` is needed where there may be none.

    Raises WarehouseError as soon as they hold more than MOST_BYTES; the rest is not fetched.
    """
    import pyarrow

    held, size = [], 0
    for batch in batches:
        size += batch.nbytes
        if size > MOST_BYTES:
            raise WarehouseError(
                f"The result is larger than {MOST_BYTES / 2**20:,.0f} MiB, too much to hold in "
                "memory.",
                cure="Ask for fewer rows or columns: group them, or add a WHERE or a LIMIT.",
            )
        held.append(batch)
    return pyarrow.Table.from_batches(held, schema)


class Answers:
    """Answers of this process, each valid for one version of what it was read from.

    Bounded by number and bytes; what was not asked for the longest goes first. Every method may be
    called from any thread.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Hashable, Answer]] = OrderedDict()

    def find(self, question: Hashable, version: Hashable) -> Answer | None:
        """Return the answer that was kept for this question, unless it is of another version."""
        with self._lock:
            found = self._kept.get(question)
            if found is None or found[0] != version:
                return None
            self._kept.move_to_end(question)
            return found[1]

    def keep(self, question: Hashable, version: Hashable, answer: Answer) -> None:
        """Keep an answer; one that alone would take all the room is not kept."""
        with self._lock:
            self._kept.pop(question, None)
            if answer.table.nbytes > _KEPT_BYTES:
                return
            self._kept[question] = version, answer
            size = sum(kept.table.nbytes for _, kept in self._kept.values())
            while len(self._kept) > self._most or size > _KEPT_BYTES:
                _, (_, dropped) = self._kept.popitem(last=False)
                size -= dropped.table.nbytes
