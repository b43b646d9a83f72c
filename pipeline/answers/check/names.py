"""Compare names: in any script and accent, as acronyms, and as what their people are called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Set as AbstractSet

from pipeline.answers.documents.tokens import stem

# What is left of Germany and German, Italy and Italian, China and Chinese without what they share.
_PEOPLE = frozenset(
    ("", "n", "an", "ian", "ese", "ish", "y", "i", "ia", "a", "e", "s", "ns", "ans")
)
_SHARED = 4  # letters


def fold_accents(text: str) -> str:
    """Return a text in lower case without accents: renee muller for Renée Müller."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char)).lower()


def has_name(name: str, stems: AbstractSet[str], text: str) -> bool:
    """Return whether a source has a name.

    Args:
        name: In lower case; one or more words.
        stems: The stems of the source's words in lower case.
        text: The source in lower case.
    """
    words = re.split(r"[\s-]+", name)
    if all(_has_word(word, stems) for word in words):
        return True
    return len(words) == 1 and name.isalpha() and 2 <= len(name) <= 6 and _has_initials(name, text)


def _has_word(word: str, stems: AbstractSet[str]) -> bool:
    if stem(word) in stems:
        return True
    folded = fold_accents(word)
    if not word.isascii() and (folded in stems or stem(folded) in stems):
        return True
    for other in stems:
        if other[:_SHARED] != folded[:_SHARED]:
            if other.isascii() or fold_accents(other) not in (folded, stem(folded)):
                continue
            return True
        shared = 0
        for a, b in zip(folded, other, strict=False):
            if a != b:
                break
            shared += 1
        if shared >= _SHARED and folded[shared:] in _PEOPLE and other[shared:] in _PEOPLE:
            return True
    return False


def _has_initials(acronym: str, text: str) -> bool:
    """Return whether consecutive words of a text begin with the letters of an acronym."""
    between = r"\w*(?:[\s-]+(?:of|and|the|for|in|on))?[\s-]+"
    return re.search(r"\b" + between.join(acronym), text) is not None
