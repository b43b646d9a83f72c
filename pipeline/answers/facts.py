"""The facts of a sentence that can be compared one by one: numbers, dates, versions and names.

They are normalised, so that `2,048` is `2048`, `PT24H` and `one day` are `24 hours`, and
`12 November 2025` is `2025-11-12`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pipeline.answers.tokens import STOP_WORDS, stem

FactKind = Literal["number", "date", "version", "identifier", "name"]


@dataclass(frozen=True)
class Fact:
    """A fact where it stands (`start` to `end`). `value` compares: see `Known.has`.

    A number's value is (dimension, size in its base unit, as written, whether it counts something,
    as in 24 nodes); a date's is
    (year, month, day), 0 for what is not said; of the others it is the text in lower case.
    """

    kind: FactKind
    text: str
    value: tuple[object, ...]
    start: int
    end: int


_MONTHS = {
    name: number
    for number, names in enumerate(
        ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul",
         "august aug", "september sept sep", "october oct", "november nov", "december dec"), 1
    )
    for name in names.split()
}  # fmt: skip
_UNITS: dict[str, tuple[str, Decimal]] = {
    word: (dimension, Decimal(size))
    for dimension, size, words in (
        ("time", "0.001", "ms millisecond milliseconds"),
        ("time", "1", "s sec secs second seconds"),
        ("time", "60", "min mins minute minutes"),
        ("time", "3600", "h hr hrs hour hours"),
        ("time", "86400", "d day days"),
        ("time", "604800", "week weeks"),
        ("month", "1", "month months"),
        ("month", "12", "year years"),
        ("size", "1000", "kb kilobyte kilobytes"),
        ("size", "1000000", "mb megabyte megabytes"),
        ("size", "1000000000", "gb gigabyte gigabytes"),
        ("size", "1000000000000", "tb terabyte terabytes"),
        ("size", "1024", "kib"),
        ("size", "1048576", "mib"),
        ("size", "1073741824", "gib"),
        ("share", "1", "% percent"),
    )
    for word in words.split()
}
_MONEY = ("$", "€", "£")
_SCALES = {"thousand": 3, "k": 3, "million": 6, "billion": 9}
_SPELLED_OUT = "one two three four five six seven eight nine ten eleven twelve"
_WORDS = {word: number for number, word in enumerate(_SPELLED_OUT.split(), 1)}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))

_ISO_DATE = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)(?=\b|T)")
_DAY_MONTH = re.compile(
    rf"\b(?:(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?)?({_MONTH})\b\.?,?\s+(\d{{4}})\b",
    re.IGNORECASE,
)
_MONTH_DAY = re.compile(
    rf"\b({_MONTH})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(\d{{4}})\b)?", re.IGNORECASE
)
_ISO_DURATION = re.compile(r"\bP(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?(?!\w)")
_NUMBER = re.compile(
    rf"(?<![\w.])[$€£]?\s?(\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)(?![\w]*\.\d)"
    rf"(?:[\s-]?(thousand|million|billion|k)\b)?(?:[\s-]?({_UNIT})(?!\w))?",
    re.IGNORECASE,
)
_SPELLED = re.compile(
    rf"\b({'|'.join(_WORDS)})[\s-]+(?:(thousand|million|billion)\b)?\s*(?:({_UNIT})(?!\w))?",
    re.IGNORECASE,
)
# "once a minute", "up to an hour": these say one, unlike "requests a second".
_ONE = re.compile(
    r"\b(?:up to|once|within|than|least|most|for|after|over|under|about)\s+"
    rf"(?:a|an)\s+({_UNIT})(?!\w)"
    rf"|\bevery\s+({_UNIT})(?!\w)",
    re.IGNORECASE,
)
_MULTIPLES = {"twice": "2", "doubl": "2", "tripl": "3", "thousand": "1000", "million": "1000000"}
_MULTIPLE = re.compile(
    r"\b(twice)\b|\b(doubl|tripl)(?:e[ds]?|ing)\b|(?:(?<=per )|(?<=\ba ))(thousand|million)\b",
    re.IGNORECASE,
)
_EACH = re.compile(rf"\b(?:a|an|per|every|each)\s+({_UNIT})(?!\w)", re.IGNORECASE)
_VERSION = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+)+)(?![\w]*\.\d)(?!\w)", re.IGNORECASE)
_CODE = re.compile(r"`+([^`\n]{1,200})`+")
_IDENTIFIER = re.compile(
    r"--[a-z][\w-]+"  # a flag
    r"|(?<!\w)[A-Za-z]\w*(?:[._:/]\w+)+"  # dotted, HTTP/2
    r"|(?<!\w)(?=\w*[A-Za-z])(?=[\w-]*\d)\w+(?:-\w+)*"  # letters and digits: S3, HRN-2025-03
    r"|(?<!\w)[A-Za-z]+_\w+"  # snake_case
    r"|(?<!\w)[A-Z]*[a-z]+[A-Z]\w*"  # CamelCase
    r"|(?<!\w)[A-Z][A-Z]+s?\b"  # SAML
)
_COUNTED = re.compile(r"\s+(?!(?:to|and|or|in|of|on|at|by|for|instead|from)\b)[a-z]{3,}")
_NUMBERED = re.compile(r"(?<![\w-])[A-Za-z]{2,}-\d[\w-]*")  # CVE-2025-1234
_NAME = re.compile(r"(?<![\w`'’-])[A-Z][a-z]+(?:['’]s)?(?:-[A-Za-z]+)*")


def facts(text: str) -> list[Fact]:
    """Return the facts of a sentence, in the order they stand.

    A capitalised word is a name unless the sentence begins with it.
    """
    return sorted(_facts(text), key=lambda fact: fact.start)


def _facts(text: str) -> Iterator[Fact]:
    taken: list[tuple[int, int]] = []

    def free(match: re.Match[str]) -> bool:
        if any(match.start() < end and start < match.end() for start, end in taken):
            return False
        taken.append(match.span())
        return True

    for pattern in (_ISO_DATE, _DAY_MONTH, _MONTH_DAY):
        for match in pattern.finditer(text):
            value = _date(pattern, match)
            if value and free(match):
                yield Fact("date", match[0], value, *match.span())
    for match in _CODE.finditer(text):
        if free(match):
            yield Fact("identifier", match[0], (_plain(match[1]),), *match.span())
    for match in _NUMBERED.finditer(text):
        if free(match):
            yield Fact("identifier", match[0], (_plain(match[0]),), *match.span())
    for match in _ISO_DURATION.finditer(text):
        if len(match[0]) > 2 and free(match):
            seconds = _duration(match)
            yield Fact("number", match[0], ("time", seconds, seconds, True), *match.span())
    for match in _NUMBER.finditer(text):
        is_version = "." in match[1] and not match[2] and not match[3] and "$" not in match[0]
        if not is_version and free(match):
            yield Fact("number", match[0].strip(), _number(match), *match.span())
    for match in _VERSION.finditer(text):
        if free(match):
            yield Fact("version", match[0], (match[1],), *match.span())
    for match in _SPELLED.finditer(text):
        if (match[1].lower() != "one" or match[2] or match[3]) and free(match):
            yield Fact("number", match[0].strip(), _number(match), *match.span())
    for match in _ONE.finditer(text):
        if free(match):
            unit = (match[1] or match[2]).lower()
            yield Fact("number", match[0], (*_UNITS[unit], Decimal(1), True), *match.span())
    for match in _MULTIPLE.finditer(text):
        if free(match):
            size = Decimal(_MULTIPLES[(match[1] or match[2] or match[3]).lower()])
            factor = "" if match[3] else "factor"
            yield Fact("number", match[0], (factor, size, size, True), *match.span())
    for match in _IDENTIFIER.finditer(text):
        if free(match):
            yield Fact("identifier", match[0], (_plain(match[0]),), *match.span())
    for match in _NAME.finditer(text):
        first = not re.search(r"\w", text[: match.start()])
        word = re.sub(r"['’]s$", "", match[0].lower())
        if not first and word not in STOP_WORDS and word not in _MONTHS and free(match):
            yield Fact("name", match[0], (word,), *match.span())


def _date(pattern: re.Pattern[str], match: re.Match[str]) -> tuple[object, ...] | None:
    if pattern is _ISO_DATE:
        return int(match[1]), int(match[2]), int(match[3])
    if pattern is _DAY_MONTH:
        return int(match[3]), _MONTHS[match[2].lower()], int(match[1] or 0)
    if match[1].islower():  # "may 10 people" is no date
        return None
    return int(match[3] or 0), _MONTHS[match[1].lower()], int(match[2])


def _duration(match: re.Match[str]) -> Decimal:
    sizes = (86400, 3600, 60, 1)
    return sum(
        (Decimal(part) * size for part, size in zip(match.groups(), sizes, strict=True) if part),
        Decimal(0),
    )


def _number(match: re.Match[str]) -> tuple[object, ...]:
    digits = match[1].replace(",", "").lower()
    magnitude = Decimal(_WORDS.get(digits, digits)) if digits in _WORDS else Decimal(digits)
    if match[2]:
        magnitude *= Decimal(10) ** _SCALES[match[2].lower()]
    if match[0].lstrip()[:1] in _MONEY:
        return match[0].lstrip()[0], magnitude, magnitude, True
    if match[3]:
        dimension, size = _UNITS[match[3].lower()]
        return dimension, magnitude * size, magnitude, True
    counts = _COUNTED.match(match.string, match.end()) is not None
    return "", magnitude, magnitude, counts


def _plain(code: str) -> str:
    return " ".join(code.lower().split())


class Known:
    """What a piece of a source says, to look facts up in."""

    def __init__(self, text: str) -> None:
        found = facts(text)
        self._text = _plain(text)
        self._dates = {fact.value for fact in found if fact.kind == "date"}
        self._versions = {fact.value for fact in found if fact.kind == "version"}
        self._numbers = set(_numbers_in(text, found))
        self._words = {stem(word) for word in re.findall(r"[^\W_]+", self._text)}

    def has(self, fact: Fact) -> bool:
        """Whether a fact of a claim stands here."""
        if fact.kind == "date":
            return any(_same_date(fact.value, date) for date in self._dates)
        if fact.kind == "version":
            return fact.value in self._versions or self._has_text(str(fact.value[0]))
        if fact.kind == "number":
            return any(_same_number(fact.value, number) for number in self._numbers)
        if fact.kind == "identifier":
            return self._has_text(str(fact.value[0]))
        return all(stem(word) in self._words for word in str(fact.value[0]).split("-"))

    def missing(self, wanted: Iterable[Fact]) -> list[Fact]:
        """Return the facts that do not stand here."""
        return [fact for fact in wanted if not self.has(fact)]

    def _has_text(self, text: str) -> bool:
        """Whether a text stands here whole: `flow.Trigger` does in `core.flow.Trigger`."""
        place = self._text.find(text)
        while place != -1:
            before = self._text[place - 1 : place]
            after = self._text[place + len(text) : place + len(text) + 2]
            grows = bool(re.match(r"\w|[.,]\d|-\d", after))
            if not re.match(r"[\w-]", before) and not (before == "." and text[0].isdigit()):
                plural = after[:1] == "s" and not re.match(r"\w", after[1:])
                if not grows or plural:
                    return True
            place = self._text.find(text, place + 1)
        return False


def _numbers_in(text: str, found: Iterable[Fact]) -> Iterator[tuple[object, ...]]:
    """Yield a source's numbers, and what stands for a number: `a minute`, a year in a date."""
    for fact in found:
        if fact.kind == "number":
            yield fact.value
        elif fact.kind == "date":
            parts = [Decimal(str(part)) for part in fact.value if part]
            yield from (("", part, part, False) for part in parts)
        elif fact.kind == "version" and str(fact.value[0]).count(".") == 1:
            number = Decimal(str(fact.value[0]))
            yield "", number, number, False
        elif fact.kind == "identifier":  # in code or in a name: WebGL 2, `timeout: 30`
            yield from (_number(match) for match in _NUMBER.finditer(fact.text.strip("`")))
    for match in _EACH.finditer(text):
        dimension, size = _UNITS[match[1].lower()]
        yield dimension, size, Decimal(1), True
    if re.search(r"\bone\b", text, re.IGNORECASE):
        yield "", Decimal(1), Decimal(1), False


def _same_number(claimed: tuple[object, ...], known: tuple[object, ...]) -> bool:
    """Whether two numbers are the same; where one stands bare, as they are written.

    `timeout: 30` may be 30 seconds; 24 nodes are not 24 MB.
    """
    if claimed[0] == known[0]:
        return claimed[1] == known[1]
    bare = (not claimed[0] and not claimed[3]) or (not known[0] and not known[3])
    return claimed[2] == known[2] and bare and claimed[0] not in _MONEY


def _same_date(claimed: tuple[object, ...], known: tuple[object, ...]) -> bool:
    return all(not said or said == there for said, there in zip(claimed, known, strict=True))
