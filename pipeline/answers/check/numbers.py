"""Read the numbers in a text, in whichever way they are written.

"about 1.2 million trips", "$1,234.56", "18 Prozent", "PT24H", "two hundred and fifty", "half of"
and "1 hour 30 minutes" are all read. The check of claims and the score of an answer about the trips
read numbers here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

from pipeline.answers.check.units import UNIT, UNITS

LONGEST_NUMBER = 40  # characters; more digits than this are no number that anybody states

_SCALES = {
    "dozen": Decimal(12),
    "hundred": Decimal(100),
    "thousand": Decimal(1000),
    "k": Decimal(1000),
    "lakh": Decimal(100_000),
    "million": Decimal(10**6),
    "mn": Decimal(10**6),
    "m": Decimal(10**6),
    "crore": Decimal(10**7),
    "billion": Decimal(10**9),
    "bn": Decimal(10**9),
    "b": Decimal(10**9),
    "trillion": Decimal(10**12),
    "tn": Decimal(10**12),
}
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
WORDS = {word: value for value, word in enumerate(_SMALL)} | {
    word: 10 * value for value, word in enumerate(_TENS, 2)
}
_SCALE = "|".join(sorted(_SCALES, key=len, reverse=True))
_SCALE_WORD = "dozen|hundred|thousand|million|billion|trillion"
_ONES = rf"(?:(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_SMALL[1:10])}))?|{'|'.join(_SMALL)})"
_GROUP = rf"(?:\s|(?<=hundred)\sand\s|(?<=thousand)\sand\s){_ONES}(?:[\s-](?:{_SCALE_WORD}))*"
_WORD = (
    rf"(?:{_ONES}|an?(?=\s(?:{_SCALE_WORD})\b))\b"
    rf"(?:(?:[\s-](?:{_SCALE_WORD})\b)+(?:{_GROUP})*)?"
)
# Thousands are separated by commas, spaces (narrow and no-break ones too), apostrophes or
# underscores; by dots only when there are two groups or more: 1.234 is a decimal. A comma before
# decimals is told from one between two numbers by the unit that follows.
_DIGITS = (
    r"\d{1,3}(?:[,\u0020\u00a0\u2009\u202f'’_]\d{3})+(?!\d)(?:\.\d+)?"
    r"|\d{1,3}(?:\.\d{3}){2,}(?!\d)"
    rf"|\d+(?:\.\d+|,\d{{1,2}}(?=[\s-]?(?:{UNIT})(?!\w)))?"
)
_NUMERAL = re.compile(
    rf"(?<![\w.])(?:(?<!\d\s)(?P<sign>[-−–+]\s?|(?:minus|plus)\s))?"
    rf"(?P<currency>(?:(?:US)?\$|USD|EUR|GBP|[€£¥])\s?)?"
    rf"(?:(?P<digits>{_DIGITS})(?P<part>\s?[½¼¾⅓⅔])?(?!\w*\.\d)|\b(?P<words>{_WORD})\b)",
    re.IGNORECASE,
)
_SCALE_AFTER = re.compile(rf"[\s-]?(?P<scale>(?:{_SCALE})\b(?:\s(?:{_SCALE})\b)?)", re.IGNORECASE)
_UNIT_AFTER = re.compile(rf"[\s-]?(?P<unit>{UNIT})(?!\w)", re.IGNORECASE)
# A small m behind a number means metres, unless money, or closely followed by what is counted. Of
# whole thousands it always does: nobody writes 2,000 m for two billion.
_METRIC = {"m": ("length", 1), "g": ("mass", 1), "l": ("volume", 1)}
_LETTER = re.compile(r"\s?(?P<unit>[gl])(?![\w'’-])")  # grams and litres; 5G is a network
_METRES = re.compile(
    r"\s?(?P<unit>m)(?![\w²])(?!\s+(?:of\s+)?(?!long|wide|high|tall|deep|thick|above|below|from\b"
    r"|away|apart|off\b|up\b|down\b|across|along|between|under|and\b|or\b)[a-z])"
)
_METRES_OF_THOUSANDS = re.compile(r"\s?(?P<unit>m)(?![\w²])")
_MILLIONS = re.compile(r"m\s+[a-z]")
_DURATION = re.compile(r"\bP(?=\d|T\d)(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?(?!\w)")
_JOINED = re.compile(r"(?:,?\s(?:and\s)?)?")  # 1 hour 30 minutes, 5 ft and 10 in, 1h30m

_PARTS = {"½": "0.5", "¼": "0.25", "¾": "0.75", "⅓": "0.3333", "⅔": "0.6667"}
_FRACTIONS = {"half": 2, "third": 3, "quarter": 4, "fifth": 5, "tenth": 10}
_OF = r"(?=\s(?:of|the|all|its|their|our|his|her|my|these|those)\b)"
_FRACTION = re.compile(
    rf"\b(?:(?P<half>(?:one\s|a\s)?half)\s(?:an?|of\san?)\s(?P<of>{UNIT}|{_SCALE_WORD})\b"
    rf"|(?P<count>one|two|three|four|an?)[\s-](?P<part>thirds?|quarters?|fifths?|tenths?"
    rf"|half)\b{_OF}"
    rf"|(?P<many>two[\s-]thirds|three[\s-]quarters)\b"
    rf"|(?P<whole>half){_OF}"
    r"|(?<=by )(?P<by>half|(?:an?|one|two|three)[\s-](?:thirds?|quarters?|fifths?|tenths?)))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Number:
    """A number at `start` to `end` of a text.

    Attributes:
        text: The number as it is written, with sign, currency, scale and unit.
        value: What it is, with sign and scale: 1,200,000 for "1.2 million".
        unscaled: The same without the scale: 1.2.
        scale: The scale in lower case, or nothing: "million", "k", "hundred thousand".
        dimension: What the unit measures, one of `UNITS`; a currency's sign; or nothing.
        size: The value in the dimension's base unit.
        is_word: Whether it is written out in letters.
        unit: The unit as it is written, in lower case; or nothing.
    """

    text: str
    start: int
    end: int
    value: Decimal
    unscaled: Decimal
    scale: str
    dimension: str
    size: Decimal
    is_word: bool = False
    unit: str = ""


def read_numbers(text: str) -> Iterator[Number]:
    """Yield the numbers of a text, durations such as PT24H first, then fractions, then numerals.

    Parts of a date are numbers too; a version of three parts, such as 2.4.1, holds none.
    """
    for match in _DURATION.finditer(text):
        parts = zip(match.groups("0"), (86400, 3600, 60, 1), strict=True)
        seconds = Decimal(sum(int(part[:LONGEST_NUMBER]) * size for part, size in parts))
        yield Number(match[0], *match.span(), seconds, seconds, "", "time", seconds)
    fractions = [_fraction(match) for match in _FRACTION.finditer(text)]
    yield from fractions
    numbers = [
        _number(match, text)
        for match in _NUMERAL.finditer(text)
        if len(match[0]) <= LONGEST_NUMBER
        and not any(match.start() < other.end and other.start < match.end() for other in fractions)
    ]
    yield from _join(numbers, text)


def _number(match: re.Match[str], text: str) -> Number:
    unscaled = Decimal(
        _plain_digits(match["digits"]) if match["digits"] else _value(match["words"])
    )
    if match["part"]:
        unscaled += Decimal(_PARTS[match["part"].strip()])
    if (match["sign"] or "").strip().lower() in ("-", "−", "–", "minus"):
        unscaled = -unscaled
    end = match.end()
    scale = ""
    currency = (match["currency"] or "").strip().upper()
    letter = _LETTER.match(text, end) or _METRES.match(text, end)
    if currency or _MILLIONS.match(text, end):
        letter = None
    if not currency and unscaled >= 1000 and unscaled == unscaled.to_integral_value():
        letter = letter or _METRES_OF_THOUSANDS.match(text, end)
    if letter is None and not match["words"] and (scaled := _SCALE_AFTER.match(text, end)):
        scale, end = scaled["scale"].lower(), scaled.end()
    value = unscaled
    for part in scale.split():
        value *= _SCALES[part]
    dimension = {"USD": "$", "US$": "$", "EUR": "€", "GBP": "£"}.get(currency, currency)
    size, unit = Decimal(1), ""
    if letter and not dimension:
        unit, end = letter["unit"], letter.end()
        dimension, size = _METRIC[unit][0], Decimal(_METRIC[unit][1])
    elif not dimension and (measured := _UNIT_AFTER.match(text, end)):
        unit = measured["unit"].lower()
        dimension, size = UNITS[unit]
        end = measured.end()
    return Number(
        text[match.start() : end],
        match.start(),
        end,
        value,
        unscaled,
        scale,
        dimension,
        value * size,
        match["words"] is not None,
        unit,
    )


def _fraction(match: re.Match[str]) -> Number:
    if match["half"]:
        of = match["of"].lower()
        dimension, size = UNITS.get(of, ("", Decimal(1)))
        value = Decimal("0.5") * _SCALES.get(of, 1)
        return Number(match[0], *match.span(), value, value, "", dimension, value * size, True, of)
    words = re.split(r"[\s-]", (match["many"] or match[0]).lower())
    count = WORDS.get(words[0], 1) if len(words) > 1 else 1
    share = (Decimal(100 * count) / _FRACTIONS[words[-1].removesuffix("s")]).quantize(
        Decimal("0.1")
    )
    return Number(match[0], *match.span(), share, share, "", "share", share, True, "%")


def _join(numbers: list[Number], text: str) -> Iterator[Number]:
    """Join what is one measure in two units, 1 hour 30 minutes; of 3 to 5 km both are km."""
    joined: list[Number] = []
    for number in numbers:
        before = joined[-1] if joined else None
        if (
            before
            and before.dimension == number.dimension in ("time", "month", "length", "mass")
            and before.unit != number.unit
            and UNITS.get(before.unit, ("", 0))[1] > UNITS.get(number.unit, ("", 0))[1]
            and _JOINED.fullmatch(text, before.end, number.start)
        ):
            joined[-1] = replace(
                before,
                text=text[before.start : number.end],
                end=number.end,
                size=before.size + number.size,
            )
        else:
            joined.append(number)
    for first, second in pairwise([*joined, None]):
        assert first is not None
        between = text[first.end : second.start].strip() if second else ""
        is_range = second is not None and (
            between in ("-", "–", "to", "of", "out of", "of the")
            or (between == "" and second.text[0] in "-–")
        )
        if second and is_range and not first.dimension and second.unit:
            size = UNITS.get(second.unit, ("", Decimal(1)))[1]
            yield replace(
                first, dimension=second.dimension, unit=second.unit, size=first.value * size
            )
        else:
            yield first


def _value(words: str) -> int:
    """Return what number words say: 250,000 for "two hundred and fifty thousand"."""
    total = group = 0
    for word in re.split(r"[\s-]+", words.lower()):
        if word in ("a", "an"):
            group = 1
        elif word in WORDS:
            group += WORDS[word]
        elif word in ("dozen", "hundred"):
            group = max(group, 1) * int(_SCALES[word])
        elif word in _SCALES:
            total, group = total + max(group, 1) * int(_SCALES[word]), 0
    return total + group


def _plain_digits(text: str) -> str:
    """Return digits without what separates thousands, and with a dot before decimals."""
    if re.fullmatch(r"\d{1,3}(?:[^\d.]\d{3})+(?:\.\d+)?", text):
        return re.sub(r"[^\d.]", "", text)
    if text.count(".") > 1:
        return text.replace(".", "")
    return text.replace(",", ".")
