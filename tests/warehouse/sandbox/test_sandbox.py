"""Somebody's SQL reads the tables it is given, and nothing else: tried as an attacker would."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pytest

from pipeline.core.cancel import Cancel
from pipeline.core.errors import Cancelled, UsageError, WarehouseBusy
from pipeline.core.settings.settings import Settings
from pipeline.preview import Preview, make_preview
from pipeline.preview.subject import read_local_file
from pipeline.warehouse.registry import find_backend, open_warehouse
from pipeline.warehouse.sandbox import SandboxResult, Scope, run_query, worker
from pipeline.warehouse.sandbox.vetting import vet
from tests.support.files import GREEN, load, put_trips, trip

SECRET = "hidden-in-a-file"

# {file} is a csv, {parquet} a parquet file and {database} a DuckDB file that hold SECRET.
ATTACKS = [
    # files, by every function and by name
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM read_csv_auto('{file}')",
    "FROM read_text('{file}')",
    "FROM read_blob('{file}')",
    "FROM read_json('{file}')",
    "FROM read_json_auto('{file}')",
    "FROM read_ndjson_objects('{file}')",
    "FROM read_parquet('{parquet}')",
    "FROM parquet_scan('{parquet}')",
    "FROM parquet_metadata('{parquet}')",
    "FROM parquet_schema('{parquet}')",
    "FROM parquet_kv_metadata('{parquet}')",
    "FROM read_duckdb('{database}')",
    "FROM sniff_csv('{file}')",
    "FROM glob('{folder}/*')",
    "FROM '{file}'",
    "FROM '{parquet}'",
    'FROM "{file}"',
    "FROM '{folder}/*.csv'",
    "FROM 'https://example.org/x.parquet'",
    "FROM read_csv('https://example.org/x.csv')",
    "FROM read_text('/proc/self/environ')",
    "SELECT * FROM trips, read_text('{file}')",
    "SELECT (SELECT content FROM read_text('{file}'))",
    "SELECT * FROM trips WHERE EXISTS (FROM read_text('{file}'))",
    "WITH a AS (FROM read_text('{file}')) FROM a",
    "WITH RECURSIVE a AS (FROM read_text('{file}') UNION ALL FROM a) FROM a",
    "FROM (VALUES (1)) v(x), LATERAL (FROM read_text('{file}'))",
    "SELECT 1 UNION ALL SELECT content FROM read_text('{file}')",
    "EXPLAIN ANALYZE SELECT * FROM read_text('{file}')",
    "DESCRIBE SELECT * FROM read_csv('{file}')",
    "SUMMARIZE '{file}'",
    "SUMMARIZE SELECT * FROM read_csv('{file}')",
    "PIVOT (FROM read_text('{file}')) ON filename IN ('a') USING count(*)",
    "FROM trips POSITIONAL JOIN read_text('{file}')",
    "FROM trips ASOF JOIN '{file}' f ON trips.VendorID >= f.word",
    # the same, spelled otherwise
    "FROM READ_TEXT('{file}')",
    "FROM read_text/**/('{file}')",
    "FROM \"read_text\"('{file}')",
    "FROM main.read_text('{file}')",
    "FROM system.main.read_text('{file}')",
    "FROM read_text(['{file}'])",
    "FROM read_text($${file}$$)",
    "SELECT * FROM trips LIMIT (SELECT length(content) FROM read_text('{file}'))",
    "SELECT * FROM trips ORDER BY (SELECT max(content) FROM read_text('{file}'))",
    "SELECT count(*) FILTER (EXISTS (FROM read_text('{file}'))) FROM trips",
    "SELECT sum(1) OVER (ORDER BY (SELECT content FROM read_text('{file}'))) FROM trips",
    "SELECT list_transform([1], x -> (SELECT content FROM read_text('{file}')))",
    "FROM trips QUALIFY (SELECT true FROM read_text('{file}'))",
    "FROM (DESCRIBE '{file}')",
    "FROM (SUMMARIZE FROM read_csv('{file}'))",
    "FROM trips SEMI JOIN '{file}' f ON true",
    "VALUES ((SELECT content FROM read_text('{file}')))",
    # SQL within SQL
    "FROM query('FROM read_text(''{file}'')')",
    "FROM query_table('{file}')",
    "FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''{file}'')'))",
    "FROM histogram_values('{file}', word)",
    # other databases, extensions, pointers into memory
    "ATTACH '{database}' AS other",
    "ATTACH '{database}' AS other (READ_ONLY)",
    "DETACH preview",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FROM arrow_scan(1, 2, 3)",
    "FROM pandas_scan(1)",
    "FROM python_map_function(1)",
    # settings, secrets, the machine
    "SET memory_limit = '100GB'",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA database_list",
    "PRAGMA memory_limit = '100GB'",
    "FROM duckdb_settings()",
    "FROM duckdb_secrets()",
    "FROM duckdb_databases()",
    "FROM duckdb_databases",
    "FROM pragma_database_list",
    "FROM pg_settings",
    "FROM duckdb_extensions()",
    "FROM duckdb_logs()",
    "FROM pragma_user_agent()",
    "SELECT current_setting('temp_directory')",
    "SELECT getenv('HOME')",
    "FROM which_secret('s3://x', 's3')",
    "CREATE SECRET s (TYPE s3, KEY_ID 'x')",
    "SHOW DATABASES",
    "SHOW ALL TABLES",
    "FROM enable_logging(storage = 'file', storage_config = {{'path': '{folder}/log'}})",
    "CALL enable_logging()",
    "FROM enable_profiling()",
    "SELECT write_log('x')",
    # writing
    "COPY (SELECT 1) TO '{folder}/out.csv'",
    "COPY trips TO '{folder}/out.parquet'",
    "EXPORT DATABASE '{folder}/out'",
    "IMPORT DATABASE '{folder}/out'",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE VIEW x AS SELECT 1",
    "CREATE MACRO x() AS 1",
    "INSERT INTO trips SELECT * FROM trips",
    "DELETE FROM trips",
    "UPDATE trips SET VendorID = 1",
    "MERGE INTO trips USING trips t ON true WHEN MATCHED THEN DELETE",
    "TRUNCATE trips",
    "DROP TABLE trips",
    "ALTER TABLE trips ADD COLUMN x INT",
    "SELECT 1 INTO x",
    "WITH a AS (DELETE FROM trips RETURNING *) FROM a",
    "WITH a AS (INSERT INTO trips SELECT * FROM trips RETURNING *) FROM a",
    "WITH a AS (UPDATE trips SET VendorID = 1 RETURNING *) FROM a",
    "WITH a AS (COPY (SELECT 1) TO '{folder}/out.csv') FROM a",
    "FROM (WITH a AS (COPY trips TO '{folder}/out.csv') FROM a)",
    "WITH a AS (COPY (FROM read_text('{file}')) TO '{folder}/out.csv') SELECT 1",
    "CHECKPOINT",
    "FROM checkpoint('preview')",
    "VACUUM",
    "BEGIN",
    "COMMIT",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "CALL pragma_version()",
    "SELECT nextval('x')",
    "USE preview",
    # several at once, and none
    "SELECT 1; DROP TABLE trips",
    "SELECT 1; SELECT 2",
    "SELECT 1;; COPY (SELECT 1) TO '{folder}/out.csv'",
    "/* SELECT */ COPY (SELECT 1) TO '{folder}/out.csv'",
    "-- a comment\n",
    "/* */ EXPLAIN SELECT 1",
    "",
    ";",
    "SELECT",
    "no sql at all",
    "\0",
    "SELECT 1 " + "--x" * 10_000,
]
NAMES = ("trips", "green_tripdata")


@pytest.fixture(scope="module")
def parser() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that only parses."""
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files of every kind that hold SECRET, by the names the attacks use."""
    place = tmp_path_factory.mktemp("hidden")
    paths = {name: str(place / f"secret.{name}") for name in ("csv", "parquet", "duckdb")}
    Path(paths["csv"]).write_text(f"word\n{SECRET}\n")
    duckdb.connect().execute(f"COPY (SELECT '{SECRET}' AS word) TO '{paths['parquet']}'")
    with duckdb.connect(paths["duckdb"]) as connection:
        connection.execute(f"CREATE TABLE words AS SELECT '{SECRET}' AS word")
    return {
        "file": paths["csv"],
        "parquet": paths["parquet"],
        "database": paths["duckdb"],
        "database_table": "trips",
        "folder": str(place),
    }


@pytest.fixture
def seen(settings: Settings, folder: Path) -> Preview:
    """A preview of three trips."""
    path = put_trips(folder, GREEN, [trip(GREEN, PULocationID=str(zone)) for zone in (1, 2, 3)])
    return make_preview(read_local_file(path, GREEN, settings, Cancel()), settings, Cancel())


def scope_of(preview: Preview) -> Scope:
    staged = preview.subject.staged
    assert staged is not None
    return Scope(database=preview.database, file=(staged.path, staged.format))


def warehouse_scope(settings: Settings) -> Scope:
    backend = find_backend("local")
    return Scope(warehouse=settings.warehouse_path, warehouse_tables=backend.tables)


def ask(sql: str, settings: Settings, scope: Scope, **limits: Any) -> SandboxResult:
    return run_query(sql, scope, settings.model_copy(update=limits), Cancel())


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_does_more_than_read_tables_is_refused_with_a_sentence(
    attack: str, hidden: dict[str, str], parser: duckdb.DuckDBPyConnection
) -> None:
    with pytest.raises(UsageError) as refusal:
        vet(parser, attack.format(**hidden), NAMES)
    assert refusal.value.problem.endswith(".")
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM trips",
        "FROM trips LIMIT 5",
        "WITH a AS (FROM trips) SELECT * FROM a JOIN green_tripdata USING (VendorID)",
        "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 5) FROM r",
        "SELECT * FROM trips PIVOT (count(*) FOR VendorID IN (1, 2))",
        "SELECT x FROM range(5) t(x), unnest([1, 2]) u(y)",
        "DESCRIBE trips",
        "SUMMARIZE trips",
        "EXPLAIN SELECT * FROM trips",
        "EXPLAIN ANALYZE SELECT * FROM trips",
        "VALUES (1), (2)",
        "SELECT list_transform([1], x -> x + 1), md5('a'), now()",
        "SELECT * FROM information_schema.columns",
        "SELECT 'read_text(''/etc/passwd'')' AS only_a_text -- COPY\n;",
    ],
)
def test_what_only_reads_is_let_through(sql: str, parser: duckdb.DuckDBPyConnection) -> None:
    assert vet(parser, sql, NAMES) <= set(NAMES)


def test_behind_the_first_wall_stands_another(
    seen: Preview, hidden: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert seen.database is not None
    before = seen.database.read_bytes()
    monkeypatch.setattr(worker, "vet", lambda *_: frozenset({"trips"}))
    listed = sorted(path.name for path in Path(hidden["folder"]).iterdir())
    for attack in ATTACKS:
        # These take addresses in memory, and wrong ones end any process: the first wall is theirs.
        if "_scan(1" in attack or "python_map" in attack:
            continue
        request = {
            "sql": attack.format(**hidden),
            "tables": NAMES,
            "database": str(seen.database),
            "database_table": "trips",
            "file": None,
            "warehouse": None,
            "warehouse_tables": [],
            "memory_limit": "512MB",
            "seconds": 10,
            "busy_wait": 0,
            "rows": 100,
            "bytes": 2**20,
        }
        try:
            table, _ = worker.run_request(request)
        except (duckdb.Error, UsageError):
            continue
        assert SECRET not in json.dumps(table.to_pylist(), default=str), attack
    assert sorted(path.name for path in Path(hidden["folder"]).iterdir()) == listed
    assert seen.database.read_bytes() == before


def test_a_process_of_its_own_answers_with_rows(settings: Settings, seen: Preview) -> None:
    scope = scope_of(seen)
    typed = ask("SELECT PULocationID, total_amount FROM trips ORDER BY 1", settings, scope)
    assert typed.table.to_pylist()[0] == {"PULocationID": 1, "total_amount": Decimal("9.30")}
    raw = ask("SELECT total_amount, 1 AS a, 2 AS a, 'x'::BLOB AS b FROM file", settings, scope)
    assert raw.table.to_pylist()[0] == {"total_amount": "9.3", "a": 1, "a_2": 2, "b": "78"}
    many = ask("SELECT * FROM range(1_000_000)", settings, scope)
    assert (many.table.num_rows, many.truncated) == (10_000, True)
    with pytest.raises(UsageError, match=r"no table 'green_tripdata'.*Tables: file, trips"):
        ask("FROM green_tripdata", settings, scope)
    with pytest.raises(UsageError, match="nonsense"):
        ask("SELECT nonsense FROM trips", settings, scope)


def test_an_attack_on_the_process_finds_no_secret_in_it(
    settings: Settings, seen: Preview, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments: list[dict[str, str]] = []
    popen = worker_popen(environments)
    monkeypatch.setenv("GEMINI_API_KEY", SECRET)
    monkeypatch.setattr("pipeline.warehouse.sandbox.subprocess.Popen", popen)
    assert ask("SELECT 1", settings, scope_of(seen)).table.num_rows == 1
    (environment,) = environments
    assert SECRET not in environment.values()


def worker_popen(environments: list[dict[str, str]]) -> Any:
    import subprocess

    original = subprocess.Popen

    def popen(*arguments: Any, **options: Any) -> Any:
        environments.append(options["env"])
        return original(*arguments, **options)

    return popen


GREEDY = [
    "SELECT count(*) FROM range(100_000) a, range(100_000) b, range(100_000) c",
    "SELECT sum(i) FROM range(1_000_000_000_000) t(i)",
    "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT count(*) FROM r",
    "SELECT repeat('x', 10_000_000_000)",
    "SELECT repeat('x', 1_000_000_000) FROM range(100)",
    "SELECT list(i) FROM range(1_000_000_000) t(i)",
    "SELECT string_agg(repeat('x', 1_000)) FROM range(10_000_000)",
    "SELECT DISTINCT hash(i) FROM range(1_000_000_000) t(i)",
    "SELECT " + "(" * 9_000 + "1" + ")" * 9_000,
]


def test_greed_ends_within_its_limits_and_everybody_else_lives(
    settings: Settings, seen: Preview
) -> None:
    scope = scope_of(seen)

    def refused(sql: str) -> str:
        with pytest.raises(UsageError) as refusal:
            ask(sql, settings, scope, query_seconds=1.0, query_memory_limit="128MB")
        return str(refusal.value)

    before = psutil.Process().memory_info().rss
    began = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        reasons = list(pool.map(refused, GREEDY))
    assert time.monotonic() - began < 60
    assert all(reasons)
    assert psutil.Process().memory_info().rss - before < 200 * 2**20
    assert not [p for p in psutil.Process().children() if "sandbox" in " ".join(p.cmdline())]
    assert ask("SELECT count(*) FROM trips", settings, scope).table.to_pylist() == [
        {"count_star()": 3}
    ]


def test_rows_too_large_to_send_are_cut_off(
    settings: Settings, seen: Preview, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.warehouse.sandbox.BYTES_CAP", 2**20)
    result = ask("SELECT repeat('x', 1_000) FROM range(5_000)", settings, scope_of(seen))
    assert result.truncated
    assert 0 < result.table.nbytes <= 2 * 2**20
    with pytest.raises(UsageError, match="single row takes more than 1 MiB"):
        ask("SELECT repeat('x', 9_000_000)", settings, scope_of(seen))


def test_cancel_stops_a_query_at_once(settings: Settings, seen: Preview) -> None:
    cancel = Cancel()
    threading.Timer(0.5, cancel.set).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        run_query(GREEDY[1], scope_of(seen), settings, cancel)
    assert time.monotonic() - began < 3


def test_the_warehouse_is_read_and_stays_as_it_is(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)] * 2)
    load(folder, GREEN, settings)
    before = settings.warehouse_path.read_bytes()
    scope = warehouse_scope(settings)
    found = ask("SELECT filename, octet_length(unique_row_id) FROM green_tripdata", settings, scope)
    assert found.table.num_rows == 2
    assert ask("SELECT rows FROM load_ledger", settings, scope).table.to_pylist() == [{"rows": 2}]
    for sql in ("DELETE FROM green_tripdata", "SELECT nextval('warehouse.storage.ledger_entry')"):
        with pytest.raises(UsageError):
            ask(sql, settings, scope)
    assert settings.warehouse_path.read_bytes() == before


def test_a_page_waits_for_a_query_that_holds_the_warehouse(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    slow = "SELECT sum(i) FROM green_tripdata, range(1_000_000_000_000) t(i)"
    cancel = Cancel()

    def query() -> None:
        with pytest.raises(Cancelled):
            run_query(slow, warehouse_scope(settings), settings, cancel)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(query)
        while not is_held(settings.warehouse_path):
            time.sleep(0.05)
        threading.Timer(0.5, cancel.set).start()
        hurried = settings.model_copy(update={"busy_wait_seconds": 0.1})
        with open_warehouse("local", hurried) as warehouse:
            assert warehouse.records()[GREEN].loaded
        running.result()


def is_held(path: Path) -> bool:
    """Whether another process has the DuckDB file open."""
    try:
        duckdb.connect(str(path)).close()
    except duckdb.IOException:
        return True
    return False


def test_a_warehouse_that_is_not_there_or_being_written_is_said_to_be(
    settings: Settings, folder: Path
) -> None:
    scope = warehouse_scope(settings)
    with pytest.raises(UsageError, match="Nothing is loaded yet"):
        ask("FROM green_tripdata", settings, scope)
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    with (
        duckdb.connect(str(settings.warehouse_path)),
        pytest.raises(WarehouseBusy, match=f"Process {os.getpid()}"),
    ):
        ask("FROM green_tripdata", settings, scope, busy_wait_seconds=0.1)
