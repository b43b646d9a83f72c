"""Runs the BigQuery emulator in its own environment (Python 3.13), with what it lacks for us.

Arguments: the folder that holds the buckets, the folder for its tables. Prints its addresses as
JSON and stops when its standard input is closed, so also when the tests die.

The emulator (local-bigquery 0.3.2) takes CREATE EXTERNAL TABLE but leaves the table empty. Here the
objects are read when the table is made, bad lines being skipped as `max_bad_records` allows.

Its queries also slow down as it fills: it looks tables up in `duckdb_tables()`, which goes through
all tables of all databases, and it stores the result of every query. Here it reads DuckLake's
catalog, and drops all results and jobs with the dataset of the test that made them.
"""

import csv
import gzip
import json
import re
import sys
import tempfile
import threading
from pathlib import Path

from duckdb_extensions import import_extension

sys.modules["pandas"] = None  # missing; DuckDB would look for it at every query

for extension in ("icu", "ducklake", "spatial"):  # from their wheels: nothing is downloaded
    import_extension(extension)

import duckdb
import uvicorn
from local_bigquery.settings import settings

settings.gcs_local_root, settings.data_dir = Path(sys.argv[1]), Path(sys.argv[2])

from local_bigquery import app
from local_bigquery.catalog import datasets, names, tables
from local_bigquery.engine import database
from local_bigquery.grpc import server as storage_api
from local_bigquery.jobs import load, query
from local_bigquery.models import JobConfigurationLoad
from sqlglot import exp

LOAD_OPTIONS = {
    "uris": "sourceUris",
    "format": "sourceFormat",
    "skip_leading_rows": "skipLeadingRows",
    "max_bad_records": "maxBadRecords",
}
IGNORED_OPTIONS = {"compression", "allow_quoted_newlines", "preserve_ascii_control_characters"}


def constant(node):
    if isinstance(node, exp.Array):
        return [constant(item) for item in node.expressions]
    if isinstance(node, exp.Literal):
        return node.this if node.is_string else int(node.this)
    return node.name


def external_options(properties):
    """Take the external table's options out of a CREATE and return them as a load job's."""
    options = {}
    for item in list(properties.expressions):
        if isinstance(item, exp.FileFormatProperty):
            options["sourceFormat"] = item.this.name if hasattr(item.this, "name") else item.this
        elif isinstance(item, exp.Property) and getattr(item.this, "name", "") in LOAD_OPTIONS:
            options[LOAD_OPTIONS[item.this.name]] = constant(item.args["value"])
        elif not isinstance(item, exp.ExternalProperty) and (
            getattr(item.this, "name", "") not in IGNORED_OPTIONS
        ):
            continue
        item.pop()
    return options


run_statement = query._statement
begun = set()  # the scripts that are within a transaction


def run_statement_or_read_objects(cursor, tree, context, destination, config, dry_run, isolated):
    arguments = (context, destination, config, dry_run, isolated)
    if isinstance(tree, exp.Transaction):
        begun.add(id(context))
    elif isinstance(tree, (exp.Commit, exp.Rollback)):
        begun.discard(id(context))
    properties = tree.args.get("properties") if isinstance(tree, exp.Create) else None
    if properties is None or not properties.find(exp.ExternalProperty):
        return run_statement(cursor, tree, *arguments)
    plain = tree.copy()
    options = external_options(plain.args["properties"])
    project, dataset, table = names.reference(
        tree.find(exp.Table), context.project_id, context.dataset_id
    )
    described = isinstance(tree.this, exp.Schema)  # else the columns are those of the parquet
    if described:
        statistics = run_statement(cursor, plain, *arguments)
    else:
        statistics = query.JobStatistics2(ddlOperationPerformed="CREATE")
    if not dry_run:
        fields = tables.fields(tables.load(project, dataset, table)) if described else []
        into = {"projectId": project, "datasetId": dataset, "tableId": table}
        read = {
            **options,
            "destinationTable": into,
            "writeDisposition": "WRITE_APPEND",
            "schema": {"fields": [field.replace(description=None).dump() for field in fields]},
        }
        if not described:
            del read["schema"]
        load.run(cursor, JobConfigurationLoad.model_validate(read), None)
    return statistics.replace(statementType="CREATE_EXTERNAL_TABLE")


def line_by_line(uri, width, folder):
    """Return where the lines of an object lie that are rows, each line being read by itself, as
    the service does when quoted line breaks are not allowed."""
    path = settings.gcs_local_root / uri.removeprefix("gs://")
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    if b'"' not in content and b"\r" not in content:
        return uri  # DuckDB reads it the same way
    with (folder / path.name.removesuffix(".gz")).open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        for line in re.split("\r\n|\n|\r", content.decode(errors="replace")):
            try:
                cells = next(csv.reader([line], strict=True), [])
            except csv.Error:
                continue
            if len(cells) == width:
                writer.writerow(cells)
        return f"file://{out.name}"


