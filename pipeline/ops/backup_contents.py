"""Refuse databases of a backup that define what would run by itself once they are restored."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.errors import UsageError
from pipeline.warehouse import DatabaseFile


def refuse_foreign_definitions(folder: Path, database: DatabaseFile) -> None:
    """Raise UsageError if a warehouse in a backup has functions, views or types of others."""
    name = database.path.name
    if functions := database.functions(folder / name):
        raise UsageError(
            f"{name} of the backup {folder} defines SQL functions, which no warehouse of "
            f"Fareground has: {', '.join(functions)[:200]!r}.",
            cure="Use another backup: they would change what your queries answer.",
        )
    if views := database.views(folder / name):
        raise UsageError(
            f"{name} of the backup {folder} defines views or types that are not Fareground's: "
            f"{', '.join(views)[:200]!r}.",
            cure="Use another backup, or rebuild the warehouse: they could read files of yours.",
        )
