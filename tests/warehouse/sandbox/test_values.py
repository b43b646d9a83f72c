"""Every type that DuckDB has comes out of a query rightly: as table, csv, JSON and parquet."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.csv
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app as command
from pipeline.core.cancel import Cancel
from pipeline.core.settings.settings import Settings
from pipeline.warehouse.registry import open_warehouse
from pipeline.warehouse.sandbox import Scope, run_query, vetting, worker
from pipeline.warehouse.sandbox.values import unique_names

# Expressions of the types of which test_all_types() has no column, and of values that it lacks.
OTHERS = {
    "null": "NULL",
    "json": """JSON '{"a": [1, null]}'""",
    "variant": "{'a': [1.5, NULL], 'b': DATE '2020-04-01'}::VARIANT",
    "variant_nan": "'nan'::DOUBLE::VARIANT",
    "zoned_list": "[TIMESTAMPTZ '2020-04-01 08:00:00+02']",
    "infinite_zoned_ns": "'-infinity'::TIMESTAMPTZ_NS",
    "nan": "'nan'::DOUBLE",
    "infinity": "'-inf'::FLOAT",
    "nan_list": "['nan'::FLOAT, 'inf']",
    "infinite_time": "'infinity'::TIMESTAMP",
    "infinite_date": "'-infinity'::DATE",
    "infinite_zoned": "'infinity'::TIMESTAMPTZ",
    "infinite_ns": "'infinity'::TIMESTAMP_NS",
    "nanoseconds": "'2020-04-01 08:00:00.123456789'::TIMESTAMP_NS",
    "month": "INTERVAL 1 MONTH",
    "union_of_numbers": "union_value(n := 5)",
    "map_of_numbers": "MAP {1: 'a', 2: 'b'}",
    "map_in_list": "[MAP {'a': [1, 2]}]",
    "blob_in_struct": "{'b': 'a\\x00'::BLOB}",
    "decimal": "1.123456789012345678901234567890::DECIMAL(38, 30)",
    "decimal_list": "[1.123456789012345678901234567890::DECIMAL(38, 30), 0.5]",
    "sum": "sum(9223372036854775807) OVER ()",
    "empty_text": "''",
}


def all_types() -> dict[str, str]:
    """The expression of each column, over test_all_types(), by a name for it."""
    with duckdb.connect() as connection:
        names = connection.sql("FROM test_all_types()").columns
    return {name: f'"{name}"' for name in names} | OTHERS


@pytest.fixture(autouse=True)
def let_all_types_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test query DuckDB's own list of values of all types."""
    functions = vetting.TABLE_FUNCTIONS | {"test_all_types"}
    monkeypatch.setattr(vetting, "TABLE_FUNCTIONS", functions)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an empty warehouse, which no test of this module changes."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAREGROUND_HOME", str(home))
        with open_warehouse("local", Settings()):
            return home


@pytest.fixture
def loaded(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands use the empty warehouse."""
    monkeypatch.setenv("FAREGROUND_HOME", str(empty_home))


def run(*arguments: str) -> str:
    result = CliRunner().invoke(command, ["query", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def strict(text: str) -> Any:
    """Parse JSON as the standard has it, without NaN."""

    def refuse(word: str) -> Any:
        raise AssertionError(word)

    return json.loads(text, parse_constant=refuse)


def expected(
    engine: duckdb.DuckDBPyConnection, expression: str
) -> list[tuple[str | None, str | None, str | None]]:
    """Text, JSON and hexadecimal of each value, by DuckDB."""
    hexadecimal = f"hex({expression})" if expression == '"blob"' else "NULL"
    return engine.execute(
        f"SELECT ({expression})::VARCHAR, to_json({expression})::VARCHAR, {hexadecimal}"
        " FROM test_all_types()"
    ).fetchall()


def same(cell: str, text: str, nested: str) -> bool:
    """Whether a cell of ours says what DuckDB's own text says."""
    if cell == text or cell.removesuffix("+00:00").replace("T", " ") == text.removesuffix("+00"):
        return True
    try:
        return math.isclose(float(cell), float(text), rel_tol=1e-7)
    except ValueError:
        return bool(loosely(json.loads(cell)) == loosely(without_nan(json.loads(nested))))


def loosely(value: Any) -> Any:
    """The value with numbers that JSON has as text, for all their digits, as floats."""
    if isinstance(value, list):
        return [loosely(member) for member in value]
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [without_nan(member) for member in value]
    if isinstance(value, dict):
        return {name: without_nan(member) for name, member in value.items()}
    return value


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("name", all_types())
def test_value_of_every_type_is_printed_as_duckdb_writes_it(
    engine: duckdb.DuckDBPyConnection, name: str
) -> None:
    expression = all_types()[name]
    sql = f"SELECT {expression} AS x, 1 AS x, 2 AS x_2 FROM test_all_types()"
    wanted = expected(engine, expression)
    printed = list(csv.reader(io.StringIO(run(sql, "--format", "csv"), newline="")))
    assert printed[0] == ["x", "x_3", "x_2"]
    for (cell, *_), (text, nested, blob) in zip(printed[1:], wanted, strict=True):
        if text is None or nested is None:
            assert cell == ""
        elif blob is not None:
            assert cell == blob.lower()
        elif not math.isnan(as_float(text)):
            assert same(cell, text, nested), (cell, text)
    document = strict(run(sql, "--format", "json"))
    assert [row["x"] is None for row in document] == [
        text is None or (nested or "") in ("NaN", "Infinity", "-Infinity", "null")
        for text, nested, _ in wanted
    ]
    table = run(sql)
    assert all(letter.isprintable() or letter == "\n" for letter in table)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", ["BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "DECIMAL(38, 0)"])
