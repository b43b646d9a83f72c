"""Charts of the seconds, speed and cost of files, in one run or in their newest loads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from pages.components.common.drawing import styled
from pages.components.common.runs import history
from pages.components.common.target import backend, target
from pages.components.common.themed import show_figure
from pages.components.common.words import count, duration, files_in_words, size
from pages.components.runs.run_tables import STEP_COLORS
from pipeline.core.datasets import DATASETS, Dataset
from pipeline.runs.run_records import GLYPHS, Run, Timing

_CONFIG = {"displaylogo": False, "displayModeBar": False}
_GAP = 0.1  # between the bars of two months, as a share of a month's width


def show_run_charts(run: Run | None) -> None:
    """Draw the charts of the files of a run; without a run, of the newest load of each file."""
    timings = history().timings(target(), run.run_id if run else None)
    st.subheader("Speed and cost" if backend().is_billed else "Speed")
    if not any(timing.steps for timing in timings):
        st.caption("No file was downloaded or loaded, so there is nothing to chart.")
        return
    st.caption(describe(timings, run))
    show_figure(draw_durations(timings), key="durations", config=_CONFIG)
    rates, costs = draw_rates(timings), draw_costs(timings)
    drawn = {name: chart for name, chart in {"rates": rates, "costs": costs}.items() if chart}
    for place, (name, chart) in zip(st.columns(len(drawn) or 1), drawn.items(), strict=False):
        with place:
            show_figure(chart, key=name, config=_CONFIG)
    if rates is None:
        st.caption("No file was loaded, so there are no rows per second.")
    if backend().is_billed and costs is None:
        st.caption(f"{backend().storage} billed nothing for these files.")


def describe(timings: Sequence[Timing], run: Run | None) -> str:
    """Return in one sentence what is charted, and its total."""
    loaded = [timing.run_file for timing in timings if _is_loaded(timing)]
    seconds = sum(file.seconds or 0.0 for file in loaded)
    rows = sum(file.rows or 0 for file in loaded)
    rate = f", {count(round(rows / seconds))} rows per second of work" if seconds else ""
    what = "The files of this run" if run else "The newest load of each file in this warehouse"
    return f"{what}: {files_in_words(len(loaded))} loaded, {count(rows)} rows{rate}."


def draw_durations(timings: Sequence[Timing]) -> go.Figure:
    """Return a chart of the seconds of each step by month, one for each dataset.

    Failed files are marked.
    """
    timed = [timing for timing in timings if timing.steps]
    datasets = [
        dataset
        for dataset in DATASETS.values()
        if any(t.run_file.file.dataset == dataset for t in timed)
    ]
    figure = make_subplots(
        rows=len(datasets), cols=1, shared_xaxes=True, vertical_spacing=0.12,
        subplot_titles=[dataset.word for dataset in datasets],
    )  # fmt: skip
    for row, dataset in enumerate(datasets, start=1):
        its_timings = [timing for timing in timed if timing.run_file.file.dataset == dataset]
        for step, tint in STEP_COLORS.items():
            if not any(step in timing.steps for timing in timed):
                continue
            figure.add_bar(
                name=step,
                legendgroup=step,
                showlegend=row == 1,
                x=[str(timing.run_file.file.month) for timing in its_timings],
                y=[timing.steps.get(step, 0.0) for timing in its_timings],
                marker_color=tint,
                hovertext=[
                    f"{_name(timing)}<br>{step}: {duration(timing.steps.get(step, 0.0))}"
                    f" of {duration(sum(timing.steps.values()))}"
                    for timing in its_timings
                ],
                hoverinfo="text",
                row=row,
                col=1,
            )
        _mark_failed(figure, its_timings, row)
        figure.update_yaxes(title="seconds", rangemode="tozero", row=row, col=1)
    figure.update_xaxes(title="month of the file", row=len(datasets), col=1)
    figure.update_layout(barmode="stack", showlegend=True)
    styled(figure, 120 + 170 * len(datasets))
    _set_months(figure, timed)
    return figure.update_layout(legend={"y": 1.08 if len(datasets) > 1 else 1.14}, margin_t=56)


def draw_rates(timings: Sequence[Timing]) -> go.Figure | None:
    """Return a chart of the rows per second of each loaded file, with its download.

    Returns None if no file was loaded.
    """
    timed = [timing for timing in timings if _is_loaded(timing) and timing.run_file.seconds]
    if not timed:
        return None
    figure = go.Figure()
    for dataset, its_timings in _by_dataset(timed):
        files = [timing.run_file for timing in its_timings]
        rates = [(file.rows or 0) / (file.seconds or 1.0) for file in files]
        figure.add_bar(
            name=dataset.word,
            x=[str(file.file.month) for file in files],
            y=rates,
            marker_color=dataset.tint,
            hovertext=[
                f"{file.file.stem}<br>{count(round(rate))} rows per second<br>{count(file.rows)} "
                f"rows in {duration(file.seconds or 0.0)}"
                for file, rate in zip(files, rates, strict=True)
            ],
            hoverinfo="text",
        )
    figure.update_layout(barmode="group", showlegend=True)
    figure.update_xaxes(title="month of the file")
    figure.update_yaxes(title="rows per second", tickformat="~s", rangemode="tozero")
    return _set_months(styled(figure, 320), timed)


def draw_costs(timings: Sequence[Timing]) -> go.Figure | None:
    """Return a chart of the MiB billed for each file, above, and its slot seconds, below.

    Returns None if nothing was billed.
    """
    billed = [timing for timing in timings if timing.run_file.bytes_billed is not None]
    if not any(timing.run_file.bytes_billed or timing.run_file.slot_ms for timing in billed):
        return None
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    for dataset, its_timings in _by_dataset(billed):
        files = [timing.run_file for timing in its_timings]
        values = (
            [(file.bytes_billed or 0) / 2**20 for file in files],
            [(file.slot_ms or 0) / 1e3 for file in files],
        )
        for row, heights in enumerate(values, start=1):
            figure.add_bar(
                name=dataset.word,
                legendgroup=dataset.word,
                showlegend=row == 1,
                x=[str(file.file.month) for file in files],
                y=heights,
                marker_color=dataset.tint,
                hovertext=[
                    f"{file.file.stem}<br>{size(file.bytes_billed)} billed"
                    f"<br>{duration((file.slot_ms or 0) / 1e3)} of slot time"
                    for file in files
                ],
                hoverinfo="text",
                row=row,
                col=1,
            )
    figure.update_layout(barmode="group", showlegend=True)
    figure.update_yaxes(title="MiB billed", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title="slot seconds", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(title="month of the file", row=2, col=1)
    return _set_months(styled(figure, 320), billed)


def _is_loaded(timing: Timing) -> bool:
    return timing.run_file.state == "loaded"


def _name(timing: Timing) -> str:
    state = timing.run_file.state
    return f"{timing.run_file.file.stem}: {GLYPHS[state]} {state}"


def _mark_failed(figure: go.Figure, timings: Sequence[Timing], row: int) -> None:
    for timing in timings:
        if timing.run_file.state == "failed":
            figure.add_annotation(
                x=str(timing.run_file.file.month),
                y=sum(timing.steps.values()),
                text=f"{GLYPHS['failed']} failed",
                showarrow=False,
                yanchor="bottom",
                row=row,
                col=1,
            )


def _set_months(figure: go.Figure, timings: Sequence[Timing]) -> go.Figure:
    months = sorted({str(timing.run_file.file.month) for timing in timings})
    # Plotly would read "2020-04" as a date, and one bar would be a day wide.
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=months)
    # Never wider than a quarter of the chart: a single bar as wide as it looks like a mistake.
    return figure.update_layout(bargap=max(_GAP, 1 - (1 - _GAP) * len(months) / 4))


def _by_dataset(timings: Iterable[Timing]) -> list[tuple[Dataset, list[Timing]]]:
    """Return each dataset that has any timings, with these."""
    groups = [(d, [t for t in timings if t.run_file.file.dataset == d]) for d in DATASETS.values()]
    return [(dataset, its_timings) for dataset, its_timings in groups if its_timings]
