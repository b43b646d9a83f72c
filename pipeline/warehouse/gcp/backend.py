"""The Google Cloud backend: staged files in a bucket, tables in a BigQuery dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.core.datasets import Dataset
from pipeline.core.settings.settings import Settings
from pipeline.warehouse import Backend, Warehouse
from pipeline.warehouse.dialect import TripTable, trip_expressions
from pipeline.warehouse.gcp.location import find_faults, read_location
from pipeline.warehouse.gcp.rollups import GOOGLE_ROLLUPS
from pipeline.warehouse.ledger import LedgerEntry
from pipeline.warehouse.statements import LATER, LoadExplanation

if TYPE_CHECKING:
    from pipeline.core.checks import DoctorCheck
    from pipeline.files.staging import StagedFile
    from pipeline.warehouse.cost import CostEstimate, FileSize


class GoogleBackend(Backend):
    """Loads trips into BigQuery, which bills for the bytes that a statement scans."""

    name = "gcp"
    label = "Google Cloud"
    storage = "BigQuery"
    is_billed = True
    rollups = tuple(GOOGLE_ROLLUPS)

    def open(self, settings: Settings, *, read_only: bool = False) -> Warehouse:
        from pipeline.warehouse.gcp.warehouse import GoogleWarehouse

        return GoogleWarehouse(settings, read_only=read_only)

    def trip_table(self, dataset: Dataset) -> TripTable:
        return TripTable(dataset.table, trip_expressions(dataset))

    def explain_load(
        self, staged: StagedFile, entry: LedgerEntry, loaded: LedgerEntry | None, settings: Settings
    ) -> LoadExplanation:
        from pipeline.warehouse.gcp.ledger import PreviousLoad
        from pipeline.warehouse.gcp.stage import object_address
        from pipeline.warehouse.gcp.statements import GoogleStatements

        location = read_location(settings)
        previous = (
            PreviousLoad()
            if loaded is None
            else PreviousLoad(entry=0, rejected=loaded.rejected or 0)
        )
        statements = GoogleStatements(location, staged, LATER)
        # At least one row is taken to change: a load that changes none leaves the merge out.
        entry = replace(entry, inserted=1)
        dataset = f"{location.project}.{location.dataset}"
        return LoadExplanation(
            statements.whole_load(entry, previous, [staged.file.month.number]),
            {
                "gs_uri": object_address(location, staged),
                "table": f"{dataset}.{staged.file.dataset.table}",
                "incoming": f"{dataset}.{statements.own['incoming']}",
            },
            "Its pickups are taken to lie in its month: months of strays are added to the "
            "condition. The tables named load_… are this load's own, under a name that no other "
            "load has.",
        )

    def find_faults(self, values: Mapping[str, str]) -> dict[str, str]:
        return find_faults(values)

    def set_up(self, settings: Settings) -> list[str]:
        from pipeline.warehouse.gcp.setup import set_up

        return set_up(settings)

    def checks(self, settings: Settings) -> list[DoctorCheck]:
        from pipeline.warehouse.gcp.checks import cloud_checks

        return cloud_checks(settings)

    def estimate_cost(self, files: Sequence[FileSize], settings: Settings) -> CostEstimate:
        from pipeline.warehouse.gcp.warehouse import GoogleWarehouse

        with GoogleWarehouse(settings, read_only=True) as warehouse:
            return warehouse.estimate_cost(files)
