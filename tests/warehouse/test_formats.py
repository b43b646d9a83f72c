"""Files of every format load into each warehouse, and are skipped while they do not change."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipeline.core.settings.settings import Settings
from pipeline.runs.policy import Policy
from pipeline.warehouse.ledger import FileRecord
from tests.files.test_formats import AMOUNTS, NAME, READ
from tests.support.files import GREEN, amounts, backfill, request, warehouse
from tests.support.servers import Server

# One of each way to the three formats that are staged; tests/files has all kinds.
KINDS = (
    "gzip of several members",
    "gzip with zeros behind it",
    "parquet in gzip",
    "zip",
    "semicolons and decimal commas",
    "the same in UTF-16 and zip",
)


def record(settings: Settings) -> FileRecord:
    with warehouse(settings) as opened:
        return opened.records()[GREEN]


def test_file_of_each_format_replaces_the_last_and_is_then_skipped(
    warehouse_settings: Settings, tmp_path: Path
) -> None:
    settings = warehouse_settings
    source = tmp_path / "source"
    source.mkdir()
    for kind in KINDS:
        content = READ[kind][0]
        (source / f"{NAME}.gz").write_bytes(content)
        state, files = backfill(settings, request(source, GREEN))
        assert state == "succeeded", (kind, files[GREEN].reason)
        assert amounts(settings, GREEN) == AMOUNTS, kind
        loaded = record(settings).loaded
        assert loaded is not None
        assert loaded.sha256 == hashlib.sha256(content).hexdigest(), kind
        _, files = backfill(settings, request(source, GREEN, policy=Policy.ALL))
        assert files[GREEN].state == "skipped", kind


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_file_that_cloud_storage_unpacks_on_its_way_loads_into_each_warehouse(
    warehouse_settings: Settings, kind: str
) -> None:
    path = f"/{NAME}.gz"
    with Server({path: READ[kind][0]}) as server:
        server.behave(path, chunked=True, headers={"X-Goog-Stored-Content-Encoding": "gzip"})
        state, _ = backfill(warehouse_settings, request(server.url, GREEN))
    assert state == "succeeded"
    assert amounts(warehouse_settings, GREEN) == AMOUNTS
