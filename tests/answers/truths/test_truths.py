"""Questions about the loaded trips have exact answers, and stated numbers are read and scored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answers.truths.coverage import (
    Coverage,
    coverage_of,
    describe_parts,
    published_rows,
)
from pipeline.answers.truths.stated import NumberUnit, read_stated_number
from pipeline.answers.truths.templates import TEMPLATES
from pipeline.answers.truths.truths import GroundTruth, find_truth, score_number
from pipeline.core.datasets import DATASETS, GREEN_TAXIS
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import Settings
from pipeline.core.sql import SQL_FOLDER
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse.ledger import LedgerEntry
from tests.support.files import GREEN, backfill, load, put_trips, request, trip, warehouse

MAY = TripFile(GREEN_TAXIS, Month(2020, 5))

# Six trips of April, one a void, one without any code, one with a stray date; and two of May.
APRIL_TRIPS: Sequence[dict[str, Any]] = (
    trip(GREEN, pickup="2020-04-03 17:05:00", dropoff="2020-04-03 17:25:00", PULocationID="74",
         fare_amount="10", tip_amount="2", total_amount="14", trip_distance="3.5"),
    trip(GREEN, pickup="2020-04-03 17:40:00", dropoff="2020-04-03 17:50:00", PULocationID="74",
         fare_amount="20", tip_amount="4", total_amount="26", payment_type="1",
         trip_distance="6.5"),
    trip(GREEN, pickup="2020-04-04 09:00:00", dropoff="2020-04-04 09:30:00", PULocationID="41",
         fare_amount="6", total_amount="7.3", payment_type="2", trip_distance="0"),
    trip(GREEN, pickup="2020-04-04 09:00:00", dropoff="2020-04-04 09:30:00", PULocationID="41",
         fare_amount="-6", total_amount="-7.3", payment_type="2", trip_distance="0"),
    trip(GREEN, pickup="2020-04-05 17:00:00", dropoff="2020-04-05 23:00:00", PULocationID="7",
         fare_amount="30", total_amount="30", payment_type=None, trip_distance="80.25"),
    trip(GREEN, pickup="2009-01-01 17:00:00", dropoff="2009-01-01 17:20:00", PULocationID="74",
         fare_amount="12", total_amount="13", payment_type="2", trip_distance="1.75"),
)  # fmt: skip

EXPECTED = {
    "trips": 6,
    "average-fare": 12.0,
    "average-distance": 23.0,
    "average-duration": 22.0,
    "revenue": 83.0,
    "cash-share": 60.0,
    "tip-share": 20.0,
    "weekend-share": 50.0,
    "busiest-hour": 17,
    "busiest-day": 3,
    "busiest-zone": 74,
    "longest-distance": 80.25,
    "highest-total": 30.0,
    "change": -66.67,
}


def truth_of(settings: Settings, name: str, month: Month = GREEN.month) -> GroundTruth:
    with warehouse(settings) as opened:
        records = opened.records()
        return find_truth(opened, records, TEMPLATES[name], GREEN_TAXIS, month)


@pytest.fixture
def two_months(warehouse_settings: Settings, folder: Path) -> Settings:
    put_trips(folder, GREEN, APRIL_TRIPS)
    put_trips(folder, MAY, [trip(MAY), trip(MAY, pickup="2020-05-02 10:00:00")])
    load(folder, GREEN, warehouse_settings)
    load(folder, MAY, warehouse_settings)
    return warehouse_settings


def test_every_question_has_its_exact_answer(two_months: Settings) -> None:
    values = {
        name: truth_of(two_months, name, MAY.month if name == "change" else GREEN.month).value
        for name in TEMPLATES
    }
    assert values == EXPECTED


def test_busiest_zone_has_its_name(two_months: Settings) -> None:
    truth = truth_of(two_months, "busiest-zone")
    assert truth.answer == "zone 74, East Harlem North"
    assert list(truth.rows[0].items()) == [
        ("zone", 74),
        ("zone_name", "East Harlem North"),
        ("trips", 3),
    ]
    assert "| 74 | East Harlem North | 3 |" in truth.table()


def test_each_question_has_a_statement() -> None:
    assert len(TEMPLATES) >= 12
    statements = {path.stem for path in (SQL_FOLDER / "truths").glob("*.sql")}
    assert statements == {template.sql for template in TEMPLATES.values()}


def test_synthetic_month_is_not_compared_with_real_one(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, APRIL_TRIPS)
    load(folder, GREEN, settings)
    backfill(settings, request("sample", MAY))
    with pytest.raises(
        UsageError, match=r"2020-05 is synthetic and .*2020-04 is real.*--from 2020-05"
    ):
        truth_of(settings, "change", MAY.month)
    assert truth_of(settings, "trips", MAY.month).synthetic
    assert not truth_of(settings, "trips").synthetic


def test_published_months_add_up_to_the_published_year() -> None:
    for dataset in DATASETS.values():
        months = [TripFile(dataset, Month(2020, number)) for number in range(1, 13)]
        counts = [published_rows(file) for file in months]
        years = [
            rows
            for first, last, rows in dataset.known_counts
            if (first, last) == (Month(2020, 1), Month(2020, 12))
        ]
        assert [sum(filter(None, counts))] == (years or [0])


def test_partial_month_is_asked_about_as_the_loaded_file_and_no_true_answer_is_wrong(
    two_months: Settings,
) -> None:
    truth = truth_of(two_months, "trips")
    assert truth.coverage == Coverage.PARTIAL
    assert truth.notice == ("green_tripdata_2020-04 has 6 of the 35,612 trips that were published.")
    assert "loaded file green_tripdata_2020-04" in truth.question
    assert "35,612" not in truth.question
    of_the_month = "There were 35,612 trips."
    assert score_number(truth, of_the_month, False, has_source=False).outcome == "not judged"
    assert score_number(truth, of_the_month, False).outcome == "wrong"
    assert score_number(truth, "6 trips", False, has_source=False).outcome == "right"
    compared = truth_of(two_months, "change", MAY.month)
    assert "loaded files green_tripdata_2020-04 and green_tripdata_2020-05" in compared.question


def test_whole_month_and_one_without_a_published_count_are_asked_about_as_months() -> None:
    def loaded(file: TripFile, rows: int, source: str = "folder") -> LedgerEntry:
        ended = datetime(2026, 11, 1)
        return LedgerEntry(file, "loaded", "r", source, ended, 1.0, rows=rows)

    whole, other = loaded(GREEN, 35_612), loaded(TripFile(GREEN_TAXIS, Month(2023, 4)), 5)
    assert coverage_of([whole]) == Coverage.WHOLE
    assert coverage_of([whole, other]) == Coverage.UNKNOWN
    assert coverage_of([whole, loaded(GREEN, 32_000)]) == Coverage.PARTIAL
    assert coverage_of([loaded(GREEN, 32_000), loaded(MAY, 9, "sample")]) == Coverage.SAMPLE
    assert describe_parts([whole, other]) == ""


def test_month_that_is_not_loaded_is_refused_with_what_to_load(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, MAY, [trip(MAY)])
    load(folder, MAY, settings)
    with pytest.raises(UsageError, match="green_tripdata_2020-04") as caught:
        truth_of(settings, "change", MAY.month)
    assert "green_tripdata_2020-05" not in str(caught.value)
    assert caught.value.cure.endswith("--dataset green --from 2020-04 --to 2020-04")


def test_rows_without_an_answer_are_reported(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN, payment_type=None)])
    load(folder, GREEN, settings)
    with pytest.raises(UsageError, match="do not answer this question"):
        truth_of(settings, "cash-share")


def test_source_for_a_model_says_what_was_counted_and_the_result(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, APRIL_TRIPS)
    load(folder, GREEN, settings)
    truth = truth_of(settings, "cash-share")
    assert truth.question.startswith("What percentage of the green taxi trips")
    assert "in April 2020" in truth.question
    source = truth.source()
    assert "whose way of payment is recorded" in source.text
    assert "| 60.0 | 3 | 5 |" in source.text
    assert (truth.answer, truth.template.tolerance) == ("60.00 %", "within 2 percentage points")
    assert not truth.synthetic


@pytest.mark.parametrize(
    ("answer", "unit", "value"),
    [
        ("There were 238,073 trips.", "trips", 238073),
        ("In April 2020 there were about 238,073 trips", "trips", 238073),
        ("In April 2020: roughly 238 thousand.", "trips", 238000),
        ("around 1.2 million trips", "trips", 1.2e6),
        ("**1.2M** rides", "trips", 1.2e6),
        ("1 234 567 trips", "trips", 1234567),
        ("1.234.567 trips", "trips", 1234567),
        ("two hundred thousand", "trips", 200000),
        ("about twenty-five thousand trips", "trips", 25000),
        ("35,612 [1]", "trips", 35612),
        ("Of 2,000 dollars I know nothing, but 35,612 trips ran.", "trips", 35612),
        ("The average fare was $13.02.", "dollars", 13.02),
        ("13.02 dollars", "dollars", 13.02),
        ("USD 1,234.50 in all", "dollars", 1234.5),
        ("$2.3 billion", "dollars", 2.3e9),
        ("It was 13,5 dollars", "dollars", 13.5),
        ("of 35,612 trips the fare averaged $12", "dollars", 12),
        ("About 18%.", "percent", 18),
        ("18.5 percent were paid in cash", "percent", 18.5),
        ("18 Prozent", "percent", 18),
        ("Of 35,000 trips, 40 % paid cash", "percent", 40),
        ("- 35,612 trips\n- 4 zones", "trips", 35612),
        ("1. Zone 74\n2. Zone 41", "zone", 74),
        ("It fell by 81%.", "change", -81),
        ("It fell by 0.5%.", "change", -0.5),
        ("a drop of about 81 percent", "change", -81),
        ("It rose by 3.5 %", "change", 3.5),
        ("-81.2 %", "change", -81.2),
        ("−81.2%", "change", -81.2),
        ("minus 81 percent", "change", -81),
        ("from 448,000 to 36,000 trips, a decline of 92%", "change", -92),
        ("3.4 miles", "miles", 3.4),
        ("around 12.5 minutes", "minutes", 12.5),
        ("750 seconds", "minutes", 12.5),
        ("0.2 hours, for 3.4 miles", "minutes", 12),
        ("6 PM", "hour", 18),
        ("The busiest hour was 18:00 to 18:59.", "hour", 18),
        ("between 5 and 6 p.m.", "hour", 17),
        ("5-6 PM", "hour", 17),
        ("Hour 17 [1]", "hour", 17),
        ("at noon", "hour", 12),
        ("midnight", "hour", 0),
        ("12 AM", "hour", 0),
        ("17h", "hour", 17),
        ("17 Uhr", "hour", 17),
        ("April 17, 2020", "day", 17),
        ("on 2020-04-17", "day", 17),
        ("the 17th", "day", 17),
        ("17 April", "day", 17),
        ("Zone 74 (East Harlem North)", "zone", 74),
        ("LocationID 74", "zone", 74),
    ],
)
def test_stated_number_is_read_however_it_is_written(
    answer: str, unit: NumberUnit, value: float
) -> None:
    question = "What was it in April 2020?"
    stated = read_stated_number(answer, unit, question)
    assert stated is not None
    assert stated.value == pytest.approx(value)


@pytest.mark.parametrize(
    "answer",
    ["", "I do not know.", "In April 2020 there were many.", "See [1] and [2, 3].", "As of 2.4.1."],
)
def test_answer_without_a_number_states_none(answer: str) -> None:
    assert read_stated_number(answer, "trips", "How many in April 2020?") is None


@given(st.integers(0, 10**9))
def test_any_count_is_read_as_written(number: int) -> None:
    stated = read_stated_number(f"There were {number:,} trips.", "trips")
    assert stated is not None
    assert stated.value == number


@given(st.text())
def test_any_answer_can_be_read(answer: str) -> None:
    for unit in get_args(NumberUnit):
        read_stated_number(answer, unit)


@pytest.mark.parametrize(
    ("answer", "abstained", "outcome"),
    [
        ("6 trips", False, "right"),
        ("About 6.3 trips", False, "right"),
        ("7 trips", False, "wrong"),
        ("Somewhere between 4 and 6 trips", False, "wrong"),
        ("4 to 6 trips", False, "wrong"),
        ("4-6 trips", False, "wrong"),
        ("4 trips to 6 trips", False, "wrong"),
        ("5.9 to 6.1 trips", False, "right"),
        ("4 trips or 6 trips", False, "wrong"),
        ("I do not know.", True, "abstained"),
        ("Quite a few.", False, "no number"),
    ],
)
def test_answer_is_scored_by_its_number(answer: str, abstained: bool, outcome: str) -> None:
    truth = GroundTruth(
        TEMPLATES["trips"],
        "How many?",
        6.0,
        [{"trips": 6}],
        "",
        Coverage.WHOLE,
        GREEN_TAXIS,
        Month(2020, 4),
    )
    assert score_number(truth, answer, abstained).outcome == outcome
