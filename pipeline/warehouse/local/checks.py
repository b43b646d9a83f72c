"""The doctor's check of the local warehouse."""

from __future__ import annotations

from pipeline.core.checks import CheckWarning, DoctorCheck
from pipeline.core.errors import WarehouseBusy
from pipeline.core.settings.settings import Settings

_BUSY_WAIT_SECONDS = 0.5


def local_checks(settings: Settings) -> list[DoctorCheck]:
    """Return the one check: whether the DuckDB file opens and its ledger can be read."""
    return [DoctorCheck("warehouse", lambda: _check_file(settings), needs=("folder",))]


def _check_file(settings: Settings) -> str:
    from pipeline.warehouse.local.schema import SCHEMA_VERSION
    from pipeline.warehouse.local.warehouse import LocalWarehouse

    path = settings.warehouse_path
    if not path.exists() and not path.is_symlink():
        return f"{path} does not exist yet; the first backfill creates it."
    hurried = settings.model_copy(update={"busy_wait_seconds": _BUSY_WAIT_SECONDS})
    try:
        with LocalWarehouse(hurried, read_only=True) as warehouse:
            files = sum(record.loaded is not None for record in warehouse.records().values())
    except WarehouseBusy as error:  # somebody works on it, which is no fault
        raise CheckWarning(error.problem, cure=error.cure) from None
    return f"{path} opens, has schema version {SCHEMA_VERSION} and {files:,} loaded files."
