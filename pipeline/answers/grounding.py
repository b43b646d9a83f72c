"""Which claims of an answer stand in given passages: a check by words and values, with no model.

A claim is *found in source* when one sentence of a passage, read with its neighbours' headings and
the document's title, covers its words and holds every number, date, version, identifier and name
in it. That is evidence, not truth: the check never calls a claim true or false.
docs/answers.md has its precision and recall on a labelled set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from pipeline.answers.claims import Sentence, abstains, cells, claims, is_abstention, sentences
from pipeline.answers.documents import Documents
from pipeline.answers.facts import Fact, Known, facts
from pipeline.answers.relations import contradicts
from pipeline.answers.retrieval import Passage, search
from pipeline.answers.vocabulary import words_of

COVERAGE = 0.75  # share of a claim's words; chosen on one half of our claims (docs/answers.md)
NEAR = 0.5  # from here on a claim is about what the passage is about, and only a value is amiss

_DEFAULT = re.compile(r"\bdefaults?\b", re.IGNORECASE)
_PRONOUN = re.compile(r"(?:it|its|they|their|this|these|the default)\b", re.IGNORECASE)


class Verdict(StrEnum):
    """What the check says of one claim."""

    FOUND = "found in source"
    VALUE = "value not in source"
    NOT_FOUND = "not found"
    ABSTAINED = "abstained"


# A glyph for each verdict: with its words it stands wherever a verdict shows.
GLYPHS = {
    Verdict.FOUND: "●",
    Verdict.VALUE: "◐",
    Verdict.NOT_FOUND: "○",
    Verdict.ABSTAINED: "–",
}


@dataclass(frozen=True)
class ClaimVerdict:
    """A claim, characters `start` to `end` of the answer, and what was found of it.

    `passage` is the one that covers it best, `quote` the span (start, end) of its text that does;
    both are None where no passage shares a word with it. `coverage` is the share of the claim's
    words that stand there, `missing` the values and names that do not, as the claim has them, and
    `contradiction` says in a few words where the claim turns the passage around.
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


# The words of what a row or column of a table goes by, and those of the others.
_Rivals = tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True)
class _Window:
    """A sentence of a passage, as it is compared with a claim."""

    passage: Passage
    quote: tuple[int, int]
    text: str
    terms: frozenset[str]
    rivals: tuple[_Rivals, ...]
    known: Known


def check(
    answer: str, passages: Sequence[Passage], coverage: float = COVERAGE
) -> list[ClaimVerdict]:
    """Return the verdict on each claim of an answer, in the order they stand.

    Args:
        answer: Markdown, as a model writes it.
        passages: What to look in; with none, every claim is not found.
        coverage: Share of a claim's words that must stand in one sentence, 0 to 1.
    """
    windows = [window for passage in passages for window in _windows(passage)]
    return [_judge(claim, windows, coverage) for claim in claims(answer)]


def check_text(
    answer: str, documents: Documents, question: str = "", top: int = 5, only: Sequence[str] = ()
) -> list[ClaimVerdict]:
    """Return the verdict on each claim of any text, against documents.

    With a question its passages are looked in, as in a comparison; without one, those that match
    each claim itself.
    """
    if question:
        return check(answer, search(documents, question, top, only))
    verdicts = []
    for claim in claims(answer):
        windows = [
            window
            for passage in search(documents, claim.text, top, only)
            for window in _windows(passage)
        ]
        verdicts.append(_judge(claim, windows, COVERAGE))
    return verdicts


def outcome(answer: str, verdicts: Sequence[ClaimVerdict]) -> str:
    """Return what became of an answer as a whole: abstained, or how many claims were found."""
    if is_abstention(answer):
        return Verdict.ABSTAINED.value
    judged = [verdict for verdict in verdicts if verdict.verdict != Verdict.ABSTAINED]
    found = sum(verdict.verdict == Verdict.FOUND for verdict in judged)
    return f"{found} of {len(judged)} claims found in source"


def is_verbatim(quote: str, passages: Iterable[Passage]) -> bool:
    """Whether a quote stands letter by letter in a passage, white space apart.

    A judge's finding whose quote does not is unverified, whatever it says.
    """
    wanted = " ".join(quote.split())
    return len(wanted) > 1 and any(
        wanted in " ".join(text.split())
        for passage in passages
        for text in (passage.text, passage.source)
    )


