"""The local warehouse as a place: versions, damage, a full disk, sharing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import UsageError, WarehouseBusy, WarehouseError
from pipeline.settings import Settings
from pipeline.trips import TripFile
from pipeline.warehouse import open_warehouse
from pipeline.warehouse.local import LocalWarehouse
from tests.files import GREEN, YELLOW, amounts, load, put_trips, rows, trip


def test_a_warehouse_of_a_newer_version_asks_for_an_update_and_is_left_alone(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("UPDATE storage.schema_version SET version = 99")
    with pytest.raises(WarehouseError, match=r"schema version 99.*Update Fareground"):
        amounts(settings, GREEN)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        assert connection.execute("SELECT count(*) FROM green_tripdata").fetchall() == [(1,)]


def test_a_warehouse_of_an_older_version_says_what_to_do(settings: Settings) -> None:
    rows(settings, "SELECT 1")
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("UPDATE storage.schema_version SET version = 0")
    with pytest.raises(WarehouseError, match="python -m pipeline rebuild"):
        rows(settings, "SELECT 1")


def test_somebody_elses_duckdb_file_is_left_alone(settings: Settings) -> None:
    settings.home.mkdir()
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("CREATE TABLE yellow_tripdata AS SELECT 1 AS fare")
    with pytest.raises(WarehouseError, match="not one of Fareground's"):
        rows(settings, "SELECT 1")
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        assert connection.execute("SELECT fare FROM yellow_tripdata").fetchall() == [(1,)]


@pytest.mark.parametrize("content", [b"this is no database", b"\0" * 100_000])
def test_a_damaged_warehouse_file_is_named_with_a_cure(settings: Settings, content: bytes) -> None:
    settings.home.mkdir()
    settings.warehouse_path.write_bytes(content)
    with pytest.raises(WarehouseError, match=r"warehouse\.duckdb cannot be read.*pipeline rebuild"):
        rows(settings, "SELECT 1")


def test_a_full_disk_during_a_load_fails_the_file_and_loses_nothing(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    big = [
        trip(YELLOW, PULocationID=n % 250, total_amount=f"{n % 977}.{n % 97:02}")
        for n in range(60_000)
    ]
    put_trips(folder, YELLOW, big)
    # The operating system refuses any file that grows beyond this: what a full disk looks like.
    limit = settings.warehouse_path.stat().st_size + 300_000
    code = (
        "import resource, runpy, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "sys.argv = ['pipeline', *sys.argv[1:]]\n"
        "runpy.run_module('pipeline', run_name='__main__')\n"
    )
    asked = ["backfill", "--color", "yellow", "--from", "2020-04", "--source", str(folder)]
    result = subprocess.run(
        [sys.executable, "-c", code, *asked, "--json"],
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


def test_within_one_process_many_threads_use_one_warehouse_and_get_their_own_answers(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=n % 250) for n in range(1000)])
    load(folder, GREEN, settings)
    wrong: list[object] = []

    def ask(number: int) -> None:
        for turn in range(20):
            wanted = number * 1000 + turn
            with LocalWarehouse(settings) as warehouse:
                result = warehouse.query(f"SELECT {wanted}, count(*) FROM green_tripdata", limit=2)
            if result.rows != [(wanted, 1000)]:
                wrong.append(result.rows)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_process_that_holds_the_warehouse_is_named_by_its_pid(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAREGROUND_BUSY_WAIT_SECONDS", "0.2")
    code = (
        "import sys\nfrom pipeline.settings import Settings\n"
        "from pipeline.warehouse.local import LocalWarehouse\n"
        "with LocalWarehouse(Settings()):\n    print('open', flush=True)\n    sys.stdin.read()\n"
    )
    environment = os.environ | {"FAREGROUND_HOME": str(settings.home), "PYTHONPATH": "."}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        cwd=Path(__file__).parent.parent,
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


def test_processes_that_only_look_do_so_at_once_and_change_nothing(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    before = settings.warehouse_path.read_bytes()
    looking = LocalWarehouse(settings, read_only=True)
    with looking, LocalWarehouse(settings, read_only=True) as other:
        assert other.query("SELECT count(*) FROM green_tripdata", limit=1).rows == [(1,)]
        with pytest.raises(UsageError):
            other.query("DELETE FROM green_tripdata", limit=1)
    assert settings.warehouse_path.read_bytes() == before


def test_a_warehouse_that_does_not_exist_looks_empty_and_is_not_made_by_looking(
    settings: Settings,
) -> None:
    with LocalWarehouse(settings, read_only=True) as warehouse:
        assert warehouse.records() == {}
        assert warehouse.query("SELECT * FROM yellow_tripdata", limit=1).rows == []
    assert not settings.home.exists()


def test_the_ledger_keeps_the_real_address_bytes_and_checksum(
    settings: Settings, folder: Path
) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN)])
    entry = load(folder, GREEN, settings)
    with LocalWarehouse(settings) as warehouse:
        records: dict[TripFile, object] = dict(warehouse.records())
        assert warehouse.records()[GREEN].loaded == entry
    assert list(records) == [GREEN]
    assert (entry.address, entry.bytes) == (str(path), path.stat().st_size)
    assert entry.sha256 is not None
    assert entry.etag is not None
