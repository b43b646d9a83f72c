"""The first thing on the Backfill page of an empty warehouse."""

from __future__ import annotations

import streamlit as st

from pages.components.common.runs import Activity
from pages.components.common.target import backend
from pages.components.common.tour import offer_sample


def show_welcome(activity: Activity) -> None:
    """Say how to load trips, and offer the sample."""
    with st.container(border=True):
        st.markdown(
            "**Nothing is loaded yet.** Choose taxis, months and a source below and press "
            f"**Load**: each trip of those months is stored once in {backend().storage}. To look "
            "around first, load the sample: three months of synthetic trips, without a network."
        )
        # The main button is Load, below the plan.
        offer_sample(activity, is_main=False)
