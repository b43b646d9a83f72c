"""The choice of a model: names with a known price, and those the API offers."""

from __future__ import annotations

from concurrent.futures import Future

import streamlit as st

from pages.shared.background import ask, await_answer
from pages.shared.neutral import inert
from pipeline.answers.gemini import has_key, list_models
from pipeline.answers.prices import read_prices
from pipeline.errors import FaregroundError
from pipeline.settings import Settings, load_settings

_OFFERED = "models the API offers"
_SHOWN = 12  # the API offers dozens


def pick_model(settings: Settings, *, fixed: bool) -> None:
    """Draw the choice of a model; any name can be typed, unless it is `fixed`."""
    st.selectbox(
        "Model",
        known_models(settings),
        accept_new_options=True,
        key="model",
        width=260,
        persist_state="session",
        disabled=fixed,
        help="Both sides use the same model and settings. Any name can be typed.",
    )


def picked_model() -> str:
    """Return the name of the model that is picked, or the settings' where none is."""
    return str(st.session_state.get("model") or load_settings().gemini_model)


def pick_models(settings: Settings) -> list[str]:
    """Draw the choice of several models and return their names."""
    picked = st.pills(
        "Models",
        known_models(settings)[:_SHOWN],
        selection_mode="multi",
        default=[settings.gemini_model],
        format_func=pill,
        key="suite models",
        persist_state="session",
    )
    typed = st.text_input(
        "Other models, separated by commas", key="suite other models", persist_state="session"
    )
    others = [name.strip() for name in str(typed or "").split(",") if name.strip()]
    return list(dict.fromkeys([*(picked or []), *others]))


def pill(text: str) -> str:
    """Return an option of pills as it can be read in both themes, whether it is picked or not."""
    return f":yellow[{inert(text)}]"


def known_models(settings: Settings) -> list[str]:
    """Return the settings' model, then those the API offers, then others with a known price."""
    priced = [name for name in read_prices(settings).models if "embedding" not in name]
    return list(dict.fromkeys([settings.gemini_model, *offered(settings), *priced]))


def offered(settings: Settings) -> list[str]:
    """Return the models the API offers; it is asked once a session, where there is a key."""
    if not has_key(settings):
        return []
    if _OFFERED not in st.session_state:
        st.session_state[_OFFERED] = ask(lambda: list_models(settings), "models")
    answer: Future[list[str]] = st.session_state[_OFFERED]
    try:
        return await_answer(answer, "Asking for the models …")
    except FaregroundError:
        return []  # the question itself will say what is wrong
