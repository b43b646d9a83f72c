"""Which files of a selection a backfill takes, as people name it."""

from __future__ import annotations

from enum import StrEnum

from pipeline.core.errors import UsageError


class Policy(StrEnum):
    """Which files of a selection a backfill runs."""

    MISSING = "missing"
    MISSING_AND_FAILED = "missing-and-failed"
    ALL = "all"

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Return the policy with this name; raise UsageError when there is none."""
        try:
            return cls(text)
        except ValueError:
            raise UsageError(
                f"There is no policy {text!r}.", cure=f"Use one of {', '.join(cls)}."
            ) from None

    @property
    def label(self) -> str:
        """The policy in words, as pages show it."""
        return {
            Policy.MISSING: "New",
            Policy.MISSING_AND_FAILED: "New, failed or changed",
            Policy.ALL: "All",
        }[self]

    @property
    def meaning(self) -> str:
        """The sentence that explains the policy on pages."""
        return {
            Policy.MISSING: "Files that were never loaded.",
            Policy.MISSING_AND_FAILED: "Files that were never loaded, that failed, or that the "
            "source has changed since their load; and files of your own in place of other trips.",
            Policy.ALL: "Every file: each is compared with its source and loaded if it changed.",
        }[self]
