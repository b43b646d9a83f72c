"""How every small store under FAREGROUND_HOME opens its SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import StorageError
from pipeline.settings import make_folder


@dataclass(frozen=True)
class SqliteFile:
    """One file of tables, to be used from any thread or process: each use has its own connection.

    Attributes:
        what: What people call it, at the start of a message: "The run history".
        tables: Statements that create what is missing, and leave alone what is there.
        version: Of the tables. A file that has another one goes through `tables` and `upgrade`.
        upgrade: Changes the tables of an older file; may be called by two processes at once.
        synchronous: SQLite's pragma. NORMAL is quicker; with the write-ahead log a power cut may
            then take the newest transactions, and damages nothing.
        lost: What to do about a damaged file, at the end of the cure.
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
        """Yield a connection within a transaction: committed at the end, undone by an exception.

        Raises StorageError when the file cannot be read or written.
        """
        make_folder(self.path.parent)
        try:
            connection = sqlite3.connect(self.path, timeout=10)
            try:
                connection.row_factory = sqlite3.Row
                connection.execute(f"PRAGMA synchronous = {self.synchronous}")
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version != self.version:
                    connection.execute("PRAGMA journal_mode = WAL")  # readers never wait
                    connection.executescript(self.tables)
                    if self.upgrade is not None:
                        self.upgrade(connection)
                    connection.execute(f"PRAGMA user_version = {self.version}")
                with connection:
                    yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise StorageError(
                f"{self.what} {self.path} cannot be used: {error}.",
                cure="Check that the disk has room and the folder can be written; "
                f"if the file is damaged, {self.lost}.",
            ) from error
