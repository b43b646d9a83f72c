"""Looking inside a file: what is said of it, against counts of the tests' own, and its price."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app as command
from pipeline.cancel import Cancel
from pipeline.errors import (
    Cancelled,
    NotPublished,
    SourceUnreachable,
    TripFileError,
    UsageError,
    WarehouseBusy,
)
from pipeline.locks import backfill_lock
from pipeline.preview import Preview, look_inside
from pipeline.preview.findings import Finding
from pipeline.preview.peek import HEAD_BYTES, PARQUET_BYTES, UNPACKED_BYTES
from pipeline.preview.profile import ColumnProfile
from pipeline.preview.schema import compare_schema
from pipeline.preview.subject import Subject, fetch_subject, find_subject, read_own
from pipeline.settings import Settings
from pipeline.sources import format_of
from pipeline.trips import Color, Month, TripFile
from tests.files import GREEN, YELLOW, csv_bytes, load, put, put_parquet, put_trips, trip
from tests.servers import Server, closed_port
from tests.test_cli import pipeline
from tests.test_real_files import DATA, RELEASES


def look(settings: Settings, path: Path, file: TripFile = GREEN) -> Preview:
    """A look inside a file of one's own."""
    return look_inside(read_own(path, file, settings, Cancel()), settings, Cancel())


def find(settings: Settings, source: object, file: TripFile = GREEN) -> Subject:
    """The subject that a source's file makes."""
    return find_subject(file, str(source), settings, Cancel())


def finding(preview: Preview, name: str) -> Finding:
    return next(finding for finding in preview.findings if finding.name == name)


def column(preview: Preview, name: str) -> ColumnProfile:
    return next(column for column in preview.profile if column.name == name)


def many(count: int) -> list[dict[str, Any]]:
    """Rows that hardly compress."""
    dice = random.Random(7)
    return [
        trip(
            GREEN,
            pickup=f"2020-04-{dice.randint(1, 30):02d} {dice.randint(0, 23):02d}:"
            f"{dice.randint(0, 59):02d}:{dice.randint(0, 59):02d}",
            PULocationID=str(dice.randint(1, 263)),
            trip_distance=f"{dice.uniform(0, 30):.2f}",
            fare_amount=f"{dice.uniform(3, 90):.2f}",
            total_amount=f"{dice.uniform(3, 99):.2f}",
        )
        for _ in range(count)
    ]


def test_of_a_csv_gz_at_an_address_a_few_hundred_kilobytes_are_fetched(
    settings: Settings,
) -> None:
    content = gzip.compress(csv_bytes(GREEN, many(16_000)), mtime=0)
    assert len(content) > HEAD_BYTES
    path = f"/{GREEN.stem}.csv.gz"
    with Server({path: content}) as server:
        subject = find(settings, server.url)
        assert server.sent == HEAD_BYTES
        preview = look_inside(subject, settings, Cancel())
        assert server.sent == HEAD_BYTES
    assert (subject.place, subject.whole, subject.rows) == ("source", False, None)
    assert (subject.bytes, subject.fetched) == (len(content), HEAD_BYTES)
    assert 2_000 < preview.rows < 16_000
    assert preview.rejected == 0
    expected = next(csv.DictReader(io.StringIO(csv_bytes(GREEN, many(1)).decode())))
    assert preview.sample[0]["total_amount"] == Decimal(expected["total_amount"])
    assert not (settings.staging / "green").exists()


def test_a_server_without_ranges_is_cut_short(settings: Settings) -> None:
    path = f"/{GREEN.stem}.csv"
    text = csv_bytes(GREEN, many(5_000)) + random.Random(1).randbytes(30_000_000)
    with Server({path: text}) as server:
        server.behave(path, ranges="ignore")
        subject = find(settings, server.url)
        assert subject.fetched == HEAD_BYTES
        assert server.sent < len(text) / 2  # what the sockets on both sides buffered


