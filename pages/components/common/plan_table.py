"""Show a plan before anything runs."""

from __future__ import annotations

from math import ceil

import pandas as pd
import streamlit as st

from pages.components.common.layout import table_height
from pages.components.common.messages import show_synthetic
from pages.components.common.plan_cost import show_cost
from pages.components.common.runs import history
from pages.components.common.words import duration, files_in_words, plain, size, state_words
from pipeline.files.offers import Unknown
from pipeline.runs.plan import FileState, Plan
from pipeline.runs.unpublished import MOST_LISTED
from pipeline.warehouse.registry import find_backend


def load_label(plan: Plan) -> str:
    """Return what loading a plan does, as a button says it: `Load 6 files`."""
    count = len(plan.to_run)
    states = {planned.state for planned in plan.to_run if not planned.replaces_sample}
    if not count:
        return "Load"
    if plan.request.only is not None and states != {FileState.FAILED}:
        return f"Continue: {files_in_words(count)} left"
    if plan.request.force:
        return f"Load {files_in_words(count)} again"
    if states == {FileState.FAILED}:
        return f"Retry {count:,} failed"
    if states == {FileState.LOADED}:
        return f"Check {files_in_words(count)} for changes"
    return f"Load {files_in_words(count)}"


def show_plan_summary(plan: Plan) -> None:
    """Say what will be loaded, how long it takes and what it costs, and what is unchecked."""
    row = st.container(horizontal=True, vertical_alignment="center")
    row.text(plan.summary(_time_it_takes(plan)))
    if plan.request.source == "sample":
        show_synthetic(row)
    if plan.to_run and find_backend(plan.request.target).is_billed:
        show_cost(plan)
    unknown = [p.probe for p in plan.files if isinstance(p.probe, Unknown)]
    if unknown:
        unchecked = "1 file is" if len(unknown) == 1 else f"{len(unknown):,} files are"
        st.warning(
            f"Cannot reach {plain(plan.source_label)}: {plain(unknown[0].reason)}. {unchecked} "
            "unchecked; a run will try anyway.",
            icon=":material/cloud_off:",
        )


def _time_it_takes(plan: Plan) -> str:
    """Return how long the files will take at the rate of past runs; "" before the first of them."""
    if not plan.to_run:
        return ""
    rate = history().load_rate(plan.request.target, plan.request.source)
    if rate is None:
        return ""
    known = all(planned.bytes is not None for planned in plan.to_run)
    seconds = rate.seconds(len(plan.to_run), plan.bytes if known else None)
    return duration(seconds) if seconds > 9.5 else f"{ceil(seconds)} s"


def show_plan_files(plan: Plan, key: str) -> None:
    """Show which files will be loaded, which will not, and why."""
    table = plan_table(plan)
    st.dataframe(
        table,
        hide_index=True,
        key=key,
        height=table_height(len(table)),
        column_config={
            "file": st.column_config.TextColumn(width=190),
            "state": st.column_config.TextColumn(width=110),
            "load": st.column_config.TextColumn(width=70),
            "size": st.column_config.TextColumn(width=90, alignment="right"),
            "unpacked": st.column_config.TextColumn(width=90, alignment="right"),
            "why": st.column_config.TextColumn(width="large"),
        },
        alt="The plan, file by file",
    )


def plan_table(plan: Plan) -> pd.DataFrame:
    """Return a plan as a table: a row for each file, and one for many that are not published."""
    grouped = len(plan.absent) > MOST_LISTED
    rows = [
        {
            "file": planned.file.stem,
            "state": state_words(planned.state),
            "load": "▶ yes" if planned.runs else "no",
            "size": size(planned.bytes),
            "unpacked": size(planned.unpacked_bytes),
            "why": planned.reason,
        }
        for planned in plan.files
        if not (grouped and planned.outcome == "unavailable")
    ]
    if grouped:
        rows.append(
            {
                "file": files_in_words(len(plan.absent)),
                "state": state_words("unavailable"),
                "load": "no",
                "size": "",
                "unpacked": "",
                "why": plan.absent_in_words(),
            }
        )
    return pd.DataFrame(rows, columns=["file", "state", "load", "size", "unpacked", "why"])
