"""What one check of the doctor is: a question about the installation, answered in one sentence.

`pipeline.ops.doctor` runs checks; each warehouse backend brings the checks of its own service.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.core.errors import FaregroundError


class CheckWarning(FaregroundError):
    """Raised by a check for a problem that does not stop a backfill."""


class CheckSkipped(FaregroundError):
    """Raised by a check that has nothing to look at."""


@dataclass(frozen=True)
class DoctorCheck:
    """One thing that the doctor looks at.

    Attributes:
        name: One or two words, unique among the checks that run together.
        run: Returns a sentence when all is well. Raises CheckWarning, CheckSkipped, or any other
            FaregroundError when the check failed.
        needs: Names of the checks that must pass first; without them this one is skipped.
        seconds: How long the check may take before it counts as failed.
    """

    name: str
    run: Callable[[], str]
    needs: tuple[str, ...] = ()
    seconds: float = 30.0
