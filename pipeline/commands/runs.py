"""`runs`: past runs, and how a run's files are told, in words and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pipeline.commands.console import JsonOption, escape, make_table, out, print_json, reported
from pipeline.settings import load_settings

if TYPE_CHECKING:
    from pipeline.plan import Request
    from pipeline.run_records import Run, RunFile


def runs(
    run_id: Annotated[str, typer.Argument(help="Show this run's files and log.")] = "",
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option(help="How many runs to list.")] = 20,
) -> None:
    """List past runs, or show one run's files and log."""
    from pipeline.history import History
    from pipeline.locks import settle_interrupted
    from pipeline.warehouse import TARGETS

    with reported():
        settings = load_settings()
        for target in TARGETS:
            settle_interrupted(target, settings)
        history = History(settings.history_path)
        if not run_id:
            found = history.runs(limit)
            if as_json:
                print_json({"runs": [_run_values(run) for run in found]})
            else:
                out.print(_runs_table(found) if found else "No run yet.")
            return
        run, files = history.run(run_id), history.files(run_id)
        lines = history.log_lines(run_id)
        if as_json:
            document = run_document(run_id, run.state, run.request, files)
            document |= _run_values(run)
            document["log"] = [str(line) for line in lines]
            print_json(document)
        else:
            print_files(files)
            for line in lines:
                out.print(str(line), markup=False)


def print_files(files: Sequence[RunFile]) -> None:
    """Print a line for each file of a run."""
    from pipeline.run_records import GLYPHS

    for f in files:
        parts = [f"{GLYPHS[f.state]} {f.file.stem:<23} {f.state:<11}"]
        if f.rows is not None:
            parts.append(
                f"{f.rows:>11,} rows: {f.inserted:,} inserted, {f.updated:,} updated, "
                f"{f.deleted:,} deleted, {f.unchanged:,} unchanged, {f.rejected:,} rejected"
            )
        if f.bytes_billed is not None:
            parts.append(f"{f.bytes_billed:,} bytes billed")
        if f.seconds is not None:
            parts.append(f"{f.seconds:,.1f} s")
        if f.reason:
            parts.append(f.reason)
        out.print("  ".join(parts), markup=False)


def run_document(
    run_id: str | None, state: str, request: Request, files: Sequence[RunFile]
) -> dict[str, Any]:
    """Return the JSON document of a run, as docs/command-line.md documents it."""
    return {
        "run_id": run_id,
        "state": state,
        "target": request.target,
        "source": request.source,
        "files": [
            {
                "file": f.file.filename,
                "color": f.file.color.value,
                "month": str(f.file.month),
                "state": f.state,
                "reason": f.reason,
                "rows": f.rows,
                "inserted": f.inserted,
                "updated": f.updated,
                "deleted": f.deleted,
                "unchanged": f.unchanged,
                "rejected": f.rejected,
                "bytes": f.bytes,
                "sha256": f.sha256,
                "seconds": f.seconds,
                "bytes_billed": f.bytes_billed,
                "slot_ms": f.slot_ms,
            }
            for f in files
        ],
    }


def _run_values(run: Run) -> dict[str, Any]:
    selection = run.request.selection
    return {
        "run_id": run.run_id,
        "state": run.state,
        "target": run.request.target,
        "source": run.request.source,
        "policy": run.request.policy.value,
        "colors": [color.value for color in selection.colors],
        "from": str(selection.first),
        "to": str(selection.last),
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "seconds": round(run.seconds, 3),
        "origin": run.origin,
        "pid": run.pid,
        "label": run.label,
    }


def _runs_table(found: Sequence[Run]) -> Table:
    table = make_table("run", "state", "started (UTC)", "seconds", "asked for", "source", "label")
    for run in found:
        selection = run.request.selection
        table.add_row(
            run.run_id,
            run.state,
            f"{run.started_at:%Y-%m-%d %H:%M:%S}",
            f"{run.seconds:,.1f}",
            f"{'+'.join(selection.colors)} {selection.first}..{selection.last}",
            escape(run.source_label),
            escape(run.label),
        )
    return table
