"""Estimate how long the rest of a run takes, from the answers that have arrived. Pure: no I/O."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from pipeline.answers.suites.suite_runs import ScoredAnswer

FEWEST_ANSWERS = 4  # from which on an estimate is worth showing
_NEWEST = 30  # a model or a quota may have become slower since the first ones


def seconds_left(answers: Sequence[ScoredAnswer], calls: int) -> float | None:
    """Return the seconds until a run has all its answers, or None while too few have arrived.

    It is the median time between two answers, waiting for quotas included, times those to come. The
    median, because a run that was stopped and resumed has a long gap.

    Args:
        answers: The answers so far, in the order of their arrival.
        calls: How many answers the complete run has.
    """
    if len(answers) < FEWEST_ANSWERS:
        return None
    moments = [datetime.fromisoformat(answer.answered_at) for answer in answers[-_NEWEST:]]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    return statistics.median(gaps) * (calls - len(answers))
