"""The Export button of the Setup page and of Explore's Data tab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from pipeline.core.settings.settings import Settings
from pipeline.warehouse.exports import ParquetFolder
from tests.pages.test_pages import open_app, texts
from tests.support.files import GREEN, load, put_trips, trip


@pytest.fixture(autouse=True)
def fresh_server() -> Iterator[None]:
    """Clear what earlier tests left in the caches of the server."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.mark.parametrize(
    ("page", "params", "key"),
    [
        ("pages/setup.py", {}, "setup-export"),
        ("pages/explore.py", {"tab": "data"}, "explore-export"),
    ],
)
def test_button_exports_all_loaded_trips_into_the_home(
    page: str, params: dict[str, str], key: str, settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    load(folder, GREEN, settings)
    app = open_app(page, **params)
    app.button(key=f"{key}-start").click().run()
    app.session_state["task-export"][1].wait(30)
    app.run()
    assert "Exported: 2 trips of 1 file; 1 written, 0 removed." in texts(app)
    assert set(ParquetFolder(settings.home / "exports" / "parquet").files()) == {GREEN}


def test_failed_export_says_why(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    (settings.home / "exports").write_text("in the way")
    app = open_app("pages/setup.py")
    app.button(key="setup-export-start").click().run()
    app.session_state["task-export"][1].wait(30)
    app.run()
    assert not app.exception
    assert any("exports" in error.value for error in app.error)
