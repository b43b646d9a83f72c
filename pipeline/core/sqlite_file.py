"""Opens the SQLite files under FAREGROUND_HOME and creates or upgrades their tables."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipeline.core.errors import StorageError, UsageError
from pipeline.core.home import make_folder
from pipeline.core.regular_file import BROKEN_LINK_CURE, describe_irregular

Record = TypeVar("Record")
_SUFFIXES = ("", "-wal", "-shm", "-journal")  # of the file and those that SQLite puts beside it


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

    @property
    def exists(self) -> bool:
        """Whether the file, or a symbolic link in its place, exists; a broken link counts."""
        return os.path.lexists(self.path)

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
        refuse_irregular(self.path, f"{self.what} {self.path} cannot be used")
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
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code == sqlite3.SQLITE_READONLY and (locked := read_only_files(self.path)):
                raise StorageError(
                    f"{self.what} {self.path} cannot be written: "
                    f"{' and '.join(map(str, locked))} may only be read.",
                    cure="Make all of them writable: the files (chmod u+w) and their disk.",
                ) from error
            reason = str(error).partition(" - ")[0]  # what follows advises programs, as "rebuild"
            raise StorageError(
                f"{self.what} {self.path} cannot be used: {reason}.",
                cure="Check that the disk has room and the folder can be written; "
                f"if the file is damaged, {self.lost}.",
            ) from error

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


def refuse_irregular(path: Path, problem: str) -> None:
    """Raise StorageError if a pipe, folder or broken link stands where SQLite expects its files.

    SQLite would wait for somebody to write to a pipe.

    Args:
        path: The database.
        problem: What cannot be done, for the error.
    """
    for file in _files(path):
        kind = "a folder" if file.is_dir() else describe_irregular(file)
        if kind:
            cure = BROKEN_LINK_CURE if not file.exists() else "Move it away."
            raise StorageError(f"{problem}: {file} is {kind}.", cure=cure)


def read_only_files(path: Path) -> list[Path]:
    """Return which of a database's files this process cannot write.

    SQLite gives its -wal and -shm the rights of the database. Those that it made for a database
    that could only be read stay, and are read-only also when the database is writable again.
    """
    return [file for file in _files(path) if file.exists() and not os.access(file, os.W_OK)]


def _files(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}{suffix}") for suffix in _SUFFIXES]
