"""The choice of a model: names with a known price, and those the API offers."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pipeline.answers.gemini import has_key, list_models
from pipeline.answers.prices import read_prices
from pipeline.errors import FaregroundError
from pipeline.settings import Settings

_OFFERED = "models the API offers"


def pick_model(place: DeltaGenerator, settings: Settings) -> str:
    """Draw the choice and return a model's name; any name can be typed."""
    priced = [name for name in read_prices(settings).models if "embedding" not in name]
    names = dict.fromkeys([settings.gemini_model, *offered(settings), *priced])
    return str(
        place.selectbox(
            "Model",
            list(names),
            accept_new_options=True,
            key="model",
            width=260,
            persist_state="session",
            help="Both sides use the same model and settings. Any name can be typed.",
        )
        or settings.gemini_model
    )


def offered(settings: Settings) -> list[str]:
    """Return the models the API offers; it is asked once a session, where there is a key."""
    if _OFFERED not in st.session_state and has_key(settings):
        try:
            with st.spinner("Asking for the models …"):
                st.session_state[_OFFERED] = list_models(settings)
        except FaregroundError:
            st.session_state[_OFFERED] = []  # the question itself will say what is wrong
    found: list[str] = st.session_state.get(_OFFERED, [])
    return found
