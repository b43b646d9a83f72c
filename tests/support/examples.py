"""How many examples Hypothesis tries: few that are always the same, or many new ones.

An ordinary run tries a fixed few, so that the same code always has the same outcome and a change
waits for seconds. `make test-slow` looks for new ones: `pytest --hypothesis-profile=slow`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings

ORDINARY_SHARE = 5  # an ordinary run tries one example where a slow run tries five


def register_profiles() -> None:
    """Make both profiles known, and the ordinary one the default."""
    settings.register_profile("slow", max_examples=100, deadline=None)
    settings.register_profile("ordinary", max_examples=25, deadline=None, derandomize=True)
    settings.load_profile("ordinary")


def examples(slow: int, ordinary: int | None = None, **options: Any) -> settings:
    """Return a decorator for a test that shall try so many examples.

    Args:
        slow: The number in a slow run.
        ordinary: The number in an ordinary run; a fifth of the slow one if it is not given.
        options: More settings of Hypothesis.
    """
    if settings.get_current_profile_name() == "slow":
        return settings(max_examples=slow, **options)
    return settings(max_examples=ordinary or max(slow // ORDINARY_SHARE, 10), **options)
