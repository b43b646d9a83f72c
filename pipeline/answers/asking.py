"""A question on its way to a model: asked in a thread of its own, watched from others."""

from __future__ import annotations

import threading

from pipeline.answers.gemini import Reply, generate
from pipeline.answers.prompts import Prompt
from pipeline.cancel import Cancel
from pipeline.errors import Cancelled, FaregroundError
from pipeline.settings import Settings


class Asking:
    """One prompt and the answer to it, as far as it has come.

    It begins at once. `reply` fills up as the answer streams in; when `done` is set, `error` says
    what kept it from coming whole, if anything did. `waiting` says what is waited for, for people.
    """

    def __init__(self, prompt: Prompt, settings: Settings, model: str = "") -> None:
        self.prompt = prompt
        self.reply = Reply(model=model or settings.gemini_model)
        self.error: FaregroundError | None = None
        self.waiting = ""
        self.done = threading.Event()
        self._cancel = Cancel()
        # A daemon, so that a server that stops waits for no model.
        threading.Thread(target=self._ask, args=(settings,), name="answer", daemon=True).start()

    def stop(self) -> None:
        """Stop at once; what has come stays."""
        self._cancel.set()

    @property
    def stopped(self) -> bool:
        """Whether somebody stopped it before it ended."""
        return isinstance(self.error, Cancelled)

    def _ask(self, settings: Settings) -> None:
        try:
            generate(
                self.prompt,
                settings,
                model=self.reply.model,
                reply=self.reply,
                cancel=self._cancel,
                on_wait=self._note_wait,
            )
        except FaregroundError as error:
            self.error = error
        except Exception:  # a bug must not leave the page waiting for ever
            self.error = FaregroundError(
                "The answer could not be had, for a reason unknown.", cure="Ask again."
            )
            raise
        finally:
            self.waiting = ""
            self.done.set()

    def _note_wait(self, why: str, left: float) -> None:
        self.waiting = f"{why} Asking again in {left:.0f} s."
