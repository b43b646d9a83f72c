"""Keep comparisons: one question, the answers of both sides, and the sources both are checked with.

A comparison holds no verdicts: claims are checked whenever it is shown, so what people see is what
the check says today. It is stored so that a link to it survives a refresh and a restart.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from pipeline.answers.check.grounding import ClaimVerdict, check
from pipeline.answers.documents.retrieval import Passage
from pipeline.answers.model import ModelResponse, TokenUsage
from pipeline.answers.model.names import answered_name
from pipeline.answers.model.prices import PriceList
from pipeline.answers.model.prompts import Side
from pipeline.core.errors import UsageError
from pipeline.core.sqlite_file import SqliteFile

NO_SENTENCE = "no whole sentence"  # the outcome of an answer that was cut within its first one
MOST_KEPT = 1000  # comparisons; older ones are deleted

Origin = Literal["model", "example", "pasted"]

_TABLES = """
CREATE TABLE IF NOT EXISTS comparisons (
    id TEXT PRIMARY KEY, created_at TEXT NOT NULL, content TEXT NOT NULL
);
"""


@dataclass(frozen=True)
class SideAnswer:
    """One side's answer.

    Attributes:
        text: Markdown.
        origin: Whether a model wrote it, it is an example of ours, or somebody pasted it.
        prompt: What was or would be sent, letter by letter.
        checked: The part of a model's text that is checked: not the half sentence of a cut one.
        problem: Why the answer is missing or incomplete; else empty.
        asked: The model that was asked, `answered` the one that answered.
        dollars: Its list price; like tokens and seconds, None where it is unknown.
        score: How a number compares with the exact answer, in words; empty for claims.
        thinking_left_out: Whether the model's thinking stood in its text and was removed.
        price_problem: Why no price is known at all; else empty.
    """

    text: str
    origin: Origin
    prompt: str
    checked: str = ""
    problem: str = ""
    asked: str = ""
    answered: str = ""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    thinking_tokens: int | None = None
    first_token_seconds: float | None = None
    seconds: float | None = None
    dollars: float | None = None
    price_date: str = ""
    score: str = ""
    thinking_left_out: bool = False
    price_problem: str = ""

    @property
    def checked_text(self) -> str:
        """The text that the check reads: without an unfinished last sentence."""
        return self.checked if self.origin == "model" else self.text

    @property
    def usage(self) -> TokenUsage:
        """The tokens of the answer."""
        return TokenUsage(self.prompt_tokens, self.output_tokens, self.thinking_tokens)


@dataclass(frozen=True)
class ExactAnswer:
    """The exact answer about loaded trips: in words, its tolerance, table and statement."""

    answer: str
    right: str
    table: str
    sql: str
    notice: str = ""
    synthetic: bool = False


@dataclass(frozen=True)
class AnswerComparison:
    """A question and both answers to it; `id` is empty until it is stored."""

    question: str
    sides: dict[Side, SideAnswer]
    passages: tuple[Passage, ...] = ()
    exact: ExactAnswer | None = None
    id: str = ""

    def verdicts(self, side: Side) -> list[ClaimVerdict]:
        """Return the verdict on each claim of a side's answer; none about a number."""
        answer = self.sides[side]
        text = answer.checked_text
        return [] if self.exact else check(text, self.passages, question=self.question)

    def with_pasted(self, side: Side, text: str) -> AnswerComparison:
        """Return the comparison with a text from elsewhere in place of a side's answer."""
        pasted = SideAnswer(text, "pasted", self.sides[side].prompt)
        return replace(self, sides={**self.sides, side: pasted}, id="")


def model_answer(
    response: ModelResponse, prompt: str, prices: PriceList, checked: str, problem: str, score: str
) -> SideAnswer:
    """Return a model's answer to be kept.

    Args:
        response: What arrived.
        prompt: What was sent.
        prices: For its price.
        checked: The part of its text that is checked.
        problem: Why it is incomplete; else empty.
        score: How its number compares with the exact answer; empty for claims.
    """
    name = answered_name(response)
    return SideAnswer(
        response.text,
        "model",
        prompt,
        checked,
        problem or response.note,
        response.model,
        name,
        response.usage.prompt,
        response.usage.output,
        response.usage.thinking,
        response.first_token_seconds,
        response.seconds,
        prices.cost(name, response.usage),
        prices.date_of(name),
        score,
        response.thinking_left_out,
        prices.problem,
    )


_ADAPTER = TypeAdapter(AnswerComparison)


class ComparisonStore:
    """The comparisons of one SQLite file; every method may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, "The comparisons", _TABLES)

    def save(self, comparison: AnswerComparison) -> AnswerComparison:
        """Store a comparison and return it with its id; of more than MOST_KEPT the oldest go."""
        stored = replace(comparison, id=secrets.token_hex(6))
        content = _ADAPTER.dump_json(stored).decode("utf-8", "replace")
        with self._file.connect() as connection:
            connection.execute(
                "INSERT INTO comparisons VALUES (?, ?, ?)",
                (stored.id, datetime.now(UTC).isoformat(), content),
            )
            connection.execute(
                "DELETE FROM comparisons WHERE id NOT IN "
                "(SELECT id FROM comparisons ORDER BY created_at DESC LIMIT ?)",
                (MOST_KEPT,),
            )
        return stored

    def find(self, id: str) -> AnswerComparison:
        """Return a stored comparison; raises UsageError if there is none with this id."""
        if self._file.exists:
            sql = "SELECT content FROM comparisons WHERE id = ?"
            for content in self._file.read(lambda row: str(row["content"]), sql, (id,)):
                try:
                    return _ADAPTER.validate_json(content)
                except ValidationError:
                    break
        raise UsageError(
            f"There is no comparison {id[:40]!r} here.",
            cure="It may be of another installation, or older than the ones that are kept.",
        )


def count_found(verdicts: list[ClaimVerdict]) -> tuple[int, int]:
    """Return how many claims are found in the passages, and how many claims there are."""
    claims = [verdict for verdict in verdicts if verdict.verdict != "abstained"]
    return sum(verdict.verdict.is_found for verdict in claims), len(claims)


def nearest_text(verdict: ClaimVerdict) -> str:
    """Return the sentence of a passage that is most similar to a claim, or an empty string.

    For a claim about the document's date it is the passage's title line, which has the date.
    """
    if verdict.passage is None:
        return ""
    if verdict.quote is None:
        return verdict.passage.context
    start, end = verdict.quote
    return verdict.passage.text[start:end]


def outcome_words(verdicts: list[ClaimVerdict], answer: SideAnswer) -> str:
    """Return the result of a side in a few words: `4 of 4 claims found`."""
    if answer.score:
        return answer.score
    if not answer.text.strip():
        return "no answer"
    if not answer.checked_text.strip():
        return NO_SENTENCE
    supported, claims = count_found(verdicts)
    if claims:
        return f"{supported:,} of {claims:,} claim{'' if claims == 1 else 's'} found"
    return "abstained" if verdicts else "no claim"
