"""Every statement we send is valid GoogleSQL over our schemas, by Google's own analyzer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from pipeline.answers.templates import TEMPLATES, Template, identifiers
from pipeline.charts import CHARTS, Filters, pose
from pipeline.parity import table_identifiers as parity_identifiers
from pipeline.sql import SQL_FOLDER, statement
from pipeline.trips import COLUMNS, Color
from pipeline.warehouse.google_columns import (
    csv_columns,
    extract_identifiers,
    months_condition,
    table_identifiers,
)
from pipeline.warehouse.google_summary import (
    GOOGLE_SUMMARIES,
    create_summaries,
    delete_summaries,
    fill_summaries,
)
from tests.chart_cases import FILTERS

NAMES = sorted(
    path.stem
    for path in (SQL_FOLDER / "bigquery").glob("*.sql")
    if not path.stem.endswith("_summary")
)
OWN = {"external": "staged", "incoming": "incoming", "changes": "changes", "rejected": "rejected"}
TYPE_NAMES = ("BYTES", "STRING", "INT64", "NUMERIC", "TIMESTAMP", "FLOAT64", "BOOL", "DATE")
PARAMETERS = {
    "INT64": "schema_version base_entry changed_rows bytes loader_version rows inserted updated"
    " deleted unchanged rejected rounded year_month part parts",
    "NUMERIC": "total_amount",
    "TIMESTAMP": "finished_at",
    "FLOAT64": "seconds",
    "STRING": "filename color month state run_id source address format sha256 etag reason"
    " pickup_months earlier",
}

ARRAYS = ("buckets", "ids")


def rendered(name: str, color: Color) -> str:
    """The statement as a load of this color sends it, strays and an unknown column included."""
    header = (*(column.name for column in COLUMNS[color] if not column.fee), "surprise")
    return statement(
        f"bigquery/{name}",
        **table_identifiers(color),
        **extract_identifiers(color, header, parquet=False),
        **OWN,
        file_columns=csv_columns(color, header),
        months=months_condition(color, {0, 200812, 202003, 202004, 999912}),
        uri="gs://some-bucket/green/file.csv.gz",
        compression="compression = 'GZIP',",
    )


def columns_of(create: str) -> dict[str, str]:
    """The columns and types of a CREATE TABLE of ours."""
    found = re.findall(r"^    `?(\w+)`? ([A-Z0-9]+)(?:\(9, 2\))?(?: NOT NULL)? OPT", create, re.M)
    return dict(found)


@cache
def analyzer(color: Color) -> Any:
    """Google's analyzer over what a load of this color has at hand."""
    return make_analyzer(tables_of(color), frozenset(parameter_types().items()))


def parameter_types() -> dict[str, str]:
    return {name: type_name for type_name, names in PARAMETERS.items() for name in names.split()}


def tables_of(color: Color) -> dict[str, dict[str, str]]:
    production = columns_of(rendered("create_table", color))
    assert list(production)[2:] == [column.name for column in COLUMNS[color]]
    header = {column.name: "STRING" for column in COLUMNS[color]}
    return {
        color.table: production,
        "load_ledger": columns_of(rendered("create_load_ledger", color)),
        "rejects": columns_of(rendered("create_rejects", color)),
        **dict(zip(GOOGLE_SUMMARIES, map(columns_of, create_summaries()), strict=True)),
        "warehouse_state": {"schema_version": "INT64", "loads": "INT64"},
        "staged": header,
        "incoming": {name: kind for name, kind in production.items() if name != "filename"}
        | {"bad_column": "STRING", "rounded": "BOOL", "ordinal": "INT64"},
        "changes": production | {"change": "STRING"},
        "rejected": {"line": "INT64", "reason": "STRING", "content": "STRING"},
    }


