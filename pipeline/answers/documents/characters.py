"""Write the same text with the same characters: documents, questions and claims alike."""

from __future__ import annotations

import re
import unicodedata

# Soft hyphens and zero-width characters, which are invisible and would split words.
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
# NFKC would write 10⁵ as 105 and ½ as 1/2 without a space before it.
_KEPT = ("<super>", "<sub>", "<fraction>")


def unify_characters(text: str) -> str:
    """Return a text in Unicode's form NFKC without soft hyphens; superscripts and fractions stay.

    Ligatures become letters, a letter and its combining accent become one, and full-width digits
    and no-break spaces become ordinary ones.
    """
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    return _NOT_ASCII.sub(_compatible, text)


def _compatible(match: re.Match[str]) -> str:
    character = match[0]
    if unicodedata.decomposition(character).startswith(_KEPT):
        return character
    return unicodedata.normalize("NFKC", character)


_HYPHENATED = re.compile(r"(?<=[a-zà-ÿ]{2})-\n[ \t]*(?=[a-zà-ÿ]{2})")
_WORD_BEFORE = re.compile(r"\w+$")
_WORD_AFTER = re.compile(r"\w+")


def join_hyphenated_lines(text: str) -> str:
    """Join words that are hyphenated at the end of a line.

    The hyphen stays where the text has the same word with a hyphen within a line.
    """
    parts: list[str] = []
    last = 0
    for match in _HYPHENATED.finditer(text):
        before = _WORD_BEFORE.search(text, max(0, match.start() - 40), match.start())
        after = _WORD_AFTER.match(text, match.end())
        assert before is not None
        assert after is not None
        hyphen = "-" if f"{before[0]}-{after[0]}" in text else ""
        parts += [text[last : match.start()], hyphen]
        last = match.end()
    return "".join(parts) + text[last:]
