"""What is and what is not a trip file, byte by byte."""

from __future__ import annotations

import gzip
import hashlib
import re
import time
import zlib
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import GREEN_TAXIS, YELLOW_TAXIS
from pipeline.core.errors import Cancelled, TripFileError
from pipeline.core.lines import LineCounter
from pipeline.core.trips import Month, TripFile
from pipeline.files.offers import Format
from pipeline.files.verify import VerifiedContent, verify

GREEN = TripFile(GREEN_TAXIS, Month(2020, 4))
YELLOW = TripFile(YELLOW_TAXIS, Month(2020, 4))
NAMES = tuple(column.name for column in GREEN_TAXIS.columns if not column.fee)
HEADER = ",".join(NAMES).encode()
ROW = b"2,2020-04-01 08:00:00,2020-04-01 08:12:30,N,1,42,41,1,1.68,8,0.5,0.5,0,0,,0.3,9.3,1,1,0"
GIB = 2**30
ADDRESS = "https://example.org/green_tripdata_2020-04"


def check(
    tmp_path: Path,
    content: bytes,
    format: Format = "csv.gz",
    file: TripFile = GREEN,
    limit: int = 4 * GIB,
    cancel: Cancel | None = None,
) -> VerifiedContent:
    path = tmp_path / "a file"
    path.write_bytes(content)
    return verify(path, file, format, ADDRESS, limit, cancel or Cancel())


def packed(text: bytes) -> bytes:
    return gzip.compress(text, mtime=0)


def parquet(tmp_path: Path, select: str) -> bytes:
    path = tmp_path / "made.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


def green_select(rows: int = 3, names: tuple[str, ...] = NAMES) -> str:
    return f"SELECT {', '.join(f'1 AS {name}' for name in names)} FROM range({rows})"


def naive_lines(text: bytes) -> tuple[bytes, int]:
    """First line and number of non-blank lines after it, written as plainly as can be."""
    first, *rest = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return first, len([line for line in rest if line])


@given(
    st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"a", b"bc", b"\0", b"\xff", b" "])),
    st.lists(st.integers(0, 60)),
)
@example([b"h", b"\r", b"\n", b"a", b"\r", b"\n", b"\n", b"b"], [2, 5])
def test_line_count_does_not_depend_on_chunk_borders(pieces: list[bytes], cuts: list[int]) -> None:
    text = b"".join(pieces)
    lines = LineCounter()
    for start, stop in pairwise([0, *sorted(cuts), len(text)]):
        lines.feed(text[start:stop])
    assert (lines.finish(), lines.count) == naive_lines(text)
    assert lines.carriage_returns == (b"\r" in text)


@pytest.mark.parametrize("format", ["csv", "csv.gz"])
def test_csv_is_verified_with_its_metadata(tmp_path: Path, format: Format) -> None:
    text = HEADER + b"\n" + ROW + b"\n\n" + ROW
    content = packed(text) if format == "csv.gz" else text
    assert check(tmp_path, content, format) == VerifiedContent(
        len(content), hashlib.sha256(content).hexdigest(), NAMES, 2, False
    )


def test_parquet_is_verified_with_its_metadata(tmp_path: Path) -> None:
    content = parquet(tmp_path, green_select(3))
    assert check(tmp_path, content, "parquet") == VerifiedContent(
        len(content), hashlib.sha256(content).hexdigest(), NAMES, 3, False
    )


def test_lines_are_counted_across_many_chunks(tmp_path: Path) -> None:
    text = HEADER + b"\r\n" + (ROW + b"\r\n") * 40_000
    facts = check(tmp_path, packed(text))
    assert (facts.data_lines, facts.carriage_returns) == (40_000, True)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("format", ["csv", "csv.gz"])
def test_csv_with_header_only_is_a_month_without_trips(
    tmp_path: Path, format: Format, end: bytes
) -> None:
    text = HEADER + end
    facts = check(tmp_path, packed(text) if format == "csv.gz" else text, format)
    assert (facts.header, facts.data_lines) == (NAMES, 0)


def test_parquet_without_rows_is_a_month_without_trips(tmp_path: Path) -> None:
    assert check(tmp_path, parquet(tmp_path, green_select(0)), "parquet").data_lines == 0


def test_byte_order_mark_and_quotes_are_not_part_of_a_column_name(tmp_path: Path) -> None:
    header = ",".join(f'"{name}"' for name in NAMES).encode()
    assert check(tmp_path, b"\xef\xbb\xbf" + header + b"\n" + ROW, "csv").header == NAMES


