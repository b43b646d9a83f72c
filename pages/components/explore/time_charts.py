"""Draw the charts over time. Pure: no Streamlit, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pyarrow as pa

from pages.components.common.drawing import (
    HOUR_AXIS,
    NOTHING,
    WEEKDAYS,
    Drawn,
    Row,
    by_dataset,
    count_axis,
    day_axis,
    make_figure,
    opacities,
    rows_of,
    share_axis,
)
from pages.components.common.words import counted
from pages.components.explore.renderers import ChartView, period_end, renders

# The colors of the heatmap, from no trips to the most: red, green, blue and opacity.
_SCALE = ((0.0, (76, 132, 196, 0.06)), (1.0, (76, 132, 196, 1.0)))


@renders("over_time")
def draw_over_time(table: pa.Table, view: ChartView) -> Drawn:
    """Draw a metric over time: totals as stacked bars of the datasets, averages as their lines.

    Bars of periods that are not whole are hatched, because they would look like a fall: of days
    that are not charted, and of months that are not loaded for all datasets that are charted.
    """
    rows = [row for row in rows_of(table) if row["period"] is not None]
    metric = view.metric
    if not rows:
        return None, NOTHING
    traces, lacking, has_partial = [], list[str](), False
    for dataset, dataset_rows in by_dataset(rows):
        if not metric.suits((dataset,)):
            lacking.append(dataset.word)
            continue
        if metric.is_total:
            # The legend looks like the first bar, and a color is to stand for whole periods, too.
            dataset_rows.sort(key=lambda row: view.is_partial(row["period"]))
        values = [metric.measure([row]) for row in dataset_rows]
        selections = [
            f"{row['period']}/{period_end(row['period'], view.grain)}" for row in dataset_rows
        ]
        trace: Row = {
            "name": dataset.word,
            "x": [row["period"] for row in dataset_rows],
            "y": values,
            "customdata": selections,
            "hovertext": [
                f"{_period_words(row['period'], view.grain)}<br>"
                f"{dataset.word}: {'–' if value is None else metric.write(value)}"
                for row, value in zip(dataset_rows, values, strict=True)
            ],
            "hoverinfo": "text",
        }
        opacity = _opacities_within(selections, view.selected)
        if metric.is_total:
            partial = [view.is_partial(row["period"]) for row in dataset_rows]
            marker: Row = {"color": dataset.tint, "opacity": opacity}
            if any(partial):
                has_partial = True
                shapes = ["/" if is_partial else "" for is_partial in partial]
                marker["pattern"] = {"shape": shapes, "solidity": 0.5}
            traces.append({**trace, "type": "bar", "marker": marker})
        else:
            style = {"color": dataset.tint, "dash": dataset.dash}
            marker = {"size": 6, "opacity": opacity}
            mode = "lines+markers"  # a line without markers cannot be selected
            traces.append(
                {**trace, "type": "scatter", "mode": mode, "line": style, "marker": marker}
            )
    if not any(value is not None for trace in traces for value in trace["y"]):
        return None, f"{metric.label}: not recorded for these trips."
    axis = {"title": {"text": metric.axis}, "tickformat": metric.tick_format}
    if metric.is_total:
        axis["rangemode"] = "tozero"
    if metric.name == "trips":
        axis |= count_axis(max(row["trips"] for row in rows))
    days = day_axis(traces if metric.is_total else [], {row["period"] for row in rows})
    figure = make_figure(
        traces,
        220,
        xaxis=days | {"title": {"text": f"{view.grain} of pickup"}},
        yaxis=axis,
        barmode="stack",
        clickmode="event+select",
        selectdirection="h",
    )
    notes = [f"Without {' and '.join(lacking)}: not recorded."] if lacking else []
    if has_partial:
        notes.append(
            f"Hatched: each {view.grain} that is not charted whole, or not loaded for all taxis."
        )
    return figure, " ".join(notes)


def _period_words(period: date, grain: str) -> str:
    return f"{period:%Y-%m}" if grain == "month" else f"{grain} of {period}".removeprefix("day of ")


def _opacities_within(selections: Sequence[str], selected: str) -> list[float]:
    """Return the opacity of each period's mark: those outside of the selected days are faded."""
    if not selected:
        return [1.0] * len(selections)
    first, last = selected.split("/")
    within = {
        selection: selected
        for selection in selections
        if first <= selection.split("/")[0] and selection.split("/")[1] <= last
    }
    return opacities([within.get(selection, selection) for selection in selections], selected)


