"""The Backfill page with Google Cloud chosen: its plan with a price, its run, its grid."""

from __future__ import annotations

import time

import pytest

from pipeline.core.settings.settings import Settings
from pipeline.runs.history import History
from tests.pages.test_pages import (
    SAMPLE,
    check,
    command_of,
    fresh_server,
    grid,
    open_app,
    open_tab,
    run_to_end,
    texts,
)

pytestmark = pytest.mark.gcp

__all__ = ["fresh_server"]


@pytest.mark.usefixtures("fresh_server")
def test_backfill_of_google_cloud_is_priced_run_and_shown(gcp_settings: Settings) -> None:
    app = open_app(target="gcp", **SAMPLE | {"color": "green"})
    deadline = time.monotonic() + 20
    while "to scan, $" not in texts(app):
        assert time.monotonic() < deadline, texts(app)
        time.sleep(0.1)
        check(app.run())
    assert "Not in it: 1 file of unknown size." in texts(app)
    assert "--target gcp" in command_of(app)
    app = run_to_end(app)
    assert grid(app)["green 2020", "Apr"].startswith("● loaded")
    (run,) = History(gcp_settings.history_path).runs()
    assert (run.state, run.request.target) == ("succeeded", "gcp")
    app = open_app("pages/runs.py", target="gcp", run=run.run_id)
    open_tab(app, "run tab", "Timeline")
    assert "Speed and cost" in texts(app)
    (timing,) = History(gcp_settings.history_path).timings("gcp", run.run_id)
    assert {"download", "upload", "extract", "merge"} <= timing.steps.keys()
    assert timing.run_file.bytes_billed is not None
