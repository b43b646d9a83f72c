"""What all charts have in common: colors, axes, figures made in one go. Pure: no Streamlit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import plotly.graph_objects as go
import pyarrow as pa

from pipeline.trips import Color

Drawn = tuple[go.Figure | None, str]
Row = dict[str, Any]

# At least 3:1 against both themes' backgrounds, and told apart by lightness as well as by hue.
TAXI_COLORS = {Color.YELLOW: "#B58900", Color.GREEN: "#2B8A57"}
ACCENT = "#4C84C4"
OTHER = "#8A8A8A"
_FADED = 0.3
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
_AXIS: Row = {"automargin": False, "ticklabeloverflow": "allow"}
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
    """Return a table's rows, with whole numbers as int and others as float."""
    casts: dict[str, type] = {}
    for field in table.schema:
        if pa.types.is_decimal(field.type):  # DuckDB adds whole numbers up to a decimal
            casts[field.name] = float if field.type.scale else int
    return [
        {
            name: casts[name](value) if name in casts and value is not None else value
            for name, value in row.items()
        }
        for row in table.to_pylist()
    ]


def make_figure(traces: list[Row], height: int, **layout: Any) -> go.Figure:
    """Return a figure of these traces, with what all of them have in common.

    It is made of plain values at once, and these are not checked, which the tests do: checking
    takes three times as long. It has no template, and says that its data stay the same, because
    Streamlit has Plotly draw every figure twice, and both would make it draw all of it again.

    Args:
        height: In pixels.
        layout: What this figure has of its own, as in Plotly's reference.
    """
    axes = {
        name: _make_axis(name[0], value)
        for name, value in layout.items()
        if name[1:].startswith("axis")
    }
    own = {"height": height, "font": _FONT, "datarevision": 1, "template": {}}
    return _make({"data": traces, "layout": {**_COMMON, **own, **layout, **axes}})


def _make(figure: Row) -> go.Figure:
    made = go.Figure(figure, _validate=False)
    made.layout.template = None
    return made


def _make_axis(letter: str, axis: Row) -> Row:
    common = _AXES[letter]
    return {**_AXIS, **common, **axis, "title": {**common["title"], **axis.get("title", {})}}


def tinted(figure: go.Figure, text: str, ground: str) -> go.Figure:
    """Return a figure of `make_figure` or `styled` in the colors of the page around it.

    Made anew: changing a figure takes three times as long.
    """
    found = figure.to_dict()
    layout = found["layout"]
    layout |= {
        "font": {**layout["font"], "color": text},
        "paper_bgcolor": ground,
        "plot_bgcolor": ground,
        "hoverlabel": {"bgcolor": ground, "font": {"color": text}},
    }
    return _make(found)


def count_axis(most: int) -> Row:
    """Return an axis from zero for numbers of trips, the largest of which is `most`.

    There are no ticks for parts of a trip.
    """
    few = {"tick0": 0, "dtick": 1} if most < 6 else {}
    return {"title": {"text": "trips"}, "tickformat": "~s", "rangemode": "tozero", **few}


def styled(figure: go.Figure, height: int) -> go.Figure:
    """Return a figure that was put together step by step with what all of them have in common.

    Its margins grow with the labels of its axes, which are of any length.
    """
    figure.update_layout(_COMMON | {"height": height, "font": _FONT})
    figure.update_xaxes({**_AXES["x"], "automargin": True})
    figure.update_yaxes({**_AXES["y"], "automargin": True})
    figure.layout.template = None
    return figure


def day_axis(traces: list[Row], periods: set[date]) -> Row:
    """Return an axis of days; a single bar is given a width, in milliseconds, for it has none."""
    axis: Row = {"type": "date", "tickformatstops": _DATE_STOPS}
    if len(periods) == 1:
        for trace in traces:
            trace["width"] = 86_400_000.0 * 0.5
        axis["dtick"] = 86_400_000.0
    return axis


def by_color(rows: Sequence[Row]) -> Iterable[tuple[Color, list[Row]]]:
    for color in Color:
        mine = [row for row in rows if row["color"] == color.value]
        if mine:
            yield color, mine


def opacities(picks: Sequence[str], picked: str) -> list[float]:
    if not picked:
        return [1.0] * len(picks)
    return [1.0 if pick == picked else _FADED for pick in picks]
