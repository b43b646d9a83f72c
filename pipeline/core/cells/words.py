"""Reads words: those that stand for no value, flags, and other texts."""

from __future__ import annotations

from pipeline.core.cells.reading import Note, Rejected

NOTHING = frozenset(
    [
        "null",
        "(null)",
        "[null]",
        "<null>",
        "none",
        "nil",
        "na",
        "(na)",
        "n/a",
        "n.a.",
        "#n/a",
        "#na",
        "<na>",
        "<n/a>",
        "nan",
        "-nan",
        "+nan",
        "#nan",
        "nat",
        "<nat>",
        "\\n",
        "-",
        "--",
        "–",
        "—",
        "?",
        "undefined",
        "missing",
    ]
)
"""Words by which databases, pandas, R, Excel and Spark say that there is no value, lower case."""

_YES = frozenset(["y", "yes", "t", "true", "1", "1.0"])
_NO = frozenset(["n", "no", "f", "false", "0", "0.0"])
_LONGEST, _LONGEST_FLAG = 100, 8  # characters of a text, and of a flag


def read_flag(text: str) -> tuple[str, tuple[Note, ...]]:
    """Return Y or N for the words that mean it, and any other word as it is.

    Raises Rejected.
    """
    if text in ("Y", "N"):
        return text, ()
    word = text.lower()
    if word in _YES or word in _NO:
        return ("Y" if word in _YES else "N"), ("flag",)
    return read_text(text, _LONGEST_FLAG), ()


def read_text(text: str, longest: int = _LONGEST) -> str:
    """Return a text as it is; raise Rejected when it is damaged."""
    # U+FFFD stands where bytes were no UTF-8.
    if not text.isprintable() or '"' in text or "'" in text or "\ufffd" in text:
        raise Rejected("has a character that is not allowed in a code or flag")
    if len(text) > longest:
        raise Rejected(f"has more than {longest} characters")
    return text
