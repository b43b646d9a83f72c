"""`status`: what the ledger knows of every trip file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from pipeline.commands.console import (
    JsonOption,
    TargetOption,
    make_table,
    out,
    print_json,
    reported,
)
from pipeline.settings import load_settings


def status(as_json: JsonOption = False, target: TargetOption = "local") -> None:
    """Show the state of every trip file the ledger knows, color by month."""
    from pipeline.plan import find_state
    from pipeline.warehouse import open_warehouse

    with reported():
        settings = load_settings()
        with open_warehouse(target, settings, read_only=True) as warehouse:
            records = warehouse.records()
        files = []
        for file, record in sorted(records.items()):
            loaded = record.loaded
            files.append(
                {
                    "file": file.filename,
                    "color": file.color.value,
                    "month": str(file.month),
                    "state": find_state(record).value,
                    "reason": record.latest.reason,
                    "rows": loaded.rows if loaded else 0,
                    "source": loaded.source if loaded else record.latest.source,
                    "address": loaded.address if loaded else None,
                    "loaded_at": f"{loaded.finished_at.isoformat()}Z" if loaded else None,
                    "sha256": loaded.sha256 if loaded else None,
                }
            )
        if as_json:
            print_json({"target": target, "files": files})
        elif files:
            out.print(_status_table(files))
        else:
            out.print("Nothing is loaded yet. Try: python -m pipeline backfill --from 2020-04")


def _status_table(files: Sequence[dict[str, Any]]) -> Table:
    from pipeline.run_records import GLYPHS

    colors = sorted({f["color"] for f in files})
    table = make_table("month", *colors)
    for month in sorted({f["month"] for f in files}):
        cells = []
        for color in colors:
            found = next((f for f in files if (f["month"], f["color"]) == (month, color)), None)
            state = found["state"] if found else "missing"
            rows = f" {found['rows']:,} rows" if found and found["rows"] else ""
            cells.append(f"{GLYPHS[state]} {state}{rows}")
        table.add_row(month, *cells)
    return table
