"""The grammar of cells: maps the text of a cell to its value or to a reject. Does no I/O.

docs/loading.md describes the grammar. A cell is read as a value, read as NULL, or rejected with a
reason. Nothing is guessed: where a text has two readings, the other cells of the file must exclude
one of them (`Conventions`), or the cell is rejected.

A parquet value is read by the text that DuckDB prints for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
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

_Told = TypeVar("_Told")

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


def find_conventions(times: Iterable[str], numbers: Iterable[str]) -> Conventions:
    """Return what the cells of a file say, all together, about how dates and numbers are written.

    Args:
        times: Cells of its TIMESTAMP columns, which may be cut behind the hour.
        numbers: Cells of its number columns.
    """
    orders: dict[DateOrder, str] = _telling(times, date_order_of)
    marks: dict[DecimalMark, str] = _telling(numbers, decimal_mark_of)
    return Conventions(
        "both" if len(orders) > 1 else next(iter(orders), None),
        "both" if len(marks) > 1 else next(iter(marks), None),
        next(iter(orders.values())).partition(" ")[0] if len(orders) == 1 else "",
        next(iter(marks.values())) if len(marks) == 1 else "",
    )


def _telling(texts: Iterable[str], tell: Callable[[str], _Told | None]) -> dict[_Told, str]:
    """Map each convention that the texts show to the alphabetically first text that shows it."""
    found: dict[_Told, str] = {}
    for text in texts:
        cell = text.strip(BLANKS)
        if told := tell(cell):
            found[told] = min(cell, found.get(told, cell))
    return found


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
