"""Which partitions a query cannot skip, by comparisons of the partition's column with constants.

A condition is evaluated for a whole partition: may it be true for some value in it, and may it be
false? What is not understood may be both, so that a partition is never skipped by mistake.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from sqlglot import exp

from pipeline.warehouse import Parameters

if TYPE_CHECKING:
    from pipeline.warehouse.scan.references import TableReference


@dataclass(frozen=True)
class Partition:
    """The days that a partition holds, first and last included."""

    first: date
    last: date

    @classmethod
    def around(cls, day: date, part: Literal["DAY", "MONTH"]) -> Partition:
        """Return the partition that a day belongs to."""
        if part == "DAY":
            return cls(day, day)
        last = calendar.monthrange(day.year, day.month)[1]
        return cls(day.replace(day=1), day.replace(day=last))


@dataclass(frozen=True)
class Constants:
    """Values of what is constant while a query runs.

    Attributes:
        parameters: Values of @parameters by name.
        now: The time in UTC, or None where it is left unknown.
    """

    parameters: Parameters
    now: datetime | None = None


class _Possible(NamedTuple):
    """Whether a condition may be true, and may be false, for some row of a partition."""

    true: bool
    false: bool


_UNKNOWN = _Possible(True, True)
_NULL = _Possible(False, False)


class _Range(NamedTuple):
    """The least and the greatest value that an expression may have in a partition."""

    low: datetime
    high: datetime


def may_match(
    reference: TableReference, column: str, partition: Partition | None, constants: Constants
) -> bool:
    """Return whether rows of a partition may meet the conditions on a reference of its table.

    Args:
        column: The column that the table is partitioned by.
        partition: None for the rows where that column is NULL.
    """
    reading = _Reading(reference.alias, column, partition, constants)
    if not all(reading.evaluate(condition).true for condition in reference.conditions):
        return False
    null = _Reading(reference.alias, column, None, constants)
    return all(
        reading.evaluate(condition).true or null.evaluate(condition).true
        for condition in reference.outer_conditions
    )


def unclear_filters(reference: TableReference, column: str, constants: Constants) -> Iterator[str]:
    """Yield the conditions on a partition's column that cannot be told to skip any, as SQL."""
    anywhere = _Reading(reference.alias, column, Partition(date.min, date.max), constants)
    for condition in (*reference.conditions, *reference.outer_conditions):
        for part in _leaves(condition):
            if anywhere.mentions(part) and not anywhere.is_clear(part):
                yield part.sql(reference.dialect)


