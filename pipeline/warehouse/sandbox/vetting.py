"""Check that SQL which a person wrote only reads tables, by DuckDB's own syntax tree of it.

This is the first barrier, and the one with readable errors. Behind it, the connection reaches no
file and its settings are locked, and the process that it runs in has limits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import duckdb

from pipeline.core.errors import UsageError

# Table functions that use nothing but their arguments. All others read files, expose the machine or
# the settings, run SQL from a text, or change something.
TABLE_FUNCTIONS = frozenset(
    {"range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"}
)

# Of all other functions, those that expose the machine or the settings, write, or wait.
REFUSED_FUNCTIONS = frozenset(
    {
        *("current_setting", "getenv", "getvariable", "which_secret", "current_query", "stats"),
        *("nextval", "currval", "setval", "write_log", "sleep_ms", "setseed"),
    }
)
_REFUSED_BEGINNINGS = ("read_", "duckdb_", "pragma_", "pg_", "json_execute", "json_serialize")

# What a SELECT may consist of. DuckDB 2.0 also accepts DELETE, INSERT, UPDATE and COPY as the body
# of a WITH, and reports the statement as a SELECT.
_QUERY_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})

CATALOG = frozenset({"information_schema.tables", "information_schema.columns"})

MOST_LETTERS = 20_000

_EXPLAIN = re.compile(r"\s*EXPLAIN(\s+ANALYZE)?(\s*\([^()]*\))?(?=\s)", re.IGNORECASE)
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
MEND_QUERY = "Correct the SQL and run it again."
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
        raise UsageError("The query is empty.", cure=cure)
    if len(statements) > 1:
        raise UsageError("Only one statement is allowed here.", cure="Run them one by one.")
    statement = statements[0].type
    if statement == duckdb.StatementType.MULTI:
        raise UsageError(
            "A PIVOT must list its values here: without them DuckDB would create a type first.",
            cure="List the values: PIVOT trips ON payment_type IN (1, 2) USING count(*).",
        )
    if statement not in _READING:
        raise UsageError(
            f"Only read-only statements are allowed here, not {statement.name}.", cure=cure
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
            raise UsageError(f"Only read-only statements are allowed here, not {word}.", cure=cure)
        _require_known_functions(node)
        _refuse_listings(node)
        if name := _table_name(node):
            if name in aliases or name in CATALOG:
                continue
            bare = name.rpartition(".")[2]
            if bare not in tables:
                raise UsageError(
                    f"There is no table {name[:80]!r}, and queries cannot read files.",
                    cure=f"Tables: {', '.join(sorted(tables))}.",
                )
            named.add(bare)
    return frozenset(named)


def first_line(error: Exception) -> str:
    """Return the first line of DuckDB's message, which leaves out its echo of the statement."""
    text = str(error).strip().split("\n")[0]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _parse(connection: duckdb.DuckDBPyConnection, sql: str, *, is_explain: bool) -> Any | None:
    """Return the syntax tree of a SELECT, explained or not; None for any other statement."""
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
    """Yield every node; not recursive, because the tree may be of any depth."""
    unvisited = [tree]
    while unvisited:
        node = unvisited.pop()
        if isinstance(node, dict):
            yield node
            unvisited.extend(node.values())
        elif isinstance(node, list):
            unvisited.extend(node)


def _require_known_functions(node: dict[str, Any]) -> None:
    if node.get("type") == "TABLE_FUNCTION":
        function = node.get("function") or {}
        name = str(function.get("function_name", "?")).lower()
        if name not in TABLE_FUNCTIONS:
            raise UsageError(
                f"{name} is not allowed here: queries cannot use files, settings or the network.",
                cure="Read from tables only.",
            )
    elif node.get("class") == "FUNCTION":
        name = str(node.get("function_name", "?")).lower()
        if name in REFUSED_FUNCTIONS or name.startswith(_REFUSED_BEGINNINGS):
            raise UsageError(
                f"{name} is not allowed here: queries cannot use files, settings or the network.",
                cure="Leave it out.",
            )


def expand_show_tables(
    connection: duckdb.DuckDBPyConnection, sql: str, tables: Collection[str]
) -> str:
    """Return SQL that lists `tables` in place of SHOW TABLES, and any other SQL as it is.

    DuckDB's own SHOW TABLES would list what may not be read, too.
    """
    try:
        statements = connection.extract_statements(sql[:MOST_LETTERS])
        tree = _parse(connection, sql, is_explain=False) if len(statements) == 1 else None
    except duckdb.Error:
        return sql
    source = tree[0]["node"].get("from_table") if tree else None
    if not isinstance(source, dict) or not _is_listing(source):
        return sql
    if source.get("table_name") != _SHOW_TABLES:
        return sql
    listed = ", ".join("'" + name.replace("'", "''") + "'" for name in sorted(tables))
    return f"SELECT unnest([{listed}]) AS name"


_SHOW_TABLES = '"tables"'  # DuckDB's name for what is shown


def _is_listing(node: dict[str, Any]) -> bool:
    """Return whether a node lists tables, databases or settings; DESCRIBE of a table does not."""
    special = node.get("show_type") in ("SHOW_SPECIAL", "SHOW_FROM", "SHOW_UNQUALIFIED")
    return node.get("type") == "SHOW_REF" and special


def _refuse_listings(node: dict[str, Any]) -> None:
    if _is_listing(node):
        raise UsageError(
            "Only SHOW TABLES, on its own, lists the tables.",
            cure="Use SHOW TABLES, or DESCRIBE and the name of a table.",
        )


def _table_name(node: dict[str, Any]) -> str | None:
    """Return the table that a node names, in lower case, with its schema and catalog if given."""
    if node.get("type") == "BASE_TABLE":
        parts = (node.get("catalog_name"), node.get("schema_name"), node.get("table_name"))
        return ".".join(str(part) for part in parts if part).lower()
    if node.get("type") == "SHOW_REF" and not node.get("query"):
        return str(node.get("table_name", "")).strip('"').lower()  # SHOW and the name of a table
    return None
