"""Show me what happens: what is shown before a load is what the load then sends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.backfill import prepare_plan
from pipeline.errors import NotPublished
from pipeline.explain import LATER, Explanation, explain
from pipeline.plan import Policy
from pipeline.settings import Settings
from pipeline.trips import TripFile
from pipeline.warehouse import local
from pipeline.warehouse.local_load import load_file
from tests.files import GREEN, YELLOW, backfill, put_parquet, put_trips, request, trip
from tests.test_cli import pipeline


class Recorder:
    """A DuckDB cursor that notes what it is told to execute, and executes it."""

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
    """What each load sends to DuckDB, in order."""
    recorders: list[Recorder] = []

    def load(cursor: duckdb.DuckDBPyConnection, *rest: Any) -> Any:
        recorders.append(Recorder(cursor))
        return load_file(recorders[-1], *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(local, "load_file", load)
    return recorders


def explain_file(settings: Settings, folder: Path, file: TripFile, target: str) -> Explanation:
    """What is shown of one file of a folder, before it is loaded."""
    asked = replace(request(folder, file, policy=Policy.ALL), target=target)
    plan = prepare_plan(asked, settings)
    return explain(plan.files[0], plan.request, settings)


def put_csv(folder: Path, file: TripFile, fare: str) -> None:
    put_trips(folder, file, [trip(file, fare_amount=fare), trip(file, PULocationID=7)])


def put_typed(folder: Path, file: TripFile, fare: str) -> None:
    cells = trip(file, fare_amount=fare)
    shown = ", ".join(f"'{cell}' AS {name}" for name, cell in cells.items() if cell is not None)
    put_parquet(folder, file, f"SELECT {shown}")


@pytest.mark.parametrize("file", [GREEN, YELLOW])
@pytest.mark.parametrize("put_file", [put_csv, put_typed])
def test_the_statements_shown_are_those_the_local_loader_sends_first_load_and_correction(
    settings: Settings,
    folder: Path,
    recorded: list[Recorder],
    file: TripFile,
    put_file: Callable[[Path, TripFile, str], None],
) -> None:
    for fare, way in (("8", "insert_file"), ("9", "merge_file")):
        put_file(folder, file, fare)
        shown = explain_file(settings, folder, file, "local")
        assert way in [statement.name for statement in shown.statements]
        state, _ = backfill(settings, request(folder, file, policy=Policy.ALL))
        assert state == "succeeded"
        sent = recorded.pop().sent
        assert [statement.sql for statement in shown.statements] == [sql for sql, _ in sent]
        for statement, (_, values) in zip(shown.statements, sent, strict=True):
            assert statement.values.keys() == values.keys()
            for name, value in statement.values.items():
                said = str(values[name]).removesuffix(".unpacked")
                assert str(value) in (said, LATER), (statement.name, name)


@pytest.mark.gcp
def test_the_statements_shown_are_those_bigquery_is_sent(
    gcp_settings: Settings, folder: Path, emulators: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.files import TARGETS
    from tests.gcp.proxy import proxy_before

    TARGETS[gcp_settings.home] = "gcp"
    with proxy_before(emulators.bigquery) as tables:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", tables.url)
        for fare, way in (("8", "INSERT INTO green"), ("9", "MERGE INTO green")):
            put_csv(folder, GREEN, fare)
            shown = explain_file(gcp_settings, folder, GREEN, "gcp")
            assert way in shown.statements[-1].sql
            before = len(tables.jobs())
            state, _ = backfill(gcp_settings, request(folder, GREEN, policy=Policy.ALL))
            assert state == "succeeded"
            queries = [
                job["configuration"]["query"]["query"]
                for job in tables.jobs()[before:]
                if job["configuration"].get("labels", {}).get("file")
            ]
            (nonce,) = set(re.findall(r"load_green_tripdata_2020_04_(\w+)_incoming", queries[-1]))
            assert [one.sql.replace(LATER, nonce) for one in shown.statements] == queries


def test_inputs_variables_and_the_branch_are_those_of_the_file(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    shown = explain_file(settings, folder, GREEN, "local")
    assert shown.inputs["color"] == "green"
    assert shown.variables["file"] == "green_tripdata_2020-04.csv.gz"
    assert shown.variables["url"] == str(folder / "green_tripdata_2020-04.csv.gz")
    assert shown.variables["table"] == "green_tripdata"
    answers = {condition.question: condition.answer for condition in shown.conditions}
    assert answers["Yellow or green?"].startswith("green: the table green_tripdata")
    assert "lpep_pickup_datetime" in answers["Yellow or green?"]
    assert "plain insert" in answers["Does the table hold rows of this file?"]
    assert not settings.staging.exists()
    with pytest.raises(NotPublished):
        explain_file(settings, folder, YELLOW, "local")


def test_the_place_in_google_cloud_is_among_the_variables(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    plan = prepare_plan(request(folder, GREEN), settings)
    cloud = settings.model_copy(
        update={
            "gcp_project_id": "some-project",
            "gcp_bucket_name": "trips-1",
            "gcp_dataset": "trips",
        }
    )
    shown = explain(plan.files[0], replace(plan.request, target="gcp"), cloud)
    assert shown.variables["gs_uri"] == "gs://trips-1/green/green_tripdata_2020-04.csv.gz"
    assert shown.variables["table"] == "some-project.trips.green_tripdata"
    assert shown.variables["gs_uri"] in shown.statements[1].sql


def test_the_command_prints_one_document(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    line = ("explain", "--color", "green", "--month", "2020-04", "--source", str(folder))
    document = json.loads(pipeline(settings, *line, "--json").stdout)
    assert document["variables"]["filename"] == GREEN.filename
    assert [one["name"] for one in document["statements"]][-1] == "commit"
