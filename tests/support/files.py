"""Trip files made by the tests, and the shortest way to load one."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS, GREEN_TAXIS, YELLOW_TAXIS, Dataset
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, Selection, TripFile
from pipeline.files.download import stage
from pipeline.files.offers import Missing
from pipeline.files.sources import open_source
from pipeline.files.staging import StagedFile
from pipeline.runs.backfill import Backfill, prepare_plan, run_backfill
from pipeline.runs.history import History
from pipeline.runs.plan import Request
from pipeline.runs.policy import Policy
from pipeline.runs.run_records import RunFile
from pipeline.warehouse import LoadJob, LoadMonitor, Warehouse
from pipeline.warehouse.ledger import LedgerEntry
from pipeline.warehouse.registry import find_backend, open_warehouse
from pipeline.warehouse.rollups import ROLLUPS

GREEN = TripFile(GREEN_TAXIS, Month(2020, 4))
YELLOW = TripFile(YELLOW_TAXIS, Month(2020, 4))

# The target of the tests' settings, by their home, where it is not local.
TARGETS: dict[Path, str] = {}


def warehouse(settings: Settings) -> Warehouse:
    """The warehouse a test is about."""
    return open_warehouse(target(settings), settings)


def target(settings: Settings) -> str:
    """The name of the warehouse a test is about."""
    return TARGETS.get(settings.home, "local")


def header(dataset: Dataset) -> list[str]:
    """The column names of a published csv.gz of this dataset, in table order."""
    return [column.name for column in dataset.columns if not column.fee]


def trip(file: TripFile, **changes: Any) -> dict[str, Any]:
    """One plausible row of this file, with some cells changed; None is an empty cell."""
    dataset = file.dataset
    row: dict[str, Any] = {
        "VendorID": "2",
        "dispatching_base_num": "B00254",
        "Affiliated_base_number": "B00647",
        "SR_Flag": None,
        dataset.pickup: f"{file.month}-01 08:00:00",
        dataset.dropoff: f"{file.month}-01 08:12:30",
        "store_and_fwd_flag": "N",
        "RatecodeID": "1",
        "PULocationID": "42",
        "DOLocationID": "41",
        "passenger_count": "1",
        "trip_distance": "1.68",
        "fare_amount": "8",
        "extra": "0.5",
        "mta_tax": "0.5",
        "tip_amount": "0",
        "tolls_amount": "0",
        "improvement_surcharge": "0.3",
        "total_amount": "9.3",
        "payment_type": "1",
        "congestion_surcharge": "0",
        "ehail_fee": None,
        "trip_type": "1",
    }
    spelled = {column.name.casefold(): column.name for column in dataset.columns}
    own = {
        spelled[name.casefold()]: value for name, value in row.items() if name.casefold() in spelled
    }
    names = {name.casefold(): name for name in own} | {
        "pickup": dataset.pickup,
        "dropoff": dataset.dropoff,
    }
    return own | {names.get(name.casefold(), name): value for name, value in changes.items()}


def csv_bytes(
    file: TripFile,
    rows: Iterable[Mapping[str, Any]],
    names: list[str] | None = None,
    newline: str = "\n",
) -> bytes:
    """The rows as an unpacked CSV with the official header, or with these column names."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text, names or header(file.dataset), lineterminator=newline, extrasaction="ignore"
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def put(folder: Path, file: TripFile, content: bytes, ending: str = "csv.gz") -> Path:
    """Place a file in a source folder under its published name, packed if the ending says so."""
    path = folder / f"{file.stem}.{ending}"
    path.write_bytes(gzip.compress(content, mtime=0) if ending.endswith("gz") else content)
    return path


def put_trips(
    folder: Path, file: TripFile, rows: Iterable[Mapping[str, Any]], ending: str = "csv.gz"
) -> Path:
    """Place rows in a source folder as a trip file."""
    return put(folder, file, csv_bytes(file, rows), ending)


def put_parquet(folder: Path, file: TripFile, select: str) -> Path:
    """Place the result of a SELECT in a source folder as a parquet trip file."""
    path = folder / f"{file.stem}.parquet"
    duckdb.connect().execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return path


def stage_from(folder: Path, file: TripFile, settings: Settings) -> StagedFile:
    """Stage a file from a source folder."""
    offer = open_source(str(folder), settings).probe([file])[file]
    assert not isinstance(offer, Missing), offer
    return stage(offer, settings, Cancel())


def load(
    folder: Path, file: TripFile, settings: Settings, notes: list[str] | None = None
) -> LedgerEntry:
    """Stage and load one file from a source folder, whatever was loaded before."""
    watch = LoadMonitor(on_note=notes.append if notes is not None else lambda _: None)
    with warehouse(settings) as opened:
        staged = stage_from(folder, file, settings)
        return opened.load(staged, LoadJob("a-run", str(folder)), watch)


def request(source: object, *files: TripFile, **options: Any) -> Request:
    """A request for the range of datasets and months that these files span."""
    months = [file.month for file in files]
    datasets = tuple(dict.fromkeys(file.dataset for file in files))
    return Request(
        Selection(datasets, min(months), max(months)),
        source=str(source),
        policy=options.pop("policy", Policy.MISSING_AND_FAILED),
        **options,
    )


def backfill(settings: Settings, asked: Request) -> tuple[str, dict[TripFile, RunFile]]:
    """Run a backfill to its end; return its state and how each file went."""
    asked = replace(asked, target=target(settings))
    work = Backfill(prepare_plan(asked, settings), settings, origin="command line")
    state = run_backfill(work, settings)
    files = History(settings.history_path).files(work.run_id)
    return state, {run_file.file: run_file for run_file in files}


