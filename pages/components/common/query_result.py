"""Show the rows of a query as a table or a chart, with downloads."""

from __future__ import annotations

import html
import io
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components.common.drawing import ACCENT, FigureSpec, make_figure
from pages.components.common.layout import below_label
from pages.components.common.themed import show_figure
from pages.components.common.words import count, duration, rows_in_words
from pipeline.warehouse.sandbox import ROW_CAP, SandboxResult

if TYPE_CHECKING:
    import pyarrow

_HEIGHT = 388  # pixels: a table of ten rows, so that table and chart take the same room
_MOST_MARKS = 2000  # bars or points of a chart; the browser draws more slowly than it reads a table
_MOST_CODES = 60  # bars of numbers that count as names
_SHOWN = 60  # letters of a name or label in a chart


def show_result(result: SandboxResult, key: str) -> None:
    """Draw what a query returned: how much, the rows as a table or chart, and downloads.

    Args:
        key: The beginning of the widgets' keys.
    """
    table = result.table
    more = f", the first {count(ROW_CAP)} of more" if result.truncated else ""
    row = st.container(horizontal=True, vertical_alignment="center")
    kind = row.segmented_control(
        "Show as",
        ["Table", "Chart"],
        format_func=lambda name: f":yellow[{name}]",
        default="Table",
        required=True,
        label_visibility="collapsed",
        key=f"{key}-kind",
        persist_state="session",
    )
    row.caption(
        f"{rows_in_words(table.num_rows)}{more} in {duration(result.seconds)}", width="content"
    )
    _offer_downloads(row, result, key)
    if kind == "Chart":
        _show_chart(table, key)
    else:
        st.dataframe(
            table, hide_index=True, key=f"{key}-rows", height=_HEIGHT, alt="Rows of the query"
        )


def _show_chart(table: pyarrow.Table, key: str) -> None:
    """Draw the choice of columns, and the chart of them."""
    numbers = [name for name in table.column_names if _is_number(table.schema.field(name).type)]
    if not numbers or not table.num_rows:
        st.info("A chart needs rows with a column of numbers.")
        return
    row = st.container(horizontal=True)
    others = [name for name in table.column_names if name not in numbers]
    names = [*others, *numbers]
    # A key of its own for each set of columns: another query has other columns.
    columns = ",".join(table.column_names)[:200]
    x = row.selectbox("Across", names, key=f"{key}-x {columns}", width=200)
    y = row.selectbox(
        "Up", numbers, index=int(len(numbers) > 1 and x == numbers[0]),
        key=f"{key}-y {columns}", width=200,
    )  # fmt: skip
    kind = below_label(row).segmented_control(
        "Marks",
        ["Bars", "Line"],
        format_func=lambda name: f":yellow[{name}]",
        default="Bars",
        required=True,
        label_visibility="collapsed",
        key=f"{key}-marks",
        persist_state="session",
    )
    show_figure(
        draw_result(table, str(x), str(y), lines=kind == "Line"),
        key=f"{key}-chart",
        config={"displaylogo": False},
        alt="A chart of the query's rows",
    )
    if table.num_rows > _MOST_MARKS:
        st.caption(f"Only the first {count(_MOST_MARKS)} rows are drawn.")


def draw_result(table: pyarrow.Table, x: str, y: str, *, lines: bool) -> FigureSpec:
    """Return a chart of two columns of a table, in the order of its rows.

    Args:
        x: The column across; `y` the column of numbers up.
        lines: Whether to join the points, in place of a bar for each.
    """
    rows = table.slice(0, _MOST_MARKS)
    kind = rows.schema.field(x).type
    across = [_mark(value) for value in rows.column(x).to_pylist()]
    # Bars of a few codes stand side by side, not as far apart as the numbers are.
    is_code = _is_number(kind) and not lines and rows.num_rows <= _MOST_CODES
    is_ordered = (_is_number(kind) and not is_code) or _is_time(kind)
    trace: dict[str, Any] = {
        "type": "scatter" if lines else "bar",
        "x": across,
        "y": [_mark(value) for value in rows.column(y).to_pylist()],
        "name": _label(y),
        "marker": {"color": ACCENT},
        **({"mode": "lines+markers", "line": {"color": ACCENT}} if lines else {}),
    }
    axis = {"title": {"text": _label(x)}, "automargin": True}
    if not is_ordered:
        axis["type"] = "category"
    return make_figure(
        [trace],
        _HEIGHT,
        xaxis=axis,
        yaxis={"title": {"text": _label(y)}, "tickformat": "~s", "automargin": True},
        showlegend=False,
    )


def _is_number(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _is_time(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_timestamp(kind) or types.is_date(kind))


def _mark(value: object) -> object:
    """Return a value for Plotly: a number, or text in which nothing is markup."""
    if value is None or isinstance(value, (int, float)):
        return value
    if hasattr(value, "as_tuple"):  # a Decimal
        return float(str(value))
    return _label(str(value))


def _label(text: str) -> str:
    """Return text that Plotly shows letter by letter: it reads a few tags of HTML."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return html.escape(shown, quote=False)


def _offer_downloads(row: Any, result: SandboxResult, key: str) -> None:
    for label, name, mime, write in (
        ("CSV", "query.csv", "text/csv", _as_csv),
        ("Parquet", "query.parquet", "application/vnd.apache.parquet", _as_parquet),
    ):
        row.download_button(
            label,
            data=partial(write, result),
            file_name=name,
            mime=mime,
            on_click="ignore",
            icon=":material/download:",
            help=f"Download these rows as {label}",
            key=f"{key}-download-{name}",
        )


def _as_csv(result: SandboxResult) -> bytes:
    from pyarrow import csv

    out = io.BytesIO()
    csv.write_csv(result.table, out)
    return out.getvalue()


def _as_parquet(result: SandboxResult) -> bytes:
    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(result.table, out)
    return out.getvalue()
