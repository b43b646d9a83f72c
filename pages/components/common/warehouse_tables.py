"""The columns of a warehouse's tables, for people who write SQL."""

from __future__ import annotations

import streamlit as st

from pages.components.common.runs import read_activity
from pages.components.common.sql_box import Columns
from pages.components.common.target import backend, target
from pages.components.common.tasks import await_result
from pipeline.core.errors import FaregroundError
from pipeline.core.settings.settings import load_settings
from pipeline.core.tasks import Task, run_in_background
from pipeline.warehouse.registry import open_warehouse

_MOST_COLUMNS = 10_000


def read_columns() -> dict[str, Columns]:
    """Return the columns of the tables that may be queried; none while they cannot be read."""
    database = backend().database(load_settings())
    if database is None or not database.path.exists():
        return {}
    mark = read_activity().mark
    try:
        return await_result(_start_reading(target(), mark), "Reading the columns …")
    except FaregroundError:  # another process writes the warehouse; a query says so
        _start_reading.clear(target(), mark)
        return {}


@st.cache_resource(ttl=300, max_entries=6, show_spinner=False)
def _start_reading(
    target: str,
    mark: tuple[str, ...],  # noqa: ARG001  part of the key
) -> Task[dict[str, Columns], None]:
    settings = load_settings().model_copy(update={"busy_wait_seconds": 0.05})

    def read() -> dict[str, Columns]:
        # information_schema lists every schema of every attached database.
        sql = """
            SELECT table_name, column_name, data_type FROM information_schema.columns
            WHERE table_catalog = current_catalog() AND table_schema = current_schema()
            ORDER BY table_name, ordinal_position"""
        columns: dict[str, list[tuple[str, str]]] = {}
        with open_warehouse(target, settings) as warehouse:
            for table, column, kind in warehouse.query(sql, limit=_MOST_COLUMNS).rows:
                columns.setdefault(table, []).append((column, kind))
        return dict(columns)

    return run_in_background(read, "columns")
