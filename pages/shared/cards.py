"""A chart with all that belongs to it: its picture, its SQL and time, and its data to download."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import streamlit as st

from pages.shared.asking import Costly
from pages.shared.drawing import Drawn
from pages.shared.frame import reported
from pages.shared.people import change_button
from pages.shared.picks import take_pick
from pages.shared.themed import show_figure
from pages.shared.words import plain, size
from pipeline.charts import Question
from pipeline.warehouse import Answer

# Longer than a chart's query should ever take: a warehouse that does not answer is said to.
_PATIENCE = 120.0


@dataclass(frozen=True)
class Card:
    """A chart of the page.

    `dimension` is what a click on it picks (see `filters`), empty when it cannot be clicked.
    """

    name: str
    question: Question
    draw: Callable[[pa.Table], Drawn]
    dimension: str = ""
    title: str = ""


def show_card(card: Card, future: Future[Answer | Costly], picture: str) -> Answer | None:
    """Draw a chart once its answer is there, and return the answer.

    Args:
        picture: `png` or `svg`, what the camera in the chart's own toolbar saves.
    """
    with st.container(border=True, key=f"card-{card.name}"):
        st.markdown(f"**{card.title or card.question.chart.title}**")
        answer: Answer | Costly | None = None
        with reported():
            answer = future.result(_PATIENCE)
        if isinstance(answer, Costly):
            _ask_leave(card, answer)
        if not isinstance(answer, Answer):
            return None
        figure, note = card.draw(answer.table)
        if figure is None:
            st.info(plain(note))
        else:
            figure = _show_figure(card, figure, picture)
            if note:
                st.caption(plain(note))
        _show_details(card, answer, figure)
        return answer


def draw_nothing() -> None:
    """Draw a chart that cannot be seen."""
    hidden = {"visible": False}
    nothing = {
        "data": [{"type": "scatter"}],
        "layout": {"height": 10, "xaxis": hidden, "yaxis": hidden},
    }
    st.plotly_chart(nothing, key="nothing", config={"staticPlot": True})


def _show_figure(card: Card, figure: go.Figure, picture: str) -> go.Figure:
    key = f"{card.name}-{st.session_state.get('dropped', 0)}"
    options = {"format": picture, "filename": f"fareground-{card.name}", "scale": 2}
    config = {
        "displaylogo": False,
        "toImageButtonOptions": options,
        "modeBarButtons": [["toImage"]],
        "scrollZoom": False,
    }
    alt = card.title or card.question.chart.title
    if card.dimension:
        return show_figure(
            figure,
            key=key,
            on_select=lambda: take_pick(card.dimension, key),
            selection_mode="points",
            config=config,
            alt=alt,
        )
    return show_figure(figure, key=key, config=config, alt=alt)


def _ask_leave(card: Card, costly: Costly) -> None:
    st.info(
        f"This chart reads the trips themselves: {size(costly.bytes)} to scan, about "
        f"\\${costly.dollars:,.4f}."
    )
    if change_button(st, "Run it", key=f"run-{card.name}", icon=":material/play_arrow:"):
        st.session_state.setdefault("agreed", set()).add(card.question.sql)
        st.rerun()


@st.fragment  # opening it draws this chart's only
def _show_details(card: Card, answer: Answer, figure: go.Figure | None) -> None:
    billed = f", {size(answer.bytes_billed)} billed" if answer.bytes_billed is not None else ""
    row = st.container(horizontal=True, vertical_alignment="center")
    row.caption(f"{answer.seconds * 1000:,.0f} ms from {card.question.of_what}{billed}")
    details = row.popover(
        "SQL and data", icon=":material/code:", key=f"details-{card.name}", on_change="rerun"
    )
    if not details.open:
        return
    with details:
        st.code(as_run(card.question, answer), language="sql", height=320, wrap_lines=True)
        buttons = st.container(horizontal=True)
        downloads: list[tuple[str, str, Callable[[], bytes]]] = [
            ("CSV", "text/csv", lambda: as_csv(answer.table)),
            ("Parquet", "application/vnd.apache.parquet", lambda: as_parquet(answer.table)),
        ]
        if figure is not None:
            downloads.append(("HTML", "text/html", lambda: as_html(figure)))
        for kind, mime, make in downloads:
            buttons.download_button(
                kind,
                data=make,
                file_name=f"fareground-{card.name}.{kind.lower()}",
                mime=mime,
                on_click="ignore",
                icon=":material/download:",
                key=f"{kind}-{card.name}",
            )


def as_run(question: Question, answer: Answer) -> str:
    """Return the SQL as it was run, with the values that were bound to it."""
    values = [f"-- {name} = {value}" for name, value in question.parameters.items()]
    return "\n".join([*values, answer.sql])


def as_csv(table: pa.Table) -> bytes:
    """Return a table as CSV with a header."""
    sink = io.BytesIO()
    pyarrow.csv.write_csv(table, sink)
    return sink.getvalue()


def as_parquet(table: pa.Table) -> bytes:
    """Return a table as Parquet."""
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue()


def as_html(figure: go.Figure) -> bytes:
    """Return a chart as a page of its own, which needs no network."""
    checked = go.Figure(figure.to_dict())  # what `to_html` needs, and the page does without
    checked.layout.template = None
    return str(checked.to_html(include_plotlyjs=True)).encode()
