"""Pick models by name: the default, those that the provider offers, and those with a price."""

from __future__ import annotations

import streamlit as st

from pages.components.common.safe_markdown import inert
from pages.components.common.tasks import await_result
from pipeline.answers.model import Model
from pipeline.answers.model.prices import read_prices
from pipeline.answers.model.prompts import Side
from pipeline.answers.model.providers import all_models, open_model, refer
from pipeline.core.errors import FaregroundError
from pipeline.core.settings.settings import load_settings
from pipeline.core.tasks import Task, run_in_background

_OFFERED = "models offered by"
_MOST_PILLS = 12  # a provider offers dozens of models


def pick_model(*, fixed: bool) -> None:
    """Draw the choice of a model; any name can be typed, unless it is `fixed`."""
    names = _model_names()
    st.selectbox(
        "Model",
        names,
        accept_new_options=True,
        key="model",
        width=260,
        persist_state="session",
        disabled=fixed,
        placeholder="The first that the server lists",
        help="Both sides use the same model and settings. Any name can be typed.",
    )
    if st.toggle(
        "Another model for the side with sources",
        key="two models",
        persist_state="session",
        disabled=fixed,
        help="Then more than the sources differs between the sides.",
    ):
        st.selectbox(
            "Model with sources",
            names,
            accept_new_options=True,
            key="model with sources",
            width=260,
            persist_state="session",
            disabled=fixed,
            placeholder="The first that the server lists",
        )


def picked_models() -> dict[Side, str]:
    """Return the picked model of each side, as `choose_model` reads it; empty for the default."""
    state = st.session_state
    plain = str(state.get("model") or "")
    grounded = str(state.get("model with sources") or "") if state.get("two models") else plain
    return {Side.PLAIN: plain, Side.RAG: grounded}


def pick_models() -> list[str]:
    """Draw the choice of several models and return their names."""
    names = _model_names()
    picked = st.pills(
        "Models",
        names[:_MOST_PILLS],
        selection_mode="multi",
        default=names[:1],
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


def _model_names() -> list[str]:
    """Return the models to choose from: those of the default provider, then of others."""
    settings = load_settings()
    default = open_model(settings)
    prices = read_prices(settings)
    names: list[str] = []
    for model in (default, *all_models(settings)):
        if model.label == default.label or model.is_ready:
            priced = prices.offered_by(model.label)
            own = [model.default_model, *offered_models(model), *priced]
            names += [refer(settings, model, name) for name in own if name and "embed" not in name]
    return list(dict.fromkeys(names))


def offered_models(model: Model) -> list[str]:
    """Return the models that the provider offers, if it is ready; it is asked once a session."""
    if not model.is_ready:
        return []
    key = f"{_OFFERED} {model.label}"
    if key not in st.session_state:
        st.session_state[key] = run_in_background(model.list_models, "models")
    task: Task[list[str], None] = st.session_state[key]
    try:
        return await_result(task, "Asking for the models …")
    except FaregroundError:
        return []  # asking a question will show what is wrong
