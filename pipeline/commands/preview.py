"""`preview` and `diff`: look inside a trip file, and at what loading it would change."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.table import Table

from pipeline.cancel import Cancel
from pipeline.commands.console import (
    JsonOption,
    TargetOption,
    err,
    escape,
    make_table,
    out,
    print_json,
    reported,
)
from pipeline.errors import Cancelled, TripFileError, UsageError
from pipeline.settings import load_settings

if TYPE_CHECKING:
    from pipeline.preview import Preview
    from pipeline.preview.difference import ChangedRow, Difference
    from pipeline.preview.profile import ColumnProfile
    from pipeline.preview.schema import SchemaColumn
    from pipeline.preview.subject import Subject
    from pipeline.staging import Progress
    from pipeline.trips import TripFile

Result = TypeVar("Result")

# In the text output: rows of each finding, and the columns of a trip that are left out there.
_EXAMPLES = 3
_CHANGES = 5  # of each kind
_LESSER = (
    *("store_and_fwd_flag", "RatecodeID", "passenger_count", "extra", "mta_tax", "tip_amount"),
    *("tolls_amount", "ehail_fee", "improvement_surcharge", "trip_type", "congestion_surcharge"),
    *("airport_fee", "cbd_congestion_fee"),
)

ColorOption = Annotated[str, typer.Option(help="yellow or green.")]
MonthOption = Annotated[str, typer.Option(help="The month, YYYY-MM.")]
SourceOption = Annotated[
    str, typer.Option(help="github, tlc, sample, a folder, or a URL with the same file names.")
]


def preview(
    path: Annotated[Path | None, typer.Argument(help="A csv, csv.gz or parquet file.")] = None,
    color: ColorOption = "",
    month: MonthOption = "",
    source: SourceOption = "github",
    rows: Annotated[int, typer.Option(min=0, max=1000, help="First rows to show.")] = 5,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch the whole file into staging first.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look inside a trip file: columns, a profile of each, and what is odd about the rows.

    Give a file, or --color and --month of a source. Of a file at an address only the beginning is
    fetched, unless it is staged or --fetch is given. Nothing is loaded.

    Example: python -m pipeline preview --color green --month 2020-04
    """
    from pipeline.preview import look_inside
    from pipeline.preview.subject import fetch_subject, find_subject, read_own

    with reported():
        settings = load_settings()
        file = _named_file(path, color, month) if path else _picked_file(color, month)

        def look(cancel: Cancel, tell: Callable[[Progress], None]) -> Preview:
            if path is not None:
                subject = read_own(path, file, settings, cancel)
            elif fetch:
                subject = fetch_subject(file, source, settings, cancel, tell)
            else:
                subject = find_subject(file, source, settings, cancel)
            return look_inside(subject, settings, cancel, rows)

        found = _in_foreground(look)
        if as_json:
            print_json(preview_document(found))
        else:
            _print_preview(found)


