"""Ask a model in the background, and follow the answer while it arrives."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.answers.model import Model, ModelResponse
from pipeline.answers.model.endings import whole_sentences
from pipeline.answers.model.prompts import Prompt
from pipeline.core.cancel import Cancel
from pipeline.core.errors import Cancelled, FaregroundError
from pipeline.core.tasks import Task


class ModelCall:
    """One prompt and the response to it; the request starts at once.

    Attributes:
        prompt: What is asked.
        response: Fills while the answer streams in, and keeps what arrived when the call fails.
    """

    def __init__(self, prompt: Prompt, model: Model, name: str = "") -> None:
        """Ask the model of this name, by default the provider's default."""
        self.prompt = prompt
        self.response = ModelResponse(model=name or model.default_model, provider=model.label)

        def generate(cancel: Cancel, report: Callable[[str], None]) -> None:
            model.generate(
                prompt,
                name=self.response.model,
                response=self.response,
                cancel=cancel,
                on_wait=lambda why, left: report(f"{why} Retrying in {left:.0f} s."),
            )

        self._task: Task[None, str] = Task(generate, "model call")

    @property
    def waiting(self) -> str:
        """What the call waits for before its next try, as a sentence; nothing before the first."""
        return "" if self._task.done() else self._task.progress or ""

    def done(self) -> bool:
        """Return whether the call has ended, with an answer or an error."""
        return self._task.done()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end of the call, at most `seconds`; return whether it has ended."""
        return self._task.wait(seconds)

    def stop(self) -> None:
        """Cancel the request; what has arrived stays."""
        self._task.cancel.set()

    @property
    def error(self) -> FaregroundError | None:
        """What prevented a complete answer, once the call has ended."""
        if not self._task.done():
            return None
        try:
            self._task.result()
        except FaregroundError as error:
            return error
        return None

    @property
    def checked_text(self) -> str:
        """The text to check for claims: of an answer that was cut off, its whole sentences."""
        text = self.response.text
        return whole_sentences(text) if self.response.is_cut or self.error else text

    @property
    def stopped(self) -> bool:
        """Whether somebody stopped the call before its end."""
        return isinstance(self.error, Cancelled)
