"""What most tests start from: a home of their own and a folder of trip files of their own."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.core import access, redact
from pipeline.core.settings import settings as settings_module
from pipeline.core.settings.settings import Settings
from pipeline.warehouse.registry import BACKENDS, target_names
from tests.support.examples import register_profiles
from tests.support.files import TARGETS
from tests.support.gcp.cloud import throwaway, throwaway_settings
from tests.support.gcp.proxy import Proxy, proxy_before
from tests.support.third_backend import ThirdBackend

if TYPE_CHECKING:
    from tests.support.gcp.emulators import Emulators

_MEMORY_DISK = Path("/dev/shm")
_ENOUGH = 8 * 2**30  # bytes; only slow tests need more than one of them

register_profiles()
_numbers = itertools.count(1)
_THROWAWAY = throwaway(dict(os.environ))  # before the tests' own variables take their place


def pytest_configure() -> None:
    """Keep the tests' folders in memory where there is room, because most tests wait for a disk.

    No test depends on what a disk does at a power cut: processes are killed, not machines.
    """
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ and _MEMORY_DISK.is_dir():
        free = shutil.disk_usage(_MEMORY_DISK).free
        if free >= _ENOUGH and os.access(_MEMORY_DISK, os.W_OK):
            os.environ["PYTEST_DEBUG_TEMPROOT"] = str(_MEMORY_DISK)


def cloud_number() -> int:
    """A number no other bucket and dataset of this session has."""
    return next(_numbers)


@pytest.fixture(autouse=True)
def no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the developer's own secrets.toml says out of every test."""
    monkeypatch.setattr(settings_module, "SECRETS_PATH", tmp_path / "secrets.toml")
    monkeypatch.setattr(access, "AUTH_PATH", tmp_path / "auth.toml")
    for name in Settings.model_fields:
        if name.startswith(("gcp_", "gemini_")):
            monkeypatch.delenv(settings_module.variable_name(name), raising=False)


@pytest.fixture(autouse=True)
def _no_secrets_of_another_test() -> Iterator[None]:
    """Let no test's secret be taken out of another's texts."""
    yield
    redact.forget()


@pytest.fixture(scope="session")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulators]:
    """The two Google Cloud emulators; each test has a bucket and a dataset of its own there."""
    from tests.support.gcp.emulators import require_emulators, running_emulators

    require_emulators()
    with running_emulators(tmp_path_factory.mktemp("emulators")) as running:
        yield running


@pytest.fixture
def gcp_settings(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Settings that lead to a bucket and a dataset of this test's alone, on the emulators.

    Under `make test-cloud` they lead to a real project, where the tests share one bucket.
    """
    from tests.support.gcp.emulators import cloud_settings, drop_dataset

    if _THROWAWAY:
        yield throwaway_settings(_THROWAWAY, tmp_path / "home", cloud_number(), monkeypatch)
        return
    emulators: Emulators = request.getfixturevalue("emulators")
    found = cloud_settings(emulators, tmp_path / "home", cloud_number(), monkeypatch)
    yield found
    drop_dataset(emulators, found)


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


SETTINGS_OF = {"gcp": "gcp_settings"}
"""The fixture of the settings of a backend that does not take the usual ones."""


def _as_parameter(target: str) -> Any:
    return pytest.param(target, marks=pytest.mark.gcp if target == "gcp" else ())


@pytest.fixture(params=[_as_parameter(target) for target in (*target_names(), ThirdBackend.name)])
def warehouse_settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a warehouse of each backend: those in the registry, and one that lives in the
    tests. The helpers in tests/support/files.py know whose the settings are."""
    monkeypatch.setitem(BACKENDS, ThirdBackend.name, ThirdBackend)
    settings: Settings = request.getfixturevalue(SETTINGS_OF.get(request.param, "settings"))
    TARGETS[settings.home] = request.param
    return settings


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' servers are on this machine, where no proxy of the environment finds them."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose FAREGROUND_HOME is empty and this test's alone."""
    monkeypatch.setenv("FAREGROUND_HOME", str(tmp_path / "home"))
    return Settings()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to serve as a source."""
    path = tmp_path / "source"
    path.mkdir()
    return path
