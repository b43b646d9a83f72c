"""Colors, months, trip files and selections."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.column_names import match_columns, unknown_columns
from pipeline.core.datasets import (
    DATASETS,
    FOR_HIRE_VEHICLES,
    GREEN_TAXIS,
    YELLOW_TAXIS,
    either_of,
    find_dataset,
)
from pipeline.core.errors import UsageError
from pipeline.core.trips import Month, Selection, TripFile, months_between

months = st.builds(Month, st.integers(2009, 2035), st.integers(1, 12))


@given(months)
def test_month_round_trips_through_text(month: Month) -> None:
    assert Month.parse(str(month)) == month


@given(months, st.integers(-500, 500))
def test_adding_and_subtracting_months_returns_the_same_month(month: Month, distance: int) -> None:
    assert month.plus(distance).plus(-distance) == month


@given(months, st.integers(0, 60))
def test_range_has_each_month_once_in_order(first: Month, length: int) -> None:
    found = list(months_between(first, first.plus(length)))
    assert len(found) == length + 1
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    "text", ["9999-12", "2020-13", "2020-00", "2020", "2020-4", "abc", "", "1999-01", "٢٠٢٠-٠٤"]
)
def test_invalid_month_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="2020-04"):
        Month.parse(text)


def test_unknown_color_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(UsageError, match=either_of(DATASETS)):
        find_dataset("blue")


def test_backward_range_is_refused() -> None:
    with pytest.raises(UsageError, match="Swap them: from 2020-01 to 2020-03"):
        Selection((GREEN_TAXIS,), Month(2020, 3), Month(2020, 1))


def test_future_month_is_refused() -> None:
    soon = Month.current().plus(1)
    with pytest.raises(UsageError, match="has not begun yet"):
        Selection((GREEN_TAXIS,), Month(2020, 3), soon)


def test_selection_without_color_is_refused() -> None:
    with pytest.raises(UsageError, match="No dataset"):
        Selection((), Month(2020, 1), Month(2020, 1))


def test_trip_file_has_the_same_name_in_every_format() -> None:
    file = TripFile(GREEN_TAXIS, Month(2020, 4))
    assert file.filename == "green_tripdata_2020-04.csv"
    for ending in ("csv", "csv.gz", "parquet"):
        assert TripFile.parse(f"green_tripdata_2020-04.{ending}") == file


@pytest.mark.parametrize(
    "name", ["blue_tripdata_2020-04.csv", "green_2020-04.csv", "../green_tripdata_2020-04.csv"]
)
def test_invalid_trip_file_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not a trip file"):
        TripFile.parse(name)


def test_columns_match_by_name_without_case_in_any_order() -> None:
    header = ("AIRPORT_FEE", "vendorid", "Surprise", "tpep_pickup_datetime")
    assert match_columns(YELLOW_TAXIS, header) == {
        "VendorID": "vendorid",
        "tpep_pickup_datetime": "tpep_pickup_datetime",
        "airport_fee": "AIRPORT_FEE",
    }
    assert unknown_columns(YELLOW_TAXIS, header) == ("Surprise",)


def test_every_column_has_a_description_and_money_is_never_identity() -> None:
    for columns in (dataset.columns for dataset in DATASETS.values()):
        assert all(column.description for column in columns)
        assert not any(column.identity and column.type == "NUMERIC" for column in columns)
        assert sum(column.identity for column in columns) >= 5


@pytest.mark.parametrize(
    ("sql", "supported"),
    [
        ("SELECT count(PULocationID) FROM trips", True),
        ("SELECT avg(Fare_Amount) FROM trips", False),
        ("-- The fare_amount is not read.\nSELECT 'tip_amount' AS kind, PULocationID", True),
    ],
)
def test_statement_needs_the_columns_that_it_reads_not_those_of_its_comments(
    sql: str, supported: bool
) -> None:
    assert FOR_HIRE_VEHICLES.supports(sql) is supported
