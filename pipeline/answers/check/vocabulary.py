"""Reduce a sentence to the words that say what it is about, with synonyms as one word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from pipeline.answers.check.names import fold_accents
from pipeline.answers.documents.characters import unify_characters
from pipeline.answers.documents.tokens import STOP_WORDS, stem, tokenize

_FOLDER = Path(__file__).with_name("words")
# They say little anywhere.
_GENERIC_WORDS = """
already otherwise unless still roughly exactly precisely approximately another however therefore
moreover furthermore additionally meanwhile via upon among although though because since while than
across according please there's etc thing various several many some any every each all both either
per cent percent overall additionally specifically particularly notably essentially
passage article mention least
"""
_GENERIC = frozenset(stem(word) for word in _GENERIC_WORDS.split())


def read_lines(name: str) -> Iterator[str]:
    """Yield the lines of one of the word lists, without comments and empty ones."""
    for line in (_FOLDER / name).read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


_PLAIN = {
    stem(form): stem(plain)
    for plain, *forms in (line.split() for line in read_lines("irregular.txt"))
    for form in forms
}
_SYNONYMS: dict[str, str] = {}
for _line in read_lines("synonyms.txt"):
    _first, *_others = (_PLAIN.get(stem(word), stem(word)) for word in _line.split())
    for _other in _others:
        _SYNONYMS.setdefault(_other, _SYNONYMS.get(_first, _first))

# Phrases that mean one word, and what is shortened. Those that negate are all "not".
_PHRASES = (
    (r"\b(?:no longer|not any ?more|by no means|far from)\b", "not"),
    (r"\b(can|could|would|should|do|does|did|is|are|was|were|has|have|had|must|need|might)n't\b",
     r"\1 not"),
    (r"\bwon't\b", "will not"),
    (r"\b(?:cannot|can't)\b", "can not"),
    (r"\b(it|he|she|that|there|what|who)'s\b(?=\s+(?:an?|the|not|been|\w+(?:ed|ing))\b)", r"\1 is"),
    (r"\b(we|you|they)'re\b", r"\1 are"),
    (r"\bU\.?S\.?A?\b\.?(?! dollar)|\bUnited States(?: of America)?", "United States"),
    (r"\bU\.?K\b\.?|\bGreat Britain\b", "United Kingdom"),
    (r"\bU\.N\.|\bUN\b", "United Nations"),
    (r"\bE\.U\.|\bEU\b", "European Union"),
    (r"\bL\.A\.|\bLA\b(?!\s?=)", "Los Angeles"),
    (r"\bN\.Y\.C\.|\bNYC\b", "New York City"),
    (r"\bste(?:p|ps|pped|pping) down\b", "resigned"),
    (r"\b(?:set|sets|setting) up\b", "established"),
    (r"\b(?:turn|turns|turned|turning) down\b", "rejected"),
    (r"\b(?:carry|carries|carried|carrying) out\b", "performed"),
    (r"\b(?:come|comes|came|coming) out\b", "released"),
    (r"\b(?:take|takes|took|taken|taking) place\b", "happened"),
    (r"\b(?:take|takes|took|taken|taking) part\b", "participated"),
    (r"\b(?:go|goes|went|gone|going) up\b", "rose"),
    (r"\b(?:go|goes|went|gone|going) down\b", "fell"),
    (r"\b(?:find|finds|found|finding) out\b", "discovered"),
    (r"\b(?:call|calls|called|calling) off\b", "cancelled"),
    (r"\b(?:put|puts|putting) off\b", "postponed"),
    (r"\b(?:give|gives|gave|given|giving) up\b", "quit"),
    (r"\b(?:point|points|pointed|pointing) out\b", "said"),
    (r"\b(?:pass|passes|passed|passing) away\b", "died"),
    (r"\bamong (?=(?:the|its|their|\w+'s) (?:\w+ )?\w+est\b)", "one of "),
    (r"\b(?:is|are|was|were|be|been) able to\b", "can"),
    (r"\b(?:is|are|was|were|been|being|be|got) (?:defeated|beaten) by\b", "lost to"),
    (r"\b(?:is|are|was|were|been|being|be|got) (?:defeated|beaten)\b", "lost"),
    (r"\b(?:a|an|the|their|his|her|its|first|second|third|heavy|narrow) defeat\b", "a loss"),
)  # fmt: skip
_COMPILED = [
    (
        re.compile(pattern, 0 if re.search(r"\[A-Z]|U\\|L\\|N\\|E\\", pattern) else re.IGNORECASE),
        new,
    )
    for pattern, new in _PHRASES
]
_QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"', "„": '"', "−": "-"})


@lru_cache(maxsize=20_000)
def normalize(text: str) -> str:
    """Return a sentence with plain quotes, and with one word for phrases that mean it."""
    text = unify_characters(text).translate(_QUOTES)
    for pattern, replacement in _COMPILED:
        text = pattern.sub(replacement, text)
    return text


@lru_cache(maxsize=100_000)
def canonical(word: str) -> str:
    """Return the word that stands for a word, its other forms and its synonyms: `buy`."""
    return _canonical_stem(stem(word.lower()))


def _canonical_stem(term: str) -> str:
    term = fold_accents(_PLAIN.get(term, term))
    return _SYNONYMS.get(term, term)


def is_generic(term: str) -> bool:
    """Return whether a canonical word carries no content, such as "several" or "overall"."""
    return term in _GENERIC


def content_words(text: str, without: Sequence[tuple[int, int]] = ()) -> list[str]:
    """Return the words of a text that say what it is about.

    Args:
        text: A sentence.
        without: Spans of the text whose words are left out.
    """
    return [
        _canonical_stem(token.term)
        for token in tokenize(text)
        if token.term not in STOP_WORDS
        and token.term not in _GENERIC
        and not any(char.isdigit() for char in token.term)
        and not any(start <= token.start < end for start, end in without)
    ]
