"""Draw the charts of zones, routes and airports. Pure: no Streamlit, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pyarrow as pa

from pages.components.common.drawing import (
    ACCENT,
    NOTHING,
    Drawn,
    FigureSpec,
    Row,
    count_axis,
    day_axis,
    make_figure,
    opacities,
    rows_of,
)
from pages.components.common.words import counted
from pages.components.explore.renderers import ChartView, renders
from pages.components.explore.zone_bubbles import HEIGHT, MAP_AXES, draw_bubbles
from pipeline.charts.zones import Zones

_AIRPORTS = {1: "Newark", 132: "JFK", 138: "LaGuardia"}  # by zone
AIRPORT_COLORS = {1: "#7F7F7F", 132: "#4C84C4", 138: "#A0629B"}
_MAX_ZONES = 10  # in the chart of the busiest zones
_MAX_MARKERS = 12  # on a line
_MAX_ROUTE_LETTERS = 40  # of a label: more would leave no room for its bar at 390 pixels
# The classes of the map, from few trips to many; half transparent, so that they suit both themes.
_CLASS_COLORS = (
    "rgba(76,132,196,0.10)",
    "rgba(76,132,196,0.25)",
    "rgba(76,132,196,0.4)",
    "rgba(76,132,196,0.6)",
    "rgba(76,132,196,0.8)",
    "rgba(76,132,196,1)",
)

# The longitudes and latitudes of a zone's polygons, each of which ends with None.
Outline = tuple[list[float | None], list[float | None]]


@renders("map")
def draw_map(table: pa.Table, view: ChartView) -> Drawn:
    """Draw pickups as a map of the zones, in classes of equally many zones.

    The zones are plain areas: Plotly's own maps fetch the outlines of continents from another host.
    Without their shapes, each zone is a bubble at its center.
    """
    shapes, zones = view.zones.shapes, view.zones
    if shapes is None:
        described = partial(_describe_zone, zones=zones)
        return draw_bubbles(rows_of(table), zones.names, view.selected, described)
    outlines = {int(feature["id"]): _outline(feature) for feature in shapes["features"]}
    rows = sorted(
        (row for row in rows_of(table) if row["zone"] in outlines), key=lambda row: row["trips"]
    )
    if not rows:
        return None, NOTHING
    empty = set(outlines) - {row["zone"] for row in rows}
    traces = _draw_areas([outlines[zone] for zone in empty], "no trips", "rgba(128,128,128,0.12)")
    classes = min(len(_CLASS_COLORS), len(rows))
    for number in range(classes):
        class_rows = rows[len(rows) * number // classes : len(rows) * (number + 1) // classes]
        name = f"{class_rows[0]['trips']:,} to {class_rows[-1]['trips']:,} trips"
        fill = _CLASS_COLORS[len(_CLASS_COLORS) - classes + number]
        traces += _draw_areas([outlines[row["zone"]] for row in class_rows], name, fill)
    if view.selected.isdigit() and int(view.selected) in outlines:
        selected = int(view.selected)
        traces += _draw_areas([outlines[selected]], zones.name(selected), "rgba(0,0,0,0)", 3)
    # Areas report no clicks, so each has a point in its middle that nearly cannot be seen.
    centers = [_center(outlines[row["zone"]]) for row in rows]
    traces.append(
        {
            "type": "scatter",
            "x": [x for x, _ in centers],
            "y": [y for _, y in centers],
            "mode": "markers",
            "marker": {"size": 12, "color": "rgba(128,128,128,0.01)"},
            "customdata": [str(row["zone"]) for row in rows],
            "hovertext": [_describe_zone(row, zones) for row in rows],
            "hoverinfo": "text",
            "showlegend": False,
        }
    )
    return make_figure(
        traces,
        HEIGHT,
        **MAP_AXES,
        clickmode="event+select",
        hovermode="closest",
    ), ""


def _outline(feature: Mapping[str, Any]) -> Outline:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for polygon in feature["geometry"]["coordinates"]:
        xs += [*(point[0] for point in polygon[0]), None]
        ys += [*(point[1] for point in polygon[0]), None]
    return xs, ys


def _center(outline: Outline) -> tuple[float, float]:
    """Return the middle of the first polygon's bounding box."""
    end = outline[0].index(None)
    xs, ys = ([value for value in part[:end] if value is not None] for part in outline)
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def _draw_areas(outlines: list[Outline], name: str, fill: str, line: float = 0.6) -> list[Row]:
    """Return a trace of these outlines, or no trace without any; `line` is in pixels."""
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


@renders("zones")
def draw_zones(table: pa.Table, view: ChartView) -> Drawn:
    """Draw the busiest pickup zones as bars."""
    rows = [row for row in rows_of(table) if row["zone"] is not None]
    if not rows:
        return None, "No zone of pickup is known for these trips."
    shown = rows[:_MAX_ZONES][::-1]
    names = [view.zones.name(row["zone"]) for row in shown]
    selections = [str(row["zone"]) for row in shown]
    opacity = opacities(selections, view.selected)
    return _draw_bars(shown, names, names, selections, opacity, "pickup zone"), ""


