"""Hold a conversation: questions, the answers of both sides to them, and their verdicts.

Pure: no Streamlit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.answers.check.claims import is_abstention
from pipeline.answers.check.grounding import ClaimVerdict, Verdict, check
from pipeline.answers.check.judge import Judgement
from pipeline.answers.documents.retrieval import Passage
from pipeline.answers.model.call import ModelCall
from pipeline.answers.model.prompts import (
    Message,
    Prompt,
    PromptSource,
    Side,
    plain_prompt,
    rag_prompt,
)
from pipeline.answers.model.providers import choose_model
from pipeline.answers.truths.truths import GroundTruth, NumberScore, score_number
from pipeline.core.settings.settings import Settings


@dataclass
class AnswerPair:
    """One question and the answers of both sides, checked against the same passages or truth.

    Attributes:
        number: Counts the comparisons of a session, so that each passage has an anchor of its own.
        question: What is asked.
        prompts: The exact prompt of each side.
        passages: The sources of the question about documents.
        truth: The exact answer of the question about trips.
        calls: The requests to the model, once they are started.
        models: The model that each side is asked with, as `choose_model` reads it.
        judgements: By side, the text that a model judged and what it said of its claims.
    """

    number: int
    question: str
    prompts: dict[Side, Prompt]
    passages: list[Passage] = field(default_factory=list)
    truth: GroundTruth | None = None
    calls: dict[Side, ModelCall] = field(default_factory=dict)
    models: dict[Side, str] = field(default_factory=dict)
    judgements: dict[Side, tuple[str, list[Judgement]]] = field(default_factory=dict)
    _verdicts: dict[Side, tuple[str, list[ClaimVerdict]]] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether an answer is still arriving."""
        return any(not call.done() for call in self.calls.values())

    @property
    def failed(self) -> list[Side]:
        """The sides whose answer is missing or incomplete, though nobody stopped it."""
        return [side for side, call in self.calls.items() if call.error and not call.stopped]

    @property
    def has_two_models(self) -> bool:
        """Whether the sides are asked with different models, so that more differs than sources."""
        return len(set(self.models.values())) > 1

    def start(self, settings: Settings, models: Mapping[Side, str]) -> None:
        """Ask both sides at the same time.

        Args:
            settings: Say how the models are reached.
            models: The model of each side, as `choose_model` reads it; mostly the same for both.
        """
        self.models = dict(models)
        for side in Side:
            model, name = choose_model(settings, models[side])
            self.calls[side] = ModelCall(self.prompts[side], model, name)

    def stop(self) -> None:
        """Stop both sides; what has arrived stays."""
        for call in self.calls.values():
            call.stop()

    def verdicts(self, side: Side, text: str) -> list[ClaimVerdict]:
        """Return the verdict on each claim of a side's answer; each text is checked once."""
        checked = self._verdicts.get(side)
        if checked is None or checked[0] != text:
            verdicts = check(text, self.passages, question=self.question)
            checked = self._verdicts[side] = (text, verdicts)
        return checked[1]

    def score(self, side: Side, text: str) -> NumberScore | None:
        """Return how a side's answer compares with the truth, if there is one."""
        if self.truth is None:
            return None
        has_source = side is Side.RAG
        return score_number(self.truth, text, is_abstention(text), has_source=has_source)

    def anchor(self, number: int) -> str | None:
        """Return the anchor on the page of a source, if there is one of this number."""
        if 1 <= number <= max(len(self.passages), self.truth is not None):
            return f"source-{self.number}-{number}"
        return None


def make_comparison(
    number: int,
    question: str,
    passages: Sequence[Passage],
    truth: GroundTruth | None,
    earlier: Sequence[AnswerPair],
    *,
    may_abstain: bool,
) -> AnswerPair:
    """Return a comparison that is ready to start.

    Args:
        number: Its number in the session.
        question: What is asked.
        passages: The sources, unless there is a truth.
        truth: The exact answer, whose table is the source.
        earlier: The conversation so far, of which each side gets its own half.
        may_abstain: Whether the plain side is told to say that it does not know.
    """
    sources = [PromptSource(passage.context, passage.text) for passage in passages]
    if truth:
        sources = [truth.source()]
    plain_history, rag_history = history(earlier, Side.PLAIN), history(earlier, Side.RAG)
    prompts = {
        Side.PLAIN: plain_prompt(question, plain_history, may_abstain=may_abstain),
        Side.RAG: rag_prompt(question, sources, rag_history),
    }
    return AnswerPair(number, question, prompts, list(passages), truth)


def history(comparisons: Sequence[AnswerPair], side: Side) -> list[Message]:
    """Return the messages of one side, without questions that got no answer."""
    messages = []
    for comparison in comparisons:
        call = comparison.calls.get(side)
        if call and call.done() and call.response.text.strip():
            messages.append(Message("user", comparison.question))
            messages.append(Message("model", call.response.text))
    return messages


def count_verdicts(verdicts: Sequence[ClaimVerdict]) -> dict[Verdict, int]:
    """Return how many claims got each verdict."""
    return {kind: sum(verdict.verdict == kind for verdict in verdicts) for kind in Verdict}
