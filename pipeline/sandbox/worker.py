"""The process that runs one query of somebody's: `python -m pipeline.sandbox.worker`.

It reads a JSON request from stdin, and writes one line of JSON to stdout, behind it the rows as an
Arrow stream. `run_query` is its only caller, and kills it when it takes too long.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import duckdb

from pipeline.errors import UsageError, WarehouseBusy
from pipeline.sandbox import FILE_TABLES, PREVIEW_TABLES, WAREHOUSE_TABLES
from pipeline.sandbox.vetting import MEND_QUERY, first_line, vet

if TYPE_CHECKING:
    import pyarrow

_THREADS = 2
_BATCH = 2048
# What a process takes beside the memory DuckDB counts: itself, its libraries, the answer.
_OVERHEAD = 1536 * 2**20
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def main() -> None:
    """Answer the request on stdin."""
    request = json.load(sys.stdin)
    out = sys.stdout.buffer
    _limit_process(request)
    started = time.perf_counter()
    try:
        table, truncated = _answer(request)
    except WarehouseBusy as error:
        _write_head(out, problem=error.problem, cure=error.cure, busy=True)
    except UsageError as error:
        _write_head(out, problem=error.problem, cure=error.cure)
    except duckdb.InterruptException:
        _write_head(
            out,
            problem=f"The query took longer than {request['seconds']:g} s and was stopped.",
            cure="Ask for less, or raise FAREGROUND_QUERY_SECONDS.",
        )
    except (duckdb.OutOfMemoryException, MemoryError):
        _write_head(
            out,
            problem=f"The query needs more memory than the {request['memory_limit']} it may use.",
            cure="Ask for less, or raise FAREGROUND_QUERY_MEMORY_LIMIT.",
        )
    except duckdb.Error as error:
        _write_head(out, problem=f"The query cannot run: {first_line(error)}", cure=MEND_QUERY)
    else:
        _write_head(out, truncated=truncated, seconds=time.perf_counter() - started)
        _write_table(out, table)


def _answer(request: dict[str, Any]) -> tuple[pyarrow.Table, bool]:
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
        named = vet(connection, request["sql"], request["tables"])
        _open_tables(connection, named, request)
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        timer = threading.Timer(request["seconds"], connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            return _fetch(connection, request)
        finally:
            timer.cancel()


def _open_tables(
    connection: duckdb.DuckDBPyConnection, named: frozenset[str], request: dict[str, Any]
) -> None:
    """Make the tables that the query names, and no others, readable under their names."""
    if named & set(PREVIEW_TABLES):
        connection.execute(f"ATTACH {_quoted(request['database'])} AS preview (READ_ONLY)")
        connection.execute("CREATE VIEW trips AS FROM preview.trips")
    if named & set(FILE_TABLES):
        path, format = request["file"]
        connection.execute(f"CREATE VIEW file AS FROM {_reader(path, format)}")
        connection.execute(f"SET allowed_paths = [{_quoted(path)}]")
    wanted = sorted(named & set(WAREHOUSE_TABLES))
    if wanted:
        _attach_warehouse(connection, request["warehouse"], request["busy_wait"])
        for table in wanted:
            with contextlib.suppress(duckdb.CatalogException):  # said better when it is read
                connection.execute(f"CREATE VIEW {table} AS FROM warehouse.{table}")


def _reader(path: str, format: str) -> str:
    if format == "parquet":
        return f"read_parquet({_quoted(path)})"
    return (
        f"read_csv({_quoted(path)}, header = true, delim = ',', all_varchar = true,"
        " auto_detect = true, sample_size = 1000, null_padding = true, ignore_errors = true)"
    )


def _attach_warehouse(connection: duckdb.DuckDBPyConnection, path: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute(f"ATTACH {_quoted(path)} AS warehouse (READ_ONLY)")
            return
        except duckdb.IOException as error:
            if "Conflicting lock" not in str(error):
                raise UsageError(
                    "Nothing is loaded yet, so the warehouse has no tables.",
                    cure="Run a backfill first.",
                ) from None
            if time.monotonic() > deadline:
                pid = re.search(r"PID (\d+)", str(error))
                raise WarehouseBusy(
                    f"The warehouse is being written by process {pid[1] if pid else '?'}.",
                    cure="Wait for the backfill to end, or cancel it, and try again.",
                ) from None
            time.sleep(0.1)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _fetch(
    connection: duckdb.DuckDBPyConnection, request: dict[str, Any]
) -> tuple[pyarrow.Table, bool]:
    """Return the first rows, as many as the caps allow, and whether there were more."""
    import pyarrow

    relation = connection.sql(request["sql"])
    if relation is None:
        raise UsageError("The query gives no rows.", cure="Use a single SELECT.")
    reader: Any = relation.to_arrow_reader(_BATCH)
    batches, rows, size, more = [], 0, 0, False
    for batch in _batches(reader):
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
    return _showable(table.slice(0, request["rows"])), more


def _batches(reader: Any) -> Iterator[Any]:
    """Yield batches, with DuckDB's own errors where Arrow has wrapped them."""
    import pyarrow

    while True:
        try:
            yield reader.read_next_batch()
        except StopIteration:
            return
        except pyarrow.ArrowException as error:
            text = str(error)
            if "INTERRUPT" in text.upper():
                raise duckdb.InterruptException(text) from None
            if "Out of Memory" in text:
                raise duckdb.OutOfMemoryException(text) from None
            raise UsageError(
                f"The query cannot run: {first_line(error)}", cure=MEND_QUERY
            ) from None


def _showable(table: pyarrow.Table) -> pyarrow.Table:
    """Return the table with names that occur once, and what no table view can show as text."""
    import pyarrow

    names: dict[str, int] = {}
    columns, fields = [], []
    for field, column in zip(table.schema, table.columns, strict=True):
        times = names[field.name] = names.get(field.name, 0) + 1
        shown = column
        if pyarrow.types.is_binary(field.type) or pyarrow.types.is_large_binary(field.type):
            cells = [None if cell is None else cell.hex() for cell in column.to_pylist()]
            shown = pyarrow.chunked_array([pyarrow.array(cells, pyarrow.string())])
        elif not _is_plain(field.type):
            cells = [None if cell is None else str(cell) for cell in column.to_pylist()]
            shown = pyarrow.chunked_array([pyarrow.array(cells, pyarrow.string())])
        columns.append(shown)
        fields.append(field.name if times == 1 else f"{field.name}_{times}")
    return pyarrow.table(columns, names=fields)


def _is_plain(kind: pyarrow.DataType) -> bool:
    import pyarrow.types as types

    numbers = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal)
    texts = (types.is_string, types.is_large_string, types.is_null)
    times = (types.is_timestamp, types.is_date, types.is_time)
    return any(check(kind) for check in (*numbers, *texts, *times))


def _write_head(out: BinaryIO, **fields: object) -> None:
    out.write(json.dumps(fields).encode() + b"\n")
    out.flush()


def _write_table(out: BinaryIO, table: pyarrow.Table) -> None:
    import pyarrow

    with pyarrow.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    out.flush()


def _limit_process(request: dict[str, Any]) -> None:
    """Bound what the process may take, where the system can: DuckDB does not count everything."""
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
    found = re.fullmatch(r"\s*([0-9.]+)\s*([KMG]I?B)\s*", text.upper())
    return int(float(found[1]) * _UNITS[found[2]]) if found else 2**30


if __name__ == "__main__":
    main()
