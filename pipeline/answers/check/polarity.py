"""Recognize where a claim asserts what a source negates, or has a word's opposite.

"All" against "some" and "is" against "may be" belong to it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.answers.check.reading import SentenceReading, Word
from pipeline.answers.check.vocabulary import canonical, read_lines

# Of words such as before and after, both sides must be followed by the same word.
_LITTLE_WORDS = """
before after above over below under up down on off in inside outside within with without more
for against mainly mostly usually often always frequently chiefly rarely seldom hardly never fewer
less first last left right all every both none neither because despite
"""
_LITTLE = frozenset(_LITTLE_WORDS.split())
OPPOSITES: dict[str, set[str]] = {}
for _line in read_lines("opposites.txt"):
    _left, _right = ({canonical(word) for word in side.split()} for side in _line.split("|"))
    if not _left & _right:
        for _word in _left:
            OPPOSITES.setdefault(_word, set()).update(_right)
        for _word in _right:
            OPPOSITES.setdefault(_word, set()).update(_left)

# They say without "not" that something is no longer so.
_GONE = re.compile(
    r"\b(?:gone|removed?|dropped|ended|refused|exempt|only|until|unlikely|minimum|instead)\b",
    re.IGNORECASE,
)
# Behind "not" they carry little: what is negated stands behind them.
_LIGHT_WORDS = """
manage appear seem want yet even really actually fully currently officially able plan intend ever
still happen necessarily immediately directly personally
"""
_LIGHT = frozenset(canonical(word) for word in _LIGHT_WORDS.split())

_NOT_WITH = re.compile(r"\b(?:not|never|n't)\b[^,;.]*\bwith\b", re.IGNORECASE)
TOTAL = re.compile(r"\b(all|every|each|none|everyone|everybody|always|entire|any)\b", re.IGNORECASE)
_PARTIAL = re.compile(
    r"\b(?:some(?! \d)|many|(?<!at )most|several|few|certain|half|part|parts|majority|minority"
    r"|(?:one|two|three|four|five|six|seven|eight|nine|ten|\d+) of (?:the|its|their|these)"
    r"|sometimes|often|usually"
    r"|occasionally|generally|typically|mostly|rarely|nearly all|almost all|not all|a number of)\b",
    re.IGNORECASE,
)
_MOST = re.compile(r"(?<!at )\bmost\b(?! \w+(?:ly|ive|ful|ous|al|ent|ant)\b)", re.IGNORECASE)
_SOME = re.compile(r"\b(?:some|several|a few)\b(?! \d)", re.IGNORECASE)
_FEW = re.compile(
    r"(?<!a )(?<!first )(?<!last )\bfew\b(?! (?:years|days|weeks|hours|minutes))", re.I
)
_ALL = re.compile(r"\b(?:all|every|many)\b", re.IGNORECASE)
_OR = re.compile(r"\b(\w{3,}) or (?:an?\s|the\s)?(\w{3,})\b(?<!more)(?<!less)(?<!fewer)", re.I)
_AND = re.compile(r"\b(\w{3,}) and (?:an?\s|the\s)?(\w{3,})\b", re.IGNORECASE)
_IF = re.compile(r"\bif\s+([^,;.]+)", re.IGNORECASE)
_SUPERLATIVE = re.compile(
    r"\b(?P<among>(?:one of|among) (?:the |its |\w+['’]s )?)?(?:\w+ )??"
    r"(?P<rank>(?:second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|\d+(?:nd|rd|th))[- ])?"
    r"(?P<word>(?!(?:forest|west|guest|interest|request|test|rest|best-known|harvest|honest|modest"
    r"|protest|contest|suggest|latest)\b)[a-z]{3,}est)\b",
    re.IGNORECASE,
)


def find_reversal(claim: SentenceReading, source: SentenceReading, is_of_fixes: bool) -> str:
    """Return in a few words how a claim reverses a sentence of a source, or nothing.

    Args:
        claim: What is checked.
        source: The sentence of the source.
        is_of_fixes: Whether the sentence says what was wrong, so that a claim may negate it.
    """
    if source.excepted & claim.terms and not claim.excepted:
        return ""  # an exception is what the rest is not
    negated = "" if is_of_fixes else _negated(claim, source)
    return negated or _opposite(claim, source) or _quantifier(claim, source)


def _negated(claim: SentenceReading, source: SentenceReading) -> str:
    """Return that one side negates what the other asserts, if so."""
    for heads in claim.negations:
        opposed = set().union(*(OPPOSITES.get(word, set()) for word in heads))
        if source.negated.intersection(heads) or opposed & source.terms:
            continue
        if source.ellipsis & claim.asserted:
            continue
        head = _head(heads, source)
        if head in source.terms and head not in claim.asserted:
            return "one is negated"
        is_plain = not source.negations and not _GONE.search(source.text)
        if claim.has_negation and not source.has_negation and is_plain:
            return "one is negated"
    for heads in source.negations:
        if claim.negated.intersection(heads):
            continue
        if claim.has_negation and source.ellipsis.intersection(heads):
            continue
        head = _head(heads, claim)
        if head in claim.terms and head not in source.asserted:
            return "one is negated"
    return ""


def _head(heads: tuple[str, ...], other: SentenceReading) -> str:
    """Return the word that is negated: of "did not manage to land" the second."""
    light = heads[0] in _LIGHT and heads[0] not in other.terms
    return heads[1] if light and len(heads) > 1 else heads[0]


def _opposite(claim: SentenceReading, source: SentenceReading) -> str:
    """Return a word of the claim and its opposite in the source, if both say it of the same."""
    for word in claim.sequence:
        opposites = OPPOSITES.get(word.term)
        if not opposites:
            continue
        is_little = word.raw in _LITTLE
        if not is_little and (word.term in source.terms or opposites & claim.terms):
            continue
        for other in source.sequence:
            if other.term not in opposites:
                continue
            if (word.term in claim.negated) != (other.term in source.negated):
                continue  # did not rise, and fell
            if {word.raw, other.raw} == {"with", "without"} and (
                _NOT_WITH.search(claim.text) or _NOT_WITH.search(source.text)
            ):
                continue
            if is_little or other.raw in _LITTLE:
                behind = _next_content(claim, word)
                if behind != _next_content(source, other):
                    continue
                if not behind and _previous_content(claim, word) != _previous_content(
                    source, other
                ):
                    continue
                if any(
                    same.term == word.term and _next_content(source, same) == behind
                    for same in source.sequence
                ):
                    continue
            elif not _shares_clause(claim, source, other) or is_turned(claim, word, source, other):
                continue  # A beat B, and B lost to A
            elif is_turned_around("than", claim, source):
                continue  # A is larger than B, and B is smaller than A
            return f"{word.raw} against {other.raw}"
    return ""


def _next_content(reading: SentenceReading, word: Word) -> str:
    behind = (other for other in reading.sequence if other.start >= word.end and other.is_content)
    return next((other.term for other in behind), "")


def _previous_content(reading: SentenceReading, word: Word) -> str:
    before = [other for other in reading.sequence if other.end <= word.start and other.is_content]
    return before[-1].term if before else ""


def is_turned(
    claim: SentenceReading, word: Word, source: SentenceReading, other: Word, *, whole: bool = True
) -> bool:
    """Return whether the words before and after `word` and `other` are swapped.

    Args:
        whole: Whether nothing may stand on the same side in both.
    """
    left, right = _around(claim, word)
    stated_left, stated_right = _around(source, other)
    common = left & right | stated_left & stated_right
    crossed = [left & stated_right - common, right & stated_left - common]
    stayed = [left & stated_left - common, right & stated_right - common]
    return all(crossed) and not (whole and any(stayed))


def is_turned_around(cue: str, claim: SentenceReading, source: SentenceReading) -> bool:
    """Return whether the words before and after `cue`, such as "than", are swapped."""
    own, stated = ([w for w in reading.sequence if w.raw == cue] for reading in (claim, source))
    return len(own) == len(stated) == 1 and is_turned(claim, own[0], source, stated[0], whole=False)


def _around(reading: SentenceReading, word: Word) -> tuple[set[str], set[str]]:
    words = [other for other in reading.sequence if other.is_content]
    before = {other.term for other in words if other.end <= word.start}
    return before, {other.term for other in words if other.start >= word.end}


def _shares_clause(claim: SentenceReading, source: SentenceReading, word: Word) -> bool:
    """Return whether the clause around a word of the source has something else of the claim."""
    start, end = source.clause_at(word.start)
    if any(
        start <= other.start < end and other.is_content and other.term in claim.terms
        for other in source.sequence
    ):
        return True
    values = {fact.value for fact in claim.facts}
    return any(start <= fact.start < end and fact.value in values for fact in source.facts)


def _quantifier(claim: SentenceReading, source: SentenceReading) -> str:
    """Return that the claim says more than the source: all for some, is for may be."""
    if not _PARTIAL.search(claim.text) and not TOTAL.search(source.text):
        for total in TOTAL.finditer(claim.text):
            for partial in _PARTIAL.finditer(source.text):
                if total[0].lower() == "always" or _follows_same(claim, total, source, partial):
                    return f"{total[0]} against {partial[0]}"
    for pattern, other in ((_MOST, _SOME), (_FEW, _MOST), (_MOST, _FEW), (_FEW, _ALL)):
        for said in pattern.finditer(claim.text):
            for stated in other.finditer(source.text):
                same = _follows_same(claim, said, source, stated)
                if same and not pattern.search(source.text):
                    return f"{said[0].strip()} against {stated[0].strip()}"
    for alternative in _OR.finditer(source.text):
        pair = {canonical(alternative[1]), canonical(alternative[2])}
        for both in _AND.finditer(claim.text):
            if {canonical(both[1]), canonical(both[2])} == pair and not _OR.search(claim.text):
                return f"{both[0]} against {alternative[0]}"
    if words := _condition(claim, source):
        return words
    for _, superlative in _ranks(claim, ranked=False):
        rank = next((rank for rank, same in _ranks(source) if same == superlative), "")
        if rank and all(same != superlative for _, same in _ranks(source, ranked=False)):
            return f"{superlative} against {rank}"
    hedged = source.hedged & claim.terms
    if hedged and not claim.has_modal and not hedged & claim.negated:
        return "the source says that it may be"
    return ""


def _condition(claim: SentenceReading, source: SentenceReading) -> str:
    """Return a description if a claim asserts a condition of the source."""
    if _IF.search(claim.text):
        return ""
    for match in _IF.finditer(source.text):
        within = {w.term for w in source.sequence if match.start(1) <= w.start < match.end()}
        outside = {w.term for w in source.sequence if w.is_content} - within
        said = {word.term for word in claim.sequence if word.is_content}
        if len(said) > 1 and said <= within and not said <= outside:
            return f"the source says if: {match[1]}"
    return ""


def _ranks(reading: SentenceReading, *, ranked: bool = True) -> Iterator[tuple[str, str]]:
    """Yield superlatives with a rank ("second-largest", "one of the largest"), or those without.

    Yields the words as they stand, and the superlative.
    """
    for match in _SUPERLATIVE.finditer(reading.text):
        if ranked == bool(match["rank"] or match["among"]):
            yield match[0].lower(), match["word"].lower()


def _follows_same(
    claim: SentenceReading, total: re.Match[str], source: SentenceReading, partial: re.Match[str]
) -> bool:
    first = next((w.term for w in claim.sequence if w.start >= total.end() and w.is_content), "")
    behind = [w.term for w in source.sequence if w.start >= partial.end() and w.is_content]
    return bool(first) and first in behind[:2]
