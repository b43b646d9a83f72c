"""`preview` and `diff`: look inside a trip file, and at what loading it would change."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from pipeline.cancel import Cancel
from pipeline.commands.console import (
    ColorOption,
    JsonOption,
    MonthOption,
    SourceOption,
    TargetOption,
    err,
    print_json,
    reported,
)
from pipeline.commands.preview_output import (
    difference_document,
    preview_document,
    print_difference,
    print_preview,
)
from pipeline.errors import Cancelled, TripFileError, UsageError
from pipeline.settings import load_settings

if TYPE_CHECKING:
    from pipeline.preview import Preview
    from pipeline.preview.difference import Difference
    from pipeline.preview.subject import Subject
    from pipeline.staging import Progress
    from pipeline.trips import TripFile

Result = TypeVar("Result")


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
            print_preview(found)


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
            print_difference(found, subject)


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
