"""Cells of every kind that people write, drawn at random, and what the reference reads them as."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.core.cells import BLANKS, Reading, find_conventions, read_cell, show_text
from pipeline.core.columns import Column
from pipeline.core.datasets import GREEN_TAXIS
from tests.support.files import GREEN, csv_bytes, trip

TAG = "tolls_amount"
"""The column that holds the number of a row, in cents."""

COLUMNS = {
    column.name: column for column in GREEN_TAXIS.columns if column.name != TAG and not column.fee
}
_AMOUNT = COLUMNS["fare_amount"]
_WORDS = [
    "NULL",
    "null",
    "NaN",
    "nan",
    "NA",
    "N/A",
    "n/a",
    "None",
    "nil",
    "\\N",
    "-",
    "--",
    "?",
    "NaT",
    "#N/A",
    "<NA>",
    "missing",
    "inf",
    "-inf",
    "Infinity",
    "infinity",
    "epoch",
    "now",
    "today",
    "true",
    "false",
    "TRUE",
    "Yes",
    "no",
    "Y",
    "N",
    "y",
    "n",
    "T",
    "f",
    "0",
    "1",
    "1.0",
    "0.0",
    "X",
    "*",
    "one",
    "0x1F",
    "1e5",
    "1e-7",
    "1E2",
    "1e2.",
    "1.5e-1.",
    "1e2.5",
    "1e400",
    "1e-400",
    "1_000",
    "1__0",
    "_1",
    "1_",
    "٣",
    "²",
    "名",
    "8€",
    "$8",
    "-$8.00",
    "$-1",
    "$",
    "(8.00)",
    "8-",
    "+-1",
    "--1",
    ".",
    "+",
    "-0",
    "2020",
    "1585728300",
    "1585728300000",
    "43922.33",
    "20200401",
    "20200401080500",
    "1.7.2020",
    "12:05",
    "12:05:00",
    "9999999.99",
    "9999999.994999999",
    "9999999.995",
    "-9999999.995",
    "32767",
    "32768",
    "-32768",
    "-32769",
    "40000",
    "1.00004",
    "1.0000000004",
    "0.005",
    "-0.005",
    "1.005",
    "99999.9999",
    "100000",
    "000000000001",
    "1.0049999999",
]
_CONTROLS = ["\0", "\x1b[31m", "\t", "\x7f", "\ufeff", "\u2028", "\ufffd", '"', ",", ";", "\u00a0"]
_BEHIND = [*[""] * 12, " ", "x", " x", "Z", " UTC", "-04:00", " -0400", "+05:30", " EDT", " GMT-4"]
_BEHIND += [
    " America/New_York",
    "[America/New_York]",
    " Am",
    " AMX",
    " Nowhere/City",
    "+99:00",
    "!",
]
_MONTHS = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
    "April",
    "june",
    "DECEMBER",
    "Mai",
    "Foo",
]


@dataclass(frozen=True)
class DrawnCell:
    """A drawn cell in a row that is plain otherwise; `number` is the row's, from 0."""

    number: int
    column: Column
    text: str


def draw_cells(rng: random.Random, count: int) -> list[DrawnCell]:
    """Return cells of one file, which keeps to a way of writing dates and numbers, or to none."""
    style = rng.choice(["month", "day", "any"]), rng.choice([".", ",", ".,"])
    return [
        DrawnCell(number, (column := rng.choice(list(COLUMNS.values()))), _draw(rng, column, style))
        for number in range(count)
    ]


def cells_csv(cells: Iterable[DrawnCell]) -> bytes:
    """Return a csv with a row for each cell."""
    return csv_bytes(
        GREEN,
        (
            trip(GREEN) | {TAG: f"{cell.number / 100:.2f}", cell.column.name: cell.text}
            for cell in cells
        ),
    )


def read_by_reference(cells: list[DrawnCell]) -> list[Reading]:
    """Return how the reference reads the cells of a file."""
    plain = trip(GREEN)
    texts = [(cell.column, cell.text) for cell in cells]
    texts += [(COLUMNS[name], str(value)) for name, value in plain.items() if name in COLUMNS]
    conventions = find_conventions([*texts, (_AMOUNT, "0.01")])
    return [read_cell(cell.column, cell.text, conventions) for cell in cells]


def expected_reason(cell: DrawnCell, reading: Reading) -> str:
    """Return the reason of a reject."""
    return f"{cell.column.name}: {show_text(cell.text.strip(BLANKS))} {reading.reason}"


