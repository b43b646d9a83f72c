"""Real published files, where they are: both warehouses hold the same rows, ids and cents."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.datasets import GREEN_TAXIS, YELLOW_TAXIS, Dataset
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from tests.support.files import TARGETS
from tests.warehouse.gcp.test_warehouse import assert_parity
from tests.warehouse.test_real_files import DATA, RELEASES

pytestmark = pytest.mark.skipif(
    not RELEASES.exists(),
    reason="no real trip files here; FAREGROUND_REAL_FILES names their folder",
)


@pytest.mark.parametrize(
    ("dataset", "month", "folder"),
    [
        (GREEN_TAXIS, "2020-04", RELEASES / "green"),
        (YELLOW_TAXIS, "2020-04", RELEASES / "yellow"),
        (GREEN_TAXIS, "2020-04", DATA / "trip-data"),
        (GREEN_TAXIS, "2023-01", DATA / "trip-data"),
    ],
    ids=["green-csv", "yellow-csv", "green-parquet", "green-2023-parquet"],
)
def test_a_real_file_is_the_same_in_both_warehouses(
    gcp_settings: Settings, tmp_path: Path, dataset: Dataset, month: str, folder: Path
) -> None:
    TARGETS[gcp_settings.home] = "gcp"
    assert_parity(folder, TripFile(dataset, Month.parse(month)), gcp_settings, tmp_path)
