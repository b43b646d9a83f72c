"""Draw how well search finds, measured on request with questions of our own and no key."""

from __future__ import annotations

import streamlit as st

from pages.components.common.words import count
from pipeline.answers.suites.search_quality import SearchQuality, measure_search


@st.cache_resource(show_spinner="Measuring search …")
def _measured() -> list[SearchQuality]:
    return measure_search()


def show_search_quality() -> None:
    """Draw the measurement, which is made when somebody asks for it."""
    st.subheader("How well search finds")
    st.caption(
        "Our own questions over release notes of made-up products, which resemble each other on "
        "purpose. Search was built on the half “choose”; the half “report” came after."
    )
    measured = "search was measured in this session"
    if not st.session_state.get(measured) and not st.button(
        "Measure now", icon=":material/speed:", key="measure", help="Takes a few seconds, no key."
    ):
        return
    st.session_state[measured] = True
    qualities = _measured()
    right = st.column_config.TextColumn(alignment="right")
    table = {
        "chunks": [quality.name for quality in qualities],
        "half": [quality.half for quality in qualities],
        "questions": [count(len(quality.ranks)) for quality in qualities],
        "answer in the first": [f"{quality.first:.1%}" for quality in qualities],
        "in the first five": [f"{quality.five:.1%}" for quality in qualities],
        "mean reciprocal rank": [f"{quality.reciprocal:.3f}" for quality in qualities],
        "characters a chunk": [f"{quality.characters:,.0f}" for quality in qualities],
    }
    st.dataframe(
        table,
        hide_index=True,
        key="search quality",
        column_config=dict.fromkeys(list(table)[2:], right),
        alt="How often search finds the passage that answers",
    )
