"""Whether somebody's SQL only reads tables, by the syntax tree that DuckDB itself makes of it.

This is the first wall, and the one that speaks in sentences. Behind it stand the connection, which
can reach no file and whose settings are locked, and the limits of the process it runs in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import duckdb

from pipeline.errors import UsageError

# Functions that make a table out of their arguments alone. All others that stand behind FROM read
# files, tell about the machine or the settings, run SQL from a text, or change something.
TABLE_FUNCTIONS = frozenset(
    {"range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"}
)

# Of all other functions, those that tell about the machine, write, or are there to wait.
REFUSED_FUNCTIONS = frozenset(
    {
        *("current_setting", "getenv", "getvariable", "which_secret", "current_query", "stats"),
        *("nextval", "currval", "setval", "write_log", "sleep_ms", "setseed"),
    }
)
_REFUSED_BEGINNINGS = ("read_", "duckdb_", "pragma_", "pg_", "json_execute", "json_serialize")

# What a SELECT may be made of. DuckDB 2.0 also takes DELETE, INSERT, UPDATE and COPY as the body of
# a WITH, and calls the whole a SELECT.
_QUERY_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})

CATALOG = frozenset({"information_schema.tables", "information_schema.columns"})

MOST_LETTERS = 20_000

_EXPLAIN = re.compile(r"\s*EXPLAIN(\s+ANALYZE)?(\s*\([^()]*\))?(?=\s)", re.IGNORECASE)
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
MEND_QUERY = "Mend the SQL there and run it again."
_CURE = "Use a single SELECT, such as SELECT count(*) FROM {table}."


def vet(connection: duckdb.DuckDBPyConnection, sql: str, tables: Collection[str]) -> frozenset[str]:
    """Return which of `tables` one reading statement names; raise UsageError for any other SQL.

    Args:
        connection: Any connection; it only parses.
        tables: Names, in lower case and without a schema, that may be read. Those of `CATALOG` may
            be, too.
    """
    cure = _CURE.format(table=next(iter(sorted(tables)), "trips"))
    if len(sql) > MOST_LETTERS:
        raise UsageError(f"The query is longer than {MOST_LETTERS:,} letters.", cure="Shorten it.")
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise UsageError(
            f"The query cannot be read: {first_line(error)}", cure=MEND_QUERY
        ) from None
    if not statements:
        raise UsageError("There is no query.", cure=cure)
    if len(statements) > 1:
        raise UsageError("Only one statement is allowed here.", cure="Run them one by one.")
    statement = statements[0].type
    if statement not in _READING:
        raise UsageError(
            f"Only statements that read are allowed here, no {statement.name}.", cure=cure
        )
    tree = _parse(connection, sql, is_explain=statement == duckdb.StatementType.EXPLAIN)
    if tree is None:
        raise UsageError("Only a SELECT of tables is allowed here.", cure=cure)
    nodes = list(_walk(tree))
    aliases = {str(node["key"]).lower() for node in nodes if "key" in node and "value" in node}
    aliases |= {str(node["cte_name"]).lower() for node in nodes if node.get("cte_name")}
    named: set[str] = set()
    for node in nodes:
        kind = str(node.get("type", ""))
        if kind.endswith("_NODE") and kind not in _QUERY_NODES:
            word = kind.removesuffix("_NODE").removesuffix("_QUERY")
            raise UsageError(f"Only statements that read are allowed here, no {word}.", cure=cure)
        _require_known_functions(node)
        if name := _table_name(node):
            if name in aliases or name in CATALOG:
                continue
            bare = name.rpartition(".")[2]
            if bare not in tables:
                raise UsageError(
                    f"There is no table {name[:80]!r} here, and files are out of reach.",
                    cure=f"Tables: {', '.join(sorted(tables))}.",
                )
            named.add(bare)
    return frozenset(named)


def first_line(error: Exception) -> str:
    """Return what DuckDB says went wrong, without its echo of the statement."""
    text = str(error).strip().split("\n")[0]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _parse(connection: duckdb.DuckDBPyConnection, sql: str, *, is_explain: bool) -> Any | None:
    """Return the syntax tree of a SELECT, or of the one that is explained; None for all else."""
    if is_explain:
        explained = _EXPLAIN.match(sql)
        if explained is None:  # behind a comment, say
            return None
        sql = sql[explained.end() :]
    row = connection.execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchone()
    try:
        tree = json.loads(row[0]) if row else {"error": True}
    except RecursionError:
        return None
    return None if tree["error"] else tree["statements"]


def _walk(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every node; without recursion, because the tree is as deep as somebody made it."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            yield node
            left.extend(node.values())
        elif isinstance(node, list):
            left.extend(node)


def _require_known_functions(node: dict[str, Any]) -> None:
    if node.get("type") == "TABLE_FUNCTION":
        function = node.get("function") or {}
        name = str(function.get("function_name", "?")).lower()
        if name not in TABLE_FUNCTIONS:
            raise UsageError(
                f"{name} is not allowed here: files, settings and the network are out of reach.",
                cure="Read from tables only.",
            )
    elif node.get("class") == "FUNCTION":
        name = str(node.get("function_name", "?")).lower()
        if name in REFUSED_FUNCTIONS or name.startswith(_REFUSED_BEGINNINGS):
            raise UsageError(
                f"{name} is not allowed here: files, settings and the network are out of reach.",
                cure="Leave it out.",
            )


def _table_name(node: dict[str, Any]) -> str | None:
    """Return the table a node names, in lower case, with its schema and catalog if it has them."""
    if node.get("type") == "BASE_TABLE":
        parts = (node.get("catalog_name"), node.get("schema_name"), node.get("table_name"))
        return ".".join(str(part) for part in parts if part).lower()
    if node.get("type") == "SHOW_REF" and not node.get("query"):
        # SHOW TABLES and its kin; DESCRIBE has the table it is about as a query.
        return f"show {node.get('table_name', '')}".lower()
    return None