def test_json_has_integers_as_text_where_a_double_loses_digits(kind: str, nested: bool) -> None:
    numbers = [0, 265, 2**53, 2**53 + 1, 2**62, 2**63 - 1]
    values = ", ".join(f"({number}::{kind})" for number in numbers)
    column = "[x]" if nested else "x"
    sql = f"SELECT {column} AS x FROM (VALUES {values}) AS t(x)"
    document = [row["x"] for row in strict(run(sql, "--format", "json"))]
    cells = [value[0] for value in document] if nested else document
    assert cells == [0, 265, 2**53, str(2**53 + 1), 2**62, str(2**63 - 1)]
    printed = run(f"SELECT x FROM (VALUES {values}) AS t(x)", "--format", "csv").split()
    assert printed[1:] == [str(number) for number in numbers]


@pytest.mark.usefixtures("loaded")
def test_json_keeps_booleans() -> None:
    assert strict(run("SELECT true AS x, [false] AS y", "--format", "json")) == [
        {"x": True, "y": [False]}
    ]


def as_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def request(sql: str) -> dict[str, Any]:
    return {
        "sql": sql, "tables": ["trips"], "database": None, "database_table": None, "file": None,
        "warehouse": None, "warehouse_tables": [], "memory_limit": "512MB", "seconds": 10,
        "busy_wait": 0, "rows": 100, "bytes": 2**24,
    }  # fmt: skip


@pytest.mark.parametrize("name", all_types())
def test_value_of_every_type_reaches_the_table_and_its_downloads(
    engine: duckdb.DuckDBPyConnection, name: str
) -> None:
    expression = all_types()[name]
    sql = f"SELECT {expression} AS x, 1 AS x FROM test_all_types()"
    table, _ = worker.run_request(request(sql))
    assert table.column_names == ["x", "x_2"]
    assert len(table.to_pandas()) == 3  # as st.dataframe does
    out = io.BytesIO()
    pyarrow.csv.write_csv(table, out)
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out)
    again = pyarrow.parquet.read_table(io.BytesIO(out.getvalue()))
    values = [str(value) for value in again.column("x").to_pylist() if value is not None]
    wanted = [row for row in expected(engine, expression) if row[0] is not None]
    if expression != "NULL":
        assert len(values) == len([1 for text, nested, _ in wanted if nested is not None])
    for value, (text, nested, blob) in zip(values, wanted, strict=False):
        if blob is not None:
            assert value == blob.lower()
        elif name == "bool":
            assert value.lower() == text
        elif text is not None and nested is not None and not math.isnan(as_float(text)):
            assert value in (text, nested) or same(value, text, nested), (value, text)


def test_the_process_that_runs_queries_shows_times_with_zones_and_nested_values(
    settings: Settings,
) -> None:
    sql = "SELECT now() t, [1, NULL] l, MAP {'a': 1} m, INTERVAL 1 MONTH i, 'infinity'::DATE d"
    (row,) = run_query(sql, Scope(), settings, Cancel()).table.to_pylist()
    assert row["t"].utcoffset().total_seconds() == 0
    assert {name: row[name] for name in "lmid"} == {
        "l": "[1,null]", "m": '{"a":1}', "i": "1 month", "d": "infinity",
    }  # fmt: skip


def test_python_gets_values_in_its_own_types(settings: Settings) -> None:
    sql = (
        "SELECT 1 AS a, 1.50 AS b, DATE '2020-04-01' AS c, TIMESTAMP '2020-04-01 08:00' AS d,"
        " TIMESTAMPTZ '2020-04-01 08:00+02' AS e, [1] AS f, 'x'::BLOB AS g, sum(1) AS h,"
        " TIMESTAMP_S '2020-04-01 08:00' AS i"
    )
    with open_warehouse("local", settings) as warehouse:
        result = warehouse.query(sql, limit=1)
    eight = datetime(2020, 4, 1, 8)
    assert result.rows == [
        (1, Decimal("1.50"), date(2020, 4, 1), eight, datetime(2020, 4, 1, 6, tzinfo=UTC), [1],
         b"x", 1, eight)
    ]  # fmt: skip
    assert result.columns == tuple("abcdefghi")