def make_analyzer(tables: dict[str, dict[str, str]], parameters: Iterable[tuple[str, str]]) -> Any:
    """Google's analyzer over these tables and columns, with parameters of these types."""
    from zetasql.api import Analyzer, CatalogBuilder, TableBuilder, TypeFactory
    from zetasql.types import (
        AnalyzerOptions,
        LanguageOptions,
        ProductMode,
        ResolvedNodeKind,
        TypeKind,
        ZetaSQLBuiltinFunctionOptions,
    )

    kinds = {
        name: getattr(TypeKind, f"TYPE_{'DOUBLE' if name == 'FLOAT64' else name}")
        for name in TYPE_NAMES
    }
    language = LanguageOptions.maximum_features()
    language.product_mode = ProductMode.PRODUCT_EXTERNAL  # BigQuery's types, not Google's own
    language.reserved_keywords = ["QUALIFY"]
    language.supported_statement_kinds = [
        kind for kind in ResolvedNodeKind if kind.name.endswith("_STMT")
    ]
    functions = ZetaSQLBuiltinFunctionOptions(language_options=language)
    catalog = CatalogBuilder("warehouse").with_builtin_functions(functions)
    for name, columns in tables.items():
        table = TableBuilder(name)
        for column, type_name in columns.items():
            table = table.add_column(column, kinds[type_name])
        catalog = catalog.add_table(table.build())
    simple = {name: TypeFactory.create_simple_type(kind) for name, kind in kinds.items()}
    options = AnalyzerOptions(
        language_options=language,
        query_parameters=[
            AnalyzerOptions.QueryParameter(name=name, type=simple[type_name])
            for name, type_name in parameters
        ]
        + [
            AnalyzerOptions.QueryParameter(
                name=name, type=TypeFactory.create_array_type(simple["STRING"])
            )
            for name in ARRAYS
        ],
        system_variables=[
            AnalyzerOptions.SystemVariable(name_path=["row_count"], type=simple["INT64"])
        ],
    )
    return Analyzer(options, catalog.build())


@pytest.mark.parametrize("color", Color)
@pytest.mark.parametrize("name", NAMES)
def test_a_statement_is_valid_over_our_schemas(name: str, color: Color) -> None:
    assert analyzer(color).analyze_statement(rendered(name, color)) is not None


@pytest.mark.parametrize("color", Color)
def test_the_statements_about_sums_are_valid(color: Color) -> None:
    read = "(SELECT @filename AS filename, * FROM incoming WHERE bad_column IS NULL)"
    sent = [*create_summaries(), *delete_summaries(), *fill_summaries(color, read)]
    sent += fill_summaries(color, color.table)
    sent += [statement("bigquery/drop_summary", summary=name) for name in GOOGLE_SUMMARIES]
    assert len(sent) == 5 * len(GOOGLE_SUMMARIES)
    for sql in sent:
        assert analyzer(color).analyze_statement(sql) is not None


@pytest.mark.parametrize("color", Color)
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=list(TEMPLATES))
def test_the_statement_of_a_truth_is_valid(template: Template, color: Color) -> None:
    sql = statement(f"truths/{template.sql}", **identifiers(color))
    assert analyzer(color).analyze_statement(sql) is not None


@pytest.mark.parametrize("color", Color)
@pytest.mark.parametrize("name", sorted(path.stem for path in (SQL_FOLDER / "parity").glob("*")))
def test_a_statement_of_the_comparison_is_valid(name: str, color: Color) -> None:
    sql = statement(f"parity/{name}", **parity_identifiers(color))
    assert analyzer(color).analyze_statement(sql) is not None


@pytest.mark.parametrize("filters", FILTERS.values(), ids=list(FILTERS))
def test_the_statements_of_all_charts_are_valid_over_sums_and_trips(filters: Filters) -> None:
    questions = [pose(name, filters, "gcp", "week") for name in CHARTS]
    by_file = ("coverage", "strays")  # asked of the sums only
    questions = [q for q in questions if q.origin != "trips" or q.chart.name not in by_file]
    assert len(questions) >= len(CHARTS) - len(by_file)
    types = {str: "STRING", int: "INT64", date: "DATE", datetime: "TIMESTAMP", Decimal: "NUMERIC"}
    parameters = {n: types[type(value)] for q in questions for n, value in q.parameters.items()}
    tables = tables_of(Color.GREEN) | tables_of(Color.YELLOW)
    checking = make_analyzer(tables, parameters.items())
    for question in questions:
        assert checking.analyze_statement(question.sql) is not None


def test_the_analyzer_sees_a_column_that_is_not_there() -> None:
    with pytest.raises(Exception, match="vendor"):
        analyzer(Color.GREEN).analyze_statement("SELECT vendor FROM green_tripdata")
