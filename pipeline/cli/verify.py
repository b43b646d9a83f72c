"""The command `verify`: compare the trips of two warehouses, or of a warehouse and staging."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.console import (
    DatasetsOption,
    FirstOption,
    JsonOption,
    LastOption,
    err,
    escape,
    exit_on_error,
    load_settings,
    make_table,
    out,
    print_json,
    to_plain,
)
from pipeline.core.datasets import either_of
from pipeline.core.errors import UsageError
from pipeline.warehouse.registry import find_backend, target_names

if TYPE_CHECKING:
    from pipeline.core.trips import TripFile
    from pipeline.ops.fingerprints import FileFingerprint
    from pipeline.ops.parity import Comparison, RowDifference

_USUAL = target_names()[:2]  # the warehouses that are compared when none is named

VERIFY_HELP = """
Compare trips row by row: two warehouses, or one of them with the staged files.

Without --dataset files of all datasets are compared.

For each file the command compares rows, dollars, and fingerprints of unique_row_id and of all
cells. It lists the rows that differ. If the file is staged, it also reads a sample of 500 rows by
the grammar of cells, to find casts that are wrong on both sides.

Exit code 0: all compared files are equal; 1: something differs; 2: nothing could be compared.

Examples:

    python -m pipeline verify

    python -m pipeline verify --target local --target gcp

    python -m pipeline verify --target local --dataset green --from 2020-04 --to 2020-08
"""


def verify(
    color: DatasetsOption = None,
    first: FirstOption = "",
    last: LastOption = "",
    target: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{either_of(target_names())}; once: compare with staging; twice: compare two "
            f"warehouses (default: {' with '.join(_USUAL)})."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, max=10**9, help="Maximum rows to list per file.")
    ] = 20,
    as_json: JsonOption = False,
) -> None:
    """Compare two warehouses, or one of them with the staged files."""
    from pipeline.core.datasets import DATASETS, find_dataset
    from pipeline.core.trips import Month

    with exit_on_error():
        # `both` is what earlier versions called the usual two.
        targets = _USUAL if target in (None, ["both"]) else tuple(dict.fromkeys(target or ()))
        if len(targets) > 2:
            raise UsageError("Only two warehouses can be compared.", cure="Name --target twice.")
        for name in targets:
            find_backend(name)
        colors = [find_dataset(name) for name in color or DATASETS]
        months = [str(Month.parse(month)) if month else "" for month in (first, last or first)]
        first_side, second_side = (*targets, "staging")[:2]
        sides = first_side, second_side
        comparisons: list[Comparison] = []
        for comparison in _compare(targets, colors, months, limit):
            comparisons.append(comparison)
            if not as_json:
                _print_comparison(comparison, sides)
    states = {comparison.state for comparison in comparisons}
    if as_json:
        print_json(_document(comparisons, sides))
    else:
        out.print(_summary_table(comparisons))
    if "different" in states:
        raise typer.Exit(1)
    if "equal" not in states:
        err.print("Nothing could be compared.")
        raise typer.Exit(2)


def _compare(
    targets: Sequence[str], colors: Sequence[Any], months: Sequence[str], limit: int
) -> Iterator[Comparison]:
    from contextlib import ExitStack

    from pipeline.core.cancel import Cancel
    from pipeline.ops.parity import (
        check_meaning,
        choose_files,
        compare_staged,
        compare_warehouses,
        found_once,
        loaded_entries,
    )
    from pipeline.warehouse.registry import open_warehouse

    settings = load_settings()
    with ExitStack() as stack:
        warehouses = [
            stack.enter_context(open_warehouse(name, settings, read_only=True)) for name in targets
        ]
        entries = [loaded_entries(warehouse) for warehouse in warehouses]
        files = choose_files(
            {f for entry_by_file in entries for f in entry_by_file}, colors, *months
        )
        for file in _with_progress(files):
            copies = [
                (name, warehouse, entry_by_file[file])
                for name, warehouse, entry_by_file in zip(targets, warehouses, entries, strict=True)
                if file in entry_by_file
            ]
            name, warehouse, entry = copies[0]
            if len(targets) == 1:
                yield compare_staged(warehouse, entry, settings, limit, _print_note, Cancel())
            elif len(copies) == 1:
                yield found_once(entry, name)
            else:
                comparison = compare_warehouses(
                    warehouses[0], warehouses[1], file, limit, _print_note
                )
                yield check_meaning(
                    comparison, warehouse, entry, settings, limit, _print_note, Cancel()
                )


def _print_note(message: str) -> None:
    err.print(escape(message))


def _with_progress(files: Sequence[TripFile]) -> Iterator[TripFile]:
    """Yield the files, and show on a terminal which file is being compared."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    if not err.is_terminal:
        yield from files
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=len(files))
        for position, file in enumerate(files):
            progress.update(task, completed=position, description=f"comparing {file.stem}")
            yield file


