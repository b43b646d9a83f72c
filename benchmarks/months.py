"""Generate trip files with the row counts of the real files.

The counts are those of the default source's files: yellow and green of 2019-01 to 2021-07, and
for-hire vehicles of 2019. DuckDB generates the rows for speed, not realism: real columns and types,
missing vendors or zones, one void in four hundred rows (of for-hire vehicles: one trip that is
repeated), and otherwise no two equal trips.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
from isal import igzip

from pipeline.core.datasets import FOR_HIRE_VEHICLES, GREEN_TAXIS, YELLOW_TAXIS, Dataset
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse.measures import has_amount

_YELLOW = (
    "7667792 7019375 7832545 7433139 7565261 6941024 6310419 6073357 6567788 7213891 6878111 "
    "6896317 6405008 6299354 3007292 237993 348371 549760 800412 1007284 1341012 1681131 1508985 "
    "1461897 1369765 1371708 1925152 2171187 2507109 2834264 2821746"
)
_GREEN = (
    "630918 575685 601102 514392 504887 471052 470743 449695 449063 476386 449500 450627 447770 "
    "398632 223406 35612 57360 63109 72257 81063 87987 95120 88605 83130 76518 64572 83827 76136 "
    "88180 86737 83691"
)
_FOR_HIRE = (
    "23143222 1707649 1475564 1937844 2073045 2009886 1947739 1880407 1248514 1897493 1879137 "
    "2044196"
)
FIRST, LAST = Month(2019, 1), Month(2021, 7)
SIZES = {
    TripFile(dataset, FIRST.plus(number)): int(rows)
    for dataset, sizes in (
        (YELLOW_TAXIS, _YELLOW),
        (GREEN_TAXIS, _GREEN),
        (FOR_HIRE_VEHICLES, _FOR_HIRE),
    )
    for number, rows in enumerate(sizes.split())
}
"""Rows of each file."""

# One trip in four hundred is followed by its void: the same trip with the opposite amounts.
_TRIPS = """
    WITH draws AS (
        SELECT
            i % 400 = 3 AS void,
            CASE WHEN i % 400 = 3 THEN i - 1 ELSE i END AS j,
            hash(j * 31 + $seed) AS a,
            hash(j * 77 + $seed + 5) AS b,
            CAST((b % 9000) / 100 AS DECIMAL(9, 2)) AS meter,
            CAST((a >> 20) % 500 / 100 AS DECIMAL(9, 2)) AS tip,
            a % 100 < $without_vendor AS unknown,
            $month + to_seconds(CAST(j * $seconds // $rows AS BIGINT)) AS pickup
        FROM range($rows) AS numbers (i)
    ),
    trips AS (
        SELECT
            CASE WHEN NOT unknown THEN 1 + a % 2 END AS VendorID,
            pickup AS tpep_pickup_datetime,
            pickup + to_seconds(CAST(60 + a % 2400 AS BIGINT)) AS tpep_dropoff_datetime,
            CASE WHEN NOT unknown THEN b % 6 END AS passenger_count,
            CAST((b % 3000) / 100 AS DECIMAL(9, 2)) AS trip_distance,
            CASE WHEN NOT unknown THEN 1 END AS RatecodeID,
            CASE WHEN NOT unknown THEN 'N' END AS store_and_fwd_flag,
            1 + (a >> 5) % 263 AS PULocationID,
            1 + (b >> 5) % 263 AS DOLocationID,
            CASE WHEN NOT unknown THEN if(void, 4, 1 + (b >> 9) % 2) END AS payment_type,
            if(void, -1, 1) * (3 + meter) AS fare_amount,
            if(void, -1, 1) * 0.5 AS extra,
            if(void, -1, 1) * 0.5 AS mta_tax,
            if(void, -1, 1) * tip AS tip_amount,
            0 AS tolls_amount,
            if(void, -1, 1) * 0.3 AS improvement_surcharge,
            if(void, -1, 1) * (6.8 + meter + tip) AS total_amount,
            if(void, -1, 1) * 2.5 AS congestion_surcharge,
            tpep_pickup_datetime AS lpep_pickup_datetime,
            tpep_dropoff_datetime AS lpep_dropoff_datetime,
            'B' || lpad(CAST(a % 900 AS VARCHAR), 5, '0') AS dispatching_base_num,
            pickup AS pickup_datetime,
            tpep_dropoff_datetime AS dropOff_datetime,
            if(unknown, NULL, 1 + (a >> 5) % 263) AS PUlocationID,
            if(unknown, NULL, 1 + (b >> 5) % 263) AS DOlocationID,
            if(b % 3 = 0, 1, NULL) AS SR_Flag,
            'B' || lpad(CAST(b % 900 AS VARCHAR), 5, '0') AS Affiliated_base_number,
            NULL AS ehail_fee,
            CASE WHEN NOT unknown THEN 1 END AS trip_type
        FROM draws
    )
"""


@dataclass(frozen=True)
class GeneratedFile:
    """A generated file.

    Attributes:
        dollars: Its sum of total_amount, computed without reading the file; None without amounts.
    """

    rows: int
    dollars: Decimal | None
    bytes: int


def make_months(
    folder: Path, scale: float, datasets: Collection[Dataset]
) -> dict[TripFile, GeneratedFile]:
    """Write the csv.gz of every month into a folder, except those that an earlier call wrote.

    Args:
        scale: Share of the real rows to write. `made.json` in the folder records the rows and
            dollars of each written file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    totals_path = folder / "made.json"
    known_totals: dict[str, list[str | None]] = (
        json.loads(totals_path.read_text()) if totals_path.exists() else {}
    )
    generated = {}
    for file, size in SIZES.items():
        if file.dataset not in datasets:
            continue
        path, rows = folder / f"{file.stem}.csv.gz", max(1000, round(size * scale))
        totals = known_totals.get(path.name)
        if totals is None or totals[0] != str(rows) or not path.exists():
            dollars = _write(file, rows, path)
            totals = [str(rows), None if dollars is None else str(dollars)]
            known_totals[path.name] = totals
            totals_path.write_text(json.dumps(known_totals, indent=1))
        sum_ = None if totals[1] is None else Decimal(totals[1])
        generated[file] = GeneratedFile(rows, sum_, path.stat().st_size)
    return generated


def _write(file: TripFile, rows: int, path: Path) -> Decimal | None:
    """Write one file with `rows` rows and return its sum of total_amount, if it has amounts."""
    values = {
        "rows": str(rows),
        "seed": str(file.month.year * 1000 + file.month.month * 10 + (file.dataset == GREEN_TAXIS)),
        "month": f"TIMESTAMP '{file.month}-01'",
        "seconds": str(27 * 86_400),
        "without_vendor": "4" if file.dataset == YELLOW_TAXIS else "37",
    }
    trips = _TRIPS
    for name, value in values.items():
        trips = trips.replace(f"${name}", value)
    columns = ", ".join(column.name for column in file.dataset.columns if not column.fee)
    text, packed = path.with_suffix(""), path.with_suffix(".new")
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"COPY ({trips} SELECT {columns} FROM trips) TO '{text}' (HEADER)")
        with (
            text.open("rb") as source,
            igzip.open(packed, "wb") as target,
        ):  # faster than COPY
            shutil.copyfileobj(source, target, 2**20)
        text.unlink()
        packed.replace(path)
        if not has_amount(file.dataset):
            return None
        total = f"{trips} SELECT sum(total_amount) FROM trips"
        ((dollars,),) = connection.execute(total).fetchall()
    return Decimal(dollars).quantize(Decimal("0.01"))
