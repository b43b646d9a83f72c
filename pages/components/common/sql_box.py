"""The box that runs SQL, with the tables and their columns beside it, and the result below."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from pages.components.common.messages import reported
from pages.components.common.query_result import show_result
from pages.components.common.scan_estimate import show_scan_estimate
from pages.components.common.tasks import current_task, show_running_task, start_task
from pages.components.common.words import count, plain
from pipeline.core.errors import Cancelled
from pipeline.core.settings.settings import load_settings
from pipeline.warehouse.sandbox import ROW_CAP, Scope, run_query

_MOST_QUERIES = 30
_QUERIES = "queries of this session"
_BOX_HEIGHT = 200  # pixels of the box; the list of columns beside it ends where its buttons do
_COLUMNS_HEIGHT = 212

Columns = Sequence[tuple[str, str]]
"""Names and types of a table's columns."""


@dataclass(frozen=True)
class SqlBox:
    """What a box may read, and what stands beside it.

    Attributes:
        name: Tells it from the boxes of other pages in the session's state.
        about: What the queries are about; a result of anything else is not shown.
        scope: The tables.
        columns: The columns of each table; empty while they are not known.
        examples: Queries to begin with; the first stands in the box.
        meaning: What the tables hold, as Markdown.
        is_main: Whether its button is the main one of the page. A page has one.
    """

    name: str
    about: Hashable
    scope: Scope
    columns: Mapping[str, Columns]
    examples: Sequence[str]
    meaning: str
    is_main: bool = True

    @property
    def text_key(self) -> str:
        """The key of the text in the session's state."""
        return f"sql-{self.name}"


def show_sql_box(box: SqlBox) -> None:
    """Draw the box, the tables beside it, and the running query or its result."""
    settings = load_settings()
    state = st.session_state
    examples = f"examples of {box.text_key}"
    # Another file has other columns; a query that somebody wrote stays.
    if box.text_key not in state or state[box.text_key] in state.get(examples, ()):
        state[box.text_key] = box.examples[0]
    state[examples] = tuple(box.examples)
    left, right = st.columns([7, 4])
    with left:
        # Of a fixed height, because the browser draws the box first with a single line.
        sql = st.container(height=_BOX_HEIGHT + 36, border=False).text_area(
            "SQL: one SELECT, as DuckDB reads it",
            key=box.text_key,
            height=_BOX_HEIGHT,
            persist_state="session",
            help="It runs in a separate process that can only read these tables, for at most "
            f"{settings.query_seconds:g} s, and returns at most {count(ROW_CAP)} rows.",
        )
        task = current_task(f"query-{box.name}", box.about)
        running = task is not None and not task.done()
        row = st.container(horizontal=True, vertical_alignment="center")
        if row.button(
            ":orange[:material/play_arrow: **Run query**]"
            if box.is_main and not running
            else ":material/play_arrow: Run query",
            type="primary" if box.is_main else "secondary",
            disabled=running,
            shortcut="Ctrl+Enter",
            key=f"{box.name}-run",
        ):
            query = str(sql)
            start_task(
                f"query-{box.name}",
                box.about,
                lambda cancel, _: run_query(query, box.scope, settings, cancel),
            )
            earlier = [other for other in state.get(_QUERIES, []) if other != query]
            state[_QUERIES] = [*earlier, query][-_MOST_QUERIES:]
            st.rerun()
        with row.popover("Examples and history", icon=":material/history:"):
            _show_history(box)
        show_scan_estimate(str(sql), f"{box.name}-scan")
    with right:
        _show_tables(box)
    if task is None:
        return
    if running:
        show_running_task(task, "Running the query", key=f"{box.name}-cancel")
        return
    with reported():
        try:
            show_result(task.result(), box.name)
        except Cancelled:
            st.info("The query was cancelled.")


def _show_tables(box: SqlBox) -> None:
    """Draw the choice of a table, and its columns."""
    table = st.selectbox("Table", box.scope.tables, key=f"{box.name}-table")
    columns = box.columns.get(str(table), ())
    st.dataframe(
        pd.DataFrame(columns, columns=["column", "type"]),
        hide_index=True,
        height=_COLUMNS_HEIGHT,
        key=f"{box.name}-columns",
        column_config={"type": st.column_config.TextColumn(width=110)},
        alt=f"The columns of the table {table}",
    )
    st.caption(box.meaning)


def _show_history(box: SqlBox) -> None:
    history: list[str] = st.session_state.get(_QUERIES, [])
    for heading, queries in (("Examples", box.examples), ("Run in this session", history[::-1])):
        if queries:
            st.caption(heading)
        for number, sql in enumerate(queries):
            st.button(
                plain(" ".join(sql.split())[:120]),
                on_click=_take,
                args=(box, sql),
                key=f"{box.name}-{heading}-{number}",
                type="tertiary",
            )


def _take(box: SqlBox, sql: str) -> None:
    st.session_state[box.text_key] = sql
