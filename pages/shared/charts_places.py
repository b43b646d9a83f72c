"""The charts of places and of what is loaded; see `charts` for what the functions return."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import plotly.graph_objects as go
import pyarrow as pa

from pages.shared.drawing import (
    ACCENT,
    NOTHING,
    TAXI_COLORS,
    Drawn,
    Row,
    count_axis,
    day_axis,
    make_figure,
    rows_of,
)
from pipeline.charts.zones import Zones
from pipeline.trips import Color, Month, TripFile, months_between

_AIRPORTS = {1: "Newark", 132: "JFK", 138: "LaGuardia"}
AIRPORT_COLORS = {1: "#7F7F7F", 132: "#4C84C4", 138: "#A0629B"}
_SHOWN = 20
_MARKERS = 12  # of a line
# Of the map, from few trips to many; half transparent, so that they tint both themes.
_CLASSES = (
    "rgba(76,132,196,0.15)",
    "rgba(76,132,196,0.35)",
    "rgba(76,132,196,0.6)",
    "rgba(76,132,196,0.95)",
    "rgba(178,66,95,0.65)",
    "rgba(178,66,95,1)",
)

# Trips that the sources are known to have: (color, first month, last month, trips).
KNOWN_COUNTS = (
    (Color.YELLOW, Month(2020, 1), Month(2020, 12), 24_648_499),
    (Color.GREEN, Month(2020, 1), Month(2020, 12), 1_734_051),
    (Color.YELLOW, Month(2021, 3), Month(2021, 3), 1_925_152),
)


def draw_zones(table: pa.Table, zones: Zones, picked: str) -> Drawn:
    """The busiest pickup zones as bars."""
    rows = [row for row in rows_of(table) if row["zone"] is not None]
    if not rows:
        return None, "No zone of pickup is known for these trips."
    shown = rows[:_SHOWN][::-1]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [row["trips"] for row in shown],
        "y": [zones.name(row["zone"]) for row in shown],
        "customdata": [str(row["zone"]) for row in shown],
        "marker": {
            "color": ACCENT,
            "opacity": [1.0 if picked in ("", str(row["zone"])) else 0.3 for row in shown],
        },
        "hovertext": [_told(zones.name(row["zone"]), row) for row in shown],
        "hoverinfo": "text",
    }
    figure = _make_bars(bars, "pickup zone")
    more = len(rows) - len(shown)
    return figure, (f"{more:,} more zones are in the data." if more else "")


def _make_bars(bars: Row, title: str) -> go.Figure:
    return make_figure(
        [bars],
        120 + 22 * max(4, len(bars["y"])),
        xaxis=count_axis(max(bars["x"])),
        yaxis={"title": {"text": title}, "type": "category", "automargin": True},
        clickmode="event+select",
    )


def draw_map(table: pa.Table, zones: Zones, picked: str) -> Drawn:
    """Pickups as a map of the zones, in classes of equally many zones; None without their shapes.

    Drawn as plain areas: Plotly's own maps fetch the world's outlines from another machine.
    """
    if zones.shapes is None:
        return None, "The shapes of the zones were not fetched."
    outlines = {int(feature["id"]): _outline(feature) for feature in zones.shapes["features"]}
    rows = sorted(
        (row for row in rows_of(table) if row["zone"] in outlines), key=lambda row: row["trips"]
    )
    if not rows:
        return None, NOTHING
    empty = set(outlines) - {row["zone"] for row in rows}
    traces = _areas([outlines[zone] for zone in empty], "no trips", "rgba(128,128,128,0.12)")
    classes = min(len(_CLASSES), len(rows))
    for number in range(classes):
        mine = rows[len(rows) * number // classes : len(rows) * (number + 1) // classes]
        name = f"{mine[0]['trips']:,} to {mine[-1]['trips']:,} trips"
        fill = _CLASSES[len(_CLASSES) - classes + number]
        traces += _areas([outlines[row["zone"]] for row in mine], name, fill)
    if picked.isdigit() and int(picked) in outlines:
        traces += _areas([outlines[int(picked)]], zones.name(int(picked)), "rgba(0,0,0,0)", 3)
    centers = [_center(outlines[row["zone"]]) for row in rows]
    traces.append(
        {
            "type": "scatter",
            "x": [x for x, _ in centers],
            "y": [y for _, y in centers],
            "mode": "markers",
            "marker": {"size": 12, "color": "rgba(128,128,128,0.01)"},
            "customdata": [str(row["zone"]) for row in rows],
            "hovertext": [_told(zones.name(row["zone"]), row) for row in rows],
            "hoverinfo": "text",
            "showlegend": False,
        }
    )
    return make_figure(
        traces,
        560,
        xaxis={"visible": False},
        # A degree of longitude in New York is shorter than one of latitude, by the cosine of 40.7.
        yaxis={"visible": False, "scaleanchor": "x", "scaleratio": 1.319},
        clickmode="event+select",
        hovermode="closest",
    ), ""


Outline = tuple[list[float | None], list[float | None]]


def _outline(feature: dict[str, Any]) -> Outline:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for polygon in feature["geometry"]["coordinates"]:
        xs += [*(point[0] for point in polygon[0]), None]
        ys += [*(point[1] for point in polygon[0]), None]
    return xs, ys


def _center(outline: Outline) -> tuple[float, float]:
    end = outline[0].index(None)
    xs, ys = ([v for v in part[:end] if v is not None] for part in outline)
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def _areas(outlines: list[Outline], name: str, fill: str, line: float = 0.6) -> list[Row]:
    """Return these outlines as one trace, or no trace when there are none."""
    if not outlines:
        return []
    return [
        {
            "type": "scatter",
            "x": [x for xs, _ in outlines for x in xs],
            "y": [y for _, ys in outlines for y in ys],
            "name": name,
            "mode": "lines",
            "fill": "toself",
            "fillcolor": fill,
            "line": {"width": line, "color": "rgba(128,128,128,0.9)"},
            "hoverinfo": "skip",
        }
    ]


def draw_pairs(table: pa.Table, zones: Zones, picked: str) -> Drawn:
    """The busiest ways from zone to zone."""
    rows = rows_of(table)[::-1]
    if not rows:
        return None, NOTHING
    names = [f"{zones.name(r['pickup_zone'])} → {zones.name(r['dropoff_zone'])}" for r in rows]
    picks = [_way(row["pickup_zone"], row["dropoff_zone"]) for row in rows]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [row["trips"] for row in rows],
        "y": names,
        "customdata": picks,
        "marker": {
            "color": ACCENT,
            "opacity": [1.0 if picked == pick or picked not in picks else 0.3 for pick in picks],
        },
        "hovertext": [_told(name, row) for name, row in zip(names, rows, strict=True)],
        "hoverinfo": "text",
    }
    return _make_bars(bars, "from → to"), ""


def _way(start: int | None, end: int | None) -> str:
    """Return what a click on this way picks; nothing where an end of it is not known."""
    return "" if start is None or end is None else f"{start}/{end}"


def draw_airports(table: pa.Table, grain: str, picked: str) -> Drawn:
    """Trips to and from the three airports, over time."""
    rows = [row for row in rows_of(table) if row["period"] is not None]
    if not rows:
        return None, "None of these trips began or ended at an airport."
    traces = []
    for airport, name in _AIRPORTS.items():
        for began, words, dash in ((True, "from", "solid"), (False, "to", "dot")):
            mine = [r for r in rows if r["airport"] == airport and bool(r["began_there"]) == began]
            if not mine:
                continue
            pick = f"{airport}/*" if began else f"*/{airport}"
            traces.append(
                {
                    "type": "scatter",
                    "name": f"{words} {name}",
                    "x": [row["period"] for row in mine],
                    "y": [row["trips"] for row in mine],
                    "customdata": [pick] * len(mine),
                    "mode": "lines+markers",  # a line alone cannot be clicked
                    # A browser draws twelve of them in a fifth of the time; each point is clicked.
                    "marker": {"size": 6, "maxdisplayed": _MARKERS},
                    "opacity": 1.0 if picked == pick or "*" not in picked else 0.3,
                    "line": {"color": AIRPORT_COLORS[airport], "dash": dash},
                    "hovertemplate": f"%{{x|%Y-%m-%d}}<br>{words} {name}: %{{y:,}} trips"
                    "<extra></extra>",
                }
            )
    return make_figure(
        traces,
        320,
        xaxis=day_axis([], {row["period"] for row in rows})
        | {"title": {"text": f"{grain} of pickup"}},
        yaxis=count_axis(max(row["trips"] for row in rows)),
        clickmode="event+select",
    ), ""


def draw_coverage(table: pa.Table) -> Drawn:
    """Which months are loaded, a row for each color."""
    rows = rows_of(table)
    if not rows:
        return None, "Nothing is loaded."
    trips = {TripFile.parse(row["filename"]): row for row in rows}
    months = sorted({file.month for file in trips})
    every = list(months_between(months[0], months[-1]))
    traces = []
    for color in Color:
        mine = [month for month in every if TripFile(color, month) in trips]
        if mine:
            traces.append(
                {
                    "type": "bar",
                    "name": color.value,
                    "x": [str(month) for month in mine],
                    "y": [trips[TripFile(color, month)]["trips"] for month in mine],
                    "marker": {"color": TAXI_COLORS[color]},
                    "hovertext": [_file_told(trips[TripFile(color, month)]) for month in mine],
                    "hoverinfo": "text",
                }
            )
    figure = make_figure(
        traces,
        300,
        # Plotly would read 2020-04 as a date, and leave no gap for a month that is not loaded.
        xaxis={
            "title": {"text": "month of the file"},
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [str(month) for month in every],
            "range": [-0.5, len(every) - 0.5],
        },
        yaxis={"title": {"text": "trips loaded"}, "tickformat": "~s", "rangemode": "tozero"},
        barmode="group",
    )
    gaps = [str(m) for m in every for c in Color if _gap(c, m, trips)]
    return figure, (f"Not loaded in between: {len(gaps):,} files." if gaps else "")


def _gap(color: Color, month: Month, trips: Collection[TripFile]) -> bool:
    months = [file.month for file in trips if file.color == color]
    inside = bool(months) and min(months) < month < max(months)
    return inside and TripFile(color, month) not in trips


def known_table(table: pa.Table) -> pa.Table:
    """Return what is loaded against the counts that the sources are known to have."""
    loaded = {TripFile.parse(row["filename"]): row["trips"] for row in rows_of(table)}
    found: list[dict[str, Any]] = []
    for color, first, last, known in KNOWN_COUNTS:
        files = [TripFile(color, month) for month in months_between(first, last)]
        have = [loaded[file] for file in files if file in loaded]
        span = str(first) if first == last else f"{first} to {last}"
        found.append(
            {
                "trips of": f"{color} {span}",
                "files loaded": f"{len(have):,} of {len(files):,}",
                "loaded": f"{sum(have):,}",
                "published": f"{known:,}",
                "share": f"{sum(have) / known:.1%}",
            }
        )
    return pa.Table.from_pylist(found)


def strays_table(table: pa.Table) -> pa.Table:
    """Return the strays, a row for each file and month of pickup."""
    rows = rows_of(table)
    return pa.table(
        {
            "file": [row["filename"].removesuffix(".csv") for row in rows],
            "month of pickup": [
                f"{row['pickup_month']:%Y-%m}" if row["pickup_month"] else "none" for row in rows
            ],
            "trips": [f"{row['trips']:,}" for row in rows],
        }
    )


def _told(name: str, row: dict[str, Any]) -> str:
    dollars = "" if row["dollars"] is None else f"<br>${row['dollars']:,.0f} revenue"
    return f"{name}<br>{row['trips']:,} trips{dollars}"


def _file_told(row: dict[str, Any]) -> str:
    strays = f"<br>{row['strays']:,} of them strays" if row["strays"] else ""
    return f"{row['filename']}<br>{row['trips']:,} trips{strays}"
