"""Read query results from BigQuery as Arrow, bounded in size and cached.

Two caches save money. The one here holds what this process read for as long as the ledger's table
is unchanged: every load adds a row to it, and asking for its version is free. BigQuery's own cache
(`use_query_cache` in `gcp/jobs.py`) serves, unbilled, what any process asked the same way. SQL that
people write uses only the latter, because it may depend on the time of day.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.core.settings.settings import Settings
from pipeline.warehouse import Parameters
from pipeline.warehouse.gcp.errors import make_retry, translated
from pipeline.warehouse.gcp.jobs import JobRunner, bind
from pipeline.warehouse.gcp.location import CloudLocation
from pipeline.warehouse.results import QueryResult, ResultCache, collect

if TYPE_CHECKING:
    import pyarrow
    from google.cloud.bigquery import Client, QueryJob
    from google.cloud.bigquery_storage import BigQueryReadClient

LEDGER = "load_ledger"
_PATIENCE = 60.0  # seconds for the response to one request
_FEW_ROWS = 10_000  # the ordinary API returns so many before a session of the other is open
_CACHE = ResultCache()
_refused: set[str] = set()  # projects whose Storage Read API may not be used
_refused_lock = threading.Lock()
_REFUSED = (
    "The account may not use the BigQuery Storage Read API, so large results take longer. Cure: "
    "enable it for the project {project} and give the account the role BigQuery Read Session "
    "User."
)


class BigQueryReader:
    """Runs our own SELECTs and returns their rows."""

    def __init__(self, client: Client, location: CloudLocation, settings: Settings) -> None:
        self._client = client
        self._location = location
        self._settings = settings
        self._storage: BigQueryReadClient | None = None
        self._opening = threading.Lock()

    def close(self) -> None:
        """Close the connection to the Storage Read API, if there is one."""
        if self._storage is not None:
            self._storage.transport.close()  # type: ignore[no-untyped-call]

    def version(self) -> Hashable:
        """Return a value that changes with every ledger entry, or None when there is no ledger."""
        from google.api_core.exceptions import NotFound

        location = self._location
        name = f"{location.project}.{location.dataset}.{LEDGER}"
        with translated(location, "read the ledger"):
            try:
                table = self._client.get_table(
                    name, retry=make_retry(self._settings.gcp_retry_seconds), timeout=_PATIENCE
                )
            except NotFound:
                return None
            return table.etag, table.modified, table.num_rows

    def read(
        self, sql: str, parameters: Parameters | None = None, version: Hashable = None
    ) -> QueryResult:
        """Run a SELECT as `Warehouse.read` promises, or return its cached result.

        A cached result has 0 bytes billed.

        Args:
            version: The ledger's version, if the caller has read it already.
        """
        started = time.perf_counter()
        # Read before the query runs, so that a load in between makes the result outdated.
        version = version or self.version()
        key = self._key(sql, parameters or {})
        cached = _CACHE.find(key, version) if version is not None else None
        if cached is not None:
            return replace(cached, seconds=time.perf_counter() - started, bytes_billed=0, note="")
        runner = JobRunner(self._client, self._location, self._settings)
        with translated(self._location, "read the warehouse"):
            job = runner.run("read", "read the warehouse", sql, bind(parameters or {}))
            table, note = self.fetch(job)
        result = QueryResult(table, sql, time.perf_counter() - started, runner.bytes_billed, note)
        if version is not None:
            _CACHE.keep(key, version, result)
        return result

    def fetch(self, job: QueryJob, limit: int | None = None) -> tuple[pyarrow.Table, str]:
        """Return the rows of a finished job, at most `limit`, and a note if they came slowly.

        Large results are streamed through the Storage Read API, where that is allowed. Raises
        WarehouseError for more rows than fit into memory.
        """
        from google.api_core.exceptions import Forbidden, MethodNotImplemented

        patience = self._settings.gcp_job_timeout_seconds
        rows = job.result(max_results=limit, timeout=_PATIENCE)
        if not rows.total_rows:
            return rows.to_arrow(create_bqstorage_client=False), ""
        large = limit is None and rows.total_rows > _FEW_ROWS
        storage = self._open_storage() if large else None
        note = ""
        if storage is not None:
            try:
                batches = rows.to_arrow_iterable(storage, max_stream_count=2, timeout=patience)
                return collect(batches), note
            except (Forbidden, MethodNotImplemented):
                note = self._refuse()
                rows = job.result(timeout=_PATIENCE)
        return collect(rows.to_arrow_iterable(timeout=patience)), note

    def batches(self, job: QueryJob) -> Iterator[pyarrow.RecordBatch]:
        """Yield the rows of a finished job batch by batch, however many there are."""
        rows = job.result(timeout=_PATIENCE)
        yield from rows.to_arrow_iterable(timeout=self._settings.gcp_job_timeout_seconds)

    def _refuse(self) -> str:
        """Stop using the Storage Read API in this process; return the note once a project."""
        project = self._location.project
        with _refused_lock:
            if project in _refused:
                return ""
            _refused.add(project)
        return _REFUSED.format(project=project)

    def _open_storage(self) -> BigQueryReadClient | None:
        if self._location.project in _refused:
            return None
        with self._opening:
            if self._storage is None:
                self._storage = _connect(self._location)
            return self._storage

    def _key(self, sql: str, parameters: Parameters) -> Hashable:
        location = self._location
        account = (location.key or {}).get("client_email")
        values = tuple(sorted((name, *_frozen(value)) for name, value in parameters.items()))
        return location.project, location.dataset, account, sql, values


def _connect(location: CloudLocation) -> BigQueryReadClient | None:
    """Return a client of the Storage Read API, or None for an emulator that lacks it.

    BIGQUERY_STORAGE_EMULATOR_HOST is for emulators only, like BIGQUERY_EMULATOR_HOST.
    """
    from google.cloud.bigquery_storage import BigQueryReadClient

    if not os.environ.get("BIGQUERY_EMULATOR_HOST"):
        return BigQueryReadClient(credentials=location.credentials())  # type: ignore[no-untyped-call]
    host = os.environ.get("BIGQUERY_STORAGE_EMULATOR_HOST")
    if not host:
        return None
    import grpc

    kind: Any = BigQueryReadClient.get_transport_class("grpc")
    options = [("grpc.max_receive_message_length", -1)]  # a message may be larger than 4 MiB
    channel = grpc.insecure_channel(host, options)
    return BigQueryReadClient(transport=kind(channel=channel))  # type: ignore[no-untyped-call]


def _frozen(value: Any) -> tuple[str, Hashable]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"array of {type(value[0]).__name__}", tuple(value)
    return type(value).__name__, value
