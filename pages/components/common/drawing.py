"""Make figures that look alike in all charts: colors, axes, legends. Pure: no Streamlit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import plotly.graph_objects as go
import pyarrow as pa

from pipeline.core.datasets import DATASETS, Dataset

FigureSpec = dict[str, Any]
"""A figure as in Plotly's JSON: its traces under "data", its layout under "layout"."""
Drawn = tuple[FigureSpec | None, str]
"""A chart, or None if there is nothing to draw, and a note below it."""
Row = dict[str, Any]

# At least 3:1 against the backgrounds of both themes, and different in lightness as well as in hue.
ACCENT = "#4C84C4"
OTHER = "#8A8A8A"
_FADED = 0.3  # the opacity of what is not selected
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NOTHING = "No trips are left by these filters."

_DATE_STOPS = [
    {"dtickrange": [None, 604_800_000], "value": "%b %-d\n%Y"},
    {"dtickrange": [604_800_000, "M1"], "value": "%b %-d\n%Y"},
    {"dtickrange": ["M1", None], "value": "%b\n%Y"},
]

HOUR_AXIS: Row = {"title": {"text": "hour of pickup"}, "dtick": 3, "range": [-0.5, 23.5]}
_GRID = "rgba(128,128,128,0.25)"  # half transparent, so that it suits both themes
_AXES: dict[str, Row] = {
    "x": {"showgrid": False, "zeroline": False, "title": {"standoff": 20}},
    "y": {"gridcolor": _GRID, "zerolinecolor": _GRID, "title": {"standoff": 24}},
}
# Fixed, because a swipe over a chart on a phone must scroll the page and not move its axes.
_AXIS: Row = {"automargin": False, "ticklabeloverflow": "allow", "fixedrange": True}
_FONT = {"family": '"Source Sans", sans-serif', "size": 12}
_COMMON: Row = {
    "margin": {"l": 64, "r": 12, "t": 30, "b": 56, "pad": 8},
    "legend": {
        "orientation": "h",
        "y": 1,
        "yanchor": "bottom",
        "x": 0,
        "traceorder": "normal",
    },
    "bargap": 0.1,
    "dragmode": False,
    "separators": ".,",
}


def rows_of(table: pa.Table) -> list[Row]:
    """Return the rows of a table, with whole numbers as int and all other numbers as float."""
    casts: dict[str, type] = {}
    for field in table.schema:
        if pa.types.is_decimal(field.type):  # a sum of whole numbers is a decimal in DuckDB
            casts[field.name] = float if field.type.scale else int
    return [
        {
            name: casts[name](value) if name in casts and value is not None else value
            for name, value in row.items()
        }
        for row in table.to_pylist()
    ]


def make_figure(traces: list[Row], height: int, **layout: Any) -> FigureSpec:
    """Return a figure with the margins, legend, axes and font of all charts.

    It has no template and a fixed data revision, because Streamlit has Plotly draw every figure
    twice, and with either of them the second time would draw everything again.

    Args:
        traces: The traces, as in Plotly's reference.
        height: The height in pixels.
        layout: What the layout of this figure adds or changes, as in Plotly's reference.
    """
    axes = {
        name: _make_axis(name[0], value)
        for name, value in layout.items()
        if name[1:].startswith("axis")
    }
    own = {"height": height, "font": _FONT, "datarevision": 1}
    return {"data": traces, "layout": {**_COMMON, **own, **layout, **axes}}


def unchecked(spec: FigureSpec) -> go.Figure:
    """Return a figure whose `to_dict`, which Streamlit calls, returns a specification as it is.

    Plotly 7 checks every value that a figure is made of. Measured for a chart of 672 bars: 35 ms,
    where this takes 1.4 ms. Tests check every chart instead.
    """
    figure = go.Figure(layout={"template": "none"})
    figure.to_dict = lambda: spec
    return figure


def _make_axis(letter: str, axis: Row) -> Row:
    common = _AXES[letter]
    return {**_AXIS, **common, **axis, "title": {**common["title"], **axis.get("title", {})}}


def tinted(figure: FigureSpec, text: str, ground: str) -> FigureSpec:
    """Return a figure of `make_figure` or `styled` in the colors of the page around it.

    Args:
        figure: The figure, which stays as it is.
        text: The color of the text.
        ground: The color of the background.
    """
    layout = figure["layout"]
    colors = {
        "font": {**layout["font"], "color": text},
        "paper_bgcolor": ground,
        "plot_bgcolor": ground,
        "hoverlabel": {"bgcolor": ground, "font": {"color": text}},
    }
    return {**figure, "layout": {**layout, **colors}}


def count_axis(most: int) -> Row:
    """Return an axis for numbers of trips from zero to `most`, without ticks between two trips."""
    few = {"tick0": 0, "dtick": 1} if most < 6 else {}
    return {"title": {"text": "trips"}, "tickformat": "~s", "rangemode": "tozero", **few}


def styled(figure: go.Figure, height: int) -> go.Figure:
    """Give a figure that was built step by step the look of all charts, and return it.

    Its margins grow with the labels of its axes, which may be of any length.

    Args:
        figure: The figure, which is changed.
        height: The height in pixels.
    """
    figure.update_layout(_COMMON | {"height": height, "font": _FONT})
    figure.update_xaxes({**_AXES["x"], "automargin": True})
    figure.update_yaxes({**_AXES["y"], "automargin": True})
    figure.layout.template = None
    return figure


def share_axis(title: str) -> Row:
    """Return an axis for shares from zero up."""
    return {"title": {"text": title}, "tickformat": ".0%", "rangemode": "tozero"}


def day_axis(traces: list[Row], periods: set[date]) -> Row:
    """Return an axis of days.

    Args:
        traces: The traces on the axis. If there is a single day, their bars are given a width, in
            milliseconds, because Plotly has no neighbor to derive it from.
        periods: The days.
    """
    axis: Row = {"type": "date", "tickformatstops": _DATE_STOPS}
    if len(periods) == 1:
        for trace in traces:
            trace["width"] = 86_400_000.0 * 0.5
        axis["dtick"] = 86_400_000.0
    return axis


def by_dataset(rows: Sequence[Row]) -> Iterable[tuple[Dataset, list[Row]]]:
    """Yield each dataset that has any rows, with these."""
    for dataset in DATASETS.values():
        dataset_rows = [row for row in rows if row["color"] == dataset.name]
        if dataset_rows:
            yield dataset, dataset_rows


def opacities(selections: Sequence[str], selected: str) -> list[float]:
    """Return the opacity of each mark of a chart: all but the selected one are faded.

    Args:
        selections: What a click on each mark selects.
        selected: What is selected; nothing is faded while it is empty.
    """
    if not selected:
        return [1.0] * len(selections)
    return [1.0 if selection == selected else _FADED for selection in selections]
