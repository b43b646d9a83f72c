"""A few cases of each fuzzing target; `make fuzz` runs them all."""

from __future__ import annotations

import pytest

from tests.fuzz import TARGETS, throw


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_escapes_but_our_errors(name: str) -> None:
    cases, _ = throw(name, 5 if name == "csv rows" else 25, new=False)
    assert cases >= 5


def test_make_fuzz_has_a_hundred_thousand_cases() -> None:
    assert sum(target.cases for target in TARGETS.values()) >= 100_000
