"""`verify`: whether two places hold the same trips, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.console import (
    ColorsOption,
    FirstOption,
    JsonOption,
    LastOption,
    err,
    escape,
    make_table,
    out,
    plain,
    print_json,
    reported,
)
from pipeline.errors import UsageError
from pipeline.settings import load_settings

if TYPE_CHECKING:
    from pipeline.parity import Comparison, RowDifference, Summary
    from pipeline.trips import TripFile

VERIFY_HELP = """
Compare trips row by row: the two warehouses, or one of them with the staged files.

For each file it compares rows, dollars, and fingerprints of unique_row_id and of all that the rows
say; where those differ it lists the rows.

Exit code 0 when everything that could be compared is equal, 1 when something differs, 2 when
nothing could be compared.

Examples:

    python -m pipeline verify

    python -m pipeline verify --target local --color green --from 2020-04 --to 2020-08
"""


def verify(
    color: ColorsOption = None,
    first: FirstOption = "",
    last: LastOption = "",
    target: Annotated[
        str, typer.Option(help="both: one warehouse with the other. local, gcp: with staging.")
    ] = "both",
    limit: Annotated[int, typer.Option(min=0, help="Most rows to list of one file.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Compare the two warehouses, or one of them with the staged files."""
    from pipeline.trips import Color, Month

    with reported():
        if target not in ("both", "local", "gcp"):
            raise UsageError(f"There is no target {target!r}.", cure="Use both, local or gcp.")
        colors = [Color.parse(name) for name in color or list(Color)]
        months = [str(Month.parse(month)) if month else "" for month in (first, last or first)]
        sides = ("local", "gcp") if target == "both" else (target, "staging")
        found: list[Comparison] = []
        for comparison in _compare(target, colors, months, limit):
            found.append(comparison)
            if not as_json:
                _print_comparison(comparison, sides)
    states = {comparison.state for comparison in found}
    if as_json:
        print_json(_document(found, sides))
    else:
        out.print(_summary_table(found))
    if "different" in states:
        raise typer.Exit(1)
    if "equal" not in states:
        err.print("Nothing could be compared.")
        raise typer.Exit(2)


def _compare(
    target: str, colors: Sequence[Any], months: Sequence[str], limit: int
) -> Iterator[Comparison]:
    from contextlib import ExitStack

    from pipeline.cancel import Cancel
    from pipeline.parity import (
        choose_files,
        compare_staged,
        compare_warehouses,
        found_once,
        loaded_entries,
    )
    from pipeline.warehouse import open_warehouse

    settings = load_settings()
    names = ("local", "gcp") if target == "both" else (target,)
    with ExitStack() as stack:
        opened = [
            stack.enter_context(open_warehouse(name, settings, read_only=True)) for name in names
        ]
        entries = [loaded_entries(warehouse) for warehouse in opened]
        files = choose_files({f for known in entries for f in known}, colors, *months)
        for file in _with_progress(files):
            having = [(w, known[file]) for w, known in zip(opened, entries, strict=True)
                      if file in known]  # fmt: skip
            warehouse, entry = having[0]
            if target != "both":
                yield compare_staged(warehouse, entry, settings, limit, _note, Cancel())
            elif len(having) == 1:
                yield found_once(entry, warehouse.name)
            else:
                yield compare_warehouses(opened[0], opened[1], file, limit, _note)


def _note(sentence: str) -> None:
    err.print(escape(sentence))


def _with_progress(files: Sequence[TripFile]) -> Iterator[TripFile]:
    """Yield the files while a bar on the terminal says which one is being compared."""
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
            parts.append(
                f"{name}: {side.rows:,} rows, ${side.total_amount:,.2f}, ids {side.ids[:12]}"
            )
    if comparison.reason:
        parts.append(comparison.reason)
    out.print("  ".join(parts), markup=False)
    for difference in comparison.differences:
        out.print(f"    {_difference_words(difference, sides)}", markup=False)
    more = comparison.different_rows - len(comparison.differences)
    if more > 0:
        out.print(f"    and {more:,} more rows; --limit lists more of them", markup=False)


def _difference_words(difference: RowDifference, sides: tuple[str, str]) -> str:
    times = difference.our_times, difference.their_times
    if 0 in times:
        where = f"only in {sides[0] if times[0] else sides[1]}"
    elif times[0] != times[1]:
        where = f"{times[0]:,} times in {sides[0]}, {times[1]:,} times in {sides[1]}"
    else:
        where = "; ".join(
            f"{name} is {plain(ours)} in {sides[0]}, {plain(theirs)} in {sides[1]}"
            for name, (ours, theirs) in difference.columns.items()
        )
    return f"{difference.unique_row_id}  {where}"


def _summary_table(found: Sequence[Comparison]) -> Any:
    table = make_table("state", "files", "rows that differ")
    for state in _GLYPHS:
        these = [comparison for comparison in found if comparison.state == state]
        if these:
            rows = sum(comparison.different_rows for comparison in these)
            table.add_row(f"{_GLYPHS[state]} {state}", f"{len(these):,}", f"{rows:,}")
    return table


def _document(found: Sequence[Comparison], sides: tuple[str, str]) -> dict[str, Any]:
    """Return the JSON document, as docs/loading.md documents it."""

    def figures(side: Summary | None) -> dict[str, Any] | None:
        if side is None:
            return None
        return {
            "rows": side.rows,
            "total_amount": side.total_amount,
            "ids": side.ids,
            "contents": side.contents,
        }

    return {
        "equal": all(comparison.state != "different" for comparison in found),
        "sides": list(sides),
        "files": [
            {
                "file": comparison.file.filename,
                "color": comparison.file.color.value,
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
            for comparison in found
        ],
    }
