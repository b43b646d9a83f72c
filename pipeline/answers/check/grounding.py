"""Check which claims of an answer are in given passages, by words and values, without a model.

A claim is *found in source* when one sentence of a passage, read with its heading and the
document's title, covers its words and states every number, date, version, identifier and name in
it. That is evidence, not truth: the check never calls a claim true or false. docs/answers.md has
its precision and recall on a labelled set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from pipeline.answers.check.claims import (
    Sentence,
    abstains,
    find_claims,
    is_abstention,
    split_cells,
    split_sentences,
)
from pipeline.answers.check.facts import Fact, FactIndex, find_facts
from pipeline.answers.check.relations import contradicts
from pipeline.answers.check.vocabulary import content_words
from pipeline.answers.documents.documents import DocumentStore
from pipeline.answers.documents.retrieval import Passage, search

COVERAGE = 0.75  # share of a claim's words; chosen on one half of our claims (docs/answers.md)
NEAR = 0.5  # from here on the claim is about the same as the passage, and only a value differs

_DEFAULT = re.compile(r"\bdefaults?\b", re.IGNORECASE)
_PRONOUN = re.compile(r"(?:it|its|they|their|this|these|the default)\b", re.IGNORECASE)


class Verdict(StrEnum):
    """What the check says of one claim."""

    FOUND = "found in source"
    ACROSS = "found across sentences"
    VALUE = "value not in source"
    NOT_FOUND = "not found"
    ABSTAINED = "abstained"

    @property
    def is_found(self) -> bool:
        """Whether the passages hold the claim, in one sentence or in several."""
        return self in (Verdict.FOUND, Verdict.ACROSS)


# Wherever a verdict is shown, its glyph stands beside its words.
GLYPHS = {
    Verdict.FOUND: "●",
    Verdict.ACROSS: "◎",
    Verdict.VALUE: "◐",
    Verdict.NOT_FOUND: "○",
    Verdict.ABSTAINED: "–",
}


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict on a claim, which is characters `start` to `end` of the answer.

    Attributes:
        claim: The claim without Markdown's marks.
        passage: The passage that covers it best; None if none shares a word with it.
        quote: The span (start, end) of the passage's text that covers it best.
        coverage: The share of the claim's words and values that are there, 0 to 1.
        missing: The values and names that are not there, as the claim writes them.
        contradiction: In a few words how the claim reverses the passage, or nothing.
    """

    claim: str
    start: int
    end: int
    verdict: Verdict
    passage: Passage | None = None
    quote: tuple[int, int] | None = None
    coverage: float = 0.0
    missing: tuple[str, ...] = ()
    contradiction: str = ""


# The words that name a row or column of a table, and those that name the others.
_Rivals = tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True)
class _Window:
    """A sentence of a passage, as claims are compared with it."""

    passage: Passage
    quote: tuple[int, int]
    text: str
    words: frozenset[str]
    rivals: tuple[_Rivals, ...]
    facts: FactIndex


def check(
    answer: str, passages: Sequence[Passage], coverage: float = COVERAGE
) -> list[ClaimVerdict]:
    """Return the verdict on each claim of an answer, in order.

    Args:
        answer: Markdown, as a model writes it.
        passages: Where claims are looked up; without any, no claim is found.
        coverage: Share of a claim's words that must be in one sentence, 0 to 1.
    """
    windows = [window for passage in passages for window in _windows(passage)]
    return [_check_claim(claim, windows, coverage) for claim in find_claims(answer)]


def check_text(
    answer: str,
    documents: DocumentStore,
    question: str = "",
    top: int = 5,
    only: Sequence[str] = (),
) -> list[ClaimVerdict]:
    """Return the verdict on each claim of any text, in order.

    Args:
        answer: Markdown.
        documents: Where passages are searched.
        question: Its passages are used for all claims, as in a comparison; without a question,
            those that match each claim.
        top: Most passages to use.
        only: Ids of the documents to search; none means all.
    """
    if question:
        return check(answer, search(documents, question, top, only))
    verdicts = []
    for claim in find_claims(answer):
        windows = [
            window
            for passage in search(documents, claim.text, top, only)
            for window in _windows(passage)
        ]
        verdicts.append(_check_claim(claim, windows, COVERAGE))
    return verdicts


def describe_outcome(answer: str, verdicts: Sequence[ClaimVerdict]) -> str:
    """Return the result for an answer as a whole: abstained, or how many claims were found."""
    if is_abstention(answer):
        return Verdict.ABSTAINED.value
    claims = [verdict for verdict in verdicts if verdict.verdict != Verdict.ABSTAINED]
    found = sum(verdict.verdict.is_found for verdict in claims)
    across = sum(verdict.verdict == Verdict.ACROSS for verdict in claims)
    spread = f", {across} of them across sentences" if across else ""
    return f"{found} of {len(claims)} claims found in source{spread}"


def is_verbatim(quote: str, passages: Iterable[Passage]) -> bool:
    """Return whether a quote is in a passage letter by letter, white space apart."""
    words = " ".join(quote.split())
    return len(words) > 1 and any(
        words in " ".join(text.split())
        for passage in passages
        for text in (passage.text, passage.source)
    )


