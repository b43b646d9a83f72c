"""Columns of every parquet type, drawn at random, with the text of each value."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.columns import Column
from tests.support.cells import draw_number, draw_time
from tests.support.files import GREEN, trip

ZONES = ("America/New_York", "UTC", "Asia/Kolkata", "-04:00", "+05:30")
_EPOCH = datetime(1970, 1, 1)


def _integers(low: int, high: int) -> Callable[[random.Random], int]:
    def draw(rng: random.Random) -> int:
        value = rng.choice([0, 1, 2, 9, 265, 32_767, 32_768, -1, -32_769, low, high])
        return min(max(value if rng.random() < 0.5 else rng.randint(-9, 300), low), high)

    return draw


def _float(rng: random.Random) -> float:
    odd = [math.nan, math.inf, -math.inf, 1e20, 1e-9, 0.005, 1.005, 2.675, -0.0, 1e7]
    odd += [0.00499999995, 0.0049999995, 9999999.995]
    if rng.random() < 0.3:
        return rng.choice(odd)
    return rng.choice(
        [float(rng.randint(-5, 300)), round(rng.uniform(-90, 900), rng.randint(1, 12))]
    )


def _decimal(scale: int) -> Callable[[random.Random], Decimal]:
    return lambda rng: Decimal(rng.randint(-(10**9), 10**9)).scaleb(-scale)


def _time(rng: random.Random) -> datetime:
    odd = [datetime(1900, 1, 1), datetime(1899, 12, 31), datetime(2041, 2, 3), datetime(2, 1, 1)]
    moment = _EPOCH + timedelta(seconds=rng.randint(-(10**9), 2 * 10**9))
    return rng.choice(odd) if rng.random() < 0.1 else moment


def _precise(unit: int) -> Callable[[random.Random], int]:
    """Return a function that draws a time as a number of units of a second since 1970."""

    def draw(rng: random.Random) -> int:
        whole = (
            int((_time(rng) - _EPOCH).total_seconds()) if unit < 10**9 else rng.randint(0, 10**9)
        )
        return whole * unit + rng.choice([0, 0, 0, rng.randint(0, unit - 1)])

    return draw


def _text(rng: random.Random) -> str:
    return rng.choice(
        ["Y", "N", "true", "0", "1.0", "", " ", "NULL", "nan", draw_number(rng, "."),
         draw_time(rng, "month"), "x"]
    )  # fmt: skip


_TYPES: dict[str, tuple[pa.DataType, Callable[[random.Random], Any]]] = {
    "int8": (pa.int8(), _integers(-128, 127)),
    "int16": (pa.int16(), _integers(-32_768, 32_767)),
    "int32": (pa.int32(), _integers(-(2**31), 2**31 - 1)),
    "int64": (pa.int64(), _integers(-(2**63), 2**63 - 1)),
    "uint8": (pa.uint8(), _integers(0, 255)),
    "uint16": (pa.uint16(), _integers(0, 2**16 - 1)),
    "uint32": (pa.uint32(), _integers(0, 2**32 - 1)),
    "uint64": (pa.uint64(), _integers(0, 2**64 - 1)),
    "float": (pa.float32(), _float),
    "double": (pa.float64(), _float),
    "decimal 2": (pa.decimal128(18, 2), _decimal(2)),
    "decimal 0": (pa.decimal128(10, 0), _decimal(0)),
    "decimal 12": (pa.decimal128(38, 12), _decimal(12)),
    "boolean": (pa.bool_(), lambda rng: rng.random() < 0.5),
    "string": (pa.string(), _text),
    "large string": (pa.large_string(), _text),
    "binary": (pa.binary(), lambda rng: _text(rng).encode()),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), lambda rng: rng.choice(["Y", "N", "1"])),
    "null": (pa.null(), lambda _: None),
    "date": (pa.date32(), lambda rng: _time(rng).date()),
    "time": (pa.time64("us"), lambda rng: _time(rng).time()),
    "timestamp s": (pa.timestamp("s"), _precise(1)),
    "timestamp ms": (pa.timestamp("ms"), _precise(1000)),
    "timestamp us": (pa.timestamp("us"), _precise(10**6)),
    "timestamp ns": (pa.timestamp("ns"), _precise(10**9)),
    "timestamp ns zoned": (pa.timestamp("ns", "America/New_York"), _precise(10**9)),
    **{f"timestamp {zone}": (pa.timestamp("us", zone), _precise(10**6)) for zone in ZONES},
}
TYPE_NAMES = tuple(_TYPES)


def draw_column(rng: random.Random, type_name: str, count: int) -> tuple[pa.Array, list[str]]:
    """Return values of a type, and the text of each; "" for NULL."""
    kind, draw = _TYPES[type_name]
    values = [None if rng.random() < 0.1 else draw(rng) for _ in range(count)]
    array = pa.array(values, kind)
    return array, [
        _text_of(value, kind, single) for value, single in zip(values, array, strict=True)
    ]


def write_column(path: Path, column: Column, array: pa.Array, **options: Any) -> None:
    """Write a parquet file whose other columns are plain; tolls_amount numbers the rows."""
    plain = trip(GREEN)
    arrays: dict[str, Any] = {
        "VendorID": pa.array([2] * len(array), pa.int64()),
        "lpep_pickup_datetime": pa.array(
            [datetime(2020, 4, 1, 8)] * len(array), pa.timestamp("us")
        ),
        "lpep_dropoff_datetime": pa.array(
            [datetime(2020, 4, 1, 9)] * len(array), pa.timestamp("us")
        ),
        "PULocationID": pa.array([42] * len(array), pa.int64()),
        "DOLocationID": pa.array([41] * len(array), pa.int64()),
        "total_amount": pa.array([float(plain["total_amount"])] * len(array)),
        "tolls_amount": pa.array([number / 100 for number in range(len(array))]),
    }
    pq.write_table(pa.table(arrays | {column.name: array}), path, **options)


def _text_of(value: Any, kind: pa.DataType, single: Any) -> str:
    if value is None:
        return ""
    if pa.types.is_timestamp(kind):
        units = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}[kind.unit]
        micros = value * units // 1000  # what is beyond microseconds is cut
        moment = _EPOCH + timedelta(microseconds=micros)
        if kind.tz:
            moment = _wall_clock(moment, kind.tz)
        return moment.isoformat(" ")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(single.as_py())  # of 32 bits, as the file has it
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (date, time)):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _wall_clock(moment: datetime, zone: str) -> datetime:
    if zone[0] in "+-":
        minutes = int(zone[1:3]) * 60 + int(zone[4:])
        return moment + timedelta(minutes=minutes if zone[0] == "+" else -minutes)
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
