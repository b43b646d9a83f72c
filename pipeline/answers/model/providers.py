"""List the providers of language models; no other module imports one."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.answers.model import Model
from pipeline.answers.model.gemini import Gemini
from pipeline.core.datasets import either_of
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import Settings

PROVIDERS: tuple[Callable[[Settings], Model], ...] = (Gemini,)


def open_model(settings: Settings) -> Model:
    """Return the provider of the settings, else the first that is ready, else the first of all.

    Raises UsageError for settings that name another one.
    """
    providers = [provider(settings) for provider in PROVIDERS]
    if settings.model_provider:
        by_name = {provider.label.lower(): provider for provider in providers}
        if settings.model_provider.lower() in by_name:
            return by_name[settings.model_provider.lower()]
        raise UsageError(
            f"There is no model provider {settings.model_provider!r}.",
            cure=f"Set FAREGROUND_MODEL_PROVIDER to {either_of(by_name)}, or unset it.",
        )
    return next((provider for provider in providers if provider.is_ready), providers[0])
