"""What a number says of what: its value, unit, what it counts, and "at least" and the like."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal, NamedTuple

from pipeline.answers.check.numbers import Number
from pipeline.answers.check.units import MONEY, is_same_dimension
from pipeline.answers.check.vocabulary import canonical
from pipeline.answers.documents.tokens import STOP_WORDS

Comparator = Literal["", "exactly", "about", ">", ">=", "<", "<="]


class Quantity(NamedTuple):
    """What a number says.

    Attributes:
        dimension: That of `Number`.
        size: The value in the dimension's base unit, without its sign.
        written: The number without its unit and sign.
        has_unit: Whether it measures or counts something, as in 24 MB or 24 nodes.
        comparator: What stands before or behind it: "at least", "or more".
        counted: The words behind it, stemmed: what it counts, and maybe more.
        is_negative: Whether it has a minus sign or is below zero.
        unit: The unit as it is written.
        step: Half of the last place of a number with a scale: 50,000 for 3.2 million; else 0.
        is_of_date: Whether it is the year of a date.
    """

    dimension: str
    size: Decimal
    written: Decimal
    has_unit: bool
    comparator: Comparator = ""
    counted: frozenset[str] = frozenset()
    is_negative: bool = False
    unit: str = ""
    step: Decimal = Decimal(0)
    is_of_date: bool = False


_ARTICLE = r"\s*(?:the\s|an?\s|only\s)?\s*$"
_WORDS_BEFORE: tuple[tuple[Comparator, str], ...] = (
    (
        ">=",
        r"\b(?:at least|no (?:less|fewer) than|not less than|a? ?minimum (?:of|is)"
        r"|min\.?)|≥",
    ),
    (
        "<=",
        r"\b(?:at most|(?:not|no|never|n't) (?:be )?(?:more|longer|higher|larger) than"
        r"|(?:not|never) exceed|up to|a? ?maximum (?:of|is)|max\.?|as many as"
        r"|no longer than|within)|≤",
    ),
    (
        ">",
        r"\b(?:(?:more|greater|higher|longer|larger|older|further|farther|better) than"
        r"|over|above"
        r"|exceed(?:s|ed|ing)?|upwards? of|beyond|in excess of|surpass(?:es|ed|ing)?"
        r"|top(?:s|ped)?)"
        r"|>",
    ),
    ("<", r"\b(?:(?:less|fewer|lower|shorter|smaller|younger) than|under|below)|<"),
    (
        "about",
        r"\b(?:about|around|approximately|approx\.?|roughly|nearly|almost|close to"
        r"|circa|ca\."
        r"|an estimated|estimated(?: at)?|some|just (?:over|under))|~|≈",
    ),
    ("exactly", r"\b(?:exactly|precisely)"),
)
_BEFORE = tuple(
    (comparator, re.compile(rf"(?:{words}){_ARTICLE}", re.IGNORECASE))
    for comparator, words in _WORDS_BEFORE
)
_AFTER: tuple[tuple[Comparator, re.Pattern[str]], ...] = (
    (">=", re.compile(r"\s?\+(?!\d)|(?:\s\w+)?\sor (?:more|higher|above|greater|older|longer)\b")),
    ("<=", re.compile(r"(?:\s\w+)?\sor (?:less|fewer|lower|below|under|younger|shorter)\b")),
)
_COUNTED_WORD = re.compile(r"[\s-]+([^\W\d_]{3,}(?:['’]s)?)")
_BELOW_ZERO = re.compile(r"(?:\s\w+)?\s(?:below|under) zero\b", re.IGNORECASE)
# Behind a number, but not what it counts.
_NOT_COUNTED_WORDS = """
to and or in of on at by for instead from per each every with more less fewer than is are was
were has have had will would can could may might must should as while when that which who but
times percent away long wide high tall deep old ago later earlier before after during about
since until between within the a an its their his her other older younger higher lower into off
out down over under only due because compared against versus respectively
"""
_NOT_COUNTED = frozenset(_NOT_COUNTED_WORDS.split())
_NOUNS_IN_LY = frozenset(("family", "families", "assembly", "reply", "supply", "monopoly", "fly"))
_MOST_COUNTED = 3  # words
# How many times a number may be another one that a bound is compared with.
_MOST_TIMES = 3
_MOST_TIMES_UNLIKE = Decimal("1.5")


def read_quantity(number: Number, text: str) -> Quantity:
    """Return what a number of a text says."""
    # In notes about software 512M is memory as often as millions: without a currency or something
    # counted behind it, the number is taken as it is written.
    counted = _counted(number, text)
    is_scaled = number.dimension in MONEY or bool(counted)
    ambiguous = number.scale in ("m", "b") and not is_scaled and not number.text[-1].islower()
    value = number.unscaled if ambiguous else number.value
    written = abs(value)
    size = written if not number.dimension else abs(number.size)
    step = Decimal(0)
    if number.scale and not ambiguous and number.unscaled:
        last_place = Decimal(1).scaleb(int(number.unscaled.as_tuple().exponent))
        step = abs(last_place * (number.value / number.unscaled) / 2)
    return Quantity(
        number.dimension,
        size,
        written,
        bool(number.dimension) or bool(counted),
        _comparator(number, text),
        counted,
        number.value < 0 or _BELOW_ZERO.match(text, number.end) is not None,
        number.unit,
        step,
    )


def _comparator(number: Number, text: str) -> Comparator:
    before = text[max(0, number.start - 24) : number.start]
    for comparator, pattern in _BEFORE:
        if pattern.search(before):
            return comparator
    for comparator, pattern in _AFTER:
        if pattern.match(text, number.end):
            return comparator
    return ""


def _counted(number: Number, text: str) -> frozenset[str]:
    words: list[str] = []
    end = number.end
    while len(words) < _MOST_COUNTED and (match := _COUNTED_WORD.match(text, end)):
        word = match[1].lower()
        if word in _NOT_COUNTED or (word in STOP_WORDS and word != "of"):
            break
        if word.endswith("ly") and word not in _NOUNS_IN_LY:  # usually, generally
            break
        words.append(canonical(word))
        end = match.end()
    return frozenset(words)


def supports(claimed: Quantity, stated: Iterable[Quantity]) -> bool:
    """Return whether a quantity of the source supports a quantity of the claim.

    Of a bound such as "less than 120", the nearest number that may be about the same decides: a
    sum of 120.2 is not below it, whatever its parts are.
    """
    stated = list(stated)
    if claimed.comparator not in (">", ">=", "<", "<="):
        return any(is_same_quantity(claimed, other) for other in stated)
    comparable = [
        other
        for other in stated
        if is_same_dimension(claimed.dimension, other.dimension)
        and (other.size == claimed.size or _is_comparable(claimed, other))
    ]
    if not comparable:
        return False
    nearest = min(comparable, key=lambda other: _ratio(claimed.size, other.size))
    ratio = _ratio(claimed.size, nearest.size)
    return any(
        is_same_quantity(claimed, other)
        for other in comparable
        if _ratio(claimed.size, other.size) == ratio
    )


def _ratio(first: Decimal, second: Decimal) -> Decimal:
    """Return the ratio of the larger to the smaller number; 1 for equal numbers, infinite for 0."""
    if first == second:
        return Decimal(1)
    smaller, larger = sorted((first, second))
    return larger / smaller if smaller > 0 else Decimal("Infinity")


def is_same_quantity(claimed: Quantity, stated: Quantity) -> bool:
    """Return whether a source's number supports a claim's; where one stands bare, as written.

    `timeout: 30` may be 30 seconds; 24 nodes are neither 24 MB nor 24 users. More than 300 is
    supported by 312, not by 300; 300 is not supported by "more than 300".
    """
    if stated.is_of_date and (claimed.has_unit or claimed.comparator):
        return False
    if claimed.is_negative != stated.is_negative and "share" not in (
        claimed.dimension,
        stated.dimension,
    ):
        return False
    if is_same_dimension(claimed.dimension, stated.dimension):
        both_count = not claimed.dimension and claimed.counted and stated.counted
        if both_count and not claimed.counted & stated.counted:
            return False
        return _compare(claimed, claimed.size, stated, stated.size)
    bare = not claimed.has_unit or not stated.has_unit
    if claimed.dimension in MONEY and stated.dimension in MONEY:
        return False
    return bare and claimed.dimension not in MONEY and claimed.written == stated.written


def _compare(claimed: Quantity, value: Decimal, stated: Quantity, source: Decimal) -> bool:
    is_equal = _is_equal(claimed, value, stated, source)
    said, known = claimed.comparator, stated.comparator
    if said in ("", "exactly", "about"):
        if said == "about" or known == "about":
            near = abs(value - source) <= max(value, source) / 10
            if said == "exactly":
                return False
            return is_equal or (said == "about" != known and near)
        if said == "exactly":
            return is_equal and known in ("", "exactly")
        return is_equal and known not in (">", "<")
    if said in (">", ">="):
        if known in ("<", "<="):
            return False
        # A lower bound is supported by what is above it; an upper bound is a value of its own.
        if source > value and _is_comparable(claimed, stated):
            return True
        is_rounded = is_equal and source >= value
        return is_rounded and (said == ">=" or known == ">")
    if known in (">", ">="):
        return False
    if known in ("", "about") and source < value and _is_comparable(claimed, stated):
        return True
    return is_equal and source <= value and (said == "<=" or known == "<")


def _is_comparable(claimed: Quantity, stated: Quantity) -> bool:
    """Return whether two different quantities may measure the same thing.

    Where only one says what it counts, or neither does, they must be near each other.
    """
    is_alike = bool(claimed.dimension or claimed.counted & stated.counted or stated.step)
    if not is_alike and (stated.is_of_date or (claimed.counted and stated.counted)):
        return False
    most = _MOST_TIMES if is_alike else _MOST_TIMES_UNLIKE
    return _ratio(claimed.size, stated.size) <= most


def _is_equal(claimed: Quantity, value: Decimal, stated: Quantity, source: Decimal) -> bool:
    if value == source:
        return True
    if claimed.step and abs(value - source) <= claimed.step:
        return True
    if claimed.unit != stated.unit and claimed.dimension not in ("time", "size", "month", *MONEY):
        return abs(value - source) <= max(value, source) * Decimal("0.012")
    return False
