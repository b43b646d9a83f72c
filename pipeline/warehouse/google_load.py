"""Loading one staged trip file into BigQuery: stage, extract, compare, then all in one transaction.

The statements are made in `google_statements`; this module runs them. Everything up to the
transaction writes only tables of its own, which go when the load ends (or expire, should this
process die). The transaction is one script, so one job: BigQuery commits or undoes it without us.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipeline.download import StagedFile
from pipeline.errors import TripFileError
from pipeline.settings import Settings
from pipeline.warehouse import LedgerEntry, LoadJob, LoadStep, Watch
from pipeline.warehouse.google_errors import translated
from pipeline.warehouse.google_jobs import JobFailed, JobRunner
from pipeline.warehouse.google_ledger import Base, bound, parse_months, read_base
from pipeline.warehouse.google_place import Place
from pipeline.warehouse.google_rejects import read_again
from pipeline.warehouse.google_stage import upload
from pipeline.warehouse.google_statements import GoogleStatements
from pipeline.warehouse.local_load import header_notes
from pipeline.warehouse.local_rejects import Reject, sorted_by_line
from pipeline.warehouse.statements import Statement

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

_STALE = "another load of this file came first"  # as sql/bigquery/require_base.sql says
_TIMES = 3


@dataclass(frozen=True)
class Clients:
    """The two services of a place."""

    tables: bigquery.Client
    objects: storage.Client


@dataclass(frozen=True)
class _Totals:
    """What was read of a file, without its rejects; `months` are those of its pickups."""

    rows: int
    rounded: int
    total_amount: Decimal
    months: frozenset[int]


def load_file(
    clients: Clients,
    place: Place,
    settings: Settings,
    staged: StagedFile,
    job: LoadJob,
    watch: Watch,
) -> LedgerEntry:
    """Load one file; `Warehouse.load` says what that promises."""
    for sentence in header_notes(staged):
        watch.on_note(sentence)
    runner = JobRunner(
        clients.tables,
        place,
        settings,
        watch.cancel,
        run=job.run_id,
        file=staged.file.stem,
    )
    load = _Load(clients, place, settings, staged, job, watch, runner)
    try:
        for turn in range(1, _TIMES + 1):
            try:
                return load.run()
            except JobFailed as error:
                if _STALE not in error.message or turn == _TIMES:
                    raise
                watch.on_note("another load of this file came first; comparing again")
        raise AssertionError  # the loop returns or raises
    finally:
        load.clean_up()
        watch.on_cost(runner.bytes_billed, runner.slot_ms)


class _Load:
    """The load of one file, with the names of the tables that are its own."""

    def __init__(
        self,
        clients: Clients,
        place: Place,
        settings: Settings,
        staged: StagedFile,
        job: LoadJob,
        watch: Watch,
        runner: JobRunner,
    ) -> None:
        self._clients = clients
        self._place = place
        self._settings = settings
        self._staged = staged
        self._job = job
        self._watch = watch
        self._runner = runner
        self._started = time.monotonic()
        self._statements = GoogleStatements(place, staged, runner.nonce)

    def run(self) -> LedgerEntry:
        """Load the file; raises JobFailed when somebody else loaded it meanwhile."""
        self._begin("extract")
        base = read_base(self._runner, self._staged.file)
        self._extract()
        totals, rejects = self._count()
        change = self._compare(base, totals)
        self._begin("merge")
        entry = self._entry(totals, rejects, change)
        self._save_rejects(rejects)
        merging = self._statements.transaction(entry, base, totals.months)
        self._run("merge", f"merge {self._staged.file}", merging)
        return replace(entry, seconds=round(time.monotonic() - self._started, 3))

    def clean_up(self) -> None:
        """Drop the tables that were this load's own; what cannot be dropped expires in a day."""
        from google.api_core.exceptions import GoogleAPIError

        place = self._place
        for name in self._statements.own.values():
            with contextlib.suppress(GoogleAPIError, OSError):
                self._clients.tables.delete_table(
                    f"{place.project}.{place.dataset}.{name}",
                    not_found_ok=True,
                    retry=None,  # type: ignore[arg-type]
                    timeout=5,
                )

    def _begin(self, step: LoadStep) -> None:
        self._watch.cancel.check()
        self._watch.on_step(step, lambda: None)
        self._watch.cancel.check()

    def _extract(self) -> None:
        """Read the staged object into the table `incoming`."""
        staged, place = self._staged, self._place
        # Nothing is sent, unless somebody else replaced the object since it was uploaded.
        patience = self._settings.gcp_retry_seconds
        if upload(self._clients.objects, place, staged, self._watch, patience):
            self._begin("extract")
        doing = f"read {staged.file}"
        self._run("external", doing, self._statements.create_external())
        self._run("extract", doing, self._statements.extract_file())

    def _count(self) -> tuple[_Totals, list[Reject]]:
        """Reconcile what was read with the file's own lines; raise TripFileError on a gap."""
        staged = self._staged
        (row,) = self._rows("count", self._statements.select_totals())
        totals = _Totals(
            rows=row["read_rows"] - row["misfits"],
            rounded=row["rounded"],
            total_amount=row["total_amount"],
            months=parse_months(row["pickup_months"]),
        )
        if totals.rows == staged.data_lines == row["read_rows"]:
            return totals, []
        again = read_again(staged, self._settings, self._watch)
        found = totals.rows, totals.total_amount
        if (again.rows, again.total_amount) != found or (
            staged.data_lines != totals.rows + len(again.rejects)
        ):
            raise TripFileError(
                f"{staged.file} has {staged.data_lines:,} data lines, but {totals.rows:,} rows "
                f"were read and {len(again.rejects):,} rejected; nothing was changed.",
                cure="Look for line breaks inside quotes in the file, or fetch it again.",
            )
        return totals, again.rejects

    def _compare(self, base: Base, totals: _Totals) -> Counter[str]:
        """Return how many rows will be inserted, updated and deleted."""
        if base.entry is None:
            return Counter(inserted=totals.rows)
        self._begin("compare")
        months = self._statements.months(totals.months, base)
        comparing = self._statements.compare_file(months)
        self._run("compare", f"compare {self._staged.file}", comparing)
        counted = self._rows("changes", self._statements.count_changes())
        return Counter({row["change"]: row["changed_rows"] for row in counted})

    def _entry(
        self, totals: _Totals, rejects: Sequence[Reject], change: Counter[str]
    ) -> LedgerEntry:
        return LedgerEntry.of_load(
            self._staged,
            self._job,
            change,
            seconds=time.monotonic() - self._started,
            rows=totals.rows,
            rejected=len(rejects),
            rounded=totals.rounded,
            total_amount=totals.total_amount,
        )

    def _save_rejects(self, rejects: list[Reject]) -> None:
        """Put the rejects into a table of this load's own, for the transaction."""
        if not rejects:
            return
        from google.cloud import bigquery

        place, tables = self._place, self._clients.tables
        schema = [
            bigquery.SchemaField("line", "INT64"),
            bigquery.SchemaField("reason", "STRING"),
            bigquery.SchemaField("content", "STRING"),
        ]
        table = bigquery.Table(
            f"{place.project}.{place.dataset}.{self._statements.own['rejected']}", schema
        )
        table.expires = datetime.now(UTC) + timedelta(days=1)
        rows = [
            {"line": r.line, "reason": r.reason, "content": r.content}
            for r in sorted_by_line(rejects)
        ]
        config = bigquery.LoadJobConfig(
            schema=schema, write_disposition="WRITE_TRUNCATE", labels={"app": "fareground"}
        )
        with translated(place, f"keep the rejects of {self._staged.file}"):
            tables.create_table(table, exists_ok=True)
            tables.load_table_from_json(
                rows, table, job_config=config, location=place.location
            ).result(timeout=self._settings.gcp_job_timeout_seconds)

    def _run(self, step: str, doing: str, sent: Statement) -> None:
        self._runner.run(step, doing, sent.sql, bound(sent.values))

    def _rows(self, step: str, sent: Statement) -> list[dict[str, Any]]:
        doing = f"count the rows of {self._staged.file}"
        return self._runner.rows(step, doing, sent.sql, bound(sent.values))
