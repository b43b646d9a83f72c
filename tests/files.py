"""Trip files made by the tests, and the shortest way to load one."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from pipeline.cancel import Cancel
from pipeline.download import StagedFile, stage
from pipeline.history import History
from pipeline.jobs import Backfill, prepare_plan, run_backfill
from pipeline.plan import Policy, Request
from pipeline.run_records import RunFile
from pipeline.settings import Settings
from pipeline.sources import Missing, open_source
from pipeline.trips import COLUMNS, Color, Month, Selection, TripFile
from pipeline.warehouse import LedgerEntry, LoadJob, Warehouse, Watch, open_warehouse

GREEN = TripFile(Color.GREEN, Month(2020, 4))
YELLOW = TripFile(Color.YELLOW, Month(2020, 4))

# The target of the tests' settings, by their home, where it is not local.
TARGETS: dict[Path, str] = {}


def warehouse(settings: Settings) -> Warehouse:
    """The warehouse a test is about."""
    return open_warehouse(target(settings), settings)


def target(settings: Settings) -> str:
    """The name of the warehouse a test is about: local or gcp."""
    return TARGETS.get(settings.home, "local")


def header(color: Color) -> list[str]:
    """The column names of a published csv.gz of this color, in table order."""
    return [column.name for column in COLUMNS[color] if not column.fee]


def trip(file: TripFile, **changes: Any) -> dict[str, Any]:
    """One plausible row of this file, with some cells changed; None is an empty cell."""
    prefix = "lpep" if file.color == Color.GREEN else "tpep"
    row: dict[str, Any] = {
        "VendorID": "2",
        f"{prefix}_pickup_datetime": f"{file.month}-01 08:00:00",
        f"{prefix}_dropoff_datetime": f"{file.month}-01 08:12:30",
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
    }
    if file.color == Color.GREEN:
        row |= {"ehail_fee": None, "trip_type": "1"}
    short = {"pickup": f"{prefix}_pickup_datetime", "dropoff": f"{prefix}_dropoff_datetime"}
    return row | {short.get(name, name): value for name, value in changes.items()}


def csv_bytes(
    file: TripFile,
    rows: Iterable[Mapping[str, Any]],
    names: list[str] | None = None,
    newline: str = "\n",
) -> bytes:
    """The rows as an unpacked CSV with the official header, or with these column names."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text, names or header(file.color), lineterminator=newline, extrasaction="ignore"
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
    watch = Watch(on_note=notes.append if notes is not None else lambda _: None)
    with warehouse(settings) as opened:
        staged = stage_from(folder, file, settings)
        return opened.load(staged, LoadJob("a-run", str(folder)), watch)


def request(source: object, *files: TripFile, **options: Any) -> Request:
    """A request for the range of colors and months that these files span."""
    months = [file.month for file in files]
    colors = tuple(dict.fromkeys(file.color for file in files))
    return Request(
        Selection(colors, min(months), max(months)),
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
        f"SELECT total_amount FROM {file.color.table} WHERE filename = '{file.filename}'",
    )
    return sorted(f"{amount:.2f}" for (amount,) in found)


def assert_summaries_agree(settings: Settings) -> None:
    """The sums that charts are drawn from are those of the trips, file by file, zone by zone."""
    for color in Color:
        loaded = rows(
            settings,
            "SELECT filename, PULocationID, payment_type, count(*), sum(total_amount)"
            f" FROM {color.table} GROUP BY filename, PULocationID, payment_type",
        )
        zones = rows(
            settings,
            "SELECT filename, PULocationID, payment_type, sum(trips), sum(total_amount)"
            f" FROM zone_summary WHERE color = '{color}'"
            " GROUP BY filename, PULocationID, payment_type",
        )
        assert Counter(zones) == Counter(loaded)
        pickup, dropoff = color.pickup, color.dropoff
        told = rows(
            settings,
            f"SELECT filename, {pickup}, {dropoff}, payment_type, total_amount, fare_amount,"
            f" tip_amount, trip_distance FROM {color.table}",
        )
        kept = rows(
            settings,
            "SELECT filename, pickup_day, pickup_hour, payment_type, stray, trips,"
            " total_amount, fare_amount, tip_amount, trip_distance, fares, distances,"
            f" timed_miles, timed_seconds FROM trip_summary WHERE color = '{color}'",
        )
        assert {row[:5]: row[5:] for row in kept} == _summed(told)
        assert len(kept) == len(_summed(told))


def _summed(trips: Iterable[tuple[Any, ...]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The rows of trip_summary for these trips, worked out without SQL."""
    groups: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for filename, pickup, dropoff, payment, *amounts in trips:
        day, hour = (pickup.date(), pickup.hour) if pickup else (None, None)
        stray = pickup is None or f"{pickup:%Y-%m}" not in filename
        taken = dropoff - pickup if pickup and dropoff else timedelta()
        far = amounts[3] is not None and 0 < amounts[3] <= 200
        timed = far and timedelta(minutes=1) <= taken <= timedelta(hours=6)
        seconds = taken // timedelta(seconds=1) if timed else None
        group = groups.setdefault((filename, day, hour, payment, stray), [])
        group.append((*amounts, amounts[3] if timed else None, seconds))

    def total(values: Iterable[Any]) -> Any:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    found = {}
    for key, group in groups.items():
        dollars, fares, tips, miles, timed_miles, seconds = zip(*group, strict=True)
        sums = [total(values) for values in (dollars, fares, tips, miles)]
        known_counts = [sum(v is not None for v in values) for values in (fares, miles)]
        found[key] = (len(group), *sums, *known_counts, total(timed_miles), total(seconds))
    return found