def big_parquet(folder: Path, rows_a_group: int) -> Path:
    """Write 400,000 rows that take more than a look may cost."""
    path = folder / f"{GREEN.stem}.parquet"
    duckdb.execute(
        "COPY (SELECT 2::BIGINT AS VendorID, TIMESTAMP '2020-04-01' + to_seconds(i) AS"
        " lpep_pickup_datetime, TIMESTAMP '2020-04-01 01:00:00' AS lpep_dropoff_datetime,"
        " (i % 263 + 1)::BIGINT AS PULocationID, 42::BIGINT AS DOLocationID,"
        " hash(i) % 100_000 / 100 AS total_amount, 1.0::DOUBLE AS RatecodeID"
        f" FROM range(400_000) t(i)) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {rows_a_group})"
    )
    assert path.stat().st_size > PARQUET_BYTES
    return path


def test_of_parquet_at_an_address_the_footer_and_a_few_rows_are_fetched(
    settings: Settings, folder: Path
) -> None:
    path = big_parquet(folder, 10_000)
    with Server({f"/{path.name}": path.read_bytes()}) as server:
        subject = find(settings, server.url)
        assert server.sent == subject.fetched < 500_000
        preview = look_inside(subject, settings, Cancel())
    assert (subject.rows, subject.whole) == (400_000, False)
    assert preview.rows == 1_000
    assert preview.sample[5]["PULocationID"] == 6
    rate = next(c for c in preview.schema if c.name == "RatecodeID")
    assert (rate.status, rate.file_type) == ("cast", "DOUBLE")


