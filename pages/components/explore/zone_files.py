"""Offer to download the shapes of the zones."""

from __future__ import annotations

import streamlit as st

from pages.components.common.access import change_button
from pages.components.common.messages import reported
from pipeline.charts.zones import Zones, fetch_shapes
from pipeline.core.settings.settings import load_settings


def offer_shapes(zones: Zones) -> None:
    """Draw a button that downloads the shapes of the zones, if they are missing."""
    if zones.shapes:
        return
    row = st.container(horizontal=True, vertical_alignment="center")
    if change_button(
        row, "Download zone shapes", key="fetch-shapes", icon=":material/cloud_download:"
    ):
        with reported(), st.spinner("Downloading zone shapes …"):
            fetch_shapes(load_settings())
            st.rerun()
    row.caption(
        "The map shows zone centers. Their shapes come once, from the address in the settings, and "
        "are kept under FAREGROUND_HOME."
    )
