"""Checks of what Fareground asks elsewhere: the two public sources, and Gemini."""

from __future__ import annotations

from pipeline.doctor import Check, Concern, Skip
from pipeline.errors import ModelGone
from pipeline.settings import Settings


def outside_checks(settings: Settings) -> list[Check]:
    """Return the checks, none of which needs another."""
    return [
        Check("source github", lambda: _check_source("github", settings)),
        Check("source tlc", lambda: _check_source("tlc", settings)),
        Check("gemini", lambda: _check_gemini(settings)),
    ]


def _check_source(name: str, settings: Settings) -> str:
    from pipeline.sources import Missing, Unknown, open_source
    from pipeline.trips import Color, Month, TripFile

    source = open_source(name, settings)
    file = TripFile(Color.GREEN, Month(2020, 1))
    found = source.probe([file])[file]
    if isinstance(found, Unknown):
        raise Concern(
            f"{source.label} cannot be reached: {found.reason}.",
            cure="Check the network. The built-in sample, and a folder of trip files, need none.",
        )
    if isinstance(found, Missing):
        raise Concern(
            f"{source.label} answers, but does not have {file}.",
            cure=f"Check FAREGROUND_{name.upper()}_URL.",
        )
    return f"{source.label} answers."


def _check_gemini(settings: Settings) -> str:
    from pipeline.answers.gemini import has_key, list_models

    if not has_key(settings):
        raise Skip(
            "There is no key, so no model can be asked; all else works without it.",
            cure="Set GEMINI_API_KEY on the Setup page (Google AI Studio makes one).",
        )
    models = list_models(settings)
    if settings.gemini_model not in models:
        raise ModelGone(
            f"The key is accepted, but the API does not offer {settings.gemini_model}.",
            cure=f"Set GEMINI_MODEL to one it offers, such as {', '.join(models[:3])}."
            if models
            else "Set GEMINI_MODEL to a model your key may use.",
        )
    return f"The key is accepted, and {settings.gemini_model} is among {len(models)} models."
