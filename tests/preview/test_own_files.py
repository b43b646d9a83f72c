"""What a file of a user's own is taken for, what it shows, and how an upload is loaded."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import duckdb
import pytest

from pipeline.core.cancel import Cancel
from pipeline.core.errors import StorageError, TripFileError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.files.offers import Missing
from pipeline.files.sources import open_source
from pipeline.files.uploads import save_upload
from pipeline.ops.rebuild import RebuiltFile, rebuild
from pipeline.preview.identify import Identity
from pipeline.preview.own_file import identify_own_file, read_own_file
from pipeline.preview.table import MOST_PROFILED, TablePreview, make_table_preview
from pipeline.runs.backfill import prepare_plan
from pipeline.runs.history import History
from pipeline.runs.policy import Policy
from pipeline.warehouse.sandbox import Scope, run_query
from tests.support.command import pipeline
from tests.support.files import (
    GREEN,
    YELLOW,
    backfill,
    csv_bytes,
    put_parquet,
    put_trips,
    request,
    rows,
    target,
    trip,
    warehouse,
)

TRIPS = csv_bytes(GREEN, [trip(GREEN)] * 3)
PACKED = gzip.compress(TRIPS, mtime=0)
ZONES = b"LocationID,Borough,Zone\n1,EWR,Newark Airport\n2,Queens,Jamaica Bay\n"


def own(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def identified(folder: Path, settings: Settings, name: str, content: bytes) -> Identity:
    return identify_own_file(own(folder, name, content), name, settings, Cancel())


def table_of(folder: Path, settings: Settings, name: str, content: bytes) -> TablePreview:
    return make_table_preview(own(folder, name, content), name, settings, Cancel())


def show(path: Path, settings: Settings) -> None:
    """Read a file as the page and the command do."""
    if identify_own_file(path, path.name, settings, Cancel()).dataset is None:
        make_table_preview(path, path.name, settings, Cancel())
    else:
        read_own_file(path, path.name, GREEN, settings, Cancel())


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.csv"), content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "file"),
    [
        ("mine.csv", TRIPS, GREEN),
        ("mine.csv.gz", PACKED, GREEN),
        ("mine.zip", zipped(anything=TRIPS), GREEN),
        (
            "a.zip",
            zipped(**{"green_tripdata_2021-02": TRIPS}),
            TripFile(GREEN.dataset, Month(2021, 2)),
        ),
        ("yellow_tripdata_2019-07.csv", TRIPS, TripFile(GREEN.dataset, Month(2019, 7))),
        ("y.csv", csv_bytes(YELLOW, [trip(YELLOW)]), YELLOW),
        ("semicolons.txt", TRIPS.replace(b",", b";"), GREEN),
        ("utf16.csv", TRIPS.decode().encode("utf-16"), GREEN),
        ("us.csv", TRIPS.replace(b"2020-04-01 ", b"04/13/2020 "), GREEN),
    ],
)
def test_color_is_found_by_columns_and_month_by_name_or_pickups(
    settings: Settings, folder: Path, name: str, content: bytes, file: TripFile
) -> None:
    assert identified(folder, settings, name, content).file == file


def test_month_of_parquet_is_found_by_its_pickups(settings: Settings, folder: Path) -> None:
    columns = ", ".join(
        f"TIMESTAMP '2020-07-0{day}' AS lpep_{end}_datetime"
        for day, end in ((1, "pickup"), (2, "dropoff"))
    )
    select = f"SELECT 1 AS VendorID, {columns}, 1 AS PULocationID, 2 AS DOLocationID"
    content = put_parquet(folder, GREEN, select).read_bytes()
    assert identified(folder, settings, "mine.parquet", content).month == Month(2020, 7)


def test_month_that_neither_name_nor_pickups_tell_stays_open(
    settings: Settings, folder: Path
) -> None:
    months = [trip(GREEN, lpep_pickup_datetime=f"2020-0{month}-01 08:00:00") for month in (1, 2, 3)]
    identity = identified(folder, settings, "quarter.csv", csv_bytes(GREEN, months))
    assert (identity.dataset, identity.month) == (GREEN.dataset, None)
    assert "Choose the month" in identity.sentence()


def test_csv_that_is_no_trip_file_shows_rows_profile_and_sql(
    settings: Settings, folder: Path
) -> None:
    assert identified(folder, settings, "zones.csv", ZONES).dataset is None
    for name, content in (
        ("zones.csv", ZONES),
        ("zones.csv.gz", gzip.compress(ZONES, mtime=0)),
        ("z.zip", zipped(zones=ZONES)),
    ):
        preview = table_of(folder, settings, name, content)
        assert preview.rows == len(preview.sample) == 2
        assert preview.sample[0]["Zone"] == "Newark Airport"
        assert {column.name: column.distinct for column in preview.profile}["Borough"] == 2
        assert "lacks VendorID" in preview.reason
        assert preview.unpacked_bytes == len(ZONES)
        scope = Scope(database=preview.database, database_table="file")
        result = run_query("SELECT max(LocationID) AS n FROM file", scope, settings, Cancel())
        assert result.table.to_pylist() == [{"n": 2}]


def test_rows_of_odd_tables_are_all_kept(settings: Settings, folder: Path) -> None:
    ragged = table_of(folder, settings, "ragged.csv", b"id,name\n1,a\n2,b,c\n3\n")
    assert [row["id"] for row in ragged.sample] == ["1", "2", "3"]
    late = b"a,b\n" + b"".join(b"%d,x\n" % number for number in range(30_000)) + b"oops,y\n"
    assert table_of(folder, settings, "late.csv", late).rows == 30_001
    latin = table_of(folder, settings, "latin.csv", "id,name\n1,Zürich\n".encode("latin-1"))
    assert latin.sample[0]["name"] == "Zürich"
    utf16 = table_of(folder, settings, "u.csv", "id;name\n1;Zürich\n".encode("utf-16"))
    assert utf16.sample[0]["name"] == "Zürich"
    hostile = table_of(folder, settings, "h.csv", b'"a"") FROM x; --",a,a\n1,2,3\n')
    assert (hostile.rows, len(hostile.profile)) == (1, 3)


def test_parquet_of_nested_and_odd_values_is_shown(settings: Settings, folder: Path) -> None:
    path = folder / "odd.parquet"
    duckdb.connect().sql(
        "SELECT 1 AS a, [1, 2] AS b, {'x': 1} AS c, 'q'::BLOB AS d, 'NaN'::DOUBLE AS e, "
        "'2020-01-01 00:00:00+00'::TIMESTAMPTZ AS f, true AS g, 1.5::DECIMAL(9, 2) AS h"
    ).write_parquet(str(path))
    preview = make_table_preview(path, path.name, settings, Cancel())
    assert preview.sample[0]["b"] == "[1, 2]"
    assert len(preview.profile) == 8


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("TIMESTAMP '290000-01-01 00:00:00'", "290000-01-01 00:00:00"),
        ("DATE '5000000-01-01'", "5000000-01-01"),
        ("DATE '0044-03-15 (BC)'", "0044-03-15 (BC)"),
        ("'infinity'::TIMESTAMP", "infinity"),
        ("'-infinity'::TIMESTAMPTZ", "-infinity"),
    ],
)
def test_time_that_python_lacks_is_shown_as_text(
    settings: Settings, folder: Path, value: str, shown: str
) -> None:
    path = folder / "times.parquet"
    duckdb.connect().sql(
        f"SELECT {value} AS odd, DATE '2020-01-01' AS usual UNION ALL SELECT NULL, NULL"
    ).write_parquet(str(path))
    preview = make_table_preview(path, path.name, settings, Cancel())
    assert preview.sample[0]["odd"] == shown
    odd, usual = preview.profile
    assert (odd.low, odd.nulls, odd.quartiles) == (shown, 1, ())
    assert str(usual.low) == "2020-01-01 00:00:00"
    for arguments in ((), ("--json",)):
        result = pipeline(settings, "preview", str(path), *arguments)
        assert (result.returncode, shown in result.stdout) == (0, True)


def test_profile_of_a_wide_table_has_its_first_columns_and_says_so(
    settings: Settings, folder: Path
) -> None:
    names = ",".join(f"c{number}" for number in range(999, -1, -1))
    content = f"{names}\n{','.join('1' * 1000)}\n".encode()
    preview = table_of(folder, settings, "wide.csv", content)
    assert (len(preview.columns), len(preview.sample[0])) == (1000, 1000)
    assert [column.name for column in preview.profile][:2] == ["c999", "c998"]
    assert len(preview.profile) == MOST_PROFILED
    result = pipeline(settings, "preview", str(folder / "wide.csv"))
    assert "Profiled are the first 200 of 1,000 columns." in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_preview_on_a_full_disk_names_the_disk(settings: Settings, folder: Path) -> None:
    many = [trip(GREEN, PULocationID=str(zone)) for zone in range(1, 200)]
    trips = put_trips(folder, GREEN, many)
    numbers = b"number\n" + b"".join(b"%d\n" % number for number in range(20_000))
    for path in (trips, own(folder, "numbers.csv", numbers)):
        script = (
            "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (14_000, 14_000));"
            "from pipeline.__main__ import app; app()"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, "preview", str(path)],
            env=os.environ | {"FAREGROUND_HOME": str(settings.home)},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
        assert "Set TMPDIR to a folder on a disk with room" in done.stderr


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "mine.csv is empty"),
        (b"<html>no trips</html>", "is a web page"),
        (b'{"a": 1}', "is JSON"),
        (PACKED[:40], "is truncated"),
        (b"PAR1 and no more", "is damaged"),
    ],
)
def test_error_about_own_file_names_it_and_no_source(
    settings: Settings, folder: Path, content: bytes, sentence: str
) -> None:
    path = own(folder, "mine.csv", content)
    with pytest.raises(TripFileError) as raised:
        show(path, settings)
    text = str(raised.value)
    assert sentence in text
    assert text.startswith("mine.csv ")
    for word in ("source", "address", "URL", "--"):
        assert word not in text, text


def test_upload_is_loaded_recorded_and_rebuilt_as_its_own_source(
    settings: Settings, folder: Path
) -> None:
    save_upload(own(folder, "mine.csv", TRIPS), "mine.csv", GREEN, settings)
    state, files = backfill(settings, request("upload", GREEN))
    assert (state, files[GREEN].rows) == ("succeeded", 3)
    run = History(settings.history_path).runs()[0]
    assert run.request.source == "upload"
    with warehouse(settings) as opened:
        entry = opened.records()[GREEN].loaded
    assert entry is not None
    assert (entry.source, entry.is_synthetic) == ("upload", False)
    (settings.uploads / f"{GREEN.stem}.csv").unlink()  # staging has a copy
    if target(settings) == "local":
        settings.warehouse_path.unlink()
        steps = [step for step in rebuild(settings) if isinstance(step, RebuiltFile)]
        assert [step.rows for step in steps] == [3]
        with warehouse(settings) as opened:
            again = opened.records()[GREEN].loaded
        assert again is not None
        assert again.source == "upload"


def test_uploaded_month_is_neither_stale_nor_fetched_from_elsewhere(
    settings: Settings, folder: Path
) -> None:
    save_upload(own(folder, "mine.csv", TRIPS), "mine.csv", GREEN, settings)
    backfill(settings, request("upload", GREEN))
    put_trips(folder, GREEN, [trip(GREEN)] * 9)
    new, failed_too = Policy.MISSING, Policy.MISSING_AND_FAILED
    choices = [("upload", new), ("upload", failed_too), ("sample", failed_too), (str(folder), new)]
    for source, policy in choices:
        planned = prepare_plan(request(source, GREEN, policy=policy), settings).files[0]
        assert not planned.runs
        assert "upload" in planned.reason
    replaced = prepare_plan(request(folder, GREEN), settings).files[0]
    assert replaced.runs
    assert "from upload" in replaced.reason
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(3,)]


def test_second_upload_of_a_month_replaces_the_first(settings: Settings, folder: Path) -> None:
    save_upload(own(folder, "a.csv", TRIPS), "a.csv", GREEN, settings)
    backfill(settings, request("upload", GREEN))
    second = gzip.compress(csv_bytes(GREEN, [trip(GREEN)]))
    save_upload(own(folder, "b.csv.gz", second), "b.csv.gz", GREEN, settings)
    assert [path.name for path in settings.uploads.iterdir()] == [f"{GREEN.stem}.csv.gz"]
    planned = prepare_plan(request("upload", GREEN), settings).files[0]
    assert planned.reason.startswith("stale")
    backfill(settings, request("upload", GREEN))
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(1,)]


def test_damaged_upload_says_to_upload_it_again(settings: Settings, folder: Path) -> None:
    content = bytearray(gzip.compress(TRIPS))
    content[-5] ^= 1
    save_upload(own(folder, "a.csv.gz", bytes(content)), "a.csv.gz", GREEN, settings)
    _, files = backfill(settings, request("upload", GREEN))
    assert "damaged" in files[GREEN].reason
    assert "Upload a whole copy on the Preview page" in files[GREEN].reason


def test_file_in_place_of_the_folder_of_uploads_is_named(settings: Settings, folder: Path) -> None:
    settings.home.mkdir(exist_ok=True)
    settings.uploads.write_text("x")
    (planned,) = prepare_plan(request("upload", GREEN), settings).files
    assert not planned.runs
    assert f"{settings.uploads} is a file, not a folder: move it away" in planned.reason
    with pytest.raises(
        StorageError, match=f"{settings.uploads} is a file: .* Move it away, or set"
    ):
        save_upload(own(folder, "mine.csv", TRIPS), "mine.csv", GREEN, settings)


def test_month_that_was_not_uploaded_says_where_to_upload_it(settings: Settings) -> None:
    probe = open_source("upload", settings).probe([GREEN])[GREEN]
    assert isinstance(probe, Missing)
    assert "Preview page" in probe.reason
    assert not settings.home.exists()


def test_preview_command_finds_color_and_month_or_shows_a_table(
    settings: Settings, folder: Path
) -> None:
    result = pipeline(settings, "preview", str(own(folder, "mine.csv", TRIPS)), "--json")
    document = json.loads(result.stdout)
    assert (document["color"], document["month"], document["rows"]) == ("green", "2020-04", 3)
    zones = own(folder, "zones.csv", ZONES)
    result = pipeline(settings, "preview", str(zones), "--json")
    document = json.loads(result.stdout)
    assert (document["color"], document["rows"]) == (None, 2)
    assert [column["name"] for column in document["schema"]] == ["LocationID", "Borough", "Zone"]
    result = pipeline(settings, "preview", str(zones))
    assert "This is no trip file" in result.stderr
    assert "Newark Airport" in result.stdout
