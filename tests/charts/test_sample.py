"""Which files charts leave out, so that real and synthetic trips are never added up."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pipeline.charts import files_left_out
from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse.ledger import LedgerEntry

APRIL, MAY, JUNE = (TripFile(GREEN_TAXIS, Month(2020, month)) for month in (4, 5, 6))
REAL = LedgerEntry(APRIL, "loaded", "a-run", "github", datetime(2026, 1, 1), 1.0)
SYNTHETIC = replace(REAL, source="sample")


def test_real_month_leaves_all_sample_months_out() -> None:
    loaded = {MAY: SYNTHETIC, APRIL: SYNTHETIC, JUNE: REAL}
    assert files_left_out(loaded) == (APRIL, MAY)
    assert files_left_out(loaded, synthetic=True) == (JUNE,)


def test_months_of_one_kind_are_all_charted() -> None:
    for entry in (REAL, SYNTHETIC):
        for synthetic in (False, True):
            assert files_left_out({APRIL: entry, MAY: entry}, synthetic=synthetic) == ()
    assert files_left_out({}) == ()
