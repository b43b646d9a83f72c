"""The process that runs one query: `python -m pipeline.warehouse.sandbox.worker`.

It reads a JSON request from stdin, and writes one line of JSON to stdout, followed by the rows as
an Arrow stream. `run_query` is its only caller, and kills it when it takes too long.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import duckdb

from pipeline.core.errors import UsageError, WarehouseBusy, WarehouseError
from pipeline.core.sql import literal_path
from pipeline.warehouse.damage import damage_error, is_corruption
from pipeline.warehouse.duckdb_file import require_regular
from pipeline.warehouse.sandbox.values import for_arrow, unique_names, without_extremes
from pipeline.warehouse.sandbox.vetting import (
    MEND_QUERY,
    expand_show_tables,
    first_line,
    vet,
)

if TYPE_CHECKING:
    import pyarrow

_THREADS = 2
_BATCH = 2048
_OVERHEAD = 1536 * 2**20  # bytes beside the memory that DuckDB counts: libraries, the result
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def main() -> None:
    """Run the query of the request on stdin and write its rows, or what went wrong, to stdout."""
    request = json.load(sys.stdin)
    out = sys.stdout.buffer
    _limit_process(request)
    started = time.perf_counter()
    try:
        table, truncated = run_request(request)
    except WarehouseBusy as error:
        _write_head(out, problem=error.problem, cure=error.cure, busy=True)
    except UsageError as error:
        _write_head(out, problem=error.problem, cure=error.cure)
    except duckdb.InterruptException:
        _write_head(
            out,
            problem=f"The query took longer than {request['seconds']:g} s and was stopped.",
            cure="Select less, or raise FAREGROUND_QUERY_SECONDS.",
        )
    except (duckdb.OutOfMemoryException, MemoryError):
        _write_head(
            out,
            problem=f"The query needs more than the {request['memory_limit']} it may use.",
            cure="Select less, or raise FAREGROUND_QUERY_MEMORY_LIMIT.",
        )
    except duckdb.Error as error:
        if is_corruption(error):
            damaged = damage_error(Path(request["warehouse"]), error)
            _write_head(out, problem=damaged.problem, cure=damaged.cure)
        else:
            _write_head(out, problem=f"The query cannot run: {first_line(error)}", cure=MEND_QUERY)
    else:
        _write_head(out, truncated=truncated, seconds=time.perf_counter() - started)
        _write_table(out, table)


def run_request(request: dict[str, Any]) -> tuple[pyarrow.Table, bool]:
    """Run the query of a request; return its first rows, and whether there were more.

    Raises UsageError for SQL that does not only read the tables of the request, WarehouseBusy, and
    DuckDB's own errors.
    """
    with duckdb.connect(
        ":memory:",
        config={
            "memory_limit": request["memory_limit"],
            "threads": _THREADS,
            "temp_directory": "",
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "allow_community_extensions": False,
        },
    ) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET autoload_known_extensions = false")
        sql = expand_show_tables(connection, request["sql"], request["tables"])
        named = vet(connection, sql, request["tables"])
        _open_tables(connection, named, request)
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        timed_out = threading.Event()

        def stop() -> None:
            timed_out.set()
            connection.interrupt()

        timer = threading.Timer(request["seconds"], stop)
        timer.daemon = True
        timer.start()
        try:
            return _fetch(connection, sql, request, timed_out)
        finally:
            timer.cancel()


def _open_tables(
    connection: duckdb.DuckDBPyConnection, named: frozenset[str], request: dict[str, Any]
) -> None:
    """Create a view of each table that the query names, and of no other."""
    table = request["database_table"]
    if table in named:
        connection.execute(f"ATTACH {_quoted(request['database'])} AS preview (READ_ONLY)")
        connection.execute(f"CREATE VIEW {table} AS FROM preview.{table}")
    if "file" in named and request["file"]:
        path, format = request["file"]
        connection.execute(f"CREATE VIEW file AS FROM {_reader(path, format)}")
        connection.execute(f"SET allowed_paths = [{_quoted(path)}]")
    wanted = sorted(named & set(request["warehouse_tables"]))
    if wanted:
        _attach_warehouse(connection, request["warehouse"], request["busy_wait"])
        for table in wanted:
            # The query itself fails with a better message when it names a view that is not there.
            with contextlib.suppress(duckdb.CatalogException):
                connection.execute(f"CREATE VIEW {table} AS FROM warehouse.{table}")


def _reader(path: str, format: str) -> str:
    name = _quoted(literal_path(path))
    if format == "parquet":
        return f"read_parquet({name})"
    compression = "gzip" if format == "csv.gz" else "none"
    return (
        f"read_csv({name}, compression = '{compression}', header = true, delim = ',',"
        " all_varchar = true, auto_detect = true, sample_size = 1000,"
        " null_padding = true, ignore_errors = true)"
    )


def _attach_warehouse(connection: duckdb.DuckDBPyConnection, path: str, patience: float) -> None:
    try:
        require_regular(Path(path))
    except WarehouseError as error:
        raise UsageError(error.problem, cure=error.cure) from None
    if not Path(path).exists():
        raise UsageError(
            "Nothing is loaded yet, so the warehouse has no tables.", cure="Run a backfill first."
        )
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute(f"ATTACH {_quoted(path)} AS warehouse (READ_ONLY)")
            return
        except duckdb.IOException as error:
            # DuckDB names the process that holds the file in the text alone.
            holder = re.search(r"PID (\d+)", str(error))
            if holder is None:
                raise
            if time.monotonic() > deadline:
                raise WarehouseBusy(
                    f"Process {holder[1]} is writing to the warehouse.",
                    cure="Wait for the backfill to end, or cancel it, and try again.",
                ) from None
            time.sleep(0.1)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _fetch(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    request: dict[str, Any],
    timed_out: threading.Event,
) -> tuple[pyarrow.Table, bool]:
    """Return the first rows, as many as the caps allow, and whether there were more."""
    import pyarrow

    relation = connection.sql(sql)
    if relation is None:
        raise UsageError("The query returns no rows.", cure="Use a single SELECT.")
    names = unique_names(relation.columns)
    reader: Any = for_arrow(relation).to_arrow_reader(_BATCH)
    batches, rows, size, more = [], 0, 0, False
    for batch in _batches(reader, timed_out):
        batches.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows > request["rows"] or size > request["bytes"]:
            more = True
            break
    table = pyarrow.Table.from_batches(batches, reader.schema)
    if size > request["bytes"]:
        if len(batches) == 1 and rows <= 1:
            raise UsageError(
                f"A single row takes more than {request['bytes'] // 2**20} MiB.",
                cure="Ask for less.",
            )
        table = table.slice(0, max(1, int(rows * request["bytes"] / size)))
    table = without_extremes(table.slice(0, request["rows"]), connection)
    return pyarrow.Table.from_arrays(table.columns, names=list(names)), more


def _batches(reader: Any, timed_out: threading.Event) -> Iterator[Any]:
    """Yield batches; raise DuckDB's own errors in place of Arrow's, which hides their class."""
    import pyarrow

    while True:
        try:
            yield reader.read_next_batch()
        except StopIteration:
            return
        except pyarrow.ArrowException as error:
            if timed_out.is_set():
                raise duckdb.InterruptException from None
            if "Out of Memory" in str(error):  # nothing but the text says so
                raise duckdb.OutOfMemoryException from None
            raise UsageError(
                f"The query cannot run: {first_line(error)}", cure=MEND_QUERY
            ) from None


def _write_head(out: BinaryIO, **fields: object) -> None:
    out.write(json.dumps(fields).encode() + b"\n")
    out.flush()


def _write_table(out: BinaryIO, table: pyarrow.Table) -> None:
    import pyarrow

    with pyarrow.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    out.flush()


def _limit_process(request: dict[str, Any]) -> None:
    """Limit the memory, time and files of the process, where the operating system can."""
    with contextlib.suppress(ImportError):
        import resource

        memory = _size(request["memory_limit"]) + _OVERHEAD
        seconds = int((request["seconds"] + request["busy_wait"]) * _THREADS) + 5
        for limit, most in (
            (resource.RLIMIT_AS, memory),
            (resource.RLIMIT_CPU, seconds),
            (resource.RLIMIT_FSIZE, 0),  # no file can be written
            (resource.RLIMIT_CORE, 0),
        ):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(limit, (most, most))


def _size(text: str) -> int:
    match = re.fullmatch(r"\s*([0-9.]+)\s*([KMG]I?B)\s*", text.upper())
    return int(float(match[1]) * _UNITS[match[2]]) if match else 2**30


if __name__ == "__main__":
    main()
