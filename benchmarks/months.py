"""Trip files of 31 months of both colors in their real sizes, with made-up rows.

The sizes are the rows of the files that the default source publishes (2019-01 to 2021-07). The rows
are drawn by DuckDB, fast rather than faithful: real columns and types, missing vendors, a void for
one trip in four hundred, and no trip like another one.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
from isal import igzip

from pipeline.trips import COLUMNS, Color, Month, TripFile

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
FIRST, LAST = Month(2019, 1), Month(2021, 7)
SIZES = {
    TripFile(color, FIRST.plus(number)): int(rows)
    for color, sizes in ((Color.YELLOW, _YELLOW), (Color.GREEN, _GREEN))
    for number, rows in enumerate(sizes.split())
}
"""Rows of each file, by its color and month."""

# One trip in four hundred is followed by its void: the same trip, and the opposite amounts.
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
            NULL AS ehail_fee,
            CASE WHEN NOT unknown THEN 1 END AS trip_type
        FROM draws
    )
"""


@dataclass(frozen=True)
class Made:
    """A generated file: its rows and dollars, worked out without reading it, and its bytes."""

    rows: int
    dollars: Decimal
    bytes: int


def make_months(folder: Path, scale: float) -> dict[TripFile, Made]:
    """Write the csv.gz of every month into a folder, but for those that are there already.

    `scale` is the share of the real rows to write; what was made is noted in `made.json`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "made.json"
    known: dict[str, list[str]] = json.loads(note.read_text()) if note.exists() else {}
    made = {}
    for file, size in SIZES.items():
        path, rows = folder / f"{file.stem}.csv.gz", max(1000, round(size * scale))
        found = known.get(path.name)
        if found is None or int(found[0]) != rows or not path.exists():
            found = [str(rows), str(_write(file, rows, path))]
            known[path.name] = found
            note.write_text(json.dumps(known, indent=1))
        made[file] = Made(rows, Decimal(found[1]), path.stat().st_size)
    return made


def _write(file: TripFile, rows: int, path: Path) -> Decimal:
    """Write one file of so many rows; return its sum of total_amount."""
    values = {
        "rows": str(rows),
        "seed": str(file.month.year * 1000 + file.month.month * 10 + (file.color == Color.GREEN)),
        "month": f"TIMESTAMP '{file.month}-01'",
        "seconds": str(27 * 86_400),
        "without_vendor": "37" if file.color == Color.GREEN else "4",
    }
    trips = _TRIPS
    for name, value in values.items():
        trips = trips.replace(f"${name}", value)
    columns = ", ".join(column.name for column in COLUMNS[file.color] if not column.fee)
    text, packed = path.with_suffix(""), path.with_suffix(".new")
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"COPY ({trips} SELECT {columns} FROM trips) TO '{text}' (HEADER)")
        with text.open("rb") as source, igzip.open(packed, "wb") as target:  # far faster than COPY
            shutil.copyfileobj(source, target, 2**20)
        text.unlink()
        packed.replace(path)
        (dollars,) = connection.execute(f"{trips} SELECT sum(total_amount) FROM trips").fetchone()  # type: ignore[misc]
    return Decimal(dollars).quantize(Decimal("0.01"))