def test_of_parquet_whose_first_rows_are_large_only_the_columns_are_shown(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.preview.peek.PARQUET_BYTES", 200_000)
    path = big_parquet(folder, 400_000)
    with Server({f"/{path.name}": path.read_bytes()}) as server:
        subject = find(settings, server.url)
        assert server.sent == subject.fetched <= 200_000
    preview = look_inside(subject, settings, Cancel())
    assert (subject.rows, preview.rows, preview.profile) == (400_000, 0, ())
    assert preview.problem == ""
    status = {column.name: (column.status, column.file_type) for column in preview.schema}
    assert status["RatecodeID"] == ("cast", "double")
    assert status["VendorID"] == ("as expected", "int64")


def test_parquet_of_a_server_without_ranges_is_refused_with_a_cure(
    settings: Settings, folder: Path
) -> None:
    path = put_parquet(folder, GREEN, "SELECT 1 AS VendorID FROM range(300_000)")
    with Server({f"/{path.name}": path.read_bytes()}) as server:
        server.behave(f"/{path.name}", ranges="ignore")
        with pytest.raises(SourceUnreachable, match="does not serve parts"):
            find(settings, server.url)


def test_a_small_remote_file_is_there_whole(settings: Settings) -> None:
    content = gzip.compress(csv_bytes(GREEN, [trip(GREEN)] * 3), mtime=0)
    with Server({f"/{GREEN.stem}.csv.gz": content}) as server:
        subject = find(settings, server.url)
    assert (subject.whole, subject.rows) == (True, 3)


def test_a_staged_file_is_read_in_place_and_nothing_is_fetched(settings: Settings) -> None:
    content = gzip.compress(csv_bytes(GREEN, many(16_000)), mtime=0)
    path = f"/{GREEN.stem}.csv.gz"
    with Server({path: content}) as server:
        fetched = fetch_subject(GREEN, server.url, settings, Cancel())
        assert (fetched.place, fetched.rows) == ("staged", 16_000)
        before = server.sent
        subject = find(settings, server.url)
        assert server.sent == before
        assert (subject.place, subject.whole, subject.note) == ("staged", True, "")
        assert subject.staged is not None
        assert subject.staged.path == settings.staging / "green" / f"{GREEN.stem}.csv.gz"
        server.files[path] = gzip.compress(csv_bytes(GREEN, many(3)), mtime=0)
        newer = find(settings, server.url)
        assert (newer.place, newer.rows) == ("source", 3)
        assert "another version" in newer.note
    offline = find(settings, server.url)
    assert (offline.place, offline.rows) == ("staged", 16_000)
    assert "could not be asked" in offline.note


def test_a_fetch_waits_for_no_backfill_but_says_that_one_runs(settings: Settings) -> None:
    with backfill_lock("local", settings), pytest.raises(WarehouseBusy):
        fetch_subject(GREEN, "sample", settings, Cancel())


def test_what_cannot_be_had_is_said_plainly(settings: Settings, folder: Path) -> None:
    with pytest.raises(NotPublished, match=r"2020-04\.csv is not published"):
        find(settings, folder)
    with pytest.raises(SourceUnreachable, match="cannot be looked at"):
        find(settings, closed_port())
    with pytest.raises(UsageError):
        find(settings, folder / "nowhere")
    with pytest.raises(NotPublished, match="2019-01 to 2021-07"):
        find(settings, "github", TripFile(Color.GREEN, Month(2024, 1)))
    with Server({f"/{GREEN.stem}.csv.gz": b"<html>sorry</html>"}) as server:
        with pytest.raises(TripFileError, match="web page"):
            find(settings, server.url)
        server.files[f"/{GREEN.stem}.csv.gz"] = b"\x1f\x8b\x08" + random.Random(1).randbytes(
            500_000
        )
        with pytest.raises(TripFileError, match="damaged"):
            find(settings, server.url)
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        find_subject(GREEN, "sample", settings, cancel)


def test_a_gzip_bomb_is_not_unpacked(settings: Settings, folder: Path) -> None:
    bomb = gzip.compress(csv_bytes(GREEN, []) + b"1," * 150_000_000, 1, mtime=0)
    small = settings.model_copy(update={"max_unpacked_gib": 0.01})
    with Server({f"/{GREEN.stem}.csv.gz": bomb}) as server:
        subject = find(small, server.url)
    assert subject.staged is not None
    assert subject.staged.path.stat().st_size <= UNPACKED_BYTES
    (folder / f"{GREEN.stem}.csv.gz").write_bytes(bomb)
    assert "has a line of more than 1 MiB" in find(small, folder).problem


def test_the_sample_and_a_folder_are_whole_at_once_and_staging_stays_empty(
    settings: Settings, folder: Path
) -> None:
    sample = find(settings, "sample")
    assert (sample.place, sample.whole) == ("sample", True)
    put_trips(folder, GREEN, [trip(GREEN)] * 2)
    own = find(settings, folder)
    assert (own.place, own.whole, own.rows) == ("own", True, 2)
    assert not settings.home.exists()


def test_temporary_files_go_with_what_they_are_for(settings: Settings) -> None:
    subject = find(settings, "sample")
    preview = look_inside(subject, settings, Cancel())
    assert subject.staged is not None
    assert preview.database is not None
    paths = [subject.staged.path, preview.database]
    assert all(path.exists() for path in paths)
    del subject, preview
    assert not any(path.parent.exists() for path in paths)


def test_the_schema_says_what_is_missing_extra_renamed_and_cast() -> None:
    found = compare_schema(
        Color.YELLOW,
        [
            ("VendorID", "BIGINT"),
            ("tpep_pickup_datetime", "TIMESTAMP"),
            ("passenger_count", "DOUBLE"),
            ("Airport_fee", "DOUBLE"),
            ("ehail_fee", "NULL"),
            ("surge", "VARCHAR"),
        ],
    )
    status = {column.name: column.status for column in found}
    notes = {column.name: column.note for column in found}
    assert status["VendorID"] == "as expected"
    assert status["PULocationID"] == "missing"
    assert "cannot be loaded" in notes["PULocationID"]
    assert (status["tip_amount"], notes["tip_amount"]) == ("missing", "Loaded as NULL.")
    assert status["passenger_count"] == "cast"
    assert "1.0 is read as 1" in notes["passenger_count"]
    assert status["airport_fee"] == "other spelling"
    assert notes["airport_fee"].startswith("Spelled Airport_fee")
    assert status["cbd_congestion_fee"] == "not yet"
    assert (status["surge"], status["ehail_fee"]) == ("extra", "extra")


def test_a_file_that_lacks_its_identity_still_shows_its_columns(
    settings: Settings, folder: Path
) -> None:
    path = put(folder, YELLOW, b"vendor_name,Trip_Pickup_DateTime\nCMT,2009-01-01 00:00:00\n")
    preview = look(settings, path, YELLOW)
    assert "lacks VendorID" in preview.problem
    assert [c.name for c in preview.schema if c.status == "extra"] == [
        "vendor_name",
        "Trip_Pickup_DateTime",
    ]
    assert preview.profile == ()


# Two voids, one pair twice over, a refund without a trip, a copy, and rows of every other oddity.
ODD = [
    trip(GREEN, total_amount="9.3"),
    trip(GREEN, total_amount="-9.3", fare_amount="-8"),
    trip(GREEN, PULocationID="7", total_amount="5"),
    trip(GREEN, PULocationID="7", total_amount="-5", fare_amount="-4"),
    trip(GREEN, PULocationID="7", total_amount="5"),
    trip(GREEN, PULocationID="7", total_amount="-5", fare_amount="-4"),
    trip(GREEN, PULocationID="9", total_amount="-3", fare_amount="-2"),
    trip(GREEN, PULocationID="10"),
    trip(GREEN, PULocationID="10"),
    trip(GREEN, PULocationID="11", total_amount="9.3"),
    trip(GREEN, PULocationID="11", total_amount="11.3"),
    trip(GREEN, PULocationID="11", total_amount="-12"),
    trip(GREEN, pickup="2008-12-31 23:00:00", dropoff="2008-12-31 23:30:00"),
    trip(GREEN, pickup="2020-05-01 00:00:00", dropoff="2020-05-01 00:30:00"),
    trip(GREEN, pickup="2020-04-30 23:59:59", dropoff="2020-05-02 00:30:00"),
    trip(GREEN, pickup="2020-04-02 10:00:00", dropoff="2020-04-02 09:00:00"),
    trip(GREEN, PULocationID="12", total_amount="1000.01"),
    trip(GREEN, PULocationID="13", trip_distance="-1"),
    trip(GREEN, PULocationID="14", trip_distance="100.01"),
    trip(GREEN, PULocationID="15", trip_distance="0"),
    trip(GREEN, PULocationID="266"),
    trip(GREEN, PULocationID=None),
    trip(GREEN, PULocationID="264"),
    trip(GREEN, DOLocationID="265"),
    trip(GREEN, PULocationID="16", payment_type="9"),
    trip(GREEN, PULocationID="17", store_and_fwd_flag="X"),
    trip(GREEN, PULocationID="18", VendorID=None, RatecodeID=None, payment_type=None),
    trip(GREEN, PULocationID="19", tip_amount="1.005"),
    trip(GREEN, PULocationID="20", fare_amount="abc"),
    *(trip(GREEN, PULocationID=str(zone)) for zone in range(60, 260)),
]
COUNTS = {
    "rejects": 1,
    "voids": 3,
    "same-identity": 2 + 3,
    "copies": 1 + 2,
    "strays": 2,
    "no-vendor": 1,
    "dropoff-before-pickup": 1,
    "long-trips": 1,
    "negative-amounts": 5,
    "absurd-amounts": 1,
    "negative-distance": 1,
    "absurd-distance": 1,
    "no-distance": 1,
    "no-such-zone": 2,
    "unknown-zone": 2,
    "unknown-codes": 2,
    "rounded": 1,
}


def test_each_finding_counts_what_was_put_into_the_file(settings: Settings, folder: Path) -> None:
    preview = look(settings, put_trips(folder, GREEN, ODD))
    assert {finding.name: finding.count for finding in preview.findings} == COUNTS
    (reject,) = finding(preview, "rejects").examples
    assert reject["line"] == 30
    voids = finding(preview, "voids").examples
    assert [row["total_amount"] for row in voids[:2]] == [Decimal("9.30"), Decimal("-9.30")]
    assert len(voids) == 6
    assert finding(preview, "no-such-zone").examples[0]["PULocationID"] == 266
    assert preview.rows == len(ODD) - 1


def test_what_a_preview_counts_is_what_a_load_does(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, ODD)
    preview = look_inside(find(settings, folder), settings, Cancel())
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.rejected, entry.rounded) == (
        preview.rows,
        preview.rejected,
        finding(preview, "rounded").count,
    )


