"""`setup`, `doctor` and `health`: make what a target needs, and look whether all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.console import (
    JsonOption,
    TargetOption,
    escape,
    out,
    print_json,
    reported,
)
from pipeline.settings import load_settings, make_folder

if TYPE_CHECKING:
    from pipeline.doctor import Finding

_COLORS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


def setup(target: TargetOption = "local") -> None:
    """Make what a target needs and has not: a folder, or a bucket and a dataset.

    Doing it again changes nothing.

    Example: python -m pipeline setup --target gcp
    """
    from pipeline.warehouse import require_target

    with reported():
        settings = load_settings()
        require_target(target)
        if target == "gcp":
            from pipeline.warehouse.google_setup import set_up

            said = set_up(settings)
        else:
            make_folder(settings.home)
            said = [f"The folder {settings.home} is there; the first backfill makes the tables."]
    for sentence in said:
        out.print(escape(sentence))


def doctor(as_json: JsonOption = False, target: TargetOption = "local") -> None:
    """Check all that a backfill needs, and say what to do about what is wrong.

    Exit code 0 when nothing failed, 1 when something did.

    Example: python -m pipeline doctor --target gcp
    """
    from pipeline.doctor import examine

    with reported():
        found = examine(target, lambda finding: None if as_json else _print_finding(finding))
    _conclude(target, found, as_json)


def health(
    as_json: JsonOption = False,
    target: TargetOption = "local",
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
    from pipeline.doctor import run_checks
    from pipeline.doctor.machine import health_checks

    with reported():
        checks = health_checks(load_settings(), target, fires=scheduler, app=app)
    found = run_checks(checks, lambda finding: None if as_json else _print_finding(finding))
    _conclude(target, found, as_json)


def _conclude(target: str, found: list[Finding], as_json: bool) -> None:
    failed = sum(finding.state == "failed" for finding in found)
    if as_json:
        print_json(doctor_document(target, found))
    else:
        warned = sum(finding.state == "warning" for finding in found)
        out.print(f"{len(found)} checks: {failed} failed, {warned} with a warning.")
    if failed:
        raise typer.Exit(1)


def doctor_document(target: str, found: list[Finding]) -> dict[str, object]:
    """Return the JSON document of an examination, as docs/command-line.md documents it."""
    return {
        "target": target,
        "ok": not any(finding.state == "failed" for finding in found),
        "checks": [
            {
                "name": finding.name,
                "state": finding.state,
                "message": finding.message,
                "cure": finding.cure,
                "seconds": finding.seconds,
            }
            for finding in found
        ],
    }


def _print_finding(finding: Finding) -> None:
    from pipeline.doctor import GLYPHS

    color = _COLORS[finding.state]
    mark = f"[{color}]{GLYPHS[finding.state]} {finding.state:<8}[/{color}]"
    cure = f" {escape(finding.cure)}" if finding.cure else ""
    out.print(f"{mark} {finding.name:<14} {escape(finding.message)}{cure}")
