"""Loading one staged trip file into BigQuery: stage, extract, compare, then all in one transaction.

The statements are in sql/bigquery; this module keeps their order. Everything up to the transaction
writes only tables of its own, which go when the load ends (or expire, should this process die).
The transaction is one script, so one job: BigQuery commits or undoes it without us.
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
from pipeline.sql import statement
from pipeline.warehouse import LedgerEntry, LoadJob, LoadStep, Watch
from pipeline.warehouse.google_columns import (
    csv_columns,
    extract_identifiers,
    months_condition,
    summary_identifiers,
    table_identifiers,
)
from pipeline.warehouse.google_errors import translated
from pipeline.warehouse.google_jobs import JobFailed, JobRunner
from pipeline.warehouse.google_ledger import (
    Base,
    entry_parameters,
    parameter,
    parse_months,
    read_base,
)
from pipeline.warehouse.google_place import Place
from pipeline.warehouse.google_rejects import read_again
from pipeline.warehouse.google_stage import object_name, upload
from pipeline.warehouse.local_load import header_notes
from pipeline.warehouse.local_rejects import Reject, sorted_by_line

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

    from pipeline.warehouse.google_jobs import Parameter

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
        stem = staged.file.stem.replace("-", "_")
        kinds = ("external", "incoming", "changes", "rejected")
        self._own = {kind: f"load_{stem}_{runner.nonce}_{kind}" for kind in kinds}
        self._identifiers = table_identifiers(staged.file.color) | self._own
        self._filename = parameter("filename", staged.file.filename)

    def run(self) -> LedgerEntry:
        """Load the file; raises JobFailed when somebody else loaded it meanwhile."""
        self._begin("extract")
        base = read_base(self._runner, self._staged.file)
        self._extract()
        totals, rejects = self._count()
        months = months_condition(self._staged.file.color, totals.months | base.months)
        change = self._compare(base, totals, months)
        self._begin("merge")
        entry = self._entry(totals, rejects, change)
        self._save_rejects(rejects)
        self._runner.run(
            "merge",
            f"merge {self._staged.file}",
            self._script(base, entry, months),
            [
                *entry_parameters(entry, totals.months),
                _integer("base_entry", base.entry),
                _integer("changed_rows", sum(change.values())),
            ],
        )
        return replace(entry, seconds=round(time.monotonic() - self._started, 3))

    def clean_up(self) -> None:
        """Drop the tables that were this load's own; what cannot be dropped expires in a day."""
        from google.api_core.exceptions import GoogleAPIError

        place = self._place
        for name in self._own.values():
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
        color, parquet = staged.file.color, staged.format == "parquet"
        external = {"uri": f"gs://{place.bucket}/{object_name(staged)}"}
        if not parquet:
            external["file_columns"] = csv_columns(color, staged.header)
            external["compression"] = "compression = 'GZIP'," if staged.format == "csv.gz" else ""
        doing = f"read {staged.file}"
        kind = "parquet" if parquet else "csv"
        self._run("external", doing, f"create_external_{kind}", **external)
        columns = extract_identifiers(color, staged.header, parquet)
        self._run("extract", doing, "extract_file", **columns)

    def _count(self) -> tuple[_Totals, list[Reject]]:
        """Reconcile what was read with the file's own lines; raise TripFileError on a gap."""
        staged = self._staged
        (row,) = self._rows("count", "select_totals")
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

    def _compare(self, base: Base, totals: _Totals, months: str) -> Counter[str]:
        """Return how many rows will be inserted, updated and deleted."""
        if base.entry is None:
            return Counter(inserted=totals.rows)
        self._begin("compare")
        self._run("compare", f"compare {self._staged.file}", "compare_file", months=months)
        counted = self._rows("changes", "count_changes")
        return Counter({row["change"]: row["changed_rows"] for row in counted})

    def _script(self, base: Base, entry: LedgerEntry, months: str) -> str:
        """Return the transaction: merge, rejects, reconciliation, sums and ledger, or nothing."""
        changed = (entry.inserted or 0) + (entry.updated or 0) + (entry.deleted or 0)
        merge = "insert_file" if base.entry is None else "merge_file"
        names = ["take_turn", "require_base"]
        names += [merge, "require_changes"] if changed else []
        names += ["delete_rejects"] if base.rejected else []
        names += ["insert_rejects"] if entry.rejected else []
        names += ["require_totals"]
        names += ["delete_trip_summary", "delete_zone_summary"] if base.entry is not None else []
        names += ["summarize_trips", "summarize_zones", "record_entry"]
        incoming = self._own["incoming"]
        rows = f"(SELECT @filename AS filename, * FROM {incoming} WHERE bad_column IS NULL)"
        identifiers = summary_identifiers(self._staged.file.color) | self._identifiers
        identifiers |= {"months": months, "rows": rows}
        statements = [statement(f"bigquery/{name}", **identifiers) for name in names]
        return "\n".join(["BEGIN TRANSACTION;", *statements, "COMMIT TRANSACTION;"])

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
        table = bigquery.Table(f"{place.project}.{place.dataset}.{self._own['rejected']}", schema)
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

    def _run(self, step: str, doing: str, name: str, **identifiers: str) -> None:
        sql = statement(f"bigquery/{name}", **self._identifiers | identifiers)
        self._runner.run(step, doing, sql, [self._filename])

    def _rows(self, step: str, name: str) -> list[dict[str, Any]]:
        sql = statement(f"bigquery/{name}", **self._identifiers)
        parameters: list[Parameter] = [self._filename]
        return self._runner.rows(step, f"count the rows of {self._staged.file}", sql, parameters)


def _integer(name: str, value: int | None) -> Parameter:
    from google.cloud.bigquery import ScalarQueryParameter

    return ScalarQueryParameter(name, "INT64", value)
