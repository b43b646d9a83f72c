"""How well search itself finds, measured on the page with questions of our own and no key."""

from __future__ import annotations

import streamlit as st

from pages.shared.words import count
from pipeline.answers.search_quality import Quality, measure


@st.cache_resource(show_spinner="Measuring search …")
def _measured() -> list[Quality]:
    return measure()


def show_search_quality() -> None:
    """Draw the measurement, made here and now when somebody asks for it."""
    st.subheader("How well search finds")
    st.caption(
        "Our own questions over release notes of made-up products, which resemble each other on "
        "purpose. Search was built on the half “choose”; the half “report” came after."
    )
    wanted = "search was measured in this session"
    if not st.session_state.get(wanted) and not st.button(
        "Measure now", icon=":material/speed:", key="measure", help="Takes a few seconds, no key."
    ):
        return
    st.session_state[wanted] = True
    found = _measured()
    right = st.column_config.TextColumn(alignment="right")
    table = {
        "chunks": [quality.name for quality in found],
        "half": [quality.half for quality in found],
        "questions": [count(len(quality.ranks)) for quality in found],
        "answer in the first": [f"{quality.first:.1%}" for quality in found],
        "in the first five": [f"{quality.five:.1%}" for quality in found],
        "mean reciprocal rank": [f"{quality.reciprocal:.3f}" for quality in found],
        "characters a chunk": [f"{quality.characters:,.0f}" for quality in found],
    }
    st.dataframe(
        table,
        hide_index=True,
        key="search quality",
        column_config=dict.fromkeys(list(table)[2:], right),
        alt="How often search finds the passage that answers",
    )
