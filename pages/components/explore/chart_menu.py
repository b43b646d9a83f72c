"""The menu of a chart: the SQL behind it, its rows as CSV and Parquet, and its picture."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import date, datetime

import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import streamlit as st

from pages.components.common.drawing import FigureSpec
from pages.components.common.scan_estimate import show_scan_caption
from pages.components.common.target import backend
from pages.components.common.words import size
from pages.components.explore.page_filters import IMAGE_FORMATS
from pipeline.charts import ChartQuery, Query
from pipeline.core.settings.settings import load_settings
from pipeline.warehouse.results import QueryResult

_EXECUTED, _BIGQUERY = "As executed", "In BigQuery"


@st.fragment  # opening the menu reruns this part of this card only
def show_menu(
    name: str,
    query: ChartQuery,
    result: QueryResult,
    figure: FigureSpec | None,
    in_bigquery: Query | None = None,
) -> None:
    """Draw the menu of a chart; what is in it is sent when it is opened.

    Args:
        name: The name of the chart.
        query: What the rows are the answer to.
        result: The rows, and how long they took.
        figure: The chart, or None if there was nothing to draw.
        in_bigquery: The query for the same rows in BigQuery; None to say nothing of it.
    """
    menu = st.popover(
        "", icon=":material/more_vert:", type="tertiary", key=f"menu-{name}", on_change="rerun"
    )
    if not menu.open:
        return
    with menu:
        _show_sql(name, query, result, in_bigquery)
        buttons = st.container(horizontal=True)
        downloads: list[tuple[str, str, Callable[[], bytes]]] = [
            ("CSV", "text/csv", lambda: to_csv(result.table)),
            ("Parquet", "application/vnd.apache.parquet", lambda: to_parquet(result.table)),
        ]
        if figure is not None:
            downloads.append(("HTML", "text/html", lambda: to_html(figure)))
        for kind, mime, make in downloads:
            buttons.download_button(
                kind,
                data=make,
                file_name=f"fareground-{name}.{kind.lower()}",
                mime=mime,
                on_click="ignore",
                icon=":material/download:",
                key=f"{kind}-{name}",
            )
        if backend().database(load_settings()) is not None:
            buttons.page_link(
                "pages/sql.py",
                label="Open in SQL",
                icon=":material/database:",
                query_params={"q": standalone_sql(query, result)},
            )
        if figure is not None:
            picture = st.segmented_control(
                "The camera on the chart saves",
                IMAGE_FORMATS,
                default=st.session_state.picture,
                format_func=lambda kind: f":yellow[{kind.upper()}]",
                required=True,
                key=f"picture-{name}",
            )
            if picture and picture != st.session_state.picture:
                st.session_state.picture = picture
                st.rerun()


def _show_sql(name: str, query: ChartQuery, result: QueryResult, in_bigquery: Query | None) -> None:
    """Draw the SQL as executed with its time, or that of BigQuery with what it would cost.

    The two may read different tables: BigQuery has fewer rollups.
    """
    engine = _EXECUTED
    if in_bigquery is not None:
        engine = (
            st.segmented_control(
                "SQL",
                [_EXECUTED, _BIGQUERY],
                default=_EXECUTED,
                format_func=lambda label: f":yellow[{label}]",
                required=True,
                key=f"engine-{name}",
                label_visibility="collapsed",
            )
            or _EXECUTED
        )
    if in_bigquery is not None and engine == _BIGQUERY:
        show_scan_caption(in_bigquery.sql, in_bigquery.parameters)
        sql = with_values(in_bigquery.sql, in_bigquery)
    else:
        billed = f", {size(result.bytes_billed)} billed" if result.bytes_billed is not None else ""
        st.caption(f"{result.seconds * 1000:,.0f} ms from {query.table_label}{billed}")
        sql = with_values(result.sql, query)
    st.code(sql, language="sql", height=280, wrap_lines=True)


def with_values(sql: str, query: Query) -> str:
    """Return SQL of a query below comments with the values that are bound to it."""
    values = [f"-- {name} = {value}" for name, value in query.parameters.items()]
    return "\n".join([*values, sql])


def standalone_sql(query: ChartQuery, result: QueryResult) -> str:
    """Return the SQL that the warehouse executed, with its values written into it."""

    def literal(match: re.Match[str]) -> str:
        value = query.parameters[match[1]]
        if isinstance(value, datetime):
            return f"TIMESTAMP '{value}'"
        if isinstance(value, date):
            return f"DATE '{value}'"
        if isinstance(value, str):
            return "'" + value.replace("'", "''") + "'"
        return str(value)

    names = "|".join(map(re.escape, query.parameters))
    return re.sub(rf"\$({names})\b", literal, result.sql) if names else result.sql


def to_csv(table: pa.Table) -> bytes:
    """Return a table as CSV with a header."""
    sink = io.BytesIO()
    pyarrow.csv.write_csv(table, sink)
    return sink.getvalue()


def to_parquet(table: pa.Table) -> bytes:
    """Return a table as a Parquet file."""
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue()


def to_html(figure: FigureSpec) -> bytes:
    """Return a figure as an HTML page that needs no network."""
    validated = go.Figure(figure)
    validated.layout.template = None
    return str(validated.to_html(include_plotlyjs=True)).encode()
