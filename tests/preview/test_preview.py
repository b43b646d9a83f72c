"""Previews: their counts against independent ones, and the bytes that they fetch."""

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
import zipfile
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app as command
from pipeline.core.cancel import Cancel
from pipeline.core.datasets import GREEN_TAXIS, YELLOW_TAXIS
from pipeline.core.errors import (
    Cancelled,
    NotPublished,
    SourceUnreachable,
    TripFileError,
    UsageError,
    WarehouseBusy,
)
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.preview import Preview, make_preview
from pipeline.preview.findings import RowFinding
from pipeline.preview.peek import HEAD_BYTES, PARQUET_BYTES, UNPACKED_BYTES
from pipeline.preview.profile import ColumnProfile
from pipeline.preview.schema import compare_schema
from pipeline.preview.subject import Subject, fetch_subject, find_subject, read_local_file
from pipeline.runs.locks import backfill_lock
from tests.support.command import document, pipeline
from tests.support.files import GREEN, YELLOW, csv_bytes, load, put, put_parquet, put_trips, trip
from tests.support.servers import Server, closed_port
from tests.warehouse.test_real_files import DATA, RELEASES


def look(settings: Settings, path: Path, file: TripFile = GREEN) -> Preview:
    """Return a preview of a local file."""
    return make_preview(read_local_file(path, file, settings, Cancel()), settings, Cancel())


def find(settings: Settings, source: object, file: TripFile = GREEN) -> Subject:
    """Return the subject of a source's file."""
    return find_subject(file, str(source), settings, Cancel())


def finding(preview: Preview, name: str) -> RowFinding:
    return next(finding for finding in preview.findings if finding.name == name)


def column(preview: Preview, name: str) -> ColumnProfile:
    return next(column for column in preview.profile if column.name == name)


def many(count: int) -> list[dict[str, Any]]:
    """Return rows that hardly compress."""
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


def test_preview_of_remote_csv_gz_fetches_only_its_head(
    settings: Settings,
) -> None:
    content = gzip.compress(csv_bytes(GREEN, many(16_000)), mtime=0)
    assert len(content) > HEAD_BYTES
    path = f"/{GREEN.stem}.csv.gz"
    with Server({path: content}) as server:
        subject = find(settings, server.url)
        assert server.sent == HEAD_BYTES
        preview = make_preview(subject, settings, Cancel())
        assert server.sent == HEAD_BYTES
    assert (subject.place, subject.whole, subject.rows) == ("source", False, None)
    assert (subject.bytes, subject.fetched) == (len(content), HEAD_BYTES)
    assert 2_000 < preview.rows < 16_000
    assert preview.rejected == 0
    expected = next(csv.DictReader(io.StringIO(csv_bytes(GREEN, many(1)).decode())))
    assert preview.sample[0]["total_amount"] == Decimal(expected["total_amount"])
    assert not (settings.staging / "green").exists()


def test_download_from_server_without_ranges_stops_after_head(settings: Settings) -> None:
    path = f"/{GREEN.stem}.csv"
    text = csv_bytes(GREEN, many(5_000)) + random.Random(1).randbytes(30_000_000)
    with Server({path: text}) as server:
        server.behave(path, ranges="ignore")
        subject = find(settings, server.url)
        assert subject.fetched == HEAD_BYTES
        assert server.sent < len(text) / 2  # the rest are the sockets' buffers


def big_parquet(folder: Path, rows_a_group: int) -> Path:
    """Write 400,000 rows whose first pages exceed what a preview fetches."""
    path = folder / f"{GREEN.stem}.parquet"
    duckdb.connect().execute(
        "COPY (SELECT 2::BIGINT AS VendorID, TIMESTAMP '2020-04-01' + to_seconds(i) AS"
        " lpep_pickup_datetime, TIMESTAMP '2020-04-01 01:00:00' AS lpep_dropoff_datetime,"
        " (i % 263 + 1)::BIGINT AS PULocationID, 42::BIGINT AS DOLocationID,"
        " hash(i) % 100_000 / 100 AS total_amount, 1.0::DOUBLE AS RatecodeID"
        f" FROM range(400_000) t(i)) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {rows_a_group})"
    )
    assert path.stat().st_size > PARQUET_BYTES
    return path


