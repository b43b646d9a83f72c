"""Every statement we send is valid GoogleSQL over our schemas, by Google's own analyzer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from pipeline.answers.truths.templates import TEMPLATES, QuestionTemplate, identifiers
from pipeline.charts import CHARTS, Filters, build_query
from pipeline.charts.queries import find_rollup
from pipeline.core.datasets import DATASETS, GREEN_TAXIS, Dataset
from pipeline.core.sql import SQL_FOLDER, statement
from pipeline.ops.fingerprints import table_identifiers as parity_identifiers
from pipeline.warehouse.gcp.columns import (
    csv_columns,
    extract_identifiers,
    months_condition,
    table_identifiers,
)
from pipeline.warehouse.gcp.rollups import (
    GOOGLE_ROLLUPS,
    create_rollups,
    delete_rollups,
    fill_rollups,
)
from tests.support.chart_cases import FILTERS

NAMES = sorted(
    path.stem
    for path in (SQL_FOLDER / "bigquery").glob("*.sql")
    if not path.stem.endswith("_rollup")
)
OWN = {"external": "staged", "incoming": "incoming", "changes": "changes", "rejected": "rejected"}
TYPE_NAMES = ("BYTES", "STRING", "INT64", "NUMERIC", "TIMESTAMP", "FLOAT64", "BOOL", "DATE")
PARAMETERS = {
    "INT64": "schema_version previous_entry changed_rows bytes unpacked_bytes loader_version rows"
    " inserted updated deleted unchanged rejected rounded year_month part parts",
    "NUMERIC": "total_amount checksum",
    "TIMESTAMP": "finished_at",
    "FLOAT64": "seconds",
    "STRING": "filename color month state run_id source address format sha256 etag reason"
    " pickup_months earlier unknown_columns rollups",
}

ARRAYS = ("buckets", "ids")


def rendered(name: str, dataset: Dataset) -> str:
    """The statement as a load of this color sends it, strays and an unknown column included."""
    header = (*(column.name for column in dataset.columns if not column.fee), "surprise")
    return statement(
        f"bigquery/{name}",
        **table_identifiers(dataset),
        **extract_identifiers(dataset, header, parquet=False),
        **OWN,
        file_columns=csv_columns(dataset, header),
        months=months_condition(dataset, {0, 200812, 202003, 202004, 999912}),
        uri="gs://some-bucket/green/file.csv.gz",
        compression="compression = 'GZIP',",
        additions="ADD COLUMN IF NOT EXISTS some_fee NUMERIC(9, 2)",
    )


def columns_of(create: str) -> dict[str, str]:
    """The columns and types of a CREATE TABLE of ours."""
    found = re.findall(r"^    `?(\w+)`? ([A-Z0-9]+)(?:\(9, 2\))?(?: NOT NULL)? OPT", create, re.M)
    return dict(found)


@cache
def analyzer(dataset: Dataset) -> Any:
    """Google's analyzer over what a load of this color has at hand."""
    return make_analyzer(tables_of(dataset), frozenset(parameter_types().items()))


def parameter_types() -> dict[str, str]:
    return {name: type_name for type_name, names in PARAMETERS.items() for name in names.split()}


def tables_of(dataset: Dataset) -> dict[str, dict[str, str]]:
    production = columns_of(rendered("create_table", dataset))
    assert list(production)[2:] == [column.name for column in dataset.columns]
    header = {column.name: "STRING" for column in dataset.columns}
    return {
        dataset.table: production,
        "load_ledger": columns_of(rendered("create_load_ledger", dataset)),
        "rejects": columns_of(rendered("create_rejects", dataset)),
        **dict(zip(GOOGLE_ROLLUPS, map(columns_of, create_rollups()), strict=True)),
        "warehouse_state": {"schema_version": "INT64", "loads": "INT64", "rollups": "STRING"},
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
        prune_unused_columns=True,  # so that a table's scan lists the columns that are used
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


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_a_statement_is_valid_over_our_schemas(name: str, dataset: Dataset) -> None:
    assert analyzer(dataset).analyze_statement(rendered(name, dataset)) is not None


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=str)
def test_the_statements_about_sums_are_valid(dataset: Dataset) -> None:
    read = "(SELECT @filename AS filename, * FROM incoming WHERE bad_column IS NULL)"
    sent = [*create_rollups(), *delete_rollups(), *fill_rollups(dataset, read)]
    sent += fill_rollups(dataset, dataset.table)
    sent += [statement("bigquery/drop_rollup", rollup=name) for name in GOOGLE_ROLLUPS]
    assert len(sent) == 5 * len(GOOGLE_ROLLUPS)
    for sql in sent:
        assert analyzer(dataset).analyze_statement(sql) is not None


TRUTHS = {
    f"{name}-{dataset}": (template, dataset)
    for name, template in TEMPLATES.items()
    for dataset in DATASETS.values()
    if template.suits(dataset)
}


@pytest.mark.parametrize(("template", "dataset"), TRUTHS.values(), ids=list(TRUTHS))
def test_the_statement_of_a_truth_is_valid(template: QuestionTemplate, dataset: Dataset) -> None:
    sql = statement(f"truths/{template.sql}", **identifiers(dataset))
    assert analyzer(dataset).analyze_statement(sql) is not None


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=str)
@pytest.mark.parametrize("name", sorted(path.stem for path in (SQL_FOLDER / "parity").glob("*")))
def test_a_statement_of_the_comparison_is_valid(name: str, dataset: Dataset) -> None:
    sql = statement(f"parity/{name}", **parity_identifiers(dataset))
    assert analyzer(dataset).analyze_statement(sql) is not None


@pytest.mark.parametrize("filters", FILTERS.values(), ids=list(FILTERS))
def test_queries_of_all_charts_are_valid_over_rollups_and_trips(filters: Filters) -> None:
    charts = [c for c in CHARTS.values() if find_rollup(c, filters, "gcp") or not c.by_file]
    assert len(charts) >= len(CHARTS) - 2
    queries = [build_query(chart, filters, "gcp", "week") for chart in charts]
    types = {str: "STRING", int: "INT64", date: "DATE", datetime: "TIMESTAMP", Decimal: "NUMERIC"}
    parameters = {n: types[type(value)] for q in queries for n, value in q.parameters.items()}
    tables: dict[str, dict[str, str]] = {}
    for dataset in DATASETS.values():
        tables |= tables_of(dataset)
    checking = make_analyzer(tables, parameters.items())
    for query in queries:
        assert checking.analyze_statement(query.sql) is not None


def test_the_analyzer_sees_a_column_that_is_not_there() -> None:
    with pytest.raises(Exception, match="vendor"):
        analyzer(GREEN_TAXIS).analyze_statement("SELECT vendor FROM green_tripdata")
