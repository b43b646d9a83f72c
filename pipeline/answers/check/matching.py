"""Compare a claim with the passages: which window says it, what is missing, what objects to it."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from pipeline.answers.check.claims import split_sentences
from pipeline.answers.check.fact_index import FactIndex
from pipeline.answers.check.facts import VALUES, Fact
from pipeline.answers.check.reading import FINITE_VERB, SentenceReading, read_sentence
from pipeline.answers.check.relations import find_contradiction
from pipeline.answers.check.windows import Window, naming_words, read_passage
from pipeline.answers.documents.retrieval import Passage

NEAR = 0.5  # from here on the claim is about the same as the passage, and only a value differs
ACROSS = 0.85  # share of a claim's words and values that two sentences together must have
_FEWEST_ACROSS = 4  # words and values of a claim that may be found across sentences
_NEAREST = 12  # windows by words, of which values and relations are compared

_NAMES = ("name", "identifier")
_DEFAULT = re.compile(r"\bdefaults?\b", re.IGNORECASE)
# They begin a sentence, and are no names.
_NO_NAME_WORDS = """
since although though because unless despite while whereas during following given based
according one once two three four five six seven eight nine ten most many some few several
both all each every another other overall additionally however therefore moreover furthermore
also finally lastly first second third next then later today yesterday instead besides
beyond without among around nearly almost about over under more less fewer only even
"""
_NO_NAMES = frozenset(_NO_NAME_WORDS.split())
# What follows a name as subject: an auxiliary, a past form, or a verb in -s.
_VERB = re.compile(
    r"is|was|has|had|will|would|can|could|may|might|does|did|became|began|went|came|got|said|rose"
    rf"|fell|grew|{FINITE_VERB.pattern}"
)


@dataclass(frozen=True)
class _Document:
    """The windows of the passages of one document, and the words of all of them."""

    windows: tuple[tuple[Passage, Window], ...]

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset[str]().union(*(w.words | w.context for _, w in self.windows))


class Sources:
    """The windows of all passages, by document too, and which words are names."""

    def __init__(self, passages: Sequence[Passage], question: str = "") -> None:
        readings = [(passage, read_passage(passage)) for passage in passages]
        self.windows = tuple((passage, window) for passage, r in readings for window in r.windows)
        self.names = frozenset[str]().union(*(reading.names for _, reading in readings))
        self.first_names = frozenset[str]().union(*(r.first_names for _, r in readings))
        self.words = _Document(self.windows).words
        self.documents = [
            _Document(tuple(pair for pair in self.windows if pair[0].document_id == document_id))
            for document_id in dict.fromkeys(passage.document_id for passage in passages)
        ]
        sentence = read_sentence(question)
        self.known = {fact.value for fact in sentence.facts if fact.kind in _NAMES}
        self.known |= {word.raw for word in sentence.sequence if word.raw in self.names}


@dataclass(frozen=True)
class Match:
    """How a window compares with a claim."""

    passage: Passage
    window: Window
    share: float
    is_said: bool
    missing: tuple[Fact, ...]
    objection: str

    @property
    def is_found(self) -> bool:
        return self.is_said and not self.missing and not self.objection


def claimed_facts(reading: SentenceReading, sources: Sources) -> tuple[Fact, ...]:
    """Return the facts of a claim, with names that only the sources tell from other words.

    They are lower-case names, the first word if the sources have it as a name, and a first word
    that the sources do not have at all if it is followed by a verb, as in "Madrid hosted".
    """
    facts = [fact for fact in reading.facts if fact.value not in sources.known]
    for position, word in enumerate(reading.sequence):
        if not word.is_content or word.raw in sources.known:
            continue
        if any(fact.start <= word.start < fact.end for fact in reading.facts):
            continue
        is_name = word.raw in sources.names
        if position == 0 and not is_name:
            is_name = word.raw in sources.first_names or (
                word.term not in sources.words and _is_subject(reading)
            )
        if is_name:
            text = reading.text[word.start : word.end]
            facts.append(Fact("name", text, word.raw, word.start, word.end))
    return tuple(facts)


def _is_subject(reading: SentenceReading) -> bool:
    """Return whether the first word looks like a name: no plural, and right before a verb."""
    if len(reading.sequence) < 2:
        return False
    first, second = reading.sequence[0].raw, reading.sequence[1].raw
    if first in _NO_NAMES:
        return False
    return not first.endswith(("s", "ing", "ly")) and _VERB.fullmatch(second) is not None


def nearest_windows(claim: SentenceReading, sources: Sources) -> list[tuple[Passage, Window]]:
    """Return the few windows that share most words with a claim, the nearest first."""
    words = claim.all_words  # those in values too: PostgreSQL 14
    nearest = sorted(
        sources.windows,
        key=lambda pair: len(words & pair[1].words) + len(words & pair[1].context) / 4,
        reverse=True,
    )
    return nearest[:_NEAREST]


def best_match(
    claim: SentenceReading, facts: Sequence[Fact], sources: Sources, threshold: float
) -> Match | None:
    """Return the window that says a claim, otherwise the one that comes nearest."""
    best: Match | None = None
    for passage, window in nearest_windows(claim, sources):
        match = _match(claim, facts, passage, window, threshold)
        if match.is_found:
            return match
        if best is None or (match.share, -len(match.missing)) > (best.share, -len(best.missing)):
            best = match
    return best


def _match(
    claim: SentenceReading,
    facts: Sequence[Fact],
    passage: Passage,
    window: Window,
    threshold: float,
) -> Match:
    missing = tuple(window.facts.missing(facts))
    words = claim.words
    own = words & window.words
    values = [fact for fact in facts if fact.kind != "name"]
    absent = sum(fact.kind != "name" for fact in missing)
    total = len(words) + len(values)
    covered = len(own | (words & window.context)) + len(values) - absent
    share = covered / total if total else 0.0
    # Title, headings and sentences before lend names: the sentence must say what is said of them.
    lent = (window.context | window.inherited) - window.reading.all_words
    rest = words - lent
    says = len(rest & window.words) >= threshold * len(rest) - 0.5 if rest else bool(own or values)
    is_said = share >= threshold and says and (bool(own) or not words)
    objection = _objection(claim, passage, window) if share >= NEAR else ""
    return Match(passage, window, share, is_said, missing, objection)


def is_across(claim: SentenceReading, facts: Sequence[Fact], sources: Sources) -> bool:
    """Return whether two sentences of one document together hold a claim, uncontradicted.

    Each value must stand beside another word of the claim.
    """
    if len(claim.words) + sum(fact.kind != "name" for fact in facts) < _FEWEST_ACROSS:
        return False
    names = sources.names | sources.first_names
    return any(_is_across_document(claim, facts, part, names) for part in sources.documents)


def _is_across_document(
    claim: SentenceReading, facts: Sequence[Fact], document: _Document, names: frozenset[str]
) -> bool:
    words = claim.words
    nearest = sorted(document.windows, key=lambda pair: len(words & pair[1].words), reverse=True)
    held = [
        (
            pair,
            words & (pair[1].words | pair[1].context),
            _facts_beside(claim, facts, pair[1], names),
        )
        for pair in nearest[:_NEAREST]
    ]
    values = sum(fact.kind != "name" for fact in facts)
    for (first, words_1, facts_1), (second, words_2, facts_2) in combinations(held, 2):
        if len(words_1 | words_2) + values < ACROSS * (len(words) + values):
            continue
        if len(facts_1 | facts_2) < len(set(facts)) or not words_1 ^ words_2:
            continue
        if not any(_part_objection(claim, span, (first, second)) for span in claim.clauses):
            return True
    return False


def _facts_beside(
    claim: SentenceReading, facts: Sequence[Fact], window: Window, names: frozenset[str]
) -> frozenset[Fact]:
    """Return the claim's facts that a window states together with another word of the claim.

    Values beside names of which the claim has none are said of something else.
    """
    words = claim.words
    there = {w.raw for w in window.reading.sequence if w.is_content} & names | window.inherited
    return frozenset(
        fact
        for fact in facts
        if window.facts.has(fact)
        and not (fact.kind in VALUES and there and _named_otherwise(claim, fact, names, there))
        and (
            (fact.kind not in VALUES and words & window.words - {str(fact.value)})
            or (words - window.context - {str(fact.value)}) & window.reading.all_words
        )
        and not _other_row_or_column(claim, window)
    )


def _named_otherwise(
    claim: SentenceReading, fact: Fact, names: frozenset[str], there: Set[str]
) -> bool:
    """Return whether the clause of a fact has names, none of which occurs in `there`."""
    start, end = claim.clause_at(fact.start)
    named = {w.raw for w in claim.sequence if start <= w.start < end and w.is_content} & names
    return bool(named) and not named & there


def _part_objection(
    claim: SentenceReading, span: tuple[int, int], windows: Sequence[tuple[Passage, Window]]
) -> str:
    """Return why the more similar window contradicts a clause of a claim, or an empty string."""
    start = span[0] - 2 if claim.text[: span[0]].lower().endswith("if") else span[0]
    part = read_sentence(claim.text[start : span[1]].strip())
    if len(part.words) < 2:
        return ""
    passage, window = max(windows, key=lambda pair: len(part.words & pair[1].words))
    near = len(part.words & window.words) >= NEAR * len(part.words)
    return _objection(part, passage, window) if near else ""


def _objection(claim: SentenceReading, passage: Passage, window: Window) -> str:
    """Return in a few words why a window with a claim's words does not say it, or nothing."""
    return (
        find_contradiction(claim, window.reading, passage.heading)
        or _other_row_or_column(claim, window)
        or _other_default(claim, passage)
    )