@renders("week_hours")
def draw_week_hours(table: pa.Table, view: ChartView) -> Drawn:
    """Draw a heatmap of weekday and hour.

    Its cells are bars, because Streamlit reports no clicks on a Plotly heatmap.
    """
    rows = rows_of(table)
    if not rows:
        return None, NOTHING
    trips = {(row["weekday"], row["hour"]): row["trips"] for row in rows}
    # One trace: a browser draws one trace of 168 bars sooner than seven of 24.
    slots = [(weekday, hour) for weekday in reversed(range(7)) for hour in range(24)]
    selections = [f"{weekday}/{hour}" for weekday, hour in slots]
    counts = [trips.get(slot, 0) for slot in slots]
    most = max(counts)
    cells = {
        "type": "bar",
        "x": [hour for _, hour in slots],
        "y": [1] * len(slots),
        "base": [6 - weekday for weekday, _ in slots],
        "width": 1,
        "customdata": selections,
        "marker": {
            "color": [shade(count / most) for count in counts],
            "opacity": opacities(selections, view.selected),
            "line": {"width": 0},
        },
        "hovertext": [
            f"{WEEKDAYS[weekday]}, {hour:02}:00 to {hour:02}:59<br>{counted(count, 'trip')}"
            for (weekday, hour), count in zip(slots, counts, strict=True)
        ],
        "hoverinfo": "text",
        "showlegend": False,
    }
    # The bars have their colors as text, and the scale belongs to a point that is not drawn. With
    # numbers as colors the browser writes a warning for each bar, which takes longer than drawing.
    scale = {
        "type": "scatter",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "marker": {
            "color": [0],
            "colorscale": [[share, _rgba(color)] for share, color in _SCALE],
            "cmin": 0,
            "cmax": most,
            "showscale": True,
            "colorbar": {"title": {"text": "trips"}, "thickness": 12, "tickformat": "~s"},
        },
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return make_figure(
        [cells, scale],
        250,
        xaxis=HOUR_AXIS,
        yaxis={
            "title": {"text": "weekday"},
            "tickvals": [6.5 - weekday for weekday in range(7)],
            "ticktext": [name[:3] for name in WEEKDAYS],
            "range": [0, 7],
            "showgrid": False,
        },
        barmode="overlay",
        clickmode="event+select",
    ), ""


def shade(share: float) -> str:
    """Return the color of a cell; `share` is its trips by those of the busiest cell."""
    (_, start), (_, end) = _SCALE
    return _rgba(tuple(a + share * (b - a) for a, b in zip(start, end, strict=True)))


def _rgba(color: tuple[float, ...]) -> str:
    red, green, blue, opacity = color
    return f"rgba({red:.0f},{green:.0f},{blue:.0f},{opacity:.2f})"


@renders("colors")
def draw_colors(table: pa.Table, view: ChartView) -> Drawn:
    """Draw the hours of pickup of each dataset, as shares of its own trips."""
    rows = [row for row in rows_of(table) if row["hour"] is not None]
    if not rows:
        return None, NOTHING
    traces = []
    for dataset, dataset_rows in by_dataset(rows):
        total = sum(row["trips"] for row in dataset_rows)
        selections = [f"*/{row['hour']}" for row in dataset_rows]
        sizes = [11 if selection == view.selected else 6 for selection in selections]
        traces.append(
            {
                "type": "scatter",
                "name": dataset.word,
                "x": [row["hour"] for row in dataset_rows],
                "y": [row["trips"] / total for row in dataset_rows],
                "customdata": selections,
                "mode": "lines+markers",
                "marker": {"size": sizes},
                "line": {
                    "color": dataset.tint,
                    "dash": dataset.dash,
                },
                "hovertemplate": f"%{{x:02d}}:00<br>{dataset.word}: %{{y:.1%}} of its trips"
                "<extra></extra>",
            }
        )
    return make_figure(
        traces,
        250,
        xaxis=HOUR_AXIS,
        yaxis=share_axis("share of the taxis' trips"),
        clickmode="event+select",
    ), ""
