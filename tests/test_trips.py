"""Colors, months, trip files and selections."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.trips import (
    COLUMNS,
    Color,
    Month,
    Selection,
    TripFile,
    match_columns,
    months_between,
    unknown_columns,
)

months = st.builds(Month, st.integers(2009, 2035), st.integers(1, 12))


@given(months)
def test_a_month_reads_back_as_it_was_written(month: Month) -> None:
    assert Month.parse(str(month)) == month


@given(months, st.integers(-500, 500))
def test_months_later_and_back_is_the_same_month(month: Month, distance: int) -> None:
    assert month.plus(distance).plus(-distance) == month


@given(months, st.integers(0, 60))
def test_a_range_has_each_month_once_in_order(first: Month, length: int) -> None:
    found = list(months_between(first, first.plus(length)))
    assert len(found) == length + 1
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    "text", ["2020-13", "2020-00", "2020", "2020-4", "abc", "", "1999-01", "٢٠٢٠-٠٤"]
)
def test_what_is_not_a_month_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="2020-04"):
        Month.parse(text)


def test_an_unknown_color_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(UsageError, match="yellow or green"):
        Color.parse("blue")


def test_a_range_that_runs_backwards_is_refused() -> None:
    with pytest.raises(UsageError, match="Swap them: from 2020-01 to 2020-03"):
        Selection((Color.GREEN,), Month(2020, 3), Month(2020, 1))


def test_a_month_in_the_future_is_refused() -> None:
    soon = Month.current().plus(1)
    with pytest.raises(UsageError, match="has not begun yet"):
        Selection((Color.GREEN,), Month(2020, 3), soon)


def test_a_selection_without_a_color_is_refused() -> None:
    with pytest.raises(UsageError, match="No color"):
        Selection((), Month(2020, 1), Month(2020, 1))


def test_a_trip_file_is_named_the_same_whatever_its_format() -> None:
    file = TripFile(Color.GREEN, Month(2020, 4))
    assert file.filename == "green_tripdata_2020-04.csv"
    for ending in ("csv", "csv.gz", "parquet"):
        assert TripFile.parse(f"green_tripdata_2020-04.{ending}") == file


@pytest.mark.parametrize(
    "name", ["blue_tripdata_2020-04.csv", "green_2020-04.csv", "../green_tripdata_2020-04.csv"]
)
def test_a_name_that_is_no_trip_file_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not a trip file"):
        TripFile.parse(name)


def test_columns_match_by_name_without_case_in_any_order() -> None:
    header = ("AIRPORT_FEE", "vendorid", "Surprise", "tpep_pickup_datetime")
    assert match_columns(Color.YELLOW, header) == {
        "VendorID": "vendorid",
        "tpep_pickup_datetime": "tpep_pickup_datetime",
        "airport_fee": "AIRPORT_FEE",
    }
    assert unknown_columns(Color.YELLOW, header) == ("Surprise",)


def test_every_column_has_a_description_and_money_is_never_identity() -> None:
    for columns in COLUMNS.values():
        assert all(column.description for column in columns)
        assert not any(column.identity and column.type == "NUMERIC" for column in columns)
        assert sum(column.identity for column in columns) == 5
