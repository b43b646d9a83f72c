"""The Google Cloud warehouse: staged files in a bucket, tables in a BigQuery dataset.

Bucket and dataset must exist; the tables are made by the first load.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Self

from pipeline.download import StagedFile
from pipeline.errors import UsageError, WarehouseError
from pipeline.sandbox.vetting import MEND_QUERY
from pipeline.settings import Settings
from pipeline.sql import statement
from pipeline.trips import Color, TripFile
from pipeline.warehouse import (
    Answer,
    FileRecord,
    LedgerEntry,
    LoadJob,
    Parameters,
    QueryResult,
    Watch,
)
from pipeline.warehouse.google_columns import table_identifiers
from pipeline.warehouse.google_errors import first_line, make_retry, translated
from pipeline.warehouse.google_jobs import JobFailed, JobRunner, bind
from pipeline.warehouse.google_ledger import read_records, record_entry
from pipeline.warehouse.google_load import Clients, load_file
from pipeline.warehouse.google_place import Place, read_place
from pipeline.warehouse.google_read import LEDGER, Reader
from pipeline.warehouse.google_setup import require_one_region
from pipeline.warehouse.google_stage import upload
from pipeline.warehouse.google_summary import (
    GOOGLE_SUMMARIES,
    create_summaries,
    delete_summaries,
    fill_summaries,
)

if TYPE_CHECKING:
    from google.api_core.retry import Retry

    from pipeline.plan import Plan
    from pipeline.warehouse.google_cost import Estimate

SCHEMA_VERSION = 3
_OLDEST = 1  # the oldest that can be brought forward
_STATE = "warehouse_state"
_TABLES = (_STATE, LEDGER, "rejects", *GOOGLE_SUMMARIES, *(color.table for color in Color))
_PATIENCE = 60.0  # seconds for the answer to one request
_EXACT = Context(prec=80)  # more digits than a BIGNUMERIC has


class GoogleWarehouse:
    """A bucket and a dataset; see `Warehouse` for what its methods promise."""

    name = "gcp"

    def __init__(self, settings: Settings, *, read_only: bool = False) -> None:
        """Check what the settings name; nothing is called before a method is.

        `read_only` is for a process that only looks: nothing is then created. Raises UsageError
        for settings that cannot be.
        """
        self.place: Place = read_place(settings)
        self._settings = settings
        self._read_only = read_only
        self._opening = threading.Lock()
        self._preparing = threading.Lock()
        self._loading = threading.Lock()
        self._found: Clients | None = None
        self._reading: Reader | None = None
        self._prepared = False
        self._uploaded: set[str] = set()  # checksums of the files that are in the bucket

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._opening:
            if self._reading is not None:
                self._reading.close()
                self._reading = None
            if self._found is not None:
                self._found.tables.close()  # type: ignore[no-untyped-call]
                self._found.objects.close()
                self._found = None

    def records(self) -> dict[TripFile, FileRecord]:
        reader = self._reader()
        version = reader.version()
        if version is None:
            return {}
        found = reader.read(statement("bigquery/select_ledger"), version=version)
        return read_records(found.table.to_pylist())

    def upload(self, staged: StagedFile, watch: Watch) -> None:
        watch.cancel.check()
        self._prepare()
        patience = self._settings.gcp_retry_seconds
        if not upload(self._clients().objects, self.place, staged, watch, patience):
            watch.on_note("the bucket has these bytes already; nothing was uploaded")
        self._uploaded.add(staged.sha256)

    def load(self, staged: StagedFile, job: LoadJob, watch: Watch) -> LedgerEntry:
        if staged.sha256 not in self._uploaded:
            self.upload(staged, watch)
        # One at a time: BigQuery would let further ones wait, and then fail some of them.
        with self._loading:
            watch.cancel.check()
            return load_file(self._clients(), self.place, self._settings, staged, job, watch)

    def record(self, entry: LedgerEntry) -> None:
        self._prepare()
        with self._loading:
            record_entry(self._runner(run=entry.run_id, file=entry.file.stem), entry)

    def query(self, sql: str, *, limit: int) -> QueryResult:
        from google.api_core.exceptions import BadRequest, NotFound

        runner = self._runner()
        with translated(self.place, "run the query"):
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
        return QueryResult(tuple(table.column_names), rows[:limit], truncated=len(rows) > limit)

    def read(self, sql: str, parameters: Parameters | None = None) -> Answer:
        return self._reader().read(sql, parameters)

    def scan_bytes(self, sql: str, parameters: Parameters | None = None) -> int:
        return self._runner().dry_run("estimate the scan", sql, bind(parameters or {}))

    def estimate(self, plan: Plan) -> Estimate:
        """Return what a plan will cost; nothing is run for it but free dry runs and one look at
        the ledger for each file. Raises WarehouseError."""
        from pipeline.warehouse.google_cost import estimate_cost

        tables = frozenset(self._existing_tables())
        return estimate_cost(plan, self._runner(), self._settings, tables)

    def _clients(self) -> Clients:
        from google.cloud import bigquery, storage

        with self._opening:
            if self._found is None:
                credentials = self.place.credentials()
                project = self.place.project
                self._found = Clients(
                    bigquery.Client(project, credentials=credentials, location=self.place.location),
                    storage.Client(project, credentials=credentials),
                )
            return self._found

    def _reader(self) -> Reader:
        client = self._clients().tables
        with self._opening:
            if self._reading is None:
                self._reading = Reader(client, self.place, self._settings)
            return self._reading

    def _runner(self, **labels: str) -> JobRunner:
        return JobRunner(self._clients().tables, self.place, self._settings, None, **labels)

    def _retry(self) -> Retry:
        return make_retry(self._settings.gcp_retry_seconds)

    def _existing_tables(self) -> set[str]:
        from google.api_core.exceptions import NotFound

        with translated(self.place, "look at the dataset"):
            dataset = f"{self.place.project}.{self.place.dataset}"
            try:
                found = self._clients().tables.list_tables(
                    dataset, retry=self._retry(), timeout=_PATIENCE
                )
                return {table.table_id for table in found}
            except NotFound:
                return set()
        raise AssertionError  # the block returns or raises

    def _prepare(self) -> None:
        """Check bucket and dataset, and make the tables that are not there yet."""
        with self._preparing:
            if not self._prepared:
                self._check_regions()
                self._prepare_tables()
                self._prepared = True

    def _prepare_tables(self) -> None:
        existing = self._existing_tables()
        runner = self._runner()
        production = {color.table for color in Color}
        if _STATE not in existing and existing & production:
            raise WarehouseError(
                f"The dataset {self.place.dataset} has tables of these names already, but they "
                "are not Fareground's (the course's, perhaps).",
                cure="Set GCP_DATASET to another dataset, or rename those tables.",
            )
        if not existing.issuperset(_TABLES):
            _create_tables(runner)
        if _STATE in existing:
            self._bring_forward(runner)

    def _check_regions(self) -> None:
        clients = self._clients()
        require_one_region(clients.tables, clients.objects, self.place, self._retry())

    def _bring_forward(self, runner: JobRunner) -> None:
        """Make tables of an older version ones of ours; raise WarehouseError for other versions."""
        (row,) = runner.rows("version", "look at the tables", f"SELECT * FROM {_STATE}")
        version = row["schema_version"]
        if not _OLDEST <= version <= SCHEMA_VERSION:
            raise WarehouseError(
                f"The tables of {self.place.dataset} have schema version {version}; "
                f"this Fareground works with {SCHEMA_VERSION}.",
                cure="Update Fareground, or set GCP_DATASET to another dataset.",
            )
        if version < SCHEMA_VERSION:
            _make_summaries_anew(runner)

    def _require_read_only(self, sql: str) -> None:
        from google.cloud.bigquery import QueryJobConfig

        place = self.place
        config = QueryJobConfig(
            dry_run=True, default_dataset=f"{place.project}.{place.dataset}", use_legacy_sql=False
        )
        planned = self._clients().tables.query(
            sql,
            job_config=config,
            location=place.location,
            retry=self._retry(),
            timeout=_PATIENCE,
        )
        if planned.statement_type != "SELECT":
            raise UsageError(
                "Only one statement that reads is allowed here.",
                cure="Use a single SELECT, such as SELECT count(*) FROM green_tripdata.",
            )


def _make_summaries_anew(runner: JobRunner) -> None:
    """Bring the tables of versions 1 and 2 forward, which differ from version 3 in the sums only.

    Should this break off, the version stays the older one, and the next load does it again.
    """
    from google.cloud.bigquery import ScalarQueryParameter

    # Tables cannot be made within a transaction. The sums are forgotten in it once more, for
    # another process may have filled them meanwhile.
    script = [statement("bigquery/drop_summary", summary=name) for name in GOOGLE_SUMMARIES]
    script += [*create_summaries(), "BEGIN TRANSACTION;", statement("bigquery/take_turn")]
    script += delete_summaries()
    for color in Color:
        script += fill_summaries(color, color.table)
    script += [statement("bigquery/record_version"), "COMMIT TRANSACTION;"]
    parameters = [
        ScalarQueryParameter("schema_version", "INT64", SCHEMA_VERSION),
        ScalarQueryParameter("filename", "STRING", None),
    ]
    runner.run("forward", "bring the tables to this version", "\n".join(script), parameters)


def _create_tables(runner: JobRunner) -> None:
    """Make the tables, the one that says whose they are first: a crash in between does no harm."""
    from google.cloud.bigquery import ScalarQueryParameter

    version = ScalarQueryParameter("schema_version", "INT64", SCHEMA_VERSION)
    script = [statement("bigquery/create_warehouse_state")]
    script += [statement("bigquery/create_table", **table_identifiers(color)) for color in Color]
    script += [statement("bigquery/create_rejects"), statement("bigquery/create_load_ledger")]
    script += create_summaries()
    runner.run("create", "create the tables", "\n".join(script), [version])


def _plain(value: Any) -> Any:
    """Return a value as people expect it: times without a zone, numbers without empty decimals."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, Decimal):  # NUMERIC comes with nine of them
        whole = value.to_integral_value(context=_EXACT)
        return whole if whole == value else value.normalize(_EXACT)
    return value
