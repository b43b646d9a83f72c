"""Define what a provider of language models offers: the seam between Fareground and the models.

A provider is a class that implements `Model`, in files named after it, and a line in `providers`.
Nothing else in Fareground imports its files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.answers.model.prompts import Prompt
from pipeline.core.cancel import Cancel
from pipeline.core.errors import KeyRefused, ModelGone

OnWait = Callable[[str, float], object]
"""Called about once a second while a request waits for its next try: why, and seconds left."""


def ignore_wait(_why: str, _left: float) -> None:
    """Report to nobody that a request waits."""


@dataclass(frozen=True)
class TokenUsage:
    """The tokens of one request as the provider counts them; None where it has not said.

    `output` are those of the answer itself, `thinking` those that the model used before it.
    """

    prompt: int | None = None
    output: int | None = None
    thinking: int | None = None

    @property
    def total(self) -> int | None:
        """All tokens together, or None while nothing is known."""
        counts = [count for count in (self.prompt, self.output, self.thinking) if count is not None]
        return sum(counts) if counts else None


@dataclass
class ModelResponse:
    """A model's answer as far as it has arrived; other threads may read it meanwhile.

    Attributes:
        model: The name of the model that was asked; empty until a default one is known.
        provider: The label of the provider that was asked.
        text: The answer, Markdown.
        model_version: The model that answered, as the provider names it.
        usage: What was used, as far as it is known.
        first_token_seconds: From the start of the try that was answered to its first text.
        seconds: From the start of that try to its end.
        waited_seconds: Before that try, for quotas and after failures.
        note: What is worth knowing about the answer, or nothing.
        is_cut: Whether the answer stops at a maximum length, maybe in the middle of a sentence.
        thinking_left_out: Whether the model wrote its thinking into the answer; `text` is without.
    """

    model: str = ""
    provider: str = ""
    text: str = ""
    model_version: str = ""
    usage: TokenUsage = field(default_factory=TokenUsage)
    first_token_seconds: float | None = None
    seconds: float | None = None
    waited_seconds: float = 0.0
    note: str = ""
    is_cut: bool = False
    thinking_left_out: bool = False


class Model(Protocol):
    """A provider of language models.

    Its methods raise KeyRefused, ModelGone, QuotaSpent, or ModelError for whatever else prevents a
    complete answer. None of these holds a key.
    """

    @property
    def label(self) -> str:
        """The provider's name for people."""

    @property
    def setup_hint(self) -> str:
        """How to make the provider ready, as a sentence."""

    @property
    def is_ready(self) -> bool:
        """Whether the provider has what it needs to be asked, such as a key."""

    @property
    def default_model(self) -> str:
        """The model that is asked unless another is chosen; empty for the first that is listed."""

    @property
    def model_setting(self) -> str:
        """The setting that names the default model."""

    @property
    def data_notice(self) -> str:
        """Where questions and sources are sent and who may use them, as a sentence."""

    @property
    def embedding_model(self) -> str:
        """The name of the model that makes embeddings; empty if the provider offers none."""

    def generate(
        self,
        prompt: Prompt,
        *,
        name: str = "",
        response: ModelResponse | None = None,
        cancel: Cancel | None = None,
        on_wait: OnWait = ignore_wait,
        schema: dict[str, Any] | None = None,
    ) -> ModelResponse:
        """Ask a model and return its answer.

        Args:
            prompt: What is asked.
            name: The model to ask; by default the provider's `default_model`.
            response: Filled while the answer streams in, and returned. What has arrived stays in
                it when this raises.
            cancel: Stops the request; Cancelled is raised soon after.
            on_wait: Called while the request waits for its next try.
            schema: JSON Schema of the answer, for answers that a program reads.
        """

    def embed(self, texts: Sequence[str], *, question: bool) -> list[list[float]]:
        """Return one vector for each text.

        Args:
            texts: What to embed.
            question: Whether the texts are questions rather than passages.
        """

    def list_models(self) -> list[str]:
        """Return the names of the models that can be asked, in the provider's order."""


def default_name(model: Model) -> str:
    """Return the name of a provider's default model, of its list if the settings name none.

    Raises ModelGone if the provider offers no model.
    """
    names = [model.default_model] if model.default_model else model.list_models()
    if not names:
        raise ModelGone(f"{model.label} offers no model.", cure=f"Set {model.model_setting}.")
    return names[0]


def require_ready(model: Model) -> None:
    """Raise KeyRefused if a provider cannot be asked."""
    if not model.is_ready:
        raise KeyRefused(f"{model.label} is not set up.", cure=model.setup_hint)
