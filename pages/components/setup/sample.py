"""The sample on the Setup page: how much of it is loaded, and a button that removes it."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from pages.components.common.backfills import read_ledger
from pages.components.common.runs import read_activity
from pages.components.common.sample_dialogs import offer_removal
from pages.components.common.words import months_in_words
from pipeline.core.errors import FaregroundError
from pipeline.ops.sample import sample_entries


def show_sample() -> None:
    """Draw what is loaded of the sample, with the button; nothing where none is loaded."""
    entries = {}
    with suppress(FaregroundError):  # the doctor says what is wrong with a warehouse
        entries = sample_entries(read_ledger(read_activity()) or {})
    if not entries:
        return
    trips = sum(entry.rows or 0 for entry in entries.values())
    row = st.container(border=True, horizontal=True, vertical_alignment="center")
    row.markdown(
        f"**Sample data** · {months_in_words(len(entries), 'sample')}, {trips:,} synthetic trips"
    )
    offer_removal(row, key="remove-sample")
