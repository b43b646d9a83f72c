"""The command `backfill`: plan a backfill and run it in the foreground."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.console import (
    DatasetsOption,
    FirstOption,
    JsonOption,
    LastOption,
    SourceOption,
    TargetOption,
    err,
    escape,
    exit_on_error,
    load_settings,
    make_table,
    out,
    print_json,
)
from pipeline.cli.runs import print_files, run_document
from pipeline.core.datasets import DEFAULT_DATASETS, find_dataset
from pipeline.core.errors import UsageError
from pipeline.files.staging import size_in_words
from pipeline.warehouse.registry import DEFAULT_TARGET, find_backend

if TYPE_CHECKING:
    from pipeline.core.settings.settings import Settings
    from pipeline.core.tasks import Task
    from pipeline.runs.backfill import Backfill
    from pipeline.runs.plan import Plan, Request
    from pipeline.runs.run_records import RunState

BACKFILL_HELP = f"""
Load the trip files of the given datasets and months that the policy takes.

Without --dataset these are {" and ".join(dataset.name for dataset in DEFAULT_DATASETS)}.

Re-running is always safe: a file that did not change is skipped, a corrected one is merged.

Exit code 0 when no file failed, 1 when one did, 2 for wrong usage, 130 or 143 when cancelled by
Ctrl-C or SIGTERM.

Examples:

    python -m pipeline backfill --from 2020-04 --to 2020-08

    python -m pipeline backfill --dataset green --from 2021-01 --source sample

    python -m pipeline backfill --from 2019-01 --to 2021-07 --source ~/trips --dry-run

    python -m pipeline backfill --resume 20260401-093000-1f2e3d4c
"""


def backfill(
    dataset_names: DatasetsOption = None,
    first: FirstOption = "",
    last: LastOption = "",
    source: SourceOption = "github",
    policy: Annotated[
        str, typer.Option(help="Which files to take: missing, missing-and-failed or all.")
    ] = "missing-and-failed",
    force: Annotated[bool, typer.Option("--force", help="Load even what did not change.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    as_json: JsonOption = False,
    target: TargetOption = DEFAULT_TARGET,
    resume: Annotated[str, typer.Option(help="Finish what this run did not.")] = "",
) -> None:
    """Plan and run a backfill, in the foreground."""
    from pipeline.runs.backfill import Backfill, prepare_plan, resume_request

    with exit_on_error():
        settings = load_settings()
        if resume:
            request = resume_request(resume, settings)
        else:
            names = dataset_names or [dataset.name for dataset in DEFAULT_DATASETS]
            request = _make_request(names, first, last, source, policy)
            request = replace(request, force=force, target=target)
        plan = prepare_plan(request, settings, read_only=dry_run)
        if dry_run:
            _print_plan(plan, as_json)
            estimate = find_backend(plan.request.target).estimate_cost(plan.sizes, settings)
            if estimate is not None:
                err.print(str(estimate))
            return
        err.print(escape(plan.summary()))
        run = Backfill(plan, settings, origin="command line")
        signal_received = _run_in_foreground(run, settings)
        files = run.history.files(run.run_id)
        if as_json:
            print_json(run_document(run.run_id, run.state, plan.request, files))
        else:
            print_files(plan.request, plan.source_label, files)
            out.print(f"Run {run.run_id} {run.state}.")
    if run.state == "cancelled" and signal_received:
        raise typer.Exit(128 + signal_received)  # the exit code that shells use for a signal
    if any(f.state == "failed" for f in files):
        raise typer.Exit(1)


def _make_request(names: Sequence[str], first: str, last: str, source: str, policy: str) -> Request:
    from pipeline.core.trips import Month, Selection
    from pipeline.runs.plan import Request
    from pipeline.runs.policy import Policy

    if not first:
        raise UsageError("No month was given.", cure="Add --from YYYY-MM, and --to for a range.")
    selection = Selection(
        tuple(dict.fromkeys(find_dataset(name) for name in names)),
        Month.parse(first),
        Month.parse(last or first),
    )
    return Request(selection, source=source, policy=Policy.parse(policy))


def _run_in_foreground(run: Backfill, settings: Settings) -> int:
    """Run a backfill while showing its progress, and cancel it on SIGINT or SIGTERM.

    Returns the number of the signal that cancelled the run, or 0.

    The run has a thread of its own: Python handles signals in the main thread between two
    bytecodes, so a main thread inside a DuckDB statement would not react to them.
    """
    from pipeline.core.tasks import run_in_background
    from pipeline.runs.backfill import run_backfill

    received = 0

    def cancel(number: int, _frame: object) -> None:
        nonlocal received
        received = number
        run.cancel.set()

    previous_handlers = [
        (number, signal.signal(number, cancel)) for number in (signal.SIGINT, signal.SIGTERM)
    ]
    task = run_in_background(lambda: run_backfill(run, settings), "backfill")
    try:
        _show_progress(run, task)
    finally:
        for number, handler in previous_handlers:
            signal.signal(number, handler)
    task.result()
    return received


def _show_progress(run: Backfill, task: Task[RunState, None]) -> None:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    if not err.is_terminal:
        # A signal may reach another thread; its handler then waits until this thread wakes up.
        while not task.wait(0.5):
            pass
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, TimeElapsedColumn(), console=err, transient=True) as progress:
        overall = progress.add_task("all files", total=max(1, len(run.plan.to_run)), note="")
        current = progress.add_task("", total=1.0, note="")
        while not task.wait(0.1):
            snapshot = run.snapshot()
            remaining = (
                f", {snapshot.seconds_left:,.0f} s left"
                if snapshot.seconds_left is not None
                else ""
            )
            progress.update(
                overall,
                completed=snapshot.done,
                note=f"{snapshot.done} of {snapshot.total}, {snapshot.rows:,} rows "
                f"({snapshot.rows_per_second:,.0f}/s), "
                f"{size_in_words(snapshot.bytes_per_second)}/s{remaining}",
            )
            active = [
                f for f in snapshot.files if f.step not in ("waiting", "ready") and f.rows is None
            ]
            if active:
                file = active[0]
                progress.update(
                    current,
                    description=file.file.stem,
                    completed=file.fraction_done() or 0.0,
                    note=file.step,
                )


def _print_plan(plan: Plan, as_json: bool) -> None:
    from pipeline.runs.run_records import GLYPHS, RunFile
    from pipeline.runs.unpublished import MOST_LISTED

    files = [
        RunFile(
            planned.file,
            planned.outcome or "queued",
            planned.reason,
            bytes=planned.bytes if planned.runs else None,
        )
        for planned in plan.files
    ]
    if as_json:
        print_json(run_document(None, "planned", plan.request, files))
        return
    table = make_table("file", "state", "load", "size", "why")
    grouped = len(plan.absent) > MOST_LISTED  # the summary says it once
    for planned in plan.files:
        if grouped and planned.outcome == "unavailable":
            continue
        size = size_in_words(planned.bytes) if planned.bytes is not None else ""
        table.add_row(
            planned.file.stem,
            f"{GLYPHS[planned.state]} {planned.state.value}",
            "yes" if planned.runs else "no",
            size,
            escape(planned.reason),
        )
    out.print(table)
    out.print(escape(plan.summary()))
