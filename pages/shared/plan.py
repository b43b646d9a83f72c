"""A plan, shown before anything runs."""

from __future__ import annotations

import streamlit as st

from pages.shared.cost import show_cost
from pages.shared.frame import show_synthetic
from pages.shared.views import plan_sentence, plan_table, table_height
from pages.shared.words import files_in_words, plain
from pipeline.plan import Plan
from pipeline.sources import Unknown


def show_plan_summary(plan: Plan) -> None:
    """Say how many files would run from where, and whether the source could be asked."""
    row = st.container(horizontal=True, vertical_alignment="center")
    row.text(plan_sentence(plan))
    if plan.request.source == "sample":
        show_synthetic(row)
    if plan.request.target == "gcp" and plan.to_run:
        show_cost(plan)
    unasked = [p.probe.reason for p in plan.files if isinstance(p.probe, Unknown)]
    if unasked:
        st.warning(
            f"About {files_in_words(len(unasked))}: {plain(unasked[0])}. A run tries all the same.",
            icon=":material/cloud_off:",
        )


def show_plan_files(plan: Plan, key: str) -> None:
    """Show which files would run, which would not, and why."""
    st.dataframe(
        plan_table(plan),
        hide_index=True,
        key=key,
        height=table_height(len(plan.files)),
        column_config={
            "file": st.column_config.TextColumn(width=190),
            "state": st.column_config.TextColumn(width=110),
            "runs": st.column_config.TextColumn(width=70),
            "size": st.column_config.TextColumn(width=90, alignment="right"),
            "why": st.column_config.TextColumn(width="large"),
        },
        alt="The plan, file by file",
    )
