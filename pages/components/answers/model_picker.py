"""Pick models by name: the default, those that the provider offers, and those with a price."""

from __future__ import annotations

import streamlit as st

from pages.components.common.safe_markdown import inert
from pages.components.common.tasks import await_result
from pipeline.answers.model import Model
from pipeline.answers.model.prices import read_prices
from pipeline.answers.model.providers import open_model
from pipeline.core.errors import FaregroundError
from pipeline.core.settings.settings import load_settings
from pipeline.core.tasks import Task, run_in_background

_OFFERED = "models the API offers"
_MOST_PILLS = 12  # a provider offers dozens of models


def pick_model(*, fixed: bool) -> None:
    """Draw the choice of a model; any name can be typed, unless it is `fixed`."""
    st.selectbox(
        "Model",
        _model_names(open_model(load_settings())),
        accept_new_options=True,
        key="model",
        width=260,
        persist_state="session",
        disabled=fixed,
        help="Both sides use the same model and settings. Any name can be typed.",
    )


def picked_model() -> str:
    """Return the name of the picked model, or of the provider's default."""
    return str(st.session_state.get("model") or open_model(load_settings()).default_model)


def pick_models() -> list[str]:
    """Draw the choice of several models and return their names."""
    model = open_model(load_settings())
    picked = st.pills(
        "Models",
        _model_names(model)[:_MOST_PILLS],
        selection_mode="multi",
        default=[model.default_model],
        format_func=pill_label,
        key="suite models",
        persist_state="session",
    )
    typed = st.text_input(
        "Other models, separated by commas", key="suite other models", persist_state="session"
    )
    others = [name.strip() for name in str(typed or "").split(",") if name.strip()]
    return list(dict.fromkeys([*(picked or []), *others]))


def pill_label(text: str) -> str:
    """Return the label of a pill in a color that is readable in both themes, picked or not."""
    return f":yellow[{inert(text)}]"


def _model_names(model: Model) -> list[str]:
    names = read_prices(load_settings()).offered_by(model.label)
    priced = [name for name in names if "embedding" not in name]
    return list(dict.fromkeys([model.default_model, *offered_models(model), *priced]))


def offered_models(model: Model) -> list[str]:
    """Return the models that the provider offers, if it is ready; it is asked once a session."""
    if not model.is_ready:
        return []
    if _OFFERED not in st.session_state:
        st.session_state[_OFFERED] = run_in_background(model.list_models, "models")
    task: Task[list[str], None] = st.session_state[_OFFERED]
    try:
        return await_result(task, "Asking for the models …")
    except FaregroundError:
        return []  # asking a question will show what is wrong
