"""Proxies before the Google Cloud emulators, and the marker of every test below this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.settings import Settings
from tests.gcp.proxy import Proxy, proxy_before

if TYPE_CHECKING:
    from tests.gcp.emulators import Emulators

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gcp)


@pytest.fixture
def tables(
    emulators: Emulators, gcp_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Proxy]:
    """A proxy before BigQuery, in place of the address that the settings' fixture set."""
    assert gcp_settings.gcp_dataset
    with proxy_before(emulators.bigquery) as proxy:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", proxy.url)
        yield proxy


@pytest.fixture
def objects(
    emulators: Emulators, gcp_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Proxy]:
    """A proxy before Cloud Storage, in place of the address that the settings' fixture set."""
    assert gcp_settings.gcp_bucket_name
    with proxy_before(emulators.storage) as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        yield proxy
