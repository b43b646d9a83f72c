"""The local warehouse's file: versions, damage, a full disk, sharing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from pipeline.core.errors import UsageError, WarehouseBusy, WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import TripFile
from pipeline.warehouse.local.warehouse import LocalWarehouse
from pipeline.warehouse.registry import find_backend, open_warehouse
from tests.support.files import GREEN, YELLOW, amounts, load, put_trips, rows, target, trip

ROOT = Path(__file__).parents[2]

READS_ELSEWHERE = """
from pipeline.core.settings.settings import Settings
from pipeline.warehouse.registry import BACKENDS, open_warehouse
from tests.support.third_backend import ThirdBackend

BACKENDS[ThirdBackend.name] = ThirdBackend
with open_warehouse("{name}", Settings(), read_only=True) as warehouse:
    print(warehouse.query("{count}", limit=1).rows)
"""


def test_newer_warehouse_is_refused_and_unchanged(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("UPDATE storage.schema_version SET version = 99")
    with pytest.raises(WarehouseError, match=r"schema version 99.*Update Fareground"):
        amounts(settings, GREEN)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        assert connection.execute("SELECT count(*) FROM green_tripdata").fetchall() == [(1,)]


def test_too_old_warehouse_is_refused_with_cure(settings: Settings) -> None:
    rows(settings, "SELECT 1")
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("UPDATE storage.schema_version SET version = 0")
    with pytest.raises(WarehouseError, match="python -m pipeline rebuild"):
        rows(settings, "SELECT 1")


def test_foreign_duckdb_file_is_refused_and_unchanged(settings: Settings) -> None:
    settings.home.mkdir()
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("CREATE TABLE yellow_tripdata AS SELECT 1 AS fare")
    with pytest.raises(WarehouseError, match="not one of Fareground's"):
        rows(settings, "SELECT 1")
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        assert connection.execute("SELECT fare FROM yellow_tripdata").fetchall() == [(1,)]


@pytest.mark.parametrize("content", [b"this is no database", b"\0" * 100_000])
def test_damaged_warehouse_is_named_with_cure(settings: Settings, content: bytes) -> None:
    settings.home.mkdir()
    settings.warehouse_path.write_bytes(content)
    with pytest.raises(WarehouseError, match=r"warehouse\.duckdb cannot be read.*pipeline rebuild"):
        rows(settings, "SELECT 1")


def test_full_disk_during_load_fails_file_and_loses_nothing(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    big = [
        trip(YELLOW, PULocationID=n % 250, total_amount=f"{n % 977}.{n % 97:02}")
        for n in range(60_000)
    ]
    put_trips(folder, YELLOW, big)
    # The system refuses to write beyond this file size, with the errors of a full disk.
    limit = settings.warehouse_path.stat().st_size + 300_000
    code = (
        "import resource, runpy, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "sys.argv = ['pipeline', *sys.argv[1:]]\n"
        "runpy.run_module('pipeline', run_name='__main__')\n"
    )
    arguments = ["backfill", "--color", "yellow", "--from", "2020-04", "--source", str(folder)]
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--json"],
        env=os.environ | {"FAREGROUND_HOME": str(settings.home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    reason = (result.stdout and json.loads(result.stdout)["files"][0]["reason"]) or result.stderr
    assert "full" in reason
    assert "Free some space" in reason
    assert amounts(settings, GREEN) == ["9.30"]
    assert amounts(settings, YELLOW) == []
    assert load(folder, YELLOW, settings).rows == 60_000


def test_threads_sharing_a_warehouse_get_their_own_results(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=n % 250) for n in range(1000)])
    load(folder, GREEN, settings)
    wrong: list[object] = []

    def ask(number: int) -> None:
        for turn in range(20):
            expected = number * 1000 + turn
            with LocalWarehouse(settings) as warehouse:
                result = warehouse.query(
                    f"SELECT {expected}, count(*) FROM green_tripdata", limit=2
                )
            if result.rows != [(expected, 1000)]:
                wrong.append(result.rows)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_error_names_pid_of_process_that_holds_warehouse(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAREGROUND_BUSY_WAIT_SECONDS", "0.2")
    code = (
        "import sys\nfrom pipeline.core.settings.settings import Settings\n"
        "from pipeline.warehouse.local.warehouse import LocalWarehouse\n"
        "with LocalWarehouse(Settings()):\n    print('open', flush=True)\n    sys.stdin.read()\n"
    )
    environment = os.environ | {"FAREGROUND_HOME": str(settings.home), "PYTHONPATH": "."}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        for read_only in (False, True):
            with pytest.raises(WarehouseBusy, match=rf"pid {holder.pid}"):
                open_warehouse("local", Settings(), read_only=read_only).__enter__()
        holder.communicate()
    with LocalWarehouse(Settings()):
        pass


def test_read_only_processes_open_warehouse_together_and_change_nothing(
    warehouse_settings: Settings, folder: Path
) -> None:
    settings, name = warehouse_settings, target(warehouse_settings)
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    database = find_backend(name).database(settings)
    before = database and database.path.read_bytes()
    count = "SELECT count(*) FROM green_tripdata"
    with open_warehouse(name, settings, read_only=True) as warehouse:
        code = READS_ELSEWHERE.format(name=name, count=count)
        assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT) == b"[(1,)]\n"
        with pytest.raises(UsageError):
            warehouse.query("DELETE FROM green_tripdata", limit=1)
        assert warehouse.query(count, limit=1).rows == [(1,)]
    assert (database and database.path.read_bytes()) == before


def test_read_only_open_of_absent_warehouse_is_empty_and_creates_nothing(
    warehouse_settings: Settings,
) -> None:
    name = target(warehouse_settings)
    with open_warehouse(name, warehouse_settings, read_only=True) as warehouse:
        assert warehouse.records() == {}
        if find_backend(name).database(warehouse_settings):
            assert warehouse.query("SELECT * FROM yellow_tripdata", limit=1).rows == []
    assert not warehouse_settings.home.exists()


def test_ledger_records_real_address_bytes_and_checksum(settings: Settings, folder: Path) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN)])
    entry = load(folder, GREEN, settings)
    with LocalWarehouse(settings) as warehouse:
        records: dict[TripFile, object] = dict(warehouse.records())
        assert warehouse.records()[GREEN].loaded == entry
    assert list(records) == [GREEN]
    assert (entry.address, entry.bytes) == (str(path), path.stat().st_size)
    assert entry.sha256 is not None
    assert entry.etag is not None


def test_reader_of_a_new_warehouse_does_not_share_the_empty_one_of_an_earlier_reader(
    settings: Settings, folder: Path
) -> None:
    count = "SELECT count(*) FROM green_tripdata"
    put_trips(folder, GREEN, [trip(GREEN)])
    with open_warehouse("local", settings, read_only=True) as early:
        assert early.query(count, limit=1).rows == [(0,)]
        load(folder, GREEN, settings)
        with open_warehouse("local", settings, read_only=True) as late:
            assert late.query(count, limit=1).rows == [(1,)]
