"""Reads SQL statements from the sql/ folder and translates GoogleSQL to DuckDB's dialect.

Each file holds one statement and is named verb_object.sql. Values are query parameters (`$name`),
bound by the database client. Identifiers and type names cannot be parameters: a statement writes
them as `{name}`, and they are filled in from constants in the code only, never from input.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

SQL_FOLDER = Path(__file__).parents[2] / "sql"


@cache
def _read(name: str) -> str:
    return (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def statement(name: str, **identifiers: str) -> str:
    """Return the statement in `sql/{name}.sql` with its `{identifiers}` filled in.

    Args:
        name: Path below sql/ without the suffix, such as `duckdb/insert_file`.
        identifiers: Table names, column lists and expressions made of constants in the code.
            Never text from a file or a person: that would allow SQL injection.
    """
    return _read(name).format_map(identifiers)


def literal_path(path: Path | str) -> str:
    """Return a path with glob characters escaped: DuckDB would read `x1.csv` for `x[1].csv`."""
    return re.sub(r"[*?\[]", r"[\g<0>]", str(path))


@cache
def translate(sql: str) -> str:
    """Translate a GoogleSQL statement to DuckDB SQL; `@name` parameters become `$name`.

    This does not validate the statement: sqlglot also accepts much that BigQuery rejects.
    """
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(sql, read="bigquery")
    for data_type in tree.find_all(exp.DataType):
        # Amounts have two decimals; DuckDB takes a DECIMAL without a scale to have three.
        if data_type.is_type("decimal") and not data_type.expressions:
            data_type.replace(exp.DataType.build("DECIMAL(9, 2)"))
    return tree.sql("duckdb", pretty=True)
