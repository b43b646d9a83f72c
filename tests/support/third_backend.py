"""A third backend, written with nothing but what `pipeline.warehouse` says of backends.

It keeps trips in a DuckDB file of its own, in tables unlike those of the local backend: ids are
stored, a load deletes a file's rows and inserts them again, ledger entries are JSON, and rollups
are views. The contract tests run on it as on the two real ones, so that they test the contract.
CONTRIBUTING.md describes it as the shortest backend there can be.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Self

import duckdb

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS, Dataset
from pipeline.core.errors import Cancelled, TripFileError, UsageError, WarehouseError
from pipeline.core.home import make_folder
from pipeline.core.settings.settings import Settings
from pipeline.core.sql import translate
from pipeline.core.trips import TripFile
from pipeline.files.staging import StagedFile
from pipeline.warehouse import (
    Backend,
    DatabaseFile,
    LoadJob,
    LoadMonitor,
    Parameters,
    RowSet,
    queryable_tables,
)
from pipeline.warehouse.dialect import TripTable, trip_expressions
from pipeline.warehouse.duckdb_errors import translated
from pipeline.warehouse.duckdb_file import OPEN_DATABASES, defined_functions, open_file
from pipeline.warehouse.extract.cells import identity_text, row_identifiers, stored_type
from pipeline.warehouse.extract.reader import extract, header_notes
from pipeline.warehouse.extract.rejects import Reject, sorted_by_line
from pipeline.warehouse.extract.statements import ExtractStatements
from pipeline.warehouse.ledger import FileRecord, LedgerEntry, records_by_file
from pipeline.warehouse.measures import has_amount, with_measures
from pipeline.warehouse.results import QueryResult, collect
from pipeline.warehouse.rollups import ROLLUPS
from pipeline.warehouse.sandbox.vetting import vet
from pipeline.warehouse.statements import LoadExplanation, LoadStep, Statement

_LOADING = threading.Lock()


class ThirdBackend(Backend):
    """Loads trips into `third.duckdb` under FAREGROUND_HOME."""

    name = "third"
    label = "Third place"
    storage = "a DuckDB file of a test"
    rollups = tuple(ROLLUPS)

    def open(self, settings: Settings, *, read_only: bool = False) -> ThirdWarehouse:
        return ThirdWarehouse(_path(settings), settings, read_only=read_only)

    def trip_table(self, dataset: Dataset) -> TripTable:
        return TripTable(dataset.table, trip_expressions(dataset))

    def explain_load(
        self,
        staged: StagedFile,
        entry: LedgerEntry,  # noqa: ARG002
        loaded: LedgerEntry | None,  # noqa: ARG002  its statements are the same for any load
        settings: Settings,
    ) -> LoadExplanation:
        load = [Statement("merge", name, sql) for name, sql in _load_statements(staged).items()]
        statements = [*ExtractStatements(staged).without_rejects(), *load]
        return LoadExplanation(statements, {"warehouse": str(_path(settings))})

    def database(self, settings: Settings) -> DatabaseFile:
        path = _path(settings)
        return DatabaseFile(
            path, partial(shutil.copyfile, path), defined_functions, lambda _path: []
        )


class ThirdWarehouse:
    """The tables in one DuckDB file."""

    def __init__(self, path: Path, settings: Settings, *, read_only: bool) -> None:
        self._path = path
        self._settings = settings
        self._read_only = read_only
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        if not self._read_only:
            make_folder(self._path.parent)
        self._connection = OPEN_DATABASES.acquire(self._key, self._connect)
        return self

    def __exit__(self, *_: object) -> None:
        OPEN_DATABASES.release(self._key)

    def records(self) -> dict[TripFile, FileRecord]:
        with self._cursor() as cursor:
            entries = cursor.execute("SELECT content FROM load_ledger ORDER BY number").fetchall()
        return records_by_file(_from_json(content) for (content,) in entries)

    def upload(self, staged: StagedFile, monitor: LoadMonitor) -> None:
        pass  # the file is read where it is staged

    def load(self, staged: StagedFile, job: LoadJob, monitor: LoadMonitor) -> LedgerEntry:
        with _LOADING, self._cursor() as cursor:
            try:
                return self._load(cursor, staged, job, monitor)
            except BaseException as error:
                if isinstance(error, duckdb.InterruptException):
                    raise Cancelled from None
                raise

    def record(self, entry: LedgerEntry) -> None:
        with self._cursor() as cursor:
            _record(cursor, entry)

    def remove(self, file: TripFile, source: str) -> int | None:
        record = self.records().get(file)
        if record is None or record.loaded is None or record.loaded.source != source:
            return None
        with _LOADING, self._cursor() as cursor:
            cursor.execute("BEGIN")
            for table in (file.dataset.table, "rejects"):
                cursor.execute(f"DELETE FROM {table} WHERE filename = ?", [file.filename])
            cursor.execute(
                "DELETE FROM load_ledger WHERE content->>'filename' = ?"
                " AND (content->>'state' = 'loaded' OR content->>'source' = ?)",
                [file.filename, source],
            )
            cursor.execute("COMMIT")
        return record.loaded.rows

    def sync_mirror(self, on_note: Callable[[str], object]) -> None:
        pass  # it keeps none

    def write_parquet(self, file: TripFile, path: Path, cancel: Cancel) -> None:
        cancel.check()
        with self._cursor() as cursor:
            cursor.execute(
                f"COPY (SELECT * EXCLUDE (filename) FROM {file.dataset.table} "
                "WHERE filename = $name) TO $path "
                "(FORMAT parquet)",
                {"name": file.filename, "path": str(path)},
            )

    def query(self, sql: str, *, limit: int) -> RowSet:
        with self._cursor() as cursor:
            vet(cursor, sql, queryable_tables(ROLLUPS))
            try:
                cursor.execute(sql)
            except duckdb.Error as error:
                raise UsageError(str(error), cure="Mend the SQL.") from None
            columns = tuple(column[0] for column in cursor.description or [])
            rows = cursor.fetchmany(limit + 1)
        return RowSet(columns, rows[:limit], truncated=len(rows) > limit)

    def read(self, sql: str, parameters: Parameters | None = None) -> QueryResult:
        translated = translate(sql)
        started = time.perf_counter()
        with self._cursor() as cursor:
            try:
                rows = cursor.sql(translated, params=dict(parameters or {})).to_arrow_reader()
                table = collect(rows, rows.schema)
            except duckdb.Error as error:
                raise WarehouseError(str(error), cure="Look at the statement.") from error
        return QueryResult(table, translated, time.perf_counter() - started)

    def scan_bytes(self, sql: str, parameters: Parameters | None = None) -> None:  # noqa: ARG002
        return None

    def _load(
        self,
        cursor: duckdb.DuckDBPyConnection,
        staged: StagedFile,
        job: LoadJob,
        monitor: LoadMonitor,
    ) -> LedgerEntry:
        started = time.monotonic()

        def begin(step: LoadStep) -> None:
            monitor.cancel.check()
            monitor.on_step(step, lambda: None)

        for note in header_notes(staged):
            monitor.on_note(note)
        statements = _load_statements(staged)
        with monitor.cancel.calling(cursor.interrupt):
            begin("extract")
            share = self._settings.max_rejected_share
            rejects = extract(cursor, staged, share, monitor.on_note)
            cursor.execute(statements["identify"])
            cursor.execute("BEGIN")
            begin("compare")
            changes = _fetch(cursor, statements["count_changes"])
            begin("merge")
            cursor.execute(statements["delete"])
            cursor.execute(statements["insert"])
            begin("reconcile")
            totals = _fetch(cursor, statements["total"])
            if staged.data_lines != totals["rows"] + len(rejects):
                raise TripFileError(
                    f"{staged.file} has {staged.data_lines} data lines, but {totals['rows']} rows "
                    f"were read and {len(rejects)} rejected.",
                    cure="Fetch it again.",
                )
            _replace_rejects(cursor, staged, job, rejects)
            entry = LedgerEntry.of_load(
                staged,
                run_id=job.run_id,
                source=job.source,
                changes=changes,
                seconds=time.monotonic() - started,
                rejected=len(rejects),
                **totals,
            )
            _record(cursor, entry)
        begin("commit")  # which is not interrupted any more
        cursor.execute("COMMIT")
        return entry

    @property
    def _key(self) -> tuple[Path, bool]:
        return self._path.resolve(), self._read_only

    def _connect(self) -> duckdb.DuckDBPyConnection:
        is_absent = not self._path.exists()  # a reader then gets an empty database in memory
        seconds = self._settings.busy_wait_seconds
        connection = open_file(self._path, self._settings, seconds, read_only=self._read_only)
        if is_absent or not self._read_only:
            with translated(self._path):
                _create_tables(connection)
        return connection

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        assert self._connection is not None
        # Closing the cursor rolls back what is not committed.
        with self._connection.cursor() as cursor, translated(self._path):
            yield cursor


def _path(settings: Settings) -> Path:
    return settings.home / "third.duckdb"


def _create_tables(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("CREATE SEQUENCE IF NOT EXISTS entry_number")
    cursor.execute("CREATE TABLE IF NOT EXISTS load_ledger (number BIGINT, content VARCHAR)")
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS rejects"
        " (filename VARCHAR, line BIGINT, reason VARCHAR, content VARCHAR, run_id VARCHAR)"
    )
    for dataset in DATASETS.values():
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {dataset.table} (unique_row_id BLOB, filename VARCHAR)"
        )
        for column in dataset.columns:
            cursor.execute(
                f"ALTER TABLE {dataset.table} ADD COLUMN IF NOT EXISTS"
                f" {column.name} {stored_type(column)}"
            )
    for rollup in ROLLUPS.values():
        selects = [
            _select_rollup(rollup.identifiers(trip_expressions(dataset), first=2), dataset)
            for dataset in DATASETS.values()
        ]
        union = "\nUNION ALL\n".join(selects)
        cursor.execute(f"CREATE OR REPLACE VIEW {rollup.name} AS {translate(union)}")


def _select_rollup(names: dict[str, str], dataset: Dataset) -> str:
    """Return the rows of a rollup for a dataset, in GoogleSQL."""
    month = "PARSE_DATE('%Y-%m', SUBSTR(filename, -11, 7))"
    return f"""
        SELECT
            filename, '{dataset}' AS color, {names["keys"]},
            COALESCE(DATE_TRUNC({names["when"]}, MONTH) <> {month}, TRUE) AS stray,
            {names["sums"]}
        FROM (
            SELECT filename, {names["key_expressions"]}, {names["sum_expressions"]}
            FROM {with_measures(dataset, dataset.table)}{names["where"]}
            GROUP BY 1, {names["positions"]}
        )"""


def _load_statements(staged: StagedFile) -> dict[str, str]:
    """Return the statements that load the rows of `incoming`, by name, in order."""
    dataset, filename = staged.file.dataset, f"'{staged.file.filename}'"
    columns = row_identifiers(dataset)["columns"]
    others = [column.name for column in dataset.columns if not column.identity]
    amount = "coalesce(sum(total_amount), 0)" if has_amount(dataset) else "NULL"
    differ = " OR ".join(f"loaded.{name} IS DISTINCT FROM identified.{name}" for name in others)
    return {
        "identify": "CREATE OR REPLACE TEMP TABLE identified AS "
        f"SELECT unhex(md5({identity_text(dataset, filename)})) AS unique_row_id,"
        f" {filename} AS filename, {columns}, rounded FROM incoming",
        "count_changes": "SELECT"
        " count(*) FILTER (loaded.unique_row_id IS NULL) AS inserted,"
        " count(*) FILTER (identified.unique_row_id IS NULL) AS deleted,"
        " count(*) FILTER (loaded.unique_row_id IS NOT NULL"
        f" AND identified.unique_row_id IS NOT NULL AND ({differ})) AS updated"
        f" FROM (FROM {dataset.table} WHERE filename = {filename}) AS loaded"
        " FULL JOIN identified USING (unique_row_id)",
        "delete": f"DELETE FROM {dataset.table} WHERE filename = {filename}",
        "insert": f"INSERT INTO {dataset.table} BY NAME"
        f" SELECT unique_row_id, filename, {columns} FROM identified",
        "total": f"SELECT count(*) AS rows, {amount} AS total_amount,"
        " count(*) FILTER (rounded) AS rounded FROM identified",
    }


def _replace_rejects(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, job: LoadJob, rejects: list[Reject]
) -> None:
    filename = staged.file.filename
    cursor.execute("DELETE FROM rejects WHERE filename = ?", [filename])
    for reject in sorted_by_line(rejects):
        cursor.execute(
            "INSERT INTO rejects VALUES (?, ?, ?, ?, ?)",
            [filename, reject.line, reject.reason, reject.content, job.run_id],
        )


def _record(cursor: duckdb.DuckDBPyConnection, entry: LedgerEntry) -> None:
    content = json.dumps(entry.to_row(), default=str)
    cursor.execute("INSERT INTO load_ledger VALUES (nextval('entry_number'), ?)", [content])


def _from_json(content: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(content)
    amount = row["total_amount"]
    row["total_amount"] = None if amount is None else Decimal(amount)
    return row | {"finished_at": datetime.fromisoformat(row["finished_at"])}


def _fetch(cursor: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    """Return the one row of an aggregate, by column name."""
    (row,) = cursor.execute(sql).fetchall()
    return dict(zip((column[0] for column in cursor.description or []), row, strict=True))
