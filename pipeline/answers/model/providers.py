"""List the providers of language models; no other module imports one."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.answers.model import Model
from pipeline.answers.model.gemini import Gemini
from pipeline.answers.model.openai_compatible import OpenAICompatible
from pipeline.core.datasets import either_of
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import Settings

PROVIDERS: tuple[Callable[[Settings], Model], ...] = (Gemini, OpenAICompatible)


def all_models(settings: Settings) -> list[Model]:
    """Return every provider."""
    return [provider(settings) for provider in PROVIDERS]


def open_model(settings: Settings) -> Model:
    """Return the provider of the settings, else the first that is ready, else the first of all.

    Raises UsageError for settings that name another one.
    """
    providers = all_models(settings)
    if settings.model_provider:
        by_name = {provider.label.lower(): provider for provider in providers}
        if settings.model_provider.lower() in by_name:
            return by_name[settings.model_provider.lower()]
        raise UsageError(
            f"There is no model provider {settings.model_provider!r}.",
            cure=f"Set FAREGROUND_MODEL_PROVIDER to {either_of(by_name)}, or unset it.",
        )
    return next((provider for provider in providers if provider.is_ready), providers[0])


def choose_model(settings: Settings, reference: str = "") -> tuple[Model, str]:
    """Return the provider and the model's name that a reference stands for.

    Args:
        settings: Say which provider is asked unless the reference names one.
        reference: `NAME`, or `PROVIDER:NAME` as `refer` writes it; empty for the default. A name
            may hold colons itself, as Ollama's do.
    """
    label, colon, name = reference.partition(":")
    for provider in all_models(settings) if colon else ():
        if label.lower() == provider.label.lower():
            return provider, name
    return open_model(settings), reference


def refer(settings: Settings, model: Model, name: str) -> str:
    """Return how a model is referred to: by name, after the label of another than the default
    provider.
    """
    is_default = model.label == open_model(settings).label
    return name if is_default else f"{model.label.lower()}:{name}"