def _windows(passage: Passage) -> Iterator[_Window]:
    """Yield what claims are compared with: each sentence, and each row and cell of a table.

    A sentence that continues the one before ("It ...", or after a semicolon) is compared together
    with it too, because it may be about what was named there.
    """
    sentences = split_sentences(passage.text, at_semicolons=True)
    chain: list[Sentence] = []
    for before, sentence in pairwise([None, *sentences]):
        assert sentence is not None
        span = (sentence.start, sentence.end)
        if sentence.kind == "row" and sentence.head:
            rows = [other for other in sentences if other.head == sentence.head]
            keys = {split_cells(row.text)[0] for row in rows}
            for text, rivals in _row_texts(sentence, keys):
                yield _window(passage, span, text, rivals)
            continue
        yield _window(passage, span, sentence.text)
        if before and before.kind == sentence.kind == "text" and _continues(before, sentence):
            chain = [*(chain or [before]), sentence]
            text = " ".join(part.text for part in chain)
            yield _window(passage, (chain[0].start, sentence.end), text)
        else:
            chain = []


def _continues(before: Sentence, sentence: Sentence) -> bool:
    return before.text.endswith(";") or _PRONOUN.match(sentence.text) is not None


def _row_texts(row: Sentence, keys: set[str]) -> Iterator[tuple[str, tuple[_Rivals, ...]]]:
    """Yield a table row and each of its cells as text, with the rows and columns they compete with.

    Args:
        row: The row.
        keys: The first cells of all rows: a row is named by its first cell.
    """
    heads, values = split_cells(row.head), split_cells(row.text)
    rows = _rivals(values[0], keys - {values[0]})
    pairs = list(zip(heads, values, strict=False))
    yield ", ".join(f"{head}: {value}" for head, value in pairs), (rows,)
    for head, value in pairs[1:]:
        columns = _rivals(head, {other for other in heads[1:] if other != head})
        yield f"{heads[0]} {values[0]}: {head}: {value}", (rows, columns)


def _rivals(own: str, others: Iterable[str]) -> _Rivals:
    own_words = frozenset(content_words(own))
    return own_words, frozenset(word for name in others for word in content_words(name)) - own_words


def _window(
    passage: Passage, quote: tuple[int, int], text: str, rivals: tuple[_Rivals, ...] = ()
) -> _Window:
    source = f"{passage.context}\n{text}"
    words = frozenset(content_words(source))
    return _Window(passage, quote, text, words, rivals, FactIndex(source))


def _check_claim(claim: Sentence, windows: Sequence[_Window], threshold: float) -> ClaimVerdict:
    if abstains(claim.text):
        return ClaimVerdict(claim.text, claim.start, claim.end, Verdict.ABSTAINED)
    facts = find_facts(claim.text)
    words = set(content_words(claim.text, facts))
    best: tuple[tuple[float, ...], _Window, list[Fact], float, str] | None = None
    for window in windows:
        missing = window.facts.missing(facts)
        share = _coverage(words, facts, missing, window)
        objection = _objection(claim.text, words, window)
        order = (float(not missing and not objection and share >= threshold), share, -len(missing))
        if best is None or order > best[0]:
            best = (order, window, missing, share, objection)
    if best is None or not best[3]:
        return ClaimVerdict(claim.text, claim.start, claim.end, Verdict.NOT_FOUND)
    _, window, missing, share, objection = best
    if share >= threshold and not missing and not objection:
        verdict = Verdict.FOUND
    elif share >= NEAR and (missing or objection):
        verdict = Verdict.VALUE
    else:
        verdict = Verdict.NOT_FOUND
    if verdict != Verdict.FOUND and not objection and _is_across(words, facts, windows):
        verdict, missing = Verdict.ACROSS, []
    return ClaimVerdict(
        claim.text,
        claim.start,
        claim.end,
        verdict,
        window.passage,
        window.quote,
        share,
        tuple(fact.text for fact in missing),
        objection,
    )


def _is_across(words: set[str], facts: Sequence[Fact], windows: Sequence[_Window]) -> bool:
    """Return whether the passages together hold all words and values of a claim."""
    pool = frozenset[str]().union(*(window.words for window in windows))
    return (
        len(words) > 1
        and words <= pool
        and all(
            any(window.facts.has(fact) and window.words & words for window in windows)
            for fact in facts
        )
    )


def _objection(claim: str, words: set[str], window: _Window) -> str:
    """Return in a few words why a window with a claim's words does not say it, or nothing."""
    return (
        contradicts(claim, window.text, window.passage.heading)
        or _other_row_or_column(words, window)
        or _other_default(claim, window.passage)
    )


def _other_default(claim: str, passage: Passage) -> str:
    """Return the default that a passage states, if a claim states another."""
    if not _DEFAULT.search(claim):
        return ""
    defaults = [
        fact
        for sentence in split_sentences(passage.text, at_semicolons=True)
        if _DEFAULT.search(sentence.text)
        for fact in find_facts(sentence.text)
        if fact.kind in ("identifier", "number")
    ]
    if defaults and len(FactIndex(claim).missing(defaults)) == len(defaults):
        return f"the default is {defaults[0].text}"
    return ""


def _other_row_or_column(words: set[str], window: _Window) -> str:
    """Return which other row or column of a table a claim is about, or nothing."""
    for own_words, other_words in window.rivals:
        named = words & other_words
        if named and not words & own_words:
            return f"it is about {', '.join(sorted(named))}"
    return ""


def _coverage(
    words: set[str], facts: Sequence[Fact], missing: Sequence[Fact], window: _Window
) -> float:
    """Return the share of a claim's words and values that a window has."""
    values = sum(fact.kind != "name" for fact in facts)
    absent = sum(fact.kind != "name" for fact in missing)
    total = len(words) + values
    return (len(words & window.words) + values - absent) / total if total else 0.0
