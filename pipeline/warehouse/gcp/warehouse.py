"""The Google Cloud warehouse: staged files in a bucket, tables in a BigQuery dataset.

Bucket and dataset must exist; the first load creates the tables.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Self

from pipeline.core.cancel import Cancel
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import Settings
from pipeline.core.sql import statement
from pipeline.core.trips import TripFile
from pipeline.files.staging import StagedFile
from pipeline.warehouse import LoadJob, LoadMonitor, Parameters, RowSet
from pipeline.warehouse.gcp.errors import first_line, make_retry, translated
from pipeline.warehouse.gcp.jobs import JobFailed, JobRunner, bind
from pipeline.warehouse.gcp.ledger import read_records, record_entry
from pipeline.warehouse.gcp.load import Clients, load_file
from pipeline.warehouse.gcp.location import CloudLocation, read_location
from pipeline.warehouse.gcp.read import BigQueryReader
from pipeline.warehouse.gcp.remove import remove_file
from pipeline.warehouse.gcp.schema import prepare_schema
from pipeline.warehouse.gcp.setup import require_one_region
from pipeline.warehouse.gcp.stage import upload
from pipeline.warehouse.ledger import FileRecord, LedgerEntry
from pipeline.warehouse.results import QueryResult
from pipeline.warehouse.sandbox.vetting import MEND_QUERY

if TYPE_CHECKING:
    from pathlib import Path

    from google.api_core.retry import Retry

    from pipeline.warehouse.cost import CostEstimate, FileSize

_PATIENCE = 60.0  # seconds for the response to one request
_EXACT = Context(prec=80)  # more digits than a BIGNUMERIC has


class GoogleWarehouse:
    """A bucket and a dataset; `Warehouse` says what the methods promise."""

    def __init__(self, settings: Settings, *, read_only: bool = False) -> None:
        """Check the settings without any request.

        With `read_only` nothing is created. Raises UsageError for settings that name no warehouse.
        """
        self.location: CloudLocation = read_location(settings)
        self._settings = settings
        self._read_only = read_only
        self._opening = threading.Lock()
        self._preparing = threading.Lock()
        self._loading = threading.Lock()
        self._opened: Clients | None = None
        self._result_reader: BigQueryReader | None = None
        self._prepared = False
        self._uploaded: set[str] = set()  # checksums of the files that are in the bucket

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._opening:
            if self._result_reader is not None:
                self._result_reader.close()
                self._result_reader = None
            if self._opened is not None:
                self._opened.tables.close()  # type: ignore[no-untyped-call]
                self._opened.objects.close()
                self._opened = None

    def records(self) -> dict[TripFile, FileRecord]:
        reader = self._reader()
        version = reader.version()
        if version is None:
            return {}
        ledger = reader.read(statement("bigquery/select_ledger"), version=version)
        return read_records(ledger.table.to_pylist())

    def upload(self, staged: StagedFile, monitor: LoadMonitor) -> None:
        monitor.cancel.check()
        self._prepare()
        patience = self._settings.gcp_retry_seconds
        if not upload(self._clients().objects, self.location, staged, monitor, patience):
            monitor.on_note("the bucket already has these bytes; nothing was uploaded")
        self._uploaded.add(staged.sha256)

    def load(self, staged: StagedFile, job: LoadJob, monitor: LoadMonitor) -> LedgerEntry:
        if staged.sha256 not in self._uploaded:
            self.upload(staged, monitor)
        # One load at a time: BigQuery queues concurrent changes and then fails some of them.
        with self._loading:
            monitor.cancel.check()
            return load_file(self._clients(), self.location, self._settings, staged, job, monitor)

    def record(self, entry: LedgerEntry) -> None:
        self._prepare()
        with self._loading:
            record_entry(self._runner(run=entry.run_id, file=entry.file.stem), entry)

    def remove(self, file: TripFile, source: str) -> int | None:
        self._prepare()
        with self._loading:
            runner = self._runner(file=file.stem)
            return remove_file(self._clients(), self.location, runner, file, source)

    def sync_mirror(self, on_note: Callable[[str], object]) -> None:
        pass  # other programs read BigQuery itself

    def write_parquet(self, file: TripFile, path: Path, cancel: Cancel) -> None:
        from pipeline.warehouse.gcp.parquet import write_batches

        sql = statement("bigquery/select_trips", table=file.dataset.table)
        runner = self._runner(file=file.stem)
        with translated(self.location, "read the trips"):
            job = runner.run("read", "read the trips", sql, bind({"filename": file.filename}))
            write_batches(self._reader().batches(job), file.dataset, path, cancel)

    def query(self, sql: str, *, limit: int) -> RowSet:
        from google.api_core.exceptions import BadRequest, NotFound

        runner = self._runner()
        with translated(self.location, "run the query"):
            try:
                self._require_read_only(sql)
                job = runner.run("query", "run the query", sql)
                table, _ = self._reader().fetch(job, limit + 1)
            except (BadRequest, NotFound) as error:
                raise UsageError(
                    f"The query cannot run: {first_line(str(error))}", cure=MEND_QUERY
                ) from None
            except JobFailed as error:
                raise UsageError(
                    f"The query cannot run: {first_line(error.message)}", cure=MEND_QUERY
                ) from None
        columns = [map(_plain, column.to_pylist()) for column in table.columns]
        rows = list(zip(*columns, strict=True))
        return RowSet(tuple(table.column_names), rows[:limit], truncated=len(rows) > limit)

    def read(self, sql: str, parameters: Parameters | None = None) -> QueryResult:
        return self._reader().read(sql, parameters)

    def scan_bytes(self, sql: str, parameters: Parameters | None = None) -> int:
        return self._runner().dry_run("estimate the scan", sql, bind(parameters or {}))

    def estimate_cost(self, files: Sequence[FileSize]) -> CostEstimate:
        """Return what loading these files will cost; reads the ledger once for each file."""
        from pipeline.warehouse.gcp.estimate import estimate_cost

        return estimate_cost(files, self._runner(), self._settings, self._existing_tables())

    def _clients(self) -> Clients:
        from google.cloud import bigquery, storage

        with self._opening:
            if self._opened is None:
                credentials = self.location.credentials()
                project = self.location.project
                self._opened = Clients(
                    bigquery.Client(
                        project, credentials=credentials, location=self.location.region
                    ),
                    storage.Client(project, credentials=credentials),
                )
            return self._opened

    def _reader(self) -> BigQueryReader:
        client = self._clients().tables
        with self._opening:
            if self._result_reader is None:
                self._result_reader = BigQueryReader(client, self.location, self._settings)
            return self._result_reader

    def _runner(self, **labels: str) -> JobRunner:
        return JobRunner(self._clients().tables, self.location, self._settings, None, **labels)

    def _retry(self) -> Retry:
        return make_retry(self._settings.gcp_retry_seconds)

    def _existing_tables(self) -> set[str]:
        from google.api_core.exceptions import NotFound

        with translated(self.location, "read the dataset"):
            dataset = f"{self.location.project}.{self.location.dataset}"
            try:
                tables = self._clients().tables.list_tables(
                    dataset, retry=self._retry(), timeout=_PATIENCE
                )
                return {table.table_id for table in tables}
            except NotFound:
                return set()
        raise AssertionError  # the block returns or raises

    def _prepare(self) -> None:
        """Check bucket and dataset, and create or upgrade the tables; only the first call does."""
        with self._preparing:
            if not self._prepared:
                self._check_regions()
                client = self._clients().tables
                prepare_schema(
                    client, self._runner(), self.location, self._existing_tables(), self._retry()
                )
                self._prepared = True

    def _check_regions(self) -> None:
        clients = self._clients()
        require_one_region(clients.tables, clients.objects, self.location, self._retry())

    def _require_read_only(self, sql: str) -> None:
        from google.cloud.bigquery import QueryJobConfig

        location = self.location
        config = QueryJobConfig(
            dry_run=True,
            default_dataset=f"{location.project}.{location.dataset}",
            use_legacy_sql=False,
        )
        planned = self._clients().tables.query(
            sql,
            job_config=config,
            location=location.region,
            retry=self._retry(),
            timeout=_PATIENCE,
        )
        if planned.statement_type != "SELECT":
            raise UsageError(
                "Only one read-only statement is allowed here.",
                cure="Use a single SELECT, such as SELECT count(*) FROM green_tripdata.",
            )


def _plain(value: Any) -> Any:
    """Return a value as people expect it: times without a zone, numbers without trailing zeros."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, Decimal):  # NUMERIC has nine decimals
        whole = value.to_integral_value(context=_EXACT)
        return whole if whole == value else value.normalize(_EXACT)
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return value