def test_a_file_with_too_many_rejects_says_that_it_would_fail_and_shows_the_rest(
    settings: Settings, folder: Path
) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, fare_amount="x"), trip(GREEN)])
    preview = look(settings, path)
    assert "more than the 1.0% allowed" in preview.problem
    assert (preview.rows, preview.rejected) == (2, 1)


def test_the_profile_agrees_with_counting_by_hand(settings: Settings, folder: Path) -> None:
    amounts = [Decimal(cents) / 100 for cents in range(100, 1100)]
    trips = [
        trip(
            GREEN,
            PULocationID=str(position % 5 + 1),
            total_amount=str(amount),
            payment_type=None if position % 4 == 0 else "1",
            store_and_fwd_flag="Y" if position % 10 == 0 else "N",
        )
        for position, amount in enumerate(amounts)
    ]
    preview = look(settings, put_trips(folder, GREEN, trips))
    total = column(preview, "total_amount")
    assert (total.low, total.high, total.distinct, total.nulls) == (
        amounts[0],
        amounts[-1],
        1000,
        0,
    )
    assert total.quartiles == (amounts[249], amounts[499], amounts[749])
    assert total.histogram is not None
    assert sum(total.histogram.counts) == 1000
    assert (total.histogram.low, total.histogram.high) == (amounts[9], amounts[989])
    payment = column(preview, "payment_type")
    assert (payment.nulls, payment.null_share, payment.distinct) == (250, 0.25, 1)
    assert payment.frequent == ((1, 750),)
    zone = column(preview, "PULocationID")
    assert zone.histogram is not None
    assert zone.histogram.counts == (200,) * 5
    flag = column(preview, "store_and_fwd_flag")
    assert (flag.frequent, flag.quartiles) == ((("N", 900), ("Y", 100)), ())
    empty = column(preview, "ehail_fee")
    assert (empty.nulls, empty.low, empty.histogram) == (1000, None, None)


