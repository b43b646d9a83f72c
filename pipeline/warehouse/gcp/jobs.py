"""Run BigQuery jobs, each under an id of its own, with labels, limits, a timeout and cancelling.

The id is made before the request. When a response is lost and the request is repeated, BigQuery
says that the job exists already, and the runner waits for it: nothing runs twice.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipeline.core.cancel import Cancel
from pipeline.core.errors import Cancelled, FaregroundError, WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.warehouse import Parameters
from pipeline.warehouse.gcp.errors import (
    TRANSIENT_REASONS,
    explain,
    is_conflict,
    make_retry,
    reason_of,
    translated,
)
from pipeline.warehouse.gcp.location import CloudLocation

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.bigquery import Client, QueryJob, QueryJobConfig
    from google.cloud.bigquery.query import ArrayQueryParameter, ScalarQueryParameter

    Parameter = ScalarQueryParameter | ArrayQueryParameter

_TYPES: dict[type, str] = {
    str: "STRING",
    int: "INT64",
    float: "FLOAT64",
    bool: "BOOL",
    Decimal: "NUMERIC",
    datetime: "TIMESTAMP",
    date: "DATE",
}
_ATTEMPTS = 4
_CANCEL_SECONDS = 1.0  # of the two seconds within which Cancel must take effect
_CALL_SECONDS = 60.0  # for the response to one request


class JobRunner:
    """Runs the jobs of one load or one query, and adds up what they cost.

    Attributes:
        bytes_billed: By all jobs so far.
        slot_ms: Slot time of all jobs so far, in milliseconds.
    """

    def __init__(
        self,
        client: Client,
        location: CloudLocation,
        settings: Settings,
        cancel: Cancel | None = None,
        **labels: str,
    ) -> None:
        """Create a runner.

        Args:
            labels: Put on every job, for the bill and to find it again; they are part of its id.
        """
        self.bytes_billed = 0
        self.slot_ms = 0
        self._client = client
        self._location = location
        self._settings = settings
        self._cancel = cancel or Cancel()
        self._labels = {"app": "fareground"} | {k: _label(v) for k, v in labels.items()}
        self._nonce = secrets.token_hex(4)
        self._number = 0

    @property
    def nonce(self) -> str:
        """Eight letters that no other runner has; part of job ids and names of temporary tables."""
        return self._nonce

    def run(
        self, step: str, doing: str, sql: str, parameters: Sequence[Parameter] = ()
    ) -> QueryJob:
        """Run a statement or script to its end and return the finished job.

        A job that failed for a transient reason is run again under the next id; a failed job has
        changed nothing. Raises JobFailed when the job fails, other WarehouseErrors when BigQuery
        does not respond, and Cancelled.

        Args:
            step: One word for the job's id and labels.
            doing: What the statement does, to follow "Could not".
        """
        self._number += 1
        for attempt in range(1, _ATTEMPTS + 1):
            job_id = "-".join(
                (
                    "fareground",
                    *self._labels.values(),
                    step,
                    self._nonce,
                    f"{self._number}",
                    f"{attempt}",
                )
            )
            with translated(self._location, doing):
                job = self._submit(job_id, step, sql, parameters)
                self._wait(job, doing)
            self.bytes_billed += int(job.total_bytes_billed or 0)
            self.slot_ms += int(job.slot_millis or 0)
            if not job.error_result:
                return job
            reason = str(job.error_result.get("reason", ""))
            message = str(job.error_result.get("message", ""))
            transient = reason in TRANSIENT_REASONS or is_conflict(message)
            if not transient or attempt == _ATTEMPTS:
                raise JobFailed(explain(self._location, doing, reason, message), message)
            self._pause(0.5 * 2**attempt)
        raise AssertionError  # the loop returns or raises

    def rows(
        self, step: str, doing: str, sql: str, parameters: Sequence[Parameter] = ()
    ) -> list[dict[str, Any]]:
        """Run a statement whose result is small and return its rows, by column name."""
        job = self.run(step, doing, sql, parameters)
        with translated(self._location, doing):
            return [dict(row) for row in job.result(retry=self._retry(), timeout=_CALL_SECONDS)]

    def dry_run(self, doing: str, sql: str, parameters: Sequence[Parameter] = ()) -> int:
        """Return the bytes that a statement would scan, by BigQuery's estimate, which is free."""
        with translated(self._location, doing):
            job = self._client.query(
                sql,
                job_config=self._config("estimate", parameters, dry_run=True),
                location=self._location.region,
                retry=self._retry(),
                timeout=_CALL_SECONDS,
            )
            return int(job.total_bytes_processed or 0)

    def _config(
        self, step: str, parameters: Sequence[Parameter], *, dry_run: bool = False
    ) -> QueryJobConfig:
        from google.cloud.bigquery import QueryJobConfig

        return QueryJobConfig(
            default_dataset=f"{self._location.project}.{self._location.dataset}",
            query_parameters=list(parameters),
            labels=self._labels | {"step": _label(step)},
            maximum_bytes_billed=self._settings.gcp_maximum_bytes_billed,
            job_timeout_ms=int(self._settings.gcp_job_timeout_seconds * 1000),
            use_legacy_sql=False,
            use_query_cache=True,  # the same query over unchanged tables is not billed again
            dry_run=dry_run,
        )

    def _submit(
        self, job_id: str, step: str, sql: str, parameters: Sequence[Parameter]
    ) -> QueryJob:
        from google.api_core.exceptions import Conflict

        self._cancel.check()
        location = self._location
        config = self._config(step, parameters)
        try:
            return self._client.query(
                sql,
                job_config=config,
                job_id=job_id,
                location=location.region,
                retry=self._retry(),
                job_retry=None,
                timeout=_CALL_SECONDS,
            )
        except Conflict as error:
            if reason_of(error) not in ("duplicate", ""):
                raise
            job: Any = self._client.get_job(
                job_id, location=location.region, retry=self._retry(), timeout=_CALL_SECONDS
            )
            return job  # type: ignore[no-any-return]

    def _wait(self, job: QueryJob, doing: str) -> None:
        """Wait until the job is done, however it ends; raise Cancelled."""
        cancelled = threading.Event()
        deadline = time.monotonic() + self._settings.gcp_job_timeout_seconds + 30
        pause = 0.02
        try:
            with self._cancel.calling(cancelled.set):
                while not job.done(retry=self._retry(), timeout=_CALL_SECONDS):
                    if cancelled.wait(pause):
                        raise Cancelled
                    pause = min(pause * 1.5, 1.0)
                    if time.monotonic() > deadline:
                        self._stop(job)
                        raise explain(self._location, doing, "timeout", "The job did not end")
        except Cancelled:
            if not self._stop(job):
                raise

    def _stop(self, job: QueryJob) -> bool:
        """Cancel a job; return whether it had succeeded before it could be cancelled."""
        from google.api_core.exceptions import GoogleAPIError

        until = time.monotonic() + _CANCEL_SECONDS
        try:
            job.cancel(retry=None, timeout=_CANCEL_SECONDS)
            while not job.done(retry=None, timeout=_CANCEL_SECONDS):  # type: ignore[arg-type]
                if time.monotonic() > until:
                    return False
                time.sleep(0.05)
        except (GoogleAPIError, OSError):
            return False
        return not job.error_result

    def _retry(self) -> Retry:
        return make_retry(self._settings.gcp_retry_seconds, lambda: not self._cancel.is_set())

    def _pause(self, seconds: float) -> None:
        cancelled = threading.Event()
        with self._cancel.calling(cancelled.set):
            cancelled.wait(seconds)
        self._cancel.check()


class JobFailed(WarehouseError):
    """A job ended with an error; `message` is the service's."""

    def __init__(self, error: FaregroundError, message: str) -> None:
        super().__init__(error.problem, cure=error.cure)
        self.message = message


def bind(parameters: Parameters) -> list[Parameter]:
    """Return values as BigQuery's query parameters, each of the type of its Python value."""
    from google.cloud.bigquery import ArrayQueryParameter, ScalarQueryParameter

    bound: list[Parameter] = []
    for name, value in parameters.items():
        if isinstance(value, Sequence) and not isinstance(value, str):
            bound.append(ArrayQueryParameter(name, _TYPES[type(value[0])], list(value)))
        else:
            bound.append(ScalarQueryParameter(name, _TYPES[type(value)], value))
    return bound


def _label(text: str) -> str:
    """Return a text with the letters and length that Google allows in labels and job ids."""
    return re.sub(r"[^a-z0-9_-]", "_", text.lower())[:60]
