"""Find views and types in an untrusted warehouse file that Fareground does not define.

Earlier versions defined their views with other columns, so a view is judged by what it reads and
calls: it computes its columns from the table of its name in `storage`, and from nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from pipeline.core.datasets import DATASETS
from pipeline.warehouse.duckdb_file import open_untrusted

# What the views of all schema versions call (sql/duckdb/create_view.sql).
_FUNCTIONS = frozenset(
    ("%", "//", "concat_ws", "epoch_us", "make_date", "md5", "strftime", "unhex")
)  # fmt: skip


def foreign_views(path: Path) -> list[str]:
    """Return the names of the views and types in a warehouse that no version of ours defines.

    Nothing in the file is run. Raises WarehouseError when it cannot be read.
    """
    with open_untrusted(path) as connection:
        types = connection.execute(
            "SELECT type_name FROM duckdb_types() WHERE NOT internal ORDER BY ALL"
        ).fetchall()
        views = connection.execute(
            "SELECT schema_name, view_name, sql FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
        ).fetchall()
        foreign = [
            name for schema, name, sql in views if not _is_ours(connection, schema, name, sql)
        ]
    return foreign + [name for (name,) in types]


def _is_ours(connection: duckdb.DuckDBPyConnection, schema: str, name: str, sql: str) -> bool:
    beginning = f"CREATE VIEW {name} AS "
    tables = {dataset.table for dataset in DATASETS.values()}
    if schema != "main" or name not in tables or not sql.startswith(beginning):
        return False
    query = sql.removeprefix(beginning).strip().removesuffix(";")
    row = connection.execute("SELECT json_serialize_sql($query)", {"query": query}).fetchone()
    parsed = json.loads(row[0]) if row else {}
    if parsed.get("error") or len(parsed["statements"]) != 1:
        return False
    node = parsed["statements"][0]["node"]
    table = node.get("from_table", {})
    reads = [table.get(key) for key in ("type", "catalog_name", "schema_name", "table_name")]
    return (
        reads == ["BASE_TABLE", "", "storage", name]
        and node["type"] == "SELECT_NODE"
        and not node["cte_map"]["map"]
        and all(
            part.get("class") != "SUBQUERY"
            and part.get("function_name", "md5").lower() in _FUNCTIONS
            for part in _parts(node)
        )
    )


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every dictionary in a JSON document, at any depth."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _parts(part)
