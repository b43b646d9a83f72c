"""The doctor's checks of services elsewhere: the two public sources, and the model."""

from __future__ import annotations

from functools import partial

from pipeline.answers.model import Model, default_name
from pipeline.answers.model.providers import all_models, open_model
from pipeline.core.checks import CheckSkipped, CheckWarning, DoctorCheck
from pipeline.core.errors import ModelGone
from pipeline.core.settings.settings import Settings


def service_checks(settings: Settings) -> list[DoctorCheck]:
    """Return the checks, none of which needs another."""
    models = {model.label.lower(): model for model in all_models(settings)}
    names = list(models)
    if settings.model_provider and settings.model_provider.lower() not in models:
        names.append(settings.model_provider.lower())
    return [
        DoctorCheck("source github", lambda: _check_source("github", settings)),
        DoctorCheck("source tlc", lambda: _check_source("tlc", settings)),
        *(DoctorCheck(name, partial(_check_provider, name, settings)) for name in names),
    ]


def _check_source(name: str, settings: Settings) -> str:
    from pipeline.core.datasets import DEFAULT_DATASET
    from pipeline.core.trips import Month, TripFile
    from pipeline.files.offers import Missing, Unknown
    from pipeline.files.sources import open_source

    source = open_source(name, settings)
    file = TripFile(DEFAULT_DATASET, Month(2020, 1))
    offer = source.probe([file])[file]
    if isinstance(offer, Unknown):
        raise CheckWarning(
            f"Cannot reach {source.label}: {offer.reason}.",
            cure="Check the network. The sample and folders of trip files need none.",
        )
    if isinstance(offer, Missing):
        raise CheckWarning(
            f"{source.label} answers, but does not have {file}.",
            cure=f"Check FAREGROUND_{name.upper()}_URL.",
        )
    return f"{source.label} answers."


def _check_provider(name: str, settings: Settings) -> str:
    models = {model.label.lower(): model for model in all_models(settings)}
    # A name that is not there is that of the settings, which open_model refuses.
    return _check_model(models[name] if name in models else open_model(settings))


def _check_model(model: Model) -> str:
    if not model.is_ready:
        raise CheckSkipped(
            f"{model.label} is not set up. Only answers need it.",
            cure=model.setup_hint,
        )
    names = model.list_models()
    if not model.default_model:
        return (
            f"{model.label} answers, and {default_name(model)} is asked, the first that it lists."
        )
    if model.default_model not in names:
        raise ModelGone(
            f"{model.label} answers, but does not offer {model.default_model}.",
            cure=f"Set {model.model_setting} to one it offers, such as {', '.join(names[:3])}."
            if names
            else f"Set {model.model_setting} to a model you may use.",
        )
    return f"{model.label} answers, and {model.default_model} is among {len(names)} models."
