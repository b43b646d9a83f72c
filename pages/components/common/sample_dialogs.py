"""The two dialogs about sample data: remove it, and replace real months by it."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.access import change_button, require_editor
from pages.components.common.backfills import read_ledger, start_backfill
from pages.components.common.messages import reported, show_synthetic
from pages.components.common.runs import read_activity
from pages.components.common.target import target
from pages.components.common.tasks import await_result
from pages.components.common.words import months_in_words
from pipeline.core.settings.settings import load_settings
from pipeline.core.tasks import run_in_background
from pipeline.ops.sample import remove_sample, sample_entries
from pipeline.runs.plan import Plan


def show_sample_badge(place: DeltaGenerator, key: str) -> None:
    """Say that the trips shown are synthetic, and offer to remove them; see `offer_removal`."""
    show_synthetic(place)
    offer_removal(place, key)


def offer_removal(place: DeltaGenerator, key: str) -> None:
    """Draw a button that asks whether to remove the sample; disabled while a backfill runs.

    Args:
        place: Where to draw it.
        key: The key of the button.
    """
    is_busy = read_activity().run is not None
    if change_button(
        place,
        "Remove sample data",
        icon=":material/delete:",
        type="tertiary",
        key=key,
        disabled=is_busy,
        help="A backfill runs." if is_busy else "Removes the synthetic trips; real months stay.",
    ):
        _confirm_removal()


@st.dialog("Remove sample data?")
def _confirm_removal() -> None:
    with reported():
        entries = sample_entries(read_ledger(read_activity()) or {})
        trips = sum(entry.rows or 0 for entry in entries.values())
        months = months_in_words(len(entries), "sample")
        if not entries:
            st.info("No sample data is loaded.")
        else:
            st.markdown(
                f"This removes **{months}** with **{trips:,} synthetic trips**, and their staged "
                "files. Real months stay. The sample can be loaded again."
            )
        row = st.container(horizontal=True)
        if entries and change_button(
            row, f":orange[**Remove {months}**]", type="primary", key="confirm removal"
        ):
            _remove(months)
            st.rerun()
        if row.button("Cancel", key="cancel removal"):
            st.rerun()


def _remove(months: str) -> None:
    require_editor()
    name, settings = target(), load_settings()
    task = run_in_background(lambda: remove_sample(name, settings, "app"), "remove sample")
    await_result(task, f"Removing {months} …")


def start_or_confirm(plan: Plan) -> None:
    """Start a backfill and draw the page again; ask first where the sample replaces real months."""
    if plan.replaced_real:
        _confirm_replacing(plan)
    else:
        start_backfill(plan)
        st.rerun()


@st.dialog("Replace real months by the sample?")
def _confirm_replacing(plan: Plan) -> None:
    months = months_in_words(plan.replaced_real, "real")
    trips = sum(p.loaded.rows or 0 for p in plan.files if p.replaces_real and p.loaded)
    st.markdown(
        f"Synthetic trips replace the {trips:,} trips of **{months}**. To get the real ones back, "
        "load them from their source again."
    )
    row = st.container(horizontal=True)
    with reported():
        if change_button(
            row, f":orange[**Replace {months}**]", type="primary", key="confirm replacing"
        ):
            start_backfill(plan, replace_real=True)
            st.rerun()
    if row.button("Cancel", key="cancel replacing"):
        st.rerun()