def _leaves(condition: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(condition, exp.And | exp.Or | exp.Not | exp.Paren):
        for child in condition.iter_expressions():
            yield from _leaves(child)
    else:
        yield condition


@dataclass(frozen=True)
class _Reading:
    """One partition, of which conditions are read."""

    alias: str
    column: str
    partition: Partition | None
    constants: Constants

    def mentions(self, node: exp.Expr) -> bool:
        return any(self._is_column(column) for column in node.find_all(exp.Column))

    def is_clear(self, node: exp.Expr) -> bool:
        """Return whether a condition without AND, OR and NOT says which partitions it is about."""
        if isinstance(node, exp.Is):
            return self._is_column(node.this) and isinstance(node.expression, exp.Null)
        if isinstance(node, exp.Between):
            parts = [node.this, node.args["low"], node.args["high"]]
            return not node.args.get("symmetric") and all(map(self._range, parts))
        if isinstance(node, exp.In):
            members = node.expressions
            return bool(members) and all(map(self._range, [node.this, *members]))
        if isinstance(node, tuple(_COMPARISONS)):
            return all(map(self._range, [node.this, node.expression]))
        return False

    def evaluate(self, node: exp.Expr) -> _Possible:
        if isinstance(node, exp.Paren):
            return self.evaluate(node.this)
        if isinstance(node, exp.Boolean):
            return _Possible(bool(node.this), not node.this)
        if isinstance(node, exp.Not):
            inner = self.evaluate(node.this)
            return _Possible(inner.false, inner.true)
        if isinstance(node, exp.And | exp.Or):
            left, right = self.evaluate(node.left), self.evaluate(node.right)
            if isinstance(node, exp.And):
                return _Possible(left.true and right.true, left.false or right.false)
            return _Possible(left.true or right.true, left.false and right.false)
        if not self.mentions(node) or not self.is_clear(node):
            return _UNKNOWN
        if isinstance(node, exp.Is):
            return _Possible(self.partition is None, self.partition is not None)
        return _NULL if self.partition is None else self._compare(node)

    def _compare(self, node: exp.Expr) -> _Possible:
        value = self._range(node.this)
        assert value is not None
        if isinstance(node, exp.Between):
            low, high = self._range(node.args["low"]), self._range(node.args["high"])
            assert low is not None
            assert high is not None
            above, below = _is_less(low, value, equal=True), _is_less(value, high, equal=True)
            return _Possible(above.true and below.true, above.false or below.false)
        if isinstance(node, exp.In):
            members = [member for each in node.expressions if (member := self._range(each))]
            tests = [_is_equal(value, member) for member in members]
            return _Possible(any(t.true for t in tests), all(t.false for t in tests))
        other = self._range(node.expression)
        assert other is not None
        return _COMPARISONS[type(node)](value, other)

    def _range(self, node: exp.Expr) -> _Range | None:
        """Return the values that an operand may have in the partition, None where unknown."""
        days = self.partition or Partition(date.min, date.max)
        if self._is_column(node):
            return _Range(
                datetime.combine(days.first, time.min), datetime.combine(days.last, time.max)
            )
        if _is_date(node) and self._is_column(node.this):
            return _Range(_midnight(days.first), _midnight(days.last))
        value = constant(node, self.constants)
        return None if value is None else _Range(value, value)

    def _is_column(self, node: exp.Expr) -> bool:
        return (
            isinstance(node, exp.Column)
            and node.name.casefold() == self.column.casefold()
            and node.table.casefold() == self.alias.casefold()
        )


def _is_less(left: _Range, right: _Range, *, equal: bool = False) -> _Possible:
    if equal:
        return _Possible(left.low <= right.high, left.high > right.low)
    return _Possible(left.low < right.high, left.high >= right.low)


def _is_equal(left: _Range, right: _Range) -> _Possible:
    meets = left.low <= right.high and right.low <= left.high
    return _Possible(meets, not left.low == left.high == right.low == right.high)


def _is_unequal(left: _Range, right: _Range) -> _Possible:
    return _Possible(*reversed(_is_equal(left, right)))


_COMPARISONS: dict[type[exp.Expr], Callable[[_Range, _Range], _Possible]] = {
    exp.LT: _is_less,
    exp.LTE: lambda left, right: _is_less(left, right, equal=True),
    exp.GT: lambda left, right: _is_less(right, left),
    exp.GTE: lambda left, right: _is_less(right, left, equal=True),
    exp.EQ: _is_equal,
    exp.NEQ: _is_unequal,
}

_TIMES = ("timestamp", "timestamptz", "timestampntz", "timestampltz", "datetime")
_SHIFTS: dict[type[exp.Expr], int] = {
    exp.DateAdd: 1,
    exp.TimestampAdd: 1,
    exp.DatetimeAdd: 1,
    exp.DateSub: -1,
    exp.TimestampSub: -1,
    exp.DatetimeSub: -1,
}


def constant(node: exp.Expr, constants: Constants) -> datetime | None:
    """Return the time that a constant expression stands for, None where it cannot be told.

    Dates are their midnights, and texts are read as BigQuery reads them beside a time.
    """
    inner = node.this
    if isinstance(node, exp.Paren):
        return constant(inner, constants)
    if isinstance(node, exp.Literal):
        return _parse(node.name) if node.is_string else None
    if isinstance(node, exp.Parameter | exp.Placeholder):
        name = inner if isinstance(inner, str) else getattr(inner, "name", "")
        return _value(constants.parameters.get(name))
    if isinstance(node, exp.CurrentDate | exp.CurrentTimestamp | exp.CurrentDatetime):
        if constants.now is None or inner is not None:
            return None
        return _midnight(constants.now) if isinstance(node, exp.CurrentDate) else constants.now
    if isinstance(node, exp.DateFromParts):
        return _date_of(node)
    if isinstance(node, tuple(_SHIFTS)):
        return _shift(node, node.expression, node.args.get("unit"), _SHIFTS[type(node)], constants)
    if isinstance(node, exp.Add | exp.Sub) and isinstance(node.expression, exp.Interval):
        amount, sign = node.expression, 1 if isinstance(node, exp.Add) else -1
        return _shift(node, amount.this, amount.args.get("unit"), sign, constants)
    if _is_date(node):
        value = constant(inner, constants)
        return None if value is None else _midnight(value)
    if _is_time(node):
        return constant(inner, constants)
    return None


def _is_date(node: exp.Expr) -> bool:
    """Return whether a node makes a date of its only argument."""
    if isinstance(node, exp.Cast):
        return node.to.is_type("date")
    alone = not node.args.get("zone") and not node.args.get("expressions")
    return isinstance(node, exp.Date | exp.TsOrDsToDate) and node.this is not None and alone


def _is_time(node: exp.Expr) -> bool:
    """Return whether a node makes a time of its only argument."""
    if isinstance(node, exp.Cast):
        return node.to.is_type(*_TIMES) and not node.args.get("format")
    return isinstance(node, exp.Timestamp) and node.this is not None and not node.args.get("zone")


def _date_of(node: exp.DateFromParts) -> datetime | None:
    try:
        year, month, day = (int(node.args[name].name) for name in ("year", "month", "day"))
        return datetime(year, month, day)
    except (KeyError, AttributeError, ValueError):
        return None


def _shift(
    node: exp.Expr, amount: exp.Expr, unit: exp.Expr | None, sign: int, constants: Constants
) -> datetime | None:
    value = constant(node.this, constants)
    try:
        number = sign * int(amount.name)
    except ValueError:
        return None
    name = unit.name.upper() if unit is not None else ""
    try:
        if value is None or name not in ("YEAR", "QUARTER", "MONTH"):
            step = timedelta(**{f"{name.lower()}s": number})
            return None if value is None else value + step
        months = number * {"YEAR": 12, "QUARTER": 3, "MONTH": 1}[name]
        year, month = divmod(value.year * 12 + value.month - 1 + months, 12)
        day = min(value.day, calendar.monthrange(year, month + 1)[1])
        return value.replace(year=year, month=month + 1, day=day)
    except (TypeError, ValueError, OverflowError):
        return None


def _parse(text: str) -> datetime | None:
    """Return the time that a text stands for, in UTC: `2024-01-31`, `2024-01-31 10:00:00+00`."""
    text = text.strip().removesuffix("UTC").strip()
    if len(text) < len("2024-01-31") or text[4] != "-" or text[7] != "-":
        return None
    try:
        return _value(datetime.fromisoformat(text))
    except ValueError:
        return None


def _value(value: object) -> datetime | None:
    """Return a parameter's value as a time in UTC without a zone, None for other types."""
    if isinstance(value, datetime):
        offset = value.utcoffset()
        return value.replace(tzinfo=None) - offset if offset else value.replace(tzinfo=None)
    if isinstance(value, date):
        return _midnight(value)
    return _parse(value) if isinstance(value, str) else None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)
