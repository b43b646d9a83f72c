"""Keep the sample's synthetic trips and real ones apart in charts. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.core.trips import TripFile
from pipeline.warehouse.ledger import LedgerEntry


def files_left_out(
    loaded: Mapping[TripFile, LedgerEntry], *, synthetic: bool = False
) -> tuple[TripFile, ...]:
    """Return the loaded files that charts leave out (`Filters.left_out`), in order.

    A figure never adds up real and synthetic trips. Where both are loaded, charts are about the
    real files, or with `synthetic` about those of the sample.
    """
    sample = [file for file in sorted(loaded) if loaded[file].is_synthetic]
    real = [file for file in sorted(loaded) if not loaded[file].is_synthetic]
    if not sample or not real:
        return ()
    return tuple(real if synthetic else sample)
