"""Real published files, where they are: both warehouses hold the same rows, ids and cents."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.settings import Settings
from pipeline.trips import Color, Month, TripFile
from tests.files import TARGETS
from tests.gcp.test_google import assert_parity
from tests.test_real_files import DATA, RELEASES

pytestmark = pytest.mark.skipif(
    not RELEASES.exists(),
    reason="no real trip files here; FAREGROUND_REAL_FILES names their folder",
)


@pytest.mark.parametrize(
    ("color", "month", "folder"),
    [
        (Color.GREEN, "2020-04", RELEASES / "green"),
        (Color.YELLOW, "2020-04", RELEASES / "yellow"),
        (Color.GREEN, "2020-04", DATA / "trip-data"),
        (Color.GREEN, "2023-01", DATA / "trip-data"),
    ],
    ids=["green-csv", "yellow-csv", "green-parquet", "green-2023-parquet"],
)
def test_a_real_file_is_the_same_in_both_warehouses(
    gcp_settings: Settings, tmp_path: Path, color: Color, month: str, folder: Path
) -> None:
    TARGETS[gcp_settings.home] = "gcp"
    assert_parity(folder, TripFile(color, Month.parse(month)), gcp_settings, tmp_path)
