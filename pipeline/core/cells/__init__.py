"""The grammar of cells: maps the text of a cell to its value or to a reject. Does no I/O.

docs/loading.md describes the grammar. A cell is read as a value, read as NULL, or rejected with a
reason. Nothing is guessed: where a text has two readings, the other cells of the file must exclude
one of them (`Conventions`), or the cell is rejected.

A parquet value is read by the text that DuckDB prints for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TypeVar

from pipeline.core.cells.numbers import decimal_mark_of, read_amount, read_code
from pipeline.core.cells.reading import (
    BLANKS,
    Conventions,
    DateOrder,
    DecimalMark,
    Note,
    Rejected,
    Value,
)
from pipeline.core.cells.times import date_order_of, read_time
from pipeline.core.cells.words import NOTHING, read_flag, read_text
from pipeline.core.columns import Column

__all__ = ["BLANKS", "Conventions", "Note", "Reading", "find_conventions", "read_cell", "show_text"]

_Told = TypeVar("_Told", DateOrder, DecimalMark)

_SHOWN = 60  # characters of a cell that a message shows


@dataclass(frozen=True, slots=True)
class Reading:
    """How one cell is read.

    Attributes:
        value: What is stored; None for NULL, and for a rejected cell.
        reason: Why the cell is rejected, as the rest of a sentence; "" when it is read.
        notes: What people should know about how it was read.
        zone: The time zone that the text names, as it spells it; "" for none.
        rounded: Whether an amount of more than two decimals was rounded.
    """

    value: Value = None
    reason: str = ""
    notes: tuple[Note, ...] = ()
    zone: str = ""
    rounded: bool = False


def find_conventions(cells: Iterable[tuple[Column, str]]) -> Conventions:
    """Return what the cells of a file say, all together, about how dates and numbers are written.

    A cell that is rejected in its own column tells nothing.

    Args:
        cells: The cells of its columns of times and numbers, or those that may tell something.
    """
    orders: dict[DateOrder, str] = {}
    marks: dict[DecimalMark, str] = {}
    order_of = lru_cache(4096)(date_order_of)  # of the date and the hour, of which there are few
    for column, text in cells:
        if column.type == "TIMESTAMP":
            if order := order_of(text.partition(":")[0].strip(BLANKS)):
                _keep_first(orders, order, column, text, Conventions(date_order=order))
        elif column.type != "STRING" and (mark := decimal_mark_of(text.strip(BLANKS))):
            _keep_first(marks, mark, column, text, Conventions(decimal_mark=mark))
    return Conventions(
        "both" if len(orders) > 1 else next(iter(orders), None),
        "both" if len(marks) > 1 else next(iter(marks), None),
        next(iter(orders.values())).partition(" ")[0] if len(orders) == 1 else "",
        next(iter(marks.values())) if len(marks) == 1 else "",
    )


def _keep_first(
    examples: dict[_Told, str],
    convention: _Told,
    column: Column,
    text: str,
    conventions: Conventions,
) -> None:
    """Keep the alphabetically first text that tells something, if it can be read by it."""
    cell = text.strip(BLANKS)
    if convention in examples and examples[convention] <= cell:
        return
    if not read_cell(column, cell, conventions).reason:
        examples[convention] = cell


def read_cell(column: Column, text: str, conventions: Conventions) -> Reading:
    """Return how a cell of a column is read.

    Args:
        text: The cell without the quotes of the csv format.
        conventions: Those of the cell's file.
    """
    text = text.strip(BLANKS)
    if not text:
        return Reading()
    if text.lower() in NOTHING:
        return Reading(notes=("nothing",))
    try:
        match column.type:
            case "TIMESTAMP":
                moment, notes, zone = read_time(text, conventions)
                return Reading(moment, notes=notes, zone=zone)
            case "INT64":
                code, notes = read_code(text, conventions)
                return Reading(code, notes=notes)
            case "NUMERIC":
                amount, notes, rounded = read_amount(text, conventions, dollars=not column.miles)
                return Reading(amount, notes=notes, rounded=rounded)
            case "STRING":
                if column.flag:
                    word, notes = read_flag(text)
                    return Reading(word, notes=notes)
                return Reading(read_text(text))
    except Rejected as rejected:
        return Reading(reason=rejected.reason)


def canonical_text(value: int | Decimal | datetime | str) -> str:
    """Return the text of a value that every engine reads as this value."""
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def show_text(text: str) -> str:
    """Return a cell's text for a message: quoted, shortened, control characters escaped."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return '"{}"'.format("".join(c if c.isprintable() else _escape(c) for c in cut))


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
