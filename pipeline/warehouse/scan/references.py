"""Which tables and columns a query references, and the conditions on each table's rows.

sqlglot resolves names, stars, USING and correlated subqueries, removes what nothing uses, and moves
filters on simple subqueries to their tables. What it cannot resolve counts as every column.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.merge_subqueries import merge_subqueries
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

from pipeline.core.errors import UsageError

# It warns on stderr of SQL that it does not know, with the SQL. What cannot be told, is said here.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

Dialect = Literal["bigquery", "duckdb"]
_DIALECTS: tuple[Dialect, ...] = ("bigquery", "duckdb")

MOST_LETTERS = 6_000  # the longest of ours has 3,800; sqlglot's time grows with the square
_MOST_JOINS = 100  # of one SELECT; 100 take sqlglot 2 s, 900 three minutes
_MOST_EXPANDED = 2_000  # columns after aliases are replaced by what they stand for
_CURE = "Estimate one SELECT, such as SELECT count(*) FROM yellow_tripdata."


@dataclass(frozen=True)
class TableReference:
    """One place where a query names a table.

    Attributes:
        table: The name of the table as its sizes have it.
        alias: What columns are qualified with in the conditions.
        columns: The columns that this place uses.
        conditions: What every row that is used must meet.
        outer_conditions: The same, for the side of an outer join that may be missing.
        dialect: For texts of the conditions.
    """

    table: str
    alias: str
    columns: frozenset[str]
    conditions: tuple[exp.Expr, ...]
    outer_conditions: tuple[exp.Expr, ...]
    dialect: Dialect

    def filters(self, column: str) -> bool:
        """Return whether a condition compares a column, and no other, with something."""
        own = (column.casefold(), self.alias.casefold())
        return any(
            named == {own}
            for condition in (*self.conditions, *self.outer_conditions)
            for named in [
                {
                    (each.name.casefold(), each.table.casefold())
                    for each in condition.find_all(exp.Column)
                }
            ]
        )


@dataclass(frozen=True)
class References:
    """What a query references.

    Attributes:
        limits, uncounted: As in `BytesEstimate`.
    """

    tables: tuple[TableReference, ...]
    limits: tuple[str, ...] = ()
    uncounted: tuple[str, ...] = ()


def find_references(
    sql: str,
    tables: Mapping[str, tuple[str, ...]],
    dialect: Dialect,
    is_clear: Callable[[References], bool] = lambda _references: True,
) -> References:
    """Return what a SELECT references.

    Args:
        tables: The columns of each table that has a known size.
        dialect: The dialect to read it in first.
        is_clear: Whether references can be estimated exactly; otherwise the other dialect is tried.

    Raises UsageError for SQL that cannot be read, or is not one SELECT.
    """
    if len(sql) > MOST_LETTERS:
        raise UsageError(
            f"A query of more than {MOST_LETTERS:,} letters cannot be estimated.",
            cure="Shorten it.",
        )
    problem: Exception | None = None
    best: References | None = None
    for each in sorted(_DIALECTS, key=lambda other: other != dialect):
        try:
            references = _Finder(_parse(sql, each), tables, each).find()
        except Exception as error:  # ours, and sqlglot's own for SQL that it takes for valid
            problem = problem or error
            continue
        if not references.limits and not references.uncounted and is_clear(references):
            return references
        best = best or references
    if best is not None:
        return best
    if isinstance(problem, UsageError):
        raise problem
    raise UsageError("The query cannot be read, so its bytes are not known.", cure=_CURE) from None


def _parse(sql: str, dialect: Dialect) -> exp.Query:
    statements = [each for each in sqlglot.parse(sql, read=dialect) if each is not None]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise UsageError("Only one SELECT can be estimated.", cure=_CURE)
    if any(len(select.args.get("joins") or ()) > _MOST_JOINS for select in _selects(statements[0])):
        raise UsageError(
            f"A SELECT of more than {_MOST_JOINS} joins cannot be estimated.", cure="Shorten it."
        )
    return statements[0]


def _selects(tree: exp.Expr) -> Iterator[exp.Select]:
    yield from tree.find_all(exp.Select)


def _expands_far(tree: exp.Expr) -> bool:
    """Return whether replacing aliases by their expressions would make a SELECT very long.

    `1 AS a, a + a AS b, b + b AS c` doubles with each alias.
    """
    for select in _selects(tree):
        sizes: dict[str, int] = {}
        total = 0
        for clause in (*select.selects, *(select.args.get(name) for name in _WITH_ALIASES)):
            if not isinstance(clause, exp.Expr):
                continue
            columns = [column for column in clause.find_all(exp.Column) if not column.table]
            size = 1 + sum(sizes.get(column.name.casefold(), 1) for column in columns)
            total += size
            if total > _MOST_EXPANDED and sizes:
                return True
            if isinstance(clause, exp.Alias):
                sizes[clause.alias.casefold()] = size
    return False


_WITH_ALIASES = ("where", "group", "having", "qualify", "order")


class _Finder:
    """Finds the references of one statement."""

    def __init__(
        self, tree: exp.Query, tables: Mapping[str, tuple[str, ...]], dialect: Dialect
    ) -> None:
        self._names = {name.casefold(): name for name in tables}
        self._columns = {
            name: {column.casefold(): column for column in columns}
            for name, columns in tables.items()
        }
        self._tree = tree
        self._dialect: Dialect = dialect
        self._limits: list[str] = []
        self._uncounted: list[str] = []

    def find(self) -> References:
        for test in self._tree.find_all(exp.Exists):
            if isinstance(test.this, exp.Select) and all(
                each.is_star for each in test.this.selects
            ):
                test.this.select("1", append=False, copy=False)  # EXISTS reads no column of *
        for table in self._tree.find_all(exp.Table):
            if self._table_name(table) is not None:
                # project.dataset.table is the same table; sizes are kept by its bare name.
                table.set("db", None)
                table.set("catalog", None)
                table.this.replace(exp.to_identifier(table.name.casefold()))
        tree = self._qualify()
        references = [item for scope in traverse_scope(tree) for item in self._in_scope(scope)]
        references += self._missed(tree, {reference.table for reference in references})
        self._uncounted += [
            f"{function.sql(self._dialect)[:80]} is not counted: a function of one's own may read "
            "tables."
            for function in tree.find_all(exp.Dot)
            if isinstance(function.expression, exp.Anonymous)
        ]
        return References(
            tuple(references),
            tuple(dict.fromkeys(self._limits)),
            tuple(dict.fromkeys(self._uncounted)),
        )

    def _qualify(self) -> exp.Expr:
        schema: dict[str, object] = {
            name.casefold(): dict.fromkeys(columns, "UNKNOWN")
            for name, columns in self._columns.items()
        }
        tree: exp.Expr = qualify(
            self._tree,
            schema=schema,
            dialect=self._dialect,
            validate_qualify_columns=False,
            quote_identifiers=False,
            expand_alias_refs=not _expands_far(self._tree),
        )
        selects = (each for select in tree.find_all(exp.Select) for each in select.selects)
        if any(each.is_star for each in selects):
            return tree  # of a table that is not known, so nothing can be removed
        return merge_subqueries(pushdown_projections(tree))

    def _table_name(self, table: exp.Table) -> str | None:
        """Return the name of a table of known size, or None."""
        return self._names.get(table.name.casefold()) if table.name else None

    def _in_scope(self, scope: Scope) -> Iterator[TableReference]:
        sources = {
            alias: source
            for alias, (_, source) in scope.selected_sources.items()
            if isinstance(source, exp.Table)
        }
        conditions = _read_conditions(scope)
        for alias, source in sources.items():
            name = self._table_name(source)
            if name is None:
                self._leave_out(source)
                continue
            columns = self._columns_of(scope, alias, name, source)
            inner, outer = conditions.get(alias, ((), ()))
            yield TableReference(name, alias, frozenset(columns), inner, outer, self._dialect)

    def _missed(self, tree: exp.Expr, seen: set[str]) -> Iterator[TableReference]:
        """Yield whole tables that stand where sqlglot looks for none, so that none is forgotten."""
        named = {each.alias.casefold() for each in tree.find_all(exp.CTE)}
        for table in tree.find_all(exp.Table):
            name = self._table_name(table)
            if name is None or name in seen or name.casefold() in named:
                continue
            seen.add(name)
            every = frozenset(self._columns[name].values())
            self._limits.append(f"Where {name} is used cannot be told, so all of it is counted.")
            yield TableReference(name, table.alias_or_name, every, (), (), self._dialect)

    def _leave_out(self, source: exp.Table) -> None:
        text = source.copy()
        text.set("alias", None)
        name = text.sql(self._dialect)[:80]
        if source.name.endswith("*"):
            reason = "the tables that it stands for are not known"
        elif "information_schema" in name.casefold():
            reason = "BigQuery bills at least 10 MB for its INFORMATION_SCHEMA"
        else:
            reason = "it is not a table of the warehouse"
        self._uncounted.append(f"{name} is not counted: {reason}.")

    def _columns_of(self, scope: Scope, alias: str, name: str, source: exp.Table) -> set[str]:
        known = self._columns[name]
        expression = scope.expression
        whole_row = any(
            column.name.casefold() == alias.casefold()
            for column in expression.find_all(exp.TableColumn)
        )
        if whole_row:
            return set(known.values())  # SELECT t FROM table AS t is each of its columns
        unclear = ""
        if source.args.get("pivots"):
            unclear = "PIVOT"
        elif any(True for _ in expression.find_all(exp.Columns)):
            unclear = "COLUMNS(...)"
        elif any(each.is_star for each in getattr(expression, "selects", ())):
            unclear = "*"
        columns = set()
        for column in scope.columns:
            actual = known.get(column.name.casefold())
            if column.table and column.table.casefold() != alias.casefold():
                continue
            if actual is not None:
                columns.add(actual)
            elif column.table or not self._is_elsewhere(scope):
                unclear = unclear or column.name
        if unclear:
            self._limits.append(
                f"Which columns of {name} the query uses cannot be told ({unclear}), so all of "
                "them are counted."
            )
            return set(known.values())
        return columns

    def _is_elsewhere(self, scope: Scope) -> bool:
        """Return whether an unqualified column may belong to something that is not known."""
        outer: Scope | None = scope
        while outer is not None:
            for _, source in outer.selected_sources.values():
                if not isinstance(source, exp.Table) or self._table_name(source) is None:
                    return True
            outer = outer.parent
        return False


def _conjuncts(clause: Any) -> tuple[exp.Expr, ...]:
    """Return the parts of a WHERE or ON that must all be true."""
    if clause is None:
        return ()
    condition = clause.this if isinstance(clause, exp.Where) else clause
    return tuple(condition.flatten()) if isinstance(condition, exp.And) else (condition,)


_Conditions = tuple[tuple[exp.Expr, ...], tuple[exp.Expr, ...]]


def _read_conditions(scope: Scope) -> dict[str, _Conditions]:
    """Return the conditions on each source: those of its rows, and those of rows or their absence.

    The second are conditions that come after an outer join which may leave the source out.
    """
    inner: dict[str, tuple[exp.Expr, ...]] = {}
    outer: dict[str, tuple[exp.Expr, ...]] = {}
    nullable: set[str] = set()

    def add(alias: str, conditions: tuple[exp.Expr, ...]) -> None:
        conditions_of = outer if alias in nullable else inner
        conditions_of[alias] = (*conditions_of.get(alias, ()), *conditions)

    start = scope.expression.args.get("from_")
    earlier = {start.alias_or_name} if start is not None else set()
    for join in scope.expression.args.get("joins") or ():
        alias, side, on = join.alias_or_name, join.side.upper(), _conjuncts(join.args.get("on"))
        is_filter = join.kind.upper() in ("SEMI", "ANTI")
        if side in ("", "LEFT") or is_filter:
            add(alias, on)
        if side in ("", "RIGHT") and not is_filter:
            for each in earlier:
                add(each, on)
        if side in ("LEFT", "FULL"):
            nullable.add(alias)
        if side in ("RIGHT", "FULL"):
            nullable |= earlier
        earlier.add(alias)
    for alias in earlier:
        add(alias, _conjuncts(scope.expression.args.get("where")))
    return {alias: (inner.get(alias, ()), outer.get(alias, ())) for alias in earlier}