def diff(
    color: ColorOption,
    month: MonthOption,
    source: SourceOption = "github",
    target: TargetOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Show what loading a month would change: rows inserted, updated and deleted, cell by cell.

    Nothing is loaded. A file that is only at an address is fetched into staging first.

    Example: python -m pipeline diff --color green --month 2020-04 --source sample
    """
    from pipeline.preview.difference import find_difference
    from pipeline.preview.subject import fetch_subject, find_subject
    from pipeline.warehouse import open_warehouse

    with reported():
        settings = load_settings()
        file = _picked_file(color, month)

        def compare(cancel: Cancel, tell: Callable[[Progress], None]) -> tuple[Difference, Subject]:
            subject = find_subject(file, source, settings, cancel)
            if not subject.whole and not subject.problem:
                subject = fetch_subject(file, source, settings, cancel, tell)
            if subject.problem:
                raise TripFileError(
                    subject.problem,
                    cure="`preview` shows what is in it; take the month from another source.",
                )
            with open_warehouse(target, settings, read_only=True) as warehouse:
                return find_difference(subject, warehouse, settings, cancel), subject

        found, subject = _in_foreground(compare)
        if as_json:
            print_json(difference_document(found, subject, target))
        else:
            _print_difference(found, subject)


def _in_foreground(
    work: Callable[[Cancel, Callable[[Progress], None]], Result],
) -> Result:
    """Do the work, saying how far a download is; Ctrl-C and SIGTERM cancel it.

    It has its own thread, because Python handles signals only between statements of this one,
    which would wait for DuckDB.
    """
    from pipeline.preview.task import Task

    task = Task(work, "preview")
    received = 0

    def cancel(number: int, _frame: object) -> None:
        nonlocal received
        received = number
        task.cancel.set()

    before = [(number, signal.signal(number, cancel)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        with err.status("Looking inside …") as status:
            while not task.done(0.1):
                if task.progress is not None:
                    done, total = task.progress.done, task.progress.total
                    of = f" of {total / 1e6:,.1f}" if total else ""
                    status.update(f"Fetching: {done / 1e6:,.1f}{of} MB")
        return task.result()
    except Cancelled:
        raise typer.Exit(128 + received) from None  # what shells expect of a signal
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _picked_file(color: str, month: str) -> TripFile:
    from pipeline.trips import Color, Month, TripFile

    if not color or not month:
        raise UsageError("No file was named.", cure="Give a file, or both --color and --month.")
    return TripFile(Color.parse(color), Month.parse(month))


def _named_file(path: Path, color: str, month: str) -> TripFile:
    from pipeline.trips import TripFile

    if color or month:
        return _picked_file(color, month)
    try:
        return TripFile.parse(path.name)
    except UsageError:
        raise UsageError(
            f"The name {path.name!r} does not say which color and month the file is of.",
            cure="Add --color and --month.",
        ) from None


def preview_document(found: Preview) -> dict[str, Any]:
    """Return the document that `preview --json` prints."""
    return {
        **subject_document(found.subject),
        "rows_read": found.rows,
        "rejected": found.rejected,
        "problem": found.problem,
        "schema": [asdict(column) for column in found.schema],
        "sample": found.sample,
        "profile": [
            {
                "name": column.name,
                "type": column.type,
                "nulls": column.nulls,
                "null_share": column.null_share,
                "distinct": column.distinct,
                "min": column.low,
                "max": column.high,
                "quartiles": column.quartiles,
                "histogram": asdict(column.histogram) if column.histogram else None,
                "frequent": [{"value": value, "rows": rows} for value, rows in column.frequent],
            }
            for column in found.profile
        ],
        "findings": [asdict(finding) for finding in found.findings],
    }


def subject_document(subject: Subject) -> dict[str, Any]:
    """Return what both documents say of the file they are about."""
    return {
        "file": subject.file.filename,
        "color": subject.file.color.value,
        "month": str(subject.file.month),
        "place": subject.place,
        "address": subject.address,
        "format": subject.format,
        "bytes": subject.bytes,
        "fetched": subject.fetched,
        "whole": subject.whole,
        "rows": subject.rows,
        "note": subject.note,
    }


def _print_preview(found: Preview) -> None:
    out.print(escape(_subject_sentence(found)))
    for sentence in filter(None, (found.subject.note, found.problem)):
        err.print(f"[yellow]▲[/yellow] {escape(sentence)}")
    out.print("\n[bold]Schema[/bold]", _schema_table(found.schema))
    if not found.profile:
        return
    if found.sample:
        out.print("[bold]First rows[/bold]", _rows_upright(found.sample))
    out.print("[bold]Profile[/bold]", _profile_table(found.profile))
    findings = make_table("finding", "count", "what it means")
    for finding in found.findings:
        if finding.count:
            findings.add_row(finding.title, f"{finding.count:,} {finding.unit}", finding.meaning)
    out.print("[bold]Findings[/bold]", findings)
    for finding in found.findings:
        if finding.examples:
            out.print(f"[bold]{finding.title}[/bold]", _rows_table(finding.examples[:_EXAMPLES]))


def _subject_sentence(found: Preview) -> str:
    subject = found.subject
    if subject.staged is None:
        read = "Its columns only"
    elif subject.whole:
        read = f"The whole file, {found.rows:,} rows"
    else:
        of = f" of {subject.rows:,}" if subject.rows is not None else ""
        read = f"The first {found.rows:,}{of} rows"
    size = f", {subject.bytes:,} bytes" if subject.bytes is not None else ""
    fetched = f"; {subject.fetched:,} bytes were fetched" if subject.fetched else ""
    return f"{subject.file.filename} from {subject.address}{size}. {read}{fetched}."


def _schema_table(schema: Iterable[SchemaColumn]) -> Table:
    table = make_table("column", "type", "in the file", "status", "note")
    for column in schema:
        spelled = f"{column.file_name} {column.file_type}" if column.file_name else ""
        cells = (column.name, column.type or "", spelled, column.status, column.note)
        table.add_row(*map(escape, cells))
    return table


def _profile_table(profile: Iterable[ColumnProfile]) -> Table:
    table = make_table("column", "nulls", "distinct", "min", "25 %", "50 %", "75 %", "max")
    for name in table.columns[1:]:
        name.justify = "right"
    for column in profile:
        figures = (column.low, *(column.quartiles or ("", "", "")), column.high)
        table.add_row(
            column.name,
            f"{column.null_share:.1%}",
            f"{column.distinct:,}",
            *(escape(_cell(figure)) for figure in figures),
        )
    return table


def _rows_table(rows: Iterable[Mapping[str, object]]) -> Table:
    """Return rows as a table; of a trip's twenty columns those that most tell it."""
    listed = list(rows)
    names = [name for name in listed[0] if name not in _LESSER]
    table = make_table(*map(escape, names))
    for row in listed:
        table.add_row(*(escape(_cell(row[name])) for name in names))
    return table


def _rows_upright(rows: Sequence[Mapping[str, object]]) -> Table:
    """Return rows as the columns of a table: twenty cells fit into no line."""
    table = make_table("column", *(f"row {number}" for number in range(1, len(rows) + 1)))
    for name in rows[0]:
        table.add_row(name, *(escape(_cell(row[name])) for row in rows))
    return table


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    return str(value)


def difference_document(found: Difference, subject: Subject, target: str) -> dict[str, Any]:
    """Return the document that `diff --json` prints."""
    return {
        "file": found.file.filename,
        "color": found.file.color.value,
        "month": str(found.file.month),
        "target": target,
        "address": subject.address,
        "loaded_at": f"{found.loaded.finished_at.isoformat()}Z" if found.loaded else None,
        "same_bytes": found.same_bytes,
        "rows": found.rows,
        "inserted": found.inserted,
        "updated": found.updated,
        "deleted": found.deleted,
        "unchanged": found.unchanged,
        "rejected": found.rejected,
        "amount_before": found.amount_before,
        "amount_after": found.amount_after,
        "changed_cells": dict(found.cells),
        "examples": [asdict(row) for row in found.examples],
    }


def _print_difference(found: Difference, subject: Subject) -> None:
    if found.loaded is None:
        before = "Nothing of it is loaded yet"
    else:
        before = f"{found.loaded.rows:,} rows are loaded, since {found.loaded.finished_at:%Y-%m-%d}"
    out.print(escape(f"{found.file.filename} from {subject.address}. {before}."))
    if found.same_bytes:
        out.print("They were loaded from these very bytes: loading would change nothing.")
        return
    out.print(
        f"Loading would insert {found.inserted:,}, update {found.updated:,} and delete "
        f"{found.deleted:,} rows, and leave {found.unchanged:,} as they are; "
        f"{found.rejected:,} would be rejected.\n"
        f"The total amount is ${found.amount_before:,} now and would be ${found.amount_after:,}."
    )
    if found.cells:
        cells = make_table("column", "updated rows in which it changes")
        for name, count in found.cells:
            cells.add_row(name, f"{count:,}")
        out.print(cells)
    if found.examples:
        out.print("[bold]Examples[/bold]", _changes_table(found.examples))


def _changes_table(changes: Sequence[ChangedRow]) -> Table:
    """Return rows before and after; of an updated one a changed cell as `old → new`."""
    marked = {name for change in changes for name in change.cells}
    columns = changes[0].after or changes[0].before or {}
    names = [name for name in columns if name not in _LESSER or name in marked]
    table = make_table("change", *names)
    shown: Counter[str] = Counter()
    for change in changes:
        shown[change.change] += 1
        if shown[change.change] > _CHANGES:
            continue
        row = change.after or change.before or {}
        cells = [
            f"{_cell(change.before[name])} → {_cell(row[name])}"
            if change.before and name in change.cells
            else _cell(row[name])
            for name in names
        ]
        table.add_row(change.change, *map(escape, cells))
    return table
