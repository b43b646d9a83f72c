"""The figures at the top of the Explore page, from sums by day. Pure: no Streamlit, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from pages.shared.drawing import ACCENT, Row, rows_of
from pipeline.trips import MOST_MILES

_MOST_POINTS = 60


@dataclass(frozen=True)
class Figure:
    """One figure: its value and its change against the period before, as text, and its course.

    `value` is "unknown" where the trips do not tell it; `delta` is None where there is nothing to
    compare with.
    """

    name: str
    value: str
    delta: str | None
    course: list[float]
    help: str


def _ratio(above: str, below: str, factor: float = 1.0) -> Callable[[Sequence[Row]], float | None]:
    def value(rows: Sequence[Row]) -> float | None:
        top, bottom = _total(rows, above), _total(rows, below)
        return factor * top / bottom if top is not None and bottom else None

    return value


def _average_distance(rows: Sequence[Row]) -> float | None:
    trips = (_total(rows, "distances") or 0) - (_total(rows, "absurd_distances") or 0)
    miles = (_total(rows, "trip_distance") or 0) - (_total(rows, "absurd_miles") or 0)
    return miles / trips if trips else None


def _sum(name: str) -> Callable[[Sequence[Row]], float | None]:
    return lambda rows: _total(rows, name)


def _total(rows: Sequence[Row], name: str) -> float | None:
    known = [row[name] for row in rows if row[name] is not None]
    return float(sum(known)) if known else None


_FIGURES: tuple[tuple[str, Callable[[Sequence[Row]], float | None], str, str], ...] = (
    ("Trips", _sum("trips"), "{:,.0f}", "Rows as published: a trip and its void are two."),
    ("Revenue", _sum("total_amount"), "${:,.0f}", "Sum of total_amount, without cash tips."),
    ("Average fare", _ratio("fare_amount", "fares"), "${:,.2f}", "Of trips whose fare is known."),
    (
        "Average distance",
        _average_distance,
        "{:,.2f} mi",
        f"Of trips of 0 to {MOST_MILES} miles.",
    ),
    (
        "Average speed",
        _ratio("timed_miles", "timed_seconds", 3600.0),
        "{:,.1f} mph",
        "Miles by hours of trips of 1 minute to 6 hours and up to 200 miles.",
    ),
    (
        "Tip share",
        _ratio("card_tips", "card_fares"),
        "{:.1%}",
        "Tips by fares of trips paid by card; cash tips are not recorded.",
    ),
)


def make_figures(now: pa.Table, before: pa.Table | None) -> list[Figure]:
    """Return the figures of a period, against the one before it where that is loaded."""
    rows, earlier = rows_of(now), rows_of(before) if before is not None else []
    dated = [row for row in rows if row["day"] is not None]
    step = -(-len(dated) // _MOST_POINTS) or 1
    groups = [dated[start : start + step] for start in range(0, len(dated), step)]
    found = []
    for name, measure, form, words in _FIGURES:
        value, old = measure(rows), measure(earlier)
        course = [point for group in groups if (point := measure(group)) is not None]
        delta = f"{value / old - 1:+.1%}" if value is not None and old and old > 0 else None
        shown = "unknown" if value is None else form.format(value).replace("$-", "-$")
        if name == "Average distance" and (absurd := _total(rows, "absurd_distances")):
            words += f" Left out as absurd: {absurd:,.0f} trips."
        found.append(Figure(name, shown, delta, course if len(course) > 1 else [], words))
    return found


def sparkline(course: Sequence[float]) -> str:
    """Return a line through these values as an SVG picture, for both themes.

    Streamlit's own is drawn by Vega, which a browser needs half a second to read and start.
    """
    low, high = min(course), max(course)
    points = " ".join(
        f"{200 * number / (len(course) - 1):.1f},{30 - 28 * (value - low) / (high - low or 1):.1f}"
        for number, value in enumerate(course)
    )
    return (
        '<svg viewBox="0 0 200 32" width="200" height="32">'
        f'<polyline points="{points}" fill="none" stroke="{ACCENT}" stroke-width="2" '
        'stroke-linejoin="round"/></svg>'
    )
