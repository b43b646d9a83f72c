"""Compute rates with intervals, and paired differences between two sides. Pure: no I/O.

The interval of a rate is Wilson's: E. B. Wilson, JASA 22 (1927). McNemar's exact test is the
binomial test on the pairs that differ. The interval of a paired difference is a percentile
bootstrap over questions, so that repeats of one question, which are alike, do not count as more
evidence than they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Z_95 = 1.959964
RESAMPLES = 2000
SEED = 20_251_104  # any number; fixed, so that a report can be reproduced


@dataclass(frozen=True)
class Rate:
    """`count` of `total` as a share with its 95 % Wilson interval; shares are 0 to 1."""

    count: int
    total: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """The share on one side minus the share on the other, with a 95 % interval.

    `pairs` answers were compared. In `only_first` and `only_second` of them the two sides differ,
    and `p` is McNemar's exact two-sided p of that.
    """

    difference: float
    low: float
    high: float
    pairs: int
    only_first: int
    only_second: int
    p: float


def wilson(count: int, total: int) -> Rate:
    """Return a rate with its 95 % Wilson interval; the interval of 0 of 0 is 0 to 1."""
    if total == 0:
        return Rate(0, 0, 0.0, 0.0, 1.0)
    share = count / total
    shrink = 1 + Z_95**2 / total
    middle = (share + Z_95**2 / (2 * total)) / shrink
    half = Z_95 / shrink * math.sqrt(share * (1 - share) / total + Z_95**2 / (4 * total**2))
    low = 0.0 if count == 0 else max(0.0, middle - half)
    high = 1.0 if count == total else min(1.0, middle + half)
    return Rate(count, total, share, low, high)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p of so uneven a split of the pairs that differ."""
    differing = only_first + only_second
    if differing == 0:
        return 1.0
    tail = sum(math.comb(differing, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2.0 * tail / 2.0**differing)


def compare_pairs(pairs: Mapping[str, Sequence[tuple[bool, bool]]]) -> PairedDifference | None:
    """Return the paired difference of two sides, or None if there is no pair.

    Args:
        pairs: By question, whether each answer of the first and of the second side counts.
    """
    import numpy as np

    groups = [group for group in pairs.values() if group]
    if not groups:
        return None
    sums = np.array([sum(first - second for first, second in group) for group in groups], float)
    sizes = np.array([len(group) for group in groups], float)
    draws = np.random.default_rng(SEED).integers(len(groups), size=(RESAMPLES, len(groups)))
    resampled = sums[draws].sum(axis=1) / sizes[draws].sum(axis=1)
    low, high = np.percentile(resampled, [2.5, 97.5])
    all_pairs = [pair for group in groups for pair in group]
    only_first = sum(first and not second for first, second in all_pairs)
    only_second = sum(second and not first for first, second in all_pairs)
    return PairedDifference(
        float(sums.sum() / sizes.sum()),
        float(low),
        float(high),
        len(all_pairs),
        only_first,
        only_second,
        mcnemar(only_first, only_second),
    )