def test_columns_match_in_any_order_and_case_and_beside_others(tmp_path: Path) -> None:
    names = ("extra_one", *(name.upper() for name in reversed(NAMES)))
    assert check(tmp_path, ",".join(names).encode(), "csv").header == names
    content = parquet(tmp_path, green_select(1, names))
    assert check(tmp_path, content, "parquet").header == names


def test_columns_that_are_not_the_identity_may_be_missing(tmp_path: Path) -> None:
    names = tuple(column.name for column in GREEN_TAXIS.columns if column.identity)
    assert check(tmp_path, ",".join(names).encode(), "csv").header == names


def test_gzip_truncated_at_any_byte_is_refused(tmp_path: Path) -> None:
    content = packed(HEADER + b"\n" + ROW + b"\n" + ROW[::-1])
    assert check(tmp_path, content).data_lines == 2
    for size in range(len(content)):
        with pytest.raises(TripFileError, match=r"truncated|empty|not gzip"):
            check(tmp_path, content[:size])


def test_flipped_bit_anywhere_in_compressed_data_is_refused(tmp_path: Path) -> None:
    content = packed(HEADER + b"\n" + ROW + b"\n")
    for place in range(10, len(content)):  # what precedes is the name and time in gzip's header
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        with pytest.raises(TripFileError):
            check(tmp_path, bytes(damaged))


def test_gzip_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    content = packed(HEADER + b"\n" + ROW) + packed(b"\n" + ROW + b"\n") + packed(ROW)
    assert check(tmp_path, content).data_lines == 3


def test_damaged_second_gzip_member_is_refused(tmp_path: Path) -> None:
    content = packed(HEADER + b"\n") + packed(ROW)[:-3]
    with pytest.raises(TripFileError, match="truncated"):
        check(tmp_path, content)


def test_zeros_after_a_gzip_are_padding(tmp_path: Path) -> None:
    content = packed(HEADER + b"\n" + ROW) + bytes(3_000_000)
    facts = check(tmp_path, content)
    assert facts.data_lines == 1
    assert facts.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "garbage", [b"x", b"\x1f", b"\x1f\x8b", b"\0\0more", bytes(3_000_000) + b"more"]
)
def test_other_bytes_after_a_gzip_are_refused(tmp_path: Path, garbage: bytes) -> None:
    with pytest.raises(TripFileError, match=r"more bytes? after the end|truncated"):
        check(tmp_path, packed(HEADER + b"\n" + ROW) + garbage)


@pytest.mark.parametrize(
    ("content", "format", "reason"),
    [
        (b"", "csv.gz", "is empty"),
        (b"", "csv", "is empty"),
        (b"", "parquet", "is empty"),
        (packed(b""), "csv.gz", "is empty"),
        (HEADER, "csv.gz", "is not gzip"),
        (packed(HEADER), "parquet", "is not parquet"),
        (b"PAR1", "parquet", "truncated"),
        (b"PAR1" + b"\0" * 40, "parquet", "truncated"),
        (b"PAR1" + b"\0" * 40 + b"PAR1", "parquet", "footer cannot be read"),
        (b"\0" * 99 + b"\n", "csv", "first line that is not text"),
        (HEADER.decode().encode("utf-16"), "csv", "first line that is not text"),
        (b"\n" + HEADER, "csv", "a blank first line"),
        (ROW + b"\n" + ROW, "csv", "has no header: its first line is data (2, 2020-04-01 08:00:00"),
        (HEADER.replace(b",", b";"), "csv", "lacks VendorID, lpep_pickup_datetime"),
        (HEADER.replace(b"PULocationID", b"Start"), "csv", "lacks PULocationID, which"),
        (HEADER.replace(b"PULocationID", b"Start_Lon"), "csv", "has coordinates instead of zones"),
        (HEADER + b",vendorid ", "csv", "has the column vendorid twice"),
        (HEADER.replace(b"lpep", b"tpep"), "csv", "looks like a yellow file"),
    ],
)
def test_invalid_trip_file_is_refused_with_name_reason_and_cure(
    tmp_path: Path, content: bytes, format: Format, reason: str
) -> None:
    with pytest.raises(TripFileError, match=re.escape(reason)) as caught:
        check(tmp_path, content, format)
    assert caught.value.problem.startswith(f"green_tripdata_2020-04.csv from {ADDRESS} ")
    assert caught.value.cure


