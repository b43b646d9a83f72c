"""What most tests start from: a home of their own and a folder of trip files of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.settings import Settings


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
