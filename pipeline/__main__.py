"""The command line: `python -m pipeline`. Progress goes to stderr, results to stdout."""

from __future__ import annotations

import csv
import json
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from pipeline.errors import FaregroundError, UsageError
from pipeline.settings import Settings, load_settings

if TYPE_CHECKING:
    from pipeline.history import Run, RunFile
    from pipeline.jobs import Backfill
    from pipeline.plan import Plan, Request

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Load NYC taxi trip files so that every trip lands exactly once, and look at the result.",
)
out = Console(highlight=False, soft_wrap=True)
if not out.is_terminal:
    out.width = 200  # a pipe has no width to fit; cut cells would be lost
err = Console(stderr=True, highlight=False)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
TargetOption = Annotated[str, typer.Option(help="Where the tables live: local or gcp.")]


class Format(StrEnum):
    """How `query` prints rows."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@contextmanager
def reported() -> Iterator[None]:
    """Turn our errors into a message on stderr and an exit code: 2 for wrong usage, else 1."""
    try:
        yield
    except FaregroundError as error:
        err.print(f"[red]✕[/red] {_escape(error.problem)}")
        if error.cure:
            err.print(f"  {_escape(error.cure)}")
        raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None


BACKFILL_HELP = """
Load trip files: those of the colors and months given, as far as the policy takes them.

Re-running is always safe: a file that did not change is skipped, a corrected one is merged.

Exit code 0 when no file failed, 1 when one did, 2 for wrong usage, 130 or 143 when cancelled by
Ctrl-C or SIGTERM.

Examples:

    python -m pipeline backfill --from 2020-04 --to 2020-08

    python -m pipeline backfill --color green --from 2021-01 --source sample

    python -m pipeline backfill --from 2019-01 --to 2021-07 --source ~/trips --dry-run

    python -m pipeline backfill --resume 20260401-093000-1f2e
"""


@app.command(help=BACKFILL_HELP)
def backfill(
    color: Annotated[
        list[str] | None, typer.Option(help="yellow or green; repeat for both (the default).")
    ] = None,
    first: Annotated[str, typer.Option("--from", help="First month, YYYY-MM.")] = "",
    last: Annotated[str, typer.Option("--to", help="Last month, YYYY-MM; default: --from.")] = "",
    source: Annotated[
        str, typer.Option(help="github, tlc, sample, a folder, or a URL with the same file names.")
    ] = "github",
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
    from pipeline.jobs import Backfill, prepare_plan, resume_request

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
            _print_json(_run_document(work.run_id, work.state, plan.request, files))
        else:
            _print_files(files)
            out.print(f"Run {work.run_id} {work.state}.")
    if work.state == "cancelled" and signal_number:
        raise typer.Exit(128 + signal_number)  # what shells expect of a signal
    if any(f.state == "failed" for f in files):
        raise typer.Exit(1)


@app.command()
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
            _print_json({"target": target, "files": files})
        elif files:
            out.print(_status_table(files))
        else:
            out.print("Nothing is loaded yet. Try: python -m pipeline backfill --from 2020-04")


@app.command()
def runs(
    run_id: Annotated[str, typer.Argument(help="Show this run's files and log.")] = "",
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option(help="How many runs to list.")] = 20,
) -> None:
    """List past runs, or show one run's files and log."""
    from pipeline.history import History
    from pipeline.jobs import settle_interrupted
    from pipeline.warehouse import TARGETS

    with reported():
        settings = load_settings()
        for target in TARGETS:
            settle_interrupted(target, settings)
        history = History(settings.history_path)
        if not run_id:
            found = history.runs(limit)
            if as_json:
                _print_json({"runs": [_run_values(run) for run in found]})
            else:
                out.print(_runs_table(found) if found else "No run yet.")
            return
        run, files = history.run(run_id), history.files(run_id)
        lines = history.log_lines(run_id)
        if as_json:
            document = _run_document(run_id, run.state, run.request, files)
            document |= _run_values(run)
            document["log"] = [str(line) for line in lines]
            _print_json(document)
        else:
            _print_files(files)
            for line in lines:
                out.print(str(line), markup=False)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT statement.")],
    output: Annotated[Format, typer.Option("--format", help="How to print rows.")] = Format.TABLE,
    limit: Annotated[int, typer.Option(min=1, help="Most rows to print.")] = 1000,
    target: TargetOption = "local",
) -> None:
    """Run one read-only SQL statement on the warehouse.

    Tables: yellow_tripdata, green_tripdata, rejects, load_ledger. Files and the network are out of
    reach.

    Example: python -m pipeline query "SELECT count(*) FROM green_tripdata" --format json
    """
    from pipeline.warehouse import open_warehouse

    with reported():
        settings = load_settings()
        with open_warehouse(target, settings, read_only=True) as warehouse:
            result = warehouse.query(sql, limit=limit)
        if result.truncated:
            err.print(f"Only the first {limit:,} rows are shown; --limit raises that.")
        if output == Format.JSON:
            _print_json([dict(zip(result.columns, row, strict=True)) for row in result.rows])
        elif output == Format.CSV:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(result.columns)
            writer.writerows([_csv_value(value) for value in row] for row in result.rows)
        else:
            table = _table(*map(_escape, result.columns))
            for row in result.rows:
                table.add_row(*(_escape(str(_plain(value))) for value in row))
            out.print(table)


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
    from pipeline.jobs import run_backfill

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
    from pipeline.history import GLYPHS, RunFile

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
        _print_json(_run_document(None, "planned", plan.request, files))
        return
    table = _table("file", "state", "runs", "MB", "why")
    for planned in plan.files:
        size = f"{planned.bytes / 1e6:,.2f}" if planned.bytes is not None else ""
        table.add_row(
            planned.file.stem,
            f"{GLYPHS[planned.state]} {planned.state.value}",
            "yes" if planned.runs else "no",
            size,
            _escape(planned.reason),
        )
    out.print(table)
    out.print(_plan_sentence(plan))


