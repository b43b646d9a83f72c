"""Run the queries of many charts in the background, each only once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from functools import partial

import streamlit as st

from pages.components.common.target import target
from pipeline.charts import ChartQuery, Query
from pipeline.core.errors import WarehouseError
from pipeline.core.settings.settings import Settings, load_settings
from pipeline.core.tasks import Task, TaskPool, run_in_background
from pipeline.warehouse import Warehouse
from pipeline.warehouse.registry import open_warehouse
from pipeline.warehouse.results import QueryResult, ResultCache

_CONCURRENT = 4
_CACHED_RESULTS = 400  # most have a few hundred rows
_TIMEOUT_SECONDS = 120.0  # much longer than any query of a chart takes


@dataclass(frozen=True)
class NeedsApproval:
    """Stands for the result of a query that would bill more than GCP_ASK_ABOVE_BYTES.

    Attributes:
        bytes: The bytes that BigQuery would bill.
        dollars: Their price, by the price per TiB in the settings.
    """

    bytes: int
    dollars: float


Outcome = QueryResult | NeedsApproval


class Outcomes:
    """The outcomes of queries, of which some may still be running."""

    def __init__(self, outcomes: Mapping[Hashable, Outcome | Task[Outcome, None]]) -> None:
        self._outcomes = outcomes

    def wait(self, query: Query) -> Outcome:
        """Wait for the outcome of one of the queries and return it.

        Raises what `Warehouse.read` raises, and WarehouseError after two minutes.
        """
        outcome = self._outcomes[_key(query)]
        if not isinstance(outcome, Task):
            return outcome
        if not outcome.wait(_TIMEOUT_SECONDS):
            raise WarehouseError(
                f"The warehouse has not answered within {_TIMEOUT_SECONDS:.0f} s.",
                cure="Reload the page to try again.",
            )
        return outcome.result()


class QueryRunner:
    """Runs the queries of charts, and caches their results until something is loaded."""

    def __init__(self) -> None:
        self._pool = TaskPool(_CONCURRENT)
        self._cache = ResultCache(_CACHED_RESULTS)

    def run(
        self,
        warehouse_name: str,
        settings: Settings,
        version: Hashable,
        queries: Collection[ChartQuery],
        approved: Collection[str] = (),
    ) -> Outcomes:
        """Start queries and return their outcomes, without waiting for any.

        Queries over rollups come first: they answer at once, the others scan the trips. All of them
        use one open warehouse, which is closed when the last has ended.

        Args:
            warehouse_name: The warehouse that runs the queries.
            settings: Say where it is, and from which size on a query needs approval.
            version: A value that changes whenever something is loaded.
            queries: The queries; two that are the same run once.
            approved: The SQL of queries to run whatever they bill.

        Raises WarehouseBusy if another process holds the warehouse.
        """
        outcomes: dict[Hashable, Outcome | Task[Outcome, None]] = {}
        works: dict[Hashable, ChartQuery] = {}
        for query in sorted(queries, key=lambda query: query.rollup is None):
            key = _key(query)
            result = self._cache.find((warehouse_name, key), version)
            if result is None:
                works[key] = query
            else:
                outcomes[key] = result
        if works:
            shared = _SharedWarehouse(open_warehouse(warehouse_name, settings), len(works))
            for key, query in works.items():
                work = partial(_read, query=query, settings=settings, approved=approved)
                cached = partial(self._run_and_cache, (warehouse_name, key), version, work)
                outcomes[key] = run_in_background(
                    partial(shared.use, cached), "chart query", self._pool
                )
        return Outcomes(outcomes)

    def _run_and_cache(
        self,
        key: Hashable,
        version: Hashable,
        work: Callable[[Warehouse], Outcome],
        warehouse: Warehouse,
    ) -> Outcome:
        outcome = work(warehouse)
        if isinstance(outcome, QueryResult):
            self._cache.keep(key, version, outcome)
        return outcome


class _SharedWarehouse:
    """A warehouse that several threads use; it is open until the last of them has."""

    def __init__(self, warehouse: Warehouse, uses: int) -> None:
        self._warehouse = warehouse.__enter__()
        self._uses = uses
        self._lock = threading.Lock()

    def use(self, work: Callable[[Warehouse], Outcome]) -> Outcome:
        """Return what `work` returns; close the warehouse if this is the last use."""
        try:
            return work(self._warehouse)
        finally:
            with self._lock:
                self._uses -= 1
                last = self._uses == 0
            if last:
                self._warehouse.__exit__(None, None, None)


def _key(query: Query) -> Hashable:
    return query.sql, tuple(query.parameters.items())


def _read(
    warehouse: Warehouse, *, query: ChartQuery, settings: Settings, approved: Collection[str]
) -> Outcome:
    if query.rollup is None and query.sql not in approved:
        scanned = warehouse.scan_bytes(query.sql, query.parameters)
        if scanned is not None and scanned > settings.gcp_ask_above_bytes:
            return NeedsApproval(scanned, scanned / 2**40 * settings.gcp_price_per_tib)
    return warehouse.read(query.sql, query.parameters)


@st.cache_resource(show_spinner=False)
def _query_runner() -> QueryRunner:
    return QueryRunner()


def run_queries(
    version: Hashable, queries: Collection[ChartQuery], approved: Collection[str]
) -> Outcomes:
    """Start queries of the warehouse that the page is about; see `QueryRunner.run`."""
    return _query_runner().run(target(), load_settings(), version, queries, approved)