def count_notes(cells: list[DrawnCell], readings: list[Reading]) -> Counter[tuple[str, str]]:
    """Return the number of cells of each column and kind of note."""
    return Counter(
        (cell.column.name, note)
        for cell, reading in zip(cells, readings, strict=True)
        for note in reading.notes
    )


def _draw(rng: random.Random, column: Column, style: tuple[str, str]) -> str:
    kind = rng.random()
    if kind < 0.1:
        text = rng.choice(_WORDS)
    elif kind < 0.15:
        text = "".join(rng.choices("0123456789-+./:, eEaAmMpPTZ$_", k=rng.randint(1, 12)))
    elif kind < 0.2:
        text = draw_number(rng, style[1]) + rng.choice(_CONTROLS)
    elif column.type == "TIMESTAMP" or kind < 0.25:
        text = draw_time(rng, style[0])
    elif column.type == "STRING":
        text = rng.choice(["Y", "N", "y", "NO", "True", "f", "1", "0", "x" * rng.randint(1, 110)])
    else:
        text = draw_number(rng, style[1])
    if rng.random() < 0.05:
        text = rng.choice([" ", "\t", "\u00a0", ""]) + text + rng.choice(["  ", "\t", "\ufeff"])
    return text


def draw_time(rng: random.Random, order: str) -> str:
    """Return a text that is a time, or nearly so."""
    year = f"{rng.choice([rng.randint(2008, 2041), rng.randint(1, 9999), 20, 1899, 1900]):0>4}"
    if rng.random() < 0.05:
        year = rng.choice([year[2:], "0" + year, year.lstrip("0"), "12020"])
    month, day = rng.randint(1, 12), rng.randint(1, 29)
    if rng.random() < 0.04:
        month, day = rng.randint(0, 14), rng.randint(0, 35)
    width = rng.choice([1, 2])
    m, d = f"{month:0>{width}}", f"{day:0>{width}}"
    mark = rng.choice("-/.-/-/-/-/ ")
    way = rng.random()
    if way < 0.45:
        date = f"{year}{mark}{m}{mark}{d}"
    elif way < 0.75:
        first = order == "month" or (order == "any" and rng.random() < 0.5)
        date = mark.join([m, d, year] if first else [d, m, year])
    elif way < 0.8:
        date = f"{year}{month:02}{day:02}"
    else:
        name = rng.choice(_MONTHS)
        date = rng.choice(
            [f"{d}{mark}{name}{mark}{year}", f"{d}{name}{year}", f"{name} {d}, {year}",
             f"{year}-{name}-{d}", f"Wed, {d} {name} {year}"]
        )  # fmt: skip
    hour, minute, second = rng.randint(0, 25), rng.randint(0, 61), rng.randint(0, 61)
    if rng.random() < 0.9:
        hour, minute, second = hour % 24, minute % 60, second % 60
    clock = rng.choice(
        [f"{hour:02}:{minute:02}:{second:02}"] * 4
        + [f"{hour}:{minute:02}", f"{hour}:{minute}:{second}", f"{hour:02}{minute:02}{second:02}",
           f"{hour:02}:{minute:02}:{second:02}{rng.choice('.,')}{rng.randint(0, 10**9)}"]
    )  # fmt: skip
    between = rng.choice([" "] * 12 + ["T", "t", "  ", ", ", "", ":", "_"])
    half = rng.choice([""] * 8 + [" AM", " PM", "pm", " a.m.", " P.M.", "\u202fPM", " A", " Ma"])
    return date + between + clock + half + rng.choice(_BEHIND)


def draw_number(rng: random.Random, marks: str) -> str:
    """Return a text that is a number, or nearly so, of at most 18 digits."""
    whole = str(rng.randint(0, 10 ** rng.choice([1, 1, 2, 2, 3, 4, 5, 7, 8])))
    decimals = "".join(rng.choices("0005123456789", k=rng.choice([0, 1, 2, 2, 2, 3, 4, 9, 10])))
    mark = rng.choice(marks)
    if rng.random() < 0.2:
        group = {",": ".", ".": ","}[mark] if rng.random() < 0.7 else rng.choice(" '’_,.")
        size = 3 if rng.random() < 0.9 else 2
        parts = [whole[max(0, n - size) : n] for n in range(len(whole), 0, -size)]
        whole = group.join(reversed(parts))
    text = whole + (mark + decimals if decimals or rng.random() < 0.05 else "")
    if rng.random() < 0.05:
        text += rng.choice("eE") + rng.choice(["", "+", "-"]) + str(rng.randint(0, 12))
    return rng.choice(["", "", "", "-", "+", "$", "-$", "$ "]) + text
