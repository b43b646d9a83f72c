"""The grammar of cells: what each text is read as, by the reference that both engines follow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.cells import Conventions, canonical_text, find_conventions, read_cell, show_text
from pipeline.core.cells.reading import DateOrder, DecimalMark
from pipeline.core.columns import Column
from pipeline.core.datasets import GREEN_TAXIS
from tests.support.examples import examples

ROOT = Path(__file__).parents[2]
COLUMNS = {column.name: column for column in GREEN_TAXIS.columns}
PICKUP, FARE = COLUMNS["lpep_pickup_datetime"], COLUMNS["fare_amount"]
MILES, CODE, FLAG = COLUMNS["trip_distance"], COLUMNS["VendorID"], COLUMNS["store_and_fwd_flag"]
MORNING, EVENING = datetime(2020, 4, 1, 8, 5), datetime(2020, 4, 1, 20, 5)


def conventions_of(times: Sequence[str] = (), numbers: Sequence[str] = ()) -> Conventions:
    """What a file with these times and amounts says about how both are written."""
    cells = [(PICKUP, text) for text in times] + [(FARE, text) for text in numbers]
    return find_conventions(cells)


@pytest.mark.parametrize(
    ("text", "moment", "notes", "zone"),
    [
        ("2020-04-01 08:05:00", MORNING, (), ""),
        ("2020-04-01T08:05:00", MORNING, (), ""),
        ("2020/04/01 08:05", MORNING, (), ""),
        ("2020.4.1 8:5:0", MORNING, (), ""),
        ("20200401T080500", MORNING, (), ""),
        ("20200401 0805", MORNING, (), ""),
        ("1-Apr-2020 08:05", MORNING, (), ""),
        ("01APR2020 08:05:00", MORNING, (), ""),
        ("April 1, 2020 08:05", MORNING, (), ""),
        ("2020-Apr-01 08:05", MORNING, (), ""),
        ("Apr  1 2020  8:05AM", MORNING, ("12-hour clock",), ""),  # SQL Server
        ("1.  Apr.  2020 08:05", MORNING, (), ""),
        ("Wed, 01 Apr 2020 08:05:00 -0400", MORNING, ("zone",), "-0400"),
        ("Wed Apr  1 08:05:00 2020", MORNING, (), ""),  # asctime
        ("Apr 1 08:05 PM 2020", EVENING, ("12-hour clock",), ""),
        ("Wed Apr 01 08:05:00 EDT 2020", MORNING, ("zone",), "EDT"),  # Java
        ("2020-04-01 08:05:00.000", MORNING, (), ""),
        ("2020-04-01 08:05:00,5", datetime(2020, 4, 1, 8, 5, 0, 500_000), (), ""),
        ("2020-04-01 08:05:00.1234567", datetime(2020, 4, 1, 8, 5, 0, 123_456), (), ""),
        ("2020-04-01 08:05:00 PM", EVENING, ("12-hour clock",), ""),
        ("2020-04-01 08:05:00pm", EVENING, ("12-hour clock",), ""),
        ("2020-04-01 8:05 P.M.", EVENING, ("12-hour clock",), ""),
        ("2020-04-01 8:05:00\u202fPM", EVENING, ("12-hour clock",), ""),
        ("2020-04-01 12:05:00 AM", datetime(2020, 4, 1, 0, 5), ("12-hour clock",), ""),
        ("2020-04-01 12:05:00 PM", datetime(2020, 4, 1, 12, 5), ("12-hour clock",), ""),
        ("4/13/2020 8:05", datetime(2020, 4, 13, 8, 5), ("month first",), ""),
        ("13.04.2020 08:05", datetime(2020, 4, 13, 8, 5), ("day first",), ""),
        ("4/4/2020 8:05", datetime(2020, 4, 4, 8, 5), (), ""),
        ("2020-04-01T08:05:00Z", MORNING, ("zone",), "Z"),
        ("2020-04-01 08:05:00-04:00", MORNING, ("zone",), "-04:00"),
        ("2020-04-01 08:05:00 UTC", MORNING, ("zone",), "UTC"),
        ("2020-04-01 08:05:00 America/New_York", MORNING, ("zone",), "America/New_York"),
        ("2020-04-01 8:05 PM EDT", EVENING, ("12-hour clock", "zone"), "EDT"),
        ("1900-01-01 00:00:00", datetime(1900, 1, 1), (), ""),
        ("9999-12-31 23:59:59", datetime(9999, 12, 31, 23, 59, 59), (), ""),
    ],
)
def test_time_is_wall_clock_as_written(
    text: str, moment: datetime, notes: tuple[str, ...], zone: str
) -> None:
    reading = read_cell(PICKUP, f" {text}\t", Conventions())
    assert (reading.value, reading.notes, reading.zone) == (moment, notes, zone)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("13/4/2020 8:00", "day first"),
        ("4/13/2020 8", None),
        ("13/4/2020", None),  # has no time of day, and so is rejected
        ("13/4/2020:08:00", None),
        ("31/2/2020 8:00", None),
        ("2/30/2020 8:00", None),
        ("13/4/1850 8:00", None),
        ("13/13/2020 8:00", None),
        ("4/4/2020 8:00", None),
        ("4/1/2020 8:00", None),
        ("13/4/2020 24:00:00", None),
        ("13/4/2020 8:00 Mars/Base", None),
    ],
)
def test_only_a_time_that_can_be_read_shows_the_order_of_dates(
    text: str, order: str | None
) -> None:
    assert conventions_of(times=[text]).date_order == order


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("4/1/20 0:05", "a year of two digits"),
        ("20-04-01 08:05:00", "a year of two digits"),
        ("1-Apr-20 08:05", "a year of two digits"),
        ("020-04-01 08:05:00", "a year of 3 digits"),
        ("0020-04-01 08:05:00", "before 1900"),
        ("1899-12-31 23:59:59", "before 1900"),
        ("10000-01-01 00:00:00", "not a time"),
        ("4/1/2020 8:05", "no other date of the file shows"),
        ("2020-02-30 08:05:00", "not a day of the calendar"),
        ("13/13/2020 08:05:00", "not a day of the calendar"),
        ("2020-04-01 24:00:00", "not a time of day"),
        ("2020-04-01 23:59:60", "not a time of day"),
        ("2020-04-01 13:05 PM", "12-hour clock"),
        ("2020-04-01 0:05 AM", "12-hour clock"),
        ("2020-04-01", "no time of day"),
        ("08:05:00", "not a time"),
        ("1585728300", "is a number"),
        ("43922.33", "is a number"),
        ("20200401080500", "is a number"),
        ("infinity", "not a time"),
        ("epoch", "not a time"),
        ("2020-04-01 08:05:00 x", "after the time"),
        ("2020-04-01 08:05:00 PMX", "after the time"),
        ("2020-04-01 08:05:00 Nowhere/City", "after the time"),
        ("2020-04-01 08:05:00 America/Nowhere", "after the time"),
        ("2020-04-01 08:05:00 UTC[America/Nowhere]", "after the time"),
        ("2020-04-01 08:05:00+14:30", "after the time"),
        ("2020-04-01 08:05:00-15:00", "after the time"),
        ("Mon, 01 Apr 2020 08:05:00", "2020-04-01 is a Wednesday"),
        ("Thursday Apr  1 08:05:00 2020", "2020-04-01 is a Wednesday"),
        ("Apr  1 08:05:00 20", "a year of two digits"),
        ("2020-04-01 2020", "without colons"),
        ("Apr 1 2020 2020", "without colons"),
        ("2020-04-001 08:05:00", "not a day of the calendar"),
        ("2020-Apr-001 08:05:00", "not a day of the calendar"),
        ("1 \u017fep 2020 08:05", "not a time"),
        ("\u017fun, 5 Apr 2020 08:05", "not a time"),
    ],
)
def test_unclear_time_is_rejected_with_reason(text: str, reason: str) -> None:
    reading = read_cell(PICKUP, text, Conventions())
    assert reading.value is None
    assert reason in reading.reason


def test_number_that_is_rejected_in_its_column_does_not_show_the_decimal_mark() -> None:
    cells = [(CODE, "192.168.001"), (CODE, "4,5"), (MILES, "$4,50"), (FARE, "99.999.999")]
    assert find_conventions(cells).decimal_mark is None
    assert find_conventions([*cells, (FARE, "1.234.567")]).decimal_mark == "comma"


@pytest.mark.parametrize("text", ["12$50", "1$2", "1.$5", "$$5", "-1$5"])
def test_dollar_sign_within_a_number_is_rejected(text: str) -> None:
    assert "not a number" in read_cell(FARE, text, Conventions()).reason


def test_conventions_name_the_cells_that_tell_them() -> None:
    conventions = conventions_of(
        ["4/1/2020 8:05", "4/30/2020 9:05", "4/13/2020 8:05"], ["1,234", "7", "12.50", "4.5"]
    )
    assert (conventions.date_order, conventions.telling_date) == ("month first", "4/13/2020")
    assert (conventions.decimal_mark, conventions.telling_number) == ("point", "12.50")
    assert conventions_of(["4/1/2020 8:05"], ["7"]) == Conventions()


def test_other_dates_of_file_tell_whether_month_is_first() -> None:
    def january_or_april(*others: str) -> object:
        conventions = conventions_of(["4/1/2020 08:05", *others])
        return read_cell(PICKUP, "4/1/2020 08:05", conventions).value

    assert january_or_april("4/13/2020 08:05", "2020-05-30 00:00:00") == MORNING
    assert january_or_april("13/4/2020 08:05") == datetime(2020, 1, 4, 8, 5)
    assert january_or_april("13/4/2020 08:05", "4/13/2020 08:05") is None
    assert january_or_april("99/99/2020 08:05", "4/4/2020 08:05") is None


def test_cell_that_a_file_writes_in_two_ways_is_rejected_with_this_reason() -> None:
    both = conventions_of(["4/13/2020 8:05", "13/4/2020 8:05"], ["4,50", "4.50"])
    assert both.telling_date == both.telling_number == ""
    assert "dates of the file disagree" in read_cell(PICKUP, "4/1/2020 08:05", both).reason
    for text in ("1,234", "1.234"):
        assert "numbers of the file disagree" in read_cell(FARE, text, both).reason
    assert read_cell(FARE, "4,50", both).value == Decimal("4.50")


@pytest.mark.parametrize(
    ("text", "value", "notes"),
    [
        ("12.5", "12.50", ()),
        ("-.45", "-0.45", ()),
        ("+8.", "8.00", ()),
        ("1e2", "100.00", ()),
        ("1e2.", "100.00", ()),
        ("1_000.5", "1000.50", ()),
        ("$8", "8.00", ()),
        ("-$1,234.50", "-1234.50", ("thousands separators",)),
        ("1,234,567", "1234567.00", ("thousands separators",)),
        ("1 234.50", "1234.50", ("thousands separators",)),
        ("4,50", "4.50", ("decimal comma",)),
        ("0,125", "0.13", ("decimal comma",)),
        ("1.234,50", "1234.50", ("thousands separators", "decimal comma")),
        ("1.005", "1.01", ()),
        ("-0.001", "0.00", ()),
        ("9999999.994999999", "9999999.99", ()),
    ],
)
def test_amount_is_read_where_its_marks_are_certain(
    text: str, value: str, notes: tuple[str, ...]
) -> None:
    reading = read_cell(FARE, text, Conventions())
    assert (reading.value, reading.notes) == (Decimal(value), notes)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        *[
            (FARE, text)
            for text in ("1,234", "8 €", "(8.00)", "8-", "1,23,456", "inf", "-Infinity")
        ],
        *[(FARE, text) for text in ("0x1F", "٣", "1__0", "_1", "9999999.995", "1e400", ".", "8$")],
        *[(CODE, text) for text in ("1.7", "40000", "-32769", "one", "true", "1e5", "$1")],
        (MILES, "$8"),
    ],
)
def test_unclear_number_is_rejected(column: Column, text: str) -> None:
    reading = read_cell(column, text, Conventions())
    assert reading.value is None
    assert reading.reason


@pytest.mark.parametrize(
    ("mark", "with_comma", "with_point"),
    [("point", "1234", "1.23"), ("comma", "1.23", "1234"), (None, None, "1.23"), ("both",) * 3],
)
def test_other_numbers_of_file_tell_what_one_mark_and_three_digits_mean(
    mark: DecimalMark | None, with_comma: str | None, with_point: str | None
) -> None:
    others: dict[str | None, list[str]] = {"point": ["4.5"], "comma": ["4,5"]}
    numbers = others.get(mark, [] if mark is None else ["4.5", "4,5"])
    conventions = conventions_of(numbers=["1,234", "7", *numbers])
    assert conventions.decimal_mark == mark
    for text, value in (("1,234", with_comma), ("1.234", with_point)):
        expected = None if value in (None, "both") else Decimal(value)
        assert read_cell(FARE, text, conventions).value == expected


def test_whole_number_may_be_written_as_decimal() -> None:
    for text, value in (("1.0", 1), ("2.00", 2), ("-1", -1), ("1e2", 100), ("32767", 32767)):
        assert read_cell(CODE, text, Conventions()).value == value


@pytest.mark.parametrize("column", [PICKUP, FARE, CODE, FLAG], ids=lambda column: column.type)
@pytest.mark.parametrize("text", ["NULL", "null", "NaN", "NA", "N/A", "#N/A", "None", "\\N", "-"])
def test_word_for_nothing_is_null_with_note(column: Column, text: str) -> None:
    reading = read_cell(column, text, Conventions())
    assert (reading.value, reading.reason, reading.notes) == (None, "", ("nothing",))


@pytest.mark.parametrize("column", [PICKUP, FARE, CODE, FLAG], ids=lambda column: column.type)
@pytest.mark.parametrize("text", ["", "  ", "\t", "\ufeff"])
def test_blank_cell_is_null_without_note(column: Column, text: str) -> None:
    reading = read_cell(column, text, Conventions())
    assert (reading.value, reading.reason, reading.notes) == (None, "", ())


def test_flag_is_y_or_n_however_it_is_said() -> None:
    for texts, value in ((("Y", "y", "yes", "TRUE", "t", "1"), "Y"), (("N", "no", "f", "0"), "N")):
        for text in texts:
            assert read_cell(FLAG, text, Conventions()).value == value
    text_column = Column("base", "STRING", "A text")
    assert read_cell(text_column, "true", Conventions()).value == "true"


def test_damaged_flag_is_rejected() -> None:
    for text in ("N\0", 'N"', "''", "'N'", "\ufffd", "x" * 101, "N\nN"):
        assert read_cell(FLAG, text, Conventions()).reason


@given(
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.sampled_from([None, "month first", "day first", "both"]),
    st.sampled_from([None, "point", "comma", "both"]),
)
@examples(2000, 300)
def test_any_text_is_value_null_or_reject_and_value_reads_as_itself(
    text: str, order: DateOrder | None, mark: DecimalMark | None
) -> None:
    for column in (PICKUP, FARE, CODE, FLAG):
        reading = read_cell(column, text, Conventions(order, mark))
        assert not (reading.reason and reading.value is not None)
        if reading.value is not None:
            again = read_cell(column, canonical_text(reading.value), Conventions())
            assert (again.value, again.notes) == (reading.value, ())


def test_shown_text_has_no_control_characters_and_ends() -> None:
    assert show_text("a\x1b[31m\nb") == '"a\\x1b[31m\\x0ab"'
    assert len(show_text("x" * 10_000)) < 70


def _documented(kind: str, cell: int) -> list[str]:
    """Return the examples in one row of the table in docs/loading.md: 1 for read, 2 for rejects."""
    lines = (ROOT / "docs" / "loading.md").read_text(encoding="utf-8").splitlines()
    (row,) = (line for line in lines if line.startswith(f"| {kind} |"))
    return re.findall("`([^`]+)`", row.split("|")[1:-1][cell])


@pytest.mark.parametrize(
    ("kind", "column", "form"),
    [
        ("no value, any column", FARE, "{}"),
        ("date", PICKUP, "{} 08:05:00"),
        ("date, the year last", PICKUP, "{} 08:05:00"),
        ("time of day", PICKUP, "2020-04-01 {}"),
        ("time zone", PICKUP, "2020-04-01 08:05:00 {}"),
        ("a number as a time", PICKUP, "{}"),
        ("amount", FARE, "{}"),
        ("separators in numbers", FARE, "{}"),
        ("code or count", CODE, "{}"),
        ("flag", FLAG, "{}"),
    ],
)
def test_table_of_the_docs_says_what_is_read_and_what_is_not(
    kind: str, column: Column, form: str
) -> None:
    examples_read, rejects = _documented(kind, 1), _documented(kind, 2)
    assert examples_read or rejects
    for text in examples_read:
        if text != "T":  # which stands between date and time
            assert not read_cell(column, form.format(text), Conventions()).reason, text
    for text in rejects:
        assert read_cell(column, form.format(text), Conventions()).reason, text
