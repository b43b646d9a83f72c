"""The pages for each dataset of the registry: previewed, loaded, charted and listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from pages.components.explore.page_filters import SECTIONS
from pipeline.core.datasets import DATASETS, Dataset
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.runs.history import History
from tests.pages.test_pages import open_app, run_to_end, table, texts
from tests.pages.test_preview_page import TABS, look, show
from tests.support.files import put_trips, rows, trip

EVERY_DATASET = pytest.mark.parametrize("dataset", DATASETS.values(), ids=str)


@pytest.fixture(autouse=True)
def fresh_server() -> Iterator[None]:
    """Clear what earlier tests left in the caches of the server."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@EVERY_DATASET
def test_dataset_is_previewed_loaded_charted_and_listed(
    settings: Settings, folder: Path, dataset: Dataset
) -> None:
    file = TripFile(dataset, Month(2020, 4))
    put_trips(folder, file, [trip(file, PULocationID=zone) for zone in (1, 2, 132)])
    previewed = look(folder, color=dataset.name)
    assert "The whole file: 3 rows" in texts(previewed)
    for tab in TABS:
        show(previewed, tab)

    link = {"color": dataset.name, "from": "2020-04", "to": "2020-04", "source": str(folder)}
    backfill_page = open_app(**link)
    assert "Load 1 file" in backfill_page.button(key="run").label
    run_to_end(backfill_page)
    (run,) = History(settings.history_path).runs()
    (loaded,) = History(settings.history_path).files(run.run_id)
    assert (run.state, loaded.state, loaded.reason) == ("succeeded", "loaded", "")
    assert rows(settings, f"SELECT count(*) FROM {dataset.table}") == [(3,)]

    for tab in SECTIONS:
        charted = open_app("pages/explore.py", tab=tab, color=dataset.name)
        figures = {metric.label: metric.value for metric in charted.metric}
        assert figures["Trips"] == "3", tab
        assert ("Revenue" in figures) == dataset.has("total_amount")
    (listed,) = table(open_app("pages/runs.py", run=run.run_id), "file")
    assert (listed["file"], listed["rows"]) == (file.stem, "3")
    queried = open_app("pages/sql.py", q=f"SELECT count(*) AS trips FROM {dataset.table}")
    assert not queried.error