load_job = load.run


def load_job_line_by_line(cursor, config, upload):
    if not config.maxBadRecords or upload:
        return load_job(cursor, config, upload)
    with tempfile.TemporaryDirectory() as folder:
        width = len(config.schema_.fields)
        uris = [line_by_line(uri, width, Path(folder)) for uri in config.sourceUris]
        return load_job(cursor, config.replace(sourceUris=uris), upload)


load.run = load_job_line_by_line
csv_options = load._csv


def csv_options_that_skip_bad_lines(config, fields):
    options = csv_options(config, fields)
    if config.maxBadRecords:
        options |= {"ignore_errors": "true", "max_line_size": 2000000, "escape": "'\"'"}
    return options


class WithinTransaction:
    """A cursor that says that its transaction has begun, without asking DuckDB, which would then
    take the transaction for failed."""

    def __init__(self, cursor):
        self.cursor = cursor

    def __getattr__(self, name):
        return getattr(self.cursor, name)

    def execute(self, sql, *values):
        if sql == "BEGIN":
            raise duckdb.TransactionException("begun already")
        return self.cursor.execute(sql, *values)


merge = query.merge.run


def merge_within_transaction(cursor, tree, context):
    return merge(WithinTransaction(cursor) if id(context) in begun else cursor, tree, context)


def catalog_query(columns, kind, more=""):
    return f"""(
      SELECT '{{project}}' AS database_name, schema_name, {columns}
      FROM {{catalog}}.ducklake_{kind} AS item {more}
      JOIN {{catalog}}.ducklake_schema AS dataset USING (schema_id)
      WHERE item.end_snapshot IS NULL AND dataset.end_snapshot IS NULL)"""


CATALOG_QUERIES = {
    "duckdb_tables()": catalog_query(
        "table_name, coalesce(record_count, 0) AS estimated_size",
        "table",
        "LEFT JOIN {catalog}.ducklake_table_stats USING (table_id)",
    ),
    "duckdb_views()": catalog_query("view_name, false AS internal", "view"),
    "duckdb_columns()": catalog_query(
        "table_name, column_name, nulls_allowed AS is_nullable",
        "table",
        "JOIN (FROM {catalog}.ducklake_column WHERE end_snapshot IS NULL) USING (table_id)",
    ),
}
fetch = database.fetch
known_projects = set()


def fetch_from_catalog(sql, params=None):
    if "FROM duckdb_" not in sql or not params or params[0] == "emulator":
        return fetch(sql, params)
    if params[0] not in known_projects:
        known_projects.update(database.projects())
        if params[0] not in known_projects:
            return []
    catalog = database.quote(f"__ducklake_metadata_{params[0]}")
    for function, rows in CATALOG_QUERIES.items():
        sql = sql.replace(function, rows.format(project=params[0], catalog=catalog))
    return fetch(sql, params)


make_evaluator = query._evaluator


def evaluator_that_knows_text(cursor):
    evaluate = make_evaluator(cursor)

    def evaluated(node):
        is_text = isinstance(node, exp.Literal) and node.is_string
        return node.this if is_text else evaluate(node)

    return evaluated


delete_dataset = datasets.delete


def delete_dataset_and_results(project_id, dataset_id, delete_contents):
    delete_dataset(project_id, dataset_id, delete_contents)
    results = database.quote("emulator", tables.RESULTS)
    database.execute(f"DROP SCHEMA {results} CASCADE; CREATE SCHEMA {results}")
    database.execute("DELETE FROM emulator.jobs")


database.fetch = fetch_from_catalog
database.execute("SET threads = 1")  # each test asks small questions, and two tests run at once
query._evaluator = evaluator_that_knows_text
datasets.delete = delete_dataset_and_results
query.merge.run = merge_within_transaction
query._statement = run_statement_or_read_objects
load._csv = csv_options_that_skip_bad_lines

storage, storage_port = storage_api.start("127.0.0.1", 0)
server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
thread = threading.Thread(target=server.run)
thread.start()
while not server.started:
    thread.join(0.01)
port = server.servers[0].sockets[0].getsockname()[1]
answers = {"url": f"http://127.0.0.1:{port}", "storage": f"127.0.0.1:{storage_port}"}
print(json.dumps(answers), flush=True)
sys.stdin.read()
storage.stop(None)
server.should_exit = True
thread.join()
