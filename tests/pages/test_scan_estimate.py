"""The line below the SQL box that says what BigQuery would bill."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pipeline.core.settings.settings import Settings
from tests.pages.test_pages import check, fresh_server, open_app, texts
from tests.support.files import GREEN, load, put_trips, trip

__all__ = ["fresh_server"]  # a fixture that applies to every test here


@pytest.fixture
def trips(settings: Settings, folder: Path) -> Settings:
    """A home with three trips."""
    put_trips(folder, GREEN, [trip(GREEN)] * 3)
    load(folder, GREEN, settings)
    return settings


def buttons(app: AppTest) -> list[str]:
    """The labels of what opens when it is clicked, without Markdown's backslashes."""
    return [block.proto.popover.label.replace("\\", "") for block in app.get("popover")]


def measured(sql: str) -> AppTest:
    """The SQL page with a query in the box, once the tables are measured."""
    app = open_app("pages/sql.py", q=sql)
    deadline = time.monotonic() + 30
    while "Measuring what BigQuery" in texts(app) and time.monotonic() < deadline:
        time.sleep(0.1)
        check(app.run())
    return app


@pytest.mark.usefixtures("trips")
def test_line_below_the_box_says_what_bigquery_would_scan_and_compares_layouts() -> None:
    app = measured("SELECT lpep_pickup_datetime FROM green_tripdata")
    assert "BigQuery would scan 24 bytes ($0.0001)" in buttons(app)
    layouts = [f.value for f in app.dataframe if "layout of the trips" in f.value]
    assert layouts[0].iloc[0].to_list() == ["As loaded", "24 bytes", "10.00 MiB", "$0.0001"]


@pytest.mark.usefixtures("trips")
def test_line_says_why_a_figure_is_an_upper_bound_and_shows_sql_as_text() -> None:
    app = measured(
        "SELECT lpep_pickup_datetime FROM green_tripdata "
        "WHERE year(lpep_pickup_datetime) = length('![x](http://example.org)')"
    )
    assert any("at most" in label for label in buttons(app))
    assert "skipped no partition" in texts(app)
    assert any("\\!\\[x\\]" in caption.value for caption in app.caption)


@pytest.mark.parametrize("sql", ["SHOW TABLES", "SELECT 1", "SELEC", "SUMMARIZE green_tripdata"])
@pytest.mark.usefixtures("trips")
def test_no_line_for_what_reads_no_table_or_is_no_select(sql: str) -> None:
    app = measured(sql)
    assert not any("BigQuery" in label for label in buttons(app))
