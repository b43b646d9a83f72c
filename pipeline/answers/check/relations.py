"""Recognize where a claim has the words and values of a source but reverses what it says.

Only signs that need no model: a negation in one of the two, a word against its opposite, "all"
against "some", two values or two names that change places, and a value that the source gives to
something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import pairwise

from pipeline.answers.check.agents import done_by_another, mixed_name
from pipeline.answers.check.attachments import attached_to_another
from pipeline.answers.check.clauses import value_of_another_clause
from pipeline.answers.check.facts import VALUES, Fact
from pipeline.answers.check.polarity import OPPOSITES, TOTAL, find_reversal, is_turned_around
from pipeline.answers.check.quantities import Quantity
from pipeline.answers.check.reading import EXCEPT, FINITE_VERB, VERB_FORM, SentenceReading, Word
from pipeline.answers.check.vocabulary import canonical, is_generic

_FIXES = re.compile(r"\b(?:fix(?:ed|es)?|bugs?|corrected)\b", re.IGNORECASE)
# Characters of what is compared: the time grows with the square of the number of clauses.
_LONGEST = 600
_FEWEST_EQUAL = 3  # words
_MOST_EQUAL = 0.7  # of a claim's words, for one of the others to count as replaced
_NAMES = ("name", "identifier")
_NUMBERS = ("number", "version")

# What stands between two values of which the first is the new one, or the old one.
_NEW_FIRST = re.compile(
    r"\b(?:instead of|rather than|in place of|replaces?|takes? the place of|up from|down from"
    r"|it was|used to be)\b",
    re.IGNORECASE,
)
_OLD_FIRST = re.compile(r"\b(?:to|becomes?|replaced by)\b|->|→", re.IGNORECASE)

# Numbers are compared with them; they replace nothing.
_BOUND_WORD_LIST = """
least most less more fewer between older younger newer later over under above below version v
maximum minimum
"""
_BOUND_WORDS = frozenset(_BOUND_WORD_LIST.split())
_SYMMETRIC_VERBS = "meet marry join merge talk speak agree differ border play fight share between"
_SYMMETRIC = frozenset(canonical(word) for word in _SYMMETRIC_VERBS.split())
_BE = re.compile(r"\b(?:is|are|was|were|be|been|being)\b", re.IGNORECASE)


def find_contradiction(claim: SentenceReading, source: SentenceReading, heading: str = "") -> str:
    """Return in a few words how a claim reverses a sentence of a source, or nothing.

    Args:
        heading: The heading above the sentence. Below one about fixes a sentence says what was
            wrong, so a claim may negate it.
    """
    if max(len(claim.text), len(source.text)) > _LONGEST:
        return ""
    if words := find_reversal(claim, source, _FIXES.search(heading) is not None):
        return words
    if subject := _other_version(claim, source) or _other_value(claim, source):
        return f"it is about {subject}"
    if words := value_of_another_clause(claim, source) or _exception(claim, source):
        return words
    if words := attached_to_another(claim, source) or done_by_another(claim, source):
        return words
    changes = set(_changes(source))
    if any((new, old) in changes and (old, new) not in changes for old, new in _changes(claim)):
        return "two values have changed places"
    return (
        mixed_name(claim, source)
        or _swapped_around(claim, source)
        or _changed_roles(claim, source)
        or _replaced(claim, source)
    )


def _swapped_around(claim: SentenceReading, source: SentenceReading) -> str:
    """Return a description if the words around "than", "before" or "after" are swapped.

    Unless an opposite stands there too: slower than trains, and faster than buses.
    """
    if any(OPPOSITES.get(word.term, set()) & source.terms for word in claim.sequence):
        return ""
    for cue in ("than", "before", "after"):
        if is_turned_around(cue, claim, source):
            return f"what stands around {cue} has changed places"
    return ""


def _replaced(claim: SentenceReading, source: SentenceReading) -> str:
    """Return a word of the claim and another one that the source has in its place.

    Only where most words are the same in the same order, and both words stand between the same.
    """
    claimed, stated = claim.sequence, source.sequence
    matcher = SequenceMatcher(None, [w.term for w in claimed], [w.term for w in stated], False)
    codes = matcher.get_opcodes()
    equal = sum(i2 - i1 for tag, i1, i2, _, _ in codes if tag == "equal")
    # A subject that the source calls otherwise, or "it", is not compared.
    first = next((i1 for tag, i1, *_ in codes if tag == "equal"), 0)
    if equal < max(_FEWEST_EQUAL, _MOST_EQUAL * (len(claimed) - first)):
        return ""
    for position, (tag, i1, i2, j1, j2) in enumerate(codes):
        if tag != "replace" or position == 0:
            continue
        new = [w for w in claimed[i1:i2] if _may_be_replaced(w, claim, source)]
        old = [w for w in stated[j1:j2] if _may_be_replaced(w, source, claim)]
        is_one = len(new) == len(old) == 1 and i2 - i1 <= 2 and j2 - j1 <= 2
        if is_one and new[0].raw[:3] != old[0].raw[:3]:  # lab and laboratory are one
            return f"{new[0].raw} against {old[0].raw}"
    return ""


def _may_be_replaced(word: Word, reading: SentenceReading, other: SentenceReading) -> bool:
    """Return whether a word is neither in the other sentence, nor an adverb, verb form or value."""
    return (
        word.is_content
        and not is_generic(word.term)
        and word.raw not in _BOUND_WORDS
        and word.term not in other.terms
        and not word.raw.endswith("ly")
        and not VERB_FORM.fullmatch(word.raw)
        and not any(
            fact.start <= word.start < fact.end
            for fact in reading.facts
            if fact.kind in (*VALUES, *_NAMES)
        )
    )


def _other_version(claim: SentenceReading, source: SentenceReading) -> str:
    """Return the version or ordinal of which a source states a claim's number.

    Nothing if the claim names the same one, or none.
    """
    numbers = {fact.bare for fact in claim.facts if fact.kind == "number"}
    for kind in ("version", "ordinal") if numbers else ():
        claimed = {fact.value for fact in claim.facts if fact.kind == kind}
        for start, end in source.clauses if claimed else ():
            stated = [fact for fact in source.facts if start <= fact.start < end]
            if numbers & {fact.bare for fact in stated if fact.kind == "number"}:
                others = [fact for fact in stated if fact.kind == kind]
                if others and not claimed & {fact.value for fact in others}:
                    return others[0].text
    return ""


def _exception(claim: SentenceReading, source: SentenceReading) -> str:
    """Return what a source excepts, if a claim says of it what holds for all others.

    "The rule applies to drivers under 18" against "to all drivers except those under 18".
    """
    cue = EXCEPT.search(source.text)
    if (
        cue is None
        or claim.has_negation
        or source.has_negation
        or EXCEPT.search(claim.text)
        or "exempt" in claim.text
    ):
        return ""
    end = next((end for start, end in source.spans if start <= cue.end() - 1 < end), 0)
    if TOTAL.search(claim.text) and not source.excepted & claim.terms:
        return f"all but {source.text[cue.end() : end].strip(' .')}"
    before = {fact.bare for fact in source.facts if not cue.end() <= fact.start < end}
    before |= {word.term for word in source.sequence if not cue.end() <= word.start < end}
    excepted = {fact.bare for fact in source.facts if cue.end() <= fact.start < end} | {
        word.term for word in source.sequence if cue.end() <= word.start < end and word.is_content
    }
    said = {fact.bare for fact in claim.facts} | {word.term for word in claim.sequence}
    if excepted - before and excepted - before <= said:
        return f"{source.text[cue.end() : end].strip(' .')} is an exception"
    return ""


def _other_value(claim: SentenceReading, source: SentenceReading) -> str:
    """Return a name and the number right behind it, if a claim gives that name other numbers.

    An example is "the Java driver 6.0" against "Python 6.0 and Java 5.4".
    """
    names = {fact.value for fact in claim.facts if fact.kind in _NAMES}
    numbers = {fact.bare for fact in claim.facts if fact.kind in _NUMBERS}
    for name, number in pairwise(source.facts if numbers else []):
        adjacent = name.kind in _NAMES and number.kind in _NUMBERS and name.value in names
        if not adjacent or source.text[name.end : number.start].strip():
            continue
        if isinstance(number.value, Quantity) and number.value.counted:
            continue  # Lomari's 712,300 residents
        if number.bare not in numbers:
            return source.text[name.start : number.end]
    return ""


def _changes(reading: SentenceReading) -> Iterator[tuple[object, object]]:
    """Yield (old, new) for each change of a value, or of a word, that a sentence states."""
    for pattern in (_NEW_FIRST, _OLD_FIRST):
        for cue in pattern.finditer(reading.text):
            before = [fact for fact in reading.facts if fact.end <= cue.start()]
            after = [fact for fact in reading.facts if fact.start >= cue.end()]
            words = [word for word in reading.sequence if word.is_content]
            if before and after:
                pair = (before[-1].bare, after[0].bare)
                yield pair if pattern is _OLD_FIRST else (pair[1], pair[0])
            left = [word.term for word in words if word.end <= cue.start()]
            right = [word.term for word in words if word.start >= cue.end()]
            if pattern is _NEW_FIRST and left and right and left[-1] != right[0]:
                yield right[0], left[-1]
    ends = {
        word: [fact.bare for fact in reading.facts if _is_behind(reading, fact, word)]
        for word in ("from", "to")
    }
    yield from ((old, new) for old in ends["from"] for new in ends["to"])


def _is_behind(reading: SentenceReading, fact: Fact, word: str) -> bool:
    before = reading.text[max(0, fact.start - 12) : fact.start]
    return before.rstrip(" $€£").lower().endswith(f" {word}")


def _changed_roles(claim: SentenceReading, source: SentenceReading) -> str:
    """Return that two words have changed places around the same words: who did it to whom."""
    stated = list(_roles(source))
    forward = {(first, last) for first, _, last in stated}
    for first, between, last in _roles(claim):
        if (first, last) in forward:
            continue
        if any((last, first) == (a, b) and between & c for a, c, b in stated):
            return f"{first} and {last} have changed places"
    return ""


def _roles(reading: SentenceReading) -> Iterator[tuple[str, frozenset[str], str]]:
    """Yield pairs of words and what stands between them, turned round where it is passive.

    Between them are a verb or "than", and at most two other words.
    """
    for start, end in reading.spans:
        words = [w for w in reading.sequence if start <= w.start < end and w.is_content]
        for position, first in enumerate(words):
            for last in words[position + 1 : position + 5]:
                if VERB_FORM.fullmatch(first.raw) or VERB_FORM.fullmatch(last.raw):
                    continue
                text = reading.text[first.end : last.start]
                inner = [w for w in words if first.start < w.start < last.start]
                links = {w.term for w in inner if FINITE_VERB.fullmatch(w.raw)} - _SYMMETRIC
                if re.search(r"\b(?:than|to)\b", text):
                    links = {w.term for w in inner}
                if not links or re.search(r"\b(?:and|or)\b|,", text):
                    continue
                has_be = _BE.search(text) is not None
                is_passive = re.search(r"\bby\b", text) is not None
                if has_be and not is_passive and "than" not in text:
                    continue  # was raised in March
                pair = (last, first) if is_passive else (first, last)
                yield pair[0].term, frozenset(links), pair[1].term
