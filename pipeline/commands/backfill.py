"""`backfill`: plan and run one in the foreground."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.console import (
    ColorsOption,
    FirstOption,
    JsonOption,
    LastOption,
    SourceOption,
    TargetOption,
    err,
    escape,
    make_table,
    out,
    print_json,
    reported,
)
from pipeline.commands.runs import print_files, run_document
from pipeline.errors import UsageError
from pipeline.settings import Settings, load_settings

if TYPE_CHECKING:
    from pipeline.backfill import Backfill
    from pipeline.plan import Plan, Request

BACKFILL_HELP = """
Load trip files: those of the colors and months given, as far as the policy takes them.

Re-running is always safe: a file that did not change is skipped, a corrected one is merged.

Exit code 0 when no file failed, 1 when one did, 2 for wrong usage, 130 or 143 when cancelled by
Ctrl-C or SIGTERM.

Examples:

    python -m pipeline backfill --from 2020-04 --to 2020-08

    python -m pipeline backfill --color green --from 2021-01 --source sample

    python -m pipeline backfill --from 2019-01 --to 2021-07 --source ~/trips --dry-run

    python -m pipeline backfill --resume 20260401-093000-1f2e3d4c
"""


def backfill(
    color: ColorsOption = None,
    first: FirstOption = "",
    last: LastOption = "",
    source: SourceOption = "github",
    policy: Annotated[
        str, typer.Option(help="Which files to take: missing, missing-and-failed or all.")
    ] = "missing-and-failed",
    force: Annotated[bool, typer.Option("--force", help="Load even what did not change.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    as_json: JsonOption = False,
    target: TargetOption = "local",
    resume: Annotated[str, typer.Option(help="Finish what this run did not.")] = "",
) -> None:
    """Plan and run a backfill, in the foreground."""
    from pipeline.backfill import Backfill, prepare_plan, resume_request

    with reported():
        settings = load_settings()
        if resume:
            request = resume_request(resume, settings)
        else:
            request = _request(color or ["yellow", "green"], first, last, source, policy)
            request = replace(request, force=force, target=target)
        plan = prepare_plan(request, settings, read_only=dry_run)
        if dry_run:
            _print_plan(plan, as_json)
            if target == "gcp":
                from pipeline.warehouse.google import GoogleWarehouse

                with GoogleWarehouse(settings, read_only=True) as warehouse:
                    err.print(str(warehouse.estimate(plan)))
            return
        err.print(_plan_sentence(plan))
        work = Backfill(plan, settings, origin="command line")
        signal_number = _run_in_foreground(work, settings)
        files = work.history.files(work.run_id)
        if as_json:
            print_json(run_document(work.run_id, work.state, plan.request, files))
        else:
            print_files(files)
            out.print(f"Run {work.run_id} {work.state}.")
    if work.state == "cancelled" and signal_number:
        raise typer.Exit(128 + signal_number)  # what shells expect of a signal
    if any(f.state == "failed" for f in files):
        raise typer.Exit(1)


def _request(colors: Sequence[str], first: str, last: str, source: str, policy: str) -> Request:
    from pipeline.plan import Policy, Request
    from pipeline.trips import Color, Month, Selection

    if not first:
        raise UsageError("No month was given.", cure="Add --from YYYY-MM, and --to for a range.")
    selection = Selection(
        tuple(dict.fromkeys(Color.parse(name) for name in colors)),
        Month.parse(first),
        Month.parse(last or first),
    )
    return Request(selection, source=source, policy=Policy.parse(policy))


def _run_in_foreground(work: Backfill, settings: Settings) -> int:
    """Run to the end, showing progress; return the number of the signal that cancelled it, or 0.

    The work has its own thread, because Python handles signals only between statements of this
    one, which would wait for DuckDB.
    """
    from pipeline.backfill import run_backfill

    received = 0
    refusal: list[BaseException] = []

    def cancel(number: int, _frame: object) -> None:
        nonlocal received
        received = number
        work.cancel.set()

    def run() -> None:
        try:
            run_backfill(work, settings)
        except BaseException as error:
            refusal.append(error)

    before = [(number, signal.signal(number, cancel)) for number in (signal.SIGINT, signal.SIGTERM)]
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        _show_progress(work, thread)
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    if refusal:
        raise refusal[0]
    return received


def _show_progress(work: Backfill, thread: threading.Thread) -> None:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    if not err.is_terminal:
        thread.join()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, TimeElapsedColumn(), console=err, transient=True) as progress:
        overall = progress.add_task("all files", total=max(1, len(work.plan.to_run)), note="")
        current = progress.add_task("", total=1.0, note="")
        while thread.is_alive():
            thread.join(0.1)
            now = work.snapshot()
            left = f", {now.seconds_left:,.0f} s left" if now.seconds_left is not None else ""
            progress.update(
                overall,
                completed=now.done,
                note=f"{now.done} of {now.total}, {now.rows:,} rows "
                f"({now.rows_per_second:,.0f}/s), {now.bytes_per_second / 1e6:,.1f} MB/s{left}",
            )
            active = [f for f in now.files if f.step not in ("waiting", "ready") and f.rows is None]
            if active:
                file = active[0]
                progress.update(
                    current,
                    description=file.file.stem,
                    completed=file.done_share() or 0.0,
                    note=file.step,
                )


def _print_plan(plan: Plan, as_json: bool) -> None:
    from pipeline.run_records import GLYPHS, RunFile

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
    table = make_table("file", "state", "runs", "MB", "why")
    for planned in plan.files:
        size = f"{planned.bytes / 1e6:,.2f}" if planned.bytes is not None else ""
        table.add_row(
            planned.file.stem,
            f"{GLYPHS[planned.state]} {planned.state.value}",
            "yes" if planned.runs else "no",
            size,
            escape(planned.reason),
        )
    out.print(table)
    out.print(_plan_sentence(plan))


def _plan_sentence(plan: Plan) -> str:
    size = f", {plan.bytes / 1e6:,.1f} MB" if plan.bytes is not None else ""
    label = escape(plan.source_label)
    return f"{len(plan.to_run)} of {len(plan.files)} files will run{size}, from {label}."
