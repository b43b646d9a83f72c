"""Opens the SQLite files under FAREGROUND_HOME and creates or upgrades their tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipeline.core.errors import StorageError, UsageError
from pipeline.core.home import make_folder
from pipeline.core.regular_file import describe_irregular

Record = TypeVar("Record")


@dataclass(frozen=True)
class SqliteFile:
    """A SQLite file and its schema, safe to use from any thread or process.

    Each use opens its own connection. The file is in WAL mode, so that readers never wait.

    Attributes:
        path: The file; created with its folder on first use.
        what: The file's name in error messages, with a capital: "The run history".
        tables: CREATE statements, each with IF NOT EXISTS.
        version: Schema version, stored in `PRAGMA user_version`. `tables` and `upgrade` run when
            the file has another version.
        upgrade: Migrates the tables of an older file. Must be safe to run in two processes at once.
        synchronous: Value of `PRAGMA synchronous`. NORMAL is faster: in WAL mode a power cut may
            then lose the latest transactions, but does not corrupt the file
            (https://www.sqlite.org/pragma.html#pragma_synchronous).
        lost: What to do about a damaged file, as the end of the error's cure.
    """

    path: Path
    what: str
    tables: str
    version: int = 1
    upgrade: Callable[[sqlite3.Connection], None] | None = None
    synchronous: str = "FULL"
    lost: str = "move it away"

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection inside a transaction, which an exception rolls back.

        The transaction is committed and the connection closed at the end of the block. Rows are
        `sqlite3.Row`.

        Raises:
            StorageError: The file cannot be read or written. Includes any `sqlite3.Error` that the
                block raises.
        """
        make_folder(self.path.parent)
        self._refuse_irregular()
        try:
            connection = sqlite3.connect(self.path, timeout=10)
            try:
                connection.row_factory = sqlite3.Row
                connection.execute(f"PRAGMA synchronous = {self.synchronous}")
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version != self.version:
                    connection.execute("PRAGMA journal_mode = WAL")
                    connection.executescript(self.tables)
                    if self.upgrade is not None:
                        self.upgrade(connection)
                    connection.execute(f"PRAGMA user_version = {self.version}")
                with connection:
                    yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            reason = str(error).partition(" - ")[0]  # what follows advises programs, as "rebuild"
            raise StorageError(
                f"{self.what} {self.path} cannot be used: {reason}.",
                cure="Check that the disk has room and the folder can be written; "
                f"if the file is damaged, {self.lost}.",
            ) from error

    def _refuse_irregular(self) -> None:
        """Raise StorageError if a pipe or folder stands where SQLite expects a file of its own.

        SQLite would wait for somebody to write to a pipe.
        """
        for suffix in ("", "-wal", "-shm", "-journal"):
            path = self.path.with_name(f"{self.path.name}{suffix}")
            kind = "a folder" if path.is_dir() else describe_irregular(path)
            if kind:
                raise StorageError(
                    f"{self.what} {self.path} cannot be used: {path} is {kind}.",
                    cure="Move it away.",
                )

    def read(
        self, read: Callable[[sqlite3.Row], Record], sql: str, values: Sequence[object] = ()
    ) -> list[Record]:
        """Return what `read` makes of each row that a statement selects; raises as `parse` does."""
        with self.connect() as connection:
            rows = connection.execute(sql, tuple(values)).fetchall()
        return self.parse(rows, read)

    def parse(
        self, rows: Iterable[sqlite3.Row], read: Callable[[sqlite3.Row], Record]
    ) -> list[Record]:
        """Return what `read` makes of each row.

        Raises:
            StorageError: A row holds what no version of Fareground has written, so that the file is
                damaged. SQLite itself notices damage only where its structure suffers.
        """
        records = []
        for row in rows:
            try:
                records.append(read(row))
            except (ValueError, TypeError, KeyError, UsageError) as error:
                reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
                raise StorageError(
                    f"{self.what} {self.path} is damaged: {reason}.",
                    cure=f"{self.lost[0].upper()}{self.lost[1:]}.",
                ) from error
        return records
