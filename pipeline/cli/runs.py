"""The command `runs`, and the text and JSON output of a run's files that `backfill` shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pipeline.cli.console import (
    JsonOption,
    escape,
    exit_on_error,
    load_settings,
    make_table,
    out,
    print_json,
)

if TYPE_CHECKING:
    from pipeline.runs.plan import Request
    from pipeline.runs.run_records import Run, RunFile


def runs(
    run_id: Annotated[str, typer.Argument(help="Show this run's files and log.")] = "",
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option(min=1, max=10**9, help="How many runs to list.")] = 20,
) -> None:
    """List past runs, or show one run's files and log."""
    from pipeline.runs.history import History
    from pipeline.runs.locks import mark_interrupted
    from pipeline.warehouse.registry import target_names

    with exit_on_error():
        settings = load_settings()
        for target in target_names():
            mark_interrupted(target, settings)
        history = History(settings.history_path)
        if not run_id:
            listed_runs = history.runs(limit)
            if as_json:
                print_json({"runs": [_run_values(run) for run in listed_runs]})
            else:
                out.print(_runs_table(listed_runs) if listed_runs else "No run yet.")
            return
        run, files = history.run(run_id), history.files(run_id)
        lines = history.log_lines(run_id)
        if as_json:
            document = run_document(run_id, run.state, run.request, files)
            document |= _run_values(run)
            document["log"] = [str(line) for line in lines]
            print_json(document)
        else:
            print_files(run.request, run.source_label, files)
            for line in lines:
                out.print(str(line), markup=False)


def print_files(request: Request, source_label: str, files: Sequence[RunFile]) -> None:
    """Print one line for each file of a run: state, counts, cost, duration and reason.

    Many files that the source does not have share one line.
    """
    from pipeline.runs.run_records import GLYPHS, split_unpublished

    listed, absent = split_unpublished(files, request.source, source_label)
    for f in listed:
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
    if absent:
        out.print(f"{GLYPHS['unavailable']} {absent}", markup=False)


def run_document(
    run_id: str | None, state: str, request: Request, files: Sequence[RunFile]
) -> dict[str, Any]:
    """Return the JSON document of a run, as docs/command-line.md documents it.

    Args:
        run_id: None for a plan, which has no run.
        state: A RunState, or "planned".
    """
    return {
        "run_id": run_id,
        "state": state,
        "target": request.target,
        "source": request.source,
        "files": [
            {
                "file": f.file.filename,
                "color": f.file.dataset.name,
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
                "unpacked_bytes": f.unpacked_bytes,
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
        "colors": [dataset.name for dataset in selection.datasets],
        "from": str(selection.first),
        "to": str(selection.last),
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "seconds": round(run.seconds, 3),
        "origin": run.origin,
        "pid": run.pid,
        "label": run.label,
    }


def _runs_table(runs: Sequence[Run]) -> Table:
    table = make_table("run", "state", "started (UTC)", "seconds", "asked for", "source", "label")
    for run in runs:
        selection = run.request.selection
        table.add_row(
            run.run_id,
            run.state,
            f"{run.started_at:%Y-%m-%d %H:%M:%S}",
            f"{run.seconds:,.1f}",
            f"{'+'.join(map(str, selection.datasets))} {selection.first}..{selection.last}",
            escape(run.source_label),
            escape(run.label),
        )
    return table
