"""Other programs read what Fareground writes: DuckDB 1.2 to 1.5, its command line, pyarrow, dbt.

They are installed by `make test-readers`, in an environment of their own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.core.datasets import FOR_HIRE_VEHICLES
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import TripFile
from pipeline.ops.export import export
from pipeline.warehouse import LoadJob, LoadMonitor
from pipeline.warehouse.exports import ParquetFolder, sync
from tests.support.files import (
    GREEN,
    YELLOW,
    backfill,
    load,
    put_trips,
    request,
    rows,
    stage_from,
    trip,
    warehouse,
)

pytestmark = pytest.mark.readers

FHV = TripFile(FOR_HIRE_VEHICLES, GREEN.month)
ROOT = Path(__file__).parents[2]
READERS = ROOT / ".venv-readers"
VERSIONS = {"1.2.2": READERS / "duckdb-1.2.2", "1.4.5": READERS / "duckdb-1.4.5", "1.5.6": None}

READS_ALL = """
import json, sys
import duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
names = connection.execute(
    "SELECT table_schema, table_name FROM information_schema.tables"
).fetchall()
counts = {
    name: len(connection.execute(f'FROM "{schema}"."{name}"').fetchall())
    for schema, name in names if schema != "storage"
}
ids = connection.execute("SELECT count(DISTINCT unique_row_id) FROM yellow_tripdata").fetchone()[0]
print(json.dumps({"version": duckdb.__version__, "counts": counts, "ids": ids}))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one month of each dataset of the sample."""
    home = tmp_path_factory.mktemp("readers") / "home"
    assert backfill(Settings(home=home), request("sample", GREEN, YELLOW, FHV))[0] == "succeeded"
    return home


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home=home)


def run(command: Sequence[object], **variables: str) -> str:
    """Run a program of the readers' environment and return its output."""
    result = subprocess.run(
        [str(word) for word in command],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def python(version: str, code: str, *arguments: object) -> str:
    """Run code with one version of DuckDB."""
    folder = VERSIONS[version]
    variables = {"PYTHONPATH": str(folder)} if folder else {}
    return run([READERS / "bin" / "python", "-c", code, *arguments], **variables)


@pytest.mark.parametrize("version", VERSIONS)
def test_earlier_duckdb_reads_every_table_of_the_warehouse(
    version: str, settings: Settings
) -> None:
    result = json.loads(python(version, READS_ALL, settings.warehouse_path))
    assert result["version"] == version
    (expected,) = rows(settings, "SELECT count(*) FROM yellow_tripdata")[0]
    assert result["counts"]["yellow_tripdata"] == result["ids"] == expected
    assert result["counts"]["load_ledger"] == 3


@pytest.mark.parametrize("version", VERSIONS)
def test_earlier_duckdb_reads_exports(version: str, settings: Settings, tmp_path: Path) -> None:
    export("duckdb", tmp_path / "taxi_rides_ny.duckdb", "local", settings)
    export("parquet", tmp_path / "parquet", "local", settings)
    code = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); "
        "ids = 'count(DISTINCT filename || unique_row_id::VARCHAR)'; "
        "tables = ('taxi_rides_ny.prod.green_tripdata', f'read_parquet({sys.argv[2]!r})'); "
        "print(*(c.execute(f'SELECT {ids} FROM {table}').fetchone()[0] for table in tables))"
    )
    pattern = tmp_path / "parquet" / "green_tripdata" / "**" / "*.parquet"
    counts = python(version, code, tmp_path / "taxi_rides_ny.duckdb", pattern).split()
    (expected,) = rows(settings, "SELECT count(*) FROM green_tripdata")[0]
    assert counts == [str(expected)] * 2


def test_command_line_of_duckdb_reads_the_warehouse(settings: Settings) -> None:
    output = run(
        [
            READERS / "bin" / "duckdb",
            "-readonly",
            "-json",
            settings.warehouse_path,
            "SELECT count(*) AS trips FROM green_tripdata",
        ]
    )
    assert json.loads(output) == [
        {"trips": rows(settings, "SELECT count(*) FROM green_tripdata")[0][0]}
    ]


def test_pyarrow_reads_the_mirror(settings: Settings, tmp_path: Path) -> None:
    with warehouse(settings) as opened:
        sync(ParquetFolder(tmp_path / "mirror"), opened)
    code = (
        "import sys; from pyarrow import dataset; "
        "t = dataset.dataset(sys.argv[1], partitioning='hive').to_table(); "
        "print(t.num_rows, t['filename'].unique().to_pylist())"
    )
    output = run([READERS / "bin" / "python", "-c", code, tmp_path / "mirror" / "green_tripdata"])
    (expected,) = rows(settings, "SELECT count(*) FROM green_tripdata")[0]
    assert output.strip() == f"{expected} ['{GREEN.filename}']"


