"""Say how an answer ended, by the reason that a provider gives: complete, cut off or stopped.

Reasons of Gemini: https://ai.google.dev/api/generate-content#FinishReason; of the OpenAI API:
https://platform.openai.com/docs/api-reference/chat-streaming/streaming.
"""

from __future__ import annotations

import re

from pipeline.answers.model import ModelResponse
from pipeline.answers.model.answer_text import MOST_CHARACTERS
from pipeline.answers.model.retry import quote
from pipeline.core.errors import ModelError

# A point within a number or name, such as 2.4, ends no sentence; behind a digit at the very end of
# a cut text it may be such a point.
_END_OF_SENTENCE = re.compile(r"(?:[.!?][\"')\]*]*(?:\s*\[\d+\])*(?=\s)|(?<!\d)[.!?]$|\n)")
TOO_LARGE = "too large"  # the reason of an answer that AnswerText has not taken to its end
_COMPLETE = frozenset({"stop"})
_TOO_LONG = frozenset({"max_tokens", "length"})
_STOPPED = {
    "safety": "The safety filter stopped the answer",
    "content_filter": "The content filter stopped the answer",
    "prohibited_content": "The filter of prohibited content stopped the answer",
    "spii": "The filter of personal data stopped the answer",
    "blocklist": "The answer has a word that the provider blocks",
    "recitation": "The answer would have repeated a protected text word for word",
    "language": "The model does not support the language of the answer",
}
_CURES = {
    "recitation": "Ask for a summary instead of the wording.",
    "language": "Ask for an answer in English.",
}


def check_ending(
    response: ModelResponse, reason: str, patience: float, *, is_thinking: bool = False
) -> None:
    """Raise ModelError unless the answer is complete; note it if it reached the longest length.

    Args:
        response: The answer as far as it arrived.
        reason: Why it ended, as the provider calls it; "timeout" and "too large" for our own
            limits, empty if the stream ended without a reason.
        patience: Most seconds that an answer may take.
        is_thinking: Whether the text ended within the model's thinking, which is left out.
    """
    word = reason.lower()
    has_text = bool(response.text.strip())
    received = "; the received part is shown" if has_text else ", and no part of it arrived"
    if word == "timeout":
        raise ModelError(
            f"The answer did not end within {patience:,.0f} s{received}.",
            cure="Try again, or ask a shorter question.",
        )
    if word == TOO_LARGE:
        raise ModelError(
            f"The answer is longer than {MOST_CHARACTERS:,} characters, so it was not read to its "
            "end; the received part is shown.",
            cure="Ask for a shorter answer; if the model repeats itself, choose another one.",
        )
    if not word:
        raise ModelError(
            f"The stream dropped before the answer ended{received}.", cure="Try again."
        )
    if is_thinking and (word in _TOO_LONG or word in _COMPLETE):
        raise _thought_itself_out(response, reason, is_thinking=True)
    if word in _TOO_LONG:
        if has_text:
            response.note = (
                "The answer reached the model's maximum length and stops there; "
                "its last sentence may be incomplete."
            )
            response.is_cut = True
            return
        raise _thought_itself_out(response, reason, is_thinking=response.thinking_left_out)
    if word in _STOPPED:
        raise ModelError(
            f"{_STOPPED[word]} ({quote(reason)}).", cure=_CURES.get(word, "Rephrase the question.")
        )
    if word not in _COMPLETE:
        raise ModelError(
            f"The answer ended early, for a reason that Fareground does not know: {quote(reason)}.",
            cure="Try again, or choose another model.",
        )
    if not has_text:
        raise ModelError(
            "The model returned an empty answer.", cure="Try again, or choose another model."
        )


def whole_sentences(text: str) -> str:
    """Return a text that was cut off without the sentence or line in whose middle it stops."""
    end = 0
    for match in _END_OF_SENTENCE.finditer(text):
        end = match.end()
    return text[:end].rstrip()


def _thought_itself_out(response: ModelResponse, reason: str, *, is_thinking: bool) -> ModelError:
    thinking = response.usage.thinking
    if thinking or is_thinking:
        tokens = f"all its {thinking:,} tokens" if thinking else "its whole answer"
        return ModelError(
            f"The model used {tokens} for thinking ({quote(reason)}): none was left for an answer.",
            cure="Ask a shorter question, give it fewer sources, or choose another model.",
        )
    return ModelError(
        f"The model reached its maximum length before the answer began ({quote(reason)}).",
        cure="Ask a shorter question, give it fewer sources, or choose another model.",
    )
