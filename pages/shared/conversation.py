"""Questions and both sides' answers to them: plain, and with sources. No Streamlit, no drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.answers.asking import Asking
from pipeline.answers.claims import is_abstention
from pipeline.answers.grounding import ClaimVerdict, Verdict, check
from pipeline.answers.judge import Judgement
from pipeline.answers.prompts import Prompt, Source, Turn, plain_prompt, rag_prompt
from pipeline.answers.retrieval import Passage
from pipeline.answers.truths import Score, Truth, score
from pipeline.settings import Settings


class Side(StrEnum):
    """The two sides of a comparison, as they are called on the page."""

    PLAIN = "Plain"
    SOURCES = "With sources"


@dataclass
class Round:
    """One question, what is known of it, and the answers of both sides.

    Both sides are judged against the same passages, or against the same truth. `number` counts the
    rounds of a session, so that every passage has a place on the page of its own. `judged` holds a
    model's word on a side's claims, and the text they are of.
    """

    number: int
    question: str
    prompts: dict[Side, Prompt]
    passages: list[Passage] = field(default_factory=list)
    truth: Truth | None = None
    asked: dict[Side, Asking] = field(default_factory=dict)
    judged: dict[Side, tuple[str, list[Judgement]]] = field(default_factory=dict)
    _checked: dict[Side, tuple[str, list[ClaimVerdict]]] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether an answer is still on its way."""
        return any(not asking.done.is_set() for asking in self.asked.values())

    @property
    def failed(self) -> list[Side]:
        """The sides whose answer did not come, or not whole, though nobody stopped it."""
        return [side for side, one in self.asked.items() if one.error and not one.stopped]

    @property
    def model(self) -> str:
        """The model that both sides were asked with; there is none before they are."""
        return next(iter(self.asked.values())).reply.model

    def start(self, settings: Settings, model: str) -> None:
        """Ask both sides at once, with the same model and settings."""
        for side in Side:
            self.asked[side] = Asking(self.prompts[side], settings, model)

    def stop(self) -> None:
        """Stop both sides; what has come stays."""
        for asking in self.asked.values():
            asking.stop()

    def claims(self, side: Side, text: str) -> list[ClaimVerdict]:
        """Return the verdict on each claim of a side's answer, worked out once a text."""
        known = self._checked.get(side)
        if known is None or known[0] != text:
            known = self._checked[side] = (text, check(text, self.passages))
        return known[1]

    def score(self, text: str) -> Score | None:
        """Return how an answer compares with the truth, where there is one."""
        return score(self.truth, text, is_abstention(text)) if self.truth else None

    def anchor(self, number: int) -> str | None:
        """Return the name of the place on the page where a source of this round stands."""
        if 1 <= number <= max(len(self.passages), self.truth is not None):
            return f"source-{self.number}-{number}"
        return None


def make_round(
    number: int,
    question: str,
    passages: Sequence[Passage],
    truth: Truth | None,
    earlier: Sequence[Round],
    *,
    may_abstain: bool,
) -> Round:
    """Return a round that is ready to be asked; each side goes on with its own conversation."""
    sources = [Source(passage.context, passage.text) for passage in passages]
    if truth:
        sources = [truth.source()]
    prompts = {
        Side.PLAIN: plain_prompt(question, history(earlier, Side.PLAIN), may_abstain=may_abstain),
        Side.SOURCES: rag_prompt(question, sources, history(earlier, Side.SOURCES)),
    }
    return Round(number, question, prompts, list(passages), truth)


def history(rounds: Sequence[Round], side: Side) -> list[Turn]:
    """Return what was said on one side; questions whose answer did not come are left out."""
    turns = []
    for earlier in rounds:
        asking = earlier.asked.get(side)
        if asking and asking.done.is_set() and asking.reply.text.strip():
            turns += [Turn("user", earlier.question), Turn("model", asking.reply.text)]
    return turns


def counts(verdicts: Sequence[ClaimVerdict]) -> dict[Verdict, int]:
    """Return how many claims got each verdict."""
    return {kind: sum(one.verdict == kind for one in verdicts) for kind in Verdict}
