"""What a request used, as the API counts it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """Tokens of one request; None where the API has not said.

    `output` are those of the answer itself, `thinking` those the model thought with before it.
    """

    prompt: int | None = None
    output: int | None = None
    thinking: int | None = None

    @property
    def total(self) -> int | None:
        """All tokens together, or None while nothing is known."""
        known = [count for count in (self.prompt, self.output, self.thinking) if count is not None]
        return sum(known) if known else None
