"""Find out what is loaded, and say so when there is nothing to chart."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import streamlit as st

from pages.components.common.backfills import read_ledger
from pages.components.common.runs import Activity
from pages.components.common.target import target
from pages.components.common.tour import offer_sample
from pages.components.explore.page_filters import PAGE_ADDRESS, read_link
from pipeline.charts.zones import read_zones
from pipeline.core.settings.settings import load_settings
from pipeline.core.trips import TripFile
from pipeline.warehouse.ledger import LedgerEntry

# The ledger entries of the files that have rows in the warehouse.
Loaded = Mapping[TripFile, LedgerEntry]


def read_loaded(activity: Activity) -> Loaded | None:
    """Return what is loaded, or None, and say so, while another process holds the warehouse."""
    records = read_ledger(activity)
    if records is not None:
        return {
            file: record.loaded
            for file, record in records.items()
            if record.loaded and record.loaded.rows
        }
    if activity.run:
        st.info(
            f"The process {activity.run.pid} holds the warehouse while its backfill runs. "
            "The charts come back when it is over."
        )
    return None


def version(loaded: Loaded) -> Hashable:
    """Return a value that changes whenever a file is loaded, or another warehouse is chosen."""
    loads = sorted((str(file), str(entry.finished_at)) for file, entry in loaded.items())
    return target(), tuple(loads)


def show_nothing_loaded(activity: Activity) -> None:
    """Say that nothing is loaded, offer to load something, and check the values of a link."""
    zones = read_zones(load_settings())
    PAGE_ADDRESS.check(lambda address: read_link(address, zones).problems)
    if activity.run:
        st.info("Nothing is loaded yet; the charts come with the first file of the backfill.")
        return
    with st.container(border=True):
        st.markdown(
            "**Nothing is loaded yet, so there is nothing to chart.** Charts come with the first "
            "month that a backfill loads, real or synthetic."
        )
        offer_sample(activity)
        st.page_link("pages/backfill.py", label="Choose months to load", icon=":material/download:")
