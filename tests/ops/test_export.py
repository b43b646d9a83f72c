"""Exports and the mirror hold what the ledger says is loaded, whatever happens on the way."""

from __future__ import annotations

import csv
import gzip
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.errors import Cancelled, StorageError, UsageError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.ops.export import FORMATS, default_target, export
from pipeline.ops.sample import remove_sample
from pipeline.runs.history import History
from pipeline.warehouse.exports import ParquetFolder, sync
from pipeline.warehouse.registry import open_warehouse
from tests.support.command import document, pipeline
from tests.support.files import (
    GREEN,
    YELLOW,
    backfill,
    load,
    put_trips,
    request,
    rows,
    trip,
    warehouse,
)

ROOT = Path(__file__).parents[2]
MAY = TripFile(GREEN_TAXIS, Month(2020, 5))

# A script that exports or backfills and kills itself when a file of the given number is written.
DIES = """
import os, signal, sys
from pathlib import Path
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import TripFile
from pipeline.ops.export import export
from pipeline.warehouse import exports
from tests.support.files import backfill, request

work, moment, target, source = sys.argv[1:]
settings = Settings()
flush, replace = exports.flush, Path.replace
written = 0

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def flush_or_die(path):
    global written
    written += 1
    if written == 2 and moment == "before rename":
        die()
    flush(path)

def replace_and_die(path, target):
    result = replace(path, target)
    if written == 2 and moment == "after rename" and target.name == "data.parquet":
        die()
    return result

exports.flush, Path.replace = flush_or_die, replace_and_die
if work == "export":
    export("parquet", Path(target), "local", settings)
else:
    names = ("green_tripdata_2020-04.csv", "green_tripdata_2020-05.csv")
    files = map(TripFile.parse, names)
    backfill(settings.model_copy(update={"mirror": target}), request(source, *files))
"""


def put_two(folder: Path, fare: str = "8") -> None:
    for file in (GREEN, MAY):
        put_trips(folder, file, [trip(file, fare_amount=fare), trip(file, PULocationID="7")])


def stored(settings: Settings, file: TripFile) -> list[tuple[Any, ...]]:
    return rows(
        settings,
        f"SELECT * FROM {file.dataset.table} WHERE filename = '{file.filename}' ORDER BY ALL",
    )


def read_parquet(folder: Path, file: TripFile) -> list[tuple[Any, ...]]:
    """Rows of a file in a Parquet folder, with the columns in the order of the table."""
    pattern = folder / file.dataset.table / "*" / "*.parquet"
    return (
        duckdb.connect()
        .execute(
            "SELECT unique_row_id, filename, * EXCLUDE (unique_row_id, filename) "
            "FROM read_parquet($path, hive_partitioning = true) "
            "WHERE filename = $filename ORDER BY ALL",
            {"path": str(pattern), "filename": file.filename},
        )
        .fetchall()
    )


def test_parquet_of_a_file_has_its_rows_in_every_warehouse(
    warehouse_settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, VendorID=None, ehail_fee=None)])
    load(folder, GREEN, warehouse_settings)
    with warehouse(warehouse_settings) as opened:
        sync(ParquetFolder(folder / "out"), opened)
        result = opened.query("SELECT * FROM green_tripdata", limit=10)
    exported = read_parquet(folder / "out", GREEN)
    assert len(exported) == 2
    # The warehouses print amounts with other numbers of zeros; as numbers they are equal.
    assert sorted(exported, key=str) == sorted(map(tuple, result.rows), key=str)
    types = (
        duckdb.connect()
        .execute(
            "SELECT column_name, column_type FROM (DESCRIBE FROM read_parquet($path))",
            {"path": str(ParquetFolder(folder / "out").path(GREEN))},
        )
        .fetchall()
    )
    assert dict(types)["lpep_pickup_datetime"] == "TIMESTAMP"
    assert dict(types)["total_amount"] == "DECIMAL(9,2)"


