"""Collect the text of a streamed answer: without the model's thinking, and of limited length.

Reasoning models behind a local server often write their thinking into the answer, between <think>
and </think> at its beginning. It is no part of the answer: nobody asked for it, and its claims are
drafts.
"""

from __future__ import annotations

import re
import time

from pipeline.answers.model import ModelResponse

THINKING_OMITTED = "thinking omitted"  # how a user reads that a model wrote it into its answer
MOST_CHARACTERS = 200_000  # of an answer; the longest outputs of models have about as many

_OPENING = re.compile(r"\s*<think(ing)?>", re.IGNORECASE)
_CLOSING = re.compile(r"</think(ing)?>", re.IGNORECASE)
# Some servers put the opening mark into the prompt, so that only the closing one arrives.
_CLOSING_LINE = re.compile(r"^[ \t]*</think(ing)?>[ \t]*(?:\r?\n|\Z)", re.IGNORECASE | re.MULTILINE)
_TAGS = ("<think>", "<thinking>")
_LONGEST_TAG = len("</thinking>")
_LONGEST_LINE = 40  # characters of a line that holds nothing but the closing mark


class AnswerText:
    """Appends the pieces of a stream to `response.text`, without thinking.

    Attributes:
        is_full: Whether the answer has reached its longest length; the rest is not kept.
        is_thinking: Whether the model has begun to think and not ended.
    """

    def __init__(self, response: ModelResponse, started: float) -> None:
        """Collect the answer of one try.

        Args:
            response: What is filled.
            started: The monotonic time at which the try began.
        """
        self.is_full = False
        self.is_thinking = False
        self._response = response
        self._started = started
        self._held = ""  # what may become a mark once more has arrived
        self._is_decided = False  # whether the answer itself has begun
        response.thinking_left_out = False

    def add(self, piece: str) -> None:
        """Add a piece of the stream."""
        if self._is_decided:
            self._append(piece)
            return
        self._held += piece
        while not self._is_decided:
            if self.is_thinking:
                closing = _CLOSING.search(self._held)
                if closing is None:
                    self._note_thoughts(self._held[:-_LONGEST_TAG])
                    self._held = self._held[-_LONGEST_TAG:]
                    return
                self._note_thoughts(self._held[: closing.start()])
                self._held = self._held[closing.end() :]
                self.is_thinking = False
            elif opening := _OPENING.match(self._held):
                self._held = self._held[opening.end() :]
                self.is_thinking = True
            elif _may_open(self._held) and len(self._held) <= MOST_CHARACTERS:
                return
            else:
                self._begin()

    def end(self) -> None:
        """Append the buffered text at the end of the stream."""
        if self.is_thinking:
            self._note_thoughts(self._held)
        else:
            self._begin()
            self._leave_out_opened(0, ended=True)
        self._held = ""

    def _begin(self) -> None:
        """Append the buffered text; everything after it belongs to the answer."""
        self._is_decided = True
        self._append(self._held.lstrip() if self._response.thinking_left_out else self._held)
        self._held = ""

    def _append(self, piece: str) -> None:
        response = self._response
        if not piece or self.is_full:
            return
        if response.first_token_seconds is None:
            response.first_token_seconds = time.monotonic() - self._started
        before = len(response.text)
        room = MOST_CHARACTERS - before
        self.is_full = len(piece) > room
        response.text += piece[:room]
        self._leave_out_opened(max(0, before - _LONGEST_LINE), ended=False)

    def _leave_out_opened(self, start: int, *, ended: bool) -> None:
        """Remove thinking that has a closing tag after `start` but no opening tag."""
        response = self._response
        text = response.text
        if response.thinking_left_out or "</" not in text[start:]:
            return
        closing = _CLOSING_LINE.search(text, start)
        if closing is None or (closing.end() == len(text) and not ended and text[-1] != "\n"):
            return
        if re.search(r"<think(ing)?>", text[: closing.start()], re.IGNORECASE):
            return  # the answer is about such marks
        self._note_thoughts(text[: closing.start()])
        response.text = text[closing.end() :].lstrip()
        response.first_token_seconds = time.monotonic() - self._started if response.text else None
        self._is_decided = bool(response.text)  # else the space before the answer is still to come

    def _note_thoughts(self, text: str) -> None:
        if text.strip():
            self._response.thinking_left_out = True


def _may_open(text: str) -> bool:
    """Return whether a text may be the beginning of an opening tag."""
    bare = text.lstrip().lower()
    return any(tag.startswith(bare) for tag in _TAGS)