def test_parquet_of_the_other_color_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TripFileError, match=r"lacks tpep_pickup.* looks like a green file"):
        check(tmp_path, parquet(tmp_path, green_select()), "parquet", YELLOW)


def test_parquet_with_a_duplicate_column_is_refused(tmp_path: Path) -> None:
    content = parquet(tmp_path, green_select(1, (*NAMES, "Fare_AmounX")))
    assert content.count(b"Fare_AmounX") >= 1
    with pytest.raises(TripFileError, match="fare_amount twice"):
        check(tmp_path, content.replace(b"Fare_AmounX", b"Fare_AmounT"), "parquet")


def test_column_that_is_not_loaded_may_occur_twice(tmp_path: Path) -> None:
    content = parquet(tmp_path, green_select(1, (*NAMES, "notes", "noteX")))
    check(tmp_path, content.replace(b"noteX", b"noteS"), "parquet")


def test_parquet_truncated_at_any_byte_is_refused(tmp_path: Path) -> None:
    content = parquet(tmp_path, green_select(1))
    for size in range(0, len(content), 7):
        with pytest.raises(TripFileError, match=r"truncated|empty|not parquet"):
            check(tmp_path, content[:size], "parquet")


def test_parquet_of_endless_equal_rows_is_refused_by_the_limit(tmp_path: Path) -> None:
    content = parquet(tmp_path, green_select(1_000_000))
    assert len(content) < 1_000_000
    with pytest.raises(TripFileError, match=r"larger than 0\.\d+ GiB when unpacked"):
        check(tmp_path, content, "parquet", limit=10_000_000)


def zeros(size: int) -> bytes:
    """A gzip of this many zeros, made without packing them one by one."""
    packer = zlib.compressobj(wbits=-15)
    block = 2**24
    deflated = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + deflated * (size // block)


def test_ten_gigabytes_of_zeros_are_refused_at_once(tmp_path: Path) -> None:
    content = zeros(10 * GIB)
    assert len(content) < 20_000_000
    started = time.process_time()
    with pytest.raises(TripFileError, match="first line of more than 64 KiB"):
        check(tmp_path, content)
    assert time.process_time() - started < 0.5


def test_zeros_after_a_valid_header_are_refused_at_once(tmp_path: Path) -> None:
    started = time.process_time()
    with pytest.raises(TripFileError, match="line of more than 1 MiB"):
        check(tmp_path, packed(HEADER + b"\n") + zeros(10 * GIB))
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("format", ["csv", "csv.gz"])
def test_more_text_than_the_limit_is_refused(tmp_path: Path, format: Format) -> None:
    text = HEADER + b"\n" * 3_000_000
    content = packed(text) if format == "csv.gz" else text
    assert check(tmp_path, content, format, limit=len(text)).data_lines == 0
    with pytest.raises(TripFileError, match=r"larger than .* GiB when unpacked.*MAX_UNPACKED"):
        check(tmp_path, content, format, limit=len(text) - 1)


@pytest.mark.parametrize("length", [2**20 - 1, 2**20, 2**20 + 1])
def test_line_of_one_mebibyte_is_accepted_and_a_longer_one_refused(
    tmp_path: Path, length: int
) -> None:
    text = HEADER + b"\n" + ROW + b"\n" + b"x" * length + b"\n" + ROW
    if length <= 2**20:
        assert check(tmp_path, text, "csv").data_lines == 3
    else:
        with pytest.raises(TripFileError, match="line of more than 1 MiB"):
            check(tmp_path, text, "csv")


def test_cancel_stops_the_verification(tmp_path: Path) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        check(tmp_path, packed(HEADER), cancel=cancel)


REAL = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real trip files are not here")
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("releases/green/green_tripdata_2020-04.csv.gz", 35_612),
        ("releases/green/green_tripdata_2020-08.csv.gz", 81_063),
        ("releases/yellow/yellow_tripdata_2020-05.csv.gz", 10_000),
        ("trip-data/green_tripdata_2020-04.parquet", 35_644),
    ],
)
def test_real_files_verify_with_their_known_counts(name: str, rows: int) -> None:
    path = REAL / name
    format: Format = "parquet" if name.endswith("parquet") else "csv.gz"
    facts = verify(path, TripFile.parse(path.name), format, name, GIB, Cancel())
    assert facts.data_lines == rows