@pytest.mark.parametrize("format", FORMATS)
def test_export_writes_only_what_changed_and_removes_what_is_gone(
    format: str, settings: Settings, folder: Path
) -> None:
    target = folder / ("out.duckdb" if format == "duckdb" else "out")
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    backfill(settings, request("sample", YELLOW))

    first = export(format, target, "local", settings)
    assert (first.written, first.files) == ((GREEN, YELLOW), 2)
    assert export(format, target, "local", settings).written == ()

    put_trips(folder, GREEN, [trip(GREEN, total_amount="10.3"), trip(GREEN, PULocationID="9")])
    load(folder, GREEN, settings)
    assert export(format, target, "local", settings).written == (GREEN,)
    assert exported_rows(format, target) == rows(settings, f"{COUNTS} ORDER BY ALL")

    remove_sample("local", settings, "command line")
    last = export(format, target, "local", settings)
    assert (last.written, last.removed, last.rows) == ((), (YELLOW,), 2)
    assert exported_rows(format, target) == [("green_tripdata_2020-04.csv", 2, 19.6)]


COUNTS = (
    "SELECT filename, count(*), CAST(sum(total_amount) AS DOUBLE) FROM green_tripdata GROUP BY 1 "
    "UNION ALL SELECT filename, count(*), CAST(sum(total_amount) AS DOUBLE) FROM yellow_tripdata "
    "GROUP BY 1"
)


def exported_rows(format: str, target: Path) -> list[tuple[Any, ...]]:
    """File, rows and dollars of an export, as its reader sees them."""
    with duckdb.connect(str(target) if format == "duckdb" else ":memory:") as connection:
        for table in ("green_tripdata", "yellow_tripdata"):
            if format == "duckdb":
                connection.execute(f"CREATE TEMP VIEW {table} AS FROM prod.{table}")
                continue
            pattern = f"{table}*.csv.gz" if format == "csv" else f"{table}/*/*.parquet"
            source = f"'{target / pattern}'"
            if not list(target.glob(pattern)):
                source = "(SELECT 'x' AS filename, 1 AS total_amount WHERE false)"
            connection.execute(
                f"CREATE VIEW {table} AS SELECT filename, total_amount FROM {source}"
            )
        found = connection.execute(f"{COUNTS} ORDER BY ALL").fetchall()
    return [(name, count, round(dollars, 2)) for name, count, dollars in found]


def test_csv_has_the_cells_of_the_table(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN, store_and_fwd_flag=None)])
    load(folder, GREEN, settings)
    export("csv", folder / "out", "local", settings)
    with gzip.open(folder / "out" / "green_tripdata_2020-04.csv.gz", "rt") as lines:
        (row,) = csv.DictReader(lines)
    assert row["lpep_pickup_datetime"] == "2020-04-01 08:00:00"
    assert (row["fare_amount"], row["store_and_fwd_flag"]) == ("8.00", "")
    assert row["unique_row_id"] == stored(settings, GREEN)[0][0].hex()


