"""The control above every page: which warehouse the pages are about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pages.components.common.choice import Choice, command_line
from pipeline.core.settings.settings import Settings
from pipeline.runs.backfill import prepare_plan
from pipeline.runs.history import History
from pipeline.warehouse.registry import all_backends
from tests.pages.test_pages import fresh_server, open_app, table, texts, unescape
from tests.support.files import GREEN, request
from tests.support.token_server import PLACE

__all__ = ["fresh_server"]  # a fixture that every test here uses


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of a Google Cloud warehouse that answers nothing."""
    for name, value in PLACE.items():
        monkeypatch.setenv(name, value)


def start_run(settings: Settings, target: str, run_id: str) -> None:
    plan = prepare_plan(request("sample", GREEN), settings)
    plan = replace(plan, request=replace(plan.request, target=target))
    history = History(settings.history_path)
    history.start_run(run_id, plan, "command line")
    history.finish_run(run_id, "succeeded")


def test_pages_link_to_the_setup_of_google_cloud(settings: Settings) -> None:
    app = open_app("pages/runs.py", target="gcp")
    assert "which is not set up here" in texts(app)
    assert app.get("page_link")[0].proto.page == "setup"
    assert "No run yet in the warehouse Local" in texts(app)
    configured = [one for one in all_backends() if one.is_configured(settings)]
    controls = [control.key for control in app.segmented_control]
    assert ("target" in controls) == (len(configured) > 1)


@pytest.mark.usefixtures("cloud")
def test_link_to_a_warehouse_opens_its_runs(settings: Settings) -> None:
    start_run(settings, "local", "run-at-home")
    start_run(settings, "gcp", "run-in-cloud")
    app = open_app("pages/runs.py")
    assert app.segmented_control(key="target").value == "local"
    assert len(table(app, "started (UTC)")) == 1
    app = open_app("pages/runs.py", target="gcp", run="run-in-cloud")
    assert app.segmented_control(key="target").value == "gcp"
    assert "to Google Cloud: 1 queued" in texts(app)
    app = open_app("pages/runs.py", target="nonsense")
    assert app.segmented_control(key="target").value == "local"


@pytest.mark.usefixtures("cloud", "settings")
def test_unreachable_google_cloud_is_reported_and_nothing_can_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setenv("GCP_RETRY_SECONDS", "0")
    app = open_app(target="gcp", source="sample", color="green")
    assert "Google Cloud cannot be reached" in unescape(app.error[0].value)
    assert app.button(key="run").disabled


def test_command_line_names_only_an_unusual_warehouse() -> None:
    usual = Choice(source="sample").request()
    assert "--target" not in command_line(usual)
    assert command_line(replace(usual, target="gcp")).endswith("--target gcp")