def _plan_sentence(plan: Plan) -> str:
    size = f", {plan.bytes / 1e6:,.1f} MB" if plan.bytes is not None else ""
    label = _escape(plan.source_label)
    return f"{len(plan.to_run)} of {len(plan.files)} files will run{size}, from {label}."


def _run_document(
    run_id: str | None, state: str, request: Request, files: Sequence[RunFile]
) -> dict[str, Any]:
    """Return the JSON document of a run, as README documents it."""
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


def _print_files(files: Sequence[RunFile]) -> None:
    from pipeline.history import GLYPHS

    for f in files:
        parts = [f"{GLYPHS[f.state]} {f.file.stem:<23} {f.state:<11}"]
        if f.rows is not None:
            parts.append(
                f"{f.rows:>11,} rows: {f.inserted:,} inserted, {f.updated:,} updated, "
                f"{f.deleted:,} deleted, {f.unchanged:,} unchanged, {f.rejected:,} rejected"
            )
        if f.seconds is not None:
            parts.append(f"{f.seconds:,.1f} s")
        if f.reason:
            parts.append(f.reason)
        out.print("  ".join(parts), markup=False)


def _status_table(files: Sequence[dict[str, Any]]) -> Table:
    from pipeline.history import GLYPHS

    colors = sorted({f["color"] for f in files})
    table = _table("month", *colors)
    for month in sorted({f["month"] for f in files}):
        cells = []
        for color in colors:
            found = next((f for f in files if (f["month"], f["color"]) == (month, color)), None)
            state = found["state"] if found else "missing"
            rows = f" {found['rows']:,} rows" if found and found["rows"] else ""
            cells.append(f"{GLYPHS[state]} {state}{rows}")
        table.add_row(month, *cells)
    return table


def _runs_table(found: Sequence[Run]) -> Table:
    table = _table("run", "state", "started (UTC)", "seconds", "asked for", "source", "label")
    for run in found:
        selection = run.request.selection
        table.add_row(
            run.run_id,
            run.state,
            f"{run.started_at:%Y-%m-%d %H:%M:%S}",
            f"{run.seconds:,.1f}",
            f"{'+'.join(selection.colors)} {selection.first}..{selection.last}",
            _escape(run.source_label),
            _escape(run.label),
        )
    return table


def _table(*columns: str) -> Table:
    """Return a plain table whose first columns are never cut: they are what people copy."""
    table = Table(box=SIMPLE, pad_edge=False)
    for position, name in enumerate(columns):
        table.add_column(name, no_wrap=position < 2, overflow="fold")
    return table


def _print_json(document: object) -> None:
    json.dump(document, sys.stdout, indent=2, default=_plain, allow_nan=False)
    sys.stdout.write("\n")


def _plain(value: Any) -> Any:
    """Return a database value as something JSON and people can read."""
    if isinstance(value, Decimal):
        return float(value)  # amounts have two decimals, which a float prints back unchanged
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _csv_value(value: Any) -> Any:
    return value if isinstance(value, (int, float, str, type(None), Decimal)) else _plain(value)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


if __name__ == "__main__":
    app(prog_name="python -m pipeline")
