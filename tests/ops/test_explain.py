"""Explanations: the statements shown before a load are those that the load sends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.core.datasets import DATASETS, either_of
from pipeline.core.errors import NotPublished
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import TripFile
from pipeline.ops.explain import Explanation, explain
from pipeline.runs.backfill import prepare_plan
from pipeline.runs.policy import Policy
from pipeline.warehouse.local import warehouse as local
from pipeline.warehouse.local.load import load_file
from pipeline.warehouse.statements import LATER
from tests.support.command import pipeline, pipeline_process, unprivileged
from tests.support.files import GREEN, YELLOW, backfill, put_parquet, put_trips, request, trip


class Recorder:
    """A DuckDB cursor that records the statements that it executes."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def execute(self, sql: str, values: Any = None) -> duckdb.DuckDBPyConnection:
        self.sent.append((sql, dict(values or {})))
        return self._cursor.execute(sql, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Recorder]:
    """Return the list of statements that each load sends to DuckDB, in order."""
    recorders: list[Recorder] = []

    def load(cursor: duckdb.DuckDBPyConnection, *rest: Any) -> Any:
        recorders.append(Recorder(cursor))
        return load_file(recorders[-1], *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(local, "load_file", load)
    return recorders


def explain_file(settings: Settings, folder: Path, file: TripFile, target: str) -> Explanation:
    """Return the explanation of one file of a folder."""
    file_request = replace(request(folder, file, policy=Policy.ALL), target=target)
    plan = prepare_plan(file_request, settings)
    return explain(plan.files[0], plan.request, settings)


def put_csv(folder: Path, file: TripFile, fare: str) -> None:
    put_trips(folder, file, [trip(file, fare_amount=fare), trip(file, PULocationID=7)])


def put_typed(folder: Path, file: TripFile, fare: str) -> None:
    cells = trip(file, fare_amount=fare)
    types = {"INT64": "BIGINT", "NUMERIC": "DOUBLE", "TIMESTAMP": "TIMESTAMP", "STRING": "VARCHAR"}
    columns = ", ".join(
        f"CAST('{cells[column.name]}' AS {types[column.type]}) AS {column.name}"
        for column in file.dataset.columns
        if cells.get(column.name) is not None
    )
    put_parquet(folder, file, f"SELECT {columns}")


@pytest.mark.parametrize("file", [GREEN, YELLOW])
@pytest.mark.parametrize("put_file", [put_csv, put_typed])
def test_explained_statements_equal_those_of_local_loader(
    settings: Settings,
    folder: Path,
    recorded: list[Recorder],
    file: TripFile,
    put_file: Callable[[Path, TripFile, str], None],
) -> None:
    for fare, way in (("8", "insert_file"), ("9", "merge_file")):
        put_file(folder, file, fare)
        explanation = explain_file(settings, folder, file, "local")
        assert way in [statement.name for statement in explanation.statements]
        state, _ = backfill(settings, request(folder, file, policy=Policy.ALL))
        assert state == "succeeded"
        sent = recorded.pop().sent
        assert [statement.sql for statement in explanation.statements] == [sql for sql, _ in sent]
        for statement, (_, values) in zip(explanation.statements, sent, strict=True):
            assert statement.values.keys() == values.keys()
            for name, value in statement.values.items():
                value_text = str(values[name]).removesuffix(".unpacked")
                assert str(value) in (value_text, LATER), (statement.name, name)


@pytest.mark.gcp
def test_explained_statements_equal_those_sent_to_bigquery(
    gcp_settings: Settings, folder: Path, emulators: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.files import TARGETS
    from tests.support.gcp.proxy import proxy_before

    TARGETS[gcp_settings.home] = "gcp"
    with proxy_before(emulators.bigquery) as tables:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", tables.url)
        for fare, way in (("8", "INSERT INTO green"), ("9", "MERGE INTO green")):
            put_csv(folder, GREEN, fare)
            explanation = explain_file(gcp_settings, folder, GREEN, "gcp")
            assert way in explanation.statements[-1].sql
            before = len(tables.jobs())
            state, _ = backfill(gcp_settings, request(folder, GREEN, policy=Policy.ALL))
            assert state == "succeeded"
            queries = [
                job["configuration"]["query"]["query"]
                for job in tables.jobs()[before:]
                if job["configuration"].get("labels", {}).get("file")
            ]
            (nonce,) = set(re.findall(r"load_green_tripdata_2020_04_(\w+)_incoming", queries[-1]))
            assert [
                statement.sql.replace(LATER, nonce) for statement in explanation.statements
            ] == queries


def test_explanation_has_inputs_variables_and_branch_of_file(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    explanation = explain_file(settings, folder, GREEN, "local")
    assert explanation.inputs["color"] == "green"
    assert explanation.variables["file"] == "green_tripdata_2020-04.csv.gz"
    assert explanation.variables["url"] == str(folder / "green_tripdata_2020-04.csv.gz")
    assert explanation.variables["table"] == "green_tripdata"
    answers = {condition.question: condition.answer for condition in explanation.conditions}
    color = answers[f"{either_of(DATASETS).capitalize()}?"]
    assert color.startswith("green: the table green_tripdata")
    assert "lpep_pickup_datetime" in color
    assert "plain insert" in answers["Does the table hold rows of this file?"]
    assert not settings.staging.exists()
    with pytest.raises(NotPublished):
        explain_file(settings, folder, YELLOW, "local")


def test_explanation_has_google_cloud_location_among_variables(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    plan = prepare_plan(request(folder, GREEN), settings)
    cloud = settings.model_copy(
        update={
            "gcp_project_id": "some-project",
            "gcp_bucket_name": "trips-1",
            "gcp_dataset": "trips",
        }
    )
    explanation = explain(plan.files[0], replace(plan.request, target="gcp"), cloud)
    assert explanation.variables["gs_uri"] == "gs://trips-1/green/green_tripdata_2020-04.csv.gz"
    assert explanation.variables["table"] == "some-project.trips.green_tripdata"
    assert explanation.variables["gs_uri"] in explanation.statements[1].sql


def test_explain_command_prints_one_document(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    line = ("explain", "--color", "green", "--month", "2020-04", "--source", str(folder))
    document = json.loads(pipeline(settings, *line, "--json").stdout)
    assert document["variables"]["filename"] == GREEN.filename
    assert [statement["name"] for statement in document["statements"]][-1] == "commit"


def test_explain_command_needs_no_staging_folder_that_it_can_read(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    settings.staging.chmod(0)
    month = ("--dataset", "green", "--month", "2020-04", "--source", str(folder))
    try:
        result = pipeline_process(settings, "explain", *month, prefix=unprivileged())
    finally:
        settings.staging.chmod(0o700)
    assert result.returncode == 0, result.stderr