def _windows(passage: Passage) -> Iterator[_Window]:
    """Yield what a claim is compared with: each sentence, and each row and cell of a table.

    A sentence that goes on with the one before ("It ...", or after a semicolon) also counts
    together with it, because it may be about what was named there.
    """
    found = sentences(passage.text, parts=True)
    chain: list[Sentence] = []
    for before, sentence in pairwise([None, *found]):
        assert sentence is not None
        span = (sentence.start, sentence.end)
        if sentence.kind == "row" and sentence.head:
            keys = {cells(row.text)[0] for row in found if row.head == sentence.head}
            for text, rivals in _readings(sentence, keys):
                yield _window(passage, span, text, rivals)
            continue
        yield _window(passage, span, sentence.text)
        if before and before.kind == sentence.kind == "text" and _goes_on(before, sentence):
            chain = [*(chain or [before]), sentence]
            text = " ".join(part.text for part in chain)
            yield _window(passage, (chain[0].start, sentence.end), text)
        else:
            chain = []


def _goes_on(before: Sentence, sentence: Sentence) -> bool:
    return before.text.endswith(";") or _PRONOUN.match(sentence.text) is not None


def _readings(row: Sentence, keys: set[str]) -> Iterator[tuple[str, tuple[_Rivals, ...]]]:
    """Yield a row and each of its cells as text, with what it must not be mistaken for.

    A row goes by its first cell and competes with the other rows; a cell also with other columns.
    """
    heads, values = cells(row.head), cells(row.text)
    rows = _rivals(values[0], keys - {values[0]})
    pairs = list(zip(heads, values, strict=False))
    yield ", ".join(f"{head}: {value}" for head, value in pairs), (rows,)
    for head, value in pairs[1:]:
        columns = _rivals(head, {other for other in heads[1:] if other != head})
        yield f"{heads[0]} {values[0]}: {head}: {value}", (rows, columns)


def _rivals(own: str, others: Iterable[str]) -> _Rivals:
    mine = frozenset(words_of(own))
    return mine, frozenset(word for name in others for word in words_of(name)) - mine


def _window(
    passage: Passage, quote: tuple[int, int], text: str, rivals: tuple[_Rivals, ...] = ()
) -> _Window:
    said = f"{passage.context}\n{text}"
    return _Window(passage, quote, text, frozenset(words_of(said)), rivals, Known(said))


def _judge(claim: Sentence, windows: Sequence[_Window], threshold: float) -> ClaimVerdict:
    if abstains(claim.text):
        return ClaimVerdict(claim.text, claim.start, claim.end, Verdict.ABSTAINED)
    wanted = facts(claim.text)
    words = set(words_of(claim.text, wanted))
    best: tuple[tuple[float, ...], _Window, list[Fact], float, str] | None = None
    for window in windows:
        missing = window.known.missing(wanted)
        share = _coverage(words, wanted, missing, window)
        wrong = _objection(claim.text, words, window)
        order = (float(not missing and not wrong and share >= threshold), share, -len(missing))
        if best is None or order > best[0]:
            best = (order, window, missing, share, wrong)
    if best is None or not best[3]:
        return ClaimVerdict(claim.text, claim.start, claim.end, Verdict.NOT_FOUND)
    _, window, missing, share, wrong = best
    if share >= threshold and not missing and not wrong:
        verdict = Verdict.FOUND
    elif share >= NEAR and (missing or wrong):
        verdict = Verdict.VALUE
    else:
        verdict = Verdict.NOT_FOUND
    return ClaimVerdict(
        claim.text,
        claim.start,
        claim.end,
        verdict,
        window.passage,
        window.quote,
        share,
        tuple(fact.text for fact in missing),
        wrong,
    )


def _objection(claim: str, words: set[str], window: _Window) -> str:
    """Return in a few words why a window that has a claim's words may not say it, or nothing."""
    return (
        contradicts(claim, window.text, window.passage.heading)
        or _another(words, window)
        or _other_default(claim, window.passage)
    )


def _other_default(claim: str, passage: Passage) -> str:
    """Return the default that a passage states, if a claim states another."""
    if not _DEFAULT.search(claim):
        return ""
    stated = [
        fact
        for sentence in sentences(passage.text, parts=True)
        if _DEFAULT.search(sentence.text)
        for fact in facts(sentence.text)
        if fact.kind in ("identifier", "number")
    ]
    if stated and len(Known(claim).missing(stated)) == len(stated):
        return f"the default is {stated[0].text}"
    return ""


def _another(words: set[str], window: _Window) -> str:
    """Return which other row or column of a table a claim is about, if it is."""
    for mine, others in window.rivals:
        named = words & others
        if named and not words & mine:
            return f"it is about {', '.join(sorted(named))}"
    return ""


def _coverage(
    words: set[str], wanted: Sequence[Fact], missing: Sequence[Fact], window: _Window
) -> float:
    """Return the share of a claim's words and values that a window holds."""
    values = sum(fact.kind != "name" for fact in wanted)
    absent = sum(fact.kind != "name" for fact in missing)
    total = len(words) + values
    return (len(words & window.terms) + values - absent) / total if total else 0.0
