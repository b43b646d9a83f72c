"""The switch between real months and those of the sample, whose trips are never added up."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.components.common.messages import show_synthetic
from pages.components.common.sample_dialogs import offer_removal
from pages.components.common.words import months_in_words
from pipeline.charts import files_left_out
from pipeline.core.trips import TripFile
from pipeline.warehouse.ledger import LedgerEntry

SYNTHETIC = "synthetic"  # the key of the switch, and its parameter in the address


def choose_origin(loaded: Mapping[TripFile, LedgerEntry]) -> tuple[TripFile, ...]:
    """Draw what of the sample is loaded, and return the files that charts leave out.

    Where real months are loaded, too, a switch says which of both are charted. A button removes the
    sample. Nothing is drawn where no month of it is loaded.
    """
    if not any(entry.is_synthetic for entry in loaded.values()):
        return ()
    row = st.container(horizontal=True, vertical_alignment="center")
    left_out = _switch(row, loaded)
    if any(loaded[file].is_synthetic for file in loaded if file not in left_out):
        show_synthetic(row)
    offer_removal(row, key="remove-sample")
    return left_out


def _switch(row: DeltaGenerator, loaded: Mapping[TripFile, LedgerEntry]) -> tuple[TripFile, ...]:
    sample, real = files_left_out(loaded), files_left_out(loaded, synthetic=True)
    if not sample:
        return ()
    is_synthetic = row.toggle(
        "Show sample months instead",
        key=SYNTHETIC,
        persist_state="session",
        help="Real and synthetic trips are never added up.",
    )
    left_out, kind = (real, "real") if is_synthetic else (sample, "sample")
    row.caption(f"Left out: {months_in_words(len(left_out), kind)}.", width="content")
    return left_out