_GLYPHS = {"equal": "●", "different": "✕", "unchecked": "–"}


def _print_comparison(comparison: Comparison, sides: tuple[str, str]) -> None:
    parts = [f"{_GLYPHS[comparison.state]} {comparison.file.stem:<23} {comparison.state:<9}"]
    for name, side in zip(sides, (comparison.ours, comparison.theirs), strict=True):
        if side is not None:
            dollars = "" if side.total_amount is None else f", ${side.total_amount:,.2f}"
            parts.append(f"{name}: {side.rows:,} rows{dollars}, ids {side.ids[:12]}")
    if comparison.reason:
        parts.append(comparison.reason)
    out.print("  ".join(parts), markup=False)
    for difference in comparison.differences:
        out.print(f"    {_describe_difference(difference, sides)}", markup=False)
    more = comparison.different_rows - len(comparison.differences)
    if more > 0:
        out.print(f"    and {more:,} more rows; raise --limit to list them", markup=False)


def _describe_difference(difference: RowDifference, sides: tuple[str, str]) -> str:
    times = difference.our_times, difference.their_times
    if 0 in times:
        where = f"only in {sides[0] if times[0] else sides[1]}"
    elif times[0] != times[1]:
        where = f"{times[0]:,} times in {sides[0]}, {times[1]:,} times in {sides[1]}"
    else:
        where = "; ".join(
            f"{name} is {to_plain(ours)} in {sides[0]}, {to_plain(theirs)} in {sides[1]}"
            for name, (ours, theirs) in difference.columns.items()
        )
    return f"{difference.unique_row_id}  {where}"


def _summary_table(comparisons: Sequence[Comparison]) -> Any:
    table = make_table("state", "files", "rows that differ")
    for state in _GLYPHS:
        matching = [comparison for comparison in comparisons if comparison.state == state]
        if matching:
            rows = sum(comparison.different_rows for comparison in matching)
            table.add_row(f"{_GLYPHS[state]} {state}", f"{len(matching):,}", f"{rows:,}")
    return table


def _document(comparisons: Sequence[Comparison], sides: tuple[str, str]) -> dict[str, Any]:
    """Return the JSON document of `verify --json`, as docs/loading.md documents it."""

    def figures(side: FileFingerprint | None) -> dict[str, Any] | None:
        names = ("rows", "total_amount", "ids", "contents")
        return {name: getattr(side, name) for name in names} if side else None

    return {
        "equal": all(comparison.state != "different" for comparison in comparisons),
        "sides": list(sides),
        "files": [
            {
                "file": comparison.file.filename,
                "color": comparison.file.dataset.name,
                "month": str(comparison.file.month),
                "state": comparison.state,
                "reason": comparison.reason,
                sides[0]: figures(comparison.ours),
                sides[1]: figures(comparison.theirs),
                "different_rows": comparison.different_rows,
                "differences": [
                    {
                        "unique_row_id": difference.unique_row_id,
                        "times": [difference.our_times, difference.their_times],
                        "columns": {k: list(v) for k, v in difference.columns.items()},
                    }
                    for difference in comparison.differences
                ],
            }
            for comparison in comparisons
        ],
    }
