"""Commands that prepare, check and clear a target: `setup`, `doctor`, `health`, `remove-sample`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.console import (
    JsonOption,
    TargetOption,
    err,
    escape,
    exit_on_error,
    load_settings,
    out,
    print_json,
)
from pipeline.files.staging import size_in_words
from pipeline.warehouse.registry import DEFAULT_TARGET

if TYPE_CHECKING:
    from pipeline.ops.doctor.runner import CheckResult

_COLORS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


def setup(target: TargetOption = DEFAULT_TARGET) -> None:
    """Make what a target needs and has not: a folder, or a bucket and a dataset.

    Doing it again changes nothing.

    Example: python -m pipeline setup --target gcp
    """
    from pipeline.warehouse.registry import find_backend

    with exit_on_error():
        messages = find_backend(target).set_up(load_settings())
    for message in messages:
        out.print(escape(message))


def doctor(
    as_json: JsonOption = False,
    target: TargetOption = DEFAULT_TARGET,
    clean: Annotated[
        bool, typer.Option("--clean", help="First remove temporary files of killed processes.")
    ] = False,
) -> None:
    """Check all that a backfill needs, and say what to do about what is wrong.

    Exit code 0 when nothing failed, 1 when something did.

    Example: python -m pipeline doctor --target gcp
    """
    from pipeline.ops.doctor import examine

    with exit_on_error():
        if clean:
            from pipeline.ops.leftovers import remove_leftovers

            removed = remove_leftovers(load_settings())
            err.print(f"Deleted temporary files ({size_in_words(removed)}).")
        results = examine(target, lambda result: None if as_json else _print_result(result))
    _print_totals(target, results, as_json)


def remove_sample(as_json: JsonOption = False, target: TargetOption = DEFAULT_TARGET) -> None:
    """Remove the synthetic trips of the sample, month by month; real trips stay.

    Each month goes at once or not at all, together with its rejects, its entries in the ledger and
    its staged file. While a backfill runs, this says so and removes nothing.

    Example: python -m pipeline remove-sample
    """
    from pipeline.ops.sample import remove_sample as remove

    with exit_on_error():
        removal = remove(target, load_settings(), "command line")
    rows = sum(removal.rows.values())
    if as_json:
        files = [{"file": file.filename, "rows": n} for file, n in removal.rows.items()]
        print_json({"run_id": removal.run_id, "target": target, "rows": rows, "files": files})
    elif removal.rows:
        files_word = "file" if len(removal.rows) == 1 else "files"
        out.print(f"Removed {len(removal.rows):,} sample {files_word} with {rows:,} trips.")
    else:
        out.print("No sample data is loaded.")


def health(
    as_json: JsonOption = False,
    target: TargetOption = DEFAULT_TARGET,
    scheduler: Annotated[
        bool, typer.Option("--scheduler", help="Fail when no process fires the schedules.")
    ] = False,
    app: Annotated[
        str, typer.Option(help="Fail when the app does not answer at this address.")
    ] = "",
) -> None:
    """Look within seconds whether all can go on: for containers, and whatever watches them.

    Folder, disk, runs, scheduler and warehouse, and nothing outside this machine. A warehouse that
    a backfill holds is well. Exit code 0 when nothing failed, 1 when something did.

    Example: python -m pipeline health --app http://127.0.0.1:8501
    """
    from pipeline.ops.doctor import list_health_checks
    from pipeline.ops.doctor.runner import run_checks

    with exit_on_error():
        checks = list_health_checks(
            load_settings(), target, require_scheduler=scheduler, app_address=app
        )
    results = run_checks(checks, lambda result: None if as_json else _print_result(result))
    _print_totals(target, results, as_json)


def _print_totals(target: str, results: list[CheckResult], as_json: bool) -> None:
    failed = sum(result.state == "failed" for result in results)
    if as_json:
        print_json(doctor_document(target, results))
    else:
        warned = sum(result.state == "warning" for result in results)
        out.print(f"{len(results)} checks: {failed} failed, {warned} with a warning.")
    if failed:
        raise typer.Exit(1)


def doctor_document(target: str, results: list[CheckResult]) -> dict[str, object]:
    """Return the JSON document of an examination, as docs/command-line.md documents it."""
    return {
        "target": target,
        "ok": not any(result.state == "failed" for result in results),
        "checks": [
            {
                "name": result.name,
                "state": result.state,
                "message": result.message,
                "cure": result.cure,
                "seconds": result.seconds,
            }
            for result in results
        ],
    }


def _print_result(result: CheckResult) -> None:
    from pipeline.ops.doctor.runner import GLYPHS

    color = _COLORS[result.state]
    mark = f"[{color}]{GLYPHS[result.state]} {result.state:<8}[/{color}]"
    cure = f" {escape(result.cure)}" if result.cure else ""
    out.print(f"{mark} {result.name:<14} {escape(result.message)}{cure}")
