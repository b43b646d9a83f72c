"""Split text into search terms: words without endings, and identifiers both whole and in parts.

A question says "flow trigger" where the document says `FlowTrigger`, `flow_trigger` or
`core.trigger.Flow`; all of them must match.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

from pipeline.answers.documents.characters import unify_characters
from pipeline.answers.documents.spelling import american_spelling


class SearchToken(NamedTuple):
    """A search term and the characters `start` to `end` of the text that it stands for."""

    term: str
    start: int
    end: int


# A word, or several joined as in snake_case, core.flow.Subflow, read-only, 1.1.0 or 24,648,499.
_WORD = re.compile(r"\w+(?:(?:[.'’\-/:](?=\w)|,(?=\d{3}(?!\d)))\w+)*")
# The pieces of CamelCase and HTTPServer2, and runs of digits.
_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_PART = re.compile(r"[^\W_]+")
_VERSION = re.compile(r"[vV]?(\d+(?:\.\d+)+)(?![.\d])")
_GROUPED_DIGITS = re.compile(r"\d{1,3}(?:,\d{3})+")

# Words that say nothing about what a text is about; from the usual English lists, shortened.
_STOP_WORDS = """
a about after all also am an and any are as at be been before being both but by can could did do
does doing done each for from had has have having he her here him his how i if in into is it its
itself just like many may me might more most much must my no nor not now of off on once only or
other our ours out over own per same she should so some such than that the their theirs them
then there these they this those through to too under until up us very was we were what when
where whether which while who whom whose why will with within would you your yours s t ve re ll
d
"""


_lock = Lock()


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """Return a lower-case word without its English ending (Snowball): trigger for triggers.

    British and American spellings have one stem.
    """
    if not (word.isascii() and word.isalpha()):
        return word
    word = american_spelling(word)
    with _lock:  # a stemmer keeps the word it works on
        return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> Any:  # the library has no types
    from snowballstemmer import stemmer

    return stemmer("english")


STOP_WORDS = frozenset(_STOP_WORDS.split()) | frozenset(map(stem, _STOP_WORDS.split()))


def tokenize(text: str) -> Iterator[SearchToken]:
    """Yield the tokens of a text in order; a compound yields itself and its parts."""
    for match in _WORD.finditer(text):
        word, start = match.group(), match.start()
        if _GROUPED_DIGITS.fullmatch(word):
            yield SearchToken(word.replace(",", ""), start, match.end())
            continue
        if version := _VERSION.fullmatch(word):
            yield from _version_tokens(version[1], start + version.start(1))
            continue
        parts = [
            SearchToken(stem(piece.group().lower()), start + part.start() + piece.start(),
                        start + part.start() + piece.end())
            for part in _PART.finditer(word)
            for piece in _PIECE.finditer(part.group())
        ]  # fmt: skip
        if len(parts) != 1:
            yield SearchToken(stem(word.lower()), start, match.end())
        yield from parts


def _version_tokens(version: str, start: int) -> Iterator[SearchToken]:
    """Yield 1.1.0 and, because people leave out the last part, 1.1."""
    yield SearchToken(version, start, start + len(version))
    if version.count(".") > 1:
        short = ".".join(version.split(".")[:2])
        yield SearchToken(short, start, start + len(short))


def terms(text: str) -> list[str]:
    """Return the terms of a text in order, repeats included, without stop words."""
    tokens = tokenize(unify_characters(text))
    return [token.term for token in tokens if token.term not in STOP_WORDS]


def highlights(text: str, terms: frozenset[str]) -> tuple[tuple[int, int], ...]:
    """Return the spans (start, end) of a text that match some terms; they do not overlap."""
    spans: list[tuple[int, int]] = []
    for token in sorted(tokenize(text), key=lambda token: (token.start, -token.end)):
        if token.term in terms and (not spans or token.start >= spans[-1][1]):
            spans.append((token.start, token.end))
    return tuple(spans)