def test_duckdb_export_leaves_the_tables_of_others_alone(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    target = folder / "taxi_rides_ny.duckdb"
    with duckdb.connect(str(target)) as connection:
        connection.execute("CREATE SCHEMA prod")
        connection.execute("CREATE TABLE prod.green_tripdata AS SELECT 1 AS mine")
    with pytest.raises(UsageError, match=r"prod\.green_tripdata that no export made"):
        export("duckdb", target, "local", settings)
    export("duckdb", target, "local", settings, schema="raw")
    with duckdb.connect(str(target)) as connection:
        assert connection.execute("FROM prod.green_tripdata").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM raw.green_tripdata").fetchall() == [(1,)]


def test_duckdb_export_has_the_types_of_the_course(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    export("duckdb", folder / "out.duckdb", "local", settings)
    with duckdb.connect(str(folder / "out.duckdb")) as connection:
        described = connection.execute("DESCRIBE prod.green_tripdata").fetchall()
    types = {name: type_ for name, type_, *_ in described}
    assert types["VendorID"] == types["PULocationID"] == "BIGINT"
    assert types["total_amount"] == types["trip_distance"] == "DOUBLE"
    assert types["store_and_fwd_flag"] == "VARCHAR"
    assert types["lpep_pickup_datetime"] == "TIMESTAMP"


@pytest.mark.parametrize("schema", ["", "a b", 'x"; DROP TABLE y; --', "1st", "ü"])
def test_schema_that_is_no_identifier_is_refused(
    schema: str, settings: Settings, folder: Path
) -> None:
    with pytest.raises(UsageError, match="cannot be a schema"):
        export("duckdb", folder / "out.duckdb", "local", settings, schema=schema)


def test_target_that_cannot_be_written_is_named(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    (folder / "file").write_text("not a folder")
    with pytest.raises(UsageError, match="is not a folder"):
        export("parquet", folder / "file", "local", settings)
    with pytest.raises(StorageError, match="file"):
        export("parquet", folder / "file" / "below", "local", settings)
    with pytest.raises(UsageError, match="is not a DuckDB file"):
        export("duckdb", folder / "file", "local", settings)
    assert (folder / "file").read_text() == "not a folder"


@pytest.mark.parametrize("format", FORMATS)
def test_cancelled_export_has_whole_files_only(
    format: str, settings: Settings, folder: Path
) -> None:
    put_two(folder)
    backfill(settings, request(folder, GREEN, MAY))
    target = folder / ("out.duckdb" if format == "duckdb" else "out")
    cancel = Cancel()

    def stop(done: int, _total: int, _file: TripFile) -> None:
        if done == 1:
            cancel.set()

    with pytest.raises(Cancelled):
        export(format, target, "local", settings, cancel=cancel, progress=stop)
    assert export(format, target, "local", settings).written == (MAY,)


def test_command_exports_a_range_of_months(settings: Settings, folder: Path) -> None:
    put_two(folder)
    backfill(settings, request(folder, GREEN, MAY))
    arguments = ["export", "parquet", "--to", str(folder / "out"), "--json"]
    result = document(
        pipeline(settings, *arguments, "--color", "green", "--from", "2020-04", "--to", "2020-04")
    )
    assert result["written"] == [GREEN.filename]
    assert (result["files"], result["rows"]) == (1, 2)
    assert document(pipeline(settings, *arguments))["written"] == [MAY.filename]
    refused = pipeline(settings, "export", "parquet", "--to", "2020-04")
    assert refused.returncode == 2
    assert "--to names one path" in refused.stderr


@pytest.mark.parametrize("path", ["", " "])
def test_export_to_an_empty_path_is_refused(path: str, settings: Settings) -> None:
    refused = pipeline(settings, "export", "csv", "--to", path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--to names one path" in refused.stderr


def test_export_of_months_in_the_wrong_order_is_refused(settings: Settings, folder: Path) -> None:
    months = ("--from", "2020-05", "--to", "2020-04")
    refused = pipeline(settings, "export", "csv", "--to", str(folder / "out"), *months)
    assert refused.returncode == 2
    assert "is after the last one" in refused.stderr


def test_export_into_the_mirror_is_refused(settings: Settings, folder: Path) -> None:
    mirrored = settings.model_copy(update={"mirror": str(folder / "mirror")})
    put_two(folder)
    backfill(mirrored, request(folder, GREEN))
    before = (folder / "mirror" / "trips.duckdb").read_bytes()
    with pytest.raises(UsageError, match="folder of the mirror"):
        export("duckdb", folder / "mirror" / "trips.duckdb", "local", mirrored)
    assert (folder / "mirror" / "trips.duckdb").read_bytes() == before


def test_every_column_of_a_parquet_file_may_be_null_in_another_month(
    settings: Settings, folder: Path
) -> None:
    put_two(folder)
    backfill(settings, request(folder, GREEN, MAY))
    export("parquet", folder / "out", "local", settings)
    for path in (folder / "out").rglob("data.parquet"):
        assert all(column.nullable for column in pq.read_schema(path))


def test_mirror_follows_every_load_and_removal(settings: Settings, folder: Path) -> None:
    mirrored = settings.model_copy(update={"mirror": str(folder / "mirror")})
    put_two(folder)
    backfill(mirrored, request(folder, GREEN, MAY))
    for file in (GREEN, MAY):
        assert read_parquet(folder / "mirror", file) == stored(settings, file)
    put_two(folder, fare="9")
    backfill(mirrored, request(folder, GREEN, MAY, force=True))
    for file in (GREEN, MAY):
        assert read_parquet(folder / "mirror", file) == stored(settings, file)
    backfill(mirrored, request("sample", YELLOW))
    assert YELLOW in ParquetFolder(folder / "mirror").files()
    remove_sample("local", mirrored, "command line")
    assert set(ParquetFolder(folder / "mirror").files()) == {GREEN, MAY}


def test_mirror_that_is_damaged_or_behind_is_repaired_by_the_next_backfill(
    settings: Settings, folder: Path
) -> None:
    put_two(folder)
    backfill(settings, request(folder, GREEN, MAY))  # before there was a mirror
    mirrored = settings.model_copy(update={"mirror": str(folder / "mirror")})
    backfill(mirrored, request(folder, GREEN, MAY))
    mirror = ParquetFolder(folder / "mirror")
    mirror.path(GREEN).write_bytes(mirror.path(GREEN).read_bytes()[:-20])
    mirror.path(MAY).unlink()
    backfill(mirrored, request(folder, GREEN, MAY))
    for file in (GREEN, MAY):
        assert read_parquet(folder / "mirror", file) == stored(settings, file)


def test_views_of_a_mirror_that_lost_or_damaged_their_files_are_repaired(
    settings: Settings, folder: Path
) -> None:
    mirrored = settings.model_copy(update={"mirror": str(folder / "mirror")})
    put_two(folder)
    backfill(mirrored, request(folder, GREEN, MAY))
    (lost,) = (folder / "mirror/.versions").glob(f"*/filename={GREEN.filename}/*")
    (damaged,) = (folder / "mirror/.versions").glob(f"*/filename={MAY.filename}/*")
    lost.unlink()
    content = bytearray(damaged.read_bytes())
    damaged.unlink()  # it is a link to the file beside
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    backfill(mirrored, request(folder, GREEN, MAY))
    with duckdb.connect(str(folder / "mirror/trips.duckdb"), read_only=True) as connection:
        sql = "SELECT filename, sum(total_amount) FROM green_tripdata GROUP BY ALL ORDER BY ALL"
        seen = connection.execute(sql).fetchall()
    assert [name for name, _ in seen] == [GREEN.filename, MAY.filename]
    assert damaged.read_bytes() != bytes(content)


def test_mirror_that_cannot_be_written_fails_no_load_and_is_reported(
    settings: Settings, folder: Path
) -> None:
    (folder / "mirror").write_text("in the way")
    mirrored = settings.model_copy(update={"mirror": str(folder / "mirror")})
    put_two(folder)
    state, files = backfill(mirrored, request(folder, GREEN))
    assert (state, files[GREEN].state) == ("succeeded", "loaded")
    history = History(settings.history_path)
    log = [line.message for line in history.log_lines(history.runs()[0].run_id)]
    assert any("mirror" in message and "nothing can be written" in message for message in log)


@pytest.mark.parametrize("work", ["export", "load"])
@pytest.mark.parametrize("moment", ["before rename", "after rename"])
def test_killed_export_or_mirror_is_whole_and_finished_by_the_next(
    work: str, moment: str, settings: Settings, folder: Path
) -> None:
    put_two(folder)
    target = folder / "out"
    if work == "export":
        backfill(settings, request(folder, GREEN, MAY))
    killed = subprocess.run(
        [sys.executable, "-c", DIES, work, moment, str(target), str(folder)],
        env=os.environ | {"FAREGROUND_HOME": str(settings.home)},
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    complete = {GREEN} | ({MAY} if moment == "after rename" else set())
    assert set(ParquetFolder(target).files()) == complete
    for file in complete:
        assert read_parquet(target, file) == stored(settings, file)
    if work == "export":
        export("parquet", target, "local", settings)
    else:
        backfill(settings.model_copy(update={"mirror": str(target)}), request(folder, GREEN, MAY))
    for file in (GREEN, MAY):
        assert read_parquet(target, file) == stored(settings, file)
    assert not list((target / ".unfinished").glob("*"))


def test_reader_of_the_mirror_sees_only_states_of_the_ledger(
    settings: Settings, folder: Path
) -> None:
    """A reader polls while the same file is loaded with other rows again and again."""
    mirror = folder / "mirror"
    mirrored = settings.model_copy(update={"mirror": str(mirror)})
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, mirrored)
    done, seen, errors = threading.Event(), set(), []

    def poll() -> None:
        while not done.is_set():
            try:
                with duckdb.connect(str(mirror / "trips.duckdb"), read_only=True) as connection:
                    (total,) = connection.execute(
                        "SELECT sum(passenger_count) FROM green_tripdata"
                    ).fetchall()[0]
                seen.add(total)
            except Exception as error:  # any error of a reader fails the test
                errors.append(error)

    reader = threading.Thread(target=poll)
    reader.start()
    states = {1}
    try:
        for number in range(1, 13):
            put_trips(
                folder,
                GREEN,
                [
                    trip(GREEN, passenger_count=str(p), PULocationID=str(p))
                    for p in range(1, number % 40 + 2)
                ],
            )
            states.add(sum(range(1, number % 40 + 2)))
            load(folder, GREEN, mirrored)
            time.sleep(0.01)
    finally:
        done.set()
        reader.join()
    assert not errors
    assert seen <= states
    assert len(seen) > 1


def test_export_beside_a_load_of_the_same_process_is_one_state(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    with open_warehouse("local", settings) as opened:
        sync(ParquetFolder(folder / "out"), opened)
        put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="9")])
        load(folder, GREEN, settings)
        assert sync(ParquetFolder(folder / "out"), opened).written == (GREEN,)
    assert len(read_parquet(folder / "out", GREEN)) == 2


def test_csv_export_overwrites_no_file_that_it_did_not_write(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    (source,) = folder.glob("*.gz")
    original = source.read_bytes()
    for target, message in (
        (folder, "no export wrote it"),
        (settings.staging / "green", "among Fareground's own files"),
    ):
        with pytest.raises(UsageError, match=message):
            export("csv", target, "local", settings)
    assert source.read_bytes() == original


@pytest.mark.parametrize("format", ["parquet", "csv", "mirror"])
@pytest.mark.parametrize("name", ["filename=green_tripdata_2019-01.csv/data.parquet", "a.parquet"])
def test_export_into_an_archive_of_others_is_refused_and_changes_nothing(
    format: str, name: str, settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    archive = folder / "archive"
    path = archive / "green_tripdata" / name
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    if format == "mirror":
        mirrored = settings.model_copy(update={"mirror": str(archive)})
        assert backfill(mirrored, request(folder, GREEN, force=True))[0] == "succeeded"
    else:
        with pytest.raises(UsageError, match="no export wrote it"):
            export(format, archive, "local", settings)
    assert [file for file in archive.rglob("*") if file.is_file()] == [path]
    assert path.read_text() == "precious"


def test_full_disk_at_the_first_export_leaves_the_folder_to_the_next(
    settings: Settings, folder: Path
) -> None:
    import resource

    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(StorageError, match="cannot be written"):
            export("csv", folder / "out", "local", settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((folder / "out").iterdir()) == []
    (folder / "out" / ".fareground").touch()  # what earlier versions left
    assert export("csv", folder / "out", "local", settings).written == (GREEN,)


def test_folder_of_another_home_can_be_used_after_its_claim_is_deleted(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    export("parquet", folder / "out", "local", settings)
    (folder / "out" / ".fareground").unlink()
    assert export("parquet", folder / "out", "local", settings).written == ()


@pytest.mark.parametrize(
    "change", ["DROP TABLE prod.green_tripdata", "DELETE FROM prod.green_tripdata"]
)
def test_duckdb_export_writes_again_what_somebody_removed(
    change: str, settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    target = folder / "prod.duckdb"  # the name of the schema, too
    export("duckdb", target, "local", settings)
    with duckdb.connect(str(target)) as connection:
        connection.execute(f"USE prod.main; {change.replace('prod.', 'prod.prod.')}")
    assert export("duckdb", target, "local", settings).written == (GREEN,)
    assert exported_count(target) == 1


def exported_count(target: Path) -> int:
    with duckdb.connect(str(target)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM prod.prod.green_tripdata").fetchall()[0]
    return int(count)


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_flipped_byte_in_an_export_is_repaired_by_the_next(
    format: str, settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=str(zone)) for zone in range(1, 200)])
    load(folder, GREEN, settings)
    export(format, folder / "out", "local", settings)
    (path,) = (p for p in (folder / "out").rglob("*") if p.suffix in (".gz", ".parquet"))
    good = path.read_bytes()
    for place in range(0, len(good), len(good) // 9):
        path.write_bytes(good[:place] + bytes([good[place] ^ 16]) + good[place + 1 :])
        assert export(format, folder / "out", "local", settings).written == (GREEN,)
    assert export(format, folder / "out", "local", settings).written == ()


def test_folder_with_the_trips_of_another_home_is_refused(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    put_two(folder)
    target = folder / "out"
    mirrored = settings.model_copy(update={"mirror": str(target)})
    backfill(mirrored, request(folder, GREEN))
    other = Settings(home=tmp_path / "other", mirror=str(target))
    state, files = backfill(other, request(folder, MAY))
    assert (state, files[MAY].state) == ("succeeded", "loaded")
    assert set(ParquetFolder(target).files()) == {GREEN}
    with pytest.raises(UsageError, match="trips of another warehouse"):
        export("parquet", target, "local", other)
    assert set(ParquetFolder(target).files()) == {GREEN}


@pytest.mark.parametrize(
    ("name", "schema", "message"),
    [
        (":memory:", "prod", "is not the name of a file"),
        ("", "prod", "is not the name of a file"),
        ("a?b.duckdb", "prod", "is not the name of a file"),
        ("x.duckdb", "temp", "cannot be a schema"),
        ("x.duckdb", "pg_catalog", "cannot be a schema"),
        ("{home}/warehouse.duckdb", "prod", "among Fareground's own files"),
        ("{home}/history.sqlite", "prod", "among Fareground's own files"),
        ("{fifo}", "prod", "is not a file"),
    ],
)
def test_target_that_is_no_file_to_export_to_is_named(
    name: str, schema: str, message: str, settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    os.mkfifo(folder / "fifo")
    path = Path(name.format(home=settings.home, fifo=folder / "fifo"))
    with pytest.raises(UsageError, match=message):
        export("duckdb", path, "local", settings, schema=schema)


def test_fifo_in_place_of_an_exported_file_is_replaced_at_once(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    export("parquet", folder / "out", "local", settings)
    path = ParquetFolder(folder / "out").path(GREEN)
    for fifo in (path, path.with_name(".load")):
        fifo.unlink()
        os.mkfifo(fifo)
        assert export("parquet", folder / "out", "local", settings).written == (GREEN,)
        assert read_parquet(folder / "out", GREEN) == stored(settings, GREEN)


def test_warehouse_of_another_home_is_no_place_for_an_export(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    other = settings.model_copy(update={"home": folder / "other"})
    load(folder, GREEN, other)
    before = other.warehouse_path.read_bytes()
    with pytest.raises(UsageError, match=r"warehouse\.duckdb is a warehouse of Fareground"):
        export("duckdb", other.warehouse_path, "local", settings)
    assert other.warehouse_path.read_bytes() == before


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_home_that_was_moved_still_exports_to_its_own_folder(
    format: str, settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    export(format, default_target(format, settings), "local", settings)
    moved = settings.model_copy(update={"home": settings.home.rename(folder / "moved")})
    assert export(format, default_target(format, moved), "local", moved).written == ()


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
@pytest.mark.parametrize(
    ("format", "place"),
    [
        ("parquet", ".unfinished"),
        ("parquet", "green_tripdata"),
        ("parquet", "green_tripdata/filename={name}.csv"),
        ("parquet", "green_tripdata/filename={name}.csv/data.parquet"),
        ("parquet", "green_tripdata/filename={name}.csv/.load"),
        ("csv", "{name}.csv.gz"),
        ("csv", ".{name}.csv.gz.unfinished"),
        ("csv", ".{name}.csv.load"),
        ("duckdb", ".wal"),
    ],
)
def test_what_stands_in_the_place_of_an_exported_file_is_replaced_or_named_at_once(
    format: str, place: str, kind: str, settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    out = folder / "out"
    export(format, out, "local", settings)
    in_the_way = out / place.format(name=GREEN.stem)
    if format == "duckdb":
        in_the_way = Path(f"{out}{place}")
    if in_the_way.is_dir():
        shutil.rmtree(in_the_way)
    in_the_way.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(in_the_way)
    elif kind == "link":
        in_the_way.symlink_to(folder / "nowhere")
    else:
        in_the_way.mkdir()
        (in_the_way / "mine").write_text("kept")
    message = ""
    try:
        export(format, out, "local", settings)
    except (StorageError, UsageError) as error:
        message = str(error)
    assert not message or (str(out) in message and "Free" not in message)


@pytest.mark.parametrize("format", FORMATS)
def test_export_of_another_home_is_never_replaced(
    format: str, settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    other = settings.model_copy(update={"home": folder / "other"})
    put_trips(folder, MAY, [trip(MAY)])
    load(folder, MAY, other)
    out = folder / "out"
    export(format, out, "local", settings)
    with pytest.raises(UsageError, match="has the trips of another warehouse: local of "):
        export(format, out, "local", other)
    assert export(format, out, "local", settings).written == ()


@pytest.mark.parametrize("name", ["trips.csv", "trips.parquet", "notes.txt", "store.sqlite"])
def test_file_that_is_no_duckdb_file_is_refused_and_stays(
    name: str, settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    path = folder / name
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match=f"{name} is not a DuckDB file"):
        export("duckdb", path, "local", settings)
    assert path.read_text() == "a,b\n1,2\n"
