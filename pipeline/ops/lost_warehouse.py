"""Detect a missing warehouse file, which would otherwise look like a first start."""

from __future__ import annotations

import os

from pipeline.core.errors import WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.runs.history import History
from pipeline.warehouse.registry import find_backend


def refuse_lost_warehouse(target: str, settings: Settings) -> None:
    """Raise WarehouseError if a target's file is missing although runs loaded files into it."""
    database = find_backend(target).database(settings)
    if database is None or os.path.lexists(database.path):
        return
    if os.path.lexists(settings.history_path) and History(settings.history_path).has_loaded(target):
        raise WarehouseError(
            f"{database.path} is missing, although runs loaded files into it.",
            cure="Move it back, restore a backup, or load the staged files into a new one: "
            "python -m pipeline rebuild.",
        )
