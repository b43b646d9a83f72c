"""Reads the statements under sql/, one verb_object.sql a file, and translates GoogleSQL for DuckDB.

Values are always bound by the database client (`$name`). Identifiers and type names cannot be
bound, so a statement writes them as `{name}`, filled in from our own constants only.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

SQL_FOLDER = Path(__file__).parent.parent / "sql"


@cache
def _read(name: str) -> str:
    return (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def statement(name: str, **identifiers: str) -> str:
    """Return the SQL of `sql/{name}.sql` with its `{identifiers}` filled in.

    Args:
        name: Path below sql/ without the ending, such as `duckdb/insert_file`.
        identifiers: Table names, column lists and expressions made of constants in `trips.py`;
            never text that came from a file or a person.
    """
    return _read(name).format_map(identifiers)


@cache
def translate(sql: str) -> str:
    """Return a GoogleSQL statement as DuckDB runs it; its @parameters become $parameters.

    sqlglot parses nearly anything, so this is no check that the statement is valid GoogleSQL.
    """
    import sqlglot

    (translated,) = sqlglot.transpile(sql, read="bigquery", write="duckdb", pretty=True)
    return translated
