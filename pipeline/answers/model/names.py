"""Compare names of models: the one that was asked, and the one that answered.

Since October 2026 the Gemini API answers a retired name with a newer model, which is the one that
is paid. A provider may also name the revision that answered, such as `-001` or a date; that is the
same model.
"""

from __future__ import annotations

import re

from pipeline.answers.model import ModelResponse

_REVISION = re.compile(
    r"-(\d{3}|\d{4}-\d{2}-\d{2}|\d{8}|preview|exp)(-\d{2}-\d{2,4})?$", re.IGNORECASE
)


def base_name(name: str) -> str:
    """Return the name of a model without its provider's folder and its revision."""
    return _REVISION.sub("", name.removeprefix("models/"))


def is_other_model(requested: str, answered: str) -> bool:
    """Return whether another model answered than was asked; False where it is not known.

    Args:
        requested: The name in the request, maybe as `PROVIDER:NAME`.
        answered: The name in the response; empty if the provider gives none.
    """
    if not requested or not answered:
        return False
    names = {base_name(requested), base_name(requested.partition(":")[2])}
    return base_name(answered) not in names


def answered_name(response: ModelResponse) -> str:
    """Return the name of the model that answered, or what was asked where that is not known."""
    return response.model_version or response.model


def other_model_notice(requested: str, answered: str) -> str:
    """Return a sentence that says which model answered, or nothing if it is the one requested."""
    if not is_other_model(requested, answered):
        return ""
    counts = f"figures and price are those of {answered}."
    return f"{requested} was asked, but {answered} answered: {counts}"
