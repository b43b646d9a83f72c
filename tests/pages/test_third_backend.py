"""The pages work with a backend that they have never heard of."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.datasets import either_of
from pipeline.core.settings.settings import Settings
from pipeline.ops.backup import back_up
from pipeline.warehouse.registry import BACKENDS, all_backends, target_names
from tests.pages.test_pages import SAMPLE, fresh_server, open_app, run_to_end, texts
from tests.support.command import document, pipeline
from tests.support.third_backend import ThirdBackend

__all__ = ["fresh_server"]  # a fixture that every test here uses


@pytest.fixture(autouse=True)
def third_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the third backend to the registry."""
    monkeypatch.setitem(BACKENDS, ThirdBackend.name, ThirdBackend)


def test_third_backend_is_offered_loaded_and_charted(settings: Settings, tmp_path: Path) -> None:
    app = open_app(target="third", **SAMPLE)
    labels = [one.label for one in all_backends() if one.is_configured(settings)]
    assert labels[-1] == "Third place"
    assert app.segmented_control(key="target").options == [f":yellow[{name}]" for name in labels]
    (link,) = app.get("page_link")
    assert link.proto.label == "Set up Google Cloud"
    assert "in a DuckDB file of a test" in texts(app)
    run_to_end(app)
    assert not settings.warehouse_path.exists()
    explore = open_app("pages/explore.py", target="third")
    assert not explore.error
    assert "trips" in texts(explore)
    setup = open_app("pages/setup.py")
    assert not setup.error
    assert ":material/database: Third place warehouse" in texts(setup)
    (third,) = back_up(settings, tmp_path / "backups").folder.glob("third.duckdb")
    assert third.stat().st_size == (settings.home / "third.duckdb").stat().st_size


def test_commands_know_the_third_backend(settings: Settings) -> None:
    sample = ("--color", "green", "--from", "2020-04", "--source", "sample", "--target", "third")
    assert pipeline(settings, "backfill", *sample).returncode == 0
    status = document(pipeline(settings, "status", "--target", "third", "--json"))
    assert (status["target"], len(status["files"])) == ("third", 1)
    explained = document(pipeline(settings, "explain", "--json", *_one_month(sample)))
    assert [one["name"] for one in explained["statements"]][-2:] == ["insert", "total"]
    checks = document(pipeline(settings, "doctor", "--target", "third", "--json"))["checks"]
    assert "credentials" not in [check["name"] for check in checks]
    unknown = pipeline(settings, "status", "--target", "fourth")
    assert f"Use {either_of(target_names())}." in unknown.stderr
    assert pipeline(settings, "setup", "--target", "third").stdout == "Nothing to set up.\n"
    assert pipeline(settings, "backfill", *sample[:-1], "local").returncode == 0
    compared = pipeline(settings, "verify", "--target", "third", "--target", "local", "--json")
    assert (document(compared)["sides"], document(compared)["equal"]) == (["third", "local"], True)


def _one_month(options: tuple[str, ...]) -> list[str]:
    """The options of `explain`, which takes one month."""
    return ["--month" if option == "--from" else option for option in options]
