"""The control above every page: which warehouse the pages are about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pages.shared.choice import Choice, command_line
from pipeline.backfill import prepare_plan
from pipeline.history import History
from pipeline.settings import Settings
from tests.files import GREEN, request
from tests.test_pages import fresh_server, open_app, table, texts, unescape
from tests.token_server import PLACE

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


@pytest.mark.usefixtures("settings")
def test_without_google_cloud_the_frame_leads_to_its_setup() -> None:
    app = open_app("pages/runs.py", target="gcp")
    assert "which is not set up here" in texts(app)
    assert app.get("page_link")[0].proto.page == "setup"
    assert "no run yet in the warehouse Local" in texts(app)
    assert "target" not in [control.key for control in app.segmented_control]


@pytest.mark.usefixtures("cloud")
def test_each_warehouse_has_its_own_runs_and_a_link_to_either_opens_it(settings: Settings) -> None:
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
def test_a_cloud_that_does_not_answer_is_said_and_nothing_can_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setenv("GCP_RETRY_SECONDS", "0")
    app = open_app(target="gcp", source="sample", color="green")
    assert "Google Cloud cannot be reached" in unescape(app.error[0].value)
    assert app.button(key="run").disabled


def test_the_command_line_names_the_warehouse_unless_it_is_the_usual_one() -> None:
    asked = Choice(source="sample").request()
    assert "--target" not in command_line(asked)
    assert command_line(replace(asked, target="gcp")).endswith("--target gcp")
