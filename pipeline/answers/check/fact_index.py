"""Compare the facts of a claim with those of a source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from pipeline.answers.check.dates import Clock, Date, DateRelation, is_earlier, is_same_clock
from pipeline.answers.check.facts import Fact, find_facts, fold
from pipeline.answers.check.names import has_name
from pipeline.answers.check.numbers import read_numbers
from pipeline.answers.check.quantities import Quantity, read_quantity, supports
from pipeline.answers.check.units import UNIT, UNITS
from pipeline.answers.check.vocabulary import read_lines
from pipeline.answers.documents.tokens import stem

_EACH = re.compile(rf"\b(?:a|an|per|every|each)\s+({UNIT})(?!\w)", re.IGNORECASE)

# The postal codes of the states in whose name a word is: NY and three others for "new".
_STATE_CODES: dict[str, set[str]] = {}
for _code, *_words in (line.split() for line in read_lines("states.txt")):
    for _word in _words:
        _STATE_CODES.setdefault(_word.lower(), set()).add(_code)


# What a source may say of a date for a claim to say it plainly.
_SAID_ALIKE = {"": ("", "by", "since", "until"), "by": ("", "by", "until")}


class FactIndex:
    """The facts of a source, indexed for comparison with those of a claim."""

    def __init__(self, *texts: str) -> None:
        facts = [(text, find_facts(text)) for text in texts]
        self._text = fold("\n".join(texts))
        dates = [
            [(fact.value, fact.relation) for fact in part if isinstance(fact.value, Date)]
            for _, part in facts
        ]
        self._dates = {stated for part in dates for stated in part}
        own = dates[0] if dates else []
        self._own_dates = {date for date, said in own if said in ("", "since", "until")}
        self._clocks = {f.value for _, part in facts for f in part if isinstance(f.value, Clock)}
        self._plain = {
            (fact.kind, fact.value)
            for _, part in facts
            for fact in part
            if fact.kind in ("version", "weekday", "ordinal", "score")
        }
        self._quantities = {q for text, part in facts for q in _quantities_of(text, part)}
        self._state_codes = {
            code for part in texts for code in re.findall(r"(?<![\w.])[A-Z]{2}(?!\w)", part)
        }
        self._words = {stem(word) for word in re.findall(r"[^\W_]+", self._text)}

    def has(self, fact: Fact) -> bool:
        """Return whether the source states or supports a fact of a claim."""
        value = fact.value
        if isinstance(value, Date):
            return self._has_date(value, fact.relation)
        if isinstance(value, Clock):
            return any(is_same_clock(value, clock) for clock in self._clocks)
        if isinstance(value, Quantity):
            return supports(value, self._quantities)
        if fact.kind == "weekday":
            return ("weekday", value) in self._plain or any(
                date.weekday == value for date, _ in self._dates
            )
        if fact.kind in ("version", "identifier"):
            text = str(value)
            return (
                (fact.kind, text) in self._plain
                or self._has_text(text)
                or (fact.kind == "identifier" and has_name(text, self._words, self._text))
            )
        if fact.kind == "name":
            is_state = bool(_STATE_CODES.get(str(value), set()) & self._state_codes)
            return is_state or has_name(str(value), self._words, self._text)
        return (fact.kind, value) in self._plain or (
            fact.kind == "ordinal" and any(date.day == value for date, _ in self._dates)
        )

    def _has_date(self, value: Date, relation: DateRelation) -> bool:
        """Return whether the dates of the source support one like "before 1960"."""
        if any(
            _is_same_date(value, date) and known in _SAID_ALIKE.get(relation, ("", relation))
            for date, known in self._dates
        ):
            return relation not in ("before", "after") or (value, relation) in self._dates
        dates = self._own_dates
        if relation == "decade":
            return any(value.year <= date.year < value.year + 10 for date in dates)
        if relation in ("before", "by"):
            return bool(dates) and all(is_earlier(date, value) for date in dates)
        if relation == "after":
            return bool(dates) and all(is_earlier(value, date) for date in dates)
        return (
            value.year > 0
            and not value.month
            and not any(_is_same_date(value, date) for date, _ in self._dates)
            and any(q.written == value.year and not q.dimension for q in self._quantities)
        )

    def missing(self, facts: Iterable[Fact]) -> list[Fact]:
        """Return the facts that the source does not state."""
        return [fact for fact in facts if not self.has(fact)]

    def _has_text(self, text: str) -> bool:
        """Return whether a text stands here whole, as `flow.Trigger` in `core.flow.Trigger`."""
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


def _quantities_of(text: str, facts: Iterable[Fact]) -> Iterator[Quantity]:
    """Yield the quantities of a text, including `a minute` and the years of dates."""
    for fact in facts:
        if isinstance(fact.value, Quantity):
            yield fact.value
        elif isinstance(fact.value, Date):
            year = Decimal(fact.value.year)
            if year:
                yield Quantity("", year, year, False, is_of_date=True)
        elif fact.kind == "version" and str(fact.value).count(".") == 1:
            number = Decimal(str(fact.value))
            yield Quantity("", number, number, False)
        elif fact.kind == "identifier":  # in code or in a name: WebGL 2, `timeout: 30`
            code = fact.text.strip("`")
            yield from (read_quantity(number, code) for number in read_numbers(code))
    for match in _EACH.finditer(text):
        dimension, size = UNITS[match[1].lower()]
        yield Quantity(dimension, size, Decimal(1), True)
    if re.search(r"\bone\b", text, re.IGNORECASE):
        yield Quantity("", Decimal(1), Decimal(1), False)


def _is_same_date(claimed: Date, stated: Date) -> bool:
    return all(not part or part == other for part, other in zip(claimed, stated, strict=True))
