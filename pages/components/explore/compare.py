"""The tab Compare: the taxis, or a period and an earlier one, laid over each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import streamlit as st

from pages.components.common.drawing import (
    ACCENT,
    HOUR_AXIS,
    NOTHING,
    OTHER,
    Drawn,
    Row,
    day_axis,
    make_figure,
    rows_of,
    share_axis,
)
from pages.components.common.target import target
from pages.components.common.themed import show_figure
from pages.components.common.words import plain
from pages.components.explore.cards import chart_config
from pages.components.explore.chart_menu import show_menu
from pages.components.explore.figures import is_loaded, previous_period
from pages.components.explore.metrics import METRICS, Metric
from pages.components.explore.page_filters import COMPARISONS, PageFilters
from pages.components.explore.query_runner import NeedsApproval, Outcomes
from pages.components.explore.renderers import ChartView
from pages.components.explore.selections import chart_key
from pipeline.charts import CHARTS, ChartQuery, Filters, build_query
from pipeline.core.datasets import Dataset
from pipeline.warehouse.results import QueryResult


@dataclass(frozen=True)
class Series:
    """A line of the comparison chart.

    Attributes:
        name: What the legend calls it.
        color: Its color.
        dash: Its style, so that color is not the only difference.
        filters: The trips that it is about.
        over_time: The query of its sums over time.
        hours: The query of its trips by hour.
        first: The first day that is charted.
        last: The last day that is charted.
    """

    name: str
    color: str
    dash: str
    filters: Filters
    over_time: ChartQuery
    hours: ChartQuery
    first: date
    last: date


@dataclass(frozen=True)
class CompareTab:
    """What is compared; without sides, only why there is nothing to compare."""

    sides: Sequence[Series]
    metric: Metric
    grain: str
    problem: str = ""

    @property
    def queries(self) -> tuple[ChartQuery, ...]:
        """The queries of all sides."""
        return tuple(query for side in self.sides for query in (side.over_time, side.hours))

    def show(self, outcomes: Outcomes) -> None:
        """Draw the choice of what is compared, and both charts."""
        st.segmented_control(
            "Compare",
            list(COMPARISONS),
            format_func=lambda name: f":yellow[{COMPARISONS[name]}]",
            key="versus",
            required=True,
            persist_state="session",
            label_visibility="collapsed",
        )
        if self.problem:
            st.info(plain(self.problem))
            return
        left, right = st.columns(2)
        with left:
            self._show_chart("over_time", f"{self.metric.label} over time", outcomes)
        with right:
            self._show_chart("hours", "Hours of pickup", outcomes)

    def _show_chart(self, name: str, title: str, outcomes: Outcomes) -> None:
        queries: list[ChartQuery] = [getattr(side, name) for side in self.sides]
        results = [outcomes.wait(query) for query in queries]
        with st.container(border=True, key=f"card-compare-{name}", gap="xsmall"):
            head = st.container(
                height=40, border=False, horizontal=True, vertical_alignment="center", wrap=False
            )
            head.markdown(f"**{plain(title)}**", width="stretch")
            tables = [result.table for result in results if isinstance(result, QueryResult)]
            if len(tables) < len(results):
                costs = [r.dollars for r in results if isinstance(r, NeedsApproval)]
                st.info(f"This reads the trips themselves, for about \\${sum(costs):,.4f}.")
                return
            if name == "hours":
                figure, note = draw_hours(self.sides, tables)
            else:
                figure, note = draw_overlay(self.sides, tables, self.metric, self.grain)
            if figure is None:
                st.info(plain(note))
                return
            key = f"compare-{name}"
            figure = show_figure(figure, key=chart_key(key), config=chart_config(key), alt=title)
            if note:
                st.caption(plain(note))
            last = results[-1]
            assert isinstance(last, QueryResult)
            with head.container(width=56):
                show_menu(key, queries[-1], replace(last, table=_join(self.sides, tables)), figure)


def make_comparison(page_filters: PageFilters) -> CompareTab:
    """Return what the tab compares under these filters."""
    filters, metric = page_filters.combine(), METRICS[page_filters.metric]
    first = max(filters.first or page_filters.first, page_filters.first)
    last = min(filters.last or page_filters.last, page_filters.last)
    versus = st.session_state.versus

    def side(name: str, color: str, dash: str, own: Filters) -> Series:
        over_time = build_query(CHARTS["over_time"], own, target(), page_filters.grain)
        hours = build_query(CHARTS["colors"], own, target())
        days = own.first or first, own.last or last
        return Series(name, color, dash, own, over_time, hours, *days)

    def nothing(problem: str) -> CompareTab:
        return CompareTab((), metric, page_filters.grain, problem)

    if versus == "colors":
        if len(filters.datasets) < 2:
            return nothing(
                f"Only {filters.datasets[0].word} is loaded or chosen. Choose or load other taxis "
                "to compare with."
            )
        sides = [
            side(dataset.word, dataset.tint, dataset.dash, replace(filters, datasets=(dataset,)))
            for dataset in filters.datasets
            if _suits(dataset, metric)
        ]
        return CompareTab(sides, metric, page_filters.grain)
    if last < first:
        return nothing(NOTHING)
    before = previous_period(first, last) if versus == "before" else year_earlier(first, last)
    if not is_loaded(filters.datasets, *before, page_filters.files):
        names = " and ".join(dataset.word for dataset in filters.datasets)
        return nothing(
            f"To compare {first} to {last} with {before[0]} to {before[1]}, load those months of "
            f"{names} too, or choose a shorter period above."
        )
    now = side(f"{first} to {last}", ACCENT, "solid", replace(filters, first=first, last=last))
    then = side(
        f"{before[0]} to {before[1]}",
        OTHER,
        "dash",
        replace(filters, first=before[0], last=before[1]),
    )
    return CompareTab((now, then), metric, page_filters.grain)


def _suits(dataset: Dataset, metric: Metric) -> bool:
    return metric.suits((dataset,))


def year_earlier(first: date, last: date) -> tuple[date, date]:
    """Return the same days of the year before; a month that ends then, ends a year before, too."""
    day_after = last + timedelta(days=1)
    return _year_before(first), _year_before(day_after) - timedelta(days=1)


def _year_before(day: date) -> date:
    leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - 1, day=28 if leap_day else day.day)


def draw_overlay(
    sides: Sequence[Series], tables: Sequence[pa.Table], metric: Metric, grain: str
) -> Drawn:
    """Draw a metric over time as a line of each side, from the first day of each on.

    A total is drawn of whole periods alone, because its line would fall at one that is not.

    Args:
        sides: The sides, the first of which gives the axis.
        tables: The rows of the query `over_time` of each.
        metric: What is drawn.
        grain: The length of the periods, one of GRAINS.
    """
    origin = sides[0].filters.first
    traces: list[Row] = []
    leaves_out = False
    for side, table in zip(sides, tables, strict=True):
        rows: dict[date, list[Row]] = {}
        for row in rows_of(table):
            if row["period"] is not None:
                rows.setdefault(row["period"], []).append(row)
        shift = origin - side.filters.first if origin and side.filters.first else timedelta()
        values = {period: metric.measure(group) for period, group in sorted(rows.items())}
        view = ChartView(grain, first=side.first, last=side.last)
        whole = {period: value for period, value in values.items() if not view.is_cut(period)}
        if metric.is_total and 0 < len(whole) < len(values):
            values, leaves_out = whole, True
        traces.append(
            _line(
                side,
                [_shifted(period, shift, grain) for period in values],
                list(values.values()),
                [
                    f"{period}<br>{side.name}: {'–' if value is None else metric.write(value)}"
                    for period, value in values.items()
                ],
            )
        )
    if not any(value is not None for trace in traces for value in trace["y"]):
        return None, NOTHING
    days = {period for trace in traces for period in trace["x"]}
    axis: dict[str, Any] = {"title": {"text": metric.axis}, "tickformat": metric.tick_format}
    if metric.is_total:
        axis["rangemode"] = "tozero"
    figure = make_figure(
        traces,
        250,
        xaxis=day_axis([], days) | {"title": {"text": f"{grain} of pickup"}},
        yaxis=axis,
    )
    return figure, f"Without each {grain} that is not charted whole." if leaves_out else ""


def _shifted(period: date, shift: timedelta, grain: str) -> date:
    """Return where a period of an earlier side stands on the axis."""
    day = period + shift
    # Months differ in length: half a month later is certainly within the month that is meant.
    return (day + timedelta(days=15)).replace(day=1) if shift and grain == "month" else day


def draw_hours(sides: Sequence[Series], tables: Sequence[pa.Table]) -> Drawn:
    """Draw the hours of pickup of each side, as shares of its own trips."""
    traces = []
    for side, table in zip(sides, tables, strict=True):
        trips: dict[int, int] = {}
        for row in rows_of(table):
            if row["hour"] is not None:
                trips[row["hour"]] = trips.get(row["hour"], 0) + row["trips"]
        total = sum(trips.values())
        shares = {hour: count / total for hour, count in sorted(trips.items())}
        texts = [f"{h:02}:00<br>{side.name}: {s:.1%} of its trips" for h, s in shares.items()]
        traces.append(_line(side, list(shares), list(shares.values()), texts))
    if not any(trace["y"] for trace in traces):
        return None, NOTHING
    return make_figure(traces, 250, xaxis=HOUR_AXIS, yaxis=share_axis("share of its trips")), ""


def _line(side: Series, xs: Sequence[Any], ys: Sequence[float | None], texts: Sequence[str]) -> Row:
    return {
        "type": "scatter",
        "name": side.name,
        "x": list(xs),
        "y": list(ys),
        "mode": "lines" if len(xs) > 1 else "markers",
        "line": {"color": side.color, "dash": side.dash},
        "marker": {"color": side.color},
        "hovertext": list(texts),
        "hoverinfo": "text",
    }


def _join(sides: Sequence[Series], tables: Sequence[pa.Table]) -> pa.Table:
    """Concatenate the result tables, with a column that names the line of each row."""
    named = [
        table.append_column("side", pa.array([side.name] * table.num_rows, pa.string()))
        for side, table in zip(sides, tables, strict=True)
    ]
    return pa.concat_tables(named)
