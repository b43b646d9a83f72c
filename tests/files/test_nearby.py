"""Trip files are found under names that are nearly the published ones, and never guessed."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS
from pipeline.core.errors import Cancelled
from pipeline.core.months import Month
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import TripFile
from pipeline.files.nearby import find_nearby, trip_file_named
from pipeline.files.offers import Missing, Offer, Probe
from pipeline.files.sources import open_source
from pipeline.files.staging import find_staged
from tests.support.files import GREEN, amounts, backfill, csv_bytes, request, trip

STEM = GREEN.stem
TEXT = csv_bytes(GREEN, [trip(GREEN, total_amount="9.30")])


def put(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        content = gzip.compress(TEXT) if path.lower().endswith("gz") else TEXT
        (folder / path).write_bytes(content)


def probe(folder: Path, settings: Settings, file: TripFile = GREEN) -> Probe:
    return open_source(str(folder), settings).probe([file])[file]


@pytest.mark.parametrize(
    "path",
    [
        f"{STEM}.CSV",
        f"{STEM}.CSV.GZ",
        f"{STEM}.Csv.gz",
        "green_tripdata_2020_04.csv",
        "green_tripdata_202004.csv",
        "green-tripdata-2020-04.csv",
        "Green_Tripdata_2020-04.csv.gz",
        "GREEN_TRIPDATA_2020-04.CSV",
        f"{STEM}.txt",
        f"green/2020/{STEM}.csv",
        f"2020/green/{STEM}.csv.gz",
        f"2020/{STEM}.csv",
        f"Green/{STEM}.csv",
        f"any folder/[x]*?/{STEM}.csv",
        f"'quoted\" 東京/{STEM}.CSV.GZ",
    ],
)
def test_file_under_a_nearly_published_name_is_found_and_loads(
    settings: Settings, folder: Path, path: str
) -> None:
    put(folder, path)
    found = probe(folder, settings)
    assert isinstance(found, Offer)
    assert found.address == str(folder / path)
    state, files = backfill(settings, request(folder, GREEN))
    assert state == "succeeded"
    assert amounts(settings, GREEN) == ["9.30"]
    assert f"found as {path}" in files[GREEN].reason
    _, files = backfill(settings, request(folder, GREEN))
    assert (files[GREEN].state, "found as" in files[GREEN].reason) == ("skipped", True)


def test_name_of_a_file_with_the_bytes_of_another_source_is_said(
    settings: Settings, folder: Path
) -> None:
    put(folder, f"{STEM}.CSV")
    backfill(settings, request(folder, GREEN))
    elsewhere = folder.with_name("another folder with the same bytes")
    shutil.copytree(folder, elsewhere)
    _, files = backfill(settings, request(elsewhere, GREEN))
    assert files[GREEN].state == "skipped"
    assert files[GREEN].reason.startswith("unchanged: the same bytes were loaded")
    assert files[GREEN].reason.endswith(f"; found as {STEM}.CSV")


@pytest.mark.parametrize(
    ("paths", "first"),
    [
        ([f"{STEM}.csv", f"2020/{STEM}.csv.gz"], f"{STEM}.csv"),
        ([f"green/{STEM}.csv", "GREEN_tripdata_2020-04.parquet"], f"green/{STEM}.csv"),
        ([f"2020/{STEM}.{e}" for e in ("csv", "parquet", "csv.gz")], f"2020/{STEM}.csv.gz"),
        ([f"2020/{STEM}.{e}" for e in ("zip", "csv", "parquet")], f"2020/{STEM}.parquet"),
    ],
)
def test_published_name_comes_first_and_then_the_order_of_formats(
    settings: Settings, folder: Path, paths: list[str], first: str
) -> None:
    put(folder, *paths)
    found = probe(folder, settings)
    assert isinstance(found, Offer)
    assert found.address == str(folder / first)


@pytest.mark.parametrize(
    "paths",
    [
        (f"a/{STEM}.csv", f"b/{STEM}.csv"),
        ("green_tripdata_2020_04.csv", "Green_tripdata_2020-04.csv"),
        (f"2019/{STEM}.csv", f"2020/{STEM}.parquet"),
    ],
)
def test_of_two_candidates_neither_is_taken_and_both_are_named(
    settings: Settings, folder: Path, paths: tuple[str, str]
) -> None:
    put(folder, *paths)
    found = probe(folder, settings)
    assert isinstance(found, Missing)
    assert all(path in found.reason for path in paths)
    assert "so none is taken" in found.reason


def test_month_that_is_not_there_names_what_was_sought_and_what_is_near(
    settings: Settings, folder: Path
) -> None:
    put(folder, "green_tripdata_2020-05.csv", "yellow_tripdata_2020-04.csv", "notes.md")
    found = probe(folder, settings)
    assert isinstance(found, Missing)
    assert f"no {STEM}.csv.gz, .parquet or .csv in {folder} or the folders in it" in found.reason
    assert "near it: green_tripdata_2020-05.csv" in found.reason
    assert "notes.md" not in found.reason


@pytest.mark.parametrize(
    "path",
    [
        "green_tripdata_2020-05.csv",
        "green_tripdata_2020-4.csv",
        "green_tripdata_2020-04 (1).csv",
        "green_tripdata_2020-04.csv.part",
        "green_tripdata_2020-04.pdf",
        "xgreen_tripdata_2020-04.csv",
        "green_2020-04.csv",
        "2020-04.csv",
        "green_tripdata_2020-13.csv",
        f"a/b/c/{STEM}.csv",
        f".hidden/{STEM}.csv",
        f"a/.{STEM}.csv",
        f"._{STEM}.csv",
        f"a\x1b[31m/{STEM}.csv",
    ],
)
def test_other_name_is_not_taken_for_the_file(settings: Settings, folder: Path, path: str) -> None:
    put(folder, path)
    found = probe(folder, settings)
    assert isinstance(found, Missing)
    assert found.reason.isprintable()


def test_hidden_source_folder_and_links_mean_themselves(settings: Settings, tmp_path: Path) -> None:
    real = tmp_path / "real"
    put(real, f"deep/{STEM}.csv")
    hidden = tmp_path / ".hidden"
    hidden.mkdir()
    (hidden / "link").symlink_to(real / "deep", target_is_directory=True)
    (hidden / "circle").symlink_to(hidden, target_is_directory=True)
    (hidden / "Green_tripdata_2020-04.csv.gz").symlink_to(tmp_path / "nowhere")
    (hidden / "green_tripdata_2020_04.csv").mkdir()
    found = probe(hidden, settings)
    assert isinstance(found, Missing)  # the circle shows the same file twice
    assert f"circle/link/{STEM}.csv, link/{STEM}.csv all match" in found.reason
    (hidden / "circle").unlink()
    found = probe(hidden, settings)
    assert isinstance(found, Offer)
    assert found.address == str(hidden / "link" / f"{STEM}.csv")


@pytest.mark.parametrize(
    "name",
    [
        "green_tripdata_2020-4.csv",
        "green_tripdata_2020-04 (1).csv",
        "green_2020-04.csv",
        "green_tripdata_2020-04.csv.part",
        "Copy of Green_tripdata_2020-04.csv",
    ],
)
def test_name_that_could_be_meant_is_near(settings: Settings, folder: Path, name: str) -> None:
    put(folder, name, "yellow_tripdata_2020-04.csv", *(f"other_{n}.csv" for n in range(20)))
    found = probe(folder, settings)
    assert isinstance(found, Missing)
    assert found.reason.endswith(f"near it: {name}")


def test_many_absent_months_of_a_large_folder_are_told_soon(
    settings: Settings, folder: Path
) -> None:
    for n in range(20_000):
        (folder / f"green_tripdata_2019-01_{n}.csv").touch()
    files = [TripFile(GREEN.dataset, Month(y, m)) for y in range(2014, 2024) for m in range(1, 13)]
    started = time.monotonic()
    probes = open_source(str(folder), settings).probe(files)
    assert time.monotonic() - started < 10
    assert all(isinstance(found, Missing) for found in probes.values())


def test_folder_with_the_name_of_a_file_and_files_of_other_names_are_told(
    settings: Settings, folder: Path
) -> None:
    put(folder, f"{STEM}.parquet/part-0000.parquet")
    found = probe(folder, settings)
    assert isinstance(found, Missing)
    assert f"{STEM}.parquet is a folder: give one file a month" in found.reason
    assert "there are other files, such as part-0000.parquet" in found.reason


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads every folder")
def test_folder_that_cannot_be_read_is_named(settings: Settings, folder: Path) -> None:
    (folder / "closed").mkdir(mode=0)
    found = probe(folder, settings)
    assert isinstance(found, Missing)
    assert "closed cannot be read" in found.reason


def test_cancel_stops_looking_through_a_folder(folder: Path) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        find_nearby(folder, cancel)


def test_files_beyond_the_limit_are_not_looked_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.files.nearby.MOST_ENTRIES", 20)
    put(folder, *(f"a{n:02}.csv" for n in range(30)))
    nearby = find_nearby(folder, None)
    assert nearby.truncated
    assert len(nearby.names) == 20
    assert "only 20 files were listed" in nearby.describe(GREEN)


def test_glob_letters_in_the_home_and_in_file_names_mean_themselves(tmp_path: Path) -> None:
    for name in ("home[1]*", "home1x"):
        settings = Settings(home=tmp_path / name)
        source = tmp_path / f"source of {name}"
        amount = "1.00" if name == "home1x" else "2.00"
        source.mkdir()
        content = csv_bytes(GREEN, [trip(GREEN, total_amount=amount)])
        (source / f"{STEM}.csv").write_bytes(content)
        backfill(settings, request(source, GREEN))
        staged = find_staged(GREEN, settings)
        assert staged is not None
        assert amounts(settings, GREEN) == [amount]


@given(
    st.sampled_from(sorted(DATASETS)),
    st.integers(2009, 2030),
    st.integers(1, 12),
    st.sampled_from(["-", "_", ".", " ", ""]),
    st.sampled_from(["csv", "csv.gz", "parquet", "zip", "csv.zst"]),
    st.sampled_from([str.lower, str.upper, str.title]),
)
def test_name_in_any_spelling_stands_for_one_file(
    color: str, year: int, month: int, between: str, ending: str, spell: object
) -> None:
    dataset = DATASETS[color]
    name = f"{dataset.table}_{year}{between}{month:02}.{ending}"
    assert callable(spell)
    assert trip_file_named(spell(name)) == TripFile(dataset, Month(year, month))
