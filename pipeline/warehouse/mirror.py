"""The Parquet mirror: a `ParquetFolder` that other programs read while files are loaded.

DuckDB opens a Parquet file twice, once for its columns and once for its rows. If a file is replaced
in between, a query by a glob fails, or mixes both (measured with DuckDB 1.5.6: 26 of 275 queries
beside 100 replacements a second). So each version of a file also has a name of its own, and
`trips.duckdb` has a view for each table of the versions that are loaded. It is replaced as a whole,
and a superseded version stays for as long as a query may take.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS
from pipeline.core.trips import TripFile
from pipeline.warehouse import Warehouse
from pipeline.warehouse.duckdb_errors import not_written
from pipeline.warehouse.exports import (
    OTHER_FOLDER,
    Owner,
    ParquetFolder,
    checksum,
    claim,
    load_key,
    writing,
)
from pipeline.warehouse.ledger import LedgerEntry

_GRACE = 600.0  # seconds for which a superseded version can still be read
_VERSIONS = ".versions"  # readers of the folder leave out names with a dot


class Mirror(ParquetFolder):
    """A Parquet folder with `trips.duckdb`, whose views are one state of all files.

    Args:
        folder: Where it is.
        owner: The warehouse whose rows are in it.
        storage_version: The DuckDB format of `trips.duckdb`.
    """

    def __init__(self, folder: Path, owner: Owner, storage_version: str) -> None:
        super().__init__(folder.absolute())
        self._owner = owner
        self._storage_version = storage_version

    def write(self, warehouse: Warehouse, entry: LedgerEntry, cancel: Cancel) -> None:
        """Write the rows of a loaded file and publish them; raises as `claim` and `write` do."""
        claim(self.folder, self._owner)
        super().write(warehouse, entry, cancel)
        with writing(self.folder):
            version = self._versions(entry.file) / load_key(entry)
            linked = self.folder / f".version-{os.getpid()}"
            linked.unlink(missing_ok=True)
            version.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(self.path(entry.file), linked)
            except OSError:  # a file system without links
                shutil.copyfile(self.path(entry.file), linked)
            linked.replace(version)
            version.with_name(f"{version.name}.superseded").unlink(missing_ok=True)
        self.publish()

    def is_current(self, entry: LedgerEntry) -> bool:
        """Return whether the folder has the rows of this load, also where the views read them."""
        if not super().is_current(entry):
            return False
        path, version = self.path(entry.file), self._versions(entry.file) / load_key(entry)
        # A folder that was moved or copied may lack the versions, or have others.
        return version.is_file() and (version.samefile(path) or checksum(version) == checksum(path))

    def remove(self, file: TripFile) -> None:
        """Remove a file's rows and publish that; raises as `claim` does."""
        claim(self.folder, self._owner)
        super().remove(file)
        self.publish()

    def prepare(self) -> None:
        """Remove what a killed process left; raises as `claim` does."""
        claim(self.folder, self._owner)
        self.remove_unfinished()

    def publish(self) -> None:
        """Replace `trips.duckdb` by one with the present files; raises StorageError."""
        current = {
            file: self._versions(file) / version
            for file in sorted(self.files())
            if (version := self.noted_version(file)) and (self._versions(file) / version).exists()
        }
        unfinished = self.folder / f".trips-{os.getpid()}"
        try:
            with writing(self.folder):
                unfinished.unlink(missing_ok=True)
                config: dict[str, str | bool | int | float | list[str]] = {
                    "storage_compatibility_version": self._storage_version
                }
                with duckdb.connect(str(unfinished), config=config) as connection:
                    for dataset in DATASETS.values():
                        paths = [str(p) for f, p in current.items() if f.dataset == dataset]
                        if paths:
                            names = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
                            connection.execute(
                                f"CREATE VIEW {dataset.table} AS FROM read_parquet([{names}], "
                                "hive_partitioning = true, union_by_name = true)"
                            )
                unfinished.replace(self.folder / "trips.duckdb")
        except duckdb.Error as error:
            raise not_written(self.folder, error, OTHER_FOLDER) from None
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
        self._remove_superseded(set(current.values()))

    def _versions(self, file: TripFile) -> Path:
        return self.folder / _VERSIONS / file.dataset.table / f"filename={file.filename}"

    def _remove_superseded(self, current: set[Path]) -> None:
        for path in self._all_versions():
            with suppress(OSError):
                if path in current:
                    continue
                marker = path.with_name(f"{path.name}.superseded")
                if not marker.exists():
                    marker.touch()
                elif time.time() - marker.stat().st_mtime > _GRACE:
                    path.unlink()
                    marker.unlink()

    def _all_versions(self) -> Iterator[Path]:
        for path in list((self.folder / _VERSIONS).glob("*/*/*")):
            if path.suffix != ".superseded":
                yield path
