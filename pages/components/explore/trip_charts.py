"""Draw the charts of fares, distances and payments. Pure: no Streamlit, no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from pages.components.common.drawing import (
    HOUR_AXIS,
    NOTHING,
    OTHER,
    Drawn,
    by_dataset,
    count_axis,
    day_axis,
    make_figure,
    opacities,
    rows_of,
    share_axis,
)
from pages.components.common.words import counted
from pages.components.explore.renderers import ChartView, renders
from pipeline.charts import NOT_RECORDED, payment_name

# By payment_type; the others are grey.
PAYMENT_COLORS = {1: "#4C84C4", 2: "#3D8F8F", 3: "#A0629B", 4: "#D1605E", 5: "#7F7F7F"}


@dataclass(frozen=True)
class _Bins:
    """The bins of a distribution.

    Attributes:
        measure: What is distributed.
        column: The column of the rows with the number of the bin: -1 for all values below zero,
            `end` for all from the end up.
        end: The number of the first bin that is not drawn.
        width: The width of a bin, in the unit of the axis.
        prefix: What stands before a number, such as $.
        title: The title of the axis.
        below: Describes the trips below the first bin.
        above: Describes the trips from the end up.
    """

    measure: str
    column: str
    end: int
    width: float
    prefix: str
    title: str
    below: str
    above: str


_FARES = _Bins(
    "fare", "dollars", 100, 1.0, "$", "fare, $", below="below $0", above="of $100 or more"
)
_DISTANCES = _Bins(
    "distance",
    "half_miles",
    60,
    0.5,
    "",
    "distance, miles",
    below="below 0 miles",
    above="of 30 miles or more",
)


@renders("fares")
def draw_fares(table: pa.Table, _view: ChartView) -> Drawn:
    """Draw the number of trips by fare, in bins of a dollar."""
    return _draw_distribution(table, _FARES)


@renders("distances")
def draw_distances(table: pa.Table, _view: ChartView) -> Drawn:
    """Draw the number of trips by distance, in bins of half a mile."""
    return _draw_distribution(table, _DISTANCES)


def _draw_distribution(table: pa.Table, bins: _Bins) -> Drawn:
    rows, column, width = rows_of(table), bins.column, bins.width
    drawn = [row for row in rows if row[column] is not None and 0 <= row[column] < bins.end]
    note = _describe_hidden(rows, bins)
    if not drawn:
        return None, note or NOTHING
    traces = [
        {
            "type": "bar",
            "name": dataset.word,
            "x": [(row[column] + 0.5) * width for row in dataset_rows],
            "y": [row["trips"] for row in dataset_rows],
            "width": width,
            "marker": {"color": dataset.tint, "line": {"width": 0}},
            "hovertext": [
                f"{bins.prefix}{row[column] * width:g} to under "
                f"{bins.prefix}{(row[column] + 1) * width:g}<br>"
                f"{dataset.word}: {counted(row['trips'], 'trip')}"
                for row in dataset_rows
            ],
            "hoverinfo": "text",
        }
        for dataset, dataset_rows in by_dataset(drawn)
    ]
    return make_figure(
        traces,
        232,
        xaxis={
            "title": {"text": bins.title},
            "tickprefix": bins.prefix,
            "range": [0, bins.end * width],
        },
        yaxis=count_axis(max(row["trips"] for row in drawn)),
        barmode="stack",
    ), note


def _describe_hidden(rows: list[dict[str, Any]], bins: _Bins) -> str:
    """Return how many trips lie beyond the axis or have no value, or an empty text for none."""

    def total(is_hidden: Callable[[Any], bool]) -> int:
        return sum(int(row["trips"]) for row in rows if is_hidden(row[bins.column]))

    counts = {
        bins.below: total(lambda value: value is not None and value < 0),
        bins.above: total(lambda value: value is not None and value >= bins.end),
        f"without a {bins.measure}": total(lambda value: value is None),
    }
    parts = [f"{trips:,} {description}" for description, trips in counts.items() if trips]
    return f"Not drawn, but counted: {', '.join(parts)}." if parts else ""


@renders("payments")
def draw_payments(table: pa.Table, view: ChartView) -> Drawn:
    """Draw the share of each kind of payment, as stacked bars over time."""
    rows = [row for row in rows_of(table) if row["period"] is not None]
    if not rows:
        return None, NOTHING
    if all(row["payment_type"] is None for row in rows):
        return None, "How these trips were paid was not recorded: payment_type is missing in all."
    totals: dict[date, int] = {}
    for row in rows:
        totals[row["period"]] = totals.get(row["period"], 0) + row["trips"]
    traces = []
    codes = {row["payment_type"] for row in rows}
    for code in sorted(codes, key=lambda code: (code is None, code or 0)):
        code_rows = [row for row in rows if row["payment_type"] == code]
        selection = str(NOT_RECORDED if code is None else code)
        traces.append(
            {
                "type": "bar",
                "name": payment_name(code),
                "x": [row["period"] for row in code_rows],
                "y": [row["trips"] / totals[row["period"]] for row in code_rows],
                "customdata": [selection] * len(code_rows),
                "marker": {
                    "color": PAYMENT_COLORS.get(code, OTHER),
                    "opacity": opacities([selection], view.selected)[0],
                    "pattern": {"shape": "/" if code is None else ""},
                },
                "hovertext": [
                    f"{row['period']}<br>{payment_name(code)}: "
                    f"{row['trips'] / totals[row['period']]:.1%}, {counted(row['trips'], 'trip')}"
                    for row in code_rows
                ],
                "hoverinfo": "text",
            }
        )
    days = day_axis(traces, set(totals))
    return make_figure(
        traces,
        232,
        xaxis=days | {"title": {"text": f"{view.grain} of pickup"}},
        yaxis={"title": {"text": "share of trips"}, "tickformat": ".0%", "range": [0, 1]},
        barmode="stack",
        clickmode="event+select",
    ), ""


@renders("tips")
def draw_tips(table: pa.Table, view: ChartView) -> Drawn:
    """Draw the share of the fare that people who pay by card add as a tip, by hour."""
    rows = [row for row in rows_of(table) if row["fares"] and row["tips"] is not None]
    if not rows:
        return None, "No tips: they are recorded only for trips paid by card."
    traces = []
    for dataset, dataset_rows in by_dataset(rows):
        selections = [f"*/{row['hour']}" for row in dataset_rows]
        traces.append(
            {
                "type": "bar",
                "name": dataset.word,
                "x": [row["hour"] for row in dataset_rows],
                "y": [row["tips"] / row["fares"] for row in dataset_rows],
                "customdata": selections,
                "marker": {
                    "color": dataset.tint,
                    "opacity": opacities(selections, view.selected),
                },
                "hovertext": [
                    f"{row['hour']:02}:00 to {row['hour']:02}:59<br>{dataset.word}: "
                    f"{row['tips'] / row['fares']:.1%} of the fare, {row['trips']:,} card trips"
                    for row in dataset_rows
                ],
                "hoverinfo": "text",
            }
        )
    return make_figure(
        traces,
        232,
        xaxis=HOUR_AXIS,
        yaxis=share_axis("tip, share of the fare"),
        barmode="group",
        clickmode="event+select",
    ), ""