# Both read the sum of passengers until "stop" exists, and print the sums that they saw.
POLLS = {
    "duckdb 1.5.6": """
import os, sys
import duckdb
mirror, stop = sys.argv[1:]
sums = set()
while not os.path.exists(stop):
    with duckdb.connect(f"{mirror}/trips.duckdb", read_only=True) as connection:
        sums.add(
            connection.execute("SELECT sum(passenger_count)::INT FROM green_tripdata").fetchone()[0]
        )
    if len(sums) == 1:
        print("seen", flush=True)
print(*sums)
""",
    "pyarrow": """
import os, sys
from pyarrow import compute, dataset
mirror, stop = sys.argv[1:]
sums = set()
while not os.path.exists(stop):
    trips = dataset.dataset(f"{mirror}/green_tripdata", partitioning="hive").to_table()
    sums.add(compute.sum(trips["passenger_count"]).as_py())
    if len(sums) == 1:
        print("seen", flush=True)
print(*sums)
""",
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "loads", [20, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.long])]
)
@pytest.mark.parametrize("reader", POLLS)
def test_reader_in_another_process_sees_ledger_states_only(
    reader: str, loads: int, tmp_path: Path
) -> None:
    folder, stop = tmp_path / "source", tmp_path / "stop"
    folder.mkdir()
    settings = Settings(home=tmp_path / "home", mirror=str(tmp_path / "mirror"))
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    command = [READERS / "bin" / "python", "-c", POLLS[reader], tmp_path / "mirror", stop]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as poll:
        assert poll.stdout is not None
        assert poll.stdout.readline() == "seen\n", poll.communicate()
        ledger_sums = {1}
        try:
            with warehouse(settings) as opened:
                for number in range(loads):
                    zones = range(1, number % 40 + 2)
                    put_trips(
                        folder,
                        GREEN,
                        [trip(GREEN, passenger_count=str(z), PULocationID=str(z)) for z in zones],
                    )
                    ledger_sums.add(sum(zones))
                    staged = stage_from(folder, GREEN, settings)
                    opened.load(staged, LoadJob("a-run", str(folder)), LoadMonitor())
        finally:
            stop.touch()
        output, errors = poll.communicate(timeout=60)
    assert poll.returncode == 0, errors
    seen = {int(word) for word in output.split("\n")[-2].split()}
    assert seen <= ledger_sums
    assert len(seen) > loads / 10


@pytest.mark.parametrize("source", ["export", "mirror"])
def test_dbt_builds_its_models_on_export_and_mirror(
    source: str, settings: Settings, tmp_path: Path
) -> None:
    database = tmp_path / "taxi_rides_ny.duckdb"
    if source == "export":
        export("duckdb", database, "local", settings)
    else:
        export("parquet", tmp_path / "mirror", "local", settings)
        views = "CREATE SCHEMA prod;" + "".join(
            f"CREATE VIEW prod.{table} AS FROM "
            f"read_parquet('{tmp_path}/mirror/{table}/**/*.parquet', hive_partitioning = true);"
            for table in ("yellow_tripdata", "green_tripdata", "fhv_tripdata")
        )
        run([READERS / "bin" / "duckdb", database, views])
    project = tmp_path / "dbt"
    shutil.copytree(ROOT / "tests" / "dbt", project)
    output = run(
        [
            READERS / "bin" / "dbt",
            "--no-use-colors",
            "--no-send-anonymous-usage-stats",
            "build",
            "--project-dir",
            project,
            "--profiles-dir",
            project,
        ],
        TAXI_DATABASE=str(database),
        DO_NOT_TRACK="1",
    )
    assert "ERROR=0" in output
    assert "PASS=9" in output
    sql = "SELECT sum(trips), round(sum(revenue), 2) FROM dbt.monthly_revenue"
    output = run([READERS / "bin" / "duckdb", "-csv", "-noheader", database, sql])
    trips, revenue = output.strip().split(",")
    (expected,) = rows(
        settings,
        "SELECT (SELECT count(*) FROM green_tripdata) + (SELECT count(*) FROM yellow_tripdata) "
        "+ (SELECT count(*) FROM fhv_tripdata), "
        "(SELECT sum(total_amount) FROM green_tripdata) "
        "+ (SELECT sum(total_amount) FROM yellow_tripdata)",
    )
    assert (int(trips), revenue) == (expected[0], str(expected[1]))
