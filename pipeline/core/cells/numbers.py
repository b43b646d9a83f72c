"""Reads whole numbers and amounts."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal

from pipeline.core.cells.reading import Conventions, DecimalMark, Note, Rejected

SMALLEST_CODE, LARGEST_CODE = -32_768, 32_767  # DuckDB's SMALLINT
LARGEST_AMOUNT = Decimal("9999999.99")  # DuckDB's DECIMAL(9,2)

# The engines read numbers with nine decimals before they round to two.
_NINE_DECIMALS, _CENT = Decimal("1e-9"), Decimal("0.01")
_EXACT = Context(prec=400)

# Digits may be grouped by underscores, as in SQL and Python: DuckDB reads them so, too.
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
# It also reads a point at the end, which means nothing: 5. and 1e2. are 5 and 100.
_PLAIN = re.compile(
    rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?[0-9](?:_?[0-9]){{0,8}}\.?)?"
)
# Digits in groups of three, or with a comma, or both: 1,234.50  1.234,50  1 234,50  1'234.50  4,50
_GROUPED = re.compile(
    r"([+-]?)([0-9]{1,3}(?:([,.'’ \u00a0\u2009\u202f])[0-9]{3})(?:\3[0-9]{3})*)(?:([.,])([0-9]+))?"
)
_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")
# One mark and three digits behind it may be either: 1,234 is 1234 or 1.234.
_EITHER = re.compile(r"[+-]?[1-9][0-9]{0,2}([,.])[0-9]{3}")
_DOLLARS = re.compile(r"^([+-]?)\$\s?([+-]?)(?=[0-9.])")


def decimal_mark_of(text: str) -> DecimalMark | None:
    """Return the decimal mark that a number certainly has, or None where it does not tell."""
    text = _DOLLARS.sub(r"\1\2", text)
    if _EITHER.fullmatch(text):
        return None
    if _PLAIN.fullmatch(text):
        return "point" if "." in text else None
    grouped = _GROUPED.fullmatch(text)
    if grouped:
        separator, mark = grouped[3], grouped[4]
        if mark and mark != separator:
            return "point" if mark == "." else "comma"
        if not mark and separator in ",.":
            return "point" if separator == "," else "comma"  # 1,234,567
        return None
    return "comma" if _COMMA.fullmatch(text) else None


def read_code(text: str, conventions: Conventions) -> tuple[int, tuple[Note, ...]]:
    """Return a whole number; raise Rejected for one with a fraction or beyond what is stored."""
    number, notes = _read_number(text, conventions, dollars=False)
    if number != number.to_integral_value():
        raise Rejected("is not a whole number")
    if not SMALLEST_CODE <= number <= LARGEST_CODE:
        raise Rejected(f"is not within {SMALLEST_CODE} and {LARGEST_CODE}")
    return int(number), notes


def read_amount(
    text: str, conventions: Conventions, *, dollars: bool
) -> tuple[Decimal, tuple[Note, ...], bool]:
    """Return an amount with two decimals, and whether it was rounded for that.

    Raises Rejected.
    """
    number, notes = _read_number(text, conventions, dollars)
    amount = number.quantize(_CENT, ROUND_HALF_UP, _EXACT)
    if abs(amount) > LARGEST_AMOUNT:
        raise Rejected(f"is beyond {LARGEST_AMOUNT:,}")
    return abs(amount) if amount == 0 else amount, notes, amount != number


def _read_number(
    text: str, conventions: Conventions, dollars: bool
) -> tuple[Decimal, tuple[Note, ...]]:
    if dollars:
        text = _DOLLARS.sub(r"\1\2", text)
    notes: tuple[Note, ...] = ()
    either = _EITHER.fullmatch(text)
    mark = conventions.decimal_mark
    if either and mark == "both":
        raise Rejected("has a mark on whose meaning the numbers of the file disagree")
    if either and mark is None and either[1] == ",":
        raise Rejected(
            "has a mark for thousands or decimals, and no other number of the file shows which"
        )
    if _PLAIN.fullmatch(text) and not (either and mark == "comma"):
        digits = text.replace("_", "").removesuffix(".")
    elif either and either[1] == "," and mark == "comma":
        digits, notes = text.replace(",", "."), ("decimal comma",)
    else:
        digits, notes = _read_separators(text)
    number = Decimal(digits)
    if number and number.adjusted() > 9:
        raise Rejected("is too large")
    if not number or number.adjusted() < -11:
        return Decimal(0), notes
    return number.quantize(_NINE_DECIMALS, ROUND_HALF_UP, _EXACT), notes


def _read_separators(text: str) -> tuple[str, tuple[Note, ...]]:
    """Return the digits of a number with a decimal comma or thousands separators, with a point."""
    grouped = _GROUPED.fullmatch(text)
    # A zero is never followed by a separator of thousands: 0,123 has a decimal comma.
    if grouped and not grouped[2].startswith("0"):
        sign, whole, separator, mark, decimals = grouped.groups()
        if mark != separator:
            digits = f"{sign}{whole.replace(separator, '')}.{decimals or '0'}"
            comma: tuple[Note, ...] = ("decimal comma",) if mark == "," else ()
            return digits, ("thousands separators", *comma)
    if _COMMA.fullmatch(text):
        return text.replace(",", "."), ("decimal comma",)
    raise Rejected("is not a number")