def rows(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query on the warehouse the test is about."""
    with warehouse(settings) as opened:
        return opened.query(sql, limit=1_000_000).rows


def amounts(settings: Settings, file: TripFile) -> list[str]:
    """The total_amounts of a file's rows, as text, sorted."""
    found = rows(
        settings,
        f"SELECT total_amount FROM {file.dataset.table} WHERE filename = '{file.filename}'",
    )
    return sorted(f"{amount:.2f}" for (amount,) in found)


def assert_rollups_agree(settings: Settings) -> None:
    """Assert that every rollup holds the sums of the trips, worked out here without SQL."""
    with warehouse(settings) as opened:  # once: opening costs more than all the queries together
        kept = find_backend(target(settings)).rollups
        for dataset in DATASETS.values():
            trips = [
                _trip_as_counted(*row)
                for row in opened.query(
                    f"SELECT filename, {_counted_columns(dataset)} FROM {dataset.table}",
                    limit=1_000_000,
                ).rows
            ]
            for rollup in (ROLLUPS[name] for name in kept):
                keys = ("filename", *rollup.keys, "stray")
                stored = opened.query(
                    f"SELECT {', '.join((*keys, *rollup.sums))} FROM {rollup.name}"
                    f" WHERE color = '{dataset}'",
                    limit=1_000_000,
                ).rows
                counted = [t for t in trips if not rollup.only or t["airport"] is not None]
                expected = _summed(counted, keys, rollup.sums)
                assert {row[: len(keys)]: row[len(keys) :] for row in stored} == expected, (
                    rollup.name
                )
                assert len(stored) == len(expected)
    if target(settings) == "local":
        assert_derived_columns_agree(settings)


def assert_derived_columns_agree(settings: Settings) -> None:
    """Assert that the columns the local warehouse derives follow from the trips' own columns."""
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        stored = {
            dataset: connection.execute(
                "SELECT pickup_day, stray, timed_seconds, file_month, "
                f"{_counted_columns(dataset)} FROM storage.{dataset.table}"
            ).fetchall()
            for dataset in DATASETS.values()
        }
    names = ("pickup_day", "stray", "timed_seconds")
    for dataset, rows in stored.items():
        for *derived, month, pickup, dropoff, payment, zone, to, d, f, t, m in rows:
            file = TripFile(dataset, Month(month // 100, month % 100))
            trip = _trip_as_counted(file.filename, pickup, dropoff, payment, zone, to, d, f, t, m)
            assert derived == [trip[name] for name in names]


def _counted_columns(dataset: Dataset) -> str:
    """The columns of a trip that `_trip_as_counted` takes, NULL for those the dataset lacks."""
    names = (dataset.pickup, dataset.dropoff, "payment_type", "PULocationID", "DOLocationID")
    names += ("total_amount", "fare_amount", "tip_amount", "trip_distance")
    return ", ".join(name if dataset.has(name) else f"NULL AS {name}" for name in names)


def _trip_as_counted(
    filename: str,
    pickup: datetime | None,
    dropoff: datetime | None,
    payment: int | None,
    zone: int | None,
    to: int | None,
    *amounts: Decimal | None,
) -> dict[str, Any]:
    """Return the keys that a trip is counted under in rollups, and what it adds to their sums."""
    dollars, fare, tip, miles = amounts
    taken = dropoff - pickup if pickup and dropoff else timedelta()
    timed = miles is not None and 0 < miles <= 200
    timed = timed and timedelta(minutes=1) <= taken <= timedelta(hours=6)
    absurd = miles is not None and not 0 <= miles <= 100
    began = zone in (1, 132, 138)
    ended = to in (1, 132, 138)
    return {
        "filename": filename,
        "pickup_day": pickup.date() if pickup else None,
        "pickup_month": pickup.date().replace(day=1) if pickup else None,
        "weekday": pickup.weekday() if pickup else None,
        "pickup_hour": pickup.hour if pickup else None,
        "stray": pickup is None or f"{pickup:%Y-%m}" not in filename,
        "payment_type": payment,
        "PULocationID": zone,
        "airport": zone if began else to if ended else None,
        "began_there": began,
        "fare step": _step(fare, 1, 100),
        "half_miles": _step(miles, 2, 30),
        "trips": 1,
        "total_amount": dollars,
        "fare_amount": fare,
        "tip_amount": tip,
        "trip_distance": miles,
        "fares": int(fare is not None),
        "distances": int(miles is not None),
        "absurd_miles": miles if absurd else None,
        "absurd_distances": int(absurd),
        "timed_miles": miles if timed else None,
        "timed_seconds": taken // timedelta(seconds=1) if timed else None,
    }


def _step(value: Decimal | None, steps: int, top: int) -> Decimal | None:
    """A value rounded down to a step of the distributions."""
    if value is None:
        return None
    return Decimal(-1) if value < 0 else min(Decimal(top), Decimal(int(value * steps)) / steps)


def _summed(
    trips: Iterable[dict[str, Any]], keys: tuple[str, ...], sums: tuple[str, ...]
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The rows of a rollup for these trips."""
    steps = {"fare_amount": "fare step", "trip_distance": "half_miles"}
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for trip in trips:
        groups.setdefault(tuple(trip[steps.get(key, key)] for key in keys), []).append(trip)

    def total(group: list[dict[str, Any]], name: str) -> Any:
        known = [trip[name] for trip in group if trip[name] is not None]
        return sum(known) if known else None

    return {key: tuple(total(group, name) for name in sums) for key, group in groups.items()}