def test_preview_of_remote_parquet_fetches_footer_and_first_rows(
    settings: Settings, folder: Path
) -> None:
    path = big_parquet(folder, 10_000)
    with Server({f"/{path.name}": path.read_bytes()}) as server:
        subject = find(settings, server.url)
        assert server.sent == subject.fetched < 500_000
        preview = make_preview(subject, settings, Cancel())
    assert (subject.rows, subject.whole) == (400_000, False)
    assert preview.rows == 1_000
    assert preview.sample[5]["PULocationID"] == 6
    rate = next(c for c in preview.schema if c.name == "RatecodeID")
    assert (rate.status, rate.file_type) == ("cast", "DOUBLE")


def test_preview_of_parquet_with_large_pages_shows_columns_only(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.preview.peek.PARQUET_BYTES", 200_000)
    path = big_parquet(folder, 400_000)
    with Server({f"/{path.name}": path.read_bytes()}) as server:
        subject = find(settings, server.url)
        assert server.sent == subject.fetched <= 200_000
    preview = make_preview(subject, settings, Cancel())
    assert (subject.rows, preview.rows, preview.profile) == (400_000, 0, ())
    assert preview.problem == ""
    status = {column.name: (column.status, column.file_type) for column in preview.schema}
    assert status["RatecodeID"] == ("cast", "double")
    assert status["VendorID"] == ("as expected", "int64")


def test_parquet_from_server_without_ranges_is_refused_with_cure(
    settings: Settings, folder: Path
) -> None:
    path = put_parquet(folder, GREEN, "SELECT 1 AS VendorID FROM range(300_000)")
    with Server({f"/{path.name}": path.read_bytes()}) as server:
        server.behave(f"/{path.name}", ranges="ignore")
        with pytest.raises(SourceUnreachable, match="does not serve parts"):
            find(settings, server.url)


@pytest.mark.parametrize("ending", ["csv.gz", "csv", "parquet"])
@pytest.mark.parametrize("kind", ["csv", "csv.gz", "utf-16", "semicolons", "parquet"])
def test_beginning_of_remote_file_is_told_by_its_content(
    settings: Settings, folder: Path, kind: str, ending: str
) -> None:
    text = csv_bytes(GREEN, many(20_000))
    contents = {
        "csv": lambda: text,
        "csv.gz": lambda: gzip.compress(text),
        "utf-16": lambda: text.decode().encode("utf-16"),
        "semicolons": lambda: text.replace(b",", b";"),
        "parquet": lambda: big_parquet(folder, 10_000).read_bytes(),
    }
    content = contents[kind]()
    with Server({f"/{GREEN.stem}.{ending}": content}) as server:
        subject = find(settings, server.url)
        preview = make_preview(subject, settings, Cancel())
    assert (subject.whole, subject.problem) == (False, "")
    assert 0 < preview.rows < 20_000
    assert preview.rejected == 0


def test_packed_file_at_an_address_is_looked_into_once_it_is_fetched(settings: Settings) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("trips.csv", csv_bytes(GREEN, many(20_000)))
    with Server({f"/{GREEN.stem}.csv": out.getvalue()}) as server:
        with pytest.raises(TripFileError, match="cannot be read in part") as caught:
            find(settings, server.url)
        assert "Fetch the whole file" in caught.value.cure
        subject = fetch_subject(GREEN, server.url, settings, Cancel())
    assert (subject.whole, subject.rows) == (True, 20_000)


def test_preview_of_small_remote_file_is_whole(settings: Settings) -> None:
    content = gzip.compress(csv_bytes(GREEN, [trip(GREEN)] * 3), mtime=0)
    with Server({f"/{GREEN.stem}.csv.gz": content}) as server:
        subject = find(settings, server.url)
    assert (subject.whole, subject.rows) == (True, 3)


def test_preview_of_staged_file_fetches_nothing(settings: Settings) -> None:
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
    assert "could not check" in offline.note


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_preview_command_with_fetch_shows_every_row_and_leaves_no_copy(
    settings: Settings, folder: Path, ending: str
) -> None:
    content = put_trips(folder, GREEN, many(16_000), ending).read_bytes()
    with Server({f"/{GREEN.stem}.{ending}": content}) as server:
        for source in (str(folder), server.url, server.url, "sample"):
            month = ("--dataset", "green", "--month", "2020-04", "--source", source)
            result = document(pipeline(settings, "preview", *month, "--fetch", "--json"))
            assert (result["whole"], result["problem"]) == (True, "")
            assert source == "sample" or result["rows"] == 16_000
            assert not list(settings.staging.rglob("*.unpacked"))


def test_diff_command_fetches_a_file_that_is_only_at_an_address(
    settings: Settings, folder: Path
) -> None:
    content = put_trips(folder, GREEN, many(16_000)).read_bytes()
    with Server({f"/{GREEN.stem}.csv.gz": content}) as server:
        month = ("--dataset", "green", "--month", "2020-04", "--source", server.url)
        assert document(pipeline(settings, "diff", *month, "--json"))["inserted"] == 16_000


def test_fetch_during_backfill_fails_at_once(settings: Settings) -> None:
    with backfill_lock("local", settings), pytest.raises(WarehouseBusy):
        fetch_subject(GREEN, "sample", settings, Cancel())


def test_unavailable_file_raises_error_with_cause(settings: Settings, folder: Path) -> None:
    with pytest.raises(NotPublished, match=r"2020-04\.csv is not published"):
        find(settings, folder)
    with pytest.raises(SourceUnreachable, match="Cannot preview"):
        find(settings, closed_port())
    with pytest.raises(UsageError):
        find(settings, folder / "nowhere")
    with pytest.raises(NotPublished, match="2019-01 to 2021-07"):
        find(settings, "github", TripFile(GREEN_TAXIS, Month(2024, 1)))
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


def test_gzip_bomb_is_not_unpacked(settings: Settings, folder: Path) -> None:
    bomb = gzip.compress(csv_bytes(GREEN, []) + b"1," * 150_000_000, 1, mtime=0)
    small = settings.model_copy(update={"max_unpacked_gib": 0.01})
    with Server({f"/{GREEN.stem}.csv.gz": bomb}) as server:
        subject = find(small, server.url)
    assert subject.staged is not None
    assert subject.staged.path.stat().st_size <= UNPACKED_BYTES
    (folder / f"{GREEN.stem}.csv.gz").write_bytes(bomb)
    assert "has a line of more than 1 MiB" in find(small, folder).problem


def test_preview_of_sample_and_folder_is_whole_without_staging(
    settings: Settings, folder: Path
) -> None:
    sample = find(settings, "sample")
    assert (sample.place, sample.whole) == ("sample", True)
    put_trips(folder, GREEN, [trip(GREEN)] * 2)
    own = find(settings, folder)
    assert (own.place, own.whole, own.rows) == ("own", True, 2)
    assert not settings.home.exists()


def test_temporary_files_are_deleted_with_their_owner(settings: Settings) -> None:
    subject = find(settings, "sample")
    preview = make_preview(subject, settings, Cancel())
    assert subject.staged is not None
    assert preview.database is not None
    paths = [subject.staged.path, preview.database]
    assert all(path.exists() for path in paths)
    del subject, preview
    assert not any(path.parent.exists() for path in paths)


def test_schema_lists_missing_extra_renamed_and_cast_columns() -> None:
    columns = compare_schema(
        YELLOW_TAXIS,
        [
            ("VendorID", "BIGINT"),
            ("tpep_pickup_datetime", "TIMESTAMP"),
            ("passenger_count", "DOUBLE"),
            ("Airport_fee", "DOUBLE"),
            ("ehail_fee", "NULL"),
            ("surge", "VARCHAR"),
        ],
    )
    status = {column.name: column.status for column in columns}
    notes = {column.name: column.note for column in columns}
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


def test_file_without_identity_columns_still_shows_its_columns(
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


# Two voids, one pair twice, a refund without a trip, a copy, and rows of every other finding.
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
    "zones": 0,
    "spellings": 0,
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


def test_each_finding_counts_its_planted_rows(settings: Settings, folder: Path) -> None:
    preview = look(settings, put_trips(folder, GREEN, ODD))
    assert {finding.name: finding.count for finding in preview.findings} == COUNTS
    (reject,) = finding(preview, "rejects").examples
    assert reject["line"] == 30
    voids = finding(preview, "voids").examples
    assert [row["total_amount"] for row in voids[:2]] == [Decimal("9.30"), Decimal("-9.30")]
    assert len(voids) == 6
    assert finding(preview, "no-such-zone").examples[0]["PULocationID"] == 266
    assert preview.rows == len(ODD) - 1


def test_preview_predicts_counts_of_load(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, ODD)
    preview = make_preview(find(settings, folder), settings, Cancel())
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.rejected, entry.rounded) == (
        preview.rows,
        preview.rejected,
        finding(preview, "rounded").count,
    )


def test_preview_with_too_many_rejects_names_problem_and_shows_other_rows(
    settings: Settings, folder: Path
) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, fare_amount="x"), trip(GREEN)])
    preview = look(settings, path)
    assert "more than the 1.0% allowed" in preview.problem
    assert (preview.rows, preview.rejected) == (2, 1)


