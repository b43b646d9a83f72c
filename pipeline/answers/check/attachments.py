"""Recognize a place, maker or number that a source gives to one thing and a claim to another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from pipeline.answers.check.facts import VALUES
from pipeline.answers.check.quantities import Quantity
from pipeline.answers.check.reading import VERB_FORM, SentenceReading, Word
from pipeline.answers.check.vocabulary import canonical

_ONE_NOUN = re.compile(r"\b(?:just |only )?(?:one|a single) (?!of\b)([a-z]{3,})\b", re.IGNORECASE)


_OF_VERB = re.compile(r"\s+(?:the|an?|his|her|its|their|our)\s+", re.IGNORECASE)


_ATTACHED = re.compile(
    r"\s+(from|in|at|to|for|by|with|near|per)\s+(?:(?:the|an?|his|her|its|their)\s+)?",
    re.IGNORECASE,
)

_BY = re.compile(
    r"\b(?:is|are|was|were|be|been|being)\s+(?:\w+ly\s+)?(?P<verb>\w+)(?:\s+(?:over|up|out|off|down))?"
    r"\s+by\s+(?:the\s+|an?\s+)?",
    re.IGNORECASE,
)
_PASSIVE_BEFORE = re.compile(r"\b(?:is|are|was|were|be|been|being)\s+(?:\w+ly\s+)?$", re.IGNORECASE)
_NO_OBJECT = frozenset(("by", "in", "at", "on", "from", "with", "for", "to", "as"))


def attached_to_another(claim: SentenceReading, source: SentenceReading) -> str:
    """Return in a few words what the source says of a place or number instead, or nothing."""
    return (
        _place_of_another_thing(claim, source)
        or _one_of_several(claim, source)
        or _agent_as_object(claim, source)
    )


def _agent_as_object(claim: SentenceReading, source: SentenceReading) -> str:
    """Return who did something by one side, if it was done to the same by the other.

    "Ardent took over Skylink" against "Ardent was taken over by Skylink".
    """
    for acting, suffering in ((claim, source), (source, claim)):
        done_by, done_to = set(_agents(acting)), set(_objects(suffering))
        for verb, thing in done_to & done_by - set(_agents(suffering)):
            if (verb, thing) not in set(_objects(acting)):
                return f"{thing} has changed places"
    return ""


def _agents(reading: SentenceReading) -> Iterator[tuple[str, str]]:
    """Yield each passive verb with the words right behind its "by"."""
    for match in _BY.finditer(reading.text):
        verb = canonical(match["verb"])
        behind = [w for w in reading.sequence if w.start >= match.end() and w.is_content]
        yield from ((verb, word.term) for word in behind[:2])


def _objects(reading: SentenceReading) -> Iterator[tuple[str, str]]:
    """Yield each verb in the active voice with the words right behind it."""
    for place, word in enumerate(reading.sequence):
        if not VERB_FORM.fullmatch(word.raw) or _PASSIVE_BEFORE.search(reading.text[: word.start]):
            continue
        behind = reading.sequence[place + 1 : place + 5]
        names = [w for w in behind if w.is_content and w.raw != "by"]
        if all(w.raw not in _NO_OBJECT for w in behind[:2]):
            yield from ((word.term, name.term) for name in names[:2])


def _place_of_another_thing(claim: SentenceReading, source: SentenceReading) -> str:
    """Return what a source says a place or the like of, if a claim says it of another thing there.

    "Butter from Kansas" against "flour from Kansas and butter from Ireland".
    """
    stated = list(_attachments(source))
    said, stated_terms = claim.terms, source.terms
    values = {fact.bare for fact in source.facts if fact.kind in VALUES}
    for thing, preposition, place in _attachments(claim):
        things = {a for a, p, b in stated if (p, b) == (preposition, place)}
        places = {b for a, p, b in stated if (a, p) == (thing, preposition)}
        if preposition in ("by", "per"):  # what is done has one maker, and a rate one unit
            others = {b for b in places if b not in said}
            if others == places and places and place in stated_terms:
                return f"{place} against {preposition} {' '.join(sorted(map(str, places)))}"
        if thing in values and things and things <= values and preposition != "to":
            places |= {thing}  # a value of the source that it gives to something else
        if things and places and thing not in things:
            return f"{place} is said of {' '.join(sorted(map(str, things)))}"
    return ""


def _one_of_several(claim: SentenceReading, source: SentenceReading) -> str:
    """Return the number that a source has of what a claim has one of.

    "One" alone is no value: much is called one that a source does not count.
    """
    for match in _ONE_NOUN.finditer(claim.text):
        noun = canonical(match[1])
        counts = [
            fact
            for fact in source.facts
            if isinstance(fact.value, Quantity) and noun in fact.value.counted
        ]
        is_one = any(canonical(other[1]) == noun for other in _ONE_NOUN.finditer(source.text))
        if counts and not is_one and all(fact.bare != 1 for fact in counts):
            return f"{match[0]} against {counts[0].text} {match[1]}"
    return ""


def _attachments(reading: SentenceReading) -> Iterator[tuple[object, str, object]]:
    """Yield pairs of words, or of values, with the preposition that alone is between them.

    The object of a verb has none: "joined the army".
    """
    values = [fact for fact in reading.facts if fact.kind in VALUES]
    words = [
        word
        for word in reading.sequence
        if word.is_content and not any(f.start <= word.start < f.end for f in values)
    ]
    for fact, other in pairwise(values):
        if attached := _ATTACHED.fullmatch(reading.text[fact.end : other.start]):
            yield fact.bare, attached[1].lower(), other.bare
    for fact in values:
        behind = next((word for word in words if word.start >= fact.end), None)
        if behind and (attached := _ATTACHED.fullmatch(reading.text[fact.end : behind.start])):
            yield fact.bare, attached[1].lower(), behind.term
    for first, last, behind in zip(words, words[1:], [*words[2:], None], strict=False):
        between = reading.text[first.end : last.start]
        if attached := _ATTACHED.fullmatch(between):
            yield first.term, attached[1].lower(), last.term
            if behind and _names_same(reading, last, behind):  # by his brother Franco
                yield first.term, attached[1].lower(), behind.term
        elif VERB_FORM.fullmatch(first.raw) and _OF_VERB.fullmatch(between):
            yield first.term, "", last.term


def _names_same(reading: SentenceReading, word: Word, behind: Word) -> bool:
    """Return whether a name right behind a word says who that is."""
    return (
        reading.text[word.start].islower()
        and reading.text[behind.start].isupper()
        and reading.text[word.end : behind.start] == " "
    )