@renders("routes")
def draw_routes(table: pa.Table, view: ChartView) -> Drawn:
    """Draw the busiest routes from zone to zone as bars."""
    rows = rows_of(table)[::-1]
    if not rows:
        return None, NOTHING
    name = view.zones.name
    names = [f"{name(row['pickup_zone'])} → {name(row['dropoff_zone'])}" for row in rows]
    labels = [_route_label(row["pickup_zone"], row["dropoff_zone"], view.zones) for row in rows]
    selections = [_route(row["pickup_zone"], row["dropoff_zone"]) for row in rows]
    # The selection may be another route, such as those of an airport.
    selected = view.selected if view.selected in selections else ""
    opacity = opacities(selections, selected)
    return _draw_bars(rows, names, labels, selections, opacity, "from → to"), ""


def _route(pickup: int | None, dropoff: int | None) -> str:
    """Return the selection of a route, or an empty text if one of its zones is not known."""
    return "" if pickup is None or dropoff is None else f"{pickup}/{dropoff}"


def _route_label(pickup: int | None, dropoff: int | None, zones: Zones) -> str:
    """Return the label of a route on an axis: without numbers, and short enough for a phone."""
    ends = [(zone, zones.names.get(zone or 0)) for zone in (pickup, dropoff)]
    names = [known.label if known else zones.name(zone) for zone, known in ends]
    label = f"within {names[0]}" if pickup == dropoff else " → ".join(names)
    if len(label) <= _MAX_ROUTE_LETTERS:
        return label
    most = (_MAX_ROUTE_LETTERS - len(" → ")) // 2
    return " → ".join(name if len(name) <= most else f"{name[: most - 1]}…" for name in names)


def _draw_bars(
    rows: list[Row],
    names: list[str],
    labels: list[str],
    selections: list[str],
    opacity: list[float],
    title: str,
) -> FigureSpec:
    """Return a figure with a bar for each row, the last on top.

    Args:
        names: What a bar is, when the pointer is over it.
        labels: What stands beside a bar; two may have the same.
    """
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [row["trips"] for row in rows],
        "y": list(range(len(rows))),
        "customdata": selections,
        "marker": {"color": ACCENT, "opacity": opacity},
        "hovertext": [_describe(name, row) for name, row in zip(names, rows, strict=True)],
        "hoverinfo": "text",
    }
    return make_figure(
        [bars],
        215,
        xaxis=count_axis(max(row["trips"] for row in rows)),
        yaxis={
            "title": {"text": title, "standoff": 16},
            "tickvals": list(range(len(rows))),
            "ticktext": labels,
            "tickfont": {"size": 10},
            "automargin": True,
        },
        clickmode="event+select",
    )


@renders("airports")
def draw_airports(table: pa.Table, view: ChartView) -> Drawn:
    """Draw the trips from and to each of the three airports over time."""
    rows = [row for row in rows_of(table) if row["period"] is not None]
    if not rows:
        return None, "None of these trips began or ended at an airport."
    # A line would fall at a period that is not whole.
    rows = [row for row in rows if not view.is_cut(row["period"])] or rows
    traces = []
    for airport, name in _AIRPORTS.items():
        for began_there, preposition, dash in ((True, "from", "solid"), (False, "to", "dot")):
            line_rows = [
                row
                for row in rows
                if row["airport"] == airport and bool(row["began_there"]) == began_there
            ]
            if not line_rows:
                continue
            selection = f"{airport}/*" if began_there else f"*/{airport}"
            # The selection may be another route, such as one between two zones.
            is_faded = "*" in view.selected and view.selected != selection
            traces.append(
                {
                    "type": "scatter",
                    "name": f"{preposition} {name}",
                    "x": [row["period"] for row in line_rows],
                    "y": [row["trips"] for row in line_rows],
                    "customdata": [selection] * len(line_rows),
                    "mode": "lines+markers",  # a line without markers cannot be clicked
                    # A browser draws twelve in a fifth of the time, and still reports every click.
                    "marker": {"size": 6, "maxdisplayed": _MAX_MARKERS},
                    "opacity": 0.3 if is_faded else 1.0,
                    "line": {"color": AIRPORT_COLORS[airport], "dash": dash},
                    "hovertemplate": f"%{{x|%Y-%m-%d}}<br>{preposition} {name}: %{{y:,}} trips"
                    "<extra></extra>",
                }
            )
    return make_figure(
        traces,
        230,
        xaxis=day_axis([], {row["period"] for row in rows})
        | {"title": {"text": f"{view.grain} of pickup"}},
        yaxis=count_axis(max(row["trips"] for row in rows)),
        clickmode="event+select",
    ), ""


def _describe_zone(row: Row, zones: Zones) -> str:
    return _describe(zones.name(row["zone"]), row)


def _describe(name: str, row: Row) -> str:
    dollars = "" if row["dollars"] is None else f"<br>${row['dollars']:,.0f} revenue"
    return f"{name}<br>{counted(row['trips'], 'trip')}{dollars}"
