"""A SQL box over the previewed file and, on the local target, the warehouse."""

from __future__ import annotations

import io
from functools import partial

import streamlit as st

from pages.shared.frame import reported
from pages.shared.target import target
from pages.shared.tasks import begin, current, show_running
from pages.shared.words import count, duration, plain, rows_in_words
from pipeline.errors import Cancelled
from pipeline.preview import Preview
from pipeline.sandbox import ROW_CAP, Result, Scope, run_query
from pipeline.settings import Settings, load_settings

_HISTORY = 30
_EXAMPLES = (
    "SELECT payment_type, count(*) AS trips, sum(total_amount) AS dollars\n"
    "FROM trips GROUP BY payment_type ORDER BY trips DESC",
    "FROM file LIMIT 20",
    "SUMMARIZE trips",
)


def show_sql(preview: Preview) -> None:
    """Draw the box, the running query or its result, and the session's history."""
    settings = load_settings()
    scope = _scope(preview, settings)
    if not scope.tables:
        st.info("There is nothing to query: no row of the file could be read.")
        return
    st.session_state.setdefault("sql", _EXAMPLES[0] if preview.database else "")
    sql = st.text_area(
        "One SELECT, in DuckDB's SQL",
        key="sql",
        height=120,
        persist_state="session",
        help="It runs in a process of its own that can only read these tables, for at most "
        f"{settings.query_seconds:g} s, and gives at most {count(ROW_CAP)} rows.",
    )
    st.caption(f"Tables: {', '.join(f'`{name}`' for name in scope.tables)}. {_meaning(scope)}")
    history = [one for one in st.session_state.get("asked", []) if one != sql]
    task = current("query", preview.subject)
    running = task is not None and not task.done()
    row = st.container(horizontal=True, vertical_alignment="center")
    if row.button(
        ":orange[:material/play_arrow: **Run query**]" if not running else "Run query",
        type="primary",
        disabled=running,
        key="query-run",
    ):
        asked = str(sql)
        begin("query", preview.subject, lambda cancel, _: run_query(asked, scope, settings, cancel))
        st.session_state.asked = [*history, asked][-_HISTORY:]
        st.rerun()
    with row.popover("Examples and history", icon=":material/history:"):
        _show_history()
    if task is None:
        return
    if running:
        show_running(task, "Running", key="query-cancel")
        return
    with reported():
        try:
            _show_result(task.result())
        except Cancelled:
            st.info("The query was cancelled.")


def _scope(preview: Preview, settings: Settings) -> Scope:
    staged = preview.subject.staged
    return Scope(
        database=preview.database,
        file=(staged.path, staged.format) if staged else None,
        warehouse=settings.warehouse_path if target() == "local" else None,
    )


def _meaning(scope: Scope) -> str:
    parts = []
    if scope.database:
        parts.append("`trips` are the rows as they would be loaded, `file` the cells as they are.")
    if scope.warehouse:
        parts.append("The others are the warehouse's.")
    elif target() == "gcp":
        parts.append("BigQuery's own tables are not among them: use its console for those.")
    return " ".join(parts)


def _show_history() -> None:
    asked: list[str] = st.session_state.get("asked", [])
    for heading, queries in (("Examples", _EXAMPLES), ("Asked in this session", asked[::-1])):
        if queries:
            st.caption(heading)
        for number, sql in enumerate(queries):
            st.button(
                plain(" ".join(sql.split())[:120]),
                on_click=_take,
                args=(sql,),
                key=f"{heading}-{number}",
                type="tertiary",
            )


def _take(sql: str) -> None:
    st.session_state.sql = sql


def _show_result(result: Result) -> None:
    rows = result.table.num_rows
    more = (
        f"; there are more, of which at most {count(ROW_CAP)} are shown" if result.truncated else ""
    )
    st.caption(f"{rows_in_words(rows)} in {duration(result.seconds)}{more}")
    st.dataframe(result.table, hide_index=True, key="result", alt="Rows of the query")
    row = st.container(horizontal=True)
    for label, name, mime, write in (
        ("Download as CSV", "query.csv", "text/csv", _as_csv),
        ("Download as Parquet", "query.parquet", "application/vnd.apache.parquet", _as_parquet),
    ):
        row.download_button(
            label,
            data=partial(write, result),
            file_name=name,
            mime=mime,
            on_click="ignore",
            icon=":material/download:",
            key=f"download-{name}",
        )


def _as_csv(result: Result) -> bytes:
    from pyarrow import csv

    out = io.BytesIO()
    csv.write_csv(result.table, out)
    return out.getvalue()


def _as_parquet(result: Result) -> bytes:
    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(result.table, out)
    return out.getvalue()
