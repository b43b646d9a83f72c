"""Draw pickups as bubbles at the centers of the zones. Pure: no Streamlit, no I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from pages.components.common.drawing import ACCENT, NOTHING, Drawn, Row, make_figure, opacities
from pages.components.common.words import counted
from pipeline.charts.zones import Zone

HEIGHT = 505  # pixels, of both maps
PHONE_HEIGHT = 330  # what a map of a phone's width needs
# A degree of longitude in New York is shorter than one of latitude, by the cosine of 40.7.
MAP_AXES = {
    "xaxis": {"visible": False},
    "yaxis": {"visible": False, "scaleanchor": "x", "scaleratio": 1.319},
}
_LARGEST, _SMALLEST = 30, 5  # pixels, diameters of bubbles
_GREY = "rgba(128,128,128,0.35)"


def draw_bubbles(
    rows: Sequence[Row], zones: Mapping[int, Zone], selected: str, describe: Callable[[Row], str]
) -> Drawn:
    """Return a map with a bubble for each zone, whose area stands for its trips.

    It needs nothing from the network. Zones without trips are grey points.

    Args:
        rows: The rows of the chart: `zone` and `trips`.
        zones: Each zone by its number.
        selected: The number of the selected zone, or an empty text.
        describe: Returns what a bubble says when the pointer is on it.
    """
    centers = {number: zone.center for number, zone in zones.items() if zone.center}
    shown = sorted((row for row in rows if row["zone"] in centers), key=lambda row: -row["trips"])
    if not shown:
        return None, NOTHING
    empty = centers.keys() - {row["zone"] for row in shown}
    selections = [str(row["zone"]) for row in shown]
    positions = [centers[row["zone"]] for row in shown]
    bubbles = {
        "type": "scatter",
        "x": [x for x, _ in positions],
        "y": [y for _, y in positions],
        "mode": "markers",
        "marker": {
            "size": [row["trips"] for row in shown],
            "sizemode": "area",
            "sizeref": 2 * shown[0]["trips"] / _LARGEST**2,  # from Plotly's guide to bubbles
            "sizemin": _SMALLEST / 2,
            "color": ACCENT,
            "opacity": [0.65 * opacity for opacity in opacities(selections, selected)],
            "line": {"width": 0.5, "color": "rgba(255,255,255,0.8)"},
        },
        "customdata": selections,
        "hovertext": [describe(row) for row in shown],
        "hoverinfo": "text",
    }
    figure = make_figure(
        [
            _points([centers[number] for number in empty]),
            bubbles,
            _borough_names(zones),
        ],
        HEIGHT,
        **MAP_AXES,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=False,
        clickmode="event+select",
        hovermode="closest",
    )
    elsewhere = sum(row["trips"] for row in rows) - sum(row["trips"] for row in shown)
    note = f"{counted(elsewhere, 'trip')} began in no zone of the map." if elsewhere else ""
    return figure, note


def _points(positions: Sequence[tuple[float, float]]) -> Row:
    return {
        "type": "scatter",
        "x": [x for x, _ in positions],
        "y": [y for _, y in positions],
        "mode": "markers",
        "marker": {"size": 3, "color": _GREY},
        "hoverinfo": "skip",
    }


def _borough_names(zones: Mapping[int, Zone]) -> Row:
    """Return a trace with the name of each borough, to find one's way.

    It stands in the middle of the borough; that of Manhattan, where most trips begin, beside it.
    """
    by_borough = defaultdict(list)
    for zone in zones.values():
        if zone.center:
            by_borough[zone.borough].append(zone.center)
    beside = {"Manhattan"}
    return {
        "type": "scatter",
        "x": [
            (min if borough in beside else fmean)([x for x, _ in centers])
            for borough, centers in by_borough.items()
        ],
        "y": [fmean(y for _, y in centers) for centers in by_borough.values()],
        "text": [f"<b>{borough}</b>" for borough in by_borough],
        "mode": "text",
        "textposition": [
            "middle left" if borough in beside else "middle center" for borough in by_borough
        ],
        "hoverinfo": "skip",
    }