def test_a_file_without_rows_has_a_profile_all_the_same(settings: Settings, folder: Path) -> None:
    preview = look(settings, put_trips(folder, GREEN, []))
    assert preview.rows == 0
    assert all(column.null_share == 0 for column in preview.profile)
    assert not any(finding.count for finding in preview.findings)


def test_a_name_tells_its_format_or_is_refused() -> None:
    assert format_of("a.CSV.GZ") == "csv.gz"
    assert format_of("../../x.parquet") == "parquet"
    for name in ("a.zip", "csv", "a.csv.gz.exe", ""):
        with pytest.raises(UsageError):
            format_of(name)


def test_the_command_prints_one_document_and_leaves_no_trace(
    settings: Settings, folder: Path
) -> None:
    path = put_trips(folder, GREEN, ODD)
    result = pipeline(settings, "preview", str(path), "--rows", "2", "--json")
    document = json.loads(result.stdout)
    assert document["file"] == GREEN.filename
    assert (document["rows_read"], document["rejected"], document["whole"]) == (228, 1, True)
    assert len(document["sample"]) == 2
    assert {f["name"]: f["count"] for f in document["findings"]} == COUNTS
    assert {c["name"] for c in document["profile"]} >= {"total_amount", "PULocationID"}
    assert not settings.home.exists()
    text = pipeline(
        settings, "preview", "--color", "green", "--month", "2020-04", "--source", str(folder)
    )
    assert text.returncode == 0
    assert "Voids with their trip" in text.stdout
    assert "The whole file, 228 rows" in text.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Give a file, or both --color and --month"),
        (["trips.csv"], "Add --color and --month"),
        (["green_tripdata_2020-04.csv"], "There is no file"),
        (["green_tripdata_2020-04.zip"], "is not a trip file by its name"),
        (["--color", "green", "--month", "2020-13"], "is not a month"),
        (["--color", "red", "--month", "2020-04"], "no taxi color"),
    ],
)
def test_the_command_says_what_it_lacks(
    settings: Settings, arguments: list[str], sentence: str
) -> None:
    result = CliRunner().invoke(command, ["preview", *arguments])
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
    assert not settings.home.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_without_a_traceback(
    settings: Settings, number: signal.Signals
) -> None:
    path = f"/{GREEN.stem}.csv.gz"
    line = [sys.executable, "-m", "pipeline", "preview", "--color", "green", "--month", "2020-04"]
    with Server({path: b"\x1f\x8b"}) as server:
        server.behave(path, silent=True)
        process = subprocess.Popen(
            [*line, "--source", server.url],
            env=os.environ | {"FAREGROUND_HOME": str(settings.home)},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert server.holding.wait(20)
        process.send_signal(number)
        _, said = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert "Traceback" not in said


@pytest.mark.skipif(not RELEASES.exists(), reason="no real trip files here")
def test_real_months_agree_with_counting_without_duckdb(settings: Settings) -> None:
    file = TripFile(Color.GREEN, Month(2020, 8))
    path = RELEASES / "green" / f"{file.stem}.csv.gz"
    preview = look(settings, path, file)
    with gzip.open(path, "rt", newline="") as lines:
        found = list(csv.DictReader(lines))
    assert preview.rows == len(found) == 81_063
    pickups = [row["lpep_pickup_datetime"] for row in found]
    assert finding(preview, "strays").count == sum(not p.startswith("2020-08") for p in pickups)
    assert column(preview, "lpep_pickup_datetime").distinct == len(set(pickups))
    assert column(preview, "VendorID").nulls == sum(row["VendorID"] == "" for row in found)
    identity = ("VendorID", *list(found[0])[1:3], "PULocationID", "DOLocationID")
    groups: dict[tuple[str, ...], Counter[Decimal]] = {}
    for row in found:
        key = tuple(row[name] for name in identity)
        groups.setdefault(key, Counter())[Decimal(row["total_amount"])] += 1
    pairs = sum(
        min(times, amounts[-amount])
        for amounts in groups.values()
        for amount, times in list(amounts.items())
        if amount > 0
    )
    assert finding(preview, "voids").count == pairs == 166


@pytest.mark.skipif(not RELEASES.exists(), reason="no real trip files here")
def test_real_parquet_agrees_with_sql_of_its_own(settings: Settings) -> None:
    file = TripFile(Color.GREEN, Month(2023, 2))
    path = DATA / "trip-data" / f"{file.stem}.parquet"
    preview = look(settings, path, file)
    row = duckdb.execute(
        "SELECT count(*), count(*) FILTER (lpep_pickup_datetime < '2023-02-01' OR"
        " lpep_pickup_datetime >= '2023-03-01'), count(*) FILTER (trip_distance > 100),"
        " count(DISTINCT total_amount::DECIMAL(9,2)), median(PULocationID)::INT"
        " FROM read_parquet(?)",
        [str(path)],
    ).fetchone()
    assert row == (
        preview.rows,
        finding(preview, "strays").count,
        finding(preview, "absurd-distance").count,
        column(preview, "total_amount").distinct,
        column(preview, "PULocationID").quartiles[1],
    )


def test_a_month_staged_from_another_source_is_shown_while_its_source_is_down(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)] * 3)
    fetch_subject(GREEN, str(folder), settings, Cancel())
    down = settings.model_copy(update={"github_url": "http://127.0.0.1:9"})
    subject = find_subject(GREEN, "github", down, Cancel())
    assert (subject.place, subject.whole, subject.rows) == ("staged", True, 3)
    assert f"came from {folder}" in subject.note
    assert "could not be asked" in subject.note