def test_profile_equals_counts_in_python(settings: Settings, folder: Path) -> None:
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


def test_file_without_rows_has_empty_profile(settings: Settings, folder: Path) -> None:
    preview = look(settings, put_trips(folder, GREEN, []))
    assert preview.rows == 0
    assert all(column.null_share == 0 for column in preview.profile)
    assert not any(finding.count for finding in preview.findings)


def test_preview_command_prints_one_document_and_writes_nothing(
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
        ([], "Give a file, or both --dataset and --month"),
        (["trips.csv"], "There is no file"),
        (["green_tripdata_2020-04.csv"], "There is no file"),
        (["--color", "green", "--month", "2020-13"], "is not a month"),
        (["--color", "red", "--month", "2020-04"], "no dataset"),
    ],
)
def test_preview_command_names_missing_options(
    settings: Settings, arguments: list[str], sentence: str
) -> None:
    result = CliRunner().invoke(command, ["preview", *arguments])
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
    assert not settings.home.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_preview_command_without_traceback(
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
        _, error_output = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert "Traceback" not in error_output


@pytest.mark.skipif(not RELEASES.exists(), reason="no real trip files here")
def test_preview_of_real_months_equals_counts_without_duckdb(settings: Settings) -> None:
    file = TripFile(GREEN_TAXIS, Month(2020, 8))
    path = RELEASES / "green" / f"{file.stem}.csv.gz"
    preview = look(settings, path, file)
    with gzip.open(path, "rt", newline="") as lines:
        csv_rows = list(csv.DictReader(lines))
    assert preview.rows == len(csv_rows) == 81_063
    pickups = [row["lpep_pickup_datetime"] for row in csv_rows]
    assert finding(preview, "strays").count == sum(not p.startswith("2020-08") for p in pickups)
    assert column(preview, "lpep_pickup_datetime").distinct == len(set(pickups))
    assert column(preview, "VendorID").nulls == sum(row["VendorID"] == "" for row in csv_rows)
    identity = ("VendorID", *list(csv_rows[0])[1:3], "PULocationID", "DOLocationID")
    groups: dict[tuple[str, ...], Counter[Decimal]] = {}
    for row in csv_rows:
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
def test_preview_of_real_parquet_equals_independent_sql(settings: Settings) -> None:
    file = TripFile(GREEN_TAXIS, Month(2023, 2))
    path = DATA / "trip-data" / f"{file.stem}.parquet"
    preview = look(settings, path, file)
    row = (
        duckdb.connect()
        .execute(
            "SELECT count(*), count(*) FILTER (lpep_pickup_datetime < '2023-02-01' OR"
            " lpep_pickup_datetime >= '2023-03-01'), count(*) FILTER (trip_distance > 100),"
            " count(DISTINCT total_amount::DECIMAL(9,2)), median(PULocationID)::INT"
            " FROM read_parquet(?)",
            [str(path)],
        )
        .fetchone()
    )
    assert row == (
        preview.rows,
        finding(preview, "strays").count,
        finding(preview, "absurd-distance").count,
        column(preview, "total_amount").distinct,
        column(preview, "PULocationID").quartiles[1],
    )


def test_staged_month_of_another_source_is_shown_while_source_is_down(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)] * 3)
    fetch_subject(GREEN, str(folder), settings, Cancel())
    down = settings.model_copy(update={"github_url": "http://127.0.0.1:9"})
    subject = find_subject(GREEN, "github", down, Cancel())
    assert (subject.place, subject.whole, subject.rows) == ("staged", True, 3)
    assert f"came from {folder}" in subject.note
    assert "could not check" in subject.note


def test_preview_says_how_other_spellings_are_read(settings: Settings, folder: Path) -> None:
    rows = [
        trip(GREEN, PULocationID=n, pickup=f"2020-04-{n:02} 08:00:00-04:00", passenger_count="NA")
        for n in range(1, 11)
    ]
    preview = look(settings, put_trips(folder, GREEN, rows))
    zones, spellings = finding(preview, "zones"), finding(preview, "spellings")
    assert (zones.count, zones.unit, spellings.count) == (10, "cells", 10)
    (zone,) = zones.examples
    assert zone["such as"] == '"2020-04-01 08:00:00-04:00"'
    assert zone["read as"] == "2020-04-01 08:00:00"
    assert '"-04:00"' in str(zone["hold"])
    assert spellings.examples[0]["column"] == "passenger_count"
    assert [note.partition(":")[0] for note in preview.notes] == [
        "lpep_pickup_datetime",
        "passenger_count",
    ]
    assert preview.sample[0]["passenger_count"] is None
