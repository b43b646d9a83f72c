"""The local backend: one DuckDB file under FAREGROUND_HOME."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.datasets import Dataset
from pipeline.core.errors import TripFileError
from pipeline.core.home import make_folder
from pipeline.core.settings.settings import Settings
from pipeline.warehouse import Backend, DatabaseFile, Warehouse
from pipeline.warehouse.dialect import (
    DERIVED_COLUMNS,
    DERIVED_EXPRESSIONS,
    TripTable,
    trip_expressions,
)
from pipeline.warehouse.ledger import LedgerEntry
from pipeline.warehouse.rollups import ROLLUPS
from pipeline.warehouse.statements import LoadExplanation

if TYPE_CHECKING:
    from pipeline.core.checks import DoctorCheck
    from pipeline.files.staging import StagedFile
    from pipeline.warehouse.extract.parquet import ParquetColumn


class LocalBackend(Backend):
    """Loads trips into a DuckDB file; needs no settings, and costs nothing."""

    name = "local"
    label = "Local"
    storage = "a DuckDB file on this machine"
    rollups = tuple(ROLLUPS)

    def open(self, settings: Settings, *, read_only: bool = False) -> Warehouse:
        from pipeline.warehouse.local.warehouse import LocalWarehouse

        return LocalWarehouse(settings, read_only=read_only)

    def trip_table(self, dataset: Dataset) -> TripTable:
        expressions = trip_expressions(dataset) | DERIVED_EXPRESSIONS
        # The view of the same name, for people, leaves the derived columns out.
        return TripTable(f"storage.{dataset.table}", expressions, DERIVED_COLUMNS, "file_month")

    def explain_load(
        self, staged: StagedFile, entry: LedgerEntry, loaded: LedgerEntry | None, settings: Settings
    ) -> LoadExplanation:
        from pipeline.warehouse.local.statements import LocalStatements

        statements = LocalStatements(staged, _parquet_columns(staged))
        return LoadExplanation(
            statements.whole_load(entry, loaded=loaded is not None),
            {"table": staged.file.dataset.table, "warehouse": str(settings.warehouse_path)},
            "The path may be that of its unpacked copy, which reads faster."
            if staged.format == "csv.gz"
            else "",
        )

    def set_up(self, settings: Settings) -> list[str]:
        make_folder(settings.home)
        return [f"The folder {settings.home} exists; the first backfill creates the tables."]

    def checks(self, settings: Settings) -> list[DoctorCheck]:
        from pipeline.warehouse.local.checks import local_checks

        return local_checks(settings)

    def database(self, settings: Settings) -> DatabaseFile:
        from pipeline.warehouse.duckdb_file import defined_functions
        from pipeline.warehouse.local.views import foreign_views

        copy = partial(_copy_database, settings)
        return DatabaseFile(settings.warehouse_path, copy, defined_functions, foreign_views)


def _parquet_columns(staged: StagedFile) -> dict[str, ParquetColumn] | None:
    """Return the columns of a parquet file that is on this machine, or None."""
    import duckdb

    from pipeline.warehouse.extract.parquet import read_parquet_columns

    # Unlike Path.is_file, this says no where a folder cannot be read.
    path = next(filter(os.path.isfile, (staged.path, Path(staged.address))), None)
    if staged.format != "parquet" or path is None:
        return None
    with suppress(duckdb.Error, TripFileError), duckdb.connect() as connection:
        return read_parquet_columns(connection, replace(staged, path=path))
    return None


def _copy_database(settings: Settings, target: Path) -> None:
    from pipeline.warehouse.local.schema import copy_closed
    from pipeline.warehouse.local.warehouse import LocalWarehouse

    with LocalWarehouse(settings) as warehouse:
        warehouse.checkpoint()
    # Not while it is open: closing any descriptor of the file drops DuckDB's lock on it (fcntl).
    copy_closed(settings.warehouse_path, target)
