"""The commands `preview` and `diff`: show a trip file, and what loading it would change."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from pipeline.cli.console import (
    DatasetOption,
    JsonOption,
    MonthOption,
    SourceOption,
    TargetOption,
    err,
    exit_on_error,
    load_settings,
    print_json,
)
from pipeline.cli.preview_output import (
    diff_document,
    preview_document,
    print_diff,
    print_preview,
)
from pipeline.core.cancel import Cancel
from pipeline.core.errors import Cancelled, TripFileError, UsageError
from pipeline.files.staging import size_in_words
from pipeline.warehouse.registry import DEFAULT_TARGET

if TYPE_CHECKING:
    from pipeline.core.settings.settings import Settings
    from pipeline.core.trips import TripFile
    from pipeline.files.staging import Progress
    from pipeline.preview import Preview
    from pipeline.preview.difference import FileDiff
    from pipeline.preview.subject import Subject
    from pipeline.preview.table import TablePreview

CommandResult = TypeVar("CommandResult")


def preview(
    path: Annotated[Path | None, typer.Argument(help="A csv, csv.gz or parquet file.")] = None,
    dataset_name: DatasetOption = "",
    month: MonthOption = "",
    source: SourceOption = "github",
    rows: Annotated[int, typer.Option(min=0, max=1000, help="First rows to show.")] = 5,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch the whole file into staging first.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what is in a file: its columns, a profile of each, and findings about the rows.

    Give a file, or --dataset and --month of a source. A file's dataset is found by its columns, its
    month by its name and pickups. A csv or parquet file that is no trip file shows its columns and
    rows. Of a file at an address only the beginning is fetched, unless it is staged or --fetch is
    given. Nothing is loaded.

    Example: python -m pipeline preview --dataset green --month 2020-04
    """
    from pipeline.preview import make_preview
    from pipeline.preview.own_file import read_own_file
    from pipeline.preview.subject import fetch_subject, find_subject
    from pipeline.preview.table import make_table_preview

    with exit_on_error():
        settings = load_settings()

        def read(cancel: Cancel, tell: Callable[[Progress], None]) -> Preview | TablePreview:
            file = _file_of(path, dataset_name, month, settings, cancel)
            if path is not None and file is None:
                return make_table_preview(path, str(path), settings, cancel, rows)
            assert file is not None  # `_file_of` raises where options name none
            if path is not None:
                subject = read_own_file(path, str(path), file, settings, cancel)
            elif fetch:
                subject = fetch_subject(file, source, settings, cancel, tell)
            else:
                subject = find_subject(file, source, settings, cancel)
            return make_preview(subject, settings, cancel, rows)

        result = _run_in_foreground(read)
        if as_json:
            print_json(preview_document(result))
        else:
            print_preview(result)


def _file_of(
    path: Path | None, dataset_name: str, month: str, settings: Settings, cancel: Cancel
) -> TripFile | None:
    """Return the trip file that was named; None for a file that is no trip file.

    Raises UsageError where dataset or month are missing and cannot be found.
    """
    from pipeline.core.datasets import find_dataset
    from pipeline.core.trips import Month, TripFile
    from pipeline.preview.own_file import identify_own_file, own_file_errors

    if path is None or (dataset_name and month):
        return _file_of_options(dataset_name, month)
    with own_file_errors(str(path)):
        if not path.is_file():
            raise UsageError(f"There is no file {path}.", cure="Check its name and folder.")
    identity = identify_own_file(path, path.name, settings, cancel)
    dataset = find_dataset(dataset_name) if dataset_name else identity.dataset
    if dataset is None:
        return None
    of = Month.parse(month) if month else identity.month
    if of is None:
        raise UsageError(
            f"Neither the name nor the pickups of {path.name!r} say which month it is of.",
            cure="Add --month.",
        )
    return TripFile(dataset, of)


def diff(
    dataset_name: DatasetOption,
    month: MonthOption,
    source: SourceOption = "github",
    target: TargetOption = DEFAULT_TARGET,
    as_json: JsonOption = False,
) -> None:
    """Show what loading a month would change: rows inserted, updated and deleted, cell by cell.

    Nothing is loaded. A file that is only at an address is fetched into staging first.

    Example: python -m pipeline diff --dataset green --month 2020-04 --source sample
    """
    from pipeline.preview.difference import diff_file
    from pipeline.preview.subject import fetch_subject, find_subject
    from pipeline.warehouse.registry import open_warehouse

    with exit_on_error():
        settings = load_settings()
        file = _file_of_options(dataset_name, month)

        def compare(cancel: Cancel, tell: Callable[[Progress], None]) -> tuple[FileDiff, Subject]:
            subject: Subject | None = None
            with suppress(TripFileError):  # of a zip archive, say, whose beginning tells nothing
                subject = find_subject(file, source, settings, cancel)
            if subject is None or not (subject.whole or subject.problem):
                subject = fetch_subject(file, source, settings, cancel, tell)
            if subject.problem:
                raise TripFileError(
                    subject.problem,
                    cure="`preview` shows what is in it; take the month from another source.",
                )
            with open_warehouse(target, settings, read_only=True) as warehouse:
                return diff_file(subject, warehouse, settings, cancel), subject

        difference, subject = _run_in_foreground(compare)
        if as_json:
            print_json(diff_document(difference, subject, target))
        else:
            print_diff(difference, subject)


def _run_in_foreground(
    work: Callable[[Cancel, Callable[[Progress], None]], CommandResult],
) -> CommandResult:
    """Run `work`, show its download's progress, and return its result.

    SIGINT and SIGTERM cancel the work and exit with 128 plus the signal's number. The work has a
    thread of its own: Python handles signals in the main thread between two bytecodes, so a main
    thread inside a DuckDB statement would not react to them.
    """
    from pipeline.core.tasks import Task

    task = Task(work, "preview")
    received = 0

    def cancel(number: int, _frame: object) -> None:
        nonlocal received
        received = number
        task.cancel.set()

    previous_handlers = [
        (number, signal.signal(number, cancel)) for number in (signal.SIGINT, signal.SIGTERM)
    ]
    try:
        with err.status("Looking inside …") as status:
            while not task.wait(0.1):
                if task.progress is not None:
                    done, total = task.progress.done, task.progress.total
                    of = f" of {size_in_words(total)}" if total else ""
                    status.update(f"Fetching: {size_in_words(done)}{of}")
        return task.result()
    except Cancelled:
        raise typer.Exit(128 + received) from None  # the exit code that shells use for a signal
    finally:
        for number, handler in previous_handlers:
            signal.signal(number, handler)


def _file_of_options(dataset_name: str, month: str) -> TripFile:
    from pipeline.core.datasets import find_dataset
    from pipeline.core.trips import Month, TripFile

    if not dataset_name or not month:
        raise UsageError("No file was named.", cure="Give a file, or both --dataset and --month.")
    return TripFile(find_dataset(dataset_name), Month.parse(month))
