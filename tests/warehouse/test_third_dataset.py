"""One more record in the registry is a dataset to plan, load, preview and chart."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.answers.truths.templates import TEMPLATES
from pipeline.answers.truths.truths import find_truth
from pipeline.charts import CHARTS, Filters, build_query
from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS, either_of, find_dataset
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.files.offers import Missing
from pipeline.files.sources import open_source
from pipeline.preview import make_preview
from pipeline.preview.subject import find_subject
from pipeline.runs.backfill import prepare_plan
from tests.support.cars import APRIL, CARS, put_cars
from tests.support.command import document, pipeline
from tests.support.files import (
    GREEN,
    assert_rollups_agree,
    backfill,
    load,
    put_trips,
    request,
    rows,
    trip,
    warehouse,
)


@pytest.fixture(autouse=True)
def cars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the dataset, as an entry of the registry would."""
    monkeypatch.setitem(DATASETS, CARS.name, CARS)


def test_dataset_without_money_is_planned_loaded_and_found_unchanged(
    warehouse_settings: Settings, folder: Path
) -> None:
    put_cars(folder)
    put_trips(folder, GREEN, [trip(GREEN)])
    (planned,) = prepare_plan(request(folder, APRIL), warehouse_settings).files
    assert (planned.runs, planned.reason) == (True, "not loaded yet")

    load(folder, GREEN, warehouse_settings)
    state, files = backfill(warehouse_settings, request(folder, APRIL))

    assert state == "succeeded", files[APRIL].reason
    assert (files[APRIL].rows, files[APRIL].rejected) == (5, 0)
    assert "$" not in files[APRIL].reason
    found = rows(warehouse_settings, "SELECT base_number, PULocationID, shared FROM cars_tripdata")
    assert sorted(found, key=str) == [
        ("B00001", 132, None),
        ("B00001", 7, 1),
        ("B00001", 7, None),
        ("B00002", 7, 1),
        ("B00002", 7, 1),
    ]
    assert rows(warehouse_settings, "SELECT count(DISTINCT unique_row_id) FROM cars_tripdata") == [
        (5,)
    ]
    assert_rollups_agree(warehouse_settings)
    _, files = backfill(warehouse_settings, request(folder, APRIL, force=True))
    assert (files[APRIL].inserted, files[APRIL].updated, files[APRIL].unchanged) == (0, 0, 5)


def test_charts_of_all_datasets_count_trips_of_one_without_money(
    settings: Settings, folder: Path
) -> None:
    put_cars(folder)
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, trip_distance="3")])
    for file in (APRIL, GREEN):
        load(folder, file, settings)
    with warehouse(settings) as opened:
        for chart in CHARTS.values():
            filters = Filters(strays=True)
            for narrowed in (filters,) if chart.by_file else (filters, Filters(dropoffs=(41,))):
                query = build_query(chart, narrowed, "local")
                table = opened.read(query.sql, query.parameters).table
                assert table.num_rows > 0, chart.name
                if "total_amount" in table.column_names:
                    assert table.schema.field("total_amount").type.scale == 2, chart.name
        only_cars = build_query(CHARTS["over_time"], Filters(datasets=(CARS,)), "local")
        (*_, newest) = opened.read(only_cars.sql, only_cars.parameters).table.to_pylist()
        assert (newest["color"], newest["trips"], newest["total_amount"]) == ("cars", 1, None)
    assert not CHARTS["payments"].suits([CARS])
    assert CHARTS["payments"].suits([CARS, DATASETS["green"]])
    assert CHARTS["zones"].suits([CARS])


def test_preview_checks_only_columns_that_the_dataset_has(settings: Settings, folder: Path) -> None:
    put_cars(folder)
    subject = find_subject(APRIL, str(folder), settings, Cancel())
    preview = make_preview(subject, settings, Cancel())
    counts = {finding.name: finding.count for finding in preview.findings}
    assert counts["strays"] == 1
    assert counts["same-identity"] == 2
    assert counts["no-such-zone"] == 0
    assert counts.keys().isdisjoint({"negative-amounts", "no-distance", "no-vendor"})


def test_question_about_fares_is_refused_and_one_about_trips_is_answered(
    settings: Settings, folder: Path
) -> None:
    put_cars(folder)
    load(folder, APRIL, settings)
    with warehouse(settings) as opened:
        records = opened.records()
        trips = find_truth(opened, records, TEMPLATES["trips"], CARS, APRIL.month)
        assert trips.value == 5
        assert trips.question.startswith("How many hired car trips were there in New York City")
        zone = find_truth(opened, records, TEMPLATES["busiest-zone"], CARS, APRIL.month)
        assert zone.value == 7
        with pytest.raises(UsageError, match="Hired cars do not have the columns"):
            find_truth(opened, records, TEMPLATES["average-fare"], CARS, APRIL.month)


def test_sources_and_commands_know_the_dataset_by_its_record(
    settings: Settings, folder: Path
) -> None:
    early = TripFile(CARS, Month(2020, 1))
    for source in ("github", "tlc", "sample"):
        assert isinstance(open_source(source, settings).probe([early])[early], Missing)
    assert TripFile.parse("cars_tripdata_2020-04.csv.gz") == APRIL
    with pytest.raises(UsageError, match=either_of(DATASETS)):
        find_dataset("blue")
    put_cars(folder)
    arguments = ("--color", "cars", "--from", "2020-04", "--source", str(folder))
    result = pipeline(settings, "backfill", *arguments, "--json")
    assert document(result)["files"][0]["color"] == "cars"
