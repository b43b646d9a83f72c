"""Recognize where a claim has the words and values of a source but reverses what it says.

Only signs that need no model: a negation in one of the two, a word against its opposite, and two
values that change places around "from ... to", "instead of", "replaces" and the like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from pipeline.answers.check.facts import Fact, Quantity, find_facts
from pipeline.answers.documents.tokens import stem

_NEGATION = re.compile(
    r"\b(?:not(?! (?:only|just))|never|none|neither|nor|cannot)\b|n't\b"
    r"|\bno (?!(?:more|less|later|fewer) than)"
    r"|\b(?:gone|removed?|removes|refused|unsupported|exempt)\b|\bany ?more\b"
    r"|\bun(?:limited|readable|able|available|changed|likely)\b"
    r"|\b(?:drops?|dropped)\b(?! (?:to|from|by)\b)"
    r"|\bends? (?:of )?support|\bsupport\b.{0,40}\bends?\b",
    re.IGNORECASE,
)
_FIXES = re.compile(r"\b(?:fix(?:ed|es)?|bugs?|corrected)\b", re.IGNORECASE)
_CLAUSE = re.compile(
    r"[,;:.]\s|\b(?:but|unless|until|although|though|which|instead of|rather than)\b"
)

_NAMES = ("name", "identifier")
_NUMBERS = ("number", "version")

_OPPOSITES: dict[str, frozenset[str]] = {}
for _pair in (
    "raise increase grow rise higher/lower reduce decrease shrink fall drop",
    "more/less fewer",
    "enable on/disable off",
    "minimum least/maximum most",
    "before/after",
    "older/newer",
    "faster/slower",
    "larger bigger/smaller",
    "above over/below under",
    "first/last",
    "longer/shorter",
    "succeeded/failed",
    "running/stopped",
    "kept keep/lost lose",
    "memory/disk",
    "always/never",
    "automatically/manually",
    "required requires needs/recommended optional",
):
    _left, _right = (frozenset(stem(word) for word in words.split()) for words in _pair.split("/"))
    _OPPOSITES |= dict.fromkeys(_left, _right) | dict.fromkeys(_right, _left)

# What stands between two values of which the first is the new one, or the old one.
_NEW_FIRST = re.compile(
    r"\b(?:instead of|rather than|in place of|replaces?|takes? the place of|up from|down from"
    r"|it was|used to be)\b",
    re.IGNORECASE,
)
_OLD_FIRST = re.compile(r"\b(?:to|becomes?|replaced by)\b|->|→", re.IGNORECASE)


def contradicts(claim: str, source: str, heading: str = "") -> str:
    """Return in a few words how a claim reverses a sentence of a source, or nothing.

    Args:
        claim: What is checked.
        source: The sentence of the source.
        heading: The heading above it. Below one about fixes a sentence says what was wrong, so a
            claim may negate it.
    """
    claimed, stated = _stems(claim), _stems(source)
    if _NEGATION.search(claim):
        negated = not _NEGATION.search(source)
    else:  # only the clause that the claim is about matters
        clause = max(_CLAUSE.split(source), key=lambda text: len(claimed & _stems(text)))
        negated = bool(_NEGATION.search(clause))
    if negated and not _FIXES.search(heading):
        return "one is negated"
    for word in claimed:
        opposite = _OPPOSITES.get(word)
        if opposite and word not in stated and opposite & stated and not opposite & claimed:
            return f"{word} against {', '.join(sorted(opposite & stated))}"
    if subject := _other_version(claim, source) or _other_value(claim, source):
        return f"it is about {subject}"
    reversed_changes = {(old, new) for new, old in _changes(source)}
    if any(change in reversed_changes for change in _changes(claim)):
        return "two values have changed places"
    return ""


def _stems(text: str) -> set[str]:
    return {stem(word) for word in re.findall(r"[a-z]+", text.lower())}


def _other_version(claim: str, source: str) -> str:
    """Return the version of which a source states a claim's number, if the claim names another."""
    claimed = find_facts(claim)
    versions = {fact.value for fact in claimed if fact.kind == "version"}
    numbers = {fact.value for fact in claimed if fact.kind == "number"}
    for clause in _CLAUSE.split(source) if versions and numbers else ():
        stated = find_facts(clause)
        if numbers & {fact.value for fact in stated if fact.kind == "number"}:
            others = [fact for fact in stated if fact.kind == "version"]
            if others and not versions & {fact.value for fact in others}:
                return others[0].text
    return ""


def _other_value(claim: str, source: str) -> str:
    """Return a name and the number right behind it, if a claim gives that name other numbers.

    An example is "the Java driver 6.0" against "Python 6.0 and Java 5.4".
    """
    claimed = find_facts(claim)
    names = {fact.value for fact in claimed if fact.kind in _NAMES}
    numbers = {_bare(fact) for fact in claimed if fact.kind in _NUMBERS}
    for name, number in pairwise(find_facts(source) if numbers else []):
        adjacent = name.kind in _NAMES and number.kind in _NUMBERS and name.value in names
        if not adjacent or source[name.end : number.start].strip():
            continue
        if _bare(number) not in numbers:
            return source[name.start : number.end]
    return ""


def _changes(text: str) -> Iterator[tuple[object, object]]:
    """Yield (old, new) for each change of a value that a sentence states."""
    facts = find_facts(text)
    for pattern in (_NEW_FIRST, _OLD_FIRST):
        for cue in pattern.finditer(text):
            before = [fact for fact in facts if fact.end <= cue.start()]
            after = [fact for fact in facts if fact.start >= cue.end()]
            if before and after:
                pair = (_bare(before[-1]), _bare(after[0]))
                yield pair if pattern is _OLD_FIRST else (pair[1], pair[0])


def _bare(fact: Fact) -> object:
    """Return a fact's value, of a number without its unit: "from 3 to 5 minutes"."""
    return fact.value.written if isinstance(fact.value, Quantity) else fact.value
