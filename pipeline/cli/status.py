"""The command `status`: print the state of every trip file in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from pipeline.cli.console import (
    JsonOption,
    TargetOption,
    exit_on_error,
    load_settings,
    make_table,
    out,
    print_json,
)
from pipeline.files.offers import SAMPLE
from pipeline.files.staging import size_in_words
from pipeline.warehouse.registry import DEFAULT_TARGET


def status(as_json: JsonOption = False, target: TargetOption = DEFAULT_TARGET) -> None:
    """Show the state of every trip file in the ledger, by dataset and month."""
    from pipeline.ops.lost_warehouse import refuse_lost_warehouse
    from pipeline.runs.plan import find_state
    from pipeline.warehouse.registry import open_warehouse

    with exit_on_error():
        settings = load_settings()
        refuse_lost_warehouse(target, settings)
        with open_warehouse(target, settings, read_only=True) as warehouse:
            records = warehouse.records()
        files = []
        for file, record in sorted(records.items()):
            loaded = record.loaded
            files.append(
                {
                    "file": file.filename,
                    "color": file.dataset.name,
                    "month": str(file.month),
                    "state": find_state(record).value,
                    "reason": record.latest.reason,
                    "rows": loaded.rows if loaded else 0,
                    "bytes": loaded.bytes if loaded else None,
                    "unpacked_bytes": loaded.unpacked_bytes if loaded else None,
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
            out.print(_status_line(files))
        else:
            out.print("Nothing is loaded yet. Try: python -m pipeline backfill --from 2020-04")


def _status_line(files: Sequence[dict[str, Any]]) -> str:
    """Return the totals of what is loaded; sizes that the ledger does not have are left out."""
    loaded = [f for f in files if f["loaded_at"]]
    parts = [f"{sum(f['rows'] for f in loaded):,} trips of {len(loaded):,} files"]
    for name, word in (("bytes", "packed"), ("unpacked_bytes", "unpacked")):
        sizes = [f[name] for f in loaded]
        if sizes and None not in sizes:
            parts.append(f"{size_in_words(sum(sizes))} {word}")
    return f"Loaded: {', '.join(parts)}."


def _status_table(files: Sequence[dict[str, Any]]) -> Table:
    from pipeline.runs.run_records import GLYPHS

    colors = sorted({f["color"] for f in files})
    table = make_table("month", *colors)
    for month in sorted({f["month"] for f in files}):
        cells = []
        for color in colors:
            match = next((f for f in files if (f["month"], f["color"]) == (month, color)), None)
            state = match["state"] if match else "missing"
            rows = f" {match['rows']:,} rows" if match and match["rows"] else ""
            synthetic = ", synthetic" if match and match["source"] == SAMPLE and rows else ""
            cells.append(f"{GLYPHS[state]} {state}{rows}{synthetic}")
        table.add_row(month, *cells)
    return table
