"""Reading BigQuery: bounded, as Arrow, and never the same twice.

Three places decide what is asked again. `Answers`, here, keeps what this process read, for as long
as the ledger is the same: every change of the tables comes with a row in it, and asking for the
ledger's version is free. BigQuery's own cache (`use_query_cache` in google_jobs) serves what
another process asked the same way, unbilled. People's own SQL (`query`) goes to that one only: it
may ask for the time of day.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.settings import Settings
from pipeline.warehouse import Answer, Parameters
from pipeline.warehouse.google_errors import make_retry, translated
from pipeline.warehouse.google_jobs import JobRunner, bind
from pipeline.warehouse.google_place import Place
from pipeline.warehouse.results import Answers, collect

if TYPE_CHECKING:
    import pyarrow
    from google.cloud.bigquery import Client, QueryJob
    from google.cloud.bigquery_storage import BigQueryReadClient

LEDGER = "load_ledger"
_PATIENCE = 60.0  # seconds for the answer to one request
_FEW_ROWS = 10_000  # one answer of the ordinary API brings them sooner than a session is made
_KEPT = Answers()
_refused: set[str] = set()  # projects whose Storage Read API may not be used
_refusing = threading.Lock()
_REFUSED = (
    "The BigQuery Storage Read API may not be used, so large results come the slower way. Cure: "
    "enable it for the project {project} and give the account the role BigQuery Read Session User."
)


class Reader:
    """Runs our own SELECTs in one place."""

    def __init__(self, client: Client, place: Place, settings: Settings) -> None:
        self._client = client
        self._place = place
        self._settings = settings
        self._storage: BigQueryReadClient | None = None
        self._opening = threading.Lock()

    def close(self) -> None:
        """Let go of the connection to the Storage Read API, if there is one."""
        if self._storage is not None:
            self._storage.transport.close()  # type: ignore[no-untyped-call]

    def version(self) -> Hashable:
        """Return what changes with every entry of the ledger; None when there is no ledger."""
        from google.api_core.exceptions import NotFound

        place = self._place
        name = f"{place.project}.{place.dataset}.{LEDGER}"
        with translated(place, "look at the ledger"):
            try:
                found = self._client.get_table(
                    name, retry=make_retry(self._settings.gcp_retry_seconds), timeout=_PATIENCE
                )
            except NotFound:
                return None
            return found.etag, found.modified, found.num_rows

    def read(
        self, sql: str, parameters: Parameters | None = None, version: Hashable = None
    ) -> Answer:
        """Run a SELECT, unless its answer is known; `Warehouse.read` says more.

        An answer that was known cost nothing, and says so: 0 bytes billed.

        Args:
            version: Of the ledger, where the caller knows it already.
        """
        started = time.perf_counter()
        # Taken before the question is asked: what is loaded meanwhile makes it another version.
        version = version or self.version()
        question = self._question(sql, parameters or {})
        known = _KEPT.find(question, version) if version is not None else None
        if known is not None:
            return replace(known, seconds=time.perf_counter() - started, bytes_billed=0, note="")
        runner = JobRunner(self._client, self._place, self._settings)
        with translated(self._place, "read the warehouse"):
            job = runner.run("read", "read the warehouse", sql, bind(parameters or {}))
            table, note = self.fetch(job)
        answer = Answer(table, sql, time.perf_counter() - started, runner.bytes_billed, note)
        if version is not None:
            _KEPT.keep(question, version, answer)
        return answer

    def fetch(self, job: QueryJob, limit: int | None = None) -> tuple[pyarrow.Table, str]:
        """Return the rows of a finished job, at most `limit`, and a note when they came slowly.

        A large one is streamed through the Storage Read API, where that is allowed.
        Raises WarehouseError for more than fits.
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

    def _refuse(self) -> str:
        """Ask the Storage Read API no more in this process; return the note, once a project."""
        project = self._place.project
        with _refusing:
            if project in _refused:
                return ""
            _refused.add(project)
        return _REFUSED.format(project=project)

    def _open_storage(self) -> BigQueryReadClient | None:
        if self._place.project in _refused:
            return None
        with self._opening:
            if self._storage is None:
                self._storage = _connect(self._place)
            return self._storage

    def _question(self, sql: str, parameters: Parameters) -> Hashable:
        place = self._place
        account = (place.key or {}).get("client_email")
        values = tuple(sorted((name, *_frozen(value)) for name, value in parameters.items()))
        return place.project, place.dataset, account, sql, values


def _connect(place: Place) -> BigQueryReadClient | None:
    """Return a client of the Storage Read API; None for emulators that have none.

    Like the other clients' BIGQUERY_EMULATOR_HOST, the variable is a switch for emulators only.
    """
    from google.cloud.bigquery_storage import BigQueryReadClient

    if not os.environ.get("BIGQUERY_EMULATOR_HOST"):
        return BigQueryReadClient(credentials=place.credentials())  # type: ignore[no-untyped-call]
    host = os.environ.get("BIGQUERY_STORAGE_EMULATOR_HOST")
    if not host:
        return None
    import grpc

    kind: Any = BigQueryReadClient.get_transport_class("grpc")
    options = [("grpc.max_receive_message_length", -1)]  # an answer may be larger than 4 MiB
    channel = grpc.insecure_channel(host, options)
    return BigQueryReadClient(transport=kind(channel=channel))  # type: ignore[no-untyped-call]


def _frozen(value: Any) -> tuple[str, Hashable]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"array of {type(value[0]).__name__}", tuple(value)
    return type(value).__name__, value
