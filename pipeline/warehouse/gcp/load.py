"""Load one staged trip file into BigQuery: upload, extract, compare, then one transaction.

`gcp/statements.py` builds the statements. Up to the transaction they write only tables of this
load's own, which are dropped when it ends, or expire if this process dies. The transaction is one
script and so one job: BigQuery commits it or rolls it back without this process.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import TripFileError
from pipeline.core.scratch import ScratchFolder
from pipeline.core.settings.settings import Settings
from pipeline.files.staging import StagedFile
from pipeline.warehouse import LoadJob, LoadMonitor
from pipeline.warehouse.extract.plain_copy import has_plain_types, write_plain_copy
from pipeline.warehouse.extract.reader import header_notes, is_direct
from pipeline.warehouse.extract.rejects import Reject, sorted_by_line
from pipeline.warehouse.gcp.errors import translated
from pipeline.warehouse.gcp.jobs import JobFailed, JobRunner
from pipeline.warehouse.gcp.ledger import PreviousLoad, bound, parse_months, read_previous_load
from pipeline.warehouse.gcp.location import CloudLocation
from pipeline.warehouse.gcp.stage import delete_object, upload
from pipeline.warehouse.gcp.statements import GoogleStatements
from pipeline.warehouse.ledger import LedgerEntry
from pipeline.warehouse.measures import has_amount
from pipeline.warehouse.statements import LoadStep, Statement

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

_STALE = "another load of this file came first"  # from sql/bigquery/require_previous_load.sql
_ATTEMPTS = 3


@dataclass(frozen=True)
class Clients:
    """Clients of BigQuery and Cloud Storage."""

    tables: bigquery.Client
    objects: storage.Client


@dataclass(frozen=True)
class _ExtractedRows:
    """The rows that were read of a file, without its rejects, in figures.

    Attributes:
        rounded: Rows with an amount of more than two decimals.
        checksum: The sum that is reconciled, of dollars or a checksum.
        months: The months of their pickups, such as 202004, with 0 for rows without a pickup.
    """

    rows: int
    rounded: int
    checksum: Decimal
    months: frozenset[int]


def load_file(
    clients: Clients,
    location: CloudLocation,
    settings: Settings,
    staged: StagedFile,
    job: LoadJob,
    monitor: LoadMonitor,
) -> LedgerEntry:
    """Load one file, as `Warehouse.load` promises."""
    for sentence in header_notes(staged):
        monitor.on_note(sentence)
    runner = JobRunner(
        clients.tables,
        location,
        settings,
        monitor.cancel,
        run=job.run_id,
        file=staged.file.stem,
    )
    load = _FileLoad(clients, location, settings, staged, job, monitor, runner)
    try:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return load.run()
            except JobFailed as error:
                if _STALE not in error.message or attempt == _ATTEMPTS:
                    raise
                monitor.on_note("another load of this file came first; comparing again")
        raise AssertionError  # the loop returns or raises
    finally:
        load.clean_up()
        monitor.on_cost(runner.bytes_billed, runner.slot_ms)


class _FileLoad:
    """The load of one file; it can be run again when another load of the same file came first."""

    def __init__(
        self,
        clients: Clients,
        location: CloudLocation,
        settings: Settings,
        staged: StagedFile,
        job: LoadJob,
        monitor: LoadMonitor,
        runner: JobRunner,
    ) -> None:
        self._clients = clients
        self._location = location
        self._settings = settings
        self._staged = staged
        self._job = job
        self._monitor = monitor
        self._runner = runner
        self._started = time.monotonic()
        self._statements = GoogleStatements(location, staged, runner.nonce)
        self._copy: StagedFile | None = None

    def run(self) -> LedgerEntry:
        """Load the file; raise JobFailed when another process loaded it meanwhile."""
        self._begin("extract")
        previous = read_previous_load(self._runner, self._staged.file)
        totals, rejects = self._read()
        changes = self._compare(previous, totals)
        self._begin("merge")
        entry = self._entry(totals, rejects, changes)
        self._save_rejects(rejects)
        merging = self._statements.transaction(entry, previous, totals.months, totals.checksum)
        self._run("merge", f"merge {self._staged.file}", merging)
        return replace(entry, seconds=round(time.monotonic() - self._started, 3))

    def clean_up(self) -> None:
        """Drop the tables and the plain copy of this load; tables that are left expire in a day."""
        from google.api_core.exceptions import GoogleAPIError

        location = self._location
        if self._copy is not None:
            delete_object(self._clients.objects, location, self._copy)
        for name in self._statements.own.values():
            with contextlib.suppress(GoogleAPIError, OSError):
                self._clients.tables.delete_table(
                    f"{location.project}.{location.dataset}.{name}",
                    not_found_ok=True,
                    retry=None,  # type: ignore[arg-type]
                    timeout=5,
                )

    def _begin(self, step: LoadStep) -> None:
        self._monitor.cancel.check()
        self._monitor.on_step(step, lambda: None)
        self._monitor.cancel.check()

    def _read(self) -> tuple[_ExtractedRows, list[Reject]]:
        """Read the file into the table `incoming`; return its rows in figures, and its rejects."""
        staged, monitor = self._staged, self._monitor
        if is_direct(staged) and (
            staged.format != "parquet" or has_plain_types(staged, self._settings, monitor.cancel)
        ):
            self._extract(staged)
            totals, misfits = self._count()
            if misfits == 0 and totals.rows == staged.data_lines:
                return totals, []
        # An external table says neither which lines it skipped nor on which line a row was, and
        # its casts are not the grammar of cells. Few files have other cells than plain ones: DuckDB
        # reads these, and BigQuery its copy of them.
        with ScratchFolder() as folder:
            copy = write_plain_copy(
                staged, Path(folder), self._settings, monitor.cancel, monitor.on_note
            )
            self._copy = copy.staged
            self._statements = GoogleStatements(
                self._location, copy.staged, self._runner.nonce, plain_copy=True
            )
            self._extract(copy.staged)
        totals, misfits = self._count()
        if (totals.rows, totals.checksum, misfits) != (copy.rows, copy.checksum, 0) or (
            staged.data_lines != copy.rows + len(copy.rejects)
        ):
            raise TripFileError(
                f"{staged.file} has {staged.data_lines:,} data lines, but {totals.rows:,} rows "
                f"were read and {len(copy.rejects):,} rejected; nothing was changed.",
                cure="Look for line breaks inside quotes in the file, or fetch it again.",
            )
        return replace(totals, rounded=copy.rounded), copy.rejects

    def _extract(self, staged: StagedFile) -> None:
        """Read the object of a staged file, uploaded if need be, into the table `incoming`."""
        location, patience = self._location, self._settings.gcp_retry_seconds
        # Of the file itself this sends nothing, unless another process replaced its object since.
        if upload(self._clients.objects, location, staged, self._monitor, patience):
            self._begin("extract")
        doing = f"read {staged.file}"
        self._run("external", doing, self._statements.create_external())
        self._run("extract", doing, self._statements.extract_file())

    def _count(self) -> tuple[_ExtractedRows, int]:
        """Return the rows that were read in figures, and how many rows have other cells."""
        (row,) = self._rows("count", self._statements.select_totals())
        totals = _ExtractedRows(
            rows=row["read_rows"] - row["misfits"],
            rounded=row["rounded"],
            checksum=row["checksum"],
            months=parse_months(row["pickup_months"]),
        )
        return totals, row["misfits"]

    def _compare(self, previous: PreviousLoad, totals: _ExtractedRows) -> Counter[str]:
        """Return how many rows will be inserted, updated and deleted."""
        if previous.entry is None:
            return Counter(inserted=totals.rows)
        self._begin("compare")
        months = self._statements.months(totals.months, previous)
        comparing = self._statements.compare_file(months)
        self._run("compare", f"compare {self._staged.file}", comparing)
        counted = self._rows("changes", self._statements.count_changes())
        return Counter({row["change"]: row["changed_rows"] for row in counted})

    def _entry(
        self, totals: _ExtractedRows, rejects: Sequence[Reject], changes: Counter[str]
    ) -> LedgerEntry:
        return LedgerEntry.of_load(
            self._staged,
            run_id=self._job.run_id,
            source=self._job.source,
            changes=changes,
            seconds=time.monotonic() - self._started,
            rows=totals.rows,
            rejected=len(rejects),
            rounded=totals.rounded,
            total_amount=totals.checksum if has_amount(self._staged.file.dataset) else None,
        )

    def _save_rejects(self, rejects: list[Reject]) -> None:
        """Write the rejects to a table of this load, from which the transaction takes them."""
        if not rejects:
            return
        from google.cloud import bigquery

        location, tables = self._location, self._clients.tables
        schema = [
            bigquery.SchemaField("line", "INT64"),
            bigquery.SchemaField("reason", "STRING"),
            bigquery.SchemaField("content", "STRING"),
        ]
        table = bigquery.Table(
            f"{location.project}.{location.dataset}.{self._statements.own['rejected']}", schema
        )
        table.expires = datetime.now(UTC) + timedelta(days=1)
        rows = [
            {"line": r.line, "reason": r.reason, "content": r.content}
            for r in sorted_by_line(rejects)
        ]
        config = bigquery.LoadJobConfig(
            schema=schema, write_disposition="WRITE_TRUNCATE", labels={"app": "fareground"}
        )
        with translated(location, f"store the rejects of {self._staged.file}"):
            tables.create_table(table, exists_ok=True)
            tables.load_table_from_json(
                rows, table, job_config=config, location=location.region
            ).result(timeout=self._settings.gcp_job_timeout_seconds)

    def _run(self, step: str, doing: str, sent: Statement) -> None:
        self._runner.run(step, doing, sent.sql, bound(sent.values))

    def _rows(self, step: str, sent: Statement) -> list[dict[str, Any]]:
        doing = f"count the rows of {self._staged.file}"
        return self._runner.rows(step, doing, sent.sql, bound(sent.values))