def test_limit_is_kept_and_said(settings: Settings) -> None:
    with open_warehouse("local", settings) as warehouse:
        result = warehouse.query("FROM range(5) ORDER BY 1 DESC", limit=2)
    assert (result.rows, result.truncated) == ([(4,), (3,)], True)


@pytest.mark.parametrize(
    ("names", "unique"),
    [
        (["a", "b"], ("a", "b")),
        (["a", "a", "a"], ("a", "a_2", "a_3")),
        (["a", "a", "a_2"], ("a", "a_3", "a_2")),
        (["a_2", "a", "a"], ("a_2", "a", "a_3")),
        ([], ()),
    ],
)
def test_names_of_columns_are_kept_apart(names: list[str], unique: tuple[str, ...]) -> None:
    assert unique_names(names) == unique


@pytest.mark.usefixtures("loaded")
def test_control_characters_never_reach_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    sql = "SELECT 'a' || chr(27) || '[31m' || chr(7) || chr(8238) AS \"x\x1b[0m\""
    assert "a[31m " in run(sql)
    assert strict(run(sql, "--format", "json")) == [{"x\x1b[0m": "a\x1b[31m\x07\u202e"}]
    assert run(sql, "--format", "csv") == "x\x1b[0m\na\x1b[31m\x07\u202e\n"
    shown = io.StringIO()
    monkeypatch.setattr(shown, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdout", shown)
    command(["query", sql, "--format", "csv"], standalone_mode=False)
    assert shown.getvalue() == "x[0m\na[31m\n"


SHOWN = {
    "SHOW TABLES": "green_tripdata",
    "/* mine */ show tables;": "load_ledger",
    "DESCRIBE green_tripdata": "lpep_pickup_datetime",
    "SHOW green_tripdata": "lpep_pickup_datetime",
    "DESCRIBE SELECT 1 AS one": "one",
    "SUMMARIZE green_tripdata": "total_amount",
    "FROM green_tripdata": "lpep_pickup_datetime",
    "TABLE green_tripdata": "lpep_pickup_datetime",
    "VALUES (1, 'x')": "x",
    "WITH a AS (SELECT 5 AS five) FROM a": "five",
    "PIVOT green_tripdata ON payment_type IN (1, 2) USING count(*)": "VendorID",
    "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b": "name",
    "EXPLAIN FROM green_tripdata": "physical_plan",
    "EXPLAIN ANALYZE SELECT 1": "analyzed_plan",
}
REFUSED = {
    "PIVOT green_tripdata ON payment_type USING count(*)": "PIVOT must list its values",
    "FROM (PIVOT green_tripdata ON payment_type USING count(*))": "PIVOT must list its values",
    "SHOW ALL TABLES": "Only SHOW TABLES",
    "SHOW DATABASES": "Only SHOW TABLES",
    "SHOW TABLES FROM storage": "Only SHOW TABLES",
    "SHOW": "Only SHOW TABLES",
    "DESCRIBE": "Only SHOW TABLES",
    "FROM (SHOW TABLES)": "Only SHOW TABLES",
    "EXPLAIN SHOW TABLES": "Only SHOW TABLES",
    "DESCRIBE storage.green_tripdata_": "There is no table",
    "PRAGMA version": "not PRAGMA",
    "SET threads = 1": "not SET",
    "CALL pragma_version()": "not CALL",
}


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("sql", SHOWN)
@pytest.mark.parametrize("output", ["table", "csv", "json"])
def test_statement_that_reads_works(sql: str, output: str) -> None:
    assert SHOWN[sql] in run(sql, "--format", output) or output == "json"
    if output == "json":
        strict(run(sql, "--format", "json"))


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("sql", REFUSED)
def test_other_statement_is_refused_in_one_plain_sentence(sql: str) -> None:
    result = CliRunner().invoke(command, ["query", sql])
    assert result.exit_code == 2
    assert REFUSED[sql] in " ".join(result.stderr.split())
    assert "MULTI" not in result.stderr


def test_show_tables_lists_what_may_be_read_and_nothing_else(settings: Settings) -> None:
    scope = Scope(database=settings.home, file=(settings.home, "csv"))
    listed = run_query("SHOW TABLES", scope, settings, Cancel()).table.to_pylist()
    assert listed == [{"name": "file"}, {"name": "trips"}]
