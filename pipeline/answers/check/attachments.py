"""Detect places, agents and numbers that a claim attaches to another word than the source does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from pipeline.answers.check.facts import VALUES
from pipeline.answers.check.quantities import Quantity
from pipeline.answers.check.reading import VERB_FORM, SentenceReading, Word
from pipeline.answers.check.vocabulary import canonical

_ONCE = re.compile(
    r"(?<!at )\bonce\b(?=\s*(?:in|on|during|per|a|an|every|each|before|[.,;]|$))", re.I
)
_TIMES = re.compile(
    r"\b(?:twice|(?:two|three|four|five|six|several|many|\d+) times)\b", re.IGNORECASE
)
_ONE_NOUN = re.compile(r"\b(?:just |only )?(?:one|a single) (?!of\b)([a-z]{3,})\b", re.IGNORECASE)
_OF_VERB = re.compile(r"\s+(?:the|an?|his|her|its|their|our)\s+", re.IGNORECASE)
_CHANGE = re.compile(
    r"\b(by|to|from)\s+(?:(?:about|around|nearly|almost|over|some|just)\s+)?[$€£¥]?$", re.IGNORECASE
)
_PHRASES = {word: re.compile(rf"\b{word}\b[^,;.]*") for word in ("by", "per")}
_ATTACHED = re.compile(
    r"\s+(from|in|at|to|for|by|with|near|per)\s+(?:(?:the|an?|his|her|its|their)\s+)?",
    re.IGNORECASE,
)


def attached_to_another(claim: SentenceReading, source: SentenceReading) -> str:
    """Return a short description of a wrong attachment in a claim, or an empty string."""
    return (
        _place_of_another_thing(claim, source)
        or _one_of_several(claim, source)
        or _changed_by_or_to(claim, source)
    )


def _changed_by_or_to(claim: SentenceReading, source: SentenceReading) -> str:
    """Return a description if one side says "by" and the other "to" of the same number."""
    stated = dict(_ends_of_changes(source))
    for value, preposition in _ends_of_changes(claim):
        known = stated.get(value, preposition)
        if known != preposition:
            return f"{preposition} against {known} {_show(value, source)}"
    return ""


def _ends_of_changes(reading: SentenceReading) -> Iterator[tuple[object, str]]:
    """Yield the value of each number and the preposition before it: by, to or from."""
    for fact in reading.facts:
        if fact.kind == "number" and (match := _CHANGE.search(reading.text[: fact.start])):
            yield fact.bare, match[1].lower()


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
            behind = {
                w.term
                for p in _PHRASES[preposition].finditer(source.text)
                for w in source.sequence
                if p.start() <= w.start < p.end()
            }
            if others == places and places and place in stated_terms - behind:
                stated_places = " ".join(sorted(_show(each, source) for each in places))
                return f"{_show(place, source)} against {preposition} {stated_places}"
        if thing in values and things and things <= values and preposition != "to":
            places |= {thing}  # a value of the source that it gives to something else
        if things and places and thing not in things:
            said_of = " ".join(sorted(_show(each, source) for each in things))
            return f"{_show(place, source)} is said of {said_of}"
    return ""


def _show(value: object, source: SentenceReading) -> str:
    """Return a value as it is written in the source; words are returned unchanged."""
    written = (fact.text for fact in source.facts if fact.bare == value)
    return str(value) if isinstance(value, str) else next(written, str(value))


def _one_of_several(claim: SentenceReading, source: SentenceReading) -> str:
    """Return a description if a claim has one of what the source has several of.

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
    times = _TIMES.search(source.text)
    if times and _ONCE.search(claim.text) and not _ONCE.search(source.text):
        return f"once against {times[0]}"
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
    """Return whether a name follows a common noun directly, as in "his brother Franco"."""
    return (
        reading.text[word.start].islower()
        and reading.text[behind.start].isupper()
        and reading.text[word.end : behind.start] == " "
    )
