"""Detect claims that attribute an action to somebody else than the source does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from pipeline.answers.check.reading import PAST_FORM, VERB_FORM, SentenceReading, Word
from pipeline.answers.check.vocabulary import canonical

# "was written by", and of a second verb "and reviewed by".
_BY = re.compile(
    r"\b(?:(?:is|are|was|were|be|been|being)\s+(?:\w+ly\s+)?|(?:and|,|or)\s+)(?P<verb>\w+)"
    r"(?:\s+(?:over|up|out|off|down))?\s+by\s+(?:the\s+|an?\s+)?",
    re.IGNORECASE,
)
_BE_BEFORE = re.compile(r"\b(?:is|are|was|were|be|been|being)\s+(?:\w+ly\s+)?$", re.IGNORECASE)
_BY_BEHIND = re.compile(r"(?:\s+(?:over|up|out|off|down))?\s+by\b", re.IGNORECASE)
_NO_OBJECT = frozenset(("by", "in", "at", "on", "from", "with", "for", "to", "as"))
_NOT_DONE = frozenset(("finished", "ranked", "placed"))  # several can, in one sentence


def done_by_another(claim: SentenceReading, source: SentenceReading) -> str:
    """Return a short description of a wrongly attributed action, or an empty string."""
    return _agent_as_object(claim, source) or _other_doer(claim, source)


def _other_doer(claim: SentenceReading, source: SentenceReading) -> str:
    """Return a description if the source attributes a claim's action to somebody else.

    "Diaz wrote it" against "written by Chen and reviewed by Diaz". A name is only compared with
    names, because "the author" may be one of them.
    """
    stated = list(_doers(source))
    for verb, doers in _doers(claim):
        others = [known for same, known in stated if same == verb]
        terms = {word.term for word in doers}
        if not others or any(terms & {word.term for word in known} for known in others):
            continue
        is_name = _has_name(claim, doers)
        if all(_has_name(source, known) == is_name for known in others) and terms <= source.terms:
            return f"{verb} is said of {' '.join(word.raw for word in others[0])}"
    return ""


def _has_name(reading: SentenceReading, words: Sequence[Word]) -> bool:
    return any(reading.text[word.start].isupper() for word in words)


def _doers(reading: SentenceReading) -> Iterator[tuple[str, list[Word]]]:
    """Yield each verb and the words of its agent."""
    for match in _BY.finditer(reading.text):
        end = reading.clause_at(match.end())[1]
        doers = [w for w in reading.sequence if match.end() <= w.start < end and w.is_content]
        if doers:
            yield canonical(match["verb"]), doers[:3]
    for start, end in reading.spans:
        subject: list[Word] = []
        for word in reading.sequence:
            if not start <= word.start < end:
                continue
            if word.raw in _NOT_DONE or not PAST_FORM.fullmatch(word.raw):
                subject += [word] if word.is_content else []
                continue
            is_passive = _BE_BEFORE.search(reading.text[: word.start]) or _BY_BEHIND.match(
                reading.text, word.end
            )
            if subject and not is_passive and subject[-1].end + 1 == word.start:
                yield word.term, subject
            subject = []


def _agent_as_object(claim: SentenceReading, source: SentenceReading) -> str:
    """Return a description if agent and object of an action are swapped.

    "Ardent took over Skylink" against "Ardent was taken over by Skylink".
    """
    for acting, suffering in ((claim, source), (source, claim)):
        done_by, done_to = set(_agents(acting)), set(_objects(suffering))
        for verb, thing in done_to & done_by - set(_agents(suffering)):
            if (verb, thing) not in set(_objects(acting)):
                return f"{thing} has changed places"
    return ""


def _agents(reading: SentenceReading) -> Iterator[tuple[str, str]]:
    """Yield each passive verb and the first words after "by"."""
    for match in _BY.finditer(reading.text):
        verb = canonical(match["verb"])
        behind = [w for w in reading.sequence if w.start >= match.end() and w.is_content]
        yield from ((verb, word.term) for word in behind[:2])


def _objects(reading: SentenceReading) -> Iterator[tuple[str, str]]:
    """Yield each active verb and the first words of its object."""
    for place, word in enumerate(reading.sequence):
        if not VERB_FORM.fullmatch(word.raw) or _BE_BEFORE.search(reading.text[: word.start]):
            continue
        behind = reading.sequence[place + 1 : place + 5]
        names = [w for w in behind if w.is_content and w.raw != "by"]
        if all(w.raw not in _NO_OBJECT for w in behind[:2]):
            yield from ((word.term, name.term) for name in names[:2])


def mixed_name(claim: SentenceReading, source: SentenceReading) -> str:
    """Return a description if a claim combines the names of two people of the source."""
    stated = set(_names_of_two(source))
    for first, last in set(_names_of_two(claim)) - stated:
        others = [pair for pair in stated if pair[0] == first and pair[1] != last]
        if others and any(pair[1] == last for pair in stated):
            return f"{first} {last} against {' '.join(others[0])}"
    return ""


def _names_of_two(reading: SentenceReading) -> Iterator[tuple[str, str]]:
    for word, behind in pairwise(reading.sequence):
        between = reading.text[word.end : behind.start]
        if between == " " and all(reading.text[w.start].isupper() for w in (word, behind)):
            yield word.raw, behind.raw
