"""Refuse databases of a backup that define what would run by itself once they are restored."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from pipeline.core.errors import UsageError
from pipeline.warehouse import DatabaseFile

# What the SQLite files of all versions consist of: SQLite runs this text, not the type beside it.
_STORED = re.compile(
    r"CREATE TABLE\b|CREATE (UNIQUE )?INDEX\b|CREATE VIRTUAL TABLE chunk_terms USING fts5\b",
    re.IGNORECASE,
)


def refuse_foreign_definitions(
    path: Path, database: DatabaseFile, *, shown: Path, cure: str
) -> None:
    """Raise UsageError if a warehouse has functions, views or types of others.

    Args:
        path: The file to look at, a copy of the warehouse.
        shown: The file that the error names.
        cure: What to do about those that are there.
    """
    if functions := database.functions(path):
        raise UsageError(
            f"{shown} defines SQL functions, which no warehouse of Fareground has, and which would "
            f"change what your queries answer: {', '.join(functions)[:200]!r}.",
            cure=cure,
        )
    if views := database.views(path):
        raise UsageError(
            f"{shown} defines views or types that are not Fareground's, and that could read files "
            f"of yours: {', '.join(views)[:200]!r}.",
            cure=cure,
        )


def refuse_foreign_store(folder: Path, name: str) -> None:
    """Raise UsageError if a SQLite file in a backup has triggers, views or modules of others."""
    # Immutable, so that SQLite looks for no log beside the file and creates none.
    address = f"{(folder / name).absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            rows = connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
            ).fetchall()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise UsageError(
            f"{name} of the backup {folder} cannot be read: {error}.", cure="Use another backup."
        ) from None
    if foreign := [str(each) for each, sql in rows if not _STORED.match(str(sql))]:
        raise UsageError(
            f"{name} of the backup {folder} has triggers, views or virtual tables that are not "
            f"Fareground's: {', '.join(foreign)[:200]!r}.",
            cure="Use another backup: they would change what is stored.",
        )
