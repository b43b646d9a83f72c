"""The charts of the Explore page, from the rows of their statements. Pure: no Streamlit, no I/O.

Each function returns a figure, or None when there is nothing to draw, and a sentence: what is
missing, or what is counted but not drawn. Points carry as `customdata` what a click on them picks.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from pages.shared.drawing import (
    HOUR_AXIS,
    NOTHING,
    OTHER,
    TAXI_COLORS,
    WEEKDAYS,
    Drawn,
    Row,
    by_color,
    count_axis,
    day_axis,
    make_figure,
    opacities,
    rows_of,
)
from pipeline.charts import payment_name
from pipeline.trips import Color

# By payment_type; the rest are grey.
PAYMENT_COLORS = {1: "#4C84C4", 2: "#3D8F8F", 3: "#A0629B", 4: "#D1605E", 5: "#7F7F7F"}
# From none to most, as red, green, blue and opacity.
_SCALE = ((0.0, (76, 132, 196, 0.08)), (0.5, (76, 132, 196, 1.0)), (1.0, (178, 66, 95, 1.0)))


def draw_over_time(table: pa.Table, grain: str, picked: str) -> Drawn:
    """Trips above, dollars below, a bar for each period and color."""
    rows = [row for row in rows_of(table) if row["period"] is not None]
    if not rows:
        return None, NOTHING
    traces = []
    for color, mine in by_color(rows):
        picks = [f"{row['period']}/{end_of(row['period'], grain)}" for row in mine]
        for axis, column, unit in (("", "trips", ""), ("2", "dollars", "$")):
            traces.append(
                {
                    "type": "bar",
                    "name": color.value,
                    "legendgroup": color.value,
                    "showlegend": not axis,
                    "x": [row["period"] for row in mine],
                    "y": [row[column] for row in mine],
                    "xaxis": f"x{axis}",
                    "yaxis": f"y{axis}",
                    "customdata": picks,
                    "marker": {"color": TAXI_COLORS[color], "opacity": opacities(picks, picked)},
                    "hovertemplate": f"%{{x|%Y-%m-%d}}<br>{color}: {unit}%{{y:,.0f}}"
                    "<extra></extra>",
                }
            )
    days = day_axis(traces, {row["period"] for row in rows})
    figure = make_figure(
        traces,
        420,
        xaxis=days | {"anchor": "y", "matches": "x2", "showticklabels": False},
        xaxis2=days | {"anchor": "y2", "title": {"text": f"{grain} of pickup"}},
        yaxis=count_axis(max(row["trips"] for row in rows)) | {"domain": [0.53, 1]},
        yaxis2={"title": {"text": "revenue, $"}, "tickformat": "~s", "domain": [0, 0.47]},
        barmode="stack",
        clickmode="event+select",
    )
    missing = all(row["dollars"] is None for row in rows)
    note = "total_amount is missing in all these trips: no revenue." if missing else ""
    return figure, note


def end_of(period: date, grain: str) -> date:
    """Return the last day of a day, week or month that begins on this day."""
    if grain == "month":
        return (period.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return period + timedelta(days={"day": 0, "week": 6}[grain])


def draw_week_hours(table: pa.Table, picked: str) -> Drawn:
    """A heatmap of weekday and hour, made of bars because those can be clicked."""
    rows = rows_of(table)
    if not rows:
        return None, NOTHING
    trips = {(row["weekday"], row["hour"]): row["trips"] for row in rows}
    # One trace, for a browser draws one of 168 bars sooner than seven of 24.
    slots = [(weekday, hour) for weekday in reversed(range(7)) for hour in range(24)]
    picks = [f"{weekday}/{hour}" for weekday, hour in slots]
    counts = [trips.get(slot, 0) for slot in slots]
    most = max(counts)
    squares = {
        "type": "bar",
        "x": [hour for _, hour in slots],
        "y": [1] * len(slots),
        "base": [6 - weekday for weekday, _ in slots],
        "width": 1,
        "customdata": picks,
        "marker": {
            "color": [shade(count / most) for count in counts],
            "opacity": opacities(picks, picked),
            "line": {"width": 0},
        },
        "hovertext": [
            f"{WEEKDAYS[weekday]}, {hour:02}:00 to {hour:02}:59<br>{count:,} trips"
            for (weekday, hour), count in zip(slots, counts, strict=True)
        ],
        "hoverinfo": "text",
        "showlegend": False,
    }
    # A bar has its color as text, and the scale stands beside a point that is nowhere: a numbered
    # color makes the browser write a warning for each bar, which takes longer than drawing them.
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
        [squares, scale],
        420,
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
    """Return the color of a share of the most, 0 to 1."""
    (low, start), (high, end) = _SCALE[:2] if share < _SCALE[1][0] else _SCALE[1:]
    along = (share - low) / (high - low)
    return _rgba(tuple(a + along * (b - a) for a, b in zip(start, end, strict=True)))


def _rgba(color: tuple[float, ...]) -> str:
    red, green, blue, opacity = color
    return f"rgba({red:.0f},{green:.0f},{blue:.0f},{opacity:.2f})"


def draw_fares(table: pa.Table) -> Drawn:
    """How many trips cost how much, in steps of a dollar."""
    unit = {"title": "fare, $", "prefix": "$", "width": 1.0}
    return _distribution(table, "dollars", 100, unit, "below $0", "of $100 or more", "fare")


def draw_distances(table: pa.Table) -> Drawn:
    """How many trips went how far, in steps of half a mile."""
    unit = {"title": "distance, miles", "prefix": "", "width": 0.5}
    return _distribution(
        table, "half_miles", 60, unit, "below 0 miles", "of 30 miles or more", "distance"
    )


def _distribution(
    table: pa.Table, column: str, top: int, unit: Row, below: str, above: str, what: str
) -> Drawn:
    rows = rows_of(table)
    drawn = [row for row in rows if row[column] is not None and 0 <= row[column] < top]

    def total(wanted: Callable[[Any], bool]) -> int:
        return sum(int(row["trips"]) for row in rows if wanted(row[column]))

    counted = {
        below: total(lambda value: value is not None and value < 0),
        above: total(lambda value: value is not None and value >= top),
        f"without a {what}": total(lambda value: value is None),
    }
    told = ", ".join(f"{number:,} {words}" for words, number in counted.items() if number)
    note = f"Not drawn, but counted: {told}." if told else ""
    if not drawn:
        return None, note or NOTHING
    width = unit["width"]
    traces = [
        {
            "type": "bar",
            "name": color.value,
            "x": [(row[column] + 0.5) * width for row in mine],
            "y": [row["trips"] for row in mine],
            "width": width,
            "marker": {"color": TAXI_COLORS[color], "line": {"width": 0}},
            "hovertext": [
                f"{unit['prefix']}{row[column] * width:g} to under "
                f"{unit['prefix']}{(row[column] + 1) * width:g}<br>{color}: {row['trips']:,} trips"
                for row in mine
            ],
            "hoverinfo": "text",
        }
        for color, mine in by_color(drawn)
    ]
    return make_figure(
        traces,
        320,
        xaxis={
            "title": {"text": unit["title"]},
            "tickprefix": unit["prefix"],
            "range": [0, top * width],
        },
        yaxis=count_axis(max(row["trips"] for row in drawn)),
        barmode="stack",
    ), note


def draw_payments(table: pa.Table, grain: str, picked: str) -> Drawn:
    """Shares of the ways to pay, over time."""
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
    for code in sorted(codes, key=lambda c: (c is None, c or 0)):
        mine = [row for row in rows if row["payment_type"] == code]
        pick = str(-1 if code is None else code)
        traces.append(
            {
                "type": "bar",
                "name": payment_name(code),
                "x": [row["period"] for row in mine],
                "y": [row["trips"] / totals[row["period"]] for row in mine],
                "customdata": [pick] * len(mine),
                "marker": {
                    "color": PAYMENT_COLORS.get(code, OTHER),
                    "opacity": opacities([pick], picked)[0],
                    "pattern": {"shape": "/" if code is None else ""},
                },
                "hovertext": [
                    f"{row['period']}<br>{payment_name(code)}: "
                    f"{row['trips'] / totals[row['period']]:.1%}, {row['trips']:,} trips"
                    for row in mine
                ],
                "hoverinfo": "text",
            }
        )
    days = day_axis(traces, set(totals))
    return make_figure(
        traces,
        320,
        xaxis=days | {"title": {"text": f"{grain} of pickup"}},
        yaxis={"title": {"text": "share of trips"}, "tickformat": ".0%", "range": [0, 1]},
        barmode="stack",
        clickmode="event+select",
    ), ""


def draw_tips(table: pa.Table, picked: str) -> Drawn:
    """What share of the fare card payers tip, by hour."""
    rows = [row for row in rows_of(table) if row["fares"] and row["tips"] is not None]
    if not rows:
        return None, "No tips: they are recorded only for trips paid by card."
    traces = []
    for color, mine in by_color(rows):
        picks = [f"*/{row['hour']}" for row in mine]
        traces.append(
            {
                "type": "bar",
                "name": color.value,
                "x": [row["hour"] for row in mine],
                "y": [row["tips"] / row["fares"] for row in mine],
                "customdata": picks,
                "marker": {"color": TAXI_COLORS[color], "opacity": opacities(picks, picked)},
                "hovertext": [
                    f"{row['hour']:02}:00 to {row['hour']:02}:59<br>{color}: "
                    f"{row['tips'] / row['fares']:.1%} of the fare, {row['trips']:,} card trips"
                    for row in mine
                ],
                "hoverinfo": "text",
            }
        )
    return make_figure(
        traces,
        320,
        xaxis=HOUR_AXIS,
        yaxis={
            "title": {"text": "tip, share of the fare"},
            "tickformat": ".0%",
            "rangemode": "tozero",
        },
        barmode="group",
        clickmode="event+select",
    ), ""


def draw_colors(table: pa.Table, picked: str) -> Drawn:
    """At what hours yellow and green taxis are taken: shares of each color's trips."""
    rows = [row for row in rows_of(table) if row["hour"] is not None]
    if not rows:
        return None, NOTHING
    found = list(by_color(rows))
    traces = []
    for color, mine in found:
        total = sum(row["trips"] for row in mine)
        traces.append(
            {
                "type": "scatter",
                "name": color.value,
                "x": [row["hour"] for row in mine],
                "y": [row["trips"] / total for row in mine],
                "customdata": [f"*/{row['hour']}" for row in mine],
                "mode": "lines+markers",
                "marker": {"size": [11 if picked == f"*/{row['hour']}" else 6 for row in mine]},
                "line": {
                    "color": TAXI_COLORS[color],
                    "dash": "dot" if color == Color.GREEN else "solid",
                },
                "hovertemplate": f"%{{x:02d}}:00<br>{color}: %{{y:.1%}} of its trips"
                "<extra></extra>",
            }
        )
    figure = make_figure(
        traces,
        320,
        xaxis=HOUR_AXIS,
        yaxis={
            "title": {"text": "share of the color's trips"},
            "tickformat": ".0%",
            "rangemode": "tozero",
        },
        clickmode="event+select",
    )
    note = ""
    if len(found) == 1:
        other = next(color for color in Color if color != found[0][0])
        note = f"There are no {other} trips to compare with: load some, or pick that color above."
    return figure, note