def _other_default(claim: SentenceReading, passage: Passage) -> str:
    """Return the default that a passage states, if a claim states another."""
    if not _DEFAULT.search(claim.text):
        return ""
    defaults = [
        fact
        for sentence in split_sentences(passage.text, at_semicolons=True)
        if _DEFAULT.search(sentence.text)
        for fact in read_sentence(sentence.text).facts
        if fact.kind in ("identifier", "number")
    ]
    if defaults and len(FactIndex(claim.text).missing(defaults)) == len(defaults):
        return f"the default is {defaults[0].text}"
    return ""


def _other_row_or_column(claim: SentenceReading, window: Window) -> str:
    """Return which other row or column of a table a claim is about, or nothing."""
    words = naming_words(claim.text)
    for own, others in window.rivals:
        named = [other for other in others if other and other <= words and not other <= own]
        if named and not own <= words:
            return f"it is about {' '.join(sorted(named[0]))}"
        named = [(other - own) & words for other in others if (other - own) & words]
        if named and not words & own:
            return f"it is about {' '.join(sorted(named[0]))}"
    for fact in claim.facts:
        if fact.kind in VALUES and window.cells:
            cells = [cell for cell in window.cells if FactIndex(cell.text).has(fact)]
            objections = [_other_row_or_column(claim, cell) for cell in cells]
            if objections and all(objections):
                return objections[0]
    return ""
